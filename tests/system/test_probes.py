# SPDX-License-Identifier: LGPL-2.1-or-later
"""A service whose request handler is dead is never called running, however alive its process and its sockets are."""

from __future__ import annotations

import json
import re

from herodemo import GREEN, prepare_nginx, probe, reasons, service, set_faults, socket_path, status

SLACK = 0.5  # seconds that a busy machine may add to what is promised


def prepare(box):
    box.start_server()


def bound(interval_ms=5000, time_to_fail_ms=0, failures=3, fast_interval_ms=200) -> float:
    """Within how many seconds a dead handler is to be called failed."""
    return (interval_ms + failures * time_to_fail_ms + (failures - 1) * fast_interval_ms) / 1000


def write_and_watch(path: str, text: str, name: str, state: str, timeout: float) -> list[dict]:
    """For the agent: the state changes after a file was written, with the seconds since then."""
    with StateChanges(name) as changes:  # noqa: F821
        began = time.monotonic()  # noqa: F821
        Path(path).write_text(text)  # noqa: F821
        return [{**change, "after": change["at"] - began} for change in changes.until(state, timeout)]


def path_of(changes: list[dict]) -> list[str]:
    return [change["new"] for change in changes]


def test_nginx_that_closes_one_path_is_failed_and_the_path_named_within_the_bound(box):
    web = socket_path("nginx", "web.sock")
    box.apply({**prepare_nginx(box, "nginx"), "probes": [
        probe(name, path, socket="web.sock", interval_ms=500, fast_interval_ms=100)
        for name, path in (("health", "/health"), ("files", "/api/files"))]})
    box.wait_state("nginx", "running", 5)
    pids = box.cgroup_pids("hero-nginx.service")

    changes = box.agent.call(write_and_watch, "/run/nginx/nginx/return_444", "", "nginx", "failed", 5)
    assert path_of(changes) == ["degraded", "failed"]
    assert changes[-1]["after"] <= bound(500, 0, 3, 100) + SLACK
    assert box.http(web, "/health")[0] == 200 and box.http(web, "/api/files")[0] is None
    assert box.cgroup_pids("hero-nginx.service") == pids
    assert [reason[:2] for reason in reasons(box, "nginx")] == [("probe-failed", "files")]
    assert "files: empty reply" in box.hero("list", "nginx").stdout


def test_nginx_runs_again_with_a_fixed_configuration_and_a_restart(box):
    """Goes on where the test before has left it, with `return 444` for good."""
    path = "/run/nginx/nginx/nginx.conf"
    broken = re.sub(r"if \(-f .*\) {", "if ($request_method) {", box.read_file(path))
    box.write_file(path, broken)
    box.run(["rm", "/run/nginx/nginx/return_444"])
    box.hero("restart", "nginx", check=False)
    box.wait_state("nginx", "failed", 5)
    assert box.http(socket_path("nginx", "web.sock"), "/api/files")[0] is None

    box.write_file(path, broken.replace("return 444", "return 204"))
    box.hero("restart", "nginx")
    assert box.http(socket_path("nginx", "web.sock"), "/api/files") == (204, "")
    assert box.states()["nginx"] == "running"


def test_with_the_defaults_it_takes_5_4_s_for_one_that_closes_and_11_4_s_for_one_that_hangs(box):
    plain = {"name": "files", "socket": "rpc.sock", "path": "/api/files"}
    names = {"closes": "close", "hangs": "hang"}
    box.apply(*(service(box, name, probes=[plain]) for name in names))
    for name in names:
        box.wait_state(name, "running", 5)

    def break_both(faults: dict[str, str]) -> dict[str, float]:
        with StateChanges("closes") as closes, StateChanges("hangs") as hangs:  # noqa: F821
            began = time.monotonic()  # noqa: F821
            for name, fault in faults.items():
                Path(f"/run/{name}.faults").write_text(f"/api/files {fault}\n")  # noqa: F821
            seen = {"closes": closes.until("failed", 13)[-1], "hangs": hangs.until("failed", 13)[-1]}
        assert all(change["new"] == "failed" for change in seen.values()), seen
        return {name: change["at"] - began for name, change in seen.items()}

    seconds = box.agent.call(break_both, names)
    assert seconds["closes"] <= bound() + SLACK and bound() == 5.4
    assert seconds["hangs"] <= bound(time_to_fail_ms=2000) + SLACK and bound(time_to_fail_ms=2000) == 11.4
    assert seconds["hangs"] >= 3 * 2.0


