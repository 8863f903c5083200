# SPDX-License-Identifier: LGPL-2.1-or-later
"""bash, zsh and fish complete what the program knows, by asking it, and say nothing where there is nothing to say."""

from __future__ import annotations

import json
import re
import shlex
import time

from box import SERVER_UNIT
from house import sleeper
from terminal import Terminal

WITHIN_SECONDS = 15.0
STATES = ["running", "degraded", "failed", "starting", "stopping", "restarting", "stopped", "unknown", "removed"]


def prepare(box):
    box.apply(sleeper("web"), sleeper("web-admin"), sleeper("db"), sleeper("down", autostart=False))
    for name in ("web", "web-admin", "db"):
        box.wait_state(name, "running", WITHIN_SECONDS)
    box.write_file("/tmp/files/one.json", json.dumps(sleeper("one")))
    box.write_file("/tmp/files/other.json", json.dumps(sleeper("other")))


def verbs_of_help(box):
    text = box.hero("--help").stdout
    return re.findall(r"^  ([a-z-]+) ", text.split("Verbs:")[1].split("Options:")[0], re.MULTILINE)


def options_of_help(box):
    return re.findall(r"--([a-z-]+)", box.hero("--help").stdout.split("Options:")[1].split("Exit codes")[0])


# What is typed, and what is offered for its last word.
CASES = [
    (["sta"], ["start", "status"]),
    (["service", "reset"], ["reset-failed"]),
    (["why", "w"], ["web", "web-admin"]),
    (["status", "web", ""], ["db", "down", "web-admin"]),
    (["start", ""], ["down"]),  # what runs is not started
    (["stop", ""], ["db", "web", "web-admin"]),
    (["--user", "why", ""], []),  # that user has no server
    (["why", "web", ""], []),  # it takes one
    (["wait", "web", "--for=st"], ["--for=starting", "--for=stopped", "--for=stopping"]),
    (["wait", "web", "--for=failed,st"], ["--for=failed,starting", "--for=failed,stopped", "--for=failed,stopping"]),
    (["wait", "web", "--for", "re"], ["removed", "restarting"]),
    (["list", "--json="], ["--json=off", "--json=pretty", "--json=short"]),
    (["list", "--js"], ["--json"]),
    (["start", "--js"], []),  # it takes none
    (["reset-failed", "--f"], ["--force"]),
    (["nonsense", ""], []),
]


def candidates(box, words, user=None):
    lines = box.output("hero_proc", "--complete", "--", *words, user=user).splitlines()
    return sorted(line.split("\t")[0] for line in lines)


def test_the_program_itself_offers_what_may_stand_there(box):
    assert candidates(box, [""]) == sorted(verbs_of_help(box))
    offered = [word.lstrip("-").rstrip("=") for word in candidates(box, ["--"])]
    assert sorted(offered) == sorted(options_of_help(box))
    for words, expected in CASES:
        assert candidates(box, words) == expected, words
    assert candidates(box, ["wait", "x", "--for="]) == sorted(f"--for={state}" for state in STATES)
    assert candidates(box, ["apply", ""]) == [":files"] and candidates(box, ["--socket-dir", "/"]) == [":files"]
    assert candidates(box, []) == []


def in_bash(box, line):
    """COMPREPLY of the installed function for that line, parted as readline parts it."""
    words = [word for part in re.split(r"\s+", line) for word in re.split("(=)", part) if word or not part]
    script = (". /usr/share/bash-completion/completions/hero_proc; "
              f"COMP_WORDS=({' '.join(map(shlex.quote, words))}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); "
              "COMP_WORDBREAKS=$' \\t\\n\"\\'><=;|&(:'; _hero_proc hero_proc; printf '%s\\n' \"${COMPREPLY[@]}\"")
    done = box.run(["bash", "-c", script])
    assert done.stderr == "", done
    return sorted(done.stdout.split())


