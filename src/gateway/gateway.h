/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the parts of the gateway have in common. A face registers its routes and finds here what it answers from. */

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "boundary/journal_reader.h"
#include "boundary/ready_notice.h"
#include "gateway/http_server.h"
#include "gateway/service_mirror.h"

typedef struct Gateway {
        sd_event *event;
        bool is_user;
        ServiceMirror *mirror; /* asks are made through service_mirror_link() */
        JournalReader *journal;
        HttpServer *http;
        struct BoardEvents *board_events;
        sd_event_source *patience; /* with a bus that says nothing, until clients are let in all the same */
        ReadyNotice *ready;
        bool is_open;
} Gateway;

typedef struct GatewayOptions {
        bool is_user;
        const char *const *allowed_hosts; /* NULL at the end; must outlive the gateway */
} GatewayOptions;

/* Takes the sockets that systemd has passed on. *reterr_message (static): what is wrong with them. */
int gateway_new(sd_event *event, const GatewayOptions *options, Gateway **ret, const char **reterr_message);
Gateway *gateway_free(Gateway *g);
DEFINE_CLEANUP(Gateway *, gateway_free)
