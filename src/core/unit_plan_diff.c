/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/unit_plan_diff.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "core/json_tree.h"

/* What systemd changes on a unit that runs. One that is left out of the new plan can be taken back only where the value
 * is known that it has then: systemd has no call for "as if it had not been given". */
static const struct {
        const char *name;
        bool can_be_taken_back;
        uint64_t without; /* the value where nothing is given */
} live_properties[] = {
        { "Description", false, 0 },        { "MemoryMax", true, UINT64_MAX },
        { "MemoryHigh", true, UINT64_MAX }, { "MemorySwapMax", true, UINT64_MAX },
        { "MemoryMin", true, 0 },           { "MemoryLow", true, 0 },
        { "TasksMax", false, 0 },           { "CPUQuotaPerSecUSec", true, UINT64_MAX },
        { "CPUWeight", true, UINT64_MAX },  { "IOWeight", true, UINT64_MAX },
};

/* Lists of which the order means nothing to systemd. */
static const char *const unordered_properties[] = { "Environment", "LoadCredential" };

static const char *name_of(struct json_object *property) {
        return json_object_get_string(json_object_array_get_idx(property, 0));
}

static struct json_object *value_of(struct json_object *property) {
        return json_object_array_get_idx(property, 2);
}

/* NULL when it is not in the list. */
static struct json_object *find_property(struct json_object *list, const char *name) {
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                struct json_object *property = json_object_array_get_idx(list, i);

                if (strcmp(name_of(property), name) == 0)
                        return property;
        }
        return NULL;
}

/* Of strings, and of arrays of them. */
static int compare_values(struct json_object *a, struct json_object *b) {
        size_t n_a, n_b;

        if (!json_object_is_type(a, json_type_array) || !json_object_is_type(b, json_type_array))
                return strcmp(json_object_get_string(a), json_object_get_string(b));
        n_a = json_object_array_length(a);
        n_b = json_object_array_length(b);
        for (size_t i = 0; i < n_a && i < n_b; i++) {
                int r = compare_values(json_object_array_get_idx(a, i), json_object_array_get_idx(b, i));

                if (r != 0)
                        return r;
        }
        return (n_a > n_b) - (n_a < n_b);
}

static int compare_elements(const void *a, const void *b) {
        return compare_values(*(struct json_object *const *) a, *(struct json_object *const *) b);
}

/* Sorts them where they are, so that it needs no memory: what cannot be compared would be restarted for nothing, or
 * never changed. The order is of no meaning to whoever has the plan. */
static bool same_elements(struct json_object *a, struct json_object *b) {
        json_object_array_sort(a, compare_elements);
        json_object_array_sort(b, compare_elements);
        return json_object_equal(a, b);
}

static bool same_value(const char *name, struct json_object *a, struct json_object *b) {
        if (!a || !b)
                return a == b;
        for (size_t i = 0; i < ELEMENTSOF(unordered_properties); i++)
                if (strcmp(unordered_properties[i], name) == 0)
                        return same_elements(value_of(a), value_of(b));
        return json_object_equal(value_of(a), value_of(b));
}

/* Whether systemd changes it live from `old` to `new`, of which one may be NULL: not there. */
static bool is_live(const char *name, struct json_object *new) {
        for (size_t i = 0; i < ELEMENTSOF(live_properties); i++)
                if (strcmp(live_properties[i].name, name) == 0)
                        return new || live_properties[i].can_be_taken_back;
        return false;
}

static UnitPlanChange worse(UnitPlanChange a, UnitPlanChange b) {
        return a > b ? a : b;
}

static UnitPlanChange compare_property(const char *name, struct json_object *old, struct json_object *new) {
        if (same_value(name, old, new))
                return UNIT_PLAN_SAME;
        return is_live(name, new) ? UNIT_PLAN_LIVE : UNIT_PLAN_REMADE;
}

static UnitPlanChange compare_properties(struct json_object *old, struct json_object *new) {
        UnitPlanChange change = UNIT_PLAN_SAME;

        for (size_t i = 0; i < json_object_array_length(old); i++) {
                struct json_object *p = json_object_array_get_idx(old, i);

                change = worse(change, compare_property(name_of(p), p, find_property(new, name_of(p))));
        }
        for (size_t i = 0; i < json_object_array_length(new); i++) {
                struct json_object *p = json_object_array_get_idx(new, i);

                if (!find_property(old, name_of(p)))
                        change = worse(change, compare_property(name_of(p), NULL, p));
        }
        return change;
}

/* The shim reads its file before each exec. What it has to clean before the next one may thus be told to it later; what
 * it has executed, and how that says that it is ready, is settled for the process that runs. */
static bool is_settled_by_exec(const char *key) {
        static const char *const settled[] = { "path", "arguments", "ready", "ready_file" };

        for (size_t i = 0; i < ELEMENTSOF(settled); i++)
                if (strcmp(settled[i], key) == 0)
                        return true;
        return false;
}

