/* SPDX-License-Identifier: Apache-2.0 */
/* motion-bank: what the normal videos are gathered into. Each is opened for its size and rate, and a few are read for
 * how far their camera goes; then all are read twice: first for lengths, amounts and patches, then each against the
 * bank of the other folds. What is usual is learned from that in motion_learn.c. */
#include "detect/motion_fit.h"
#include "metrics/metrics.h"

#include <math.h>

enum { FOLDS = 4, LEAST_EPISODES = 3, LEAST_QUOTA = 64, STEADY_VIDEOS = 4 };
static const double ALIKE = 1.25;        /* the longest episode to the shortest */
static const double STEADY_SHARE = 0.06; /* of the shorter side: a camera that goes farther does more than shake */
static const double UNTOLD_RATE = 25;    /* frames per second, where nothing says it: rules are told by it */

/* --- fitting -------------------------------------------------------------------------------------------------------
 */

static void fit_free(physad__motion_gathered *f)
{
    void *const blocks[] = { f->sample, f->fold,   f->instance, f->patches, f->frame,    f->kept,
                             f->length, f->energy, f->flow,     f->values,  f->pools,    f->take,
                             f->frames, f->row,    f->points,   f->curve,   f->curve_at, f->begin };
    for (int64_t i = 0; i < PHYSAD__COUNT(blocks); i++)
        physad__free(blocks[i]);
}

static const physad_sample *sample_of(const physad__motion_gathered *f, int64_t video)
{
    return physad_dataset_sample(f->normals, f->sample[video]);
}

static physad_status came_of(const physad__motion_gathered *f, int64_t video, physad_status status)
{
    return physad__sample_read(f->det, f->normals, f->sample[video], f->call, status);
}

/* The first video that shows the same thing; those of which nothing is known show one. */
static void find_instances(physad__motion_gathered *f)
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

static physad_status find_folds(physad__motion_gathered *f)
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

static physad_status begin(physad__motion_gathered *f, const uint8_t *aside)
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
    f->points = physad__alloc_zero(f->mem, PHYSAD__PART_TAKES * sizeof(int64_t), "takes");
    f->curve_at = physad__alloc_zero(f->mem, (PHYSAD__PART_TAKES + 1) * sizeof(int64_t), "takes");
    f->begin = physad__alloc_zero(f->mem, PHYSAD__PART_TAKES * sizeof(double), "takes");
    f->patches = physad__alloc_array(f->mem, f->count * f->quota, PHYSAD__PATCH_DIM * sizeof(float), "patches");
    f->frame = physad__alloc_array(f->mem, f->count * f->quota, sizeof(int32_t), "patches");
    if (f->sample == NULL || f->fold == NULL || f->instance == NULL || f->kept == NULL || f->length == NULL ||
        f->energy == NULL || f->flow == NULL || f->patches == NULL || f->frame == NULL || f->points == NULL ||
        f->curve_at == NULL || f->begin == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0, k = 0; i < n; i++)
        if (aside[i] == 0)
            f->sample[k++] = i;
    find_instances(f);
    return find_folds(f);
}

/* --- first pass: patches, lengths, amounts --- */

typedef struct draw {
    physad__motion_gathered *f;
    int64_t video, seen;
    bool end;
    double energy, flow; /* of all planes */
    physad__rng rng;
} draw;

/* Keeps each moving patch of the video with equal chance (Vitter's algorithm R). */
static physad_status draw_patches(void *user, physad__motion_run *run)
{
    draw *d = user;
    physad__motion_gathered *f = d->f;
    while (physad__patches_next(&run->patches, d->end)) {
        for (int64_t i = 0; i < run->patches.count; i++) {
            int64_t slot = d->seen++;
            if (slot >= f->quota)
                slot = physad__rng_below(&d->rng, d->seen);
            if (slot >= f->quota)
                continue;
            memcpy(f->patches + (d->video * f->quota + slot) * PHYSAD__PATCH_DIM,
                   run->patches.rows_of + i * PHYSAD__PATCH_DIM, PHYSAD__PATCH_DIM * sizeof(float));
            f->frame[d->video * f->quota + slot] = (int32_t)physad__motion_run_frame(run, run->patches.given - 1);
            f->kept[d->video] = physad__max(f->kept[d->video], slot + 1);
        }
    }
    for (int64_t i = 0; i < run->course.frames; i++) {
        d->energy += (double)run->course.moments[i].energy;
        d->flow += (double)run->course.moments[i].flow;
    }
    physad__motion_run_drop(run, run->course.frames);
    return PHYSAD_OK;
}

