# SPDX-License-Identifier: LGPL-2.1-or-later
"""With kill_others whoever holds a service's sockets and ports is ended before it starts: he, and nobody else.

The strangers answer every request with 200, as an old generation of a service does.
"""

from __future__ import annotations

import re

from box import REPOSITORY
from herodemo import reasons, socket_path
from house import sleeper, units

SERVER = str(REPOSITORY / "tests/fixture/port_server.py")
NEVER = {"policy": "never"}
PATIENCE = 5  # seconds until SIGKILL


def prepare(box):
    box.start_server()
    box.apply(sleeper("one"), sleeper("two"))


def server(name: str, address: str, *options: str, **fields) -> dict:
    """A service that listens on one address: a port, or a socket in its folder."""
    where = {"sockets": ["rpc.sock"]} if address.startswith("/") else {"ports": [int(address.rsplit(":", 1)[1])]}
    return {"name": name, "on_unhealthy": "report", "exec": [SERVER, *options, address], **where, "restart": NEVER,
            **fields}


def stranger(box, unit: str, *arguments: str, **options) -> int:
    """A server of somebody else's, listening; its main PID."""
    box.run(["systemd-run", *(["--user"] if options.get("user") else []), "--quiet", f"--unit={unit}", SERVER, *arguments],
            **options)
    box.wait_for(lambda: "listening" in box.journal(f"{unit}.service", **options), 10, f"{unit} listens")
    return box.main_pid(unit, **options)


def orphan(box, name: str, address: str, *options: str) -> int:
    """One that nobody supervises: it double-forked out of the unit that it was started in, into a cgroup of its own."""
    box.run(["systemd-run", "--quiet", "--wait", f"--unit={name}", SERVER, "--leave", f"/sys/fs/cgroup/{name}", *options,
             address], check=False)
    pid, = [int(line) for line in box.read_file(f"/sys/fs/cgroup/{name}/cgroup.procs").split()]
    return pid


def lives(box, pid: int) -> bool:
    return box.run(["test", "-e", f"/proc/{pid}/exe"], check=False).returncode == 0


def others(box, name: str) -> dict:
    """What must not change: every unit of the house but this service's."""
    return {unit: (seen["ActiveState"], seen["InvocationID"], seen["pids"]) for unit, seen in units(box).items()
            if not unit.startswith(f"hero-{name}.")}


def said_of(box, name: str) -> list[str]:
    return re.findall(rf"{name}: (.*) \(kill_others\)", box.journal("hero_proc.service"))


def tried(box, name: str) -> list[str]:
    return re.findall(r"kill_others: (.*)", box.hero("why", name, check=False).stdout)


def the_place(kind: str, name: str, port: int) -> tuple[str, str | int, str]:
    """(where to listen, where to ask, what it is called)"""
    if kind == "socket":
        return socket_path(name), socket_path(name), "rpc.sock"
    return f"127.0.0.1:{port}", port, f"port {port}"


def check_the_orphan_goes(box, kind: str, name: str, port: int) -> None:
    address, where, called = the_place(kind, name, port)
    box.run(["mkdir", "-p", f"/run/hero/{name}"])
    # The process that called listen() on the port is gone, and its child has the listener.
    pid = orphan(box, f"astray-{name}", address, *(["--early"] if kind == "socket" else []))
    bystander = stranger(box, f"bystander-{name}", f"127.0.0.1:{port + 1}")
    before = others(box, name)
    assert box.http(where)[0] == 200, "the stranger answers"

    box.apply(server(name, address), check=False)
    box.wait_state(name, "failed", 10)
    assert lives(box, pid) and box.http(where)[0] == 200, "without kill_others he is left alone"
    assert "socket-foreign" in {code for code, _, _ in reasons(box, name)}

    box.apply(server(name, address, kill_others=True))
    box.hero("start", name)
    assert box.states()[name] == "running"
    assert not lives(box, pid) and box.http(where)[0] == 200
    assert lives(box, bystander) and box.http(port + 1)[0] == 200, "another of the same name"
    assert others(box, name) == before
    held = f"{called} was held by PID {pid} (port_server.py) of no unit, which was told to end"
    assert said_of(box, name) == [held, f"PID {pid} (port_server.py) of no unit has ended"], said_of(box, name)
    assert tried(box, name) == [held]

    unit = f"hero-{name}.service"
    first = box.main_pid(unit)
    box.hero("restart", name)
    assert box.main_pid(unit) != first and len(said_of(box, name)) == 2, "nobody was in the way this time"
    box.systemctl("stop", f"bystander-{name}")
    box.hero("remove", name)


