# SPDX-License-Identifier: LGPL-2.1-or-later
"""A declared TCP port is alive when somebody listens on it, within reach of this machine, and it is the service."""

from __future__ import annotations

import re
import time
from statistics import median

from box import REPOSITORY, SERVER_UNIT
from herodemo import reasons, states_of_the_next_server, status

NOTICED = 0.1  # seconds
SERVER = str(REPOSITORY / "tests/fixture/port_server.py")
NEVER = {"policy": "never"}


def prepare(box):
    box.start_server()


def server(name: str, port: int, *options: str, address: str = "127.0.0.1", **fields) -> dict:
    return {"name": name, "on_unhealthy": "report", "exec": [SERVER, *options, f"{address}:{port}"], "ports": [port],
            "restart": NEVER, **fields}


def stranger(box, unit: str, *arguments: str, **options) -> int:
    """A server of somebody else's, up and listening; its PID."""
    box.run(["systemd-run", "--quiet", f"--unit={unit}", SERVER, *arguments], **options)
    box.wait_for(lambda: "listening" in box.journal(unit), 10, f"{unit} listens")
    return box.main_pid(unit)


def listeners(box, port: int) -> set[int]:
    """The PIDs that have a listener on the port open, as ss(8) says."""
    said = box.output("ss", "-Hltnp", f"sport = :{port}")
    return {int(pid) for pid in re.findall(r"pid=(\d+)", said)}


def port_of(box, name: str) -> dict:
    return status(box, name)["ports"][0]


def test_a_port_that_the_service_listens_on_is_alive_whatever_its_address(box):
    for n, address in enumerate(("127.0.0.1", "0.0.0.0", "[::1]", "[::]", "[::6]", "127.0.0.2")):
        name, port = f"up{n}", 8000 + n
        box.apply(server(name, port, address=address))
        box.wait_state(name, "running", 10)
        seen = port_of(box, name)
        assert (seen["port"], seen["state"], seen["listener_unit"]) == (port, "alive", f"hero-{name}.service"), seen
        assert listeners(box, port) == {seen["listener_pid"]} == set(box.cgroup_pids(f"hero-{name}.service"))
        assert seen["listener_command"] == box.output("cat", f"/proc/{seen['listener_pid']}/comm")
    text = box.hero("status", "up0").stdout
    assert re.search(r"Port: 8000: alive, PID \d+ \(port_server.py\) in hero-up0.service\n", text), text
    box.hero("remove", *(f"up{n}" for n in range(6)))


def close_and_watch(name: str, pid: int) -> dict:
    """For the agent: when the service is shown as failed after its server was told to close the listeners."""
    with StateChanges(name) as changes:  # noqa: F821
        began = time.monotonic()  # noqa: F821
        os.kill(pid, signal.SIGUSR1)  # noqa: F821
        seen = changes.until("failed", 5)  # by way of "unknown" where the server was held up
    assert seen and seen[-1]["new"] == "failed", seen
    return {**seen[-1], "after": seen[-1]["at"] - began}


def test_a_closed_listener_shows_in_100_ms_although_its_process_lives(box):
    """The median of five: the machine of the test may be busy for a moment."""
    box.apply(server("closes", 8010))
    seen = []
    for _ in range(5):
        box.wait_state("closes", "running", 10)
        pid = box.main_pid("hero-closes.service")
        seen.append(box.agent.call(close_and_watch, "closes", pid))
        assert box.cgroup_pids("hero-closes.service") == [pid], "the process lives on"
        assert listeners(box, 8010) == set()
        assert reasons(box, "closes") == [("socket-missing", "port 8010", "port 8010: nobody listens")]
        box.hero("restart", "closes")
    print(f"a closed TCP listener shows after {1000 * median(change['after'] for change in seen):.0f} ms "
          f"(of five: {', '.join(format(1000 * change['after'], '.0f') for change in seen)})")
    assert median(change["after"] for change in seen) <= NOTICED, [change["after"] for change in seen]
    assert {change["reason"] for change in seen} == {"socket-missing"}, seen
    box.hero("remove", "closes")


