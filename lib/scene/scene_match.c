/* SPDX-License-Identifier: Apache-2.0 */
/* First guesses of a photo's pose: which training photos look alike, by patches of a network's features, and where the
 * patches that find each other lie in space. */
#include "nn/nn.h"
#include "physad_config.h"
#include "scene/scene_pose.h"

#include <cblas.h>
#include <math.h>
#ifdef PHYSAD_HAVE_OPENMP
#include <omp.h>
#endif
#include <stdlib.h>

#define SIDE 320      /* of the network's input, the longer one */
#define FAR_CELLS 1.5 /* a match is an outlier beyond this many cells */

/* --- descriptors --- */

/* The photo, stretched to the network's size and normalised; what is missing has the mean colour. */
static void stretch(float *out, int64_t height, int64_t width, const physad__scene_view *view,
                    const physad_backbone_info *info)
{
    const int64_t w = view->camera.width, h = view->camera.height, plane = w * h,
                  fine = (int64_t)ceil((double)h / (double)height);
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            float sum[3] = { 0 }, n = 0;
            for (int64_t k = 0; k < fine * fine; k++) {
                const double v = ((double)y + ((double)(k / fine) + 0.5) / (double)fine) * (double)h / (double)height;
                const double u = ((double)x + ((double)(k % fine) + 0.5) / (double)fine) * (double)w / (double)width;
                const int64_t at = physad__min((int64_t)v, h - 1) * w + physad__min((int64_t)u, w - 1);
                if (view->missing != NULL && view->missing[at])
                    continue;
                n++;
                for (int ch = 0; ch < 3; ch++)
                    sum[ch] += view->pixels[ch * plane + at];
            }
            for (int ch = 0; ch < 3; ch++)
                out[(y * width + x) * 3 + ch] = n > 0 ? (sum[ch] / n - info->mean[ch]) / info->std[ch] : 0;
        }
}

/* Cells of a photo as the network gives them. */
static physad_status raw_cells(float *out, const physad__matcher *m, const physad__scene_view *view)
{
    physad_backbone_info info = PHYSAD_BACKBONE_INFO_INIT;
    int64_t size[2];
    PHYSAD__TRY(physad_backbone_describe(physad_features_backbone(m->features), &info));
    physad_features_input_size(m->features, size);
    float *input = physad__alloc_array(&m->ctx->mem, 3 * size[0] * size[1], sizeof(float), "photo");
    if (input == NULL)
        return PHYSAD_ERR_NOMEM;
    stretch(input, size[0], size[1], view, &info);
    const int64_t in[4] = { 1, size[0], size[1], 3 }, shape[4] = { 1, m->height, m->width, m->dim };
    const physad_view image = physad_view_array(input, PHYSAD_F32, 4, in),
                      cells = physad_view_array(out, PHYSAD_F32, 4, shape);
    const physad_status status = physad_features_compute(m->features, &image, &cells, NULL);
    physad__free(input);
    return status;
}

/* Each dimension about 0 and as wide as the others, each cell of length 1. */
static void normalise(float *cells, const physad__matcher *m)
{
    for (int64_t i = 0; i < m->height * m->width; i++) {
        float *c = cells + i * m->dim;
        double square = 1e-20;
        for (int64_t k = 0; k < m->dim; k++) {
            c[k] = (c[k] - m->mean[k]) * m->scale[k];
            square += (double)c[k] * (double)c[k];
        }
        for (int64_t k = 0; k < m->dim; k++)
            c[k] = (float)((double)c[k] / sqrt(square));
    }
}

static void learn_scale(physad__matcher *m)
{
    const int64_t n = m->count * m->height * m->width;
    for (int64_t k = 0; k < m->dim; k++) {
        double sum = 0, square = 0;
        for (int64_t i = 0; i < n; i++) {
            const double v = (double)m->cells[i * m->dim + k];
            sum += v;
            square += v * v;
        }
        const double mean = sum / (double)n, spread = sqrt(fmax(square / (double)n - mean * mean, 0));
        m->mean[k] = (float)mean;
        m->scale[k] = spread > 1e-9 ? (float)(1 / spread) : 0;
    }
}

/* --- places of cells --- */

