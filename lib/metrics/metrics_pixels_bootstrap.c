/* SPDX-License-Identifier: Apache-2.0 */
/* The AUROC of a resampled test set is a weighted sum of the pairs won between groups: those are counted once, and a
 * replicate costs no more than their table. */
#include "metrics/metrics.h"

typedef struct content_order {
    const physad__run *run;
} content_order;

static int compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_content(int32_t a, int32_t b, const void *user)
{
    const content_order *o = user;
    const physad__run *x = &o->run[a], *y = &o->run[b];
    int c = compare_u64((uint64_t)x->positives, (uint64_t)y->positives);
    if (c == 0)
        c = compare_u64((uint64_t)x->negatives, (uint64_t)y->negatives);
    return c != 0 ? c : compare_u64(x->content, y->content);
}

/* Named groups by name, then the photos without a group by what they hold. */
static physad_status number_groups(physad__pair_counts *p, const physad_pixels *pixels)
{
    physad__mem *mem = &pixels->ctx->mem;
    physad_status status = PHYSAD_ERR_NOMEM;
    int32_t *rank = physad__alloc_array(mem, pixels->groups.count, sizeof(*rank), "order of groups");
    int32_t *order = physad__alloc_array(mem, 2 * pixels->count, sizeof(*order), "order of photos");
    if (rank == NULL || order == NULL || (status = physad__names_rank(&pixels->groups, rank)) != PHYSAD_OK)
        goto done;
    for (int64_t i = 0; i < pixels->count; i++)
        order[i] = (int32_t)i;
    const content_order by = { pixels->run };
    physad__sort_ids(order, order + pixels->count, pixels->count, compare_content, &by);
    p->groups = pixels->groups.count;
    for (int64_t i = 0; i < pixels->count; i++) {
        const int32_t group = pixels->run[order[i]].group;
        p->run_group[order[i]] = group >= 0 ? rank[group] : (int32_t)p->groups++;
    }
done:
    physad__free(rank);
    physad__free(order);
    return status;
}

void physad__pair_counts_free(physad__pair_counts *p)
{
    physad__free(p->run_group);
    physad__free(p->group_owner);
    physad__free(p->owner_group);
    physad__free(p->region_owner);
    physad__free(p->positives);
    physad__free(p->negatives);
    physad__free(p->won);
    physad__free(p->bin);
    physad__strata_free(&p->strata);
    *p = (physad__pair_counts){ 0 };
}

static physad_status count_groups(physad__pair_counts *p, const physad_pixels *pixels)
{
    physad__mem *mem = &pixels->ctx->mem;
    const size_t most = (size_t)(pixels->groups.count + pixels->count);
    p->run_group = physad__alloc_array(mem, pixels->count, sizeof(*p->run_group), "groups of photos");
    p->group_owner = physad__alloc_array(mem, (int64_t)most, sizeof(*p->group_owner), "groups");
    p->owner_group = physad__alloc_array(mem, (int64_t)most, sizeof(*p->owner_group), "groups");
    p->positives = physad__alloc_zero(mem, most * sizeof(*p->positives), "groups");
    p->negatives = physad__alloc_zero(mem, most * sizeof(*p->negatives), "groups");
    if (p->run_group == NULL || p->group_owner == NULL || p->owner_group == NULL || p->positives == NULL ||
        p->negatives == NULL)
        return PHYSAD_ERR_NOMEM;
    PHYSAD__TRY(number_groups(p, pixels));
    for (int64_t i = 0; i < pixels->count; i++) {
        p->positives[p->run_group[i]] += pixels->run[i].positives;
        p->negatives[p->run_group[i]] += pixels->run[i].negatives;
    }
    for (int64_t g = 0; g < p->groups; g++) {
        p->group_owner[g] = -1;
        if (p->positives[g] > 0) {
            p->owner_group[p->owners] = (int32_t)g;
            p->group_owner[g] = (int32_t)p->owners++;
        }
        p->used += p->positives[g] + p->negatives[g] > 0;
    }
    return PHYSAD_OK;
}

