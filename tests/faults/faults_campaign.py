#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs injector.py in a sandbox whose hero_proc_server is the faulty one, gateway_injector.py in one whose hero_proc_gateway
is, and cli_injector.py, which runs the faulty hero_proc, and says what came of it. `make faults REPORT=docs/faults.md`."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Iterator

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "system"), str(HERE.parent / "oracle"), str(HERE)]

import gateway  # noqa: E402  pylint: disable=wrong-import-position
from box import REPOSITORY, SERVER_UNIT, Box  # noqa: E402  pylint: disable=wrong-import-position
from campaign import machine, system_of, version  # noqa: E402  pylint: disable=wrong-import-position
from fault_report import parse, report_text  # noqa: E402  pylint: disable=wrong-import-position
from herodemo import probe, service  # noqa: E402  pylint: disable=wrong-import-position
from house import sleeper  # noqa: E402  pylint: disable=wrong-import-position
from injector import ALERT_UNIT, ALERTS, PLAN_BYTES  # noqa: E402  pylint: disable=wrong-import-position

FOLDER = "/run/faults"
_saying = threading.Lock()


def make_faulty(box: Box, unit: str, program: str) -> None:
    box.write_file(f"{FOLDER}/plan", "\0" * PLAN_BYTES, mode=0o666)
    box.write_file(f"/run/systemd/system/{unit}.d/faults.conf",
                   f"[Service]\nExecStart=\nExecStart={box.fixture(program)}\n"
                   f"Environment=FAULT_PLAN={FOLDER}/plan FAULT_TRACE=1\nReadWritePaths={FOLDER}\n")
    box.systemctl("daemon-reload")


def prepare(box: Box) -> None:
    box.write_file(f"/run/systemd/system/{ALERT_UNIT}", f"[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo told >>{ALERTS}'\n")
    make_faulty(box, SERVER_UNIT, "faulty_hero_proc_server")
    box.start_server()
    apply_services(box)


def prepare_gateway(box: Box) -> None:
    make_faulty(box, gateway.SERVICE_UNIT, "faulty_hero_proc_gateway")
    gateway.start(box)
    apply_services(box)


def prepare_cli(box: Box) -> None:
    box.write_file(f"{FOLDER}/plan", "\0" * PLAN_BYTES)
    box.start_server()
    apply_services(box)


def apply_services(box: Box) -> None:
    definitions = [service(box, "web", probe=probe()), sleeper("idle", requires=["web"])]
    box.apply(*definitions)
    for definition in definitions:
        box.wait_state(definition["name"], "running", 20)
    box.write_file(f"{FOLDER}/definitions.json", json.dumps(definitions))


def run_in(box: Box, *options: str, timeout: float = 300, rows: IO[str] | None = None) -> list[dict[str, Any]]:
    return run_injector(box, "injector.py", "--definitions", f"{FOLDER}/definitions.json", *options, timeout=timeout, rows=rows)


def run_in_gateway(box: Box, *options: str, timeout: float = 300, rows: IO[str] | None = None) -> list[dict[str, Any]]:
    return run_injector(box, "gateway_injector.py", *options, timeout=timeout, rows=rows)


def run_in_cli(box: Box, *options: str, timeout: float = 300, rows: IO[str] | None = None) -> list[dict[str, Any]]:
    return run_injector(box, "cli_injector.py", "--program", box.fixture("faulty_hero_proc"), *options, timeout=timeout,
                        rows=rows)


def run_injector(box: Box, script: str, *options: str, timeout: float, rows: IO[str] | None = None) -> list[dict[str, Any]]:
    """`rows`: what it prints as it goes, else to standard error."""
    process = box.spawn(["/usr/bin/python3", HERE / script, "--plan", f"{FOLDER}/plan", *options], stdout=subprocess.PIPE,
                        stderr=rows)
    said, _ = process.communicate(timeout=timeout)
    if process.returncode != 0:
        raise AssertionError(f"{script} ended with {process.returncode}")
    return json.loads(said)


PARTS = {"server": (prepare, run_in, "1"), "gateway": (prepare_gateway, run_in_gateway, "1,30"),
         "cli": (prepare_cli, run_in_cli, "1")}


