/* SPDX-License-Identifier: Apache-2.0 */
/* What a photo should look like from its place: neighbouring training photos brought there by the scene's depth, their
 * cells where the scene's points fall, and the scene's picture. */
#include "detect/splat_bank.h"
#include "physad_config.h"

#include <cblas.h>
#include <math.h>
#ifdef PHYSAD_HAVE_OPENMP
#include <omp.h>
#endif

#define APART 0.03f /* of the depth: farther, and the two cameras see different surfaces */

/* --- cells --- */

/* Mean colour of each cell's pixels. */
static void add_tints(const physad__splat_bank *b, const float *pixels, float *cells)
{
    const physad__posed_model *m = b->model;
    const int64_t plane = m->height * m->width;
    for (int64_t i = 0; i < b->cells; i++) {
        const int64_t gy = i / m->grid_width, gx = i % m->grid_width;
        const int64_t y0 = gy * m->height / m->grid_height, y1 = (gy + 1) * m->height / m->grid_height;
        const int64_t x0 = gx * m->width / m->grid_width, x1 = (gx + 1) * m->width / m->grid_width;
        for (int ch = 0; ch < PHYSAD__TINTS; ch++) {
            float sum = 0;
            for (int64_t y = y0; y < y1; y++)
                for (int64_t x = x0; x < x1; x++)
                    sum += pixels[ch * plane + y * m->width + x];
            cells[i * b->dim + m->dim + ch] = sum / (float)((y1 - y0) * (x1 - x0));
        }
    }
}

physad_status physad__splat_bank_cells(const physad__splat_bank *b, const float *pixels, float *cells)
{
    const int64_t dim = b->model->dim;
    PHYSAD__TRY(physad__posed_cells(b->model, pixels, cells));
    for (int64_t i = b->cells - 1; i >= 0; i--) /* make room behind each */
        memmove(cells + i * b->dim, cells + i * dim, (size_t)dim * sizeof(float));
    add_tints(b, pixels, cells);
    return PHYSAD_OK;
}

void physad__splat_bank_whiten(const physad__splat_bank *b, const float *in, float *out, int64_t n)
{
    const int d = (int)b->dim;
    const int wide = physad__call_narrow(); /* one order of sums */
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, d, d, 1, in, d, b->whiten, d, 0, out, d);
    physad__call_widen(wide);
}

/* --- who is near --- */

static physad_status render_depths(float ***out, const physad__posed_model *m, const physad__scene_views *v)
{
    float **depths = *out = physad__alloc_zero(&m->ctx->mem, (size_t)v->count * sizeof(*depths), "depths");
    if (depths == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < v->count; i++) {
        const physad_camera *c = &v->views[i].camera;
        const int64_t plane = c->width * c->height;
        physad__posed_look look;
        PHYSAD__TRY(physad__posed_look_make(&look, m, &m->scene, c));
        depths[i] = physad__alloc_array(&m->ctx->mem, plane, sizeof(float), "depths");
        for (int64_t k = 0; depths[i] != NULL && k < plane; k++)
            depths[i][k] = look.opacity[k] > 0.5f ? look.depth[k] : 0;
        physad__posed_look_free(&look);
        if (depths[i] == NULL)
            return PHYSAD_ERR_NOMEM;
    }
    return PHYSAD_OK;
}

physad_status physad__splat_bank_depths(physad__splat_bank *b)
{
    PHYSAD__TRY(render_depths(&b->depths, b->model, &b->model->views));
    return b->ways[PHYSAD__BY_TINT] || b->ways[PHYSAD__BY_TEXTURE]
               ? render_depths(&b->fine_depths, b->model, &b->model->fine)
               : PHYSAD_OK;
}

static double axis_angle(const physad_camera *a, const physad_camera *b)
{
    double dot = 0;
    for (int k = 0; k < 3; k++)
        dot += a->rotation[6 + k] * b->rotation[6 + k];
    return acos(fmin(fmax(dot, -1), 1));
}

int64_t physad__splat_bank_nearest(const physad__splat_bank *b, const physad_camera *camera, int64_t view, int64_t most,
                                   int64_t *out)
{
    const physad__scene_views *v = &b->model->views;
    double apart[64];
    int64_t n = 0;
    most = physad__min(most, PHYSAD__COUNT(apart));
    for (int64_t i = 0; i < v->count; i++) {
        if (i == view)
            continue;
        const double d =
            physad__pose_distance(camera, &v->views[i].camera) / v->extent + axis_angle(camera, &v->views[i].camera);
        int64_t at = n;
        while (at > 0 && apart[at - 1] > d)
            at--;
        if (at >= most)
            continue;
        n = physad__min(n + 1, most);
        for (int64_t k = n - 1; k > at; k--) {
            apart[k] = apart[k - 1];
            out[k] = out[k - 1];
        }
        apart[at] = d;
        out[at] = i;
    }
    return n;
}

