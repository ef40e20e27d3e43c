/* SPDX-License-Identifier: Apache-2.0 */
/* data: lists of samples, the way from photo to model input and back, reading ahead. */
#ifndef PHYSAD__DATA_H
#define PHYSAD__DATA_H

#include <physad/dataset.h>
#include <physad/transform.h>

#include "core/core.h"

#include <jansson.h>

/* --- data sets --- */

/* A number below `*groups` for each sample, equal for samples of one group (and category); numbered as they first
 * appear. `out` has one entry per sample. */
physad_status physad__dataset_groups(const physad_dataset *dataset, int64_t *out, int64_t *groups);

/* --- labels of single frames (data_frame_labels.c): for measuring only --- */

typedef struct physad__frame_labels physad__frame_labels;
/* Reads `{"<video>": [0, 1, ...], ...}`, such as whole/frame_labels.json. FORMAT names the video and the label that is
 * wrong. */
physad_status physad__frame_labels_open(physad__frame_labels **out, physad_context *ctx, const char *path);
physad_status physad__frame_labels_parse(physad__frame_labels **out, physad_context *ctx, const void *text, size_t size,
                                         const char *name);
int64_t physad__frame_labels_count(const physad__frame_labels *labels); /* of videos */
/* The labels of a video, by the last part of its path; owned by `labels` until the next call. ARG: there are none. */
physad_status physad__frame_labels_of(physad__frame_labels *labels, const char *video, const uint8_t **out,
                                      int64_t *count);
void physad__frame_labels_free(physad__frame_labels *labels); /* NULL is fine */

/* --- transforms --- */

/* The options as a JSON object of a stable form, for model files; a new reference, NULL sets a NOMEM message. The
 * ignore mask is not in it: store physad__transform_ignore() as an array of its own. */
json_t *physad__transform_to_json(const physad_transform *transform);
/* The reverse. FORMAT names the key that is wrong. */
physad_status physad__transform_from_json(physad_transform **out, physad_context *ctx, const json_t *json);
/* The ignore mask, H x W bool, owned by the transform; data is NULL when there is none. */
physad_view physad__transform_ignore(const physad_transform *transform);

/* --- large photos in tiles (data_tiles.c) --- */

/* Tiles of one size that cover height x width, their first and last flush with the borders, neighbours overlapping by
 * at least `overlap`, each beginning at a multiple of `unit` (1: anywhere), of which all sizes must be multiples. A
 * photo smaller than a tile gives one tile of the photo's size. */
typedef struct physad__tiles {
    int64_t height, width; /* of the whole */
    int64_t tile_height, tile_width;
    int64_t rows, columns;
    int64_t overlap;
    int64_t unit; /* first positions are multiples of it */
} physad__tiles;
typedef struct physad__rect {
    int64_t y, x, height, width;
} physad__rect;
physad_status physad__tiles_plan(physad__tiles *out, int64_t height, int64_t width, int64_t tile_height,
                                 int64_t tile_width, int64_t overlap, int64_t unit);
int64_t physad__tiles_count(const physad__tiles *tiles);
physad__rect physad__tiles_rect(const physad__tiles *tiles, int64_t index);
/* Joins maps[count], one per tile, row-major tile_height x tile_width, into out[height][width]. In an overlap weights
 * rise linearly from a tile's border inwards; each pixel sums its tiles in index order, so the result knows nothing of
 * the order of scoring, and a constant stays that constant to the bit. A pixel has `channels` values, one after the
 * other. */
void physad__tiles_merge(const physad__tiles *tiles, const float *const *maps, int64_t channels, float *out);

/* --- reading ahead (data_loader.c) --- */

#define PHYSAD__ON_ERROR_STOP 0
#define PHYSAD__ON_ERROR_SKIP 1

typedef struct physad__loader physad__loader;

typedef struct physad__loader_options {
    const int64_t *indices; /* samples to deliver, in this order; copied; NULL: all */
    int64_t count;          /* of indices */
    int64_t batch;          /* 0: 1 */
    int32_t threads;        /* readers; 0: the context's threads, at most 4 */
    int32_t jpeg_scale; /* of the files, see physad_image_options; 0: 1 */
    int32_t on_error; /* PHYSAD__ON_ERROR_*; only what is wrong with a file is skipped: NOMEM, CANCELLED and INTERNAL
                         always stop */
    int64_t ahead;    /* batches held at most, the one in use included; 0: 3 */
    uint64_t ahead_bytes; /* fewer batches (at least 2) when they would take more than this; 0: 512 MiB */
} physad__loader_options;

/* One batch, owned by the loader until the next call of physad__loader_next() or _free. */
typedef struct physad__batch {
    int64_t count;
    const int64_t *indices;    /* of the samples in the data set */
    const int64_t (*photo)[2]; /* height and width of each photo */
    float *pixels;             /* (count, h, w, 3), the model's input; the caller may overwrite it */
} physad__batch;

typedef struct physad__skipped {
    int64_t index; /* in the data set */
    physad_status status;
    const char *reason; /* owned by the loader */
} physad__skipped;

/* The threads start at once. Data set and transform are borrowed until _free. */
physad_status physad__loader_new(physad__loader **out, const physad_dataset *dataset, const physad_transform *transform,
                                 const physad__loader_options *options);
/* The next batch in order; count is 0 at the end. A batch is short at the end, or where samples were skipped (never
 * empty before the end). After an error the loader delivers nothing more: each call gives that error again. */
physad_status physad__loader_next(physad__loader *loader, physad__batch *out);
/* What was skipped among the batches delivered so far, in order; NULL at `i` out of range. */
int64_t physad__loader_skipped_count(const physad__loader *loader);
const physad__skipped *physad__loader_skipped(const physad__loader *loader, int64_t i);
/* Stops and joins the threads. NULL is fine. */
void physad__loader_free(physad__loader *loader);

#define PHYSAD__MEDIA_NONE 0
/* PHYSAD_KIND_IMAGE, PHYSAD_KIND_VIDEO or PHYSAD__MEDIA_NONE by the suffix. */
int32_t physad__media_kind(const char *name);

/* --- attributes (data_attributes.c) --- */

/* Texts by name that attributes.json or attributes.csv in the data set's root tells of photos, categories, or all; *out
 * is NULL where there is no such file. */
typedef struct physad__attributes physad__attributes;
physad_status physad__attributes_open(physad__attributes **out, const physad_dataset *ds);
void physad__attributes_free(physad__attributes *attributes);            /* NULL is fine */
int64_t physad__attributes_count(const physad__attributes *attributes); /* how many names; 0 for NULL */
const char *physad__attributes_name(const physad__attributes *attributes, int64_t index);
/* The photo's own, else its category's, else all's; NULL: none is told. */
const char *physad__attributes_value(const physad__attributes *attributes, int64_t index, const physad_sample *sample);

#endif
