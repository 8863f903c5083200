/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/socket_cleaning.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "boundary/socket_stale.h"
#include "core/unit_plan.h"

static void clean_ready_file(const Service *s, size_t action) {
        _cleanup_free_ char *path = unit_plan_ready_file(s->definition, action);

        if (path && unlink(path) < 0 && errno != ENOENT)
                log_warning("%s: cannot remove %s: %s", s->definition->name, path, strerror(errno));
}

static bool all_down(const Service *s) {
        for (size_t i = 0; i < s->definition->n_actions; i++)
                if (s->actions[i].facts.active != UNIT_INACTIVE && s->actions[i].facts.active != UNIT_FAILED)
                        return false;
        return true;
}

void socket_cleaning_run(Service *service, int action) {
        const ServiceDefinition *d = service->definition;
        bool with_common = action < 0 || all_down(service); /* a socket of no action may be any one's */

        for (size_t i = 0; i < d->n_sockets; i++) {
                int r;

                if (d->sockets[i].action < 0 ? !with_common : action >= 0 && d->sockets[i].action != action)
                        continue;
                if (service->sockets[i].in_view)
                        continue; /* what stands at that path here is not the service's */
                r = socket_remove_stale(d->sockets[i].path);
                /* What passes meets the next step too, which says so; and hero_proc_notify looks again. */
                if (r < 0 && !service_step_may_pass(r))
                        log_warning("%s: cannot tell whether a dead socket is at %s, or remove it: %s", d->name,
                                    d->sockets[i].path, strerror(-r));
                else if (r > 0)
                        log_info("%s: removed the dead socket %s", d->name, d->sockets[i].path);
        }
        for (size_t i = 0; i < d->n_actions; i++)
                if (d->actions[i].ready == READY_FILE && (action < 0 || (size_t) action == i))
                        clean_ready_file(service, i);
}
