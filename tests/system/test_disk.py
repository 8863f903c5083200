# SPDX-License-Identifier: LGPL-2.1-or-later
"""The disk takes no writes: services are controlled all the same, and what could not be written is written later."""

from __future__ import annotations

import json

from box import SERVER_UNIT, Box
from house import reboot_on_paper, sleeper, stop_all

STORE = "/var/lib/hero_proc"
WITHIN_SECONDS = 20.0


def prepare(box: Box) -> None:
    box.run(["sh", "-c", f"mkdir -p -m 700 {STORE} && mount -t tmpfs -o size=4M,mode=700 small {STORE}"])
    box.start_server()


def remount(box: Box, how: str) -> None:
    """Between two servers: one that has the file open for writing keeps it so."""
    box.stop_server()
    box.run(["mount", "-o", f"remount,{how}", STORE])
    box.start_server()


def test_a_server_comes_up_on_a_read_only_disk_and_controls_services(box):
    box.apply(sleeper("one"), sleeper("two"))
    box.wait_state("two", "running", WITHIN_SECONDS)
    before = box.main_pid("hero-one.service")
    remount(box, "ro")
    assert box.unit_property(SERVER_UNIT, "NRestarts") == "0"
    box.wait_state("one", "running", WITHIN_SECONDS)
    assert box.main_pid("hero-one.service") == before
    box.hero("stop", "one")
    assert box.cgroup_pids("hero-one.service") == []
    box.hero("start", "one")
    assert len(box.cgroup_pids("hero-one.service")) == 1
    refused = box.apply(sleeper("three"), check=False)
    assert refused.returncode != 0 and "three" not in box.states(), refused.stderr
    remount(box, "rw")
    box.apply(sleeper("three"))
    box.wait_state("three", "running", WITHIN_SECONDS)
    stop_all(box)


def fill(box: Box) -> None:
    box.run(["sh", "-c", f"cat /dev/zero >{STORE}/filler 2>/dev/null; :"])


def make_room(box: Box) -> None:
    box.run(["rm", f"{STORE}/filler"])
    box.wait_for(lambda: box.hero_json("dump")["store_owed"] == 0, WITHIN_SECONDS, "what is owed is written")


def test_what_was_begun_on_a_disk_that_was_full_is_remembered_once_there_is_room(box):
    box.apply(sleeper("wished"))
    box.wait_state("wished", "running", WITHIN_SECONDS)
    fill(box)
    box.hero("stop", "wished")
    assert box.cgroup_pids("hero-wished.service") == []
    make_room(box)
    box.kill_server()
    box.wait_state("wished", "stopped", WITHIN_SECONDS)
    assert box.agent.call("hero_services")["wished"]["wanted"] == "down"
    stop_all(box)


def test_a_boot_that_began_on_a_full_disk_is_remembered_once_there_is_room(box):
    box.apply(sleeper("auto"))
    box.wait_state("auto", "running", WITHIN_SECONDS)
    box.stop_server()
    reboot_on_paper(box, "auto")
    fill(box)
    box.start_server()
    box.wait_state("auto", "running", WITHIN_SECONDS)
    make_room(box)
    # In the same boot: what is down now was taken down.
    box.stop_server()
    box.systemctl("stop", "hero-auto.slice")
    box.start_server()
    box.wait_state("auto", "stopped", WITHIN_SECONDS)
    assert box.cgroup_pids("hero-auto.service") == [] and box.agent.call("hero_services")["auto"]["wanted"] == "down"
    stop_all(box)


HOLD = "/run/hold"
MANAGER = "org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager"
NO_WAIT = 1


def reluctant(name: str) -> dict:
    """Ends when it is asked to and HOLD is gone."""
    return sleeper(name, exec=["/bin/sh", "-c", f"trap 'while [ -e {HOLD} ]; do sleep 0.05; done; exit 0' TERM; while :; do sleep 60 & wait; done"])


def is_owed_by_a_restart_of(box: Box, name: str) -> bool:
    box.hero("restart", name)
    return box.hero_json("dump")["store_owed"] > 0


def remove_on_a_disk_that_fills(box: Box, name: str) -> None:
    """The store has heard that it is to be removed, and cannot take that it is."""
    box.apply(reluctant(name), sleeper("other"))
    box.wait_state("other", "running", WITHIN_SECONDS)
    box.wait_state(name, "running", WITHIN_SECONDS)
    box.write_file(HOLD, "")
    box.agent.call("call_bus", *MANAGER, "StopService", "st", name, NO_WAIT)
    box.wait_state(name, "stopping", WITHIN_SECONDS)
    box.agent.call("call_bus", *MANAGER, "RemoveService", "st", name, NO_WAIT)
    fill(box)
    box.wait_for(lambda: is_owed_by_a_restart_of(box, "other"), WITHIN_SECONDS, "what the log has of room is used up")
    box.run(["rm", HOLD])
    box.wait_for(lambda: name not in box.states(), WITHIN_SECONDS, "it is removed")
    assert f"{name}: cannot be taken out of the store" in box.journal(SERVER_UNIT)
    assert box.cgroup_pids(f"hero-{name}.service") == []
    make_room(box)


def test_what_was_removed_on_a_disk_that_filled_stays_removed(box):
    remove_on_a_disk_that_fills(box, "leaver")
    box.kill_server()
    box.wait_for(lambda: "leaver" not in box.states(), WITHIN_SECONDS, "the next server removes it too")
    assert box.cgroup_pids("hero-leaver.service") == []
    stop_all(box)


def apply_and_kill(definition: str, server: int) -> None:
    """For the agent: the server is killed as soon as it has said that the definition is taken."""
    call_bus("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", "ApplyDefinitions", "ast", 1, definition, 1)  # noqa: F821
    os.kill(server, signal.SIGKILL)  # noqa: F821


def test_what_is_made_anew_after_that_is_wanted_by_the_next_server_too(box):
    remove_on_a_disk_that_fills(box, "returner")
    box.agent.call(apply_and_kill, json.dumps(sleeper("returner")), box.main_pid(SERVER_UNIT))
    box.wait_state("returner", "running", WITHIN_SECONDS)
    assert box.agent.call("hero_services")["returner"]["wanted"] == "up"
    stop_all(box)
