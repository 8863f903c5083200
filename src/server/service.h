/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One supervised service in memory: its definition, the evidence of its parts, and what is under way. Evidence and
 * wishes are kept, a status is not: `shown` is only what was last published, to tell changes by. */

#include <netinet/in.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "base/rare_text.h"
#include "boundary/hands.h"
#include "boundary/http_prober.h"
#include "boundary/process_unit.h"
#include "boundary/socket_table.h"
#include "boundary/store.h"
#include "boundary/waiters.h"
#include "core/duration_histogram.h"
#include "core/healing.h"
#include "core/recent_answers.h"
#include "core/service_definition.h"
#include "core/service_status.h"
#include "core/socket_owner.h"
#include "core/unit_facts.h"
#include "core/unit_names.h"

typedef struct Supervisor Supervisor;
typedef struct Service Service;
typedef struct Eviction Eviction;
typedef struct PortNetwork PortNetwork;

/* What is still to be done with an action; at most one at a time. */
typedef enum ActionTask {
        TASK_NONE,
        TASK_START,
        TASK_RESTART,
        TASK_HEAL, /* restart it if it still is up and nobody else is at it; start it if it is down */
        TASK_STOP,
} ActionTask;

typedef struct Action {
        Service *service;
        UnitActive known_active; /* as of the last signal: a death is a change, not a state */
        uint32_t known_main_pid; /* the same */
        const ActionDefinition *definition;
        char *unit; /* its name */
        UnitFacts facts;
        uint8_t known_invocation[16]; /* the one that its sockets and probes are judged for */
        bool wanted;                  /* false: an operator took it down */
        ActionTask task;
        bool task_issued;       /* systemd has been told; the job's end is awaited */
        bool task_may_be_done;  /* … and what became of it was lost on the way (of TASK_RESTART) */
        bool is_to_be_read;     /* its facts may be from before that, and are asked for before the task goes on */
        bool by_operator;       /* the task is a person's wish: the start limit is reset first */
        StartLimit start_limit; /* systemd's, as followed from here */
        PortNetwork
                *network;   /* its main process's, where that is not ours, and it declares ports; NULL: ours, or none */
        Eviction *eviction; /* of those who hold its sockets, on behalf of `task` or of systemd's restart; NULL: none */
        uint64_t evicted_for_usec; /* when the process died on whose account that was done last, without a task */
        char *evicted;             /* what became of the last one; NULL: it had nothing to do */
} Action;

/* Who has a live socket (socket_identity.c). */
typedef struct SocketListener {
        SocketOwner owner;
        uint32_t peer_pid; /* of the process that called listen(), as each connection has it; 0: not known */
        uint32_t pid;      /* of the process that has it; 0: not known */
        const char *unit;  /* of that process; NULL: not known */
        char command[PROCESS_COMMAND_MAX];
        sd_event_source *exit;      /* of that process, where nobody else tells of it */
        bool is_own_unit;           /* `unit` is the name that the service's action has */
        bool is_put_off;            /* it could not be asked for, or was so often of late: it will be asked later */
        uint64_t search_after_usec; /* monotonic: when all processes may be looked through again */
} SocketListener;

typedef struct ServiceSocket {
        Service *service;
        const SocketDefinition *definition;
        SocketSighting seen;
        int file;                 /* that was seen alive, O_PATH; -1: none is */
        bool in_view;             /* it was found alive in a file system that its process has for itself … */
        uint32_t view_pid;        /* … and this is the process */
        bool is_unwatched;        /* its folder cannot be watched */
        bool is_counted;          /* socket_watch counts it among the sockets of that folder */
        uint64_t link_until_usec; /* monotonic: until then it counts as the link that it was; 0: it was none */
        char *link_text;          /* what that link was; NULL: not known */
        SocketListener listener;
        uint64_t asking_since_usec; /* monotonic: connections made to find out whose it is are counted from then on … */
        unsigned n_asked;           /* … and were so many */
        bool seen_alive;            /* in this invocation */
        bool was_found_full;        /* by the first look in a while: since when is not known */
        uint64_t doubt_until_usec; /* monotonic: went bad under a process that counts as up, and systemd has still to
                                    * say whether it is; 0: no doubt */
        bool is_suspect;
        LIST_ENTRY(ServiceSocket) suspects;
} ServiceSocket;