/* The world's point under the centre of each cell, by the scene's depth; not a number where the scene shows nothing. */
static physad_status locate_cells(physad__matcher *m, physad__aligner *a, int64_t index)
{
    const physad_camera *c = &m->cameras[index];
    const physad__gaussians *g = a->scene;
    const int64_t plane = c->width * c->height;
    const physad__splat_images images = { .depth = a->images, .opacity = a->images + plane };
    const physad__splat_input in = { .planes = physad__splat_planes_at(g->planes, g->stride),
                                     .count = g->count,
                                     .with_depth = true,
                                     .middle = true,
                                     .camera = physad__scene_camera(c, g->nearest) };
    PHYSAD__TRY(physad__splat_forward(a->splat, &in, &images));
    for (int64_t i = 0; i < m->height * m->width; i++) {
        const double u = ((double)(i % m->width) + 0.5) * (double)c->width / (double)m->width;
        const double v = ((double)(i / m->width) + 0.5) * (double)c->height / (double)m->height;
        const int64_t at = physad__min((int64_t)v, c->height - 1) * c->width + physad__min((int64_t)u, c->width - 1);
        float *out = m->points + 3 * (index * m->height * m->width + i);
        const double z = images.opacity[at] > 0.7f ? (double)images.depth[at] : NAN;
        double p[3];
        physad__camera_unproject(c, u, v, z, p);
        for (int k = 0; k < 3; k++)
            out[k] = (float)p[k];
    }
    return PHYSAD_OK;
}

/* --- the matcher --- */

void physad__matcher_close(physad__matcher *m)
{
    physad__free(m->cells);
    physad__free(m->points);
    physad__free(m->mean);
    physad__free(m->cameras);
    *m = (physad__matcher){ 0 };
}

physad_status physad__matcher_network(physad_features **out, physad_context *ctx, const physad_camera *camera,
                                      const char *backbone, const char *weights, const physad_tensors *file)
{
    physad_features_options o = PHYSAD_FEATURES_OPTIONS_INIT;
    const double side = (double)physad__max(camera->width, camera->height);
    o.backbone = backbone;
    o.weights = weights;
    o.width = physad__max(64, (int64_t)(SIDE * (double)camera->width / side / 32 + 0.5) * 32);
    o.height = physad__max(64, (int64_t)(SIDE * (double)camera->height / side / 32 + 0.5) * 32);
    return file != NULL ? physad__features_new_from(out, ctx, &o, file, "backbone.")
                        : physad_features_new(out, ctx, &o);
}

physad_status physad__matcher_reserve(physad__matcher *m, physad_context *ctx, physad_features *features, int64_t count)
{
    int64_t shape[3];
    *m = (physad__matcher){ .ctx = ctx, .features = features, .count = count };
    physad_features_shape(features, shape);
    m->height = shape[0];
    m->width = shape[1];
    m->dim = shape[2];
    const int64_t n = count * m->height * m->width;
    m->cells = physad__alloc_array(&ctx->mem, n * m->dim, sizeof(float), "features of training photos");
    m->points = physad__alloc_array(&ctx->mem, 3 * n, sizeof(float), "features of training photos");
    m->mean = physad__alloc_array(&ctx->mem, 2 * m->dim, sizeof(float), "features of training photos");
    m->cameras = physad__alloc_array(&ctx->mem, count, sizeof(*m->cameras), "features of training photos");
    if (m->cells == NULL || m->points == NULL || m->mean == NULL || m->cameras == NULL)
        return PHYSAD_ERR_NOMEM;
    m->scale = m->mean + m->dim;
    return PHYSAD_OK;
}

physad_status physad__matcher_learn(physad__matcher *m, physad__aligner *a, const physad__scene_views *views,
                                    physad__call *call)
{
    const int64_t cells = m->height * m->width;
    physad__call_stage(call, "patches of photos", views->count);
    for (int64_t i = 0; i < views->count; i++) {
        m->cameras[i] = views->views[i].camera;
        PHYSAD__TRY(raw_cells(m->cells + i * cells * m->dim, m, &views->views[i]));
        PHYSAD__TRY(locate_cells(m, a, i));
        PHYSAD__TRY(physad__call_tick(call, i + 1));
    }
    learn_scale(m);
    for (int64_t i = 0; i < views->count; i++)
        normalise(m->cells + i * cells * m->dim, m);
    return PHYSAD_OK;
}

/* --- matches --- */

/* A cell of the photo and a cell of a view. */
typedef struct match {
    int32_t cell, other, view;
    float likeness;
} match;

