/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * A pinhole camera and where it stands.
 */
#ifndef PHYSAD_CAMERA_H
#define PHYSAD_CAMERA_H

#include <physad/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** World to camera: p_camera = rotation * p_world + translation, with x right, y down, z ahead. No lens distortion:
 * photos are undistorted when they are read. */
typedef struct physad_camera {
    double rotation[9];     /**< row-major, orthonormal, determinant 1 */
    double translation[3];  /**< in the world's units */
    double fx, fy;          /**< focal lengths, pixels, positive */
    double cx, cy;          /**< principal point, pixels; (0.5, 0.5) is the centre of the first pixel */
    int64_t width, height;  /**< pixels, 1..32768 */
} physad_camera;

#ifdef __cplusplus
}
#endif

#endif
