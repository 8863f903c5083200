# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs inside a sandbox and does what Agent.call() in box.py asks: one JSON object a line in, one a line out.

Entering a sandbox costs 10 ms, which is too much where 100 ms are the claim. A function sent here can kill a process,
watch what follows and measure the time between, all in one place. What is defined in this file is what such a function
finds ready to use. Nothing here asks hero_proc for more than what is being tested: HTTP and the process lists are
this file's own, so that they can contradict it.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import select
import signal  # noqa: F401  (for the functions that are sent here, as are the next two)
import socket
import struct
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any, Callable

CGROUPS = Path("/sys/fs/cgroup")


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a unix socket; http.client does the rest."""

    def __init__(self, path: str, timeout: float):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def http_request(address: str | int, path: str = "/", method: str = "GET", body: str | None = None,
                 headers: dict[str, str] | None = None, timeout: float = 5.0) -> tuple[int | None, str]:
    """(status, body) of one complete answer from a socket path or a TCP port; (None, why not) where there is none."""
    if isinstance(address, int):
        connection = http.client.HTTPConnection("127.0.0.1", address, timeout=timeout)
    else:
        connection = _SocketConnection(address, timeout)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return None, f"{type(error).__name__}: {error}"
    finally:
        connection.close()


def processes_in_cgroup(control_group: str) -> list[int]:
    """All processes in a cgroup and those below it, as the kernel says."""
    pids: set[int] = set()
    for folder, _, _ in os.walk(CGROUPS / control_group.lstrip("/")):
        try:
            pids.update(int(line) for line in Path(folder, "cgroup.procs").read_text().split())
        except OSError:  # it went away while we looked: before (ENOENT) or after (ENODEV) it was opened
            pass
    return sorted(pids)


def footprint(pid: int) -> dict[str, int]:
    """Anonymous memory in KiB, and open file descriptors, of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {"rss": next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")),
            "fds": len(os.listdir(f"/proc/{pid}/fd"))}


def call_bus(service: str, path: str, interface: str, member: str, signature: str = "", *values: Any,
             user: bool = False, timeout: float = 25.0) -> list[Any]:
    """What a D-Bus method answers, as plain lists and values. Raises with the bus's own words when it is an error."""
    words = ["busctl", "--user" if user else "--system", "--json=short", f"--timeout={timeout}",
             "call", service, path, interface, member]
    if signature:
        words += [signature, *(str(value) for value in values)]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout)["data"] if done.stdout.strip() else []


