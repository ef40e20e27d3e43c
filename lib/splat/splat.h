/* SPDX-License-Identifier: Apache-2.0 */
/* splat: pictures of 3D Gaussians, forward and backward, arrays in and out; the loss between pictures. One renderer
 * serves one thread at a time; results do not depend on the number of compute threads. */
#ifndef PHYSAD__SPLAT_H
#define PHYSAD__SPLAT_H

#include "core/core.h"
#include "io/io.h"
#include "kernels/kernels.h"

#include <physad/splat.h>

#define PHYSAD__SPLAT_NEAREST 0.2f /* what is nearer is not seen, where nothing else is said */
#define PHYSAD__SPLAT_PIECE 256 /* Gaussians whose gradients are handed out together */

/* Floats of a plane that holds `count` Gaussians. */
static inline int64_t physad__splat_stride(int64_t count)
{
    return (count + PHYSAD__SPLAT_GROUP - 1) / PHYSAD__SPLAT_GROUP * PHYSAD__SPLAT_GROUP;
}
static inline int physad__splat_coefficients(int degree) { return (degree + 1) * (degree + 1); }
/* Planes of a whole model: place, scale, quaternion, opacity, harmonics, in this order. */
static inline int physad__splat_plane_count(int degree) { return 11 + 3 * physad__splat_coefficients(degree); }
/* The planes in one block of memory. */
physad__splat_planes physad__splat_planes_at(float *memory, int64_t stride);

/* `rotation` (9) and `translation` (3) take the world to the camera, which sees from PHYSAD__SPLAT_NEAREST on. */
physad__splat_camera physad__splat_camera_make(const double *rotation, const double *translation, double fx, double fy,
                                               double cx, double cy, int64_t width, int64_t height);
/* Moves the camera's space by exp of a tangent: translation, then rotation. */
void physad__splat_camera_move(double rotation[9], double translation[3], const double tangent[6]);

typedef struct physad__splat_input {
    physad__splat_planes planes; /* stride: a multiple of PHYSAD__SPLAT_GROUP, at least count */
    int64_t count;
    int32_t degree;     /* of the harmonics in use, 0..3 */
    bool with_depth;    /* composite depth as well */
    bool middle;        /* of the middle half of the light: few parts of it that come from elsewhere do not move it */
    int32_t extra;      /* further channels, (count, extra) */
    const float *extra_values;
    float background[3];
    physad__splat_camera camera;
} physad__splat_input;

/* Planar images (channels, height, width), the caller's; NULL: not wanted. */
typedef struct physad__splat_images {
    float *colour;  /* 3, over the background */
    /* 1; wants with_depth: sum of weight * depth; with `middle` the mean depth of what takes the light from three
     * quarters to one, 0 where all takes less than a quarter; no gradients come back through that. */
    float *depth;
    float *opacity; /* 1 */
    float *extra;   /* extra, over 0 */
} physad__splat_images;

/* What comes back; NULL: not wanted. Planes and screen are written whole for the degree in use. */
typedef struct physad__splat_back {
    physad__splat_planes planes; /* all, or (xyz NULL) none */
    float *screen;               /* count, padded: length of the gradient by the centre, in half images */
    float *extra; /* (count, extra); for image gradients that are values, these lift pixels onto Gaussians */
    double pose[6];              /* written: by a motion exp(tangent) of the camera's space, translation first */
    /* NULL, or called in place of writing planes and screen, once for each PHYSAD__SPLAT_PIECE Gaussians, from any
     * thread in any order: the gradients of begin..end-1 alone, plane after plane of PHYSAD__SPLAT_PIECE numbers, good
     * until it returns. It may change these Gaussians and gradients. */
    void (*take)(void *user, int64_t begin, int64_t end, float *grads, const float *screen);
    void *user;
} physad__splat_back;

typedef struct physad__splat physad__splat;

physad_status physad__splat_new(physad__splat **out, physad_context *ctx);
void physad__splat_free(physad__splat *s);
/* `input` is borrowed until the last backward of this picture. */
physad_status physad__splat_forward(physad__splat *s, const physad__splat_input *input,
                                    const physad__splat_images *images);
/* After forward: the loss' gradients by the images in, by the model out. */
physad_status physad__splat_backward(physad__splat *s, const physad__splat_images *grads, physad__splat_back *back);
/* Of the last forward, for each of count Gaussians; tiles_x 0: not seen. */
const physad__splat_record *physad__splat_records(const physad__splat *s);
int64_t physad__splat_pairs(const physad__splat *s); /* of Gaussians and tiles */

/* --- sets as arrays and handles (splat_gaussians.c) --- */

#define PHYSAD__SPLAT_ARRAYS 5 /* xyz, log_scale, quaternion, opacity, harmonics */
extern const char *const physad__splat_array_names[PHYSAD__SPLAT_ARRAYS];
/* Views over planes: (count, 3), (count, 3), (count, 4), (count), (count, coefficients, 3). `planes` may be NULL. */
void physad__splat_arrays(physad_view out[PHYSAD__SPLAT_ARRAYS], float *planes, int64_t stride, int64_t count,
                          int32_t degree);
int32_t physad__splat_degree(int64_t coefficients); /* of 1, 4, 9 or 16 per colour; else -1 */
/* A handle on a copy. */
physad_status physad__gaussians_handle(physad_gaussians **out, physad_context *ctx, const physad__gaussians *set);
physad_status physad__gaussians_check(const physad_gaussians *gaussians, const char *what); /* NULL, fork */
physad_context *physad__gaussians_context(const physad_gaussians *gaussians);
const physad__gaussians *physad__gaussians_set_of(const physad_gaussians *gaussians);
/* Size and rotation; `what` is said in messages. Lenses are checked by physad__splat_forward(). */
physad_status physad__camera_check(const physad_camera *camera, const char *what);

/* --- the loss: (1 - lambda) mean|a - b| + lambda (1 - SSIM), over (3, height, width) --- */

typedef struct physad__splat_loss_result {
    double loss, l1, ssim;
} physad__splat_loss_result;

/* `grad` (3, height, width) is by `image`. Scratch grows in the renderer. */
physad_status physad__splat_compare(physad__splat *s, physad__splat_loss_result *result, float *grad,
                                    const float *image, const float *target, int64_t width, int64_t height,
                                    double lambda);

/* Step number t (from 1) of Adam. */
physad__splat_adam physad__splat_adam_at(double rate, int64_t t);
/* value -= Adam of grad, n numbers, on the calling thread. */
void physad__splat_adam_step(const physad__splat *s, const physad__splat_adam *adam, float *value, float *mean,
                             float *square, const float *grad, int64_t n);

#endif
