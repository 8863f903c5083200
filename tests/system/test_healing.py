# SPDX-License-Identifier: LGPL-2.1-or-later
"""hero_proc restarts what is dead and systemd holds for alive: as often as it may, not more, and never against a person."""

from __future__ import annotations

import os
import time

from herodemo import command, probe, reasons, service, set_faults, socket_path, status

DEAD = "/api/files close"
# Ill after a tenth of a second, restarted a little later.
QUICK = {"interval_ms": 100, "fast_interval_ms": 10, "failures": 2, "timeout_ms": 300}
SERVER = "/usr/libexec/hero_proc/hero_proc_server"
RACES = int(os.environ.get("HERO_RACES", "120"))  # the campaign: 1000
HELD_UP_SECONDS = float(os.environ.get("HERO_HELD_UP", "4"))  # the campaign: 60


def prepare(box):
    """Of all these restarts within a minute most would be put off for the sake of the machine; the last test is of that."""
    limit_restarts(box, 0)


def limit_restarts(box, limit: int | None) -> None:
    """Starts the server (anew) with that --restart-limit, or without one."""
    folder = "/run/systemd/system/hero_proc.service.d"
    if limit is None:
        box.run(["rm", "-r", folder])
    else:
        box.write_file(f"{folder}/limit.conf", "[Service]\nExecStart=\n"
                       f"ExecStart={SERVER} --restart-limit={limit}\n")
    box.systemctl("daemon-reload")
    box.restart_server()


def healed(box, name: str, *options: str, restart: dict | None = None, **fields) -> dict:
    """A service that is restarted when its handler is dead, half a second after its start at the earliest."""
    rule = {"delay_ms": 100, "max_delay_ms": 400, "max_attempts": 3, "window_ms": 600000, "stability_period_ms": 60000,
            **(restart or {})}
    return {**service(box, name, *options, restart=rule, start_timeout_ms=500, probe=probe(**QUICK)),
            "on_unhealthy": "restart", **fields}


def unit_of(name: str) -> str:
    return f"hero-{name}.service"


def starts_of(box, name: str) -> int:
    """How often systemd has started it, by the journal."""
    return box.journal(unit_of(name)).count(f"Started {unit_of(name)}")


def restarts_told(box, name: str) -> int:
    return box.journal("hero_proc.service").count(f"{name}: restarted by hero_proc")


def test_a_dead_handler_is_restarted_and_nothing_else_is(box):
    box.apply(healed(box, "dead", "--fresh-faults"), healed(box, "bystander", "--fresh-faults"))
    for name in ("dead", "bystander"):
        box.wait_state(name, "running", 5)
    before = {name: box.invocation_id(unit_of(name)) for name in ("dead", "bystander")}
    set_faults(box, "dead", DEAD)
    box.wait_for(lambda: box.invocation_id(unit_of("dead")) != before["dead"], 10, "it is restarted")
    box.wait_state("dead", "running", 5)
    assert box.http(socket_path("dead"), "/api/files")[0] == 200
    assert starts_of(box, "dead") == 2 and restarts_told(box, "dead") == 1
    assert box.invocation_id(unit_of("bystander")) == before["bystander"]
    steps = [(row["from"], row["to"]) for row in box.hero_json("history", "dead")]
    assert ("failed", "restarting") in [(a, b) for a, b in steps] and ("degraded", "failed") in steps, steps
    assert status(box, "dead")["healing"]["attempts"] == 1


def test_a_dead_socket_is_reason_enough(box):
    box.apply(healed(box, "deaf", "--fresh-faults"))
    box.wait_state("deaf", "running", 5)
    before = box.invocation_id(unit_of("deaf"))
    set_faults(box, "deaf", "close-listener rpc.sock")
    box.wait_for(lambda: box.invocation_id(unit_of("deaf")) != before, 10, "it is restarted")
    box.wait_state("deaf", "running", 5)


def test_a_young_invocation_is_given_its_time_and_the_wait_is_told(box):
    box.apply({**healed(box, "young"), "start_timeout_ms": 3000})
    box.wait_state("young", "running", 5)
    before = box.invocation_id(unit_of("young"))
    started = int(box.unit_property(unit_of("young"), "ExecMainStartTimestampMonotonic"))
    set_faults(box, "young", DEAD)
    box.wait_state("young", "failed", 5)
    seen = status(box, "young")
    assert seen["healing"]["attempts_left"] == 3 and seen["healing"]["next_usec"] > seen["observed_usec"], seen
    assert "start_timeout_ms" in seen["healing"]["held"]
    assert box.invocation_id(unit_of("young")) == before
    assert "hero_proc restarts it" in box.hero("why", "young").stdout
    box.wait_for(lambda: box.invocation_id(unit_of("young")) != before, 10, "then it is restarted")
    seconds = (int(box.unit_property(unit_of("young"), "InactiveEnterTimestampMonotonic")) - started) / 1e6
    assert seconds >= 3.0, seconds
    box.hero("remove", "young")


