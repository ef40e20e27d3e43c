/* SPDX-License-Identifier: Apache-2.0 */
/* scene: points to begin with where the poses bring none. For this room only. */
#ifndef PHYSAD__SCENE_POINTS_H
#define PHYSAD__SCENE_POINTS_H

#include "scene/scene.h"

/* Where the photos that are not held out agree, `most` at most, with colours; none where they agree hardly anywhere
 * (scene_sweep.c). As far as the points of `known` reach, where it has any. The first `n_far` of them lie far away,
 * where photos show another colour than `background`. What v->points held is freed. */
physad_status physad__scene_sweep(physad__scene_views *v, int64_t *n_far, physad_context *ctx,
                                  const physad__scene_views *known, const float background[3], int64_t most,
                                  physad__call *call);
/* Points to begin with (scene_points.c): those of `views`, and what is swept beside them; without any, swept, else
 * drawn from where cameras look, and NUMERIC where a photo shares nothing with the others. `own` becomes the same views
 * with points of its own, both of which the caller frees whatever the outcome. */
physad_status physad__scene_points_begin(physad__scene_views *own, physad_context *ctx,
                                         const physad__scene_views *views, const physad_scene_options *o,
                                         physad__call *call);
/* NUMERIC where a photo shows none of the points; `data` names the set, or is NULL. */
physad_status physad__scene_points_check(const physad__scene_views *v, const char *data);

#endif
