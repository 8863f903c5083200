# SPDX-License-Identifier: LGPL-2.1-or-later
"""What was measured, as values: figure → who → number of services → samples. Pure, but for load() and save()."""

from __future__ import annotations

import json
import math
from pathlib import Path
from statistics import median
from typing import Any, Iterable

NEVER = -1.0  # a sample of something that did not come in the time that it was given


class Figures:
    """The samples of one part of the benchmarks, and where and when it was run."""

    def __init__(self, part: str, machine: dict[str, Any] | None = None):
        self.part = part
        self.machine = machine or {}
        self.samples: dict[str, dict[str, dict[int, list[float]]]] = {}

    def add(self, figure: str, who: str, n: int, *values: float) -> None:
        self.samples.setdefault(figure, {}).setdefault(who, {}).setdefault(n, []).extend(values)

    def of(self, figure: str, who: str, n: int) -> list[float]:
        return self.samples.get(figure, {}).get(who, {}).get(n, [])

    def sizes(self, figure: str) -> list[int]:
        return sorted({n for by_size in self.samples.get(figure, {}).values() for n in by_size})

    def whos(self, figure: str) -> list[str]:
        return list(self.samples.get(figure, {}))

    def only(self, part: str, figures: Iterable[str] | None) -> Figures:
        """Those of one part; all of them where no figures are named."""
        taken = Figures(part, self.machine)
        taken.samples = {figure: by_who for figure, by_who in self.samples.items() if figures is None or figure in figures}
        return taken

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.part}.json"
        path.write_text(json.dumps({"part": self.part, "machine": self.machine, "samples": self.samples}) + "\n")

    @staticmethod
    def load(path: Path) -> Figures:
        stored = json.loads(path.read_text())
        figures = Figures(stored["part"], stored["machine"])
        figures.samples = {figure: {who: {int(n): values for n, values in by_size.items()}
                                    for who, by_size in by_who.items()}
                           for figure, by_who in stored["samples"].items()}
        return figures


def middle(values: Iterable[float]) -> float | None:
    """The median; NEVER where that is what most say; None of nothing."""
    known = sorted(math.inf if value == NEVER else value for value in values)
    if not known:
        return None
    found = known[len(known) // 2] if math.inf in known else median(known)
    return NEVER if found == math.inf else found


def percentile(values: Iterable[float], percent: float) -> float | None:
    known = sorted(math.inf if value == NEVER else value for value in values)
    if not known:
        return None
    found = known[max(math.ceil(len(known) * percent / 100) - 1, 0)]
    return NEVER if found == math.inf else found


def exponent(points: Iterable[tuple[float, float]]) -> float | None:
    """k of y = c·x^k, by least squares of the logarithms: 1 is linear, 0 does not grow. None of less than two sizes."""
    logs = [(math.log(x), math.log(y)) for x, y in points if x > 0 and y > 0]
    if len({x for x, _ in logs}) < 2:
        return None
    mean_x = sum(x for x, _ in logs) / len(logs)
    mean_y = sum(y for _, y in logs) / len(logs)
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / sum((x - mean_x) ** 2 for x, _ in logs)


def slope(points: Iterable[tuple[float, float]]) -> float | None:
    """By how much y grows with each x, by least squares."""
    known = list(points)
    mean_x = sum(x for x, _ in known) / len(known)
    mean_y = sum(y for _, y in known) / len(known)
    spread = sum((x - mean_x) ** 2 for x, _ in known)
    return sum((x - mean_x) * (y - mean_y) for x, y in known) / spread if spread else None
