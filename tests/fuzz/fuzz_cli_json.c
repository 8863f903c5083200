/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server's JSON as hero_proc(1) shows it: options (bits 0 and 1: which answer; bit 2: UTF-8; the rest: width), and
 * the text. Whatever it holds, no byte of it moves the cursor of a terminal. */
#include "fuzz_target.h"

#include <locale.h>

#include "base/clock.h"
#include "cli/exit_code.h"
#include "cli/list_table.h"
#include "cli/safe_text.h"
#include "cli/status_block.h"
#include "cli/status_json.h"
#include "cli/why_block.h"

#define NOW_USEC (UINT64_C(1700000000) * USEC_PER_SEC)

static void claim_lines_are_plain(char *text, bool utf8) {
        for (char *line = text, *next; line && *line; line = next) {
                next = strchr(line, '\n');
                if (next)
                        *next++ = '\0';
                CLAIM(is_printable_line(line), "\"%s\"", line);
                for (const char *c = line; *c && !utf8; c++)
                        CLAIM((unsigned char) *c < 0x80, "\"%s\"", line);
        }
}

static void print_status(FILE *out, struct json_object *services, const TerminalStyle *style) {
        CLAIM(list_table_print(out, services, style, true, NOW_USEC) == 0, "a table");
        CLAIM(safe_text_json(services, style->utf8) == 0, "made safe");
        for (size_t i = 0; i < json_object_array_length(services); i++) {
                struct json_object *service = json_object_array_get_idx(services, i);
                int code = exit_code_of_state(status_json_state(service));

                CLAIM(code >= 0 && code < 7, "%d", code);
                status_block_print(out, service, style, NOW_USEC);
        }
}

static void print_answer(FILE *out, unsigned which, const char *text, const TerminalStyle *style) {
        struct json_object *json = NULL;
        int r;

        if (which < 2)
                r = status_json_parse(text, &json);
        else
                r = status_json_parse_as(which == 2 ? json_type_object : json_type_array, text, &json);
        CLAIM((r == 0) == (json != NULL), "%d", r);
        if (r < 0)
                return;
        if (which < 2) {
                print_status(out, json, style);
        } else {
                CLAIM(safe_text_json(json, style->utf8) == 0, "made safe");
                if (which == 2)
                        why_block_print(out, json, style, NOW_USEC);
                else
                        CLAIM(why_block_print_history(out, json, style, true) == 0, "a table");
        }
        json_object_put(json);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(_unused_ int *argc, _unused_ char ***argv) {
        setenv("TZ", "UTC", 1);
        return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        FuzzInput in = { data, size };
        uint8_t options = fuzz_byte(&in);
        const TerminalStyle style = { .utf8 = options & 4, .width = (options >> 3) * 8U };
        _cleanup_free_ char *text = fuzz_text(in.next, in.n), *printed = NULL;
        size_t n = 0;
        FILE *out = open_memstream(&printed, &n);

        print_answer(out, options & 3, text, &style);
        fclose(out);
        claim_lines_are_plain(printed, style.utf8);
        return 0;
}