/* The first video tells at which size all are looked at, the middle one of those that say it at which rate. */
static physad_status take_size(physad__motion_gathered *f)
{
    physad__motion_model *m = f->m;
    const int64_t before = f->det->skipped_count;
    int64_t said = 0;
    for (int64_t i = 0; i < f->count; i++) {
        physad_video_info info = PHYSAD_VIDEO_INFO_INIT;
        physad_video *v;
        physad_status status = physad__motion_open(f->det, sample_of(f, i), &v);
        if (status == PHYSAD_OK) {
            f->length[said] = physad__motion_rate(v);
            said += f->length[said] > 0;
            status = i == 0 ? physad_video_describe(v, &info) : PHYSAD_OK;
            physad_video_free(v);
        }
        if (status == PHYSAD_OK && i == 0)
            status = physad__motion_size(info.height, info.width, m->most_rows, &m->height, &m->width);
        PHYSAD__TRY(came_of(f, i, status));
    }
    PHYSAD__TRY(physad__all_samples_read(f->det, before));
    if (said > 0)
        physad__sort_doubles(f->length, said);
    m->untimed = said == 0;
    m->rate = said > 0 ? f->length[(said - 1) / 2] : UNTOLD_RATE;
    return PHYSAD_OK;
}

/* How far a video's camera goes from where it first looked; pixels of planes. */
static physad_status follow_camera(physad__motion_gathered *f, int64_t video, double *farthest)
{
    physad__motion_pace pace;
    physad__motion_steady steady = { 0 };
    physad_video *v;
    const float *plane = NULL;
    physad_frame frame = PHYSAD_FRAME_INIT;
    const physad__motion_model *m = f->m;
    PHYSAD__TRY(physad__motion_open(f->det, sample_of(f, video), &v));
    const bool by_time = physad__motion_by_time(m, v);
    physad_status status =
        physad__motion_pace_open(&pace, m->ctx, m->height, m->width, m->rate, physad__motion_rate(v));
    if (status == PHYSAD_OK)
        status = physad__motion_steady_open(&steady, m->ctx, m->height, m->width);
    while (status == PHYSAD_OK) {
        status = physad_video_read(v, &frame);
        if (status != PHYSAD_OK || frame.pixels.data == NULL)
            break;
        status = physad__cancelled(m->ctx);
        if (status == PHYSAD_OK)
            status = physad__motion_pace_push(&pace, &frame.pixels, by_time ? frame.seconds : NAN);
        do {
            plane = NULL;
            if (status == PHYSAD_OK)
                status = physad__motion_pace_next(&pace, false, &plane);
            if (plane != NULL)
                physad__motion_steady_push(&steady, plane);
        } while (plane != NULL);
    }
    *farthest = steady.farthest;
    physad__motion_steady_close(&steady);
    physad__motion_pace_close(&pace);
    physad_video_free(v);
    return status;
}

/* Shaking is taken out where the normal videos' camera never goes far: what moves the whole picture farther, be it a
 * camera that pans or a belt that fills it, belongs to what goes on. Told by a few videos. */
static physad_status find_steady(physad__motion_gathered *f)
{
    physad__motion_model *m = f->m;
    const int64_t looked = physad__min(f->count, STEADY_VIDEOS);
    const int64_t before = f->det->skipped_count;
    const double most = STEADY_SHARE * (double)physad__min(m->height, m->width);
    m->steady = physad__option_bool(f->det, "steady");
    for (int64_t i = 0; i < looked && m->steady; i++) {
        double farthest = 0;
        const int64_t video = i * f->count / looked;
        PHYSAD__TRY(came_of(f, video, follow_camera(f, video, &farthest)));
        m->steady = farthest <= most;
    }
    return physad__all_samples_read(f->det, before);
}

