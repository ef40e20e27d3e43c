/* SPDX-License-Identifier: Apache-2.0 */
/* Videos of an evaluation: clips with a label as samples; recordings with a label per frame for the frames' figure. */
#include "report/report_run.h"

#include <physad/video.h>

#include <math.h>

/* Neighbouring frames are alike, so intervals go by whole recordings, or where there are few of them by blocks of
 * frames. */
enum { FEW_RECORDINGS = 10, BLOCK = 25 };

static bool is_video(const physad_sample *s)
{
    return s->kind == PHYSAD_KIND_VIDEO || s->kind == PHYSAD_KIND_FRAMES;
}

bool physad__run_is_video(const physad_dataset *samples)
{
    return physad_dataset_count(samples) > 0 && is_video(physad_dataset_sample(samples, 0));
}

static int64_t labelled(const physad_dataset *samples)
{
    int64_t n = 0;
    for (int64_t i = 0; i < physad_dataset_count(samples); i++)
        n += physad_dataset_sample(samples, i)->frame_file != NULL;
    return n;
}

/* --- frames --------------------------------------------------------------------------------------------------------
 */

static physad_status add_frames(physad__run_state *run, const physad_sample *s, const physad_result *r,
                                const uint8_t *labels, int64_t count)
{
    const int64_t n = physad_result_frame_count(r);
    const double *scores = physad_result_frame_scores(r);
    char group[64];
    if (n != count)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: %lld labels in %s, but %lld frames", s->path, (long long)count,
                             s->frame_file, (long long)n);
    for (int64_t i = 0; i < n; i++) {
        if (isnan(scores[i]))
            return physad__error(PHYSAD_ERR_NUMERIC, "%s: the score of frame %lld is NaN", s->path, (long long)i);
        physad__snprintf(group, sizeof(group), "%lld/%lld", (long long)run->recordings,
                         run->by_blocks ? (long long)(i / BLOCK) : 0);
        PHYSAD__TRY(physad_scores_add(run->frames, scores[i], labels[i], labels[i] != 0 ? "frame" : "good", group));
    }
    run->recordings++;
    return PHYSAD_OK;
}

