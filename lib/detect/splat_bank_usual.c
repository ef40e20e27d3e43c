/* SPDX-License-Identifier: Apache-2.0 */
/* What is usual: how far training photos lie from what the others (and scenes that never saw them) say they should look
 * like. Kept as a map per training photo and looked up through space: a place's usual distance is that of the training
 * photos that see it, the more so the more they look from the same side. */
#include "detect/splat_bank.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>

#define SAME_SIDE 0.35 /* radians: how far a view's distances count for another side */
#define PRIOR 4.0      /* cells' worth of the whole set's mean and spread in each place's */
#define LEAST_VARIANCE 0.1 /* of a place, as a share of the whole set's */
#define SHRINK 0.05    /* of the mean variance, added to each direction's before whitening */

/* --- photos that a scene never saw --- */

static int64_t fold_of(int64_t view, int64_t folds)
{
    return view % folds; /* neighbours in the list are neighbours in space: every fold covers all sides */
}

static physad_status fit_folds(const physad__splat_bank *b, const physad_detector *det, physad__gaussians *scenes,
                               int64_t folds, physad__call *call)
{
    const physad__posed_model *m = b->model;
    const int64_t steps =
        (int64_t)((double)physad__option_int(det, "steps") * physad__option_real(det, "fold_steps") + 0.5);
    physad_status status = PHYSAD_OK;
    for (int64_t k = 0; status == PHYSAD_OK && k < folds; k++) {
        for (int64_t i = 0; i < m->views.count; i++)
            m->views.views[i].held_out = fold_of(i, folds) == k;
        status = physad__posed_fit_scene(&scenes[k], det, &m->views, physad__max(steps, 1), call);
    }
    for (int64_t i = 0; i < m->views.count; i++)
        m->views.views[i].held_out = false;
    return status;
}

/* --- whitening --- */

/* The inverse of the lower Cholesky factor of the differences' covariance. */
static physad_status invert_covariance(float *whiten, double *cov, int64_t d, double count, bool full)
{
    double trace = 0;
    for (int64_t i = 0; i < d * d; i++)
        cov[i] /= fmax(count, 1);
    for (int64_t i = 0; i < d; i++)
        trace += cov[i * d + i] / (double)d;
    if (!(trace > 0))
        return physad__error(
            PHYSAD_ERR_NUMERIC,
            "splat-bank: training photos equal what their neighbours say they look like to the bit, or none "
            "sees what another sees");
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j < d; j++)
            cov[i * d + j] = i == j ? cov[i * d + j] + SHRINK * trace : full ? cov[i * d + j] : 0;
    if (LAPACKE_dpotrf_work(LAPACK_ROW_MAJOR, 'L', (lapack_int)d, cov, (lapack_int)d) != 0 ||
        LAPACKE_dtrtri_work(LAPACK_ROW_MAJOR, 'L', 'N', (lapack_int)d, cov, (lapack_int)d) != 0)
        return physad__error(PHYSAD_ERR_NUMERIC,
                             "splat-bank: the covariance of the photos' differences has no inverse");
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j < d; j++)
            whiten[i * d + j] = j <= i ? (float)(cov[i * d + j] / sqrt((double)d)) : 0;
    return PHYSAD_OK;
}

/* One over the spread of each dimension over all training cells. */
static void begin_whitening(physad__splat_bank *b, const float *cells, int64_t n)
{
    memset(b->whiten, 0, (size_t)(b->dim * b->dim) * sizeof(float));
    for (int64_t k = 0; k < b->dim; k++) {
        double sum = 0, square = 0;
        for (int64_t i = 0; i < n; i++) {
            const double v = (double)cells[i * b->dim + k];
            sum += v;
            square += v * v;
        }
        const double variance = square / (double)n - sum / (double)n * sum / (double)n;
        b->whiten[k * b->dim + k] = variance > 1e-12 ? (float)(1 / sqrt(variance * (double)b->dim)) : 0;
    }
}

static void add_outer(double *cov, double *scratch, const float *a, const float *c, int64_t d)
{
    for (int64_t i = 0; i < d; i++)
        scratch[i] = (double)(a[i] - c[i]);
    cblas_dsyr(CblasRowMajor, CblasLower, (int)d, 1, scratch, 1, cov, (int)d);
}

