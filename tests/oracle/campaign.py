#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs chaos.py in a sandbox with hero_proc installed, and says what came of it. `make chaos MINUTES=n SEED=s`.

Exit code 0 only where no row lied, nothing was orphaned or restarted without a cause, and no change was lost.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

from box import REPOSITORY, Box  # noqa: E402  pylint: disable=wrong-import-position

HARM = ["lie", "stuck", "orphan", "unexpected restart", "lost change", "server died", "did not start",
        "did not recover"]
STORE_BYTES = "4M"  # small, so that it can be filled


def run_in(box: Box, seed: int, seconds: float, *options: str) -> dict[str, Any]:
    """The report of a campaign in a box where hero_proc is installed and not started yet."""
    box.run(["sh", "-c", "mkdir -p -m 700 /var/lib/hero_proc && "
             f"mount -t tmpfs -o size={STORE_BYTES},mode=700 chaos-store /var/lib/hero_proc"])
    box.start_server()
    process = box.spawn(["/usr/bin/python3", HERE / "chaos.py", "--seed", str(seed), "--seconds", str(seconds),
                         "--fixture", box.fixture("herodemo_server"), *options], stdout=subprocess.PIPE)
    said, _ = process.communicate(timeout=seconds + 400)
    if process.returncode != 0:
        raise AssertionError(f"chaos.py ended with {process.returncode}")
    return json.loads(said)


def harm_of(report: dict[str, Any]) -> dict[str, int]:
    return {kind: report["findings"].get(kind, 0) for kind in HARM}


def quantile(values: list[float], q: float) -> float:
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def table(heads: list[str], rows: list[list[Any]]) -> list[str]:
    return ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads),
            *("| " + " | ".join(map(str, row)) + " |" for row in rows), ""]


def seconds_text(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def machine() -> str:
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1e6
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GB, Linux {platform.release()}"


def latency_rows(report: dict[str, Any]) -> list[list[Any]]:
    return [[kind, len(times), *(seconds_text(quantile(times, q)) for q in (0.5, 0.99)), seconds_text(max(times))]
            for kind, times in sorted(report["latency"].items())]


def text_of(report: dict[str, Any], where: str) -> str:
    """The report for people, as Markdown."""
    n_rows, verdicts, harm = report["rows"], report["verdicts"], harm_of(report)
    lines = [f"Seed {report['seed']}, {report['seconds'] / 60:.1f} minutes, {report['services']} services. {where}", ""]
    lines += table(["figure", "count"], [
        ["rows compared", f"{n_rows:,}"], ["lies", harm["lie"]],
        ["rows that go on saying nothing without a reason", harm["stuck"]], ["orphans", harm["orphan"]],
        ["unexpected restarts", harm["unexpected restart"]], ["lost acknowledged changes", harm["lost change"]],
        ["deaths of the server by itself", harm["server died"]],
        ["services that did not start or recover", harm["did not start"] + harm["did not recover"]],
        ["kills of the server", report["kills"]], ["faults", f"{sum(report['faults'].values()):,}"],
        ["longest time without an answer", seconds_text(report["longest_silence"])]])
    if report["back_after"]:
        back = report["back_after"]
        lines.append(f"After a kill -9 the server answered within {seconds_text(quantile(back, 0.5))} (median), "
                     f"{seconds_text(quantile(back, 0.99))} (p99), {seconds_text(max(back))} (longest).\n")
    lines += ["What the rows were, held against the truth of their moment:", ""]
    lines += table(["verdict", "rows"], [[k, f"{v:,}"] for k, v in sorted(verdicts.items(), key=lambda kv: -kv[1])])
    lines += table(["face", "rows"], [[k, f"{v:,}"] for k, v in sorted(report["rows_by_face"].items())])
    lines += ["From the fault until a row said something else than `running`, where the server was there all the time:", ""]
    lines += table(["fault", "n", "p50", "p99", "longest"], latency_rows(report))
    lines += ["States that claim nothing, counted apart: how long they lasted, and what the truth held at the time.", ""]
    lines += table(["state", "n", "seconds together", "longest"],
                   [[what, span["n"], f"{span['total']:.1f}", seconds_text(span["max"])]
                    for what, span in sorted(report["apart_seconds"].items())])
    lines += table(["row: what the truth held", "rows"],
                   [[k, f"{v:,}"] for k, v in sorted(report["apart"].items(), key=lambda kv: -kv[1])])
    lines += table(["restarts, by cause", "n"], [[k, v] for k, v in sorted(report["restarts"].items())])
    lines += table(["faults", "n"], [[k, v] for k, v in sorted(report["faults"].items())])
    lines += [f"Skipped: {what}" for what in report["skipped"]]
    return "\n".join(lines).rstrip() + "\n"


def install() -> Path:
    folder = REPOSITORY / os.environ.get("BUILD", "build") / f"chaos-layer-{os.getpid()}"
    subprocess.run(["make", "-s", "-C", str(REPOSITORY), "install", f"DESTDIR={folder}", "PREFIX=/usr"], check=True,
                   stdin=subprocess.DEVNULL)
    return folder


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100000)
    parser.add_argument("--report", help="write the report to this file too")
    parser.add_argument("--root", help="another Debian")
    parser.add_argument("--steps", action="store_true", help="print what was done, and when")
    options, rest = parser.parse_known_args()
    layer = install()
    try:
        with Box(layers=[layer], root=options.root) as box:
            report = run_in(box, options.seed, options.minutes * 60, *rest)
            version = box.output("systemctl", "--version").splitlines()[0]
            log = REPOSITORY / "build" / "test-logs" / f"chaos-{options.seed}.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(box.journal())
    finally:
        subprocess.run(["rm", "-rf", str(layer)], check=True)
    text = text_of(report, f"{version}; {machine()}")
    print("\n\n".join(report["shown"]), "\n" if report["shown"] else "", text, sep="")
    if options.steps:
        print("\n".join(report["done"]))
    if options.report:
        Path(options.report).write_text("<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->\n# A campaign of chaos\n\n"
                                        "Made by `make chaos`; tests/oracle tells what the words mean.\n\n" + text)
    harm = {kind: n for kind, n in harm_of(report).items() if n}
    print(f"the journal: {log.relative_to(REPOSITORY)}")
    print(f"harm: {harm}; the same again: make chaos MINUTES={options.minutes:g} SEED={options.seed}" if harm
          else f"no lie and no harm in {report['rows']:,} rows")
    return 1 if harm or report["rows"] == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
