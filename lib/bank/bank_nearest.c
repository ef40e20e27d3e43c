/* SPDX-License-Identifier: Apache-2.0 */
/* The k nearest rows of a block of queries by the plan, in steps from cheap to exact:
 *  1. a first guess: the rows of the leaf whose centre is nearest, the best of them by codes measured exactly;
 *  2. the scan: all pairs on the leading coordinates, 16 or more per instruction; a pair passes unless its bound from
 * below excludes it;
 *  3. what passed, on all coordinates, one by one;
 *  4. what passed again, in f32, then in double (bank_top.c).
 * Each step drops only pairs that provably lie beyond the k-th best so far. */
#include "bank/bank_plan.h"

#define CHUNK 16   /* panels between two looks at the limits */
#define WAITING 128 /* candidates of a query that are collected before step 3: at most a panel's on top of half of it */
#define GUESSES 2  /* rows measured exactly for the first guess, for each neighbour that is wanted */

typedef struct block {
    const physad__plan *plan;
    const physad__rows *rows;
    const float *queries;
    int64_t n;
    physad__codes codes; /* of the queries */
    physad__top top[PHYSAD__BLOCK];
    double reach[PHYSAD__BLOCK]; /* the k-th best distance in code units, rounded up */
    int32_t limits[PHYSAD__BLOCK];
    uint64_t hits[PHYSAD__BLOCK];
    int32_t count[PHYSAD__BLOCK]; /* of waiting */
    int32_t *waiting;             /* PHYSAD__BLOCK x WAITING places */
    int32_t *dots; /* PHYSAD__LEAF; the list too */
    int64_t *list;
} block;

/* --- scratch: everything in one piece --- */

static char *take(char **at, size_t size)
{
    char *here = *at;
    *at += (size + 63) / 64 * 64;
    return here;
}

static size_t lay_out(block *b, const physad__axes *axes, char *base, double **scratch)
{
    const size_t each = PHYSAD__BLOCK;
    char *at = base;
    b->codes = (physad__codes){ 0 };
    b->codes.z = (void *)take(&at, each * (size_t)axes->size);
    b->codes.error = (void *)take(&at, each * sizeof(float));
    b->codes.scan_error = (void *)take(&at, each * sizeof(float));
    b->codes.norm = (void *)take(&at, each * sizeof(int32_t));
    b->codes.scan_norm = (void *)take(&at, each * sizeof(int32_t));
    b->codes.sum = (void *)take(&at, each * sizeof(int32_t));
    b->codes.scan_sum = (void *)take(&at, each * sizeof(int32_t));
    b->waiting = (void *)take(&at, each * WAITING * sizeof(int32_t));
    b->dots = (void *)take(&at, PHYSAD__LEAF * sizeof(int32_t));
    b->list = (void *)take(&at, PHYSAD__LEAF * sizeof(int64_t));
    *scratch = (void *)take(&at, (size_t)physad__axes_scratch(axes) * sizeof(double));
    return (size_t)(at - base);
}

int64_t physad__plan_scratch(const physad__plan *plan)
{
    block b;
    double *scratch;
    static char nothing;
    return (int64_t)(lay_out(&b, &plan->axes, &nothing, &scratch) + sizeof(block) + 64);
}

/* --- steps --- */

static void update_reach(block *b, int64_t q)
{
    b->reach[q] = sqrt(physad__top_worst(&b->top[q])) * b->plan->axes.scale * (1 + 1e-9);
}

/* Squared distance of codes, from the product with row codes that are 128 too large. */
static int32_t code_distance(const block *b, int64_t q, int32_t dot, int32_t row_norm)
{
    return b->codes.norm[q] + row_norm - 2 * b->plan->step * (dot - 128 * b->codes.sum[q]);
}

/* Keeps the `count` lowest keys of n, lowest first, by insertion; count is small. */
static int64_t keep_lowest(const int32_t *keys, int64_t n, int32_t *lowest, int64_t count)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++) {
        if (kept == count && keys[i] >= keys[lowest[kept - 1]])
            continue;
        int64_t at = kept < count ? kept++ : kept - 1;
        for (; at > 0 && keys[lowest[at - 1]] > keys[i]; at--)
            lowest[at] = lowest[at - 1];
        lowest[at] = (int32_t)i;
    }
    return kept;
}

/* The leaf whose centre is nearest. */
static int64_t nearest_leaf(block *b, int64_t q)
{
    const physad__plan *plan = b->plan;
    const int64_t size = plan->axes.size;
    int64_t best = 0;
    int32_t least = INT32_MAX;
    for (int64_t first = 0; first < plan->leaves; first += PHYSAD__LEAF) {
        const int64_t count = physad__min(PHYSAD__LEAF, plan->leaves - first);
        b->rows->kernels->code_dots(b->dots, b->codes.z + q * size, plan->leaf + first * size, size, NULL, count);
        for (int64_t i = 0; i < count; i++) {
            const int32_t distance = code_distance(b, q, b->dots[i], plan->leaf_norm[first + i]);
            if (distance < least) {
                least = distance;
                best = first + i;
            }
        }
    }
    return best;
}

