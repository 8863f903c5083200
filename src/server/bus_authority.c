/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/bus_authority.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/outcome.h"
#include "boundary/polkit.h"

/* Of hero_proc-gateway.service (units/hero_proc.sysusers.conf). */
#define GATEWAY_USER "hero-proc-gateway"

enum {
        SYSTEM_UID_MAX = 999, /* of Debian, and of systemd's sysusers */

        /* Calls that wait for polkit, which may hang, or for a human; each holds its message. */
        WAITING_MAX = 256,
        WAITING_OF_ONE_UID_MAX = 64,
        WAITING_BYTES_MAX = 32 * 1024 * 1024,
        /* The bus allows a connection 128 unanswered calls, of which 64 are for systemd. */
        AT_POLKIT_MAX = 48,
        /* A terminal's agent refuses a second prompt while the first is open, and one user's open prompts must leave
         * room for those of others. */
        PROMPTS_MAX = 8,
        PROMPTS_OF_ONE_UID_MAX = 2,
        PROMPTS_OF_ONE_SENDER_MAX = 1,
};

static const char *const action_ids[_AUTHORITY_ACTION_MAX] = {
        [AUTHORITY_MANAGE_SERVICES] = "org.hero.Proc1.manage-services",
        [AUTHORITY_MANAGE_DEFINITIONS] = "org.hero.Proc1.manage-definitions",
};

typedef enum Phase {
        PHASE_UID,    /* the bus is asked who calls */
        PHASE_POLKIT, /* polkit is asked, which must not ask anybody: so it answers at once, or hangs */
        PHASE_QUEUE,  /* a human is to be asked, and others are before */
        PHASE_PROMPT, /* polkit asks a human */
} Phase;

/* A call that waits for an answer about its sender. It holds no service, only the message that names it: what is true
 * now may not be when the answer comes. */
typedef struct Question {
        TAILQ_ENTRY(Question) entry;
        BusAuthority *authority;
        sd_bus_message *call;
        AuthorityRequest request;
        char *service;
        uid_t uid;
        Phase phase;
        uint64_t number;
        sd_bus_slot *answer, *sender_gone;
} Question;

struct BusAuthority {
        bool is_user;
        TAILQ_HEAD(, Question) questions; /* in the order that they came in */
        uint64_t n_asked;
};

int bus_authority_new(bool is_user, BusAuthority **ret) {
        BusAuthority *a = calloc(1, sizeof *a);

        if (!a)
                return -ENOMEM;
        a->is_user = is_user;
        TAILQ_INIT(&a->questions);
        *ret = a;
        return 0;
}

BusAuthority *bus_authority_free(BusAuthority *a) {
        if (!a)
                return NULL;
        bus_authority_drop_all(a);
        free(a);
        return NULL;
}

/* sd-bus lets a slot be dropped from inside its own handler. */
static void question_free(Question *q) {
        TAILQ_REMOVE(&q->authority->questions, q, entry);
        sd_bus_slot_unref(q->answer);
        sd_bus_slot_unref(q->sender_gone);
        sd_bus_message_unref(q->call);
        free(q->service);
        free(q);
}

/* Of hero_proc-gateway.service (units/hero_proc.sysusers.conf). */
#define GATEWAY_USER "hero-proc-gateway"

void bus_authority_drop_all(BusAuthority *a) {
        while (!TAILQ_EMPTY(&a->questions))
                question_free(TAILQ_FIRST(&a->questions));
}

/* -- the rule -- */

typedef enum Verdict { VERDICT_YES, VERDICT_NO, VERDICT_ASK_POLKIT } Verdict;

/* The account is looked up only for a caller that can be it: people's uids must not be able to make the server ask a
 * slow directory service. Kept nowhere, since the account may come after the server. */
static bool is_gateway(uid_t uid) {
        struct passwd entry, *found = NULL;
        char buffer[4096];

        if (geteuid() != 0 || uid > SYSTEM_UID_MAX)
                return false;
        return getpwnam_r(GATEWAY_USER, &entry, buffer, sizeof buffer, &found) == 0 && found && found->pw_uid == uid;
}

/* Here, and nowhere else, is decided who may do what without polkit, so that it holds where there is none. The gateway
 * has seen that its own caller is entitled to an operator's everyday; never to what makes root run something new,
 * whatever a rule of polkit's says. */
