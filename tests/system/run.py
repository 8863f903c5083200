#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the system tests: every test_…(box) of the test_*.py beside this file, on a real systemd in a sandbox.

A module gets one box, shared by its tests, in the order they stand in. What it may say about itself:
    NEEDS_HERO_PROC = False     it is about something else: nothing is installed
    ALONE = True                it takes times that a neighbour would spoil: it runs when all others are through
    def prepare(box)            called once a box was booted
"""

from __future__ import annotations

import argparse
import fnmatch
import importlib
import linecache
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Callable

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from box import REPOSITORY, Box, BoxError  # noqa: E402  pylint: disable=wrong-import-position

MAX_SHOWN = 200  # characters of one local variable of a failed test


@dataclass
class Case:
    """One test function."""

    module: ModuleType
    function: Callable

    @property
    def file(self) -> str:
        return Path(self.module.__file__).name

    @property
    def claim(self) -> str:
        return self.function.__name__.removeprefix("test_").replace("_", " ")

    def __str__(self) -> str:
        return f"{self.file}: {self.claim}"


def find_cases(pattern: str) -> list[Case]:
    cases = []
    for path in sorted(HERE.glob("test_*.py")):
        module = importlib.import_module(path.stem)
        cases += [Case(module, value) for name, value in vars(module).items()
                  if name.startswith("test_") and callable(value)]
    wanted = pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*"
    return [case for case in cases
            if fnmatch.fnmatch(str(case), wanted) or fnmatch.fnmatch(case.function.__name__, wanted)]


class Installation:
    """What `make install` makes, in a folder of its own, to be laid over the root of the boxes."""

    def __init__(self, build: str):
        parent = REPOSITORY / build
        parent.mkdir(exist_ok=True)
        remove_stale(parent)
        self.folder = Path(tempfile.mkdtemp(prefix=f"installed-{os.getpid()}-", dir=parent))
        self.folder.chmod(0o755)  # it becomes the root folder of the boxes
        self.error = ""
        done = subprocess.run(["make", "-s", "-C", str(REPOSITORY), "install", f"BUILD={build}",
                               f"DESTDIR={self.folder}", "PREFIX=/usr"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self.error = f"make install failed:\n{done.stdout}{done.stderr}"

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def remove_stale(parent: Path) -> None:
    """Removes what runners that were killed have left."""
    for folder in parent.glob("installed-*-*"):
        if not Path("/proc", folder.name.split("-")[1]).exists():
            shutil.rmtree(folder, ignore_errors=True)


class Runner:
    """Takes modules from a queue, gives each a box, and counts."""

    def __init__(self, options: argparse.Namespace, installation: Installation | None):
        self.options = options
        self.installation = installation
        self.n_passed = 0
        self.n_failed = 0
        self._stopping = False
        self._boxes: set[Box] = set()
        self._lock = threading.Lock()

    def run_all(self, cases: list[Case]) -> None:
        def alone(case: Case) -> bool:
            return getattr(case.module, "ALONE", False)

        self._run_beside([case for case in cases if not alone(case)], self.options.jobs)
        self._run_beside([case for case in cases if alone(case)], 1)

    def _run_beside(self, cases: list[Case], n_boxes: int) -> None:
        modules: queue.SimpleQueue = queue.SimpleQueue()
        for module in dict.fromkeys(case.module for case in cases):
            modules.put([case for case in cases if case.module is module])
        threads = [threading.Thread(target=self._work, args=(modules,)) for _ in range(n_boxes)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException:
            # Ctrl-C: with its box gone, what a thread waits for fails.
            self._stopping = True
            self._stop_boxes()
            for thread in threads:
                thread.join()
            raise

    def _stop_boxes(self) -> None:
        with self._lock:
            boxes = list(self._boxes)
        for box in boxes:
            box.stop()

    def _work(self, modules: queue.SimpleQueue) -> None:
        while not self._stopping:
            try:
                cases = modules.get_nowait()
            except queue.Empty:
                return
            self._run_module(cases)

    def _run_module(self, cases: list[Case]) -> None:
        box = None
        try:
            for case in cases:
                if self._stopping:
                    return
                began = time.monotonic()
                failure = ""
                try:
                    box = self._usable_box(box, case.module)
                    case.function(box)
                except Exception as error:  # pylint: disable=broad-except
                    failure = describe_failure(error, case)
                self._report(case, time.monotonic() - began, failure, box)
        finally:
            if box:
                self._give_back(box)

    def _usable_box(self, box: Box | None, module: ModuleType) -> Box:
        """The module's box; a new one if there is none yet, or a test has brought it down."""
        if box and box.is_alive():
            return box
        if box:
            self._give_back(box)
        layers = []
        if getattr(module, "NEEDS_HERO_PROC", True) and self.installation:
            if self.installation.error:
                raise BoxError(self.installation.error)
            layers = [self.installation.folder]
        box = Box(root=self.options.root, layers=layers, build=self.options.build, keep=self.options.keep)
        with self._lock:
            self._boxes.add(box)
        if self._stopping:
            raise BoxError("interrupted")
        getattr(module, "prepare", lambda _: None)(box)
        return box

    def _give_back(self, box: Box) -> None:
        if self.options.keep and not self._stopping:
            print(f"kept: tools/sandbox exec {box.name} bash; tools/sandbox stop {box.name}", flush=True)
        else:
            box.stop()
        with self._lock:
            self._boxes.discard(box)

    def _report(self, case: Case, seconds: float, failure: str, box: Box | None) -> None:
        if self._stopping:
            return
        lines = f"{'FAIL' if failure else 'ok  '} {case} ({seconds:.1f} s)"
        if failure:
            lines += "\n" + textwrap.indent(failure + save_journal(box, case, self.options.build), " " * 5)
        with self._lock:
            self.n_failed += bool(failure)
            self.n_passed += not failure
            print(lines, flush=True)


