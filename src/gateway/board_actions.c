/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/board_actions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/outcome.h"
#include "boundary/hero_proc_client.h"
#include "gateway/gateway.h"

#define TIMEOUT_USEC (25 * USEC_PER_SEC)

static const struct {
        const char *verb, *member, *signature;
        uint64_t flags;
} verbs[] = {
        { "start", "StartService", "st", HERO_PROC_FLAG_NO_BLOCK },
        { "stop", "StopService", "st", HERO_PROC_FLAG_NO_BLOCK },
        { "restart", "RestartService", "st", HERO_PROC_FLAG_NO_BLOCK },
        { "reset-failed", "ResetFailed", "ast", 0 },
};

/* "" or "service/NAME", relative to do/VERB: nothing that leads out of the board. */
static void send_back(HttpExchange *x) {
        const char *back = http_exchange_query(x, "back"), *name = http_exchange_query(x, "name");
        char location[128];

        (void) snprintf(location, sizeof location, "../%s%s", back && strcmp(back, "service") == 0 ? "service/" : "",
                        back && strcmp(back, "service") == 0 ? name : "");
        http_exchange_add_header(x, "Location", location);
        http_exchange_reply_static(x, 303, NULL, "", 0);
}

static void on_answer(const HeroProcAnswer *a, void *userdata) {
        HttpExchange *x = userdata;

        if (a->r == 0)
                send_back(x);
        else if (a->r == HERO_E_NO_SUCH_SERVICE)
                http_exchange_reply_error(x, 404, "no such service");
        else if (a->r == HERO_E_NOT_AUTHORIZED)
                http_exchange_reply_error(x, 403, "hero_proc_server does not allow that");
        else
                http_exchange_reply_error(x, 503, "hero_proc_server did not take it");
}

void board_actions_handle(HttpExchange *x, void *userdata) {
        const Gateway *g = userdata;
        const char *verb = http_exchange_path_rest(x), *name = http_exchange_query(x, "name");
        size_t i = 0;

        while (i < ELEMENTSOF(verbs) && strcmp(verbs[i].verb, verb) != 0)
                i++;
        if (i == ELEMENTSOF(verbs)) {
                http_exchange_reply_error(x, 404, "no such action");
        } else if (!authority_may_operate(http_exchange_peer(x), g->is_user)) {
                http_exchange_reply_error(x, 403, "this is for root and members of group hero");
        } else if (!name || !service_mirror_find(g->mirror, name)) {
                http_exchange_reply_error(x, 404, "no such service");
        } else {
                const HeroProcQuestion q = { .member = verbs[i].member,
                                             .signature = verbs[i].signature,
                                             .texts = &name,
                                             .n_texts = 1,
                                             .flags = verbs[i].flags,
                                             .timeout_usec = TIMEOUT_USEC };
                HeroProcCall *call;

                if (hero_proc_link_ask(service_mirror_link(g->mirror), &q, on_answer, x, &call) < 0)
                        http_exchange_reply_error(x, 503, "too much is asked at once");
        }
}
