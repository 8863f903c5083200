#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs in a box whose hero_proc_gateway is the faulty one: asks it again and again, and each time its n-th allocation (or
system call) since the request fails, n = 1, 2, … until nothing was left that could have failed.

A request has to be answered, with what is so or with an error, or its connection closed: never with half of the truth that
looks like all of it, and never not at all. The gateway must not have ended, must answer what comes next, must still show
each service as it is, and must not keep memory each time that the same thing fails. A report in JSON goes to standard output.
"""

from __future__ import annotations

import argparse
import json
import re
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from agent import http_request, processes_in_cgroup  # noqa: E402  pylint: disable=wrong-import-position
from injector import ALLOCATION, INTERRUPTED, KINDS, SHORT, Plan, Result  # noqa: E402  pylint: disable=wrong-import-position

RPC, UI = "/run/hero/hero_proc/rpc.sock", "/run/hero/hero_proc/ui.sock"
GATEWAY = "/system.slice/hero_proc-gateway.service"
WITHIN_SECONDS = 10.0
STATES = {"web": "running", "idle": "running"}

Asked = tuple[int | None, str]  # status and body; None: no whole answer, and why


@dataclass
class Question:
    name: str
    ask: Callable[[], Asked]
    fault: Callable[[str], str]  # what is wrong in a body that came with 200


def get(address: str, path: str) -> Asked:
    return http_request(address, path, timeout=WITHIN_SECONDS)


def post(body: Any) -> Asked:
    return http_request(RPC, "/rpc", "POST", json.dumps(body), {"Content-Type": "application/json"}, WITHIN_SECONDS)


def rpc(method: str, *params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)}


def stream() -> Asked:
    """What a stream of events begins with; then we leave."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(WITHIN_SECONDS)
    text = b""
    try:
        connection.connect(UI)
        connection.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while b"retry: 1000\n\n" not in text:
            more = connection.recv(65536)
            if not more:
                break
            text += more
    except TimeoutError:
        return None, "TimeoutError: nothing more comes"
    except OSError as error:
        return None, str(error)
    finally:
        connection.close()
    head = re.match(rb"HTTP/1.1 (\d+)", text)
    if not head or head[1] == b"200" and b"retry" not in text:
        return None, "closed: the stream's reader comes again"
    return int(head[1]), text.decode()


# What is wrong

def lacks(*words: str) -> Callable[[str], str]:
    return lambda text: ", ".join(f"it lacks {word}" for word in words if word not in text)


def fault_of_answer(answer: Any, has: Callable[[Any], bool]) -> str:
    if not isinstance(answer, dict) or answer.get("jsonrpc") != "2.0" or answer.get("id") != 7:
        return f"no answer of JSON-RPC: {answer}"
    if "error" in answer:
        return "" if answer["error"].get("message") else f"an error without a word: {answer}"
    return "" if has(answer.get("result")) else f"not all of the result: {str(answer)[:300]}"


def fault_of_rpc(has: Callable[[Any], bool], n: int = 0) -> Callable[[str], str]:
    """n: of a batch of so many."""
    def fault(text: str) -> str:
        try:
            document = json.loads(text)
        except ValueError:
            return f"no JSON: {text[:200]}"
        if n == 0 or isinstance(document, dict):
            if n > 0 and isinstance(document, dict) and document.get("id") is None and "error" in document:
                return ""
            return fault_of_answer(document, has)
        if len(document) != n:
            return f"{len(document)} answers of {n}"
        return next((what for what in (fault_of_answer(answer, has) for answer in document) if what), "")
    return fault


def states_of(result: Any) -> dict[str, str]:
    rows = result if isinstance(result, list) else (result or {}).get("services", [])
    return {row["name"]: row["state"] for row in rows}


def has_status(result: Any) -> bool:
    return result["name"] == "web" and result["state"] == "running" and "sockets" in result and "probes" in result


def metrics_fault(text: str) -> str:
    torn = [line for line in text.splitlines() if line and not re.fullmatch(r"#.*|\w+(\{.*\})? [-+.\deE]+(NaN|Inf)?", line)]
    return f"no line of metrics: {torn[0]}" if torn else lacks('"web"', '"idle"')(text)


QUESTIONS = [
    Question("health", lambda: get(RPC, "/health"), lacks("{", "}")),
    Question("board", lambda: get(UI, "/"), lacks("</html>", "web", "idle", "running")),
    Question("a service's page", lambda: get(UI, "/service/web"), lacks("</html>", "web", "running")),
    Question("events", stream, lambda text: ""),
    Question("metrics", lambda: get(RPC, "/metrics"), metrics_fault),
    Question("openrpc.json", lambda: get(RPC, "/openrpc.json"), lambda text: "" if json.loads(text)["methods"] else "no methods"),
    Question("list", lambda: post(rpc("service.list")), fault_of_rpc(lambda result: states_of(result) == STATES)),
    Question("status", lambda: post(rpc("service.status", "web")), fault_of_rpc(has_status)),
    Question("batch", lambda: post([rpc("service.status", "web"), rpc("service.status", "web")]), fault_of_rpc(has_status, 2)),
    Question("history", lambda: post(rpc("service.history", "web", 5)), fault_of_rpc(bool)),
    Question("logs", lambda: post(rpc("service.logs", "web")), fault_of_rpc(lambda result: result is not None)),
    Question("no such service", lambda: post(rpc("service.status", "none")), fault_of_rpc(lambda result: False)),
]