def describe_failure(error: Exception, case: Case) -> str:
    """Where in the test's file, why, and what its variables were: enough that asserts need no message."""
    frames = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__)
              if frame.f_code.co_filename == case.module.__file__]
    text = ""
    for frame, line in frames:
        source = linecache.getline(case.module.__file__, line).strip()
        text += f"{case.file}:{line}: {source}\n"
    text += f"{type(error).__name__}: {error}".rstrip(": ") + "\n"
    if frames:
        shown = {name: repr(value) for name, value in frames[-1][0].f_locals.items() if not callable(value)}
        text += "".join(f"    {name} = {value[:MAX_SHOWN]}{'…' if len(value) > MAX_SHOWN else ''}\n"
                        for name, value in shown.items() if name != "box")
    elif not isinstance(error, BoxError):  # not in the test itself: the whole way is of interest
        text += "".join(traceback.format_tb(error.__traceback__))
    return text


def save_journal(box: Box | None, case: Case, build: str) -> str:
    """Writes the journal of the box where it can be read later, and returns a line that says where."""
    if box is None:
        return ""
    path = REPOSITORY / build / "test-logs" / f"{Path(case.file).stem}.{case.function.__name__}.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(box.journal())
    except (AssertionError, OSError) as error:
        return f"the journal cannot be had: {error}\n"
    return f"the journal: {path.relative_to(REPOSITORY)}\n"


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-k", dest="pattern", default="", help="only tests whose line holds (or globs) this")
    parser.add_argument("--list", action="store_true", help="only print the claims")
    parser.add_argument("--jobs", type=int, default=1, choices=range(1, 5), help="so many sandboxes at a time")
    parser.add_argument("--keep", action="store_true", help="leave the sandboxes running, to look into them")
    parser.add_argument("--installed", action="store_true", help="test the programs that this machine has installed")
    parser.add_argument("--root", help="boot this Debian tree instead of the host's own")
    parser.add_argument("--build", default=os.environ.get("BUILD", "build"), help="the Makefile's BUILD")
    return parser.parse_args()


def stop_on_signal(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    options = read_options()
    cases = find_cases(options.pattern)
    if options.list:
        print("\n".join(map(str, cases)))
        return 0
    if os.geteuid() != 0:
        print("the system tests boot a systemd of their own, which takes root", file=sys.stderr)
        return 1
    os.umask(0o022)  # what is installed is read by all users inside
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop_on_signal)

    needs_hero_proc = not options.installed and any(getattr(case.module, "NEEDS_HERO_PROC", True) for case in cases)
    installation = Installation(options.build) if needs_hero_proc else None
    runner = Runner(options, installation)
    try:
        runner.run_all(cases)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    finally:
        if installation and not options.keep:
            installation.remove()
        print(f"{runner.n_passed} passed, {runner.n_failed} failed", flush=True)
    return 0 if runner.n_passed and not runner.n_failed else 1


if __name__ == "__main__":
    sys.exit(main())
