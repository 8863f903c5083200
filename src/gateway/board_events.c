/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/board_events.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "gateway/board_page.h"

/* A comment line, so that routers do not take a quiet stream for a dead one. */
#define BEAT_USEC (15 * USEC_PER_SEC)

enum {
        FILTER_MAX_BYTES = 128,
};

typedef struct Watcher {
        LIST_ENTRY(Watcher) entry;
        BoardEvents *events;
        HttpStream *stream;
        BoardView view;
        char root[208], filter[FILTER_MAX_BYTES];
} Watcher;

struct BoardEvents {
        Gateway *gateway;
        sd_event_source *beat;
        LIST_HEAD(, Watcher) watchers;
};

/* The text, or NULL: an event that no memory was left for would be missed for ever, so the stream ends before it. */
static char *take(Watcher *w, HtmlText *h, size_t *ret_n) {
        char *text = html_take(h, ret_n);

        if (!text)
                http_stream_cut(w->stream);
        return text;
}

static bool begin(Watcher *w, HtmlText *h) {
        bool begun = html_open(h) >= 0;

        if (!begun)
                http_stream_cut(w->stream);
        return begun;
}

/* One event; `data` holds no line breaks but those that become blanks here. */
static void send_event(Watcher *w, const char *kind, const char *data, uint64_t id) {
        HtmlText h;
        size_t n;
        _cleanup_free_ char *text = NULL;

        if (!begin(w, &h))
                return;
        html_raw(&h, "id: %" PRIu64 "\nevent: %s\ndata: ", id, kind);
        for (; *data; data++)
                fputc(*data == '\n' || *data == '\r' ? ' ' : *data, h.f);
        html_raw(&h, "\n\n");
        text = take(w, &h, &n);
        if (text)
                (void) http_stream_write(w->stream, text, n);
}

static void send_summary(Watcher *w) {
        _cleanup_free_ char *text = NULL;
        HtmlText h;
        size_t n;

        if (!begin(w, &h))
                return;
        w->view.now_usec = clock_realtime_usec();
        board_summary_put(&h, &w->view);
        text = take(w, &h, &n);
        if (text)
                send_event(w, "summary", text, service_mirror_change(w->view.mirror));
}

static void send_row(Watcher *w, const MirrorService *s) {
        _cleanup_free_ char *text = NULL;
        HtmlText h;
        size_t n;

        if (!begin(w, &h))
                return;
        w->view.now_usec = clock_realtime_usec();
        board_row_put(&h, &w->view, s);
        text = take(w, &h, &n);
        if (text)
                send_event(w, "row", text, service_mirror_change(w->view.mirror));
}

static bool fits(const Watcher *w, const MirrorService *s) {
        return w->filter[0] == '\0' || strstr(s->name, w->filter) ||
               strcmp(service_state_to_string(service_mirror_state(w->view.mirror, s)), w->filter) == 0;
}

static bool is_on_first_page(const Watcher *w, const MirrorService *s) {
        _cleanup_free_ const MirrorService **services = NULL;
        size_t n;

        if (service_mirror_services(w->view.mirror, &n) && n <= BOARD_ROWS_A_PAGE)
                return true;
        if (board_select(w->view.mirror, w->filter, &services, &n) < 0)
                return true; /* one row too many is no harm */
        for (size_t i = 0; i < n && i < BOARD_ROWS_A_PAGE; i++)
                if (services[i] == s)
                        return true;
        return false;
}

static void on_changed(const MirrorService *s, void *userdata) {
        BoardEvents *e = userdata;
        Watcher *w, *next;

        for (w = LIST_FIRST(&e->watchers); w; w = next) {
                next = LIST_NEXT(w, entry);
                if (!service_mirror_is_complete(e->gateway->mirror) || !fits(w, s))
                        continue;
                if (s->since_usec > w->view.now_usec || s->state != SERVICE_RUNNING || is_on_first_page(w, s)) {
                        send_row(w, s);
                        send_summary(w);
                }
        }
}

static void on_removed(const char *name, void *userdata) {
        BoardEvents *e = userdata;
        Watcher *w, *next;

        for (w = LIST_FIRST(&e->watchers); w; w = next) {
                next = LIST_NEXT(w, entry);
                send_event(w, "gone", name, service_mirror_change(e->gateway->mirror));
                send_summary(w);
        }
}

