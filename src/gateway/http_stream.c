/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/http_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/http_connection.h"

enum {
        READ_BYTES = 4096, /* that the library asks for at a time */
};

struct HttpStream {
        HttpExchange *exchange; /* NULL: over, and only the library has not let go of its answer yet */
        char *buffer;           /* what the client has not read yet; NULL: nothing, and no memory is held for it */
        size_t start, end, allocated;
        bool ended, waiting, cut;
        http_stream_closed_t closed;
        void *userdata;
};

/* The library's: gives what there is, or puts the connection to sleep until there is something. */
static ssize_t on_read(void *userdata, uint64_t position, char *out, size_t max) {
        HttpStream *s = userdata;
        size_t n = s->end - s->start;

        (void) position;
        if (!s->exchange || (n == 0 && (s->ended || s->cut)))
                return MHD_CONTENT_READER_END_OF_STREAM;
        if (n == 0) {
                s->exchange->suspended = true;
                MHD_suspend_connection(s->exchange->mhd);
                return 0;
        }
        n = n < max ? n : max;
        memcpy(out, s->buffer + s->start, n);
        s->start += n;
        if (s->start == s->end) {
                s->start = s->end = s->allocated = 0;
                free(TAKE_PTR(s->buffer));
        }
        return (ssize_t) n;
}

void http_stream_close(HttpStream *s) {
        s->exchange->connection->server->n_streams--;
        s->exchange = NULL;
        s->closed(s, s->userdata);
}

static void on_free(void *userdata) {
        HttpStream *s = userdata;

        free(s->buffer);
        free(s);
}

HttpStream *http_stream_new(HttpExchange *x, http_stream_closed_t closed, void *userdata, struct MHD_Response **ret) {
        HttpServer *server = x->connection->server;
        HttpStream *s;

        if (server->n_streams >= HTTP_STREAMS_MAX)
                return NULL;
        s = calloc(1, sizeof *s);
        if (!s)
                return NULL;
        *s = (HttpStream){ .exchange = x, .closed = closed, .userdata = userdata };
        *ret = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, READ_BYTES, on_read, s, on_free);
        if (!*ret) {
                free(s);
                return NULL;
        }
        server->n_streams++;
        return s;
}

static int make_room(HttpStream *s, size_t n) {
        size_t wanted = s->allocated ? s->allocated : 1024;
        char *grown;

        if (s->end - s->start + n > HTTP_STREAM_BUFFER_BYTES)
                return -ENOBUFS;
        if (s->start > 0) {
                memmove(s->buffer, s->buffer + s->start, s->end - s->start);
                s->end -= s->start;
                s->start = 0;
        }
        while (wanted < s->end + n)
                wanted *= 2;
        if (wanted == s->allocated)
                return 0;
        grown = realloc(s->buffer, wanted);
        if (!grown)
                return -ENOMEM;
        s->buffer = grown;
        s->allocated = wanted;
        return 0;
}

int http_stream_write(HttpStream *s, const char *bytes, size_t n) {
        int r;

        if (s->cut || s->ended)
                return -EPIPE;
        r = make_room(s, n);
        if (r < 0) {
                s->cut = true;
                http_connection_cut(s->exchange->connection);
        } else {
                memcpy(s->buffer + s->end, bytes, n);
                s->end += n;
        }
        http_exchange_resume(s->exchange);
        return r;
}

void http_stream_end(HttpStream *s) {
        s->ended = true;
        http_exchange_resume(s->exchange);
}
