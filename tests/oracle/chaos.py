#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Chaos, inside a sandbox: makes services, breaks them and the world around them as a seed says, with several clients that
change things meanwhile, and tells the oracle of each thing before it is done. Prints the report as JSON.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import json
import os
import queue
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from chaos_plan import Planner, Step  # noqa: E402  pylint: disable=wrong-import-position
from dbus_wire import Closed, Connection  # noqa: E402
from house_plan import STATE, ActionShape, House, ServiceShape, nginx_files, shape_of, slice_name  # noqa: E402
from registers import REMOVED  # noqa: E402
from truth import read_pids  # noqa: E402

NAME, PATH, MANAGER = "org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager"
SERVER_CGROUP = "system.slice/hero_proc.service"
STORE = "/var/lib/hero_proc"
CLIENTS = 10
NO_WAIT = 1
SETTLED_WITHIN_SECONDS = 60.0
SYSTEMCTL_SETTLES_SECONDS = 2.0
WARM_UP_SECONDS = 3.0
MOVES_WITHIN_SECONDS = 6.0  # what was asked for at once is done by then: a stop and a start, with their timeouts
OWED_SECONDS = 8.0  # what could not be written is tried again every 5 s


class Teller:
    """Tells the oracle, in the order of what happens."""

    def __init__(self, pipe: Any):
        self._pipe = pipe
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)

    def tell(self, event: str, **fields: Any) -> None:
        line = json.dumps({"event": event, **fields}).encode() + b"\n"
        with self._lock:
            self._pipe.write(line)
            self._pipe.flush()

    def number(self) -> int:
        with self._lock:
            return next(self._numbers)


class Operation:
    """For `with`: what is done inside is told as begun and ended. Its outcome is lost, until done or refused is set."""

    def __init__(self, teller: Teller, service: str, verb: str, **fields: Any):
        self._teller, self._service, self._verb, self._fields = teller, service, verb, fields
        self.outcome, self.answer = "lost", ""
        self._number = teller.number()

    def __enter__(self) -> Operation:
        self._teller.tell("begin", number=self._number, service=self._service, verb=self._verb,
                          start=time.monotonic(), **self._fields)
        return self

    def __exit__(self, *_: object) -> None:
        self._teller.tell("end", number=self._number, service=self._service, end=time.monotonic(),
                          outcome=self.outcome, answer=self.answer)


class Client:
    """One client's connection to the bus, made again when it was lost."""

    def __init__(self) -> None:
        self._bus: Connection | None = None

    def close(self) -> None:
        if self._bus:
            self._bus.close()

    def call(self, operation: Operation | None, member: str, signature: str, *values: Any,
             timeout: float = 30.0) -> tuple[Any, str]:
        try:
            if self._bus and self._bus.is_lost():
                self._bus = None
            self._bus = self._bus or Connection()
            answer, error = self._bus.call_and_wait(NAME, PATH, MANAGER, member, signature, values, timeout)
        except (OSError, Closed) as gone:
            answer, error = None, f"closed: {gone}"
        if error.startswith("closed") or error == "timeout":
            if self._bus:
                self._bus.close()
            self._bus = None
        if operation:
            operation.answer = error or str(answer)[:80]
            operation.outcome = "done" if not error else "refused" if self._is_refusal(member, error) else "lost"
        return answer, error

    @staticmethod
    def _is_refusal(member: str, error: str) -> bool:
        """The server's own words. A removal that is said to be busy goes on all the same."""
        if error.endswith((".ServiceUnknown", ".NameHasNoOwner", ".InvalidArgs")):
            return True
        return error.startswith("org.hero.Proc1.Error.") and not (member == "RemoveService" and error.endswith(".Busy"))


def run(*words: str, timeout: float = 60.0) -> int:
    try:
        return subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=timeout, check=False).returncode
    except subprocess.TimeoutExpired:
        return -1


def server_pid() -> int:
    pids = read_pids(SERVER_CGROUP)
    return pids[0] if pids else 0


