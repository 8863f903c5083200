# SPDX-License-Identifier: LGPL-2.1-or-later
"""systemd is silent for longer than a call to it waits: nothing that was taken on is lost, and nothing is done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import time

from box import SERVER_UNIT
from herodemo import service, status

CALL_SECONDS = 25  # of the server's calls to systemd


def prepare(box):
    box.start_server()
    box.systemctl("service-watchdogs", "no")  # the server is stopped for a moment


def stop_when_it_waits_for_a_stop(name: str, server: int) -> None:
    """For the agent: stops the server when systemd is at the stop of that service, and returns when that is over."""
    unit = f"hero-{name}.service"

    def state_of(what: str) -> str:
        return subprocess.run(["systemctl", "show", "-P", "ActiveState", what],  # noqa: F821
                              capture_output=True, text=True, check=True).stdout.strip()

    if seconds_until(lambda: state_of(unit) == "deactivating", 10, 0.01) is None:  # noqa: F821
        raise RuntimeError("it is not being stopped")
    os.kill(server, signal.SIGSTOP)
    if seconds_until(lambda: state_of(f"hero-{name}.slice") == "inactive", 10, 0.01) is None:  # noqa: F821
        raise RuntimeError("it is not stopped")


def test_what_systemd_does_not_answer_in_time_is_asked_again(box):
    box.apply(service(box, "leaves", "--slow-term-ms", "1000"), service(box, "again"), service(box, "ends"),
              service(box, "begins", autostart=False))
    for name in ("leaves", "again", "ends"):
        box.wait_state(name, "running", 10)
    server, systemd = box.main_pid(SERVER_UNIT), box.init_pid()
    before = box.main_pid("hero-again.service")

    leaving = box.spawn(["hero_proc", "remove", "leaves"], stdout=subprocess.DEVNULL)
    box.agent.call(stop_when_it_waits_for_a_stop, "leaves", server)
    os.kill(systemd, signal.SIGSTOP)
    try:
        # What it finds first is the end of that stop, and it asks what is left.
        box.run(["kill", "-CONT", str(server)])
        changing = box.spawn(["hero_proc", "restart", "again"], stdout=subprocess.DEVNULL)
        box.apply(service(box, "comes"))
        box.hero("--no-block", "stop", "ends")
        box.hero("--no-block", "start", "begins")
        time.sleep(CALL_SECONDS + 1.5)  # the span is what is tested
    finally:
        os.kill(systemd, signal.SIGCONT)

    assert leaving.wait(timeout=10) == 0
    assert "leaves" not in box.states() and not box.run(["test", "-e", "/run/hero/leaves"], check=False).returncode == 0
    assert changing.wait(timeout=10) == 0
    for name, state in (("again", "running"), ("comes", "running"), ("begins", "running"), ("ends", "stopped")):
        box.wait_state(name, state, 10)
        assert status(box, name)["wanted"] == ("down" if state == "stopped" else "up"), name
        assert bool(box.cgroup_pids(f"hero-{name}.service")) == (state == "running"), name
    assert box.main_pid("hero-again.service") != before
    journal = box.journal("hero-again.service")
    assert journal.count("Stopping ") == 1, journal
    box.hero("remove", "again", "comes", "begins", "ends")
