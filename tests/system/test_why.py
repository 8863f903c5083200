# SPDX-License-Identifier: LGPL-2.1-or-later
"""why says what is so and why, what was tried, what comes next and what to type; and never another thing than list."""

from __future__ import annotations

import json
import re

from box import SERVER_UNIT
from house import probe, set_fault, sleeper, web_action, web_service

WITHIN_SECONDS = 20.0
NEVER = {"policy": "never"}
REPORT = {"on_unhealthy": "report"}


def prepare(box):
    box.start_server()


def why(box, name):
    """(state, rule, {label: [texts]}) of what is printed; the stamp behind the state is left out."""
    lines = box.hero("why", name).stdout.splitlines()
    state = re.fullmatch(rf"[●◐✗◌○?] {re.escape(name)} is (\w+) since \w{{3}} \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d \w+; .*",
                         lines[0])
    assert state, lines[0]
    parts, label = {}, ""
    for line in lines[1:]:
        found = re.fullmatch(r" *(Rule|Because|Seen|Tried|Next|To do): (.*)", line)
        label, text = found.groups() if found else (label, line.strip())
        parts.setdefault(label, []).append(text)
    number = int(parts["Rule"][0].split(",")[0])
    return state.group(1), number, parts


def assert_commands_run(box, commands):
    """What a person is told to type can be typed."""
    for command in commands:
        done = box.run(["sh", "-c", f"BODY={{}}; {command}"], check=False)
        said = (done.stdout + done.stderr).lower()
        assert done.returncode != 127 and "usage" not in said and "unknown" not in done.stderr.lower(), (command, done)


def remove(box, *names):
    box.hero("remove", *names)


# -- texts, by situation --


def test_of_what_is_well_it_says_what_was_seen(box):
    box.apply(sleeper("base"))
    box.wait_state("base", "running", WITHIN_SECONDS)
    box.apply(web_service(box, "well", requires=["base"]))
    box.wait_state("well", "running", WITHIN_SECONDS)
    state, rule, parts = why(box, "well")
    pid = box.main_pid("hero-well.service")
    assert (state, rule) == ("running", 12) and "Because" not in parts and "Tried" not in parts, parts
    assert parts["Seen"][:2] == [f"main: active (running), PID {pid} of hero-well.service",
                                 f"rpc.sock: alive, PID {pid} of hero-well.service"], parts
    assert re.fullmatch(r"probe files: passing, HTTP 200, \d s ago", parts["Seen"][2]), parts
    assert parts["Seen"][3:] == ["requires base: running"]
    assert re.fullmatch(r"probe files is (asked again, in \d+ms|being asked|asked again)", parts["Next"][0]), parts
    assert "To do" not in parts, parts
    remove(box, "well", "base")


def test_of_a_dead_handler_it_names_the_probe_and_the_request_to_repeat(box):
    box.apply(web_service(box, "books", **REPORT))
    box.wait_state("books", "running", WITHIN_SECONDS)
    set_fault(box, "books", "close")
    box.wait_state("books", "failed", WITHIN_SECONDS)
    state, rule, parts = why(box, "books")
    assert (state, rule) == ("failed", 8) and parts["Rule"] == ["8, each required probe has to pass"]
    assert re.fullmatch(r"files: empty reply \(\d+ times in a row\)", parts["Because"][0]), parts
    assert any(line.startswith("rpc.sock: alive") for line in parts["Seen"])
    assert any(line.startswith("probe files: failed, empty reply") for line in parts["Seen"]), parts
    assert any(line.startswith("probe files is") for line in parts["Next"]), parts
    assert parts["To do"] == ["curl -i --unix-socket /run/hero/books/rpc.sock http://localhost/api/files",
                              "hero_proc logs books", "hero_proc reset-failed books"]
    assert box.http("/run/hero/books/rpc.sock", "/api/files")[0] is None
    assert_commands_run(box, parts["To do"])
    remove(box, "books")


