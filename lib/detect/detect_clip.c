/* SPDX-License-Identifier: Apache-2.0 */
/* The clip family: networks, models and scores. */
#include "detect/detect_clip.h"

#include <math.h>

const physad__clip_method *physad__clip_method_of(const physad_detector *det)
{
    return det->method->clips;
}

/* --- networks
 * ---------------------------------------------------------------------------------------------------------- */

static int32_t add_clip_input(const physad__clip_method *m, const physad__clip_net *net, int64_t frames)
{
    const int64_t apart[5] = { net->batch, frames, net->side, net->side, m->channels },
                  beside[4] = { net->batch, net->side, net->side, frames * m->channels };
    return m->apart ? physad__tape_input(net->t, 5, apart, false) : physad__tape_input(net->t, 4, beside, false);
}

void physad__clip_net_free(physad__clip_net *net)
{
    if (net == NULL)
        return;
    physad__tape_free(net->t);
    physad__free(net);
}

physad_status physad__clip_net_new(physad__clip_net **out, const physad_detector *det, physad__params *params,
                                   int64_t batch, int64_t side, bool train)
{
    const physad__clip_method *m = physad__clip_method_of(det);
    physad__clip_net *net = physad__alloc_zero(&det->ctx->mem, sizeof(*net), "network");
    if (net == NULL)
        return PHYSAD_ERR_NOMEM;
    net->batch = batch;
    net->side = side;
    physad_status status = physad__tape_new(&net->t, det->ctx, params, train);
    if (status == PHYSAD_OK && physad__option_is(det, "precision", "bf16"))
        status = physad__tape_mix(net->t);
    if (status == PHYSAD_OK) {
        net->input = add_clip_input(m, net, m->inputs);
        net->target = m->inputs < m->length ? add_clip_input(m, net, m->length - m->inputs) : net->input;
        status = m->build(det, params, net);
    }
    if (status == PHYSAD_OK)
        status = physad__tape_failed(net->t);
    if (status != PHYSAD_OK) {
        physad__clip_net_free(net);
        return status;
    }
    *out = net;
    return PHYSAD_OK;
}

physad_status physad__clip_net_compile(physad__clip_net *net, bool train)
{
    return physad__tape_compile(net->t, train ? net->loss : -1, net->kept, net->kept_count);
}

physad_status physad__clip_fill(const physad__clip_method *m, const physad__clip_frames *f,
                                const physad__clip_place *place, int64_t i, float *input, float *target)
{
    const int64_t side = place->side > 0 ? place->side : f->height, frame = side * side * f->channels;
    const int64_t rest = m->length - m->inputs;
    PHYSAD__TRY(physad__clip_take(f, place, 0, m->inputs, m->apart, input + i * m->inputs * frame));
    return rest > 0 ? physad__clip_take(f, place, m->inputs, rest, m->apart, target + i * rest * frame) : PHYSAD_OK;
}

/* --- scoring
 * ----------------------------------------------------------------------------------------------------------- */

physad_status physad__clip_net_take(const physad_detector *det, physad__clip_model *m, physad__clip_net **out)
{
    pthread_mutex_lock(&m->lock);
    physad__clip_net *net = m->idle;
    if (net != NULL)
        m->idle = net->next;
    pthread_mutex_unlock(&m->lock);
    if (net == NULL) {
        PHYSAD__TRY(physad__clip_net_new(&net, det, &m->params, PHYSAD__CLIP_SCORE_BATCH,
                                         physad__option_int(det, "size"), false));
        const physad_status status = physad__clip_net_compile(net, false);
        if (status != PHYSAD_OK) {
            physad__clip_net_free(net);
            return status;
        }
    }
    net->next = NULL;
    *out = net;
    return PHYSAD_OK;
}

void physad__clip_net_give(physad__clip_model *m, physad__clip_net *net)
{
    pthread_mutex_lock(&m->lock);
    net->next = m->idle;
    m->idle = net;
    pthread_mutex_unlock(&m->lock);
}