def send_signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


def server_deaths(n_kills: int) -> list[str]:
    """How the server ended, as PID 1 says, but for the kills that were ours."""
    run("journalctl", "--sync")
    text = subprocess.run(["journalctl", "-q", "-o", "cat", "--no-pager", "_PID=1", "UNIT=hero_proc.service"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout
    ends = [line for line in text.splitlines() if "Main process exited" in line]
    ours = [line for line in ends if "code=killed, status=9/KILL" in line]
    return [line for line in ends if line not in ours] + ours[n_kills:]


class ServiceChaos:
    """What is done to one service; each method is a kind of step."""

    def __init__(self, teller: Teller, shapes: dict[str, ServiceShape], scratch: random.Random):
        self.teller = teller
        self.shapes = shapes
        self.clients = threading.local()
        self.generations = itertools.count(1)
        # The definition that stands; None where an answer was lost, so that either may.
        self.texts: dict[str, str | None] = {name: json.dumps(shape.definition) for name, shape in shapes.items()}
        self._apply_lock = threading.Lock()
        self._scratch = scratch
        self.stopping = threading.Event()

    def client(self) -> Client:
        if not hasattr(self.clients, "one"):
            self.clients.one = Client()
        return self.clients.one

    def _fault(self, kind: str, service: str, ends: list[str] | None = None, note: str = "") -> None:
        self.teller.tell("fault", kind=kind, service=service, at=time.monotonic(), ends=ends or [], note=note)

    def _pause_for(self, seconds: float) -> None:
        self.stopping.wait(seconds)

    # -- faults that the fixture has on a switch --

    @staticmethod
    def _switch(action: ActionShape, text: str) -> None:
        scratch = f"{action.faults}.{threading.get_ident()}"
        Path(scratch).write_text(text, encoding="ascii")
        os.rename(scratch, action.faults)

    def _switched(self, kind: str, shape: ServiceShape, action: ActionShape, line: str, seconds: float) -> None:
        if not action.faults:
            return
        self._switch(action, line + "\n")
        self._fault(kind, shape.name, note=line)
        self._pause_for(seconds)
        if Path(action.faults).exists():
            self._switch(action, "")
            self._fault("cleared", shape.name)

    def handler(self, shape: ServiceShape, action: str, fault: str, path: str, seconds: float) -> None:
        if shape.definition.get("exec", [""])[0] == "/usr/sbin/nginx":
            mark = Path(f"{STATE}/{shape.name}/return_444")
            mark.touch()
            self._fault("handler: close (nginx 444)", shape.name)
            self._pause_for(seconds)
            mark.unlink(missing_ok=True)
            self._fault("cleared", shape.name)
            return
        judged = any(p.path == path or path == "*" for p in shape.probes if not p.connects and not p.report)
        kind = f"handler: {fault}" if judged else "handler that nobody asks"
        self._switched(kind, shape, shape.action(action), f"{path} {fault}", seconds)

    def close_listener(self, shape: ServiceShape, action: str, seconds: float) -> None:
        self._once("listener closed", shape, action, "close-listener", seconds)

    def unlink_listener(self, shape: ServiceShape, action: str, seconds: float) -> None:
        self._once("socket file removed by the service", shape, action, "unlink-listener", seconds)

    def _once(self, kind: str, shape: ServiceShape, action: str, word: str, seconds: float) -> None:
        mine = [s.path for s in shape.sockets if s.action == action]
        if mine and shape.action(action).faults:
            self._switched(kind, shape, shape.action(action), f"{word} {mine[0]}", 0.5)
            self._repair(shape, seconds)

    def remove_socket(self, shape: ServiceShape, action: str, seconds: float) -> None:
        mine = [s.path for s in shape.sockets if s.action == action]
        if mine and Path(mine[0]).exists():
            Path(mine[0]).unlink(missing_ok=True)
            self._fault("socket file removed", shape.name)
            self._repair(shape, seconds)

    def stranger(self, shape: ServiceShape, action: str, seconds: float) -> None:
        """Somebody else takes the path and answers as if he were the service."""
        mine = [s.path for s in shape.sockets if s.action == action]
        if not mine:
            return
        s = socket.socket(socket.AF_UNIX)
        try:
            s.bind(mine[0] + ".stranger")
            s.listen(64)
            os.rename(mine[0] + ".stranger", mine[0])
        except OSError:
            s.close()
            return
        self._fault("socket taken by a stranger", shape.name)
        s.settimeout(0.1)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.stopping.is_set():
            try:
                peer, _ = s.accept()
                peer.settimeout(0.2)
                peer.recv(4096)
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\nConnection: close\r\n\r\n{\"openrpc\":1}<h1>....")
                peer.close()
            except OSError:
                pass
        s.close()
        self._repair(shape, 1.0)

    def freeze(self, shape: ServiceShape, action: str, seconds: float) -> None:
        self._switched("frozen, its queue fills", shape, shape.action(action), "freeze", seconds)

    def children(self, shape: ServiceShape, action: str, seconds: float) -> None:
        if shape.action(action).faults:
            self._switched("children left behind", shape, shape.action(action), "fork-children 2", seconds)

    def _repair(self, shape: ServiceShape, seconds: float) -> None:
        self._pause_for(seconds)
        self.reset_failed(shape, "", 0)

    # -- faults from outside --

    def pause(self, shape: ServiceShape, action: str, seconds: float) -> None:
        pids = read_pids(shape.action(action).cgroup)
        if shape.action(action).oneshot or not pids:
            return
        for pid in pids:
            send_signal(pid, signal.SIGSTOP)
        self._fault("stopped by SIGSTOP" if seconds > 3 else "stopped by SIGSTOP for a moment", shape.name)
        self._pause_for(seconds)
        for pid in pids:
            send_signal(pid, signal.SIGCONT)
        self._fault("cleared", shape.name)

    def _end(self, kind: str, shape: ServiceShape, action: str, number: int) -> None:
        unit = shape.action(action)
        pids = read_pids(unit.cgroup)
        if pids and not unit.oneshot:
            self._fault(kind, shape.name, ends=[unit.unit])
            send_signal(min(pids), number)

    def kill(self, shape: ServiceShape, action: str, seconds: float) -> None:
        self._end("killed, one of two" if len(shape.actions) > 1 else "killed", shape, action, signal.SIGKILL)

    def terminate(self, shape: ServiceShape, action: str, seconds: float) -> None:
        self._end("ended by SIGTERM", shape, action, signal.SIGTERM)
        self._pause_for(seconds)
        self.start(shape, action, 0, False)

    def crash(self, shape: ServiceShape, action: str, seconds: float, code: int) -> None:
        unit = shape.action(action)
        if unit.faults and read_pids(unit.cgroup):
            self._fault("crashed", shape.name, ends=[unit.unit])
            self._switch(unit, f"crash {code}\n")

    # -- operations --

    def _shadows(self, shape: ServiceShape, verb: str) -> None:
        """Whoever is needed may be started along with it."""
        for name in shape.requires:
            with Operation(self.teller, name, f"{verb} (for {shape.name})", wanted="up"):
                pass
            self._shadows(self.shapes[name], verb)

    def _change(self, member: str, verb: str, shape: ServiceShape, no_wait: bool, **fields: Any) -> None:
        lingers = {"lingers": MOVES_WITHIN_SECONDS} if no_wait else {}
        with Operation(self.teller, shape.name, verb, **lingers, **fields) as operation:
            self.client().call(operation, member, "st", shape.name, NO_WAIT if no_wait else 0)
            if operation.outcome == "done" and no_wait:
                operation.answer += " (at once)"

    def start(self, shape: ServiceShape, action: str, seconds: float, no_wait: bool) -> None:
        self._shadows(shape, "start")
        self._change("StartService", "start", shape, no_wait, wanted="up")

    def restart(self, shape: ServiceShape, action: str, seconds: float, no_wait: bool) -> None:
        self._shadows(shape, "restart")
        self._change("RestartService", "restart", shape, no_wait, wanted="up", is_restart=True)

    def stop(self, shape: ServiceShape, action: str, seconds: float, no_wait: bool) -> None:
        self._change("StopService", "stop", shape, no_wait, wanted="down", is_restart=True)
        self._pause_for(seconds)
        self.start(shape, action, 0, no_wait)

    def reset_failed(self, shape: ServiceShape, action: str, seconds: float) -> None:
        with Operation(self.teller, shape.name, "reset-failed", is_restart=True) as operation:
            self.client().call(operation, "ResetFailed", "ast", [shape.name], 0)

    def _apply(self, shape: ServiceShape, verb: str, change: Callable[[dict[str, Any]], bool]) -> None:
        """`change` alters the definition that stands, and says whether that changes what its units are made of."""
        with self._apply_lock:
            standing = self.texts[shape.name]
            definition = json.loads(standing or json.dumps(shape.definition))
            restarts = change(definition) or standing is None
            text = json.dumps(definition)
            with Operation(self.teller, shape.name, verb, definition=text, is_restart=restarts,
                           lingers=MOVES_WITHIN_SECONDS) as operation:
                self.client().call(operation, "ApplyDefinitions", "ast", [text], 0)
            if operation.outcome != "refused":
                self.texts[shape.name] = text if operation.outcome == "done" else None

    def apply_words(self, shape: ServiceShape, action: str, seconds: float) -> None:
        generation = str(next(self.generations))

        def change(definition: dict[str, Any]) -> bool:
            probes = [p for p in definition.get("probes", []) if p.get("type") != "connect"]
            if probes:
                probes[0]["headers"] = {f"X-Generation-{generation}": "1"}  # in the name: values are not shown
            return False
        self._apply(shape, "apply, units as they are", change)

    def apply_units(self, shape: ServiceShape, action: str, seconds: float) -> None:
        generation = str(next(self.generations))

        def change(definition: dict[str, Any]) -> bool:
            for part in definition.get("actions", {"main": definition}).values():
                part["env"] = {f"GENERATION_{generation}": "1"}
            return True
        self._apply(shape, "apply, other units", change)

    def remove(self, shape: ServiceShape, action: str, seconds: float) -> None:
        """And makes it again, from its first definition. Nobody else applies anything in the meantime."""
        if any(shape.name in other.requires for other in self.shapes.values()):
            return
        with self._apply_lock:
            with Operation(self.teller, shape.name, "remove", wanted="down", definition=REMOVED,
                           is_restart=True) as operation:
                self.client().call(operation, "RemoveService", "st", shape.name, 0)
            self._pause_for(seconds)
            text = self.texts[shape.name] = json.dumps(shape.definition)
            for _ in range(100):
                with Operation(self.teller, shape.name, "create", definition=text, wanted="up", is_restart=True,
                               lingers=MOVES_WITHIN_SECONDS) as operation:
                    self.client().call(operation, "ApplyDefinitions", "ast", [text], 0)
                if operation.outcome == "done":
                    return
                time.sleep(0.2)
            self.texts[shape.name] = None

    # -- operations past hero_proc --

    def _systemctl(self, shape: ServiceShape, verb: str, units: list[str], **fields: Any) -> None:
        fields = {"settles": SYSTEMCTL_SETTLES_SECONDS, **fields}
        with Operation(self.teller, shape.name, f"systemctl {verb}", **fields) as operation:
            code = run("systemctl", verb, *units)
            operation.answer = f"exit status {code}"
            operation.outcome = "done" if code == 0 else "lost"

    def systemctl_stop(self, shape: ServiceShape, action: str, seconds: float) -> None:
        processes = [a for a in shape.actions if not a.oneshot]
        wish = {"wanted": "down"} if len(processes) == len(shape.actions) else {}  # a oneshot that is done stays wanted
        self._systemctl(shape, "stop", [a.unit for a in processes or shape.actions], is_restart=True, **wish)
        self._pause_for(seconds)
        self.systemctl_start(shape, action, 0)

    def systemctl_start(self, shape: ServiceShape, action: str, seconds: float) -> None:
        self._systemctl(shape, "start", [a.unit for a in shape.actions], wanted="up")

    def systemctl_restart(self, shape: ServiceShape, action: str, seconds: float) -> None:
        self._systemctl(shape, "restart", [a.unit for a in shape.actions], wanted="up", is_restart=True)

    def systemctl_stop_action(self, shape: ServiceShape, action: str, seconds: float) -> None:
        if len(shape.actions) == 1 or shape.action(action).oneshot:
            return
        with Operation(self.teller, shape.name, f"systemctl stop {action}", wanted="down", is_restart=True,
                       actions=[action], settles=SYSTEMCTL_SETTLES_SECONDS):
            run("systemctl", "stop", shape.action(action).unit)
        self._pause_for(seconds)
        self.start(shape, action, 0, False)

    def slice_stop(self, shape: ServiceShape, action: str, seconds: float) -> None:
        self._systemctl(shape, "stop", [slice_name(shape.name)], wanted="down", is_restart=True)
        self._pause_for(seconds)
        self.start(shape, action, 0, False)


class WorldChaos:
    """What is done to the server and to the machine around it; one thing at a time."""

    def __init__(self, teller: Teller, stopping: threading.Event, clock_library: Path):
        self.teller = teller
        self._clock_library = clock_library
        self._stopping = stopping
        self.skipped: list[str] = []
        self.n_kills = 0
        self.back_after: list[float] = []  # where nothing else went on
        self._is_disturbed = False
        self._n_disturbances = 0
        self._disk_trouble: tuple[float, float] = (0.0, 0.0)  # from when, until when what is owed may not be written yet

    def _disturb(self, what: str, do: Callable[[], Any], lingering: float) -> None:
        start = time.monotonic()
        self._n_disturbances += 1
        self._is_disturbed = True
        self.teller.tell("disturbance", what=what, start=start, end=None)
        do()
        self._is_disturbed = False
        self.teller.tell("disturbance", what=what, start=start, end=time.monotonic() + lingering)

    def await_server(self, timeout: float = 30.0) -> float:
        """Until it answers; the seconds that took."""
        start, client = time.monotonic(), Client()  # its own: kills come whatever else is done
        while time.monotonic() - start < timeout:
            _, error = client.call(None, "ListServices", "", timeout=5)
            if not error:
                break
            time.sleep(0.02)
        client.close()
        return time.monotonic() - start

    def kill_server(self, seconds: float) -> None:
        pid = server_pid()
        since, until = self._disk_trouble
        if time.monotonic() < until:  # what was wished since then stood in the memory of the one that dies
            self.teller.tell("weaken", since=since)
        if not pid or not send_signal(pid, signal.SIGKILL):
            return
        if time.monotonic() < until:
            self.teller.tell("weaken", since=since)
        self.n_kills += 1
        self.teller.tell("fault", kind="server: kill -9", service="", at=time.monotonic())
        n_before = self._n_disturbances
        took = self.await_server()
        if not self._is_disturbed and self._n_disturbances == n_before:
            self.back_after.append(took)

    def restart_server(self, seconds: float) -> None:
        self.teller.tell("fault", kind="server: restarted", service="", at=time.monotonic())
        self._n_disturbances += 1
        run("systemctl", "restart", "hero_proc")

    def pause_server(self, seconds: float) -> None:
        pid = server_pid()

        def pause() -> None:
            send_signal(pid, signal.SIGSTOP)
            self._stopping.wait(seconds)
            send_signal(pid, signal.SIGCONT)
        if pid:
            self._disturb("server: SIGSTOP", pause, 3.0)

    def daemon_reload(self, seconds: float) -> None:
        self._disturb("systemd: daemon-reload", lambda: run("systemctl", "daemon-reload"), 1.0)

    def daemon_reexec(self, seconds: float) -> None:
        self._disturb("systemd: daemon-reexec", lambda: run("systemctl", "daemon-reexec"), 5.0)

    def restart_bus(self, seconds: float) -> None:
        self._disturb("bus: restarted", lambda: (run("systemctl", "restart", "dbus"), self.await_server()), 5.0)

    def kill_bus(self, seconds: float) -> None:
        def kill() -> None:
            for pid in read_pids("system.slice/dbus.service"):
                send_signal(pid, signal.SIGKILL)
            self.await_server()
        self._disturb("bus: kill -9", kill, 5.0)

    def restart_journal(self, seconds: float) -> None:
        self.teller.tell("fault", kind="journal: restarted", service="", at=time.monotonic())
        run("systemctl", "restart", "systemd-journald")

    def jump_clock(self, seconds: float, jumps: list[int]) -> None:
        """Only the server's clock: its real time jumps, as after a wrong time server or a resume."""
        drop_in = Path("/run/systemd/system/hero_proc.service.d/clock.conf")
        clock = Path(f"{STATE}/clock")

        def jump() -> None:
            self._set_clock(clock, 0)
            drop_in.parent.mkdir(parents=True, exist_ok=True)
            drop_in.write_text(f"[Service]\nEnvironment=LD_PRELOAD={self._clock_library} JUMPING_CLOCK={clock}\n",
                               encoding="ascii")
            self._restart_with_drop_ins()
            for to in jumps:
                self._set_clock(clock, to)
                self._stopping.wait(2.5)
            drop_in.unlink()
            self._restart_with_drop_ins()
        self._disturb("server: clock jumps", jump, 1.0)

    @staticmethod
    def _set_clock(clock: Path, offset: int) -> None:
        with open(clock, "r+b" if clock.exists() else "wb") as file:  # in place: the server has it mapped
            file.write(struct.pack("<q", offset))

    @staticmethod
    def _restart_with_drop_ins() -> None:
        run("systemctl", "daemon-reload")
        run("systemctl", "restart", "hero_proc")

    def fill_disk(self, seconds: float, kill: bool) -> None:
        filler = Path(f"{STORE}/filler")
        start = time.monotonic()
        self._disk_trouble = (start, float("inf"))

        def fill() -> None:
            try:
                with open(filler, "wb", buffering=0) as file:
                    while True:
                        file.write(bytes(4096))
            except OSError:
                pass
            self._stopping.wait(seconds)
            if kill:
                self.kill_server(0)
            filler.unlink(missing_ok=True)
            self._disk_trouble = (start, time.monotonic() + OWED_SECONDS)
        self._disturb("disk: full", fill, 1.0)

    def lock_disk(self, seconds: float, kill: bool) -> None:
        start = time.monotonic()
        self._disk_trouble = (start, float("inf"))

        def lock() -> None:
            run("systemctl", "stop", "hero_proc")
            run("mount", "-o", "remount,ro", STORE)
            run("systemctl", "start", "hero_proc")
            self.await_server(15)
            self._stopping.wait(seconds)
            self.teller.tell("weaken", since=start)
            run("systemctl", "stop", "hero_proc")
            self.teller.tell("weaken", since=start)
            run("mount", "-o", "remount,rw", STORE)
            run("systemctl", "start", "hero_proc")
            self._disk_trouble = (start, time.monotonic() + OWED_SECONDS)
        self._disturb("disk: read-only", lock, 2.0)

    def exhaust_files(self, seconds: float) -> None:
        pid = server_pid()

        def exhaust() -> None:
            try:
                n = len(os.listdir(f"/proc/{pid}/fd"))
                run("prlimit", f"--pid={pid}", f"--nofile={n}:16384")
                self._stopping.wait(seconds)
            except FileNotFoundError:
                return
            run("prlimit", f"--pid={pid}", "--nofile=16384:16384")
        if pid:
            self._disturb("server: no file descriptors", exhaust, 3.0)

    def limit_memory(self, seconds: float) -> None:
        if "memory" not in Path("/sys/fs/cgroup/cgroup.controllers").read_text(encoding="ascii").split():
            self._skip("memory limit: the sandbox has no memory controller")
            return

        def limit() -> None:
            run("systemctl", "set-property", "--runtime", "hero_proc.service", "MemoryMax=6M")
            self._stopping.wait(seconds)
            run("systemctl", "set-property", "--runtime", "hero_proc.service", "MemoryMax=infinity")
            self.await_server()
        self._disturb("server: memory limit", limit, 2.0)

    def reset_failed_all(self, seconds: float) -> None:
        self.teller.tell("fault", kind="systemctl reset-failed", service="", at=time.monotonic())
        run("systemctl", "reset-failed")

    def _skip(self, what: str) -> None:
        if what not in self.skipped:
            self.skipped.append(what)


class Campaign:
    """From an empty house to the report."""

    def __init__(self, options: argparse.Namespace):
        self.options = options
        house = House(options.seed, options.services, options.fixture)
        self.definitions = house.definitions
        self.shapes = {d["name"]: shape_of(d) for d in self.definitions}
        planner = Planner(options.seed, list(self.shapes.values()), options.seconds, options.service_rate,
                          options.world_rate, options.kill_rate, options.world.split(",") if options.world else None)
        self.steps = planner.steps()
        self.done: list[str] = []

    def prepare(self) -> None:
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: nothing of ours is taken for somebody's orphan
        os.makedirs(STATE, exist_ok=True)
        for definition in self.definitions:
            for path, text in nginx_files(definition).items():
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                Path(path).write_text(text, encoding="ascii")
        Path(f"{STATE}/definitions.json").write_text(json.dumps(self.definitions), encoding="ascii")

    def run(self) -> dict[str, Any]:
        self.prepare()
        oracle = subprocess.Popen([sys.executable, str(Path(__file__).with_name("oracle.py")),
                                   f"{STATE}/definitions.json", "--slack", str(self.options.slack)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        teller = Teller(oracle.stdin)
        client = Client()
        self._create(teller, client)
        services = ServiceChaos(teller, self.shapes, random.Random(self.options.seed))
        world = WorldChaos(teller, services.stopping, Path(self.options.fixture).with_name("jumping_clock.so"))
        not_well = self._await_well(60)
        if not_well:
            teller.tell("finding", kind="did not start", text=f"DID NOT START: {not_well}")
        time.sleep(WARM_UP_SECONDS)
        self._act(services, world)
        self._end(teller, services, world, client)
        deaths = server_deaths(world.n_kills)
        if deaths:
            teller.tell("finding", kind="server died", text="THE SERVER DIED, and not by chaos:\n    " + "\n    ".join(deaths))
        oracle.stdin.close()
        report = json.loads(oracle.stdout.read())
        oracle.wait()
        return {**report, "seed": self.options.seed, "seconds": self.options.seconds,
                "services": len(self.definitions), "kills": world.n_kills, "back_after": world.back_after,
                "skipped": world.skipped, "steps": len(self.steps), "done": self.done}

    def _create(self, teller: Teller, client: Client) -> None:
        texts = [json.dumps(d) for d in self.definitions]
        operations = [Operation(teller, d["name"], "create", definition=text, wanted="up", is_restart=True,
                                lingers=MOVES_WITHIN_SECONDS)
                      for d, text in zip(self.definitions, texts)]
        for operation in operations:
            operation.__enter__()
        _, error = client.call(None, "ApplyDefinitions", "ast", texts, 0)
        if error:
            raise SystemExit(f"chaos: the definitions are refused: {error}")
        for operation in operations:
            operation.outcome = "done"
            operation.__exit__()

    def _rows(self, client: Client) -> dict[str, tuple[str, str]]:
        rows, error = client.call(None, "ListServices", "")
        return {} if error else {row[0]: (row[1], row[2]) for row in rows[0]}

    def _await_well(self, timeout: float) -> str:
        """"" as soon as every service is as it should be; else those that are not."""
        client, deadline, wrong = Client(), time.monotonic() + timeout, "no answer"
        while time.monotonic() < deadline:
            rows = self._rows(client)
            wrong = ", ".join(f"{name}: {' '.join(rows.get(name, ('gone',)))}" for name, shape in self.shapes.items()
                              if rows.get(name, ("", ""))[0] not in
                              (("stopped",) if shape.is_done_when_down else ("running",)))
            if rows and not wrong:
                return ""
            time.sleep(0.1)
        return wrong

    def _act(self, services: ServiceChaos, world: WorldChaos) -> None:
        """Many clients on services, one after the other what befalls the world, and kills whatever goes on."""
        jobs, world_jobs, kills = (queue.Queue() for _ in range(3))
        workers = [(queue_, threading.Thread(target=self._work, args=(queue_,)))
                   for queue_ in (*[jobs] * CLIENTS, world_jobs, kills)]
        for _, thread in workers:
            thread.start()
        begun = time.monotonic()
        for step in self.steps:
            time.sleep(max(0.0, begun + step.at - time.monotonic()))
            queue_ = jobs if step.service else kills if step.kind == "kill_server" else world_jobs
            queue_.put((getattr(services if step.service else world, step.kind), step))
        time.sleep(max(0.0, begun + self.options.seconds - time.monotonic()))
        services.stopping.set()
        for queue_, _ in workers:
            queue_.put(None)
        for _, thread in workers:
            thread.join()

    def _work(self, jobs: queue.Queue) -> None:
        while (job := jobs.get()) is not None:
            do, step = job
            self.done.append(f"{time.monotonic():.3f} {step}")
            if step.service:
                do(self.shapes[step.service], **step.with_)
            else:
                do(**step.with_)

    def _end(self, teller: Teller, services: ServiceChaos, world: WorldChaos, client: Client) -> None:
        """All faults end; then every service must come back, and at the stop of all of them nothing may be left."""
        run("mount", "-o", "remount,rw", STORE)
        Path(f"{STORE}/filler").unlink(missing_ok=True)
        for shape in self.shapes.values():
            for action in shape.actions:
                if action.faults:
                    Path(action.faults).unlink(missing_ok=True)
                for pid in read_pids(action.cgroup):
                    send_signal(pid, signal.SIGCONT)
            Path(f"{STATE}/{shape.name}/return_444").unlink(missing_ok=True)
        world.await_server()
        for shape in self.shapes.values():
            services.start(shape, "", 0, True)
        if self._await_well(5):
            for shape in self.shapes.values():
                services.reset_failed(shape, "", 0)
        not_well = self._await_well(SETTLED_WITHIN_SECONDS)
        if not_well:
            teller.tell("finding", kind="did not recover", text=f"DID NOT RECOVER: {not_well}")
        time.sleep(4)  # quiet rows, all of them judged
        for shape in self.shapes.values():
            with Operation(teller, shape.name, "stop", wanted="down", is_restart=True) as operation:
                client.call(operation, "StopService", "st", shape.name, 0)
        time.sleep(6)  # longer than a stop may take, so that what is left over is an orphan


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--services", type=int, default=20)
    parser.add_argument("--service-rate", type=float, default=2.0, help="steps a second on services")
    parser.add_argument("--world-rate", type=float, default=0.15, help="steps a second on the world around them")
    parser.add_argument("--kill-rate", type=float, default=0.6, help="kills of the server a second")
    parser.add_argument("--world", default="", help="only these kinds of them, with commas between")
    parser.add_argument("--slack", type=float, default=1.0, help="seconds on top of each bound")
    parser.add_argument("--fixture", required=True, help="herodemo_server")
    json.dump(Campaign(parser.parse_args()).run(), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
