# SPDX-License-Identifier: LGPL-2.1-or-later
"""The server stays as small as it was, whatever the services do."""

from __future__ import annotations

from statistics import median

from box import SERVER_UNIT
from herodemo import faults_file, prepare_nginx, probe, service, socket_path

ALONE = True
LOG_BYTES = 1_000_000_000
LOG_LINE_BYTES = 1000
KEPT_LINES = 10_000
CYCLES, SERVICES_A_CYCLE = 70, 3
PROBES, PROBE_ROUNDS = 50, 200
NOISE_KIB = 64  # of a heap that does not grow: a page here and there


def prepare(box):
    # The journal lies in memory here: room for the lines that are asked for, many times over, and not for all of them.
    box.write_file("/etc/systemd/journald.conf.d/small.conf",
                   "[Journal]\nRuntimeMaxUse=128M\nRuntimeMaxFileSize=32M\nCompress=no\n")
    box.systemctl("restart", "systemd-journald.service")
    box.start_server()


def server_footprint(box) -> dict[str, int]:
    return box.agent.call("footprint", box.main_pid(SERVER_UNIT))


def assert_no_slope(rss: list[int]) -> None:
    """The last third against the third before: what is taken once, at first, is no slope."""
    third = len(rss) // 3
    assert median(rss[-third:]) - median(rss[-2 * third:-third]) <= NOISE_KIB, rss


def test_a_gigabyte_of_log_lines_costs_the_server_no_memory_and_the_last_lines_are_there(box):
    box.apply(service(box, "logs", probe=probe()))
    box.wait_state("logs", "running", 5)
    before = server_footprint(box)
    box.write_file(faults_file("logs"), f"log {LOG_BYTES}\n")
    box.wait_for(lambda: f"logged {LOG_BYTES} bytes" in
                 box.output("journalctl", "--no-pager", "-q", "-u", "hero-logs.service", "-n", "1", "-o", "cat",
                            "_TRANSPORT=stdout", "PRIORITY=6"), 120, "all is in the journal", pause=0.5)
    after = server_footprint(box)
    assert after["rss"] - before["rss"] < 256, (before, after)
    assert after["fds"] == before["fds"]
    assert box.states()["logs"] == "running"

    n_lines = LOG_BYTES // LOG_LINE_BYTES
    wanted = [f"line {i} of logs" for i in range(n_lines - KEPT_LINES, n_lines)]
    kept = box.output("journalctl", "--no-pager", "-q", "-u", "hero-logs.service", "-o", "cat", "-n",
                      str(KEPT_LINES + 1)).splitlines()
    assert [line.rpartition(" ")[0] for line in kept[:-1]] == wanted
    shown = box.hero("--no-pager", "logs", "logs", "-n", str(KEPT_LINES + 1)).stdout.splitlines()
    assert [line.partition("]: ")[2].rpartition(" ")[0] for line in shown[:-1]] == wanted


def test_ten_thousand_probes_change_no_state_and_cost_no_memory_and_no_descriptor(box):
    """A healthy service, asked 50 times each 100 ms. nginx counts the requests."""
    definition = prepare_nginx(box, "busy")
    config = "/run/busy/nginx/nginx.conf"
    box.write_file(config, box.read_file(config).replace(
        "location = /health {", "location = /count { stub_status; }\nlocation = /health {"))
    box.apply({**definition, "probes": [probe(f"p{i}", "/health", socket="web.sock", interval_ms=100, timeout_ms=2000)
                                        for i in range(PROBES)]})
    box.wait_state("busy", "running", 5)

    def watch(pid: int, path: str, n: int) -> dict:
        def requests() -> int:
            return int(http_request(path, "/count")[1].split("\n")[2].split()[2])  # noqa: F821

        rss, fds = [], set()
        with StateChanges("busy") as changes:  # noqa: F821
            began = requests()
            while requests() - began < n and len(rss) < 120:
                seen = changes.next_change(0.5)
                assert seen is None, seen
                sample = footprint(pid)  # noqa: F821
                rss.append(sample["rss"])
                fds.add(sample["fds"])
            return {"rss": rss, "fds": sorted(fds), "requests": requests() - began}

    seen = box.agent.call(watch, box.main_pid(SERVER_UNIT), socket_path("busy", "web.sock"), PROBES * PROBE_ROUNDS)
    assert seen["requests"] >= PROBES * PROBE_ROUNDS
    assert_no_slope(seen["rss"])
    assert seen["fds"][-1] - seen["fds"][0] <= PROBES, seen["fds"]  # those in flight
    box.hero("remove", "busy")


def test_two_hundred_starts_and_stops_cost_no_memory_and_no_descriptor(box):
    """The history of a service is full, and with it SQLite's cache of it, after 50 cycles: then nothing may grow."""
    names = [f"cycle-{i}" for i in range(SERVICES_A_CYCLE)]
    box.apply(*(service(box, name, probe=probe()) for name in names))
    for name in names:
        box.wait_state(name, "running", 10)
    seen = []
    for _ in range(CYCLES):
        box.hero("stop", *names)
        box.hero("start", *names)
        seen.append(server_footprint(box))
    assert_no_slope([sample["rss"] for sample in seen])
    box.wait_for(lambda: server_footprint(box)["fds"] == seen[0]["fds"], 5, "no descriptor more than before")
    started = box.journal().count("Started hero-cycle")
    assert started == SERVICES_A_CYCLE * (CYCLES + 1)
