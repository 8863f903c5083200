# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a campaign of faults came to, for people, as Markdown. Pure: every figure is computed from the lines that its programs
printed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Iterable

KIND = r"no memory|error|EINTR|short"
ROW = re.compile(rf"^ *(?P<scenario>\S.*?) +(?P<kind>{KIND})(?:,? +(?P<span>once|and on|\d+ in a row))? +"
                 r"n reached +(?P<n>\d+), (?P<figures>.*)$")
FIGURE = re.compile(r"([a-z][a-z ]*?) +(\d+)(?:, |$)")
FINDING = re.compile(rf"^ {{4,5}}(\S.*, (?:{KIND})\b.* at \d+.*: .*)$")
HEADING = re.compile(r"^== (\w+)$")
ENDED_BY_LIBRARY = re.compile(r"^ended (\d+) times by (.+)$")
DAMAGES = re.compile(r"^ {5}(?P<refused>\d+) refused, (?P<told>\d+) told, (?P<whole>\d+) whole(?:, (?P<wrong>\d+) wrong)?$")
REASON = re.compile(r"^ {5}((?:\S+\.c:\d+|(?:a bit flips|all bits flip) in byte \d+|cut at \d+): .*)$")
TEST_ENDED = re.compile(r"^(?P<is_well>ok  |FAIL) (?P<test>(?:\S*/)?(?P<program>test_(?:faults|shim_faults|store_damage))(?:\.c)?: (?P<claim>.*))$")
CAMPAIGN = re.compile(r"^campaign: (\{.*\})$")
SHOWN_CHARACTERS = 400


@dataclass(frozen=True)
class Part:
    name: str
    figures: list[str]  # as they are printed
    findings: list[str]  # those of them that are to be 0
    judged: str
    memory: str


PARTS = {
    "library": Part("In one process: definitions, requests, files, the store, a house", ["crashes", "leaks", "wrong"],
                    ["crashes", "leaks", "wrong"],
                    "`tests/unit/test_faults.c`. Each run must fail with an error or come to what one without a fault comes to, "
                    "and keep what it said to have kept.",
                    "built with AddressSanitizer and UndefinedBehaviorSanitizer: what they find is a crash. A leak is a block "
                    "that is left over, by the count of blocks allocated and freed, in four runs of the same fault one after "
                    "the other; and what LeakSanitizer tells of at the end of each row."),
    "damage": Part("In one process: the store, damaged", ["injected", "refused", "told", "whole", "wrong"], ["wrong"],
                   "`tests/unit/test_store_damage.c`. Nothing fails in it: bits of the store's files are flipped, one place after the "
                   "other, and the files are cut, one length after the other. `refused`: the store is not opened or not read, and "
                   "the error names the file or calls it damaged. `told`: it is opened, and what is damaged is told of as that. "
                   "`whole`: it is opened, and each service is there as it was acknowledged; of a damaged log only "
                   "definitions are promised. `wrong`, of all these: a service is missing or another than was acknowledged and "
                   "nothing says so, or the store is refused by an error that says neither.",
                   "built with the same sanitizers: what they find ends the program, and is a finding, and so is what "
                   "LeakSanitizer tells of at its end."),
    "shim": Part("`hero_proc_notify`, the shim", ["injected", "not run and said so", "not told and said so", "findings"],
                 ["findings"],
                 "`tests/unit/test_shim_faults.c`. The service runs as ordered and is ready when it says so; or it was never "
                 "executed, and the shim says why; or who was to tell systemd says that he cannot.",
                 "built with the same sanitizers, which see reads and writes in the wrong place. Leaks are not looked for: it "
                 "becomes the service, or ends."),
    "server": Part("`hero_proc_server`, as it runs", ["injected", "answered with an error", "findings"], ["findings"],
                   "`tests/faults/injector.py`. Each call must be answered, and what was said to be done must be so; the server "
                   "must not end, must answer what comes next, show each service as it is, tell whoever only listens for its signals "
                   "the same, go on probing and lose no definition.",
                   "built as it is installed, without sanitizers: what reads or writes in the wrong place is seen where it crashes "
                   "or answers wrongly, and not otherwise. Its blocks allocated and not freed and its descriptors are counted "
                   "before and after each run, at the same place: where there are more, the same fault is made up to six times "
                   "again, and what grows each time, though the store has all that it is owed, is a finding. A server that "
                   "came up is ended again, and must then have freed all that one without a fault frees."),
    "gateway": Part("`hero_proc_gateway`, as it runs", ["injected", "answered with an error", "findings"], ["findings"],
                    "`tests/faults/gateway_injector.py`. Each request must be answered, with all of it or an error, or its "
                    "connection closed; the gateway must not end, must answer what comes next, and show each service as it is.",
                    "built as it is installed, without sanitizers. Its blocks allocated and not freed, its descriptors and its "
                    "threads are counted before and after each run: where there are more, the same fault is made up to six "
                    "times again, and what grows each time is a finding."),
    "cli": Part("`hero_proc`, the command line", ["injected", "ended with an error", "findings"], ["findings"],
                "`tests/faults/cli_injector.py`. Each run must come to all that one without a fault comes to, or tell of the "
                "error with the status of a failure; what it says was done must be so.",
                "built as it is installed, without sanitizers. A crash is a finding, but for an assertion of libsystemd's own. "
                "Leaks are not looked for: it ends after each run."),
}
PART_OF_PROGRAM = {"test_faults": "library", "test_shim_faults": "shim", "test_store_damage": "damage"}


