/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <string.h>

#include "base/cleanup.h"
#include "core/secret_name.h"

TEST(names_of_secrets_are_found_wherever_the_word_stands) {
        static const char *const names[] = {
                "PASSWORD",        "DB_PASSWORD",    "PGPASSWORD",      "PASSWORD_PROD",
                "db_password",     "Github_Token",   "TOKEN2",          "API_KEY",
                "apikey",          "OPENAI_API_KEY", "API_KEY_PROD",    "AWS_SECRET_ACCESS_KEY",
                "SECRET",          "SECRETS",        "APP_SECRET",      "SECRET_KEY_BASE",
                "TLS_PRIVATE_KEY", "PRIVATE_KEY_1",  "MYSQL_PWD",       "_TOKEN",
                "X__SECRET__",     "REDISCLI_AUTH",  "SMTP_PASSPHRASE", "GITHUB_CREDENTIALS",
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (!secret_name_find(names[i]))
                        ASSERT_STREQ(names[i], "the name of a secret");
        ASSERT_STREQ(secret_name_find("MY_API_KEY"), "API_KEY");
}

TEST(names_that_only_resemble_them_or_say_where_they_are_pass) {
        static const char *const names[] = {
                "",
                "_",
                "KEY",
                "PATH",
                "LANG",
                "TOKENIZERS_PARALLELISM",
                "MAX_TOKENS",
                "SECRETARY",
                "KEYBOARD",
                "MONKEY",
                "PWD",
                "API",
                "API_KEYS",
                "PASS",
                "AUTHOR",
                "PASSWORD_FILE",
                "TOKEN_PATH",
                "DB_PASSWORD_FILE",
                "TOKEN_URL",
                "SECRET_NAME",
                "AWS_ACCESS_KEY_ID",
                "CREDENTIALS_DIRECTORY",
                "TOKEN_TTL",
                "PRIVATE_KEY_PATH2",
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (secret_name_find(names[i]))
                        ASSERT_STREQ(names[i], "a harmless name");
}