/* --- geometry --- */

/* Whether a view sees what lies at that depth in its pixel: one of the four around agrees. */
static bool is_visible(const physad__splat_bank *b, int64_t view, const double at[3])
{
    const physad__scene_view *s = &b->model->views.views[view];
    const int64_t w = s->camera.width, h = s->camera.height;
    if (!(at[0] >= 1 && at[1] >= 1 && at[0] < (double)(w - 1) && at[1] < (double)(h - 1)))
        return false;
    const int64_t x = (int64_t)(at[0] - 0.5), y = (int64_t)(at[1] - 0.5);
    if (s->missing != NULL && s->missing[y * w + x])
        return false;
    for (int k = 0; k < 4; k++) {
        const float d = b->depths[view][(y + k / 2) * w + x + k % 2];
        if (d > 0 && fabsf((float)at[2] - d) < APART * d)
            return true;
    }
    return false;
}

static void sample_colour(const physad__scene_view *s, double u, double v, float out[3])
{
    const int64_t w = s->camera.width, plane = w * s->camera.height;
    const int64_t x = (int64_t)(u - 0.5), y = (int64_t)(v - 0.5), at = y * w + x;
    const float fx = (float)(u - 0.5 - (double)x), fy = (float)(v - 0.5 - (double)y);
    for (int ch = 0; ch < 3; ch++) {
        const float *p = s->pixels + ch * plane + at;
        const float top = p[0] + fx * (p[1] - p[0]), bottom = p[w] + fx * (p[w + 1] - p[w]);
        out[ch] = top + fy * (bottom - top);
    }
}

/* A training photo brought to the look's camera; `seen` 1 where it shows the same surface. Elsewhere the pixels stay.
 */
static void warp(const physad__splat_bank *b, const physad__posed_look *look, int64_t view, float *pixels, float *seen)
{
    const physad_camera *c = &look->camera;
    const int64_t plane = c->width * c->height;
#pragma omp parallel for schedule(static) num_threads(b->model->ctx->threads)
    for (int64_t at = 0; at < plane; at++) {
        double p[3], from[3];
        float rgb[3];
        seen[at] = 0;
        if (look->opacity[at] < 0.5f)
            continue;
        physad__camera_unproject(c, (double)(at % c->width) + 0.5, (double)(at / c->width) + 0.5,
                                 (double)look->depth[at], p);
        if (!physad__camera_project(&b->model->views.views[view].camera, p, from) || !is_visible(b, view, from))
            continue;
        sample_colour(&b->model->views.views[view], from[0], from[1], rgb);
        for (int ch = 0; ch < 3; ch++)
            pixels[ch * plane + at] = rgb[ch];
        seen[at] = 1;
    }
}

/* --- distances --- */

static float distance(const float *a, const float *b, int64_t dim)
{
    float sum[8] = { 0 };
    int64_t i = 0;
    for (; i + 8 <= dim; i += 8)
        for (int k = 0; k < 8; k++)
            sum[k] += (a[i + k] - b[i + k]) * (a[i + k] - b[i + k]);
    for (; i < dim; i++)
        sum[0] += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrtf(((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7])));
}

/* To the nearest cell of the 3 x 3 around; which one to *best. */
static float around(const physad__splat_bank *b, const float *cell, const float *cells, int64_t gy, int64_t gx,
                    int64_t *best)
{
    const int64_t h = b->model->grid_height, w = b->model->grid_width;
    float least = INFINITY;
    for (int64_t y = physad__max(gy - 1, 0); y <= physad__min(gy + 1, h - 1); y++)
        for (int64_t x = physad__max(gx - 1, 0); x <= physad__min(gx + 1, w - 1); x++) {
            const float d = distance(cell, cells + (y * w + x) * b->dim, b->dim);
            if (d < least) {
                least = d;
                *best = y * w + x;
            }
        }
    return least;
}

static float share_of_cell(const physad__splat_bank *b, const float *seen, int64_t cell)
{
    const physad__posed_model *m = b->model;
    const int64_t gy = cell / m->grid_width, gx = cell % m->grid_width;
    const int64_t y0 = gy * m->height / m->grid_height, y1 = (gy + 1) * m->height / m->grid_height;
    const int64_t x0 = gx * m->width / m->grid_width, x1 = (gx + 1) * m->width / m->grid_width;
    float sum = 0;
    for (int64_t y = y0; y < y1; y++)
        for (int64_t x = x0; x < x1; x++)
            sum += seen[y * m->width + x];
    return sum / (float)((y1 - y0) * (x1 - x0));
}

