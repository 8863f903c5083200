# SPDX-License-Identifier: LGPL-2.1-or-later
"""requires and after: who waits for whom, and what is said of those who wait in vain."""

from __future__ import annotations

import json
import time

from box import Box
from house import probe, set_fault, sleeper, stop_all, units, web_service

WITHIN_SECONDS = 10.0
DELAY_MS = 400
JOBS_MAX, JOBS_FOR_STOPS = 64, 8  # systemd_client.h


def prepare(box: Box) -> None:
    box.start_server()


def started_usec(box: Box, name: str) -> int:
    """When its process was started, by systemd's clock."""
    return int(box.unit_property(f"hero-{name}.service", "ExecMainStartTimestampMonotonic"))


def ready_usec(box: Box, name: str) -> int:
    return int(box.unit_property(f"hero-{name}.service", "ActiveEnterTimestampMonotonic"))


def reason(box: Box, name: str) -> tuple[str, str]:
    first = box.hero_json("status", name)[0]["reasons"][0]
    return first["code"], first["subject"]


def jobs(box: Box) -> list[str]:
    return box.output("systemctl", "list-jobs", "--no-legend", "hero-*").splitlines()


def is_up(box: Box, name: str) -> bool:
    return any(unit["pids"] for unit in units(box, f"hero-{name}.service").values())


def slow(box: Box, name: str, **fields):
    return web_service(box, name, options=["--ready-delay-ms", str(DELAY_MS)], **fields)


def test_each_starts_only_when_what_it_requires_runs(box):
    box.apply(slow(box, "c", requires=["b"]), slow(box, "b", requires=["a"]), slow(box, "a"))
    box.wait_state("c", "running", WITHIN_SECONDS)
    assert ready_usec(box, "a") <= started_usec(box, "b") and ready_usec(box, "b") <= started_usec(box, "c")
    assert started_usec(box, "c") - started_usec(box, "a") >= 2 * DELAY_MS * 1000


def test_what_waits_is_starting_and_says_for_whom(box):
    box.apply(web_service(box, "gate", options=["--never-ready"], start_timeout_ms=60000),
              sleeper("waiter", requires=["gate"]))
    box.wait_state("waiter", "starting", WITHIN_SECONDS)
    assert reason(box, "waiter") == ("waiting-for", "gate")
    assert not is_up(box, "waiter")
    box.apply(web_service(box, "gate"))
    box.wait_state("waiter", "running", WITHIN_SECONDS)
    assert ready_usec(box, "gate") <= started_usec(box, "waiter")


def test_a_probe_that_fails_holds_back_who_requires_it(box):
    """Active for systemd is not yet running: only a whole answer opens the gate."""
    box.apply(web_service(box, "mute", on_unhealthy="report", probes=[probe("absent", "/no/such/path", failures=1)]),
              sleeper("needs_voice", requires=["mute"]))
    box.wait_state("mute", "failed", WITHIN_SECONDS)
    assert box.unit_property("hero-mute.service", "ActiveState") == "active"
    assert not is_up(box, "needs_voice")
    box.wait_for(lambda: reason(box, "needs_voice") == ("dependency-failed", "mute"), WITHIN_SECONDS, "it says so")
    box.apply(web_service(box, "mute", on_unhealthy="report", probes=[probe("files", "/api/files")]))
    box.wait_state("needs_voice", "running", WITHIN_SECONDS)


def test_what_requires_a_failed_one_is_failed_and_never_started(box):
    box.apply({"name": "broken", "exec": ["/bin/false"], "ready": "notify", "restart": {"policy": "never"}},
              sleeper("victim", requires=["broken"]))
    box.wait_state("victim", "failed", WITHIN_SECONDS)
    assert reason(box, "victim") == ("dependency-failed", "broken")
    assert box.unit_property("hero-victim.service", "InvocationID") == "", "it was started"
    box.apply(sleeper("broken"))
    box.wait_state("victim", "running", WITHIN_SECONDS)


def test_a_start_pulls_in_what_it_requires_and_not_what_it_comes_after(box):
    box.apply(sleeper("low", autostart=False), sleeper("middle", autostart=False, requires=["low"]),
              sleeper("beside", autostart=False), sleeper("top", autostart=False, requires=["middle"], after=["beside"]))
    box.hero("start", "top", timeout=WITHIN_SECONDS)
    assert {name: is_up(box, name) for name in ("low", "middle", "beside", "top")} == {
        "low": True, "middle": True, "beside": False, "top": True}
    assert started_usec(box, "low") <= started_usec(box, "middle") <= started_usec(box, "top")


def test_after_waits_for_one_that_is_starting_but_not_for_one_that_failed(box):
    box.apply(slow(box, "first"), sleeper("second", after=["first"]),
              {"name": "dead", "exec": ["/bin/false"], "restart": {"policy": "never"}}, sleeper("third", after=["dead"]))
    box.wait_state("second", "running", WITHIN_SECONDS)
    box.wait_state("third", "running", WITHIN_SECONDS)
    assert ready_usec(box, "first") <= started_usec(box, "second")


