/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The renderer of 3D Gaussians by itself: a set of them from arrays, its picture from a camera, and the gradients of
 * any loss on that picture by all numbers of the set and by the camera's pose.
 *
 * Zwicker et al., EWA splatting, 2002, with the constants of Kerbl et al., 3D Gaussian splatting, 2023: a Gaussian's
 * alpha at a pixel is its opacity times exp(-d^2 / 2) by the covariance on the image (plus 0.3 pixels^2), at most 0.99,
 * none below 1/255; pixels are composited near to far until less than 1e-4 of light is left; Gaussians nearer than
 * `nearest` are not seen. Results are the same bits for any number of threads.
 */
#ifndef PHYSAD_SPLAT_H
#define PHYSAD_SPLAT_H

#include <physad/base.h>
#include <physad/camera.h>
#include <physad/context.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PHYSAD_SPLAT_MOST_CHANNELS 28 /**< further channels of a picture */

/** Opaque: a set of 3D Gaussians. Holds its context. Calls that take it as const may run at once;
 * physad_gaussians_set() wants to be alone. */
typedef struct physad_gaussians physad_gaussians;

/** Makes a set of N Gaussians. All arrays are f32, of any strides, copied; every number is finite.
 * @param[out] out         the set, NULL on failure; freed by physad_gaussians_free()
 * @param[in]  context     retained
 * @param[in]  xyz         (N, 3): centres, in the world's units; N may be 0
 * @param[in]  log_scale   (N, 3): natural logarithms of the standard deviations along the Gaussian's own axes
 * @param[in]  quaternion  (N, 4): w x y z of its rotation, of any length above 0
 * @param[in]  opacity_logit  (N): the opacity is 1 / (1 + exp(-opacity_logit))
 * @param[in]  harmonics   (N, K, 3): K = 1, 4, 9 or 16 spherical harmonics for red, green, blue; the colour towards a
 *                         direction is 0.5 plus their sum, not below 0
 * @return PHYSAD_OK; PHYSAD_ERR_ARG (NULL); PHYSAD_ERR_SHAPE; PHYSAD_ERR_DTYPE; PHYSAD_ERR_NUMERIC (a number is not
 * finite, a quaternion is zero; names the Gaussian); PHYSAD_ERR_NOMEM; PHYSAD_ERR_STATE (fork)
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_gaussians_new(physad_gaussians **out, physad_context *context,
                                                               const physad_view *xyz, const physad_view *log_scale,
                                                               const physad_view *quaternion,
                                                               const physad_view *opacity_logit,
                                                               const physad_view *harmonics);

/** Frees a set; NULL is fine. Renderers whose last picture is of it keep what they need. */
PHYSAD_API void physad_gaussians_free(physad_gaussians *gaussians);

/** How many; 0 for NULL. Any thread. @since 0.1 */
PHYSAD_API int64_t physad_gaussians_count(const physad_gaussians *gaussians);
/** Harmonics per colour, 1, 4, 9 or 16; 0 for NULL. Any thread. @since 0.1 */
PHYSAD_API int32_t physad_gaussians_harmonics(const physad_gaussians *gaussians);

/** Gives Gaussians other numbers, shapes as for physad_gaussians_new(); what is NULL stays. On failure all stays.
 * Pictures made before have no gradients any more.
 * @return as physad_gaussians_new() @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_gaussians_set(physad_gaussians *gaussians, const physad_view *xyz,
                                                               const physad_view *log_scale,
                                                               const physad_view *quaternion,
                                                               const physad_view *opacity_logit,
                                                               const physad_view *harmonics);

/** Copies the numbers out: `to_xyz`, `to_log_scale`, `to_quaternion`, `to_opacity` (logits) and `to_harmonics` are f32,
 * shaped as for physad_gaussians_new(), of any strides; NULL: not wanted.
 * @return PHYSAD_OK; PHYSAD_ERR_ARG; PHYSAD_ERR_SHAPE; PHYSAD_ERR_DTYPE; PHYSAD_ERR_STATE (fork) @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_gaussians_get(const physad_gaussians *gaussians,
                                                               const physad_view *to_xyz,
                                                               const physad_view *to_log_scale,
                                                               const physad_view *to_quaternion,
                                                               const physad_view *to_opacity,
                                                               const physad_view *to_harmonics);

/** Opaque: a renderer, with the memory that it needs and its last picture. One thread at a time. Holds its context. */
typedef struct physad_splat physad_splat;

/** Makes a renderer.
 * @param[out] out      NULL on failure; freed by physad_splat_free()
 * @param[in]  context  retained; its number of threads is used
 * @return PHYSAD_OK; PHYSAD_ERR_ARG; PHYSAD_ERR_NOMEM; PHYSAD_ERR_STATE (fork) @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_splat_new(physad_splat **out, physad_context *context);

/** Frees a renderer; NULL is fine. */
PHYSAD_API void physad_splat_free(physad_splat *splat);

