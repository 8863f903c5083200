# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ready is when the service says so, in whichever way it speaks, under root's server as under a user's own."""

from __future__ import annotations

import json

from box import SERVER_UNIT

MODES = (None, "hero")
WAYS = ("notify", "fd3", "fd3-word", "file")  # those in which a service says it itself
NEVER = {"policy": "never"}
READY_OF_WAY = {"notify": "notify", "fd3": "fd3", "fd3-word": "fd3", "file": "file"}

# Says ready once the file `gate` is there, and writes down who it is: no clock has to be guessed right.
GATED = """#!/usr/bin/python3
import os, signal, socket, sys, time
way, folder = sys.argv[1:]
with open(folder + "/pid.new", "w") as file:
    file.write(str(os.getpid()))
os.rename(folder + "/pid.new", folder + "/pid")
while not os.path.exists(folder + "/gate"):
    time.sleep(0.005)
if way == "notify":
    address = os.environ["NOTIFY_SOCKET"].replace("@", "\\0")
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1\\nSTATUS=serving 42 tables", address)
elif way == "file":
    open(os.environ["HERO_READY_FILE"], "x")
else:
    os.write(3, b"\\n" if way == "fd3" else b"loading\\nREADY=1\\n")
    os.close(3)
while True:
    signal.pause()
"""


def prepare(box):
    box.write_file("/usr/local/bin/gated", GATED, mode=0o755)
    box.start_server("hero")


def scratch(name, user):
    return f"/tmp/ready-{user or 'root'}/{name}"


def gated(box, name, way, user, **fields):
    """A definition of a service that says ready once open_gate() lets it."""
    box.run(["mkdir", "-p", scratch(name, user)], user=user)
    return box.definition(name, exec=["/usr/local/bin/gated", way, scratch(name, user)],
                          ready=READY_OF_WAY.get(way, way), **fields)


def open_gate(box, name, user):
    box.run(["touch", scratch(name, user) + "/gate"], user=user)


def shut_gate(box, name, user):
    box.run(["rm", "-f", scratch(name, user) + "/gate", scratch(name, user) + "/pid"], user=user)


def pid_as_written(box, name, user):
    """Waits until the service has said who it is. This is past everything that stands before its exec."""
    path = scratch(name, user) + "/pid"
    return int(box.wait_for(lambda: box.run(["cat", path], check=False).stdout, 10, f"{path} is written"))


def unit_of(name):
    return f"hero-{name}.service"


def socket_folder(box, name, user):
    return f"/run/user/{box.output('id', '-u', user=user)}/hero/{name}" if user else f"/run/hero/{name}"


def reason(box, name, user):
    return box.agent_of(user).call("hero_services", bool(user))[name]["reason"]


def wait_reason(box, name, code, user):
    """What the service itself has done may be a moment ahead of what systemd has told of it."""
    box.wait_for(lambda: reason(box, name, user) == code, 5, f"{name} is {code}")


def assert_failed_for(box, name, code, user):
    box.wait_state(name, "failed", 15, user)
    assert reason(box, name, user) == code, (name, box.hero("status", name, user=user, check=False).stdout)


def remove(box, user, *names):
    box.hero("remove", *names, user=user)
    for name in names:
        shut_gate(box, name, user)


