/* SPDX-License-Identifier: Apache-2.0 */
/* PIAD (Yang et al., "PIAD: Pose and Illumination agnostic Anomaly Detection", CVPR 2025): two scenes of Gaussians, of
 * the photos and of their reflectance; the pose is refined by both, and at each place the differences of features of
 * both are multiplied, so that what only light does counts little.
 *
 * The published decomposition, URetinex, and matcher, EfficientLoFTR, stand on weights of their own. In their place are
 * the multi-scale Retinex (Jobson, Rahman and Woodell, 1997: the mean over scales of log(photo) - log(blurred photo))
 * and the patch matches of lib/scene. */
#include "detect/detect_twist.h"

#include <math.h>

static const physad__option rows[] = {
    { "preset", PHYSAD_OPTION_CHOICE, "physad", 0, 0, "physad|paper",
      "sizes and steps of a quick fit, or those published", NULL },
    { "pose", PHYSAD_OPTION_CHOICE, "paper", 0, 0, "paper|robust",
      "the photo with the most matches, then the twist; or the robust search",
      "PIAD: paper, with EfficientLoFTR's matches" },
    { "decomposition", PHYSAD_OPTION_CHOICE, "retinex", 0, 0, "retinex", "what takes the light away",
      "PIAD: URetinex" },
    { "pose_steps", PHYSAD_OPTION_INT, "300", 0, 10000, NULL, "of the refinement, at most",
      "PIAD: 300; 500 for real photos" },
    { "reflectance_weight", PHYSAD_OPTION_REAL, "0.6", 0, 1, NULL, "of the reflectance in the refinement's loss",
      "PIAD" },
    { "blur", PHYSAD_OPTION_REAL, "4", 0, 100, NULL, "standard deviation of the map's Gaussian blur in pixels",
      "PIAD" },
};

static const physad__preset presets[] = {
    { "paper", "steps", "30000" },           { "paper", "random_points", "100000" }, { "paper", "side", "400" },
    { "paper", "max_gaussians", "1000000" }, { "paper", "background", "1" },         { "paper", "pool", "none" },
};

typedef struct piad {
    physad__gaussians reflectance;
} piad;

/* --- reflectance --- */

/* Planar pixels 0..1 to 0..1: half is as bright as the surroundings. */
static physad_status retinex(float *out, physad__mem *mem, const float *pixels, int64_t height, int64_t width)
{
    static const double scales[] = { 0.02, 0.1, 0.3 }; /* of the longer side */
    const int64_t plane = height * width;
    float *blurred = physad__alloc_array(mem, plane, sizeof(float), "reflectance");
    physad_status status = blurred != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    memset(out, 0, (size_t)(3 * plane) * sizeof(float));
    for (int k = 0; status == PHYSAD_OK && k < 3 * PHYSAD__COUNT(scales); k++) {
        const int64_t channel = k / PHYSAD__COUNT(scales);
        memcpy(blurred, pixels + channel * plane, (size_t)plane * sizeof(float));
        status = physad__map_blur(mem, blurred, height, width,
                                  scales[k % PHYSAD__COUNT(scales)] * (double)physad__max(height, width),
                                  PHYSAD__BORDER_REPEAT);
        for (int64_t i = 0; status == PHYSAD_OK && i < plane; i++)
            out[channel * plane + i] += logf((pixels[channel * plane + i] + 0.02f) / (fmaxf(blurred[i], 0) + 0.02f)) /
                                        (float)PHYSAD__COUNT(scales);
    }
    for (int64_t i = 0; i < 3 * plane; i++)
        out[i] = fminf(fmaxf(0.5f + 0.25f * out[i], 0), 1);
    physad__free(blurred);
    return status;
}

