/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/recent_answers.h"

#include <stdlib.h>

#include "core/duration_code.h"

/* A cell: the outcome in the upper two bits, below it the latency's code. */
enum {
        LATENCY_DIGITS = 9,
        LATENCY_BITS = 14,
        LATENCY_CODE_MAX = (1 << LATENCY_BITS) - 1, /* 12 days */
};

static_assert(_PROBE_OUTCOME_MAX <= 4, "an outcome fits two bits");
static_assert(RECENT_ANSWERS_MAX <= UINT8_MAX, "the counters hold it");

void recent_answers_add(RecentAnswers *r, ProbeOutcome outcome, uint64_t latency_usec) {
        unsigned code = duration_encode(latency_usec, LATENCY_DIGITS, LATENCY_CODE_MAX);

        r->cells[r->next] = (uint16_t) ((unsigned) outcome << LATENCY_BITS | code);
        r->next = (uint8_t) ((r->next + 1) % RECENT_ANSWERS_MAX);
        if (r->n < RECENT_ANSWERS_MAX)
                r->n++;
}

static ProbeOutcome cell_outcome(uint16_t cell) {
        return (ProbeOutcome) (cell >> LATENCY_BITS);
}

static unsigned cell_code(uint16_t cell) {
        return cell & LATENCY_CODE_MAX;
}

ProbeOutcome recent_answers_at(const RecentAnswers *r, size_t i, uint64_t *ret_latency_usec) {
        uint16_t cell = r->cells[(r->next + RECENT_ANSWERS_MAX - r->n + i) % RECENT_ANSWERS_MAX];

        *ret_latency_usec = duration_decode(cell_code(cell), LATENCY_DIGITS);
        return cell_outcome(cell);
}

static int compare_codes(const void *a, const void *b) {
        return *(const uint16_t *) a - *(const uint16_t *) b;
}

/* The smallest that at least `percent` of the n are not above. */
static uint64_t percentile_usec(const uint16_t *sorted, unsigned n, unsigned percent) {
        return duration_decode(sorted[(n * percent + 99) / 100 - 1], LATENCY_DIGITS);
}

AnswerLatency recent_answers_latency(const RecentAnswers *r) {
        uint16_t codes[RECENT_ANSWERS_MAX];
        unsigned n = 0;

        for (unsigned i = 0; i < r->n; i++)
                if (cell_outcome(r->cells[i]) == PROBE_PASS)
                        codes[n++] = (uint16_t) cell_code(r->cells[i]);
        if (n == 0)
                return (AnswerLatency){ 0 };
        qsort(codes, n, sizeof codes[0], compare_codes);
        return (AnswerLatency){
                .n = n,
                .p50_usec = percentile_usec(codes, n, 50),
                .p99_usec = percentile_usec(codes, n, 99),
                .max_usec = percentile_usec(codes, n, 100),
        };
}
