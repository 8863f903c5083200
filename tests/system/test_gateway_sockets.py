# SPDX-License-Identifier: LGPL-2.1-or-later
"""The gateway's sockets: systemd holds them, and whoever connects is served, whatever happens to the gateway."""

from __future__ import annotations

import json

FOLDER = "/run/hero/hero_proc"
GATEWAY_UNIT = "hero_proc-gateway.service"
USER = "hero-proc-gateway"
WATCHDOG_SECONDS = 2


def prepare(box):
    box.run(["systemd-sysusers"])
    box.start_server()
    box.systemctl("start", "hero_proc-gateway.socket")


def is_well(box, socket="rpc.sock"):
    status, text = box.http(f"{FOLDER}/{socket}", "/health")
    return status == 200 and json.loads(text)["status"] == "ok"


def test_the_first_connection_starts_the_gateway_without_rights(box):
    box.wait_for(lambda: is_well(box), 10, "the gateway answers")
    pid = box.main_pid(GATEWAY_UNIT)
    status = dict(line.split(":", 1) for line in box.read_file(f"/proc/{pid}/status").splitlines() if ":" in line)
    assert "0" not in status["Uid"].split() and status["CapEff"].strip("\t0") == "" and status["NoNewPrivs"].strip() == "1"


def test_each_socket_has_its_face(box):
    for socket, protocol in (("rpc.sock", "openrpc"), ("ui.sock", "ui"), ("admin.sock", "ui")):
        status, text = box.http(f"{FOLDER}/{socket}", "/.well-known/heroservice.json")
        assert status == 200 and json.loads(text)["protocol"] == protocol
        assert is_well(box, socket)


def test_what_is_not_there_and_what_is_not_to_be_had_is_said(box):
    for socket in ("rpc.sock", "ui.sock"):
        assert box.http(f"{FOLDER}/{socket}", "/nothing")[0] == 404
        assert box.http(f"{FOLDER}/{socket}", "/health", "DELETE")[0] == 405
    assert box.http(f"{FOLDER}/ui.sock", "/rpc", "POST", "{}")[0] == 404


def test_a_killed_gateway_loses_no_connection(box):
    def kill_and_ask(pid):
        # pylint: disable=undefined-variable
        os.kill(pid, signal.SIGKILL)  # noqa: F821
        return http_request("/run/hero/hero_proc/rpc.sock", "/.well-known/heroservice.json", timeout=10)  # noqa: F821

    for _ in range(3):
        pid = box.main_pid(GATEWAY_UNIT)
        assert box.agent.call(kill_and_ask, pid)[0] == 200
        assert box.main_pid(GATEWAY_UNIT) != pid


def test_a_user_has_a_gateway_of_his_own(box):
    box.start_server("hero")
    box.systemctl("start", "hero_proc-gateway.socket", user="hero")
    folder = box.output("sh", "-c", "echo $XDG_RUNTIME_DIR", user="hero") + "/hero/hero_proc"
    box.wait_for(lambda: box.agent_of("hero").call("http_request", f"{folder}/rpc.sock", "/health")[0] == 200, 10,
                 "the user's gateway answers")
    done = box.run(["/usr/libexec/hero_proc/hero_proc_gateway"], check=False)
    assert done.returncode == 1 and "must not run as root" in done.stderr


def give_it_tcp(box, address):
    box.write_file("/etc/systemd/system/hero_proc-gateway.socket.d/tcp.conf", f"[Socket]\nListenStream={address}\n")
    box.systemctl("daemon-reload")
    box.systemctl("stop", GATEWAY_UNIT, "hero_proc-gateway.socket")
    box.systemctl("reset-failed", GATEWAY_UNIT, check=False)
    box.systemctl("start", "hero_proc-gateway.socket")


def test_a_drop_in_gives_browsers_a_port_that_only_looks(box):
    give_it_tcp(box, "127.0.0.1:9987")
    box.wait_for(lambda: box.http(9987, "/health")[0] == 200, 10, "the port answers")
    assert box.http(9987, "/rpc", "POST", "{}")[0] == 404, "it is the face for people"
    status, text = box.agent.call("http_request", 9987, "/health", "GET", None, {"Host": "evil.example"})
    assert status == 403 and "Host" in text
    assert box.http(f"{FOLDER}/rpc.sock", "/health")[0] == 200


def is_well_once_started(box) -> bool:
    """A fast machine starts a gateway that refuses twenty times in two seconds for the one connection that waits. That is
    systemd's limit, and for the rest of the two seconds it lets the socket fail at its next connection as well."""
    box.systemctl("start", "hero_proc-gateway.socket", check=False)
    return is_well(box)


def test_a_port_that_others_can_reach_is_refused(box):
    give_it_tcp(box, "0.0.0.0:9987")
    assert box.http(9987, "/health", timeout=2)[0] is None
    box.wait_for(lambda: "a TCP socket that others can reach" in box.journal(GATEWAY_UNIT), 10, "it says why")
    box.run(["rm", "/etc/systemd/system/hero_proc-gateway.socket.d/tcp.conf"])
    box.systemctl("daemon-reload")
    box.systemctl("stop", GATEWAY_UNIT, "hero_proc-gateway.socket")
    box.wait_for(lambda: is_well_once_started(box), 10, "without it all is well again")


def last_fed_usec(box):
    """When systemd was last told that the gateway lives."""
    return int(box.unit_property(GATEWAY_UNIT, "WatchdogTimestampMonotonic"))


def test_without_a_descriptor_left_the_gateway_says_that_it_lives(box):
    """It would be ended for it, and everybody who waits for an answer hung up on."""
    drop_in = f"/run/systemd/system/{GATEWAY_UNIT}.d/watchdog.conf"
    box.write_file(drop_in, f"[Service]\nWatchdogSec={WATCHDOG_SECONDS}\n")
    box.systemctl("daemon-reload")
    box.systemctl("restart", GATEWAY_UNIT)
    box.wait_for(lambda: is_well(box), 10, "the gateway answers")
    pid = box.main_pid(GATEWAY_UNIT)
    try:
        box.run(["prlimit", f"--pid={pid}", "--nofile=3:"], user=USER)
        limited_usec = last_fed_usec(box)
        box.wait_for(lambda: last_fed_usec(box) > limited_usec + 2e6 * WATCHDOG_SECONDS, 5 * WATCHDOG_SECONDS,
                     "it is fed for longer than systemd is patient")
        assert box.main_pid(GATEWAY_UNIT) == pid
        box.run(["prlimit", f"--pid={pid}", "--nofile=1024:"], user=USER)
        assert is_well(box) and box.main_pid(GATEWAY_UNIT) == pid
    finally:
        box.run(["rm", drop_in])
        box.systemctl("daemon-reload")
        box.systemctl("restart", GATEWAY_UNIT)
