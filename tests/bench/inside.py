# SPDX-License-Identifier: LGPL-2.1-or-later
"""What of the benchmarks runs inside a sandbox, beside what it measures: `Bench.inside()` calls it there by name.

Time is CLOCK_MONOTONIC. Who uses how much is read from /proc of the program itself, and of nothing that it stands beside.
"""

from __future__ import annotations

import os
import resource
import select
import struct
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Sequence

from agent import CGROUPS, RawBus, call_bus, http_request, processes_in_cgroup, seconds_until

SERVICE = "/opt/bench/announced_service"
PIPE = "/run/bench/started"  # announced_service.c writes a byte into it
FREE_TIMEOUT = 60.0

_running: dict[str, subprocess.Popen] = {}


# Programs that stay: each in a cgroup of its own, so that all of it can be found and ended

def _cgroup(name: str) -> Path:
    return CGROUPS / f"bench-{name}"


def spawn(name: str, command: Sequence[str], log: str) -> None:
    """Starts a program that stays until end()."""
    folder = _cgroup(name)
    folder.mkdir(exist_ok=True)

    def enter() -> None:
        folder.joinpath("cgroup.procs").write_text("0")
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    with open(log, "wb") as out:
        # pylint: disable-next=consider-using-with, subprocess-popen-preexec-fn
        _running[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=enter)


def end(name: str) -> None:
    """Kills a program, and all that it has started."""
    process = _running.pop(name, None)
    folder = _cgroup(name)
    if process is None:
        return
    folder.joinpath("cgroup.kill").write_text("1")
    process.wait()
    if seconds_until(lambda: "populated 0" in folder.joinpath("cgroup.events").read_text(), FREE_TIMEOUT) is None:
        raise RuntimeError(f"{name} does not end")
    folder.rmdir()


def pids_of(name: str, prefix: str = "") -> list[int]:
    """The processes of a program that was started by spawn(), those whose name begins so."""
    return [pid for pid in processes_in_cgroup(f"bench-{name}")
            if Path(f"/proc/{pid}/comm").read_text().startswith(prefix)]


def forget_all(timeout: float) -> None:
    """Makes hero_proc forget every service, and returns when systemd has, too."""
    call_bus("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", "ApplyDefinitions", "ast", 0, 8,
             timeout=timeout)
    wait(lambda: not units_like("hero-*"), timeout, "no unit is left", 0.2)


def units_like(pattern: str) -> list[str]:
    shown = subprocess.run(["systemctl", "list-units", "--all", "--plain", "--no-legend", pattern], capture_output=True,
                           text=True, check=True)
    return shown.stdout.splitlines()


# What programs use

