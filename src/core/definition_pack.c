/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/definition_pack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Goes over a definition twice: first without a block, to count what it takes. */
typedef struct Packer {
        char *block;
        size_t n;
} Packer;

/* NULL while counting, and for nothing. */
static void *pack(Packer *p, const void *bytes, size_t n, size_t alignment) {
        size_t at = (p->n + alignment - 1) / alignment * alignment;

        if (n == 0)
                return NULL;
        p->n = at + n;
        return p->block ? memcpy(p->block + at, bytes, n) : NULL;
}

#define PACK_ARRAY(p, items, n) pack((p), (items), (n) * sizeof *(items), __alignof__(*(items)))

static char *pack_text(Packer *p, const char *text) {
        return text ? pack(p, text, strlen(text) + 1, 1) : NULL;
}

static char **pack_texts(Packer *p, char *const *texts) {
        size_t n = 0;
        char **packed;

        if (!texts)
                return NULL;
        while (texts[n])
                n++;
        packed = PACK_ARRAY(p, texts, n + 1);
        for (size_t i = 0; i < n; i++) {
                char *text = pack_text(p, texts[i]);

                if (packed)
                        packed[i] = text;
        }
        return packed;
}

static KeyValue *pack_pairs(Packer *p, const KeyValue *pairs, size_t n) {
        KeyValue *packed = PACK_ARRAY(p, pairs, n);

        for (size_t i = 0; i < n; i++) {
                KeyValue pair = { pack_text(p, pairs[i].key), pack_text(p, pairs[i].value) };

                if (packed)
                        packed[i] = pair;
        }
        return packed;
}

static HttpHeader *pack_headers(Packer *p, const HttpHeader *headers, size_t n) {
        HttpHeader *packed = PACK_ARRAY(p, headers, n);

        for (size_t i = 0; i < n; i++) {
                HttpHeader header = { pack_text(p, headers[i].name), pack_text(p, headers[i].value) };

                if (packed)
                        packed[i] = header;
        }
        return packed;
}

static ActionDefinition *pack_actions(Packer *p, const ActionDefinition *actions, size_t n) {
        ActionDefinition *packed = PACK_ARRAY(p, actions, n);

        for (size_t i = 0; i < n; i++) {
                ActionDefinition a = actions[i];

                a.name = pack_text(p, a.name);
                a.exec = pack_texts(p, a.exec);
                a.env = pack_pairs(p, a.env, a.n_env);
                a.env_file = pack_texts(p, a.env_file);
                a.credentials = pack_pairs(p, a.credentials, a.n_credentials);
                a.credentials_encrypted = pack_pairs(p, a.credentials_encrypted, a.n_credentials_encrypted);
                a.user = pack_text(p, a.user);
                a.group = pack_text(p, a.group);
                a.working_dir = pack_text(p, a.working_dir);
                if (!packed)
                        continue;
                a.systemd = json_object_get(a.systemd);
                packed[i] = a;
        }
        return packed;
}

static SocketDefinition *pack_sockets(Packer *p, const SocketDefinition *sockets, size_t n) {
        SocketDefinition *packed = PACK_ARRAY(p, sockets, n);

        for (size_t i = 0; i < n; i++) {
                SocketDefinition s = sockets[i];

                s.name = pack_text(p, s.name);
                s.path = pack_text(p, s.path);
                if (packed)
                        packed[i] = s;
        }
        return packed;
}

static ProbeDefinition *pack_probes(Packer *p, const ProbeDefinition *probes, size_t n) {
        ProbeDefinition *packed = PACK_ARRAY(p, probes, n);

        for (size_t i = 0; i < n; i++) {
                ProbeDefinition d = probes[i];

                d.name = pack_text(p, d.name);
                d.socket = pack_text(p, d.socket);
                d.method = pack_text(p, d.method);
                d.path = pack_text(p, d.path);
                d.headers = pack_headers(p, d.headers, d.n_headers);
                d.body = pack_text(p, d.body);
                d.expect_status = PACK_ARRAY(p, d.expect_status, d.n_expect_status);
                d.expect_body = pack_text(p, d.expect_body);
                if (packed)
                        packed[i] = d;
        }
        return packed;
}

static ServiceDefinition *pack_service(Packer *p, const ServiceDefinition *service) {
        ServiceDefinition *packed = PACK_ARRAY(p, service, 1), d = *service;

        d.actions = pack_actions(p, d.actions, d.n_actions);
        d.sockets = pack_sockets(p, d.sockets, d.n_sockets);
        d.ports = PACK_ARRAY(p, d.ports, d.n_ports);
        d.probes = pack_probes(p, d.probes, d.n_probes);
        d.requires = pack_texts(p, d.requires);
        d.after = pack_texts(p, d.after);
        d.text = pack_text(p, d.text);
        d.public_text = pack_text(p, d.public_text);
        d.name = pack_text(p, d.name);
        d.description = pack_text(p, d.description);
        d.on_failure_unit = pack_text(p, d.on_failure_unit);
        d.directory = pack_text(p, d.directory);
        if (packed)
                *packed = d;
        return packed;
}

int definition_pack(const ServiceDefinition *d, ServiceDefinition **ret) {
        Packer p = { 0 };

        (void) pack_service(&p, d);
        p.block = malloc(p.n);
        if (!p.block)
                return -ENOMEM;
        p.n = 0;
        *ret = pack_service(&p, d);
        return 0;
}
