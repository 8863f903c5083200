# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many web servers, an nginx each, as services of hero_proc: probed by hero_proc, by monit, and by the bare loop, on the
same sockets. What needs such a house is measured here: probes, memory, the server's restart, lists, and (growing.py) faults."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import growing
from box import SERVER_UNIT
from figures import middle

if TYPE_CHECKING:
    from bench import Bench

INTERVAL = 1.0
YOUNG_SECONDS = 10.0  # for so long a socket that is not there may still come
REQUESTS = "/run/bench/requests"
NGINX = f"""daemon off;
master_process off;
pid /run/bench/nginx/@NAME@.pid;
error_log stderr;
events {{ worker_connections 16; }}
http {{
        log_format asked '$msec @NAME@ $status';
        access_log {REQUESTS} asked;
        server {{
                listen unix:/run/hero/@NAME@/web.sock;
                location = /health {{
                        if (-f /run/bench/dead/@NAME@) {{ return 444; }}
                        return 200 '{{"status":"ok"}}\\n';
                }}
        }}
}}
"""
MONITRC = """set daemon 1
set log /run/bench/monit.log
set pidfile /run/bench/monit.pid
set idfile /run/bench/monit.id
set statefile /run/bench/monit.state
"""
CHECK = """check process @NAME@ with pidfile /run/bench/nginx/@NAME@.pid
        if not exist then alert
        if failed unixsocket /run/hero/@NAME@/web.sock protocol http request "/health" with timeout 2 seconds then alert"""
MONIT = ["/usr/bin/monit", "-I", "-c", "/run/bench/monitrc"]
BREAKINGS = ("killed", "unlinked", "dead", "stopped")


def names_of(n: int) -> list[str]:
    return [f"w{i:04}" for i in range(n)]


def definition() -> str:
    return json.dumps({
        "name": "@NAME@", "on_unhealthy": "report", "sockets": ["web.sock"], "restart": {"policy": "never"},
        "start_timeout_ms": int(YOUNG_SECONDS * 1000),
        "exec": ["/usr/sbin/nginx", "-e", "stderr", "-c", "/run/bench/nginx/@NAME@.conf"],
        "probe": {"socket": "web.sock", "path": "/health", "interval_ms": int(INTERVAL * 1000), "timeout_ms": 2000}})


def build(bench: Bench, names: list[str]) -> None:
    bench.box.run(["rm", "-rf", "/run/bench/definitions"])
    bench.inside("write_house", names, NGINX, definition(), MONITRC, CHECK)
    bench.box.hero("-q", "apply", "/run/bench/definitions", timeout=120)
    bench.inside("await_rows", len(names), "running", 300.0, timeout=320)
    bench.say(f"{len(names)} web services run")


class Probers:
    """One of them asks at a time; the services go on all the while."""

    def __init__(self, bench: Bench, names: list[str]):
        self._bench = bench
        self._names = names
        bench.box.write_file("/run/bench/sockets", "".join(f"/run/hero/{name}/web.sock\n" for name in names))

    def begin(self, who: str) -> list[int]:
        """Returns the processes that do the asking, once it has come to rest."""
        inside, box = self._bench.inside, self._bench.box
        if who == "hero_proc":
            box.start_server()
            inside("await_rows", len(self._names), "running", 120.0, timeout=130)
            return [box.main_pid(SERVER_UNIT)]
        box.stop_server()
        if who == "monit":
            inside("spawn", who, MONIT, "/run/bench/monit.out")
        else:
            loop = f"exec /opt/bench/probe_floor {int(INTERVAL * 1000)} </run/bench/sockets"
            inside("spawn", who, ["/bin/sh", "-c", loop], "/run/bench/floor.out")
        box.wait_for(lambda: inside("pids_of", who), 5, f"{who} runs")
        inside("pause", 3 * INTERVAL)  # its first rounds are none of those that are measured
        return inside("pids_of", who)

    def end(self, who: str) -> None:
        if who != "hero_proc":
            self._bench.inside("end", who)