def test_of_a_socket_that_never_came_it_says_that_there_is_no_file(box):
    box.apply(sleeper("mute", sockets=["rpc.sock"], start_timeout_ms=300, **REPORT))
    box.wait_state("mute", "failed", WITHIN_SECONDS)
    state, rule, parts = why(box, "mute")
    assert (state, rule) == ("failed", 7) and parts["Because"] == ["rpc.sock: no such file"], parts
    assert "rpc.sock: missing" in parts["Seen"], parts
    assert parts["To do"][0] == "ls -l /run/hero/mute/rpc.sock"
    remove(box, "mute")


def test_of_a_socket_that_vanished_it_says_that_its_listener_lives(box):
    box.apply(web_service(box, "lost", **REPORT))
    box.wait_state("lost", "running", WITHIN_SECONDS)
    box.run(["rm", "/run/hero/lost/rpc.sock"])
    box.wait_state("lost", "failed", WITHIN_SECONDS)
    state, rule, parts = why(box, "lost")
    assert (state, rule) == ("failed", 7), parts
    assert parts["Because"][0] == "rpc.sock: the listener lives, but its file is gone: nobody can connect", parts
    assert parts["To do"][0] == "ss -lxp src /run/hero/lost/rpc.sock"
    assert "rpc.sock" in box.output(*parts["To do"][0].split())
    assert_commands_run(box, parts["To do"])
    remove(box, "lost")


def test_of_a_foreign_listener_it_names_the_stranger(box):
    box.apply(sleeper("robbed", sockets=["rpc.sock"], start_timeout_ms=1000, **REPORT))
    box.wait_for(lambda: box.states()["robbed"] != "unknown", WITHIN_SECONDS, "its folder is there")
    box.run(["systemd-run", "--unit=stranger", box.fixture("herodemo_server"), "--name", "stranger", "--socket",
             "/run/hero/robbed/rpc.sock"])
    box.wait_state("robbed", "failed", WITHIN_SECONDS)
    pid = box.main_pid("stranger.service")
    box.wait_for(lambda: "stranger.service" in why(box, "robbed")[2]["Because"][0], WITHIN_SECONDS, "it is known who")
    state, rule, parts = why(box, "robbed")
    assert (state, rule) == ("failed", 7), parts
    assert parts["Because"][0] == f"rpc.sock: held by PID {pid} (herodemo_server) of stranger.service", parts
    assert parts["To do"][0] == f"systemctl status {pid}"
    assert "stranger.service" in box.run(parts["To do"][0].split(), check=False).stdout
    box.systemctl("stop", "stranger")
    remove(box, "robbed")


def test_of_a_crash_loop_it_says_how_often_and_that_nobody_tries_again(box):
    box.apply(sleeper("loops", exec="exit 7", restart={"delay_ms": 50, "max_attempts": 2}))
    box.wait_state("loops", "failed", WITHIN_SECONDS)
    state, rule, parts = why(box, "loops")
    assert (state, rule) == ("failed", 4), parts
    assert parts["Because"][0] == "exited with status 7, restarted 2 times within 600 s and given up", parts
    assert "systemd has restarted main 2 times (and gave up, after 2 in 600 s)" in parts["Tried"], parts
    assert box.unit_property("hero-loops.service", "NRestarts") in ("2", "3")
    assert parts["To do"][0] == "systemctl status hero-loops.service" and "hero_proc reset-failed loops" in parts["To do"]
    assert_commands_run(box, parts["To do"])
    remove(box, "loops")


def test_while_systemd_waits_to_restart_it_says_when(box):
    box.apply(sleeper("pauses", exec="exit 7", restart={"delay_ms": 60000, "max_attempts": 5}))
    box.wait_state("pauses", "restarting", WITHIN_SECONDS)
    state, rule, parts = why(box, "pauses")
    assert (state, rule) == ("restarting", 5) and parts["Because"] == ["process exited with status 7"], parts
    assert re.fullmatch(r"systemd restarts main, in \d+s", parts["Next"][0]), parts
    assert 30 < int(re.search(r"in (\d+)s", parts["Next"][0]).group(1)) <= 60
    remove(box, "pauses")


