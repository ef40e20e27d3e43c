/* SPDX-License-Identifier: Apache-2.0 */
/* Random scenes of single-precision numbers, for the renderer and for its slow reference. */
#ifndef PHYSAD__SPLAT_SCENE_H
#define PHYSAD__SPLAT_SCENE_H

#include "test.h"

#include "splat/splat.h"

#include "splat_reference.h"

typedef struct scene {
    ref_scene ref;
    float *planes, *values;
    int64_t stride;
    physad__splat_input input;
} scene;

static inline void scene_refresh(scene *s)
{
    ref_scene *r = &s->ref;
    const int n = physad__splat_plane_count(r->degree);
    for (int k = 0; k < n; k++)
        for (int64_t i = 0; i < r->count; i++)
            r->planes[k * r->count + i] = (double)s->planes[k * s->stride + i];
    s->input.camera =
        physad__splat_camera_make(r->rotation, r->translation, r->fx, r->fy, r->cx, r->cy, r->width, r->height);
}

static inline scene scene_make(int64_t count, int degree, int extra, int64_t width, int64_t height, double solid,
                        uint64_t seed)
{
    physad__rng rng;
    physad__rng_seed(&rng, seed, 1);
    scene s = { .stride = physad__splat_stride(count) };
    ref_scene *r = &s.ref;
    const int n = physad__splat_plane_count(degree);
    *r = (ref_scene){ .count = count,
                      .degree = degree,
                      .extra = extra,
                      .background = { 0.25, 0.5, 0.125 },
                      .width = width,
                      .height = height };
    r->fx = 0.9 * (double)width;
    r->fy = 1.1 * (double)width;
    r->cx = 0.53 * (double)width;
    r->cy = 0.46 * (double)height;
    const double turn[9] = { 1, 0, 0, 0, 1, 0, 0, 0, 1 }, tangent[6] = { 0.1, -0.2, 4, 0.2, -0.4, 0.3 };
    memcpy(r->rotation, turn, sizeof(turn));
    physad__splat_camera_move(r->rotation, r->translation, tangent);
    r->planes = calloc((size_t)(n * count + 1), sizeof(double));
    s.planes = calloc((size_t)(n * s.stride + 1), sizeof(float));
    s.values = calloc((size_t)(count * extra + 1), sizeof(float));
    r->values = calloc((size_t)(count * extra + 1), sizeof(double));
    for (int k = 0; k < n; k++)
        for (int64_t i = 0; i < count; i++) {
            const double v = physad__rng_normal(&rng);
            const double value = k < 3     ? v * 0.9
                                 : k < 6   ? -1.6 + 0.5 * v
                                 : k < 10  ? v + (k == 6)
                                 : k == 10 ? solid + v
                                 : k < 14  ? 0.7 * v
                                           : 0.2 * v;
            s.planes[k * s.stride + i] = (float)value;
        }
    for (int64_t i = 0; i < count * extra; i++) {
        s.values[i] = (float)physad__rng_normal(&rng);
        r->values[i] = (double)s.values[i];
    }
    s.input = (physad__splat_input){ .planes = physad__splat_planes_at(s.planes, s.stride),
                                     .count = count,
                                     .degree = degree,
                                     .with_depth = true,
                                     .extra = extra,
                                     .extra_values = s.values,
                                     .background = { 0.25f, 0.5f, 0.125f } };
    scene_refresh(&s);
    return s;
}

static inline void scene_free(scene *s)
{
    free(s->planes);
    free(s->values);
    free(s->ref.planes);
    free(s->ref.values);
}

#endif
