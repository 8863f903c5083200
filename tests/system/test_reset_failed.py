# SPDX-License-Identifier: LGPL-2.1-or-later
"""reset-failed restarts what is broken and nothing else: ten services, three of them broken in different ways."""

from __future__ import annotations

import json

from box import Box
from house import lives, probe, set_fault, sleeper, units, web_action, web_service

WITHIN_SECONDS = 10.0
BROKEN = {"deaf_handler", "lost_socket", "crashed"}
HEALTHY = {"web0", "web1", "pair", "done", "plain", "by_fd3"}
STOPPED = {"halted"}


def prepare(box: Box) -> None:
    """Nothing here heals by itself, so that what changes is reset-failed's doing."""
    box.start_server()
    box.apply(
        *(web_service(box, name, on_unhealthy="report", restart={"policy": "never"})
          for name in ("web0", "web1", "halted", "deaf_handler", "lost_socket", "crashed")),
        {"name": "pair", "on_unhealthy": "report", "probes": [probe("files", "/api/files")],
         "actions": {"server": web_action(box, "pair"), "ui": web_action(box, "pair", "ui.sock")}},
        {"name": "done", "kind": "oneshot", "exec": ["/bin/true"]}, sleeper("plain"),
        web_service(box, "by_fd3", ready="fd3", on_unhealthy="report"))
    for name in HEALTHY | BROKEN - {"done"} | STOPPED:
        if name != "done":
            box.wait_state(name, "running", WITHIN_SECONDS)
    box.hero("stop", "halted")


def break_three(box: Box) -> None:
    set_fault(box, "deaf_handler", "/api/files close")
    box.run(["rm", "/run/hero/lost_socket/rpc.sock"])
    box.run(["kill", "-KILL", str(box.main_pid("hero-crashed.service"))])
    for name in BROKEN:
        box.wait_state(name, "failed", WITHIN_SECONDS)


def service_of(unit: str) -> str:
    return unit.removeprefix("hero-").removesuffix(".service").partition("@")[0]


def touched(box: Box, before: dict[str, tuple[str, int, str]]) -> set[str]:
    """Services of which a process was started or ended."""
    after = lives(box)
    assert after.keys() == before.keys()
    return {service_of(unit) for unit in after if after[unit] != before[unit]}


def reset(box: Box, *words: str) -> tuple[int, dict[str, set[str]]]:
    """Exit status, and who fell into which of the four heaps."""
    status = box.hero("--json=short", "reset-failed", *words, check=False)
    heaps = json.loads(status.stdout)
    assert set(heaps) == {"restarted", "left_alone", "still_failed", "skipped"}
    return status.returncode, {heap: set(members) for heap, members in heaps.items()}


def test_a_dry_run_names_the_three_and_touches_nothing(box):
    break_three(box)
    before = lives(box)
    status, heaps = reset(box, "--dry-run")
    assert heaps["restarted"] == BROKEN and heaps["skipped"] == STOPPED and heaps["left_alone"] == HEALTHY
    assert status == 0
    assert touched(box, before) == set()
    assert {name for name, state in box.states().items() if state == "failed"} == BROKEN


def test_exactly_the_three_broken_are_restarted(box):
    before = lives(box)
    status, heaps = reset(box)
    assert heaps == {"restarted": BROKEN, "left_alone": HEALTHY, "still_failed": set(), "skipped": STOPPED}
    assert status == 0
    assert touched(box, before) == BROKEN
    for name in BROKEN:
        assert box.states()[name] == "running"
        assert box.http(f"/run/hero/{name}/rpc.sock", "/api/files")[0] == 200


def test_a_second_run_restarts_none(box):
    before = lives(box)
    status, heaps = reset(box)
    assert (status, heaps["restarted"], heaps["still_failed"]) == (0, set(), set())
    assert touched(box, before) == set()


