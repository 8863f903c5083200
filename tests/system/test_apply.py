# SPDX-License-Identifier: LGPL-2.1-or-later
"""apply is a difference: one call, all or nothing, and it restarts only what has to be made anew."""

from __future__ import annotations

import json

from box import SERVER_UNIT
from house import everything, lives, probe, sleeper, units, web_action, web_service

WITHIN_SECONDS = 15.0


def prepare(box):
    box.apply(sleeper("beside"))
    box.wait_state("beside", "running", WITHIN_SECONDS)


def remove(box, *names):
    box.hero("remove", *names)


def description(box, unit):
    return box.unit_property(unit, "Description")


def wait_description(box, unit, text):
    box.wait_for(lambda: description(box, unit) == text, WITHIN_SECONDS, f"systemd calls {unit} {text!r}")


def apply_and_await(box, definition):
    box.apply(definition)
    box.wait_state(definition["name"], "running", WITHIN_SECONDS)


def wait_nothing_begun(box):
    """That what was begun has ended is written down a moment later."""
    box.wait_for(lambda: all(row["intention"] == 0 for row in json.loads(box.hero("dump").stdout)["services"]) and
                 not json.loads(box.hero("dump").stdout)["store_owed"], WITHIN_SECONDS, "nothing is under way")


def wait_other_life(box, unit, before):
    """Until it runs with an InvocationID that it did not have before."""
    box.wait_for(lambda: lives(box).get(unit, ("", 0, ""))[2] not in ("", before[unit][2]), WITHIN_SECONDS,
                 f"{unit} has been restarted")


# -- what restarts nothing --


def test_a_new_description_restarts_nothing_and_systemd_says_it_at_once(box):
    def two(text):
        return {"name": "told-live", "description": text, "actions": {
            "a": {"exec": ["/bin/sleep", "infinity"]}, "b": {"exec": ["/bin/sleep", "infinity"]}}}

    apply_and_await(box, two("before"))
    before = lives(box, "hero-told*")
    assert len(before) == 2
    assert "told-live: updated, restarts nothing" in box.apply(two("after"), options=["--dry-run"]).stdout
    assert description(box, "hero-told-live@a.service") == "before: a"
    box.apply(two("after"))
    for action in "ab":
        wait_description(box, f"hero-told-live@{action}.service", f"after: {action}")
    wait_description(box, "hero-told\\x2dlive.slice", "after")
    box.systemctl("daemon-reload")
    box.restart_server()
    box.wait_state("told-live", "running", WITHIN_SECONDS)
    assert description(box, "hero-told-live@a.service") == "after: a"
    assert lives(box, "hero-told*") == before
    # What systemd was told then is not in the way of what the next units are made of.
    changed = two("third")
    changed["actions"]["a"]["env"] = {"A": "1"}
    box.apply(changed)
    wait_description(box, "hero-told-live@a.service", "third: a")
    box.wait_state("told-live", "running", WITHIN_SECONDS)
    assert description(box, "hero-told-live@b.service") == "third: b"
    remove(box, "told-live")


def test_what_no_unit_is_made_of_restarts_nothing(box):
    base = web_service(box, "steady")
    apply_and_await(box, base)
    before = lives(box)
    changes = [
        {"probes": [probe("health", "/health"), probe("files", "/api/files", failures=5, role="report")]},
        {"on_unhealthy": "report"},
        {"autostart": False},
        {"requires": ["beside"]},
        {"after": ["beside", "not-there"]},
        {"restart": {"stability_period_ms": 5000}},
        {"limits": {"memory_max": "100M", "cpu_quota_percent": 90, "tasks_max": 50}},
        {"systemd": {"CPUWeight": 50}},
        {"sockets": ["rpc.sock", "later.sock"], "start_timeout_ms": 30000},
    ]
    for fields in changes:
        definition = {**base, **fields}
        assert "steady: updated, restarts nothing" in box.apply(definition, options=["--dry-run"]).stdout, fields
        assert box.apply(definition).stdout == "steady: updated\n"
        box.apply({**base, "systemd": {}} if "systemd" in fields else base)
        # A limit of tasks that goes is the one that has to be made anew.
        if "limits" in fields:
            box.wait_for(lambda: lives(box) != before, WITHIN_SECONDS, "it has been made anew")
            box.wait_state("steady", "running", WITHIN_SECONDS)
            before = lives(box)
    # Whatever was begun would have to come before this.
    assert box.hero("restart", "beside").returncode == 0
    after = lives(box)
    assert {name: life for name, life in after.items() if "steady" in name} == {
        name: life for name, life in before.items() if "steady" in name}
    remove(box, "steady")


