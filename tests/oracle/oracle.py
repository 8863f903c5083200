#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The oracle: samples what is true of services, reads what hero_proc says of them, and judges every row after the fact.

Runs inside the sandbox. On standard input it is told, one JSON object a line, what was done to the services (see chaos.py);
at the end of that it says on standard output, as JSON, what it has found. It shares no code with hero_proc, and asks it for
nothing but the rows that it judges.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import sys
import time
from collections import Counter, defaultdict, deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from event_loop import Loop  # noqa: E402  pylint: disable=wrong-import-position
from house_plan import generation_of, generation_of_process, shape_of  # noqa: E402
from injuries import QUEUE_FULL, Injuries, Injury  # noqa: E402
from judge import APART, SLACK_SECONDS, Judge, Row, Surroundings, Verdict  # noqa: E402
from ledger import DISTURBED, NEW_SERVER, NOT_RUNNING, NOT_SHOWN, SUPERSEDED, TAKEN_BACK  # noqa: E402
from registers import NEVER, REMOVED, Operation, Registers, without_secrets  # noqa: E402
from rows import RowReader  # noqa: E402
from truth import InvocationChange, Sampler, ServiceTruth, UnitTruth, environment_of  # noqa: E402

JUDGED_AFTER_SECONDS = 2.5  # longer than any probe takes to time out: then the truth of a row's moment is known
SHOWN_MAX = 20  # findings that are shown with their history; all are counted
SHOWN_NEWS_MAX = 40  # of those that begin a row of them: what comes first and often must not be all that is shown
SHOWN_LINES_MAX = 150  # of one history, its latest
STORY_SECONDS = 15.0
LOOKED_BACK_SECONDS = 2.0  # from a restart, for what it may have been for
HELD_BACK_SECONDS = 5.0  # from when what is required is well, to when that is known and what waited for it is done
SOON_SECONDS = 0.4  # between what was done and what a sample shows of it
OBEYED_WITHIN_SECONDS = 12.0  # a process that is stopped or frozen ends only when it goes on
FAULT_SHOWN_WITHIN_SECONDS = 12.0
RESTART_COMES_WITHIN_SECONDS = 6.0  # also where it was not waited for, and the server died meanwhile
RESTART_COMES_LATE_SECONDS = 16.0  # where the server was stopped, or could not reach systemd, for up to 8 s
CHANGE_COMES_WITHIN_SECONDS = 6.0  # of a definition, into the process; only seconds in which nothing disturbs them count
CHANGE_LOOKED_AFTER_SECONDS = 1.0  # again, where it could not be told
CHANGE_GIVEN_UP_AFTER_SECONDS = 60.0


@dataclass
class Fault:
    """Something was broken on purpose: when, and how soon a row showed it."""

    kind: str
    service: str
    at: float


class Story:
    """What happened to one service, for people who have to understand a finding."""

    def __init__(self) -> None:
        self.rows: deque[tuple[float, str]] = deque(maxlen=400)
        self.faults: deque[tuple[float, str]] = deque(maxlen=200)


def shortened(story: str) -> str:
    """Its first line and its latest."""
    head, *lines = story.split("\n")
    n_left_out = len(lines) - SHOWN_LINES_MAX
    return story if n_left_out <= 0 else "\n".join([head, f"    … {n_left_out} earlier lines", *lines[n_left_out:]])


def was_held_back(registers: Registers, truth: ServiceTruth, needed: list[ServiceTruth], change: InvocationChange) -> bool:
    """A restart that was asked for waits, however long, until what the service requires is well: it is done as soon as that is."""
    name, unit = next((n, u) for n, u in truth.units.items() if u.shape.unit == change.unit)
    asked = [o for o in registers.operations if o.is_restart and o.start <= change.last_seen and name in (o.actions or (name,))]
    return bool(asked) and not unit.was_started_anew(asked[-1].start, change.last_seen) and any(
        t.ever(False, change.last_seen - HELD_BACK_SECONDS, change.first_gone) for other in needed for t in other.parts().values())