void physad__clip_verdicts_clear(physad__clip_verdicts *v)
{
    physad__free(v->terms);
    physad__free(v->maps);
}

/* By how much the clip's scored frame differs from the frame before (the first: from the next), over the channels'
 * mean, 0..1; less where the contrast is high (physad__clip_contrast). */
static physad_status measure_motion(const physad_detector *det, const physad__clip_frames *f, int64_t video,
                                    int64_t from, float *pair, float *motion)
{
    const int64_t pixels = f->height * f->width, channels = f->channels, scored = physad__clip_method_of(det)->scored;
    const physad__clip_place at = { .video = video, .from = physad__max(from + scored - 1, 0) };
    PHYSAD__TRY(physad__clip_take(f, &at, 0, 2, true, pair));
    const float *frame = pair + (from + scored > 0 ? pixels * channels : 0);
    for (int64_t i = 0; i < pixels; i++) {
        float sum = 0;
        for (int64_t c = 0; c < channels; c++)
            sum += fabsf(pair[(pixels + i) * channels + c] - pair[i * channels + c]);
        motion[i] = sum / (float)(2 * channels);
    }
    return physad__clip_contrast(f->mem, frame, f->height, f->width, channels, physad__option_real(det, "window"),
                                 motion);
}

/* Every `stride`-th clip of a video, in batches whose rest repeats the last clip. */
physad_status physad__clip_judge(const physad_detector *det, physad__clip_net *net, const physad__clip_frames *f,
                                 int64_t video, int64_t stride, bool maps, physad__clip_verdicts *v)
{
    const physad__clip_method *m = physad__clip_method_of(det);
    const int64_t pixels = f->height * f->width;
    physad__mem *mem = &det->ctx->mem;
    *v = (physad__clip_verdicts){ .count = (physad__clip_count(f, video) + stride - 1) / stride };
    v->terms = physad__alloc_array(mem, v->count, sizeof(*v->terms), "scores of clips");
    v->maps = maps ? physad__alloc_array(mem, v->count * pixels, sizeof(float), "maps of frames") : NULL;
    /* A map, the motion, and the two frames that it is between. */
    float *one = physad__alloc_array(mem, 2 * pixels * (1 + f->channels), sizeof(float), "map of a frame"),
          *motion = NULL;
    physad_status status = v->terms != NULL && one != NULL && (!maps || v->maps != NULL) ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK && physad__option_is(det, "weight", "motion"))
        motion = one + pixels;
    float *input = physad__tape_data(net->t, net->input), *target = physad__tape_data(net->t, net->target);
    for (int64_t b = 0; status == PHYSAD_OK && b < v->count; b += net->batch) {
        status = physad__cancelled(det->ctx);
        for (int64_t i = 0; status == PHYSAD_OK && i < net->batch; i++) {
            const physad__clip_place place = { .video = video, .from = physad__min(b + i, v->count - 1) * stride };
            status = physad__clip_fill(m, f, &place, i, input, target);
        }
        if (status == PHYSAD_OK)
            status = physad__tape_forward(net->t);
        for (int64_t i = 0; status == PHYSAD_OK && i < net->batch && b + i < v->count; i++) {
            if (motion != NULL)
                status = measure_motion(det, f, video, (b + i) * stride, one + 2 * pixels, motion);
            if (status == PHYSAD_OK)
                m->judge(det, net, i, motion, v->terms[b + i], maps ? v->maps + (b + i) * pixels : one);
        }
        if (status == PHYSAD_OK && net->learns != NULL && m->novelty(det, net) < physad__option_real(det, "update"))
            status = m->seen(det, net->learns, net);
    }
    physad__free(one);
    return status;
}

static double mix(const physad_detector *det, const physad__clip_model *m, const double *terms)
{
    if (m->method->terms == 1)
        return terms[0];
    const double share = physad__option_real(det, "mix");
    return share * (terms[0] - m->middle[0]) / m->spread[0] + (1 - share) * (terms[1] - m->middle[1]) / m->spread[1];
}

