/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A unit's name, as systemd's signals and lists bring it: what is taken for one of ours is one that we would write. */
#include "fuzz_target.h"

#include "core/unit_names.h"

static void claim_writes_back(const char *unit, const char *service, const char *action) {
        ActionDefinition actions[2] = { { .name = (char *) action }, { .name = (char *) "other" } };
        const ServiceDefinition alone = { .name = (char *) service, .actions = actions, .n_actions = 1 };
        const ServiceDefinition of_two = { .name = (char *) service, .actions = actions, .n_actions = 2 };
        char written[UNIT_NAME_MAX], written_of_two[UNIT_NAME_MAX];

        if (!*action) {
                unit_name_of_slice(service, written);
                CLAIM(strcmp(unit, written) == 0, "%s, not %s", unit, written);
                return;
        }
        unit_name_of_action(&alone, 0, written);
        unit_name_of_action(&of_two, 0, written_of_two);
        CLAIM(strcmp(unit, written) == 0 || strcmp(unit, written_of_two) == 0, "%s, not %s", unit, written);
}

static void claim_leads_back(const char *name) {
        char service[DEFINITION_NAME_MAX + 1], action[DEFINITION_NAME_MAX + 1], unit[UNIT_NAME_MAX];

        if (!service_name_is_valid(name))
                return;
        unit_name_of_slice(name, unit);
        CLAIM(unit_name_parse(unit, service, action), "%s", unit);
        CLAIM(strcmp(service, name) == 0 && !*action, "%s: %s", unit, service);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = fuzz_text(data, size);
        char service[DEFINITION_NAME_MAX + 1], action[DEFINITION_NAME_MAX + 1];

        if (unit_name_parse(text, service, action)) {
                CLAIM(service_name_is_valid(service) && (!*action || action_name_is_valid(action)), "%s", text);
                claim_writes_back(text, service, action);
        }
        claim_leads_back(text);
        return 0;
}
