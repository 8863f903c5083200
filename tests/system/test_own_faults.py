# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes wrong with the server itself counts against no service: then it is not known how they are, and so it is said."""

from __future__ import annotations

import json
import os
import signal
import time

from box import SERVER_UNIT
from herodemo import probe, reasons, service, set_faults, socket_path, status

WATCHDOG_SECONDS = 2
STOPPED_SECONDS = 4  # of a server that promises to look five times a second


def prepare(box):
    box.start_server()
    # A server that is stopped, or has no descriptor left to say that it lives, would be ended by its watchdog.
    box.systemctl("service-watchdogs", "no")


def all_changes(action: str, argument: list, until: dict[str, str], timeout: float, after: float = 0.0) -> list[list[str]]:
    """For the agent: the changes of all services from before something is done until each of `until` is in its state,
    and so many seconds after that. Done is what `action` says, with its argument."""
    with Signals("type='signal',interface='org.hero.Proc1.Manager',member='StateChanged'") as signals:  # noqa: F821
        if action == "run":
            subprocess.run(argument, check=True)  # noqa: F821
        else:
            pid, seconds = argument
            os.kill(pid, signal.SIGSTOP)  # noqa: F821
            time.sleep(seconds)  # noqa: F821  (the span is what is tested)
            os.kill(pid, signal.SIGCONT)  # noqa: F821
        seen, left = [], dict(until)
        deadline = time.monotonic() + timeout  # noqa: F821
        while left and (message := signals.next(max(deadline - time.monotonic(), 0))):  # noqa: F821
            name, old, new, reason = message["payload"]["data"]
            seen.append([name, old, new, reason])
            if left.get(name) == new:
                del left[name]
        deadline = time.monotonic() + after  # noqa: F821
        while message := signals.next(max(deadline - time.monotonic(), 0)):  # noqa: F821
            seen.append(message["payload"]["data"])
    return seen


def limit_descriptors(box, n: int) -> list[str]:
    return ["prlimit", f"--pid={box.main_pid(SERVER_UNIT)}", f"--nofile={n}:"]


def test_without_a_descriptor_left_what_was_known_ages_and_nobody_is_called_failed(box):
    box.apply(service(box, "well", "--port", "8721", probes=[probe(), probe("port", port=8721)]),
              service(box, "turns", probe=probe()), service(box, "broken", probe=probe()))
    for name in ("well", "turns", "broken"):
        box.wait_state(name, "running", 10)
    set_faults(box, "broken", "/api/files close")
    box.wait_state("broken", "failed", 10)
    server = box.main_pid(SERVER_UNIT)

    seen = box.agent.call(all_changes, "run", limit_descriptors(box, 3),
                          {"well": "unknown", "turns": "unknown", "broken": "unknown"}, 20)
    assert sorted((name, new, reason) for name, _, new, reason in seen) == [
        ("broken", "unknown", "stale"), ("turns", "unknown", "stale"), ("well", "unknown", "stale")], seen
    assert box.http(socket_path("well"), "/api/files")[0] == 200
    # Each probe ages by itself.
    text = box.wait_for(lambda: next((text for _, subject, text in reasons(box, "well") if subject == "files"), None), 5, "it has aged too")
    assert text.startswith("files: last seen passing ") and text.endswith("(we have no file descriptor left)"), text
    text = reasons(box, "broken")[0][2]
    assert text.startswith("files: last seen failed ") and "no answer since" in text, text
    shown = next(found for found in status(box, "well")["probes"] if found["name"] == "files")
    assert shown["not_asked"] == "we have no file descriptor left" and shown["state"] == "passing"
    assert "not asked since: we have no file descriptor left" in box.hero("status", "well", check=False).stdout
    assert box.hero("status", "well", check=False).returncode == 6

    # What breaks and what heals meanwhile is not known either; both come to light when it is asked again.
    set_faults(box, "turns", "/api/files close")
    set_faults(box, "broken")
    seen = box.agent.call(all_changes, "run", limit_descriptors(box, 1024),
                          {"well": "running", "turns": "failed", "broken": "running"}, 20)
    by_name = {name: [new for other, _, new, _ in seen if other == name] for name in ("well", "turns", "broken")}
    assert by_name == {"well": ["running"], "turns": ["degraded", "failed"], "broken": ["running"]}, seen
    assert box.main_pid(SERVER_UNIT) == server
    box.hero("remove", "well", "turns", "broken")


