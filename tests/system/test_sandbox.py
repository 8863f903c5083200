# SPDX-License-Identifier: LGPL-2.1-or-later
"""The sandbox that all other system tests stand on. Nothing of hero_proc is needed here."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from box import SANDBOX, Box, CommandFailed

NEEDS_HERO_PROC = False

BOOT_LIMIT_SECONDS = 10.0  # usually half a second; a machine under load must not fail the test
LEFTOVER_LIMIT_SECONDS = 5.0


def sandbox(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run([str(SANDBOX), *words], capture_output=True, text=True, timeout=60, check=False)


def cgroup_of(name: str) -> Path:
    """Found by the tests' own eyes: the first cgroup2 mount."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where, f"hero-sandbox-{name}")
    raise AssertionError("no cgroup2")


def is_of(process: Path, name: str) -> bool:
    """Whether a living process of the host belongs to that sandbox. (The dead ones are the host's PID 1's to reap.)"""
    try:
        if process.joinpath("stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return False
        words = process.joinpath("cmdline").read_bytes().decode(errors="replace").split("\0")
        return f"hero-sandbox-{name}" in process.joinpath("cgroup").read_text() or any(name in word for word in words)
    except (FileNotFoundError, ProcessLookupError):
        return False


def leftovers(name: str) -> list[str]:
    """Processes, mounts, cgroups and files of the host that belong to the sandbox of that name."""
    found = [str(cgroup_of(name))] if cgroup_of(name).exists() else []
    found += [str(path) for folder in ("/tmp", "/run", "/dev/shm") for path in Path(folder).glob(f"*{name}*")]
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if "hero-sandbox" in line]
    return found + [str(process) for process in Path("/proc").glob("[0-9]*") if is_of(process, name)]


def assert_nothing_is_left(name: str, within: float = LEFTOVER_LIMIT_SECONDS) -> None:
    left: list[str] = []

    def is_clean() -> bool:
        left[:] = leftovers(name)
        return not left

    try:
        Box.wait_for(is_clean, within, "")
    except AssertionError:
        raise AssertionError(f"left of {name}: {left}") from None


def test_it_boots_in_seconds(_box):
    began = time.monotonic()
    with Box():
        assert time.monotonic() - began < BOOT_LIMIT_SECONDS


def test_the_system_is_up_and_nothing_in_it_failed(box):
    assert box.output("systemctl", "is-system-running", check=False) == "running", box.output("systemctl", "--failed")


def test_the_system_bus_answers(box):
    version = box.agent.call("call_bus", "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetId")
    assert len(version[0]) == 32


def test_systemd_is_process_1_and_sees_only_its_own(box):
    assert box.read_file("/proc/1/comm") == "systemd\n"
    box.run(["test", "!", "-e", f"/proc/{2**22 - 1}"])
    assert len(box.output("ps", "-e", "-o", "pid=").splitlines()) < 40


def test_the_cgroup_tree_begins_at_the_sandbox(box):
    assert box.read_file("/proc/1/cgroup").splitlines()[-1] == "0::/init.scope"
    assert box.output("cat", "/proc/self/cgroup").splitlines()[-1] == "0::/sandbox-exec"


def test_the_journal_keeps_what_is_logged(box):
    box.run(["logger", "-t", "sandbox-test", "a line to be found"])
    box.run(["journalctl", "--sync"])
    assert "a line to be found" in box.output("journalctl", "-t", "sandbox-test")


def test_the_journal_keeps_a_flood(box):
    box.run(["systemd-run", "--wait", "--unit=flood.service", "seq", "20000"])
    assert box.journal("flood.service").count("seq[") == 20000


def test_the_user_manager_answers_its_user(box):
    assert box.systemctl("is-system-running", user="hero").stdout == "running\n"
    assert box.output("id", "-un", user="hero") == "hero"
    box.run(["busctl", "--user", "list"], user="hero")
    box.run(["systemd-run", "--user", "--wait", "--unit=greeting", "echo", "hello from a user's unit"], user="hero")
    assert "hello from a user's unit" in box.journal("greeting.service", user="hero")
    assert "hello from a user's unit" in box.output("journalctl", "--user-unit", "greeting", user="hero")


def test_a_service_is_given_its_credentials(box):
    box.write_file("/etc/sandbox.secret", "open sesame", mode=0o600)
    assert box.output("systemd-run", "--quiet", "--wait", "--pipe", "-p", "User=hero",
                      "-p", "LoadCredential=secret:/etc/sandbox.secret",
                      "sh", "-c", "cat $CREDENTIALS_DIRECTORY/secret") == "open sesame"


