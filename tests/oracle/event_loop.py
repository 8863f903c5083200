# SPDX-License-Identifier: LGPL-2.1-or-later
"""Timers and file descriptors in one thread, for a sampler that must not fall behind."""

from __future__ import annotations

import heapq
import itertools
import selectors
import time
from typing import Any, Callable


class Loop:
    """Calls what is due. `lateness` holds how late timers were, so that a busy machine is known as such."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self.stopping = False
        self.latest = 0.0  # seconds that the latest timer was late

    def at(self, when: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (when, next(self._numbers), action))

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        self.at(time.monotonic() + seconds, action)

    def every(self, seconds: float, action: Callable[[], None]) -> None:
        """From now on; a turn that could not be had in time is left out, not made up for."""
        def turn() -> None:
            action()
            now = time.monotonic()
            due[0] = max(due[0] + seconds, now)
            self.at(due[0], turn)
        due = [time.monotonic()]
        self.at(due[0], turn)

    def watch(self, what: Any, events: int, action: Callable[[], None]) -> None:
        self._selector.register(what, events, action)

    def rewatch(self, what: Any, events: int, action: Callable[[], None]) -> None:
        self._selector.modify(what, events, action)

    def unwatch(self, what: Any) -> None:
        try:
            self._selector.unregister(what)
        except (KeyError, ValueError):
            pass

    def run(self) -> None:
        while not self.stopping:
            now = time.monotonic()
            while self._timers and self._timers[0][0] <= now:
                when, _, action = heapq.heappop(self._timers)
                self.latest = max(self.latest, now - when)
                action()
            wait = max(0.0, min(self._timers[0][0] - time.monotonic(), 1.0)) if self._timers else 1.0
            for key, _ in self._selector.select(wait):
                key.data()
