/* SPDX-License-Identifier: Apache-2.0 */
/* Kruse, Rudolph, Woiwode and Rosenhahn, "SplatPose & Detect", CVPR workshops 2024; Yang et al., "PIAD: Pose and
 * Illumination agnostic Anomaly Detection", CVPR 2025. The twist (w, v, theta) gives R = 1 + sin(theta) [w] + (1 -
 * cos(theta)) [w]^2 and a shift; w is not held at length 1, so that R is turned into the nearest rotation by Gram and
 * Schmidt before it is used. */
#include "detect/detect_twist.h"

#include <math.h>

#define NUMBERS 7 /* w, v, theta */

/* --- the twist --- */

static void cross_matrix(double out[9], const double w[3])
{
    const double m[9] = { 0, -w[2], w[1], w[2], 0, -w[0], -w[1], w[0], 0 };
    memcpy(out, m, sizeof(m));
}

static void multiply(double out[9], const double a[9], const double b[9])
{
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            out[3 * i + j] = a[3 * i] * b[j] + a[3 * i + 1] * b[3 + j] + a[3 * i + 2] * b[6 + j];
}

static void orthonormalise(double r[9])
{
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < i; k++) {
            const double dot = r[3 * i] * r[3 * k] + r[3 * i + 1] * r[3 * k + 1] + r[3 * i + 2] * r[3 * k + 2];
            for (int j = 0; j < 3; j++)
                r[3 * i + j] -= dot * r[3 * k + j];
        }
        const double length = sqrt(r[3 * i] * r[3 * i] + r[3 * i + 1] * r[3 * i + 1] + r[3 * i + 2] * r[3 * i + 2]);
        for (int j = 0; j < 3; j++)
            r[3 * i + j] /= length;
    }
}

static void twist_pose(const double p[NUMBERS], double rotation[9], double shift[3])
{
    double w[9], ww[9];
    const double s = sin(p[6]), c = 1 - cos(p[6]), d = p[6] - s;
    cross_matrix(w, p);
    multiply(ww, w, w);
    for (int i = 0; i < 3; i++) {
        shift[i] = 0;
        for (int j = 0; j < 3; j++) {
            rotation[3 * i + j] = (i == j) + s * w[3 * i + j] + c * ww[3 * i + j];
            shift[i] += ((i == j) * p[6] + c * w[3 * i + j] + d * ww[3 * i + j]) * p[3 + j];
        }
    }
    orthonormalise(rotation);
}

/* The camera that sees the moved scene as `from` would, or that was moved itself. */
static void move(physad_camera *out, const physad_camera *from, const double p[NUMBERS], bool moves_scene)
{
    double r[9], t[3], turned[9];
    twist_pose(p, r, t);
    const double back[9] = { r[0], r[3], r[6], r[1], r[4], r[7], r[2], r[5], r[8] };
    multiply(turned, from->rotation, back);
    *out = *from;
    for (int i = 0; i < 3; i++) {
        const double *by = moves_scene ? from->rotation : turned; /* x R + t in rows: R^T x + t; or R^T (x - t) */
        const double shifted = by[3 * i] * t[0] + by[3 * i + 1] * t[1] + by[3 * i + 2] * t[2];
        out->translation[i] = from->translation[i] + (moves_scene ? shifted : -shifted);
    }
    memcpy(out->rotation, turned, sizeof(turned));
}

