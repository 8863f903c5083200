/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit_test.h"

#include "core/json_rpc.h"

/* One request and what it is taken for. */
typedef struct Row {
        const char *text;
        int error;
        const char *id;
        bool is_notification;
} Row;

static bool fits(const Row *row) {
        JsonRpcBody b = { 0 };
        bool ok;

        if (json_rpc_read(row->text, strlen(row->text), &b) != 0)
                return false;
        ok = b.n == 1 && !b.is_batch && b.requests[0].error == row->error &&
             b.requests[0].is_notification == row->is_notification && b.requests[0].n_id == strlen(row->id) &&
             memcmp(b.requests[0].id, row->id, strlen(row->id)) == 0 && (row->error == 0) == !b.requests[0].message;
        json_rpc_body_done(&b);
        return ok;
}

TEST(each_form_of_a_request_is_taken_for_what_it_is) {
        static const Row rows[] = {
                { "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":1}", 0, "1", false },
                { "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":[1],\"id\":\"a\\\"b\"}", 0, "\"a\\\"b\"", false },
                { "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{},\"id\":null}", 0, "null", false },
                { "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":-1.50}", 0, "-1.50", false },
                { "{\"jsonrpc\":\"2.0\",\"method\":\"m\"}", 0, "null", true },
                { "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":true}", JSON_RPC_INVALID_REQUEST, "null", false },
                { "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":[1]}", JSON_RPC_INVALID_REQUEST, "null", false },
                { "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":{}}", JSON_RPC_INVALID_REQUEST, "null", false },
                { "{\"jsonrpc\":\"2.0\",\"method\":1,\"params\":\"bar\"}", JSON_RPC_INVALID_REQUEST, "null", false },
                { "{\"jsonrpc\":\"2.0\",\"method\":1,\"id\":7}", JSON_RPC_INVALID_REQUEST, "7", false },
                { "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":\"x\",\"id\":7}", JSON_RPC_INVALID_REQUEST, "7",
                  false },
                { "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":null,\"id\":7}", JSON_RPC_INVALID_REQUEST, "7",
                  false },
                { "{\"jsonrpc\":\"1.0\",\"method\":\"m\",\"id\":7}", JSON_RPC_INVALID_REQUEST, "7", false },
                { "{\"jsonrpc\":2.0,\"method\":\"m\",\"id\":7}", JSON_RPC_INVALID_REQUEST, "7", false },
                { "{\"method\":\"m\",\"id\":7}", JSON_RPC_INVALID_REQUEST, "7", false },
                { "{\"foo\":\"boo\"}", JSON_RPC_INVALID_REQUEST, "null", false },
                { "\"m\"", JSON_RPC_INVALID_REQUEST, "null", false },
                { "1", JSON_RPC_INVALID_REQUEST, "null", false },
                { "[]", JSON_RPC_INVALID_REQUEST, "null", false },
                { "", JSON_RPC_PARSE_ERROR, "null", false },
                { "{\"jsonrpc\":\"2.0\",\"method\":\"foobar, \"params\":\"bar\",\"baz]", JSON_RPC_PARSE_ERROR, "null",
                  false },
                { "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":1,\"id\":2}", JSON_RPC_PARSE_ERROR, "null", false },
                { "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":1} x", JSON_RPC_PARSE_ERROR, "null", false },
                { "{\"jsonrpc\":\"2.0\",\"method\":\"\xff\",\"id\":1}", JSON_RPC_PARSE_ERROR, "null", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (!fits(&rows[i]))
                        FAIL("%s", rows[i].text);
}

TEST(a_batch_keeps_its_order_and_each_of_its_faults) {
        static const char text[] = "[1,{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"id\":5},"
                                   "{\"jsonrpc\":\"2.0\",\"method\":\"b\"},[]]";
        JsonRpcBody b = { 0 };

        ASSERT_EQ(json_rpc_read(text, strlen(text), &b), 0);
        ASSERT(b.is_batch);
        ASSERT_EQ(b.n, 4);
        ASSERT_EQ(b.requests[0].error, JSON_RPC_INVALID_REQUEST);
        ASSERT_STREQ(b.requests[1].method, "a");
        ASSERT(b.requests[2].is_notification);
        ASSERT_EQ(b.requests[3].error, JSON_RPC_INVALID_REQUEST);
        json_rpc_body_done(&b);
}

TEST(a_batch_has_a_limit) {
        char text[4096] = "[";
        JsonRpcBody b = { 0 };

        for (int i = 0; i < JSON_RPC_BATCH_MAX; i++)
                strcat(text, i ? ",1" : "1");
        strcat(text, "]");
        ASSERT_EQ(json_rpc_read(text, strlen(text), &b), 0);
        ASSERT_EQ(b.n, JSON_RPC_BATCH_MAX);
        json_rpc_body_done(&b);
        text[strlen(text) - 1] = '\0';
        strcat(text, ",1]");
        ASSERT_EQ(json_rpc_read(text, strlen(text), &b), 0);
        ASSERT(!b.is_batch);
        ASSERT_EQ(b.requests[0].error, JSON_RPC_INVALID_REQUEST);
        json_rpc_body_done(&b);
}

TEST(answers_bear_the_id_as_it_was_written) {
        const JsonRpcRequest request = { .id = "1e2", .n_id = 3 };
        JsonText t = { 0 };

        json_text_open(&t, '[');
        json_rpc_add_result(&t, &request, "{}", 2);
        json_rpc_add_error(&t, &request, -32000, "no \"x\"", "{\"a\":1}");
        json_text_close(&t, ']');
        ASSERT_STREQ(t.text,
                     "[{\"jsonrpc\":\"2.0\",\"id\":1e2,\"result\":{}},{\"jsonrpc\":\"2.0\",\"id\":1e2,\"error\":"
                     "{\"code\":-32000,\"message\":\"no \\\"x\\\"\",\"data\":{\"a\":1}}}]");
        json_text_done(&t);
}
