/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/import.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text_stream.h"
#include "core/json_tree.h"

/* Of YAML what zinit's files hold: a key a line, lists of "- x" or [x, y], maps one step further in, scalars that are
 * plain, quoted, or blocks after '|' and '>'. Of anything else it is said in which line it is. */
typedef struct Line {
        size_t indent;
        unsigned number;
        char *text; /* without indent and comment */
} Line;

typedef struct Reader {
        Import *import;
        struct json_object *definition;
        char *rest;
        unsigned number; /* of the line that was read last */
        char *key;       /* that is open: what stands further in is its own */
        bool is_plain;   /* it has a plain value, which the next lines may continue */
        FILE *block;     /* a block scalar that is being read */
        char *block_text;
        size_t block_size, block_indent;
        bool is_folded; /* its line feeds are blanks */
} Reader;

static void not_understood(const Reader *r, const char *text) {
        import_note(r->import, "line %u: %s: not understood", r->number, text);
}

/* A comment begins with '#' at the begin or behind a blank, outside quotes. */
static void cut_comment(char *text) {
        char quote = '\0', before = ' ';

        for (char *c = text; *c; before = *c++)
                if (quote == '"' && *c == '\\' && c[1])
                        c++;
                else if (quote)
                        quote = *c == quote ? '\0' : quote;
                else if ((*c == '"' || *c == '\'') && strchr(" [,", before))
                        quote = *c;
                else if (*c == '#' && before == ' ') {
                        *c = '\0';
                        return;
                }
}

static void trim_end(char *text) {
        for (size_t n = strlen(text); n > 0 && isspace((unsigned char) text[n - 1]);)
                text[--n] = '\0';
}

/* As it stands; comments are cut by those who know that it is no block. */
static bool next_line(Reader *r, Line *line) {
        char *begin = r->rest, *end = begin + strcspn(begin, "\n");

        if (!*begin)
                return false;
        r->rest = end + (*end != '\0');
        *end = '\0';
        line->number = ++r->number;
        line->indent = strspn(begin, " ");
        line->text = begin + line->indent;
        trim_end(line->text);
        return true;
}

/* In double quotes a backslash quotes; in single ones two of them stand for one. */
static char *unquote(char *value) {
        char quote = *value, *to = value;
        size_t n = strlen(value);

        if (n < 2 || (quote != '"' && quote != '\'') || value[n - 1] != quote)
                return value;
        value[n - 1] = '\0';
        for (const char *from = value + 1; *from; from++) {
                bool is_escape = quote == '"' && *from == '\\' && from[1];

                if (is_escape || (quote == '\'' && *from == '\'' && from[1] == '\''))
                        from++;
                *to++ = is_escape && *from == 'n' ? '\n' : is_escape && *from == 't' ? '\t' : *from;
        }
        *to = '\0';
        return value;
}

/* Parts "key: value"; NULL: it is none. The value is as it stands. */
static char *part(char *text, char **ret_value) {
        char *colon = strstr(text, ": ");

        if (!colon && *text && text[strlen(text) - 1] == ':')
                colon = text + strlen(text) - 1;
        if (!colon)
                return NULL;
        *ret_value = colon[1] ? colon + 1 + strspn(colon + 1, " ") : colon + 1;
        *colon = '\0';
        return unquote(text);
}

/* What of YAML is not read here: a value that begins so is no plain one. */
static bool is_strange(const char *value) {
        return *value && strchr("{[&*!%@`", *value) != NULL;
}

