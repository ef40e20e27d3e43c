/* SPDX-License-Identifier: Apache-2.0 */
/* detect: detectors. A method is one file and one row of the table in detect_registry.c; whoever adds one touches
 * nothing else.
 *
 * Methods that compare a backbone's features (most of those on photos) are rows of the feature family: they fill a
 * physad__feature_method and leave reading, features, splits and saving to detect_feature.c. */
#ifndef PHYSAD__DETECT_H
#define PHYSAD__DETECT_H

#include "bank/bank.h"
#include "core/core.h"
#include "data/data.h"
#include "io/io.h"

#include <physad/detect.h>
#include <physad/features.h>
#include <physad/metrics.h>
#include <physad/video.h>

#include <jansson.h>

/* --- options (detect_options.c): the only place an option exists is a method's table --- */

typedef struct physad__option {
    const char *name;
    int32_t type; /* PHYSAD_OPTION_* */
    const char *default_value;
    double least, most;
    const char *choices; /* "a|b|c" */
    const char *help;
    const char *source; /* NULL: our choice */
} physad__option;

typedef struct physad__option_table {
    const physad__option *rows;
    int64_t count;
} physad__option_table;

/* Value of an option under a preset, where it differs from the default. */
typedef struct physad__preset {
    const char *preset, *option, *value;
} physad__preset;

extern const physad__option_table physad__options_common;   /* every method */
extern const physad__option_table physad__options_backbone; /* the feature family */
extern const physad__option_table physad__options_posed;    /* the posed family */

/* --- methods --- */

typedef struct physad__method physad__method;
typedef struct physad__feature_method physad__feature_method;
typedef struct physad__posed_method physad__posed_method;
struct physad__clip_method; /* detect_clip.h */

/* Frames as they come (detect_stream.c). `grey` is H x W u8, packed; `seconds`: when it is shown, or NAN; `rate`:
 * frames per second that will come, 0: as those learned from. */
typedef struct physad__stream_method {
    physad_status (*open)(const physad_detector *det, double rate, void **state);
    physad_status (*push)(const physad_detector *det, void *state, const physad_view *grey, double seconds,
                          physad__call *call);
    bool (*next)(const physad_detector *det, void *state, int64_t *frame, double *score);
    physad_status (*end)(const physad_detector *det, void *state, physad_result *result, physad__call *call);
    int64_t (*latency)(const physad_detector *det, double rate);
    void (*free)(void *state);
} physad__stream_method;

struct physad__method {
    const char *name, *title, *source;
    int32_t input;       /* PHYSAD_INPUT_* */
    int32_t supervision; /* PHYSAD_UNSUPERVISED ... */
    physad__option_table options; /* its own; a family's and the common ones stand behind them */
    const physad__preset *presets;
    int64_t preset_count;
    const physad__feature_method *features; /* of the feature family; else NULL */
    const physad__posed_method *posed;      /* of the posed family (detect_posed.h); else NULL */
    const struct physad__clip_method *clips; /* of the clip family; else NULL */
    /* Fits on the samples of `normals`; those with aside[i] stay out of the model, and their scores go to scores[i]. */
    physad_status (*fit)(physad_detector *det, const physad_dataset *normals, const uint8_t *aside, double *scores,
                         physad__call *call, void **model);
    physad_status (*score)(const physad_detector *det, const physad_view *photo, physad_result *result,
                           physad__call *call);
    /* The same of `count` photos, (height, width) each, that the origin's transform has brought to the model's input.
     * One that fails has its fault; only what stops everything is returned. NULL in methods that take photos as they
     * are. */
    physad_status (*score_inputs)(const physad_detector *det, const float *inputs, const int64_t (*photo)[2],
                                  int64_t count, physad_result *const *results, physad__fault *faults,
                                  physad__call *call);
    /* Methods on videos: fills score and frame_scores. NULL in methods on photos, which score frame after frame. */
    physad_status (*score_video)(const physad_detector *det, const physad_video *video, physad_result *result,
                                 physad__call *call);
    physad_status (*declare)(const physad_detector *det, physad__tensors_writer *writer, json_t *config);
    physad_status (*write)(const physad_detector *det, physad__tensors_writer *writer);
    physad_status (*read)(physad_detector *det, physad_tensors *file, const json_t *config, void **model);
    void (*free)(void *model);
    const physad__stream_method *stream; /* NULL: photos frame by frame, or not at all */
    /* The rules of a model as JSON; and others in their place. NULL: it has none. */
    json_t *(*rules)(const void *model);
    physad_status (*set_rules)(void *model, const json_t *rules);
    /* As fit, on what the model keeps: first the samples in `drop` go, then those of `more` (may be NULL) come. NULL:
     * cannot. */
    physad_status (*refit)(physad_detector *det, const physad_dataset *more, const uint8_t *drop, physad__call *call);
};

