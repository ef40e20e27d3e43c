/* SPDX-License-Identifier: Apache-2.0 */
/* MemAE (Gong et al., ICCV 2019): sixteen grey frames rebuilt by 3-D convolutions from few entries of a learned memory.
 */
#include "detect/detect_clip.h"

#include <math.h>

enum { LENGTH = 16 };

static const physad__option rows[] = {
    /* Smaller frames than the others': the network halves them four times, and what it rebuilds through its memory is
     * blurred until it has learned long. */
    PHYSAD__CLIP_ROWS("96", "32", "24", "channels of the first layer; the next have 4/3, 8/3 and 8/3 as many", "10",
                      "4800", "12", "0.002", "motion", "0"),
    { "items", PHYSAD_OPTION_INT, "2000", 2, 100000, NULL, "entries of the memory", "paper" },
    /* The paper's least, 1 / items. At five times that (the published program's) hardly any entry of a memory that has
     * learned nothing passes, so neither it nor the encoder gets a gradient for a long time: a short training ends at
     * the mean picture. */
    { "shrink", PHYSAD_OPTION_REAL, "0.0005", 0, 1, NULL, "weights of entries below this go to zero",
      "paper: 1 to 3 / items" },
    { "entropy", PHYSAD_OPTION_REAL, "0.0002", 0, 100, NULL, "weight of the entropy of an entry's weights in the loss",
      "paper" },
};

static const physad__preset presets[] = {
    { "paper", "piece", "0" },       { "paper", "weight", "none" },
    { "paper", "epoch_clips", "0" }, { "paper", "window", "1" },   { "paper", "size", "256" },
    { "paper", "width", "96" },      { "paper", "epochs", "100" }, { "paper", "batch", "10" },
    { "paper", "rate", "0.0001" },  { "paper", "shrink", "0.0025" },
};

/* Layer `name` with its norm; `first`: halves height and width only. */
static int32_t layer(physad__tape *t, int32_t x, const char *name, int64_t channels, bool up, bool outer)
{
    const physad__tape_window all = physad__tape_square(3, 2, 1, up);
    const physad__tape_window flat = { { 3, 3, 3 }, { 1, 2, 2 }, { 1, 1, 1 }, { 0, up, up } };
    const physad__tape_window *w = outer ? &flat : &all;
    char norm[64];
    physad__snprintf(norm, sizeof(norm), "%s.norm", name);
    x = up ? physad__tape_deconv(t, x, name, channels, w, true) : physad__tape_conv(t, x, name, channels, w, true);
    return up && outer ? x : physad__tape_batch_norm(t, x, norm, PHYSAD__TAPE_LEAKY, 0.2);
}

static physad_status build(const physad_detector *det, physad__params *params, physad__clip_net *net)
{
    physad__tape *t = net->t;
    const int64_t width = physad__option_int(det, "width"),
                  wide[4] = { width, width * 4 / 3, width * 8 / 3, width * 8 / 3 };
    const int64_t items = physad__option_int(det, "items"), memory_shape[2] = { items, wide[3] };
    const physad__param_init init = { PHYSAD__DRAW_UNIFORM, 0, 1 / sqrt((double)wide[3]) };
    int32_t ndim;
    int64_t grid[PHYSAD__TAPE_DIMS];
    params->deviation = 0.02;
    int32_t x = layer(t, net->input, "encoder.1", wide[0], false, true);
    x = layer(t, x, "encoder.2", wide[1], false, false);
    x = layer(t, x, "encoder.3", wide[2], false, false);
    x = layer(t, x, "encoder.4", wide[3], false, false);
    if (x < 0)
        return physad__tape_failed(t);
    physad__tape_shape(t, x, &ndim, grid);
    const int64_t flat[2] = { grid[0] * grid[1] * grid[2] * grid[3], grid[4] };
    const int32_t memory = physad__tape_param(t, "memory", 2, memory_shape, &init, true);
    const int32_t z = physad__tape_reshape(t, x, 2, flat);
    const int32_t dense = physad__tape_softmax(t, physad__tape_matmul(t, z, memory, false, true), false);
    const int32_t sparse =
        physad__tape_normalize(t, physad__tape_shrink(t, dense, physad__option_real(det, "shrink")), 1);
    x = physad__tape_reshape(t, physad__tape_matmul(t, sparse, memory, false, false), 5, grid);
    x = layer(t, x, "decoder.1", wide[3], true, false);
    x = layer(t, x, "decoder.2", wide[1], true, false);
    x = layer(t, x, "decoder.3", wide[0], true, false);
    net->kept[0] = physad__tape_single(t, layer(t, x, "decoder.4", 1, true, true));
    net->kept_count = 1;
    const int32_t entropy =
        physad__tape_scale(t, physad__tape_entropy(t, sparse), physad__option_real(det, "entropy"), 0);
    net->loss = physad__tape_add(t, physad__tape_mse(t, net->kept[0], net->target), entropy);
    return PHYSAD_OK;
}

/* Mean distance of the clip's pixels over time, in the worst window: also the map. Where motion counts, the scored
 * frame's alone: what moves is elsewhere in the others. */
static void judge(const physad_detector *det, const physad__clip_net *net, int64_t i, const float *motion,
                  double *terms, float *map)
{
    const int64_t size = physad__option_int(det, "size"), frame = size * size, clip = LENGTH * frame;
    const float *made = physad__tape_data(net->t, net->kept[0]) + i * clip,
                *want = physad__tape_data(net->t, net->target) + i * clip;
    double columns[1024];
    for (int64_t p = 0; p < frame; p++) {
        const int64_t now = p + LENGTH / 2 * frame;
        double sum = 0;
        if (motion != NULL) {
            map[p] = (float)fabs((double)made[now] - (double)want[now]) * motion[p];
            continue;
        }
        for (int64_t k = p; k < clip; k += frame)
            sum += fabs((double)made[k] - (double)want[k]);
        map[p] = (float)(sum / LENGTH);
    }
    terms[0] = physad__clip_worst(map, size, size, physad__option_real(det, "window"), columns);
}

static const physad__clip_method clips = { .length = LENGTH,
                                           .channels = 1,
                                           .inputs = LENGTH,
                                           .scored = LENGTH / 2,
                                           .apart = true,
                                           .terms = 1,
                                           .build = build,
                                           .judge = judge,
                                           .schedule = PHYSAD__CONSTANT };

const physad__method physad__method_memae = {
    .name = "memae",
    .title = "MemAE: sixteen frames rebuilt from few entries of a learned memory",
    .source = "Gong et al.: Memorizing Normality to Detect Anomaly, ICCV 2019",
    .options = { rows, PHYSAD__COUNT(rows) },
    .presets = presets,
    .preset_count = PHYSAD__COUNT(presets),
    .clips = &clips,
    PHYSAD__CLIP_FAMILY,
};