/* How the camera's space moves with each number: by central differences of exact poses. */
static void derive(double out[NUMBERS][6], const physad_camera *from, const double p[NUMBERS], bool moves_scene)
{
    const double h = 1e-6;
    for (int k = 0; k < NUMBERS; k++) {
        physad_camera side[2];
        for (int s = 0; s < 2; s++) {
            double q[NUMBERS];
            memcpy(q, p, sizeof(q));
            q[k] += s == 0 ? -h : h;
            move(&side[s], from, q, moves_scene);
        }
        const double *a = side[0].rotation, *b = side[1].rotation;
        double turn[9]; /* b a^T */
        const double back[9] = { a[0], a[3], a[6], a[1], a[4], a[7], a[2], a[5], a[8] };
        multiply(turn, b, back);
        for (int i = 0; i < 3; i++) {
            const double *t = side[0].translation;
            const double was = turn[3 * i] * t[0] + turn[3 * i + 1] * t[1] + turn[3 * i + 2] * t[2];
            out[k][i] = (side[1].translation[i] - was) / (2 * h);
        }
        out[k][3] = (turn[7] - turn[5]) / (4 * h);
        out[k][4] = (turn[2] - turn[6]) / (4 * h);
        out[k][5] = (turn[3] - turn[1]) / (4 * h);
    }
}

/* --- the loss --- */

typedef struct refiner {
    const physad__posed_model *m;
    physad__splat *splat;
    float *picture, *grad, *planes;
} refiner;

static physad_status open_refiner(refiner *r, const physad__posed_model *m, const physad__twist_target *targets,
                                  int64_t n)
{
    const int64_t plane = m->height * m->width;
    int64_t most = 1;
    for (int64_t i = 0; i < n; i++)
        most = physad__max(most, physad__splat_plane_count(targets[i].scene->degree) * targets[i].scene->stride);
    *r = (refiner){ .m = m };
    r->picture = physad__alloc_array(&m->ctx->mem, 6 * plane, sizeof(float), "pictures of a pose");
    r->planes = physad__alloc_array(&m->ctx->mem, most, sizeof(float), "gradients of a pose");
    if (r->picture == NULL || r->planes == NULL)
        return PHYSAD_ERR_NOMEM;
    r->grad = r->picture + 3 * plane;
    return physad__splat_new(&r->splat, m->ctx);
}

static void close_refiner(refiner *r)
{
    physad__splat_free(r->splat);
    physad__free(r->picture);
    physad__free(r->planes);
}

/* Adds a target's loss, and its gradient by the camera's motion. */
static physad_status add_target(refiner *r, const physad__twist_target *t, const physad_camera *camera, double *loss,
                                double pose[6])
{
    const physad__gaussians *g = t->scene;
    physad__splat_loss_result result;
    physad__splat_input in = { .planes = physad__splat_planes_at(g->planes, g->stride),
                               .count = g->count,
                               .degree = g->degree,
                               .camera = physad__scene_camera(camera, g->nearest) };
    physad__splat_back back = { .planes = physad__splat_planes_at(r->planes, g->stride) };
    const physad__splat_images images = { .colour = r->picture }, grads = { .colour = r->grad };
    memcpy(in.background, r->m->background, sizeof(in.background));
    PHYSAD__TRY(physad__splat_forward(r->splat, &in, &images));
    PHYSAD__TRY(physad__splat_compare(r->splat, &result, r->grad, r->picture, t->pixels, camera->width, camera->height,
                                      t->ssim));
    PHYSAD__TRY(physad__splat_backward(r->splat, &grads, &back));
    *loss += t->weight * result.loss;
    for (int k = 0; k < 6; k++)
        pose[k] += t->weight * back.pose[k];
    return PHYSAD_OK;
}

/* One step of Adam on the twist. */
static void adam(double p[NUMBERS], double mean[NUMBERS], double square[NUMBERS], const double grad[NUMBERS],
                 double rate, int64_t t)
{
    for (int k = 0; k < NUMBERS; k++) {
        mean[k] = 0.9 * mean[k] + 0.1 * grad[k];
        square[k] = 0.999 * square[k] + 0.001 * grad[k] * grad[k];
        p[k] -= rate * (mean[k] / (1 - pow(0.9, (double)t))) / (sqrt(square[k] / (1 - pow(0.999, (double)t))) + 1e-8);
    }
}

