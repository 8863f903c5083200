/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What other supervisors are configured with, as hero_proc import reads it: a letter (s: supervisord, z: zinit, else
 * systemd) and the file. A unit's drop-ins follow it, each behind a NUL. */
#include "fuzz_target.h"

#include "cli/import.h"
#include "cli/json_pretty.h"
#include "core/json_tree.h"
#include "core/service_definition.h"

static size_t count(const char *text, const char *what) {
        size_t n = 0;

        for (; (text = strstr(text, what)); text++)
                n++;
        return n;
}

static void import_text(Import *i, char from, const char *text, size_t size) {
        const char *end = text + size;

        if (from == 's')
                import_supervisord(i, text);
        else if (from == 'z')
                import_zinit(i, "web", text);
        else
                for (const char *part = text; part <= end; part += strlen(part) + 1)
                        if (part == text)
                                import_systemd(i, "web", part);
                        else
                                import_systemd_drop_in(i, part);
}

static void claim_definition(struct json_object *d, const char *text) {
        struct json_object *name = NULL, *limits = NULL, *quota = NULL;

        CLAIM(json_object_object_get_ex(d, "name", &name) && json_object_is_type(name, json_type_string), "%s", text);
        if (json_object_object_get_ex(d, "limits", &limits) &&
            json_object_object_get_ex(limits, "cpu_quota_percent", &quota))
                CLAIM(json_object_get_int64(quota) >= 1, "%s", text);
}

static bool is_utf8(const char *text, size_t n) {
        size_t length;
        uint32_t c;

        for (size_t i = 0; i < n; i += length) {
                length = utf8_decode(text + i, n - i, &c);
                if (length == 0)
                        return false;
        }
        return true;
}

/* What is printed says the same once it is read. */
static void claim_printed(const char *text) {
        _cleanup_free_ char *pretty = NULL, *same = NULL;
        struct json_object *again = NULL;
        size_t size;
        FILE *out = open_memstream(&pretty, &size);

        json_pretty_print(out, text);
        fclose(out);
        CLAIM(json_tree_parse(pretty, &again) == 0, "%s", pretty);
        same = json_tree_text(again);
        CLAIM(same && strcmp(same, text) == 0, "%s", same);
        json_object_put(again);
}

/* Either the server takes it, or it says why not. */
static void claim_answered(const char *text) {
        _cleanup_free_ char *message = NULL;
        ServiceDefinition **list = NULL;
        size_t n = 0;
        int r = service_definition_parse(text, "/run/hero", &list, &n, &message);

        CLAIM(r >= 0 && (r == 0) == !message, "%d", r);
        if (r == 0)
                service_definition_free_list(list, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        FuzzInput in = { data, size };
        char from = (char) fuzz_byte(&in);
        _cleanup_free_ char *text = fuzz_text(in.next, in.n), *notes = NULL, *json = NULL;
        size_t n_notes = 0, n;
        Import i = { .definitions = json_object_new_array(),
                     .notes = open_memstream(&notes, &n_notes),
                     .about = "a file" };

        import_text(&i, from, text, in.n);
        CLAIM(fclose(i.notes) == 0 && !i.failed && strcmp(i.about, "a file") == 0, "all of it was read");
        CLAIM(n_notes == 0 || notes[n_notes - 1] == '\n', "%s", notes);
        n = json_object_array_length(i.definitions);
        CLAIM(from == 's' ? n <= count(text, "[program:") : n == 1, "%zu definitions", n);
        json = json_tree_text(i.definitions);
        CLAIM(json, "it is whole");
        for (size_t k = 0; k < n; k++)
                claim_definition(json_object_array_get_idx(i.definitions, k), json);
        if (is_utf8(text, in.n)) /* else two keys may be shown as the same */
                claim_printed(json);
        claim_answered(json);
        json_object_put(i.definitions);
        return 0;
}
