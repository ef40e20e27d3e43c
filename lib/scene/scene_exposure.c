/* SPDX-License-Identifier: Apache-2.0 */
/* Photos whose camera chose its exposure and white balance anew each time: an affine change of colour per photo, learnt
 * along with the scene (3 x 4 as in the code of Kerbl et al. since 2024, with its rates). */
#include "scene/scene_train.h"

#include <math.h>

#define SIZE 12 /* numbers of one */

physad_status physad__exposures_open(physad__exposures *out, physad__mem *mem, int64_t count)
{
    *out = (physad__exposures){ 0 };
    out->value = physad__alloc_zero(mem, (size_t)(3 * SIZE * count) * sizeof(float), "exposures");
    if (out->value == NULL)
        return PHYSAD_ERR_NOMEM;
    out->mean = out->value + SIZE * count;
    out->square = out->mean + SIZE * count;
    out->count = count;
    for (int64_t i = 0; i < count; i++)
        for (int k = 0; k < 3; k++)
            out->value[i * SIZE + 5 * k] = 1;
    return PHYSAD_OK;
}

void physad__exposures_close(physad__exposures *e)
{
    physad__free(e->value);
    *e = (physad__exposures){ 0 };
}

void physad__exposure_apply(float *shown, const physad__exposures *e, int64_t index, const float *picture,
                            int64_t plane)
{
    const float *const m = e->value + index * SIZE;
    for (int row = 0; row < 3; row++) {
        const float *const w = m + 4 * row;
        for (int64_t i = 0; i < plane; i++)
            shown[row * plane + i] =
                w[0] * picture[i] + w[1] * picture[plane + i] + w[2] * picture[2 * plane + i] + w[3];
    }
}

/* Sums of gradient times colour (and times 1), in double: one order, whatever the threads. */
static void sum_up(double by[SIZE], const float *grad, const float *picture, int64_t plane)
{
    memset(by, 0, SIZE * sizeof(*by));
    for (int row = 0; row < 3; row++)
        for (int64_t i = 0; i < plane; i++) {
            const double g = grad[row * plane + i];
            for (int k = 0; k < 3; k++)
                by[4 * row + k] += g * (double)picture[k * plane + i];
            by[4 * row + 3] += g;
        }
}

static void turn_back(float *grad, const float m[SIZE], int64_t plane)
{
    for (int64_t i = 0; i < plane; i++) {
        const float g[3] = { grad[i], grad[plane + i], grad[2 * plane + i] };
        for (int k = 0; k < 3; k++)
            grad[k * plane + i] = m[k] * g[0] + m[4 + k] * g[1] + m[8 + k] * g[2];
    }
}

/* What all photos have in common is the scene's. */
static void centre(physad__exposures *e, const physad__scene_views *views)
{
    double mean[SIZE] = { 0 };
    int64_t n = 0;
    for (int64_t i = 0; i < e->count; i++)
        for (int k = 0; k < SIZE && !views->views[i].held_out; k++) {
            mean[k] += (double)e->value[i * SIZE + k];
            n += k == 0;
        }
    for (int k = 0; k < SIZE; k++)
        mean[k] = mean[k] / (double)n - (k % 5 == 0);
    for (int64_t i = 0; i < e->count; i++)
        for (int k = 0; k < SIZE && !views->views[i].held_out; k++)
            e->value[i * SIZE + k] -= (float)mean[k];
}

void physad__exposure_step(physad__exposures *e, int64_t index, float *grad, const float *picture, int64_t plane,
                           double rate, int64_t t, const physad__scene_views *views)
{
    float *const value = e->value + index * SIZE, *const mean = e->mean + index * SIZE,
                 *const square = e->square + index * SIZE;
    const double beta1 = 0.9, beta2 = 0.999;
    double by[SIZE];
    sum_up(by, grad, picture, plane);
    turn_back(grad, value, plane);
    for (int k = 0; k < SIZE; k++) {
        mean[k] = (float)(beta1 * (double)mean[k] + (1 - beta1) * by[k]);
        square[k] = (float)(beta2 * (double)square[k] + (1 - beta2) * by[k] * by[k]);
        const double step = (double)mean[k] / (1 - pow(beta1, (double)t)),
                     size = sqrt((double)square[k] / (1 - pow(beta2, (double)t)));
        value[k] -= (float)(rate * step / (size + 1e-15));
    }
    centre(e, views);
}
