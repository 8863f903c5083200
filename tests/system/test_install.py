# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is installed: where it lands and that it goes again, whether systemd, the bus and the journal take it as it is."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

import interfaces
from box import REPOSITORY, SERVER_UNIT
from house import sleeper

# Tenths, as Debian 12's systemd-analyze reckons. What is beyond that of units/*.service.in is to be explained there.
EXPOSURE_BOUNDS = {"hero_proc.service": 15, "hero_proc-dialer.service": 9, "hero_proc-hands.service": 8, "hero_proc-gateway.service": 5}


def make(build, *words):
    return subprocess.run(["make", "-s", "-C", REPOSITORY, f"BUILD={build.name}", *words], check=True, text=True,
                          capture_output=True)


def files_in(folder):
    return {path.relative_to(folder) for path in Path(folder).rglob("*") if not path.is_dir()}


def test_uninstall_removes_what_install_put_there_and_nothing_else(box):
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder, "usr/share/polkit-1/actions/org.example.policy")
        other.parent.mkdir(parents=True)
        other.touch()
        make(box.build, "install", f"DESTDIR={folder}")
        assert len(files_in(folder)) > 25
        make(box.build, "uninstall", f"DESTDIR={folder}")
        assert files_in(folder) == {other.relative_to(folder)}
        ours = [path for path in Path(folder).rglob("*") if "hero" in path.name]
        assert not ours, ours


def test_folders_follow_prefix_and_can_be_named(box):
    with tempfile.TemporaryDirectory() as folder:
        make(box.build, "install", f"DESTDIR={folder}", "PREFIX=/opt/hero", "SYSTEM_UNIT_DIR=/etc/systemd/system",
             "DBUS_DIR=/opt/hero/share/dbus-1", "POLKIT_ACTION_DIR=/opt/actions")
        found = {str(path) for path in files_in(folder)}
        assert {"opt/hero/bin/hero_proc", "opt/hero/libexec/hero_proc/hero_proc_server", "opt/actions/org.hero.Proc1.policy",
                "etc/systemd/system/hero_proc.service", "opt/hero/share/dbus-1/system.d/org.hero.Proc1.conf"} <= found
        unit = Path(folder, "etc/systemd/system/hero_proc.service").read_text()
        assert "ExecStart=/opt/hero/libexec/hero_proc/hero_proc_server\n" in unit
        left = [str(path) for path in files_in(folder) if path.suffix in (".service", ".socket", ".conf")
                if re.search(r"@\w+@", Path(folder, path).read_text())]
        assert not left, left


def test_everything_is_readable_and_nothing_writable_by_all(box):
    listed = box.output("sh", "-c", "find / -xdev \\( -name '*hero_proc*' -o -name 'org.hero.*' -o -name hero.slice \\) "
                        "-path '/[lu]*' -printf '%m %u %p\\n'")
    assert "hero_proc_server" in listed and ".catalog" in listed
    wrong = [line for line in listed.splitlines() if not re.match(r"(644|755) root ", line)]
    assert not wrong, wrong


def test_systemd_finds_no_fault_in_the_units(box):
    for scope, units in (("--system", ["hero_proc.service", "hero_proc-diag.socket", "hero_proc-dialer.service", "hero_proc-dialer.socket",
                                        "hero_proc-hands.service", "hero_proc-hands.socket", "hero_proc-gateway.service",
                                        "hero_proc-gateway.socket", "hero.slice"]),
                         ("--user", ["hero_proc.service", "hero_proc-gateway.service", "hero_proc-gateway.socket", "hero.slice"])):
        done = box.run(["systemd-analyze", scope, "--man=no", "verify", *units], check=False,
                       user="hero" if scope == "--user" else None)
        assert done.returncode == 0 and "hero" not in done.stderr, done.stderr


def test_accounts_folders_and_policies_are_taken(box):
    box.run(["systemd-sysusers"])
    assert box.output("getent", "passwd", "hero-proc-gateway")
    box.run(["rm", "-rf", "/run/hero"])
    box.run(["systemd-tmpfiles", "--create", "hero_proc.conf"])
    assert box.output("stat", "-c", "%a %U", "/run/hero") == "755 root"
    assert box.output("pkaction").splitlines().count("org.hero.Proc1.manage-services") == 1
    assert "org.hero.Proc1.manage-definitions" in box.output("pkaction")


def test_the_exposure_of_the_units_stays_within_its_bound(box):
    version = int(box.output("systemctl", "--version").split()[1])
    box.run(["systemd-sysusers"])
    for unit, bound in EXPOSURE_BOUNDS.items():
        said = box.run(["systemd-analyze", "security", "--no-pager", f"--threshold={bound}", unit], check=False)
        # Other versions reckon with other weights, and so with another bound.
        assert said.returncode == 0 or version != 252, said.stdout[-400:]
        assert f"Overall exposure level for {unit}" in said.stdout


