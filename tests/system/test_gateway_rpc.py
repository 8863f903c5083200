# SPDX-License-Identifier: LGPL-2.1-or-later
"""JSON-RPC on rpc.sock: the specification's examples, the methods, the document that tells of them, other people's clients."""

from __future__ import annotations

import json

import gateway
import house
from box import REPOSITORY


def prepare(box):
    gateway.start(box)
    box.apply(house.web_service(box, "web"), house.sleeper("idle"),
              {"name": "bad", "exec": ["/nonexistent"], "restart": {"policy": "never"}})
    box.wait_state("web", "running", 20)
    box.wait_state("bad", "failed", 20)


# -- the envelope --

STATUS = '"method": "service.status"'
PARSE, INVALID, NO_METHOD, BAD_PARAMS = -32700, -32600, -32601, -32602

# The examples of https://www.jsonrpc.org/specification, in its order, with methods that there are here: what is sent, and
# of each answer its id and its code (None: a result). No answers: 204 and nothing.
CONFORMANCE = [
    ('{"jsonrpc": "2.0", %s, "params": ["web"], "id": 1}' % STATUS, (1, None)),
    ('{"jsonrpc": "2.0", %s, "params": ["idle"], "id": 2}' % STATUS, (2, None)),
    ('{"jsonrpc": "2.0", %s, "params": {"name": "web"}, "id": 3}' % STATUS, (3, None)),
    ('{"jsonrpc": "2.0", "method": "service.history", "params": {"limit": 1, "name": "web"}, "id": 4}', (4, None)),
    ('{"jsonrpc": "2.0", %s, "params": ["web"]}' % STATUS, ()),
    ('{"jsonrpc": "2.0", "method": "foobar"}', ()),
    ('{"jsonrpc": "2.0", "method": "foobar", "id": "1"}', ("1", NO_METHOD)),
    ('{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', (None, PARSE)),
    ('{"jsonrpc": "2.0", "method": 1, "params": "bar"}', (None, INVALID)),
    ('[{"jsonrpc": "2.0", %s, "params": ["web"], "id": "1"}, {"jsonrpc": "2.0", "method"]' % STATUS, (None, PARSE)),
    ('[]', (None, INVALID)),
    ('[1]', [(None, INVALID)]),
    ('[1,2,3]', [(None, INVALID), (None, INVALID), (None, INVALID)]),
    ('[{"jsonrpc": "2.0", %s, "params": ["web"], "id": "1"},'
     ' {"jsonrpc": "2.0", %s, "params": ["idle"]},'
     ' {"jsonrpc": "2.0", %s, "params": ["idle"], "id": "2"},'
     ' {"foo": "boo"},'
     ' {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},'
     ' {"jsonrpc": "2.0", "method": "service.list", "id": "9"}]' % (STATUS, STATUS, STATUS),
     [("1", None), ("2", None), (None, INVALID), ("5", NO_METHOD), ("9", None)]),
    ('[{"jsonrpc": "2.0", %s, "params": ["web"]}, {"jsonrpc": "2.0", "method": "foobar"}]' % STATUS, ()),
    # What the text says and does not show.
    ('{"jsonrpc": "2.0", %s, "params": ["web"], "id": null}' % STATUS, (None, None)),
    ('{"jsonrpc": "2.0", %s, "params": ["web"], "id": 1.5}' % STATUS, (1.5, None)),
    ('{"jsonrpc": "2.0", %s, "params": ["web"], "id": ""}' % STATUS, ("", None)),
    ('{"jsonrpc": "2.0", %s, "params": ["web"], "id": "\\u00e4\\""}' % STATUS, ('ä"', None)),
    ('{"jsonrpc": "2.0", %s, "params": ["web"], "id": -9223372036854775808}' % STATUS, (-9223372036854775808, None)),
    ('{"jsonrpc": "2.0", %s, "params": ["web"], "id": true}' % STATUS, (None, INVALID)),
    ('{"jsonrpc": "2.0", %s, "params": ["web"], "id": [1]}' % STATUS, (None, INVALID)),
    ('{"jsonrpc": "2.0", %s, "params": ["web"], "id": {"a": 1}}' % STATUS, (None, INVALID)),
    ('{"jsonrpc": "1.0", %s, "params": ["web"], "id": 1}' % STATUS, (1, INVALID)),
    ('{%s, "params": ["web"], "id": 1}' % STATUS, (1, INVALID)),
    ('{"jsonrpc": "2.0", %s, "params": "web", "id": 1}' % STATUS, (1, INVALID)),
    ('{"jsonrpc": "2.0", "method": "rpc.nothing", "id": 1}', (1, NO_METHOD)),
    ('{"jsonrpc": "2.0", "method": "Service.Status", "id": 1}', (1, NO_METHOD)),
    ('{"jsonrpc": "2.0", %s, "id": 1}' % STATUS, (1, BAD_PARAMS)),
    ('{"jsonrpc": "2.0", %s, "params": [], "id": 1}' % STATUS, (1, BAD_PARAMS)),
    ('{"jsonrpc": "2.0", %s, "params": ["web", 1], "id": 1}' % STATUS, (1, BAD_PARAMS)),
    ('{"jsonrpc": "2.0", %s, "params": [1], "id": 1}' % STATUS, (1, BAD_PARAMS)),
    ('{"jsonrpc": "2.0", %s, "params": ["../web"], "id": 1}' % STATUS, (1, BAD_PARAMS)),
    ('{"jsonrpc": "2.0", %s, "params": {"name": "web", "more": 1}, "id": 1}' % STATUS, (1, BAD_PARAMS)),
    ('{"jsonrpc": "2.0", "method": "service.history", "params": ["web", 0], "id": 1}', (1, BAD_PARAMS)),
    ('{"jsonrpc": "2.0", "method": "service.history", "params": ["web", 1e1], "id": 1}', (1, BAD_PARAMS)),
    ('', (None, PARSE)),
    ('[' + ','.join(['1'] * 32) + ']', [(None, INVALID)] * 32),
    ('[' + ','.join(['1'] * 33) + ']', (None, INVALID)),
]


