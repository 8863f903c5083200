/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An answer that goes on: server-sent events. What is written waits in a buffer of a fixed size for a client that
 * reads; one that does not read is cut off, and not waited for. */

#include <stddef.h>

#include "base/cleanup.h"

enum {
        HTTP_STREAMS_MAX = 64,
        HTTP_STREAM_BUFFER_BYTES = 256 * 1024,
};

typedef struct HttpStream HttpStream;

typedef void (*http_stream_closed_t)(HttpStream *s, void *userdata);

/* The whole of it or nothing: a negative errno, and the client is being cut off, with closed() to come. */
int http_stream_write(HttpStream *s, const char *bytes, size_t n);
/* Something is lacking in it: cut off, with closed() to come. Whoever reads it comes again and is told all. */
void http_stream_cut(HttpStream *s);
/* Complete as it is: closed() comes once the client has read the rest. */
void http_stream_end(HttpStream *s);
