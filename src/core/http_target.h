/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A request's target: "/path?key=value&…" with its escapes undone. Pure; works in place. */

enum {
        HTTP_PARAMETERS_MAX = 16,
};

typedef struct HttpTarget {
        const char *path;
        struct {
                const char *key, *value;
        } parameters[HTTP_PARAMETERS_MAX];
        size_t n_parameters;
} HttpTarget;

/* False: not of that form, a bad escape, a control character (a NUL above all), or too many parameters. *ret points
 * into `text`. */
bool http_target_parse(char *text, HttpTarget *ret);