static physad_status make_table(physad__pair_counts *p, const physad_pixels *pixels)
{
    physad__mem *mem = &pixels->ctx->mem;
    p->region_owner = physad__alloc_array(mem, pixels->regions, sizeof(*p->region_owner), "groups of regions");
    p->won = physad__alloc_zero(mem, (size_t)(p->groups * p->owners) * sizeof(*p->won), "pairs of groups");
    p->bin = physad__alloc_zero(mem, (size_t)p->owners * sizeof(*p->bin), "bins of scores");
    if (p->region_owner == NULL || p->won == NULL || p->bin == NULL)
        return PHYSAD_ERR_NOMEM;
    p->bin_size = (pixels->positives + PHYSAD__PAIR_BINS - 1) / PHYSAD__PAIR_BINS;
    for (int64_t i = 0; i < pixels->count; i++)
        for (int64_t r = 0; r < pixels->run[i].region_count; r++)
            p->region_owner[pixels->run[i].region_first + r] = p->group_owner[p->run_group[i]];
    return PHYSAD_OK;
}

physad_status physad__pair_counts_new(physad__pair_counts *out, const physad_pixels *pixels,
                                      const physad_measure_options *options)
{
    physad__pair_counts p = { 0 };
    physad_status status = count_groups(&p, pixels);
    if (status == PHYSAD_OK)
        status = physad__strata_new(&p.strata, &pixels->ctx->mem, p.positives, p.negatives, p.groups);
    if (status == PHYSAD_OK) {
        p.reason = physad__no_interval(&p.strata, options);
        if (p.reason == NULL && p.used > PHYSAD__MOST_PAIRED_GROUPS)
            p.reason = "more than 4096 groups";
        if (p.reason == NULL)
            status = make_table(&p, pixels);
    }
    if (status != PHYSAD_OK)
        physad__pair_counts_free(&p);
    else
        *out = p;
    return status;
}

/* --- bins --- */

/* From the highest scores down; a bin's anomalous pixels by owner. */
typedef struct bins {
    uint32_t *low, *high; /* keys, both of the bin */
    int64_t *start;       /* of its entries below; one more than there are bins */
    int64_t count, capacity[3];
    int32_t *owner;
    int64_t *pixels;
    int64_t entries, entry_capacity[2];
} bins;

static void bins_free(bins *b)
{
    physad__free(b->low);
    physad__free(b->high);
    physad__free(b->start);
    physad__free(b->owner);
    physad__free(b->pixels);
}

static physad_status bins_reserve(bins *b, physad__mem *mem, int64_t entries)
{
    static const char what[] = "bins of scores";
    PHYSAD__TRY(physad__grow(mem, &b->low, &b->capacity[0], b->count + 1, sizeof(*b->low), what));
    PHYSAD__TRY(physad__grow(mem, &b->high, &b->capacity[1], b->count + 1, sizeof(*b->high), what));
    PHYSAD__TRY(physad__grow(mem, &b->start, &b->capacity[2], b->count + 2, sizeof(*b->start), what));
    PHYSAD__TRY(physad__grow(mem, &b->owner, &b->entry_capacity[0], entries, sizeof(*b->owner), what));
    return physad__grow(mem, &b->pixels, &b->entry_capacity[1], entries, sizeof(*b->pixels), what);
}

/* Ends the present bin, whose lowest key is `low`. */
static physad_status end_bin(bins *b, physad__pair_counts *p, physad__mem *mem, uint32_t low)
{
    PHYSAD__TRY(bins_reserve(b, mem, b->entries + p->owners));
    b->low[b->count] = low;
    b->high[b->count] = p->bin_high;
    b->start[b->count++] = b->entries;
    for (int64_t o = 0; o < p->owners; o++) {
        if (p->bin[o] == 0)
            continue;
        b->owner[b->entries] = (int32_t)o;
        b->pixels[b->entries++] = p->bin[o];
        p->bin[o] = 0;
    }
    b->start[b->count] = b->entries;
    p->bin_count = 0;
    return PHYSAD_OK;
}

/* The bins that end in a range; what is left waits for the next, so that where ranges end does not show. */
static physad_status fill_bins(bins *b, physad__pair_counts *p, const physad_pixels *pixels, const physad__range *range)
{
    for (int64_t k = range->ties - 1; k >= 0; k--) {
        if (p->bin_count == 0)
            p->bin_high = range->key[k];
        for (int64_t i = range->start[k]; i < range->start[k + 1]; i++)
            p->bin[p->region_owner[(uint32_t)range->pixel[i] & ~PHYSAD__SATURATED]]++;
        p->bin_count += range->start[k + 1] - range->start[k];
        p->seen += range->start[k + 1] - range->start[k];
        if (p->bin_count >= p->bin_size || p->seen == pixels->positives)
            PHYSAD__TRY(end_bin(b, p, &pixels->ctx->mem, range->key[k]));
    }
    return PHYSAD_OK;
}

