# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the report of `make faults` makes of the lines that its programs print. Pure: no service runs, and no server."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import tempfile
from pathlib import Path

from box import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "tests" / "faults"))

from faults_campaign import run_in_process  # noqa: E402  pylint: disable=wrong-import-position
from fault_report import PARTS, parse, report_text  # noqa: E402  pylint: disable=wrong-import-position

NEEDS_HERO_PROC = False

LOG = """make -s BUILD=build-asan SANITIZE=address,undefined build-asan/test_faults build-asan/test_shim_faults
     definition of two actions    no memory  2 in a row n reached   588, crashes 0, leaks 0, wrong 0
     store, new, no memory at 7 (once): a leak
     store, new                   no memory  once       n reached  2926, crashes 1, leaks 2, wrong 3
ok   tests/unit/test_faults.c: a_definition_becomes_units_or_says_why_not
     fd3 of nothing               error      and on n reached   21, injected   20, not run and said so   21, not told and said so  4, findings 0
== server
    apply, new, no memory at 100: the server has ended: 11 (answered: done)
Nov 26 10:00:00.000000 hero_proc_server[1]: web is running
apply, new       no memory                n reached   369, injected   368, answered with an error   343, findings 1
== gateway
health           no memory, 30 in a row   n reached    40, injected    39, answered with an error    12, findings 0
== cli
list --json=pretty w*      EINTR                    n reached    41, injected    40, ended with an error     0, findings 1
    list --json=pretty w*, EINTR at 12: no end within 10 s (status None, said '', ''); at main+0x1
status web                 short                    n reached     4, inj
ended 3 times by bus_reply() of src/libsystemd/bus.c
""".splitlines()
DAMAGE = """ok   tests/unit/test_store_damage.c: what_is_whole_is_there
     19486 refused, 47470 told, 301684 whole
ok   tests/unit/test_store_damage.c: a_bit_that_flips_in_the_file_is_refused_told_or_harmless
     0 refused, 0 told, 115392 whole, 0 wrong
ok   tests/unit/test_store_damage.c: a_bit_that_flips_in_the_log_takes_no_definition_along
""".splitlines()
DAMAGE_FAILED = """     cut at 4096: a service is missing
     cut at 4097: a definition is another
     12 refused, 0 told, 30 whole, 2 wrong
     tests/unit/test_store_damage.c:316: t.n_wrong is 2, and not 0 = 0
FAIL tests/unit/test_store_damage.c: a_file_that_was_cut_is_refused_or_harmless
""".splitlines()
END = ['campaign: {"began": "2026-11-26 10:42", "seconds": 4200, "machine": "2 cores", "version": "abc", "options": ""}']


def test_each_line_becomes_a_row_of_its_program(box):
    rows = parse(LOG).rows
    assert [(row.part, row.scenario, row.way, row.n, row.runs, row.errors, row.findings) for row in rows] == [
        ("library", "definition of two actions", "no memory, 2 in a row", 588, 587, None, 0),
        ("library", "store, new", "no memory", 2926, 2925, None, 6),
        ("shim", "fd3 of nothing", "error, and on", 21, 20, None, 0),
        ("server", "apply, new", "no memory", 369, 368, 343, 1),
        ("gateway", "health", "no memory, 30 in a row", 40, 39, 12, 0),
        ("cli", "list --json=pretty w*", "EINTR", 41, 40, 0, 1)]


def test_no_finding_and_no_end_by_a_library_is_left_out(box):
    campaign = parse(LOG)
    assert [found.split(":")[0] for found in campaign.found] == [
        "store, new, no memory at 7 (once)", "apply, new, no memory at 100", "list --json=pretty w*, EINTR at 12"]
    text = report_text(campaign)
    assert all(found in text for found in campaign.found)
    assert "3 times by `bus_reply() of src/libsystemd/bus.c`" in text
    assert "| together | 6 | 6 | 3,979 | 355 | 8 |" in text, text


def test_what_was_not_run_or_not_to_its_end_is_said(box):
    assert "did not come to its end" in report_text(parse(LOG))
    whole = report_text(parse(LOG + END))
    assert "Begun 2026-11-26 10:42 UTC, 70 minutes. Version abc" in whole and "not come to its end" not in whole
    without_server = report_text(parse([line for line in LOG if "apply, new " not in line] + END))
    assert f"| {PARTS['server'].name} | not run |" in without_server and f"## {PARTS['server'].name}" not in without_server


