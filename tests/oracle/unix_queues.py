# SPDX-License-Identifier: LGPL-2.1-or-later
"""How many connections wait at each listening unix socket, by the kernel's own table (sock_diag): what a connect cannot tell
while there is room in the queue.
"""

from __future__ import annotations

import socket
import struct

SOCK_DIAG, SOCK_DIAG_BY_FAMILY, DUMP = 4, 20, 0x301
LISTEN_STATE = 1 << 10
SHOW_NAME, SHOW_RQLEN = 0x01, 0x10
NAME, RQLEN = 0, 4
DONE, ERROR = 3, 2


def waiting_by_path() -> dict[str, int]:
    """Path as it was bound → connections that nobody has accepted yet."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG) as kernel:
        kernel.settimeout(1)
        request = struct.pack("BBHIIIII", socket.AF_UNIX, 0, 0, LISTEN_STATE, 0, SHOW_NAME | SHOW_RQLEN, 0, 0)
        kernel.send(struct.pack("IHHII", 16 + len(request), SOCK_DIAG_BY_FAMILY, DUMP, 1, 0) + request)
        found: dict[str, int] = {}
        while True:
            data = kernel.recv(1 << 17)
            while len(data) >= 16:
                length, kind = struct.unpack_from("IH", data)
                if kind in (DONE, ERROR):
                    return found
                _take(data[32:length], found)
                data = data[(length + 3) & ~3:]


def _take(attributes: bytes, found: dict[str, int]) -> None:
    name, waiting = "", 0
    while len(attributes) >= 4:
        length, kind = struct.unpack_from("HH", attributes)
        if kind == NAME:
            name = attributes[4:length].rstrip(b"\0").decode(errors="replace")
        elif kind == RQLEN:
            waiting = struct.unpack_from("I", attributes, 4)[0]
        attributes = attributes[(length + 3) & ~3:]
    if name:
        found[name] = waiting