def test_an_orphan_that_holds_the_socket_is_ended_and_nobody_else(box):
    check_the_orphan_goes(box, "socket", "sock", 8100)


def test_an_orphan_that_holds_the_port_is_ended_and_nobody_else(box):
    check_the_orphan_goes(box, "port", "port", 8110)


def test_one_that_ignores_sigterm_is_killed_when_its_time_is_up(box):
    pid = orphan(box, "stubborn", "127.0.0.1:8120", "--ignore-term")
    box.apply(server("waits", "127.0.0.1:8120", kill_others=True))
    box.wait_for(lambda: said_of(box, "waits"), 10, "he is told to end")
    assert box.states()["waits"] == "starting" and lives(box, pid)
    assert "main is started when those who hold its sockets and ports are gone" in box.hero(
        "why", "waits", check=False).stdout
    assert box.hero("list").returncode == 0, "the server goes on meanwhile"
    box.wait_state("waits", "running", PATIENCE + 10)
    assert not lives(box, pid) and box.http(8120)[0] == 200
    assert any("was killed, as it still had the socket 5 s after SIGTERM" in line for line in said_of(box, "waits"))
    box.hero("remove", "waits")


def test_one_that_lets_go_of_the_socket_may_end_in_its_own_time(box):
    """As a server does that still has clients to serve: it is no reason to wait, and not killed."""
    pid = orphan(box, "polite", "127.0.0.1:8122", "--drain")
    box.apply(server("next", "127.0.0.1:8122", kill_others=True))
    box.wait_state("next", "running", PATIENCE - 1)
    assert lives(box, pid) and box.http(8122)[0] == 200
    assert said_of(box, "next")[-1] == f"PID {pid} (port_server.py) of no unit has let go of it"
    box.run(["kill", "-KILL", str(pid)])
    box.hero("remove", "next")


def test_who_stops_the_service_meanwhile_spares_the_stranger(box):
    pid = orphan(box, "spared", "127.0.0.1:8125", "--ignore-term")
    box.apply(server("called-off", "127.0.0.1:8125", kill_others=True))
    box.wait_for(lambda: said_of(box, "called-off"), 10, "he is told to end")
    box.hero("stop", "called-off")
    box.apply(server("clock", "127.0.0.1:8126", "--late", str(PATIENCE + 1)))
    box.wait_state("clock", "running", PATIENCE + 15)
    assert lives(box, pid) and box.http(8125)[0] == 200 and box.states()["called-off"] == "stopped"
    box.run(["kill", "-KILL", str(pid)])
    box.hero("remove", "called-off", "clock")


def test_all_who_share_the_listener_are_ended(box):
    stranger(box, "master", "--workers", "3", "127.0.0.1:8130")
    pids = box.cgroup_pids("master.service")
    assert len(pids) == 4
    box.apply(server("after", "127.0.0.1:8130", kill_others=True))
    box.wait_state("after", "running", 10)
    assert not [pid for pid in pids if lives(box, pid)]
    assert box.cgroup_pids("hero-after.service") == [box.main_pid("hero-after.service")]
    box.hero("remove", "after")


def test_another_service_of_hero_proc_is_never_ended(box):
    box.apply(server("owner", "127.0.0.1:8140"))
    box.wait_state("owner", "running", 10)
    before = others(box, "rival")
    pid = box.main_pid("hero-owner.service")
    box.apply(server("rival", "127.0.0.1:8140", kill_others=True), check=False)
    box.wait_state("rival", "failed", 10)
    assert others(box, "rival") == before and box.http(8140)[0] == 200
    left = f"port 8140 is left to PID {pid} (port_server.py) of hero-owner.service, which is another service of hero_proc"
    assert tried(box, "rival") == [left]
    text = f"port 8140: held by PID {pid} (port_server.py) of hero-owner.service"
    assert ("socket-foreign", "port 8140", text) in reasons(box, "rival")
    box.hero("remove", "owner", "rival")


