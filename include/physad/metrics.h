/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Metrics: accumulators that are fed one sample at a time, merged, measured; and thresholds with a guarantee.
 *
 * All values are exact: no histogram, no subsampling. They are the same bits whatever the number of threads, the order
 * in which samples were added, and the way they were split over accumulators that were merged afterwards.
 *
 * A metric that the samples do not define (one class only, nothing added) is NaN, with the reason beside it; that is no
 * failure.
 *
 * Intervals are percentile bootstrap intervals over *groups* (all photos of one tile, all views of one defect, all
 * frames of one recording): whole groups are drawn with replacement, because the samples of one group are not
 * independent. The draw is stratified: groups of normal samples only, of anomalous samples only, and of both are each
 * resampled to their own number, for how many of each a test set holds is its maker's choice and not chance; so every
 * replicate is defined. A class that lies in fewer than two groups gives no interval.
 */
#ifndef PHYSAD_METRICS_H
#define PHYSAD_METRICS_H

#include <physad/base.h>
#include <physad/context.h>
#include <physad/tensors.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Scores of whole samples (photos, clips, frames). One thread at a time may add or merge; measuring is const. */
typedef struct physad_scores physad_scores;
/** Scores of pixels: maps against masks. One thread at a time may add or merge; measuring is const. */
typedef struct physad_pixels physad_pixels;
/** What was measured; immutable, any number of threads may read it. */
typedef struct physad_metrics physad_metrics;

/** One metric. */
typedef struct physad_metric {
    uint32_t struct_size;
    uint32_t reserved;           /**< zero */
    double value;                /**< NaN where undefined */
    double lower;                /**< of the interval; NaN where there is none */
    double upper;                /**< of the interval; NaN where there is none */
    double threshold;            /**< f1_max, accuracy: the threshold it belongs to; else NaN */
    const char *reason;          /**< why `value` is NaN, else NULL; static text */
    const char *interval_reason; /**< why there is no interval, else NULL; static text */
} physad_metric;

#define PHYSAD_METRIC_INIT                                                                                             \
    {                                                                                                                  \
        sizeof(physad_metric), 0, 0, 0, 0, 0, NULL, NULL                                                               \
    }

#define PHYSAD_MAX_LIMITS 4

/** How to measure. */
typedef struct physad_measure_options {
    uint32_t struct_size;
    int32_t replicates;               /**< of the bootstrap; 0: 1000, -1: no intervals; at most 100000 */
    uint64_t seed;                    /**< of the bootstrap */
    double level;                     /**< of the intervals; 0: 0.95 */
    double threshold;                 /**< with `use_threshold`: accuracy is that of "score > threshold is anomalous" */
    int32_t use_threshold;            /**< 0: accuracy at the F1-max threshold (an oracle's, chosen on these labels) */
    int32_t curve_points;             /**< about how many rows to keep of a pixel curve; 0: 1000. Scores keep all */
    double limits[PHYSAD_MAX_LIMITS]; /**< false-positive rates up to which AUPRO is taken, in (0, 1]; all 0: 0.3 and
                                         0.05 */
} physad_measure_options;

#define PHYSAD_MEASURE_OPTIONS_INIT                                                                                    \
    {                                                                                                                  \
        sizeof(physad_measure_options), 0, 0, 0, 0, 0, 0,                                                              \
        {                                                                                                              \
            0, 0, 0, 0                                                                                                 \
        }                                                                                                              \
    }

/* --- scores of whole samples --- */

/** Makes an empty accumulator. @return PHYSAD_OK, ARG, STATE, NOMEM. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_scores_new(physad_scores **out, physad_context *context);
/** NULL is fine. */
PHYSAD_API void physad_scores_free(physad_scores *scores);

