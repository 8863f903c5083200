# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the unit takes from the server must not take anything from a definition: sockets anywhere, of anybody, with any mode.

The other tests run on the same unit. These are about the places and rights that are easily forgotten.
"""

from __future__ import annotations

import inspect

from box import SERVER_UNIT
from house import sleeper

SOCKETS = {  # where, whose, and the mode of the folder that it is in
    "tmp": ("/tmp/rpc.sock", "daemon", None), "srv": ("/srv/deep/er/rpc.sock", "daemon", "700"),
    "home": ("/home/hero/rpc.sock", "hero", "700"), "shm": ("/dev/shm/rpc.sock", "daemon", None),
    "var": ("/var/tmp/private/rpc.sock", "daemon", "700"), "roots": ("/root/rpc.sock", None, "700"),
}


def service(box, name, socket, user):
    command = [box.fixture("herodemo_server"), "--name", name, "--socket", socket, "--ready", "notify"]
    return {"name": name, "exec": command, "ready": "notify", "sockets": [socket], "restart": {"policy": "never"},
            "umask": "0177", "on_unhealthy": "report", **({"user": user} if user else {}),
            "probe": {"socket": socket, "path": "/api/files", "interval_ms": 200}}


def test_sockets_may_be_anywhere_and_let_nobody_but_their_user_in(box):
    for path, user, mode in SOCKETS.values():
        folder = path.rsplit("/", 1)[0]
        if mode:
            box.run(["install", "-d", "-m", mode, "-o", user or "root", folder])
    box.apply(*(service(box, name, path, user) for name, (path, user, _) in SOCKETS.items()))
    for name, (path, user, _) in SOCKETS.items():
        box.wait_state(name, "running", 10)
        assert box.output("stat", "-c", "%a %U %F", path) == f"600 {user or 'root'} socket"
        assert box.http(path, "/api/files")[0] == 200


def test_what_a_crash_leaves_there_is_seen_and_goes_at_the_next_start(box):
    for name, (path, _, _) in SOCKETS.items():
        box.run(["kill", "-KILL", str(box.main_pid(f"hero-{name}.service"))])
        box.wait_state(name, "failed", 10)
        assert box.run(["test", "-S", path], check=False).returncode == 0, f"{path} is left"
        assert box.hero("reset-failed", name).returncode == 0, box.journal(SERVER_UNIT)
        box.wait_state(name, "running", 10)
        assert box.http(path, "/api/files")[0] == 200


def test_the_folder_of_sockets_may_be_anywhere(box):
    box.hero("remove", *SOCKETS)
    box.write_file("/etc/systemd/system/hero_proc.service.d/sockets.conf", "[Service]\nEnvironment=HERO_SOCKET_DIR=/srv/sockets\n")
    box.systemctl("daemon-reload")
    box.restart_server()
    box.apply({"name": "moved", "user": "daemon", "exec": [box.fixture("herodemo_server"), "--socket", "/srv/sockets/moved/rpc.sock",
                                                          "--ready", "notify", "--name", "moved"],
               "ready": "notify", "sockets": ["rpc.sock"], "probe": {"socket": "rpc.sock", "path": "/health"}})
    box.wait_state("moved", "running", 10)
    assert box.output("stat", "-c", "%U", "/srv/sockets/moved") == "daemon"
    box.hero("remove", "moved")
    assert box.run(["test", "-e", "/srv/sockets/moved"], check=False).returncode != 0, "its folder goes with it"
    box.run(["rm", "-r", "/etc/systemd/system/hero_proc.service.d"])
    box.systemctl("daemon-reload")
    box.restart_server()


def test_what_is_mounted_after_the_server_came_up_is_seen(box):
    before = box.main_pid(SERVER_UNIT)
    box.run(["mkdir", "-p", "/mnt/late"])
    box.run(["mount", "-t", "tmpfs", "late", "/mnt/late"])
    box.run(["chmod", "1777", "/mnt/late"])
    box.apply(service(box, "late", "/mnt/late/rpc.sock", "daemon"))
    box.wait_state("late", "running", 10)
    assert box.main_pid(SERVER_UNIT) == before
    box.hero("remove", "late")
    box.run(["umount", "/mnt/late"])


def test_the_server_itself_gets_no_further_than_its_unit_says(box):
    pid = box.main_pid(SERVER_UNIT)
    enter = ["nsenter", "-t", str(pid), "-m", "--"]
    for path in ("/usr/bin/x", "/etc/x", "/boot/x", "/home/hero/x", "/proc/sys/kernel/hostname", "/sys/fs/cgroup/x"):
        done = box.run([*enter, "sh", "-c", f": >{path}"], check=False)
        assert done.returncode != 0 and "Read-only" in done.stderr, (path, done)
    assert box.output("readlink", f"/proc/{pid}/ns/net") != box.output("readlink", "/proc/1/ns/net")


# -- what it has others do --

PORT = 8123
TCP = {"name": "tcp", "ports": [PORT], "on_unhealthy": "report", "ready": "notify",
       "probe": {"port": PORT, "path": "/health", "interval_ms": 100, "timeout_ms": 1000}}


def ask(path: str, question: str, descriptor: str | None = None) -> list:
    """For the agent: the error that whoever runs errands at that path answers, and who is at the other end of a connection
    that comes along. `descriptor`: a file that is opened and sent, or the number of a process, for its pidfd."""
    import array, os, socket, struct  # pylint: disable=import-outside-toplevel,multiple-imports
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(5)
        s.connect(path)
        sent = []
        if descriptor:
            fd = os.pidfd_open(int(descriptor)) if descriptor.isdigit() else os.open(descriptor, os.O_RDONLY)
            sent = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
        s.sendmsg([bytes.fromhex(question)], sent)
        if descriptor:
            os.close(fd)
        answer, fds, _, _ = socket.recv_fds(s, 64, 4)
    where = []
    for fd in fds:
        with socket.socket(fileno=fd) as connection:
            where.append(list(connection.getpeername()))
    return [struct.unpack("i", answer)[0] if answer else None, where]


def test_the_dialer_connects_to_loopback_and_for_root_alone(box):
    box.start_server()
    box.apply({**TCP, "exec": [box.fixture("herodemo_server"), "--name", "tcp", "--port", str(PORT), "--ready", "notify"]})
    box.wait_state("tcp", "running", 10)
    path, port, local = "/run/hero_proc/dialer.sock", PORT.to_bytes(4, "little").hex(), "00" * 10 + "ffff7f000001"
    assert box.agent.call(ask, path, local + port) == [0, [["127.0.0.1", PORT]]]
    assert box.agent.call(ask, path, local + "00" * 4)[0] == 22, "no port at all: EINVAL"
    assert box.agent.call(ask, path, "00" * 10 + "ffff0a000001" + port)[0] == 22, "not on loopback: EINVAL"
    refused = box.run(["python3", "-c", f"import socket; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect('{path}')"],
                      check=False, user="hero")
    assert "PermissionError" in refused.stderr, refused
    pid = box.main_pid("hero_proc-dialer.service")
    status = box.read_file(f"/proc/{pid}/status")
    assert "CapEff:\t0000000000000000" in status and "Uid:\t0\t" not in status, status


def test_without_the_dialer_no_service_is_called_failed_and_with_it_all_goes_on(box):
    before = box.main_pid("hero_proc-dialer.service")
    box.run(["kill", "-KILL", str(before)])
    box.wait_for(lambda: box.main_pid("hero_proc-dialer.service") not in (0, before), 5, "it is back by itself")
    box.systemctl("mask", "--runtime", "--now", "hero_proc-dialer.service", "hero_proc-dialer.socket")
    box.wait_for(lambda: "hero_proc_dialer" in box.hero("why", "tcp", check=False).stdout, 10, "it is said who is missing")
    box.wait_state("tcp", "unknown", 20)
    assert box.http(PORT, "/health")[0] == 200, "the service itself is well"
    box.systemctl("unmask", "--runtime", "hero_proc-dialer.service", "hero_proc-dialer.socket")
    box.systemctl("start", "hero_proc-dialer.socket")
    box.wait_state("tcp", "running", 10)
    states = {row["to"] for row in box.hero_json("history", "tcp")}
    assert "failed" not in states and "unknown" in states, states
    box.hero("remove", "tcp")


def test_hands_do_only_what_they_are_for(box):
    box.run(["install", "-d", "/srv/given"])
    box.write_file("/srv/file", "")
    path, daemon = "/run/hero_proc/hands.sock", "0100000001000000ffffffff"
    assert box.agent.call(ask, path, daemon, "/srv/given") == [0, []]
    assert box.output("stat", "-c", "%U %G", "/srv/given") == "daemon root"
    assert box.agent.call(ask, path, daemon, "/srv/file")[0] == 20, "no folder: ENOTDIR"
    assert box.agent.call(ask, path, daemon)[0] == 9, "nothing to do it to: EBADF"
    victim = box.spawn(["sleep", "1000"])
    pid = box.wait_for(lambda: box.run(["pgrep", "-x", "sleep"], check=False).stdout.split(), 5, "it sleeps")[0]
    assert box.agent.call(ask, path, "020000001300000000000000", pid)[0] == 1, "SIGSTOP: EPERM"
    assert box.agent.call(ask, path, "030000000f00000000000000", pid)[0] == 95, "no such verb: EOPNOTSUPP"
    assert box.agent.call(ask, path, "020000000f00000000000000", pid) == [0, []]
    assert victim.wait(5) != 0
    source = inspect.getsource(ask) + f"print(ask({path!r}, {daemon!r}, '/usr/share')[0])"
    server = ["nsenter", "-t", str(box.main_pid(SERVER_UNIT)), "-m", "--"]
    assert box.output(*server, "python3", "-c", source) == "30", "read-only to the server: EROFS"
    status = box.read_file(f"/proc/{box.main_pid('hero_proc-hands.service')}/status")
    assert f"CapEff:\t{1 << 0 | 1 << 5:016x}" in status and "Uid:\t0\t" not in status, status


def test_a_folder_that_could_not_be_given_away_is_when_it_can(box):
    box.systemctl("mask", "--runtime", "--now", "hero_proc-hands.service", "hero_proc-hands.socket")
    command = [box.fixture("herodemo_server"), "--name", "given", "--socket", "/run/hero/given/rpc.sock", "--ready", "notify"]
    box.apply({"name": "given", "user": "daemon", "exec": command, "ready": "notify", "sockets": ["rpc.sock"],
               "restart": {"policy": "never"}}, check=False)
    box.wait_state("given", "failed", 10)
    assert "cannot be given to its user" in box.journal(SERVER_UNIT)
    box.systemctl("unmask", "--runtime", "hero_proc-hands.service", "hero_proc-hands.socket")
    box.systemctl("start", "hero_proc-hands.socket")
    box.hero("start", "given")
    box.wait_state("given", "running", 10)
    assert box.output("stat", "-c", "%U", "/run/hero/given") == "daemon"
    box.hero("remove", "given")


def test_with_the_server_all_of_them_stop_and_start(box):
    parts = [f"hero_proc-{part}" for part in ("diag.socket", "dialer.socket", "dialer.service", "hands.socket", "hands.service")]

    def states():
        return {part: box.unit_property(part, "ActiveState") for part in parts}

    assert set(states().values()) == {"active"}, states()
    box.stop_server()
    box.wait_for(lambda: set(states().values()) == {"inactive"}, 10, "none is left")
    box.start_server()
    box.apply(sleeper("still"))
    box.wait_state("still", "running", 10)
    assert states()["hero_proc-diag.socket"] == states()["hero_proc-hands.socket"] == "active", states()