/* --- the ways --- */

typedef struct work {
    float *cells, *white; /* of an explanation */
    float *photo;         /* the photo's, whitened */
    float *pixels, *base, *seen;
} work;

static void free_work(work *w)
{
    physad__free(w->cells);
    physad__free(w->pixels);
    *w = (work){ 0 };
}

static physad_status make_work(work *w, const physad__splat_bank *b, const float *raw)
{
    const physad__posed_model *m = b->model;
    const int64_t plane = m->height * m->width, n = b->cells * b->dim;
    w->cells = physad__alloc_array(&m->ctx->mem, 3 * n, sizeof(float), "explanations");
    w->pixels = physad__alloc_array(&m->ctx->mem, 7 * plane, sizeof(float), "explanations");
    if (w->cells == NULL || w->pixels == NULL) {
        free_work(w);
        return PHYSAD_ERR_NOMEM;
    }
    w->white = w->cells + n;
    w->photo = w->cells + 2 * n;
    w->base = w->pixels + 3 * plane;
    w->seen = w->pixels + 6 * plane;
    physad__splat_bank_whiten(b, raw, w->photo, b->cells);
    return PHYSAD_OK;
}

/* The scene's picture in the photo's colours: an explanation of its own, and what fills the holes of warped photos. */
static physad_status by_render(const physad__splat_bank *b, physad__explained *e, const physad__scene_view *photo,
                               work *w)
{
    const int64_t plane = b->model->height * b->model->width;
    memcpy(w->base, e->look.colour, (size_t)(3 * plane) * sizeof(float));
    physad__posed_match_colours(w->base, photo->pixels, e->look.opacity, plane);
    if (!b->ways[PHYSAD__BY_RENDER])
        return PHYSAD_OK;
    PHYSAD__TRY(physad__splat_bank_cells(b, w->base, w->cells));
    physad__splat_bank_whiten(b, w->cells, w->white, b->cells);
    for (int64_t i = 0; i < b->cells; i++) {
        int64_t best = i;
        const float d =
            around(b, w->photo + i * b->dim, w->white, i / b->model->grid_width, i % b->model->grid_width, &best);
        e->distance[PHYSAD__BY_RENDER][i] = isnan(e->points[3 * i]) ? NAN : d;
    }
    return PHYSAD_OK;
}

static physad_status by_warp(const physad__splat_bank *b, physad__explained *e, const physad__scene_view *photo,
                             int64_t view, work *w)
{
    const int64_t plane = b->model->height * b->model->width;
    float *least = e->distance[PHYSAD__BY_WARP];
    memcpy(w->pixels, w->base, (size_t)(3 * plane) * sizeof(float));
    warp(b, &e->look, view, w->pixels, w->seen);
    physad__posed_match_colours(w->pixels, photo->pixels, w->seen, plane);
    for (int64_t i = 0; i < 3 * plane; i++)
        if (!(w->seen[i % plane] > 0))
            w->pixels[i] = w->base[i];
    PHYSAD__TRY(physad__splat_bank_cells(b, w->pixels, w->cells));
    physad__splat_bank_whiten(b, w->cells, w->white, b->cells);
    for (int64_t i = 0; i < b->cells; i++) {
        const float share = share_of_cell(b, w->seen, i);
        int64_t best = i;
        if (share < 0.6f)
            continue;
        const float d =
            around(b, w->photo + i * b->dim, w->white, i / b->model->grid_width, i % b->model->grid_width, &best);
        if (isnan(least[i]) || d < least[i]) {
            least[i] = d;
            if (e->nearest != NULL)
                memcpy(e->nearest + i * b->dim, w->cells + best * b->dim, (size_t)b->dim * sizeof(float));
        }
    }
    return PHYSAD_OK;
}

static void by_ray(const physad__splat_bank *b, physad__explained *e, int64_t view, const work *w)
{
    const physad__posed_model *m = b->model;
    const physad_camera *c = &m->views.views[view].camera;
    float *least = e->distance[PHYSAD__BY_RAY];
    if (c->width != m->width || c->height != m->height)
        return; /* no cells of it */
    for (int64_t i = 0; i < b->cells; i++) {
        const double p[3] = { (double)e->points[3 * i], (double)e->points[3 * i + 1], (double)e->points[3 * i + 2] };
        double at[3];
        int64_t best;
        if (!physad__camera_project(c, p, at) || !is_visible(b, view, at))
            continue;
        const float d = around(b, w->photo + i * b->dim, b->bank + view * b->cells * b->dim,
                               (int64_t)(at[1] * (double)m->grid_height / (double)m->height),
                               (int64_t)(at[0] * (double)m->grid_width / (double)m->width), &best);
        if (isnan(least[i]) || d < least[i])
            least[i] = d;
    }
}

