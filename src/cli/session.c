/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/session.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/outcome.h"
#include "cli/exit_code.h"
#include "cli/json_pretty.h"
#include "cli/nearest_name.h"
#include "cli/password_agent.h"
#include "cli/safe_text.h"
#include "cli/status_json.h"
#include "core/json_tree.h"

#define DEFAULT_TIMEOUT_USEC (600 * USEC_PER_SEC)

void session_done(Session *s) {
        s->connection = hero_proc_connection_free(s->connection);
        s->known_names = hero_proc_client_free_names(s->known_names);
        password_agent_stop(s->password_agent);
        s->password_agent = 0;
}

uint64_t session_timeout(const Session *s) {
        return s->line->has_timeout ? s->line->timeout_usec : DEFAULT_TIMEOUT_USEC;
}

/* Where there is no memory for all of it: what is told most often then is that there is none. */
static void say_shortly(Session *s, const char *format, va_list ap) _printf_(2, 0);

static void say_shortly(Session *s, const char *format, va_list ap) {
        char text[512];

        (void) vsnprintf(text, sizeof text, format, ap);
        for (char *c = text; *c; c++)
                if (*c != '\n' && !(*c >= 0x20 && *c < 0x7f))
                        *c = '?';
        fprintf(s->err, "hero_proc: %s\n", text);
}

void session_say(Session *s, const char *format, ...) {
        _cleanup_free_ char *text = NULL, *safe = NULL;
        va_list ap;
        int r;

        va_start(ap, format);
        r = vasprintf(&text, format, ap);
        va_end(ap);
        if (r < 0)
                text = NULL;
        else
                safe = safe_text_dup(text, s->err_style.utf8, true);
        if (safe) {
                fprintf(s->err, "hero_proc: %s\n", safe);
                return;
        }
        va_start(ap, format);
        say_shortly(s, format, ap);
        va_end(ap);
}

int session_connect(Session *s) {
        char *message = NULL;
        int r;

        if (s->connection)
                return EX_DONE;
        r = hero_proc_connection_open(&s->line->target, &s->connection, &message);
        if (r == 0)
                return EX_DONE;
        session_say(s, "%s", message ? message : strerror(-r));
        free(message);
        return exit_code_of_result(r);
}

/* Root is asked for nothing, a user's own server asks nobody, and this terminal is of no use to another machine. */
static bool wants_password_agent(const Session *s) {
        const HeroProcTarget *t = &s->line->target;

        return geteuid() != 0 && !t->is_user && !t->host && !t->machine && isatty(STDIN_FILENO) &&
               isatty(STDERR_FILENO);
}

int session_connect_to_change(Session *s) {
        int code = session_connect(s);

        if (code != EX_DONE || s->line->no_ask_password)
                return code;
        hero_proc_connection_allow_interaction(s->connection);
        if (s->password_agent == 0 && wants_password_agent(s))
                password_agent_start(&s->password_agent);
        return EX_DONE;
}

/* With what brings the server back, to be typed as it stands; where not even the bus was there that would fail, too. */
static void say_unreachable(Session *s, const char *message) {
        const HeroProcTarget *t = &s->line->target;
        const char *elsewhere = t->host ? t->host : t->machine;

        if (elsewhere && s->connection && !hero_proc_connection_was_through(s->connection))
                session_say(s, "%s: %s", elsewhere, message);
        else if (t->host)
                session_say(s, "%s: systemctl -H %s start hero_proc", message, t->host);
        else if (t->machine)
                session_say(s, "%s: systemctl %s-M %s start hero_proc", message, t->is_user ? "--user " : "",
                            t->machine);
        else
                session_say(s, "%s: systemctl %sstart hero_proc", message, t->is_user ? "--user " : "");
}

static void say_unknown(Session *s, const char *name) {
        _cleanup_free_ char *message = NULL;
        const char *nearest;
        size_t n = 0;

        if (!s->known_names && hero_proc_client_list_names(s->connection, &s->known_names, &message) != 0)
                s->known_names = NULL;
        while (s->known_names && s->known_names[n])
                n++;
        nearest = n > 0 ? nearest_name_find(name, (const char *const *) s->known_names, n) : NULL;
        if (nearest)
                session_say(s, "%s: no such service; did you mean %s?", name, nearest);
        else
                session_say(s, "%s: no such service", name);
}

/* The server often names the service itself. */
static bool names_service(const char *message, const char *service) {
        return strncmp(message, service, strlen(service)) == 0;
}

