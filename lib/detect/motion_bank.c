/* SPDX-License-Identifier: Apache-2.0 */
/* motion-bank: how a thing in use moves, compared with how it usually does.
 *
 * Two kinds of recording are told apart by the training videos. Episodes, all about as long, show one use of the thing from its
 * beginning to its end: they are compared as wholes, at equal times, in twelve views (motion_views.c) by their nearest normal
 * takes, and measured by rules that have names (motion_rules.c). Streams go on: clips of them are measured. In both each frame's
 * moving patches are compared with an exact bank of normal ones (motion_patch.c). Every distance becomes a deviation in units of
 * what is usual among normal videos that were left out of what they are compared with; a take's score joins these. */
#include "detect/motion.h"

#include <math.h>
#include <stdlib.h>

enum { FOLDS = 4, LEAST_EPISODES = 8, LEAST_QUOTA = 64 };
static const double ALIKE = 1.25; /* the longest episode to the shortest */

static const physad__option rows[] = {
    { "height", PHYSAD_OPTION_INT, "240", 32, 1080, NULL, "larger frames are looked at with so many rows", NULL },
    { "mode", PHYSAD_OPTION_CHOICE, "auto", 0, 0, "auto|episodes|stream",
      "videos are uses from beginning to end, or parts of something that goes on; auto: episodes where eight or more are alike in "
      "length",
      NULL },
    { "bank_rows", PHYSAD_OPTION_INT, "20000", 64, 1000000, NULL, "normal patches kept, drawn evenly from the training videos",
      NULL },
    { "appearance", PHYSAD_OPTION_REAL, "0.25", 0, 4, NULL, "weight of edges and contrast beside motion in a patch", NULL },
    { "rules", PHYSAD_OPTION_TEXT, "", 0, 0, NULL,
      "file of rules whose ranges replace the learned ones, as physad_detector_rules() gives them; empty: none", NULL },
};

/* --- frames --------------------------------------------------------------------------------------------------------
 */

static physad_status open_video(const physad_detector *det, const physad_sample *s, physad_video **out)
{
    physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
    o.channels = 1;
    if (s->kind != PHYSAD_KIND_VIDEO && s->kind != PHYSAD_KIND_FRAMES)
        return physad__error(PHYSAD_ERR_ARG, "%s: no video; %s is for videos and folders of frames", s->path, det->method->name);
    return physad_video_open(out, det->ctx, s->file, &o);
}

/* All frames of a video into a run; `taken`, where given, is called after each with what has become ready. */
typedef struct drain {
    physad_status (*taken)(void *user, physad__motion_run *run);
    void *user;
} drain;

static physad_status feed(physad__motion_run *run, physad_video *video, const drain *d, physad__call *call)
{
    physad_frame f = PHYSAD_FRAME_INIT;
    for (;;) {
        PHYSAD__TRY(physad_video_read(video, &f));
        if (f.pixels.data == NULL)
            return PHYSAD_OK;
        PHYSAD__TRY(physad__cancelled(run->model->ctx));
        PHYSAD__TRY(physad__motion_run_push(run, &f.pixels, call));
        if (d != NULL)
            PHYSAD__TRY(d->taken(d->user, run));
    }
}

static double rate_of(const physad_video *video)
{
    physad_video_info info = PHYSAD_VIDEO_INFO_INIT;
    return physad_video_describe(video, &info) == PHYSAD_OK && info.frame_rate > 0 ? info.frame_rate : 25;
}

/* --- fitting -------------------------------------------------------------------------------------------------------
 */

/* What a fit gathers. Videos that take part are numbered 0 .. count - 1. */
typedef struct fit {
    physad_detector *det;
    const physad_dataset *normals;
    physad__call *call;
    physad__mem *mem;
    physad__motion_model *m;
    int64_t count, done;
    int64_t *sample, *fold, *instance;
    int64_t folds;
    int64_t quota;
    float *patches;  /* quota rows for each video */
    int32_t *frame;  /* where they come from */
    int64_t *kept;   /* rows of each */
    double *length, *energy, *flow;
    double *values;  /* of the rules: of each video, or of each clip */
    double *pools;
    int64_t *take;   /* the video of each of these */
    int64_t takes, value_capacity, pool_capacity, take_capacity;
    double *frames;  /* patch scores of all frames where something moves */
    int64_t frame_count, frame_capacity;
} fit;

static void fit_free(fit *f)
{
    void *const blocks[] = { f->sample, f->fold, f->instance, f->patches, f->frame, f->kept, f->length,
                             f->energy, f->flow, f->values,   f->pools,   f->take,  f->frames };
    for (int64_t i = 0; i < PHYSAD__COUNT(blocks); i++)
        physad__free(blocks[i]);
}

static const physad_sample *sample_of(const fit *f, int64_t video)
{
    return physad_dataset_sample(f->normals, f->sample[video]);
}

/* The first video that shows the same thing; those of which nothing is known show one. */
static void find_instances(fit *f)
{
    for (int64_t i = 0; i < f->count; i++) {
        const char *name = sample_of(f, i)->instance;
        f->instance[i] = i;
        for (int64_t k = 0; k < i && f->instance[i] == i; k++) {
            const char *other = sample_of(f, k)->instance;
            if (name == other || (name != NULL && other != NULL && strcmp(name, other) == 0))
                f->instance[i] = f->instance[k];
        }
    }
}

