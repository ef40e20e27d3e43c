/* SPDX-License-Identifier: Apache-2.0 */
/* The greedy k-center coreset. */
#include "bank/bank_greedy.h"

#define STREAM_FIRST 0x636f7265u /* of the seed: the first pick */

static physad_status read_options(physad_coreset_options *o, const physad_bank *bank,
                                  const physad_coreset_options *options, int64_t *count)
{
    *o = (physad_coreset_options)PHYSAD_CORESET_OPTIONS_INIT;
    PHYSAD__TRY(physad__options_read(o, sizeof(*o), sizeof(*o), options, "physad_coreset_options"));
    const int64_t n = bank->count;
    if (n == 0)
        return physad__error(PHYSAD_ERR_STATE, "physad_bank_coreset: the bank is empty; add rows first");
    if (o->flags & ~(PHYSAD_CORESET_FIRST | PHYSAD_CORESET_SEED))
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "physad_coreset_options: flags 0x%x are not all known", o->flags);
    if (o->count < 0 || o->count > n)
        return physad__error(PHYSAD_ERR_ARG, "physad_coreset_options: count is %lld, want 0 (by ratio) to %lld",
                             (long long)o->count, (long long)n);
    if (!(o->ratio >= 0 && o->ratio <= 1))
        return physad__error(PHYSAD_ERR_ARG, "physad_coreset_options: ratio is %g, want more than 0, up to 1",
                             o->ratio);
    if ((o->flags & PHYSAD_CORESET_FIRST) && (o->first < 0 || o->first >= n))
        return physad__error(PHYSAD_ERR_ARG, "physad_coreset_options: first is %lld, want 0 to %lld",
                             (long long)o->first, (long long)n - 1);
    if (o->projection < PHYSAD_PROJECTION_NONE || o->projection > PHYSAD_PROJECTION_GIVEN)
        return physad__error(PHYSAD_ERR_ARG, "physad_coreset_options: projection is %d, want a PHYSAD_PROJECTION_*",
                             o->projection);
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
        return physad__error(PHYSAD_ERR_ARG, "physad_bank_coreset_count: %s is NULL",
                             bank == NULL ? "the bank" : "count");
    PHYSAD__TRY(physad__context_check(bank->ctx, "physad_bank_coreset_count"));
    return read_options(&o, bank, options, count);
}

/* For banks too small for a plan: one pass over all rows per pick. */
static physad_status pick(const physad__rows *rows, int64_t first, int64_t count, int64_t *picks, double *radii,
                          physad__call *call)
{
    int64_t next = first;
    double *least = physad__alloc_array(&call->ctx->mem, rows->n, sizeof(double), "coreset");
    if (least == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < rows->n; i++)
        least[i] = INFINITY;
    for (int64_t p = 0; p < count; p++) {
        picks[p] = next;
        if (radii != NULL)
            radii[p] = sqrt(least[next]);
        least[next] = -1; /* below every distance: not picked again */
        const float *centre = rows->data + next * rows->d;
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
        const physad_status status = physad__call_tick(call, p + 1);
        if (status != PHYSAD_OK) {
            physad__free(least);
            return status;
        }
    }
    physad__free(least);
    return PHYSAD_OK;
}

/* Picks among the rows themselves, by the bank's plan, or among their projections, by a plan of the moment. */
static physad_status pick_by(const physad_bank *bank, const physad_coreset_options *o, int64_t count, int64_t *picks,
                             double *radii, physad__call *call)
{
    const uint64_t seed = (o->flags & PHYSAD_CORESET_SEED) ? o->seed : bank->ctx->seed;
    const bool projected =
        o->projection == PHYSAD_PROJECTION_GIVEN ||
        (o->projection == PHYSAD_PROJECTION_SPARSE && physad__projection_width(bank->count, o->eps) < bank->dim);
    physad__rows rows = { physad__bank_rows(bank), bank->count, bank->dim, physad__kernels_get(bank->ctx->cpu_flags) };
    physad__region region = PHYSAD__REGION_EMPTY;
    physad__plan *made = NULL;
    const physad__plan *plan = NULL;
    physad_status status = PHYSAD_OK;
    int64_t first = o->first;
    if (!(o->flags & PHYSAD_CORESET_FIRST)) {
        physad__rng rng;
        physad__rng_seed(&rng, seed, STREAM_FIRST);
        first = physad__rng_below(&rng, bank->count);
    }
    if (projected)
        status = physad__project(&region, bank, o, seed, &rows, call);
    physad__call_stage(call, "coreset", count);
    if (status == PHYSAD_OK && !projected)
        status = physad__bank_plan(bank, &plan, call);
    if (status == PHYSAD_OK && projected && bank->count >= PHYSAD__PLAN_FEWEST) {
        status = physad__plan_new(&made, &bank->spill, &rows, bank->samples, call);
        plan = made;
    }
    if (status == PHYSAD_OK)
        status = plan != NULL ? physad__greedy(plan, &rows, first, count, picks, radii, call)
                              : pick(&rows, first, count, picks, radii, call);
    physad__plan_free(made);
    physad__region_free(&region);
    return status;
}

static physad_status check_matrix(const physad_coreset_options *o, int64_t d)
{
    const int64_t shape[2] = { -1, d };
    if (o->projection != PHYSAD_PROJECTION_GIVEN)
        return PHYSAD_OK;
    PHYSAD__TRY(physad__view_want(o->matrix, "physad_coreset_options: matrix", PHYSAD_F32, 2, shape));
    const int64_t m = o->matrix->shape[0];
    if (m < 1 || m > PHYSAD_BANK_MAX_DIM)
        return physad__error(PHYSAD_ERR_SHAPE, "physad_coreset_options: matrix has %lld rows, want 1 to %d",
                             (long long)m, PHYSAD_BANK_MAX_DIM);
    return physad__rows_finite(o->matrix->data, m, d, d, "physad_coreset_options: matrix");
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
    PHYSAD__TRY(check_matrix(&o, bank->dim));
    PHYSAD__TRY(physad__view_want(picks, "physad_bank_coreset: picks", PHYSAD_I64, 1, count));
    if (radii != NULL)
        PHYSAD__TRY(physad__view_want(radii, "physad_bank_coreset: radii", PHYSAD_F64, 1, count));
    physad__call state;
    PHYSAD__TRY(physad__call_begin(&state, bank->ctx, call, "physad_bank_coreset"));
    const physad_status status = pick_by(bank, &o, count[0], picks->data, radii != NULL ? radii->data : NULL, &state);
    physad__call_end(&state);
    return status;
}