typedef struct ServicePort {
        const PortDefinition *definition;
        SocketState state;
        uint32_t backlog;
        bool seen_alive;                            /* in this invocation */
        uint64_t doubt_until_usec;                  /* monotonic: until then it counts as before; 0: no doubt */
        uint64_t full_since_usec;                   /* monotonic; 0: its queue has room */
        bool was_found_full;                        /* by the first look in a while: since when is not known */
        uint32_t listener;                          /* the socket that speaks for it; 0: none */
        struct in6_addr loopback;                   /* where that is asked, IPv4 as ::ffff:; "::": nowhere */
        uint32_t listener_pid;                      /* 0: not known */
        uint32_t listener_uid;                      /* of who made the socket */
        char *listener_unit;                        /* NULL: nobody listens, or it is not known */
        char listener_command[PROCESS_COMMAND_MAX]; /* "": not known */
} ServicePort;

typedef struct ServiceProbe {
        Service *service;
        const ProbeDefinition *definition;
        int action; /* owner; -1: all actions together */
        int socket; /* index of the declared socket it asks; -1: none of them */
        int port;   /* the same, of the declared ports */
        Probe *probe;
        ProbeHealth health;
        RecentAnswers recent; /* also of invocations before this one */
        bool active;          /* its owner is up */
        bool adopted;
        bool is_spread;         /* it has been put apart from those that came up with it */
        uint64_t asked_usec;    /* monotonic: somebody wants an answer newer than this; 0: nobody */
        uint64_t answered_usec; /* monotonic: when the probe began whose answer is the newest */
        uint64_t tried_usec;    /* monotonic: when the last try began, whether it came to an answer or not */
        unsigned n_answers_since_asked, n_not_asked_since_asked;
        uint64_t latency_usec, checked_realtime_usec; /* of the last pass or fail */
        uint64_t since_realtime_usec;                 /* its verdict; of a STALE one: the verdict before */
        bool is_owed;                                 /* the verdict is to be written (records.c) */
        STAILQ_ENTRY(ServiceProbe) owed_entry;
        unsigned status;
        unsigned n_same_error; /* how many failures in a row, up to the last, had that error */
        RareText error;        /* why it failed last; "" once it is passing */
        RareText not_asked;    /* why the last try did not come to ask, by our own fault; "": it did */
} ServiceProbe;

/* The steps of taking units down and making them anew (service_units.c). */
typedef enum UnitStep {
        UNITS_SETTLED,
        UNITS_STOPPING, /* the slice's stop job runs */
        UNITS_CLEARING, /* what is left is listed, reset, stopped */
        UNITS_CREATING,
        UNITS_CHECKING, /* did each come out loaded? */
} UnitStep;

/* What systemd is still to be told of units that it changes as they run (service_live.c). */
typedef struct LiveChanges {
        Service *service;
        struct json_object *changes; /* as of unit_plan_live_changes(); NULL mostly */
        unsigned n_calls;            /* outstanding */
        bool told;
        bool is_owed; /* what there is to be told is not known yet */
} LiveChanges;

/* What is asked of its slice. */
typedef struct SliceFacts {
        UnitLoad load;
        UnitActive active;
        uint32_t job_id;
        bool has_left_active; /* at least once */
} SliceFacts;

struct Service {
        Supervisor *supervisor;
        ServiceDefinition *definition;
        SliceFacts slice;
        Action *actions;
        ServiceSocket *sockets;
        ServicePort *ports;
        ServiceProbe *probes;

