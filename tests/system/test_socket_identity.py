# SPDX-License-Identifier: LGPL-2.1-or-later
"""A socket is the service's own when its process listens, or has the socket that somebody else listened on."""

from __future__ import annotations

import re

from box import REPOSITORY
from herodemo import probe, reasons, service, socket_path, status

SERVER = str(REPOSITORY / "tests/fixture/socket_server.py")
NEVER = {"policy": "never"}


def prepare(box):
    box.start_server()


def server(name: str, *options: str, path: str | None = None, **fields) -> dict:
    """A service of one socket_server.py, probed all the time."""
    return {"name": name, "on_unhealthy": "report", "sockets": ["rpc.sock"], "restart": NEVER, "probes": [probe()],
            "exec": [SERVER, *([path or socket_path(name)] if path != "" else []), *options], **fields}


def holders(box, path: str) -> set[int]:
    """The PIDs that have the listener at that path open, as ss(8) says: but for the "(name)" that PID 1 has forked, which
    has it too until it executes something."""
    return {int(pid) for pid in re.findall(r'"[^"(]*",pid=(\d+)', box.output("ss", "-Hxlp", "src", path))}


def socket_of(box, name: str) -> dict:
    return status(box, name)["sockets"][0]


def stranger(box, unit: str, *arguments: str) -> int:
    """A socket_server.py of somebody else's, up and listening; its PID."""
    box.run(["systemd-run", "--quiet", f"--unit={unit}", SERVER, *arguments])
    box.wait_for(lambda: "serving" in box.journal(unit), 10, f"{unit} listens")
    return box.main_pid(f"{unit}.service")


# Whose it is

def test_the_process_that_listens_is_told_with_its_command_and_unit(box):
    box.apply(service(box, "own", probes=[probe()]))
    box.wait_state("own", "running", 10)
    seen = socket_of(box, "own")
    pid = box.main_pid("hero-own.service")
    assert {pid} == holders(box, socket_path("own")) == {seen["listener_pid"]}
    assert (seen["state"], seen["listener_unit"]) == ("alive", "hero-own.service")
    assert seen["listener_command"] == box.output("cat", f"/proc/{pid}/comm")
    assert f"rpc.sock: alive, PID {pid} (herodemo_server) in hero-own.service\n" in box.hero("status", "own").stdout
    box.hero("remove", "own")


def test_a_stranger_is_named_in_the_reason_the_json_and_by_why(box):
    path = socket_path("robbed")
    box.run(["mkdir", "-p", "/run/hero/robbed"])
    pid = stranger(box, "robber", path)
    box.apply(server("robbed"), check=False)
    box.wait_state("robbed", "failed", 10)
    text = f"rpc.sock: held by PID {pid} (socket_server.p) of robber.service"
    assert reasons(box, "robbed")[0] == ("socket-foreign", path, text)
    seen = socket_of(box, "robbed")
    assert (seen["state"], seen["listener_pid"], seen["listener_command"], seen["listener_unit"]) == (
        "foreign", pid, "socket_server.p", "robber.service")
    why = box.hero("why", "robbed", check=False).stdout
    assert text in why and f"systemctl status {pid}" in why, why
    assert box.http(path)[0] == 200 and box.main_pid("robber.service") == pid, "he is left alone"
    box.systemctl("stop", "robber")
    box.hero("start", "robbed")
    assert box.states()["robbed"] == "running"
    box.hero("remove", "robbed")


def watch_states(name: str, seconds: float) -> list[dict]:
    """For the agent: every state shown in that time."""
    with StateChanges(name) as changes:  # noqa: F821
        return changes.until("", seconds)


def test_a_worker_whose_master_has_ended_is_the_service_all_the_time(box):
    """SO_PEERCRED names a process that is gone; nginx and its like are made so while they are upgraded."""
    box.apply(server("orphan", "--lose-master"))
    box.wait_state("orphan", "running", 10)
    worker, = holders(box, socket_path("orphan"))
    main = box.main_pid("hero-orphan.service")
    assert worker != main and {worker, main} == set(box.cgroup_pids("hero-orphan.service"))
    seen = socket_of(box, "orphan")
    assert (seen["state"], seen["listener_pid"], seen["listener_unit"]) == ("alive", worker, "hero-orphan.service")
    assert box.agent.call(watch_states, "orphan", 1.0) == []
    box.hero("restart", "orphan")
    assert box.states()["orphan"] == "running"
    box.restart_server()
    box.wait_state("orphan", "running", 10)
    assert {socket_of(box, "orphan")["listener_pid"]} == holders(box, socket_path("orphan")) != {worker}
    box.hero("remove", "orphan")


