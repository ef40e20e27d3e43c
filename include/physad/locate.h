/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Where a photo of a known scene was taken from.
 *
 * A photo's patches are looked up among those of the training photos (features of a network; patches that find each
 * other are lifted to space by the scene's depth and give a first pose), and the best guesses are refined by gradients
 * through the renderer, coarse to fine, under a loss that lets go of what does not fit. Where nothing fits, the photo
 * is looked up turned by quarters as well, as if the camera had been held another way. Published methods match photos
 * by LoFTR (SplatPose) or EfficientLoFTR (PIAD); this stands in for them and needs no weights but the backbone's.
 */
#ifndef PHYSAD_LOCATE_H
#define PHYSAD_LOCATE_H

#include <physad/camera.h>
#include <physad/scene.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opaque; immutable once made. Holds its context and its scene's Gaussians: the scene must outlive it. */
typedef struct physad_locator physad_locator;

typedef struct physad_locator_options {
    uint32_t struct_size;
    int32_t max_side;     /**< photos are shrunk to this longest side, pixels; 0: 480 */
    const char *backbone; /**< network that looks for alike photos; NULL: the default one */
    const char *weights;  /**< its weights, as physad_features_options.weights */
    double least_fit;     /**< photos that fit worse are refused, 0..1; 0: 0.35; negative: none */
    float background[3];  /**< colour behind everything, 0..1, as the scene was fitted with */
    int32_t reserved;     /**< zero */
} physad_locator_options;

#define PHYSAD_LOCATOR_OPTIONS_INIT { sizeof(physad_locator_options), 0, NULL, NULL, 0, { 0, 0, 0 }, 0 }

/** One hypothesis of a photo's pose. */
typedef struct physad_pose {
    physad_camera camera; /**< at the size that was looked at, undistorted */
    double loss;          /**< mean of a loss that saturates, 0..1 */
    double agreement;     /**< mean correlation of small windows of photo and picture, -1..1 */
    double confidence; /**< 0..1: how well it fits (0: as a wrong place, 1: as a training photo), times its share among
                          the hypotheses; things that look alike from several sides have several */
    int64_t view;      /**< index of the training photo whose camera is nearest, by place and by where it looks */
} physad_pose;

/** Reads the training photos and learns how they look from where.
 * @param[out] out      the locator, NULL on failure; freed by physad_locator_free()
 * @param[in]  scene    fitted to these photos, or read; borrowed until the locator is freed
 * @param[in]  data     the folder of photos with poses that it was fitted to, as for physad_scene_fit()
 * @param[in]  options  copied; NULL for defaults
 * @param[in]  call     progress; NULL for none
 * @return PHYSAD_OK; PHYSAD_ERR_ARG; those of physad_scene_fit() and physad_features_new()
 * Any thread. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_locator_new(physad_locator **out, const physad_scene *scene,
                                                             const char *data, const physad_locator_options *options,
                                                             const physad_call_options *call);

/** Frees a locator; NULL is fine. No call on it may be running. */
PHYSAD_API void physad_locator_free(physad_locator *locator);

/** Finds where a photo was taken from, with the training photos' lens.
 * @param[in]  locator   the locator
 * @param[in]  photo     H x W, or H x W x 1, 3 or 4; u8, u16 or f32; any strides; borrowed
 * @param[out] poses     room for `capacity` of them; the most confident first
 * @param[in]  capacity  at least 1
 * @param[out] count     how many were written: 1 to 3 where the photo fits
 * @return PHYSAD_OK; PHYSAD_ERR_NUMERIC: the photo does not show the scene (the best pose is written all the same,
 * count 1); PHYSAD_ERR_ARG; PHYSAD_ERR_FORMAT (its proportions are not the lens'); PHYSAD_ERR_SHAPE; PHYSAD_ERR_DTYPE;
 * PHYSAD_ERR_NOMEM; PHYSAD_ERR_CANCELLED; PHYSAD_ERR_STATE (fork) Any number of threads may call at once. The answer
 * does not depend on the number of threads. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_locator_find(const physad_locator *locator, const physad_view *photo,
                                                              physad_pose *poses, int64_t capacity, int64_t *count);

#ifdef __cplusplus
}
#endif

#endif
