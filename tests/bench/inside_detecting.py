# SPDX-License-Identifier: LGPL-2.1-or-later
"""What of detecting.py runs inside the sandbox: it makes the faults, and listens to all who might tell of them, by what each
tells first: the bus for hero_proc and systemd, their log files for monit and supervisord."""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Sequence

from agent import PromptStateChanges, RawBus, http_request
from inside import break_services, end, spawn, wait

LOOK_SECONDS = 0.001  # between two looks into the log files
QUIET_SECONDS = 0.2
UNIT = re.compile(rb"/unit/bench_2d(\w+)_2eservice\0")
FAILED = re.compile(rb"ActiveState\0.{0,8}?\x01s\0.{0,8}?failed\0", re.DOTALL)
MONIT_TELLS = r"\] (?:error|warning) *: '(\w+)'"
HOUSE_FAULTS = {"death": "killed", "vanished": "unlinked", "dead": "dead"}

_watches: dict[str, Any] = {}


class HeroWatch(PromptStateChanges):
    """The first signal after which a service does not count as well any more: `degraded` says no more than that a probe has
    failed, so it has a column of its own."""

    def take(self) -> list[tuple[str, str]]:
        found = []
        while change := self.next(0.0005):
            if change[3] in ("failed", "restarting"):
                found.append(("hero_proc", change[1]))
            elif change[3] == "degraded":
                found.append(("hero_proc, first sign", change[1]))
        return found

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()


class SystemdWatch(RawBus):
    """ActiveState=failed in a PropertiesChanged of systemd's."""

    def __init__(self) -> None:
        super().__init__()
        self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s",
                  "type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.DBus.Properties',"
                  "member='PropertiesChanged',path_namespace='/org/freedesktop/systemd1/unit'")
        self.call("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "Subscribe")

    def take(self) -> list[tuple[str, str]]:
        found = []
        while select.select([self._socket], [], [], 0)[0]:
            _, fields, body = self._read_message()
            unit = UNIT.search(fields)
            if unit and FAILED.search(body):
                                found.append(("systemd alone", unit.group(1).decode()))
        return found

    def fileno(self) -> int:
        return self._socket.fileno()


class LogWatch:
    """New lines of a log file."""

    def __init__(self, who: str, path: str, pattern: str):
        self._who = who
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        os.lseek(self._file, 0, os.SEEK_END)
        self._pattern = re.compile(pattern)
        self._rest = ""

    def close(self) -> None:
        os.close(self._file)

    def take(self) -> list[tuple[str, str]]:
        text = os.read(self._file, 65536).decode()
        if not text:
            return []
        *lines, self._rest = (self._rest + text).split("\n")
        return [(self._who, match.group(1)) for line in lines if (match := self._pattern.search(line))]


def write_files(files: dict[str, str]) -> None:
    for name, text in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600 if path.name == "monitrc" else 0o644)


def start_watched(units: dict[str, list[str]], folder: str) -> None:
    """The services of those that start none or have nobody, as units; then monit, supervisord, and the silent upstream."""
    silent = socket.socket(socket.AF_UNIX)
    silent.bind(f"{folder}/silent.sock")
    silent.listen(1000)  # the kernel takes what comes, and nobody ever reads it
    os.chmod(f"{folder}/silent.sock", 0o666)
    _watches["silent"] = silent
    for unit, (command, path) in units.items():
        text = f"[Service]\nExecStartPre=/bin/rm -f {path}\nExecStart={command}\n"
        Path("/run/systemd/system", unit).write_text(text)
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    subprocess.run(["systemctl", "start", *units], check=True)
    spawn("supervisord", ["/usr/bin/supervisord", "-n", "-c", f"{folder}/supervisord.conf"], f"{folder}/supervisord.out")
    wait(lambda: all(http_request(path, "/health")[0] == 200 for _, path in units.values()), 20, "all units serve")
    spawn("monit", ["/usr/bin/monit", "-I", "-c", f"{folder}/monitrc"], f"{folder}/monit.out")


def await_serving(paths: Sequence[str], timeout: float) -> None:
    wait(lambda: all(http_request(path, "/health", timeout=3)[0] == 200 for path in paths), timeout, "all serve", 0.1)


