/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* The files of the board, which are part of the program. */
typedef struct BoardAsset {
        const char *name, *type, *bytes;
        size_t n;
} BoardAsset;

/* "board.css"; must be one of the table's. */
const BoardAsset *board_asset_find(const char *name);
