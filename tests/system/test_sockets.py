# SPDX-License-Identifier: LGPL-2.1-or-later
"""A socket is alive when its path leads to a listener of the service. What is dead is cleaned, and nothing else is."""

from __future__ import annotations

from statistics import median

from box import SERVER_UNIT
from herodemo import reasons, service, set_faults, socket_path, states_of_the_next_server, status

NOTICED = 0.1  # seconds


def prepare(box):
    box.start_server()


def break_and_watch(name: str, action: str, path: str, fault: str) -> dict:
    """For the agent: the first state shown after the connections to a socket began to be refused."""
    with StateChanges(name) as changes:  # noqa: F821
        if action == "delete":
            os.unlink(path)  # noqa: F821
            began = time.monotonic()  # noqa: F821
        else:
            Path(f"/run/{name}.faults").write_text(fault)  # noqa: F821
            connected = 0
            while connected == 0:
                began = time.monotonic()  # noqa: F821
                with socket.socket(socket.AF_UNIX) as client:  # noqa: F821
                    connected = client.connect_ex(path)
        change = changes.next_change(5)
    assert change, "no change was seen"
    return {**change, "after": change["at"] - began}


def break_five_times(box, name: str, action: str, fault: str = "") -> list[dict]:
    seen = []
    for _ in range(5):
        box.wait_state(name, "running", 5)
        pid = box.main_pid(f"hero-{name}.service")
        seen.append(box.agent.call(break_and_watch, name, action, socket_path(name), fault))
        assert box.main_pid(f"hero-{name}.service") == pid, "the process lives on"
        said = reasons(box, name)
        set_faults(box, name)
        box.hero("restart", name)
        seen[-1]["said"] = said
    return seen


def test_a_closed_listener_shows_in_100_ms_although_its_file_is_there(box):
    """The median of five here and below: the machine of the test may be busy for a moment."""
    box.apply(service(box, "closes"))
    seen = break_five_times(box, "closes", "close", "close-listener rpc.sock\n")
    assert median(change["after"] for change in seen) <= NOTICED, [change["after"] for change in seen]
    for change in seen:
        assert (change["new"], change["reason"]) == ("failed", "socket-no-listener"), change
        assert change["said"][0] == ("socket-no-listener", socket_path("closes"),
                                     "rpc.sock: the file is there, nobody listens")


def test_a_deleted_socket_file_shows_in_100_ms_although_its_listener_lives(box):
    box.apply(service(box, "deleted"))
    seen = break_five_times(box, "deleted", "delete")
    assert median(change["after"] for change in seen) <= NOTICED, [change["after"] for change in seen]
    for change in seen:
        assert (change["new"], change["reason"]) == ("failed", "socket-unlinked"), change
        assert change["said"][0][:2] == ("socket-unlinked", socket_path("deleted"))


def test_a_socket_moved_out_of_its_place_shows_and_its_return_too(box):
    box.apply(service(box, "moved"))
    box.wait_state("moved", "running", 5)
    path = socket_path("moved")
    box.run(["mv", path, path + ".away"])
    box.wait_state("moved", "failed", 2)
    assert reasons(box, "moved")[0][0] == "socket-unlinked"
    box.run(["mv", path + ".away", path])
    box.wait_state("moved", "running", 2)
    assert box.http(path, "/health")[0] == 200


def test_a_stale_socket_file_is_cleaned_before_a_start(box):
    """The fixture does not remove what is in its way: without the cleaning it cannot start."""
    path = socket_path("cleaned")
    box.run(["mkdir", "-p", "/run/hero/cleaned"])
    box.agent.call(leave_dead_socket, path)
    dead = box.output("stat", "-c", "%i", path)
    box.apply(service(box, "cleaned"))
    box.wait_state("cleaned", "running", 5)
    assert box.http(path, "/health")[0] == 200
    assert box.output("stat", "-c", "%i", path) != dead


def leave_dead_socket(path: str) -> None:
    """For the agent."""
    with socket.socket(socket.AF_UNIX) as listener:  # noqa: F821
        listener.bind(path)
        listener.listen()


def test_dead_socket_files_are_removed_after_a_stop(box):
    box.apply(service(box, "stops", "--leave-sockets"))
    box.wait_state("stops", "running", 5)
    path = socket_path("stops")
    assert box.run(["test", "-S", path], check=False).returncode == 0
    box.hero("stop", "stops")
    box.wait_for(lambda: box.run(["test", "-e", path], check=False).returncode != 0, 2, "the file is gone")
    assert box.states()["stops"] == "stopped"