def test_the_same_fields_in_another_order_restart_nothing(box):
    first = {"name": "ordered",
             "actions": {"z": {"exec": ["/bin/sleep", "infinity"], "env": {"D": "4", "C": "3"}},
                         "a": {"exec": ["/bin/sleep", "infinity"]}}}
    apply_and_await(box, first)
    before = lives(box, "hero-ordered*")
    box.hero("apply", "-", input=json.dumps(first, sort_keys=True, indent=4))
    box.hero("restart", "beside")
    assert lives(box, "hero-ordered*") == before
    remove(box, "ordered")


def test_limits_change_on_the_unit_that_runs_and_go_again(box):
    apply_and_await(box, sleeper("limited"))
    before = lives(box, "hero-limited*")

    def limits():
        seen = box.unit_properties("hero-limited.service")
        return seen["MemoryMax"], seen["CPUQuotaPerSecUSec"]

    for given, expected in (({"memory_max": "64M", "cpu_quota_percent": 50}, ("67108864", "500ms")),
                            ({"memory_max": "32M"}, ("33554432", "infinity")), ({}, ("infinity", "infinity"))):
        box.apply(sleeper("limited", limits=given))
        box.wait_for(lambda e=expected: limits() == e, WITHIN_SECONDS, f"systemd has {expected}")
        box.systemctl("daemon-reload")
        assert limits() == expected
        maximum = "/sys/fs/cgroup/hero.slice/hero-limited.slice/hero-limited.service/memory.max"
        if box.run(["test", "-e", maximum], check=False).returncode == 0:
            assert box.read_file(maximum).strip() == (expected[0] if expected[0] != "infinity" else "max")
    assert lives(box, "hero-limited*") == before
    remove(box, "limited")


def test_a_limit_that_an_operator_set_outlives_another_change(box):
    apply_and_await(box, sleeper("capped"))
    box.systemctl("set-property", "--runtime", "hero-capped.service", "MemoryMax=48M")
    box.apply(sleeper("capped", description="changed"))
    wait_description(box, "hero-capped.service", "changed")
    assert box.unit_property("hero-capped.service", "MemoryMax") == str(48 << 20)
    remove(box, "capped")


def test_a_socket_that_is_declared_later_restarts_nothing_and_is_judged(box):
    action = {**web_action(box, "grows", options=["--socket", "/run/hero/grows/ui.sock"]), "on_unhealthy": "report"}
    apply_and_await(box, {"name": "grows", **action})
    before = lives(box, "hero-grows*")
    apply_and_await(box, {"name": "grows", **action, "sockets": ["rpc.sock", "ui.sock"]})
    paths = {row["path"]: row["state"] for row in box.hero_json("status", "grows")[0]["sockets"]}
    assert paths == {"/run/hero/grows/rpc.sock": "alive", "/run/hero/grows/ui.sock": "alive"}
    box.run(["rm", "/run/hero/grows/ui.sock"])
    box.wait_state("grows", "failed", WITHIN_SECONDS)
    assert lives(box, "hero-grows*") == before
    # The shim of the next start knows of it, without hero_proc being there.
    box.apply({"name": "grows", **action, "sockets": ["rpc.sock", "ui.sock", "dead.sock"]})
    box.stop_server()
    box.agent.call(leave_dead_socket, "/run/hero/grows/dead.sock")
    box.systemctl("restart", "hero-grows.service")
    assert box.run(["test", "-e", "/run/hero/grows/dead.sock"], check=False).returncode == 1
    box.start_server()
    remove(box, "grows")


def leave_dead_socket(path):
    dead = socket.socket(socket.AF_UNIX)  # noqa: F821
    dead.bind(path)
    dead.close()


