/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/definitions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text_stream.h"
#include "core/definition_diff.h"
#include "core/start_order.h"
#include "server/healing.h"
#include "server/ports.h"
#include "server/service_live.h"
#include "server/service_tasks.h"
#include "server/service_units.h"
#include "server/sockets.h"

/* What one change needs, so that it cannot fail any more once the store has it. */
typedef struct Prepared {
        IntentionKind intention;
        Service *created, *next;      /* to be added; to become */
        struct json_object *old_plan; /* of units that are told of the change as they run */
} Prepared;

/* All definitions of one call, before anything is touched. */
typedef struct Batch {
        Supervisor *supervisor;
        ServiceDefinition **definitions;
        size_t n;
        unsigned flags;
        Prepared *prepared; /* one a change */
        size_t n_prepared;
} Batch;

static void batch_done(Batch *b) {
        service_definition_free_list(b->definitions, b->n);
        for (size_t i = 0; i < b->n_prepared; i++) {
                service_free(b->prepared[i].created);
                service_prepared_free(b->prepared[i].next);
                json_object_put(b->prepared[i].old_plan);
        }
        free(b->prepared);
}

void apply_result_done(ApplyResult *r) {
        for (size_t i = 0; i < r->n_changes; i++)
                free(r->changes[i].name);
        free(r->changes);
        free(r->difference);
        *r = (ApplyResult){ 0 };
}

static int set_message(char **reterr_message, int r, const char *name, const char *text) {
        if (asprintf(reterr_message, "%s: %s", name, text) < 0) {
                *reterr_message = NULL;
                return -ENOMEM;
        }
        return r;
}

static const ServiceDefinition *batch_find(const Batch *b, const char *name) {
        for (size_t i = 0; i < b->n; i++)
                if (b->definitions[i] && strcmp(b->definitions[i]->name, name) == 0)
                        return b->definitions[i];
        return NULL;
}

static int batch_parse(Batch *b, const char *text, char **reterr_message) {
        ServiceDefinition **list = NULL, **larger;
        size_t n = 0;
        int r = service_definition_parse(text, supervisor_options(b->supervisor)->socket_dir, &list, &n,
                                         reterr_message);

        if (r != 0)
                return r;
        for (size_t i = 0; i < n && r == 0; i++)
                if (batch_find(b, list[i]->name))
                        r = set_message(reterr_message, HERO_E_INVALID_DEFINITION, list[i]->name, "defined twice");
        larger = r == 0 ? reallocarray(b->definitions, b->n + n, sizeof *larger) : NULL;
        if (!larger) {
                service_definition_free_list(list, n);
                return r != 0 ? r : -ENOMEM;
        }
        b->definitions = larger;
        memcpy(&b->definitions[b->n], list, n * sizeof *list);
        b->n += n;
        free(list);
        return 0;
}

/* The set as it would be afterwards has to make sense as a whole. */
static int batch_check(const Batch *b, char **reterr_message) {
        size_t n_services, n = 0;
        Service *const *services = supervisor_services(b->supervisor, &n_services);
        _cleanup_free_ const ServiceDefinition **all = calloc(n_services + b->n + 1, sizeof *all);

        if (!all)
                return -ENOMEM;
        for (size_t i = 0; i < n_services; i++) {
                bool replaced = batch_find(b, services[i]->definition->name) != NULL;

                if (replaced && services[i]->removing)
                        return set_message(reterr_message, HERO_E_BUSY, services[i]->definition->name,
                                           "is being removed");
                if (!replaced && !services[i]->removing && !(b->flags & APPLY_PRUNE))
                        all[n++] = services[i]->definition;
        }
        for (size_t i = 0; i < b->n; i++) {
                UnitPlanContext context = supervisor_plan_context(b->supervisor);
                int r = unit_plan_check(b->definitions[i], &context, reterr_message);

                if (r != 0)
                        return r;
                all[n++] = b->definitions[i];
        }
        return start_order_check(all, n, reterr_message);
}