def watch(folder: str) -> None:
    wait(lambda: os.path.exists(f"{folder}/monit.log"), 10, "monit writes a log")
    _watches["hero"], _watches["systemd"] = HeroWatch(), SystemdWatch()
    _watches["monit"] = LogWatch("monit", f"{folder}/monit.log", MONIT_TELLS)
    _watches["supervisord"] = LogWatch("supervisord", f"{folder}/supervisord.log", r"(?:exited|gave up|stopped): (\w+)")


def watch_house(log: str) -> None:
    """hero_proc and monit alone, which see the same services."""
    wait(lambda: os.path.exists(log), 10, "monit writes a log")
    _watches["hero"], _watches["monit"] = HeroWatch(), LogWatch("monit", log, MONIT_TELLS)


def unwatch_house() -> None:
    _watches.pop("hero").close()
    _watches.pop("monit").close()


def _watchers() -> list[Any]:
    return [_watches[name] for name in ("hero", "systemd", "monit", "supervisord") if name in _watches]


def _buses() -> list[Any]:
    return [watcher for watcher in _watchers() if hasattr(watcher, "fileno")]


def _make(fault: str, name: str, path: str, folder: str) -> None:
    if fault == "death":
        os.kill(int(Path(folder, f"{name}.pid").read_text()), 9)
    elif fault == "vanished":
        os.unlink(path)
    else:
        Path(folder, f"{name}.{fault}").touch()


def _forget_old() -> None:
    """What is on its way from before. A bus that has more to say than a socket holds needs a moment to go on."""
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < QUIET_SECONDS:
        if select.select(_buses(), [], [], QUIET_SECONDS)[0]:
            quiet_since = time.monotonic()
        for watcher in _watchers():
            watcher.take()


def strike(fault: str, hit: dict[str, list[str]], folder: str, timeout: float) -> dict[str, float | None]:
    """Makes the fault, in one service of each, and returns how long each took to tell; None: it did not."""
    _forget_old()
    began: dict[str, float] = {}
    for who, (name, path) in hit.items():
        began[who] = time.monotonic()
        _make(fault, name, path, folder)
    return _told({who: name for who, (name, _) in hit.items()}, began, timeout)


def strike_house(fault: str, name: str, timeout: float) -> dict[str, float | None]:
    """The same in one service that both hero_proc and monit look after."""
    _forget_old()
    began = time.monotonic()
    break_services({name: HOUSE_FAULTS[fault]})
    return _told({"hero_proc": name, "monit": name}, {"hero_proc": began, "monit": began}, timeout)


def _told(hit: dict[str, str], began: dict[str, float], timeout: float) -> dict[str, float | None]:
    told: dict[str, float] = {}
    deadline = time.monotonic() + timeout
    while not set(hit) <= set(told) and time.monotonic() < deadline:
        select.select(_buses(), [], [], LOOK_SECONDS)
        for watcher in _watchers():
            for who, name in watcher.take():
                owner = who.partition(",")[0]
                if owner in hit and name == hit[owner]:
                    told.setdefault(who, time.monotonic() - began[owner])
    told.setdefault("hero_proc, first sign", told.get("hero_proc", timeout))
    return {who: told.get(who) for who in [*hit, "hero_proc, first sign"]}


def unflag(folder: str) -> None:
    for path in [*Path(folder).glob("*.dead"), *Path(folder).glob("*.hung")]:
        path.unlink()


def restore(names: dict[str, list[str]], folder: str) -> None:
    unflag(folder)
    subprocess.run(["hero_proc", "-q", "restart", *names["hero_proc"]], check=True)
    units = [f"bench-{name}.service" for who in ("monit", "systemd alone") for name in names[who]]
    subprocess.run(["systemctl", "restart", *units], check=True)
    subprocess.run(["supervisorctl", "-c", f"{folder}/supervisord.conf", "restart", *names["supervisord"]], check=True,
                   stdout=subprocess.DEVNULL)


def end_watched() -> None:
    end("monit")
    end("supervisord")
