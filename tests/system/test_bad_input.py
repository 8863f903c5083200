# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is wrong is refused as a whole, with words that say what, and changes nothing: files, command lines, bus calls."""

from __future__ import annotations

import json

from box import REPOSITORY, SERVER_UNIT
from house import everything, sleeper, units, web_service

BAD = REPOSITORY / "tests" / "definitions" / "bad"
# These cannot go over the bus at all.
NO_TEXT = {"006-utf-16": "holds a NUL byte, so it is no JSON", "007-nul-byte": "holds a NUL byte, so it is no JSON",
           "022-invalid-utf-8": "not valid UTF-8 text", "023-overlong-utf-8": "not valid UTF-8 text"}
MANAGER = ("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager")
CHANGING = (("ApplyDefinitions", "ast", [1, '{"name": "intruder", "exec": "true"}', 0]), ("RemoveService", "st", ["web", 0]),
            ("StartService", "st", ["web", 0]), ("StopService", "st", ["web", 0]), ("RestartService", "st", ["web", 0]),
            ("ResetFailed", "ast", [1, "web", 4]))
RSS_GROWTH_LIMIT_KB = 8 * 1024  # after tens of megabytes were thrown at it, again and again


def prepare(box):
    # Called what most of the bad ones are called, so that one that is taken after all would hit it.
    box.apply(web_service(box, "web"), sleeper("db"))
    box.wait_state("web", "running", 10)
    box.wait_state("db", "running", 10)


