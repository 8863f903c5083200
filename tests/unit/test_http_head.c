/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "base/cleanup.h"
#include "core/http_head.h"
#include "core/http_target.h"

/* The status it is refused with; 0: taken; 1: more is awaited. */
static unsigned read_head(const char *text, size_t n, HttpRequestHead *head, char *bytes) {
        const char *why = NULL;
        size_t n_head;
        unsigned status;

        memcpy(bytes, text, n);
        bytes[n] = '\0';
        n_head = http_head_length(bytes, n);
        if (n_head == 0)
                return 1;
        status = http_head_parse(bytes, n_head, head, &why);
        return (status == 0) == !why ? status : 999;
}

#define READ(text) read_head(text, sizeof text - 1, &head, bytes)

TEST(a_request_is_taken_apart) {
        HttpRequestHead head;
        char bytes[512];

        ASSERT_EQ(READ("POST /a?b HTTP/1.1\r\nHost: x\r\nEmpty:\r\nX-Y:\t a, B ;q=1 \r\nx-y:C\r\n\r\nbody\n"), 0);
        ASSERT_STREQ(head.method, "POST");
        ASSERT_STREQ(head.target, "/a?b");
        ASSERT_STREQ(head.version, "HTTP/1.1");
        ASSERT_EQ(head.n_fields, 4);
        ASSERT_STREQ(http_head_field(&head, "HOST"), "x");
        ASSERT_STREQ(http_head_field(&head, "empty"), "");
        ASSERT_STREQ(http_head_field(&head, "X-Y"), "a, B ;q=1");
        ASSERT(!http_head_field(&head, "X"));
        ASSERT(http_head_lists(&head, "X-Y", "b") && http_head_lists(&head, "X-Y", "c"));
        ASSERT(!http_head_lists(&head, "X-Y", "q=1") && !http_head_lists(&head, "Empty", "a"));
}

TEST(each_other_way_to_write_a_head_is_refused) {
        static const struct {
                const char *text;
                unsigned status;
        } rows[] = {
                { "GET / HTTP/1.1\r\n\r\n", 0 },
                { "GET / HTTP/1.0\r\n\r\n", 0 },
                { "GET / HTTP/1.1\r\nA: b\r\n", 1 },
                { "GET / HTTP/1.1\r\nA: b", 1 },
                { "GET / HTTP/1.1\n\n", 400 },
                { "GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", 400 },
                { "GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", 400 },
                { "GET / HTTP/1.1\r\nA: b\r\r\n\r\n", 400 },
                { "GET / HTTP/1.1\r\nA: b\r\n c: d\r\n\r\n", 400 },
                { "GET / HTTP/1.1\r\n A: b\r\n\r\n", 400 },
                { "GET / HTTP/1.1\r\nA : b\r\n\r\n", 400 },
                { "GET / HTTP/1.1\r\nA\t: b\r\n\r\n", 400 },
                { "GET / HTTP/1.1\r\nA b: c\r\n\r\n", 400 },
                { "GET / HTTP/1.1\r\nno colon\r\n\r\n", 400 },
                { "GET / HTTP/1.1\r\n: b\r\n\r\n", 400 },
                { "GET / HTTP/1.1\r\nA: \x01\r\n\r\n", 400 },
                { "GET / HTTP/1.1\r\nA: \x7f\r\n\r\n", 400 },
                { "GET / HTTP/1.1\r\n\xc3\xa4: b\r\n\r\n", 400 },
                { "GET / HTTP/1.1\r\nA: \xc3\xa4\tb\r\n\r\n", 0 },
                { "GET  / HTTP/1.1\r\n\r\n", 400 },
                { "GET /  HTTP/1.1\r\n\r\n", 400 },
                { "GET / HTTP/1.1 \r\n\r\n", 400 },
                { "GET\t/\tHTTP/1.1\r\n\r\n", 400 },
                { "GET /\r\n\r\n", 400 },
                { "GARBAGE\r\n\r\n", 400 },
                { " GET / HTTP/1.1\r\n\r\n", 400 },
                { "GET /\x01 HTTP/1.1\r\n\r\n", 400 },
                { "GET /#a HTTP/1.1\r\n\r\n", 400 },
                { "GET / HTTP/2.0\r\n\r\n", 505 },
                { "GET / HTTP/1.10\r\n\r\n", 505 },
                { "GET / http/1.1\r\n\r\n", 505 },
        };
        HttpRequestHead head;
        char bytes[512];

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                unsigned status = read_head(rows[i].text, strlen(rows[i].text), &head, bytes);

                if (status != rows[i].status)
                        FAIL("[%s]: %u, not %u", rows[i].text, status, rows[i].status);
        }
        ASSERT_EQ(READ("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n"), 400);
}

TEST(headers_and_targets_have_limits) {
        static char text[64 * 1024], bytes[64 * 1024];
        HttpRequestHead head;
        int n = sprintf(text, "GET / HTTP/1.1\r\n");

        for (int i = 0; i < HTTP_FIELDS_MAX; i++)
                n += sprintf(text + n, "A: b\r\n");
        ASSERT_EQ(read_head(text, (size_t) sprintf(text + n, "\r\n") + (size_t) n, &head, bytes), 0);
        n += sprintf(text + n, "A: b\r\n");
        ASSERT_EQ(read_head(text, (size_t) sprintf(text + n, "\r\n") + (size_t) n, &head, bytes), 431);

        memset(text, 'a', sizeof text);
        memcpy(text, "GET /", 5);
        n = 5 + HTTP_TARGET_MAX_BYTES - 1;
        ASSERT_EQ(read_head(text, (size_t) sprintf(text + n, " HTTP/1.1\r\n\r\n") + (size_t) n, &head, bytes), 0);
        memset(text + n, 'a', 32);
        n++;
        ASSERT_EQ(read_head(text, (size_t) sprintf(text + n, " HTTP/1.1\r\n\r\n") + (size_t) n, &head, bytes), 414);
}

TEST(a_target_is_a_path_and_parameters) {
        HttpTarget t;
        char text[] = "/a%20b/+?q=x+y%26&empty=&flag&&%6b=v";

        ASSERT(http_target_parse(text, &t));
        ASSERT_STREQ(t.path, "/a b/+");
        ASSERT_EQ(t.n_parameters, 4);
        ASSERT_STREQ(t.parameters[0].key, "q");
        ASSERT_STREQ(t.parameters[0].value, "x y&");
        ASSERT_STREQ(t.parameters[1].value, "");
        ASSERT_STREQ(t.parameters[2].key, "flag");
        ASSERT_STREQ(t.parameters[3].key, "k");
}

TEST(a_target_that_hides_something_is_refused) {
        static const char *const bad[] = { "",      "*",        "a",    "http://a/",
                                           "/%",    "/%0",      "/%zz", "/%00",
                                           "/%0a",  "/a?b=%0d", "/%7f", "/?%1f",
                                           "/?a=%", "/?%4=b",   "/a%2", "/?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q" };
        HttpTarget t;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                char text[64];

                (void) snprintf(text, sizeof text, "%s", bad[i]);
                if (http_target_parse(text, &t))
                        FAIL("[%s] was taken", bad[i]);
        }
}