        ServiceOperation operation;
        IntentionKind intention; /* as it stands in the store */
        uint64_t asked_usec;     /* monotonic: when an operator last asked for it, or took it down; 0: nobody did */
        bool units_made;         /* they are, or were, known to systemd: their absence then is somebody's doing */
        bool slice_was_active;
        bool rebuild; /* its units are to be made anew */
        bool removing;
        UnitStep step;
        unsigned n_step_calls; /* outstanding calls of this step */
        unsigned n_clear_rounds;
        uint64_t clear_since_usec; /* monotonic; put off by the time that systemd takes to answer */
        uint64_t clear_asked_usec; /* … since it was asked last */
        sd_event_source *step_timer;
        LiveChanges live;
        HandsCall *gift; /* its folder is being given to its user; NULL mostly */
        int gift_error;  /* negative errno: of the last try */
        unsigned n_gift_tries;
        char *fault; /* why the units could not be made; NULL mostly */

        HealingRecord healing;
        HealingHold healing_hold;
        uint64_t healing_at_usec; /* monotonic: when healing looks again */
        unsigned alerted;         /* kinds of alerts.c, a bit each, that were raised in this illness */
        bool alert_is_lost;       /* its on_failure_unit may never have been asked for: once more */
        bool alert_is_repeated;   /* … which has been done */

        ServiceState shown_state;
        DecisionRule shown_rule;
        uint64_t shown_lives; /* which processes its actions had: one may take another's place between two looks */
        size_t n_shown;
        Reason *shown;           /* NULL when there is none */
        char *shown_text;        /* of the leading reason, NULL when there is none */
        ServiceState told_state; /* the last that whoever listens was told of (bus_signals.c) … */
        unsigned owed_signals;   /* … and what could not be told yet; a mask, 0 mostly */
        uint64_t state_since_realtime_usec;
        ServiceState remembered_state; /* the last that was recorded before this server came up, and since when */
        uint64_t remembered_since_realtime_usec; /* 0: nothing is remembered (any more) */
        Waiter recheck;
        uint64_t retry_at_usec; /* the next step was put off until then, because something ran out in it */

        bool dirty;
        STAILQ_ENTRY(Service) dirty_entry;
        bool is_owed; /* on the list of records.c, of what the store does not have yet */
        STAILQ_ENTRY(Service) owed_entry;
};

/* Takes `definition`. wanted_up goes to all actions but those named in actions_down (blank-separated, may be NULL). */
int service_new(Supervisor *s, ServiceDefinition *definition, bool wanted_up, const char *actions_down, Service **ret);
Service *service_free(Service *s);
DEFINE_CLEANUP(Service *, service_free)

/* A new definition of the same name, in two steps, so that nothing can fail once the store has it. The first takes
 * `definition` and gets all the memory; what it gives is for service_become() or service_prepared_free() and nothing
 * else. The second takes that: what is known of actions that go on under the same unit name is kept. */
int service_prepare(const Service *s, ServiceDefinition *definition, Service **ret);
void service_become(Service *s, Service *next);
Service *service_prepared_free(Service *next);
DEFINE_CLEANUP(Service *, service_prepared_free)

/* NULL when there is none of that name. */
Action *service_find_action(Service *s, const char *name);
Action *service_find_action_by_unit(Service *s, const char *unit);

/* Its next step waits for a moment; the evaluation that is under way sees to it that there is another. */
void service_put_off(Service *s);
/* What the server itself ran short of in a step, memory or descriptors, passes, and is no fault of the service's. */
bool service_step_may_pass(int r);
/* … and so does a silence of systemd's. What it was asked then may be done, or be done yet. */
bool service_call_may_pass(int r);
/* Such a step is taken again in a moment, however often that needs. `what` and `r` are for the log. */
void service_retry_later(Service *s, const char *what, int r);

bool service_wants_up(const Service *s); /* at least one action is wanted */
void service_set_wanted(Service *s, bool up);
/* For store_set_wanted(): names of the actions that are down while others are wanted. To be freed. */
char *service_actions_down(const Service *s);

ActionPolicy action_policy(const Action *a);
ActionJudgement action_judge(const Action *a, uint64_t now_usec);
/* Its process is one from before an operator asked for another. */
bool action_is_older_than_asked(const Action *a);
/* Until when its sockets and probes may still be coming up; 0 when it is not up. */
uint64_t action_start_deadline_usec(const Action *a);