/* How training photos differ from their neighbours brought to their place. */
static physad_status learn_whitening(physad__splat_bank *b, const float *cells, bool full, physad__call *call)
{
    const physad__posed_model *m = b->model;
    physad__mem *mem = &m->ctx->mem;
    const int64_t d = b->dim;
    bool ways[PHYSAD__WAYS];
    double *cov = physad__alloc_zero(mem, (size_t)(d * d + d) * sizeof(double), "whitening"), count = 0;
    float *nearest = physad__alloc_array(mem, b->cells * d, sizeof(float), "whitening");
    physad_status status = cov != NULL && nearest != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    memcpy(ways, b->ways, sizeof(ways));
    for (int way = 0; way < PHYSAD__WAYS; way++)
        b->ways[way] = way == PHYSAD__BY_WARP;
    physad__call_stage(call, "differences", m->views.count);
    for (int64_t i = 0; status == PHYSAD_OK && i < m->views.count; i++) {
        const physad__scene_view *view = &m->views.views[i];
        const float *own = cells + i * b->cells * d;
        physad__explained e = { .nearest = nearest };
        if (view->camera.width != m->width || view->camera.height != m->height)
            continue;
        const physad__asked asked = {
            .photo = view, .raw = own, .camera = &view->camera, .view = i, .scene = &m->scene
        };
        status = physad__splat_bank_explain(b, &e, &asked);
        const int wide = physad__call_narrow();
        for (int64_t k = 0; status == PHYSAD_OK && k < b->cells; k++)
            if (!isnan(e.distance[PHYSAD__BY_WARP][k])) {
                add_outer(cov, cov + d * d, own + k * d, nearest + k * d, d);
                count++;
            }
        physad__call_widen(wide);
        physad__explained_free(&e);
        if (status == PHYSAD_OK)
            status = physad__call_tick(call, i + 1);
    }
    if (status == PHYSAD_OK) {
        const int wide = physad__call_narrow();
        status = invert_covariance(b->whiten, cov, d, count, full);
        physad__call_widen(wide);
    }
    memcpy(b->ways, ways, sizeof(ways));
    physad__free(cov);
    physad__free(nearest);
    return status;
}

/* --- maps of training photos --- */

static float *map_of(const physad__splat_bank *b, int way, int64_t view)
{
    const int64_t n = b->model->views.count;
    if (way == PHYSAD__BY_PLAIN)
        return b->plain_maps + view * physad__splat_grid_cells(&b->plain);
    return way < PHYSAD__COARSE_WAYS
               ? b->maps + (way * n + view) * b->cells
               : b->fine_maps + ((way - PHYSAD__COARSE_WAYS) * n + view) * physad__splat_grid_cells(&b->fine);
}

bool physad__splat_bank_usable(const physad__splat_bank *b, int64_t view)
{
    const physad__posed_model *m = b->model;
    const physad_camera *c = &m->views.views[view].camera;
    return c->width == m->width && c->height == m->height;
}

static physad_status learn_maps(physad__splat_bank *b, const float *cells, const physad__gaussians *folds,
                                int64_t n_folds, float *traits, physad__call *call)
{
    const physad__posed_model *m = b->model;
    const int64_t fine = physad__splat_grid_cells(&b->fine);
    physad__call_stage(call, "usual distances", m->views.count);
    for (int64_t i = 0; i < m->views.count; i++) {
        const physad__scene_view *view = &m->views.views[i];
        physad__explained e = { 0 };
        if (!physad__splat_bank_usable(b, i))
            continue;
        const physad__asked asked = { .photo = view,
                                      .fine = fine > 0 ? &m->fine.views[i] : NULL,
                                      .raw = cells + i * b->cells * b->dim,
                                      .camera = &view->camera,
                                      .view = i,
                                      .scene = n_folds > 0 ? &folds[fold_of(i, n_folds)] : &m->scene };
        PHYSAD__TRY(physad__splat_bank_explain(b, &e, &asked));
        for (int way = 0; way < PHYSAD__BY_PLAIN; way++)
            memcpy(map_of(b, way, i), e.distance[way],
                   (size_t)physad__splat_grid_cells(physad__splat_bank_grid(b, way)) * sizeof(float));
        memcpy(traits + i * fine * PHYSAD__TRAITS, e.traits, (size_t)(fine * PHYSAD__TRAITS) * sizeof(float));
        physad__explained_free(&e);
        if (b->ways[PHYSAD__BY_PLAIN])
            PHYSAD__TRY(physad__splat_bank_plain(b, view, i, map_of(b, PHYSAD__BY_PLAIN, i)));
        PHYSAD__TRY(physad__call_tick(call, i + 1));
    }
    return PHYSAD_OK;
}

