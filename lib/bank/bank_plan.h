/* SPDX-License-Identifier: Apache-2.0 */
/* What searching and picking know of the rows beforehand. Everything in it only sorts out rows; the truth decides.
 *
 * Coordinates. x has the coordinates y = P (x - mean), P of `dims` rows, nearly orthonormal: leading principal
 * directions first, then mixed among themselves so that all have about the same spread; where P does not span
 * everything, one more coordinate holds the length of the rest, less its mean. Then |y(a) - y(b)| <= |a - b|, also for
 * any part of the coordinates.
 *
 * Codes. z = round(scale * y), cut to a byte. With e(x) = |scale * y - z| plus what rounding may add, the triangle
 * inequality gives scale * |a - b| >= |z(a) - z(b)| - e(a) - e(b), on all coordinates or on the leading `scan_dims`
 * (then with the error of those). |z(a) - z(b)| is exact in integers.
 *
 * Order. Rows are put in an order of their own ("places"), near ones together, 64 places to a panel. */
#ifndef PHYSAD__BANK_PLAN_H
#define PHYSAD__BANK_PLAN_H

#include "bank/bank_internal.h"

#define PHYSAD__PLAN_FEWEST 256 /* rows below which comparing all is as fast */
#define PHYSAD__LEAF 256 /* places with a common centre, from which first guesses come */

/* P, the mean and the scale. */
typedef struct physad__axes {
    int64_t d, dims; /* of the rows; of y without the length of the rest */
    bool has_rest;
    int64_t scan_dims; /* multiple of 4, at most that of `size` */
    int64_t size;      /* bytes of a row's codes: coordinates and zeros up to a multiple of 64 */
    double *mean;      /* d */
    double *basis;     /* dims x d; NULL: the identity */
    double *lead;      /* lead_dims x d: leading directions unmixed, for the order; NULL as basis */
    int64_t lead_dims;
    double rest_mean, scale,
        slack; /* slack * |x - mean|: what rounding and P's imperfection may add to e, before scale */
} physad__axes;

/* Encoded vectors, each with its errors. Any pointer but `coordinates` may be NULL. */
typedef struct physad__codes {
    int64_t n;
    int8_t *z;        /* n x size; divided by `step` */
    float *error;     /* e on all coordinates, rounded up */
    float *scan_error;
    int32_t *norm;    /* |step * z|^2 on all coordinates */
    int32_t *scan_norm;
    int32_t *sum, *scan_sum; /* of z */
} physad__codes;

physad_status physad__axes_find(physad__axes *axes, physad_context *ctx, const physad__rows *rows,
                                const int64_t *samples);
void physad__axes_free(physad__axes *axes);
/* Doubles of scratch that encoding needs: for one block of PHYSAD__PANEL vectors. */
int64_t physad__axes_scratch(const physad__axes *axes);
/* Leading coordinates (axes->lead_dims) of up to PHYSAD__PANEL vectors. */
void physad__axes_lead(const physad__axes *axes, const float *const *x, int64_t n, float *out, double *scratch);
/* Codes of up to PHYSAD__PANEL vectors, in steps of `step`, within [-limit, limit]. */
void physad__axes_encode(const physad__axes *axes, const float *const *x, int64_t n, int step, int limit,
                         const physad__codes *out, double *scratch);

struct physad__plan {
    physad__axes axes;
    physad__region region; /* all that follows lies in it */
    int64_t n, panels, leaves;
    int step;               /* of queries' codes: code_max 127: 1, 63: 2 */
    uint8_t *codes;         /* panels * 64 x axes.size, + 128 */
    uint8_t *scan;          /* panels x scan_dims * 64, + 128 */
    int32_t *row;           /* place -> row; -1 behind the last */
    int32_t *norm, *bias;   /* panels * 64; of the scan: -scan_norm / (2 * step), behind the last row never a hit */
    float *error;           /* panels * 64 */
    float *scan_error;      /* panels: the largest in it */
    uint8_t *leaf;          /* leaves x axes.size: the mean codes, + 128 */
    int32_t *leaf_norm;     /* leaves */
};

#define PHYSAD__BIAS_NEVER (-(1 << 30))
#define PHYSAD__LIMIT_MOST (1 << 29)

/* `samples` tell which rows come from one photo, so that the pilot measurement can leave them out; may be NULL.
 * Progress is the stage "index", after which the call's stage is as before. */
physad_status physad__plan_new(physad__plan **out, const physad__spill *spill, const physad__rows *rows,
                               const int64_t *samples, physad__call *call);
void physad__plan_free(physad__plan *plan);
/* The bank's plan, built when missing; NULL with OK for banks too small to gain by one. */
physad_status physad__bank_plan(const physad_bank *bank, const physad__plan **plan, physad__call *call);
/* The k nearest of up to PHYSAD__BLOCK queries among the places of panels first .. end - 1. */
#define PHYSAD__BLOCK 128
int64_t physad__plan_scratch(const physad__plan *plan); /* bytes that a search of one block needs */
void physad__plan_search(const physad__plan *plan, const physad__rows *rows, const float *queries, int64_t n, int32_t k,
                         int64_t first, int64_t end, double *squared, int64_t *indices, void *scratch);

/* Puts n points of `dims` coordinates (n x dims) in an order in which near ones are together: halves along the widest
 * direction, down to 16. `order` holds the points to be ordered. */
void physad__order_near(int32_t *order, int64_t n, const float *points, int64_t dims);

#endif
