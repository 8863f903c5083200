/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /proc/PID/net/tcp and tcp6 of another network: two files, with a NUL between them. */
#include "fuzz_target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "boundary/port_files.h"

enum { LINES_MAX = 256 };

typedef struct Taken {
        PortFileLine lines[LINES_MAX];
        size_t n, n_max;
} Taken;

static int take(const PortFileLine *line, void *userdata) {
        Taken *taken = userdata;

        if (taken->n >= taken->n_max)
                return -E2BIG;
        taken->lines[taken->n++] = *line;
        return 0;
}

/* A file of no folder, the same one each time. */
static int file_of(unsigned i, const void *data, size_t n) {
        static int fds[2] = { -1, -1 };

        if (fds[i] < 0)
                fds[i] = memfd_create("tcp", MFD_CLOEXEC);
        CLAIM(fds[i] >= 0 && ftruncate(fds[i], 0) == 0 && pwrite(fds[i], data, n, 0) == (ssize_t) n, "memfd");
        return fds[i];
}

static int read_at_most(const PortFiles *files, size_t n_max, Taken *ret) {
        ret->n = 0;
        ret->n_max = n_max;
        return port_files_read(files, take, ret);
}

static void claim_same(const Taken *a, const Taken *b) {
        CLAIM(a->n == b->n, "%zu, not %zu", b->n, a->n);
        for (size_t i = 0; i < a->n; i++) {
                const PortFileLine *x = &a->lines[i], *y = &b->lines[i];

                CLAIM(IN6_ARE_ADDR_EQUAL(&x->address, &y->address), "line %zu", i);
                CLAIM(x->port == y->port && x->backlog == y->backlog && x->uid == y->uid && x->socket == y->socket,
                      "line %zu", i);
        }
}

static void write_line(FILE *f, size_t i, const PortFileLine *l) {
        const uint32_t *words = l->address.s6_addr32;

        (void) fprintf(f, "%4zu: ", i);
        if (IN6_IS_ADDR_V4MAPPED(&l->address))
                (void) fprintf(f, "%08X:%04X 00000000:0000", words[3], l->port);
        else
                (void) fprintf(f, "%08X%08X%08X%08X:%04X %032X:0000", words[0], words[1], words[2], words[3], l->port,
                               0);
        (void) fprintf(f, " 0A 00000000:%08X 00:00000000 00000000 %5u        0 %u 1 0000000000000000 100 0 0 10 0\n",
                       l->backlog, l->uid, l->socket);
}

/* As the kernel writes it. */
static void claim_can_be_written(const Taken *taken) {
        static Taken again;
        _cleanup_free_ char *text = NULL;
        size_t n = 0;
        FILE *f = open_memstream(&text, &n);

        CLAIM(f, "memory");
        (void) fputs("  sl  local_address rem_address\n", f);
        for (size_t i = 0; i < taken->n; i++)
                write_line(f, i, &taken->lines[i]);
        CLAIM(fclose(f) == 0, "memory");
        CLAIM(read_at_most(&(PortFiles){ file_of(0, text, n), -1 }, LINES_MAX, &again) == 0,
              "what was written can be read");
        claim_same(taken, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static Taken taken, again;
        const uint8_t *end = size > 0 ? memchr(data, '\0', size) : NULL;
        size_t n = end ? (size_t) (end - data) : size;
        PortFiles files = { file_of(0, data, n), end ? file_of(1, end + 1, size - n - 1) : -1 };
        int r = read_at_most(&files, LINES_MAX, &taken);

        CLAIM(read_at_most(&files, LINES_MAX, &again) == r, "the same from the start");
        claim_same(&taken, &again);
        if (taken.n > 0)
                CLAIM(read_at_most(&files, taken.n - 1, &again) == -E2BIG, "who takes them says when it is enough");
        claim_can_be_written(&taken);
        return 0;
}
