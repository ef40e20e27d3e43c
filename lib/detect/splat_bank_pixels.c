/* SPDX-License-Identifier: Apache-2.0 */
/* Pixels at the photo's own size: each neighbouring training photo is brought to the photo's place by the scene's depth
 * and to its pixels by what flow is left; in small windows the mean of what differs tells a tint, its spread a line or
 * a dent. The neighbour that differs least counts. How large a difference is to be expected follows from what the
 * neighbours themselves say there (contrast, how far they differ from each other, edges of depth, how many they are),
 * by a trend that training photos tell. */
#include "detect/splat_bank.h"

#include <math.h>

#define WINDOW 4      /* radius of windows, pixels */
#define APART 0.03    /* of the depth: farther, and the two cameras see different surfaces */
#define EDGE 2        /* pixels to each side between which depth is compared */
#define MOST 64
#define FLOOR 2e-3f   /* of differences before their logarithm: an eighth of a step of 255 in 0..1 */

typedef struct closely {
    const physad__splat_bank *b;
    int64_t height, width, plane, n; /* n: explanations, the scene's picture behind them */
    float *photo;                    /* (3, plane): the scene's picture where the photo does not reach */
    const uint8_t *missing;          /* may be NULL */
    physad__posed_look look;
    float *pixels[MOST + 1], *seen[MOST + 1]; /* (3, plane), (plane) */
    float *mean[MOST], *spread[MOST];         /* (cells): not a number where not seen */
    float *memory;
} closely;

static void free_closely(closely *c)
{
    physad__posed_look_free(&c->look);
    physad__free(c->memory);
    *c = (closely){ 0 };
}

static int64_t centre_of(const closely *c, int64_t cell)
{
    const physad__splat_grid *g = &c->b->fine;
    const int64_t y = (2 * (cell / g->width) + 1) * c->height / (2 * g->height),
                  x = (2 * (cell % g->width) + 1) * c->width / (2 * g->width);
    return y * c->width + x;
}

/* --- explanations --- */

static bool is_missing(const physad__scene_view *s, int64_t y, int64_t x)
{
    return s->missing != NULL && s->missing[y * s->camera.width + x];
}

/* Whether a training photo sees what lies at depth z in the pixels around: one of four agrees, and the photo reaches to
 * all. */
static bool sees(const physad__scene_view *s, const float *depth, const double at[3])
{
    const int64_t w = s->camera.width, h = s->camera.height;
    bool agrees = false;
    if (!(at[0] >= 1 && at[1] >= 1 && at[0] < (double)(w - 1) && at[1] < (double)(h - 1)))
        return false;
    const int64_t x = (int64_t)(at[0] - 0.5), y = (int64_t)(at[1] - 0.5);
    for (int k = 0; k < 4; k++) {
        const double d = (double)depth[(y + k / 2) * w + x + k % 2];
        if (is_missing(s, y + k / 2, x + k % 2))
            return false;
        agrees = agrees || (d > 0 && fabs(at[2] - d) < APART * d);
    }
    return agrees;
}

static void warp(closely *c, int64_t k, int64_t view)
{
    const physad__scene_view *s = &c->b->model->fine.views[view];
    const physad_camera *from = &c->look.camera, *to = &s->camera;
    const int64_t theirs = to->width * to->height;
    for (int64_t i = 0; i < c->plane; i++) {
        const double z = (double)c->look.depth[i];
        double p[3], at[3];
        c->seen[k][i] = 0;
        if (!(z > 0) || (c->missing != NULL && c->missing[i]))
            continue;
        physad__camera_unproject(from, (double)(i % c->width) + 0.5, (double)(i / c->width) + 0.5, z, p);
        if (!physad__camera_project(to, p, at) || !sees(s, c->b->fine_depths[view], at))
            continue;
        c->seen[k][i] = 1;
        for (int ch = 0; ch < 3; ch++)
            c->pixels[k][ch * c->plane + i] =
                physad__splat_bank_at(s->pixels + ch * theirs, to->height, to->width, (float)at[0] - 0.5f,
                                      (float)at[1] - 0.5f);
    }
}