def run_in_process(folder: Path) -> bool:
    """The scenarios that need no sandbox, built with sanitizers: each prints what came of it."""
    programs = [folder / name for name in ("test_faults", "test_shim_faults", "test_store_damage")]
    is_well = True
    for program in programs:
        done = subprocess.run([program], env={**os.environ, "FAULTS": "all"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", check=False)
        say(done.stdout)
        if done.returncode != 0 and "\nFAIL " not in f"\n{done.stdout}":  # a sanitizer or a signal ended it
            say(f"\nFAIL {program.name}: it ended with {done.returncode} and no test had failed\n")
        is_well = is_well and done.returncode == 0
    return is_well


def say(text: str) -> None:
    """Whole: others run beside it, and a row stands below the heading of its part."""
    with _saying:
        print(text, end="", flush=True)


def run_in_a_box(job: tuple[str, int], options: argparse.Namespace, layer: Path, beside: bool) -> tuple[list[dict[str, Any]], str]:
    """What a part, or a share of it, came to, and the system. `beside`: others run meanwhile, so that its rows are printed
    when it is over: each stands below the heading of its part."""
    part, share = job
    prepare_part, run_part, spans = PARTS[part]
    numbers = ["--first", options.first, "--last", options.last, "--stride", options.stride,
               "--share", f"{share}/{options.shares}"] if part == "server" else []
    with tempfile.TemporaryFile("w+") if beside else contextlib.nullcontext() as rows:
        if not beside:
            print(f"== {part}", flush=True)
        try:
            with Box(layers=[layer]) as box:
                prepare_part(box)
                system = system_of(box)
                return run_part(box, "--tries", options.tries, "--kinds", options.kinds, "--only", options.only, "--spans",
                                options.spans or spans, *numbers, timeout=24 * 3600, rows=rows), system
        finally:
            if rows:
                rows.seek(0)
                say(f"== {part}\n{rows.read()}")


def run_in_boxes(options: argparse.Namespace) -> tuple[list[dict[str, Any]], str]:
    """The results, and the system that they are of."""
    layer = REPOSITORY / os.environ.get("BUILD", "build") / f"faults-layer-{os.getpid()}"
    subprocess.run(["make", "-s", "-C", str(REPOSITORY), "install", f"DESTDIR={layer}", "PREFIX=/usr"], check=True,
                   stdin=subprocess.DEVNULL)
    parts = [options.part] if options.part else list(PARTS)
    # a server that comes up is the last of the scenarios, and takes longest: it begins
    jobs = [(part, share) for part in parts for share in reversed(range(options.shares if part == "server" else 1))]
    try:
        with ThreadPoolExecutor(options.at_once) as pool:
            done = list(pool.map(lambda job: run_in_a_box(job, options, layer, len(jobs) > 1), jobs))
    finally:
        subprocess.run(["rm", "-rf", str(layer)], check=True)
    return [result for results, _ in done for result in results], done[-1][1]


def what_is_left_out(options: argparse.Namespace, parser: argparse.ArgumentParser) -> str:
    return " ".join(f"--{name} {value}" for name, value in vars(options).items()
                    if name not in ("in_process", "report", "explain", "from_log", "shares", "at_once") and value != parser.get_default(name))


def run_all(options: argparse.Namespace, left_out: str) -> int:
    """The last line tells of what and when all of it is."""
    began = time.time()
    with ThreadPoolExecutor(1) as beside:
        in_process = beside.submit(run_in_process, options.in_process) if options.in_process else None
        results, system = run_in_boxes(options)
        is_well = in_process.result() if in_process else True
    findings = [finding for result in results for finding in result["findings"]]
    print(f"{sum(result['injected'] for result in results)} faults, "
          f"{sum(result['errors'] for result in results)} calls answered with an error, {len(findings)} findings")
    about = {"began": time.strftime("%Y-%m-%d %H:%M", time.gmtime(began)), "seconds": round(time.time() - began),
             "machine": f"{system}; {machine()}", "version": version("tests/faults"), "options": left_out}
    print(f"campaign: {json.dumps(about)}", flush=True)
    return 1 if findings or not results or not is_well else 0


@contextlib.contextmanager
def kept_in(log: Path) -> Iterator[None]:
    """What this process and its children say meanwhile goes to a file too."""
    log.parent.mkdir(parents=True, exist_ok=True)
    own = [os.dup(fd) for fd in (1, 2)]
    with subprocess.Popen(["tee", log], stdin=subprocess.PIPE) as tee:
        assert tee.stdin
        for fd in (1, 2):
            os.dup2(tee.stdin.fileno(), fd)
        try:
            yield
        finally:
            sys.stdout.flush()
            for fd, before in zip((1, 2), own):
                os.dup2(before, fd)
                os.close(before)


def publish(log: Path, report: Path, explanation: str) -> None:
    with log.open(encoding="utf-8", errors="replace") as lines:
        campaign = parse(line.rstrip("\n") for line in lines)
    report.write_text(report_text(campaign, explanation), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", default="0", help="so many a call and way; 0: each n")
    parser.add_argument("--kinds", default="1,2,3,4", help="1 no memory, 2 error, 3 EINTR, 4 short")
    parser.add_argument("--spans", default="", help="so many in a row: 1,30; else as of each program")
    parser.add_argument("--stride", default="1", help="from one n to the next, of the server: 30 with spans of 30")
    parser.add_argument("--first", default="1", help="from this n on, of the server")
    parser.add_argument("--last", default="0", help="up to this n, of the server; 0: until nothing is left to fail")
    parser.add_argument("--only", default="", help="calls whose name holds this")
    parser.add_argument("--shares", type=int, default=7, metavar="N", help="boxes among which the rows of the server are divided")
    parser.add_argument("--at-once", type=int, default=4, metavar="N", help="so many boxes at a time")
    parser.add_argument("--part", choices=list(PARTS), help="of this program alone")
    parser.add_argument("--in-process", type=Path, metavar="FOLDER", help="begin with test_faults and its kin, built there")
    parser.add_argument("--report", type=Path, help="write here what came of it")
    parser.add_argument("--explain", default="", metavar="TEXT", help="say in --report what its findings came from")
    parser.add_argument("--from-log", type=Path, metavar="LOG", help="run nothing: write --report of what a campaign printed")
    options = parser.parse_args()
    if not options.from_log:
        log = REPOSITORY / "build" / "test-logs" / "faults.log"
        with kept_in(log) if options.report else contextlib.nullcontext():
            status = run_all(options, what_is_left_out(options, parser))
    else:
        log, status = options.from_log, 0
    if options.report:
        publish(log, options.report, options.explain)
    return status


if __name__ == "__main__":
    sys.exit(main())
