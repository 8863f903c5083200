# SPDX-License-Identifier: LGPL-2.1-or-later
"""Those who start the same services in the same box: hero_proc, the floor, supervisord and s6. Each starts n announced
services, says which processes are its own, and forgets all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench import Bench

SERVICE = "/opt/bench/announced_service"
START_TIMEOUT = 600.0
SUPERVISORD = """[supervisord]
nodaemon=true
logfile=/run/bench/supervisord.log
pidfile=/run/bench/supervisord.pid
childlogdir=/run/bench
minfds=16000
minprocs=200
"""


class Peer:
    """What all of them can do."""

    name = ""
    prefix = ""  # of the units of systemd's that it makes

    def __init__(self, bench: Bench):
        self._bench = bench

    def start(self, n: int) -> float:
        """Seconds until the last of n services has said that it is there."""
        raise NotImplementedError

    def stop(self) -> None:
        """Until nothing is left of it."""
        raise NotImplementedError

    def pids(self) -> list[int]:
        """The supervisor's own processes."""
        raise NotImplementedError

    def _timed(self, command: list[str], stays: bool, n: int) -> float:
        return self._bench.inside("timed_start", self.name, command, stays, n, START_TIMEOUT, timeout=START_TIMEOUT + 60)


class HeroProc(Peer):
    """The server runs before, as on any machine; what is measured is `apply`."""

    name = "hero_proc"
    prefix = "hero"

    def start(self, n: int) -> float:
        self._bench.box.run(["sh", "-c", f"""
            rm -rf /run/bench/apply && mkdir -p /run/bench/apply && cd /run/bench/apply && for i in $(seq -f %04g 0 {n - 1}); do
            echo "{{\\"name\\": \\"s$i\\", \\"exec\\": [\\"{SERVICE}\\"]}}" >s$i.json; done"""])
        return self._timed(["hero_proc", "-q", "apply", "/run/bench/apply"], False, n)

    def stop(self) -> None:
        self._bench.forget_all()

    def pids(self) -> list[int]:
        return [self._bench.box.main_pid("hero_proc.service")]


class Floor(Peer):
    """unit_floor.c: the same units by calls of systemd's own, and nothing else."""

    name = "floor"
    prefix = "floor"
    _n = 0

    def start(self, n: int) -> float:
        self._n = n
        return self._timed(["/opt/bench/unit_floor", "start", str(n), SERVICE], False, n)

    def stop(self) -> None:
        self._bench.box.run(["/opt/bench/unit_floor", "stop", str(self._n)], timeout=START_TIMEOUT)
        self._bench.box.wait_for(lambda: not self._bench.inside("units_like", "floor-*"), 60, "the floor is empty", pause=0.2)

    def pids(self) -> list[int]:
        return []


class Supervisord(Peer):
    """All programs in one file, in one process group each, with the output thrown away."""

    name = "supervisord"

    def start(self, n: int) -> float:
        programs = "\n".join(f"[program:s{i:04}]\ncommand={SERVICE}\nstartsecs=0\nredirect_stderr=true\nstdout_logfile=NONE"
                             for i in range(n))
        self._bench.box.write_file("/run/bench/supervisord.conf", f"{SUPERVISORD}{programs}\n")
        command = ["/usr/bin/supervisord", "-n", "-c", "/run/bench/supervisord.conf"]
        return self._timed(command, True, n)

    def stop(self) -> None:
        self._bench.inside("end", self.name)

    def pids(self) -> list[int]:
        return self._bench.inside("pids_of", self.name, "supervisord")


class S6(Peer):
    """s6-svscan, and a s6-supervise a service, which runs it without a shell between."""

    name = "s6"

    def start(self, n: int) -> float:
        self._bench.box.run(["sh", "-c", f"""
            rm -rf /run/bench/s6 && mkdir -p /run/bench/s6 && cd /run/bench/s6 && for i in $(seq -f %04g 0 {n - 1}); do
            mkdir s$i && ln -s {SERVICE} s$i/run; done"""], timeout=60)
        command = ["/usr/bin/s6-svscan", "-c", str(n + 10), "/run/bench/s6"]
        return self._timed(command, True, n)

    def stop(self) -> None:
        self._bench.inside("end", self.name)

    def pids(self) -> list[int]:
        return self._bench.inside("pids_of", self.name, "s6-")


PEERS = (HeroProc, Floor, Supervisord, S6)