def die_and_watch(name: str, pid: int) -> list[dict]:
    """For the agent: what is shown in the second after a process was killed."""
    with StateChanges(name) as changes:  # noqa: F821
        os.kill(pid, signal.SIGKILL)  # noqa: F821
        return changes.until("", 1)


def test_a_death_is_told_as_a_death_and_not_as_a_port_that_nobody_listens_on(box):
    box.apply(server("dies", 8011))
    for _ in range(5):
        box.hero("start", "dies")
        box.wait_state("dies", "running", 10)
        seen = box.agent.call(die_and_watch, "dies", box.main_pid("hero-dies.service"))
        assert [(change["new"], change["reason"]) for change in seen if change["new"] != "unknown"] == [
            ("failed", "process-died")], seen
    box.hero("remove", "dies")


def test_a_stranger_on_the_port_is_named_and_keeps_it(box):
    pid = stranger(box, "intruder", "127.0.0.1:8012")
    box.apply(server("robbed", 8012), check=False)
    box.wait_state("robbed", "failed", 10)
    assert listeners(box, 8012) == {pid}
    text = f"port 8012: held by PID {pid} (port_server.py) of intruder.service"
    assert ("socket-foreign", "port 8012", text) in reasons(box, "robbed")
    seen = port_of(box, "robbed")
    assert (seen["state"], seen["listener_pid"], seen["listener_unit"]) == ("foreign", pid, "intruder.service")
    assert "ss -ltnp 'sport = :8012'" in box.hero("why", "robbed", check=False).stdout
    box.systemctl("stop", "intruder")
    box.hero("start", "robbed")
    assert box.states()["robbed"] == "running"
    box.hero("remove", "robbed")


def test_a_probe_asks_the_service_where_it_listens(box):
    """On 127.0.0.1 nobody would answer for most of these, or somebody else."""
    addresses = ("127.0.0.1", "[::1]", "[::6]", "[::]", "127.0.0.2", "0.0.0.0")
    box.apply(*(server(f"asked{n}", 8080 + n, address=address, probe={
        "port": 8080 + n, "path": "/", "interval_ms": 100, "timeout_ms": 300}) for n, address in enumerate(addresses)))
    for n, address in enumerate(addresses):
        box.wait_state(f"asked{n}", "running", 10)
        assert "asked" in box.journal(f"hero-asked{n}.service"), address
    stranger(box, "neighbour", "127.0.0.9:8084")  # one that may have the same port
    box.hero("restart", "asked4")
    assert box.states()["asked4"] == "running"
    # What a person is told to type gets an answer as well.
    box.run(["kill", "-STOP", str(box.main_pid("hero-asked1.service"))])
    box.wait_state("asked1", "failed", 20)
    command = re.search(r"curl -i (\S+)", box.hero("why", "asked1", check=False).stdout)
    assert command and command[1] == "http://[::1]:8081/", box.hero("why", "asked1", check=False).stdout
    box.run(["kill", "-CONT", str(box.main_pid("hero-asked1.service"))])
    box.wait_state("asked1", "running", 20)
    assert box.journal("neighbour").count("asked") == 0
    box.systemctl("stop", "neighbour")
    box.hero("remove", *(f"asked{n}" for n in range(len(addresses))))


