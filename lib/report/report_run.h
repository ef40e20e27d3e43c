/* SPDX-License-Identifier: Apache-2.0 */
/* report: the state of one method on one category while it runs. For this room only. */
#ifndef PHYSAD__REPORT_RUN_H
#define PHYSAD__REPORT_RUN_H

#include "detect/detect.h"
#include "report/report.h"

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
} physad__run_state;

/* Fits, scores and measures; fills in `report`, whose names are set. */
physad_status physad__run_method(physad__run_state *run, const physad_dataset *dataset);

/* Adds a scored sample's pixels (report_pixels.c); draws it where pictures are wanted. */
physad_status physad__run_pixels(physad__run_state *run, const physad_scored *scored);
physad_status physad__run_picture(physad__run_state *run, const physad_scored *scored, const physad_view *photo);

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

#endif
