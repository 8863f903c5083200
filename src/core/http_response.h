/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A strict HTTP/1.1 answer parser: fed bytes, keeps no copy of the body, allocates nothing. Pure.
 *
 * An answer counts only when it is complete: status line, blank line, and the body to Content-Length, to the last chunk
 * with its trailer, or to the close of the connection where neither is given (RFC 9112 6.3). 1xx answers are skipped,
 * but for 101: what follows it is another protocol, so it is a whole answer without a body.
 * Refused: obsolete line folding, both Content-Length and Transfer-Encoding, differing Content-Lengths, any coding but
 * chunked, chunked under HTTP/1.0, control characters in the header, a status line that is not "HTTP/1.0" or
 * "HTTP/1.1", SP, three digits. A bare LF ends a header line (RFC 9112 2.2), but not a chunk. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        HTTP_HEADER_BYTES_MAX = 16 * 1024,
        HTTP_BODY_BYTES_MAX = 1024 * 1024,
        HTTP_EXPECT_BODY_MAX = 1024, /* bytes of expect_body; the definition's check uses it too */
};

typedef enum HttpParseState {
        HTTP_NEED_MORE, /* incomplete so far */
        HTTP_COMPLETE,  /* whole answer seen; later bytes are ignored */
        HTTP_MALFORMED, /* not HTTP; `fault` says what */
        HTTP_TOO_LARGE, /* header or body over its cap */
} HttpParseState;

/* Opaque in spirit: initialise with http_response_init(), read through the functions below. Lives inside a probe. */
typedef struct HttpResponse {
        int stage;
        bool is_head; /* the request was HEAD: no body whatever the header says */
        bool is_http10;
        unsigned status;
        uint64_t n_header; /* bytes of all headers so far: 1xx ones and the trailer count too */
        uint64_t n_body, body_left;
        bool has_length, is_chunked;
        uint64_t content_length;
        bool saw_cr; /* the last byte of a line was CR: only LF may follow */
        unsigned line_length;
        char line[1024]; /* the current header or chunk-size line; a longer one is kept by its first bytes only */
        const char *expect_body; /* borrowed; NULL: none */
        size_t expect_length, n_tail;
        char tail[HTTP_EXPECT_BODY_MAX]; /* the body's last expect_length - 1 bytes, so that a match across reads is
                                            seen */
        bool expect_seen;
        const char *fault; /* static text, for HTTP_MALFORMED and HTTP_TOO_LARGE */
} HttpResponse;

/* `expect_body` is borrowed until the last call; NULL where nothing is expected. */
void http_response_init(HttpResponse *r, bool is_head, const char *expect_body);

/* Feeds `n` bytes. The answer is the state after them. */
HttpParseState http_response_feed(HttpResponse *r, const void *bytes, size_t n);

typedef enum HttpEnd {
        HTTP_END_COMPLETE,     /* a body that ends with the connection, or was complete already */
        HTTP_END_EMPTY,        /* closed without a byte */
        HTTP_END_SHORT_HEADER, /* closed inside the status line or header */
        HTTP_END_SHORT_BODY,   /* closed inside the body */
        HTTP_END_MALFORMED,
        HTTP_END_TOO_LARGE,
} HttpEnd;

/* The peer closed the connection, or nobody waits for more. */
HttpEnd http_response_end(HttpResponse *r);

/* After completion: the status code (0 before the status line), bytes of body seen, and whether expect_body was found
 * (true where none was asked for). */
unsigned http_response_status(const HttpResponse *r);
uint64_t http_response_body_bytes(const HttpResponse *r);
/* What the header promised (Content-Length); false where it did not. */
bool http_response_body_length(const HttpResponse *r, uint64_t *ret);
bool http_response_body_matches(const HttpResponse *r);