def test_each_example_of_the_specification_is_answered_as_it_says(box):
    for body, expected in CONFORMANCE:
        status, text = gateway.post(box, body)
        if expected == ():
            assert (status, text) == (204, ""), f"{body}: {status} {text}"
            continue
        answers = json.loads(text)
        assert status == 200 and isinstance(answers, list) == isinstance(expected, list), f"{body}: {status} {text}"
        answers, expected = ((answers, expected) if isinstance(expected, list) else ([answers], [expected]))
        assert [(answer["id"], answer.get("error", {}).get("code")) for answer in answers] == expected, f"{body}: {text}"
        for answer in answers:
            assert answer["jsonrpc"] == "2.0" and len(answer) == 3 and ("result" in answer) != ("error" in answer), text


# -- the document --

def test_the_openrpc_document_keeps_to_its_schema_and_names_what_there_is(box):
    import jsonschema  # pylint: disable=import-outside-toplevel
    schema = json.loads(REPOSITORY.joinpath("tests/openrpc/schema.json").read_text())
    document = json.loads(box.http(gateway.RPC, "/openrpc.json")[1])
    assert document == gateway.result(box, "rpc.discover")
    assert document["openrpc"] == "1.2.6"

    # What it refers to elsewhere is the schema of schemas, which the library has.
    assert schema["definitions"]["JSONSchema"] == {"$ref": "https://meta.json-schema.tools"}
    schema["definitions"]["JSONSchema"] = {"type": ["object", "boolean"]}
    del schema["$id"], schema["$schema"]
    jsonschema.Draft7Validator(schema).validate(document)
    for embedded in [*document["components"]["schemas"].values(),
                     *(part["schema"] for m in document["methods"] for part in [m["result"], *m["params"]])]:
        jsonschema.Draft7Validator.check_schema(embedded)
    assert not jsonschema.Draft7Validator(schema).is_valid({**document, "methods": [{"name": 1}]}), "it can fail"

    for method in document["methods"]:
        missing = [param["name"] for param in method["params"] if param["required"]]
        expected = BAD_PARAMS if missing else None
        if method["name"] in ("service.reset_failed",):
            continue
        assert gateway.call(box, method["name"]).get("error", {}).get("code") == expected, method["name"]


