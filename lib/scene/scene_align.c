/* SPDX-License-Identifier: Apache-2.0 */
/* The pose at which the scene looks like a photo: Levenberg-Marquardt on SE(3) through the renderer, from a coarse
 * picture to a fine one. Each pixel's difference passes a saturating function (Geman and McClure), so that what does
 * not fit, such as a defect, has no pull; gain and offset of each colour are fitted along, so that exposure has none
 * either. */
#include "scene/scene_pose.h"

#include <math.h>

#define COARSEST 64 /* pixels of the longer side, at least half of it */
#define UNSEEN 0.5  /* cost of a pixel where the scene shows nothing; the most is 1 */
#define TERMS PHYSAD__POSE_TERMS

/* --- the photo's pyramid --- */

void physad__align_photo_free(physad__align_photo *photo)
{
    for (int32_t i = 0; i < photo->count; i++) {
        physad__free(photo->levels[i].pixels);
        physad__free(photo->levels[i].weight);
    }
    *photo = (physad__align_photo){ 0 };
}

static physad_status new_level(physad__align_level *level, physad__mem *mem, const physad_camera *camera)
{
    const int64_t plane = camera->width * camera->height;
    level->camera = *camera;
    level->pixels = physad__alloc_array(mem, 3 * plane, sizeof(float), "pyramid of a photo");
    level->weight = physad__alloc_array(mem, plane, sizeof(float), "pyramid of a photo");
    return level->pixels != NULL && level->weight != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

static void halve(physad__align_level *to, const physad__align_level *from)
{
    const int64_t width = to->camera.width, height = to->camera.height, wide = from->camera.width;
    const int64_t plane = width * height, large = wide * from->camera.height;
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            const int64_t at = 2 * y * wide + 2 * x, four[4] = { at, at + 1, at + wide, at + wide + 1 };
            float weight = 0, sum[3] = { 0 };
            for (int k = 0; k < 4; k++) {
                weight += from->weight[four[k]];
                for (int ch = 0; ch < 3; ch++)
                    sum[ch] += from->weight[four[k]] * from->pixels[ch * large + four[k]];
            }
            to->weight[y * width + x] = weight >= 3.5f;
            for (int ch = 0; ch < 3; ch++)
                to->pixels[ch * plane + y * width + x] = weight > 0 ? sum[ch] / weight : 0;
        }
}

physad_status physad__align_photo_make(physad__align_photo *out, physad__mem *mem, const physad__scene_view *view)
{
    physad_camera c = view->camera;
    const int64_t plane = c.width * c.height;
    *out = (physad__align_photo){ .count = 1 };
    physad_status status = new_level(&out->levels[0], mem, &c);
    if (status == PHYSAD_OK) {
        memcpy(out->levels[0].pixels, view->pixels, (size_t)(3 * plane) * sizeof(float));
        for (int64_t i = 0; i < plane; i++)
            out->levels[0].weight[i] = view->missing == NULL || !view->missing[i];
    }
    while (status == PHYSAD_OK && out->count < PHYSAD__ALIGN_LEVELS && physad__max(c.width, c.height) >= 2 * COARSEST &&
           physad__min(c.width, c.height) >= 32) {
        c.width /= 2;
        c.height /= 2;
        c.fx /= 2;
        c.fy /= 2;
        c.cx /= 2;
        c.cy /= 2;
        status = new_level(&out->levels[out->count++], mem, &c);
        if (status == PHYSAD_OK)
            halve(&out->levels[out->count - 1], &out->levels[out->count - 2]);
    }
    if (status != PHYSAD_OK)
        physad__align_photo_free(out);
    return status;
}

/* --- memory --- */

void physad__aligner_close(physad__aligner *a)
{
    physad__splat_free(a->splat);
    physad__free(a->images);
    physad__free(a->rows);
    physad__free(a->planes);
    *a = (physad__aligner){ 0 };
}

physad_status physad__aligner_open(physad__aligner *a, physad_context *ctx, const physad__gaussians *scene,
                                   const float background[3], int64_t width, int64_t height)
{
    const int64_t planes = physad__splat_plane_count(scene->degree);
    *a = (physad__aligner){ .ctx = ctx, .scene = scene, .room = width * height };
    memcpy(a->background, background, sizeof(a->background));
    physad_status status = physad__splat_new(&a->splat, ctx);
    a->images = physad__alloc_array(&ctx->mem, 8 * a->room, sizeof(float), "pictures of a pose");
    a->rows = physad__alloc_array(&ctx->mem, TERMS * height, sizeof(double), "pictures of a pose");
    a->planes = physad__alloc_array(&ctx->mem, planes * scene->stride + 1, sizeof(float), "gradients of a pose");
    if (status == PHYSAD_OK && (a->images == NULL || a->rows == NULL || a->planes == NULL))
        status = PHYSAD_ERR_NOMEM;
    if (status != PHYSAD_OK)
        physad__aligner_close(a);
    return status;
}

