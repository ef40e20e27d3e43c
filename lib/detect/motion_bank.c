/* SPDX-License-Identifier: Apache-2.0 */
/* motion-bank: how a thing in use moves, compared with how it usually does.
 *
 * Two kinds of recording are told apart by the training videos. Episodes, all about as long, show one use of the thing
 * from its beginning to its end: they are compared as wholes, at equal times, in twelve views (motion_views.c) by their
 * nearest normal takes, and measured by rules that have names (motion_rules.c). Streams go on: clips of them are
 * measured. In both each frame's moving patches are compared with an exact bank of normal ones (motion_patch.c). Every
 * distance becomes a deviation in units of what is usual among normal videos that were left out of what they are
 * compared with; a take's score joins these. */
#include "detect/motion.h"
#include "io/io.h"

#include <math.h>

static const physad__option rows[] = {
    { "height", PHYSAD_OPTION_INT, "240", 32, 1080, NULL, "larger frames are looked at with so many rows", NULL },
    { "mode", PHYSAD_OPTION_CHOICE, "auto", 0, 0, "auto|episodes|stream",
      "videos are uses from beginning to end, or parts of something that goes on; auto: episodes where three or "
      "more are alike in length",
      NULL },
    { "bank_rows", PHYSAD_OPTION_INT, "20000", 64, 1000000, NULL,
      "normal patches kept, drawn evenly from the training videos", NULL },
    { "appearance", PHYSAD_OPTION_REAL, "0.25", 0, 4, NULL, "weight of edges and contrast beside motion in a patch",
      NULL },
    { "fps", PHYSAD_OPTION_REAL, "0", 0, 1000, NULL,
      "frames per second of training videos that do not say it (folders of frames); 0: as of those that do, and where "
      "none does all videos are compared frame by frame",
      NULL },
    { "steady", PHYSAD_OPTION_BOOL, "true", 0, 0, NULL,
      "take a camera's shaking and slow drift out, unless the training videos' camera goes far", NULL },
    { "rules", PHYSAD_OPTION_TEXT, "", 0, 0, NULL,
      "file of rules whose ranges replace the learned ones, as physad_detector_rules() gives them; empty: none", NULL },
};

/* --- frames --------------------------------------------------------------------------------------------------------
 */

physad_status physad__motion_open(const physad_detector *det, const physad_sample *s, physad_video **out)
{
    physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
    o.channels = 1;
    o.frame_rate = physad__option_real(det, "fps");
    if (s->kind != PHYSAD_KIND_VIDEO && s->kind != PHYSAD_KIND_FRAMES)
        return physad__error(PHYSAD_ERR_ARG, "%s: no video; %s is for videos and folders of frames", s->path,
                             det->method->name);
    return physad_video_open(out, det->ctx, s->file, &o);
}

bool physad__motion_by_time(const physad__motion_model *m, const physad_video *video)
{
    return m->untimed ? physad__video_asked_rate(video) > 0 : physad__motion_rate(video) > 0;
}

physad_status physad__motion_feed(physad__motion_run *run, physad_video *video, physad__call *call)
{
    physad_frame f = PHYSAD_FRAME_INIT;
    const bool by_time = physad__motion_by_time(run->model, video);
    for (;;) {
        PHYSAD__TRY(physad_video_read(video, &f));
        if (f.pixels.data == NULL)
            return PHYSAD_OK;
        PHYSAD__TRY(physad__cancelled(run->model->ctx));
        PHYSAD__TRY(physad__motion_run_push(run, &f.pixels, by_time ? f.seconds : NAN, call));
    }
}

bool physad__motion_is_rate(double rate)
{
    return rate >= 1e-6 && rate <= 1000;
}

double physad__motion_rate(const physad_video *video)
{
    physad_video_info info = PHYSAD_VIDEO_INFO_INIT;
    if (physad_video_describe(video, &info) != PHYSAD_OK || !physad__motion_is_rate(info.frame_rate) ||
        (strcmp(info.codec, "folder") == 0 && !(physad__video_asked_rate(video) > 0)))
        return 0;
    return info.frame_rate;
}

