/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* With it libc's headers have bodies of their own for what is replaced here, which clang does not let pass. */
#undef _FORTIFY_SOURCE

#include "unit_test.h"

#include "faults/fault_scenario.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/outcome.h"
#include "base/text_stream.h"
#include "boundary/exec_file.h"
#include "boundary/store.h"
#include "core/definition_diff.h"
#include "core/json_rpc.h"
#include "core/json_tree.h"
#include "core/service_definition.h"
#include "core/unit_plan.h"
#include "core/unit_plan_diff.h"
#include "server/bus_service.h"
#include "server/bus_signals.h"
#include "server/definitions.h"
#include "server/ports.h"
#include "server/service_json.h"
#include "server/service_why.h"
#include "server/supervisor.h"

/* -- files -- */

/* In memory: each try syncs its files many times over. */
static char base[] = "/dev/shm/test_faults.XXXXXX", store_path[64], log_path[64], exec_path[64];
static const SupervisorOptions options = {
        .socket_dir = base,
        .exec_dir = base,
        .alert_dir = base,
        .store_path = store_path,
        .shim = "/usr/bin/hero_proc_notify",
};
static pid_t main_pid;

__attribute__((constructor)) static void base_make(void) {
        if (!mkdtemp(base))
                abort();
        main_pid = getpid();
        (void) snprintf(store_path, sizeof store_path, "%s/db", base);
        (void) snprintf(log_path, sizeof log_path, "%s/db-wal", base);
        (void) snprintf(exec_path, sizeof exec_path, "%s/exec", base);
        (void) signal(SIGPIPE, SIG_IGN);
        log_set_max_level(LOG_EMERG); /* thousands of failures are said, and none is news */
        alarm(900);
}

static void forget_files(void) {
        (void) unlink(store_path);
        (void) unlink(log_path);
        (void) unlink(exec_path);
}

__attribute__((destructor)) static void base_remove(void) {
        if (getpid() != main_pid)
                return;
        forget_files();
        (void) rmdir(base);
}

static char *read_whole(const char *path, size_t *ret_n) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        char *bytes = malloc(1 << 20);
        ssize_t n = fd >= 0 && bytes ? read(fd, bytes, (1 << 20) - 1) : 0;

        if (fd >= 0)
                (void) close(fd);
        if (!bytes || n < 0)
                abort();
        bytes[n] = '\0';
        *ret_n = (size_t) n;
        return bytes;
}

static void write_whole(const char *path, const char *bytes, size_t n) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        if (fd < 0 || write(fd, bytes, n) != (ssize_t) n || close(fd) < 0)
                abort();
}

static char *read_definition(const char *name) {
        const char *folder = getenv("HERO_PROC_TESTS");
        char path[256];
        size_t n;

        (void) snprintf(path, sizeof path, "%s/definitions/%s", folder ? folder : "tests", name);
        return read_whole(path, &n);
}

/* -- definitions -- */

static char *definition_text, *other_text;

static const UnitPlanContext plan_context = {
        .systemd_version = 257,
        .socket_dir = "/run/hero",
        .exec_dir = "/run/hero_proc/exec",
        .shim = "/usr/bin/hero_proc_notify",
};

static int plan_of(const ServiceDefinition *d, struct json_object **ret, char **reterr_message) {
        int r = unit_plan_check(d, &plan_context, reterr_message);

        return r != 0 ? r : unit_plan_build(d, &plan_context, ret);
}

static int run_definition(char **ret_text) {
        ServiceDefinition **list = NULL;
        _cleanup_free_ char *message = NULL, *diff = NULL;
        struct json_object *plan = NULL;
        size_t n = 0;
        int r = service_definition_parse(definition_text, "/run/hero", &list, &n, &message);

        if (r == 0)
                r = plan_of(list[0], &plan, &message);
        if (r == 0)
                r = definition_diff(definition_text, other_text, &diff);
        if (r == 0) {
                /* What is made of it for looking at here is not what is tried. */
                FaultKind kind = (FaultKind) fault_plan->kind;

                fault_plan->kind = FAULT_NONE;
                if (asprintf(ret_text, "%s %s %s %s", list[0]->text, list[0]->public_text,
                             json_object_to_json_string(plan), diff) < 0)
                        abort();
                fault_plan->kind = kind;
        }
        json_object_put(plan);
        service_definition_free_list(list, n);
        return r;
}

