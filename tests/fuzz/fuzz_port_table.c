/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's dumps of TCP listeners, of IPv4 and of IPv6: two ports (two bytes each), all between which are declared,
 * and what the kernel says. */
#include "fuzz_sock_diag.h"

/* As source: whose socket a table reads is for nobody else to say. */
#include "boundary/port_table.c"

static int refresh(PortTable *t, FuzzInput in, bool *ret_changed) {
        int fds[2], r;

        fuzz_hear(&t->diag, in, fds);
        r = port_table_refresh(t, ret_changed);
        fuzz_hear_no_more(&t->diag, fds);
        CLAIM(port_table_is_good(t) == (r == 0), "%d", r);
        return r;
}

/* How a client gets there says how near it is. */
static void claim_place(const PortListener *l) {
        bool is_v4 = IN6_IS_ADDR_V4MAPPED(&l->loopback), is_v6 = IN6_IS_ADDR_LOOPBACK(&l->loopback);

        CLAIM(is_v4 || is_v6 || IN6_IS_ADDR_UNSPECIFIED(&l->loopback), "an address of loopback");
        CLAIM(!is_v4 || l->loopback.s6_addr[12] == IN_LOOPBACKNET, "an address of loopback");
        CLAIM(is_v6 == (l->reach == PORT_LOOPBACK_6), "%d", (int) l->reach);
        CLAIM(is_v4 || l->reach <= PORT_LOOPBACK_6, "%d", (int) l->reach);
}

static void claim_can_be_found(const PortTable *t) {
        const PortPicture *p = &t->pictures[t->current];
        size_t n = 0, n_found = 0;

        CLAIM(p->n <= PORT_TABLE_LISTENERS_MAX, "%zu", p->n);
        for (size_t i = 0; i < p->n; i++) {
                const PortListener *l = &p->listeners[i], *found = port_table_find(t, l->port, &n);

                CLAIM(is_declared(t, l->port), "%u", l->port);
                CLAIM(found && found <= l && l < found + n, "%u", l->port);
                CLAIM(i == 0 || p->listeners[i - 1].port != l->port || p->listeners[i - 1].reach >= l->reach,
                      "nearest first");
                CLAIM(port_table_has_socket(t, l->socket), "%u", l->socket);
                n_found += l == found ? n : 0;
                claim_place(l);
        }
        CLAIM(n_found == p->n, "each port once");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(port_table_freep) PortTable *t = NULL;
        FuzzInput in = { data, size };
        uint32_t first = fuzz_number(&in, 2), last = fuzz_number(&in, 2);
        bool changed = false;
        int r;

        CLAIM(port_table_new(&t) == 0, "memory");
        for (uint32_t port = first; port <= last; port++)
                port_table_declare(t, (uint16_t) port);
        r = refresh(t, in, &changed);
        if (r == 0) {
                CLAIM(changed, "the first is new");
                claim_can_be_found(t);
        }
        if (r == 0 && refresh(t, in, &changed) == 0)
                CLAIM(!changed, "the same again");
        return 0;
}
