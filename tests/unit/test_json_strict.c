/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <errno.h>
#include <json-c/json.h>

#include "core/json_strict.h"

/* The message, or "" for text that is taken; "other error" for an error that is none of the text's. */
static const char *check_bytes(const char *text, size_t n) {
        static char shown[300];
        _cleanup_free_ char *message = NULL;
        int r = json_strict_check(text, n, NULL, NULL, &message);

        if (r == -EBADMSG && message)
                snprintf(shown, sizeof shown, "%s", message);
        else
                snprintf(shown, sizeof shown, "%s", r == 0 && !message ? "" : "other error");
        return shown;
}

static const char *check(const char *text) {
        return check_bytes(text, strlen(text));
}

TEST(what_the_grammar_allows_is_taken) {
        static const char *const good[] = {
                "{}",
                "[]",
                " [ ] ",
                "\t\r\n{ }\n",
                "null",
                "true",
                "false",
                "0",
                "-0",
                "-1",
                "10",
                "1.5",
                "-0.5e-3",
                "1E+2",
                "\"\"",
                "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"",
                "[1,[2,{\"a\":[]}],\"x\"]",
                "{\"a\":{\"a\":{\"a\":null}}}",
                "\"\x7f\"",
                "\"\xc2\x80\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\"",
                "\"\\ud83d\\ude00\"",
                "9223372036854775807",
                "-9223372036854775808",
                "9.9e307",
                "1e-400",
                "0e999",
                "0.0001e311",
        };

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                ASSERT_STREQ(check(good[i]), "");
        }
}

/* What json-c takes afterwards must be what was checked. */
TEST(json_c_takes_what_was_taken_here) {
        static const char *const good[] = { "{\"a\": [1, -2.5e3, \"\\u20ac\\ud83d\\ude00\", null, true]}", "[ ]", "-0",
                                            "\"\\/\"" };

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                struct json_object *o;
                enum json_tokener_error error;

                ASSERT_STREQ(check(good[i]), "");
                o = json_tokener_parse_verbose(good[i], &error);
                ASSERT_EQ(error, json_tokener_success);
                json_object_put(o);
        }
}

