# SPDX-License-Identifier: LGPL-2.1-or-later
"""One board of many hosts, over a real sshd: each tells what is true of it, and none keeps another one waiting."""

from __future__ import annotations

import json
import signal
import time

import ssh_host
from box import SERVER_UNIT
from house import sleeper
from terminal import Terminal

HERE, THERE = "127.0.0.1", "hero@127.0.0.2"
CLOSED, TARPIT, STRANGER = "127.0.0.3:22", "127.0.0.4:22", "stranger@127.0.0.1"
WITHIN_SECONDS = 20.0
NEVER = {"policy": "never"}


def prepare(box):
    key = ssh_host.become_client(box)
    ssh_host.listen(box, f"{HERE}:22", key)
    ssh_host.make_tarpit(box, TARPIT)
    box.apply(sleeper("web"), sleeper("idle", autostart=False))
    box.wait_state("web", "running", WITHIN_SECONDS)


def with_other(box):
    """The second machine, which lives as long as the test that asks for it."""
    folder = ssh_host.shared_folder(box)
    machine = box.another(binds=[f"{folder.name}:/shared"])
    ssh_host.listen(machine, "/shared/ssh.sock", box.read_file(f"{ssh_host.KEY}.pub"))
    ssh_host.lead_to(box, "127.0.0.2:22", f"{folder.name}/ssh.sock")
    machine.apply(sleeper("web"), sleeper("broken", exec="exit 3", restart=NEVER))
    machine.wait_state("web", "running", WITHIN_SECONDS)
    machine.wait_state("broken", "failed", WITHIN_SECONDS)
    return machine, folder


def hosts(*names):
    return [word for name in names for word in ("-H", name)]


def ask(box, *words):
    began = time.monotonic()
    done = box.hero("list", *words, check=False)
    return done, time.monotonic() - began


def rows_of(done):
    return [(row["host"], row["name"], row["state"]) for row in json.loads(done.stdout)]


def ssh_processes(box):
    return box.run(["pgrep", "-x", "ssh"], check=False).stdout.split()


def test_a_board_of_two_machines_names_the_host_of_each_service_failed_first(box):
    machine, folder = with_other(box)
    with folder, machine:
        done, _ = ask(box, *hosts(HERE, THERE), "--json", "--timeout=20")
        assert done.returncode == 0, done.stderr
        assert rows_of(done) == [(THERE, "broken", "failed"), (HERE, "web", "running"), (THERE, "web", "running"),
                                 (HERE, "idle", "stopped")]
        for row in json.loads(done.stdout):
            where = box if row["host"] == HERE else machine
            (action,) = row["actions"]
            assert action["active_state"] == where.unit_property(action["unit"], "ActiveState")
            assert [action["main_pid"]] * bool(action["main_pid"]) == where.cgroup_pids(action["unit"])

        done, _ = ask(box, *hosts(HERE, THERE), "-M", ".host", "w*", "--timeout=20")
        lines = done.stdout.splitlines()
        assert lines[0].split() == ["STATE", "HOST", "NAME", "SINCE", "REASON"], done.stdout
        assert [line.split()[2:4] for line in lines[1:4]] == [[".host", "web"], [HERE, "web"], [THERE, "web"]], done.stdout
        assert lines[-1] == "3 services: 3 running", done.stdout

        machine.stop_server()
        machine.systemctl("mask", "--runtime", SERVER_UNIT)
        done, _ = ask(box, *hosts(HERE, THERE), "--json", "--timeout=20")
        (silent,) = [row for row in json.loads(done.stdout) if row["host"] == THERE]
        assert silent["reasons"][0]["text"] == "hero_proc_server is not running", silent
        assert done.returncode == 69

    done, _ = ask(box, *hosts(HERE, THERE), "--json")
    assert rows_of(done)[0] == (THERE, None, "unknown"), "a machine that has gone is not known any more"
    assert done.returncode == 69


def test_hosts_that_do_not_answer_are_unknown_with_what_ssh_said_and_hide_nobody(box):
    done, seconds = ask(box, *hosts(CLOSED, TARPIT, STRANGER, "no-such-host.invalid", HERE), "-M", "nowhere", "--json",
                        "--timeout=4")
    rows = json.loads(done.stdout)
    said = {row["host"]: row["reasons"][0] for row in rows if row["state"] == "unknown"}
    assert rows_of(done)[-2:] == [(HERE, "web", "running"), (HERE, "idle", "stopped")], done.stdout
    assert len(rows) == 7 and seconds < 8, (seconds, done.stdout)
    assert "port 22: Connection refused" in said[CLOSED]["text"], said
    assert "Permission denied (publickey)" in said[STRANGER]["text"], said
    assert "Could not resolve hostname" in said["no-such-host.invalid"]["text"], said
    assert said[TARPIT]["text"].endswith(("timed out", "within 4 s")), said
    assert "nowhere" in said and {reason["code"] for reason in said.values()} == {"server-unreachable"}, said
    assert done.returncode == 69 and not done.stderr, done
    assert not ssh_processes(box)


def test_the_summary_does_not_count_a_silent_host_as_a_service(box):
    done, _ = ask(box, *hosts(CLOSED, HERE), "nothing-of-that-name*")
    lines = done.stdout.splitlines()
    assert lines[1].split()[1:4] == ["unknown", CLOSED, "-"] and "refused" in lines[1], done.stdout
    assert lines[-1] == "0 services; of 1 host nothing is known", done.stdout


def test_silent_hosts_cost_the_time_of_one(box):
    done, seconds = ask(box, *hosts(*[TARPIT] * 8), "-M", ".host", "--timeout=1", "--json")
    rows = rows_of(done)
    assert [row for row in rows if row[1]] == [(".host", "web", "running"), (".host", "idle", "stopped")], rows
    assert len(rows) == 10 and 1 <= seconds < 5, (seconds, rows)
    assert not ssh_processes(box)


def test_one_silent_host_alone_is_not_waited_for_after_the_time_is_up(box):
    done, seconds = ask(box, "-H", TARPIT, "--timeout=1")
    assert done.returncode == 69 and "does not answer" in done.stderr, done
    assert 1 <= seconds < 5, seconds
    assert not ssh_processes(box)


def test_who_asks_for_a_board_and_is_killed_leaves_no_ssh_behind(box):
    asking = box.spawn(["hero_proc", "list", *hosts(TARPIT, TARPIT), "--timeout=60"])
    box.wait_for(lambda: len(ssh_processes(box)) == 2, WITHIN_SECONDS, "both hosts are asked")
    box.run(["pkill", "-KILL", "-x", "hero_proc"])
    box.wait_for(lambda: not ssh_processes(box), WITHIN_SECONDS, "ssh is gone")
    assert asking.wait() in (-signal.SIGKILL, 128 + signal.SIGKILL)


def test_watch_shows_another_machine_and_follows_it(box):
    with Terminal(box) as terminal:
        terminal.enter(f"hero_proc -H {HERE} watch")
        text = terminal.wait(lambda text: "q quit" in text and " web " in text, WITHIN_SECONDS, "the board is there")
        assert HERE in text.splitlines()[0], text
        box.hero("stop", "web")
        terminal.wait(lambda text: any("stopped" in line and " web " in line for line in text.splitlines()),
                      WITHIN_SECONDS, "the stop is seen")
        terminal.press("q")
        terminal.wait(lambda text: "q quit" not in text, WITHIN_SECONDS, "the board is gone")
    box.hero("start", "web")
    assert not ssh_processes(box)
