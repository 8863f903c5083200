# SPDX-License-Identifier: LGPL-2.1-or-later
"""What chaos does, and when. Pure: the same seed and house give the same steps at the same times."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from house_plan import ServiceShape

# The server is killed in storms; between them there is time to see how soon a fault is shown, and that rows come to rest.
STORM_SECONDS, CALM_SECONDS = 40.0, 20.0


@dataclass
class Step:
    """One thing to do, `at` seconds after the beginning."""

    at: float
    kind: str
    service: str = ""  # "": to the world around all of them
    with_: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        words = " ".join(f"{key}={value}" for key, value in self.with_.items())
        return f"{self.at:8.3f} {self.kind} {self.service} {words}".rstrip()


# How a handler fails; a number stands for seconds that are well beyond every timeout.
HANDLER_FAULTS = ["close", "hang", "half-body", "half-hang", "short-header", "status-500", "slow-5000", "drip"]

# (weight, kind); the kinds are methods of chaos.py
SERVICE_STEPS = [
    (14, "handler"), (3, "close_listener"), (4, "unlink_listener"), (3, "remove_socket"), (3, "stranger"), (2, "freeze"),
    (4, "pause"), (8, "kill"), (4, "crash"), (2, "terminate"), (2, "children"), (1, "flood_log"),
    (5, "start"), (5, "stop"), (5, "restart"), (6, "reset_failed"), (4, "apply_words"), (4, "apply_units"), (2, "remove"),
    (3, "systemctl_stop"), (2, "systemctl_start"), (2, "systemctl_restart"), (2, "systemctl_stop_action"), (1, "slice_stop"),
]
NARROW_STEPS = [(100, "freeze"), *SERVICE_STEPS]  # to be frozen is what such a service is there for
WORLD_STEPS = [
    (5, "pause_server"), (5, "daemon_reload"), (4, "daemon_reexec"), (2, "restart_bus"),
    (2, "kill_bus"), (2, "restart_journal"), (2, "jump_clock"), (3, "fill_disk"), (1, "lock_disk"), (4, "exhaust_files"),
    (2, "reset_failed_all"), (3, "restart_server"), (1, "limit_memory"),
]


class Planner:
    """Draws steps until the time is over. Rates are steps a second: on services, on the world, kills of the server."""

    def __init__(self, seed: int, shapes: list[ServiceShape], seconds: float, service_rate: float, world_rate: float,
                 kill_rate: float, world_kinds: list[str] | None = None):
        self._random = random.Random(f"plan {seed}")
        self._shapes = shapes
        self._seconds = seconds
        self._rates = (service_rate, world_rate, kill_rate * (STORM_SECONDS + CALM_SECONDS) / STORM_SECONDS)
        self._world = [(w, k) for w, k in WORLD_STEPS if world_kinds is None or k in world_kinds]

    def steps(self) -> list[Step]:
        kills = self._draw(self._rates[2], self._kill_step)
        steps = [*self._draw(self._rates[0], self._service_step), *self._draw(self._rates[1], self._world_step),
                 *(kill for kill in kills if kill.at % (STORM_SECONDS + CALM_SECONDS) < STORM_SECONDS)]
        return sorted(steps, key=lambda step: step.at)

    def _draw(self, rate: float, make: Any) -> list[Step]:
        steps, at = [], 0.0
        while rate > 0:
            at += self._random.expovariate(rate)
            if at > self._seconds:
                break
            steps.append(make(at))
        return steps

    def _kill_step(self, at: float) -> Step:
        """At any point; of a change, from its being asked for until its answer was just read; and of the way of the next
        server to its first answer."""
        upon = self._random.choice(["", "asking", "answered"])
        n_more = self._random.choice([0, 0, 0, 1, 1, 2])
        return Step(at, "kill_server", "", {
            "seconds": round(self._random.uniform(0, 0.01), 4) if upon == "asking" else 0, "upon": upon,
            "again": [round(self._random.uniform(0, 0.12), 3) for _ in range(n_more)]})

    def _pick(self, table: list[tuple[int, str]]) -> str:
        return self._random.choices([kind for _, kind in table], [weight for weight, _ in table])[0]

    def _service_step(self, at: float) -> Step:
        shape = self._random.choice(self._shapes)
        kind = self._pick(NARROW_STEPS if any(action.is_narrow for action in shape.actions) else SERVICE_STEPS)
        action = self._random.choice(shape.actions)
        step = Step(at, kind, shape.name, {"action": action.name, "seconds": round(self._random.uniform(2, 9), 1)})
        if kind == "handler":
            step.with_["fault"] = self._random.choice(HANDLER_FAULTS)
            step.with_["path"] = self._random.choice([*action.paths, "*"])
        elif kind == "pause":
            step.with_["seconds"] = round(self._random.uniform(0.5, 5), 1)
        elif kind == "flood_log":
            step.with_["seconds"] = round(self._random.uniform(0.5, 2), 1)
        elif kind == "crash":
            step.with_["code"] = self._random.choice([1, 3, 134])
        elif kind in ("start", "stop", "restart"):
            step.with_["no_wait"] = self._random.random() < 0.3
        elif kind == "remove":
            step.with_["seconds"] = round(self._random.uniform(0.1, 3), 1)
        return step

    def _world_step(self, at: float) -> Step:
        kind = self._pick(self._world)
        step = Step(at, kind, "", {"seconds": round(self._random.uniform(1, 5), 1)})
        if kind == "jump_clock":
            step.with_["jumps"] = [self._random.choice([3600, -3600, 86400, -315360000, 315360000, 0])
                                   for _ in range(3)]
        elif kind == "pause_server":
            step.with_["seconds"] = round(self._random.choice([0.3, 1, 3, 8]), 1)
        elif kind in ("fill_disk", "lock_disk"):
            step.with_["kill"] = self._random.random() < 0.4
        return step
