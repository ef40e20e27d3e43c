/* SPDX-License-Identifier: Apache-2.0 */
/* MNAD (Park, Noh and Ham, CVPR 2020): a network predicts the next of five frames, or rebuilds one, through a memory of
 * ten normal patterns, written to while it trains, and by choice while it scores. A frame is odd where the network's
 * frame is far from it, and where its features are far from what the memory holds. */
#include "detect/detect_clip.h"

#include <math.h>

enum { ITEMS = 10 };
enum { MADE, QUERIES, SCORES, NEAREST, KEPT };

static const char MEMORY[] = "memory.items";

static const physad__option pred_rows[] = {
    PHYSAD__CLIP_ROWS("128", "64", "16", "channels of the first layer; the memory's items have eight times as many",
                      "10", "400", "4", "0.001", "none", "0"),
    { "mix", PHYSAD_OPTION_REAL, "0.6", 0, 1, NULL, "share of the frame's error in a score; the rest is the features'",
      "paper, 4.1" },
    { "compactness", PHYSAD_OPTION_REAL, "0.1", 0, 100, NULL, "weight of the features' distance to their nearest item",
      "paper, 4.1" },
    { "separateness", PHYSAD_OPTION_REAL, "0.1", 0, 100, NULL, "weight of the margin between nearest and second item",
      "paper, 4.1" },
    { "update", PHYSAD_OPTION_REAL, "0", 0, 1, NULL,
      "error of a scored frame below which the memory takes it in, for the rest of the video; 0: never",
      "paper, 3.3: 0.01" },
};

static const physad__option recon_rows[] = {
    PHYSAD__CLIP_ROWS("128", "32", "16", "channels of the first layer; the memory's items have eight times as many",
                      "10", "6400", "16", "0.001", "motion", "0"),
    { "mix", PHYSAD_OPTION_REAL, "0.7", 0, 1, NULL, "share of the frame's error in a score; the rest is the features'",
      "paper, 4.1" },
    { "compactness", PHYSAD_OPTION_REAL, "0.01", 0, 100, NULL, "weight of the features' distance to their nearest item",
      "paper, 4.1" },
    { "separateness", PHYSAD_OPTION_REAL, "0.01", 0, 100, NULL, "weight of the margin between nearest and second item",
      "paper, 4.1" },
    { "update", PHYSAD_OPTION_REAL, "0", 0, 1, NULL,
      "error of a scored frame below which the memory takes it in, for the rest of the video; 0: never",
      "paper, 3.3: 0.015" },
};

#define PAPER(update)                                                                                                  \
    { "paper", "piece", "0" }, { "paper", "weight", "none" }, { "paper", "epoch_clips", "0" },                         \
    { "paper", "window", "1" }, { "paper", "size", "256" },                                                            \
    { "paper", "width", "64" }, { "paper", "epochs", "60" }, { "paper", "batch", "4" },                                \
    { "paper", "rate", "0.0002" }, { "paper", "update", update },
static const physad__preset pred_presets[] = { PAPER("0.01") }, recon_presets[] = { PAPER("0.015") };

/* --- network
 * ----------------------------------------------------------------------------------------------------------- */

/* From queries (rows of norm one) to what the decoder sees: the queries beside what they read. */
static int32_t remember(const physad_detector *det, physad__clip_net *net, int32_t features, int32_t *loss)
{
    physad__tape *t = net->t;
    int32_t ndim;
    int64_t grid[PHYSAD__TAPE_DIMS];
    physad__tape_shape(t, features, &ndim, grid);
    const int64_t channels = grid[3], flat[2] = { grid[0] * grid[1] * grid[2], channels },
                  items[2] = { ITEMS, channels };
    const physad__param_init init = { PHYSAD__DRAW_UNIFORM, 0.5, 0.5 };
    const int32_t memory = physad__tape_param(t, MEMORY, 2, items, &init, false);
    const int32_t q = physad__tape_reshape(t, physad__tape_normalize(t, features, 2), 2, flat);
    const int32_t scores = physad__tape_matmul(t, q, memory, false, true);
    const int32_t read =
        physad__tape_matmul(t, physad__tape_detach(t, physad__tape_softmax(t, scores, false)), memory, false, false);
    const int32_t near = physad__tape_gather(t, memory, physad__tape_top(t, scores, 0));
    const int32_t far = physad__tape_gather(t, memory, physad__tape_top(t, scores, 1));
    const int32_t compact =
        physad__tape_scale(t, physad__tape_mse(t, q, near), physad__option_real(det, "compactness"), 0);
    const int32_t apart =
        physad__tape_scale(t, physad__tape_triplet(t, q, near, far, 1), physad__option_real(det, "separateness"), 0);
    net->kept[QUERIES] = q;
    net->kept[SCORES] = scores;
    net->kept[NEAREST] = near;
    *loss = physad__tape_add(t, compact, apart);
    const int64_t doubled[4] = { grid[0], grid[1], grid[2], 2 * channels };
    return physad__tape_reshape(t, physad__tape_concat(t, q, read), 4, doubled);
}

