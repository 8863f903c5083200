/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <errno.h>

#include "base/cleanup.h"
#include "core/http_request.h"

#define S (char *)

/* NULL: refused. The bytes are kept by the caller's cleanup. */
static char *build(const ProbeDefinition *p) {
        _cleanup_free_ char *bytes = NULL;
        size_t n;

        if (http_request_build(p, &bytes, &n) < 0)
                return NULL;
        return strndup(bytes, n);
}

TEST(a_plain_request_has_the_defaults_and_nothing_else) {
        const ProbeDefinition p = { .method = S "GET", .path = S "/health?full=1" };
        _cleanup_free_ char *bytes = build(&p);

        ASSERT_STREQ(bytes, "GET /health?full=1 HTTP/1.1\r\n"
                            "Host: localhost\r\n"
                            "User-Agent: hero_proc/" HERO_PROC_VERSION "\r\n"
                            "Accept: */*\r\n"
                            "Connection: close\r\n"
                            "\r\n");
}

TEST(own_headers_take_the_place_of_the_defaults) {
        HttpHeader headers[] = {
                { S "host", S "api.example" }, { S "ACCEPT", S "text/plain;\tq=0.5" },
                { S "User-Agent", S "me" },    { S "connection", S "Upgrade" },
                { S "X-Empty", S "" },
        };
        const ProbeDefinition p = { .method = S "GET", .path = S "/", .headers = headers, .n_headers = 5 };
        _cleanup_free_ char *bytes = build(&p);

        ASSERT_STREQ(bytes, "GET / HTTP/1.1\r\n"
                            "host: api.example\r\n"
                            "ACCEPT: text/plain;\tq=0.5\r\n"
                            "User-Agent: me\r\n"
                            "connection: Upgrade\r\n"
                            "X-Empty: \r\n"
                            "\r\n");
}

TEST(a_json_body_brings_its_type_and_length) {
        const ProbeDefinition p = {
                .method = S "POST", .path = S "/rpc", .body = S "{\"\xc3\xa4\":1}", .body_is_json = true
        };
        _cleanup_free_ char *bytes = build(&p);

        ASSERT(bytes);
        ASSERT(strstr(bytes, "\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{\"\xc3\xa4\":1}"));
}

TEST(a_named_type_wins_and_a_text_body_gets_none) {
        HttpHeader headers[] = { { S "content-type", S "application/cbor" } };
        const ProbeDefinition named = { .method = S "POST",
                                        .path = S "/",
                                        .headers = headers,
                                        .n_headers = 1,
                                        .body = S "{}",
                                        .body_is_json = true };
        const ProbeDefinition text = { .method = S "PUT", .path = S "/", .body = S "hi" };
        _cleanup_free_ char *named_bytes = build(&named), *text_bytes = build(&text);

        ASSERT(named_bytes && text_bytes);
        ASSERT(strstr(named_bytes, "content-type: application/cbor\r\nContent-Length: 2\r\n\r\n{}"));
        ASSERT(!strstr(named_bytes, "application/json"));
        ASSERT(!strstr(text_bytes, "Content-Type"));
        ASSERT(strstr(text_bytes, "Connection: close\r\nContent-Length: 2\r\n\r\nhi"));
}

TEST(the_framing_is_never_the_definitions) {
        HttpHeader headers[] = { { S "Content-length", S "99" },
                                 { S "transfer-encoding", S "chunked" },
                                 { S "X", S "y" } };
        const ProbeDefinition p = {
                .method = S "POST", .path = S "/", .headers = headers, .n_headers = 3, .body = S "abc"
        };
        _cleanup_free_ char *bytes = build(&p);

        ASSERT(bytes);
        ASSERT(!strstr(bytes, "99") && !strcasestr(bytes, "chunked"));
        ASSERT(strstr(bytes, "X: y\r\nContent-Length: 3\r\n\r\nabc"));
}

TEST(a_post_without_a_body_says_so) {
        const ProbeDefinition post = { .method = S "POST", .path = S "/" },
                              head = { .method = S "HEAD", .path = S "/" };
        _cleanup_free_ char *post_bytes = build(&post), *head_bytes = build(&head);

        ASSERT(post_bytes && head_bytes);
        ASSERT(strstr(post_bytes, "\r\nContent-Length: 0\r\n\r\n"));
        ASSERT(!strstr(head_bytes, "Content-Length"));
}

TEST(nothing_breaks_out_of_its_place) {
        static const struct {
                const char *method, *path, *name, *value;
        } bad[] = {
                { "GET /x", "/", "X", "y" },  { "", "/", "X", "y" },
                { "GET\r\n", "/", "X", "y" }, { "GET", "/ HTTP/1.1\r\nX: y", "X", "y" },
                { "GET", "/a b", "X", "y" },  { "GET", "", "X", "y" },
                { "GET", "/\x7f", "X", "y" }, { "GET", "/", "X: y\r\nZ", "y" },
                { "GET", "/", "X Y", "y" },   { "GET", "/", "X:", "y" },
                { "GET", "/", "", "y" },      { "GET", "/", "X", "y\r\nZ: 1" },
                { "GET", "/", "X", "y\n" },   { "GET", "/", "X", "\x01" },
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                HttpHeader header = { S bad[i].name, S bad[i].value };
                const ProbeDefinition p = {
                        .method = S bad[i].method, .path = S bad[i].path, .headers = &header, .n_headers = 1
                };
                char *bytes = NULL;
                size_t n = 0;

                ASSERT_EQ(http_request_build(&p, &bytes, &n), -EINVAL);
                ASSERT(!bytes);
        }
}
