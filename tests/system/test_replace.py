# SPDX-License-Identifier: LGPL-2.1-or-later
"""A definition is changed under whatever its processes are doing: one generation at a time, and always the new one."""

from __future__ import annotations

import itertools
import json
from typing import Any

from box import SERVER_UNIT, Box
from house import lives, probe, sleeper, units, web_action, web_service

WITHIN_SECONDS = 10.0
ROUNDS = 200
MARK = "generation-"


def prepare(box: Box) -> None:
    box.start_server()


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


# What a generation may be doing when the next one replaces it. $1 is its mark.
MANNERS: dict[str, dict[str, Any]] = {
    "running": {"exec": shell("sleep 1000")},
    "failed": {"exec": shell("exit 3"), "restart": {"policy": "never"}},
    "crash-looping": {"exec": shell("exit 3"), "restart": {"policy": "always", "delay_ms": 1, "max_attempts": 1000}},
    "slow-to-stop": {"exec": shell("trap 'sleep 0.1; exit 0' TERM; while :; do sleep 0.05; done")},
    "deaf": {"exec": shell("trap '' TERM; while :; do sleep 0.05; done"), "stop_timeout_ms": 100},
    "never-ready": {"exec": shell("sleep 1000"), "ready": "notify"},
    "with-children": {"exec": shell("setsid sh -c 'trap \"\" TERM; sleep 1000' $0 $1 & sleep 1000"), 
                      "stop_timeout_ms": 100},
}


def generation(name: str, number: int, manner: str) -> dict[str, Any]:
    action = dict(MANNERS[manner])
    mark = f"{MARK}{number}"
    return {"name": name, "description": mark, **action, "exec": [*action["exec"], name, mark]}


def replace_many(rounds: list[list[list[str]]]) -> list[str]:
    """In the box: applies the definitions of each round together, each given as [service, manner or "", mark, text];
    waits until all are in their manner, unless that is "" (then the next round comes at once). All the time it looks
    for two generations in one service. Returns what was wrong."""
    # pylint: disable=undefined-variable
    import threading  # pylint: disable=import-outside-toplevel
    wrong: list[str] = []
    looks, done = [0], threading.Event()

    def marks(service: str) -> set[str]:
        found = set()
        for pid in processes_in_cgroup(f"hero.slice/hero-{service}.slice"):  # noqa: F821
            try:
                words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")  # noqa: F821
            except OSError:
                continue
            found |= {word for word in words if word.startswith("generation-")}
        return found

    def watch() -> None:
        while not done.is_set():
            for service, *_ in rounds[0]:
                seen = marks(service)
                looks[0] += 1
                # A process may end, and its successor begin, in the middle of one look; not of two.
                if len(seen) > 1 and len(seen & marks(service)) > 1:
                    wrong.append(f"{service}: {sorted(seen)} are alive together")

    def is_in_manner(service: str, manner: str, mark: str) -> bool:
        wanted = ["show", "-p", "ActiveState,NRestarts,Description", f"hero-{service}.service"]
        shown = subprocess.run(["systemctl", *wanted], capture_output=True, text=True, check=True).stdout  # noqa: F821
        unit = dict(line.split("=", 1) for line in shown.splitlines())
        if unit["Description"] != mark:
            return False
        if manner == "failed":
            return unit["ActiveState"] == "failed"
        return int(unit["NRestarts"]) > 1 if manner == "crash-looping" else marks(service) == {mark}

    watcher = threading.Thread(target=watch)
    watcher.start()
    errors = Signals("type='error'")  # noqa: F821
    try:
        for each in rounds:
            texts = ",".join(text for *_, text in each)
            applied = subprocess.run(["hero_proc", "apply", "-"], input=f"[{texts}]",  # noqa: F821
                                     capture_output=True, text=True, check=False)
            if applied.returncode != 0:
                wrong.append(applied.stderr)
            for service, manner, mark, _ in each:
                if manner and seconds_until(lambda: is_in_manner(service, manner, mark), 20) is None:  # noqa: F821
                    wrong.append(f"{service}: {mark} never got into its manner, {manner}")
    finally:
        done.set()
        watcher.join()
    # One that must be seen, to know that the others would have been.
    subprocess.run(["busctl", "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1",  # noqa: F821
                    "org.freedesktop.systemd1.Manager", "StartTransientUnit", "ssa(sv)a(sa(sv))", "dbus.service",
                    "fail", "0", "0"], capture_output=True, check=False)
    with errors:
        while (message := errors.next(5)) and "dbus.service" not in str(message["payload"]["data"]):
            if "UnitExists" in message["error_name"]:
                wrong.append(str(message["payload"]["data"]))
    if not message or "UnitExists" not in message["error_name"]:
        wrong.append(f"errors on the bus were not heard: {message}")
    return wrong if looks[0] > len(rounds) else [*wrong, f"only {looks[0]} looks"]


