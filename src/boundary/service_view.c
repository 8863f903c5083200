/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/service_view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/outcome.h"
#include "boundary/hero_proc_client.h"

#define SERVICE_PATH "/org/hero/Proc1/service"
#define SERVICE_INTERFACE "org.hero.Proc1.Service"

#define _cleanup_message_ _cleanup_(sd_bus_message_unrefp)

enum {
        SLOTS_MAX = 3,
};
/* From an answer that did not come, or was none, to the next question. */
#define ASK_AGAIN_USEC (1 * USEC_PER_SEC)

/* One call that asks for one service, or for all. */
typedef struct Ask {
        ServiceView *view;
        const char *name; /* NULL: all */
        sd_bus_slot *slot;
        uint64_t late_usec; /* monotonic: when its answer is not awaited any longer */
} Ask;

struct ServiceView {
        char *const *names;
        size_t n_names;
        ViewObserver observer;
        void *userdata;
        HeroProcConnection *connection;
        sd_bus_slot *slots[SLOTS_MAX];
        Ask *asks; /* n_names of them, or one */
        size_t n_asks, n_sent, n_answered;
        ViewedService **services; /* by name */
        size_t n_services;
        bool has_asked, live, away, asks_again;
        int error;
        char *error_message;
};

static void tell(ServiceView *v, ViewEventKind kind, const ViewedService *s, ServiceState old_state) {
        if (v->observer)
                v->observer(&(ViewEvent){ kind, s, old_state }, v->userdata);
}

/* -- all services -- */

static bool is_wanted(const ServiceView *v, const char *name) {
        if (!v->names)
                return true;
        for (size_t i = 0; i < v->n_names; i++)
                if (strcmp(v->names[i], name) == 0)
                        return true;
        return false;
}

