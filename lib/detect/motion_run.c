/* SPDX-License-Identifier: Apache-2.0 */
/* A take frame by frame: from pixels to the frames' scores, the take's, and words for what is odd. The memory it takes
 * hangs on the size of a frame and the length of a normal take, not on how long it lasts, but for the scores
 * themselves. */
#include "detect/motion.h"

#include <math.h>

enum { COARSE = 4 };  /* a take is coarse where one plane of so many lies between frames */
enum { LONGEST = 4 }; /* a take of so many normal ones' length is kept no further */
static const double NOTHING = 1e-3;

/* --- how odd -------------------------------------------------------------------------------------------------------
 */

double physad__usual_z(const physad__usual *usual, double value)
{
    return (log(value + NOTHING) - usual->middle) / usual->spread;
}

void physad__usual_learn(physad__usual *usual, double *values, int64_t count)
{
    double sum = 0, square = 0;
    for (int64_t i = 0; i < count; i++)
        values[i] = log(values[i] + NOTHING);
    physad__sort_doubles(values, count);
    usual->middle = (values[(count - 1) / 2] + values[count / 2]) / 2;
    for (int64_t i = 0; i < count; i++)
        sum += values[i] / (double)count;
    for (int64_t i = 0; i < count; i++)
        square += (values[i] - sum) * (values[i] - sum);
    usual->spread = sqrt(square / (double)count) + 0.03; /* alike ones: a thirtieth counts */
}

/* The fourth-power mean of the parts above what is usual: near to the greatest, but many a little odd count too. */
double physad__motion_join(const double *z, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        const double part = z[i] > 30 ? z[i] : log1p(exp(z[i]));
        sum += part * part * part * part;
    }
    return count > 0 ? sqrt(sqrt(sum / (double)count)) : 0;
}

double physad__view_distance(const physad__motion_model *m, int64_t view, const float *row, int64_t without)
{
    const physad__view_model *v = &m->view[view];
    const int64_t dim = physad__view_kinds[view].dim;
    double near[PHYSAD__NEAR_TAKES];
    int64_t kept = 0;
    for (int64_t i = 0; i < m->count; i++) {
        double sum = 0;
        if (i == without)
            continue;
        for (int64_t k = 0; k < dim; k++) {
            const double d = (double)((row[k] - v->rows[i * dim + k]) * v->inverse[k]);
            sum += d * d;
        }
        sum = sqrt(sum / (double)dim);
        int64_t at = kept < PHYSAD__NEAR_TAKES ? kept : PHYSAD__NEAR_TAKES;
        for (; at > 0 && near[at - 1] > sum; at--)
            if (at < PHYSAD__NEAR_TAKES)
                near[at] = near[at - 1];
        if (at < PHYSAD__NEAR_TAKES)
            near[at] = sum;
        kept = physad__min(kept + 1, PHYSAD__NEAR_TAKES);
    }
    double mean = 0;
    for (int64_t i = 0; i < kept; i++)
        mean += near[i] / (double)kept;
    return mean;
}

void physad__motion_pools(const double *scores, int64_t count, double *room, double *pools)
{
    const int64_t top = physad__max(1, count / 16);
    memcpy(room, scores, (size_t)count * sizeof(*room));
    physad__sort_doubles(room, count);
    memset(pools, 0, PHYSAD__POOLS * sizeof(*pools));
    pools[PHYSAD__POOL_MAX] = room[count - 1];
    for (int64_t i = 0; i < count; i++) {
        pools[PHYSAD__POOL_MEAN] += room[i] / (double)count;
        if (i >= count - top)
            pools[PHYSAD__POOL_TOP] += room[i] / (double)top;
    }
}

/* Deviation of one view at one point of time; `row`: its channels there. */
double physad__motion_deviation(const physad__motion_model *m, int64_t view, int64_t point, const float *row)
{
    const int channels = physad__view_kinds[view].channels;
    double square = 0;
    for (int k = 0; k < channels; k++) {
        const int64_t at = point * channels + k;
        const double d = (double)((row[k] - m->view[view].mean[at]) * m->view[view].inverse[at]);
        square += d * d;
    }
    return sqrt(square / channels);
}

