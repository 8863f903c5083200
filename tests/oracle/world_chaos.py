# SPDX-License-Identifier: LGPL-2.1-or-later
"""What chaos does to the server and to the machine around it."""

from __future__ import annotations

import os
import signal
import struct
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterable

from clients import Client, Teller, is_server, run, send_signal, server_pid
from house_plan import STATE
from truth import read_pids

STORE = "/var/lib/hero_proc"
BUSES = ("dbus", "dbus-broker")  # one of them is there
AWAITED_CHANGE_SECONDS = 1.0
OWED_SECONDS = 8.0  # what could not be written is tried again every 5 s


class WorldChaos:
    """What is done to the server and to the machine around it; one thing at a time."""

    def __init__(self, teller: Teller, stopping: threading.Event, clock_library: Path):
        self.teller = teller
        self._clock_library = clock_library
        self._stopping = stopping
        self.skipped: list[str] = []
        self.n_kills = 0
        self.back_after: list[float] = []  # where nothing else went on
        self._is_disturbed = False
        self._n_disturbances = 0
        self._disk_trouble: tuple[float, float] = (0.0, 0.0)  # from when, until when what is owed may not be written yet

    def _disturb(self, what: str, do: Callable[[], Any], lingering: float) -> None:
        start = time.monotonic()
        self._n_disturbances += 1
        self._is_disturbed = True
        self.teller.tell("disturbance", what=what, start=start, end=None)
        do()
        self._is_disturbed = False
        self.teller.tell("disturbance", what=what, start=start, end=time.monotonic() + lingering)

    def await_server(self, timeout: float = 30.0) -> float:
        """Until it answers; the seconds that took."""
        start, client = time.monotonic(), Client()  # its own: kills come whatever else is done
        while time.monotonic() - start < timeout:
            _, error = client.call(None, "ListServices", "", timeout=5)
            if not error:
                break
            time.sleep(0.02)
        client.close()
        return time.monotonic() - start

    def kill_server(self, seconds: float, upon: str = "", again: Iterable[float] = ()) -> None:
        """`upon`: just after the next change is asked for, or is answered. `again`: so long after the next server came to
        be, it dies as well, whether it has answered yet or not."""
        n_before = self._n_disturbances
        if upon:
            moment = {"asking": Client.asking, "answered": Client.answered}[upon]
            moment.clear()
            if moment.wait(AWAITED_CHANGE_SECONDS):
                time.sleep(seconds)
            else:
                upon = ""
        pid = self._kill({"": "", "asking": ", a change being asked for", "answered": " just after an answer"}[upon])
        for age in again:
            pid = self._kill(" before it answered", pid, age) if pid else 0
        took = self.await_server()
        if pid and not again and not self._is_disturbed and self._n_disturbances == n_before:
            self.back_after.append(took)

    def _kill(self, when: str, after: int = 0, age: float = 0.0) -> int:
        """The PID that was killed: of the server after the one with that PID, `age` seconds old; 0 where there is none."""
        pid, deadline = server_pid(), time.monotonic() + 2.0
        while (pid == after or not is_server(pid)) and time.monotonic() < deadline:
            time.sleep(0.002)
            pid = server_pid()
        if pid == after or not is_server(pid):
            return 0
        time.sleep(age)
        since, until = self._disk_trouble
        if time.monotonic() < until:  # what was wished since then stood in the memory of the one that dies
            self.teller.tell("weaken", since=since)
        if not send_signal(pid, signal.SIGKILL):
            return 0
        if time.monotonic() < until:
            self.teller.tell("weaken", since=since)
        self.n_kills += 1
        self.teller.tell("fault", kind=f"server: kill -9{when}", service="", at=time.monotonic())
        return pid

    def restart_server(self, seconds: float) -> None:
        self.teller.tell("fault", kind="server: restarted", service="", at=time.monotonic())
        self._n_disturbances += 1
        run("systemctl", "restart", "hero_proc")

    def pause_server(self, seconds: float) -> None:
        pid = server_pid()

        def pause() -> None:
            send_signal(pid, signal.SIGSTOP)
            self._stopping.wait(seconds)
            send_signal(pid, signal.SIGCONT)
        if pid:
            self._disturb("server: SIGSTOP", pause, 3.0)

    def daemon_reload(self, seconds: float) -> None:
        self._disturb("systemd: daemon-reload", lambda: run("systemctl", "daemon-reload"), 1.0)

    def daemon_reexec(self, seconds: float) -> None:
        self._disturb("systemd: daemon-reexec", lambda: run("systemctl", "daemon-reexec"), 5.0)

    def restart_bus(self, seconds: float) -> None:
        self._disturb("bus: restarted", lambda: (run("systemctl", "restart", "dbus"), self.await_server()), 5.0)

    def kill_bus(self, seconds: float) -> None:
        def kill() -> None:
            for pid in [pid for bus in BUSES for pid in read_pids(f"system.slice/{bus}.service")]:
                send_signal(pid, signal.SIGKILL)
            self.await_server()
        self._disturb("bus: kill -9", kill, 5.0)

    def restart_journal(self, seconds: float) -> None:
        self.teller.tell("fault", kind="journal: restarted", service="", at=time.monotonic())
        run("systemctl", "restart", "systemd-journald")

    def jump_clock(self, seconds: float, jumps: list[int]) -> None:
        """Only the server's clock: its real time jumps, as after a wrong time server or a resume."""
        drop_in = Path("/run/systemd/system/hero_proc.service.d/clock.conf")
        clock = Path(f"{STATE}/clock")

        def jump() -> None:
            self._set_clock(clock, 0)
            drop_in.parent.mkdir(parents=True, exist_ok=True)
            drop_in.write_text(f"[Service]\nEnvironment=LD_PRELOAD={self._clock_library} JUMPING_CLOCK={clock}\n",
                               encoding="ascii")
            self._restart_with_drop_ins()
            for to in jumps:
                self._set_clock(clock, to)
                self._stopping.wait(2.5)
            drop_in.unlink()
            self._restart_with_drop_ins()
        self._disturb("server: clock jumps", jump, 1.0)

    @staticmethod
    def _set_clock(clock: Path, offset: int) -> None:
        with open(clock, "r+b" if clock.exists() else "wb") as file:  # in place: the server has it mapped
            file.write(struct.pack("<q", offset))

    @staticmethod
    def _restart_with_drop_ins() -> None:
        run("systemctl", "daemon-reload")
        run("systemctl", "restart", "hero_proc")

    def fill_disk(self, seconds: float, kill: bool) -> None:
        filler = Path(f"{STORE}/filler")
        start = time.monotonic()
        self._disk_trouble = (start, float("inf"))

        def fill() -> None:
            try:
                with open(filler, "wb", buffering=0) as file:
                    while True:
                        file.write(bytes(4096))
            except OSError:
                pass
            self._stopping.wait(seconds)
            if kill:
                self.kill_server(0)
            filler.unlink(missing_ok=True)
            self._disk_trouble = (start, time.monotonic() + OWED_SECONDS)
        self._disturb("disk: full", fill, 1.0)

    def lock_disk(self, seconds: float, kill: bool) -> None:
        start = time.monotonic()
        self._disk_trouble = (start, float("inf"))

        def lock() -> None:
            run("systemctl", "stop", "hero_proc")
            run("mount", "-o", "remount,ro", STORE)
            run("systemctl", "start", "hero_proc")
            self.await_server(15)
            self._stopping.wait(seconds)
            self.teller.tell("weaken", since=start)
            run("systemctl", "stop", "hero_proc")
            self.teller.tell("weaken", since=start)
            run("mount", "-o", "remount,rw", STORE)
            run("systemctl", "start", "hero_proc")
            self._disk_trouble = (start, time.monotonic() + OWED_SECONDS)
        self._disturb("disk: read-only", lock, 2.0)

    def exhaust_files(self, seconds: float) -> None:
        pid = server_pid()

        def exhaust() -> None:
            self.await_server()
            if server_pid() != pid:  # the dynamic loader of one that has not answered yet would fail, not the server
                return
            try:
                n = len(os.listdir(f"/proc/{pid}/fd"))
                run("prlimit", f"--pid={pid}", f"--nofile={n}:16384")
                self._stopping.wait(seconds)
            except FileNotFoundError:
                return
            run("prlimit", f"--pid={pid}", "--nofile=16384:16384")
        if pid:
            self._disturb("server: no file descriptors", exhaust, 3.0)

    def limit_memory(self, seconds: float) -> None:
        if "memory" not in Path("/sys/fs/cgroup/cgroup.controllers").read_text(encoding="ascii").split():
            self._skip("memory limit: the sandbox has no memory controller")
            return

        def limit() -> None:
            run("systemctl", "set-property", "--runtime", "hero_proc.service", "MemoryMax=6M")
            self._stopping.wait(seconds)
            run("systemctl", "set-property", "--runtime", "hero_proc.service", "MemoryMax=infinity")
            self.await_server()
        self._disturb("server: memory limit", limit, 2.0)

    def reset_failed_all(self, seconds: float) -> None:
        self.teller.tell("fault", kind="systemctl reset-failed", service="", at=time.monotonic())
        run("systemctl", "reset-failed")

    def _skip(self, what: str) -> None:
        if what not in self.skipped:
            self.skipped.append(what)
