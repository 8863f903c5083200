/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/start_order.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/outcome.h"

/* Services by their rank in the order of names, so that neither message nor order depends on the order of the set.
 * Those that service `v` waits for are edges[first_edge[v]] up to edges[first_edge[v + 1]]. */
typedef struct Graph {
        const ServiceDefinition **services;
        size_t *index; /* where it stood in the caller's set */
        size_t *edges, *first_edge;
        size_t n;
} Graph;

static void graph_done(Graph *g) {
        free(g->services);
        free(g->index);
        free(g->edges);
        free(g->first_edge);
}

typedef struct Place {
        const ServiceDefinition *service;
        size_t index;
} Place;

static int compare_places(const void *a, const void *b) {
        const Place *pa = a, *pb = b;

        return strcmp(pa->service->name, pb->service->name);
}

static size_t count(char *const *list) {
        size_t n = 0;

        while (list && list[n])
                n++;
        return n;
}

/* Rank of the service of that name; SIZE_MAX: there is none. */
static size_t find(const Graph *g, const char *name) {
        size_t low = 0, high = g->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int order = strcmp(name, g->services[middle]->name);

                if (order == 0)
                        return middle;
                if (order < 0)
                        high = middle;
                else
                        low = middle + 1;
        }
        return SIZE_MAX;
}

static void add_edges(Graph *g, size_t *n_edges, char *const *names) {
        for (size_t i = 0; names && names[i]; i++) {
                size_t to = find(g, names[i]);

                if (to != SIZE_MAX)
                        g->edges[(*n_edges)++] = to;
        }
}

static int graph_init(Graph *g, const ServiceDefinition *const *definitions, size_t n) {
        _cleanup_free_ Place *places = calloc(n + 1, sizeof *places);
        size_t n_names = 0, n_edges = 0;

        g->n = n;
        g->services = calloc(n + 1, sizeof g->services[0]);
        g->index = calloc(n + 1, sizeof g->index[0]);
        g->first_edge = calloc(n + 1, sizeof g->first_edge[0]);
        for (size_t i = 0; i < n; i++)
                n_names += count(definitions[i]->requires) + count(definitions[i]->after);
        g->edges = calloc(n_names + 1, sizeof g->edges[0]);
        if (!places || !g->services || !g->index || !g->first_edge || !g->edges)
                return -ENOMEM;

        for (size_t i = 0; i < n; i++)
                places[i] = (Place){ definitions[i], i };
        qsort(places, n, sizeof places[0], compare_places);
        for (size_t i = 0; i < n; i++) {
                g->services[i] = places[i].service;
                g->index[i] = places[i].index;
        }
        for (size_t i = 0; i < n; i++) {
                g->first_edge[i] = n_edges;
                add_edges(g, &n_edges, g->services[i]->requires);
                add_edges(g, &n_edges, g->services[i]->after);
        }
        g->first_edge[n] = n_edges;
        return 0;
}

static int check_names(const Graph *g, char **reterr_message) {
        for (size_t i = 0; i < g->n; i++) {
                char *const *requires = g->services[i]->requires;

                for (size_t j = 0; requires && requires[j]; j++)
                        if (find(g, requires[j]) == SIZE_MAX)
                                return asprintf(reterr_message, "%s: requires[%zu]: \"%s\": no such service",
                                                g->services[i]->name, j, requires[j]) < 0
                                               ? -ENOMEM
                                               : HERO_E_INVALID_DEFINITION;
        }
        return 0;
}

/* The cycle is path[0..n-1], each waiting for the next and the last for the first; told from its smallest name on. */
static int tell_cycle(const Graph *g, const size_t *path, size_t n, char **reterr_message) {
        char *text, *end;
        size_t start = 0, size = 1;

        for (size_t i = 0; i < n; i++)
                if (path[i] < path[start])
                        start = i;
        for (size_t i = 0; i <= n; i++)
                size += strlen(g->services[path[(start + i) % n]]->name) + strlen(" -> ");
        text = end = malloc(size);
        if (!text)
                return -ENOMEM;
        for (size_t i = 0; i <= n; i++)
                end = stpcpy(stpcpy(end, i > 0 ? " -> " : ""), g->services[path[(start + i) % n]]->name);
        *reterr_message = text;
        return HERO_E_DEPENDENCY_CYCLE;
}

/* A walk in depth with its own stack: a chain of thousands of services must not be a chain of calls. */
typedef struct Walk {
        size_t *path;      /* services entered and not left, outermost first */
        size_t *next_edge; /* of each service: the next edge to follow; first_edge[v + 1] where it is done */
        size_t *place;     /* of each service: 1 + where it stands in path; 0: not on it */
        size_t n;
} Walk;

static void walk_done(Walk *w) {
        free(w->path);
        free(w->next_edge);
        free(w->place);
}

