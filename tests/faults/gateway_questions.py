# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a gateway is asked whose allocations or system calls fail, one question of each kind, and what is wrong in an answer.

What looks like an answer has to be the one that comes without a fault: it is asked for again, and compared.
"""

from __future__ import annotations

import json
import re
import socket
import time
from dataclasses import dataclass
from typing import Any, Callable

from agent import RawBus, http_request, processes_in_cgroup

RPC, UI = "/run/hero/hero_proc/rpc.sock", "/run/hero/hero_proc/ui.sock"
WITHIN_SECONDS = 4.0  # less than any limit of the gateway's own: memory that is not there is known at once
RESTARTED = "/hero.slice/hero-idle.slice/hero-idle.service"

Asked = tuple[int | None, str]  # status and body; None: no whole answer, and why


@dataclass
class Question:
    name: str
    ask: Callable[[], Asked]
    fault: Callable[[str], str]  # what is wrong in a body that came with 2xx or 3xx
    awaits_memory: bool = False  # what it waits for comes once there is memory again


def get(address: str, path: str) -> Asked:
    return http_request(address, path, timeout=WITHIN_SECONDS)


def post(body: Any) -> Asked:
    return http_request(RPC, "/rpc", "POST", json.dumps(body), {"Content-Type": "application/json"}, WITHIN_SECONDS)


def rpc(method: str, *params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)}


# What is wrong

def says_what_it_lacks(text: str) -> bool:
    return any(words in text for words in ('"truncated":true', '"truncated": true', "Not all of it is shown.",
                                           "Nothing is known:", "hero_proc_server cannot be asked.", "heroproc_server_up 0\n"))


def shape(text: str) -> str:
    """Without what differs from one moment to the next."""
    text = re.sub(r'<svg.*?</svg>|<time.*?</time>|"recent": ?[][\d, ]+', "", text, flags=re.DOTALL)
    text = re.sub(r"[\d.]+(e[-+]\d+)?(µs|ms|s|min|h|d)?", "#", text)
    return text.replace(", in #", "").replace(" is being asked", " is asked again")


def difference(text: str, all_of_it: str) -> str:
    found, wanted = (re.split(r"\n|(?<=>)|(?<=,)", shape(document)) for document in (text, all_of_it))
    if found == wanted or says_what_it_lacks(text):
        return ""
    lacks = [part for part in wanted if part not in found]
    return f"not the answer that comes without a fault: it lacks {lacks[:3]}, {len(found)} parts of {len(wanted)}"


def fault_of_error(error: dict[str, Any]) -> str:
    """An error of JSON-RPC that is nobody's fault but ours has to say so."""
    data = error.get("data") or {}
    if data.get("code_name") not in ("internal-error", "server-unreachable", "busy") or not error.get("message"):
        return f"an error that it is not: {error}"
    if "form that is not known" in error["message"] or "too many" in error["message"]:
        return f"an error that it is not: {error['message']}"
    return ""


def whole(ask: Callable[[], Asked]) -> str:
    """The answer without a fault, once all is well again: a bus that was lost may be on its way back still."""
    deadline = time.monotonic() + 5
    status, text = ask()
    while (status != 200 or says_what_it_lacks(text)) and time.monotonic() < deadline:
        time.sleep(0.01)
        status, text = ask()
    return text


def held_against(ask: Callable[[], Asked], compare: Callable[[str, str], str]) -> Callable[[str], str]:
    """What it tells of may have changed in between, and change back: a probe is under way, or it is not."""
    def fault(text: str) -> str:
        deadline = time.monotonic() + 2
        while (what := compare(text, whole(ask))) and time.monotonic() < deadline:
            time.sleep(0.01)
        return what
    return fault


def difference_of_rpc(text: str, all_of_it: str) -> str:
    """Each answer of a batch by itself; one that says that it failed needs no more."""
    found, wanted = (document if isinstance(document, list) else [document] for document in map(json.loads, (text, all_of_it)))
    if len(found) != len(wanted):
        return f"{len(found)} answers of {len(wanted)}"
    for answer, expected in zip(found, wanted):
        what = difference(json.dumps(answer), json.dumps(expected))
        if what and "error" in answer and "id" in answer:
            what = fault_of_error(answer["error"])
        if what:
            return what
    return ""


# Questions of more than one step