def test_of_one_that_waits_for_another_it_names_the_other(box):
    box.apply(sleeper("gate", ready="notify", start_timeout_ms=600000), sleeper("behind", requires=["gate"]))
    box.wait_state("behind", "starting", WITHIN_SECONDS)
    state, rule, parts = why(box, "behind")
    assert state == "starting" and parts["Because"] == ["waiting for gate, which is starting"], parts
    assert "requires gate: starting" in parts["Seen"] and parts["To do"] == ["hero_proc why gate"], parts
    assert parts["Next"][0] == "main is started as soon as it may", parts
    state, rule, parts = why(box, "gate")
    assert (state, rule) == ("starting", 2) and parts["Because"] == ["not ready yet (notify)"], parts
    assert re.fullmatch(r"main is given up, unless it is ready, in 9min \d+s", parts["Next"][0]), parts
    remove(box, "behind")
    remove(box, "gate")


def test_of_one_that_an_operator_stopped_it_says_so_by_whichever_way(box):
    box.apply(sleeper("calm"))
    for command in (["hero_proc", "stop", "calm"], ["systemctl", "stop", "hero-calm"]):
        box.wait_state("calm", "running", WITHIN_SECONDS)
        box.run(command)
        box.wait_state("calm", "stopped", WITHIN_SECONDS)
        state, rule, parts = why(box, "calm")
        assert (state, rule) == ("stopped", 3) and parts["Because"] == ["stopped by an operator"], parts
        assert parts["Next"] == ["nothing, until something happens"] and parts["To do"] == ["hero_proc start calm"]
        box.run(parts["To do"][0].split())
    remove(box, "calm")


def test_of_one_that_is_started_by_hand_only_it_tells_a_stop_from_no_start(box):
    box.apply(sleeper("manual", autostart=False))
    box.wait_state("manual", "stopped", WITHIN_SECONDS)
    assert why(box, "manual")[2]["Because"] == ["not started"]
    box.hero("start", "manual")
    box.hero("stop", "manual")
    assert why(box, "manual")[2]["Because"] == ["stopped by an operator"]
    remove(box, "manual")


def test_of_a_oneshot_that_is_done_it_says_that_it_is_done(box):
    box.apply(sleeper("once", exec="true", kind="oneshot"))
    box.wait_state("once", "stopped", WITHIN_SECONDS)
    state, rule, parts = why(box, "once")
    assert (state, rule) == ("stopped", 3) and parts["Because"] == ["done"], parts
    assert parts["To do"] == ["hero_proc start once"]
    remove(box, "once")


def test_of_a_probe_that_only_reports_it_says_degraded_and_no_restart(box):
    box.apply(web_service(box, "halfway", probe=probe("pages", "/api/files", role="report")))
    box.wait_state("halfway", "running", WITHIN_SECONDS)
    set_fault(box, "halfway", "close")
    box.wait_state("halfway", "degraded", WITHIN_SECONDS)
    box.wait_for(lambda: "times in a row" in why(box, "halfway")[2]["Because"][0], WITHIN_SECONDS, "it fails for good")
    state, rule, parts = why(box, "halfway")
    assert (state, rule) == ("degraded", 10) and parts["Because"][0].startswith("pages: empty reply"), parts
    assert not any("restart" in line for line in parts["Next"]), parts
    assert parts["To do"] == ["curl -i --unix-socket /run/hero/halfway/rpc.sock http://localhost/api/files"]
    remove(box, "halfway")


def ask_while_systemd_is_away(name):
    """In the box: systemd executes itself anew, and is not on the bus for a moment; the first answer that is given then."""
    with RawBus() as bus:  # noqa: F821
        reexec = subprocess.Popen(["systemctl", "daemon-reexec"])  # noqa: F821
        deadline = time.monotonic() + 20  # noqa: F821
        try:
            while time.monotonic() < deadline:  # noqa: F821
                error, _ = bus.call("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", "Why", "st", name, 0)
                assert not error, error
                told = json.loads(bus.last_text())
                if told["state"] != "running":
                    return told
        finally:
            reexec.wait()
    return None


