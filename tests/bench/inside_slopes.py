# SPDX-License-Identifier: LGPL-2.1-or-later
"""What of slopes.py runs inside the sandbox."""

from __future__ import annotations

import os
import time
from typing import Sequence

from agent import footprint, http_request, processes_in_cgroup
from inside import wait


def watch_probes(pid: int, paths: Sequence[str], n: int) -> list[list[float]]:
    """Samples, until so many requests have come in."""
    def requests() -> int:
        return sum(int(http_request(path, "/count")[1].split("\n")[2].split()[2]) for path in paths)

    began, seen = requests(), []
    while not seen or seen[-1][0] < n:
        before = seen[-1][0] if seen else -1
        time.sleep(0.25)
        used = footprint(pid)
        seen.append([requests() - began, used["rss"], used["fds"]])
        if seen[-1][0] <= before + len(paths):
            raise RuntimeError(f"nobody asks any more: {seen[-1]}")
    return seen


def watch_restarts(pid: int, names: Sequence[str], n: int) -> list[list[float]]:
    """Kills all of them again and again, each as soon as it is there again; a sample after each round."""
    seen = []
    killed: dict[str, list[int]] = {name: [] for name in names}
    for i in range(1, n // len(names) + 1):
        for name in names:
            group = f"hero.slice/hero-{name}.slice/hero-{name}.service"
            wait(lambda group=group, name=name: set(processes_in_cgroup(group)) - set(killed[name]), 30,
                 f"{name} is there again")
            killed[name] = processes_in_cgroup(group)
            for victim in killed[name]:
                try:
                    os.kill(victim, 9)
                except ProcessLookupError:
                    pass
        used = footprint(pid)
        seen.append([float(i * len(names)), used["rss"], used["fds"]])
    return seen
