# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls over HTTP while the server, the bus or the gateway is restarted: each is answered, with what is true then, and
nothing is done twice."""

from __future__ import annotations

import json
import threading
import time

import gateway
import house
from box import SERVER_UNIT

SLOW_SECONDS = 3


def prepare(box):
    gateway.start(box)
    box.apply(house.sleeper("idle"),
              {"name": "slow", "ready": "notify", "autostart": False,
               "exec": f"echo begins >>/srv/slow.log; sleep {SLOW_SECONDS}; hero_proc_notify --ready; exec sleep infinity"})
    box.wait_state("idle", "running", 20)


class Calling:
    """A call under way in a thread of its own."""

    def __init__(self, box, method, params):
        self._answer = None
        self._thread = threading.Thread(target=self._call, args=(box, method, params))
        self._thread.start()

    def _call(self, box, method, params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        done = box.run(["curl", "-sS", "--max-time", "60", "--unix-socket", gateway.RPC, "--json", body,
                        "http://localhost/rpc"], check=False, timeout=90)
        self._answer = json.loads(done.stdout) if done.returncode == 0 else {"curl": done.stderr}

    def is_over(self):
        return not self._thread.is_alive()

    def answer(self):
        self._thread.join()
        return self._answer


def begins(box):
    return box.output("sh", "-c", "cat /srv/slow.log 2>/dev/null || :").count("begins")


def await_begin(box, n):
    box.wait_for(lambda: begins(box) == n, 20, "the service has begun to start")


def test_a_start_is_answered_although_the_server_is_killed_meanwhile(box):
    n = begins(box)
    call = Calling(box, "service.start", {"name": "slow"})
    await_begin(box, n + 1)
    box.kill_server()
    assert not call.is_over()
    assert call.answer()["result"] == {"name": "slow", "state": "running"}
    assert begins(box) == n + 1 and len(box.cgroup_pids("hero-slow.service")) == 1


def test_a_restart_happens_once_although_the_server_is_killed_meanwhile(box):
    n, pid = begins(box), box.main_pid("hero-slow.service")
    call = Calling(box, "service.restart", {"name": "slow"})
    await_begin(box, n + 1)
    box.kill_server()
    assert call.answer()["result"] == {"name": "slow", "state": "running"}
    assert begins(box) == n + 1 and box.main_pid("hero-slow.service") not in (0, pid)


def test_a_restart_is_made_although_the_server_died_before_it_had_begun(box):
    n = begins(box)
    box.run(["kill", "-STOP", str(box.main_pid(SERVER_UNIT))])
    call = Calling(box, "service.restart", {"name": "slow"})
    time.sleep(0.5)  # it is with the server, which cannot have begun; there is no event to tell
    box.kill_server()
    assert call.answer()["result"] == {"name": "slow", "state": "running"}
    assert begins(box) == n + 1


def test_a_stop_is_answered_although_the_bus_is_restarted_meanwhile(box):
    box.run(["kill", "-STOP", str(box.main_pid(SERVER_UNIT))])
    call = Calling(box, "service.stop", {"name": "slow"})
    time.sleep(0.5)
    box.run(["systemctl", "restart", "dbus.service"], check=False)
    box.run(["kill", "-CONT", str(box.main_pid(SERVER_UNIT))])
    answer = call.answer()
    assert answer.get("result") == {"name": "slow", "state": "stopped"}, answer
    assert box.cgroup_pids("hero-slow.service") == []
    gateway.await_well(box)


def test_without_a_server_calls_fail_at_once_and_say_what_is_the_matter(box):
    box.stop_server()
    box.wait_for(lambda: box.http(gateway.RPC, "/health")[0] == 503, 10, "its absence is seen")
    assert "not running" in json.loads(box.http(gateway.RPC, "/health")[1])["server"]
    for method, params in (("service.list", {}), ("service.status", ["idle"]), ("service.why", ["idle"]),
                           ("service.stop", ["idle"]), ("service.restart", ["idle"])):
        began = time.monotonic()
        failure = gateway.error(box, method, params)
        assert (failure["code"], failure["data"]["retryable"]) == (-32008, True), failure
        assert time.monotonic() - began < 5
    assert gateway.result(box, "service.logs", ["idle"])["lines"], "the journal is there all the same"
    assert box.unit_property(SERVER_UNIT, "ActiveState") == "inactive", "no call starts a server that was stopped"
    assert box.main_pid("hero-idle.service") > 0
    box.start_server()
    gateway.await_well(box)
    assert gateway.result(box, "service.status", ["idle"])["state"] == "running"


def test_a_server_that_hangs_is_not_taken_for_one_with_nothing_to_say(box):
    pid = box.main_pid(SERVER_UNIT)
    box.run(["kill", "-STOP", str(pid)])
    box.wait_for(lambda: box.http(gateway.RPC, "/health")[0] == 503, 25, "its silence is noticed")
    assert gateway.error(box, "service.status", ["idle"])["code"] == -32008
    box.run(["kill", "-CONT", str(pid)])
    gateway.await_well(box)
    assert gateway.result(box, "service.status", ["idle"])["state"] == "running"


def test_what_changed_while_the_server_was_away_is_seen(box):
    box.stop_server()
    box.systemctl("stop", "hero-idle.service")
    box.start_server()
    gateway.await_well(box)
    box.wait_for(lambda: gateway.result(box, "service.status", ["idle"])["state"] == "stopped", 10, "the stop is seen")
    assert gateway.result(box, "service.start", ["idle"])["state"] == "running"


def test_many_calls_through_many_restarts_are_all_answered(box):
    """Each answer is a result or says that the server is away; none is lost, none is another's."""
    def ask(path, seconds):
        # pylint: disable=undefined-variable
        told, n, end = {}, 0, time.monotonic() + seconds  # noqa: F821
        while time.monotonic() < end:  # noqa: F821
            n += 1
            body = json.dumps({"jsonrpc": "2.0", "id": n, "method": "service.status_full", "params": ["idle"]})  # noqa: F821
            status, text = http_request(path, "/rpc", "POST", body, {"Content-Type": "application/json"}, 30)  # noqa: F821
            answer = json.loads(text) if status == 200 else {"id": n, "error": {"code": f"{status} {text}"}}  # noqa: F821
            assert answer["id"] == n, answer
            key = answer["result"]["state"] if "result" in answer else str(answer["error"]["code"])
            told[key] = told.get(key, 0) + 1
        return told

    told = {}
    asking = threading.Thread(target=lambda: told.update(box.agent.call(ask, gateway.RPC, 8, timeout=90)))
    asking.start()
    for _ in range(5):
        box.kill_server()
        box.wait_for(lambda: box.main_pid(SERVER_UNIT) > 0, 10, "it is started again", pause=0.2)
    asking.join()
    assert set(told) <= {"running", "-32008", "unknown", "starting"} and told.get("running", 0) > 100, told