static physad_status find_folds(fit *f)
{
    const int64_t n = physad_dataset_count(f->normals);
    int64_t groups, *group = physad__alloc_array(f->mem, n, sizeof(*group), "folds"), used = 0;
    if (group == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_status status = physad__dataset_groups(f->normals, group, &groups);
    for (int64_t i = 0; status == PHYSAD_OK && i < f->count; i++) { /* groups numbered anew: some are kept aside */
        int64_t same = -1;
        for (int64_t k = 0; k < i && same < 0; k++)
            same = group[f->sample[k]] == group[f->sample[i]] ? k : -1;
        f->fold[i] = same >= 0 ? f->fold[same] : used++ % FOLDS;
    }
    f->folds = physad__min(FOLDS, used);
    physad__free(group);
    return status;
}

static physad_status begin(fit *f, const uint8_t *aside)
{
    const int64_t n = physad_dataset_count(f->normals);
    for (int64_t i = 0; i < n; i++)
        f->count += aside[i] == 0;
    if (f->count == 0)
        return physad__error(PHYSAD_ERR_ARG, "%s: no normal video is left for the model", f->det->method->name);
    f->quota = physad__max(LEAST_QUOTA, physad__option_int(f->det, "bank_rows") / f->count);
    f->sample = physad__alloc_array(f->mem, f->count, sizeof(int64_t), "videos");
    f->fold = physad__alloc_array(f->mem, f->count, sizeof(int64_t), "videos");
    f->instance = physad__alloc_array(f->mem, f->count, sizeof(int64_t), "videos");
    f->kept = physad__alloc_zero(f->mem, (size_t)f->count * sizeof(int64_t), "videos");
    f->length = physad__alloc_array(f->mem, f->count, sizeof(double), "videos");
    f->energy = physad__alloc_array(f->mem, f->count, sizeof(double), "videos");
    f->flow = physad__alloc_array(f->mem, f->count, sizeof(double), "videos");
    f->patches = physad__alloc_array(f->mem, f->count * f->quota, PHYSAD__PATCH_DIM * sizeof(float), "patches");
    f->frame = physad__alloc_array(f->mem, f->count * f->quota, sizeof(int32_t), "patches");
    if (f->sample == NULL || f->fold == NULL || f->instance == NULL || f->kept == NULL || f->length == NULL ||
        f->energy == NULL || f->flow == NULL || f->patches == NULL || f->frame == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0, k = 0; i < n; i++)
        if (aside[i] == 0)
            f->sample[k++] = i;
    find_instances(f);
    return find_folds(f);
}

/* --- first pass: patches, lengths, amounts --- */

typedef struct draw {
    fit *f;
    int64_t video, seen;
    bool end;
    physad__rng rng;
} draw;

/* Keeps each moving patch of the video with equal chance (Vitter's algorithm R). */
static physad_status draw_patches(void *user, physad__motion_run *run)
{
    draw *d = user;
    fit *f = d->f;
    while (physad__patches_next(&run->patches, d->end)) {
        for (int64_t i = 0; i < run->patches.count; i++) {
            int64_t slot = d->seen++;
            if (slot >= f->quota)
                slot = physad__rng_below(&d->rng, d->seen);
            if (slot >= f->quota)
                continue;
            memcpy(f->patches + (d->video * f->quota + slot) * PHYSAD__PATCH_DIM, run->patches.rows_of + i * PHYSAD__PATCH_DIM,
                   PHYSAD__PATCH_DIM * sizeof(float));
            f->frame[d->video * f->quota + slot] = (int32_t)(run->patches.given - 1);
            f->kept[d->video] = physad__max(f->kept[d->video], slot + 1);
        }
    }
    return PHYSAD_OK;
}

static void sum_up(fit *f, int64_t video, const physad__course *c)
{
    f->length[video] = (double)c->frames;
    f->energy[video] = f->flow[video] = 0;
    for (int64_t i = 0; i < c->frames; i++) {
        f->energy[video] += (double)c->moments[i].energy / (double)c->frames;
        f->flow[video] += (double)c->moments[i].flow / (double)c->frames;
    }
}

/* The first video tells at which size all are looked at. */
static physad_status take_size(physad__motion_model *m, const physad_video *video)
{
    physad_video_info info = PHYSAD_VIDEO_INFO_INIT;
    PHYSAD__TRY(physad_video_describe(video, &info));
    m->rate = rate_of(video);
    return physad__motion_size(info.height, info.width, m->most_rows, &m->height, &m->width);
}

static physad_status survey_video(fit *f, int64_t video)
{
    physad__motion_run run;
    physad_video *v;
    draw d = { .f = f, .video = video };
    const drain into = { draw_patches, &d };
    physad__rng_seed(&d.rng, f->det->seed, (uint64_t)video ^ UINT64_C(0x6d6f74696f6e));
    PHYSAD__TRY(open_video(f->det, sample_of(f, video), &v));
    physad_status status = video == 0 ? take_size(f->m, v) : PHYSAD_OK;
    if (status == PHYSAD_OK)
        status = physad__motion_run_open(&run, f->m, rate_of(v));
    if (status == PHYSAD_OK) {
        status = feed(&run, v, &into, f->call);
        if (status == PHYSAD_OK)
            status = physad__motion_run_end(&run, f->call);
        d.end = true;
        if (status == PHYSAD_OK)
            status = draw_patches(&d, &run);
        if (status == PHYSAD_OK)
            sum_up(f, video, &run.course);
        physad__motion_run_close(&run);
    }
    physad_video_free(v);
    return status;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int64_t n)
{
    qsort(values, (size_t)n, sizeof(*values), ascending);
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static void take_scale(fit *f)
{
    physad__motion_model *m = f->m;
    m->scale = (physad__scale){ median(f->length, f->count), median(f->energy, f->count) + 1e-3, median(f->flow, f->count) + 1e-4 };
    m->episodes = physad__option_is(f->det, "mode", "episodes") ||
                  (physad__option_is(f->det, "mode", "auto") && f->count >= LEAST_EPISODES &&
                   f->length[f->count - 1] <= ALIKE * f->length[0]);
}

/* Patches are compared in units of their own spread. */
static physad_status take_spread(fit *f)
{
    double sum[PHYSAD__PATCH_DIM] = { 0 }, square[PHYSAD__PATCH_DIM] = { 0 }, n = 0;
    for (int64_t i = 0; i < f->count * f->quota; i++) {
        if (i % f->quota >= f->kept[i / f->quota])
            continue;
        for (int k = 0; k < PHYSAD__PATCH_DIM; k++) {
            const double x = (double)f->patches[i * PHYSAD__PATCH_DIM + k];
            sum[k] += x;
            square[k] += x * x;
        }
        n++;
    }
    if (n < 1)
        return physad__error(PHYSAD_ERR_NUMERIC, "%s: nothing moves in the normal videos", f->det->method->name);
    for (int k = 0; k < PHYSAD__PATCH_DIM; k++) {
        const double spread = sqrt(fmax(square[k] / n - sum[k] / n * (sum[k] / n), 0));
        const double weight = k < PHYSAD__PATCH_MOTION ? 1 : physad__option_real(f->det, "appearance");
        f->m->inverse[k] = spread > 1e-6 ? (float)(weight / spread) : 0;
    }
    for (int64_t i = 0; i < f->count * f->quota; i++)
        if (i % f->quota < f->kept[i / f->quota])
            for (int k = 0; k < PHYSAD__PATCH_DIM; k++)
                f->patches[i * PHYSAD__PATCH_DIM + k] *= f->m->inverse[k];
    return PHYSAD_OK;
}

/* A bank of the videos outside of a fold; fold -1: of all. */
static physad_status make_bank(const fit *f, int64_t fold, physad_bank **out)
{
    physad_status status = physad_bank_new(out, f->det->ctx, PHYSAD__PATCH_DIM, NULL);
    int64_t *sample = physad__alloc_array(f->mem, f->quota, sizeof(*sample), "patches");
    if (sample == NULL)
        status = PHYSAD_ERR_NOMEM;
    for (int64_t v = 0; status == PHYSAD_OK && v < f->count; v++) {
        const int64_t shape[2] = { f->kept[v], PHYSAD__PATCH_DIM };
        if (f->kept[v] == 0 || f->fold[v] == fold)
            continue;
        for (int64_t i = 0; i < shape[0]; i++)
            sample[i] = f->sample[v];
        const physad_view patches = physad_view_array(f->patches + v * f->quota * PHYSAD__PATCH_DIM, PHYSAD_F32, 2, shape),
                          samples = physad_view_array(sample, PHYSAD_I64, 1, shape),
                          frames = physad_view_array(f->frame + v * f->quota, PHYSAD_I32, 1, shape);
        status = physad_bank_add(*out, &patches, &samples, &frames);
    }
    physad__free(sample);
    if (status != PHYSAD_OK) {
        physad_bank_free(*out);
        *out = NULL;
    }
    return status;
}

/* --- second pass: views, rules, patch scores --- */

static physad_status note_take(fit *f, int64_t video, const physad__course *c, int64_t from, int64_t to, double rate)
{
    double *room = physad__alloc_array(f->mem, to - from, sizeof(*room), "scores");
    if (room == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_status status =
        physad__grow(f->mem, &f->values, &f->value_capacity, (f->takes + 1) * PHYSAD__RULES, sizeof(double), "takes");
    if (status == PHYSAD_OK)
        status = physad__grow(f->mem, &f->pools, &f->pool_capacity, (f->takes + 1) * PHYSAD__POOLS, sizeof(double), "takes");
    if (status == PHYSAD_OK)
        status = physad__grow(f->mem, &f->take, &f->take_capacity, f->takes + 1, sizeof(int64_t), "takes");
    if (status == PHYSAD_OK) {
        physad__rules_measure(c, from, to, &f->m->scale, rate, f->values + f->takes * PHYSAD__RULES);
        physad__motion_pools(c->patches + from, to - from, room, f->pools + f->takes * PHYSAD__POOLS);
        f->take[f->takes++] = video;
    }
    physad__free(room);
    return status;
}

static physad_status note_course(fit *f, int64_t video, const physad__course *c, double rate)
{
    PHYSAD__TRY(physad__grow(f->mem, &f->frames, &f->frame_capacity, f->frame_count + c->frames, sizeof(double), "scores"));
    for (int64_t i = 0; i < c->frames; i++)
        if (c->patches[i] > 0)
            f->frames[f->frame_count++] = c->patches[i];
    if (f->m->episodes) {
        for (int64_t v = 0; v < PHYSAD__VIEWS; v++)
            physad__view_kinds[v].fill(c, &f->m->scale, f->m->view[v].rows + video * physad__view_kinds[v].dim);
        return note_take(f, video, c, 0, c->frames, rate);
    }
    int64_t from = 0;
    for (; from + PHYSAD__CLIP <= c->frames; from += PHYSAD__CLIP_STEP)
        PHYSAD__TRY(note_take(f, video, c, from, from + PHYSAD__CLIP, rate));
    return from == 0 ? note_take(f, video, c, 0, c->frames, rate) : PHYSAD_OK;
}

/* One video against the bank of the other folds. */
static physad_status measure_video(fit *f, int64_t video, physad_bank *bank)
{
    physad__motion_run run;
    physad_video *v;
    physad__motion_model whole = *f->m; /* keeps all of the course, scores nothing but patches */
    whole.episodes = true;
    whole.scale.frames = 0;
    whole.count = 0;
    whole.bank = bank;
    whole.frame = (physad__usual){ 0, 1 };
    PHYSAD__TRY(open_video(f->det, sample_of(f, video), &v));
    physad_status status = physad__motion_run_open(&run, &whole, rate_of(v));
    if (status == PHYSAD_OK) {
        status = feed(&run, v, NULL, f->call);
        if (status == PHYSAD_OK)
            status = physad__motion_run_end(&run, f->call);
        if (status == PHYSAD_OK)
            status = note_course(f, video, &run.course, run.rate);
        physad__motion_run_close(&run);
    }
    physad_video_free(v);
    return status;
}

static physad_status measure_fold(fit *f, int64_t fold)
{
    physad_bank *bank;
    PHYSAD__TRY(make_bank(f, f->folds > 1 ? fold : -1, &bank));
    physad_status status = PHYSAD_OK;
    if (physad_bank_count(bank) == 0) /* nothing moves in the others: all of them then */
        status = physad_bank_merge(bank, f->m->bank);
    for (int64_t v = 0; v < f->count && status == PHYSAD_OK; v++) {
        if (f->fold[v] != fold)
            continue;
        status = measure_video(f, v, bank);
        if (status == PHYSAD_OK)
            status = physad__call_tick(f->call, ++f->done);
    }
    physad_bank_free(bank);
    return status;
}

/* --- what is usual --- */

/* Mean, and spread within instances (between them by half, as with the rules), of one number of a view. */
static void learn_number(const fit *f, const physad__view_model *v, int64_t dim, int64_t k, double *mean, double *square)
{
    double sum = 0, free = 0;
    *square = 0;
    for (int64_t i = 0; i < f->count; i++)
        sum += (double)v->rows[i * dim + k] / (double)f->count;
    for (int64_t lead = 0; lead < f->count; lead++) {
        double own = 0, n = 0;
        if (f->instance[lead] != lead)
            continue;
        for (int64_t i = lead; i < f->count; i++)
            if (f->instance[i] == lead) {
                own += (double)v->rows[i * dim + k];
                n++;
            }
        own /= n;
        for (int64_t i = lead; i < f->count; i++)
            if (f->instance[i] == lead)
                *square += pow((double)v->rows[i * dim + k] - own, 2) + pow(own - sum, 2) / 4;
        free += n - 1;
    }
    *mean = sum;
    *square /= fmax(1, free);
}

/* Numbers that hardly vary count no more than a third of what the view's others do on the mean. */
static physad_status learn_view(fit *f, int64_t view)
{
    physad__view_model *v = &f->m->view[view];
    const int64_t dim = physad__view_kinds[view].dim;
    double whole = 0, *square = physad__alloc_array(f->mem, physad__max(dim, f->count), sizeof(*square), "views");
    if (square == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t k = 0; k < dim; k++) {
        double mean;
        learn_number(f, v, dim, k, &mean, &square[k]);
        v->mean[k] = (float)mean;
        whole += square[k] / (double)dim;
    }
    for (int64_t k = 0; k < dim; k++)
        v->inverse[k] = (float)(1 / sqrt(square[k] + 0.09 * whole + 1e-12));
    f->m->count = f->count;
    for (int64_t i = 0; i < f->count; i++)
        square[i] = physad__view_distance(f->m, view, v->rows + i * dim, i);
    physad__usual_learn(&v->usual, square, f->count);
    physad__free(square);
    return PHYSAD_OK;
}

static physad_status learn_points(fit *f)
{
    enum { POINTS = PHYSAD__VIEW_POINTS };
    double *all = physad__alloc_zero(f->mem, (size_t)(f->count * POINTS) * sizeof(*all), "views");
    if (all == NULL)
        return PHYSAD_ERR_NOMEM;
    int views = 0;
    for (int64_t v = 0; v < PHYSAD__VIEWS; v++) {
        const physad__view_kind *kind = &physad__view_kinds[v];
        views += kind->curve != NULL;
        for (int64_t i = 0; kind->curve != NULL && i < f->count * POINTS; i++)
            all[i] += physad__motion_deviation(f->m, v, i % POINTS,
                                               f->m->view[v].rows + i / POINTS * kind->dim + i % POINTS * kind->channels);
    }
    for (int64_t i = 0; i < f->count * POINTS; i++)
        all[i] /= views;
    physad__usual_learn(&f->m->point, all, f->count * POINTS);
    physad__free(all);
    return PHYSAD_OK;
}

/* The rules, and how well takes keep to rules that were learned without them. */
static physad_status learn_rules(fit *f)
{
    physad__motion_model *m = f->m;
    int64_t worst, *instance = physad__alloc_array(f->mem, f->takes, sizeof(*instance), "rules");
    double *odd = physad__alloc_array(f->mem, f->takes, sizeof(*odd), "rules");
    if (instance == NULL || odd == NULL) {
        physad__free(instance);
        physad__free(odd);
        return PHYSAD_ERR_NOMEM;
    }
    for (int64_t i = 0; i < f->takes; i++) { /* the first take of the same thing */
        instance[i] = i;
        for (int64_t k = 0; k < i && instance[i] == i; k++)
            instance[i] = f->instance[f->take[k]] == f->instance[f->take[i]] ? instance[k] : i;
    }
    for (int64_t i = 0; i < f->takes; i++) {
        if (i == 0 || f->take[i] != f->take[i - 1])
            physad__rules_learn(m->rules, f->values, f->takes, instance, f->take, f->count > 1 ? f->take[i] : -1, !m->episodes);
        odd[i] = physad__rules_oddness(m->rules, f->values + i * PHYSAD__RULES, &worst);
    }
    physad__usual_learn(&m->rule, odd, f->takes);
    physad__rules_learn(m->rules, f->values, f->takes, instance, f->take, -1, !m->episodes);
    physad__free(instance);
    physad__free(odd);
    return PHYSAD_OK;
}

static physad_status learn_patches(fit *f)
{
    double *one = physad__alloc_array(f->mem, f->takes, sizeof(*one), "scores");
    if (one == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int p = 0; p < PHYSAD__POOLS; p++) {
        for (int64_t i = 0; i < f->takes; i++)
            one[i] = f->pools[i * PHYSAD__POOLS + p];
        physad__usual_learn(&f->m->pool[p], one, f->takes);
    }
    physad__free(one);
    if (f->frame_count == 0)
        return physad__error(PHYSAD_ERR_NUMERIC, "%s: nothing moves in the normal videos", f->det->method->name);
    physad__usual_learn(&f->m->frame, f->frames, f->frame_count);
    return PHYSAD_OK;
}

/* --- the model ----------------------------------------------------------------------------------------------------- */

static void free_model(void *model)
{
    physad__motion_model *m = model;
    physad_context *ctx = m->ctx;
    for (int v = 0; v < PHYSAD__VIEWS; v++) {
        physad__free(m->view[v].rows);
        physad__free(m->view[v].mean);
        physad__free(m->view[v].inverse);
    }
    physad_bank_free(m->bank);
    physad_tensors_free(m->file);
    physad__free(m);
    physad_context_free(ctx);
}

static physad_status new_model(physad__motion_model **out, const physad_detector *det)
{
    physad__motion_model *m = physad__alloc_zero(&det->ctx->mem, sizeof(*m), "model");
    if (m == NULL)
        return PHYSAD_ERR_NOMEM;
    m->ctx = physad__context_retain(det->ctx);
    m->most_rows = physad__option_int(det, "height");
    m->episodes = true; /* until it is known, takes are kept whole */
    *out = m;
    return PHYSAD_OK;
}

static physad_status make_views(physad__motion_model *m, int64_t count)
{
    physad__mem *mem = &m->ctx->mem;
    for (int v = 0; v < PHYSAD__VIEWS; v++) {
        const int64_t dim = physad__view_kinds[v].dim;
        m->view[v].rows = physad__alloc_array(mem, count * dim, sizeof(float), "views");
        m->view[v].mean = physad__alloc_array(mem, dim, sizeof(float), "views");
        m->view[v].inverse = physad__alloc_array(mem, dim, sizeof(float), "views");
        if (m->view[v].rows == NULL || m->view[v].mean == NULL || m->view[v].inverse == NULL)
            return PHYSAD_ERR_NOMEM;
    }
    return PHYSAD_OK;
}

static physad_status read_rules_file(const physad_detector *det, physad__motion_model *m)
{
    const char *path = physad__option_text(det, "rules");
    json_t *json;
    if (*path == '\0')
        return PHYSAD_OK;
    PHYSAD__TRY(physad__json_read(&json, &det->ctx->mem, path, UINT64_C(1) << 20));
    const physad_status status = physad__rules_from_json(m->rules, json);
    json_decref(json);
    return status == PHYSAD_OK ? status : physad__error_prefix(status, "%s", path);
}

static physad_status run_fit(fit *f)
{
    physad__motion_model *m = f->m;
    physad__call_stage(f->call, "videos", 2 * f->count);
    for (int64_t v = 0; v < f->count; v++) {
        const physad_status status = survey_video(f, v);
        if (status != PHYSAD_OK)
            return physad__error_prefix(status, "%s", sample_of(f, v)->path);
        PHYSAD__TRY(physad__call_tick(f->call, ++f->done));
    }
    take_scale(f);
    PHYSAD__TRY(take_spread(f));
    PHYSAD__TRY(make_bank(f, -1, &m->bank));
    if (m->episodes)
        PHYSAD__TRY(make_views(m, f->count));
    for (int64_t fold = 0; fold < f->folds; fold++)
        PHYSAD__TRY(measure_fold(f, fold));
    for (int64_t v = 0; m->episodes && v < PHYSAD__VIEWS; v++)
        PHYSAD__TRY(learn_view(f, v));
    if (m->episodes)
        PHYSAD__TRY(learn_points(f));
    PHYSAD__TRY(learn_rules(f));
    PHYSAD__TRY(read_rules_file(f->det, m));
    return learn_patches(f);
}

/* --- the method ----------------------------------------------------------------------------------------------------
 */

static physad_status score_by(const physad__motion_model *m, physad_video *v, physad_result *r, physad__call *call)
{
    physad__motion_run run;
    PHYSAD__TRY(physad__motion_run_open(&run, m, rate_of(v)));
    physad_status status = feed(&run, v, NULL, call);
    if (status == PHYSAD_OK)
        status = physad__motion_run_finish(&run, r, call);
    physad__motion_run_close(&run);
    return status;
}

static physad_status score_video(const physad_detector *det, const physad_video *video, physad_result *result, physad__call *call)
{
    physad_video *v;
    physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
    o.channels = 1;
    PHYSAD__TRY(physad__video_beside(&v, video, &o));
    const physad_status status = score_by(det->model, v, result, call);
    physad_video_free(v);
    return status;
}

/* Those kept aside, by the finished model. */
static physad_status score_aside(const fit *f, const uint8_t *aside, double *scores)
{
    for (int64_t i = 0; i < physad_dataset_count(f->normals); i++) {
        physad_video *v;
        if (!aside[i])
            continue;
        physad_result *r = physad__alloc_zero(f->mem, sizeof(*r), "result");
        if (r == NULL)
            return PHYSAD_ERR_NOMEM;
        physad_status status = open_video(f->det, physad_dataset_sample(f->normals, i), &v);
        if (status == PHYSAD_OK) {
            status = score_by(f->m, v, r, f->call);
            physad_video_free(v);
        }
        scores[i] = r->score;
        physad_result_free(r);
        PHYSAD__TRY(status);
        PHYSAD__TRY(physad__call_tick(f->call, f->done));
    }
    return PHYSAD_OK;
}

static physad_status fit_model(physad_detector *det, const physad_dataset *normals, const uint8_t *aside, double *scores,
                               physad__call *call, void **model)
{
    fit f = { .det = det, .normals = normals, .call = call, .mem = &det->ctx->mem };
    PHYSAD__TRY(new_model(&f.m, det));
    physad_status status = begin(&f, aside);
    if (status == PHYSAD_OK)
        status = run_fit(&f);
    if (status == PHYSAD_OK)
        status = score_aside(&f, aside, scores);
    fit_free(&f);
    if (status == PHYSAD_OK)
        *model = f.m;
    else
        free_model(f.m);
    return status;
}

/* --- frames as they come --- */

static physad_status stream_open(const physad_detector *det, double rate, void **state)
{
    physad__motion_run *run = physad__alloc_zero(&det->ctx->mem, sizeof(*run), "stream");
    if (run == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_status status = physad__motion_run_open(run, det->model, rate);
    if (status == PHYSAD_OK)
        *state = run;
    else
        physad__free(run);
    return status;
}

static physad_status stream_push(const physad_detector *det, void *state, const physad_view *grey, physad__call *call)
{
    return physad__motion_run_push(state, grey, call);
}

static bool stream_next(const physad_detector *det, void *state, int64_t *frame, double *score)
{
    return physad__motion_run_take(state, frame, score);
}

static physad_status stream_end(const physad_detector *det, void *state, physad_result *result, physad__call *call)
{
    return physad__motion_run_finish(state, result, call);
}

static void stream_free(void *state)
{
    physad__motion_run_close(state);
    physad__free(state);
}

/* In an episode a frame waits for those around its point of time. */
static int64_t stream_latency(const physad_detector *det)
{
    const physad__motion_model *m = det->model;
    int64_t most = PHYSAD__PATCH_LATENCY;
    for (int64_t t = 0; m->episodes && (double)t < m->scale.frames; t++)
        most = physad__max(most, physad__view_point_last(&m->scale, physad__view_point_of(&m->scale, t)) - t);
    return most;
}

static const physad__stream_method streams = { stream_open, stream_push, stream_next, stream_end, stream_latency, stream_free };

static json_t *rules_of(const void *model)
{
    return physad__rules_to_json(((const physad__motion_model *)model)->rules);
}

static physad_status set_rules(void *model, const json_t *rules)
{
    physad__motion_model *m = model;
    physad__rule copy[PHYSAD__RULES];
    memcpy(copy, m->rules, sizeof(copy));
    PHYSAD__TRY(physad__rules_from_json(copy, rules));
    memcpy(m->rules, copy, sizeof(copy));
    return PHYSAD_OK;
}

/* --- the model file ------------------------------------------------------------------------------------------------
 */

enum { NUMBERS = 9, USUALS = PHYSAD__VIEWS + 3 + PHYSAD__POOLS };

static void view_name(char *out, size_t size, int view, const char *what)
{
    physad__snprintf(out, size, "motion.%s.%s", physad__view_kinds[view].name, what);
}

static const int64_t numbers_shape[1] = { NUMBERS }, usual_shape[2] = { USUALS, 2 }, rules_shape[2] = { PHYSAD__RULES, 5 },
                     inverse_shape[1] = { PHYSAD__PATCH_DIM };

static physad__usual *usual_at(physad__motion_model *m, int i)
{
    if (i < PHYSAD__VIEWS)
        return &m->view[i].usual;
    i -= PHYSAD__VIEWS;
    return i == 0 ? &m->point : i == 1 ? &m->rule : i == 2 ? &m->frame : &m->pool[i - 3];
}

static physad_status declare(const physad_detector *det, physad__tensors_writer *w, json_t *config)
{
    const physad__motion_model *m = det->model;
    char name[64];
    PHYSAD__TRY(physad__tensors_writer_declare(w, "motion.numbers", PHYSAD_F64, 1, numbers_shape));
    PHYSAD__TRY(physad__tensors_writer_declare(w, "motion.usual", PHYSAD_F64, 2, usual_shape));
    PHYSAD__TRY(physad__tensors_writer_declare(w, "motion.rules", PHYSAD_F64, 2, rules_shape));
    PHYSAD__TRY(physad__tensors_writer_declare(w, "motion.inverse", PHYSAD_F32, 1, inverse_shape));
    for (int v = 0; v < PHYSAD__VIEWS && m->count > 0; v++) {
        const int64_t dim = physad__view_kinds[v].dim, shape[2] = { m->count, dim };
        view_name(name, sizeof(name), v, "rows");
        PHYSAD__TRY(physad__tensors_writer_declare(w, name, PHYSAD_F32, 2, shape));
        view_name(name, sizeof(name), v, "mean");
        PHYSAD__TRY(physad__tensors_writer_declare(w, name, PHYSAD_F32, 1, &dim));
        view_name(name, sizeof(name), v, "inverse");
        PHYSAD__TRY(physad__tensors_writer_declare(w, name, PHYSAD_F32, 1, &dim));
    }
    return physad__bank_declare(m->bank, w, "bank.");
}

static physad_status write_view(const physad__motion_model *m, physad__tensors_writer *w, int view)
{
    const physad__view_model *v = &m->view[view];
    const int64_t dim = physad__view_kinds[view].dim, shape[2] = { m->count, dim };
    const physad_view all = physad_view_array(v->rows, PHYSAD_F32, 2, shape), mean = physad_view_array(v->mean, PHYSAD_F32, 1, &dim),
                      inverse = physad_view_array(v->inverse, PHYSAD_F32, 1, &dim);
    char name[64];
    view_name(name, sizeof(name), view, "rows");
    PHYSAD__TRY(physad__tensors_writer_append(w, name, &all));
    view_name(name, sizeof(name), view, "mean");
    PHYSAD__TRY(physad__tensors_writer_append(w, name, &mean));
    view_name(name, sizeof(name), view, "inverse");
    return physad__tensors_writer_append(w, name, &inverse);
}

static physad_status write(const physad_detector *det, physad__tensors_writer *w)
{
    physad__motion_model *m = det->model;
    double numbers[NUMBERS] = { (double)m->height, (double)m->width, (double)m->most_rows, m->episodes, m->rate, m->scale.frames,
                                m->scale.energy, m->scale.flow, (double)m->count };
    double usual[USUALS][2], rules[PHYSAD__RULES][5];
    for (int i = 0; i < USUALS; i++) {
        usual[i][0] = usual_at(m, i)->middle;
        usual[i][1] = usual_at(m, i)->spread;
    }
    for (int i = 0; i < PHYSAD__RULES; i++) {
        const double row[5] = { m->rules[i].middle, m->rules[i].spread, m->rules[i].low, m->rules[i].high, m->rules[i].used };
        memcpy(rules[i], row, sizeof(row));
    }
    const physad_view views[4] = { physad_view_array(numbers, PHYSAD_F64, 1, numbers_shape),
                                   physad_view_array(usual, PHYSAD_F64, 2, usual_shape),
                                   physad_view_array(rules, PHYSAD_F64, 2, rules_shape),
                                   physad_view_array(m->inverse, PHYSAD_F32, 1, inverse_shape) };
    static const char *const names[4] = { "motion.numbers", "motion.usual", "motion.rules", "motion.inverse" };
    for (int i = 0; i < 4; i++)
        PHYSAD__TRY(physad__tensors_writer_append(w, names[i], &views[i]));
    for (int v = 0; v < PHYSAD__VIEWS && m->count > 0; v++)
        PHYSAD__TRY(write_view(m, w, v));
    return physad__bank_write(m->bank, w, "bank.");
}

static physad_status take(const physad_tensors *file, const char *name, int32_t dtype, int32_t ndim, const int64_t *shape, void *to)
{
    physad_view from, out = physad_view_array(to, dtype, ndim, shape);
    PHYSAD__TRY(physad__tensors_want(file, name, dtype, ndim, shape, &from));
    PHYSAD__TRY(physad__view_copy(&out, &from));
    const int64_t n = physad__view_count(&out);
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(dtype == PHYSAD_F64 ? ((const double *)to)[i] : (double)((const float *)to)[i]))
            return physad__error(PHYSAD_ERR_FORMAT, "%s: number %lld is not finite", name, (long long)i);
    return PHYSAD_OK;
}

static physad_status read_numbers(physad__motion_model *m, const physad_tensors *file)
{
    double n[NUMBERS], usual[USUALS][2], rules[PHYSAD__RULES][5];
    PHYSAD__TRY(take(file, "motion.numbers", PHYSAD_F64, 1, numbers_shape, n));
    PHYSAD__TRY(take(file, "motion.usual", PHYSAD_F64, 2, usual_shape, usual));
    PHYSAD__TRY(take(file, "motion.rules", PHYSAD_F64, 2, rules_shape, rules));
    PHYSAD__TRY(take(file, "motion.inverse", PHYSAD_F32, 1, inverse_shape, m->inverse));
    if (!(n[0] >= 32 && n[0] <= 1080 && n[1] >= 32 && n[1] <= 8192 && n[4] > 0 && n[5] >= 1 && n[5] < 1e7 && n[6] > 0 && n[7] > 0 &&
          n[8] >= 0 && n[8] < 1e7))
        return physad__error(PHYSAD_ERR_FORMAT, "motion.numbers has a number out of range");
    m->height = (int64_t)n[0];
    m->width = (int64_t)n[1];
    m->episodes = n[3] != 0;
    m->rate = n[4];
    m->scale = (physad__scale){ n[5], n[6], n[7] };
    m->count = (int64_t)n[8];
    if (m->episodes != (m->count > 0))
        return physad__error(PHYSAD_ERR_FORMAT, "motion.numbers: a model of %s with %lld takes", m->episodes ? "episodes" : "streams",
                             (long long)m->count);
    for (int i = 0; i < USUALS; i++) {
        *usual_at(m, i) = (physad__usual){ usual[i][0], usual[i][1] };
        if (!(usual[i][1] > 0) && (m->count > 0 || i > PHYSAD__VIEWS))
            return physad__error(PHYSAD_ERR_FORMAT, "motion.usual: spread %d is %g", i, usual[i][1]);
    }
    for (int i = 0; i < PHYSAD__RULES; i++) {
        const double *r = rules[i];
        if (!(r[1] > 0 && r[2] < r[3]))
            return physad__error(PHYSAD_ERR_FORMAT, "motion.rules: row %d is no rule", i);
        m->rules[i] = (physad__rule){ r[0], r[1], r[2], r[3], r[4] != 0 };
    }
    return PHYSAD_OK;
}

static physad_status read_views(physad__motion_model *m, const physad_tensors *file)
{
    char name[64];
    PHYSAD__TRY(make_views(m, m->count));
    for (int v = 0; v < PHYSAD__VIEWS; v++) {
        const int64_t dim = physad__view_kinds[v].dim, shape[2] = { m->count, dim };
        view_name(name, sizeof(name), v, "rows");
        PHYSAD__TRY(take(file, name, PHYSAD_F32, 2, shape, m->view[v].rows));
        view_name(name, sizeof(name), v, "mean");
        PHYSAD__TRY(take(file, name, PHYSAD_F32, 1, &dim, m->view[v].mean));
        view_name(name, sizeof(name), v, "inverse");
        PHYSAD__TRY(take(file, name, PHYSAD_F32, 1, &dim, m->view[v].inverse));
    }
    return PHYSAD_OK;
}

static physad_status read_bank(const physad_detector *det, physad__motion_model *m, physad_tensors *file)
{
    PHYSAD__TRY(physad__bank_read(&m->bank, det->ctx, file, false, "bank."));
    if (physad_bank_dim(m->bank) != PHYSAD__PATCH_DIM || physad_bank_count(m->bank) < 1)
        return physad__error(PHYSAD_ERR_FORMAT, "bank.rows has shape (%lld,%lld), want (n,%d) with n > 0",
                             (long long)physad_bank_count(m->bank), (long long)physad_bank_dim(m->bank), PHYSAD__PATCH_DIM);
    for (int64_t i = 0; i < physad_bank_count(m->bank); i++)
        if (physad_bank_sample(m->bank, i) < 0 || physad_bank_sample(m->bank, i) >= det->origin->count)
            return physad__error(PHYSAD_ERR_FORMAT, "bank row %lld comes from sample %lld of %lld", (long long)i,
                                 (long long)physad_bank_sample(m->bank, i), (long long)det->origin->count);
    return PHYSAD_OK;
}

static physad_status read_model(physad_detector *det, physad_tensors *file, const json_t *config, void **model)
{
    physad__motion_model *m;
    PHYSAD__TRY(new_model(&m, det));
    physad_status status = read_numbers(m, file);
    if (status == PHYSAD_OK && m->count > 0)
        status = read_views(m, file);
    if (status == PHYSAD_OK)
        status = read_bank(det, m, file);
    if (status != PHYSAD_OK) {
        free_model(m);
        return status;
    }
    m->file = file; /* the bank's rows lie in it */
    *model = m;
    return PHYSAD_OK;
}

const physad__method physad__method_motion_bank = {
    .name = "motion-bank",
    .title = "how a thing moves: rules with names, views of the whole take, an exact bank of moving patches",
    .source = "ours",
    .input = PHYSAD_INPUT_VIDEO,
    .supervision = PHYSAD_UNSUPERVISED,
    .options = { rows, PHYSAD__COUNT(rows) },
    .fit = fit_model,
    .score_video = score_video,
    .declare = declare,
    .write = write,
    .read = read_model,
    .free = free_model,
    .stream = &streams,
    .rules = rules_of,
    .set_rules = set_rules,
};
