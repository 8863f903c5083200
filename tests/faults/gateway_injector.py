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
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from agent import RawBus, processes_in_cgroup  # noqa: E402  pylint: disable=wrong-import-position
from gateway_questions import WITHIN_SECONDS, Asked, Question, post, questions, rpc  # noqa: E402  pylint: disable=wrong-import-position
from injector import ERROR, INTERRUPTED, KINDS, MANAGER, SHORT, Plan, Result, how_it_ended  # noqa: E402  pylint: disable=wrong-import-position

GATEWAY_UNIT = "hero_proc-gateway.service"
GATEWAY = f"/system.slice/{GATEWAY_UNIT}"
WELL_WITHIN_SECONDS = 10.0
KEPT_TIMES = 6  # that something grows each time


class GatewayInjector:
    def __init__(self, plan: Plan):
        self.plan = plan
        self.bus = RawBus()

    @staticmethod
    def gateway() -> list[int]:
        return processes_in_cgroup(GATEWAY)

    def truth(self) -> dict[str, Any]:
        """By the server's own word."""
        self.bus.call(*MANAGER, "GetStatus", "ast", [], 0)
        return {row["name"]: (row["state"], row["since_usec"]) for row in json.loads(self.bus.last_text())}

    def what_is_wrong_afterwards(self) -> str:
        """It has to be well by itself, and soon, and show each service as it is."""
        deadline = time.monotonic() + WELL_WITHIN_SECONDS
        while True:
            status, text = post(rpc("service.status_full", "web"))  # the bus is there
            if status == 200 and "result" in json.loads(text):
                status, text = post(rpc("service.list"))
            if status == 200 and isinstance((answer := json.loads(text)).get("result"), list):
                rows = {row["name"]: (row["state"], row["since_usec"]) for row in answer["result"]}
                if rows == self.truth() and {state for state, _ in rows.values()} == {"running"}:
                    return ""
            if time.monotonic() > deadline:
                return f"afterwards it tells {status} {text[:200]}, and it is {self.truth()}"
            time.sleep(0.02)

    def ask_with_fault(self, question: Question, kind: int, n: int, span: int) -> tuple[Asked, int, float]:
        began = time.monotonic()
        self.plan.begin(kind, n, span)
        asked = question.ask()
        _, failed = self.plan.end()
        return asked, failed, time.monotonic() - began

    def kept(self) -> tuple[int, int, int]:
        """Blocks of memory, descriptors and threads."""
        try:
            folder = Path(f"/proc/{self.gateway()[0]}")
            return self.plan.blocks(), len(os.listdir(folder / "fd")), len(os.listdir(folder / "task"))
        except (IndexError, OSError):
            return 0, 0, 0  # it has ended, which is told elsewhere

    def leaks(self, question: Question, kind: int, n: int, span: int) -> str:
        """What it keeps more of each time that the same thing fails."""
        last, grown = self.kept(), [True] * 3
        for _ in range(KEPT_TIMES):
            self.ask_with_fault(question, kind, n, span)
            self.what_is_wrong_afterwards()
            now = self.kept()
            grown = [is_so and later > earlier for is_so, earlier, later in zip(grown, last, now)]
            if not any(grown):
                return ""
            last = now
        return " and ".join(what for what, is_so in zip(["memory", "descriptors", "threads"], grown) if is_so)

    @staticmethod
    def fault_of(question: Question, kind: int, asked: Asked, failed: int, took: float, still_fails: bool) -> str:
        status, text = asked
        if "TimeoutError" in text or took > 2 * WITHIN_SECONDS:
            # A bus that does not come back is waited for, up to a call's own limit of 10 s.
            return "" if still_fails and (question.awaits_memory or kind == ERROR) else f"no answer within {took:.0f} s"
        if status is not None and 200 <= status < 400:
            what = question.fault(text)
        else:
            what = "an answer that blames who asked" if status is not None and status < 500 else ""
        if not what and kind in (INTERRUPTED, SHORT) and (status is None or status >= 500):
            what = "an error for what passes"
        if not what and not failed and (status is None or status >= 500):
            what = "an error, and nothing was made to fail"
        return what

    def try_once(self, question: Question, kind: int, n: int, span: int, result: Result) -> bool:
        """False: nothing was left to fail."""
        before, kept = self.gateway(), self.kept()
        (status, text), failed, took = self.ask_with_fault(question, kind, n, span)
        result.n, result.injected = n, result.injected + (failed > 0)
        result.errors += status is None or status >= 400 or '"error"' in text[:100]
        whats = [self.what_is_wrong_afterwards(), self.fault_of(question, kind, (status, text), failed, took, failed < span)]
        if self.gateway() != before:
            whats.append(f"the gateway has ended, {before} became {self.gateway()}: {how_it_ended(GATEWAY_UNIT)}")
        elif any(later > earlier for earlier, later in zip(kept, self.kept())):
            leak = self.leaks(question, kind, n, span)
            whats.append(leak and f"it keeps {leak}")
        result.findings += [f"{result.scenario}, {result.way} at {n}: {what} (answered: {status} {text[:100]!r})"
                            for what in whats if what]
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
    for question in questions():
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
    print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
