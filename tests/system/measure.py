#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints what hero_proc promises in figures, measured on a real systemd in a sandbox: `make measure`. Short forms of
these, with room for busy machines, are among the system tests."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from box import Box  # noqa: E402
from crowd import apply_crowd, crowd, hanging, punctuality, server_costs  # noqa: E402
from detection import deaths_and_vanishings, handler_deaths, percentile, prepare_handlers  # noqa: E402
from house import set_fault  # noqa: E402
from run import Installation  # noqa: E402
from test_gateway_cost import SERVICES, prepare as prepare_gateway, rate  # noqa: E402


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def measure_punctuality(box: Box, options: argparse.Namespace) -> bool:
    """One service that hangs on every probe does not delay the others, and the server stays small."""
    n = options.services - 1
    apply_crowd(box, [*crowd(box, n), hanging(box, "hanging", 64)], 300)
    ok = True
    for hangs in (False, True):
        if hangs:
            set_fault(box, "hanging", "/api/files hang")
            box.wait_state("hanging", "failed", 30)
        before = server_costs(box)
        seen = punctuality(box, options.seconds)
        after = server_costs(box)
        print(f"{n} services asked once a second for {options.seconds} s, "
              f"{'and one that hangs on each of 64 probes' if hangs else 'and one of 64 probes'}: "
              f"late p50 {milliseconds(seen['p50'])}, p99 {milliseconds(seen['p99'])}, max {milliseconds(seen['max'])} "
              f"({seen['requests']} requests); server: {(after['cpu'] - before['cpu']) / options.seconds * 100:.1f} % of "
              f"a core, RssAnon {after['rss']} KiB, {after['fds']} descriptors", flush=True)
        ok = ok and seen["p99"] < 0.050 and seen["services"] == n and not seen["silent"] and after["rss"] <= 8 * 1024
    return ok


def measure_detection(box: Box, options: argparse.Namespace) -> bool:
    """A dead handler is failed within its bound; a dead process and a vanished socket are told at once."""
    ok = True
    names = prepare_handlers(box, {})
    for fault, what, bound in (("close", "closes without a byte", 5.4), ("hang", "hangs", 11.4)):
        took = handler_deaths(box, names, fault, options.runs, 5.0, 30)
        print(f"a handler that {what}, with the defaults: failed after median {percentile(took, 50):.2f} s, "
              f"max {took[-1]:.2f} s of {len(took)} (bound {bound} s)", flush=True)
        ok = ok and took[-1] < bound + 0.1
    box.hero("remove", *names)
    for what, took in deaths_and_vanishings(box, options.runs).items():
        print(f"{'process killed' if what == 'death' else 'socket file removed'}: StateChanged after median "
              f"{milliseconds(percentile(took, 50))}, p99 {milliseconds(percentile(took, 99))}, "
              f"max {milliseconds(took[-1])} of {len(took)}", flush=True)
        ok = ok and percentile(took, 99) < 0.020
    return ok


def measure_gateway(box: Box, _: argparse.Namespace) -> bool:
    """A status over HTTP costs next to nothing, and so does knowing 300 services."""
    prepare_gateway(box)
    ok = True
    for method in ("service.status", "service.status_full", "service.list"):
        for kept in (True, False):
            seen = rate(box, method, n=20000 if method == "service.status" else 2000, kept=kept)
            print(f"{method}, {'one connection' if kept else 'a connection each'}: {seen['seen']:.0f} a second seen by one "
                  f"client, {seen['a_core']:.0f} by one core of the gateway's", flush=True)
            ok = ok and (seen["seen"] > 2000 or method != "service.status")
    used = box.agent.call("footprint", box.main_pid("hero_proc-gateway.service"))
    print(f"with {SERVICES} services: RssAnon {used['rss']} KiB, {used['fds']} descriptors", flush=True)
    return ok and used["rss"] <= 8 * 1024


MEASUREMENTS = {"punctuality": measure_punctuality, "detection": measure_detection, "gateway": measure_gateway}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", choices=[*MEASUREMENTS, []], help=f"of {', '.join(MEASUREMENTS)} (default: all)")
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--root", help="boot this Debian tree instead of the host's own")
    parser.add_argument("--build", default=os.environ.get("BUILD", "build"), help="the Makefile's BUILD")
    options = parser.parse_args()
    os.umask(0o022)
    installation = Installation(options.build)
    ok = True
    try:
        for what in options.what or MEASUREMENTS:
            with Box(root=options.root, layers=[installation.folder], build=options.build) as box:
                box.start_server()
                began = time.monotonic()
                good = MEASUREMENTS[what](box, options)
                print(f"{'ok  ' if good else 'FAIL'} {what} ({time.monotonic() - began:.0f} s)", flush=True)
                ok = ok and good
    finally:
        installation.remove()
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
