/* SPDX-License-Identifier: Apache-2.0 */
/* io: images and .npy arrays, for the other rooms. */
#ifndef PHYSAD__IO_IMAGE_H
#define PHYSAD__IO_IMAGE_H

#include "core/core.h"

#include <physad/image.h>

/* The bytes of a file in one of the formats (PHYSAD_IMAGE_JPEG, _PNG, _TIFF, _PNM; a report embeds photos by it);
 * physad__free(*bytes). `name` is said in messages. View and options as in physad_image_write(). */
physad_status physad__image_encode(unsigned char **bytes, size_t *size, physad_context *ctx, int32_t format,
                                   const char *name, const physad_view *view,
                                   const physad_image_write_options *options);

/* A photo of pixels that are in memory already: a packed copy of a checked view, H x W or H x W x C. */
physad_status physad__image_copy(physad_image **out, physad_context *ctx, const physad_view *view);

/* --- .npy (io_npy.c) --- */

/* An array inside the bytes of a .npy file, or gathered from them. */
typedef struct physad__npy {
    physad_view view; /* row-major; read-only when it lies in the file's bytes */
    void *owned;      /* NULL when the view lies in the file's bytes; else memory of the context for physad__free() */
} physad__npy;

/* Versions 1, 2 and 3 of the format, both byte orders, C and Fortran order, every dtype of base.h that .npy has (bf16
 * has no descriptor; '<V2' is refused). The view lies in `bytes` where they are aligned, little-endian and in C order;
 * else a copy is made. Bytes behind the array are refused. More than PHYSAD_MAX_DIMS dimensions are UNSUPPORTED; a
 * scalar has one dimension of 1. `name` is said in messages. */
physad_status physad__npy_read(physad__npy *out, physad_context *ctx, const void *bytes, size_t size, const char *name);
void physad__npy_free(physad__npy *npy); /* zeroed is fine */
/* Writes version 1, little-endian, C order, from any strides; atomic. DTYPE for bf16. */
physad_status physad__npy_write(physad_context *ctx, const char *path, const physad_view *view);

#endif
