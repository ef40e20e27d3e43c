/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Data sets: which photos (or videos) there are, which are normal, which belong together, where the masks lie.
 *
 * Opening a data set lists and pairs files; it decodes none. A broken photo is found when it is read.
 *
 * Layouts (`format`; "auto" tries them in this order):
 *  - "visa"    VisA as published: `split_csv/1cls.csv` beside `<category>/Data/...`.
 *  - "realiad" Real-IAD: lists `<category>.json` with `meta`, `train`, `test`, in a folder `realiad_jsons*` in or
 *              beside the folder of photos.
 *  - "mvtec3d" MVTec 3D-AD: `<category>/{train,validation,test}/<type>/{rgb,gt}/...`; the photos only.
 *  - "frames"  videos as folders of frames: `{training,testing}/frames/<video>/<frame>`; a sample is one folder. Labels
 * of the test frames from `frame_labels.json`, `frame_labels.npy` or `frame_labels_<set>.npy` in it, in `testing` or
 * (the last) beside it; an .npy holds those of all test videos in order.
 *  - "ucsd"    UCSD's sets as published: `Train/Train<n>/<frame>`, `Test/Test<n>/<frame>`; a frame is anomalous where
 * its mask in `Test/Test<n>_gt` has a pixel. The path may be that of both sets' folder.
 *  - "mvtec"   `<category>/train/<normal type>/...`, `test/<type>/...`, `validation/<type>/...`, masks in
 *              `ground_truth/<type>/...`: MVTec AD, LOCO, BTAD, MPDD, MAD, MIP, RAD, Phys-AD, and VisA as converted by
 *              others. Photos or videos; `train` may hold them directly. Folders of videos within a type's folder
 *              are instances (`train/normal/<instance>/<video>`). `whole/<video>` beside `whole/frame_labels.json`
 *              (`{"<video>": [0, 1, ...], ...}`): entire recordings with a label for each frame.
 *  - "folder"  a folder of photos, all normal and for training; or `<normal type>/...` for training beside
 *              `<type>/...` for testing, with masks in `ground_truth`, `mask` or `masks`.
 *
 * The path may be one category or a root of many. A type is normal if it is named `good`, `ok`, `normal` (any case), or
 * begins with `good_` or `normal_`.
 *
 * Groups: samples of one thing, which must stay on one side of any split of the normal samples, and over which
 * intervals are bootstrapped. The first of these that applies:
 *  - `groups` of a file `physad.json` in the category's folder (beside `train`):
 *    `{"groups": {"<path or folder>": "<group>", ...}, "views": {"<path>": "<view>", ...}}`, paths relative to that
 *    folder (`"instances": {"<path or folder>": "<thing>", ...}` in it names the thing that is shown, `"interactions"`
 * and
 *    `"persistence"`, alike, what is done with it and whether the defect always shows);
 *  - Real-IAD: the sample's folder (`S0001`);
 *  - names such as `i07_q12`: the instance before the underscore, the view behind it (`q12` alone tells the view only);
 *  - names such as `exp2_num_1836`: exposures numbered by one counter. Runs of numbers at most 60 apart are one group
 *    (a run may join two neighbouring things: that errs on the safe side);
 *  - video names such as `v07_060`: the recording before the underscore;
 *  - else each sample is its own.
 *
 * Texts of videos: `text_labels.json` in the category's folder names the `interaction` and, under each type,
 * `persistence`, `description` and `explanation`; `priors.json`, `priors.md` or `priors.txt` holds physical priors in
 * words.
 *
 * Order: by category, split (train, validation, test), type and name, the way people number (9 before 10): the same on
 * every file system.
 *
 * Thread safety: const calls may run at once on one data set; physad_dataset_add(), _stats(), _free() need exclusion.
 */
#ifndef PHYSAD_DATASET_H
#define PHYSAD_DATASET_H

#include <physad/base.h>
#include <physad/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opaque. Sub-sets share the samples of the set they come from and may outlive it. */
typedef struct physad_dataset physad_dataset;
/** See <physad/image.h>. */
typedef struct physad_image physad_image;

/** Splits; they may be or-ed where a call selects. */
#define PHYSAD_SPLIT_TRAIN 1
#define PHYSAD_SPLIT_VALIDATION 2
#define PHYSAD_SPLIT_TEST 4
#define PHYSAD_SPLIT_ANY 7
#define PHYSAD_SPLIT_WHOLE                                                                                             \
    8 /**< entire recordings with a label for each frame, for measuring only; not among PHYSAD_SPLIT_ANY */