static int compare_plans(Supervisor *s, const ServiceDefinition *old, const ServiceDefinition *new,
                         UnitPlanChange *ret) {
        UnitPlanContext context = supervisor_plan_context(s);
        struct json_object *old_plan = NULL, *new_plan = NULL;
        int r = unit_plan_build(old, &context, &old_plan);

        if (r >= 0)
                r = unit_plan_build(new, &context, &new_plan);
        if (r >= 0)
                *ret = unit_plan_compare(old_plan, new_plan);
        json_object_put(old_plan);
        json_object_put(new_plan);
        return r;
}

static int compare_one(const Batch *b, const ServiceDefinition *d, ApplyChange *change, FILE *difference) {
        const Service *old = supervisor_find(b->supervisor, d->name);
        _cleanup_free_ char *diff = NULL;
        int r;

        *change = (ApplyChange){ .name = strdup(d->name), .outcome = APPLY_CREATED };
        if (!change->name)
                return -ENOMEM;
        if (!old) {
                fprintf(difference, "%s: created%s\n", d->name, d->autostart ? ", and started" : "");
                return 0;
        }
        if (strcmp(old->definition->text, d->text) == 0) {
                change->outcome = APPLY_UNCHANGED;
                return 0;
        }
        change->outcome = APPLY_UPDATED;
        r = compare_plans(b->supervisor, old->definition, d, &change->units);
        if (r < 0)
                return r;
        r = definition_diff(old->definition->text, d->text, &diff);
        if (r >= 0)
                fprintf(difference, "%s: updated, %s\n%s", d->name,
                        change->units != UNIT_PLAN_REMADE ? "restarts nothing"
                        : service_wants_up(old)           ? "restarts it"
                                                          : "stays down",
                        diff);
        return r;
}

static int compare_removed(const Batch *b, ApplyResult *result, FILE *difference) {
        size_t n;
        Service *const *services = supervisor_services(b->supervisor, &n);

        for (size_t i = 0; i < n; i++) {
                const char *name = services[i]->definition->name;
                ApplyChange *change = &result->changes[result->n_changes];

                if (!(b->flags & APPLY_PRUNE) || services[i]->removing || batch_find(b, name))
                        continue;
                *change = (ApplyChange){ .name = strdup(name), .outcome = APPLY_REMOVED };
                if (!change->name)
                        return -ENOMEM;
                result->n_changes++;
                fprintf(difference, "%s: removed\n", name);
        }
        return 0;
}

static int batch_compare(const Batch *b, ApplyResult *result) {
        size_t n_services, n_text;
        FILE *difference = text_stream_open(&result->difference, &n_text);
        int r = 0;

        (void) supervisor_services(b->supervisor, &n_services);
        result->changes = calloc(b->n + n_services + 1, sizeof *result->changes);
        if (!difference || !result->changes) {
                if (difference)
                        (void) fclose(difference);
                return -ENOMEM;
        }
        for (size_t i = 0; i < b->n && r >= 0; i++) {
                r = compare_one(b, b->definitions[i], &result->changes[result->n_changes], difference);
                result->n_changes++;
        }
        if (r >= 0)
                r = compare_removed(b, result, difference);
        return fclose(difference) == 0 ? r : -ENOMEM;
}

/* -- preparing, writing, then doing -- */

static IntentionKind intention_of(const Supervisor *s, const ApplyChange *c, const ServiceDefinition *d) {
        const Service *old = supervisor_find(s, c->name);

        switch (c->outcome) {
        case APPLY_CREATED:
                return d->autostart ? INTENTION_START : INTENTION_REPLACE;
        case APPLY_REMOVED:
                return INTENTION_REMOVE;
        case APPLY_UPDATED:
                if (c->units == UNIT_PLAN_REMADE)
                        return INTENTION_REPLACE;
                return c->units == UNIT_PLAN_LIVE && old->intention == INTENTION_NONE ? INTENTION_REFRESH
                                                                                      : old->intention;
        case APPLY_UNCHANGED:
                break;
        }
        return old ? old->intention : INTENTION_NONE;
}

