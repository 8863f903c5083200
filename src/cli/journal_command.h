/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The journalctl(1) command that shows a service's lines. Logs never pass through hero_proc. */

#include <json-c/json.h>
#include <stdbool.h>

#include "base/cleanup.h"

typedef struct JournalQuery {
        bool is_user;
        const char *machine; /* NULL: this machine */
        bool follow;
        bool no_pager, quiet;
        const char *n_lines; /* NULL: journalctl's default */
} JournalQuery;

/* For the units of `service` (its object of the status). NULL-terminated, to be freed with journal_command_free();
 * NULL: out of memory. Pure. */
char **journal_command_for_service(const JournalQuery *query, struct json_object *service);

/* For the units that a service of that name has had, by the form of their names: for when the server cannot be asked.
 * `name` has passed service_name_is_valid(). Pure. */
char **journal_command_for_name(const JournalQuery *query, const char *name);

char **journal_command_free(char **argv);
DEFINE_CLEANUP(char **, journal_command_free)

/* Runs the command to its end; what is in stdio's buffers has to be flushed before. 0, or a negative errno when it
 * could not be started. */
int journal_command_run(char **argv);
