# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long it takes until hero_proc tells of what happened: from a clock and a bus connection of the test's own."""

from __future__ import annotations

from typing import Any

from box import Box
from herodemo import faults_file, service, socket_path

PLAIN = {"name": "files", "socket": "rpc.sock", "path": "/api/files"}  # everything else as it is by default
N_AT_ONCE = 20  # services whose handlers die one after another within an interval


def prepare_handlers(box: Box, fields: dict[str, Any]) -> list[str]:
    names = [f"handler{i:02}" for i in range(N_AT_ONCE)]
    box.apply(*(service(box, name, probe={**PLAIN, **fields}) for name in names))
    for name in names:
        box.wait_state(name, "running", 20)
    return names


def handler_deaths(box: Box, names: list[str], fault: str, runs: int, interval: float, timeout: float) -> list[float]:
    """Seconds from when a handler dies to `failed`, of at least so many deaths, spread over the interval."""
    files = {name: faults_file(name) for name in names}
    return sorted(box.agent.call(_handler_deaths, files, f"/api/files {fault}\n", runs, interval, timeout,
                                 timeout=(timeout + 30) * (runs / len(names) + 1)))


def _handler_deaths(files: dict[str, str], fault: str, runs: int, interval: float, timeout: float) -> list[float]:
    # pylint: disable=undefined-variable
    took: list[float] = []
    with PromptStateChanges() as changes:  # noqa: F821
        while len(took) < runs:
            died: dict[str, float] = {}
            for name, path in files.items():
                died[name] = time.monotonic()  # noqa: F821
                Path(path).write_text(fault)  # noqa: F821
                time.sleep(interval / len(files))  # noqa: F821  (one after another, so that each meets another moment)
            waiting = dict(died)
            while waiting:
                change = changes.next(timeout)
                if change is None:
                    raise RuntimeError(f"not failed after {timeout} s: {list(waiting)}")
                if change[3] == "failed" and change[1] in waiting:
                    took.append(change[0] - waiting.pop(change[1]))
            for path in files.values():
                Path(path).write_text("")  # noqa: F821
            if seconds_until(lambda: all(hero_services()[name]["state"] == "running" for name in files),  # noqa: F821
                             timeout, 0.1) is None:
                raise RuntimeError("not all are running again")
    return took


def deaths_and_vanishings(box: Box, runs: int) -> dict[str, list[float]]:
    """Seconds until StateChanged tells that a process was killed, and that a socket's file was removed."""
    names = ["mortal0", "mortal1", "mortal2", "mortal3"]
    box.apply(*(service(box, name, restart={"delay_ms": 0, "max_attempts": 10000, "window_ms": 1000}) for name in names))
    for name in names:
        box.wait_state(name, "running", 20)
    found = box.agent.call(_deaths_and_vanishings, {name: socket_path(name) for name in names}, runs,
                           timeout=60 + 2 * runs)
    return {what: sorted(seconds) for what, seconds in found.items()}


def _deaths_and_vanishings(sockets: dict[str, str], runs: int) -> dict[str, list[float]]:
    # pylint: disable=undefined-variable
    def main_pid(name: str) -> int:
        return int(subprocess.run(["systemctl", "show", "-P", "MainPID", f"hero-{name}.service"],  # noqa: F821
                                  capture_output=True, text=True, check=True).stdout)

    def await_running(name: str) -> None:
        if seconds_until(lambda: hero_services()[name]["state"] == "running", 20, 0.02) is None:  # noqa: F821
            raise RuntimeError(f"{name} is not running again")

    took: dict[str, list[float]] = {"death": [], "vanished": []}
    with PromptStateChanges() as changes:  # noqa: F821
        for i in range(runs):
            name = list(sockets)[i % len(sockets)]
            pid = main_pid(name)
            began = time.monotonic()  # noqa: F821
            os.kill(pid, signal.SIGKILL)  # noqa: F821
            change = changes.until(name, ("restarting", "failed", "starting"), 20)
            took["death"].append(change[0] - began)
            await_running(name)

            began = time.monotonic()  # noqa: F821
            os.unlink(sockets[name])  # noqa: F821
            change = changes.until(name, ("failed",), 20)
            if change[4] != "socket-unlinked":
                raise RuntimeError(f"{change}")
            took["vanished"].append(change[0] - began)
            subprocess.run(["hero_proc", "-q", "restart", name], check=True)  # noqa: F821
            await_running(name)
            while changes.next(0.001):  # what came before the next event is none of its business
                pass
    return took


def percentile(ordered: list[float], percent: int) -> float:
    return ordered[(len(ordered) * percent + 99) // 100 - 1]
