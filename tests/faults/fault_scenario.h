/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Runs a scenario again and again, and each time the n-th allocation (or system call) of it fails: n = 1, 2, … until it
 * runs to its end and nothing was left that could have failed. Once with that one failing, once with some in a row, and
 * once with all from it on.
 *
 * Each time it must either say that it failed, or come to the same as without a fault; it must not crash and must not
 * leak; and what it says to have kept must be there (`verify`). A leak is a block that is left over each time that the
 * same allocation fails: what is kept once for all (a cache) is none. Under a sanitizer its word is asked too.
 *
 * With $FAULTS=all each n is tried; without, the first hundred, and from there one in eleven.
 *
 * The tries run in a child process: where one crashes, it is counted, and the next child goes on after it. */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "faults/fault_injection.h"

__attribute__((weak)) int __lsan_do_recoverable_leak_check(void);

enum {
        FAULT_SHOWN_MAX = 8, /* of a scenario and kind: more of the same tell nothing new */
        FAULT_DENSE = 100,
        FAULT_STRIDE = 11,
        FAULT_TRIES_MAX = 100 * 1000, /* a scenario that has not ended by then never will */
};

typedef struct FaultScenario {
        const char *name;
        void (*prepare)(void);        /* before each try; nothing fails in it */
        int (*run)(char **ret_text);  /* 0 and what it came to (to be freed; may stay NULL), or what it failed with */
        const char *(*verify)(int r); /* after each try: NULL, or what is wrong (static); nothing fails in it */
        bool errors_show;             /* what the kernel refused is part of what it came to */
} FaultScenario;

typedef struct FaultReport { /* shared with the child */
        uint64_t n;          /* at work on */
        uint64_t n_failing, n_crashes, n_leaks, n_wrong;
        bool is_done;
} FaultReport;

static const char *const fault_kind_words[_FAULT_KIND_MAX] = {
        [FAULT_ALLOCATION] = "no memory", [FAULT_ERROR] = "error",     [FAULT_INTERRUPTED] = "EINTR",
        [FAULT_SHORT] = "short",          [FAULT_NONE] = "no failure",
};

typedef struct FaultTry {
        const FaultScenario *scenario;
        FaultKind kind;
        const char *span_words;
        uint64_t span;
        char *expected;
        FaultReport *report;
} FaultTry;

static void fault_show(const FaultTry *t, uint64_t *n_of_it, const char *what) {
        if (++*n_of_it <= FAULT_SHOWN_MAX)
                printf("     %s, %s at %llu (%s): %s\n", t->scenario->name, fault_kind_words[t->kind],
                       (unsigned long long) t->report->n, t->span_words, what);
        fflush(stdout);
}

/* One try; *ret_leaked: blocks that are left over. */
static bool fault_try(const FaultTry *t, int64_t *ret_leaked) {
        char *text = NULL;
        const char *wrong;
        int64_t before;
        bool failed;
        int r;

        if (t->scenario->prepare)
                t->scenario->prepare();
        before = fault_plan->n_blocks;
        fault_begin(t->kind, t->report->n, t->span);
        r = t->scenario->run(&text);
        failed = fault_end();
        if (r == 0 && t->expected && !(t->kind == FAULT_ERROR && t->scenario->errors_show) &&
            (!text || strcmp(text, t->expected) != 0)) {
                fault_show(t, &t->report->n_wrong, "it says to have done it, and came to something else");
                if (t->report->n_wrong <= 2)
                        printf("        %.300s\n     not %.300s\n", text ? text : "(nothing)", t->expected);
        }
        if (r != 0 && !failed)
                fault_show(t, &t->report->n_wrong, "it failed, and nothing was made to fail");
        free(text);
        *ret_leaked = fault_plan->n_blocks - before;
        wrong = t->scenario->verify ? t->scenario->verify(r) : NULL;
        if (wrong)
                fault_show(t, &t->report->n_wrong, wrong);
        return failed;
}

static void fault_look_for_leak(const FaultTry *t) {
        int64_t leaked;

        for (int i = 0; i < 3; i++) {
                (void) fault_try(t, &leaked);
                if (leaked <= 0)
                        return;
        }
        fault_show(t, &t->report->n_leaks, "a leak");
}

