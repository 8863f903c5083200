# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the server grants the gateway's user on the bus: what an operator does every day, and nothing else."""

from __future__ import annotations

import json

import house

GATEWAY_USER = "hero-proc-gateway"
MANAGER = ("org.hero.Proc1", "/org/hero/Proc1", "org.hero.Proc1.Manager")


def prepare(box):
    box.run(["systemd-sysusers"])
    box.start_server()


def call_as(box, user, member, *words):
    return box.run(["busctl", "call", *MANAGER, member, *map(str, words)], user=user, check=False)


def with_a_settled_service(box):
    """What is there once `kept` runs and the store has noted that its start is over."""
    box.apply(house.sleeper("kept"))
    box.wait_state("kept", "running", 10)
    house.Box.wait_for(lambda: house.everything(box)["store"][0]["intention"] != "start", 10, "the start is over in the store")
    return house.everything(box)


def test_the_gateway_may_start_stop_restart_and_reset(box):
    box.apply(house.sleeper("mine"))
    box.wait_state("mine", "running", 10)
    first = box.main_pid("hero-mine.service")
    for member, words in (("StopService", ("st", "mine", 0)), ("StartService", ("st", "mine", 0)),
                          ("RestartService", ("st", "mine", 0)), ("ResetFailed", ("ast", 1, "mine", 0))):
        done = call_as(box, GATEWAY_USER, member, *words)
        assert done.returncode == 0, f"{member}: {done.stderr}"
    assert box.main_pid("hero-mine.service") not in (0, first)
    house.stop_all(box)


def test_the_gateway_may_neither_apply_nor_remove_nor_dump(box):
    before = with_a_settled_service(box)
    evil = json.dumps({"name": "evil", "exec": ["/bin/touch", "/root/evil"]})
    for member, words in (("ApplyDefinitions", ("ast", 1, evil, 0)), ("ApplyDefinitions", ("ast", 0, 8)),
                          ("RemoveService", ("st", "kept", 0)), ("Dump", ())):
        done = call_as(box, GATEWAY_USER, member, *words)
        assert done.returncode != 0 and "only root and the user" in done.stderr, f"{member}: {done.stderr}"
    assert house.everything(box) == before
    house.stop_all(box)


def test_nobody_else_gets_the_gateways_rights(box):
    before = with_a_settled_service(box)
    for user in ("hero", "nobody", "daemon"):
        for member in ("StopService", "StartService", "RestartService"):
            assert call_as(box, user, member, "st", "kept", 0).returncode != 0, f"{user}: {member}"
        assert call_as(box, user, "ResetFailed", "ast", 1, "kept", 0).returncode != 0, user
    assert house.everything(box) == before
    house.stop_all(box)
