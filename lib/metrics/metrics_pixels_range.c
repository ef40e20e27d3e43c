/* SPDX-License-Identifier: Apache-2.0 */
/* A range of keys: its anomalous pixels are brought together and sorted; the normal ones stay where they are, in sorted
 * runs, and are only counted between them. All pixel metrics follow from these counts. */
#include "metrics/metrics.h"

void physad__range_free(physad__range *range)
{
    physad__free(range->pixel);
    physad__free(range->key);
    physad__free(range->start);
    physad__free(range->below);
    physad__free(range->equal);
    *range = (physad__range){ 0 };
}

/* The number of anomalous pixels of a run with keys below `key`. */
static physad_status positives_below(const physad_pixels *pixels, const physad__run *run, uint64_t key, int64_t *count)
{
    int64_t low = 0, high = run->positives;
    uint64_t probe;
    if (key == 0)
        high = 0;
    else if (key > UINT32_MAX)
        low = high;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        PHYSAD__TRY(physad__run_positives(pixels, run, middle, 1, &probe));
        if (probe >> 32 < key)
            low = middle + 1;
        else
            high = middle;
    }
    *count = low;
    return PHYSAD_OK;
}

/* Reads the anomalous pixels of all runs with low <= key < high, with the accumulator's region numbers. */
static physad_status gather(const physad_pixels *pixels, uint64_t low, uint64_t high, uint64_t *out, int64_t *count)
{
    *count = 0;
    for (int64_t i = 0; i < pixels->count; i++) {
        const physad__run *run = &pixels->run[i];
        int64_t begin, end;
        PHYSAD__TRY(positives_below(pixels, run, low, &begin));
        PHYSAD__TRY(positives_below(pixels, run, high, &end));
        if (out != NULL) {
            PHYSAD__TRY(physad__run_positives(pixels, run, begin, end - begin, out + *count));
            for (int64_t k = *count; k < *count + end - begin; k++)
                out[k] += (uint64_t)run->region_first;
        }
        *count += end - begin;
    }
    return PHYSAD_OK;
}

static physad_status find_ties(physad__range *r, physad__mem *mem)
{
    for (int64_t i = 0; i < r->positives; i++)
        r->ties += i == 0 || r->pixel[i] >> 32 != r->pixel[i - 1] >> 32;
    r->key = physad__alloc_array(mem, r->ties, sizeof(*r->key), "distinct scores");
    r->start = physad__alloc_array(mem, r->ties + 1, sizeof(*r->start), "distinct scores");
    r->below = physad__alloc_zero(mem, (size_t)r->ties * sizeof(*r->below), "distinct scores");
    r->equal = physad__alloc_zero(mem, (size_t)r->ties * sizeof(*r->equal), "distinct scores");
    if (r->key == NULL || r->start == NULL || r->below == NULL || r->equal == NULL)
        return PHYSAD_ERR_NOMEM;
    int64_t tie = 0;
    for (int64_t i = 0; i < r->positives; i++) {
        if (i > 0 && r->pixel[i] >> 32 == r->pixel[i - 1] >> 32)
            continue;
        r->key[tie] = (uint32_t)(r->pixel[i] >> 32);
        r->start[tie++] = i;
    }
    r->start[tie] = r->positives;
    return PHYSAD_OK;
}

/* A slice of the range's ties is one thread's; what lies below the slice's first tie and above the tie before is the
 * slice's. */
typedef struct slice {
    const physad__range *range;
    int64_t first, end; /* ties */
} slice;

/* More normal pixels than ties: steps through the ties and gallops through the pixels. */
static void count_by_ties(const slice *s, physad__cursor *c)
{
    const physad__range *r = s->range;
    int64_t at = s->first > 0 ? physad__cursor_below(c, r->key[s->first - 1] + 1, 0) : 0;
    for (int64_t k = s->first; k < s->end; k++) {
        const int64_t below = physad__cursor_below(c, r->key[k], at);
        const int64_t not_above = physad__cursor_below(c, r->key[k] + 1, below);
        r->below[k] += below - at;
        r->equal[k] += not_above - below;
        at = not_above;
    }
}

/* Fewer normal pixels than ties: the other way round. The run is in memory. */
static void count_by_pixels(const slice *s, physad__cursor *c)
{
    const physad__range *r = s->range;
    const physad__cursor whole = { .keys = r->key, .count = s->end, .total = s->end };
    physad__cursor ties = whole;
    int64_t k = s->first;
    const int64_t end = physad__cursor_below(c, r->key[s->end - 1] + 1, 0);
    for (int64_t i = s->first > 0 ? physad__cursor_below(c, r->key[s->first - 1] + 1, 0) : 0; i < end; i++) {
        k = physad__cursor_below(&ties, c->keys[i], k);
        if (r->key[k] == c->keys[i])
            r->equal[k]++;
        else
            r->below[k]++;
    }
}

