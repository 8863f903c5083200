/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* polkit over the system bus: may the one at the other end of a bus name do this? Must not know who is asked without it
 * (root, the server's own user), nor what follows from an answer. */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

typedef struct PolkitQuestion {
        /* The unique name of a connection, never a PID: a PID may be another process by the time polkit looks. */
        const char *sender;
        const char *action;         /* e.g. org.hero.Proc1.manage-services */
        const char *verb, *service; /* details that a rule and the text of a password prompt can refer to */
        bool may_interact;          /* polkit may ask a human for a password, and take its time */
        uint64_t cancellation;      /* a number that no other question of this connection has */
} PolkitQuestion;

typedef enum PolkitAnswer {
        POLKIT_AUTHORIZED,
        POLKIT_DENIED,
        POLKIT_DISMISSED,   /* the one who was asked for a password closed the prompt, or there was nobody to ask */
        POLKIT_NEEDS_HUMAN, /* it would have to ask, and may not */
        POLKIT_ABSENT,
        POLKIT_SILENT, /* the time is up, or it went away meanwhile */
        POLKIT_FAILED, /* any other error: it does not know the action, the sender is gone, … */
        _POLKIT_ANSWER_MAX,
} PolkitAnswer;

/* Sends the question; `handler` gets the reply, for polkit_answer_read(), after POLKIT_PATIENCE_USEC at the latest, or
 * POLKIT_HUMAN_PATIENCE_USEC where it may interact. Unless *ret_slot is dropped before. Negative errno. */
#define POLKIT_PATIENCE_USEC (10 * UINT64_C(1000000))
#define POLKIT_HUMAN_PATIENCE_USEC (300 * UINT64_C(1000000))
int polkit_question_send(sd_bus *bus, const PolkitQuestion *q, sd_bus_message_handler_t handler, void *userdata,
                         sd_bus_slot **ret_slot);
/* Nothing but a well-formed yes is POLKIT_AUTHORIZED. */
PolkitAnswer polkit_answer_read(sd_bus_message *reply);
/* Nobody waits for the answer any more: a prompt on somebody's screen goes away. Does not start a polkit. */
void polkit_question_cancel(sd_bus *bus, uint64_t cancellation);
