/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* service.logs: from the journal, which has the lines, and not from the server, which never sees them. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/outcome.h"
#include "boundary/journal_reader.h"
#include "gateway/rpc_methods.h"

static void on_lines(int r, const JournalTail *tail, void *userdata) {
        RpcCall *c = userdata;
        JsonText t = { 0 };

        if (r < 0) {
                rpc_call_fail(c, r, "the journal cannot be read");
                return;
        }
        json_text_open(&t, '{');
        json_text_key(&t, "lines");
        json_text_open(&t, '[');
        for (size_t i = 0; i < tail->n; i++) {
                const JournalLine *line = &tail->lines[i];

                json_text_open(&t, '{');
                json_text_add_unsigned(&t, "time_usec", line->time_usec);
                json_text_add_unsigned(&t, "priority", line->priority);
                json_text_add_string(&t, "unit", line->unit);
                json_text_add_string(&t, "identifier", line->identifier);
                json_text_add_unsigned(&t, "pid", line->pid);
                json_text_add_string(&t, "message", line->message);
                json_text_close(&t, '}');
        }
        json_text_close(&t, ']');
        json_text_add_boolean(&t, "truncated", tail->truncated);
        json_text_close(&t, '}');
        rpc_call_succeed(c, &t);
}

/* By the units that the server named when it was last heard: logs are wanted most when something is down. */
void rpc_logs(RpcCall *c) {
        const Gateway *g = rpc_call_gateway(c);
        const MirrorService *s = service_mirror_find(g->mirror, rpc_call_service(c, 0));
        const char *units[JOURNAL_UNITS_MAX];
        size_t n = 0;
        int r;

        if (!s) {
                bool is_known = service_mirror_is_complete(g->mirror);

                rpc_call_fail(c, is_known ? HERO_E_NO_SUCH_SERVICE : HERO_E_SERVER_UNREACHABLE,
                              is_known ? "no such service" : service_mirror_absence(g->mirror));
                return;
        }
        for (size_t i = 0; i < s->n_actions && n < JOURNAL_UNITS_MAX; i++)
                units[n++] = s->actions[i].unit;
        r = journal_reader_tail(g->journal, units, n, (size_t) rpc_call_integer(c, 1), on_lines, c);
        if (r < 0)
                rpc_call_fail(c, r, r == -ENOBUFS ? "the journal is being read by too many" : strerror(-r));
}