static Verdict judge(const BusAuthority *a, uid_t uid, AuthorityAction action) {
        if (uid == 0 || uid == geteuid())
                return VERDICT_YES;
        if (a->is_user)
                return VERDICT_NO;
        if (is_gateway(uid))
                return action == AUTHORITY_MANAGE_SERVICES ? VERDICT_YES : VERDICT_NO;
        return VERDICT_ASK_POLKIT;
}

/* -- the end of a question -- */

static void refuse(Question *q, const char *dbus_name, const char *why) {
        (void) sd_bus_reply_method_errorf(q->call, dbus_name, "%s%s%s: %s", q->request.verb, *q->service ? " " : "",
                                          q->service, why);
        question_free(q);
}

static void deny(Question *q, const char *why) {
        refuse(q, outcome_info(HERO_E_NOT_AUTHORIZED)->dbus_name, why);
}

static void carry_out(Question *q) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = sd_bus_message_ref(q->call);
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        AuthorityRequest request = q->request;
        int r;

        question_free(q);
        r = sd_bus_message_rewind(call, 1);
        if (r >= 0)
                r = request.allowed(call, request.userdata, &error);
        /* A caller that is gone, and cannot be answered, is no reason to close the connection. */
        if (sd_bus_error_is_set(&error))
                (void) sd_bus_reply_method_error(call, &error);
        else if (r < 0)
                (void) sd_bus_reply_method_errno(call, r, NULL);
}

/* -- polkit -- */

static bool may_interact(const Question *q) {
        return sd_bus_message_get_allow_interactive_authorization(q->call) > 0;
}

static int on_polkit(sd_bus_message *reply, void *userdata, sd_bus_error *ignored);

static int send_question(Question *q, Phase phase) {
        q->phase = phase;
        q->answer = sd_bus_slot_unref(q->answer);
        return polkit_question_send(sd_bus_message_get_bus(q->call),
                                    &(PolkitQuestion){
                                            .sender = sd_bus_message_get_sender(q->call),
                                            .action = action_ids[q->request.action],
                                            .verb = q->request.verb,
                                            .service = q->service,
                                            .may_interact = phase == PHASE_PROMPT,
                                            .cancellation = q->number,
                                    },
                                    on_polkit, q, &q->answer);
}

static bool may_prompt(const Question *asking) {
        size_t n = 0, n_of_uid = 0, n_of_sender = 0;
        const Question *q;

        TAILQ_FOREACH(q, &asking->authority->questions, entry) {
                if (q->phase != PHASE_PROMPT)
                        continue;
                n++;
                n_of_uid += q->uid == asking->uid;
                n_of_sender += strcmp(sd_bus_message_get_sender(q->call), sd_bus_message_get_sender(asking->call)) == 0;
        }
        return n < PROMPTS_MAX && n_of_uid < PROMPTS_OF_ONE_UID_MAX && n_of_sender < PROMPTS_OF_ONE_SENDER_MAX;
}

/* After each prompt that is over, whatever came of it. */
static void prompt_next(BusAuthority *a) {
        Question *q, *next;

        for (q = TAILQ_FIRST(&a->questions); q; q = next) {
                next = TAILQ_NEXT(q, entry);
                if (q->phase == PHASE_QUEUE && may_prompt(q) && send_question(q, PHASE_PROMPT) < 0)
                        deny(q, "polkit cannot be asked, so only root may do this");
        }
}

static void conclude(Question *q, PolkitAnswer answer) {
        static const char *const reasons[_POLKIT_ANSWER_MAX] = {
                [POLKIT_DENIED] = "polkit does not allow it",
                [POLKIT_DISMISSED] = "nobody has authenticated for it",
                [POLKIT_NEEDS_HUMAN] = "this takes a password, and there is nobody to ask for one",
                [POLKIT_ABSENT] = "polkit is not there, so only root may do this",
                [POLKIT_SILENT] = "polkit does not answer, so only root may do this",
                [POLKIT_FAILED] = "polkit cannot tell, so only root may do this",
        };

        if (answer == POLKIT_AUTHORIZED)
                carry_out(q);
        else if (answer == POLKIT_NEEDS_HUMAN && !may_interact(q))
                refuse(q, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                       "this takes a password, and the call does not let polkit ask for one");
        else
                deny(q, reasons[answer]);
}

