# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the definition says is what the process gets: each argument and variable byte for byte, each setting in force."""

from __future__ import annotations

HOSTILE = [
    "", " ", "  two  blanks  ", "\t", "\n", "a\nb\n\nc", "ends with newline\n", ";", "a;b", "\\;", " ; ",
    "$HOME", "${HOME}", "$$", "$", "${", "\\$HOME", "%n", "%%", "%", "%h/%i", "'", '"', "'single'", '"double"',
    "it's \"both\"", "\\", "\\\\", "\\n", "\\x41", "*", "[a-z]?", "~", "-", "--", "@/bin/sh", "!", "|", ">", "&& false",
    "`id`", "$(id)", "#comment", "{a,b}", "=", "A=B", "\u00e4\u00f6\u00fc \u00df \u4e16\u754c \U0001f600", "\u200b\u202e",
    "x" * 100_000,
]
ONLY_ARGUMENTS = ["\r\n", "\x01\x1b[31m\x7f"]  # systemd takes no variable with control characters, and neither do we
WORDS_FOLDER = "/tmp/words"


def prepare(box):
    box.run(["mkdir", "-m", "777", WORDS_FOLDER])
    # Services with a root or a user of their own must find it: the folder of the sources may be hidden from them.
    box.run(["cp", box.fixture("herodemo_server"), "/usr/local/bin/herodemo_server"])


def strings_of(path):
    """The strings of a file in which each is ended by a NUL."""
    return [word.decode() for word in Path(path).read_bytes().split(b"\0")[:-1]]  # noqa: F821


def environment_of(pid):
    words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")[:-1]  # noqa: F821
    return dict(word.decode().split("=", 1) for word in words)


def process_facts(pid):
    """What the kernel says of a process."""
    folder = Path(f"/proc/{pid}")  # noqa: F821
    facts = dict(line.split(":\t", 1) for line in folder.joinpath("status").read_text().splitlines() if ":\t" in line)
    facts["cwd"] = os.readlink(folder / "cwd")  # noqa: F821
    facts["open files"] = folder.joinpath("limits").read_text().split("Max open files")[1].split()[0]
    return facts


def assert_words(box, file, arguments, variables):
    """The file is written as the last thing before the service serves; its name is its second argument."""
    box.wait_for(lambda: box.run(["test", "-s", file], check=False).returncode == 0, 10, f"{file} is written")
    got = box.agent.call(strings_of, file)
    assert got[got.index("--") + 1:] == arguments
    environment = box.agent.call(strings_of, f"{file}.env")
    assert [word for word in environment if word.startswith("HOSTILE_")] == variables


def kill_and_await_restart(box, unit, file):
    before = box.main_pid(unit)
    box.run(["rm", "-f", file, f"{file}.env"])
    box.run(["kill", "-KILL", str(before)])
    box.wait_for(lambda: box.main_pid(unit) not in (0, before), 10, f"{unit} was restarted")


def words_definition(box, name, program="/usr/local/bin/herodemo_server", **fields):
    file = f"{WORDS_FOLDER}/{name}"
    return box.definition(name, exec=[program, "--print-args", file, "--", *HOSTILE, *ONLY_ARGUMENTS],
                          env={f"HOSTILE_{i:02}": word for i, word in enumerate(HOSTILE)},
                          restart={"delay_ms": 50}, **fields)


EXPECTED_ARGUMENTS = [*HOSTILE, *ONLY_ARGUMENTS]
EXPECTED_VARIABLES = [f"HOSTILE_{i:02}={word}" for i, word in enumerate(HOSTILE)]


def test_hostile_words_reach_the_process_unchanged_at_each_start(box):
    assert len(HOSTILE) >= 40
    file, unit = f"{WORDS_FOLDER}/words", "hero-words.service"
    box.apply(words_definition(box, "words"))
    box.wait_state("words", "running", 10)
    assert_words(box, file, EXPECTED_ARGUMENTS, EXPECTED_VARIABLES)
    # What systemd 252 does to its own copy of a command at a reload shows at the next automatic restart.
    for event in ("daemon-reload", "daemon-reload", "daemon-reexec"):
        box.systemctl(event)
        kill_and_await_restart(box, unit, file)
        assert_words(box, file, EXPECTED_ARGUMENTS, EXPECTED_VARIABLES)
    assert box.unit_property(unit, "NRestarts") == "3"
    box.run(["rm", file])
    box.hero("restart", "words")
    assert_words(box, file, EXPECTED_ARGUMENTS, EXPECTED_VARIABLES)
    box.hero("remove", "words")