def last_fed_usec(box) -> int:
    """When systemd was last told that the server lives."""
    return int(box.unit_property(SERVER_UNIT, "WatchdogTimestampMonotonic"))


def test_without_a_descriptor_left_the_server_says_that_it_lives_and_answers(box):
    """It would be ended for it, and the next one would have no more descriptors than this one."""
    drop_in = f"/run/systemd/system/{SERVER_UNIT}.d/watchdog.conf"
    box.run(["mkdir", "-p", drop_in.rpartition("/")[0]])
    box.write_file(drop_in, f"[Service]\nWatchdogSec={WATCHDOG_SECONDS}\n")
    box.systemctl("daemon-reload")
    box.apply(service(box, "asked", probe=probe()))
    box.restart_server()
    box.wait_state("asked", "running", 10)
    server = box.main_pid(SERVER_UNIT)
    box.systemctl("service-watchdogs", "yes")
    try:
        box.run(limit_descriptors(box, 3))
        limited_usec = last_fed_usec(box)
        box.wait_for(lambda: last_fed_usec(box) > limited_usec + 2e6 * WATCHDOG_SECONDS, 5 * WATCHDOG_SECONDS,
                     "it is fed for longer than it is patient")
        assert box.main_pid(SERVER_UNIT) == server
        assert [row["name"] for row in box.hero_json("list")] == ["asked"]
    finally:
        box.systemctl("service-watchdogs", "no")
        box.run(["rm", drop_in])
        box.systemctl("daemon-reload")
        box.restart_server()
    box.hero("remove", "asked")


def test_a_question_that_cannot_be_asked_is_answered_with_that(box):
    box.apply(service(box, "asked", probe=probe(interval_ms=60000, timeout_ms=1000)))
    box.wait_state("asked", "running", 10)
    box.run(limit_descriptors(box, 3))
    try:
        # Not before: a probe that has just come up with its service is asked once more soon, to be put apart from others.
        checked = status(box, "asked")["probes"][0]["checked_usec"]
        assert box.hero_json("reset-failed", "asked", timeout=30)["left_alone"] == ["asked"]
        shown = status(box, "asked")["probes"][0]
        assert shown["checked_usec"] == checked and shown["not_asked"] == "we have no file descriptor left", shown
        assert box.states()["asked"] == "running"  # seen so within the minute for which that is good
    finally:
        box.run(limit_descriptors(box, 1024))
    box.wait_for(lambda: status(box, "asked")["probes"][0]["checked_usec"] > checked, 5, "it is asked again soon")
    assert status(box, "asked")["probes"][0]["not_asked"] == ""
    box.hero("remove", "asked")


def test_a_service_that_was_applied_without_a_descriptor_left_starts_once_there_is_one_and_is_told_of_once(box):
    box.run(limit_descriptors(box, 3))
    try:
        box.apply(service(box, "short"))
        time.sleep(3)  # the span is what is tested: half a dozen tries
        assert box.states()["short"] not in ("running", "failed"), status(box, "short")
        told = [line for line in box.journal().splitlines() if "Too many open files" in line and "short: " in line]
        assert len(told) == 1, told
    finally:
        box.run(limit_descriptors(box, 1024))
    box.wait_state("short", "running", 5)
    assert box.main_pid("hero-short.service") != 0
    box.hero("remove", "short")