/** Kinds of sample. */
#define PHYSAD_KIND_IMAGE 1
#define PHYSAD_KIND_VIDEO 2  /**< a video file */
#define PHYSAD_KIND_FRAMES 3 /**< a folder of frames */

/** What is known of a sample pixel by pixel. */
#define PHYSAD_TRUTH_NONE 0  /**< nothing: a defective or unknown sample without mask; pixel metrics leave it out */
#define PHYSAD_TRUTH_ZERO 1  /**< normal: every pixel is */
#define PHYSAD_TRUTH_MASKS 2 /**< the union of its masks */

/** One sample. Fields may be added at the end; take it from physad_dataset_sample() only. All text is owned by the data
 * set. */
typedef struct physad_sample {
    const char *path;              /**< relative to physad_dataset_root(), "/" ; in memory: its given name */
    const char *file;              /**< with the root; NULL for a sample in memory */
    const char *category;          /**< "" when there is none */
    const char *type;              /**< "good" for normal ones as the folder names it, else the defect */
    const char *group;             /**< never empty; unique in the data set together with the category */
    const char *view;              /**< camera or view point, NULL when not known */
    const char *pose_file;         /**< file with camera poses of this sample's category, NULL when none */
    const char *pose_name;         /**< the frame's name in it */
    const char *const *mask_files; /**< mask_count paths with the root; their union is the mask */
    int64_t mask_count;
    int32_t split; /**< PHYSAD_SPLIT_* */
    int32_t label; /**< 0 normal, 1 defective, -1 not known */
    int32_t kind;  /**< PHYSAD_KIND_* */
    int32_t truth; /**< PHYSAD_TRUTH_* */
    const char *instance; /**< which of several like things it shows, NULL when not known */
    const char *interaction; /**< what is done with it, NULL when not known */
    const char *persistence; /**< "persistent" or "intermittent" defect, NULL when not known */
    const char *text_file;   /**< the category's text_labels.json with the root, NULL when none */
    const char *prior_file;  /**< the category's physical priors with the root, NULL when none */
    const char *frame_file; /**< file (or folder of masks) with a label for each of its frames, for measuring only; NULL
                               when none */
} physad_sample;

typedef struct physad_dataset_options {
    uint32_t struct_size;
    uint32_t reserved;      /**< zero */
    const char *format;     /**< see above; NULL: "auto" */
    const char *categories; /**< "a,b": only these; NULL: all. An unknown one is an error */
    const char *list; /**< "realiad": name of the folder of lists, such as "realiad_jsons_sv"; "visa": of the table,
                           such as "2cls_fewshot.csv"; NULL: "realiad_jsons" and "1cls.csv" */
    double holdout;   /**< in 0..1: where a category has no normal test samples, this share of its normal training
                           samples is moved to the test split, whole groups, by the context's seed; 0: none */
} physad_dataset_options;

#define PHYSAD_DATASET_OPTIONS_INIT                                                                                    \
    {                                                                                                                  \
        sizeof(physad_dataset_options), 0, NULL, NULL, NULL, 0                                                         \
    }

/** Opens a folder and lists its samples.
 * @param[out] out      the data set, NULL on failure; freed by physad_dataset_free()
 * @param[in]  path     borrowed
 * @param[in]  options  borrowed; NULL for defaults
 * @return PHYSAD_OK, PHYSAD_ERR_ARG (also: unknown format or category), PHYSAD_ERR_IO (no such folder, unreadable,
 * links in a circle), PHYSAD_ERR_FORMAT (layout not recognised: the message lists what was looked for; no samples; a
 * broken list), PHYSAD_ERR_NOMEM, PHYSAD_ERR_UNSUPPORTED
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_dataset_open(physad_dataset **out, physad_context *context,
                                                              const char *path, const physad_dataset_options *options);

/** A data set of `count` files (photos or videos), in the given order, all in `split` and with `label`; their paths are
 * kept as given. Each is its own group unless its name says otherwise (see above).
 * @return PHYSAD_OK, PHYSAD_ERR_ARG (no file, unknown suffix, bad split or label), PHYSAD_ERR_NOMEM
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_dataset_from_files(physad_dataset **out, physad_context *context,
                                                                    const char *const *paths, int64_t count,
                                                                    int32_t split, int32_t label);

/** An empty data set for physad_dataset_add().
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_NOMEM
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_dataset_new(physad_dataset **out, physad_context *context);

/** The views are copied. Without it they are borrowed until this data set and all that were made from it are freed. */
#define PHYSAD_ITEM_COPY 1u