def test_hostile_words_reach_a_users_process_unchanged(box):
    file, unit = f"{WORDS_FOLDER}/own", "hero-own.service"
    box.start_server("hero")
    box.apply(words_definition(box, "own"), user="hero")
    box.wait_state("own", "running", 10, user="hero")
    assert_words(box, file, EXPECTED_ARGUMENTS, EXPECTED_VARIABLES)
    box.systemctl("daemon-reload", user="hero")
    box.run(["rm", file])
    before = box.main_pid(unit, "hero")
    box.run(["kill", "-KILL", str(before)])
    assert_words(box, file, EXPECTED_ARGUMENTS, EXPECTED_VARIABLES)
    box.hero("remove", "own", user="hero")


def test_a_program_with_a_hostile_name_is_run(box):
    program = "/tmp/odd $HOME; %n/it's \"a\\program\""
    box.run(["mkdir", "-p", "/tmp/odd $HOME; %n"])
    box.run(["cp", "/bin/sleep", program])
    box.apply(box.definition("odd", exec=[program, "1000"]))
    box.wait_state("odd", "running", 10)
    assert box.output("readlink", f"/proc/{box.main_pid('hero-odd.service')}/exe") == program
    box.hero("remove", "odd")


def test_a_shell_line_means_to_the_shell_what_it_says(box):
    box.apply(box.definition("line", exec=f'printf "%s;" "$HERO_SERVICE" \'$HOME\' "%n" >{WORDS_FOLDER}/line; '
                                          "exec sleep 1000"))
    box.wait_state("line", "running", 10)
    assert box.wait_for(lambda: box.run(["cat", f"{WORDS_FOLDER}/line"], check=False).stdout, 5,
                        "it is written") == "line;$HOME;%n;"
    box.hero("remove", "line")


def test_a_word_that_no_kernel_takes_is_refused_beforehand(box):
    long = "x" * 200_000
    for fields, where in (({"exec": ["/bin/true", long]}, "exec[1]"),
                          ({"exec": ["/bin/true"], "env": {"LONG": long}}, "env.LONG"),
                          ({"exec": long}, "exec")):
        done = box.apply(box.definition("long", **fields), check=False)
        assert done.returncode == 65 and f"long: {where}: " in done.stderr, (where, done.stderr[:300])
    assert "long" not in box.states()


def test_the_process_is_who_and_where_the_definition_says(box):
    box.write_file("/etc/words.env", "FROM_FILE=of the file\nBOTH=of the file\n# a comment\n")
    box.apply(box.definition("placed", exec=["/bin/sleep", "1000"], user="hero", group="daemon", working_dir="/var/tmp",
                             umask="0027", env_file="/etc/words.env", env={"BOTH": "of the definition", "MINE": "1"},
                             systemd={"LimitNOFILE": 4321, "NoNewPrivileges": True}))
    box.wait_state("placed", "running", 10)
    pid = box.main_pid("hero-placed.service")
    facts = box.agent.call(process_facts, pid)
    assert facts["Uid"].split() == [box.output("id", "-u", "hero")] * 4
    assert facts["Gid"].split() == [box.output("getent", "group", "daemon").split(":")[2]] * 4
    assert facts["Umask"] == "0027"
    assert facts["cwd"] == "/var/tmp"
    assert facts["NoNewPrivs"] == "1"
    assert facts["open files"] == "4321"
    environment = box.agent.call(environment_of, pid)
    assert environment["FROM_FILE"] == "of the file" and environment["MINE"] == "1"
    assert environment["HERO_SERVICE"] == "placed" and environment["HERO_ACTION"] == "main"
    assert environment["HERO_SOCKET_DIR"] == "/run/hero"
    assert environment["HERO_READY_FILE"] == "/run/hero/placed/.ready"
    assert box.output("stat", "-c", "%U", "/run/hero/placed") == "hero"
    box.hero("remove", "placed")


