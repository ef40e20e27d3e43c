/* SPDX-License-Identifier: Apache-2.0 */
/* report: the parts of the page. For this room only. */
#ifndef PHYSAD__REPORT_HTML_H
#define PHYSAD__REPORT_HTML_H

#include "report/report.h"

/* What is put into the text; a failure stays in it (see physad__text). */
void physad__html_raw(physad__text *out, const char *text); /* ours: not escaped */
/* ours: not escaped, so without %s of what comes from outside; 1,023 bytes at most */
void physad__html_format(physad__text *out, const char *format, ...) PHYSAD__PRINTF(2, 3);
/* Anything: fit for elements and quoted attributes. Bytes that are no UTF-8, and control characters, come as U+FFFD. */
void physad__html_text(physad__text *out, const char *text);
void physad__html_number(physad__text *out, double value); /* five digits; a dash for NaN */
void physad__html_base64(physad__text *out, const unsigned char *bytes, size_t size);

/* ROC, precision-recall and the histograms of the category's methods (report_html_plot.c): reports[k * stride], k in
 * 0..count-1. */
void physad__html_curves(physad__text *out, const physad__report *reports, int64_t count, int64_t stride);
void physad__html_histogram(physad__text *out, const physad__report *report);
void physad__html_time_line(physad__text *out, const physad__take *take); /* the scores of a video's frames */
void physad__html_scale(physad__text *out); /* the colours of maps */

/* Every sample as a card, methods beside each other (report_html_cards.c). */
physad_status physad__html_cards(physad__text *out, const physad_evaluation *evaluation);

void physad__html_style(physad__text *out);
extern const char physad__html_script[];

/* A page up to its body's begin, which allows itself but the style and the script that are given: texts in parts, ended
 * by NULL. */
physad_status physad__html_begin(physad__text *out, const char *title, const char *const *style,
                                 const char *const *script);
/* What draws a scene (report_scene_script.c). */
extern const char *const physad__html_scene_style[], *const physad__html_scene_script[];

#endif
