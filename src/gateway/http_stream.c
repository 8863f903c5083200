/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/http_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/http_connection.h"

struct HttpStream {
        HttpConnection *connection;
        char *buffer; /* what the client has not read yet; NULL: nothing, and no memory is held for it */
        size_t start, end, allocated;
        bool ended;
        http_stream_closed_t closed;
        void *userdata;
};

HttpStream *http_stream_new(HttpConnection *c, http_stream_closed_t closed, void *userdata) {
        HttpStream *s = c->server->n_streams < HTTP_STREAMS_MAX ? calloc(1, sizeof *s) : NULL;

        if (!s)
                return NULL;
        *s = (HttpStream){ .connection = c, .closed = closed, .userdata = userdata };
        c->server->n_streams++;
        return s;
}

void http_stream_close(HttpStream *s) {
        s->connection->server->n_streams--;
        s->closed(s, s->userdata);
        free(s->buffer);
        free(s);
}

bool http_stream_peek(const HttpStream *s, struct iovec *ret, bool *ret_ended) {
        *ret_ended = s->ended;
        if (s->end == s->start)
                return false;
        *ret = (struct iovec){ s->buffer + s->start, s->end - s->start };
        return true;
}

void http_stream_sent(HttpStream *s, size_t n) {
        s->start += n;
        if (s->start < s->end)
                return;
        s->start = s->end = s->allocated = 0;
        free(TAKE_PTR(s->buffer));
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

        if (s->ended || s->connection->is_gone)
                return -EPIPE;
        r = make_room(s, n);
        if (r < 0) {
                http_connection_cut(s->connection);
                return r;
        }
        memcpy(s->buffer + s->end, bytes, n);
        s->end += n;
        http_connection_pull(s->connection);
        return 0;
}

void http_stream_cut(HttpStream *s) {
        http_connection_cut(s->connection);
}

void http_stream_end(HttpStream *s) {
        s->ended = true;
        http_connection_pull(s->connection);
}
