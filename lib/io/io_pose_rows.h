/* SPDX-License-Identifier: Apache-2.0 */
/* io: poses as robots write them: a matrix, or a position and a quaternion, a photo, with or without its name. */
#ifndef PHYSAD__IO_POSE_ROWS_H
#define PHYSAD__IO_POSE_ROWS_H

#include "core/core.h"
#include "io/io_poses.h"

/* What numbers of a pose mean; 0: not told. */
#define PHYSAD__POSE_TO_WORLD 1 /* direction: camera to world */
#define PHYSAD__POSE_TO_CAMERA 2
#define PHYSAD__POSE_OPENCV 1 /* axes: x right, y down, z ahead */
#define PHYSAD__POSE_OPENGL 2 /* x right, y up, z behind */
#define PHYSAD__POSE_XYZW 1   /* quaternion */
#define PHYSAD__POSE_WXYZ 2
#define PHYSAD__POSE_POSITION 1 /* what comes first of seven numbers */
#define PHYSAD__POSE_QUATERNION 2

typedef struct physad__pose_frame {
    int32_t direction, axes, order, first;
    double scale; /* of positions; 0: 1 */
} physad__pose_frame;

typedef struct physad__pose_row {
    char *name;    /* of the photo, perhaps without its suffix; NULL: the file does not tell */
    int32_t count; /* 12: the upper three rows of a matrix; 7: position and quaternion */
    int32_t direction, order, first; /* where this row tells */
    double values[12];
} physad__pose_row;

typedef struct physad__pose_rows {
    physad__mem *mem;
    physad__pose_row *rows;
    int64_t count, size;
} physad__pose_rows;

void physad__pose_rows_free(physad__pose_rows *rows); /* zeroed is fine */
/* By the suffix of the path: .json, .npy, .csv, any other as text. */
physad_status physad__pose_rows_read(physad__pose_rows *out, physad_context *ctx, const char *path);
/* `data` is changed where it is text, and is followed by a NUL. FORMAT names line (or entry) and reason. */
physad_status physad__pose_rows_parse(physad__pose_rows *out, physad_context *ctx, void *data, size_t size,
                                      const char *suffix, const char *name);
/* A row of 7, 12 or 16 numbers; `place` is said in messages, `photo` (may be NULL) is copied. */
physad_status physad__pose_rows_add(physad__pose_rows *out, const physad__pose_row *like, const char *photo,
                                    const double *values, int64_t count, const char *place);
physad_status physad__pose_rows_parse_json(physad__pose_rows *out, const void *data, size_t size, const char *name);

/* --- the camera of such photos: camera.json or camera.txt (io_pose_camera.c) --- */

/* Intrinsics, and what poses mean where the file says it ("pose", "axes", "quaternion", "first", "scale"). */
physad_status physad__pose_camera_read(physad__lens *lens, physad__pose_frame *frame, physad__mem *mem,
                                       const char *path);
physad_status physad__pose_camera_parse(physad__lens *lens, physad__pose_frame *frame, physad__mem *mem, void *data,
                                        size_t size, bool json, const char *name);

/* --- what they mean (io_pose_settle.c) --- */

typedef struct physad__pose_found {
    physad__pose_frame frame;
    bool looked;     /* the cameras told what was not told; else the next three are 0 */
    double angle;    /* median between cameras' axes and the way to the place that they look at, radians */
    double next;     /* the same of the next best reading; infinite: there is none */
    double distance; /* median, to that place */
} physad__pose_found;

/* From rows to cameras; what `told` leaves open is told by that cameras look at one place. FORMAT where a matrix is no
 * rotation or a mirror image, or where the rows can be read in two ways. */
physad_status physad__pose_settle(physad__mem *mem, physad__posed *const *photos, const physad__pose_row *const *rows,
                                  int64_t n, const physad__pose_frame *told, physad__pose_found *found,
                                  const char *name);
/* Radians between each camera's axis and the way to the place where the axes meet; `room`: 2 n. False where they meet
 * nowhere. */
bool physad__pose_angles(physad__posed *const *photos, int64_t n, double *room);
/* "camera-to-world, opencv axes, quaternions xyzw" */
const char *physad__pose_words(char *out, size_t size, const physad__pose_frame *frame, bool quaternions);

#endif
