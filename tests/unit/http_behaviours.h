/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What servers do, and what a probe says of it, word for word. test_http_prober.c puts each row behind a real socket;
 * test_http_response.c feeds the bytes of each to the parser, cut in every place. */

#include <stdbool.h>
#include <stddef.h>

#include "core/probe_health.h"

typedef enum Then {
        CLOSES,
        HANGS,
        SHUTS_DOWN, /* its sending side, and keeps the connection */
        RESETS,     /* leaves the request unread */
        DRIPS,      /* `more`, byte by byte, 50 ms apart */
        FLOODS,     /* `more`, over and over, until nobody takes it */
} Then;

/* A place where no service is reached; it stands where the socket should be. */
typedef enum Place {
        SERVED,
        NOTHING,
        NO_FOLDER,
        DEAD_SOCKET,
        DEAD_LINK,
        LINK_TO_ITSELF,
        DATAGRAM_SOCKET,
        PACKET_SOCKET,
        REGULAR_FILE,
        FOLDER,
        NEVER_ACCEPTS,
        FULL_QUEUE, /* of a unix socket */
        FULL_PORT,  /* the same of TCP, where callers get no answer at all */
        CLOSED_PORT,
} Place;

typedef struct Behaviour {
        const char *name; /* "a server that …" */
        const char *answer;
        size_t n_answer;
        Then then;
        ProbeOutcome outcome;
        const char *words; /* of the error, "" where there is none */
        unsigned status;
        const char *more;
        Place place;
        const char *method, *expect_body; /* of the probe, where it is not a GET that expects nothing */
        bool at_once;                     /* before it has read the request */
        unsigned delay_ms;                /* before its answer */
} Behaviour;

#define BYTES(literal) (literal), sizeof(literal) - 1
#define NO_BYTES NULL, 0

/* Repeats. */
#define X4(s) s s s s
#define X16(s) X4(X4(s))
#define X64(s) X4(X16(s))
#define X256(s) X16(X16(s))
#define X1024(s) X16(X64(s))

#define OK "HTTP/1.1 200 OK\r\n"
#define LENGTH(n) OK "Content-Length: " n "\r\n\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
#define BAD "malformed answer: "
#define TIMEOUT_MS 2500 /* of every row; long, so that a busy machine is not taken for a slow server */
#define TIMED_OUT "timed out after 2500 ms"

