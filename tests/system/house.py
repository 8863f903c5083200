# SPDX-License-Identifier: LGPL-2.1-or-later
"""Services to supervise, and what systemd and the kernel say of all of them at once: never hero_proc's own word."""

from __future__ import annotations

from typing import Any, Sequence

from box import SERVER_UNIT, Box

LOGS = "/srv"  # signal logs and faults of the services


def web_action(box: Box, service: str, socket: str = "rpc.sock", *, ready: str = "notify",
               faults: bool = True, options: Sequence[str] = (), **fields: Any) -> dict[str, Any]:
    """An action that serves HTTP on a socket of its own, and notes each signal that it gets.

    To listen for faults takes an inotify instance, of which a user has 128 on the whole machine, sandboxes or not.
    """
    instance = f"{LOGS}/{service}.{socket}"
    command = [box.fixture("herodemo_server"), "--name", service, "--socket", f"/run/hero/{service}/{socket}",
               "--signal-log", f"{instance}.signals"]
    command += ["--faults", f"{instance}.faults", "--fresh-faults"] if faults else []
    command += ["--ready", ready] if ready != "exec" else []
    return {"exec": [*command, *options], "ready": ready, "sockets": [socket], **fields}


def web_service(box: Box, name: str, *, ready: str = "notify", faults: bool = True,
                options: Sequence[str] = (), **fields: Any) -> dict[str, Any]:
    """A service of one such action, its API probed twice a second unless other probes are given."""
    probes = {} if "probe" in fields else {"probes": [probe("files", "/api/files")]}
    return {"name": name, **web_action(box, name, ready=ready, faults=faults, options=options), **probes, **fields}


def probe(name: str, path: str, socket: str = "rpc.sock", **fields: Any) -> dict[str, Any]:
    return {"name": name, "socket": socket, "path": path, "interval_ms": 500, "timeout_ms": 1000, **fields}


def sleeper(name: str, **fields: Any) -> dict[str, Any]:
    """The least that can be supervised."""
    return {"name": name, "exec": ["/bin/sleep", "infinity"], **fields}


def set_fault(box: Box, service: str, fault: str, socket: str = "rpc.sock") -> None:
    box.write_file(f"{LOGS}/{service}.{socket}.faults", f"{fault}\n")


def signals_seen(box: Box) -> str:
    """The lines that services wrote about signals since forget_signals()."""
    return box.output("sh", "-c", f"cat {LOGS}/*.signals 2>/dev/null || :")


def forget_signals(box: Box) -> None:
    box.run(["sh", "-c", f"for f in {LOGS}/*.signals; do [ -e \"$f\" ] && : >\"$f\"; done; :"])


def units(box: Box, pattern: str = "hero-*") -> dict[str, dict[str, Any]]:
    """Each loaded unit of that pattern: what systemd says, and as `pids` what the kernel has in its cgroup."""
    return box.agent.call(_units, pattern)


def _units(pattern: str) -> dict[str, dict[str, Any]]:
    # pylint: disable=undefined-variable
    wanted = "Id,LoadState,ActiveState,SubState,Result,MainPID,InvocationID,NRestarts,Job,ControlGroup"
    text = subprocess.run(["systemctl", "show", "--all", f"--property={wanted}", pattern],  # noqa: F821
                          capture_output=True, text=True, check=True).stdout
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in text.split("\n\n") if block.strip()]
    for unit in blocks:
        group = unit.pop("ControlGroup")
        unit["pids"] = processes_in_cgroup(group) if group else []  # noqa: F821
    return {unit["Id"]: unit for unit in blocks}


def lives(box: Box, pattern: str = "hero-*") -> dict[str, tuple[str, int, str]]:
    """What must not change when nobody touches a service: how it is, its PID, its InvocationID."""
    return {name: (unit["ActiveState"], int(unit["MainPID"]), unit["InvocationID"])
            for name, unit in units(box, pattern).items() if name.endswith(".service")}


def reboot_on_paper(box: Box, *services: str) -> None:
    """Between two servers: all is as a reboot leaves it. The store is of another boot, and the services have no units."""
    box.agent.call(_store_another_boot)
    box.systemctl("stop", *(f"hero-{service}.slice" for service in services))


def _store_another_boot() -> None:
    # pylint: disable=import-outside-toplevel
    import sqlite3
    store = sqlite3.connect("/var/lib/hero_proc/hero_proc.db")
    with store:
        assert store.execute("UPDATE setting SET value = 'another' WHERE key = 'boot-id'").rowcount == 1
    store.close()


def everything(box: Box) -> dict[str, Any]:
    """What a call that changes nothing leaves as it was: the database, the units and their processes, the server."""
    return {"store": box.agent.call(_stored), "units": units(box), "server": box.main_pid(SERVER_UNIT),
            "seen": [(row["name"], row["state"]) for row in box.hero_json("list")]}


def _stored() -> list[dict[str, Any]]:
    """What the database holds of definitions and wishes; a copy, since its owner lets nobody else in.

    That something has ended is written a moment later than the rest: it is waited for, or the same house would look
    different twice.
    """
    # pylint: disable=undefined-variable, import-outside-toplevel
    import shutil
    import sqlite3
    import tempfile

    def read() -> list[dict[str, Any]]:
        with tempfile.TemporaryDirectory() as folder:
            for file in Path("/var/lib/hero_proc").glob("hero_proc.db*"):  # noqa: F821
                shutil.copy(file, folder)
            connection = sqlite3.connect(f"{folder}/hero_proc.db")
            connection.row_factory = sqlite3.Row
            rows = connection.execute("SELECT * FROM service ORDER BY name").fetchall()
            connection.close()
        return [dict(row) for row in rows]

    deadline = time.monotonic() + 2  # noqa: F821
    while True:
        rows = read()
        if all(row["intention"] == "none" for row in rows) or time.monotonic() > deadline:  # noqa: F821
            return rows
        time.sleep(0.02)  # noqa: F821


def stop_all(box: Box) -> None:
    """Forgets every service, so that the next test begins with an empty house."""
    box.agent.call("call_bus", "org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager", "ApplyDefinitions",
                   "ast", 0, 8)
    Box.wait_for(lambda: not units(box), 20, "no unit is left")
