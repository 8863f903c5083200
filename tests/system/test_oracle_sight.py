# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the oracle of tests/oracle makes of what it cannot have seen: that which was so between two of its looks. It believes
what somebody is known to have done; the same claim without that is a lie. Pure: no service runs, and no server."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Callable

from box import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "tests" / "oracle"))
# pylint: disable=wrong-import-position
from chaos_plan import Planner  # noqa: E402
from event_loop import Loop  # noqa: E402
from house_plan import House, shape_of  # noqa: E402
from injuries import Injuries, Injury  # noqa: E402
from judge import Judge, Row, Surroundings  # noqa: E402
from oracle import SHOWN_LINES_MAX, SHOWN_MAX, SHOWN_NEWS_MAX, Fault, Oracle, was_held_back, was_ill_for_long  # noqa: E402
from registers import REMOVED, Operation, Registers  # noqa: E402
from service_chaos import ServiceChaos  # noqa: E402
from truth import InvocationChange, ServiceTruth  # noqa: E402

NEEDS_HERO_PROC = False
SOCKET = "/run/hero/web/rpc.sock"
HANDLER_FAULTS = ["close", "hang", "half-body", "half-hang", "short-header", "status-500", "slow-5000", "drip"]


def web(failures: int = 1, name: str = "web", **probe: Any) -> dict[str, Any]:
    return {"name": name, "exec": ["/bin/true"], "sockets": ["rpc.sock"], "start_timeout_ms": 2000, "probes": [
        {"name": "files", "socket": "rpc.sock", "path": "/api/files", "interval_ms": 500, "timeout_ms": 400,
         "failures": failures, "fast_interval_ms": 100, **probe}]}


class Looks:
    """What the oracle saw from 0 to 20 s, as often as it looks: all well but for what is said to be bad from, until."""

    def __init__(self, definition: dict[str, Any], restarted: float = 99.0,
                 processes: Callable[[float], str] = lambda at: "100", **bad: tuple[float, float, str]):
        self.truth = truth = ServiceTruth(Loop(), shape_of(definition))
        self._bad = bad
        for unit in truth.units.values():
            self._look(unit.up, "unit", 0.05, "active/running")
            for at in (i * 0.05 for i in range(400)):
                unit.invocations.add(at, at, True, "a" if at < restarted else "b")
                unit.processes.add(at, at, True, processes(at))
        for socket in truth.sockets.values():
            self._look(socket.alive, "socket", 0.1, "alive")
            self._look(socket.drained, "queue", 0.1, "nobody waits")
        for probe in truth.probes.values():
            self._look(probe.answers, "probe", 0.2, "passes")

    def _look(self, timeline: Any, what: str, every: float, well: str) -> None:
        since, until, detail = self._bad.get(what, (99.0, 99.0, ""))
        took = 0.0 if detail == "queue full" else 0.4
        for at in (i * every for i in range(int(20 / every))):
            good = not since <= at <= until
            timeline.add(at, at, good, well if good else detail, 0.0 if good else took)

    def judged(self, state: str, reason: str, *injuries: Injury, at: float = 7.95, of: str = "", subject: str = "",
               pid: int = 0, asked: Registers | None = None, disturbed: tuple[float, float, str] | None = None) -> str:
        """Of a row that came just after `at`, where these things were done to the service, or to another."""
        name = self.truth.shape.name
        surroundings = Surroundings(injuries={of or name: Injuries(*injuries)}, disturbed=[disturbed] if disturbed else [])
        row = Row(at, at + 0.001, "GetStatus", name, state, reason, subject=subject, actions=[
            {"name": unit, "invocation_id": "a", "main_pid": pid} for unit in self.truth.units if pid])
        return Judge(self.truth, asked or Registers(), surroundings, {name: self.truth}).judge(row).kind


def broken(at: float, fault: str = "close", path: str = "/api/files", action: str = "main") -> Injury:
    return Injury(f"handler: {fault}", at, action, path, "switch")


def cleared(at: float, means: str = "switch", action: str = "main") -> Injury:
    return Injury("cleared", at, action, means=means)


