# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may do what: every member of the bus interface, called by real users, with polkit there, gone, hanging, killed."""

from __future__ import annotations

import json
import re
import time

from box import REPOSITORY, SERVER_UNIT
from house import everything, sleeper

NAME, PATH = "org.hero.Proc1", "/org/hero/Proc1"
MANAGER, SERVICE = f"{NAME}.Manager", f"{NAME}.Service"
DENIED = "org.hero.Proc1.Error.NotAuthorized"
WANTS_A_PASSWORD = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
POLKIT_ACTIVATION = "/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service"
RULES = "/etc/polkit-1/rules.d/60-hero_proc.rules"
PATIENCE = 10  # seconds that the server waits for polkit

# A member that is not in one of these lists is one about which nobody has thought.
FOR_EVERYONE = {
    "ListServices": ("",), "GetService": ("s", "web"), "GetStatus": ("ast", ["web"], 0), "Why": ("st", "web", 0),
    "History": ("stt", "web", 5, 0), "ProbeService": ("st", "web", 0), "Metrics": ("",),
}
MANAGE_SERVICES = {
    "StartService": ("st", "web", 0), "StopService": ("st", "web", 0), "RestartService": ("st", "web", 0),
    "ResetFailed": ("ast", ["web"], 4),
}
MANAGE_DEFINITIONS = {
    "ApplyDefinitions": ("ast", ['{"name": "intruder", "exec": "sleep 1000"}'], 8), "RemoveService": ("st", "web", 0),
    "GetDefinition": ("s", "web"), "Dump": ("",),
}
PRIVILEGED = {**MANAGE_SERVICES, **MANAGE_DEFINITIONS}
VERBS = {"StartService": "start", "StopService": "stop", "RestartService": "restart", "ResetFailed": "reset-failed",
         "ApplyDefinitions": "apply", "RemoveService": "remove", "GetDefinition": "definition",
         "Dump": "dump"}


def prepare(box):
    box.run(["groupadd", "--force", "web"])
    # It is started more often here than systemd lets a unit be.
    box.write_file("/run/systemd/system/polkit.service.d/limit.conf", "[Unit]\nStartLimitIntervalSec=0\n")
    box.systemctl("daemon-reload")
    box.apply(sleeper("web"), sleeper("db"))
    box.wait_state("web", "running", 10)
    box.wait_state("db", "running", 10)


def ask(calls, may_interact=False):
    """The error of each call ("" for none), all of them sent before the first is answered."""
    with RawBus() as bus:  # noqa: F821
        for member, arguments in calls.items():
            bus.send("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", member, *arguments,
                     may_interact=may_interact)
        answers = [bus.receive_from() for _ in calls]
    by_serial = dict(answers)
    return {member: by_serial[serial] for serial, member in enumerate(calls, start=2)}


def answers(box, user, calls, **options):
    return box.agent_of(user).call(ask, calls, options.get("may_interact", False))


def polkit_pid(box):
    return box.main_pid("polkit.service")


def allow(box, rule):
    """Has polkit go by this rule, and returns once it does."""
    box.write_file("/etc/polkit-1/rules.d/10-test.rules", rule)
    box.systemctl("restart", "polkit")


def allow_nothing(box):
    box.run(["rm", "-f", "/etc/polkit-1/rules.d/10-test.rules", RULES])
    box.systemctl("restart", "polkit")


ALL_TO_NOBODY = """polkit.addRule(function (action, subject) {
    if (action.id.indexOf("org.hero.Proc1.") == 0 && subject.user == "nobody") return polkit.Result.YES;
});"""


def test_every_member_is_in_the_table_of_who_may_call_it(box):
    methods = {}
    for path in (PATH, box.agent.call("hero_services")["web"]["path"]):
        text = box.output("busctl", "--xml-interface", "introspect", NAME, path)
        for interface, body in re.findall(r'<interface name="([^"]+)">(.*?)</interface>', text, re.DOTALL):
            methods.setdefault(interface, set()).update(re.findall(r'<method name="(\w+)"', body))
    assert methods.pop(MANAGER) == {*FOR_EVERYONE, *PRIVILEGED}
    assert methods.pop(SERVICE) == set()
    # What sd-bus brings along: reading only. No property of ours can be set.
    assert set(methods) <= {"org.freedesktop.DBus.Peer", "org.freedesktop.DBus.Introspectable",
                            "org.freedesktop.DBus.Properties", "org.freedesktop.DBus.ObjectManager"}