/* --- the model -----------------------------------------------------------------------------------------------------
 */

void physad__motion_free(void *model)
{
    physad__motion_model *m = model;
    physad_context *ctx = m->ctx;
    for (int v = 0; v < PHYSAD__VIEWS; v++) {
        physad__free(m->view[v].rows);
        physad__free(m->view[v].mean);
        physad__free(m->view[v].inverse);
    }
    physad__parts_free(&m->parts);
    physad__looks_free(&m->looks);
    physad_bank_free(m->bank);
    physad_tensors_free(m->file);
    physad__free(m);
    physad_context_free(ctx);
}

physad_status physad__motion_new(physad__motion_model **out, const physad_detector *det)
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

physad_status physad__motion_views(physad__motion_model *m, int64_t count)
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

/* --- the method ----------------------------------------------------------------------------------------------------
 */

physad_status physad__motion_score(const physad__motion_model *m, physad_video *v, physad_result *r, physad__call *call)
{
    physad__motion_run run;
    const bool by_time = !m->untimed || physad__video_asked_rate(v) > 0;
    PHYSAD__TRY(physad__motion_run_open(&run, m, by_time ? physad__motion_rate(v) : 0));
    physad_status status = physad__motion_feed(&run, v, call);
    if (status == PHYSAD_OK)
        status = physad__motion_run_finish(&run, r, call);
    physad__motion_run_close(&run);
    return status;
}

static physad_status score_video(const physad_detector *det, const physad_video *video, physad_result *result,
                                 physad__call *call)
{
    physad_video *v;
    physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
    o.channels = 1;
    PHYSAD__TRY(physad__video_beside(&v, video, &o));
    const physad_status status = physad__motion_score(det->model, v, result, call);
    physad_video_free(v);
    return status;
}

/* --- frames as they come --- */

static physad_status stream_open(const physad_detector *det, double rate, void **state)
{
    physad__motion_run *run = physad__alloc_zero(&det->ctx->mem, sizeof(*run), "stream");
    if (run == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_status status = physad__motion_run_open(run, det->model, rate);
    run->by_time = !((const physad__motion_model *)det->model)->untimed || rate > 0;
    if (status == PHYSAD_OK)
        *state = run;
    else
        physad__free(run);
    return status;
}

static physad_status stream_push(const physad_detector *det, void *state, const physad_view *grey, double seconds,
                                 physad__call *call)
{
    physad__motion_run *run = state;
    return physad__motion_run_push(run, grey, run->by_time ? seconds : NAN, call);
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

/* In an episode a plane waits for those around its point of time; a frame waits for the next plane. */
static int64_t stream_latency(const physad_detector *det, double rate)
{
    const physad__motion_model *m = det->model;
    const double ratio = rate > 0 ? rate / m->rate : 1;
    int64_t most = PHYSAD__PATCH_LATENCY;
    for (int64_t t = 0; m->episodes && (double)t < m->scale.frames; t++)
        most = physad__max(most, physad__view_point_last(&m->scale, physad__view_point_of(&m->scale, (double)t)) - t);
    return ratio == 1 ? most : (int64_t)fmin(ceil(((double)most + 1) * ratio), 1e15) + 1;
}

static const physad__stream_method streams = { stream_open, stream_push,    stream_next,
                                               stream_end,  stream_latency, stream_free };

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

const physad__method physad__method_motion_bank = {
    .name = "motion-bank",
    .title = "how a thing moves: rules with names, views of the whole take, an exact bank of moving patches",
    .source = "ours",
    .input = PHYSAD_INPUT_VIDEO,
    .supervision = PHYSAD_UNSUPERVISED,
    .options = { rows, PHYSAD__COUNT(rows) },
    .fit = physad__motion_fit,
    .score_video = score_video,
    .declare = physad__motion_declare,
    .write = physad__motion_write,
    .read = physad__motion_read,
    .free = physad__motion_free,
    .stream = &streams,
    .rules = rules_of,
    .set_rules = set_rules,
};
