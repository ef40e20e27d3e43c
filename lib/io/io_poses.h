/* SPDX-License-Identifier: Apache-2.0 */
/* io: cameras and where they stood: COLMAP's models and transforms.json; 3D Gaussians in PLY. */
#ifndef PHYSAD__IO_POSES_H
#define PHYSAD__IO_POSES_H

#include "base/base.h"

/* A pinhole with the distortion of OpenCV's first model, which holds COLMAP's (SIMPLE_)PINHOLE, (SIMPLE_)RADIAL and
 * OPENCV. A size of 0: the file does not tell; the photo's own counts. fx 0: only the angle is known. */
typedef struct physad__lens {
    int64_t width, height;
    double fx, fy, cx, cy; /* (0.5, 0.5) is the first pixel's centre */
    double k1, k2, p1, p2;
    double angle_x; /* horizontal field of view, radians; 0: not told */
} physad__lens;

/* Where a photo shows a point. */
typedef struct physad__seen {
    int64_t point; /* its number in `points`; -1: not there */
    double x, y;   /* pixels of the photo as its camera's size says */
} physad__seen;

typedef struct physad__posed {
    char *name; /* of the photo, as the file says it */
    physad__lens lens;
    double rotation[9], translation[3]; /* world to camera: x right, y down, z ahead */
    int64_t first_seen, n_seen;         /* in `seen` */
} physad__posed;

typedef struct physad__poses {
    physad__mem *mem;
    physad__posed *photos; /* sorted by name as people number them */
    double *points;        /* (n_points, 3); COLMAP only */
    uint8_t *colours;      /* (n_points, 3) */
    physad__seen *seen;    /* of all photos, each's together; COLMAP only */
    int64_t n_photos, n_points, n_seen, photos_size, points_size, colours_size, seen_size;
} physad__poses;

void physad__poses_free(physad__poses *poses); /* zeroed is fine */

/* A folder of cameras, images and points3D, as .bin or .txt. FORMAT names file, place and reason; a lens model beyond
 * those above is UNSUPPORTED and named. */
physad_status physad__colmap_read(physad__poses *out, physad__mem *mem, const char *folder);
/* The same from memory; `text` 1: the three .txt. `name` is said in messages. */
physad_status physad__colmap_parse(physad__poses *out, physad__mem *mem, const void *const data[3],
                                   const size_t sizes[3], bool text, const char *name);

/* transforms.json of Blender, instant-ngp and nerfstudio: camera to world with OpenGL's axes. A mirrored or scaled
 * matrix is FORMAT and said so. */
physad_status physad__transforms_read(physad__poses *out, physad__mem *mem, const char *path);
physad_status physad__transforms_parse(physad__poses *out, physad__mem *mem, const void *data, size_t size,
                                       const char *name);

/* The rotation, row by row, of a quaternion w x y z of any length above 0, which it returns. */
double physad__quaternion_matrix(double out[9], const double q[4]);

/* Intrinsics for a photo of this size: scaled where the file speaks of another size, from the angle where it knows no
 * more. FORMAT where the two have different proportions. */
physad_status physad__lens_fit(physad__lens *lens, int64_t width, int64_t height, const char *name);
/* FORMAT where no lens is like this: one that brings the photo's corners nowhere near them. */
physad_status physad__lens_check(const physad__lens *lens, const char *name);
/* Where the point (x, y) at distance 1 appears, in pixels. */
void physad__lens_project(const physad__lens *lens, double x, double y, double *u, double *v);
/* And back, by repeating the lens' equation. */
void physad__lens_unproject(const physad__lens *lens, double u, double v, double *x, double *y);

/* --- 3D Gaussians in the usual PLY: x y z, nx ny nz, f_dc_*, f_rest_*, opacity, scale_*, rot_*, one float each --- */

/* Planes as lib/splat orders them: xyz, log scale, quaternion, opacity logit, harmonics (coefficient, colour). */
typedef struct physad__gaussians {
    float *planes; /* (11 + 3 (degree + 1)^2, stride); physad__free() */
    int64_t count, stride;
    int32_t degree;
    float nearest; /* what is nearer to a camera is not seen; 0: as usual, 0.2 */
} physad__gaussians;

/* `multiple`: the stride becomes a multiple of it. Formats ascii and binary_little_endian; further properties are
 * passed over. */
physad_status physad__gaussians_read(physad__gaussians *out, physad__mem *mem, const char *path, int64_t multiple);
physad_status physad__gaussians_parse(physad__gaussians *out, physad__mem *mem, const void *data, size_t size,
                                      int64_t multiple, const char *name);
physad_status physad__gaussians_write(physad__mem *mem, const char *path, const physad__gaussians *gaussians);

#endif
