/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Features of photos: the outputs of chosen layers of a pretrained network (a *backbone*), as maps of vectors.
 *
 * One photo gives the same bits whatever the batch it comes in, the number of threads, the order of calls, and what
 * other threads do with the same handle meanwhile (on one type of processor, one build and one precision).
 */
#ifndef PHYSAD_FEATURES_H
#define PHYSAD_FEATURES_H

#include <physad/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- backbones ---------------------------------------------------------------------------------------------------- */

/** A layer whose output can be had. Static. */
typedef struct physad_backbone_layer {
    const char *name;  /**< such as "layer2" */
    int64_t channels;
    int64_t stride; /**< input pixels per output pixel; 0: one vector for the whole photo (pooled features, logits) */
} physad_backbone_layer;

/** What a backbone is. Everything it points to is static. */
typedef struct physad_backbone_info {
    uint32_t struct_size;
    int32_t layer_count;
    const char *name;
    const physad_backbone_layer *layers; /**< `layer_count` of them, from the input on */
    const char *default_layers;          /**< such as "layer2,layer3" */
    const char *weights; /**< name of the weights used by default, see `physad_features_options.weights`;
                              NULL: none are known, give a file */
    const char *weights_licence;         /**< of these weights; NULL without them */
    const char *source;                  /**< paper, and whose parameter names are read */
    const char *resize; /**< filter of the training's resize: "bilinear" or "bicubic", both antialiased */
    int64_t params;                      /**< trainable numbers of the whole network, classifier included */
    int64_t input_size;                  /**< side of the photos it was trained on, in pixels */
    float mean[3];                       /**< per channel (R, G, B), of values scaled to 0..1: x' = (x - mean) / std */
    float std[3];
} physad_backbone_info;

#define PHYSAD_BACKBONE_INFO_INIT                                                                                      \
    {                                                                                                                  \
        sizeof(physad_backbone_info), 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, { 0, 0, 0 },                  \
        {                                                                                                              \
            0, 0, 0                                                                                                    \
        }                                                                                                              \
    }

/** Number of backbones. Any thread. @since 0.1 */
PHYSAD_API int64_t physad_backbone_count(void);
/** Name of the i-th, such as "efficientnet-lite0" (which is number 0 and the default); NULL outside 0..count-1.
 * Any thread. @since 0.1 */
PHYSAD_API const char *physad_backbone_name(int64_t index);
/** Describes a backbone.
 * @param[in]     name  NULL: the default one
 * @param[in,out] info  initialised with PHYSAD_BACKBONE_INFO_INIT; filled up to its `struct_size`
 * @return PHYSAD_OK; PHYSAD_ERR_ARG: no such backbone, info NULL or with a wrong `struct_size`
 * Any thread. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_backbone_describe(const char *name, physad_backbone_info *info);

/* --- features ----------------------------------------------------------------------------------------------------- */

/** A network with its weights, cut after the deepest layer that is wanted, compiled for one photo size. Opaque. */
typedef struct physad_features physad_features;

/** Neighbourhood pooling before the layers are joined. */
#define PHYSAD_FEATURES_POOL_AVG3                                                                                      \
    0 /**< mean over 3x3 places, zeros outside counted (the divisor is 9 everywhere); the default */
#define PHYSAD_FEATURES_POOL_NONE 1
#define PHYSAD_FEATURES_POOL_UNFOLD                                                                                    \
    2 /**< 3x3 places unfolded, each layer's 9*C values averaged down to `unfold_dim`, the layers joined               \
  and averaged down to `unfold_dim` once more (PatchCore's original code) */
/** How deeper, coarser layers come to the grid of the first one. */
#define PHYSAD_UPSAMPLE_BILINEAR 0 /**< corners not aligned; the default */
#define PHYSAD_UPSAMPLE_NEAREST 1
/** Fewer dimensions, after everything else. */
#define PHYSAD_REDUCE_NONE 0
#define PHYSAD_REDUCE_SUBSET 1     /**< `reduce_dim` of the channels, drawn without replacement (PaDiM), ascending */
#define PHYSAD_REDUCE_PROJECTION                                                                                       \
    2 /**< a Gaussian matrix, entries of variance 1 / `reduce_dim` (Johnson-Lindenstrauss) */
/** Padding of an EfficientNet's strided convolutions. */
#define PHYSAD_PADDING_DEFAULT 0
#define PHYSAD_PADDING_SYMMETRIC 1 /**< k / 2 on every side; default of efficientnet-lite0 */
#define PHYSAD_PADDING_SAME 2      /**< TensorFlow's "same" for the photo's size: the odd pixel goes right and below */
#define PHYSAD_PADDING_STATIC                                                                                          \
    3 /**< "same" computed once for the size the network was trained on, whatever the photo's                          \
           (efficientnet_pytorch with image_size set); default of efficientnet-b4 (380) */

