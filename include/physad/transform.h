/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * From the photo to the model's input and back: region of interest, resize, crop, normalise; positions and score maps
 * back to the photo.
 *
 * The way of a photo: region of interest -> resize by `fit` -> centre crop -> normalise (x - mean) / std -> f32 (h, w,
 * 3). Bytes are divided by 255 and 16-bit values by 65535; f32 photos are taken as 0..1. Grey photos are repeated over
 * three channels; a fourth channel (opacity) is dropped.
 *
 * Positions: pixel (y, x) covers [y, y+1) x [x, x+1); its centre is (y + 0.5, x + 0.5). Photo and model positions are
 * in these continuous coordinates.
 *
 * Thread safety: const calls may run at once on one transform.
 */
#ifndef PHYSAD_TRANSFORM_H
#define PHYSAD_TRANSFORM_H

#include <physad/base.h>
#include <physad/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opaque. */
typedef struct physad_transform physad_transform;

/** Filters. Bilinear, bicubic (a = -0.5) and box are antialiased: when shrinking, the filter is stretched over in/out
 * source pixels. */
#define PHYSAD_RESIZE_BILINEAR 0
#define PHYSAD_RESIZE_BICUBIC 1
#define PHYSAD_RESIZE_BOX 2
#define PHYSAD_RESIZE_NEAREST 3 /**< the source pixel that holds the centre of the target pixel, as Pillow does */

/** How the photo gets to height x width. */
#define PHYSAD_FIT_STRETCH 0   /**< both sides apart; the proportions may change */
#define PHYSAD_FIT_LETTERBOX 1 /**< whole photo in proportion, centred, the rest `pad` */
#define PHYSAD_FIT_COVER 2     /**< in proportion until it covers; what juts out is cut off around the centre */

/** Arithmetic of the resize. On floats: as torchvision's v2.Resize(antialias=True) of float images, within 1e-6. */
#define PHYSAD_ARITHMETIC_FLOAT 0
/** Bytes in fixed point with a rounding after each direction: each bit as Image.resize of Pillow 13, which takes rows
 * before columns where the height shrinks by more than twice as many pixels as the width. 8-bit photos only. */
#define PHYSAD_ARITHMETIC_BYTES 1
/** The same of Pillow before 13: columns always first. */
#define PHYSAD_ARITHMETIC_BYTES_12 2

/** Means and standard deviations. */
#define PHYSAD_NORMALISE_IMAGENET 0 /**< (0.485, 0.456, 0.406), (0.229, 0.224, 0.225) */
#define PHYSAD_NORMALISE_HALF 1     /**< 0.5, 0.5: to -1..1 */
#define PHYSAD_NORMALISE_CLIP 2     /**< (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711) */
#define PHYSAD_NORMALISE_NONE 3     /**< stays in 0..1 */
#define PHYSAD_NORMALISE_CUSTOM 4   /**< `mean`, `std` */

/** What a score map holds at photo pixels that the model does not see (outside the region of interest or cut off). */
#define PHYSAD_OUTSIDE_ZERO 0
#define PHYSAD_OUTSIDE_NAN 1

typedef struct physad_transform_options {
    uint32_t struct_size;
    int32_t resize;      /**< PHYSAD_RESIZE_* */
    int32_t fit;         /**< PHYSAD_FIT_* */
    int32_t arithmetic;  /**< PHYSAD_ARITHMETIC_* */
    int32_t normalise;   /**< PHYSAD_NORMALISE_* */
    int32_t outside;     /**< PHYSAD_OUTSIDE_* */
    int64_t height;      /**< the photo is resized to height x width; 0: 256 */
    int64_t width;       /**< 0: as height */
    int64_t crop_height; /**< then the centre is cut out; this is the model's input. 0: no crop */
    int64_t crop_width;  /**< 0: as crop_height */
    int64_t roi_y;       /**< region of interest in photo pixels; photos that do not hold all of it are refused */
    int64_t roi_x;
    int64_t roi_height; /**< 0: the whole photo */
    int64_t roi_width;
    float mean[3];     /**< with PHYSAD_NORMALISE_CUSTOM, in 0..1 */
    float std[3];      /**< with PHYSAD_NORMALISE_CUSTOM, above 0 */
    float pad[3];      /**< colour of the bars of PHYSAD_FIT_LETTERBOX, in 0..1 */
    uint32_t reserved; /**< zero */
} physad_transform_options;

