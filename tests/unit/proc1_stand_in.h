/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A process that answers as org.hero.Proc1 would, so that the client can be tested against a real peer, a real bus, and
 * the end of both. What it does hangs on the name of the service that it is asked about:
 *
 *     hero_os       running; started, it is "starting" first
 *     hero_db       failed, with two reasons
 *     hero_job      a oneshot: stopped (exited) once started
 *     hero_later    starting, and running as soon as anybody has asked what it is
 *     hero_mortal   starting; once anybody has asked for it by name, the server ends; running in its next life
 *     hero_fleeting running; removed as soon as anybody has asked for it by name
 *     hero_first    its start is answered once hero_second's was asked for
 *     hero_slow     its start is never answered, unless nobody waits
 *     hero_broken   its start is refused as failed
 *     hero_secret   nobody may touch it
 *     hero_fatal    whatever is asked about it ends the server
 *
 * Any other name is unknown to it.
 *
 * So often as stand_in_finds_that_fail says when the process is made it has no memory to find the service that it is
 * asked for. */

#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "base/cleanup.h"

#define STAND_IN_ERROR "org.hero.Proc1.Error."

typedef struct StandInService {
        const char *name, *state;
        const char *reasons[2][3]; /* code, text, subject */
        bool gone, asked;          /* asked: by its own name */
} StandInService;

static const StandInService stand_in_services[] = {
        { "hero_db",
          "failed",
          { { "process-died", "server left with status 1", "server" },
            { "socket-missing", "rpc.sock is not there", "/run/hero/hero_db/rpc.sock" } } },
        { "hero_first", "running" },
        { "hero_fleeting", "running" },
        { "hero_job", "stopped", { { "exited", "done", "main" } } },
        { "hero_later", "starting", { { "not-ready", "main is not ready", "main" } } },
        { "hero_mortal", "starting" },
        { "hero_os", "running" },
        { "hero_second", "running" },
        { "hero_slow", "starting" },
};

static unsigned stand_in_finds_that_fail;

enum { STAND_IN_SERVICES = sizeof stand_in_services / sizeof stand_in_services[0] };

typedef struct StandIn {
        sd_bus *bus;
        sd_bus_message *held; /* hero_first's start */
        bool reborn;          /* this is the next life */
        bool any_asked;
        StandInService services[STAND_IN_SERVICES];
} StandIn;

static StandInService *stand_in_find(StandIn *s, const char *name) {
        for (size_t i = 0; i < STAND_IN_SERVICES; i++)
                if (strcmp(s->services[i].name, name) == 0 && !s->services[i].gone)
                        return &s->services[i];
        return NULL;
}

static void stand_in_say(StandIn *s, const char *name, const char *old_state, const char *new_state,
                         const char *reason) {
        (void) sd_bus_emit_signal(s->bus, "/org/hero/Proc1", "org.hero.Proc1.Manager", "StateChanged", "ssss", name,
                                  old_state, new_state, reason);
}

/* What is done with names that are not plain. 0: go on. */
static int stand_in_object(StandIn *s, const char *name, sd_bus_error *reterr) {
        if (strcmp(name, "hero_fatal") == 0)
                _exit(0);
        if (strcmp(name, "hero_secret") == 0)
                return sd_bus_error_set(reterr, STAND_IN_ERROR "NotAuthorized", "only root may");
        if (strcmp(name, "hero_broken") == 0)
                return sd_bus_error_set(reterr, STAND_IN_ERROR "StartFailed",
                                        "hero_broken: failed: main left with status 7");
        if (!stand_in_find(s, name))
                return sd_bus_error_setf(reterr, STAND_IN_ERROR "NoSuchService", "%s: no such service", name);
        return 0;
}

/* -- a service as an object -- */

#define STAND_IN_OBJECTS "/org/hero/Proc1/service"