def test_a_stranger_on_the_port_is_asked_nothing(box):
    """A probe may hold what is for the service alone. The sweep needs a moment to see him; then there is silence."""
    probe = {"name": "secret", "port": 8024, "path": "/", "method": "POST", "body": "secret", "interval_ms": 100}
    box.apply(server("private", 8024, probe=probe))
    box.wait_state("private", "running", 10)
    box.run(["kill", "-USR1", str(box.main_pid("hero-private.service"))])
    box.wait_for(lambda: port_of(box, "private")["state"] == "missing", 5, "it has closed its listener")
    pid = stranger(box, "curious", "127.0.0.1:8024")
    box.wait_for(lambda: port_of(box, "private")["state"] == "foreign", 5, "he is seen")
    asked = box.journal("curious").count("asked")
    box.wait_for(lambda: status(box, "private")["probes"][0]["last_error"] ==
                 f"not asked: its port is held by PID {pid} (port_server.py)", 5, "the probe says why")
    checked = status(box, "private")["probes"][0]["checked_usec"]
    box.wait_for(lambda: status(box, "private")["probes"][0]["checked_usec"] > checked + 500000, 10, "its time comes")
    assert box.journal("curious").count("asked") == asked <= 1
    assert reasons(box, "private")[0][0] == "socket-foreign"
    box.systemctl("stop", "curious")
    box.hero("restart", "private")
    assert box.states()["private"] == "running" and "asked" in box.journal("hero-private.service")
    box.hero("remove", "private")


def test_who_has_a_port_is_looked_for_again_once_there_is_a_descriptor_for_that(box):
    box.apply(server("closed", 8028))
    box.wait_state("closed", "running", 10)
    box.run(["kill", "-USR1", str(box.main_pid("hero-closed.service"))])
    box.wait_for(lambda: port_of(box, "closed")["state"] == "missing", 5, "it has closed its listener")
    hero_proc = box.main_pid(SERVER_UNIT)
    box.run(["prlimit", f"--pid={hero_proc}", "--nofile=3:"])
    try:
        pid = stranger(box, "unseen", "127.0.0.1:8028")
        time.sleep(0.5)  # the span is what is tested: ten sweeps
    finally:
        box.run(["prlimit", f"--pid={hero_proc}", "--nofile=1024:"])
    box.wait_for(lambda: port_of(box, "closed")["listener_pid"] == pid, 5, "he is found")
    assert port_of(box, "closed")["state"] == "foreign"
    box.systemctl("stop", "unseen")
    box.hero("remove", "closed")


def test_a_stranger_who_shares_the_port_is_told_since_he_gets_a_part_of_the_connections(box):
    box.apply(server("shared", 8013, "--share"))
    box.wait_state("shared", "running", 10)
    pid = stranger(box, "sharer", "--share", "127.0.0.1:8013")
    box.wait_state("shared", "failed", 5)
    assert reasons(box, "shared")[0][0] == "socket-foreign" and port_of(box, "shared")["listener_pid"] == pid
    box.systemctl("stop", "sharer")
    box.wait_state("shared", "running", 5)
    box.hero("remove", "shared")


def test_a_stranger_on_an_address_that_no_local_client_reaches_is_no_ones_business(box):
    stranger(box, "neighbour", "127.0.0.3:8014")
    box.apply(server("beside", 8014))
    box.wait_state("beside", "running", 10)
    box.run(["kill", "-USR1", str(box.main_pid("hero-beside.service"))])
    box.wait_state("beside", "failed", 5)
    assert reasons(box, "beside") == [("socket-missing", "port 8014", "port 8014: nobody listens")]
    box.systemctl("stop", "neighbour")
    box.hero("remove", "beside")


def test_a_listener_that_a_lost_child_inherited_is_a_strangers(box):
    """Its socket was made in the unit's own cgroup, which is gone: only its process tells where it belongs."""
    box.apply(server("lost", 8015, "--leave", "/sys/fs/cgroup/astray"), check=False)
    box.wait_state("lost", "failed", 10)
    pid, = listeners(box, 8015)
    assert pid not in box.cgroup_pids("hero-lost.service") and box.http(8015)[0] == 200
    box.wait_for(lambda: ("socket-foreign", "port 8015", f"port 8015: held by PID {pid} (port_server.py) of no unit") in
                 reasons(box, "lost"), 5, "it is told")
    box.run(["kill", str(pid)])
    box.wait_for(lambda: port_of(box, "lost")["state"] == "missing", 5, "it is gone")
    box.run(["rmdir", "/sys/fs/cgroup/astray"])
    box.hero("remove", "lost")


