# SPDX-License-Identifier: LGPL-2.1-or-later
"""What happened is remembered."""

from __future__ import annotations

from herodemo import service


def prepare(box):
    box.start_server()


def new_states(name: str) -> list[str]:
    """For the agent, while no server holds the store."""
    import sqlite3  # pylint: disable=import-outside-toplevel
    store = sqlite3.connect("/var/lib/hero_proc/hero_proc.db")
    rows = store.execute("SELECT new_state FROM transition JOIN service ON service.id = service_id WHERE name = ? "
                         "ORDER BY transition.id", (name,))
    return [state for state, in rows]


def test_the_removal_of_a_service_does_not_hold_up_the_history_of_the_others(box):
    box.apply(service(box, "stays"), service(box, "goes"))
    box.wait_state("stays", "running", 5)
    box.hero("remove", "goes")
    box.hero("stop", "stays")
    box.hero("start", "stays")
    box.stop_server()
    states = box.agent.call(new_states, "stays")
    assert states.count("running") == 2 and "stopped" in states
    assert "cannot be written" not in box.journal("hero_proc.service")