/* That of a take, the mean over the views that can be told there. */
static double deviation_of(const physad__motion_model *m, const physad__course *c, int64_t point, double phase)
{
    float row[PHYSAD__VIEW_MOST_CHANNELS];
    double sum = 0;
    int views = 0;
    for (int64_t v = 0; v < PHYSAD__VIEWS; v++) {
        if (physad__view_kinds[v].curve == NULL)
            continue;
        physad__view_point(c, &m->scale, &physad__view_kinds[v], point, phase, row);
        sum += physad__motion_deviation(m, v, point, row);
        views++;
    }
    return sum / views;
}

/* --- a take as it comes --------------------------------------------------------------------------------------------
 */

physad_status physad__motion_run_open(physad__motion_run *run, const physad__motion_model *model, double rate)
{
    physad__mem *mem = &model->ctx->mem;
    *run = (physad__motion_run){ .model = model, .mem = mem, .worst.plane = -1, .gone.plane = -1, .told.point = -1 };
    physad_status status =
        physad__motion_pace_open(&run->pace, model->ctx, model->height, model->width, model->rate, rate);
    if (status == PHYSAD_OK)
        status = physad__motion_front_open(&run->front, model->ctx, model->height, model->width);
    if (status == PHYSAD_OK && model->steady)
        status = physad__motion_steady_open(&run->steady, model->ctx, model->height, model->width);
    if (status == PHYSAD_OK)
        status = physad__patches_open(&run->patches, mem, run->front.rows, run->front.columns);
    if (status == PHYSAD_OK) {
        run->cells = physad__alloc_array(mem, run->front.rows * run->front.columns, sizeof(*run->cells), "cells");
        run->tiny = physad__alloc_array(mem, 2 * PHYSAD__TINY, sizeof(float), "a frame");
        status = run->cells != NULL && run->tiny != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    }
    if (status != PHYSAD_OK)
        physad__motion_run_close(run);
    return status;
}

void physad__motion_run_close(physad__motion_run *run)
{
    physad__motion_pace_close(&run->pace);
    physad__motion_steady_close(&run->steady);
    physad__motion_front_close(&run->front);
    physad__patches_close(&run->patches);
    physad__course_free(&run->course);
    physad__look_free(&run->look);
    physad__free(run->cells);
    physad__free(run->tiny);
    physad__free(run->scores);
    physad__free(run->oddest);
    physad__free(run->ends);
    *run = (physad__motion_run){ 0 };
}

/* Whether the course still grows: a stream's always does, losing its beginning; an episode's until it is far too long.
 */
static bool keeps(const physad__motion_run *run)
{
    const physad__motion_model *m = run->model;
    return !m->episodes || !(m->scale.frames > 0) || (double)run->course.frames < LONGEST * m->scale.frames;
}

static physad_status take_cells(physad__motion_run *run, const float *tiny)
{
    physad__moment moment;
    physad__moment_of(&moment, run->cells, run->front.rows, run->front.columns);
    moment.camera = (float)run->steady.step;
    physad__patches_push(&run->patches, run->cells);
    return keeps(run) ? physad__course_push(&run->course, run->mem, &moment, tiny) : PHYSAD_OK;
}

/* Scores the patches of the planes that are ready. */
static physad_status score_patches(physad__motion_run *run, bool end, physad__call *call)
{
    const physad__motion_model *m = run->model;
    while (m->bank != NULL && physad__patches_next(&run->patches, end)) {
        const int64_t t = run->patched, at = t - run->dropped, kept = t - run->scores_from;
        double score;
        float *row = run->patches.rows_of;
        for (int64_t i = 0; i < run->patches.count; i++)
            for (int k = 0; k < PHYSAD__PATCH_DIM; k++)
                *row++ *= m->inverse[k];
        PHYSAD__TRY(
            physad__grow(run->mem, &run->oddest, &run->oddest_capacity, kept + 1, sizeof(*run->oddest), "a take"));
        PHYSAD__TRY(physad__patches_score(&run->patches, m->bank, run->mem, call, &score, &run->oddest[kept]));
        PHYSAD__TRY(physad__grow(run->mem, &run->scores, &run->score_capacity, kept + 1, sizeof(double), "a take"));
        run->scores[kept] = physad__usual_z(&m->frame, score);
        if (at < run->course.frames)
            run->course.patches[at] = score;
        run->patched++;
    }
    return PHYSAD_OK;
}

