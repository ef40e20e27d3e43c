/* SPDX-License-Identifier: Apache-2.0 */
/* RAD's comparison with a rendered reference (Zhou et al., "RAD: A Dataset and Benchmark for Real-Life Anomaly
 * Detection with Robotic Observations", 2024): the pose at which the scene looks most like the photo, and at each place
 * the distance of the network's features of photo and picture, summed over the layers; the photo's score is its map's
 * greatest number, or a percentile.
 *
 * Ours beyond the paper: each layer's distances are divided by their mean over the training photos, so that no layer
 * drowns the others, and the picture takes the photo's colours. */
#include "detect/detect_posed.h"

#include <math.h>

static const physad__option rows[] = {
    { "preset", PHYSAD_OPTION_CHOICE, "physad", 0, 0, "physad|paper",
      "whose variant: sets the other options that are not set by name", NULL },
    { "scale", PHYSAD_OPTION_CHOICE, "usual", 0, 0, "usual|none",
      "layers by their mean distance on training photos, or as they are", "RAD, eq. 2: none" },
    { "match_colours", PHYSAD_OPTION_BOOL, "true", 0, 0, NULL, "bring the picture to the photo's colours first",
      "RAD: no" },
    { "blur", PHYSAD_OPTION_REAL, "4", 0, 100, NULL, "standard deviation of the map's Gaussian blur in pixels",
      "SplatPose; RAD: none" },
    { "percentile", PHYSAD_OPTION_REAL, "99.7", 0, 100, NULL,
      "a photo's score: the mean of the map above this percentile; 100: the greatest", "RAD: maximum or percentile" },
};

static const physad__preset presets[] = {
    { "paper", "scale", "none" }, { "paper", "match_colours", "false" }, { "paper", "blur", "0" },
    { "paper", "percentile", "100" }, { "paper", "pool", "none" },
};

typedef struct compare {
    physad_context *ctx;
    double usual[PHYSAD__POSED_LAYERS]; /* mean distance of each layer on training photos; 1: not learnt */
} compare;

/* --- layers --- */

/* |f(q) - f(r)| of one layer, at its own size. */
static void subtract(float *out, const physad__posed_stack *q, const physad__posed_stack *r, int64_t layer)
{
    const int64_t *s = q->shape[layer];
    for (int64_t i = 0; i < s[0] * s[1]; i++) {
        double sum = 0;
        for (int64_t k = 0; k < s[2]; k++) {
            const double d = (double)q->of[layer][i * s[2] + k] - (double)r->of[layer][i * s[2] + k];
            sum += d * d;
        }
        out[i] = (float)sqrt(sum);
    }
}

/* --- a photo and the scene's picture from a pose --- */

static physad_status reference(float *out, const physad_detector *det, const physad__posed_model *m,
                               const physad__scene_view *photo, const physad_camera *camera)
{
    const int64_t plane = m->height * m->width;
    physad__posed_look look;
    PHYSAD__TRY(physad__posed_look_make(&look, m, &m->scene, camera));
    memcpy(out, look.colour, (size_t)(3 * plane) * sizeof(float));
    if (physad__option_bool(det, "match_colours"))
        physad__posed_match_colours(out, photo->pixels, look.opacity, plane);
    physad__posed_look_free(&look);
    return PHYSAD_OK;
}

/* Adds each layer's distance, divided by `usual`, to the map (NULL: not wanted), and its mean to means. */
static physad_status difference(const physad_detector *det, const physad__posed_model *m, const double *usual,
                                const physad__scene_view *photo, const physad_camera *camera, float *map,
                                double means[PHYSAD__POSED_LAYERS])
{
    physad__mem *mem = &det->ctx->mem;
    const int64_t plane = m->height * m->width;
    physad__posed_stack q = { 0 }, r = { 0 };
    float *pixels = physad__alloc_array(mem, 3 * plane, sizeof(float), "picture");
    float *one = physad__alloc_array(mem, 2 * plane, sizeof(float), "score map");
    physad_status status = pixels != NULL && one != NULL ? reference(pixels, det, m, photo, camera) : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = physad__posed_stack_make(&q, m, photo->pixels);
    if (status == PHYSAD_OK)
        status = physad__posed_stack_make(&r, m, pixels);
    for (int64_t layer = 0; status == PHYSAD_OK && layer < q.count; layer++) {
        const int64_t n = q.shape[layer][0] * q.shape[layer][1];
        subtract(one, &q, &r, layer);
        for (int64_t i = 0; means != NULL && i < n; i++)
            means[layer] += (double)one[i] / (double)n;
        if (map == NULL)
            continue;
        physad__map_upsample(one, q.shape[layer][0], q.shape[layer][1], one + plane, m->height, m->width,
                             PHYSAD__UPSAMPLE_BILINEAR);
        for (int64_t i = 0; i < plane; i++)
            map[i] += (float)((double)one[plane + i] / usual[layer]);
    }
    physad__posed_stack_free(&q);
    physad__posed_stack_free(&r);
    physad__free(pixels);
    physad__free(one);
    return status;
}

