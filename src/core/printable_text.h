/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* Writes the first of `n` bytes that came from elsewhere (a process, a file's name) to `ret` as text of at most
 * size - 1 bytes that can go into a log line, a bus message and a terminal: what is not UTF-8, noncharacters, and
 * control characters, C1 and those that turn the direction of writing among them, become '?'. What does not fit is cut,
 * and ends in "…"; `size` is at least 4. */
void printable_text(const char *bytes, size_t n, char *ret, size_t size);
