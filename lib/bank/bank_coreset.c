/* SPDX-License-Identifier: Apache-2.0 */
/* The greedy k-center coreset. */
#include "bank/bank_internal.h"

#include "physad_config.h"

#define STREAM_FIRST 0x636f7265u /* of the seed: the first pick */

static physad_status read_options(physad_coreset_options *o, const physad_bank *bank, const physad_coreset_options *options,
                                  int64_t *count)
{
    *o = (physad_coreset_options)PHYSAD_CORESET_OPTIONS_INIT;
    PHYSAD__TRY(physad__options_read(o, sizeof(*o), sizeof(*o), options, "physad_coreset_options"));
    const int64_t n = bank->count;
    if (n == 0)
        return physad__error(PHYSAD_ERR_STATE, "physad_bank_coreset: the bank is empty; add rows first");
    if (o->flags & ~(PHYSAD_CORESET_FIRST | PHYSAD_CORESET_SEED))
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "physad_coreset_options: flags 0x%x are not all known", o->flags);
    if (o->count < 0 || o->count > n)
        return physad__error(PHYSAD_ERR_ARG, "physad_coreset_options: count is %lld, want 0 (by ratio) to %lld", (long long)o->count,
                             (long long)n);
    if (!(o->ratio >= 0 && o->ratio <= 1))
        return physad__error(PHYSAD_ERR_ARG, "physad_coreset_options: ratio is %g, want more than 0, up to 1", o->ratio);
    if ((o->flags & PHYSAD_CORESET_FIRST) && (o->first < 0 || o->first >= n))
        return physad__error(PHYSAD_ERR_ARG, "physad_coreset_options: first is %lld, want 0 to %lld", (long long)o->first,
                             (long long)n - 1);
    if (o->projection < PHYSAD_PROJECTION_NONE || o->projection > PHYSAD_PROJECTION_GIVEN)
        return physad__error(PHYSAD_ERR_ARG, "physad_coreset_options: projection is %d, want a PHYSAD_PROJECTION_*", o->projection);
    if (!(o->eps >= 0 && o->eps < 1))
        return physad__error(PHYSAD_ERR_ARG, "physad_coreset_options: eps is %g, want between 0 and 1", o->eps);
    *count = o->count;
    if (o->count == 0)
        *count = physad__max(1, (int64_t)((o->ratio > 0 ? o->ratio : 0.1) * (double)n));
    return PHYSAD_OK;
}

physad_status physad_bank_coreset_count(const physad_bank *bank, const physad_coreset_options *options, int64_t *count)
{
    physad_coreset_options o;
    if (bank == NULL || count == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_bank_coreset_count: %s is NULL", bank == NULL ? "the bank" : "count");
    PHYSAD__TRY(physad__context_check(bank->ctx, "physad_bank_coreset_count"));
    return read_options(&o, bank, options, count);
}

/* One pass over all rows per pick. */
static physad_status pick(const physad__rows *rows, int64_t first, int64_t count, int64_t *picks, double *radii, double *least,
                          physad__call *call)
{
    int64_t next = first;
    for (int64_t i = 0; i < rows->n; i++)
        least[i] = INFINITY;
    for (int64_t p = 0; p < count; p++) {
        picks[p] = next;
        if (radii != NULL)
            radii[p] = sqrt(least[next]);
        least[next] = -1; /* below every distance: not picked again */
        const float *centre = rows->data + next * rows->d;
#ifdef PHYSAD_HAVE_OPENMP
#pragma omp parallel for schedule(static)
#endif
        for (int64_t block = 0; block < rows->n; block += 64) {
            double distance[64];
            const int64_t n = physad__min(64, rows->n - block);
            rows->kernels->exact_distances(distance, centre, rows->data + block * rows->d, rows->d, NULL, n, rows->d);
            for (int64_t i = 0; i < n; i++)
                if (distance[i] < least[block + i])
                    least[block + i] = distance[i];
        }
        for (int64_t i = 0; i < rows->n; i++)
            if (i == 0 || least[i] > least[next])
                next = i;
        PHYSAD__TRY(physad__call_tick(call, p + 1));
    }
    return PHYSAD_OK;
}

physad_status physad_bank_coreset(const physad_bank *bank, const physad_view *picks, const physad_view *radii,
                                  const physad_coreset_options *options, const physad_call_options *call)
{
    physad_coreset_options o;
    int64_t count[1];
    if (bank == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_bank_coreset: the bank is NULL");
    PHYSAD__TRY(physad__context_check(bank->ctx, "physad_bank_coreset"));
    PHYSAD__TRY(read_options(&o, bank, options, count));
    PHYSAD__TRY(physad__view_want(picks, "physad_bank_coreset: picks", PHYSAD_I64, 1, count));
    if (radii != NULL)
        PHYSAD__TRY(physad__view_want(radii, "physad_bank_coreset: radii", PHYSAD_F64, 1, count));
    physad__call state;
    PHYSAD__TRY(physad__call_begin(&state, bank->ctx, call, "physad_bank_coreset"));
    physad__call_stage(&state, "coreset", count[0]);
    int64_t first = o.first;
    if (!(o.flags & PHYSAD_CORESET_FIRST)) {
        physad__rng rng;
        physad__rng_seed(&rng, (o.flags & PHYSAD_CORESET_SEED) ? o.seed : bank->ctx->seed, STREAM_FIRST);
        first = physad__rng_below(&rng, bank->count);
    }
    const physad__rows rows = { physad__bank_rows(bank), bank->count, bank->dim, physad__kernels_get(bank->ctx->cpu_flags) };
    double *least = physad__alloc_array(&bank->ctx->mem, bank->count, sizeof(double), "coreset");
    physad_status status = least != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = pick(&rows, first, count[0], picks->data, radii != NULL ? radii->data : NULL, least, &state);
    physad__free(least);
    physad__call_end(&state);
    return status;
}
