/* SPDX-License-Identifier: Apache-2.0 */
/* A file's parameters as a source for a backbone. Within lib/nn only. */
#ifndef PHYSAD__NN_STATE_H
#define PHYSAD__NN_STATE_H

#include "nn/nn_backbone.h"

#include <physad/tensors.h>

typedef struct physad__nn_state {
    const physad_tensors *tensors; /* borrowed */
    const physad__backbone *backbone;
    const physad__nn_names *names; /* how the file calls them */
    const char *prefix;            /* before every name; "" for none; borrowed */
    const char *origin;            /* for messages; borrowed */
} physad__nn_state;

/* Finds out how the file calls the parameters. `strict`: every tensor must belong to the network (`g`, complete).
 * FORMAT where it is none of the backbone's. */
physad_status physad__nn_state_init(physad__nn_state *state, const physad_tensors *tensors, const physad__backbone *b,
                                    const physad__nn_graph *g, const char *prefix, const char *origin, bool strict);
physad__nn_source physad__nn_state_source(physad__nn_state *state);

/* Calls `visit` for each parameter of a node: its name of ours and shape. Stops at the first failure. */
typedef physad_status (*physad__nn_visit)(void *user, const char *name, int32_t ndim, const int64_t *shape);
physad_status physad__nn_visit_node(const physad__nn_graph *g, int64_t node, physad__nn_visit visit, void *user);

#endif
