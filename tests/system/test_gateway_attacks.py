# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whatever is sent to the gateway's sockets: it is refused with the right status, nobody else is kept from being served,
memory stays as it was, and nothing is changed."""

from __future__ import annotations

import json
import re

import gateway
import house

RSS_MAX_KIB = 8 * 1024
STOP = '{"jsonrpc": "2.0", "id": 9, "method": "service.stop", "params": ["idle"]}'


def prepare(box):
    gateway.start(box)
    box.apply(house.web_service(box, "web"), house.sleeper("idle"))
    box.wait_state("web", "running", 20)
    box.wait_state("idle", "running", 20)


class Unharmed:
    """For `with`: afterwards the same gateway process serves, is as small as before, and nothing was changed."""

    def __init__(self, box):
        self._box = box

    def _footprint(self):
        return self._box.agent.call("footprint", self._box.main_pid(gateway.SERVICE_UNIT))

    def __enter__(self):
        gateway.await_well(self._box)
        self._pid = self._box.main_pid(gateway.SERVICE_UNIT)
        self._before = gateway.settled(self._box)
        self._used = self._footprint()
        return self

    def __exit__(self, kind, *_):
        if kind:
            return
        box = self._box
        assert gateway.result(box, "service.status", ["web"])["name"] == "web", "it serves"
        assert box.main_pid(gateway.SERVICE_UNIT) == self._pid, "and has never died"
        assert house.everything(box) == self._before
        box.wait_for(lambda: self._footprint()["fds"] <= self._used["fds"] + 2, 15, "its descriptors are closed")
        used = self._footprint()
        assert used["rss"] <= RSS_MAX_KIB and used["rss"] - self._used["rss"] <= 1024, f"{self._used} -> {used}"


def _exchange(path, data, timeout=20.0, chunk=0):
    """Sends bytes (given as latin-1 text) and reads until the other side closes: what came. With `chunk`, as many of them
    over and over until nobody takes them any more."""
    # pylint: disable=undefined-variable
    with socket.socket(socket.AF_UNIX) as s:  # noqa: F821
        s.settimeout(timeout)
        s.connect(path)
        n = 0
        try:
            s.sendall(data.encode("latin-1"))
            while n < chunk:
                n += s.send(b" " * min(65536, chunk - n))
        except (BrokenPipeError, ConnectionResetError):
            pass
        got = b""
        try:
            while piece := s.recv(65536):
                got += piece
        except ConnectionResetError:
            pass
    return {"text": got.decode("latin-1"), "sent": n}


def statuses(text):
    """Of each answer in what came."""
    return [int(status) for status in re.findall(r"HTTP/1\.1 (\d+) ", text)]


def exchange(box, data, **options):
    return box.agent.call(_exchange, gateway.RPC, data, *options.values(), timeout=60)


def post(*lines, body="", length=None):
    head = ["POST /rpc HTTP/1.1", *lines]
    if length is not False:
        head.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(head) + "\r\n\r\n" + body


GOOD = ("Host: localhost", "Content-Type: application/json")


def test_a_request_of_this_form_is_served(box):
    body = '{"jsonrpc": "2.0", "id": 1, "method": "rpc.health"}'
    text = exchange(box, post(*GOOD, "Connection: close", body=body))["text"]
    assert statuses(text) == [200] and '"status":"ok"' in text


# What a page elsewhere can have a browser send, and what does not belong here: the status.
REFUSED = [
    (post("Host: evil.example", GOOD[1], body=STOP), 403),
    (post("Host: localhost.evil.example:80", GOOD[1], body=STOP), 403),
    (post(*GOOD, "Origin: http://evil.example", body=STOP), 403),
    (post(*GOOD, "Origin: null", body=STOP), 403),
    (post(*GOOD, "Sec-Fetch-Site: cross-site", body=STOP), 403),
    (post("Host: localhost", "Content-Type: text/plain", body=STOP), 415),
    (post("Host: localhost", "Content-Type: application/x-www-form-urlencoded", body=STOP), 415),
    (post("Host: localhost", body=STOP), 415),
    (post(GOOD[1], body=STOP), 400),
    (post(*GOOD, length=False), 411),
    (post(*GOOD, length=300_000), 413),
    ("GET /rpc HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
    ("PUT /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 405),
    ("OPTIONS /rpc HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n", 405),
    ("GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
    ("GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
    ("GET /health%00x HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("GET /health HTTP/1.1\r\nHost: localhost\r\n" + "X: " + "a" * 17000 + "\r\n\r\n", 431),
    ("GET /health HTTP/1.1\r\nHost: localhost\r\n" + "X: a\r\n" * 4000 + "\r\n", 431),
    ("GET /health HTTP/1.1\r\nHost: localhost\r\n" + "X: a\r\n" * 64 + "\r\n", 431),
    ("GARBAGE\r\n\r\n", 400),
    ("GET /health HTTP/1.1\nHost: localhost\n\n", 400),
    ("GET http://localhost/health HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("GET /health HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
    ("GET /health\r\n\r\n", 400),
    ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n\n", 400),
    ("GET /" + "a" * 9000 + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    ("GET /" + "a" * 30000 + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
    ("GET /health HTTP/1.1\r\nHost: localhost\r\nX Y: 1\r\n\r\n", 400),
    ("GET /health HTTP/1.1\r\nHost: localhost\r\nX: a\x01b\r\n\r\n", 400),
]


def test_what_is_not_for_us_is_refused_with_its_status(box):
    with Unharmed(box):
        for data, expected in REFUSED:
            text = exchange(box, data + ("" if "\r\nContent-Length: 300000" not in data else " " * 300_000))["text"]
            assert statuses(text) == [expected], f"{data[:100]!r}: {text[:200]!r}"
            head, body = text.split("\r\n\r\n", 1)
            assert json.loads(body)["status"] == expected and "Content-Type: application/json" in head, text
            assert ("Allow: " in head) == (expected == 405), text
            assert "Access-Control" not in head and "Content-Security-Policy: default-src 'none'" in head, text


# Two requests to one reader, one to another: the second would stop a service.
HIDDEN = post(*GOOD, body=STOP)
SMUGGLED = [
    post(*GOOD, "Transfer-Encoding: chunked", body="0\r\n\r\n" + HIDDEN, length=len(HIDDEN) + 5),
    post(*GOOD, "Transfer-Encoding: chunked", body="0\r\n\r\n" + HIDDEN, length=False),
    post(*GOOD, "Transfer-Encoding: xchunked", body=HIDDEN, length=4),
    post(*GOOD, "Transfer-Encoding : chunked", body="0\r\n\r\n" + HIDDEN, length=4),
    post(*GOOD, "Transfer-Encoding:\tchunked", body="0\r\n\r\n" + HIDDEN, length=4),
    post(*GOOD, "X: y\r\n Transfer-Encoding: chunked", "Content-Length: 0", body=HIDDEN),
    post(*GOOD, "Content-Length: 0", f"Content-Length: {len(HIDDEN)}", body=HIDDEN, length=False),
    post(*GOOD, "Content-Length: 0, 5", body=HIDDEN, length=False),
    post(*GOOD, "Content-Length: +0", body=HIDDEN, length=False),
    post(*GOOD, "Content-Length: 0x0", body=HIDDEN, length=False),
    post(*GOOD, "Content-Length : 0", body=HIDDEN, length=False),
    post(*GOOD, "Content-Length: -1", body=HIDDEN, length=False),
    post(*GOOD, "Content-Length: 99999999999999999999", body=HIDDEN, length=False),
    "GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(HIDDEN), HIDDEN),
    "GET /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
]


def test_what_follows_a_whole_request_is_the_next_one(box):
    """The control: if two requests in a row were never taken for two, nothing could be smuggled to begin with."""
    ask = post(*GOOD, body='{"jsonrpc": "2.0", "id": 1, "method": "rpc.health"}')
    last = ask.replace("Host: localhost", "Host: localhost\r\nConnection: close")
    text = exchange(box, ask * 20 + "\r\n" + last)["text"]
    assert statuses(text) == [200] * 21 and text.count('"status":"ok"') == 21


def test_no_request_is_smuggled_in_another(box):
    with Unharmed(box):
        for data in SMUGGLED:
            text = exchange(box, data)["text"]
            assert statuses(text) in ([400], [411]), f"{data!r}: {text!r}"


def test_json_that_is_none_changes_nothing(box):
    bodies = ["[" * 100_000, "[" * 40 + "]" * 40, '{"a":' * 1000, STOP[:-1], STOP + STOP, STOP.replace("idle", "id\xffle"),
              STOP.replace("idle", "\\ud800"), STOP.replace("9", "9" * 400), STOP.replace('"id": 9', '"id": 9, "id": 10'),
              "\xef\xbb\xbf" + STOP, STOP.replace('"2.0"', "NaN"), " " * 200_000]
    with Unharmed(box):
        for body in bodies:
            text = exchange(box, post(*GOOD, "Connection: close", body=body))["text"]
            assert statuses(text) == [200] and json.loads(text.split("\r\n\r\n", 1)[1])["error"]["code"] == -32700, \
                f"{body[:60]!r}: {text[-300:]!r}"


def test_a_hundred_megabytes_are_not_taken_in(box):
    n = 100 * 1024 * 1024
    with Unharmed(box):
        large = exchange(box, post(*GOOD, length=n), timeout=30, chunk=n)
        assert statuses(large["text"]) == [413] and large["sent"] < n / 10, large
        chunked = exchange(box, post(*GOOD, "Transfer-Encoding: chunked", length=False), timeout=30, chunk=n)
        assert statuses(chunked["text"]) == [411] and chunked["sent"] < n / 10, chunked


def _drip(path, head, body_from, seconds):
    """Sends one byte each 200 ms, never still, and tells what came and how long it was borne."""
    # pylint: disable=undefined-variable
    with socket.socket(socket.AF_UNIX) as s:  # noqa: F821
        s.settimeout(1)
        s.connect(path)
        s.sendall(head[:body_from].encode())
        began = time.monotonic()  # noqa: F821
        try:
            for byte in head[body_from:] + "x" * 10_000:
                s.sendall(byte.encode())
                time.sleep(0.2)  # noqa: F821
                if time.monotonic() - began > seconds:  # noqa: F821
                    return {"text": "", "after": None}
        except (BrokenPipeError, ConnectionResetError):
            pass
        after = time.monotonic() - began  # noqa: F821
        try:
            text = s.recv(65536).decode()
        except ConnectionResetError:
            text = ""
        return {"text": text, "after": after}


def test_a_drip_is_cut_off_however_busy_it_looks(box):
    head = post(*GOOD, length=100_000)
    with Unharmed(box):
        slow_head = box.agent.call(_drip, gateway.RPC, head, 10, 60, timeout=90)
        assert statuses(slow_head["text"]) == [408] and 4 < slow_head["after"] < 20, slow_head
        slow_body = box.agent.call(_drip, gateway.RPC, head, len(head), 60, timeout=90)
        assert statuses(slow_body["text"]) == [408] and 9 < slow_body["after"] < 40, slow_body


def _connect_often(path, n, seconds):
    """Holds as many connections as it gets, without a word: how many of them, and how many are told to go; then the seconds
    until the last one is closed."""
    # pylint: disable=undefined-variable
    held = []
    for _ in range(n):
        s = socket.socket(socket.AF_UNIX)  # noqa: F821
        s.settimeout(5)
        s.connect(path)
        held.append(s)
    began = time.monotonic()  # noqa: F821
    told = {"503": 0, "408": 0, "": 0}
    for s in held:
        s.settimeout(max(began + seconds - time.monotonic(), 0.01))  # noqa: F821
        try:
            answer = s.recv(65536).decode()
        except ConnectionResetError:
            answer = ""
        told[answer.split(" ")[1] if answer else ""] += 1
        s.close()
    return {"told": told, "after": time.monotonic() - began}  # noqa: F821


def _ask_while(path, seconds):
    """The longest that an honest caller waits meanwhile, in seconds."""
    # pylint: disable=undefined-variable
    worst, end = 0.0, time.monotonic() + seconds  # noqa: F821
    while time.monotonic() < end:  # noqa: F821
        began = time.monotonic()  # noqa: F821
        status, text = http_request(path, "/health")  # noqa: F821
        if status != 200:
            raise RuntimeError(f"{status} {text}")
        worst = max(worst, time.monotonic() - began)  # noqa: F821
        time.sleep(0.05)  # noqa: F821
    return worst


def test_a_thousand_idle_connections_keep_nobody_else_out(box):
    import threading  # pylint: disable=import-outside-toplevel
    outcome = {}

    def attack():
        outcome.update(box.agent_of("daemon").call(_connect_often, gateway.RPC, 1000, 40, timeout=90))

    with Unharmed(box):
        attacker = threading.Thread(target=attack)
        attacker.start()
        worst = box.agent.call(_ask_while, gateway.RPC, 4, timeout=60)
        attacker.join()
        assert worst < 2, f"another user waited {worst:.2f} s"
        assert outcome["told"]["408"] <= 64 and outcome["told"]["503"] >= 900, outcome
        assert outcome["after"] < 30, outcome


def _never_read(path, n):
    """Asks for a large document again and again and reads nothing: the seconds until that is at an end."""
    # pylint: disable=undefined-variable
    with socket.socket(socket.AF_UNIX) as s:  # noqa: F821
        s.settimeout(60)
        s.connect(path)
        began = time.monotonic()  # noqa: F821
        try:
            s.sendall(b"GET /openrpc.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * n)
            poll = select.poll()  # noqa: F821
            poll.register(s, select.POLLRDHUP)  # noqa: F821
            poll.poll(60_000)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return time.monotonic() - began  # noqa: F821


def test_who_does_not_read_is_cut_off(box):
    with Unharmed(box):
        after = box.agent.call(_never_read, gateway.RPC, 2000, timeout=90)
        assert 20 < after < 60, after
