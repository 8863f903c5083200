# SPDX-License-Identifier: LGPL-2.1-or-later
"""systemctl stays first-class: what is done with it is seen, respected and remembered, and harms no anchor."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from pathlib import Path
from typing import Any, Callable

from box import SERVER_UNIT, Box
from house import forget_signals, lives, probe, set_fault, signals_seen, sleeper, stop_all, units, web_action, web_service

WITHIN_SECONDS = 10.0


def prepare(box: Box) -> None:
    box.start_server()
    box.apply({"name": "pair", "probes": [probe("files", "/api/files"), probe("page", "/", "ui.sock")],
               "actions": {"server": web_action(box, "pair"), "ui": web_action(box, "pair", "ui.sock", ready="file")}},
              web_service(box, "single"), sleeper("bystander"), sleeper("my"), sleeper("my-app"))
    for name in ("pair", "single", "bystander", "my", "my-app"):
        box.wait_state(name, "running", WITHIN_SECONDS)


def wanted(box: Box, name: str) -> str:
    return box.agent.call("hero_services")[name]["wanted"]


def pids(box: Box, unit: str) -> list[int]:
    return units(box, unit)[unit]["pids"]


def transitions_during(box: Box, name: str, command: list[str], last: str) -> list[str]:
    """The states that StateChanged tells while a command runs, until the last one expected."""
    return box.agent.call(_watch, name, command, last)


def _watch(name: str, command: list[str], last: str) -> list[str]:
    # pylint: disable=undefined-variable
    seen = []
    with Signals("type='signal',interface='org.hero.Proc1.Manager',member='StateChanged'") as signals:  # noqa: F821
        subprocess.run(command, check=True)  # noqa: F821
        while not seen or seen[-1] != last:
            message = signals.next(10)
            if message is None:
                raise RuntimeError(f"{last} was not told; only {seen}")
            if message["payload"]["data"][0] == name:
                seen.append(message["payload"]["data"][2])
        while (message := signals.next(0.3)):  # nothing may follow
            if message["payload"]["data"][0] == name:
                seen.append(message["payload"]["data"][2])
    return seen


def test_a_service_stopped_and_started_by_systemctl_says_so_and_never_says_failed(box):
    # A stop of milliseconds may be over before it is told of.
    assert transitions_during(box, "single", ["systemctl", "stop", "hero-single"], "stopped") in (["stopping", "stopped"],
                                                                                               ["stopped"])
    assert pids(box, "hero-single.service") == []
    assert wanted(box, "single") == "down"
    assert transitions_during(box, "single", ["systemctl", "start", "hero-single"], "running") == ["starting", "running"]
    assert wanted(box, "single") == "up"
    assert box.http("/run/hero/single/rpc.sock", "/api/files")[0] == 200


def test_a_restart_by_systemctl_is_followed_and_never_says_failed_or_stopped(box):
    before = box.invocation_id("hero-single.service")
    seen = transitions_during(box, "single", ["systemctl", "restart", "hero-single"], "running")
    assert set(seen) <= {"stopping", "restarting", "starting", "running"}, seen
    assert box.invocation_id("hero-single.service") != before
    assert wanted(box, "single") == "up"


def hold_back_stops_of(box: Box, unit: str) -> None:
    """systemd stops a unit after those that come after it: asked to stop this one and ours, it keeps ours for a second."""
    box.run(["systemd-run", "-q", "--unit=holder", f"-pAfter={unit}", "-pExecStop=sleep 1", "sleep", "infinity"])


def test_a_reset_failed_takes_no_stop_back_that_systemd_has_in_its_queue(box):
    unit = "hero-ill.service"
    box.apply({**web_service(box, "ill"), "on_unhealthy": "report"})
    box.wait_state("ill", "running", WITHIN_SECONDS)
    set_fault(box, "ill", "/api/files close")
    box.wait_state("ill", "failed", WITHIN_SECONDS)
    hold_back_stops_of(box, unit)
    stop = box.spawn(["systemctl", "stop", "holder", unit])
    box.wait_for(lambda: box.unit_property(unit, "Job") not in ("", "0"), 5, "its stop waits")
    box.hero("reset-failed", check=False)
    assert stop.wait(10) == 0, "a stop that another job took the place of ends badly"
    box.wait_state("ill", "stopped", WITHIN_SECONDS)
    assert pids(box, unit) == [] and wanted(box, "ill") == "down"
    box.hero("remove", "ill")


def test_a_stop_that_met_the_death_of_its_process_is_a_stop(box):
    """With a stop in its queue systemd tries no more, and leaves the unit "failed" as if nobody had asked for anything."""
    unit = "hero-doomed.service"
    box.apply(sleeper("doomed"))
    box.wait_state("doomed", "running", WITHIN_SECONDS)
    hold_back_stops_of(box, unit)
    box.systemctl("stop", "--no-block", "holder", unit)
    box.wait_for(lambda: box.unit_property(unit, "Job") not in ("", "0"), 5, "its stop waits")
    box.systemctl("kill", "-s", "KILL", unit)
    box.wait_for(lambda: box.unit_property(unit, "ActiveState") == "failed", 5, "it is dead")
    box.wait_for(lambda: box.unit_property("holder", "ActiveState") == "inactive", 5, "the other is down")
    box.wait_state("doomed", "stopped", WITHIN_SECONDS)
    assert wanted(box, "doomed") == "down"
    box.hero("reset-failed")
    assert pids(box, unit) == [], "nobody starts again what an operator stopped"
    box.hero("remove", "doomed")


def test_a_slice_stopped_and_its_services_started_by_systemctl(box):
    seen = transitions_during(box, "pair", ["systemctl", "stop", "hero-pair.slice"], "stopped")
    assert "failed" not in seen, seen
    assert wanted(box, "pair") == "down"
    box.wait_for(lambda: units(box, "hero-pair@*").keys() == {"hero-pair@server.service", "hero-pair@ui.service"},
                 WITHIN_SECONDS, "the anchor is back")
    assert all(unit["pids"] == [] for unit in units(box, "hero-pair@*").values())
    box.systemctl("start", "hero-pair@server", "hero-pair@ui")
    box.wait_state("pair", "running", WITHIN_SECONDS)
    assert wanted(box, "pair") == "up"


def test_restarting_a_slice_starts_again_what_ran_in_it_or_leaves_it_stopped_but_always_says_what_is(box):
    """systemd stops the slice and its members, and starts only the slice: that is an operator's stop of the members."""
    box.systemctl("restart", "hero-pair.slice")
    box.wait_for(lambda: (box.states()["pair"] == "stopped") == (
        not any(unit["pids"] for unit in units(box, "hero-pair@*").values())), WITHIN_SECONDS, "the state is true")
    box.systemctl("start", "hero-pair@server", "hero-pair@ui")
    box.wait_state("pair", "running", WITHIN_SECONDS)


