# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the gateway costs. The bounds are wide, for a machine that is slow and busy; `make measure` prints the figures."""

from __future__ import annotations

import gateway
import house

ALONE = True
SERVICES = 300


def prepare(box):
    gateway.start(box)
    box.apply(house.web_service(box, "web"), *(house.sleeper(f"s{n:03}") for n in range(SERVICES - 1)))
    box.wait_for(lambda: set(box.states().values()) == {"running"}, 60, "all are running", pause=0.5)


def _ask_often(path, pid, method, params, n, kept):
    """n calls one after the other, on one connection or each on its own: how long they took, and the gateway's own time."""
    # pylint: disable=undefined-variable
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})  # noqa: F821
    request = (f"POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
               f"Content-Length: {len(body)}\r\n\r\n{body}").encode()

    def connect():
        s = socket.socket(socket.AF_UNIX)  # noqa: F821
        s.settimeout(20)
        s.connect(path)
        return s

    def ask(s):
        s.sendall(request)
        got = s.recv(65536)
        while b"\r\n\r\n" not in got or len(got) < want(got):
            got += s.recv(65536)
        assert got.startswith(b"HTTP/1.1 200 ") and b'"result":' in got, got

    def want(got):
        head = got[:got.index(b"\r\n\r\n")]
        return len(head) + 4 + int(re.search(rb"Content-Length: (\d+)", head).group(1))  # noqa: F821

    def used():
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()  # noqa: F821
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # noqa: F821

    s = connect()
    began, cpu = time.monotonic(), used()  # noqa: F821
    for _ in range(n):
        if not kept:
            s.close()
            s = connect()
        ask(s)
    s.close()
    return {"seconds": time.monotonic() - began, "cpu": used() - cpu}  # noqa: F821


def rate(box, method="service.status", n=5000, kept=True):
    """Calls a second as one client sees them, and as many as one core of the gateway's would do."""
    params = {"name": "web"} if method != "service.list" else {}
    seen = box.agent.call(_ask_often, gateway.RPC, box.main_pid(gateway.SERVICE_UNIT), method, params, n, kept,
                          timeout=120)
    return {"seen": n / seen["seconds"], "a_core": n / max(seen["cpu"], 0.01)}


def test_a_call_costs_little(box):
    for kept in (True, False):
        seen = rate(box, n=2000, kept=kept)
        assert seen["a_core"] > 500, f"kept: {kept}: {seen}"


def test_memory_stays_small_whatever_is_asked(box):
    pid = box.main_pid(gateway.SERVICE_UNIT)
    for method in ("service.list", "service.status_full", "rpc.discover"):
        rate(box, "service.list" if method == "service.list" else "service.status_full", n=200)
    box.http(gateway.RPC, "/metrics")
    before = box.agent.call("footprint", pid)
    rate(box, "service.list", n=500)
    for _ in range(20):
        assert box.http(gateway.RPC, "/metrics")[0] == 200
    after = box.agent.call("footprint", pid)
    assert after["rss"] <= 8 * 1024 and after["rss"] - before["rss"] <= 512, f"{before} -> {after}"