static physad_status survey_video(physad__motion_gathered *f, int64_t video)
{
    physad__motion_run run;
    physad_video *v;
    draw d = { .f = f, .video = video };
    const physad__motion_drain into = { draw_patches, &d };
    physad__rng_seed(&d.rng, f->det->seed, (uint64_t)video ^ UINT64_C(0x6d6f74696f6e));
    PHYSAD__TRY(physad__motion_open(f->det, sample_of(f, video), &v));
    physad_status status = physad__motion_run_open(&run, f->m, physad__motion_rate(v));
    if (status == PHYSAD_OK) {
        run.drain = &into;
        status = physad__motion_feed(&run, v, f->call);
        if (status == PHYSAD_OK)
            status = physad__motion_run_end(&run, f->call);
        d.end = true;
        if (status == PHYSAD_OK)
            status = draw_patches(&d, &run);
        f->length[video] = (double)run.dropped;
        f->energy[video] = d.energy / fmax(1, f->length[video]);
        f->flow[video] = d.flow / fmax(1, f->length[video]);
        physad__motion_run_close(&run);
    }
    physad_video_free(v);
    return status;
}

static void take_scale(physad__motion_gathered *f)
{
    physad__motion_model *m = f->m;
    m->scale = (physad__scale){ physad__median(f->length, f->count), physad__median(f->energy, f->count) + 1e-3,
                                physad__median(f->flow, f->count) + 1e-4 };
    m->episodes = physad__option_is(f->det, "mode", "episodes") ||
                  (physad__option_is(f->det, "mode", "auto") && f->count >= LEAST_EPISODES &&
                   f->length[f->count - 1] <= ALIKE * f->length[0]);
}

/* Patches are compared in units of their own spread. */
static physad_status take_spread(physad__motion_gathered *f)
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
        return physad__error(PHYSAD_ERR_NUMERIC,
                             "%s: nothing moves in the %lld normal videos; want recordings of the thing in use",
                             f->det->method->name, (long long)f->count);
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
static physad_status make_bank(const physad__motion_gathered *f, int64_t fold, physad_bank **out)
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
        const physad_view patches =
                              physad_view_array(f->patches + v * f->quota * PHYSAD__PATCH_DIM, PHYSAD_F32, 2, shape),
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