static int stand_in_get_word(sd_bus *bus _unused_, const char *path _unused_, const char *interface _unused_,
                             const char *property, sd_bus_message *reply, void *userdata,
                             sd_bus_error *reterr _unused_) {
        const StandInService *service = userdata;

        if (strcmp(property, "Wanted") == 0)
                return sd_bus_message_append(reply, "s", "up");
        return sd_bus_message_append(reply, "s", strcmp(property, "Name") == 0 ? service->name : service->state);
}

static int stand_in_get_since(sd_bus *bus _unused_, const char *path _unused_, const char *interface _unused_,
                              const char *property _unused_, sd_bus_message *reply, void *userdata _unused_,
                              sd_bus_error *reterr _unused_) {
        return sd_bus_message_append(reply, "t", UINT64_C(1763805600000000));
}

static int stand_in_get_reasons(sd_bus *bus _unused_, const char *path _unused_, const char *interface _unused_,
                                const char *property _unused_, sd_bus_message *reply, void *userdata,
                                sd_bus_error *reterr _unused_) {
        const StandInService *service = userdata;
        int r = sd_bus_message_open_container(reply, 'a', "(sss)");

        for (size_t i = 0; r >= 0 && i < 2 && service->reasons[i][0]; i++)
                r = sd_bus_message_append(reply, "(sss)", service->reasons[i][0], service->reasons[i][2],
                                          service->reasons[i][1]);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

#define STAND_IN_CHANGES SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

static const sd_bus_vtable stand_in_service_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Name", "s", stand_in_get_word, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", stand_in_get_word, 0, STAND_IN_CHANGES),
        SD_BUS_PROPERTY("Wanted", "s", stand_in_get_word, 0, STAND_IN_CHANGES),
        SD_BUS_PROPERTY("Reasons", "a(sss)", stand_in_get_reasons, 0, STAND_IN_CHANGES),
        SD_BUS_PROPERTY("StateSinceUSec", "t", stand_in_get_since, 0, STAND_IN_CHANGES),
        SD_BUS_VTABLE_END,
};

static int stand_in_find_object(sd_bus *bus _unused_, const char *path, const char *interface _unused_, void *userdata,
                                void **ret_found, sd_bus_error *reterr _unused_) {
        char *name = NULL;
        StandInService *service = NULL;

        if (stand_in_finds_that_fail > 0) {
                stand_in_finds_that_fail--;
                return -ENOMEM;
        }
        if (sd_bus_path_decode(path, STAND_IN_OBJECTS, &name) > 0)
                service = stand_in_find(userdata, name);
        free(name);
        if (!service)
                return 0;
        *ret_found = service;
        return 1;
}

static int stand_in_enumerate(sd_bus *bus _unused_, const char *prefix _unused_, void *userdata, char ***ret_nodes,
                              sd_bus_error *reterr _unused_) {
        StandIn *s = userdata;
        char **nodes = calloc(STAND_IN_SERVICES + 1, sizeof *nodes);
        size_t n = 0;

        for (size_t i = 0; i < STAND_IN_SERVICES; i++)
                if (!s->services[i].gone && sd_bus_path_encode(STAND_IN_OBJECTS, s->services[i].name, &nodes[n]) >= 0)
                        n++;
        *ret_nodes = nodes;
        return 0;
}

static void stand_in_tell_object(StandIn *s, const char *name, bool is_there) {
        char *path = NULL;

        if (sd_bus_path_encode(STAND_IN_OBJECTS, name, &path) < 0)
                return;
        if (is_there)
                (void) sd_bus_emit_properties_changed(s->bus, path, "org.hero.Proc1.Service", "State", "Reasons",
                                                      "StateSinceUSec", NULL);
        else
                (void) sd_bus_emit_object_removed(s->bus, path);
        free(path);
}