class GatewayInjector:
    def __init__(self, plan: Plan):
        self.plan = plan
        self.n_of_libsystemd = 0  # times that libsystemd ended it; systemd starts it again

    @staticmethod
    def gateway() -> list[int]:
        return processes_in_cgroup(GATEWAY)

    def what_is_wrong_afterwards(self) -> str:
        """It has to be well by itself, and soon."""
        deadline = time.monotonic() + WITHIN_SECONDS
        while True:
            status, text = post(rpc("service.list"))
            wrong = f"{status} {text[:200]}"
            if status == 200:
                answer = json.loads(text)
                if states_of(answer.get("result")) == STATES:
                    return ""
            if time.monotonic() > deadline:
                return f"afterwards it tells {wrong}"
            time.sleep(0.02)

    def ask_with_fault(self, question: Question, kind: int, n: int, span: int) -> tuple[Asked, int, float]:
        began = time.monotonic()
        self.plan.begin(kind, n, span)
        asked = question.ask()
        _, failed = self.plan.end()
        return asked, failed, time.monotonic() - began

    @staticmethod
    def ended_in_libsystemd(pid: int) -> bool:
        """sd_journal_add_match() of systemd 252 aborts where it has no memory (match_free()'s assertion)."""
        words = ["journalctl", "-q", "-o", "cat", f"_PID={pid}", "--grep", "Assertion .* src/libsystemd/"]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    def leaks(self, question: Question, kind: int, n: int, span: int) -> bool:
        """Whether it keeps more each time that the same thing fails."""
        kept = []
        for _ in range(6):
            self.ask_with_fault(question, kind, n, span)
            self.what_is_wrong_afterwards()
            kept.append(self.plan.blocks())
        return all(later > earlier for earlier, later in zip(kept, kept[1:]))

    def try_once(self, question: Question, kind: int, n: int, span: int, result: Result) -> bool:
        """False: nothing was left to fail."""
        before, blocks = self.gateway(), self.plan.blocks()
        (status, text), failed, took = self.ask_with_fault(question, kind, n, span)
        result.n, result.injected = n, result.injected + (failed > 0)
        result.errors += status != 200 or '"error"' in text[:100]

        def wrong(what: str) -> None:
            result.findings.append(f"{result.scenario}, {result.way} at {n}: {what} (answered: {status} {text[:100]!r})")
        if "TimeoutError" in text or took > WITHIN_SECONDS:
            wrong(f"no answer within {took:.0f} s")
        elif status == 200:
            what = question.fault(text)
            if what:
                wrong(what)
        elif status is not None and status < 500:
            wrong("an answer that blames who asked")
        if kind in (INTERRUPTED, SHORT) and status != 200:
            wrong("an error for what passes")
        if not failed and status != 200:
            wrong("an error, and nothing was made to fail")
        what = self.what_is_wrong_afterwards()
        if what:
            wrong(what)
        if self.gateway() != before:
            if kind == ALLOCATION and len(before) == 1 and self.ended_in_libsystemd(before[0]):
                self.n_of_libsystemd += 1
            else:
                wrong("the gateway has ended")
        elif kind == ALLOCATION and self.plan.blocks() > blocks and self.leaks(question, kind, n, span):
            wrong("a leak")
        return failed > 0

    def run(self, question: Question, kind: int, span: int, tries: int) -> Result:
        result = Result(question.name, KINDS[kind] if span == 1 else f"{KINDS[kind]}, {span} in a row")
        step = 1
        if tries > 0:
            self.plan.begin(kind, 2**62, 1)
            question.ask()
            step = max(self.plan.end()[0] // tries, 1)
        n = 1 + step // 4
        while self.try_once(question, kind, n, span, result) and len(result.findings) < 10:
            n += step
        return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plan", required=True)
    parser.add_argument("--tries", type=int, default=0, help="about so many a question and way, spread; 0: each n")
    parser.add_argument("--only", default="", help="questions whose name holds this")
    parser.add_argument("--kinds", default="1,2,3,4")
    parser.add_argument("--spans", default="1", help="so many in a row: 1,30")
    options = parser.parse_args()
    injector = GatewayInjector(Plan(options.plan))
    results = []
    for question in QUESTIONS:
        if options.only not in question.name:
            continue
        question.ask()
        for kind in map(int, options.kinds.split(",")):
            for span in map(int, options.spans.split(",")):
                result = injector.run(question, kind, span, options.tries)
                results.append(vars(result))
                print(f"{result.scenario:16} {result.way:24} n reached {result.n:5}, injected {result.injected:5}, answered with"
                      f" an error {result.errors:5}, findings {len(result.findings)}", file=sys.stderr, flush=True)
                for finding in result.findings:
                    print(f"    {finding}", file=sys.stderr, flush=True)
    if injector.n_of_libsystemd:
        print(f"libsystemd aborted {injector.n_of_libsystemd} times, without memory for a match of the journal", file=sys.stderr)
    print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
