/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Evaluation: methods on a data set, category by category, with the figures that papers print; and pictures of score
 * maps.
 *
 * Per method and category a detector is fitted on the training split, scores the test split photo by photo, and is
 * measured (see <physad/metrics.h>). Photos and maps are not kept: memory is bounded by the fitted model and the sorted
 * scores of the pixels, which go to a temporary file beyond the context's memory limit.
 *
 * Videos are samples with one score each; where they, or the entire recordings of PHYSAD_SPLIT_WHOLE, have labels of
 * their frames, the scores of all these frames are measured together as `frame_auroc`, as they are: nothing is
 * rescaled within a video. Its interval goes by whole recordings, or where there are fewer than ten of them by blocks
 * of 25 frames, so that it tells nothing of other places then. Methods on photos are fitted on frames of the training
 * videos and score each frame.
 */
#ifndef PHYSAD_EVALUATE_H
#define PHYSAD_EVALUATE_H

#include <physad/base.h>
#include <physad/context.h>
#include <physad/dataset.h>
#include <physad/metrics.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opaque; immutable, any number of threads may read it. */
typedef struct physad_evaluation physad_evaluation;
/** See <physad/detect.h>. */
typedef struct physad_detector physad_detector;
/** See <physad/detect.h>. */
typedef struct physad_result physad_result;

/** Where pixels are compared. */
#define PHYSAD_METRICS_PHOTO 0 /**< at each photo's own size, inside the region of interest */
#define PHYSAD_METRICS_INPUT                                                                                           \
    1 /**< at the model's input size, masks brought there by nearest neighbour: the papers' convention */

/** A sample that has just been scored; everything is valid during the callback only. Fields may be added at the end. */
typedef struct physad_scored {
    const char *method;
    const physad_dataset *dataset; /**< the category's test samples */
    int64_t index;                 /**< of the sample in it */
    const physad_sample *sample;
    const physad_detector *detector;
    const physad_result *result;
    double score;
} physad_scored;

/** Called on the calling thread for every scored sample, in the data set's order; non-zero cancels. */
typedef int (*physad_scored_fn)(const physad_scored *scored, void *user);

/** How to evaluate. */
typedef struct physad_evaluate_options {
    uint32_t struct_size;
    int32_t metrics_size;        /**< PHYSAD_METRICS_* */
    int32_t on_error; /**< PHYSAD_ERRORS_*: what is left out, of the training samples too, is listed under `skipped` */
    int32_t replicates;          /**< of the bootstrap; 0: 1000, -1: no intervals */
    const char *categories;      /**< "a,b"; NULL: all */
    const char *const *settings; /**< "key=value" or "method.key=value", ended by NULL; NULL: none */
    const char *overlays;    /**< folder for a picture per sample (see physad_overlay_draw()), made where missing, as
                                  METHOD/PATH.png; NULL: none */
    physad_scored_fn scored; /**< NULL: none */
    void *scored_user;
    int32_t gallery; /**< keeps small pictures for physad_evaluation_html() of so many samples of each type, method and
                          category, half of them with the highest scores and half with the lowest; 0: none; at most
                          10000. About 20 KiB each at the default size */
    int32_t gallery_side; /**< longer side of these pictures in pixels, 32 to 1024; 0: 192 */
    int32_t pool; /**< PHYSAD_POOL_*: how methods on photos come from the scores of a video's frames to its own */
    int32_t types; /**< 1: tells what kind of defect each photo's map shows (see <physad/region.h>), as `type_scores`.
                      AUROC of a type against the rest then goes by them where the set's types are all known by kind, or
                      by the examples' names */
    /** folder for physad_types_add_folder(), whose types are then told; NULL: none; needs `types` */
    const char *examples;
} physad_evaluate_options;

#define PHYSAD_EVALUATE_OPTIONS_INIT                                                                                   \
    {                                                                                                                  \
        sizeof(physad_evaluate_options), 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, NULL                       \
    }

/** Fits, scores and measures every method on every category. Seed and threads are the context's.
 * @param[out] out      NULL on failure; freed by physad_evaluation_free()
 * @param[in]  dataset  borrowed
 * @param[in]  methods  `count` names
 * @param[in]  options  copied; NULL for defaults
 * @param[in]  call     progress and cancel; NULL for none
 * @return PHYSAD_OK; PHYSAD_ERR_ARG (unknown method, setting or category; nothing to train or test on); PHYSAD_ERR_IO,
 * PHYSAD_ERR_FORMAT (a photo, a mask, the weights), PHYSAD_ERR_CANCELLED, PHYSAD_ERR_NOMEM, PHYSAD_ERR_STATE,
 * PHYSAD_ERR_UNSUPPORTED, PHYSAD_ERR_NUMERIC (a score is NaN)
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_evaluate(physad_evaluation **out, physad_context *context,
                                                          const physad_dataset *dataset, const char *const *methods,
                                                          int64_t count, const physad_evaluate_options *options,
                                                          const physad_call_options *call);

/** Frees an evaluation; NULL is fine. */
PHYSAD_API void physad_evaluation_free(physad_evaluation *evaluation);

/** Results, one per method and category, methods outermost; 0 for NULL. */
PHYSAD_API int64_t physad_evaluation_count(const physad_evaluation *evaluation);
/** Name of a result's method; owned by the handle; NULL outside. */
PHYSAD_API const char *physad_evaluation_method(const physad_evaluation *evaluation, int64_t result);
/** Name of a result's category, "" where the data set has none; owned by the handle; NULL outside. */
PHYSAD_API const char *physad_evaluation_category(const physad_evaluation *evaluation, int64_t result);