/* Sees who is asked about, before it is answered. */
static int stand_in_note_question(sd_bus_message *m, void *userdata, sd_bus_error *reterr _unused_) {
        StandIn *s = userdata;
        StandInService *service;
        char *name = NULL;

        if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"))
                s->any_asked = true;
        if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus.Properties", "GetAll") &&
            sd_bus_path_decode(sd_bus_message_get_path(m), STAND_IN_OBJECTS, &name) > 0) {
                service = stand_in_find(s, name);
                s->any_asked = true;
                if (service)
                        service->asked = true;
        }
        free(name);
        return 0;
}

/* What was asked about changes once the question is answered. */
static void stand_in_follow_up(StandIn *s) {
        StandInService *later = stand_in_find(s, "hero_later"), *fleeting = stand_in_find(s, "hero_fleeting");
        StandInService *mortal = stand_in_find(s, "hero_mortal");

        if (!s->any_asked)
                return;
        s->any_asked = false;
        if (strcmp(later->state, "starting") == 0) {
                later->state = "running";
                later->reasons[0][0] = NULL;
                stand_in_say(s, "hero_later", "starting", "running", "");
                stand_in_tell_object(s, "hero_later", true);
        }
        if (fleeting && fleeting->asked) {
                stand_in_tell_object(s, "hero_fleeting", false);
                fleeting->gone = true;
        }
        if (mortal->asked && !s->reborn) {
                (void) sd_bus_flush(s->bus);
                _exit(0);
        }
}

static void stand_in_append_status(const StandInService *service, bool first, FILE *f) {
        fprintf(f,
                "%s{\"name\":\"%s\",\"state\":\"%s\",\"wanted\":\"up\",\"since_usec\":0,\"observed_usec\":0,\"ready\":"
                "null,\"reasons\":[",
                first ? "" : ",", service->name, service->state);
        for (size_t i = 0; i < 2 && service->reasons[i][0]; i++)
                fprintf(f, "%s{\"code\":\"%s\",\"text\":\"%s\",\"subject\":\"%s\"}", i > 0 ? "," : "",
                        service->reasons[i][0], service->reasons[i][1], service->reasons[i][2]);
        fputs("],\"actions\":[],\"sockets\":[],\"probes\":[]}", f);
}

static int stand_in_get_status(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        StandIn *s = userdata;
        char **names = NULL, *text = NULL;
        bool all, first = true;
        uint64_t flags;
        size_t size;
        FILE *f;
        int r;

        r = sd_bus_message_read_strv(m, &names);
        if (r < 0)
                return r;
        r = sd_bus_message_read(m, "t", &flags);
        if (r < 0)
                return r;
        if (flags != 0)
                return sd_bus_error_set(reterr, SD_BUS_ERROR_INVALID_ARGS, "flags: this call takes none");
        all = !names || !names[0];
        s->any_asked = true;
        for (char **n = names; n && *n && r >= 0; n++) {
                r = stand_in_object(s, *n, reterr);
                if (r >= 0)
                        stand_in_find(s, *n)->asked = true;
        }
        f = open_memstream(&text, &size);
        fputc('[', f);
        for (size_t i = 0; i < STAND_IN_SERVICES; i++) {
                bool wanted = all;

                for (char **n = names; n && *n; n++)
                        wanted = wanted || strcmp(*n, s->services[i].name) == 0;
                if (wanted && !s->services[i].gone) {
                        stand_in_append_status(&s->services[i], first, f);
                        first = false;
                }
        }
        fputc(']', f);
        fclose(f);
        for (char **n = names; n && *n; n++)
                free(*n);
        free(names);
        if (r >= 0)
                r = sd_bus_reply_method_return(m, "s", text);
        free(text);
        return r;
}

