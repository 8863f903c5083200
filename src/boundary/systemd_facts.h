/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "core/unit_facts.h"

/* Reads an a{sv} of unit and service properties, at which `m` stands, into `f`; what is unknown is passed over, what is
 * not there stays. Negative errno when the message is not of that form, or for want of memory: `f` is as it was then,
 * for half of what belongs together tells of another end than there was. */
int systemd_facts_read(sd_bus_message *m, UnitFacts *f);

UnitLoad systemd_facts_load_state(const char *word);