def test_while_systemd_cannot_be_asked_it_claims_nothing(box):
    box.apply(sleeper("unseen"))
    box.wait_state("unseen", "running", WITHIN_SECONDS)
    told = box.agent.call(ask_while_systemd_is_away, "unseen")
    assert told and (told["state"], told["rule"]["number"]) == ("unknown", 1), told
    assert [reason["text"] for reason in told["reasons"]] == ["systemd cannot be asked at the moment"], told
    assert told["commands"] == ["systemctl is-system-running"], told
    box.wait_state("unseen", "running", WITHIN_SECONDS)
    remove(box, "unseen")


def test_each_reason_is_there_and_no_command_twice(box):
    box.apply({"name": "many", **web_action(box, "many"), "on_unhealthy": "report", "probes": [
        probe("a", "/api/files"), probe("b", "/api/files"), probe("c", "/health")]})
    box.wait_state("many", "running", WITHIN_SECONDS)
    set_fault(box, "many", "close")
    box.wait_for(lambda: len(box.hero_json("why", "many")["reasons"]) >= 3, WITHIN_SECONDS, "its probes fail")
    _, _, parts = why(box, "many")
    assert {line.split(":")[0] for line in parts["Because"]} == {"a", "b", "c"}, parts
    assert len(parts["To do"]) == len(set(parts["To do"])), parts
    remove(box, "many")


# -- and it does not disagree --


def ask_both(name, seconds):
    """In the box: while the service's handler comes and goes, GetStatus, Why and GetStatus again are sent in one go, so that
    they are answered from one state of things. Returns how often they could be compared, the states seen, and what
    differed."""
    manager = ("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager")
    compared, states, wrong = 0, set(), []
    deadline = time.monotonic() + seconds  # noqa: F821
    turn = 0
    with RawBus() as bus:  # noqa: F821
        while time.monotonic() < deadline:  # noqa: F821
            turn += 1
            if turn % 40 == 1:
                Path(f"/srv/{name}.rpc.sock.faults").write_text("close\n" if turn % 80 == 1 else "\n")  # noqa: F821
            bus.send(*manager, "GetStatus", "ast", [name], 0)
            bus.send(*manager, "Why", "st", name, 0)
            bus.send(*manager, "GetStatus", "ast", [name], 0)
            texts = []
            for _ in range(3):
                error, _ = bus.receive()
                assert not error, error
                texts.append(json.loads(bus.last_text()))
            first, told, last = texts[0][0], texts[1], texts[2][0]
            seen = [(row["state"], row["wanted"], row["since_usec"], row["reasons"]) for row in (first, told, last)]
            if seen[0] != seen[2]:
                continue
            compared += 1
            states.add(first["state"])
            if seen[1] != seen[0]:
                wrong.append([seen[0], seen[1]])
            time.sleep(0.01)  # noqa: F821
    return compared, sorted(states), wrong[:3]


def test_it_says_the_same_as_list_while_everything_moves(box):
    box.apply(web_service(box, "flaps", probe=probe("files", "/api/files", interval_ms=100, fast_interval_ms=20,
                                                     timeout_ms=200), **REPORT))
    box.wait_state("flaps", "running", WITHIN_SECONDS)
    compared, states, wrong = box.agent.call(ask_both, "flaps", 6)
    assert not wrong, wrong
    assert compared >= 50 and len(states) >= 2, (compared, states)
    print(f"     {compared} times the same, over {', '.join(states)}")
    assert box.main_pid(SERVER_UNIT) > 0
    remove(box, "flaps")


def test_as_json_it_has_the_fields_of_the_contract(box):
    box.apply(web_service(box, "json", **REPORT))
    box.wait_state("json", "running", WITHIN_SECONDS)
    told = box.hero_json("why", "json")
    assert set(told) == {"name", "state", "wanted", "since_usec", "observed_usec", "rule", "reasons", "evidence", "tried",
                         "next", "commands"}, told
    assert told["rule"] == {"number": 12, "text": "everything that it needs was seen alive"}
    assert told["evidence"] and all(isinstance(text, str) for text in told["evidence"])
    assert all(set(step) == {"text", "at_usec"} for step in told["next"])
    assert json.loads(box.hero("--json=short", "why", "json").stdout)["name"] == "json"
    remove(box, "json")