def apply_each(folder):
    """(exit status, standard output, standard error) of `apply` of each file."""
    results = {}
    for path in sorted(Path(folder).glob("*.json")):  # noqa: F821
        done = subprocess.run(["hero_proc", "--system", "apply", str(path)], capture_output=True, timeout=20,
                              check=False)
        results[path.stem] = [done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace")]
    return results


def rss_kb(pid):
    text = Path(f"/proc/{pid}/status").read_text()  # noqa: F821
    return int(text.split("VmRSS:")[1].split()[0])


def bus_error(member, signature, values):
    """What busctl says of the error, "" where there is none."""
    try:
        call_bus("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", member, signature, *values)  # noqa: F821
        return ""
    except RuntimeError as error:
        return str(error)


def test_each_bad_definition_is_refused_with_its_reason_and_changes_nothing(box):
    before = everything(box)
    results = box.agent.call(apply_each, str(BAD), timeout=120)
    assert len(results) > 200
    wrong = {}
    for name, (status, out, err) in results.items():
        expected = NO_TEXT.get(name) or BAD.joinpath(f"{name}.expect").read_text().splitlines()[0]
        if status != 65 or out or expected not in err or f"{name}.json" not in err:
            wrong[name] = (status, out, err, expected)
    assert not wrong, "\n" + "\n".join(f"{name}: {what}" for name, what in wrong.items())
    assert everything(box) == before


def test_the_field_at_fault_and_what_is_expected_there_are_named(box):
    before = everything(box)
    for fields, words in (({"actions": {"ui": {"exec": ["/bin/true"], "ready": "soon"}}},
                           ("actions.ui.ready", "expected one of exec, notify, fd3, file")),
                          ({"exec": "true", "requires": ["nowhere"]}, ("requires", "nowhere")),
                          ({"exec": "true", "requires": ["web"]}, ("web",)),
                          ({"exec": "true", "restart": {"delay_ms": -1}}, ("restart.delay_ms", "expected"))):
        done = box.apply({"name": "web", **fields}, check=False)
        assert done.returncode == 65 and not done.stdout, done
        assert all(word in done.stderr for word in words), (words, done.stderr)
    assert everything(box) == before


def test_one_bad_definition_keeps_all_the_others_out(box):
    before = everything(box)
    done = box.apply(sleeper("alpha"), {"name": "beta", "exec": "true", "ready": "soon"}, sleeper("gamma"), check=False)
    assert done.returncode == 65 and "beta: ready: " in done.stderr and "beta.json" in done.stderr, done.stderr
    assert everything(box) == before


def test_a_ring_of_requirements_is_refused_and_spelt_out(box):
    before = everything(box)
    done = box.apply(sleeper("one", requires=["two"]), sleeper("two", requires=["three"]),
                     sleeper("three", requires=["one"]), check=False)
    assert done.returncode == 65
    assert all(name in done.stderr for name in ("one", "two", "three")), done.stderr
    # … also where one half of the ring is there already.
    done = box.apply(sleeper("db", requires=["late"]), sleeper("late", requires=["db"]), check=False)
    assert done.returncode == 65 and "db" in done.stderr and "late" in done.stderr, done.stderr
    assert everything(box) == before


def test_an_unknown_service_is_exit_status_4_for_every_verb(box):
    before = everything(box)
    for verb in (["status"], ["start"], ["stop"], ["restart"], ["remove"], ["reset-failed"], ["logs"],
                 ["wait", "--timeout=1"]):
        done = box.hero(*verb, "webb", check=False)
        assert done.returncode == 4 and not done.stdout, (verb, done)
        assert done.stderr == "hero_proc: webb: no such service; did you mean web?\n", (verb, done.stderr)
    done = box.hero("status", "web", "nowhere", check=False)
    assert done.returncode == 4 and "● web" in done.stdout
    assert everything(box) == before


def test_a_wrong_command_line_is_exit_status_2(box):
    for line in ([], ["lift"], ["service"], ["start"], ["logs"], ["logs", "web", "db"], ["apply"], ["--frobnicate", "list"],
                 ["list", "-x"], ["--json=yaml", "list"], ["start", "web", "--json=short"], ["list", "--force"],
                 ["wait", "web", "--for=luck"], ["wait", "web", "--timeout=soon"], ["logs", "web", "-n", "some"],
                 ["dump", "web"], ["stop", "web", "--dry-run"]):
        done = box.run(["hero_proc", *line], check=False)
        assert done.returncode == 2 and not done.stdout, (line, done)
        assert done.stderr.startswith("hero_proc: ") and done.stderr.count("\n") == 1, (line, done.stderr)


def test_files_that_cannot_be_read_are_named(box):
    box.run(["mkdir", "-p", "/tmp/no-definitions"])
    for path in ("/nonexistent.json", "/tmp/no-definitions"):
        done = box.hero("apply", path, check=False)
        assert done.returncode == 1 and path in done.stderr and not done.stdout, done


def test_without_a_server_the_exit_status_is_69_and_the_way_out_is_told(box):
    # Else the bus would start it.
    box.systemctl("mask", "--runtime", "--now", SERVER_UNIT)
    try:
        before = units(box)
        for line in (["list"], ["status", "web"], ["start", "web"], ["stop", "web"], ["reset-failed"], ["dump"],
                     ["remove", "web"], ["apply", str(BAD.parent / "good")]):
            done = box.hero(*line, check=False)
            assert done.returncode == 69 and not done.stdout, (line, done)
            assert "systemctl start hero_proc" in done.stderr, (line, done.stderr)
        assert units(box) == before
    finally:
        box.systemctl("unmask", "--runtime", SERVER_UNIT)
        box.start_server()
    box.wait_state("web", "running", 10)


def test_who_may_not_change_hears_of_nothing_else_but_that_a_service_does_not_exist(box):
    """That is no secret, and known before polkit is asked, which may mean a person."""
    names = box.agent_of("hero").call(refusals_by_name, CHANGING)
    wrong_names = {call for call in names if " web " not in call and not call.startswith("ApplyDefinitions")}
    assert {names.pop(call) for call in wrong_names} == {"org.hero.Proc1.Error.NoSuchService"}, names
    assert set(names.values()) == {"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"}, names


def refusals_by_name(members):
    """The error names of each member, called with what is right, unknown, or nonsense."""
    seen = {}
    with RawBus() as bus:  # noqa: F821
        for member, signature, _ in members:
            for first in ("web", "nowhere", ""):
                value = [first] if signature.startswith("a") else first
                for flags in (0, 1 << 63):
                    seen[f"{member} {first} {flags}"] = bus.call("org.hero.Proc1", "/org/hero/Proc1",
                                                                "org.hero.Proc1.Manager", member, signature, value,
                                                                flags)[0]
    return seen


def test_a_user_is_refused_on_the_command_line_with_exit_status_77(box):
    before = everything(box)
    box.write_file("/tmp/intruder.json", json.dumps(sleeper("intruder")))
    for line in (["start", "web"], ["stop", "web"], ["restart", "web"], ["remove", "web"], ["reset-failed", "--force"],
                 ["apply", "/tmp/intruder.json"], ["apply", "--dry-run", "/tmp/intruder.json"]):
        done = box.run(["hero_proc", "--system", *line], user="hero", check=False)
        assert done.returncode == 77 and not done.stdout and "not authorised" in done.stderr, (line, done)
    for line in (["list"], ["status", "web", "db"], ["wait", "web"]):
        assert box.run(["hero_proc", "--system", *line], user="hero", check=False).returncode == 0, line
    assert everything(box) == before


def test_properties_cannot_be_written(box):
    before = everything(box)
    path = box.agent.call("call_bus", *MANAGER, "GetService", "s", "web")[0]
    for user in (None, "hero"):
        for name, signature, value in (("State", "s", "stopped"), ("Wanted", "s", "down"), ("Definition", "s", "{}")):
            done = box.run(["busctl", "--system", "set-property", MANAGER[0], path, "org.hero.Proc1.Service", name,
                            signature, value], user=user, check=False)
            assert done.returncode != 0, (user, name)
    assert everything(box) == before


def throw_nonsense(rounds):
    """Calls as no client makes them. Returns each one's error names, those of all rounds together."""
    long = "x" * (8 << 20)
    deep = "[" * 100_000
    calls = {
        "a huge definition": ("ApplyDefinitions", "ast", [long], 0),
        "a huge definition that begins well": ("ApplyDefinitions", "ast", ['{"name": "' + long + '"}'], 0),
        "a deep definition": ("ApplyDefinitions", "ast", [deep], 0),
        "10000 definitions": ("ApplyDefinitions", "ast", ["{}"] * 10_000, 0),
        "no text as a definition": ("ApplyDefinitions", "ast", [""], 0),
        "10000 unknown names": ("GetStatus", "ast", [f"name{i}" for i in range(10_000)], 0),
        "10000 times one name": ("GetStatus", "ast", ["web"] * 10_000, 0),
        "4000 times a name and one that is unknown": ("GetStatus", "ast", ["web"] * 4000 + ["x"], 0),
        "10000 names to be reset": ("ResetFailed", "ast", ["web"] * 10_000, 0),
        "a huge name": ("GetService", "s", long),
        "a huge name to be stopped": ("StopService", "st", long, 0),
        "a huge name among names": ("GetStatus", "ast", [long], 0),
        "no name": ("StopService", "st", "", 0),
        "a name with a line break": ("StopService", "st", "a\nb", 0),
        "all flags at once": ("StopService", "st", "web", 2**64 - 1),
        "an unknown flag": ("GetStatus", "ast", ["web"], 1 << 40),
        "a flag of another member": ("RestartService", "st", "web", 8),
        "prune for a reset": ("ResetFailed", "ast", ["web"], 8),
        "a number for a name": ("StopService", "i", 7),
        "a name without flags": ("StopService", "s", "web"),
        "a list for a name": ("StopService", "ast", ["web"], 0),
        "arguments for none": ("ListServices", "s", "web"),
        "an unknown member": ("StopEverything", ""),
    }
    seen = {what: set() for what in calls}
    with RawBus() as bus:  # noqa: F821
        for _ in range(rounds):
            for what, (member, signature, *values) in calls.items():
                error, n_answer = bus.call("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", member,
                                           signature, *values)
                seen[what].add(error)
                if n_answer > 4096:
                    seen[what].add(f"an answer of {n_answer} bytes")
    return {what: sorted(names) for what, names in seen.items()}


def test_nonsense_on_the_bus_is_an_error_and_the_server_lives_on_and_stays_small(box):
    before = everything(box)
    seen = box.agent.call(throw_nonsense, 1)
    invalid, unknown = ["org.hero.Proc1.Error.InvalidDefinition"], ["org.hero.Proc1.Error.NoSuchService"]
    bad_arguments = ["org.freedesktop.DBus.Error.InvalidArgs"]
    expected = {what: bad_arguments for what in seen}
    expected.update({what: invalid for what in seen if "definition" in what})
    expected.update({what: unknown for what in ("a huge name", "a huge name to be stopped", "a huge name among names",
                                                "10000 unknown names", "4000 times a name and one that is unknown", "no name",
                                                "a name with a line break")})
    expected["an unknown member"] = ["org.freedesktop.DBus.Error.UnknownMethod"]
    expected["10000 definitions"] = seen["10000 definitions"]
    assert seen == expected, {what: names for what, names in seen.items() if names != expected[what]}
    assert seen["10000 definitions"] in (invalid, bad_arguments)

    # What the first round has made the allocator keep is no growth; what each round adds would be.
    server = box.main_pid(SERVER_UNIT)
    small = box.agent.call(rss_kb, server)
    assert box.agent.call(throw_nonsense, 5) == seen
    grown = box.agent.call(rss_kb, server) - small
    assert grown < RSS_GROWTH_LIMIT_KB, f"{grown} kB more than {small} kB"
    assert everything(box) == before


def answer_to_repetition():
    with RawBus() as bus:  # noqa: F821
        return [bus.call("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", "GetStatus", "ast", ["db"] * n, 0)
                for n in (1, 1000)]


def test_a_service_named_a_thousand_times_is_answered_once(box):
    (error, size), (error_of_many, size_of_many) = box.agent_of("hero").call(answer_to_repetition)
    assert (error, error_of_many) == ("", "") and size_of_many < size + 64, (size, size_of_many)


def test_nonsense_from_a_user_is_refused_as_well(box):
    before = everything(box)
    seen = box.agent_of("hero").call(throw_nonsense, 1)
    accepted = [what for what, names in seen.items() if "" in names]
    assert not accepted, seen
    assert everything(box) == before


def test_a_user_who_does_not_exist_is_named_as_the_reason_and_the_service_can_be_removed(box):
    box.apply(sleeper("orphan", user="no-such-user"))
    box.wait_for(lambda: "its user or group does not exist" in box.hero("status", "orphan", check=False).stdout, 10, "it says why")
    assert box.hero("remove", "orphan").stdout == "orphan: removed\n"
    assert "orphan" not in box.states()