extern const physad__method *const physad__methods[];
extern const int64_t physad__method_count;
const physad__method *physad__method_find(const char *name); /* NULL with a message that names the nearest */
int64_t physad__method_options(const physad__method *method);
const physad__option *physad__method_option_at(const physad__method *method, int64_t index);

/* --- detector (detect_detector.c, detect_fit.c, detect_model.c) --- */

/* What results share with their detector and may outlive it. */
typedef struct physad__origin {
    atomic_int references;
    physad_context *ctx;
    physad_transform *transform; /* NULL where the method has none */
    char **paths;                /* of the training samples, those kept aside too */
    char **groups;
    int64_t (*sizes)[2];         /* height and width of their photos; 0 where not known */
    int64_t count;
} physad__origin;
/* Room for `count` samples, all fields empty. */
physad_status physad__origin_make(physad__origin **out, physad_context *ctx, int64_t count);
physad_status physad__origin_name(physad__origin *origin, int64_t index, const char *path, const char *group);

/* A sample that a fit left out. */
typedef struct physad__skip {
    int64_t index; /* in the data set of the pass that found it */
    char *path, *reason;
} physad__skip;

struct physad_detector {
    physad_context *ctx;
    const physad__method *method;
    char **values; /* one text per option */
    uint8_t *given;
    void *model; /* NULL: not fitted */
    physad__origin *origin;
    double *calibration; /* the greatest score of each group kept aside */
    int64_t calibration_count;
    physad_threshold threshold;
    char no_threshold[512]; /* why there is none */
    uint64_t seed;          /* of the fit */
    const char *weights;    /* while a model is read: where they lie instead; NULL: where its options say */
    physad__skip *skipped;  /* of the last fit or add */
    int64_t skipped_count, skipped_capacity;
    char *rules;            /* text of physad_detector_rules() */
};

/* Within fit and refit, where the call leaves samples out: notes that sample `index` of the data set failed, for the
 * reason of the present message. The method looks at the others too, then fails; it is called again without all that
 * were noted. */
physad_status physad__skip_sample(physad_detector *det, const physad_dataset *samples, int64_t index);
/* What came of a sample that a method reads by itself: OK, also where it was noted just now, else an error that names
 * it. */
physad_status physad__sample_read(physad_detector *det, const physad_dataset *samples, int64_t index,
                                  const physad__call *call, physad_status status);
/* Fails where samples were noted behind the first `before`. */
physad_status physad__all_samples_read(const physad_detector *det, int64_t before);
void physad__skipped_clear(physad_detector *det);

/* The transform whose output the method scores, owned by the detector; NULL: it takes photos as they are. */
const physad_transform *physad__detector_transform(const physad_detector *det);
/* Scores the transform's outputs, `count` in a row, as physad_detector_score() the photos, to the bit. out[i] is NULL
 * and faults[i] set where one fails; only what stops everything is returned. Within a call that has begun. */
physad_status physad__detector_score_inputs(const physad_detector *det, const float *inputs, const int64_t (*photo)[2],
                                            int64_t count, physad_result **out, physad__fault *faults,
                                            physad__call *call);

physad__origin *physad__origin_retain(physad__origin *origin);
void physad__origin_release(physad__origin *origin);
/* Paths and groups of a data set's samples. */
physad_status physad__origin_new(physad__origin **out, physad_context *ctx, const physad_dataset *samples);

/* Values of options, checked when they were set. An unknown name is a fault of ours and gives 0 or "". */
const char *physad__option_text(const physad_detector *det, const char *name);
int64_t physad__option_int(const physad_detector *det, const char *name);
double physad__option_real(const physad_detector *det, const char *name);
bool physad__option_bool(const physad_detector *det, const char *name);
bool physad__option_given(const physad_detector *det, const char *name); /* by the user, not by a preset */
bool physad__option_is(const physad_detector *det, const char *name, const char *value);
physad_status physad__options_init(physad_detector *det);
/* At which part of their size the detector wants JPEG files: 1, 2, 4 or 8. */
int32_t physad__jpeg_scale(const physad_detector *det);

physad_status physad__option_set(physad_detector *det, const char *key, const char *value, bool given);

/* Which of the normals are kept aside for the threshold: whole groups, chosen by a hash of seed and group name, so that
 * the choice for one group does not hang on the others more than it must. Groups of one category only. */
physad_status physad__calibration_split(const physad_detector *det, const char *const *groups, int64_t count,
                                        uint8_t *aside);
/* Threshold from the scores of those kept aside. Never fails for few groups unless `alpha` was asked for. */
physad_status physad__calibrate(physad_detector *det, const char *const *groups, const uint8_t *aside,
                                const double *scores, int64_t count);