def marks_alive(box: Box, name: str) -> set[str]:
    found = box.run(["sh", "-c", "for p in $(cat /sys/fs/cgroup/hero.slice/$1/cgroup.procs "
                     "/sys/fs/cgroup/hero.slice/$1/*/cgroup.procs); do tr '\\0' '\\n' </proc/$p/cmdline; done 2>/dev/null",
                     "sh", f"hero-{name}.slice"], check=False).stdout.split()
    return {word for word in found if word.startswith(MARK)}


def test_two_hundred_changes_never_meet_an_old_unit_and_always_end_with_the_new_generation_alone(box):
    """Five services side by side, each beginning with another manner. Of three changes the first is given time to get
    into its manner, the second replaces it and is overtaken at once by the third, an ordinary one."""
    names, manners = [f"turning{i}" for i in range(5)], list(MANNERS)

    def entry(index: int, number: int) -> list[str]:
        step, (first, second) = number % 3, divmod(number // 3 + index, len(manners))
        manner = (manners[second], manners[(first + second) % len(manners)], "running")[step]
        definition = generation(names[index], number, manner)
        return [names[index], "" if step == 1 else manner, f"{MARK}{number}", json.dumps(definition)]

    n_rounds = -(-ROUNDS // len(names) // 3) * 3
    rounds = [[entry(index, number) for index in range(len(names))] for number in range(n_rounds)]
    assert len(rounds) * len(names) >= ROUNDS
    wrong = box.agent.call(replace_many, rounds, timeout=120)
    assert not wrong, wrong
    for name in names:
        box.wait_state(name, "running", WITHIN_SECONDS)
    journal = box.journal(SERVER_UNIT)
    for word in ("UnitExists", "already loaded", "has a fragment file", "stays loaded", "refuses"):
        assert word not in journal, word


def test_each_manner_is_replaced_to_its_end_by_the_new_generation(box):
    """The same without haste: the old one is really in its manner, and the new one runs before the next is tried."""
    number = 1000
    for manner in MANNERS:
        box.apply(generation("calm", number, manner))
        expected = {"failed": "failed", "crash-looping": "restarting", "never-ready": "not ready"}.get(manner, "running")
        box.wait_for(lambda e=expected: box.states()["calm"] == e or (
            e == "not ready" and box.states()["calm"] in ("starting", "restarting")), WITHIN_SECONDS, expected)
        box.apply(generation("calm", number + 1, "running"))
        box.wait_for(lambda n=number: marks_alive(box, "calm") == {f"{MARK}{n + 1}"}, WITHIN_SECONDS,
                     f"the new generation replaces the {manner} one")
        box.wait_state("calm", "running", WITHIN_SECONDS)
        number += 2


def test_a_change_of_probes_only_restarts_nothing_and_takes_effect(box):
    web = web_service(box, "probed")
    box.apply(web)
    box.wait_state("probed", "running", WITHIN_SECONDS)
    before = lives(box, "hero-probed*")
    box.apply({**web, "probes": [probe("files", "/api/files"), probe("absent", "/no/such/path", failures=1)],
               "on_unhealthy": "report"})
    box.wait_state("probed", "failed", WITHIN_SECONDS)
    assert box.hero_json("status", "probed")[0]["reasons"][0]["subject"] == "absent"
    box.apply({**web, "probes": []})
    box.wait_state("probed", "running", WITHIN_SECONDS)
    assert lives(box, "hero-probed*") == before


def test_an_unchanged_definition_touches_nothing(box):
    box.apply(web_service(box, "same"))
    box.wait_state("same", "running", WITHIN_SECONDS)
    before = lives(box)
    assert box.apply(web_service(box, "same")).stdout == "same: unchanged\n"
    assert lives(box) == before


def test_actions_are_added_renamed_and_removed(box):
    server, page = web_action(box, "shape"), web_action(box, "shape", "ui.sock")

    def assert_has(actions: dict[str, Any], expected: set[str]) -> None:
        box.apply({"name": "shape", "actions": actions})
        box.wait_state("shape", "running", WITHIN_SECONDS)
        known = units(box, "hero-shape*.service")
        assert set(known) == expected
        assert all(len(unit["pids"]) == 1 and unit["ActiveState"] == "active" for unit in known.values())

    assert_has({"main": server}, {"hero-shape.service"})
    assert_has({"main": server, "ui": page}, {"hero-shape@main.service", "hero-shape@ui.service"})
    assert_has({"api": server, "ui": page}, {"hero-shape@api.service", "hero-shape@ui.service"})
    assert_has({"api": server}, {"hero-shape@api.service"})
    assert_has({"main": server}, {"hero-shape.service"})
    assert box.http("/run/hero/shape/rpc.sock", "/health")[0] == 200
    assert box.run(["test", "-e", "/run/hero/shape/ui.sock"], check=False).returncode == 1


def test_a_stopped_service_stays_down_through_a_change_and_starts_as_the_new_one(box):
    box.apply(generation("resting", 1, "running"))
    box.wait_state("resting", "running", WITHIN_SECONDS)
    box.hero("stop", "resting")
    box.apply(generation("resting", 2, "running"))
    box.wait_for(lambda: box.unit_property("hero-resting.service", "Description") == f"{MARK}2", WITHIN_SECONDS,
                 "its unit is of the new definition")
    box.wait_state("resting", "stopped", WITHIN_SECONDS)
    assert marks_alive(box, "resting") == set()
    box.hero("start", "resting")
    assert marks_alive(box, "resting") == {f"{MARK}2"}


def test_a_dry_run_says_what_it_would_do_and_does_nothing(box):
    box.apply(generation("dry", 1, "running"))
    box.wait_state("dry", "running", WITHIN_SECONDS)
    before = lives(box, "hero-dry*")
    assert "restarts it" in box.apply(generation("dry", 2, "running"), options=["--dry-run"]).stdout
    assert "restarts nothing" in box.apply({**generation("dry", 1, "running"), "on_unhealthy": "report"},
                                           options=["--dry-run"]).stdout
    assert "created" in box.apply(sleeper("not_yet"), options=["--dry-run"]).stdout
    assert lives(box, "hero-dry*") == before and not units(box, "hero-not_yet*") and "not_yet" not in box.states()


def test_what_is_there_of_a_name_that_was_never_heard_of_ends_before_the_service_begins(box):
    """Of another action, by another hand, in its slice; a failed one beside it."""
    place = ["--quiet", "--slice=hero-squatted.slice", "--property=KillMode=process"]
    box.run(["systemd-run", *place, "--unit=hero-squatted@old.service", "/bin/sleep", "infinity"])
    box.run(["systemd-run", *place, "--unit=hero-squatted@lost.service", "/bin/false"])
    old = box.main_pid("hero-squatted@old.service")
    box.wait_for(lambda: box.unit_property("hero-squatted@lost.service", "ActiveState") == "failed", 5, "it has failed")
    box.apply(generation("squatted", 1, "running"))
    box.wait_state("squatted", "running", WITHIN_SECONDS)
    assert marks_alive(box, "squatted") == {f"{MARK}1"} and old > 0
    assert set(units(box, "hero-squatted*.service")) == {"hero-squatted.service"}
    assert box.run(["test", "-e", f"/proc/{old}"], check=False).returncode == 1


def hold_unit(name: str) -> None:
    """For the agent: for as long as this connection lasts, systemd keeps the unit loaded."""
    sys.kept_bus = RawBus()  # noqa: F821
    answer = sys.kept_bus.call("org.freedesktop.systemd1", "/org/freedesktop/systemd1",  # noqa: F821
                               "org.freedesktop.systemd1.Manager", "RefUnit", "s", name)
    assert not answer[0], answer


def seconds_at_work(units: list[str]) -> float:
    """For the agent: what the main processes of these, and systemd, have had of the processor."""
    show = ["systemctl", "show", "-P", "MainPID", *units]
    pids = ["1", *subprocess.run(show, capture_output=True, text=True, check=True).stdout.split()]  # noqa: F821
    stats = [Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in pids]  # noqa: F821
    return sum(int(ticks) for stat in stats for ticks in stat[11:13]) / os.sysconf("SC_CLK_TCK")  # noqa: F821


def let_unit_go() -> None:
    sys.kept_bus.__exit__()  # noqa: F821


def test_a_removal_that_something_holds_up_says_so_and_is_tried_again(box):
    box.apply(sleeper("held"))
    box.wait_state("held", "running", WITHIN_SECONDS)
    box.agent.call(hold_unit, "hero-held.service")
    before = box.agent.call(seconds_at_work, [SERVER_UNIT, "dbus.service"])
    done = box.hero("remove", "held", check=False)
    took = box.agent.call(seconds_at_work, [SERVER_UNIT, "dbus.service"]) - before
    print(f"     {took:.2f} s of the processor")
    assert took < 3, took  # of the 15 s
    assert done.returncode == 1, done
    assert "held: cannot be removed yet: its removal is tried again: a unit stays loaded after its stop" in done.stderr, done
    assert "held" in box.states() and not units(box, "hero-held.service")["hero-held.service"]["pids"]
    box.agent.call(let_unit_go)
    box.wait_for(lambda: "held" not in box.states(), 2 * WITHIN_SECONDS, "it is gone")