def test_a_missing_env_file_is_a_failed_start_with_a_reason(box):
    box.apply(box.definition("fileless", exec=["/bin/sleep", "1000"], env_file="/nonexistent/file",
                             restart={"policy": "never"}))
    box.wait_state("fileless", "failed", 10)
    assert box.cgroup_pids("hero-fileless.service") == []
    box.hero("remove", "fileless")


def test_credentials_are_handed_over(box):
    box.write_file("/etc/words.secret", "open sesame", mode=0o600)
    box.apply(box.definition("keeper", user="hero", credentials={"secret": "/etc/words.secret"},
                             exec=f'cat "$CREDENTIALS_DIRECTORY/secret" >{WORDS_FOLDER}/secret; exec sleep 1000'))
    box.wait_state("keeper", "running", 10)
    assert box.wait_for(lambda: box.run(["cat", f"{WORDS_FOLDER}/secret"], check=False).stdout, 5,
                        "it is read") == "open sesame"
    box.hero("remove", "keeper")


def test_a_stop_sends_the_signal_that_is_asked_for(box):
    log = f"{WORDS_FOLDER}/signals"
    box.apply(box.definition("polite", stop_signal="SIGINT",
                             exec=["/usr/local/bin/herodemo_server", "--ready", "notify", "--signal-log", log],
                             ready="notify"))
    box.wait_state("polite", "running", 10)
    box.hero("stop", "polite")
    assert [line.split()[1] for line in box.read_file(log).splitlines() if "SIGCONT" not in line] == ["SIGINT"]
    box.hero("remove", "polite")


def test_limits_are_those_of_the_unit(box):
    box.apply(box.definition("bounded", exec=["/bin/sleep", "1000"],
                             limits={"memory_max": "64M", "cpu_quota_percent": 150, "tasks_max": 17}))
    box.wait_state("bounded", "running", 10)
    shown = box.unit_properties("hero-bounded.service")
    assert (shown["MemoryMax"], shown["TasksMax"], shown["CPUQuotaPerSecUSec"]) == (str(64 << 20), "17", "1.500000s")
    # A kernel without the controller has no file to look into.
    folder = "/sys/fs/cgroup" + shown["ControlGroup"]
    for file, value in (("memory.max", str(64 << 20)), ("pids.max", "17"), ("cpu.max", "150000 100000")):
        seen = box.run(["cat", f"{folder}/{file}"], check=False)
        assert seen.returncode != 0 or seen.stdout.strip() == value, (file, seen.stdout)
    box.hero("remove", "bounded")