static void on_presence(bool present, void *userdata) {
        BoardEvents *e = userdata;
        Watcher *w, *next;

        (void) present;
        for (w = LIST_FIRST(&e->watchers); w; w = next) {
                next = LIST_NEXT(w, entry);
                send_summary(w);
                send_event(w, "reload", "", service_mirror_change(e->gateway->mirror));
        }
}

static int on_beat(sd_event_source *source, uint64_t usec, void *userdata) {
        BoardEvents *e = userdata;
        Watcher *w, *next;

        (void) usec;
        for (w = LIST_FIRST(&e->watchers); w; w = next) {
                next = LIST_NEXT(w, entry);
                (void) http_stream_write(w->stream, ":\n\n", 3);
        }
        (void) sd_event_source_set_time_relative(source, BEAT_USEC);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return 0;
}

static void on_closed(HttpStream *stream, void *userdata) {
        Watcher *w = userdata;

        (void) stream;
        if (w->events->gateway->mirror) /* gone already at the end of the program */
                service_mirror_set_watched(w->events->gateway->mirror, false);
        LIST_REMOVE(w, entry);
        free(w);
}

/* From the number that the browser saw last; where too much happened since, the page is asked for again. */
static void catch_up(Watcher *w, const HttpExchange *x) {
        const char *text = http_exchange_header(x, "Last-Event-ID");
        uint64_t seen = text ? strtoull(text, NULL, 10) : 0;
        const ServiceMirror *m = w->view.mirror;
        size_t n;
        const MirrorService *const *services = service_mirror_services(m, &n);

        send_summary(w);
        if (!text)
                return;
        if (seen > service_mirror_change(m) || service_mirror_removal(m) > seen || !service_mirror_is_complete(m)) {
                send_event(w, "reload", "", service_mirror_change(m));
                return;
        }
        for (size_t i = 0; i < n; i++)
                if (services[i]->change > seen && fits(w, services[i]))
                        send_row(w, services[i]);
}

void board_events_handle(HttpExchange *x, void *userdata) {
        static const char retry[] = "retry: 1000\n\n";
        BoardEvents *e = userdata;
        const char *filter = http_exchange_query(x, "q");
        Watcher *w = calloc(1, sizeof *w);

        if (!w) {
                http_exchange_reply_error(x, 503, "out of memory");
                return;
        }
        w->events = e;
        board_view_init(&w->view, e->gateway, x, 0);
        (void) snprintf(w->root, sizeof w->root, "%s", w->view.root); /* the view's own ends with the request */
        w->view.root = w->root;
        (void) snprintf(w->filter, sizeof w->filter, "%s", filter ? filter : "");
        w->stream = http_exchange_reply_stream(x, "text/event-stream", on_closed, w);
        if (!w->stream) {
                free(w);
                return;
        }
        LIST_INSERT_HEAD(&e->watchers, w, entry);
        service_mirror_set_watched(e->gateway->mirror, true);
        (void) http_stream_write(w->stream, retry, sizeof retry - 1);
        catch_up(w, x);
}

int board_events_new(Gateway *g, BoardEvents **ret) {
        _cleanup_(board_events_freep) BoardEvents *e = calloc(1, sizeof *e);
        int r;

        if (!e)
                return -ENOMEM;
        e->gateway = g;
        LIST_INIT(&e->watchers);
        r = service_mirror_add_observer(g->mirror, &(MirrorObserver){ .changed = on_changed,
                                                                      .removed = on_removed,
                                                                      .presence = on_presence,
                                                                      .userdata = e });
        if (r >= 0)
                r = sd_event_add_time_relative(g->event, &e->beat, CLOCK_MONOTONIC, BEAT_USEC, USEC_PER_SEC, on_beat,
                                               e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(e);
        return 0;
}

/* The streams are closed by then: the HTTP server goes first. */
BoardEvents *board_events_free(BoardEvents *e) {
        if (!e)
                return NULL;
        sd_event_source_disable_unref(e->beat);
        free(e);
        return NULL;
}