def test_one_of_two_actions_stopped_by_systemctl_degrades_and_stays_down(box):
    seen = transitions_during(box, "pair", ["systemctl", "stop", "hero-pair@ui"], "degraded")
    assert "failed" not in seen, seen
    pair = box.hero_json("status", "pair")[0]
    assert pair["reasons"][0]["code"] == "stopped-by-operator" and pair["reasons"][0]["subject"] == "ui"
    server = box.invocation_id("hero-pair@server.service")
    box.restart_server()
    box.wait_state("pair", "degraded", WITHIN_SECONDS)
    assert pids(box, "hero-pair@ui.service") == []
    assert box.invocation_id("hero-pair@server.service") == server
    box.systemctl("start", "hero-pair@ui")
    box.wait_state("pair", "running", WITHIN_SECONDS)


@contextlib.contextmanager
def server_away(box: Box):
    box.stop_server()
    # A look at the bus would bring it back.
    assert box.unit_property(SERVER_UNIT, "ActiveState") == "inactive"
    yield
    box.start_server()


def test_what_systemctl_did_while_the_server_was_away_is_found_and_remembered(box):
    with server_away(box):
        box.systemctl("stop", "hero-single", "hero-my.slice", "hero-pair@ui")
    for name, state, wish in (("single", "stopped", "down"), ("my", "stopped", "down"), ("pair", "degraded", "up")):
        box.wait_state(name, state, WITHIN_SECONDS)
        assert wanted(box, name) == wish
    box.restart_server()
    box.wait_state("single", "stopped", WITHIN_SECONDS)
    box.wait_state("my", "stopped", WITHIN_SECONDS)
    assert pids(box, "hero-single.service") == pids(box, "hero-my.service") == pids(box, "hero-pair@ui.service") == []
    with server_away(box):
        box.systemctl("start", "hero-single", "hero-my", "hero-pair@ui")
    for name in ("single", "my", "pair"):
        box.wait_state(name, "running", WITHIN_SECONDS)
        assert wanted(box, name) == "up"


