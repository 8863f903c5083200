#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs injector.py in a sandbox whose hero_proc_server is the faulty one, gateway_injector.py in one whose hero_proc_gateway
is, and cli_injector.py, which runs the faulty hero_proc, and says what came of it. `make faults`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

import gateway  # noqa: E402  pylint: disable=wrong-import-position
from box import REPOSITORY, SERVER_UNIT, Box  # noqa: E402  pylint: disable=wrong-import-position
from herodemo import probe, service  # noqa: E402  pylint: disable=wrong-import-position
from house import sleeper  # noqa: E402  pylint: disable=wrong-import-position
from injector import PLAN_BYTES  # noqa: E402  pylint: disable=wrong-import-position

FOLDER = "/run/faults"


def make_faulty(box: Box, unit: str, program: str) -> None:
    box.write_file(f"{FOLDER}/plan", "\0" * PLAN_BYTES, mode=0o666)
    box.write_file(f"/run/systemd/system/{unit}.d/faults.conf",
                   f"[Service]\nExecStart=\nExecStart={box.fixture(program)}\n"
                   f"Environment=FAULT_PLAN={FOLDER}/plan FAULT_TRACE=1\nReadWritePaths={FOLDER}\n")
    box.systemctl("daemon-reload")


def prepare(box: Box) -> None:
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


def run_in(box: Box, *options: str, timeout: float = 300) -> list[dict[str, Any]]:
    return run_injector(box, "injector.py", "--definitions", f"{FOLDER}/definitions.json", *options, timeout=timeout)


def run_in_gateway(box: Box, *options: str, timeout: float = 300) -> list[dict[str, Any]]:
    return run_injector(box, "gateway_injector.py", *options, timeout=timeout)


def run_in_cli(box: Box, *options: str, timeout: float = 300) -> list[dict[str, Any]]:
    return run_injector(box, "cli_injector.py", "--program", box.fixture("faulty_hero_proc"), *options, timeout=timeout)


def run_injector(box: Box, script: str, *options: str, timeout: float) -> list[dict[str, Any]]:
    process = box.spawn(["/usr/bin/python3", HERE / script, "--plan", f"{FOLDER}/plan", *options], stdout=subprocess.PIPE)
    said, _ = process.communicate(timeout=timeout)
    if process.returncode != 0:
        raise AssertionError(f"{script} ended with {process.returncode}")
    return json.loads(said)


PARTS = {"server": (prepare, run_in, "1"), "gateway": (prepare_gateway, run_in_gateway, "1,30"),
         "cli": (prepare_cli, run_in_cli, "1")}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", default="0", help="so many a call and way; 0: each n")
    parser.add_argument("--kinds", default="1,2,3,4", help="1 no memory, 2 error, 3 EINTR, 4 short")
    parser.add_argument("--spans", default="", help="so many in a row: 1,30; else as of each program")
    parser.add_argument("--stride", default="1", help="from one n to the next, of the server: 30 with spans of 30")
    parser.add_argument("--first", default="1", help="from this n on, of the server")
    parser.add_argument("--last", default="0", help="up to this n, of the server; 0: until nothing is left to fail")
    parser.add_argument("--only", default="", help="calls whose name holds this")
    parser.add_argument("--part", choices=list(PARTS), help="of this program alone")
    options = parser.parse_args()
    layer = REPOSITORY / os.environ.get("BUILD", "build") / f"faults-layer-{os.getpid()}"
    subprocess.run(["make", "-s", "-C", str(REPOSITORY), "install", f"DESTDIR={layer}", "PREFIX=/usr"], check=True,
                   stdin=subprocess.DEVNULL)
    results = []
    try:
        for part in [options.part] if options.part else PARTS:
            prepare_part, run_part, spans = PARTS[part]
            numbers = ["--first", options.first, "--last", options.last, "--stride", options.stride] if part == "server" else []
            with Box(layers=[layer]) as box:
                prepare_part(box)
                results += run_part(box, "--tries", options.tries, "--kinds", options.kinds, "--only", options.only,
                                    "--spans", options.spans or spans, *numbers, timeout=24 * 3600)
    finally:
        subprocess.run(["rm", "-rf", str(layer)], check=True)
    findings = [finding for result in results for finding in result["findings"]]
    print(f"{sum(result['injected'] for result in results)} faults, "
          f"{sum(result['errors'] for result in results)} calls answered with an error, {len(findings)} findings")
    return 1 if findings or not results else 0


if __name__ == "__main__":
    sys.exit(main())