def test_everyone_may_look(box):
    for user in (None, "hero", "nobody", "daemon"):
        assert set(answers(box, user, FOR_EVERYONE).values()) == {""}, user
        path = box.agent.call("hero_services")["web"]["path"]
        for interface, member, signature, *values in (
                ("org.freedesktop.DBus.Properties", "GetAll", "ss"[:1], SERVICE),
                ("org.freedesktop.DBus.Properties", "Get", "ss", SERVICE, "State"),
                ("org.freedesktop.DBus.Introspectable", "Introspect", ""), ("org.freedesktop.DBus.Peer", "Ping", "")):
            box.agent_of(user).call("call_bus", NAME, path, interface, member, signature, *values)
        box.agent_of(user).call("call_bus", NAME, PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
    listed = box.run(["hero_proc", "list", "--json"], user="nobody")
    assert {row["name"] for row in json.loads(listed.stdout)} == {"web", "db"}


def test_without_a_rule_nobody_but_root_changes_anything(box):
    box.systemctl("stop", "polkit")
    before = everything(box)
    for user in ("nobody", "hero"):
        assert answers(box, user, PRIVILEGED) == dict.fromkeys(PRIVILEGED, WANTS_A_PASSWORD), user
        # Nobody is there who could be asked.
        assert answers(box, user, PRIVILEGED, may_interact=True) == dict.fromkeys(PRIVILEGED, DENIED), user
    assert polkit_pid(box) > 0, "the bus has started polkit"
    assert everything(box) == before


def test_what_does_not_exist_is_told_before_anybody_is_asked_for_a_password(box):
    calls = {"StartService": ("st", "wbe", 0), "ResetFailed": ("ast", ["web", "wbe"], 0), "RemoveService": ("st", "", 0)}
    assert set(answers(box, "nobody", calls, may_interact=True).values()) == {"org.hero.Proc1.Error.NoSuchService"}


def test_polkit_is_told_the_verb_and_the_service(box):
    allow(box, """polkit.addRule(function (action, subject) {
        if (action.id.indexOf("org.hero.Proc1.") == 0) {
            polkit.spawn(["/usr/bin/logger", "-t", "asked", action.id + " [" + action.lookup("verb") + "] [" +
                                                            action.lookup("service") + "]"]);
            return polkit.Result.NO;
        }
    });""")
    names = [f"s{i:02}" for i in range(17)]
    box.apply(*(sleeper(name, autostart=False) for name in names))
    assert answers(box, "nobody", PRIVILEGED) == dict.fromkeys(PRIVILEGED, DENIED)
    for services in ([], ["web", "db", "web"], names[:16], names):
        assert answers(box, "nobody", {"ResetFailed": ("ast", services, 0)}) == {"ResetFailed": DENIED}
    asked = re.findall(r"asked\S*: org\.hero\.Proc1\.(\S+) \[(.*?)\] \[(.*?)\]", box.journal())
    about = {"ApplyDefinitions": "", "Dump": "*"}
    expected = [("manage-services", VERBS[member], "web") for member in MANAGE_SERVICES]
    expected += [("manage-definitions", VERBS[member], about.get(member, "web")) for member in MANAGE_DEFINITIONS]
    expected += [("manage-services", "reset-failed", about) for about in ("*", "web db", " ".join(names[:16]), "*")]
    # Who may manage definitions may manage services too, so polkit asks the rules about that after a no.
    implied = [("manage-definitions", verb, about) for action, verb, about in expected if action == "manage-services"]
    assert sorted(asked) == sorted(expected + implied)
    box.hero("remove", *names)
    allow_nothing(box)


def test_the_rule_of_the_examples_lets_a_group_restart_one_service_and_nothing_else(box):
    box.run(["cp", str(REPOSITORY / "examples" / "60-hero_proc.rules"), RULES])
    box.systemctl("restart", "polkit")
    restart = {"RestartService": ("st", "web", 0)}
    assert answers(box, "daemon", restart) == {"RestartService": WANTS_A_PASSWORD}
    box.run(["usermod", "-aG", "web", "daemon"])
    box.agent_of("daemon").close()  # newer ones of polkit go by the groups that a process got when its user came in
    before, other = box.invocation_id("hero-web.service"), box.invocation_id("hero-db.service")
    assert answers(box, "daemon", restart) == {"RestartService": ""}
    assert box.invocation_id("hero-web.service") not in ("", before)
    before = box.invocation_id("hero-web.service")
    others = {**PRIVILEGED, "RestartService": ("st", "db", 0)}
    assert answers(box, "daemon", others) == dict.fromkeys(others, WANTS_A_PASSWORD)
    assert answers(box, "daemon", {"ResetFailed": ("ast", ["web", "db"], 4)}) == {"ResetFailed": WANTS_A_PASSWORD}
    assert answers(box, "nobody", restart) == {"RestartService": WANTS_A_PASSWORD}
    assert (box.invocation_id("hero-web.service"), box.invocation_id("hero-db.service")) == (before, other)
    allow_nothing(box)


def test_whoever_polkit_allows_it_to_may_do_everything(box):
    allow(box, ALL_TO_NOBODY)
    assert set(answers(box, "nobody", MANAGE_SERVICES).values()) == {""}
    apply = {"ApplyDefinitions": ("ast", ['{"name": "guest", "exec": "sleep 1000"}'], 0)}
    assert answers(box, "nobody", apply) == {"ApplyDefinitions": ""}
    box.wait_for(lambda: box.cgroup_pids("hero-guest.service"), 10, "it runs")
    assert json.loads(box.run(["hero_proc", "dump"], user="nobody").stdout)["services"]
    assert box.run(["hero_proc", "stop", "guest"], user="nobody").returncode == 0
    assert not box.cgroup_pids("hero-guest.service")
    assert box.run(["hero_proc", "remove", "guest"], user="nobody").returncode == 0
    assert "guest" not in box.states()
    assert answers(box, "hero", PRIVILEGED) == dict.fromkeys(PRIVILEGED, WANTS_A_PASSWORD)
    allow_nothing(box)


def test_the_command_line_says_why_and_exits_with_77(box):
    before = everything(box)
    definition = json.dumps(sleeper("intruder"))
    for line, feed in ((["stop", "web"], None), (["restart", "web", "db"], None), (["start", "web"], None),
                       (["reset-failed", "--force"], None), (["remove", "web"], None), (["dump"], None),
                       (["apply", "-"], definition), (["--no-ask-password", "stop", "web"], None)):
        done = box.run(["hero_proc", *line], user="nobody", check=False, input=feed)
        assert done.returncode == 77 and not done.stdout, (line, done)
        assert "not authorised: " in done.stderr and "password" in done.stderr, (line, done.stderr)
    assert everything(box) == before


# -- polkit is not as it should be --


def remove_polkit(box):
    box.systemctl("stop", "polkit")
    box.run(["mv", POLKIT_ACTIVATION, "/srv/"])
    box.run(["busctl", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "ReloadConfig"])


def restore_polkit(box):
    box.run(["mv", f"/srv/{POLKIT_ACTIVATION.rsplit('/', 1)[1]}", POLKIT_ACTIVATION])
    box.run(["busctl", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "ReloadConfig"])


def test_without_polkit_root_does_everything_and_the_others_nothing(box):
    remove_polkit(box)
    before = everything(box)
    assert answers(box, "nobody", PRIVILEGED) == dict.fromkeys(PRIVILEGED, DENIED)
    assert answers(box, "nobody", PRIVILEGED, may_interact=True) == dict.fromkeys(PRIVILEGED, DENIED)
    assert set(answers(box, "nobody", FOR_EVERYONE).values()) == {""}
    told = box.run(["hero_proc", "stop", "web"], user="nobody", check=False)
    assert told.returncode == 77 and "polkit is not there" in told.stderr
    assert everything(box) == before
    assert set(answers(box, None, {**MANAGE_SERVICES, "Dump": ("",)}).values()) == {""}
    restore_polkit(box)


def test_a_polkit_that_cannot_be_started_is_a_denial(box):
    before = everything(box)
    box.systemctl("mask", "--runtime", "--now", "polkit")
    assert answers(box, "nobody", PRIVILEGED) == dict.fromkeys(PRIVILEGED, DENIED)
    box.systemctl("unmask", "--runtime", "polkit")
    box.write_file("/run/systemd/system/polkit.service.d/broken.conf", "[Service]\nExecStart=\nExecStart=/bin/false\n")
    box.systemctl("daemon-reload")
    assert answers(box, "nobody", PRIVILEGED) == dict.fromkeys(PRIVILEGED, DENIED)
    box.run(["rm", "/run/systemd/system/polkit.service.d/broken.conf"])
    box.systemctl("daemon-reload")
    box.systemctl("reset-failed", "polkit")
    assert everything(box) == before


def test_a_polkit_that_does_not_know_the_actions_is_a_denial(box):
    before = everything(box)
    policy = "/usr/share/polkit-1/actions/org.hero.Proc1.policy"
    box.run(["mv", policy, "/srv/"])
    allow(box, "")
    assert answers(box, "nobody", PRIVILEGED) == dict.fromkeys(PRIVILEGED, DENIED)
    box.run(["mv", "/srv/org.hero.Proc1.policy", policy])
    allow_nothing(box)
    assert everything(box) == before


def _changed(before, after):
    units = before["units"].keys() | after["units"].keys()
    return {unit for unit in units if before["units"].get(unit) != after["units"].get(unit)}


def hang_polkit(box):
    box.systemctl("start", "polkit")
    pid = polkit_pid(box)
    box.run(["kill", "-STOP", str(pid)])
    return pid


def test_a_polkit_that_hangs_costs_the_callers_their_patience_and_nobody_else_anything(box):
    before = everything(box)
    pid = hang_polkit(box)
    began = time.monotonic()
    waiting = box.spawn(["hero_proc", "stop", "web"], user="nobody", stderr=-1)
    asked = time.monotonic()
    assert set(answers(box, None, FOR_EVERYONE).values()) == set(answers(box, "hero", FOR_EVERYONE).values()) == {""}
    assert answers(box, None, {"StopService": ("st", "db", 0)}) == {"StopService": ""}
    assert answers(box, None, {"StartService": ("st", "db", 0)}) == {"StartService": ""}
    assert time.monotonic() - asked < PATIENCE - 1, "nobody has waited for polkit"
    assert answers(box, "nobody", PRIVILEGED, may_interact=True) == dict.fromkeys(PRIVILEGED, DENIED)
    assert PATIENCE - 1 < time.monotonic() - began < 3 * PATIENCE
    assert "polkit does not answer" in waiting.communicate(timeout=PATIENCE)[1] and waiting.returncode == 77
    box.run(["kill", "-CONT", str(pid)])
    assert answers(box, "nobody", PRIVILEGED) == dict.fromkeys(PRIVILEGED, WANTS_A_PASSWORD), "it is as before"
    after = everything(box)
    assert not _changed(before, after) - {"hero-db.service", "hero-db.slice"}
    assert after["units"]["hero-db.service"]["ActiveState"] == "active"


def ask_and_kill(calls, pid):
    """The calls are at a polkit that hangs when it dies."""
    with RawBus() as bus:  # noqa: F821
        for member, arguments in calls.items():
            bus.send("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", member, *arguments)
        bus.send("org.hero.Proc1", "/org/hero/Proc1", "org.freedesktop.DBus.Peer", "Ping")
        while bus.receive_from() != (len(calls) + 2, ""):
            pass
        began = time.monotonic()  # noqa: F821
        Path("/srv/kill-polkit").touch()  # noqa: F821
        return sorted({bus.receive_from()[1] for _ in calls}), time.monotonic() - began  # noqa: F821


def test_a_polkit_that_is_killed_with_the_question_in_hand_is_a_denial(box):
    before = everything(box)
    pid = hang_polkit(box)
    box.run(["mkdir", "-p", "-m", "1777", "/srv/open"])
    box.run(["chmod", "777", "/srv"])
    killer = box.spawn(["sh", "-c", f"until [ -e /srv/kill-polkit ]; do sleep 0.05; done; kill -KILL {pid}"])
    errors, seconds = box.agent_of("nobody").call(ask_and_kill, PRIVILEGED, pid)
    assert killer.wait(10) == 0
    box.run(["rm", "/srv/kill-polkit"])
    assert errors == [DENIED] and seconds < PATIENCE - 2, (errors, seconds)
    assert everything(box) == before


# -- the caller is not as it should be --


def settled(box):
    """Once the store has noted what is over."""
    box.wait_for(lambda: all(row["intention"] == "none" for row in everything(box)["store"]), 10, "nothing is under way")
    return everything(box)


def ask_and_leave(calls, stay_until=""):
    """Leaves once the server has read the calls, or a process with that command line runs."""
    def runs():
        return subprocess.run(["pgrep", "-xf", stay_until], stdout=subprocess.DEVNULL).returncode == 0  # noqa: F821
    with RawBus() as bus:  # noqa: F821
        for member, arguments in calls.items():
            bus.send("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", member, *arguments,
                     may_interact=True)
        # The server has read them all once it answers this.
        bus.send("org.hero.Proc1", "/org/hero/Proc1", "org.freedesktop.DBus.Peer", "Ping")
        while bus.receive_from() != (len(calls) + 2, ""):
            pass
        if stay_until:
            assert seconds_until(runs, 10, pause=0.05)  # noqa: F821


def test_what_was_allowed_to_a_caller_who_has_left_is_not_done(box):
    """polkit says yes after he left, since it looked at him before: it is for us to know that he is gone."""
    allow(box, ALL_TO_NOBODY.replace("return polkit.Result.YES",
                                     '{ polkit.spawn(["/bin/sleep", "1.618"]); return polkit.Result.YES; }'))
    before = settled(box)
    box.agent_of("nobody").call(ask_and_leave, {"StopService": ("st", "web", 0)}, "/bin/sleep 1.618")
    # polkit answers in order, so that the above is over when this is.
    assert answers(box, "nobody", {"Dump": ("",)}) == {"Dump": ""}
    assert everything(box) == before
    assert answers(box, "nobody", {"StopService": ("st", "web", 0)}) == {"StopService": ""}, "it would have been done"
    assert answers(box, "nobody", {"StartService": ("st", "web", 0)}) == {"StartService": ""}
    # Nor is anything of a caller who left before polkit had looked at him.
    before = settled(box)
    pid = hang_polkit(box)
    box.agent_of("nobody").call(ask_and_leave, {**MANAGE_SERVICES, **MANAGE_DEFINITIONS})
    box.run(["kill", "-CONT", str(pid)])
    assert answers(box, "nobody", {"Dump": ("",)}) == {"Dump": ""}
    assert everything(box) == before
    allow_nothing(box)


def test_a_service_that_went_while_polkit_was_asked_is_looked_up_anew(box):
    allow(box, ALL_TO_NOBODY)
    box.apply(sleeper("fleeting"))
    pid = hang_polkit(box)
    calls = {"StopService": ("st", "fleeting", 0), "RestartService": ("st", "fleeting", 0),
             "ResetFailed": ("ast", ["fleeting"], 4), "RemoveService": ("st", "fleeting", 0)}
    agent = box.agent_of("nobody")
    agent.call(begin_asking, calls)
    box.hero("remove", "fleeting")
    box.run(["kill", "-CONT", str(pid)])
    assert agent.call(end_asking, calls) == ["org.hero.Proc1.Error.NoSuchService"] * len(calls)
    allow_nothing(box)


def begin_asking(calls):
    sys.kept_bus = bus = RawBus()  # noqa: F821
    for member, arguments in calls.items():
        bus.send("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", member, *arguments)
    bus.send("org.hero.Proc1", "/org/hero/Proc1", "org.freedesktop.DBus.Peer", "Ping")
    while bus.receive_from() != (len(calls) + 2, ""):
        pass


def end_asking(calls):
    with sys.kept_bus as bus:  # noqa: F821
        return [bus.receive_from()[1] for _ in calls]


def flood(n_calls, text_bytes):
    """The errors of so many calls on one connection; definitions of that size where that is not 0."""
    padding = " " * text_bytes
    with RawBus() as bus:  # noqa: F821
        for _ in range(n_calls):
            arguments = ("ApplyDefinitions", "ast", [padding], 0) if text_bytes else ("StopService", "st", "web", 0)
            bus.send("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", *arguments)
        errors = [bus.receive()[0] for _ in range(n_calls)]
    return {error: errors.count(error) for error in errors}


def test_questions_without_end_meet_a_limit_and_leave_nothing_behind(box):
    server = box.main_pid(SERVER_UNIT)
    before, own = everything(box), box.agent.call("footprint", server)
    pid = hang_polkit(box)
    many = box.agent_of("nobody").call(flood, 400, 0, timeout=60)
    assert set(many) == {DENIED, "org.freedesktop.DBus.Error.LimitsExceeded"}, many
    assert 8 <= many[DENIED] <= 64, many
    large = box.agent_of("nobody").call(flood, 12, 8 * 1024 * 1024, timeout=60)
    assert set(large) == {DENIED, "org.freedesktop.DBus.Error.LimitsExceeded"} and large[DENIED] <= 4, large
    box.run(["kill", "-CONT", str(pid)])
    assert everything(box) == before
    now = box.agent.call("footprint", server)
    assert now["fds"] == own["fds"], (own, now)
    assert now["rss"] < own["rss"] + 4096 or "asan" in box.build.name, (own, now)  # it keeps what is freed for a while


# -- a terminal --


def type_password(words, password, timeout):
    """What the command says on a terminal of its own, and its exit status; the password goes to each question for one."""
    import pty  # pylint: disable=import-outside-toplevel
    import termios  # pylint: disable=import-outside-toplevel
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(words[0], words)  # noqa: F821
    said, answered, deadline = b"", 0, time.monotonic() + timeout  # noqa: F821
    while time.monotonic() < deadline:  # noqa: F821
        if not select.select([terminal], [], [], 0.2)[0]:  # noqa: F821
            continue
        try:
            said += os.read(terminal, 4096)  # noqa: F821
        except OSError:
            break
        if said.count(b"Password: ") > answered:
            answered += 1
            # What is typed before it stops echoing is thrown away.
            seconds_until(lambda: not termios.tcgetattr(terminal)[3] & termios.ECHO, 5)  # noqa: F821
            os.write(terminal, password.encode() + b"\n")  # noqa: F821
    else:
        os.kill(pid, signal.SIGKILL)  # noqa: F821
    _, status = os.waitpid(pid, 0)  # noqa: F821
    os.close(terminal)  # noqa: F821
    return said.decode(errors="replace"), os.waitstatus_to_exitcode(status), answered  # noqa: F821


def in_a_session(command):
    """Logged in, as polkit sees it: with a session of logind's."""
    return ["runuser", "-l", "hero", "--session-command", command]


def test_on_a_terminal_a_password_is_asked_for_and_lets_the_call_through(box):
    box.run(["chpasswd"], input="root:open-sesame\n")
    allow_nothing(box)
    said, status, n = box.agent.call(type_password, in_a_session("hero_proc stop web"), "open-sesame", 30)
    assert (status, n) == (0, 1) and "stop the service \"web\"" in said and "web: stopped" in said, said
    assert not box.cgroup_pids("hero-web.service")
    said, status, n = box.agent.call(type_password, in_a_session("hero_proc start web"), "wrong", 30)
    assert status == 77 and n >= 1 and "not authorised" in said, said
    assert not box.cgroup_pids("hero-web.service")
    # One prompt after the other, and not several at once in each other's way.
    said, status, n = box.agent.call(type_password, in_a_session("hero_proc start web db"), "open-sesame", 30)
    assert (status, n) == (0, 2) and box.cgroup_pids("hero-web.service"), said
    said, status, n = box.agent.call(type_password, in_a_session("hero_proc --no-ask-password stop web"), "", 30)
    assert (status, n) == (77, 0), said
    assert not [line for line in box.output("ps", "-eo", "comm").splitlines() if "pkttyagent" in line]


def test_a_user_server_is_that_users_and_nobody_elses(box):
    box.start_server(user="hero")
    box.apply(sleeper("own"), user="hero")
    assert box.hero("stop", "own", user="hero").returncode == 0
    denied = box.run(["busctl", "--user", "list"], user="nobody", check=False,
                     env={"DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/1000/bus"})
    assert denied.returncode != 0, "its bus lets nobody else in"
    before = polkit_pid(box)
    assert box.hero("remove", "own", user="hero").returncode == 0 and polkit_pid(box) == before
    box.stop_server(user="hero")
