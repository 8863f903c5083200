# SPDX-License-Identifier: LGPL-2.1-or-later
"""What campaigns came to, for people, as Markdown. Pure: every figure is computed from the lines of the ledger."""

from __future__ import annotations

from typing import Any

from injuries import QUEUE_FULL
from ledger import UNMEASURED, is_unclean, since_last_finding, sum_of

EARLY_KILL = "server: kill -9 before it answered"
FIGURES = [("lies", "lie"), ("rows that go on saying nothing without a reason", "stuck"), ("orphans", "orphan"),
           ("unexpected restarts", "unexpected restart"), ("lost acknowledged changes", "lost change"),
           ("deaths of the server by itself", "server died"), ("services that did not start", "did not start"),
           ("services that did not recover", "did not recover")]


def table(heads: list[str], rows: list[list[Any]]) -> list[str]:
    return ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads),
            *("| " + " | ".join(map(str, row)) + " |" for row in rows), ""] if rows else []


def in_words(ms: float) -> str:
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.2f} s"


def quantile(ordered: list[int], q: float) -> int:
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def _most_first(counts: dict[str, int]) -> list[list[str]]:
    return [[what, f"{n:,}"] for what, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if n]


def _by_name(counts: dict[str, int]) -> list[list[str]]:
    return [[what, f"{n:,}"] for what, n in sorted(counts.items()) if n]


def _figures(sums: list[dict[str, Any]]) -> list[list[str]]:
    rows = [["minutes", *(f"{s['seconds'] / 60:.1f}" for s in sums)], ["rows compared", *(f"{s['rows']:,}" for s in sums)],
            ["kills of the server", *(f"{s['kills']:,}" for s in sums)],
            ["of them before it had answered", *(f"{s['faults'].get(EARLY_KILL, 0):,}" for s in sums)],
            ["acknowledged restarts looked for one by one", *(f"{s['owed_restarts']:,}" for s in sums)],
            ["acknowledged definitions looked for in a process", *(f"{s['owed_changes']:,}" for s in sums)],
            ["faults", *(f"{sum(s['faults'].values()):,}" for s in sums)]]
    return rows + [[words, *(f"{s['harm'].get(kind, 0):,}" for s in sums)] for words, kind in FIGURES]


def _latency(total: dict[str, Any]) -> list[list[Any]]:
    return [[kind, f"{total['faults'].get(kind, 0):,}", f"{len(times):,}",
             *(in_words(quantile(times, q)) for q in (0.5, 0.99)), in_words(times[-1])]
            for kind, times in sorted(total["latency_ms"].items()) if times]


def _unmeasured(total: dict[str, Any]) -> list[list[Any]]:
    rows = []
    for kind, counts in sorted(total["unmeasured"].items()):
        known = [counts.get(what, 0) for what in ("measured", *UNMEASURED)]
        rows.append([kind, *(f"{n:,}" for n in (counts.get("made", 0), *known, counts.get("made", 0) - sum(known)))])
    return rows


def _spans(total: dict[str, Any]) -> list[list[Any]]:
    return [[what, f"{span['n']:,}", f"{span['total']:.1f}", in_words(span["max"] * 1000)]
            for what, span in sorted(total["apart_seconds"].items())]