/** Adds one sample.
 * @param score  higher is more anomalous; may be infinite, not NaN
 * @param label  0 normal, 1 anomalous
 * @param type   kind of defect, copied; NULL: "good" or "anomaly" after the label. Normal samples' types are not told
 * apart
 * @param group  samples with the same text belong together, copied; NULL: this sample is a group of its own
 * @return PHYSAD_OK, ARG, STATE, NOMEM, NUMERIC (NaN). After a failure the accumulator is as before.
 * Memory: about 40 bytes a sample. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_scores_add(physad_scores *scores, double score, int32_t label,
                                                            const char *type, const char *group);

/** As physad_scores_add(), with a score for each of `count` kinds of defect from a method that tells them apart:
 * `type_names[i]` goes with `type_scores[i]`, both copied, no name twice. They serve the type-wise AUROC against the
 * rest, in place of `score`. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_scores_add_typed(physad_scores *scores, double score, int32_t label,
                                                                  const char *type, const char *group, int64_t count,
                                                                  const char *const *type_names,
                                                                  const double *type_scores);

/** Adds many samples without types.
 * @param scores_view  f32 or f64, shape (n), any stride
 * @param labels       u8, bool, i32 or i64, shape (n): 0 or 1 (bool: zero or not)
 * @param groups       i64, shape (n): equal numbers belong together (as the text of the number would); NULL: no groups
 * @return as physad_scores_add(), and SHAPE, DTYPE; nothing is added on failure. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_scores_add_array(physad_scores *scores, const physad_view *scores_view,
                                                                  const physad_view *labels, const physad_view *groups);

/** Adds all of `other`, which stays as it is; the order of merging does not matter. @return PHYSAD_OK, ARG, STATE,
 * NOMEM.
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_scores_merge(physad_scores *scores, const physad_scores *other);

/** Samples added so far; 0 for NULL. */
PHYSAD_API int64_t physad_scores_count(const physad_scores *scores);

/** Measures: `auroc`, `ap`, `f1_max`, `accuracy`, `type_auroc_vs_good`, `type_auroc_vs_rest` (means over the types),
 * the type-wise AUROCs and the curve.
 *
 *  - AUROC: P(anomalous scores higher) + P(equal) / 2, by mid-ranks (Mann and Whitney 1947).
 *  - AP: sum over descending distinct thresholds of (R_n - R_(n-1)) P_n, without interpolation.
 *  - F1-max: the greatest 2TP / (2TP + FP + FN) over the cuts "score >= threshold is anomalous" at the distinct scores;
 * ties go to the lowest threshold. It and accuracy at its threshold are an oracle's figures: they look at the labels.
 *  - Type-wise AUROC: the samples of one type against the normal ones (vs_good), and against the anomalous samples of
 * the other types (vs_rest), by that type's own scores where every anomalous sample has one.
 *
 * @param[out] out      freed by physad_metrics_free()
 * @param[in]  options  NULL for defaults
 * @param[in]  call     NULL for none
 * @return PHYSAD_OK, ARG, STATE, NOMEM, CANCELLED, UNSUPPORTED (options of a newer version).
 * Cost: O(n log n), and O(n) a replicate. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_scores_measure(physad_metrics **out, const physad_scores *scores,
                                                                const physad_measure_options *options,
                                                                const physad_call_options *call);

/** The difference first - second of two methods' AUROC, with the interval of a *paired* bootstrap: each replicate draws
 * the same groups for both. The samples may differ in their scores only: both need the same groups with as many samples
 * of each label, and every sample a named group.
 * @param[out] difference  `value`, `lower`, `upper`; struct_size set by the caller
 * @return PHYSAD_OK, ARG (not the same groups), STATE, NOMEM, CANCELLED, UNSUPPORTED. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_scores_compare(const physad_scores *first, const physad_scores *second,
                                                                const physad_measure_options *options,
                                                                physad_metric *difference,
                                                                const physad_call_options *call);

/* --- scores of pixels --- */

/** Makes an empty accumulator. @return PHYSAD_OK, ARG, STATE, NOMEM. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_pixels_new(physad_pixels **out, physad_context *context);
/** NULL is fine. */
PHYSAD_API void physad_pixels_free(physad_pixels *pixels);