/* Adds the pairs of one run's normal pixels with the bins' anomalous ones. */
static void count_run(const bins *b, physad__cursor *c, int64_t *row)
{
    int64_t at = 0;
    for (int64_t k = b->count - 1; k >= 0; k--) {
        const int64_t below = physad__cursor_below(c, b->low[k], at);
        at = physad__cursor_below(c, b->high[k] + 1, below);
        for (int64_t i = b->start[k]; i < b->start[k + 1]; i++)
            row[b->owner[i]] += b->pixels[i] * (below + at); /* a pair below counts twice, an equal one once */
    }
}

static physad_status count_group(const physad__pair_counts *p, const physad_pixels *pixels, const bins *b,
                                 int32_t group)
{
    physad__cursor c;
    uint32_t *buffer = NULL;
    if (pixels->spill.size > 0 && (buffer = physad__alloc_array(&pixels->ctx->mem, PHYSAD__CURSOR_KEYS, sizeof(*buffer),
                                                                "reading pixels")) == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_status status = PHYSAD_OK;
    for (int64_t i = 0; i < pixels->count && status == PHYSAD_OK; i++) {
        if (p->run_group[i] != group)
            continue;
        physad__cursor_open(&c, pixels, &pixels->run[i], buffer);
        count_run(b, &c, p->won + (int64_t)group * p->owners);
        status = c.status;
    }
    physad__free(buffer);
    return status;
}

physad_status physad__pair_counts_add(physad__pair_counts *p, const physad_pixels *pixels, const physad__range *range)
{
    enum { WORTH_THREADS = 1 << 14 };
    physad__fault fault = { PHYSAD_OK, "" };
    bins b = { 0 };
    const physad_status filled = fill_bins(&b, p, pixels, range);
    const int64_t groups = filled == PHYSAD_OK && b.count > 0 ? p->groups : 0;
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic) if (b.entries * groups >= WORTH_THREADS)
#endif
    for (int64_t g = 0; g < groups; g++) {
        const physad_status status = count_group(p, pixels, &b, (int32_t)g);
        if (status != PHYSAD_OK) {
#ifdef _OPENMP
#pragma omp critical(physad_pairs)
#endif
            physad__fault_take(&fault, status);
        }
    }
    bins_free(&b);
    return filled == PHYSAD_OK ? physad__fault_publish(&fault) : filled;
}

/* --- replicates --- */

typedef struct replicates {
    const physad__pair_counts *pairs;
    double *auroc;
} replicates;

static void work_on_replicate(void *user, int64_t index, const uint32_t *weight)
{
    const replicates *r = user;
    const physad__pair_counts *p = r->pairs;
    physad__u128 won = 0;
    double positives = 0, negatives = 0;
    for (int64_t h = 0; h < p->groups; h++) {
        const int64_t *row = p->won + h * p->owners;
        uint64_t sum = 0;
        if (weight[h] == 0)
            continue;
        positives += weight[h] * (double)p->positives[h];
        negatives += weight[h] * (double)p->negatives[h];
        for (int64_t g = 0; g < p->owners; g++)
            sum += (uint64_t)row[g] * weight[p->owner_group[g]];
        won += (physad__u128)sum * weight[h];
    }
    r->auroc[index] = (double)won / (2 * positives * negatives);
}

physad_status physad__pair_counts_interval(const physad__pair_counts *p, physad__call *call,
                                           const physad_measure_options *options, physad_metric *metric)
{
    double *auroc = physad__alloc_array(&call->ctx->mem, options->replicates, sizeof(*auroc), "bootstrap");
    if (auroc == NULL)
        return PHYSAD_ERR_NOMEM;
    replicates r = { p, auroc };
    const physad_status status =
        physad__bootstrap(call, &p->strata, p->groups, p->groups * p->owners, options, work_on_replicate, &r);
    if (status == PHYSAD_OK)
        physad__interval(metric, auroc, options->replicates, options->level);
    physad__free(auroc);
    return status;
}