TEST(a_definition_becomes_units_or_says_why_not) {
        definition_text = read_definition("good/everything.json");
        other_text = read_definition("good/desktop.json");
        ASSERT(fault_run(&(FaultScenario){ "definition", NULL, run_definition, NULL }, false));
        free(definition_text);
        definition_text = other_text;
        ASSERT(fault_run(&(FaultScenario){ "definition of two actions", NULL, run_definition, NULL }, false));
        free(other_text);
}

/* What it is refused with is the text that is compared. */
static int run_refused(char **ret_text) {
        ServiceDefinition **list = NULL;
        size_t n = 0;
        int r = service_definition_parse(definition_text, "/run/hero", &list, &n, ret_text);

        return r == HERO_E_INVALID_DEFINITION ? 0 : r != 0 ? r : -EINVAL;
}

TEST(a_definition_that_is_refused_is_refused_with_its_words) {
        definition_text = (char *) "{\"name\": \"a\", \"exec\": [\"/bin/true\"], \"actions\": {\"b\": {}}}";
        ASSERT(fault_run(&(FaultScenario){ "definition refused", NULL, run_refused, NULL }, false));
        definition_text = (char *) "[{\"name\": \"a\", \"exec\": [\"/bin/true\"], \"probes\": [{\"path\": 7}]}";
        ASSERT(fault_run(&(FaultScenario){ "definition that is no JSON", NULL, run_refused, NULL }, false));
}

/* -- JSON-RPC -- */

static int run_rpc(char **ret_text) {
        static const char body[] =
                "[{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"service.list\", \"params\": {\"a\": "
                "[1, 2, {\"b\": \"\\u00e9\"}]}}, 7, {\"jsonrpc\": \"2.0\", \"id\": \"x\", \"method\": \"y\"}]";
        _cleanup_(json_text_done) JsonText t = { 0 };
        JsonRpcBody b;
        size_t n;
        int r = json_rpc_read(body, sizeof body - 1, &b);

        if (r < 0)
                return r;
        json_text_open(&t, '[');
        for (size_t i = 0; i < b.n; i++)
                if (b.requests[i].error)
                        json_rpc_add_error(&t, &b.requests[i], b.requests[i].error, b.requests[i].message, NULL);
                else
                        json_rpc_add_result(&t, &b.requests[i], "\"well\"", 6);
        json_text_close(&t, ']');
        json_rpc_body_done(&b);
        *ret_text = json_text_take(&t, &n);
        return *ret_text ? 0 : -ENOMEM;
}

TEST(a_json_rpc_request_is_answered_in_full_or_not_at_all) {
        ASSERT(fault_run(&(FaultScenario){ "JSON-RPC", NULL, run_rpc, NULL }, false));
}

/* -- the shim's orders -- */

static char *arguments[] = { (char *) "/bin/echo", (char *) "a;b", (char *) "$HOME", NULL };
static char *sockets[] = { (char *) "/run/hero/a/rpc.sock", NULL };
static const ExecFile orders = { (char *) "fd3", (char *) "/run/hero/a/.ready", sockets, arguments, NULL };

static void prepare_orders(void) {
        forget_files();
}

static int run_orders(char **ret_text) {
        ExecFile got = { 0 };
        int r = exec_file_write(exec_path, &orders);

        if (r == 0)
                r = exec_file_read(exec_path, &got);
        if (r == 0 && asprintf(ret_text, "%s %s %s %s %s %s", got.ready, got.ready_file, got.sockets[0],
                               got.arguments[0], got.arguments[1], got.arguments[2]) < 0) {
                *ret_text = NULL;
                r = -ENOMEM;
        }
        exec_file_done(&got);
        return r;
}

