/* SPDX-License-Identifier: Apache-2.0 */
/* Photos whose camera chose its exposure and white balance anew each time: an affine change of colour per photo (3 x 4
 * as in the code of Kerbl et al. since 2024), found along with the scene. By least squares from the picture to the
 * photo, not by steps along the gradient: a photo is looked at a few dozen times in a short fit, and steps large enough
 * to arrive by then never come to rest. */
#include "scene/scene_train.h"

#include <math.h>

#define SIZE 12    /* numbers of one */
#define HOLD 0.03  /* of a square of colour, 0..1: what pulls to the identity, and ten times that pulls offsets to 0 */
#define SHARE 0.25 /* of the way to what the latest look says: looks differ by what the scene has yet to learn */

physad_status physad__exposures_open(physad__exposures *out, physad__mem *mem, int64_t count)
{
    *out = (physad__exposures){ 0 };
    out->value = physad__alloc_zero(mem, (size_t)(SIZE * count) * sizeof(float), "exposures");
    if (out->value == NULL)
        return PHYSAD_ERR_NOMEM;
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

static void turn_back(float *grad, const float m[SIZE], int64_t plane)
{
    for (int64_t i = 0; i < plane; i++) {
        const float g[3] = { grad[i], grad[plane + i], grad[2 * plane + i] };
        for (int k = 0; k < 3; k++)
            grad[k * plane + i] = m[k] * g[0] + m[4 + k] * g[1] + m[8 + k] * g[2];
    }
}

typedef struct sums {
    double square[4][4];  /* of the picture's colours, and 1, by each other */
    double product[3][4]; /* of what the photo's colours have beyond the picture's, by the same */
    int64_t pixels;
} sums;

/* In double and in one order, whatever the threads. */
static void sum_up(sums *s, const float *picture, const physad__scene_view *photo)
{
    const int64_t plane = photo->camera.width * photo->camera.height;
    *s = (sums){ 0 };
    for (int64_t i = 0; i < plane; i++) {
        const double q[4] = { (double)picture[i], (double)picture[plane + i], (double)picture[2 * plane + i], 1 };
        if (photo->missing != NULL && photo->missing[i])
            continue;
        for (int k = 0; k < 4; k++)
            for (int j = 0; j <= k; j++)
                s->square[k][j] += q[k] * q[j];
        for (int row = 0; row < 3; row++)
            for (int k = 0; k < 4; k++)
                s->product[row][k] += q[k] * ((double)photo->pixels[row * plane + i] - q[row]);
        s->pixels++;
    }
}

/* Cholesky of the lower triangle, in place; HOLD keeps it positive. */
static void factor(double a[4][4])
{
    for (int k = 0; k < 4; k++)
        for (int j = 0; j <= k; j++) {
            double sum = a[k][j];
            for (int i = 0; i < j; i++)
                sum -= a[k][i] * a[j][i];
            a[k][j] = j == k ? sqrt(sum) : sum / a[j][j];
        }
}

static void solve(double x[4], double a[4][4])
{
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < k; i++)
            x[k] -= a[k][i] * x[i];
        x[k] /= a[k][k];
    }
    for (int k = 3; k >= 0; k--) {
        for (int i = k + 1; i < 4; i++)
            x[k] -= a[i][k] * x[i];
        x[k] /= a[k][k];
    }
}

static void approach(float value[SIZE], sums *s)
{
    for (int k = 0; k < 4; k++)
        s->square[k][k] += (k < 3 ? 1 : 10) * HOLD * (double)s->pixels;
    factor(s->square);
    for (int row = 0; row < 3; row++) {
        solve(s->product[row], s->square);
        for (int k = 0; k < 4; k++) {
            const double at = s->product[row][k] + (k == row);
            value[4 * row + k] += (float)(SHARE * (at - (double)value[4 * row + k]));
        }
    }
}

/* 1 and the camera's place, in extents. */
static void place_of(double q[4], const physad__scene_views *views, int64_t index)
{
    physad__camera_centre(&views->views[index].camera, q + 1);
    for (int k = 1; k < 4; k++)
        q[k] = views->extent > 0 ? q[k] / views->extent : 0;
    q[0] = 1;
}

/* What all photos have in common is the scene's, and so is what changes evenly with the camera's place: the harmonics
 * show light and gloss by it, and nothing tells the two apart. */
static void centre(physad__exposures *e, const physad__scene_views *views)
{
    double square[4][4] = { 0 }, trend[SIZE][4] = { 0 }, q[4];
    for (int64_t i = 0; i < e->count; i++) {
        if (views->views[i].held_out)
            continue;
        place_of(q, views, i);
        for (int k = 0; k < 4; k++) {
            for (int j = 0; j <= k; j++)
                square[k][j] += q[k] * q[j];
            for (int n = 0; n < SIZE; n++)
                trend[n][k] += q[k] * ((double)e->value[i * SIZE + n] - (n % 5 == 0));
        }
    }
    const double photos = square[0][0];
    for (int k = 1; k < 4; k++)
        square[k][k] += 1e-3 * photos; /* cameras may stand in a plane, or in one place */
    factor(square);
    for (int n = 0; n < SIZE; n++)
        solve(trend[n], square);
    for (int64_t i = 0; i < e->count; i++) {
        if (views->views[i].held_out)
            continue;
        place_of(q, views, i);
        for (int n = 0; n < SIZE; n++)
            e->value[i * SIZE + n] -=
                (float)(trend[n][0] + trend[n][1] * q[1] + trend[n][2] * q[2] + trend[n][3] * q[3]);
    }
}

void physad__exposure_step(physad__exposures *e, int64_t index, float *grad, const float *picture,
                           const physad__scene_view *photo, const physad__scene_views *views)
{
    float *const value = e->value + index * SIZE;
    sums s;
    turn_back(grad, value, photo->camera.width * photo->camera.height);
    sum_up(&s, picture, photo);
    if (s.pixels > 0)
        approach(value, &s);
    centre(e, views);
}
