/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* When each probe of a service runs, and what its results are taken for. */

#include "server/service.h"

/* Brings the probes in line with what their actions do: starts those whose owner came up, silences those whose owner is
 * down, forgets verdicts of an invocation that is over. Cheap when nothing changed. */
void probing_follow(Service *s);

/* An owner has a new InvocationID (NULL action: all): counters and verdicts begin anew. adopted: it ran before we came.
 */
void probing_reset(Service *s, const Action *owner, bool adopted);

/* `after` is what becomes of `before` by a new definition: what was answered to the same question is kept. */
void probing_carry_over(Service *before, Service *after);

/* The InvocationID that its answers are about; of one that is about several actions, of all of theirs together. */
void probing_invocation(const ServiceProbe *p, char ret[33]);

/* A declared socket or port came alive: its probes are asked now, not at their next turn. */
void probing_socket_appeared(Service *s, int socket);
void probing_port_appeared(Service *s, int port);

/* Asks all probes now; probing_is_fresh() holds when each that can be asked has a settled verdict newer than this. */
void probing_ask_now(Service *s);
bool probing_is_fresh(const Service *s);

/* probe_done_t; userdata is the ServiceProbe. */
void probing_on_done(Probe *probe, const ProbeResult *result, void *userdata);
