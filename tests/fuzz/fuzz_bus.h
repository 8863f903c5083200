/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Messages of somebody at the other end of a D-Bus connection who may be any program, made of a target's input. */

#include <sys/socket.h>
#include <systemd/sd-bus.h>

#include "fuzz_target.h"

/* What whoever is imitated says: words, names that are asked for, and what the paths of objects begin with. */
typedef struct FuzzWords {
        const char *const *words;
        size_t n_words;
        const char *const *names;
        size_t n_names;
        const char *path;
} FuzzWords;

typedef struct FuzzProperty {
        const char *name, *type;
} FuzzProperty;

/* Borrowed, until the next one. */
static _unused_ const char *fuzz_word(FuzzInput *in, const FuzzWords *w) {
        static char text[256];
        uint8_t which = fuzz_byte(in);

        if (which < w->n_words)
                return w->words[which];
        if (which < 64)
                return w->names[which % w->n_names];
        _cleanup_free_ char *s = fuzz_string(in, NULL);
        for (char *c = s; *c; c++) /* sd-bus sends UTF-8 only */
                *c &= 0x7f;
        (void) snprintf(text, sizeof text, "%s", s);
        return text;
}

static _unused_ void fuzz_append_basic(sd_bus_message *m, char type, FuzzInput *in, const FuzzWords *w) {
        union {
                uint8_t y;
                int b;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
        } v = { 0 };

        if (type == 's') {
                CLAIM(sd_bus_message_append_basic(m, 's', fuzz_word(in, w)) >= 0, "s");
                return;
        }
        if (type == 'o') {
                _cleanup_free_ char *path = NULL;
                unsigned number = fuzz_number(in, 1);

                CLAIM(asprintf(&path, "%s%u", w->path, number) > 0 && sd_bus_message_append_basic(m, 'o', path) >= 0,
                      "o");
                return;
        }
        v.t = fuzz_number(in, 4) | (uint64_t) fuzz_byte(in) << 56;
        if (type == 'b')
                v.b = v.t & 1;
        CLAIM(sd_bus_message_append_basic(m, type, &v) >= 0, "%c", type);
}

/* A structure of basic types, "(uo)". */
static _unused_ void fuzz_append_struct(sd_bus_message *m, const char *types, FuzzInput *in, const FuzzWords *w) {
        CLAIM(sd_bus_message_open_container(m, 'r', types) >= 0, "%s", types);
        for (; *types; types++)
                fuzz_append_basic(m, *types, in, w);
        CLAIM(sd_bus_message_close_container(m) >= 0, "r");
}

/* A value of a type that properties have, in a variant. */
static _unused_ void fuzz_append_variant(sd_bus_message *m, const char *type, FuzzInput *in, const FuzzWords *w) {
        CLAIM(sd_bus_message_open_container(m, 'v', type) >= 0, "%s", type);
        if (strcmp(type, "ay") == 0) {
                uint8_t id[16];

                for (size_t i = 0; i < sizeof id; i++)
                        id[i] = fuzz_byte(in);
                CLAIM(sd_bus_message_append_array(m, 'y', id, fuzz_byte(in) % 4 ? sizeof id : 3) >= 0, "ay");
        } else if (strcmp(type, "(uo)") == 0) {
                fuzz_append_struct(m, "uo", in, w);
        } else if (strcmp(type, "a(sss)") == 0) {
                CLAIM(sd_bus_message_open_container(m, 'a', "(sss)") >= 0, "a");
                for (unsigned n = fuzz_byte(in) % 8; n > 0; n--)
                        fuzz_append_struct(m, "sss", in, w);
                CLAIM(sd_bus_message_close_container(m) >= 0, "a");
        } else {
                fuzz_append_basic(m, type[0], in, w);
        }
        CLAIM(sd_bus_message_close_container(m) >= 0, "v");
}

static _unused_ const char *fuzz_type(FuzzInput *in) {
        static const char *const types[] = { "s", "u", "i", "t", "b", "o", "y", "x", "ay", "(uo)" };

        return types[fuzz_byte(in) % ELEMENTSOF(types)];
}

/* a{sv}: of those that are known, in any order and number; some of another type. */
static _unused_ void fuzz_append_properties(sd_bus_message *m, FuzzInput *in, const FuzzWords *w,
                                            const FuzzProperty *known, size_t n_known) {
        CLAIM(sd_bus_message_open_container(m, 'a', "{sv}") >= 0, "a{sv}");
        for (unsigned n = fuzz_byte(in) % 16; n > 0; n--) {
                uint8_t which = fuzz_byte(in);
                const FuzzProperty *p = &known[which % n_known];

                CLAIM(sd_bus_message_open_container(m, 'e', "sv") >= 0, "{sv}");
                CLAIM(sd_bus_message_append_basic(m, 's', p->name) >= 0, "s");
                fuzz_append_variant(m, which & 0x80 ? fuzz_type(in) : p->type, in, w);
                CLAIM(sd_bus_message_close_container(m) >= 0, "{sv}");
        }
        CLAIM(sd_bus_message_close_container(m) >= 0, "a{sv}");
}

/* Both ends of a connection without a bus. What comes to theirs goes to `on_theirs`. */
static _unused_ void fuzz_connect(sd_bus **ret_ours, sd_bus **ret_theirs, sd_bus_message_handler_t on_theirs,
                                  void *userdata) {
        int fds[2];

        CLAIM(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0, "socketpair");
        CLAIM(sd_bus_new(ret_theirs) >= 0 && sd_bus_set_fd(*ret_theirs, fds[1], fds[1]) >= 0 &&
                      sd_bus_set_server(*ret_theirs, 1,
                                        SD_ID128_MAKE(1, 2, 3, 4, 5, 6, 7, 8, 9, a, b, c, d, e, f, 0)) >= 0 &&
                      sd_bus_add_filter(*ret_theirs, NULL, on_theirs, userdata) >= 0 && sd_bus_start(*ret_theirs) >= 0,
              "their end");
        CLAIM(sd_bus_new(ret_ours) >= 0 && sd_bus_set_fd(*ret_ours, fds[0], fds[0]) >= 0 &&
                      sd_bus_start(*ret_ours) >= 0,
              "our end");
}
