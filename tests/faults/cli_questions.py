# SPDX-License-Identifier: LGPL-2.1-or-later
"""What cli_injector.py asks of hero_proc(1), and what must be so when it says that it is done."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from agent import RawBus, hero_services, processes_in_cgroup

WITHIN_SECONDS = 15.0
MANAGER = ("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager")


@dataclass
class Run:
    status: int | None  # None: it did not end
    out: str
    err: str
    seen: int = 0
    failed: int = 0


def drive_to_its_end(words: list[str], environment: dict[str, str], plan: Any, seconds: float) -> Run:
    with subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, errors="replace") as process:
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return Run(None, *process.communicate())
    return Run(process.returncode, out, err)


Driver = Callable[[list[str], dict[str, str], Any, float], Run]


@dataclass
class Question:
    name: str
    words: list[str]
    status: int = 0  # of the exit, without a fault
    prepare: Callable[[], Any] = lambda: None
    check: Callable[[Run], str] = lambda run: ""  # what is not so although it was said
    drive: Driver = drive_to_its_end
    environment: dict[str, str] = field(default_factory=dict)
    hint: str = r"; did you mean \w+\?"  # what may be left out of what is said
    failures: tuple[int, ...] = (1,)  # exit statuses of a run that lacked memory
    told: str = "memory"  # … and what it says on standard error
    has_rows: bool = False  # … or in a row of the host that it is about
    recovery: str = r"(?!)"  # what it prints where it has lost the bus and goes on
    caught_up: str = ""  # what it prints where it had no memory for the news, and asked when that was over


# The world

def call(member: str, signature: str, *values: Any) -> str:
    with RawBus() as bus:
        return bus.call(*MANAGER, member, signature, *values)[0]


def wait(is_so: Callable[[], Any]) -> bool:
    deadline = time.monotonic() + WITHIN_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def definition(value: str) -> str:
    return json.dumps({"name": "extra", "exec": ["/bin/sleep", "infinity"], "env": {"A": value}})


def processes() -> list[int]:
    return processes_in_cgroup("/hero.slice/hero-extra.slice/hero-extra.service")


def make_extra() -> None:
    call("ApplyDefinitions", "ast", [definition("b")], 0)
    call("StartService", "st", "extra", 0)


def make_extra_stopped() -> None:
    make_extra()
    call("StopService", "st", "extra", 0)


def remove_extra() -> None:
    call("RemoveService", "st", "extra", 0)


def make_extra_anew() -> None:
    """A removal that was begun, and for whose end the run before had no memory to wait, is not to meet the next."""
    remove_extra()
    make_extra()


def is_defined(value: str) -> Callable[[Run], str]:
    def check(_: Run) -> str:
        with RawBus() as bus:
            error, _ = bus.call(*MANAGER, "GetDefinition", "s", "extra")
            text = "" if error else bus.last_text()
        return "" if text == definition(value) else f"its definition is {text or error}"
    return check


def is_gone(_: Run) -> str:
    return f"it is still {hero_services()['extra']}" if "extra" in hero_services() or processes() else ""


def runs(wanted: bool) -> Callable[[Run], str]:
    return lambda run: "" if wait(lambda: bool(processes()) == wanted) else f"its processes are {processes()}"


def restarts() -> Question:
    before: list[int] = []

    def prepare() -> None:
        make_extra()
        before[:] = processes()
    return Question("restart", ["restart", "extra"], prepare=prepare,
                    check=lambda run: "" if processes() and processes() != before else f"its processes are {processes()}")


# Runs that follow what happens

def await_rest(process: subprocess.Popen, plan: Any) -> None:
    """It has done all that it had to do, and waits."""
    seen, since = -1, time.monotonic()
    while process.poll() is None and time.monotonic() - since < 0.02:
        now = plan.seen()
        if now != seen or now == 0:
            seen, since = now, time.monotonic()
        time.sleep(0.002)


def drive_while_it_stops(ends_by_itself: bool) -> Driver:
    """A service stops as soon as the run waits for that. What follows for ever is ended when it has told of it."""
    def drive(words: list[str], environment: dict[str, str], plan: Any, seconds: float) -> Run:
        out = Path(environment["FAULT_PLAN"]).with_name("out")
        err = out.with_name("err")
        with out.open("wb") as out_file, err.open("wb") as err_file, \
                subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL, stdout=out_file, stderr=err_file) as process:
            await_rest(process, plan)
            call("StopService", "st", "extra", 0)
            try:
                if not ends_by_itself:
                    deadline = time.monotonic() + seconds
                    while process.poll() is None and "stopped" not in out.read_text(errors="replace"):
                        if time.monotonic() > deadline:
                            raise subprocess.TimeoutExpired(words, seconds)
                        time.sleep(0.002)
                    if process.poll() is None:
                        process.send_signal(signal.SIGTERM)
                status: int | None = process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                status = None
        return Run(0 if status == -signal.SIGTERM else status, out.read_text(errors="replace"), err.read_text(errors="replace"))
    return drive


def drive_on_terminal(keys: bytes) -> Driver:
    """What is drawn is not looked at: pictures come as they can. What stays to be seen is how it ends."""
    def drive(words: list[str], environment: dict[str, str], plan: Any, seconds: float) -> Run:
        ours, theirs = pty.openpty()
        os.set_blocking(ours, False)
        text = b""
        with subprocess.Popen(words, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
            os.close(theirs)
            deadline, typed = time.monotonic() + seconds, False
            while process.poll() is None and time.monotonic() < deadline:
                try:
                    text += os.read(ours, 65536)
                except BlockingIOError:
                    time.sleep(0.002)
                except OSError:
                    break
                if not typed and (b"web" in text or not keys):
                    for key in keys:
                        os.write(ours, bytes([key]))
                        time.sleep(0.02)
                    typed = True
            try:
                status: int | None = process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
                status = None
            try:
                while more := os.read(ours, 65536):
                    text += more
            except OSError:  # that is how a terminal ends
                pass
        os.close(ours)
        return Run(status, "", text.decode(errors="replace") if status else "")
    return drive


# Files

ZINIT = """exec: /usr/bin/web --port 80
  --more "and more"
