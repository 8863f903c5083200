/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/import.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "cli/time_text.h"
#include "core/definition_field.h"
#include "core/json_tree.h"

void import_note(Import *i, const char *format, ...) {
        va_list ap;

        fprintf(i->notes, "%s: ", i->about);
        va_start(ap, format);
        (void) vfprintf(i->notes, format, ap);
        va_end(ap);
        fputc('\n', i->notes);
}

char *import_copy(Import *i, const char *text, size_t n) {
        char *copy = strndup(text, n);

        i->failed = i->failed || !copy;
        return copy;
}

struct json_object *import_begin(Import *i, const char *name) {
        struct json_object *o = json_object_new_object();

        import_set_text(o, "name", name);
        json_tree_append(i->definitions, json_object_get(o));
        /* The definitions hold it from now on, or have failed. */
        if (json_object_put(o))
                return NULL;
        return o;
}

struct json_object *import_split_words(Import *i, const char *text) {
        struct json_object *words = json_object_new_array();
        _cleanup_free_ char *word = import_copy(i, text, strlen(text));
        char quote = '\0';

        while (word && *(text += strspn(text, " \t\n"))) {
                char *w = word;

                for (; *text && (quote || !strchr(" \t\n", *text)); text++)
                        if (quote ? *text == quote : *text == '"' || *text == '\'')
                                quote = quote ? '\0' : *text;
                        else
                                *w++ = *text == '\\' && quote != '\'' && text[1] ? *++text : *text;
                *w = '\0';
                json_tree_append_string(words, word);
        }
        words = json_tree_finish(words);
        i->failed = i->failed || !words;
        if (quote || !word || !words || json_object_array_length(words) == 0) {
                json_object_put(words);
                return NULL;
        }
        return words;
}

struct json_object *import_object(struct json_object *in, const char *key) {
        struct json_object *o = NULL;

        if (!json_object_object_get_ex(in, key, &o))
                json_tree_add_copied(in, key, json_object_new_object());
        return json_object_object_get_ex(in, key, &o) ? o : NULL;
}

void import_set_text(struct json_object *o, const char *key, const char *text) {
        json_tree_add_copied(o, key, json_object_new_string(text));
}

/* Only what the definition's own bounds allow. */
static void set_number(Import *i, struct json_object *o, const char *key, const char *name, const char *text,
                       int64_t n) {
        const DefinitionField *field = definition_field_find(key, ~0u);

        if (field && (n < field->min || n > field->max))
                import_note(i, "%s=%s: out of the bounds of %s, which is left at its default", name, text, key);
        else
                json_tree_add_copied(o, key, json_object_new_int64(n));
}

void import_assignments(Import *i, struct json_object *d, const char *name, const char *text) {
        struct json_object *words = import_split_words(i, text);

        for (size_t k = 0; words && k < json_object_array_length(words); k++) {
                const char *word = json_object_get_string(json_object_array_get_idx(words, k));
                const char *equals = strchr(word, '=');
                _cleanup_free_ char *key = equals ? import_copy(i, word, (size_t) (equals - word)) : NULL;

                if (key)
                        import_set_text(import_object(d, "env"), key, equals + 1);
                else if (!equals)
                        import_note(i, "%s=%s: no assignment", name, word);
        }
        if (!words)
                import_note(i, "%s=%s: cannot be read", name, text);
        json_object_put(words);
}

static bool is_one_of(const char *word, const char *const *words) {
        for (; *words; words++)
                if (strcasecmp(*words, word) == 0)
                        return true;
        return false;
}

int import_parse_boolean(const char *text) {
        static const char *const yes[] = { "yes", "true", "1", "on", "y", "t", NULL }, *const no[] = {
                "no", "false", "0", "off", "n", "f", NULL
        };

        return is_one_of(text, yes) ? 1 : is_one_of(text, no) ? 0 : -1;
}