/* --- result (detect_result.c) --- */

/* What a photo with a pose saw odd, and where (detect_sight.h). */
typedef struct physad__sight physad__sight;
physad__sight *physad__sight_retain(physad__sight *sight); /* NULL is fine */
void physad__sight_free(physad__sight *sight);             /* NULL is fine */

struct physad_result {
    physad__origin *origin;
    double score, threshold, p_value;
    int32_t anomalous;
    int64_t photo_height, photo_width;
    int64_t map_height, map_width; /* 0: no map */
    float *map;                    /* at the model's input size; NaN where nothing counts */
    int64_t grid_height, grid_width;
    int64_t *nearest_sample;   /* per cell of the grid, or NULL */
    int32_t *nearest_position; /* cell of that sample's grid */
    float *nearest_distance;
    float *frame_maps;    /* of a video: one map_height x map_width after the other, or NULL */
    double *frame_scores; /* of a video; NULL for photos */
    int64_t frame_count, frame_capacity;
    char *verdict;         /* what is odd in words; NULL: the method has none */
    int64_t worst_frame;   /* with a verdict: where it is oddest */
    double worst_distance; /* to the nearest normal patch there */
    double worst_y, worst_x;
    int64_t near_sample, near_frame; /* -1: nothing moves there */
    physad__sight *sight;  /* of methods on photos with poses; NULL: its pose is not known */
    uint8_t *reference;    /* with a sight: what the scene shows there, (map_height, map_width, 3), or NULL */
};
/* What the model's scene shows from where the photo was taken, through the photo's lens: bytes (height, width, 3), to
 * be freed; *pixels is NULL where that is not known. Of a result that keeps what it saw. */
physad_status physad__result_render(const physad_detector *det, const physad_result *r, uint8_t **pixels,
                                    int64_t *height, int64_t *width);
/* Threshold, verdict and p-value of a result that has its score. One that is not finite is no verdict: NUMERIC. */
physad_status physad__decide(const physad_detector *det, physad_result *r);

/* --- videos (detect_video.c) --- */

physad_status physad__result_push_frame(physad_result *r, physad__mem *mem, double score);
/* Scores a photo as a frame of a video. */
physad_status physad__score_frame(const physad_detector *det, const physad_view *pixels, physad_result *r,
                                  physad__call *call);
/* A video's score from its frames' by PHYSAD_POOL_*. NUMERIC without frames. */
physad_status physad__pool_frames(double *out, physad__mem *mem, const double *scores, int64_t count, int32_t pool);

/* --- front end (detect_frontend.c): photo -> cells of features --- */

/* The transform that a detector's options ask for. */
physad_status physad__transform_make(physad_transform **out, const physad_detector *det);

typedef struct physad__frontend {
    physad_context *ctx;
    const physad_transform *transform; /* the origin's */
    physad_features *features;         /* of a tile, where there are tiles */
    physad__tiles tiles;               /* of the grid; no rows: the network sees the whole input */
    int64_t input_height, input_width;
    int64_t height, width, dim; /* of the grid */
    int64_t network_dim;        /* the first columns; behind them those of the texture, if any */
    float texture;              /* factor of these; 0: there are none */
    float mean[3], std[3];      /* of the transform */
} physad__frontend;

/* `file`: a model that holds the backbone's weights, used during the call; NULL: from the weights store. `channels`: a
 * choice of feature channels made before, or NULL. */
physad_status physad__frontend_open(physad__frontend *front, const physad_detector *det,
                                    const physad_transform *transform, const physad_tensors *file,
                                    const int64_t *channels);
void physad__frontend_close(physad__frontend *front);
/* Takes `mean` and `std` from the transform. */
physad_status physad__frontend_levels(physad__frontend *front);
/* Which cells take part for photos of a size: height * width of 1 or 0. */
physad_status physad__frontend_valid(const physad__frontend *front, physad_context *ctx, int64_t photo_height,
                                     int64_t photo_width, uint8_t *valid);
/* The model's inputs (as the transform gives them) to cells (count, height * width, dim). What a photo's are does not
 * depend on the others. */
physad_status physad__frontend_cells(const physad__frontend *front, const float *inputs, int64_t count, float *cells);
/* NUMERIC where an input or its cells are not finite. */
physad_status physad__frontend_check(const physad__frontend *front, const float *input, const float *cells);
/* Photos that are computed together where the caller has no wish: some, but not much memory. */
int64_t physad__frontend_batch(const physad__frontend *front);

/* --- texture (detect_texture.c): columns that tell local brightness and contrast from the photo's --- */

