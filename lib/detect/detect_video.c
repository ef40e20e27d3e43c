/* SPDX-License-Identifier: Apache-2.0 */
/* Scoring videos: by methods made for them, and by methods on photos, frame after frame. */
#include "detect/detect.h"

#include <math.h>
#include <stdlib.h>

/* --- pooling -------------------------------------------------------------------------------------------------------
 */

static int descending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

physad_status physad__pool_frames(double *out, physad__mem *mem, const double *scores, int64_t count, int32_t pool)
{
    *out = NAN;
    if (count < 1)
        return physad__error(PHYSAD_ERR_NUMERIC, "a video without frames has no score");
    const int64_t k = pool == PHYSAD_POOL_MAX ? 1 : pool == PHYSAD_POOL_MEAN ? count : physad__max(1, count / 16);
    double *sorted = physad__alloc_array(mem, count, sizeof(*sorted), "scores of frames");
    if (sorted == NULL)
        return PHYSAD_ERR_NOMEM;
    memcpy(sorted, scores, (size_t)count * sizeof(*sorted));
    qsort(sorted, (size_t)count, sizeof(*sorted), descending); /* one order of summing whatever the frames' order */
    double sum = 0;
    for (int64_t i = 0; i < k; i++)
        sum += sorted[i];
    *out = sum / (double)k;
    physad__free(sorted);
    return PHYSAD_OK;
}

physad_status physad__result_push_frame(physad_result *r, physad__mem *mem, double score)
{
    PHYSAD__TRY(physad__grow(mem, &r->frame_scores, &r->frame_capacity, r->frame_count + 1, sizeof(*r->frame_scores),
                             "scores of frames"));
    r->frame_scores[r->frame_count++] = score;
    return PHYSAD_OK;
}

/* --- methods on photos ---------------------------------------------------------------------------------------------
 */

physad_status physad__score_frame(const physad_detector *det, const physad_view *pixels, physad_result *r,
                                  physad__call *call)
{
    physad_result *one = physad__alloc_zero(&det->ctx->mem, sizeof(*one), "result");
    if (one == NULL)
        return PHYSAD_ERR_NOMEM;
    one->origin = physad__origin_retain(det->origin);
    physad_status status = det->method->score(det, pixels, one, call);
    if (status == PHYSAD_OK)
        status = physad__result_push_frame(r, &det->ctx->mem, one->score);
    physad_result_free(one);
    return status;
}

static physad_status score_frames(const physad_detector *det, const physad_video *video, int32_t pool, physad_result *r,
                                  physad__call *call)
{
    physad_video *frames;
    physad_frame f = PHYSAD_FRAME_INIT;
    PHYSAD__TRY(physad__video_beside(&frames, video, NULL));
    physad_status status = physad_video_read(frames, &f);
    r->photo_height = f.pixels.shape[0];
    r->photo_width = f.pixels.shape[1];
    while (status == PHYSAD_OK && f.pixels.data != NULL) {
        status = physad__score_frame(det, &f.pixels, r, call);
        if (status == PHYSAD_OK)
            status = physad__call_tick(call, r->frame_count);
        if (status == PHYSAD_OK)
            status = physad_video_read(frames, &f);
    }
    physad_video_free(frames);
    return status == PHYSAD_OK ? physad__pool_frames(&r->score, &det->ctx->mem, r->frame_scores, r->frame_count, pool)
                               : status;
}

/* --- public --------------------------------------------------------------------------------------------------------
 */

static physad_status check(const physad_detector *det, const physad_video *video, int32_t pool)
{
    if (det == NULL || video == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_detector_score_video: the %s is NULL",
                             det == NULL ? "detector" : "video");
    PHYSAD__TRY(physad__context_check(det->ctx, "physad_detector_score_video"));
    if (det->model == NULL)
        return physad__error(PHYSAD_ERR_STATE,
                             "physad_detector_score_video: the detector is not fitted; call physad_detector_fit() or "
                             "load a model");
    if (pool < PHYSAD_POOL_TOP || pool > PHYSAD_POOL_MEAN)
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_detector_score_video: pool is %d, want PHYSAD_POOL_TOP, _MAX or _MEAN", pool);
    if (det->method->score_video == NULL && (det->method->score == NULL || det->method->input != PHYSAD_INPUT_IMAGE))
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "%s does not score videos", det->method->name);
    return PHYSAD_OK;
}

physad_status physad_detector_score_video(const physad_detector *detector, const physad_video *video, int32_t pool,
                                          physad_result **out)
{
    physad__call call;
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_detector_score_video: out is NULL");
    *out = NULL;
    PHYSAD__TRY(check(detector, video, pool));
    PHYSAD__TRY(physad__call_begin(&call, detector->ctx, NULL, "physad_detector_score_video"));
    physad_result *r = physad__alloc_zero(&detector->ctx->mem, sizeof(*r), "result");
    physad_status status = r != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK) {
        r->origin = physad__origin_retain(detector->origin);
        status = detector->method->score_video != NULL ? detector->method->score_video(detector, video, r, &call)
                                                       : score_frames(detector, video, pool, r, &call);
        if (status == PHYSAD_OK)
            status = physad__decide(detector, r);
        if (status == PHYSAD_ERR_SHAPE ||
            status == PHYSAD_ERR_NUMERIC) /* of its frames; what comes from reading names it already */
            status = physad__error_prefix(status, "%s", physad__video_name(video));
    }
    physad__call_end(&call);
    if (status != PHYSAD_OK) {
        physad_result_free(r);
        return status;
    }
    if (detector->method->score_video == NULL) { /* its threshold and p-values are those of photos */
        r->threshold = r->p_value = NAN;
        r->anomalous = -1;
    }
    *out = r;
    return PHYSAD_OK;
}

int64_t physad_result_frame_count(const physad_result *result)
{
    return result != NULL ? result->frame_count : 0;
}

const double *physad_result_frame_scores(const physad_result *result)
{
    return result != NULL ? result->frame_scores : NULL;
}
