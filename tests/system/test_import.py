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


ETC, RUN, LIB = "/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system"
UNITS = [f"{ETC}/cut-up.service", f"{ETC}/tem-p@.service", f"{LIB}/real.service", f"{LIB}/both.service", f"{ETC}/both.service"]
LINKS = {f"{ETC}/alias.service": "../../../usr/lib/systemd/system/real.service",
         f"{RUN}/other.service": f"{ETC}/alias.service", f"{ETC}/link@.service": "tem-p@.service",
         f"{ETC}/outside.service": "/opt/outside.service", f"{RUN}/real.service": f"{LIB}/real.service",
         f"{ETC}/masked.service": "/dev/null", f"{ETC}/dangling.service": f"{LIB}/nothing.service",
         f"{ETC}/cut-up.service.d/50-masked.conf": "/dev/null"}
DROP_INS = [
    # the same name in many folders: the unit's own counts, then what its dashes make of it, then that for all services
    *(f"{folder}/{unit}.d/10-same.conf" for folder in (ETC, RUN, LIB) for unit in ("cut-up.service", "cut-.service", "service")),
    f"{ETC}/service.d/20-all.conf", f"{RUN}/cut-up.service.d/20-all.conf",
    f"{ETC}/cut-.service.d/30-dash.conf", f"{RUN}/cut-up.service.d/30-dash.conf",
    f"{LIB}/cut-up.service.d/25-own.conf", f"{LIB}/service.d/99-last.conf", f"{RUN}/cut-up.service.d/50-masked.conf",
    f"{ETC}/cut-up.service.d/.hidden.conf", f"{ETC}/cut-up.service.d/60-not.txt", f"{ETC}/cut-up.service.d/70.conf.d/x.conf",
    *(f"{ETC}/{unit}.service.d/{name}.conf" for unit in ("tem-p@", "tem-p@x", "tem-", "tem-@", "tem-@x", "link@x")
      for name in ("10-same", "20-" + unit)),
    f"{ETC}/link@.service.d/20-link.conf",  # systemd gives no order to the names of a template that is no instance
    *(f"{folder}/{unit}.service.d/{name}.conf" for folder in (ETC, LIB) for unit in ("real", "alias", "other")
      for name in ("10-same", "20-" + unit)),
    f"{ETC}/outside.service.d/10-in.conf", "/opt/outside.service.d/20-out.conf",
]


def _write_units(files, links):
    """In the box. Each file sets a variable of its own to its path: the environment tells what was read, and when."""
    # pylint: disable=undefined-variable
    for path in files:
        variable = re.sub("[^a-zA-Z0-9]", "_", path)  # noqa: F821
        Path(path).parent.mkdir(parents=True, exist_ok=True)  # noqa: F821
        command = "" if path.endswith(".conf") else "ExecStart=/bin/sleep infinity\n"
        Path(path).write_text(f"[Service]\n{command}Environment={variable}={path}\n")  # noqa: F821
    for path, target in links.items():
        Path(path).symlink_to(target)  # noqa: F821


def files_that_systemd_reads(box, unit, *words, user=None):
    said = box.run(["systemctl", *words, "cat", unit], user=user).stdout
    named = [line.removeprefix("# ") for line in said.splitlines() if line.startswith("# /")]
    return box.output("realpath", *named, user=user).splitlines()


def files_that_were_imported(box, unit, *words, user=None):
    done = box.run(["hero_proc", *words, "import", "systemd", unit], user=user)
    (made,) = json.loads(done.stdout)
    return made["name"], list(made["env"].values())


def test_a_unit_is_found_by_its_name_with_the_drop_ins_that_systemd_has_for_it(box):
    box.agent.call(_write_units, [*UNITS, *DROP_INS, "/opt/outside.service"], LINKS)
    box.systemctl("daemon-reload")
    for unit in ("cut-up", "cut-up.service", "tem-p@x", "tem-p@y.service", "tem-p@", "link@x", "real", "alias", "other",
                 "both", "outside"):
        name, read = files_that_were_imported(box, unit)
        assert name == unit.removesuffix(".service").replace("@", "-").removesuffix("-"), (unit, name)
        wanted = [path for path in files_that_systemd_reads(box, unit) if path != "/dev/null"]
        assert read == wanted and len(read) > 2, f"{unit}:\n" + "\n".join([*read, "--", *wanted])
        if not unit.endswith("@"):
            loaded = box.unit_property(unit, "Environment").split()
            assert [word.split("=")[1] for word in loaded] == read, (unit, loaded)