/* --- trends --- */

/* Least squares of a way's maps by their traits. */
static physad_status fit_trend(double *trend, const float *map, const float *traits, int64_t n)
{
    double a[PHYSAD__TRAITS * PHYSAD__TRAITS] = { 0 };
    memset(trend, 0, PHYSAD__TRAITS * sizeof(double));
    for (int64_t i = 0; i < n; i++) {
        const float *t = traits + i * PHYSAD__TRAITS;
        if (isnan(map[i]))
            continue;
        for (int r = 0; r < PHYSAD__TRAITS; r++) {
            trend[r] += (double)t[r] * (double)map[i];
            for (int c = 0; c <= r; c++)
                a[r * PHYSAD__TRAITS + c] += (double)t[r] * (double)t[c];
        }
    }
    for (int r = 0; r < PHYSAD__TRAITS; r++)
        a[r * PHYSAD__TRAITS + r] += 0.1;
    if (LAPACKE_dposv_work(LAPACK_ROW_MAJOR, 'L', PHYSAD__TRAITS, 1, a, PHYSAD__TRAITS, trend, 1) != 0)
        return physad__error(PHYSAD_ERR_NUMERIC, "splat-bank: the photos' pixels have no trend");
    return PHYSAD_OK;
}

/* Finds the trend of the ways by pixels and takes it off their maps. */
static physad_status learn_trends(physad__splat_bank *b, const float *traits)
{
    const int64_t n = b->model->views.count * physad__splat_grid_cells(&b->fine);
    for (int way = PHYSAD__COARSE_WAYS; way < PHYSAD__BY_PLAIN; way++) {
        double *trend = b->trends[way - PHYSAD__COARSE_WAYS];
        float *map = map_of(b, way, 0);
        if (!b->ways[way])
            continue;
        const int wide = physad__call_narrow();
        const physad_status status = fit_trend(trend, map, traits, n);
        physad__call_widen(wide);
        PHYSAD__TRY(status);
        for (int64_t i = 0; i < n; i++)
            for (int k = 0; k < PHYSAD__TRAITS; k++)
                map[i] -= (float)trend[k] * traits[i * PHYSAD__TRAITS + k];
    }
    return PHYSAD_OK;
}

/* --- places --- */

typedef struct tally {
    double n, sum, square;
} tally;

static void count_distance(tally *t, double w, float d)
{
    if (isnan(d))
        return;
    t->n += w;
    t->sum += w * (double)d;
    t->square += w * (double)d * (double)d;
}

/* What a training photo's map says of a point: the 3 x 3 cells around where it falls. */
static void look_up(const physad__splat_bank *b, tally *t, int way, int64_t view, const physad_camera *from,
                    const float point[3])
{
    const physad__splat_grid *g = physad__splat_bank_grid(b, way);
    const physad_camera *c = &b->model->views.views[view].camera;
    const float *map = map_of(b, way, view);
    const double place[3] = { (double)point[0], (double)point[1], (double)point[2] };
    double p[3], here[3], there[3], dot = 0, mine = 0, theirs = 0;
    if (!physad__camera_project(c, place, p))
        return;
    const double u = p[0], v = p[1];
    if (!(u >= 1 && v >= 1 && u < (double)(c->width - 1) && v < (double)(c->height - 1)))
        return;
    const float depth = b->depths[view][(int64_t)v * c->width + (int64_t)u];
    if (!(depth > 0) || fabs(p[2] - (double)depth) > 0.05 * (double)depth)
        return;
    physad__camera_centre(from, here);
    physad__camera_centre(c, there);
    for (int k = 0; k < 3; k++) { /* the two rays to the point, in the world */
        const double a = place[k] - here[k], s = place[k] - there[k];
        dot += a * s;
        mine += a * a;
        theirs += s * s;
    }
    const double angle = acos(fmin(fmax(dot / sqrt(mine * theirs), -1), 1)),
                 w = exp(-angle * angle / (SAME_SIDE * SAME_SIDE));
    const int64_t gy = (int64_t)(v * (double)g->height / (double)c->height),
                  gx = (int64_t)(u * (double)g->width / (double)c->width);
    for (int64_t y = physad__max(gy - 1, 0); y <= physad__min(gy + 1, g->height - 1); y++)
        for (int64_t x = physad__max(gx - 1, 0); x <= physad__min(gx + 1, g->width - 1); x++)
            count_distance(t, w / 4, map[y * g->width + x]);
}

