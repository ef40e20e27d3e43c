/* SPDX-License-Identifier: Apache-2.0 */
/* More Gaussians where the picture pulls at them, fewer where they show nothing (Kerbl et al. 2023, section 5): small
 * ones are cloned, large ones split in two, faint and (later) oversized ones removed. */
#include "scene/scene.h"

#include <math.h>
#include <stdlib.h>

enum { STAY, CLONE, SPLIT };

#define SMALL 0.01f        /* of the extent: cloned up to here, split above */
#define LARGE 0.1f         /* of the extent: removed */
#define LARGE_ON_SCREEN 20 /* pixels: removed */
#define FAINT 0.005f       /* opacity: removed */
#define SHRINK 1.6f        /* of the halves */

static float largest_scale(const physad__scene_model *m, int64_t i)
{
    const float *s = m->value + 3 * m->stride + i;
    return expf(fmaxf(s[0], fmaxf(s[m->stride], s[2 * m->stride])));
}

static float opacity(const physad__scene_model *m, int64_t i)
{
    return 1 / (1 + expf(-m->value[10 * m->stride + i]));
}

static float mean_pull(const physad__scene_model *m, int64_t i)
{
    return m->shown[i] > 0 ? m->pull[i] / m->shown[i] : 0;
}

static int compare(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* The pull that as many Gaussians exceed as the budget has places. */
static physad_status threshold_for(float *threshold, const physad__scene_model *m, const physad__density *d)
{
    const int64_t places = physad__max(0, d->budget - m->count);
    int64_t n = 0;
    float *pulls = physad__alloc_array(m->mem, m->count + 1, sizeof(float), "densification");
    if (pulls == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < m->count; i++)
        if (mean_pull(m, i) >= d->gradient)
            pulls[n++] = mean_pull(m, i);
    *threshold = d->gradient;
    if (n > places) {
        qsort(pulls, (size_t)n, sizeof(float), compare);
        *threshold = pulls[places]; /* those above it; equals stay out */
        *threshold = nextafterf(*threshold, INFINITY);
    }
    physad__free(pulls);
    return PHYSAD_OK;
}

/* What becomes of each Gaussian: how, and whether it (or its halves) goes for good. */
static int64_t decide(uint8_t *how, const physad__scene_model *m, const physad__density *d, float threshold)
{
    int64_t n = 0;
    for (int64_t i = 0; i < m->count; i++) {
        const float scale = largest_scale(m, i);
        const bool large = d->prune_large && (m->radius[i] > LARGE_ON_SCREEN || scale > LARGE * d->extent);
        how[i] = mean_pull(m, i) < threshold ? STAY : scale <= SMALL * d->extent ? CLONE : SPLIT;
        if (!(opacity(m, i) >= FAINT) || (large && how[i] != SPLIT))
            how[i] = UINT8_MAX; /* goes */
        else
            n += how[i] == STAY ? 1 : 2;
    }
    return n;
}

/* Moves a half of a split Gaussian to a place drawn from it. */
static void scatter_half(physad__scene_model *to, int64_t at, physad__rng *rng)
{
    float *v = to->value + at;
    const int64_t stride = to->stride;
    float q[4], length = 0, offset[3];
    for (int k = 0; k < 4; k++)
        length += v[(6 + k) * stride] * v[(6 + k) * stride];
    for (int k = 0; k < 4; k++)
        q[k] = v[(6 + k) * stride] / sqrtf(length);
    const float w = q[0], x = q[1], y = q[2], z = q[3];
    const float r[9] = { 1 - 2 * (y * y + z * z), 2 * (x * y - w * z),     2 * (x * z + w * y),
                         2 * (x * y + w * z),     1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
                         2 * (x * z - w * y),     2 * (y * z + w * x),     1 - 2 * (x * x + y * y) };
    for (int k = 0; k < 3; k++) {
        offset[k] = expf(v[(3 + k) * stride]) * (float)physad__rng_normal(rng);
        v[(3 + k) * stride] -= logf(SHRINK);
    }
    for (int k = 0; k < 3; k++)
        v[k * stride] += r[k * 3] * offset[0] + r[k * 3 + 1] * offset[1] + r[k * 3 + 2] * offset[2];
}

/* Two in one place shine through as much as one did (Rota Bulò, Porzi and Kontschieder, Revising densification in
 * Gaussian splatting, 2024): 1 - sqrt(1 - opacity) each, so that a picture does not jump when Gaussians are doubled. */
static void halve_opacity(physad__scene_model *to, int64_t at)
{
    float *const logit = to->value + 10 * to->stride + at;
    const float o = 1 - sqrtf(1 / (1 + expf(*logit)));
    *logit = logf(o / (1 - o));
}

static void build(physad__scene_model *to, const physad__scene_model *from, const uint8_t *how,
                  const physad__density *d)
{
    physad__rng rng;
    int64_t at = 0;
    physad__rng_seed(&rng, d->seed, d->step);
    for (int64_t i = 0; i < from->count; i++) /* the old ones, in their order */
        if (how[i] == STAY || how[i] == CLONE) {
            physad__scene_model_copy(to, at, from, i, true);
            if (how[i] == CLONE)
                halve_opacity(to, at);
            at++;
        }
    for (int64_t i = 0; i < from->count; i++)
        if (how[i] == CLONE) {
            physad__scene_model_copy(to, at, from, i, false);
            halve_opacity(to, at++);
        }
    for (int64_t i = 0; i < from->count; i++)
        for (int half = 0; how[i] == SPLIT && half < 2; half++) {
            physad__scene_model_copy(to, at, from, i, false);
            scatter_half(to, at++, &rng);
        }
}

physad_status physad__scene_densify(physad__scene_model *m, const physad__density *d)
{
    physad__scene_model next;
    float threshold;
    PHYSAD__TRY(threshold_for(&threshold, m, d));
    uint8_t *how = physad__alloc_array(m->mem, m->count + 1, 1, "densification");
    if (how == NULL)
        return PHYSAD_ERR_NOMEM;
    const int64_t n = decide(how, m, d, threshold);
    const physad_status status = physad__scene_model_make(&next, m->mem, n, m->degree);
    if (status == PHYSAD_OK) {
        build(&next, m, how, d);
        physad__scene_model_free(m);
        *m = next;
    }
    physad__free(how);
    return status;
}

void physad__scene_fade(physad__scene_model *m)
{
    const float most = logf(0.01f / 0.99f);
    float *const plane = m->value + 10 * m->stride;
    for (int64_t i = 0; i < m->count; i++)
        plane[i] = fminf(plane[i], most);
    memset(m->mean + 10 * m->stride, 0, (size_t)m->stride * sizeof(float));
    memset(m->square + 10 * m->stride, 0, (size_t)m->stride * sizeof(float));
}