def test_with_report_nothing_is_restarted_and_a_person_is_told_once(box):
    box.write_file("/etc/systemd/system/tell@.service",
                   "[Service]\nType=oneshot\nEnvironmentFile=-/run/hero_proc/alert/%i\n"
                   "ExecStart=/bin/sh -c 'env | grep ^HERO_ | sort >/run/told.%i'\n")
    box.systemctl("daemon-reload")
    box.apply({**healed(box, "told", on_failure_unit="tell@.service"), "on_unhealthy": "report"})
    box.wait_state("told", "running", 5)
    before = box.invocation_id(unit_of("told"))
    set_faults(box, "told", DEAD)
    box.wait_state("told", "failed", 5)
    told = box.wait_for(lambda: box.run(["cat", "/run/told.told"], check=False).stdout, 5, "the unit has run")
    assert told.splitlines() == ["HERO_ALERT=unhealthy", "HERO_REASON=probe-failed",
                                 "HERO_REASON_TEXT=files: empty reply (2 times in a row)", "HERO_SERVICE=told",
                                 "HERO_STATE=failed"], told
    box.wait_for(lambda: box.unit_property("tell@told.service", "ActiveState") == "inactive", 5, "it has ended")
    assert box.invocation_id(unit_of("told")) == before
    box.run(["journalctl", "--sync"])
    found = box.output("journalctl", "-q", "-o", "cat", "MESSAGE_ID=3175302ee4384b849965067dfd7c4903",
                       "HERO_SERVICE=told").splitlines()
    assert found == ["told is dead, and is not restarted: files: empty reply (2 times in a row)"], found
    assert found[0] in box.output("journalctl", "-q", "-o", "cat", "-u", unit_of("told"))
    box.hero("remove", "told")


def test_its_restarts_used_up_it_is_failed_for_that_and_a_restart_of_the_server_gives_none_back(box):
    box.apply(healed(box, "spent"))
    box.wait_state("spent", "running", 5)
    set_faults(box, "spent", DEAD)  # for good: a restart does not help
    box.wait_for(lambda: [reason[:2] for reason in reasons(box, "spent")] ==
                 [("restart-budget", "spent"), ("probe-failed", "files")], 30, "the budget is spent")
    assert box.states()["spent"] == "failed" and starts_of(box, "spent") == 4
    last = box.invocation_id(unit_of("spent"))
    box.kill_server()
    box.wait_for(lambda: box.run(["hero_proc", "--json=short", "list"], check=False).returncode == 0, 10, "it is back")
    box.wait_for(lambda: [reason[0] for reason in reasons(box, "spent")] == ["restart-budget", "probe-failed"], 10,
                 "it still is spent")
    assert box.invocation_id(unit_of("spent")) == last
    assert status(box, "spent")["healing"]["attempts_left"] == 0
    # A person's word counts anew, and the handler is mended meanwhile.
    set_faults(box, "spent")
    box.hero("restart", "spent")
    box.wait_state("spent", "running", 5)
    assert status(box, "spent")["healing"] is None


def test_spent_it_is_still_restarted_slowly(box):
    box.apply(healed(box, "slowly", restart={"max_attempts": 1, "window_ms": 3000}))
    box.wait_state("slowly", "running", 5)
    set_faults(box, "slowly", DEAD)
    box.wait_for(lambda: starts_of(box, "slowly") == 2, 10, "the one restart")
    box.wait_for(lambda: reasons(box, "slowly")[:1] and reasons(box, "slowly")[0][0] == "restart-budget", 10, "spent")
    box.wait_for(lambda: starts_of(box, "slowly") == 3, 15, "another after the window")
    set_faults(box, "slowly")
    box.wait_state("slowly", "running", 10)
    box.hero("remove", "slowly")


def test_health_gives_the_restarts_back(box):
    box.apply(healed(box, "well", "--fresh-faults", restart={"stability_period_ms": 500}))
    box.wait_state("well", "running", 5)
    before = box.invocation_id(unit_of("well"))
    set_faults(box, "well", DEAD)
    box.wait_for(lambda: box.invocation_id(unit_of("well")) != before, 10, "it is restarted")
    box.wait_for(lambda: status(box, "well")["healing"] is None, 10, "the count began anew")
    box.hero("remove", "well")