static int stand_in_start(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        StandIn *s = userdata;
        const char *name;
        uint64_t flags;
        int r;

        r = sd_bus_message_read(m, "st", &name, &flags);
        if (r < 0)
                return r;
        r = stand_in_object(userdata, name, reterr);
        if (r < 0)
                return r;
        if (flags & 1)
                return sd_bus_reply_method_return(m, "s", "starting");
        if (strcmp(name, "hero_slow") == 0)
                return 1;
        if (strcmp(name, "hero_first") == 0) {
                s->held = sd_bus_message_ref(m);
                return 1;
        }
        if (strcmp(name, "hero_second") == 0 && s->held) {
                (void) sd_bus_reply_method_return(s->held, "s", "running");
                s->held = sd_bus_message_unref(s->held);
        }
        stand_in_say(s, name, "stopped", "starting", "not-ready");
        if (strcmp(name, "hero_job") == 0)
                return sd_bus_reply_method_return(m, "s", "stopped");
        return sd_bus_reply_method_return(m, "s", strcmp(name, "hero_db") == 0 ? "failed" : "running");
}

static int stand_in_stop(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const char *name;
        uint64_t flags;
        int r;

        r = sd_bus_message_read(m, "st", &name, &flags);
        if (r >= 0)
                r = stand_in_object(userdata, name, reterr);
        return r < 0 ? r : sd_bus_reply_method_return(m, "s", "stopped");
}

static int stand_in_remove(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const char *name;
        uint64_t flags;
        int r;

        r = sd_bus_message_read(m, "st", &name, &flags);
        if (r >= 0)
                r = stand_in_object(userdata, name, reterr);
        return r < 0 ? r : sd_bus_reply_method_return(m, NULL);
}

/* "created" for each text; the flags come back in the difference. A text that holds "bad" is refused. */
static int stand_in_apply(sd_bus_message *m, void *userdata _unused_, sd_bus_error *reterr) {
        sd_bus_message *reply = NULL;
        char **texts = NULL, difference[64];
        uint64_t flags;
        int r;

        r = sd_bus_message_read_strv(m, &texts);
        if (r >= 0)
                r = sd_bus_message_read(m, "t", &flags);
        for (char **t = texts; r >= 0 && t && *t; t++)
                if (strstr(*t, "bad"))
                        r = sd_bus_error_set(reterr, STAND_IN_ERROR "InvalidDefinition",
                                             "hero_bad: colour: unknown field");
        if (r >= 0)
                r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(ss)");
        for (char **t = texts; t && *t; t++) {
                struct json_object *definition = json_tokener_parse(*t), *name = NULL;

                (void) json_object_object_get_ex(definition, "name", &name);
                if (r >= 0)
                        r = sd_bus_message_append(reply, "(ss)", json_object_get_string(name), "created");
                json_object_put(definition);
                free(*t);
        }
        free(texts);
        (void) snprintf(difference, sizeof difference, "flags %u", (unsigned) (r >= 0 ? flags : 0));
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "s", difference);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r;
}

/* All that it was asked for are restarted, but hero_db, which goes on failing; with no names, one of each kind. */
static int stand_in_reset_failed(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        char **names = NULL;
        int r;

        r = sd_bus_message_read_strv(m, &names);
        if (r < 0)
                return r;
        for (char **n = names; n && *n; n++) {
                if (r >= 0)
                        r = stand_in_object(userdata, *n, reterr);
                free(*n);
        }
        if (r >= 0 && names && names[0])
                r = sd_bus_reply_method_return(m, "a(sss)", 1, "hero_os", "restarted", "the probe failed");
        else if (r >= 0)
                r = sd_bus_reply_method_return(m, "a(sss)", 4, "hero_db", "still-failed", "server left with status 1",
                                               "hero_job", "skipped", "stopped by operator", "hero_later", "restarted",
                                               "socket missing", "hero_os", "left-alone", "healthy");
        free(names);
        return r;
}

static int stand_in_list(sd_bus_message *m, void *userdata, sd_bus_error *reterr _unused_) {
        const StandIn *s = userdata;
        sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(sssso)");
        for (size_t i = 0; r >= 0 && i < STAND_IN_SERVICES; i++)
                if (!s->services[i].gone)
                        r = sd_bus_message_append(reply, "(sssso)", s->services[i].name, s->services[i].state, "", "up",
                                                  "/");
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r;
}

