/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A conversation with hero_proc_server, which may be of another version or another program: what it answers, signals
 * and leaves unanswered, over a real connection. Of all services or of two by name. What the view has told is what it
 * holds, and while the server is away it holds nothing. */
#include "fuzz_bus.h"

#include "boundary/service_view.h"

enum {
        STEPS_MAX = 256,
        UNANSWERED_MAX = 512,
        TOLD_MAX = 256, /* services at a time, with room: names are of few kinds */
        TEXT_MAX = 300,
};

/* A service as the view's events have told of it. */
typedef struct Told {
        char name[TEXT_MAX];
        ServiceState state;
} Told;

typedef struct Conversation {
        FuzzInput in;
        sd_bus *ours, *theirs;
        HeroProcConnection *connection;
        ServiceView *view;
        bool is_away;
        Told told[TOLD_MAX];
        size_t n_told;
        sd_bus_message *unanswered[UNANSWERED_MAX];
        size_t n_unanswered;
} Conversation;

static const char *const words[] = {
        "",        "running", "degraded", "failed", "starting",    "stopping",           "restarting",
        "stopped", "unknown", "up",       "down",   "port_closed", "of-a-newer-version",
};
static const char *const names[] = { "a", "b", "web", "hero_proc", "x.y-z" };
static char *const asked_names[] = { (char *) "a", (char *) "web", NULL };
static const FuzzWords server_words = { words, ELEMENTSOF(words), names, ELEMENTSOF(names),
                                        "/org/hero/Proc1/service/s" };

#define SERVICE_INTERFACE "org.hero.Proc1.Service"

/* Both ends go on until neither has anything to do. */
static void let_run(Conversation *c) {
        int r;

        do {
                r = 0;
                while (sd_bus_process(c->ours, NULL) > 0)
                        r = 1;
                while (sd_bus_process(c->theirs, NULL) > 0)
                        r = 1;
        } while (r > 0);
}

/* ---- what the view tells, and what it holds ---- */

static Told *find_told(Conversation *c, const char *name) {
        for (size_t i = 0; i < c->n_told; i++)
                if (strcmp(c->told[i].name, name) == 0)
                        return &c->told[i];
        return NULL;
}

static void claim_service(const ViewedService *s) {
        CLAIM(s->name && s->state < _SERVICE_STATE_MAX, "a service");
        for (size_t i = 0; i < s->n_reasons; i++)
                CLAIM(s->reasons[i].code && s->reasons[i].subject && s->reasons[i].text, "reason %zu", i);
        CLAIM(viewed_service_reason(s), "a text");
}

static void on_service_changed(Conversation *c, const ViewEvent *e) {
        Told *t = find_told(c, e->service->name);

        CLAIM(service_view_find(c->view, e->service->name) == e->service, "%s", e->service->name);
        CLAIM(t ? e->old_state == t->state : e->old_state == SERVICE_STATE_INVALID, "%s", e->service->name);
        if (!t) {
                CLAIM(c->n_told < TOLD_MAX, "%zu", c->n_told);
                t = &c->told[c->n_told++];
                (void) snprintf(t->name, sizeof t->name, "%s", e->service->name);
        }
        t->state = e->service->state;
}

static void on_service_removed(Conversation *c, const ViewEvent *e) {
        Told *t = find_told(c, e->service->name);

        CLAIM(t && e->old_state == t->state && !service_view_find(c->view, e->service->name), "%s", e->service->name);
        *t = c->told[--c->n_told];
}

static void on_event(const ViewEvent *e, void *userdata) {
        Conversation *c = userdata;

        if (e->kind == VIEW_SERVER_GONE || e->kind == VIEW_SERVER_BACK) {
                CLAIM(!e->service && c->is_away == (e->kind == VIEW_SERVER_BACK), "by turns");
                c->is_away = !c->is_away;
                for (size_t i = 0; i < c->n_told; i++)
                        c->told[i].state = SERVICE_UNKNOWN;
                return;
        }
        CLAIM(!c->is_away, "who is away has no services to tell of");
        claim_service(e->service);
        if (e->kind == VIEW_SERVICE_CHANGED)
                on_service_changed(c, e);
        else
                on_service_removed(c, e);
}

static void claim_view(Conversation *c) {
        size_t n;
        ViewedService *const *services = service_view_services(c->view, &n);
        const char *message;
        int error = service_view_error(c->view, &message);

        CLAIM(c->is_away == (error != 0) && message, "%d", error);
        CLAIM(!c->is_away || !service_view_is_live(c->view), "no copy of who is away");
        CLAIM(n == c->n_told, "%zu services, %zu told", n, c->n_told);
        for (size_t i = 0; i < n; i++) {
                const Told *t = find_told(c, services[i]->name);

                claim_service(services[i]);
                CLAIM(i == 0 || strcmp(services[i - 1]->name, services[i]->name) < 0, "%s", services[i]->name);
                CLAIM(t && t->state == services[i]->state, "%s", services[i]->name);
                CLAIM(!c->is_away || (services[i]->state == SERVICE_UNKNOWN && services[i]->n_reasons == 0), "%s",
                      services[i]->name);
        }
}