void physad__splat_bank_judge(const physad__splat_bank *b, const physad__explained *e, const physad_camera *camera,
                              int64_t view, int way, bool local, float *z)
{
    const physad__splat_usual *u = &b->usual[way];
    const float *points = way < PHYSAD__COARSE_WAYS ? e->points : e->fine_points;
#pragma omp parallel for schedule(static) num_threads(b->model->ctx->threads)
    for (int64_t i = 0; i < physad__splat_grid_cells(physad__splat_bank_grid(b, way)); i++) {
        tally t = { PRIOR, PRIOR * u->mean, PRIOR * (u->variance + u->mean * u->mean) };
        z[i] = NAN;
        if (isnan(e->distance[way][i]))
            continue;
        for (int64_t k = 0; local && !isnan(points[3 * i]) && k < b->model->views.count; k++)
            if (k != view && physad__splat_bank_usable(b, k))
                look_up(b, &t, way, k, camera, points + 3 * i);
        const double mean = t.sum / t.n, variance = fmax(t.square / t.n - mean * mean, LEAST_VARIANCE * u->variance);
        z[i] = (float)(((double)e->distance[way][i] - mean) / sqrt(variance));
    }
}

/* --- tails --- */

/* The tail is that of a normal distribution, until one is known: a scene too thin to explain any cell has none. */
static void learn_moments(physad__splat_bank *b, int way)
{
    tally t = { 0 };
    for (int64_t i = 0; i < b->model->views.count * physad__splat_grid_cells(physad__splat_bank_grid(b, way)); i++)
        count_distance(&t, 1, map_of(b, way, 0)[i]);
    const double mean = t.n > 0 ? t.sum / t.n : 0;
    b->usual[way] =
        (physad__splat_usual){ mean, t.n > 0 ? fmax(t.square / t.n - mean * mean, 1e-12) : 1, { 2.326, 0.764 } };
}

/* z of the training photos, each judged by the others. */
static physad_status learn_tail(physad__splat_bank *b, int way, bool local)
{
    const physad__posed_model *m = b->model;
    const physad__splat_grid *grid = physad__splat_bank_grid(b, way);
    const int64_t cells = physad__splat_grid_cells(grid);
    physad__mem *mem = &m->ctx->mem;
    float *z = physad__alloc_array(mem, m->views.count * cells, sizeof(float), "tails");
    float *points = physad__alloc_array(mem, 3 * cells, sizeof(float), "tails");
    physad_status status = z != NULL && points != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    int64_t n = 0;
    for (int64_t i = 0; status == PHYSAD_OK && i < m->views.count; i++) {
        physad__explained e = { .points = points, .fine_points = points };
        const physad_camera *c = &m->views.views[i].camera;
        if (!physad__splat_bank_usable(b, i))
            continue;
        e.distance[way] = map_of(b, way, i);
        physad__splat_bank_points(b, grid, c, b->depths[i], points);
        physad__splat_bank_judge(b, &e, c, i, way, local, z + n);
        int64_t kept = 0;
        for (int64_t k = 0; k < cells; k++)
            if (!isnan(z[n + k]))
                z[n + kept++] = z[n + k];
        n += kept;
    }
    if (status == PHYSAD_OK && n > 0) {
        physad__sort_floats(z, n);
        b->usual[way].tail[0] = (double)z[(int64_t)(0.99 * (double)(n - 1))];
        b->usual[way].tail[1] = fmax((double)z[(int64_t)(0.999 * (double)(n - 1))] - b->usual[way].tail[0], 0.1);
    }
    physad__free(z);
    physad__free(points);
    return status;
}

/* Beyond one in a hundred the tail is taken as exponential: tail[1] farther, ten times rarer. Below, as if it went on
 * like that. */
float physad__splat_bank_surprise(const physad__splat_usual *u, float z)
{
    return (float)(2 + ((double)z - u->tail[0]) / u->tail[1]);
}

/* --- all of it --- */

