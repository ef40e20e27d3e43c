/* SPDX-License-Identifier: Apache-2.0 */
/* A take frame by frame: from pixels to the frames' scores, the take's, and words for what is odd. The memory it takes
 * hangs on the size of a frame and the length of a normal take, not on how long it lasts, but for the scores
 * themselves. */
#include "detect/motion.h"

#include <math.h>
#include <stdlib.h>

enum { COARSE = 4 };  /* a take is coarse where one plane of so many lies between frames */
enum { LONGEST = 4 }; /* a take of so many normal ones' length is kept no further */
static const double NOTHING = 1e-3, CLEAR = 2;

/* --- how odd -------------------------------------------------------------------------------------------------------
 */

double physad__usual_z(const physad__usual *usual, double value)
{
    return (log(value + NOTHING) - usual->middle) / usual->spread;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void physad__usual_learn(physad__usual *usual, double *values, int64_t count)
{
    double sum = 0, square = 0;
    for (int64_t i = 0; i < count; i++)
        values[i] = log(values[i] + NOTHING);
    qsort(values, (size_t)count, sizeof(*values), ascending);
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
    qsort(room, (size_t)count, sizeof(*room), ascending);
    memset(pools, 0, PHYSAD__POOLS * sizeof(*pools));
    pools[PHYSAD__POOL_MAX] = room[count - 1];
    for (int64_t i = 0; i < count; i++) {
        pools[PHYSAD__POOL_MEAN] += room[i] / (double)count;
        if (i >= count - top)
            pools[PHYSAD__POOL_TOP] += room[i] / (double)top;
    }
}

/* z of each pool of the frames' patch scores. */
static void pool_odds(const physad__motion_model *m, const double *scores, int64_t count, double *room, double *odds)
{
    double pools[PHYSAD__POOLS];
    physad__motion_pools(scores, count, room, pools);
    for (int i = 0; i < PHYSAD__POOLS; i++)
        odds[i] = physad__usual_z(&m->pool[i], pools[i]);
}

double physad__motion_take_score(const physad__motion_model *m, const physad__course *c, double rate, int64_t without,
                                 double *room, double *odds, double *values)
{
    float row[PHYSAD__VIEW_MOST];
    int64_t worst;
    for (int64_t v = 0; v < PHYSAD__VIEWS; v++) {
        odds[v] = 0;
        if (c->coarse && physad__view_kinds[v].fine)
            continue;
        physad__view_kinds[v].fill(c, &m->scale, row);
        odds[v] = physad__usual_z(&m->view[v].usual, physad__view_distance(m, v, row, without));
    }
    physad__rules_measure(c, 0, c->frames, &m->scale, rate, values);
    odds[PHYSAD__VIEWS] = physad__usual_z(&m->rule, physad__rules_oddness(m->rules, values, &worst));
    pool_odds(m, c->patches, c->frames, room, odds + PHYSAD__VIEWS + 1);
    return physad__motion_join(odds, PHYSAD__ODDS);
}

/* A clip of a stream: the deviation of its patches' mean score over time. What is odd stays so for a clip's length,
 * while the highest of so many frames hangs on one (tried on normal recordings in which one thing was hurried, enlarged
 * or made to glide: AUROC 0.91 by the mean, 0.82 by the maximum, 0.86 by both). The clip's rules are told in words and
 * do not count: what goes on in a clip as a whole varies with how many things pass (tried likewise: counted in, they
 * hid the odd thing). */
static double clip_score(const physad__motion_model *m, const physad__course *c, int64_t from, int64_t to, double rate,
                         double *values)
{
    double odds[PHYSAD__POOLS], room[PHYSAD__CLIP];
    physad__rules_measure(c, from, to, &m->scale, rate, values);
    pool_odds(m, c->patches + from, to - from, room, odds);
    return odds[PHYSAD__POOL_MEAN];
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
static double deviation_of(const physad__motion_model *m, const physad__course *c, int64_t point)
{
    float row[PHYSAD__VIEW_MOST_CHANNELS];
    double sum = 0;
    int views = 0;
    for (int64_t v = 0; v < PHYSAD__VIEWS; v++) {
        if (physad__view_kinds[v].curve == NULL)
            continue;
        physad__view_point(c, &m->scale, &physad__view_kinds[v], point, row);
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
    *run = (physad__motion_run){ .model = model, .mem = mem };
    physad_status status =
        physad__motion_pace_open(&run->pace, model->ctx, model->height, model->width, model->rate, rate);
    if (status == PHYSAD_OK)
        status = physad__motion_front_open(&run->front, model->ctx, model->height, model->width);
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
    physad__motion_front_close(&run->front);
    physad__patches_close(&run->patches);
    physad__course_free(&run->course);
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
    physad__patches_push(&run->patches, run->cells);
    return keeps(run) ? physad__course_push(&run->course, run->mem, &moment, tiny) : PHYSAD_OK;
}

/* Scores the patches of the planes that are ready. */
static physad_status score_patches(physad__motion_run *run, bool end, physad__call *call)
{
    const physad__motion_model *m = run->model;
    while (m->bank != NULL && physad__patches_next(&run->patches, end)) {
        const int64_t t = run->patched, at = t - run->dropped, kept = t - run->left;
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

/* In an episode a plane is also odd by what it does at its time, once what lies around it has come. */
static void score_planes(physad__motion_run *run, bool end)
{
    const physad__motion_model *m = run->model;
    for (; run->scored < run->patched; run->scored++) {
        const int64_t t = run->scored, kept = t - run->left;
        double z[2] = { run->scores[kept], 0 };
        if (m->episodes && m->count > 0 && t < run->course.frames) {
            const int64_t point = physad__view_point_of(&m->scale, t);
            if (!end && run->course.frames <= physad__view_point_last(&m->scale, point))
                return;
            z[1] = physad__usual_z(&m->point, deviation_of(m, &run->course, point));
        }
        run->scores[kept] = physad__motion_join(z, m->episodes ? 2 : 1);
        if (t == 0 || run->scores[kept] > run->worst_score) {
            run->worst_score = run->scores[kept];
            run->worst_plane = t;
            run->worst_frame = physad__motion_run_frame(run, t);
            run->worst = run->oddest[kept];
        }
    }
}

/* --- frames and planes ---------------------------------------------------------------------------------------------
 */

int64_t physad__motion_run_frame(const physad__motion_run *run, int64_t plane)
{
    int64_t low = 0, high = physad__max(0, run->pace.frames - run->taken - 1);
    while (low < high) { /* the first that had come when more than `plane` were there */
        const int64_t middle = (low + high) / 2;
        if (run->ends[middle] > plane)
            high = middle;
        else
            low = middle + 1;
    }
    return run->taken + low;
}

/* A frame's score is the highest of the planes that came with it; without any, that of the one before. */
bool physad__motion_run_take(physad__motion_run *run, int64_t *frame, double *score)
{
    if (run->taken == run->pace.frames || run->ends[0] > run->scored || run->scored == 0)
        return false;
    const int64_t count = run->ends[0] - run->left;
    for (int64_t i = 0; i < count; i++)
        run->last_score = i == 0 || run->scores[i] > run->last_score ? run->scores[i] : run->last_score;
    *score = run->last_score;
    *frame = run->taken++;
    if (count > 0)
        run->last_score = run->scores[count - 1];
    run->left += count;
    const size_t rest = (size_t)(run->patched - run->left), frames = (size_t)(run->pace.frames - run->taken);
    memmove(run->scores, run->scores + count, rest * sizeof(*run->scores));
    memmove(run->oddest, run->oddest + count, rest * sizeof(*run->oddest));
    memmove(run->ends, run->ends + 1, frames * sizeof(*run->ends));
    return true;
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
        const double score = clip_score(m, c, from - run->dropped, to - run->dropped, run->model->rate, values);
        if (!run->any_clip || score > run->clip_score) {
            run->any_clip = true;
            run->clip_score = score;
            run->clip_from = from;
            memcpy(run->clip_values, values, sizeof(values));
        }
        run->next_clip += PHYSAD__CLIP_STEP;
        const int64_t drop = physad__max(0, run->next_clip - PHYSAD__CLIP_STEP - run->dropped);
        c->frames -= drop;
        run->dropped += drop;
        memmove(c->moments, c->moments + drop, (size_t)c->frames * sizeof(*c->moments));
        memmove(c->patches, c->patches + drop, (size_t)c->frames * sizeof(*c->patches));
        memmove(c->tiny, c->tiny + drop * PHYSAD__TINY, (size_t)(c->frames * PHYSAD__TINY) * sizeof(float));
        if (rest)
            return;
    }
}

static physad_status take_plane(physad__motion_run *run, const float *plane, physad__call *call)
{
    float *tiny = run->tiny + (run->planes % 2) * PHYSAD__TINY;
    physad__motion_front_push(&run->front, plane, run->cells, tiny);
    run->planes++;
    if (run->planes == 1)
        return PHYSAD_OK;
    if (run->planes == 2) /* the first moves as the second does */
        PHYSAD__TRY(take_cells(run, run->tiny));
    PHYSAD__TRY(take_cells(run, tiny));
    PHYSAD__TRY(score_patches(run, false, call));
    if (run->drain != NULL)
        PHYSAD__TRY(run->drain->taken(run->drain->user, run));
    score_planes(run, false);
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
        run->ends[run->pace.frames - run->taken - 1] = run->pace.planes;
        PHYSAD__TRY(take_plane(run, plane, call));
    }
}

physad_status physad__motion_run_push(physad__motion_run *run, const physad_view *grey, double seconds,
                                      physad__call *call)
{
    const int64_t waiting = run->pace.frames - run->taken;
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
    score_planes(run, true);
    score_clips(run, true);
    return PHYSAD_OK;
}

/* --- the verdict ---------------------------------------------------------------------------------------------------
 */

/* The broken rules, the worst first, and the view that is odd where none is broken. */
static void say(const physad__motion_model *m, const double *values, const double *odds, int64_t worst,
                char *out, size_t size)
{
    char one[256];
    bool told[PHYSAD__RULES] = { false };
    size_t used = 0;
    out[0] = '\0';
    for (int n = 0; n < 3; n++) {
        int64_t k = -1;
        for (int64_t i = 0; i < PHYSAD__RULES; i++)
            if (m->rules[i].used && !told[i] && (values[i] < m->rules[i].low || values[i] > m->rules[i].high) &&
                (k < 0 || fabs(physad__rule_deviation(&m->rules[i], values[i])) >
                              fabs(physad__rule_deviation(&m->rules[k], values[k]))))
                k = i;
        if (k < 0)
            break;
        told[k] = true;
        physad__rule_say(one, sizeof(one), k, &m->rules[k], values[k]);
        physad__snprintf(out + used, size - used, "%s%s", n > 0 ? "; " : "", one);
        used = strlen(out);
    }
    int64_t odd = 0;
    for (int64_t i = 1; odds != NULL && i < PHYSAD__VIEWS; i++)
        odd = odds[i] > odds[odd] ? i : odd;
    if (used == 0 && odds != NULL && odds[odd] > CLEAR)
        physad__snprintf(out, size, "no single rule is broken; unlike any normal video: %s",
                         physad__view_kinds[odd].words);
    used = strlen(out);
    if (used > 0)
        physad__snprintf(out + used, size - used, "; oddest at %.2f s", (double)worst / m->rate);
}

static physad_status tell(const physad__motion_run *run, physad_result *r, const double *values, const double *odds)
{
    char text[1024];
    const physad__oddest *o = &run->worst;
    const double cell_y = (double)run->pace.source_height / (double)run->front.height * PHYSAD__MOTION_CELL;
    const double cell_x = (double)run->pace.source_width / (double)run->front.width * PHYSAD__MOTION_CELL;
    say(run->model, values, odds, run->worst_plane, text, sizeof(text));
    r->verdict = physad__strdup(run->mem, text);
    r->worst_frame = run->worst_frame;
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
    double odds[PHYSAD__ODDS], values[PHYSAD__RULES], score;
    int64_t frame;
    PHYSAD__TRY(physad__motion_run_end(run, call));
    r->photo_height = run->pace.source_height;
    r->photo_width = run->pace.source_width;
    while (physad__motion_run_take(run, &frame, &score))
        PHYSAD__TRY(physad__result_push_frame(r, run->mem, score));
    if (!m->episodes) {
        r->score = run->clip_score;
        return tell(run, r, run->clip_values, NULL);
    }
    double *room = physad__alloc_array(run->mem, run->course.frames, sizeof(*room), "scores");
    if (room == NULL)
        return PHYSAD_ERR_NOMEM;
    r->score = physad__motion_take_score(m, &run->course, m->rate, -1, room, odds, values);
    physad__free(room);
    return tell(run, r, values, odds);
}
