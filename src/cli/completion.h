/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What may stand at the end of a command line that is being typed. The shells' own files only call us, so that none of
 * them has a list that could be out of date. */

#include <stddef.h>
#include <stdio.h>

#include "cli/command_line.h"

typedef enum CompletionRest {
        COMPLETION_DONE,     /* all candidates have been printed */
        COMPLETION_FILES,    /* the shell knows better */
        COMPLETION_SERVICES, /* names of services, which the server has to be asked for */
} CompletionRest;

typedef struct CompletionQuestion {
        const Verb *verb; /* that is to be completed for; NULL: not known yet */
        HeroProcTarget target;
        char *const *words; /* behind the program's name; the last one, perhaps "", is the one that is being typed */
        size_t n_words;
} CompletionQuestion;

/* Prints the candidates that are known without asking anybody, each a line of a word, a tab and what it is. Pure but
 * for the printing. */
CompletionRest completion_print(FILE *out, CompletionQuestion *question);

/* The same for services, as the server has named them with their states. */
void completion_print_services(FILE *out, const CompletionQuestion *question, const ServiceBrief *services, size_t n);

/* `words` as above. What is asked of the server is asked briefly: if it is away, or slow, there are no candidates, and
 * nothing is said. 0 or -ENOMEM. */
int completion_run(FILE *out, char *const *words, size_t n);
