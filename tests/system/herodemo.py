# SPDX-License-Identifier: LGPL-2.1-or-later
"""Services made of tests/fixture/herodemo_server, and of nginx, for the tests of what hero_proc says about them."""

from __future__ import annotations

from typing import Any, Iterable

from box import REPOSITORY, Box

GREEN = "\033[0;32m"


def socket_path(service: str, name: str = "rpc.sock") -> str:
    return f"/run/hero/{service}/{name}"


def faults_file(name: str) -> str:
    return f"/run/{name}.faults"


def command(box: Box, service: str, *options: str, name: str | None = None,
            sockets: Iterable[str] = ("rpc.sock",)) -> list[str]:
    """A herodemo_server with these sockets in the service's folder, obedient to faults_file(name)."""
    words = [box.fixture("herodemo_server"), "--name", name or service, "--faults", faults_file(name or service)]
    words += [word for socket in sockets for word in ("--socket", socket_path(service, socket))]
    return [*words, *options]


def service(box: Box, name: str, *options: str, sockets: Iterable[str] = ("rpc.sock",), **fields: Any) -> dict:
    """The definition of a service of one such process. It is never healed: what is wrong stays to be seen."""
    return {"name": name, "on_unhealthy": "report", "sockets": list(sockets), "ready": "notify",
            "exec": command(box, name, "--ready", "notify", *options, sockets=sockets), **fields}


def probe(name: str = "files", path: str = "/api/files", **fields: Any) -> dict:
    """A probe quick enough for a test: five a second, and four re-checks in that time."""
    fields = {"interval_ms": 200, "timeout_ms": 300, "fast_interval_ms": 50, **fields}
    if "port" not in fields:
        fields = {"socket": "rpc.sock", **fields}
    return {"name": name, "path": path, **fields}


def set_faults(box: Box, name: str, *lines: str) -> None:
    box.write_file(faults_file(name), "".join(f"{line}\n" for line in lines))


def prepare_nginx(box: Box, name: str) -> dict:
    """nginx as tests/fixture/nginx has it, with its files in /run/NAME; returns its definition, without probes."""
    config = REPOSITORY.joinpath("tests/fixture/nginx/hero_nginx.conf.in").read_text()
    config = config.replace("@STATE@", f"/run/{name}").replace("@RUN@/hero_nginx", f"/run/hero/{name}")
    box.write_file(f"/run/{name}/nginx/nginx.conf", config)
    return {"name": name, "on_unhealthy": "report", "sockets": ["web.sock"], "ready": "exec",
            "exec": ["/usr/sbin/nginx", "-p", f"/run/{name}/nginx", "-e", "stderr",
                     "-c", f"/run/{name}/nginx/nginx.conf"]}


def status(box: Box, name: str) -> dict:
    return box.hero_json("status", name)[0]


def reasons(box: Box, name: str) -> list[tuple[str, str, str]]:
    """(code, subject, text) of each, the leading one first."""
    return [(reason["code"], reason["subject"], reason["text"]) for reason in status(box, name)["reasons"]]


def states_of_the_next_server(name: str, server: int) -> list[str]:
    """For the agent: the server is killed, and asked again and again until it says something final."""
    states: list[str] = []
    os.kill(server, signal.SIGKILL)  # noqa: F821
    while not states or states[-1] in ("unknown", "running", "starting"):
        asked = subprocess.run(["busctl", "--json=short", "call", "org.hero.Proc1", "/org/hero/Proc1",  # noqa: F821
                                "org.hero.Proc1.Manager", "ListServices"], stdout=subprocess.PIPE)  # noqa: F821
        for row in json.loads(asked.stdout)["data"][0] if asked.returncode == 0 else []:  # noqa: F821
            states += [row[1]] if row[0] == name and row[1] not in states[-1:] else []
    return states
