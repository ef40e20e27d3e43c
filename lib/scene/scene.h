/* SPDX-License-Identifier: Apache-2.0 */
/* scene: fits 3D Gaussians to photos, renders them. */
#ifndef PHYSAD__SCENE_H
#define PHYSAD__SCENE_H

#include "splat/splat.h"

#include <physad/scene.h>

/* --- photos with cameras (scene_views.c) --- */

typedef struct physad__scene_view {
    char *name;
    physad_camera camera; /* of the pixels below */
    float *pixels;        /* (3, height, width), 0..1, undistorted */
    uint8_t *missing;     /* (height, width): 1 where the photo does not reach; NULL: nowhere */
    bool held_out;
} physad__scene_view;

typedef struct physad__scene_views {
    physad__scene_view *views;
    int64_t count;
    float *points, *colours; /* (n_points, 3): to begin with; colours 0..1 */
    int64_t n_points;
    double extent; /* 1.1 times the largest distance of a camera from their mean */
} physad__scene_views;

physad_status physad__scene_views_open(physad__scene_views *out, physad_context *ctx, const char *data, int32_t max_side,
                                       int32_t hold_out, physad__call *call);
void physad__scene_views_free(physad__scene_views *views); /* zeroed is fine */
physad__splat_camera physad__scene_camera(const physad_camera *camera);

/* --- Gaussians with their optimiser (scene_model.c) --- */

typedef struct physad__scene_model {
    physad__mem *mem;
    int64_t count, stride;
    int32_t degree, planes;
    float *value, *mean, *square, *grad; /* planes x stride each, one block */
    float *screen, *pull, *shown, *radius; /* per Gaussian: of this step; sums of it, of pictures, largest radius */
} physad__scene_model;

void physad__scene_model_free(physad__scene_model *model); /* zeroed is fine */
/* Room for `count` Gaussians, all zeros. */
physad_status physad__scene_model_make(physad__scene_model *out, physad__mem *mem, int64_t count, int32_t degree);
/* One Gaussian per point, as large as its three nearest neighbours are far. */
physad_status physad__scene_model_begin(physad__scene_model *out, physad__mem *mem, const float *points, const float *colours,
                                        int64_t n, int32_t degree);

/* --- more and fewer of them (scene_density.c) --- */

typedef struct physad__density {
    float gradient;    /* mean pull that calls for more */
    float extent;      /* of the scene */
    bool prune_large;  /* also those that are too large */
    int64_t budget;
    uint64_t seed, step;
} physad__density;

/* Clones, splits and prunes; what was summed up begins anew. */
physad_status physad__scene_densify(physad__scene_model *model, const physad__density *density);
/* Opacities fall to 0.01 at most. */
void physad__scene_fade(physad__scene_model *model);

/* --- the fit (scene_train.c) --- */

physad_status physad__scene_train(physad__scene_model *model, physad_scene_quality *quality, physad_context *ctx,
                                  const physad__scene_views *views, const physad_scene_options *options, physad__call *call);

#endif
