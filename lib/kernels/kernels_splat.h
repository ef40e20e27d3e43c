/* SPDX-License-Identifier: Apache-2.0 */
/* kernels: the inner loops of splatting, of its loss and of its optimiser, a table of them per instruction set. No
 * handles, no allocation, no errors. Pointers need no alignment beyond their element's.
 *
 * Gaussians come as planes: number i of plane k is plane[k * stride + i]. Arrays per Gaussian hold a multiple of
 * PHYSAD__SPLAT_GROUP entries; those behind the last Gaussian are written and never read by others.
 *
 * Pixels of a tile (16 x 16) lie in blocks of 4 x 4: pixel (x, y) is at ((y / 4) * 4 + x / 4) * 16 + (y % 4) * 4 + x
 * % 4. */
#ifndef PHYSAD__KERNELS_SPLAT_H
#define PHYSAD__KERNELS_SPLAT_H

#include <stdint.h>

#define PHYSAD__SPLAT_GROUP 16
#define PHYSAD__SPLAT_TILE 16
#define PHYSAD__SPLAT_PIXELS 256      /* of a tile */
#define PHYSAD__SPLAT_MAX_CHANNELS 32 /* composited in one pass */
#define PHYSAD__SPLAT_MOMENTS 6       /* of a pair's sums, before its channels: 1, x, y, xx, xy, yy */

/* Planes of a model, or of its gradients. */
typedef struct physad__splat_planes {
    float *xyz;        /* 3 */
    float *log_scale;  /* 3 */
    float *quaternion; /* 4: w x y z, of any length but 0 */
    float *opacity;    /* 1: logit */
    float *sh;         /* 3 * (degree + 1)^2: coefficient after coefficient, red green blue each */
    int64_t stride;
} physad__splat_planes;

/* A pinhole: x right, y down, z ahead. */
typedef struct physad__splat_camera {
    float rotation[9], translation[3]; /* world to camera, row-major */
    float centre[3];                   /* -rotation^T translation */
    float fx, fy, cx, cy;              /* pixels; (0.5, 0.5) is the first pixel's centre */
    float nearest;                     /* what is nearer is not seen */
    int32_t width, height;
} physad__splat_camera;

/* A Gaussian on the image: alpha at (dx, dy) from the centre is 2^(level + a dx^2 + b dx dy + c dy^2). */
typedef struct physad__splat_record {
    float x, y; /* of the centre; the first pixel is at 0 */
    float a, b, c, level;
    float lean_x, lean_y;           /* where the ellipse bends: -b / 2a, -b / 2c */
    float reach_x, reach_y;         /* alpha is below 1/255 beyond */
    int16_t tile_x, tile_y;         /* first tile */
    int16_t tiles_x, tiles_y;       /* 0: not seen */
    int32_t first;                  /* place of the sums of its first tile; the caller's */
    float depth, radius, opacity;
} physad__splat_record;

typedef struct physad__splat_project {
    physad__splat_planes planes;
    physad__splat_camera camera;
    int32_t degree;   /* of the harmonics in use, 0..3 */
    int32_t channels; /* of features: 3 colours, depth where with_depth, then others' */
    int32_t with_depth;
    physad__splat_record *records;
    float *features; /* channels per Gaussian; the first 3 (4) are written */
} physad__splat_project;

typedef struct physad__splat_project_back {
    const float *sums;          /* per pair: moments, then channels */
    int64_t first;              /* Gaussian that grads and screen begin at: a multiple of PHYSAD__SPLAT_GROUP */
    physad__splat_planes grads; /* written; coefficients of the degree in use alone */
    float *screen;  /* per Gaussian: length of the gradient by the centre in half images; NULL: not wanted */
    double pose[6]; /* added to: by translation and rotation (in this order) of a motion of the camera's space */
} physad__splat_project_back;

#define PHYSAD__SPLAT_MIDDLE 0.25f

typedef struct physad__splat_tile {
    const physad__splat_record *records;
    const float *features;
    int32_t channels;
    int32_t middle; /* channel 3 adds up only what is taken of the light from 1 - PHYSAD__SPLAT_MIDDLE down to that */
    int32_t x, y;   /* its first pixel */
    const int32_t *list; /* Gaussians, near to far */
    int64_t n;
    uint16_t *reach;      /* n: blocks that each reaches, a bit each; forward writes them */
    float *transmittance; /* 256; forward: 1 where a pixel is wanted, -1 elsewhere; becomes the remaining, negated where
                             stopped */
    float *out;           /* channels x 256, added to */
    /* backward */
    const float *grads; /* channels x 256 */
    const float *base;  /* 256: gradient by the sum of alpha * transmittance of all Gaussians */
    float *rest;        /* 256: the weighted sum of all gradients, used up */
    float *sums;        /* of all pairs */
} physad__splat_tile;

#define PHYSAD__SSIM_RADIUS 5

/* One row of one channel of the loss. Rows are `stride` apart; those out of the image are zeros. */
typedef struct physad__splat_loss {
    const float *image, *target; /* one channel */
    int64_t width, height;
    float *d_mean, *d_square, *d_cross; /* of the image's size: derivatives of SSIM by its blurred sums */
    float *grad;                        /* of the image's size */
    float *scratch;                     /* 5 * (width + 2 * 5 + 16) floats */
    const float *weights;               /* 11 */
    float l1_weight, ssim_weight;       /* of a pixel in the loss */
} physad__splat_loss;

typedef struct physad__splat_adam {
    float beta1, beta2, eps;
    float step;  /* learning rate / (1 - beta1^t) */
    float scale; /* 1 / sqrt(1 - beta2^t) */
} physad__splat_adam;

typedef struct physad__splat_kernels {
    const char *name;
    /* Gaussians begin..end-1, both multiples of PHYSAD__SPLAT_GROUP. */
    void (*project)(const physad__splat_project *job, int64_t begin, int64_t end);
    void (*project_back)(const physad__splat_project *job, physad__splat_project_back *back, int64_t begin,
                         int64_t end);
    void (*tile)(const physad__splat_tile *tile);
    void (*tile_back)(const physad__splat_tile *tile);
    /* Row y: sums[0] becomes the sum of |image - target|, sums[1] that of SSIM, and the derivatives are written. */
    void (*loss)(const physad__splat_loss *job, int64_t y, double sums[2]);
    /* Row y of grad, after loss() of all rows. */
    void (*loss_back)(const physad__splat_loss *job, int64_t y);
    void (*adam)(const physad__splat_adam *adam, float *value, float *mean, float *square, const float *grad,
                 int64_t n);
} physad__splat_kernels;

/* The best table for a processor with these PHYSAD_CPU_* flags; static, never NULL. */
const physad__splat_kernels *physad__splat_kernels_get(uint32_t cpu_flags);

extern const physad__splat_kernels physad__splat_kernels_c;
#if defined(__x86_64__)
extern const physad__splat_kernels physad__splat_kernels_avx2, physad__splat_kernels_avx512;
#endif

#endif
