# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whoever asks, however much and however often: everybody gets an answer, and no service is called ill for it."""

from __future__ import annotations

import house


def broken(name, **fields):
    return {"name": name, "exec": ["/nonexistent"], "restart": {"policy": "never"}, **fields}


def start(box, name, timeout=10):
    """What StartService answers; a call without an answer is an error of its own."""
    return box.agent.call(_start, name, timeout, timeout=timeout + 5)[0]


def _start(name, timeout):
    return call_bus("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", "StartService",  # noqa: F821
                    "st", name, 0, timeout=timeout)


def _flood(member, first, n_calls, patience):
    """Calls MEMBER(first, 0) so often on one connection before it listens; the errors that come within the patience."""
    bus = RawBus()  # noqa: F821
    for _ in range(n_calls):
        bus.send("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", member,
                 "ast" if isinstance(first, list) else "st", first, 0)
    bus._socket.settimeout(patience)
    answers = []
    try:
        while len(answers) < n_calls:
            answers.append(bus.receive()[0])
    except TimeoutError:
        pass  # what is not answered is still asked
    return answers


def test_what_needs_a_failed_service_fails_with_it_down_the_whole_chain(box):
    box.apply(broken("c1", autostart=False), house.sleeper("c2", requires=["c1"], autostart=False),
              house.sleeper("c3", requires=["c2"], autostart=False), house.sleeper("c4", after=["c2"], autostart=False))
    assert start(box, "c3") == "failed"
    assert box.states() == {"c1": "failed", "c2": "failed", "c3": "failed", "c4": "stopped"}
    assert start(box, "c4") == "running", "after waits only for what is on its way"
    assert box.unit_property("hero-c2.service", "InvocationID") == ""
    house.stop_all(box)


def test_a_start_that_waits_for_what_will_not_move_is_answered(box):
    report = house.probe("report", "/api/files", role="report")
    box.apply(house.web_service(box, "d1", probe=report),
              house.sleeper("d2", requires=["d1"], autostart=False), house.sleeper("d3", requires=["d2"], autostart=False))
    box.wait_state("d1", "running", 10)
    house.set_fault(box, "d1", "/api/files close")
    box.wait_state("d1", "degraded", 10)
    assert start(box, "d3") == "starting"
    assert box.states() == {"d1": "degraded", "d2": "starting", "d3": "starting"}
    house.set_fault(box, "d1", "")
    box.wait_state("d3", "running", 10)
    house.stop_all(box)


def _reset(name):
    return call_bus("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", "ResetFailed",  # noqa: F821
                    "ast", 1, name, 0, timeout=10)


def test_a_reset_that_waits_for_a_failed_service_is_answered(box):
    box.apply(house.sleeper("r1", restart={"policy": "never"}), house.web_service(box, "r2", requires=["r1"],
                                                                                  on_unhealthy="report"))
    box.wait_state("r2", "running", 10)
    box.run(["kill", "-KILL", str(box.main_pid("hero-r1.service"))])
    house.set_fault(box, "r2", "/api/files close")
    box.wait_state("r1", "failed", 10)
    box.wait_state("r2", "failed", 10)
    assert [row[:2] for row in box.agent.call(_reset, "r2")[0]] == [["r2", "still-failed"]]
    assert box.main_pid("hero-r2.service") > 0, "what cannot come back is not taken down"
    house.stop_all(box)


def test_a_list_of_names_without_end_is_refused_before_it_is_read(box):
    box.apply(house.sleeper("once"), house.sleeper("other"))
    other = box.agent_of("hero")
    assert other.call(_flood, "GetStatus", ["once", "other"], 1, 10) == [""]
    pid = box.main_pid("hero_proc.service")
    assert other.call(_flood, "GetStatus", ["once"] * 10_000, 5, 10) == \
        ["org.freedesktop.DBus.Error.InvalidArgs"] * 5
    assert box.main_pid("hero_proc.service") == pid
    house.stop_all(box)


def _ask_all_the_time(name, seconds):
    with StateChanges(name) as changes:  # noqa: F821
        deadline, calls = time.monotonic() + seconds, []  # noqa: F821
        while time.monotonic() < deadline:  # noqa: F821
            calls.append(subprocess.Popen(["busctl", "call", "org.hero.Proc1", "/org/hero/Proc1",  # noqa: F821
                                           "org.hero.Proc1.Manager", "ProbeService", "st", name, "0"],
                                          user="hero", stdout=subprocess.DEVNULL))  # noqa: F821
            time.sleep(0.1)  # noqa: F821
        results = [call.wait(timeout=10) for call in calls]
        return changes.until("", 0.5), results


def test_a_slow_service_that_is_asked_all_the_time_goes_on_running(box):
    box.apply(house.web_service(box, "slow"))
    box.wait_state("slow", "running", 10)
    house.set_fault(box, "slow", "slow-400")
    changes, results = box.agent.call(_ask_all_the_time, "slow", 5)
    assert not changes, changes
    assert not any(results), "each gets its answer"
    house.stop_all(box)


def test_those_who_may_only_ask_cannot_take_the_places_of_those_who_may_change(box):
    box.apply(house.web_service(box, "mute", on_unhealthy="report",
                                probe=house.probe("files", "/api/files", timeout_ms=60000, interval_ms=60000)),
              house.sleeper("free", autostart=False))
    box.wait_state("mute", "running", 10)
    house.set_fault(box, "mute", "/api/files hang")
    for _ in range(18):
        answers = box.agent_of("hero").call(_flood, "ProbeService", "mute", 65, 0.4)
    assert "org.freedesktop.DBus.Error.LimitsExceeded" in answers
    assert start(box, "free") == "running"
    assert box.unit_property("hero-free.service", "ActiveState") == "active"
    box.agent_of("hero").close()
    house.stop_all(box)
