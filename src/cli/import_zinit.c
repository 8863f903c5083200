/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/import.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Of YAML what zinit's files hold: a key a line, lists of "- x", maps one step further in, blocks after '|'. */
typedef struct Line {
        size_t indent;
        char *text; /* without indent and comment */
} Line;

static bool next_line(char **rest, Line *line) {
        while (**rest) {
                char *begin = *rest, *end = begin + strcspn(begin, "\n");

                *rest = end + (*end != '\0');
                *end = '\0';
                line->indent = strspn(begin, " ");
                line->text = begin + line->indent;
                for (end = line->text + strlen(line->text); end > line->text && isspace((unsigned char) end[-1]);)
                        *--end = '\0';
                if (*line->text && *line->text != '#' && strcmp(line->text, "---") != 0)
                        return true;
        }
        return false;
}

/* A value without its quotes. */
static char *unquote(char *value) {
        size_t n = strlen(value);

        if (n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n - 1] == value[0]) {
                value[n - 1] = '\0';
                return value + 1;
        }
        return value;
}

/* Parts "key: value"; NULL: it is none. */
static char *part(char *text, char **ret_value) {
        char *colon = strstr(text, ": ");

        if (!colon && *text && text[strlen(text) - 1] == ':')
                colon = text + strlen(text) - 1;
        if (!colon)
                return NULL;
        *ret_value = colon[1] ? unquote(colon + 1 + strspn(colon + 1, " ")) : colon + 1;
        *colon = '\0';
        return unquote(text);
}

static void import_value(Import *i, struct json_object *d, const char *key, const char *value) {
        if (strcmp(key, "exec") == 0) {
                struct json_object *words = import_split_words(value);

                if (words)
                        json_object_object_add(d, "exec", words);
                else
                        import_note(i, "exec: %s: cannot be read", value);
        } else if (strcmp(key, "oneshot") == 0 || strcmp(key, "one_shot") == 0) {
                if (strcmp(value, "true") == 0)
                        import_set_text(d, "kind", "oneshot");
        } else if (strcmp(key, "dir") == 0) {
                import_set_text(d, "working_dir", value);
        } else if (strcmp(key, "shutdown_timeout") == 0) {
                import_set_span_ms(i, d, "stop_timeout_ms", key, value);
        } else if (strcmp(key, "test") == 0) {
                import_note(i, "test: a command is no probe; give it a probe of the request that shows that it works");
        } else if (strcmp(key, "log") == 0) {
                if (strcmp(value, "ring") != 0)
                        import_note(i, "log: %s: output goes to the journal; see hero_proc logs", value);
        } else {
                import_note(i, "%s: has no equal", key);
        }
}

/* An entry of the list or map that `key` opens. */
static void import_entry(Import *i, struct json_object *d, const char *key, char *text) {
        char *name, *value;
        struct json_object *list;

        if (strcmp(key, "after") == 0 && strncmp(text, "- ", 2) == 0) {
                if (!json_object_object_get_ex(d, "requires", &list)) {
                        list = json_object_new_array();
                        json_object_object_add(d, "requires", list);
                }
                json_object_array_add(list, json_object_new_string(unquote(text + 2 + strspn(text + 2, " "))));
                return;
        }
        name = part(text, &value);
        if (name && strcmp(key, "env") == 0)
                import_set_text(import_object(d, "env"), name, value);
        else if (name && strcmp(key, "signal") == 0 && strcmp(name, "stop") == 0)
                import_set_text(d, "stop_signal", value);
        else
                import_note(i, "%s: %s: has no equal", key, name ? name : text);
}

void import_zinit(Import *i, const char *name, const char *text) {
        _cleanup_free_ char *copy = strdup(text), *block = NULL;
        struct json_object *d = import_begin(i, name);
        char *rest = copy, *key = NULL, *value = NULL;
        size_t block_size = 0;
        FILE *f = NULL;
        Line line;

        while (rest && next_line(&rest, &line)) {
                if (line.indent > 0 || strncmp(line.text, "- ", 2) == 0) {
                        if (f)
                                fprintf(f, "%s\n", line.text);
                        else if (key)
                                import_entry(i, d, key, line.text);
                        continue;
                }
                if (f && fclose(f) == 0)
                        import_set_text(d, "exec", block); /* lines are a shell's */
                f = NULL;
                key = part(line.text, &value);
                if (!key)
                        import_note(i, "%s: cannot be read", line.text);
                else if (strcmp(key, "exec") == 0 && !block && (*value == '|' || *value == '>'))
                        f = open_memstream(&block, &block_size);
                else if (*value)
                        import_value(i, d, key, value);
        }
        if (f && fclose(f) == 0)
                import_set_text(d, "exec", block);
        /* There a process that leaves is started again, whatever its status. */
        if (!json_object_object_get_ex(d, "kind", NULL))
                import_set_text(import_object(d, "restart"), "policy", "always");
}