typedef struct physad_features_options {
    uint32_t struct_size;
    int32_t precision;    /**< 0 or PHYSAD_F32; PHYSAD_BF16: weights and activations in bf16, sums and outputs in f32;
                             needs a    processor with bf16 instructions, else PHYSAD_ERR_UNSUPPORTED */
    const char *backbone; /**< NULL: "efficientnet-lite0" */
    /** a file (a name with a slash or ending in .safetensors, .pth, .pt, .ckpt, .bin), a name in the weights store
     * (<physad/weights.h>), "random:SEED" or "random" (the context's seed); NULL: the backbone's own name in the
     * store. Weights are never made up unless "random" is asked for. A file is mapped: it must stay as it is while the
     * handle lives (replace it by a rename) */
    const char *weights;
    const char *layers;   /**< names with commas between, from fine to coarse; NULL: the backbone's default */
    int64_t height;       /**< of the photos, in pixels, 32 to 8192; 0: the backbone's input size */
    int64_t width;        /**< 0: as `height` */
    int32_t pool;         /**< PHYSAD_FEATURES_POOL_* */
    int32_t upsample;     /**< PHYSAD_UPSAMPLE_* */
    int32_t reduce;       /**< PHYSAD_REDUCE_* */
    int32_t padding;      /**< PHYSAD_PADDING_*; PHYSAD_ERR_ARG for a backbone that has only one */
    int64_t reduce_dim;   /**< dimensions that `reduce` leaves */
    uint64_t reduce_seed; /**< of the draw; 0 is a seed as well */
    /** for PHYSAD_REDUCE_SUBSET: `reduce_dim` channels given instead of drawn, each once; copied */
    const int64_t *channels;
    int64_t unfold_dim;   /**< for PHYSAD_FEATURES_POOL_UNFOLD; 0: 1024 */
} physad_features_options;

#define PHYSAD_FEATURES_OPTIONS_INIT                                                                                   \
    {                                                                                                                  \
        sizeof(physad_features_options), 0, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0                          \
    }

/** Loads the weights and compiles the network.
 * @param[out] out      the new handle, NULL on failure; freed by physad_features_free()
 * @param[in]  context  retained
 * @param[in]  options  copied; NULL for defaults
 * @return PHYSAD_OK; PHYSAD_ERR_ARG (unknown backbone, layer or option value); PHYSAD_ERR_IO (no such weights, with the
 * places looked at); PHYSAD_ERR_FORMAT (a parameter is missing, left over, or has another shape: named);
 * PHYSAD_ERR_NOMEM; PHYSAD_ERR_UNSUPPORTED (bf16 on a processor without it); PHYSAD_ERR_STATE (context from before
 * fork()); PHYSAD_ERR_CANCELLED Cost: tens of milliseconds and the weights' size in memory.
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_features_new(physad_features **out, physad_context *context,
                                                              const physad_features_options *options);

/** No call on the handle may be running. NULL is fine. */
PHYSAD_API void physad_features_free(physad_features *features);

/** Shape of one photo's joined features: height, width, dimensions. All 0 for NULL. Any thread. @since 0.1 */
PHYSAD_API void physad_features_shape(const physad_features *features, int64_t shape[3]);
/** Number of layers taken; 0 for NULL. Any thread. @since 0.1 */
PHYSAD_API int64_t physad_features_layer_count(const physad_features *features);
/** Name of the i-th layer taken, owned by the handle; NULL outside 0..count-1. Any thread. @since 0.1 */
PHYSAD_API const char *physad_features_layer_name(const physad_features *features, int64_t index);
/** Shape of one photo's output of the i-th layer. Any thread.
 * @param[out] shape  height, width, channels
 * @return PHYSAD_OK, PHYSAD_ERR_ARG
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_features_layer_shape(const physad_features *features, int64_t index,
                                                                      int64_t shape[3]);
/** Photo size it was compiled for: height, width. Both 0 for NULL. Any thread. @since 0.1 */
PHYSAD_API void physad_features_input_size(const physad_features *features, int64_t size[2]);

/** Name of its backbone, static; NULL for NULL. Any thread. @since 0.1 */
PHYSAD_API const char *physad_features_backbone(const physad_features *features);
/** Where its weights came from: the file, or "random:SEED". Owned by the handle; NULL for NULL. Any thread. @since 0.1
 */
PHYSAD_API const char *physad_features_weights(const physad_features *features);

/** Joined features of photos: the layers pooled, brought to the first one's grid, joined along the channels, reduced.
 * @param[in]  images  f32, (N, H, W, 3), row-major, normalised with the backbone's mean and std; N >= 0; borrowed.
 *                     NaN or infinite pixels are not looked for: they spoil that photo's features where the network
 * sees them (a ReLU may turn a NaN into 0) and no other photo's
 * @param[out] out     f32, (N, h, w, D) of physad_features_shape(), row-major; undefined after a failure
 * @param[in]  call    progress ("features", per photo) and cancel; may be NULL
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_SHAPE, PHYSAD_ERR_DTYPE, PHYSAD_ERR_NOMEM, PHYSAD_ERR_CANCELLED,
 *         PHYSAD_ERR_STATE
 * Any number of threads may call at once; each has its own scratch memory, which the handle keeps for the next call.
 * @since 0.1
 * @see Roth et al., "Towards Total Recall in Industrial Anomaly Detection", 2022, section 3.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_features_compute(const physad_features *features,
                                                                  const physad_view *images, const physad_view *out,
                                                                  const physad_call_options *call);

/** The layers' outputs as they are: neither pooled, resized, joined nor reduced.
 * @param[in]  images  as above
 * @param[out] outs    one view per layer taken: f32, (N, h_i, w_i, C_i), row-major
 * @param[in]  call    as above
 * @return as physad_features_compute(). Threads as there.
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_features_compute_layers(const physad_features *features,
                                                                         const physad_view *images,
                                                                         const physad_view *outs,
                                                                         const physad_call_options *call);

#ifdef __cplusplus
}
#endif

#endif
