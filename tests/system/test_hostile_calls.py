# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every member of the bus interface, called with thousands of hostile arguments: no crash, no change, nothing given away."""

from __future__ import annotations

import json
import random

from box import REPOSITORY, SERVER_UNIT
from house import everything, probe, sleeper, web_service

FUZZER = REPOSITORY / "tests" / "system" / "bus_fuzzer.py"
ROUNDS = 12
RSS_GROWTH_LIMIT_KB = 16 * 1024


def prepare(box):
    # polkit answers at once, and always with no: what it would let through is another test's.
    box.write_file("/etc/polkit-1/rules.d/10-test.rules", "polkit.addRule(function () { return polkit.Result.NO; });")
    box.apply(web_service(box, "web", probe=probe("files", "/api/files", headers={"X-Key": "marker-header"}),
                          env={"PLAIN": "marker-env"}), sleeper("db"))
    box.wait_state("web", "running", 10)
    box.wait_state("db", "running", 10)


def attack(box, user, *options):
    seed = random.SystemRandom().randrange(1 << 31)
    print(f"     SEED={seed}")
    server = box.main_pid(SERVER_UNIT)
    before, own = everything(box), box.agent.call("footprint", server)
    said = json.loads(box.run(["/usr/bin/python3", "-B", str(FUZZER), str(seed), str(ROUNDS), *options], user=user,
                              timeout=300).stdout)
    assert everything(box) == before
    now = box.agent.call("footprint", server)
    # A sanitizer keeps what is freed for a while.
    assert now["fds"] == own["fds"], (own, now)
    assert now["rss"] < own["rss"] + RSS_GROWTH_LIMIT_KB or "asan" in box.build.name, (own, now)
    assert sum(said["answers"].values()) > 1000, said
    assert not {error for error in said["answers"] if "NoReply" in error or "Disconnected" in error}, said
    return said


def test_of_anybody_no_call_changes_anything_or_learns_a_secret(box):
    said = attack(box, "nobody")
    assert said["leaks"] == 0, said
    assert said["answers"].get("org.hero.Proc1.Error.NoSuchService") and said["answers"].get(""), said
    assert "org.hero.Proc1.Error.InvalidDefinition" not in said["answers"], "a definition was read for nobody"


def test_of_root_no_call_that_makes_no_sense_changes_anything(box):
    said = attack(box, None, "--spare")
    for error in ("org.hero.Proc1.Error.NoSuchService", "org.hero.Proc1.Error.InvalidDefinition",
                  "org.freedesktop.DBus.Error.InvalidArgs"):
        assert said["answers"].get(error), said


def test_afterwards_everything_works(box):
    assert box.hero("restart", "web", "db").returncode == 0
    assert box.http("/run/hero/web/rpc.sock", "/api/files")[0] == 200
