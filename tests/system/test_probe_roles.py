# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a probe's failure means depends on its role: not ready, dead, or worth a note."""

from __future__ import annotations

import json

from herodemo import probe, reasons, service, set_faults, socket_path, status

SLACK = 1.0  # seconds that a busy machine may add to what is promised


def prepare(box):
    box.start_server()


def changes_of(name: str, command: list[str], state: str, timeout: float) -> list[dict]:
    """For the agent: the state changes that a command leads to, up to that state, with the seconds since it began."""
    with StateChanges(name) as changes:  # noqa: F821
        began = time.monotonic()  # noqa: F821
        with subprocess.Popen(command) as process:  # noqa: F821
            seen = [{**change, "after": change["at"] - began} for change in changes.until(state, timeout)]
            process.wait()
        return seen


def apply_and_watch(box, definition: dict, state: str, timeout: float) -> list[dict]:
    box.write_file("/tmp/definition.json", json.dumps(definition))
    return box.agent.call(changes_of, definition["name"], ["hero_proc", "-q", "apply", "/tmp/definition.json"],
                          state, timeout)


def path_of(changes: list[dict]) -> list[tuple[str, str]]:
    return [(change["new"], change["reason"]) for change in changes]


def life(box, name: str) -> tuple[str, int]:
    unit = f"hero-{name}.service"
    return box.invocation_id(unit), box.main_pid(unit)


def two_roles(box, name: str, **fields) -> dict:
    """Alive by /health, ready by /api/files."""
    return service(box, name, probes=[probe("alive", "/health"), probe("ready", role="readiness", interval_ms=30000)],
                   **{"on_unhealthy": "restart", **fields})


def test_a_service_is_starting_and_nothing_else_until_its_readiness_probe_first_passes(box):
    set_faults(box, "warm", "/api/files status-503")
    began = apply_and_watch(box, two_roles(box, "warm"), "running", 2)
    assert {state for state, _ in path_of(began)} == {"starting"}, began
    assert box.http(socket_path("warm"), "/health")[0] == 200 and box.http(socket_path("warm"), "/api/files")[0] == 503
    assert box.unit_property("hero-warm.service", "ActiveState") == "active"
    code, subject, text = reasons(box, "warm")[0]
    assert (code, subject) == ("not-ready", "ready") and text.startswith("ready: has not passed yet: status 503 ("), text
    ready = next(p for p in status(box, "warm")["probes"] if p["name"] == "ready")
    assert (ready["role"], ready["state"], ready["last_status"]) == ("readiness", "not-ready", 503) and ready["failures"] > 3

    before = life(box, "warm")
    seen = box.agent.call(changes_of, "warm", ["rm", "/run/warm.faults"], "running", 5)
    assert path_of(seen) == [("running", "")]
    assert seen[0]["after"] < 0.05 + SLACK  # asked at fast_interval_ms until then, not at interval_ms
    assert box.http(socket_path("warm"), "/api/files")[0] == 200 and life(box, "warm") == before


def test_who_starts_a_service_waits_for_its_readiness_probe(box):
    box.hero("stop", "warm")
    set_faults(box, "warm", "/api/files status-503")
    starting = box.spawn(["hero_proc", "start", "warm"])
    box.wait_for(lambda: box.http(socket_path("warm"), "/api/files")[0] == 503, 5, "it answers")
    box.wait_for(lambda: [code for code, _, _ in reasons(box, "warm")] == ["not-ready"], 5, "it is asked")
    assert starting.poll() is None and box.states()["warm"] == "starting"
    set_faults(box, "warm")
    assert starting.wait(10) == 0 and box.states()["warm"] == "running"


def test_one_that_is_not_ready_in_time_is_failed_for_that_and_never_called_degraded(box):
    set_faults(box, "late", "/api/files status-503")
    began = apply_and_watch(box, two_roles(box, "late", start_timeout_ms=1500), "failed", 10)
    assert [state for state, _ in path_of(began)] == ["starting", "failed"], began
    assert began[-1]["reason"] == "start-timeout"
    code, subject, text = reasons(box, "late")[0]
    assert (code, subject) == ("start-timeout", "ready")
    assert text.startswith("ready: has not passed within 1500 ms of the start: status 503"), text
    before = life(box, "late")
    assert box.hero("status", "late", check=False).returncode == 3

    set_faults(box, "late")
    box.hero("reset-failed", "--dry-run", "late", check=False)  # asks its probes
    box.wait_state("late", "running", 5)
    assert life(box, "late") == before


def test_once_ready_its_failure_is_degraded_then_failed_and_never_leads_to_a_restart(box):
    definition = two_roles(box, "busy", start_timeout_ms=1000, restart={"delay_ms": 100})
    definition["probes"][1]["interval_ms"] = 200
    apply_and_watch(box, definition, "running", 10)
    before = life(box, "busy")
    box.wait_for(lambda: box.agent.call(seconds_since_start, before[1]) > 1.5, 5, "its start is over")
    box.write_file("/tmp/faults", "/api/files status-503\n")
    seen = box.agent.call(changes_of, "busy", ["cp", "/tmp/faults", "/run/busy.faults"], "failed", 5)
    assert path_of(seen) == [("degraded", "probe-failed"), ("failed", "probe-failed")]
    assert reasons(box, "busy")[0][:2] == ("probe-failed", "ready")
    ten_more = next(p for p in status(box, "busy")["probes"] if p["name"] == "ready")["failures"] + 10
    box.wait_for(lambda: next(p for p in status(box, "busy")["probes"] if p["name"] == "ready")["failures"] > ten_more,
                 10, "it is asked on")
    assert life(box, "busy") == before and box.http(socket_path("busy"), "/health")[0] == 200
    set_faults(box, "busy")
    box.wait_state("busy", "running", 5)
    assert life(box, "busy") == before


def seconds_since_start(pid: int) -> float:
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])  # noqa: F821
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")  # noqa: F821


def test_where_nobody_comes_to_listen_a_start_ends_as_failed_with_no_other_state_between(box):
    """No socket tells of it: only the probe of a port looks."""
    definition = service(box, "mute", sockets=(), start_timeout_ms=1500, probe=probe("port", port=8711))
    seen = apply_and_watch(box, definition, "failed", 10)
    assert [state for state, _ in path_of(seen)] == ["starting", "failed"], seen
    code, subject, text = reasons(box, "mute")[0]
    assert (code, subject) == ("probe-failed", "port") and text.startswith("port: refused ("), text


def test_a_probe_that_only_reports_does_not_hold_back_a_start(box):
    set_faults(box, "noted", "/api/files hang")
    definition = service(box, "noted", probes=[probe("alive", "/health"), probe("note", role="report")])
    seen = apply_and_watch(box, definition, "degraded", 5)
    assert [state for state, _ in path_of(seen)] == ["starting", "running", "degraded"], seen
    assert reasons(box, "noted")[0][:2] == ("probe-failed", "note")
    assert "note (report): fail" in box.hero("status", "noted", check=False).stdout
