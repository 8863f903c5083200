# SPDX-License-Identifier: LGPL-2.1-or-later
"""/metrics: understood by Prometheus's own tools, and true by what systemd and the tests themselves have seen."""

from __future__ import annotations

import re

import gateway
import house

STATES = ("running", "degraded", "failed", "starting", "stopping", "restarting", "stopped", "unknown")


def prepare(box):
    gateway.start(box)
    box.apply(house.web_service(box, "web"), house.sleeper("idle"),
              house.sleeper("dying", restart={"policy": "on-failure", "delay_ms": 100, "max_attempts": 3}))
    box.wait_state("web", "running", 20)


def scrape(box, accept=""):
    status, text = box.agent.call("http_request", gateway.RPC, "/metrics", "GET", None, {"Accept": accept})
    assert status == 200, text
    return text


def samples(box):
    """(name, labels) → value, by the parser of Prometheus's own client library."""
    from prometheus_client.parser import text_string_to_metric_families  # pylint: disable=import-outside-toplevel
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(scrape(box)) for sample in family.samples}


def value(box, name, **labels):
    return samples(box).get((f"heroproc_{name}", tuple(sorted(labels.items()))))


def test_promtool_has_nothing_to_say(box):
    done = box.run(["promtool", "check", "metrics"], input=scrape(box), check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_openmetrics_is_given_to_who_asks_for_it(box):
    from prometheus_client.openmetrics.parser import text_string_to_metric_families  # pylint: disable=import-outside-toplevel
    text = scrape(box, "application/openmetrics-text; version=1.0.0, text/plain;q=0.5")
    assert text.endswith("# EOF\n") and "# EOF" not in scrape(box)
    families = {family.name: family.type for family in text_string_to_metric_families(text)}
    assert families["heroproc_service_restarts"] == "counter" and families["heroproc_build"] == "info"
    assert families["heroproc_probe_duration_seconds"] == "histogram"


def test_each_service_is_in_one_state_and_it_is_the_right_one(box):
    seen = samples(box)
    for service in ("web", "idle", "dying"):
        states = {state: seen[("heroproc_service_state", (("service", service), ("state", state)))] for state in STATES}
        assert states.pop("running") == 1 and set(states.values()) == {0}, f"{service}: {states}"
    assert box.main_pid("hero-idle.service") > 0
    assert seen[("heroproc_server_up", ())] == 1


def test_what_happens_is_counted_by_cause_and_reason(box):
    before = samples(box)

    def grown(name, **labels):
        key = (f"heroproc_{name}", tuple(sorted(labels.items())))
        return samples(box)[key] - before[key]

    box.hero("restart", "idle")
    assert grown("service_restarts_total", cause="operator") == 1
    box.run(["kill", "-KILL", str(box.main_pid("hero-dying.service"))])
    box.wait_for(lambda: grown("service_restarts_total", cause="systemd") == 1, 20, "systemd's restart is counted")
    box.wait_for(lambda: int(box.unit_property("hero-dying.service", "NRestarts")) == 1, 20, "and systemd says so too")
    box.wait_state("dying", "running", 20)
    box.apply(house.web_service(box, "web", on_unhealthy="report"))
    box.wait_state("web", "running", 20)
    failures = grown("service_failures_total", reason="probe-failed")
    house.set_fault(box, "web", "/api/files close")
    box.wait_state("web", "failed", 20)
    assert grown("service_failures_total", reason="probe-failed") == failures + 1
    assert grown("probe_results_total", result="fail") >= 3
    house.set_fault(box, "web", "")
    box.wait_state("web", "running", 20)


def test_probes_are_timed_and_evidence_is_young(box):
    count = value(box, "probe_duration_seconds_count")
    box.wait_for(lambda: value(box, "probe_duration_seconds_count") > count, 10, "answers are counted")
    seen = samples(box)
    buckets = [v for (name, labels), v in sorted(seen.items(), key=lambda item: float(dict(item[0][1]).get("le", "0")))
               if name == "heroproc_probe_duration_seconds_bucket"]
    assert buckets == sorted(buckets) and buckets[-1] == seen[("heroproc_probe_duration_seconds_count", ())]
    assert 0 <= seen[("heroproc_service_evidence_age_seconds", (("service", "web"),))] < 5
    assert ("heroproc_service_evidence_age_seconds", (("service", "idle"),)) not in seen, "nobody asks it anything"


def test_without_a_server_everything_is_unknown_and_said_so(box):
    reconnects = value(box, "gateway_reconnects_total")
    box.stop_server()
    box.wait_for(lambda: value(box, "server_up") == 0, 10, "its absence is seen")
    seen = samples(box)
    for service in ("web", "idle", "dying"):
        for state in STATES:
            key = ("heroproc_service_state", (("service", service), ("state", state)))
            assert seen[key] == (state == "unknown"), key
    assert box.run(["promtool", "check", "metrics"], input=scrape(box), check=False).returncode == 0
    assert box.unit_property("hero_proc.service", "ActiveState") == "inactive", "a scrape starts no server"
    box.start_server()
    box.wait_for(lambda: value(box, "server_up") == 1, 10, "it is back")
    assert value(box, "gateway_reconnects_total") == reconnects + 1


def test_the_servers_own_reconnects_are_counted(box):
    assert value(box, "server_reconnects_total", peer="bus") == 0
    box.run(["systemctl", "restart", "dbus.service"], check=False)

    def is_counted():
        """For a moment the server cannot be asked, and nobody knows yet whether it is away: that is an error, and no half."""
        status, text = box.agent.call("http_request", gateway.RPC, "/metrics", "GET", None, {})
        return status != 503 and re.search(r'^heroproc_server_reconnects_total{peer="bus"} 1(\.0)?$', text, re.MULTILINE)

    box.wait_for(is_counted, 30, "the bus's restart is counted")
    assert value(box, "server_up") == 1
