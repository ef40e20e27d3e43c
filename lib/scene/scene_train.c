/* SPDX-License-Identifier: Apache-2.0 */
/* The fit: a photo each step, its picture, the loss, gradients, Adam; the published schedules (Kerbl et al. 2023), the place's rate
 * falling over as many steps as there are. */
#include "scene/scene.h"

#include <math.h>

#define LAMBDA 0.2
#define DEGREE_EVERY 1000 /* steps, or a thirtieth of a shorter fit: the published share */
#define FADE_EVERY 3000

typedef struct trainer {
    physad_context *ctx;
    const physad__scene_views *views;
    const physad_scene_options *o;
    physad__scene_model *model;
    physad__splat *splat;
    float *picture, *grad; /* of the largest photo */
    int64_t *order;        /* of the photos that are trained on */
    int64_t n_train, at;
    physad__rng rng;
} trainer;

/* The harmonics' degree in use at a step. */
static int32_t degree_at(const trainer *t, int64_t step)
{
    const int64_t every = physad__max(1, physad__min(DEGREE_EVERY, t->o->steps / 30));
    return (int32_t)physad__min(t->model->degree, (step - 1) / every);
}

static int64_t largest_plane(const physad__scene_views *v)
{
    int64_t most = 0;
    for (int64_t i = 0; i < v->count; i++)
        most = physad__max(most, v->views[i].camera.width * v->views[i].camera.height);
    return most;
}

static physad_status open_trainer(trainer *t)
{
    physad__mem *mem = &t->ctx->mem;
    const int64_t plane = largest_plane(t->views);
    physad__rng_seed(&t->rng, t->ctx->seed, 0x5ce7e);
    t->picture = physad__alloc_array(mem, 3 * plane, sizeof(float), "picture");
    t->grad = physad__alloc_array(mem, 3 * plane, sizeof(float), "picture");
    t->order = physad__alloc_array(mem, t->views->count, sizeof(int64_t), "order of photos");
    if (t->picture == NULL || t->grad == NULL || t->order == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < t->views->count; i++)
        if (!t->views->views[i].held_out)
            t->order[t->n_train++] = i;
    t->at = t->n_train;
    return physad__splat_new(&t->splat, t->ctx);
}

static void close_trainer(trainer *t)
{
    physad__splat_free(t->splat);
    physad__free(t->picture);
    physad__free(t->grad);
    physad__free(t->order);
}

static const physad__scene_view *next_view(trainer *t)
{
    if (t->at == t->n_train) {
        physad__rng_shuffle(&t->rng, t->order, t->n_train);
        t->at = 0;
    }
    return &t->views->views[t->order[t->at++]];
}

/* Renders a view and compares it; `grad` NULL: no gradient. Where the photo does not reach, the picture counts as right. */
static physad_status show(trainer *t, physad__splat_loss_result *result, float *grad, const physad__scene_view *view, int32_t degree)
{
    const physad__scene_model *m = t->model;
    const int64_t width = view->camera.width, height = view->camera.height, plane = width * height;
    physad__splat_input in = { .planes = physad__splat_planes_at(m->value, m->stride), .count = m->count, .degree = degree,
                               .camera = physad__scene_camera(&view->camera) };
    const physad__splat_images images = { .colour = t->picture };
    memcpy(in.background, t->o->background, sizeof(in.background));
    PHYSAD__TRY(physad__splat_forward(t->splat, &in, &images));
    for (int64_t i = 0; view->missing != NULL && i < 3 * plane; i++)
        if (view->missing[i % plane])
            t->picture[i] = view->pixels[i];
    PHYSAD__TRY(physad__splat_compare(t->splat, result, grad, t->picture, view->pixels, width, height, LAMBDA));
    for (int64_t i = 0; grad != NULL && view->missing != NULL && i < 3 * plane; i++)
        if (view->missing[i % plane])
            grad[i] = 0;
    return PHYSAD_OK;
}

static void optimise(trainer *t, int64_t step, int32_t degree)
{
    physad__scene_model *m = t->model;
    const double way = (double)(step - 1) / (double)physad__max(1, t->o->steps - 1);
    const double place = t->views->extent * exp(log(1.6e-4) * (1 - way) + log(1.6e-6) * way);
    const struct {
        int first, planes;
        double rate;
    } groups[] = { { 0, 3, place }, { 3, 3, 5e-3 }, { 6, 4, 1e-3 }, { 10, 1, 0.05 }, { 11, 3, 2.5e-3 },
                   { 14, 3 * (physad__splat_coefficients(degree) - 1), 2.5e-3 / 20 } };
    for (int64_t g = 0; g < PHYSAD__COUNT(groups); g++) {
        const int64_t at = groups[g].first * m->stride, n = groups[g].planes * m->stride;
        physad__splat_adam_step(t->splat, m->value + at, m->mean + at, m->square + at, m->grad + at, n, groups[g].rate, step);
    }
}