def test_results_are_what_the_document_says(box):
    import jsonschema  # pylint: disable=import-outside-toplevel
    document = gateway.result(box, "rpc.discover")
    params = {"service.history": {"name": "bad"}, "service.list": {}, "rpc.health": {},
              "service.reset_failed": {"names": ["web"], "dry_run": True}}
    seen = set()
    for method in document["methods"]:
        if method["name"] in ("rpc.discover", "service.apply", "service.remove"):
            continue
        answer = gateway.result(box, method["name"], params.get(method["name"], {"name": "idle"}))
        schema = {**method["result"]["schema"], "components": document["components"]}
        jsonschema.Draft7Validator(schema).validate(answer)
        if method["name"] == "service.why":  # each word that is told is in the document
            assert set(answer) == set(document["components"]["schemas"]["Explanation"]["properties"]), answer
        seen.add(method["name"])
    assert len(seen) == 12, seen
    gateway.result(box, "service.start", ["idle"])


# -- the methods, against other witnesses --

def test_what_is_told_is_what_systemd_says(box):
    pid = box.main_pid("hero-web.service")
    for method in ("service.status", "service.status_full"):
        status = gateway.result(box, method, {"name": "web"})
        action = status["actions"][0]
        assert (status["state"], action["main_pid"], action["unit"]) == ("running", pid, "hero-web.service"), status
        assert action["invocation_id"] == box.invocation_id("hero-web.service")
    states = {row["name"]: row["state"] for row in gateway.result(box, "service.list")}
    assert states == {"web": "running", "idle": "running", "bad": "failed"}
    assert gateway.result(box, "service.why", {"name": "bad"})["reasons"][0]["code"] == "exec-failed"


def test_a_process_that_systemctl_replaced_is_told_as_the_new_one(box):
    for _ in range(10):
        box.systemctl("restart", "hero-idle.service")
        pid = box.main_pid("hero-idle.service")
        box.wait_for(lambda: gateway.result(box, "service.status", ["idle"])["actions"][0]["main_pid"] == pid, 5,
                     "the new process is told")


def test_a_process_that_was_replaced_while_nobody_looked_is_told_as_the_new_one(box):
    server = str(box.main_pid("hero_proc.service"))
    box.run(["kill", "-STOP", server])
    box.systemctl("restart", "hero-idle.service")
    box.run(["kill", "-CONT", server])
    pid = box.main_pid("hero-idle.service")
    box.wait_for(lambda: gateway.call(box, "service.status", ["idle"]).get("result", {}).get(
        "actions", [{}])[0].get("main_pid") == pid, 15, "the new process is told")


def test_start_stop_and_restart_do_it_and_tell_what_was_reached(box):
    first = box.main_pid("hero-idle.service")
    assert gateway.result(box, "service.restart", ["idle"]) == {"name": "idle", "state": "running"}
    second = box.main_pid("hero-idle.service")
    assert second not in (0, first)
    assert gateway.result(box, "service.stop", ["idle"]) == {"name": "idle", "state": "stopped"}
    assert gateway.result(box, "service.status", ["idle"])["state"] == "stopped", "what was answered is seen at once"
    assert box.cgroup_pids("hero-idle.service") == []
    assert gateway.result(box, "service.start", ["idle"])["state"] == "running"
    assert box.cgroup_pids("hero-idle.service") == [box.main_pid("hero-idle.service")]
    failed = gateway.error(box, "service.start", ["bad"])
    assert (failed["code"], failed["data"]["code_name"], failed["data"]["service"], failed["data"]["action"]) == \
        (-32004, "start-failed", "bad", "start")


