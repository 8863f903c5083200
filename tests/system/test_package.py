# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Debian packages: installed, upgraded under running services without touching one, removed, purged."""

from __future__ import annotations

import subprocess
from pathlib import Path

from box import REPOSITORY
from house import lives, units

NEEDS_HERO_PROC = False  # that is what is installed here
PACKAGES = "/tmp/packages"
NEXT = "0.1.0+1"
BEFORE: set[str] = set()


def build(box) -> None:
    """Once for the file; with a name of its own, so that `make deb` finds no test's packages."""
    folder = REPOSITORY / "build" / "test-packages"
    done = subprocess.run(["tools/build_deb", "--no-lintian"], cwd=REPOSITORY, env={"BUILD": str(folder), **_path()},
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # Where packages may start nothing, as in a container's build, that is the machine's policy and not ours to test.
    box.run(["rm", "-f", "/usr/sbin/policy-rc.d"])
    box.run(["mkdir", "-p", PACKAGES])
    box.run(["sh", "-c", f"cp {folder}/deb/*.deb {PACKAGES}/"])


def _path() -> dict[str, str]:
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}


def prepare(box):
    build(box)
    BEFORE.update(ours(box))


def ours(box) -> set[str]:
    """The paths that bear our name, but for what outlives every package: logs, caches, what runs and the admin's own.

    The machine may have any number of checkouts of this project, so only what was not there before is the packages'; and
    the tests of one beside this one may be making files right now.
    """
    beside = next(folder for folder in (*REPOSITORY.parents[1::-1], REPOSITORY) if folder != Path("/"))
    found = box.output("sh", "-c", f"find / -xdev \\( -path /proc -o -path /sys -o -path /tmp -o -path {beside} \\) -prune -o"
                                   " \\( -name '*hero_proc*' -o -name '*hero-proc*' \\) -print 2>/dev/null")
    return {path for path in found.splitlines() if not path.startswith(("/var/log/", "/var/cache/", "/var/tmp/", "/run/", "/root/"))}


def dpkg(box, *words: str) -> str:
    return box.run(["dpkg", "--force-confold", "--force-unsafe-io", *words], timeout=120, env={"DEBIAN_FRONTEND": "noninteractive"}).stdout


def the_next_version(box) -> None:
    """The same programs under a later number: what an upgrade does, and not what it brings, is the question."""
    box.run(["sh", "-ec", f"""
        cd {PACKAGES}
        for name in hero-proc hero-proc-gateway; do
                dpkg-deb -R ${{name}}_0.1.0_*.deb $name
                sed -i -e 's/^Version: .*/Version: {NEXT}/' -e 's/(= 0.1.0)/(= {NEXT})/' $name/DEBIAN/control
                dpkg-deb --root-owner-group -b $name ${{name}}_next.deb
        done"""], timeout=60)


def test_installed_it_runs_and_supervises(box):
    dpkg(box, "-i", *sorted(box.output("sh", "-c", f"ls {PACKAGES}/*_0.1.0_*.deb").split()))
    assert box.unit_property("hero_proc.service", "ActiveState") == "active"
    assert box.unit_property("hero_proc.service", "UnitFileState") == "enabled"
    assert box.unit_property("hero_proc-gateway.socket", "ActiveState") == "active"
    assert "hero:" in box.output("getent", "group", "hero")
    box.apply({"name": "web", "exec": ["/usr/bin/python3", "-m", "http.server", "8123", "--bind", "127.0.0.1"],
               "ports": [8123], "probe": {"port": 8123, "path": "/", "interval_ms": 200}},
              {"name": "pair", "actions": {"a": {"exec": "exec sleep infinity"}, "b": {"exec": "exec sleep infinity"}}})
    for name in ("web", "pair"):
        box.wait_state(name, "running", 20)
    assert box.http(8123, "/")[0] == 200
    box.wait_for(lambda: box.http("/run/hero/hero_proc/rpc.sock", "/health")[0] == 200, 10, "the gateway has come up")
    assert box.output("man", "-w", "hero_proc.definition").endswith("hero_proc.definition.5.gz")


def test_an_upgrade_touches_no_service(box):
    the_next_version(box)
    before, server = lives(box), box.main_pid("hero_proc.service")
    dpkg(box, "-i", f"{PACKAGES}/hero-proc_next.deb", f"{PACKAGES}/hero-proc-gateway_next.deb")
    assert NEXT in box.output("dpkg-query", "-W", "hero-proc")
    assert box.main_pid("hero_proc.service") not in (0, server), "the new server runs"
    assert lives(box) == before and len(before) == 3, before
    for name in ("web", "pair"):
        box.wait_state(name, "running", 10)
    assert lives(box) == before
    assert box.http(8123, "/")[0] == 200


def test_removed_it_leaves_no_process_and_purged_no_file(box):
    pids = [pid for unit in units(box).values() for pid in unit["pids"]]
    assert len(pids) >= 3
    dpkg(box, "-r", "hero-proc-gateway", "hero-proc")
    assert box.run(["test", "-e", "/var/lib/hero_proc/hero_proc.db"], check=False).returncode == 0, "kept until purged"
    box.wait_for(lambda: not [unit for unit in units(box).values() if unit["pids"]], 20, "services are stopped")
    dpkg(box, "-P", "hero-proc-gateway", "hero-proc")
    kept = sorted(ours(box) - BEFORE)
    assert kept == [], kept
