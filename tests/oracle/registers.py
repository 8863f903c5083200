# SPDX-License-Identifier: LGPL-2.1-or-later
"""What was asked of hero_proc, and what must therefore be so: the definition and the wish of a service as registers that
several clients write at once. A value that is read is right if it may be the last one: no change that was acknowledged
began after the one that wrote it had ended. Pure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

NEVER = float("inf")
KEPT_MAX = 120  # operations of one service
LOST_LINGERS_SECONDS = 25.0  # the next server brings it to its end


@dataclass
class Operation:
    """One call of one client. `end` is when its answer came, or it was known that none will."""

    number: int
    service: str
    verb: str
    start: float
    wanted: str = ""  # up, down; "": leaves it as it is
    definition: str | None = None  # its text; REMOVED; None: leaves it as it is
    settles: float = 0.0  # seconds after its end until what it did must be seen (systemctl: hero_proc has to hear of it)
    lingers: float = 0.0  # seconds after its end for which it may still be at work: it was not waited for
    actions: tuple[str, ...] = ()  # those it may stop or start anew; (): all
    is_restart: bool = False  # it may end an invocation that is well
    end: float = NEVER
    acknowledged: bool = False
    forgettable: bool = False  # no server wrote it down: the one that knew of it died before it could
    answer: str = ""

    def refuse(self) -> None:
        """It was answered that nothing of it will be done."""
        self.wanted, self.definition = "", None

    def __str__(self) -> str:
        end = f"{self.end - self.start:.3f} s: {self.answer}" if self.end < NEVER else "no answer"
        return f"{self.start:.3f} #{self.number} {self.verb} {self.service} {end}"


REMOVED = "-"


def without_secrets(definition: str) -> str:
    """As it is shown to everybody: what stands in the environment, in headers and in bodies is for its service alone."""
    if definition in ("", REMOVED):
        return REMOVED

    def hide(value: Any, hidden: bool = False) -> Any:
        if isinstance(value, dict):
            return {key: None if hidden or key in ("body", "credentials") else hide(inner, key in ("env", "headers"))
                    for key, inner in value.items()}
        return [hide(inner) for inner in value] if isinstance(value, list) else value
    return json.dumps(hide(json.loads(definition)), sort_keys=True)


@dataclass
class Registers:
    """The operations on one service, oldest first."""

    operations: list[Operation] = field(default_factory=list)

    def begin(self, operation: Operation) -> None:
        self.operations.append(operation)
        if len(self.operations) > KEPT_MAX:
            self._forget_old()

    def _forget_old(self) -> None:
        """All that a question can be about is kept: the youngest half, and of each register what was certain before."""
        old, young = self.operations[:KEPT_MAX // 2], self.operations[KEPT_MAX // 2:]
        writes = [next((o for o in reversed(old) if o.acknowledged and is_write(o)), None)
                  for is_write in (lambda o: o.wanted, lambda o: o.definition is not None)]
        since = min((o.start for o in writes if o), default=0.0)
        self.operations = [o for o in old if any(writes) and o.start >= since] + young

    def _writes(self, register: str) -> list[tuple[Operation, Any]]:
        if register == "wanted":
            return [(o, o.wanted) for o in self.operations if o.wanted]
        return [(o, o.definition) for o in self.operations if o.definition is not None]

    def is_possible(self, register: str, value: Any, asked: float, answered: float, server_since: float) -> bool:
        """Whether `value`, read between `asked` and `answered`, may be the last that was written; also where nothing is
        known to have been written at all."""
        writes = self._writes(register)
        if not writes:
            return True
        return any(written == value for operation, written in self.candidates(register, asked, answered, server_since))

    def candidates(self, register: str, asked: float, answered: float, server_since: float) -> list[tuple[Operation, Any]]:
        writes = self._writes(register)
        latest = max((o.start for o, _ in writes if o.acknowledged and self._shown_from(o, server_since) <= asked),
                     default=-NEVER)
        return [(o, written) for o, written in writes if o.start <= answered and o.end >= latest]

    @staticmethod
    def _shown_from(operation: Operation, server_since: float) -> float:
        """When it must be seen. What systemctl did while no server ran is found when the next one comes."""
        if operation.settles == 0:
            return operation.end
        return max(operation.end, server_since) + operation.settles

    def certain(self, register: str, t: float, server_since: float) -> Any:
        """The only value that is possible at t; None where there are several, or none is known."""
        values = {written for _, written in self.candidates(register, t, t, server_since)}
        return values.pop() if len(values) == 1 else None

    def is_taken_down(self, action: str, t: float) -> bool:
        """Whether one of several actions may be down at t by an operator's stop, of it alone or of all."""
        for operation in reversed(self.operations):
            if operation.start > t:
                continue
            if action in operation.actions or operation.wanted == "down":
                return True
            if operation.wanted == "up" and operation.acknowledged and operation.end < t:
                return False
        return False

    def defined_anew(self, t: float) -> float:
        """When, at the latest before t, a definition may have taken effect that is not the one before it; 0.0: never."""
        writes = [o for o in self.operations if o.definition is not None and o.start <= t]
        return max((min(o.end, t) for before, o in zip([None, *writes], writes)
                    if before is None or before.definition != o.definition), default=0.0)

    def forgotten_stop(self, t: float) -> Operation | None:
        """What took the service down past hero_proc before t, and may be unknown to the server of t; None where a wish that
        was acknowledged since stands, or where that stop did."""
        for operation in reversed([o for o in self.operations if o.start <= t and o.wanted]):
            if operation.acknowledged:
                return None
            if operation.forgettable and operation.settles > 0 and operation.wanted == "down":
                return operation
        return None

    def is_being_started(self, a: float, b: float) -> bool:
        """It may come up and go down again between two samples, where somebody starts it and somebody stops it."""
        return any(o.start <= b and o.end >= a and (o.is_restart or o.wanted == "up") for o in self.operations)

    def under_way(self, a: float, b: float, lingering: float) -> list[Operation]:
        """Those that may have acted between a and b; one that nobody answered may be brought to its end later."""
        return [o for o in self.operations
                if o.start <= b and o.end + max(lingering, o.lingers if o.acknowledged else LOST_LINGERS_SECONDS) >= a]