def stopped(at: float, action: str = "main") -> Injury:
    return Injury("stopped by SIGSTOP for a moment", at, action, means="signal")


# It asks that handler at 7.8, 8.0 and so on, and has an answer each time.


def test_a_handler_that_was_broken_between_two_looks_may_have_failed(_box):
    for path in ("/api/files", "*"):
        for fault in HANDLER_FAULTS:
            for until in (cleared(7.96), cleared(9.0), Injury("children left behind", 7.96, "main", means="switch")):
                done = (broken(7.91, fault, path), until)
                assert Looks(web()).judged("failed", "probe-failed", *done) == "true"
                assert Looks(web()).judged("restarting", "probe-failed", *done) == "apart"
                assert Looks(web(3)).judged("degraded", "probe-failed", *done) == "apart"


def test_a_handler_that_nobody_broke_has_not_failed(_box):
    looks = Looks(web())
    for done, of in (((), ""), ((broken(7.96),), ""), ((broken(7.91),), "another"), ((broken(2.0), cleared(9.0)), ""),
                     ((broken(7.91, path="/health"),), ""), ((broken(7.91, action="ui"),), ""), ((cleared(7.91),), ""),
                     ((Injury("socket file removed", 7.91, "main", "/run/hero/web/ui.sock"),), ""),
                     ((Injury("children left behind", 7.91, "main", means="switch"),), "")):
        assert looks.judged("failed", "probe-failed", *done, of=of) == "lie", done
        assert looks.judged("degraded", "probe-failed", *done, of=of) == "stuck", done
        assert looks.judged("restarting", "probe-failed", *done, of=of) == "stuck", done
    assert Looks(web(type="connect")).judged("failed", "probe-failed", broken(7.91)) == "lie"


def test_a_handler_is_believed_to_have_failed_no_longer_than_its_bound(_box):
    """As a failure was shown and noticed to be over: 0.5 + 0.4 and 0.5 + 0.4 s and the slack, from when it was seen well."""
    looks, done = Looks(web()), (broken(7.91), cleared(7.96))
    assert looks.judged("failed", "probe-failed", *done, at=10.7) == "true"
    assert looks.judged("failed", "probe-failed", *done, at=10.8) == "lie"
    assert looks.judged("failed", "probe-failed", broken(7.91), at=11.0) == "true"
    assert looks.judged("failed", "probe-failed", broken(7.91), at=11.2) == "lie", "it was seen well, cleared or not"


def test_a_handler_that_was_broken_for_a_moment_has_not_failed_three_times(_box):
    done = (broken(7.81), cleared(7.95))
    assert Looks(web(3)).judged("failed", "probe-failed", *done, at=8.3) == "lie"
    assert Looks(web(2)).judged("failed", "probe-failed", *done, at=8.3) == "true"


def test_a_report_probe_makes_no_service_failed_whoever_broke_it(_box):
    done = Injury("handler that nobody asks", 7.91, "main", "/api/files", "switch")
    assert Looks(web(role="report")).judged("degraded", "probe-failed", done) == "apart"
    assert Looks(web(role="report")).judged("failed", "probe-failed", done) == "lie"


def test_who_stands_still_between_two_looks_may_have_failed(_box):
    for done in (stopped(7.0), Injury("frozen, its queue fills", 7.0, "main", means="switch")):
        back = cleared(7.5, done.means)
        assert Looks(web()).judged("failed", "probe-failed", done, back) == "true"
        assert Looks(web(3)).judged("degraded", "probe-failed", done, back) == "apart"
        assert Looks(web(type="connect")).judged("failed", "probe-failed", done, back) == "lie", "the kernel connects"
    assert Looks(web()).judged("failed", "probe-failed", stopped(7.0, "ui")) == "lie"
    assert Looks(web()).judged("failed", "probe-failed", stopped(2.0), cleared(2.5, "signal")) == "lie"


def test_a_queue_that_was_just_drained_may_still_be_said_to_wait(_box):
    looks = Looks(web(), queue=(4.0, 7.5, "somebody waits"))
    done = (stopped(4.0), cleared(7.45, "signal"))
    assert looks.judged("degraded", "socket-not-accepting", *done) == "apart"
    assert looks.judged("degraded", "socket-not-accepting", *done, at=9.0) == "stuck"
    assert looks.judged("degraded", "socket-not-accepting") == "stuck"


