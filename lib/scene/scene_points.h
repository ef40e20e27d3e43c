/* SPDX-License-Identifier: Apache-2.0 */
/* scene: points to begin with where the poses bring none. For this room only. */
#ifndef PHYSAD__SCENE_POINTS_H
#define PHYSAD__SCENE_POINTS_H

#include "scene/scene.h"

/* Where the photos that are not held out agree, `most` at most, with colours; none where they agree hardly anywhere
 * (scene_sweep.c). */
physad_status physad__scene_sweep(physad__scene_views *v, physad_context *ctx, int64_t most, physad__call *call);
/* Swept, else drawn from where cameras look; NUMERIC where a photo shares nothing with the others (scene_points.c). */
physad_status physad__scene_points_make(physad__scene_views *v, physad_context *ctx, int64_t most, physad__call *call);
/* NUMERIC where a photo shows none of the points; `data` names the set, or is NULL. */
physad_status physad__scene_points_check(const physad__scene_views *v, const char *data);

#endif
