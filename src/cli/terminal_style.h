/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What an output can show: colours, characters, width; and the sign and colour of each state. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "core/reason.h"

typedef struct TerminalStyle {
        bool is_terminal, color, utf8;
        size_t width; /* columns; 0: as wide as need be */
} TerminalStyle;

/* What decides on colours. The environment's values may be NULL. */
typedef struct ColorFacts {
        bool is_terminal, refused; /* refused: --no-color */
        const char *systemd_colors, *no_color, *term;
} ColorFacts;

/* --no-color, then $SYSTEMD_COLORS (which can also force them), then a non-empty $NO_COLOR, then TERM=dumb, then
 * whether it is a terminal. Pure. */
bool terminal_style_wants_color(const ColorFacts *facts);

TerminalStyle terminal_style_detect(FILE *f, bool no_color);

/* How large the terminal behind `fd` is now. False, and nothing written: it is none, or does not know. */
bool terminal_style_size(int fd, size_t *ret_rows, size_t *ret_columns);

/* One column wide, in either alphabet. */
const char *terminal_style_sign(const TerminalStyle *style, ServiceState state);
/* The escape sequence that begins the state's colour, "" without colours; and the one that ends any colour. Only
 * `running` is green. */
const char *terminal_style_color(const TerminalStyle *style, ServiceState state);
const char *terminal_style_plain(const TerminalStyle *style);