static int walk_from(Walk *w, const Graph *g, size_t start, char **reterr_message) {
        w->path[w->n++] = start;
        w->place[start] = w->n;
        while (w->n > 0) {
                size_t v = w->path[w->n - 1], to;

                if (w->next_edge[v] == g->first_edge[v + 1]) {
                        w->place[v] = 0;
                        w->n--;
                        continue;
                }
                to = g->edges[w->next_edge[v]++];
                if (w->place[to] > 0)
                        return tell_cycle(g, w->path + w->place[to] - 1, w->n - w->place[to] + 1, reterr_message);
                /* Entered before: a service without edges is entered anew, which costs its one look. */
                if (w->next_edge[to] > g->first_edge[to])
                        continue;
                w->path[w->n++] = to;
                w->place[to] = w->n;
        }
        return 0;
}

static int check_cycles(const Graph *g, char **reterr_message) {
        _cleanup_(walk_done) Walk w = {
                .path = calloc(g->n + 1, sizeof *w.path),
                .next_edge = calloc(g->n + 1, sizeof *w.next_edge),
                .place = calloc(g->n + 1, sizeof *w.place),
        };

        if (!w.path || !w.next_edge || !w.place)
                return -ENOMEM;
        memcpy(w.next_edge, g->first_edge, g->n * sizeof w.next_edge[0]);
        for (size_t i = 0; i < g->n; i++) {
                int r;

                if (w.next_edge[i] > g->first_edge[i])
                        continue;
                r = walk_from(&w, g, i, reterr_message);
                if (r != 0)
                        return r;
        }
        return 0;
}

int start_order_check(const ServiceDefinition *const *definitions, size_t n, char **reterr_message) {
        _cleanup_(graph_done) Graph g = {};
        int r;

        r = graph_init(&g, definitions, n);
        if (r < 0)
                return r;
        r = check_names(&g, reterr_message);
        return r != 0 ? r : check_cycles(&g, reterr_message);
}

/* The ready services as a binary heap, the smallest rank, which is the smallest name, on top. */

static void heap_push(size_t *heap, size_t *n, size_t v) {
        size_t i = (*n)++;

        for (; i > 0 && heap[(i - 1) / 2] > v; i = (i - 1) / 2)
                heap[i] = heap[(i - 1) / 2];
        heap[i] = v;
}

static size_t heap_pop(size_t *heap, size_t *n) {
        size_t top = heap[0], last = heap[--(*n)], i = 0;

        for (;;) {
                size_t child = 2 * i + 1;

                if (child >= *n)
                        break;
                if (child + 1 < *n && heap[child + 1] < heap[child])
                        child++;
                if (heap[child] >= last)
                        break;
                heap[i] = heap[child];
                i = child;
        }
        heap[i] = last;
        return top;
}

/* The same edges the other way round: who waits for `v`. */
static int graph_reverse(const Graph *g, size_t **ret_edges, size_t **ret_first) {
        _cleanup_free_ size_t *edges = calloc(g->first_edge[g->n] + 1, sizeof *edges);
        _cleanup_free_ size_t *first = calloc(g->n + 2, sizeof *first);

        if (!edges || !first)
                return -ENOMEM;
        for (size_t e = 0; e < g->first_edge[g->n]; e++)
                first[g->edges[e] + 2]++;
        for (size_t v = 0; v < g->n; v++)
                first[v + 2] += first[v + 1];
        /* first[v + 1] is where v's next edge goes; when all are placed it is where they end. */
        for (size_t v = 0; v < g->n; v++)
                for (size_t e = g->first_edge[v]; e < g->first_edge[v + 1]; e++)
                        edges[first[g->edges[e] + 1]++] = v;
        *ret_edges = TAKE_PTR(edges);
        *ret_first = TAKE_PTR(first);
        return 0;
}

int start_order_sort(const ServiceDefinition *const *definitions, size_t n, size_t *ret_order) {
        _cleanup_(graph_done) Graph g = {};
        _cleanup_free_ size_t *edges = NULL, *first = NULL, *n_awaited = NULL, *heap = NULL;
        size_t n_ready = 0, n_done = 0;
        int r;

        r = graph_init(&g, definitions, n);
        if (r < 0)
                return r;
        r = graph_reverse(&g, &edges, &first);
        if (r < 0)
                return r;
        n_awaited = calloc(n + 1, sizeof *n_awaited);
        heap = calloc(n + 1, sizeof *heap);
        if (!n_awaited || !heap)
                return -ENOMEM;

        for (size_t v = 0; v < n; v++) {
                n_awaited[v] = g.first_edge[v + 1] - g.first_edge[v];
                if (n_awaited[v] == 0)
                        heap_push(heap, &n_ready, v);
        }
        while (n_ready > 0) {
                size_t v = heap_pop(heap, &n_ready);

                ret_order[n_done++] = g.index[v];
                for (size_t e = first[v]; e < first[v + 1]; e++)
                        if (--n_awaited[edges[e]] == 0)
                                heap_push(heap, &n_ready, edges[e]);
        }
        /* Fewer only where the set has a cycle, which the caller was to check; the rest then follows by name. */
        for (size_t v = 0; v < n && n_done < n; v++)
                if (n_awaited[v] > 0)
                        ret_order[n_done++] = g.index[v];
        return 0;
}
