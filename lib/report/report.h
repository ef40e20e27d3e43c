/* SPDX-License-Identifier: Apache-2.0 */
/* report: what an evaluation came to, as plain data; JSON and CSV made of it; pictures. */
#ifndef PHYSAD__REPORT_H
#define PHYSAD__REPORT_H

#include <physad/evaluate.h>
#include <physad/group.h>

#include "core/core.h"
#include "io/io.h"
#include "metrics/metrics.h"

/* A small JPEG; bytes are NULL where there is none. */
typedef struct physad__thumb {
    unsigned char *bytes;
    size_t size;
    int64_t height, width;
} physad__thumb;

enum { PHYSAD__THUMB_PHOTO, PHYSAD__THUMB_TRUTH, PHYSAD__THUMB_MAP, PHYSAD__THUMB_PATCH, PHYSAD__THUMB_NEAREST,
       PHYSAD__THUMB_RENDER, PHYSAD__THUMB_RESIDUAL, PHYSAD__THUMBS };
/* What the gallery keeps of a sample. */
typedef struct physad__thumbs {
    physad__thumb image[PHYSAD__THUMBS];
    char *nearest_path; /* the training photo of the nearest normal patch; NULL: none */
    double nearest_distance;
} physad__thumbs;
void physad__thumbs_free(physad__thumbs *thumbs); /* NULL is fine */

/* What is kept of a video beside its score. */
typedef struct physad__take {
    double *scores; /* of its frames */
    int64_t frames;
    double rate;         /* frames per second; 0: not known */
    char *verdict;       /* in words, "" when nothing is odd; NULL: the method has no words */
    int64_t worst;       /* frame with the highest score */
    double y, x;         /* of the oddest patch there, in pixels; NaN: not known */
    double distance;     /* to the nearest normal patch; NaN: not known */
    char *near_path;     /* the video of that one; NULL: not known */
    int64_t near_frame;
} physad__take;
void physad__take_free(physad__take *take); /* NULL is fine */

typedef struct physad__report_sample {
    char *path, *type, *group, *view; /* view: NULL when not known */
    double score;
    int32_t label;
    int32_t reserved;
    physad__thumbs *thumbs; /* NULL: not in the gallery */
    physad__take *take;     /* of videos */
    double *told;           /* how much it looks like each type that the report tells, or NULL */
} physad__report_sample;

/* Photos of one thing. */
typedef struct physad__report_group {
    double score;
    int32_t label, anomalous; /* anomalous: -1 without a threshold */
    int64_t *photos;          /* numbers of samples */
    int64_t photo_count;
    int64_t first_odd;        /* of `photos`: the first with label 1, else the first */
    physad_place *places;
    int64_t place_count;
} physad__report_group;

/* The samples with one value of an attribute. */
typedef struct physad__report_break {
    char *attribute, *value;
    int64_t count[2]; /* normal, anomalous */
    physad_metrics *images, *pixels; /* pixels: NULL where they were not measured */
} physad__report_break;

typedef struct physad__report_skip {
    char *path, *reason;
} physad__report_skip;

enum { PHYSAD__VALUE_TEXT, PHYSAD__VALUE_INT, PHYSAD__VALUE_REAL, PHYSAD__VALUE_BOOL };
typedef struct physad__report_option {
    char *name, *value;
    int32_t kind; /* PHYSAD__VALUE_* */
    int32_t reserved;
} physad__report_option;