/* Views that share all but their pixels with the model's. */
static physad_status reflect_views(physad__scene_views *out, const physad__posed_model *m)
{
    physad__mem *mem = &m->ctx->mem;
    *out = m->views;
    out->views = physad__alloc_zero(mem, (size_t)m->views.count * sizeof(*out->views), "reflectance");
    out->count = 0;
    if (out->views == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < m->views.count; i++) {
        physad__scene_view *view = &out->views[i];
        *view = m->views.views[i];
        view->pixels =
            physad__alloc_array(mem, 3 * view->camera.width * view->camera.height, sizeof(float), "reflectance");
        if (view->pixels == NULL)
            return PHYSAD_ERR_NOMEM;
        out->count = i + 1;
        PHYSAD__TRY(retinex(view->pixels, mem, m->views.views[i].pixels, view->camera.height, view->camera.width));
    }
    return PHYSAD_OK;
}

static void piad_free(void *state)
{
    piad *p = state;
    physad__free(p->reflectance.planes);
    physad__free(p);
}

static physad_status piad_fit(physad_detector *det, physad__posed_model *m, physad__call *call, void **state)
{
    physad__scene_views views;
    piad *p = physad__alloc_zero(&det->ctx->mem, sizeof(*p), "piad");
    if (p == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_status status = reflect_views(&views, m);
    if (status == PHYSAD_OK)
        status = physad__posed_fit_scene(&p->reflectance, det, &views, physad__option_int(det, "steps"), call);
    for (int64_t i = 0; views.views != NULL && i < views.count; i++)
        physad__free(views.views[i].pixels);
    physad__free(views.views);
    if (status != PHYSAD_OK) {
        piad_free(p);
        return status;
    }
    *state = p;
    return PHYSAD_OK;
}

/* --- poses and scores --- */

static physad_status piad_find(const physad_detector *det, const physad__posed_model *m,
                               const physad__scene_view *photo, physad__pose *poses, int64_t *n)
{
    const piad *p = m->state;
    const double share = physad__option_real(det, "reflectance_weight");
    const physad__twist_plan plan = { .steps = physad__option_int(det, "pose_steps"),
                                      .first_rate = 0.02 * pow(0.8, 0.01),
                                      .rate = 0.02,
                                      .check_every = 50,
                                      .least_change = 3e-6,
                                      .seed = det->seed };
    if (physad__option_is(det, "pose", "robust"))
        return physad__locator_find(&m->locator, photo, -1, poses, n);
    float *reflectance = physad__alloc_array(&det->ctx->mem, 3 * m->height * m->width, sizeof(float), "reflectance");
    if (reflectance == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad__twist_target targets[2] = { { &m->scene, photo->pixels, 1 - share, 0 },
                                              { &p->reflectance, reflectance, share, 0 } };
    physad_status status = retinex(reflectance, &det->ctx->mem, photo->pixels, m->height, m->width);
    if (status == PHYSAD_OK)
        status = physad__locator_most_alike(&m->locator, photo, &poses[0]);
    *n = 1;
    if (status == PHYSAD_OK)
        status = physad__twist_refine(m, targets, 2, &plan, &poses[0].camera, &poses[0].loss);
    physad__free(reflectance);
    return status;
}

static physad_status piad_score(const physad_detector *det, const physad__posed_model *m, const physad__posed_query *q,
                                float *map, double *out, physad__call *call)
{
    const piad *p = m->state;
    physad__mem *mem = &det->ctx->mem;
    const int64_t plane = m->height * m->width;
    physad__posed_look looks[2] = { 0 };
    float *reflectance = physad__alloc_array(mem, 3 * plane, sizeof(float), "reflectance");
    physad_status status =
        reflectance != NULL ? retinex(reflectance, mem, q->photo->pixels, m->height, m->width) : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = physad__posed_look_make(&looks[0], m, &m->scene, &q->poses[0].camera);
    if (status == PHYSAD_OK)
        status = physad__posed_look_make(&looks[1], m, &p->reflectance, &q->poses[0].camera);
    const physad__twist_pair pairs[2] = { { q->photo->pixels, looks[0].colour }, { reflectance, looks[1].colour } };
    memset(map, 0, (size_t)plane * sizeof(float));
    if (status == PHYSAD_OK)
        status = physad__twist_compare(m, &pairs[0], &pairs[1], map);
    if (status == PHYSAD_OK)
        status =
            physad__map_blur(mem, map, m->height, m->width, physad__option_real(det, "blur"), PHYSAD__BORDER_REPEAT);
    if (status == PHYSAD_OK)
        status = physad__posed_top(out, mem, map, NULL, plane, 0);
    physad__posed_look_free(&looks[0]);
    physad__posed_look_free(&looks[1]);
    physad__free(reflectance);
    return status;
}

/* --- the model file --- */

static physad_status piad_declare(const physad_detector *det, const physad__posed_model *m, physad__tensors_writer *w,
                                  json_t *config)
{
    const piad *p = m->state;
    const int64_t shape[2] = { physad__splat_plane_count(p->reflectance.degree), p->reflectance.stride },
                  one[1] = { 1 };
    PHYSAD__TRY(physad__tensors_writer_declare(w, "piad.count", PHYSAD_I64, 1, one));
    return physad__tensors_writer_declare(w, "piad.gaussians", PHYSAD_F32, 2, shape);
}

static physad_status piad_write(const physad_detector *det, const physad__posed_model *m, physad__tensors_writer *w)
{
    piad *p = m->state;
    const int64_t shape[2] = { physad__splat_plane_count(p->reflectance.degree), p->reflectance.stride },
                  one[1] = { 1 };
    const physad_view count = physad_view_array(&p->reflectance.count, PHYSAD_I64, 1, one);
    const physad_view planes = physad_view_array(p->reflectance.planes, PHYSAD_F32, 2, shape);
    PHYSAD__TRY(physad__tensors_writer_append(w, "piad.count", &count));
    return physad__tensors_writer_append(w, "piad.gaussians", &planes);
}

static physad_status read_scene(piad *p, const physad__posed_model *m, const physad_tensors *file)
{
    const int64_t one[1] = { 1 };
    physad__gaussians *g = &p->reflectance;
    PHYSAD__TRY(physad__posed_take(&g->count, file, "piad.count", PHYSAD_I64, 1, one, false));
    if (g->count < 1 || g->count > 1 << 25)
        return physad__error(PHYSAD_ERR_FORMAT, "piad.count is %lld, want 1 to %d", (long long)g->count, 1 << 25);
    g->degree = m->scene.degree;
    g->stride = physad__splat_stride(g->count);
    const int64_t shape[2] = { physad__splat_plane_count(g->degree), g->stride };
    g->planes = physad__alloc_array(&m->ctx->mem, shape[0] * shape[1], sizeof(float), "scene");
    if (g->planes == NULL)
        return PHYSAD_ERR_NOMEM;
    return physad__posed_take(g->planes, file, "piad.gaussians", PHYSAD_F32, 2, shape, true);
}

static physad_status piad_read(const physad_detector *det, physad__posed_model *m, physad_tensors *file,
                               const json_t *config, void **state)
{
    piad *p = physad__alloc_zero(&det->ctx->mem, sizeof(*p), "piad");
    if (p == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_status status = read_scene(p, m, file);
    if (status != PHYSAD_OK) {
        piad_free(p);
        return status;
    }
    *state = p;
    return PHYSAD_OK;
}

static const physad__posed_method posed = {
    .fit = piad_fit,
    .find = piad_find,
    .score = piad_score,
    .declare = piad_declare,
    .write = piad_write,
    .read = piad_read,
    .free = piad_free,
};

const physad__method physad__method_piad = {
    .name = "piad",
    .title = "scenes of photos and of their reflectance, differences of features multiplied",
    .source = "Yang et al., PIAD: Pose and Illumination agnostic Anomaly Detection, CVPR 2025",
    .input = PHYSAD_INPUT_VIEWS,
    .supervision = PHYSAD_UNSUPERVISED,
    .options = { rows, PHYSAD__COUNT(rows) },
    .presets = presets,
    .preset_count = PHYSAD__COUNT(presets),
    .posed = &posed,
    PHYSAD__POSED_FAMILY,
};
