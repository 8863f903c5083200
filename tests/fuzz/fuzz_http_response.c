/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An answer to a probe: options (bit 0: to HEAD; bits 1 to 3: how many of the next bytes are expected in the body; the
 * rest: how it is cut), expected text, answer. */
#include "fuzz_target.h"

#include "boundary/probe_words.h"
#include "core/http_response.h"

typedef struct Reading {
        HttpResponse response;
        HttpParseState state;
        char *body; /* as seen from outside: the bytes that made it count one more */
        size_t n_body;
        bool passes;
        char words[120];
} Reading;

static void reading_done(Reading *r) {
        free(r->body);
}

static void judge(Reading *r, const char *expect_body) {
        const ProbeDefinition d = { .expect_body = (char *) expect_body };
        bool was_complete = r->state == HTTP_COMPLETE;

        r->passes = probe_words_for_answer(&d, &r->response, r->words, sizeof(r->words));
        CLAIM(r->passes == (r->words[0] == '\0'), "\"%s\"", r->words);
        CLAIM(is_printable_line(r->words), "\"%s\"", r->words);
        CLAIM(http_response_feed(&r->response, "x", 1) != HTTP_NEED_MORE || !was_complete, "a verdict is final");
}

/* Byte by byte, so that each byte can be seen to be one of the body or none. */
static void read_bytes(Reading *r, const FuzzInput *in, bool is_head, const char *expect_body) {
        r->body = malloc(in->n + 1);
        http_response_init(&r->response, is_head, expect_body);
        r->state = HTTP_NEED_MORE;
        for (size_t i = 0; i < in->n; i++) {
                uint64_t before = http_response_body_bytes(&r->response);

                r->state = http_response_feed(&r->response, in->next + i, 1);
                if (http_response_body_bytes(&r->response) > before)
                        r->body[r->n_body++] = (char) in->next[i];
                CLAIM(http_response_body_bytes(&r->response) == r->n_body, "a byte counts once");
        }
        judge(r, expect_body);
}

/* In pieces of up to `most` bytes, each in memory of its own. */
static void read_pieces(Reading *r, const FuzzInput *in, bool is_head, const char *expect_body, unsigned seed,
                        size_t most) {
        http_response_init(&r->response, is_head, expect_body);
        r->state = HTTP_NEED_MORE;
        for (size_t i = 0, n; i < in->n; i += n) {
                char *piece;

                seed = seed * 1103515245 + 12345;
                n = 1 + (seed >> 8) % most;
                n = n < in->n - i ? n : in->n - i;
                piece = malloc(n);
                memcpy(piece, in->next + i, n);
                r->state = http_response_feed(&r->response, piece, n);
                free(piece);
        }
        judge(r, expect_body);
}

static void claim_same(const Reading *a, const Reading *b) {
        CLAIM(a->state == b->state, "%d and %d", (int) a->state, (int) b->state);
        CLAIM(strcmp(a->words, b->words) == 0, "\"%s\" and \"%s\"", a->words, b->words);
        CLAIM(http_response_status(&a->response) == http_response_status(&b->response), "status");
        CLAIM(http_response_body_bytes(&a->response) == http_response_body_bytes(&b->response), "body");
        CLAIM(http_response_body_matches(&a->response) == http_response_body_matches(&b->response), "match");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        FuzzInput in = { data, size };
        uint8_t options = fuzz_byte(&in);
        size_t n_expect = options >> 1 & 7;
        char expect[8] = "";
        const char *expect_body = n_expect > 0 ? expect : NULL;
        _cleanup_(reading_done) Reading bytes = { 0 }, pieces = { 0 }, whole = { 0 };

        for (size_t i = 0; i < n_expect; i++) /* UTF-8, as definitions are */
                expect[i] = (char) (fuzz_byte(&in) & 0x7f);

        read_bytes(&bytes, &in, options & 1, expect_body);
        read_pieces(&pieces, &in, options & 1, expect_body, options, 2 + (options >> 4) * 8U);
        read_pieces(&whole, &in, options & 1, expect_body, 0, SIZE_MAX);
        claim_same(&bytes, &pieces);
        claim_same(&bytes, &whole);

        CLAIM(bytes.n_body <= HTTP_BODY_BYTES_MAX, "%zu", bytes.n_body);
        if (bytes.passes || bytes.state == HTTP_COMPLETE)
                CLAIM(http_response_status(&bytes.response) >= 101 && http_response_status(&bytes.response) <= 999,
                      "%u", http_response_status(&bytes.response));
        CLAIM(http_response_body_matches(&bytes.response) ==
                      (memmem(bytes.body, bytes.n_body, expect, strlen(expect)) != NULL),
              "found as memmem(3) finds it");
        return 0;
}
