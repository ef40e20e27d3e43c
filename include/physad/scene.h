/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * A scene of 3D Gaussians: fitted to photos with known poses, rendered from any side, kept as PLY.
 *
 * Kerbl, Kopanas, Leimkühler and Drettakis, 3D Gaussian Splatting for Real-Time Radiance Field Rendering, 2023:
 * anisotropic Gaussians with opacity and spherical harmonics, fitted by (1 - 0.2) L1 + 0.2 (1 - SSIM) with Adam, cloned
 * and split where the picture pulls at them.
 */
#ifndef PHYSAD_SCENE_H
#define PHYSAD_SCENE_H

#include <physad/base.h>
#include <physad/camera.h>
#include <physad/context.h>
#include <physad/splat.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opaque; immutable once made, so any number of threads may render it, each with its own call. Holds its context. */
typedef struct physad_scene physad_scene;

/** @name Where Gaussians come from and go to. */
/** @{ */
#define PHYSAD_SCENE_DENSIFY_SPLIT                                                                                     \
    0 /**< cloned, split and pruned where the picture pulls at them (Kerbl et al. 2023) */
#define PHYSAD_SCENE_DENSIFY_MCMC                                                                                      \
    1 /**< moved from where they show nothing, and more of them up to the budget (Kheradmand et al. 2024) */
/** @} */

typedef struct physad_scene_options {
    uint32_t struct_size;
    int32_t steps;          /**< photos shown, one each step; 0: 7000 */
    int32_t harmonics;      /**< coefficients per colour: 1, 4, 9 or 16; 0: 16 */
    int32_t hold_out;       /**< every n-th photo is left out of the fit and measured; 0 or negative: none */
    int32_t max_side;       /**< photos are shrunk to this longest side, pixels; 0: as they are */
    int32_t max_gaussians;  /**< budget; 0: 300000 */
    int32_t random_points;  /**< Gaussians to begin with where the poses bring no points, at most: on places that photos
                               agree on (a sweep of planes) and, up to a tenth, far away where they agree on colour
                               alone, as on sky; or drawn from where cameras look if there are hardly any; 0: 100000 */
    int32_t measure_every;  /**< steps between lines of held-out quality in the log (level INFO) and in
                               physad_scene_history_describe(); 0 or  negative: none */
    int32_t densify_from; /**< first step that clones, splits and prunes; 0: a 14th of the steps, at most 500; negative:
                               never */
    int32_t densify_until;  /**< last such step; 0: half of the steps, at most 15000 */
    int32_t densify_every;  /**< steps between; 0: 100 */
    float densify_gradient; /**< mean gradient on the image, in half images, that calls for more Gaussians; 0: 0.00025
                                 (published: 0.0002, from fewer points) */
    float background[3];    /**< colour behind everything, 0..1; also behind photos with alpha */
    int32_t densify;        /**< PHYSAD_SCENE_DENSIFY_* */
    /** 1: each photo has a change of colour of its own, 3 x 4, found along, apart from what all share and from what
     * goes evenly with the camera's place. Held-out photos are measured with the mean */
    int32_t exposure;
    /** 0 to 3: photos are halved so often to begin with, and once less after each tenth of the steps */
    int32_t coarse;
    int32_t checkpoint_every; /**< steps between writes of `checkpoint`; 0: 1000 */
    int32_t swept_points;     /**< Gaussians to begin with beside the points that come with the poses, on places where
                                   photos agree, at most; 0: 20000; negative: none */
    int32_t trust_poses;      /**< 1: photos whose poses contradict what those beside them show are not left out */
    int32_t resume;         /**< 1: go on from `checkpoint` where there is one, to the same bits */
    const char *checkpoint; /**< file (safetensors) that tells where the fit stands, written on the way and when it is
                               cancelled, removed when it ends; NULL: none */
    const char *masks; /**< folder of masks: PHOTO.png, or .png in place of the photo's suffix, of the photo's size;
                          what is 0 there is not looked at. A photo without a mask is looked at whole. NULL: none */
} physad_scene_options;