# Everything that systemd 252 has of the table in core/definition_systemd.c: as given, and as `systemctl show` says it.
HARDENING = {
    "ProtectSystem": ("strict", "strict"), "ProtectHome": ("read-only", "read-only"),
    "ProtectProc": ("invisible", "invisible"), "ProcSubset": ("pid", "pid"),
    "PrivateTmp": (True, "yes"), "PrivateDevices": (True, "yes"), "PrivateMounts": (True, "yes"),
    "MountAPIVFS": (True, "yes"), "RootDirectory": ("/srv/other", "/srv/other"),
    "ReadOnlyPaths": (["/etc", "-/opt"], "/etc -/opt"), "ReadWritePaths": (["/var/tmp"], "/var/tmp"),
    "InaccessiblePaths": (["-/root"], "-/root"), "ExecPaths": (["/usr"], "/usr"), "NoExecPaths": (["/srv"], "/srv"),
    "StateDirectory": (["one", "two/three"], "one two/three"), "CacheDirectory": (["four"], "four"),
    "LogsDirectory": (["five"], "five"), "ConfigurationDirectory": (["six"], "six"),
    "NoNewPrivileges": (True, "yes"), "PrivateNetwork": (True, "yes"), "PrivateUsers": (True, "yes"),
    "PrivateIPC": (True, "yes"), "LockPersonality": (True, "yes"), "MemoryDenyWriteExecute": (True, "yes"),
    "RestrictRealtime": (True, "yes"), "RestrictSUIDSGID": (True, "yes"), "ProtectClock": (True, "yes"),
    "ProtectControlGroups": (True, "yes"), "ProtectHostname": (True, "yes"), "ProtectKernelLogs": (True, "yes"),
    "ProtectKernelModules": (True, "yes"), "ProtectKernelTunables": (True, "yes"), "RemoveIPC": (True, "yes"),
    "IgnoreSIGPIPE": (False, "no"), "KeyringMode": ("shared", "shared"), "DevicePolicy": ("closed", "closed"),
    "SystemCallArchitectures": (["native"], "native"), "SupplementaryGroups": (["daemon", "1"], "daemon 1"),
    "CapabilityBoundingSet": (["CAP_CHOWN", "CAP_NET_RAW"], "cap_chown cap_net_raw"),
    "AmbientCapabilities": (["CAP_CHOWN"], "cap_chown"),
    "LimitAS": ("4G", str(4 << 30)), "LimitCORE": (0, "0"), "LimitDATA": ("3G", str(3 << 30)),
    "LimitFSIZE": ("2G", str(2 << 30)), "LimitMEMLOCK": ("1M", str(1 << 20)), "LimitSTACK": ("9M", str(9 << 20)),
    "LimitNOFILE": (4321, "4321"), "LimitNPROC": ("infinity", "infinity"),
    "Nice": (7, "7"), "OOMScoreAdjust": (-500, "-500"),
    "CPUSchedulingPolicy": ("batch", "3"), "CPUSchedulingPriority": (0, "0"),
    "IOSchedulingClass": ("best-effort", "2"), "IOSchedulingPriority": (6, "6"), "TimerSlackNSec": (70000, "70000"),
    "Delegate": (True, "yes"), "CPUAccounting": (True, "yes"), "IOAccounting": (True, "yes"),
    "MemoryAccounting": (True, "yes"), "TasksAccounting": (False, "no"), "IPAccounting": (False, "no"),
    "CPUWeight": (200, "200"), "StartupCPUWeight": (300, "300"), "IOWeight": (400, "400"),
    "StartupIOWeight": (500, "500"), "MemoryMin": ("1M", str(1 << 20)), "MemoryLow": ("2M", str(2 << 20)),
    "MemoryHigh": ("300M", str(300 << 20)), "MemorySwapMax": ("infinity", "infinity"),
    "OOMPolicy": ("kill", "kill"), "ManagedOOMSwap": ("kill", "kill"), "ManagedOOMMemoryPressure": ("kill", "kill"),
    "SyslogIdentifier": ("a name of its own", "a name of its own"), "LogNamespace": ("apart", "apart"),
    "LogLevelMax": (4, "4"), "LogRateLimitIntervalUSec": (10000000, "10s"),
    "PassEnvironment": (["LANG"], "LANG"), "UnsetEnvironment": (["TERM"], "TERM"),
}


def test_each_hardening_property_arrives_in_the_unit(box):
    box.apply(box.definition("hard", autostart=False, exec=["/bin/sleep", "1000"],
                             systemd={name: given for name, (given, _) in HARDENING.items()}))
    shown = box.unit_properties("hero-hard.service")
    assert shown["LoadState"] == "loaded"
    wrong = {name: shown.get(name) for name, (_, expected) in HARDENING.items() if shown.get(name) != expected}
    assert not wrong, wrong
    box.hero("remove", "hard")


def test_hardening_is_in_force(box):
    box.apply(box.definition("jailed", systemd={"ProtectSystem": "strict", "PrivateTmp": True, "PrivateNetwork": True},
                             exec="touch /usr/tried /tmp/private; exec sleep 1000"))
    box.wait_state("jailed", "running", 10)
    pid = box.main_pid("hero-jailed.service")
    box.wait_for(lambda: box.run(["test", "-e", f"/proc/{pid}/root/tmp/private"], check=False).returncode == 0, 5,
                 "it has tried to write")
    box.run(["test", "!", "-e", "/usr/tried"])
    box.run(["test", "!", "-e", "/tmp/private"])
    assert box.output("readlink", f"/proc/{pid}/ns/net") != box.output("readlink", "/proc/1/ns/net")
    box.hero("remove", "jailed")