/** Adds one photo's map.
 * @param map    f32, shape (H, W), any stride; higher is more anomalous; may be infinite, not NaN; -0 counts as +0
 * @param mask   u8 or bool, shape (H, W): non-zero is anomalous; NULL: all normal
 * @param valid  u8 or bool, shape (H, W): zero is not counted at all; NULL: all count. Regions are those of the whole
 * mask: a strip that does not count does not split one, and its area is that of the pixels that count
 * @param group  as in physad_scores_add()
 * @param saturation_area  pixels of a region whose finding counts as all of it (sPRO, Bergmann et al. 2022); 0: the
 * region's area
 * @return PHYSAD_OK, ARG, SHAPE, DTYPE, STATE, NOMEM, IO (no temporary file), NUMERIC (NaN, with its place). After a
 * failure the accumulator is as before. Memory: 4 bytes a normal pixel, 8 bytes an anomalous one, and twice that of
 * this photo during the call; beyond a quarter of the context's memory limit in an unlinked temporary file (in $TMPDIR,
 * else /tmp). Cost: one radix sort.
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_pixels_add(physad_pixels *pixels, const physad_view *map,
                                                            const physad_view *mask, const physad_view *valid,
                                                            const char *group, double saturation_area);

/** Adds all of `other`, which stays as it is; the order of merging does not matter. @return PHYSAD_OK, ARG, STATE,
 * NOMEM, IO.
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_pixels_merge(physad_pixels *pixels, const physad_pixels *other);

/** Pixels added so far that count; 0 for NULL. */
PHYSAD_API int64_t physad_pixels_count(const physad_pixels *pixels);

/** Measures: `auroc`, `ap`, `f1_max` (all pixels of all photos pooled), `aupro@L` for each limit L (as in "aupro@0.3"),
 * and `auspro@L` where a saturation area was given.
 *
 * AUPRO (Bergmann et al. 2021): for a threshold, PRO is the mean over all regions (8-connected components of each mask)
 * of the part found, FPR the part of all normal pixels that is found. The curve has a vertex per distinct score, and
 * (0, 0); its area up to FPR = L, interpolated linearly at L, is divided by L.
 *
 * All values are exact. The interval is that of `auroc` alone, and needs at most 4096 groups; its replicates take a
 * normal score as equal to the anomalous ones of the same 1024th of these, so that each is wrong by less than 1 / 2048
 * (with up to 1024 anomalous pixels: exact). Parameters and status as physad_scores_measure(), and IO. Cost: O(pixels),
 * and with an interval O(photos * 1024 * groups with anomalous pixels, at most) + O(replicates * groups^2). Memory:
 * about 40 bytes an anomalous pixel, or less than a quarter of the memory limit. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_pixels_measure(physad_metrics **out, const physad_pixels *pixels,
                                                                const physad_measure_options *options,
                                                                const physad_call_options *call);

/* --- accumulators as arrays, to be kept in a file or sent to where they are merged --- */

/** Puts an accumulator into `tensors`, an empty set of arrays, which physad_tensors_save() writes.
 * @return PHYSAD_OK, PHYSAD_ERR_ARG (also: the set is not empty), PHYSAD_ERR_NOMEM, PHYSAD_ERR_STATE @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_scores_to_tensors(const physad_scores *scores,
                                                                   physad_tensors *tensors);
/** Makes an accumulator of such arrays, `tensors`, however they came here: everything is checked.
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_FORMAT (not what such arrays must be; the message names the array and
 * place), PHYSAD_ERR_NOMEM, PHYSAD_ERR_STATE, PHYSAD_ERR_UNSUPPORTED (of a newer version) @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_scores_from_tensors(physad_scores **out, physad_context *context,
                                                                     const physad_tensors *tensors);
/** As physad_scores_to_tensors(), and PHYSAD_ERR_IO (the temporary file). Memory: the accumulator once more. @since 0.1
 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_pixels_to_tensors(const physad_pixels *pixels,
                                                                   physad_tensors *tensors);
/** As physad_scores_from_tensors(), and PHYSAD_ERR_IO (the temporary file). @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_pixels_from_tensors(physad_pixels **out, physad_context *context,
                                                                     const physad_tensors *tensors);

/* --- what was measured --- */

/** NULL is fine. */
PHYSAD_API void physad_metrics_free(physad_metrics *metrics);
/** Number of metrics, and the name of each; NULL beyond. Names are owned by the handle. */
PHYSAD_API int64_t physad_metrics_count(const physad_metrics *metrics);
PHYSAD_API const char *physad_metrics_name(const physad_metrics *metrics, int64_t index);
/** The metric of that name. @param[out] metric  struct_size set by the caller. @return PHYSAD_OK, ARG (no such name).
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_metrics_get(const physad_metrics *metrics, const char *name,
                                                             physad_metric *metric);

/** Anomalous and normal samples (or pixels), groups, and regions (pixels only). */
PHYSAD_API int64_t physad_metrics_positives(const physad_metrics *metrics);
PHYSAD_API int64_t physad_metrics_negatives(const physad_metrics *metrics);
PHYSAD_API int64_t physad_metrics_groups(const physad_metrics *metrics);
PHYSAD_API int64_t physad_metrics_regions(const physad_metrics *metrics);