WAYS = {
    "close": "empty reply",
    "hang": "timed out",
    "half-body": "closed in the body",
    "half-hang": "in the body",
    "short-header": "closed in the header",
    "status-502": "status 502",
    "drip": "timed out",
    "slow-2000": "timed out",
}


def bytes_within(seconds: float, path: str) -> str:
    """For the agent: all that comes back from /api/files in the time, as it is."""
    deadline = time.monotonic() + seconds  # noqa: F821
    got = b""
    with socket.socket(socket.AF_UNIX) as client:  # noqa: F821
        client.connect(path)
        client.sendall(b"GET /api/files HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        while (left := deadline - time.monotonic()) > 0:  # noqa: F821
            client.settimeout(left)
            try:
                more = client.recv(4096)
            except TimeoutError:
                break
            if not more:
                break
            got += more
    return got.decode()


def test_each_way_to_fail_leads_from_degraded_to_failed_within_the_bound_and_is_told(box):
    names = {fault: f"way-{fault}" for fault in WAYS}
    box.apply(*(service(box, name, probe=probe()) for name in names.values()))
    for name in names.values():
        box.wait_state(name, "running", 5)
    whole = box.agent.call(bytes_within, 0.3, socket_path(names["close"]))
    assert whole.startswith("HTTP/1.1 200 ") and "readme.md" in whole
    for fault, words in WAYS.items():
        name = names[fault]
        pid = box.main_pid(f"hero-{name}.service")
        changes = box.agent.call(write_and_watch, f"/run/{name}.faults", f"/api/files {fault}\n", name, "failed", 5)
        assert path_of(changes) == ["degraded", "failed"], (fault, changes)
        assert changes[-1]["reason"] == "probe-failed"
        assert changes[-1]["after"] <= bound(200, 300, 3, 50) + SLACK, (fault, changes)

        assert box.http(socket_path(name), "/health")[0] == 200
        assert box.agent.call(bytes_within, 0.3, socket_path(name)) != whole, fault
        assert box.main_pid(f"hero-{name}.service") == pid
        code, subject, text = reasons(box, name)[0]
        assert (code, subject) == ("probe-failed", "files") and words in text, (fault, text)
    box.hero("remove", *names.values())


def test_degraded_shows_from_the_first_failure_and_running_after_the_first_answer(box):
    box.apply(service(box, "first", probe=probe(interval_ms=300, failures=1000)))
    box.wait_state("first", "running", 5)
    changes = box.agent.call(write_and_watch, "/run/first.faults", "/api/files close\n", "first", "degraded", 5)
    assert path_of(changes) == ["degraded"] and changes[0]["reason"] == "probe-failed"
    assert changes[0]["after"] <= 0.3 + SLACK
    box.wait_for(lambda: status(box, "first")["probes"][0]["failures"] > 5, 5, "it is asked again and again")
    assert box.states()["first"] == "degraded"
    changes = box.agent.call(write_and_watch, "/run/first.faults", "", "first", "running", 5)
    assert path_of(changes) == ["running"] and changes[0]["after"] <= 0.05 + SLACK


def test_what_was_counted_belongs_to_one_invocation(box):
    """With 1000 answers wanted after a failure, only a new count lets it run at once."""
    box.apply(service(box, "counts", "--fresh-faults", probe=probe(successes=1000)))
    box.wait_state("counts", "running", 5)
    set_faults(box, "counts", "/api/files close")
    box.wait_state("counts", "failed", 5)
    set_faults(box, "counts")
    box.wait_for(lambda: status(box, "counts")["probes"][0]["failures"] == 0, 5, "it answers again")
    assert box.http(socket_path("counts"), "/api/files")[0] == 200
    assert box.states()["counts"] == "failed"

    before = box.invocation_id("hero-counts.service")
    box.systemctl("restart", "hero-counts.service")
    box.wait_state("counts", "running", 5)
    assert box.invocation_id("hero-counts.service") != before


def test_of_several_probes_each_one_that_fails_is_named_and_no_other(box):
    box.apply(service(box, "several", probes=[probe("health", "/health"), probe("files", "/api/files"),
                                              probe("card", "/.well-known/heroservice.json")]))
    box.wait_state("several", "running", 5)
    set_faults(box, "several", "/api/files status-500")
    box.wait_state("several", "failed", 5)
    assert [subject for _, subject, _ in reasons(box, "several")] == ["files"]
    set_faults(box, "several", "/api/files status-500", "/.well-known/heroservice.json close")
    box.wait_for(lambda: [(code, subject) for code, subject, _ in reasons(box, "several")] ==
                 [("probe-failed", "files"), ("probe-failed", "card")], 5, "both are named")
    box.wait_for(lambda: [(p["name"], p["state"]) for p in status(box, "several")["probes"]] ==
                 [("health", "passing"), ("files", "failed"), ("card", "failed")], 5, "each has its own state")
    set_faults(box, "several")
    box.wait_state("several", "running", 5)


def test_an_answer_without_the_text_that_is_expected_is_a_failure(box):
    box.apply(service(box, "right", probe=probe("health", "/health", expect_body='"status":"ok"')),
              service(box, "wrong", probe=probe("health", "/health", expect_body='"status":"green"')))
    box.wait_state("right", "running", 5)
    box.wait_state("wrong", "failed", 5)
    assert box.http(socket_path("wrong"), "/health")[0] == 200
    assert reasons(box, "wrong")[0][2].startswith('health: body does not hold ""status":"green""')


def test_a_json_rpc_call_is_a_probe(box):
    def call(name: str, method: str) -> dict:
        body = {"jsonrpc": "2.0", "id": 1, "method": method}
        return service(box, name, probe=probe("rpc", "/rpc", method="POST", body=body, expect_body='"openrpc"'))

    box.apply(call("rpc", "rpc.discover"), call("rpc-unknown", "rpc.nonsense"))
    box.wait_state("rpc", "running", 5)
    box.wait_state("rpc-unknown", "failed", 5)
    set_faults(box, "rpc", "/rpc half-body")
    box.wait_state("rpc", "failed", 5)
    assert reasons(box, "rpc")[0][:2] == ("probe-failed", "rpc")
    assert box.http(socket_path("rpc"), "/health")[0] == 200


def test_a_port_is_probed_as_a_socket_is(box):
    box.apply(service(box, "port", "--port", "8701", sockets=(), probe=probe(port=8701)),
              service(box, "no-port", sockets=(), start_timeout_ms=1000, probe=probe(port=8702)))
    box.wait_state("port", "running", 5)
    assert box.http(8701, "/api/files")[0] == 200
    set_faults(box, "port", "/api/files hang")
    box.wait_state("port", "failed", 5)
    assert "timed out" in reasons(box, "port")[0][2]
    box.wait_state("no-port", "failed", 5)
    assert "refused" in reasons(box, "no-port")[0][2]


def test_a_connect_probe_asks_for_a_listener_and_for_nothing_more(box):
    box.apply(service(box, "connects", "--port", "8703", probes=[
        {"name": name, "type": "connect", "interval_ms": 200, "timeout_ms": 300, "fast_interval_ms": 50, **where}
        for name, where in (("socket", {"socket": "rpc.sock"}), ("port", {"port": 8703}))]))
    box.wait_state("connects", "running", 5)
    set_faults(box, "connects", "* close")
    checked = status(box, "connects")["probes"][0]["checked_usec"]
    box.wait_for(lambda: status(box, "connects")["probes"][0]["checked_usec"] > checked + 1_000_000, 5, "it was asked")
    assert box.states()["connects"] == "running"
    set_faults(box, "connects", "close-listener rpc.sock")
    box.wait_for(lambda: {(code, subject) for code, subject, _ in reasons(box, "connects")} ==
                 {("socket-no-listener", socket_path("connects")), ("probe-failed", "socket")}, 5, "both are seen")


def test_a_report_probe_degrades_and_never_fails(box):
    box.apply(service(box, "report", probes=[probe("health", "/health"), probe(role="report")]))
    box.wait_state("report", "running", 5)

    def states_until_ten_failures(path: str) -> list[str]:
        with StateChanges("report") as changes:  # noqa: F821
            Path(path).write_text("/api/files status-503\n")  # noqa: F821
            return [change["new"] for change in changes.until("failed", 3)]

    assert box.agent.call(states_until_ten_failures, "/run/report.faults") == ["degraded"]
    assert status(box, "report")["probes"][1]["failures"] > 5
    assert reasons(box, "report")[0][:2] == ("probe-failed", "files")
    set_faults(box, "report", "/health close")
    box.wait_state("report", "failed", 5)


def rows_on_a_terminal(seconds: float, name: str) -> list[str]:
    """For the agent: the row of a service in `hero_proc list`, asked again and again, as a terminal gets it."""
    import pty  # pylint: disable=import-outside-toplevel
    rows = []
    deadline = time.monotonic() + seconds  # noqa: F821
    while time.monotonic() < deadline:  # noqa: F821
        master, slave = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "LANG": "C.UTF-8"}  # noqa: F821
        with subprocess.Popen(["hero_proc", "--system", "--no-pager", "list"], stdin=slave,  # noqa: F821
                              stdout=slave, env=environment):
            os.close(slave)  # noqa: F821
            text = b""
            try:
                while got := os.read(master, 65536):  # noqa: F821
                    text += got
            except OSError:  # its other end was closed
                pass
        os.close(master)  # noqa: F821
        rows += [line for line in text.decode().splitlines() if f" {name} " in line]
    return rows