#define BLOCK 64 /* cells whose distances are found together */

typedef struct plainly {
    const physad__splat_bank *b;
    const float *own, *theirs; /* the photo's squared lengths; all photos' */
    float *products;           /* of each thread: (BLOCK, plain cells) */
    const float *cells;        /* the photo's */
} plainly;

/* The least distances of `n` cells from `first` on to those of all training photos but `view`. */
static void nearest_of_all(const plainly *p, int64_t first, int64_t n, int64_t view, float *least)
{
    const physad__splat_bank *b = p->b;
    const int64_t cells = physad__splat_grid_cells(&b->plain), dim = b->plain_dim;
    int64_t thread = 0;
#ifdef PHYSAD_HAVE_OPENMP
    thread = omp_get_thread_num();
#endif
    float *products = p->products + thread * BLOCK * cells;
    for (int64_t i = 0; i < n; i++)
        least[first + i] = INFINITY;
    for (int64_t k = 0; k < b->model->views.count; k++) {
        if (k == view)
            continue;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)cells, (int)dim, -2, p->cells + first * dim,
                    (int)dim, b->plain_bank + k * cells * dim, (int)dim, 0, products, (int)cells);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < cells; j++)
                least[first + i] = fminf(least[first + i], products[i * cells + j] + p->theirs[k * cells + j]);
    }
    for (int64_t i = first; i < first + n; i++)
        least[i] = isfinite(least[i]) ? sqrtf(fmaxf(least[i] + p->own[i], 0)) : NAN;
}

static void squared_lengths(float *out, const float *rows, int64_t n, int64_t dim)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = cblas_sdot((int)dim, rows + i * dim, 1, rows + i * dim, 1);
}

physad_status physad__splat_bank_plain(const physad__splat_bank *b, const physad__scene_view *photo, int64_t view,
                                       float *distance)
{
    const physad__posed_model *m = b->model;
    physad__mem *mem = &m->ctx->mem;
    const int64_t n = physad__splat_grid_cells(&b->plain), all = m->views.count * n, dim = b->plain_dim;
    float *cells = physad__alloc_array(mem, n * dim, sizeof(float), "explanations");
    float *products = physad__alloc_array(mem, m->ctx->threads * BLOCK * n, sizeof(float), "explanations");
    float *squares = physad__alloc_array(mem, n + all, sizeof(float), "explanations");
    physad_status status = cells != NULL && products != NULL && squares != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = physad__posed_wide_cells(m, photo, cells);
    if (status == PHYSAD_OK) {
        const plainly p = { b, squares, squares + n, products, cells };
        const int wide = physad__call_narrow();
        squared_lengths(squares, cells, n, dim);
        squared_lengths(squares + n, b->plain_bank, all, dim);
#pragma omp parallel for schedule(dynamic, 1) num_threads(m->ctx->threads)
        for (int64_t first = 0; first < n; first += BLOCK)
            nearest_of_all(&p, first, physad__min(BLOCK, n - first), view, distance);
        physad__call_widen(wide);
    }
    physad__free(cells);
    physad__free(products);
    physad__free(squares);
    return status;
}

/* --- all of it --- */

void physad__explained_free(physad__explained *e)
{
    physad__posed_look_free(&e->look);
    physad__free(e->memory);
    *e = (physad__explained){ 0 };
}

void physad__splat_bank_points(const physad__splat_bank *b, const physad__splat_grid *grid, const physad_camera *camera,
                               const float *depth, float *points)
{
    const physad__posed_model *m = b->model;
    for (int64_t i = 0; i < physad__splat_grid_cells(grid); i++) {
        const double u = ((double)(i % grid->width) + 0.5) * (double)m->width / (double)grid->width;
        const double v = ((double)(i / grid->width) + 0.5) * (double)m->height / (double)grid->height;
        const int64_t at = physad__min((int64_t)v, m->height - 1) * m->width + physad__min((int64_t)u, m->width - 1);
        double p[3];
        physad__camera_unproject(camera, u, v, depth[at] > 0 ? (double)depth[at] : NAN, p);
        for (int k = 0; k < 3; k++)
            points[3 * i + k] = (float)p[k];
    }
}

