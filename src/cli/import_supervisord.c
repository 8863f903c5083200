/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/import.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_tree.h"

static void import_command(Import *i, struct json_object *d, const char *value) {
        struct json_object *words = import_split_words(i, value);

        if (strstr(value, "%("))
                import_note(i, "command: %%(…)s is not expanded; write what it stands for");
        if (words)
                json_tree_add_copied(d, "exec", words);
        else
                import_note(i, "command=%s: cannot be read", value);
}

/* KEY="a, b",OTHER=c */
static void import_environment(Import *i, struct json_object *d, const char *value) {
        _cleanup_free_ char *copy = import_copy(i, value, strlen(value));
        char quote = '\0';

        for (char *c = copy; c && *c; c++)
                if (quote ? *c == quote : *c == '"' || *c == '\'')
                        quote = quote ? '\0' : *c;
                else if (*c == ',' && !quote)
                        *c = ' ';
        if (copy)
                import_assignments(i, d, "environment", copy);
}

static void import_autorestart(struct json_object *d, const char *value) {
        const char *policy = import_parse_boolean(value) == 1       ? "always"
                             : strcasecmp(value, "unexpected") == 0 ? "on-failure"
                                                                    : "never";

        import_set_text(import_object(d, "restart"), "policy", policy);
}

/* A comment at a line's end begins with a blank and ';'. */
static void cut_comment(char *value) {
        char *comment = strstr(value, " ;");

        if (!comment)
                return;
        while (comment > value && comment[-1] == ' ')
                comment--;
        *comment = '\0';
}

static void import_program_line(Import *i, struct json_object *d, const ImportLine *line) {
        static const char *const logs = " stdout_logfile stderr_logfile redirect_stderr stdout_logfile_maxbytes "
                                        "stdout_logfile_backups stderr_logfile_maxbytes stderr_logfile_backups ";
        const char *key = line->key, *value = line->value;
        char word[64];

        (void) snprintf(word, sizeof word, " %s ", key);
        if (strcmp(key, "command") == 0)
                import_command(i, d, value);
        else if (strcmp(key, "directory") == 0)
                import_set_text(d, "working_dir", value);
        else if (strcmp(key, "user") == 0)
                import_set_text(d, "user", value);
        else if (strcmp(key, "umask") == 0)
                import_set_text(d, "umask", value);
        else if (strcmp(key, "environment") == 0)
                import_environment(i, d, value);
        else if (strcmp(key, "autostart") == 0)
                json_tree_add_copied(d, "autostart", json_object_new_boolean(import_parse_boolean(value) == 1));
        else if (strcmp(key, "autorestart") == 0)
                import_autorestart(d, value);
        else if (strcmp(key, "startretries") == 0)
                import_set_integer(i, import_object(d, "restart"), "max_attempts", key, value);
        else if (strcmp(key, "stopwaitsecs") == 0)
                import_set_span_ms(i, d, "stop_timeout_ms", key, value);
        else if (strcmp(key, "stopsignal") == 0 && strncmp(value, "SIG", 3) != 0)
                json_tree_add_copied(d, "stop_signal",
                                     json_object_new_string((snprintf(word, sizeof word, "SIG%s", value), word)));
        else if (strcmp(key, "stopsignal") == 0)
                import_set_text(d, "stop_signal", value);
        else if (strstr(logs, word))
                import_note(i, "%s=%s: output goes to the journal; see hero_proc logs", key, value);
        else if (strcmp(key, "numprocs") != 0 || strcmp(value, "1") != 0)
                import_note(i, "%s=%s: has no equal", key, value);
}

void import_supervisord(Import *i, const char *text) {
        static const char program[] = "program:";
        _cleanup_free_ char *copy = import_copy(i, text, strlen(text));
        const char *file = i->about;
        struct json_object *d = NULL;
        ImportLine line = { .joins_indented = true, .section = "" };
        char *rest = copy;

        while (rest && import_next_line(&rest, &line)) {
                if (!*line.key) {
                        bool is_program = strncmp(line.section, program, strlen(program)) == 0;

                        i->about = file;
                        d = is_program ? import_begin(i, line.section + strlen(program)) : NULL;
                        if (!is_program)
                                import_note(i, "[%s]: has no equal", line.section);
                        else
                                i->about = line.section + strlen(program);
                } else if (d) {
                        cut_comment(line.value);
                        import_program_line(i, d, &line);
                }
        }
        i->about = file;
}
