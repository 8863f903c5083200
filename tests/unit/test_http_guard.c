/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "base/cleanup.h"
#include "gateway/http_guard.h"

#define SOCKET_PATH "/run/hero/hero_proc/rpc.sock"

static const char *const allowed[] = { "board.example", NULL };
static const HttpNames names = { allowed, SOCKET_PATH };

/* Headers as "Name: value" lines; good ones for Host and Content-Length come first, unless a row has its own. */
static unsigned check(const char *method, const char *version, const char *lines) {
        HttpGuardHead head = { .method = method, .version = version };
        char text[4096];
        const char *why = NULL;
        unsigned status;

        (void) snprintf(text, sizeof text, "%s", lines);
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
                char *value = strstr(line, ": ");

                *value = '\0';
                http_guard_add(&head, line, value + 2);
        }
        status = http_guard_check(&head, &names, &why);
        return (status == HTTP_STATUS_OK_TO_GO) == !why ? status : 999;
}

typedef struct Row {
        const char *method, *lines;
        unsigned status;
} Row;

static void check_rows(const Row *rows, size_t n) {
        for (size_t i = 0; i < n; i++) {
                unsigned status = check(rows[i].method, "HTTP/1.1", rows[i].lines);

                if (status != rows[i].status)
                        FAIL("%s [%s]: %u, not %u", rows[i].method, rows[i].lines, status, rows[i].status);
        }
}

TEST(only_names_that_lead_here_alone_are_a_host) {
        static const Row rows[] = {
                { "GET", "Host: localhost", 0 },
                { "GET", "Host: LOCALHOST:80", 0 },
                { "GET", "Host: 127.0.0.1:9987", 0 },
                { "GET", "Host: [::1]:9987", 0 },
                { "GET", "Host: hero_proc", 0 },
                { "GET", "Host: a.localhost", 0 },
                { "GET", "Host: board.example:443", 0 },
                { "GET", "Host: " SOCKET_PATH, 0 },
                { "GET", "Host: 2f72756e2f6865726f2f6865726f5f70726f632f7270632e736f636b", 0 },
                { "GET", "Host: 2f72756e2f6865726f2f6865726f5f70726f632f7270632e736f636c", 403 },
                { "GET", "Host: /run/hero/other/rpc.sock", 403 },
                { "GET", "Host: evil.example", 403 },
                { "GET", "Host: localhost.evil.example", 403 },
                { "GET", "Host: evil.example:80@localhost", 403 },
                { "GET", "Host: localhost:80:90", 403 },
                { "GET", "Host: localhost:x", 403 },
                { "GET", "Host: .localhost", 403 },
                { "GET", "Host: 127.0.0.1.evil.example", 403 },
                { "GET", "Host: 10.0.0.1", 403 },
                { "GET", "Host: board.example.evil.example", 403 },
                { "GET", "Host: [::1", 403 },
                { "GET", "Host: ", 403 },
                { "GET", "Host: localhost\nHost: localhost", 400 },
                { "GET", "Accept: */*", 400 },
        };

        check_rows(rows, ELEMENTSOF(rows));
        ASSERT_EQ(check("GET", "HTTP/1.0", "Accept: */*"), 0);
}

TEST(a_page_of_another_site_cannot_post) {
#define POST "Host: localhost:9987\nContent-Length: 2\n"
        static const Row rows[] = {
                { "POST", POST, 0 },
                { "POST", POST "Origin: http://localhost:9987", 0 },
                { "POST", POST "Origin: http://localhost:9987\nSec-Fetch-Site: same-origin", 0 },
                { "POST", POST "Origin: http://localhost:3000", 403 },
                { "POST", POST "Origin: http://localhost", 403 },
                { "POST", POST "Origin: http://evil.example", 403 },
                { "POST", POST "Origin: http://evil.example\nSec-Fetch-Site: same-origin", 403 },
                { "POST", POST "Origin: null", 403 },
                { "POST", POST "Origin: file://", 403 },
                { "POST", POST "Origin: ", 403 },
                { "POST", POST "Sec-Fetch-Site: cross-site", 403 },
                { "POST", POST "Sec-Fetch-Site: same-site", 403 },
                { "POST", POST "Sec-Fetch-Site: none", 0 },
                { "POST", POST "Origin: http://localhost:9987\nOrigin: http://localhost:9987", 400 },
                { "POST",
                  "Host: localhost\nContent-Length: 2\nOrigin: https://board.example\nSec-Fetch-Site: same-origin", 0 },
                { "POST", "Host: localhost\nContent-Length: 2\nOrigin: https://board.example", 403 },
                { "GET", "Host: localhost\nOrigin: http://evil.example\nSec-Fetch-Site: cross-site", 0 },
        };

        check_rows(rows, ELEMENTSOF(rows));
}

TEST(what_two_readers_could_take_differently_is_refused) {
        static const Row rows[] = {
                { "POST", "Host: localhost\nContent-Length: 5\nContent-Length: 6", 400 },
                { "POST", "Host: localhost\nContent-Length: 5\nContent-Length: 5", 400 },
                { "POST", "Host: localhost\nContent-Length: 5, 5", 400 },
                { "POST", "Host: localhost\nContent-Length: +5", 400 },
                { "POST", "Host: localhost\nContent-Length: 0x5", 400 },
                { "POST", "Host: localhost\nContent-Length: -1", 400 },
                { "POST", "Host: localhost\nContent-Length: ", 400 },
                { "POST", "Host: localhost\nContent-Length: 99999999999999999999", 400 },
                { "POST", "Host: localhost\nContent-Length: 5\nTransfer-Encoding: chunked", 400 },
                { "POST", "Host: localhost\nTransfer-Encoding: chunked", 411 },
                { "POST", "Host: localhost\ntransfer-encoding: xchunked", 411 },
                { "POST", "Host: localhost", 411 },
                { "GET", "Host: localhost\nTransfer-Encoding: chunked", 411 },
                { "GET", "Host: localhost\nContent-Length: 5", 400 },
                { "GET", "Host: localhost\nContent-Length: 0", 0 },
                { "POST", "Host: localhost\nContent-Length: 1\nContent-Type: a\nContent-Type: b", 400 },
        };

        check_rows(rows, ELEMENTSOF(rows));
}

TEST(a_body_has_a_limit) {
        ASSERT_EQ(check("POST", "HTTP/1.1", "Host: localhost\nContent-Length: 262144"), 0);
        ASSERT_EQ(check("POST", "HTTP/1.1", "Host: localhost\nContent-Length: 262145"), 413);
}

TEST(a_content_type_is_compared_without_its_parameters) {
        ASSERT(http_guard_is_type("application/json", "application/json"));
        ASSERT(http_guard_is_type("Application/JSON; charset=utf-8", "application/json"));
        ASSERT(!http_guard_is_type("application/jsonx", "application/json"));
        ASSERT(!http_guard_is_type("text/plain", "application/json"));
        ASSERT(!http_guard_is_type("text/plain; application/json", "application/json"));
        ASSERT(!http_guard_is_type(NULL, "application/json"));
}
