# SPDX-License-Identifier: LGPL-2.1-or-later
"""The server goes and comes back; no service notices, and what was acknowledged is brought to its end (A2, A8)."""

from __future__ import annotations

import os
import random
import tempfile
from typing import Any, Callable

from box import SERVER_UNIT, Box
from herodemo import reasons, socket_path
from house import (forget_signals, lives, probe, reboot_on_paper, signals_seen, sleeper, stop_all, units, web_action,
                   web_service)

ADOPTED_WITHIN_SECONDS = 2.0  # of the server's READY
SETTLED_WITHIN_SECONDS = 20.0


def two_actions(box: Box, name: str) -> dict[str, Any]:
    return {"name": name, "probes": [probe("files", "/api/files"), probe("page", "/", "ui.sock")],
            "actions": {"server": web_action(box, name), "ui": web_action(box, name, "ui.sock", ready="file")}}


def mixed_house(box: Box) -> dict[str, str]:
    """Twenty services of every kind, and what each is in the end."""
    running = [*(web_service(box, f"web{i}") for i in range(6)), *(two_actions(box, f"pair{i}") for i in range(4)),
               web_service(box, "by_fd3", ready="fd3"), web_service(box, "by_file", ready="file"),
               web_service(box, "by_exec", ready="exec"), sleeper("plain0"), sleeper("plain1", autostart=True)]
    others = [{"name": "done", "kind": "oneshot", "exec": ["/bin/true"]},
              {"name": "broken", "exec": ["/bin/sh", "-c", "exit 3"], "restart": {"policy": "never"}},
              web_service(box, "halted"), two_actions(box, "halted_by_systemctl"), sleeper("manual", autostart=False)]
    box.apply(*running, *others)
    expected = {**{d["name"]: "running" for d in running}, "done": "stopped", "broken": "failed", "manual": "stopped"}
    assert len(expected) + 2 == 20
    await_states(box, {**expected, "halted": "running", "halted_by_systemctl": "running"})
    box.hero("stop", "halted")
    box.systemctl("stop", "hero-halted_by_systemctl.slice")
    expected.update(halted="stopped", halted_by_systemctl="stopped")
    await_states(box, expected)
    return expected


def await_states(box: Box, expected: dict[str, str], timeout: float = SETTLED_WITHIN_SECONDS) -> None:
    wrong: dict[str, str] = {}

    def all_right() -> bool:
        wrong.clear()
        states = box.states()
        wrong.update({name: states.get(name, "-") for name, state in expected.items() if states.get(name) != state})
        return not wrong

    try:
        Box.wait_for(all_right, timeout, "")
    except AssertionError:
        raise AssertionError(f"after {timeout:g} s: {wrong}\n{box.hero('list', check=False).stdout}") from None


def watch_return(expected: dict[str, str], pid_before: int, timeout: float) -> list[Any]:
    """In the box: seconds from the new server's READY until all states are right, and every untrue claim until then."""
    # pylint: disable=undefined-variable
    def server() -> dict[str, str]:
        shown = subprocess.run(  # noqa: F821
            ["systemctl", "show", "-p", "MainPID,ActiveState,ActiveEnterTimestampMonotonic", "hero_proc.service"],
            capture_output=True, text=True, check=True).stdout
        return dict(line.split("=", 1) for line in shown.splitlines())

    def is_back() -> bool:
        now = server()
        return now["ActiveState"] == "active" and int(now["MainPID"]) not in (0, pid_before)

    if seconds_until(is_back, timeout) is None:  # noqa: F821
        raise RuntimeError(f"the server is not back: {server()}")
    ready = int(server()["ActiveEnterTimestampMonotonic"]) / 1e6
    claims: set[str] = set()

    def all_right() -> bool:
        states = {name: row["state"] for name, row in hero_services().items()}  # noqa: F821
        claims.update(f"{name}: {state}, not {expected.get(name)}" for name, state in states.items()
                      if state not in ("unknown", expected.get(name)))
        return states == expected

    if seconds_until(all_right, timeout) is None:  # noqa: F821
        return [None, sorted(claims)]
    return [time.clock_gettime(time.CLOCK_MONOTONIC) - ready, sorted(claims)]  # noqa: F821


