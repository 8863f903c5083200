/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "core/json_strict.h"
#include "core/json_text.h"

TEST(commas_stand_between_values_and_nowhere_else) {
        JsonText t = { 0 };
        size_t n;
        char *text;

        json_text_open(&t, '{');
        json_text_add_string(&t, "a", "x");
        json_text_key(&t, "b");
        json_text_open(&t, '[');
        json_text_integer(&t, -1);
        json_text_open(&t, '[');
        json_text_close(&t, ']');
        json_text_boolean(&t, true);
        json_text_string(&t, NULL);
        json_text_close(&t, ']');
        json_text_add_unsigned(&t, "c", UINT64_MAX);
        json_text_add_raw(&t, "d", "{}");
        json_text_close(&t, '}');
        text = json_text_take(&t, &n);
        ASSERT_STREQ(text, "{\"a\":\"x\",\"b\":[-1,[],true,null],\"c\":18446744073709551615,\"d\":{}}");
        ASSERT_EQ(n, strlen(text));
        free(text);
}

TEST(a_string_that_ends_like_an_opening_is_followed_by_a_comma) {
        JsonText t = { 0 };

        json_text_open(&t, '[');
        json_text_string(&t, "a:");
        json_text_string(&t, "{");
        json_text_close(&t, ']');
        ASSERT_STREQ(t.text, "[\"a:\",\"{\"]");
        json_text_done(&t);
}

TEST(whatever_bytes_come_in_json_goes_out) {
        char bytes[256], *message = NULL;
        JsonText t = { 0 };

        for (int i = 0; i < 256; i++)
                bytes[i] = (char) i;
        json_text_bytes(&t, bytes, sizeof bytes);
        ASSERT(memcmp(t.text, "\"\\u0000\\u0001", 13) == 0);
        ASSERT(strstr(t.text, "\\n") && strstr(t.text, "\\\"") && strstr(t.text, "\\\\") && strstr(t.text, "\\u007f"));
        /* What cannot be said in JSON of ours is only the NUL. */
        memmove(t.text + 1, t.text + 7, t.n - 6);
        ASSERT_EQ(json_strict_check(t.text, t.n - 6, NULL, NULL, &message), 0);
        free(message);
        json_text_done(&t);
}

TEST(text_in_utf_8_stays_as_it_is) {
        JsonText t = { 0 };

        json_text_string(&t, "gr\xc3\xbc\xc3\x9f \xe2\x97\x8f \xf0\x9f\x99\x82\xff.");
        ASSERT_STREQ(t.text, "\"gr\xc3\xbc\xc3\x9f \xe2\x97\x8f \xf0\x9f\x99\x82\xef\xbf\xbd.\"");
        json_text_done(&t);
}