/* "1min 30s", "2 h", "90": a number and its unit, one or more times. */
static int parse_spans(const char *text, uint64_t *ret_usec) {
        static const char digits[] = "0123456789.";
        uint64_t sum_usec = 0, usec;
        char part[64];

        if (strcmp(text, "infinity") == 0)
                return time_text_parse_span(text, ret_usec);
        do {
                size_t n_digits = strspn(text, digits), n_blanks = strspn(text + n_digits, " ");
                const char *unit = text + n_digits + n_blanks;
                size_t n_unit = strcspn(unit, " 0123456789.");

                if (n_digits == 0 || n_digits + n_unit >= sizeof part)
                        return -EINVAL;
                (void) snprintf(part, sizeof part, "%.*s%.*s", (int) n_digits, text, (int) n_unit, unit);
                if (time_text_parse_span(part, &usec) < 0 || usec > UINT64_MAX / 4 - sum_usec)
                        return -EINVAL;
                sum_usec += usec;
                text = unit + n_unit;
                text += strspn(text, " ");
        } while (*text);
        *ret_usec = sum_usec;
        return 0;
}

void import_set_span_ms(Import *i, struct json_object *o, const char *key, const char *name, const char *text) {
        uint64_t usec;

        if (parse_spans(text, &usec) < 0 || usec == USEC_NEVER)
                import_note(i, "%s=%s: not a span that a definition can hold; %s is left at its default", name, text,
                            key);
        else
                set_number(i, o, key, name, text, (int64_t) (usec / USEC_PER_MSEC));
}

void import_set_integer(Import *i, struct json_object *o, const char *key, const char *name, const char *text) {
        char *end;
        long long n = strtoll(text, &end, 10);

        if (end == text || *end)
                import_note(i, "%s=%s: not a number; %s is left at its default", name, text, key);
        else
                set_number(i, o, key, name, text, n);
}

/* -- files in sections -- */

static char *trim(char *text) {
        size_t n;

        text += strspn(text, " \t");
        n = strlen(text);
        while (n > 0 && strchr(" \t\r", text[n - 1]))
                text[--n] = '\0';
        return text;
}

static size_t indent_of(const char *line) {
        return strspn(line, " \t");
}

static bool is_comment(const char *line) {
        line += indent_of(line);
        return *line == '#' || *line == ';';
}

/* Whether `next` stands further in than `line`, whose value it continues then, or is a comment. A section has no value.
 */
static bool is_inside(const char *line, const char *next) {
        size_t indent = indent_of(line), next_indent = indent_of(next);

        return is_comment(next) || (line[indent] != '[' && next_indent > indent && !strchr("\r\n", next[next_indent]));
}

/* The end of the line that begins at `line`, with those that continue it. What is a comment among them becomes blanks.
 */
static char *end_of_line(char *line, bool joins_indented) {
        char *begin = line, *end = line + strcspn(line, "\n"), *last;
        bool is_open = false; /* by a backslash */

        while (!is_comment(line)) {
                last = end > begin && end[-1] == '\r' ? end - 1 : end;
                *last = *last == '\r' ? ' ' : *last;
                if (is_comment(begin))
                        memset(begin, ' ', (size_t) (end - begin));
                else if ((is_open = last > begin && last[-1] == '\\'))
                        last[-1] = ' ';
                if (!*end || !(is_open || (joins_indented && is_inside(line, end + 1))))
                        break;
                *end = ' ';
                begin = end + 1;
                end = begin + strcspn(begin, "\n");
        }
        return end;
}

bool import_next_line(char **text, ImportLine *line) {
        while (**text) {
                char *begin = *text, *end = end_of_line(begin, line->joins_indented), *equals;

                *text = end + (*end != '\0');
                *end = '\0';
                begin = trim(begin);
                if (*begin == '[' && strchr(begin, ']')) {
                        *strchr(begin, ']') = '\0';
                        line->section = begin + 1;
                        line->key = "";
                        line->value = end;
                        return true;
                }
                equals = strchr(begin, '=');
                if (*begin == '#' || *begin == ';' || !equals || equals == begin)
                        continue;
                *equals = '\0';
                line->key = trim(begin);
                line->value = trim(equals + 1);
                return true;
        }
        return false;
}