static physad_status count_slice(const physad_pixels *pixels, const slice *s)
{
    physad__cursor c;
    uint32_t *buffer = NULL;
    if (pixels->spill.size > 0 && (buffer = physad__alloc_array(&pixels->ctx->mem, PHYSAD__CURSOR_KEYS, sizeof(*buffer),
                                                                "reading pixels")) == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_status status = PHYSAD_OK;
    for (int64_t i = 0; i < pixels->count && status == PHYSAD_OK; i++) {
        physad__cursor_open(&c, pixels, &pixels->run[i], buffer);
        const int64_t share = pixels->run[i].negatives / physad__max(1, s->range->ties / (s->end - s->first));
        if (c.spill == NULL && share < (s->end - s->first) / 2)
            count_by_pixels(s, &c);
        else
            count_by_ties(s, &c);
        status = c.status;
    }
    physad__free(buffer);
    return status;
}

static physad_status count_normals(const physad_pixels *pixels, physad__range *r)
{
    enum { MOST = 64, LEAST_TIES = 512 };
    const int64_t slices = physad__max(1, physad__min(MOST, r->ties / LEAST_TIES));
    physad__fault fault = { PHYSAD_OK, "" };
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic) if (slices > 1)
#endif
    for (int64_t i = 0; i < slices; i++) {
        const slice s = { r, r->ties * i / slices, r->ties * (i + 1) / slices };
        const physad_status status = s.first < s.end ? count_slice(pixels, &s) : PHYSAD_OK;
        if (status != PHYSAD_OK) {
#ifdef _OPENMP
#pragma omp critical(physad_range)
#endif
            physad__fault_take(&fault, status);
        }
    }
    PHYSAD__TRY(physad__fault_publish(&fault));
    int64_t sum = 0; /* from between to below */
    for (int64_t k = 0; k < r->ties; k++) {
        sum += r->below[k];
        r->below[k] = sum;
        sum += r->equal[k];
    }
    return PHYSAD_OK;
}

physad_status physad__range_new(physad__range *out, const physad_pixels *pixels, uint64_t low, uint64_t high)
{
    physad__mem *mem = &pixels->ctx->mem;
    physad__range r = { 0 };
    PHYSAD__TRY(gather(pixels, low, high, NULL, &r.positives));
    r.pixel = physad__alloc_array(mem, r.positives, sizeof(*r.pixel), "anomalous pixels");
    uint64_t *scratch = physad__alloc_array(mem, r.positives, sizeof(*scratch), "sorting anomalous pixels");
    physad_status status = r.pixel == NULL || scratch == NULL ? PHYSAD_ERR_NOMEM : PHYSAD_OK;
    if (status == PHYSAD_OK)
        status = gather(pixels, low, high, r.pixel, &r.positives);
    if (status == PHYSAD_OK)
        physad__radix_sort_pairs(r.pixel, scratch, r.positives);
    physad__free(scratch);
    if (status == PHYSAD_OK)
        status = find_ties(&r, mem);
    if (status == PHYSAD_OK)
        status = count_normals(pixels, &r);
    if (status != PHYSAD_OK)
        physad__range_free(&r);
    else
        *out = r;
    return status;
}

/* --- how many ranges --- */

/* Counts the anomalous pixels by the digit (key - least) >> shift. */
static physad_status histogram(const physad_pixels *pixels, uint32_t least, int shift, int64_t *count)
{
    uint64_t piece[1024];
    for (int64_t i = 0; i < pixels->count; i++) {
        const physad__run *run = &pixels->run[i];
        for (int64_t first = 0; first < run->positives; first += PHYSAD__COUNT(piece)) {
            const int64_t n = physad__min(PHYSAD__COUNT(piece), run->positives - first);
            PHYSAD__TRY(physad__run_positives(pixels, run, first, n, piece));
            for (int64_t k = 0; k < n; k++)
                count[((uint32_t)(piece[k] >> 32) - least) >> shift]++;
        }
    }
    return PHYSAD_OK;
}

static physad_status extremes(const physad_pixels *pixels, uint32_t *least, uint32_t *most)
{
    uint64_t pixel;
    *least = UINT32_MAX;
    *most = 0;
    for (int64_t i = 0; i < pixels->count; i++) {
        const physad__run *run = &pixels->run[i];
        if (run->positives == 0)
            continue;
        PHYSAD__TRY(physad__run_positives(pixels, run, 0, 1, &pixel));
        *least = (uint32_t)(pixel >> 32) < *least ? (uint32_t)(pixel >> 32) : *least;
        PHYSAD__TRY(physad__run_positives(pixels, run, run->positives - 1, 1, &pixel));
        *most = (uint32_t)(pixel >> 32) > *most ? (uint32_t)(pixel >> 32) : *most;
    }
    return PHYSAD_OK;
}

physad_status physad__range_bounds(const physad_pixels *pixels, int64_t most_pixels, uint64_t **bounds, int64_t *ranges)
{
    enum { DIGITS = 1 << 16 };
    physad__mem *mem = &pixels->ctx->mem;
    uint32_t least, most;
    int shift = 0;
    int64_t capacity = 0, n = 0, held = 0;
    *bounds = NULL;
    PHYSAD__TRY(physad__grow(mem, bounds, &capacity, 2, sizeof(**bounds), "ranges"));
    (*bounds)[n++] = 0;
    physad_status status = PHYSAD_OK;
    if (pixels->positives > most_pixels) {
        int64_t *count = physad__alloc_zero(mem, DIGITS * sizeof(*count), "histogram of anomalous pixels");
        status = count == NULL ? PHYSAD_ERR_NOMEM : extremes(pixels, &least, &most);
        while (status == PHYSAD_OK && (most - least) >> shift >= DIGITS)
            shift++;
        if (status == PHYSAD_OK)
            status = histogram(pixels, least, shift, count);
        for (int64_t d = 0; d < DIGITS && status == PHYSAD_OK; d++) {
            if (held > 0 && held + count[d] > most_pixels) {
                status = physad__grow(mem, bounds, &capacity, n + 2, sizeof(**bounds), "ranges");
                if (status == PHYSAD_OK)
                    (*bounds)[n++] = (uint64_t)least + ((uint64_t)d << shift);
                held = 0;
            }
            held += count[d];
        }
        physad__free(count);
    }
    if (status == PHYSAD_OK) {
        (*bounds)[n] = (uint64_t)UINT32_MAX + 1;
        *ranges = n;
    } else {
        physad__free(*bounds);
        *bounds = NULL;
    }
    return status;
}