TEST(faults_are_told_with_their_place) {
        static const struct {
                const char *text, *message;
        } bad[] = {
                { "", "line 1, column 1: expected a JSON value, found the end of the text" },
                { "\n\n  ", "line 3, column 3: expected a JSON value, found the end of the text" },
                { "{'a': 1}", "line 1, column 2: expected a key in double quotes, found '''" },
                { "{\"a\" 1}", "line 1, column 6: expected ':', found '1'" },
                { "{\"a\": 1 \"b\": 2}", "line 1, column 9: expected ',' or '}', found '\"'" },
                { "{\"a\": 1,}", "line 1, column 9: expected a key in double quotes, found '}'" },
                { "{a: 1}", "line 1, column 2: expected a key in double quotes, found 'a'" },
                { "{1: 1}", "line 1, column 2: expected a key in double quotes, found '1'" },
                { "[1 2]", "line 1, column 4: expected ',' or ']', found '2'" },
                { "[1,]", "line 1, column 4: expected a JSON value, found ']'" },
                { "[,1]", "line 1, column 2: expected a JSON value, found ','" },
                { "[1}", "line 1, column 3: expected ',' or ']', found '}'" },
                { "[1", "line 1, column 3: expected ',' or ']', found the end of the text" },
                { "{\"a\":", "line 1, column 6: expected a JSON value, found the end of the text" },
                { "\"abc", "line 1, column 5: expected a closing '\"', found the end of the text" },
                { "1 2", "line 1, column 3: expected nothing after the value, found '2'" },
                { "{} // x", "line 1, column 4: expected nothing after the value, found '/'" },
                { "/* x */ {}", "line 1, column 1: expected a JSON value, found '/'" },
                { "NaN", "line 1, column 1: expected a JSON value, found 'N'" },
                { "[Infinity]", "line 1, column 2: expected a JSON value, found 'I'" },
                { "-Infinity", "line 1, column 2: expected a digit, found 'I'" },
                { "True", "line 1, column 1: expected a JSON value, found 'T'" },
                { "tru", "line 1, column 1: expected a JSON value, found 't'" },
                { "nulll", "line 1, column 5: expected nothing after the value, found 'l'" },
                { "01", "line 1, column 2: expected no digit after a leading 0, found '1'" },
                { "-", "line 1, column 2: expected a digit, found the end of the text" },
                { "+1", "line 1, column 1: expected a JSON value, found '+'" },
                { ".5", "line 1, column 1: expected a JSON value, found '.'" },
                { "1.", "line 1, column 3: expected a digit, found the end of the text" },
                { "1.e1", "line 1, column 3: expected a digit, found 'e'" },
                { "1e", "line 1, column 3: expected a digit, found the end of the text" },
                { "1e+", "line 1, column 4: expected a digit, found the end of the text" },
                { "0x10", "line 1, column 2: expected nothing after the value, found 'x'" },
                { "9223372036854775808", "line 1, column 1: expected an integer of at most 64 bits, found '9'" },
                { "-9223372036854775809", "line 1, column 1: expected an integer of at most 64 bits, found '-'" },
                { "[1e309]", "line 1, column 2: expected a number below 1e308, found '1'" },
                { "1e99999999999999999999", "line 1, column 1: expected a number below 1e308, found '1'" },
                { "\"\\x41\"", "line 1, column 3: expected one of \" \\ / b f n r t u after a backslash, found 'x'" },
                { "\"\\u12g4\"", "line 1, column 6: expected four hexadecimal digits, found 'g'" },
                { "\"a\\u0000\"", "line 1, column 3: expected no \\u0000 in a string, found '\\'" },
                { "\"\\ud800\"", "line 1, column 8: expected the low surrogate of a pair, found '\"'" },
                { "\"\\ud800\\u0041\"", "line 1, column 8: expected the low surrogate of a pair, found '\\'" },
                { "\"\\udc00\"", "line 1, column 2: expected a high surrogate before a low one, found '\\'" },
                { "\"a\nb\"",
                  "line 1, column 3: expected control characters to be escaped in a string, found byte 0x0a" },
                { "\"\x01\"",
                  "line 1, column 2: expected control characters to be escaped in a string, found byte 0x01" },
                { "\"\x80\"", "line 1, column 2: expected valid UTF-8, found byte 0x80" },
                { "\"\xc0\x80\"", "line 1, column 2: expected valid UTF-8, found byte 0xc0" },
                { "\"\xed\xa0\x80\"", "line 1, column 2: expected valid UTF-8, found byte 0xed" },
                { "\"\xf4\x90\x80\x80\"", "line 1, column 2: expected valid UTF-8, found byte 0xf4" },
                { "\"\xe2\x82\"", "line 1, column 2: expected valid UTF-8, found byte 0xe2" },
                { "\"\xe2\x82\xac\xe2\x82\xac\x01\"",
                  "line 1, column 4: expected control characters to be escaped in a string, found byte 0x01" },
                { "\xef\xbb\xbf{}", "line 1, column 1: expected a JSON value, found a byte order mark" },
                { "{\n  \"a\": 1,\n  \"b\": 2,\n  \"a\": 3\n}",
                  "line 4, column 3: expected each key once in an object, found '\"'" },
                { "{\"a\": 1, \"\\u0061\": 2}", "line 1, column 10: expected each key once in an object, found '\"'" },
                { "{\"\": 1, \"\": 2}", "line 1, column 9: expected each key once in an object, found '\"'" },
                { "[{\"x\": {\"b\":1,\"a\":2,\"b\":3}}]",
                  "line 1, column 21: expected each key once in an object, found '\"'" },
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                ASSERT_STREQ(check(bad[i].text), bad[i].message);
        }
}

TEST(the_same_key_in_different_objects_is_no_duplicate) {
        ASSERT_STREQ(check("{\"a\": {\"b\": 1, \"a\": 2}, \"b\": [{\"a\": 1}, {\"a\": 1}], \"ab\": 1, \"abc\": 2}"),
                     "");
}

TEST(a_nul_byte_is_refused_wherever_it_stands) {
        ASSERT_STREQ(check_bytes("{}\0", 3), "line 1, column 3: expected nothing after the value, found byte 0x00");
        ASSERT_STREQ(check_bytes("\0", 1), "line 1, column 1: expected a JSON value, found byte 0x00");
        ASSERT_STREQ(check_bytes("\"a\0b\"", 5),
                     "line 1, column 3: expected control characters to be escaped in a string, found byte 0x00");
}

TEST(nesting_is_bounded_for_arrays_and_objects_alike) {
        char text[8 * 70] = "";

        for (unsigned depth = 29; depth <= 33; depth++) {
                char *p = text;

                for (unsigned i = 0; i < depth; i++)
                        p = stpcpy(p, i % 2 ? "{\"a\":" : "[");
                p = stpcpy(p, "1");
                for (unsigned i = depth; i-- > 0;)
                        p = stpcpy(p, i % 2 ? "}" : "]");
                ASSERT_EQ(*check(text) == '\0', depth <= JSON_STRICT_DEPTH_MAX);
                if (depth == JSON_STRICT_DEPTH_MAX) {
                        struct json_object *o = json_tokener_parse(text);

                        ASSERT(o); /* json-c goes as deep */
                        json_object_put(o);
                }
        }
}

TEST(a_hundred_thousand_brackets_do_not_end_the_stack) {
        static char text[100000];

        memset(text, '[', sizeof text);
        ASSERT_STREQ(check_bytes(text, sizeof text),
                     "line 1, column 32: expected at most 31 levels of nesting, found '['");
}