static void guess(block *b, int64_t q)
{
    const physad__plan *plan = b->plan;
    const int64_t size = plan->axes.size, first = nearest_leaf(b, q) * PHYSAD__LEAF,
                  n = physad__min(PHYSAD__LEAF, plan->n - first);
    int32_t found[GUESSES * PHYSAD_BANK_MAX_K];
    b->rows->kernels->code_dots(b->dots, b->codes.z + q * size, plan->codes + first * size, size, NULL, n);
    for (int64_t i = 0; i < n; i++)
        b->dots[i] = code_distance(b, q, b->dots[i], plan->norm[first + i]);
    const int64_t kept = keep_lowest(b->dots, n, found, GUESSES * b->top[q].k);
    for (int64_t i = 0; i < kept; i++)
        b->list[i] = plan->row[first + found[i]];
    physad__top_offer(&b->top[q], b->rows, b->queries + q * b->rows->d, b->list, kept);
    update_reach(b, q);
}

/* Limits of the scan for panels with errors up to `error`. */
static void set_limits(block *b, double error)
{
    const int step = b->plan->step;
    for (int64_t q = 0; q < b->n; q++) {
        const double reach = b->reach[q] + (double)b->codes.scan_error[q] + error;
        const double limit = floor(((double)b->codes.scan_norm[q] - reach * reach) / (2 * step)) - 1;
        const double all = limit + 128.0 * b->codes.scan_sum[q];
        b->limits[q] = all > -PHYSAD__LIMIT_MOST ? (all < PHYSAD__LIMIT_MOST ? (int32_t)all : PHYSAD__LIMIT_MOST)
                                                 : -PHYSAD__LIMIT_MOST;
    }
}

static void examine(block *b, int64_t q)
{
    const physad__plan *plan = b->plan;
    const int32_t *places = b->waiting + q * WAITING;
    const double reach = b->reach[q] + (double)b->codes.error[q];
    int64_t n = 0;
    b->rows->kernels->code_dots(b->dots, b->codes.z + q * plan->axes.size, plan->codes, plan->axes.size, places,
                                b->count[q]);
    for (int32_t i = 0; i < b->count[q]; i++) {
        const double far = reach + (double)plan->error[places[i]];
        if ((double)code_distance(b, q, b->dots[i], plan->norm[places[i]]) <= far * far)
            b->list[n++] = plan->row[places[i]];
    }
    b->count[q] = 0;
    if (n == 0)
        return;
    physad__top_offer(&b->top[q], b->rows, b->queries + q * b->rows->d, b->list, n);
    update_reach(b, q);
}

static void collect(block *b, int64_t panel)
{
    for (int64_t q = 0; q < b->n; q++) {
        uint64_t bits = b->hits[q];
        if (bits == 0)
            continue;
        int32_t *out = b->waiting + q * WAITING, count = b->count[q];
        for (; bits != 0; bits &= bits - 1)
            out[count++] = (int32_t)panel * PHYSAD__PANEL + __builtin_ctzll(bits);
        b->count[q] = count;
        if (count > WAITING - PHYSAD__PANEL)
            examine(b, q);
    }
}

static void scan(block *b, int64_t from, int64_t to)
{
    const physad__plan *plan = b->plan;
    const int64_t dims = plan->axes.scan_dims;
    for (int64_t first = from; first < to; first += CHUNK) {
        const int64_t end = physad__min(to, first + CHUNK);
        float error = 0;
        for (int64_t p = first; p < end; p++)
            error = fmaxf(error, plan->scan_error[p]);
        set_limits(b, (double)error);
        for (int64_t p = first; p < end; p++)
            if (b->rows->kernels->code_scan(b->hits, plan->scan + p * dims * PHYSAD__PANEL,
                                            plan->bias + p * PHYSAD__PANEL, b->codes.z, plan->axes.size, b->limits,
                                            b->n, dims / 4) > 0)
                collect(b, p);
        for (int64_t q = 0; q < b->n; q++)
            if (b->count[q] > 0)
                examine(b, q);
    }
}

void physad__plan_search(const physad__plan *plan, const physad__rows *rows, const float *queries, int64_t n, int32_t k,
                         int64_t first, int64_t end, double *squared, int64_t *indices, void *memory)
{
    double *scratch;
    block *b = memory;
    lay_out(b, &plan->axes, (char *)memory + (sizeof(*b) + 63) / 64 * 64, &scratch);
    b->plan = plan;
    b->rows = rows;
    b->queries = queries;
    b->n = n;
    for (int64_t from = 0; from < n; from += PHYSAD__PANEL) {
        const float *x[PHYSAD__PANEL];
        const int64_t count = physad__min(PHYSAD__PANEL, n - from);
        for (int64_t i = 0; i < count; i++)
            x[i] = queries + (from + i) * rows->d;
        const physad__codes part = { .z = b->codes.z + from * plan->axes.size, .error = b->codes.error + from,
                                     .scan_error = b->codes.scan_error + from, .norm = b->codes.norm + from,
                                     .scan_norm = b->codes.scan_norm + from, .sum = b->codes.sum + from,
                                     .scan_sum = b->codes.scan_sum + from };
        physad__axes_encode(&plan->axes, x, count, plan->step, rows->kernels->code_max, &part, scratch);
    }
    for (int64_t q = 0; q < n; q++) {
        b->count[q] = 0;
        physad__top_init(&b->top[q], k, squared + q * k, indices + q * k);
        guess(b, q);
    }
    scan(b, first, end);
}
