# SPDX-License-Identifier: LGPL-2.1-or-later
"""What only the service and root are to know: marked strings in every place for them, and then everywhere looked for."""

from __future__ import annotations

import hashlib
import json

from box import SERVER_UNIT
from house import set_fault, sleeper, web_service

NAME, PATH = "org.hero.Proc1", "/org/hero/Proc1"
MANAGER, SERVICE = f"{NAME}.Manager", f"{NAME}.Service"
VAULT = "/etc/vault"
FILES = {"key": "marker-credential", "env": "FROM_FILE=marker-env-file\n"}
STORE = "/var/lib/hero_proc/hero_proc.db"


def guarded(box, name="guarded"):
    """A service with a marker in each place that may hold a secret."""
    request = {"name": "rpc", "socket": "rpc.sock", "path": "/rpc", "method": "POST", "interval_ms": 500,
               "headers": {"Authorization": "Bearer marker-header"},
               "body": {"jsonrpc": "2.0", "id": "marker-body", "method": "rpc.health"}}
    return web_service(box, name, on_unhealthy="report", probe=request, credentials={"key": f"{VAULT}/key"},
                       env={"PLAIN": "marker-plain", "DB_PASSWORD": "marker-password"}, allow_secret_env=True,
                       env_file=[f"{VAULT}/env"])


def prepare(box):
    box.run(["mkdir", "-m", "700", VAULT])
    for name, text in FILES.items():
        box.write_file(f"{VAULT}/{name}", text, mode=0o600)


def signals_of_a_life(definition):
    """All that is signalled, to everybody, while a service comes, fails, is redefined and goes."""
    seen = []
    with Signals("type='signal',sender='org.hero.Proc1'") as signals:  # noqa: F821
        def run(*words, text=None):
            subprocess.run(["hero_proc", *words], input=text, text=True, check=True,  # noqa: F821
                           stdout=subprocess.DEVNULL)  # noqa: F821
        for description in ("first", "second"):
            run("apply", "-", text=json.dumps({**definition, "description": description}))  # noqa: F821
        run("wait", definition["name"], "--timeout=20")
        run("restart", definition["name"])
        run("remove", definition["name"])
        while message := signals.next(0.5):
            seen.append(json.dumps(message))  # noqa: F821
    return seen


def test_the_service_gets_them(box):
    box.apply(guarded(box))
    box.wait_state("guarded", "running", 10)
    pid = box.main_pid("hero-guarded.service")
    environ = box.read_file(f"/proc/{pid}/environ").split("\0")
    for variable in ("PLAIN=marker-plain", "DB_PASSWORD=marker-password", "FROM_FILE=marker-env-file"):
        assert variable in environ, environ
    folder = next(v.split("=", 1)[1] for v in environ if v.startswith("CREDENTIALS_DIRECTORY="))
    assert box.read_file(f"{folder}/key") == FILES["key"]


def test_no_signal_holds_them(box):
    seen = box.agent.call(signals_of_a_life, guarded(box, "passing"), timeout=90)
    text = "\n".join(seen)
    assert "InterfacesAdded" in text and "PropertiesChanged" in text and '"Definition"' in text
    assert "marker" not in text, [message for message in seen if "marker" in message]


