/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/http_head.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool is_token(const char *s) {
        for (const char *c = s; *c; c++)
                if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
                      strchr("!#$%&'*+-.^_`|~", *c)))
                        return false;
        return *s != '\0';
}

static bool is_field_text(const char *s, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (((unsigned char) s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f)
                        return false;
        return true;
}

/* Visible ASCII: what else a path may hold is written with '%'. */
static bool is_target(const char *s) {
        for (; *s; s++)
                if (*s <= 0x20 || *s == 0x7f || *s == '#')
                        return false;
        return true;
}

size_t http_head_length(const char *bytes, size_t n) {
        const char *end;
        size_t n_head;

        if (n == 0) /* then `bytes` may be NULL */
                return 0;
        end = memmem(bytes, n, "\r\n\r\n", 4);
        n_head = end ? (size_t) (end - bytes) + 4 : n;

        for (const char *c = bytes; (c = memchr(c, '\n', n_head - (size_t) (c - bytes))); c++)
                if (c == bytes || c[-1] != '\r')
                        return (size_t) (c - bytes) + 1;
        return end ? n_head : 0;
}

/* "METHOD SP target SP HTTP/1.1", one blank each. */
static unsigned parse_request_line(char *line, HttpRequestHead *head, const char **ret_text) {
        char *target = strchr(line, ' '), *version = target ? strchr(target + 1, ' ') : NULL;

        if (!version)
                return *ret_text = "expected METHOD TARGET VERSION", 400;
        *target++ = *version++ = '\0';
        if (!is_token(line) || !is_target(target) || strchr(version, ' '))
                return *ret_text = "expected METHOD TARGET VERSION", 400;
        if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
                return *ret_text = "expected HTTP/1.1 or HTTP/1.0", 505;
        if (strlen(target) > HTTP_TARGET_MAX_BYTES)
                return *ret_text = "expected a target of at most 8 KiB", 414;
        head->method = line;
        head->target = target;
        head->version = version;
        return 0;
}

static unsigned parse_field(char *line, size_t n, HttpRequestHead *head, const char **ret_text) {
        char *colon = strchr(line, ':'), *value, *end = line + n;

        if (!is_field_text(line, n) || !colon)
                return *ret_text = "a header holds characters that do not belong there", 400;
        *colon = '\0';
        if (!is_token(line)) /* a blank before the colon, or at the start: a folded line */
                return *ret_text = "a header's name holds characters that do not belong there", 400;
        if (head->n_fields == HTTP_FIELDS_MAX)
                return *ret_text = "expected at most 64 headers", 431;
        value = colon + 1 + strspn(colon + 1, " \t");
        while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
                *--end = '\0';
        head->fields[head->n_fields++] = (HttpField){ line, value };
        return 0;
}

/* Cuts at the next CR LF. A CR or LF by itself, or a NUL, is in no line. */
static char *next_line(char **rest, char *end, size_t *ret_n) {
        char *line = *rest, *stop = memmem(line, (size_t) (end - line), "\r\n", 2);

        if (!stop || memchr(line, '\n', (size_t) (stop - line)) || memchr(line, '\r', (size_t) (stop - line)) ||
            memchr(line, '\0', (size_t) (stop - line)))
                return NULL;
        *stop = '\0';
        *ret_n = (size_t) (stop - line);
        *rest = stop + 2;
        return line;
}

unsigned http_head_parse(char *bytes, size_t n, HttpRequestHead *ret, const char **ret_text) {
        char *rest = bytes, *end = bytes + n, *line;
        size_t n_line;
        unsigned status;

        ret->n_fields = 0;
        line = next_line(&rest, end, &n_line);
        if (!line)
                return *ret_text = "expected lines that end in CR LF", 400;
        status = parse_request_line(line, ret, ret_text);
        while (status == 0) {
                line = next_line(&rest, end, &n_line);
                if (!line)
                        return *ret_text = "expected lines that end in CR LF", 400;
                if (n_line == 0)
                        return 0;
                status = parse_field(line, n_line, ret, ret_text);
        }
        return status;
}

const char *http_head_field(const HttpRequestHead *head, const char *name) {
        for (size_t i = 0; i < head->n_fields; i++)
                if (strcasecmp(head->fields[i].name, name) == 0)
                        return head->fields[i].value;
        return NULL;
}

int http_head_lists(const HttpRequestHead *head, const char *name, const char *word) {
        for (size_t i = 0; i < head->n_fields; i++) {
                const char *item = head->fields[i].value;

                while (strcasecmp(head->fields[i].name, name) == 0 && *item) {
                        size_t n;

                        item += strspn(item, ", \t");
                        n = strcspn(item, ", \t;");
                        if (n == strlen(word) && strncasecmp(item, word, n) == 0)
                                return 1;
                        item += strcspn(item, ",");
                }
        }
        return 0;
}