def test_a_socket_that_came_without_a_descriptor_left_is_seen_once_there_is_one(box):
    """Nothing changes any more then that would have the server look."""
    box.apply(service(box, "plain", restart={"delay_ms": 0}),
              {**service(box, "hidden", restart={"delay_ms": 0}, systemd={"PrivateTmp": True}), "sockets": ["/tmp/hidden.sock"],
               "exec": [box.fixture("herodemo_server"), "--name", "hidden", "--socket", "/tmp/hidden.sock", "--ready", "notify"]})
    for name in ("plain", "hidden"):
        box.wait_state(name, "running", 10)
    before = {name: box.main_pid(f"hero-{name}.service") for name in ("plain", "hidden")}
    box.run(limit_descriptors(box, 3))
    try:
        box.run(["kill", "-KILL", *map(str, before.values())])
        for name in before:
            box.wait_for(lambda: box.main_pid(f"hero-{name}.service") not in (0, before[name])
                         and box.unit_property(f"hero-{name}.service", "ActiveState") == "active", 5, "it is up again")
        time.sleep(1)  # the span is what is tested: twenty sweeps
        assert [status(box, name)["sockets"][0]["state"] for name in before] != ["alive", "alive"]
    finally:
        box.run(limit_descriptors(box, 1024))
    for name in before:
        box.wait_for(lambda: status(box, name)["sockets"][0]["state"] == "alive", 3, f"{name}: it is looked at again")
        box.wait_state(name, "running", 3)
    box.hero("remove", *before)


def test_a_server_that_was_stopped_for_seconds_calls_no_healthy_service_failed_or_degraded(box):
    names = [f"s{i:02}" for i in range(20)]
    for name in names[::2]:  # half of them are being asked whenever the server stops
        set_faults(box, name, "/api/files slow-150")
    box.apply(*(service(box, name, probes=[probe(), probe("alive", "/health")]) for name in names))
    for name in names:
        box.wait_state(name, "running", 20)
    server = box.main_pid(SERVER_UNIT)
    before = {name: status(box, name)["probes"][0]["checked_usec"] for name in names}
    seen = box.agent.call(all_changes, "stop", [server, STOPPED_SECONDS], {}, 0, 3.0)
    assert not [change for change in seen if change[2] not in ("unknown", "running")], seen
    for name in names:
        box.wait_state(name, "running", 10)
        assert box.http(socket_path(name), "/api/files")[0] == 200
    assert box.main_pid(SERVER_UNIT) == server
    assert all(status(box, name)["probes"][0]["checked_usec"] > before[name] for name in names)
    box.hero("remove", *names)


def asks_inside(box, pid: int, port: int) -> str:
    """What the port answers in the network of that process; "" where nobody listens there."""
    script = f"import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:{port}/api/files', timeout=2).status)"
    return box.run(["nsenter", "-t", str(pid), "-n", "/usr/bin/python3", "-c", script], check=False).stdout.strip()


def test_a_port_in_a_network_of_the_services_own_is_unknown_and_neither_dead_nor_somebody_elses(box):
    """A stranger on the same port of the machine's own network answers all the while."""
    box.apply(service(box, "outside", "--port", "8741", probe=probe("port", port=8741)))
    box.wait_state("outside", "running", 10)
    box.write_file("/tmp/private.json", json.dumps(service(
        box, "private", "--port", "8741", sockets=(), start_timeout_ms=2000, probe=probe("port", port=8741),
        systemd={"PrivateNetwork": True})))
    seen = box.agent.call(all_changes, "run", ["hero_proc", "-q", "apply", "/tmp/private.json"], {"private": "unknown"}, 20)
    assert [new for name, _, new, _ in seen if name == "private"] == ["starting", "unknown"], seen
    assert asks_inside(box, box.main_pid("hero-private.service"), 8741) == "200" == str(box.http(8741, "/api/files")[0])
    assert reasons(box, "private") == [("stale", "port", "port: not answered yet (out of reach, in a network of its own)")]
    evidence = box.agent.call("call_bus", "org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", "ProbeService", "st",
                              "private", 0)[0]
    assert {found["name"]: found["state"] for found in json.loads(evidence)["probes"]} == {"port": "none"}
    box.hero("remove", "private", "outside")


