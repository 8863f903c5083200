/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/probe_words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

enum {
        QUOTE_BYTES_MAX = 64, /* of expect_body */
        STATUS_FIRST_DEFAULT = 200,
        STATUS_LAST_DEFAULT = 399,
};

static const struct {
        int error;
        bool is_ours;
        const char *words;
} errno_words[] = {
        { ENOENT, false, "no such socket" },
        { ENOTDIR, false, "no such socket" },
        { ELOOP, false, "not asked: a symbolic link is in the path" },
        { ECONNREFUSED, false, "refused" },
        { EACCES, false, "permission denied" },
        { EPERM, false, "permission denied" },
        { ECONNRESET, false, "connection reset" },
        { EPIPE, false, "connection reset" },
        { EPROTOTYPE, false, "not a stream socket" },
        { EMFILE, true, "we have no file descriptor left" },
        { ENFILE, true, "the system has no file descriptor left" },
        { ENOMEM, true, "out of memory" },
        { ENOBUFS, true, "no buffer space left" },
        { EADDRNOTAVAIL, true, "no local port left" },
        { EAGAIN, true, "no local port left" }, /* TCP only: a unix socket's EAGAIN is its accept queue */
};

bool probe_words_for_errno(int error, char *words, size_t size) {
        for (size_t i = 0; i < ELEMENTSOF(errno_words); i++)
                if (errno_words[i].error == error) {
                        (void) snprintf(words, size, "%s", errno_words[i].words);
                        return errno_words[i].is_ours;
                }
        (void) snprintf(words, size, "cannot be asked: %s", strerror(error));
        return false;
}

static bool status_is_expected(const ProbeDefinition *p, unsigned status) {
        if (p->n_expect_status == 0)
                return status >= STATUS_FIRST_DEFAULT && status <= STATUS_LAST_DEFAULT;
        for (size_t i = 0; i < p->n_expect_status; i++)
                if (status >= p->expect_status[i].first && status <= p->expect_status[i].last)
                        return true;
        return false;
}

/* The start of `s`, on one line, not cut inside a UTF-8 sequence. */
static void shorten(const char *s, char *ret, size_t size) {
        size_t n = strlen(s), n_kept = n < size - sizeof("…") ? n : size - sizeof("…");

        while (n_kept < n && n_kept > 0 && ((unsigned char) s[n_kept] & 0xc0) == 0x80)
                n_kept--;
        for (size_t i = 0; i < n_kept; i++)
                ret[i] = (unsigned char) s[i] < ' ' || s[i] == 0x7f ? ' ' : s[i];
        strcpy(ret + n_kept, n_kept < n ? "…" : "");
}

static bool judge_whole_answer(const ProbeDefinition *p, const HttpResponse *r, char *words, size_t size) {
        char quote[QUOTE_BYTES_MAX];

        if (!status_is_expected(p, http_response_status(r))) {
                (void) snprintf(words, size, "status %u", http_response_status(r));
                return false;
        }
        if (!http_response_body_matches(r)) {
                shorten(p->expect_body, quote, sizeof(quote));
                (void) snprintf(words, size, "body does not hold \"%s\"", quote);
                return false;
        }
        words[0] = '\0';
        return true;
}

static void put_short_body(const HttpResponse *r, char *words, size_t size) {
        uint64_t n = http_response_body_bytes(r), n_promised;

        if (http_response_body_length(r, &n_promised))
                (void) snprintf(words, size, "closed in the body after %" PRIu64 " of %" PRIu64 " bytes", n,
                                n_promised);
        else
                (void) snprintf(words, size, "closed in the body after %" PRIu64 " bytes", n);
}

bool probe_words_for_answer(const ProbeDefinition *p, HttpResponse *r, char *words, size_t size) {
        switch (http_response_end(r)) {
        case HTTP_END_COMPLETE:
                return judge_whole_answer(p, r, words, size);
        case HTTP_END_EMPTY:
                (void) snprintf(words, size, "empty reply");
                return false;
        case HTTP_END_SHORT_HEADER:
                (void) snprintf(words, size, "closed in the header");
                return false;
        case HTTP_END_SHORT_BODY:
                put_short_body(r, words, size);
                return false;
        case HTTP_END_TOO_LARGE:
                (void) snprintf(words, size, "%s", r->fault);
                return false;
        case HTTP_END_MALFORMED:
        default:
                (void) snprintf(words, size, "malformed answer: %s", r->fault);
                return false;
        }
}

const char *probe_words_for_progress(HttpResponse *r) {
        switch (http_response_end(r)) {
        case HTTP_END_COMPLETE: /* a body without a length, whose end did not come */
        case HTTP_END_SHORT_BODY:
                return " in the body";
        case HTTP_END_SHORT_HEADER:
                return " in the header";
        case HTTP_END_EMPTY:
        case HTTP_END_MALFORMED:
        case HTTP_END_TOO_LARGE:
        default:
                return "";
        }
}