/* --- one look --- */

/* What the renderer shows at a pose, and how it meets the photo. */
typedef struct look {
    const physad__align_level *level;
    const float *colour, *depth, *opacity;
    float *grad;
    float gain[3], offset[3];
    float sigma_square;
} look;

static physad_status render(physad__aligner *a, look *l, const physad_camera *camera)
{
    const int64_t plane = camera->width * camera->height;
    const physad__gaussians *g = a->scene;
    const physad__splat_images images = { a->images, a->images + 3 * plane, a->images + 4 * plane, NULL };
    physad__splat_input in = { .planes = physad__splat_planes_at(g->planes, g->stride),
                               .count = g->count,
                               .degree = g->degree,
                               .with_depth = true,
                               .middle = true,
                               .camera = physad__scene_camera(camera, g->nearest) };
    memcpy(in.background, a->background, sizeof(in.background));
    l->colour = images.colour;
    l->depth = images.depth;
    l->opacity = images.opacity;
    l->grad = a->images + 5 * plane;
    return physad__splat_forward(a->splat, &in, &images);
}

static float weight_at(const look *l, int64_t at)
{
    return l->level->weight[at] * fminf(fmaxf(l->opacity[at], 0), 1);
}

/* Residuals of a pixel; returns their squared length. */
static float residual(const look *l, int64_t plane, int64_t at, float r[3])
{
    float square = 0;
    for (int ch = 0; ch < 3; ch++) {
        r[ch] = l->gain[ch] * l->colour[ch * plane + at] + l->offset[ch] - l->level->pixels[ch * plane + at];
        square += r[ch] * r[ch];
    }
    return square;
}

/* Gain and offset of each colour by reweighted least squares. */
static void fit_exposure(look *l)
{
    const int64_t plane = l->level->camera.width * l->level->camera.height;
    for (int ch = 0; ch < 3; ch++) {
        l->gain[ch] = 1;
        l->offset[ch] = 0;
    }
    for (int pass = 0; pass < 3; pass++) {
        double n = 0, x[3] = { 0 }, y[3] = { 0 }, xx[3] = { 0 }, xy[3] = { 0 };
        const float wide = pass == 0 ? 16 * l->sigma_square : l->sigma_square;
        for (int64_t at = 0; at < plane; at++) {
            float r[3];
            const float d = wide + residual(l, plane, at, r), w = weight_at(l, at) * (wide / d) * (wide / d);
            n += (double)w;
            for (int ch = 0; ch < 3; ch++) {
                const double p = (double)l->colour[ch * plane + at], q = (double)l->level->pixels[ch * plane + at],
                             ww = (double)w;
                x[ch] += ww * p;
                y[ch] += ww * q;
                xx[ch] += ww * p * p;
                xy[ch] += ww * p * q;
            }
        }
        for (int ch = 0; ch < 3 && n > 1e-6; ch++) { /* drawn towards gain 1: flat pictures say nothing of it */
            const double spread = xx[ch] - x[ch] * x[ch] / n, both = xy[ch] - x[ch] * y[ch] / n, prior = 1e-3 * n;
            const double gain = fmin(fmax((both + prior) / (spread + prior), 0.6), 1.7);
            l->gain[ch] = (float)gain;
            l->offset[ch] = (float)((y[ch] - gain * x[ch]) / n);
        }
    }
}

/* How the picture at a pixel changes with a motion of the camera's space: 3 colours by translation and rotation. */
static bool motion(const look *l, const physad_camera *c, int64_t px, int64_t py, float jacobian[3][6])
{
    const int64_t plane = c->width * c->height, at = py * c->width + px;
    if (l->opacity[at] < 0.3f)
        return false;
    const float z = l->depth[at], fx = (float)c->fx, fy = (float)c->fy;
    const float x = ((float)px + 0.5f - (float)c->cx) / fx * z, y = ((float)py + 0.5f - (float)c->cy) / fy * z;
    const float u[6] = { fx / z, 0, -fx * x / (z * z), -fx * x * y / (z * z), fx + fx * x * x / (z * z), -fx * y / z };
    const float v[6] = { 0, fy / z, -fy * y / (z * z), -fy - fy * y * y / (z * z), fy * x * y / (z * z), fy * x / z };
    const int64_t left = at - (px > 0), right = at + (px + 1 < c->width), up = at - (py > 0) * c->width,
                  down = at + (py + 1 < c->height) * c->width;
    for (int ch = 0; ch < 3; ch++) {
        const float *p = l->colour + ch * plane;
        const float dx = (p[right] - p[left]) / (float)(right - left),
                    dy = (p[down] - p[up]) / (float)((down - up) / c->width);
        for (int k = 0; k < 6; k++)
            jacobian[ch][k] = -l->gain[ch] * (dx * u[k] + dy * v[k]);
    }
    return true;
}

