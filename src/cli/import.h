/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What other supervisors are told of a service, as definitions of ours, and a note for each thing that has no equal.
 * Pure but for the notes' FILE. */

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/cleanup.h"

typedef struct Import {
        struct json_object *definitions; /* an array */
        FILE *notes;
        const char *about; /* whose note it is: a file or a program */
        bool failed;       /* memory ran out: a note or a part of a definition would be missing */
} Import;

void import_note(Import *i, const char *format, ...) _printf_(2, 3);

/* A unit file of systemd; `name` is the service's. */
void import_systemd(Import *i, const char *name, const char *text);
/* A drop-in of the unit file that was imported last: adds to it, and an empty assignment takes back what was there. */
void import_systemd_drop_in(Import *i, const char *text);
/* supervisord.conf: each [program:…] is a service. */
void import_supervisord(Import *i, const char *text);
/* A service of zinit: YAML, of which the subset is known that it uses. */
void import_zinit(Import *i, const char *name, const char *text);

/* -- what they share -- */

/* Adds a definition with that name, and returns it: borrowed. */
struct json_object *import_begin(Import *i, const char *name);

/* A copy, to be freed. NULL: memory ran out. */
char *import_copy(Import *i, const char *text, size_t n);

/* "a 'b c' d\ e" in words, as shells and systemd read them. An array, to be put; NULL: a quote is open, or there is no
 * word. */
struct json_object *import_split_words(Import *i, const char *text);

/* `key` of `in`, made where it is not there; NULL: memory ran out, which the definitions' text tells in the end, as of
 * all that is added here. */
struct json_object *import_object(struct json_object *in, const char *key);
void import_set_text(struct json_object *o, const char *key, const char *text);
/* KEY=VALUE words into `env`. Notes what it cannot read. */
void import_assignments(Import *i, struct json_object *d, const char *name, const char *text);
/* 1: "yes" and its like, 0: "no" and its like, -1: neither. */
int import_parse_boolean(const char *text);
/* A time span, "1min 30s", of which a number alone is seconds, in milliseconds. Notes what it cannot read. */
void import_set_span_ms(Import *i, struct json_object *o, const char *key, const char *name, const char *text);
void import_set_integer(Import *i, struct json_object *o, const char *key, const char *name, const char *text);

/* One "key = value" of a file in sections, continued lines joined, or the begin of a section: its key is "". Changes
 * `*text`, and moves it on; false at its end. */
typedef struct ImportLine {
        bool joins_indented; /* a line goes on in those that stand further in, not only behind a backslash */
        const char *section, *key;
        char *value;
} ImportLine;

bool import_next_line(char **text, ImportLine *line);
