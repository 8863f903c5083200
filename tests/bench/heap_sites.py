#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a service costs the server in memory, by the function that asked for it: `make bench-heap`, as root.

The server runs below valgrind's massif with few services and with more; the difference, by service, is what is shown.
Without malloc's own overhead (some 12 bytes for each of them) and without holes. What store.c has is the database's page
cache, which grows to 128 KiB and no further: it is not in the sum.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from box import SERVER_UNIT, Box  # noqa: E402
from herodemo import probe, service  # noqa: E402
from run import Installation  # noqa: E402

FEW, MANY = 20, 80  # the services are fixtures with an inotify instance each, of which a user has 128
RESULT = "/run/massif.out"
PROGRAM = "/usr/libexec/hero_proc/hero_proc_server"
# valgrind makes code as it goes, and reads more than the server may.
DROP_IN = f"""[Service]
ExecStart=
ExecStart=/usr/bin/valgrind --tool=massif --massif-out-file={RESULT} --detailed-freq=1 --depth=14 --threshold=0.02 --time-unit=B {PROGRAM}
WatchdogSec=0
MemoryMax=infinity
MemoryDenyWriteExecute=no
SystemCallFilter=
SystemCallArchitectures=
RestrictNamespaces=no
RestrictAddressFamilies=
NoExecPaths=
ExecPaths=
ProtectProc=default
ProcSubset=all
ProtectSystem=no
"""
OWN_FILES = {path.name for path in HERE.parents[1].glob("src/**/*.c")}
NODE = re.compile(r" *n(\d+): (\d+) (.*)")
SITE = re.compile(r": (\w+)[.\w]* \((\w+\.c):\d+\)")


def count_sites(picture: str) -> Counter[str]:
    """Bytes by the first function of the program's own on the way to the allocation."""
    lines = iter(line for line in picture.splitlines() if NODE.match(line))
    sites: Counter[str] = Counter()

    def walk(owner: str) -> int:
        match = NODE.match(next(lines))
        assert match
        n_children, n_bytes, what = int(match[1]), int(match[2]), match[3]
        if not owner and "(in /" not in what and (site := SITE.search(what)):
            owner = f"{site[1]}(), {site[2]}" if site[2] in OWN_FILES else ""
        rest = n_bytes - sum(walk(owner) for _ in range(n_children))
        sites[owner or "libraries, and what is too small to be told apart"] += rest
        return n_bytes

    walk("")
    return sites


def heap_with(layer: Path, n: int) -> Counter[str]:
    with Box(layers=[layer]) as box:
        box.write_file(f"/run/systemd/system/{SERVER_UNIT}.d/massif.conf", DROP_IN)
        box.systemctl("daemon-reload")
        box.start_server()
        names = [f"heap{i:03}" for i in range(n)]
        box.apply(*(service(box, name, probe=probe()) for name in names))
        for name in names:
            box.wait_state(name, "running", 120)
        box.stop_server()
        pictures = box.read_file(RESULT).split("snapshot=")[1:]
    # The last of those in which all services are there: at the end the server frees them.
    heaps = [int(re.search(r"mem_heap_B=(\d+)", picture)[1]) for picture in pictures]  # type: ignore[index]
    return count_sites(next(picture for picture, size in zip(reversed(pictures), reversed(heaps))
                            if size > 0.98 * max(heaps) and "heap_tree=detailed" in picture))


def main() -> int:
    installation = Installation("build")
    try:
        few, many = heap_with(installation.folder, FEW), heap_with(installation.folder, MANY)
    finally:
        installation.remove()
    costs = {site: (many[site] - few[site]) / (MANY - FEW) for site in many}
    for site, cost in sorted(costs.items(), key=lambda item: -item[1]):
        if cost >= 8:
            print(f"{cost:7.0f}  {site}")
    total = sum(cost for site, cost in costs.items() if not site.endswith(", store.c"))
    print(f"{total:7.0f}  bytes a service, with a socket and a probe, and without store.c")
    return 0


if __name__ == "__main__":
    sys.exit(main())
