/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "core/definition_diff.h"

static void expect(const char *a, const char *b, const char *difference) {
        char *text = NULL;

        ASSERT_EQ(definition_diff(a, b, &text), 0);
        ASSERT_STREQ(text, difference);
        free(text);
}

TEST(each_difference_is_a_line_with_its_path) {
        expect("{\"a\":1}", "{\"a\":1}", "");
        expect("{\"a\":1}", "{\"a\":2}", "  a: 1 -> 2\n");
        expect("{\"a\":{\"b\":[1,\"x\"]}}", "{\"a\":{\"b\":[1,\"y\",3]}}",
               "  a.b[1]: \"x\" -> \"y\"\n  a.b[2]: 3 (added)\n");
        expect("{\"a\":1,\"b\":2}", "{\"a\":1}", "  b: 2 (removed)\n");
        expect("{\"a\":1}", "{\"a\":{\"b\":1}}", "  a: 1 -> {\"b\":1}\n");
        expect("{\"a\":[null],\"b\":null}", "{\"a\":[null],\"b\":null}", "");
        expect("{\"a\":[null],\"b\":null}", "{\"a\":[null,null],\"b\":0}", "  a[1]: null (added)\n  b: null -> 0\n");
}