TEST(many_keys_are_compared_in_reasonable_time) {
        enum { N = 100000 };
        _cleanup_free_ char *text = malloc(N * 12 + 64);
        char *p = text;

        ASSERT(text);
        p = stpcpy(p, "{");
        for (unsigned i = 0; i < N; i++)
                p += sprintf(p, "\"%u\":1,", i);
        (void) strcpy(p, "\"x\":1}");
        ASSERT_STREQ(check(text), "");
        (void) strcpy(p, "\"77\":1}");
        ASSERT(strstr(check(text), "expected each key once"));
}

TEST(every_prefix_of_a_good_text_is_refused) {
        static const char text[] = "{\"a\": [1.5e2, \"\\u20ac\\ud83d\\ude00\xc3\xa9\", null, true], \"b\": -3}";

        ASSERT_STREQ(check(text), "");
        for (size_t n = 0; n < sizeof text - 1; n++) {
                /* A copy of exactly that size, so that a sanitizer sees a read behind it. */
                _cleanup_free_ char *copy = malloc(n + 1);
                char *exact = copy + 1;

                ASSERT(copy);
                memcpy(exact, text, n);
                ASSERT(*check_bytes(exact, n) != '\0');
        }
}

TEST(elements_of_an_array_are_found_byte_for_byte) {
        static const char text[] = " [ {\"a\": 1} ,\n\"x\\n\", [2, 3],4 ] \n";
        static const char *const expected[] = { "{\"a\": 1}", "\"x\\n\"", "[2, 3]", "4" };
        _cleanup_free_ JsonSpan *spans = NULL;
        _cleanup_free_ char *message = NULL;
        size_t n;

        ASSERT_EQ(json_strict_check(text, strlen(text), &spans, &n, &message), 0);
        ASSERT_EQ(n, ELEMENTSOF(expected));
        for (size_t i = 0; i < n; i++) {
                ASSERT_EQ(spans[i].length, strlen(expected[i]));
                ASSERT(memcmp(text + spans[i].offset, expected[i], spans[i].length) == 0);
        }
}

TEST(one_value_is_its_own_span_without_the_blanks_around) {
        _cleanup_free_ JsonSpan *spans = NULL;
        _cleanup_free_ char *message = NULL;
        size_t n;

        ASSERT_EQ(json_strict_check("  {\"a\": [1, 2]}\n", 16, &spans, &n, &message), 0);
        ASSERT_EQ(n, 1);
        ASSERT_EQ(spans[0].offset, 2);
        ASSERT_EQ(spans[0].length, 13);
}

TEST(an_empty_array_has_no_elements) {
        _cleanup_free_ JsonSpan *spans = NULL;
        _cleanup_free_ char *message = NULL;
        size_t n = 7;

        ASSERT_EQ(json_strict_check("[ ]", 3, &spans, &n, &message), 0);
        ASSERT_EQ(n, 0);
}

TEST(a_document_holds_what_the_text_says) {
        static const char text[] =
                "{\"s\": \"\\u20ac\\ud83d\\ude00\\n\", \"\\u006e\": -7, \"r\": 1.50, \"l\": [true, null, {}]}";
        _cleanup_(json_document_freep) JsonDocument *d = NULL;
        _cleanup_free_ char *message = NULL;
        const JsonValue *v;

        ASSERT_EQ(json_strict_parse(text, strlen(text), &d, &message), 0);
        ASSERT_EQ(d->values->kind, JSON_KIND_OBJECT);
        ASSERT_EQ(d->values->n_children, 4);
        ASSERT_STREQ(json_member(d->values, "s")->string, "\xe2\x82\xac\xf0\x9f\x98\x80\n");
        ASSERT_EQ(json_member(d->values, "n")->integer, -7);
        v = json_member(d->values, "r");
        ASSERT_EQ(v->kind, JSON_KIND_REAL);
        ASSERT_EQ(v->source_length, 4);
        ASSERT(memcmp(v->source, "1.50", 4) == 0);
        v = json_member(d->values, "l");
        ASSERT_EQ(v->kind, JSON_KIND_ARRAY);
        ASSERT_EQ(v->n_children, 3);
        ASSERT(v->first->boolean);
        ASSERT_EQ(v->first->next->kind, JSON_KIND_NULL);
        ASSERT_EQ(v->first->next->next->kind, JSON_KIND_OBJECT);
        ASSERT(!v->first->next->next->next && !v->next);
        ASSERT(!json_member(d->values, "x") && !json_member(NULL, "x") && !json_member(v, "x"));
}

TEST(strings_fit_their_buffer_at_their_tightest) {
        static const char text[] = "[\"\",\"\",\"\xf0\x9f\x98\x80\"]";
        _cleanup_(json_document_freep) JsonDocument *d = NULL;
        _cleanup_free_ char *message = NULL;

        ASSERT_EQ(json_strict_parse(text, strlen(text), &d, &message), 0);
        ASSERT_STREQ(d->values->first->string, "");
        ASSERT_STREQ(d->values->first->next->next->string, "\xf0\x9f\x98\x80");
}
