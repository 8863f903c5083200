# SPDX-License-Identifier: LGPL-2.1-or-later
"""What programs rely on: the fields of the JSON, exit statuses, the members of the bus interface and its signals."""

from __future__ import annotations

import json
import re
import time
import xml.etree.ElementTree as ElementTree

from box import REPOSITORY, SERVER_UNIT
from house import everything, probe, set_fault, sleeper, units, web_service

NAME, MANAGER_PATH = "org.hero.Proc1", "/org/hero/Proc1"
MANAGER, SERVICE = "org.hero.Proc1.Manager", "org.hero.Proc1.Service"
NEVER = {"policy": "never"}
STATES = ("running", "degraded", "failed", "starting", "stopping", "restarting", "stopped", "unknown")

ROW = {"name": str, "description": str, "state": str, "wanted": str, "since_usec": int, "observed_usec": int,
       "ready": (bool, type(None)), "reasons": list, "actions": list, "sockets": list, "ports": list, "probes": list,
       "healing": (dict, type(None))}
PARTS = {
    "reasons": {"code": str, "text": str, "subject": str},
    "actions": {"name": str, "unit": str, "active_state": str, "sub_state": str, "result": str, "main_pid": int,
                "invocation_id": str, "n_restarts": int, "status_text": str, "wanted": str},
    "sockets": {"path": str, "state": str, "listener_pid": int, "listener_command": str, "listener_unit": str,
                "backlog": int, "seen_at": str},
    "ports": {"port": int, "state": str, "listener_pid": int, "listener_command": str, "listener_unit": str,
              "backlog": int},
    "probes": {"name": str, "role": str, "state": str, "failures": int, "last_error": str, "not_asked": str,
               "last_status": int, "latency_usec": int, "p50_usec": int, "p99_usec": int, "max_usec": int,
               "checked_usec": int, "since_usec": int, "before": str},
}

METHODS = {
    "ListServices": ("", "a(sssso)"), "GetService": ("s", "o"), "GetStatus": ("ast", "s"),
    "ApplyDefinitions": ("ast", "a(ss)s"), "RemoveService": ("st", ""), "StartService": ("st", "s"),
    "StopService": ("st", "s"), "RestartService": ("st", "s"), "ResetFailed": ("ast", "a(sss)"),
    "ProbeService": ("st", "s"), "Why": ("st", "s"), "History": ("stt", "s"), "GetDefinition": ("s", "s"),
    "Dump": ("", "s"),
}
LATER_METHODS = {"Metrics": ("", "s")}
PROPERTIES = {
    "Name": "s", "State": "s", "Wanted": "s", "Definition": "s", "Ready": "s", "Reasons": "a(sss)", "StateSinceUSec": "t",
    "Actions": "a(sssus)", "Sockets": "a(ssus)", "Ports": "a(qsus)", "Probes": "a(ssust)",
}


def prepare(box):
    box.apply(web_service(box, "web", description="A site"), sleeper("db"))
    box.wait_state("web", "running", 10)
    box.wait_state("db", "running", 10)


def assert_fields(found, expected):
    assert set(found) == set(expected), set(found) ^ set(expected)
    wrong = {key: value for key, value in found.items()
             if not isinstance(value, expected[key]) or (expected[key] is int and isinstance(value, bool))}
    assert not wrong, wrong


def remove(box, *names):
    box.hero("remove", *names)


# -- JSON --


def test_rows_have_the_fields_and_types_of_the_contract(box):
    box.apply(sleeper("broken", exec="exit 3", restart=NEVER))
    box.wait_state("broken", "failed", 10)
    for rows in (box.hero_json("list"), box.hero_json("status"), box.hero_json("status", "web", "db", "broken")):
        assert {row["name"] for row in rows} == {"web", "db", "broken"}
        for row in rows:
            assert_fields(row, ROW)
            assert row["state"] in STATES and row["wanted"] in ("up", "down")
            for part, fields in PARTS.items():
                for item in row[part]:
                    assert_fields(item, fields)
    by_name = {row["name"]: row for row in rows}
    assert by_name["broken"]["reasons"] and by_name["web"]["sockets"] and by_name["web"]["probes"]
    remove(box, "broken")


