/* SPDX-License-Identifier: Apache-2.0 */
/* The fit: a photo each step, its picture, the loss, gradients, Adam; the published schedules (Kerbl et al. 2023), the
 * place's rate falling over as many steps as there are, faster where these are few. */
#include "scene/scene_train.h"

#include <math.h>
#include <stdio.h>

#define LAMBDA 0.2
#define DEGREE_EVERY 1000 /* steps, or a seventh of a shorter fit */
#define FADE_EVERY 3000
#define PUBLISHED_STEPS 30000.0
#define MOST_PACE 4.0 /* times the published rates */

typedef physad__trainer trainer;

/* The harmonics' degree in use at a step. */
static int32_t degree_at(const trainer *t, int64_t step)
{
    const int64_t every = physad__max(1, physad__min(DEGREE_EVERY, t->o->steps / 7));
    return (int32_t)physad__min(t->model->degree, (step - 1) / every);
}

static int64_t largest_plane(const physad__scene_views *v)
{
    int64_t most = 0;
    for (int64_t i = 0; i < v->count; i++)
        most = physad__max(most, v->views[i].camera.width * v->views[i].camera.height);
    return most;
}

/* Photos halved `level` + 1 times; held-out ones are measured as they are. */
static physad_status halve_all(trainer *t, int level)
{
    const int64_t n = t->views->count;
    t->half[level] = physad__alloc_zero(&t->ctx->mem, (size_t)n * sizeof(*t->half[level]), "halved photos");
    if (t->half[level] == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++)
        if (!t->views->views[i].held_out)
            PHYSAD__TRY(physad__scene_view_halve(&t->half[level][i], &t->ctx->mem,
                                                 level == 0 ? &t->views->views[i] : &t->half[level - 1][i]));
    return PHYSAD_OK;
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
    for (int level = 0; level < t->o->coarse; level++)
        PHYSAD__TRY(halve_all(t, level));
    if (t->o->exposure) {
        PHYSAD__TRY(physad__exposures_open(&t->exposures, mem, t->views->count));
        t->shown = physad__alloc_array(mem, 3 * plane, sizeof(float), "picture");
        if (t->shown == NULL)
            return PHYSAD_ERR_NOMEM;
    }
    t->shift.pixels = physad__alloc_array(mem, 3 * plane, sizeof(float), "picture");
    t->shift.missing = physad__alloc_array(mem, plane, 1, "picture");
    if (t->shift.pixels == NULL || t->shift.missing == NULL)
        return PHYSAD_ERR_NOMEM;
    return physad__splat_new(&t->splat, t->ctx);
}

static void close_trainer(trainer *t)
{
    physad__splat_free(t->splat);
    physad__free(t->picture);
    physad__free(t->grad);
    physad__free(t->shown);
    physad__free(t->order);
    physad__scene_view_clear(&t->shift);
    physad__exposures_close(&t->exposures);
    for (int level = 0; level < PHYSAD__COARSE_MOST && t->half[level] != NULL; level++) {
        for (int64_t i = 0; i < t->views->count; i++)
            physad__scene_view_clear(&t->half[level][i]);
        physad__free(t->half[level]);
    }
}

/* Halvings at a step: each lasts a tenth of the fit. */
static int level_at(const trainer *t, int64_t step)
{
    const int64_t each = physad__max(1, t->o->steps / 10);
    return (int)physad__max(0, t->o->coarse - (step - 1) / each);
}

/* At full size, rasters take turns by chance: few photos are soon known by heart, and pixels between their pixels are
 * as good as more photos. */
static const physad__scene_view *shifted(trainer *t, const physad__scene_view *view)
{
    const int64_t k = view->shifted != NULL ? physad__rng_below(&t->rng, PHYSAD__SHIFTS + 1) - 1 : -1;
    if (k < 0)
        return view;
    t->shift.camera = view->camera;
    t->shift.camera.cx -= PHYSAD__SHIFT_X(k);
    t->shift.camera.cy -= PHYSAD__SHIFT_Y(k);
    physad__scene_view_shift(t->shift.pixels, t->shift.missing, view, k);
    return &t->shift;
}

/* Its number, and the photo as large as it is looked at now. */
static const physad__scene_view *next_view(trainer *t, int64_t *index, int level)
{
    if (t->at == t->n_train) {
        physad__rng_shuffle(&t->rng, t->order, t->n_train);
        t->at = 0;
    }
    *index = t->order[t->at++];
    return level > 0 ? &t->half[level - 1][*index] : shifted(t, &t->views->views[*index]);
}