def pretend_lost_after_commit(name, text):
    """In the box, while no server holds the store: it was written, and then the server was lost."""
    import sqlite3  # pylint: disable=import-outside-toplevel
    store = sqlite3.connect("/var/lib/hero_proc/hero_proc.db")
    store.execute("UPDATE service SET definition = ?, definition_checksum = NULL, intention = 'refresh' WHERE name = ?",
                  (text, name))
    store.commit()
    store.close()


def test_a_server_that_is_lost_before_it_could_tell_systemd_does_so_in_its_next_life(box):
    apply_and_await(box, sleeper("late", limits={"memory_max": "64M"}))
    before = lives(box, "hero-late*")
    for _ in range(2):  # also where it has been told already
        box.stop_server()
        box.agent.call(pretend_lost_after_commit, "late", json.dumps(sleeper("late", description="told late")))
        box.start_server()
        wait_description(box, "hero-late.service", "told late")
        wait_description(box, "hero-late.slice", "told late")
        box.wait_for(lambda: box.unit_property("hero-late.service", "MemoryMax") == "infinity", WITHIN_SECONDS,
                     "the limit that went is lifted")
        box.wait_for(lambda: json.loads(box.hero("dump").stdout)["services"][1]["intention"] == 0, WITHIN_SECONDS,
                     "nothing is left to be done")
    assert lives(box, "hero-late*") == before
    remove(box, "late")


def change_in_store(change, name):
    """In the box, while no server holds the store: as a disk that fails."""
    import sqlite3  # pylint: disable=import-outside-toplevel
    store = sqlite3.connect("/var/lib/hero_proc/hero_proc.db")
    assert store.execute(f"UPDATE service SET {change} WHERE name = ?", (name,)).rowcount == 1
    store.commit()
    store.close()


def apply_and_kill_the_server(text, server):
    """In the box: what was acknowledged is all that it had the time to write."""
    call_bus("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", "ApplyDefinitions", "ast", 1, text, 0)  # noqa: F821
    os.kill(server, signal.SIGKILL)  # noqa: F821


def test_a_service_that_is_damaged_in_the_store_is_named_and_left_alone_until_it_is_applied_again(box):
    for change, what in (("definition = replace(definition, 'infinity', 'infinitx')", "definition"),
                         ("wanted_up = 0", "wish"), ("intention = 'stoq'", "intention")):
        name = f"rotten-{what}"
        apply_and_await(box, sleeper(name))
        before = lives(box)
        box.stop_server()
        box.agent.call(change_in_store, change, name)
        box.start_server()
        box.wait_state("beside", "running", WITHIN_SECONDS)
        assert name not in box.states()
        assert f"the stored {what} of {name} is damaged" in box.journal(SERVER_UNIT)
        assert lives(box) == before
        box.agent.call(apply_and_kill_the_server, json.dumps(sleeper(name)), box.main_pid(SERVER_UNIT))
        box.wait_state(name, "running", WITHIN_SECONDS)
        assert box.journal(SERVER_UNIT).count(f"of {name} is damaged") == 1
        remove(box, name)


# -- what restarts --


def test_what_a_process_was_made_with_restarts_its_service_and_no_other(box):
    base = sleeper("made")
    apply_and_await(box, base)
    before = lives(box)
    for fields in ({"env": {"A": "1"}}, {"exec": ["/bin/sleep", "100000"]}, {"working_dir": "/tmp"}, {"umask": "0077"},
                   {"user": "nobody"}, {"stop_signal": "SIGINT"}, {"stop_timeout_ms": 5000},
                   {"restart": {"policy": "always"}}, {"systemd": {"PrivateTmp": True}}):
        assert "made: updated, restarts it" in box.apply({**base, **fields}, options=["--dry-run"]).stdout, fields
        box.apply({**base, **fields})
        wait_other_life(box, "hero-made.service", before)
        box.wait_state("made", "running", WITHIN_SECONDS)
        now = lives(box)
        assert now["hero-beside.service"] == before["hero-beside.service"]
        before = now
    remove(box, "made")


# -- one call --


