/* SPDX-License-Identifier: Apache-2.0 */
/* MPN (Lv et al., CVPR 2021): the next frame from four, through prototypes that every frame makes of its own pixels'
 * features. After training, the prototypes' layer and the head may be made into a start from which one step fits them
 * to a scene: parameters and a step size for each are trained through that step (second order). */
#include "detect/detect_clip.h"

#include <math.h>

enum { PROTOTYPES = 10, SEGMENTS = 32, TASK = 4, ADAPTATIONS = 8 };
enum { MADE, FEATURES, NEAREST, KEPT };

static const physad__option rows[] = {
    PHYSAD__CLIP_ROWS("128", "0", "16", "channels of the first layer; features of pixels have twice as many", "60",
                      "400", "4", "0.001", "motion", "2"),
    { "mix", PHYSAD_OPTION_REAL, "0.5", 0, 1, NULL, "share of the frame's error in a score; the rest is the features'",
      "paper" },
    { "compactness", PHYSAD_OPTION_REAL, "1", 0, 100, NULL,
      "weight of the features' distance to their nearest prototype", "paper" },
    { "diversity", PHYSAD_OPTION_REAL, "0.0001", 0, 100, NULL, "weight of prototypes that are near each other",
      "paper" },
    { "meta_epochs", PHYSAD_OPTION_INT, "4", 0, 100000, NULL, "epochs of the meta phase, one task per video; 0: none",
      "paper: 1000" },
    { "meta_rate", PHYSAD_OPTION_REAL, "0.000001", 0, 1, NULL,
      "learning rate of the meta phase, and the first step sizes", "paper" },
};

static const physad__preset presets[] = {
    { "paper", "size", "256" }, { "paper", "width", "64" },    { "paper", "epochs", "1000" },
    { "paper", "batch", "4" },  { "paper", "rate", "0.0001" }, { "paper", "meta_epochs", "1000" },
    { "paper", "window", "1" }, { "paper", "weight", "none" },
};

/* --- network
 * ----------------------------------------------------------------------------------------------------------- */

typedef struct ends {
    int32_t made, nearest, loss;
} ends;

/* Prototypes and head, from features (N H W C, rows of norm one): the part that the meta phase trains. */
static ends finish(const physad_detector *det, physad__tape *t, int32_t features, int32_t target)
{
    int32_t ndim;
    int64_t grid[PHYSAD__TAPE_DIMS];
    const int64_t width = physad__option_int(det, "width");
    const physad__tape_window same = physad__tape_square(3, 1, 1, 0);
    physad__tape_shape(t, features, &ndim, grid);
    const int64_t flat[3] = { grid[0], grid[1] * grid[2], grid[3] };
    const int32_t x = physad__tape_reshape(t, features, 3, flat);
    const int32_t weights =
        physad__tape_softmax(t, physad__tape_linear(t, x, "dpu.attention", PROTOTYPES, false), true);
    const int32_t prototypes = physad__tape_normalize(t, physad__tape_matmul(t, weights, x, true, false), 2);
    const int32_t scores = physad__tape_matmul(t, x, prototypes, false, true);
    const int32_t read = physad__tape_matmul(t, physad__tape_softmax(t, scores, false), prototypes, false, false);
    const int32_t sum = physad__tape_add(t, physad__tape_normalize(t, read, 2), x);
    const int32_t nearest = physad__tape_gather(t, prototypes, physad__tape_top(t, scores, 0));
    const int32_t body = physad__clip_block(t, physad__tape_reshape(t, sum, 4, grid), "head", width, false);
    const int32_t made =
        physad__tape_activation(t, physad__tape_conv(t, body, "head.out", 3, &same, true), PHYSAD__TAPE_TANH, 0);
    const int64_t pixels[2] = { flat[0] * flat[1], flat[2] };
    const int32_t rows_of_x = physad__tape_reshape(t, x, 2, pixels);
    const int32_t fit =
        physad__tape_scale(t, physad__tape_mse(t, rows_of_x, nearest), physad__option_real(det, "compactness"), 0);
    const int32_t apart =
        physad__tape_scale(t, physad__tape_spread(t, prototypes, 1), physad__option_real(det, "diversity"), 0);
    const int32_t error = physad__tape_mse(t, made, target);
    return (ends){ made, nearest, physad__tape_add(t, error, physad__tape_add(t, fit, apart)) };
}

