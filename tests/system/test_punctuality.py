# SPDX-License-Identifier: LGPL-2.1-or-later
"""Services are asked when it is time, however many others hang. In full by tests/system/measure.py punctuality."""

from __future__ import annotations

import json

from crowd import apply_crowd, crowd, hanging, punctuality
from house import set_fault

ALONE = True
N_SERVICES = 200
SECONDS = 10
LATE_MAX = 0.5  # on a busy machine; without room for those behind who hangs it is the length of a timeout, 2 s


def prepare(box):
    box.start_server()


def server_says(box) -> dict:
    dump = json.loads(box.agent.call("call_bus", "org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", "Dump")[0])
    return dump["probing"]


def test_one_service_that_hangs_on_all_its_probes_does_not_delay_the_others(box):
    apply_crowd(box, [*crowd(box, N_SERVICES), hanging(box, "hanging", 64)], 120)
    set_fault(box, "hanging", "/api/files hang")
    box.wait_state("hanging", "failed", 30)
    before = server_says(box)
    seen = punctuality(box, SECONDS)
    after = server_says(box)
    print(f"     late p50 {seen['p50'] * 1000:.1f} ms, p99 {seen['p99'] * 1000:.1f} ms, max {seen['max'] * 1000:.1f} ms")
    assert seen["services"] == N_SERVICES and not seen["silent"], seen
    assert seen["p99"] < LATE_MAX, seen
    # The server's own count holds the same requests, and its own figure is no better than what those asked have seen.
    asked = after["passed"] - before["passed"]
    assert abs(asked - seen["requests"]) < 0.1 * seen["requests"], (asked, seen)
    assert after["failed"] - before["failed"] >= 64 * SECONDS / (1 + 2 + 1), (before, after)
    assert after["lateness"]["p99_usec"] < LATE_MAX * 1e6 and after["lateness"]["count"] >= after["passed"]
    states = box.states()
    assert [name for name, state in states.items() if state != "running"] == ["hanging"], states
