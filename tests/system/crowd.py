# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many services at once, each a server of its own that writes down when it is asked: by that, and not by hero_proc's
word, is seen whether it is asked in time."""

from __future__ import annotations

import json
from typing import Any

from box import SERVER_UNIT, Box
from house import probe, web_service

REQUESTS = "/srv/requests"  # one line a request, of all of them


def crowd(box: Box, n: int, interval_ms: int = 1000, **fields: Any) -> list[dict[str, Any]]:
    """Definitions of n services, each asked once an interval."""
    return [web_service(box, f"c{i:04}", faults=False, options=["--request-log", REQUESTS],
                        probe=probe("health", "/health", interval_ms=interval_ms), **fields) for i in range(n)]


def hanging(box: Box, name: str, n_probes: int, interval_ms: int = 1000, timeout_ms: int = 2000) -> dict[str, Any]:
    """A service that hangs on each of its many probes, and on nothing else."""
    probes = [probe(f"p{i:02}", "/api/files", interval_ms=interval_ms, fast_interval_ms=interval_ms,
                    timeout_ms=timeout_ms) for i in range(n_probes)]
    return web_service(box, name, probes=probes, on_unhealthy="report")


def apply_crowd(box: Box, definitions: list[dict[str, Any]], timeout: float) -> None:
    """Returns once all are running by the word of the server, and up by that of the kernel."""
    box.agent.call(_apply_all, [json.dumps(definition) for definition in definitions], timeout, timeout=3 * timeout)


def _apply_all(texts: list[str], timeout: float) -> None:
    # pylint: disable=undefined-variable
    folder = Path("/srv/crowd")  # noqa: F821
    folder.mkdir(parents=True, exist_ok=True)
    for text in texts:
        folder.joinpath(f"{json.loads(text)['name']}.json").write_text(text)  # noqa: F821
    subprocess.run(["hero_proc", "-q", "apply", str(folder)], check=True)  # noqa: F821
    names = {json.loads(text)["name"] for text in texts}  # noqa: F821

    def all_run() -> bool:
        states = hero_services()  # noqa: F821
        return all(states[name]["state"] == "running" for name in names)

    if seconds_until(all_run, timeout, 0.2) is None:  # noqa: F821
        raise RuntimeError(f"not all {len(names)} are running after {timeout} s")
    up = sum(1 for path in CGROUPS.glob("hero.slice/hero-*.slice/hero-*.service/cgroup.procs")  # noqa: F821
             if path.read_text().strip())
    if up < len(names):
        raise RuntimeError(f"{up} of {len(names)} are up")


def punctuality(box: Box, seconds: float, interval_ms: int = 1000) -> dict[str, Any]:
    """How late the requests of a span of time were, by the word of those who got them: the pause since the one before,
    less the interval. The interval counts from an answer to the next request, and an answer takes some 0.1 ms."""
    return box.agent.call(_pauses, REQUESTS, seconds, interval_ms, timeout=seconds + 60)


def _pauses(path: str, seconds: float, interval_ms: int) -> dict[str, Any]:
    # pylint: disable=undefined-variable
    end = time.monotonic() + seconds  # noqa: F821
    began = end - seconds
    time.sleep(seconds)  # noqa: F821  (it is the span that is measured)
    last: dict[str, float] = {}
    late = []
    n = 0
    for line in Path(path).read_text().splitlines():  # noqa: F821
        at, name, _, _ = line.split()
        at = int(at) / 1e6
        if at < began - 2 * interval_ms / 1000 or at > end:
            continue
        if at >= began:
            n += 1
            if name in last:
                late.append(max(at - last[name] - interval_ms / 1000, 0))
        last[name] = at
    silent = [name for name, at in last.items() if at < end - 2 * interval_ms / 1000]
    late.sort()
    return {"services": len(last), "requests": n, "silent": len(silent), "p50": late[len(late) // 2],
            "p99": late[len(late) * 99 // 100], "max": late[-1]}


def server_costs(box: Box) -> dict[str, float]:
    """RssAnon in KiB, descriptors, and seconds of processor time of the server."""
    return box.agent.call(_costs, box.main_pid(SERVER_UNIT))


def _costs(pid: int) -> dict[str, float]:
    # pylint: disable=undefined-variable
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()  # noqa: F821
    return {**footprint(pid), "cpu": (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")}  # noqa: F821