static uint64_t fault_next(uint64_t n) {
        static const char *which;

        if (!which)
                which = getenv("FAULTS") ? getenv("FAULTS") : "";
        return n < FAULT_DENSE || strcmp(which, "all") == 0 ? n + 1 : n + FAULT_STRIDE;
}

static void fault_try_all(const FaultTry *t) {
        int64_t leaked;
        bool failed;

        if (getenv("FAULT_N")) /* only this one, with $FAULT_TRACE */
                t->report->n = strtoull(getenv("FAULT_N"), NULL, 10) - 1;
        for (;;) {
                t->report->n = fault_next(t->report->n);
                failed = fault_try(t, &leaked);
                if (leaked > 0)
                        fault_look_for_leak(t);
                if (!failed || t->report->n >= FAULT_TRIES_MAX || getenv("FAULT_N"))
                        break;
                t->report->n_failing++;
        }
        if (t->report->n >= FAULT_TRIES_MAX)
                fault_show(t, &t->report->n_wrong, "it never ends");
        if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check() != 0)
                fault_show(t, &t->report->n_leaks, "a leak that the sanitizer tells of");
        t->report->is_done = true;
}

static void fault_learn(FaultTry *t) {
        for (int i = 0; i < 2; i++) { /* twice: what is kept once for all is there then */
                free(t->expected);
                t->expected = NULL;
                if (t->scenario->prepare)
                        t->scenario->prepare();
                if (t->scenario->run(&t->expected) != 0)
                        fault_show(t, &t->report->n_wrong, "it fails without a fault");
                if (t->scenario->verify && t->scenario->verify(0))
                        fault_show(t, &t->report->n_wrong, t->scenario->verify(0));
        }
}

static void fault_run_kind(const FaultScenario *scenario, FaultKind kind, uint64_t span, const char *span_words,
                           FaultReport *report) {
        *report = (FaultReport){ 0 };
        while (!report->is_done && report->n_crashes < FAULT_SHOWN_MAX) {
                FaultTry t = { scenario, kind, span_words, span, NULL, report };
                int status = 0;
                pid_t pid;

                fflush(NULL);
                pid = fork();
                if (pid == 0) {
                        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                        fault_learn(&t);
                        fault_try_all(&t);
                        fflush(NULL);
                        _exit(0);
                }
                (void) waitpid(pid, &status, 0);
                if (report->is_done)
                        break;
                fault_show(&t, &report->n_crashes,
                           WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "it ended with an exit status");
        }
}

/* Whether all is well; prints a line of figures a kind. */
static bool fault_run(const FaultScenario *scenario, bool with_calls) {
        static const struct {
                FaultKind kind;
                uint64_t span;
                const char *words;
        } ways[] = {
                { FAULT_ALLOCATION, 1, "once" },
                { FAULT_ALLOCATION, 2, "2 in a row" },
                { FAULT_ALLOCATION, FAULT_FOR_EVER, "and on" },
                { FAULT_ERROR, 1, "once" },
                { FAULT_ERROR, FAULT_FOR_EVER, "and on" },
                { FAULT_INTERRUPTED, 1, "once" },
                { FAULT_INTERRUPTED, 4, "4 in a row" },
                { FAULT_SHORT, 1, "once" },
                { FAULT_SHORT, FAULT_FOR_EVER, "and on" },
        };
        FaultReport *report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        bool well = report != MAP_FAILED;

        for (size_t i = 0; report != MAP_FAILED && i < (with_calls ? sizeof ways / sizeof ways[0] : 3); i++) {
                fault_run_kind(scenario, ways[i].kind, ways[i].span, ways[i].words, report);
                printf("     %-28s %-10s %-10s n reached %5llu, crashes %llu, leaks %llu, wrong %llu\n", scenario->name,
                       fault_kind_words[ways[i].kind], ways[i].words, (unsigned long long) report->n,
                       (unsigned long long) report->n_crashes, (unsigned long long) report->n_leaks,
                       (unsigned long long) report->n_wrong);
                well = well && report->is_done && report->n_crashes + report->n_leaks + report->n_wrong == 0;
        }
        if (report != MAP_FAILED)
                (void) munmap(report, sizeof *report);
        return well;
}
