# SPDX-License-Identifier: LGPL-2.1-or-later
"""What happened is remembered."""

from __future__ import annotations

import json
import re

from herodemo import service
from house import sleeper


def prepare(box):
    box.start_server()


def new_states(name: str) -> list[str]:
    """For the agent, while no server holds the store."""
    import sqlite3  # pylint: disable=import-outside-toplevel
    store = sqlite3.connect("/var/lib/hero_proc/hero_proc.db")
    rows = store.execute("SELECT new_state FROM transition JOIN service ON service.id = service_id WHERE name = ? "
                         "ORDER BY transition.id", (name,)).fetchall()
    store.close()  # or the next server could not have it
    return [state for state, in rows]


def test_the_removal_of_a_service_does_not_hold_up_the_history_of_the_others(box):
    box.apply(service(box, "stays"), service(box, "goes"))
    box.wait_state("stays", "running", 5)
    box.hero("remove", "goes")
    box.hero("stop", "stays")
    box.hero("start", "stays")
    box.stop_server()
    states = box.agent.call(new_states, "stays")
    assert states.count("running") == 2 and "stopped" in states
    assert "cannot be written" not in box.journal("hero_proc.service")


def told(box, name, *words, user=None):
    """(from, to, text) of each change, the oldest first."""
    return [(row["from"], row["to"], row["text"]) for row in reversed(box.hero_json("history", name, *words, user=user))]


def test_each_change_is_told_with_time_and_reason(box):
    box.apply(sleeper("told"))
    box.wait_state("told", "running", 5)
    box.hero("stop", "told")
    assert told(box, "told")[-4:] == [("unknown", "starting", told(box, "told")[0][2]), ("starting", "running", ""),
                                      ("running", "stopping", told(box, "told")[2][2]),
                                      ("stopping", "stopped", "stopped by an operator")]
    rows = box.hero_json("history", "told")
    assert all(set(row) == {"at_usec", "from", "to", "code", "text"} for row in rows)
    assert rows[0]["code"] == "stopped-by-operator" and [row["at_usec"] for row in rows] == sorted(
        (row["at_usec"] for row in rows), reverse=True)
    lines = box.hero("history", "told").stdout.splitlines()
    assert re.fullmatch("STATE +AT +BEFORE +REASON", lines[0]) and len(lines) == len(rows) + 1
    assert re.fullmatch(r"○ stopped +\w{3} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \w+ +stopping +stopped by an operator", lines[-1])
    box.hero("remove", "told")


def test_as_many_are_told_as_are_asked_for_the_newest_of_them(box):
    box.apply(sleeper("counted"))
    box.wait_state("counted", "running", 5)
    box.hero("restart", "counted")
    box.wait_state("counted", "running", 5)
    everything = told(box, "counted", "-n", "all")
    assert len(everything) >= 4
    for n in (0, 1, 3):
        assert told(box, "counted", "-n", str(n)) == everything[len(everything) - n:], n
    assert len(box.hero("--no-legend", "history", "counted", "-n", "2").stdout.splitlines()) == 2
    assert box.hero("history", "nobody", check=False).returncode == 4
    box.hero("remove", "counted")


def test_it_outlives_the_server_and_goes_on_behind_what_there_was(box):
    box.apply(sleeper("lasts"))
    box.wait_state("lasts", "running", 5)
    before = box.hero_json("history", "lasts", "-n", "all")
    for restart in (box.restart_server, box.kill_server):
        restart()
        box.wait_state("lasts", "running", 10)
        # That a server came back is no change of the service.
        assert box.hero_json("history", "lasts", "-n", "all") == before
    box.hero("stop", "lasts")
    after = box.hero_json("history", "lasts", "-n", "all")
    assert after[-len(before):] == before and [row["to"] for row in after[:2]] == ["stopped", "stopping"]
    box.hero("remove", "lasts")


def test_a_clean_stop_of_the_server_is_no_change_of_any_service(box):
    box.apply(service(box, "probed"), sleeper("resting", autostart=False))
    box.wait_state("probed", "running", 5)
    box.wait_state("resting", "stopped", 5)
    before = {name: box.hero_json("history", name, "-n", "all") for name in ("probed", "resting")}
    box.stop_server()
    for name, rows in before.items():
        assert box.agent.call(new_states, name) == [row["to"] for row in reversed(rows)], name
    box.start_server()
    box.wait_state("probed", "running", 5)
    assert {name: box.hero_json("history", name, "-n", "all") for name in before} == before
    box.hero("remove", "probed", "resting")


def test_where_everything_goes_down_nothing_is_told_but_what_was_stopped(box):
    """The bus goes last, where systemd keeps to it: what cannot be asked any more is no news of a service."""
    user = "hero"
    box.start_server(user)
    box.apply(sleeper("plain"), sleeper("resting", autostart=False),
              sleeper("broken", exec="exit 3", restart={"policy": "never"}), user=user)
    for name, state in (("plain", "running"), ("resting", "stopped"), ("broken", "failed")):
        box.wait_state(name, state, 5, user)
    before = {name: told(box, name, "-n", "all", user=user) for name in ("plain", "resting", "broken")}
    box.systemctl("restart", f"user@{box.output('id', '-u', user=user).strip()}.service")
    box.start_server(user)
    box.wait_state("plain", "running", 5, user)
    box.wait_state("broken", "failed", 5, user)
    after = {name: [row[:2] for row in told(box, name, "-n", "all", user=user)[len(before[name]):]] for name in before}
    begun = [("unknown", "starting"), ("starting", "running")]
    # Whether the server hears of the stop before the bus is gone is a race.
    assert after["plain"] in ([("running", "stopping"), *begun], begun) and after["resting"] == [], after
    assert after["broken"][:1] in ([("unknown", "starting")], []), after
    assert "unknown" not in [new for rows in after.values() for _, new in rows], after
    box.hero("remove", *before, user=user)


def cycle(name, n):
    """In the box."""
    for _ in range(n):
        for verb in ("stop", "start"):
            subprocess.run(["hero_proc", "-q", verb, name], check=True)  # noqa: F821


def test_it_is_bounded_and_keeps_the_newest(box):
    box.apply(sleeper("busy"))
    box.wait_state("busy", "running", 5)
    box.agent.call(cycle, "busy", 60)
    rows = box.hero_json("history", "busy", "-n", "all")
    assert len(rows) == 200 and rows[0]["to"] == "running"
    box.stop_server()
    assert len(box.agent.call(new_states, "busy")) == 200
    box.start_server()
    assert json.loads(box.hero("--json=short", "history", "busy", "-n", "1").stdout) == rows[:1]
    box.hero("remove", "busy")
    box.apply(sleeper("busy"))
    box.wait_state("busy", "running", 5)
    assert len(box.hero_json("history", "busy", "-n", "all")) <= 3, "a service of the same name begins anew"
    box.hero("remove", "busy")


def failures_counted(box) -> dict:
    reply = box.output("busctl", "--json=short", "call", "org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", "Metrics")
    return json.loads(json.loads(reply)["data"][0])["failures"]


def test_a_failure_that_goes_on_over_a_restart_of_the_server_is_no_new_one(box):
    box.apply({"name": "over", "exec": "exit 7", "restart": {"policy": "never"}}, check=False)
    box.wait_state("over", "failed", 10)
    before = box.hero_json("history", "over")
    assert failures_counted(box)["process-died"] >= 1
    box.restart_server()
    box.wait_state("over", "failed", 10)
    assert box.hero_json("history", "over") == before
    assert failures_counted(box)["process-died"] == 0
    box.hero("remove", "over")