def take_number(number: int) -> int:
    """For the agent: a process with this number in a cgroup of its own; its number, or minus the errno."""
    import ctypes  # pylint: disable=import-outside-toplevel
    set_tid = (ctypes.c_int * 1)(number)
    clone_args = (ctypes.c_uint64 * 10)(0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, ctypes.addressof(set_tid), 1)  # noqa: F821
    libc = ctypes.CDLL(None, use_errno=True)
    pid = libc.syscall(435, clone_args, ctypes.sizeof(clone_args))
    if pid == 0:
        os.execv("/bin/sleep", ["sleep", "60"])  # noqa: F821
    return pid if pid > 0 else -ctypes.get_errno()


def peer_of(path: str) -> int:
    """For the agent: the process that has called listen(), as the kernel has it."""
    with socket.socket(socket.AF_UNIX) as client:  # noqa: F821
        client.connect(path)
        return struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]  # noqa: F821


def test_another_process_with_the_number_of_the_one_that_has_listened_is_not_taken_for_it(box):
    box.apply(server("reused", "--lose-master"))
    box.wait_state("reused", "running", 10)
    path = socket_path("reused")
    number = box.agent.call(peer_of, path)
    assert box.run(["test", "-e", f"/proc/{number}"], check=False).returncode != 0
    taken = box.agent.call(take_number, number)
    assert taken == number, taken
    assert "hero-reused" not in box.read_file(f"/proc/{number}/cgroup")
    box.restart_server()  # who listens is asked anew
    box.wait_state("reused", "running", 10)
    assert {socket_of(box, "reused")["listener_pid"]} == holders(box, path)
    box.run(["kill", str(number)])
    box.hero("remove", "reused")


def test_a_lost_child_of_a_listener_that_has_ended_is_found_among_all_processes(box):
    """The process that has listened is gone, and the one that has its socket is in no unit: it is named all the same."""
    box.run(["mkdir", "-p", "/sys/fs/cgroup/astray"])
    box.apply(server("lost", "--leave", "/sys/fs/cgroup/astray"), check=False)
    box.wait_state("lost", "failed", 10)
    path = socket_path("lost")
    pid, = holders(box, path)
    assert box.cgroup_pids("hero-lost.service") == [] and box.http(path)[0] == 200
    text = f"rpc.sock: held by PID {pid} (socket_server.p) of no unit"
    box.wait_for(lambda: ("socket-foreign", path, text) in reasons(box, "lost"), 5, "it is told")
    box.run(["kill", str(pid)])
    box.wait_for(lambda: socket_of(box, "lost")["state"] == "no-listener", 5, "it is gone")
    box.hero("start", "lost", check=False)  # its dead socket was cleaned away
    box.wait_for(lambda: holders(box, path) not in (set(), {pid}), 5, "it listens anew")
    box.run(["sh", "-c", "kill $(cat /sys/fs/cgroup/astray/cgroup.procs)"])
    box.hero("remove", "lost")


def test_the_listener_of_another_unit_is_the_services_once_it_was_handed_over(box):
    """One process listens, and gives the socket to whoever asks, as those do that keep sockets over restarts."""
    path = socket_path("given")
    box.run(["mkdir", "-p", "/run/hero/given"])
    giver = stranger(box, "giver", path, "--give", "/run/giver.sock")
    box.apply(server("given", "--fetch", "/run/giver.sock", path=""))
    box.wait_state("given", "running", 10)
    pid = box.main_pid("hero-given.service")
    assert box.agent.call(peer_of, path) == giver and holders(box, path) == {giver, pid}
    seen = socket_of(box, "given")
    assert (seen["state"], seen["listener_pid"], seen["listener_unit"]) == ("alive", pid, "hero-given.service")
    box.hero("stop", "given")
    box.hero("start", "given")
    assert box.states()["given"] == "running" and holders(box, path) == {giver, box.main_pid("hero-given.service")}
    box.hero("remove", "given")
    box.systemctl("stop", "giver")


# systemd listens