static int on_polkit(sd_bus_message *reply, void *userdata, sd_bus_error *ignored) {
        Question *q = userdata;
        BusAuthority *a = q->authority;
        PolkitAnswer answer = polkit_answer_read(reply);

        (void) ignored;
        if (answer == POLKIT_SILENT)
                polkit_question_cancel(sd_bus_message_get_bus(q->call), q->number);
        if (answer == POLKIT_NEEDS_HUMAN && q->phase == PHASE_POLKIT && may_interact(q))
                q->phase = PHASE_QUEUE;
        else
                conclude(q, answer);
        prompt_next(a);
        return 1;
}

static int on_sender_gone(sd_bus_message *m, void *userdata, sd_bus_error *ignored) {
        Question *q = userdata;
        BusAuthority *a = q->authority;

        (void) m;
        (void) ignored;
        polkit_question_cancel(sd_bus_message_get_bus(q->call), q->number);
        question_free(q);
        prompt_next(a);
        return 0;
}

/* Without it, what was allowed to somebody who has left would be done for nobody. */
static int on_watched(sd_bus_message *m, void *userdata, sd_bus_error *ignored) {
        (void) ignored;
        if (sd_bus_message_is_method_error(m, NULL))
                deny(userdata, "the bus does not tell whether the caller is still there");
        return 1;
}

/* The watch is asked for first: whoever leaves before it is in place is unknown to polkit too, and whoever leaves
 * later is reported before any answer that polkit gives later. */
static int ask_polkit(Question *q) {
        char match[512];
        int r;

        (void) snprintf(match, sizeof match,
                        "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                        "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='%s',arg2=''",
                        sd_bus_message_get_sender(q->call));
        r = sd_bus_add_match_async(sd_bus_message_get_bus(q->call), &q->sender_gone, match, on_sender_gone, on_watched,
                                   q);
        return r < 0 ? r : send_question(q, PHASE_POLKIT);
}

static bool has_room_to_wait(const Question *asking) {
        size_t n = 0, n_of_uid = 0, n_at_polkit = 0, n_bytes = asking->request.n_bytes;
        const Question *q;

        TAILQ_FOREACH(q, &asking->authority->questions, entry) {
                if (q->phase == PHASE_UID)
                        continue;
                n++;
                n_of_uid += q->uid == asking->uid;
                n_at_polkit += q->phase != PHASE_QUEUE;
                n_bytes += q->request.n_bytes;
        }
        return n < WAITING_MAX && n_of_uid < WAITING_OF_ONE_UID_MAX && n_at_polkit < AT_POLKIT_MAX &&
               n_bytes <= WAITING_BYTES_MAX;
}

/* -- whose call it is -- */

static int on_uid(sd_bus_message *reply, void *userdata, sd_bus_error *ignored) {
        Question *q = userdata;
        uint32_t uid;

        (void) ignored;
        if (sd_bus_message_is_method_error(reply, NULL) || sd_bus_message_read(reply, "u", &uid) <= 0) {
                deny(q, "the bus does not tell who calls");
                return 1;
        }
        q->uid = uid;
        switch (judge(q->authority, uid, q->request.action)) {
        case VERDICT_YES:
                carry_out(q);
                break;
        case VERDICT_NO:
                deny(q, "only root and the user that the server runs as may do this");
                break;
        case VERDICT_ASK_POLKIT:
                if (!has_room_to_wait(q))
                        refuse(q, SD_BUS_ERROR_LIMITS_EXCEEDED, "too many wait for polkit already");
                else if (ask_polkit(q) < 0)
                        deny(q, "polkit cannot be asked, so only root may do this");
                break;
        }
        return 1;
}

int bus_authority_require(BusAuthority *a, sd_bus_message *m, const AuthorityRequest *request) {
        Question *q = calloc(1, sizeof *q);
        int r;

        if (!q)
                return -ENOMEM;
        TAILQ_INSERT_TAIL(&a->questions, q, entry);
        q->authority = a;
        q->call = sd_bus_message_ref(m);
        q->request = *request;
        q->service = strdup(request->service);
        q->request.service = NULL; /* the caller's */
        q->number = a->n_asked++;
        r = !q->service
                    ? -ENOMEM
                    : sd_bus_call_method_async(sd_bus_message_get_bus(m), &q->answer, "org.freedesktop.DBus",
                                               "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetConnectionUnixUser",
                                               on_uid, q, "s", sd_bus_message_get_sender(m));
        if (r < 0) {
                question_free(q);
                return r;
        }
        return 1;
}
