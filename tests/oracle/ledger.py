# SPDX-License-Identifier: LGPL-2.1-or-later
"""The campaigns that were run, one JSON object a line, and their sum. A line is appended by the campaign itself and never
altered, but for the explanation of what it found: nobody chooses which campaigns count. Pure but for the file.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

HARM = ["lie", "stuck", "orphan", "unexpected restart", "lost change", "server died", "did not start",
        "did not recover"]
COUNTED = ["rows_by_face", "rows_by_state", "verdicts", "apart", "harm", "faults", "restarts"]
KEPT = ["seed", "seconds", "services", "kills", "rows", "longest_silence", "owed_restarts", "owed_changes", *COUNTED,
        "apart_seconds", "unmeasured", "skipped"]
# Why it was not measured how soon a fault is shown; campaigns before that was counted have no "unmeasured".
NOT_RUNNING, TAKEN_BACK, NEW_SERVER, DISTURBED, SUPERSEDED, NOT_SHOWN = UNMEASURED = [
    "not running before", "taken back before", "a new server came", "server, bus or systemd disturbed",
    "another fault came", "not shown in 12 s"]


def harm_of(report: dict[str, Any]) -> dict[str, int]:
    return {kind: report["findings"].get(kind, 0) for kind in HARM}


def line_of(report: dict[str, Any], **where: str | list[float]) -> dict[str, Any]:
    """What is kept of a campaign: all its counts, each time in whole milliseconds, and of each finding that was shown
    its first line."""
    report = {**report, "harm": harm_of(report)}
    return {**where, **{key: report[key] for key in KEPT},
            "latency_ms": {kind: in_ms(times) for kind, times in report["latency"].items()},
            "back_after_ms": in_ms(report["back_after"]), "oracle_late_ms": round(report["latest"] * 1000),
            "found": [text.split("\n")[0] for text in report["shown"]], "explanation": ""}


def in_ms(times: list[float]) -> list[int]:
    return sorted(round(seconds * 1000) for seconds in times)


def read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def write(file: Path, lines: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(line, sort_keys=True) + "\n" for line in lines), encoding="utf-8")


def explain(lines: list[dict[str, Any]], seed: int, text: str) -> bool:
    """Of the latest campaign with that seed that found something; where none did, of the latest."""
    of_seed = [line for line in lines if line["seed"] == seed]
    for line in sorted(of_seed, key=is_unclean)[-1:]:
        line["explanation"] = text
    return bool(of_seed)


def is_unclean(line: dict[str, Any]) -> bool:
    return any(line["harm"].values())


def since_last_finding(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The campaigns after the latest one that found something."""
    return lines[max((i + 1 for i, line in enumerate(lines) if is_unclean(line)), default=0):]


def _unmeasured_of(lines: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Of each kind, also what was made and measured in the same campaigns."""
    total: dict[str, Counter[str]] = {}
    for line in (line for line in lines if "unmeasured" in line):
        for kind in {*line["unmeasured"], *line["latency_ms"]}:
            total.setdefault(kind, Counter()).update({
                "made": line["faults"].get(kind, 0), "measured": len(line["latency_ms"].get(kind, [])),
                **line["unmeasured"].get(kind, {})})
    return {kind: dict(counts) for kind, counts in total.items()}


def sum_of(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """All of them as if they were one."""
    total: dict[str, Any] = {key: sum(line.get(key, 0) for line in lines)
                             for key in ("seconds", "kills", "rows", "owed_restarts", "owed_changes")}
    for key in COUNTED:
        total[key] = dict(sum((Counter(line[key]) for line in lines), Counter()))
    for key in ("longest_silence", "oracle_late_ms"):
        total[key] = max((line[key] for line in lines), default=0)
    total["back_after_ms"] = sorted(ms for line in lines for ms in line["back_after_ms"])
    total["latency_ms"] = {kind: sorted(ms for line in lines for ms in line["latency_ms"].get(kind, []))
                           for kind in {kind for line in lines for kind in line["latency_ms"]}}
    total["unmeasured"] = _unmeasured_of(lines)
    total["apart_seconds"] = {}
    for line in lines:
        for what, span in line["apart_seconds"].items():
            before = total["apart_seconds"].get(what, {"n": 0, "total": 0.0, "max": 0.0})
            total["apart_seconds"][what] = {"n": before["n"] + span["n"], "total": before["total"] + span["total"],
                                            "max": max(before["max"], span["max"])}
    total["skipped"] = sorted({what for line in lines for what in line["skipped"]})
    return total