def test_a_service_with_a_root_of_its_own_keeps_its_words_its_folder_and_its_readiness(box):
    box.run(["sh", "-c", "mkdir -p /srv/root && mount --bind / /srv/root && mkdir -p -m 777 /srv/root/tmp/words"])
    file = f"/srv/root{WORDS_FOLDER}/rooted"
    definition = words_definition(box, "rooted", ready="file", sockets=["rpc.sock"], systemd={"RootDirectory": "/srv/root"})
    definition["exec"][1:1] = ["--socket", "/run/hero/rooted/rpc.sock", "--ready", "file"]
    box.apply(definition)
    box.wait_state("rooted", "running", 10)
    pid = box.main_pid("hero-rooted.service")
    box.run(["test", "-S", "/run/dbus/system_bus_socket"])
    box.run(["test", "!", "-e", f"/proc/{pid}/root/run/dbus/system_bus_socket"])
    assert_words(box, file, EXPECTED_ARGUMENTS, EXPECTED_VARIABLES)
    assert box.http("/run/hero/rooted/rpc.sock", "/health")[0] == 200
    box.systemctl("daemon-reload")
    kill_and_await_restart(box, "hero-rooted.service", file)
    assert_words(box, file, EXPECTED_ARGUMENTS, EXPECTED_VARIABLES)
    box.hero("remove", "rooted")
    box.run(["umount", "/srv/root"])


def test_a_oneshot_is_done_when_it_has_exited(box):
    box.apply(box.definition("once", kind="oneshot", exec=f"echo done >>{WORDS_FOLDER}/once"))
    box.wait_state("once", "stopped", 10)
    row = box.hero_json("status", "once")[0]
    assert [reason["code"] for reason in row["reasons"]] == ["exited"] and row["wanted"] == "up"
    assert box.read_file(f"{WORDS_FOLDER}/once") == "done\n"
    shown = box.unit_properties("hero-once.service")
    assert (shown["Type"], shown["ActiveState"], shown["Result"]) == ("oneshot", "inactive", "success")
    box.hero("start", "once")
    assert box.read_file(f"{WORDS_FOLDER}/once") == "done\ndone\n"
    box.hero("remove", "once")


def test_a_oneshot_may_take_its_time_unless_it_is_given_less(box):
    box.apply(box.definition("patient", kind="oneshot", exec=["/bin/sleep", "1000"]),
              box.definition("hasty", kind="oneshot", exec=["/bin/sleep", "1000"], start_timeout_ms=300,
                             restart={"policy": "never"}))
    box.wait_state("hasty", "failed", 10)
    assert box.hero_json("status", "hasty")[0]["reasons"][0]["code"] == "start-timeout"
    assert box.unit_property("hero-patient.service", "TimeoutStartUSec") == "infinity"
    assert box.unit_property("hero-patient.service", "ActiveState") == "activating"
    assert box.states()["patient"] == "starting"
    box.hero("stop", "patient")
    assert box.cgroup_pids("hero-patient.service") == []
    assert box.hero_json("status", "patient")[0]["reasons"][0]["code"] == "stopped-by-operator"
    box.hero("remove", "patient", "hasty")


def test_the_restart_policy_decides_what_an_exit_leads_to(box):
    def row(name):
        found = box.hero_json("status", name)[0]
        return found["state"], found["reasons"][0]["code"] if found["reasons"] else "", found["actions"][0]["n_restarts"]

    end = f"echo >>{WORDS_FOLDER}/$HERO_SERVICE; sleep 0.2; exit"
    for policy in ("always", "never", "on-failure"):
        restart = {"policy": policy, "delay_ms": 50}
        box.apply(box.definition(f"{policy}-0", exec=f"{end} 0", restart=restart),
                  box.definition(f"{policy}-3", exec=f"{end} 3", restart=restart))
    for name in ("always-0", "always-3", "on-failure-3"):
        box.wait_for(lambda name=name: len(box.run(["cat", f"{WORDS_FOLDER}/{name}"], check=False).stdout) >= 3, 10,
                     f"{name} is started again and again")
    box.wait_state("never-3", "failed", 5)
    assert row("never-3") == ("failed", "process-died", 0)
    for name in ("never-0", "on-failure-0"):
        box.wait_state(name, "stopped", 5)
        assert row(name) == ("stopped", "exited", 0)
        assert box.read_file(f"{WORDS_FOLDER}/{name}") == "\n"
    box.hero("remove", *(f"{policy}-{code}" for policy in ("always", "never", "on-failure") for code in (0, 3)))