def measure_probes(bench: Bench, names: list[str], wants: set[str]) -> None:
    """Probes, and what memory the probers have at the end of each time that they have probed for a while."""
    n, probers = len(names), Probers(bench, names)
    for _ in range(bench.options.repetitions_probed(n)):
        order = ["hero_proc", "monit", "floor"]
        bench.random.shuffle(order)
        for who in order:
            if who == "floor" and "probe" not in wants:
                continue
            pids = probers.begin(who)
            began = time.monotonic()
            bench.inside("pause", 2 * INTERVAL)
            if "probe" in wants:
                add_probes(bench, who, n, pids)
            if who != "floor":
                add_memory(bench, who, n, pids, began)
            probers.end(who)
    bench.box.start_server()
    bench.inside("await_rows", n, "running", 120.0, timeout=130)


def add_probes(bench: Bench, who: str, n: int, pids: list[int]) -> None:
    bench.inside("forget_requests", REQUESTS, 3 * INTERVAL)
    seconds = bench.options.seconds_probed(n)
    seen = bench.inside("hold_requests", REQUESTS, seconds, pids, INTERVAL, timeout=seconds + 60)
    assert seen["failed"] == 0 and seen["services"] == n, {**seen, "late": len(seen["late"])}
    assert seen["late"], f"{who} has asked nobody twice"
    bench.figures.add("cpu_probe", who, n, seen["cpu"] / seen["requests"])
    bench.figures.add("cpu", who, n, seen["cpu"] / seen["seconds"])
    bench.figures.add("rate", who, n, seen["requests"] / seen["seconds"] / n)
    bench.figures.add("late", who, n, *seen["late"])
    bench.say(f"{who} asks {n}: {seen['cpu'] / seen['requests'] * 1e6:.1f} us a probe, late "
              f"{(middle(seen['late']) or 0) * 1000:.0f} ms")


def add_memory(bench: Bench, who: str, n: int, pids: list[int], began: float) -> None:
    if who == "hero_proc":
        bench.await_returned(began)
    for what, value in bench.inside("memory_of", pids).items():
        bench.figures.add(what, who, n, value)


def measure_restarts(bench: Bench, names: list[str]) -> None:
    n = len(names)
    n_broken = max(n // 100, 1) * len(BREAKINGS)
    # None breaks twice, and none while it is young: that its socket was there before is not remembered over a restart.
    bench.inside("pause", YOUNG_SECONDS)
    fresh = bench.random.sample(names, n)
    for i in range(bench.options.repetitions_restarted * 2):
        broken: dict[str, str] = {}
        if i % 2:
            if len(fresh) < n_broken:
                continue
            broken = {fresh.pop(): BREAKINGS[j % len(BREAKINGS)] for j in range(n_broken)}
        seen = bench.inside("restart_server", broken, n, 120.0, timeout=160)
        truth = bench.inside("truth_of", names, timeout=120)
        untrue = {name: state for name, state in truth.items() if (state != "running") != (name in broken)}
        assert not untrue, f"the house is not what it should be: {untrue}"
        assert not seen["lies"], f"said, and not so: {seen['lies']}"
        bench.figures.add("restart_broken" if broken else "restart", "hero_proc", n, seen["seconds"])
        bench.say(f"all {n} rows right {seen['seconds']:.3f} s after the server was stopped, {len(broken)} broken meanwhile; "
                  f"the last: {', '.join(seen['last'])}")
        bench.inside("repair", broken)
        bench.inside("await_rows", n, "running", 120.0, timeout=130)


def measure_lists(bench: Bench, names: list[str]) -> None:
    commands = {"hero_proc": ["hero_proc", "list", "--no-legend", "--no-pager"],
                "systemctl": ["systemctl", "list-units", "--no-legend", "--no-pager", "--plain", "hero-*.service"]}
    took = bench.inside("timed_runs", commands, len(names), bench.options.lists, timeout=300)
    for who, seconds in took.items():
        bench.figures.add("list", who, len(names), *seconds)
        bench.say(f"{who}: {len(names)} listed in {(middle(seconds) or 0) * 1000:.1f} ms")


def measure(bench: Bench, wants: set[str]) -> None:
    for n in bench.options.sizes_probed:
        names = names_of(n)
        build(bench, names)
        if wants & {"probe", "memory"}:
            measure_probes(bench, names, wants)
        if "list" in wants:
            measure_lists(bench, names)
        if "growth" in wants:
            growing.measure(bench, names, MONIT)
        if "restart" in wants:
            measure_restarts(bench, names)
        bench.forget_all()