def test_the_server_runs_with_what_its_unit_leaves_it(box):
    box.start_server()
    status = box.read_file(f"/proc/{box.main_pid(SERVER_UNIT)}/status")
    mask = int(re.search(r"CapEff:\s*(\w+)", status).group(1), 16)
    assert mask == sum(1 << number for number in (1, 3, 19)), hex(mask)
    assert re.search(r"NoNewPrivs:\s*1", status) and re.search(r"Seccomp:\s*2", status)
    shown = box.unit_properties(SERVER_UNIT)
    assert (shown["Restart"], shown["OOMScoreAdjust"], shown["TasksMax"]) == ("always", "-900", "8")
    assert shown["MemoryMax"] == str(512 * 1024 * 1024) and shown["WatchdogUSec"] == "30s"


def test_the_server_comes_back_from_whatever_ends_it_but_not_from_a_stop(box):
    box.start_server()
    for signal in ("KILL", "SEGV", "TERM"):
        before = box.main_pid(SERVER_UNIT)
        box.run(["kill", f"-{signal}", str(before)])
        box.wait_for(lambda: box.main_pid(SERVER_UNIT) not in (0, before), 10, f"it is back after SIG{signal}")
        box.wait_for(lambda: box.unit_property(SERVER_UNIT, "ActiveState") == "active", 10, "it is ready")
    box.stop_server()
    assert box.unit_property(SERVER_UNIT, "ActiveState") == "inactive"
    box.run(["hero_proc", "list"])  # the bus starts it for whoever asks …
    assert box.unit_property(SERVER_UNIT, "ActiveState") == "active"
    box.systemctl("mask", "--runtime", "--now", SERVER_UNIT)  # … unless it may not
    assert box.hero("list", check=False).returncode == 69
    box.systemctl("unmask", "--runtime", SERVER_UNIT)


def test_the_descriptions_of_the_interfaces_are_what_the_server_says_of_itself(box):
    box.start_server()
    box.apply(sleeper("web"))
    path = box.agent.call("hero_services")["web"]["path"]
    for interface, where in ((interfaces.MANAGER, interfaces.PATH), (interfaces.SERVICE, path)):
        text = interfaces.written(interfaces.live(box, where, interface))
        kept = interfaces.description(interface)
        made = box.build / kept.name
        made.write_text(text)
        assert kept.exists() and kept.read_text() == text, f"look at the difference, then: cp {made} {kept}"
        assert box.read_file(f"/usr/share/dbus-1/interfaces/{kept.name}") == text
    box.hero("remove", "web")


def test_the_examples_are_valid(box):
    examples = box.output("sh", "-c", "ls /usr/share/doc/hero_proc/examples/*.json").split()
    assert len(examples) >= 3
    assert box.hero("check", *examples).returncode == 0


def test_the_journal_explains_what_hero_proc_reports(box):
    box.run(["journalctl", "--update-catalog"])
    box.start_server()
    box.apply({"name": "hopeless", "exec": "exit 3", "restart": {"delay_ms": 0, "max_attempts": 2}},
              {"name": "nobodys", "exec": ["/bin/sleep", "infinity"], "user": "no-such-user"})
    box.wait_state("hopeless", "failed", 20)
    box.wait_for(lambda: "Service hopeless crashes again and again" in explained(box), 10, "the alert has its page")
    said = explained(box)
    assert "hero_proc logs hopeless" in said and "@HERO_" not in said.split("hopeless crashes", 1)[1][:1500]
    box.hero("remove", "hopeless", "nobodys")


def explained(box):
    box.run(["journalctl", "--sync"])
    return box.run(["journalctl", "--no-pager", "-x", "SYSLOG_IDENTIFIER=hero_proc_server"]).stdout


# -- enabled, on a machine that has never seen it --


def enabled(box, user=None):
    box.systemctl("enable", "--now", "hero_proc", user=user)
    assert box.unit_property(SERVER_UNIT, "UnitFileState", user) == "enabled"
    box.apply(sleeper("first"), user=user)
    box.wait_state("first", "running", 10, user=user)
    assert box.cgroup_pids("hero-first.service", user=user)
    assert "● running  first" in box.hero("list", user=user).stdout
    box.systemctl("disable", "--now", "hero_proc", user=user)
    assert box.cgroup_pids("hero-first.service", user=user), "services run on"


def test_one_command_after_installing_everything_works(box):
    with box.another() as fresh:
        enabled(fresh)


def test_one_command_of_a_user_does_the_same_with_no_root_anywhere(box):
    with box.another() as fresh:
        enabled(fresh, user="hero")
        state = fresh.output("systemctl", "show", "-P", "ActiveState", SERVER_UNIT)
        assert state == "inactive", "the system's server has no part in it"
        foreign = fresh.output("find", "/home/hero", "/run/user/1000", "-not", "-user", "hero")
        assert not foreign, foreign
