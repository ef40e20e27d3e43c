/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PHYSAD__SYNTH_KNOBS_H
#define PHYSAD__SYNTH_KNOBS_H

#include "core/core.h"

/* Zero becomes the fallback; where 0 itself is allowed, negative numbers mean it. Outside least..most ARG, told in the
 * name of `call`. */
physad_status physad__knob_int(const char *call, int32_t *value, const char *name, int32_t fallback, int32_t least,
                               int32_t most);
physad_status physad__knob_real(const char *call, double *value, const char *name, double fallback, double least,
                                double most);
/* Marks the names of a list with commas between, all without a list. `what` says what kind of thing is named; there are
 * at most 64 of it. */
physad_status physad__knob_names(const char *call, bool *marked, int64_t count, const char *(*name_of)(int64_t),
                                 const char *list, const char *what);

#endif
