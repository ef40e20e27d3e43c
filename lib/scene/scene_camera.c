/* SPDX-License-Identifier: Apache-2.0 */
/* Where cameras stand, how far they are apart, and where they see what. */
#include "scene/scene.h"

#include <math.h>

double physad__pose_angle(const physad_camera *a, const physad_camera *b)
{
    double trace = 0, square = 0;
    for (int i = 0; i < 9; i++) {
        trace += a->rotation[i] * b->rotation[i];
        square += (a->rotation[i] - b->rotation[i]) * (a->rotation[i] - b->rotation[i]);
    }
    /* Small angles by the difference's length, which is 2 sqrt(2) sin(angle / 2): the arc cosine would round them away.
     */
    const double sine = sqrt(square / 8);
    return trace > 1 ? 2 * asin(fmin(sine, 1)) : acos(fmin(fmax((trace - 1) / 2, -1), 1));
}

void physad__pose_centre(const double rotation[9], const double translation[3], double out[3])
{
    for (int k = 0; k < 3; k++)
        out[k] = -(rotation[k] * translation[0] + rotation[3 + k] * translation[1] + rotation[6 + k] * translation[2]);
}

void physad__camera_centre(const physad_camera *c, double out[3])
{
    physad__pose_centre(c->rotation, c->translation, out);
}

double physad__pose_distance(const physad_camera *a, const physad_camera *b)
{
    double p[3], q[3], square = 0;
    physad__camera_centre(a, p);
    physad__camera_centre(b, q);
    for (int k = 0; k < 3; k++)
        square += (p[k] - q[k]) * (p[k] - q[k]);
    return sqrt(square);
}

double physad__cameras_extent(const physad_camera *first, int64_t n, size_t stride)
{
    double mean[3] = { 0 }, most = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < n; i++) {
            double centre[3], square = 0;
            physad__camera_centre((const physad_camera *)((const char *)first + (size_t)i * stride), centre);
            for (int k = 0; k < 3; k++) {
                if (pass == 0)
                    mean[k] += centre[k] / (double)n;
                square += (centre[k] - mean[k]) * (centre[k] - mean[k]);
            }
            most = pass == 1 ? fmax(most, sqrt(square)) : 0;
        }
    return 1.1 * most;
}

bool physad__camera_project(const physad_camera *c, const double p[3], double out[3])
{
    double q[3];
    for (int k = 0; k < 3; k++)
        q[k] = c->rotation[3 * k] * p[0] + c->rotation[3 * k + 1] * p[1] + c->rotation[3 * k + 2] * p[2] +
               c->translation[k];
    out[0] = c->fx * q[0] / q[2] + c->cx;
    out[1] = c->fy * q[1] / q[2] + c->cy;
    out[2] = q[2];
    return q[2] > 0 && out[0] >= 0 && out[1] >= 0 && out[0] < (double)c->width && out[1] < (double)c->height;
}

void physad__camera_unproject(const physad_camera *c, double u, double v, double z, double out[3])
{
    const double p[3] = { (u - c->cx) / c->fx * z - c->translation[0], (v - c->cy) / c->fy * z - c->translation[1],
                          z - c->translation[2] };
    for (int k = 0; k < 3; k++)
        out[k] = c->rotation[k] * p[0] + c->rotation[3 + k] * p[1] + c->rotation[6 + k] * p[2];
}
