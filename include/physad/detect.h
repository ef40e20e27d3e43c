/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Detectors: fit a method on normal things, score new ones, see where and why, keep it in one file.
 *
 * A detector is made for a method by name, given options, then fitted or loaded. From then on it does not change by
 * scoring: physad_detector_score() may run from any number of threads on one detector at once. Fitting, setting,
 * adding, removing and loading need the detector for themselves.
 *
 * Scores are "higher is more anomalous" in every method. Their unit is the method's own; a threshold that holds a
 * false-alarm rate comes from normal things that the method was not fitted on (split-conformal, see docs/design.md).
 */
#ifndef PHYSAD_DETECT_H
#define PHYSAD_DETECT_H

#include <physad/base.h>
#include <physad/context.h>
#include <physad/dataset.h>
#include <physad/video.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- what methods there are ------------------------------------------------------------------- */

#define PHYSAD_INPUT_IMAGE 1 /**< one photo */
#define PHYSAD_INPUT_VIEWS 2 /**< photos of all sides with camera poses */
#define PHYSAD_INPUT_VIDEO 3 /**< a video of the thing in use */

#define PHYSAD_UNSUPERVISED 1 /**< fitted on normal things only */
#define PHYSAD_WEAK 2         /**< and on some labelled as a whole */
#define PHYSAD_ZERO_SHOT 3    /**< not fitted */
#define PHYSAD_API_MODEL 4    /**< asks a model behind an interface */

/** A method; all texts are static. */
typedef struct physad_method_info {
    uint32_t struct_size;    /**< set by the caller */
    int32_t input;           /**< PHYSAD_INPUT_* */
    int32_t supervision;     /**< PHYSAD_UNSUPERVISED ... */
    int32_t option_count;
    const char *name;        /**< such as "patchcore" */
    const char *title;       /**< one line */
    const char *source;      /**< paper */
} physad_method_info;
#define PHYSAD_METHOD_INFO_INIT { sizeof(physad_method_info), 0, 0, 0, NULL, NULL, NULL }

#define PHYSAD_OPTION_INT 1
#define PHYSAD_OPTION_REAL 2
#define PHYSAD_OPTION_BOOL 3
#define PHYSAD_OPTION_CHOICE 4
#define PHYSAD_OPTION_TEXT 5

/** An option of a method; all texts are static. */
typedef struct physad_option_info {
    uint32_t struct_size;      /**< set by the caller */
    int32_t type;              /**< PHYSAD_OPTION_* */
    double least, most;        /**< inclusive range of numbers */
    const char *name;          /**< such as "coreset_ratio" */
    const char *default_value; /**< as text */
    const char *choices;       /**< of a choice: "a|b|c"; else NULL */
    const char *help;          /**< one line */
    const char *source;        /**< where the default comes from; NULL: our choice, see docs/design.md */
} physad_option_info;
#define PHYSAD_OPTION_INFO_INIT { sizeof(physad_option_info), 0, 0, 0, NULL, NULL, NULL, NULL, NULL }

/** How many methods there are. Any thread. @since 0.1 */
PHYSAD_API int64_t physad_method_count(void);
/** Name of method `index`, NULL outside 0 .. count-1. Any thread. @since 0.1 */
PHYSAD_API const char *physad_method_name(int64_t index);
/** Describes a method.
 * @return PHYSAD_OK; PHYSAD_ERR_ARG for an unknown name (the message names the nearest), NULL or a wrong struct_size
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_method_describe(const char *name, physad_method_info *out);
/** Describes option `index` (0 .. option_count-1) of the method called `name`.
 * @return PHYSAD_OK, PHYSAD_ERR_ARG @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_method_option(const char *name, int64_t index,
                                                               physad_option_info *out);

/* --- detector --------------------------------------------------------------------------------- */

/** A method with its options and, once fitted or loaded, its model. Opaque. */
typedef struct physad_detector physad_detector;
/** What came of one scored thing. Opaque; belongs to the caller; independent of the detector's life. */
typedef struct physad_result physad_result;

