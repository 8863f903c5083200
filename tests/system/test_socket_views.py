# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sockets in a network or a file system that a service has for itself, queues that stand still, and paths that lead
elsewhere: each judged by what is there, and nothing sent to anybody but the service."""

from __future__ import annotations

import json

from box import REPOSITORY
from herodemo import faults_file, probe, reasons, service, set_faults, socket_path, status

SERVER = str(REPOSITORY / "tests/fixture/socket_server.py")
NEVER = {"policy": "never"}


def prepare(box):
    box.start_server()


def private(box, name: str, path: str, **systemd) -> dict:
    """A service of one herodemo_server on that absolute path."""
    return {**service(box, name, probes=[probe(socket=path)], systemd=systemd, restart=NEVER), "sockets": [path],
            "exec": [box.fixture("herodemo_server"), "--name", name, "--socket", path, "--ready", "notify",
                     "--faults", faults_file(name)]}


def break_and_mend(box, name: str, path: str, seen_at, write_faults) -> None:
    """Serving, handler dead, serving again, listener closed: held against requests of the test's own."""
    unit = f"hero-{name}.service"
    box.wait_state(name, "running", 10)
    pid = box.main_pid(unit)
    assert box.http(seen_at(pid), "/api/files")[0] == 200
    seen = status(box, name)["sockets"][0]
    assert (seen["state"], seen["listener_pid"], seen["seen_at"]) == ("alive", pid, seen_at(pid)), seen
    write_faults("/api/files close")
    box.wait_state(name, "failed", 5)
    assert reasons(box, name)[0][:2] == ("probe-failed", "files") and box.http(seen_at(pid), "/api/files")[0] is None
    write_faults("")
    box.wait_state(name, "running", 5)
    write_faults(f"close-listener {path}")
    box.wait_state(name, "failed", 5)
    assert reasons(box, name)[0][:2] == ("socket-no-listener", path), reasons(box, name)
    assert box.http(seen_at(pid), "/api/files")[0] is None and box.cgroup_pids(unit) == [pid], "the process lives on"
    box.hero("remove", name)


def test_a_service_with_a_network_of_its_own_is_judged_by_its_file(box):
    path = socket_path("alone")
    box.apply(private(box, "alone", path, PrivateNetwork=True))
    box.wait_state("alone", "running", 10)
    assert box.output("ss", "-Hxl", "src", path) == "", "the kernel does not show it here"
    break_and_mend(box, "alone", path, lambda pid: path, lambda line: set_faults(box, "alone", line))


def test_a_service_with_a_tmp_of_its_own_is_looked_for_in_there(box):
    path = "/tmp/own.sock"
    box.apply(private(box, "tmp", path, PrivateTmp=True))
    box.wait_state("tmp", "running", 10)
    assert box.run(["test", "-e", path], check=False).returncode != 0
    break_and_mend(box, "tmp", path, lambda pid: f"/proc/{pid}/root{path}", lambda line: set_faults(box, "tmp", line))


def test_what_is_at_that_path_for_others_is_none_of_its_business(box):
    path = "/tmp/both.sock"
    box.run(["systemd-run", "--quiet", "--unit=outside", "-p", "Type=notify", "-p", "NotifyAccess=all",
             box.fixture("herodemo_server"), "--socket", path, "--ready", "notify"])
    box.apply(private(box, "both", path, PrivateTmp=True))
    break_and_mend(box, "both", path, lambda pid: f"/proc/{pid}/root{path}", lambda line: set_faults(box, "both", line))
    assert box.http(path, "/health")[0] == 200
    box.systemctl("stop", "outside")


def test_a_service_with_a_network_and_a_tmp_of_its_own_is_seen(box):
    path = "/tmp/hidden.sock"
    box.apply(private(box, "hidden", path, PrivateTmp=True, PrivateNetwork=True))
    break_and_mend(box, "hidden", path, lambda pid: f"/proc/{pid}/root{path}",
                   lambda line: set_faults(box, "hidden", line))


def test_a_service_with_a_root_of_its_own_is_looked_for_in_there(box):
    box.run(["sh", "-c", "mkdir -p /srv/root && mount --bind / /srv/root && mkdir -p /srv/in"])
    box.run(["mount", "--bind", str(REPOSITORY), f"/srv/root{REPOSITORY}"])  # where the fixture is, if that is not on /
    path = "/srv/in/rooted.sock"
    definition = private(box, "rooted", path, RootDirectory="/srv/root")
    definition["exec"] = [word.replace("/run/rooted.faults", "/srv/in/rooted.faults") for word in definition["exec"]]
    box.apply(definition)
    box.wait_state("rooted", "running", 10)
    pid = box.main_pid("hero-rooted.service")
    seen = status(box, "rooted")["sockets"][0]
    assert (seen["state"], seen["listener_pid"]) == ("alive", pid), seen
    assert box.http(path, "/api/files")[0] == 200, "the same file, by the same path, for others"
    break_and_mend(box, "rooted", path, lambda pid: path, lambda line: box.write_file("/srv/in/rooted.faults", f"{line}\n"))
    box.run(["umount", "--recursive", "/srv/root"])


# Queues

def knock(path: str, n: int) -> int:
    """For the agent: so many clients that wait; they stay until the agent is gone. How many got a place."""
    import errno  # pylint: disable=import-outside-toplevel,unused-import
    waiting = getattr(socket, "waiting", [])  # noqa: F821
    socket.waiting = waiting  # noqa: F821
    got = 0
    for _ in range(n):
        client = socket.socket(socket.AF_UNIX)  # noqa: F821
        client.setblocking(False)
        got += client.connect_ex(path) == 0
        waiting.append(client)
    return got


