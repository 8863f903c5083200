/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Log lines for the journal: "<N>text" on standard error, which journald reads as a priority. Only programs, server/
 * and gateway/ log above debug; a library function returns its error and lets its caller say it once. */

#include <stdbool.h>
#include <syslog.h>

#include "base/cleanup.h"

/* Lines less important than `level` (a syslog level; default LOG_INFO) are dropped. */
void log_set_max_level(int level);

/* On a terminal the "<N>" is left out. */
void log_line(int level, const char *format, ...) _printf_(2, 3);

#define log_error(...) log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
