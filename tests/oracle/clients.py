# SPDX-License-Identifier: LGPL-2.1-or-later
"""Those who ask hero_proc for changes, and tell the oracle of each before they do; and the ways to reach past it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from dbus_wire import Closed, Connection
from truth import read_pids

NAME, PATH, MANAGER = "org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager"
SERVER_CGROUP = "system.slice/hero_proc.service"


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
        self.wrote_no_wish = False  # it turned out to leave what is wanted as it was
        self._number = teller.number()

    def __enter__(self) -> Operation:
        self._teller.tell("begin", number=self._number, service=self._service, verb=self._verb,
                          start=time.monotonic(), **self._fields)
        return self

    def __exit__(self, *_: object) -> None:
        self._teller.tell("end", number=self._number, service=self._service, end=time.monotonic(),
                          outcome=self.outcome, answer=self.answer, wrote_no_wish=self.wrote_no_wish)


class Client:
    """One client's connection to the bus, made again when it was lost."""

    asking, answered = threading.Event(), threading.Event()  # any of them, for a change: those who kill the server wait for it

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
            if operation:
                self.asking.set()
            answer, error = self._bus.call_and_wait(NAME, PATH, MANAGER, member, signature, values, timeout)
        except (OSError, Closed) as gone:
            answer, error = None, f"closed: {gone}"
        if error.startswith("closed") or error == "timeout":
            if self._bus:
                self._bus.close()
            self._bus = None
        if operation:
            if not error:
                self.answered.set()
            operation.answer = error or str(answer)[:80]
            operation.outcome = "done" if not error else "refused" if self._is_refusal(member, error) else "lost"
        return answer, error

    @staticmethod
    def _is_refusal(member: str, error: str) -> bool:
        """The server's own words. A removal that is said to be busy goes on all the same, and so does a restart that
        another service holds back."""
        if error.endswith((".ServiceUnknown", ".NameHasNoOwner", ".InvalidArgs")):
            return True
        goes_on = {"RemoveService": ".Busy", "RestartService": ".StartFailed"}.get(member)
        return error.startswith("org.hero.Proc1.Error.") and not (goes_on and error.endswith(goes_on))


def run(*words: str, timeout: float = 60.0) -> int:
    try:
        return subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=timeout, check=False).returncode
    except subprocess.TimeoutExpired:
        return -1


def server_pid() -> int:
    pids = read_pids(SERVER_CGROUP)
    return pids[0] if pids else 0


def is_server(pid: int) -> bool:
    """Not PID 1's child, on its way to become it."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="ascii") == "hero_proc_serve\n"
    except (FileNotFoundError, ProcessLookupError):
        return False


def send_signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False