def test_a_stranger_on_the_socket_keeps_it_and_is_named(box):
    """The stranger is a unit of its own, in the socket's place before the service starts."""
    path = socket_path("stranger")
    box.run(["mkdir", "-p", "/run/hero/stranger"])
    box.run(["systemd-run", "--quiet", "--unit=intruder", "-p", "Type=notify", "-p", "NotifyAccess=all",
             box.fixture("herodemo_server"), "--socket", path, "--ready", "notify"])
    pid = box.main_pid("intruder.service")
    inode = box.output("stat", "-c", "%i", path)

    box.apply(service(box, "stranger", restart={"policy": "never"}), check=False)
    box.wait_state("stranger", "failed", 5)
    assert box.unit_property("hero-stranger.service", "ExecMainStatus") == "98"  # the fixture's "address in use"
    assert box.output("stat", "-c", "%i", path) == inode
    assert box.http(path, "/health")[0] == 200 and box.main_pid("intruder.service") == pid
    said = {code: text for code, _, text in reasons(box, "stranger")}
    assert "process-died" in said and said["socket-foreign"] == f"rpc.sock: held by PID {pid} (herodemo_server) of intruder.service"

    box.systemctl("stop", "intruder.service")
    box.hero("start", "stranger")
    assert box.states()["stranger"] == "running" and box.http(path, "/health")[0] == 200


def test_a_socket_taken_over_by_a_stranger_while_the_service_runs_is_failed(box):
    box.apply(service(box, "taken"))
    box.wait_state("taken", "running", 5)
    path = socket_path("taken")
    box.run(["systemd-run", "--quiet", "--unit=taker", "-p", "Type=notify", "-p", "NotifyAccess=all",
             box.fixture("herodemo_server"), "--socket", path, "--unlink-first", "--ready", "notify"])
    box.wait_for(lambda: [reason[:2] for reason in reasons(box, "taken")] == [("socket-foreign", path)], 3, "it shows")
    assert box.states()["taken"] == "failed"
    seen = status(box, "taken")["sockets"][0]
    assert (seen["state"], seen["listener_pid"]) == ("foreign", box.main_pid("taker.service"))
    assert seen["listener_unit"] == "taker.service"
    box.hero("stop", "taken")
    assert box.http(path, "/health")[0] == 200, "the stop of a service takes nothing from others"
    box.systemctl("stop", "taker.service")


def test_what_is_not_a_socket_is_neither_removed_nor_followed(box):
    target = "/run/precious.sock"
    box.agent.call(leave_dead_socket, target)
    for name, make in (("file", "echo precious >$0"), ("link", f"ln -s {target} $0")):
        path = socket_path(f"not-{name}")
        box.run(["mkdir", "-p", f"/run/hero/not-{name}"])
        box.run(["sh", "-c", make, path])
        before = box.output("stat", "-c", "%i %F %s", path)
        box.apply(service(box, f"not-{name}", restart={"policy": "never"}), check=False)
        box.wait_state(f"not-{name}", "failed", 5)
        box.hero("stop", f"not-{name}", check=False)
        box.hero("start", f"not-{name}", check=False)
        box.hero("remove", f"not-{name}")
        assert box.output("stat", "-c", "%i %F %s", path) == before
    assert box.run(["test", "-S", target], check=False).returncode == 0




def knock(path: str) -> str:
    """For the agent: a client that comes and goes, and stays in the queue of a server that does not accept."""
    import errno  # pylint: disable=import-outside-toplevel
    with socket.socket(socket.AF_UNIX) as client:  # noqa: F821
        client.setblocking(False)
        return "full" if client.connect_ex(path) == errno.EAGAIN else "accepted"


def test_a_server_that_accepts_nothing_any_more_is_failed(box):
    box.apply(service(box, "frozen", "--backlog", "3"))
    box.wait_state("frozen", "running", 5)
    path = socket_path("frozen")
    set_faults(box, "frozen", "freeze")
    box.wait_for(lambda: box.agent.call(knock, path) == "full", 5, "its queue is full")
    box.wait_state("frozen", "failed", 5)
    code, subject, text = reasons(box, "frozen")[0]
    assert (code, subject) == ("socket-not-accepting", path) and "connections wait" in text
    assert box.unit_property("hero-frozen.service", "ActiveState") == "active"
    set_faults(box, "frozen")
    box.wait_for(lambda: box.http(path, "/health")[0] == 200, 5, "it thaws")
    box.wait_state("frozen", "running", 5)


