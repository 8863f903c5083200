# SPDX-License-Identifier: LGPL-2.1-or-later
"""The report: docs/benchmarks.md and its plots, of all samples that there are. Nothing in it is written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Iterable

import plot
from figures import NEVER, Figures, exponent, middle, percentile, slope
from slopes import PROBED, PROBES_EACH, RESTARTED

FLOORS = {"start": "floor", "cpu_probe": "floor", "list": "systemctl"}
KIB_PER_MIB = 1024
RETURNED_AFTER = 20  # seconds: supervisor.c's TRIM_DELAY_USEC


def write(parts: list[Figures], folder: Path) -> None:
    known = {part.part: part for part in parts}
    folder.mkdir(parents=True, exist_ok=True)
    text = [HEAD]
    for name, section in SECTIONS.items():
        if name in known:
            text.append(section(known, folder))
    text.insert(1, goals(known))
    text.append(machines(parts))
    folder.joinpath("benchmarks.md").write_text("\n".join(text))


HEAD = """<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->
<!-- Written by `make bench`: do not edit. -->
# Benchmarks

hero_proc beside its peers, as Debian packages them, and beside the *floor*: the least that the same work can cost on this
machine. Each part opened a sandbox of its own (a systemd, and all that is written on tmpfs; those on web services shared one); in it
all whom the part compares ran one after another in an order that a seed chose, but for faults, which all saw at once.
`make bench LONG=1` measures all of this again and writes this page; `make bench LONG=1 PART=start` does one part of it. Without
`LONG=1` it ends at 1000 services, 100,000 probes and 1,000 restarts, and writes `build/bench/results/benchmarks.md` instead.

