/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/http_response.h"

#include <string.h>
#include <strings.h>

enum {
        STAGE_STATUS_LINE,
        STAGE_HEADER,
        STAGE_BODY, /* body_left bytes of Content-Length */
        STAGE_BODY_TO_CLOSE,
        STAGE_CHUNK_SIZE,
        STAGE_CHUNK,     /* body_left bytes of this chunk */
        STAGE_CHUNK_END, /* the CRLF after a chunk */
        STAGE_TRAILER,
        STAGE_COMPLETE, /* from here on nothing moves any more */
        STAGE_MALFORMED,
        STAGE_TOO_LARGE,
};

enum {
        FIRST_BYTES = 8, /* "HTTP/1.1" */
};

void http_response_init(HttpResponse *r, bool is_head, const char *expect_body) {
        *r = (HttpResponse){
                .stage = STAGE_STATUS_LINE,
                .is_head = is_head,
                .expect_body = expect_body,
                .expect_length = expect_body ? strlen(expect_body) : 0,
        };
        r->expect_seen = r->expect_length == 0;
}

static void malformed(HttpResponse *r, const char *fault) {
        r->stage = STAGE_MALFORMED;
        r->fault = fault;
}

static void too_large(HttpResponse *r, const char *fault) {
        r->stage = STAGE_TOO_LARGE;
        r->fault = fault;
}

/* Looks for expect_body in the body's next bytes, and across the seam to those before them. */
static void scan_body(HttpResponse *r, const char *bytes, size_t n) {
        char seam[2 * HTTP_EXPECT_BODY_MAX];
        size_t keep = r->expect_length - 1, n_head = n < keep ? n : keep, n_seam = r->n_tail + n_head;

        memcpy(seam, r->tail, r->n_tail);
        memcpy(seam + r->n_tail, bytes, n_head);
        r->expect_seen = memmem(seam, n_seam, r->expect_body, r->expect_length) ||
                         memmem(bytes, n, r->expect_body, r->expect_length);

        if (n >= keep) {
                memcpy(r->tail, bytes + n - keep, keep);
                r->n_tail = keep;
        } else {
                size_t n_tail = n_seam < keep ? n_seam : keep;

                memcpy(r->tail, seam + n_seam - n_tail, n_tail);
                r->n_tail = n_tail;
        }
}

/* The answer says beforehand that `n` more bytes of body come. */
static bool body_fits(HttpResponse *r, uint64_t n) {
        if (n <= HTTP_BODY_BYTES_MAX - r->n_body)
                return true;
        too_large(r, "answer larger than 1 MiB");
        return false;
}

