/* SPDX-License-Identifier: Apache-2.0 */
/* Separable resizing with weights computed once per size. Within the room only. */
#ifndef PHYSAD__DATA_RESIZE_H
#define PHYSAD__DATA_RESIZE_H

#include "base/base.h"
#include "kernels/kernels.h"

/* A photo as the resize reads it: u8, u16 or f32, 1 or 3 channels, strides in bytes. */
typedef struct physad__photo {
    const unsigned char *data;
    int64_t height, width, channels;
    int64_t row, pixel, channel; /* bytes from one to the next */
    int32_t dtype;
} physad__photo;

/* What each of the output positions [from, to) of one direction is made of: `count` source positions from `first` on.
 */
typedef struct physad__axis {
    int64_t outputs;
    int64_t stride; /* of the weights, from one output to the next */
    int32_t *first, *count;
    float *weight;     /* arithmetic on floats */
    int32_t *fixed;    /* arithmetic on bytes: scaled by 2^PHYSAD__FIXED_BITS */
    int64_t low, high; /* all sources lie in [low, high) */
} physad__axis;

/* The part of a photo resized to full_height x full_width that is wanted: rows [y, y + height), columns [x, x + width).
 */
typedef struct physad__resize {
    int64_t full_height, full_width;
    int64_t y, x, height, width;
    int32_t filter; /* PHYSAD_RESIZE_* */
    int32_t threads;
    const physad_kernels *kernels;
    bool rows_first; /* bytes: sum rows before columns; the order decides roundings */
} physad__resize;

/* Takes a finished row: `width` pixels of `channels`, row number from 0; any thread, each row once. */
typedef void (*physad__row_f32)(void *user, int64_t y, const float *row);
typedef void (*physad__row_u8)(void *user, int64_t y, const uint8_t *row);

/* On floats, in the photo's own units (bytes give 0..255). As torch's antialiased interpolation. */
physad_status physad__resize_f32(physad__mem *mem, const physad__photo *photo, const physad__resize *want,
                                 physad__row_f32 take, void *user);
/* On bytes, each bit as Pillow. u8 only. */
physad_status physad__resize_u8(physad__mem *mem, const physad__photo *photo, const physad__resize *want,
                                physad__row_u8 take, void *user);

/* --- rows (data_rows.c): what of the inner loops is no kernel --- */

/* acc[i] = sum over k of weight[k] * rows[k][i], added in the order of k from 0. */
void physad__rows_sum_u16(float *acc, const uint16_t *const *rows, const float *weight, int64_t count, int64_t n);
void physad__rows_sum_f32(float *acc, const float *const *rows, const float *weight, int64_t count, int64_t n);
/* out[i][c] = sum over k of weight[i * stride + k] * row[first[i] - low + k][c], for outputs i < n; channels 1 or 3. */
void physad__row_squeeze_f32(float *out, const float *row, const physad__axis *axis, int64_t channels);

#endif