static void keep_worst(physad__motion_worst *worst, const physad__motion_run *run, int64_t plane)
{
    const int64_t kept = plane - run->scores_from;
    if (worst->plane < 0 || run->scores[kept] > worst->score)
        *worst =
            (physad__motion_worst){ run->scores[kept], plane, physad__motion_run_frame(run, plane), run->oddest[kept] };
}

/* z at a point of time, all that tells it there: many planes of a long take lie nearest to one. */
static double z_at(physad__motion_told *told, const physad__motion_run *run, int64_t point, double phase)
{
    const physad__motion_model *m = run->model;
    if (told->point != point)
        *told = (physad__motion_told){ point, physad__usual_z(&m->point, deviation_of(m, &run->course, point, phase)) };
    return told->z;
}

/* In an episode a plane is also odd by what it does at its time, once what lies around it has come. */
static physad_status score_planes(physad__motion_run *run, bool end)
{
    const physad__motion_model *m = run->model;
    for (; run->scored < run->patched; run->scored++) {
        PHYSAD__TRY(physad__cancelled(run->pace.ctx)); /* at a long take's end many wait */
        const int64_t t = run->scored, kept = t - run->scores_from;
        double z[2] = { run->scores[kept], 0 };
        if (m->episodes && m->count > 0 && t < run->course.frames) {
            const int64_t point = physad__view_point_of(&m->scale, (double)t);
            if (!end && run->course.frames <= physad__view_point_last(&m->scale, point))
                return PHYSAD_OK;
            z[1] = z_at(&run->told, run, point, 0);
        }
        run->scores[kept] = physad__motion_join(z, m->episodes ? 2 : 1);
        keep_worst(&run->worst, run, t);
    }
    return PHYSAD_OK;
}

/* Once it is known at which frame of the action a take begins, planes whose scores were not taken yet are odd by what
 * they do in the action, not by what they do so long after the take's beginning. */
static physad_status score_anew(physad__motion_run *run, double phase)
{
    const physad__motion_model *m = run->model;
    physad__motion_told told = { -1, 0 };
    run->worst = run->gone;
    for (int64_t t = run->left; t < run->scored; t++) {
        PHYSAD__TRY(physad__cancelled(run->pace.ctx));
        if (t < run->course.frames) {
            const int64_t point = physad__view_point_of(&m->scale, (double)t + phase);
            const double z[2] = { physad__usual_z(&m->frame, run->course.patches[t]), z_at(&told, run, point, phase) };
            run->scores[t - run->scores_from] = physad__motion_join(z, 2);
        }
        keep_worst(&run->worst, run, t);
    }
    return PHYSAD_OK;
}

/* --- frames and planes ---------------------------------------------------------------------------------------------
 */

int64_t physad__motion_run_frame(const physad__motion_run *run, int64_t plane)
{
    const int64_t *ends = run->ends + (run->taken - run->ends_from);
    int64_t low = 0, high = physad__max(0, run->pace.frames - run->taken - 1);
    while (low < high) { /* the first that had come when more than `plane` were there */
        const int64_t middle = (low + high) / 2;
        if (ends[middle] > plane)
            high = middle;
        else
            low = middle + 1;
    }
    return run->taken + low;
}