static physad_status learn_features(physad__splat_bank *b, const physad_detector *det, float *cells, physad__call *call)
{
    const physad__posed_model *m = b->model;
    physad__call_stage(call, "features", m->views.count);
    for (int64_t i = 0; i < m->views.count; i++) {
        if (!physad__splat_bank_usable(b, i))
            memset(cells + i * b->cells * b->dim, 0, (size_t)(b->cells * b->dim) * sizeof(float));
        else
            PHYSAD__TRY(physad__splat_bank_cells(b, m->views.views[i].pixels, cells + i * b->cells * b->dim));
        PHYSAD__TRY(physad__call_tick(call, i + 1));
    }
    for (int64_t i = 0; b->ways[PHYSAD__BY_PLAIN] && i < m->views.count; i++)
        PHYSAD__TRY(physad__posed_wide_cells(
            m, &m->views.views[i], b->plain_bank + i * physad__splat_grid_cells(&b->plain) * b->plain_dim));
    begin_whitening(b, cells, m->views.count * b->cells);
    if (b->ways[PHYSAD__BY_WARP] && !physad__option_is(det, "whiten", "none"))
        PHYSAD__TRY(learn_whitening(b, cells, physad__option_is(det, "whiten", "full"), call));
    physad__splat_bank_whiten(b, cells, b->bank, m->views.count * b->cells);
    return PHYSAD_OK;
}

static physad_status learn(physad__splat_bank *b, const physad_detector *det, float *cells, float *traits,
                           physad__gaussians *folds, int64_t n_folds, physad__call *call)
{
    const bool local = physad__option_is(det, "calibrate", "place");
    PHYSAD__TRY(learn_features(b, det, cells, call));
    PHYSAD__TRY(fit_folds(b, det, folds, n_folds, call));
    PHYSAD__TRY(learn_maps(b, cells, folds, n_folds, traits, call));
    PHYSAD__TRY(learn_trends(b, traits));
    for (int way = 0; way < PHYSAD__WAYS; way++) {
        learn_moments(b, way);
        if (b->ways[way])
            PHYSAD__TRY(learn_tail(b, way, local && way != PHYSAD__BY_PLAIN));
    }
    return PHYSAD_OK;
}

physad_status physad__splat_bank_learn(physad__splat_bank *b, const physad_detector *det, physad__call *call)
{
    const physad__posed_model *m = b->model;
    physad__mem *mem = &m->ctx->mem;
    const int64_t wanted = b->ways[PHYSAD__BY_RENDER] ? physad__option_int(det, "folds") : 0;
    const int64_t n_folds = wanted > 1 ? physad__min(wanted, m->views.count / 2) : 0;
    const int64_t n = m->views.count * b->cells, fine = m->views.count * physad__splat_grid_cells(&b->fine),
                  plain = m->views.count * physad__splat_grid_cells(&b->plain);
    physad__gaussians *folds = physad__alloc_zero(mem, (size_t)n_folds * sizeof(*folds), "folds");
    float *cells = physad__alloc_array(mem, n * b->dim, sizeof(float), "features");
    float *traits = physad__alloc_zero(mem, (size_t)(fine * PHYSAD__TRAITS) * sizeof(float), "usual distances");
    physad_status status = physad__splat_bank_reserve(b);
    if (status == PHYSAD_OK)
        status = physad__splat_bank_depths(b);
    b->plain_maps = physad__alloc_array(mem, plain, sizeof(float), "usual distances");
    if (folds == NULL || cells == NULL || traits == NULL || b->plain_maps == NULL)
        status = PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; status == PHYSAD_OK && i < PHYSAD__COARSE_WAYS * n; i++)
        b->maps[i] = NAN;
    for (int64_t i = 0; status == PHYSAD_OK && i < PHYSAD__FINE_WAYS * fine; i++)
        b->fine_maps[i] = NAN;
    for (int64_t i = 0; status == PHYSAD_OK && i < plain; i++)
        b->plain_maps[i] = NAN;
    if (status == PHYSAD_OK)
        status = learn(b, det, cells, traits, folds, n_folds, call);
    for (int64_t k = 0; folds != NULL && k < n_folds; k++)
        physad__free(folds[k].planes);
    physad__free(folds);
    physad__free(cells);
    physad__free(traits);
    physad__free(b->plain_maps);
    b->plain_maps = NULL;
    return status;
}