def children_of(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()  # noqa: F821


def zombies():
    def state_of(folder):
        try:
            return folder.joinpath("stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return ""

    return [folder.name for folder in Path("/proc").glob("[0-9]*") if state_of(folder) == "Z"]  # noqa: F821


def assert_only_the_service_is_left(box, unit, pid, user):
    box.wait_for(lambda: box.cgroup_pids(unit, user) == [pid], 5, f"only {pid} is left in the cgroup of {unit}")
    assert box.agent.call(children_of, pid) == []
    box.wait_for(lambda: not box.agent.call(zombies), 5, "no zombie is left")


def test_a_service_is_starting_until_it_says_ready(box):
    for user in MODES:
        box.apply(*(gated(box, way, way, user) for way in WAYS), user=user)
        for way in WAYS:
            pid_as_written(box, way, user)
            wait_reason(box, way, "not-ready", user)
            assert box.unit_property(unit_of(way), "ActiveState", user) == "activating"
            assert box.states(user)[way] == "starting", way
            assert box.hero_json("status", way, user=user)[0]["ready"] is False
            open_gate(box, way, user)
            box.wait_state(way, "running", 5, user)
            assert box.unit_property(unit_of(way), "ActiveState", user) == "active"
            assert box.hero_json("status", way, user=user)[0]["ready"] is True
        remove(box, user, *WAYS)


def test_the_main_pid_is_the_services_own_and_nothing_of_ours_stays_beside_it(box):
    for user in MODES:
        box.apply(*(gated(box, way, way, user) for way in WAYS), user=user)
        for way in WAYS:
            pid = pid_as_written(box, way, user)
            assert box.main_pid(unit_of(way), user) == pid
            open_gate(box, way, user)
            box.wait_state(way, "running", 5, user)
            assert box.main_pid(unit_of(way), user) == pid
            assert box.hero_json("status", way, user=user)[0]["actions"][0]["main_pid"] == pid
            assert_only_the_service_is_left(box, unit_of(way), pid, user)
        remove(box, user, *WAYS)


def test_ready_by_exec_is_running_once_the_program_runs(box):
    for user in MODES:
        # The second one has arguments that only the shim hands on unharmed.
        plain = gated(box, "plain", "exec", user)
        fronted = gated(box, "fronted", "exec", user, sockets=[])
        fronted["exec"] = ["/bin/sh", "-c", f"echo $$ >{scratch('fronted', user)}/pid; exec sleep infinity"]
        box.apply(plain, fronted, user=user)
        for name in ("plain", "fronted"):
            box.wait_state(name, "running", 5, user)
            assert box.unit_property(unit_of(name), "ActiveState", user) == "active"
            pid = pid_as_written(box, name, user)
            assert box.main_pid(unit_of(name), user) == pid
            assert_only_the_service_is_left(box, unit_of(name), pid, user)
            assert box.hero_json("status", name, user=user)[0]["ready"] is None
        remove(box, user, "plain", "fronted")


def test_what_the_service_says_of_itself_is_shown(box):
    for user in MODES:
        box.apply(gated(box, "words", "notify", user), user=user)
        open_gate(box, "words", user)
        box.wait_state("words", "running", 5, user)
        assert "serving 42 tables" in box.hero("status", "words", user=user).stdout
        assert box.unit_property(unit_of("words"), "StatusText", user) == "serving 42 tables"
        remove(box, user, "words")


def test_a_service_that_does_not_say_ready_in_time_has_failed(box):
    for user in MODES:
        box.apply(*(gated(box, way, way, user, start_timeout_ms=500, restart=NEVER) for way in WAYS), user=user)
        for way in WAYS:
            assert_failed_for(box, way, "start-timeout", user)
            assert box.unit_property(unit_of(way), "Result", user) == "timeout"
            assert box.cgroup_pids(unit_of(way), user) == []
        remove(box, user, *WAYS)


def test_a_start_waits_for_readiness_and_says_what_became_of_it(box):
    box.apply(gated(box, "slow", "notify", None, autostart=False, start_timeout_ms=1500, restart=NEVER))
    assert box.hero("start", "--no-block", "slow").returncode == 0
    pid_as_written(box, "slow", None)
    assert box.states()["slow"] == "starting"
    box.wait_state("slow", "failed", 5)
    late = box.hero("start", "slow", check=False)
    assert late.returncode == 1 and "not ready within 1500 ms" in late.stdout + late.stderr, late
    open_gate(box, "slow", None)
    box.hero("start", "slow")
    assert box.unit_property(unit_of("slow"), "ActiveState") == "active"
    remove(box, None, "slow")


def test_a_service_that_dies_before_it_is_ready_has_failed(box):
    for user in MODES:
        box.apply(*(box.definition(f"{ready}-{code}", ready=ready, exec=f"exit {code}", restart=NEVER)
                    for ready in ("notify", "fd3", "file") for code in (0, 3)), user=user)
        names = [f"{ready}-{code}" for ready in ("notify", "fd3", "file") for code in (0, 3)]
        for name in names:
            # To leave with success before the word was given is to break it.
            expected = ("not-ready", "protocol") if name.endswith("-0") else ("process-died", "exit-code")
            assert_failed_for(box, name, expected[0], user)
            assert box.unit_property(unit_of(name), "Result", user) == expected[1]
        remove(box, user, *names)


def test_a_relay_does_not_outlive_a_main_process_whose_child_holds_fd_3(box):
    """The child is out of systemd's reach, and the relay ignores SIGTERM: only by itself can it end in time."""
    away = "/sys/fs/cgroup/away"
    box.run(["mkdir", away])
    # The parent leaves once the child is over there.
    child = f"echo $$ >{away}/cgroup.procs; touch /tmp/is-away; exec sleep 1000"
    box.apply(box.definition("holder", ready="fd3", restart=NEVER, stop_timeout_ms=60000,
                             exec=f"sh -c '{child}' & until [ -e /tmp/is-away ]; do sleep 0.01; done; exit 3"))
    assert_failed_for(box, "holder", "process-died", None)
    left = box.agent.call("processes_in_cgroup", "/away")
    assert len(left) == 1 and box.output("readlink", f"/proc/{left[0]}/fd/3").startswith("pipe:")
    assert box.cgroup_pids(unit_of("holder")) == []
    box.wait_for(lambda: not box.agent.call(zombies), 5, "no zombie is left")
    box.run(["sh", "-c", f"echo 1 >{away}/cgroup.kill; until rmdir {away}; do sleep 0.01; done"])
    remove(box, None, "holder")


def test_a_ready_file_of_an_earlier_run_never_counts(box):
    for user in MODES:
        file = socket_folder(box, "stale", user) + "/.ready"
        box.apply(gated(box, "stale", "file", user), user=user)
        open_gate(box, "stale", user)
        box.wait_state("stale", "running", 5, user)
        box.run(["test", "-e", file])
        box.hero("stop", "stale", user=user)
        shut_gate(box, "stale", user)
        box.run(["touch", file], user=user)  # whatever the stop has done with it
        box.hero("start", "--no-block", "stale", user=user)
        pid_as_written(box, "stale", user)
        assert box.states(user)["stale"] == "starting"
        assert box.unit_property(unit_of("stale"), "ActiveState", user) == "activating"
        box.run(["test", "!", "-e", file])
        open_gate(box, "stale", user)
        box.wait_state("stale", "running", 5, user)
        remove(box, user, "stale")


def test_an_automatic_restart_waits_for_readiness_again(box):
    for user in MODES:
        soon = {"policy": "on-failure", "delay_ms": 50}
        box.apply(*(gated(box, way, way, user, restart=soon) for way in WAYS), user=user)
        for way in WAYS:
            open_gate(box, way, user)
            box.wait_state(way, "running", 5, user)
            pid = pid_as_written(box, way, user)
            shut_gate(box, way, user)
            box.run(["kill", "-KILL", str(pid)])
            second = pid_as_written(box, way, user)
            assert second != pid
            box.wait_state(way, "restarting", 5, user)
            assert box.unit_property(unit_of(way), "ActiveState", user) == "activating"
            open_gate(box, way, user)
            box.wait_state(way, "running", 5, user)
            assert box.unit_property(unit_of(way), "NRestarts", user) == "1"
            assert box.main_pid(unit_of(way), user) == second
            assert_only_the_service_is_left(box, unit_of(way), second, user)
        remove(box, user, *WAYS)


def test_an_automatic_restart_waits_for_readiness_also_without_a_server(box):
    box.apply(gated(box, "alone", "file", None, restart={"delay_ms": 50}))
    open_gate(box, "alone", None)
    box.wait_state("alone", "running", 5)
    pid = pid_as_written(box, "alone", None)
    box.stop_server()
    shut_gate(box, "alone", None)
    box.run(["kill", "-KILL", str(pid)])
    pid_as_written(box, "alone", None)
    assert box.unit_property(unit_of("alone"), "ActiveState") == "activating"
    box.start_server()
    box.wait_for(lambda: box.states().get("alone") in ("restarting", "starting"), 5, "the server sees the start")
    open_gate(box, "alone", None)
    box.wait_state("alone", "running", 5)
    assert box.unit_property(unit_of("alone"), "NRestarts") == "1"
    remove(box, None, "alone")


def test_a_program_that_is_not_there_is_named(box):
    ways = ("exec", "notify", "fd3", "file", "hostile")
    for user in MODES:
        box.apply(*(box.definition(f"no-{way}", restart=NEVER, ready="exec" if way == "hostile" else way,
                                   exec=["/nonexistent/program", *(["$HOME"] if way == "hostile" else [])])
                    for way in ways), user=user)
        for way in ways:
            assert_failed_for(box, f"no-{way}", "exec-failed", user)
            assert box.unit_property(unit_of(f"no-{way}"), "ExecMainStatus", user) == "203"
            assert "/nonexistent/program" in box.hero("status", f"no-{way}", user=user, check=False).stdout
        remove(box, user, *(f"no-{way}" for way in ways))


def test_a_program_that_ran_and_leaves_with_a_status_of_systemds_was_there(box):
    """-EINVAL is 234 as an exit status. With a pause before its next try, with none to come, and by the shim."""
    for user in MODES:
        for name, rule, arguments in (("pausing", {"delay_ms": 600000}, []), ("ended", NEVER, []), ("shimmed", NEVER, ["$HOME"])):
            box.apply(box.definition(name, restart=rule, exec=["/bin/sh", "-c", "sleep 0.5; exit 234", *arguments]), user=user)
            box.wait_for(lambda n=name, u=user: box.states(u).get(n) in ("failed", "restarting"), 10, f"{name} has left")
            assert box.unit_property(unit_of(name), "ExecMainStatus", user) == "234"
            told = box.hero_json("status", name, user=user)[0]["reasons"][0]
            assert (told["code"], told["text"]) == ("process-died", "process exited with status 234"), told
            box.hero("remove", name, user=user)


def test_require_ready_asks_for_the_file_and_holds_back_what_requires_the_service(box):
    for user in MODES:
        base = gated(box, "base", "file", user, require_ready=True)
        del base["ready"]
        box.apply(base, box.definition("above", requires=["base"], exec=["/bin/sleep", "1000"]), user=user)
        pid_as_written(box, "base", user)
        wait_reason(box, "base", "not-ready", user)
        services = box.agent_of(user).call("hero_services", bool(user))
        assert services["base"]["state"] == "starting"
        assert (services["above"]["state"], services["above"]["reason"]) == ("starting", "waiting-for")
        assert box.unit_property(unit_of("above"), "ActiveState", user) == "inactive"
        open_gate(box, "base", user)
        box.wait_state("base", "running", 5, user)
        box.wait_state("above", "running", 5, user)
        remove(box, user, "above", "base")


def test_a_script_says_ready_by_hand(box):
    for user in MODES:
        gate = scratch("script", user) + "/gate"
        script = f"until [ -e {gate} ]; do sleep 0.02; done\n" \
                 "hero_proc_notify --ready --status='by hand' || exit 9\nexec sleep 1000"
        box.apply({**gated(box, "script", "notify", user), "exec": script}, user=user)
        box.wait_for(lambda user=user: box.unit_property(unit_of("script"), "ActiveState", user) == "activating",
                     5, "it is being started")
        assert box.states(user)["script"] == "starting"
        open_gate(box, "script", user)
        box.wait_state("script", "running", 5, user)
        assert box.unit_property(unit_of("script"), "StatusText", user) == "by hand"
        assert "by hand" in box.hero("status", "script", user=user).stdout
        remove(box, user, "script")


def test_a_users_services_live_their_whole_life_without_root(box):
    user = "hero"
    folder = socket_folder(box, "mine", user)
    box.apply(box.definition("mine", exec=[box.fixture("herodemo_server"), "--socket", f"{folder}/rpc.sock", "--ready",
                                           "notify"], ready="notify", sockets=["rpc.sock"],
                             probe={"socket": "rpc.sock", "interval_ms": 500}), user=user)
    box.wait_state("mine", "running", 10, user)
    assert box.agent_of(user).call("http_request", f"{folder}/rpc.sock", "/health")[0] == 200
    assert box.output("stat", "-c", "%U", f"{folder}/rpc.sock") == "hero"
    assert "mine" in box.hero("list", user=user).stdout and "mine" not in box.states()

    # A new server takes over what runs, and touches nothing.
    invocation, pid = box.invocation_id(unit_of("mine"), user), box.main_pid(unit_of("mine"), user)
    server = box.kill_server(user)
    box.wait_for(lambda: box.main_pid(SERVER_UNIT, user) not in (0, server), 10, "a new server runs")
    box.wait_state("mine", "running", 10, user)
    assert (box.invocation_id(unit_of("mine"), user), box.main_pid(unit_of("mine"), user)) == (invocation, pid)

    # An operator's stop by systemctl is a wish, which a new server knows of.
    box.systemctl("stop", unit_of("mine"), user=user)
    box.wait_state("mine", "stopped", 5, user)
    box.restart_server(user)
    box.wait_for(lambda: box.states(user).get("mine") == "stopped", 10, "it is remembered")
    row = box.hero_json("status", "mine", user=user)[0]
    assert (row["wanted"], row["reasons"][0]["code"]) == ("down", "stopped-by-operator"), json.dumps(row)
    assert box.main_pid(unit_of("mine"), user) == 0
    box.hero("start", "mine", user=user)
    box.wait_state("mine", "running", 10, user)
    box.hero("stop", "mine", user=user)
    assert box.agent_of(user).call("http_request", f"{folder}/rpc.sock", "/health")[0] is None
    box.hero("remove", "mine", user=user)
    assert box.unit_property(unit_of("mine"), "LoadState", user) == "not-found"
