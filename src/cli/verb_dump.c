/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/outcome.h"
#include "cli/verbs.h"

int verb_dump_run(Session *s) {
        _cleanup_free_ char *text = NULL;
        struct json_object *dump;
        char *message = NULL;
        int code, r;

        code = session_connect_to_change(s);
        if (code != EX_DONE)
                return code;
        r = hero_proc_client_dump(s->connection, session_timeout(s), &text, &message);
        if (r != 0)
                return session_fail(s, r, NULL, message);
        /* It is for finding faults: what cannot be read as JSON is shown all the same. */
        dump = json_tokener_parse(text);
        if (dump)
                session_print_json(s, dump, JSON_PRETTY);
        else
                fprintf(s->out, "%s\n", text);
        json_object_put(dump);
        return EX_DONE;
}