static double falling(const trainer *t, int64_t step, double first, double last)
{
    const double way = (double)(step - 1) / (double)physad__max(1, t->o->steps - 1);
    return exp(log(first) * (1 - way) + log(last) * way);
}

/* Published rates are for 30000 steps. A shorter fit has fewer steps to go the same way, which Adam's are in any
 * direction: rates by the root of the share, four times at most (scales by three quarters of that: they run away
 * first). Its second half they fall to a tenth, for there is no long end in which to settle. */
static double pace_of(const trainer *t, int64_t step)
{
    const double steps = (double)t->o->steps, way = (double)(step - 1) / fmax(1, steps - 1);
    const double settle = steps < PUBLISHED_STEPS ? pow(0.1, fmax(0, 2 * way - 1)) : 1;
    return settle * fmin(MOST_PACE, sqrt(fmax(1, PUBLISHED_STEPS / steps)));
}

/* Where the photo does not reach: `from`, or zeros. */
static void fill_missing(float *picture, const float *from, const uint8_t *missing, int64_t plane)
{
    for (int64_t ch = 0; ch < 3; ch++, picture += plane)
        for (int64_t i = 0; i < plane; i++)
            if (missing[i])
                picture[i] = from != NULL ? from[ch * plane + i] : 0;
}

/* Renders a view and compares it; `grad` NULL: no gradient. Where the photo does not reach, the picture counts as
 * right. `exposure`: the photo whose colours it has; -1: the scene's own. `*picture` is what was compared. */
static physad_status show(trainer *t, physad__splat_loss_result *result, float *grad, float **picture,
                          const physad__scene_view *view, int64_t exposure, int32_t degree)
{
    const physad__scene_model *m = t->model;
    const int64_t width = view->camera.width, height = view->camera.height, plane = width * height;
    physad__splat_input in = { .planes = physad__splat_planes_at(m->value, m->stride),
                               .count = m->count,
                               .degree = degree,
                               .camera = physad__scene_camera(&view->camera, physad__scene_nearest(t->views->extent)) };
    const physad__splat_images images = { .colour = t->picture };
    memcpy(in.background, t->o->background, sizeof(in.background));
    PHYSAD__TRY(physad__splat_forward(t->splat, &in, &images));
    float *const shown = exposure >= 0 ? t->shown : t->picture;
    if (exposure >= 0)
        physad__exposure_apply(shown, &t->exposures, exposure, t->picture, plane);
    if (view->missing != NULL)
        fill_missing(shown, view->pixels, view->missing, plane);
    *picture = shown;
    PHYSAD__TRY(physad__splat_compare(t->splat, result, grad, shown, view->pixels, width, height, LAMBDA));
    if (grad != NULL && view->missing != NULL)
        fill_missing(grad, NULL, view->missing, plane);
    return PHYSAD_OK;
}

/* Planes that share a rate. */
typedef struct group {
    int first, planes;
    physad__splat_adam adam;
} group;

enum { GROUPS = 6 };

/* What a step does to the Gaussians once their gradients are known. */
typedef struct update {
    const trainer *t;
    group groups[GROUPS];
    float size; /* pixels of a halved photo are counted as those of the photo */
} update;

static update update_for(const trainer *t, int64_t step, int32_t degree, int level, double place)
{
    const double pace = pace_of(t, step), most = pace_of(t, 1);
    const struct {
        int first, planes;
        double rate;
    } rates[GROUPS] = {
        { 0, 3, place },          { 3, 3, 5e-3 * fmax(pace / most, 0.75 * pace) },
        { 6, 4, 1e-3 * pace },    { 10, 1, 0.05 * pace / most },
        { 11, 3, 2.5e-3 * pace }, { 14, 3 * (physad__splat_coefficients(degree) - 1), 2.5e-3 / 20 * pace }
    };
    update u = { .t = t, .size = (float)(1 << level) };
    for (int g = 0; g < GROUPS; g++)
        u.groups[g] = (group){ rates[g].first, rates[g].planes, physad__splat_adam_at(rates[g].rate, step) };
    return u;
}

/* Memory that will be wanted soon. */
static void fetch(const float *from, int64_t n)
{
    for (int64_t i = 0; i < n; i += 16)
        __builtin_prefetch(from + i, 1);
}