#define PHYSAD_TRANSFORM_OPTIONS_INIT                                                                                  \
    {                                                                                                                  \
        sizeof(physad_transform_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, { 0, 0, 0 }, { 0, 0, 0 },             \
            { 0, 0, 0 }, 0                                                                                             \
    }

/** Makes a transform.
 * @param[out] out      NULL on failure; freed by physad_transform_free()
 * @param[in]  options  copied; NULL for defaults (256 x 256, stretched, bilinear on floats, ImageNet)
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_NOMEM, PHYSAD_ERR_UNSUPPORTED
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_transform_new(physad_transform **out, physad_context *context,
                                                               const physad_transform_options *options);
/** Frees it; NULL is fine. */
PHYSAD_API void physad_transform_free(physad_transform *transform);

/** The options with every default filled in.
 * @param[in,out] options  `struct_size` is read, the rest written
 * @return PHYSAD_OK, PHYSAD_ERR_ARG
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_transform_get(const physad_transform *transform,
                                                               physad_transform_options *options);

/** Size of the model's input: `height` and `width` in pixels.
 * @return PHYSAD_OK, PHYSAD_ERR_ARG
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_transform_shape(const physad_transform *transform, int64_t *height,
                                                                 int64_t *width);

/** Parts of every photo that count for nothing: neither features nor scores nor metrics. The mask is stretched to each
 * photo (nearest). Not while other calls run on the transform.
 * @param[in] mask  H x W, u8 or bool, not zero where ignored; copied. NULL takes the mask away
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_SHAPE, PHYSAD_ERR_DTYPE, PHYSAD_ERR_NOMEM
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_transform_set_ignore(physad_transform *transform,
                                                                      const physad_view *mask);

/** Transforms a photo. Result independent of the number of threads.
 * @param[in]  photo  H x W, or H x W x 1, 3 or 4; u8, u16 or f32; any strides; borrowed
 * @param[out] out    f32 (h, w, 3) row-major, as physad_transform_shape() says
 * @return PHYSAD_OK, PHYSAD_ERR_ARG (also: the region of interest juts out), PHYSAD_ERR_SHAPE, PHYSAD_ERR_DTYPE,
 * PHYSAD_ERR_NOMEM
 * @since 0.1
 * @see Pillow's Image.resize, torchvision.transforms.v2.Resize */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_transform_apply(const physad_transform *transform,
                                                                 const physad_view *photo, physad_view *out);

/** From a position in the photo to one in the model's input (may lie outside of it).
 * @param photo_height,photo_width  size of the photo
 * @param y,x                       in the photo, in pixels
 * @param[out] model_y,model_x      in the input, in pixels
 * @return PHYSAD_OK, PHYSAD_ERR_ARG
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_transform_to_model(const physad_transform *transform,
                                                                    int64_t photo_height, int64_t photo_width, double y,
                                                                    double x, double *model_y, double *model_x);
/** From a position in the model's input to one in the photo: the inverse, as physad_transform_to_model() has it.
 * @param y,x                   in the input
 * @param[out] photo_y,photo_x  in the photo
 * @return PHYSAD_OK, PHYSAD_ERR_ARG
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_transform_to_photo(const physad_transform *transform,
                                                                    int64_t photo_height, int64_t photo_width, double y,
                                                                    double x, double *photo_y, double *photo_x);

/** A score map over the model's input, brought to the photo: bilinear, corners not aligned, borders repeated:
 * for a stretched whole photo this is PyTorch's interpolate(size=(H, W), mode="bilinear", align_corners=False).
 * Photo pixels that the model does not see get `outside`; ignored pixels too.
 * @param[in]  map  f32 (h, w) row-major, any size: it covers the model's input evenly
 * @param[out] out  f32 (H, W) row-major; H x W is the photo's size
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_SHAPE, PHYSAD_ERR_DTYPE, PHYSAD_ERR_NOMEM
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_transform_map_back(const physad_transform *transform,
                                                                    const physad_view *map, physad_view *out);

/** Which photo pixels count: inside the region of interest, not cut off, not ignored.
 * @param[out] out  u8 or bool (H, W) row-major, 1 where a pixel counts; H x W is the photo's size
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_SHAPE, PHYSAD_ERR_DTYPE
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_transform_valid_photo(const physad_transform *transform,
                                                                       physad_view *out);

/** How much of each cell of a grid over the model's input counts: the share of its area that shows photo and is not
 * ignored. A cell takes part in features and scores when its share is at least one half.
 * @param photo_height,photo_width  size of the photo
 * @param[out] out  f32 (h, w) row-major, 0..1; the grid covers the model's input evenly
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_SHAPE, PHYSAD_ERR_DTYPE
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_transform_valid_grid(const physad_transform *transform,
                                                                      int64_t photo_height, int64_t photo_width,
                                                                      physad_view *out);

#ifdef __cplusplus
}
#endif

#endif