static physad_status run(refiner *r, const physad__twist_target *targets, int64_t n, const physad__twist_plan *plan,
                         physad_camera *camera, double *loss)
{
    const physad_camera from = *camera;
    double p[NUMBERS], mean[NUMBERS] = { 0 }, square[NUMBERS] = { 0 }, checked = INFINITY;
    physad__rng rng;
    physad__rng_seed(&rng, plan->seed, 0x7e15);
    for (int k = 0; k < NUMBERS; k++)
        p[k] = 1e-6 * physad__rng_normal(&rng);
    for (int64_t step = 0; step <= plan->steps; step++) {
        double pose[6] = { 0 }, by[NUMBERS][6], grad[NUMBERS] = { 0 };
        PHYSAD__TRY(physad__cancelled(r->m->ctx));
        move(camera, &from, p, plan->moves_scene);
        *loss = 0;
        for (int64_t i = 0; i < n; i++)
            PHYSAD__TRY(add_target(r, &targets[i], camera, loss, pose));
        const bool check = plan->check_every > 0 && step > 0 && step % plan->check_every == 0;
        if (step == plan->steps || (check && fabs(checked - *loss) < plan->least_change))
            break;
        checked = check ? *loss : checked;
        derive(by, &from, p, plan->moves_scene);
        for (int k = 0; k < NUMBERS; k++)
            for (int i = 0; i < 6; i++)
                grad[k] += pose[i] * by[k][i];
        adam(p, mean, square, grad, step == 0 ? plan->first_rate : plan->rate * pow(0.8, (double)(step + 1) / 100),
             step + 1);
    }
    return PHYSAD_OK;
}

physad_status physad__twist_refine(const physad__posed_model *m, const physad__twist_target *targets, int64_t n,
                                   const physad__twist_plan *plan, physad_camera *camera, double *loss)
{
    refiner r;
    physad_status status = open_refiner(&r, m, targets, n);
    if (status == PHYSAD_OK)
        status = run(&r, targets, n, plan, camera, loss);
    close_refiner(&r);
    return status;
}

/* --- features --- */

/* Summed squares of q - r of one layer, at the photo's size. */
static physad_status squares(float *out, const physad__posed_model *m, const physad__posed_stack *q,
                             const physad__posed_stack *r, int64_t layer)
{
    const int64_t *s = q->shape[layer];
    float *small = physad__alloc_array(&m->ctx->mem, s[0] * s[1], sizeof(float), "score map");
    if (small == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < s[0] * s[1]; i++) {
        double sum = 0;
        for (int64_t k = 0; k < s[2]; k++) {
            const double d = (double)q->of[layer][i * s[2] + k] - (double)r->of[layer][i * s[2] + k];
            sum += d * d;
        }
        small[i] = (float)sum;
    }
    physad__map_upsample(small, s[0], s[1], out, m->height, m->width, PHYSAD__UPSAMPLE_BILINEAR);
    physad__free(small);
    return PHYSAD_OK;
}

physad_status physad__twist_compare(const physad__posed_model *m, const physad__twist_pair *first,
                                    const physad__twist_pair *second, float *map)
{
    const int64_t plane = m->height * m->width;
    const physad__twist_pair *const pairs[2] = { first, second };
    physad__posed_stack l[4] = { 0 };
    float *one = physad__alloc_array(&m->ctx->mem, 2 * plane, sizeof(float), "score map");
    physad_status status = one != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    for (int k = 0; status == PHYSAD_OK && k < 4; k++)
        if (pairs[k / 2] != NULL)
            status = physad__posed_stack_make(&l[k], m, k % 2 == 0 ? pairs[k / 2]->photo : pairs[k / 2]->picture);
    for (int64_t layer = 0; status == PHYSAD_OK && layer < l[0].count; layer++) {
        status = squares(one, m, &l[0], &l[1], layer);
        if (status == PHYSAD_OK && second != NULL)
            status = squares(one + plane, m, &l[2], &l[3], layer);
        for (int64_t i = 0; status == PHYSAD_OK && i < plane; i++)
            map[i] += second != NULL ? one[i] * one[plane + i] : one[i];
    }
    for (int k = 0; k < 4; k++)
        physad__posed_stack_free(&l[k]);
    physad__free(one);
    return status;
}
