/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The options of hero_proc(1), of which parsing, complaints, --help and completion are made. */

enum {
        /* Beyond the letters. */
        OPTION_SYSTEM = 0x100,
        OPTION_USER,
        OPTION_JSON,
        OPTION_NO_PAGER,
        OPTION_NO_LEGEND,
        OPTION_NO_BLOCK,
        OPTION_NO_COLOR,
        OPTION_NO_ASK_PASSWORD,
        OPTION_TIMEOUT,
        OPTION_FOR,
        OPTION_DRY_RUN,
        OPTION_FORCE,
        OPTION_PRUNE,
        OPTION_SOCKET_DIR,
        OPTION_VERSION,
        OPTION_HELP,

        OPTIONS_MAX = 64,
};

typedef struct Option {
        int id;           /* its letter, or one of the above */
        const char *name; /* without the two dashes */
        enum { OPTION_ALONE, OPTION_WITH_ARGUMENT, OPTION_WITH_OR_WITHOUT } argument;
        const char *argument_name; /* as --help shows it; "" where it takes none */
        unsigned verb_option;      /* VERB_TAKES_…: only verbs that take it know it; 0: all do */
        const char *help;
} Option;

/* Ends with a row without name. */
extern const Option option_table[];