#define PHYSAD_SCENE_OPTIONS_INIT                                                                                      \
    {                                                                                                                  \
        sizeof(physad_scene_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, { 0, 0, 0 }, 0, 0, 0, 0, 0, 0, 0, NULL, NULL    \
    }

/** How well held-out photos are met, and what it took. */
typedef struct physad_scene_quality {
    int64_t photos;    /**< trained on */
    int64_t held_out;  /**< measured; with 0 of them the next four are 0 */
    double psnr;       /**< mean of the photos', decibels */
    double ssim;       /**< mean */
    double l1;         /**< mean absolute difference, of 0..1 */
    double loss;       /**< 0.8 l1 + 0.2 (1 - ssim) */
    int64_t steps;     /**< shown */
    double seconds;    /**< of all steps */
    int64_t gaussians; /**< at the end */
} physad_scene_quality;

/** Fits a scene to a folder of photos with poses.
 * @param[out] out      the scene, NULL on failure; freed by physad_scene_free()
 * @param[in]  context  retained; its seed decides the order of photos
 * @param[in]  data     a folder with transforms.json (camera to world, OpenGL's axes), or with a COLMAP model (cameras,
 * images, points3D as .bin or .txt) in sparse/0, sparse or itself. With both, cameras are those of transforms.json;
 *                      COLMAP's points come over by the similarity of the cameras that both know and are found anew
 * from where photos show them, and photos that COLMAP alone knows join (the log, level INFO, says the scale); where the
 * two contradict each other, COLMAP's model is not used (a warning). With neither, poses as robots write them:
 * poses.csv, .json, .txt or .npy, or a file for each photo beside it or in poses/, matrices or positions with
 * quaternions, with camera.json (docs/poses.md; what cannot be told from the cameras is FORMAT and names the key to
 * give; the log, level INFO, says what was found). Photos are looked for by their names in the folder itself, in
 * images, in train/good and in train. Of five and more, those whose poses contradict what the photos beside them show
 * are left out, each with a warning (`trust_poses` keeps them)
 * @param[in]  options  copied; NULL for defaults
 * @param[in]  call     progress; NULL for none
 * @return PHYSAD_OK; PHYSAD_ERR_ARG; PHYSAD_ERR_IO (no poses, or not one of their photos, in the folder);
 * PHYSAD_ERR_FORMAT (a file lies, photo and camera differ in proportion); PHYSAD_ERR_UNSUPPORTED (a lens model);
 * PHYSAD_ERR_NUMERIC (all cameras in one place; the poses fit no better than each other's); PHYSAD_ERR_NOMEM;
 * PHYSAD_ERR_CANCELLED; PHYSAD_ERR_STATE (fork) Any thread. One seed and one data set give one scene, whatever the
 * number of threads.
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_scene_fit(physad_scene **out, physad_context *context,
                                                           const char *data, const physad_scene_options *options,
                                                           const physad_call_options *call);

/** Reads a scene; its first bytes say which of two formats it has:
 *  - PLY as other 3D Gaussian splatting programs write it: ascii or binary_little_endian; x y z, f_dc_*, f_rest_*,
 * opacity, scale_*, rot_*. It has no cameras;
 *  - safetensors as physad_scene_save() writes it, with the cameras of the photos.
 * @param[out] out   the scene, NULL on failure; freed by physad_scene_free()
 * @param[in]  context  retained
 * @param[in]  path  the file
 * @return PHYSAD_OK; PHYSAD_ERR_ARG; PHYSAD_ERR_IO; PHYSAD_ERR_FORMAT (names place and reason); PHYSAD_ERR_SHAPE,
 * PHYSAD_ERR_DTYPE (an array of safetensors has another); PHYSAD_ERR_NOMEM; PHYSAD_ERR_STATE (fork)
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_scene_load(physad_scene **out, physad_context *context,
                                                            const char *path);

/** Writes a scene; the path has its old content or the whole of the new one. As safetensors where the path ends so:
 * arrays xyz (N, 3), log_scale (N, 3), quaternion (N, 4: w x y z), opacity (N: logits), harmonics (N, K, 3) in f32, and
 * of the photos cameras.rotation (C, 3, 3), cameras.translation (C, 3), cameras.lens (C, 6: fx fy cx cy width height)
 * in f64 with their names as JSON in the metadata "photos". Else as binary PLY that other viewers open, without the
 * cameras.
 * @param[in] scene  the scene
 * @param[in] path   the file
 * @return PHYSAD_OK; PHYSAD_ERR_ARG; PHYSAD_ERR_IO; PHYSAD_ERR_FORMAT (safetensors: a photo's name is no UTF-8);
 * PHYSAD_ERR_NOMEM; PHYSAD_ERR_STATE (fork)
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_scene_save(const physad_scene *scene, const char *path);

/** Makes a scene of a set of Gaussians, without cameras: to be saved, shown, turned.
 * @param[out] out        the scene, NULL on failure; freed by physad_scene_free()
 * @param[in]  gaussians  copied; the scene holds its context
 * @return PHYSAD_OK; PHYSAD_ERR_ARG; PHYSAD_ERR_NOMEM; PHYSAD_ERR_STATE (fork) @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_scene_new(physad_scene **out, const physad_gaussians *gaussians);

/** Takes a scene's Gaussians out of it, to be rendered with gradients and changed.
 * @param[out] out    the set, NULL on failure; freed by physad_gaussians_free()
 * @param[in]  scene  copied; the set holds its context
 * @return PHYSAD_OK; PHYSAD_ERR_ARG; PHYSAD_ERR_NOMEM; PHYSAD_ERR_STATE (fork) @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_gaussians_of_scene(physad_gaussians **out, const physad_scene *scene);

#define PHYSAD_SCENE_HTML_MOST 4000000 /**< Gaussians of a page */

typedef struct physad_scene_html_options {
    uint32_t struct_size;
    float background[3];         /**< colour behind everything, 0..1 */
    const char *title;           /**< NULL: "Scene" */
    /** what is seen first; NULL: by the scene's first camera, else from in front of what it holds */
    const physad_camera *camera;
    /** 3: what the view turns about; NULL: where the cameras' axes meet, else the Gaussians' middle */
    const double *centre;
} physad_scene_html_options;

#define PHYSAD_SCENE_HTML_OPTIONS_INIT { sizeof(physad_scene_html_options), { 0, 0, 0 }, NULL, NULL, NULL }

/** Writes a scene as one page that needs nothing else: a browser with WebGL 2 draws it and turns it by mouse, touch or
 * keys. Each Gaussian takes 43 bytes; colours keep their harmonics up to degree 1, and what has an opacity below 1/255
 * is left out. The page forbids itself any script but its own and any address.
 * @param[in] scene    of PHYSAD_SCENE_HTML_MOST Gaussians at most
 * @param[in] path     the file: its old content or the whole of the new one
 * @param[in] options  copied; NULL for defaults
 * @return PHYSAD_OK; PHYSAD_ERR_ARG; PHYSAD_ERR_IO; PHYSAD_ERR_NOMEM; PHYSAD_ERR_STATE (fork)
 * Any thread. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_scene_html(const physad_scene *scene, const char *path,
                                                            const physad_scene_html_options *options);

typedef struct physad_scene_turntable_options {
    uint32_t struct_size;
    int32_t frames;              /**< of the way around; 0: 120 */
    int32_t rate;                /**< frames per second; 0: 30 */
    int32_t width, height;       /**< pixels, even; 0: 640 x 480 */
    float background[3];         /**< colour behind everything, 0..1 */
    const physad_camera *camera; /**< where it begins, as physad_scene_html_options.camera */
    const double *centre;        /**< 3: what it goes around, as physad_scene_html_options.centre */
} physad_scene_turntable_options;