/** A metric of one result by its name in the JSON: image_auroc, image_ap, image_f1_max, image_accuracy (at the F1-max
 * threshold), pixel_auroc, pixel_ap, pixel_f1_max, aupro, aupro_05; of videos video_auroc, video_ap, video_f1_max,
 * video_accuracy, frame_auroc.
 * @param[out] metric  struct_size set by the caller; its texts are static
 * @return PHYSAD_OK, PHYSAD_ERR_ARG (no such result or name)
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_evaluation_metric(const physad_evaluation *evaluation, int64_t result,
                                                                   const char *name, physad_metric *metric);

/** All that was measured on whole samples (0) or pixels (1), with types and curves; owned by the evaluation; NULL where
 * there is none. */
PHYSAD_API const physad_metrics *physad_evaluation_metrics(const physad_evaluation *evaluation, int64_t result,
                                                           int32_t pixels);

/** One scored sample; texts are owned by the evaluation. */
typedef struct physad_evaluated {
    uint32_t struct_size; /**< set by the caller */
    int32_t label;        /**< 0 normal, 1 anomalous */
    double score;
    const char *path; /**< relative to the data set */
    const char *type;
    const char *group;
    const char *view; /**< NULL when not known */
} physad_evaluated;

#define PHYSAD_EVALUATED_INIT                                                                                          \
    {                                                                                                                  \
        sizeof(physad_evaluated), 0, 0, NULL, NULL, NULL, NULL                                                         \
    }

/** Scored samples of a result; 0 outside. */
PHYSAD_API int64_t physad_evaluation_sample_count(const physad_evaluation *evaluation, int64_t result);
/** Scored sample `index` of result `result`.
 * @param[out] sample  struct_size set by the caller; its texts are owned by the handle
 * @return PHYSAD_OK, PHYSAD_ERR_ARG
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_evaluation_sample(const physad_evaluation *evaluation, int64_t result,
                                                                   int64_t index, physad_evaluated *sample);

/** All of it as JSON after docs/eval.schema.json: the object of the only result, or {"results": [...], "mean": {...}}.
 * `mean` holds the unweighted means over the categories; with several methods an object of these by method. Numbers
 * have a decimal point and 17 digits whatever the locale, so that they read back to the bit. Owned by the evaluation;
 * NULL for NULL. */
PHYSAD_API const char *physad_evaluation_json(const physad_evaluation *evaluation);
/** A line per result with its metrics as CSV (RFC 4180) after a header line; undefined ones are empty. Owned by the
 * evaluation; NULL for NULL. */
PHYSAD_API const char *physad_evaluation_csv(const physad_evaluation *evaluation);

/** How to write the page. */
typedef struct physad_html_options {
    uint32_t struct_size;
    uint32_t reserved; /**< zero */
    const char *title; /**< NULL: "Evaluation" */
} physad_html_options;

#define PHYSAD_HTML_OPTIONS_INIT                                                                                       \
    {                                                                                                                  \
        sizeof(physad_html_options), 0, NULL                                                                           \
    }

/** Writes `report.html`, one page that needs nothing else, and beside it `results.json` and `results.csv`.
 *
 * The page has the metrics with their intervals, also by type of defect; ROC and precision-recall curves; the scores'
 * histogram with the threshold and what it promises; every sample by score, methods beside each other, with the
 * pictures that `gallery` of the options kept (photo, ground truth, score map, the highest-scored patch and the normal
 * patch nearest to it), to be filtered by label, type, category and verdict; and what is needed to repeat it. It holds
 * no time of day and no durations: the same samples, scores and pictures give the same bytes. All text of files is
 * escaped, and the page forbids itself any script but its own and any address.
 *
 * @param[in] folder   made where missing; each file is whole or as it was
 * @param[in] options  copied; NULL for defaults
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_IO, PHYSAD_ERR_NOMEM, PHYSAD_ERR_STATE (fork). Any thread.
 * Memory: the page once, all pictures in it at 4/3 of their size.
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_evaluation_html(const physad_evaluation *evaluation,
                                                                 const char *folder,
                                                                 const physad_html_options *options);

/* --- pictures of score maps --- */

#define PHYSAD_OVERLAY_GAP 8 /**< columns of white between photo and map */

/** Colour of t in [0, 1] (clamped; NaN counts as 0): from dark violet over teal to light yellow. Steps in t are equal
 * steps to the eye, lightness always rises (so it survives grey printing and colour blindness). Computed in the OKLab
 * space. */
PHYSAD_API void physad_overlay_color(double t, uint8_t rgb[3]);

/** Draws a photo and, beside it, the photo under its score map; on both the outline of the ground truth.
 * The map's colour covers the photo the more, the higher the score lies between `low` and `high`; NaN leaves the photo
 * grey.
 * @param[in]  photo  H x W or H x W x 1, 3, 4; u8, u16 or f32 in 0..1; any strides
 * @param[in]  map    f32, H x W
 * @param[in]  mask   u8 or bool, H x W, not zero where defective; NULL: none
 * @param[in]  low    score without colour
 * @param[in]  high   score of full colour, such as the decision threshold; greater than `low`
 * @param[out] out    u8, H x (2 W + PHYSAD_OVERLAY_GAP) x 3, row-major
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_SHAPE, PHYSAD_ERR_DTYPE. Any thread. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_overlay_draw(const physad_view *photo, const physad_view *map,
                                                              const physad_view *mask, double low, double high,
                                                              const physad_view *out);

#ifdef __cplusplus
}
#endif

#endif