static void grey(float *out, const float *pixels, int64_t plane)
{
    for (int64_t i = 0; i < plane; i++)
        out[i] = (pixels[i] + pixels[plane + i] + pixels[2 * plane + i]) / 3;
}

/* Moves an explanation to where the photo shows it; `room` holds 7 planes. */
static physad_status align(closely *c, int64_t k, float *room)
{
    const int64_t plane = c->plane, h = c->height, w = c->width;
    float *u = room, *v = room + plane, *mine = room + 2 * plane, *other = room + 3 * plane, *before = room + 4 * plane,
          *seen = mine;
    grey(mine, c->photo, plane);
    grey(other, c->pixels[k], plane);
    PHYSAD__TRY(physad__splat_bank_align(&c->b->model->ctx->mem, mine, other, c->seen[k], h, w, u, v));
    memcpy(before, c->pixels[k], (size_t)(3 * plane) * sizeof(float));
    memcpy(seen, c->seen[k], (size_t)plane * sizeof(float));
    for (int64_t i = 0; i < plane; i++) {
        const float x = (float)(i % w) + u[i], y = (float)(i / w) + v[i];
        const bool within = x >= 0 && y >= 0 && x < (float)(w - 1) && y < (float)(h - 1);
        for (int ch = 0; ch < 3; ch++)
            c->pixels[k][ch * plane + i] = physad__splat_bank_at(before + ch * plane, h, w, x, y);
        if (!within || !(seen[(int64_t)(y + 0.5f) * w + (int64_t)(x + 0.5f)] > 0))
            c->seen[k][i] = 0;
    }
    return PHYSAD_OK;
}

/* Mean and spread of what differs, in windows around cells; `room` holds 4 planes. */
static void compare(closely *c, int64_t k, float *room)
{
    const int64_t plane = c->plane, h = c->height, w = c->width, cells = physad__splat_grid_cells(&c->b->fine);
    float *share = room, *first = room + plane, *second = room + 2 * plane, *scratch = room + 3 * plane;
    float *mean = c->mean[k], *spread = c->spread[k];
    memcpy(share, c->seen[k], (size_t)plane * sizeof(float));
    physad__splat_bank_box(share, scratch, h, w, WINDOW);
    memset(mean, 0, (size_t)cells * sizeof(float));
    memset(spread, 0, (size_t)cells * sizeof(float));
    for (int ch = 0; ch < 3; ch++) {
        for (int64_t i = 0; i < plane; i++) {
            first[i] = c->seen[k][i] * (c->photo[ch * plane + i] - c->pixels[k][ch * plane + i]);
            second[i] = first[i] * first[i];
        }
        physad__splat_bank_box(first, scratch, h, w, WINDOW);
        physad__splat_bank_box(second, scratch, h, w, WINDOW);
        for (int64_t i = 0; i < cells; i++) {
            const int64_t at = centre_of(c, i);
            const float s = fmaxf(share[at], 1e-3f), m = first[at] / s;
            mean[i] += m * m;
            spread[i] += fmaxf(second[at] / s - m * m, 0);
        }
    }
    for (int64_t i = 0; i < cells; i++) {
        const bool enough = share[centre_of(c, i)] > 0.5f;
        mean[i] = enough ? sqrtf(mean[i]) : NAN;
        spread[i] = enough ? sqrtf(spread[i]) : NAN;
    }
}

static physad_status explain_by(closely *c, int64_t k, int64_t view)
{
    const int64_t plane = c->plane;
    const float *render = c->pixels[c->n];
    float *room = physad__alloc_array(&c->b->model->ctx->mem, 7 * plane, sizeof(float), "explanations");
    if (room == NULL)
        return PHYSAD_ERR_NOMEM;
    memcpy(c->pixels[k], render, (size_t)(3 * plane) * sizeof(float));
    warp(c, k, view);
    physad__posed_match_colours(c->pixels[k], c->photo, c->seen[k], plane);
    for (int64_t i = 0; i < 3 * plane; i++)
        if (!(c->seen[k][i % plane] > 0))
            c->pixels[k][i] = render[i];
    const physad_status status = c->b->align ? align(c, k, room) : PHYSAD_OK;
    if (status == PHYSAD_OK)
        compare(c, k, room);
    physad__free(room);
    return status;
}