def test_what_the_rows_say_is_what_systemd_and_the_kernel_say(box):
    row = box.hero_json("status", "web")[0]
    action, socket, seen = row["actions"][0], row["sockets"][0], box.unit_properties("hero-web.service")
    assert row["description"] == "A site"
    assert (action["name"], action["unit"]) == ("main", "hero-web.service")
    assert (action["active_state"], action["sub_state"], action["result"]) == (
        seen["ActiveState"], seen["SubState"], seen["Result"])
    assert (action["main_pid"], action["n_restarts"]) == (int(seen["MainPID"]), int(seen["NRestarts"]))
    assert action["invocation_id"] == seen["InvocationID"]
    assert box.cgroup_pids("hero-web.service") == [socket["listener_pid"]]
    assert (socket["path"], socket["state"], socket["listener_unit"]) == (
        "/run/hero/web/rpc.sock", "alive", "hero-web.service")
    # The probe's answer is a real one, and the clock that of people.
    assert row["probes"][0]["last_status"] == box.http("/run/hero/web/rpc.sock", "/api/files")[0]
    now = time.time() * 1e6
    assert now - 60e6 < row["probes"][0]["checked_usec"] <= row["observed_usec"] <= now
    assert now - 600e6 < row["since_usec"] <= row["observed_usec"]


def test_a_brief_status_says_of_all_what_the_whole_one_says(box):
    def ask(flags: int) -> list[dict]:
        return json.loads(box.agent.call("call_bus", "org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager",
                                         "GetStatus", "ast", 0, flags)[0])

    box.apply(sleeper("broken", exec="exit 3", restart=NEVER))
    box.wait_state("broken", "failed", 10)
    brief, whole = ask(32), ask(0)
    assert brief == [{"name": row["name"], "state": row["state"], "since_usec": row["since_usec"],
                      "reasons": row["reasons"][:1]} for row in whole]
    assert any(row["reasons"] for row in brief) and len(brief) == len(box.states())
    assert [line.split()[2] for line in box.output("hero_proc", "list", "--no-legend").splitlines()] == \
        [row["name"] for row in brief]
    remove(box, "broken")


def timeless(table: str) -> str:
    """The table without how long ago something was, which may be a second more in the next one, and its place wider."""
    return re.sub(r" +(now\b|\d[\w ]* ago)? *", " ", table)


def test_nothing_but_the_json_is_printed_and_all_forms_hold_the_same(box):
    short = box.hero("--json=short", "list")
    pretty = box.hero("list", "--json=pretty")
    assert short.stdout.count("\n") == 1 and pretty.stdout.count("\n") > 20 and not short.stderr and not pretty.stderr

    def lasting(text):
        return [(row["name"], row["state"], row["actions"]) for row in json.loads(text)]

    assert lasting(short.stdout) == lasting(pretty.stdout)
    assert timeless(box.hero("list", "--json=off").stdout) == timeless(box.hero("list").stdout) != ""
    assert [row["name"] for row in box.hero_json("list", "w*")] == ["web"]
    assert box.hero("--json", "list", "nothing-like-it").stdout == "[]\n"


def test_reset_failed_says_what_became_of_each_service(box):
    box.apply(sleeper("fallen", restart=NEVER), sleeper("hopeless", exec="exit 3", ready="notify", restart=NEVER), sleeper("resting"))
    box.wait_state("fallen", "running", 10)
    box.hero("stop", "resting")
    box.run(["kill", "-KILL", str(box.main_pid("hero-fallen.service"))])
    box.wait_state("fallen", "failed", 10)
    box.wait_state("hopeless", "failed", 10)
    invocation = box.invocation_id("hero-web.service")
    planned = box.hero("reset-failed", "--dry-run", "--json", check=False)
    assert box.main_pid("hero-fallen.service") == 0
    assert set(json.loads(planned.stdout)) == {"restarted", "left_alone", "still_failed", "skipped"}
    done = box.hero("reset-failed", "--json", check=False)
    assert json.loads(done.stdout) == {"restarted": ["fallen"], "left_alone": ["db", "web"], "still_failed": ["hopeless"],
                                       "skipped": ["resting"]}
    assert done.returncode == 1
    assert box.cgroup_pids("hero-fallen.service") and not box.cgroup_pids("hero-resting.service")
    assert box.invocation_id("hero-web.service") == invocation
    remove(box, "hopeless")
    assert box.hero("reset-failed", "fallen").returncode == 0
    remove(box, "fallen", "resting")


