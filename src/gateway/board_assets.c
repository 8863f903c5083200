/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/board_assets.h"

#include <string.h>

#include "base/cleanup.h"

/* The assembler takes a file as it is; the Makefile says that this object depends on it. */
#define EMBED(symbol, path)                                                                  \
        __asm__(".section .rodata\n.balign 16\n" #symbol ":\n.incbin \"" path "\"\n" #symbol \
                "_end:\n.byte 0\n.previous\n");                                              \
        extern __attribute__((visibility("hidden"))) const char symbol[], symbol##_end[]

EMBED(board_css, "src/gateway/board.css");
EMBED(board_js, "src/gateway/board.js");
EMBED(board_svg, "src/gateway/board.svg");

const BoardAsset *board_asset_find(const char *name) {
        static BoardAsset assets[] = {
                { "board.css", "text/css; charset=utf-8", board_css, 0 },
                { "board.js", "text/javascript; charset=utf-8", board_js, 0 },
                { "board.svg", "image/svg+xml", board_svg, 0 },
        };

        assets[0].n = (size_t) (board_css_end - board_css);
        assets[1].n = (size_t) (board_js_end - board_js);
        assets[2].n = (size_t) (board_svg_end - board_svg);
        for (size_t i = 0; i < ELEMENTSOF(assets); i++)
                if (strcmp(assets[i].name, name) == 0)
                        return &assets[i];
        return &assets[0];
}
