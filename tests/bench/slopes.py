# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether the server grows with what it has done: memory and descriptors over many probes and many restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from box import SERVER_UNIT
from house import web_service

if TYPE_CHECKING:
    from bench import Bench

PROBED, PROBES_EACH, INTERVAL_MS = 8, 50, 100
RESTARTED = 20


def probe_many(bench: Bench) -> None:
    """nginx counts the requests. The first fifth is not looked at: what is taken once is no slope."""
    from herodemo import prepare_nginx, socket_path  # pylint: disable=import-outside-toplevel
    paths = []
    for i in range(PROBED):
        definition = prepare_nginx(bench.box, f"busy{i}")
        config = f"/run/busy{i}/nginx/nginx.conf"
        bench.box.write_file(config, bench.box.read_file(config).replace(
            "location = /health {", "location = /count { stub_status; }\nlocation = /health {"))
        probes = [{"name": f"p{j}", "socket": "web.sock", "path": "/health", "interval_ms": INTERVAL_MS,
                   "timeout_ms": 5000} for j in range(PROBES_EACH)]
        bench.box.apply({**definition, "probes": probes})
        paths.append(socket_path(f"busy{i}", "web.sock"))
    bench.inside("await_rows", PROBED, "running", 30.0)
    seen = bench.inside("watch_probes", bench.box.main_pid(SERVER_UNIT), paths, bench.options.slope_probes, timeout=3600)
    add(bench, "probes", seen)
    bench.forget_all()


def restart_many(bench: Bench) -> None:
    names = [f"mortal{i:02}" for i in range(RESTARTED)]
    rule = {"delay_ms": 0, "max_delay_ms": 1, "max_attempts": 10000, "window_ms": 1000}
    bench.box.apply(*(web_service(bench.box, name, faults=False, restart=rule) for name in names))
    bench.inside("await_rows", RESTARTED, "running", 30.0)
    # The history of each is full after some 50 restarts, and with it SQLite's cache: before that there is growth.
    seen = bench.inside("watch_restarts", bench.box.main_pid(SERVER_UNIT), names, bench.options.slope_restarts,
                        timeout=7200)
    add(bench, "restarts", seen)
    bench.forget_all()


def add(bench: Bench, what: str, seen: list[list[float]]) -> None:
    """[how many so far, RssAnon, descriptors]"""
    for done, memory, descriptors in seen:
        bench.figures.add(f"slope_{what}", "done", 1, done)
        bench.figures.add(f"slope_{what}", "rss_anon", 1, memory)
        bench.figures.add(f"slope_{what}", "fds", 1, descriptors)
    bench.say(f"{what}: {seen[0]} … {seen[-1]}")


def measure(bench: Bench) -> None:
    probe_many(bench)
    restart_many(bench)