def test_a_crash_loop_is_tried_again_when_systemds_window_is_over(box):
    box.run(["rm", "-f", "/run/may-live"])
    box.apply({"name": "looping", "exec": "test -e /run/may-live || exit 3; exec sleep infinity",
               "restart": {"delay_ms": 50, "max_delay_ms": 50, "max_attempts": 2, "window_ms": 3000}}, check=False)
    box.wait_for(lambda: [reason[0] for reason in reasons(box, "looping")] == ["crash-loop"], 10, "it is given up")
    assert "systemd gave up" in box.hero("why", "looping").stdout
    box.run(["touch", "/run/may-live"])
    box.wait_state("looping", "running", 15)
    assert "looping: tried again after systemd gave up" in box.journal("hero_proc.service")
    box.hero("remove", "looping")


def crash_twice(box, name: str) -> None:
    for _ in range(2):
        box.wait_state(name, "running", 5)
        pid = box.main_pid(unit_of(name))
        box.run(["kill", "-KILL", str(pid)])
        box.wait_for(lambda: box.main_pid(unit_of(name)) not in (0, pid), 5, "systemd restarts it")
    box.wait_state(name, "running", 5)


def test_healing_asks_for_no_start_that_systemd_would_refuse(box):
    """Two of three starts are used up by crashes; a restart for the handler's sake takes the last, and then it waits: to
    ask again would take down what half works."""
    box.apply(healed(box, "both", restart={"max_attempts": 2, "delay_ms": 50, "max_delay_ms": 50}))
    crash_twice(box, "both")
    last = box.invocation_id(unit_of("both"))
    set_faults(box, "both", DEAD)
    box.wait_state("both", "failed", 5)
    box.wait_for(lambda: "start limit" in status(box, "both")["healing"]["held"], 5, "the limit is what holds it")
    assert box.invocation_id(unit_of("both")) == last
    assert box.unit_property(unit_of("both"), "ActiveState") == "active"
    assert box.http(socket_path("both"), "/health")[0] == 200
    box.hero("remove", "both")


def test_what_crashed_long_ago_is_healed_by_a_new_server_as_by_the_old_one(box):
    """Both restarts that a window may hold are used up by crashes, and the window has passed when the server comes back."""
    window_ms = 6000
    box.apply(healed(box, "aged", restart={"max_attempts": 2, "delay_ms": 50, "max_delay_ms": 50, "window_ms": window_ms}))
    crash_twice(box, "aged")
    time.sleep(window_ms / 1000 + 2)
    box.restart_server()
    box.wait_state("aged", "running", 5)
    last = box.invocation_id(unit_of("aged"))
    set_faults(box, "aged", DEAD)
    box.wait_for(lambda: box.invocation_id(unit_of("aged")) != last, window_ms / 2000, "it is restarted")
    box.run(["journalctl", "--sync"])
    assert not box.run(["journalctl", "-q", "HERO_ALERT=restart-budget", "HERO_SERVICE=aged"], check=False).stdout
    set_faults(box, "aged")
    box.hero("remove", "aged")


def test_readiness_and_report_probes_lead_to_no_restart(box):
    for role in ("readiness", "report"):
        box.apply({**healed(box, role), "probe": probe(role=role, **QUICK)})
        box.wait_state(role, "running", 5)
    before = {role: box.invocation_id(unit_of(role)) for role in ("readiness", "report")}
    for role in before:
        set_faults(box, role, DEAD)
    box.wait_state("report", "degraded", 5)
    box.wait_for(lambda: status(box, "readiness")["probes"][0]["failures"] > 30, 20, "it has failed for long")
    assert {role: box.invocation_id(unit_of(role)) for role in before} == before
    box.hero("remove", *before)


def test_one_of_two_actions_is_restarted_alone(box):
    def action(which: str, socket: str) -> dict:
        return {"exec": command(box, "halves", "--ready", "notify", "--fresh-faults", name=f"halves-{which}",
                                sockets=[socket]),
                "ready": "notify", "sockets": [socket], "start_timeout_ms": 500, "restart": {"delay_ms": 100},
                "probe": probe(which, socket=socket, **QUICK)}

    box.apply({"name": "halves", "sockets": ["rpc.sock", "ui.sock"],
               "actions": {"server": action("server", "rpc.sock"), "ui": action("ui", "ui.sock")}})
    box.wait_state("halves", "running", 5)
    before = {which: box.invocation_id(f"hero-halves@{which}.service") for which in ("server", "ui")}
    box.write_file("/run/halves-ui.faults", f"{DEAD}\n")
    box.wait_for(lambda: box.invocation_id("hero-halves@ui.service") != before["ui"], 10, "ui is restarted")
    box.wait_state("halves", "running", 5)
    assert box.invocation_id("hero-halves@server.service") == before["server"]
    box.hero("remove", "halves")


