#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs in a box whose hero_proc_server is the faulty one: calls it again and again, and each time its n-th allocation (or
system call) since the call fails, n = 1, 2, … until nothing was left that could have failed.

Each call has to be answered: with success, and then what it says must be so, or with an error. The server must not have
ended, must answer the next call, show the services as they are, tell whoever only listens the same, go on asking its
probes, and have every definition that it said it took. A report in JSON goes to standard output.
"""

from __future__ import annotations

import argparse
import errno
import itertools
import json
import mmap
import os
import pwd
import re
import select
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterator

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from agent import RawBus, call_bus, processes_in_cgroup  # noqa: E402  pylint: disable=wrong-import-position

ALLOCATION, ERROR, INTERRUPTED, SHORT = 1, 2, 3, 4  # FaultKind of fault_injection.h
KINDS = {ALLOCATION: "no memory", ERROR: "error", INTERRUPTED: "EINTR", SHORT: "short"}
PLAN_BYTES = 48
WITHIN_SECONDS = 15.0
PATIENCE_SECONDS = 25.0
PUT_OFF_SECONDS = 0.5
QUIET_WITHIN_SECONDS = 0.1
KEPT_TIMES = 6  # that something grows each time
LAST_WORDS_LINES = 12
TOLD_SECONDS = 3.0  # within which who listens knows what was not told at once
SHORT_PATIENCE_SECONDS = 3.0  # where no answer need come
SERVER_UNIT = "hero_proc.service"
SERVER = f"/system.slice/{SERVER_UNIT}"
SOCKET, SOCKET_GONE = "/run/hero/web/rpc.sock", "/run/hero/web/gone.sock"
ALERT_UNIT, ALERTS = "tell-extra.service", Path("/run/faults/told")
DATABASE = "/var/lib/hero_proc/hero_proc.db"
MANAGER = ("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager")


class Plan:
    """FaultPlan of fault_injection.h."""

    def __init__(self, path: str):
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), PLAN_BYTES)

    def _write(self, at: int, *values: int) -> None:
        self._map[at * 8:(at + len(values)) * 8] = struct.pack(f"<{len(values)}Q", *values)

    def begin(self, kind: int, n: int, span: int) -> None:
        self._write(1, n, span, 0, 0)
        self._write(0, kind)

    def end(self) -> tuple[int, int]:
        """(how many could have failed, how many did)"""
        self._write(0, 0)
        return struct.unpack("<2Q", self._map[24:40])

    def blocks(self) -> int:
        """Allocated and not freed."""
        return struct.unpack("<q", self._map[40:48])[0]


NO_ANSWER = "no answer: "
# What a service may be left failed by, if it says so: a device, a folder. What the server itself ran short of passes.
TOLD_CAUSES = [os.strerror(code) for code in (errno.EIO, errno.ENOSPC)]


@dataclass
class Answer:
    error: str  # "": none
    text: str = ""

    @property
    def is_done(self) -> bool:
        return self.error == ""

    @property
    def is_missing(self) -> bool:
        return self.error.startswith(NO_ANSWER)


class Bus:
    """One connection, for as long as it holds."""

    def __init__(self) -> None:
        self._raw: RawBus | None = None
        self._patience_seconds = PATIENCE_SECONDS

    def be_patient(self, seconds: float) -> None:
        if seconds != self._patience_seconds:
            self._raw, self._patience_seconds = None, seconds

    def call(self, member: str, signature: str = "", *values: Any, has_text: bool = False) -> Answer:
        try:
            self._raw = self._raw or RawBus(patience_seconds=self._patience_seconds)
            error, _ = self._raw.call(*MANAGER, member, signature, *values)
            return Answer(error, self._raw.last_text() if has_text and not error else "")
        except (OSError, RuntimeError) as gone:
            self._raw = None
            return Answer(f"{NO_ANSWER}{gone}")

    def call_at_once(self, *calls: tuple) -> Answer:
        """One behind the other, before any is answered: the answer to the last, which may come before another's."""
        try:
            self._raw = self._raw or RawBus(patience_seconds=self._patience_seconds)
            for call in calls:
                self._raw.send(*MANAGER, *call)
            return Answer(max(self._raw.receive_from() for _ in calls)[1])
        except (OSError, RuntimeError) as gone:
            self._raw = None
            return Answer(f"{NO_ANSWER}{gone}")