class RawBus:
    """A connection to the bus that sends what busctl does not: strings of any size (a command line ends at 128 KiB), and
    arguments that a member does not take. Knows the types s, t, i and as."""

    def __init__(self, user: bool = False, patience_seconds: float = 25):
        path = f"{os.environ['XDG_RUNTIME_DIR']}/bus" if user else "/run/dbus/system_bus_socket"
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(patience_seconds)
        self._socket.connect(path)
        self._socket.sendall(b"\0AUTH EXTERNAL %s\r\n" % str(os.getuid()).encode().hex().encode())
        assert self._socket.recv(256).startswith(b"OK ")
        self._socket.sendall(b"BEGIN\r\n")
        self._serial, self._body_read = 0, b""
        self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello")

    def __enter__(self) -> RawBus:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    @staticmethod
    def _pad(data: bytes, alignment: int) -> bytes:
        return data + b"\0" * (-len(data) % alignment)

    @classmethod
    def _string(cls, before: bytes, text: str) -> bytes:
        raw = text.encode()
        return cls._pad(before, 4) + struct.pack("<I", len(raw)) + raw + b"\0"

    @classmethod
    def _body(cls, signature: str, values: tuple) -> bytes:
        body, kinds = b"", signature.replace("as", "S")
        for kind, value in zip(kinds, values):
            if kind == "s":
                body = cls._string(body, value)
            elif kind == "S":
                body = cls._pad(body, 4)
                strings = b""
                for text in value:
                    strings = cls._pad(strings, 4) + struct.pack("<I", len(text.encode())) + text.encode() + b"\0"
                body += struct.pack("<I", len(strings)) + strings
            else:
                size, code = (8, "<Q") if kind == "t" else (4, "<i")
                body = cls._pad(body, size) + struct.pack(code, value)
        return body

    def _read_exactly(self, n: int) -> bytes:
        data = b""
        while len(data) < n:
            got = self._socket.recv(min(n - len(data), 1 << 20))
            if not got:
                raise RuntimeError("the bus has closed the connection")
            data += got
        return data

    def _read_message(self) -> tuple[int, bytes, bytes]:
        start = self._read_exactly(16)
        n_body, _, n_fields = struct.unpack("<III", start[4:16])
        fields = self._read_exactly(n_fields + -n_fields % 8)
        self._body_read = self._read_exactly(n_body)
        return start[1], fields, self._body_read

    def call(self, service: str, path: str, interface: str, member: str, signature: str = "",
             *values: Any) -> tuple[str, int]:
        """(the error's name, "" for none; the bytes of the answer)"""
        self.send(service, path, interface, member, signature, *values)
        return self.receive()

    def send(self, service: str, path: str, interface: str, member: str, signature: str = "", *values: Any,
             may_interact: bool = False) -> None:
        """The first half of call(): several may be sent before the first answer is read."""
        body = self._body(signature, values)
        fields = b""
        for code, kind, text in ((1, "o", path), (6, "s", service), (2, "s", interface), (3, "s", member)):
            fields = self._pad(fields, 8) + bytes([code, 1]) + kind.encode() + b"\0"
            fields = self._string(fields, text)
        if signature:
            fields = self._pad(fields, 8) + b"\x08\x01g\0" + bytes([len(signature)]) + signature.encode() + b"\0"
        self._serial += 1
        start = struct.pack("<cBBBIII", b"l", 1, 4 * may_interact, 1, len(body), self._serial, len(fields))
        self._socket.sendall(self._pad(start + fields, 8) + body)

    def _receive(self) -> tuple[int, str, int]:
        while True:
            kind, fields, body = self._read_message()
            if kind not in (2, 3):
                continue
            # Field 5, the serial of what is answered, stands on an 8 byte boundary, as every field does.
            serial = next(struct.unpack_from("<I", fields, i + 4)[0] for i in range(0, len(fields), 8)
                          if fields[i:i + 4] == b"\x05\x01u\0")
            error = re.search(rb"\x04\x01s\0.{4}([\w.]+)", fields, re.DOTALL).group(1).decode() if kind == 3 else ""
            return serial, error, len(body)

    def last_text(self) -> str:
        """What the last answer held, where that was one string."""
        size, = struct.unpack("<I", self._body_read[:4])
        return self._body_read[4:4 + size].decode()

    def receive(self) -> tuple[str, int]:
        """The next answer, as call() returns it."""
        return self._receive()[1:]

    def receive_from(self) -> tuple[int, str]:
        """The next answer: the number of the message that it answers (Hello is 1), and the error's name, "" for none."""
        return self._receive()[:2]


def hero_services(user: bool = False) -> dict[str, dict[str, str]]:
    """What hero_proc's ListServices says now: name → state, reason, wanted, path."""
    rows = call_bus("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", "ListServices", user=user)[0]
    return {row[0]: dict(zip(("state", "reason", "wanted", "path"), row[1:])) for row in rows}


def seconds_until(is_so: Callable[[], Any], timeout: float, pause: float = 0.002) -> float | None:
    """How long it takes until is_so() is true; None when it was not within the time."""
    began = time.monotonic()
    while True:
        if is_so():
            return time.monotonic() - began
        if time.monotonic() - began > timeout:
            return None
        time.sleep(pause)