def test_reset_failed_restarts_only_what_is_broken(box):
    web = box.main_pid("hero-web.service")
    outcome = gateway.result(box, "service.reset_failed", {"names": ["web", "bad"]})
    assert outcome == {"restarted": [], "left_alone": ["web"], "still_failed": ["bad"], "skipped": []}
    assert box.main_pid("hero-web.service") == web


def test_a_probe_is_made_when_it_is_asked_for(box):
    before = gateway.result(box, "service.status_full", ["web"])["probes"][0]["checked_usec"]
    evidence = gateway.result(box, "service.probe", ["web"])
    assert evidence["probes"][0]["state"] == "passing" and evidence["probes"][0]["checked_usec"] > before


def test_logs_come_from_the_journal_and_have_bounds(box):
    box.apply({"name": "talker", "restart": {"policy": "never"},
               "exec": 'for i in $(seq 1 3000); do echo "line $i"; done; head -c 20000 /dev/zero | tr "\\0" x; echo; '
                       'printf "bad \\377 bytes\\n"; echo done; exec sleep infinity'})
    box.wait_state("talker", "running", 20)
    box.wait_for(lambda: ": done\n" in box.journal("hero-talker.service"), 20, "it has talked")
    logs = gateway.result(box, "service.logs", {"name": "talker", "lines": 1000})
    messages = [line["message"] for line in logs["lines"]]
    assert len(messages) == 1000 and logs["truncated"], "1000 lines at most, and one of them is longer than it may be"
    assert messages.index("line 3000") == messages.index("line 2999") + 1, "the oldest first"
    assert max(map(len, messages)) == 4096
    assert any("bad \ufffd bytes" in message for message in messages), messages[-3:]
    assert all(line["unit"] == "hero-talker.service" for line in logs["lines"] if line["identifier"] != "systemd")
    assert len(gateway.result(box, "service.logs", {"name": "talker", "lines": 3})["lines"]) == 3
    assert gateway.error(box, "service.logs", {"name": "nobody"})["code"] == -32000
    box.hero("remove", "talker")


# -- who may --

CHANGING = [("service.start", ["idle"]), ("service.stop", ["idle"]), ("service.restart", ["idle"]),
            ("service.reset_failed", {}), ("service.reset_failed", {"force": True}),
            ("service.apply", {"definitions": [{"name": "evil", "exec": ["/bin/touch", "/evil"]}]}),
            ("service.apply", {"definitions": [], "prune": True}), ("service.remove", ["idle"])]


def test_an_unprivileged_user_may_look_and_change_nothing(box):
    box.wait_state("web", "running", 20)
    before = gateway.settled(box)
    for user in ("games", "daemon"):
        assert gateway.result(box, "service.status", ["web"], user=user)["state"] == "running"
        assert gateway.result(box, "service.why", ["bad"], user=user)["state"] == "failed"
        for method, params in CHANGING:
            refused = gateway.error(box, method, params, user=user)
            assert (refused["code"], refused["data"]["code_name"]) == (-32005, "not-authorized"), f"{user} {method}"
        assert gateway.error(box, "service.logs", ["web"], user=user)["code"] == -32005
        notifications = json.dumps([{"jsonrpc": "2.0", "method": m, "params": p} for m, p in CHANGING])
        assert gateway.post(box, notifications, user=user) == (204, "")
    assert house.everything(box) == before


def test_nobody_applies_or_removes_over_http_not_even_root(box):
    before = gateway.settled(box)
    for method, params in CHANGING[-3:]:
        refused = gateway.error(box, method, params)
        assert refused["code"] == -32005 and "hero_proc apply" in refused["message"]
    assert house.everything(box) == before