/* --- what is to be expected --- */

static float edge_of(const closely *c, int64_t i)
{
    const int64_t w = c->width, x = i % w, y = i / w;
    const float *d = c->look.depth;
    if (x < EDGE || y < EDGE || x >= w - EDGE || y >= c->height - EDGE)
        return 0;
    if (!(d[i] > 0))
        return 0.5f;
    const float a = d[i - EDGE], b = d[i + EDGE], e = d[i - EDGE * w], f = d[i + EDGE * w];
    return fminf((fmaxf(fmaxf(a, b), fmaxf(e, f)) - fminf(fminf(a, b), fminf(e, f))) / d[i], 0.5f);
}

/* The middle one of the explanations of a pixel, and their mean distance from it. */
static float middle(const closely *c, int ch, int64_t i, float *apart)
{
    float sorted[MOST + 1], sum = 0;
    int64_t n = 0;
    for (int64_t k = 0; k <= c->n; k++) {
        const float x = c->pixels[k][ch * c->plane + i];
        int64_t at = n;
        if (!(c->seen[k][i] > 0))
            continue;
        for (; at > 0 && sorted[at - 1] > x; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = x;
        n++;
    }
    for (int64_t k = 0; k < n; k++)
        sum += fabsf(sorted[k] - sorted[n / 2]);
    *apart += n > 1 ? sum / (float)(n - 1) : 0.05f;
    return n > 0 ? sorted[n / 2] : c->photo[ch * c->plane + i];
}

static void add_traits(const closely *c, float *traits, float *room)
{
    const int64_t plane = c->plane, cells = physad__splat_grid_cells(&c->b->fine);
    float *apart = room, *edge = room + plane, *contrast = room + 2 * plane, *first = room + 3 * plane,
          *second = room + 4 * plane;
    float *scratch = room + 5 * plane;
    memset(apart, 0, (size_t)plane * sizeof(float));
    memset(contrast, 0, (size_t)plane * sizeof(float));
    for (int64_t i = 0; i < plane; i++)
        edge[i] = edge_of(c, i);
    for (int ch = 0; ch < 3; ch++) {
        for (int64_t i = 0; i < plane; i++) {
            first[i] = middle(c, ch, i, &apart[i]);
            second[i] = first[i] * first[i];
        }
        physad__splat_bank_box(first, scratch, c->height, c->width, WINDOW);
        physad__splat_bank_box(second, scratch, c->height, c->width, WINDOW);
        for (int64_t i = 0; i < plane; i++)
            contrast[i] += fmaxf(second[i] - first[i] * first[i], 0);
    }
    physad__splat_bank_box(apart, scratch, c->height, c->width, WINDOW);
    physad__splat_bank_box(edge, scratch, c->height, c->width, WINDOW);
    for (int64_t i = 0; i < cells; i++) {
        const int64_t at = centre_of(c, i);
        const float variety = logf(sqrtf(contrast[at]) + 0.01f);
        float n = 0, *t = traits + i * PHYSAD__TRAITS;
        for (int64_t k = 0; k < c->n; k++)
            n += isnan(c->mean[k][i]) ? 0 : 1;
        t[0] = 1;
        t[1] = variety;
        t[2] = variety * variety;
        t[3] = logf(fmaxf(apart[at], 0) + 0.01f);
        t[4] = logf(fmaxf(edge[at], 0) + 0.003f);
        t[5] = logf(n + 1);
    }
}

/* --- all of it --- */

static physad_status reserve(closely *c, const physad__scene_view *photo)
{
    const int64_t cells = physad__splat_grid_cells(&c->b->fine), plane = c->plane;
    const int64_t total = (c->n + 1) * 4 * plane + 3 * plane + 2 * c->n * cells;
    float *at = c->memory = physad__alloc_array(&c->b->model->ctx->mem, total, sizeof(float), "explanations");
    if (c->memory == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t k = 0; k <= c->n; k++, at += 4 * plane) {
        c->pixels[k] = at;
        c->seen[k] = at + 3 * plane;
    }
    c->photo = at;
    at += 3 * plane;
    for (int64_t k = 0; k < c->n; k++, at += 2 * cells) {
        c->mean[k] = at;
        c->spread[k] = at + cells;
    }
    memcpy(c->photo, photo->pixels, (size_t)(3 * plane) * sizeof(float));
    return PHYSAD_OK;
}

/* The scene's picture in the photo's colours; it stands where the photo does not reach as well. */
static void explain_by_scene(closely *c)
{
    float *pixels = c->pixels[c->n], *seen = c->seen[c->n];
    memcpy(pixels, c->look.colour, (size_t)(3 * c->plane) * sizeof(float));
    for (int64_t i = 0; i < c->plane; i++) {
        c->look.depth[i] = c->look.opacity[i] > 0.5f ? c->look.depth[i] : 0;
        seen[i] = c->look.depth[i] > 0 && !(c->missing != NULL && c->missing[i]) ? 1 : 0;
    }
    physad__posed_match_colours(pixels, c->photo, seen, c->plane);
    for (int64_t i = 0; c->missing != NULL && i < 3 * c->plane; i++)
        if (c->missing[i % c->plane])
            c->photo[i] = pixels[i];
}

/* The least over explanations; not a number where none sees the cell, or the photo is missing. */
static void take_least(const closely *c, float *out, float *const *of)
{
    for (int64_t i = 0; i < physad__splat_grid_cells(&c->b->fine); i++) {
        float least = INFINITY;
        for (int64_t k = 0; k < c->n; k++)
            least = of[k][i] < least ? of[k][i] : least;
        out[i] = isfinite(least) && !(c->missing != NULL && c->missing[centre_of(c, i)]) ? logf(least + FLOOR) : NAN;
    }
}

static physad_status explain_by_all(closely *c, const int64_t *near)
{
    physad__fault fault = { 0 };
#pragma omp parallel for schedule(dynamic, 1) num_threads(c->b->model->ctx->threads)
    for (int64_t k = 0; k < c->n; k++) {
        const physad_status status = explain_by(c, k, near[k]);
        if (status != PHYSAD_OK) {
#pragma omp critical(physad__splat_bank_pixels)
            physad__fault_take(&fault, status);
        }
    }
    return physad__fault_publish(&fault);
}

physad_status physad__splat_bank_pixels(const physad__splat_bank *b, const physad__scene_view *photo,
                                        const physad_camera *pose, int64_t view, float *tint, float *texture,
                                        float *traits)
{
    const int64_t plane = photo->camera.width * photo->camera.height;
    int64_t near[MOST];
    physad_camera camera = photo->camera;
    memcpy(camera.rotation, pose->rotation, sizeof(camera.rotation));
    memcpy(camera.translation, pose->translation, sizeof(camera.translation));
    closely c = { .b = b, .height = camera.height, .width = camera.width, .plane = plane, .missing = photo->missing };
    c.n = physad__splat_bank_nearest(b, &camera, view, physad__min(b->neighbours, MOST), near);
    float *room = physad__alloc_array(&b->model->ctx->mem, 6 * plane, sizeof(float), "explanations");
    physad_status status = room != NULL ? reserve(&c, photo) : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = physad__posed_look_make(&c.look, b->model, &b->model->scene, &camera);
    if (status == PHYSAD_OK) {
        explain_by_scene(&c);
        status = explain_by_all(&c, near);
    }
    if (status == PHYSAD_OK) {
        take_least(&c, tint, c.mean);
        take_least(&c, texture, c.spread);
        add_traits(&c, traits, room);
    }
    physad__free(room);
    free_closely(&c);
    return status;
}
