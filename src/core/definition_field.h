/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The one list of what a service definition may hold: names, types, bounds, defaults. The reader checks against it, the
 * manual is checked against it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum FieldScope {
        FIELD_OF_SERVICE = 1 << 0,
        FIELD_OF_ACTION = 1 << 1,
        FIELD_OF_PROBE = 1 << 2,
        FIELD_OF_RESTART = 1 << 3,
        FIELD_OF_LIMITS = 1 << 4,
} FieldScope;

typedef enum FieldType {
        FIELD_BOOLEAN,
        FIELD_INTEGER, /* min..max; a name that ends in _ms is a duration */
        FIELD_SIZE,    /* min..max bytes, an integer or "512M" */
        FIELD_WORD,    /* one of `words` */
        FIELD_STRING,  /* of min..max bytes */
        FIELD_STRINGS, /* an array of min..max strings */
        FIELD_OBJECT,
        FIELD_OBJECTS, /* an array of at most max objects */
        FIELD_MAP,     /* an object of strings with names of the user's choice */
        FIELD_OTHER,   /* what `expects` says; its reader checks */
} FieldType;

typedef struct DefinitionField {
        const char *name;
        unsigned scopes; /* of FieldScope: where it may stand */
        FieldType type;
        int64_t min, max;
        const char *const *words;
        size_t n_words;
        const char *standard; /* the default as it would be written; NULL: none, or the summary tells */
        const char *expects;  /* what a right value is; NULL: follows from the type */
        const char *summary;
        bool hidden; /* its value is not shown to those who may not manage definitions; of a FIELD_MAP each value */
} DefinitionField;

const DefinitionField *definition_fields(size_t *ret_n);

/* The field of that name in one of `scopes`, or NULL. */
const DefinitionField *definition_field_find(const char *name, unsigned scopes);

/* "an integer from 1 to 1000", into `buffer`; returns buffer. */
const char *definition_field_expectation(const DefinitionField *field, char *buffer, size_t size);

/* What someone who wrote `word` may have meant: offer every candidate, then look at `best` (NULL: nothing is close). */
typedef struct NearestWord {
        const char *word, *best;
        unsigned distance;
} NearestWord;

void nearest_word_offer(NearestWord *n, const char *candidate);