/* Cells of the photo and of a view that are each other's best; their likeness, summed, ranks the view. */
static double match_view(match *out, int64_t *n, const physad__matcher *m, const float *query, int64_t view,
                         float *likeness)
{
    const int64_t cells = m->height * m->width;
    const float *theirs = m->cells + view * cells * m->dim;
    double sum = 0;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)cells, (int)cells, (int)m->dim, 1, query, (int)m->dim,
                theirs, (int)m->dim, 0, likeness, (int)cells);
    *n = 0;
    for (int64_t i = 0; i < cells; i++) {
        const float *row = likeness + i * cells;
        int64_t best = 0, back = 0;
        for (int64_t j = 1; j < cells; j++)
            if (row[j] > row[best])
                best = j;
        for (int64_t j = 1; j < cells; j++)
            if (likeness[j * cells + best] > likeness[back * cells + best])
                back = j;
        if (back != i || !(row[best] > 0))
            continue;
        sum += (double)row[best];
        out[(*n)++] =
            (match){ .cell = (int32_t)i, .other = (int32_t)best, .view = (int32_t)view, .likeness = row[best] };
    }
    return sum;
}

/* --- poses from matches --- */

typedef struct resection {
    const physad__matcher *m;
    const physad_camera *lens; /* of the photo */
    const match *matches;
    int64_t n;
} resection;

/* The reprojection error in units of the photo's longer side; false where the point is unknown or behind. */
static bool reproject(const resection *s, const physad_camera *pose, const match *k, double error[2],
                      double jacobian[2][6])
{
    const physad__matcher *m = s->m;
    const float *p = m->points + 3 * (k->view * m->height * m->width + k->other);
    const double *r = pose->rotation, *t = pose->translation,
                 side = (double)physad__max(s->lens->width, s->lens->height);
    const double x = r[0] * (double)p[0] + r[1] * (double)p[1] + r[2] * (double)p[2] + t[0];
    const double y = r[3] * (double)p[0] + r[4] * (double)p[1] + r[5] * (double)p[2] + t[1];
    const double z = r[6] * (double)p[0] + r[7] * (double)p[1] + r[8] * (double)p[2] + t[2];
    if (!(z > 1e-6 && isfinite(z))) /* also not a number */
        return false;
    const double u = ((double)(k->cell % m->width) + 0.5) * (double)s->lens->width / (double)m->width;
    const double v = ((double)(k->cell / m->width) + 0.5) * (double)s->lens->height / (double)m->height;
    const double fx = s->lens->fx / side, fy = s->lens->fy / side;
    error[0] = fx * x / z + (s->lens->cx - u) / side;
    error[1] = fy * y / z + (s->lens->cy - v) / side;
    const double a[2][6] = {
        { fx / z, 0, -fx * x / (z * z), -fx * x * y / (z * z), fx + fx * x * x / (z * z), -fx * y / z },
        { 0, fy / z, -fy * y / (z * z), -fy - fy * y * y / (z * z), fy * x * y / (z * z), fy * x / z }
    };
    memcpy(jacobian, a, sizeof(a));
    return true;
}

/* Moves the pose towards its matches, those farther than `reach` without pull; returns the weight of those that fit. */
static double resect_step(const resection *s, physad_camera *pose, double reach)
{
    double sums[PHYSAD__POSE_TERMS] = { 0 }, fitting = 0, x[6];
    for (int64_t i = 0; i < s->n; i++) {
        double e[2], jacobian[2][6];
        if (!reproject(s, pose, &s->matches[i], e, jacobian))
            continue;
        const double d = e[0] * e[0] + e[1] * e[1] + reach * reach,
                     w = (double)s->matches[i].likeness * reach * reach * reach * reach / (d * d);
        fitting += w;
        for (int row = 0; row < 2; row++)
            for (int a = 0, k = 7; a < 6; a++) {
                sums[1 + a] += w * e[row] * jacobian[row][a];
                for (int b = 0; b <= a; b++)
                    sums[k++] += w * jacobian[row][a] * jacobian[row][b];
            }
    }
    if (fitting > 0 && physad__pose_solve(sums, 1e-4, x))
        physad__splat_camera_move(pose->rotation, pose->translation, x);
    return fitting;
}

/* From a view's pose: first all matches pull, then ever nearer ones. False where few of them agree in the end. */
static bool resect(const resection *s, physad_camera *pose)
{
    const double cell = 1.0 / (double)physad__max(s->m->height, s->m->width);
    double fitting = 0;
    for (double reach = 0.25; reach > FAR_CELLS * cell; reach *= 0.7)
        for (int i = 0; i < 3; i++)
            resect_step(s, pose, reach);
    for (int i = 0; i < 4; i++)
        fitting = resect_step(s, pose, FAR_CELLS * cell);
    return fitting > 6;
}