static physad_status build(const physad_detector *det, physad__params *params, physad__clip_net *net)
{
    static const char *const ups[3] = { "decoder.up2", "decoder.up3", "decoder.up4" };
    static const char *const blocks[2] = { "decoder.2", "decoder.3" };
    const int64_t width = physad__option_int(det, "width");
    physad__tape *t = net->t;
    int32_t skips[3];
    int32_t x = physad__clip_encode(t, net->input, width, false, skips);
    x = physad__clip_block(t, x, "decoder.4", 8 * width, false);
    for (int i = 2; i >= 0; i--) {
        x = physad__tape_concat(t, skips[i], physad__clip_up(t, x, ups[i], width << i, false));
        if (i > 0)
            x = physad__clip_block(t, x, blocks[i - 1], width << i, false);
    }
    x = physad__tape_normalize(t, x, 2);
    if (x < 0)
        return physad__tape_failed(t);
    const ends e = finish(det, t, x, net->target);
    net->kept[MADE] = e.made;
    net->kept[FEATURES] = x;
    net->kept[NEAREST] = e.nearest;
    net->kept_count = KEPT;
    net->loss = e.loss;
    return PHYSAD_OK;
}

/* --- batches
 * ----------------------------------------------------------------------------------------------------------- */

static int64_t batches(const physad__clip_frames *f)
{
    return f->videos;
}

/* Clips of one video, each from another of its 32 segments; every video once in an epoch. */
static void draw(const physad_detector *det, const physad__clip_frames *f, int64_t epoch, int64_t batch, int64_t count,
                 physad__clip_place *places)
{
    physad__rng rng;
    int64_t segments[SEGMENTS];
    physad__rng_seed(&rng, det->seed, UINT64_C(0x3b9) + (uint64_t)epoch);
    const int64_t start = physad__rng_below(&rng, f->videos);
    const int64_t video = (start + batch) % f->videos, n = physad__clip_count(f, video);
    physad__rng_seed(&rng, det->seed, (UINT64_C(0x5e6) << 40) + ((uint64_t)epoch << 20) + (uint64_t)batch);
    for (int64_t i = 0; i < SEGMENTS; i++)
        segments[i] = i;
    physad__rng_shuffle(&rng, segments, SEGMENTS);
    for (int64_t i = 0; i < count; i++) {
        const int64_t s = segments[i % SEGMENTS], from = n * s / SEGMENTS,
                      to = physad__max(n * (s + 1) / SEGMENTS, from + 1);
        places[i] = (physad__clip_place){ .video = video,
                                          .from = physad__min(from + physad__rng_below(&rng, to - from), n - 1) };
    }
}

/* --- scores
 * ------------------------------------------------------------------------------------------------------------ */

static void judge(const physad_detector *det, const physad__clip_net *net, int64_t i, const float *motion,
                  double *terms, float *map)
{
    const int64_t size = physad__option_int(det, "size"), frame = size * size * 3;
    const int64_t part = physad__tape_count(net->t, net->kept[FEATURES]) / net->batch;
    const float *x = physad__tape_data(net->t, net->kept[FEATURES]) + i * part;
    const float *near = physad__tape_data(net->t, net->kept[NEAREST]) + i * part;
    terms[0] = physad__clip_psnr_term(det, physad__tape_data(net->t, net->kept[MADE]) + i * frame,
                                      physad__tape_data(net->t, net->target) + i * frame, 3, motion, map);
    terms[1] = physad__clip_feature_term(det, x, near, size, part / (size * size), motion);
    if (motion == NULL)
        terms[1] = 10 * log10(fmax(terms[1], 1e-10));
}

/* --- the meta phase
 * ---------------------------------------------------------------------------------------------------- */

/* Parameters theta of prototypes and head, and as many step sizes; a task's first half is fitted by one step, the
 * second half judges the result. */
typedef struct meta {
    const physad_detector *det;
    const physad__clip_method *method;
    const physad__clip_frames *frames;
    physad__clip_net *body; /* computes features of a task */
    physad__params params;  /* theta, then step sizes */
    int64_t count;          /* of theta's parameters */
    physad__tape *t;        /* the head on half a task */
    int32_t features, target;
    ends e;
    const float *task_features, *task_target; /* of the present task, first half first */
    float **base, **first, **up;              /* theta as it was; the first half's gradients there, and beside it */
} meta;