/* What lies there is whole, whatever failed. */
static const char *verify_orders(int r) {
        ExecFile got = { 0 };
        int q = exec_file_read(exec_path, &got);

        exec_file_done(&got);
        return q == 0 || (r != 0 && q == -ENOENT) ? NULL : "half of the orders lies there";
}

TEST(the_shims_orders_are_there_as_a_whole_or_not_at_all) {
        ASSERT(fault_run(&(FaultScenario){ "exec file", prepare_orders, run_orders, verify_orders }, true));
}

/* -- the store -- */

/* What the store has said that it took, of three services. */
typedef struct Kept {
        char text[3][32]; /* "": not there */
        bool wanted_up[3];
        bool is_vague[3]; /* a call on it failed: it may be as before or as asked for */
} Kept;

static Kept kept;
static const char *const names[] = { "one", "three", "two" }; /* in the order in which they are loaded */

static bool put(Store *s, int i, const char *text) {
        return store_put_definition(s, names[i], text, true) == 0;
}

/* Two in one transaction, then single writes, as the server makes them; each goes on after the failure of another. */
static int change_store(Store *s) {
        int r = store_begin(s), first = r;
        bool all;

        if (r == 0) {
                all = put(s, 0, "{\"one\": 1}") && put(s, 2, "{\"two\": 1}");
                r = all ? store_commit(s) : -EIO;
                if (!all)
                        store_rollback(s);
                first = r;
                kept.is_vague[0] = kept.is_vague[2] = r != 0;
                if (r == 0) {
                        strcpy(kept.text[0], "{\"one\": 1}");
                        strcpy(kept.text[2], "{\"two\": 1}");
                        kept.wanted_up[0] = kept.wanted_up[2] = true;
                }
        }
        r = store_put_definition(s, "three", "{\"three\": 1}", true);
        kept.is_vague[1] = r != 0;
        if (r == 0) {
                strcpy(kept.text[1], "{\"three\": 1}");
                kept.wanted_up[1] = true;
        }
        first = first ? first : r;
        r = store_set_wanted(s, "three", false, "");
        if (r == 0)
                kept.wanted_up[1] = false;
        else
                kept.is_vague[1] = true;
        first = first ? first : r;
        r = store_set_intention(s, "one", INTENTION_REPLACE, 0);
        first = first ? first : r;
        r = store_add_transition(s, "one", 7, "starting", "running", "", "");
        first = first ? first : r;
        r = store_put_verdict(s, "one", "files", "0123456789abcdef0123456789abcdef", "passing", "", 7);
        first = first ? first : r;
        r = store_remove_service(s, "two");
        if (r == 0)
                kept.text[2][0] = '\0';
        else
                kept.is_vague[2] = true;
        return first ? first : r;
}

static int load_text(Store *s, char **ret_text) {
        StoredService *list = NULL;
        StoredTransition *transitions = NULL;
        size_t n = 0, n_transitions = 0, n_text;
        FILE *f;
        int r = store_load(s, &list, &n);

        if (r != 0)
                return r;
        r = store_load_transitions(s, "one", 10, &transitions, &n_transitions);
        f = r == 0 ? text_stream_open(ret_text, &n_text) : NULL;
        for (size_t i = 0; f && i < n; i++)
                fprintf(f, "%s %s %d %d %s\n", list[i].name, list[i].text, list[i].wanted_up, (int) list[i].intention,
                        list[i].actions_down);
        if (f)
                fprintf(f, "%zu %s\n", n_transitions, transitions[0].new_state);
        stored_service_free_list(list, n);
        stored_transition_free_list(transitions, n_transitions);
        if (!f)
                return r != 0 ? r : -ENOMEM;
        return fclose(f) == 0 ? 0 : -ENOMEM;
}