def test_a_service_of_the_systems_hero_proc_is_no_users_own_although_it_has_the_same_name_and_uid(box):
    box.start_server(user="hero")
    box.apply(server("twin", "127.0.0.1:8145", user="hero"))
    box.wait_state("twin", "running", 10)
    pid = box.main_pid("hero-twin.service")
    box.apply(server("twin", "127.0.0.1:8145", kill_others=True), user="hero", check=False)
    box.wait_state("twin", "failed", 10, user="hero")
    reasons_of_users = box.hero_json("status", "twin", user="hero")[0]["reasons"]
    held = f"port 8145: held by PID {pid} (port_server.py) of hero-twin.service (system)"
    assert held in [reason["text"] for reason in reasons_of_users], reasons_of_users
    assert "which is another service of hero_proc" in box.hero("why", "twin", user="hero", check=False).stdout
    assert box.main_pid("hero-twin.service") == pid and box.states()["twin"] == "running"
    box.hero("remove", "twin", user="hero")
    box.hero("remove", "twin")
    box.stop_server(user="hero")


def test_systemds_own_listener_is_never_ended(box):
    box.write_file("/run/systemd/system/activated.socket", "[Socket]\nListenStream=127.0.0.1:8150\n")
    box.write_file("/run/systemd/system/activated.service", "[Service]\nExecStart=/bin/sleep infinity\n")
    box.systemctl("daemon-reload")
    box.systemctl("start", "activated.socket")
    box.apply(server("late", "127.0.0.1:8150", kill_others=True), check=False)
    box.wait_state("late", "failed", 10)
    assert box.unit_property("activated.socket", "ActiveState") == "active"
    assert "port 8150 is left to PID 1 (systemd) of init.scope, which is systemd itself, for a .socket unit" in tried(
        box, "late")
    box.systemctl("stop", "activated.socket")
    box.hero("start", "late")
    assert box.states()["late"] == "running"
    box.hero("remove", "late")


def hand_over(path: str) -> None:
    """For the agent, as a user: makes a listener at the path and hands it to a program of root's that takes what it gets."""
    listener = socket.socket(socket.AF_UNIX)  # noqa: F821
    listener.bind(path)
    listener.listen()
    with socket.socket(socket.AF_UNIX) as client:  # noqa: F821
        client.connect("/run/taker.sock")
        socket.send_fds(client, [b"x"], [listener.fileno()])  # noqa: F821
        client.recv(1)


def test_who_was_handed_the_socket_by_another_user_is_left_alone(box):
    """Else the user of a service could have any program of root's ended that takes descriptors, as D-Bus does."""
    box.write_file("/run/taker.py", "import os, socket\n"
                   "server = socket.socket(socket.AF_UNIX)\n"
                   "server.bind('/run/taker.sock')\n"
                   "os.chmod('/run/taker.sock', 0o777)\n"
                   "server.listen()\n"
                   "kept = []\n"
                   "while True:\n"
                   "    client = server.accept()[0]\n"
                   "    kept += socket.recv_fds(client, 1, 1)[1]\n"
                   "    client.send(b'y')\n")
    box.run(["systemd-run", "--quiet", "--unit=taker", "/usr/bin/python3", "/run/taker.py"])
    box.wait_for(lambda: box.run(["test", "-S", "/run/taker.sock"], check=False).returncode == 0, 10, "it takes")
    pid = box.main_pid("taker")
    box.run(["install", "-d", "-o", "hero", "/run/hero/victim"])
    path = socket_path("victim")
    box.agent_of("hero").call(hand_over, path)
    box.apply(server("victim", path, kill_others=True, user="hero"), check=False)
    box.wait_state("victim", "failed", 10)
    assert box.main_pid("taker") == pid and lives(box, pid)
    said = tried(box, "victim")
    assert said == [f"rpc.sock is left to PID {pid} (python3) of taker.service, which may have been handed it by another user"]
    box.systemctl("stop", "taker")
    box.hero("start", "victim")
    assert box.states()["victim"] == "running"
    box.hero("remove", "victim")


