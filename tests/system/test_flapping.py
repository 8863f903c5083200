# SPDX-License-Identifier: LGPL-2.1-or-later
"""A handler that fails one request in two: what hero_proc says of it, against what the handler itself has written down."""

from __future__ import annotations

import re

from herodemo import faults_file, probe, reasons, service

AT_LEAST = 40  # requests that are watched while it flaps


def prepare(box):
    box.start_server()


def flap(name: str, log: str, faults: str, states: list[str], n_requests: int, timeout: float) -> dict:
    """For the agent: makes it flap, waits for those states and then for so many requests, and lets it be well again.
    What hero_proc said, [seconds, state, reason], and what the handler met, [seconds, outcome], all from one clock."""
    def requests() -> list[list]:
        lines = [line.split() for line in Path(log).read_text().splitlines()]  # noqa: F821
        return [[int(at) / 1e6, outcome] for at, _, path, outcome in lines if path == "/api/files"]

    with StateChanges(name) as changes:  # noqa: F821
        began = time.monotonic()  # noqa: F821
        Path(faults).write_text("/api/files flaky-2\n")  # noqa: F821
        said = changes.until(states[-1], timeout)
        n = len(requests()) + n_requests
        while len(requests()) < n and time.monotonic() < began + timeout:  # noqa: F821
            change = changes.next_change(0.1)
            said += [change] if change else []
        healed = time.monotonic()  # noqa: F821
        Path(faults).write_text("")  # noqa: F821
        said += changes.until("running", timeout)
        return {"began": began, "healed": healed, "said": [[c["at"], c["new"], c["reason"]] for c in said],
                "met": [request for request in requests() if request[0] >= began]}


def watch(box, name: str, **fields) -> dict:
    log = f"/run/{name}.requests"
    box.apply(service(box, name, "--request-log", log, probe=probe(interval_ms=100, **fields)))
    box.wait_state(name, "running", 10)
    states = ["degraded", "failed"] if "failures_in" in fields else ["degraded"]
    return box.agent.call(flap, name, log, faults_file(name), states, AT_LEAST, 40, timeout=100)


def longest_run(outcomes: list[str], wanted: str) -> int:
    longest = run = 0
    for outcome in outcomes:
        run = run + 1 if outcome == wanted else 0
        longest = max(longest, run)
    return longest


def test_a_flapping_handler_is_degraded_then_failed_by_the_window_rule_and_green_only_after_passes_in_a_row(box):
    seen = watch(box, "flaps", failures=3, successes=2, failures_in=[3, 10])
    assert [state for _, state, _ in seen["said"]] == ["degraded", "failed", "running"], seen["said"]
    assert {reason for _, state, reason in seen["said"] if state != "running"} == {"probe-failed"}
    while_it_flapped = [outcome for at, outcome in seen["met"] if at < seen["healed"]]
    assert len(while_it_flapped) >= AT_LEAST and while_it_flapped.count("ok") >= AT_LEAST / 2 - 2
    assert longest_run(while_it_flapped, "flaky") == 1 == longest_run(while_it_flapped[1:], "ok")  # never 3 in a row

    # Failed once the third of the last ten had failed, and not before; green again not before two in a row had passed
    # and fewer than three of the last ten had failed. A signal may come a little after what it tells of.
    # The handler writes down what it met after it has closed the connection, which may be a little late.
    degraded, failed, running = (at + 0.05 for at, _, _ in seen["said"])
    assert [outcome for at, outcome in seen["met"] if at < degraded].count("flaky") >= 1
    assert [outcome for at, outcome in seen["met"] if at < failed].count("flaky") >= 3
    before = [outcome for at, outcome in seen["met"] if at < running]
    assert before[-2:] == ["ok", "ok"] and before[-10:].count("flaky") < 3, before


def test_what_the_window_rule_has_seen_is_told(box):
    box.write_file(faults_file("flaps"), "/api/files flaky-2\n")
    box.wait_state("flaps", "failed", 20)
    code, subject, text = reasons(box, "flaps")[0]
    assert (code, subject) == ("probe-failed", "files")
    found = re.match(r"files: empty reply, (\d+) of the last 10 failed", text)
    assert found and 3 <= int(found[1]) <= 5, text
    box.write_file(faults_file("flaps"), "")
    box.wait_state("flaps", "running", 20)


def test_without_a_window_rule_it_stays_degraded_until_so_many_have_passed_in_a_row(box):
    seen = watch(box, "wavers", failures=3, successes=3)
    assert [state for _, state, _ in seen["said"]] == ["degraded", "running"], seen["said"]
    while_it_flapped = [outcome for at, outcome in seen["met"] if at < seen["healed"]]
    assert while_it_flapped.count("ok") >= AT_LEAST / 2 - 2
    before = [outcome for at, outcome in seen["met"] if at < seen["said"][-1][0]]
    assert before[-3:] == ["ok", "ok", "ok"], before
