# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is under way meets what comes in between: another wish, a lost bus, a refusal of systemd's. Nothing is lost for it,
and nobody's stop is made up."""

from __future__ import annotations

import subprocess

from box import Box
from house import sleeper, stop_all, units

WITHIN_SECONDS = 20.0


def prepare(box: Box) -> None:
    box.start_server()


def wanted(box: Box, name: str) -> str:
    return box.agent.call("hero_services")[name]["wanted"]


def slow_to_stop(name: str, seconds: int, **fields) -> dict:
    """Takes its time on SIGTERM, in one process: a child that slept for it could be met by the same signal."""
    program = (f"import os, signal, time; signal.signal(15, lambda *_: (time.sleep({seconds}), os._exit(0))); "
               "os.close(os.write(3, b'\\n') + 2)\nwhile True: signal.pause()")
    return {"name": name, "exec": ["/usr/bin/python3", "-c", program], "ready": "fd3", **fields}


def slow_to_start(name: str, seconds: int, **fields) -> dict:
    return {"name": name, "exec": ["/bin/sh", "-c", f"sleep {seconds}; echo >&3; exec sleep infinity"], "ready": "fd3", **fields}


def test_a_bus_lost_in_the_middle_of_an_apply_loses_no_start(box):
    names = [f"bulk{i:02}" for i in range(60)]
    box.apply(*(sleeper(name) for name in names))
    box.run(["sh", "-c", "kill -KILL $(systemctl show -P MainPID dbus.service)"])
    box.wait_for(lambda: all(units(box, f"hero-{name}.service").get(f"hero-{name}.service", {}).get("pids")
                             for name in names), WITHIN_SECONDS, "all run")
    for name in names:
        box.wait_state(name, "running", WITHIN_SECONDS)
        assert wanted(box, name) == "up"
    stop_all(box)


def test_an_apply_that_restarts_nothing_does_not_wedge_units_that_are_being_made_anew(box):
    box.apply(slow_to_stop("anew", 2))
    box.wait_state("anew", "running", WITHIN_SECONDS)
    box.apply(slow_to_stop("anew", 2, env={"GENERATION": "2"}))
    box.apply(slow_to_stop("anew", 2, env={"GENERATION": "2"}, description="more words, the same units"))
    box.wait_state("anew", "running", WITHIN_SECONDS)
    assert len(box.cgroup_pids("hero-anew.service")) >= 1
    assert "GENERATION=2" in box.unit_property("hero-anew.service", "Environment")
    box.hero("stop", "anew")
    assert box.cgroup_pids("hero-anew.service") == []
    stop_all(box)


def test_an_apply_that_restarts_nothing_keeps_a_start_that_waits(box):
    box.apply(slow_to_start("first", 2), sleeper("second", requires=["first"]))
    box.apply(sleeper("second", requires=["first"], description="other words"))
    box.wait_state("second", "running", WITHIN_SECONDS)
    assert box.main_pid("hero-second.service") > 0
    stop_all(box)


def test_a_start_during_a_stop_wins(box):
    box.apply(slow_to_stop("turn", 2))
    box.wait_state("turn", "running", WITHIN_SECONDS)
    for stop in (["hero_proc", "-q", "stop", "--no-block", "turn"], ["systemctl", "stop", "--no-block", "hero-turn"]):
        box.run(stop)
        box.wait_for(lambda: box.unit_property("hero-turn", "ActiveState") == "deactivating", 5, "the stop is under way")
        box.hero("start", "turn")
        assert box.unit_property("hero-turn", "ActiveState") == "active"
        assert wanted(box, "turn") == "up"
    stop_all(box)


def test_a_server_that_crashes_during_a_slow_stop_is_back_at_once(box):
    """systemd puts a start behind the stop of whatever is ordered with it: no action may be ordered with the server."""
    box.apply(slow_to_stop("leaving", 6))
    box.wait_state("leaving", "running", WITHIN_SECONDS)
    box.hero("-q", "stop", "--no-block", "leaving")
    box.wait_for(lambda: box.unit_property("hero-leaving", "ActiveState") == "deactivating", 5, "the stop is under way")
    killed = box.main_pid("hero_proc.service")
    box.run(["kill", "-KILL", str(killed)])
    box.wait_for(lambda: box.main_pid("hero_proc.service") not in (0, killed), 2, "another server is there")
    assert box.unit_property("hero-leaving", "ActiveState") == "deactivating", "and the stop goes on"
    assert wanted(box, "leaving") == "down"
    box.wait_state("leaving", "stopped", WITHIN_SECONDS)
    stop_all(box)


