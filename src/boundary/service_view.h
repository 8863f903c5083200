/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A live copy of what org.hero.Proc1 publishes of its services: asked for until there is an answer, then carried on by
 * the server's signals alone. While the server is away nothing is known of any service, and that is what the copy says.
 * Must not print, and must not judge. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "boundary/hero_proc_connection.h"
#include "boundary/viewed_service.h"

typedef enum ViewEventKind {
        VIEW_SERVICE_CHANGED, /* something of what a ViewedService holds, or it is new */
        VIEW_SERVICE_REMOVED,
        VIEW_SERVER_GONE, /* before this its services have become unknown, without an event each */
        VIEW_SERVER_BACK, /* after it come its services, each as changed */
} ViewEventKind;

typedef struct ViewEvent {
        ViewEventKind kind;
        const ViewedService *service; /* NULL: it is about the server */
        ServiceState old_state;       /* SERVICE_STATE_INVALID: the service is new here */
} ViewEvent;

typedef void (*ViewObserver)(const ViewEvent *e, void *userdata);

typedef struct ServiceView ServiceView;

/* A copy of those `names` (NULL-terminated; NULL: of all services), which are borrowed. `observer`, which may be NULL,
 * is called from inside whatever handles the connection. -ENOMEM. */
int service_view_new(char *const *names, ViewObserver observer, void *userdata, ServiceView **ret);
ServiceView *service_view_free(ServiceView *v);
DEFINE_CLEANUP(ServiceView *, service_view_free)

/* Listens on that connection, and asks: the first time this may start the server, as any call does; one that leaves
 * later is waited for and not called back. The connection must stay until detach or free. As in hero_proc_connection.h.
 */
int service_view_attach(ServiceView *v, HeroProcConnection *c, char **reterr_message);
/* The connection is lost or given up. As if the server had left. */
void service_view_detach(ServiceView *v, const char *why);

/* Whether the copy is one: the server is there, and has answered. */
bool service_view_is_live(const ServiceView *v);
/* Why it is none: 0 while an answer is awaited, else an Outcome or negative errno with its text (borrowed). */
int service_view_error(const ServiceView *v, const char **ret_message);
/* Whether that was said by a server that is there, so that it is asked again after a pause. */
bool service_view_asks_again(const ServiceView *v);

/* By name. Valid until the connection is handled again. */
ViewedService *const *service_view_services(const ServiceView *v, size_t *ret_n);
/* NULL: there is none of that name. */
const ViewedService *service_view_find(const ServiceView *v, const char *name);
