# SPDX-License-Identifier: LGPL-2.1-or-later
"""A sandbox with hero_proc installed, as the system tests see it: class Box.

What is asked of the kernel, of systemd and of a service's own socket goes past hero_proc, so that a test can hold
against it what it says.
"""

from __future__ import annotations

import inspect
import itertools
import json
import os
import select
import subprocess
import textwrap
import time
from pathlib import Path
from typing import Any, Callable, Iterable, Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
SANDBOX = REPOSITORY / "tools" / "sandbox"
AGENT = REPOSITORY / "tests" / "system" / "agent.py"
SERVER_UNIT = "hero_proc.service"
# What the bus answers in a server's place: dbus-broker to who calls none, and either to who has called one that died.
SERVER_IS_AWAY = ("Could not activate remote peer", "Remote peer disconnected", "Message recipient disconnected")

_numbers = itertools.count(1)


class CommandFailed(AssertionError):
    """A command that should have succeeded, with all that it said."""

    def __init__(self, done: subprocess.CompletedProcess):
        super().__init__(f"exit status {done.returncode} of: {' '.join(map(str, done.args))}\n"
                         f"{textwrap.indent((done.stdout or '') + (done.stderr or ''), '    ')}".rstrip())
        self.done = done


class BoxError(Exception):
    """The sandbox itself does not work."""


