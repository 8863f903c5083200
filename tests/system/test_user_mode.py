# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a user's own server sees and heals, with no more rights than the user has."""

from __future__ import annotations

import re

from box import REPOSITORY

USER = "hero"
SERVER = str(REPOSITORY / "tests/fixture/socket_server.py")
PROBE = {"name": "files", "path": "/api/files", "socket": "rpc.sock", "interval_ms": 100, "timeout_ms": 300, "fast_interval_ms": 20,
         "failures": 2}
RULE = {"delay_ms": 100, "max_delay_ms": 400, "max_attempts": 3, "window_ms": 600000}


def prepare(box):
    # Of the restarts of a test most would be put off for the sake of the machine.
    folder = f"{box.output('sh', '-c', 'echo $HOME', user=USER)}/.config/systemd/user/hero_proc.service.d"
    start = box.unit_properties("hero_proc.service", USER)["ExecStart"]
    program = re.search(r"argv\[\]=(.*?) ;", start)[1]
    box.write_file(f"{folder}/limit.conf", f"[Service]\nExecStart=\nExecStart={program} --restart-limit=0\n", user=USER)
    box.systemctl("daemon-reload", user=USER)
    box.start_server(USER)


def path_of(box, name: str) -> str:
    return f"/run/user/{box.output('id', '-u', user=USER)}/hero/{name}/rpc.sock"


def unit_of(name: str) -> str:
    return f"hero-{name}.service"


def service(box, name: str, **fields) -> dict:
    return {"name": name, "sockets": ["rpc.sock"], "ready": "notify", "start_timeout_ms": 500, "restart": RULE, "probe": PROBE,
            "exec": [box.fixture("herodemo_server"), "--name", name, "--faults", f"/tmp/{name}.faults", "--ready", "notify",
                     "--socket", path_of(box, name)], **fields}


def break_handler(box, name: str) -> None:
    box.write_file(f"/tmp/{name}.faults", "/api/files close\n", user=USER)


def status(box, name: str) -> dict:
    return box.hero_json("status", name, user=USER)[0]


def remove(box, *names: str) -> None:
    box.hero("remove", *names, user=USER)
    box.run(["rm", "-f", *(f"/tmp/{name}.faults" for name in names)])


def test_a_dead_handler_is_healed_and_nothing_else_is_touched(box):
    box.apply(service(box, "ill", on_unhealthy="restart"), service(box, "bystander", on_unhealthy="restart"), user=USER)
    for name in ("ill", "bystander"):
        box.wait_state(name, "running", 10, USER)
    before = {name: box.invocation_id(unit_of(name), USER) for name in ("ill", "bystander")}
    break_handler(box, "ill")
    box.wait_for(lambda: box.invocation_id(unit_of("ill"), USER) != before["ill"], 10, "it is restarted")
    box.run(["rm", "/tmp/ill.faults"])
    box.wait_state("ill", "running", 10, USER)
    assert box.http(path_of(box, "ill"), "/api/files")[0] == 200
    assert box.invocation_id(unit_of("bystander"), USER) == before["bystander"]
    remove(box, "ill", "bystander")


def test_a_persons_stop_ends_healing(box):
    box.apply(service(box, "ill", on_unhealthy="restart"), user=USER)
    for stop in (lambda: box.hero("stop", "ill", user=USER), lambda: box.systemctl("stop", unit_of("ill"), user=USER)):
        box.run(["rm", "-f", "/tmp/ill.faults"])
        box.hero("start", "ill", user=USER)
        box.wait_state("ill", "running", 10, USER)
        break_handler(box, "ill")
        box.wait_for(lambda: status(box, "ill")["state"] != "running", 10, "the handler's death shows")
        stop()
        box.wait_state("ill", "stopped", 10, USER)
        assert status(box, "ill")["wanted"] == "down"
        box.hero("reset-failed", user=USER)
        assert box.cgroup_pids(unit_of("ill"), USER) == []
    remove(box, "ill")