def test_a_removal_that_the_next_server_ends_is_wanted_down(box):
    box.apply(slow_to_stop("going", 4))
    box.wait_state("going", "running", WITHIN_SECONDS)
    with box.spawn(["hero_proc", "remove", "going"], stderr=subprocess.DEVNULL) as removal:
        box.wait_for(lambda: box.unit_property("hero-going", "ActiveState") == "deactivating", 5, "the removal is under way")
        box.kill_server()
        assert wanted(box, "going") == "down"
        assert box.unit_property("hero-going", "ActiveState") == "deactivating"
        box.wait_for(lambda: not units(box, "hero-going*"), WITHIN_SECONDS, "it is gone")
        removal.wait(WITHIN_SECONDS)
    box.wait_for(lambda: "going" not in box.states(), WITHIN_SECONDS, "and forgotten")


def leave_a_stop_begun(box: Box, name: str) -> None:
    """As a server does that is killed before it could write that it is over."""
    box.run(["sqlite3", "/var/lib/hero_proc/hero_proc.db", f"UPDATE service SET intention = 'stop' WHERE name = '{name}'"])


def test_a_stop_that_is_over_is_not_made_again_for_what_was_started_since(box):
    """A server that was killed before it could write that its stop was over: the next one finds it begun, and the disk may
    have taken no writes for hours."""
    box.apply(sleeper("begun"))
    box.wait_state("begun", "running", WITHIN_SECONDS)
    box.hero("stop", "begun")
    box.stop_server()
    leave_a_stop_begun(box, "begun")
    box.systemctl("start", "hero-begun.service")
    pid = box.main_pid("hero-begun.service")
    box.start_server()
    box.wait_for(lambda: wanted(box, "begun") == "up", WITHIN_SECONDS, "somebody has started it")
    assert box.main_pid("hero-begun.service") == pid and box.states()["begun"] == "running"
    stop_all(box)


def test_a_stop_that_was_begun_is_made_though_systemd_restarted_it_since(box):
    box.apply(sleeper("owed", restart={"delay_ms": 50, "max_delay_ms": 50}))
    box.wait_state("owed", "running", WITHIN_SECONDS)
    box.hero("stop", "owed")
    box.hero("start", "owed")
    box.wait_state("owed", "running", WITHIN_SECONDS)
    box.stop_server()
    leave_a_stop_begun(box, "owed")
    pid = box.main_pid("hero-owed.service")
    box.run(["kill", "-KILL", str(pid)])
    box.wait_for(lambda: box.main_pid("hero-owed.service") not in (0, pid), WITHIN_SECONDS, "systemd restarts it")
    box.start_server()
    box.wait_state("owed", "stopped", WITHIN_SECONDS)
    assert wanted(box, "owed") == "down" and box.cgroup_pids("hero-owed.service") == []
    stop_all(box)


def test_what_systemd_refuses_to_make_ends_as_failed_and_nobody_has_stopped_it(box):
    blocker = "/run/systemd/system/hero-blocked.service"
    box.write_file(blocker, "[Service]\nExecStart=/bin/true\n")
    box.systemctl("daemon-reload")
    box.apply(sleeper("blocked"))
    box.wait_state("blocked", "failed", 30)
    box.systemctl("daemon-reload")
    box.restart_server()
    box.wait_for(lambda: wanted(box, "blocked") == "up", 5, "it is still wanted")
    box.run(["rm", blocker])
    box.systemctl("daemon-reload")
    box.hero("start", "blocked")
    assert len(box.cgroup_pids("hero-blocked.service")) == 1
    stop_all(box)


