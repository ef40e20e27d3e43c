/* SPDX-License-Identifier: Apache-2.0 */
/* report: the state of one method on one category while it runs. For this room only. */
#ifndef PHYSAD__REPORT_RUN_H
#define PHYSAD__REPORT_RUN_H

#include "data/data.h"
#include "detect/detect.h"
#include "report/report.h"

#include <physad/region.h>

/* A scored photo's result without its map. */
typedef struct physad__kept {
    physad_result *result;
    int64_t index, sample; /* in the test samples, in the report's */
} physad__kept;

typedef struct physad__run_break physad__run_break;

typedef struct physad__run_state {
    physad_context *ctx;
    const physad_evaluate_options *options;
    physad__call *call;
    const physad_call_options *call_options; /* the caller's, for nested calls */
    physad__report *report;
    physad_detector *detector;
    const physad_dataset *test;
    const physad_dataset *train; /* for the nearest normal patches of the gallery */
    physad_scores *scores;
    physad_pixels *pixels;
    int64_t counted;      /* samples whose pixels were added */
    double *milliseconds; /* of each scored sample */
    char **reasons;       /* why a test sample was left out; NULL: it was not */
    physad_scores *frames; /* of videos that have labels of their frames */
    int64_t recordings;    /* how many of these came so far */
    physad__kept *kept;    /* of photos */
    int64_t kept_count, kept_capacity;
    bool by_blocks;        /* they are few: intervals go by blocks of their frames */
    physad_types *types;   /* NULL: they are not asked for */
    const char **typed_name; /* types of the test set that are told, as which of `types`, and how much the last photo
                                looks like each */
    int64_t *typed_index, typed_count;
    double *typed_score;
    physad__attributes *attributes; /* NULL: the data set has none */
    physad__run_break *breaks;      /* report_breaks.c's */
    int64_t break_count, break_capacity;
    int32_t defect_size; /* of the photo whose pixels came last, until it is counted; -1: not known */
} physad__run_state;

/* Fits, scores and measures; fills in `report`, whose names are set. */
physad_status physad__run_method(physad__run_state *run, const physad_dataset *dataset);

/* Adds a scored sample's pixels (report_pixels.c); draws it where pictures are wanted. A photo that is NULL is read
 * where it is needed. */
physad_status physad__run_pixels(physad__run_state *run, const physad_scored *scored);
physad_status physad__run_picture(physad__run_state *run, const physad_scored *scored, const physad_view *photo);

/* The photo where it is at hand, else read again, to be freed. */
physad_status physad__run_photo(const physad__run_state *run, const physad_scored *scored, const physad_view *photo,
                                physad_image **image, physad_view *out);

/* Adds a sample's score to the figures and to the report (report_run.c); `told` is given away, NULL: no types are told.
 */
physad_status physad__run_count(physad__run_state *run, const physad_scored *scored, double *told);

/* --- figures by attribute (report_breaks.c) --- */

physad_status physad__run_breaks_begin(physad__run_state *run);
void physad__run_breaks_end(physad__run_state *run);
/* Of a photo, before it is counted; `mask` NULL: all is normal. */
physad_status physad__run_breaks_pixels(physad__run_state *run, const physad_scored *scored, const physad_view *map,
                                        const physad_view *mask, const physad_view *valid);
physad_status physad__run_breaks_count(physad__run_state *run, const physad_scored *scored);
physad_status physad__run_breaks_measure(physad__run_state *run, const physad_measure_options *options);

/* --- types of defect (report_types.c) --- */

/* Where they are asked for and the samples are photos. */
physad_status physad__run_types_begin(physad__run_state *run);
void physad__run_types_end(physad__run_state *run);
/* How much a photo looks like each type: *told is the caller's, NULL where nothing is told. */
physad_status physad__run_tell(physad__run_state *run, const physad_scored *scored, const physad_view *photo,
                               double **told);

/* --- groups (report_groups.c) --- */

/* Of the sample that was counted last; the result loses what it saw. */
physad_status physad__run_keep(physad__run_state *run, int64_t index, physad_result *result);
void physad__run_kept_free(physad__run_state *run);
/* Fuses and measures. */
physad_status physad__run_groups(physad__run_state *run, const physad_measure_options *options);

/* --- videos (report_video.c) --- */

bool physad__run_is_video(const physad_dataset *samples);
/* Scores a video; counts it where it has a label, and its frames where these have. */
physad_status physad__run_video(physad__run_state *run, const physad_dataset *samples, int64_t index);
/* The category's entire recordings; to be freed. */
physad_status physad__run_whole_begin(physad__run_state *run, const physad_dataset *dataset, physad_dataset **whole);
/* Scores them, then measures all frames that have labels. */
physad_status physad__run_whole(physad__run_state *run, const physad_dataset *whole,
                                const physad_measure_options *options);

/* Where the colours of a map begin and end: at its median score, and at the threshold, or the highest score without
 * one. */
physad_status physad__run_range(const float *map, int64_t count, physad__mem *mem, double threshold, double *low,
                                double *high);
/* Keeps small pictures of the sample that was counted last, as far as the gallery has room (report_pixels.c). */
physad_status physad__run_gallery(physad__run_state *run, const physad_scored *scored, const physad_view *photo);

/* --- pictures that are kept (report_gallery.c) --- */

/* Whether the report's last sample is among the `room` of its type and label with the highest and lowest scores. */
bool physad__gallery_wants(const physad__report *report, int32_t room);
/* Makes its pictures, and lets those of the sample go that it displaces. `map` and `mask` may be NULL. */
physad_status physad__gallery_add(physad__run_state *run, const physad_scored *scored, const physad_view *photo,
                                  const physad_view *map, const physad_view *mask);
/* A photo or frame at the gallery's size. */
physad_status physad__gallery_picture(physad__thumb *thumb, const physad__run_state *run, const physad_view *photo);

#endif
