/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* JSON laid out for people: a member or element a line, two blanks a level. */

#include <stdio.h>

/* `text` is JSON without blanks between its parts, as json_tree_text() gives it. */
void json_pretty_print(FILE *out, const char *text);
