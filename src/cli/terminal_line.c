/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/terminal_line.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/cleanup.h"
#include "base/text_stream.h"
#include "cli/safe_text.h"
#include "core/utf8.h"

void terminal_line_begin(TerminalLine *l, const TerminalStyle *style, size_t width) {
        *l = (TerminalLine){ .style = style, .width = width };
        l->f = text_stream_open(&l->text, &l->size);
        l->failed = !l->f;
}

char *terminal_line_end(TerminalLine *l) {
        if (!l->f)
                return NULL;
        if (l->styled)
                fputs(terminal_style_plain(l->style), l->f);
        if (fclose(l->f) != 0 || l->failed) {
                free(l->text);
                return NULL;
        }
        return l->text;
}

/* The character at `text`: its bytes, and as *ret_columns its width. 0: the end. What is no character, or none that the
 * locale can show, has one column and is shown as '?'. */
static size_t next_character(const char *text, bool utf8, size_t *ret_columns, bool *ret_shown) {
        uint32_t c = 0;
        size_t n;
        int columns;

        *ret_columns = 1;
        *ret_shown = true;
        if (!utf8 || (unsigned char) *text < 0x80)
                return *text != '\0';
        n = utf8_decode(text, strlen(text),
                        &c); /* mbrtowc() takes memory, and the letters for none where it has none */
        columns = n > 0 ? wcwidth((wchar_t) c) : -1;
        if (columns >= 0)
                *ret_columns = (size_t) columns;
        *ret_shown = columns >= 0;
        return n > 0 ? n : 1;
}

static size_t count_columns(const char *text, bool utf8) {
        size_t n, columns, total = 0;
        bool shown;

        while ((n = next_character(text, utf8, &columns, &shown)) > 0) {
                total += columns;
                text += n;
        }
        return total;
}

size_t terminal_line_columns(const char *text, const TerminalStyle *style) {
        _cleanup_free_ char *safe = safe_text_dup(text, style->utf8, false);

        return safe ? count_columns(safe, style->utf8) : 0;
}

size_t terminal_line_columns_of_safe(const char *text, const TerminalStyle *style) {
        return count_columns(text, style->utf8);
}

size_t terminal_line_break(const char *text, size_t columns, const TerminalStyle *style) {
        size_t i = 0, n, width, total = 0, after_blank = 0;
        bool shown;

        while ((n = next_character(text + i, style->utf8, &width, &shown)) > 0) {
                if (total + width > columns && i > 0)
                        return after_blank > i / 2 ? after_blank : i;
                total += width;
                i += n;
                if (text[i - 1] == ' ')
                        after_blank = i;
        }
        return i;
}

/* At most so many columns of a text that is safe; returns how many it took. */
static size_t put(TerminalLine *l, const char *text, size_t columns_max) {
        bool utf8 = l->style->utf8, cut = count_columns(text, utf8) > columns_max, shown;
        size_t room = cut && columns_max > 0 ? columns_max - 1 : columns_max, n, columns, total = 0;

        while ((n = next_character(text, utf8, &columns, &shown)) > 0 && total + columns <= room) {
                if (shown)
                        (void) fwrite(text, 1, n, l->f);
                else
                        fputc('?', l->f);
                total += columns;
                text += n;
        }
        if (cut && columns_max > 0) {
                fputs(utf8 ? "…" : ">", l->f);
                total++;
        }
        l->columns += total;
        return total;
}

static size_t room_left(const TerminalLine *l) {
        return l->width - l->columns;
}

void terminal_line_add(TerminalLine *l, const char *text) {
        terminal_line_add_cell(l, text, 0, false);
}

static void put_blanks(TerminalLine *l, size_t n) {
        for (; n > 0 && room_left(l) > 0; n--) {
                fputc(' ', l->f);
                l->columns++;
        }
}

/* `columns` 0: as many as it takes. */
void terminal_line_add_cell(TerminalLine *l, const char *text, size_t columns, bool right) {
        _cleanup_free_ char *safe = l->failed ? NULL : safe_text_dup(text, l->style->utf8, false);
        size_t room = columns > 0 && columns < room_left(l) ? columns : room_left(l), taken;

        if (!safe) {
                l->failed = true;
                return;
        }
        taken = count_columns(safe, l->style->utf8);
        if (right && taken < columns)
                put_blanks(l, columns - taken);
        taken = put(l, safe, right && room_left(l) < room ? room_left(l) : room);
        if (!right && taken < columns)
                put_blanks(l, columns - taken);
}

void terminal_line_add_style(TerminalLine *l, const char *escape) {
        if (l->failed || !*escape)
                return;
        fputs(escape, l->f);
        l->styled = true;
}