/* --- guesses --- */

typedef struct ranked {
    double likeness;
    int64_t view, n;
    match *matches; /* room for one per cell */
} ranked;

static int compare_ranked(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return x->likeness != y->likeness ? (x->likeness < y->likeness ? 1 : -1)
                                      : (x->view > y->view) - (x->view < y->view);
}

/* All views, most alike first. */
static physad_status rank_views(ranked *views, const physad__matcher *m, const float *query, match *matches,
                                float *likeness)
{
    const int64_t cells = m->height * m->width;
#pragma omp parallel for schedule(dynamic, 1) num_threads(m->ctx->threads)
    for (int64_t i = 0; i < m->count; i++) {
        int64_t thread = 0;
#ifdef PHYSAD_HAVE_OPENMP
        thread = omp_get_thread_num();
#endif
        views[i] = (ranked){ .view = i, .matches = matches + i * cells };
        views[i].likeness = match_view(views[i].matches, &views[i].n, m, query, i, likeness + thread * cells * cells);
    }
    qsort(views, (size_t)m->count, sizeof(*views), compare_ranked);
    return PHYSAD_OK;
}

static void take(physad__guess *guess, const physad_camera *lens, const physad_camera *pose, int64_t view,
                 double likeness)
{
    *guess = (physad__guess){ .pose = *lens, .view = view, .likeness = likeness };
    memcpy(guess->pose.rotation, pose->rotation, sizeof(pose->rotation));
    memcpy(guess->pose.translation, pose->translation, sizeof(pose->translation));
}

/* The matches of the `most` views that are most alike, moved together: where each shares little with the photo, what
 * they say together still stands out. */
static int64_t make_joint_guesses(physad__guess *out, const physad__matcher *m, const physad_camera *lens,
                                  const ranked *views, int64_t most, match *all)
{
    resection s = { m, lens, all, 0 };
    int64_t n = 0;
    most = physad__min(most, m->count);
    for (int64_t i = 0; i < most; i++) {
        memcpy(all + s.n, views[i].matches, (size_t)views[i].n * sizeof(*all));
        s.n += views[i].n;
    }
    for (int64_t i = 0; i < physad__min(most, PHYSAD__JOINT_GUESSES); i++) {
        physad_camera pose = m->cameras[views[i].view];
        if (resect(&s, &pose))
            take(&out[n++], lens, &pose, views[i].view, views[i].likeness);
    }
    return n;
}

static int64_t make_guesses(physad__guess *out, const physad__matcher *m, const physad_camera *lens,
                            const ranked *views, int64_t most)
{
    int64_t n = 0;
    for (int64_t i = 0; i < physad__min(most, m->count); i++) {
        const resection s = { m, lens, views[i].matches, views[i].n };
        physad_camera pose = m->cameras[views[i].view];
        take(&out[n++], lens, &pose, views[i].view, views[i].likeness);
        if (resect(&s, &pose))
            take(&out[n++], lens, &pose, views[i].view, views[i].likeness);
    }
    return n;
}

physad_status physad__matcher_guess(const physad__matcher *m, const physad__scene_view *photo, int64_t most,
                                    physad__guess *out, int64_t *n)
{
    physad__mem *mem = &m->ctx->mem;
    const int64_t cells = m->height * m->width;
    float *query = physad__alloc_array(mem, cells * m->dim, sizeof(float), "matches");
    float *likeness = physad__alloc_array(mem, m->ctx->threads * cells * cells, sizeof(float), "matches");
    match *matches = physad__alloc_array(mem, 2 * m->count * cells, sizeof(*matches), "matches");
    ranked *views = physad__alloc_array(mem, m->count, sizeof(*views), "matches");
    const bool room = query != NULL && likeness != NULL && matches != NULL && views != NULL;
    physad_status status = room ? raw_cells(query, m, photo) : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK) {
        normalise(query, m);
        const int wide = physad__call_narrow();
        status = rank_views(views, m, query, matches, likeness);
        physad__call_widen(wide);
    }
    if (status == PHYSAD_OK) {
        *n = make_guesses(out, m, &photo->camera, views, most);
        *n += make_joint_guesses(out + *n, m, &photo->camera, views, most, matches + m->count * cells);
    }
    physad__free(query);
    physad__free(likeness);
    physad__free(matches);
    physad__free(views);
    return status;
}
