# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether a fault among many services is seen later than one among few: each is one fault, in a service that hero_proc and
monit both probe."""

from __future__ import annotations

from itertools import cycle, islice
from typing import TYPE_CHECKING

from figures import NEVER

if TYPE_CHECKING:
    from bench import Bench

FIGURES = ("detect_death", "detect_vanished", "detect_dead")
INTERVAL = 1.0
MONIT_LOG = "/run/bench/monit.log"
REPAIR_TIMEOUT = 120.0


def measure_fault(bench: Bench, names: list[str], fault: str, n: int) -> None:
    for name in names:
        bench.inside("pause", bench.random.uniform(0, INTERVAL))  # any moment of the interval
        took = bench.inside("strike_house", fault, name, bench.options.never_seconds)
        assert took["hero_proc"] is not None, f"hero_proc does not see it: {fault} of {name}"
        for who, seconds in took.items():
            bench.figures.add(f"detect_{fault}", who, n, NEVER if seconds is None else seconds)
    middles = {who: bench.figures.of(f"detect_{fault}", who, n) for who in ("hero_proc", "monit")}
    bench.say(f"{fault} among {n}: " + ", ".join(f"{who} {sorted(took)[len(took) // 2]:.3f} s" for who, took in middles.items()))


def repair(bench: Bench, names: list[str], n: int) -> None:
    bench.inside("repair", dict.fromkeys(names, "hit"))
    bench.inside("await_rows", n, "running", REPAIR_TIMEOUT, timeout=REPAIR_TIMEOUT + 10)
    bench.inside("pause", 3 * INTERVAL)  # until monit, too, has seen that all is well


def measure(bench: Bench, names: list[str], monit: list[str]) -> None:
    """None is hit twice while there are others: what is told of a fault before is no answer to the next."""
    n = len(names)
    victims = cycle(bench.random.sample(names, n))
    bench.inside("spawn", "monit", monit, "/run/bench/monit.out")
    bench.inside("watch_house", MONIT_LOG)
    bench.inside("pause", 3 * INTERVAL)
    for fault, runs in bench.options.growths.items():
        hit = list(islice(victims, min(runs, n)))
        measure_fault(bench, hit, fault, n)
        repair(bench, hit, n)
    bench.inside("unwatch_house")
    bench.inside("end", "monit")
