/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/json_pretty.h"

#include <string.h>

static void new_line(FILE *out, int depth) {
        fprintf(out, "\n%*s", 2 * depth, "");
}

/* What stands at `text` up to the next sign that lays out; its length. */
static size_t scalar_length(const char *text) {
        size_t n = 0;

        if (*text != '"')
                return strcspn(text, "{}[],:");
        for (n = 1; text[n] && text[n] != '"'; n++)
                if (text[n] == '\\' && text[n + 1])
                        n++;
        return n + (text[n] == '"');
}

void json_pretty_print(FILE *out, const char *text) {
        int depth = 0;

        while (*text) {
                size_t n = scalar_length(text);

                (void) fwrite(text, 1, n, out);
                text += n;
                if (!*text)
                        break;
                if (strchr("}]", *text))
                        new_line(out, --depth);
                fputc(*text, out);
                if (strchr("{[", *text) && strchr("}]", text[1]) && text[1])
                        fputc(*++text, out); /* empty */
                else if (strchr("{[", *text))
                        new_line(out, ++depth);
                else if (*text == ',')
                        new_line(out, depth);
                else if (*text == ':')
                        fputc(' ', out);
                text++;
        }
        fputc('\n', out);
}