def ask_between(name: str, server: int) -> tuple[list[str], list[str]]:
    """For the agent: while the server is stopped, a service is stopped, somebody asks, and it is started again. Returns what
    he was answered, and all states that were told from then on, until it is running."""
    unit = f"hero-{name}.service"
    with StateChanges(name) as changes:  # noqa: F821
        os.kill(server, signal.SIGSTOP)  # noqa: F821
        try:
            subprocess.run(["systemctl", "stop", unit], check=True)  # noqa: F821
            asked = subprocess.Popen(["busctl", "--json=short", "call", "org.hero.Proc1", "/org/hero/Proc1",  # noqa: F821
                                      "org.hero.Proc1.Manager", "ListServices"], stdout=subprocess.PIPE)  # noqa: F821
            time.sleep(1)  # noqa: F821  (for it to be under way, which no event tells; what is a second old is no news)
            subprocess.run(["systemctl", "start", unit], check=True)  # noqa: F821
            time.sleep(2)  # noqa: F821  (the span is what is tested)
        finally:
            os.kill(server, signal.SIGCONT)  # noqa: F821
        told = [change["new"] for change in changes.until("running", 10)]
        answer = json.loads(asked.communicate()[0])["data"][0]  # noqa: F821
    return [row[1] for row in answer if row[0] == name], told


def test_what_a_stopped_server_finds_in_its_queue_is_not_told_as_news(box):
    box.apply(service(box, "again", probe=probe()))
    box.wait_state("again", "running", 10)
    answered, told = box.agent.call(ask_between, "again", box.main_pid(SERVER_UNIT))
    assert answered == ["unknown"] and set(told) <= {"unknown", "starting", "running"}, (answered, told)
    assert box.unit_property("hero-again.service", "ActiveState") == "active" and status(box, "again")["wanted"] == "up"


def restart_unseen(name: str, server: int, action: list[str]) -> list[list[str]]:
    """For the agent: a service is down and up again, ready by systemd's word, while the server does not run for a moment."""
    unit = f"hero-{name}.service"

    def invocation() -> str:
        shown = subprocess.run(["systemctl", "show", "-p", "InvocationID,ActiveState", unit],  # noqa: F821
                               capture_output=True, text=True, check=True).stdout
        return shown if "ActiveState=active" in shown else ""

    with StateChanges(name) as changes:  # noqa: F821
        before = invocation()
        os.kill(server, signal.SIGSTOP)  # noqa: F821
        try:
            subprocess.run(action, check=True)  # noqa: F821
            if seconds_until(lambda: invocation() not in ("", before), 10, 0.01) is None:  # noqa: F821
                raise RuntimeError("it is not up again")
        finally:
            os.kill(server, signal.SIGCONT)  # noqa: F821
        return [[change["old"], change["new"], change["reason"]] for change in changes.until("running", 10)]


def test_a_restart_that_is_over_before_anybody_looks_is_told_all_the_same(box):
    box.apply(service(box, "quick", probe=probe(), restart={"delay_ms": 0}))
    box.wait_state("quick", "running", 10)
    kill = ["systemctl", "kill", "-s", "KILL", "hero-quick.service"]
    told = box.agent.call(restart_unseen, "quick", box.main_pid(SERVER_UNIT), kill)
    assert told[0] == ["running", "restarting", "process-died"] and told[-1][1] == "running", told
    told = box.agent.call(restart_unseen, "quick", box.main_pid(SERVER_UNIT), ["systemctl", "restart", "hero-quick.service"])
    assert told[0][:2] in (["running", "stopping"], ["running", "restarting"]) and told[-1][1] == "running", told
    box.hero("remove", "quick")