def was_ill_for_long(truth: ServiceTruth, unit: UnitTruth, change: InvocationChange, injuries: Injuries) -> bool:
    """A restart by hero_proc itself is right only where a socket was dead, or a probe failed as often as its limit says, in
    an invocation that had had its start timeout. What was seen only after it was seen up last may come from the restart
    itself, unless somebody had just broken that very thing, whether the oracle saw it broken or not."""
    began = next((run.start for run in unit.invocations.runs if run.detail == change.before), change.last_seen)
    if change.first_gone - began < truth.shape.start_timeout - SOON_SECONDS:
        return False
    a = change.last_seen - LOOKED_BACK_SECONDS

    if any(s.alive.ever(False, a, change.last_seen) or s.kept_too_long(a, change.last_seen) or
           injuries.hit_socket(path, s.alive, a, change.first_gone) for path, s in truth.sockets.items()):
        return True
    for probe in (p for p in truth.probes.values() if not p.shape.report):
        least = (probe.shape.failures - 1) * probe.shape.fast - SOON_SECONDS
        if any(not run.good and run.end - run.start >= least for run in probe.answers.history(a, change.last_seen)) or \
                injuries.failed_probe(probe.shape, probe.answers, a, change.first_gone, probe.shape.failures):
            return True
    return False