/** Makes an unfitted detector with default options.
 * @param[out] out  the detector, NULL on failure; freed by physad_detector_free()
 * @return PHYSAD_OK, PHYSAD_ERR_ARG (unknown method: the message names the nearest), PHYSAD_ERR_NOMEM, PHYSAD_ERR_STATE
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_detector_new(physad_detector **out, physad_context *context,
                                                              const char *method);
/** Frees a detector; NULL is fine. Results made by it stay valid. */
PHYSAD_API void physad_detector_free(physad_detector *detector);

/** Sets an option from text, numbers with a decimal point whatever the locale.
 * @return PHYSAD_OK, PHYSAD_ERR_ARG (unknown key, or a value out of range: the message says what is allowed),
 *         PHYSAD_ERR_STATE (already fitted)
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_detector_set(physad_detector *detector, const char *key,
                                                              const char *value);
/** Sets option `key` from an integer `value`.
 * @return as physad_detector_set(): PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_STATE
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_detector_set_int(physad_detector *detector, const char *key,
                                                                  int64_t value);
/** Sets option `key` from a real number `value`.
 * @return as physad_detector_set(): PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_STATE
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_detector_set_real(physad_detector *detector, const char *key,
                                                                   double value);
/** The present value of an option as text, or NULL for an unknown key. Owned by the detector until the key is set
 * again. @since 0.1 */
PHYSAD_API const char *physad_detector_get(const physad_detector *detector, const char *key);
/** The method's name. Static. */
PHYSAD_API const char *physad_detector_method(const physad_detector *detector);
/** 1 once fitted or loaded, else 0. */
PHYSAD_API int32_t physad_detector_is_fitted(const physad_detector *detector);

/** Fits on the normal training samples of `dataset`: split "train" where the data set has splits, else all its samples.
 * A share of the normals (option `calibration`, whole groups, chosen by the context's seed) is kept aside for the
 * threshold. On failure or cancel the detector is as it was.
 * @param[in] dataset  borrowed during the call; one category (select it first)
 * @param[in] call     progress, cancel, batch; with PHYSAD_ERRORS_SKIP samples that cannot be used are left out, as if
 * the data set did not have them, and listed by physad_detector_skipped(); NULL for none
 * @return PHYSAD_OK; PHYSAD_ERR_ARG (no normal samples, several categories, an `alpha` that so few samples cannot
 * hold); PHYSAD_ERR_IO, PHYSAD_ERR_FORMAT (a photo or the weights); PHYSAD_ERR_NOMEM; PHYSAD_ERR_CANCELLED;
 * PHYSAD_ERR_STATE
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_detector_fit(physad_detector *detector, const physad_dataset *dataset,
                                                              const physad_call_options *call);

/** How many samples the last fit or add left out, with PHYSAD_ERRORS_SKIP in its options. 0 for NULL, and once loaded.
 * @since 0.1 */
PHYSAD_API int64_t physad_detector_skipped_count(const physad_detector *detector);
/** Path of left-out sample `index` relative to its data set, NULL out of range; *reason (unless NULL) says why. Both
 * owned by the detector until it is fitted or added to. @since 0.1 */
PHYSAD_API const char *physad_detector_skipped(const physad_detector *detector, int64_t index, const char **reason);

/** Scores one photo in memory.
 * @param[in]  photo  borrowed: H x W x C or H x W, u8, u16 or f32 in 0..1, C 1, 3 (RGB) or 4 (alpha is ignored)
 * @param[out] out    the result, NULL on failure; freed by physad_result_free()
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_SHAPE, PHYSAD_ERR_DTYPE, PHYSAD_ERR_NUMERIC (NaN in the photo, or
 * floats far beyond 0..1), PHYSAD_ERR_STATE (not fitted), PHYSAD_ERR_NOMEM, PHYSAD_ERR_CANCELLED,
 * PHYSAD_ERR_UNSUPPORTED (a method on videos)
 *
 * A method on photos with poses finds the photo's pose itself. Any number of threads on one detector. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_detector_score(const physad_detector *detector,
                                                                const physad_view *photo, physad_result **out);
/** Scores several photos; the results equal those of single calls to the bit.
 * @param[in]  photos  `count` views, each as in physad_detector_score()
 * @param[out] out     `count` results; all NULL on failure
 * Otherwise as physad_detector_score(). @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_detector_score_batch(const physad_detector *detector,
                                                                      const physad_view *photos, int64_t count,
                                                                      physad_result **out);

/** @name How a video's score comes from its frames'. */
/** @{ */
#define PHYSAD_POOL_TOP 0  /**< mean of the greatest sixteenth, at least one */
#define PHYSAD_POOL_MAX 1
#define PHYSAD_POOL_MEAN 2
/** @} */

