/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A conversation with systemd: a list of things that we ask, that it answers (well, badly, never, or with something of
 * another type) and that it signals, over a real connection. Each call ends once, whatever systemd says, and never are
 * more under way than a bus and PID 1 can bear. */
#include "fuzz_bus.h"

#include <errno.h>

#include "base/clock.h"
#include "boundary/systemd_client.h"

enum {
        STEPS_MAX = 256,
        CALLS_MAX = 512,
        UNITS = 4,
        UNANSWERED_MAX = 4 * SYSTEMD_CALLS_MAX, /* those of greetings besides */
        DEPTH_MAX = 3,
};

typedef struct Conversation Conversation;

/* One call of ours, and how often we heard of its end. */
typedef struct Call {
        Conversation *conversation;
        bool accepted, forgotten;
        unsigned n_done;
        uint8_t then; /* what its end leads to */
} Call;

struct Conversation {
        FuzzInput in;
        sd_event *event;
        sd_bus *ours, *theirs;
        SystemdClient *client;
        UnitFacts facts[UNITS];
        Call calls[CALLS_MAX];
        size_t n_calls;
        sd_bus_message *unanswered[UNANSWERED_MAX];
        size_t n_unanswered;
        struct json_object *plan;
};

static const char *const unit_names[UNITS] = { "hero-a.service", "hero-a.slice", "hero-b@ui.service",
                                               "hero-c.service" };

static bool is_greeting(sd_bus_message *call) {
        return strcmp(sd_bus_message_get_member(call), "Subscribe") == 0 ||
               strcmp(sd_bus_message_get_member(call), "Get") == 0;
}

/* Both ends go on until neither has anything to do. */
static void let_run(Conversation *c) {
        int r;

        do {
                r = 0;
                while (sd_event_run(c->event, 0) > 0)
                        r = 1;
                while (sd_bus_process(c->theirs, NULL) > 0)
                        r = 1;
        } while (r > 0);
}

/* ---- the messages of a systemd that may be any program ---- */

static const char *const words[] = {
        "",          "loaded",       "not-found",  "bad-setting",     "masked",       "active",
        "inactive",  "failed",       "activating", "reloading",       "deactivating", "success",
        "exit-code", "done",         "stopping",   "running",         "252.39",       "timeout",
        "dead",      "auto-restart", "canceled",   "shutdown.target",
};
static const FuzzWords systemd_words = { words, ELEMENTSOF(words), unit_names, UNITS,
                                         "/org/freedesktop/systemd1/job/" };

static const char *some_word(FuzzInput *in) {
        return fuzz_word(in, &systemd_words);
}

static void append_basic(sd_bus_message *m, char type, FuzzInput *in) {
        fuzz_append_basic(m, type, in, &systemd_words);
}

static void append_variant(sd_bus_message *m, const char *type, FuzzInput *in) {
        fuzz_append_variant(m, type, in, &systemd_words);
}

static void append_properties(sd_bus_message *m, FuzzInput *in) {
        static const FuzzProperty known[] = {
                { "LoadState", "s" },
                { "ActiveState", "s" },
                { "SubState", "s" },
                { "Result", "s" },
                { "StatusText", "s" },
                { "MainPID", "u" },
                { "NRestarts", "u" },
                { "ExecMainCode", "i" },
                { "ExecMainStatus", "i" },
                { "Job", "(uo)" },
                { "InvocationID", "ay" },
                { "ActiveEnterTimestampMonotonic", "t" },
                { "ActiveExitTimestampMonotonic", "t" },
                { "ExecMainExitTimestampMonotonic", "t" },
                { "Description", "s" },
        };

        fuzz_append_properties(m, in, &systemd_words, known, ELEMENTSOF(known));
}

static void append_units(sd_bus_message *m, FuzzInput *in) {
        static const char types[] = "ssssssouso";

        CLAIM(sd_bus_message_open_container(m, 'a', "(ssssssouso)") >= 0, "a");
        for (unsigned n = fuzz_byte(in) % 40; n > 0; n--)
                fuzz_append_struct(m, types, in, &systemd_words);
        CLAIM(sd_bus_message_close_container(m) >= 0, "a");
}

