/* SPDX-License-Identifier: Apache-2.0 */
/* The posed family: methods that compare a photo with a scene of 3D Gaussians from the photo's own place. It reads the
 * training photos and their poses, fits the scene, finds the pose of each photo that is scored, and keeps all of that
 * in the model file; a method fills a physad__posed_method and sees undistorted photos with poses. Within lib/detect
 * only. */
#ifndef PHYSAD__DETECT_POSED_H
#define PHYSAD__DETECT_POSED_H

#include "detect/detect.h"
#include "scene/scene.h"

typedef struct physad__posed_model {
    physad_context *ctx;
    const physad__posed_method *method;
    physad__gaussians scene;
    float background[3];
    physad__scene_views views; /* training photos, in the model's sizes; values are k / 255 */
    int64_t *samples;          /* which training sample each is */
    /* the same photos at the method's option `detail`; none where the method does not look so closely */
    physad__scene_views fine;
    physad_features *finder;   /* the locator's network */
    physad__locator locator;
    physad_features *network;  /* compares; for photos of the first view's size */
    int64_t height, width;     /* of photos as they are compared */
    int64_t grid_height, grid_width, dim; /* of the network's cells */
    /* (height, width, 2): where a pixel of the photo as taken lies in the undistorted one, x and y */
    float *undistorted;
    void *state;             /* the method's */
    physad_tensors *weights; /* arrays "backbone.*" that the model file carries; NULL: named by their hash only */
    physad_tensors *file;    /* the model file that this was read from; NULL when fitted */
    json_t *origin_of_weights;
} physad__posed_model;

/* A photo and where it may have been taken from. */
typedef struct physad__posed_query {
    const physad__scene_view *photo;
    const physad__scene_view *fine; /* the same at option `detail`; NULL where the model has no such photos */
    const physad__pose *poses; /* at least one */
    int64_t n;
    int64_t view; /* a training photo's number, which must not explain itself; -1: none */
} physad__posed_query;

struct physad__posed_method {
    /* After the scene was fitted and the locator opened. May be NULL, with state NULL. */
    physad_status (*fit)(physad_detector *det, physad__posed_model *model, physad__call *call, void **state);
    /* Hypotheses of a photo's pose, one at least, room for PHYSAD__POSES. NULL: the locator's. */
    physad_status (*find)(const physad_detector *det, const physad__posed_model *model, const physad__scene_view *photo,
                          physad__pose *poses, int64_t *n);
    /* `map` (height, width) of the undistorted photo, not a number where nothing counts. */
    physad_status (*score)(const physad_detector *det, const physad__posed_model *model,
                           const physad__posed_query *query, float *map, double *score, physad__call *call);
    physad_status (*declare)(const physad_detector *det, const physad__posed_model *model,
                             physad__tensors_writer *writer, json_t *config);
    physad_status (*write)(const physad_detector *det, const physad__posed_model *model,
                           physad__tensors_writer *writer);
    physad_status (*read)(const physad_detector *det, physad__posed_model *model, physad_tensors *file,
                          const json_t *config, void **state);
    void (*free)(void *state);
    bool surprises; /* scores are -log10 of shares of normal places, less what the photo's map rises to anyhow; maps the
                       former */
    bool fine; /* it has an option `detail`, pixels of the longer side: photos are kept at that size as well, unless it
                  is 0 */
};

physad_status physad__posed_fit(physad_detector *det, const physad_dataset *normals, const uint8_t *aside,
                                double *scores, physad__call *call, void **model);
physad_status physad__posed_score(const physad_detector *det, const physad_view *photo, physad_result *result,
                                  physad__call *call);
physad_status physad__posed_declare(const physad_detector *det, physad__tensors_writer *writer, json_t *config);
physad_status physad__posed_write(const physad_detector *det, physad__tensors_writer *writer);
physad_status physad__posed_read(physad_detector *det, physad_tensors *file, const json_t *config, void **model);
void physad__posed_free(void *model);

/* The rest of a family member's row in the table. */
#define PHYSAD__POSED_FAMILY                                                                     \
    .fit = physad__posed_fit, .score = physad__posed_score, .declare = physad__posed_declare,    \
    .write = physad__posed_write, .read = physad__posed_read, .free = physad__posed_free

/* --- parts of the family (detect_posed.c) for its file (detect_posed_file.c) --- */
physad_status physad__posed_new(physad__posed_model **out, const physad_detector *det);
/* Wants views; `file`: holds the weights, or NULL. */
physad_status physad__posed_open_networks(physad__posed_model *m, const physad_detector *det,
                                          const physad_tensors *file);
physad_status physad__posed_finish(physad__posed_model *m, physad_detector *det);
/* The longer side of the photos in `fine`, 0: none. */
int64_t physad__posed_detail(const physad_detector *det);

/* --- parts for methods (detect_posed_look.c) --- */

/* What the scene shows from a pose. */
typedef struct physad__posed_look {
    physad_camera camera;
    float *colour, *depth,
        *opacity; /* (3, height, width), (height, width) twice: depth is that of what is seen, 0 where nothing is */
} physad__posed_look;

physad_status physad__posed_look_make(physad__posed_look *out, const physad__posed_model *model,
                                      const physad__gaussians *scene, const physad_camera *camera);
void physad__posed_look_free(physad__posed_look *look); /* zeroed is fine */
/* Cells (grid_height * grid_width, dim) of planar pixels 0..1 (3, height, width). */
physad_status physad__posed_cells(const physad__posed_model *model, const float *pixels, float *cells);
/* Cells by the locator's network, whose input is of one size whatever the photo's. */
physad_status physad__posed_wide_cells(const physad__posed_model *model, const physad__scene_view *photo, float *cells);
/* The network's layers of planar pixels 0..1: of[i] is (shape[i][0], shape[i][1], shape[i][2]). ARG where there are
 * more than fit. */
#define PHYSAD__POSED_LAYERS 8
typedef struct physad__posed_stack {
    float *memory, *of[PHYSAD__POSED_LAYERS];
    int64_t shape[PHYSAD__POSED_LAYERS][3], count;
} physad__posed_stack;
physad_status physad__posed_stack_make(physad__posed_stack *out, const physad__posed_model *model, const float *pixels);
void physad__posed_stack_free(physad__posed_stack *stack); /* zeroed is fine */
/* Brings the colours of `pixels` to those of `photo`, by gain and offset of each, found where weight says so. */
void physad__posed_match_colours(float *pixels, const float *photo, const float *weight, int64_t plane);
/* Fits a scene to those of the views that are not held out. */
physad_status physad__posed_fit_scene(physad__gaussians *out, const physad_detector *det,
                                      const physad__scene_views *views, int64_t steps, physad__call *call);
/* The mean of the greatest `share` of the map's numbers (one at least), each weighing `weight` (NULL: 1). */
physad_status physad__posed_top(double *out, physad__mem *mem, const float *map, const float *weight, int64_t n,
                                double share);
/* A copy of an array of the file, of exactly this shape; no float of it is infinite, and where
 * `known` all are numbers. */
physad_status physad__posed_take(void *out, const physad_tensors *file, const char *name, int32_t dtype, int32_t ndim,
                                 const int64_t *shape, bool known);

#endif