def test_dump_is_json_and_holds_every_definition(box):
    dump = json.loads(box.hero("dump").stdout)
    definitions = {row["name"]: row["definition"] for row in dump["services"]}
    assert definitions["db"] == sleeper("db") and set(definitions) == {"db", "web"}


# -- exit statuses --


def test_the_exit_status_of_status_is_the_services_own(box):
    box.apply(web_service(box, "half", probe=probe("pages", "/health", role="report")),
              web_service(box, "silent", probe=probe("files", "/api/files", interval_ms=60000,
                                                                    timeout_ms=60000)),
              sleeper("down"), sleeper("broken", exec="exit 3", restart=NEVER),
              sleeper("slow", ready="notify"))
    box.hero("stop", "down")
    box.wait_state("half", "running", 10)  # its start ends the faults that are there
    box.wait_state("silent", "running", 10)
    set_fault(box, "half", "close")
    box.wait_state("half", "degraded", 10)
    box.wait_state("broken", "failed", 10)
    # Adopted, and not yet heard of since: nothing is known of it.
    set_fault(box, "silent", "hang")
    box.restart_server()
    box.wait_for(lambda: box.states().get("silent") == "unknown" and box.states()["half"] == "degraded" and
                 box.states()["web"] == "running", 10, "the new server has looked at all of them")

    def status(*names):
        return box.hero("status", *names, check=False).returncode

    assert [status(name) for name in ("web", "half", "silent", "down", "broken", "slow", "nowhere")] == [
        0, 5, 6, 3, 3, 3, 4]
    assert [status("web", "db"), status("web", "half"), status("half", "silent"), status("silent", "down"),
            status("down", "nowhere", "web")] == [0, 5, 6, 3, 4]
    assert box.hero("list", check=False).returncode == 0
    remove(box, "half", "silent", "down", "broken", "slow")


def test_wait_ends_when_the_state_is_reached_or_the_time_is_up(box):
    assert box.hero("wait", "web", "db").returncode == 0
    late = box.hero("wait", "db", "--for=failed", "--timeout=0.3", check=False)
    assert late.returncode == 1 and "db: timed out waiting for failed; it is running" in late.stderr
    waiting = box.spawn(["hero_proc", "--system", "wait", "db", "--for=stopped", "--timeout=20"])
    box.hero("stop", "db")
    assert waiting.wait(10) == 0
    waiting = box.spawn(["hero_proc", "--system", "wait", "db", "web", "--timeout=20"])
    box.hero("start", "db")
    assert waiting.wait(10) == 0


def test_no_block_returns_at_once_and_the_change_goes_on(box):
    box.apply(sleeper("slow", ready="notify", autostart=False))
    began = time.monotonic()
    done = box.hero("start", "--no-block", "slow")
    assert time.monotonic() - began < 5 and done.stdout == "slow: start requested\n"  # it would wait for 30 s
    box.wait_for(lambda: box.unit_property("hero-slow.service", "ActiveState") == "activating", 5, "it is being started")
    late = box.hero("start", "--timeout=0.3", "slow", check=False)
    assert late.returncode == 1 and "timed out" in late.stderr, late
    assert box.hero("stop", "--no-block", "slow").stdout == "slow: stop requested\n"
    box.wait_state("slow", "stopped", 10)
    remove(box, "slow")