static physad_status compare_fit(physad_detector *det, physad__posed_model *m, physad__call *call, void **state)
{
    compare *c = physad__alloc_zero(&det->ctx->mem, sizeof(*c), "render-compare");
    physad_status status = PHYSAD_OK;
    double means[PHYSAD__POSED_LAYERS] = { 0 };
    int64_t counted = 0;
    if (c == NULL)
        return PHYSAD_ERR_NOMEM;
    c->ctx = det->ctx;
    if (physad_features_layer_count(m->network) > PHYSAD__POSED_LAYERS)
        status = physad__error(PHYSAD_ERR_ARG, "render-compare: option layers names %lld layers, want at most %d",
                               (long long)physad_features_layer_count(m->network), PHYSAD__POSED_LAYERS);
    for (int k = 0; k < PHYSAD__POSED_LAYERS; k++)
        c->usual[k] = 1;
    physad__call_stage(call, "usual distances", m->views.count);
    for (int64_t i = 0; status == PHYSAD_OK && physad__option_is(det, "scale", "usual") && i < m->views.count; i++) {
        const physad__scene_view *view = &m->views.views[i];
        if (view->camera.width != m->width || view->camera.height != m->height)
            continue;
        status = difference(det, m, c->usual, view, &view->camera, NULL, means);
        counted++;
        if (status == PHYSAD_OK)
            status = physad__call_tick(call, i + 1);
    }
    for (int k = 0; k < PHYSAD__POSED_LAYERS && counted > 0; k++)
        c->usual[k] = means[k] > 0 ? means[k] / (double)counted : 1;
    if (status != PHYSAD_OK) {
        physad__free(c);
        return status;
    }
    *state = c;
    return PHYSAD_OK;
}

static physad_status compare_score(const physad_detector *det, const physad__posed_model *m,
                                   const physad__posed_query *q, float *map, double *score, physad__call *call)
{
    const compare *c = m->state;
    physad__mem *mem = &det->ctx->mem;
    const int64_t plane = m->height * m->width;
    memset(map, 0, (size_t)plane * sizeof(float));
    PHYSAD__TRY(difference(det, m, c->usual, q->photo, &q->poses[0].camera, map, NULL));
    PHYSAD__TRY(
        physad__map_blur(mem, map, m->height, m->width, physad__option_real(det, "blur"), PHYSAD__BORDER_MIRROR));
    for (int64_t i = 0; q->photo->missing != NULL && i < plane; i++)
        map[i] = q->photo->missing[i] ? NAN : map[i];
    return physad__posed_top(score, mem, map, NULL, plane, 1 - physad__option_real(det, "percentile") / 100);
}

/* --- the model file --- */

static const int64_t usual_shape[1] = { PHYSAD__POSED_LAYERS };

static physad_status compare_declare(const physad_detector *det, const physad__posed_model *m,
                                     physad__tensors_writer *w, json_t *config)
{
    return physad__tensors_writer_declare(w, "render_compare.usual", PHYSAD_F64, 1, usual_shape);
}

static physad_status compare_write(const physad_detector *det, const physad__posed_model *m, physad__tensors_writer *w)
{
    compare *c = m->state;
    const physad_view v = physad_view_array(c->usual, PHYSAD_F64, 1, usual_shape);
    return physad__tensors_writer_append(w, "render_compare.usual", &v);
}

static physad_status read_usual(compare *c, const physad_tensors *file)
{
    physad_view from, to = physad_view_array(c->usual, PHYSAD_F64, 1, usual_shape);
    PHYSAD__TRY(physad__tensors_need(file, "render_compare.usual", PHYSAD_F64, 1, usual_shape, &from));
    PHYSAD__TRY(physad__view_copy(&to, &from));
    for (int k = 0; k < PHYSAD__POSED_LAYERS; k++)
        if (!(c->usual[k] > 0) || !isfinite(c->usual[k]))
            return physad__error(PHYSAD_ERR_FORMAT, "render_compare.usual[%d] is %g, want a positive number", k,
                                 c->usual[k]);
    return PHYSAD_OK;
}

static physad_status compare_read(const physad_detector *det, physad__posed_model *m, physad_tensors *file,
                                  const json_t *config, void **state)
{
    compare *c = physad__alloc_zero(&det->ctx->mem, sizeof(*c), "render-compare");
    if (c == NULL)
        return PHYSAD_ERR_NOMEM;
    c->ctx = det->ctx;
    const physad_status status = read_usual(c, file);
    if (status != PHYSAD_OK) {
        physad__free(c);
        return status;
    }
    *state = c;
    return PHYSAD_OK;
}

static void compare_free(void *state)
{
    physad__free(state);
}

static const physad__posed_method posed = {
    .fit = compare_fit,
    .score = compare_score,
    .declare = compare_declare,
    .write = compare_write,
    .read = compare_read,
    .free = compare_free,
};

const physad__method physad__method_render_compare = {
    .name = "render-compare",
    .title = "features of a photo against those of the scene's picture from the same pose",
    .source = "Zhou et al., RAD: A Dataset and Benchmark for Real-Life Anomaly Detection with Robotic Observations, "
              "2024, equations 1 and 2",
    .input = PHYSAD_INPUT_VIEWS,
    .supervision = PHYSAD_UNSUPERVISED,
    .options = { rows, PHYSAD__COUNT(rows) },
    .presets = presets,
    .preset_count = PHYSAD__COUNT(presets),
    .posed = &posed,
    PHYSAD__POSED_FAMILY,
};