/* Where it is, or would have to be. */
static size_t find_place(const ServiceView *v, const char *name, bool *ret_found) {
        size_t low = 0, high = v->n_services;

        *ret_found = false;
        while (low < high) {
                size_t middle = (low + high) / 2;
                int order = strcmp(v->services[middle]->name, name);

                if (order == 0) {
                        *ret_found = true;
                        return middle;
                }
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

const ViewedService *service_view_find(const ServiceView *v, const char *name) {
        bool found;
        size_t i = find_place(v, name, &found);

        return found ? v->services[i] : NULL;
}

ViewedService *const *service_view_services(const ServiceView *v, size_t *ret_n) {
        *ret_n = v->n_services;
        return v->services;
}

static int add_service(ServiceView *v, size_t place, const char *name, ViewedService **ret) {
        ViewedService **grown = reallocarray(v->services, v->n_services + 1, sizeof *grown);
        ViewedService *s = viewed_service_new(name);

        if (grown)
                v->services = grown;
        if (!grown || !s) {
                viewed_service_free(s);
                return -ENOMEM;
        }
        memmove(&grown[place + 1], &grown[place], (v->n_services - place) * sizeof *grown);
        grown[place] = s;
        v->n_services++;
        *ret = s;
        return 0;
}

static ViewedService *take_out(ServiceView *v, size_t place) {
        ViewedService *s = v->services[place];

        v->n_services--;
        memmove(&v->services[place], &v->services[place + 1], (v->n_services - place) * sizeof *v->services);
        return s;
}

static void remove_service(ServiceView *v, const char *name) {
        bool found;
        size_t place = find_place(v, name, &found);
        ViewedService *s;

        if (!found)
                return;
        s = take_out(v, place);
        tell(v, VIEW_SERVICE_REMOVED, s, s->state);
        viewed_service_free(s);
}

/* a{sv} of the service of that name. Only the whole of them may add one. */
static int take_properties(ServiceView *v, sd_bus_message *message, const char *name, bool is_whole) {
        bool found, changed = false;
        size_t place = find_place(v, name, &found);
        ViewedService *s = found ? v->services[place] : NULL;
        ServiceState old_state = found ? s->state : SERVICE_STATE_INVALID;
        int r = 0;

        if (!is_wanted(v, name) || (!found && !is_whole))
                return sd_bus_message_skip(message, "a{sv}");
        if (!found)
                r = add_service(v, place, name, &s);
        if (r < 0)
                return r;
        r = viewed_service_read(message, s, &changed);
        if (r < 0 && !found)
                viewed_service_free(take_out(v, place));
        else if (r >= 0 && (changed || !found))
                tell(v, VIEW_SERVICE_CHANGED, s, old_state);
        return r;
}

/* *ret_name (to be freed) is NULL where it is no service's. */
static int name_of_path(const char *path, char **ret_name) {
        int r = path ? sd_bus_path_decode(path, SERVICE_PATH, ret_name) : 0;

        return r < 0 ? r : 0;
}

/* oa{sa{sv}}; *ret_name (to be freed) is NULL where the object is no service. */
static int take_object(ServiceView *v, sd_bus_message *message, char **ret_name) {
        _cleanup_free_ char *name = NULL;
        const char *path, *interface;
        bool is_service = false;
        int r = sd_bus_message_read(message, "o", &path);

        if (r > 0)
                r = name_of_path(path, &name);
        if (r >= 0)
                r = sd_bus_message_enter_container(message, 'a', "{sa{sv}}");
        while (r >= 0) {
                r = sd_bus_message_enter_container(message, 'e', "sa{sv}");
                if (r == 0)
                        break;
                if (r > 0)
                        r = sd_bus_message_read(message, "s", &interface);
                if (r > 0 && name && strcmp(interface, SERVICE_INTERFACE) == 0) {
                        is_service = true;
                        r = take_properties(v, message, name, true);
                } else if (r > 0) {
                        r = sd_bus_message_skip(message, "a{sv}");
                }
                if (r >= 0)
                        r = sd_bus_message_exit_container(message);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(message);
        *ret_name = r >= 0 && is_service ? TAKE_PTR(name) : NULL;
        return r;
}

/* -- whether it is one -- */

static void drop_asks(ServiceView *v) {
        for (size_t i = 0; i < v->n_asks; i++)
                v->asks[i].slot = sd_bus_slot_unref(v->asks[i].slot);
        v->n_sent = v->n_answered = 0;
        if (v->connection)
                hero_proc_connection_set_alarm(v->connection, 0, NULL, NULL);
}

/* Takes `message`, which may be NULL. */
static void become_away(ServiceView *v, int error, char *message) {
        bool was_away = v->away;

        drop_asks(v);
        v->live = v->asks_again = false;
        v->away = true;
        v->error = error;
        free(v->error_message);
        v->error_message = message;
        for (size_t i = 0; i < v->n_services; i++)
                viewed_service_forget(v->services[i]);
        if (!was_away)
                tell(v, VIEW_SERVER_GONE, NULL, SERVICE_STATE_INVALID);
}

static void become_away_with_errno(ServiceView *v, int r) {
        char *message = NULL;

        r = hero_proc_connection_fail_with_errno(r, &message);
        become_away(v, r, message);
}

/* There is a server. */
static void end_absence(ServiceView *v) {
        if (!v->away)
                return;
        v->away = false;
        v->error = 0;
        free(TAKE_PTR(v->error_message));
        tell(v, VIEW_SERVER_BACK, NULL, SERVICE_STATE_INVALID);
}

bool service_view_is_live(const ServiceView *v) {
        return v->live;
}

bool service_view_asks_again(const ServiceView *v) {
        return v->asks_again;
}

int service_view_error(const ServiceView *v, const char **ret_message) {
        *ret_message = v->error_message ? v->error_message : "out of memory";
        return v->error;
}

/* -- asking -- */

static bool names_hold(char *const *names, size_t n, const char *name) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(names[i], name) == 0)
                        return true;
        return false;
}

static void remove_others(ServiceView *v, char *const *names, size_t n) {
        for (size_t i = v->n_services; i-- > 0;)
                if (!names_hold(names, n, v->services[i]->name))
                        remove_service(v, v->services[i]->name);
}

/* a{oa{sa{sv}}} */
static int take_all(ServiceView *v, sd_bus_message *reply) {
        _cleanup_(hero_proc_client_free_namesp) char **names = calloc(1, sizeof *names);
        size_t n = 0;
        int r = names ? sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}") : -ENOMEM;

        while (r >= 0) {
                char **grown = reallocarray(names, n + 2, sizeof *grown);

                if (!grown)
                        return -ENOMEM;
                names = grown;
                r = sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}");
                if (r == 0)
                        break;
                if (r > 0)
                        r = take_object(v, reply, &names[n]);
                n += r >= 0 && names[n];
                names[n] = NULL;
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
        }
        if (r >= 0)
                remove_others(v, names, n);
        return r;
}

static int take_answer(ServiceView *v, const Ask *ask, sd_bus_message *reply) {
        end_absence(v);
        return ask->name ? take_properties(v, reply, ask->name, true) : take_all(v, reply);
}

static int send_asks(ServiceView *v);

static void on_ask_again(void *userdata);

/* As long as the server has its name nobody else would tell that it answers by now: one that was held up goes on as if
 * nothing had been, and one that had no memory has some a moment later. */