/** A sample to add. Give either `file` or `photo`. Text is copied. */
typedef struct physad_item {
    uint32_t struct_size;
    uint32_t flags;           /**< PHYSAD_ITEM_COPY */
    const char *file;         /**< path of a photo or video */
    const physad_view *photo; /**< H x W, H x W x 1, 3 or 4; u8, u16 or f32 (f32 in 0..1) */
    const char *mask_file;    /**< NULL: none */
    const physad_view *mask;  /**< H x W, u8 or bool, not zero where defective; NULL: none */
    const char *name;         /**< path of a sample in memory; NULL: "#" and its index */
    const char *category;     /**< NULL: "" */
    const char *type;         /**< NULL: "good", "defect" or "unknown" by the label */
    const char *group;        /**< NULL: by the file's name, or its own */
    const char *view;         /**< NULL: not known */
    int32_t split;            /**< PHYSAD_SPLIT_*; 0: PHYSAD_SPLIT_TRAIN */
    int32_t label;            /**< 0 normal, 1 defective, -1 not known */
} physad_item;

#define PHYSAD_ITEM_INIT                                                                                               \
    {                                                                                                                  \
        sizeof(physad_item), 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0                             \
    }

/** Adds a sample at the end. Data sets made from this one before do not see it. Names that tell a group only together
 * with others (exposures) are taken alone here: give `group`, or use physad_dataset_from_files().
 * @param[in] item  copied
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_SHAPE, PHYSAD_ERR_DTYPE, PHYSAD_ERR_NOMEM
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_dataset_add(physad_dataset *dataset, const physad_item *item);

/** Of `dataset` the samples of a category (NULL: all) and of the splits PHYSAD_SPLIT_* or-ed (0: any). May be empty.
 * @return PHYSAD_OK, PHYSAD_ERR_ARG (no such category: the message names the nearest), PHYSAD_ERR_NOMEM
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_dataset_select(physad_dataset **out, const physad_dataset *dataset,
                                                                const char *category, int32_t splits);

/** Of `dataset` the `count` samples at `indices`, in that order.
 * @return PHYSAD_OK, PHYSAD_ERR_ARG (an index out of range), PHYSAD_ERR_NOMEM
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_dataset_subset(physad_dataset **out, const physad_dataset *dataset,
                                                                const int64_t *indices, int64_t count);

/** Splits `dataset` in two at random, whole groups on one side: groups are shuffled by `seed` and go to `second` while
 * it holds less than `fraction` of the samples (rounded to nearest; at least one group each), else to `first`. Order
 * within each side is kept.
 * @param fraction  of the samples for `second`, in (0, 1)
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_STATE (fewer than two groups), PHYSAD_ERR_NOMEM
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_dataset_split(physad_dataset **first, physad_dataset **second,
                                                               const physad_dataset *dataset, double fraction,
                                                               uint64_t seed);

/** Of each video in `dataset` `count` frames as photos, in order: evenly spaced, the first in the middle of the first
 * part. Each is a sample of kind PHYSAD_KIND_IMAGE called `<video>#<frame>`, of its video's split, label, type and
 * group; photos stay as they are. Frames are decoded when they are read, those of one video best one after the other.
 * @param count  1 to 100000; videos of fewer frames give all of theirs
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, as physad_video_open(), PHYSAD_ERR_NOMEM
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_dataset_frames(physad_dataset **out, const physad_dataset *dataset,
                                                                int64_t count);

/** @name Protocols of video sets: who may be trained on. */
/** @{ */
#define PHYSAD_PROTOCOL_UNSUPERVISED 0 /**< as the folders say: normal videos only */
/** In each category, of each type of defect some test videos go to the training split, with their label. */
#define PHYSAD_PROTOCOL_WEAK_PER_TYPE 1
/** In each category some test videos of all its defects together do. */
#define PHYSAD_PROTOCOL_WEAK_IN_ALL 2
/** Rules are told from few: some normal training videos of each instance stay, the others go. */
#define PHYSAD_PROTOCOL_UNDERSTANDING 3
/** @} */

typedef struct physad_protocol_options {
    uint32_t struct_size;
    int32_t protocol; /**< PHYSAD_PROTOCOL_* */
    int32_t least;    /**< videos drawn at least; 0: 2 */
    int32_t most;     /**< and at most; 0: 4, or `least` where that is more */
    uint64_t seed;
} physad_protocol_options;

#define PHYSAD_PROTOCOL_OPTIONS_INIT                                                                                   \
    {                                                                                                                  \
        sizeof(physad_protocol_options), 0, 0, 0, 0                                                                    \
    }