static ServiceDefinition *batch_take(Batch *b, const char *name) {
        for (size_t i = 0; i < b->n; i++)
                if (b->definitions[i] && strcmp(b->definitions[i]->name, name) == 0)
                        return TAKE_PTR(b->definitions[i]);
        return NULL;
}

static int prepare_change(Batch *b, const ApplyChange *c, Prepared *p) {
        UnitPlanContext context = supervisor_plan_context(b->supervisor);
        const Service *old = supervisor_find(b->supervisor, c->name);
        ServiceDefinition *d;
        int r = 0;

        p->intention = intention_of(b->supervisor, c, batch_find(b, c->name));
        switch (c->outcome) {
        case APPLY_CREATED:
                d = batch_take(b, c->name);
                return service_new(b->supervisor, d, d->autostart, NULL, &p->created);
        case APPLY_UPDATED:
                if (c->units == UNIT_PLAN_LIVE)
                        r = unit_plan_build(old->definition, &context, &p->old_plan);
                return r < 0 ? r : service_prepare(old, batch_take(b, c->name), &p->next);
        case APPLY_UNCHANGED:
        case APPLY_REMOVED:
                break;
        }
        return 0;
}

static int batch_prepare(Batch *b, const ApplyResult *result) {
        int r = supervisor_reserve(b->supervisor, b->n);

        b->prepared = calloc(result->n_changes + 1, sizeof *b->prepared);
        if (!b->prepared)
                return -ENOMEM;
        for (size_t i = 0; r >= 0 && i < result->n_changes; i++) {
                b->n_prepared++;
                r = prepare_change(b, &result->changes[i], &b->prepared[i]);
        }
        return r;
}

static int write_change(const Batch *b, const ApplyChange *c, const Prepared *p) {
        Store *store = supervisor_store(b->supervisor);
        const Service *old = supervisor_find(b->supervisor, c->name), *made = p->created ? p->created : p->next;
        const ServiceDefinition *d = made ? made->definition : NULL;
        int r = 0;

        if (c->outcome == APPLY_UNCHANGED)
                return 0;
        if (c->outcome != APPLY_REMOVED)
                r = store_put_definition(store, c->name, d->text, d->autostart);
        /* There may be a row of that name, which could not be read and says what was wanted then. */
        if (r == 0 && c->outcome == APPLY_CREATED)
                r = store_set_wanted(store, c->name, d->autostart, "");
        return r != 0 ? r : store_set_intention(store, c->name, p->intention, old ? old->asked_usec : 0);
}

static int batch_write(const Batch *b, const ApplyResult *result) {
        Store *store = supervisor_store(b->supervisor);
        int r = store_begin(store);

        for (size_t i = 0; i < result->n_changes && r == 0; i++)
                r = write_change(b, &result->changes[i], &b->prepared[i]);
        if (r == 0)
                r = store_commit(store);
        if (r != 0)
                store_rollback(store);
        return r;
}

/* Its units are made (anew), and what is wanted is started; the store knows of it already. */
static void begin_units(Service *s, ServiceOperation operation, IntentionKind intention) {
        healing_forgive_service(s);
        s->intention = intention;
        s->operation = service_wants_up(s) ? operation : OPERATION_NONE;
        for (size_t i = 0; i < s->definition->n_actions; i++) {
                s->actions[i].task = s->actions[i].wanted ? TASK_START : TASK_NONE;
                s->actions[i].task_issued = false;
                s->actions[i].by_operator = true;
        }
        service_units_rebuild(s);
}