def test_list_is_never_green_for_a_dead_handler(box):
    set_faults(box, "dead", "/api/files close")
    box.apply(service(box, "alive", probe=probe()), service(box, "dead", probe=probe(interval_ms=1000)))
    box.wait_state("alive", "running", 5)
    assert all(GREEN in row for row in box.agent.call(rows_on_a_terminal, 0.2, "alive"))

    box.spawn(["sh", "-c", "sleep 0.3; hero_proc --no-block restart dead; sleep 1; systemctl restart hero-dead"])
    rows = box.agent.call(rows_on_a_terminal, 3, "dead")
    assert len(rows) > 20
    assert not [row for row in rows if GREEN in row or "running" in row]
    assert box.http(socket_path("dead"), "/health")[0] == 200 and box.http(socket_path("dead"), "/api/files")[0] is None
    assert "failed" in rows[-1] and "files: empty reply" in rows[-1]


def recent(box, name: str) -> list[list[int]]:
    """[latency in us, 0 pass / 1 fail / 2 unknown] of each of the last tries, as a board asks for them."""
    rows = json.loads(box.agent.call("call_bus", "org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager",
                                     "GetStatus", "ast", 1, name, 16)[0])
    return rows[0]["probes"][0]["recent"]


def outcomes_by_the_service(box, log: str) -> list[str]:
    return [line.split()[3] for line in box.read_file(log).splitlines()]


