/* SPDX-License-Identifier: Apache-2.0 */
/* Photos of a textured wall with a step in it, drawn here ray by ray. */
#ifndef PHYSAD__TEST_WALL_H
#define PHYSAD__TEST_WALL_H

#include "scene/scene.h"
#include "test.h"

#include <math.h>

enum { W = 96, H = 80, N = 7};

/* --- the wall: at depth 4, where x > 0 at 3.4 --- */

static inline double wall(double x)
{
    return x > 0 ? 3.4 : 4;
}

/* Smooth and never the same twice. */
static inline double texture(double x, double y, int ch)
{
    double sum = 0.5;
    for (int k = 1; k <= 6; k++)
        sum += 0.09 * sin(k * (3.1 + ch * 0.2) * x + 1.7 * k * k + ch) * cos(k * 2.9 * y - 1.3 * k * k);
    return sum;
}

static inline physad_camera camera_at(int view, double unit)
{
    physad_camera c = { .fx = 90, .fy = 90, .cx = W / 2.0, .cy = H / 2.0, .width = W, .height = H };
    c.rotation[0] = c.rotation[4] = c.rotation[8] = 1;
    c.translation[0] = -unit * 0.35 * (view - N / 2);
    c.translation[1] = -unit * 0.2 * (view % 3 - 1);
    return c;
}

/* `flat`: no texture. */
static inline void draw(physad__scene_view *v, physad_context *ctx, int view, double unit, bool flat)
{
    char name[16];
    v->camera = camera_at(view, unit);
    snprintf(name, sizeof(name), "%d.png", view);
    v->name = physad__strdup(&ctx->mem, name);
    v->pixels = physad__alloc_array(&ctx->mem, 3 * W * H, sizeof(float), "test");
    assert_non_null(v->name);
    assert_non_null(v->pixels);
    const double ex = -v->camera.translation[0] / unit, ey = -v->camera.translation[1] / unit;
    for (int i = 0; i < W * H; i++) {
        const double dx = (i % W + 0.5 - v->camera.cx) / v->camera.fx, dy = (i / W + 0.5 - v->camera.cy) / v->camera.fy;
        const double z = wall(ex + 3.4 * dx) < 4 ? 3.4 : 4; /* the nearer half hides what is behind it */
        for (int ch = 0; ch < 3; ch++)                      /* each photo in its own light */
            v->pixels[ch * W * H + i] =
                (float)(flat ? 0.5 : (0.8 + 0.05 * view) * texture(ex + z * dx, ey + z * dy, ch));
    }
}

static inline physad__scene_views make_views(physad_context *ctx, int64_t n, double unit, bool flat)
{
    physad__scene_views v = { .count = n, .extent = 1.1 * unit * 0.35 * (double)n / 2 };
    v.views = physad__alloc_zero(&ctx->mem, (size_t)n * sizeof(*v.views), "test");
    assert_non_null(v.views);
    for (int i = 0; i < n; i++)
        draw(&v.views[i], ctx, i, unit, flat);
    return v;
}

#endif