class Oracle:
    """Puts truth, rows and operations side by side."""

    def __init__(self, loop: Loop, definitions: list[dict[str, Any]], slack: float):
        self.loop = loop
        shapes = [shape_of(definition) for definition in definitions]
        names = [shape.name for shape in shapes]
        self.sampler = Sampler(loop, shapes, self._invocation_changed)
        self.registers = {name: Registers() for name in names}
        self.surroundings = Surroundings(server_since=time.monotonic(), slack=slack)
        self.judges = {name: Judge(truth, self.registers[name], self.surroundings, self.sampler.services)
                       for name, truth in self.sampler.services.items()}
        self.reader = RowReader(loop, self._take_rows, self._server_came, self._take_definition, names)
        self.stories = {name: Story() for name in names}
        self.waiting: deque[Row] = deque()
        self.definitions_read: deque[tuple[str, str, float, float]] = deque()
        self.n_rows: Counter[str] = Counter()
        self.n_states: Counter[str] = Counter()
        self.n_verdicts: Counter[str] = Counter()
        self.late_by_kind: Counter[str] = Counter()
        self.why_apart: Counter[str] = Counter()
        self.findings: Counter[str] = Counter()
        self.shown: list[str] = []
        self.latest_row: dict[str, Row] = {}
        self.spans: dict[str, tuple[str, str, float]] = {}
        self.apart_seconds: dict[str, list[float]] = defaultdict(list)
        self.latencies: dict[str, list[float]] = defaultdict(list)
        self.unmeasured: dict[str, Counter[str]] = defaultdict(Counter)
        self.n_faults: Counter[str] = Counter()
        self.ends: dict[str, deque[tuple[float, float]]] = defaultdict(lambda: deque(maxlen=64))
        self.overruled: set[str] = set()
        self.told: set[str] = set()
        self.n_restarts: Counter[str] = Counter()
        self.n_owed_restarts = 0  # that were looked for
        self.n_owed_changes = 0  # of definitions, that were looked for in a process
        self.all_is_told = False
        loop.every(0.1, self._judge_waiting)
        loop.every(1.0, self._look_for_harm)

    # -- what is told --

    def event(self, what: dict[str, Any]) -> None:
        getattr(self, f"_event_{what.pop('event')}")(**what)

    def _event_begin(self, **fields: Any) -> None:
        fields["actions"] = tuple(fields.get("actions", ()))
        if "definition" in fields:
            fields["definition"] = without_secrets(fields["definition"])
        self.registers[fields["service"]].begin(Operation(**fields))

    def _event_end(self, service: str, number: int, end: float, outcome: str, answer: str,
                   wrote_no_wish: bool = False) -> None:
        """outcome: done, refused, or lost, which is neither."""
        operation = next(o for o in reversed(self.registers[service].operations) if o.number == number)
        operation.end, operation.answer = end, answer
        operation.acknowledged = outcome == "done" and (operation.settles == 0 or self._has_acted(operation))
        if outcome == "refused":
            operation.refuse()
        elif wrote_no_wish:
            operation.wanted = ""
        if operation.acknowledged and operation.verb == "restart":
            self.loop.after(RESTART_COMES_WITHIN_SECONDS, lambda: self._judge_owed_restart(operation))
        if operation.acknowledged and operation.definition not in (None, REMOVED):
            self.loop.after(CHANGE_COMES_WITHIN_SECONDS, lambda: self._judge_owed_change(operation))

    def _judge_owed_restart(self, operation: Operation) -> None:
        """An acknowledged restart has come, unless somebody took the service down meanwhile, or it waits for another."""
        now = time.monotonic()
        truth = self.sampler.services[operation.service]
        if self.surroundings.disturbance(operation.start, now) and now < operation.end + RESTART_COMES_LATE_SECONDS:
            self.loop.at(operation.end + RESTART_COMES_LATE_SECONDS, lambda: self._judge_owed_restart(operation))
            return
        overruled = any(o.wanted == "down" for o in self.registers[operation.service].under_way(operation.start, now, 0.0))
        if not operation.acknowledged or overruled or truth.shape.requires:
            return
        self.n_owed_restarts += 1
        for unit in truth.units.values():
            before = unit.invocations.value_at(operation.start)
            if not unit.shape.oneshot and before and unit.up.always(True, operation.start, now - SOON_SECONDS) and \
                    unit.now.invocation == before.detail:
                text = f"RESTART THAT NEVER CAME: {operation}: {unit.shape.unit} is the same as before"
                self._find("lost change", "\n".join([text, *self._story(operation.service, operation.start - 2, now)]),
                           operation.service)

    def _judge_owed_change(self, operation: Operation) -> None:
        """What runs has the acknowledged definition, whoever started it since, unless another one may stand by now. Its old
        process is stopped before anything is waited for: what is held back for another service, or stopped, does not run."""
        now = time.monotonic()
        if self.registers[operation.service].certain("definition", now, self.surroundings.server_since) != operation.definition:
            return
        units = [u for u in self.sampler.services[operation.service].units.values() if not u.shape.oneshot]
        known = [(unit.shape, generation) for unit in units
                 if (generation := self._generation_that_runs(unit, now)) is not None]
        if self.surroundings.undisturbed_seconds(operation.end, now) < CHANGE_COMES_WITHIN_SECONDS or not known:
            if not self.all_is_told and now < operation.end + CHANGE_GIVEN_UP_AFTER_SECONDS:
                self.loop.after(CHANGE_LOOKED_AFTER_SECONDS, lambda: self._judge_owed_change(operation))
            return
        self.n_owed_changes += 1
        for shape, generation in known:
            if generation != (defined := generation_of(operation.definition, shape.name)):
                text = (f"CHANGE THAT NEVER CAME: {operation}: {shape.unit} runs with {generation or 'no generation'}, "
                        f"and was to have {defined or 'none'}")
                self._find("lost change", "\n".join([text, *self._story(operation.service, operation.start - 2, now)]),
                           operation.service)

    def _generation_that_runs(self, unit: UnitTruth, now: float) -> str | None:
        """Of its main process, which is its oldest; None where none is known to have been up for long enough."""
        if not unit.now.pids or not unit.up.always(True, now - self.surroundings.slack - SOON_SECONDS, now - SOON_SECONDS):
            return None
        return generation_of_process(environment_of(min(unit.now.pids)))

    def _has_acted(self, operation: Operation) -> bool:
        """systemctl says "done" also where there was nothing to do. It has acted for certain where all was quiet before."""
        parts = self.sampler.services[operation.service].parts()
        units = [u for u in self.sampler.services[operation.service].units.values() if not u.shape.oneshot]
        a, b = operation.start - 1.0, operation.start - 0.1
        alone = self.registers[operation.service].under_way(a, operation.end, 1.0) == [operation]
        unhurt = not any(at <= operation.end and until >= a for u in units
                         for at, until in self.ends[u.shape.unit])
        if operation.wanted == "down":
            return alone and unhurt and all(t.always(True, a, b) for t in parts.values())
        return alone and unhurt and all(u.up.always(False, a, b) for u in units)

    def _event_weaken(self, since: float) -> None:
        """The disk took no writes from then on, and the server died: what was wished in that time need not be there."""
        for registers in self.registers.values():
            for operation in registers.operations:
                if operation.end >= since and operation.definition is None:
                    operation.acknowledged = False
                    operation.forgettable = True

    def _event_fault(self, kind: str, service: str, at: float, ends: list[str] | None = None, note: str = "",
                     **where: str) -> None:
        self.n_faults[kind] += 1
        for unit in ends or []:
            self.ends[unit].append((at, at + (SOON_SECONDS if kind.startswith("killed") else OBEYED_WITHIN_SECONDS)))
        if not service:
            return
        injury = Injury(kind, at, **where)
        self.surroundings.injuries_of(service).add(injury)
        self.stories[service].faults.append((at, " ".join([kind, *filter(None, (injury.action, injury.path, note))])))
        if kind != "cleared" and not kind.startswith(("children", "handler that nobody")):
            fault = Fault(kind, service, at)
            self.loop.after(FAULT_SHOWN_WITHIN_SECONDS, lambda: self._measure(fault))

    def _measure(self, fault: Fault) -> None:
        """How long after the fault a row said something else than running (of a full queue: that it is full, as probes fail
        as well): where it was running, the fault was not taken back before, and the server was there."""
        says = "failed socket-not-accepting" if fault.kind == QUEUE_FULL else ""
        shown = next((t for t, text in self.stories[fault.service].rows if t > fault.at and
                      not text.startswith("running") and text.startswith(says)), NEVER)
        why = self._why_unmeasured(fault, shown)
        if why:
            self.unmeasured[fault.kind][why] += 1
        else:
            self.latencies[fault.kind].append(shown - fault.at)

    def _why_unmeasured(self, fault: Fault, shown: float) -> str:
        """"" where nothing but the fault can be what was shown then."""
        story, last = self.stories[fault.service], min(shown, fault.at + FAULT_SHOWN_WITHIN_SECONDS)
        before = next((text.split()[0] for t, text in reversed(story.rows) if t <= fault.at), "")
        after = [text for t, text in story.faults if fault.at < t <= last]
        if before != "running":
            return NOT_RUNNING
        if any(text.startswith("cleared") for text in after):
            return TAKEN_BACK
        if any(fault.at <= t <= last for t in self.surroundings.servers):
            return NEW_SERVER
        if self.surroundings.disturbance(fault.at, last):
            return DISTURBED
        if shown <= last:
            return ""
        return SUPERSEDED if after else NOT_SHOWN

    def _event_disturbance(self, what: str, start: float, end: float | None) -> None:
        for i, (begun, ended, name) in enumerate(self.surroundings.disturbed):
            if name == what and ended == float("inf"):
                self.surroundings.disturbed[i] = (begun, end if end is not None else ended, what)
                return
        self.n_faults[what] += 1
        self.surroundings.disturbed.append((start, float("inf") if end is None else end, what))

    def _event_finding(self, kind: str, text: str) -> None:
        self._find(kind, text)

    # -- what is read --

    def _server_came(self, at: float) -> None:
        self.surroundings.server_since = at
        self.surroundings.servers.append(at)

    def _take_rows(self, rows: list[Row]) -> None:
        for row in rows:
            if row.service not in self.judges or self.all_is_told:
                continue
            self.n_rows[row.source] += 1
            self.n_states[row.state] += 1
            self.waiting.append(row)
            if row.source in ("ListServices", "StateChanged"):
                self._follow_row(row)

    def _follow_row(self, row: Row) -> None:
        before = self.latest_row.get(row.service)
        if before is None or (before.state, before.reason, before.wanted or row.wanted) != \
                (row.state, row.reason, row.wanted or before.wanted):
            self.stories[row.service].rows.append((row.answered, f"{row.state} {row.reason} {row.wanted} ({row.source})"))
        self.latest_row[row.service] = row
        self._follow_span(row)

    def _follow_span(self, row: Row) -> None:
        state, reason, since = self.spans.get(row.service, ("", "", row.answered))
        if (state, reason) == (row.state, row.reason):
            return
        if state in APART:
            self.apart_seconds[f"{state} ({reason})" if reason else state].append(row.answered - since)
        self.spans[row.service] = (row.state, row.reason, row.answered)

    def _take_definition(self, service: str, text: str, asked: float, answered: float) -> None:
        self.definitions_read.append((service, text, asked, answered))

    # -- judging --

    def _judge_waiting(self) -> None:
        now = time.monotonic()
        while self.waiting and self.waiting[0].answered < now - JUDGED_AFTER_SECONDS:
            self._judge(self.waiting.popleft())
        while self.definitions_read and self.definitions_read[0][3] < now - JUDGED_AFTER_SECONDS:
            self._judge_definition(*self.definitions_read.popleft())

    def _judge(self, row: Row) -> None:
        verdict = self.judges[row.service].judge(row)
        self.n_verdicts[verdict.kind] += 1
        if verdict.kind == "apart":
            self.why_apart[f"{row.state}: {verdict.why}"] += 1
        elif verdict.kind in ("lie", "stuck"):
            self._find("lie" if verdict.kind == "lie" else "stuck", self._explain(row, verdict), row.service)
        if row.wanted and not self._wish_is_possible(row):
            self._find("lost change", self._explain(row, Verdict("lost change", f"wanted is {row.wanted}")), row.service)

    def _wish_is_possible(self, row: Row) -> bool:
        return self.registers[row.service].is_possible("wanted", row.wanted, row.asked, row.answered,
                                                       self.surroundings.server_since)

    def _judge_definition(self, service: str, text: str, asked: float, answered: float) -> None:
        if not self.registers[service].is_possible("definition", without_secrets(text), asked, answered,
                                                   self.surroundings.server_since):
            row = Row(asked, answered, "Definition", service, text or "none", "")
            self._find("lost change", self._explain(row, Verdict("lost change", "another definition was acknowledged")),
                       service)

    def _find(self, kind: str, text: str, service: str = "") -> None:
        self.findings[kind] += 1
        row_of_them = f"{kind} {service} {int(time.monotonic() / 20)}"
        if len(self.shown) < (SHOWN_MAX if row_of_them in self.told else SHOWN_NEWS_MAX):
            self.shown.append(shortened(text))
        self.told.add(row_of_them)

    def _explain(self, row: Row, verdict: Verdict) -> str:
        lines = [f"{verdict.kind.upper()}: {row.source} said {row.service} is {row.state} ({row.reason} {row.subject}) "
                 f"at {row.asked:.3f}..{row.answered:.3f}: {verdict.why}"]
        lines += self._story(row.service, row.answered - STORY_SECONDS, row.answered + 2)
        return "\n".join(lines)

    def _story(self, service: str, a: float, b: float) -> list[str]:
        story, found = self.stories[service], []
        for name, timeline in self.sampler.services[service].parts().items():
            found += [(run.start, f"truth: {name} {'well' if run.good else 'BAD'}: {run.detail} until {run.end:.3f}")
                      for run in timeline.history(a, b)]
        found += [(t, f"row:   {text}") for t, text in story.rows if a <= t <= b]
        found += [(t, f"fault: {text}") for t, text in story.faults if a <= t <= b]
        found += [(o.start, f"call:  {o}") for o in self.registers[service].under_way(a, b, 0) if o.start >= a]
        found += [(s, f"world: {what} until {e:.3f}") for s, e, what in self.surroundings.disturbed if s <= b and e >= a]
        found.append((self.surroundings.server_since, "world: the newest server came"))
        return [f"    {t:.3f} {text}" for t, text in sorted(found)]

    # -- harm --

    def _invocation_changed(self, change: InvocationChange) -> None:
        self.loop.after(JUDGED_AFTER_SECONDS, lambda: self._judge_restart(change))

    def _judge_restart(self, change: InvocationChange) -> None:
        cause = self._cause_of(change)
        self.n_restarts[cause or "unexpected"] += 1
        if not cause:
            text = (f"UNEXPECTED RESTART: {change.unit}: {change.before} was last seen up at {change.last_seen:.3f}, "
                    f"gone at {change.first_gone:.3f}; {change.after} was seen at {change.seen:.3f}")
            self._find("unexpected restart", "\n".join([text, *self._story(
                change.service, change.last_seen - STORY_SECONDS, change.seen + 2)]), change.service)

    def _cause_of(self, change: InvocationChange) -> str:
        """What ended the invocation before. "" where nothing did that may."""
        truth = self.sampler.services[change.service]
        name, unit = next((n, u) for n, u in truth.units.items() if u.shape.unit == change.unit)
        a, b = change.last_seen - SOON_SECONDS, change.first_gone + SOON_SECONDS
        if unit.shape.oneshot:
            a, b = change.seen - 5, change.seen
        for operation in self.registers[change.service].under_way(a, b, SOON_SECONDS):
            if (operation.is_restart or unit.shape.oneshot) and name in (operation.actions or (name,)):
                cause = self._cause_by(operation, truth, b)
                if cause:
                    return cause
        if any(at <= b and until >= a for at, until in self.ends[change.unit]):
            return "its process was killed"
        if any(run.detail.startswith("held by") for socket in truth.sockets.values() if socket.shape.action == name
               for run in socket.alive.history(a, b)):
            return "it found its socket taken, and ended"
        if truth.shape.heals and (was_ill_for_long(
                truth, unit, change, self.surroundings.injuries_of(change.service)) or self._fell_ill_unseen(truth, change)):
            return "healed"
        needed = [self.sampler.services[other] for other in truth.shape.requires if other in self.sampler.services]
        return "held back" if was_held_back(self.registers[change.service], truth, needed, change) else ""

    def _fell_ill_unseen(self, truth: ServiceTruth, change: InvocationChange) -> bool:
        """While systemd could not be asked (it re-executed itself) the service was made ill, and was seen to be."""
        made_ill = [t for t, what in self.stories[change.service].faults
                    if change.last_seen <= t <= change.first_gone and not what.startswith("cleared")]
        return any(run.start >= made_ill[0] and not run.good for timeline in truth.parts().values()
                   for run in timeline.history(made_ill[0], change.first_gone)) if made_ill else False

    def _cause_by(self, operation: Operation, truth: ServiceTruth, b: float) -> str:
        """A reset-failed may restart only what was not well."""
        if operation.verb == "reset-failed" and all(
                t.always(True, operation.start - SLACK_SECONDS, min(operation.end, b)) for t in truth.parts().values()):
            return ""
        return operation.verb

    def _look_for_harm(self) -> None:
        now = time.monotonic() - JUDGED_AFTER_SECONDS
        for name, registers in self.registers.items():
            if registers.under_way(now - 6, now, 2.0) or registers.certain("wanted", now, now) != "down" or \
                    registers.certain("wanted", now - 6, now) != "down":
                continue
            for unit in self.sampler.services[name].units.values():
                if not unit.shape.oneshot and unit.up.always(True, now - 4, now) and \
                        unit.now.invocation not in self.overruled:
                    self.overruled.add(unit.now.invocation)
                    self._find("unexpected restart", "\n".join([f"OVERRULED: {unit.shape.unit} is up, and an operator "
                               "stopped it", *self._story(name, now - STORY_SECONDS, now)]), name)
        for pid, orphan in list(self.sampler.orphans.items()):
            if str(pid) not in self.told:
                self.told.add(str(pid))
                self._find("orphan", f"ORPHAN: of {orphan.service}: PID {pid} ({orphan.command}) in {orphan.where}\n" +
                           "\n".join(self._story(orphan.service, now - STORY_SECONDS, now)), orphan.service)

    # -- the end --

    def finish(self) -> dict[str, Any]:
        return {
            "rows": sum(n for verdict, n in self.n_verdicts.items() if verdict != "unseen"),
            "rows_by_face": dict(self.n_rows), "rows_by_state": dict(self.n_states), "verdicts": dict(self.n_verdicts),
            "apart": dict(self.why_apart),
            "apart_seconds": {what: {"n": len(times), "total": sum(times), "max": max(times)}
                              for what, times in self.apart_seconds.items()},
            "findings": dict(self.findings), "shown": self.shown,
            "faults": dict(self.n_faults), "restarts": dict(self.n_restarts),
            "latency": {kind: times for kind, times in self.latencies.items()},
            "unmeasured": {kind: dict(counts) for kind, counts in self.unmeasured.items()},
            "owed_restarts": self.n_owed_restarts, "owed_changes": self.n_owed_changes,
            "longest_silence": self.reader.longest_silence, "latest": self.loop.latest,
            "orphans": [asdict(orphan) for orphan in self.sampler.orphans.values()],
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("definitions", help="a JSON file with the definitions of all services")
    parser.add_argument("--slack", type=float, default=SLACK_SECONDS, help="seconds on top of each bound")
    options = parser.parse_args()
    loop = Loop()
    oracle = Oracle(loop, json.loads(Path(options.definitions).read_text(encoding="utf-8")), options.slack)
    unread = bytearray()

    def hear() -> None:
        got = os.read(0, 1 << 16)
        if not got:  # all has been told: judge what is left, and end
            loop.unwatch(sys.stdin)
            oracle.all_is_told = True
            loop.after(JUDGED_AFTER_SECONDS + 1, lambda: setattr(loop, "stopping", True))
            return
        unread.extend(got)
        *lines, rest = bytes(unread).split(b"\n")
        unread[:] = rest
        for line in lines:
            oracle.event(json.loads(line))

    loop.watch(sys.stdin, selectors.EVENT_READ, hear)
    loop.run()
    json.dump(oracle.finish(), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