/* Neighbours none of which the photo shows: nothing is known against where they are, and their numbers need not be
 * fetched. Those that are samples wander all the same. */
static bool rests(const trainer *t, const physad__splat_record *records, int64_t begin, int64_t end)
{
    bool shown = t->o->densify == PHYSAD_SCENE_DENSIFY_MCMC;
    for (int64_t i = begin; i < physad__min(end, t->model->count) && !shown; i++)
        shown = records[i].tiles_x > 0;
    return !shown;
}

/* Some Gaussians, from any thread: what densification will ask for is summed up, then Adam. */
static void update_some(void *user, int64_t begin, int64_t end, float *grads, const float *screen)
{
    const update *u = user;
    const trainer *t = u->t;
    physad__scene_model *m = t->model;
    const physad__splat_record *records = physad__splat_records(t->splat);
    if (rests(t, records, begin, end))
        return;
    for (int64_t i = begin; i < physad__min(end, m->count); i++) {
        if (records[i].tiles_x == 0)
            continue;
        m->pull[i] += screen[i - begin];
        m->shown[i] += 1;
        m->radius[i] = fmaxf(m->radius[i], u->size * records[i].radius);
    }
    if (t->o->densify == PHYSAD_SCENE_DENSIFY_MCMC)
        physad__mcmc_weigh(grads, m, begin, physad__min(end, m->count));
    for (int g = 0; g < GROUPS; g++)
        for (int k = u->groups[g].first; k < u->groups[g].first + u->groups[g].planes; k++) {
            const int64_t at = k * m->stride + begin;
            if (k + 1 < m->planes) {
                fetch(m->mean + at + m->stride, end - begin);
                fetch(m->square + at + m->stride, end - begin);
            }
            physad__splat_adam_step(t->splat, &u->groups[g].adam, m->value + at, m->mean + at, m->square + at,
                                    grads + k * PHYSAD__SPLAT_PIECE, end - begin);
        }
}

static physad_status change_density(trainer *t, int64_t step)
{
    const physad_scene_options *o = t->o;
    if (o->densify_from < 0 || step > o->densify_until)
        return PHYSAD_OK;
    if (step > o->densify_from && step % o->densify_every == 0) {
        const physad__density d = { .gradient = o->densify_gradient,
                                    .extent = (float)t->views->extent,
                                    .prune_large = step > FADE_EVERY,
                                    .budget = o->max_gaussians,
                                    .seed = t->ctx->seed,
                                    .step = (uint64_t)step };
        if (o->densify == PHYSAD_SCENE_DENSIFY_MCMC)
            PHYSAD__TRY(physad__mcmc_relocate(t->model, &d));
        else
            PHYSAD__TRY(physad__scene_densify(t->model, &d));
        if (t->model->count == 0)
            return physad__error(PHYSAD_ERR_NUMERIC,
                                 "all Gaussians have faded by step %lld: the poses do not fit the photos",
                                 (long long)step);
        PHYSAD__TRY(physad__scene_model_sort(t->model));
    }
    if (o->densify == PHYSAD_SCENE_DENSIFY_SPLIT && step % FADE_EVERY == 0 && step < o->densify_until)
        physad__scene_fade(t->model);
    return PHYSAD_OK;
}

