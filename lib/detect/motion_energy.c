/* SPDX-License-Identifier: Apache-2.0 */
/* How much moves: a quantile over the pixels of the difference between neighbouring frames. The default, 0.99, asks for
 * what one pixel in a hundred exceeds: a tenth of the frame by a tenth is the least thing that is to count. It learns
 * nothing but, where both sides count, how much is usual; what learns must do better. */
#include "detect/detect.h"
#include "metrics/metrics.h"

#include <math.h>

enum { LEVELS = 256 };
static const double LEAST_ENERGY =
    1.0 / 1024; /* of 0..1; keeps the logarithm of a still frame near that of the faintest change */

/* What is usual, as logarithms of energy. */
typedef struct usual {
    double middle,
        spread; /* median; 1.4826 times the median distance from it, so that it estimates a standard deviation */
} usual;

typedef struct motion {
    usual frames, videos;
} motion;

static const physad__option rows[] = {
    { "quantile", PHYSAD_OPTION_REAL, "0.99", 0, 1, NULL,
      "a frame's energy: this quantile over its pixels of |frame - frame before|", NULL },
    { "pool", PHYSAD_OPTION_CHOICE, "top", 0, 0, "top|max|mean",
      "a video's energy from its frames': the mean of the greatest sixteenth, the greatest, or the mean of all", NULL },
    { "sides", PHYSAD_OPTION_CHOICE, "high", 0, 0, "high|both",
      "what is odd: much motion, or both much and little, in deviations of log energy from the normal videos'", NULL },
    { "height", PHYSAD_OPTION_INT, "0", 0, 4096, NULL, "rows to which frames are resized; 0: as stored", NULL },
};

/* --- energy --------------------------------------------------------------------------------------------------------
 */

static double quantile_of(const int64_t *histogram, int64_t count, double q)
{
    const double at = q * (double)(count - 1);
    const int64_t low = (int64_t)at;
    double values[2] = { LEVELS - 1, LEVELS - 1 };
    int64_t seen = 0;
    int next = 0;
    for (int level = 0; level < LEVELS && next < 2; level++) {
        seen += histogram[level];
        while (next < 2 && physad__min(low + next, count - 1) < seen)
            values[next++] = level;
    }
    return (values[0] + (at - (double)low) * (values[1] - values[0])) / (LEVELS - 1);
}

static double difference(const uint8_t *a, const uint8_t *b, int64_t count, double q)
{
    int64_t histogram[LEVELS] = { 0 };
    for (int64_t i = 0; i < count; i++)
        histogram[a[i] < b[i] ? b[i] - a[i] : a[i] - b[i]]++;
    return quantile_of(histogram, count, q);
}

/* The energy of each frame into r->frame_scores; the first frame's is the second's. */
static physad_status measure(const physad_detector *det, physad_video *v, physad_result *r)
{
    physad__mem *mem = &det->ctx->mem;
    physad_frame f = PHYSAD_FRAME_INIT;
    const double q = physad__option_real(det, "quantile");
    PHYSAD__TRY(physad_video_read(v, &f));
    const int64_t count = physad__view_count(&f.pixels);
    uint8_t *before = physad__alloc(mem, (size_t)count, "a frame");
    physad_status status = before != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    for (bool first = true; status == PHYSAD_OK && f.pixels.data != NULL; first = false) {
        status = physad__result_push_frame(r, mem, first ? 0 : difference(before, f.pixels.data, count, q));
        memcpy(before, f.pixels.data, (size_t)count);
        if (status == PHYSAD_OK)
            status = physad_video_read(v, &f);
    }
    if (status == PHYSAD_OK && r->frame_count > 1)
        r->frame_scores[0] = r->frame_scores[1];
    physad__free(before);
    return status;
}

static physad_video_options video_options(const physad_detector *det)
{
    physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
    o.channels = 1;
    o.height = physad__option_int(det, "height");
    return o;
}

