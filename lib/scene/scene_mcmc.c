/* SPDX-License-Identifier: Apache-2.0 */
/* Gaussians as samples of a distribution (Kheradmand et al., 3D Gaussian Splatting as Markov Chain Monte Carlo, 2024):
 * faint ones wander, dead ones are moved onto live ones such that the picture stays as it is (their equation 9), and
 * their number grows by a twentieth each time up to the budget. Constants as published. */
#include "scene/scene_train.h"

#include <math.h>

#define DEAD 0.005     /* opacity */
#define GROWTH 1.05
#define MOST_COPIES 51 /* of one Gaussian at a time */
#define WEIGHT 0.01    /* of the mean opacity and of the mean scale in the loss */
#define NOISE 5e5      /* times the place's rate */
#define STEEP 100      /* noise falls from opacity DEAD on */

static double opacity(const physad__scene_model *m, int64_t i)
{
    return 1 / (1 + exp(-(double)m->value[10 * m->stride + i]));
}

void physad__mcmc_begin(physad__scene_model *m)
{
    for (int64_t i = 0; i < m->count; i++) {
        m->value[10 * m->stride + i] = 0; /* an opacity of one half */
        for (int k = 3; k < 6; k++)
            m->value[k * m->stride + i] += logf(0.1f);
    }
}

void physad__mcmc_weigh(float *grads, const physad__scene_model *m, int64_t begin, int64_t end)
{
    const double by = WEIGHT / (double)physad__max(1, m->count);
    for (int64_t i = begin; i < end; i++) {
        const double o = opacity(m, i);
        grads[10 * PHYSAD__SPLAT_PIECE + i - begin] += (float)(by * o * (1 - o));
        for (int k = 3; k < 6; k++)
            grads[k * PHYSAD__SPLAT_PIECE + i - begin] += (float)(by / 3 * exp((double)m->value[k * m->stride + i]));
    }
}

/* Adds covariance times a normal vector; each Gaussian draws from a stream of its own, so that threads do not matter.
 */
static void wander(physad__scene_model *m, int64_t i, double size, uint64_t seed, uint64_t step)
{
    physad__rng rng;
    double q[4], r[9], along[3] = { 0 }, draw[3];
    physad__rng_seed(&rng, seed ^ step * 0x9e3779b97f4a7c15u, (uint64_t)i);
    for (int k = 0; k < 3; k++)
        draw[k] = size * physad__rng_normal(&rng);
    for (int k = 0; k < 4; k++)
        q[k] = (double)m->value[(6 + k) * m->stride + i];
    physad__quaternion_matrix(r, q);
    for (int k = 0; k < 3; k++) {
        const double scale = exp((double)m->value[(3 + k) * m->stride + i]);
        along[k] = scale * scale * (r[k] * draw[0] + r[3 + k] * draw[1] + r[6 + k] * draw[2]);
    }
    for (int k = 0; k < 3; k++)
        m->value[k * m->stride + i] += (float)(r[3 * k] * along[0] + r[3 * k + 1] * along[1] + r[3 * k + 2] * along[2]);
}

void physad__mcmc_wander(physad__scene_model *m, double rate, uint64_t seed, uint64_t step)
{
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < m->count; i++) {
        const double o = opacity(m, i), size = NOISE * rate / (1 + exp(STEEP * (o - DEAD)));
        if (o < 0.3) /* beyond, the noise is below 1e-12 of its most */
            wander(m, i, size, seed, step);
    }
}

/* --- moving and adding --- */

/* n Gaussians in one place that together look like one of opacity `o`: the opacity of each, and what its scales are
 * multiplied by. */
static double share(double *shrink, double o, int64_t n)
{
    const double each = 1 - pow(1 - o, 1 / (double)n);
    double sum = 0;
    for (int64_t i = 1; i <= n; i++) {
        double binomial = 1, power = each;
        for (int64_t k = 0; k < i; k++) {
            sum += (k % 2 == 0 ? 1 : -1) * binomial * power / sqrt((double)(k + 1));
            binomial = binomial * (double)(i - 1 - k) / (double)(k + 1);
            power *= each;
        }
    }
    *shrink = o / sum;
    return fmin(fmax(each, DEAD), 1 - 1e-6);
}