def test_a_oneshot_that_is_done_does_not_keep_a_service_wanted_whose_processes_an_operator_stopped(box):
    """Nothing of it would come back at a start of the rest: there is nobody whom it could serve."""
    unit = "hero-served@server.service"

    def is_down() -> bool:
        row = box.hero_json("status", "served")[0]
        return (row["state"], row["wanted"]) == ("stopped", "down") and "operator" in row["reasons"][0]["text"]

    def is_up() -> bool:
        row = box.hero_json("status", "served")[0]
        return (row["state"], row["wanted"]) == ("running", "up")

    box.apply({"name": "served", "actions": {"setup": {"kind": "oneshot", "exec": ["/bin/true"]},
                                             "server": {"exec": ["/bin/sleep", "infinity"]}}})
    box.wait_for(is_up, WITHIN_SECONDS, "it runs, its setup done")
    box.systemctl("stop", unit)
    box.wait_for(is_down, WITHIN_SECONDS, "stopped while the server watches")
    assert "operator" in box.hero("why", "served").stdout and pids(box, unit) == []
    box.restart_server()
    box.wait_for(is_down, WITHIN_SECONDS, "remembered")
    box.systemctl("start", unit)
    box.wait_for(is_up, WITHIN_SECONDS, "started again by systemctl, its setup still done")
    box.stop_server()
    box.systemctl("stop", unit)
    box.start_server()
    box.wait_for(is_down, WITHIN_SECONDS, "stopped while no server was there")
    box.systemctl("start", unit)
    box.wait_for(is_up, WITHIN_SECONDS, "and up again")
    box.hero("remove", "served")


def test_stopping_my_leaves_my_app_alone(box):
    app = lives(box, "hero-my-app.service")
    box.systemctl("stop", "hero-my.slice")
    box.wait_state("my", "stopped", WITHIN_SECONDS)
    box.hero("start", "my")
    box.hero("remove", "my")
    assert not units(box, "hero-my.s*")
    assert lives(box, "hero-my-app.service") == app and app["hero-my-app.service"][0] == "active"
    box.apply(sleeper("my"))
    box.wait_state("my", "running", WITHIN_SECONDS)
    assert lives(box, "hero-my-app.service") == app


def assert_untouched_by(box: Box, what: Callable[[], Any]) -> None:
    """No service notices, the right states come back, and the anchors hold."""
    expected, before = box.states(), lives(box)
    assert set(expected.values()) == {"running"}, expected
    forget_signals(box)
    what()
    box.wait_for(lambda: safe_states(box) == expected, WITHIN_SECONDS, "all are running")
    assert lives(box) == before
    assert signals_seen(box) == ""
    box.systemctl("stop", "hero-bystander")
    box.wait_state("bystander", "stopped", WITHIN_SECONDS)
    box.systemctl("start", "hero-bystander")  # the anchor has kept it loaded
    box.wait_state("bystander", "running", WITHIN_SECONDS)


def safe_states(box: Box) -> dict[str, str]:
    """{} while the bus or the server is away."""
    try:
        return box.states()
    except AssertionError:
        return {}


def test_a_daemon_reload_is_no_stop(box):
    assert_untouched_by(box, lambda: box.systemctl("daemon-reload"))


def test_a_daemon_reexec_is_no_stop(box):
    assert_untouched_by(box, lambda: box.systemctl("daemon-reexec"))


def test_a_restart_of_the_bus_is_no_stop(box):
    server = lives(box, SERVER_UNIT)
    assert_untouched_by(box, lambda: box.systemctl("restart", "dbus.service"))
    assert lives(box, SERVER_UNIT) == server, "the server itself went with the bus"


def test_what_happened_while_the_bus_was_away_is_found(box):
    killed = box.main_pid("hero-single.service")
    box.run(["sh", "-c", f"systemctl stop dbus.socket dbus.service; systemctl stop hero-my; kill -KILL {killed};"
             "systemctl start dbus.socket dbus.service"])
    box.wait_for(lambda: safe_states(box).get("my") == "stopped", WITHIN_SECONDS, "the stop is seen")
    assert wanted(box, "my") == "down"
    box.wait_for(lambda: box.states()["single"] == "running" and box.main_pid("hero-single.service") not in (0, killed),
                 WITHIN_SECONDS, "systemd's restart is seen")
    box.systemctl("start", "hero-my")
    box.wait_state("my", "running", WITHIN_SECONDS)