int session_fail(Session *s, int r, const char *service, char *message) {
        const char *text = message        ? message
                           : r == -ENOMEM ? "out of memory"
                           : r < 0        ? strerror(-r)
                                          : outcome_info((Outcome) r)->code_name;

        if (r == HERO_E_SERVER_UNREACHABLE)
                say_unreachable(s, text);
        else if (r == HERO_E_NO_SUCH_SERVICE && service)
                say_unknown(s, service);
        else if (r == HERO_E_NOT_AUTHORIZED)
                session_say(s, "not authorised: %s", text);
        else if (service && !names_service(text, service))
                session_say(s, "%s: %s", service, text);
        else
                session_say(s, "%s", text);
        free(message);
        return exit_code_of_result(r);
}

static bool is_known(char *const *known, const char *name) {
        for (; known && *known; known++)
                if (strcmp(*known, name) == 0)
                        return true;
        return false;
}

int session_fail_names(Session *s, int r, char *const *names, char *message) {
        _cleanup_free_ char *ignored = NULL;
        bool said = false;
        int listed;

        if (r != HERO_E_NO_SUCH_SERVICE || !names)
                return session_fail(s, r, NULL, message);
        s->known_names = hero_proc_client_free_names(s->known_names);
        listed = hero_proc_client_list_names(s->connection, &s->known_names, &ignored);
        if (listed != 0) {
                if (listed == -ENOMEM)
                        free(TAKE_PTR(message));
                return session_fail(s, listed == -ENOMEM ? listed : r, NULL, message);
        }
        for (; *names; names++)
                if (!is_known(s->known_names, *names)) {
                        say_unknown(s, *names);
                        said = true;
                }
        if (!said) /* it came to be meanwhile */
                return session_fail(s, r, NULL, message);
        free(message);
        return exit_code_of_result(r);
}

int session_fail_to_read(Session *s, int r, const char *what) {
        if (r == -ENOMEM)
                return session_fail(s, r, NULL, NULL);
        session_say(s, "hero_proc_server's %s cannot be read; is it of another version?", what);
        return exit_code_of_result(r);
}

static int parse_status(Session *s, const char *text, struct json_object **ret) {
        int r = status_json_parse(text, ret);

        return r < 0 ? session_fail_to_read(s, r, "status") : EX_DONE;
}

static int fetch_status(Session *s, char *const *names, struct json_object **ret) {
        _cleanup_free_ char *text = NULL;
        char *message = NULL;
        int r;

        r = hero_proc_client_get_status(s->connection, names, &text, &message);
        if (r != 0)
                return session_fail(s, r, names && *names && !names[1] ? *names : NULL, message);
        return parse_status(s, text, ret);
}

/* One service after the other, so that an unknown one does not hide the others. */
static int fetch_status_of_each(Session *s, char *const *names, struct json_object *ret_array) {
        int code = EX_DONE, r;

        for (; *names; names++) {
                char *const one[] = { *names, NULL };
                struct json_object *found = NULL;

                r = fetch_status(s, one, &found);
                code = exit_code_worst(code, r);
                if (r != EX_DONE && r != EX_NO_SUCH_SERVICE)
                        return code;
                for (size_t i = 0; found && i < json_object_array_length(found); i++)
                        json_tree_append(ret_array, json_object_get(json_object_array_get_idx(found, i)));
                json_object_put(found);
        }
        return code;
}

int session_get_status(Session *s, char *const *names, struct json_object **ret) {
        struct json_object *array;
        int code;

        code = session_connect(s);
        if (code != EX_DONE)
                return code;
        if (!names || !*names)
                return fetch_status(s, NULL, ret);

        array = json_object_new_array();
        code = fetch_status_of_each(s, names, array);
        array = json_tree_finish(array);
        if (!array)
                return session_fail(s, -ENOMEM, NULL, NULL);
        if (code != EX_DONE && code != EX_NO_SUCH_SERVICE)
                json_object_put(array);
        else
                *ret = array;
        return code;
}

int session_get_overview(Session *s, struct json_object **ret) {
        _cleanup_free_ char *text = NULL;
        char *message = NULL;
        int code = session_connect(s), r;

        if (code != EX_DONE)
                return code;
        r = hero_proc_client_get_overview(s->connection, &text, &message);
        return r != 0 ? session_fail(s, r, NULL, message) : parse_status(s, text, ret);
}

bool session_matches_patterns(const Session *s, const char *name) {
        for (size_t i = 0; i < s->line->n_args; i++)
                if (fnmatch(s->line->args[i], name, 0) == 0)
                        return true;
        return s->line->n_args == 0;
}

int session_print_json(Session *s, struct json_object *json, JsonMode otherwise) {
        JsonMode mode = s->line->json == JSON_OFF ? otherwise : s->line->json;
        _cleanup_free_ char *text = json_tree_text(json);

        if (!text)
                return session_fail(s, -ENOMEM, NULL, NULL);
        if (mode == JSON_PRETTY)
                json_pretty_print(s->out, text);
        else
                fprintf(s->out, "%s\n", text);
        return EX_DONE;
}