def test_one_call_creates_updates_and_removes_as_its_dry_run_said(box):
    box.apply(sleeper("kept"), sleeper("changes"), sleeper("described"), sleeper("goes"))
    for name in ("kept", "changes", "described", "goes"):
        box.wait_state(name, "running", WITHIN_SECONDS)
    before = lives(box)
    set_of = [sleeper("beside"), sleeper("kept"), sleeper("changes", env={"A": "1"}),
              sleeper("described", description="new"), sleeper("comes")]
    planned = box.apply(*set_of, options=["--dry-run", "--prune"]).stdout
    heads = [line for line in planned.splitlines() if not line.startswith(" ")]
    assert heads == ["changes: updated, restarts it", "comes: created, and started",
                     "described: updated, restarts nothing", "goes: removed"], planned
    assert '  description: "new" (added)' in planned and '  env: {"A":"1"} (added)' in planned
    assert lives(box) == before
    done = box.apply(*set_of, options=["--prune"]).stdout.splitlines()
    assert sorted(done) == ["beside: unchanged", "changes: updated", "comes: created", "described: updated",
                            "goes: removed", "kept: unchanged"]
    box.wait_for(lambda: not units(box, "hero-goes*"), WITHIN_SECONDS, "what goes is gone")
    box.wait_state("comes", "running", WITHIN_SECONDS)
    wait_other_life(box, "hero-changes.service", before)
    box.wait_state("changes", "running", WITHIN_SECONDS)
    after = lives(box)
    for unit in ("hero-beside.service", "hero-kept.service", "hero-described.service"):
        assert after[unit] == before[unit], unit
    remove(box, "kept", "changes", "described", "comes")


def test_one_bad_file_among_good_ones_changes_nothing_at_all(box):
    apply_and_await(box, sleeper("inner", requires=["beside"]))
    wait_nothing_begun(box)
    before = everything(box)
    good = [sleeper("aaa"), sleeper("inner", requires=["beside"], env={"A": "1"})]
    for bad in (sleeper("zzz", ready="soon"), sleeper("zzz", requires=["nowhere"]),
                sleeper("beside", requires=["inner"]), sleeper("zzz", unknown=1),
                sleeper("zzz", systemd={"RootEphemeral": "perhaps"})):
        for options in ([], ["--prune"], ["--dry-run"]):
            done = box.apply(*good, bad, options=options, check=False)
            assert done.returncode == 65 and done.stdout == "", done
            assert everything(box) == before, bad
    # What goes is still required by what stays.
    done = box.apply(sleeper("inner", requires=["beside"]), options=["--prune"], check=False)
    assert done.returncode == 65 and "beside" in done.stderr and everything(box) == before
    # Two files that define the same.
    box.write_file("/tmp/twice/1.json", json.dumps(sleeper("aaa")))
    box.write_file("/tmp/twice/2.json", json.dumps(sleeper("aaa", env={"B": "1"})))
    done = box.hero("apply", "/tmp/twice", check=False)
    assert done.returncode == 65 and "aaa: defined twice" in done.stderr and everything(box) == before
    remove(box, "inner")


def test_what_an_operator_stopped_stays_stopped_through_every_kind_of_change(box):
    apply_and_await(box, sleeper("rests"))
    box.hero("stop", "rests")
    for fields in ({"description": "other"}, {"env": {"A": "1"}}, {"on_unhealthy": "report"}, {"autostart": True}):
        definition = sleeper("rests", **fields)
        assert "restarts it" not in box.apply(definition, options=["--dry-run"]).stdout
        box.apply(definition)
        box.wait_for(lambda: units(box, "hero-rests.service")["hero-rests.service"]["LoadState"] == "loaded",
                     WITHIN_SECONDS, "it can be started")
        box.wait_state("rests", "stopped", WITHIN_SECONDS)
        assert not box.cgroup_pids("hero-rests.service")
    box.restart_server()
    box.wait_state("rests", "stopped", WITHIN_SECONDS)
    box.hero("start", "rests")
    assert box.cgroup_pids("hero-rests.service") and description(box, "hero-rests.service") == "rests"
    assert box.main_pid(SERVER_UNIT) > 0
    remove(box, "rests")