def test_a_link_to_somebody_elses_socket_ends_nobody(box):
    pid = stranger(box, "target", "/run/target.sock")
    box.run(["mkdir", "-p", "/run/hero/linked"])
    box.run(["ln", "-s", "/run/target.sock", socket_path("linked")])
    box.apply(server("linked", socket_path("linked"), kill_others=True), check=False)
    box.wait_state("linked", "failed", 10)
    assert lives(box, pid) and box.http("/run/target.sock")[0] == 200
    box.run(["rm", socket_path("linked")])
    box.systemctl("stop", "target")
    box.hero("remove", "linked")


def test_what_a_dead_generation_left_behind_does_not_keep_systemd_from_restarting_it(box):
    """Each try leaves a child with the listener and dies. Without its end the next try could not listen."""
    box.apply(server("heir", "127.0.0.1:8160", "--leave", "/sys/fs/cgroup/heirs", kill_others=True,
                     restart={"policy": "on-failure", "delay_ms": 1000, "max_attempts": 3}))
    box.wait_for(lambda: int(box.unit_property("hero-heir.service", "NRestarts") or 0) >= 3, 30, "it was tried again")
    box.wait_state("heir", "failed", 10)
    assert "cannot listen" not in box.journal("hero-heir.service")
    ended = [line for line in said_of(box, "heir") if line.endswith("has ended")]
    assert len(ended) >= 2, said_of(box, "heir")
    left = [int(line) for line in box.read_file("/sys/fs/cgroup/heirs/cgroup.procs").split()]
    assert len(left) <= 1, "they do not pile up"
    box.run(["kill", "-KILL", *map(str, left)], check=False)
    box.hero("remove", "heir")


def test_one_that_ignores_sigterm_is_killed_although_systemd_tries_again_sooner(box):
    """The first try leaves a child with the listener; those after it cannot listen, one a second."""
    box.apply(server("stuck", "127.0.0.1:8165", "--leave", "/sys/fs/cgroup/stuck", "--ignore-term", kill_others=True,
                     restart={"policy": "on-failure", "delay_ms": 1000, "max_attempts": 20}), check=False)
    box.wait_for(lambda: "cannot listen" in box.journal("hero-stuck.service"), 10, "it is tried again")
    box.wait_for(lambda: any("was killed" in line for line in said_of(box, "stuck")), PATIENCE + 15, "he is killed")
    told = [line for line in said_of(box, "stuck") if "told to end" in line]
    assert len({re.search(r"PID \d+", line)[0] for line in told}) == len(told), "each is told once, and has his time"
    box.hero("stop", "stuck")
    box.run(["sh", "-c", "kill -KILL $(cat /sys/fs/cgroup/stuck/cgroup.procs)"], check=False)
    box.hero("remove", "stuck")


def test_a_user_ends_his_own_processes_and_is_told_of_others(box):
    box.start_server(user="hero")
    pid = stranger(box, "own", "127.0.0.1:8170", user="hero")
    box.apply(server("mine", "127.0.0.1:8170", kill_others=True), user="hero")
    box.wait_state("mine", "running", 10, user="hero")
    assert not lives(box, pid)
    box.hero("stop", "mine", user="hero")
    pid = stranger(box, "roots", "127.0.0.1:8170")
    box.hero("start", "mine", user="hero", check=False)
    assert lives(box, pid) and box.http(8170)[0] == 200
    said = box.hero("why", "mine", user="hero", check=False).stdout
    assert "kill_others: port 8170 is held by a process that cannot be seen from here, and is left to it" in said, said
    box.systemctl("stop", "roots")
    box.hero("remove", "mine", user="hero")
    box.stop_server(user="hero")
