/* SPDX-License-Identifier: Apache-2.0 */
/* Where a scene is looked at from, and the middle that a view of it turns about. */
#include "report/report_scene.h"

#include <math.h>
#include <stdlib.h>

static float opacity(const physad__gaussians *g, int64_t i)
{
    return 1 / (1 + expf(-g->planes[10 * g->stride + i]));
}

static int by_value(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The median place of Gaussians that can be seen, and the median distance from it. */
static physad_status middle(double place[3], double *distance, const physad__gaussians *g, physad__mem *mem)
{
    float *values = physad__alloc_array(mem, g->count + 1, sizeof(float), "middle of a scene");
    if (values == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int k = 0; k < 4; k++) {
        int64_t n = 0;
        for (int64_t i = 0; i < g->count; i++) {
            double square = 0;
            for (int j = 0; k == 3 && j < 3; j++)
                square += pow((double)g->planes[j * g->stride + i] - place[j], 2);
            if (opacity(g, i) > 0.1f)
                values[n++] = k < 3 ? g->planes[k * g->stride + i] : (float)sqrt(square);
        }
        qsort(values, (size_t)n, sizeof(float), by_value);
        const double median = n > 0 ? (double)values[n / 2] : k == 3;
        *(k < 3 ? &place[k] : distance) = median;
    }
    physad__free(values);
    return PHYSAD_OK;
}

/* The place nearest to the axes of all cameras: the matrix is the sum of (1 - a a^T). False where they are parallel. */
static bool meeting(double out[3], const physad_scene *scene)
{
    double m[9] = { 0 }, right[3] = { 0 };
    const int64_t n = physad_scene_cameras(scene);
    for (int64_t i = 0; i < n; i++) {
        physad_camera c;
        double at[3];
        if (physad_scene_camera(scene, i, &c) != PHYSAD_OK)
            return false;
        physad__camera_centre(&c, at);
        for (int row = 0; row < 3; row++)
            for (int k = 0; k < 3; k++) {
                const double value = (row == k) - c.rotation[6 + row] * c.rotation[6 + k];
                m[row * 3 + k] += value / (double)n;
                right[row] += value * at[k] / (double)n;
            }
    }
    const double minor[3] = { m[4] * m[8] - m[5] * m[7], m[5] * m[6] - m[3] * m[8], m[3] * m[7] - m[4] * m[6] };
    const double det = m[0] * minor[0] + m[1] * minor[1] + m[2] * minor[2];
    if (n < 2 || !(det > 1e-4))
        return false;
    for (int k = 0; k < 3; k++) { /* Cramer */
        double with[9];
        memcpy(with, m, sizeof(with));
        for (int row = 0; row < 3; row++)
            with[row * 3 + k] = right[row];
        out[k] =
            (with[0] * (with[4] * with[8] - with[5] * with[7]) - with[1] * (with[3] * with[8] - with[5] * with[6]) +
             with[2] * (with[3] * with[7] - with[4] * with[6])) /
            det;
    }
    return true;
}

physad_status physad__scene_outlook(physad__outlook *out, const physad_scene *scene, const physad_camera *camera,
                                    const double *centre)
{
    double distance, place[3];
    if (camera != NULL && !(camera->fx > 0 && camera->fy > 0 && camera->width > 0 && camera->height > 0))
        return physad__error(PHYSAD_ERR_ARG, "the scene's view: camera has no lens or no size");
    PHYSAD__TRY(middle(place, &distance, physad__scene_gaussians(scene), &physad__scene_context(scene)->mem));
    const bool meet = meeting(out->centre, scene);
    if (!meet)
        memcpy(out->centre, place, sizeof(place));
    if (camera != NULL) {
        out->camera = *camera;
    } else if (physad_scene_cameras(scene) > 0) {
        PHYSAD__TRY(physad_scene_camera(scene, 0, &out->camera));
    } else {
        out->camera = (physad_camera){ .rotation = { 1, 0, 0, 0, 1, 0, 0, 0, 1 },
                                       .fx = 640,
                                       .fy = 640,
                                       .cx = 320,
                                       .cy = 240,
                                       .width = 640,
                                       .height = 480 };
        for (int k = 0; k < 3; k++)
            out->camera.translation[k] = -place[k] + (k == 2 ? 3 * distance : 0);
    }
    if (centre != NULL)
        memcpy(out->centre, centre, sizeof(out->centre));
    for (int k = 0; k < 3; k++)
        out->up[k] = -out->camera.rotation[3 + k];
    for (int64_t i = 0; camera == NULL && i < physad_scene_cameras(scene); i++) {
        physad_camera c;
        PHYSAD__TRY(physad_scene_camera(scene, i, &c));
        for (int k = 0; k < 3; k++)
            out->up[k] -= c.rotation[3 + k];
    }
    return PHYSAD_OK;
}