static void prepare_store(void) {
        forget_files();
        kept = (Kept){ 0 };
}

static int run_store(char **ret_text) {
        _cleanup_free_ char *message = NULL;
        Store *s = NULL;
        int r = store_open(store_path, &s, &message);

        if (r != 0)
                return r;
        r = change_store(s);
        if (r == 0)
                r = load_text(s, ret_text);
        store_close(s);
        return r;
}

static const StoredService *find(const StoredService *list, size_t n, const char *name) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(list[i].name, name) == 0)
                        return &list[i];
        return NULL;
}

static const char *verify_store(int r _unused_) {
        _cleanup_free_ char *message = NULL;
        const char *wrong = NULL;
        StoredService *list = NULL;
        Store *s = NULL;
        size_t n = 0;

        if (store_open(store_path, &s, &message) != 0)
                return "the store does not open any more";
        if (store_load(s, &list, &n) != 0)
                wrong = "the store cannot be read any more";
        for (int i = 0; i < 3 && !wrong; i++) {
                const StoredService *found = find(list, n, names[i]);

                if (kept.is_vague[i])
                        continue;
                if (!found != !kept.text[i][0])
                        wrong = found ? "what was removed is there" : "what was acknowledged is lost";
                else if (found && (strcmp(found->text, kept.text[i]) != 0 || found->wanted_up != kept.wanted_up[i] ||
                                   found->damaged))
                        wrong = "what was acknowledged is not what is there";
        }
        stored_service_free_list(list, n);
        store_close(s);
        return wrong;
}

TEST(a_store_keeps_what_it_said_it_took_whatever_fails) {
        ASSERT(fault_run(&(FaultScenario){ "store, new", prepare_store, run_store, verify_store }, true));
}

/* The same on a store that is there, with the log of a crash beside it. */
static char *crashed_db, *crashed_log;
static size_t n_crashed_db, n_crashed_log;

static void prepare_crashed(void) {
        prepare_store();
        write_whole(store_path, crashed_db, n_crashed_db);
        write_whole(log_path, crashed_log, n_crashed_log);
        for (int i = 0; i < 3; i++) {
                (void) snprintf(kept.text[i], sizeof kept.text[i], "{\"old\": %d}", i);
                kept.wanted_up[i] = true;
        }
}

static bool make_crashed(void) {
        _cleanup_(store_closep) Store *s = NULL;
        _cleanup_free_ char *message = NULL;
        char text[32];

        forget_files();
        if (store_open(store_path, &s, &message) != 0)
                return false;
        for (int i = 0; i < 3; i++) {
                (void) snprintf(text, sizeof text, "{\"old\": %d}", i);
                if (!put(s, i, text))
                        return false;
        }
        for (int i = 0; i < 3; i++) /* definitions have left the log */
                if (store_set_wanted(s, names[i], false, "") != 0 || store_set_wanted(s, names[i], true, "") != 0)
                        return false;
        crashed_db = read_whole(store_path, &n_crashed_db);
        crashed_log = read_whole(log_path, &n_crashed_log);
        return n_crashed_log > 0;
}

TEST(a_store_left_by_a_crash_loses_nothing_whatever_fails) {
        ASSERT(make_crashed());
        ASSERT(fault_run(&(FaultScenario){ "store, after a crash", prepare_crashed, run_store, verify_store }, true));
        free(crashed_db);
        free(crashed_log);
}

/* -- the server, as far as it goes without a bus -- */

