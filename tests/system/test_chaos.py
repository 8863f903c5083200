# SPDX-License-Identifier: LGPL-2.1-or-later
"""The short form of `make chaos`: everything is broken at random, and no row lies. Seeds are fixed; `make chaos MINUTES=1
SEED=n` tries others for longer."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "oracle"))

from campaign import run_in  # noqa: E402  pylint: disable=wrong-import-position
from ledger import harm_of, line_of, sum_of  # noqa: E402  pylint: disable=wrong-import-position

SECONDS = 10
SLACK = "3"  # the machine may be slow and busy; the exact bounds are the campaign's


def chaos(box, seed: int, *options: str) -> None:
    report = run_in(box, seed, SECONDS, "--services", "17", "--slack", SLACK, *options)
    assert not any(harm_of(report).values()), "\n\n".join([str(report["findings"]), *report["shown"]])
    line = line_of(report)
    assert sum_of([line, line])["rows"] == 2 * report["rows"] == 2 * sum(
        n for verdict, n in report["verdicts"].items() if verdict != "unseen"), report["verdicts"]
    assert report["rows"] > 1000 and report["verdicts"].get("true", 0) > 500, report["verdicts"]


def test_no_row_lies_while_services_and_server_are_killed_and_changed(box):
    chaos(box, 11, "--kill-rate", "0.6", "--world-rate", "0.1")


def test_no_row_lies_while_systemd_bus_disk_and_files_fail(box):
    with box.another() as other:
        chaos(other, 12, "--kill-rate", "0.1", "--world-rate", "0.4", "--service-rate", "1.5", "--world",
              "daemon_reload,daemon_reexec,restart_bus,kill_bus,fill_disk,exhaust_files,pause_server,jump_clock")