def assert_adopted(box: Box, expected: dict[str, str], lose_and_return: Callable[[], Any]) -> float:
    before, pid = lives(box), box.main_pid(SERVER_UNIT)
    forget_signals(box)
    lose_and_return()
    seconds, untrue = box.agent.call(watch_return, expected, pid, SETTLED_WITHIN_SECONDS)
    assert not untrue, untrue
    assert seconds is not None and seconds < ADOPTED_WITHIN_SECONDS, (seconds, box.hero("list", check=False).stdout)
    assert lives(box) == before
    assert signals_seen(box) == ""
    return seconds


def test_twenty_services_are_adopted_untouched_however_the_server_goes(box):
    expected = mixed_house(box)
    taken = {"restart": assert_adopted(box, expected, box.restart_server),
             "kill": assert_adopted(box, expected, box.kill_server),
             "stop and start": assert_adopted(box, expected, lambda: (box.stop_server(), box.start_server()))}
    print("     adopted after READY:", {how: f"{seconds:.2f} s" for how, seconds in taken.items()})


def test_the_state_of_adopted_services_is_still_true_when_a_probe_interval_has_passed(box):
    """It was found right from evidence that was kept; now from its own."""
    forget_signals(box)
    before = lives(box)
    services = box.hero_json("status")
    marks = {service["name"]: max([probe["checked_usec"] for probe in service["probes"]], default=0)
             for service in services}

    def all_checked_anew() -> bool:
        return all(probe["checked_usec"] > marks[service["name"]] for service in box.hero_json("status")
                   for probe in service["probes"] if service["state"] == "running")

    Box.wait_for(all_checked_anew, 10, "all running services were probed again")
    assert {name for name, state in box.states().items() if state == "failed"} == {"broken"}
    assert lives(box) == before


def test_a_service_that_dies_while_the_server_is_away_is_shown_as_it_is_then(box):
    box.stop_server()
    killed = box.main_pid("hero-plain0.service")
    box.run(["kill", "-KILL", str(killed)])  # Restart=on-failure brings it back
    box.systemctl("stop", "hero-web5.service")
    Box.wait_for(lambda: box.main_pid("hero-plain0.service") not in (0, killed), 10, "systemd has restarted it")
    box.start_server()
    await_states(box, {"plain0": "running", "web5": "stopped"}, 5)
    box.restart_server()
    await_states(box, {"plain0": "running", "web5": "stopped"}, 5)
    assert units(box)["hero-web5.service"]["pids"] == []


def test_a_socket_that_is_removed_while_the_server_is_away_is_not_one_that_may_still_come(box):
    """The service is younger than its start timeout: the answer that the last server had says that it was there."""
    box.apply(web_service(box, "young", start_timeout_ms=60000, on_unhealthy="report"))
    box.wait_state("young", "running", 10)
    box.stop_server()
    box.run(["rm", socket_path("young")])
    box.start_server()
    box.wait_state("young", "failed", 5)
    assert reasons(box, "young")[0][0] == "socket-unlinked"
    box.hero("remove", "young")


def test_a_reexec_of_systemd_and_then_a_new_server_are_no_reboot(box):
    expected = {**box.states()}
    box.systemctl("daemon-reexec")
    assert_adopted(box, expected, box.restart_server)
    box.stop_server()
    box.systemctl("daemon-reexec")
    before = lives(box)
    box.start_server()
    await_states(box, expected, 5)
    assert lives(box) == before


# -- a server that is lost in the middle of something --

def generation(box: Box, name: str, number: int) -> dict[str, Any]:
    """Slow to start and slow to stop, so that there is a middle; the number can be found on its command line."""
    return web_service(box, name, options=["--ready-delay-ms", "150", "--slow-term-ms", "150",
                                           "--", f"generation{number}"])