/** Scores a video. A method on photos scores each frame, at the size at which the video is open, and pools; such
 * results have no threshold, for that of photos promises nothing on videos. A method on videos reads it at its own size
 * and pools by its own options.
 * @param[in]  video  borrowed; what it reads is read once more from its start, so its place does not change
 * @param[in]  pool   PHYSAD_POOL_*, for methods on photos
 * @param[out] out    the result with its frames' scores, NULL on failure; freed by physad_result_free()
 * @return as physad_detector_score() and physad_video_read(); PHYSAD_ERR_UNSUPPORTED also for pipes and methods on
 * views Thread safety: any number of threads on one detector, one at a time per video. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_detector_score_video(const physad_detector *detector,
                                                                      const physad_video *video, int32_t pool,
                                                                      physad_result **out);

/** Writes the model to `path` as one file, data only (safetensors; see docs/model-format.md), by temporary file and
 * rename.
 * @return PHYSAD_OK, PHYSAD_ERR_IO, PHYSAD_ERR_STATE (not fitted), PHYSAD_ERR_NOMEM @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_detector_save(const physad_detector *detector, const char *path);
/** Reads a model file at `path`. Nothing in it is ever executed. It is mapped: it must stay as it is while the detector
 * lives; replacing it by a rename, as physad_detector_save() does, is fine.
 * @return PHYSAD_OK, PHYSAD_ERR_IO, PHYSAD_ERR_FORMAT (says what and where), PHYSAD_ERR_UNSUPPORTED (a newer major
 * format version: both are named), PHYSAD_ERR_NOMEM @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_detector_load(physad_detector **out, physad_context *context,
                                                               const char *path);

/** How a model is loaded; texts are borrowed during the call. */
typedef struct physad_load_options {
    uint32_t struct_size;  /**< set by the caller */
    uint32_t reserved;     /**< zero */
    const char *weights;   /**< where the network's weights lie now, for models that only name them: a file with the
                              SHA-256 that the   model names; NULL: where it was fitted with them, or in the store */
    const char *precision; /**< "f32" or "bf16" instead of that of the fit. Scores are then near those of the fit's
                              precision, not equal; so the threshold stays, but counts as given by hand, without its
                              promise. NULL: as fitted */
} physad_load_options;
#define PHYSAD_LOAD_OPTIONS_INIT { sizeof(physad_load_options), 0, NULL, NULL }

/** As physad_detector_load(), with options (NULL: none).
 * @return as physad_detector_load(); PHYSAD_ERR_ARG for a precision that is none, and for weights where the model
 * carries its own or needs none; PHYSAD_ERR_FORMAT for other weights than the model's
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_detector_load_with(physad_detector **out, physad_context *context,
                                                                    const char *path,
                                                                    const physad_load_options *options);

/** Adds normal samples to a fitted model as if it had been fitted with them from the start.
 * @return PHYSAD_OK; PHYSAD_ERR_UNSUPPORTED where the method or its options cannot (the message says which option
 * would); otherwise as physad_detector_fit() @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_detector_add(physad_detector *detector, const physad_dataset *dataset,
                                                              const physad_call_options *call);
/** Removes a training sample, named by its path as physad_detector_training_path() gives it, as if it had never been
 * there.
 * @return as physad_detector_add(); PHYSAD_ERR_ARG for an unknown path @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_detector_remove(physad_detector *detector, const char *path,
                                                                 const physad_call_options *call);
/** How many training samples the model knows. */
PHYSAD_API int64_t physad_detector_training_count(const physad_detector *detector);
/** Path of a training sample relative to its data set, or NULL. Owned by the detector. */
PHYSAD_API const char *physad_detector_training_path(const physad_detector *detector, int64_t index);

