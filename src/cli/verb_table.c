/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/command_line.h"
#include "cli/verbs.h"

#define CHANGE_OPTIONS (VERB_TAKES_TIMEOUT | VERB_TAKES_NO_BLOCK)
#define APPLY_OPTIONS (VERB_TAKES_TIMEOUT | VERB_TAKES_DRY_RUN | VERB_TAKES_PRUNE)
#define LIST_OPTIONS (VERB_TAKES_TIMEOUT | VERB_TAKES_JSON | VERB_TAKES_FLEET)
#define RESET_OPTIONS (VERB_TAKES_TIMEOUT | VERB_TAKES_DRY_RUN | VERB_TAKES_FORCE | VERB_TAKES_JSON)

/* clang-format off */
const Verb verb_table[] = {
        { "apply",        "FILE|DIR|-",    "Create or update services from JSON",         1, -1, APPLY_OPTIONS, verb_apply_run },
        { "remove",       "NAME...",       "Stop services and forget them",               1, -1, CHANGE_OPTIONS, verb_change_run_remove },
        { "start",        "NAME...",       "Start services",                              1, -1, CHANGE_OPTIONS, verb_change_run_start },
        { "stop",         "NAME...",       "Stop services",                               1, -1, CHANGE_OPTIONS, verb_change_run_stop },
        { "restart",      "NAME...",       "Stop services, and start them again",         1, -1, CHANGE_OPTIONS, verb_change_run_restart },
        { "list",         "[PATTERN...]",  "One line a service: state and reason",        0, -1, LIST_OPTIONS, verb_list_run },
        { "status",       "[NAME...]",     "All about services, and their last log lines", 0, -1, VERB_TAKES_JSON | VERB_TAKES_LINES, verb_status_run },
        { "why",          "NAME",          "The decision in words, and what to do next",  1,  1, VERB_TAKES_JSON, verb_why_run },
        { "history",      "NAME",          "The last changes of its state",               1,  1, VERB_TAKES_JSON | VERB_TAKES_LINES, verb_why_run_history },
        { "reset-failed", "[NAME...]",     "Probe again, restart only what is broken",    0, -1, RESET_OPTIONS, verb_reset_failed_run },
        { "logs",         "NAME",        "The service's lines in the journal",          1,  1, VERB_TAKES_FOLLOW | VERB_TAKES_LINES, verb_logs_run },
        { "wait",         "NAME...",       "Wait until services are in a state (--for)",  1, -1, VERB_TAKES_FOR | VERB_TAKES_TIMEOUT, verb_wait_run },
        { "watch",        "[PATTERN...]",  "A live board; line by line where it is no terminal", 0, -1, VERB_TAKES_JSON, verb_watch_run },
        { "check",        "FILE|DIR|-",    "Is that a valid definition? Asks no server",  1, -1, 0, verb_check_run },
        { "import",       "FORMAT FILE",   "Definitions from zinit, supervisord or systemd", 2,  2, VERB_TAKES_JSON, verb_import_run },
        { "dump",         "",            "All that the server knows, as JSON",          0,  0, VERB_TAKES_JSON, verb_dump_run },
        { 0 },
};
/* clang-format on */