def generations_alive(box: Box, name: str) -> list[str]:
    """Of the processes in the service's cgroup."""
    pids = [pid for unit in units(box, f"hero-{name}.service").values() for pid in unit["pids"]]
    lines = [box.run(["cat", f"/proc/{pid}/cmdline"], check=False).stdout.split("\0") for pid in pids]
    return [next((word for word in words if word.startswith("generation")), "?") for words in lines]


def lose_server_during(command: list[str], text: str, delay: float, after_its_end: bool) -> list[Any]:
    """In the box: the exit status of a command during which the server is killed, and what the command said."""
    # pylint: disable=undefined-variable
    shown = subprocess.run(["systemctl", "show", "-P", "MainPID", "hero_proc.service"],  # noqa: F821
                           capture_output=True, text=True, check=True).stdout
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,  # noqa: F821
                          text=True) as process:
        process.stdin.write(text)
        process.stdin.close()
        if after_its_end:
            process.wait(timeout=10)
        time.sleep(delay)  # noqa: F821
        os.kill(int(shown), signal.SIGKILL)
        said = process.stdout.read()
        return [process.wait(timeout=30), said]


class Change:
    """One change of a service, and how to see from outside whether it has been made, or not been."""

    def __init__(self, box: Box, name: str, verb: str):
        self.box, self.name, self.verb = box, name, verb
        box.apply(generation(box, name, 1))
        box.hero("stop" if verb == "start" else "start", name)
        self.invocation = box.invocation_id(f"hero-{name}.service")

    def command(self) -> tuple[list[str], str]:
        if self.verb == "apply":
            import json  # pylint: disable=import-outside-toplevel
            return ["apply", "-"], json.dumps(generation(self.box, self.name, 2))
        return [self.verb, self.name], ""

    def is_made(self) -> bool:
        alive = generations_alive(self.box, self.name)
        known = units(self.box, f"hero-{self.name}.s*")
        state = self.box.states().get(self.name)
        return {"start": lambda: alive == ["generation1"] and state == "running",
                "stop": lambda: alive == [] and state == "stopped",
                "restart": lambda: alive == ["generation1"] and state == "running"
                and self.box.invocation_id(f"hero-{self.name}.service") != self.invocation,
                "apply": lambda: alive == ["generation2"] and state == "running",
                "remove": lambda: not known and state is None}[self.verb]()

    def is_not_made(self) -> bool:
        alive, state = generations_alive(self.box, self.name), self.box.states().get(self.name)
        if self.verb == "start":
            return alive == [] and state == "stopped"
        return alive == ["generation1"] and state == "running"

    def lose_server(self, delay: float, acknowledged: bool) -> list[Any]:
        """Kills the server so long after its acknowledgement, or after the command was begun."""
        words, text = self.command()
        if acknowledged and self.verb != "apply":  # which is over once it is acknowledged
            words = ["--no-block", *words]
        return self.box.agent.call(lose_server_during, ["hero_proc", *words], text, delay, acknowledged)


VERBS = ("start", "stop", "restart", "apply", "remove")


def test_what_was_acknowledged_is_done_although_the_server_is_killed_right_after(box):
    stop_all(box)
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print(f"     SEED={seed}")
    chance = random.Random(seed)
    for number in range(3):
        for verb in VERBS:
            change = Change(box, f"{verb}{number}", verb)
            status, said = change.lose_server(chance.choice((0, chance.uniform(0, 0.4))), acknowledged=True)
            assert status == 0, said
            Box.wait_for(change.is_made, SETTLED_WITHIN_SECONDS, f"{verb} is made; seed {seed}")