enum { PHYSAD__TEXTURE_DIM = 5 };
/* Cells have these columns too from now on, times `factor`; or no longer. */
physad_status physad__texture_open(physad__frontend *front, float factor);
void physad__texture_close(physad__frontend *front);
/* From cells whose rows of the network's columns lie close together. */
physad_status physad__texture_add(const physad__frontend *front, const float *inputs, int64_t count, float *cells);
/* After the cells of all normals have been read with the factor 1: finds the factor from those in `store` and applies
 * it to both, or, unless `always`, takes the columns away where the photos are not of a surface. */
physad_status physad__texture_settle(physad__frontend *front, physad_bank *store, physad_bank *apart, bool always);

/* --- the feature family (detect_feature.c) --- */

/* The cells of one sample and what a method makes of them. */
typedef struct physad__cells {
    const float *data; /* (height * width, dim) */
    const uint8_t *valid;
    int64_t height, width, dim;
} physad__cells;

/* What a method says of one sample; arrays of height * width (map_height * map_width for the map) given by the caller.
 */
typedef struct physad__verdict {
    float *map;          /* at the model's input size */
    int64_t map_height, map_width;
    double score;
    int64_t *sample;     /* nearest normal cell; left at -1 where the method keeps none */
    int32_t *position;
    float *distance;
} physad__verdict;

struct physad__feature_method {
    bool texture; /* it has the option `texture` */
    bool learns;  /* it has the option `learn`, and `learn` below */
    /* Adds what the method needs to the front end's options, such as a choice of channels; `text` is room for what
     * these point to, during the call that follows. May be NULL. */
    void (*configure)(const physad_detector *det, physad_features_options *options, char *text, size_t size);
    /* `store` holds the cells of the normals that may enter the model: rows with their sample (an index of the origin)
     * and position. */
    physad_status (*fit)(const physad_detector *det, const physad__frontend *front, const physad_bank *store,
                         physad__call *call, void **state);
    /* After fit: `lesson` holds cells of painted photos (detect_learn.h). */
    physad_status (*learn)(const physad_detector *det, const physad__frontend *front, const physad_bank *store,
                           const physad_bank *lesson, physad__call *call, void *state);
    physad_status (*score)(const physad_detector *det, const void *state, const physad__cells *cells,
                           physad__verdict *verdict, physad__call *call);
    physad_status (*declare)(const physad_detector *det, const void *state, physad__tensors_writer *writer,
                             json_t *config);
    physad_status (*write)(const physad_detector *det, const void *state, physad__tensors_writer *writer);
    physad_status (*read)(const physad_detector *det, const physad__frontend *front, physad_tensors *file,
                          const json_t *config, void **state);
    void (*free)(void *state);
};

physad_status physad__feature_fit(physad_detector *det, const physad_dataset *normals, const uint8_t *aside,
                                  double *scores, physad__call *call, void **model);
physad_status physad__feature_score(const physad_detector *det, const physad_view *photo, physad_result *result,
                                    physad__call *call);
physad_status physad__feature_score_inputs(const physad_detector *det, const float *inputs, const int64_t (*photo)[2],
                                           int64_t count, physad_result *const *results, physad__fault *faults,
                                           physad__call *call);
physad_status physad__feature_declare(const physad_detector *det, physad__tensors_writer *writer, json_t *config);
physad_status physad__feature_write(const physad_detector *det, physad__tensors_writer *writer);
physad_status physad__feature_read(physad_detector *det, physad_tensors *file, const json_t *config, void **model);
void physad__feature_free(void *model);
physad_status physad__feature_refit(physad_detector *det, const physad_dataset *more, const uint8_t *drop,
                                    physad__call *call);

/* The rest of a family member's row in the table. */
#define PHYSAD__FEATURE_FAMILY                                                                       \
    .fit = physad__feature_fit, .score = physad__feature_score, .declare = physad__feature_declare,  \
    .write = physad__feature_write, .read = physad__feature_read, .free = physad__feature_free,      \
    .refit = physad__feature_refit, .score_inputs = physad__feature_score_inputs

/* --- score maps (detect_map.c) --- */

enum { PHYSAD__UPSAMPLE_NEAREST, PHYSAD__UPSAMPLE_BILINEAR };
enum {
    PHYSAD__BORDER_MIRROR,
    PHYSAD__BORDER_REPEAT
}; /* mirror: the edge once (torch "reflect"); repeat: twice (scipy) */
/* PyTorch's interpolate, corners not aligned. */
void physad__map_upsample(const float *in, int64_t h, int64_t w, float *out, int64_t height, int64_t width, int how);
/* Separable Gaussian of 2 * int(4 sigma + 0.5) + 1 taps, in place; sigma 0 does nothing. */
physad_status physad__map_blur(physad__mem *mem, float *map, int64_t height, int64_t width, double sigma, int border);

#endif
