/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-c/json.h>
#include <systemd/sd-bus.h>

/* Appends `value` to `m` as one complete type of `signature`: basic types b i u x t s o, arrays and structs of them. A
 * JSON array serves for both. -EINVAL where value and signature do not fit; else what sd-bus says. */
int json_to_bus_append(sd_bus_message *m, const char *signature, struct json_object *value);