static void append_any(sd_bus_message *m, FuzzInput *in, unsigned depth) {
        for (unsigned n = fuzz_byte(in) % 5; n > 0; n--)
                switch (fuzz_byte(in) % 4) {
                case 0:
                        append_properties(m, in);
                        break;
                case 1:
                        append_units(m, in);
                        break;
                case 2:
                        append_variant(m, fuzz_type(in), in);
                        break;
                case 3:
                        if (depth < DEPTH_MAX) {
                                append_basic(m, "suitboyx"[fuzz_byte(in) % 8], in);
                                append_any(m, in, depth + 1);
                        }
                        break;
                }
}

/* What a call of that name is answered with by the real one. */
static void append_right(sd_bus_message *m, const char *member, FuzzInput *in) {
        if (strcmp(member, "Get") == 0)
                append_variant(m, fuzz_byte(in) & 1 ? "s" : "t", in);
        else if (strcmp(member, "GetAll") == 0)
                append_properties(m, in);
        else if (strcmp(member, "ListUnitsByPatterns") == 0)
                append_units(m, in);
        else if (strstr(member, "Start") || strcmp(member, "StopUnit") == 0 || strcmp(member, "RestartUnit") == 0)
                append_basic(m, 'o', in);
}

static const char *some_error(FuzzInput *in) {
        static const char *const errors[] = {
                "org.freedesktop.systemd1.UnitExists",
                "org.freedesktop.systemd1.NoSuchUnit",
                "org.freedesktop.systemd1.TransactionIsDestructive",
                SD_BUS_ERROR_NO_REPLY,
                SD_BUS_ERROR_ACCESS_DENIED,
                SD_BUS_ERROR_SERVICE_UNKNOWN,
                "com.example.Unknown",
        };

        return errors[fuzz_byte(in) % ELEMENTSOF(errors)];
}

static void answer_one(Conversation *c, uint8_t how) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        size_t i;

        if (c->n_unanswered == 0)
                return;
        i = how & 0x40 ? fuzz_byte(&c->in) % c->n_unanswered : 0;
        call = c->unanswered[i];
        memmove(&c->unanswered[i], &c->unanswered[i + 1], (--c->n_unanswered - i) * sizeof c->unanswered[0]);

        if (how % 8 == 7)
                return; /* never */
        if (how % 8 == 6) {
                (void) sd_bus_reply_method_errorf(call, some_error(&c->in), "%s", some_word(&c->in));
                return;
        }
        CLAIM(sd_bus_message_new_method_return(call, &reply) >= 0, "reply");
        if (how % 8 == 5)
                append_any(reply, &c->in, 0);
        else
                append_right(reply, sd_bus_message_get_member(call), &c->in);
        (void) sd_bus_send(c->theirs, reply, NULL);
}

static void forget_calls(Conversation *c) {
        while (c->n_unanswered > 0)
                (void) sd_bus_message_unref(c->unanswered[--c->n_unanswered]);
}