def test_a_socket_that_vanishes_is_told_and_report_restarts_nothing(box):
    box.apply(service(box, "lost", on_unhealthy="report"), user=USER)
    box.wait_state("lost", "running", 10, USER)
    pid = box.main_pid(unit_of("lost"), USER)
    assert status(box, "lost")["sockets"][0]["listener_pid"] == pid
    box.run(["rm", path_of(box, "lost")], user=USER)
    box.wait_state("lost", "failed", 5, USER)
    assert status(box, "lost")["reasons"][0]["code"] == "socket-unlinked"
    assert box.cgroup_pids(unit_of("lost"), USER) == [pid]
    remove(box, "lost")


def rob(box, path: str, user: str | None) -> tuple[int, list[dict]]:
    """A service finds that somebody listens where it is to listen: his PID, and what is said of him. He is left alone."""
    box.run(["mkdir", "-p", path.removesuffix("/rpc.sock")], user=USER)
    box.run(["systemd-run", *(["--user"] if user else []), "--quiet", "--unit=robber", SERVER, path], user=user)
    box.wait_for(lambda: box.run(["test", "-S", path], check=False).returncode == 0, 10, "he listens")
    pid = box.main_pid("robber.service", user)
    box.apply({**service(box, "robbed", on_unhealthy="report"), "exec": [SERVER, path], "ready": "exec", "restart": {"policy": "never"}},
              user=USER, check=False)
    box.wait_state("robbed", "failed", 10, USER)
    said = status(box, "robbed")["reasons"]
    assert box.main_pid("robber.service", user) == pid != 0
    remove(box, "robbed")
    box.systemctl("stop", "robber", user=user)
    box.run(["rm", "-f", path])
    return pid, said


def test_a_stranger_of_the_same_user_is_named(box):
    pid, said = rob(box, path_of(box, "robbed"), USER)
    assert said[0]["code"] == "socket-foreign", said
    assert said[0]["text"] == f"rpc.sock: held by PID {pid} (socket_server.p) of robber.service"


def test_a_stranger_whom_the_user_may_not_look_at_is_never_taken_for_the_service(box):
    _, said = rob(box, path_of(box, "robbed"), None)
    assert said[0] == {"code": "process-died", "subject": "main", "text": "process exited with status 98"}, said
    assert "rpc.sock: somebody listens, and whose it is cannot be told" in [reason["text"] for reason in said]


def test_the_users_server_may_have_as_many_sockets_in_view_as_the_machines(box):
    """Each takes a descriptor, and systemd gives a user's processes 1024."""
    limits = box.read_file(f"/proc/{box.main_pid('hero_proc.service', USER)}/limits")
    assert re.search(r"^Max open files +(\d+)", limits, re.MULTILINE)[1] == "16384", limits


def test_what_a_user_is_told_to_type_is_for_the_users_own_manager(box):
    box.apply({"name": "crashing", "exec": "exit 7", "restart": {"policy": "never"}}, user=USER, check=False)
    box.wait_state("crashing", "failed", 10, USER)
    commands = box.hero_json("why", "crashing", user=USER)["commands"]
    assert commands == ["systemctl --user status hero-crashing.service", "hero_proc --user logs crashing",
                        "hero_proc --user reset-failed crashing"], commands
    assert "hero-crashing.service" in box.run(commands[0].split(), user=USER, check=False).stdout
    box.hero("stop", "crashing", user=USER)
    box.wait_state("crashing", "stopped", 10, USER)
    assert box.hero_json("why", "crashing", user=USER)["commands"] == ["hero_proc --user start crashing"]
    remove(box, "crashing")


def test_restarts_that_are_used_up_are_nothing_to_ask_systemd_about(box):
    box.apply(service(box, "worn", on_unhealthy="restart", restart={**RULE, "max_attempts": 1}), user=USER)
    box.wait_state("worn", "running", 10, USER)
    break_handler(box, "worn")
    told = box.wait_for(lambda: (t := box.hero_json("why", "worn", user=USER))["reasons"] and
                        t["reasons"][0]["code"] == "restart-budget" and t, 20, "its restart is used up")
    assert told["reasons"][0]["text"].startswith("restarted 1 time by hero_proc, and dead again"), told
    assert not [command for command in told["commands"] if "is-system-running" in command], told
    remove(box, "worn")
