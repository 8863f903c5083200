# SPDX-License-Identifier: LGPL-2.1-or-later
"""hero_proc over HTTP, as the tests ask it: nothing of the gateway's own code is used."""

from __future__ import annotations

import itertools
import json
from typing import Any

import house
from box import Box

FOLDER = "/run/hero/hero_proc"
RPC, UI, ADMIN = f"{FOLDER}/rpc.sock", f"{FOLDER}/ui.sock", f"{FOLDER}/admin.sock"
SOCKET_UNIT, SERVICE_UNIT = "hero_proc-gateway.socket", "hero_proc-gateway.service"
JSON_HEADERS = {"Content-Type": "application/json"}

_ids = itertools.count(1)


def start(box: Box) -> None:
    """Server and gateway, with the users and groups that they need; returns when the gateway has seen the server."""
    box.run(["systemd-sysusers"])
    box.start_server()
    box.systemctl("start", SOCKET_UNIT)
    await_well(box)


def await_well(box: Box, timeout: float = 20) -> None:
    Box.wait_for(lambda: box.http(RPC, "/health")[0] == 200, timeout, "the gateway sees the server")


def post(box: Box, body: str | bytes, *, user: str | None = None, socket: str = RPC, path: str = "/rpc",
         headers: dict[str, str] | None = None, timeout: float = 30.0) -> tuple[int | None, str]:
    status, text = box.agent_of(user).call("http_request", socket, path, "POST", body,
                                           JSON_HEADERS if headers is None else headers, timeout, timeout=timeout + 10)
    return status, text


def call(box: Box, method: str, params: Any = None, **options: Any) -> dict[str, Any]:
    """The whole answer of one call: `result` or `error` is in it."""
    request = {"jsonrpc": "2.0", "id": next(_ids), "method": method}
    if params is not None:
        request["params"] = params
    status, text = post(box, json.dumps(request), **options)
    assert status == 200, f"{method}: {status} {text}"
    answer = json.loads(text)
    assert answer["jsonrpc"] == "2.0" and answer["id"] == request["id"], answer
    assert ("result" in answer) != ("error" in answer), answer
    return answer


def result(box: Box, method: str, params: Any = None, **options: Any) -> Any:
    answer = call(box, method, params, **options)
    assert "result" in answer, answer
    return answer["result"]


def error(box: Box, method: str, params: Any = None, **options: Any) -> dict[str, Any]:
    answer = call(box, method, params, **options)
    assert "error" in answer, answer
    assert {"code_name", "service", "action", "retryable", "hint"} <= set(answer["error"]["data"]), answer
    return answer["error"]


def settled(box: Box) -> dict[str, Any]:
    """house.everything(), once the store has noted of each service that what was begun is over."""
    Box.wait_for(lambda: all(row["intention"] == "none" for row in house.everything(box)["store"]), 20, "everything is over")
    return house.everything(box)