/* Lets go of what was taken, once it is as much as what was not: each is moved once or twice in all. */
static void let_go(physad__motion_run *run)
{
    const int64_t planes = run->left - run->scores_from, rest = run->patched - run->left;
    const int64_t frames = run->taken - run->ends_from, others = run->pace.frames - run->taken;
    if (planes >= rest) {
        memmove(run->scores, run->scores + planes, (size_t)rest * sizeof(*run->scores));
        memmove(run->oddest, run->oddest + planes, (size_t)rest * sizeof(*run->oddest));
        run->scores_from = run->left;
    }
    if (frames >= others) {
        memmove(run->ends, run->ends + frames, (size_t)others * sizeof(*run->ends));
        run->ends_from = run->taken;
    }
}

/* A frame's score is the highest of the planes that came with it; without any, that of the one before. */
bool physad__motion_run_take(physad__motion_run *run, int64_t *frame, double *score)
{
    if (run->taken == run->pace.frames || run->scored == 0 || run->ends[run->taken - run->ends_from] > run->scored)
        return false;
    const int64_t count = run->ends[run->taken - run->ends_from] - run->left;
    const double *scores = run->scores + (run->left - run->scores_from);
    for (int64_t i = 0; i < count; i++)
        keep_worst(&run->gone, run, run->left + i);
    for (int64_t i = 0; i < count; i++)
        run->last_score = i == 0 || scores[i] > run->last_score ? scores[i] : run->last_score;
    *score = run->last_score;
    *frame = run->taken++;
    if (count > 0)
        run->last_score = scores[count - 1];
    run->left += count;
    let_go(run);
    return true;
}

void physad__motion_run_drop(physad__motion_run *run, int64_t planes)
{
    physad__course *c = &run->course;
    if (planes == 0)
        return;
    c->frames -= planes;
    run->dropped += planes;
    memmove(c->moments, c->moments + planes, (size_t)c->frames * sizeof(*c->moments));
    memmove(c->patches, c->patches + planes, (size_t)c->frames * sizeof(*c->patches));
    memmove(c->tiny, c->tiny + planes * PHYSAD__TINY, (size_t)(c->frames * PHYSAD__TINY) * sizeof(float));
}

/* A stream's clips, one every few frames; what lies before the next is let go. */
static void score_clips(physad__motion_run *run, bool end)
{
    const physad__motion_model *m = run->model;
    physad__course *c = &run->course;
    double values[PHYSAD__RULES];
    if (m->episodes || m->bank == NULL)
        return;
    for (;;) {
        int64_t from = run->next_clip, to = from + PHYSAD__CLIP;
        const bool rest = end && run->patched < to && (!run->any_clip || run->patched > from + PHYSAD__CLIP_STEP);
        if (rest) { /* what is left, with what came before it */
            to = run->patched;
            from = physad__max(run->dropped, to - PHYSAD__CLIP);
        }
        if (to > run->patched || to <= from)
            return;
        const double score = physad__motion_clip_score(m, c, from - run->dropped, to - run->dropped, values);
        if (!run->any_clip || score > run->clip_score) {
            run->any_clip = true;
            run->clip_score = score;
            memcpy(run->clip_values, values, sizeof(values));
        }
        run->next_clip += PHYSAD__CLIP_STEP;
        const int64_t drop = physad__max(0, run->next_clip - PHYSAD__CLIP_STEP - run->dropped);
        physad__motion_run_drop(run, drop);
        if (rest)
            return;
    }
}

static physad_status take_plane(physad__motion_run *run, const float *plane, physad__call *call)
{
    float *tiny = run->tiny + (run->planes % 2) * PHYSAD__TINY;
    plane = physad__motion_steady_push(&run->steady, plane);
    physad__motion_front_push(&run->front, plane, run->cells, tiny);
    if (run->model->episodes && run->model->bank != NULL && keeps(run))
        PHYSAD__TRY(physad__look_push(&run->look, run->mem, plane, run->front.height, run->front.width));
    run->planes++;
    if (run->planes == 1)
        return PHYSAD_OK;
    if (run->planes == 2) /* the first moves as the second does */
        PHYSAD__TRY(take_cells(run, run->tiny));
    PHYSAD__TRY(take_cells(run, tiny));
    PHYSAD__TRY(score_patches(run, false, call));
    if (run->drain != NULL)
        PHYSAD__TRY(run->drain->taken(run->drain->user, run));
    PHYSAD__TRY(score_planes(run, false));
    score_clips(run, false);
    return PHYSAD_OK;
}