static UnitPlanChange compare_exec_files(struct json_object *old, struct json_object *new) {
        UnitPlanChange change = UNIT_PLAN_SAME;
        struct json_object *other;

        if (!old || !new)
                return old == new ? UNIT_PLAN_SAME : UNIT_PLAN_REMADE;
        if (json_object_object_length(old) != json_object_object_length(new))
                return UNIT_PLAN_REMADE;
        json_object_object_foreach(old, key, value) {
                if (json_object_object_get_ex(new, key, &other) && json_object_equal(value, other))
                        continue;
                change = worse(change, is_settled_by_exec(key) ? UNIT_PLAN_REMADE : UNIT_PLAN_LIVE);
        }
        return change;
}

static struct json_object *find_unit(struct json_object *plan, struct json_object *like) {
        struct json_object *units = json_object_object_get(plan, "units"), *name = json_object_object_get(like, "name");

        for (size_t i = 0; i < json_object_array_length(units); i++) {
                struct json_object *unit = json_object_array_get_idx(units, i);

                if (json_object_equal(json_object_object_get(unit, "name"), name))
                        return unit;
        }
        return NULL;
}

static UnitPlanChange compare_units(struct json_object *old, struct json_object *new) {
        return worse(
                compare_properties(json_object_object_get(old, "properties"),
                                   json_object_object_get(new, "properties")),
                compare_exec_files(json_object_object_get(old, "exec_file"), json_object_object_get(new, "exec_file")));
}

/* What the slice orders itself before are the units, and those are compared by themselves. */
static UnitPlanChange compare_slices(struct json_object *old, struct json_object *new) {
        const char *name = "Description", *list = "slice_properties";

        return compare_property(name, find_property(json_object_object_get(old, list), name),
                                find_property(json_object_object_get(new, list), name));
}

UnitPlanChange unit_plan_compare(struct json_object *old, struct json_object *new) {
        struct json_object *units = json_object_object_get(old, "units");
        UnitPlanChange change = compare_slices(old, new);

        if (json_object_array_length(units) != json_object_array_length(json_object_object_get(new, "units")))
                return UNIT_PLAN_REMADE;
        for (size_t i = 0; i < json_object_array_length(units); i++) {
                struct json_object *unit = json_object_array_get_idx(units, i), *other = find_unit(new, unit);

                change = worse(change, other ? compare_units(unit, other) : UNIT_PLAN_REMADE);
        }
        return change;
}

/* -- the live ones, told -- */

static struct json_object *property_without(size_t i) {
        struct json_object *property = json_object_new_array_ext(3);

        json_tree_append_string(property, live_properties[i].name);
        json_tree_append_string(property, "t");
        json_tree_append(property, json_object_new_uint64(live_properties[i].without));
        return json_tree_finish(property);
}

static int add_live_properties(struct json_object *told, struct json_object *old, struct json_object *new) {
        for (size_t i = 0; i < ELEMENTSOF(live_properties); i++) {
                const char *name = live_properties[i].name;
                struct json_object *now = find_property(new, name), *tell = NULL;

                if (old && same_value(name, find_property(old, name), now))
                        continue;
                if (now)
                        tell = json_object_get(now);
                else if (live_properties[i].can_be_taken_back)
                        tell = property_without(i);
                else if (!old)
                        continue; /* there is no taking it back, so it was not in the old plan either */
                if (!tell || json_object_array_add(told, tell) < 0) {
                        json_object_put(tell);
                        return -1;
                }
        }
        return 0;
}

/* Adds an entry to `changes` if there is anything to tell. */
static int add_unit(struct json_object *changes, struct json_object *name, struct json_object *old,
                    struct json_object *new) {
        struct json_object *entry = json_object_new_object(), *told = json_object_new_array();

        if (!entry || !told || add_live_properties(told, old, new) < 0) {
                json_object_put(told);
                json_object_put(entry);
                return -1;
        }
        json_tree_add(entry, "unit", json_object_get(name));
        json_tree_add(entry, "properties", told);
        if (json_object_array_length(told) > 0)
                json_tree_append(changes, entry);
        else
                json_object_put(entry);
        return 0;
}

struct json_object *unit_plan_live_changes(struct json_object *old, struct json_object *new) {
        struct json_object *changes = json_object_new_array(), *units = json_object_object_get(new, "units");
        struct json_object *nothing = json_object_new_array();
        int r = changes && nothing ? 0 : -1;

        /* What a slice does not have of us it may have of an operator. */
        if (r == 0)
                r = add_unit(changes, json_object_object_get(new, "slice"),
                             old ? json_object_object_get(old, "slice_properties") : nothing,
                             json_object_object_get(new, "slice_properties"));
        for (size_t i = 0; r == 0 && i < json_object_array_length(units); i++) {
                struct json_object *unit = json_object_array_get_idx(units, i);
                struct json_object *before = old ? find_unit(old, unit) : NULL;

                r = add_unit(changes, json_object_object_get(unit, "name"),
                             before ? json_object_object_get(before, "properties") : NULL,
                             json_object_object_get(unit, "properties"));
        }
        json_object_put(nothing);
        if (r < 0) {
                json_object_put(changes);
                return NULL;
        }
        return json_tree_finish(changes);
}
