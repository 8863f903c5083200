# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is true, sampled without asking hero_proc: units from systemd's own socket, processes from the kernel's cgroups,
sockets by connecting to their path, handlers by asking them, invocations from /run/systemd/units.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from dbus_wire import SYSTEMD_PRIVATE, Closed, Connection
from event_loop import Loop
from house_plan import ActionShape, ProbeShape, ServiceShape, SocketShape
from timeline import GAP_SECONDS, Timeline
from unix_queues import waiting_by_path

UNITS_EVERY_SECONDS = 0.05
SOCKETS_EVERY_SECONDS = 0.1
PROBES_EVERY_SECONDS = 0.2
ASK_AGAIN_SECONDS = 0.4
ORPHANS_EVERY_SECONDS = 1.0
WAITED_TOO_LONG_SECONDS = 10.0
CGROUPS = "/sys/fs/cgroup"
ANSWER_MAX_BYTES = 1 << 16


@dataclass
class UnitNow:
    """The last sample of a unit."""

    at: float = 0.0
    active: str = ""
    sub: str = ""
    job: int = 0
    pids: tuple[int, ...] = ()
    invocation: str = ""


@dataclass
class InvocationChange:
    """A unit was started anew: seen between two samples."""

    service: str
    unit: str
    before: str
    after: str
    last_seen: float  # when the one before was last seen up; where it never was, when it was first seen
    first_gone: float  # when it was first seen not to be
    seen: float  # when the next one was first seen


class UnitTruth:
    """One action's unit: active in systemd's word, and with a process in the kernel's."""

    def __init__(self, shape: ActionShape):
        self.shape = shape
        self.now = UnitNow()
        self.up = Timeline()
        self.invocations = Timeline()  # detail: the InvocationID
        self.processes = Timeline()  # detail: the PIDs in its cgroup
        self._last_up = self._first_down = 0.0

    def take(self, start: float, end: float, active: str, sub: str, job: int) -> InvocationChange | None:
        looked = time.monotonic()  # systemd may have answered late (it re-executed itself): this is seen now, not when it was asked
        pids = read_pids(self.shape.cgroup)
        invocation = read_invocation(self.shape.unit)
        if self.shape.oneshot:
            good = active in ("inactive", "active")
        else:
            good = active in ("active", "reloading") and bool(pids)
        before = self.now
        self.now = UnitNow(end, active, sub, job, pids, invocation or before.invocation)
        self.up.add(start, time.monotonic(), good, f"{active}/{sub}{' job' if job else ''}"
                                                   f"{'' if pids or not good else ' no process'}")
        self.processes.add(looked, looked, bool(pids), " ".join(map(str, pids)))
        if invocation:
            self.invocations.add(looked, looked, good, invocation)
        return self._follow(before.invocation, end, active in ("active", "reloading", "activating") and bool(pids))

    def was_started_anew(self, a: float, b: float) -> bool:
        """Also where no sample saw it down."""
        return len({run.detail for run in self.invocations.history(a, b)}) > 1

    def may_have_held(self, pid: int, a: float, b: float) -> bool:
        """Its cgroup, at some moment between a and b: where the last look before a did not find it there, nor any since."""
        first = self.processes.value_at(a)
        return first is None or any(str(pid) in run.detail.split() for run in (first, *self.processes.history(a, b)))

    def _follow(self, before: str, end: float, alive: bool) -> InvocationChange | None:
        change = None
        if before and self.now.invocation != before:
            change = InvocationChange("", self.shape.unit, before, self.now.invocation, self._last_up,
                                      self._first_down if self._first_down > self._last_up else end, end)
        if alive or change:  # one that ends before it is seen up did not end with the one before it
            self._last_up = end
        elif self._first_down <= self._last_up:
            self._first_down = end
        return change


def read_pids(cgroup: str) -> tuple[int, ...]:
    try:
        with open(f"{CGROUPS}/{cgroup}/cgroup.procs", "rb") as file:
            return tuple(map(int, file.read().split()))
    except OSError:  # it is not there, or went while we read
        return ()


def read_invocation(unit: str) -> str:
    try:
        return os.readlink(f"/run/systemd/units/invocation:{unit}")
    except OSError:
        return ""