def test_a_queue_in_which_somebody_waits_for_ten_seconds_is_dead(_box):
    for since, kind in ((2.0, "true"), (6.0, "lie"), (99.0, "lie")):
        looks = Looks(web(), queue=(since, 12.5, "somebody waits"))
        assert looks.judged("failed", "socket-not-accepting", at=12.3) == kind
        change = InvocationChange("web", "hero-web.service", "a", "b", 12.4, 12.5, 12.5)
        assert was_ill_for_long(looks.truth, looks.truth.units["main"], change, Injuries()) == (kind == "true")


def test_a_socket_that_was_removed_between_two_looks_was_dead(_box):
    for what in ("socket file removed", "socket file removed by the service", "listener closed", "socket taken by a stranger"):
        done = Injury(what, 7.91, "main", SOCKET, "switch")
        assert Looks(web()).judged("failed", "socket-unlinked", done) == "true"
        assert Looks(web()).judged("failed", "probe-failed", done) == "true", "and so was the handler behind it"
        assert Looks(web()).judged("restarting", "socket-unlinked", done) == "apart"
        assert Looks(web()).judged("failed", "socket-unlinked", done, at=9.5) == "lie"
        for other in (Injury(what, 7.91, "main", SOCKET + "2"), Injury(what, 7.96, "main", SOCKET), broken(7.91)):
            assert Looks(web()).judged("failed", "socket-unlinked", other) == "lie"
    assert Looks(web()).judged("failed", "socket-unlinked") == "lie"


def test_a_port_is_dead_with_its_process_or_where_its_probe_says_so(_box):
    definition = {**web(), "ports": [18704]}
    definition["probes"][0] = {**definition["probes"][0], "port": 18704}
    for bad in ({"unit": (7.9, 8.5, "deactivating")}, {"probe": (7.9, 8.5, "ECONNREFUSED")}):
        assert Looks(definition, **bad).judged("failed", "socket-missing", subject="port 18704") == "true"
    bad = {"socket": (7.9, 8.5, "missing")}
    assert Looks(definition, **bad).judged("failed", "socket-missing", subject=SOCKET) == "true"
    assert Looks(definition, **bad).judged("failed", "socket-missing", subject="port 18704") == "lie"
    behind_a_socket = {**web(), "ports": [18704]}
    assert Looks(behind_a_socket, probe=bad["socket"]).judged("failed", "socket-missing", subject="port 18704") == "lie"
    for reason in ("socket-missing", "socket-not-accepting"):
        assert Looks(definition).judged("failed", reason, subject="port 18704") == "lie"
    assert Looks(definition, unit=(3.0, 5.0, "down")).judged("failed", "socket-missing", subject="port 18704") == "lie"


def test_what_was_started_anew_between_two_looks_was_down(_box):
    """Its process and its socket were gone; of a probe one request was lost. There is a new invocation to show for it."""
    for reason in ("process-died", "socket-missing"):
        assert Looks(web(), restarted=7.99).judged("failed", reason) == "true"
        assert Looks(web(), restarted=4.0).judged("failed", reason) == Looks(web()).judged("failed", reason) == "lie"
    for failures, restarted, kind in ((1, 7.99, "true"), (1, 7.0, "true"), (2, 7.99, "lie"), (1, 6.5, "lie")):
        assert Looks(web(failures), restarted=restarted).judged("failed", "probe-failed") == kind
    for state in ("starting", "restarting"):
        assert Looks(web(), restarted=7.99).judged(state, "") == "apart"
        assert Looks(web(), restarted=1.0).judged(state, "") == Looks(web()).judged(state, "") == "stuck"


def test_what_another_service_failed_for_may_have_been_between_two_looks(_box):
    def judged(*injuries: Injury) -> str:
        needed, needs = Looks(web(name="needed")).truth, Looks({**web(), "requires": ["needed"]}).truth
        surroundings = Surroundings(injuries={"needed": Injuries(*injuries)})
        row = Row(7.95, 7.951, "StateChanged", "web", "failed", "dependency-failed")
        return Judge(needs, Registers(), surroundings, {"web": needs, "needed": needed}).judge(row).kind

    assert judged(broken(7.91), cleared(7.96)) == "true"
    assert judged() == judged(broken(7.96)) == judged(broken(7.91, path="/health")) == "lie"