static void meta_clear(meta *m)
{
    float **const lists[3] = { m->base, m->first, m->up };
    for (int k = 0; k < 3; k++) {
        for (int64_t i = 0; lists[k] != NULL && i < m->count; i++)
            physad__free(lists[k][i]);
        physad__free(lists[k]);
    }
    physad__clip_net_free(m->body);
    physad__tape_free(m->t);
    physad__params_clear(&m->params);
}

/* In f32 whatever the precision: second derivatives are differences of gradients. */
static physad_status meta_head(meta *m)
{
    const int64_t size = physad__option_int(m->det, "size"), width = physad__option_int(m->det, "width");
    const int64_t features[4] = { TASK / 2, size, size, 2 * width }, target[4] = { TASK / 2, size, size, 3 };
    PHYSAD__TRY(physad__tape_new(&m->t, m->det->ctx, &m->params, true));
    physad__tape_holdable(m->t);
    m->features = physad__tape_input(m->t, 4, features, false);
    m->target = physad__tape_input(m->t, 4, target, false);
    m->e = finish(m->det, m->t, m->features, m->target);
    PHYSAD__TRY(physad__tape_compile(m->t, m->e.loss, NULL, 0));
    m->count = m->params.count;
    return PHYSAD_OK;
}

static physad_status meta_take(meta *m, const physad__params *from)
{
    for (int64_t i = 0; i < m->count; i++) {
        physad__param *p = &m->params.items[i];
        const int32_t k = physad__params_find(from, p->name);
        if (k < 0)
            return physad__error(PHYSAD_ERR_INTERNAL, "mpn: %s is not in the network", p->name);
        memcpy(p->data, from->items[k].data, (size_t)p->count * sizeof(float));
    }
    return PHYSAD_OK;
}

static physad_status meta_steps(meta *m, double first)
{
    const physad__param_init rate = { PHYSAD__DRAW_UNIFORM, first, 0 };
    physad__mem *mem = &m->det->ctx->mem;
    float ***const lists[3] = { &m->base, &m->first, &m->up };
    for (int k = 0; k < 3; k++) {
        *lists[k] = physad__alloc_zero(mem, (size_t)m->count * sizeof(**lists[k]), "meta phase");
        for (int64_t i = 0; *lists[k] != NULL && i < m->count; i++)
            if (((*lists[k])[i] = physad__alloc_array(mem, m->params.items[i].count, sizeof(float), "meta phase")) ==
                NULL)
                return PHYSAD_ERR_NOMEM;
        if (*lists[k] == NULL)
            return PHYSAD_ERR_NOMEM;
    }
    for (int64_t i = 0; i < m->count; i++) {
        char name[96];
        int32_t index;
        const physad__param p = m->params.items[i]; /* a copy: the list may move */
        physad__snprintf(name, sizeof(name), "step.%s", p.name);
        PHYSAD__TRY(physad__params_get(&m->params, &index, name, p.ndim, p.shape, &rate, true));
    }
    return PHYSAD_OK;
}

/* Theta's gradients on one half of the present task. */
static physad_status half_gradient(meta *m, int half, double *loss)
{
    const int64_t features = physad__tape_count(m->t, m->features), target = physad__tape_count(m->t, m->target);
    memcpy(physad__tape_data(m->t, m->features), m->task_features + half * features, (size_t)features * sizeof(float));
    memcpy(physad__tape_data(m->t, m->target), m->task_target + half * target, (size_t)target * sizeof(float));
    for (int64_t i = 0; i < m->count; i++)
        memset(m->params.items[i].grad, 0, (size_t)m->params.items[i].count * sizeof(float));
    PHYSAD__TRY(physad__tape_forward(m->t));
    *loss = (double)physad__tape_data(m->t, m->e.loss)[0];
    return physad__tape_backward(m->t);
}

/* theta = base + factor step u. */
static void move(meta *m, double factor, float *const *u)
{
    for (int64_t i = 0; i < m->count; i++) {
        physad__param *p = &m->params.items[i];
        const float *step = m->params.items[m->count + i].data;
        for (int64_t k = 0; k < p->count; k++)
            p->data[k] = (float)((double)m->base[i][k] + factor * (double)step[k] * (double)u[i][k]);
    }
    m->params.version++;
}

static void keep_theta(meta *m)
{
    for (int64_t i = 0; i < m->count; i++)
        memcpy(m->base[i], m->params.items[i].data, (size_t)m->params.items[i].count * sizeof(float));
}

static void keep_gradients(const meta *m, float *const *to)
{
    for (int64_t i = 0; i < m->count; i++)
        memcpy(to[i], m->params.items[i].grad, (size_t)m->params.items[i].count * sizeof(float));
}