def test_it_probes_first_and_leaves_alone_what_has_come_back_by_itself(box):
    """The stored verdict says failed; what counts is what is so now."""
    box.apply(web_service(box, "moody", on_unhealthy="report",
                          probes=[probe("files", "/api/files", failures=1, interval_ms=60000, fast_interval_ms=60000)]))
    box.wait_state("moody", "running", WITHIN_SECONDS)
    set_fault(box, "moody", "/api/files close")
    box.agent.call("call_bus", "org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", "ProbeService",
                   "st", "moody", 0)
    box.wait_state("moody", "failed", WITHIN_SECONDS)
    set_fault(box, "moody", "")
    box.wait_for(lambda: box.http("/run/hero/moody/rpc.sock", "/api/files")[0] == 200, WITHIN_SECONDS, "it serves again")
    assert box.states()["moody"] == "failed", "nobody has asked it since"
    before = lives(box)
    _, heaps = reset(box, "moody")
    assert heaps["left_alone"] == {"moody"}
    assert touched(box, before) == set()
    box.wait_state("moody", "running", 1)


def test_it_finds_what_broke_although_no_probe_has_noticed_yet(box):
    set_fault(box, "moody", "/api/files close")
    box.wait_for(lambda: box.http("/run/hero/moody/rpc.sock", "/api/files")[0] is None, WITHIN_SECONDS, "it is broken")
    assert box.states()["moody"] == "running", "its next probe is a minute away"
    before = lives(box)
    _, heaps = reset(box)
    assert heaps["restarted"] == {"moody"}
    assert touched(box, before) == {"moody"}
    box.hero("remove", "moody")


def test_names_restrict_it_and_an_unknown_one_is_an_error(box):
    break_three(box)
    before = lives(box)
    _, heaps = reset(box, "crashed", "web0")
    assert heaps == {"restarted": {"crashed"}, "left_alone": {"web0"}, "still_failed": set(), "skipped": set()}
    assert touched(box, before) == {"crashed"}
    assert box.hero("reset-failed", "nobody", check=False).returncode == 4
    _, heaps = reset(box)
    assert heaps["restarted"] == BROKEN - {"crashed"}


def test_of_two_actions_only_the_broken_one_is_restarted(box):
    before = lives(box)
    box.run(["rm", "/run/hero/pair/ui.sock"])
    box.wait_state("pair", "failed", WITHIN_SECONDS)
    _, heaps = reset(box, "pair")
    assert heaps["restarted"] == {"pair"}
    after = lives(box)
    assert after["hero-pair@server.service"] == before["hero-pair@server.service"]
    assert after["hero-pair@ui.service"] != before["hero-pair@ui.service"]


def test_force_restarts_the_healthy_but_never_what_an_operator_stopped(box):
    box.systemctl("stop", "hero-pair@ui")
    box.wait_state("pair", "degraded", WITHIN_SECONDS)
    before = lives(box)
    status, heaps = reset(box, "--force")
    assert status == 0 and heaps["skipped"] == STOPPED and heaps["restarted"] == HEALTHY | BROKEN, heaps
    assert touched(box, before) == HEALTHY | BROKEN
    assert units(box)["hero-halted.service"]["pids"] == units(box)["hero-pair@ui.service"]["pids"] == []
    box.systemctl("start", "hero-pair@ui")
    box.wait_state("pair", "running", WITHIN_SECONDS)


def test_what_is_broken_after_its_restart_is_still_failed_and_the_exit_status_says_so(box):
    box.apply({"name": "hopeless", "exec": ["/bin/sh", "-c", "exit 3"], "ready": "notify",
               "restart": {"policy": "never"}})
    box.wait_state("hopeless", "failed", WITHIN_SECONDS)
    before = lives(box)
    status, heaps = reset(box)
    assert status == 1 and heaps["still_failed"] == {"hopeless"} and heaps["restarted"] == set()
    assert heaps["left_alone"] == HEALTHY | BROKEN
    assert touched(box, before) == {"hopeless"}
    box.hero("remove", "hopeless")
    assert reset(box)[0] == 0
