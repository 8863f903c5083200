/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/service_mirror.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/outcome.h"
#include "boundary/hero_proc_client.h"
#include "gateway/mirror_row.h"

#define ASK_TIMEOUT_USEC (10 * USEC_PER_SEC)
#define WATCH_USEC (2 * USEC_PER_SEC)
#define RETRY_USEC (500 * USEC_PER_MSEC)

enum {
        ROWS_A_CALL = 64, /* neither the server nor we have to deal with more at a time */
};

/* One service that is known by name; `row` comes when it was asked for. */
typedef struct Entry {
        char *name;
        MirrorService *row; /* NULL: not answered yet */
        bool dirty;         /* to be asked for (again) */
        bool asked;         /* in the call that is under way */
        bool listed;        /* by the newest ListServices */
} Entry;

struct ServiceMirror {
        HeroProcLink *link;
        Entry *entries; /* sorted by name */
        size_t n, n_allocated;
        const MirrorService **shown; /* rows of the entries that have one, for service_mirror_services() */
        size_t n_shown;
        HeroProcCall *call;
        sd_event_source *refresh, *watch;
        MirrorObserver observers[SERVICE_MIRROR_OBSERVERS_MAX];
        size_t n_observers, n_watchers;
        uint64_t change, removal, since_usec;
        const char *absence; /* static */
        bool must_list, complete, has_spoken;
};

/* -- entries -- */

