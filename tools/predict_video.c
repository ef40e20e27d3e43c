/* SPDX-License-Identifier: Apache-2.0 */
/* physad predict on videos: the score, those of the frames, what is odd in words, the oddest moment. */
#include "predict.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

/* What can be read once only: a pipe, as from another program's standard output. */
static bool is_pipe(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

/* The frame with the highest score, and what the method knows of it. */
static physad_worst find_worst(const physad_result *r, bool *told)
{
    physad_worst worst = PHYSAD_WORST_INIT;
    const double *scores = physad_result_frame_scores(r);
    *told = physad_result_worst(r, &worst) == PHYSAD_OK;
    if (*told)
        return worst;
    worst = (physad_worst){
        .struct_size = sizeof(worst), .y = NAN, .x = NAN, .distance = NAN, .sample = -1, .near_frame = -1
    };
    for (int64_t i = 1; i < physad_result_frame_count(r); i++)
        if (scores[i] > scores[worst.frame])
            worst.frame = i;
    return worst;
}

/* As docs/eval.schema.json has it. */
static json_t *describe(const physad_result *r, const physad_worst *worst, bool told, double rate, bool shortened)
{
    json_t *scores = json_array(), *nearest = json_null();
    for (int64_t i = 0; i < physad_result_frame_count(r); i++)
        json_array_append_new(scores, tool_json_real(physad_result_frame_scores(r)[i]));
    if (worst->path != NULL)
        nearest = json_pack("{so sI}", "path", tool_json_text(worst->path), "frame", (json_int_t)worst->near_frame);
    json_t *moment = json_pack("{sI so so so so}", "frame", (json_int_t)worst->frame, "y", tool_json_real(worst->y),
                               "x", tool_json_real(worst->x), "distance",
                               tool_json_real(isnan(worst->y) ? (double)NAN : worst->distance), "nearest", nearest);
    json_t *all =
        json_pack("{so so so so}", "frame_rate", rate > 0 ? json_real(rate) : json_null(), "frame_scores", scores,
                  "verdict", told ? tool_json_text(physad_result_verdict(r)) : json_null(), "worst", moment);
    if (shortened)
        json_object_set_new(all, "shortened", json_true());
    return all;
}

/* The map of the oddest frame, of methods that keep maps of frames. */
static int write_worst(predict *p, const char *path, const physad_result *r, int64_t frame, char **name)
{
    int64_t shape[2] = { 0, 0 };
    physad_video *video = NULL;
    physad_frame f = PHYSAD_FRAME_INIT;
    physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
    if (physad_result_input_map_shape(r, &shape[0], &shape[1]) != PHYSAD_OK || shape[0] < 1)
        return TOOL_DONE;
    float *scores = malloc((size_t)(shape[0] * shape[1]) * sizeof(*scores));
    if (scores == NULL)
        return tool_error("%s: no memory for its map", path);
    const physad_view map = physad_view_array(scores, PHYSAD_F32, 2, shape);
    int code = TOOL_DONE;
    if (physad_result_frame_map(r, frame, &map) == PHYSAD_OK) {
        o.height = shape[0];
        o.width = shape[1];
        physad_status status = physad_video_open(&video, p->t->ctx, path, &o);
        if (status == PHYSAD_OK)
            status = physad_video_seek(video, frame);
        if (status == PHYSAD_OK)
            status = physad_video_read(video, &f);
        if (status != PHYSAD_OK)
            code = tool_failed(status);
        else if (f.pixels.data != NULL)
            code = predict_write_map(p, &map, &f.pixels, path, name);
    }
    physad_video_free(video);
    free(scores);
    return code;
}

/* Whether damage ended the video early: known once its end was read, at the cost of decoding it once more. */
static bool was_shortened(const predict *p, physad_video *video, const char *path)
{
    physad_video_info info = PHYSAD_VIDEO_INFO_INIT;
    int64_t frames;
    if (!p->shorten || physad_video_frame_count(video, &frames) != PHYSAD_OK ||
        physad_video_describe(video, &info) != PHYSAD_OK || info.shortened == 0)
        return false;
    tool_progress_end();
    if (p->max_frames > 0 && frames >= p->max_frames)
        fprintf(stderr, "physad: %s: longer than --max-frames: scored by its first %lld frames\n", path,
                (long long)frames);
    else
        fprintf(stderr, "physad: %s: damaged or cut off: scored by the %lld frames before that\n", path,
                (long long)frames);
    return true;
}

static int report(predict *p, const char *path, const physad_result *r, double rate, bool shortened)
{
    bool told;
    char *map = NULL;
    const physad_worst worst = find_worst(r, &told);
    int code = p->maps != NULL && !is_pipe(path) ? write_worst(p, path, r, worst.frame, &map) : TOOL_DONE;
    if (code == TOOL_DONE)
        code = predict_report(p, path, r, map, NULL,
                              p->samples != NULL ? describe(r, &worst, told, rate, shortened) : NULL);
    free(map);
    return code;
}

/* Frame by frame as they come. */
static physad_status score_pipe(const predict *p, physad_video *video, physad_result **out)
{
    physad_stream *stream = NULL;
    physad_frame f = PHYSAD_FRAME_INIT;
    physad_stream_options o = PHYSAD_STREAM_OPTIONS_INIT;
    o.pool = p->pool;
    o.frame_rate = p->fps;
    physad_status status = physad_stream_new(&stream, p->detector, &o);
    while (status == PHYSAD_OK) {
        status = physad_video_read(video, &f);
        if (status == PHYSAD_OK && f.pixels.data == NULL) {
            status = physad_stream_end(stream, out);
            break;
        }
        if (status == PHYSAD_OK)
            status = physad_stream_push_at(stream, &f.pixels, f.seconds);
    }
    physad_stream_free(stream);
    return status;
}

int predict_video(predict *p, const char *path)
{
    const bool once = is_pipe(path);
    physad_video *video = NULL;
    physad_result *result = NULL;
    physad_video_info info = PHYSAD_VIDEO_INFO_INIT;
    physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
    int code = predict_waiting(p);
    if (code != TOOL_DONE)
        return code;
    if (tool_interrupted())
        return tool_failed(PHYSAD_ERR_CANCELLED);
    o.on_error = p->shorten ? PHYSAD_VIDEO_SHORTEN : PHYSAD_VIDEO_STOP;
    o.frame_rate = p->fps;
    o.max_frames = p->max_frames;
    if (once)
        o.channels = p->wants_videos ? 1 : 3; /* what the method would ask for */
    physad_status status = physad_video_open(&video, p->t->ctx, path, &o);
    if (status == PHYSAD_OK)
        status = physad_video_describe(video, &info);
    if (status == PHYSAD_OK)
        status =
            once ? score_pipe(p, video, &result) : physad_detector_score_video(p->detector, video, p->pool, &result);
    code = status == PHYSAD_OK ? report(p, path, result, info.frame_rate, was_shortened(p, video, path))
                               : predict_skip(p, path, status, physad_last_error());
    physad_result_free(result);
    physad_video_free(video);
    return code;
}