/* --- threshold -------------------------------------------------------------------------------- */

/** The decision threshold and what it promises. */
typedef struct physad_threshold {
    uint32_t struct_size;   /**< set by the caller */
    int32_t given;          /**< 1: set by physad_detector_set_threshold(), no promise */
    double value;           /**< anomalous means score > value; NaN: none, see physad_last_error() */
    double alpha;           /**< the false-alarm rate that is held on average over calibration sets */
    double low, high;       /**< 95 % interval of the rate realised with this calibration set */
    int64_t groups;         /**< calibration groups */
} physad_threshold;
#define PHYSAD_THRESHOLD_INIT { sizeof(physad_threshold), 0, 0, 0, 0, 0, 0 }

/** The threshold of a fitted detector.
 * @return PHYSAD_OK; PHYSAD_ERR_STATE when there is none: not fitted, or too few normals for `alpha` (the message says
 * how many would do; `value` is NaN then) @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_detector_threshold(const physad_detector *detector,
                                                                    physad_threshold *out);
/** Sets another threshold, `value`, without a promise. @return PHYSAD_OK, PHYSAD_ERR_ARG (not finite) @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_detector_set_threshold(physad_detector *detector, double value);

/* --- result ----------------------------------------------------------------------------------- */

/** The image score; higher is more anomalous. NaN for NULL. */
PHYSAD_API double physad_result_score(const physad_result *result);
/** 1 when the score is above the detector's threshold at the time of scoring, 0 when not, -1 when there was no
 * threshold. */
PHYSAD_API int32_t physad_result_is_anomalous(const physad_result *result);
/** The threshold at the time of scoring, or NaN. */
PHYSAD_API double physad_result_threshold(const physad_result *result);
/** p-value of the score among the calibration scores: (1 + #{scores >= this}) / (n + 1), or NaN. */
PHYSAD_API double physad_result_p_value(const physad_result *result);
/** `height` and `width` of the map: those of the photo. @return PHYSAD_OK, PHYSAD_ERR_ARG @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_result_map_shape(const physad_result *result, int64_t *height,
                                                                  int64_t *width);
/** Fills the caller's H x W f32 array with the score map at the photo's size; NaN outside the region of interest.
 * @return PHYSAD_OK, PHYSAD_ERR_SHAPE, PHYSAD_ERR_DTYPE, PHYSAD_ERR_UNSUPPORTED (the method makes no map),
 * PHYSAD_ERR_NOMEM
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_result_map(const physad_result *result, const physad_view *out);
/** `height` and `width` of the map at the size the model worked at.
 * @return PHYSAD_OK, PHYSAD_ERR_ARG @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_result_input_map_shape(const physad_result *result, int64_t *height,
                                                                        int64_t *width);
/** The map at the size the model worked at; otherwise as physad_result_map().
 * @return PHYSAD_OK, PHYSAD_ERR_SHAPE, PHYSAD_ERR_DTYPE, PHYSAD_ERR_UNSUPPORTED @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_result_input_map(const physad_result *result, const physad_view *out);

/** The normal patch that looks most like the patch at a pixel. */
typedef struct physad_nearest {
    uint32_t struct_size; /**< set by the caller */
    uint32_t reserved;
    double distance;      /**< Euclidean distance in feature space */
    double y, x;          /**< centre of the normal patch in its training photo, in pixels */
    int64_t sample;       /**< index of the training sample; see physad_detector_training_path() */
    const char *path;     /**< its path relative to its data set; owned by the result */
} physad_nearest;
#define PHYSAD_NEAREST_INIT { sizeof(physad_nearest), 0, 0, 0, 0, 0, NULL }