def test_the_next_server_does_not_call_running_whose_queue_it_finds_full(box):
    box.apply(service(box, "full", "--backlog", "2", start_timeout_ms=1000))
    box.wait_state("full", "running", 5)
    set_faults(box, "full", "freeze")
    box.wait_for(lambda: box.agent.call(knock, socket_path("full")) == "full", 5, "its queue is full")
    box.wait_state("full", "failed", 5)
    assert box.agent.call(states_of_the_next_server, "full", box.main_pid(SERVER_UNIT)) == ["unknown", "failed"]
    set_faults(box, "full")
    box.wait_state("full", "running", 5)


def changes_past_a_pause(name: str, path: str, server: int, seconds: float) -> list[list[str]]:
    """For the agent: what is told until it is failed, of a service that freezes while the server is stopped, and whose queue is
    full from then on."""
    import errno  # pylint: disable=import-outside-toplevel

    def is_full() -> bool:
        with socket.socket(socket.AF_UNIX) as client:  # noqa: F821
            client.setblocking(False)
            return client.connect_ex(path) == errno.EAGAIN

    with StateChanges(name) as changes:  # noqa: F821
        os.kill(server, signal.SIGSTOP)  # noqa: F821
        try:
            Path(f"/run/{name}.faults").write_text("freeze\n")  # noqa: F821
            assert seconds_until(is_full, 5) is not None  # noqa: F821
            time.sleep(seconds)  # noqa: F821  (the span is what is tested)
        finally:
            os.kill(server, signal.SIGCONT)  # noqa: F821
        return [[change["old"], change["new"]] for change in changes.until("failed", 5)]


def test_a_server_that_was_stopped_does_not_call_running_whose_queue_it_finds_full(box):
    box.apply(service(box, "glutted", "--backlog", "2"))
    box.wait_state("glutted", "running", 5)
    told = box.agent.call(changes_past_a_pause, "glutted", socket_path("glutted"), box.main_pid(SERVER_UNIT), 2.0)
    assert [new for _, new in told] in (["unknown", "failed"], ["failed"]), told
    set_faults(box, "glutted")
    box.wait_state("glutted", "running", 5)


def let_a_stranger_come_and_go(name: str, path: str) -> list[dict]:
    """For the agent: another listener takes the path, and closes again; what is shown until half a second after that."""
    with StateChanges(name) as changes:  # noqa: F821
        with socket.socket(socket.AF_UNIX) as stranger:  # noqa: F821
            stranger.bind(path + ".new")
            stranger.listen()
            os.rename(path + ".new", path)  # noqa: F821
            seen = changes.until("failed", 5)
        while (change := changes.next_change(0.5)) is not None:
            seen.append(change)
    return seen


def test_a_stranger_that_leaves_a_socket_leaves_it_dead(box):
    box.apply(service(box, "visited"))
    box.wait_state("visited", "running", 5)
    seen = box.agent.call(let_a_stranger_come_and_go, "visited", socket_path("visited"))
    assert seen[0]["reason"] == "socket-foreign", seen
    assert all(change["new"] != "running" for change in seen), seen
    assert status(box, "visited")["state"] == "failed"


def ask_while_stopped(name: str, path: str, server: int) -> list[str]:
    """For the agent: a socket dies while the server is stopped, and is asked for; the first states that it answers with."""
    # pylint: disable=undefined-variable
    os.kill(server, signal.SIGSTOP)  # noqa: F821
    try:
        Path(f"/run/{name}.faults").write_text("close-listener rpc.sock\n")  # noqa: F821
        assert seconds_until(lambda: http_request(path)[0] is None, 5) is not None  # noqa: F821
        time.sleep(1)  # noqa: F821  (what is a second old is no longer news)
        asked = [subprocess.Popen(["busctl", "--json=short", "call", "org.hero.Proc1", "/org/hero/Proc1",  # noqa: F821
                                   "org.hero.Proc1.Manager", "ListServices"], stdout=subprocess.PIPE)  # noqa: F821
                 for _ in range(4)]
        time.sleep(0.5)  # noqa: F821  (for them to be under way; no event tells)
    finally:
        os.kill(server, signal.SIGCONT)  # noqa: F821
    rows = [json.loads(call.communicate()[0])["data"][0] for call in asked]  # noqa: F821
    return [row[1] for answer in rows for row in answer if row[0] == name]


def test_a_server_that_was_stopped_looks_before_it_answers(box):
    box.apply(service(box, "unwatched"))
    for _ in range(4):  # whether the question or the clock comes first is chance
        box.wait_state("unwatched", "running", 5)
        states = box.agent.call(ask_while_stopped, "unwatched", socket_path("unwatched"), box.main_pid("hero_proc.service"))
        assert len(states) == 4 and set(states) <= {"failed", "unknown"}, states
        box.wait_state("unwatched", "failed", 5)
        set_faults(box, "unwatched")
        box.hero("restart", "unwatched")
