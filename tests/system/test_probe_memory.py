# SPDX-License-Identifier: LGPL-2.1-or-later
"""What was known of a probe outlives the server as what it is: old, of one invocation, and no guess at how it is now."""

from __future__ import annotations

import json
import time

from box import SERVER_UNIT
from herodemo import probe, reasons, service, set_faults, socket_path, status

HANGS_FOR_MS = 4000  # so long a hanging handler leaves the server without an answer


def prepare(box):
    box.start_server()


def stored_verdicts() -> list[list]:
    """For the agent: (service, probe, invocation, verdict, error, since) of a copy: its owner lets nobody else in."""
    import shutil  # pylint: disable=import-outside-toplevel
    import sqlite3  # pylint: disable=import-outside-toplevel
    import tempfile  # pylint: disable=import-outside-toplevel
    with tempfile.TemporaryDirectory() as folder:
        for file in Path("/var/lib/hero_proc").glob("hero_proc.db*"):  # noqa: F821
            shutil.copy(file, folder)
        connection = sqlite3.connect(f"{folder}/hero_proc.db")
        rows = connection.execute("SELECT name, probe, invocation_id, verdict, error, realtime_usec FROM verdict"
                                  " JOIN service ON service.id = service_id").fetchall()
        connection.close()
    return [list(row) for row in rows]


def wait_stored(box, name: str, verdict: str) -> list:
    invocation = box.invocation_id(f"hero-{name}.service")

    def found() -> list:
        return [row for row in box.agent.call(stored_verdicts) if row[0] == name and row[2:4] == [invocation, verdict]]

    return box.wait_for(found, 10, f"that {name} is {verdict} stands in the store")[0]


def changes_of(name: str, command: list[str], state: str, timeout: float) -> list[list[str]]:
    """For the agent: the states, each with its reason, that a command leads to, up to that state."""
    with StateChanges(name) as changes:  # noqa: F821
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: F821
        return [[change["new"], change["reason"]] for change in changes.until(state, timeout)]


def first_seen(box, name: str, pid_before: int = 0) -> dict:
    """The first that a new server says of a service once it has read its units."""

    def row():
        rows = box.hero_json("status", name) if box.main_pid(SERVER_UNIT) not in (0, pid_before) else []
        return rows and rows[0]["reasons"] and rows[0]["reasons"][0]["code"] != "systemd-unreachable" and rows[0]

    return box.wait_for(row, 10, f"the new server says something of {name}")


def test_after_a_kill_of_the_server_a_verdict_is_shown_as_old_until_the_first_answer(box):
    began = time.time()
    box.apply(service(box, "old", probe=probe(timeout_ms=HANGS_FOR_MS, failures=1)))
    box.wait_state("old", "running", 10)
    since = wait_stored(box, "old", "passing")[5]
    assert began - 1 < since / 1e6 < time.time()
    invocation = box.invocation_id("hero-old.service")

    set_faults(box, "old", "/api/files hang")
    box.wait_for(lambda: box.http(socket_path("old"), "/api/files", timeout=0.3)[0] is None, 10, "it hangs")
    row = first_seen(box, "old", box.kill_server())
    assert row["state"] == "unknown" and [reason["code"] for reason in row["reasons"]] == ["stale"]
    text = row["reasons"][0]["text"]
    assert text.startswith("files: recorded as passing ") and text.endswith(" before the server came back; no answer since")
    seen = row["probes"][0]
    assert (seen["state"], seen["before"], seen["since_usec"], seen["checked_usec"]) == ("stale", "passing", since, 0)
    assert "files: stale, recorded as passing" in box.hero("status", "old", check=False).stdout
    assert box.hero("status", "old", check=False).returncode == 6
    assert box.invocation_id("hero-old.service") == invocation

    box.wait_state("old", "failed", HANGS_FOR_MS / 1000 + 5)  # an answer, at last: the probe was asked at once
    wait_stored(box, "old", "failed")
    set_faults(box, "old")
    box.wait_state("old", "running", 10)
    assert box.invocation_id("hero-old.service") == invocation


def test_a_verdict_of_another_invocation_is_none(box):
    wait_stored(box, "old", "passing")
    box.stop_server()
    set_faults(box, "old", "/api/files hang")
    box.systemctl("restart", "hero-old.service")
    box.start_server()
    row = first_seen(box, "old")
    assert row["state"] == "unknown" and row["reasons"][0]["text"] == "files: no answer since the server came back"
    assert (row["probes"][0]["state"], row["probes"][0]["before"]) == ("stale", "")
    set_faults(box, "old")
    box.wait_state("old", "running", HANGS_FOR_MS / 1000 + 10)


def test_what_had_failed_has_to_pass_as_often_as_ever_after_a_restart_of_the_server(box):
    box.apply(service(box, "slow-to-trust", probe=probe(successes=3)))
    box.wait_state("slow-to-trust", "running", 10)
    set_faults(box, "slow-to-trust", "/api/files close")
    box.wait_state("slow-to-trust", "failed", 10)
    assert wait_stored(box, "slow-to-trust", "failed")[4] == "empty reply"
    box.stop_server()
    set_faults(box, "slow-to-trust")
    assert box.http(socket_path("slow-to-trust"), "/api/files")[0] == 200
    seen = box.agent.call(changes_of, "slow-to-trust", ["systemctl", "start", SERVER_UNIT], "running", 10)
    assert seen == [["failed", "probe-failed"], ["running", ""]], seen


def test_a_new_definition_that_asks_the_same_forgets_no_answer(box):
    box.apply(service(box, "renewed", probe=probe(timeout_ms=HANGS_FOR_MS)))
    box.wait_state("renewed", "running", 10)
    since = wait_stored(box, "renewed", "passing")[5]
    set_faults(box, "renewed", "/api/files hang")
    box.write_file("/tmp/renewed.json", json.dumps(
        service(box, "renewed", description="new", probe=probe(timeout_ms=HANGS_FOR_MS, failures=2, interval_ms=300))))
    seen = box.agent.call(changes_of, "renewed", ["hero_proc", "apply", "/tmp/renewed.json"], "degraded",
                          HANGS_FOR_MS / 1000 + 5)
    assert seen == [["degraded", "probe-failed"]], seen  # and not unknown before
    assert reasons(box, "renewed")[0][2].startswith("files: timed out")
    set_faults(box, "renewed")
    box.wait_state("renewed", "running", 10)
    assert status(box, "renewed")["description"] == "new" and wait_stored(box, "renewed", "passing")[5] > since


def test_a_probe_that_is_gone_leaves_nothing_behind(box):
    box.apply(service(box, "renewed", probe=probe("other")))
    box.wait_for(lambda: [row[1] for row in box.agent.call(stored_verdicts) if row[0] == "renewed"] == ["other"], 10,
                 "only the new probe stands in the store")
    box.hero("remove", "renewed")
    assert not [row for row in box.agent.call(stored_verdicts) if row[0] == "renewed"]
