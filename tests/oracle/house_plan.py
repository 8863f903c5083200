# SPDX-License-Identifier: LGPL-2.1-or-later
"""The services that chaos breaks, and what the oracle has to know of each. Pure: a seed in, definitions out."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any, Iterable

RUN = "/run/hero"
STATE = "/run/chaos"  # faults, and what nginx and strangers write
NARROW = 2  # a backlog that the looks of the oracle alone fill in half a second; that of the others they never do


@dataclass
class ActionShape:
    """One process or oneshot."""

    name: str
    unit: str
    cgroup: str  # below /sys/fs/cgroup
    oneshot: bool = False
    faults: str = ""  # the file that switches its faults; "" where it has none
    paths: list[str] = field(default_factory=list)  # of HTTP, that its probes ask for
    delay: float = 0.3
    is_narrow: bool = False  # its queue fills as soon as it accepts nothing any more


@dataclass
class SocketShape:
    path: str
    action: str  # owner


@dataclass
class ProbeShape:
    """How it is asked, and from that how soon hero_proc has promised to see what (seconds)."""

    name: str
    action: str
    address: str | int
    path: str
    method: str
    body: str
    expect_body: str
    connects: bool
    report: bool
    interval: float
    timeout: float
    failures: int
    fast: float

    def shown_within(self, time_to_fail: float) -> float:
        """Until it no longer says running."""
        return self.interval + min(time_to_fail, self.timeout)

    def failed_within(self, time_to_fail: float) -> float:
        time_to_fail = min(time_to_fail, self.timeout)
        return self.interval + self.failures * time_to_fail + (self.failures - 1) * self.fast

    def seen_well_within(self) -> float:
        return self.interval + self.timeout


@dataclass
class ServiceShape:
    """A service as it is known from its definition."""

    name: str
    definition: dict[str, Any]
    actions: list[ActionShape]
    sockets: list[SocketShape]
    probes: list[ProbeShape]
    requires: list[str]
    heals: bool
    start_timeout: float
    stop_timeout: float
    max_attempts: int

    def action(self, name: str) -> ActionShape:
        return next(action for action in self.actions if action.name == name)

    @property
    def is_done_when_down(self) -> bool:
        return all(action.oneshot for action in self.actions)


def slice_name(service: str) -> str:
    return "hero-" + service.replace("-", "\\x2d") + ".slice"


def shape_of(definition: dict[str, Any]) -> ServiceShape:
    """Reads back from a definition (in the fields that are used here) what the oracle has to look at."""
    name = definition["name"]
    raw = definition.get("actions") or {"main": definition}
    single = list(raw) == ["main"]
    folder = f"{RUN}/{name}"
    actions, sockets = [], []
    for key, value in raw.items():
        unit = f"hero-{name}.service" if single else f"hero-{name}@{key}.service"
        words = value["exec"] if isinstance(value["exec"], list) else [value["exec"]]
        faults = words[words.index("--faults") + 1] if "--faults" in words else ""
        actions.append(ActionShape(key, unit, f"hero.slice/{slice_name(name)}/{unit}", value.get("kind") == "oneshot",
                                   faults, [], value.get("restart", {}).get("delay_ms", 1000) / 1000, "--backlog" in words))
        sockets += [SocketShape(f"{folder}/{path}", key) for path in value.get("sockets", [])]
    owner = {socket.path: socket.action for socket in sockets}
    processes = [action.name for action in actions if not action.oneshot]
    probes = []
    for probe in definition.get("probes", []):
        address = probe["port"] if "port" in probe else f"{folder}/{probe['socket']}"
        action = owner.get(address, processes[0] if processes else "")
        probes.append(ProbeShape(
            probe["name"], action, address, probe.get("path", "/health"), probe.get("method", "GET"),
            json.dumps(probe["body"]) if "body" in probe else "", probe.get("expect_body", ""),
            probe.get("type") == "connect", probe.get("role") == "report", probe["interval_ms"] / 1000,
            probe["timeout_ms"] / 1000, probe.get("failures", 3), probe.get("fast_interval_ms", 200) / 1000))
        if probe.get("type") != "connect" and probe["path"] not in next(a for a in actions if a.name == action).paths:
            next(a for a in actions if a.name == action).paths.append(probe["path"])
    first = next(iter(raw.values()))
    return ServiceShape(name, definition, actions, sockets, probes, definition.get("requires", []),
                        definition.get("on_unhealthy", "restart") == "restart" and bool(probes or sockets),
                        first.get("start_timeout_ms", 30000) / 1000, first.get("stop_timeout_ms", 10000) / 1000,
                        first.get("restart", {}).get("max_attempts", 5))


def generation_of(definition: str, action: str) -> str:
    """The variable by which chaos tells one definition of an action from the next; "" where there is none."""
    read = json.loads(definition)
    return _generation((read.get("actions") or {"main": read}).get(action, {}).get("env") or {})


def generation_of_process(environment: dict[str, str]) -> str | None:
    """That of its definition. None where it is not known, as between fork and exec, or of one that wrote its title over it."""
    return _generation(environment) if "HERO_SERVICE" in environment else None


def _generation(names: Iterable[str]) -> str:
    return next((name for name in names if name.startswith("GENERATION_")), "")


class House:
    """Makes the services: each shape that there is, then more of them as the seed says."""

    def __init__(self, seed: int, n_services: int, fixture: str):
        self._random = random.Random(f"house {seed}")
        self._fixture = fixture
        self._port = 18700
        self.definitions: list[dict[str, Any]] = []
        makers = [self._notify, self._pair, self._fd3, self._file, self._port_service, self._nginx, self._mixed,
                  self._oneshot, self._chain, self._socket_only, self._sleeper, self._connect, self._report,
                  self._gives_up, self._dashed, self._narrow, self._narrow_and_asked]
        for number in range(n_services):
            make = makers[number] if number < len(makers) else self._random.choice(makers[:4] + [self._chain])
            self.definitions.append(make(number))

    def _timing(self) -> dict[str, Any]:
        interval = self._random.choice([300, 500, 1000, 1500])
        return {"interval_ms": interval, "timeout_ms": self._random.choice([400, 700, 1000]),
                "failures": self._random.choice([1, 2, 3, 3]), "fast_interval_ms": self._random.choice([50, 100, 200])}

    def _server(self, name: str, socket: str = "rpc.sock", ready: str = "notify", *options: str) -> list[str]:
        words = [self._fixture, "--name", name, "--socket", f"{RUN}/{name}/{socket}"]
        words += ["--faults", f"{STATE}/{name}.{socket}.faults", "--fresh-faults"]
        words += ["--ready", ready] if ready != "exec" else []
        return [*words, *options]

    def _common(self) -> dict[str, Any]:
        return {"start_timeout_ms": 4000, "stop_timeout_ms": 2000,
                "restart": {"delay_ms": self._random.choice([100, 300, 500]), "max_delay_ms": 2000, "max_attempts": 100,
                            "window_ms": 10000, "stability_period_ms": 2000}}

    def _probe(self, name: str, path: str, socket: str = "rpc.sock", **fields: Any) -> dict[str, Any]:
        return {"name": name, "socket": socket, "path": path, **self._timing(), **fields}

    def _rpc_probe(self) -> dict[str, Any]:
        return self._probe("rpc", "/rpc", method="POST", expect_body="\"openrpc\"",
                           body={"jsonrpc": "2.0", "id": 1, "method": "rpc.discover"})

    def _healing(self) -> str:
        return self._random.choice(["restart", "report"])

    def _notify(self, n: int, ready: str = "notify", name: str = "") -> dict[str, Any]:
        name = name or f"web{n}"
        return {"name": name, "on_unhealthy": self._healing(), "exec": self._server(name, ready=ready), "ready": ready,
                "sockets": ["rpc.sock"], **self._common(),
                "probes": [self._probe("files", "/api/files"), self._probe("health", "/health")][:1 + n % 2]}

    def _fd3(self, n: int) -> dict[str, Any]:
        return self._notify(n, "fd3", f"fdthree{n}")

    def _file(self, n: int) -> dict[str, Any]:
        return self._notify(n, "file", f"file{n}")

    def _dashed(self, n: int) -> dict[str, Any]:
        return self._notify(n, "notify", f"my-app.v{n}")

    def _pair(self, n: int) -> dict[str, Any]:
        name = f"pair{n}"
        return {"name": name, "on_unhealthy": self._healing(),
                "probes": [self._rpc_probe(), self._probe("page", "/", "ui.sock", expect_body="<h1>")],
                "actions": {
                    "server": {"exec": self._server(name), "ready": "notify", "sockets": ["rpc.sock"], **self._common()},
                    "ui": {"exec": self._server(name, "ui.sock", "file"), "ready": "file", "sockets": ["ui.sock"],
                           **self._common()}}}

    def _port_service(self, n: int) -> dict[str, Any]:
        name, port = f"port{n}", self._port + n
        return {"name": name, "on_unhealthy": "report", "ports": [port], "sockets": ["rpc.sock"], **self._common(),
                "exec": self._server(name, "rpc.sock", "notify", "--port", str(port)), "ready": "notify",
                "probes": [{"name": "port", "port": port, "path": "/health", **self._timing()}]}

    def _nginx(self, n: int) -> dict[str, Any]:
        name = f"nginx{n}"
        return {"name": name, "on_unhealthy": self._healing(), "ready": "exec", "sockets": ["web.sock"],
                "exec": ["/usr/sbin/nginx", "-p", f"{STATE}/{name}", "-e", "stderr", "-c", f"{STATE}/{name}/nginx.conf"],
                **self._common(), "probes": [self._probe("files", "/api/files", "web.sock")]}

    def _mixed(self, n: int) -> dict[str, Any]:
        name = f"mixed{n}"
        return {"name": name, "on_unhealthy": "restart", "probes": [self._probe("files", "/api/files")],
                "actions": {"migrate": {"kind": "oneshot", "exec": ["/bin/true"], **self._common()},
                            "server": {"exec": self._server(name), "ready": "notify", "sockets": ["rpc.sock"],
                                       **self._common()}}}

    def _oneshot(self, n: int) -> dict[str, Any]:
        return {"name": f"once{n}", "kind": "oneshot", "exec": ["/bin/sleep", "0.2"], **self._common()}

    def _chain(self, n: int) -> dict[str, Any]:
        earlier = [d["name"] for d in self.definitions if d.get("ready") == "notify" and "exec" in d]
        definition = self._notify(n, "notify", f"link{n}")
        definition["requires"] = [earlier[-1]]
        return definition

    def _socket_only(self, n: int) -> dict[str, Any]:
        definition = self._notify(n, "notify", f"silent{n}")
        definition.pop("probes")
        return definition

    def _narrow(self, n: int) -> dict[str, Any]:
        """Nothing but its queue shows that it stands still, and nobody heals it."""
        definition = {**self._socket_only(n), "name": f"narrow{n}", "on_unhealthy": "report"}
        return {**definition, "exec": self._server(f"narrow{n}", "rpc.sock", "notify", "--backlog", str(NARROW))}

    def _narrow_and_asked(self, n: int) -> dict[str, Any]:
        definition = self._notify(n, "notify", f"tight{n}")
        return {**definition, "on_unhealthy": "restart", "exec": [*definition["exec"], "--backlog", str(NARROW)]}

    def _sleeper(self, n: int) -> dict[str, Any]:
        return {"name": f"sleeper{n}", "exec": ["/bin/sleep", "infinity"], **self._common()}

    def _connect(self, n: int) -> dict[str, Any]:
        definition = self._notify(n, "notify", f"connect{n}")
        definition["probes"] = [{"name": "connect", "type": "connect", "socket": "rpc.sock", **self._timing()}]
        return definition

    def _report(self, n: int) -> dict[str, Any]:
        definition = self._notify(n, "notify", f"report{n}")
        definition["probes"] = [self._probe("files", "/api/files"), self._probe("extra", "/health", role="report")]
        return definition

    def _gives_up(self, n: int) -> dict[str, Any]:
        """Dies often enough that systemd gives up on it."""
        definition = self._notify(n, "notify", f"fragile{n}")
        definition["restart"] = {"delay_ms": 100, "max_delay_ms": 200, "max_attempts": 3, "window_ms": 20000}
        return definition


NGINX_CONF = """daemon off;
pid {state}/nginx.pid;
lock_file {state}/nginx.lock;
error_log stderr;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
        access_log off;
        client_body_temp_path {state}/body;
        proxy_temp_path {state}/proxy;
        fastcgi_temp_path {state}/fastcgi;
        uwsgi_temp_path {state}/uwsgi;
        scgi_temp_path {state}/scgi;
        server {{
                listen unix:{socket};
                location = /api/files {{
                        if (-f {state}/return_444) {{ return 444; }}
                        return 200 '[]\\n';
                }}
        }}
}}
"""


def nginx_files(definition: dict[str, Any]) -> dict[str, str]:
    """Path → text of what nginx needs to be there; none for other services."""
    if definition.get("exec", [""])[0] != "/usr/sbin/nginx":
        return {}
    state = f"{STATE}/{definition['name']}"
    text = NGINX_CONF.format(state=state, socket=f"{RUN}/{definition['name']}/web.sock")
    return {f"{state}/nginx.conf": text}