/* How far to go along step G for a difference: a thousandth of theta's length; 0 where step G is nothing. */
static double width_of(const meta *m)
{
    double theta = 0, along = 0;
    for (int64_t i = 0; i < m->count; i++) {
        const physad__param *p = &m->params.items[i], *step = &m->params.items[m->count + i];
        for (int64_t k = 0; k < p->count; k++) {
            const double v = (double)step->data[k] * (double)step->grad[k];
            theta += (double)m->base[i][k] * (double)m->base[i][k];
            along += v * v;
        }
    }
    return along > 0 ? 1e-3 * sqrt(theta / along) : 0;
}

/* Gradients of the first half a little beside theta, in `up` and where they are, on the piece that theta lies on. */
static physad_status two_sides(meta *m, double width, float *const *along)
{
    double unused;
    move(m, 0, along);
    PHYSAD__TRY(half_gradient(m, 0, &unused));
    physad__tape_hold(m->t, true);
    move(m, width, along);
    physad_status status = half_gradient(m, 0, &unused);
    keep_gradients(m, m->up);
    move(m, -width, along);
    if (status == PHYSAD_OK)
        status = half_gradient(m, 0, &unused);
    physad__tape_hold(m->t, false);
    return status;
}

/* Through theta' = theta - step g, with g the first half's gradient at theta and G the second half's at theta': G - H
 * (step G) for theta, -g G for the step sizes. H, the first half's second derivatives at theta, times a vector is a
 * central difference of gradients. On entry theta's gradients are G. */
static physad_status through_step(meta *m)
{
    float *outer[16];
    if (m->count > PHYSAD__COUNT(outer))
        return physad__error(PHYSAD_ERR_INTERNAL, "mpn: %lld parameters of the head", (long long)m->count);
    for (int64_t i = 0; i < m->count; i++)
        outer[i] = m->params.items[m->count + i].grad;
    keep_gradients(m, outer);
    const double width = width_of(m);
    if (width > 0)
        PHYSAD__TRY(two_sides(m, width, outer));
    for (int64_t i = 0; i < m->count; i++) {
        float *grad = m->params.items[i].grad, *step = outer[i];
        for (int64_t k = 0; k < m->params.items[i].count; k++) {
            const double bend = width > 0 ? ((double)m->up[i][k] - (double)grad[k]) / (2 * width) : 0;
            grad[k] = (float)((double)step[k] - bend);
            step[k] = -m->first[i][k] * step[k];
        }
    }
    return PHYSAD_OK;
}

static physad_status load_task(meta *m, float *const *arrays)
{
    physad__tape *t = m->body->t;
    memcpy(physad__tape_data(t, m->body->input), arrays[0],
           (size_t)physad__tape_count(t, m->body->input) * sizeof(float));
    memcpy(physad__tape_data(t, m->body->target), arrays[1],
           (size_t)physad__tape_count(t, m->body->target) * sizeof(float));
    PHYSAD__TRY(physad__tape_forward(t));
    m->task_features = physad__tape_data(t, m->body->kept[FEATURES]);
    m->task_target = physad__tape_data(t, m->body->target);
    return PHYSAD_OK;
}

/* The loss of the task's second half after a step on the first, and its gradients for theta and the step sizes. */
static physad_status task_gradient(meta *m, double *loss)
{
    double inner;
    keep_theta(m);
    PHYSAD__TRY(half_gradient(m, 0, &inner));
    keep_gradients(m, m->first);
    move(m, -1, m->first);
    PHYSAD__TRY(half_gradient(m, 1, loss));
    const physad_status status = through_step(m);
    move(m, 0, m->first);
    return status;
}

static physad_status task(void *user, float *const *arrays, double *loss)
{
    PHYSAD__TRY(load_task(user, arrays));
    return task_gradient(user, loss);
}

static physad_status fill_task(void *user, int64_t epoch, int64_t batch, float *const *arrays)
{
    const meta *m = user;
    physad__clip_place places[TASK];
    draw(m->det, m->frames, epoch, batch, TASK, places);
    for (int64_t i = 0; i < TASK; i++)
        PHYSAD__TRY(physad__clip_fill(m->method, m->frames, &places[i], i, arrays[0], arrays[1]));
    return PHYSAD_OK;
}

