# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether a row was true. A row is held against the truth of its own moment, after that truth has been seen: never against
what is so now. Pure: it takes what was recorded, and says what that means.

A *lie* is a row whose claim was untrue all the time from (row - bound) to the row, where the bound is what DESIGN §5
promises for that kind of evidence and one second. What claims nothing (starting, stopping, restarting, degraded, unknown) is
counted apart, and must have a reason in the truth; one that goes on without any is *stuck*, which counts like a lie:
otherwise saying nothing would be the way never to lie.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from house_plan import ServiceShape
from injuries import EFFECT_SECONDS, Injuries
from registers import Registers
from timeline import Timeline
from truth import ServiceTruth, SocketTruth, UnitTruth

SLACK_SECONDS = 1.0  # as the issue of the proof has it; a test on a machine that may be slow and busy gives more
SAMPLE_SECONDS = 0.2  # no sample of a unit or a socket comes later than this after the one before, as a rule
CARRIED_ON_SECONDS = 0.5  # after a server came: what was begun before it is under way again
EVENT_SECONDS = 0.0  # a death, a vanished socket: milliseconds, so the slack covers it
QUEUE_FULL_SECONDS = 1.0  # a full queue may be a burst
STALE_GRACE_SECONDS = 2.0
ENDED_UNSEEN_SECONDS = 2 * SAMPLE_SECONDS  # who was well at a row, and is left alone, is seen so by then
SETTLE_SECONDS = 3.0  # for what moves to come to rest, where no bound is promised: a new server, an operation's end

APART = ("starting", "stopping", "restarting", "degraded", "unknown")


@dataclass
class Row:
    """What hero_proc said of one service; it was so at some moment between `asked` and `answered`."""

    asked: float
    answered: float
    source: str  # ListServices, GetStatus, Properties, list --json, StateChanged
    service: str
    state: str
    reason: str  # the leading code
    wanted: str = ""
    subject: str = ""  # of the leading reason
    actions: list[dict[str, Any]] = field(default_factory=list)
    sockets: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Surroundings:
    """What else was going on: times when evidence could not be had, and since when the server has been there."""

    server_since: float = 0.0
    servers: deque[float] = field(default_factory=lambda: deque(maxlen=256))  # when each came
    slack: float = SLACK_SECONDS
    disturbed: list[tuple[float, float, str]] = field(default_factory=list)  # start, end, what
    injuries: dict[str, Injuries] = field(default_factory=dict)  # of each service

    def injuries_of(self, service: str) -> Injuries:
        return self.injuries.setdefault(service, Injuries())

    def server_stood_still(self, a: float, b: float) -> float:
        """Seconds between a and b in which it may have been stopped by a signal: it asks nothing then, and counts nothing."""
        return sum(max(0.0, min(end, b) - max(start, a)) for start, end, what in self.disturbed if what == "server: SIGSTOP")

    def undisturbed_seconds(self, a: float, b: float) -> float:
        """Between a and b, all together."""
        seconds, at = 0.0, a
        for start, end, _ in sorted(self.disturbed):
            seconds += max(0.0, min(start, b) - at)
            at = max(at, end)
        return seconds + max(0.0, b - at)

    def disturbance(self, a: float, b: float) -> str:
        return next((what for start, end, what in self.disturbed if start <= b and end >= a), "")


@dataclass
class Verdict:
    """kind: true, late (untrue within the bound), apart, lie, stuck, unseen (the truth was not seen all the time)."""

    kind: str
    why: str = ""


@dataclass
class Part:
    """A required thing: its timeline, and how long it may be untrue before no row may say otherwise."""

    name: str
    kind: str  # unit, socket, probe
    action: str
    timeline: Timeline
    shown_within: float
    failed_within: float
    stale_within: float = 0.0


def parts_of(truth: ServiceTruth, t: float) -> list[Part]:
    """The required parts as they count at t: the bound of a probe depends on how long its failing takes just then."""
    parts = [Part(unit.shape.unit, "unit", name, unit.up, EVENT_SECONDS, EVENT_SECONDS)
             for name, unit in truth.units.items()]
    for path, s in truth.sockets.items():
        span = s.alive.since(t, False)
        bound = QUEUE_FULL_SECONDS if span and span[2] == "queue full" else EVENT_SECONDS
        parts.append(Part(path, "socket", s.shape.action, s.alive, bound, bound))
    for name, p in truth.probes.items():
        if not p.shape.report:
            span = p.answers.since(t, False)
            slowest = span[1] if span and span[2] != "queue full" else p.shape.timeout  # who finds it full knocks again
            parts.append(Part(name, "probe", p.shape.action, p.answers, p.shape.shown_within(slowest),
                              p.shape.failed_within(slowest), p.shape.seen_well_within() + STALE_GRACE_SECONDS))
    return parts