static size_t take_body(HttpResponse *r, const char *bytes, size_t n) {
        if (r->stage != STAGE_BODY_TO_CLOSE && n > r->body_left)
                n = r->body_left;
        if (!body_fits(r, n))
                return n;

        if (!r->expect_seen && r->expect_length <= HTTP_EXPECT_BODY_MAX)
                scan_body(r, bytes, n);
        r->n_body += n;
        if (r->stage == STAGE_BODY_TO_CLOSE)
                return n;

        r->body_left -= n;
        if (r->body_left == 0)
                r->stage = r->stage == STAGE_CHUNK ? STAGE_CHUNK_END : STAGE_COMPLETE;
        return n;
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static int hex_value(char c) {
        if (is_digit(c))
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_token(const char *s, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (!is_digit(s[i]) && !((s[i] | 0x20) >= 'a' && (s[i] | 0x20) <= 'z') &&
                    (s[i] == '\0' || !strchr("!#$%&'*+-.^_`|~", s[i])))
                        return false;
        return n > 0;
}

/* "HTTP/1.1 200", then the end or " reason"; the version was looked at as it came. Only the first bytes matter, so a
 * long reason may be cut. */
static void take_status_line(HttpResponse *r) {
        const char *s = r->line;

        if (r->line_length < 12 || s[8] != ' ' || s[9] == '0' || !is_digit(s[9]) || !is_digit(s[10]) ||
            !is_digit(s[11]) || (r->line_length > 12 && s[12] != ' ')) {
                malformed(r, "bad status line");
                return;
        }
        r->is_http10 = s[7] == '0';
        r->status = (unsigned) (s[9] - '0') * 100 + (unsigned) (s[10] - '0') * 10 + (unsigned) (s[11] - '0');
        r->stage = STAGE_HEADER;
}

static void take_content_length(HttpResponse *r, const char *value, size_t n) {
        uint64_t length = 0;

        /* 18 digits cannot overflow, and no answer is as long as that. */
        if (n == 0 || n > 18) {
                malformed(r, "bad Content-Length");
                return;
        }
        for (size_t i = 0; i < n; i++) {
                if (!is_digit(value[i])) {
                        malformed(r, "bad Content-Length");
                        return;
                }
                length = length * 10 + (uint64_t) (value[i] - '0');
        }
        if (r->has_length && r->content_length != length) {
                malformed(r, "differing Content-Lengths");
                return;
        }
        r->has_length = true;
        r->content_length = length;
}

static void take_transfer_encoding(HttpResponse *r, const char *value, size_t n) {
        if (r->is_http10)
                malformed(r, "Transfer-Encoding in an HTTP/1.0 answer");
        else if (r->is_chunked)
                malformed(r, "more than one Transfer-Encoding");
        else if (n != 7 || strncasecmp(value, "chunked", 7) != 0)
                malformed(r, "Transfer-Encoding other than chunked");
        else
                r->is_chunked = true;
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

static void take_field(HttpResponse *r) {
        bool is_cut = r->line_length > sizeof(r->line);
        const char *end = r->line + (is_cut ? sizeof(r->line) : r->line_length), *value;
        const char *colon = memchr(r->line, ':', (size_t) (end - r->line));
        size_t n_name = colon ? (size_t) (colon - r->line) : 0;

        if (is_blank(r->line[0])) {
                malformed(r, "folded header line");
                return;
        }
        if (!is_token(r->line, n_name)) {
                malformed(r, "bad header line");
                return;
        }
        if (r->stage == STAGE_TRAILER) /* a trailer has no say in the framing (RFC 9110 6.5.1) */
                return;

        for (value = colon + 1; value < end && is_blank(*value); value++)
                ;
        while (end > value && is_blank(end[-1]))
                end--;
        /* Of a line that was cut the end is not known: its value is taken for a wrong one. */
        if (n_name == 14 && strncasecmp(r->line, "Content-Length", n_name) == 0)
                take_content_length(r, value, is_cut ? 0 : (size_t) (end - value));
        else if (n_name == 17 && strncasecmp(r->line, "Transfer-Encoding", n_name) == 0)
                take_transfer_encoding(r, value, is_cut ? 0 : (size_t) (end - value));
}

static void take_header_end(HttpResponse *r) {
        if (r->has_length && r->is_chunked) {
                malformed(r, "both Content-Length and Transfer-Encoding");
        } else if (r->status < 200 && r->status != 101) {
                r->stage = STAGE_STATUS_LINE;
                r->status = 0;
                r->has_length = r->is_chunked = false;
        } else if (r->is_head || r->status == 101 || r->status == 204 || r->status == 304) {
                r->stage = STAGE_COMPLETE;
        } else if (r->is_chunked) {
                r->stage = STAGE_CHUNK_SIZE;
        } else if (!r->has_length) {
                r->stage = STAGE_BODY_TO_CLOSE;
        } else if (body_fits(r, r->content_length)) {
                r->body_left = r->content_length;
                r->stage = r->body_left > 0 ? STAGE_BODY : STAGE_COMPLETE;
        }
}

static void take_chunk_size(HttpResponse *r) {
        uint64_t size = 0;
        unsigned i = 0;

        /* A size beyond the cap stays beyond it, however many digits follow: no overflow. */
        for (; i < r->line_length && hex_value(r->line[i]) >= 0; i++)
                if (size <= HTTP_BODY_BYTES_MAX)
                        size = size * 16 + (uint64_t) hex_value(r->line[i]);
        if (i == 0) {
                malformed(r, "bad chunk size");
                return;
        }
        while (i < r->line_length && is_blank(r->line[i]))
                i++;
        if (i < r->line_length && r->line[i] != ';') {
                malformed(r, "bad chunk size");
                return;
        }
        if (!body_fits(r, size))
                return;
        r->body_left = size;
        r->stage = size > 0 ? STAGE_CHUNK : STAGE_TRAILER;
}

static bool in_chunk_framing(const HttpResponse *r) {
        return r->stage == STAGE_CHUNK_SIZE || r->stage == STAGE_CHUNK_END;
}

static void take_line(HttpResponse *r) {
        if (r->stage == STAGE_CHUNK_SIZE && !r->saw_cr)
                malformed(r, "chunk line without a carriage return");
        else if (r->stage == STAGE_STATUS_LINE)
                take_status_line(r);
        else if (r->stage == STAGE_CHUNK_SIZE)
                take_chunk_size(r);
        else if (r->stage == STAGE_CHUNK_END)
                r->stage = STAGE_CHUNK_SIZE;
        else if (r->line_length > 0)
                take_field(r);
        else if (r->stage == STAGE_TRAILER)
                r->stage = STAGE_COMPLETE;
        else
                take_header_end(r);
        r->line_length = 0;
        r->saw_cr = false;
}

static void keep_byte(HttpResponse *r, char c) {
        if (r->line_length < sizeof(r->line))
                r->line[r->line_length] = c;
        r->line_length++;
}

static bool fits_version(unsigned i, char c) {
        static const char version[] = "HTTP/1.";

        return i < strlen(version) ? c == version[i] : c == '0' || c == '1';
}

/* The first bytes are judged one by one, since who speaks another protocol may never end a line. */
static void take_first_byte(HttpResponse *r, char c) {
        static const char not_http[] = "not HTTP/1.0 or HTTP/1.1";
        static const char tls_alert[] = { 0x15, 0x03 }; /* what a TLS server says to plain HTTP */

        if (r->line_length > 0 && r->line[0] == tls_alert[0])
                malformed(r, c == tls_alert[1] ? "TLS, not plain HTTP" : not_http);
        else if ((r->line_length == 0 && c == tls_alert[0]) || fits_version(r->line_length, c))
                keep_byte(r, c);
        else
                malformed(r, not_http);
}

static void take_line_byte(HttpResponse *r, char c) {
        if (!in_chunk_framing(r) && ++r->n_header > HTTP_HEADER_BYTES_MAX)
                too_large(r, "header larger than 16 KiB");
        else if (r->stage == STAGE_STATUS_LINE && r->line_length < FIRST_BYTES)
                take_first_byte(r, c);
        else if (r->stage == STAGE_CHUNK_END && c != (r->saw_cr ? '\n' : '\r'))
                malformed(r, "chunk does not end where its size says");
        else if (c == '\n')
                take_line(r);
        else if (r->saw_cr)
                malformed(r, "carriage return inside a line");
        else if (c == '\r')
                r->saw_cr = true;
        else if (((unsigned char) c < 0x20 && c != '\t') || c == 0x7f)
                malformed(r, in_chunk_framing(r) ? "control character in a chunk's line"
                                                 : "control character in the header");
        else if (r->stage == STAGE_CHUNK_SIZE && r->line_length == sizeof(r->line))
                malformed(r, "chunk line too long");
        else
                keep_byte(r, c);
}

HttpParseState http_response_feed(HttpResponse *r, const void *bytes, size_t n) {
        const char *p = bytes;

        for (size_t i = 0; i < n && r->stage < STAGE_COMPLETE;) {
                if (r->stage == STAGE_BODY || r->stage == STAGE_CHUNK || r->stage == STAGE_BODY_TO_CLOSE)
                        i += take_body(r, p + i, n - i);
                else
                        take_line_byte(r, p[i++]);
        }

        switch (r->stage) {
        case STAGE_COMPLETE:
                return HTTP_COMPLETE;
        case STAGE_MALFORMED:
                return HTTP_MALFORMED;
        case STAGE_TOO_LARGE:
                return HTTP_TOO_LARGE;
        default:
                return HTTP_NEED_MORE;
        }
}

HttpEnd http_response_end(HttpResponse *r) {
        switch (r->stage) {
        case STAGE_BODY_TO_CLOSE:
                r->stage = STAGE_COMPLETE;
                return HTTP_END_COMPLETE;
        case STAGE_COMPLETE:
                return HTTP_END_COMPLETE;
        case STAGE_MALFORMED:
                return HTTP_END_MALFORMED;
        case STAGE_TOO_LARGE:
                return HTTP_END_TOO_LARGE;
        case STAGE_STATUS_LINE:
        case STAGE_HEADER:
                return r->n_header == 0 ? HTTP_END_EMPTY : HTTP_END_SHORT_HEADER;
        default:
                return HTTP_END_SHORT_BODY;
        }
}

unsigned http_response_status(const HttpResponse *r) {
        return r->status;
}

uint64_t http_response_body_bytes(const HttpResponse *r) {
        return r->n_body;
}

bool http_response_body_length(const HttpResponse *r, uint64_t *ret) {
        if (!r->has_length)
                return false;
        *ret = r->content_length;
        return true;
}

bool http_response_body_matches(const HttpResponse *r) {
        return r->expect_seen;
}