#define PHYSAD_SCENE_TURNTABLE_OPTIONS_INIT                                                                            \
    {                                                                                                                  \
        sizeof(physad_scene_turntable_options), 0, 0, 0, 0, { 0, 0, 0 }, NULL, NULL                                    \
    }

/** Writes a video once around a scene, by FFmpeg; the suffix says the container (.mp4, .mkv, ...).
 * @param[in] scene    the scene
 * @param[in] path     the file: its old content or the whole of the new one
 * @param[in] options  copied; NULL for defaults
 * @param[in] call     progress; NULL for none
 * @return PHYSAD_OK; PHYSAD_ERR_ARG; PHYSAD_ERR_IO; PHYSAD_ERR_UNSUPPORTED (no FFmpeg here, or it has no such
 * container); PHYSAD_ERR_NOMEM; PHYSAD_ERR_CANCELLED; PHYSAD_ERR_STATE (fork) Any thread. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_scene_turntable(const physad_scene *scene, const char *path,
                                                                 const physad_scene_turntable_options *options,
                                                                 const physad_call_options *call);

/** Frees a scene; NULL is fine. */
PHYSAD_API void physad_scene_free(physad_scene *scene);

/** How often a fit with held-out photos was measured on the way, as physad_scene_options.measure_every asks for; 0 for
 * NULL and for scenes that were read. Any thread. @since 0.1 */
