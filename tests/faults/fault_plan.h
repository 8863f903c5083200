/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is to fail in a program with fault_injection.h in it. */

#include <stdatomic.h>
#include <stdint.h>

typedef enum FaultKind {
        FAULT_NONE,
        FAULT_ALLOCATION,  /* no memory */
        FAULT_ERROR,       /* EIO, ENOSPC, ECONNRESET, EPIPE, EMFILE: as fits the call */
        FAULT_INTERRUPTED, /* EINTR */
        FAULT_SHORT,       /* one byte is read or written, and no more */
        _FAULT_KIND_MAX,
} FaultKind;

/* Shared memory of this layout is what $FAULT_PLAN names (tests/faults/injector.py writes it too). */
typedef struct FaultPlan {
        _Atomic uint64_t kind;
        _Atomic uint64_t n, span; /* the n-th fails, counted from 1, and so many from there on */
        _Atomic uint64_t n_seen;  /* so many could have failed so far */
        _Atomic uint64_t n_failed;
        _Atomic int64_t n_blocks; /* allocated and not freed */
} FaultPlan;

#define FAULT_FOR_EVER UINT64_MAX
