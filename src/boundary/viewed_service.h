/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the properties of a service's D-Bus object (org.hero.Proc1.Service) say of it, as plain values. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "core/reason.h"

typedef struct ViewedReason {
        char *code, *subject, *text;
} ViewedReason;

typedef struct ViewedService {
        char *name;
        ServiceState state;  /* SERVICE_UNKNOWN, and no reasons, where nothing is known */
        uint64_t since_usec; /* CLOCK_REALTIME; 0: not known */
        bool wanted_up;
        ViewedReason *reasons; /* the leading one first */
        size_t n_reasons;
} ViewedService;

/* Nothing is known of it yet. NULL: out of memory. */
ViewedService *viewed_service_new(const char *name);
ViewedService *viewed_service_free(ViewedService *s);

/* Reads a{sv}: some or all of its properties. *changed becomes true when one of the values above did. Negative errno,
 * and the message is not of that form. */
int viewed_service_read(sd_bus_message *message, ViewedService *s, bool *changed);

/* What was known of it is not known any more. */
void viewed_service_forget(ViewedService *s);

/* The leading reason in words, "" where there is none. */
const char *viewed_service_reason(const ViewedService *s);