oneshot: false
after:
  - db
  - cache
env:
  KEY: value
signal:
  stop: SIGINT
log: ring
strange: yes
"""
SUPERVISORD = """[program:web]
command=/usr/bin/web --port 80 "a b"
directory=/srv
user=nobody
environment=KEY="a, b",OTHER=c
autostart=true
autorestart=unexpected
startretries=7
stopsignal=INT
stopwaitsecs=5
stdout_logfile=/var/log/web
[program:db]
command=/usr/bin/db
"""
UNIT = """[Unit]
Description=A web server
After=db.service network.target
Requires=cache.service
[Service]
Type=notify
ExecStart=/usr/bin/web --port 80 "a b"
Environment=KEY=value OTHER="a b"
EnvironmentFile=/etc/a
EnvironmentFile=/etc/b
LoadCredential=token:/etc/token
Restart=on-abnormal
RestartSec=2s
MemoryMax=64M
CPUQuota=50%
NoNewPrivileges=yes
ReadWritePaths=/srv/ /var
CapabilityBoundingSet=CAP_CHOWN CAP_KILL
LimitNOFILE=1024
[Install]
WantedBy=multi-user.target
"""


def write_files(folder: Path) -> None:
    files = {"extra.json": definition("b"), "changed.json": definition("c"), "torn.json": '{"name": ',
             "wrong/a.json": definition("b"), "wrong/z.json": json.dumps({"name": "other", "exec": 7}),
             "web.yaml": ZINIT, "supervisord.conf": SUPERVISORD, "../systemd/system/imported.service": UNIT,
             "../systemd/system/imported.service.d/more.conf": "[Service]\nUser=nobody\nEnvironment=MORE=yes\n",
             "bin/ssh": "#!/bin/sh\nexec systemd-stdio-bridge\n"}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "bin/ssh").chmod(0o755)


# All of them

def that_print(folder: Path) -> list[Question]:
    fleet = {"failures": (1, 69), "told": "memory|lost the connection to the bus", "has_rows": True}
    here = {"PATH": f"{folder}/bin:{os.environ['PATH']}"}
    status = {"complete": 0, "list": 0, "list --json": 0, "list --json=pretty w*": 0, "status": 0, "status web": 0,
              "status --json": 0, "status web none --json": 4, "why web": 0, "why web --json": 0, "why none": 4, "history web": 0,
              "history web --json": 0, "dump": 0, "reset-failed": 0, "reset-failed --json": 0, "reset-failed nope": 4,
              "logs web -n 1": 0, "wait web": 0, "wait none": 4, "wait web --for=stopped --timeout=0": 1, "start idle": 0,
              "start idel": 4, "lst": 2, "--help": 0, "start web idle --no-block": 0}
    files = {"check extra.json": 0, "check extra.json torn.json": 65, "check wrong": 65, "import zinit web.yaml": 0,
             "import supervisord supervisord.conf": 0, "import systemd imported.service": 0,
             "apply --dry-run changed.json": 0, "apply wrong": 65, "apply extra.json torn.json": 65}
    questions = [Question(name, name.split(), code) for name, code in status.items() if name != "complete"]
    for name, code in files.items():
        words = [str(folder / word) if (folder / word).exists() else word for word in name.split()]
        questions.append(Question(name, words, code, hint=rf"{folder}/\w+/?\w*\.json: "))
    return [*questions,
            Question("completion", ["--complete", "--", "status", ""], recovery=r"\A\Z"),
            Question("list of a fleet", ["list", "-H", "one", "-H", "two"], environment=here, **fleet),
            Question("list of a fleet --json", ["list", "--json", "-H", "one", "-H", "two"], environment=here, **fleet),
            Question("list of a silent fleet", ["list", "--json", "-H", "one", "-H", "two"], 69,
                     environment={"PATH": "/nonexistent"}, **fleet)]


def that_change(folder: Path) -> list[Question]:
    return [Question("apply, new", ["apply", str(folder / "extra.json")], 0, remove_extra, is_defined("b")),
            Question("apply, changed", ["apply", str(folder / "changed.json")], 0, make_extra, is_defined("c")),
            Question("stop", ["stop", "extra"], 0, make_extra, runs(False)),
            Question("start", ["start", "extra"], 0, make_extra_stopped, runs(True)),
            restarts(),
            Question("remove", ["remove", "extra"], 0, make_extra_anew, is_gone)]


def that_follow() -> list[Question]:
    return [Question("wait for a stop", ["wait", "extra", "--for=stopped"], 0, make_extra, drive=drive_while_it_stops(True)),
            Question("watch, lines", ["watch", "extra"], 0, make_extra, drive=drive_while_it_stops(False),
                     recovery="nothing is known", caught_up="running -> stopped"),
            Question("watch --json extra", ["watch", "--json", "extra"], 0, make_extra, drive=drive_while_it_stops(False),
                     recovery="server-gone", caught_up='"from":"running","to":"stopped"'),
            Question("watch, board", ["watch"], drive=drive_on_terminal(b"j\rqq")),
            Question("start on a terminal", ["start", "extra", "idle"], 0, make_extra_stopped, runs(True), drive_on_terminal(b""))]


def all_of_them(folder: Path) -> list[Question]:
    write_files(folder)
    remove_extra()
    return [*that_print(folder), *that_change(folder), *that_follow()]
