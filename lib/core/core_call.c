/* SPDX-License-Identifier: Apache-2.0 */
#include "core/core.h"

#include "physad_config.h"

#ifdef PHYSAD_HAVE_OPENMP
#include <omp.h>
#endif

static const double REPORT_INTERVAL = 0.1; /* seconds */

physad_status physad__call_begin(physad__call *call, physad_context *ctx, const physad_call_options *options,
                                 const char *what)
{
    physad_call_options o = PHYSAD_CALL_OPTIONS_INIT;
    PHYSAD__TRY(physad__context_check(ctx, what));
    PHYSAD__TRY(physad__options_read(&o, sizeof(o), sizeof(o), options, "physad_call_options"));
    PHYSAD__TRY(physad__cancelled(ctx));
    if (o.batch < 0 || o.batch > 4096)
        return physad__error(PHYSAD_ERR_ARG, "physad_call_options: batch is %d, want 0 (as many as suit) to 4096",
                             o.batch);
    if (o.on_error != PHYSAD_ERRORS_STOP && o.on_error != PHYSAD_ERRORS_SKIP)
        return physad__error(PHYSAD_ERR_ARG, "physad_call_options: on_error is %d, want PHYSAD_ERRORS_STOP or _SKIP",
                             o.on_error);
    *call = (physad__call){ .ctx = ctx,
                            .progress = o.progress,
                            .user = o.progress_user,
                            .stage = what,
                            .batch = o.batch,
                            .on_error = o.on_error };
    call->start = physad__seconds();
    call->next = call->start;
#ifdef PHYSAD_HAVE_OPENMP
    /* The OpenMP count belongs to the calling thread, not to the program: other threads and the caller's own regions
     * keep theirs. */
    call->saved_threads = omp_get_max_threads();
    call->saved_dynamic = omp_get_dynamic();
    omp_set_dynamic(0);
    omp_set_num_threads(ctx->threads);
#endif
    return PHYSAD_OK;
}

void physad__call_end(physad__call *call)
{
#ifdef PHYSAD_HAVE_OPENMP
    omp_set_num_threads(call->saved_threads);
    omp_set_dynamic(call->saved_dynamic);
#endif
}

int physad__call_narrow(void)
{
#ifdef PHYSAD_HAVE_OPENMP
    const int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    return threads;
#else
    return 1;
#endif
}

void physad__call_widen(int threads)
{
#ifdef PHYSAD_HAVE_OPENMP
    omp_set_num_threads(threads);
#endif
}

bool physad__may_skip(physad_status status)
{
    return status != PHYSAD_OK && status != PHYSAD_ERR_NOMEM && status != PHYSAD_ERR_CANCELLED &&
           status != PHYSAD_ERR_INTERNAL && status != PHYSAD_ERR_STATE;
}

void physad__call_stage(physad__call *call, const char *stage, int64_t total)
{
    if (call->part)
        return;
    call->stage = stage;
    call->total = total;
}

physad__call physad__call_part(const physad__call *call, int64_t done)
{
    physad__call part = *call;
    part.part = true;
    part.at = call->part ? call->at : done;
    return part;
}

physad_status physad__call_tick(physad__call *call, int64_t done)
{
    PHYSAD__TRY(physad__cancelled(call->ctx));
    if (call->progress == NULL)
        return PHYSAD_OK;
    const double now = physad__seconds();
    if (call->part)
        done = call->at;
    if (now < call->next && done != call->total)
        return PHYSAD_OK;
    call->next = now + REPORT_INTERVAL;
    const physad_progress p = { call->stage, done, call->total, now - call->start };
    if (call->progress(&p, call->user) != 0)
        return physad__error(PHYSAD_ERR_CANCELLED, "%s: cancelled by the progress callback at %lld of %lld",
                             call->stage, (long long)done, (long long)call->total);
    return PHYSAD_OK;
}
