# SPDX-License-Identifier: LGPL-2.1-or-later
"""What chaos did to a service, and when: for what is broken and well again between two looks of the oracle. Pure.

hero_proc may have seen that, and the oracle cannot. It believes so much and no more: that somebody is known to have broken
that very thing before the row, and that it stayed broken until it was taken back, or until the oracle saw it well after it
must have taken effect. What nobody broke was well between two looks that were.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Callable, Iterator

from house_plan import ProbeShape
from registers import NEVER
from timeline import Timeline

EFFECT_SECONDS = 0.4  # from what was done until it has taken effect: the service has to read of it first
KEPT_MAX = 256  # of one service
QUEUE_FULL = "frozen, its queue is full"

Hits = Callable[["Injury"], bool]


@dataclass
class Injury:
    """`start` is just before it was done, `end` just after it was taken back. Of the same `means` to an action (its switch, a
    signal) only the latest is in force: what is cleared stands here too, and hits nothing."""

    what: str
    start: float
    action: str = ""
    path: str = ""  # a handler's (*: each), or a socket's
    means: str = ""  # "": it cannot be taken back
    end: float = NEVER

    @property
    def stands_still(self) -> bool:
        return self.what.startswith(("frozen", "stopped by"))

    @property
    def ends_when_cleared(self) -> bool:
        """A listener that was closed, a file that was removed are not there again for that."""
        return self.stands_still or self.what.startswith("handler")

    def hits_probe(self, probe: ProbeShape) -> bool:
        if self.what.startswith("handler"):
            return self.action == probe.action and not probe.connects and self.path in ("*", probe.path)
        if self.stands_still:  # the kernel still connects whoever comes, while there is room
            return self.action == probe.action and (self.what == QUEUE_FULL or not probe.connects)
        return self.path == probe.address

    def over(self, looks: Timeline) -> float:
        """When it was no more, for certain."""
        effect = self.start + EFFECT_SECONDS
        return min(self.end, next((max(run.start, effect) for run in looks.runs if run.good and run.end >= effect), NEVER))


class Injuries:
    """Those of one service, oldest first."""

    def __init__(self, *injuries: Injury) -> None:
        self._all: deque[Injury] = deque(maxlen=KEPT_MAX)
        for injury in injuries:
            self.add(injury)

    def add(self, injury: Injury) -> None:
        for before in self._all:
            if before.ends_when_cleared and before.start < injury.start and \
                    (before.means, before.action) == (injury.means, injury.action):
                before.end = min(before.end, injury.start)
        self._all.append(injury)

    def _between(self, hits: Hits, looks: Timeline, a: float, b: float) -> Iterator[Injury]:
        return (injury for injury in self._all if injury.start <= b and hits(injury) and injury.over(looks) >= a)

    def failed_probe(self, probe: ProbeShape, looks: Timeline, a: float, b: float, failures: int = 1) -> bool:
        """It may have failed so often in a row, for something that was in force between a and b."""
        least = (failures - 1) * probe.fast
        return any(min(injury.over(looks), b) - injury.start >= least
                   for injury in self._between(lambda i: i.hits_probe(probe), looks, a, b))

    def hit_socket(self, path: str, looks: Timeline, a: float, b: float) -> bool:
        return any(self._between(lambda i: i.path == path, looks, a, b))

    def kept_waiting(self, action: str, looks: Timeline, a: float, b: float) -> bool:
        """Whoever connected to it."""
        return any(self._between(lambda i: i.stands_still and i.action == action, looks, a, b))

    def any_between(self, a: float, b: float) -> bool:
        """Done to anything of it, or taken back."""
        return any(a <= injury.start <= b for injury in self._all)

    def ended(self, action: str, a: float, b: float) -> bool:
        """Its process, from outside or inside."""
        return any(injury.action == action and a <= injury.start <= b and injury.what.startswith(("killed", "crashed", "ended"))
                   for injury in self._all)

    def over_before(self, t: float, hits: Hits) -> float:
        """The latest moment before t at which something that hits was taken back, and nothing else that does was put in its
        place; 0.0: never."""
        latest, hit = 0.0, set()
        for injury in self._all:
            if injury.start > t:
                continue
            place = (injury.means, injury.action)
            if injury.ends_when_cleared and hits(injury):
                hit.add(place)
            elif injury.means and place in hit:
                hit.remove(place)
                latest = injury.start
        return latest
