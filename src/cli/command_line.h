/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* hero_proc [OPTIONS] [service] VERB [ARGUMENT…]: what was asked for. Must not talk to the server. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "boundary/fleet_inquiry.h"
#include "boundary/hero_proc_client.h"
#include "core/reason.h"

typedef struct Session Session;

/* Options that only some verbs know. The others are for all. */
enum {
        VERB_TAKES_JSON = 1 << 0,
        VERB_TAKES_TIMEOUT = 1 << 1,
        VERB_TAKES_NO_BLOCK = 1 << 2,
        VERB_TAKES_DRY_RUN = 1 << 3,
        VERB_TAKES_FORCE = 1 << 4,
        VERB_TAKES_PRUNE = 1 << 5,
        VERB_TAKES_FOR = 1 << 6,
        VERB_TAKES_FOLLOW = 1 << 7,
        VERB_TAKES_LINES = 1 << 8,
        VERB_TAKES_FLEET = 1 << 9, /* --host and --machine more than once */

        VERB_ANY_NUMBER = -1, /* of arguments */
};

/* One row of the table of verbs, of which dispatch, checks and --help are made. */
typedef struct Verb {
        const char *name;
        const char *arguments; /* as --help shows them */
        const char *summary;
        int n_args_min, n_args_max;
        unsigned options;
        int (*run)(Session *s); /* returns the exit code */
} Verb;

/* Ends with a row without name. */
extern const Verb verb_table[];

#define WAIT_FOR_STATE(state) (1u << (state))
#define WAIT_FOR_REMOVED (1u << _SERVICE_STATE_MAX)

typedef enum JsonMode { JSON_OFF, JSON_SHORT, JSON_PRETTY } JsonMode;

typedef struct CommandLine {
        const Verb *verb;
        char **args; /* of the verb; NULL-terminated, inside argv */
        size_t n_args;
        HeroProcTarget target;                   /* the one that is asked where no fleet is */
        HeroProcTarget fleet[FLEET_MEMBERS_MAX]; /* each --host and --machine, in order */
        size_t n_fleet;
        JsonMode json;
        bool quiet, no_legend, no_color, no_pager, no_ask_password, follow;
        uint64_t flags;        /* HERO_PROC_FLAG_* */
        uint64_t timeout_usec; /* USEC_NEVER and has_timeout false: not given */
        bool has_timeout;
        unsigned wait_for;      /* WAIT_FOR_STATE(…) and WAIT_FOR_REMOVED, any of which will do */
        const char *n_lines;    /* a number or "all"; NULL: not given */
        const char *socket_dir; /* NULL: not given */
} CommandLine;

/* Reorders argv. 0: `ret` is to be carried out. 1: was --help or --version and is answered on `out`. -EINVAL: `err`
 * says what is wrong with it. */
int command_line_parse(int argc, char **argv, FILE *out, FILE *err, CommandLine *ret);