def test_bash_offers_the_same(box):
    for words, expected in CASES:
        cut = [word.split("=")[-1] for word in expected] if "=" in words[-1] else expected
        assert in_bash(box, " ".join(["hero_proc", *words])) == cut, words
    assert in_bash(box, "hero_proc wait x --for=") == sorted(STATES)
    assert in_bash(box, "hero_proc check /tmp/files/o") == ["/tmp/files/one.json", "/tmp/files/other.json"]
    assert in_bash(box, "hero_proc --socket-dir=/tmp/fil") == ["/tmp/files"]


def test_fish_offers_the_same(box):
    def in_fish(line):
        done = box.run(["fish", "-c", f"complete -C {shlex.quote(line)}"])
        assert done.stderr == "", done
        return sorted(found.split("\t")[0] for found in done.stdout.splitlines())

    for words, expected in CASES:
        assert in_fish(" ".join(["hero_proc", *words])) == expected, words
    assert in_fish("hero_proc check /tmp/files/o") == ["/tmp/files/one.json", "/tmp/files/other.json"]


def complete_in(box, shell, typed, is_there):
    """Types into an interactive shell, presses Tab, and returns the screen once is_there() likes it."""
    with Terminal(box, 120) as terminal:
        terminal.enter(shell)
        terminal.wait(lambda text: text.rstrip().endswith("%>"), WITHIN_SECONDS, "its prompt is there")
        terminal.type(typed)
        terminal.press("Tab", "Tab")
        return terminal.wait(is_there, WITHIN_SECONDS, f"{typed!r} is completed")


def test_bash_loads_it_when_it_is_needed_and_completes_a_line(box):
    box.write_file("/tmp/bashrc", ". /usr/share/bash-completion/bash_completion\nPS1='%> '\n")
    shell = "exec bash --rcfile /tmp/bashrc -i"
    complete_in(box, shell, "hero_proc hist", lambda text: "%> hero_proc history" in text)
    complete_in(box, shell, "hero_proc why web", lambda text: "web-admin" in text)
    complete_in(box, shell, "hero_proc wait db --for=runn", lambda text: "%> hero_proc wait db --for=running" in text)
    complete_in(box, shell, "hero_proc wait db --fo", lambda text: re.search("--for=$", text.strip()))
    complete_in(box, shell, "hero_proc check /tmp/files/on", lambda text: "/tmp/files/one.json" in text)


def test_zsh_completes_a_line_and_tells_what_each_is(box):
    box.write_file("/tmp/zsh/.zshrc", "autoload -U compinit; compinit -u -d /tmp/zsh/dump\nPS1='%%> '\n")
    shell = "exec env ZDOTDIR=/tmp/zsh zsh -i"
    complete_in(box, shell, "hero_proc hist", lambda text: "%> hero_proc history" in text)
    text = complete_in(box, shell, "hero_proc sta", lambda text: "status" in text)
    assert re.search("start +-- +Start services", text), text
    text = complete_in(box, shell, "hero_proc why web", lambda text: "web-admin" in text)
    assert re.search("web-admin +-- +running", text), text
    complete_in(box, shell, "hero_proc wait db --for=runn", lambda text: "%> hero_proc wait db --for=running" in text)
    complete_in(box, shell, "hero_proc check /tmp/files/on", lambda text: "/tmp/files/one.json" in text)


def test_while_the_server_is_away_or_hangs_there_is_silence_soon_and_nobody_is_called(box):
    box.stop_server()
    began = time.monotonic()
    done = box.run(["hero_proc", "--complete", "--", "why", ""])
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0) and time.monotonic() - began < 3
    assert box.unit_property(SERVER_UNIT, "ActiveState") == "inactive"
    box.start_server()
    box.run(["kill", "-STOP", str(box.main_pid(SERVER_UNIT))])
    began = time.monotonic()
    assert candidates(box, ["why", ""]) == []
    took = time.monotonic() - began
    box.run(["kill", "-CONT", str(box.main_pid(SERVER_UNIT))])
    assert took < 3, took
    assert candidates(box, ["sto"]) == ["stop"]  # for which nobody is asked
    box.wait_for(lambda: candidates(box, ["why", "d"]) == ["db", "down"], WITHIN_SECONDS, "it answers again")


def test_a_user_who_may_only_look_completes_as_well(box):
    assert candidates(box, ["why", "w"], user="hero") == ["web", "web-admin"]
