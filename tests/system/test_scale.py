# SPDX-License-Identifier: LGPL-2.1-or-later
"""Three hundred services at once: PID 1 keeps its bus, the server stays small, adoption is as quick as with a few."""

from __future__ import annotations

import json
import time
from typing import Any

from box import SERVER_UNIT, Box
from house import lives, sleeper, stop_all, units, web_service

ALONE = True
N_SERVICES = 300
EACH_SERVES = 3  # each third has a socket and a probe, and takes its time to say that it is ready
RSS_ANON_MAX_KB = 4 * 1024
UNFINISHED_JOBS_MAX = 64
ADOPTED_WITHIN_SECONDS = 2.0
STARTED_WITHIN_SECONDS = 60.0  # some seconds on a quiet machine


def prepare(box: Box) -> None:
    box.start_server()


def names() -> list[str]:
    return [f"s{number:03}" for number in range(N_SERVICES)]


def write_definitions(box: Box, folder: str) -> None:
    for number, name in enumerate(names()):
        serves = number % EACH_SERVES == 0
        service = web_service(box, name, faults=False, options=["--ready-delay-ms", "300"]) if serves else sleeper(name)
        box.agent.call(_write, f"{folder}/{name}.json", json.dumps(service))


def _write(path: str, text: str) -> None:
    # pylint: disable=undefined-variable
    Path(path).parent.mkdir(parents=True, exist_ok=True)  # noqa: F821
    Path(path).write_text(text)  # noqa: F821


def start_and_count_jobs(folder: str, n: int, timeout: float) -> dict[str, Any]:
    """In the box: seconds until all are up by the kernel's word, and the most unfinished jobs that any look met."""
    # pylint: disable=undefined-variable
    def n_up() -> int:
        return sum(1 for path in CGROUPS.glob("hero.slice/hero-*.slice/hero-*.service/cgroup.procs")  # noqa: F821
                   if path.read_text().strip())

    most = [0, 0]

    def all_up() -> bool:
        jobs = subprocess.run(["systemctl", "list-jobs", "--no-legend", "--plain"],  # noqa: F821
                              capture_output=True, text=True, check=True).stdout
        most[0] = max(most[0], len(jobs.splitlines()))
        most[1] += 1
        return n_up() == n

    began = time.monotonic()
    with subprocess.Popen(["hero_proc", "-q", "apply", folder]) as apply:  # noqa: F821
        seconds = seconds_until(all_up, timeout)  # noqa: F821
        status = apply.wait()
    running = None
    if seconds is not None and seconds_until(  # noqa: F821
            lambda: sum(row["state"] == "running" for row in hero_services().values()) == n, timeout):  # noqa: F821
        running = time.monotonic() - began  # noqa: F821
    return {"status": status, "up": seconds, "running": running, "most_jobs": most[0], "looks": most[1]}


def owner_of_systemd(box: Box) -> str:
    return box.agent.call("call_bus", "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetNameOwner", "s",
                          "org.freedesktop.systemd1")[0]


def active_since_usec(box: Box, pattern: str) -> dict[str, int]:
    shown = box.systemctl("show", "-p", "Id,ActiveEnterTimestampMonotonic", pattern).stdout.split("\n\n")
    units_shown = [dict(line.split("=", 1) for line in unit.splitlines() if "=" in line) for unit in shown]
    return {unit["Id"]: int(unit["ActiveEnterTimestampMonotonic"]) for unit in units_shown if unit}


def rss_anon_kb(box: Box) -> int:
    status = box.read_file(f"/proc/{box.main_pid(SERVER_UNIT)}/status")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("RssAnon:")))


def assert_all_up(box: Box) -> None:
    known = units(box, "hero-*.service")
    assert set(known) == {f"hero-{name}.service" for name in names()}
    without = {name: unit for name, unit in known.items() if unit["pids"] != [int(unit["MainPID"])]}
    assert not without, without


def test_three_hundred_are_started_by_one_apply_with_few_jobs_and_pid_1_stays_on_the_bus(box):
    write_definitions(box, "/srv/many")
    owner = owner_of_systemd(box)
    seen = box.agent.call(start_and_count_jobs, "/srv/many", N_SERVICES, STARTED_WITHIN_SECONDS,
                          timeout=3 * STARTED_WITHIN_SECONDS)
    print("    ", seen)
    assert seen["status"] == 0 and seen["up"] is not None and seen["running"] is not None, seen
    assert 0 < seen["most_jobs"] <= UNFINISHED_JOBS_MAX, seen
    assert_all_up(box)
    assert owner_of_systemd(box) == owner, "PID 1 had to come back to the bus"
    assert set(box.states().values()) == {"running"}


