/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One run of hero_proc(1): where to print, and the server once it is needed. What the verbs share in talking to both.
 * The result goes to `out`, all else to `err`. */

#include <json-c/json.h>
#include <stdio.h>

#include "boundary/hero_proc_client.h"
#include "cli/command_line.h"
#include "cli/terminal_style.h"

struct Session {
        const CommandLine *line;
        FILE *out, *err;
        TerminalStyle out_style, err_style;
        HeroProcConnection *connection;
        char **known_names;   /* for "did you mean" */
        pid_t password_agent; /* 0: none */
};

void session_done(Session *s);

/* Connects if need be. An exit code: 0, or the failure has been told. */
int session_connect(Session *s);

/* For a call that not everyone may make: where a password may be asked for, somebody is there to ask. */
int session_connect_to_change(Session *s);

/* "hero_proc: …" on err. */
void session_say(Session *s, const char *format, ...) _printf_(2, 3);

/* For an answer of the server's that could not be taken in: -EBADMSG, or memory ran out. Its exit code. */
int session_fail_to_read(Session *s, int r, const char *what);

/* Tells of a failed call, about `service` unless that is NULL, and returns its exit code. Frees `message`, which may be
 * NULL. */
int session_fail(Session *s, int r, const char *service, char *message);

/* The same for a call with several names of which the server does not know some. */
int session_fail_names(Session *s, int r, char *const *names, char *message);

/* The status of `names` (NULL-terminated) in that order, or of all, by name, where there are none. An exit code. With
 * EX_NO_SUCH_SERVICE the array holds those that do exist; with any other failure nothing is written. To be put. */
int session_get_status(Session *s, char *const *names, struct json_object **ret);

/* Of all, by name: name, state, since_usec and the leading reason. An exit code; the array is to be put. */
int session_get_overview(Session *s, struct json_object **ret);

/* Whether the verb's arguments, shell patterns, hold that name. None of them is: all names. */
bool session_matches_patterns(const Session *s, const char *name);

/* Prints JSON as --json asks for, `otherwise` where it does not. An exit code: where a part of it is missing nothing is
 * printed, and the failure has been told. */
int session_print_json(Session *s, struct json_object *json, JsonMode otherwise);

/* How long a call that waits for services may take. */
uint64_t session_timeout(const Session *s);
