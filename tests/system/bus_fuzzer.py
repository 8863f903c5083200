#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls every member of org.hero.Proc1 with hostile arguments, as dfuzzer does; runs inside a sandbox, as its caller's user.

    bus_fuzzer.py SEED ROUNDS [--spare NAME...]

Members and signatures are the server's own word. The values are what callers get wrong, by mistake or not; a second half of
the calls has arguments that the member does not take at all. With --spare (for root, who may do everything) no list is
empty and nothing that is valid is among the values, so that not one of the calls may succeed in changing something.

Prints JSON: how many calls, by how they were answered, and whether "marker" stood in an answer.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import struct
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any, Iterator

sys.path.insert(0, str(Path(__file__).resolve().parent))
from agent import RawBus  # noqa: E402  pylint: disable=wrong-import-position

NAME, ROOT = "org.hero.Proc1", "/org/hero/Proc1"
BATCH = 32  # calls under way
ALIGNMENT = {"y": 1, "g": 1, "v": 1, "n": 2, "q": 2, "b": 4, "i": 4, "u": 4, "s": 4, "o": 4, "a": 4}
NUMBERS = {"y": "B", "n": "h", "q": "H", "b": "I", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d"}
NAMES = ["", "-", ".", "..", "/", "../../etc/passwd", "no-such-service", "a" * 64, "a" * 100_000, "no such", "\n", "%s%n%x",
         "$(reboot)", "\u202egnp", "\U0001f600" * 50, "hero_proc", "_", "org.hero.Proc1.Service", "'; DROP TABLE service;--",
         "\x7f\x01", "a\\x2db", "web2", "WEB", "web ", " web"]
TEXTS = NAMES + ["{}", "[]", "null", "{", "[" * 5000, '{"a":' * 3000, '{"name":"fuzz"}', '{"name":"fuzz","exec":[]}',
                 '{"name":"fuzz","exec":""}', '{"name":"..","exec":"x"}', '{"name":"fuzz","exec":"x","exec":"y"}',
                 '{"name":"fuzz","exec":"x","sockets":["../x"]}', '{"name":"fuzz","exec":"x","sockets":5}',
                 '{"name":"fuzz","exec":"x","requires":["fuzz"]}', '{"name":"fuzz","exec":"x","after":[null]}',
                 '{"name":"fuzz","exec":"x","restart":{"delay_ms":1e400}}', '{"name":"fuzz","exec":"x","env":{"A":1}}',
                 '{"name":"fuzz","exec":"x","probe":{"port":0}}', '{"name":"fuzz","exec":"x","umask":"9999"}',
                 '{"name":"fuzz","exec":"x","systemd":{"ExecStart":"y"}}', '{"name":"fuzz","exec":"x"} trailing',
                 '{"name":"fuzz","exec":"x","stop_timeout_ms":-1}', '{"name":"fuzz","actions":{"a":{},"a":{}}}',
                 '{"name":"fuzz","exec":["' + "x" * 200_000 + '"]}', '{"name":"\\ud800","exec":"x"}']
INTEGERS = [0, 1, 2, 3, 4, 7, 8, 15, 16, 255, 1 << 15, 1 << 31, (1 << 31) - 1, (1 << 32) - 1, 1 << 62, (1 << 63) - 1, 1 << 63,
            (1 << 64) - 1]
SIGNATURES = ["s", "st", "as", "ast", "t", "", "v", "a{sv}", "(ss)", "aas", "ssst", "x", "d", "o", "g", "aay", "a(sss)", "y" * 200]


def next_type(signature: str) -> str:
    """The first complete type."""
    if signature[0] == "a":
        return "a" + next_type(signature[1:])
    depth = 0
    for i, letter in enumerate(signature):
        depth += (letter in "({") - (letter in ")}")
        if depth == 0:
            return signature[:i + 1]
    raise ValueError(signature)


def types_of(signature: str) -> Iterator[str]:
    while signature:
        first = next_type(signature)
        yield first
        signature = signature[len(first):]


class Values:
    """Makes hostile values."""

    def __init__(self, seed: int, spares: bool):
        self.random = random.Random(seed)
        self.spares = spares

    def make(self, kind: str, depth: int = 0) -> Any:
        pick = self.random.choice
        if kind in "so" and len(kind) == 1:
            return pick(TEXTS) if kind == "s" else pick(["/", ROOT, f"{ROOT}/service/web", "/a" * 200])
        if kind == "g":
            return pick(SIGNATURES[:8])
        if kind == "v":
            inner = pick(["s", "t", "as", "a{sv}", "v"] if depth < 4 else ["s", "t"])
            return (inner, self.make(inner, depth + 1))
        if kind == "d":
            return pick([0.0, -1.0, float("nan"), float("inf")])
        if kind == "b":
            return pick([0, 1])
        if kind in NUMBERS:
            size = struct.calcsize(NUMBERS[kind]) * 8
            value = pick(INTEGERS) % (1 << size)
            return value - (1 << size) if NUMBERS[kind].islower() and value >= 1 << (size - 1) else value
        if kind[0] == "a":
            n = pick([0, 1, 1, 2, 3, 50, 4500] if kind == "as" else [0, 1, 1, 2, 3])
            items = [self.make(kind[1:], depth + 1) for _ in range(max(n, 1) if self.spares else n)]
            return [text[:20] for text in items] if len(items) > 3 and kind == "as" else items
        return [self.make(inner, depth + 1) for inner in types_of(kind[1:-1])]


def marshal(data: bytes, kind: str, value: Any) -> bytes:
    def pad(text: bytes, alignment: int) -> bytes:
        return text + b"\0" * (-len(text) % alignment)

    if kind in NUMBERS:
        data = pad(data, struct.calcsize(NUMBERS[kind]))
        return data + struct.pack("<" + NUMBERS[kind], value)
    if kind in ("s", "o"):
        raw = value.encode()
        return pad(data, 4) + struct.pack("<I", len(raw)) + raw + b"\0"
    if kind == "g":
        return data + bytes([len(value)]) + value.encode() + b"\0"
    if kind == "v":
        return marshal(data + bytes([len(value[0])]) + value[0].encode() + b"\0", *value)
    if kind[0] == "a":
        data = pad(data, 4) + b"\0\0\0\0"
        place = len(data)
        data = pad(data, 8 if kind[1] in "({xtd" else ALIGNMENT[kind[1]])
        start = len(data)
        for item in value:
            data = marshal(data, kind[1:], item)
        return data[:place - 4] + struct.pack("<I", len(data) - start) + data[place:]
    data = pad(data, 8)
    for inner, item in zip(types_of(kind[1:-1]), value):
        data = marshal(data, inner, item)
    return data


class FuzzBus(RawBus):
    """A RawBus that takes values of any type."""

    @classmethod
    def _body(cls, signature: str, values: tuple) -> bytes:
        data = b""
        for kind, value in zip(types_of(signature), values):
            data = marshal(data, kind, value)
        return data

    def _read_exactly(self, n: int) -> bytes:
        data = super()._read_exactly(n)
        self.leaks = getattr(self, "leaks", 0) + data.count(b"marker")
        return data


def introspect(path: str) -> list[tuple[str, str, str, str]]:
    text = subprocess.run(["busctl", "--xml-interface", "introspect", NAME, path], capture_output=True, text=True,
                          check=True).stdout
    return [(path, interface.get("name"), method.get("name"),
             "".join(arg.get("type") for arg in method.findall("arg") if arg.get("direction") != "out"))
            for interface in ElementTree.fromstring(text).findall("interface")
            for method in interface.findall("method")]


def calls(values: Values, rounds: int) -> Iterator[tuple[str, str, str, str, list[Any]]]:
    paths = subprocess.run(["busctl", "tree", "--list", NAME], capture_output=True, text=True, check=True).stdout.split()
    members = [member for path in paths if re.match(r"/org/hero/Proc1(/service/\w+)?$", path) for member in introspect(path)]
    assert {member[2] for member in members} >= {"StartService", "ApplyDefinitions", "Get", "Set", "GetManagedObjects"}
    for _ in range(rounds):
        for path, interface, member, signature in members:
            yield path, interface, member, signature, [values.make(kind) for kind in types_of(signature)]
            wrong = values.random.choice(SIGNATURES)
            if wrong != signature:
                yield path, interface, member, wrong, [values.make(kind) for kind in types_of(wrong)]
            yield (values.random.choice(["/", ROOT, f"{ROOT}/service", f"{ROOT}/service/_", f"{ROOT}/service/_2e_2e", f"{ROOT}/x"]),
                   interface, values.random.choice([member, member + "2", "Set", "x" * 200]), "", [])


def changes_by_right(member: str, signature: str, arguments: list[Any]) -> bool:
    """What root does by such a call may be what he wants: to reset all services, or to ask for all of them."""
    return member == "ResetFailed" and signature == "ast" and not arguments[0]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("seed", type=int)
    parser.add_argument("rounds", type=int)
    parser.add_argument("--spare", action="store_true")
    options = parser.parse_args()
    values = Values(options.seed, options.spare)
    answers: dict[str, int] = {}
    with FuzzBus() as bus:
        pending = 0

        def hear() -> None:
            error = bus.receive()[0]
            answers[error] = answers.get(error, 0) + 1

        for path, interface, member, signature, arguments in calls(values, options.rounds):
            if options.spare and changes_by_right(member, signature, arguments):
                continue
            bus.send(NAME, path, interface, member, signature, *arguments)
            pending += 1
            if pending >= BATCH:
                hear()
                pending -= 1
        for _ in range(pending):
            hear()
        print(json.dumps({"answers": answers, "leaks": bus.leaks}))


if __name__ == "__main__":
    main()