def test_the_first_of_three_hundred_run_while_the_last_are_made(box):
    # systemd walks over all slices that are up whenever it starts one more: made all at first, they cost each start most
    started = active_since_usec(box, "hero-s*.service")
    last_made = max(active_since_usec(box, "hero-s*.slice").values())
    n_before = sum(1 for usec in started.values() if usec < last_made)
    assert len(started) == N_SERVICES and n_before >= N_SERVICES / 2, (n_before, len(started))


def test_the_server_is_small_with_three_hundred(box):
    kilobytes = rss_anon_kb(box)
    print(f"     RssAnon {kilobytes} KB")
    assert kilobytes < RSS_ANON_MAX_KB


def test_to_tell_all_of_three_hundred_leaves_the_server_as_small_as_it_was(box):
    before = rss_anon_kb(box)
    for words in (("--json=short", "list"), ("dump",), ("dump",)):
        assert box.hero(*words).stdout.count('"s2') >= 100
    after = rss_anon_kb(box)
    print(f"     RssAnon {before} KB, then {after} KB")
    assert after - before < 512


def test_the_list_of_three_hundred_is_there_at_once(box):
    ours, systemds = (min(took) for took in zip(*box.agent.call(_times_of_lists, 10)))  # of a busy machine the best
    print(f"     hero_proc list: {ours * 1000:.0f} ms, systemctl list-units: {systemds * 1000:.0f} ms")
    assert ours < 2 * systemds


def _times_of_lists(n: int) -> list[list[float]]:
    # pylint: disable=undefined-variable
    def time_of(*command: str) -> float:
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: F821
        if len(done.stdout.splitlines()) < 300:
            raise RuntimeError(done.stdout)
        return time.monotonic() - began

    return [[time_of("hero_proc", "list", "--no-legend"), time_of("systemctl", "list-units", "--no-legend", "hero-*")]
            for _ in range(n)]


def adopt(n: int, pid_before: int) -> float:
    """In the box: seconds from the start of the new server's process until it calls all of them running."""
    # pylint: disable=undefined-variable
    def server() -> dict[str, str]:
        shown = subprocess.run(  # noqa: F821
            ["systemctl", "show", "-p", "MainPID,ActiveState,ExecMainStartTimestampMonotonic", "hero_proc.service"],
            capture_output=True, text=True, check=True).stdout
        return dict(line.split("=", 1) for line in shown.splitlines())

    if seconds_until(lambda: server()["ActiveState"] == "active"  # noqa: F821
                     and int(server()["MainPID"]) not in (0, pid_before), 20) is None:
        raise RuntimeError(f"it is not back: {server()}")

    def all_right() -> bool:
        states = [row["state"] for row in hero_services().values()]  # noqa: F821
        if set(states) - {"running", "unknown"}:
            raise RuntimeError(f"untrue: {set(states)}")
        return states.count("running") == n

    if seconds_until(all_right, 20) is None:  # noqa: F821
        raise RuntimeError("not all running after 20 s")
    began = int(server()["ExecMainStartTimestampMonotonic"]) / 1e6
    return time.clock_gettime(time.CLOCK_MONOTONIC) - began  # noqa: F821


def test_three_hundred_are_adopted_within_two_seconds_and_untouched(box):
    before = lives(box)
    for lose in (box.restart_server, box.kill_server):
        pid = box.main_pid(SERVER_UNIT)
        lose()
        seconds = box.agent.call(adopt, N_SERVICES, pid)
        print(f"     {seconds:.2f} s after its start")
        assert seconds < ADOPTED_WITHIN_SECONDS
        assert lives(box) == before
    assert rss_anon_kb(box) < RSS_ANON_MAX_KB


def test_an_operators_stop_is_done_at_once_among_three_hundred(box):
    began = time.monotonic()
    box.hero("stop", "s001")
    assert time.monotonic() - began < 1.0
    assert units(box, "hero-s001.service")["hero-s001.service"]["pids"] == []
    box.hero("start", "s001")


def test_nothing_is_left_of_three_hundred_once_they_are_pruned(box):
    stop_all(box)
    assert box.states() == {}
    assert not units(box)
    assert box.agent.call("processes_in_cgroup", "hero.slice") == []
