/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* open_memstream(), but honest: where memory runs out, glibc's leaves out what it has no room for and fclose() says
 * that all went well, even with no text at all. A text of which a part is missing is none, be it an answer or a command
 * line. */

#include <stdio.h>

/* When fclose() returns 0, *text is all that was written (to be freed) and *n its length; else *text is NULL. Until
 * then it is NULL as well. NULL: out of memory. */
FILE *text_stream_open(char **text, size_t *n);