def test_quiet_is_quiet_and_still_has_an_exit_status(box):
    for line in (["stop", "db"], ["start", "db"], ["restart", "db"]):
        done = box.hero("-q", *line)
        assert (done.stdout, done.stderr) == ("", ""), (line, done)
    assert box.unit_property("hero-db.service", "ActiveState") == "active"
    assert box.hero("-q", "apply", "-", input=json.dumps(sleeper("db"))).stdout == ""


def test_the_word_service_may_stand_before_a_verb(box):
    def rows(*words):  # without how long ago: a second may pass between the two
        return re.sub(r" +(now|\S+ ago)$", "", box.hero("--no-legend", *words).stdout, flags=re.MULTILINE)

    plain = rows("list")
    assert plain == rows("service", "list") and re.search("^● running  db$", plain, re.MULTILINE), plain
    assert box.hero("service", "status", "db").returncode == 0


# -- definitions --


def test_logs_shows_as_many_lines_as_asked_for(box):
    box.apply(sleeper("chatty", exec="seq -f 'line %g' 20; exec sleep infinity"))
    box.wait_state("chatty", "running", 10)
    box.wait_for(lambda: "line 20" in box.journal("hero-chatty.service"), 5, "it has spoken")
    for n in ("3", "all"):
        shown = box.hero("logs", "chatty", "-n", n).stdout.splitlines()
        spoken = [re.search(r"line \d+$", line).group() for line in shown if re.search(r"line \d+$", line)]
        assert len(shown) == 3 or n == "all", shown
        # What systemd says of it comes when it comes, and counts too.
        assert spoken == [f"line {i}" for i in range(21 - len(spoken), 21)] and len(spoken) >= (20 if n == "all" else 1)
    assert "line 20" in box.hero("status", "chatty").stdout
    remove(box, "chatty")


def test_check_asks_no_server_and_judges_as_apply_does(box):
    box.write_file("/tmp/check/good.json", json.dumps(sleeper("good")))
    box.write_file("/tmp/check-bad.json", json.dumps(sleeper("bad", ready="soon")))
    before = everything(box)
    assert box.hero("check", "/tmp/check").returncode == 0
    done = box.hero("check", "/tmp/check", "/tmp/check-bad.json", check=False)
    assert done.returncode == 65 and "bad: ready: " in done.stderr and "/tmp/check-bad.json" in done.stderr, done
    assert everything(box) == before


def test_a_dry_run_shows_the_difference_and_changes_nothing(box):
    before = everything(box)
    same = box.apply(sleeper("db"), options=["--dry-run"])
    assert same.stdout == "no difference\n"
    shown = box.apply(sleeper("db", description="changed", exec=["/bin/sleep", "1000"]), sleeper("fresh"),
                      options=["--dry-run", "--prune"]).stdout
    for word in ("db", "description", "exec", "restart", "fresh", "web"):
        assert word in shown, (word, shown)
    assert everything(box) == before


def test_only_what_the_unit_is_made_of_restarts_a_service(box):
    before = box.invocation_id("hero-db.service")
    assert "db: updated, restarts nothing" in box.apply(sleeper("db", autostart=False), options=["--dry-run"]).stdout
    assert box.apply(sleeper("db", autostart=False)).stdout == "db: updated\n"
    assert box.invocation_id("hero-db.service") == before
    assert box.apply(sleeper("db", autostart=False)).stdout == "db: unchanged\n"
    assert "db: updated, restarts it" in box.apply(sleeper("db", env={"A": "1"}), options=["--dry-run"]).stdout
    box.apply(sleeper("db", env={"A": "1"}))
    box.wait_for(lambda: box.invocation_id("hero-db.service") not in ("", before), 10, "it was restarted")
    box.wait_state("db", "running", 10)
    box.apply(sleeper("db"))
    box.wait_for(lambda: "A=1" not in box.unit_property("hero-db.service", "Environment"), 10, "it is as before")
    box.wait_state("db", "running", 10)


def test_prune_removes_what_is_not_in_the_files(box):
    box.apply(sleeper("extra"))
    box.wait_state("extra", "running", 10)
    web = web_service(box, "web", description="A site")
    done = box.apply(web, sleeper("db"), options=["--prune"])
    assert sorted(done.stdout.splitlines()) == ["db: unchanged", "extra: removed", "web: unchanged"]
    box.wait_for(lambda: not units(box, "hero-extra*"), 20, "its units are gone")
    assert set(box.states()) == {"db", "web"}