/* `skips`: of the encoder, or NULL: none, and then the transposed convolutions keep their channels. */
static int32_t decode(physad__tape *t, int32_t x, int64_t width, const int32_t *skips)
{
    static const char *const ups[3] = { "decoder.up2", "decoder.up3", "decoder.up4" };
    static const char *const blocks[2] = { "decoder.2", "decoder.3" };
    const physad__tape_window same = physad__tape_square(3, 1, 1, 0);
    x = physad__clip_block(t, x, "decoder.4", 8 * width, true);
    for (int i = 2; i >= 0; i--) {
        x = physad__clip_up(t, x, ups[i], (skips != NULL ? width : 2 * width) << i, true);
        if (skips != NULL)
            x = physad__tape_concat(t, skips[i], x);
        if (i > 0)
            x = physad__clip_block(t, x, blocks[i - 1], width << i, true);
    }
    x = physad__clip_block(t, x, "decoder.1", width, true);
    return physad__tape_activation(t, physad__tape_conv(t, x, "decoder.out", 3, &same, true), PHYSAD__TAPE_TANH, 0);
}

/* Items start as rows of norm one. */
static void normalise_items(float *items, int64_t channels)
{
    for (int64_t i = 0; i < ITEMS; i++) {
        double sum = 0;
        for (int64_t c = 0; c < channels; c++)
            sum += (double)items[i * channels + c] * (double)items[i * channels + c];
        for (int64_t c = 0; c < channels; c++)
            items[i * channels + c] = (float)((double)items[i * channels + c] / fmax(sqrt(sum), 1e-12));
    }
}

static physad_status build(const physad_detector *det, physad__params *params, physad__clip_net *net)
{
    const bool predicts = net->target != net->input, fresh = physad__params_find(params, MEMORY) < 0;
    const int64_t width = physad__option_int(det, "width");
    physad__tape *t = net->t;
    int32_t skips[3], terms;
    const int32_t features = physad__clip_encode(t, net->input, width, true, skips);
    if (features < 0)
        return physad__tape_failed(t);
    const int32_t x = remember(det, net, features, &terms);
    net->kept[MADE] = decode(t, x, width, predicts ? skips : NULL);
    net->kept_count = KEPT;
    net->loss = physad__tape_add(t, physad__tape_mse(t, net->kept[MADE], net->target), terms);
    const int32_t memory = physad__params_find(params, MEMORY);
    if (fresh && memory >= 0)
        normalise_items(params->items[memory].data, 8 * width);
    return PHYSAD_OK;
}

/* --- the memory
 * -------------------------------------------------------------------------------------------------------- */

/* Each item moves towards the queries nearest to it, weighed by exp(score - greatest score of that item over all
 * queries), which is the quotient of their softmaxes over the queries. */
