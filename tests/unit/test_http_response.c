/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "base/cleanup.h"
#include "core/http_response.h"

/* What became of an answer: the state after its bytes or, where it still needs more, after the close that follows them.
 */
typedef enum Verdict {
        WHOLE,       /* complete by its own bytes */
        WHOLE_CLOSE, /* complete by the close */
        EMPTY,
        SHORT_HEADER,
        SHORT_BODY,
        BAD,
        LARGE,
} Verdict;

typedef struct Sample {
        const char *answer;
        Verdict verdict;
        unsigned status;
        uint64_t n_body;
        const char *expect_body;
        bool matches, is_head;
        const char *fault;
} Sample;

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

/* clang-format off */
static const Sample samples[] = {
        /* Framing by length */
        { OK "Content-Length: 5\r\n\r\nhello", WHOLE, 200, 5 },
        { OK "Content-Length: 5\r\n\r\nhello, and more of it", WHOLE, 200, 5 },
        { OK "content-LENGTH:\t 5 \t\r\n\r\nhello", WHOLE, 200, 5 },
        { OK "Content-Length: 0\r\n\r\n", WHOLE, 200, 0 },
        { OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", WHOLE, 200, 5 },
        { OK "Content-Length: 5\r\n\r\nhell", SHORT_BODY, 200, 4 },
        { OK "Content-Length: 5\r\n\r\n", SHORT_BODY, 200, 0 },
        { "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", WHOLE, 200, 2 },

        /* Framing by close */
        { OK "\r\n", WHOLE_CLOSE, 200, 0 },
        { OK "\r\nto the end", WHOLE_CLOSE, 200, 10 },
        { "HTTP/1.0 200 OK\r\n\r\nhi", WHOLE_CLOSE, 200, 2 },

        /* Framing by chunks */
        { CHUNKED "5\r\nhello\r\n0\r\n\r\n", WHOLE, 200, 5 },
        { CHUNKED "0\r\n\r\n", WHOLE, 200, 0 },
        { CHUNKED "3\r\nhel\r\n002\r\nlo\r\n000\r\n\r\nlater", WHOLE, 200, 5 },
        { CHUNKED "A ;name=\"value\"\r\n0123456789\r\n0;last\r\nX-Sum: 1\r\nY: 2\r\n\r\n", WHOLE, 200, 10 },
        { CHUNKED "a\r\n0123456789\r\n0\r\nContent-Length: 99\r\n\r\n", WHOLE, 200, 10 },
        { OK "transfer-encoding: CHUNKED\r\n\r\n1\r\nx\r\n0\r\n\r\n", WHOLE, 200, 1 },
        { CHUNKED "", SHORT_BODY, 200, 0 },
        { CHUNKED "5", SHORT_BODY, 200, 0 },
        { CHUNKED "5\r\nhel", SHORT_BODY, 200, 3 },
        { CHUNKED "5\r\nhello", SHORT_BODY, 200, 5 },
        { CHUNKED "5\r\nhello\r\n", SHORT_BODY, 200, 5 },
        { CHUNKED "5\r\nhello\r\n0\r\n", SHORT_BODY, 200, 5 },
        { CHUNKED "5\r\nhello\r\n0\r\nX-Sum: 1\r\n", SHORT_BODY, 200, 5 },
        { CHUNKED "5\r\nhello!\r\n0\r\n\r\n", BAD, 200, 5, .fault = "chunk longer than its size" },
        { CHUNKED "\r\n", BAD, 200, 0, .fault = "bad chunk size" },
        { CHUNKED "x\r\n", BAD, 200, 0, .fault = "bad chunk size" },
        { CHUNKED "5 5\r\n", BAD, 200, 0, .fault = "bad chunk size" },
        { CHUNKED "-1\r\n", BAD, 200, 0, .fault = "bad chunk size" },
        { CHUNKED "5\nhello\r\n0\r\n\r\n", BAD, 200, 0, .fault = "chunk line without a carriage return" },
        { CHUNKED "5\r\nhello\n0\r\n\r\n", BAD, 200, 5, .fault = "chunk line without a carriage return" },
        { CHUNKED "fffffffffffffffffffffffff\r\n", LARGE, 200, 0, .fault = "answer larger than 1 MiB" },
        { CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n", LARGE, 200, 0, .fault = "answer larger than 1 MiB" },
        { CHUNKED "1\r\nx\r\n100000\r\n", LARGE, 200, 1, .fault = "answer larger than 1 MiB" },
        { OK "Content-Length: 1048577\r\n\r\n", LARGE, 200, 0, .fault = "answer larger than 1 MiB" },
        { OK "Content-Length: 1048576\r\n\r\n", SHORT_BODY, 200, 0 },

        /* No body, whatever the header says */
        { OK "Content-Length: 5\r\n\r\n", WHOLE, 200, 0, .is_head = true },
        { OK "Content-Length: 9999999999\r\n\r\n", WHOLE, 200, 0, .is_head = true },
        { OK "Transfer-Encoding: chunked\r\n\r\n", WHOLE, 200, 0, .is_head = true },
        { "HTTP/1.1 204 No Content\r\n\r\n", WHOLE, 204, 0 },
        { "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", WHOLE, 304, 0 },
        { "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n\x01\x02", WHOLE, 101, 0 },

        /* Interim answers */
        { "HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 2\r\n\r\nhi", WHOLE, 200, 2 },
        { "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 9\r\n\r\nHTTP/1.1 100\r\n\r\n" OK "\r\nhi", WHOLE_CLOSE, 200, 2 },
        { "HTTP/1.1 100 Continue\r\n\r\n", SHORT_HEADER, 0, 0 },

        /* Status lines */
        { "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", WHOLE, 502, 0 },
        { "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", WHOLE, 200, 0 },
        { "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", WHOLE, 200, 0 },
        { "HTTP/1.1 200 Gr\xc3\xbc\xc3\x9f" "e\r\nContent-Length: 0\r\n\r\n", WHOLE, 200, 0 },
        { "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", WHOLE, 200, 2 },
        { "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", WHOLE, 999, 0 },
        { "HTTP/1.1 099 Odd\r\n\r\n", BAD, .fault = "bad status line" },
        { "HTTP/1.1  200 OK\r\n\r\n", BAD, .fault = "bad status line" },
        { "HTTP/1.1 20\r\n\r\n", BAD, .fault = "bad status line" },
        { "HTTP/1.1 20x OK\r\n\r\n", BAD, .fault = "bad status line" },
        { "HTTP/1.1 2000 OK\r\n\r\n", BAD, .fault = "bad status line" },
        { "HTTP/1.1\t200 OK\r\n\r\n", BAD, .fault = "bad status line" },
        { "HTTP/1.2 200 OK\r\n\r\n", BAD, .fault = "bad status line" },
        { "HTTP/1.\r\n", BAD, .fault = "bad status line" },
        { "HTTP/2 200\r\n\r\n", BAD, .fault = "not HTTP/1.0 or HTTP/1.1" },
        { "http/1.1 200 OK\r\n\r\n", BAD, .fault = "not HTTP/1.0 or HTTP/1.1" },
        { "ICY 200 OK\r\n\r\n", BAD, .fault = "not HTTP/1.0 or HTTP/1.1" },
        { "+PONG", BAD, .fault = "not HTTP/1.0 or HTTP/1.1" },
        { "\x15\x03\x01", BAD, .fault = "control character in the header" },
        { "\r\nHTTP/1.1 200 OK\r\n\r\n", BAD, .fault = "bad status line" },

        /* Cut short */
        { "", EMPTY },
        { "H", SHORT_HEADER },
        { "HTTP/1.1 200 OK", SHORT_HEADER },
        { "HTTP/1.1 200 OK\r", SHORT_HEADER },
        { OK, SHORT_HEADER, 200 },
        { OK "Content-Ty", SHORT_HEADER, 200 },
        { OK "Content-Length: 0\r\n", SHORT_HEADER, 200 },
        { OK "Content-Length: 0\r\n\r", SHORT_HEADER, 200 },

        /* Header lines */
        { OK "X: a\r\n b\r\n\r\n", BAD, 200, .fault = "folded header line" },
        { OK "\tX: a\r\n\r\n", BAD, 200, .fault = "folded header line" },
        { OK "X : a\r\n\r\n", BAD, 200, .fault = "bad header line" },
        { OK ": a\r\n\r\n", BAD, 200, .fault = "bad header line" },
        { OK "no colon\r\n\r\n", BAD, 200, .fault = "bad header line" },
        { OK "X(y): a\r\n\r\n", BAD, 200, .fault = "bad header line" },
        { OK "X: a\rb\r\n\r\n", BAD, 200, .fault = "carriage return inside a line" },
        { OK "X: a\r\r\n\r\n", BAD, 200, .fault = "carriage return inside a line" },
        { OK "X: a\x01\r\n\r\n", BAD, 200, .fault = "control character in the header" },
        { OK "X: a\x7f\r\n\r\n", BAD, 200, .fault = "control character in the header" },
        { OK "X: \t\xff ok\r\nContent-Length: 0\r\n\r\n", WHOLE, 200 },
        { OK "X:\r\nContent-Length: 0\r\n\r\n", WHOLE, 200 },
        { CHUNKED "0\r\nbad trailer\r\n\r\n", BAD, 200, .fault = "bad header line" },

        /* Framing that could be read in two ways */
        { OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", BAD, 200, .fault = "both Content-Length and Transfer-Encoding" },
        { OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", BAD, 200, .fault = "differing Content-Lengths" },
        { OK "Content-Length: 5, 5\r\n\r\n", BAD, 200, .fault = "bad Content-Length" },
        { OK "Content-Length: -5\r\n\r\n", BAD, 200, .fault = "bad Content-Length" },
        { OK "Content-Length: +5\r\n\r\n", BAD, 200, .fault = "bad Content-Length" },
        { OK "Content-Length: 0x5\r\n\r\n", BAD, 200, .fault = "bad Content-Length" },
        { OK "Content-Length:\r\n\r\n", BAD, 200, .fault = "bad Content-Length" },
        { OK "Content-Length: 18446744073709551621\r\n\r\n", BAD, 200, .fault = "bad Content-Length" },
        { OK "Transfer-Encoding: gzip, chunked\r\n\r\n", BAD, 200, .fault = "Transfer-Encoding other than chunked" },
        { OK "Transfer-Encoding: identity\r\n\r\n", BAD, 200, .fault = "Transfer-Encoding other than chunked" },
        { OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", BAD, 200, .fault = "more than one Transfer-Encoding" },
        { "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", BAD, 200, .fault = "Transfer-Encoding in an HTTP/1.0 answer" },

        /* What the body is to hold */
        { OK "Content-Length: 11\r\n\r\nhello world", WHOLE, 200, 11, "o w", true },
        { OK "Content-Length: 11\r\n\r\nhello world", WHOLE, 200, 11, "hello world", true },
        { OK "Content-Length: 11\r\n\r\nhello world", WHOLE, 200, 11, "hello worlds", false },
        { OK "Content-Length: 10\r\n\r\nhello world", WHOLE, 200, 10, "world", false },
        { OK "X: world\r\nContent-Length: 5\r\n\r\nhello", WHOLE, 200, 5, "world", false },
        { CHUNKED "6\r\nhello \r\n1\r\nw\r\n4\r\norld\r\n0\r\n\r\n", WHOLE, 200, 11, "o wor", true },
        { CHUNKED "3\r\naab\r\n3\r\naac\r\n0\r\n\r\n", WHOLE, 200, 6, "baac", true },
        { CHUNKED "3\r\naab\r\n3\r\naac\r\n0\r\n\r\n", WHOLE, 200, 6, "x", false },
        { OK "\r\nto the end", WHOLE_CLOSE, 200, 10, "end", true },
        { OK "\r\nto the end", WHOLE_CLOSE, 200, 10, "", true },
        { OK "Content-Length: 0\r\n\r\n", WHOLE, 200, 0, "x", false },
};
/* clang-format on */

static Verdict verdict_of(HttpParseState state, HttpResponse *r) {
        if (state == HTTP_COMPLETE)
                return WHOLE;
        if (state == HTTP_TOO_LARGE)
                return LARGE;
        if (state == HTTP_MALFORMED)
                return BAD;
        switch (http_response_end(r)) {
        case HTTP_END_COMPLETE:
                return WHOLE_CLOSE;
        case HTTP_END_EMPTY:
                return EMPTY;
        case HTTP_END_SHORT_HEADER:
                return SHORT_HEADER;
        case HTTP_END_SHORT_BODY:
                return SHORT_BODY;
        case HTTP_END_MALFORMED:
        default:
                return BAD;
        }
}

/* Feeds the sample in pieces: up to `split`, then the rest, in steps of `step` bytes. */
static void check_sample(const Sample *s, size_t split, size_t step) {
        size_t n = strlen(s->answer);
        HttpParseState state = HTTP_NEED_MORE;
        HttpResponse r;
        Verdict verdict;

        http_response_init(&r, s->is_head, s->expect_body);
        for (size_t i = 0; i < n;) {
                size_t end = i < split ? split : n;
                size_t piece = end - i < step ? end - i : step;
                /* In memory of its own: a sanitizer then sees a read beyond the piece. */
                _cleanup_free_ char *copy = malloc(piece);

                memcpy(copy, s->answer + i, piece);
                state = http_response_feed(&r, copy, piece);
                i += piece;
        }
        verdict = verdict_of(state, &r);
        if (verdict != s->verdict || http_response_status(&r) != s->status ||
            http_response_body_bytes(&r) != s->n_body ||
            http_response_body_matches(&r) != (s->expect_body ? s->matches : true) ||
            (s->fault && (!r.fault || strcmp(r.fault, s->fault) != 0)))
                FAIL("split %zu, step %zu: verdict %d, status %u, %" PRIu64 " bytes, %s: %s", split, step,
                     (int) verdict, http_response_status(&r), http_response_body_bytes(&r),
                     r.fault ? r.fault : "no fault", s->answer);
}

TEST(an_answer_fed_whole_is_judged) {
        for (size_t i = 0; i < ELEMENTSOF(samples); i++)
                check_sample(&samples[i], 0, SIZE_MAX);
}

TEST(an_answer_fed_byte_by_byte_is_judged_the_same) {
        for (size_t i = 0; i < ELEMENTSOF(samples); i++)
                check_sample(&samples[i], 0, 1);
}

TEST(an_answer_split_at_any_place_is_judged_the_same) {
        for (size_t i = 0; i < ELEMENTSOF(samples); i++)
                for (size_t split = 1; split < strlen(samples[i].answer); split++)
                        check_sample(&samples[i], split, SIZE_MAX);
}

TEST(a_verdict_is_final) {
        HttpResponse r;

        http_response_init(&r, false, NULL);
        ASSERT_EQ(http_response_feed(&r, OK "Content-Length: 1\r\n\r\nx", 39), HTTP_COMPLETE);
        ASSERT_EQ(http_response_feed(&r, "\x01garbage", 8), HTTP_COMPLETE);
        ASSERT_EQ(http_response_end(&r), HTTP_END_COMPLETE);
        ASSERT_EQ(http_response_body_bytes(&r), 1);

        http_response_init(&r, false, NULL);
        ASSERT_EQ(http_response_feed(&r, "x", 1), HTTP_MALFORMED);
        ASSERT_EQ(http_response_feed(&r, OK "\r\n", 19), HTTP_MALFORMED);
        ASSERT_EQ(http_response_end(&r), HTTP_END_MALFORMED);
}

static HttpParseState feed_repeated(HttpResponse *r, char c, size_t n) {
        HttpParseState state = HTTP_NEED_MORE;

        for (size_t i = 0; i < n; i++)
                state = http_response_feed(r, &c, 1);
        return state;
}

TEST(the_header_has_a_cap) {
        const size_t n_before = strlen(OK "X: ");
        HttpResponse r;

        http_response_init(&r, false, NULL);
        (void) http_response_feed(&r, OK "X: ", n_before);
        ASSERT_EQ(feed_repeated(&r, 'a', HTTP_HEADER_BYTES_MAX - n_before), HTTP_NEED_MORE);
        ASSERT_EQ(feed_repeated(&r, 'a', 1), HTTP_TOO_LARGE);
        ASSERT_STREQ(r.fault, "header larger than 16 KiB");
}

TEST(interim_answers_and_trailers_count_to_the_header_cap) {
        static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n", trailer[] = "X: y\r\n";
        HttpParseState state = HTTP_NEED_MORE;
        HttpResponse r;

        http_response_init(&r, false, NULL);
        for (size_t i = 0; state == HTTP_NEED_MORE && i < HTTP_HEADER_BYTES_MAX; i++)
                state = http_response_feed(&r, interim, strlen(interim));
        ASSERT_EQ(state, HTTP_TOO_LARGE);

        http_response_init(&r, false, NULL);
        state = http_response_feed(&r, CHUNKED "0\r\n", strlen(CHUNKED "0\r\n"));
        for (size_t i = 0; state == HTTP_NEED_MORE && i < HTTP_HEADER_BYTES_MAX; i++)
                state = http_response_feed(&r, trailer, strlen(trailer));
        ASSERT_EQ(state, HTTP_TOO_LARGE);
}

TEST(the_body_has_a_cap_in_every_framing) {
        HttpResponse r;

        http_response_init(&r, false, NULL);
        (void) http_response_feed(&r, OK "\r\n", strlen(OK "\r\n"));
        ASSERT_EQ(feed_repeated(&r, 'a', HTTP_BODY_BYTES_MAX), HTTP_NEED_MORE);
        ASSERT_EQ(feed_repeated(&r, 'a', 1), HTTP_TOO_LARGE);

        http_response_init(&r, false, NULL);
        (void) http_response_feed(&r, CHUNKED "100000\r\n", strlen(CHUNKED "100000\r\n"));
        ASSERT_EQ(feed_repeated(&r, 'a', HTTP_BODY_BYTES_MAX), HTTP_NEED_MORE);
        ASSERT_EQ(http_response_feed(&r, "\r\n1\r\n", 5), HTTP_TOO_LARGE);
}

TEST(a_chunk_line_has_a_cap) {
        HttpResponse r;

        http_response_init(&r, false, NULL);
        (void) http_response_feed(&r, CHUNKED "1;", strlen(CHUNKED "1;"));
        ASSERT_EQ(feed_repeated(&r, 'a', 1022), HTTP_NEED_MORE);
        ASSERT_EQ(feed_repeated(&r, 'a', 1), HTTP_MALFORMED);
        ASSERT_STREQ(r.fault, "chunk line too long");
}

TEST(a_header_line_longer_than_the_buffer_passes_but_not_one_that_frames) {
        HttpResponse r;

        http_response_init(&r, false, NULL);
        (void) http_response_feed(&r, OK "Cookie: ", strlen(OK "Cookie: "));
        (void) feed_repeated(&r, 'a', 5000);
        ASSERT_EQ(http_response_feed(&r, "\r\nContent-Length: 0\r\n\r\n", 23), HTTP_COMPLETE);

        http_response_init(&r, false, NULL);
        (void) http_response_feed(&r, OK "Content-Length: 5", strlen(OK "Content-Length: 5"));
        (void) feed_repeated(&r, ' ', 2000);
        ASSERT_EQ(http_response_feed(&r, "6\r\n", 3), HTTP_MALFORMED);
}

TEST(an_expected_text_of_full_length_is_found_across_reads) {
        char expect[HTTP_EXPECT_BODY_MAX + 1];
        HttpParseState state = HTTP_NEED_MORE;
        HttpResponse r;

        for (size_t i = 0; i < HTTP_EXPECT_BODY_MAX; i++)
                expect[i] = (char) ('a' + i * i % 23);
        expect[HTTP_EXPECT_BODY_MAX] = '\0';

        for (size_t piece = 1; piece <= 1500; piece += 7) {
                http_response_init(&r, false, expect);
                (void) http_response_feed(&r, OK "\r\n", strlen(OK "\r\n"));
                (void) feed_repeated(&r, 'a', 700);
                for (size_t i = 0; i < HTTP_EXPECT_BODY_MAX; i += piece)
                        state = http_response_feed(&r, expect + i,
                                                   HTTP_EXPECT_BODY_MAX - i < piece ? HTTP_EXPECT_BODY_MAX - i : piece);
                ASSERT_EQ(state, HTTP_NEED_MORE);
                ASSERT(http_response_body_matches(&r));
        }
}

static uint64_t next_random(uint64_t *state) {
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return *state >> 33;
}

static void mutate(char *bytes, size_t n, uint64_t *random) {
        static const char spice[] = "\r\n\r\n: 0123456789abcdef;,\t\0\x7f\xff";

        for (size_t n_changes = 1 + next_random(random) % 4; n_changes > 0; n_changes--)
                bytes[next_random(random) % n] = next_random(random) % 2 ? spice[next_random(random) % sizeof(spice)]
                                                                         : (char) next_random(random);
}

/* Whatever comes: no crash, no read out of bounds (seen under the sanitizers), caps kept, and the same verdict whole
 * and in pieces. */
TEST(a_damaged_answer_is_judged_the_same_whole_and_in_pieces) {
        uint64_t random = 20240229;

        for (unsigned round = 0; round < 40000; round++) {
                const Sample *s = &samples[next_random(&random) % ELEMENTSOF(samples)];
                size_t n = strlen(s->answer);
                _cleanup_free_ char *bytes = malloc(n + 1);
                HttpResponse whole, pieces;
                HttpParseState a, b = HTTP_NEED_MORE;

                if (n == 0)
                        continue;
                memcpy(bytes, s->answer, n);
                mutate(bytes, n, &random);

                http_response_init(&whole, s->is_head, s->expect_body);
                http_response_init(&pieces, s->is_head, s->expect_body);
                a = http_response_feed(&whole, bytes, n);
                for (size_t i = 0, piece; i < n; i += piece) {
                        piece = 1 + next_random(&random) % 9;
                        if (piece > n - i)
                                piece = n - i;
                        b = http_response_feed(&pieces, bytes + i, piece);
                }
                ASSERT_EQ(a, b);
                ASSERT_EQ(verdict_of(a, &whole), verdict_of(b, &pieces));
                ASSERT_EQ(http_response_status(&whole), http_response_status(&pieces));
                ASSERT_EQ(http_response_body_matches(&whole), http_response_body_matches(&pieces));
                ASSERT((a == HTTP_MALFORMED || a == HTTP_TOO_LARGE) == (whole.fault != NULL));
                ASSERT(http_response_body_bytes(&whole) <= HTTP_BODY_BYTES_MAX);
        }
}
