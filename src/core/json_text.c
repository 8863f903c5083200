/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/utf8.h"

void json_text_done(JsonText *t) {
        free(t->text);
        *t = (JsonText){ 0 };
}

char *json_text_take(JsonText *t, size_t *ret_n) {
        char *text = t->failed ? NULL : TAKE_PTR(t->text);

        *ret_n = text ? t->n : 0;
        json_text_done(t);
        return text;
}

static void append(JsonText *t, const char *bytes, size_t n) {
        if (t->failed)
                return;
        if (t->n + n + 1 > t->n_allocated) {
                size_t wanted = t->n_allocated ? 2 * t->n_allocated : 256;
                char *grown;

                while (wanted < t->n + n + 1)
                        wanted *= 2;
                grown = realloc(t->text, wanted);
                if (!grown) {
                        t->failed = true;
                        return;
                }
                t->text = grown;
                t->n_allocated = wanted;
        }
        memcpy(t->text + t->n, bytes, n);
        t->n += n;
        t->text[t->n] = '\0';
}

/* Before a value or a key: a comma, unless it is the first of its kind or follows its key. */
static void separate(JsonText *t) {
        if (t->n > 0 && !strchr("{[:", t->text[t->n - 1]))
                append(t, ",", 1);
}

void json_text_open(JsonText *t, char bracket) {
        separate(t);
        append(t, &bracket, 1);
}

void json_text_close(JsonText *t, char bracket) {
        append(t, &bracket, 1);
}

static void append_escape(JsonText *t, unsigned char c) {
        static const char short_form[] = "\"\"\\\\\bb\ff\nn\rr\tt";
        char escape[8] = { '\\' };

        for (const char *pair = short_form; *pair; pair += 2)
                if ((unsigned char) pair[0] == c) {
                        escape[1] = pair[1];
                        append(t, escape, 2);
                        return;
                }
        (void) snprintf(escape, sizeof escape, "\\u%04x", c);
        append(t, escape, 6);
}

void json_text_bytes(JsonText *t, const char *s, size_t n) {
        size_t start = 0, i = 0;

        separate(t);
        append(t, "\"", 1);
        while (i < n) {
                uint32_t c;
                size_t length = utf8_decode(s + i, n - i, &c);

                if (length > 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
                        i += length;
                        continue;
                }
                append(t, s + start, i - start);
                if (length == 0)
                        append(t, "\xef\xbf\xbd", 3);
                else
                        append_escape(t, (unsigned char) c);
                start = ++i;
        }
        append(t, s + start, i - start);
        append(t, "\"", 1);
}

void json_text_string(JsonText *t, const char *s) {
        if (s)
                json_text_bytes(t, s, strlen(s));
        else
                json_text_raw(t, "null", 4);
}

void json_text_key(JsonText *t, const char *key) {
        json_text_string(t, key);
        append(t, ":", 1);
}

void json_text_integer(JsonText *t, int64_t value) {
        char digits[24];
        int n = snprintf(digits, sizeof digits, "%" PRId64, value);

        json_text_raw(t, digits, (size_t) n);
}

void json_text_unsigned(JsonText *t, uint64_t value) {
        char digits[24];
        int n = snprintf(digits, sizeof digits, "%" PRIu64, value);

        json_text_raw(t, digits, (size_t) n);
}

void json_text_boolean(JsonText *t, bool value) {
        json_text_raw(t, value ? "true" : "false", value ? 4 : 5);
}

void json_text_raw(JsonText *t, const char *json, size_t n) {
        separate(t);
        append(t, json, n);
}

void json_text_add_string(JsonText *t, const char *key, const char *value) {
        json_text_key(t, key);
        json_text_string(t, value);
}

void json_text_add_unsigned(JsonText *t, const char *key, uint64_t value) {
        json_text_key(t, key);
        json_text_unsigned(t, value);
}

void json_text_add_boolean(JsonText *t, const char *key, bool value) {
        json_text_key(t, key);
        json_text_boolean(t, value);
}

void json_text_add_raw(JsonText *t, const char *key, const char *json) {
        json_text_key(t, key);
        json_text_raw(t, json, strlen(json));
}