def test_a_handler_may_have_been_well_between_two_looks_where_that_was_taken_back(_box):
    """The switch holds one fault: what comes next ends what was before, unless it breaks the same handler."""
    looks = Looks(web(), probe=(4.0, 12.0, "empty"))
    first, anew = broken(3.9), broken(7.97)
    for then in (cleared(7.91), broken(7.91, path="/health"), Injury("children left behind", 7.91, "main", means="switch")):
        assert looks.judged("running", "", first, then, anew) in ("true", "late")
        assert looks.judged("running", "", first, then, anew, at=11.0) == "lie"
    for then in (broken(7.91, "hang"), broken(7.91, path="*"), cleared(7.91, action="ui"), cleared(7.91, "signal"),
                 cleared(7.96), stopped(7.91)):
        assert looks.judged("running", "", first, then, anew) == "lie", then
    assert looks.judged("running", "", Injury("listener closed", 3.9, "main", SOCKET, "switch"), cleared(7.91)) == "lie"
    assert looks.judged("running", "") == "lie"


def test_a_full_queue_may_have_been_drained_between_two_looks_where_its_service_went_on(_box):
    looks = Looks({**web(), "probes": []}, socket=(4.0, 12.0, "queue full"))
    assert looks.judged("running", "", stopped(3.0), cleared(7.91, "signal"), stopped(7.97)) in ("true", "late")
    assert looks.judged("running", "", stopped(3.0)) == looks.judged("running", "") == "lie"
    assert looks.judged("running", "", broken(3.0), cleared(7.91)) == "lie"
    done = (stopped(3.0), cleared(7.91, "signal"), stopped(7.97))
    assert Looks({**web(), "probes": []}, socket=(4.0, 12.0, "missing")).judged("running", "", *done) == "lie"
    looks = Looks(web(type="connect"), probe=(4.0, 12.0, "queue full"))
    assert looks.judged("running", "", *done) in ("true", "late") and looks.judged("running", "", *done[:1]) == "lie"


def test_a_full_queue_turns_the_oracle_away_at_once_and_hero_proc_when_its_time_is_over(_box):
    """hero_proc knocks again until its probe times out, so it shows a failure as of a handler that hangs."""
    for probe in ({}, {"type": "connect"}):
        looks = Looks(web(3, **probe), probe=(4.0, 12.0, "queue full"))
        assert looks.judged("running", "", at=5.8) == "late" and looks.judged("running", "", at=6.0) == "lie"
        assert looks.judged("degraded", "probe-failed", at=6.6) == "apart"
        assert looks.judged("degraded", "probe-failed", at=7.2) == "lie"


def test_no_row_may_go_on_saying_that_a_service_serves_whose_queue_is_full(_box):
    looks = Looks({**web(), "probes": []}, socket=(4.0, 12.0, "queue full"), queue=(4.0, 12.0, "somebody waits"))
    assert looks.judged("running", "", at=5.9) == looks.judged("degraded", "socket-not-accepting", at=5.9).replace("apart", "late")
    assert looks.judged("running", "", at=6.1) == looks.judged("degraded", "socket-not-accepting", at=6.1) == "lie"
    assert looks.judged("failed", "socket-not-accepting", at=6.1) == "true"


def test_a_queue_that_is_full_for_a_moment_is_no_dead_socket(_box):
    def judged(until: float, at: float) -> str:
        full = (7.0, until, "queue full")
        return Looks({**web(), "probes": []}, socket=full, queue=full).judged("failed", "socket-not-accepting", at=at)

    assert judged(7.3, 7.35) == judged(7.3, 7.9) == judged(12.0, 7.35) == "lie"
    assert judged(12.0, 8.05) == judged(8.0, 8.5) == "true"