def test_loopback_is_up_and_of_its_own(box):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert box.http(port)[0] is None
        box.run(["python3", "-c", f"import socket; socket.create_server(('127.0.0.1', {port}))"])


def test_a_command_inside_gets_input_and_gives_output_and_status(box):
    done = box.run(["sh", "-c", "cat; echo oops >&2; exit 7"], input="in\n", check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("in\n", "oops\n", 7)
    assert box.run(["sh", "-c", "kill -TERM $$"], check=False).returncode in (-signal.SIGTERM, 128 + signal.SIGTERM)
    try:
        box.run(["false"])
    except CommandFailed:
        return
    raise AssertionError("a command that failed was taken for a success")


def test_the_environment_of_the_host_stays_outside(box):
    os.environ["SANDBOX_TEST_LEAK"] = "leaked"
    try:
        names = {line.split("=")[0] for line in box.output("env", env={"GIVEN": "a b", "X": ""}).splitlines()}
    finally:
        del os.environ["SANDBOX_TEST_LEAK"]
    assert {"GIVEN", "X", "PATH", "HOME"} <= names
    assert names <= {"GIVEN", "X", "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TERM"}
    assert box.output("pwd", cwd="/var/log") == "/var/log"


def test_what_is_written_inside_stays_inside(box):
    marker = f"sandbox-test-{os.getpid()}"
    for folder in ("/etc", "/tmp", "/run", "/dev/shm", "/var/tmp", "/usr/bin"):
        box.write_file(f"{folder}/{marker}", "x")
        assert not Path(folder, marker).exists(), folder
    box.run(["mount", "-t", "tmpfs", marker, "/mnt"])
    assert marker not in Path("/proc/self/mounts").read_text()


def test_the_settings_of_the_shared_kernel_cannot_be_written_by_accident(box):
    assert box.run(["sysctl", "-w", "kernel.panic=77"], check=False).returncode != 0
    box.run(["sysctl", "-qw", "net.ipv4.ip_forward=1"])  # a network namespace has its own


def test_each_boot_has_a_boot_id_and_a_machine_id_of_its_own(box):
    with Box() as other:
        for file in ("/proc/sys/kernel/random/boot_id", "/etc/machine-id"):
            assert len({box.read_file(file), other.read_file(file), Path(file).read_text()}) == 3, file


def test_a_layer_is_copied_over_the_root_and_what_it_enables_is_started(box):
    with tempfile.TemporaryDirectory() as folder:
        units = Path(folder, "etc/systemd/system")
        wants = units / "multi-user.target.wants"
        wants.mkdir(parents=True)
        Path(folder, "lib").mkdir()  # a link in the root, which must stay one
        units.joinpath("layered.service").write_text("[Service]\nExecStart=/bin/sleep infinity\n")
        wants.joinpath("layered.service").symlink_to("/etc/systemd/system/layered.service")
        with Box(layers=[folder]) as layered:
            assert layered.unit_property("layered.service", "ActiveState") == "active"
            assert layered.output("stat", "-c", "%F %a", "/lib", "/") == box.output("stat", "-c", "%F %a", "/lib", "/")


def test_a_bound_folder_is_shared_with_the_host(_box):
    with tempfile.TemporaryDirectory() as folder, Box(binds=[f"{folder}:/srv/shared"]) as bound:
        bound.write_file("/srv/shared/note", "from inside")
        assert Path(folder, "note").read_text() == "from inside"


def test_two_sandboxes_do_not_see_each_other(_box):
    with Box() as one, Box() as other:
        one.run(["systemd-run", "--unit=mine.service", "sleep", "infinity"])
        assert one.unit_property("mine.service", "ActiveState") == "active"
        assert other.unit_property("mine.service", "LoadState") == "not-found"
        assert one.cgroup_pids("mine.service") == [one.main_pid("mine.service")]
        assert "sleep" not in other.output("ps", "-e", "-o", "comm=").split()


def test_a_name_is_given_once(_box):
    with Box() as box:
        again = sandbox("start", box.name)
        assert again.returncode == 1 and "running already" in again.stderr
        assert box.is_alive()


def test_stop_leaves_nothing(_box):
    box = Box()
    box.systemctl("is-system-running", user="hero")
    box.run(["systemd-run", "--unit=stubborn.service", "-p", "KillMode=none", "sh", "-c", "trap '' TERM; sleep 1000"])
    assert leftovers(box.name)
    box.stop()
    assert_nothing_is_left(box.name, within=0)


def test_stop_of_what_does_not_run_is_no_error(_box):
    assert sandbox("stop", "nobody").returncode == 0


def test_a_poweroff_inside_leaves_nothing(_box):
    with Box() as box:
        box.systemctl("poweroff", check=False)
        box.wait_for(lambda: not cgroup_of(box.name).exists(), 20, "the cgroup is gone")
    assert_nothing_is_left(box.name)


def test_a_starter_killed_at_any_moment_leaves_nothing(_box):
    began = time.monotonic()
    Box().stop()
    whole = time.monotonic() - began
    for step in range(12):
        name = f"killed-{os.getpid()}-{step}"
        with subprocess.Popen([str(SANDBOX), "hold", name], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as starter:
            time.sleep(whole * step / 10)
            starter.kill()
        assert_nothing_is_left(name)


def test_a_holder_that_is_killed_takes_its_sandbox_along(_box):
    box = Box()
    box._holder.kill()
    box._holder.communicate()
    assert_nothing_is_left(box.name)


def test_a_killed_keeper_takes_the_sandbox_along_and_the_name_can_be_used_again(_box):
    name = f"keeper-{os.getpid()}"
    assert sandbox("start", name).returncode == 0
    try:
        keeper = next(int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline")
                      if path.read_bytes().split(b"\0")[2:4] == [b"keep", name.encode()])
        os.kill(keeper, signal.SIGKILL)
        events = cgroup_of(name) / "cgroup.events"
        Box.wait_for(lambda: "populated 0" in events.read_text(), LEFTOVER_LIMIT_SECONDS, "all its processes are dead")
        assert sandbox("start", name).returncode == 0
        assert sandbox("exec", name, "true").returncode == 0
    finally:
        sandbox("stop", name)
    assert_nothing_is_left(name, within=0)


def test_a_start_that_fails_says_why_and_leaves_nothing(_box):
    with tempfile.TemporaryDirectory() as folder:
        systemd = Path(folder, "lib/systemd/systemd")
        systemd.parent.mkdir(parents=True)
        systemd.write_text("#!/bin/false\n")
        systemd.chmod(0o755)
        for options, reason in ((["--root", "/nonexistent"], "no such folder"), (["--root", "/proc"], "no systemd"),
                                (["--root", folder], "was not started"), (["--frobnicate", "1"], "unknown option"),
                                (["--layer", folder], "systemd ended before it was up")):
            name = f"failing-{os.getpid()}"
            done = sandbox("start", name, *options)
            assert done.returncode != 0 and reason in done.stderr, (options, done.stderr)
            assert_nothing_is_left(name, within=0)


def test_a_killed_command_ends_inside(box):
    process = box.spawn(["sleep", "54321"])
    box.wait_for(lambda: box.run(["pgrep", "-f", "^sleep 54321"], check=False).returncode == 0, 5, "it runs")
    process.kill()
    box.wait_for(lambda: box.run(["pgrep", "-f", "^sleep 54321"], check=False).returncode == 1, 5, "it is gone")


def test_the_agent_makes_a_bus_call_in_less_than_15_ms(box):
    def time_bus_calls() -> list[float]:
        taken = []
        for _ in range(20):
            began = time.monotonic()
            call_bus("org.freedesktop.systemd1", "/org/freedesktop/systemd1",  # noqa: F821
                     "org.freedesktop.systemd1.Manager", "GetUnit", "s", "init.scope")
            taken.append(time.monotonic() - began)
        return taken

    assert min(box.agent.call(time_bus_calls)) < 0.015  # the rest of them are the machine's load, not our cost


def test_the_agent_sees_a_signal_when_it_is_sent(box):
    def emit_and_receive() -> list:
        with Signals("type='signal',interface='org.example.Test'") as signals:  # noqa: F821
            nothing = signals.next(0.05)
            subprocess.run(["busctl", "emit", "/org/example", "org.example.Test", "Happened", "s", "now"], check=True)
            return [nothing, signals.next(5)["payload"]["data"]]

    assert box.agent.call(emit_and_receive) == [None, ["now"]]


def test_the_http_oracle_tells_a_whole_answer_from_a_cut_one(box):
    def answers() -> list:
        import threading  # pylint: disable=import-outside-toplevel
        replies = [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole",
                   b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut",
                   b"",
                   b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"]
        server = socket.socket(socket.AF_UNIX)
        server.bind("/run/oracle.sock")
        server.listen()

        def serve() -> None:
            for reply in replies:
                connection, _ = server.accept()
                connection.recv(4096)
                connection.sendall(reply)
                connection.close()

        threading.Thread(target=serve).start()
        return [http_request("/run/oracle.sock") for _ in replies]  # noqa: F821

    whole, cut, empty, unavailable = box.agent.call(answers)
    assert whole == [200, "whole"]
    assert cut[0] is None and "IncompleteRead" in cut[1]
    assert empty[0] is None
    assert unavailable == [503, ""]
    assert box.http("/run/nowhere.sock")[0] is None
