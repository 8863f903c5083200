/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One question and answer of a probe: connect, send, read, judge. Never blocks and knows no event loop: the caller says
 * when to go on and when time is up. Only http_prober.c speaks to this. */

#include <netinet/in.h>
#include <stdint.h>

#include "boundary/http_prober.h"
#include "boundary/probe_request.h"
#include "core/http_response.h"

typedef enum ExchangeState {
        EXCHANGE_IDLE,
        EXCHANGE_KNOCKING,   /* unix: the accept queue is full; probe_exchange_go_on() tries again */
        EXCHANGE_DIALING,    /* TCP: the dialer has been asked for a connection */
        EXCHANGE_CONNECTING, /* TCP: the handshake is under way */
        EXCHANGE_TALKING,
        EXCHANGE_DONE, /* *result holds outcome, error and status */
} ExchangeState;

typedef struct ProbeExchange {
        const ProbeDefinition *definition;
        ProbeRequest *request;   /* NULL: none is sent */
        const ProbeReach *reach; /* borrowed until the end */
        const char *dialer;      /* the same; NULL: TCP connections are made here */

        ExchangeState state;
        int fd;
        size_t n_sent;
        bool was_reset; /* said by send(), which takes the error away from recv() */
        /* Lent for the time of one answer: they are large, and few answers are under way. */
        HttpResponse *response;
        ProbeResult *result;
} ProbeExchange;

/* Builds the request, which serves for all rounds; `requests` lives on until the end. -EINVAL, -E2BIG, -ENOMEM. */
int probe_exchange_init(ProbeExchange *e, const ProbeDefinition *definition, ProbeRequests *requests);
void probe_exchange_done(ProbeExchange *e);

/* Connects and sends what goes, and does not look for an answer yet. All that is passed is borrowed until the end. */
void probe_exchange_begin(ProbeExchange *e, const ProbeReach *reach, const char *dialer, HttpResponse *parser,
                          ProbeResult *result);
/* Goes on as far as it can; reads at most n_reads times. Nothing happens when there is nothing to be done yet. */
void probe_exchange_go_on(ProbeExchange *e, unsigned n_reads);
/* What to wait for (EPOLLIN, EPOLLOUT); 0: for nothing, only time helps. */
uint32_t probe_exchange_events(const ProbeExchange *e);
/* Time is up: DONE, failed with what was seen so far. */
void probe_exchange_give_up(ProbeExchange *e);
/* DONE, for a reason of our own. */
void probe_exchange_abandon(ProbeExchange *e, const char *why);
/* Closes the connection: IDLE. */
void probe_exchange_end(ProbeExchange *e);