static void import_value(Import *i, struct json_object *d, const char *key, const char *value) {
        if (strcmp(key, "exec") == 0) {
                struct json_object *words = import_split_words(i, value);

                if (words)
                        json_tree_add_copied(d, "exec", words);
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

static void add_required(struct json_object *d, const char *name) {
        struct json_object *list = NULL;

        if (!json_object_object_get_ex(d, "requires", NULL))
                json_tree_add(d, "requires", json_object_new_array());
        (void) json_object_object_get_ex(d, "requires", &list);
        json_tree_append_string(list, name);
}

/* An entry of the list or map that the open key has. */
static void import_entry(const Reader *r, char *text) {
        char *name, *value;

        if (strcmp(r->key, "after") == 0 && strncmp(text, "- ", 2) == 0) {
                add_required(r->definition, unquote(text + 2 + strspn(text + 2, " ")));
                return;
        }
        name = part(text, &value);
        if (!name || is_strange(value) || !*value)
                not_understood(r, name ? name : text);
        else if (strcmp(r->key, "env") == 0)
                import_set_text(import_object(r->definition, "env"), name, unquote(value));
        else if (strcmp(r->key, "signal") == 0 && strcmp(name, "stop") == 0)
                import_set_text(r->definition, "stop_signal", unquote(value));
        else
                import_note(r->import, "%s: %s: has no equal", r->key, name);
}

/* [a, "b"] */
static void import_flow_list(const Reader *r, char *value) {
        size_t n = strlen(value);

        if (strcmp(r->key, "after") != 0 || value[n - 1] != ']' || strpbrk(value + 1, "[{")) {
                not_understood(r, value);
                return;
        }
        value[n - 1] = '\0';
        for (char *name = strtok(value + 1, ","); name; name = strtok(NULL, ",")) {
                name += strspn(name, " ");
                trim_end(name);
                if (*name)
                        add_required(r->definition, unquote(name));
        }
}

static void end_block(Reader *r) {
        if (!r->block)
                return;
        if (fclose(r->block) != 0)
                r->import->failed = true;
        else if (strcmp(r->key, "exec") == 0)
                import_set_text(r->definition, "exec", r->block_text); /* lines are a shell's */
        else
                import_value(r->import, r->definition, r->key, r->block_text);
        r->block = NULL;
        free(TAKE_PTR(r->block_text));
}

static void block_line(Reader *r, const Line *line) {
        bool is_first = r->block_indent == 0;

        if (is_first)
                r->block_indent = line->indent;
        if (r->is_folded)
                fprintf(r->block, "%s%s", is_first ? "" : " ", line->text);
        else
                fprintf(r->block, "%*s%s\n",
                        line->indent > r->block_indent ? (int) (line->indent - r->block_indent) : 0, "", line->text);
}

/* A plain value goes on in lines that stand further in. */
static void continue_plain(const Reader *r, char *text) {
        struct json_object *words = NULL, *more = import_split_words(r->import, text);

        (void) json_object_object_get_ex(r->definition, "exec", &words);
        /* A block that was read for the same key before is no array. */
        if (strcmp(r->key, "exec") == 0 && more && json_object_is_type(words, json_type_array))
                for (size_t k = 0; k < json_object_array_length(more); k++)
                        json_tree_append(words, json_object_get(json_object_array_get_idx(more, k)));
        else if (strcmp(r->key, "test") != 0)
                not_understood(r, text);
        json_object_put(more);
}

static void open_key(Reader *r, char *text) {
        char *value;

        r->is_plain = false;
        r->key = part(text, &value);
        if (!r->key) {
                not_understood(r, text);
        } else if (*value == '|' || *value == '>') {
                r->is_folded = *value == '>';
                r->block_indent = 0;
                r->block = text_stream_open(&r->block_text, &r->block_size);
                r->import->failed = r->import->failed || !r->block;
        } else if (*value == '[') {
                import_flow_list(r, value);
        } else if (is_strange(value)) {
                not_understood(r, value);
        } else if (*value) {
                r->is_plain = *value != '"' && *value != '\'';
                import_value(r->import, r->definition, r->key, unquote(value));
        }
}

static void take_line(Reader *r, const Line *line) {
        bool is_inside = line->indent > 0 || strncmp(line->text, "- ", 2) == 0;

        if (r->block && (line->indent > 0 || !*line->text)) {
                if (*line->text)
                        block_line(r, line);
                return;
        }
        cut_comment(line->text);
        trim_end(line->text);
        if (!*line->text || strcmp(line->text, "---") == 0)
                return;
        if (!is_inside) {
                end_block(r);
                open_key(r, line->text);
        } else if (r->is_plain) {
                continue_plain(r, line->text);
        } else if (r->key) {
                import_entry(r, line->text);
        } else {
                not_understood(r, line->text);
        }
}

void import_zinit(Import *i, const char *name, const char *text) {
        _cleanup_free_ char *copy = import_copy(i, text, strlen(text));
        Reader r = { .import = i, .definition = import_begin(i, name), .rest = copy };
        Line line;

        while (copy && next_line(&r, &line))
                take_line(&r, &line);
        end_block(&r);
        /* There a process that leaves is started again, whatever its status. */
        if (!json_object_object_get_ex(r.definition, "kind", NULL))
                import_set_text(import_object(r.definition, "restart"), "policy", "always");
}