def waiting(box, path: str) -> int:
    """The connections in the queue, as ss(8) says."""
    return int(box.output("ss", "-Hxl", "src", path).split()[2])


def test_a_service_that_is_stopped_by_a_signal_shows_before_a_probe_has_timed_out(box):
    """Two wait in a queue of 128: degraded after a second; the queue full: failed. And well again once it is taken from."""
    path = socket_path("halted")
    box.apply(service(box, "halted", probes=[probe(interval_ms=60000, timeout_ms=30000)]))
    box.wait_state("halted", "running", 10)
    pid = box.main_pid("hero-halted.service")
    box.run(["kill", "-STOP", str(pid)])
    assert box.agent.call(knock, path, 2) == 2 and waiting(box, path) == 2
    box.wait_state("halted", "degraded", 5)
    assert reasons(box, "halted")[0] == ("socket-not-accepting", path, "rpc.sock: 2 connections wait, and none is accepted")
    assert box.agent.call(knock, path, 200) == 127 and waiting(box, path) == 129
    box.wait_state("halted", "failed", 5)
    assert reasons(box, "halted")[0][0] == "socket-not-accepting"
    assert status(box, "halted")["probes"][0]["failures"] == 0, "no probe had to time out for that"
    box.run(["kill", "-CONT", str(pid)])
    box.wait_for(lambda: waiting(box, path) == 0, 10, "the queue is empty")
    box.wait_state("halted", "running", 5)
    assert box.main_pid("hero-halted.service") == pid
    box.hero("remove", "halted")


def test_a_server_that_never_accepts_is_failed_although_its_queue_has_room(box):
    box.apply({"name": "deaf", "on_unhealthy": "report", "sockets": ["rpc.sock"], "exec": [
        SERVER, "--never-accept", socket_path("deaf")]})
    box.wait_state("deaf", "running", 10)
    assert box.agent.call(knock, socket_path("deaf"), 1) == 1
    box.wait_state("deaf", "degraded", 5)
    assert reasons(box, "deaf")[0][2] == "rpc.sock: 1 connection waits, and none is accepted"
    box.wait_state("deaf", "failed", 15)
    box.hero("remove", "deaf")


# Paths that lead elsewhere

def victim(box, name: str, **fields) -> dict:
    return {"name": name, "on_unhealthy": "report", "sockets": ["rpc.sock"], "restart": NEVER,
            "probes": [probe("own", "/of-the-victim", interval_ms=1000)],
            "exec": [SERVER, socket_path(name), "--log", f"/var/tmp/{name}.log", *fields.pop("options", [])], **fields}


def swap_for_a_while(box, name: str, target: str, n: int, *options: str, shows=lambda row: True, **fields) -> tuple[list[str], dict]:
    """What the victim was sent while another service put the victim's socket in its own one's place so many times."""
    count = f"/run/hero/{name}/count"
    probes = [probe(f"p{i}", f"/of-the-swapper/{i}", interval_ms=100, fast_interval_ms=10) for i in range(8)]
    box.apply(victim(box, name, options=["--swap", socket_path(target), "--count", count, *options], probes=probes, **fields))
    box.wait_for(lambda: int(box.run(["cat", count], check=False).stdout or 0) >= n, 60, f"{n} swaps")
    # At any one moment the path may be the service's own again, or be looked at just then.
    row = box.wait_for(lambda: next((row for row in [status(box, name)] if shows(row)), None), 10, "what it has to say")
    box.hero("remove", name)
    return [json.loads(line) for line in box.read_file(f"/var/tmp/{target}.log").splitlines()], row


def test_a_service_that_swaps_its_socket_for_a_link_has_nothing_sent_to_the_other(box):
    box.apply(victim(box, "robbed"))
    box.wait_state("robbed", "running", 10)
    received, row = swap_for_a_while(
        box, "swapper", "robbed", 5000, user="nobody",
        shows=lambda row: row["state"] == "failed" and "is a symbolic link to" in row["reasons"][0]["text"])
    assert [text for text in received if "/of-the-swapper/" in text] == []
    assert any("/of-the-victim" in text for text in received), "its own probes came"
    assert [text for text in received if text == ""] == [], "not even a connection was made"
    assert row["state"] == "failed" and row["reasons"][0]["code"] == "socket-foreign", row["reasons"]
    assert row["reasons"][0]["text"] == "rpc.sock: is a symbolic link to /run/hero/robbed/rpc.sock, which is not followed"
    assert box.states()["robbed"] == "running"
    box.hero("remove", "robbed")


def test_a_service_that_swaps_its_socket_for_another_name_of_the_others_has_nothing_sent_there(box):
    """A hard link is no link to be seen; both services belong to one user, or the kernel would not allow it."""
    box.apply(victim(box, "target"))
    box.wait_state("target", "running", 10)
    received, _ = swap_for_a_while(box, "linker", "target", 2000, "--hard")
    assert [text for text in received if "/of-the-swapper/" in text] == []
    assert len([text for text in received if text == ""]) <= 100, "few connections, closed without a byte"
    box.hero("remove", "target")


def test_a_link_that_root_has_made_on_the_way_is_followed(box):
    """As /var/run is one to /run."""
    assert box.output("readlink", "-f", "/var/run") == "/run"
    box.run(["mkdir", "-p", "/run/by-link"])
    path = "/var/run/by-link/rpc.sock"
    box.apply(private(box, "linked", path))
    box.wait_state("linked", "running", 10)
    assert status(box, "linked")["sockets"][0]["listener_pid"] == box.main_pid("hero-linked.service")
    assert box.http("/run/by-link/rpc.sock", "/api/files")[0] == 200
    box.hero("remove", "linked")