class Agent:
    """A Python process inside the box; see agent.py for what the functions sent to it find there."""

    def __init__(self, box: Box, user: str | None = None):
        self._process = box.spawn(["/usr/bin/python3", str(AGENT)], user=user, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)

    def call(self, function: Callable | str, *arguments: Any, timeout: float = 60.0) -> Any:
        """Runs a function of agent.py (by its name) or one of the test's own inside; arguments and result must be JSON.

        A function of the test's own is sent as text: it sees what agent.py defines, and nothing of the test's file.
        """
        if isinstance(function, str):
            name, source = function, ""
        else:
            name, source = function.__name__, textwrap.dedent(inspect.getsource(function))
        request = {"name": name, "source": source, "where": f"<{name}>", "arguments": arguments}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], timeout)[0]:
            self.close()
            raise AssertionError(f"{name}() has not returned after {timeout:g} s")
        line = self._process.stdout.readline()
        if not line:
            raise BoxError(f"the agent ended in {name}()")
        answer = json.loads(line)
        if "error" in answer:
            raise AssertionError(f"in the box: {answer['error']}")
        return answer["result"]

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Box:
    """One running sandbox. Ends with stop(), or when this process ends, however it does."""

    def __init__(self, *, root: str | None = None, layers: Sequence[Path | str] = (),
                 binds: Sequence[str] = (), build: str = "build", keep: bool = False, name: str | None = None):
        self.name = name or f"test-{os.getpid()}-{next(_numbers)}"
        self.build = REPOSITORY / build
        self._likeness = {"root": root, "layers": layers, "build": build}
        self._agents: dict[str, Agent] = {}
        self._copied: set[str] = set()
        self._spawned: list[subprocess.Popen] = []
        options = ["--bind-ro", f"{REPOSITORY}:{REPOSITORY}"]
        options += ["--root", root] if root else []
        options += [word for layer in layers for word in ("--layer", str(layer))]
        options += [word for bind in binds for word in ("--bind", bind)]
        # A kept box must outlive this process: `start` instead of `hold`.
        self._holder = subprocess.Popen([str(SANDBOX), "start" if keep else "hold", self.name, *options],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        self._kept = keep
        self._await_boot()

    def _await_boot(self) -> None:
        if self._kept:
            if self._holder.wait() == 0:
                return
        elif self._holder.stdout.readline() == "up\n":
            return
        _, said = self._holder.communicate()
        raise BoxError(f"no sandbox: {said.strip()}")

    def another(self, binds: Sequence[str] = ()) -> Box:
        """A second, fresh box with the same things installed, for `with`: what happens to it does not harm this one."""
        return Box(**self._likeness, binds=binds)

    def is_alive(self) -> bool:
        return self.run(["true"], check=False).returncode == 0

    def init_pid(self) -> int:
        """Of its systemd, as it is out here."""
        listed = subprocess.run([SANDBOX, "list"], capture_output=True, text=True, check=True).stdout
        return next(int(words[1]) for words in map(str.split, listed.splitlines()) if words[0] == self.name)

    def power_off(self) -> None:
        """Shuts the machine down in good order. The agents go first: systemd would wait for them in vain."""
        for agent in self._agents.values():
            agent._process.communicate()
        mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
        cgroup = next(Path(where, f"hero-sandbox-{self.name}") for _, where, kind, *_ in mounts if kind == "cgroup2")
        self.systemctl("poweroff", check=False)
        self.wait_for(lambda: not cgroup.exists(), 30, "the machine is off")

    def stop(self) -> None:
        """Ends the sandbox and everything in it. May be called twice, and from another thread."""
        for process in [*(agent._process for agent in self._agents.values()), *self._spawned]:
            process.kill()
        subprocess.run([str(SANDBOX), "stop", self.name], check=False)
        if not self._kept and self._holder.poll() is None:
            self._holder.communicate()
        for process in self._spawned:
            process.communicate()

    def __enter__(self) -> Box:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # Commands and files

    def _entering(self, command: Sequence[str | Path], user: str | None, cwd: str | None,
                  env: dict[str, str] | None) -> list[str]:
        words = [str(SANDBOX), "exec", self.name]
        words += ["-u", user] if user else []
        words += ["--cwd", cwd] if cwd else []
        words += [word for key, value in (env or {}).items() for word in ("-E", f"{key}={value}")]
        return [*words, "--", *map(str, command)]

    def run(self, command: Sequence[str | Path], *, check: bool = True, user: str | None = None,
            input: str | None = None, timeout: float = 30.0, cwd: str | None = None,
            env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
        """Runs a command inside to its end. CommandFailed if it fails, unless check is False."""
        feed = {"input": input} if input is not None else {"stdin": subprocess.DEVNULL}
        try:
            done = subprocess.run(self._entering(command, user, cwd, env), capture_output=True, text=True,
                                  timeout=timeout, **feed)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"not done after {timeout:g} s: {' '.join(map(str, command))}") from late
        done.args = list(map(str, command))
        if check and done.returncode != 0:
            raise CommandFailed(done)
        return done

    def spawn(self, command: Sequence[str | Path], *, user: str | None = None, cwd: str | None = None,
              env: dict[str, str] | None = None, **popen: Any) -> subprocess.Popen:
        """Starts a command inside and returns at once; killing what is returned kills it."""
        process = subprocess.Popen(self._entering(command, user, cwd, env), text=True,
                                   **{"stdin": subprocess.DEVNULL, **popen})
        self._spawned.append(process)
        return process

    def output(self, *command: str | Path, **options: Any) -> str:
        """What a command that succeeds says on standard output, without the last newline."""
        return self.run(command, **options).stdout.rstrip("\n")

    def write_file(self, path: str, text: str, mode: int = 0o644, user: str | None = None) -> None:
        """Writes a file inside, and the folders above it."""
        self.run(["sh", "-c", 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"', "sh", path, f"{mode:o}"],
                 input=text, user=user)

    def read_file(self, path: str) -> str:
        return self.run(["cat", path]).stdout

    def fixture(self, name: str) -> str:
        """The path of a program of tests/fixture, inside. A checkout below /tmp is out of sight for a service with a /tmp of
        its own, so the program is copied from there."""
        path = self.build / "fixture" / name
        if not path.is_relative_to("/tmp") and not path.is_relative_to("/var/tmp"):
            return str(path)
        copy = f"/opt/hero_proc-fixture/{name}"
        if name not in self._copied:
            self.run(["install", "-D", str(path), copy])
            self._copied.add(name)
        return copy

    # Inside without the cost of entering

    @property
    def agent(self) -> Agent:
        return self.agent_of(None)

    def agent_of(self, user: str | None) -> Agent:
        """The agent that runs as that user, started when it is first asked for."""
        known = self._agents.get(user or "root")
        if known is None or not known.is_alive():
            known = self._agents[user or "root"] = Agent(self, user)
        return known

    def http(self, address: str | int, path: str = "/", method: str = "GET", body: str | None = None,
             timeout: float = 5.0) -> tuple[int | None, str]:
        """(status, body) of a complete answer from a socket path or TCP port; (None, why not) where there is none."""
        status, text = self.agent.call("http_request", address, path, method, body, None, timeout)
        return status, text

    # systemd and the kernel

    def systemctl(self, *words: str, user: str | None = None, check: bool = True,
                  timeout: float = 60.0) -> subprocess.CompletedProcess:
        return self.run(["systemctl", *(["--user"] if user else []), *words], user=user, check=check, timeout=timeout)

    def unit_properties(self, unit: str, user: str | None = None) -> dict[str, str]:
        lines = self.systemctl("show", unit, user=user).stdout.splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def unit_property(self, unit: str, name: str, user: str | None = None) -> str:
        return self.systemctl("show", "-P", name, unit, user=user).stdout.strip()

    def invocation_id(self, unit: str, user: str | None = None) -> str:
        return self.unit_property(unit, "InvocationID", user)

    def main_pid(self, unit: str, user: str | None = None) -> int:
        return int(self.unit_property(unit, "MainPID", user))

    def cgroup_pids(self, unit: str, user: str | None = None) -> list[int]:
        """The processes in the unit's cgroup and those below it, as the kernel says."""
        control_group = self.unit_property(unit, "ControlGroup", user)
        return self.agent.call("processes_in_cgroup", control_group) if control_group else []

    def journal(self, unit: str | None = None, user: str | None = None) -> str:
        """All that the journal holds of a unit, also what systemd says about it; without one, everything."""
        match: list[str] = []
        if unit and user:
            match = [f"_SYSTEMD_USER_UNIT={unit}", "+", f"USER_UNIT={unit}"]
        elif unit:
            match = ["--unit", unit]
        self.run(["journalctl", "--sync"], check=False)
        return self.run(["journalctl", "--no-pager", "-q", "-o", "short-precise", *match]).stdout

    # hero_proc

    def hero(self, *words: str, user: str | None = None, check: bool = True, input: str | None = None,
             timeout: float = 60.0) -> subprocess.CompletedProcess:
        """Runs hero_proc(1), against the system's server or, with user, that user's own."""
        which = "--user" if user else "--system"
        return self.run(["hero_proc", which, *words], user=user, check=check, input=input, timeout=timeout)

    def hero_json(self, *words: str, user: str | None = None, **options: Any) -> Any:
        """What `hero_proc --json=short …` says; the exit status is not looked at: that of `status` is the service's."""
        done = self.hero("--json=short", *words, user=user, check=False, **options)
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise CommandFailed(done) from None

    def start_server(self, user: str | None = None) -> None:
        self.systemctl("start", SERVER_UNIT, user=user)

    def stop_server(self, user: str | None = None) -> None:
        self.systemctl("stop", SERVER_UNIT, user=user)

    def restart_server(self, user: str | None = None) -> None:
        self.systemctl("restart", SERVER_UNIT, user=user)

    def kill_server(self, user: str | None = None) -> int:
        """SIGKILL; returns the PID that it had. What follows is what its unit says."""
        pid = self.main_pid(SERVER_UNIT, user)
        assert pid > 0, f"{SERVER_UNIT} does not run"
        self.run(["kill", "-KILL", str(pid)])
        return pid

    @staticmethod
    def definition(name: str, **fields: Any) -> dict[str, Any]:
        return {"name": name, **fields}

    def apply(self, *definitions: dict[str, Any], user: str | None = None, check: bool = True,
              options: Iterable[str] = ()) -> subprocess.CompletedProcess:
        """Applies definitions with one call, so all or none of them."""
        folder = f"/tmp/definitions-{next(_numbers)}"
        self.run(["mkdir", "-p", folder], user=user)
        for definition in definitions:
            self.write_file(f"{folder}/{definition['name']}.json", json.dumps(definition), user=user)
        return self.hero("apply", *options, folder, user=user, check=check)

    def states(self, user: str | None = None) -> dict[str, str]:
        """Name → state of every service, from ListServices; of none in the moment between a crash of the server and its
        restart. dbus-broker does not wait for that as dbus-daemon does, and what a server was asked that dies with it is
        lost with both."""
        try:
            services = self.agent_of(user).call("hero_services", bool(user))
        except AssertionError as error:
            if not any(words in str(error) for words in SERVER_IS_AWAY):
                raise
            return {}
        return {name: service["state"] for name, service in services.items()}

    # Waiting

    @staticmethod
    def wait_for(is_so: Callable[[], Any], timeout: float, what: str, pause: float = 0.02) -> Any:
        """Asks until the answer is true, and returns it. For what no event tells."""
        deadline = time.monotonic() + timeout
        while True:
            answer = is_so()
            if answer:
                return answer
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {timeout:g} s: {what}; the last answer was {answer!r}")
            time.sleep(pause)

    def wait_state(self, service: str, state: str, timeout: float, user: str | None = None) -> None:
        seen = ""

        def is_there() -> bool:
            nonlocal seen
            seen = self.states(user).get(service, "not to be had")
            return seen == state

        try:
            self.wait_for(is_there, timeout, f"{service} is {state}")
        except AssertionError as error:
            status = self.hero("status", service, user=user, check=False)
            raise AssertionError(f"{service} is {seen or 'not known'}, not {state}: {error}\n"
                                 f"{status.stdout}{status.stderr}") from None
