# SPDX-License-Identifier: LGPL-2.1-or-later
"""What chaos does to one service: faults from inside and outside, and changes by hero_proc and past it."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any, Callable

from clients import Client, Operation, Teller, run, send_signal
from house_plan import STATE, ActionShape, ServiceShape, slice_name
from injuries import QUEUE_FULL
from registers import REMOVED
from truth import read_pids

NO_WAIT = 1
SYSTEMCTL_SETTLES_SECONDS = 2.0
WAITS_WITHIN_SECONDS = 25.0
FLOOD_BYTES = 10_000_000  # a second's; not more, as the deaths of the server are read from the same journal at the end
MOVES_WITHIN_SECONDS = 6.0  # what was asked for at once is done by then: a stop and a start, with their timeouts


class ServiceChaos:
    """What is done to one service; each method is a kind of step."""

    def __init__(self, teller: Teller, shapes: dict[str, ServiceShape]):
        self.teller = teller
        self.shapes = shapes
        self.clients = threading.local()
        self.generations = itertools.count(1)
        # The definition that stands; None where an answer was lost, so that either may.
        self.texts: dict[str, str | None] = {name: json.dumps(shape.definition) for name, shape in shapes.items()}
        # What stands is known only where one after the other changes it: of one service. Different ones meet.
        self._apply_locks = {name: threading.Lock() for name in shapes}
        self.stopping = threading.Event()

    def client(self) -> Client:
        if not hasattr(self.clients, "one"):
            self.clients.one = Client()
        return self.clients.one

    def _fault(self, kind: str, service: str, at: float | None = None, ends: list[str] | None = None, **where: str) -> None:
        """`at`: just before it was done; it may be seen before this is told. `where`: the fields of an Injury."""
        self.teller.tell("fault", kind=kind, service=service, at=at or time.monotonic(), ends=ends or [], **where)

    def _pause_for(self, seconds: float) -> None:
        self.stopping.wait(seconds)

    # -- faults that the fixture has on a switch --

    @staticmethod
    def _switch(action: ActionShape, text: str) -> None:
        scratch = f"{action.faults}.{threading.get_ident()}"
        Path(scratch).write_text(text, encoding="ascii")
        os.rename(scratch, action.faults)

    def _switched(self, kind: str, shape: ServiceShape, action: ActionShape, line: str, seconds: float,
                  path: str = "") -> None:
        if not action.faults:
            return
        at = time.monotonic()
        self._switch(action, line + "\n")
        self._fault(kind, shape.name, at, note=line, action=action.name, path=path, means="switch")
        self._pause_for(seconds)
        if Path(action.faults).exists():
            self._switch(action, "")
            self._fault("cleared", shape.name, action=action.name, means="switch")

    def handler(self, shape: ServiceShape, action: str, fault: str, path: str, seconds: float) -> None:
        if shape.definition.get("exec", [""])[0] == "/usr/sbin/nginx":
            mark = Path(f"{STATE}/{shape.name}/return_444")
            at = time.monotonic()
            mark.touch()
            self._fault("handler: close (nginx 444)", shape.name, at, action=action, path="/api/files", means="mark")
            self._pause_for(seconds)
            mark.unlink(missing_ok=True)
            self._fault("cleared", shape.name, action=action, means="mark")
            return
        judged = any(p.path == path or path == "*" for p in shape.probes if not p.connects and not p.report)
        kind = f"handler: {fault}" if judged else "handler that nobody asks"
        self._switched(kind, shape, shape.action(action), f"{path} {fault}", seconds, path)

    def close_listener(self, shape: ServiceShape, action: str, seconds: float) -> None:
        self._once("listener closed", shape, action, "close-listener", seconds)

    def unlink_listener(self, shape: ServiceShape, action: str, seconds: float) -> None:
        self._once("socket file removed by the service", shape, action, "unlink-listener", seconds)

    def _once(self, kind: str, shape: ServiceShape, action: str, word: str, seconds: float) -> None:
        mine = [s.path for s in shape.sockets if s.action == action]
        if mine and shape.action(action).faults:
            self._switched(kind, shape, shape.action(action), f"{word} {mine[0]}", 0.5, mine[0])
            self._repair(shape, seconds)

    def remove_socket(self, shape: ServiceShape, action: str, seconds: float) -> None:
        mine = [s.path for s in shape.sockets if s.action == action]
        if mine and Path(mine[0]).exists():
            at = time.monotonic()
            Path(mine[0]).unlink(missing_ok=True)
            self._fault("socket file removed", shape.name, at, action=action, path=mine[0])
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
            at = time.monotonic()
            os.rename(mine[0] + ".stranger", mine[0])
        except OSError:
            s.close()
            return
        self._fault("socket taken by a stranger", shape.name, at, action=action, path=mine[0])
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
        kind = QUEUE_FULL if shape.action(action).is_narrow else "frozen, its queue fills"
        self._switched(kind, shape, shape.action(action), "freeze", seconds)

    def children(self, shape: ServiceShape, action: str, seconds: float) -> None:
        if shape.action(action).faults:
            self._switched("children left behind", shape, shape.action(action), "fork-children 2", seconds)

    def flood_log(self, shape: ServiceShape, action: str, seconds: float) -> None:
        """Nothing of it may be seen. So the oracle is told of no fault of this service, which could excuse a row, but only
        that the switch no longer holds what it held."""
        unit = shape.action(action)
        if not unit.faults or not read_pids(unit.cgroup):
            return
        line = f"log {FLOOD_BYTES}"
        self._fault("log: flood", "")
        self._switch(unit, line + "\n")
        self._fault("cleared", shape.name, note=line, action=action, means="switch")
        self._pause_for(seconds)
        if Path(unit.faults).exists():
            self._switch(unit, "")
            self._fault("cleared", shape.name, action=action, means="switch")

    def _repair(self, shape: ServiceShape, seconds: float) -> None:
        self._pause_for(seconds)
        self.reset_failed(shape, "", 0)

    # -- faults from outside --

    def pause(self, shape: ServiceShape, action: str, seconds: float) -> None:
        pids = read_pids(shape.action(action).cgroup)
        if shape.action(action).oneshot or not pids:
            return
        at = time.monotonic()
        for pid in pids:
            send_signal(pid, signal.SIGSTOP)
        self._fault("stopped by SIGSTOP" if seconds > 3 else "stopped by SIGSTOP for a moment", shape.name, at,
                    action=action, means="signal")
        self._pause_for(seconds)
        for pid in pids:
            send_signal(pid, signal.SIGCONT)
        self._fault("cleared", shape.name, action=action, means="signal")

    def _end(self, kind: str, shape: ServiceShape, action: str, number: int) -> None:
        unit = shape.action(action)
        pids = read_pids(unit.cgroup)
        if pids and not unit.oneshot:
            self._fault(kind, shape.name, ends=[unit.unit], action=action)
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
            self._fault("crashed", shape.name, ends=[unit.unit], action=action)
            self._switch(unit, f"crash {code}\n")

    # -- operations --

    def _shadows(self, shape: ServiceShape, verb: str) -> None:
        """Whoever is needed may be started along with it."""
        for name in shape.requires:
            with Operation(self.teller, name, f"{verb} (for {shape.name})", wanted="up"):
                pass
            self._shadows(self.shapes[name], verb)

    def _change(self, member: str, verb: str, shape: ServiceShape, no_wait: bool, **fields: Any) -> None:
        # One that waits for another service is answered when that one is at rest, and done when it is well again.
        lingers = {"lingers": WAITS_WITHIN_SECONDS if shape.requires else MOVES_WITHIN_SECONDS} \
            if no_wait or shape.requires else {}
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
        with self._apply_locks[shape.name]:
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
        """And makes it again, from its first definition. Nobody else applies anything to it in the meantime."""
        if any(shape.name in other.requires for other in self.shapes.values()):
            return
        with self._apply_locks[shape.name]:
            with Operation(self.teller, shape.name, "remove", wanted="down", definition=REMOVED,
                           is_restart=True) as operation:
                self.client().call(operation, "RemoveService", "st", shape.name, 0)
            self._pause_for(seconds)
            text = self.texts[shape.name] = json.dumps(shape.definition)
            for _ in range(100):
                with Operation(self.teller, shape.name, "create", definition=text, wanted="up", is_restart=True,
                               lingers=MOVES_WITHIN_SECONDS) as operation:
                    answer, _ = self.client().call(operation, "ApplyDefinitions", "ast", [text], 0)
                    # The removal may have been refused, and then it is no new service, and wanted as before.
                    operation.wrote_no_wish = operation.outcome == "done" and answer[0][0][1] != "created"
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
        wish = {"wanted": "down"} if processes else {}  # of a oneshot that is done there is nothing to stop
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