static physad_status note_take(physad__motion_gathered *f, int64_t video, const physad__course *c, int64_t from,
                               int64_t to, double rate)
{
    double *room = physad__alloc_array(f->mem, to - from, sizeof(*room), "scores");
    if (room == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_status status =
        physad__grow(f->mem, &f->values, &f->value_capacity, (f->takes + 1) * PHYSAD__RULES, sizeof(double), "takes");
    if (status == PHYSAD_OK)
        status =
            physad__grow(f->mem, &f->pools, &f->pool_capacity, (f->takes + 1) * PHYSAD__POOLS, sizeof(double), "takes");
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

/* Keeps what parts are laid beside. */
static physad_status note_part(physad__motion_gathered *f, const physad__course *c)
{
    const int64_t points = physad__part_points(c, &f->m->scale), at = f->part_takes;
    int64_t first = 0;
    if (at == PHYSAD__PART_TAKES)
        return PHYSAD_OK;
    PHYSAD__TRY(physad__grow(f->mem, &f->row, &f->row_capacity, (f->part_points + points) * PHYSAD__PART_DIM,
                             sizeof(float), "takes"));
    PHYSAD__TRY(
        physad__grow(f->mem, &f->curve, &f->curve_capacity, f->curve_at[at] + c->frames, sizeof(double), "takes"));
    physad__part_rows(c, &f->m->scale, f->row + f->part_points * PHYSAD__PART_DIM);
    memcpy(f->curve + f->curve_at[at], c->patches, (size_t)c->frames * sizeof(double));
    while (first < c->frames && (double)c->moments[first].energy <= PHYSAD__STILL * f->m->scale.energy)
        first++;
    f->begin[at] = (double)first;
    f->points[at] = points;
    f->curve_at[at + 1] = f->curve_at[at] + c->frames;
    f->part_points += points;
    f->part_takes++;
    return PHYSAD_OK;
}

/* The patch scores of a course's first planes. */
static physad_status note_scores(physad__motion_gathered *f, const physad__course *c, int64_t count)
{
    PHYSAD__TRY(
        physad__grow(f->mem, &f->frames, &f->frame_capacity, f->frame_count + count, sizeof(double), "scores"));
    for (int64_t i = 0; i < count; i++)
        if (c->patches[i] > 0)
            f->frames[f->frame_count++] = c->patches[i];
    return PHYSAD_OK;
}

static physad_status note_episode(physad__motion_gathered *f, int64_t video, const physad__course *c)
{
    PHYSAD__TRY(note_scores(f, c, c->frames));
    PHYSAD__TRY(note_part(f, c));
    for (int64_t v = 0; v < PHYSAD__VIEWS; v++)
        physad__view_kinds[v].fill(c, &f->m->scale, f->m->view[v].rows + video * physad__view_kinds[v].dim);
    return note_take(f, video, c, 0, c->frames, f->m->rate);
}

typedef struct stream_notes {
    physad__motion_gathered *f;
    int64_t video;
} stream_notes;

/* A stream's clips that are whole; what lies before the next is let go, so that a stream may be as long as it likes. */
static physad_status note_clips(void *user, physad__motion_run *run)
{
    const stream_notes *n = user;
    const physad__course *c = &run->course;
    int64_t frame;
    double score;
    for (; run->next_clip + PHYSAD__CLIP <= run->patched; run->next_clip += PHYSAD__CLIP_STEP) {
        const int64_t from = run->next_clip - run->dropped;
        PHYSAD__TRY(note_take(n->f, n->video, c, from, from + PHYSAD__CLIP, n->f->m->rate));
        PHYSAD__TRY(note_scores(n->f, c, PHYSAD__CLIP_STEP));
        physad__motion_run_drop(run, PHYSAD__CLIP_STEP);
    }
    while (physad__motion_run_take(run, &frame, &score))
        continue;
    return PHYSAD_OK;
}

static physad_status note_stream_end(const stream_notes *n, physad__motion_run *run)
{
    PHYSAD__TRY(note_clips((void *)n, run));
    PHYSAD__TRY(note_scores(n->f, &run->course, run->course.frames));
    return run->next_clip == 0 ? note_take(n->f, n->video, &run->course, 0, run->course.frames, n->f->m->rate)
                               : PHYSAD_OK;
}

/* One video against the bank of the other folds. */
static physad_status measure_video(physad__motion_gathered *f, int64_t video, physad_bank *bank)
{
    physad__motion_run run;
    physad_video *v;
    stream_notes notes = { f, video };
    const physad__motion_drain into = { note_clips, &notes };
    physad__motion_model whole = *f->m; /* scores nothing but patches, and lets go of nothing by itself */
    whole.episodes = true;
    whole.scale.frames = 0;
    whole.count = 0;
    whole.bank = bank;
    whole.frame = (physad__usual){ 0, 1 };
    PHYSAD__TRY(physad__motion_open(f->det, sample_of(f, video), &v));
    physad_status status = physad__motion_run_open(&run, &whole, physad__motion_rate(v));
    if (status == PHYSAD_OK) {
        run.drain = f->m->episodes ? NULL : &into;
        status = physad__motion_feed(&run, v, f->call);
        if (status == PHYSAD_OK)
            status = physad__motion_run_end(&run, f->call);
        run.course.coarse = false; /* all of it is learned */
        if (status == PHYSAD_OK)
            status = f->m->episodes ? note_episode(f, video, &run.course) : note_stream_end(&notes, &run);
        if (status == PHYSAD_OK && f->m->episodes)
            status = physad__looks_add(f, &run.look);
        physad__motion_run_close(&run);
    }
    physad_video_free(v);
    return status;
}

static physad_status measure_fold(physad__motion_gathered *f, int64_t fold)
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
        if (status != PHYSAD_OK)
            status = physad__error_prefix(status, "%s", sample_of(f, v)->path);
        if (status == PHYSAD_OK)
            status = physad__call_tick(f->call, ++f->done);
    }
    physad_bank_free(bank);
    return status;
}