PHYSAD_API int64_t physad_scene_history_count(const physad_scene *scene);
/** Measure `index` of those, in their order; zeros outside of 0 to count - 1. Any thread. @since 0.1 */
PHYSAD_API physad_scene_quality physad_scene_history_describe(const physad_scene *scene, int64_t index);

/** Number of Gaussians; 0 for NULL. Any thread. @since 0.1 */
PHYSAD_API int64_t physad_scene_gaussians(const physad_scene *scene);
/** What physad_scene_fit() measured; zeros for NULL and for a scene that was read. Any thread. @since 0.1 */
PHYSAD_API physad_scene_quality physad_scene_describe(const physad_scene *scene);
/** Number of cameras it was fitted with, those held out included. Any thread. @since 0.1 */
PHYSAD_API int64_t physad_scene_cameras(const physad_scene *scene);
/** Name of a camera's photo as the poses say it; NULL outside 0..cameras-1. Owned by the scene. Any thread. @since 0.1
 */
PHYSAD_API const char *physad_scene_camera_name(const physad_scene *scene, int64_t index);
/** A camera, undistorted, at the size it was fitted with.
 * @param[in]  scene   the scene
 * @param[in]  index   0..cameras-1
 * @param[out] camera  filled
 * @return PHYSAD_OK, or PHYSAD_ERR_ARG
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_scene_camera(const physad_scene *scene, int64_t index,
                                                              physad_camera *camera);

/** Renders a scene.
 * @param[in]  scene       the scene
 * @param[in]  camera      from where
 * @param[in]  background  3 numbers, 0..1; NULL: black
 * @param[out] colour      f32 or u8, (height, width, 3), red first, 0..1 (may exceed 1) or 0..255; any strides
 * @param[out] depth       f32, (height, width): distance along the camera's axis of what is seen: mean of what takes
 * the middle half of the light, which a veil before it or something far behind does not move; 0 where less than a
 * quarter of the light is taken; NULL: not wanted
 * @param[out] opacity     f32, (height, width), 0..1; NULL: not wanted
 * @return PHYSAD_OK; PHYSAD_ERR_ARG; PHYSAD_ERR_SHAPE; PHYSAD_ERR_DTYPE; PHYSAD_ERR_NOMEM; PHYSAD_ERR_STATE (fork)
 * Any thread.
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_scene_render(const physad_scene *scene, const physad_camera *camera,
                                                              const float *background, const physad_view *colour,
                                                              const physad_view *depth, const physad_view *opacity);

#ifdef __cplusplus
}
#endif

#endif
