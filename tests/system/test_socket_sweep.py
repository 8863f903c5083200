# SPDX-License-Identifier: LGPL-2.1-or-later
"""A change that only the kernel's table of listeners shows is not lost when the table is read for another service."""

from __future__ import annotations

import socket

NOTICED_WITHIN_SECONDS = 2.0  # the sweep is every 50 ms; a machine under load must not fail the test

# Each change of the listener is followed at once by a new file in the folder of another service, which makes the server
# read the table before its next sweep does.
LATE_LISTENER = """
import os, signal, socket

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGUSR2])
listener = socket.socket(socket.AF_UNIX)
listener.bind("/run/hero/late/late.sock")
signal.sigwait([signal.SIGUSR1])
listener.listen()
os.close(os.open("/run/hero/busy/listened", os.O_CREAT | os.O_WRONLY))
signal.sigwait([signal.SIGUSR2])
listener.close()
os.close(os.open("/run/hero/busy/closed", os.O_CREAT | os.O_WRONLY))
signal.pause()
"""


def prepare(box):
    box.start_server()
    busy = box.definition("busy", exec=[box.fixture("herodemo_server"), "--name", "busy", "--socket",
                                        "/run/hero/busy/rpc.sock", "--ready", "notify"],
                          ready="notify", sockets=["rpc.sock"])
    box.write_file("/run/late_listener.py", LATE_LISTENER)
    late = box.definition("late", exec=["/usr/bin/python3", "/run/late_listener.py"], sockets=["late.sock"],
                          requires=["busy"], on_unhealthy="report")
    box.apply(busy, late)
    box.wait_state("busy", "running", 10)


def listens(path: str) -> bool:
    """Run inside: whether somebody accepts connections there."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(path) == 0


def signal_late(box, name: str) -> None:
    box.systemctl("kill", f"--signal={name}", "hero-late.service")


def test_a_listener_that_comes_while_another_folder_changes_is_seen(box):
    box.wait_for(lambda: box.run(["test", "-S", "/run/hero/late/late.sock"], check=False).returncode == 0, 10,
                 "the socket is bound")
    box.wait_state("late", "starting", NOTICED_WITHIN_SECONDS)
    signal_late(box, "USR1")
    box.wait_for(lambda: box.agent.call(listens, "/run/hero/late/late.sock"), 5, "somebody listens")
    box.wait_state("late", "running", NOTICED_WITHIN_SECONDS)


def test_a_listener_that_goes_while_another_folder_changes_is_noticed(box):
    box.wait_state("late", "running", NOTICED_WITHIN_SECONDS)
    signal_late(box, "USR2")
    box.wait_for(lambda: not box.agent.call(listens, "/run/hero/late/late.sock"), 5, "nobody listens")
    box.wait_state("late", "failed", NOTICED_WITHIN_SECONDS)