def test_a_restart_that_waits_for_another_service_is_owed_by_the_next_server(box):
    """systemd has not heard of it yet, so that what was acknowledged stands in the store alone."""
    stop_all(box)
    box.apply(web_service(box, "gate", options=["--ready-delay-ms", "1500"]), sleeper("behind", requires=["gate"]),
              {"name": "chore", "kind": "oneshot", "exec": ["/bin/true"], "requires": ["gate"]})
    await_states(box, {"gate": "running", "behind": "running", "chore": "stopped"})
    box.hero("stop", "gate")
    before = {name: box.invocation_id(f"hero-{name}.service") for name in ("behind", "chore")}
    box.hero("--no-block", "start", "chore")
    box.hero("--no-block", "restart", "behind")
    assert box.states()["gate"] == "starting"
    box.kill_server()
    await_states(box, {"gate": "running", "behind": "running", "chore": "stopped"})
    after = {name: box.invocation_id(f"hero-{name}.service") for name in before}
    assert not set(before.items()) & set(after.items()), (before, after)
    # What is done is owed no more, whoever looks at it.
    before = lives(box)
    box.kill_server()
    await_states(box, {"gate": "running", "behind": "running", "chore": "stopped"})
    assert lives(box) == before


def test_what_was_not_acknowledged_is_done_or_not_done_but_never_half(box):
    stop_all(box)
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print(f"     SEED={seed}")
    chance = random.Random(seed)
    for number in range(3):
        for verb in VERBS:
            change = Change(box, f"{verb}{number}", verb)
            status, _ = change.lose_server(chance.uniform(0, 0.05), acknowledged=False)
            made_or_not = (lambda c=change: c.is_made()) if status == 0 else (
                lambda c=change: c.is_made() or c.is_not_made())
            Box.wait_for(made_or_not, SETTLED_WITHIN_SECONDS, f"{verb} is made, or not; seed {seed}")


# -- another boot --

def prepared_for_reboot(box: Box) -> None:
    box.apply(sleeper("auto"), web_service(box, "served"), sleeper("manual", autostart=False), sleeper("halted"),
              sleeper("halted_by_systemctl"), sleeper("after_served", requires=["served"]))
    box.hero("start", "manual")
    await_states(box, {"served": "running", "after_served": "running", "manual": "running"})
    box.hero("stop", "halted")
    box.systemctl("stop", "hero-halted_by_systemctl")
    await_states(box, {"halted": "stopped", "halted_by_systemctl": "stopped"})


def assert_started_as_at_boot(box: Box) -> None:
    await_states(box, {"auto": "running", "served": "running", "after_served": "running", "manual": "stopped"})
    up = {name for name, unit in units(box, "hero-*.service").items() if unit["pids"]}
    assert {"hero-auto.service", "hero-served.service", "hero-after_served.service"} <= up, up
    assert "hero-manual.service" not in up


def test_a_new_boot_starts_what_is_autostart_and_nothing_else(box):
    with tempfile.TemporaryDirectory() as disk:
        binds = [f"{disk}:/var/lib/hero_proc"]
        with box.another(binds) as first:
            first.start_server()
            prepared_for_reboot(first)
            # It ends here as in a power cut.
        with box.another(binds) as second:
            second.start_server()
            assert_started_as_at_boot(second)
            before = lives(second)
            second.restart_server()
            await_states(second, {"auto": "running", "manual": "stopped"})
            assert lives(second) == before


def test_what_went_with_a_boot_is_no_operators_stop_though_the_boot_id_cannot_be_read_at_first(box):
    drop_in = f"/run/systemd/system/{SERVER_UNIT}.d/unreadable.conf"
    with box.another() as own:
        own.start_server()
        own.apply(sleeper("auto"))
        own.wait_state("auto", "running", SETTLED_WITHIN_SECONDS)
        own.stop_server()
        reboot_on_paper(own, "auto")
        own.write_file(drop_in, "[Service]\nInaccessiblePaths=/proc/sys/kernel/random/boot_id\n")
        own.systemctl("daemon-reload")
        own.systemctl("start", SERVER_UNIT, check=False)
        own.run(["rm", drop_in])
        own.systemctl("daemon-reload")
        own.wait_state("auto", "running", SETTLED_WITHIN_SECONDS)
        assert "by an operator" not in own.journal(SERVER_UNIT)


def prepare(box: Box) -> None:
    box.start_server()