static void fail_for_now(ServiceView *v, const Ask *ask, const sd_bus_error *error) {
        bool is_late = sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) && clock_monotonic_usec() >= ask->late_usec;
        char *message = NULL;
        int r = is_late ? hero_proc_connection_fail(HERO_E_SERVER_UNREACHABLE, "hero_proc_server does not answer",
                                                    &message)
                        : hero_proc_connection_fail_with_error(error, &message);

        become_away(v, r, message);
        if (hero_proc_connection_error_is_absence(error))
                return;
        v->asks_again = true;
        hero_proc_connection_set_alarm(v->connection, ASK_AGAIN_USEC, on_ask_again, v);
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *reterr _unused_) {
        Ask *ask = userdata;
        ServiceView *v = ask->view;
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        char *message = NULL;
        int r = 0;

        ask->slot = sd_bus_slot_unref(ask->slot);
        if (error && ask->name && sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_OBJECT)) {
                end_absence(v);
                remove_service(v, ask->name);
        } else if (error) {
                fail_for_now(v, ask, error);
                return 0;
        } else {
                r = take_answer(v, ask, reply);
        }
        v->n_answered++;
        if (r >= 0)
                r = send_asks(v);
        if (r < 0) {
                r = r == -ENOMEM ? r : hero_proc_connection_fail_with_bad_reply(&message);
                become_away(v, r, message);
        } else if (v->n_answered == v->n_asks) {
                v->live = true;
        }
        return 0;
}

static int send_ask(ServiceView *v, Ask *ask) {
        _cleanup_message_ sd_bus_message *call = NULL;
        uint64_t patience_usec = hero_proc_connection_patience_usec(v->connection);
        _cleanup_free_ char *path = NULL;
        int r;

        if (!ask->name) {
                r = hero_proc_connection_new_object_call(v->connection, HERO_PROC_PATH,
                                                         "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
                                                         &call);
        } else {
                r = sd_bus_path_encode(SERVICE_PATH, ask->name, &path);
                if (r >= 0)
                        r = hero_proc_connection_new_object_call(v->connection, path, "org.freedesktop.DBus.Properties",
                                                                 "GetAll", &call);
                if (r >= 0)
                        r = sd_bus_message_append(call, "s", SERVICE_INTERFACE);
        }
        if (r >= 0 && v->has_asked)
                r = sd_bus_message_set_auto_start(call, false);
        if (r >= 0)
                r = sd_bus_call_async(hero_proc_connection_bus(v->connection), &ask->slot, call, on_answer, ask,
                                      patience_usec);
        ask->late_usec = usec_add(clock_monotonic_usec(), patience_usec);
        return r;
}

static int send_asks(ServiceView *v) {
        int r = 0;

        for (; r >= 0 && v->n_sent < v->n_asks && v->n_sent - v->n_answered < HERO_PROC_CALLS_IN_FLIGHT_MAX;
             v->n_sent++)
                r = send_ask(v, &v->asks[v->n_sent]);
        return r;
}

static void ask(ServiceView *v) {
        int r;

        drop_asks(v);
        v->live = false;
        r = send_asks(v);
        v->has_asked = true;
        if (r < 0)
                become_away_with_errno(v, r);
        else if (v->n_asks == 0)
                v->live = true;
}

static void on_ask_again(void *userdata) {
        ask(userdata);
}

/* -- signals -- */

/* What memory ran out for is asked for: nothing else would tell it again. */
static int settle(ServiceView *v, int r) {
        if (r == -ENOMEM)
                ask(v);
        return 0;
}

static int on_properties_changed(sd_bus_message *signal, void *userdata, sd_bus_error *reterr _unused_) {
        _cleanup_free_ char *name = NULL;
        ServiceView *v = userdata;
        const char *interface;
        int r;

        if (v->away)
                return 0;
        r = name_of_path(sd_bus_message_get_path(signal), &name);
        if (r >= 0 && name)
                r = sd_bus_message_read(signal, "s", &interface);
        if (r > 0 && name && strcmp(interface, SERVICE_INTERFACE) == 0)
                r = take_properties(v, signal, name, false);
        return settle(v, r);
}

static int on_objects_changed(sd_bus_message *signal, void *userdata, sd_bus_error *reterr _unused_) {
        _cleanup_free_ char *name = NULL;
        ServiceView *v = userdata;
        const char *path;
        int r = 0;

        /* What is said before the answer is in the answer too. */
        if (v->away)
                return 0;
        if (sd_bus_message_is_signal(signal, NULL, "InterfacesAdded")) {
                r = take_object(v, signal, &name);
        } else if (sd_bus_message_is_signal(signal, NULL, "InterfacesRemoved")) {
                r = sd_bus_message_read(signal, "o", &path);
                if (r > 0)
                        r = name_of_path(path, &name);
                if (name)
                        remove_service(v, name);
        }
        return settle(v, r);
}