typedef struct physad_splat_options {
    uint32_t struct_size;
    int32_t harmonics;   /**< how many of the set's per colour are looked at: 1, 4, 9 or 16; 0: all */
    float background[3]; /**< colour behind everything */
    float nearest;       /**< Gaussians nearer than this to the camera's plane are not seen, in the world's units; 0: as
                              with the scene that the set was copied from, else 0.2 */
} physad_splat_options;

#define PHYSAD_SPLAT_OPTIONS_INIT { sizeof(physad_splat_options), 0, { 0, 0, 0 }, 0 }

/** Renders a set from a camera. All images are f32, of any strides; NULL: not wanted.
 * @param[in]  splat      the renderer
 * @param[in]  gaussians  retained until the next picture
 * @param[in]  camera     from where, and of what size
 * @param[in]  options    copied; NULL for defaults
 * @param[in]  values     (N, C), finite: further numbers of each Gaussian, C = 1 to PHYSAD_SPLAT_MOST_CHANNELS; copied;
 *                        NULL: none
 * @param[out] colour     (height, width, 3), red first, over the background
 * @param[out] depth      (height, width): sum of weight times distance along the camera's axis. Divided by the opacity
 *                        it is the mean distance of what is seen, which a little light from far away moves much;
 *                        physad_scene_render() gives one that it does not move
 * @param[out] opacity    (height, width), 0..1: sum of the weights
 * @param[out] channels   (height, width, C): sum of weight times value
 * @return PHYSAD_OK; PHYSAD_ERR_ARG (NULL, a camera that is none, an option, channels without values);
 * PHYSAD_ERR_SHAPE; PHYSAD_ERR_DTYPE; PHYSAD_ERR_NUMERIC (a value is not finite, or the picture would not be: with
 * harmonics, values or a background beyond 1e30; what was to be written stays as it was); PHYSAD_ERR_NOMEM;
 * PHYSAD_ERR_STATE (fork) @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_splat_forward(physad_splat *splat, physad_gaussians *gaussians,
                                                               const physad_camera *camera,
                                                               const physad_splat_options *options,
                                                               const physad_view *values, const physad_view *colour,
                                                               const physad_view *depth, const physad_view *opacity,
                                                               const physad_view *channels);

/** From the gradients of a loss by the last picture to those by all that it was made of, which the calls below give.
 * May be called again, with other gradients. All are f32, of the pictures' shapes, any strides; NULL: zeros.
 * @param[in] splat        after physad_splat_forward()
 * @param[in] by_colour    (height, width, 3)
 * @param[in] by_opacity   (height, width)
 * @param[in] by_depth     (height, width), by the sum; wants a picture that was made with a depth
 * @param[in] by_channels  (height, width, C); wants a picture with values
 * @return PHYSAD_OK; PHYSAD_ERR_ARG; PHYSAD_ERR_STATE (no picture, one without what a gradient is given for, Gaussians
 * that were changed since; fork); PHYSAD_ERR_SHAPE; PHYSAD_ERR_DTYPE; PHYSAD_ERR_NUMERIC (a gradient is not finite);
 * PHYSAD_ERR_NOMEM @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_splat_backward(physad_splat *splat, const physad_view *by_colour,
                                                                const physad_view *by_depth,
                                                                const physad_view *by_opacity,
                                                                const physad_view *by_channels);

/** Gradients by the set's numbers, into `to_xyz`, `to_log_scale`, `to_quaternion`, `to_opacity` and `to_harmonics` as
 * for physad_gaussians_get(); NULL: not wanted. Harmonics that were not looked at have zeros.
 * @return PHYSAD_OK; PHYSAD_ERR_ARG; PHYSAD_ERR_STATE (no physad_splat_backward() since the last picture; fork);
 * PHYSAD_ERR_SHAPE; PHYSAD_ERR_DTYPE @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_splat_gradient(const physad_splat *splat, const physad_view *to_xyz,
                                                                const physad_view *to_log_scale,
                                                                const physad_view *to_quaternion,
                                                                const physad_view *to_opacity,
                                                                const physad_view *to_harmonics);

/** Gradients by the values into `to_values`: f32 (N, C), any strides. For `by_channels` that are themselves values,
 * these are the values lifted from pixels onto Gaussians, each times its weight.
 * @return as physad_splat_gradient() @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_splat_gradient_values(const physad_splat *splat,
                                                                       const physad_view *to_values);

/** Gradient by a motion of the camera into `pose`: translation, then rotation, as physad_camera_move() takes it.
 * @return as physad_splat_gradient() @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_splat_gradient_pose(const physad_splat *splat, double pose[6]);

/** A camera elsewhere: its space is moved by exp(tangent), so that p_camera becomes exp(tangent) p_camera.
 * @param[in]  camera   any
 * @param[in]  tangent  translation (the world's units), then rotation (radians about x, y, z)
 * @param[out] moved    may be `camera`
 * @return PHYSAD_OK; PHYSAD_ERR_ARG (NULL); PHYSAD_ERR_NUMERIC (a number of the tangent, or of the camera so moved, is
 * not finite; `moved` stays as it was) Any thread. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_camera_move(const physad_camera *camera, const double tangent[6],
                                                             physad_camera *moved);

#ifdef __cplusplus
}
#endif

#endif
