# SPDX-License-Identifier: LGPL-2.1-or-later
"""What hero_proc says, by each of its faces, as often as it can be asked: rows, with the moment that each is of."""

from __future__ import annotations

import itertools
import json
import os
import selectors
import subprocess
import time
from typing import Any, Callable

from dbus_wire import Closed, Connection
from event_loop import Loop
from judge import Row

LIST_EVERY_SECONDS = 0.03
STATUS_EVERY_SECONDS = 0.3
PROPERTIES_EVERY_SECONDS = 0.3  # of one service, each in its turn
COMMAND_EVERY_SECONDS = 2.0
DEFINITION_EVERY_SECONDS = 0.1
LATE_SECONDS = 30.0  # an answer that has not come by then is given up

NAME, PATH = "org.hero.Proc1", "/org/hero/Proc1"
MANAGER, SERVICE = f"{NAME}.Manager", f"{NAME}.Service"
PROPERTIES, UNKNOWN_OBJECT = "org.freedesktop.DBus.Properties", "org.freedesktop.DBus.Error.UnknownObject"


class RowReader:
    """Asks for rows and hands each on. Says when a server appeared, and which definition it shows of a service."""

    def __init__(self, loop: Loop, on_rows: Callable[[list[Row]], None], on_server: Callable[[float], None],
                 on_definition: Callable[[str, str, float, float], None], names: list[str]):
        self._loop = loop
        self._on_rows, self._on_server, self._on_definition = on_rows, on_server, on_definition
        self._names = names
        self._bus: Connection | None = None
        self._asking: dict[str, float] = {}
        self._paths: dict[str, str] = {}
        self._next_name = 0
        self._turns = itertools.cycle(names)
        self.owner = ""
        self.unanswered_since: float | None = None
        self.longest_silence = 0.0
        self.presence: set[str] = set()
        loop.every(LIST_EVERY_SECONDS, self._ask_list)
        loop.every(STATUS_EVERY_SECONDS, self._ask_status)
        loop.every(PROPERTIES_EVERY_SECONDS, self._ask_properties)
        loop.every(COMMAND_EVERY_SECONDS, self._ask_command)
        loop.every(DEFINITION_EVERY_SECONDS, self._ask_definition)

    def _connect(self) -> bool:
        if self._bus:
            return True
        try:
            self._bus = Connection(on_signal=self._hear_signal)
        except (OSError, Closed):
            return False
        self._loop.watch(self._bus, selectors.EVENT_READ, self._hear)
        for rule in (f"type='signal',interface='{MANAGER}',member='StateChanged'",
                     f"type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='{NAME}'"):
            self._send("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s", (rule,))
        self._send("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetNameOwner", "s", (NAME,),
                   self._take_owner)
        return self._bus is not None

    def _take_owner(self, values: list[Any] | None, error: str) -> None:
        self._follow_owner("" if error or not values else values[0])

    def _follow_owner(self, owner: str) -> None:
        if owner and owner != self.owner:
            self._on_server(time.monotonic())
        self.owner = owner

    def _send(self, *words: Any) -> None:
        try:
            if self._bus:
                self._bus.call(*words)
        except Closed:
            self._lose()

    def _hear(self) -> None:
        try:
            self._bus.read_available()
            self._bus.process()
        except Closed:
            self._lose()

    def _lose(self) -> None:
        bus, self._bus, self.owner = self._bus, None, ""
        self._asking.clear()
        if bus:
            self._loop.unwatch(bus)
            bus.close()

    def _hear_signal(self, member: str, _path: str, values: list[Any]) -> None:
        now = time.monotonic()
        if member == "NameOwnerChanged":
            self._follow_owner(values[2])
        elif member == "StateChanged":
            name, _, state, reason = values
            self._on_rows([Row(now, now, "StateChanged", name, state, reason)])

    def _ask(self, what: str, path: str, interface: str, member: str, signature: str, arguments: tuple,
             take: Callable[[float, list[Any]], None], take_absence: Callable[[float], None] | None = None) -> None:
        asked = self._asking.get(what)
        if asked is not None and time.monotonic() - asked < LATE_SECONDS or not self._connect():
            return
        asked = self._asking[what] = time.monotonic()

        def answer(values: list[Any] | None, error: str) -> None:
            self._asking.pop(what, None)
            if not error:
                take(asked, values)
            elif error == UNKNOWN_OBJECT and take_absence:
                take_absence(asked)
        self._send(NAME, path, interface, member, signature, arguments, answer)

    def _ask_list(self) -> None:
        if self.unanswered_since is None:
            self.unanswered_since = time.monotonic()
        self._ask("list", PATH, MANAGER, "ListServices", "", (), self._take_list)

    def _take_list(self, asked: float, values: list[Any]) -> None:
        now = time.monotonic()
        self.longest_silence = max(self.longest_silence, now - (self.unanswered_since or now))
        self.unanswered_since = None
        self._paths = {row[0]: row[4] for row in values[0]}
        rows = [Row(asked, now, "ListServices", name, state, reason, wanted)
                for name, state, reason, wanted, _ in values[0]]
        self._on_rows(rows)
        for name in self._names:
            if name not in self._paths:
                self._on_definition(name, "", asked, now)

    def _ask_status(self) -> None:
        self._ask("status", PATH, MANAGER, "GetStatus", "ast", ([], 0), self._take_status)

    def _take_status(self, asked: float, values: list[Any]) -> None:
        self._on_rows(rows_of_json(json.loads(values[0]), asked, time.monotonic(), "GetStatus"))

    def _ask_properties(self) -> None:
        name = next(self._turns)
        if name in self._paths:
            self._ask("properties", self._paths[name], PROPERTIES, "GetAll", "s", (SERVICE,),
                      lambda asked, values: self._on_rows([row_of_properties(name, values[0], asked, time.monotonic())]),
                      lambda asked: self._on_definition(name, "", asked, time.monotonic()))

    def _ask_definition(self) -> None:
        name = self._names[self._next_name % len(self._names)]
        self._next_name += 1
        if name in self._paths:
            self._ask("definition", self._paths[name], PROPERTIES, "Get", "ss", (SERVICE, "Definition"),
                      lambda asked, values: self._on_definition(name, values[0], asked, time.monotonic()))

    def _ask_command(self) -> None:
        if "command" in self._asking:
            return
        asked = self._asking["command"] = time.monotonic()
        process = subprocess.Popen(["hero_proc", "--json=short", "list"], stdout=subprocess.PIPE,  # noqa: S603
                                   stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        text = bytearray()

        def read() -> None:
            got = os.read(process.stdout.fileno(), 1 << 20)
            text.extend(got)
            if got:
                return
            self._loop.unwatch(process.stdout)
            process.stdout.close()
            process.wait()
            self._asking.pop("command", None)
            if process.returncode == 0:
                self._on_rows(rows_of_json(json.loads(text), asked, time.monotonic(), "list --json"))
        self._loop.watch(process.stdout, selectors.EVENT_READ, read)


def rows_of_json(rows: list[dict[str, Any]], asked: float, answered: float, source: str) -> list[Row]:
    return [Row(asked, answered, source, row["name"], row["state"], row["reasons"][0]["code"] if row["reasons"] else "",
                row["wanted"], row["reasons"][0]["subject"] if row["reasons"] else "", row["actions"], row["sockets"]) for row in rows]


def row_of_properties(name: str, said: dict[str, Any], asked: float, answered: float) -> Row:
    """Of the object of the service `name`, whatever it says that its name is."""
    code, subject, _ = said["Reasons"][0] if said["Reasons"] else ("", "", "")
    actions = [{"name": action, "main_pid": pid, "invocation_id": invocation}
               for action, _, _, pid, invocation in said["Actions"]]
    sockets = [{"path": path, "state": state} for path, state, _, _ in said["Sockets"]]
    return Row(asked, answered, "Properties", name, said["State"], code, said["Wanted"], subject, actions, sockets)