/** Why: the nearest normal patch for pixel (y, x) of the photo.
 * @return PHYSAD_OK, PHYSAD_ERR_ARG (outside the photo), PHYSAD_ERR_UNSUPPORTED (the method keeps no patches) @since
 * 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_result_nearest(const physad_result *result, int64_t y, int64_t x,
                                                                physad_nearest *out);
/** Frames of a scored video; 0 for photos and NULL. */
PHYSAD_API int64_t physad_result_frame_count(const physad_result *result);
/** One score per frame, owned by the result; NULL for photos. Their unit may differ from the video's score. */
PHYSAD_API const double *physad_result_frame_scores(const physad_result *result);

/** What is odd about a scored video, in words: the rules that are broken, with the value and the normal range of each,
 * the worst first, but what comes of others (what is slow hardly rests) behind them; three at most; or what is unlike
 * any normal video. "" when nothing is, or the method has no words (and for NULL).
 * Owned by the result.
 * @since 0.1 */
PHYSAD_API const char *physad_result_verdict(const physad_result *result);

/** The oddest moment of a scored video, and the normal one most like it. */
typedef struct physad_worst {
    uint32_t struct_size; /**< set by the caller */
    uint32_t reserved;
    int64_t frame;        /**< with the highest score */
    double y, x;          /**< centre of the oddest patch in pixels; NaN when nothing moves there */
    double distance;      /**< of that patch to the nearest normal one, in the method's unit */
    int64_t sample;       /**< training video of that one, see physad_detector_training_path(); -1: none */
    int64_t near_frame;   /**< its frame there; -1: none */
    const char *path;     /**< its path relative to its data set, NULL: none; owned by the result */
} physad_worst;
#define PHYSAD_WORST_INIT { sizeof(physad_worst), 0, 0, 0, 0, 0, 0, 0, NULL }

/** The oddest moment of a scored video.
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_UNSUPPORTED (the method does not keep it) @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_result_worst(const physad_result *result, physad_worst *out);
/** Fills the caller's H x W f32 array with the score map of one frame of a video, at the size the model worked at:
 * physad_result_input_map_shape(). Methods that train on clips keep them, unless their option `maps` says false.
 * @param[in] frame  0 to physad_result_frame_count() - 1
 * @param[in] out    borrowed
 * @return PHYSAD_OK; PHYSAD_ERR_ARG (NULL, or no such frame); PHYSAD_ERR_SHAPE, PHYSAD_ERR_DTYPE (of `out`);
 *         PHYSAD_ERR_UNSUPPORTED (no maps of frames were kept); PHYSAD_ERR_STATE (fork) @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_result_frame_map(const physad_result *result, int64_t frame,
                                                                  const physad_view *out);

/** Frees a result; NULL is fine. */
PHYSAD_API void physad_result_free(physad_result *result);

/** The same result without its maps and what explains them: score, verdict, frames' scores and what physad_group_new()
 * needs, of a photo some tens of kilobytes at most. For those who keep many.
 * @param[out] out     NULL on failure; freed by physad_result_free(). Its physad_result_map() and
 *                     physad_result_nearest() are PHYSAD_ERR_UNSUPPORTED
 * @param[in]  result  stays as it is
 * @return PHYSAD_OK; PHYSAD_ERR_ARG; PHYSAD_ERR_NOMEM; PHYSAD_ERR_STATE (fork) Any thread. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_result_strip(physad_result **out, const physad_result *result);

/* --- rules ------------------------------------------------------------------------------------ */

/** The rules of a fitted model as JSON: `{"method": ..., "rules": [{"rule": name, "unit": ..., "used": true, "low":
 * ..., "high": ..., "below": words, "above": words}, ...]}`. May be kept as a file, edited (low, high, used), and given
 * to this detector, or to that of another thing of the kind, by physad_detector_set_rules() or the option `rules`.
 * @param[out] json  owned by the detector until the next call of this function on it or _free; needs the detector for
 * itself
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_STATE (not fitted), PHYSAD_ERR_UNSUPPORTED (the method has no rules),
 * PHYSAD_ERR_NOMEM
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_detector_rules(physad_detector *detector, const char **json);
/** Sets ranges of rules and which are used; rules that `json` does not name stay as they are. Words ("below", "above")
 * are not taken; another unit than the rule's, or a key that rules do not have, is an error. Needs the detector for
 * itself. The threshold stays that of the rules it was made with.
 * @return PHYSAD_OK; PHYSAD_ERR_FORMAT (says which rule; nothing is changed); as physad_detector_rules() @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_detector_set_rules(physad_detector *detector, const char *json);

/* --- streams ---------------------------------------------------------------------------------- */