def test_reset_failed_of_systemctl_makes_no_stop_of_a_death(box):
    box.apply({"name": "dead", "exec": ["/bin/sh", "-c", "exit 3"], "ready": "notify", "restart": {"policy": "never"}})
    box.wait_state("dead", "failed", WITHIN_SECONDS)
    box.systemctl("reset-failed")
    box.wait_for(lambda: box.unit_property("hero-dead", "ActiveState") == "inactive", 5, "systemd has forgotten the failure")
    assert box.states()["dead"] == "failed" and wanted(box, "dead") == "up"
    stop_all(box)


def test_a_stop_overrules_a_restart_that_waits(box):
    box.apply(slow_to_start("needed", 2), sleeper("needing", requires=["needed"]))
    box.wait_state("needing", "running", WITHIN_SECONDS)
    box.hero("restart", "--no-block", "needed")
    box.wait_state("needed", "restarting", 5)
    box.hero("restart", "--no-block", "needing")
    box.systemctl("stop", "hero-needing")
    box.wait_state("needed", "running", WITHIN_SECONDS)
    box.wait_state("needing", "stopped", 5)
    assert box.cgroup_pids("hero-needing.service") == [] and wanted(box, "needing") == "down"
    stop_all(box)


def test_a_oneshot_that_is_done_is_not_done_twice_by_the_next_server(box):
    box.apply({"name": "migrated", "actions": {
        "migrate": {"kind": "oneshot", "exec": "echo done >>/srv/migrations"},
        "server": {key: value for key, value in slow_to_start("x", 3).items() if key != "name"}}})
    box.wait_for(lambda: box.run(["cat", "/srv/migrations"], check=False).stdout, 5, "the oneshot is done")
    box.kill_server()
    box.wait_state("migrated", "running", WITHIN_SECONDS)
    assert box.read_file("/srv/migrations") == "done\n"
    stop_all(box)


def test_a_oneshot_that_ran_while_no_server_looked_was_started_by_somebody(box):
    box.apply({"name": "once", "kind": "oneshot", "exec": ["/bin/true"]})
    for stop in (["hero_proc", "-q", "stop", "once"], ["systemctl", "stop", "hero-once.slice"]):
        box.wait_state("once", "stopped", WITHIN_SECONDS)
        assert wanted(box, "once") == "up", "it has done its work"
        box.run(stop)
        box.wait_for(lambda: wanted(box, "once") == "down", WITHIN_SECONDS, "it was stopped")
        box.restart_server()
        assert wanted(box, "once") == "down", "nobody has started it since"
        box.stop_server()
        box.systemctl("restart", "hero-once.service")
        box.start_server()
    box.wait_for(lambda: wanted(box, "once") == "up", WITHIN_SECONDS, "and somebody has")
    stop_all(box)


def test_a_service_that_failed_and_whose_slice_was_stopped_can_be_started(box):
    box.apply({"name": "pinned", "exec": ["/bin/sh", "-c", "test -e /srv/fine && exec sleep infinity; exit 3"],
               "restart": {"policy": "never"}})
    box.wait_state("pinned", "failed", WITHIN_SECONDS)
    box.systemctl("stop", "hero-pinned.slice")
    box.run(["touch", "/srv/fine"])
    box.hero("start", "pinned")
    box.wait_state("pinned", "running", 5)
    assert len(box.cgroup_pids("hero-pinned.service")) == 1
    stop_all(box)


def test_the_house_can_be_stopped_by_its_slice(box):
    """What systemctl stops is an operator's stop, also where it stops all; what comes next is as after any stop."""
    box.apply(slow_to_stop("east", 1), sleeper("west"), {"name": "both", "actions": {
        "one": {"exec": ["/bin/sleep", "infinity"]}, "two": {"exec": ["/bin/sleep", "infinity"]}}})
    for name in ("east", "west", "both"):
        box.wait_state(name, "running", WITHIN_SECONDS)
    box.systemctl("stop", "hero.slice")
    for name in ("east", "west", "both"):
        box.wait_state(name, "stopped", WITHIN_SECONDS)
        assert wanted(box, name) == "down"
    assert not any(unit["pids"] for unit in units(box, "hero-*.service").values())
    box.kill_server()
    box.hero("start", "both")
    assert box.states()["both"] == "running"
    assert box.states()["east"] == box.states()["west"] == "stopped"
    stop_all(box)