static physad_status count_frames(physad__run_state *run, const physad_dataset *samples, int64_t index,
                                  const physad_result *r)
{
    const physad_sample *s = physad_dataset_sample(samples, index);
    physad__mem *mem = &run->ctx->mem;
    int64_t count = 0;
    if (s->frame_file == NULL)
        return PHYSAD_OK;
    PHYSAD__TRY(physad_dataset_read_frame_labels(samples, index, NULL, 0, &count));
    uint8_t *labels = physad__alloc_array(mem, count, 1, "labels of frames");
    if (labels == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_status status = physad_dataset_read_frame_labels(samples, index, labels, count, &count);
    if (status == PHYSAD_OK)
        status = add_frames(run, s, r, labels, count);
    physad__free(labels);
    return status;
}

/* --- what is kept of a video ---------------------------------------------------------------------------------------
 */

void physad__take_free(physad__take *take)
{
    if (take == NULL)
        return;
    physad__free(take->scores);
    physad__free(take->verdict);
    physad__free(take->near_path);
    physad__free(take);
}

/* Where and why, of methods that tell it. */
static physad_status fill_worst(physad__take *t, physad__mem *mem, const physad_result *r)
{
    physad_worst worst = PHYSAD_WORST_INIT;
    if (physad_result_worst(r, &worst) != PHYSAD_OK)
        return PHYSAD_OK; /* the method does not keep it */
    t->worst = worst.frame;
    t->y = worst.y;
    t->x = worst.x;
    t->distance = isnan(worst.y) ? (double)NAN : worst.distance;
    t->near_frame = worst.near_frame;
    t->verdict = physad__strdup(mem, physad_result_verdict(r));
    t->near_path = worst.path != NULL ? physad__strdup(mem, worst.path) : NULL;
    return t->verdict != NULL && (worst.path == NULL || t->near_path != NULL) ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

static physad_status fill_take(physad__take *t, physad__mem *mem, const physad_result *r, const physad_video *video)
{
    physad_video_info info = PHYSAD_VIDEO_INFO_INIT;
    const double *scores = physad_result_frame_scores(r);
    PHYSAD__TRY(physad_video_describe(video, &info));
    t->rate = info.frame_rate;
    t->y = t->x = t->distance = NAN;
    t->scores = physad__alloc_array(mem, physad_result_frame_count(r), sizeof(*t->scores), "scores of frames");
    if (t->scores == NULL)
        return PHYSAD_ERR_NOMEM;
    for (; t->frames < physad_result_frame_count(r); t->frames++) {
        t->scores[t->frames] = scores[t->frames];
        if (scores[t->frames] > scores[t->worst])
            t->worst = t->frames;
    }
    return fill_worst(t, mem, r);
}

/* To the sample that was counted last. */
static physad_status keep_take(physad__run_state *run, const physad_result *r, const physad_video *video)
{
    physad__take *t = physad__alloc_zero(&run->ctx->mem, sizeof(*t), "a scored video");
    if (t == NULL)
        return PHYSAD_ERR_NOMEM;
    run->report->samples[run->report->sample_count - 1].take = t;
    return fill_take(t, &run->ctx->mem, r, video);
}

/* --- pictures ------------------------------------------------------------------------------------------------------
 */

static const char *file_of(const physad_dataset *train, const char *path)
{
    for (int64_t i = 0; i < physad_dataset_count(train); i++)
        if (strcmp(physad_dataset_sample(train, i)->path, path) == 0)
            return physad_dataset_sample(train, i)->file;
    return NULL;
}

static physad_status draw_frame(physad__run_state *run, const char *file, int64_t frame, physad__thumb *thumb)
{
    physad_video *video;
    physad_frame f = PHYSAD_FRAME_INIT;
    PHYSAD__TRY(physad_video_open(&video, run->ctx, file, NULL));
    physad_status status = physad_video_seek(video, frame);
    if (status == PHYSAD_OK)
        status = physad_video_read(video, &f);
    if (status == PHYSAD_OK && f.pixels.data != NULL)
        status = physad__gallery_picture(thumb, run, &f.pixels);
    physad_video_free(video);
    return status;
}

/* The normal moment beside the oddest one; what cannot be shown, as a training video that has gone, is left out. */
static physad_status show_normal(physad__run_state *run, const physad__take *t, physad__thumbs *thumbs)
{
    const char *file = t->near_path != NULL && run->train != NULL ? file_of(run->train, t->near_path) : NULL;
    if (file == NULL)
        return PHYSAD_OK;
    const physad_status status = draw_frame(run, file, t->near_frame, &thumbs->image[PHYSAD__THUMB_NEAREST]);
    return status == PHYSAD_ERR_NOMEM || status == PHYSAD_ERR_CANCELLED ? status : PHYSAD_OK;
}

/* The frame with the highest score, under its map where the method keeps them. */
static physad_status show_worst(physad__run_state *run, physad_video *video, const physad_scored *s)
{
    physad_frame f = PHYSAD_FRAME_INIT;
    const physad__take *t = run->report->samples[run->report->sample_count - 1].take;
    int64_t shape[2];
    if (!physad__gallery_wants(run->report, run->options->gallery))
        return PHYSAD_OK;
    PHYSAD__TRY(physad_video_seek(video, t->worst));
    PHYSAD__TRY(physad_video_read(video, &f));
    if (f.pixels.data == NULL)
        return PHYSAD_OK;
    PHYSAD__TRY(physad_result_input_map_shape(s->result, &shape[0], &shape[1]));
    float *map = shape[0] > 0 ? physad__alloc_array(&run->ctx->mem, shape[0] * shape[1], sizeof(*map), "a map") : NULL;
    if (shape[0] > 0 && map == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_view view = physad_view_array(map, PHYSAD_F32, 2, shape);
    const bool mapped = map != NULL && physad_result_frame_map(s->result, t->worst, &view) == PHYSAD_OK;
    const physad_status status = physad__gallery_add(run, s, &f.pixels, mapped ? &view : NULL, NULL);
    physad__free(map);
    physad__thumbs *thumbs = run->report->samples[run->report->sample_count - 1].thumbs;
    return status == PHYSAD_OK && thumbs != NULL ? show_normal(run, t, thumbs) : status;
}

/* --- videos --------------------------------------------------------------------------------------------------------
 */

static physad_status count_video(physad__run_state *run, const physad_dataset *samples, int64_t index,
                                 const physad_result *result, physad_video *video, double took)
{
    physad__report *r = run->report;
    const physad_sample *sample = physad_dataset_sample(samples, index);
    const physad_scored s = { r->method, samples, index, sample, run->detector, result, physad_result_score(result) };
    if (isnan(s.score))
        return physad__error(PHYSAD_ERR_NUMERIC, "the score is NaN");
    PHYSAD__TRY(count_frames(run, samples, index, result));
    if (sample->label != 0 && sample->label != 1)
        return PHYSAD_OK;
    PHYSAD__TRY(physad__run_count(run, &s, NULL));
    PHYSAD__TRY(keep_take(run, result, video));
    PHYSAD__TRY(show_worst(run, video, &s));
    run->milliseconds[r->n_test++] = 1000 * took;
    if (run->options->scored != NULL && run->options->scored(&s, run->options->scored_user) != 0)
        return physad__error(PHYSAD_ERR_CANCELLED, "cancelled by the callback for scored samples");
    return PHYSAD_OK;
}

physad_status physad__run_video(physad__run_state *run, const physad_dataset *samples, int64_t index)
{
    physad_video *video = NULL;
    physad_result *result = NULL;
    const double start = physad__seconds();
    PHYSAD__TRY(physad_video_open(&video, run->ctx, physad_dataset_sample(samples, index)->file, NULL));
    physad_status status = physad_detector_score_video(run->detector, video, run->options->pool, &result);
    if (status == PHYSAD_OK)
        status = count_video(run, samples, index, result, video, physad__seconds() - start);
    physad_result_free(result);
    physad_video_free(video);
    return status;
}

/* --- whole recordings ----------------------------------------------------------------------------------------------
 */

static physad_status score_whole(physad__run_state *run, const physad_dataset *whole)
{
    const int64_t n = physad_dataset_count(whole);
    physad__call_stage(run->call, "recordings", n);
    for (int64_t i = 0; i < n; i++) {
        const physad_status status = physad__run_video(run, whole, i);
        if (status != PHYSAD_OK)
            return physad__error_prefix(status, "%s", physad_dataset_sample(whole, i)->path);
        PHYSAD__TRY(physad__call_tick(run->call, i + 1));
    }
    return PHYSAD_OK;
}

/* Before the test samples: how many recordings have labels of their frames. */
physad_status physad__run_whole_begin(physad__run_state *run, const physad_dataset *dataset, physad_dataset **whole)
{
    PHYSAD__TRY(physad_dataset_select(whole, dataset, run->report->category, PHYSAD_SPLIT_WHOLE));
    run->by_blocks = labelled(*whole) + labelled(run->test) < FEW_RECORDINGS;
    return physad_scores_new(&run->frames, run->ctx);
}

physad_status physad__run_whole(physad__run_state *run, const physad_dataset *whole,
                                const physad_measure_options *options)
{
    physad__report *r = run->report;
    PHYSAD__TRY(score_whole(run, whole));
    if (run->recordings == 0) {
        r->frame_reason = "no video has labels of its frames";
        return PHYSAD_OK;
    }
    return physad_scores_measure(&r->frames, run->frames, options, run->call_options);
}