A cell is the median; where there are two numbers, the second is p99 (of few samples that is the largest), or they are named. *k* is the
exponent of growth by a log-log fit over the sizes: 1 is linear, 0 does not grow.
"""


def promised_size(figures: Figures, figure: str) -> int:
    """The number of services that a goal is for."""
    sizes = figures.sizes(figure)
    return 1000 if 1000 in sizes else max(sizes)


# Tables

def table(heads: list[str], rows: Iterable[list[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows), ""])


def cell(values: list[float], scale: float = 1.0, with_p99: bool = False) -> str:
    found = middle(values)
    if found is None:
        return ""
    if found == NEVER:
        return "never"
    text = plot.number(found * scale)
    tail = percentile(values, 99)
    if with_p99 and tail is not None and len(values) > 1:
        text += " / " + ("never" if tail == NEVER else plot.number(tail * scale))
    return text


def ratio(figures: Figures, figure: str, who: str, n: int) -> float | None:
    mine, floor = (middle(figures.of(figure, each, n)) for each in (who, FLOORS[figure]))
    return mine / floor if mine is not None and floor else None


def points_of(figures: Figures, figure: str, who: str, scale: float = 1.0) -> list[tuple[float, float]]:
    known = ((n, middle(figures.of(figure, who, n))) for n in figures.sizes(figure))
    return [(n, value * scale) for n, value in known if value is not None and value != NEVER]


def spread(values: list[float], scale: float = 1.0) -> str:
    """The median, and of several samples the least and the most."""
    ends = f" ({plot.number(min(values) * scale)} to {plot.number(max(values) * scale)})" if len(set(values)) > 1 else ""
    return cell(values, scale) + ends


def by_size(figures: Figures, figure: str, scale: float, whos: Iterable[str] | None = None, with_p99: bool = True,
            with_spread: bool = False) -> str:
    """A row each, a column each size, then the growth and, where there is a floor, the ratio to it at the largest size."""
    sizes = figures.sizes(figure)
    rows = []
    for who in whos or figures.whos(figure):
        k = exponent(points_of(figures, figure, who))
        cells = (figures.of(figure, who, n) for n in sizes)
        row = [who, *(spread(values, scale) if with_spread else cell(values, scale, with_p99) for values in cells),
               "" if k is None else f"{k:.2f}"]
        if figure in FLOORS:
            known = [(n, ratio(figures, figure, who, n)) for n in sizes]
            row.append(", ".join(f"{value:.2f}" for _, value in known if value is not None))
        rows.append(row)
    heads = ["", *(f"{n} services" for n in sizes), "k"]
    if figure in FLOORS:
        heads.append(f"× {FLOORS[figure]}, by size")
    return table(heads, rows)


def picture(folder: Path, name: str, svg: str, what: str) -> str:
    folder.joinpath(f"benchmarks-{name}.svg").write_text(svg)
    return f"![{what}](benchmarks-{name}.svg)\n"


def curves(figures: Figures, figure: str, scale: float = 1.0) -> dict[str, list[tuple[float, float]]]:
    return {who: points_of(figures, figure, who, scale) for who in figures.whos(figure)}


# Sections

def section_start(known: dict[str, Figures], folder: Path) -> str:
    f = known["start"]
    return "\n".join([
        "## Starting\n",
        "Seconds until the last of many services has said itself that it is there (one byte into a pipe). The floor is a "
        "program of 200 lines that makes the same units, property by property (the run compares `systemctl show` of both), by "
        "pipelined calls to systemd, 64 jobs at a time, which is what the bus bears. hero_proc: `hero_proc apply` of one file "
        "each, to a server that runs. supervisord and s6-svscan start with the services, and make no cgroup, no unit and no "
        "journal stream for any of them.\n",
        by_size(f, "start", 1.0),
        "Processor time of that, in seconds, until nothing is left to do; it depends less than the time on what else the machine "
        "does. Not in it are the short-lived: the floor's program, `hero_proc apply`, and the services themselves.\n", by_size(f, "start_cpu", 1.0, sorted(f.whos("start_cpu")), with_p99=False), picture(folder, "start", plot.lines("Start of many services", "s", curves(f, "start")),
                                         "seconds to start, over the number of services")])


def section_probe(known: dict[str, Figures], folder: Path) -> str:
    f = known["probe"]
    n = promised_size(f, "cpu_probe")
    whos = [who for who in ("hero_proc", "monit", "floor") if who in f.whos("cpu_probe")]
    chart = plot.bars(f"Probing {n} unix sockets once a second", "", {
        "processor time a probe, µs": {who: (middle(f.of("cpu_probe", who, n)) or 0) * 1e6 for who in whos},
        "lateness p99, ms": {who: max((percentile(f.of("late", who, n), 99) or 0) * 1000, 0.1) for who in whos}})
    late = [[who, *(cell(f.of("late", who, size), 1000, True) for size in f.sizes("late")),
             *(cell(f.of("rate", who, size), 1.0) for size in f.sizes("rate")[-1:])] for who in whos]
    return "\n".join([
        "## Probing\n",
        "An nginx each, a unix socket each, asked `GET /health` once a second by one after another of: hero_proc, whose "
        "services they are; monit, with a check each; the floor, a loop of connect, write, read, close. The processes asked "
        "stay the same. Each was measured for "
        f"{f.machine.get('windows', 'a time that is not known')} services. "
        "Processor time is that of who asks alone (for monit that holds its reading of /proc, which is how it sees "
        "processes; for hero_proc systemd does that). With few services hero_proc's is mostly what does not grow with "
        "them: twenty looks a second at the kernel's table of sockets, by which a listener that closes shows within 100 ms "
        "(they take less than a hundredth of a core, or become fewer); and it sleeps twice a probe, where the floor does once.\n",
        "Processor time a probe, µs:\n", by_size(f, "cpu_probe", 1e6, whos),
        "Percent of a core, all in all:\n", by_size(f, "cpu", 100, whos),
        "Lateness, ms, by nginx's own log (to the millisecond): how much longer than a second it was since the request "
        "before, of all windows together. The last column is how often each was asked in a second.\n",
        table(["", *(f"{size} services" for size in f.sizes("late")), "requests/s"], late),
        picture(folder, "probe", chart, "cost and lateness of a probe")])


def memory_of(known: dict[str, Figures]) -> Figures:
    """hero_proc and monit have been measured with their probes, supervisord and s6 when they had started all."""
    merged = Figures("memory")
    for part in ("memory", "start"):
        for figure in ("rss_anon", "rss", "pss", "fds"):
            for who, sizes in known.get(part, Figures(part)).samples.get(figure, {}).items():
                for n, values in sizes.items():
                    merged.add(figure, who, n, *values)
    return merged


def section_memory(known: dict[str, Figures], folder: Path) -> str:
    f = memory_of(known)
    text = ["## Memory\n",
            "MiB of the supervisor without its services: hero_proc_server and monit with a probe a second for each, "
            "at the end of each window of [Probing](#probing) (median, and the least to the most of them); supervisord, and s6-svscan with all "
            "s6-supervise, once all were started. hero_proc gives back to the kernel what it needed for a start, of itself or "
            f"of services, {RETURNED_AFTER} s after it began, and again for as long as anything is under way: the row *just started* is from "
            "before that, all others of hero_proc are from after it. *No probes* are the services of [Starting](#starting), in the server that started them. What systemd keeps of hero_proc's "
            "units is a row of its own: it would keep that of any unit. Pss counts once what processes share.\n"]
    for figure, name in (("rss_anon", "RssAnon"), ("rss", "RSS"), ("pss", "Pss")):
        text += [f"{name}:\n", by_size(f, figure, 1 / KIB_PER_MIB, with_spread=True)]
    text += ["File descriptors:\n", by_size(f, "fds", 1.0, with_p99=False)]
    text.append(picture(folder, "memory", plot.lines("Memory of the supervisor (RssAnon)", "MiB",
                                                     curves(f, "rss_anon", 1 / KIB_PER_MIB)), "memory over services"))
    return "\n".join(text)


FAULTS = {"death": "process killed", "vanished": "socket file removed", "dead": "handler closes without a byte (nginx 444)",
          "hung": "handler hangs"}


def section_detection(known: dict[str, Figures], folder: Path) -> str:
    f = known["detection"]
    whos = sorted({who for fault in FAULTS for who in f.whos(f"detect_{fault}")})
    rows = [[who, *(cell(f.of(f"detect_{fault}", who, 1), 1000, True) for fault in FAULTS)] for who in whos]
    shown = ("hero_proc", "hero_proc, first sign", "monit", "supervisord", "systemd alone")
    groups = {}
    for fault, words in FAULTS.items():
        found = {who: middle(f.of(f"detect_{fault}", who, 1)) for who in shown}
        groups[words] = {who: None if value == NEVER else value * 1000 for who, value in found.items() if value is not None}
    counts = ", ".join(f"{len(f.of(f'detect_{fault}', 'hero_proc', 1))} × {words}" for fault, words in FAULTS.items())
    alone = " and ".join(f"{len(found)} × {words}" for fault, words in FAULTS.items()
                         if (found := f.of(f"detect_{fault}", "hero_proc, one after another", 1)))
    return "\n".join([
        "## Detection\n",
        "Milliseconds from the fault until it is told, median / p99: hero_proc by its signal that the service is *failed*, monit "
        "and supervisord by their logs, systemd by its signal. The same nginx runs under each of them and is hit at the same "
        "moment, any moment of a second. Probes and monit's cycle: once a second, with a timeout of a second. hero_proc calls a "
        "service failed after three failures in a row; *first sign* is when it leaves `running`. Nothing restarts anything. "
        f"Never: not within {known['detection'].machine.get('never_seconds', 15):g} s, tried once: who did not tell of a kind of "
        f"fault is not hit by it again. Faults, each seen by hero_proc: {counts}; *one after another*: another service, with "
        f"nothing else going on, {alone}.\n",
        table(["", *FAULTS.values()], rows),
        picture(folder, "detection", plot.bars("Time until a fault is told", "ms", groups), "time until a fault is told")])


GROWTHS = {"death": "killed", "vanished": "gone", "dead": "dead"}  # fault: short, for a label


def section_growth(known: dict[str, Figures], folder: Path) -> str:
    f = known["growth"]
    text = [
        "## Detection among many\n",
        "Milliseconds until a fault is told, median / p99, in one of so many web services that both hero_proc and monit probe "
        "once a second, all the while, with a timeout of two seconds; else as above. Both see the same fault of the same service. "
        "One service after another is hit, those that were stay broken until the next kind of fault. Faults at each size: " +
        ", ".join(f"{len(f.of(f'detect_{fault}', 'hero_proc', max(f.sizes(f'detect_{fault}'))))} × {FAULTS[fault]}"
                  for fault in GROWTHS) + ".\n"]
    for fault in GROWTHS:
        whos = ["hero_proc", *(["hero_proc, first sign"] if fault == "dead" else []), "monit"]
        text += [f"{FAULTS[fault].capitalize()}:\n", by_size(f, f"detect_{fault}", 1000, whos)]
    series = {f"{who}, {word}": points_of(f, f"detect_{fault}", who, 1000)
              for fault, word in GROWTHS.items() for who in ("hero_proc", "monit")}
    text.append(picture(folder, "growth", plot.lines("Time until a fault is told, among many services", "ms", series),
                        "time until a fault is told, over services"))
    return "\n".join(text)


def section_restart(known: dict[str, Figures], folder: Path) -> str:
    f = known["restart"]
    return "\n".join([
        "## Restart of the server\n",
        "Seconds from `systemctl stop hero_proc` until, after a start, every row is right, the time in which nothing was done "
        "left out. *Broken meanwhile*: some services (4 of 100) were killed, lost their socket or their handler, or were stopped "
        "while the server was away, and count as right when they are told *failed* or *stopped*; a dead handler takes three "
        "probes. What is right the run knows from cgroups and requests of its own, and it fails if anything untrue was said "
        "before.\n",
        table(["", *(f"{n} services" for n in f.sizes("restart")), "k"],
              [[words, *(cell(f.of(figure, "hero_proc", n), 1.0, True) for n in f.sizes("restart")),
                f"{exponent(points_of(f, figure, 'hero_proc')) or 0:.2f}"]
               for figure, words in (("restart", "nothing broken"), ("restart_broken", "broken meanwhile"))]),
        picture(folder, "restart", plot.lines("Server restart until every row is right", "s", {
            "hero_proc": points_of(f, "restart", "hero_proc"),
            "hero_proc, broken": points_of(f, "restart_broken", "hero_proc")}), "restart over services")])


def section_list(known: dict[str, Figures], folder: Path) -> str:
    f = known["list"]
    return "\n".join([
        "## List\n",
        "Milliseconds of `hero_proc list` beside `systemctl list-units 'hero-*.service'` of the same units, in turn:\n",
        by_size(f, "list", 1000.0),
        picture(folder, "list", plot.lines("List of all services", "ms", curves(f, "list", 1000.0)), "list over services")])


def growth(figures: Figures, figure: str, what: str, settled: float = 0.4) -> tuple[float, float] | None:
    """(by how much it grows over all that was done, of how many) after what is taken at first."""
    done, values = figures.of(figure, "done", 1), figures.of(figure, what, 1)
    pairs = [(x, y) for x, y in zip(done, values) if x >= settled * done[-1]]
    grown = slope(pairs) if len(pairs) > 2 else None
    return None if grown is None else (grown * (pairs[-1][0] - pairs[0][0]), done[-1])


def section_slope(known: dict[str, Figures], _: Path) -> str:
    f = known["slope"]
    rows = []
    for figure, words in (("slope_probes", "probes"), ("slope_restarts", "restarts of services")):
        memory, descriptors = growth(f, figure, "rss_anon"), growth(f, figure, "fds")
        if memory and descriptors:
            values = f.of(figure, "rss_anon", 1)
            rows.append([f"{memory[1]:,.0f} {words}", plot.number(values[-1] / KIB_PER_MIB), f"{memory[0]:+.0f}",
                         f"{descriptors[0]:+.1f}"])
    return "\n".join([
        "## Slope\n",
        f"Whether the server grows with what it has done: {PROBED} services with {PROBES_EACH} probes each, then {RESTARTED} "
        "services that are killed. By a linear fit over the last three fifths, after caches and histories are full. "
        "RssAnon in KiB (a page is 4), descriptors in flight come and go.\n",
        table(["", "RssAnon at the end, MiB", "grown by, KiB", "descriptors"], rows)])


SECTIONS: dict[str, Callable[[dict[str, Figures], Path], str]] = {
    "start": section_start, "probe": section_probe, "memory": section_memory, "detection": section_detection,
    "growth": section_growth, "restart": section_restart, "list": section_list, "slope": section_slope}


# What was promised

def goals(known: dict[str, Figures]) -> str:
    rows = [goal for part, judge in GOALS.items() if part in known for goal in judge(known)]
    return "\n".join(["## What was to be reached\n", table(["", "goal", "measured", ""], rows)])


def goal(what: str, wanted: str, value: float | None, limit: float, unit: str) -> list[str]:
    if value is None:
        return [what, wanted, "not measured", ""]
    return [what, wanted, f"{plot.number(value)} {unit}".strip(), "reached" if value <= limit else "**missed**"]


def goals_start(known: dict[str, Figures]) -> list[list[str]]:
    f = known["start"]
    n = promised_size(f, "start")
    return [goal(f"start {n} services", "≤ 1.15 × floor", ratio(f, "start", "hero_proc", n), 1.15, "×")]


def goals_probe(known: dict[str, Figures]) -> list[list[str]]:
    f = known["probe"]
    n = promised_size(f, "cpu_probe")
    mine, monit = (middle(f.of("cpu_probe", who, n)) for who in ("hero_proc", "monit"))
    late = percentile(f.of("late", "hero_proc", n), 99)
    return [goal(f"processor time a probe, {n} services", "≤ 1.35 × floor", ratio(f, "cpu_probe", "hero_proc", n), 1.35, "×"),
            goal("the same, beside monit", "below monit", mine / monit if mine and monit else None, 1.0, "×"),
            goal(f"lateness p99 of {n} probes a second", "≤ 20 ms", None if late is None else late * 1000, 20, "ms")]


def goals_memory(known: dict[str, Figures]) -> list[list[str]]:
    f = known["memory"]
    n = promised_size(f, "rss_anon")
    mine, monit = (middle(f.of("rss_anon", who, n)) for who in ("hero_proc", "monit"))
    return [goal(f"RssAnon with {n} services and probes", "≤ 8 MiB", mine and mine / KIB_PER_MIB, 8, "MiB"),
            goal("the same, beside monit", "below monit", mine / monit if mine and monit else None, 1.0, "×")]


def goals_detection(known: dict[str, Figures]) -> list[list[str]]:
    f = known["detection"]
    rows = []
    for fault in ("death", "vanished"):
        tail = percentile(f.of(f"detect_{fault}", "hero_proc, one after another", 1), 99)
        rows.append(goal(f"{FAULTS[fault]}, until the signal", "p99 ≤ 20 ms", None if tail is None else tail * 1000, 20, "ms"))
    return rows


def goals_restart(known: dict[str, Figures]) -> list[list[str]]:
    f = known["restart"]
    n = promised_size(f, "restart")
    return [goal(f"restart of the server, {n} services, all rows right", "≤ 2 s", middle(f.of("restart", "hero_proc", n)), 2, "s")]


def goals_list(known: dict[str, Figures]) -> list[list[str]]:
    f = known["list"]
    n = promised_size(f, "list")
    return [goal(f"`list` of {n}", "≤ 1 × `systemctl list-units`", ratio(f, "list", "hero_proc", n), 1.0, "×")]


def goals_slope(known: dict[str, Figures]) -> list[list[str]]:
    rows = []
    for figure, words in (("slope_probes", "probes"), ("slope_restarts", "restarts")):
        grown = growth(known["slope"], figure, "rss_anon")
        if grown:
            rows.append(goal(f"memory over {grown[1]:,.0f} {words}", "no slope (64 KiB is noise)", max(grown[0], 0), 64, "KiB"))
    return rows


GOALS: dict[str, Callable[[dict[str, Figures]], list[list[str]]]] = {
    "start": goals_start, "probe": goals_probe, "memory": goals_memory, "detection": goals_detection,
    "restart": goals_restart, "list": goals_list, "slope": goals_slope}


def machines(parts: list[Figures]) -> str:
    rows = []
    for part in parts:
        m = part.machine
        rows.append([part.part, m.get("version", "unknown"), m["when"], str(m["seed"]), f"{m['seconds']:.0f}", f"{m['elsewhere_cores']:.2f}"])
    m = parts[-1].machine if parts else {}
    packages = ", ".join(f"{name} {version}" for name, version in m.get("versions", {}).items())
    return "\n".join([
        "## Where and when\n",
        f"{m.get('cpu')}, {m.get('cores')} cores, {m.get('memory_mib')} MiB, Linux {m.get('kernel')}; {packages}.\n",
        "*Version* is the last commit of hero_proc's src and units. *Elsewhere* is how many of these cores were busy on average, while "
        "the part ran, with what was not in the sandbox: what others did on the machine, the benchmark's own driver, and time "
        "stolen by the host. What is far from 0 was not measured quietly" + quietness(parts) + ".\n",
        table(["part", "version", "when", "seed", "seconds", "elsewhere"], rows)])


def quietness(parts: list[Figures]) -> str:
    busy = [part.machine["elsewhere_cores"] for part in parts]
    return f"; here it was {min(busy):.2f} to {max(busy):.2f} of {parts[0].machine['cores']}" if busy else ""