def read_until(connection: socket.socket, text: bytes, end: re.Pattern[bytes]) -> tuple[bytes, bool]:
    """What has come, and whether it was closed before that."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while not end.search(text):
        if time.monotonic() > deadline:
            raise TimeoutError("other things come")
        more = connection.recv(65536)
        if not more:
            return text, True
        text += more
    return text, False


def stream(then: Callable[[], str] | None = None) -> Asked:
    """What a stream of events begins with, and what it tells of what is done then. It may be closed at any time: whoever reads
    it comes again, and is told what he has missed. then: does it, and returns what has to come."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(WITHIN_SECONDS)
    try:
        connection.connect(UI)
        connection.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        text, closed = read_until(connection, b"", re.compile(rb"event: summary\ndata: .*\n\n|\r\nContent-Length: "))
        head = re.match(rb"HTTP/1.1 (\d+)", text)
        if not closed and then and head and head[1] == b"200":
            text, closed = read_until(connection, text, re.compile(then().encode()))
        if closed:
            return None, "closed: the stream's reader comes again"
        return int(head[1]) if head else None, text.decode()
    except OSError as error:
        return None, f"{type(error).__name__}: {error}"
    finally:
        connection.close()


class Restarts:
    """Who says that it was restarted must have done it."""

    def __init__(self) -> None:
        self.before: list[int] = []

    def asking(self, ask: Callable[[], Asked]) -> Callable[[], Asked]:
        def wrapped() -> Asked:
            self.before = processes_in_cgroup(RESTARTED)
            return ask()
        return wrapped

    def fault(self) -> str:
        deadline = time.monotonic() + 10
        while processes_in_cgroup(RESTARTED) in (self.before, []):
            if time.monotonic() > deadline:
                return "it was not restarted"
            time.sleep(0.01)
        return ""

    def fault_of_rpc(self, text: str) -> str:
        answer = json.loads(text)
        return fault_of_error(answer["error"]) if "error" in answer else self.fault()

    def fault_of_form(self, text: str) -> str:
        return self.fault() if "\r\nLocation: ../service/idle\r\n" in text else f"it leads nowhere: {text[:200]}"


def send_form() -> Asked:
    """As a browser does; the head is part of the answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(WITHIN_SECONDS)
        try:
            connection.connect(UI)
            connection.sendall(b"POST /do/restart?name=idle&back=service HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                               b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\n\r\n")
            text, _ = read_until(connection, b"", re.compile(rb"(?!)"))
        except OSError as error:
            return None, f"{type(error).__name__}: {error}"
    head = re.match(rb"HTTP/1.1 (\d+)", text)
    return (int(head[1]), text.decode()) if head else (None, "closed")


def restart_over_the_bus() -> str:
    """What the board's row has to show then; or the whole board has to be asked for again."""
    with RawBus() as bus:
        bus.call("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", "RestartService", "st", "idle", 0)
    row = f"data: <tr id=.s\\.idle.*running.*PID {processes_in_cgroup(RESTARTED)[0]} .*\n\n"
    return f"event: row\n{row}|event: reload\n"


def plain(name: str, ask: Callable[[], Asked]) -> Question:
    return Question(name, ask, held_against(ask, difference))


def called(name: str, *calls: dict[str, Any]) -> Question:
    def ask() -> Asked:
        return post(calls[0] if len(calls) == 1 else list(calls))
    return Question(name, ask, held_against(ask, difference_of_rpc))


def questions() -> list[Question]:
    of_rpc, of_form = Restarts(), Restarts()
    return [
        plain("health", lambda: get(RPC, "/health")),
        plain("manifest", lambda: get(UI, "/.well-known/heroservice.json")),
        plain("asset", lambda: get(UI, "/board.js")),
        plain("board", lambda: get(UI, "/")),
        plain("a service's page", lambda: get(UI, "/service/web")),
        Question("events", stream, lambda text: ""),
        Question("events of a restart", lambda: stream(restart_over_the_bus), lambda text: "", awaits_memory=True),
        plain("metrics", lambda: get(RPC, "/metrics")),
        plain("openrpc.json", lambda: get(RPC, "/openrpc.json")),
        called("list", rpc("service.list")),
        called("status", rpc("service.status", "web")),
        called("status in full", rpc("service.status_full", "web")),
        called("batch", rpc("service.status", "web"), rpc("rpc.health")),
        called("why", rpc("service.why", "web")),
        called("history", rpc("service.history", "web", 5)),
        called("logs", rpc("service.logs", "web")),
        called("probe", rpc("service.probe", "web")),
        called("reset-failed", rpc("service.reset_failed", ["web"])),
        called("no such service", rpc("service.status", "none")),
        called("no such parameter", rpc("service.status", "web", 1, 2)),
        Question("restart", of_rpc.asking(lambda: post(rpc("service.restart", "idle"))), of_rpc.fault_of_rpc),
        Question("form to restart", of_form.asking(send_form), of_form.fault_of_form),
    ]
