# SPDX-License-Identifier: LGPL-2.1-or-later
"""`-M`: what is asked of a container is done in it and nowhere else, and one that cannot be asked says why."""

from __future__ import annotations

import json
import time

import ssh_host
from box import SERVER_UNIT
from container import Container
from house import sleeper
from terminal import Terminal

HERE = "127.0.0.1"
NAME = "inner"
WITHIN_SECONDS = 20.0
NOBODY = "no container of that name is running"

container: Container


def prepare(box):
    global container  # pylint: disable=global-statement
    box.apply(sleeper("outside"))
    container = Container(box, NAME)
    container.start()
    inside = dict(sleeper("web"), exec="echo I am in here; exec sleep infinity")
    box.hero("-M", NAME, "apply", "-", input=json.dumps([inside, sleeper("idle", autostart=False)]))
    box.wait_state("outside", "running", WITHIN_SECONDS)
    box.hero("-M", NAME, "wait", "web", timeout=WITHIN_SECONDS)


def rows_of(done):
    return [(row.get("host"), row["name"], row["state"]) for row in json.loads(done.stdout)]


def board(box, *words):
    """The rows, the exit status, and for how long it took."""
    began = time.monotonic()
    done = box.hero("list", *words, "--json", check=False)
    return json.loads(done.stdout), done.returncode, time.monotonic() - began


def silent_row(rows, host):
    (row,) = [row for row in rows if row["host"] == host]
    assert row["state"] == "unknown" and row["name"] is None, row
    (reason,) = row["reasons"]
    assert reason["code"] == "server-unreachable" and reason["subject"] == host, row
    return reason["text"]


def act(box, *words, check=True):
    return box.hero("-M", NAME, *words, check=check)


def is_here(box, unit):
    return box.unit_property(unit, "LoadState") != "not-found"


def test_verbs_act_on_the_services_of_a_container_and_on_none_outside(box):
    assert rows_of(act(box, "list", "--json")) == [(None, "idle", "stopped"), (None, "web", "running")]
    assert box.states() == {"outside": "running"}
    assert container.systemctl("is-active", SERVER_UNIT) == "active"

    act(box, "start", "idle")
    assert container.systemctl("is-active", "hero-idle.service") == "active"
    assert not is_here(box, "hero-idle.service") and not is_here(box, "hero-web.service")
    (status,) = json.loads(act(box, "status", "idle", "--json").stdout)
    (inner, outer), = container.cgroup_pids("hero-idle.service").items()
    assert status["actions"][0]["main_pid"] == inner != outer
    assert box.read_file(f"/proc/{outer}/comm") == "sleep\n"
    assert box.output("readlink", f"/proc/{outer}/ns/pid") != box.output("readlink", "/proc/self/ns/pid")

    act(box, "restart", "idle")
    assert container.cgroup_pids("hero-idle.service") not in ({}, {inner: outer})
    act(box, "stop", "idle")
    assert container.cgroup_pids("hero-idle.service") == {}
    assert container.systemctl("is-active", "hero-idle.service", check=False) == "inactive"
    assert act(box, "status", "idle", check=False).returncode == 3
    assert "stopped" in act(box, "why", "idle").stdout.splitlines()[0]
    assert "running" in act(box, "why", "web").stdout.splitlines()[0]
    logs = act(box, "logs", "web").stdout
    assert f" {NAME} web[" in logs and "I am in here" in logs, logs
    assert act(box, "status", "outside", check=False).returncode == 4
    assert box.states() == {"outside": "running"}


def test_a_kill_in_a_container_is_seen_and_repaired_there(box):
    ((inner, outer),) = container.cgroup_pids("hero-web.service").items()
    box.run(["kill", "-KILL", str(outer)])

    def is_another():
        pids = container.cgroup_pids("hero-web.service")
        return len(pids) == 1 and inner not in pids

    box.wait_for(is_another, WITHIN_SECONDS, "it runs again")
    act(box, "wait", "web")
    history = json.loads(act(box, "history", "web", "--json").stdout)
    assert any("SIGKILL" in json.dumps(row) for row in history), history


def test_the_machine_its_container_and_the_container_of_another_host_are_one_board(box):
    ssh_host.listen(box, f"{HERE}:22", ssh_host.become_client(box))
    far = f"{HERE}/{NAME}"
    rows, code, _ = board(box, "-H", HERE, "-M", NAME, "-H", far, "--timeout=20")
    assert code == 0
    assert [(row["host"], row["name"], row["state"]) for row in rows] == [
        (HERE, "outside", "running"), (far, "web", "running"), (NAME, "web", "running"),
        (far, "idle", "stopped"), (NAME, "idle", "stopped")]
    pids = {row["actions"][0]["main_pid"] for row in rows if row["name"] == "web"}
    assert pids == set(container.cgroup_pids("hero-web.service"))
    assert box.hero("-H", far, "status", "web").returncode == 0


