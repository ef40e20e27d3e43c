/* SPDX-License-Identifier: Apache-2.0 */
/* The clip family: training, and what is usual among the normals. */
#include "detect/detect_clip.h"

#include <math.h>
#include <stdlib.h>

enum { NORMAL_CLIPS = 512, MOVED = 16 /* of 255 levels */, STILL_PIECES = 10 /* one piece in so many lies anywhere */ };

/* What the thread that makes batches needs. */
typedef struct source {
    const physad_detector *det;
    const physad__clip_method *method;
    const physad__clip_frames *frames;
    physad__clip_model *model;
    physad__clip_net *net;
    int64_t batch, clips; /* of a step, of all videos */
    int64_t *order;       /* clips shuffled for `epoch` */
    physad__clip_place *chosen;
    uint8_t *frames_of_motion; /* room for two frames; NULL where no pieces are cut */
    int64_t epoch;
} source;

static physad__clip_place find_clip(const physad__clip_frames *f, int64_t k)
{
    int64_t video = 0;
    while (k >= physad__clip_count(f, video))
        k -= physad__clip_count(f, video++);
    return (physad__clip_place){ .video = video, .from = k };
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

static bool moved(const uint8_t *a, const uint8_t *b, int64_t channels)
{
    for (int64_t c = 0; c < channels; c++)
        if (abs((int)a[c] - (int)b[c]) > MOVED)
            return true;
    return false;
}

/* One of the pixels that differ from the neighbouring frame in the clip's middle; false where there are none. */
static physad_status pick_motion(const source *s, const physad__clip_place *p, physad__rng *rng, int64_t *pixel,
                                 bool *found)
{
    const physad__clip_frames *f = s->frames;
    const int64_t pixels = f->height * f->width, last = physad__clip_frames_of(f, p->video) - 1;
    const int64_t at = physad__min(p->from + f->length / 2, last), beside = at < last ? at + 1 : physad__max(at - 1, 0);
    const uint8_t *a, *b;
    int64_t count = 0;
    PHYSAD__TRY(physad__clip_frame(f, p->video, at, s->frames_of_motion, &a));
    PHYSAD__TRY(physad__clip_frame(f, p->video, beside, s->frames_of_motion + pixels * f->channels, &b));
    for (int64_t i = 0; i < pixels; i++)
        count += moved(a + i * f->channels, b + i * f->channels, f->channels);
    *found = count > 0;
    int64_t left = count > 0 ? physad__rng_below(rng, count) : 0;
    for (int64_t i = 0; i < pixels && count > 0; i++)
        if (moved(a + i * f->channels, b + i * f->channels, f->channels) && left-- == 0)
            *pixel = i;
    return PHYSAD_OK;
}

/* A small network that sees whole frames learns the place, which hardly changes; pieces around what moves show it that.
 */
static physad_status cut_piece(const source *s, physad__rng *rng, physad__clip_place *p)
{
    const int64_t side = s->net->side, room = s->frames->height - side;
    int64_t pixel = 0;
    bool found = false;
    p->side = side;
    p->top = physad__rng_below(rng, room + 1);
    p->left = physad__rng_below(rng, room + 1);
    if (physad__rng_below(rng, STILL_PIECES) > 0)
        PHYSAD__TRY(pick_motion(s, p, rng, &pixel, &found));
    if (!found)
        return PHYSAD_OK;
    /* The pixel comes to lie in the piece's middle half. */
    p->top = pixel / s->frames->width - side / 4 - physad__rng_below(rng, side / 2);
    p->left = pixel % s->frames->width - side / 4 - physad__rng_below(rng, side / 2);
    p->top = physad__max(physad__min(p->top, room), 0);
    p->left = physad__max(physad__min(p->left, room), 0);
    return PHYSAD_OK;
}

static physad_status fill_batch(void *user, int64_t epoch, int64_t batch, float *const *arrays)
{
    source *s = user;
    physad__rng rng;
    if (s->method->draw != NULL) {
        s->method->draw(s->det, s->frames, epoch, batch, s->batch, s->chosen);
    } else {
        shuffle(s, epoch);
        for (int64_t i = 0; i < s->batch; i++)
            s->chosen[i] = find_clip(s->frames, s->order[(batch * s->batch + i) % s->clips]);
    }
    physad__rng_seed(&rng, s->det->seed, UINT64_C(0x91ece) + ((uint64_t)epoch << 32) + (uint64_t)batch);
    for (int64_t i = 0; i < s->batch; i++) {
        s->chosen[i].side = 0;
        if (s->frames_of_motion != NULL)
            PHYSAD__TRY(cut_piece(s, &rng, &s->chosen[i]));
        PHYSAD__TRY(physad__clip_fill(s->method, s->frames, &s->chosen[i], i, arrays[0], arrays[1]));
    }
    return PHYSAD_OK;
}

static physad_status seen(void *user)
{
    source *s = user;
    return s->method->seen(s->det, &s->model->params, s->net);
}

/* A digest of all frames: the digests of each after those before. */
static physad_status digest_frames(const physad__clip_frames *f, char out[65])
{
    const int64_t bytes = f->height * f->width * f->channels;
    char both[2 * 64 + 1] = { 0 };
    const uint8_t *frame;
    uint8_t *room = physad__alloc(f->mem, (size_t)bytes, "a frame");
    physad_status status = room != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    for (int64_t v = 0; v < f->videos; v++)
        for (int64_t k = 0; status == PHYSAD_OK && k < physad__clip_frames_of(f, v); k++) {
            status = physad__clip_frame(f, v, k, room, &frame);
            if (status == PHYSAD_OK)
                status = physad__sha256(both + 64, frame, (size_t)bytes);
            if (status == PHYSAD_OK)
                status = physad__sha256(out, both, 2 * 64);
            memcpy(both, out, 64);
        }
    physad__free(room);
    return status;
}

/* A text that tells one training from another: options and videos. */
static physad_status signature_of(const physad_detector *det, const physad__clip_frames *f, char out[65])
{
    out[0] = '\0';
    if (*physad__option_text(det, "checkpoint") == '\0')
        return PHYSAD_OK;
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
        status = digest_frames(f, text + size);
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

/* Sides of what training sees. */
static int64_t training_side(const physad_detector *det)
{
    const int64_t size = physad__option_int(det, "size"), piece = physad__option_int(det, "piece");
    return piece > 0 ? physad__min(piece, size) : size;
}

static physad_status train(const physad_detector *det, physad__clip_model *m, const physad__clip_frames *f,
                           physad__call *call)
{
    physad__mem *mem = &det->ctx->mem;
    const int64_t side = training_side(det);
    source s = {
        .det = det, .method = m->method, .frames = f, .model = m, .batch = physad__option_int(det, "batch"), .epoch = -1
    };
    for (int64_t i = 0; i < f->videos; i++)
        s.clips += physad__clip_count(f, i);
    s.order = physad__alloc_array(mem, s.clips, sizeof(*s.order), "clips");
    s.chosen = physad__alloc_array(mem, s.batch, sizeof(*s.chosen), "clips");
    if (side < f->height)
        s.frames_of_motion = physad__alloc_array(mem, 2 * f->height * f->width, (size_t)f->channels, "frames");
    physad_status status = s.order != NULL && s.chosen != NULL && (side == f->height || s.frames_of_motion != NULL)
                               ? PHYSAD_OK
                               : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = physad__clip_net_new(&s.net, det, &m->params, s.batch, side, true);
    if (status == PHYSAD_OK)
        status = physad__clip_net_compile(s.net, true);
    if (status == PHYSAD_OK)
        status = run_training(&s, call);
    physad__clip_net_free(s.net);
    physad__free(s.order);
    physad__free(s.chosen);
    physad__free(s.frames_of_motion);
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
    PHYSAD__TRY(physad__clip_net_take(det, m, &net));
    physad_status status = PHYSAD_OK;
    physad__call_stage(call, "scoring the normals", f->videos);
    for (int64_t i = 0; i < f->videos && status == PHYSAD_OK; i++) {
        physad__clip_verdicts v;
        status = physad__clip_judge(det, net, f, i, physad__max(clips / NORMAL_CLIPS, 1), false, &v);
        for (int64_t k = 0; status == PHYSAD_OK && k < v.count; k++, n++) {
            for (int64_t p = 0; p < m->method->terms; p++) {
                sum[p] += v.terms[k][p];
                squares[p] += v.terms[k][p] * v.terms[k][p];
            }
        }
        physad__clip_verdicts_clear(&v);
        if (status == PHYSAD_OK)
            status = physad__call_tick(call, i + 1);
    }
    physad__clip_net_give(m, net);
    for (int64_t p = 0; status == PHYSAD_OK && p < m->method->terms; p++) {
        m->middle[p] = sum[p] / (double)n;
        m->spread[p] = fmax(sqrt(fmax(squares[p] / (double)n - m->middle[p] * m->middle[p], 0)), 1e-9);
    }
    return status;
}

static physad_status read_sample(const physad_detector *det, physad__clip_frames *f, const physad_sample *s)
{
    const physad_video_options o = physad__clip_video_options(det);
    physad_video *v;
    if (s->kind != PHYSAD_KIND_VIDEO && s->kind != PHYSAD_KIND_FRAMES)
        return physad__error(PHYSAD_ERR_ARG, "%s: no video; %s is for videos and folders of frames", s->path,
                             det->method->name);
    PHYSAD__TRY(physad_video_open(&v, det->ctx, s->file, &o));
    const physad_status status = physad__clip_frames_add(f, v);
    physad_video_free(v);
    return status;
}

/* Frames of the samples that are not kept aside. */
static physad_status read_samples(physad_detector *det, physad__clip_frames *f, const physad_dataset *normals,
                                  const uint8_t *aside, physad__call *call)
{
    const int64_t n = physad_dataset_count(normals), before = det->skipped_count;
    physad__call_stage(call, "frames", n);
    for (int64_t i = 0; i < n; i++) {
        if (aside[i] == 0)
            PHYSAD__TRY(
                physad__sample_read(det, normals, i, call, read_sample(det, f, physad_dataset_sample(normals, i))));
        PHYSAD__TRY(physad__call_tick(call, i + 1));
    }
    return physad__all_samples_read(det, before);
}

static physad_status score_aside(physad_detector *det, physad__clip_model *m, const physad_dataset *normals,
                                 const uint8_t *aside, double *scores, physad__call *call)
{
    const int64_t n = physad_dataset_count(normals), before = det->skipped_count;
    physad__call_stage(call, "calibration", n);
    for (int64_t i = 0; i < n; i++) {
        physad__clip_frames f;
        physad_result r = { 0 };
        if (!aside[i])
            continue;
        physad__clip_frames_for(&f, det);
        physad_status status = read_sample(det, &f, physad_dataset_sample(normals, i));
        if (status == PHYSAD_OK)
            status = physad__clip_score_frames(det, m, &f, 0, false, &r);
        scores[i] = r.score;
        physad__free(r.frame_scores);
        physad__clip_frames_clear(&f);
        PHYSAD__TRY(physad__sample_read(det, normals, i, call, status));
        PHYSAD__TRY(physad__call_tick(call, i + 1));
    }
    return physad__all_samples_read(det, before);
}

physad_status physad__clip_fit(physad_detector *det, const physad_dataset *normals, const uint8_t *aside,
                               double *scores, physad__call *call, void **model)
{
    physad__clip_frames f;
    physad__clip_model *m;
    PHYSAD__TRY(physad__clip_model_new(&m, det));
    physad__clip_frames_for(&f, det);
    physad_status status = read_samples(det, &f, normals, aside, call);
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