/* What the frames tell of. */
static physad_status take_planes(physad__motion_run *run, bool end, physad__call *call)
{
    const float *plane;
    for (;;) {
        PHYSAD__TRY(physad__motion_pace_next(&run->pace, end, &plane));
        if (plane == NULL)
            return PHYSAD_OK;
        run->ends[run->pace.frames - run->ends_from - 1] = run->pace.planes;
        PHYSAD__TRY(take_plane(run, plane, call));
    }
}

physad_status physad__motion_run_push(physad__motion_run *run, const physad_view *grey, double seconds,
                                      physad__call *call)
{
    const int64_t waiting = run->pace.frames - run->ends_from;
    PHYSAD__TRY(physad__grow(run->mem, &run->ends, &run->end_capacity, waiting + 1, sizeof(*run->ends), "a take"));
    PHYSAD__TRY(physad__motion_pace_push(&run->pace, grey, seconds));
    run->ends[waiting] = run->pace.planes;
    return take_planes(run, false, call);
}

physad_status physad__motion_run_end(physad__motion_run *run, physad__call *call)
{
    if (run->pace.frames < 2)
        return physad__error(PHYSAD_ERR_SHAPE, "a video of %lld frame%s has no motion; want two or more",
                             (long long)run->pace.frames, run->pace.frames == 1 ? "" : "s");
    PHYSAD__TRY(take_planes(run, true, call));
    run->course.coarse = COARSE * run->pace.made > run->pace.planes;
    PHYSAD__TRY(score_patches(run, true, call));
    PHYSAD__TRY(score_planes(run, true));
    score_clips(run, true);
    return PHYSAD_OK;
}

/* --- the verdict ---------------------------------------------------------------------------------------------------
 */

static physad_status tell(const physad__motion_run *run, physad_result *r, const double *values,
                          const physad__take_finding *finding)
{
    char text[1024];
    const physad__oddest *o = &run->worst.oddest;
    const double cell_y = (double)run->pace.source_height / (double)run->front.height * PHYSAD__MOTION_CELL;
    const double cell_x = (double)run->pace.source_width / (double)run->front.width * PHYSAD__MOTION_CELL;
    physad__motion_say(run->model, values, finding, run->clip_score, run->worst.plane, text, sizeof(text));
    r->verdict = physad__strdup(run->mem, text);
    r->worst_frame = run->worst.frame;
    r->worst_distance = o->distance;
    r->worst_y = o->sample < 0 ? NAN : ((double)(o->place / run->front.columns) + 1.5) * cell_y;
    r->worst_x = o->sample < 0 ? NAN : ((double)(o->place % run->front.columns) + 1.5) * cell_x;
    r->near_sample = o->sample;
    r->near_frame = o->frame;
    return r->verdict != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

physad_status physad__motion_run_finish(physad__motion_run *run, physad_result *r, physad__call *call)
{
    const physad__motion_model *m = run->model;
    physad__take_finding finding = { 0 };
    int64_t frame;
    double score;
    PHYSAD__TRY(physad__motion_run_end(run, call));
    if (m->episodes)
        PHYSAD__TRY(physad__motion_take_score(m, run->mem, &run->course, &run->look, &finding));
    if (finding.phase != 0)
        PHYSAD__TRY(score_anew(run, finding.phase));
    r->photo_height = run->pace.source_height;
    r->photo_width = run->pace.source_width;
    while (physad__motion_run_take(run, &frame, &score))
        PHYSAD__TRY(physad__result_push_frame(r, run->mem, score));
    if (!m->episodes) {
        r->score = run->clip_score;
        return tell(run, r, run->clip_values, NULL);
    }
    r->score = finding.score;
    return tell(run, r, finding.values, &finding);
}
