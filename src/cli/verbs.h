/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The verbs of hero_proc(1), one file each. All return the exit code. */

#include "cli/session.h"

int verb_apply_run(Session *s);
int verb_change_run_remove(Session *s);
int verb_change_run_start(Session *s);
int verb_change_run_stop(Session *s);
int verb_change_run_restart(Session *s);
int verb_list_run(Session *s);
int verb_status_run(Session *s);
int verb_why_run(Session *s);
int verb_why_run_history(Session *s);
int verb_reset_failed_run(Session *s);
int verb_logs_run(Session *s);
int verb_wait_run(Session *s);
int verb_watch_run(Session *s);
int verb_dump_run(Session *s);
int verb_check_run(Session *s);
int verb_import_run(Session *s);
