/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "base/cleanup.h"
#include "cli/json_pretty.h"

static char *pretty(const char *text) {
        char *out = NULL;
        size_t size;
        FILE *f = open_memstream(&out, &size);

        json_pretty_print(f, text);
        fclose(f);
        return out;
}

TEST(each_member_and_element_has_a_line) {
        _cleanup_free_ char *text = pretty("[{\"a\":1,\"b\":[true,null]},-2.5e3]");

        ASSERT_STREQ(text, "[\n"
                           "  {\n"
                           "    \"a\": 1,\n"
                           "    \"b\": [\n"
                           "      true,\n"
                           "      null\n"
                           "    ]\n"
                           "  },\n"
                           "  -2.5e3\n"
                           "]\n");
}

TEST(what_is_empty_stays_in_its_line) {
        _cleanup_free_ char *text = pretty("{\"a\":{},\"b\":[],\"c\":\"\"}"), *nothing = pretty("[]");

        ASSERT_STREQ(text, "{\n  \"a\": {},\n  \"b\": [],\n  \"c\": \"\"\n}\n");
        ASSERT_STREQ(nothing, "[]\n");
}

TEST(nothing_in_a_string_lays_out) {
        _cleanup_free_ char *text = pretty("[\"{\\\"[,:]\\\\\",\"}\"]");

        ASSERT_STREQ(text, "[\n  \"{\\\"[,:]\\\\\",\n  \"}\"\n]\n");
}
