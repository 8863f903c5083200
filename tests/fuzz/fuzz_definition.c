/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A text of service definitions, as an operator or a program writes it. */
#include "fuzz_target.h"

#include "base/outcome.h"
#include "core/definition_diff.h"
#include "core/http_request.h"
#include "core/service_definition.h"
#include "core/start_order.h"
#include "core/unit_names.h"
#include "core/unit_plan.h"

#define SOCKET_DIR "/run/hero"

static void claim_plan_builds(const ServiceDefinition *d) {
        const UnitPlanContext context = { 252, SOCKET_DIR, "/run/hero_proc/exec", "/usr/bin/hero_proc_notify", false };
        struct json_object *plan = NULL;
        char *message = NULL;
        int r;

        CLAIM(unit_plan_build(d, &context, &plan) == 0, "%s", d->text);
        json_object_put(plan);
        r = unit_plan_check(d, &context, &message);
        CLAIM(r == 0 || (r == HERO_E_INVALID_DEFINITION && message && is_printable_line(message)), "%s", d->text);
        free(message);
}

static void claim_requests_build(const ServiceDefinition *d) {
        for (size_t i = 0; i < d->n_probes; i++) {
                char *bytes = NULL;
                size_t n;

                if (d->probes[i].type != PROBE_HTTP)
                        continue;
                CLAIM(http_request_build(&d->probes[i], &bytes, &n) == 0, "%s: %s", d->probes[i].name, d->text);
                CLAIM(strstr(bytes, "\r\n\r\n"), "%s", bytes);
                free(bytes);
        }
}

static void claim_names_lead_back(const ServiceDefinition *d) {
        char service[DEFINITION_NAME_MAX + 1], action[DEFINITION_NAME_MAX + 1], unit[UNIT_NAME_MAX];

        unit_name_of_slice(d->name, unit);
        CLAIM(unit_name_parse(unit, service, action) && strcmp(service, d->name) == 0 && !*action, "%s", unit);
        for (size_t i = 0; i < d->n_actions; i++) {
                unit_name_of_action(d, i, unit);
                CLAIM(unit_name_parse(unit, service, action) && strcmp(service, d->name) == 0 &&
                              strcmp(action, d->actions[i].name) == 0,
                      "%s", unit);
        }
}

/* What was accepted is accepted again by its own text, which is kept byte for byte, and is then the same. */
static void claim_text_says_it_all(const ServiceDefinition *d) {
        ServiceDefinition **again = NULL;
        char *message = NULL, *difference = NULL;
        size_t n = 0;

        CLAIM(service_definition_parse(d->text, SOCKET_DIR, &again, &n, &message) == 0 && n == 1, "%s: %s", d->text,
              message);
        CLAIM(strcmp(again[0]->text, d->text) == 0 && strcmp(again[0]->name, d->name) == 0, "%s", d->text);
        CLAIM(definition_diff(d->text, again[0]->text, &difference) == 0 && !*difference, "%s", difference);
        free(difference);
        service_definition_free_list(again, n);
}

static void claim_order(ServiceDefinition **list, size_t n) {
        size_t *order = calloc(n, sizeof(*order)), *seen = calloc(n, sizeof(*seen));
        char *message = NULL;
        int r = start_order_check((const ServiceDefinition *const *) list, n, &message);

        CLAIM(r == 0 || (r > 0 && message && is_printable_line(message)), "%d: %s", r, message);
        if (r == 0) {
                CLAIM(start_order_sort((const ServiceDefinition *const *) list, n, order) == 0, "sorted");
                for (size_t i = 0; i < n; i++)
                        CLAIM(order[i] < n && seen[order[i]]++ == 0, "each once");
        }
        free(message);
        free(order);
        free(seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = fuzz_text(data, size), *message = NULL;
        ServiceDefinition **list = NULL;
        size_t n = 0;
        int r = service_definition_parse(text, SOCKET_DIR, &list, &n, &message);

        if (r != 0) {
                CLAIM(r == HERO_E_INVALID_DEFINITION && !list && message, "%d", r);
                CLAIM(strstr(message, ": ") && is_printable_line(message), "%s", message);
                return 0;
        }
        CLAIM(n > 0 && !message, "%s", message);
        for (size_t i = 0; i < n; i++) {
                claim_text_says_it_all(list[i]);
                claim_names_lead_back(list[i]);
                claim_requests_build(list[i]);
                claim_plan_builds(list[i]);
        }
        claim_order(list, n);
        service_definition_free_list(list, n);
        return 0;
}