def test_a_definition_is_given_back_byte_for_byte(box):
    text = '{ "exec" :["/bin/sleep",\t"1000"],\n\n  "name":"as-given" , "description": "\\u00e4 \\/ \u00e4"}'
    other = '{"name":"beside", "exec":"sleep 1000"}'
    box.hero("apply", "-", input=f"\n [ {text} ,\n {other}]\n")
    for _ in range(2):
        for name, expected in (("as-given", text), ("beside", other)):
            path = box.agent.call("call_bus", NAME, MANAGER_PATH, MANAGER, "GetService", "s", name)[0]
            value = box.agent.call("call_bus", NAME, path, "org.freedesktop.DBus.Properties", "Get", "ss", SERVICE,
                                   "Definition")[0]["data"]
            assert value == expected, (value, expected)
        box.restart_server()
        box.wait_for(lambda: "beside" in box.states(), 10, "the new server knows them")
    remove(box, "as-given", "beside")


# -- the bus --


def introspect(box, path, interface):
    text = box.output("busctl", "--xml-interface", "introspect", NAME, path)
    found = [node for node in ElementTree.fromstring(text).findall("interface") if node.get("name") == interface]
    assert len(found) == 1, text
    return found[0]


def signature(node, direction):
    return "".join(argument.get("type") for argument in node.findall("arg")
                   if argument.get("direction", direction) == direction)


def test_the_manager_has_the_members_of_the_contract_and_no_others(box):
    interface = introspect(box, MANAGER_PATH, MANAGER)
    found = {node.get("name"): (signature(node, "in"), signature(node, "out")) for node in interface.findall("method")}
    missing = set(METHODS.items()) - set(found.items())
    assert not missing, (missing, found)
    extra = set(found.items()) - set(METHODS.items()) - set(LATER_METHODS.items())
    assert not extra, extra
    assert {node.get("name"): signature(node, "out") for node in interface.findall("signal")} == {"StateChanged": "ssss"}
    assert not interface.findall("property")


def test_a_service_has_the_properties_of_the_contract_and_no_others(box):
    path = box.agent.call("call_bus", NAME, MANAGER_PATH, MANAGER, "GetService", "s", "web")[0]
    interface = introspect(box, path, SERVICE)
    assert {node.get("name"): node.get("type") for node in interface.findall("property")} == PROPERTIES
    assert {node.get("access") for node in interface.findall("property")} == {"read"}
    assert not interface.findall("method")


def test_the_manual_tells_the_signatures_that_the_bus_tells(box):
    """The names are compared by `make lint`, against the sources."""
    manual = REPOSITORY.joinpath("man/org.hero.Proc1.5").read_text()
    manager = introspect(box, MANAGER_PATH, MANAGER)
    service = introspect(box, box.agent.call("call_bus", NAME, MANAGER_PATH, MANAGER, "GetService", "s", "web")[0], SERVICE)
    for node in manager.findall("method"):
        answer = f" No \\(-> Li {signature(node, 'out')}" if signature(node, "out") else ""
        assert f'.It Fn {node.get("name")} "{signature(node, "in")}"{answer}\n' in manual, node.get("name")
    for node in manager.findall("signal"):
        assert f'.It Fn {node.get("name")} "{signature(node, "out")}"\n' in manual, node.get("name")
    for node in service.findall("property"):
        assert f'.It Va {node.get("name")} Li {node.get("type")}\n' in manual, node.get("name")


