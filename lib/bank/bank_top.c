/* SPDX-License-Identifier: Apache-2.0 */
#include "bank/bank_internal.h"

#define CHUNK 64 /* candidates measured in f32 at a time */
#define BATCH 8  /* candidates decided in double at a time: what the widest kernel takes */

void physad__top_init(physad__top *top, int32_t k, double *distance, int64_t *index)
{
    *top = (physad__top){ k, 0, distance, index };
    for (int32_t i = 0; i < k; i++) {
        distance[i] = INFINITY;
        index[i] = -1;
    }
}

void physad__top_insert(physad__top *top, double distance, int64_t index)
{
    for (int32_t i = 0; i < top->filled; i++)
        if (top->index[i] == index)
            return;
    int32_t at = top->filled < top->k ? top->filled++ : top->k;
    while (at > 0 &&
           (top->distance[at - 1] > distance || (top->distance[at - 1] == distance && top->index[at - 1] > index))) {
        if (at < top->k) {
            top->distance[at] = top->distance[at - 1];
            top->index[at] = top->index[at - 1];
        }
        at--;
    }
    if (at < top->k) {
        top->distance[at] = distance;
        top->index[at] = index;
    }
}

static void decide(physad__top *top, const physad__rows *rows, const float *query, const int64_t *index, int64_t n)
{
    double exact[BATCH];
    rows->kernels->exact_distances(exact, query, rows->data, rows->d, index, n, rows->d);
    for (int64_t i = 0; i < n; i++)
        physad__top_insert(top, exact[i], index[i]);
}

void physad__top_offer(physad__top *top, const physad__rows *rows, const float *query, const int64_t *index, int64_t n)
{
    float near[CHUNK];
    int64_t batch[BATCH], waiting = 0;
    for (int64_t first = 0; first < n; first += CHUNK) {
        const int64_t count = physad__min(CHUNK, n - first);
        rows->kernels->distances(near, query, rows->data, rows->d, index + first, count, rows->d);
        for (int64_t i = 0; i < count; i++) {
            if (physad__distance_floor(near[i], rows->d) > physad__top_worst(top))
                continue;
            batch[waiting++] = index[first + i];
            if (waiting == BATCH) {
                decide(top, rows, query, batch, waiting);
                waiting = 0;
            }
        }
    }
    if (waiting > 0)
        decide(top, rows, query, batch, waiting);
}