static physad_status pool(const physad_detector *det, const physad_result *r, double *out)
{
    const int32_t how = physad__option_is(det, "pool", "max")    ? PHYSAD_POOL_MAX
                        : physad__option_is(det, "pool", "mean") ? PHYSAD_POOL_MEAN
                                                                 : PHYSAD_POOL_TOP;
    return physad__pool_frames(out, &det->ctx->mem, r->frame_scores, r->frame_count, how);
}

/* --- what is usual -------------------------------------------------------------------------------------------------
 */

static double log_energy(double energy)
{
    return log(energy + LEAST_ENERGY);
}

/* Reorders the values. */
static usual learn(double *values, int64_t n)
{
    usual u = { physad__median(values, n), 0 };
    for (int64_t i = 0; i < n; i++)
        values[i] = fabs(values[i] - u.middle);
    /* Alike videos: a thousandth of their energy counts as one deviation. */
    u.spread = fmax(1.4826 * physad__median(values, n), 1e-3);
    return u;
}

static double oddness(const usual *u, double energy)
{
    return fabs(log_energy(energy) - u->middle) / u->spread;
}

/* Energies to scores. */
static physad_status judge(const physad_detector *det, const motion *m, physad_result *r)
{
    double energy;
    PHYSAD__TRY(pool(det, r, &energy));
    r->score = energy;
    if (physad__option_is(det, "sides", "high"))
        return PHYSAD_OK;
    r->score = oddness(&m->videos, energy);
    for (int64_t i = 0; i < r->frame_count; i++)
        r->frame_scores[i] = oddness(&m->frames, r->frame_scores[i]);
    return PHYSAD_OK;
}

/* --- the method ----------------------------------------------------------------------------------------------------
 */

static void free_model(void *model)
{
    physad__free(model);
}

/* Energies of all training videos, one after the other. */
typedef struct energies {
    double *frames, *videos; /* logarithms of those in the model */
    int64_t frame_count, frame_capacity, video_count;
    physad_result *of; /* one per video */
} energies;

static physad_status measure_sample(const physad_detector *det, const physad_sample *s, bool aside, energies *e,
                                    physad_result *r)
{
    physad_video *v;
    double energy;
    const physad_video_options o = video_options(det);
    if (s->kind != PHYSAD_KIND_VIDEO && s->kind != PHYSAD_KIND_FRAMES)
        return physad__error(PHYSAD_ERR_ARG, "%s: no video; %s is for videos and folders of frames", s->path,
                             det->method->name);
    PHYSAD__TRY(physad_video_open(&v, det->ctx, s->file, &o));
    physad_status status = measure(det, v, r);
    physad_video_free(v);
    if (status == PHYSAD_OK)
        status = pool(det, r, &energy);
    if (status != PHYSAD_OK || aside)
        return status;
    PHYSAD__TRY(physad__grow(&det->ctx->mem, &e->frames, &e->frame_capacity, e->frame_count + r->frame_count,
                             sizeof(double), "energies"));
    for (int64_t i = 0; i < r->frame_count; i++)
        e->frames[e->frame_count++] = log_energy(r->frame_scores[i]);
    e->videos[e->video_count++] = log_energy(energy);
    return PHYSAD_OK;
}

static physad_status fit_all(physad_detector *det, const physad_dataset *normals, const uint8_t *aside, double *scores,
                             energies *e, motion *m, physad__call *call)
{
    const int64_t n = physad_dataset_count(normals), before = det->skipped_count;
    physad__call_stage(call, "videos", n);
    for (int64_t i = 0; i < n; i++) {
        const physad_status status =
            measure_sample(det, physad_dataset_sample(normals, i), aside[i] != 0, e, &e->of[i]);
        PHYSAD__TRY(physad__sample_read(det, normals, i, call, status));
        PHYSAD__TRY(physad__call_tick(call, i + 1));
    }
    PHYSAD__TRY(physad__all_samples_read(det, before));
    if (e->video_count == 0)
        return physad__error(PHYSAD_ERR_ARG, "%s: no normal video is left for the model", det->method->name);
    m->frames = learn(e->frames, e->frame_count);
    m->videos = learn(e->videos, e->video_count);
    for (int64_t i = 0; i < n; i++) {
        if (aside[i])
            PHYSAD__TRY(judge(det, m, &e->of[i]));
        scores[i] = e->of[i].score;
    }
    return PHYSAD_OK;
}

