# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long it takes to start many services, and what their supervisors take of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peers import PEERS

if TYPE_CHECKING:
    from bench import Bench

READ = ("rss_anon", "rss", "pss", "fds")


def assert_same_structure(bench: Bench, hero: dict[str, str], floor: dict[str, str]) -> None:
    """The floor is one only if it makes the units that hero_proc makes."""
    differing = {key: (hero.get(key), floor.get(key)) for key in {*hero, *floor} if hero.get(key) != floor.get(key)}
    assert not differing, f"the floor's units differ from hero_proc's: {differing}"
    bench.say(f"{len(hero)} properties of a unit of the floor are those of hero_proc's")


def measure(bench: Bench) -> None:
    for n in bench.options.sizes_started:
        made: dict[str, dict[str, str]] = {}
        for i in range(bench.options.repetitions_started(n)):
            order = list(PEERS)
            bench.random.shuffle(order)
            for peer in (kind(bench) for kind in order):
                seconds = peer.start(n)
                bench.inside("await_announced", n, 30.0)
                bench.figures.add("start", peer.name, n, seconds)
                bench.say(f"{peer.name} has started {n} in {seconds:.3f} s")
                if i == 0 and peer.shows_memory:
                    used = bench.inside("memory_of", peer.pids(), timeout=120)
                    for what in READ:
                        bench.figures.add(what, peer.name, n, used[what])
                if peer.name == "hero_proc":
                    bench.inside("await_rows", n, "running", 60.0)
                prefix = {"hero_proc": "hero", "floor": "floor"}.get(peer.name)
                if prefix and peer.name not in made:
                    made[peer.name] = bench.inside("unit_properties", f"{prefix}-s0001.service", prefix)
                peer.stop()
                bench.inside("await_announced", 0, 60.0)
        assert_same_structure(bench, made["hero_proc"], made["floor"])