/* One method on one category. Texts and metrics are the report's own; what is NULL was not measured. */
typedef struct physad__report {
    char *dataset, *category, *method, *precision;
    physad__report_option *options;
    int64_t option_count;
    uint64_t seed;
    int32_t threads;
    int32_t metrics_size; /* PHYSAD_METRICS_* */
    int32_t video;        /* 1: samples are clips, `frames` are their frames */
    int32_t reserved;
    int64_t n_train, n_test;
    char weights_sha256[65]; /* of the weights' file; "" where there is none, or without a gallery */
    physad_metrics *images; /* whole samples; clips of a video set */
    physad_metrics *pixels; /* NULL: see pixel_reason */
    physad_metrics *frames;
    physad_metrics *things; /* groups of photos; NULL: no two photos are of one thing */
    const char *pixel_reason; /* static: why there are no pixel metrics */
    const char *frame_reason;
    double threshold;                  /* the detector's own, chosen on normal samples; NaN: see threshold_reason */
    double alpha, rate_low, rate_high; /* what it promises */
    int64_t threshold_groups;          /* calibration groups */
    char *threshold_reason;            /* NULL where there is a threshold */
    double fit_seconds, score_seconds, metrics_seconds, score_ms_median, peak_rss_mib;
    physad__report_sample *samples;
    int64_t sample_count, sample_capacity;
    physad__report_group *groups;
    int64_t group_count, group_capacity;
    physad__report_skip *skipped;
    int64_t skipped_count, skipped_capacity;
    physad__report_break *breaks; /* by attribute and value */
    int64_t break_count;
    char **told; /* types of defect that are told; NULL: none */
    int64_t told_count;
} physad__report;

struct physad_evaluation {
    physad_context *ctx;
    physad__report *reports; /* methods outermost */
    int64_t count;
    int64_t methods; /* how many different ones */
    char *json, *csv;
};

void physad__report_free(physad__report *report);
physad_status physad__report_add_sample(physad__report *report, physad__mem *mem,
                                        const physad__report_sample *sample); /* copied */
physad_status physad__report_skip_sample(physad__report *report, physad__mem *mem, const char *path,
                                         const char *reason);

/* A number of the report by its name in the JSON (report_figures.c): NaN with a reason where it is undefined. */
typedef struct physad__figure {
    const char *name;
    const char *title;  /* as people write it */
    int32_t kind;       /* PHYSAD__FIGURE_* */
    int32_t interval;   /* 1: an interval belongs to it */
    const char *metric; /* its name in <physad/metrics.h> */
} physad__figure;
enum {
    PHYSAD__FIGURE_IMAGE = 1,
    PHYSAD__FIGURE_PIXEL = 2,
    PHYSAD__FIGURE_VIDEO = 4,
    PHYSAD__FIGURE_FRAME = 8,
    PHYSAD__FIGURE_THING = 16
};
extern const physad__figure physad__figures[];
extern const int64_t physad__figure_count;
/* Whether such reports have this figure at all. */
bool physad__figure_fits(const physad__figure *figure, const physad__report *report);
physad_metric physad__figure_of(const physad__figure *figure, const physad__report *report);

/* Figures by attribute (report_breaks.c). */
bool physad__break_figure_fits(const physad__figure *figure, const physad__report *report);
physad_metric physad__break_figure(const physad__figure *figure, const physad__report *report,
                                   const physad__report_break *b);
const physad__report_break *physad__break_find(const physad__report *report, const char *attribute, const char *value);
/* Whether none of the reports before `at` has this one's attribute and value. */
bool physad__break_is_first(const physad__report *reports, int64_t at, int64_t index);
/* Over the reports that define it, with the interval of a mean of independent ones. */
physad_metric physad__break_mean(const physad__figure *figure, const physad__report *reports, int64_t count,
                                 const physad__report_break *b);
void physad__breaks_free(physad__report_break *breaks, int64_t count);

/* Both texts of an evaluation (report_json.c, report_csv.c); NULL with NOMEM. */
char *physad__report_json(const physad_evaluation *evaluation);
char *physad__report_csv(const physad_evaluation *evaluation);

/* A photo's pixel as bytes (report_overlay.c). */
void physad__overlay_pixel(const physad_view *photo, int64_t y, int64_t x, uint8_t rgb[3]);

/* Text that grows. A failure stays: what is put behind it is dropped. */
typedef struct physad__text {
    physad__mem *mem;
    char *data;
    int64_t size, capacity;
    physad_status status;
} physad__text;
physad_status physad__text_put(physad__text *text, const char *data, size_t size); /* always ends in a NUL */

#endif