static physad_status fit(physad_detector *det, const physad_dataset *normals, const uint8_t *aside, double *scores,
                         physad__call *call, void **model)
{
    physad__mem *mem = &det->ctx->mem;
    const int64_t n = physad_dataset_count(normals);
    energies e = { .videos = physad__alloc_array(mem, n, sizeof(double), "energies"),
                   .of = physad__alloc_zero(mem, (size_t)n * sizeof(*e.of), "energies") };
    motion *m = physad__alloc_zero(mem, sizeof(*m), "model");
    physad_status status = e.videos != NULL && e.of != NULL && m != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = fit_all(det, normals, aside, scores, &e, m, call);
    for (int64_t i = 0; e.of != NULL && i < n; i++)
        physad__free(e.of[i].frame_scores);
    physad__free(e.of);
    physad__free(e.frames);
    physad__free(e.videos);
    if (status != PHYSAD_OK) {
        physad__free(m);
        return status;
    }
    *model = m;
    return PHYSAD_OK;
}

static physad_status score_video(const physad_detector *det, const physad_video *video, physad_result *result,
                                 physad__call *call)
{
    physad_video *v;
    const physad_video_options o = video_options(det);
    PHYSAD__TRY(physad__video_beside(&v, video, &o));
    const physad_status status = measure(det, v, result);
    physad_video_free(v);
    return status == PHYSAD_OK ? judge(det, det->model, result) : status;
}

static const int64_t shape[1] = { 4 };

static physad_status declare(const physad_detector *det, physad__tensors_writer *writer, json_t *config)
{
    return physad__tensors_writer_declare(writer, "motion.usual", PHYSAD_F64, 1, shape);
}

static physad_status write(const physad_detector *det, physad__tensors_writer *writer)
{
    const motion *m = det->model;
    double values[4] = { m->frames.middle, m->frames.spread, m->videos.middle, m->videos.spread };
    const physad_view view = physad_view_array(values, PHYSAD_F64, 1, shape);
    return physad__tensors_writer_append(writer, "motion.usual", &view);
}

static physad_status read_values(const physad_tensors *file, double *values)
{
    physad_view from, to = physad_view_array(values, PHYSAD_F64, 1, shape);
    PHYSAD__TRY(physad__tensors_need(file, "motion.usual", PHYSAD_F64, 1, shape, &from));
    PHYSAD__TRY(physad__view_copy(&to, &from));
    for (int i = 0; i < 4; i++)
        if (!isfinite(values[i]) || (i % 2 == 1 && values[i] <= 0))
            return physad__error(PHYSAD_ERR_FORMAT, "motion.usual[%d] is %g", i, values[i]);
    return PHYSAD_OK;
}

static physad_status read_model(physad_detector *det, physad_tensors *file, const json_t *config, void **model)
{
    double values[4];
    PHYSAD__TRY(read_values(file, values));
    motion *m = physad__alloc_zero(&det->ctx->mem, sizeof(*m), "model");
    if (m == NULL)
        return PHYSAD_ERR_NOMEM;
    *m = (motion){ { values[0], values[1] }, { values[2], values[3] } };
    *model = m;
    physad_tensors_free(file); /* all of it was taken */
    return PHYSAD_OK;
}

const physad__method physad__method_motion_energy = {
    .name = "motion-energy",
    .title = "motion energy: how much neighbouring frames differ, without learning",
    .source = "ours: what every method that learns must beat",
    .input = PHYSAD_INPUT_VIDEO,
    .supervision = PHYSAD_UNSUPERVISED,
    .options = { rows, PHYSAD__COUNT(rows) },
    .fit = fit,
    .score_video = score_video,
    .declare = declare,
    .write = write,
    .read = read_model,
    .free = free_model,
};
