/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Photos: read from a file or from memory, written by suffix.
 *
 * JPEG, PNG, TIFF, BMP and PNM (PBM, PGM, PPM, PFM), recognised by their content, never by their name. Pixels come out
 * as stored, H x W x C, red first, in bytes, 16-bit words or floats:
 *  - 1-, 2- and 4-bit samples are spread over 0..255; PNM samples over 0..255 or 0..65535; other odd depths (10, 12, 14
 *    bits in TIFF) keep their numbers, in u16;
 *  - palettes are looked up; CMYK becomes RGB as naive ink, R = (255-C)(255-K)/255;
 *  - floats of 16 and 64 bits in TIFF become f32;
 *  - gamma and colour profiles are left alone.
 *
 * Bytes that came out of an 8-bit file equal what Pillow's `Image.open(...).convert("RGB")` gives, bit for bit (a TIFF
 * that is to be turned: with `apply_orientation`, which Pillow always does there). Damage that other readers paint
 * over, such as a JPEG whose data ends early, is an error here: pixels that were never in the file are worse than none.
 */
#ifndef PHYSAD_IMAGE_H
#define PHYSAD_IMAGE_H

#include <physad/base.h>
#include <physad/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A decoded photo; immutable, so any number of threads may read it. Holds its context. */
typedef struct physad_image physad_image;

/** @name File formats. */
/** @{ */
#define PHYSAD_IMAGE_JPEG 1
#define PHYSAD_IMAGE_PNG 2
#define PHYSAD_IMAGE_TIFF 3
#define PHYSAD_IMAGE_BMP 4
#define PHYSAD_IMAGE_PNM 5 /**< PBM, PGM, PPM, PFM */
/** @} */

/** @name Wanted channels. */
/** @{ */
/** 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha; floats of a TIFF may have 2 to 4 of any meaning. */
#define PHYSAD_IMAGE_AS_IS 0
/** ITU-R 601-2 luma, (19595 R + 38470 G + 7471 B + 32768) >> 16; alpha is dropped, not blended. */
#define PHYSAD_IMAGE_GRAY 1
/** Grey is repeated; alpha is dropped, not blended. */
#define PHYSAD_IMAGE_RGB 3
/** @} */

typedef struct physad_image_options {
    uint32_t struct_size;
    int32_t channels; /**< PHYSAD_IMAGE_AS_IS, _GRAY or _RGB */
    int32_t dtype;    /**< 0: as stored. PHYSAD_U8: the upper 8 of a u16's significant bits; floats are refused (DTYPE),
                           since nothing says their range */
    int32_t apply_orientation; /**< non-zero: turn and flip as the EXIF orientation (JPEG, PNG, TIFF) asks for */
    int32_t jpeg_scale; /**< 0 or 1: full size. 2, 4, 8: a JPEG comes out with ceil(size / scale) pixels, averaged from
                             its frequencies: several times faster, and not the same pixels as a resized full decode.
                             Other formats ignore it */
    int32_t page;        /**< page of a TIFF, from 0; other formats have page 0 only */
    uint64_t max_pixels; /**< H x W beyond this is refused before anything is decoded; 0: 2^28 */
    uint64_t max_bytes;  /**< larger files are refused; 0: 2^31 */
} physad_image_options;

#define PHYSAD_IMAGE_OPTIONS_INIT { sizeof(physad_image_options), 0, 0, 0, 0, 0, 0, 0 }

/** What a file says of itself. */
typedef struct physad_image_info {
    int64_t height, width; /**< as stored, before any orientation */
    int32_t channels;      /**< as PHYSAD_IMAGE_AS_IS gives them */
    int32_t dtype;         /**< PHYSAD_U8, PHYSAD_U16 or PHYSAD_F32 */
    int32_t bits;          /**< significant bits of a sample: 8, 16, 32, or e.g. 12 */
    int32_t format;        /**< PHYSAD_IMAGE_JPEG ... */
    int32_t orientation;   /**< EXIF orientation 1..8; 1 when there is none */
    int32_t pages;         /**< 1, or the pages of a TIFF (at most 65535 are counted) */
} physad_image_info;

