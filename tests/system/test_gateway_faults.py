# SPDX-License-Identifier: LGPL-2.1-or-later
"""The gateway as it runs, with an allocation of its that fails: whoever asked is told so or hung up on, at once, and is never
given a part for the whole."""

from __future__ import annotations

import sys

from box import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "tests" / "faults"))

import faults_campaign  # noqa: E402  pylint: disable=wrong-import-position


def prepare(box):
    faults_campaign.prepare_gateway(box)


def test_a_gateway_without_memory_answers_at_once_with_all_or_with_an_error(box):
    """A few failures of each question; `make faults` tries all of them."""
    results = faults_campaign.run_in_gateway(box, "--tries", "4", "--kinds", "1", "--spans", "1,30")
    assert not [finding for result in results for finding in result["findings"]]
    assert all(result["injected"] > 0 for result in results), results
