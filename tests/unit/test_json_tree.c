/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include <errno.h>

#include "base/cleanup.h"
#include "core/json_tree.h"

/* What a text comes to when it has been a tree in between. */
static char *through_tree(const char *text) {
        struct json_object *tree = NULL;
        char *again;

        if (json_tree_parse(text, &tree) < 0)
                return NULL;
        again = json_tree_text(tree);
        json_object_put(tree);
        return again;
}

TEST(a_text_that_was_a_tree_says_the_same) {
        static const char *const texts[] = {
                "[]",
                "{}",
                "[null,true,false,0,-7,9223372036854775807,1.50,2e-7]",
                "{\"b\":{\"c\":[[],{}],\"a\":null},\"a\":\"\\n\\\"\\\\ \303\251\",\"\":\"\"}",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_free_ char *text = through_tree(texts[i]);

                ASSERT_STREQ(text, texts[i]);
        }
}

TEST(what_is_no_json_makes_no_tree) {
        static const char *const texts[] = { "", "[", "{'a':1}", "[1] 2", "NaN", "{\"a\":1,\"a\":2}" };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                struct json_object *tree = NULL;

                ASSERT_EQ(json_tree_parse(texts[i], &tree), -EBADMSG);
                ASSERT(!tree);
        }
}

TEST(a_key_that_was_copied_may_go_and_come_again) {
        struct json_object *tree = json_object_new_object();
        char key[8] = "first";
        _cleanup_free_ char *text = NULL;

        json_tree_add_copied(tree, key, json_object_new_int64(1));
        (void) snprintf(key, sizeof key, "second");
        json_tree_add_copied(tree, key, json_object_new_int64(2));
        json_tree_add_copied(tree, "first", json_object_new_int64(3));
        text = json_tree_text(tree);
        ASSERT_STREQ(text, "{\"first\":3,\"second\":2}");
        json_object_put(tree);
}

TEST(what_came_too_late_for_the_root_is_missed_in_the_text) {
        struct json_object *tree = json_object_new_object(), *part = json_object_new_object();

        json_tree_add(tree, "part", part);
        json_tree_add(part, "lost", NULL);
        ASSERT(!json_tree_text(tree));
        json_object_put(tree);
}