/* The share of half of the neighbours that see each cell. */
static void find_cover(const physad__splat_bank *b, physad__explained *e, const int64_t *near, int64_t n)
{
    for (int64_t i = 0; i < b->cells; i++) {
        const double p[3] = { (double)e->points[3 * i], (double)e->points[3 * i + 1], (double)e->points[3 * i + 2] };
        float seen = 0;
        for (int64_t k = 0; k < n; k++) {
            double at[3];
            seen += physad__camera_project(&b->model->views.views[near[k]].camera, p, at) && is_visible(b, near[k], at);
        }
        e->covered[i] = fminf(seen / fmaxf(1, 0.5f * (float)n), 1);
    }
}

static physad_status reserve(physad__explained *e, const physad__splat_bank *b)
{
    const int64_t fine = physad__splat_grid_cells(&b->fine), coarse = b->cells;
    const int64_t n = (PHYSAD__COARSE_WAYS + 4) * coarse + (PHYSAD__FINE_WAYS + PHYSAD__TRAITS + 3) * fine;
    float *nearest = e->nearest;
    *e = (physad__explained){ .nearest = nearest };
    float *at = e->memory = physad__alloc_array(&b->model->ctx->mem, n, sizeof(float), "explanations");
    if (e->memory == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++)
        e->memory[i] = NAN;
    for (int way = 0; way < PHYSAD__BY_PLAIN; way++) {
        e->distance[way] = at;
        at += physad__splat_grid_cells(physad__splat_bank_grid(b, way));
    }
    e->points = at;
    e->fine_points = e->points + 3 * coarse;
    e->traits = e->fine_points + 3 * fine;
    e->covered = e->traits + PHYSAD__TRAITS * fine;
    return PHYSAD_OK;
}

static physad_status by_cells(const physad__splat_bank *b, physad__explained *e, const physad__asked *q,
                              const int64_t *near, int64_t n)
{
    work w = { 0 };
    if (!b->ways[PHYSAD__BY_WARP] && !b->ways[PHYSAD__BY_RENDER] && !b->ways[PHYSAD__BY_RAY])
        return PHYSAD_OK;
    physad_status status = make_work(&w, b, q->raw);
    if (status == PHYSAD_OK)
        status = by_render(b, e, q->photo, &w);
    for (int64_t k = 0; status == PHYSAD_OK && k < n; k++) {
        if (b->ways[PHYSAD__BY_WARP])
            status = by_warp(b, e, q->photo, near[k], &w);
        if (status == PHYSAD_OK && b->ways[PHYSAD__BY_RAY] && b->bank != NULL)
            by_ray(b, e, near[k], &w);
    }
    free_work(&w);
    return status;
}

/* Distances by pixels: what is left of the logarithm beside its trend. */
static physad_status by_pixels(const physad__splat_bank *b, physad__explained *e, const physad__asked *q)
{
    PHYSAD__TRY(physad__splat_bank_pixels(b, q->fine, q->camera, q->view, e->distance[PHYSAD__BY_TINT],
                                          e->distance[PHYSAD__BY_TEXTURE], e->traits));
    for (int way = PHYSAD__COARSE_WAYS; way < PHYSAD__BY_PLAIN; way++)
        for (int64_t i = 0; i < physad__splat_grid_cells(&b->fine); i++)
            for (int k = 0; k < PHYSAD__TRAITS; k++)
                e->distance[way][i] -=
                    (float)b->trends[way - PHYSAD__COARSE_WAYS][k] * e->traits[i * PHYSAD__TRAITS + k];
    return PHYSAD_OK;
}

physad_status physad__splat_bank_explain(const physad__splat_bank *b, physad__explained *e, const physad__asked *q)
{
    int64_t near[64];
    PHYSAD__TRY(reserve(e, b));
    physad_status status = physad__posed_look_make(&e->look, b->model, q->scene, q->camera);
    const int64_t n = physad__splat_bank_nearest(b, q->camera, q->view, b->neighbours, near);
    if (status == PHYSAD_OK) {
        for (int64_t i = 0; i < b->model->height * b->model->width; i++)
            e->look.depth[i] = e->look.opacity[i] > 0.5f ? e->look.depth[i] : 0;
        physad__splat_bank_points(b, &b->coarse, q->camera, e->look.depth, e->points);
        physad__splat_bank_points(b, &b->fine, q->camera, e->look.depth, e->fine_points);
        find_cover(b, e, near, n);
        status = by_cells(b, e, q, near, n);
    }
    if (status == PHYSAD_OK && q->fine != NULL && (b->ways[PHYSAD__BY_TINT] || b->ways[PHYSAD__BY_TEXTURE]))
        status = by_pixels(b, e, q);
    if (status != PHYSAD_OK)
        physad__explained_free(e);
    return status;
}