class Listener(RawBus):
    """Who only listens, and asks for nothing: which services there are, and how each is, as far as it was told."""

    STATE = re.compile(rb"State\0\x01s\0\0*....([a-z]+)\0", re.DOTALL)
    SERVICE = re.compile(rb"/org/hero/Proc1/service/(\w+)")

    def __init__(self) -> None:
        super().__init__()
        for rule in ("path_namespace='/org/hero/Proc1'", "member='NameOwnerChanged',arg0='org.hero.Proc1'"):
            self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s",
                      f"type='signal',{rule}")
        self.by_signal: dict[str, str] = {}
        self.n_changes: Counter[str] = Counter()
        self.by_property: dict[str, str] = {}
        self.gone: set[str] = set()

    def hear(self) -> None:
        while select.select([self._socket], [], [], 0)[0]:
            kind, fields, body = self._read_message()
            if kind != 4:
                continue
            if b"NameOwnerChanged" in fields:  # another connection, and who listens reads all anew
                self.by_signal.clear()
                self.by_property.clear()
                self.gone.clear()
            elif b"StateChanged" in fields:
                name, _, new, _ = self._strings(body, 4)
                self.by_signal[name] = new
                self.n_changes[name] += 1
            elif b"PropertiesChanged" in fields and (state := self.STATE.search(body)):
                self.by_property[self._service(fields)] = state.group(1).decode()
            elif b"Interfaces" in fields:
                name = self._service(body)
                (self.gone.add if b"InterfacesRemoved" in fields else self.gone.discard)(name)

    def _service(self, message: bytes) -> str:
        found = self.SERVICE.search(message)
        return found.group(1).decode() if found else ""

    @staticmethod
    def _strings(body: bytes, n: int) -> Iterator[str]:
        at = 0
        for _ in range(n):
            at += -at % 4
            size = struct.unpack_from("<I", body, at)[0]
            yield body[at + 4:at + 4 + size].decode()
            at += 4 + size + 1

    def is_misled(self, states: dict[str, str]) -> str:
        """By what it was told, though that is not so."""
        self.hear()
        for name, state in states.items():
            for by, told in (("StateChanged", self.by_signal), ("PropertiesChanged", self.by_property)):
                if told.get(name, state) != state:
                    return f"by {by} that {name} is {told[name]}, and it is {state}"
            if name in self.gone:
                return f"that {name} is gone, and it is there"
        lost = [name for name in self.by_property if name not in states and name not in self.gone]
        return f"that there is {', '.join(lost)}, and it is gone" if lost else ""


@dataclass
class Scenario:
    name: str
    call: Callable[[], Answer]
    prepare: Callable[[], None] = lambda: None
    check: Callable[[Answer], str] = lambda answer: ""  # what is wrong, afterwards
    is_over: Callable[[], bool] = lambda: True  # of what goes on after the answer; the server is not asked for it
    comes_up: bool = False  # the call is a start of the server


@dataclass
class Result:
    scenario: str
    way: str
    n: int = 0
    injected: int = 0
    errors: int = 0  # calls answered with one
    told: list[str] = field(default_factory=list)  # services that failed with their reason, and a start made good
    findings: list[str] = field(default_factory=list)


