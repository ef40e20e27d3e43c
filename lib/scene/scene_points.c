/* SPDX-License-Identifier: Apache-2.0 */
/* Points to begin with where the poses bring none: where photos agree, else where cameras look; and whether each photo
 * shows any of them. */
#include "scene/scene_points.h"

#include <math.h>

#define PROBES 4000 /* draws by which the most that look at one place are counted */
#define TICK 1024   /* draws from one look at the caller's wish to end to the next */
#define LOOKING 0.6 /* of those: how many a place wants */

static bool is_seen(const physad__scene_views *v, const physad_camera *c, const double p[3], double at[3])
{
    return physad__camera_project(c, p, at) && at[2] > (double)physad__scene_nearest(v->extent);
}

/* --- drawn --- */

/* A place in a ball around the cameras that reaches twice as far, how many cameras look at it, and the mean colour that
 * they see. */
static int64_t draw(physad__rng *rng, const physad__scene_views *v, const double mean[3], double p[3], float colour[3])
{
    int64_t seen = 0;
    memset(colour, 0, 3 * sizeof(float));
    for (int k = 0; k < 3; k++)
        p[k] = mean[k] + (physad__rng_uniform(rng) * 2 - 1) * 2 * v->extent;
    for (int64_t i = 0; i < v->count; i++) {
        const physad__scene_view *s = &v->views[i];
        double at[3];
        if (s->held_out || !is_seen(v, &s->camera, p, at))
            continue;
        seen++;
        for (int ch = 0; ch < 3; ch++)
            colour[ch] += s->pixels[(ch * s->camera.height + (int64_t)at[1]) * s->camera.width + (int64_t)at[0]];
    }
    for (int ch = 0; ch < 3; ch++)
        colour[ch] /= (float)physad__max(seen, 1);
    return seen;
}

/* Draws until `n` of them are looked at by enough cameras. */
static physad_status draw_all(physad__scene_views *v, physad__rng *rng, const double mean[3], int64_t n,
                              physad__call *call)
{
    double p[3];
    int64_t most = 0;
    float colour[3];
    physad__call_stage(call, "points", n);
    for (int tries = 0; tries < PROBES; tries++) {
        most = physad__max(most, draw(rng, v, mean, p, colour));
        if (tries % TICK == 0)
            PHYSAD__TRY(physad__call_tick(call, 0));
    }
    const int64_t wanted = physad__max(2, (int64_t)ceil(LOOKING * (double)most));
    /* few points, too, want as many tries as told what most cameras look at */
    for (int64_t tries = 0; tries < physad__max(200 * n, 4 * PROBES) && v->n_points < n; tries++) {
        if (tries % TICK == 0)
            PHYSAD__TRY(physad__call_tick(call, v->n_points));
        if (draw(rng, v, mean, p, colour) < wanted)
            continue;
        for (int k = 0; k < 3; k++) {
            v->points[3 * v->n_points + k] = (float)p[k];
            v->colours[3 * v->n_points + k] = colour[k];
        }
        v->n_points++;
    }
    return PHYSAD_OK;
}

static physad_status draw_points(physad__scene_views *v, physad_context *ctx, int64_t n, physad__call *call)
{
    physad__rng rng;
    double mean[3] = { 0 };
    physad__free(v->points);
    physad__free(v->colours);
    v->points = physad__alloc_array(&ctx->mem, 3 * n, sizeof(float), "points of a scene");
    v->colours = physad__alloc_array(&ctx->mem, 3 * n, sizeof(float), "points of a scene");
    if (v->points == NULL || v->colours == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < v->count; i++) {
        double centre[3];
        physad__camera_centre(&v->views[i].camera, centre);
        for (int k = 0; k < 3; k++)
            mean[k] += centre[k] / (double)v->count;
    }
    physad__rng_seed(&rng, ctx->seed, 0x9013);
    v->n_points = 0;
    PHYSAD__TRY(draw_all(v, &rng, mean, n, call));
    if (v->n_points == 0)
        return physad__error(PHYSAD_ERR_NUMERIC,
                             "the cameras look at no place in common: do their axes follow the format (OpenGL in "
                             "transforms.json)?");
    return PHYSAD_OK;
}

/* --- what photos share --- */

