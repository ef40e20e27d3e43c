/* SPDX-License-Identifier: Apache-2.0 */
/* Percentile bootstrap over groups, stratified by what a group holds. A replicate is a vector of weights; each has its
 * own stream of random numbers, so that no schedule shows in the result. */
#include "metrics/metrics.h"

#include <math.h>

physad_status physad__strata_new(physad__strata *out, physad__mem *mem, const int64_t *positives,
                                 const int64_t *negatives, int64_t groups)
{
    physad__strata s = { { 0, 0, 0 }, NULL, false };
    int64_t at = 0, holding[2] = { 0, 0 };
    s.member = physad__alloc_array(mem, groups, sizeof(*s.member), "strata of groups");
    if (s.member == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int kind = 0; kind < 3; kind++) {
        for (int64_t g = 0; g < groups; g++) {
            const int held = (negatives[g] > 0 ? 1 : 0) | (positives[g] > 0 ? 2 : 0);
            if (held == kind + 1)
                s.member[at++] = (int32_t)g;
        }
        s.count[kind] = at - (kind > 0 ? s.count[0] : 0) - (kind > 1 ? s.count[1] : 0);
    }
    holding[0] = s.count[0] + s.count[2];
    holding[1] = s.count[1] + s.count[2];
    s.enough = holding[0] >= 2 && holding[1] >= 2;
    *out = s;
    return PHYSAD_OK;
}

void physad__strata_free(physad__strata *strata)
{
    physad__free(strata->member);
    strata->member = NULL;
}

void physad__strata_draw(const physad__strata *strata, uint64_t seed, int64_t index, uint32_t *weight, int64_t groups)
{
    physad__rng rng;
    const int32_t *member = strata->member;
    physad__rng_seed(&rng, seed, (uint64_t)index);
    memset(weight, 0, (size_t)groups * sizeof(*weight));
    for (int kind = 0; kind < 3; kind++) {
        for (int64_t i = 0; i < strata->count[kind]; i++)
            weight[member[physad__rng_below(&rng, strata->count[kind])]]++;
        member += strata->count[kind];
    }
}

const char *physad__no_interval(const physad__strata *strata, const physad_measure_options *options)
{
    if (options->replicates < 1)
        return "no interval was asked for";
    return strata->enough ? NULL : "a class lies in fewer than two groups";
}

/* Linear between order statistics at q (n - 1). */
static double quantile(const double *sorted, int64_t n, double q)
{
    const double place = q * (double)(n - 1);
    const int64_t low = (int64_t)floor(place), high = physad__min(low + 1, n - 1);
    return sorted[low] + (place - (double)low) * (sorted[high] - sorted[low]);
}

void physad__interval(physad_metric *metric, double *values, int64_t n, double level)
{
    physad__sort_doubles(values, n);
    metric->lower = quantile(values, n, (1 - level) / 2);
    metric->upper = quantile(values, n, (1 + level) / 2);
    metric->interval_reason = NULL;
}

physad_status physad__bootstrap(physad__call *call, const physad__strata *strata, int64_t groups, int64_t cost,
                                const physad_measure_options *options, physad__replicate_fn work, void *user)
{
    enum { MOST = 64, MEMORY = 1 << 24, WORTH_THREADS = 1 << 16 };
    const int64_t batch = physad__max(1, physad__min(MOST, MEMORY / physad__max(1, groups)));
    physad_status status = PHYSAD_OK;
    uint32_t *weight = physad__alloc_array(&call->ctx->mem, batch * groups, sizeof(*weight), "bootstrap weights");
    if (weight == NULL)
        return PHYSAD_ERR_NOMEM;
    physad__call_stage(call, "bootstrap", options->replicates);
    for (int64_t first = 0; first < options->replicates && status == PHYSAD_OK; first += batch) {
        const int64_t count = physad__min(batch, options->replicates - first);
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic) if (count * cost >= WORTH_THREADS)
#endif
        for (int64_t i = 0; i < count; i++) {
            uint32_t *w = weight + i * groups;
            physad__strata_draw(strata, options->seed, first + i, w, groups);
            work(user, first + i, w);
        }
        status = physad__call_tick(call, first + count);
    }
    physad__free(weight);
    return status;
}