def test_who_knocks_at_a_full_queue_is_turned_away_also_where_he_only_connects(_box):
    done, back = Injury("frozen, its queue is full", 7.0, "main", means="switch"), cleared(7.5)
    assert Looks(web(type="connect")).judged("failed", "probe-failed", done, back) == "true"
    assert Looks(web()).judged("failed", "probe-failed", done, back) == "true"


def test_what_was_up_between_two_looks_and_killed_was_running(_box):
    def judged(restarted: float, *injuries: Injury) -> str:
        looks = Looks({"name": "web", "exec": ["/bin/true"]}, restarted, unit=(4.0, 12.0, "activating/auto-restart"))
        return looks.judged("running", "", *injuries)

    killed = Injury("killed", 7.97, "main")
    assert judged(7.94, killed) in ("true", "late")
    assert judged(99.0, killed) == judged(5.0, killed) == judged(7.94) == judged(7.94, Injury("killed", 5.0, "main")) == "lie"
    assert judged(7.94, Injury("killed", 7.97, "ui")) == judged(7.94, broken(7.97)) == "lie"


def test_a_restart_may_be_for_what_was_broken_between_two_looks(_box):
    def healed(*injuries: Injury, failures: int = 1) -> bool:
        truth = Looks(web(failures), restarted=8.0).truth
        change = InvocationChange("web", "hero-web.service", "a", "b", 7.95, 8.0, 8.0)
        return was_ill_for_long(truth, truth.units["main"], change, Injuries(*injuries))

    assert healed(broken(7.85), cleared(7.99)) and healed(broken(7.96)) and healed(stopped(7.5), cleared(7.9, "signal"))
    assert healed(Injury("socket file removed", 7.96, "main", SOCKET))
    assert not healed() and not healed(broken(8.1)) and not healed(broken(7.85, path="/health")) and not healed(broken(4.0))
    assert not healed(broken(7.85), cleared(7.99), failures=3)
    assert not healed(Injury("socket file removed", 7.96, "main", SOCKET + "2"))


def test_a_restart_that_waits_for_another_service_may_come_late(_box):
    def held_back(asked: float, since: float, restarted_before: bool = False) -> bool:
        truth = Looks(web(), restarted=3.0 if restarted_before else 15.0).truth
        registers = Registers()
        registers.begin(Operation(1, "web", "restart", asked, is_restart=True))
        needed = Looks(web(), unit=(since, 14.9, "inactive/dead")).truth
        return was_held_back(registers, truth, [needed], InvocationChange("web", "hero-web.service", "a", "b", 14.95, 15.0, 15.0))

    assert held_back(2.0, 1.0)
    assert not held_back(2.0, 99.0), "what it needs was well"
    assert not held_back(2.0, 1.0, restarted_before=True), "it was done long ago"
    assert not held_back(16.0, 1.0), "nobody had asked for it yet"


def test_a_main_pid_is_one_of_the_unit_s_cgroup(_box):
    """Of what runs, and of what has ended: then only while the server heard of it too late for a known cause."""
    assert Looks(web()).judged("running", "", pid=100) == "true"
    assert Looks(web()).judged("running", "", pid=10) == Looks(web()).judged("running", "", pid=101) == "lie"
    among_others = Looks(web(), processes=lambda at: "100 101" if at < 6.0 else "102 103 101")
    for pid, at, kind in ((100, 6.8, "true"), (100, 7.1, "lie"), (101, 7.1, "true"), (103, 7.1, "true"), (102, 5.9, "lie")):
        assert among_others.judged("running", "", pid=pid, at=at) == kind, (pid, at)
    ended = Looks(web(), unit=(6.0, 12.0, "failed/failed"), processes=lambda at: "100" if at < 6.0 else "")
    for pid, at, disturbed, kind in ((100, 6.8, None, "true"), (100, 7.2, None, "lie"), (0, 7.2, None, "true"),
                                     (100, 7.2, (5.9, 7.0, "server: SIGSTOP"), "true")):
        assert ended.judged("failed", "process-died", pid=pid, at=at, disturbed=disturbed) == kind, (pid, at)
    restarted = Looks(web(), restarted=7.0, processes=lambda at: "")
    assert restarted.judged("failed", "process-died", pid=99, at=7.5) == "true", "it came and went between two looks"


