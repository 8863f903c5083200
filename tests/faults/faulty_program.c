/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Linked into a program of ours, whole as it is: what fails in it is then said from outside, by $FAULT_PLAN. */

#undef _FORTIFY_SOURCE /* as in test_faults.c */

#include "faults/fault_injection.h"
#ifdef FAULT_PROCESS
#include "faults/process_faults.h"
#endif
