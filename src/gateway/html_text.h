/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Writing HTML into one growing string. What comes from services and definitions goes through html_put(), always. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/cleanup.h"

typedef struct HtmlText {
        FILE *f;
        char *text; /* there after html_take() only */
        size_t n;
        bool failed; /* set by whoever has no memory for what he would write: html_take() then has nothing to give */
} HtmlText;

/* -ENOMEM. */
int html_open(HtmlText *h);
/* The text, to be freed, and what was opened is closed; NULL where memory ran out. */
char *html_take(HtmlText *h, size_t *ret_n);

/* Of ours, as it is. */
void html_raw(HtmlText *h, const char *format, ...) _printf_(2, 3);
/* Of others: no byte of it is markup, also within a quoted attribute; what is no text becomes U+FFFD. */
void html_put(HtmlText *h, const char *text);

/* <time> with how long ago it was: "now", "12s", "5min", "3h", "9d". Both CLOCK_REALTIME. */
void html_put_ago(HtmlText *h, uint64_t then_usec, uint64_t now_usec);
/* "850µs", "2.1ms", "1.5s". */
void html_put_span(HtmlText *h, uint64_t usec);