class Judge:
    """Judges the rows of one service."""

    def __init__(self, truth: ServiceTruth, registers: Registers, surroundings: Surroundings,
                 all_services: dict[str, ServiceTruth]):
        self.truth = truth
        self.shape: ServiceShape = truth.shape
        self.injuries = surroundings.injuries_of(truth.shape.name)
        self.registers = registers
        self.surroundings = surroundings
        self.all = all_services

    def judge(self, row: Row) -> Verdict:
        judgement = getattr(self, f"_{row.state}", None)
        if judgement is None:
            return Verdict("lie", f"{row.state!r} is no state")
        verdict = judgement(row)
        if verdict.kind in ("true", "apart") and row.actions:
            return self._facts(row) or verdict
        return verdict

    # -- what claims that the service serves --

    def _dead_part(self, row: Row, within: str) -> Verdict | None:
        """A required part that was bad from (row - bound) to the row without interruption."""
        late = None
        taken_down = [a.name for a in self.shape.actions if self.registers.is_taken_down(a.name, row.answered)]
        for part in parts_of(self.truth, row.answered):
            span = part.timeline.since(row.answered, False)
            if span is None or span[0] > row.asked or row.state == "degraded" and part.action in taken_down:
                continue
            since = row.asked - span[0]
            if part.kind != "unit":  # between two samples a new invocation may have been well for a moment
                since = row.asked - max(span[0], self._started(part.action, row.answered))
            if part.kind == "probe" or span[2] == "queue full":  # two looks that were bad say nothing of the time between them
                since = min(since, row.asked - self._healed_before(part, span[2], row.asked))
            if row.state == "degraded":  # "fewer times than its limit": a new server counts anew, and a new definition
                since = min(since, row.asked - self.surroundings.server_since)
                if part.kind == "probe":
                    since = min(since, row.asked - self.registers.defined_anew(row.asked))
                    since -= self.surroundings.server_stood_still(span[0], row.asked)
            bound = getattr(part, within) + self.surroundings.slack
            if part.kind == "probe" and self.surroundings.disturbance(span[0], row.asked):
                bound = max(bound, part.stale_within + self.surroundings.slack)  # no answer: until the last is too old
            if since >= bound and not self._may_have_been_up(part, row):
                return Verdict("lie", f"{part.kind} {part.name}: {span[2]}, since {since:.2f} s; bound {bound:.2f} s")
            late = Verdict("late", f"{part.kind} {part.name}: {span[2]}, since {since:.2f} s; bound {bound:.2f} s")
        return late

    def _may_have_been_up(self, part: Part, row: Row) -> bool:
        """Between two samples in which its unit was down, with what the unit brings along."""
        a = row.asked - SAMPLE_SECONDS
        if part.kind == "unit" and self._started(part.action, row.answered) > a and \
                self.injuries.ended(part.action, a, row.answered + SAMPLE_SECONDS):
            return True
        return (self.registers.is_being_started(a, row.answered) or self._is_carried_on(row)) and (
            part.kind == "unit" or part.action != "" and self.truth.units[part.action].up.since(row.answered, True) is None)

    def _is_carried_on(self, row: Row) -> bool:
        """A new server brings to its end what was asked of one before it: its start may fall between two samples, too."""
        return any(row.asked - CARRIED_ON_SECONDS <= came <= row.answered for came in self.surroundings.servers) and \
            any(o.is_restart or o.wanted == "up" for o in self.registers.under_way(row.asked, row.answered, 0.0))

    def _healed_before(self, part: Part, detail: str, t: float) -> float:
        """When, at the latest before t, what made it so was taken back."""
        if detail == "queue full":
            return self.injuries.over_before(t, lambda injury: injury.stands_still and injury.action == part.action)
        return self.injuries.over_before(t, lambda injury: injury.hits_probe(self.truth.probes[part.name].shape))

    def _started(self, action: str, t: float) -> float:
        """When the invocation of t, or one that was seen just after it, was first seen."""
        run = self.truth.units[action].invocations.value_at(t + SAMPLE_SECONDS) if action else None
        return run.start if run else 0.0

    def _running(self, row: Row) -> Verdict:
        verdict = self._dead_part(row, "shown_within")
        if verdict is None or verdict.kind == "late":
            verdict = self._never_well(row) or verdict
        if verdict:
            return verdict
        if self.shape.is_done_when_down:
            return Verdict("true")
        unseen = next((name for name, t in self.truth.parts().items() if t.value_at(row.asked) is None), "")
        return Verdict("unseen", f"no sample of {unseen}") if unseen else Verdict("true")

    def _never_well(self, row: Row) -> Verdict | None:
        """A new invocation in the time that a row may speak of makes no `running` true in which nothing was ever seen alive:
        not the one before, not the new one, not just after the row, and nobody is known who may have ended it by then."""
        b = row.answered + ENDED_UNSEEN_SECONDS
        for part in parts_of(self.truth, row.answered):
            a = row.asked - part.shown_within - self.surroundings.slack
            if part.kind == "probe" or part.kind == "unit" and self.shape.action(part.action).oneshot or \
                    not part.timeline.never(True, a, b) or \
                    any(run.detail == "queue full" for run in part.timeline.history(a, b)):
                continue
            if self.injuries.any_between(a - EFFECT_SECONDS, b) or self.surroundings.disturbance(a, b) or \
                    self.registers.under_way(a, b, SETTLE_SECONDS):
                return None
            return Verdict("lie", f"{part.kind} {part.name}: never seen alive from {a:.3f} to {b:.3f}, in no invocation")
        return None

    def _degraded(self, row: Row) -> Verdict:
        """It says that the service serves, so it may hide no death; and something must be wrong with it."""
        stopped = any(self._is_action_down(a.name, row) for a in self.shape.actions)
        verdict = self._dead_part(row, "failed_within")
        if verdict and verdict.kind == "lie":
            return verdict
        bounds = [p.shape.failed_within(p.shape.timeout) + p.shape.seen_well_within() + self.surroundings.slack
                  for p in self.truth.probes.values()]
        since = row.asked - max(bounds, default=self.surroundings.slack)
        if any(p.answers.ever(False, since, row.answered) or
               self.injuries.failed_probe(p.shape, p.answers, since, row.answered) for p in self.truth.probes.values()):
            return Verdict("apart", "a probe failed lately")
        if stopped:
            return Verdict("apart", "one action is down")
        if any(s.drained.ever(False, row.asked - SAMPLE_SECONDS, row.answered) or self.injuries.kept_waiting(
                s.shape.action, s.drained, row.asked - self.surroundings.slack, row.answered)
               for s in self.truth.sockets.values()):
            return Verdict("apart", "connections wait to be accepted")
        return self._without_reason(row, since)

    def _is_action_down(self, name: str, row: Row) -> bool:
        return self.truth.units[name].up.ever(False, row.asked - self.surroundings.slack, row.answered)

    # -- what claims that it does not --

    def _failed(self, row: Row) -> Verdict:
        if row.reason == "dependency-failed":
            return self._failed_for_another(row)
        longest = 0.0
        for part in parts_of(self.truth, row.answered):
            recovery = self._recovery_bound(part)
            longest = max(longest, recovery)
            if not self._is_named(part, row):
                continue
            since = row.asked - recovery - self.surroundings.slack
            if row.reason == "socket-not-accepting" and part.kind == "socket":
                if self._may_have_turned_away(self.truth.sockets[part.name], part, since, row):
                    return self._not_by_operator(row)
            elif self._may_have_been_bad(self.truth, part, since, row):
                return self._not_by_operator(row)
        a = row.asked - longest - self.surroundings.slack
        if self.surroundings.disturbance(a, row.answered) == "truth unseen":
            return Verdict("unseen")
        if row.reason == "action-failed" and self._is_owed_a_run(row):
            return Verdict("true", "it was taken down by somebody who may be forgotten, and has not run since")
        return Verdict("lie", f"failed ({row.reason} {row.subject}), and nothing that it names was bad in the last "
                              f"{longest + self.surroundings.slack:.2f} s")

    def _is_named(self, part: Part, row: Row) -> bool:
        """Whether it is what the row says is dead."""
        if row.reason == "probe-failed":
            return part.kind == "probe"
        if row.reason.startswith("socket-") and row.subject.startswith("port "):  # it goes with its process, and probes ask it
            return part.kind == "unit" or part.kind == "probe" and isinstance(self.truth.probes[part.name].shape.address, int)
        return not row.reason.startswith("socket-") or part.kind == "socket" and row.subject in ("", part.name)

    def _may_have_turned_away(self, socket: SocketTruth, part: Part, a: float, row: Row) -> bool:
        """A queue that was full once may be a burst: it is dead when nobody was taken from it for a second."""
        return socket.kept_too_long(a, row.answered) or self._may_have_been_bad(self.truth, part, a, row) and \
            socket.may_have_kept(QUEUE_FULL_SECONDS - 2 * SAMPLE_SECONDS, a, row.answered)

    def _is_owed_a_run(self, row: Row) -> bool:
        """Of a oneshot "inactive" is good, whether it has done its work or never did. A stop of the slice takes its unit away;
        to a server that knows of no stop, the one that was made instead is wanted up and was not started."""
        stop = self.registers.forgotten_stop(row.asked)
        return stop is not None and any(
            unit.shape.oneshot and not any(run.end > stop.end + SAMPLE_SECONDS for run in unit.invocations.runs)
            for unit in self.truth.units.values())

    def _may_have_been_bad(self, truth: ServiceTruth, part: Part, a: float, row: Row) -> bool:
        """For so long that it is failed, at some moment between a and the row."""
        if part.timeline.ever(False, a, row.answered) or self._went_with_its_unit(truth, part, a, row):
            return True
        injuries = self.surroundings.injuries_of(truth.shape.name)
        if part.kind == "probe":
            shape = truth.probes[part.name].shape
            return injuries.failed_probe(shape, part.timeline, a, row.answered, shape.failures)
        return part.kind == "socket" and injuries.hit_socket(part.name, part.timeline, a, row.answered)

    def _went_with_its_unit(self, truth: ServiceTruth, part: Part, a: float, row: Row) -> bool:
        """Where a unit is restarted, its socket may be gone and there again between two samples; and who sees the file go
        may hear of the job only milliseconds later. Of a probe that is one failure, which is told just then."""
        unit, b = truth.units.get(part.action), row.answered + SAMPLE_SECONDS
        if part.kind == "probe":
            if truth.probes[part.name].shape.failures > 1:
                return False
            a = row.asked - self.surroundings.slack
        return unit is not None and (unit.was_started_anew(a, b) or part.kind != "unit" and unit.up.ever(False, a, b))

    @staticmethod
    def _recovery_bound(part: Part) -> float:
        return part.shown_within + part.failed_within if part.kind == "probe" else part.failed_within

    def _failed_for_another(self, row: Row) -> Verdict:
        others = [self.all[name] for name in self.shape.requires if name in self.all]
        since = row.asked - SETTLE_SECONDS - self.surroundings.slack
        for other in others:
            parts = parts_of(other, row.answered)
            since_other = since - max(map(self._recovery_bound, parts), default=0.0)
            if any(self._may_have_been_bad(other, part, since_other, row) for part in parts) or \
                    any(t.ever(False, since_other, row.answered) for t in other.parts().values()):
                return Verdict("true")
        return Verdict("lie", "dependency-failed, and what it needs was well all the time")

    def _not_by_operator(self, row: Row) -> Verdict:
        """What an operator took down is stopped, not failed: unless it was dead when he asked."""
        wanted = self.registers.certain("wanted", row.asked - SETTLE_SECONDS, self.surroundings.server_since)
        now = self.registers.certain("wanted", row.answered, self.surroundings.server_since)
        down = all(u.up.always(False, row.asked - SETTLE_SECONDS, row.answered) for u in self.truth.units.values())
        if wanted == now == "down" and down and not self.registers.under_way(row.asked - SETTLE_SECONDS, row.answered, 0):
            return Verdict("lie", "failed, although it is down by an operator's wish")
        return Verdict("true")

    def _stopped(self, row: Row) -> Verdict:
        for unit in self.truth.units.values():
            span = unit.up.since(row.answered, True)
            if unit.shape.oneshot or span is None:
                continue
            # One that ends well and is started anew may be up in two samples, and was down between them.
            since = row.asked - max(span[0], self._started(unit.shape.name, row.answered))
            if since >= self.surroundings.slack:
                return Verdict("lie", f"stopped, and {unit.shape.unit} has been up for {since:.2f} s")
            if since > 0:
                return Verdict("late", f"{unit.shape.unit} is up since {since:.2f} s")
        return Verdict("true")

    # -- what claims nothing --

    def _starting(self, row: Row) -> Verdict:
        return self._in_motion(row)

    def _restarting(self, row: Row) -> Verdict:
        return self._in_motion(row)

    def _stopping(self, row: Row) -> Verdict:
        return self._in_motion(row)

    def _unknown(self, row: Row) -> Verdict:
        return self._without_reason(row, row.asked - self._rest_bound())

    def _rest_bound(self) -> float:
        """How long it may take until something definite can be said of a service that does not change."""
        probes = [p.shape.failed_within(p.shape.timeout) for p in self.truth.probes.values() if not p.shape.report]
        return max(probes, default=0.0) + SETTLE_SECONDS + self.surroundings.slack

    def _in_motion(self, row: Row) -> Verdict:
        since = row.asked - self._rest_bound()
        if any(u.up.history(since, row.answered) and any("job" in r.detail or r.detail.startswith(("activating", "deactivating"))
               for r in u.up.history(since, row.answered)) for u in self.truth.units.values()):
            return Verdict("apart", "systemd is at work")
        all_down = all(u.up.always(False, since, row.answered) for u in self.truth.units.values())
        if all_down and self._waits_for_another(row, since):
            return Verdict("apart", "it waits for another service")
        up_since = min((span[0] for u in self.truth.units.values() if not u.shape.oneshot
                        and (span := u.up.since(row.answered, True))), default=row.asked)
        if row.state == "starting" and row.asked - up_since < self.shape.start_timeout + self._rest_bound():
            if any(t.ever(False, since, row.answered) for t in self.truth.parts().values()):
                return Verdict("apart", "within its start timeout")
        if self.shape.heals and row.state == "restarting" and (
                any(t.ever(False, since, row.answered) for t in self.truth.parts().values()) or
                any(self._may_have_been_bad(self.truth, part, since, row) for part in parts_of(self.truth, row.answered))):
            return Verdict("apart", "it is being healed")
        return self._without_reason(row, since)

    def _waits_for_another(self, row: Row, since: float) -> bool:
        return any(t.ever(False, since - 5, row.answered) for name in self.shape.requires
                   for t in self.all[name].parts().values())

    def _without_reason(self, row: Row, since: float) -> Verdict:
        """No row may go on saying nothing where all has been the same for longer than it takes to see it."""
        if self.surroundings.server_since > since:
            return Verdict("apart", "the server is new")
        disturbance = self.surroundings.disturbance(since, row.answered)
        if disturbance:
            return Verdict("apart", disturbance)
        if self.registers.under_way(since, row.answered, SETTLE_SECONDS):
            return Verdict("apart", "an operation is under way")
        for name, timeline in self.truth.parts().items():
            now = timeline.value_at(row.answered)
            if now is None or not timeline.always(now.good, since, row.asked):
                return Verdict("apart", f"{name} has just changed")
        for unit in self.truth.units.values():
            if unit.was_started_anew(since, row.answered + SAMPLE_SECONDS):
                return Verdict("apart", f"unit {unit.shape.unit} has just changed")
        state = ", ".join(f"{name}: {t.value_at(row.answered).detail}" for name, t in self.truth.parts().items())
        return Verdict("stuck", f"{row.state} ({row.reason} {row.subject}), and nothing has moved since "
                                f"{row.asked - since:.2f} s: {state}")

    # -- what the long rows say besides --

    def _facts(self, row: Row) -> Verdict | None:
        """PIDs, invocations and sockets, where the truth has been the same for long enough."""
        a = row.asked - self.surroundings.slack
        for said in row.actions:
            unit = self.truth.units.get(said["name"])
            span = unit.invocations.value_at(row.answered) if unit else None
            if unit is None or unit.shape.oneshot or span is None or span.start > a or span.end < row.answered:
                continue
            is_up = unit.up.always(True, a, row.answered)
            if is_up and said["invocation_id"] != span.detail:
                return Verdict("lie", f"{unit.shape.unit}: invocation {said['invocation_id']} and not {span.detail}")
            if is_up and said["main_pid"] == 0:
                return Verdict("lie", f"{unit.shape.unit}: PID 0, and it runs")
            if self._is_no_process_of(unit, said["main_pid"], is_up, row, a):
                return Verdict("lie", f"{unit.shape.unit}: PID {said['main_pid']}, and for {row.asked - a:.2f} s its cgroup "
                                      f"has held {unit.processes.value_at(row.answered).detail or 'none'}")
        return self._socket_facts(row, a)

    def _is_no_process_of(self, unit: UnitTruth, pid: int, is_up: bool, row: Row, a: float) -> bool:
        """In the same invocation since a. That one has ended need not be heard of while the server or systemd is held up; of one
        that goes on, the process is the same as before."""
        if pid == 0 or not is_up and self.surroundings.disturbance(a, row.answered):
            return False
        return not unit.may_have_held(pid, a, row.answered)

    def _socket_facts(self, row: Row, a: float) -> Verdict | None:
        for said in row.sockets:
            socket = self.truth.sockets.get(said["path"])
            alive = said["state"] == "alive"
            if socket is None or not socket.alive.always(not alive, a, row.answered) or \
                    self._started(socket.shape.action, row.answered) > a:
                continue
            detail = socket.alive.value_at(row.answered).detail
            if detail != "queue full" and not self.surroundings.disturbance(a, row.answered):
                return Verdict("lie", f"socket {said['path']} is said to be {said['state']}, and was {detail}")
        return None
