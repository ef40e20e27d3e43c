/* SPDX-License-Identifier: Apache-2.0 */
/* Videos of an evaluation: clips with a label as samples; recordings with a label per frame for the frames' figure. */
#include "report/report_run.h"

#include <physad/video.h>

#include <math.h>

/* Neighbouring frames are alike, so intervals go by whole recordings, or where there are few of them by blocks of frames. */
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

/* --- videos --------------------------------------------------------------------------------------------------------
 */

/* The frame with the highest score, to be looked at. */
static physad_status show_worst(physad__run_state *run, physad_video *video, const physad_scored *s)
{
    physad_frame f = PHYSAD_FRAME_INIT;
    const double *scores = physad_result_frame_scores(s->result);
    int64_t worst = 0;
    if (!physad__gallery_wants(run->report, run->options->gallery))
        return PHYSAD_OK;
    for (int64_t i = 1; i < physad_result_frame_count(s->result); i++)
        if (scores[i] > scores[worst])
            worst = i;
    PHYSAD__TRY(physad_video_seek(video, worst));
    PHYSAD__TRY(physad_video_read(video, &f));
    return f.pixels.data != NULL ? physad__gallery_add(run, s, &f.pixels, NULL, NULL) : PHYSAD_OK;
}

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
    PHYSAD__TRY(physad__run_count(run, &s));
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
