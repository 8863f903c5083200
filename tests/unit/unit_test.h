/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The frame of a unit test: TEST(what_is_shown) { … } registers itself; main() runs all, or those whose names hold
 * argv[1], and prints one line a test, "ok   FILE: NAME" or "FAIL FILE: NAME" with the values that differed. An
 * assertion that fails leaves its test function. */

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct UnitTest {
        const char *name;
        void (*run)(void);
        struct UnitTest *next;
} UnitTest;

static UnitTest *unit_tests, **unit_tests_tail = &unit_tests;
static bool unit_test_failed;

#define TEST(function)                                                       \
        static void function(void);                                          \
        __attribute__((constructor)) static void register_##function(void) { \
                static UnitTest test = { #function, function, NULL };        \
                *unit_tests_tail = &test;                                    \
                unit_tests_tail = &test.next;                                \
        }                                                                    \
        static void function(void)

#define FAIL(...)                                           \
        do {                                                \
                unit_test_failed = true;                    \
                printf("     %s:%d: ", __FILE__, __LINE__); \
                printf(__VA_ARGS__);                        \
                printf("\n");                               \
                return;                                     \
        } while (0)

#define ASSERT(condition)                                     \
        do {                                                  \
                if (!(condition))                             \
                        FAIL("%s does not hold", #condition); \
        } while (0)

#define ASSERT_EQ(a, b)                                                                   \
        do {                                                                              \
                int64_t _a = (int64_t) (a), _b = (int64_t) (b);                           \
                if (_a != _b)                                                             \
                        FAIL("%s is %" PRId64 ", and not %s = %" PRId64, #a, _a, #b, _b); \
        } while (0)

#define ASSERT_STREQ(a, b)                                                                                \
        do {                                                                                              \
                const char *_a = (a), *_b = (b);                                                          \
                if (!_a || !_b ? _a != _b : strcmp(_a, _b) != 0)                                          \
                        FAIL("%s is \"%s\", and not \"%s\"", #a, _a ? _a : "(null)", _b ? _b : "(null)"); \
        } while (0)

int main(int argc, char **argv) {
        int n_failed = 0;

        setvbuf(stdout, NULL, _IOLBF, 0);
        for (UnitTest *t = unit_tests; t; t = t->next) {
                if (argc > 1 && !strstr(t->name, argv[1]))
                        continue;
                unit_test_failed = false;
                t->run();
                n_failed += unit_test_failed;
                printf("%s %s: %s\n", unit_test_failed ? "FAIL" : "ok  ", __BASE_FILE__, t->name);
        }
        return n_failed > 0;
}
