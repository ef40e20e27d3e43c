/* SPDX-License-Identifier: Apache-2.0 */
/* "eval --report DIR": index.html with the tables and, by score, every test photo beside its map; results.json, results.csv. */
#ifndef PHYSAD__TOOL_REPORT_H
#define PHYSAD__TOOL_REPORT_H

#include "tool.h"

/* Makes DIR; *pictures (owned by the caller) is the folder for physad_evaluate_options.overlays. */
int tool_report_begin(const char *folder, char **pictures);
int tool_report_write(const char *folder, const physad_evaluation *evaluation);

#endif