/* The clip whose scored frame is nearest to `frame`. */
static int64_t nearest_clip(const physad__clip_method *m, const physad__clip_verdicts *v, int64_t stride, int64_t frame)
{
    const int64_t at = physad__max(frame - m->scored + stride / 2, 0) / stride;
    return physad__min(at, v->count - 1);
}

static int32_t pool_of(const physad_detector *det)
{
    return physad__option_is(det, "pool", "max")    ? PHYSAD_POOL_MAX
           : physad__option_is(det, "pool", "mean") ? PHYSAD_POOL_MEAN
                                                    : PHYSAD_POOL_TOP;
}

/* The ends stand in for what is beyond them. */
static physad_status smooth(const physad_detector *det, double *scores, int64_t count)
{
    const double sigma = physad__option_real(det, "smooth");
    const int64_t radius = (int64_t)ceil(3.5 * sigma);
    double *out = sigma > 0 ? physad__alloc_array(&det->ctx->mem, count, sizeof(double), "scores of frames") : NULL;
    if (!(sigma > 0))
        return PHYSAD_OK;
    if (out == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < count; i++) {
        double sum = 0, weights = 0;
        for (int64_t k = -radius; k <= radius; k++) {
            const double w = exp(-0.5 * (double)(k * k) / (sigma * sigma));
            sum += w * scores[physad__max(physad__min(i + k, count - 1), 0)];
            weights += w;
        }
        out[i] = sum / weights;
    }
    memcpy(scores, out, (size_t)count * sizeof(double));
    physad__free(out);
    return PHYSAD_OK;
}

static physad_status frames_of_verdicts(const physad_detector *det, const physad__clip_model *m,
                                        const physad__clip_frames *f, int64_t video, const physad__clip_verdicts *v,
                                        physad_result *r)
{
    const int64_t frames = physad__clip_frames_of(f, video), stride = physad__option_int(det, "stride");
    const int64_t pixels = f->height * f->width;
    if (v->maps != NULL) {
        r->frame_maps = physad__alloc_array(&det->ctx->mem, frames * pixels, sizeof(float), "maps of frames");
        if (r->frame_maps == NULL)
            return PHYSAD_ERR_NOMEM;
        r->map_height = f->height;
        r->map_width = f->width;
    }
    for (int64_t i = 0; i < frames; i++) {
        const int64_t k = nearest_clip(m->method, v, stride, i);
        PHYSAD__TRY(physad__result_push_frame(r, &det->ctx->mem, mix(det, m, v->terms[k])));
        if (v->maps != NULL)
            memcpy(r->frame_maps + i * pixels, v->maps + k * pixels, (size_t)pixels * sizeof(float));
    }
    PHYSAD__TRY(smooth(det, r->frame_scores, r->frame_count));
    return physad__pool_frames(&r->score, &det->ctx->mem, r->frame_scores, r->frame_count, pool_of(det));
}

/* The model's numbers again. */
static physad_status copy_params(physad__params *own, const physad_detector *det, const physad__params *from)
{
    const physad__param_init none = { PHYSAD__DRAW_UNIFORM, 0, 0 };
    physad__params_init(own, &det->ctx->mem, det->seed);
    for (int64_t i = 0; i < from->count; i++) {
        const physad__param *p = &from->items[i];
        int32_t at;
        PHYSAD__TRY(physad__params_get(own, &at, p->name, p->ndim, p->shape, &none, false));
        memcpy(own->items[at].data, p->data, (size_t)p->count * sizeof(float));
    }
    return PHYSAD_OK;
}

/* Clip after clip by a network that begins with the model's numbers and goes on learning from what is little new: a
 * video's scores hang on this video alone. */