/* One step from the trained start, along the mean gradient of some tasks of the normals: what scoring uses. */
static physad_status adapt(meta *m)
{
    physad__tape *t = m->body->t;
    const int64_t tasks = physad__min(m->frames->videos, ADAPTATIONS);
    double unused;
    keep_theta(m);
    for (int64_t i = 0; i < m->count; i++)
        memset(m->up[i], 0, (size_t)m->params.items[i].count * sizeof(float));
    for (int64_t b = 0; b < tasks; b++) {
        float *arrays[2] = { physad__tape_data(t, m->body->input), physad__tape_data(t, m->body->target) };
        PHYSAD__TRY(fill_task(m, -1, b, arrays));
        PHYSAD__TRY(load_task(m, arrays));
        PHYSAD__TRY(half_gradient(m, 0, &unused));
        for (int64_t i = 0; i < m->count; i++)
            for (int64_t k = 0; k < m->params.items[i].count; k++)
                m->up[i][k] += m->params.items[i].grad[k] / (float)tasks;
    }
    move(m, -1, m->up);
    return PHYSAD_OK;
}

static physad_status run_meta(meta *m, physad__params *network, physad__call *call)
{
    physad__train_result result;
    const double rate = physad__option_real(m->det, "meta_rate");
    const physad__train_options o = { .optimizer = { .kind = PHYSAD__ADAM, .rate = rate },
                                      .epochs = physad__option_int(m->det, "meta_epochs"),
                                      .batches = m->frames->videos };
    PHYSAD__TRY(physad__clip_net_new(&m->body, m->det, network, TASK, physad__option_int(m->det, "size"), false));
    PHYSAD__TRY(physad__clip_net_compile(m->body, false));
    PHYSAD__TRY(meta_head(m));
    PHYSAD__TRY(meta_take(m, network));
    PHYSAD__TRY(meta_steps(m, rate));
    const physad__job job = { .params = &m->params,
                              .arrays = 2,
                              .fill = fill_task,
                              .user = m,
                              .compute = task,
                              .counts = { physad__tape_count(m->body->t, m->body->input),
                                          physad__tape_count(m->body->t, m->body->target) } };
    PHYSAD__TRY(physad__train(m->det->ctx, &job, &o, call, &result, NULL));
    PHYSAD__TRY(adapt(m));
    for (int64_t i = 0; i < m->count; i++) {
        physad__param *to = &network->items[physad__params_find(network, m->params.items[i].name)];
        memcpy(to->data, m->params.items[i].data, (size_t)to->count * sizeof(float));
    }
    network->version++;
    return PHYSAD_OK;
}

static physad_status further(const physad_detector *det, physad__clip_model *model, const physad__clip_frames *frames,
                             physad__call *call)
{
    meta m = { .det = det, .method = model->method, .frames = frames };
    if (physad__option_int(det, "meta_epochs") == 0)
        return PHYSAD_OK;
    physad__params_init(&m.params, &det->ctx->mem, det->seed);
    const physad_status status = run_meta(&m, &model->params, call);
    meta_clear(&m);
    return status;
}

physad_status physad__mpn_task_gradient(const physad_detector *det, physad__params *params, const float *features,
                                        const float *target, double step, double *loss)
{
    meta m = { .det = det, .task_features = features, .task_target = target, .params = *params };
    physad_status status = meta_head(&m);
    if (status == PHYSAD_OK)
        status = meta_steps(&m, step);
    if (status == PHYSAD_OK)
        status = task_gradient(&m, loss);
    *params = m.params;
    physad__params_init(&m.params, params->mem, 0);
    meta_clear(&m);
    return status;
}

static const physad__clip_method clips = { .length = 5,
                                           .channels = 3,
                                           .inputs = 4,
                                           .scored = 4,
                                           .terms = 2,
                                           .build = build,
                                           .judge = judge,
                                           .draw = draw,
                                           .batches = batches,
                                           .schedule = PHYSAD__CONSTANT,
                                           .further = further };

const physad__method physad__method_mpn = {
    .name = "mpn",
    .title = "MPN: the next frame from four, through prototypes made of its own pixels, ready to be fitted to a scene "
             "by one step",
    .source = "Lv et al.: Learning Normal Dynamics in Videos with Meta Prototype Network, CVPR 2021",
    .options = { rows, PHYSAD__COUNT(rows) },
    .presets = presets,
    .preset_count = PHYSAD__COUNT(presets),
    .clips = &clips,
    PHYSAD__CLIP_FAMILY,
};