/* Cost, gradient and matrix of one row of pixels. */
static void sum_row(const look *l, const physad_camera *c, int64_t py, bool derive, double sums[TERMS])
{
    const int64_t plane = c->width * c->height;
    memset(sums, 0, TERMS * sizeof(double));
    for (int64_t px = 0; px < c->width; px++) {
        const int64_t at = py * c->width + px;
        float r[3], jacobian[3][6];
        const float square = residual(l, plane, at, r), d = square + l->sigma_square, w = weight_at(l, at);
        sums[0] += (double)(w * square / d + (l->level->weight[at] - w) * (float)UNSEEN);
        const float pull = w * l->sigma_square / (d * d); /* of w square / d by square */
        for (int ch = 0; derive && ch < 3; ch++)
            l->grad[ch * plane + at] = 2 * pull * l->gain[ch] * r[ch];
        if (!derive || !motion(l, c, px, py, jacobian))
            continue;
        for (int ch = 0; ch < 3; ch++)
            for (int i = 0, k = 7; i < 6; i++) {
                sums[1 + i] += (double)(2 * pull * r[ch] * jacobian[ch][i]);
                for (int j = 0; j <= i; j++)
                    sums[k++] += (double)(2 * pull * jacobian[ch][i] * jacobian[ch][j]);
            }
    }
}

typedef struct state {
    physad_camera camera; /* of the level */
    double cost;          /* mean of the photo's pixels */
    double sums[TERMS];
} state;

/* Renders at s->camera; fills cost and, where wanted, derivatives. `exact`: the gradient is the renderer's own. */
static physad_status assess(physad__aligner *a, look *l, state *s, bool derive, bool exact)
{
    const physad_camera *c = &s->camera;
    double counted = 0;
    PHYSAD__TRY(render(a, l, c));
    fit_exposure(l);
#pragma omp parallel for schedule(static) num_threads(a->ctx->threads)
    for (int64_t y = 0; y < c->height; y++)
        sum_row(l, c, y, derive, a->rows + y * TERMS);
    memset(s->sums, 0, sizeof(s->sums));
    for (int64_t y = 0; y < c->height; y++)
        for (int k = 0; k < TERMS; k++)
            s->sums[k] += a->rows[y * TERMS + k];
    for (int64_t i = 0; i < c->width * c->height; i++)
        counted += (double)l->level->weight[i];
    if (derive && exact) {
        physad__splat_back back = { .planes = physad__splat_planes_at(a->planes, a->scene->stride) };
        const physad__splat_images grads = { .colour = l->grad };
        PHYSAD__TRY(physad__splat_backward(a->splat, &grads, &back));
        memcpy(s->sums + 1, back.pose, sizeof(back.pose));
    }
    s->cost = counted > 0 ? s->sums[0] / counted : 1;
    return PHYSAD_OK;
}

bool physad__pose_solve(const double sums[TERMS], double lambda, double x[6])
{
    double a[6][6], floor = 0;
    for (int i = 0, k = 7; i < 6; i++)
        for (int j = 0; j <= i; j++)
            a[i][j] = sums[k++];
    for (int i = 0; i < 6; i++)
        floor = fmax(floor, a[i][i]);
    for (int i = 0; i < 6; i++) {
        a[i][i] += lambda * a[i][i] + 1e-12 * floor;
        for (int j = 0; j <= i; j++) {
            for (int k = 0; k < j; k++)
                a[i][j] -= a[i][k] * a[j][k];
            if (i == j && !(a[i][i] > 0))
                return false;
            a[i][j] = i == j ? sqrt(a[i][i]) : a[i][j] / a[j][j];
        }
    }
    for (int i = 0; i < 6; i++) {
        x[i] = -sums[1 + i];
        for (int k = 0; k < i; k++)
            x[i] -= a[i][k] * x[k];
        x[i] /= a[i][i];
    }
    for (int i = 5; i >= 0; i--) {
        for (int k = i + 1; k < 6; k++)
            x[i] -= a[k][i] * x[k];
        x[i] /= a[i][i];
    }
    return true;
}