static physad_status train_step(trainer *t, int64_t step)
{
    physad__scene_model *m = t->model;
    const int32_t degree = degree_at(t, step);
    const int level = level_at(t, step);
    int64_t index;
    float *shown;
    physad__splat_loss_result result;
    const double place = pace_of(t, 1) * t->views->extent * falling(t, step, 1.6e-4, 1.6e-6);
    const bool samples = t->o->densify == PHYSAD_SCENE_DENSIFY_MCMC;
    update u = update_for(t, step, degree, level, place);
    physad__splat_back back = { .take = update_some, .user = &u };
    const physad__splat_images grads = { .colour = t->grad };
    const physad__scene_view *view = next_view(t, &index, level);
    const bool exposed = t->exposures.count > 0;
    PHYSAD__TRY(show(t, &result, t->grad, &shown, view, exposed ? index : -1, degree));
    if (exposed)
        physad__exposure_step(&t->exposures, index, t->grad, t->picture, view, t->views);
    PHYSAD__TRY(physad__splat_backward(t->splat, &grads, &back));
    if (samples)
        physad__mcmc_wander(m, place, t->ctx->seed, (uint64_t)step);
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
        float *shown;
        if (!view->held_out)
            continue;
        PHYSAD__TRY(show(t, &result, NULL, &shown, view, -1, degree));
        for (int64_t k = 0; k < n; k++) {
            const double d = (double)(fminf(fmaxf(shown[k], 0), 1) - view->pixels[k]);
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

/* On the way: told in the log and kept. */
static physad_status report(trainer *t, physad_scene_quality *q)
{
    const int64_t step = t->step;
    PHYSAD__TRY(measure(t, q, degree_at(t, step)));
    PHYSAD__TRY(physad__grow(&t->ctx->mem, &t->history, &t->history_size, t->n_history + 1, sizeof(*t->history),
                             "measures of a fit"));
    t->history[t->n_history++] = *q;
    physad__log(t->ctx, PHYSAD_LOG_INFO,
                "step %lld, %.2f s, %lld Gaussians, %lld pairs: held-out PSNR %.3f, SSIM %.4f, loss %.5f",
                (long long)step, t->seconds, (long long)t->model->count, (long long)physad__splat_pairs(t->splat),
                q->psnr, q->ssim, q->loss);
    return PHYSAD_OK;
}

/* `fit`: of checkpoints; empty: none are written. */
static physad_status run(trainer *t, physad_scene_quality *q, const char *fit, physad__call *call)
{
    const physad_scene_options *o = t->o;
    double start = physad__seconds();
    physad_status status = PHYSAD_OK;
    physad__call_stage(call, "scene", o->steps);
    while (status == PHYSAD_OK && t->step < o->steps) {
        PHYSAD__TRY(train_step(t, t->step + 1));
        q->steps = ++t->step;
        q->seconds = t->seconds += physad__seconds() - start;
        if (o->measure_every > 0 && t->step % o->measure_every == 0)
            PHYSAD__TRY(report(t, q));
        status = physad__call_tick(call, t->step);
        const bool due = t->step % o->checkpoint_every == 0 && t->step < o->steps;
        if (fit[0] != 0 && (due || status == PHYSAD_ERR_CANCELLED)) {
            const physad_status written = physad__fit_write(t, o->checkpoint, fit);
            if (status == PHYSAD_OK)
                status = written;
            else if (written == PHYSAD_OK)
                physad__error(status, "cancelled at step %lld of %d; %s holds what was reached", (long long)t->step,
                              o->steps, o->checkpoint);
        }
        start = physad__seconds();
    }
    return status == PHYSAD_OK ? measure(t, q, degree_at(t, o->steps)) : status;
}

/* Takes up what lies there, where that is wanted. */
static physad_status resume(trainer *t, char fit[65])
{
    const physad_scene_options *o = t->o;
    fit[0] = 0;
    if (o->checkpoint == NULL)
        return PHYSAD_OK;
    PHYSAD__TRY(physad__fit_digest(fit, t));
    if (!o->resume || !physad__path_exists(o->checkpoint))
        return PHYSAD_OK;
    PHYSAD__TRY(physad__fit_read(t, o->checkpoint, fit));
    physad__log(t->ctx, PHYSAD_LOG_INFO, "%s: the fit goes on behind step %lld", o->checkpoint, (long long)t->step);
    return PHYSAD_OK;
}

physad_status physad__scene_train(physad__scene_fitted *out, physad__scene_model *model, physad_context *ctx,
                                  const physad__scene_views *views, const physad_scene_options *options,
                                  physad__call *call)
{
    trainer t = { .ctx = ctx, .views = views, .o = options, .model = model };
    char fit[65];
    *out = (physad__scene_fitted){ 0 };
    physad_status status = open_trainer(&t);
    out->quality.photos = t.n_train;
    if (status == PHYSAD_OK && t.n_train == 0)
        status = physad__error(PHYSAD_ERR_ARG, "hold_out leaves no photo to fit to");
    if (status == PHYSAD_OK)
        status = resume(&t, fit);
    out->quality.seconds = t.seconds;
    out->quality.steps = t.step;
    if (status == PHYSAD_OK)
        status = run(&t, &out->quality, fit, call);
    if (status == PHYSAD_OK && options->checkpoint != NULL)
        remove(options->checkpoint); /* it has served; where there is none, that is as well */
    out->history = t.history;
    out->n_history = t.n_history;
    close_trainer(&t);
    return status;
}