/* clang-format off */
static const Behaviour behaviours[] = {
        /* ---- answers that count ---- */
        { "answers",                            BYTES(LENGTH("2") "hi"), CLOSES, PROBE_PASS, "", 200 },
        { "answers and keeps the connection",   BYTES(LENGTH("2") "hi"), HANGS, PROBE_PASS, "", 200 },
        { "answers and shuts down its side",    BYTES(LENGTH("2") "hi"), SHUTS_DOWN, PROBE_PASS, "", 200 },
        { "answers and resets",                 BYTES(LENGTH("2") "hi"), RESETS, PROBE_PASS, "", 200 },
        { "answers before the request is read", BYTES(LENGTH("2") "hi"), HANGS, PROBE_PASS, "", 200, .at_once = true },
        { "answers without a body",             BYTES(LENGTH("0")), HANGS, PROBE_PASS, "", 200 },
        { "answers in chunks",                  BYTES(CHUNKED "2\r\nhi\r\n0\r\n\r\n"), HANGS, PROBE_PASS, "", 200 },
        { "answers in chunks with all the trimmings", BYTES(CHUNKED "0A ;name=\"value\"\r\n0123456789\r\n00;last\r\nX-Sum: 1\r\nContent-Length: 99\r\n\r\n"), HANGS, PROBE_PASS, "", 200 },
        { "answers with an empty chunked body", BYTES(CHUNKED "0\r\n\r\n"), HANGS, PROBE_PASS, "", 200 },
        { "answers until it closes",            BYTES(OK "\r\nhi"), CLOSES, PROBE_PASS, "", 200 },
        { "answers until it shuts down its side", BYTES(OK "\r\nhi"), SHUTS_DOWN, PROBE_PASS, "", 200 },
        { "answers nothing until it closes",    BYTES(OK "\r\n"), CLOSES, PROBE_PASS, "", 200 },
        { "speaks HTTP/1.0",                    BYTES("HTTP/1.0 200 OK\r\n\r\nhi"), CLOSES, PROBE_PASS, "", 200 },
        { "speaks HTTP/1.0 with a length",      BYTES("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"), HANGS, PROBE_PASS, "", 200 },
        { "answers HEAD",                       BYTES(LENGTH("200")), HANGS, PROBE_PASS, "", 200, .method = "HEAD" },
        { "answers HEAD in chunks",             BYTES(CHUNKED), HANGS, PROBE_PASS, "", 200, .method = "HEAD" },
        { "answers HEAD with a body",           BYTES(LENGTH("2") "hi"), HANGS, PROBE_PASS, "", 200, .method = "HEAD" },
        { "answers HEAD with a length beyond the limit", BYTES(LENGTH("99999999")), HANGS, PROBE_PASS, "", 200, .method = "HEAD" },
        { "answers 204",                        BYTES("HTTP/1.1 204 No Content\r\n\r\n"), HANGS, PROBE_PASS, "", 204 },
        { "answers 204 with a body",            BYTES("HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi"), HANGS, PROBE_PASS, "", 204 },
        { "answers 304",                        BYTES("HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n"), HANGS, PROBE_PASS, "", 304 },
        { "answers 304 with a body",            BYTES("HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nhi"), HANGS, PROBE_PASS, "", 304 },
        { "says more than its length",          BYTES(LENGTH("2") "hi, and more"), HANGS, PROBE_PASS, "", 200 },
        { "says more after its last chunk",     BYTES(CHUNKED "0\r\n\r\n\1 more"), HANGS, PROBE_PASS, "", 200 },
        { "answers twice",                      BYTES(LENGTH("2") "hi" LENGTH("2") "hi"), CLOSES, PROBE_PASS, "", 200 },
        { "gives the same length twice",        BYTES(OK "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi"), HANGS, PROBE_PASS, "", 200 },
        { "sends an interim answer first",      BYTES("HTTP/1.1 100 Continue\r\n\r\n" LENGTH("2") "hi"), HANGS, PROBE_PASS, "", 200 },
        { "sends many interim answers first",   BYTES(X64("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n") LENGTH("2") "hi"), HANGS, PROBE_PASS, "", 200 },
        { "sends interim answers with lengths", BYTES("HTTP/1.1 102 Processing\r\nContent-Length: 9\r\n\r\n" CHUNKED "0\r\n\r\n"), HANGS, PROBE_PASS, "", 200 },
        { "sends NULs in its body",             BYTES(LENGTH("4") "\0\0\0\0"), HANGS, PROBE_PASS, "", 200 },
        { "ends its lines with LF alone",       BYTES("HTTP/1.1 200 OK\nContent-Length: 2\n\nhi"), HANGS, PROBE_PASS, "", 200 },
        { "writes its header as it likes",      BYTES(OK "content-LENGTH:\t 2 \t\r\nX:\r\nY: \t\xff ok\r\n\r\nhi"), HANGS, PROBE_PASS, "", 200 },
        { "shouts CHUNKED",                     BYTES(OK "transfer-encoding: CHUNKED\r\n\r\n1\r\nx\r\n0\r\n\r\n"), HANGS, PROBE_PASS, "", 200 },
        { "has no reason",                      BYTES("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), HANGS, PROBE_PASS, "", 200 },
        { "has an empty reason",                BYTES("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"), HANGS, PROBE_PASS, "", 200 },
        { "gives its reason in German",         BYTES("HTTP/1.1 200 Gr\xc3\xbc\xc3\x9f" "e\r\nContent-Length: 0\r\n\r\n"), HANGS, PROBE_PASS, "", 200 },
        { "sends a cookie of 8 KB",             BYTES(OK "Set-Cookie: " X1024("12345678") "\r\nContent-Length: 2\r\n\r\nhi"), HANGS, PROBE_PASS, "", 200 },
        { "moved",                              BYTES("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"), HANGS, PROBE_PASS, "", 302 },
        { "holds the text",                     BYTES(LENGTH("9") "{\"a\": 42}"), HANGS, PROBE_PASS, "", 200, .expect_body = "\"a\": 42" },
        { "holds the text over chunks",         BYTES(CHUNKED "5\r\n{\"a\":\r\n4\r\n 42}\r\n0\r\n\r\n"), HANGS, PROBE_PASS, "", 200, .expect_body = "\"a\": 42" },
        { "holds the text behind a likeness",   BYTES(CHUNKED "3\r\naab\r\n3\r\naac\r\n0\r\n\r\n"), HANGS, PROBE_PASS, "", 200, .expect_body = "baac" },
        { "holds the text until it closes",     BYTES(OK "\r\nto the end"), CLOSES, PROBE_PASS, "", 200, .expect_body = "end" },

        /* ---- whole answers of another kind ---- */
        { "is a bad gateway",                   BYTES("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"), HANGS, PROBE_FAIL, "status 502", 502 },
        { "knows no such page",                 BYTES("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), HANGS, PROBE_FAIL, "status 404", 404 },
        { "answers 999",                        BYTES("HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"), HANGS, PROBE_FAIL, "status 999", 999 },
        { "switches protocols",                 BYTES("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"), HANGS, PROBE_FAIL, "status 101", 101 },
        { "lacks the text",                     BYTES(LENGTH("2") "{}"), HANGS, PROBE_FAIL, "body does not hold \"\"openrpc\"\"", 200, .expect_body = "\"openrpc\"" },
        { "has the text in its header only",    BYTES(OK "X: world\r\nContent-Length: 5\r\n\r\nhello"), HANGS, PROBE_FAIL, "body does not hold \"world\"", 200, .expect_body = "world" },
        { "has half of the text beyond its length", BYTES(LENGTH("3") "world"), HANGS, PROBE_FAIL, "body does not hold \"world\"", 200, .expect_body = "world" },
        { "has the text over a chunk's framing only", BYTES(CHUNKED "2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"), HANGS, PROBE_FAIL, "body does not hold \"b  2  c\"", 200, .expect_body = "b\r\n2\r\nc" },

        /* ---- cut short ---- */
        { "closes",                             NO_BYTES, CLOSES, PROBE_FAIL, "empty reply" },
        { "shuts down its side",                NO_BYTES, SHUTS_DOWN, PROBE_FAIL, "empty reply" },
        { "resets",                             NO_BYTES, RESETS, PROBE_FAIL, "connection reset" },
        { "closes after one byte",              BYTES("H"), CLOSES, PROBE_FAIL, "closed in the header" },
        { "closes in the status line",          BYTES("HTTP/1.1 20"), CLOSES, PROBE_FAIL, "closed in the header" },
        { "closes after the status line",       BYTES(OK), CLOSES, PROBE_FAIL, "closed in the header", 200 },
        { "closes in a header line",            BYTES(OK "Content-Ty"), CLOSES, PROBE_FAIL, "closed in the header", 200 },
        { "closes before the blank line",       BYTES(OK "Content-Length: 0\r\n"), CLOSES, PROBE_FAIL, "closed in the header", 200 },
        { "closes in the blank line",           BYTES(OK "Content-Length: 0\r\n\r"), CLOSES, PROBE_FAIL, "closed in the header", 200 },
        { "closes after an interim answer",     BYTES("HTTP/1.1 100 Continue\r\n\r\n"), CLOSES, PROBE_FAIL, "closed in the header" },
        { "resets in the header",               BYTES(OK "Content-Ty"), RESETS, PROBE_FAIL, "connection reset in the header", 200 },
        { "closes before the body",             BYTES(LENGTH("5")), CLOSES, PROBE_FAIL, "closed in the body after 0 of 5 bytes", 200 },
        { "closes in the body",                 BYTES(LENGTH("5") "hi"), CLOSES, PROBE_FAIL, "closed in the body after 2 of 5 bytes", 200 },
        { "shuts down its side in the body",    BYTES(LENGTH("5") "hi"), SHUTS_DOWN, PROBE_FAIL, "closed in the body after 2 of 5 bytes", 200 },
        { "resets in the body",                 BYTES(LENGTH("5") "hi"), RESETS, PROBE_FAIL, "connection reset in the body", 200 },
        { "resets in a body without length",    BYTES(OK "\r\nhi"), RESETS, PROBE_FAIL, "connection reset in the body", 200 },
        { "closes before the longest body that is taken", BYTES(LENGTH("1048576")), CLOSES, PROBE_FAIL, "closed in the body after 0 of 1048576 bytes", 200 },
        { "closes in the body of a failure",    BYTES("HTTP/1.1 502 Bad\r\nContent-Length: 5\r\n\r\n"), CLOSES, PROBE_FAIL, "closed in the body after 0 of 5 bytes", 502 },
        { "closes before the first chunk",      BYTES(CHUNKED), CLOSES, PROBE_FAIL, "closed in the body after 0 bytes", 200 },
        { "closes in a chunk size",             BYTES(CHUNKED "5"), CLOSES, PROBE_FAIL, "closed in the body after 0 bytes", 200 },
        { "closes in the line end of a chunk size", BYTES(CHUNKED "5\r"), CLOSES, PROBE_FAIL, "closed in the body after 0 bytes", 200 },
        { "closes in a chunk",                  BYTES(CHUNKED "5\r\nhel"), CLOSES, PROBE_FAIL, "closed in the body after 3 bytes", 200 },
        { "closes at the end of a chunk",       BYTES(CHUNKED "5\r\nhello"), CLOSES, PROBE_FAIL, "closed in the body after 5 bytes", 200 },
        { "closes before the last chunk",       BYTES(CHUNKED "5\r\nhello\r\n"), CLOSES, PROBE_FAIL, "closed in the body after 5 bytes", 200 },
        { "closes after the last chunk's size", BYTES(CHUNKED "5\r\nhello\r\n0\r\n"), CLOSES, PROBE_FAIL, "closed in the body after 5 bytes", 200 },
        { "closes in the trailer",              BYTES(CHUNKED "5\r\nhello\r\n0\r\nX-Sum: 1\r\n"), CLOSES, PROBE_FAIL, "closed in the body after 5 bytes", 200 },
        { "resets between chunks",              BYTES(CHUNKED "5\r\nhello\r\n"), RESETS, PROBE_FAIL, "connection reset in the body", 200 },

        /* ---- chunks that are none ---- */
        { "sends a chunk longer than its size", BYTES(CHUNKED "5\r\nhello!\r\n0\r\n\r\n"), HANGS, PROBE_FAIL, BAD "chunk does not end where its size says", 200 },
        { "sends a chunk shorter than its size", BYTES(CHUNKED "6\r\nhello\r\n0\r\n\r\n"), HANGS, PROBE_FAIL, BAD "chunk does not end where its size says", 200 },
        { "sends a chunk without a size",       BYTES(CHUNKED "\r\nhello\r\n0\r\n\r\n"), HANGS, PROBE_FAIL, BAD "bad chunk size", 200 },
        { "sends a chunk size that is none",    BYTES(CHUNKED "x\r\n"), HANGS, PROBE_FAIL, BAD "bad chunk size", 200 },
        { "sends a negative chunk size",        BYTES(CHUNKED "-1\r\n"), HANGS, PROBE_FAIL, BAD "bad chunk size", 200 },
        { "sends a chunk size with 0x",         BYTES(CHUNKED "0x5\r\nhello\r\n"), HANGS, PROBE_FAIL, BAD "bad chunk size", 200 },
        { "sends two chunk sizes",              BYTES(CHUNKED "5 5\r\nhello\r\n"), HANGS, PROBE_FAIL, BAD "bad chunk size", 200 },
        { "sends a blank before a chunk size",  BYTES(CHUNKED " 5\r\nhello\r\n"), HANGS, PROBE_FAIL, BAD "bad chunk size", 200 },
        { "ends a chunk size with LF alone",    BYTES(CHUNKED "5\nhello\r\n0\r\n\r\n"), HANGS, PROBE_FAIL, BAD "chunk line without a carriage return", 200 },
        { "ends a chunk with LF alone",         BYTES(CHUNKED "5\r\nhello\n0\r\n\r\n"), HANGS, PROBE_FAIL, BAD "chunk does not end where its size says", 200 },
        { "ends a chunk with CR alone",         BYTES(CHUNKED "5\r\nhello\r0\r\n\r\n"), HANGS, PROBE_FAIL, BAD "chunk does not end where its size says", 200 },
        { "sends a NUL in a chunk size",        BYTES(CHUNKED "5\0\r\nhello\r\n"), HANGS, PROBE_FAIL, BAD "control character in a chunk's line", 200 },
        { "sends a lone CR in a chunk size",    BYTES(CHUNKED "5\r;x\r\nhello\r\n"), HANGS, PROBE_FAIL, BAD "carriage return inside a line", 200 },
        { "sends an endless chunk size",        BYTES(CHUNKED), FLOODS, PROBE_FAIL, BAD "chunk line too long", 200, .more = "00000000000000000000000000000000" },
        { "sends a chunk size that overflows",  BYTES(CHUNKED "10000000000000005\r\nhello\r\n"), HANGS, PROBE_FAIL, "answer larger than 1 MiB", 200 },
        { "sends a bad trailer",                BYTES(CHUNKED "0\r\nbad trailer\r\n\r\n"), HANGS, PROBE_FAIL, BAD "bad header line", 200 },

        /* ---- framing that could be read in two ways ---- */
        { "gives a length and chunks",          BYTES(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), HANGS, PROBE_FAIL, BAD "both Content-Length and Transfer-Encoding", 200 },
        { "gives chunks and a length",          BYTES(OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello"), HANGS, PROBE_FAIL, BAD "both Content-Length and Transfer-Encoding", 200 },
        { "gives two lengths",                  BYTES(OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"), HANGS, PROBE_FAIL, BAD "differing Content-Lengths", 200 },
        { "gives two lengths in one line",      BYTES(LENGTH("5, 5") "hello"), HANGS, PROBE_FAIL, BAD "bad Content-Length", 200 },
        { "gives a negative length",            BYTES(LENGTH("-5")), HANGS, PROBE_FAIL, BAD "bad Content-Length", 200 },
        { "gives a length with a plus",         BYTES(LENGTH("+5") "hello"), HANGS, PROBE_FAIL, BAD "bad Content-Length", 200 },
        { "gives a hexadecimal length",         BYTES(LENGTH("0x5") "hello"), HANGS, PROBE_FAIL, BAD "bad Content-Length", 200 },
        { "gives no length",                    BYTES(LENGTH("") "hello"), HANGS, PROBE_FAIL, BAD "bad Content-Length", 200 },
        { "gives a length that overflows",      BYTES(LENGTH("18446744073709551621") "hello"), HANGS, PROBE_FAIL, BAD "bad Content-Length", 200 },
        { "gives a length behind 2000 blanks",  BYTES(OK "Content-Length:" X1024("  ") "5\r\n\r\nhello"), HANGS, PROBE_FAIL, BAD "bad Content-Length", 200 },
        { "compresses",                         BYTES(OK "Transfer-Encoding: gzip, chunked\r\n\r\n"), HANGS, PROBE_FAIL, BAD "Transfer-Encoding other than chunked", 200 },
        { "encodes as identity",                BYTES(OK "Transfer-Encoding: identity\r\n\r\n"), HANGS, PROBE_FAIL, BAD "Transfer-Encoding other than chunked", 200 },
        { "chunks twice",                       BYTES(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), HANGS, PROBE_FAIL, BAD "more than one Transfer-Encoding", 200 },
        { "chunks in HTTP/1.0",                 BYTES("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), HANGS, PROBE_FAIL, BAD "Transfer-Encoding in an HTTP/1.0 answer", 200 },

        /* ---- too much ---- */
        { "promises one byte too much",         BYTES(LENGTH("1048577")), HANGS, PROBE_FAIL, "answer larger than 1 MiB", 200 },
        { "sends 100 MB",                       BYTES(LENGTH("104857600")), FLOODS, PROBE_FAIL, "answer larger than 1 MiB", 200, .more = "0123456789abcdef0123456789abcdef" },
        { "promises an exabyte",                BYTES(LENGTH("999999999999999999")), HANGS, PROBE_FAIL, "answer larger than 1 MiB", 200 },
        { "never ends its body",                BYTES(OK "\r\n"), FLOODS, PROBE_FAIL, "answer larger than 1 MiB", 200, .more = X16("0123456789abcdef0123456789abcdef") },
        { "never ends its chunks",              BYTES(CHUNKED), FLOODS, PROBE_FAIL, "answer larger than 1 MiB", 200, .more = "200\r\n" X16("0123456789abcdef0123456789abcdef") "\r\n" },
        { "promises too much in two chunks",    BYTES(CHUNKED "1\r\nx\r\n100000\r\n"), HANGS, PROBE_FAIL, "answer larger than 1 MiB", 200 },
        { "promises a chunk of 4 GB",           BYTES(CHUNKED "100000000\r\n"), HANGS, PROBE_FAIL, "answer larger than 1 MiB", 200 },
        { "never ends its header",              BYTES(OK), FLOODS, PROBE_FAIL, "header larger than 16 KiB", 200, .more = "X: y\r\n" },
        { "never ends a header line",           BYTES(OK "X: "), FLOODS, PROBE_FAIL, "header larger than 16 KiB", 200, .more = "0123456789abcdef" },
        { "never ends its status line",         BYTES("HTTP/1.1 200 "), FLOODS, PROBE_FAIL, "header larger than 16 KiB", 0, .more = "very " },
        { "never ends its trailer",             BYTES(CHUNKED "0\r\n"), FLOODS, PROBE_FAIL, "header larger than 16 KiB", 200, .more = "X: y\r\n" },
        { "never ends its interim answers",     NO_BYTES, FLOODS, PROBE_FAIL, "header larger than 16 KiB", 0, .more = "HTTP/1.1 100 Continue\r\n\r\n" },
        { "sends a header of 64 KB",            BYTES(OK "X: " X1024(X64("x")) "\r\nContent-Length: 2\r\n\r\nhi"), HANGS, PROBE_FAIL, "header larger than 16 KiB", 200 },

        /* ---- no HTTP, or bad HTTP ---- */
        { "speaks SSH",                         BYTES("SSH-2.0-OpenSSH_9.2"), HANGS, PROBE_FAIL, BAD "not HTTP/1.0 or HTTP/1.1" },
        { "speaks Redis",                       BYTES("-ERR unknown command 'GET'\r\n"), HANGS, PROBE_FAIL, BAD "not HTTP/1.0 or HTTP/1.1" },
        { "speaks TLS",                         BYTES("\x15\x03\x01\x00\x02\x02\x46"), CLOSES, PROBE_FAIL, BAD "TLS, not plain HTTP" },
        { "begins like TLS",                    BYTES("\x15TTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), HANGS, PROBE_FAIL, BAD "not HTTP/1.0 or HTTP/1.1" },
        { "speaks HTTP/2",                      BYTES("\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0d"), HANGS, PROBE_FAIL, BAD "not HTTP/1.0 or HTTP/1.1" },
        { "sends the preface of HTTP/2",        BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), HANGS, PROBE_FAIL, BAD "not HTTP/1.0 or HTTP/1.1" },
        { "says HTTP/2",                        BYTES("HTTP/2 200\r\n\r\n"), HANGS, PROBE_FAIL, BAD "not HTTP/1.0 or HTTP/1.1" },
        { "says HTTP/1.2",                      BYTES("HTTP/1.2 200 OK\r\n\r\n"), HANGS, PROBE_FAIL, BAD "not HTTP/1.0 or HTTP/1.1" },
        { "says HTTP/1.",                       BYTES("HTTP/1.\r\n"), HANGS, PROBE_FAIL, BAD "not HTTP/1.0 or HTTP/1.1" },
        { "speaks HTTP/0.9",                    BYTES("<html>hi</html>"), CLOSES, PROBE_FAIL, BAD "not HTTP/1.0 or HTTP/1.1" },
        { "speaks in small letters",            BYTES("http/1.1 200 ok\r\n\r\n"), HANGS, PROBE_FAIL, BAD "not HTTP/1.0 or HTTP/1.1" },
        { "begins with a blank line",           BYTES("\r\n" LENGTH("0")), HANGS, PROBE_FAIL, BAD "not HTTP/1.0 or HTTP/1.1" },
        { "sends NULs",                         BYTES("\0\0\0\0\0\0\0\0"), HANGS, PROBE_FAIL, BAD "not HTTP/1.0 or HTTP/1.1" },
        { "sends back the request",             BYTES("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"), HANGS, PROBE_FAIL, BAD "not HTTP/1.0 or HTTP/1.1" },
        { "has no status",                      BYTES("HTTP/1.1\r\n\r\n"), HANGS, PROBE_FAIL, BAD "bad status line" },
        { "has a status of two digits",         BYTES("HTTP/1.1 20\r\n\r\n"), HANGS, PROBE_FAIL, BAD "bad status line" },
        { "has a status of four digits",        BYTES("HTTP/1.1 2000 OK\r\n\r\n"), HANGS, PROBE_FAIL, BAD "bad status line" },
        { "has a status with a letter",         BYTES("HTTP/1.1 20x OK\r\n\r\n"), HANGS, PROBE_FAIL, BAD "bad status line" },
        { "has a negative status",              BYTES("HTTP/1.1 -20 OK\r\n\r\n"), HANGS, PROBE_FAIL, BAD "bad status line" },
        { "has a status below 100",             BYTES("HTTP/1.1 099 Odd\r\n\r\n"), HANGS, PROBE_FAIL, BAD "bad status line" },
        { "has two blanks before its status",   BYTES("HTTP/1.1  200 OK\r\n\r\n"), HANGS, PROBE_FAIL, BAD "bad status line" },
        { "has a tab before its status",        BYTES("HTTP/1.1\t200 OK\r\n\r\n"), HANGS, PROBE_FAIL, BAD "bad status line" },
        { "has a longer version",               BYTES("HTTP/1.10 200 OK\r\n\r\n"), HANGS, PROBE_FAIL, BAD "bad status line" },
        { "has a NUL in its status line",       BYTES("HTTP/1.1 200 O\0K\r\n\r\n"), HANGS, PROBE_FAIL, BAD "control character in the header" },
        { "has a NUL in its header",            BYTES(OK "X: a\0b\r\n\r\n"), HANGS, PROBE_FAIL, BAD "control character in the header", 200 },
        { "has an escape in its header",        BYTES(OK "X: \33[31m\r\n\r\n"), HANGS, PROBE_FAIL, BAD "control character in the header", 200 },
        { "has a DEL in its header",            BYTES(OK "X: a\x7f\r\n\r\n"), HANGS, PROBE_FAIL, BAD "control character in the header", 200 },
        { "has a lone CR in its header",        BYTES(OK "X: a\rb\r\n\r\n"), HANGS, PROBE_FAIL, BAD "carriage return inside a line", 200 },
        { "has two CRs before a LF",            BYTES(OK "X: a\r\r\n\r\n"), HANGS, PROBE_FAIL, BAD "carriage return inside a line", 200 },
        { "folds a header line",                BYTES(OK "X: a\r\n b\r\n\r\n"), HANGS, PROBE_FAIL, BAD "folded header line", 200 },
        { "indents its first header line",      BYTES(OK "\tX: a\r\n\r\n"), HANGS, PROBE_FAIL, BAD "folded header line", 200 },
        { "has a blank before a colon",         BYTES(OK "Content-Length : 2\r\n\r\nhi"), HANGS, PROBE_FAIL, BAD "bad header line", 200 },
        { "has a header line without a name",   BYTES(OK ": a\r\n\r\n"), HANGS, PROBE_FAIL, BAD "bad header line", 200 },
        { "has a header line without a colon",  BYTES(OK "no colon\r\n\r\n"), HANGS, PROBE_FAIL, BAD "bad header line", 200 },
        { "has brackets in a header's name",    BYTES(OK "X(y): a\r\n\r\n"), HANGS, PROBE_FAIL, BAD "bad header line", 200 },

        /* ---- time runs out ---- */
        { "hangs",                              NO_BYTES, HANGS, PROBE_FAIL, TIMED_OUT },
        { "hangs without reading",              NO_BYTES, HANGS, PROBE_FAIL, TIMED_OUT, .at_once = true },
        { "hangs in the status line",           BYTES("HTTP/1.1 2"), HANGS, PROBE_FAIL, TIMED_OUT " in the header" },
        { "hangs in the header",                BYTES(OK "Content-Ty"), HANGS, PROBE_FAIL, TIMED_OUT " in the header", 200 },
        { "hangs after an interim answer",      BYTES("HTTP/1.1 100 Continue\r\n\r\n"), HANGS, PROBE_FAIL, TIMED_OUT " in the header" },
        { "hangs in the body",                  BYTES(LENGTH("5") "hi"), HANGS, PROBE_FAIL, TIMED_OUT " in the body", 200 },
        { "hangs in a body without length",     BYTES(OK "\r\nhi"), HANGS, PROBE_FAIL, TIMED_OUT " in the body", 200 },
        { "hangs before the last chunk",        BYTES(CHUNKED "2\r\nhi\r\n"), HANGS, PROBE_FAIL, TIMED_OUT " in the body", 200 },
        { "hangs in the trailer",               BYTES(CHUNKED "2\r\nhi\r\n0\r\nX: y\r\n"), HANGS, PROBE_FAIL, TIMED_OUT " in the body", 200 },
        { "drips a header",                     BYTES(OK), DRIPS, PROBE_FAIL, TIMED_OUT " in the header", 200, .more = X16("X: y\r\n") },
        { "drips a status line",                BYTES("HTTP/1.1 200 "), DRIPS, PROBE_FAIL, TIMED_OUT " in the header", 0, .more = X64("d") },
        { "drips a body",                       BYTES(LENGTH("64")), DRIPS, PROBE_FAIL, TIMED_OUT " in the body", 200, .more = X64("d") },
        { "drips chunks",                       BYTES(CHUNKED), DRIPS, PROBE_FAIL, TIMED_OUT " in the body", 200, .more = X16("1\r\nd\r\n") },
        { "floods with next to nothing",        BYTES(CHUNKED), FLOODS, PROBE_FAIL, TIMED_OUT " in the body", 200, .more = "1;" X64("chunk-extension") "\r\nx\r\n" },

        /* ---- nobody is there, or nobody comes to the door ---- */
        { "is not there",                       NO_BYTES, HANGS, PROBE_FAIL, "no such socket", .place = NOTHING },
        { "has not even a folder",              NO_BYTES, HANGS, PROBE_FAIL, "no such socket", .place = NO_FOLDER },
        { "left its socket behind",             NO_BYTES, HANGS, PROBE_FAIL, "refused", .place = DEAD_SOCKET },
        { "left a link behind",                 NO_BYTES, HANGS, PROBE_FAIL, "not asked: a symbolic link is in the path", .place = DEAD_LINK },
        { "linked its socket to itself",        NO_BYTES, HANGS, PROBE_FAIL, "not asked: a symbolic link is in the path", .place = LINK_TO_ITSELF },
        { "has a datagram socket",              NO_BYTES, HANGS, PROBE_FAIL, "not a stream socket", .place = DATAGRAM_SOCKET },
        { "has a packet socket",                NO_BYTES, HANGS, PROBE_FAIL, "not a stream socket", .place = PACKET_SOCKET },
        { "has a file for a socket",            NO_BYTES, HANGS, PROBE_FAIL, "refused", .place = REGULAR_FILE },
        { "has a folder for a socket",          NO_BYTES, HANGS, PROBE_FAIL, "refused", .place = FOLDER },
        { "never accepts",                      NO_BYTES, HANGS, PROBE_FAIL, TIMED_OUT, .place = NEVER_ACCEPTS },
        { "has a full accept queue",            NO_BYTES, HANGS, PROBE_FAIL, "accept queue full", .place = FULL_QUEUE },
        { "has a full accept queue on TCP",     NO_BYTES, HANGS, PROBE_FAIL, TIMED_OUT " connecting", .place = FULL_PORT },
        { "closed its port",                    NO_BYTES, HANGS, PROBE_FAIL, "refused", .place = CLOSED_PORT },
};
/* clang-format on */