static const char *const house[] = {
        "{\"name\": \"one\", \"exec\": [\"/bin/one\"], \"sockets\": [\"rpc.sock\"], \"ready\": \"notify\","
        " \"probe\": {\"socket\": \"rpc.sock\", \"path\": \"/health\"}}",
        "{\"name\": \"three\", \"requires\": [\"one\"], \"ports\": [8080], \"exec\": \"three && echo\"}",
        "{\"name\": \"two\", \"autostart\": false, \"env\": {\"A\": \"b\"}, \"actions\": {\"a\": {\"exec\":"
        " [\"/bin/a\"]}, \"b\": {\"exec\": [\"/bin/b\"], \"kind\": \"oneshot\"}}}",
};
static const char *const next_house[] = {
        "{\"name\": \"one\", \"exec\": [\"/bin/one\", \"-v\"], \"sockets\": [\"rpc.sock\"],"
        " \"probe\": {\"socket\": \"rpc.sock\", \"path\": \"/health\"}}",
        "{\"name\": \"four\", \"requires\": [\"one\"], \"exec\": [\"/bin/four\"]}",
        NULL,
};
static bool is_applied, is_vague; /* vague: a call failed that may have been done all the same */
static bool is_forgotten;         /* a history was shown without what was in the store */

static void prepare_house(void) {
        _cleanup_(store_closep) Store *s = NULL;
        _cleanup_free_ char *message = NULL;

        forget_files();
        is_applied = is_vague = is_forgotten = false;
        if (store_open(store_path, &s, &message) != 0)
                abort();
        for (int i = 0; i < 3; i++)
                if (!put(s, i, house[i]))
                        abort();
        if (store_add_transition(s, "one", 1, "starting", "running", "none", "") != 0)
                abort();
}

/* Without what the clock says, and without the state of the port: it is looked at anew in a moment. */
static void blank_what_passes(char *text) {
        static const char port[] = "\"port\":8080,\"state\":\"";

        for (char *p = text; (p = strstr(p, port));) {
                p += sizeof port - 1;
                memmove(p, strchr(p, '"'), strlen(strchr(p, '"')) + 1);
        }
        for (char *p = text; (p = strstr(p, "_usec\":"));)
                for (p += 7; *p >= '0' && *p <= '9'; p++)
                        *p = '0';
}

static int look_at_house(Supervisor *s, FILE *f) {
        size_t n;
        Service *const *services = supervisor_services(s, &n);
        _cleanup_free_ char *rows = service_json_rows(services, n, true), *dump = NULL;
        struct json_object *parts[] = { NULL, NULL };
        int r = rows ? 0 : -ENOMEM;

        if (r == 0) {
                parts[0] = metrics_json(s);
                parts[1] = n > 0 ? service_why_json(services[0]) : NULL;
                dump = service_json_dump(s);
                fputs(rows, f);
                r = dump && fputs(dump, f) >= 0 ? 0 : -ENOMEM;
        }
        for (size_t i = 0; i < ELEMENTSOF(parts) && r == 0; i++) {
                _cleanup_free_ char *text = NULL;

                if (parts[i])
                        text = json_tree_text(parts[i]);
                if (text)
                        fputs(text, f);
                else
                        r = -ENOMEM;
        }
        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                json_object_put(parts[i]);
        return r;
}

/* From the file, as long after it was read for the last time. */
static int look_at_history(Supervisor *s, FILE *f) {
        struct json_object *history = NULL;
        _cleanup_free_ char *text = NULL;
        int r;

        store_release_memory(supervisor_store(s));
        r = service_why_history(supervisor_find(s, "one"), 10, &history);
        if (r == 0)
                text = json_tree_text(history);
        json_object_put(history);
        if (!text)
                return r < 0 ? r : -ENOMEM;
        is_forgotten = !strstr(text, "\"running\"");
        fputs(text, f);
        return 0;
}

static int change_house(Supervisor *s, FILE *f) {
        _cleanup_(apply_result_done) ApplyResult result = { 0 };
        _cleanup_free_ char *message = NULL;
        int r = definitions_apply(s, next_house, 0, &result, &message);

        is_applied = r == 0;
        is_vague = r == -EIO; /* the disk may hold what it said it could not take */
        if (r == 0)
                fputs(result.difference, f);
        return r;
}