static physad_status seen(const physad_detector *det, physad__params *params, physad__clip_net *net)
{
    const int64_t rows = physad__tape_count(net->t, net->kept[SCORES]) / ITEMS;
    const int64_t channels = physad__tape_count(net->t, net->kept[QUERIES]) / rows;
    const float *q = physad__tape_data(net->t, net->kept[QUERIES]),
                *scores = physad__tape_data(net->t, net->kept[SCORES]);
    float *items = params->items[physad__params_find(params, MEMORY)].data;
    double *sums = physad__alloc_zero(&det->ctx->mem, (size_t)(ITEMS * channels) * sizeof(double), "memory");
    double most[ITEMS];
    if (sums == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < ITEMS; i++) {
        most[i] = -INFINITY;
        for (int64_t r = 0; r < rows; r++)
            most[i] = fmax(most[i], (double)scores[r * ITEMS + i]);
        for (int64_t c = 0; c < channels; c++)
            sums[i * channels + c] = (double)items[i * channels + c];
    }
    for (int64_t r = 0; r < rows; r++) {
        int64_t top = 0;
        for (int64_t i = 1; i < ITEMS; i++)
            top = scores[r * ITEMS + i] > scores[r * ITEMS + top] ? i : top;
        const double weight = exp((double)scores[r * ITEMS + top] - most[top]);
        for (int64_t c = 0; c < channels; c++)
            sums[top * channels + c] += weight * (double)q[r * channels + c];
    }
    for (int64_t i = 0; i < ITEMS * channels; i++)
        items[i] = (float)sums[i];
    normalise_items(items, channels);
    physad__free(sums);
    return PHYSAD_OK;
}

/* --- scores
 * ------------------------------------------------------------------------------------------------------------ */

static void judge(const physad_detector *det, const physad__clip_net *net, int64_t i, const float *motion,
                  double *terms, float *map)
{
    const int64_t size = physad__option_int(det, "size"), frame = size * size * 3;
    const int64_t part = physad__tape_count(net->t, net->kept[QUERIES]) / net->batch;
    const float *q = physad__tape_data(net->t, net->kept[QUERIES]) + i * part;
    const float *near = physad__tape_data(net->t, net->kept[NEAREST]) + i * part;
    terms[0] = physad__clip_psnr_term(det, physad__tape_data(net->t, net->kept[MADE]) + i * frame,
                                      physad__tape_data(net->t, net->target) + i * frame, 3, motion, map);
    terms[1] = physad__clip_feature_term(det, q, near, size / 8, part / (size / 8 * (size / 8)), motion);
}

/* The mean squared error of numbers in 0..1, weighted by 1 - exp(-error). */
static double novelty(const physad_detector *det, const physad__clip_net *net)
{
    const float *made = physad__tape_data(net->t, net->kept[MADE]), *want = physad__tape_data(net->t, net->target);
    const int64_t count = physad__tape_count(net->t, net->target);
    double sum = 0, weights = 0;
    for (int64_t i = 0; i < count; i++) {
        const double d = ((double)made[i] - (double)want[i]) / 2, weight = -expm1(-d * d);
        sum += weight * d * d;
        weights += weight;
    }
    return weights > 0 ? sum / weights : 0;
}

static const physad__clip_method pred = { .length = 5,
                                          .channels = 3,
                                          .inputs = 4,
                                          .scored = 4,
                                          .terms = 2,
                                          .build = build,
                                          .seen = seen,
                                          .novelty = novelty,
                                          .judge = judge,
                                          .schedule = PHYSAD__COSINE };
static const physad__clip_method recon = { .length = 1,
                                           .channels = 3,
                                           .inputs = 1,
                                           .scored = 0,
                                           .terms = 2,
                                           .build = build,
                                           .seen = seen,
                                           .novelty = novelty,
                                           .judge = judge,
                                           .schedule = PHYSAD__COSINE };

const physad__method physad__method_mnad_pred = {
    .name = "mnad-pred",
    .title = "MNAD, prediction: the next frame from four, through a memory of normal patterns",
    .source = "Park, Noh, Ham: Learning Memory-guided Normality for Anomaly Detection, CVPR 2020",
    .options = { pred_rows, PHYSAD__COUNT(pred_rows) },
    .presets = pred_presets,
    .preset_count = PHYSAD__COUNT(pred_presets),
    .clips = &pred,
    PHYSAD__CLIP_FAMILY,
};

const physad__method physad__method_mnad_recon = {
    .name = "mnad-recon",
    .title = "MNAD, reconstruction: a frame from itself, through a memory of normal patterns",
    .source = "Park, Noh, Ham: Learning Memory-guided Normality for Anomaly Detection, CVPR 2020",
    .options = { recon_rows, PHYSAD__COUNT(recon_rows) },
    .presets = recon_presets,
    .preset_count = PHYSAD__COUNT(recon_presets),
    .clips = &recon,
    PHYSAD__CLIP_FAMILY,
};