def test_the_object_manager_lists_every_service_with_all_its_properties(box):
    for user in (None, "hero"):
        objects = box.agent_of(user).call("call_bus", NAME, MANAGER_PATH, "org.freedesktop.DBus.ObjectManager",
                                          "GetManagedObjects")[0]
        by_name = {found[SERVICE]["Name"]["data"]: found[SERVICE] for found in objects.values() if SERVICE in found}
        assert set(by_name) == {"web", "db"}
        for values in by_name.values():
            assert {name: value["type"] for name, value in values.items()} == PROPERTIES
        web = by_name["web"]
        pid = box.main_pid("hero-web.service")
        assert web["State"]["data"] == "running" and web["Wanted"]["data"] == "up" and web["Ready"]["data"] == "yes"
        assert web["Actions"]["data"] == [["main", "hero-web.service", "active", pid,
                                           box.invocation_id("hero-web.service")]]
        assert web["Sockets"]["data"] == [["/run/hero/web/rpc.sock", "alive", pid, "hero-web.service"]]
        assert by_name["db"]["Ready"]["data"] == "not-required"


def test_paths_of_odd_names_are_escaped_and_found_again(box):
    odd = ["_under", "9lives", "with.dot", "with-dash", "UPPER_lower"]
    box.apply(*(sleeper(name, autostart=False) for name in odd))
    paths = {name: box.agent.call("call_bus", NAME, MANAGER_PATH, MANAGER, "GetService", "s", name)[0] for name in odd}
    assert len(set(paths.values())) == len(odd)
    for name, path in paths.items():
        assert re.fullmatch(r"/org/hero/Proc1/service/[A-Za-z0-9_]+", path), path
        assert box.agent.call("call_bus", NAME, path, "org.freedesktop.DBus.Properties", "Get", "ss", SERVICE,
                              "Name")[0]["data"] == name
    remove(box, *odd)


def signals_of(words, match, n_quiet_ms=400):
    """The signals that a command leads to, as [member, object path, arguments], until none comes any more."""
    seen = []
    with Signals(match) as signals:  # noqa: F821
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)  # noqa: F821
        while True:
            message = signals.next(n_quiet_ms / 1000)
            if not message:
                return seen
            seen.append([message["member"], message["path"], message["payload"]["data"]])


FROM_US = "type='signal',sender='org.hero.Proc1'"


def test_state_changed_tells_each_step_of_a_stop_and_a_start(box):
    match = f"{FROM_US},interface='{MANAGER}',arg0='db'"
    stop = box.agent.call(signals_of, ["hero_proc", "stop", "db"], match)
    assert [member for member, _, _ in stop] == ["StateChanged"] * len(stop)
    assert {path for _, path, _ in stop} == {MANAGER_PATH}
    start = box.agent.call(signals_of, ["hero_proc", "start", "db"], match)
    steps = [(old, new) for _, _, (_, old, new, _) in stop + start]
    assert steps == [("running", "stopping"), ("stopping", "stopped"), ("stopped", "starting"), ("starting", "running")]
    assert stop[-1][2] == ["db", "stopping", "stopped", "stopped-by-operator"]


def test_properties_changed_follows_the_state(box):
    path = box.agent.call("call_bus", NAME, MANAGER_PATH, MANAGER, "GetService", "s", "db")[0]
    match = f"{FROM_US},interface='org.freedesktop.DBus.Properties',path='{path}'"
    seen = box.agent.call(signals_of, ["hero_proc", "restart", "db"], match)
    assert seen and all(member == "PropertiesChanged" and data[0] == SERVICE for member, _, data in seen)
    states = [data[1]["State"]["data"] for _, _, data in seen if "State" in data[1]]
    assert states[-1] == "running" and "restarting" in states, states
    actions = [data[1]["Actions"]["data"] for _, _, data in seen if "Actions" in data[1]]
    assert actions[-1] == [["main", "hero-db.service", "active", box.main_pid("hero-db.service"),
                            box.invocation_id("hero-db.service")]]


def test_a_new_definition_of_a_service_is_signalled(box):
    path = box.agent.call("call_bus", NAME, MANAGER_PATH, MANAGER, "GetService", "s", "db")[0]
    box.write_file("/tmp/db.json", json.dumps(sleeper("db", autostart=False)))
    seen = box.agent.call(signals_of, ["hero_proc", "apply", "/tmp/db.json"],
                          f"{FROM_US},interface='org.freedesktop.DBus.Properties',path='{path}'")
    assert any("Definition" in data[1] or "Definition" in data[2] for _, _, data in seen), seen
    box.apply(sleeper("db"))