/** `dataset` as a protocol wants it. How many videos are drawn is itself drawn, evenly from `least` to `most`, for each
 * type, category or instance by name, so that one does not hang on the others. Whole groups move; the last group of a
 * type (of a category) stays in the test split.
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_STATE (nothing to draw from), PHYSAD_ERR_NOMEM
 * @since 0.1
 * @see Li et al., "Towards Visual Discrimination and Reasoning of Real-World Physical Dynamics: Physics-Grounded
 * Anomaly Detection", CVPR 2025: "2~4 videos per class", read both ways */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_dataset_protocol(physad_dataset **out, const physad_dataset *dataset,
                                                                  const physad_protocol_options *options);

/** Frees it; NULL is fine. */
PHYSAD_API void physad_dataset_free(physad_dataset *dataset);

/** Samples; 0 for NULL. */
PHYSAD_API int64_t physad_dataset_count(const physad_dataset *dataset);
/** A sample, owned by the data set; NULL when the index is out of range. */
PHYSAD_API const physad_sample *physad_dataset_sample(const physad_dataset *dataset, int64_t index);
/** Categories that have samples here, in order; 0 for NULL. */
PHYSAD_API int64_t physad_dataset_category_count(const physad_dataset *dataset);
/** Name of a category, owned by the data set; NULL when out of range. */
PHYSAD_API const char *physad_dataset_category(const physad_dataset *dataset, int64_t index);
/** The folder that was opened, "" for others; owned by the data set. */
PHYSAD_API const char *physad_dataset_root(const physad_dataset *dataset);
/** Last name of the folder that was opened, "" for others; owned by the data set. */
PHYSAD_API const char *physad_dataset_name(const physad_dataset *dataset);
/** The layout that was found, such as "mvtec"; "list" for data sets made otherwise. Static text. */
PHYSAD_API const char *physad_dataset_format(const physad_dataset *dataset);

/** Reads a photo: decodes the file, or copies the view of a sample in memory.
 * @param[out] out  freed by physad_image_free()
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_IO, PHYSAD_ERR_FORMAT, PHYSAD_ERR_UNSUPPORTED (a video),
 * PHYSAD_ERR_NOMEM
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_dataset_read_image(const physad_dataset *dataset, int64_t index,
                                                                    physad_image **out);
/** The same with JPEG files at a part of their size, as a detector with the option `jpeg_scale` reads them. Other
 * files, frames of videos and photos in memory come as they are.
 * @param[in] jpeg_scale  0 or 1: whole; 2, 4, 8: as in physad_image_options
 * Otherwise as physad_dataset_read_image(). @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_dataset_read_scaled(const physad_dataset *dataset, int64_t index,
                                                                     int32_t jpeg_scale, physad_image **out);

/** Reads the truth: the union of the sample's masks, resized to the view (nearest, like PyTorch's "nearest") where
 * sizes differ; all zero for a normal sample.
 * @param[out] mask  H x W, u8 or bool, row-major; 1 where defective, else 0. H x W is usually the photo's size
 * @return PHYSAD_OK, PHYSAD_ERR_STATE (truth is PHYSAD_TRUTH_NONE), PHYSAD_ERR_ARG, PHYSAD_ERR_SHAPE, PHYSAD_ERR_DTYPE,
 * PHYSAD_ERR_IO, PHYSAD_ERR_FORMAT, PHYSAD_ERR_NOMEM
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_dataset_read_mask(const physad_dataset *dataset, int64_t index,
                                                                   physad_view *mask);

/** The labels of a sample's frames: for measuring only.
 * @param[out] labels  0 or 1 per frame, `capacity` of them; NULL to ask for the count alone
 * @param[out] count   frames that have a label
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_STATE (it has none), PHYSAD_ERR_SHAPE (`capacity` is too small),
 * PHYSAD_ERR_IO, PHYSAD_ERR_FORMAT, PHYSAD_ERR_NOMEM
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_dataset_read_frame_labels(const physad_dataset *dataset, int64_t index,
                                                                           uint8_t *labels, int64_t capacity,
                                                                           int64_t *count);

/** Counts by category, split, type and view, photo sizes, quantiles of the defects' share of the photo, as JSON. Reads
 * every mask and every photo's size; files that cannot be read are listed under "unreadable".
 * @param[in]  options  borrowed; may be NULL
 * @param[out] json     owned by the data set until the next call of this function on it, physad_dataset_add() or _free
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_CANCELLED, PHYSAD_ERR_NOMEM
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_dataset_stats(physad_dataset *dataset,
                                                               const physad_call_options *options, const char **json);

#ifdef __cplusplus
}
#endif

#endif