def cpu_seconds(pids: Sequence[int]) -> float:
    """Processor time of programs whose threads stay: in nanoseconds, unlike what `ps` shows."""
    return sum(int(path.read_text().split()[0]) for pid in pids
               for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def cpu_of_each(pids: dict[str, int]) -> dict[str, float]:
    return {who: cpu_seconds([pid]) for who, pid in pids.items()}


def memory_of(pids: Sequence[int]) -> dict[str, int]:
    """KiB of all of them: RssAnon, RSS, Pss (in which what processes share is counted once), and descriptors."""
    total = {"rss_anon": 0, "rss": 0, "pss": 0, "fds": 0}
    for pid in pids:
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        total["rss_anon"] += int(lines["RssAnon"].split()[0])
        total["rss"] += int(lines["VmRSS"].split()[0])
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total["pss"] += next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
        total["fds"] += len(os.listdir(f"/proc/{pid}/fd"))
    return total


# The bus, without the cost of a program for each question

class Rows(RawBus):
    """What hero_proc's ListServices says, again and again on one connection."""

    def read(self) -> dict[str, str]:
        error, _ = self.call("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", "ListServices")
        if error:
            return {}
        body, where, rows = self._body_read, 8, {}
        while where < len(body):
            where += -where % 8
            words = []
            for _ in range(5):
                where += -where % 4
                n = struct.unpack_from("<I", body, where)[0]
                words.append(body[where + 4:where + 4 + n].decode())
                where += 4 + n + 1
            rows[words[0]] = words[1]
        return rows


def await_rows(n: int, state: str, timeout: float) -> None:
    with Rows() as rows:
        if seconds_until(lambda: list(rows.read().values()).count(state) >= n, timeout, 0.05) is None:
            states = list(rows.read().values())
            raise RuntimeError(f"not {n} {state} after {timeout} s: { {s: states.count(s) for s in set(states)} }")


# Starting

def timed_start(name: str, command: Sequence[str], stays: bool, n: int, timeout: float) -> float:
    """Runs what starts n announced services, and returns how long it took until the last of them said that it was there."""
    if not os.path.exists(PIPE):
        os.mkfifo(PIPE)
    pipe = os.open(PIPE, os.O_RDONLY | os.O_NONBLOCK)
    held = os.open(PIPE, os.O_WRONLY)  # so that it never is at its end
    os.set_blocking(pipe, True)
    try:
        began = time.monotonic()
        if stays:
            spawn(name, command, f"/run/bench/{name}.out")
        else:
            # pylint: disable-next=consider-using-with
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        last = _await_bytes(pipe, n, began + timeout)
        if not stays and process.wait(timeout) != 0:
            raise RuntimeError(f"{command}: exit status {process.returncode}")
        return last - began
    finally:
        os.close(held)
        os.close(pipe)


def _await_bytes(pipe: int, n: int, deadline: float) -> float:
    seen = 0
    while seen < n:
        if not select.select([pipe], [], [], max(deadline - time.monotonic(), 0))[0]:
            raise RuntimeError(f"{seen} of {n} have started")
        seen += len(os.read(pipe, 4096))
    return time.monotonic()


def n_announced() -> int:
    """How many announced services there are, by the kernel's list of processes."""
    n = 0
    for path in Path("/proc").glob("[0-9]*/exe"):
        try:
            n += os.readlink(path) == SERVICE
        except OSError:  # it has ended
            pass
    return n


def await_announced(n: int, timeout: float) -> None:
    if seconds_until(lambda: n_announced() == n, timeout, 0.05) is None:
        raise RuntimeError(f"{n_announced()} announced services, not {n}, after {timeout} s")


VARYING = ("Timestamp", "PID", "ControlGroupId", "InvocationID", "CPUUsageNSec", "Memory", "ExecStart", "IPIngress",
           "IPEgress", "IORead", "IOWrite", "TasksCurrent", "NFileDescriptorStore")


def unit_properties(unit: str, prefix: str) -> dict[str, str]:
    """What makes a unit what it is: without what differs between two runs of it, and without the prefix of its name."""
    shown = subprocess.run(["systemctl", "show", unit], capture_output=True, text=True, check=True).stdout
    lines = (line.split("=", 1) for line in shown.replace(f"{prefix}-", "").replace(f"/{prefix}.slice", "").splitlines())
    # The order of a list of units is that of a hash table.
    return {key: " ".join(sorted(value.split())) for key, value in lines if not any(word in key for word in VARYING)} | {
        "ExecStart": next(line for line in shown.splitlines() if line.startswith("ExecStart=")).split(" ; ")[1]}


# Listing

def timed_runs(commands: dict[str, Sequence[str]], n_lines: int, runs: int) -> dict[str, list[float]]:
    """Seconds that each command took, one after another in turn. Each must show at least so many lines."""
    took: dict[str, list[float]] = {name: [] for name in commands}
    for i in range(runs + 1):
        for name, command in commands.items():
            began = time.monotonic()
            done = subprocess.run(command, capture_output=True, check=True)
            if i > 0:  # the first reads the program in
                took[name].append(time.monotonic() - began)
            if done.stdout.count(b"\n") < n_lines:
                raise RuntimeError(f"{name} shows {done.stdout.count(b'x0a')} lines")
    return took


# Probing

def write_house(names: Sequence[str], template: str, service: str, monitrc: str, check: str) -> None:
    """The files of many web servers: nginx's, hero_proc's, monit's. @NAME@ is put in for each."""
    for folder in ("/run/bench/nginx", "/run/bench/definitions", "/run/bench/dead"):
        Path(folder).mkdir(parents=True, exist_ok=True)
    checks = []
    for name in names:
        Path(f"/run/bench/nginx/{name}.conf").write_text(template.replace("@NAME@", name))
        Path(f"/run/bench/definitions/{name}.json").write_text(service.replace("@NAME@", name))
        checks.append(check.replace("@NAME@", name))
    path = Path("/run/bench/monitrc")
    path.write_text(monitrc + "\n".join(checks) + "\n")
    path.chmod(0o600)


def hold_requests(path: str, seconds: float, pids: Sequence[int], interval: float) -> dict[str, Any]:
    """The requests of a span of time by the word of those who were asked, and what who asked has used in it.

    Late is how much longer than the interval it was since the request before; nginx writes milliseconds."""
    cpu, began = cpu_seconds(pids), time.time()
    time.sleep(seconds)  # the span that is measured
    cpu, ended = cpu_seconds(pids) - cpu, time.time()
    last: dict[str, float] = {}
    late, n, failed = [], 0, 0
    for line in Path(path).read_text().splitlines():
        at_text, name, status = line.split()
        at = float(at_text)
        if began - 3 * interval < at <= ended:
            if at >= began:
                n += 1
                failed += status != "200"
                if name in last:
                    late.append(max(at - last[name] - interval, 0))
            last[name] = at
    return {"cpu": cpu, "requests": n, "failed": failed, "services": len(last), "late": sorted(late),
            "seconds": ended - began}


# Restarting the server

def truth_of(names: Sequence[str]) -> dict[str, str]:
    """What each web service is by the kernel's cgroups and by an answer to a request of our own."""
    truth = {}
    for name in names:
        procs = CGROUPS / f"hero.slice/hero-{name}.slice/hero-{name}.service/cgroup.procs"
        is_up = procs.exists() and procs.read_text().strip() != ""
        serves = is_up and http_request(f"/run/hero/{name}/web.sock", "/health", timeout=2)[0] == 200
        truth[name] = "running" if serves else "failed"
    return truth


def break_services(broken: dict[str, str]) -> None:
    for name, how in broken.items():
        if how == "killed":
            for pid in processes_in_cgroup(f"hero.slice/hero-{name}.slice"):
                os.kill(pid, 9)
        elif how == "unlinked":
            os.unlink(f"/run/hero/{name}/web.sock")
        elif how == "dead":
            Path(f"/run/bench/dead/{name}").touch()
        else:
            subprocess.run(["systemctl", "stop", f"hero-{name}.service"], check=True)


def restart_server(broken: dict[str, str], n: int, timeout: float) -> dict[str, Any]:
    """Seconds that the server is gone and until each row is right, where some services broke meanwhile; and what was said
    that was not so."""
    began = time.monotonic()
    subprocess.run(["systemctl", "stop", "hero_proc.service"], check=True)
    stopped = time.monotonic()
    break_services(broken)
    wanted = {name: "stopped" if how == "stopped" else "failed" for name, how in broken.items()}
    starting = time.monotonic()
    # pylint: disable-next=consider-using-with
    start = subprocess.Popen(["systemctl", "start", "hero_proc.service"])
    lies: set[str] = set()
    seen: dict[str, str] = {}
    wrong: dict[str, str] = {}
    with Rows() as rows:
        def all_right() -> bool:
            nonlocal seen, wrong
            seen = rows.read()
            for name, state in seen.items():
                if (name in wanted and state == "running" and broken[name] != "dead") or (
                        name not in wanted and state in ("failed", "stopped")):
                    lies.add(f"{name}: {state}")
            now_wrong = {name: state for name, state in seen.items() if state != wanted.get(name, "running")}
            wrong = now_wrong or wrong
            return len(seen) == n and not now_wrong

        until = seconds_until(all_right, timeout, 0.01)
    if until is None:
        raise RuntimeError(f"not right after {timeout} s: {len(seen)} rows, {list(wrong.items())[:5]} of {broken}")
    took = stopped - began + time.monotonic() - starting
    start.wait()
    return {"seconds": took, "lies": sorted(lies),
            "last": [f"{name} {broken.get(name, 'healthy')}: {state}" for name, state in list(wrong.items())[:3]]}


def repair(broken: dict[str, str]) -> None:
    for path in Path("/run/bench/dead").iterdir():
        path.unlink()
    if broken:
        subprocess.run(["hero_proc", "-q", "restart", *broken], check=True)


def wait(is_so: Callable[[], Any], timeout: float, what: str, pause: float = 0.02) -> None:
    if seconds_until(is_so, timeout, pause) is None:
        raise RuntimeError(f"not within {timeout} s: {what}")


def pause(seconds: float) -> None:
    """Time in which what is measured comes to rest; nothing tells that it has."""
    time.sleep(seconds)


def forget_requests(path: str, seconds: float) -> None:
    """Empties the log, and lets it fill again: what comes next has a request before."""
    os.truncate(path, 0)
    time.sleep(seconds)