static int stand_in_dump(sd_bus_message *m, void *userdata _unused_, sd_bus_error *reterr _unused_) {
        return sd_bus_reply_method_return(m, "s", "{\"services\":[]}");
}

static const sd_bus_vtable stand_in_vtable[] = {
        SD_BUS_VTABLE_START(SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ListServices", NULL, "a(sssso)", stand_in_list, 0),
        SD_BUS_METHOD("GetStatus", "ast", "s", stand_in_get_status, 0),
        SD_BUS_METHOD("ApplyDefinitions", "ast", "a(ss)s", stand_in_apply, 0),
        SD_BUS_METHOD("RemoveService", "st", NULL, stand_in_remove, 0),
        SD_BUS_METHOD("StartService", "st", "s", stand_in_start, 0),
        SD_BUS_METHOD("StopService", "st", "s", stand_in_stop, 0),
        SD_BUS_METHOD("RestartService", "st", "s", stand_in_start, 0),
        SD_BUS_METHOD("ResetFailed", "ast", "a(sss)", stand_in_reset_failed, 0),
        SD_BUS_METHOD("Dump", NULL, "s", stand_in_dump, 0),
        SD_BUS_SIGNAL("StateChanged", "ssss", 0),
        SD_BUS_VTABLE_END,
};

/* Answers until the other side is gone. With a `name`, takes it once the object is there, and then writes a byte to
 * `ready_fd` unless that is -1. */
static bool stand_in_serve(sd_bus *bus, const char *name, bool reborn, int ready_fd) {
        StandIn s = { .bus = bus, .reborn = reborn };
        int r;

        memcpy(s.services, stand_in_services, sizeof s.services);
        if (reborn)
                stand_in_find(&s, "hero_mortal")->state = "running";
        r = sd_bus_add_filter(bus, NULL, stand_in_note_question, &s);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, NULL, "/org/hero/Proc1", "org.hero.Proc1.Manager", stand_in_vtable,
                                             &s);
        if (r >= 0)
                r = sd_bus_add_object_manager(bus, NULL, "/org/hero/Proc1");
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(bus, NULL, STAND_IN_OBJECTS, "org.hero.Proc1.Service",
                                               stand_in_service_vtable, stand_in_find_object, &s);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(bus, NULL, STAND_IN_OBJECTS, stand_in_enumerate, &s);
        if (r >= 0 && name)
                r = sd_bus_request_name(bus, name, 0);
        if (r >= 0 && ready_fd >= 0)
                r = (int) write(ready_fd, "", 1);
        while (r >= 0) {
                r = sd_bus_process(bus, NULL);
                stand_in_follow_up(&s);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
        }
        sd_bus_message_unref(s.held);
        return r == -ECONNRESET || r == -ENOTCONN;
}

/* Starts one on the other end of a socket pair, and gives this end as a bus. It ends with the connection. */
static _unused_ pid_t stand_in_fork(sd_bus **ret) {
        int fds[2];
        sd_bus *bus = NULL;
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                return -1;
        fflush(NULL);
        pid = fork();
        if (pid == 0) {
                close(fds[0]);
                (void) sd_bus_new(&bus);
                (void) sd_bus_set_fd(bus, fds[1], fds[1]);
                (void) sd_bus_set_server(bus, 1,
                                         SD_ID128_MAKE(de, ad, be, ef, de, ad, be, ef, de, ad, be, ef, de, ad, be, ef));
                if (sd_bus_start(bus) >= 0)
                        (void) stand_in_serve(bus, NULL, false, -1);
                _exit(0);
        }
        close(fds[1]);
        (void) sd_bus_new(&bus);
        (void) sd_bus_set_fd(bus, fds[0], fds[0]);
        (void) sd_bus_start(bus);
        *ret = bus;
        return pid;
}

static void stand_in_reap(pid_t pid) {
        int status;

        if (pid > 0)
                (void) waitpid(pid, &status, 0);
}