def cgroup_of(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cgroup", encoding="ascii") as file:
            return file.read().strip().rpartition("::")[2]
    except OSError:
        return ""


class SocketTruth:
    """A declared socket: somebody accepts at its path, and that is the service."""

    def __init__(self, shape: SocketShape, units: list[str]):
        self.shape = shape
        self.alive = Timeline()
        self.drained = Timeline()  # nobody waits to be accepted; no service is dead for that alone
        self._units = units

    def kept_too_long(self, a: float, b: float) -> bool:
        """Until some moment between a and b somebody waited for so long that it counts as dead, with room or without."""
        return any(not run.good and min(run.end, b) - run.start >= WAITED_TOO_LONG_SECONDS - 2 * SOCKETS_EVERY_SECONDS
                   for run in self.drained.history(a, b))

    def may_have_kept(self, seconds: float, a: float, b: float) -> bool:
        """Somebody for so long, until some moment between a and b: no look says that meanwhile nobody waited."""
        last = a - seconds
        for run in self.drained.history(last, b):
            if run.good and run.start - last >= seconds:
                return True
            last = run.end if run.good else last
        return b - last >= seconds

    def sample(self) -> None:
        start = time.monotonic()
        word = self._connect()
        self.alive.add(start, time.monotonic(), word == "alive", word)

    def _connect(self) -> str:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            s.connect(self.shape.path)
            pid = struct.unpack("iII", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        except OSError as error:
            return {errno.ENOENT: "missing", errno.ECONNREFUSED: "no listener",
                    errno.EAGAIN: "queue full"}.get(error.errno, errno.errorcode.get(error.errno, "error"))
        finally:
            s.close()
        cgroup = cgroup_of(pid)
        if cgroup and not any(cgroup.endswith("/" + unit) for unit in self._units):
            return f"held by {pid} in {cgroup}"
        return "alive"


class ProbeTruth:
    """Asks a handler again and again, one request at a time, and counts only what is a complete, fitting answer."""

    def __init__(self, loop: Loop, shape: ProbeShape):
        self.shape = shape
        self.answers = Timeline(gap=shape.timeout + GAP_SECONDS)
        self._loop = loop
        self._socket: socket.socket | None = None
        self._start = 0.0
        self._number = 0
        self._got = bytearray()
        unix = isinstance(shape.address, str)
        body = shape.body.encode()
        head = f"{shape.method} {shape.path} HTTP/1.1\r\nHost: oracle\r\nConnection: close\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self._request = head.encode() + b"\r\n" + body
        self._family = socket.AF_UNIX if unix else socket.AF_INET
        self._address = shape.address if unix else ("127.0.0.1", shape.address)
        loop.at(time.monotonic(), self._begin)

    def _begin(self) -> None:
        self._start = time.monotonic()
        self._number += 1
        self._got.clear()
        number = self._number
        self._socket = socket.socket(self._family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.connect(self._address)
        except BlockingIOError as error:
            if error.errno != errno.EINPROGRESS:
                self._end(False, "queue full")
                return
        except OSError as error:
            self._end(False, errno.errorcode.get(error.errno, "error"))
            return
        if self.shape.connects:
            self._end(True, "connected")
            return
        self._loop.watch(self._socket, selectors.EVENT_WRITE, self._send)
        self._loop.at(self._start + self.shape.timeout, lambda: self._expire(number))

    def _expire(self, number: int) -> None:
        if self._socket and number == self._number:
            self._end(False, f"no answer in {self.shape.timeout:g} s")

    def _send(self) -> None:
        try:
            self._socket.send(self._request)
        except OSError as error:
            self._end(False, errno.errorcode.get(error.errno, "error"))
            return
        self._loop.rewatch(self._socket, selectors.EVENT_READ, self._receive)

    def _receive(self) -> None:
        try:
            got = self._socket.recv(65536)
        except OSError as error:
            self._end(False, errno.errorcode.get(error.errno, "error"))
            return
        self._got += got
        verdict = self._judge(at_end=not got or len(self._got) > ANSWER_MAX_BYTES)
        if verdict is not None:
            self._end(verdict == "", verdict or "passes")

    def _judge(self, at_end: bool) -> str | None:
        """None: not complete yet. "": well. Else what is wrong."""
        head, separator, body = bytes(self._got).partition(b"\r\n\r\n")
        if not separator:
            return ("empty" if not self._got else "half a head") if at_end else None
        lines = head.split(b"\r\n")
        length = next((int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:")), None)
        if length is None and not at_end or length is not None and len(body) < length and not at_end:
            return None
        if length is not None and len(body) < length:
            return "half a body"
        status = int(lines[0].split()[1])
        if not 200 <= status <= 399:
            return f"status {status}"
        return "" if self.shape.expect_body.encode() in body else "another body"

    def _end(self, good: bool, detail: str) -> None:
        end = time.monotonic()
        self._loop.unwatch(self._socket)
        self._socket.close()
        self._socket = None
        # Who answers is well when he does; who does not was ill when he was asked, and may be well again since.
        at = end if good else self._start
        self.answers.add(at, at, good, detail, end - self._start)
        self._loop.at(max(end, self._start + PROBES_EVERY_SECONDS), self._begin)


class ServiceTruth:
    """All that is known of one service."""

    def __init__(self, loop: Loop, shape: ServiceShape):
        self.shape = shape
        self.units = {action.name: UnitTruth(action) for action in shape.actions}
        units = [action.unit for action in shape.actions]
        self.sockets = {s.path: SocketTruth(s, units) for s in shape.sockets}
        self.probes = {p.name: ProbeTruth(loop, p) for p in shape.probes}

    def parts(self) -> dict[str, Timeline]:
        """Every timeline under a name for people."""
        named = {f"unit {unit.shape.unit}": unit.up for unit in self.units.values()}
        named.update({f"socket {path}": s.alive for path, s in self.sockets.items()})
        named.update({f"probe {name}": p.answers for name, p in self.probes.items()})
        return named

    def seen_until(self) -> float:
        return min(timeline.seen_until for timeline in self.parts().values())


@dataclass
class Orphan:
    """A process of a service where none of it may be."""

    service: str
    pid: int
    command: str
    where: str
    since: float


class Sampler:
    """Keeps the truth of all services up to date."""

    def __init__(self, loop: Loop, shapes: list[ServiceShape], on_invocation: Callable[[InvocationChange], None]):
        self.services = {shape.name: ServiceTruth(loop, shape) for shape in shapes}
        self.orphans: dict[int, Orphan] = {}
        self._by_unit = {unit.shape.unit: (name, unit) for name, service in self.services.items()
                         for unit in service.units.values()}
        self._by_short_cgroup = {f"/{unit.shape.cgroup}": (name, unit) for name, unit in self._by_unit.values()}
        self._loop = loop
        self._on_invocation = on_invocation
        self._systemd: Connection | None = None
        self._asked = 0.0
        self._owners: dict[int, tuple[int, str]] = {}  # of each process: how often looked at, whose it says it is
        self._suspects: dict[int, float] = {}
        loop.every(UNITS_EVERY_SECONDS, self._ask_systemd)
        loop.every(SOCKETS_EVERY_SECONDS, self._look_at_sockets)
        loop.every(ORPHANS_EVERY_SECONDS, self._look_for_orphans)

    def _ask_systemd(self) -> None:
        if self._systemd is None:
            try:
                self._systemd = Connection(SYSTEMD_PRIVATE)
            except (OSError, Closed):
                return
            self._asked = 0.0
            self._loop.watch(self._systemd, selectors.EVENT_READ, self._hear_systemd)
        # A message that reached systemd together with the end of the greeting lies there until the next one comes.
        if self._asked and time.monotonic() - self._asked < ASK_AGAIN_SECONDS:
            return
        self._asked = asked = time.monotonic()
        try:
            self._systemd.call("org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                               "org.freedesktop.systemd1.Manager", "ListUnitsByPatterns", "asas",
                               ([], ["hero-*.service"]), lambda values, error: self._take_units(asked, values, error))
        except Closed:
            self._lose_systemd()

    def _hear_systemd(self) -> None:
        try:
            self._systemd.read_available()
            self._systemd.process()
        except Closed:
            self._lose_systemd()

    def _lose_systemd(self) -> None:
        systemd, self._systemd = self._systemd, None
        self._loop.unwatch(systemd)
        systemd.close()

    def _take_units(self, asked: float, values: list | None, error: str) -> None:
        self._asked = 0.0
        if error:
            return
        end = time.monotonic()
        listed = {row[0]: row for row in values[0]}
        for unit, (name, truth) in self._by_unit.items():
            row = listed.get(unit)
            change = truth.take(asked, end, row[3], row[4], row[7]) if row else truth.take(asked, end, "inactive", "", 0)
            if change:
                change.service = name
                self._on_invocation(change)

    def _look_at_sockets(self) -> None:
        now, waiting = time.monotonic(), waiting_by_path()
        for service in self.services.values():
            for path, truth in service.sockets.items():
                n = waiting.get(path, 0)
                truth.drained.add(now, now, n == 0, "nobody waits" if n == 0 else "somebody waits")
                truth.sample()

    # A process says in its environment whose it is, and the kernel in which cgroup it is.

    def _look_for_orphans(self) -> None:
        now = time.monotonic()
        pids = {int(name) for name in os.listdir("/proc") if name.isdigit()}
        for pid in pids:
            n_looks, owner = self._owners.get(pid, (0, ""))
            if not owner and n_looks < 3:  # between fork and exec it still says what its parent is
                owner = environment_of(pid).get("HERO_SERVICE", "")
                self._owners[pid] = (n_looks + 1, owner)
            if owner in self.services:
                self._look_at_process(pid, owner, now)
        for gone in [pid for pid in self._owners if pid not in pids]:
            self._owners.pop(gone)
            self._suspects.pop(gone, None)

    def _look_at_process(self, pid: int, owner: str, now: float) -> None:
        where = cgroup_of(pid)
        service = self.services[owner]
        known = self._by_short_cgroup.get(where)
        is_home = known is not None and known[0] == owner
        patience = 1.5
        if is_home:
            unit = known[1]
            if unit.now.active not in ("inactive", "failed") or unit.now.job or unit.now.at < now - 1:
                self._suspects.pop(pid, None)
                return
            patience = service.shape.stop_timeout + 2
        since = self._suspects.setdefault(pid, now)
        if where and now - since > patience and pid not in self.orphans:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            self.orphans[pid] = Orphan(owner, pid, command, where, since)


def environment_of(pid: int) -> dict[str, str]:
    """As it was given; {} where it is gone."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            words = file.read().decode(errors="replace").split("\0")
    except OSError:
        return {}
    return {name: value for name, is_one, value in (word.partition("=") for word in words) if is_one}