def look_at_everything(name):
    """What one who may only look is shown of a service, by every way there is."""
    def busctl(*words):
        return subprocess.run(["busctl", *words], capture_output=True, text=True, check=True).stdout  # noqa: F821

    path = call_bus("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", "GetService", "s", name)[0]  # noqa: F821
    manager = ("call", "org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager")
    shown = {
        "GetAll": busctl("call", "org.hero.Proc1", path, "org.freedesktop.DBus.Properties", "GetAll", "s",
                         "org.hero.Proc1.Service"),
        "GetManagedObjects": busctl("call", "org.hero.Proc1", "/org/hero/Proc1", "org.freedesktop.DBus.ObjectManager",
                                    "GetManagedObjects"),
        "introspect": busctl("introspect", "--full", "org.hero.Proc1", path),
    }
    for member, *words in (("ListServices",), ("GetStatus", "ast", "0", "0"), ("Why", "st", name, "0"),
                           ("ProbeService", "st", name, "0"), ("History", "stt", name, "100", "0")):
        shown[member] = busctl(*manager, member, *words)
    for line in (["list"], ["list", "--json"], ["status", name], ["status", "--json", name], ["why", name],
                 ["why", "--json", name], ["history", name], ["dump"], ["logs", name]):
        done = subprocess.run(["hero_proc", *line], capture_output=True, text=True, check=False)  # noqa: F821
        shown[" ".join(line)] = done.stdout + done.stderr
    for action in ("GetDefinition", "Dump"):
        done = subprocess.run(["busctl", *manager, action, *(["s", name] if action != "Dump" else [])],  # noqa: F821
                              capture_output=True, text=True, check=False)
        shown[action] = done.stdout + done.stderr
    for file in Path("/proc").glob("[0-9]*/cmdline"):  # noqa: F821
        try:
            shown[str(file)] = file.read_text()
        except OSError:
            pass
    shown["files"] = subprocess.run(["grep", "-rIl", "marker-", "/run", "/etc", "/var/lib", "/srv"],  # noqa: F821
                                    capture_output=True, text=True, check=False).stdout
    return shown


def test_whoever_may_only_look_sees_none_of_them(box):
    set_fault(box, "guarded", "/rpc close")
    box.wait_state("guarded", "failed", 10)
    for user in ("nobody", "hero"):
        shown = box.agent_of(user).call(look_at_everything, "guarded", timeout=90)
        assert "Authorization" in shown["GetAll"] and '"PLAIN":null' in shown["GetAll"].replace("\\", "").replace(" ", "")
        assert f"{VAULT}/key" in shown["GetAll"] and "guarded" in shown["list"]
        leaks = {where: text for where, text in shown.items() if "marker" in text}
        assert not leaks, leaks
    set_fault(box, "guarded", "")
    box.wait_state("guarded", "running", 10)


def test_no_line_of_the_journal_holds_them(box):
    box.restart_server()
    box.wait_state("guarded", "running", 10)
    journal = box.run(["journalctl", "--sync"]) and box.run(["journalctl", "--no-pager", "-o", "export"]).stdout
    assert "guarded" in journal and "marker" not in journal, \
        [line for line in journal.splitlines() if "marker" in line]


def test_root_gets_the_definition_back_byte_for_byte(box):
    text = '{ "name":"exact" ,\n"exec": ["/bin/sleep", "1000"], "env": {"A" : "marker-\\u0065xact"} }'
    box.hero("apply", "-", input=text)
    assert box.agent.call("call_bus", NAME, PATH, MANAGER, "GetDefinition", "s", "exact") == [text]
    dump = json.loads(box.hero("dump").stdout)
    assert next(row for row in dump["services"] if row["name"] == "exact")["definition"]["env"] == {"A": "marker-exact"}
    path = box.agent.call("call_bus", NAME, PATH, MANAGER, "GetService", "s", "exact")[0]
    shown = box.agent.call("call_bus", NAME, path, "org.freedesktop.DBus.Properties", "Get", "ss", SERVICE,
                           "Definition")[0]["data"]
    assert shown == text.replace('"marker-\\u0065xact"', "null"), "a property has no caller, so it hides from root too"
    done = box.hero("apply", "-", input=shown, check=False)
    assert done.returncode == 65 and "env.A: null: expected a string" in done.stderr, done
    assert box.agent.call("call_bus", NAME, PATH, MANAGER, "GetDefinition", "s", "exact") == [text]
    box.hero("remove", "exact")


def test_the_store_lets_nobody_in(box):
    modes = box.output("sh", "-c", "stat -c '%a %U %n' /var/lib/hero_proc /var/lib/hero_proc/*").splitlines()
    assert modes[0] == "700 root /var/lib/hero_proc" and f"600 root {STORE}" in modes
    assert all(line.startswith("600 root ") for line in modes[1:]), modes
    assert box.run(["ls", "/var/lib/hero_proc"], user="nobody", check=False).returncode != 0
    assert box.run(["grep", "-c", "marker-password", STORE, f"{STORE}-wal"], check=False).returncode == 0, \
        "root finds it there"


