# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long it takes until somebody tells of what happened: the same nginx, under hero_proc, monit, supervisord and systemd
alone, hit by the same fault at the same moment. What nobody notices within a time is never noticed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from detection import deaths_and_vanishings
from figures import NEVER

if TYPE_CHECKING:
    from bench import Bench

SERVICES_EACH = 10
INTERVAL, TIMEOUT = 1.0, 1.0  # of hero_proc's probes and of monit's cycle and checks
WHOS = {"hero_proc": "h", "monit": "m", "supervisord": "v", "systemd alone": "y"}
FOLDER = "/run/bench/detect"
# A handler that is dead is nginx's own 444; one that hangs waits for an upstream that takes the request and never answers.
NGINX = f"""daemon off;
pid {FOLDER}/@NAME@.pid;
error_log stderr crit;
worker_processes 1;
events {{ worker_connections 64; }}
http {{
        access_log off;
        server {{
                listen unix:@SOCKET@;
                location = /health {{
                        if (-f {FOLDER}/@NAME@.dead) {{ return 444; }}
                        if (-f {FOLDER}/@NAME@.hung) {{ rewrite ^ /hung last; }}
                        return 200 '{{"status":"ok"}}\\n';
                }}
                location = /hung {{ proxy_pass http://unix:{FOLDER}/silent.sock; proxy_read_timeout 600s; }}
        }}
}}
"""
MONITRC = f"""set daemon {int(INTERVAL)}
set log {FOLDER}/monit.log
set pidfile {FOLDER}/monit.pid
set idfile {FOLDER}/monit.id
set statefile {FOLDER}/monit.state
"""
CHECK = f"""check process @NAME@ with pidfile {FOLDER}/@NAME@.pid
        if not exist then alert
        if failed unixsocket @SOCKET@ protocol http request "/health" with timeout {int(TIMEOUT)} seconds then alert
"""
SUPERVISORD = f"""[supervisord]
nodaemon=true
logfile={FOLDER}/supervisord.log
pidfile={FOLDER}/supervisord.pid
childlogdir=/run/bench
[unix_http_server]
file={FOLDER}/supervisord.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{FOLDER}/supervisord.sock
"""
PROGRAM = """[program:@NAME@]
command=/bin/sh -c "rm -f @SOCKET@; exec @COMMAND@"
startsecs=0
autorestart=false
redirect_stderr=true
stdout_logfile=NONE
"""


def socket_of(name: str) -> str:
    return f"/run/hero/{name}/web.sock" if name[0] == WHOS["hero_proc"] else f"{FOLDER}/{name}.sock"


def filled(text: str, name: str) -> str:
    command = f"/usr/sbin/nginx -e stderr -c {FOLDER}/{name}.conf"
    return text.replace("@NAME@", name).replace("@SOCKET@", socket_of(name)).replace("@COMMAND@", command)


def definition(name: str) -> dict:
    """Nothing heals here: who restarts hides how long it took to see."""
    return {"name": name, "on_unhealthy": "report", "sockets": ["web.sock"], "restart": {"policy": "never"},
            "exec": filled("@COMMAND@", name).split(),
            "probe": {"socket": "web.sock", "path": "/health", "interval_ms": int(INTERVAL * 1000),
                      "timeout_ms": int(TIMEOUT * 1000)}}


def build(bench: Bench) -> dict[str, list[str]]:
    names = {who: [f"{letter}{i}" for i in range(SERVICES_EACH)] for who, letter in WHOS.items()}
    files = {f"{FOLDER}/{name}.conf": filled(NGINX, name) for each in names.values() for name in each}
    files[f"{FOLDER}/monitrc"] = MONITRC + "".join(filled(CHECK, name) for name in names["monit"])
    files[f"{FOLDER}/supervisord.conf"] = SUPERVISORD + "".join(filled(PROGRAM, name) for name in names["supervisord"])
    files.update({f"{FOLDER}/definitions/{name}.json": json.dumps(definition(name)) for name in names["hero_proc"]})
    bench.inside("write_files", files)
    bench.box.hero("-q", "apply", f"{FOLDER}/definitions")
    units = {f"bench-{name}.service": [filled("@COMMAND@", name), socket_of(name)]
             for who in ("monit", "systemd alone") for name in names[who]}
    bench.inside("start_watched", units, FOLDER)
    bench.inside("await_serving", [socket_of(name) for each in names.values() for name in each], 30.0)
    bench.inside("watch", FOLDER)
    bench.inside("pause", 3 * INTERVAL)
    return names


def measure_fault(bench: Bench, names: dict[str, list[str]], fault: str, runs: int) -> None:
    blind: set[str] = set()
    for i in range(runs):
        if i and i % SERVICES_EACH == 0:
            restore(bench, names)
        elif i and fault in ("dead", "hung"):  # one at a time: monit asks one after another, and waits for each that hangs
            bench.inside("unflag", FOLDER)
            bench.inside("await_rows", SERVICES_EACH, "running", 30.0)
            bench.inside("pause", 2 * INTERVAL)
        hit = {who: [names[who][i % SERVICES_EACH], socket_of(names[who][i % SERVICES_EACH])]
               for who in WHOS if who not in blind}
        bench.inside("pause", bench.random.uniform(0, INTERVAL))  # any moment of the interval
        took = bench.inside("strike", fault, hit, FOLDER, bench.options.never_seconds)
        for who, seconds in took.items():
            bench.figures.add(f"detect_{fault}", who, 1, NEVER if seconds is None else seconds)
        blind |= {who for who, seconds in took.items() if seconds is None}
        assert "hero_proc" not in blind, f"hero_proc does not see it: {fault}"
        if i == 0:
            bench.say(f"{fault}: " + ", ".join(f"{who} {'never' if seconds is None else f'{seconds:.3f} s'}"
                                               for who, seconds in took.items()))
    restore(bench, names)


def restore(bench: Bench, names: dict[str, list[str]]) -> None:
    bench.inside("restore", names, FOLDER, timeout=120)
    bench.inside("await_serving", [socket_of(name) for each in names.values() for name in each], 30.0)
    bench.inside("await_rows", SERVICES_EACH, "running", 30.0)
    bench.inside("pause", 3 * INTERVAL)  # until monit, too, has seen that all is well


def measure(bench: Bench) -> None:
    names = build(bench)
    for fault, runs in bench.options.detections.items():
        measure_fault(bench, names, fault, runs)
    bench.inside("end_watched")
    bench.forget_all()
    for what, took in deaths_and_vanishings(bench.box, bench.options.events).items():
        bench.figures.add(f"detect_{what}", "hero_proc, one after another", 1, *took)
