/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "base/outcome.h"
#include "cli/verbs.h"
#include "core/json_tree.h"

/* It is for finding faults: what cannot be read as JSON is shown all the same. */
static int print(Session *s, const char *text) {
        struct json_object *dump = NULL;
        int r = json_tree_parse(text, &dump), code = EX_DONE;

        if (r == -ENOMEM)
                return session_fail(s, r, NULL, NULL);
        if (r == 0)
                code = session_print_json(s, dump, JSON_PRETTY);
        else
                fprintf(s->out, "%s\n", text);
        json_object_put(dump);
        return code;
}

int verb_dump_run(Session *s) {
        _cleanup_free_ char *text = NULL;
        char *message = NULL;
        int code, r;

        code = session_connect_to_change(s);
        if (code != EX_DONE)
                return code;
        r = hero_proc_client_dump(s->connection, session_timeout(s), &text, &message);
        return r != 0 ? session_fail(s, r, NULL, message) : print(s, text);
}