def test_a_user_of_a_container_has_services_of_its_own(box):
    who = f"hero@{NAME}"
    done = box.run(["hero_proc", "--user", "-M", who, "apply", "-"], input=json.dumps([sleeper("mine")]))
    assert "mine" in done.stdout
    box.run(["hero_proc", "--user", "-M", who, "wait", "mine"])
    assert box.output("systemctl", "--user", "-M", who, "is-active", "hero-mine.service") == "active"
    listed = json.loads(box.output("hero_proc", "--user", "-M", who, "list", "--json"))
    assert [row["name"] for row in listed] == ["mine"]
    assert [row["name"] for row in json.loads(act(box, "list", "--json").stdout)] == ["idle", "web"]


def test_a_machine_that_nobody_knows_is_an_error_that_says_so(box):
    for words in (["list"], ["status", "web"], ["why", "web"], ["start", "web"], ["stop", "web"], ["watch"]):
        done = box.hero("-M", "nowhere", *words, check=False)
        assert done.returncode == 69 and not done.stdout, done
        assert done.stderr == f"hero_proc: cannot connect to the system bus of nowhere: {NOBODY}\n", done
    done = box.hero("-M", "root@nowhere", "list", check=False)
    assert done.returncode == 69 and not done.stdout, done
    assert done.stderr.splitlines()[-1] == "hero_proc: root@nowhere: the bus cannot be reached", done
    done = box.hero("-M", "nowhere", "logs", "web", check=False)
    assert done.returncode != 0 and "nowhere" in done.stderr, done

    rows, code, _ = board(box, "-M", "nowhere", "-M", NAME, "-M", ".host")
    assert code == 69 and silent_row(rows, "nowhere").endswith(NOBODY), rows
    assert [(row["host"], row["name"]) for row in rows[1:]] == [(".host", "outside"), (NAME, "web"), (NAME, "idle")]


def test_who_may_not_enter_a_container_is_told_so(box):
    done = box.run(["hero_proc", "-M", NAME, "list"], user="hero", check=False)
    assert done.returncode == 69 and not done.stdout, done
    assert done.stderr == f"hero_proc: cannot connect to the system bus of {NAME}: Permission denied\n", done


def test_a_container_without_a_server_says_how_to_start_it(box):
    container.systemctl("mask", "--now", "--runtime", SERVER_UNIT)
    done = act(box, "list", check=False)
    assert done.returncode == 69, done
    assert done.stderr == f"hero_proc: hero_proc_server is not running: systemctl -M {NAME} start hero_proc\n", done
    rows, code, _ = board(box, "-M", NAME, "-M", ".host")
    assert code == 69 and silent_row(rows, NAME) == "hero_proc_server is not running", rows
    container.systemctl("unmask", "--runtime", SERVER_UNIT)
    act(box, "wait", "web")


def test_a_frozen_container_is_not_waited_for_and_hides_nobody(box):
    box.systemctl("freeze", container.unit)
    try:
        rows, code, seconds = board(box, "-M", NAME, "-M", ".host", "--timeout=1")
        assert code == 69 and "within 1 s" in silent_row(rows, NAME), rows
        assert [(row["host"], row["name"]) for row in rows[1:]] == [(".host", "outside")]
        assert 1 <= seconds < 5, seconds
        done = act(box, "list", "--timeout=1", check=False)
        assert done.returncode == 69 and done.stderr == f"hero_proc: {NAME}: the bus does not answer\n", done
    finally:
        box.systemctl("thaw", container.unit)
    rows, code, _ = board(box, "-M", NAME, "-M", ".host")
    assert code == 0 and [row["name"] for row in rows] == ["outside", "web", "idle"], rows


def test_a_container_that_was_terminated_is_not_known_until_it_is_there_again(box):
    with Terminal(box) as terminal:
        terminal.enter(f"hero_proc -M {NAME} watch; echo it ended with $?")
        terminal.wait(lambda text: "q quit" in text and " web " in text, WITHIN_SECONDS, "the board is there")
        container.terminate()
        text = terminal.wait(lambda text: "it ended with 69" in text, WITHIN_SECONDS, "the board is gone")
        assert "lost the connection to the bus" in text, text

    done = act(box, "list", check=False)
    assert done.returncode == 69 and done.stderr.endswith(f"of {NAME}: {NOBODY}\n"), done
    rows, code, _ = board(box, "-M", NAME, "-M", ".host")
    assert code == 69 and silent_row(rows, NAME).endswith(NOBODY), rows
    assert [row["name"] for row in rows[1:]] == ["outside"]

    container.start()
    act(box, "wait", "web")
    rows, code, _ = board(box, "-M", NAME, "-M", ".host")
    assert code == 0 and [(row["name"], row["state"]) for row in rows] == [
        ("outside", "running"), ("web", "running"), ("idle", "stopped")], rows
    assert len(container.cgroup_pids("hero-web.service")) == 1