/* ---- the messages of a server that may be any program ---- */

static void append_properties(sd_bus_message *m, FuzzInput *in) {
        static const FuzzProperty known[] = {
                { "State", "s" },        { "Reasons", "a(sss)" }, { "Wanted", "s" },    { "StateSinceUSec", "t" },
                { "Reasons", "a(sss)" }, { "Description", "s" },  { "NRestarts", "u" },
        };

        fuzz_append_properties(m, in, &server_words, known, ELEMENTSOF(known));
}

/* Mostly a service's. */
static void append_path(sd_bus_message *m, FuzzInput *in) {
        _cleanup_free_ char *path = NULL;
        uint8_t which = fuzz_byte(in);

        if (which < 8) {
                fuzz_append_basic(m, 'o', in, &server_words);
                return;
        }
        CLAIM(sd_bus_path_encode(which < 16 ? "/org/hero" : "/org/hero/Proc1/service",
                                 which & 1 ? fuzz_word(in, &server_words) : names[which / 2 % ELEMENTSOF(names)],
                                 &path) >= 0 &&
                      sd_bus_message_append_basic(m, 'o', path) >= 0,
              "a path");
}

static void append_interface(sd_bus_message *m, FuzzInput *in) {
        CLAIM(sd_bus_message_append_basic(m, 's',
                                          fuzz_byte(in) % 8 ? SERVICE_INTERFACE : fuzz_word(in, &server_words)) >= 0,
              "an interface");
}

/* a{sa{sv}} */
static void append_interfaces(sd_bus_message *m, FuzzInput *in) {
        CLAIM(sd_bus_message_open_container(m, 'a', "{sa{sv}}") >= 0, "a");
        for (unsigned n = fuzz_byte(in) % 4; n > 0; n--) {
                CLAIM(sd_bus_message_open_container(m, 'e', "sa{sv}") >= 0, "e");
                append_interface(m, in);
                append_properties(m, in);
                CLAIM(sd_bus_message_close_container(m) >= 0, "e");
        }
        CLAIM(sd_bus_message_close_container(m) >= 0, "a");
}

static void append_objects(sd_bus_message *m, FuzzInput *in) {
        CLAIM(sd_bus_message_open_container(m, 'a', "{oa{sa{sv}}}") >= 0, "a");
        for (unsigned n = fuzz_byte(in) % 8; n > 0; n--) {
                CLAIM(sd_bus_message_open_container(m, 'e', "oa{sa{sv}}") >= 0, "e");
                append_path(m, in);
                append_interfaces(m, in);
                CLAIM(sd_bus_message_close_container(m) >= 0, "e");
        }
        CLAIM(sd_bus_message_close_container(m) >= 0, "a");
}

static void append_any(sd_bus_message *m, FuzzInput *in) {
        for (unsigned n = fuzz_byte(in) % 5; n > 0; n--)
                switch (fuzz_byte(in) % 6) {
                case 0:
                        append_properties(m, in);
                        break;
                case 1:
                        append_path(m, in);
                        break;
                case 2:
                        append_interfaces(m, in);
                        break;
                case 3:
                        append_objects(m, in);
                        break;
                case 4:
                        append_interface(m, in);
                        break;
                default:
                        fuzz_append_variant(m, fuzz_type(in), in, &server_words);
                        break;
                }
}

static const char *some_error(FuzzInput *in) {
        static const char *const errors[] = {
                SD_BUS_ERROR_UNKNOWN_OBJECT,  SD_BUS_ERROR_NO_REPLY,  SD_BUS_ERROR_ACCESS_DENIED,
                SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NO_MEMORY, "org.hero.Proc1.Error.NoSuchService",
                "com.example.Unknown",
        };

        return errors[fuzz_byte(in) % ELEMENTSOF(errors)];
}

static void answer_one(Conversation *c, uint8_t how) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;

        if (c->n_unanswered == 0)
                return;
        call = c->unanswered[0];
        memmove(&c->unanswered[0], &c->unanswered[1], --c->n_unanswered * sizeof c->unanswered[0]);
        if (how % 8 == 7)
                return; /* never */
        if (how % 8 == 6) {
                (void) sd_bus_reply_method_errorf(call, some_error(&c->in), "%s", fuzz_word(&c->in, &server_words));
                return;
        }
        CLAIM(sd_bus_message_new_method_return(call, &reply) >= 0, "reply");
        if (how % 8 == 5)
                append_any(reply, &c->in);
        else if (strcmp(sd_bus_message_get_member(call), "GetAll") == 0)
                append_properties(reply, &c->in);
        else
                append_objects(reply, &c->in);
        (void) sd_bus_send(c->theirs, reply, NULL);
}

