/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/rare_text.h"

#include <stdlib.h>
#include <string.h>

static char lost[] = "not known, for want of memory";

const char *rare_text_get(const RareText *t) {
        return t->words ? t->words : "";
}

bool rare_text_is_lost(const RareText *t) {
        return t->words == lost;
}

void rare_text_done(RareText *t) {
        if (t->words != lost)
                free(t->words);
        t->words = NULL;
}

void rare_text_set(RareText *t, const char *words) {
        if (strcmp(rare_text_get(t), words) == 0)
                return;
        rare_text_done(t);
        if (!*words)
                return;
        t->words = strdup(words);
        if (!t->words)
                t->words = lost;
}