@dataclass
class Row:
    part: str
    scenario: str
    way: str
    n: int
    figures: dict[str, int]

    @property
    def runs(self) -> int:
        """In which something failed. Where it is not printed, each n was tried, and at the last one nothing was left."""
        return self.figures.get("injected", self.n - 1)

    @property
    def findings(self) -> int:
        return sum(self.figures.get(name, 0) for name in PARTS[self.part].findings)

    @property
    def errors(self) -> int | None:
        return next((n for name, n in self.figures.items() if name.endswith("with an error") or name == "refused"), None)


@dataclass
class Campaign:
    rows: list[Row] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)  # the part of each test that failed
    ended_by_library: list[tuple[int, str]] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)  # as the campaign says at its end


def part_of(figures: dict[str, int], heading: str) -> str:
    """By what is printed; server and gateway print the same, after a heading of their own. "": half of a line."""
    if [*figures] == PARTS["server"].figures:
        return "gateway" if heading == "gateway" else "server"
    return next((name for name, part in PARTS.items() if part.figures == [*figures]), "")


def damage_row(damages: re.Match[str], test: re.Match[str]) -> Row:
    """How many were wrong was not always printed: none where the test holds, and who knows how many where it failed."""
    figures = {name: int(n) for name, n in damages.groupdict().items() if n is not None}
    tried = figures["refused"] + figures["told"] + figures["whole"]
    if test["is_well"] == "ok  ":
        figures.setdefault("wrong", 0)
    return Row("damage", test["claim"].replace("_", " "), "", tried, {"injected": tried, **figures})


def parse(lines: Iterable[str]) -> Campaign:
    campaign, heading = Campaign(), ""
    damages: re.Match[str] | None = None
    reasons: list[str] = []  # of the test that has not ended yet, as the one before
    for line in lines:
        if row := ROW.match(line):
            figures = {name: int(n) for name, n in FIGURE.findall(row["figures"])}
            way = row["kind"] + (f", {row['span']}" if row["span"] not in (None, "once") else "")
            if part := part_of(figures, heading):
                campaign.rows.append(Row(part, row["scenario"], way, int(row["n"]), figures))
        elif found := FINDING.match(line):
            campaign.found.append(found[1])
        elif printed := DAMAGES.match(line):
            damages = printed
        elif reason := REASON.match(line):
            reasons.append(reason[1])
        elif test := TEST_ENDED.match(line):
            if damages and test["program"] == "test_store_damage":
                campaign.rows.append(damage_row(damages, test))
            if test["is_well"] == "FAIL":
                campaign.failed.append(PART_OF_PROGRAM[test["program"]])
                campaign.found += [f"{test['test']}: {reason}" for reason in reasons] or [test["test"]]
            damages, reasons = None, []
        elif said := HEADING.match(line):
            heading = said[1]
        elif ended := ENDED_BY_LIBRARY.match(line):
            campaign.ended_by_library.append((int(ended[1]), ended[2]))
        elif about := CAMPAIGN.match(line):
            campaign.about = json.loads(about[1])
    return campaign


