# SPDX-License-Identifier: LGPL-2.1-or-later
"""A service with one dead process of several is never called running, and no process of a service gets out of sight."""

from __future__ import annotations

from statistics import median

from herodemo import command, reasons, service, socket_path, status

NOTICED = 0.1  # seconds
SERVER, UI = "server", "ui"


def prepare(box):
    box.start_server()


def two_processes(box, name: str, **restart) -> dict:
    """A server on rpc.sock and a user interface on ui.sock."""
    def action(which: str, socket: str) -> dict:
        return {"exec": command(box, name, "--ready", "notify", name=f"{name}-{which}", sockets=[socket]),
                "ready": "notify", "sockets": [socket], "restart": {"delay_ms": 300, "max_attempts": 50, **restart}}

    return {"name": name, "on_unhealthy": "report", "sockets": ["rpc.sock", "ui.sock"],
            "actions": {SERVER: action(SERVER, "rpc.sock"), UI: action(UI, "ui.sock")}}


def unit(name: str, action: str) -> str:
    return f"hero-{name}@{action}.service"


def kill_and_watch(pid: int, number: int, name: str) -> dict:
    """For the agent: the first state that is shown after a process was killed, and what is said then."""
    with StateChanges(name) as changes:  # noqa: F821
        began = time.monotonic()  # noqa: F821
        os.kill(pid, number)  # noqa: F821
        change = changes.next_change(5)
    assert change, "no change was seen"
    row = json.loads(subprocess.run(["hero_proc", "--json=short", "status", name],  # noqa: F821
                                    stdout=subprocess.PIPE, check=False).stdout)[0]
    return {"after": change["at"] - began, **change, "row": row}


def kill_five_times(box, name: str, number: int) -> list[dict]:
    seen = []
    for _ in range(5):
        box.wait_state(name, "running", 5)
        seen.append(box.agent.call(kill_and_watch, box.main_pid(unit(name, UI)), number, name))
    return seen


def assert_named(row: dict, name: str) -> None:
    said = {(reason["code"], reason["subject"]) for reason in row["reasons"]}
    assert ("process-died", UI) in said, said
    assert {subject for code, subject in said if code.startswith("socket-")} == {socket_path(name, "ui.sock")}, said


def test_a_killed_process_of_two_shows_in_100_ms_with_its_name_and_socket(box):
    """The median of five: the machine of the test may be busy for a moment, the way of the news may not be."""
    box.apply(two_processes(box, "pair"))
    seen = kill_five_times(box, "pair", 9)
    assert median(change["after"] for change in seen) <= NOTICED, [change["after"] for change in seen]
    for change in seen:
        assert (change["old"], change["new"], change["reason"]) == ("running", "restarting", "process-died")
        assert_named(change["row"], "pair")
    box.wait_state("pair", "running", 5)
    assert box.unit_property(unit("pair", UI), "NRestarts") == "5"
    assert box.unit_property(unit("pair", SERVER), "NRestarts") == "0"
    assert box.http(socket_path("pair", "ui.sock"), "/")[0] == 200


def test_a_process_that_dies_for_good_is_failed_at_once(box):
    box.apply(two_processes(box, "pair", policy="never"))
    box.wait_state("pair", "running", 5)
    change = box.agent.call(kill_and_watch, box.main_pid(unit("pair", UI)), 9, "pair")
    assert (change["new"], change["reason"]) == ("failed", "process-died")
    assert_named(change["row"], "pair")
    assert box.http(socket_path("pair"), "/health")[0] == 200
    assert box.unit_property(unit("pair", UI), "ActiveState") == "failed"
    box.hero("start", "pair")
    assert box.http(socket_path("pair", "ui.sock"), "/")[0] == 200


