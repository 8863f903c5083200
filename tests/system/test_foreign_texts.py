# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whatever services say of themselves: each can be told of, and none keeps the others from being told of."""

from __future__ import annotations

from house import probe, set_fault, web_service

WITHIN_SECONDS = 15.0
OBJECT = "/org/hero/Proc1/service/"
BEGINNING = "talker: not ready yet (notify): "
ALL_OBJECTS = ("org.hero.Proc1", "/org/hero/Proc1", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")

# Never says ready: what it says of itself is a reason until then.
TALKER = """#!/usr/bin/python3
import os, signal, socket, sys
address = os.environ["NOTIFY_SOCKET"].replace("@", "\\0")
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"STATUS=" + os.fsencode(sys.argv[1]), address)
while True:
    signal.pause()
"""


def prepare(box):
    box.write_file("/usr/local/bin/talker", TALKER, mode=0o755)


def reasons_told(command: list[str], paths: list[str], beginning: str, seconds: float) -> dict[str, str]:
    """For the agent: of each object the reason of that beginning, as PropertiesChanged has told it since the command."""
    told: dict[str, str] = {}
    with Signals("type='signal',sender='org.hero.Proc1',member='PropertiesChanged'") as signals:  # noqa: F821
        subprocess.run(command, check=True)  # noqa: F821
        deadline = time.monotonic() + seconds  # noqa: F821
        while not set(paths) <= set(told) and (message := signals.next(deadline - time.monotonic())):  # noqa: F821
            reasons = message["payload"]["data"][1].get("Reasons", {"data": []})["data"]
            told.update({message["path"]: reason[2] for reason in reasons if reason[2].startswith(beginning)})
    return told


def first_lines(command: list[str], n: int, seconds: float) -> list[str]:
    """For the agent: what a command that does not end says first."""
    said = b""
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "LANG": "C.UTF-8"}) as running:  # noqa: F821
        deadline = time.monotonic() + seconds  # noqa: F821
        while said.count(b"\n") < n and select.select([running.stdout], [], [],  # noqa: F821
                                                      max(deadline - time.monotonic(), 0))[0]:  # noqa: F821
            said += os.read(running.stdout.fileno(), 65536)  # noqa: F821
        running.kill()
    return said.decode().splitlines()


def talker(name: str, text: str) -> dict:
    """What it says is told anew when the process beside it is another one."""
    says = {"exec": ["/usr/local/bin/talker", text], "ready": "notify", "start_timeout_ms": 600000}
    return {"name": name, "actions": {"talker": says, "beside": {"exec": ["/bin/sleep", "infinity"]}}}


def test_a_status_that_is_cut_anywhere_is_told_to_everybody(box):
    texts = {f"t{len(c.encode())}{offset}": "x" * offset + c * 100 for c in "ü€😀" for offset in range(len(c.encode()))}
    box.apply(*(talker(name, text) for name, text in texts.items()))
    for name, text in texts.items():
        unit = f"hero-{name}@talker.service"
        box.wait_for(lambda u=unit, t=text: box.unit_property(u, "StatusText") == t, WITHIN_SECONDS, f"{name} has spoken")
    restart = ["systemctl", "restart", *(f"hero-{name}@beside.service" for name in texts)]
    told = box.agent.call(reasons_told, restart, [OBJECT + name for name in texts], BEGINNING, WITHIN_SECONDS)
    assert set(told) == {OBJECT + name for name in texts}, told
    for name, text in texts.items():
        reason = told[OBJECT + name]
        assert reason.endswith("…") and text.startswith(reason.removeprefix(BEGINNING)[:-1]), reason
        box.wait_for(lambda n=name: box.hero_json("status", n)[0]["state"] == "starting", WITHIN_SECONDS, "as before")
        assert box.hero_json("status", name)[0]["reasons"][0]["text"] == reason
    objects = box.agent.call("call_bus", *ALL_OBJECTS)[0]
    assert set(told) <= set(objects), objects
    rows = {OBJECT + row["name"]: row["reasons"][0]["text"] for row in box.hero_json("list")}
    assert rows == told
    lines = box.agent.call(first_lines, ["hero_proc", "watch"], len(texts), WITHIN_SECONDS)
    assert all(any(f" {name}: starting: {told[OBJECT + name]}" in line for line in lines) for name in texts), lines
    box.hero("remove", *texts)


def damage_verdicts() -> int:
    """For the agent: what the database holds of answers that were no good is no text any more. How many there are."""
    import sqlite3  # pylint: disable=import-outside-toplevel
    connection = sqlite3.connect("/var/lib/hero_proc/hero_proc.db")
    with connection:
        n = connection.execute("UPDATE verdict SET error = CAST(X'ff41' AS TEXT)").rowcount
    connection.close()
    return n


def test_a_damaged_database_keeps_nobody_from_being_told_of(box):
    """The probe does not answer, so that what is remembered of it stands."""
    box.apply(web_service(box, "web", probe=probe("files", "/api/files", timeout_ms=600000), on_unhealthy="report"))
    box.wait_state("web", "running", WITHIN_SECONDS)
    set_fault(box, "web", "hang")
    box.stop_server()
    assert box.agent.call(damage_verdicts) == 1
    box.start_server()

    def remembered() -> str:
        service = box.agent.call("call_bus", *ALL_OBJECTS)[0][OBJECT + "web"]["org.hero.Proc1.Service"]
        return service["Probes"]["data"][0][3]

    box.wait_for(lambda: remembered() == "?A", WITHIN_SECONDS, "it is remembered as far as it can be told")
    box.hero("remove", "web")