def test_a_oneshot_that_is_done_opens_the_gate(box):
    box.apply({"name": "setup", "kind": "oneshot", "exec": ["/bin/sleep", "0.3"]}, sleeper("user", requires=["setup"]))
    box.wait_state("user", "running", WITHIN_SECONDS)
    ended = int(box.unit_property("hero-setup.service", "ExecMainExitTimestampMonotonic"))
    assert 0 < ended <= started_usec(box, "user")


def test_what_runs_is_not_stopped_when_what_it_requires_fails(box):
    box.apply(web_service(box, "ground", on_unhealthy="report", probes=[probe("files", "/api/files", failures=1)]),
              sleeper("house", requires=["ground"]))
    box.wait_state("house", "running", WITHIN_SECONDS)
    invocation = box.invocation_id("hero-house.service")
    set_fault(box, "ground", "/api/files close")
    box.wait_state("ground", "failed", WITHIN_SECONDS)
    assert is_up(box, "house") and box.invocation_id("hero-house.service") == invocation
    assert box.states()["house"] == "running"


def test_a_restart_that_is_held_back_is_not_said_to_have_come(box):
    """What runs goes on running until what it requires is well: the caller must not take that for the new process."""
    stop_all(box)
    box.apply(web_service(box, "ground", on_unhealthy="report", probes=[probe("files", "/api/files", failures=1)]),
              sleeper("house", requires=["ground"]))
    box.wait_state("house", "running", WITHIN_SECONDS)
    invocation = box.invocation_id("hero-house.service")
    set_fault(box, "ground", "/api/files close")
    box.wait_state("ground", "failed", WITHIN_SECONDS)
    # A start makes a failed one healthy by trying it again, and this one fails again.
    held_back = box.hero("restart", "house", check=False, timeout=WITHIN_SECONDS)
    assert box.invocation_id("hero-house.service") == invocation
    assert held_back.returncode == 1 and "ground" in held_back.stderr, held_back
    assert "running" not in held_back.stdout, held_back
    set_fault(box, "ground", "")
    box.wait_for(lambda: box.invocation_id("hero-house.service") != invocation, WITHIN_SECONDS, "it is restarted then")


def test_a_cycle_is_refused_with_its_path_and_nothing_is_touched(box):
    stop_all(box)
    box.apply(sleeper("ring_a"))
    before = box.invocation_id("hero-ring_a.service")
    refused = box.apply(sleeper("ring_a", requires=["ring_b"]), sleeper("ring_b", after=["ring_c"]),
                        sleeper("ring_c", requires=["ring_a"]), check=False)
    assert refused.returncode == 65, refused
    assert any(path in refused.stderr for path in ("ring_a -> ring_b -> ring_c -> ring_a",
                                                   "ring_b -> ring_c -> ring_a -> ring_b",
                                                   "ring_c -> ring_a -> ring_b -> ring_c")), refused.stderr
    assert set(box.states()) == {"ring_a"} and not units(box, "hero-ring_b*")
    assert box.invocation_id("hero-ring_a.service") == before


def test_an_unknown_name_in_requires_is_refused_as_a_whole(box):
    text = json.dumps([sleeper("fine"), sleeper("lost", requires=["nobody"])])
    done = box.hero("apply", "-", input=text, check=False)
    assert done.returncode == 65 and "nobody" in done.stderr and "no such service" in done.stderr, done
    assert "fine" not in box.states() and not units(box, "hero-fine*")


def test_what_is_required_cannot_be_removed_before_who_requires_it(box):
    box.apply(sleeper("base"), sleeper("user", requires=["base"]))
    box.wait_state("user", "running", WITHIN_SECONDS)
    refused = box.hero("remove", "base", check=False)
    assert refused.returncode != 0 and "user" in refused.stderr, refused
    assert is_up(box, "base") and is_up(box, "user")
    box.hero("remove", "user")
    box.hero("remove", "base")
    assert not units(box, "hero-base*") and not units(box, "hero-user*")


def test_a_stop_passes_starts_that_take_their_time(box):
    """Of the jobs that may be under way some are kept for stops: these sixty starts get none of them."""
    names = [f"never{i:02}" for i in range(60)]
    box.apply(sleeper("quick"))
    box.wait_state("quick", "running", WITHIN_SECONDS)
    box.apply(*(sleeper(name, ready="notify", start_timeout_ms=60000) for name in names))
    box.wait_for(lambda: len(jobs(box)) >= JOBS_MAX - JOBS_FOR_STOPS, WITHIN_SECONDS, "as many starts as may be are under way")
    began = time.monotonic()
    box.hero("stop", "quick")
    assert time.monotonic() - began < WITHIN_SECONDS
    assert not is_up(box, "quick")
    stop_all(box)