def test_status_tells_how_long_answers_take_and_what_became_of_the_last(box):
    log = "/run/timed.requests"
    set_faults(box, "timed", "/api/files slow-50")
    box.apply(service(box, "timed", "--request-log", log, probe=probe(interval_ms=100, timeout_ms=1000, failures=100)))
    box.wait_for(lambda: len(recent(box, "timed")) >= 20, 20, "it was asked 20 times")
    strip, asked = recent(box, "timed"), outcomes_by_the_service(box, log)
    assert len(strip) <= len(asked) <= len(strip) + 2 and set(asked) == {"slow"}
    assert all(outcome == 0 and latency >= 50_000 for latency, outcome in strip), strip
    seen = status(box, "timed")["probes"][0]
    ordered = sorted(latency for latency, _ in recent(box, "timed"))
    assert 50_000 <= seen["p50_usec"] <= seen["p99_usec"] <= seen["max_usec"] <= ordered[-1]
    assert "recent" not in seen
    assert re.search(r"files: passing, HTTP 200, in \d+ms \(p50 \d+ms, p99 \d+ms\)", box.hero("status", "timed").stdout)

    set_faults(box, "timed", "/api/files hang")
    box.wait_for(lambda: recent(box, "timed")[-1][1] == 1, 10, "it fails")
    seen = status(box, "timed")["probes"][0]
    assert seen["latency_usec"] >= 1_000_000 and seen["p99_usec"] < 1_000_000  # only what passed is an answer
    set_faults(box, "timed")
    box.wait_for(lambda: len(recent(box, "timed")) == 64, 20, "the strip is full")
    box.wait_for(lambda: len(outcomes_by_the_service(box, log)) > 100, 20, "it was asked more often")
    assert len(recent(box, "timed")) == 64
    evidence = json.loads(box.agent.call("call_bus", "org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager",
                                         "ProbeService", "st", "timed", 0)[0])
    assert len(evidence["probes"][0]["recent"]) == 64 and evidence["probes"][0]["p50_usec"] > 0


def test_failures_of_several_kinds_are_not_told_as_one(box):
    box.apply(service(box, "mixed", probe=probe(failures=2)))
    box.wait_state("mixed", "running", 5)
    set_faults(box, "mixed", "/api/files close")
    box.wait_state("mixed", "failed", 5)
    assert re.fullmatch(r"files: empty reply \(\d+ times in a row\)", reasons(box, "mixed")[0][2])
    set_faults(box, "mixed", "/api/files status-502")
    box.wait_for(lambda: re.fullmatch(r"files: status 502, the last of \d+ failures in a row", reasons(box, "mixed")[0][2]),
                 5, "another kind is not counted with it")