static void forget_calls(Conversation *c) {
        while (c->n_unanswered > 0)
                (void) sd_bus_message_unref(c->unanswered[--c->n_unanswered]);
}

/* ---- its signals ---- */

static void send_signal(Conversation *c, sd_bus_message *m, const char *sender) {
        CLAIM(sd_bus_message_set_sender(m, sender) >= 0, "%s", sender);
        (void) sd_bus_send(c->theirs, m, NULL);
}

static void signal_properties(Conversation *c, bool any) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_free_ char *path = NULL;
        uint8_t which = fuzz_byte(&c->in);

        CLAIM(sd_bus_path_encode("/org/hero/Proc1/service",
                                 which & 1 ? fuzz_word(&c->in, &server_words) : names[which / 2 % ELEMENTSOF(names)],
                                 &path) >= 0 &&
                      sd_bus_message_new_signal(c->theirs, &m, path, "org.freedesktop.DBus.Properties",
                                                "PropertiesChanged") >= 0 &&
                      sd_bus_message_append_basic(m, 's', SERVICE_INTERFACE) >= 0,
              "PropertiesChanged");
        if (any)
                append_any(m, &c->in);
        else
                append_properties(m, &c->in);
        send_signal(c, m, HERO_PROC_NAME);
}

static void signal_objects(Conversation *c, const char *member, bool any) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        CLAIM(sd_bus_message_new_signal(c->theirs, &m, HERO_PROC_PATH, "org.freedesktop.DBus.ObjectManager", member) >=
                      0,
              "%s", member);
        if (any) {
                append_any(m, &c->in);
        } else {
                append_path(m, &c->in);
                if (strcmp(member, "InterfacesAdded") == 0)
                        append_interfaces(m, &c->in);
        }
        send_signal(c, m, HERO_PROC_NAME);
}

/* The bus keeps order, and answers for a server that went. */
static void signal_owner(Conversation *c, bool any) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        let_run(c);
        forget_calls(c);
        CLAIM(sd_bus_message_new_signal(c->theirs, &m, "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                        "NameOwnerChanged") >= 0 &&
                      sd_bus_message_append(m, "s", HERO_PROC_NAME) >= 0,
              "NameOwnerChanged");
        if (any)
                append_any(m, &c->in);
        else
                CLAIM(sd_bus_message_append(m, "ss", "", fuzz_byte(&c->in) & 1 ? ":1.5" : "") >= 0, "ss");
        send_signal(c, m, "org.freedesktop.DBus");
}

/* ---- the connection ---- */

static int on_theirs(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        Conversation *c = userdata;

        if (!sd_bus_message_is_method_call(m, NULL, NULL))
                return 0;
        if (c->n_unanswered < UNANSWERED_MAX)
                c->unanswered[c->n_unanswered++] = sd_bus_message_ref(m);
        return 1;
}

static void connect_anew(Conversation *c) {
        char *message = NULL;

        fuzz_connect(&c->ours, &c->theirs, on_theirs, c);
        CLAIM(hero_proc_connection_attach(c->ours, &c->connection) == 0 &&
                      service_view_attach(c->view, c->connection, &message) == 0,
              "%s", message);
}

static void disconnect(Conversation *c) {
        service_view_detach(c->view, "it was lost");
        claim_view(c);
        forget_calls(c);
        c->connection = hero_proc_connection_free(c->connection);
        c->ours = sd_bus_close_unref(c->ours);
        c->theirs = sd_bus_close_unref(c->theirs);
}

static void step(Conversation *c) {
        uint8_t what = fuzz_byte(&c->in);
        bool any = what >= 0xc0;

        switch (what % 8) {
        case 0:
        case 1:
                answer_one(c, what >> 3);
                break;
        case 2:
        case 3:
                signal_properties(c, any);
                break;
        case 4:
                signal_objects(c, "InterfacesAdded", any);
                break;
        case 5:
                signal_objects(c, "InterfacesRemoved", any);
                break;
        case 6:
                signal_owner(c, any);
                break;
        case 7:
                if (what < 0x10) {
                        disconnect(c);
                        connect_anew(c);
                }
                break;
        }
        if (what & 0x20) /* else several at once */
                return;
        let_run(c);
        claim_view(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static Conversation c;

        c = (Conversation){ .in = { data, size } };
        CLAIM(service_view_new(fuzz_byte(&c.in) & 1 ? asked_names : NULL, on_event, &c, &c.view) == 0, "a view");
        connect_anew(&c);
        let_run(&c);
        for (unsigned i = 0; i < STEPS_MAX && c.in.n > 0; i++)
                step(&c);
        let_run(&c);
        claim_view(&c);
        disconnect(&c);
        service_view_free(c.view);
        return 0;
}
