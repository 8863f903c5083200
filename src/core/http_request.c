/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/http_request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text_stream.h"

/* No blanks, no control characters; bytes from 0x80 on pass. */
static bool is_word(const char *s) {
        for (const char *c = s; *c; c++)
                if ((unsigned char) *c <= ' ' || *c == 0x7f)
                        return false;
        return *s != '\0';
}

static bool is_field_value(const char *s) {
        for (; *s; s++)
                if (((unsigned char) *s < ' ' && *s != '\t') || *s == 0x7f)
                        return false;
        return true;
}

static bool parts_are_valid(const ProbeDefinition *p) {
        if (!is_word(p->method) || !is_word(p->path))
                return false;
        for (size_t i = 0; i < p->n_headers; i++)
                if (!is_word(p->headers[i].name) || strchr(p->headers[i].name, ':') ||
                    !is_field_value(p->headers[i].value))
                        return false;
        return true;
}

static bool names_header(const ProbeDefinition *p, const char *name) {
        for (size_t i = 0; i < p->n_headers; i++)
                if (strcasecmp(p->headers[i].name, name) == 0)
                        return true;
        return false;
}

static bool is_framing(const char *name) {
        return strcasecmp(name, "Content-Length") == 0 || strcasecmp(name, "Transfer-Encoding") == 0;
}

/* These promise a body by their meaning: without one, a length of 0 is to be said (RFC 9110 8.6). */
static bool method_has_body(const char *method) {
        return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
}

static void write_request(FILE *f, const ProbeDefinition *p) {
        static const HttpHeader defaults[] = {
                { (char *) "Host", (char *) "localhost" },
                { (char *) "User-Agent", (char *) "hero_proc/" HERO_PROC_VERSION },
                { (char *) "Accept", (char *) "*/*" },
                { (char *) "Connection", (char *) "close" },
        };

        fprintf(f, "%s %s HTTP/1.1\r\n", p->method, p->path);
        for (size_t i = 0; i < ELEMENTSOF(defaults); i++)
                if (!names_header(p, defaults[i].name))
                        fprintf(f, "%s: %s\r\n", defaults[i].name, defaults[i].value);
        for (size_t i = 0; i < p->n_headers; i++)
                if (!is_framing(p->headers[i].name))
                        fprintf(f, "%s: %s\r\n", p->headers[i].name, p->headers[i].value);
        if (p->body && p->body_is_json && !names_header(p, "Content-Type"))
                fprintf(f, "Content-Type: application/json\r\n");
        if (p->body || method_has_body(p->method))
                fprintf(f, "Content-Length: %zu\r\n", p->body ? strlen(p->body) : 0);
        fprintf(f, "\r\n%s", p->body ? p->body : "");
}

int http_request_build(const ProbeDefinition *p, char **ret_bytes, size_t *ret_length) {
        _cleanup_free_ char *bytes = NULL;
        size_t length = 0;
        bool is_cut;
        FILE *f;

        if (!parts_are_valid(p))
                return -EINVAL;

        f = text_stream_open(&bytes, &length);
        if (!f)
                return -ENOMEM;
        write_request(f, p);
        is_cut = ferror(f) != 0;
        if (fclose(f) != 0 || is_cut)
                return -ENOMEM;

        *ret_bytes = TAKE_PTR(bytes);
        *ret_length = length;
        return 0;
}
