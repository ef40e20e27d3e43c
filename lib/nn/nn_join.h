/* SPDX-License-Identifier: Apache-2.0 */
/* From layers' maps to one vector per place: neighbourhood pooling, upsampling, joining. Within lib/nn only. */
#ifndef PHYSAD__NN_JOIN_H
#define PHYSAD__NN_JOIN_H

#include "base/base.h"

enum { PHYSAD__JOIN_LAYERS = 8 };

typedef struct physad__join {
    int64_t layer_count;
    int64_t shape[PHYSAD__JOIN_LAYERS][3]; /* H, W, C of each layer; the first one's grid is that of the result */
    int32_t pool, upsample;                /* PHYSAD_FEATURES_POOL_*, PHYSAD_UPSAMPLE_* */
    int64_t unfold_dim;
} physad__join;

int64_t physad__join_width(const physad__join *join);   /* dimensions of a joined vector */
int64_t
physad__join_scratch(const physad__join *join); /* f32 values that physad__join_run() needs, below 0 on overflow */
/* maps[i]: H_i x W_i x C_i; out: H_0 x W_0 x width. Rows are shared out to the present OpenMP team; each is computed
 * alike. */
void physad__join_run(const physad__join *join, const float *const *maps, float *scratch, float *out);

#endif