static int run_house(char **ret_text) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(supervisor_freep) Supervisor *s = NULL;
        _cleanup_free_ char *message = NULL, *text = NULL;
        size_t n_text;
        FILE *f = text_stream_open(&text, &n_text);
        int r = f ? sd_event_new(&event) : -ENOMEM;

        if (r >= 0)
                r = supervisor_new(event, &options, &s, &message);
        if (r >= 0)
                r = look_at_house(s, f);
        if (r >= 0)
                r = look_at_history(s, f);
        if (r >= 0)
                r = change_house(s, f);
        if (r >= 0)
                r = look_at_house(s, f);
        if (f) {
                int q = fclose(f);

                r = r != 0 ? r : q;
        }
        if (r == 0) {
                blank_what_passes(text);
                *ret_text = TAKE_PTR(text);
        }
        return r;
}

/* All of the old or all of the new; nobody forgotten, nothing by halves. */
static const char *verify_house(int r _unused_) {
        _cleanup_(store_closep) Store *s = NULL;
        _cleanup_free_ char *message = NULL;
        StoredService *list = NULL;
        const StoredService *one;
        const char *wrong = NULL;
        bool is_new;
        size_t n = 0;

        if (store_open(store_path, &s, &message) != 0 || store_load(s, &list, &n) != 0)
                return "the store cannot be read any more";
        one = find(list, n, "one");
        is_new = n == 4;
        if ((n != 3 && n != 4) || !one || strcmp(one->text, is_new ? next_house[0] : house[0]) != 0)
                wrong = "half of a change is there";
        else if (is_forgotten)
                wrong = "its history is shown as empty";
        else if (!is_vague && is_new != is_applied)
                wrong = is_new ? "what was refused was kept" : "what was acknowledged is lost";
        stored_service_free_list(list, n);
        return wrong;
}

TEST(a_house_is_loaded_shown_and_changed_or_stays_as_it_was) {
        ASSERT(fault_run(&(FaultScenario){ "house", prepare_house, run_house, verify_house, true }, true));
}

/* -- what is told of a service -- */

/* The server's end of a connection, and a listener's. */
typedef struct Telling {
        sd_event *event;
        Supervisor *supervisor;
        BusSignals *signals;
        sd_bus *ours, *theirs;
        sd_bus_slot *objects, *enumerator;
        bool is_told;
} Telling;

static int on_told(sd_bus_message *m, void *userdata, sd_bus_error *reterr _unused_) {
        Telling *t = userdata;

        t->is_told = t->is_told || sd_bus_message_is_signal(m, NULL, "PropertiesChanged") > 0;
        return 0;
}

static void telling_done(Telling *t) {
        bus_signals_free(t->signals);
        sd_bus_slot_unref(t->enumerator);
        sd_bus_slot_unref(t->objects);
        sd_bus_close_unref(t->theirs);
        sd_bus_close_unref(t->ours);
        supervisor_free(t->supervisor);
        sd_event_unref(t->event);
}

static bool connect_both(Telling *t) {
        int fds[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0 || sd_bus_new(&t->ours) < 0 ||
            sd_bus_new(&t->theirs) < 0 || sd_bus_set_fd(t->ours, fds[0], fds[0]) < 0 ||
            sd_bus_set_fd(t->theirs, fds[1], fds[1]) < 0 ||
            sd_bus_set_server(t->ours, 1,
                              SD_ID128_MAKE(de, ad, be, ef, de, ad, be, ef, de, ad, be, ef, de, ad, be, ef)) < 0 ||
            sd_bus_start(t->ours) < 0 || sd_bus_start(t->theirs) < 0)
                return false;
        while (sd_bus_is_ready(t->ours) == 0 || sd_bus_is_ready(t->theirs) == 0)
                if (sd_bus_process(t->ours, NULL) < 0 || sd_bus_process(t->theirs, NULL) < 0)
                        return false;
        return sd_bus_add_filter(t->theirs, NULL, on_told, t) >= 0;
}