static void sum_up(trainer *t)
{
    physad__scene_model *m = t->model;
    const physad__splat_record *records = physad__splat_records(t->splat);
    for (int64_t i = 0; i < m->count; i++) {
        if (records[i].tiles_x == 0)
            continue;
        m->pull[i] += m->screen[i];
        m->shown[i] += 1;
        m->radius[i] = fmaxf(m->radius[i], records[i].radius);
    }
}

static physad_status change_density(trainer *t, int64_t step)
{
    const physad_scene_options *o = t->o;
    if (o->densify_from < 0 || step > o->densify_until)
        return PHYSAD_OK;
    if (step > o->densify_from && step % o->densify_every == 0) {
        const physad__density d = { .gradient = o->densify_gradient, .extent = (float)t->views->extent, .prune_large = step > FADE_EVERY,
                                    .budget = o->max_gaussians, .seed = t->ctx->seed, .step = (uint64_t)step };
        PHYSAD__TRY(physad__scene_densify(t->model, &d));
        if (t->model->count == 0)
            return physad__error(PHYSAD_ERR_NUMERIC, "all Gaussians have faded by step %lld: the poses do not fit the photos", (long long)step);
    }
    if (step % FADE_EVERY == 0 && step < o->densify_until)
        physad__scene_fade(t->model);
    return PHYSAD_OK;
}

static physad_status train_step(trainer *t, int64_t step)
{
    physad__scene_model *m = t->model;
    const int32_t degree = degree_at(t, step);
    physad__splat_loss_result result;
    physad__splat_back back = { .planes = physad__splat_planes_at(m->grad, m->stride), .screen = m->screen };
    const physad__splat_images grads = { .colour = t->grad };
    PHYSAD__TRY(show(t, &result, t->grad, next_view(t), degree));
    PHYSAD__TRY(physad__splat_backward(t->splat, &grads, &back));
    sum_up(t);
    optimise(t, step, degree);
    return change_density(t, step);
}

/* The photos that were left out. */
static physad_status measure(trainer *t, physad_scene_quality *q, int32_t degree)
{
    q->psnr = q->ssim = q->l1 = q->loss = 0;
    q->held_out = 0;
    for (int64_t i = 0; i < t->views->count; i++) {
        const physad__scene_view *view = &t->views->views[i];
        const int64_t n = 3 * view->camera.width * view->camera.height;
        physad__splat_loss_result result;
        double square = 0;
        if (!view->held_out)
            continue;
        PHYSAD__TRY(show(t, &result, NULL, view, degree));
        for (int64_t k = 0; k < n; k++) {
            const double d = (double)(fminf(fmaxf(t->picture[k], 0), 1) - view->pixels[k]);
            square += d * d;
        }
        q->psnr += -10 * log10(fmax(square / (double)n, 1e-12));
        q->ssim += result.ssim;
        q->l1 += result.l1;
        q->loss += result.loss;
        q->held_out++;
    }
    const double by = q->held_out > 0 ? 1 / (double)q->held_out : 0;
    q->psnr *= by;
    q->ssim *= by;
    q->l1 *= by;
    q->loss *= by;
    q->gaussians = t->model->count;
    return PHYSAD_OK;
}

static physad_status run(trainer *t, physad_scene_quality *q, physad__call *call)
{
    const physad_scene_options *o = t->o;
    double start = physad__seconds();
    physad__call_stage(call, "scene", o->steps);
    for (int64_t step = 1; step <= o->steps; step++) {
        PHYSAD__TRY(train_step(t, step));
        q->steps = step;
        q->seconds += physad__seconds() - start;
        if (o->measure_every > 0 && step % o->measure_every == 0) {
            PHYSAD__TRY(measure(t, q, degree_at(t, step)));
            physad__log(t->ctx, PHYSAD_LOG_INFO, "step %lld, %.2f s, %lld Gaussians, %lld pairs: held-out PSNR %.3f, SSIM %.4f, loss %.5f",
                        (long long)step, q->seconds, (long long)t->model->count, (long long)physad__splat_pairs(t->splat), q->psnr, q->ssim,
                        q->loss);
        }
        start = physad__seconds();
        PHYSAD__TRY(physad__call_tick(call, step));
    }
    return measure(t, q, degree_at(t, o->steps));
}

physad_status physad__scene_train(physad__scene_model *model, physad_scene_quality *quality, physad_context *ctx,
                                  const physad__scene_views *views, const physad_scene_options *options, physad__call *call)
{
    trainer t = { .ctx = ctx, .views = views, .o = options, .model = model };
    *quality = (physad_scene_quality){ 0 };
    physad_status status = open_trainer(&t);
    quality->photos = t.n_train;
    if (status == PHYSAD_OK && t.n_train == 0)
        status = physad__error(PHYSAD_ERR_ARG, "hold_out leaves no photo to fit to");
    if (status == PHYSAD_OK)
        status = run(&t, quality, call);
    close_trainer(&t);
    return status;
}
