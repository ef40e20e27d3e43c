/* SPDX-License-Identifier: Apache-2.0 */
/* scene: its files. For this room and the fuzzers only. */
#ifndef PHYSAD__SCENE_FILE_H
#define PHYSAD__SCENE_FILE_H

#include "scene/scene.h"

/* What a scene's file holds. */
typedef struct physad__scene_parts {
    physad__gaussians gaussians;
    physad_camera *cameras;
    char **names; /* of the photos, n_cameras */
    int64_t n_cameras;
} physad__scene_parts;

void physad__scene_parts_free(physad__scene_parts *parts); /* zeroed is fine */
/* PLY or safetensors, told by the first bytes. */
physad_status physad__scene_parts_read(physad__scene_parts *out, physad_context *ctx, const char *path);
/* Out of an open file; `name` is said in messages. */
physad_status physad__scene_parts_take(physad__scene_parts *out, physad_context *ctx, const physad_tensors *file,
                                       const char *name);
/* As safetensors; equal parts give equal bytes. */
physad_status physad__scene_parts_write(physad_context *ctx, const char *path, const physad__scene_parts *parts);

#endif
