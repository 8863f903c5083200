/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "base/cleanup.h"
#include "boundary/probe_words.h"
#include "core/http_response.h"
#include "http_behaviours.h"

/* ---- the table of servers, those of them whose bytes alone make the verdict ---- */

static bool is_judged_by_its_bytes(const Behaviour *b) {
        if (b->place != SERVED || b->more)
                return false;
        return b->then == CLOSES || b->then == SHUTS_DOWN || strncmp(b->words, TIMED_OUT, strlen(TIMED_OUT)) != 0;
}

static bool needs_its_end(const Behaviour *b) {
        return b->then == CLOSES || b->then == SHUTS_DOWN || b->then == RESETS;
}

/* In memory of its own: a sanitizer then sees a read beyond the piece. */
static HttpParseState feed_copy(HttpResponse *r, const char *bytes, size_t n) {
        _cleanup_free_ char *copy = malloc(n);

        memcpy(copy, bytes, n);
        return http_response_feed(r, copy, n);
}

/* Feeds the answer in pieces: up to `split`, then the rest, in steps of `step` bytes. */
static void check_behaviour(const Behaviour *b, size_t split, size_t step) {
        const ProbeDefinition d = { .expect_body = (char *) b->expect_body };
        HttpParseState state = HTTP_NEED_MORE;
        char words[120];
        HttpResponse r;
        bool passes;

        http_response_init(&r, b->method && strcmp(b->method, "HEAD") == 0, b->expect_body);
        for (size_t i = 0, piece; i < b->n_answer; i += piece) {
                size_t end = i < split ? split : b->n_answer;

                piece = end - i < step ? end - i : step;
                state = feed_copy(&r, b->answer + i, piece);
        }
        if (state == HTTP_NEED_MORE && !needs_its_end(b))
                FAIL("split %zu, step %zu: a server that %s: more is needed", split, step, b->name);
        passes = probe_words_for_answer(&d, &r, words, sizeof(words));
        if (b->then == RESETS && b->outcome == PROBE_FAIL)
                return; /* the words are those of the reset */
        if (passes != (b->outcome == PROBE_PASS) || strcmp(words, b->words) != 0 ||
            http_response_status(&r) != b->status)
                FAIL("split %zu, step %zu: a server that %s: \"%s\", status %u", split, step, b->name, words,
                     http_response_status(&r));
}

TEST(an_answer_fed_whole_is_judged) {
        for (size_t i = 0; i < ELEMENTSOF(behaviours); i++)
                if (is_judged_by_its_bytes(&behaviours[i]))
                        check_behaviour(&behaviours[i], 0, SIZE_MAX);
}

TEST(an_answer_fed_byte_by_byte_is_judged_the_same) {
        for (size_t i = 0; i < ELEMENTSOF(behaviours); i++)
                if (is_judged_by_its_bytes(&behaviours[i]))
                        check_behaviour(&behaviours[i], 0, 1);
}

TEST(an_answer_split_at_any_place_is_judged_the_same) {
        for (size_t i = 0; i < ELEMENTSOF(behaviours); i++) {
                size_t n = is_judged_by_its_bytes(&behaviours[i]) ? behaviours[i].n_answer : 0;

                for (size_t split = 1; split < n; split += 1 + n / 512)
                        check_behaviour(&behaviours[i], split, SIZE_MAX);
        }
}

TEST(the_bytes_of_the_body_are_counted_and_not_those_of_its_framing) {
        static const struct {
                const char *answer;
                uint64_t n_body;
        } samples[] = {
                { LENGTH("5") "hello, and more of it", 5 },
                { LENGTH("5") "hell", 4 },
                { LENGTH("0"), 0 },
                { OK "\r\nto the end", 10 },
                { CHUNKED "3\r\nhel\r\n002\r\nlo\r\n000\r\nX: y\r\n\r\nlater", 5 },
                { CHUNKED "A ;name=\"value\"\r\n0123456789\r\n0;last\r\n\r\n", 10 },
                { CHUNKED "5\r\nhel", 3 },
                { CHUNKED "1\r\nx\r\n100000\r\n", 1 },
                { "HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n" LENGTH("2") "hi", 2 },
                { "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi", 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(samples); i++) {
                HttpResponse r;

                http_response_init(&r, false, NULL);
                (void) http_response_feed(&r, samples[i].answer, strlen(samples[i].answer));
                if (http_response_body_bytes(&r) != samples[i].n_body)
                        FAIL("%" PRIu64 " bytes, not %" PRIu64 ": %s", http_response_body_bytes(&r), samples[i].n_body,
                             samples[i].answer);
        }
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