def test_a_new_invocation_makes_no_running_true_in_which_nothing_was_ever_alive(_box):
    no_socket = Looks({**web(), "probes": []}, restarted=7.94, socket=(4.0, 12.0, "missing"))
    crashes = Looks({"name": "web", "exec": ["/bin/true"]}, restarted=7.94)
    up = crashes.truth.units["main"].up
    up.runs.clear()
    for i in range(200):
        up.add(i * 0.05, i * 0.05, i < 80, "active/running" if i < 80 else ("activating/auto-restart", "activating/start")[i % 2])
    killed, asked = Injury("killed", 7.97, "main"), Registers()
    asked.begin(Operation(1, "web", "restart", 7.5, is_restart=True, end=7.6, acknowledged=True))
    for looks in (no_socket, crashes):
        assert looks.judged("running", "") == "lie"
        assert looks.judged("running", "", killed) in ("true", "late")
        assert looks.judged("running", "", asked=asked) in ("true", "late")
        assert looks.judged("running", "", disturbed=(7.5, 7.8, "systemd: daemon-reexec")) in ("true", "late")
    for since, until in ((7.5, 12.0), (4.0, 8.1)):
        looks = Looks({**web(), "probes": []}, restarted=7.94, socket=(since, until, "missing"))
        assert looks.judged("running", "") == "late", "it was seen alive before, or is just after"


# -- from what is done to what is found --