static bool shows_some(const physad__scene_view *view, const physad__scene_views *v, int64_t from)
{
    for (int64_t k = from; k < v->n_points; k++) {
        const double p[3] = { (double)v->points[3 * k], (double)v->points[3 * k + 1], (double)v->points[3 * k + 2] };
        double at[3];
        if (is_seen(v, &view->camera, p, at))
            return true;
    }
    return false;
}

/* The first photo that shows none of the points behind the first `from`, and how many there are; NULL: all do. */
static const physad__scene_view *find_blind(const physad__scene_views *v, int64_t from, int64_t *count)
{
    const physad__scene_view *blind = NULL;
    *count = 0;
    for (int64_t i = 0; i < v->count && v->n_points > from; i++)
        if (!shows_some(&v->views[i], v, from)) {
            blind = blind != NULL ? blind : &v->views[i];
            ++*count;
        }
    return blind;
}

physad_status physad__scene_points_check(const physad__scene_views *v, const char *data)
{
    int64_t n;
    const physad__scene_view *blind = find_blind(v, 0, &n);
    if (blind == NULL)
        return PHYSAD_OK;
    return physad__error(
        PHYSAD_ERR_NUMERIC, "%s%s%s%s shows none of the %lld points that came with the poses%s",
        data != NULL ? data : "", data != NULL ? ": " : "", blind->name, n == v->count ? ", like all photos," : "",
        (long long)v->n_points,
        n == v->count
            ? ": are points and poses of one world, do the poses' axes follow the format (OpenGL in transforms.json)?"
            : ": its pose is wrong, or it overlaps with no other; remove it");
}

static physad_status make_points(physad__scene_views *v, physad_context *ctx, const physad_scene_options *o,
                                 physad__call *call)
{
    int64_t n, n_far;
    PHYSAD__TRY(physad__scene_sweep(v, &n_far, ctx, v, o->background, o->random_points, call));
    if (v->n_points == 0) {
        physad__log(ctx, PHYSAD_LOG_WARNING,
                    "photos agree on hardly any place: the scene begins from points drawn where cameras look; are the "
                    "poses right?");
        PHYSAD__TRY(draw_points(v, ctx, o->random_points, call));
    }
    const physad__scene_view *blind = find_blind(v, n_far, &n);
    if (blind == NULL)
        return PHYSAD_OK;
    return physad__error(PHYSAD_ERR_NUMERIC,
                         "%s overlaps with no other photo (%lld of %lld do not): its camera looks at none of the "
                         "places that others share; its pose is wrong, or remove it",
                         blind->name, (long long)n, (long long)v->count);
}

/* Those of `views` behind what there is. */
static physad_status append(physad__scene_views *own, physad_context *ctx, const physad__scene_views *views)
{
    const int64_t n = own->n_points + views->n_points;
    float *points = physad__alloc_array(&ctx->mem, 3 * n + 1, sizeof(float), "points of a scene");
    float *colours = physad__alloc_array(&ctx->mem, 3 * n + 1, sizeof(float), "points of a scene");
    if (points == NULL || colours == NULL) {
        physad__free(points);
        physad__free(colours);
        return PHYSAD_ERR_NOMEM;
    }
    const size_t have = (size_t)(3 * own->n_points), more = (size_t)(3 * views->n_points);
    if (have > 0) {
        memcpy(points, own->points, have * sizeof(float));
        memcpy(colours, own->colours, have * sizeof(float));
    }
    memcpy(points + have, views->points, more * sizeof(float));
    memcpy(colours + have, views->colours, more * sizeof(float));
    physad__free(own->points);
    physad__free(own->colours);
    own->points = points;
    own->colours = colours;
    own->n_points = n;
    return PHYSAD_OK;
}

physad_status physad__scene_points_begin(physad__scene_views *own, physad_context *ctx,
                                         const physad__scene_views *views, const physad_scene_options *o,
                                         physad__call *call)
{
    int64_t n_far;
    *own = *views;
    own->points = own->colours = NULL;
    own->n_points = 0;
    if (views->n_points == 0)
        return make_points(own, ctx, o, call);
    if (o->swept_points > 0)
        PHYSAD__TRY(physad__scene_sweep(own, &n_far, ctx, views, o->background, o->swept_points, call));
    return append(own, ctx, views);
}
