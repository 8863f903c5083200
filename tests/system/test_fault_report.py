# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the report of `make faults` makes of the lines that its programs print. Pure: no service runs, and no server."""

from __future__ import annotations

import sys

from box import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "tests" / "faults"))

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
