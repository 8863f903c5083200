# SPDX-License-Identifier: LGPL-2.1-or-later
"""The oracle of tests/oracle finds what it is there to find: each kind of lie and harm is made on purpose, and counted. And
where nothing of the kind was done, it finds nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

from box import REPOSITORY, Box

sys.path.insert(0, str(REPOSITORY / "tests" / "oracle"))
# pylint: disable=wrong-import-position
from event_loop import Loop  # noqa: E402
from house_plan import ActionShape, shape_of  # noqa: E402
from injuries import Injuries, Injury  # noqa: E402
from judge import Judge, Row, Surroundings  # noqa: E402
from oracle import was_ill_for_long  # noqa: E402
from registers import Operation, Registers  # noqa: E402
from truth import InvocationChange, ServiceTruth, UnitTruth  # noqa: E402

ORACLE = REPOSITORY / "tests" / "oracle" / "oracle.py"
STATE = "/run/chaos"
STORE = "/var/lib/hero_proc"
SLACK = 1.0
DROP_IN = "/run/systemd/system/hero_proc.service.d/lie.conf"
WATCHED_SECONDS = 6.0  # longer than each bound below and the slack


def definition(box: Box, name: str, **fields: Any) -> dict[str, Any]:
    """In the form that house_plan.shape_of() reads."""
    faults = f"{STATE}/{name}.faults"
    return {"name": name, "on_unhealthy": "report", "ready": "notify", "sockets": ["rpc.sock"], "start_timeout_ms": 5000,
            "stop_timeout_ms": 1000, "restart": {"delay_ms": 100, "max_attempts": 100},
            "exec": [box.fixture("herodemo_server"), "--name", name, "--socket", f"/run/hero/{name}/rpc.sock", "--faults",
                     faults, "--fresh-faults", "--ready", "notify"],
            "probes": [{"name": "files", "socket": "rpc.sock", "path": "/api/files", "interval_ms": 300, "timeout_ms": 400,
                        "failures": 2, "fast_interval_ms": 100}], **fields}


def prepare(box: Box) -> None:
    box.run(["sh", "-c", f"mkdir -p -m 700 {STORE} && mount -t tmpfs -o size=4M,mode=700 small {STORE}"])
    box.run(["mkdir", "-p", STATE])
    box.start_server()
    box.apply(definition(box, "one"), definition(box, "two"))
    for name in ("one", "two"):
        box.wait_state(name, "running", 10)


class Watch:
    """The oracle at work on `definitions`, for `with`; afterwards `findings` holds what it found."""

    def __init__(self, box: Box, *definitions: dict[str, Any]):
        self._box = box
        self._number = 0
        self.findings: dict[str, int] = {}
        self.shown: list[str] = []
        self.restarts: dict[str, int] = {}
        self.rows = 0
        watched = list(definitions) or [definition(box, name) for name in ("one", "two")]
        box.write_file(f"{STATE}/definitions.json", json.dumps(watched))
        self._process = box.spawn(["/usr/bin/python3", ORACLE, f"{STATE}/definitions.json", "--slack", str(SLACK)],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def tell(self, event: str, **fields: Any) -> None:
        self._process.stdin.write(json.dumps({"event": event, **fields}) + "\n")
        self._process.stdin.flush()

    def acknowledged(self, service: str, verb: str, began: float | None = None, **fields: Any) -> None:
        """A change that was made just now, and was answered."""
        self._number += 1
        now = time.monotonic()
        self.tell("begin", number=self._number, service=service, verb=verb, start=began or now - 0.1, **fields)
        self.tell("end", number=self._number, service=service, end=now, outcome="done", answer="")

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        said, _ = self._process.communicate(timeout=60)
        report = json.loads(said)
        self.findings, self.shown, self.rows = report["findings"], report["shown"], report["rows"]
        self.restarts = report["restarts"]


def set_lie(box: Box, lie: str) -> None:
    """The next server tells it; "": the true one."""
    box.run(["rm", "-f", DROP_IN])
    if lie:
        box.write_file(DROP_IN, f"[Service]\nExecStart=\nExecStart={box.fixture('lying_server')}\nEnvironment=LIE={lie}\n")
    box.systemctl("daemon-reload")
    box.restart_server()


def test_of_a_truthful_server_nothing_is_found(box):
    with Watch(box) as watch:
        time.sleep(2)
        box.write_file(f"{STATE}/one.faults", "/api/files close\n")
        box.wait_state("one", "failed", 10)
        watch.tell("fault", kind="killed", service="two", at=time.monotonic(), ends=["hero-two.service"])
        box.run(["kill", "-KILL", str(box.main_pid("hero-two.service"))])
        box.run(["rm", f"{STATE}/one.faults"])
        box.kill_server()
        box.wait_state("one", "running", 10)
        time.sleep(1)
    assert watch.findings == {}, "\n".join(watch.shown)
    assert watch.rows > 100


def test_what_is_defined_anew_is_counted_anew(box):
    """With other words a probe has its whole limit of failures before it; with none, the same rows are lies."""
    def patient(path: str) -> dict[str, Any]:
        found = definition(box, "patient")
        found["probes"][0].update(path=path, failures=20)
        return found

    made = time.monotonic()
    box.apply(patient("/api/files"))
    box.wait_state("patient", "running", 10)
    found: list[dict[str, int]] = []
    for is_told in (True, False):
        with Watch(box, patient("/api/files")) as watch:
            watch.acknowledged("patient", "create", made, definition=json.dumps(patient("/api/files")))
            box.write_file(f"{STATE}/patient.faults", "/api/files close\n/api/other close\n")
            box.wait_state("patient", "degraded", 10)
            time.sleep(1.5)  # of the two seconds that twenty failures take
            for path in ("/api/other", "/api/files", "/api/other"):
                began = time.monotonic()
                box.apply(patient(path))
                if is_told:
                    watch.acknowledged("patient", "apply", began, definition=json.dumps(patient(path)))
                time.sleep(1.5)
                assert box.states()["patient"] == "degraded"
        found.append(watch.findings)
        box.run(["rm", f"{STATE}/patient.faults"])
        box.apply(patient("/api/files"))
        box.wait_state("patient", "running", 10)
    assert found[0] == {} and found[1].get("lie", 0) > 10, f"{found}\n" + "\n".join(watch.shown)
    box.hero("remove", "patient")


def test_a_running_that_is_not_true_is_counted(box):
    set_lie(box, "running")
    with Watch(box) as watch:
        box.write_file(f"{STATE}/one.faults", "/api/files close\n")
        time.sleep(WATCHED_SECONDS)
        assert box.states()["one"] == "running"
        box.run(["rm", f"{STATE}/one.faults"])
    assert watch.findings.get("lie", 0) > 10 and "probe files: empty" in watch.shown[0], \
        "\n".join([str(watch.findings), *watch.shown])
    assert not any("two is" in story.splitlines()[0] for story in watch.shown)


def test_a_failed_that_was_never_true_is_counted(box):
    set_lie(box, "failed")
    with Watch(box) as watch:
        time.sleep(WATCHED_SECONDS)
    assert watch.findings.get("lie", 0) > 10, watch.findings


def test_what_a_server_that_stood_still_could_not_count_is_no_lie(_box):
    def judged(disturbed: list[tuple[float, float, str]]) -> str:
        definition_of = {"name": "hung", "exec": ["/bin/true"], "sockets": ["rpc.sock"], "probes": [
            {"name": "files", "socket": "rpc.sock", "path": "/", "interval_ms": 300, "timeout_ms": 400, "failures": 2}]}
        truth = ServiceTruth(Loop(), shape_of(definition_of))
        for at in (i * 0.05 for i in range(200)):
            truth.units["main"].up.add(at, at + 0.01, True, "active/running")
            next(iter(truth.sockets.values())).alive.add(at, at + 0.01, True, "alive")
            truth.probes["files"].answers.add(at, at, False, "no answer in 0.4 s", 0.4)
        row = Row(8.0, 8.01, "StateChanged", "hung", "degraded", "probe-failed")
        return Judge(truth, Registers(), Surroundings(disturbed=disturbed), {}).judge(row).kind

    assert judged([]) == judged([(7.9, 20.0, "server: SIGSTOP")]) == judged([(3.0, 7.0, "bus: restarted")]) == "lie"
    assert judged([(2.0, 9.0, "server: SIGSTOP")]) in ("late", "apart")


def test_a_service_that_stood_still_may_have_failed_a_probe_that_the_oracle_did_not_make(_box):
    def judged(stopped: dict[str, tuple[float, float]]) -> str:
        truth = ServiceTruth(Loop(), shape_of({"name": "still", "exec": ["/bin/true"], "sockets": ["rpc.sock"], "probes": [
            {"name": "files", "socket": "rpc.sock", "path": "/", "interval_ms": 300, "timeout_ms": 400, "failures": 2}]}))
        for at in (i * 0.05 for i in range(200)):
            truth.units["main"].up.add(at, at + 0.01, True, "active/running")
            next(iter(truth.sockets.values())).alive.add(at, at + 0.01, True, "alive")
            truth.probes["files"].answers.add(at, at, True, "passes")
        row = Row(9.0, 9.01, "StateChanged", "still", "failed", "probe-failed", subject="files")
        injuries = {name: Injuries(Injury("stopped by SIGSTOP for a moment", since, "main", means="signal", end=until))
                    for name, (since, until) in stopped.items()}
        return Judge(truth, Registers(), Surroundings(injuries=injuries), {}).judge(row).kind

    assert judged({}) == judged({"still": (0.5, 1.5)}) == judged({"another": (8.0, 9.5)}) == "lie"
    assert judged({"still": (8.0, 8.9)}) == "true"


def test_a_stopped_that_is_true_between_two_samples_is_no_lie(_box):
    """It ended well, and was started anew before the oracle looked again; a "stopped" without a new invocation is one."""
    def judged(invocations: list[str]) -> str:
        unit = UnitTruth(ActionShape("main", "hero-quick.service", "hero.slice/hero-quick.service"))
        for i, invocation in enumerate(invocations):
            at = i * 0.05
            unit.up.add(at, at + 0.01, True, "active/running")
            unit.invocations.add(at, at + 0.01, True, invocation)
        truth = ServiceTruth(None, shape_of({"name": "quick", "exec": ["/bin/true"]}))
        truth.units = {"main": unit}
        row = Row(3.0, 3.01, "StateChanged", "quick", "stopped", "exited")
        return Judge(truth, Registers(), Surroundings(), {}).judge(row).kind

    assert judged(["a"] * 60 + ["b"] * 40) in ("true", "late")
    assert judged(["a"] * 20 + ["b"] * 80) == judged(["a"] * 100) == "lie"


def test_a_running_that_is_true_between_two_samples_is_no_lie(_box):
    """It was started, and made anew before the oracle looked at its socket; where its process is up, the socket has to be."""
    def judged(is_up: bool, started_at: float, seen_until: float = 5.0, lingers: float = 0.0, came: float = 0.0) -> str:
        truth = ServiceTruth(None, shape_of({"name": "quick", "exec": ["/bin/true"], "sockets": ["rpc.sock"]}))
        unit, socket = truth.units["main"], next(iter(truth.sockets.values()))
        for at in (i * 0.05 for i in range(100)):
            if at < seen_until:
                unit.up.add(at, at + 0.01, is_up, "active/running" if is_up else "inactive/dead")
            else:  # found up, and its process gone by then
                unit.up.add(at, at + 0.01, False, "active/running")
            socket.alive.add(at, at + 0.01, False, "missing")
        registers = Registers()
        registers.begin(Operation(1, "quick", "start", started_at, wanted="up", end=started_at + 0.1, acknowledged=True,
                                  lingers=lingers))
        row = Row(3.98, 3.981, "StateChanged", "quick", "running", "")
        return Judge(truth, registers, Surroundings(servers=deque([0.5, came, 4.5])), {}).judge(row).kind

    assert judged(False, 3.95) in ("true", "late")
    assert judged(False, 3.95, seen_until=4.0) in ("true", "late")
    assert judged(True, 3.95) == judged(False, 2.0) == "lie"
    # its server was killed, and the next one went on with it
    assert judged(False, 2.0, lingers=6.0, came=3.8) in ("true", "late")
    assert judged(False, 2.0, came=3.8) == judged(False, 2.0, lingers=6.0) == judged(False, 2.0, lingers=6.0, came=3.0) == "lie"
    assert judged(True, 2.0, lingers=6.0, came=3.8) == "lie"


def test_a_handler_that_was_broken_just_before_a_restart_may_be_what_it_was_for(_box):
    """The oracle asked it once between the fault and the restart, and that after it had looked at its unit for the last time."""
    def healed(*injuries: Injury, failures: int = 1) -> bool:
        truth = ServiceTruth(Loop(), shape_of({"name": "short", "exec": ["/bin/true"], "start_timeout_ms": 2000, "probes": [
            {"name": "health", "socket": "rpc.sock", "path": "/", "interval_ms": 300, "timeout_ms": 400, "failures": failures,
             "fast_interval_ms": 1000}], "sockets": ["rpc.sock"]}))
        unit, answers, alive = truth.units["main"], truth.probes["health"].answers, next(iter(truth.sockets.values())).alive
        for at in (i * 0.05 for i in range(163)):
            unit.invocations.add(at, at, True, "a")
            alive.add(at, at, True, "alive")
            answers.add(at, at, at < 8.1, "passes" if at < 8.1 else "empty")
        change = InvocationChange("short", unit.shape.unit, "a", "b", 8.09, 8.2, 8.2)
        return was_ill_for_long(truth, unit, change, Injuries(*injuries))

    def broken(at: float) -> Injury:
        return Injury("handler: close", at, "main", "/", "switch")

    assert healed(broken(8.05))
    assert not healed(broken(8.05), failures=3)
    assert not healed() and not healed(Injury("cleared", 8.05, "main", means="switch")) and not healed(broken(4.0))


def test_a_lie_that_only_the_object_of_a_service_tells_is_counted(box):
    for lie, claim in (("State", "stopped, and hero-"), ("Actions", "invocation " + "0" * 32),
                       ("Sockets", "is said to be missing, and was alive")):
        set_lie(box, lie)
        for name in ("one", "two"):
            box.wait_state(name, "running", 10)
        with Watch(box) as watch:
            time.sleep(SLACK + 3)
        assert watch.findings.get("lie", 0) > 2 and set(watch.findings) == {"lie"}, f"{lie}: {watch.findings}"
        assert all(story.startswith("LIE: Properties said") and claim in story.split("\n")[0] for story in watch.shown), \
            "\n".join([lie, *watch.shown])


def test_to_say_nothing_for_ever_is_counted(box):
    set_lie(box, "unknown")
    with Watch(box) as watch:
        time.sleep(WATCHED_SECONDS + 5)
    assert watch.findings.get("stuck", 0) > 10 and "lie" not in watch.findings, watch.findings
    set_lie(box, "")


def test_an_acknowledged_restart_that_never_came_is_counted(box):
    with Watch(box) as watch:
        time.sleep(1)
        watch.acknowledged("one", "restart", is_restart=True)
        began = time.monotonic()
        box.hero("restart", "two")
        watch.acknowledged("two", "restart", began, is_restart=True)
        time.sleep(WATCHED_SECONDS + 1)
    assert watch.findings == {"lost change": 1} and "never came".upper() in watch.shown[0], \
        "\n".join([str(watch.findings), *watch.shown])


def test_an_acknowledged_definition_that_never_came_to_the_process_is_counted(box):
    """It is shown and stands in the store, and what was there before goes on."""
    def anew(name: str) -> dict[str, Any]:
        return definition(box, name, env={"GENERATION_9": "1"})

    with Watch(box) as watch:
        for name in ("one", "two"):
            watch.acknowledged(name, "create", definition=json.dumps(definition(box, name)), wanted="up")
        time.sleep(1)
        began = time.monotonic()
        box.apply(anew("two"))
        watch.acknowledged("two", "apply", began, definition=json.dumps(anew("two")), is_restart=True)
        box.stop_server()
        began = time.monotonic()
        box.agent.call(_define_one_anew)
        watch.acknowledged("one", "apply", began, definition=json.dumps(anew("one")), is_restart=True)
        box.start_server()
        time.sleep(WATCHED_SECONDS + 2)
    assert watch.findings == {"lost change": 1} and "CHANGE THAT NEVER CAME" in watch.shown[0] and \
        "hero-one.service runs with no generation, and was to have GENERATION_9" in watch.shown[0], \
        "\n".join([str(watch.findings), *watch.shown])
    box.apply(definition(box, "one"), definition(box, "two"))
    for name in ("one", "two"):
        box.wait_state(name, "running", 10)


def _define_one_anew() -> None:
    """For the agent."""
    # pylint: disable=undefined-variable, import-outside-toplevel
    import json
    import sqlite3
    store = sqlite3.connect("/var/lib/hero_proc/hero_proc.db")
    text, = store.execute("SELECT definition FROM service WHERE name = 'one'").fetchone()
    read = json.loads(text)
    (read.get("actions") or {"main": read})["main"]["env"] = {"GENERATION_9": "1"}
    assert store.execute("UPDATE service SET definition = ?, definition_checksum = NULL WHERE name = 'one'", (json.dumps(read),)).rowcount == 1
    store.commit()
    store.close()


def test_harm_is_counted(box):
    """One orphan, one restart that nobody asked for, and one acknowledged stop that the store forgot."""
    for name in ("one", "two"):
        box.hero("restart", name)
        box.wait_state(name, "running", 10)
    with Watch(box) as watch:
        time.sleep(2)
        watch.acknowledged("one", "create", wanted="up")
        watch.acknowledged("two", "create", wanted="up")
        box.write_file(f"{STATE}/one.faults", "fork-children 1\n")
        box.wait_for(lambda: len(box.cgroup_pids("hero-one.service")) == 2, 10, "it has a child")
        child = max(set(box.cgroup_pids("hero-one.service")) - {box.main_pid("hero-one.service")})
        box.run(["sh", "-c", f"mkdir /sys/fs/cgroup/stray && echo {child} >/sys/fs/cgroup/stray/cgroup.procs"])
        time.sleep(4)
        box.systemctl("restart", "hero-one.service")
        box.hero("stop", "two")
        watch.acknowledged("two", "stop", wanted="down", is_restart=True)
        box.stop_server()
        box.agent.call(_forget_the_stop)
        box.start_server()
        time.sleep(4)
    box.run(["sh", "-c", f"kill -KILL {child}; sleep 0.1; rmdir /sys/fs/cgroup/stray"], check=False)
    assert watch.findings.get("orphan") == 1, watch.findings
    assert watch.findings.get("unexpected restart") == 1, watch.findings
    assert watch.findings.get("lost change", 0) > 0, watch.findings
    shown = "\n".join(watch.shown)
    assert str(child) in shown and "hero-one.service" in shown, shown


def _forget_the_stop() -> None:
    """For the agent."""
    # pylint: disable=undefined-variable, import-outside-toplevel
    import sqlite3
    store = sqlite3.connect("/var/lib/hero_proc/hero_proc.db")
    assert store.execute("UPDATE service SET wanted_up = 1, wanted_checksum = NULL WHERE name = 'two'").rowcount == 1
    store.commit()
    store.close()


def test_tries_that_find_the_socket_taken_are_no_unexpected_restarts(box):
    """It is healed, and somebody takes its path before it is up again. Of the tries that systemd makes then, the oracle sees
    some come and none of them up."""
    steady = {"delay_ms": 100, "max_delay_ms": 100, "max_attempts": 100}  # a systemd that lets it grow tries too seldom
    heals = definition(box, "heals", on_unhealthy="restart", start_timeout_ms=1000, stop_timeout_ms=3000, restart=steady)
    unit, path = "hero-heals.service", "/run/hero/heals/rpc.sock"
    box.apply(heals)
    box.wait_state("heals", "running", 10)
    box.write_file(f"{STATE}/heals.faults", "fork-children 1\n")
    box.wait_for(lambda: len(box.cgroup_pids(unit)) == 2, 10, "it has a child, for which its stop takes long")
    with Watch(box, heals) as watch:
        time.sleep(2)
        box.run(["rm", path])
        box.wait_for(lambda: box.unit_property(unit, "ActiveState") == "deactivating", 10, "it is being healed")
        time.sleep(1)  # what is so now is far from what ended it
        box.run(["systemd-run", "-q", "--unit=stranger", box.fixture("herodemo_server"), "--name", "stranger",
                 "--socket", path])
        box.wait_for(lambda: int(box.unit_property(unit, "NRestarts")) > 50, 30, "it is tried again and again")
        box.systemctl("stop", "stranger.service")
        box.wait_state("heals", "running", 10)
    box.hero("remove", "heals")
    assert watch.findings == {}, "\n".join([str(watch.findings), *watch.shown])
    assert watch.restarts.get("healed") == 1 and watch.restarts.get("it found its socket taken, and ended", 0) > 0, \
        watch.restarts


def remount(box: Box, how: str) -> None:
    """Between two servers: one that has the file open for writing keeps it so."""
    box.stop_server()
    box.run(["mount", "-o", f"remount,{how}", STORE])
    box.start_server()


def test_a_stop_by_systemctl_may_be_forgotten_only_with_a_server_that_could_not_write_it(box):
    """The slice of a oneshot that is done is stopped; its units are made anew, and nobody can know that they need not run."""
    once = {"name": "once", "kind": "oneshot", "exec": ["/bin/true"]}
    made = time.monotonic()
    box.apply(once)
    box.wait_state("once", "stopped", 10)
    remount(box, "ro")
    with Watch(box, once) as watch:
        watch.acknowledged("once", "create", made, wanted="up")
        time.sleep(3)  # until nothing else may have to do with the stop
        began = time.monotonic()
        box.systemctl("stop", "hero-once.slice")
        watch.acknowledged("once", "systemctl stop", began, wanted="down", settles=2.0)
        box.wait_for(lambda: box.unit_property("hero-once.service", "LoadState") == "loaded", 10, "its unit is there again")
        assert box.agent.call("hero_services")["once"]["wanted"] == "down"
        watch.tell("weaken", since=began)
        box.kill_server()
        remount(box, "rw")
        box.wait_state("once", "failed", 10)
        time.sleep(WATCHED_SECONDS)
    assert watch.findings == {}, "\n".join([str(watch.findings), *watch.shown])
    with Watch(box, once) as watch:
        watch.acknowledged("once", "systemctl stop", wanted="down", settles=2.0)
        time.sleep(WATCHED_SECONDS)
    assert watch.findings.get("lie", 0) > 10, "no server died of which that is known"
    box.hero("remove", "once")