/* The largest shift in pixels that a motion makes, about, for things at the picture's mean depth. */
static double shift_of(const look *l, const physad_camera *c, const double x[6])
{
    double z = 0, n = 0;
    for (int64_t i = 0; i < c->width * c->height; i++)
        if (l->opacity[i] > 0.5f) {
            z += (double)l->depth[i];
            n++;
        }
    z = n > 0 ? z / n : 1;
    const double move = sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]) / z,
                 turn = sqrt(x[3] * x[3] + x[4] * x[4] + x[5] * x[5]);
    return c->fx * (move + turn);
}

static void take_pose(physad_camera *to, const physad_camera *from)
{
    memcpy(to->rotation, from->rotation, sizeof(to->rotation));
    memcpy(to->translation, from->translation, sizeof(to->translation));
}

physad_status physad__align(physad__aligner *a, const physad__align_photo *photo, int32_t level, int32_t steps,
                            bool exact, physad_camera *pose, double *cost)
{
    static const double sigmas[] = {
        0.1, 0.12, 0.16, 0.2, 0.2, 0.2
    }; /* differences larger than this lose their pull */
    const physad__align_level *at = &photo->levels[level];
    look l = { .level = at, .sigma_square = (float)(sigmas[level] * sigmas[level]) };
    state now = { .camera = at->camera };
    double lambda = 1e-3;
    take_pose(&now.camera, pose);
    PHYSAD__TRY(assess(a, &l, &now, steps > 0, exact));
    for (int32_t step = 0; step < steps; step++) {
        state next = now;
        double x[6];
        if (!physad__pose_solve(now.sums, lambda, x))
            break;
        physad__splat_camera_move(next.camera.rotation, next.camera.translation, x);
        const double shift = shift_of(&l, &now.camera, x);
        PHYSAD__TRY(assess(a, &l, &next, true, exact));
        if (next.cost < now.cost) {
            const bool done = shift < 0.02 || now.cost - next.cost < 1e-5 * now.cost;
            now = next;
            lambda = fmax(lambda * 0.2, 1e-6);
            if (done)
                break;
        } else {
            if (shift < 0.02 || lambda > 1e3)
                break;
            lambda *= 8;
        }
    }
    take_pose(pose, &now.camera);
    *cost = now.cost;
    return PHYSAD_OK;
}

/* --- agreement --- */

/* Sums of p q over windows of 2 reach + 1, where weight says so, as moments: n, p, q, pp, qq, pq. */
typedef struct window {
    float n, p, q, pp, qq, pq;
} window;

static float grey(const float *pixels, int64_t plane, int64_t at)
{
    return 0.299f * pixels[at] + 0.587f * pixels[plane + at] + 0.114f * pixels[2 * plane + at];
}

static window sum_window(const look *l, const physad_camera *c, int64_t px, int64_t py, int64_t reach)
{
    const int64_t plane = c->width * c->height;
    window w = { 0 };
    for (int64_t y = physad__max(py - reach, 0); y <= physad__min(py + reach, c->height - 1); y++)
        for (int64_t x = physad__max(px - reach, 0); x <= physad__min(px + reach, c->width - 1); x++) {
            const int64_t at = y * c->width + x;
            const float p = grey(l->colour, plane, at), q = grey(l->level->pixels, plane, at),
                        weight = l->level->weight[at];
            w.n += weight;
            w.p += weight * p;
            w.q += weight * q;
            w.pp += weight * p * p;
            w.qq += weight * q * q;
            w.pq += weight * p * q;
        }
    return w;
}

physad_status physad__align_agreement(physad__aligner *a, const physad__align_photo *photo, int32_t level,
                                      const physad_camera *pose, double *agreement)
{
    enum { REACH = 4, STEP = 2 };
    const physad__align_level *at = &photo->levels[level];
    look l = { .level = at };
    physad_camera c = at->camera;
    double sum = 0, total = 0;
    take_pose(&c, pose);
    PHYSAD__TRY(render(a, &l, &c));
    for (int64_t y = REACH; y + REACH < c.height; y += STEP)
        for (int64_t x = REACH; x + REACH < c.width; x += STEP) {
            const window w = sum_window(&l, &c, x, y, REACH);
            if (w.n < 1)
                continue;
            const double pp = (double)(w.pp - w.p * w.p / w.n) / (double)w.n,
                         qq = (double)(w.qq - w.q * w.q / w.n) / (double)w.n;
            const double pq = (double)(w.pq - w.p * w.q / w.n) / (double)w.n, noise = 1e-4;
            const double much = sqrt(fmax(qq, 0)) * (double)w.n; /* what has texture in the photo must be met */
            sum += much * pq / sqrt((fmax(pp, 0) + noise) * (fmax(qq, 0) + noise));
            total += much;
        }
    *agreement = total > 0 ? sum / total : 0;
    return PHYSAD_OK;
}