def test_a_listener_of_systemd_is_the_services_when_it_was_passed_on(box):
    """A .socket unit listens; with Service= systemd passes that to the service, else it is one more stranger."""
    for name, port, options in (("passed", 8020, "Service=hero-passed.service\n"), ("kept", 8021, "")):
        box.apply(server(name, port, autostart=False) | {"exec": [SERVER, "passed:" if options else f"127.0.0.1:{port}"]})
        box.write_file(f"/run/systemd/system/{name}.socket", f"[Socket]\nListenStream=127.0.0.1:{port}\n{options}")
    box.write_file("/run/systemd/system/kept.service", "[Service]\nExecStart=/bin/sleep infinity\n")
    box.systemctl("daemon-reload")
    box.systemctl("start", "passed.socket", "kept.socket")
    box.hero("start", "passed")
    box.hero("start", "kept", check=False)
    assert listeners(box, 8020) == {1, box.main_pid("hero-passed.service")}
    assert box.states()["passed"] == "running" and port_of(box, "passed")["listener_pid"] != 1
    assert ("socket-foreign", "port 8021", "port 8021: held by PID 1 (systemd) of init.scope") in reasons(box, "kept")
    box.systemctl("stop", "passed.socket", "kept.socket")
    box.hero("remove", "passed", "kept")


def test_the_first_probe_comes_when_the_listener_does(box):
    """With a minute between probes, a clock would not bring it."""
    probe = {"port": 8016, "path": "/", "interval_ms": 60000}
    box.apply(server("late", 8016, "--late", "1.5", probe=probe))
    assert box.states()["late"] == "starting"
    assert reasons(box, "late")[0] == ("socket-missing", "port 8016", "port 8016: nobody listens")
    box.wait_for(lambda: listeners(box, 8016), 10, "it listens")
    box.wait_state("late", "running", 1)
    box.hero("remove", "late")


def fill_queue(box, port: int):
    """By clients that come and wait; the process that has them."""
    return box.spawn(["/usr/bin/python3", "-c", "import socket, time\n"
                      "clients = [socket.socket() for _ in range(8)]\n"
                      "for client in clients:\n"
                      "    client.setblocking(False)\n"
                      f"    client.connect_ex(('127.0.0.1', {port}))\n"
                      "time.sleep(60)"])


def test_a_server_that_accepts_nothing_is_failed_before_any_probe_says_so(box):
    box.apply(server("deaf", 8017, "--deaf", "--backlog", "2"))
    box.wait_state("deaf", "running", 10)
    holder = fill_queue(box, 8017)
    box.wait_state("deaf", "failed", 10)
    code, subject, text = reasons(box, "deaf")[0]
    assert (code, subject) == ("socket-not-accepting", "port 8017"), (code, subject, text)
    assert text == "port 8017: 3 connections wait, and none is accepted"
    assert box.unit_property("hero-deaf.service", "ActiveState") == "active"
    holder.kill()
    box.hero("remove", "deaf")


def test_the_next_server_does_not_call_running_whose_queue_it_finds_full(box):
    box.apply(server("stuffed", 8077, "--deaf", "--backlog", "2", start_timeout_ms=1000))
    box.wait_state("stuffed", "running", 10)
    holder = fill_queue(box, 8077)
    box.wait_state("stuffed", "failed", 10)
    assert box.agent.call(states_of_the_next_server, "stuffed", box.main_pid(SERVER_UNIT)) == ["unknown", "failed"]
    holder.kill()
    box.hero("remove", "stuffed")


def listeners_in_network_of(box, pid: int, port: int) -> set[int]:
    said = box.output("nsenter", "-t", str(pid), "-n", "ss", "-Hltnp", f"sport = :{port}")
    return {int(one) for one in re.findall(r"pid=(\d+)", said)}