def table(heads: list[str], rows: list[list[Any]]) -> list[str]:
    return ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads),
            *("| " + " | ".join(f"{cell:,}" if isinstance(cell, int) else cell for cell in row) + " |" for row in rows), ""]


def _sums(campaign: Campaign) -> list[str]:
    def row_of(name: str, rows: list[Row], n_failed: int) -> list[Any]:
        errors = [row.errors for row in rows if row.errors is not None]
        return [name, len({(row.part, row.scenario) for row in rows}), len(rows), sum(row.runs for row in rows),
                sum(errors) if errors else "", sum(row.findings for row in rows) + n_failed]
    of_parts = {part.name: ([row for row in campaign.rows if row.part == name], campaign.failed.count(name))
                for name, part in PARTS.items()}
    return table(["part", "scenarios", "scenarios and ways", "runs with a fault", "of them answered or ended with an error", "findings"],
                 [*(row_of(name, rows, n_failed) if rows or n_failed else [name, "not run", "", "", "", ""]
                    for name, (rows, n_failed) in of_parts.items()),
                  row_of("together", campaign.rows, len(campaign.failed))])


def _beside_sums(campaign: Campaign) -> list[str]:
    text = []
    if n_damages := sum(row.runs for row in campaign.rows if row.part == "damage"):
        text += [f"Of the runs together {n_damages:,} are those of a damaged store, in which nothing fails; `refused` is the error "
                 "that they end with.", ""]
    if n := len(campaign.failed):
        text += [f"Each test of a program in one process that failed is a finding too, beside what its rows say: {n:,}.", ""]
    return text


def _part(name: str, campaign: Campaign) -> list[str]:
    part, rows = PARTS[name], [row for row in campaign.rows if row.part == name]
    if not rows:
        return []
    shown = [figure for figure in part.figures if figure != "injected"]
    text = [f"## {part.name}", "", part.judged, "", f"Memory: {part.memory}", ""]
    if name == "cli":
        text += [f"Ended by libsystemd itself, which is not counted as a finding: {n:,} times by `{where}`.\n"
                 for n, where in campaign.ended_by_library]
    if name == "damage":
        return text + table(["test", "damages tried", *shown],
                            [[row.scenario, row.runs, *(row.figures.get(figure, "") for figure in shown)] for row in rows])
    return text + table(["scenario", "way", "n reached", "runs with a fault", *shown],
                        [[f"`{row.scenario}`", row.way, row.n, row.runs, *(row.figures[figure] for figure in shown)] for row in rows])


def _about(about: dict[str, Any]) -> list[str]:
    if not about:
        return ["The campaign did not come to its end.", ""]
    options = f" Not all was tried: `{about['options']}`." if about["options"] else ""
    return [f"Machine: {about['machine']}.", "", f"Begun {about['began']} UTC, {about['seconds'] / 60:.0f} minutes. Version "
            f"{about['version']}: the last commit of src and units.{options}", ""]


def report_text(campaign: Campaign, explanation: str = "") -> str:
    text = ["<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->", "# Faults", "",
            "Made by `make faults REPORT=docs/faults.md`; every figure is printed by a program. In each run the n-th allocation "
            "(`no memory`) or system call (`error`; `EINTR`; `short`: one byte and no more) fails, n = 1, 2, … until a run in "
            "which nothing was left that could fail: that is the `n reached`. `and on`: also all that follow; `30 in a row`: so "
            "many. HACKING.md tells how it is done.", "", *_about(campaign.about), *([explanation, ""] if explanation else []), "## Together", "", *_sums(campaign),
            *_beside_sums(campaign),
            "Leaks are looked for in the first two parts, in the server and in the gateway: `Memory` says under each how.", ""]
    for name in PARTS:
        text += _part(name, campaign)
    if campaign.found:
        text += ["## What they found", "", *(f"- `{found[:SHOWN_CHARACTERS].replace('`', chr(39))}`" for found in campaign.found)]
    return "\n".join(text).rstrip() + "\n"
