/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a person has to be told because nothing will mend it soon: a message in the journal with a MESSAGE_ID (and a
 * page of help in the catalog), and the definition's on_failure_unit, so that mail or chat is a unit and not our code.
 */

#include "core/healing.h"
#include "server/service.h"

/* After each judgement. Each kind is raised once, until the service is well again or somebody starts it. */
void alerts_follow(Service *s, const ServiceDecision *d, const HealingDecision *healing);
