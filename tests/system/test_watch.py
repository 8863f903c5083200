# SPDX-License-Identifier: LGPL-2.1-or-later
"""watch shows what is, at once and in any terminal, asks nothing while nothing happens, and leaves no trace."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import time

from box import SERVER_UNIT
from house import probe, set_fault, sleeper, web_service
from terminal import Terminal

WITHIN_SECONDS = 15.0
LONG = "a_service_whose_name_is_as_long_as_any_name_may_ever_be_allowed"
NEVER = {"policy": "never"}


def prepare(box):
    web = web_service(box, "web", probe=probe("files", "/api/files"), on_unhealthy="report")
    box.apply(web, sleeper("db"), sleeper(LONG), sleeper("broken", exec="exit 3", restart=NEVER),
              sleeper("busy", exec="while :; do :; done"), sleeper("waits", ready="notify", start_timeout_ms=600000),
              sleeper("down", autostart=False))
    for name in ("web", "db", LONG, "busy"):
        box.wait_state(name, "running", WITHIN_SECONDS)
    box.wait_state("broken", "failed", WITHIN_SECONDS)


def row_of(text, name):
    """The one line about that service, "" for none."""
    found = [line for line in text.splitlines() if f" {name} " in f"{line} "]
    assert len(found) <= 1, (name, text)
    return found[0] if found else ""


def open_board(terminal, *words):
    terminal.enter(" ".join(["hero_proc", "watch", *words]))
    return terminal.wait(lambda text: "q quit" in text and " db " in text, WITHIN_SECONDS, "the board is there")


def close_board(terminal):
    terminal.press("q")
    terminal.wait(lambda text: "q quit" not in text, WITHIN_SECONDS, "the board is gone")


# -- what is seen --


def test_all_services_are_there_failed_first_with_counts(box):
    with Terminal(box) as terminal:
        text = open_board(terminal)
        lines = text.splitlines()
        states = box.states()
        assert lines[0].startswith(f"{len(states)} services: 1 failed, "), text
        assert len(re.findall("^.[●◐✗◌○?]", text, re.MULTILINE)) == len(states), text
        for name, state in states.items():
            if name != LONG:
                assert state in row_of(text, name), (name, state, text)
        assert "✗ failed     broken" in lines[2] and lines[-1].startswith("q quit"), text
        assert "process exited" in row_of(text, "broken"), text
        close_board(terminal)


def seconds_until_not_running(capture, name, pid):
    """In the box: kills the process, and looks at the screen until it says something else than running."""
    os.kill(pid, signal.SIGKILL)  # noqa: F821

    def is_seen():
        text = subprocess.run(capture, capture_output=True, text=True, check=True).stdout
        return any(f" {name} " in line and "running" not in line for line in text.splitlines())

    return seconds_until(is_seen, 10)  # noqa: F821


def test_a_killed_process_is_shown_within_a_second(box):
    box.apply(sleeper("victim", restart={"policy": "on-failure", "delay_ms": 3000}))
    box.wait_state("victim", "running", WITHIN_SECONDS)
    with Terminal(box) as terminal:
        open_board(terminal)
        took = box.agent.call(seconds_until_not_running, terminal.capture_command, "victim",
                              box.main_pid("hero-victim.service"))
        print(f"     shown after {took * 1000:.0f} ms")
        assert took < 3, took  # with room for a busy machine
        terminal.wait(lambda text: "running" in row_of(text, "victim"), WITHIN_SECONDS, "it runs again")
        close_board(terminal)
    box.hero("remove", "victim")


def test_services_come_and_go_on_the_board(box):
    with Terminal(box) as terminal:
        open_board(terminal)
        box.apply(sleeper("passing", description="x"))
        terminal.wait(lambda text: "running" in row_of(text, "passing"), WITHIN_SECONDS, "a new one is there")
        box.hero("remove", "passing")
        terminal.wait(lambda text: not row_of(text, "passing"), WITHIN_SECONDS, "it is gone again")
        close_board(terminal)


def test_when_the_server_is_away_nothing_is_green_and_its_return_is_noticed(box):
    with Terminal(box) as terminal:
        open_board(terminal)
        box.stop_server()
        text = terminal.wait(lambda t: "hero_proc_server is not running" in t.splitlines()[0], WITHIN_SECONDS,
                             "it says that the server is away")
        assert "running  " not in text and "? unknown    db" in text and "✗" not in text, text
        assert box.unit_property(SERVER_UNIT, "ActiveState") == "inactive"  # and it is not called back
        box.start_server()
        terminal.wait(lambda t: "running" in row_of(t, "db") and "failed" in row_of(t, "broken"), WITHIN_SECONDS,
                      "it knows again")
        box.kill_server()
        terminal.wait(lambda t: "running" in row_of(t, "db"), WITHIN_SECONDS, "also after a crash")
        box.systemctl("restart", "dbus.service")
        box.wait_for(lambda: box.hero("stop", "db", check=False).returncode == 0, WITHIN_SECONDS, "the server is back")
        terminal.wait(lambda t: "stopped" in row_of(t, "db"), 2 * WITHIN_SECONDS, "also over a restart of the bus")
        box.hero("start", "db")
        terminal.wait(lambda t: "running" in row_of(t, "db"), WITHIN_SECONDS, "all is as before")
        close_board(terminal)


def test_details_say_why_and_follow_what_happens(box):
    box.apply(web_service(box, "told", probe=probe("files", "/api/files"), on_unhealthy="report"))
    box.wait_state("told", "running", WITHIN_SECONDS)
    with Terminal(box) as terminal:
        open_board(terminal, "told", "db")
        terminal.press("Down", "Up", "End")
        terminal.press("Enter")
        text = terminal.wait(lambda t: "Why told" in t and "told is running" in t, WITHIN_SECONDS, "why it runs")
        assert "Rule:" in text and "q back" in text, text
        set_fault(box, "told", "close")
        terminal.wait(lambda t: "told is failed" in t and "files: empty reply" in t, WITHIN_SECONDS, "and why it does not")
        terminal.press("q")
        terminal.wait(lambda t: "q quit" in t and "failed" in row_of(t, "told"), WITHIN_SECONDS, "back in the list")
        close_board(terminal)
    box.hero("remove", "told")


def test_a_filter_and_patterns_choose_what_is_shown(box):
    with Terminal(box) as terminal:
        open_board(terminal)
        terminal.press("/")
        terminal.type("BROK")
        text = terminal.wait(lambda t: "/BROK_" in t and not row_of(t, "db"), WITHIN_SECONDS, "one of them matches")
        assert "7 services" in text and row_of(text, "broken"), text
        terminal.press("Enter")
        terminal.wait(lambda t: 'hold "BROK"' in t, WITHIN_SECONDS, "the filter stays")
        terminal.press("Escape")
        terminal.wait(lambda t: row_of(t, "db"), WITHIN_SECONDS, "all are shown again")
        close_board(terminal)
        text = open_board(terminal, "'d*'")
        assert "2 services: " in text and not row_of(text, "web"), text
        close_board(terminal)


def test_memory_and_processor_time_are_the_kernels(box):
    with Terminal(box, 100) as terminal:
        open_board(terminal)
        text = terminal.wait(lambda t: re.search(r"\d%", row_of(t, "busy")), WITHIN_SECONDS, "its share is known")
        shares = {name: float(re.search(r"([\d.]+)%", row_of(text, name)).group(1)) for name in ("busy", "db")}
        assert shares["busy"] > 1 > shares["db"], shares
        has_memory = box.run(["test", "-e", "/sys/fs/cgroup/hero.slice/hero-db.slice/memory.current"],
                             check=False).returncode == 0
        since, memory = row_of(text, "db").split()[3:5]
        assert bool(re.fullmatch(r"[\d.]+[BKMG]", memory)) == has_memory and (has_memory or memory == "-"), (since, memory)
        close_board(terminal)


# -- any terminal --


def test_no_line_wraps_at_80_columns_or_at_any_other_size(box):
    with Terminal(box) as terminal:
        open_board(terminal)
        for columns, rows in ((80, 24), (40, 8), (20, 3), (200, 50), (10, 1), (120, 5), (80, 24)):
            terminal.resize(columns, rows)
            first = "7 services"[:columns]
            text = terminal.wait(lambda t, f=first: t.startswith(f), WITHIN_SECONDS, f"it is drawn at {columns}x{rows}")
            if rows >= 12:
                text = terminal.wait(lambda t: "q quit" in t.splitlines()[-1], WITHIN_SECONDS, "to its last row")
                assert len(re.findall("^.[●◐✗◌○?]", text, re.MULTILINE)) == 7, text
            unwrapped = [line.rstrip() for line in terminal.screen("-J").splitlines()]
            assert len(unwrapped) == rows, (columns, rows, unwrapped)
            assert terminal.show("#{alternate_on} #{cursor_flag} #{wrap_flag}") == "1 0 0"
        close_board(terminal)


def test_a_list_longer_than_the_screen_is_scrolled(box):
    with Terminal(box, 80, 6) as terminal:
        terminal.enter("hero_proc watch")
        text = terminal.wait(lambda t: "1-3 of 7" in t, WITHIN_SECONDS, "the first three are shown")
        assert text.splitlines()[2].startswith(">✗ failed     broken"), text
        terminal.press("G")
        text = terminal.wait(lambda t: "5-7 of 7" in t, WITHIN_SECONDS, "the last three are shown")
        terminal.press("PPage", "PPage")
        terminal.wait(lambda t: "5-7 of 7" not in t, WITHIN_SECONDS, "up a page")
        terminal.press("g")
        terminal.wait(lambda t: "1-3 of 7" in t, WITHIN_SECONDS, "the first three again")
        close_board(terminal)


def settings(terminal):
    """What a program may leave behind: the screen, the cursor, the modes of terminal and line."""
    return terminal.show("#{alternate_on} #{cursor_flag} #{wrap_flag} #{keypad_flag} #{insert_flag} #{mouse_any_flag}")


def line_settings(box, terminal):
    return box.output("stty", "-a", "-F", terminal.show("#{pane_tty}"))


def test_the_terminal_is_as_before_however_the_board_ends(box):
    with Terminal(box) as terminal:
        terminal.enter("echo before the board")
        terminal.wait(lambda t: "\nbefore the board" in t, WITHIN_SECONDS, "something stands there")
        for ending in ("q", "C-c", "TERM", "HUP", "INT"):
            modes, line = settings(terminal), line_settings(box, terminal)
            open_board(terminal)
            assert settings(terminal) != modes and line_settings(box, terminal) != line
            if ending in ("q", "C-c"):
                terminal.press(ending)
            else:
                box.run(["pkill", f"-{ending}", "-x", "-f", "hero_proc watch"])
            text = terminal.wait(lambda t: "q quit" not in t and t.rstrip().endswith("$"), WITHIN_SECONDS,
                                 f"the shell is back after {ending}")
            assert "before the board" in text and "services:" not in text, (ending, text)
            assert (settings(terminal), line_settings(box, terminal)) == (modes, line), ending


def test_a_suspended_board_gives_the_terminal_back_and_goes_on(box):
    with Terminal(box) as terminal:
        modes = settings(terminal)
        open_board(terminal)
        terminal.press("C-z")
        text = terminal.wait(lambda t: "Stopped" in t and "q quit" not in t, WITHIN_SECONDS, "the shell is there")
        assert settings(terminal) == modes and "services:" not in text
        box.apply(sleeper("meanwhile"))
        box.wait_state("meanwhile", "running", WITHIN_SECONDS)
        terminal.enter("fg")
        terminal.wait(lambda t: "running" in row_of(t, "meanwhile"), WITHIN_SECONDS, "the board knows the news")
        box.hero("remove", "meanwhile")
        box.run(["pkill", "-STOP", "-x", "-f", "hero_proc watch"])  # which it cannot prepare for
        terminal.wait(lambda t: "Stopped" in t, WITHIN_SECONDS, "the shell is there, on whatever screen")
        terminal.enter("fg")
        terminal.wait(lambda t: "q quit" in t and row_of(t, "db") and not row_of(t, "meanwhile"), WITHIN_SECONDS,
                      "the board is drawn again")
        close_board(terminal)
        assert settings(terminal) == modes


# -- at what cost --


def messages_of(pid, seconds):
    """In the box: all messages on the bus that this process sends in that time, as [type, member]."""
    names = [row["name"] for row in json.loads(subprocess.run(
        ["busctl", "--json=short", "--unique", "list"], capture_output=True, text=True, check=True).stdout)
        if row["pid"] == pid]
    assert len(names) == 1, names
    seen = []
    with Signals(f"sender='{names[0]}'") as messages:  # noqa: F821
        deadline = time.monotonic() + seconds  # noqa: F821
        while (left := deadline - time.monotonic()) > 0:  # noqa: F821
            message = messages.next(left)
            if message:
                seen.append([message["type"], message.get("member")])
    return seen


def test_an_idle_board_sends_nothing_to_anybody(box):
    with Terminal(box) as terminal:
        open_board(terminal)
        pid = int(box.output("pgrep", "-x", "-f", "hero_proc watch"))
        before = terminal.screen()
        assert box.agent.call(messages_of, pid, 5) == []
        assert before != terminal.screen()  # its clock has moved on
        close_board(terminal)


# -- without a screen --


class Lines:
    """What `hero_proc watch` prints into a pipe; for `with`."""

    def __init__(self, box, *words):
        self._process = box.spawn(["hero_proc", "watch", *words], stdout=subprocess.PIPE, env={"LANG": "C.UTF-8"})
        os.set_blocking(self._process.stdout.fileno(), False)
        self._unread = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.set_blocking(self._process.stdout.fileno(), True)
        self._process.kill()
        self._process.wait()

    def until(self, is_last):
        """The lines up to the first one that is_last() likes."""
        lines, deadline = [], time.monotonic() + WITHIN_SECONDS
        while True:
            while "\n" in self._unread:
                line, self._unread = self._unread.split("\n", 1)
                lines.append(line)
                if is_last(line):
                    return lines
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self._process.stdout], [], [], left)[0], lines
            self._unread += os.read(self._process.stdout.fileno(), 65536).decode()


def test_without_a_terminal_each_change_is_a_line(box):
    with Lines(box, "db", "web") as watch:
        first = watch.until(lambda line: " web: " in line)
        assert [line.split("  ", 1)[1] for line in first] == ["● db: running", "● web: running"]
        box.hero("stop", "db")
        lines = watch.until(lambda line: "-> stopped" in line)
        assert lines[-1].endswith(" db: stopping -> stopped: stopped by an operator"), lines
        box.hero("stop", "busy")  # which is none of the two
        box.hero("start", "busy")
        box.hero("start", "db")
        lines = watch.until(lambda line: "-> running" in line)
        assert not any("busy" in line for line in lines), lines
        box.stop_server()
        watch.until(lambda line: line.endswith("? hero_proc_server is not running: nothing is known of its services"))
        box.start_server()
        lines = watch.until(lambda line: "web: " in line and "running" in line)
        assert "- hero_proc_server is back" in lines[0], lines


def test_as_json_each_change_is_an_object(box):
    with Lines(box, "--json=short") as watch:
        known = {}
        for line in watch.until(lambda line: '"web"' in line):
            event = json.loads(line)
            assert event["event"] == "service" and event["from"] is None, event
            known[event["name"]] = event["to"]
        assert known == box.states()
        box.apply(sleeper("passing"))
        watch.until(lambda line: '"passing"' in line and '"to":"running"' in line)
        box.hero("remove", "passing")
        gone = json.loads(watch.until(lambda line: '"removed"' in line)[-1])
        assert set(gone) == {"at_usec", "event", "name"} and gone["name"] == "passing"
        set_fault(box, "web", "close")
        failed = json.loads(watch.until(lambda line: '"web"' in line and '"to":"failed"' in line)[-1])
        assert failed["wanted"] == "up" and failed["since_usec"] > 0, failed
        assert failed["reasons"][0]["code"] == "probe-failed" and failed["reasons"][0]["subject"] == "files", failed
        set_fault(box, "web", "")
        box.wait_state("web", "running", WITHIN_SECONDS)
        box.stop_server()
        watch.until(lambda line: '"event":"server-gone"' in line)
        box.start_server()
        watch.until(lambda line: '"event":"server-back"' in line)
        back = json.loads(watch.until(lambda line: '"db"' in line)[-1])
        assert back["from"] == "unknown", back


# -- progress of other verbs --


def test_wait_shows_what_is_awaited_and_why_and_leaves_only_the_result(box):
    box.apply(sleeper("gate", ready="notify", autostart=False), sleeper("behind", requires=["gate"], autostart=False))
    with Terminal(box) as terminal:
        terminal.enter("hero_proc wait gate behind db; echo result=$?")
        text = terminal.wait(lambda t: "Waiting for running: 1 of 3" in t, WITHIN_SECONDS, "two are awaited")
        assert "○ gate: stopped" in text and "○ behind: stopped" in text, text
        box.hero("start", "--no-block", "gate")
        box.hero("start", "--no-block", "behind")
        text = terminal.wait(lambda t: "◌ behind: starting: " in t and "◌ gate: starting: " in t, WITHIN_SECONDS, "why")
        assert "gate" in [line for line in text.splitlines() if "◌ behind" in line][0].split("starting")[1], text
        box.stop_server()
        terminal.wait(lambda t: "? gate: unknown: hero_proc_server is not running" in t, WITHIN_SECONDS, "it is away")
        box.start_server()
        box.apply(sleeper("gate", autostart=False))
        text = terminal.wait(lambda t: "result=0" in t, WITHIN_SECONDS, "both have come")
        assert "Waiting" not in text and "◌" not in text, text
        terminal.enter("clear; hero_proc restart gate behind; echo result=$?")
        text = terminal.wait(lambda t: "result=0\n" in t, WITHIN_SECONDS, "restarted")
        assert "gate: running\nbehind: running\nresult=0\n" in text and "done" not in text, text
    box.hero("remove", "behind")
    box.hero("remove", "gate")
