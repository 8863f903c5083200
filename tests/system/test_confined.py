# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the unit takes from the server must not take anything from a definition: sockets anywhere, of anybody, with any mode.

The other tests run on the same unit. These are about the places and rights that are easily forgotten.
"""

from __future__ import annotations

from box import SERVER_UNIT

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