def test_a_crash_and_the_next_try_that_a_late_server_hears_of_are_no_operators_stop_and_start(box):
    """By the time they are heard the crash is older than systemd takes to try again."""
    box.apply(service(box, "crashed", restart={"delay_ms": 300, "max_attempts": 100}))
    box.wait_state("crashed", "running", 10)
    for pause_seconds in (0.0, 0.0, 0.0, 1.5, 1.5, 1.5):  # the delay alone is none that the server takes for a pause
        kill = ["sh", "-c", f"systemctl kill -s KILL hero-crashed.service; sleep {pause_seconds}"]
        box.agent.call(restart_unseen, "crashed", box.main_pid(SERVER_UNIT), kill)
        box.wait_state("crashed", "running", 5)
    told = [line for line in box.journal().splitlines() if "crashed" in line and "by an operator" in line]
    assert not told, told
    assert "stopped" not in [row["to"] for row in box.hero_json("history", "crashed")]
    box.hero("remove", "crashed")


def changes_after_death(name: str, pid: int, seconds: float) -> list[list[str]]:
    """For the agent: what is told in the seconds after that process was killed."""
    with StateChanges(name) as changes:  # noqa: F821
        os.kill(pid, signal.SIGKILL)  # noqa: F821
        return [[change["old"], change["new"], change["reason"]] for change in changes.until("", seconds)]


def test_a_probe_that_finds_nobody_waits_for_systemds_word_as_its_socket_does(box):
    """systemd tells of the death half a second late, and tries again: the service was never failed."""
    box.apply(service(box, "mourned", probe=probe(interval_ms=100, failures=1), restart={"delay_ms": 0}))
    box.wait_state("mourned", "running", 10)
    pid, systemd = box.main_pid("hero-mourned.service"), box.init_pid()
    os.kill(systemd, signal.SIGSTOP)
    try:
        told = box.agent.call(changes_after_death, "mourned", pid, 0.5)
    finally:
        os.kill(systemd, signal.SIGCONT)
    # Unknown it may be, where the server was held up a moment ago: by the test before this one.
    assert told in ([], [["running", "unknown", "stale"]]), told
    box.wait_for(lambda: box.main_pid("hero-mourned.service") not in (0, pid), 5, "systemd starts it again")
    box.wait_state("mourned", "running", 5)
    history = [row["to"] for row in box.hero_json("history", "mourned")]
    assert "failed" not in history and "restarting" in history, history
    box.hero("remove", "mourned")


