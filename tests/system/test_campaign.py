# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is kept and said of campaigns of chaos, and that one which found something can be had again. Pure."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from typing import Any

from box import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "tests" / "oracle"))
# pylint: disable=wrong-import-position
from campaign import arguments, the_same_again  # noqa: E402
from chaos_plan import SERVICE_STEPS, WORLD_STEPS, Planner  # noqa: E402
from house_plan import shape_of  # noqa: E402
from injuries import QUEUE_FULL  # noqa: E402
from ledger import NOT_RUNNING, explain, line_of, since_last_finding  # noqa: E402
from report import ledger_text  # noqa: E402

NEEDS_HERO_PROC = False

SECONDS, RATES = 600, (2.5, 0.15, 0.9)

# What chaos.py is to do, without doing it.
PLAN = """import json, sys
from argparse import Namespace
from chaos import Campaign
campaign = Campaign(Namespace(**json.loads(sys.argv[1])))
json.dump([campaign.definitions, [str(step) for step in campaign.steps]], sys.stdout)
"""


def plan(seed: int, hash_seed: str) -> tuple[list[Any], list[str]]:
    """The services and the steps, each with its time, in a Python whose sets and hashes are in an order of their own."""
    options = {"seed": seed, "seconds": SECONDS, "services": 24, "world": "", "fixture": "herodemo_server",
               **dict(zip(("service_rate", "world_rate", "kill_rate"), RATES))}
    said = subprocess.run([sys.executable, "-B", "-c", PLAN, json.dumps(options)], stdin=subprocess.DEVNULL, capture_output=True,
                          cwd=REPOSITORY / "tests" / "oracle", env={**os.environ, "PYTHONHASHSEED": hash_seed}, text=True, check=True)
    definitions, steps = json.loads(said.stdout)
    return definitions, steps


def line(seed: int, longest_silence: float = 1.0, **findings: int) -> dict[str, Any]:
    counts = ("rows_by_face", "rows_by_state", "verdicts", "apart", "restarts", "apart_seconds")
    report = {"seed": seed, "seconds": 60, "services": 24, "kills": 1, "rows": 10, "owed_restarts": 0, "owed_changes": 3, "skipped": [],
              "latest": 0.1, "faults": {"killed": 4, QUEUE_FULL: 1}, "unmeasured": {"killed": {NOT_RUNNING: 2}},
              "longest_silence": longest_silence, "findings": findings, "back_after": [0.3], "shown": ["LIE: …"] if findings else [],
              "latency": {"killed": [0.03], QUEUE_FULL: [1.2]}, **{key: {} for key in counts}}
    return line_of(report, load=[1.0, 2.0], began="2026-11-26 07:04", machine="2 cores", version="abc", options="", systemd="systemd 252")


def test_a_campaign_is_had_again_with_all_its_options(_box):
    for words in ([], ["--world-rate", "0.4", "--root", "/srv/a trixie", "--world", "kill_bus,fill_disk"], ["--services=16"]):
        options, rest = arguments(["--minutes", "2.5", "--seed", "305", *words])
        make, *given = shlex.split(the_same_again(options, rest))
        said = subprocess.run([make, "-s", "-n", "-C", str(REPOSITORY), *given], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=True).stdout
        again = shlex.split(said.splitlines()[-1])
        assert again[1] == "tests/oracle/campaign.py" and arguments(again[2:]) == (options, rest), again


def test_a_seed_does_the_same_things_at_the_same_times_and_another_one_others(_box):
    definitions, steps = plan(7, "1")
    assert (definitions, steps) == plan(7, "2")
    assert {kind for _, kind in [*SERVICE_STEPS, *WORLD_STEPS]} < {step.split()[1] for step in steps}, "each kind comes"

    shapes = [shape_of(definition) for definition in definitions]
    drawn = {seed: [str(step) for step in Planner(seed, shapes, SECONDS, *RATES).steps()] for seed in (7, 8)}
    assert drawn[7] == steps, "it is the seed alone"
    times, others = ({step.split()[0] for step in these} for these in drawn.values())
    assert len(times & others) < len(times) / 10, "also to the same services"
    assert plan(8, "1")[0] != definitions


def test_what_stands_out_can_be_explained_also_where_nothing_was_wrong(_box):
    lines = [line(1), line(2, lie=1), line(3, longest_silence=18.6), line(2)]
    assert not explain(lines, 9, "…") and explain(lines, 3, "it was stopped twice") and explain(lines, 2, "a lie")
    assert [one["explanation"] for one in lines] == ["", "a lie", "it was stopped twice", ""]
    assert [one["seed"] for one in since_last_finding(lines)] == [3, 2], "an explanation is no finding"
    text = ledger_text(lines, "chaos.jsonl")
    assert "Seed 3, 2026-11-26 07:04: it was stopped twice" in text and "Seed 1, 2026" not in text
    assert "whatever went on: 18.60 s (seed 3)" in text


def test_the_report_says_what_its_latencies_are_of(_box):
    text = ledger_text([line(1)], "chaos.jsonl")
    assert f"| {QUEUE_FULL} | 1 | 1 | 1.20 s |" in text and "docs/benchmarks.md" in text


def test_the_report_says_of_how_many_faults_there_is_no_latency_and_why(_box):
    """Of campaigns before that was counted, only how many were made and measured."""
    before = {key: value for key, value in line(2).items() if key not in ("unmeasured", "owed_changes")}
    text = ledger_text([before, line(1)], "chaos.jsonl")
    assert f"| fault | made | measured | {NOT_RUNNING} |" in text and "| killed | 8 | 2 | 30 ms |" in text
    assert "| killed | 4 | 1 | 2 | 0 | 0 | 0 | 0 | 0 | 1 |" in text and f"| {QUEUE_FULL} | 1 | 1 | 0 |" in text
    assert "| acknowledged definitions looked for in a process | 3 |" in text
    assert NOT_RUNNING not in ledger_text([before], "chaos.jsonl")