def sum_text(lines: list[dict[str, Any]]) -> list[str]:
    """All of the campaigns as one."""
    total, latest = sum_of(lines), since_last_finding(lines)
    several = len(latest) not in (0, len(lines))
    text = table(["figure", "all", *(["since the last finding"] if several else [])],
                 _figures([total, *([sum_of(latest)] if several else [])]))
    longest = max(lines, key=lambda line: line["longest_silence"], default={"seed": 0})["seed"]
    if back := total["back_after_ms"]:
        text += [f"After a kill -9 the server answered within {in_words(quantile(back, 0.5))} (median), "
                 f"{in_words(quantile(back, 0.99))} (p99), {in_words(back[-1])} (longest); systemd waits 200 ms of that. "
                 f"The longest time without an answer, whatever went on: {in_words(total['longest_silence'] * 1000)} (seed {longest}). "
                 f"The oracle itself was never later than {in_words(total['oracle_late_ms'])}.", ""]
    text += ["What the rows were, held against the truth of their moment:", ""]
    text += table(["verdict", "rows"], _most_first(total["verdicts"])) + table(["face", "rows"], _by_name(total["rows_by_face"]))
    text += ["From the fault until a row said something else than `running`, where the server was there all the time and the "
             f"fault was not taken back before; for `{QUEUE_FULL}`, until a row said `failed (socket-not-accepting)`, which is "
             "promised after a second. `made` are all of that kind, measured or not.", ""]
    text += table(["fault", "made", "measured", "p50", "p99", "longest"], _latency(total))
    if total["unmeasured"]:
        text += ["Why the others were not measured, in the campaigns that counted it (the first reason that holds; what is left "
                 "over came too near to the end):", ""]
        text += table(["fault", "made", "measured", *UNMEASURED, "left over"], _unmeasured(total))
    text += ["The goal for a death (p99: 20 ms) is one for a quiet machine, and `make bench` measures it there "
             "(docs/benchmarks.md). Here twelve clients, the oracle and the faults load all cores at the same time, so what is "
             "killed is shown later.", ""]
    text += ["States that claim nothing, counted apart: how long they lasted, and what the truth held at the time.", ""]
    text += table(["state", "n", "seconds together", "longest"], _spans(total))
    text += table(["row: what the truth held", "rows"], _most_first(total["apart"]))
    text += table(["restarts, by cause", "n"], _by_name(total["restarts"])) + table(["faults", "n"], _by_name(total["faults"]))
    return text + [f"Skipped: {what}.\n" for what in total["skipped"]]


def _campaigns(lines: list[dict[str, Any]]) -> list[str]:
    rows = [[line["began"], line["seed"], f"{line['seconds'] / 60:g}", line.get("options", ""), line["services"],
             line["systemd"], line["version"], " → ".join(f"{load:.1f}" for load in line["load"]), f"{line['kills']:,}",
             f"{sum(line['faults'].values()):,}", f"{line['rows']:,}", *(line["harm"][kind] for _, kind in FIGURES)] for line in lines]
    heads = ["began (UTC)", "seed", "minutes", "options", "services", "system", "version", "load", "kills", "faults",
             "rows", "lies", "stuck", "orphans", "unexpected restarts", "lost changes", "deaths", "not started", "not recovered"]
    return table(heads, rows)


def _findings(lines: list[dict[str, Any]]) -> list[str]:
    text = []
    for line in (line for line in lines if is_unclean(line) or line["explanation"]):
        text += [f"Seed {line['seed']}, {line['began']}: {line['explanation'] or 'not explained yet.'}", ""]
        text += [*(f"- `{found[:300].replace('`', chr(39))}`" for found in line["found"]), *([""] if line["found"] else [])]
    return ["## What they found", "", *text] if text else []


def ledger_text(lines: list[dict[str, Any]], ledger: str) -> str:
    """The whole ledger."""
    where = sorted({f"{line['systemd']}; {line['machine']}" for line in lines})
    text = ["<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->", "# Campaigns of chaos", "",
            f"Made by `make chaos MINUTES=10 SEED=7 REPORT=docs/chaos.md` from [{ledger}]({ledger}), to which each campaign adds "
            "its line; every figure is the program's. Each campaign that is in that file stands here, clean or not. With the same "
            "tests/oracle a seed does the same things at the same times; what comes of them also hangs on the machine. "
            "`tests/oracle` tells what the words mean, HACKING.md how the oracle judges.", "",
            *(f"Machine: {line}." for line in where), "", "## Together", ""]
    text += sum_text(lines) + ["## One by one", "", "`load` is that of the machine before and after: what runs beside a campaign "
                               "disturbs it. `version` is the last commit of src and units; one that is not in the history "
                               "was rebased afterwards.", ""]
    return "\n".join([*text, *_campaigns(lines), *_findings(lines)]).rstrip() + "\n"
