# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long it takes to start many services, and what their supervisors take of memory."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from box import SERVER_UNIT
from peers import PEERS, START_TIMEOUT, Peer

if TYPE_CHECKING:
    from bench import Bench


def assert_same_structure(bench: Bench, hero: dict[str, str], floor: dict[str, str]) -> None:
    """The floor is one only if it makes the units that hero_proc makes."""
    differing = {key: (hero.get(key), floor.get(key)) for key in {*hero, *floor} if hero.get(key) != floor.get(key)}
    assert not differing, f"the floor's units differ from hero_proc's: {differing}"
    bench.say(f"{len(hero)} properties of a unit of the floor are those of hero_proc's")


def processes(bench: Bench, peer: Peer) -> dict[str, int]:
    """Who works for a start by systemd: its processor time is the same on a busy machine and on a quiet one."""
    units = {"bus": "dbus.service", "journal": "systemd-journald.service"}
    if peer.name == "hero_proc":
        units["server"] = SERVER_UNIT
    return {"systemd": 1, **{who: bench.box.main_pid(unit) for who, unit in units.items()}}


def start_one(bench: Bench, peer: Peer, n: int) -> None:
    """Starts, waits until nothing is left to do, and notes what it took. hero_proc's server would hear of all units, so it
    is there for its own only."""
    (bench.box.start_server if peer.name == "hero_proc" else bench.box.stop_server)()
    pids = processes(bench, peer)
    before = bench.inside("cpu_of_each", pids)
    seconds = peer.start(n)
    bench.inside("await_announced", n, 60.0, timeout=70)
    if peer.name == "hero_proc":
        bench.inside("await_rows", n, "running", START_TIMEOUT, timeout=START_TIMEOUT + 60)
    bench.figures.add("start", peer.name, n, seconds)
    bench.say(f"{peer.name} has started {n} in {seconds:.3f} s")
    if peer.prefix:
        used = {who: seconds - before[who] for who, seconds in bench.inside("cpu_of_each", pids).items()}
        for who, seconds in {**used, "all of it": sum(used.values())}.items():
            bench.figures.add("start_cpu", f"{peer.name}: {who}", n, seconds)


def note_memory(bench: Bench, peer: Peer, n: int) -> None:
    if peer.name == "hero_proc":
        add_memory(bench, n, {"hero_proc, just started": peer.pids()})
        bench.await_returned(time.monotonic())
        add_memory(bench, n, {"hero_proc, no probes": peer.pids(), "systemd, of hero_proc's units": [1]})
    elif peer.name != "floor":
        add_memory(bench, n, {peer.name: peer.pids()})


def add_memory(bench: Bench, n: int, owners: dict[str, list[int]]) -> None:
    for who, pids in owners.items():
        for what, value in bench.inside("memory_of", pids, timeout=120).items():
            bench.figures.add(what, who, n, value)


def measure(bench: Bench) -> None:
    for n in bench.options.sizes_started:
        made: dict[str, dict[str, str]] = {}
        for i in range(bench.options.repetitions_started(n)):
            order = list(PEERS)
            bench.random.shuffle(order)
            for peer in (kind(bench) for kind in order):
                start_one(bench, peer, n)
                if i == 0:
                    note_memory(bench, peer, n)
                if peer.prefix and peer.name not in made:
                    made[peer.name] = bench.inside("unit_properties", f"{peer.prefix}-s0001.service", peer.prefix)
                peer.stop()
                bench.inside("await_announced", 0, 120.0, timeout=130)
        assert_same_structure(bench, made["hero_proc"], made["floor"])