static int on_owner_changed(sd_bus_message *signal, void *userdata, sd_bus_error *reterr _unused_) {
        ServiceView *v = userdata;
        const char *owner;
        char *message = NULL;
        int r;

        if (sd_bus_message_read(signal, "sss", NULL, NULL, &owner) < 0)
                return 0;
        if (*owner) {
                end_absence(v);
                ask(v);
                return 0;
        }
        r = hero_proc_connection_fail(HERO_E_SERVER_UNREACHABLE, "hero_proc_server is not running", &message);
        become_away(v, r, message);
        return 0;
}

/* sd_bus_add_match() waits for its answer, and gives up at a signal. */
static int add_rule(ServiceView *v, size_t i, const char *rule, sd_bus_message_handler_t handler) {
        int r;

        do
                r = sd_bus_add_match(hero_proc_connection_bus(v->connection), &v->slots[i], rule, handler, v);
        while (r == -EINTR);
        return r;
}

/* On a bus anybody can send such signals; without one there are no names, and nobody else. */
static int add_match(ServiceView *v, size_t i, const char *rule, sd_bus_message_handler_t handler) {
        sd_bus *bus = hero_proc_connection_bus(v->connection);
        _cleanup_free_ char *from_server = NULL;

        if (sd_bus_is_bus_client(bus) > 0 && asprintf(&from_server, "%s,sender='" HERO_PROC_NAME "'", rule) < 0)
                return -ENOMEM;
        return add_rule(v, i, from_server ? from_server : rule, handler);
}

static int listen_to_all(ServiceView *v) {
        int r = add_match(v, 0,
                          "type='signal',path_namespace='" SERVICE_PATH "',interface='org.freedesktop.DBus.Properties',"
                          "member='PropertiesChanged',arg0='" SERVICE_INTERFACE "'",
                          on_properties_changed);

        if (r >= 0)
                r = add_match(v, 1,
                              "type='signal',path='" HERO_PROC_PATH "',interface='org.freedesktop.DBus.ObjectManager'",
                              on_objects_changed);
        if (r >= 0)
                r = add_rule(v, 2,
                             "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                             "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" HERO_PROC_NAME "'",
                             on_owner_changed);
        return r;
}

/* -- life -- */

int service_view_new(char *const *names, ViewObserver observer, void *userdata, ServiceView **ret) {
        _cleanup_(service_view_freep) ServiceView *v = calloc(1, sizeof *v);

        if (!v)
                return -ENOMEM;
        v->names = names;
        v->observer = observer;
        v->userdata = userdata;
        while (names && names[v->n_names])
                v->n_names++;
        v->n_asks = names ? v->n_names : 1;
        v->asks = calloc(v->n_asks + 1, sizeof *v->asks);
        if (!v->asks)
                return -ENOMEM;
        for (size_t i = 0; i < v->n_asks; i++)
                v->asks[i] = (Ask){ .view = v, .name = names ? names[i] : NULL };
        *ret = TAKE_PTR(v);
        return 0;
}

static void let_go(ServiceView *v) {
        drop_asks(v);
        for (size_t i = 0; i < SLOTS_MAX; i++)
                v->slots[i] = sd_bus_slot_unref(v->slots[i]);
        v->connection = NULL;
}

ServiceView *service_view_free(ServiceView *v) {
        if (!v)
                return NULL;
        if (v->asks)
                let_go(v);
        for (size_t i = 0; i < v->n_services; i++)
                viewed_service_free(v->services[i]);
        free(v->services);
        free(v->asks);
        free(v->error_message);
        free(v);
        return NULL;
}

int service_view_attach(ServiceView *v, HeroProcConnection *c, char **reterr_message) {
        int r;

        let_go(v);
        v->connection = c;
        /* Listen first and ask then: nothing can happen unseen in between. */
        r = listen_to_all(v);
        if (r < 0) {
                let_go(v);
                return hero_proc_connection_fail_with_errno(r, reterr_message);
        }
        ask(v);
        return 0;
}

void service_view_detach(ServiceView *v, const char *why) {
        char *message = NULL;
        int r = hero_proc_connection_fail(HERO_E_SERVER_UNREACHABLE, why, &message);

        let_go(v);
        become_away(v, r, message);
}