static void signal_one(Conversation *c) {
        static const struct {
                const char *path, *interface, *member, *types;
        } signals[] = {
                { "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobRemoved", "uoss" },
                { "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobNew", "uos" },
                { "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "UnitRemoved", "so" },
                { "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "Reloading", "b" },
                { "/org/freedesktop/systemd1/unit/hero_2da_2eservice", "org.freedesktop.DBus.Properties",
                  "PropertiesChanged", "sp" },
                { "/org/freedesktop/systemd1/unit/hero_2dx", "org.freedesktop.DBus.Properties", "PropertiesChanged",
                  "sp" },
                { "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged", "sss" },
        };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        uint8_t which = fuzz_byte(&c->in);
        size_t i = which % ELEMENTSOF(signals);

        CLAIM(sd_bus_message_new_signal(c->theirs, &m, signals[i].path, signals[i].interface, signals[i].member) >= 0,
              "%s", signals[i].member);
        (void) sd_bus_message_set_sender(m, strstr(signals[i].path, "DBus") ? "org.freedesktop.DBus"
                                                                            : "org.freedesktop.systemd1");
        if (which & 0x80)
                append_any(m, &c->in, 0);
        for (const char *type = signals[i].types; !(which & 0x80) && *type; type++)
                if (*type == 'p')
                        append_properties(m, &c->in);
                else if (strcmp(signals[i].member, "NameOwnerChanged") == 0 && type == signals[i].types)
                        CLAIM(sd_bus_message_append(m, "s", "org.freedesktop.systemd1") >= 0, "s");
                else
                        append_basic(m, *type, &c->in);
        /* The bus keeps order, and answers for a systemd that went. */
        if (strcmp(signals[i].member, "NameOwnerChanged") == 0) {
                let_run(c);
                forget_calls(c);
        }
        (void) sd_bus_send(c->theirs, m, NULL);
}

/* JobRemoved, for a number that a start may have been answered with. */
static void remove_job(Conversation *c) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        uint32_t id = fuzz_byte(&c->in);

        CLAIM(sd_bus_message_new_signal(c->theirs, &m, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
                                        "JobRemoved") >= 0 &&
                      sd_bus_message_set_sender(m, "org.freedesktop.systemd1") >= 0 &&
                      sd_bus_message_append(m, "uoss", id, "/job", unit_names[id % UNITS], some_word(&c->in)) >= 0,
              "JobRemoved");
        (void) sd_bus_send(c->theirs, m, NULL);
}

/* ---- our side ---- */

static void make_call(Conversation *c, uint8_t which);

static void call_ended(Call *call, int r) {
        CLAIM(r <= 0, "%d", r);
        CLAIM(!call->forgotten, "nothing is heard of what was forgotten");
        CLAIM(++call->n_done == 1, "an end comes once");
        /* Whoever hears of an end may ask anew, and forget others. */
        if (call->then & 1)
                make_call(call->conversation, call->then >> 4);
        if (call->then & 2) {
                Call *other = &call->conversation->calls[call->then % call->conversation->n_calls];

                if (other->n_done == 0) {
                        systemd_client_forget(call->conversation->client, other);
                        other->forgotten = true;
                }
        }
}

static void on_done(void *userdata, int r, const char *job_result, const char *text) {
        CLAIM(!job_result || strlen(job_result) < 300, "a word");
        CLAIM(!text || strlen(text) < 300, "a text");
        call_ended(userdata, r);
}

static void on_listed(void *userdata, int r, const UnitListed *units, size_t n) {
        CLAIM(n == 0 || (r == 0 && n < 64), "%zu", n);
        for (size_t i = 0; i < n; i++)
                CLAIM(units[i].name && units[i].load_state && units[i].active_state && units[i].sub_state, "whole");
        call_ended(userdata, r);
}

static void make_call(Conversation *c, uint8_t which) {
        static const char *const patterns[] = { "hero-*", NULL };
        const char *unit = unit_names[(which >> 3) % UNITS];
        uint64_t timeout_usec = which & 0x80 ? 1 : 3600 * USEC_PER_SEC;
        Call *call;
        int r;

        if (c->n_calls == CALLS_MAX)
                return;
        call = &c->calls[c->n_calls++];
        *call = (Call){ .conversation = c, .then = fuzz_byte(&c->in) };
        switch (which % 8) {
        case 0:
                r = systemd_client_start(c->client, unit, timeout_usec, on_done, call);
                break;
        case 1:
                r = systemd_client_stop(c->client, unit, timeout_usec, on_done, call);
                break;
        case 2:
                r = systemd_client_restart(c->client, unit, timeout_usec, on_done, call);
                break;
        case 3:
                r = systemd_client_create(c->client, c->plan, timeout_usec, on_done, call);
                break;
        case 4:
                r = systemd_client_reset_failed(c->client, unit, on_done, call);
                break;
        case 5:
                r = systemd_client_kill(c->client, unit, 15, on_done, call);
                break;
        case 6:
                r = systemd_client_list(c->client, patterns, on_listed, call);
                break;
        default:
                r = systemd_client_read(c->client, unit, on_done, call);
                break;
        }
        CLAIM(r <= 0, "%d", r);
        call->accepted = r == 0;
}

static UnitFacts *on_find(const char *unit, void *userdata) {
        Conversation *c = userdata;

        for (size_t i = 0; i < UNITS; i++)
                if (strcmp(unit, unit_names[i]) == 0)
                        return &c->facts[i];
        return NULL;
}

static void on_changed(const char *unit, void *userdata) {
        const UnitFacts *f = on_find(unit, userdata);

        CLAIM(f && f->load < _UNIT_LOAD_MAX && f->active < _UNIT_ACTIVE_MAX && f->result < _UNIT_RESULT_MAX, "%s",
              unit);
        CLAIM(memchr(f->sub_state, 0, sizeof f->sub_state) && strlen(rare_text_get(&f->status_text)) < 128, "%s", unit);
}

static void on_unloaded(const char *unit, void *userdata) {
        CLAIM(on_find(unit, userdata), "%s", unit);
}

static void on_resync(_unused_ bool lost, _unused_ void *userdata) {
}

static void on_nothing(_unused_ void *userdata) {
}

static int on_theirs(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        Conversation *c = userdata;
        unsigned n_queued = 0;

        if (!sd_bus_message_is_method_call(m, NULL, NULL))
                return 0;
        if (c->n_unanswered < UNANSWERED_MAX)
                c->unanswered[c->n_unanswered++] = sd_bus_message_ref(m);
        for (size_t i = 0; i < c->n_unanswered; i++)
                n_queued += !is_greeting(c->unanswered[i]);
        CLAIM(n_queued <= SYSTEMD_CALLS_MAX, "no more calls under way than a bus takes");
        return 1;
}

/* ---- the connection ---- */

static void connect_anew(Conversation *c) {
        fuzz_connect(&c->ours, &c->theirs, on_theirs, c);
        CLAIM(sd_bus_attach_event(c->ours, c->event, 0) >= 0, "our end");
        CLAIM(systemd_client_attach(c->client, c->ours) >= 0, "attached");
}

static void disconnect(Conversation *c) {
        systemd_client_detach(c->client);
        for (size_t i = 0; i < c->n_calls; i++)
                CLAIM(!c->calls[i].accepted || c->calls[i].forgotten || c->calls[i].n_done == 1,
                      "when the connection is gone, so is what was asked over it");
        forget_calls(c);
        c->ours = sd_bus_close_unref(c->ours);
        c->theirs = sd_bus_close_unref(c->theirs);
}

static void step(Conversation *c) {
        uint8_t what = fuzz_byte(&c->in);

        switch (what % 8) {
        case 0:
        case 1:
                make_call(c, fuzz_byte(&c->in));
                break;
        case 2:
        case 3:
                answer_one(c, what >> 3);
                break;
        case 4:
                signal_one(c);
                break;
        case 5:
                remove_job(c);
                break;
        case 6:
                for (unsigned n = what; n > 0; n--)
                        make_call(c, fuzz_byte(&c->in));
                break;
        case 7:
                if (what < 0x10) {
                        disconnect(c);
                        connect_anew(c);
                } else {
                        let_run(c);
                }
                break;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const SystemdCallbacks callbacks = { on_find, on_changed, on_unloaded, on_resync, on_nothing };
        static Conversation c;

        c = (Conversation){ .in = { data, size } };
        c.plan = json_tokener_parse(
                "{\"slice\": \"hero-a.slice\", \"slice_properties\": [[\"Before\", \"as\", [\"x\"]]],"
                " \"units\": [{\"name\": \"hero-a.service\", \"properties\":"
                " [[\"ExecStart\", \"a(sasb)\", [[\"/bin/true\", [\"true\"], false]]]]}]}");
        CLAIM(sd_event_new(&c.event) >= 0 && systemd_client_new(c.event, &callbacks, &c, &c.client) == 0, "client");
        connect_anew(&c);
        for (unsigned i = 0; i < STEPS_MAX && c.in.n > 0; i++)
                step(&c);
        let_run(&c);
        disconnect(&c);
        systemd_client_free(c.client);
        for (size_t i = 0; i < UNITS; i++)
                unit_facts_forget(&c.facts[i], UNIT_NOT_LOADED);
        sd_event_unref(c.event);
        json_object_put(c.plan);
        return 0;
}
