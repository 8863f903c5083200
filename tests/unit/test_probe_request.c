/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "boundary/probe_request.h"

static ProbeDefinition asks(const char *path) {
        return (ProbeDefinition){ .type = PROBE_HTTP, .method = (char *) "GET", .path = (char *) path };
}

TEST(those_that_ask_the_same_share_one_request) {
        ProbeDefinition health = asks("/health"), same = asks("/health"), other = asks("/ready");
        ProbeRequest *a = NULL, *b = NULL, *c = NULL;
        ProbeRequests all = { 0 };

        ASSERT_EQ(probe_request_get(&all, &health, &a), 0);
        ASSERT_EQ(probe_request_get(&all, &same, &b), 0);
        ASSERT_EQ(probe_request_get(&all, &other, &c), 0);
        ASSERT(a == b && a != c);
        ASSERT(a->n > 0 && strncmp(a->bytes, "GET /health HTTP/1.1\r\n", strlen("GET /health HTTP/1.1\r\n")) == 0);
        ASSERT(strncmp(c->bytes, "GET /ready HTTP/1.1\r\n", strlen("GET /ready HTTP/1.1\r\n")) == 0);
        (void) probe_request_put(a);
        ASSERT(strncmp(b->bytes, "GET /health HTTP/1.1\r\n", strlen("GET /health HTTP/1.1\r\n")) == 0);
        (void) probe_request_put(b);
        (void) probe_request_put(c);
        for (size_t i = 0; i < PROBE_REQUEST_SHELVES; i++)
                ASSERT(LIST_EMPTY(&all.shelves[i]));
}

TEST(each_of_many_that_differ_is_its_own) {
        ProbeRequest *requests[500] = { NULL };
        ProbeRequests all = { 0 };

        for (size_t i = 0; i < 500; i++) {
                char path[32], line[64];
                ProbeDefinition d = asks(path);

                (void) snprintf(path, sizeof path, "/health/%zu", i);
                ASSERT_EQ(probe_request_get(&all, &d, &requests[i]), 0);
                (void) snprintf(line, sizeof line, "GET %s HTTP/1.1\r\n", path);
                ASSERT(strncmp(requests[i]->bytes, line, strlen(line)) == 0);
        }
        for (size_t i = 0; i < 500; i++)
                (void) probe_request_put(requests[i]);
}
