#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs in a box with a server: runs hero_proc, the command line, again and again, and each time its n-th allocation (or
system call) fails, n = 1, 2, … until nothing was left that could have failed.

A run has to come to what one without a fault comes to, all of it and with the same exit status; or to tell that there is no
memory, with the status of a failure. Never to a signal, to no end, or to half of an answer that looks like all of it; and
what it says was done must be so. A report in JSON goes to standard output.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import signal
import struct
import sys
from pathlib import Path
from typing import Any

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

import cli_questions  # noqa: E402  pylint: disable=wrong-import-position
from cli_questions import Question, Run  # noqa: E402  pylint: disable=wrong-import-position
from injector import ALLOCATION, ERROR, INTERRUPTED, KINDS, SHORT, Plan, Result  # noqa: E402  pylint: disable=wrong-import-position

WITHIN_SECONDS = 10.0
NEVER = 2**62
UNREACHABLE = 69  # the exit status where there is no server, in hero_proc(1)
JOURNAL, JOURNAL_LEFT_OUT = r"(?m)^\n|^\w{3} \d\d [\d:]{8} .*\n", "the journal cannot be asked: out of memory"
SIGNALLED_BY_LIBRARY = re.compile(r"Assertion '.*' failed at (src/(?:libsystemd|basic|shared)/\S+), function (\w+)\(\)")
SPAN = r"(?:[\d.]+ ?(?:us|ms|s|min|h|d|days?|months?|years?|weeks?)\b ?)+"


def plain(text: str) -> str:
    """Without what differs from one moment to the next: times, numbers of processes, and the blanks that make columns."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S*", "TIME", text)
    text = re.sub(SPAN, "SPAN ", text).replace(", in SPAN ", "")
    text = re.sub(r"SPAN ago|\bnow\b", "THEN", text)
    return re.sub(r"[ \t]+", " ", re.sub(r"[\da-f]{32}|\d+(\.\d+)?", "0", text))


def shape(value: Any) -> Any:
    """Of JSON: what is not a measure of the moment."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [inner for inner, _ in itertools.groupby(map(shape, value))]
    if isinstance(value, str):
        return plain(value)
    return 0 if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def meaning(text: str) -> Any:
    try:
        return shape(json.loads(text))
    except ValueError:
        return plain(text)


class WatchedPlan(Plan):
    def seen(self) -> int:
        """How many could have failed so far."""
        return struct.unpack("<Q", self._map[24:32])[0]