/** Frames scored as they come: from a camera, or anything that is no file. Opaque; one thread at a time; the detector
 * must stay, and stay unchanged, until the stream is freed. */
typedef struct physad_stream physad_stream;

typedef struct physad_stream_options {
    uint32_t struct_size;
    int32_t pool;      /**< PHYSAD_POOL_*, for methods on photos */
    double frame_rate; /**< frames per second that come; 0: as the training videos had. `motion-bank` looks at what
                            moves at the rate of those, whatever this is */
} physad_stream_options;
#define PHYSAD_STREAM_OPTIONS_INIT { sizeof(physad_stream_options), 0, 0 }

/** Starts a stream.
 * @param[in] detector  borrowed until physad_stream_free(); fitted
 * @param[in] options   copied; NULL for defaults
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_STATE (not fitted), PHYSAD_ERR_UNSUPPORTED (the method cannot),
 * PHYSAD_ERR_NOMEM
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_stream_new(physad_stream **out, const physad_detector *detector,
                                                            const physad_stream_options *options);
/** Frees a stream; NULL is fine. */
PHYSAD_API void physad_stream_free(physad_stream *stream);

/** Takes the next frame, all of one size.
 * @param[in] frame  borrowed during the call: H x W, or H x W x C with C 1, 3 (RGB) or 4; u8. Methods on video want
 * grey: give the frames of a physad_video with one channel to get the bits that its file gives, for the grey of RGB is
 * computed anew (BT.601)
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_SHAPE, PHYSAD_ERR_DTYPE, PHYSAD_ERR_NUMERIC, PHYSAD_ERR_NOMEM,
 *         PHYSAD_ERR_CANCELLED; after a failure the stream can only be ended or freed @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_stream_push(physad_stream *stream, const physad_view *frame);

/** The same of a frame that says when it is, as from a camera whose frames do not come evenly. What judges motion goes
 * by it, unless neither the training videos nor the stream's options told a rate; others do as physad_stream_push().
 * Frames of a take are pushed by one of the two.
 * @param[in] seconds  when it is shown, on any clock that goes forward; a frame that is not behind the one before
 * counts as following it at the stream's frame rate, and more than four seconds between two as four
 * @return as physad_stream_push(); PHYSAD_ERR_ARG: seconds is no number @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_stream_push_at(physad_stream *stream, const physad_view *frame,
                                                                double seconds);

/** The next frame's score that is ready, each frame once and in order: 1 when there is one, else 0. Frames lag behind
 * physad_stream_push() by what the method must see after a frame, at most physad_stream_latency(). @since 0.1 */
PHYSAD_API int32_t physad_stream_next(physad_stream *stream, int64_t *frame, double *score);
/** Most frames that a score lags behind, where they come at the stream's frame rate; 0 for NULL. */
PHYSAD_API int64_t physad_stream_latency(const physad_stream *stream);

/** Ends a take: what physad_detector_score_video() gives for a file of these frames, and the scores of the frames that
 * were not yet ready for physad_stream_next(). The next frame begins a new take. Memory between: for `motion-bank` that
 * of one take of at most four times the usual length, or of one clip of a stream, and 8 bytes for each frame whose
 * score was not taken; for others 8 bytes a frame.
 * @param[out] out  the result; NULL on failure; its frames are those whose scores were not taken by
 * physad_stream_next(). Of a take that `motion-bank` finds to show a part of the action these go by the part's place in
 * it, which is known at the end; those taken before went by the time from the first frame
 * @return as physad_stream_push(); PHYSAD_ERR_SHAPE when fewer frames came than the method needs @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_stream_end(physad_stream *stream, physad_result **out);

#ifdef __cplusplus
}
#endif

#endif
