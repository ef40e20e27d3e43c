/* SPDX-License-Identifier: Apache-2.0 */
/* core: the context, and what every public call does first: check it, take its threads, report progress. */
#ifndef PHYSAD__CORE_H
#define PHYSAD__CORE_H

#include "base/base.h"

struct physad_context {
    physad__mem mem;
    atomic_int references;
    atomic_int cancelled;
    int64_t pid;
    int32_t threads;
    uint32_t cpu_flags;
    uint64_t seed;
    physad_log_fn log;
    void *log_user;
    int32_t log_level;
};

/* NULL is ARG, a context from before fork() is STATE; `what` names the call or the handle. */
physad_status physad__context_check(const physad_context *ctx, const char *what);
physad_context *physad__context_retain(physad_context *ctx);

void physad__log(const physad_context *ctx, int32_t level, const char *format, ...) PHYSAD__PRINTF(3, 4);

/* CANCELLED with a message once physad_context_cancel() was called. Cheap; any thread. */
physad_status physad__cancelled(const physad_context *ctx);

/* --- a long call (core_call.c): threads, progress, cancel --- */

typedef struct physad__call {
    physad_context *ctx;
    physad_progress_fn progress;
    void *user;
    const char *stage;
    int64_t total;
    int64_t batch;    /* samples at a time; 0: as many as suit */
    int32_t on_error; /* PHYSAD_ERRORS_* */
    double start, next;
    bool part;  /* of another call's unit of work, see physad__call_part() */
    int64_t at; /* how far that call is */
    int saved_threads, saved_dynamic;
} physad__call;

/* Checks context and options, and sets the OpenMP thread count of the calling thread; physad__call_end() restores it
 * and must follow whenever this returned OK. */
physad_status physad__call_begin(physad__call *call, physad_context *ctx, const physad_call_options *options,
                                 const char *what);
void physad__call_end(physad__call *call);
/* Within a call: libraries called from here on compute in this thread alone (many small matrices lose by threads);
 * returns what physad__call_widen() restores. */
int physad__call_narrow(void);
void physad__call_widen(int threads);
void physad__call_stage(physad__call *call, const char *stage, int64_t total); /* the text stays until the next stage */
/* On the calling thread, after each unit of work: reports at most ten times a second (and always at the end of a
 * stage), and returns CANCELLED when the callback or the context says so. */
physad_status physad__call_tick(physad__call *call, int64_t done);
/* What a unit of work of `call` is given for its own steps: their ticks look for a cancel and show the outer stage at
 * `done`, for their counts are of other things. Begins and ends nothing. */
physad__call physad__call_part(const physad__call *call, int64_t done);
/* Whether a failure is one sample's own, so that PHYSAD_ERRORS_SKIP leaves this out: not NOMEM, CANCELLED, STATE or
 * INTERNAL. */
bool physad__may_skip(physad_status status);

#endif
