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

#endif