def test_a_service_with_a_network_of_its_own_is_looked_for_in_there(box):
    """Who listens on the same port outside is no concern of it, and not ended for it."""
    outside = stranger(box, "outside", "127.0.0.1:8018")
    box.apply(server("apart", 8018, systemd={"PrivateNetwork": True}, kill_others=True))
    box.wait_state("apart", "running", 10)
    pid = box.main_pid("hero-apart.service")
    assert listeners(box, 8018) == {outside} and listeners_in_network_of(box, pid, 8018) == {pid}
    assert (port_of(box, "apart")["state"], port_of(box, "apart")["listener_pid"]) == ("alive", pid)
    box.run(["kill", "-USR1", str(pid)])
    box.wait_state("apart", "failed", 5)
    assert reasons(box, "apart") == [("socket-missing", "port 8018", "port 8018: nobody listens")]
    before = box.agent.call("footprint", box.main_pid("hero_proc.service"))["fds"]
    for _ in range(3):
        box.hero("restart", "apart")
        assert box.states()["apart"] == "running"
    assert box.agent.call("footprint", box.main_pid("hero_proc.service"))["fds"] == before
    assert box.main_pid("outside") == outside
    box.systemctl("stop", "outside")
    box.hero("remove", "apart")


def test_a_process_that_goes_into_another_network_after_its_start_is_followed(box):
    box.apply(server("goes", 8022) | {"exec": ["/bin/sh", "-c", "sleep 0.5; exec unshare -n sh -c 'ip link set lo up; "
                                               f"exec {SERVER} 127.0.0.1:8022'"]})
    box.wait_state("goes", "running", 10)
    pid = box.main_pid("hero-goes.service")
    assert listeners(box, 8022) == set() and listeners_in_network_of(box, pid, 8022) == {pid}
    box.hero("remove", "goes")


def test_a_users_server_looks_into_the_networks_of_its_services_too(box):
    box.start_server(user="hero")
    inside = f"ip link set lo up; exec {SERVER} 127.0.0.1:8023"
    box.apply(server("hidden", 8023) | {"exec": ["/usr/bin/unshare", "-rn", "sh", "-c", inside]}, user="hero")
    box.wait_state("hidden", "running", 10, user="hero")
    pid = box.main_pid("hero-hidden.service", user="hero")
    assert listeners(box, 8023) == set() and listeners_in_network_of(box, pid, 8023) == {pid}
    port = box.hero_json("status", "hidden", user="hero")[0]["ports"][0]
    assert (port["state"], port["listener_pid"]) == ("alive", pid)
    box.run(["kill", "-USR1", str(pid)])
    box.wait_state("hidden", "failed", 5, user="hero")
    box.hero("remove", "hidden", user="hero")
    box.stop_server(user="hero")


def test_a_server_of_a_user_finds_its_own_listeners_and_tells_of_others(box):
    box.start_server(user="hero")
    box.apply(server("mine", 8019), user="hero")
    box.wait_state("mine", "running", 10, user="hero")
    row = box.hero_json("status", "mine", user="hero")[0]
    assert listeners(box, 8019) == {row["ports"][0]["listener_pid"]}
    assert row["ports"][0]["listener_unit"] == "hero-mine.service"
    box.hero("stop", "mine", user="hero")
    stranger(box, "roots", "127.0.0.1:8019")
    box.hero("start", "mine", user="hero", check=False)
    row = box.hero_json("status", "mine", user="hero")[0]
    foreign = [reason["text"] for reason in row["reasons"] if reason["code"] == "socket-foreign"]
    assert foreign == ["port 8019: held by a process of user 0, which cannot be seen from here"], row["reasons"]
    box.systemctl("stop", "roots")
    box.hero("remove", "mine", user="hero")
    box.stop_server(user="hero")
