#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures hero_proc beside its peers and beside the least that is possible, on a real systemd in a sandbox: `make bench`.

Each part leaves its samples in build/bench/long with --long, else in build/bench/results (--quick: quick; --sizes alone: some), and the
report is made of all that lie there: a part that was run again replaces what it found before, with a date of its own. Only
the long ones, once all parts are there, become docs/benchmarks.md: what less was measured for does not take the place of
what is published. Any other report lies beside its samples.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import detecting  # noqa: E402
import growing  # noqa: E402
import machine  # noqa: E402
import report  # noqa: E402
import slopes  # noqa: E402
import starting  # noqa: E402
import web_services  # noqa: E402
from box import REPOSITORY, Box, BoxError  # noqa: E402
from figures import Figures  # noqa: E402
from run import Installation, stop_on_signal  # noqa: E402

WEB_PARTS = ("probe", "memory", "restart", "list", "growth")  # these share a house
FIGURES = {"probe": ("cpu_probe", "cpu", "rate", "late"), "memory": ("rss_anon", "rss", "pss", "fds"), "restart": ("restart", "restart_broken"),
           "list": ("list",), "growth": growing.FIGURES}
FORGET_TIMEOUT = 300.0
RETURNED_SECONDS = 22.0  # the server's TRIM_DELAY_USEC, and the second by which it may be late
PARTS = ("start", *WEB_PARTS, "detection", "slope")


class Sizes:
    """How much is measured. In full it takes some 20 minutes, quick 5; long adds some 20."""

    def __init__(self, quick: bool, long: bool, sizes: list[int] | None):
        self.quick = quick
        self.sizes_started = sizes or ([10, 100] if quick else [10, 100, 1000, 3000] if long else [10, 100, 1000])
        self.sizes_probed = sizes or ([10, 50] if quick else [10, 100, 1000, 3000] if long else [10, 100, 1000])
        self.repetitions_restarted = 1 if quick else 5
        self.lists = 5 if quick else 31
        self.detections = {"death": 2, "vanished": 2, "dead": 2, "hung": 1} if quick else (
            {"death": 20, "vanished": 20, "dead": 10, "hung": 8})
        self.growths = {"death": 2, "vanished": 2, "dead": 2} if quick else {"death": 10, "vanished": 10, "dead": 8}
        self.events = 10 if quick else 100
        self.never_seconds = 8.0 if quick else 15.0
        self.slope_probes = 5_000 if quick else 1_000_000 if long else 100_000
        self.slope_restarts = 100 if quick else 10_000 if long else 1_000

    def repetitions_started(self, n: int) -> int:
        return 2 if self.quick else 1 if n > 1000 else 7 if n == 1000 else 5  # by one run in three the median moves by a tenth

    def repetitions_probed(self, n: int) -> int:
        return 3 if n == 1000 and not self.quick else 1

    def windows(self) -> str:
        """The spans of time in which probes are counted, in words."""
        return ", ".join(f"{self.repetitions_probed(n)} × {self.seconds_probed(n):g} s with {n}" for n in self.sizes_probed)

    def seconds_probed(self, n: int) -> float:
        return 5 if self.quick else 20 if n >= 1000 else 10


class Bench:
    """A sandbox to measure in, and the figures of the part that is being measured."""

    def __init__(self, box: Box, figures: Figures, options: Sizes, seed: int):
        self.box = box
        self.figures = figures
        self.options = options
        self.random = random.Random(seed)
        build = box.build / "bench"
        box.run(["install", "-D", "-t", "/opt/bench", *(str(build / path.stem) for path in HERE.glob("*.c"))])
        box.run(["mkdir", "-p", "/run/bench"])
        box.start_server()

    def inside(self, name: str, *arguments: Any, timeout: float = 60.0) -> Any:
        """Calls a function of inside*.py in the sandbox."""
        folders = [str(HERE), str(HERE.parent / "system")]
        return self.box.agent.call(_inside, folders, name, arguments, timeout=timeout)

    def forget_all(self) -> None:
        self.inside("forget_all", FORGET_TIMEOUT, timeout=FORGET_TIMEOUT + 60)

    def await_returned(self, since: float) -> None:
        """Until what the server needed to start, or to start many, is the kernel's again: that has its time, and nothing tells
        of it."""
        self.inside("pause", max(since + RETURNED_SECONDS - time.monotonic(), 0.0))

    @staticmethod
    def say(text: str) -> None:
        print(f"     {text}", flush=True)