/** Reads and decodes a file.
 * @param[out] out      the photo, NULL on failure; freed by physad_image_free()
 * @param[in]  context  retained by the photo
 * @param[in]  path     a file, pipe or device
 * @param[in]  options  copied; NULL for defaults
 * @return PHYSAD_OK; PHYSAD_ERR_ARG; PHYSAD_ERR_IO; PHYSAD_ERR_FORMAT (damaged, truncated, unknown or over a limit; the
 *         message names file, byte and reason); PHYSAD_ERR_UNSUPPORTED (a valid kind that is not read: 12-bit JPEG,
 *         integers of 32 bits, ...); PHYSAD_ERR_DTYPE (floats asked for as bytes); PHYSAD_ERR_NOMEM;
 *         PHYSAD_ERR_STATE (fork)
 * Any thread. Memory: the file, and the pixels at most twice.
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_image_read(physad_image **out, physad_context *context,
                                                            const char *path, const physad_image_options *options);

/** Decodes a file that is already in memory.
 * @param[in] bytes  borrowed, `size` of them
 * @param[in] name   said in messages; NULL: "image"
 * Otherwise as physad_image_read().
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_image_read_memory(physad_image **out, physad_context *context,
                                                                   const void *bytes, size_t size, const char *name,
                                                                   const physad_image_options *options);

/** Reads a file's header only: size, channels, format.
 * @param[out] info     filled; zeroed on failure
 * @param[in]  path     the file
 * @param[in]  options  page, max_pixels and max_bytes count; NULL for defaults
 * @return as physad_image_read(). Any thread. What follows the header may still be damaged.
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_image_probe(physad_image_info *info, physad_context *context,
                                                             const char *path, const physad_image_options *options);

/** A read-only view of the pixels, H x W x C (always three dimensions), row-major without gaps; owned by the photo.
 * NULL gives a view without data. Any thread. @since 0.1 */
PHYSAD_API physad_view physad_image_view(const physad_image *image);

/** What the photo's file said of itself, and `channels` and `dtype` as they are now; zeros for NULL. Any thread.
 * @since 0.1 */
PHYSAD_API physad_image_info physad_image_describe(const physad_image *image);

/** Frees a photo; NULL is fine. */
PHYSAD_API void physad_image_free(physad_image *image);

typedef struct physad_image_write_options {
    uint32_t struct_size;
    int32_t jpeg_quality;    /**< 1..100; 0: 95. JPEG is written with full colour resolution (4:4:4) */
    int32_t png_compression; /**< 1 fast .. 9 small; 0: 6 */
    int32_t reserved;        /**< zero */
} physad_image_write_options;

#define PHYSAD_IMAGE_WRITE_OPTIONS_INIT { sizeof(physad_image_write_options), 0, 0, 0 }

/** Writes pixels to a file whose suffix says the format. The file is complete or as it was before, never partial.
 *
 * | suffix       | element types       | channels            |
 * |--------------|---------------------|---------------------|
 * | .png         | u8, u16, bool       | 1 to 4              |
 * | .jpg, .jpeg  | u8, bool            | 1, 3                |
 * | .tif, .tiff  | u8, u16, f32, bool  | 1 to 4 (deflate, lossless) |
 * | .pgm         | u8, u16, bool       | 1                   |
 * | .ppm         | u8, u16             | 3                   |
 * | .pfm         | f32                 | 1, 3                |
 *
 * @param[in] path     its suffix decides the format; an existing file is replaced
 * @param[in] view     borrowed: H x W or H x W x C, any strides; bool is written as 0 and 255
 * @param[in] options  copied; NULL for defaults
 * @return PHYSAD_OK, PHYSAD_ERR_ARG (suffix, NULL), PHYSAD_ERR_SHAPE, PHYSAD_ERR_DTYPE, PHYSAD_ERR_IO,
 *         PHYSAD_ERR_NOMEM, PHYSAD_ERR_STATE (fork). Any thread.
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_image_write(physad_context *context, const char *path,
                                                             const physad_view *view,
                                                             const physad_image_write_options *options);

#ifdef __cplusplus
}
#endif

#endif
