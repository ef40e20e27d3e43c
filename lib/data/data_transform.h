/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a transform. Within the room only. */
#ifndef PHYSAD__DATA_TRANSFORM_H
#define PHYSAD__DATA_TRANSFORM_H

#include "data/data.h"

struct physad_transform {
    physad_context *ctx;
    physad_transform_options o; /* every default filled in; the custom fields hold the preset's numbers */
    int64_t height, width;      /* the model's input */
    float deviation[3];         /* 1 / std */
    float bytes[3][256];        /* (x / 255 - mean) / std */
    unsigned char *ignore;      /* NULL: none */
    int64_t ignore_height, ignore_width;
};

/* How one direction of a photo of a given size goes: model = (photo - start) * full / length - offset. */
typedef struct physad__span {
    int64_t photo;         /* the photo's extent */
    int64_t start, length; /* region of interest */
    int64_t full;          /* the region's extent after the resize */
    int64_t offset;        /* of the model's input in it; negative where there are bars */
    int64_t model;         /* the model's input */
} physad__span;
typedef struct physad__geometry {
    physad__span y, x;
} physad__geometry;

/* ARG when the photo is empty or does not hold the region of interest. */
physad_status physad__transform_geometry(const physad_transform *t, int64_t height, int64_t width,
                                         physad__geometry *out);

/* Checks a photo: H x W, H x W x 1, 3 or 4; u8, u16 or f32. */
physad_status physad__transform_check_photo(const physad_view *photo, const char *name);
/* `out` is (height, width, 3), packed. Without OpenMP when threads is 1. */
physad_status physad__transform_run(const physad_transform *t, const physad_view *photo, float *out, int32_t threads);

#endif