def test_a_secret_by_its_name_is_refused_with_the_better_way_and_not_repeated(box):
    done = box.apply(sleeper("leaky", env={"DB_PASSWORD": "marker-refused"}), check=False)
    assert done.returncode == 65 and "leaky: env.DB_PASSWORD: " in done.stderr, done
    assert "credentials" in done.stderr and "allow_secret_env" in done.stderr and "marker" not in done.stderr
    assert "leaky" not in box.states()
    assert box.hero("check", "-", input=json.dumps(sleeper("leaky", env={"DB_PASSWORD": "x"})), check=False).returncode == 65


def test_a_credential_reaches_a_user_who_may_not_read_its_file(box):
    box.apply({"name": "lodger", "user": "daemon", "credentials": {"key": f"{VAULT}/key"},
               "exec": "sha256sum <$CREDENTIALS_DIRECTORY/key >/run/hero/lodger/sum; exec sleep infinity"})
    box.wait_state("lodger", "running", 10)
    box.wait_for(lambda: box.run(["test", "-s", "/run/hero/lodger/sum"], check=False).returncode == 0, 10, "it has read it")
    assert box.read_file("/run/hero/lodger/sum").split()[0] == hashlib.sha256(FILES["key"].encode()).hexdigest()
    assert box.run(["cat", f"{VAULT}/key"], user="daemon", check=False).returncode != 0
    for user in ("nobody", "hero"):
        assert box.run(["cat", "/run/credentials/hero-lodger.service/key"], user=user, check=False).returncode != 0
    box.hero("remove", "lodger")


def test_an_encrypted_credential_is_decrypted_for_its_service_alone(box):
    box.run(["systemd-creds", "encrypt", "--with-key=host", "--name=tls", f"{VAULT}/key", "/srv/tls.cred"])
    assert "marker" not in box.read_file("/srv/tls.cred")
    box.apply({"name": "sealed", "user": "daemon", "credentials_encrypted": {"tls": "/srv/tls.cred"},
               "exec": "sha256sum <$CREDENTIALS_DIRECTORY/tls >/run/hero/sealed/sum; exec sleep infinity"})
    box.wait_state("sealed", "running", 10)
    box.wait_for(lambda: box.run(["test", "-s", "/run/hero/sealed/sum"], check=False).returncode == 0, 10, "it has read it")
    assert box.read_file("/run/hero/sealed/sum").split()[0] == hashlib.sha256(FILES["key"].encode()).hexdigest()
    box.hero("remove", "sealed")


def rewrite_store(name, text):
    import sqlite3  # pylint: disable=import-outside-toplevel
    connection = sqlite3.connect("/var/lib/hero_proc/hero_proc.db")
    assert connection.execute("UPDATE service SET definition = ?, definition_checksum = NULL WHERE name = ?",
                              (text, name)).rowcount == 1
    connection.commit()
    connection.close()


def test_a_service_that_was_taken_before_the_rule_is_kept_and_what_cannot_be_read_is_not_quoted(box):
    old = {**sleeper("elder", env={"DB_PASSWORD": "marker-elder"}), "allow_secret_env": True}
    box.apply(old, sleeper("broken"))
    box.wait_state("elder", "running", 10)
    invocation = box.invocation_id("hero-elder.service")
    box.systemctl("mask", "--runtime", "--now", SERVER_UNIT)
    del old["allow_secret_env"]
    box.agent.call(rewrite_store, "elder", json.dumps(old))
    box.agent.call(rewrite_store, "broken", '{"name": "broken", "exec": "sleep 1000", "env": ["marker-broken"]}')
    box.systemctl("unmask", "--runtime", SERVER_UNIT)
    box.start_server()
    box.wait_state("elder", "running", 10)
    assert box.invocation_id("hero-elder.service") == invocation and "broken" not in box.states()
    journal = box.journal(SERVER_UNIT)
    assert "the stored definition of broken cannot be read" in journal and "marker" not in journal
