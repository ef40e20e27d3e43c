/* SPDX-License-Identifier: Apache-2.0 */
/* Training and scoring of the clip family. */
#include "detect/detect_clip.h"

#include <math.h>

enum { SCORE_BATCH = 4, NORMAL_CLIPS = 512 };

const physad__clip_method *physad__clip_method_of(const physad_detector *det)
{
    return det->method->clips;
}

/* --- networks
 * ---------------------------------------------------------------------------------------------------------- */

static int32_t add_clip_input(const physad_detector *det, physad__tape *t, int64_t batch, int64_t frames)
{
    const physad__clip_method *m = physad__clip_method_of(det);
    const int64_t size = physad__option_int(det, "size");
    const int64_t apart[5] = { batch, frames, size, size, m->channels },
                  beside[4] = { batch, size, size, frames * m->channels };
    return m->apart ? physad__tape_input(t, 5, apart, false) : physad__tape_input(t, 4, beside, false);
}

void physad__clip_net_free(physad__clip_net *net)
{
    if (net == NULL)
        return;
    physad__tape_free(net->t);
    physad__free(net);
}

physad_status physad__clip_net_new(physad__clip_net **out, const physad_detector *det, physad__params *params,
                                   int64_t batch, bool train)
{
    const physad__clip_method *m = physad__clip_method_of(det);
    physad__clip_net *net = physad__alloc_zero(&det->ctx->mem, sizeof(*net), "network");
    if (net == NULL)
        return PHYSAD_ERR_NOMEM;
    net->batch = batch;
    physad_status status = physad__tape_new(&net->t, det->ctx, params, train);
    if (status == PHYSAD_OK) {
        net->input = add_clip_input(det, net->t, batch, m->inputs);
        net->target = m->inputs < m->length ? add_clip_input(det, net->t, batch, m->length - m->inputs) : net->input;
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

void physad__clip_fill(const physad__clip_method *m, const physad__clip_frames *f, int64_t video, int64_t from,
                       int64_t place, float *input, float *target)
{
    const int64_t frame = f->height * f->width * f->channels, rest = m->length - m->inputs;
    physad__clip_take(f, video, from, m->inputs, m->apart, input + place * m->inputs * frame);
    if (rest > 0)
        physad__clip_take(f, video, from + m->inputs, rest, m->apart, target + place * rest * frame);
}

/* --- scoring
 * ----------------------------------------------------------------------------------------------------------- */

static physad_status net_take(const physad_detector *det, physad__clip_model *m, physad__clip_net **out)
{
    pthread_mutex_lock(&m->lock);
    physad__clip_net *net = m->idle;
    if (net != NULL)
        m->idle = net->next;
    pthread_mutex_unlock(&m->lock);
    if (net == NULL) {
        PHYSAD__TRY(physad__clip_net_new(&net, det, &m->params, SCORE_BATCH, false));
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

static void net_give(physad__clip_model *m, physad__clip_net *net)
{
    pthread_mutex_lock(&m->lock);
    net->next = m->idle;
    m->idle = net;
    pthread_mutex_unlock(&m->lock);
}

/* Clips of one video and what is made of them. */
typedef struct verdicts {
    int64_t count;
    double (*terms)[2];
    float *maps; /* one per clip, or NULL */
} verdicts;

static void verdicts_clear(verdicts *v)
{
    physad__free(v->terms);
    physad__free(v->maps);
}

/* Every `stride`-th clip of a video, in batches whose rest repeats the last clip. */
static physad_status judge_video(const physad_detector *det, physad__clip_net *net, const physad__clip_frames *f,
                                 int64_t video, int64_t stride, bool maps, verdicts *v)
{
    const physad__clip_method *m = physad__clip_method_of(det);
    const int64_t pixels = f->height * f->width;
    physad__mem *mem = &det->ctx->mem;
    *v = (verdicts){ .count = (physad__clip_count(f, video) + stride - 1) / stride };
    v->terms = physad__alloc_array(mem, v->count, sizeof(*v->terms), "scores of clips");
    v->maps = maps ? physad__alloc_array(mem, v->count * pixels, sizeof(float), "maps of frames") : NULL;
    float *one = physad__alloc_array(mem, pixels, sizeof(float), "map of a frame");
    physad_status status = v->terms != NULL && one != NULL && (!maps || v->maps != NULL) ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    float *input = physad__tape_data(net->t, net->input), *target = physad__tape_data(net->t, net->target);
    for (int64_t b = 0; status == PHYSAD_OK && b < v->count; b += net->batch) {
        for (int64_t i = 0; i < net->batch; i++)
            physad__clip_fill(m, f, video, physad__min(b + i, v->count - 1) * stride, i, input, target);
        status = physad__cancelled(det->ctx);
        if (status == PHYSAD_OK)
            status = physad__tape_forward(net->t);
        for (int64_t i = 0; status == PHYSAD_OK && i < net->batch && b + i < v->count; i++)
            m->judge(det, net, i, v->terms[b + i], maps ? v->maps + (b + i) * pixels : one);
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
static int64_t nearest_clip(const physad__clip_method *m, const verdicts *v, int64_t stride, int64_t frame)
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
                                        const physad__clip_frames *f, int64_t video, const verdicts *v,
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

static physad_status score_frames(const physad_detector *det, physad__clip_model *m, const physad__clip_frames *f,
                                  int64_t video, bool maps, physad_result *r)
{
    physad__clip_net *net;
    verdicts v;
    PHYSAD__TRY(net_take(det, m, &net));
    physad_status status = judge_video(det, net, f, video, physad__option_int(det, "stride"), maps, &v);
    net_give(m, net);
    if (status == PHYSAD_OK)
        status = frames_of_verdicts(det, m, f, video, &v, r);
    verdicts_clear(&v);
    return status;
}

static physad_video_options video_options(const physad_detector *det)
{
    physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
    o.channels = (int32_t)physad__clip_method_of(det)->channels;
    o.height = o.width = physad__option_int(det, "size");
    return o;
}

physad_status physad__clip_score(const physad_detector *det, const physad_video *video, physad_result *result,
                                 physad__call *call)
{
    const physad__clip_method *m = physad__clip_method_of(det);
    const physad_video_options o = video_options(det);
    physad_video_info info = PHYSAD_VIDEO_INFO_INIT;
    physad__clip_frames f;
    physad_video *v;
    PHYSAD__TRY(physad_video_describe(video, &info));
    result->photo_height = info.height;
    result->photo_width = info.width;
    PHYSAD__TRY(physad__video_beside(&v, video, &o));
    physad__clip_frames_init(&f, &det->ctx->mem, o.height, m->channels, m->length);
    physad_status status = physad__clip_frames_add(&f, v);
    physad_video_free(v);
    if (status == PHYSAD_OK)
        status = score_frames(det, det->model, &f, 0, physad__option_bool(det, "maps"), result);
    physad__clip_frames_clear(&f);
    return status;
}

/* --- fitting
 * ----------------------------------------------------------------------------------------------------------- */

/* What the thread that makes batches needs. */
typedef struct source {
    const physad_detector *det;
    const physad__clip_method *method;
    const physad__clip_frames *frames;
    physad__clip_model *model;
    physad__clip_net *net;
    int64_t batch, clips; /* of a step, of all videos */
    int64_t *order;       /* clips shuffled for `epoch` */
    int64_t (*chosen)[2];
    int64_t epoch;
} source;

static void find_clip(const physad__clip_frames *f, int64_t k, int64_t clip[2])
{
    int64_t video = 0;
    while (k >= physad__clip_count(f, video))
        k -= physad__clip_count(f, video++);
    clip[0] = video;
    clip[1] = k;
}

static void shuffle(source *s, int64_t epoch)
{
    physad__rng rng;
    if (s->epoch == epoch)
        return;
    for (int64_t i = 0; i < s->clips; i++)
        s->order[i] = i;
    physad__rng_seed(&rng, s->det->seed, UINT64_C(0xc11b5) + (uint64_t)epoch);
    physad__rng_shuffle(&rng, s->order, s->clips);
    s->epoch = epoch;
}

static physad_status fill_batch(void *user, int64_t epoch, int64_t batch, float *const *arrays)
{
    source *s = user;
    if (s->method->draw != NULL) {
        s->method->draw(s->det, s->frames, epoch, batch, s->batch, s->chosen);
    } else {
        shuffle(s, epoch);
        for (int64_t i = 0; i < s->batch; i++)
            find_clip(s->frames, s->order[(batch * s->batch + i) % s->clips], s->chosen[i]);
    }
    for (int64_t i = 0; i < s->batch; i++)
        physad__clip_fill(s->method, s->frames, s->chosen[i][0], s->chosen[i][1], i, arrays[0], arrays[1]);
    return PHYSAD_OK;
}

static physad_status seen(void *user)
{
    source *s = user;
    return s->method->seen(s->det, &s->model->params, s->net);
}

/* A text that tells one training from another: options and videos. */
static physad_status signature_of(const physad_detector *det, const physad__clip_frames *f, char out[65])
{
    json_t *all = json_pack("{s:s, s:I, s:I, s:I, s:{}}", "method", det->method->name, "seed", (json_int_t)det->seed,
                            "videos", (json_int_t)f->videos, "frames", (json_int_t)f->first[f->videos], "options");
    for (int64_t i = 0; all != NULL && i < physad__method_options(det->method); i++) {
        const char *name = physad__method_option_at(det->method, i)->name;
        if (strcmp(name, "checkpoint") != 0)
            json_object_set_new(json_object_get(all, "options"), name, json_string(det->values[i]));
    }
    const size_t size = all != NULL ? json_dumpb(all, NULL, 0, JSON_SORT_KEYS | JSON_COMPACT) : 0;
    char *text = size > 0 ? physad__alloc(&det->ctx->mem, size + 66, "a checkpoint's signature") : NULL;
    physad_status status = text != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK) {
        json_dumpb(all, text, size, JSON_SORT_KEYS | JSON_COMPACT);
        status = physad__sha256(text + size, f->pixels, (size_t)f->count);
    }
    if (status == PHYSAD_OK)
        status = physad__sha256(out, text, size + 64);
    physad__free(text);
    json_decref(all);
    if (all == NULL)
        return physad__error(PHYSAD_ERR_NOMEM, "no memory for a checkpoint's signature");
    return status;
}

static physad_status run_training(source *s, physad__call *call)
{
    const physad_detector *det = s->det;
    char signature[65];
    physad__train_result result;
    const int64_t wanted = physad__option_int(det, "epoch_clips"), clips = wanted > 0 ? wanted : s->clips;
    const bool own = s->net->target == s->net->input;
    const physad__job job = { .params = &s->model->params,
                              .tape = s->net->t,
                              .loss = s->net->loss,
                              .inputs = { s->net->input, s->net->target },
                              .arrays = own ? 1 : 2,
                              .fill = fill_batch,
                              .user = s,
                              .seen = s->method->seen != NULL ? seen : NULL };
    physad__train_options o = { .optimizer = { .kind = PHYSAD__ADAM, .rate = physad__option_real(det, "rate") },
                                .epochs = physad__option_int(det, "epochs"),
                                .batches = (clips + s->batch - 1) / s->batch,
                                .patience = physad__option_int(det, "patience"),
                                .checkpoint = physad__option_text(det, "checkpoint"),
                                .signature = signature };
    if (s->method->batches != NULL)
        o.batches = s->method->batches(s->frames);
    o.schedule = (physad__schedule){ s->method->schedule, o.epochs, 0 };
    PHYSAD__TRY(signature_of(det, s->frames, signature));
    PHYSAD__TRY(physad__train(det->ctx, &job, &o, call, &result, NULL));
    s->model->first_loss = result.first_loss;
    s->model->last_loss = result.last_loss;
    return PHYSAD_OK;
}

static physad_status train(const physad_detector *det, physad__clip_model *m, const physad__clip_frames *f,
                           physad__call *call)
{
    physad__mem *mem = &det->ctx->mem;
    source s = {
        .det = det, .method = m->method, .frames = f, .model = m, .batch = physad__option_int(det, "batch"), .epoch = -1
    };
    for (int64_t i = 0; i < f->videos; i++)
        s.clips += physad__clip_count(f, i);
    s.order = physad__alloc_array(mem, s.clips, sizeof(*s.order), "clips");
    s.chosen = physad__alloc_array(mem, s.batch, sizeof(*s.chosen), "clips");
    physad_status status = s.order != NULL && s.chosen != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = physad__clip_net_new(&s.net, det, &m->params, s.batch, true);
    if (status == PHYSAD_OK)
        status = physad__clip_net_compile(s.net, true);
    if (status == PHYSAD_OK)
        status = run_training(&s, call);
    physad__clip_net_free(s.net);
    physad__free(s.order);
    physad__free(s.chosen);
    if (status == PHYSAD_OK && m->method->further != NULL)
        status = m->method->further(det, m, f, call);
    physad__params_freeze(&m->params);
    return status;
}

/* Mean and deviation of each part over the normals it was fitted on, so that parts can be added: at most NORMAL_CLIPS
 * of them. */
static physad_status measure_normals(const physad_detector *det, physad__clip_model *m, const physad__clip_frames *f,
                                     physad__call *call)
{
    double sum[2] = { 0 }, squares[2] = { 0 };
    int64_t n = 0, clips = 0;
    physad__clip_net *net;
    for (int64_t i = 0; i < f->videos; i++)
        clips += physad__clip_count(f, i);
    PHYSAD__TRY(net_take(det, m, &net));
    physad_status status = PHYSAD_OK;
    physad__call_stage(call, "scoring the normals", f->videos);
    for (int64_t i = 0; i < f->videos && status == PHYSAD_OK; i++) {
        verdicts v;
        status = judge_video(det, net, f, i, physad__max(clips / NORMAL_CLIPS, 1), false, &v);
        for (int64_t k = 0; status == PHYSAD_OK && k < v.count; k++, n++) {
            for (int64_t p = 0; p < m->method->terms; p++) {
                sum[p] += v.terms[k][p];
                squares[p] += v.terms[k][p] * v.terms[k][p];
            }
        }
        verdicts_clear(&v);
        if (status == PHYSAD_OK)
            status = physad__call_tick(call, i + 1);
    }
    net_give(m, net);
    for (int64_t p = 0; status == PHYSAD_OK && p < m->method->terms; p++) {
        m->middle[p] = sum[p] / (double)n;
        m->spread[p] = fmax(sqrt(fmax(squares[p] / (double)n - m->middle[p] * m->middle[p], 0)), 1e-9);
    }
    return status;
}

static physad_status read_sample(const physad_detector *det, physad__clip_frames *f, const physad_sample *s)
{
    const physad_video_options o = video_options(det);
    physad_video *v;
    if (s->kind != PHYSAD_KIND_VIDEO && s->kind != PHYSAD_KIND_FRAMES)
        return physad__error(PHYSAD_ERR_ARG, "%s: no video; %s is for videos and folders of frames", s->path,
                             det->method->name);
    PHYSAD__TRY(physad_video_open(&v, det->ctx, s->file, &o));
    const physad_status status = physad__clip_frames_add(f, v);
    physad_video_free(v);
    return status == PHYSAD_OK ? status : physad__error_prefix(status, "%s", s->path);
}

/* Frames of the samples with aside[i] == which. */
static physad_status read_samples(const physad_detector *det, physad__clip_frames *f, const physad_dataset *normals,
                                  const uint8_t *aside, uint8_t which, physad__call *call)
{
    const int64_t n = physad_dataset_count(normals);
    physad__call_stage(call, "frames", n);
    for (int64_t i = 0; i < n; i++) {
        if ((aside[i] != 0) == which)
            PHYSAD__TRY(read_sample(det, f, physad_dataset_sample(normals, i)));
        PHYSAD__TRY(physad__call_tick(call, i + 1));
    }
    return PHYSAD_OK;
}

static physad_status score_aside(const physad_detector *det, physad__clip_model *m, const physad_dataset *normals,
                                 const uint8_t *aside, double *scores, physad__call *call)
{
    const physad__clip_method *method = m->method;
    const int64_t n = physad_dataset_count(normals);
    physad__call_stage(call, "calibration", n);
    for (int64_t i = 0; i < n; i++) {
        physad__clip_frames f;
        physad_result r = { 0 };
        if (!aside[i])
            continue;
        physad__clip_frames_init(&f, &det->ctx->mem, physad__option_int(det, "size"), method->channels, method->length);
        physad_status status = read_sample(det, &f, physad_dataset_sample(normals, i));
        if (status == PHYSAD_OK)
            status = score_frames(det, m, &f, 0, false, &r);
        scores[i] = r.score;
        physad__free(r.frame_scores);
        physad__clip_frames_clear(&f);
        PHYSAD__TRY(status);
        PHYSAD__TRY(physad__call_tick(call, i + 1));
    }
    return PHYSAD_OK;
}

static physad_status check_options(const physad_detector *det)
{
    const int64_t size = physad__option_int(det, "size");
    if (size % 16 != 0)
        return physad__error(PHYSAD_ERR_ARG, "%s: option size is %lld, want a multiple of 16", det->method->name,
                             (long long)size);
    return PHYSAD_OK;
}

static physad_status model_new(physad__clip_model **out, const physad_detector *det)
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

physad_status physad__clip_fit(physad_detector *det, const physad_dataset *normals, const uint8_t *aside,
                               double *scores, physad__call *call, void **model)
{
    const physad__clip_method *method = physad__clip_method_of(det);
    physad__clip_frames f;
    physad__clip_model *m;
    PHYSAD__TRY(model_new(&m, det));
    physad__clip_frames_init(&f, &det->ctx->mem, physad__option_int(det, "size"), method->channels, method->length);
    physad_status status = read_samples(det, &f, normals, aside, 0, call);
    if (status == PHYSAD_OK && f.videos == 0)
        status = physad__error(PHYSAD_ERR_ARG, "%s: no normal video is left for the model", det->method->name);
    if (status == PHYSAD_OK)
        status = train(det, m, &f, call);
    if (status == PHYSAD_OK)
        status = measure_normals(det, m, &f, call);
    physad__clip_frames_clear(&f);
    if (status == PHYSAD_OK)
        status = score_aside(det, m, normals, aside, scores, call);
    if (status != PHYSAD_OK) {
        physad__clip_free(m);
        return status;
    }
    *model = m;
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

/* --- saving
 * ------------------------------------------------------------------------------------------------------------ */

static const char STATISTICS[] = "clips.statistics", PREFIX[] = "network.";
static const int64_t STATISTICS_SHAPE[1] = { 6 };

static physad_status for_params(const physad__clip_model *m, physad__tensors_writer *writer, bool append)
{
    char name[320];
    for (int64_t i = 0; i < m->params.count; i++) {
        const physad__param *p = &m->params.items[i];
        const physad_view view = physad_view_array(p->data, PHYSAD_F32, p->ndim, p->shape);
        physad__snprintf(name, sizeof(name), "%s%s", PREFIX, p->name);
        if (append)
            PHYSAD__TRY(physad__tensors_writer_append(writer, name, &view));
        else
            PHYSAD__TRY(physad__tensors_writer_declare(writer, name, PHYSAD_F32, p->ndim, p->shape));
    }
    return PHYSAD_OK;
}

physad_status physad__clip_declare(const physad_detector *det, physad__tensors_writer *writer, json_t *config)
{
    PHYSAD__TRY(physad__tensors_writer_declare(writer, STATISTICS, PHYSAD_F64, 1, STATISTICS_SHAPE));
    return for_params(det->model, writer, false);
}

physad_status physad__clip_write(const physad_detector *det, physad__tensors_writer *writer)
{
    const physad__clip_model *m = det->model;
    double n[6] = { m->middle[0], m->spread[0], m->middle[1], m->spread[1], m->first_loss, m->last_loss };
    const physad_view view = physad_view_array(n, PHYSAD_F64, 1, STATISTICS_SHAPE);
    PHYSAD__TRY(physad__tensors_writer_append(writer, STATISTICS, &view));
    return for_params(m, writer, true);
}

static physad_status read_statistics(physad__clip_model *m, const physad_tensors *file)
{
    double n[6];
    physad_view from;
    const physad_view to = physad_view_array(n, PHYSAD_F64, 1, STATISTICS_SHAPE);
    PHYSAD__TRY(physad__tensors_want(file, STATISTICS, PHYSAD_F64, 1, STATISTICS_SHAPE, &from));
    PHYSAD__TRY(physad__view_copy(&to, &from));
    for (int i = 0; i < 6; i++)
        if (!isfinite(n[i]) || ((i == 1 || i == 3) && n[i] <= 0))
            return physad__error(PHYSAD_ERR_FORMAT, "%s[%d] is %g", STATISTICS, i, n[i]);
    for (int p = 0; p < 2; p++) {
        m->middle[p] = n[2 * p];
        m->spread[p] = n[2 * p + 1];
    }
    m->first_loss = n[4];
    m->last_loss = n[5];
    return PHYSAD_OK;
}

static physad_status read_params(physad__clip_model *m, const physad_tensors *file)
{
    char name[320];
    for (int64_t i = 0; i < m->params.count; i++) {
        physad__param *p = &m->params.items[i];
        const physad_view to = physad_view_array(p->data, PHYSAD_F32, p->ndim, p->shape);
        physad_view from;
        physad__snprintf(name, sizeof(name), "%s%s", PREFIX, p->name);
        PHYSAD__TRY(physad__tensors_want(file, name, PHYSAD_F32, p->ndim, p->shape, &from));
        PHYSAD__TRY(physad__view_copy(&to, &from));
        for (int64_t k = 0; k < p->count; k++)
            if (!isfinite(p->data[k]))
                return physad__error(PHYSAD_ERR_FORMAT, "%s holds a number that is not finite", name);
    }
    m->params.version++;
    return PHYSAD_OK;
}

physad_status physad__clip_read(physad_detector *det, physad_tensors *file, const json_t *config, void **model)
{
    physad__clip_model *m;
    physad__clip_net *net = NULL;
    PHYSAD__TRY(model_new(&m, det));
    physad_status status = physad__clip_net_new(&net, det, &m->params, SCORE_BATCH, false); /* names the parameters */
    physad__clip_net_free(net);
    if (status == PHYSAD_OK)
        status = read_statistics(m, file);
    if (status == PHYSAD_OK)
        status = read_params(m, file);
    if (status != PHYSAD_OK) {
        physad__clip_free(m);
        return status;
    }
    physad_tensors_free(file); /* all of it was taken */
    *model = m;
    return PHYSAD_OK;
}
