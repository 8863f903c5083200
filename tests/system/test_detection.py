# SPDX-License-Identifier: LGPL-2.1-or-later
"""What dies is told within what is promised. In full, and with the figures, by tests/system/measure.py detection."""

from __future__ import annotations

from detection import deaths_and_vanishings, handler_deaths, percentile, prepare_handlers

ALONE = True
SLACK = 0.5  # seconds that a busy machine may add
RUNS = 12


def prepare(box):
    box.start_server()


def test_handlers_that_die_at_any_moment_of_the_interval_are_failed_within_the_bound(box):
    fields = {"interval_ms": 1000, "timeout_ms": 500, "fast_interval_ms": 100}
    names = prepare_handlers(box, fields)
    for fault, bound in (("close", 1.0 + 2 * 0.1), ("hang", 1.0 + 3 * 0.5 + 2 * 0.1)):
        took = handler_deaths(box, names, fault, len(names), 1.0, 20)
        print(f"     {fault}: median {percentile(took, 50):.2f} s, max {took[-1]:.2f} s of {len(took)}, bound {bound:.1f} s")
        assert took[-1] <= bound + SLACK, took
        assert percentile(took, 50) <= bound, took
    box.hero("remove", *names)


def test_a_dead_process_and_a_vanished_socket_are_told_by_events_and_not_by_a_tick(box):
    for what, took in deaths_and_vanishings(box, RUNS).items():
        print(f"     {what}: median {percentile(took, 50) * 1000:.1f} ms, max {took[-1] * 1000:.1f} ms of {len(took)}")
        assert percentile(took, 50) < 0.1 and took[-1] < 0.1 + SLACK, took