static size_t position(const ServiceMirror *m, const char *name, bool *ret_found) {
        size_t low = 0, high = m->n;

        while (low < high) {
                size_t middle = (low + high) / 2;
                int r = strcmp(m->entries[middle].name, name);

                if (r == 0) {
                        *ret_found = true;
                        return middle;
                }
                if (r < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        *ret_found = false;
        return low;
}

static Entry *find(const ServiceMirror *m, const char *name) {
        bool found;
        size_t i = position(m, name, &found);

        return found ? &m->entries[i] : NULL;
}

/* Both lists have room for as many: what is shown is never more than what is known. */
static int make_room(ServiceMirror *m) {
        size_t wanted = m->n_allocated ? 2 * m->n_allocated : 32;
        Entry *entries;
        const MirrorService **shown;

        if (m->n < m->n_allocated)
                return 0;
        entries = reallocarray(m->entries, wanted, sizeof *entries);
        if (!entries)
                return -ENOMEM;
        m->entries = entries;
        shown = reallocarray(m->shown, wanted, sizeof *shown);
        if (!shown)
                return -ENOMEM;
        m->shown = shown;
        m->n_allocated = wanted;
        return 0;
}

static int add(ServiceMirror *m, const char *name, Entry **ret) {
        bool found;
        size_t i = position(m, name, &found);

        if (!found) {
                char *copy = strdup(name);

                if (!copy || make_room(m) < 0) {
                        free(copy);
                        return -ENOMEM;
                }
                memmove(&m->entries[i + 1], &m->entries[i], (m->n - i) * sizeof *m->entries);
                m->entries[i] = (Entry){ .name = copy, .dirty = true };
                m->n++;
        }
        *ret = &m->entries[i];
        return 0;
}

static void show(ServiceMirror *m) {
        m->n_shown = 0;
        for (size_t i = 0; i < m->n; i++)
                if (m->entries[i].row)
                        m->shown[m->n_shown++] = m->entries[i].row;
}

static void entry_done(Entry *e) {
        free(e->name);
        free(e->row);
}

/* -- telling -- */

static void tell_changed(ServiceMirror *m, MirrorService *s) {
        s->change = ++m->change;
        for (size_t i = 0; i < m->n_observers; i++)
                if (m->observers[i].changed)
                        m->observers[i].changed(s, m->observers[i].userdata);
}

static void tell_presence(ServiceMirror *m) {
        m->since_usec = clock_realtime_usec();
        m->has_spoken = true;
        for (size_t i = 0; i < m->n_observers; i++)
                if (m->observers[i].presence)
                        m->observers[i].presence(m->complete, m->observers[i].userdata);
}

static void drop(ServiceMirror *m, size_t i) {
        Entry gone = m->entries[i];

        memmove(&m->entries[i], &m->entries[i + 1], (m->n - i - 1) * sizeof *m->entries);
        m->n--;
        show(m);
        m->removal = ++m->change;
        for (size_t j = 0; gone.row && j < m->n_observers; j++)
                if (m->observers[j].removed)
                        m->observers[j].removed(gone.name, m->observers[j].userdata);
        entry_done(&gone);
}

/* -- asking -- */

static void want_refresh(ServiceMirror *m, uint64_t usec) {
        (void) sd_event_source_set_time_relative(m->refresh, usec);
        (void) sd_event_source_set_enabled(m->refresh, SD_EVENT_ONESHOT);
}

static void note_complete(ServiceMirror *m) {
        if (m->complete || m->must_list)
                return;
        for (size_t i = 0; i < m->n; i++)
                if (!m->entries[i].row || m->entries[i].dirty)
                        return;
        m->complete = true;
        m->absence = "";
        log_info("hero_proc_server is there, with %zu service%s", m->n, m->n == 1 ? "" : "s");
        tell_presence(m);
}

/* -ENOMEM: it stays as it was, and is to be asked for again. */
static int take_row(ServiceMirror *m, const JsonValue *value) {
        const JsonValue *name = json_member(value, "name");
        Entry *e = name && name->kind == JSON_KIND_STRING ? find(m, name->string) : NULL;
        MirrorService *row, *old;
        int r = e ? mirror_row_read(value, &row) : 0;

        if (r == -ENOMEM)
                e->dirty = true;
        if (!e || r < 0)
                return r == -ENOMEM ? r : 0;
        old = e->row;
        row->is_current = !e->dirty; /* a signal came while it was asked for */
        row->change = old ? old->change : 0;
        e->row = row;
        show(m);
        if (!old || mirror_row_differs(old, row))
                tell_changed(m, row);
        free(old);
        return 0;
}

/* What could not be asked is asked again: soon, since it was something passing, but not at once. */
static void failed(ServiceMirror *m, const HeroProcAnswer *a) {
        for (size_t i = 0; i < m->n; i++)
                if (m->entries[i].asked)
                        m->entries[i].dirty = true;
        m->must_list = m->must_list || a->r == HERO_E_NO_SUCH_SERVICE;
        if (hero_proc_link_is_present(m->link))
                want_refresh(m, a->r == HERO_E_NO_SUCH_SERVICE ? 0 : RETRY_USEC);
}

static void on_rows(const HeroProcAnswer *a, void *userdata) {
        ServiceMirror *m = userdata;
        _cleanup_(json_document_freep) JsonDocument *d = NULL;
        _cleanup_free_ char *message = NULL;
        const char *text = NULL;
        bool whole = false;

        m->call = NULL;
        if (a->r == 0 && sd_bus_message_read(a->reply, "s", &text) >= 0 &&
            json_strict_parse(text, strlen(text), &d, &message) >= 0 && d->values[0].kind == JSON_KIND_ARRAY) {
                whole = true;
                for (const JsonValue *v = d->values[0].first; v; v = v->next)
                        whole = take_row(m, v) >= 0 && whole;
        } else
                failed(m, a);
        for (size_t i = 0; i < m->n; i++)
                m->entries[i].asked = false;
        note_complete(m);
        want_refresh(m, whole ? 0 : RETRY_USEC);
}

static int ask_for_rows(ServiceMirror *m) {
        const char *names[ROWS_A_CALL];
        HeroProcQuestion q = { .member = "GetStatus",
                               .signature = "ast",
                               .texts = names,
                               .flags = HERO_PROC_FLAG_RECENT,
                               .timeout_usec = ASK_TIMEOUT_USEC,
                               .is_prompt = true };

        int r;

        for (size_t i = 0; i < m->n && q.n_texts < ROWS_A_CALL; i++)
                if (m->entries[i].dirty) {
                        m->entries[i].dirty = false;
                        m->entries[i].asked = true;
                        names[q.n_texts++] = m->entries[i].name;
                }
        r = q.n_texts == 0 ? 0 : hero_proc_link_ask(m->link, &q, on_rows, m, &m->call);
        for (size_t i = 0; r < 0 && i < m->n; i++) {
                m->entries[i].dirty = m->entries[i].dirty || m->entries[i].asked;
                m->entries[i].asked = false;
        }
        return r;
}

static int take_list(ServiceMirror *m, sd_bus_message *reply) {
        const char *name;
        int r = sd_bus_message_enter_container(reply, 'a', "(sssso)");

        for (size_t i = 0; i < m->n; i++)
                m->entries[i].listed = false;
        while (r >= 0 && (r = sd_bus_message_read(reply, "(sssso)", &name, NULL, NULL, NULL, NULL)) > 0) {
                Entry *e;

                r = add(m, name, &e);
                if (r >= 0)
                        e->listed = e->dirty = true;
        }
        for (size_t i = m->n; r >= 0 && i > 0; i--)
                if (!m->entries[i - 1].listed)
                        drop(m, i - 1);
        return r;
}

static void on_list(const HeroProcAnswer *a, void *userdata) {
        ServiceMirror *m = userdata;

        m->call = NULL;
        if (a->r == 0 && take_list(m, a->reply) >= 0)
                m->must_list = false;
        note_complete(m); /* of no service at all */
        want_refresh(m, m->must_list ? RETRY_USEC : 0);
}

static int ask_for_list(ServiceMirror *m) {
        const HeroProcQuestion q = {
                .member = "ListServices", .signature = "", .timeout_usec = ASK_TIMEOUT_USEC, .is_prompt = true
        };

        return hero_proc_link_ask(m->link, &q, on_list, m, &m->call);
}

static int on_refresh(sd_event_source *source, uint64_t usec, void *userdata) {
        ServiceMirror *m = userdata;
        int r;

        (void) source;
        (void) usec;
        if (m->call || !hero_proc_link_is_present(m->link))
                return 0; /* the answer, or the server's return, asks for what is left */
        r = m->must_list ? ask_for_list(m) : ask_for_rows(m);
        if (r < 0)
                want_refresh(m, RETRY_USEC);
        return 0;
}

void service_mirror_refresh(ServiceMirror *m) {
        if (m->n_watchers > 0)
                return; /* it is done all the time */
        for (size_t i = 0; i < m->n; i++)
                m->entries[i].dirty = true;
        want_refresh(m, 0);
}

static int on_watch(sd_event_source *source, uint64_t usec, void *userdata) {
        ServiceMirror *m = userdata;

        (void) usec;
        if (m->n_watchers == 0)
                return 0;
        for (size_t i = 0; i < m->n; i++)
                m->entries[i].dirty = true;
        want_refresh(m, 0);
        (void) sd_event_source_set_time_relative(source, WATCH_USEC);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return 0;
}

/* -- the server's signals -- */

static void set_dirty(ServiceMirror *m, Entry *e) {
        e->dirty = true;
        if (e->row)
                e->row->is_current = false;
        want_refresh(m, 0);
}

static void on_presence(bool present, const char *text, void *userdata) {
        ServiceMirror *m = userdata;

        if (present) {
                /* What was known may be of another server's time. */
                m->must_list = true;
                m->absence = "asking hero_proc_server for its services";
                want_refresh(m, 0);
                return;
        }
        m->absence = text;
        log_warning("%s: everything is unknown until it is back", text);
        if (m->complete || !m->has_spoken) {
                m->complete = false;
                tell_presence(m);
        }
}

/* The state is there before the rest of it: a death is shown at once. */
static void on_state_changed(const char *service, const char *state, void *userdata) {
        ServiceMirror *m = userdata;
        ServiceState known = service_state_from_string(state);
        Entry *e = find(m, service);

        if (!e)
                return;
        set_dirty(m, e);
        if (e->row && known != SERVICE_STATE_INVALID)
                e->row->state = known;
}

static void on_properties_changed(const char *service, void *userdata) {
        ServiceMirror *m = userdata;
        Entry *e = find(m, service);

        if (e)
                set_dirty(m, e);
}

static void on_added(const char *service, void *userdata) {
        ServiceMirror *m = userdata;
        Entry *e;

        if (add(m, service, &e) >= 0) {
                set_dirty(m, e);
                return;
        }
        m->must_list = true;
        want_refresh(m, RETRY_USEC);
}

static void on_removed(const char *service, void *userdata) {
        ServiceMirror *m = userdata;
        bool found;
        size_t i = position(m, service, &found);

        if (found)
                drop(m, i);
}

/* -- life -- */

int service_mirror_new(sd_event *event, bool is_user, ServiceMirror **ret) {
        _cleanup_(service_mirror_freep) ServiceMirror *m = calloc(1, sizeof *m);
        const HeroProcLinkObserver observer = { .presence = on_presence,
                                                .state_changed = on_state_changed,
                                                .properties_changed = on_properties_changed,
                                                .added = on_added,
                                                .removed = on_removed,
                                                .userdata = m };
        int r;

        if (!m)
                return -ENOMEM;
        m->absence = "not connected to the bus yet";
        m->since_usec = clock_realtime_usec();
        r = sd_event_add_time(event, &m->refresh, CLOCK_MONOTONIC, USEC_NEVER, 1, on_refresh, m);
        if (r >= 0)
                r = sd_event_add_time(event, &m->watch, CLOCK_MONOTONIC, USEC_NEVER, 0, on_watch, m);
        if (r >= 0)
                r = hero_proc_link_new(event, is_user, &observer, &m->link);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

ServiceMirror *service_mirror_free(ServiceMirror *m) {
        if (!m)
                return NULL;
        hero_proc_link_free(m->link);
        sd_event_source_disable_unref(m->refresh);
        sd_event_source_disable_unref(m->watch);
        for (size_t i = 0; i < m->n; i++)
                entry_done(&m->entries[i]);
        free(m->entries);
        free(m->shown);
        free(m);
        return NULL;
}

int service_mirror_add_observer(ServiceMirror *m, const MirrorObserver *observer) {
        if (m->n_observers == SERVICE_MIRROR_OBSERVERS_MAX)
                return -E2BIG;
        m->observers[m->n_observers++] = *observer;
        return 0;
}

void service_mirror_set_watched(ServiceMirror *m, bool watched) {
        if (!watched) {
                m->n_watchers--;
                return;
        }
        if (m->n_watchers++ > 0)
                return;
        (void) sd_event_source_set_time_relative(m->watch, 0);
        (void) sd_event_source_set_enabled(m->watch, SD_EVENT_ONESHOT);
}

/* -- reading -- */

HeroProcLink *service_mirror_link(const ServiceMirror *m) {
        return m->link;
}

bool service_mirror_is_complete(const ServiceMirror *m) {
        return m->complete;
}

const char *service_mirror_absence(const ServiceMirror *m) {
        return m->absence;
}

uint64_t service_mirror_since_usec(const ServiceMirror *m) {
        return m->since_usec;
}

const MirrorService *const *service_mirror_services(const ServiceMirror *m, size_t *ret_n) {
        *ret_n = m->n_shown;
        return m->shown;
}

const MirrorService *service_mirror_find(const ServiceMirror *m, const char *name) {
        const Entry *e = find(m, name);

        return e ? e->row : NULL;
}

ServiceState service_mirror_state(const ServiceMirror *m, const MirrorService *s) {
        return m->complete ? s->state : SERVICE_UNKNOWN;
}

uint64_t service_mirror_change(const ServiceMirror *m) {
        return m->change;
}

uint64_t service_mirror_removal(const ServiceMirror *m) {
        return m->removal;
}
