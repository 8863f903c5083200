# SPDX-License-Identifier: LGPL-2.1-or-later
"""What other supervisors are told becomes definitions that are valid, with a note for what has no equal."""

from __future__ import annotations

import json

WITHIN_SECONDS = 15.0


def prepare(box):
    box.start_server()


def import_and_check(units):
    """In the box: what `check` has against the definitions of these unit files."""
    wrong = []
    for unit in units:
        done = subprocess.run(["hero_proc", "import", "systemd", unit], capture_output=True, text=True)  # noqa: F821
        assert done.returncode == 0, done
        checked = subprocess.run(["hero_proc", "check", "-"], input=done.stdout, capture_output=True,  # noqa: F821
                                 text=True)
        if checked.returncode != 0:
            wrong.append([unit, checked.stderr])
    return wrong


def test_each_unit_file_of_the_distribution_becomes_a_valid_definition(box):
    listed = box.output("sh", "-c", "grep -l ^ExecStart= $(find /usr/lib/systemd/system /lib/systemd/system "
                                    "-maxdepth 1 -type f -name '*.service' ! -name '*@*') | sort -u").splitlines()
    units = [unit for unit in listed if not unit.endswith("/hero_proc.service")]  # a name that is ours
    assert len(units) > 20
    wrong = box.agent.call(import_and_check, units)
    assert not wrong, wrong


def test_what_was_imported_can_be_applied_and_runs(box):
    box.write_file("/tmp/zinit/net.yaml", "exec: sleep infinity\nlog: ring\n")
    box.write_file("/tmp/zinit/app.yaml", "exec: sh -c 'echo \"$GREETING\"; exec sleep infinity'\nafter:\n  - net\n"
                                          "env:\n  GREETING: hello there\n")
    done = box.hero("import", "zinit", "/tmp/zinit")
    assert done.stderr == "" and {row["name"] for row in json.loads(done.stdout)} == {"app", "net"}
    box.hero("apply", "-", input=done.stdout)
    for name in ("net", "app"):
        box.wait_state(name, "running", WITHIN_SECONDS)
    box.wait_for(lambda: "hello there" in box.journal("hero-app.service"), WITHIN_SECONDS, "it has its environment")
    box.hero("remove", "app")
    box.hero("remove", "net")


def test_the_drop_ins_of_a_unit_are_taken_in_their_order_as_systemd_takes_them(box):
    box.write_file("/etc/systemd/system/dropped.service",
                   "[Service]\nExecStart=/bin/sleep 1\nEnvironment=A=1\nCPUQuota=10%\nMemoryMax=64M\n")
    box.run(["mkdir", "-p", "/etc/systemd/system/dropped.service.d"])
    box.write_file("/etc/systemd/system/dropped.service.d/10-first.conf", "[Service]\nCPUQuota=20%\nEnvironment=B=2\n")
    box.write_file("/etc/systemd/system/dropped.service.d/20-next.conf",
                   "[Service]\nExecStart=\nExecStart=/bin/sleep infinity\nCPUQuota=30%\nUMask=%i\n")
    box.write_file("/etc/systemd/system/dropped.service.d/ignored.txt", "[Service]\nMemoryMax=1G\n")
    box.systemctl("daemon-reload")
    done = box.hero("import", "systemd", "/etc/systemd/system/dropped.service")
    made = json.loads(done.stdout)[0]
    shown = box.unit_properties("dropped.service")
    assert f"argv[]={' '.join(made['exec'])} ;" in shown["ExecStart"]
    assert shown["Environment"] == " ".join(f"{key}={value}" for key, value in made["env"].items())
    assert shown["CPUQuotaPerSecUSec"] == f"{made['limits']['cpu_quota_percent'] * 10}ms"
    assert shown["MemoryMax"] == str(64 << 20) and made["limits"]["memory_max"] == "64M"
    assert "/etc/systemd/system/dropped.service.d/20-next.conf: UMask=%i" in done.stderr, done.stderr


def test_what_cannot_be_read_is_an_error_and_prints_nothing(box):
    for words, code in ((["zinit", "/nonexistent"], 1), (["runit", "/etc"], 2), (["systemd"], 2)):
        done = box.hero("import", *words, check=False)
        assert done.returncode == code and done.stdout == "" and done.stderr.startswith("hero_proc: "), done
