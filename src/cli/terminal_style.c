/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/terminal_style.h"

#include <langinfo.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
        FALLBACK_WIDTH = 80,
};

static bool is_one_of(const char *word, const char *const *words, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (strcasecmp(word, words[i]) == 0)
                        return true;
        return false;
}

bool terminal_style_wants_color(const ColorFacts *facts) {
        static const char *const never[] = { "0", "no", "n", "false", "f", "off" };
        static const char *const always[] = { "1", "yes", "y", "true", "t", "on", "16", "256", "24bit" };

        if (facts->refused)
                return false;
        if (facts->systemd_colors && is_one_of(facts->systemd_colors, never, ELEMENTSOF(never)))
                return false;
        if (facts->systemd_colors && is_one_of(facts->systemd_colors, always, ELEMENTSOF(always)))
                return true;
        if (facts->no_color && *facts->no_color)
                return false;
        if (!facts->term || strcmp(facts->term, "dumb") == 0)
                return false;
        return facts->is_terminal;
}

bool terminal_style_size(int fd, size_t *ret_rows, size_t *ret_columns) {
        struct winsize size;

        if (fd < 0 || ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0 || size.ws_row == 0)
                return false;
        *ret_rows = size.ws_row;
        *ret_columns = size.ws_col;
        return true;
}

static size_t terminal_width(int fd) {
        const char *columns = getenv("COLUMNS");
        size_t rows, width;
        int n;

        n = columns ? atoi(columns) : 0;
        if (n > 0)
                return (size_t) n;
        return terminal_style_size(fd, &rows, &width) ? width : FALLBACK_WIDTH;
}

TerminalStyle terminal_style_detect(FILE *f, bool no_color) {
        int fd = fileno(f);
        bool is_terminal = fd >= 0 && isatty(fd);

        return (TerminalStyle){
                .is_terminal = is_terminal,
                .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
                /* Whoever reads a pipe wants all of the text. */
                .width = is_terminal ? terminal_width(fd) : 0,
                .color = terminal_style_wants_color(&(ColorFacts){
                        .is_terminal = is_terminal,
                        .refused = no_color,
                        .systemd_colors = getenv("SYSTEMD_COLORS"),
                        .no_color = getenv("NO_COLOR"),
                        .term = getenv("TERM"),
                }),
        };
}

static const struct {
        const char *utf8, *ascii, *color;
} looks[] = {
        [SERVICE_RUNNING] = { "●", "*", "\033[0;32m" },  /* green */
        [SERVICE_DEGRADED] = { "◐", "!", "\033[0;33m" }, /* yellow */
        [SERVICE_FAILED] = { "✗", "x", "\033[0;1;31m" }, /* bold red */
        [SERVICE_STARTING] = { "◌", "~", "\033[0;36m" }, /* cyan */
        [SERVICE_STOPPING] = { "◌", "~", "\033[0;36m" }, [SERVICE_RESTARTING] = { "◌", "~", "\033[0;36m" },
        [SERVICE_STOPPED] = { "○", "o", "\033[0;90m" }, /* grey */
        [SERVICE_UNKNOWN] = { "?", "?", "\033[0;35m" }, /* magenta */
};
static_assert(ELEMENTSOF(looks) == _SERVICE_STATE_MAX, "every state has a sign and a colour");

static size_t look_of(ServiceState state) {
        return (int) state >= 0 && state < _SERVICE_STATE_MAX ? (size_t) state : SERVICE_UNKNOWN;
}

const char *terminal_style_sign(const TerminalStyle *style, ServiceState state) {
        return style->utf8 ? looks[look_of(state)].utf8 : looks[look_of(state)].ascii;
}

const char *terminal_style_color(const TerminalStyle *style, ServiceState state) {
        return style->color ? looks[look_of(state)].color : "";
}

const char *terminal_style_plain(const TerminalStyle *style) {
        return style->color ? "\033[0m" : "";
}
