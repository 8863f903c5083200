/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boundary/exec_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text_stream.h"

static const char magic[] = "hero_proc-exec-1";

static bool ready_is_known(const char *ready) {
        static const char *const known[] = { "exec", "notify", "fd3", "file", "none" };

        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (strcmp(ready, known[i]) == 0)
                        return true;
        return false;
}

/* The rules that hold on both sides: a writer refuses what a reader would refuse at the next crash restart, when nobody
 * is there to see why. */
static bool exec_file_is_valid(const ExecFile *f) {
        if (!ready_is_known(f->ready) || !f->arguments[0] || !f->arguments[0][0])
                return false;
        if (f->ready_file[0] ? f->ready_file[0] != '/' : strcmp(f->ready, "file") == 0)
                return false;
        for (char **s = f->sockets; *s; s++)
                if ((*s)[0] != '/')
                        return false;
        return true;
}

/* ---- writing ---- */

static void put_string(FILE *stream, const char *s) {
        (void) fwrite(s, 1, strlen(s) + 1, stream);
}

static void put_list(FILE *stream, char **list) {
        size_t n = 0;

        while (list[n])
                n++;
        (void) fprintf(stream, "%zu%c", n, '\0');
        for (size_t i = 0; i < n; i++)
                put_string(stream, list[i]);
}

int exec_file_format(const ExecFile *f, char **ret, size_t *ret_size) {
        _cleanup_free_ char *text = NULL;
        FILE *stream;
        size_t size = 0;

        stream = text_stream_open(&text, &size);
        if (!stream)
                return -errno;
        put_string(stream, magic);
        put_string(stream, f->ready);
        put_string(stream, f->ready_file);
        put_list(stream, f->sockets);
        put_list(stream, f->arguments);
        bool failed = ferror(stream);
        if (fclose(stream) != 0 || failed)
                return -ENOMEM;
        if (size > EXEC_FILE_BYTES_MAX)
                return -E2BIG;

        *ret = TAKE_PTR(text);
        *ret_size = size;
        return 0;
}

static int write_all(int fd, const char *p, size_t size) {
        while (size > 0) {
                ssize_t n = write(fd, p, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                p += n;
                size -= (size_t) n;
        }
        return 0;
}

/* A new file at `path`, never one that lay there: a leftover of a killed server is removed first. */
static int create_file(const char *path, const char *text, size_t size) {
        _cleanup_close_ int fd = -1;
        int r;

        if (unlink(path) < 0 && errno != ENOENT)
                return -errno;
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0)
                return -errno;
        r = write_all(fd, text, size);
        if (r < 0)
                return r;
        /* The umask must not hide the file from a shim that runs as the action's own user. */
        if (fchmod(fd, 0644) < 0 || fsync(fd) < 0)
                return -errno;
        return 0;
}

int exec_file_write(const char *path, const ExecFile *f) {
        _cleanup_free_ char *text = NULL, *temporary = NULL;
        size_t size = 0;
        int r;

        if (!exec_file_is_valid(f))
                return -EINVAL;
        r = exec_file_format(f, &text, &size);
        if (r < 0)
                return r;
        /* An action's name holds no '.', so this cannot be the file of another action. */
        if (asprintf(&temporary, "%s.new", path) < 0)
                return -ENOMEM;

        r = create_file(temporary, text, size);
        if (r >= 0 && rename(temporary, path) < 0)
                r = -errno;
        if (r < 0)
                (void) unlink(temporary);
        return r;
}

/* ---- reading ---- */

/* The whole file in *ret. Its last byte is NUL, so that every string in it ends inside it. */
static int read_text(const char *path, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *text = NULL;
        struct stat st;
        size_t size = 0;

        /* Without O_NONBLOCK a FIFO in its place would hold up the service's start for ever. */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_size == 0)
                return -EBADMSG;
        if (st.st_size > EXEC_FILE_BYTES_MAX)
                return -E2BIG;
        text = malloc((size_t) st.st_size);
        if (!text)
                return -ENOMEM;

        while (size < (size_t) st.st_size) {
                ssize_t n = read(fd, text + size, (size_t) st.st_size - size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return -EBADMSG;
                size += (size_t) n;
        }
        if (text[size - 1] != '\0')
                return -EBADMSG;

        *ret = TAKE_PTR(text);
        *ret_size = size;
        return 0;
}

/* The strings not yet taken: [next, end). */
typedef struct Cursor {
        char *next, *end;
} Cursor;

static int take_string(Cursor *c, char **ret) {
        if (c->next >= c->end)
                return -EBADMSG;
        *ret = c->next;
        c->next += strlen(c->next) + 1;
        return 0;
}

/* A count as put_list() writes it: digits alone, and no more than there are bytes left, which bounds the allocation. */
static int take_count(Cursor *c, size_t *ret) {
        size_t n = 0;
        char *s;
        int r;

        r = take_string(c, &s);
        if (r < 0)
                return r;
        if (!*s)
                return -EBADMSG;
        for (; *s; s++) {
                if (*s < '0' || *s > '9')
                        return -EBADMSG;
                n = n * 10 + (size_t) (*s - '0');
                if (n > (size_t) (c->end - c->next))
                        return -EBADMSG;
        }
        *ret = n;
        return 0;
}

static int take_list(Cursor *c, char ***ret) {
        _cleanup_free_ char **list = NULL;
        size_t n;
        int r;

        r = take_count(c, &n);
        if (r < 0)
                return r;
        list = calloc(n + 1, sizeof(char *));
        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                r = take_string(c, &list[i]);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(list);
        return 0;
}

static int exec_file_parse(Cursor c, ExecFile *f) {
        char *first;
        int r;

        r = take_string(&c, &first);
        if (r < 0)
                return r;
        if (strcmp(first, magic) != 0)
                return -EBADMSG;
        if ((r = take_string(&c, &f->ready)) < 0 || (r = take_string(&c, &f->ready_file)) < 0 ||
            (r = take_list(&c, &f->sockets)) < 0 || (r = take_list(&c, &f->arguments)) < 0)
                return r;
        return c.next == c.end && exec_file_is_valid(f) ? 0 : -EBADMSG;
}

int exec_file_read(const char *path, ExecFile *ret) {
        _cleanup_(exec_file_done) ExecFile f = {};
        size_t size = 0;
        int r;

        r = read_text(path, &f.buffer, &size);
        if (r < 0)
                return r;
        r = exec_file_parse((Cursor){ f.buffer, f.buffer + size }, &f);
        if (r < 0)
                return r;

        *ret = f;
        f = (ExecFile){};
        return 0;
}

void exec_file_done(ExecFile *f) {
        /* One built by hand points at strings and lists of its builder. */
        if (f->buffer) {
                free(f->sockets);
                free(f->arguments);
                free(f->buffer);
        }
        *f = (ExecFile){};
}