class Signals:
    """The signals that match a D-Bus match rule, from the moment the object is made; for `with`."""

    _MARK = "org.hero.test.Mark"

    def __init__(self, match: str, user: bool = False):
        self._bus = ["busctl", "--user" if user else "--system"]
        matches = [f"--match={match}", f"--match=type='signal',interface='{self._MARK}'"]
        self._monitor = subprocess.Popen([*self._bus, "--json=short", *matches, "monitor"], stdout=subprocess.PIPE,
                                         stderr=subprocess.DEVNULL, bufsize=0)
        self._unread = b""
        self._await_monitor()

    def _await_monitor(self) -> None:
        """busctl does not tell when it listens (257 says nothing at all): what we send ourselves must come back."""
        for _ in range(100):
            subprocess.run([*self._bus, "emit", "/", self._MARK, "Mark"], check=True)
            if self._read(0.05):
                return
        raise RuntimeError("busctl monitor does not hear what is sent")

    def __enter__(self) -> Signals:
        return self

    def __exit__(self, *_: object) -> None:
        self._monitor.kill()
        self._monitor.wait()
        self._monitor.stdout.close()

    def _read(self, timeout: float) -> dict[str, Any] | None:
        deadline = time.monotonic() + timeout
        while b"\n" not in self._unread:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._monitor.stdout], [], [], left)[0]:
                return None
            got = os.read(self._monitor.stdout.fileno(), 65536)
            if not got:
                raise RuntimeError("busctl monitor has ended")
            self._unread += got
        line, self._unread = self._unread.split(b"\n", 1)
        return json.loads(line)

    def next(self, timeout: float) -> dict[str, Any] | None:
        """The next message as busctl puts it into JSON (payload.data holds the arguments), or None in time."""
        deadline = time.monotonic() + timeout
        while True:
            message = self._read(max(deadline - time.monotonic(), 0))
            if message is None or message.get("interface") != self._MARK:
                return message


class PromptStateChanges(RawBus):
    """The StateChanged signals of all services, each with the time at which it came off the bus: no other process, which
    takes its own time, stands between."""

    def __init__(self) -> None:
        super().__init__()
        self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s",
                  "type='signal',interface='org.hero.Proc1.Manager',member='StateChanged'")

    def next(self, timeout: float) -> tuple[float, str, str, str, str] | None:
        """(CLOCK_MONOTONIC, service, old, new, reason), or None in time."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0 and select.select([self._socket], [], [], left)[0]:
            kind, fields, body = self._read_message()
            at = time.monotonic()
            if kind != 4 or b"StateChanged" not in fields:
                continue
            words, where = [], 0
            for _ in range(4):
                where += -where % 4
                n = struct.unpack_from("<I", body, where)[0]
                words.append(body[where + 4:where + 4 + n].decode())
                where += 4 + n + 1
            return at, *words
        return None

    def until(self, service: str, states: tuple[str, ...], timeout: float) -> tuple[float, str, str, str, str]:
        """The first that takes a service into one of the states."""
        deadline = time.monotonic() + timeout
        while change := self.next(deadline - time.monotonic()):
            if change[1] == service and change[3] in states:
                return change
        raise RuntimeError(f"{service} is none of {', '.join(states)} after {timeout} s")


class StateChanges(Signals):
    """What hero_proc says of one service while it says it: the StateChanged signals, for `with`."""

    def __init__(self, service: str):
        super().__init__("type='signal',interface='org.hero.Proc1.Manager',member='StateChanged'")
        self._service = service

    def next_change(self, timeout: float) -> dict[str, Any] | None:
        """The next one as {at (CLOCK_MONOTONIC), old, new, reason}, or None in time."""
        deadline = time.monotonic() + timeout
        while True:
            message = self.next(max(deadline - time.monotonic(), 0))
            if message is None:
                return None
            name, old, new, reason = message["payload"]["data"]
            if name == self._service:
                return {"at": time.monotonic(), "old": old, "new": new, "reason": reason}

    def until(self, state: str, timeout: float) -> list[dict[str, Any]]:
        """All changes up to the first one into that state; without it, all that there were in the time."""
        deadline = time.monotonic() + timeout
        seen: list[dict[str, Any]] = []
        while not seen or seen[-1]["new"] != state:
            change = self.next_change(max(deadline - time.monotonic(), 0))
            if change is None:
                break
            seen.append(change)
        return seen


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    names = dict(globals())
    try:
        exec(compile(request["source"], request["where"], "exec"), names)  # pylint: disable=exec-used
        return {"result": names[request["name"]](*request["arguments"])}
    except Exception:  # pylint: disable=broad-except
        return {"error": traceback.format_exc()}


def main() -> None:
    # What the functions print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(_answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