def test_a_process_of_two_that_leaves_with_success_leaves_a_hole(box):
    """SIGTERM by hand: it ends as if all were well, and nobody starts it again."""
    box.apply(two_processes(box, "hole"))
    box.wait_state("hole", "running", 5)
    change = box.agent.call(kill_and_watch, box.main_pid(unit("hole", UI)), 15, "hole")
    assert change["new"] == "failed" and change["after"] <= 10 * NOTICED
    named = [("exited", UI), ("socket-missing", socket_path("hole", "ui.sock"))]
    box.wait_for(lambda: [reason[:2] for reason in reasons(box, "hole")] == named, 2, "process and socket are named")
    assert box.unit_property(unit("hole", UI), "Result") == "success"
    assert box.http(socket_path("hole"), "/health")[0] == 200


def test_a_clean_exit_shows_in_100_ms_also_where_it_will_be_started_again(box):
    """It takes its socket away before it is gone, and either may be seen first."""
    box.apply(two_processes(box, "always", policy="always"))
    seen = kill_five_times(box, "always", 15)
    assert median(change["after"] for change in seen) <= NOTICED, [change["after"] for change in seen]
    assert {change["new"] for change in seen} <= {"restarting", "failed"}
    box.wait_state("always", "running", 5)
    assert box.unit_property(unit("always", UI), "NRestarts") == "5"
    assert box.http(socket_path("always", "ui.sock"), "/")[0] == 200


def test_without_the_server_systemd_restarts_and_the_stale_socket_is_in_nobodys_way(box):
    box.apply(two_processes(box, "alone"))
    box.wait_state("alone", "running", 5)
    before = {action: box.invocation_id(unit("alone", action)) for action in (SERVER, UI)}
    socket = socket_path("alone", "ui.sock")
    inode = box.output("stat", "-c", "%i", socket)
    box.stop_server()

    box.run(["kill", "-KILL", str(box.main_pid(unit("alone", UI)))])
    box.wait_for(lambda: box.http(socket, "/")[0] is None, 2, "nobody listens")
    assert box.run(["test", "-S", socket], check=False).returncode == 0
    box.wait_for(lambda: box.http(socket, "/")[0] == 200, 5, "systemd has started it again")
    assert box.unit_property(unit("alone", UI), "NRestarts") == "1"
    assert box.output("stat", "-c", "%i", socket) != inode

    between = {action: box.invocation_id(unit("alone", action)) for action in (SERVER, UI)}
    box.start_server()
    box.wait_state("alone", "running", 5)
    assert {action: box.invocation_id(unit("alone", action)) for action in (SERVER, UI)} == between
    assert between[SERVER] == before[SERVER] and between[UI] != before[UI]
    assert {a["name"]: a["main_pid"] for a in status(box, "alone")["actions"]} == \
        {action: box.main_pid(unit("alone", action)) for action in (SERVER, UI)}


def test_what_died_for_good_without_the_server_is_failed_when_it_is_back(box):
    box.apply(two_processes(box, "alone", policy="never"))
    box.wait_state("alone", "running", 5)
    box.stop_server()
    box.run(["kill", "-KILL", str(box.main_pid(unit("alone", UI)))])
    box.wait_for(lambda: box.unit_property(unit("alone", UI), "ActiveState") == "failed", 2, "it is dead")
    box.start_server()
    box.wait_state("alone", "failed", 5)
    assert_named(status(box, "alone"), "alone")
    box.hero("remove", "alone")


def test_a_crash_loop_ends_in_failed_with_all_its_restarts_used_up(box):
    box.apply(service(box, "loop", "--crash-loop", "3", sockets=(),
                      restart={"delay_ms": 100, "max_delay_ms": 100, "max_attempts": 3}), check=False)
    box.wait_for(lambda: [reason[:2] for reason in reasons(box, "loop")] == [("crash-loop", "main")], 10,
                 "it is given up")
    assert box.states()["loop"] == "failed"
    assert "exited with status 3, restarted 3 times" in reasons(box, "loop")[0][2]
    seen = box.unit_properties("hero-loop.service")
    assert (seen["ActiveState"], seen["NRestarts"], seen["ExecMainStatus"]) == ("failed", "4", "3")  # the fourth was refused


