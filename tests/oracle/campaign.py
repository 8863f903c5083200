#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs chaos.py in a sandbox with hero_proc installed, and says what came of it. `make chaos MINUTES=n SEED=s`.

Exit code 0 only where no row lied, nothing was orphaned or restarted without a cause, and no change was lost.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "system"), str(HERE)]

from box import REPOSITORY, Box  # noqa: E402  pylint: disable=wrong-import-position
from ledger import explain, line_of, read, write  # noqa: E402  pylint: disable=wrong-import-position
from report import ledger_text, sum_text  # noqa: E402  pylint: disable=wrong-import-position

STORE_BYTES = "4M"  # small, so that it can be filled
FLOOD_LINE = re.compile(r"^.*: line [0-9]+ of \S+ \.+\n", re.MULTILINE)  # the log goes without


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


def machine() -> str:
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1e6
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GB, Linux {platform.release()}"


def system_of(box: Box) -> str:
    systemd = " ".join(box.output("systemctl", "--version").split()[:2])
    bus = box.output("systemctl", "show", "-P", "Id", "dbus.service").strip().removesuffix(".service")
    debian = box.output("cat", "/etc/debian_version").strip()
    return f"Debian {debian}, {systemd}, {'dbus-daemon' if bus == 'dbus' else bus}"


def version(tests: str = "tests/oracle") -> str:
    """Of what is tested: the commit that last changed it; and whether that, or what tests it, was changed since."""
    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(REPOSITORY), *words], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False).stdout.strip()
    commit = git("log", "-1", "--format=%h", "--", "src", "units")
    described = git("describe", "--always", "--tags", commit) or "unknown"
    return described + ("+changes" if git("status", "--porcelain", "--", "src", "units", tests) else "")


def install() -> Path:
    folder = REPOSITORY / os.environ.get("BUILD", "build") / f"chaos-layer-{os.getpid()}"
    subprocess.run(["make", "-s", "-C", str(REPOSITORY), "install", f"DESTDIR={folder}", "PREFIX=/usr"], check=True,
                   stdin=subprocess.DEVNULL)
    return folder


def alter(report: Path, change: Callable[[list[dict[str, Any]]], bool]) -> bool:
    """Alters the ledger beside the report, which is made anew from all of it. Several campaigns may end at once."""
    ledger = report.with_suffix(".jsonl")
    with open(ledger, "a", encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        lines = read(ledger)
        if not change(lines):
            return False
        write(ledger, lines)
        report.write_text(ledger_text(lines, ledger.name), encoding="utf-8")
    return True


def keep(line: dict[str, Any], report: Path) -> None:
    alter(report, lambda lines: lines.append(line) is None)


def explain_in(report: Path, seed: int, text: str) -> int:
    if alter(report, lambda lines: explain(lines, seed, text)):
        return 0
    print(f"no campaign of seed {seed} is there", file=sys.stderr)
    return 1


def campaign(options: argparse.Namespace, rest: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The report, and the line that is kept of it."""
    where: dict[str, Any] = {"began": time.strftime("%Y-%m-%d %H:%M", time.gmtime()), "machine": machine(),
                             "version": version(), "options": " ".join(rest)}
    layer, load = install(), os.getloadavg()[0]
    try:
        with Box(layers=[layer], root=options.root) as box:
            report = run_in(box, options.seed, options.minutes * 60, *rest)
            where["systemd"] = system_of(box)
            log = REPOSITORY / "build" / "test-logs" / f"chaos-{options.seed}.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(FLOOD_LINE.sub("", box.journal()))
            log.with_suffix(".txt").write_text("\n\n".join([*report["shown"], *report["done"]]), encoding="utf-8")
    finally:
        subprocess.run(["rm", "-rf", str(layer)], check=True)
    return report, line_of(report, load=[load, os.getloadavg()[0]], **where)


def the_same_again(options: argparse.Namespace, rest: list[str]) -> str:
    words = [*rest, *(["--root", options.root] if options.root else [])]
    given = f" OPTIONS={shlex.quote(shlex.join(words))}" if words else ""
    return f"make chaos MINUTES={options.minutes:g} SEED={options.seed}{given}"


def arguments(words: list[str] | None = None) -> tuple[argparse.Namespace, list[str]]:
    """And what is for chaos.py."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100000)
    parser.add_argument("--report", type=Path, help="add a line to the ledger beside this file, and make the file anew from it")
    parser.add_argument("--explain", metavar="TEXT", help="run nothing: say in --report what came of --seed, and from what")
    parser.add_argument("--root", help="another Debian")
    parser.add_argument("--steps", action="store_true", help="print what was done, and when")
    return parser.parse_known_args(words)


def main() -> int:
    options, rest = arguments()
    if options.explain:
        return explain_in(options.report, options.seed, options.explain)
    report, line = campaign(options, rest)
    if options.report:
        keep(line, options.report)
    print("\n\n".join(report["shown"]), "\n" if report["shown"] else "",
          f"Seed {line['seed']}, {line['services']} services. {line['systemd']}; {line['machine']}\n", sep="")
    print("\n".join(sum_text([line])))
    if options.steps:
        print("\n".join(report["done"]))
    harm = {kind: n for kind, n in line["harm"].items() if n}
    print(f"the journal, the findings, the steps: build/test-logs/chaos-{options.seed}.*")
    print(f"harm: {harm}; the same again: {the_same_again(options, rest)}" if harm
          else f"no lie and no harm in {report['rows']:,} rows")
    return 1 if harm or report["rows"] == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