class Told:
    """What chaos tells, kept."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def tell(self, event: str, **fields: Any) -> None:
        self.events.append({"event": event, **fields})


def test_what_chaos_tells_says_which_handler_is_broken_from_before_until_after(_box):
    with tempfile.TemporaryDirectory() as folder:
        faults = f"{folder}/web.faults"
        definition = {**web(), "exec": ["/bin/true", "--faults", faults]}
        shape, told = shape_of(definition), Told()
        chaos = ServiceChaos(told, {"web": shape})
        chaos.stopping.set()
        began = time.monotonic()
        chaos.handler(shape, "main", "close", "/api/files", 5)
        assert Path(faults).read_text(encoding="ascii") == ""
    oracle = Oracle(Loop(), [definition], 1.0)
    for event in json.loads(json.dumps(told.events)):
        oracle.event(event)
    probe = oracle.sampler.services["web"].probes["files"]
    injuries = oracle.surroundings.injuries_of("web")
    assert [event["kind"] for event in told.events] == ["handler: close", "cleared"]
    assert began <= told.events[0]["at"] <= told.events[1]["at"] <= time.monotonic()
    assert injuries.failed_probe(probe.shape, probe.answers, told.events[0]["at"], told.events[1]["at"])
    assert not injuries.failed_probe(probe.shape, probe.answers, 0.0, told.events[0]["at"] - 0.001)
    assert not injuries.failed_probe(probe.shape, probe.answers, told.events[1]["at"] + 0.001, float("inf"))


def test_a_full_queue_is_a_fault_of_its_own_and_shown_when_a_row_names_it(_box):
    with tempfile.TemporaryDirectory() as folder:
        for options, kind, shown in (([], "frozen, its queue fills", 0.5), (["--backlog", "2"], "frozen, its queue is full", 1.5)):
            definition = {**web(), "exec": ["/bin/true", "--faults", f"{folder}/web.faults", *options]}
            shape, told = shape_of(definition), Told()
            chaos = ServiceChaos(told, {"web": shape})
            chaos.stopping.set()
            chaos.freeze(shape, "main", 5)
            oracle = Oracle(Loop(), [definition], 1.0)
            at = told.events[0]["at"]
            assert told.events[0]["kind"] == kind
            for later, state, reason in ((-1.0, "running", ""), (0.5, "degraded", "probe-failed"),
                                         (1.5, "failed", "socket-not-accepting"), (3.0, "running", "")):
                oracle._follow_row(Row(at + later, at + later, "StateChanged", "web", state, reason))  # pylint: disable=protected-access
            oracle._measure(Fault(kind, "web", at))  # pylint: disable=protected-access
            assert [round(seconds, 3) for seconds in oracle.latencies[kind]] == [shown]


def test_of_each_fault_it_is_known_why_it_was_not_measured(_box):
    def counted(*events: dict[str, Any], rows: tuple[tuple[float, str], ...] = ((9.0, "running"),), server: float = 0.0) -> Any:
        oracle = Oracle(Loop(), [web()], 1.0)
        for at, state in rows:
            oracle._follow_row(Row(at, at, "StateChanged", "web", state, ""))  # pylint: disable=protected-access
        for event in events:
            oracle.event(event)
        oracle.surroundings.servers.append(server)
        oracle._measure(Fault("killed", "web", 10.0))  # pylint: disable=protected-access
        return oracle.finish()["latency"].get("killed") or oracle.finish()["unmeasured"]["killed"]

    def fault(kind: str, at: float) -> dict[str, Any]:
        return {"event": "fault", "kind": kind, "service": "web", "at": at}

    shown = ((9.0, "running"), (10.5, "failed"))
    assert counted(rows=shown) == counted(fault("crashed", 10.2), rows=shown) == [0.5]
    assert counted() == counted(rows=((9.0, "running"), (23.0, "failed"))) == {"not shown in 12 s": 1}
    assert counted(fault("crashed", 10.2)) == {"another fault came": 1}
    assert counted(fault("cleared", 10.2), rows=shown) == {"taken back before": 1}
    assert counted(rows=((9.0, "failed"), (10.5, "failed"))) == counted(rows=()) == {"not running before": 1}
    assert counted(rows=shown, server=10.2) == {"a new server came": 1}
    assert counted({"event": "disturbance", "what": "bus: restarted", "start": 10.1, "end": 10.2}, rows=shown) == \
        {"server, bus or systemd disturbed": 1}


def test_a_definition_that_was_acknowledged_is_looked_for_in_the_process(_box):
    def text(generation: str) -> str:
        return json.dumps({**web(), "env": {f"GENERATION_{generation}": "1"}})

    def found(process: subprocess.Popen, *later: dict[str, Any], up_for: float = 5.0,
              disturbed: tuple[float, float, str] | None = None) -> tuple[int, dict[str, int]]:
        oracle, now = Oracle(Loop(), [web()], 1.0), time.monotonic()
        oracle.surroundings.disturbed += [disturbed] if disturbed else []
        unit = oracle.sampler.services["web"].units["main"]
        unit.now.pids = (process.pid,)
        for at in (now + i * 0.1 for i in range(-100, 1)):
            unit.up.add(at, at, at >= now - up_for, "")
        for number, done in enumerate(({"verb": "apply", "definition": text("2")}, *later)):
            at = now - 9.0 + number
            outcome = done.pop("outcome", "done")
            oracle.event({"event": "begin", "number": number, "service": "web", "start": at, **done})
            oracle.event({"event": "end", "number": number, "service": "web", "end": at + 0.1, "outcome": outcome, "answer": ""})
        oracle._judge_owed_change(oracle.registers["web"].operations[0])  # pylint: disable=protected-access
        return oracle.n_owed_changes, oracle.findings

    def run(environment: dict[str, str]) -> subprocess.Popen:
        return subprocess.Popen(["/bin/sleep", "60"], stdin=subprocess.DEVNULL, env=environment)

    started = [run({"HERO_SERVICE": "web", **other}) for other in ({"GENERATION_1": "1"}, {"GENERATION_2": "1"}, {})]
    old, new, none, not_known = *started, run({})
    started.append(not_known)
    try:
        assert found(old) == found(none) == (1, {"lost change": 1}) and found(new) == (1, {})
        for later in ({"verb": "apply", "definition": text("1")}, {"verb": "apply", "definition": text("3"), "outcome": "lost"},
                      {"verb": "remove", "definition": REMOVED}):
            assert found(old, later) == (0, {})
        refused = {"verb": "apply", "definition": text("3"), "outcome": "refused"}
        assert found(old, refused) == (1, {"lost change": 1}) and found(not_known) == (0, {})
        assert found(old, {"verb": "stop", "wanted": "down"})[1] == {"lost change": 1}, "what is stopped does not run"
        assert found(old, up_for=0.5) == found(old, disturbed=(time.monotonic() - 8, time.monotonic() - 1, "…")) == (0, {})
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_clients_change_different_services_at_the_same_time_and_one_service_one_after_the_other(_box):
    def meet(*names: str) -> bool:
        shapes = {name: shape_of(web(name=name)) for name in ("web", "other")}
        chaos, both, met = ServiceChaos(Told(), shapes), threading.Barrier(2), []

        def change(_: dict[str, Any]) -> bool:
            try:
                both.wait(2)
                met.append(True)
            except threading.BrokenBarrierError:
                pass
            raise InterruptedError  # nothing is to be applied

        def apply(name: str) -> None:
            try:
                chaos._apply(shapes[name], "apply", change)  # pylint: disable=protected-access
            except InterruptedError:
                pass
        clients = [threading.Thread(target=apply, args=(name,)) for name in names]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        return met == [True, True]

    assert meet("web", "other") and not meet("web", "web")


def test_some_of_what_chaos_breaks_has_a_queue_that_fills(_box):
    shapes = [shape_of(definition) for definition in House(7, 24, "/fixture").definitions]
    narrow = [shape for shape in shapes for action in shape.actions if action.is_narrow]
    assert {bool(shape.probes) for shape in narrow} == {True, False}
    steps = Planner(7, shapes, 600, 2.5, 0, 0).steps()
    assert sum(step.kind == "freeze" and step.service in [shape.name for shape in narrow] for step in steps) > 20


def test_a_service_whose_object_is_not_there_has_to_be_removed(_box):
    class Bus:
        def __init__(self, error: str):
            self.error = error

        def call(self, *words: Any) -> None:
            words[-1](None, self.error)

    def found(error: str, definition: str) -> dict[str, int]:
        oracle, now = Oracle(Loop(), [web()], 1.0), time.monotonic()
        oracle.event({"event": "begin", "number": 1, "service": "web", "verb": "", "start": now - 1, "definition": definition})
        oracle.event({"event": "end", "number": 1, "service": "web", "end": now - 0.5, "outcome": "done", "answer": ""})
        oracle.reader._bus, oracle.reader._paths = Bus(error), {"web": "/"}  # pylint: disable=protected-access
        oracle.reader._ask_properties()  # pylint: disable=protected-access
        for read in oracle.definitions_read:
            oracle._judge_definition(*read)  # pylint: disable=protected-access
        return dict(oracle.findings)

    unknown = "org.freedesktop.DBus.Error.UnknownObject"
    assert found(unknown, json.dumps(web())) == {"lost change": 1}
    assert not found(unknown, REMOVED) and not found("org.freedesktop.DBus.Error.ServiceUnknown", json.dumps(web()))


def test_each_of_the_first_findings_has_its_story_and_no_row_of_them_hides_what_comes_after(_box):
    oracle = Oracle(Loop(), [web(), web(name="other")], 1.0)
    for i in range(300):
        oracle.event({"event": "fault", "kind": "killed", "service": "web", "at": 7.0 + i / 1000, "action": "main"})
        oracle.waiting.append(Row(8.0, 8.0 + i / 1000, "StateChanged", "web", "no-such-state", ""))
    oracle.waiting.append(Row(9.0, 9.0, "StateChanged", "other", "no-such-state", ""))
    oracle._judge_waiting()  # pylint: disable=protected-access
    assert oracle.findings["lie"] == 301
    of_web = [story for story in oracle.shown if "web is no-such-state" in story]
    assert SHOWN_MAX <= len(of_web) < SHOWN_NEWS_MAX and all("fault: killed" in story for story in of_web)
    assert "other is no-such-state" in oracle.shown[-1]
    assert all(len(story.split("\n")) <= SHOWN_LINES_MAX + 2 for story in oracle.shown)
    assert "earlier lines" in of_web[0] and "fault: killed" in of_web[0].split("\n")[-2]
    for i in range(300):
        oracle._find("lie", "…", f"service {i}")  # pylint: disable=protected-access
    assert len(oracle.shown) == SHOWN_NEWS_MAX