def socket_unit(box, name: str, path: str, unit: str) -> None:
    box.write_file(f"/run/systemd/system/{name}.socket", f"[Socket]\nListenStream={path}\nService={unit}\n")
    box.systemctl("daemon-reload")


def test_a_socket_that_systemd_listens_on_for_the_service_is_its_own(box):
    path = socket_path("passed")
    box.apply(server("passed", "--passed", path="", autostart=False))
    socket_unit(box, "passed", path, "hero-passed.service")
    box.systemctl("start", "passed.socket")
    assert box.agent.call(watch_states, "passed", 1.0) == [], "to look at it does not start it"
    assert box.unit_property("hero-passed.service", "ActiveState") == "inactive"
    assert box.agent.call(peer_of, path) == 1, "a connection does"
    box.wait_state("passed", "running", 10)
    pid = box.main_pid("hero-passed.service")
    assert holders(box, path) == {1, pid}
    seen = socket_of(box, "passed")
    assert (seen["state"], seen["listener_pid"], seen["listener_unit"]) == ("alive", pid, "hero-passed.service")
    box.hero("restart", "passed")
    assert box.states()["passed"] == "running" and holders(box, path) == {1, box.main_pid("hero-passed.service")}
    box.hero("stop", "passed")
    assert box.agent.call(watch_states, "passed", 1.0) == [] and box.states()["passed"] == "stopped"
    assert holders(box, path) == {1}
    box.systemctl("stop", "passed.socket")
    box.hero("remove", "passed")
    box.run(["rm", "/run/systemd/system/passed.socket"])


def test_a_socket_that_systemd_listens_on_for_somebody_else_is_a_strangers(box):
    path = socket_path("other")
    box.run(["mkdir", "-p", "/run/hero/other"])
    box.write_file("/run/systemd/system/somebody.service", "[Service]\nExecStart=/bin/sleep infinity\n")
    socket_unit(box, "somebody", path, "somebody.service")
    box.systemctl("start", "somebody.socket")
    box.apply(server("other", start_timeout_ms=500), check=False)
    box.wait_state("other", "failed", 10)
    assert holders(box, path) == {1}
    assert box.unit_property("somebody.service", "InvocationID") == "", "nobody was woken by a connection of ours"
    said = [text for code, _, text in reasons(box, "other") if code == "socket-foreign"]
    assert said == ["rpc.sock: held by PID 1 (systemd) of init.scope"], reasons(box, "other")
    assert "systemctl list-sockets" in box.hero("why", "other", check=False).stdout
    box.systemctl("stop", "somebody.socket", "somebody.service")
    box.hero("remove", "other")


# An old generation

def watch_crash_loop(name: str, seconds: float) -> list[dict]:
    """For the agent: what is shown from the first failure on."""
    with StateChanges(name) as changes:  # noqa: F821
        return changes.until("", seconds)


def test_a_service_that_crash_loops_beside_a_stranger_who_answers_its_probe_is_failed_for_his_sake(box):
    """The probe gets 200, from the wrong one; and systemd tries again and again, which helps nobody."""
    path = socket_path("looping")
    box.run(["mkdir", "-p", "/run/hero/looping"])
    pid = stranger(box, "previous", path, "--log", "/run/previous.log")
    loop = {"delay_ms": 200, "max_attempts": 1000}
    box.apply(server("looping", restart=loop, on_unhealthy="restart"), check=False)
    box.wait_state("looping", "failed", 10)
    restarts = int(box.unit_property("hero-looping.service", "NRestarts"))
    assert box.agent.call(watch_crash_loop, "looping", 3.0) == [], "it stays failed through every try"
    assert int(box.unit_property("hero-looping.service", "NRestarts")) >= restarts + 3
    box.wait_for(lambda: box.unit_property("hero-looping.service", "ExecMainStatus") == "98", 5, "its address is in use")
    assert reasons(box, "looping")[0] == ("socket-foreign", path,
                                          f"rpc.sock: held by PID {pid} (socket_server.p) of previous.service")
    assert box.http(path)[0] == 200 and box.main_pid("previous.service") == pid
    assert "/api/files" not in box.read_file("/run/previous.log"), "no probe was sent to the stranger"
    box.systemctl("stop", "previous")
    box.wait_state("looping", "running", 10)
    box.hero("remove", "looping")