def test_what_findings_came_from_is_said_ahead_of_the_sums(box):
    text = report_text(parse(LOG + END), "They are the campaign's own.")
    assert text.index("Version abc") < text.index("They are the campaign's own.") < text.index("## Together")


def test_damages_of_the_store_have_a_table_and_are_in_the_sums(box):
    text = report_text(parse(LOG + DAMAGE + END))
    assert "| a bit that flips in the file is refused told or harmless | 368,640 | 19,486 | 47,470 | 301,684 | 0 |" in text, text
    assert "| a bit that flips in the log takes no definition along | 115,392 | 0 | 0 | 115,392 | 0 |" in text, text
    assert "| In one process: the store, damaged | 2 | 2 | 484,032 | 19,486 | 0 |" in text, text
    assert "| together | 8 | 8 | 488,011 | 19,841 | 8 |" in text and "together 484,032 are those of a damaged store" in text, text


def test_a_damage_that_is_told_by_nothing_is_a_finding(box):
    text = report_text(parse(DAMAGE + DAMAGE_FAILED + END))
    assert "| a file that was cut is refused or harmless | 42 | 12 | 0 | 30 | 2 |" in text, text
    assert "| In one process: the store, damaged | 3 | 3 | 484,074 | 19,498 | 3 |" in text, text
    for reason in ("cut at 4096: a service is missing", "test_store_damage.c:316: t.n_wrong is 2, and not 0 = 0"):
        assert any("a_file_that_was_cut_is_refused_or_harmless" in line and reason in line for line in text.splitlines()), text
    of_old = [line.replace(", 2 wrong", "") for line in DAMAGE_FAILED]
    assert "| 42 | 12 | 0 | 30 |  |" in report_text(parse(of_old))  # how many, nobody has said


def test_a_test_that_failed_is_a_finding_whatever_its_rows_say(box):
    failed = ["     tests/unit/test_shim_faults.c:340: run(&t) does not hold",
              "FAIL tests/unit/test_shim_faults.c: it_runs_or_says_why_not", "FAIL test_faults: it ended with 23 and no test had failed"]
    text = report_text(parse(failed + END))
    assert "test_shim_faults.c: it_runs_or_says_why_not: tests/unit/test_shim_faults.c:340: run(&t) does not hold" in text, text
    assert f"| {PARTS['shim'].name} | 0 | 0 | 0 |  | 1 |" in text and f"| {PARTS['library'].name} | 0 | 0 | 0 |  | 1 |" in text, text
    assert "- `test_faults: it ended with 23" in text and "| together | 0 | 0 | 0 |  | 2 |" in text, text
    assert report_text(parse(LOG + failed)).count("does not hold") == 1  # and not again of who fails after it


def test_a_program_that_ends_amid_its_tests_is_a_finding(box):
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(said):
        for name, script in {"test_faults": "true", "test_shim_faults": "echo 'FAIL test_shim_faults.c: a'; exit 1",
                             "test_store_damage": "printf '     cut at'; kill -ABRT $$"}.items():
            program = Path(folder, name)
            program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
            program.chmod(0o755)
        assert not run_in_process(Path(folder))
    campaign = parse(said.getvalue().splitlines())
    assert campaign.failed == ["shim", "damage"] and "it ended with -6" in campaign.found[1], said.getvalue()


def test_the_report_of_a_log_has_the_damages_and_what_failed(box):
    with tempfile.TemporaryDirectory() as folder:
        log, report = Path(folder, "log"), Path(folder, "report")
        log.write_text("\n".join(LOG + DAMAGE + DAMAGE_FAILED + END) + "\n", encoding="utf-8")
        subprocess.run([sys.executable, REPOSITORY / "tests" / "faults" / "faults_campaign.py", "--from-log", log, "--report", report,
                        "--explain", "A cut that nobody told of."], check=True)
        text = report.read_text(encoding="utf-8")
    assert "A cut that nobody told of." in text and "| together | 9 | 9 | 488,053 | 19,853 | 11 |" in text, text
    assert "cut at 4097: a definition is another" in text, text
