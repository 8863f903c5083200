/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A text that most of its kind do not have: without one it takes no more than a pointer. What there is no memory for
 * does not go in silence, it reads as words that say so. All zero: none. */

#include <stdbool.h>

typedef struct RareText {
        char *words;
} RareText;

/* "": none. */
const char *rare_text_get(const RareText *t);
void rare_text_set(RareText *t, const char *words);
/* Memory ran out for what it was set to. */
bool rare_text_is_lost(const RareText *t);
/* None again. */
void rare_text_done(RareText *t);
