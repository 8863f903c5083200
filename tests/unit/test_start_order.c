/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "base/outcome.h"
#include "core/start_order.h"

/* A set of services in the short text "web:db,cache db cache>db": name, what it requires, what it comes after. */
enum { SET_MAX = 16 };

typedef struct Set {
        ServiceDefinition services[SET_MAX];
        const ServiceDefinition *list[SET_MAX];
        char *requires[SET_MAX][SET_MAX], *after[SET_MAX][SET_MAX];
        size_t n;
        char text[256];
        char *message;
} Set;

static void set_done(Set *s) {
        free(s->message);
}

static void set_fill(Set *s, const char *text) {
        char *rest = s->text, *word;

        snprintf(s->text, sizeof s->text, "%s", text);
        while ((word = strsep(&rest, " "))) {
                ServiceDefinition *d = &s->services[s->n];
                char *ordered = word, *required, *name;
                size_t i = 0;

                required = strsep(&ordered, ">");
                d->name = strsep(&required, ":");
                while (required && (name = strsep(&required, ",")))
                s->requires[s->n][i++] = name;
                i = 0;
                while (ordered && (name = strsep(&ordered, ",")))
                        s->after[s->n][i++] = name;
                d->requires = s->requires[s->n][0] ? s->requires[s->n] : NULL;
                d->after = s->after[s->n][0] ? s->after[s->n] : NULL;
                s->list[s->n++] = d;
        }
}

static void expect_check(const char *text, int result, const char *message) {
        _cleanup_(set_done) Set s = {};

        set_fill(&s, text);
        ASSERT_EQ(start_order_check(s.list, s.n, &s.message), result);
        ASSERT_STREQ(s.message, message);
}

static void expect_order(const char *text, const char *order) {
        _cleanup_(set_done) Set s = {};
        size_t indexes[SET_MAX];
        char names[256] = "", *end = names;

        set_fill(&s, text);
        ASSERT_EQ(start_order_check(s.list, s.n, &s.message), 0);
        ASSERT_EQ(start_order_sort(s.list, s.n, indexes), 0);
        for (size_t i = 0; i < s.n; i++)
                end += sprintf(end, "%s%s", i > 0 ? " " : "", s.list[indexes[i]]->name);
        ASSERT_STREQ(names, order);
}

TEST(an_empty_set_is_in_order) {
        char *message = NULL;

        ASSERT_EQ(start_order_check(NULL, 0, &message), 0);
        ASSERT_EQ(start_order_sort(NULL, 0, NULL), 0);
}

TEST(a_required_service_must_be_there) {
        expect_check("hero_os:hero_osis,hero_oss hero_osis", HERO_E_INVALID_DEFINITION,
                     "hero_os: requires[1]: \"hero_oss\": no such service");
}

TEST(a_service_to_come_after_need_not_be_there) {
        expect_check("a>nowhere", 0, NULL);
        expect_order("a>nowhere b", "a b");
}

TEST(of_several_faults_the_first_name_is_told_whatever_the_order_of_the_set) {
        expect_check("c:x b:y a:z", HERO_E_INVALID_DEFINITION, "a: requires[0]: \"z\": no such service");
        expect_check("a:z c:x b:y", HERO_E_INVALID_DEFINITION, "a: requires[0]: \"z\": no such service");
}

TEST(a_cycle_is_spelled_out_from_its_smallest_name) {
        static const char cycle[] = "hero_a -> hero_b -> hero_c -> hero_a";

        expect_check("hero_a:hero_b hero_b:hero_c hero_c:hero_a", HERO_E_DEPENDENCY_CYCLE, cycle);
        expect_check("hero_c:hero_a hero_b:hero_c hero_a:hero_b", HERO_E_DEPENDENCY_CYCLE, cycle);
        /* Those before and beside the cycle are not part of it. */
        expect_check("a0:hero_c hero_c:hero_a hero_b:hero_c,z hero_a:z,hero_b z", HERO_E_DEPENDENCY_CYCLE, cycle);
}

TEST(after_counts_for_cycles_too) {
        expect_check("a:b b>a", HERO_E_DEPENDENCY_CYCLE, "a -> b -> a");
        expect_check("a>a", HERO_E_DEPENDENCY_CYCLE, "a -> a");
}

TEST(two_ways_to_one_service_are_no_cycle) {
        expect_check("a:b,c b:d c:d d", 0, NULL);
}

TEST(each_comes_after_what_it_needs_and_ties_go_by_name) {
        expect_order("web:db,cache db cache>db", "db cache web");
        expect_order("d c b a", "a b c d");
        expect_order("a:z b z", "b z a");
        expect_order("a:b,c b:d c:d d", "d b c a");
        expect_order("m:a,a z>m a", "a m z");
}

TEST(the_order_does_not_depend_on_that_of_the_set) {
        expect_order("e:c d:b,c c:a b:a a", "a b c d e");
        expect_order("a b:a c:a d:b,c e:c", "a b c d e");
        expect_order("c:a e:c a d:b,c b:a", "a b c d e");
}

/* A chain of `n` services, each requiring the next; the last requires the first where it is to be a cycle. */
typedef struct Chain {
        ServiceDefinition *services;
        const ServiceDefinition **list;
        char (*names)[24], *(*requires)[2];
        size_t n, *order;
} Chain;

static void chain_init(Chain *c, size_t n, bool closed) {
        *c = (Chain){ calloc(n, sizeof *c->services),
                      calloc(n, sizeof *c->list),
                      calloc(n, sizeof *c->names),
                      calloc(n, sizeof *c->requires),
                      n,
                      calloc(n, sizeof *c->order) };
        for (size_t i = 0; i < n; i++) {
                snprintf(c->names[i], sizeof c->names[i], "s%zu", i);
                c->services[i].name = c->names[i];
                c->requires[i][0] = i + 1 < n ? c->names[i + 1] : closed ? c->names[0] : NULL;
                c->services[i].requires = c->requires[i];
                c->list[i] = &c->services[i];
        }
}

static void chain_done(Chain *c) {
        free(c->services);
        free(c->list);
        free(c->names);
        free(c->requires);
        free(c->order);
}

TEST(a_chain_of_two_hundred_thousand_ends_neither_the_stack_nor_the_day) {
        enum { N = 200000 };
        _cleanup_(chain_done) Chain c;
        char *message = NULL;

        chain_init(&c, N, false);
        ASSERT_EQ(start_order_check(c.list, N, &message), 0);
        ASSERT_EQ(start_order_sort(c.list, N, c.order), 0);
        for (size_t i = 0; i < N; i++)
                ASSERT_EQ(c.order[i], N - 1 - i);
}

TEST(a_cycle_of_two_thousand_is_told_in_full) {
        enum { N = 2000 };
        _cleanup_(chain_done) Chain c;
        _cleanup_free_ char *message = NULL;
        size_t n_arrows = 0;

        chain_init(&c, N, true);
        ASSERT_EQ(start_order_check(c.list, N, &message), HERO_E_DEPENDENCY_CYCLE);
        for (const char *p = message; (p = strstr(p, " -> ")); p++)
                n_arrows++;
        ASSERT_EQ(n_arrows, N);
}