def restart_past_a_pause(name: str, server: int, pause_seconds: float) -> tuple[int, str]:
    """For the agent: what the caller of a restart is told that ends while the server does not run for a moment."""
    show = ["systemctl", "show", "-p", "ActiveState", "--value", f"hero-{name}.service"]

    def is_in(state: str) -> bool:
        return subprocess.run(show, capture_output=True, text=True, check=True).stdout.strip() == state  # noqa: F821

    with subprocess.Popen(["hero_proc", "restart", name], text=True,  # noqa: F821
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as restart:  # noqa: F821
        if seconds_until(lambda: is_in("activating"), 10, 0.01) is None:  # noqa: F821
            raise RuntimeError("it does not start")
        os.kill(server, signal.SIGSTOP)
        try:
            began = time.monotonic()  # noqa: F821
            if seconds_until(lambda: is_in("active"), 10, 0.01) is None:  # noqa: F821
                raise RuntimeError("it is not up again")
            time.sleep(max(began + pause_seconds - time.monotonic(), 0))  # noqa: F821  (the span is what is tested)
        finally:
            os.kill(server, signal.SIGCONT)
        said = restart.communicate(timeout=20)[0]
        return restart.returncode, said


def test_the_caller_of_a_restart_is_told_how_it_ended_past_a_pause_of_the_server(box):
    box.apply(service(box, "paused", "--ready-delay-ms", "1000", probe=probe()))
    box.wait_state("paused", "running", 10)
    for _ in range(3):
        told = box.agent.call(restart_past_a_pause, "paused", box.main_pid(SERVER_UNIT), 2.0)
        assert told[0] == 0 and "unknown" not in told[1], told
    box.hero("remove", "paused")


def test_a_server_that_was_held_up_says_that_of_what_it_does_not_know(box):
    box.apply(service(box, "asked"))
    box.wait_state("asked", "running", 10)
    server, systemd = box.main_pid(SERVER_UNIT), box.init_pid()
    os.kill(systemd, signal.SIGSTOP)  # so that the answer does not come before anybody has looked
    try:
        told = box.agent.call(all_changes, "stop", [server, 2.0], {"asked": "unknown"}, 10)
    finally:
        os.kill(systemd, signal.SIGCONT)
    assert ["asked", "running", "unknown", "systemd-unreachable"] in told, told
    box.wait_state("asked", "running", 10)
    unknown = [row for row in box.hero_json("history", "asked") if row["to"] == "unknown"]
    assert unknown and all(row["text"].startswith("the server was held up") for row in unknown), unknown
    box.hero("remove", "asked")


def ask_for_a_reexec_and_a_restart(name: str) -> None:
    """For the agent: in this order on one connection, so that systemd leaves the second unread when it does the first."""
    sys.kept_bus = bus = RawBus()  # noqa: F821
    manager = "org.freedesktop.systemd1"
    bus.send(manager, "/org/freedesktop/systemd1", f"{manager}.Manager", "Reexecute")
    bus.send("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", "RestartService", "st", name, 0)


def errors_of_both() -> list[str]:
    return [sys.kept_bus.receive()[0] for _ in range(2)]  # noqa: F821


def test_a_restart_that_systemd_never_read_is_asked_for_again(box):
    box.apply(service(box, "renewed", probe=probe()))
    box.wait_state("renewed", "running", 10)
    pid, systemd = box.main_pid("hero-renewed.service"), box.init_pid()
    os.kill(systemd, signal.SIGSTOP)
    try:
        box.agent.call(ask_for_a_reexec_and_a_restart, "renewed")
        box.wait_state("renewed", "restarting", 5)
    finally:
        os.kill(systemd, signal.SIGCONT)
    errors = box.agent.call(errors_of_both)
    assert box.main_pid("hero-renewed.service") not in (0, pid), errors
    assert "" in errors, errors  # the restart's; the reexec has none, or that nobody answers
    box.hero("remove", "renewed")


def test_a_restart_that_systemd_is_at_work_on_is_not_asked_for_twice(box):
    """The new process is there, and the answer is lost: a second restart would end what has just begun."""
    box.apply(service(box, "once", "--ready-delay-ms", "1000"))
    box.wait_state("once", "running", 10)
    before = box.main_pid("hero-once.service")
    box.hero("--no-block", "restart", "once")
    box.wait_for(lambda: box.unit_property("hero-once.service", "ActiveState") == "activating"
                 and box.main_pid("hero-once.service") not in (0, before), 5, "its new process is there")
    pid = box.main_pid("hero-once.service")
    box.systemctl("daemon-reexec")
    assert box.unit_property("hero-once.service", "ActiveState") == "activating", "it was lost while it was at work"
    box.wait_state("once", "running", 10)
    assert box.main_pid("hero-once.service") == pid
    box.hero("remove", "once")


def ask_for_a_reexec() -> None:
    """For the agent: systemd finds it before all that it is asked later, and leaves that unread."""
    sys.kept_bus = RawBus()  # noqa: F821
    sys.kept_bus.send("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "Reexecute")


def test_an_alert_that_systemd_never_read_is_given_to_it_again(box):
    box.write_file("/etc/systemd/system/tell@.service",
                   "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo told >>/run/told.%i'\n")
    box.systemctl("daemon-reload")
    box.apply(service(box, "alarming", probe=probe(), on_failure_unit="tell@.service"))
    box.wait_state("alarming", "running", 10)
    systemd = box.init_pid()
    os.kill(systemd, signal.SIGSTOP)
    try:
        box.agent.call(ask_for_a_reexec)
        set_faults(box, "alarming", "/api/files close")
        box.wait_state("alarming", "failed", 5)
        assert box.run(["test", "-e", "/run/hero_proc/alert/alarming"]).returncode == 0
    finally:
        os.kill(systemd, signal.SIGCONT)
    told = box.wait_for(lambda: box.run(["cat", "/run/told.alarming"], check=False).stdout, 10, "the unit has run")
    assert told == "told\n"
    box.hero("remove", "alarming")