static void begin_removal(Service *s) {
        service_set_wanted(s, false);
        for (size_t i = 0; i < s->definition->n_actions; i++)
                s->actions[i].task = TASK_NONE;
        s->intention = INTENTION_REMOVE;
        s->operation = OPERATION_STOP;
        s->removing = true;
        free(TAKE_PTR(s->fault)); /* why it could not be made is no reason why it could not go */
        supervisor_mark(s);
}

static void tell_redefined(Service *s) {
        const SupervisorObserver *o = supervisor_observer(s->supervisor);

        if (o->redefined)
                o->redefined(s, o->userdata);
}

static void do_update(Service *s, UnitPlanChange units, Prepared *p) {
        sockets_forget(supervisor_sockets(s->supervisor), s);
        service_become(s, TAKE_PTR(p->next));
        sockets_follow(supervisor_sockets(s->supervisor), s);
        ports_follow(supervisor_ports(s->supervisor));
        (void) ports_look(supervisor_ports(s->supervisor), s);
        if (units == UNIT_PLAN_REMADE)
                begin_units(s, OPERATION_RESTART, p->intention);
        else
                s->intention = p->intention;
        if (units == UNIT_PLAN_LIVE)
                service_live_begin(s, p->old_plan);
        tell_redefined(s);
        supervisor_mark(s);
}

static void do_change(Supervisor *supervisor, const ApplyChange *c, Prepared *p) {
        Service *s = c->outcome == APPLY_CREATED ? TAKE_PTR(p->created) : supervisor_find(supervisor, c->name);

        switch (c->outcome) {
        case APPLY_UNCHANGED:
                break;
        case APPLY_REMOVED:
                begin_removal(s);
                break;
        case APPLY_CREATED:
                if (supervisor_add(supervisor, s) >= 0) /* there is room */
                        begin_units(s, OPERATION_START, p->intention);
                break;
        case APPLY_UPDATED:
                do_update(s, c->units, p);
                break;
        }
}

int definitions_apply(Supervisor *s, const char *const *texts, unsigned flags, ApplyResult *ret,
                      char **reterr_message) {
        _cleanup_(batch_done) Batch b = { .supervisor = s, .flags = flags };
        _cleanup_(apply_result_done) ApplyResult result = { 0 };
        int r = 0;

        for (; *texts && r == 0; texts++)
                r = batch_parse(&b, *texts, reterr_message);
        if (r == 0)
                r = batch_check(&b, reterr_message);
        if (r == 0)
                r = batch_compare(&b, &result);
        if (r == 0 && !(flags & APPLY_DRY_RUN)) {
                r = batch_prepare(&b, &result);
                if (r == 0)
                        r = batch_write(&b, &result);
                for (size_t i = 0; r == 0 && i < result.n_changes; i++)
                        do_change(s, &result.changes[i], &b.prepared[i]);
        }
        if (r != 0)
                return r;
        supervisor_trim_soon(s);
        *ret = result;
        result = (ApplyResult){ 0 };
        return 0;
}

static const Service *find_dependent(const Service *s) {
        size_t n;
        Service *const *services = supervisor_services(s->supervisor, &n);

        for (size_t i = 0; i < n; i++)
                for (char **name = services[i]->definition->requires; name && *name && !services[i]->removing; name++)
                        if (strcmp(*name, s->definition->name) == 0)
                                return services[i];
        return NULL;
}

int definitions_remove(Service *s, char **reterr_message) {
        const Service *dependent = find_dependent(s);
        int r;

        if (dependent) {
                _cleanup_free_ char *text = NULL;

                if (asprintf(&text, "is required by %s: remove that first, or both by `apply --prune`",
                             dependent->definition->name) < 0)
                        text = NULL;
                return text ? set_message(reterr_message, HERO_E_INVALID_DEFINITION, s->definition->name, text)
                            : -ENOMEM;
        }
        if (s->removing)
                return 0;
        r = store_set_intention(supervisor_store(s->supervisor), s->definition->name, INTENTION_REMOVE, 0);
        if (r != 0)
                return r;
        begin_removal(s);
        return 0;
}