def test_two_who_start_the_same_service_at_once_both_hear_of_its_end(box):
    """systemd has one job for both."""
    box.apply(web_service(box, "slow", options=["--ready-delay-ms", "700"]))
    box.hero("stop", "slow")
    box.hero("--no-block", "start", "slow")
    box.hero("start", "slow", timeout=10)
    assert box.states()["slow"] == "running" and len(pids(box, "hero-slow.service")) == 1
    box.hero("remove", "slow")


def test_the_shutdown_of_the_machine_is_nobodys_wish(box):
    with tempfile.TemporaryDirectory() as disk:
        binds = [f"{disk}:/var/lib/hero_proc"]
        with box.another(binds) as first:
            first.start_server()
            first.apply(web_service(box, "served", options=["--slow-term-ms", "300"]), sleeper("plain"),
                        sleeper("halted"))
            for name in ("served", "plain", "halted"):
                first.wait_state(name, "running", WITHIN_SECONDS)
            first.hero("stop", "halted")
            first.power_off()
        with contextlib.closing(sqlite3.connect(f"{disk}/hero_proc.db")) as database:
            wishes = dict(database.execute("SELECT name, wanted_up FROM service"))
        assert wishes == {"served": 1, "plain": 1, "halted": 0}
        with box.another(binds) as second:
            second.start_server()
            for name in ("served", "plain"):
                second.wait_state(name, "running", WITHIN_SECONDS)


def test_the_server_outlives_its_services_at_shutdown(box):
    """As long as anything runs, somebody looks after it. The service itself looks, while it stops."""
    program = ("exec 4>/var/lib/hero_proc/seen; trap 'sleep 1; cat /sys/fs/cgroup/system.slice/hero_proc.service/cgroup.procs >&4; exit 0' TERM; "
               "while :; do sleep 0.1; done")
    with tempfile.TemporaryDirectory() as disk, box.another([f"{disk}:/var/lib/hero_proc"]) as other:
        other.start_server()
        other.apply({"name": "last", "exec": ["/bin/sh", "-c", program]})
        other.wait_state("last", "running", WITHIN_SECONDS)
        server = other.main_pid(SERVER_UNIT)
        other.power_off()
        seen = Path(disk, "seen").read_text()
        assert seen.split() == [str(server)]


def test_no_unit_of_ours_stands_in_a_circle_of_order(box):
    """systemd breaks a circle by leaving out a job of it, now this one and now that: at a shutdown, the stop of hero.slice."""
    shown = box.output("systemctl", "show", "--property=Id,After", "*").split("\n\n")
    pairs = [dict(line.split("=", 1) for line in block.splitlines()) for block in shown]
    after = {pair["Id"]: pair["After"].split() for pair in pairs if "After" in pair}

    def waits_for(unit: str, seen: set[str]) -> set[str]:
        for other in set(after.get(unit, [])) - seen:
            seen.add(other)
            waits_for(other, seen)
        return seen
    for unit in ["hero.slice", SERVER_UNIT, "hero-single.service"]:
        assert "sysinit.target" in waits_for(unit, set())
        assert unit not in waits_for(unit, set())


def test_leaving_the_default_target_does_not_stop_services(box):
    box.write_file("/run/systemd/system/quiet.target",
                   "[Unit]\nAllowIsolate=yes\nRequires=dbus.socket dbus.service\n")
    box.systemctl("daemon-reload")
    before = lives(box)
    box.systemctl("isolate", "quiet.target")
    # isolate does not wait for what it stops. Whether the server is among it is systemd's luck: it keeps what a socket
    # triggers if it comes to it ahead of the socket; and who calls the bus name has the server started again.
    box.wait_for(lambda: box.unit_property("multi-user.target", "ActiveState") == "inactive"
                 and not box.systemctl("list-jobs", "--no-legend").stdout.strip(), 10, "all is stopped that is to be")
    assert lives(box) == before
    box.systemctl("isolate", "multi-user.target")
    box.start_server()
    box.wait_state("single", "running", WITHIN_SECONDS)
    assert lives(box) == before
    for socket in ("dialer", "hands"):
        box.wait_for(lambda unit=f"hero_proc-{socket}.socket": box.unit_property(unit, "ActiveState") == "active", 5, "it is back")


def test_a_pruned_house_leaves_no_unit(box):
    stop_all(box)
    assert not units(box)
    assert box.output("sh", "-c", "ls -A /run/hero /run/hero_proc/exec").split() == ["/run/hero:", "/run/hero_proc/exec:"]