/* --- all of it ------------------------------------------------------------------------------------------------------
 */

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

static physad_status run_fit(physad__motion_gathered *f)
{
    physad__motion_model *m = f->m;
    physad__call_stage(f->call, "videos", 2 * f->count);
    PHYSAD__TRY(read_rules_file(f->det, m)); /* one that makes no sense is told before the work */
    PHYSAD__TRY(take_size(f));
    PHYSAD__TRY(find_steady(f));
    const int64_t before = f->det->skipped_count;
    for (int64_t v = 0; v < f->count; v++) {
        PHYSAD__TRY(came_of(f, v, survey_video(f, v)));
        PHYSAD__TRY(physad__call_tick(f->call, ++f->done));
    }
    PHYSAD__TRY(physad__all_samples_read(f->det, before));
    take_scale(f);
    PHYSAD__TRY(take_spread(f));
    PHYSAD__TRY(make_bank(f, -1, &m->bank));
    if (m->episodes)
        PHYSAD__TRY(physad__motion_views(m, f->count));
    for (int64_t fold = 0; fold < f->folds; fold++)
        PHYSAD__TRY(measure_fold(f, fold));
    for (int64_t v = 0; m->episodes && v < PHYSAD__VIEWS; v++)
        PHYSAD__TRY(physad__learn_view(f, v));
    if (m->episodes)
        PHYSAD__TRY(physad__learn_points(f));
    if (m->episodes) {
        PHYSAD__TRY(physad__learn_parts(f));
        physad__learn_looks(f);
    }
    PHYSAD__TRY(physad__learn_rules(f));
    PHYSAD__TRY(read_rules_file(f->det, m));
    return physad__learn_patches(f);
}

/* Those kept aside, by the finished model. */
static physad_status score_aside(const physad__motion_gathered *f, const uint8_t *aside, double *scores)
{
    const int64_t before = f->det->skipped_count;
    for (int64_t i = 0; i < physad_dataset_count(f->normals); i++) {
        physad_video *v;
        if (!aside[i])
            continue;
        physad_result *r = physad__alloc_zero(f->mem, sizeof(*r), "result");
        if (r == NULL)
            return PHYSAD_ERR_NOMEM;
        physad_status status = physad__motion_open(f->det, physad_dataset_sample(f->normals, i), &v);
        if (status == PHYSAD_OK) {
            status = physad__motion_score(f->m, v, r, f->call);
            physad_video_free(v);
        }
        scores[i] = r->score;
        physad_result_free(r);
        PHYSAD__TRY(physad__sample_read(f->det, f->normals, i, f->call, status));
        PHYSAD__TRY(physad__call_tick(f->call, f->done));
    }
    return physad__all_samples_read(f->det, before);
}

physad_status physad__motion_fit(physad_detector *det, const physad_dataset *normals, const uint8_t *aside,
                                 double *scores, physad__call *call, void **model)
{
    physad__motion_gathered f = { .det = det, .normals = normals, .call = call, .mem = &det->ctx->mem };
    const double rate = physad__option_real(det, "fps");
    if (rate != 0 && !physad__motion_is_rate(rate))
        return physad__error(PHYSAD_ERR_ARG, "%s: option fps is %g; want 0, or from 1e-6 to 1000 frames per second",
                             det->method->name, rate);
    PHYSAD__TRY(physad__motion_new(&f.m, det));
    physad_status status = begin(&f, aside);
    if (status == PHYSAD_OK)
        status = run_fit(&f);
    if (status == PHYSAD_OK)
        status = score_aside(&f, aside, scores);
    fit_free(&f);
    if (status == PHYSAD_OK)
        *model = f.m;
    else
        physad__motion_free(f.m);
    return status;
}