def test_a_file_in_a_folder_of_systemd_has_all_its_drop_ins_and_one_elsewhere_those_beside_it(box):
    for path in (f"{ETC}/cut-up.service", "/lib/systemd/system/real.service", f"{ETC}/alias.service"):
        _, read = files_that_were_imported(box, path)
        unit = path.split("/")[-1]
        assert read == [path for path in files_that_systemd_reads(box, unit) if path != "/dev/null"], path
    _, read = files_that_were_imported(box, "/opt/outside.service")
    assert read == ["/opt/outside.service", "/opt/outside.service.d/20-out.conf"]
    piped = box.output("bash", "-c", "hero_proc import systemd <(echo ExecStart=/bin/true)")
    assert json.loads(piped)[0]["exec"] == ["/bin/true"]
    box.run(["cp", "-r", ETC, "/srv/copy"])
    _, read = files_that_were_imported(box, "/srv/copy/cut-up.service")
    assert [path.removeprefix(f"{ETC}/") for path in read] == [
        "cut-up.service", "cut-up.service.d/10-same.conf", "service.d/20-all.conf", "cut-.service.d/30-dash.conf"], read


def test_a_drop_in_that_is_a_folder_or_a_link_to_nowhere_says_nothing(box):
    box.agent.call(_write_units, [f"{ETC}/hole.service", f"{ETC}/hole.service.d/20.conf", f"{RUN}/hole.service.d/10.conf",
                                  f"{ETC}/hole.service.d/30.conf/x.conf"],
                   {f"{ETC}/hole.service.d/10.conf": "/nowhere"})
    box.systemctl("daemon-reload")
    _, read = files_that_were_imported(box, "hole")
    assert f"{RUN}/hole.service.d/10.conf" not in read and len(read) > 2
    assert [word.split("=")[1] for word in box.unit_property("hole", "Environment").split()] == read


def test_a_unit_that_systemd_would_not_start_is_not_imported(box):
    box.write_file(f"{ETC}/empty.service", "")
    for unit, said in (("masked", "masked: masked"), ("empty.service", "empty.service: masked"),
                       (f"{ETC}/masked.service", f"{ETC}/masked.service: masked"), ("nothing", "nothing: systemd finds no unit"),
                       ("dangling", "dangling: systemd finds no unit"), ("none@x", "none@x: systemd finds no unit"),
                       ("./real.service", "./real.service: No such file")):
        done = box.hero("import", "systemd", unit, check=False)
        assert done.returncode == 1 and not done.stdout and done.stderr.startswith(f"hero_proc: {said}"), done


def test_a_users_units_are_found_in_the_users_folders(box):
    box.agent_of("hero")
    folders = box.output("systemd-analyze", "--user", "unit-paths", user="hero").splitlines()
    folders = [folder for folder in folders if "generator" not in folder and "transient" not in folder
               and folder != "/etc/xdg/systemd/user"]  # Debian's link to /etc/systemd/user
    assert len(folders) > 8
    box.agent.call(_write_units, [f"{folder}/mine.service.d/{name}.conf" for number, folder in enumerate(folders)
                                  for name in ("10-same", f"{50 - number}-own")], {})
    for folder in folders[::-1]:
        box.agent.call(_write_units, [f"{folder}/mine.service"], {})
        box.systemctl("daemon-reload", user="hero")
        name, read = files_that_were_imported(box, "mine", "--user", user="hero")
        assert name == "mine" and read[0] == f"{folder}/mine.service"
        wanted = files_that_systemd_reads(box, "mine", "--user", user="hero")
        assert read == wanted, "\n".join([*read, "--", *wanted])
        assert len(read) == 2 + len(folders), read


def test_what_cannot_be_read_is_an_error_and_prints_nothing(box):
    for words, code in ((["zinit", "/nonexistent"], 1), (["runit", "/etc"], 2), (["systemd"], 2)):
        done = box.hero("import", *words, check=False)
        assert done.returncode == code and done.stdout == "" and done.stderr.startswith("hero_proc: "), done