def redefine_and_ask(text, name):
    """A stream of questions around the new definition, so that some come before the server has judged it."""
    manager = ("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager")
    errors = set()
    with RawBus() as asking, RawBus() as changing:  # noqa: F821
        changing.send(*manager, "ApplyDefinitions", "ast", [text], 0)
        for _ in range(20):
            for _ in range(25):
                asking.send(*manager, "GetStatus", "ast", [name], 0)
                asking.send(*manager, "Why", "st", name, 0)
            errors |= {asking.receive()[0] for _ in range(50)}
        errors.add(changing.receive()[0])
    return sorted(errors)


def test_reasons_do_not_outlive_the_definition_that_they_are_about(box):
    probes = [probe(f"files{i}", "/api/files", interval_ms=200) for i in range(20)]
    many = web_service(box, "many", probes=[], on_unhealthy="report")
    box.apply({**many, "probes": probes})
    box.wait_state("many", "running", 10)
    set_fault(box, "many", "close")
    box.wait_for(lambda: len(box.hero_json("status", "many")[0]["reasons"]) == len(probes), 10, "all of them fail")
    server = box.main_pid(SERVER_UNIT)
    assert box.agent.call(redefine_and_ask, json.dumps(many), "many") == [""]
    box.wait_state("many", "running", 10)
    assert box.main_pid(SERVER_UNIT) == server
    remove(box, "many")


def start_and_remove(name):
    """On one connection, so that they come in this order: the error's name and the text of each answer."""
    manager = ("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager")
    with RawBus() as bus:  # noqa: F821
        bus.send(*manager, "StartService", "st", name, 0)
        bus.send(*manager, "RemoveService", "st", name, 0)
        answers = []
        for _ in range(2):
            error, n_bytes = bus.receive()
            answers.append((error, bus.last_text() if n_bytes else ""))
        return answers


def test_who_waits_for_the_start_of_a_service_that_is_removed_is_told_so(box):
    box.apply(sleeper("leaving", autostart=False, ready="notify"))
    answers = box.agent.call(start_and_remove, "leaving")
    assert answers == [["org.hero.Proc1.Error.NoSuchService", "leaving: removed meanwhile"], ["", ""]]


def test_services_that_come_and_go_are_signalled(box):
    box.write_file("/tmp/passing.json", json.dumps(sleeper("passing")))
    match = f"{FROM_US},interface='org.freedesktop.DBus.ObjectManager'"
    came = box.agent.call(signals_of, ["hero_proc", "apply", "/tmp/passing.json"], match)
    path = box.agent.call("call_bus", NAME, MANAGER_PATH, MANAGER, "GetService", "s", "passing")[0]
    assert [(member, data[0]) for member, _, data in came] == [("InterfacesAdded", path)], came
    assert came[0][2][1][SERVICE]["Name"]["data"] == "passing"
    went = box.agent.call(signals_of, ["hero_proc", "remove", "passing"], match)
    assert [(member, data[0]) for member, _, data in went] == [("InterfacesRemoved", path)], went
    assert SERVICE in went[0][2][1]


def test_a_call_is_answered_once_the_state_is_reached(box):
    def call(member):
        return box.agent.call("call_bus", NAME, MANAGER_PATH, MANAGER, member, "st", "db", 0)

    assert call("StopService") == ["stopped"] and not box.cgroup_pids("hero-db.service")
    assert call("StartService") == ["running"] and box.cgroup_pids("hero-db.service")
    before = box.invocation_id("hero-db.service")
    assert call("RestartService") == ["running"] and box.invocation_id("hero-db.service") != before
    evidence = json.loads(box.agent.call("call_bus", NAME, MANAGER_PATH, MANAGER, "ProbeService", "st", "web", 0)[0])
    assert [found["name"] for found in evidence["probes"]] == ["files"]
    assert box.main_pid(SERVER_UNIT) > 0
