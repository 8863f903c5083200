/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/secret_name.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

/* A name is read as words between '_', in capitals or not, digits at the end of a word left out (TOKEN2). It is that of
 * a secret when it holds one of these, word for word … */
static const char *const secret_words[] = {
        "PASSWORD",    "PASSWD",     "PASSPHRASE", "PASSCODE",    "SECRET",         "SECRETS",
        "TOKEN",       "APIKEY",     "API_KEY",    "ACCESS_KEY",  "PRIVATE_KEY",    "SECRET_KEY",
        "AUTH_KEY",    "MASTER_KEY", "SSH_KEY",    "SIGNING_KEY", "ENCRYPTION_KEY", "CREDENTIAL",
        "CREDENTIALS", "PGPASSWORD", "MYSQL_PWD",  "DB_PASS",     "SMTP_PASS",      "REDISCLI_AUTH",
};

/* … unless its last word is one of these: then it says where the secret is, or something about it. */
static const char *const harmless_ends[] = {
        "FILE", "FILES", "PATH", "PATHS", "DIR",     "DIRECTORY", "FD",     "URL",   "URI",    "ENDPOINT", "NAME",
        "ID",   "TYPE",  "TTL",  "AGE",   "TIMEOUT", "EXPIRY",    "LENGTH", "LIMIT", "HEADER", "ISSUER",   "ALGORITHM",
};

/* The length of the word that begins at `s`, without the digits at its end; *ret_next is where the next one begins. */
static size_t word_length(const char *s, const char **ret_next) {
        size_t n = strcspn(s, "_");

        *ret_next = s + n + (s[n] == '_');
        while (n > 0 && isdigit((unsigned char) s[n - 1]))
                n--;
        return n;
}

static bool begins_with_words(const char *s, const char *words) {
        while (*words) {
                const char *next, *next_word;
                size_t n = word_length(s, &next), n_word = word_length(words, &next_word);

                if (n != n_word || strncasecmp(s, words, n) != 0)
                        return false;
                s = next;
                words = next_word;
        }
        return true;
}

static bool ends_harmlessly(const char *name) {
        const char *last = strrchr(name, '_'), *next;

        if (!last)
                return false;
        for (size_t i = 0; i < ELEMENTSOF(harmless_ends); i++)
                if (word_length(last + 1, &next) == strlen(harmless_ends[i]) &&
                    begins_with_words(last + 1, harmless_ends[i]))
                        return true;
        return false;
}

const char *secret_name_find(const char *name) {
        if (ends_harmlessly(name))
                return NULL;
        for (const char *word = name, *next; *word; word = next) {
                (void) word_length(word, &next);
                for (size_t i = 0; i < ELEMENTSOF(secret_words); i++)
                        if (begins_with_words(word, secret_words[i]))
                                return secret_words[i];
        }
        return NULL;
}