/** Types of the anomalous samples, sorted by name; none for pixels. Names are owned by the handle; NULL beyond. */
PHYSAD_API int64_t physad_metrics_type_count(const physad_metrics *metrics);
PHYSAD_API const char *physad_metrics_type_name(const physad_metrics *metrics, int64_t index);
/** The AUROCs of one type: against normal samples (`vs_good`) and against the other types (`vs_rest`). Either pointer
 * may be NULL; else struct_size is set by the caller. @return PHYSAD_OK, ARG. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_metrics_type(const physad_metrics *metrics, int64_t index,
                                                              physad_metric *vs_good, physad_metric *vs_rest);

#define PHYSAD_CURVE_COLUMNS 5

/** The curve: a read-only f64 view of shape (rows, 5): threshold, false-positive rate, true-positive rate (recall),
 * precision, PRO (NaN for scores), by descending threshold, from (+inf, 0, 0, 1, 0). Owned by the handle. A rate whose
 * class is missing is NaN. Pixel curves hold rows only at scores of anomalous pixels, thinned to steps of about 1 /
 * curve_points.
 * @return PHYSAD_OK, ARG. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_metrics_curve(const physad_metrics *metrics, physad_view *curve);

/* --- thresholds with a guarantee (split conformal; Vovk et al. 2005) --- */

/** A threshold from the scores of normal samples that the method has not been fitted on. */
typedef struct physad_conformal {
    uint32_t struct_size;
    uint32_t reserved; /**< zero */
    double alpha;      /**< the false-alarm rate asked for */
    double threshold;  /**< a sample is anomalous when its score is greater */
    int64_t count;     /**< calibration groups */
    int64_t rank;      /**< the threshold is the rank-th smallest of the groups' greatest scores, from 1 */
    double rate_mean;  /**< expected false-alarm rate over all calibration sets: (count + 1 - rank) / (count + 1) <=
                          alpha */
    double rate_lower; /**< with 95 % confidence this calibration set's rate lies between rate_lower ... */
    double rate_upper; /**< ... and rate_upper: quantiles of Beta(count + 1 - rank, rank); ties make the rate smaller
                          only */
} physad_conformal;

#define PHYSAD_CONFORMAL_INIT                                                                                          \
    {                                                                                                                  \
        sizeof(physad_conformal), 0, 0, 0, 0, 0, 0, 0, 0                                                               \
    }

/** The ceil((n + 1)(1 - alpha))-th smallest of n calibration scores: a new normal group exceeds it with a probability
 * of at most alpha, whatever the distribution, as long as it is exchangeable with the calibration groups. The unit is
 * the group: photos of one tile are not exchangeable with those of others, so a group counts once, with its greatest
 * score; then a new group raises any alarm with probability <= alpha, and so does each of its photos.
 * @param scores  f32 or f64, shape (n), finite or infinite
 * @param groups  i64, shape (n); NULL: each score is a group
 * @param alpha   in (0, 1)
 * @param[out] conformal  struct_size set by the caller
 * @return PHYSAD_OK, ARG, SHAPE, DTYPE, STATE, NOMEM, NUMERIC (NaN, or alpha < 1 / (n + 1): the message names the
 * number of groups that would be needed). @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_conformal_fit(physad_conformal *conformal, physad_context *context,
                                                               const physad_view *scores, const physad_view *groups,
                                                               double alpha);

/** Least number of calibration groups for `alpha`: the smallest n with alpha >= 1 / (n + 1); -1 unless 0 < alpha < 1.
 */
PHYSAD_API int64_t physad_conformal_needed(double alpha);

/** The conformal p-value of a score: (1 + number of calibration groups with a score at least as great) / (n + 1).
 * @param[out] p_value  in (0, 1]
 * Otherwise as physad_conformal_fit(). NaN in `score` is NUMERIC. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_conformal_p_value(double *p_value, physad_context *context,
                                                                   const physad_view *scores, const physad_view *groups,
                                                                   double score);

#ifdef __cplusplus
}
#endif

#endif
