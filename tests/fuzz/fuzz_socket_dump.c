/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's dump of unix sockets. */
#include "fuzz_sock_diag.h"

#include "boundary/socket_dump.h"

static void claim_can_be_searched(const SocketPicture *p) {
        for (size_t i = 0; i < p->n_listeners; i++) {
                const Listener *l = &p->listeners[i], *found = socket_picture_find(p, l->device, l->inode);
                const char *name = p->names + l->name;

                CLAIM(l->name < p->n_name_bytes && l->name + strlen(name) < p->n_name_bytes,
                      "the name ends in its place");
                CLAIM(found && found <= l && found->device == l->device && found->inode == l->inode, "by its file");
                found = socket_picture_find_name(p, name);
                CLAIM(found && strcmp(p->names + found->name, name) == 0, "by its name");
        }
        CLAIM(socket_picture_equal(p, p), "equal to itself");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(socket_picture_done) SocketPicture picture = { 0 };
        SockDiag diag = { .fd = -1 };
        int fds[2];

        fuzz_hear(&diag, (FuzzInput){ data, size }, fds);
        (void) sock_diag_dump(&diag, "?", 1, socket_picture_take, &picture);
        fuzz_hear_no_more(&diag, fds);
        socket_picture_sort(&picture);
        claim_can_be_searched(&picture);

        sock_diag_done(&diag);
        return 0;
}