/* Draws n live Gaussians by their opacity; `sums`: of the opacities before each. */
static void draw(int64_t *source, int64_t *copies, int64_t n, const double *sums, int64_t count, physad__rng *rng)
{
    for (int64_t k = 0; k < n; k++) {
        const double at = physad__rng_uniform(rng) * sums[count];
        int64_t low = 0, high = count - 1;
        while (low < high) { /* the first whose sum lies beyond */
            const int64_t middle = (low + high) / 2;
            if (sums[middle + 1] > at)
                high = middle;
            else
                low = middle + 1;
        }
        source[k] = low;
        copies[low]++;
    }
}

/* Makes a Gaussian one of n in its place. */
static void share_out(physad__scene_model *m, int64_t i, int64_t n)
{
    double shrink;
    const double o = share(&shrink, opacity(m, i), physad__min(n, MOST_COPIES));
    m->value[10 * m->stride + i] = (float)log(o / (1 - o));
    for (int k = 3; k < 6; k++)
        m->value[k * m->stride + i] += (float)log(shrink);
    for (int k = 0; k < m->planes; k++)
        m->mean[k * m->stride + i] = m->square[k * m->stride + i] = 0;
}

/* Draws n live ones and lets each share with those that will be there as well. */
static physad_status draw_sources(int64_t *source, int64_t n, physad__scene_model *m, physad__rng *rng)
{
    double *sums = physad__alloc_array(m->mem, m->count + 1, sizeof(double), "densification");
    int64_t *copies = physad__alloc_zero(m->mem, (size_t)(m->count + 1) * sizeof(int64_t), "densification");
    const physad_status status = sums != NULL && copies != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK) {
        sums[0] = 0;
        for (int64_t i = 0; i < m->count; i++)
            sums[i + 1] = sums[i] + (opacity(m, i) > DEAD ? opacity(m, i) : 0);
        draw(source, copies, n, sums, m->count, rng);
    }
    for (int64_t i = 0; i < m->count && status == PHYSAD_OK; i++)
        if (copies[i] > 0)
            share_out(m, i, copies[i] + 1);
    physad__free(sums);
    physad__free(copies);
    return status;
}

static physad_status revive(physad__scene_model *m, physad__rng *rng, int64_t *source)
{
    int64_t n = 0;
    for (int64_t i = 0; i < m->count; i++)
        n += !(opacity(m, i) > DEAD);
    if (n == 0 || n == m->count)
        return PHYSAD_OK;
    uint8_t *dead = physad__alloc_array(m->mem, m->count, 1, "densification");
    if (dead == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < m->count; i++)
        dead[i] = !(opacity(m, i) > DEAD);
    const physad_status status = draw_sources(source, n, m, rng);
    n = 0;
    for (int64_t i = 0; i < m->count && status == PHYSAD_OK; i++)
        if (dead[i])
            physad__scene_model_copy(m, i, m, source[n++], false);
    physad__free(dead);
    return status;
}

static physad_status grow(physad__scene_model *m, physad__rng *rng, int64_t *source, int64_t n)
{
    physad__scene_model next;
    PHYSAD__TRY(draw_sources(source, n, m, rng));
    PHYSAD__TRY(physad__scene_model_make(&next, m->mem, m->count + n, m->degree));
    for (int64_t i = 0; i < next.count; i++)
        physad__scene_model_copy(&next, i, m, i < m->count ? i : source[i - m->count], i < m->count);
    physad__scene_model_free(m);
    *m = next;
    return PHYSAD_OK;
}

physad_status physad__mcmc_relocate(physad__scene_model *m, const physad__density *d)
{
    physad__rng rng;
    const int64_t more = physad__min(d->budget, (int64_t)(GROWTH * (double)m->count)) - m->count;
    int64_t *source =
        physad__alloc_array(m->mem, m->count + 1, sizeof(*source), "densification"); /* growth is less than that */
    if (source == NULL)
        return PHYSAD_ERR_NOMEM;
    physad__rng_seed(&rng, d->seed, d->step);
    physad_status status = revive(m, &rng, source);
    if (status == PHYSAD_OK && more > 0)
        status = grow(m, &rng, source, more);
    physad__free(source);
    return status;
}