class Injector:
    def __init__(self, plan: Plan, definitions: list[dict], first: int = 1, last: int = 0, stride: int = 1):
        self.plan = plan
        self.first, self.last = first, last
        self.stride = stride
        self.bus = Bus()
        self.listener = Listener()
        self.before: list[int] = []  # processes of extra before the call
        self.server_seen: list[int] = []  # its process, once it was up
        self.lives_before: dict[str, list[int]] = {}
        self.kept_last = 0, 0
        self.left_least = 2**62  # blocks, of a server that has ended
        self.socket_told: list[str] = []
        self.definitions = {d["name"]: json.dumps(d) for d in definitions}
        self.extra = json.dumps({"name": "extra", "exec": ["/bin/sleep", "infinity"], "env": {"A": "b;c"}})
        self.other = json.dumps({"name": "extra", "exec": ["/bin/sleep", "infinity"], "env": {"A": "d"}})
        # with a file of its arguments, and a folder that becomes its user's
        self.owned = json.dumps({"name": "extra", "exec": ["/bin/sh", "-c", "exec sleep infinity"], "user": "nobody"})
        restart = {"policy": "always", "delay_ms": 10, "max_delay_ms": 10, "max_attempts": 1000, "window_ms": 1000}
        self.mortal = json.dumps({**json.loads(self.extra), "restart": restart})
        self.hopeless = json.dumps({**json.loads(self.extra), "autostart": False, "on_failure_unit": ALERT_UNIT,
                                    "restart": {"delay_ms": 10, "max_delay_ms": 10, "max_attempts": 1}})
        self.limited = json.dumps({**json.loads(self.extra), "limits": {"memory_max": "64M"}})
        self.loose = json.dumps({**json.loads(self.extra), "limits": {"memory_max": "128M"}})

    # what is so

    @staticmethod
    def server() -> list[int]:
        return processes_in_cgroup(SERVER)

    def states(self) -> dict[str, str]:
        try:
            rows = call_bus(*MANAGER, "ListServices", timeout=5)[0]
        except RuntimeError as gone:
            return {"": str(gone)}
        return {row[0]: row[1] for row in rows}

    def wait(self, is_so: Callable[[], Any], seconds: float = WITHIN_SECONDS) -> bool:
        deadline = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def status(self, name: str) -> dict[str, Any]:
        answer = self.bus.call("GetStatus", "ast", [name], 0, has_text=True)
        return json.loads(answer.text)[0] if answer.is_done else {}

    def is_probed(self) -> bool:
        """A probe that began after now was answered."""
        now = time.time() * 1e6
        return self.wait(lambda: all(probe["checked_usec"] > now for probe in self.status("web").get("probes", [{"checked_usec": 0}])))

    def units_of(self, name: str) -> list[int]:
        return processes_in_cgroup(f"/hero.slice/hero-{name}.slice/hero-{name}.service")

    def start_what_tells_why(self) -> str:
        """A service that is failed, and says that it was the device, is made good by a start. What it said, or ""."""
        if self.states().get("extra") != "failed":
            return ""
        text = " ".join(reason["text"] for reason in self.status("extra").get("reasons", []))
        is_told = any(cause in text for cause in TOLD_CAUSES)
        return text if is_told and self.bus.call("StartService", "st", "extra", 0).is_done else ""

    # one try

    def settle(self) -> str:
        """All is as it should be, with no fault any more. What is wrong."""
        if not self.wait(lambda: (s := self.states()).get("web") == "running" and s.get("idle") == "running"
                         and s.get("extra") in (None, "running", "stopped")):
            return f"afterwards it shows {self.states()}"
        if not self.wait(lambda: not self.listener.is_misled(self.states()), TOLD_SECONDS):
            return f"who listens was told {self.listener.is_misled(self.states())}"
        if not self.is_probed():
            return f"its probes are not asked any more: {self.status('web').get('probes')}"
        for name, text in self.definitions.items():
            answer = self.bus.call("GetDefinition", "s", name, has_text=True)
            if answer.text != text:
                return f"the definition of {name} is lost: {answer}"
        return ""

    def make(self, scenario: Scenario) -> tuple[Answer, float]:
        """The call, and what was put off by it. What it was answered, and after how many seconds."""
        self.before = self.units_of("extra")
        began = time.monotonic()
        answer = scenario.call()
        took = time.monotonic() - began
        self.bus.call("ListServices")
        if answer.is_done:
            self.wait(scenario.is_over, PUT_OFF_SECONDS)
        return answer, took

    def kept(self, most: tuple[int, int] = (0, 0)) -> tuple[int, int]:
        """Blocks of memory and descriptors. What is under way has some: more than `most` must last for a moment."""
        deadline, least = time.monotonic() + QUIET_WITHIN_SECONDS, (2**62, 2**62)
        while any(one > other for one, other in zip(least, most)) and time.monotonic() < deadline:
            try:
                now = self.plan.blocks(), len(os.listdir(f"/proc/{self.server()[0]}/fd"))
            except (IndexError, OSError):
                return 0, 0  # it has ended, which is told elsewhere
            least = min(least[0], now[0]), min(least[1], now[1])
        return least

    def make_ready(self, scenario: Scenario) -> None:
        """As each try of it finds the server, and what that keeps there."""
        self.bus.be_patient(PATIENCE_SECONDS)
        scenario.prepare()
        before = self.kept_last
        if scenario.comes_up:
            self.kept_last = self.plan.blocks(), 0
            self.left_least = min(self.left_least, self.kept_last[0])
            return
        self.kept_last = self.kept(self.kept_last)
        if any(now > then for now, then in zip(self.kept_last, before)):
            self.wait(lambda: json.loads(self.bus.call("Dump", has_text=True).text or "{}").get("store_owed") == 0)
            self.kept_last = self.kept(before)

    def leaks(self, scenario: Scenario, kind: int, n: int, span: int, before: tuple[int, int]) -> str:
        """What it keeps more of each time that the same thing fails; of one that came up and has ended, more than others."""
        if scenario.comes_up:
            return f"{self.kept_last[0] - self.left_least} blocks until it ended" if self.kept_last[0] > self.left_least else ""
        grown = [True, True]
        for _ in range(KEPT_TIMES):
            grown = [is_so and later > earlier for is_so, earlier, later in zip(grown, before, self.kept_last)]
            if not any(grown):
                return ""
            before = self.kept_last
            self.plan.begin(kind, n, span)
            self.make(scenario)
            self.plan.end()
            self.settle()
            self.make_ready(scenario)
        return " and ".join(what for what, is_so in zip(["memory", "descriptors"], grown) if is_so)

    def try_once(self, scenario: Scenario, kind: int, n: int, span: int, result: Result) -> bool:
        """False: nothing was left to fail. Of several failures in a row one may be of the error that tells of another:
        that no answer comes is nothing wrong then, if all is as it should be."""
        kept = self.kept_last
        self.bus.be_patient(PATIENCE_SECONDS if span == 1 else SHORT_PATIENCE_SECONDS)
        before, began = [] if scenario.comes_up else self.server(), time.time()
        self.plan.begin(kind, n, span)
        answer, took = self.make(scenario)
        _, failed = self.plan.end()
        self.bus.be_patient(PATIENCE_SECONDS)
        result.n, result.injected = n, result.injected + (failed > 0)
        result.errors += not answer.is_done

        def wrong(what: str) -> None:
            result.findings.append(f"{result.scenario}, {result.way} at {n}: {what} (answered: {answer.error or 'done'})")
            print(f"    {result.findings[-1]}", file=sys.stderr, flush=True)
            print(log_since(began), file=sys.stderr, flush=True)
        if took > WITHIN_SECONDS:
            wrong(f"answered after {took:.0f} s only")
        if not self.wait(lambda: len(self.server()) == 1, 5) or self.server() != (before or self.server_seen):
            wrong(f"the server has ended: {how_it_ended(SERVER_UNIT)}")
            self.wait(lambda: "" not in self.states())
        self.wait(lambda: self.states().get("extra") in (None, "running", "stopped", "failed"))
        if kind == ERROR and (told := self.start_what_tells_why()):
            result.told.append(f"{n}: {told}")
        what = self.settle() or scenario.check(answer)
        if what:
            wrong(what)
        if not answer.is_done and failed == 0 and not what:
            wrong("an error, and nothing was made to fail")
        self.make_ready(scenario)
        if failed and (what := self.leaks(scenario, kind, n, span, kept)):
            wrong(f"it keeps {what}")
        return failed > 0

    def numbers(self, scenario: Scenario, kind: int, tries: int):
        """Each n, or each so many; or so many, spread over those that there are."""
        if tries == 0:
            yield from range(self.first, self.last + 1, self.stride) if self.last else itertools.count(self.first, self.stride)
            return
        scenario.prepare()
        self.plan.begin(kind, 2**62, 1)
        self.make(scenario)
        seen, _ = self.plan.end()
        self.settle()
        step = max(seen // tries, 1)
        yield from range(1 + step // 4, max(seen, 2), step)

    def run(self, scenario: Scenario, kind: int, span: int, tries: int) -> Result:
        way = KINDS[kind] if span == 1 else f"{KINDS[kind]}, {span} in a row"
        result = Result(scenario.name, way)
        numbers = list(self.numbers(scenario, kind, tries)) if tries else self.numbers(scenario, kind, tries)
        self.make_ready(scenario)
        for n in numbers:
            if not self.try_once(scenario, kind, n, span, result) and tries == 0:
                break
            if len(result.findings) >= 10:
                break
        return result

    # the scenarios

    def make_extra(self) -> None:
        self.bus.call("ApplyDefinitions", "ast", [self.extra], 0)
        self.bus.call("StartService", "st", "extra", 0)
        self.wait(lambda: self.states().get("extra") == "running")

    def remove_extra(self) -> None:
        if "extra" in self.states():
            self.wait(lambda: self.bus.call("RemoveService", "st", "extra", 0).is_done or "extra" not in self.states())

    def check_extra(self, wanted: str) -> Callable[[Answer], str]:
        """wanted: the definition that it has if the call was done; "": gone."""
        def check(answer: Answer) -> str:
            if not answer.is_done:
                return ""
            text = self.bus.call("GetDefinition", "s", "extra", has_text=True).text
            if text != wanted:
                return f"its definition is {text or 'gone'}"
            if not self.wait(lambda: bool(self.units_of("extra")) == bool(wanted)):
                return f"its processes are {self.units_of('extra')}"
            return ""
        return check

    def check_processes(self, has_any: bool) -> Callable[[Answer], str]:
        return lambda answer: "" if not answer.is_done or self.wait(
            lambda: bool(self.units_of("extra")) == has_any) else f"its processes are {self.units_of('extra')}"

    def is_made_anew(self) -> bool:
        now = self.units_of("extra")
        return bool(now) and now != self.before

    def is_limited(self) -> bool:
        return self.limit() == str(64 << 20)

    @staticmethod
    def limit() -> str:
        words = ["systemctl", "show", "-P", "MemoryMax", "hero-extra.service"]
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()

    def check_owned(self, answer: Answer) -> str:
        owner = pwd.getpwnam("nobody").pw_uid

        def is_owned() -> bool:
            return owner_of("/run/hero/extra") == owner and owner in map(owner_of, self.units_of("extra"))
        if answer.is_done and not self.wait(is_owned):
            return f"its folder is of {owner_of('/run/hero/extra')}, its processes of {[*map(owner_of, self.units_of('extra'))]}"
        return self.check_extra(self.owned)(answer)

    def check_limited(self, answer: Answer) -> str:
        if answer.is_done and not self.wait(self.is_limited):
            return f"its limit is {self.limit()}"
        return self.check_extra(self.limited)(answer)

    # what befalls a service, and nobody asks for: the server is not asked meanwhile either

    def make_mortal(self) -> None:
        self.bus.call("ApplyDefinitions", "ast", [self.mortal], 0)
        self.bus.call("StartService", "st", "extra", 0)
        self.wait(lambda: self.states().get("extra") == "running")

    def wait_for_word(self, is_told: Callable[[], bool], seconds: float) -> bool:
        return self.wait(lambda: (self.listener.hear(), is_told())[1], seconds)

    def die(self) -> Answer:
        self.listener.hear()
        told = self.listener.n_changes["extra"]
        for pid in self.before:
            os.kill(pid, signal.SIGKILL)
        self.wait(self.is_made_anew)
        self.wait_for_word(lambda: self.listener.n_changes["extra"] >= told + 2, PUT_OFF_SECONDS)  # down, and up
        return Answer("")

    def lose_socket(self) -> Answer:
        self.socket_told = []
        for old, new, state in ((SOCKET, SOCKET_GONE, "failed"), (SOCKET_GONE, SOCKET, "running")):
            os.rename(old, new)
            if self.wait_for_word(lambda: (self.listener.by_signal.get("web") or self.states().get("web")) == state, WITHIN_SECONDS):  # noqa: B023
                self.socket_told.append(state)
        return Answer("")

    def check_socket_told(self, _: Answer) -> str:
        return "" if self.socket_told == ["failed", "running"] else f"of its socket was told: {self.socket_told}"

    # who is to be told of a failure

    def make_hopeless(self) -> None:
        """With one death left until systemd gives up."""
        self.bus.call("ApplyDefinitions", "ast", [self.hopeless], 0)
        self.bus.call("StopService", "st", "extra", 0)
        self.bus.call("StartService", "st", "extra", 0)
        self.wait(lambda: self.states().get("extra") == "running")
        self.before = self.units_of("extra")
        for pid in self.before:
            os.kill(pid, signal.SIGKILL)
        self.wait(lambda: self.is_made_anew() and self.states().get("extra") == "running")

    @staticmethod
    def n_told() -> int:
        return len(ALERTS.read_text().splitlines()) if ALERTS.exists() else 0

    def fail(self) -> Answer:
        self.told_before = self.n_told()
        for pid in self.before:
            os.kill(pid, signal.SIGKILL)
        self.wait(lambda: self.n_told() > self.told_before)
        self.wait(lambda: self.bus.call("StopService", "st", "extra", 0).is_done)
        return Answer("")

    def check_alert(self, _: Answer) -> str:
        return "" if self.n_told() > self.told_before else "its on_failure_unit was never started"

    # a server that comes up: what the one before it left to be done, and services that must not notice

    def leave_a_limit_untold(self) -> None:
        """As a server leaves it that was killed between its answer and systemd's."""
        if json.loads(self.bus.call("GetDefinition", "s", "extra", has_text=True).text or "{}") != json.loads(self.limited):
            self.make_extra()
            self.bus.call("ApplyDefinitions", "ast", [self.limited], 0)
        self.wait(lambda: self.is_limited() and self.states().get("extra") == "running")
        systemctl("stop", SERVER_UNIT)
        systemctl("set-property", "--runtime", "hero-extra.service", "MemoryMax=1G")
        with sqlite3.connect(DATABASE) as database:
            database.execute("UPDATE service SET intention = 'refresh' WHERE name = 'extra'")
        database.close()
        self.lives_before = self.lives()

    def come_up(self) -> Answer:
        """A server that cannot come up says so and ends, and systemd starts another."""
        error = systemctl("start", SERVER_UNIT)
        self.wait(lambda: self.states().get("extra") == "running" and set(self.states().values()) == {"running"})
        self.server_seen = self.server()
        return Answer(error)

    def lives(self) -> dict[str, list[int]]:
        return {name: self.units_of(name) for name in (*self.definitions, "extra")}

    def check_come_up(self, answer: Answer) -> str:
        if self.lives() != self.lives_before:
            return f"services noticed: {self.lives_before}, and now {self.lives()}"
        if not self.wait(self.is_limited):
            return f"what was owed was not told: its limit is {self.limit()}"
        return self.check_extra(self.limited)(Answer(""))

    def check_whole(self, keys: list[str]) -> Callable[[Answer], str]:
        """The answer is JSON with all of it."""
        def check(answer: Answer) -> str:
            if not answer.is_done:
                return ""
            try:
                document = json.loads(answer.text)
            except ValueError:
                return f"its answer is no JSON: {answer.text[:200]}"
            if document == []:
                return "its answer is empty"
            first = document[0] if isinstance(document, list) else document
            missing = [key for key in keys if first.get(key) is None]
            return f"its answer lacks {missing}" if missing else ""
        return check

    def scenarios(self) -> list[Scenario]:
        call = self.bus.call
        row = ["name", "state", "wanted", "since_usec", "reasons", "actions", "sockets", "probes"]
        return [
            Scenario("list", lambda: call("ListServices")),
            Scenario("status", lambda: call("GetStatus", "ast", [], 0, has_text=True), check=self.check_whole(row)),
            Scenario("why", lambda: call("Why", "st", "web", 0, has_text=True),
                     check=self.check_whole(["name", "state", "rule", "reasons", "evidence", "tried", "next", "commands"])),
            Scenario("history", lambda: call("History", "stt", "web", 10, 0, has_text=True),
                     check=self.check_whole(["at_usec", "from", "to", "code", "text"])),
            Scenario("metrics", lambda: call("Metrics", has_text=True), check=self.check_whole(["version", "services"])),
            Scenario("dump", lambda: call("Dump", has_text=True), check=self.check_whole(["version", "services"])),
            Scenario("probe", lambda: call("ProbeService", "st", "web", 0, has_text=True),
                     check=self.check_whole(["name", "sockets", "probes"])),
            Scenario("reset-failed", lambda: call("ResetFailed", "ast", [], 0)),
            Scenario("apply, new", lambda: call("ApplyDefinitions", "ast", [self.extra], 0), self.remove_extra,
                     self.check_extra(self.extra), self.is_made_anew),
            Scenario("apply, changed", lambda: call("ApplyDefinitions", "ast", [self.other], 0), self.make_extra,
                     self.check_extra(self.other), self.is_made_anew),
            Scenario("apply, owned", lambda: call("ApplyDefinitions", "ast", [self.owned], 0), self.remove_extra,
                     self.check_owned, self.is_made_anew),
            Scenario("apply, limited", lambda: call("ApplyDefinitions", "ast", [self.limited], 0), self.make_extra,
                     self.check_limited, self.is_limited),
            Scenario("apply, twice", lambda: self.bus.call_at_once(
                ("ApplyDefinitions", "ast", [self.loose], 0), ("ApplyDefinitions", "ast", [self.limited], 0)),
                     self.make_extra, self.check_limited, self.is_limited),
            Scenario("stop", lambda: call("StopService", "st", "extra", 0), self.make_extra, self.check_processes(False)),
            Scenario("start", lambda: call("StartService", "st", "extra", 0),
                     lambda: (self.make_extra(), call("StopService", "st", "extra", 0)), self.check_processes(True)),
            Scenario("restart", lambda: call("RestartService", "st", "extra", 0), self.make_extra,
                     self.check_processes(True)),
            Scenario("remove", lambda: call("RemoveService", "st", "extra", 0), self.make_extra, self.check_extra("")),
            Scenario("a death", self.die, self.make_mortal, self.check_processes(True)),
            Scenario("an alert", self.fail, self.make_hopeless, self.check_alert),
            Scenario("a socket that goes", self.lose_socket, check=self.check_socket_told),
            Scenario("come up", self.come_up, self.leave_a_limit_untold, self.check_come_up, self.is_limited, comes_up=True),
        ]


def owner_of(what: int | str) -> int | None:
    """Of a process or a folder; None: it is not there."""
    try:
        return os.stat(f"/proc/{what}" if isinstance(what, int) else what).st_uid
    except FileNotFoundError:
        return None


def systemctl(*words: str) -> str:
    """What is wrong; "" where nothing is."""
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    return done.stderr.strip() or f"systemctl ended with {done.returncode}" if done.returncode else ""


def how_it_ended(unit: str) -> str:
    """What systemd and the program itself last said of it: which status or signal, and why."""
    words = ["journalctl", "--no-pager", "-q", "-o", "cat", "-n", str(LAST_WORDS_LINES), "-u", unit]
    subprocess.run(["journalctl", "--sync"], check=False)
    return " | ".join(subprocess.run(words, capture_output=True, text=True, check=False).stdout.splitlines())


def log_since(when: float) -> str:
    """What the server said, and systemd of it: a finding that does not come again is explained by it or not at all."""
    words = ["journalctl", "-o", "short-precise", "--no-hostname", "--since", f"@{when:.6f}", "-n", "40"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plan", required=True)
    parser.add_argument("--definitions", required=True)
    parser.add_argument("--tries", type=int, default=0, help="so many a scenario and way, spread; 0: each n")
    parser.add_argument("--first", type=int, default=1, help="with --tries 0: each n from this one on")
    parser.add_argument("--last", type=int, default=0, help="… and up to this one")
    parser.add_argument("--only", default="", help="scenarios whose name holds this")
    parser.add_argument("--kinds", default="1,2,3,4")
    parser.add_argument("--spans", default="1", help="so many in a row: 1,30")
    parser.add_argument("--share", default="0/1", metavar="I/N", help="of each N scenarios the one that comes I after the first")
    parser.add_argument("--stride", type=int, default=1, help="with --tries 0: from one n to the next")
    options = parser.parse_args()
    injector = Injector(Plan(options.plan), json.loads(Path(options.definitions).read_text()), options.first, options.last,
                        options.stride)
    results = []
    share, n_shares = map(int, options.share.split("/"))
    for scenario in [one for one in injector.scenarios() if options.only in one.name][share::n_shares]:
        for kind in map(int, options.kinds.split(",")):
            for span in map(int, options.spans.split(",")):
                result = injector.run(scenario, kind, span, options.tries)
                results.append(vars(result))
                print(f"{result.scenario:16} {result.way:24} n reached {result.n:5}, injected {result.injected:5}, answered with"
                      f" an error {result.errors:5}, findings {len(result.findings)}", file=sys.stderr, flush=True)
    print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
