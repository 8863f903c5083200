# SPDX-License-Identifier: LGPL-2.1-or-later
"""hero_proc, the command line, with an allocation or a system call of its that fails: all of the answer, or an error."""

from __future__ import annotations

import sys

from box import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "tests" / "faults"))

import faults_campaign  # noqa: E402  pylint: disable=wrong-import-position


def prepare(box):
    faults_campaign.prepare_cli(box)


def test_a_command_without_memory_says_so_or_does_all_of_it(box):
    """A few failures of each verb, spread over its run; `make faults` tries all."""
    results = faults_campaign.run_in_cli(box, "--tries", "10", "--kinds", "1")
    assert not [finding for result in results for finding in result["findings"]]
    assert all(result["injected"] > 0 for result in results), results


def test_a_signal_is_no_reason_to_give_up_a_wait(box):
    result, = faults_campaign.run_in_cli(box, "--kinds", "3", "--only", "wait web --for")
    assert not result["findings"]
    assert result["injected"] > 15, result
