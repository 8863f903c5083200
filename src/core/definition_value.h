/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the strings of a definition may hold: each function answers for one kind of string, without any context. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Absolute and in plain form: no ".", "..", "//", no '/' at the end (but "/" itself), no control character, below
 * PATH_MAX. One file has one spelling, so that two declarations of one socket are seen to be the same. */
bool definition_path_is_absolute(const char *s);
/* The same for a path below some folder: neither empty nor able to leave it. */
bool definition_path_is_relative(const char *s);

bool definition_has_control(const char *s, const char *allowed);

/* The name of a user or group as systemd takes it, or a number that can be one. */
bool definition_user_is_valid(const char *s);

/* [A-Za-z_][A-Za-z0-9_]* */
bool definition_env_name_is_valid(const char *s);

/* RFC 9110 token, and not one that hero_proc writes itself or that changes how the answer is to be read. */
bool definition_header_name_is_valid(const char *s);

/* "512M": digits and one of K M G T, 1024-based; plain digits are bytes. False: not such, or beyond int64. */
bool definition_size_from_string(const char *s, uint64_t *ret_bytes);

/* "022" or "0022". -1: neither. */
int definition_umask_from_string(const char *s);

/* "SIGTERM", "TERM", "SIGRTMIN+3", "15". 0: no such signal. */
int definition_signal_from_string(const char *s);

/* "200-399" or "204": the next range of a comma-separated list, *s moved behind it and its comma. False: malformed, or
 * outside 100..599. */
bool definition_next_status_range(const char **s, uint16_t *ret_first, uint16_t *ret_last);
