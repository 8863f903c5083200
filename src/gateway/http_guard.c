/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/http_guard.h"

#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

/* Nobody else's pages are reached under these: no DNS but the machine's own answers for them. */
static const char *const loopback_hosts[] = { "localhost", "127.0.0.1", "[::1]", "hero_proc" };

/* -- headers -- */

static bool read_length(const char *s, uint64_t *ret) {
        uint64_t length = 0;

        if (*s == '\0' || strlen(s) > 18)
                return false;
        for (; *s; s++) {
                if (*s < '0' || *s > '9')
                        return false;
                length = length * 10 + (uint64_t) (*s - '0');
        }
        *ret = length;
        return true;
}

static bool is_named(const char *name, size_t n, const char *wanted) {
        return n == strlen(wanted) && strncasecmp(name, wanted, n) == 0;
}

void http_guard_add(HttpGuardHead *head, const char *name, const char *value) {
        if (strcasecmp(name, "Host") == 0) {
                head->host = value;
                head->n_hosts++;
        } else if (strcasecmp(name, "Content-Length") == 0) {
                head->bad_length = head->bad_length || !read_length(value, &head->content_length);
                head->n_lengths++;
        } else if (strcasecmp(name, "Transfer-Encoding") == 0)
                head->has_transfer_encoding = true;
        else if (strcasecmp(name, "Origin") == 0) {
                head->origin = value;
                head->n_origins++;
        } else if (strcasecmp(name, "Content-Type") == 0) {
                head->content_type = value;
                head->n_content_types++;
        } else if (strcasecmp(name, "Sec-Fetch-Site") == 0)
                head->fetch_site = value;
}

/* -- the form of a request -- */

static unsigned check_form(const HttpGuardHead *h, const char **ret_text) {
        if (h->n_hosts > 1 || h->n_origins > 1 || h->n_content_types > 1 || h->n_lengths > 1)
                return *ret_text = "a header that may come once came twice", 400;
        if (h->n_hosts == 0 && strcmp(h->version, "HTTP/1.1") == 0)
                return *ret_text = "expected a Host header", 400;
        return HTTP_STATUS_OK_TO_GO;
}

static unsigned check_body(const HttpGuardHead *h, const char **ret_text) {
        bool is_post = strcmp(h->method, "POST") == 0;

        if (h->has_transfer_encoding)
                return *ret_text = "expected Content-Length and no Transfer-Encoding", h->n_lengths > 0 ? 400 : 411;
        if (h->bad_length)
                return *ret_text = "Content-Length: expected a number of bytes", 400;
        if (is_post && h->n_lengths == 0)
                return *ret_text = "expected Content-Length", 411;
        if (!is_post && h->content_length > 0)
                return *ret_text = "a body is taken with POST only", 400;
        if (h->content_length > HTTP_BODY_MAX_BYTES)
                return *ret_text = "expected a body of at most 256 KiB", 413;
        return HTTP_STATUS_OK_TO_GO;
}

/* -- where it comes from -- */

/* "name", "name:80", "[::1]:80": the length of the name, 0 where that is not what it is. */
static size_t host_name_length(const char *host) {
        size_t n = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":"), n_all = strlen(host);

        if (n > n_all || (host[n] != '\0' && host[n] != ':'))
                return 0;
        for (size_t i = n + 1; i < n_all; i++)
                if (host[i] < '0' || host[i] > '9')
                        return 0;
        return n;
}

static bool is_path_in_hexadecimal(const char *host, const char *path) {
        static const char digits[] = "0123456789abcdef";

        for (; *path; path++, host += 2) {
                unsigned char c = (unsigned char) *path;

                if (host[0] != digits[c >> 4] || host[1] != digits[c & 15])
                        return false;
        }
        return *host == '\0' || *host == ':';
}

static bool is_allowed_host(const char *host, const HttpNames *names) {
        size_t n = host_name_length(host);

        if (names->socket_path &&
            (strcmp(host, names->socket_path) == 0 || is_path_in_hexadecimal(host, names->socket_path)))
                return true;

        if (n == 0)
                return false;
        for (size_t i = 0; i < ELEMENTSOF(loopback_hosts); i++)
                if (is_named(host, n, loopback_hosts[i]))
                        return true;
        for (const char *const *allowed = names->allowed; allowed && *allowed; allowed++)
                if (is_named(host, n, *allowed))
                        return true;
        return n > strlen(".localhost") && strncasecmp(host + n - strlen(".localhost"), ".localhost", 10) == 0;
}

/* A page of the same host and port sent it. A router in front may have changed Host, never Sec-Fetch-Site: the browser
 * writes that, and no page can. */
static bool is_own_origin(const HttpGuardHead *h, const HttpNames *names) {
        const char *host = strstr(h->origin, "://");

        if (!host || (strncmp(h->origin, "http://", 7) != 0 && strncmp(h->origin, "https://", 8) != 0))
                return false;
        host += 3;
        if (!is_allowed_host(host, names))
                return false;
        return (h->host && strcasecmp(host, h->host) == 0) ||
               (h->fetch_site && strcmp(h->fetch_site, "same-origin") == 0);
}

static unsigned check_source(const HttpGuardHead *h, const HttpNames *names, const char **ret_text) {
        bool changes = strcmp(h->method, "POST") == 0;

        /* A name of somebody else's that leads here (DNS rebinding) makes his page one of ours, to a browser. */
        if (h->host && !is_allowed_host(h->host, names))
                return *ret_text = "Host: not one of the names that this is reached by (--allow-host)", 403;
        if (changes && h->fetch_site && strcmp(h->fetch_site, "same-origin") != 0 && strcmp(h->fetch_site, "none") != 0)
                return *ret_text = "Sec-Fetch-Site: a page of another site may not do this", 403;
        if (changes && h->origin && !is_own_origin(h, names))
                return *ret_text = "Origin: a page of another site may not do this", 403;
        return HTTP_STATUS_OK_TO_GO;
}

unsigned http_guard_check(const HttpGuardHead *head, const HttpNames *names, const char **ret_text) {
        unsigned status = check_form(head, ret_text);

        if (status == HTTP_STATUS_OK_TO_GO)
                status = check_source(head, names, ret_text);
        if (status == HTTP_STATUS_OK_TO_GO)
                status = check_body(head, ret_text);
        return status;
}

bool http_guard_is_type(const char *content_type, const char *wanted) {
        size_t n = content_type ? strcspn(content_type, "; \t") : 0;

        return content_type && is_named(content_type, n, wanted);
}
