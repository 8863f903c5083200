# SPDX-License-Identifier: LGPL-2.1-or-later
"""The machine that is measured on, and what else keeps it busy meanwhile."""

from __future__ import annotations

import os
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("systemd", "supervisor", "s6", "monit", "nginx")


def describe(seed: int) -> dict[str, Any]:
    cpuinfo = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    model = next((value.strip() for key, value in cpuinfo.items() if key.strip() == "model name"), "unknown")
    meminfo = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return {"cpu": model, "cores": len(os.sched_getaffinity(0)), "kernel": os.uname().release,
            "memory_mib": int(meminfo["MemTotal"].split()[0]) // 1024, "versions": versions(), "seed": seed, "version": version(),
            "when": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")}


def version() -> str:
    """Of what is measured: the commit that last changed it."""
    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(REPOSITORY), *words], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False).stdout.strip()
    commit = git("log", "-1", "--format=%h", "--", "src", "units")
    described = git("describe", "--always", "--tags", commit) or "unknown"
    return described + ("+changes" if git("status", "--porcelain", "--", "src", "units", "tests/bench") else "")


def versions() -> dict[str, str]:
    said = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\\n", *PACKAGES], capture_output=True,
                          text=True, check=False).stdout
    return dict(line.split(" ", 1) for line in said.splitlines() if " " in line)


class Elsewhere:
    """How many processors were kept busy by what is not in the sandbox, over a span of time: honest figures want none."""

    def __init__(self, box_name: str):
        mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
        self._cgroup = next(Path(where, f"hero-sandbox-{box_name}") for _, where, kind, *_ in mounts if kind == "cgroup2")
        self._began = self._read()

    def _read(self) -> tuple[float, float]:
        fields = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
        busy = (sum(fields[:8]) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")  # stolen time is somebody's, too
        stat = dict(line.split() for line in self._cgroup.joinpath("cpu.stat").read_text().splitlines())
        return time.monotonic(), busy - int(stat["usage_usec"]) / 1e6

    def cores(self) -> float:
        (began, before), (now, after) = self._began, self._read()
        return max(after - before, 0) / (now - began)
