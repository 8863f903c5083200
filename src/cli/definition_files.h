/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The files that apply and check are given: read as they are, one text a file. Must not judge what is in them. */

#include <stddef.h>

enum {
        DEFINITION_FILE_BYTES_MAX = 16 * 1024 * 1024,
};

typedef struct DefinitionFiles {
        char **paths; /* "-" is shown as "standard input" */
        char **texts;
        size_t n;
} DefinitionFiles;

void definition_files_done(DefinitionFiles *files);

/* Adds a file, all *.json of a directory by name, or standard input ("-"). 0, -ENOMEM, or with a text that names the
 * file HERO_E_INVALID_DEFINITION (it is no text) or a negative errno: it cannot be read, is too big, or the directory
 * has none. */
int definition_files_add(DefinitionFiles *files, const char *path, char **reterr_message);

/* Which file the server's complaint is about: the one that defines the service that `message` begins with, else the
 * first that is no JSON at all. NULL when there is but one file, or none can be told. */
const char *definition_files_blame(const DefinitionFiles *files, const char *message);
