# SPDX-License-Identifier: LGPL-2.1-or-later
"""A D-Bus client of the oracle's own, in the standard library's means: so that what it says of systemd and of hero_proc
rests on no code that either of them uses. Little endian, and the types that it meets.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from typing import Any, Callable

SYSTEM_BUS = "/run/dbus/system_bus_socket"
SYSTEMD_PRIVATE = "/run/systemd/private"  # systemd without a bus between: goes on while the bus is restarted
NO_AUTO_START = 2

_ALIGNMENT = {"y": 1, "b": 4, "n": 2, "q": 2, "i": 4, "u": 4, "x": 8, "t": 8, "d": 8, "s": 4, "o": 4, "g": 1, "a": 4,
              "(": 8, "{": 8, "v": 1, "h": 4}
_FORMAT = {"y": "<B", "b": "<I", "n": "<h", "q": "<H", "i": "<i", "u": "<I", "x": "<q", "t": "<Q", "d": "<d", "h": "<I"}

Reply = Callable[[Any, str], None]  # (values, "") or (None, the error's name)


class Closed(Exception):
    """The other side is gone."""


def _pad(n: int, alignment: int) -> int:
    return -n % alignment


def _split(signature: str) -> list[str]:
    """The complete types of a signature."""
    types, i = [], 0
    while i < len(signature):
        start = i
        while signature[i] == "a":
            i += 1
        if signature[i] in "({":
            depth, opening = 1, signature[i]
            closing = ")" if opening == "(" else "}"
            while depth:
                i += 1
                depth += {opening: 1, closing: -1}.get(signature[i], 0)
        i += 1
        types.append(signature[start:i])
    return types


# -- reading: each type becomes a function of (data, position) → (value, position), made once --

_readers: dict[str, Callable[[bytes, int], tuple[Any, int]]] = {}


def _reader(kind: str) -> Callable[[bytes, int], tuple[Any, int]]:
    if kind not in _readers:
        _readers[kind] = _make_reader(kind)
    return _readers[kind]


def _make_reader(kind: str) -> Callable[[bytes, int], tuple[Any, int]]:
    code = kind[0]
    if code in "so":
        return _read_string
    if code == "g":
        return _read_signature
    if code == "v":
        return _read_variant
    if code in "({":
        return _struct_reader([_reader(member) for member in _split(kind[1:-1])])
    if code == "a":
        return _array_reader(_reader(kind[1:]), _ALIGNMENT[kind[1]], kind[1] == "{")
    unpack, size = struct.Struct(_FORMAT[code]).unpack_from, struct.calcsize(_FORMAT[code])

    def read_number(data: bytes, at: int) -> tuple[Any, int]:
        at += -at % size
        return unpack(data, at)[0], at + size
    return read_number


_u32 = struct.Struct("<I").unpack_from


def _read_string(data: bytes, at: int) -> tuple[str, int]:
    at += -at % 4
    end = at + 4 + _u32(data, at)[0]
    return data[at + 4:end].decode(errors="replace"), end + 1


def _read_signature(data: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + data[at]
    return data[at + 1:end].decode(), end + 1


def _read_variant(data: bytes, at: int) -> tuple[Any, int]:
    kind, at = _read_signature(data, at)
    return _reader(kind)(data, at)


def _struct_reader(members: list[Callable]) -> Callable[[bytes, int], tuple[Any, int]]:
    def read_struct(data: bytes, at: int) -> tuple[Any, int]:
        at += -at % 8
        values = []
        for member in members:
            value, at = member(data, at)
            values.append(value)
        return tuple(values), at
    return read_struct


def _array_reader(element: Callable, alignment: int, is_dict: bool) -> Callable[[bytes, int], tuple[Any, int]]:
    def read_array(data: bytes, at: int) -> tuple[Any, int]:
        at += -at % 4
        n = _u32(data, at)[0]
        at += 4
        at += -at % alignment
        end, values = at + n, []
        while at < end:
            value, at = element(data, at)
            values.append(value)
        return (dict(values) if is_dict else values), at
    return read_array


def unmarshal(signature: str, data: bytes) -> list[Any]:
    values, at = [], 0
    for kind in _split(signature):
        value, at = _reader(kind)(data, at)
        values.append(value)
    return values


# -- writing --

def _write(out: bytearray, kind: str, value: Any) -> None:
    code = kind[0]
    out += bytes(_pad(len(out), _ALIGNMENT[code]))
    if code in "so":
        raw = value.encode()
        out += struct.pack("<I", len(raw)) + raw + b"\0"
    elif code == "g":
        out += bytes([len(value)]) + value.encode() + b"\0"
    elif code == "a":
        elements = bytearray()
        base = len(out) + 4
        base += _pad(base, _ALIGNMENT[kind[1]])
        shift = base % 8
        elements += bytes(shift)  # so that alignment inside counts from where the array will stand
        for element in value:
            _write(elements, kind[1:], element)
        out += struct.pack("<I", len(elements) - shift)
        out += bytes(_pad(len(out), _ALIGNMENT[kind[1]])) + elements[shift:]
    elif code == "(":
        for member, element in zip(_split(kind[1:-1]), value):
            _write(out, member, element)
    else:
        out += struct.pack(_FORMAT[code], value)


def marshal(signature: str, values: tuple) -> bytes:
    out = bytearray()
    for kind, value in zip(_split(signature), values):
        _write(out, kind, value)
    return bytes(out)


class Connection:
    """One connection. Calls are sent without waiting; process() reads what has come and hands it to who waits for it."""

    def __init__(self, path: str = SYSTEM_BUS, on_signal: Callable[[str, str, list[Any]], None] | None = None):
        self._on_signal = on_signal
        self._waiting: dict[int, Reply] = {}
        self._serial = 0
        self._unread = bytearray()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(5)
        try:
            self.socket.connect(path)
            self._authenticate()
            if path == SYSTEM_BUS:
                self.call_and_wait("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello")
        except (OSError, Closed):
            self.socket.close()
            raise

    def _authenticate(self) -> None:
        self.socket.sendall(b"\0AUTH EXTERNAL %s\r\n" % str(os.getuid()).encode().hex().encode())
        if not self.socket.recv(256).startswith(b"OK "):
            raise Closed("refused")
        self.socket.sendall(b"BEGIN\r\n")

    def is_lost(self) -> bool:
        """Whether the other side has gone while nobody was listening; closes then."""
        try:
            while select.select([self.socket], [], [], 0)[0]:
                self.read_available()
                self.process()
            return False
        except Closed:
            self.close()
            return True

    def fileno(self) -> int:
        return self.socket.fileno()

    def close(self) -> None:
        self.socket.close()
        waiting, self._waiting = self._waiting, {}
        for reply in waiting.values():
            reply(None, "closed")

    def call(self, service: str, path: str, interface: str, member: str, signature: str = "", values: tuple = (),
             reply: Reply | None = None, flags: int = NO_AUTO_START) -> int:
        body = marshal(signature, values)
        fields = bytearray()
        pairs = [(1, "o", path), (6, "s", service), (2, "s", interface), (3, "s", member)]
        if signature:
            pairs.append((8, "g", signature))
        for code, kind, text in pairs:
            fields += bytes(_pad(len(fields), 8)) + bytes([code, 1]) + kind.encode() + b"\0"
            _write(fields, kind, text)
        self._serial += 1
        start = struct.pack("<cBBBIII", b"l", 1, flags, 1, len(body), self._serial, len(fields)) + fields
        if reply:
            self._waiting[self._serial] = reply
        try:
            self.socket.sendall(start + bytes(_pad(len(start), 8)) + body)
        except OSError as error:
            raise Closed(str(error)) from error
        return self._serial

    def read_available(self) -> None:
        """Reads once, as much as there is; raises Closed at the end."""
        try:
            got = self.socket.recv(1 << 20)
        except OSError as error:
            raise Closed(str(error)) from error
        if not got:
            raise Closed("end of the connection")
        self._unread += got

    def process(self) -> None:
        """What was read becomes replies and signals."""
        while (message := self._take()) is not None:
            kind, fields, body = message
            signature = fields.get(8, "")
            if kind in (2, 3):
                reply = self._waiting.pop(fields.get(5, 0), None)
                if reply:
                    if kind == 2:
                        reply(unmarshal(signature, body), "")
                    else:
                        reply(None, fields.get(4, "error"))
            elif kind == 4 and self._on_signal:
                self._on_signal(fields.get(3, ""), fields.get(1, ""), unmarshal(signature, body))

    def _take(self) -> tuple[int, dict[int, Any], bytes] | None:
        if len(self._unread) < 16:
            return None
        n_body, _, n_fields = struct.unpack_from("<III", self._unread, 4)
        n_head = 16 + n_fields + _pad(n_fields, 8)
        if len(self._unread) < n_head + n_body:
            return None
        raw = bytes(self._unread[:n_head + n_body])
        del self._unread[:n_head + n_body]
        fields, _ = _reader("a(yv)")(raw[:16 + n_fields], 12)
        return raw[1], dict(fields), raw[n_head:]

    def call_and_wait(self, service: str, path: str, interface: str, member: str, signature: str = "",
                      values: tuple = (), timeout: float = 30.0, flags: int = NO_AUTO_START) -> tuple[Any, str]:
        """(values, "") or (None, the error's name); for programs that may wait."""
        answers: list[tuple[Any, str]] = []
        self.call(service, path, interface, member, signature, values, lambda v, e: answers.append((v, e)), flags)
        deadline = time.monotonic() + timeout
        while not answers:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return None, "timeout"
            self.read_available()
            self.process()
        return answers[0]
