#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs injector.py in a sandbox whose hero_proc_server is the faulty one, and says what came of it. `make faults`."""

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

from box import REPOSITORY, SERVER_UNIT, Box  # noqa: E402  pylint: disable=wrong-import-position
from herodemo import probe, service  # noqa: E402  pylint: disable=wrong-import-position
from house import sleeper  # noqa: E402  pylint: disable=wrong-import-position

FOLDER = "/run/faults"
DROP_IN = f"/run/systemd/system/{SERVER_UNIT}.d/faults.conf"


def prepare(box: Box) -> None:
    box.write_file(f"{FOLDER}/plan", "\0" * 40)
    box.write_file(DROP_IN, f"[Service]\nExecStart=\nExecStart={box.fixture('faulty_hero_proc_server')}\n"
                   f"Environment=FAULT_PLAN={FOLDER}/plan\n")
    box.systemctl("daemon-reload")
    box.start_server()
    definitions = [service(box, "web", probe=probe()), sleeper("idle", requires=["web"])]
    box.apply(*definitions)
    for definition in definitions:
        box.wait_state(definition["name"], "running", 20)
    box.write_file(f"{FOLDER}/definitions.json", json.dumps(definitions))


def run_in(box: Box, *options: str, timeout: float = 300) -> list[dict[str, Any]]:
    process = box.spawn(["/usr/bin/python3", HERE / "injector.py", "--plan", f"{FOLDER}/plan", "--definitions",
                         f"{FOLDER}/definitions.json", *options], stdout=subprocess.PIPE)
    said, _ = process.communicate(timeout=timeout)
    if process.returncode != 0:
        raise AssertionError(f"injector.py ended with {process.returncode}")
    return json.loads(said)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", default="0", help="so many a call and way; 0: each n")
    parser.add_argument("--kinds", default="1,2,3,4", help="1 no memory, 2 error, 3 EINTR, 4 short")
    parser.add_argument("--only", default="", help="calls whose name holds this")
    options = parser.parse_args()
    layer = REPOSITORY / os.environ.get("BUILD", "build") / f"faults-layer-{os.getpid()}"
    subprocess.run(["make", "-s", "-C", str(REPOSITORY), "install", f"DESTDIR={layer}", "PREFIX=/usr"], check=True,
                   stdin=subprocess.DEVNULL)
    try:
        with Box(layers=[layer]) as box:
            prepare(box)
            results = run_in(box, "--tries", options.tries, "--kinds", options.kinds, "--only", options.only, timeout=24 * 3600)
    finally:
        subprocess.run(["rm", "-rf", str(layer)], check=True)
    findings = [finding for result in results for finding in result["findings"]]
    print(f"{sum(result['injected'] for result in results)} faults in the server, "
          f"{sum(result['errors'] for result in results)} calls answered with an error, {len(findings)} findings")
    return 1 if findings or not results else 0


if __name__ == "__main__":
    sys.exit(main())