def race(names: list[str], rounds: int, seed: int) -> dict:
    """For the agent: in each round the handler breaks or the process dies, and a person stops the service at any moment
    after that, by hero_proc or systemctl; what was up again once the stop was acknowledged lost the race."""
    import random  # pylint: disable=import-outside-toplevel
    import threading  # pylint: disable=import-outside-toplevel
    manager = ("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager")
    lost, errors, ways = [], [], {}

    def show(unit: str) -> list[str]:
        lines = subprocess.run(["systemctl", "show", "-p", "InvocationID,ActiveState,MainPID", unit],  # noqa: F821
                               capture_output=True, text=True, check=True).stdout.splitlines()
        seen = dict(line.split("=", 1) for line in lines)
        return [seen["InvocationID"], seen["ActiveState"], seen["MainPID"]]

    def quiet(*words: str) -> int:
        return subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode  # noqa: F821

    def play(name: str, chance: random.Random) -> None:
        unit = f"hero-{name}.service"
        faults = Path(f"/run/{name}.faults")  # noqa: F821
        for turn in range(rounds):
            faults.write_text("")
            quiet("hero_proc", "-q", "start", name)
            quiet("hero_proc", "-q", "wait", name, "--for=running", "--timeout=20")
            harm = chance.choice(("handler", "handler", "crash", "reset"))
            if harm == "crash":
                quiet("systemctl", "kill", "-s", "KILL", unit)
            else:
                faults.write_text("/api/files close\n")
            if harm == "reset":
                threading.Timer(chance.random() * 0.3, quiet, ("hero_proc", "-q", "reset-failed", name)).start()
            time.sleep(chance.random() * 0.45)  # noqa: F821
            way = chance.choice(("hero_proc", "systemctl"))
            done = quiet("hero_proc", "-q", "stop", name) if way == "hero_proc" else quiet("systemctl", "stop", unit)
            ways[f"{harm}, {way}"] = ways.get(f"{harm}, {way}", 0) + 1
            if done != 0:
                errors.append([name, turn, harm, way, done])
            at_stop = show(unit)
            time.sleep(0.5)  # noqa: F821  as long as a probe, its re-checks and the back-off take together
            later = show(unit)
            wanted = hero_services()[name]["wanted"]  # noqa: F821
            if later[1] not in ("inactive", "failed") or later[0] != at_stop[0] or later[2] != "0" or wanted != "down":
                lost.append([name, turn, harm, way, at_stop, later, wanted])

    threads = [threading.Thread(target=play, args=(name, random.Random(seed * 100 + i)))
               for i, name in enumerate(names)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"lost": lost, "errors": errors, "ways": ways, "rounds": rounds * len(names)}


def test_an_operators_stop_beats_crash_and_healing_and_reset_failed(box):
    names = [f"race-{i}" for i in range(6)]
    rule = {"delay_ms": 1, "max_delay_ms": 1, "max_attempts": 10000, "window_ms": 1000}
    box.apply(*({**healed(box, name, restart=rule), "start_timeout_ms": 100} for name in names))
    done = box.agent.call(race, names, -(-RACES // len(names)), 1, timeout=60 + RACES * 2)
    print(f"     {done['rounds']} races: {done['ways']}")
    assert done["lost"][:3] == [] and done["errors"][:3] == []
    assert sum(restarts_told(box, name) for name in names) > 0, "none was restarted for its handler's sake"
    box.hero("remove", *names)


def test_after_the_server_was_held_up_no_healthy_service_is_restarted_and_no_storm_breaks_loose(box):
    limit_restarts(box, None)
    names = [f"herd-{i:02}" for i in range(20)]
    ill = names[:6]
    box.apply(*(healed(box, name) for name in names))
    for name in names:
        box.wait_state(name, "running", 20)
    before = {name: box.invocation_id(unit_of(name)) for name in names}
    server = box.main_pid("hero_proc.service")
    box.systemctl("service-watchdogs", "no")
    box.run(["kill", "-STOP", str(server)])
    for name in ill:
        set_faults(box, name, DEAD)
    box.agent.call(pause, HELD_UP_SECONDS, timeout=HELD_UP_SECONDS + 30)
    box.run(["kill", "-CONT", str(server)])
    for name in ill:
        box.wait_state(name, "failed", 20)
    box.wait_for(lambda: all(any(words in status(box, name)["healing"]["held"] for words in ("held up", "many services", "processor time"))
                             for name in ill), 5, "they are held")
    assert {name: box.invocation_id(unit_of(name)) for name in names} == before, "nothing is restarted at once"
    # Then one by one: within 12 s after the hold of 10 s, at most two.
    box.wait_for(lambda: any(box.invocation_id(unit_of(name)) != before[name] for name in ill), 90, "one is restarted")
    changed = [name for name in names if box.invocation_id(unit_of(name)) != before[name]]
    assert len(changed) <= 2 and set(changed) <= set(ill), changed
    assert box.main_pid("hero_proc.service") == server
    box.systemctl("service-watchdogs", "yes")
    box.hero("remove", *names)


def pause(seconds: float) -> None:
    """For the agent: the time is what is tested."""
    time.sleep(seconds)  # noqa: F821