static bool telling_init(Telling *t) {
        _cleanup_free_ char *message = NULL;

        *t = (Telling){ 0 };
        if (sd_event_new(&t->event) < 0 || supervisor_new(t->event, &options, &t->supervisor, &message) < 0 ||
            bus_signals_new(t->supervisor, &t->signals) < 0 || !connect_both(t) ||
            bus_service_add_objects(t->ours, t->supervisor, &t->objects, &t->enumerator) < 0)
                return false;
        bus_signals_set_bus(t->signals, t->ours);
        return true;
}

/* Only the telling itself is tried. */
static int run_telling(char **ret_text) {
        FaultKind kind = (FaultKind) fault_plan->kind;
        Telling t _cleanup_(telling_done);
        Service *s;

        fault_plan->kind = FAULT_NONE;
        if (!telling_init(&t))
                abort();
        s = supervisor_find(t.supervisor, "one");
        fault_plan->kind = kind;
        bus_signals_changed(t.signals, s);
        fault_plan->kind = FAULT_NONE;
        if (sd_bus_flush(t.ours) < 0)
                abort();
        while (sd_bus_process(t.theirs, NULL) > 0)
                ;
        *ret_text = strdup(t.is_told || s->owed_signals != 0 ? "told, or owed" : "taken for told");
        fault_plan->kind = kind;
        return 0;
}

TEST(what_could_not_be_told_of_a_service_is_still_to_be_told) {
        ASSERT(fault_run(&(FaultScenario){ "signal", prepare_house, run_telling, NULL }, false));
}

/* -- whose a port is -- */

static int port_listener;
static char port_text[96];

static bool listen_on_a_port(void) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t n = sizeof address;

        port_listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (port_listener < 0 || bind(port_listener, (void *) &address, n) < 0 || listen(port_listener, 1) < 0 ||
            getsockname(port_listener, (void *) &address, &n) < 0)
                return false;
        (void) snprintf(port_text, sizeof port_text, "{\"name\": \"port\", \"exec\": \"/bin/port\", \"ports\": [%d]}",
                        ntohs(address.sin_port));
        return true;
}

static bool port_is_told(const ServicePort *port) {
        return port->state == SOCKET_FOREIGN && port->listener_pid == (uint32_t) getpid() && port->listener_unit;
}

/* The n-th allocation of the first look fails; true: who listens is found all the same, soon. */
static bool port_is_found(uint64_t n, uint64_t *ret_n_seen) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(supervisor_freep) Supervisor *s = NULL;
        _cleanup_free_ char *message = NULL;
        const ServicePort *port;

        if (sd_event_new(&event) < 0 || supervisor_new(event, &options, &s, &message) != 0)
                abort();
        port = &supervisor_find(s, "port")->ports[0];
        fault_begin(FAULT_ALLOCATION, n, 1);
        ports_begin(supervisor_ports(s));
        (void) fault_end();
        *ret_n_seen = fault_plan->n_seen;
        for (int turn = 0; turn < 50 && !port_is_told(port); turn++)
                (void) sd_event_run(event, 20 * USEC_PER_MSEC);
        return port_is_told(port);
}

/* Between the first and the last ones there are the folders of all processes, of which some come and go. */
TEST(who_has_a_port_is_found_though_there_was_no_memory_to_look_for_him) {
        _cleanup_free_ char *message = NULL;
        uint64_t n_all, n_seen;
        Store *s = NULL;

        forget_files();
        ASSERT(listen_on_a_port());
        ASSERT(store_open(store_path, &s, &message) == 0);
        ASSERT(store_put_definition(s, "port", port_text, true) == 0);
        store_close(s);
        for (uint64_t i = 0; i < 10; i++) {
                ASSERT(port_is_found(UINT64_MAX, &n_all));
                if (!port_is_found(i + 1, &n_seen))
                        FAIL("no memory at %d", (int) i + 1);
                if (n_all > i && !port_is_found(n_all - i, &n_seen))
                        FAIL("no memory at %d, %d before the end", (int) (n_all - i), (int) i);
        }
        (void) close(port_listener);
}
