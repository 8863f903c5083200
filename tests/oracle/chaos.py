#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Chaos, inside a sandbox: makes services, breaks them and the world around them as a seed says, with several clients that
change things meanwhile, and tells the oracle of each thing before it is done. Prints the report as JSON.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from chaos_plan import Planner  # noqa: E402  pylint: disable=wrong-import-position
from clients import Client, Operation, Teller, run, send_signal  # noqa: E402
from house_plan import STATE, House, nginx_files, shape_of  # noqa: E402
from service_chaos import MOVES_WITHIN_SECONDS, ServiceChaos  # noqa: E402
from truth import read_pids  # noqa: E402
from world_chaos import STORE, WorldChaos  # noqa: E402

CLIENTS = 12
SETTLED_WITHIN_SECONDS = 60.0
WARM_UP_SECONDS = 3.0


def server_deaths(n_kills: int) -> list[str]:
    """How the server ended, as PID 1 says, but for the kills that were ours."""
    run("journalctl", "--sync")
    text = subprocess.run(["journalctl", "-q", "-o", "cat", "--no-pager", "_PID=1", "UNIT=hero_proc.service"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout
    ends = [line for line in text.splitlines() if "Main process exited" in line]
    ours = [line for line in ends if "code=killed, status=9/KILL" in line]
    return [line for line in ends if line not in ours] + ours[n_kills:]


class Campaign:
    """From an empty house to the report."""

    def __init__(self, options: argparse.Namespace):
        self.options = options
        house = House(options.seed, options.services, options.fixture)
        self.definitions = house.definitions
        self.shapes = {d["name"]: shape_of(d) for d in self.definitions}
        planner = Planner(options.seed, list(self.shapes.values()), options.seconds, options.service_rate,
                          options.world_rate, options.kill_rate, options.world.split(",") if options.world else None)
        self.steps = planner.steps()
        self.done: list[str] = []

    def prepare(self) -> None:
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: nothing of ours is taken for somebody's orphan
        os.makedirs(STATE, exist_ok=True)
        for definition in self.definitions:
            for path, text in nginx_files(definition).items():
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                Path(path).write_text(text, encoding="ascii")
        Path(f"{STATE}/definitions.json").write_text(json.dumps(self.definitions), encoding="ascii")

    def run(self) -> dict[str, Any]:
        self.prepare()
        oracle = subprocess.Popen([sys.executable, str(Path(__file__).with_name("oracle.py")),
                                   f"{STATE}/definitions.json", "--slack", str(self.options.slack)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        teller = Teller(oracle.stdin)
        client = Client()
        self._create(teller, client)
        services = ServiceChaos(teller, self.shapes)
        world = WorldChaos(teller, services.stopping, Path(self.options.fixture).with_name("jumping_clock.so"))
        not_well = self._await_well(60)
        if not_well:
            teller.tell("finding", kind="did not start", text=f"DID NOT START: {not_well}")
        time.sleep(WARM_UP_SECONDS)
        self._act(services, world)
        self._end(teller, services, world, client)
        deaths = server_deaths(world.n_kills)
        if deaths:
            teller.tell("finding", kind="server died", text="THE SERVER DIED, and not by chaos:\n    " + "\n    ".join(deaths))
        oracle.stdin.close()
        report = json.loads(oracle.stdout.read())
        oracle.wait()
        return {**report, "seed": self.options.seed, "seconds": self.options.seconds,
                "services": len(self.definitions), "kills": world.n_kills, "back_after": world.back_after,
                "skipped": world.skipped, "steps": len(self.steps), "done": self.done}

    def _create(self, teller: Teller, client: Client) -> None:
        texts = [json.dumps(d) for d in self.definitions]
        operations = [Operation(teller, d["name"], "create", definition=text, wanted="up", is_restart=True,
                                lingers=MOVES_WITHIN_SECONDS)
                      for d, text in zip(self.definitions, texts)]
        for operation in operations:
            operation.__enter__()
        _, error = client.call(None, "ApplyDefinitions", "ast", texts, 0)
        if error:
            raise SystemExit(f"chaos: the definitions are refused: {error}")
        for operation in operations:
            operation.outcome = "done"
            operation.__exit__()

    def _rows(self, client: Client) -> dict[str, tuple[str, str]]:
        rows, error = client.call(None, "ListServices", "")
        return {} if error else {row[0]: (row[1], row[2]) for row in rows[0]}

    def _await_well(self, timeout: float) -> str:
        """"" as soon as every service is as it should be; else those that are not."""
        client, deadline, wrong = Client(), time.monotonic() + timeout, "no answer"
        while time.monotonic() < deadline:
            rows = self._rows(client)
            wrong = ", ".join(f"{name}: {' '.join(rows.get(name, ('gone',)))}" for name, shape in self.shapes.items()
                              if rows.get(name, ("", ""))[0] not in
                              (("stopped",) if shape.is_done_when_down else ("running",)))
            if rows and not wrong:
                return ""
            time.sleep(0.1)
        return wrong

    def _act(self, services: ServiceChaos, world: WorldChaos) -> None:
        """Many clients on services, one after the other what befalls the world, and kills whatever goes on."""
        jobs, world_jobs, kills = (queue.Queue() for _ in range(3))
        workers = [(queue_, threading.Thread(target=self._work, args=(queue_,)))
                   for queue_ in (*[jobs] * CLIENTS, world_jobs, kills)]
        for _, thread in workers:
            thread.start()
        begun = time.monotonic()
        for step in self.steps:
            time.sleep(max(0.0, begun + step.at - time.monotonic()))
            queue_ = jobs if step.service else kills if step.kind == "kill_server" else world_jobs
            queue_.put((getattr(services if step.service else world, step.kind), step))
        time.sleep(max(0.0, begun + self.options.seconds - time.monotonic()))
        services.stopping.set()
        for queue_, _ in workers:
            queue_.put(None)
        for _, thread in workers:
            thread.join()

    def _work(self, jobs: queue.Queue) -> None:
        while (job := jobs.get()) is not None:
            do, step = job
            self.done.append(f"{time.monotonic():.3f} {step}")
            if step.service:
                do(self.shapes[step.service], **step.with_)
            else:
                do(**step.with_)

    def _end(self, teller: Teller, services: ServiceChaos, world: WorldChaos, client: Client) -> None:
        """All faults end; then every service must come back, and at the stop of all of them nothing may be left."""
        run("mount", "-o", "remount,rw", STORE)
        Path(f"{STORE}/filler").unlink(missing_ok=True)
        for shape in self.shapes.values():
            for action in shape.actions:
                if action.faults:
                    Path(action.faults).unlink(missing_ok=True)
                for pid in read_pids(action.cgroup):
                    send_signal(pid, signal.SIGCONT)
            Path(f"{STATE}/{shape.name}/return_444").unlink(missing_ok=True)
        world.await_server()
        for shape in self.shapes.values():
            services.start(shape, "", 0, True)
        if self._await_well(5):
            for shape in self.shapes.values():
                services.reset_failed(shape, "", 0)
        not_well = self._await_well(SETTLED_WITHIN_SECONDS)
        if not_well:
            teller.tell("finding", kind="did not recover", text=f"DID NOT RECOVER: {not_well}")
        time.sleep(4)  # quiet rows, all of them judged
        for shape in self.shapes.values():
            with Operation(teller, shape.name, "stop", wanted="down", is_restart=True) as operation:
                client.call(operation, "StopService", "st", shape.name, 0)
        time.sleep(6)  # longer than a stop may take, so that what is left over is an orphan


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--services", type=int, default=24)
    parser.add_argument("--service-rate", type=float, default=2.5, help="steps a second on services")
    parser.add_argument("--world-rate", type=float, default=0.15, help="steps a second on the world around them")
    parser.add_argument("--kill-rate", type=float, default=0.9, help="kills of the server a second")
    parser.add_argument("--world", default="", help="only these kinds of them, with commas between")
    parser.add_argument("--slack", type=float, default=1.0, help="seconds on top of each bound")
    parser.add_argument("--fixture", required=True, help="herodemo_server")
    json.dump(Campaign(parser.parse_args()).run(), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