class CliInjector:
    def __init__(self, plan_path: str, program: str):
        self.plan, self.plan_path, self.program = WatchedPlan(plan_path), plan_path, program
        self.n_of_libraries: dict[str, int] = {}

    def run(self, question: Question, kind: int, n: int, span: int, **more: str) -> Run:
        question.prepare()
        self.plan.begin(0, 0, 0)
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm", **question.environment, "FAULT_PLAN": self.plan_path,
                       "FAULT_KIND": str(kind), "FAULT_N": str(n), "FAULT_SPAN": str(span), **more}
        done = question.drive([self.program, *question.words], environment, self.plan, WITHIN_SECONDS)
        done.seen, done.failed = self.plan.end()
        return done

    def reference(self, question: Question, kind: int, **more: str) -> Run:
        return self.run(question, kind, NEVER, 1, **more)

    @staticmethod
    def is_same(run: Run, other: Run, question: Question) -> bool:
        if JOURNAL_LEFT_OUT in run.err:
            other = Run(other.status, re.sub(JOURNAL, "", other.out), other.err)
            run = Run(run.status, re.sub(JOURNAL, "", run.out), run.err)
        return (run.status == other.status and meaning(run.out) == meaning(other.out)
                and plain(re.sub(question.hint, "", other.err)) in plain(re.sub(question.hint, "", run.err)))

    def is_whole(self, run: Run, question: Question, kind: int, reference: Run) -> bool:
        """As one without a fault: as the first, as one now, or as one whose locale could not be loaded."""
        return (self.is_same(run, reference, question) or self.is_same(run, self.reference(question, kind), question)
                or self.is_same(run, self.reference(question, kind, LC_ALL="C"), question))

    def ended_in_library(self, run: Run) -> bool:
        said = SIGNALLED_BY_LIBRARY.search(run.err) if run.status == -signal.SIGABRT else None
        if said:
            name = f"{said[2]}() of {said[1]}"
            self.n_of_libraries[name] = self.n_of_libraries.get(name, 0) + 1
        return said is not None

    def what_is_wrong(self, run: Run, question: Question, kind: int, reference: Run) -> str:
        if run.status is None:
            return f"no end within {WITHIN_SECONDS:g} s"
        if run.status < 0:
            return "" if self.ended_in_library(run) else f"ended by {signal.Signals(-run.status).name}"
        said, statuses = run.err + (run.out if question.has_rows else ""), {*question.failures, reference.status} - {0}
        if kind == ERROR:  # a bus that cannot be talked to
            statuses.add(UNREACHABLE)
        is_told = run.status in statuses and bool(re.search(question.told if kind == ALLOCATION else r"\S", said))
        if kind == ERROR and re.search(question.recovery, run.out) or \
                kind == ALLOCATION and question.caught_up and re.search(question.caught_up, run.out):
            return ""
        if kind in (INTERRUPTED, SHORT) or not run.failed:  # no reason to tell of anything
            is_told = False
        if not is_told and not self.is_whole(run, question, kind, reference):
            return "neither the whole of it nor an error that tells why"
        return question.check(run) if run.status == 0 else ""

    def try_once(self, question: Question, kind: int, n: int, span: int, reference: Run, result: Result) -> bool:
        """False: nothing was left to fail."""
        run = self.run(question, kind, n, span)
        result.n, result.injected = n, result.injected + (run.failed > 0)
        result.errors += run.status != reference.status
        what = self.what_is_wrong(run, question, kind, reference)
        if what:
            result.findings.append(f"{result.scenario}, {result.way} at {n}: {what} (status {run.status}, said "
                                   f"{run.out[-300:]!r}, {run.err[-300:]!r}); {self.where(question, kind, n, span)}")
        return run.failed > 0

    def where(self, question: Question, kind: int, n: int, span: int) -> str:
        """What asked for the memory that was not there."""
        traced = self.run(question, kind, n, span, FAULT_TRACE="1").err
        frames = re.findall(r"^(\S+)\((\w*)\+?(0x[\da-f]+)?\)", traced, re.MULTILINE)
        return "at " + " < ".join(f"{name or Path(file).name}+{offset}" for file, name, offset in frames[1:12])

    def ask(self, question: Question, kind: int, span: int, tries: int, first: int) -> Result:
        result = Result(question.name, KINDS[kind] if span == 1 else f"{KINDS[kind]}, {span} in a row")
        reference = self.reference(question, kind)
        if reference.status != question.status:
            result.findings.append(f"{question.name}: without a fault {reference}")
            return result
        step = max(reference.seen // tries, 1) if tries else 1
        n = first if not tries else 1 + step // 4
        while self.try_once(question, kind, n, span, reference, result) and len(result.findings) < 20:
            n += step
        return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plan", required=True)
    parser.add_argument("--program", required=True, help="hero_proc as tests/faults makes it")
    parser.add_argument("--tries", type=int, default=0, help="about so many a question and way, spread; 0: each n")
    parser.add_argument("--first", type=int, default=1, help="with --tries 0: each n from this one on")
    parser.add_argument("--only", default="", help="questions whose name holds this")
    parser.add_argument("--kinds", default="1,2,3,4")
    parser.add_argument("--spans", default="1", help="so many in a row: 1,30")
    options = parser.parse_args()
    injector, results = CliInjector(options.plan, options.program), []
    for question in cli_questions.all_of_them(Path(options.plan).parent):
        if options.only not in question.name:
            continue
        for kind in map(int, options.kinds.split(",")):
            for span in map(int, options.spans.split(",")):
                result = injector.ask(question, kind, span, options.tries, options.first)
                results.append(vars(result))
                print(f"{result.scenario:26} {result.way:24} n reached {result.n:5}, injected {result.injected:5}, ended with"
                      f" an error {result.errors:5}, findings {len(result.findings)}", file=sys.stderr, flush=True)
                for finding in result.findings:
                    print(f"    {finding}", file=sys.stderr, flush=True)
    for name, n in injector.n_of_libraries.items():
        print(f"ended {n} times by {name}", file=sys.stderr)
    print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
