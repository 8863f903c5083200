/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a probe found, in an operator's words. Only probe_exchange.c speaks to this. */

#include <stdbool.h>
#include <stddef.h>

#include "core/http_response.h"
#include "core/service_definition.h"

/* Why a socket call of a probe failed. True: for want of something on our own side, which says nothing of the service.
 */
bool probe_words_for_errno(int error, char *words, size_t size);

/* Judges an answer of which no more will come: it is complete or has a fault, or the service closed the connection.
 * True: it is whole and as the definition expects, and `words` is empty. */
bool probe_words_for_answer(const ProbeDefinition *p, HttpResponse *r, char *words, size_t size);

/* How far an answer came until the deadline or a reset: "" where nothing came, else " in the header" or " in the body".
 * Ends the answer: it cannot be fed any more. */
const char *probe_words_for_progress(HttpResponse *r);
