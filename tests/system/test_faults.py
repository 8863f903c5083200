# SPDX-License-Identifier: LGPL-2.1-or-later
"""The server as it runs, with an allocation or a system call of its that fails: it says so, goes on, and loses nothing."""

from __future__ import annotations

import sys

from box import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "tests" / "faults"))

import faults_campaign  # noqa: E402  pylint: disable=wrong-import-position

CALLS = ["status", "probe", "apply, new", "stop", "remove", "a death", "an alert", "come up"]  # one failure of each; `make faults` tries all of all


def prepare(box):
    faults_campaign.prepare(box)


def test_a_server_without_memory_answers_goes_on_and_loses_nothing(box):
    results = [faults_campaign.run_in(box, "--tries", "1", "--kinds", "1", "--only", call)[0] for call in CALLS]
    assert not [finding for result in results for finding in result["findings"]]
    assert sum(result["injected"] for result in results) > len(CALLS) / 2, results  # what is put off may come after


def test_what_memory_ran_out_for_is_done_again(box):
    """The job of a stop that is to be queued, the units of a new service, systemd's news of either, of which the one that
    counts is among the last: every thirteenth n, for what is lost there asks for memory more than once. A limit of a service that
    runs asks for much."""
    for call, stride, least in (("stop", "13", 25), ("apply, new", "13", 25), ("apply, twice", "53", 25)):
        result, = faults_campaign.run_in(box, "--kinds", "1", "--only", call, "--stride", stride)
        assert not result["findings"]
        assert result["injected"] > least, result


def test_what_descriptors_or_a_bus_were_lacking_for_is_done_again_and_a_device_is_told_of(box):
    """A folder that could not be opened, a helper that hung up, a bus that went between two steps: each passes. No room for
    the file of its arguments: the service is failed by that, says so, and a start makes it good."""
    result, = faults_campaign.run_in(box, "--kinds", "2", "--only", "apply, owned")
    assert not result["findings"]
    assert result["injected"] > 40 and result["told"], result
