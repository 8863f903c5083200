/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/fleet_rows.h"

#include <errno.h>
#include <string.h>

#include "cli/status_json.h"
#include "core/json_tree.h"

int fleet_rows_add(struct json_object *rows, const char *host, struct json_object *services) {
        for (size_t i = 0; i < json_object_array_length(services); i++)
                if (!json_object_is_type(json_object_array_get_idx(services, i), json_type_object))
                        return -EBADMSG;
        for (size_t i = 0; i < json_object_array_length(services); i++) {
                struct json_object *service = json_object_array_get_idx(services, i);

                json_tree_add_string(service, "host", host);
                json_tree_append(rows, json_object_get(service));
        }
        return 0;
}

static struct json_object *new_reasons(const char *host, const char *code, const char *text) {
        struct json_object *reasons = json_object_new_array(), *reason = json_object_new_object();

        json_tree_add_string(reason, "code", code);
        json_tree_add_string(reason, "text", text);
        json_tree_add_string(reason, "subject", host);
        json_tree_append(reasons, reason);
        return reasons;
}

/* With all that a reader of a service may look for. */
void fleet_rows_add_silent_host(struct json_object *rows, const char *host, const char *code, const char *text) {
        static const char *const nothings[] = { "name", "wanted", "ready" }, *const lists[] = { "actions", "sockets",
                                                                                                "ports", "probes" };
        struct json_object *row = json_object_new_object();

        json_tree_add_string(row, "host", host);
        json_tree_add_string(row, "state", service_state_to_string(SERVICE_UNKNOWN));
        json_tree_add(row, "reasons", new_reasons(host, code, text));
        for (size_t i = 0; i < ELEMENTSOF(nothings); i++)
                json_tree_add_null(row, nothings[i]);
        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                json_tree_add(row, lists[i], json_object_new_array());
        json_tree_add_unsigned(row, "since_usec", 0);
        json_tree_append(rows, row);
}

bool fleet_rows_is_silent_host(struct json_object *row) {
        return !*status_json_text(row, "name");
}

static int compare_rows(const void *a, const void *b) {
        struct json_object *x = *(struct json_object *const *) a, *y = *(struct json_object *const *) b;
        size_t place_x = service_state_place(status_json_state(x)), place_y = service_state_place(status_json_state(y));
        int r;

        if (place_x != place_y)
                return place_x < place_y ? -1 : 1;
        r = strcmp(status_json_text(x, "host"), status_json_text(y, "host"));
        return r != 0 ? r : strcmp(status_json_text(x, "name"), status_json_text(y, "name"));
}

void fleet_rows_sort(struct json_object *rows) {
        json_object_array_sort(rows, compare_rows);
}