def test_a_member_of_group_hero_may_operate(box):
    box.run(["useradd", "--system", "--no-create-home", "--groups", "hero", "alice"])
    first = box.main_pid("hero-idle.service")
    assert gateway.result(box, "service.restart", ["idle"], user="alice")["state"] == "running"
    assert box.main_pid("hero-idle.service") not in (0, first)
    assert gateway.result(box, "service.logs", ["idle"], user="alice")["lines"]
    assert gateway.error(box, "service.remove", ["idle"], user="alice")["code"] == -32005


def test_forged_identity_headers_change_nothing(box):
    before = gateway.settled(box)
    for name, value in (("X-Hero-User", "root"), ("X-Hero-Claims", "admin"), ("X-Hero-Context", "0"),
                        ("X-Forwarded-User", "root"), ("X-Remote-User", "root"), ("Forwarded", "for=127.0.0.1"),
                        ("Authorization", "Basic cm9vdDpyb290")):
        refused = gateway.error(box, "service.stop", ["idle"], user="daemon",
                                headers={**gateway.JSON_HEADERS, name: value})
        assert refused["code"] == -32005, name
    assert house.everything(box) == before


def test_a_users_own_gateway_applies_and_removes_for_him_alone(box):
    box.start_server("hero")
    box.systemctl("start", gateway.SOCKET_UNIT, user="hero")
    rpc = box.output("sh", "-c", "echo $XDG_RUNTIME_DIR", user="hero") + "/hero/hero_proc/rpc.sock"
    box.wait_for(lambda: box.agent_of("hero").call("http_request", rpc, "/health")[0] == 200, 20, "it is up")
    definition = {"name": "mine", "exec": ["/bin/sleep", "infinity"]}
    answer = gateway.result(box, "service.apply", {"definitions": [definition]}, user="hero", socket=rpc)
    assert answer["services"] == {"mine": "created"}
    assert gateway.result(box, "service.start", ["mine"], user="hero", socket=rpc)["state"] == "running"
    assert len(box.cgroup_pids("hero-mine.service", user="hero")) == 1
    bad = gateway.error(box, "service.apply", {"definitions": [{"name": "mine", "exec": 1}]}, user="hero", socket=rpc)
    assert bad["code"] == -32001 and bad["message"].startswith("mine: exec: ")
    assert gateway.result(box, "service.remove", ["mine"], user="hero", socket=rpc)["removed"]
    assert box.cgroup_pids("hero-mine.service", user="hero") == []


# -- other people's clients --

def test_curl_gets_through(box):
    body = '{"jsonrpc": "2.0", "id": 1, "method": "service.status", "params": {"name": "web"}}'
    answer = box.output("curl", "-sS", "--fail", "--unix-socket", gateway.RPC, "--json", body, "http://localhost/rpc")
    assert json.loads(answer)["result"]["state"] == "running"


def _with_a_clients_library(path):
    from jsonrpclib import config, jsonrpc, MultiCall, ProtocolError  # pylint: disable=import-outside-toplevel
    settings = config.Config(content_type="application/json")
    server = jsonrpc.ServerProxy("http://localhost/rpc", transport=jsonrpc.UnixTransport(config=settings, path=path),
                                 config=settings)
    batch = MultiCall(server)
    batch.service.status("idle")
    batch.service.status(name="bad")
    try:
        server.service.status("nobody")
        failure = None
    except ProtocolError as error:
        failure = error.args[0][:2]
    return {"one": server.service.status(name="web")["state"], "batch": [row["state"] for row in batch()],
            "failure": failure}


def test_a_library_for_json_rpc_gets_through(box):
    assert box.agent.call(_with_a_clients_library, gateway.RPC) == {
        "one": "running", "batch": ["running", "failed"],
        "failure": [-32000, "nobody: no such service"]}
