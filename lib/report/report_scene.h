/* SPDX-License-Identifier: Apache-2.0 */
/* report: where a scene is looked at from. For this room only. */
#ifndef PHYSAD__REPORT_SCENE_H
#define PHYSAD__REPORT_SCENE_H

#include "scene/scene.h"

typedef struct physad__outlook {
    physad_camera camera;      /* what is seen first */
    double centre[3], up[3];   /* what the view turns about; up has any length */
} physad__outlook;

/* `camera` and `centre` NULL: by the scene's cameras where it has some, else by its Gaussians. */
physad_status physad__scene_outlook(physad__outlook *out, const physad_scene *scene, const physad_camera *camera,
                                    const double *centre);

#endif