def kill_again_and_again(name: str, unit_name: str, times: int, apart: float) -> list[dict]:
    """For the agent: all that is shown while its process is killed so often, `apart` seconds after each start."""
    def main_pid() -> str:
        return subprocess.run(["systemctl", "show", "-P", "MainPID", unit_name], stdout=subprocess.PIPE,  # noqa: F821
                              text=True, check=True).stdout.strip()

    seen = []
    with StateChanges(name) as changes:  # noqa: F821
        for _ in range(times):
            before = main_pid()
            os.kill(int(before), 9)  # noqa: F821
            seconds_until(lambda: main_pid() not in ("0", before), 5)  # noqa: F821, B023
            seen += changes.until("", apart)
    return seen


def test_crashes_that_are_far_apart_are_no_crash_loop_however_many_they_are(box):
    """Two restarts within a second are allowed, and there are never more; systemd's count of them is of all times."""
    unit_name = "hero-mortal.service"
    box.apply({"name": "mortal", "exec": ["/bin/sleep", "infinity"],
               "restart": {"delay_ms": 10, "max_delay_ms": 10, "max_attempts": 2, "window_ms": 1000}})
    box.wait_state("mortal", "running", 5)
    seen = box.agent.call(kill_again_and_again, "mortal", unit_name, 8, 0.6)
    assert {change["new"] for change in seen} == {"restarting", "running"}, seen
    assert not [entry for entry in box.hero_json("history", "mortal") if entry["code"] == "crash-loop"]
    assert box.unit_property(unit_name, "NRestarts") == "8"
    assert "systemd has restarted main 8 times (it gives up after 2 in 1 s)" in box.hero("why", "mortal").stdout
    box.hero("remove", "mortal")


def processes_by_cgroup() -> list[list]:
    """For the agent: [PID, cgroup, command] of every herodemo process on the machine."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):  # noqa: F821
        try:
            name, cgroup = folder.joinpath("comm").read_text().strip(), folder.joinpath("cgroup").read_text().strip()
        except OSError:
            continue
        if name.startswith("herodemo"):
            found.append([int(folder.name), cgroup.rpartition("::")[2], name])
    return found


def test_no_process_of_a_service_is_outside_of_its_cgroup(box):
    box.apply(service(box, "forks", "--double-fork-child"), two_processes(box, "pair"))
    for name in ("forks", "pair"):
        box.wait_state(name, "running", 5)
    box.write_file("/run/forks.faults", "fork-children 3\n")
    box.wait_for(lambda: len(box.cgroup_pids("hero-forks.service")) == 5, 5, "all its children are in its cgroup")
    found = box.agent.call(processes_by_cgroup)
    assert sum(name == "herodemo-child" for _, _, name in found) == 4
    assert {cgroup for _, cgroup, name in found if name == "herodemo-child"} == \
        {"/hero.slice/hero-forks.slice/hero-forks.service"}
    for pid, cgroup, _ in found:
        assert cgroup.startswith("/hero.slice/hero-"), (pid, cgroup)


def test_a_stop_leaves_no_process_that_forked_away_and_ignores_sigterm(box):
    box.apply(service(box, "stubborn", "--double-fork-child", "--ignore-term", stop_timeout_ms=500))
    box.wait_state("stubborn", "running", 5)
    cgroup = box.unit_property("hero-stubborn.service", "ControlGroup")
    pids = box.cgroup_pids("hero-stubborn.service")
    assert len(pids) == 2

    box.hero("stop", "stubborn")
    assert box.agent.call("processes_in_cgroup", cgroup) == []
    assert not [pid for pid in pids if pid in [found[0] for found in box.agent.call(processes_by_cgroup)]]
    assert box.states()["stubborn"] == "stopped"


def test_a_restart_leaves_no_process_of_the_instance_before(box):
    box.apply(service(box, "again", "--double-fork-child", stop_timeout_ms=500))
    box.wait_state("again", "running", 5)
    before = box.cgroup_pids("hero-again.service")
    box.hero("restart", "again")
    after = box.cgroup_pids("hero-again.service")
    assert len(before) == len(after) == 2 and not set(before) & set(after)
    alive = {pid for pid, _, _ in box.agent.call(processes_by_cgroup)}
    assert not alive & set(before)
