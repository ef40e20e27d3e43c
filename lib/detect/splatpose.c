/* SPDX-License-Identifier: Apache-2.0 */
/* SplatPose (Kruse, Rudolph, Woiwode and Rosenhahn, "SplatPose & Detect: Pose-Agnostic 3D Anomaly Detection", CVPR
 * workshops 2024): a scene of Gaussians without view-dependent colour, a first pose from the training photo with the
 * most matches, refined by 175 steps of Adam through the renderer; the map is the squared difference of pixels and
 * features.
 *
 * The published matcher, LoFTR, stands on weights of its own; in its place are the patch matches of lib/scene.
 * `pose=robust` takes that room's whole search instead of the published refinement. */
#include "detect/detect_twist.h"

static const physad__option rows[] = {
    { "preset", PHYSAD_OPTION_CHOICE, "physad", 0, 0, "physad|paper",
      "sizes and steps of a quick fit, or those published", NULL },
    { "pose", PHYSAD_OPTION_CHOICE, "paper", 0, 0, "paper|robust",
      "the photo with the most matches, then the twist; or the robust search",
      "SplatPose: paper, with LoFTR's matches" },
    { "matcher", PHYSAD_OPTION_CHOICE, "patches", 0, 0, "patches", "what counts matches", "SplatPose: LoFTR" },
    { "pose_steps", PHYSAD_OPTION_INT, "175", 0, 10000, NULL, "of the refinement", "SplatPose" },
    { "pixels", PHYSAD_OPTION_BOOL, "true", 0, 0, NULL, "add the squared difference of colours", "SplatPose's code" },
    { "blur", PHYSAD_OPTION_REAL, "4", 0, 100, NULL, "standard deviation of the map's Gaussian blur in pixels",
      "SplatPose" },
};

static const physad__preset presets[] = {
    { "paper", "harmonics", "0" },          { "paper", "steps", "30000" }, { "paper", "random_points", "100000" },
    { "paper", "max_gaussians", "1000000" }, { "paper", "side", "800" },   { "paper", "background", "1" },
    { "paper", "pool", "none" },
};

static physad_status find(const physad_detector *det, const physad__posed_model *m, const physad__scene_view *photo,
                          physad__pose *poses, int64_t *n)
{
    const physad__twist_target target = { &m->scene, photo->pixels, 1, 0.2 };
    const physad__twist_plan plan = { .steps = physad__option_int(det, "pose_steps"),
                                      .first_rate = 1e-3,
                                      .rate = 0.01,
                                      .moves_scene = true,
                                      .seed = det->seed };
    if (physad__option_is(det, "pose", "robust"))
        return physad__locator_find(&m->locator, photo, -1, poses, n);
    PHYSAD__TRY(physad__locator_most_alike(&m->locator, photo, &poses[0]));
    *n = 1;
    return physad__twist_refine(m, &target, 1, &plan, &poses[0].camera, &poses[0].loss);
}

static physad_status score(const physad_detector *det, const physad__posed_model *m, const physad__posed_query *q,
                           float *map, double *out, physad__call *call)
{
    const int64_t plane = m->height * m->width;
    physad__posed_look look;
    memset(map, 0, (size_t)plane * sizeof(float));
    PHYSAD__TRY(physad__posed_look_make(&look, m, &m->scene, &q->poses[0].camera));
    for (int64_t i = 0; physad__option_bool(det, "pixels") && i < 3 * plane; i++) {
        const float d = q->photo->pixels[i] - look.colour[i];
        map[i % plane] += d * d;
    }
    const physad__twist_pair pair = { q->photo->pixels, look.colour };
    physad_status status = physad__twist_compare(m, &pair, NULL, map);
    physad__posed_look_free(&look);
    if (status == PHYSAD_OK)
        status = physad__map_blur(&m->ctx->mem, map, m->height, m->width, physad__option_real(det, "blur"),
                                  PHYSAD__BORDER_REPEAT);
    return status == PHYSAD_OK ? physad__posed_top(out, &m->ctx->mem, map, NULL, plane, 0) : status;
}

static const physad__posed_method posed = {
    .find = find,
    .score = score,
};

const physad__method physad__method_splatpose = {
    .name = "splatpose",
    .title = "a scene of Gaussians, a pose refined through its renderer, differences of features",
    .source = "Kruse et al., SplatPose & Detect: Pose-Agnostic 3D Anomaly Detection, CVPR workshops 2024",
    .input = PHYSAD_INPUT_VIEWS,
    .supervision = PHYSAD_UNSUPERVISED,
    .options = { rows, PHYSAD__COUNT(rows) },
    .presets = presets,
    .preset_count = PHYSAD__COUNT(presets),
    .posed = &posed,
    PHYSAD__POSED_FAMILY,
};
