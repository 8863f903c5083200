# SPDX-License-Identifier: LGPL-2.1-or-later
"""What one part of a service was, and when: runs of equal samples, so that "for how long" has an exact answer.

Nothing is assumed about a time that no sample covers: where two samples lie further apart than the timeline's gap, the run
ends with the first of them, and what lies between was not seen.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

GAP_SECONDS = 0.8
KEPT_SECONDS = 180.0


@dataclass
class Run:
    """One value from `start` to `end`, both CLOCK_MONOTONIC seconds."""

    start: float
    end: float
    good: bool
    detail: str
    slowest: float  # seconds that the slowest of its samples took to be had: a hang is known only when it times out


class Timeline:
    """Samples in, questions about time spans out. Samples must come in the order of their start."""

    def __init__(self, gap: float = GAP_SECONDS) -> None:
        self.runs: list[Run] = []
        self._gap = gap

    def add(self, start: float, end: float, good: bool, detail: str, took: float = 0.0) -> None:
        last = self.runs[-1] if self.runs else None
        if last and last.good == good and last.detail == detail and start - last.end <= self._gap:
            last.end = max(last.end, end)
            last.slowest = max(last.slowest, took)
            return
        self.runs.append(Run(start, end, good, detail, took))
        if len(self.runs) > 64 and self.runs[0].end < end - KEPT_SECONDS:
            self.runs = [run for run in self.runs if run.end >= end - KEPT_SECONDS]

    @property
    def seen_until(self) -> float:
        return self.runs[-1].end if self.runs else 0.0

    def value_at(self, t: float) -> Run | None:
        """The run that t lies in; between two runs without a gap, the earlier one."""
        i = bisect_right(self.runs, t, key=lambda run: run.start) - 1
        if i < 0 or t > self.runs[i].end + self._gap:
            return None
        return self.runs[i]

    def since(self, t: float, good: bool) -> tuple[float, float, str] | None:
        """When t lies for certain in a span that is `good` (or not) without interruption: (its start, its slowest sample,
        its detail then). Between a sample that says yes and one that says no nothing is certain."""
        i = bisect_right(self.runs, t, key=lambda run: run.start) - 1
        if i < 0 or self.runs[i].good != good or t > self.runs[i].end and not self._goes_on(i + 1):
            return None
        start, slowest, detail = self.runs[i].start, self.runs[i].slowest, self.runs[i].detail
        while self._goes_on(i):
            i -= 1
            start, slowest = self.runs[i].start, max(slowest, self.runs[i].slowest)
        return start, slowest, detail

    def _goes_on(self, i: int) -> bool:
        """Run i is as good as the one before, and nothing lies between them that was not seen. What is bad in another way
        than before may have been well for a moment in between."""
        return 0 < i < len(self.runs) and self.runs[i - 1].good and self.runs[i].good and \
            self.runs[i].start - self.runs[i - 1].end <= self._gap

    def always(self, good: bool, a: float, b: float) -> bool:
        """Seen from a to b, and all the time of that value."""
        span = self.since(b, good)
        return span is not None and span[0] <= a

    def ever(self, good: bool, a: float, b: float) -> bool:
        """Of that value at some moment between a and b, or it may have been: where no sample says otherwise."""
        return not self.always(not good, a, b)

    def never(self, good: bool, a: float, b: float) -> bool:
        """Of that value in no sample from the last one before a to the first one after b, and no time was left out. Unlike in
        always() it may have been so in between, where something made it so and something else took that back."""
        first, last = (bisect_right(self.runs, t, key=lambda run: run.start) - 1 for t in (a, b))
        runs = self.runs[max(first, 0):last + 1]
        if first < 0 or runs[-1].end < b and last + 1 == len(self.runs):
            return False
        if runs[-1].end < b:
            runs.append(self.runs[last + 1])
        return all(run.good != good for run in runs) and \
            all(after.start - before.end <= self._gap for before, after in zip(runs, runs[1:]))

    def history(self, a: float, b: float) -> list[Run]:
        return [run for run in self.runs if run.end >= a and run.start <= b]