def _inside(folders: list[str], name: str, arguments: list[Any]) -> Any:
    # pylint: disable=undefined-variable, import-outside-toplevel, import-error
    import sys
    sys.path[:0] = [folder for folder in folders if folder not in sys.path]
    import inside
    import inside_detecting
    import inside_slopes
    home = next(module for module in (inside, inside_detecting, inside_slopes) if hasattr(module, name))
    return getattr(home, name)(*arguments)


def measure_in(box: Box, bench: Bench, name: str, wants: set[str]) -> None:
    try:
        {"start": starting.measure, "detection": detecting.measure, "slope": slopes.measure}.get(
            name, lambda bench: web_services.measure(bench, wants))(bench)
    except AssertionError:
        log = box.build / "test-logs" / f"bench.{name}.log"
        log.parent.mkdir(exist_ok=True)
        log.write_text(box.journal())
        print(f"     the journal: {log.relative_to(REPOSITORY)}", flush=True)
        raise


def run_part(name: str, wants: set[str], installation: Installation, options: argparse.Namespace, folder: Path) -> bool:
    """Measures it in a sandbox of its own and saves what was found. What fails leaves nothing."""
    began = time.monotonic()
    sizes = Sizes(options.quick, options.long, options.sizes)
    figures = Figures(name, {**machine.describe(options.seed), "never_seconds": sizes.never_seconds,
                             "windows": sizes.windows()})
    print(f"== {name}: {' '.join(sorted(wants))}", flush=True)
    try:
        with Box(root=options.root, layers=[installation.folder], build=options.build) as box:
            elsewhere = machine.Elsewhere(box.name)
            measure_in(box, Bench(box, figures, sizes, options.seed), name, wants)
            figures.machine["elsewhere_cores"] = elsewhere.cores()
    except (AssertionError, BoxError, OSError) as error:
        print(f"FAIL {name}: {error}", flush=True)
        return False
    figures.machine["seconds"] = time.monotonic() - began
    for part in sorted(wants):
        figures.only(part, FIGURES.get(part)).save(folder)
    print(f"ok   {name} ({time.monotonic() - began:.0f} s; {figures.machine['elsewhere_cores']:.2f} cores busy elsewhere)",
          flush=True)
    return True


def plan(parts: list[str]) -> list[tuple[str, set[str]]]:
    """(name, what it measures) of each sandbox that is needed."""
    wanted = parts or list(PARTS)
    plans = [(part, {part}) for part in wanted if part not in WEB_PARTS]
    web = {part for part in wanted if part in WEB_PARTS}
    return plans + ([("web", web)] if web else [])


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="small and short, to see that all works: into build/bench/quick")
    parser.add_argument("--long", action="store_true", help="3000 services, slopes over a million probes and 10,000 restarts as well")
    parser.add_argument("--seed", type=int, default=None, help="of what is chosen at random")
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of services, instead of those that belong to it")
    parser.add_argument("--report", action="store_true", help="measure nothing, write the report of what lies there")
    parser.add_argument("--root", help="boot this Debian tree instead of the host's own")
    parser.add_argument("--build", default=os.environ.get("BUILD", "build"), help="the Makefile's BUILD")
    options = parser.parse_args()
    options.seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    return options


def main() -> int:
    options = read_options()
    if os.geteuid() != 0 and not options.report:
        print("the benchmarks boot a systemd of their own, which takes root", file=sys.stderr)
        return 1
    os.umask(0o022)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop_on_signal)
    build = REPOSITORY / options.build / "bench"
    folder = build / ("quick" if options.quick else "long" if options.long else "some" if options.sizes else "results")
    ok = True
    if not options.report:
        installation = Installation(options.build)
        try:
            for name, wants in plan(options.part):
                ok = run_part(name, wants, installation, options, folder) and ok
        finally:
            installation.remove()
    known = [Figures.load(path) for path in sorted(folder.glob("*.json"))]
    # A report that lacks something must not take the place of one that has it.
    is_whole = folder.name == "long" and {figures.part for figures in known} == set(PARTS)
    target = REPOSITORY / "docs" if is_whole else folder
    report.write(known, target)
    print(f"written: {target / 'benchmarks.md'}")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