static physad_status judge_learning(const physad_detector *det, physad__clip_model *m, const physad__clip_frames *f,
                                    int64_t video, bool maps, physad__clip_verdicts *v)
{
    physad__params own;
    physad__clip_net *net = NULL;
    physad_status status = copy_params(&own, det, &m->params);
    if (status == PHYSAD_OK)
        status = physad__clip_net_new(&net, det, &own, 1, physad__option_int(det, "size"), false);
    if (status == PHYSAD_OK)
        status = physad__clip_net_compile(net, false);
    if (status == PHYSAD_OK) {
        net->learns = &own;
        status = physad__clip_judge(det, net, f, video, physad__option_int(det, "stride"), maps, v);
    }
    physad__clip_net_free(net);
    physad__params_clear(&own);
    return status;
}

physad_status physad__clip_score_frames(const physad_detector *det, physad__clip_model *m, const physad__clip_frames *f,
                                        int64_t video, bool maps, physad_result *r)
{
    physad__clip_net *net;
    physad__clip_verdicts v = { 0 };
    physad_status status;
    if (m->method->novelty != NULL && physad__option_real(det, "update") > 0) {
        status = judge_learning(det, m, f, video, maps, &v);
    } else {
        PHYSAD__TRY(physad__clip_net_take(det, m, &net));
        status = physad__clip_judge(det, net, f, video, physad__option_int(det, "stride"), maps, &v);
        physad__clip_net_give(m, net);
    }
    if (status == PHYSAD_OK)
        status = frames_of_verdicts(det, m, f, video, &v, r);
    physad__clip_verdicts_clear(&v);
    return status;
}

physad_video_options physad__clip_video_options(const physad_detector *det)
{
    physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
    o.channels = (int32_t)physad__clip_method_of(det)->channels;
    o.height = o.width = physad__option_int(det, "size");
    return o;
}

physad_status physad__clip_score(const physad_detector *det, const physad_video *video, physad_result *result,
                                 physad__call *call)
{
    const physad_video_options o = physad__clip_video_options(det);
    physad_video_info info = PHYSAD_VIDEO_INFO_INIT;
    physad__clip_frames f;
    physad_video *v;
    PHYSAD__TRY(physad_video_describe(video, &info));
    result->photo_height = info.height;
    result->photo_width = info.width;
    PHYSAD__TRY(physad__video_beside(&v, video, &o));
    physad__clip_frames_for(&f, det);
    physad_status status = physad__clip_frames_add(&f, v);
    physad_video_free(v);
    if (status == PHYSAD_OK)
        status = physad__clip_score_frames(det, det->model, &f, 0, physad__option_bool(det, "maps"), result);
    physad__clip_frames_clear(&f);
    return status;
}

/* --- models
 * ------------------------------------------------------------------------------------------------------------ */

static physad_status check_options(const physad_detector *det)
{
    const int64_t size = physad__option_int(det, "size"), piece = physad__option_int(det, "piece");
    if (size % 16 != 0 || piece % 16 != 0)
        return physad__error(PHYSAD_ERR_ARG, "%s: options size and piece are %lld and %lld, want multiples of 16",
                             det->method->name, (long long)size, (long long)piece);
    return physad__nn_precision_check(det->ctx, physad__option_is(det, "precision", "bf16") ? PHYSAD_BF16 : PHYSAD_F32);
}

physad_status physad__clip_model_new(physad__clip_model **out, const physad_detector *det)
{
    PHYSAD__TRY(check_options(det));
    physad__clip_model *m = physad__alloc_zero(&det->ctx->mem, sizeof(*m), "model");
    if (m == NULL)
        return PHYSAD_ERR_NOMEM;
    m->method = physad__clip_method_of(det);
    m->spread[0] = m->spread[1] = 1;
    physad__params_init(&m->params, &det->ctx->mem, det->seed);
    pthread_mutex_init(&m->lock, NULL);
    *out = m;
    return PHYSAD_OK;
}

void physad__clip_free(void *model)
{
    physad__clip_model *m = model;
    while (m->idle != NULL) {
        physad__clip_net *net = m->idle;
        m->idle = net->next;
        physad__clip_net_free(net);
    }
    physad__params_clear(&m->params);
    pthread_mutex_destroy(&m->lock);
    physad__free(m);
}
