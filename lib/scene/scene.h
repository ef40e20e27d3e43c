/* SPDX-License-Identifier: Apache-2.0 */
/* scene: fits 3D Gaussians to photos, renders them. */
#ifndef PHYSAD__SCENE_H
#define PHYSAD__SCENE_H

#include "io/io.h"
#include "splat/splat.h"

#include <physad/features.h>
#include <physad/scene.h>

/* --- a scene's parts (scene.c), the scene's --- */
const physad__gaussians *physad__scene_gaussians(const physad_scene *scene);
physad_context *physad__scene_context(const physad_scene *scene);

/* --- photos with cameras (scene_views.c) --- */

typedef struct physad__scene_view {
    char *name; /* as the poses say it */
    char *path; /* of the file */
    physad_camera camera; /* of the pixels below */
    float *pixels;        /* (3, height, width), 0..1, undistorted */
    uint8_t *missing;     /* (height, width): 1 where the photo does not reach; NULL: nowhere */
    uint8_t *shifted;     /* (PHYSAD__SHIFTS, height, width, 4): see below; NULL: none */
    bool held_out;
    physad__lens lens; /* of the photo as it was taken, at its size */
} physad__scene_view;

/* Where a photo has finer pixels than the view, the same camera with its raster half a pixel further right, down, and
 * both ways, sees what the view's own raster blurs: red, green, blue, 0..255, and 1 where the photo does not reach. */
#define PHYSAD__SHIFTS 3
#define PHYSAD__SHIFT_X(k) (0.5 * (((k) + 1) & 1)) /* pixels, of shift k */
#define PHYSAD__SHIFT_Y(k) (0.5 * (((k) + 1) >> 1))

typedef struct physad__scene_views {
    physad__scene_view *views;
    int64_t count;
    float *points, *colours; /* (n_points, 3): to begin with; colours 0..1 */
    int64_t n_points;
    double extent; /* 1.1 times the largest distance of a camera from their mean */
} physad__scene_views;

/* Photos that may take part, by their paths (the folder's, a slash, and the name within it). */
typedef struct physad__scene_choice {
    const char *const *paths; /* NULL: all */
    int64_t count;
    const char *masks; /* folder: NAME.png, or the photo's name with .png in place of its suffix; 0 there: not looked
                          at; NULL: none */
    const float *background; /* 3: photos with alpha lie over it; NULL: alpha is dropped */
    bool trusted;            /* their poses, whatever they show */
    bool shifts;             /* views are to be fitted to: with what half a pixel further is seen */
} physad__scene_choice;

/* `chosen` NULL: all that have a pose. The pose of a photo that is not chosen is not looked at. */
physad_status physad__scene_views_open(physad__scene_views *out, physad_context *ctx, const char *data,
                                       int32_t max_side, int32_t hold_out, const physad__scene_choice *chosen,
                                       physad__call *call);
/* Undistorts and shrinks a photo of any kind that transforms take; the camera's pose stays as it is. */
physad_status physad__scene_view_fill(physad__scene_view *view, physad_context *ctx, const physad__lens *lens,
                                      const physad_view *photo, int32_t max_side, const char *name);
/* What a fit sees of shift k: `picture` (3, plane) in 0..1, and where the photo does not reach. */
void physad__scene_view_shift(float *picture, uint8_t *missing, const physad__scene_view *view, int64_t k);
/* At half the size, each pixel the mean of four; one that is below 32 pixels a side stays as it is. `out` has no name.
 */
physad_status physad__scene_view_halve(physad__scene_view *out, physad__mem *mem, const physad__scene_view *in);
void physad__scene_view_clear(physad__scene_view *view); /* zeroed is fine */
void physad__scene_views_free(physad__scene_views *views); /* zeroed is fine */
/* What sees from `nearest` on; 0: as usual. */
physad__splat_camera physad__scene_camera(const physad_camera *camera, float nearest);
/* From where on: 0.2, and in worlds whose units are large beside the cameras' extent less, so that a set in metres
 * shows what it shows in millimetres. */
float physad__scene_nearest(double extent);

/* --- where cameras stand and look (scene_camera.c) --- */

double physad__pose_angle(const physad_camera *a, const physad_camera *b); /* radians */
/* Where a camera stands. */
void physad__pose_centre(const double rotation[9], const double translation[3], double out[3]);
void physad__camera_centre(const physad_camera *c, double out[3]);
/* 1.1 times the largest distance of a camera from their mean; the cameras lie `stride` bytes apart. */
double physad__cameras_extent(const physad_camera *first, int64_t n, size_t stride);
double physad__pose_distance(const physad_camera *a, const physad_camera *b); /* of their places */
/* Where a point of the world is seen: column and row in pixels, and depth; whether that is in front and in the picture
 * (NaN and infinities are neither). */
bool physad__camera_project(const physad_camera *c, const double p[3], double out[3]);
void physad__camera_unproject(const physad_camera *c, double u, double v, double z, double out[3]); /* and back */

/* --- cameras of one file, points of another (scene_bridge.c) --- */

/* From one world to another: scale * rotation * x + translation. */
typedef struct physad__similarity {
    double scale, rotation[9], translation[3];
} physad__similarity;

typedef struct physad__bridge {
    physad__similarity to;
    int64_t cameras;      /* that both know */
    double apart;         /* their median distance after it, as a share of how far they lie around their middle */
    bool fits;            /* three cameras at least, not on one line, and hardly apart; else no more is set */
    double before, after; /* median error of points in their photos, pixels: moved, and found anew */
    int64_t dropped;      /* points on which photos do not agree */
} physad__bridge;

void physad__similarity_apply(const physad__similarity *s, const double in[3], double out[3]);
/* Of a camera, in place. */
void physad__similarity_pose(const physad__similarity *s, double rotation[9], double translation[3]);
/* Brings the model's points to the views' world. `view_of`: per photo of the model, -1 where no view is it. */
physad_status physad__scene_bridge(physad__bridge *out, physad__poses *model, const int64_t *view_of,
                                   const physad__scene_views *v);

/* --- Gaussians with their optimiser (scene_model.c) --- */

typedef struct physad__scene_model {
    physad__mem *mem;
    int64_t count, stride;
    int32_t degree, planes;
    float *value, *mean, *square;  /* planes x stride each, one block */
    float *pull, *shown,
        *radius; /* per Gaussian, one block: sums of gradients on the screen, of pictures, largest radius */
} physad__scene_model;

void physad__scene_model_free(physad__scene_model *model); /* zeroed is fine */
/* Room for `count` Gaussians, all zeros. */
physad_status physad__scene_model_make(physad__scene_model *out, physad__mem *mem, int64_t count, int32_t degree);
/* Gaussian `i` to place `at`: its values, and its moments or none. */
void physad__scene_model_copy(physad__scene_model *to, int64_t at, const physad__scene_model *from, int64_t i,
                              bool moments);
/* Puts the Gaussians in the order of a curve that fills space, so that what a tile shows lies close together. */
physad_status physad__scene_model_sort(physad__scene_model *model);
/* One Gaussian per point, as large as its three nearest neighbours are far. */
physad_status physad__scene_model_begin(physad__scene_model *out, physad__mem *mem, const float *points,
                                        const float *colours, int64_t n, int32_t degree);

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

/* --- the fit (scene_train.c, scene.c) --- */

typedef struct physad__scene_fitted {
    physad_scene_quality quality;
    physad_scene_quality *history; /* n_history: what measure_every asked for; physad__free() */
    int64_t n_history;
} physad__scene_fitted;

/* `out` is set whatever the outcome. */
physad_status physad__scene_train(physad__scene_fitted *out, physad__scene_model *model, physad_context *ctx,
                                  const physad__scene_views *views, const physad_scene_options *options,
                                  physad__call *call);

/* The Gaussians alone, of views that are there already: those not held out. `out` is freed by
 * physad__free(out->planes). */
physad_status physad__scene_fit_views(physad__gaussians *out, physad_context *ctx, const physad__scene_views *views,
                                      const physad_scene_options *options, physad__call *call);

/* --- the pose of a photo (scene_locate.c, scene_match.c, scene_align.c) --- */

#define PHYSAD__POSES 3        /* hypotheses that are kept, at most */
#define PHYSAD__LEAST_FIT 0.35 /* of a photo that shows the scene */

/* Cells of the training photos' features and where they lie in space (scene_match.c). */
typedef struct physad__matcher {
    physad_context *ctx;
    physad_features *features; /* borrowed */
    int64_t count, height, width, dim;
    float *cells;        /* (count, height * width, dim), normalised */
    float *points;       /* (count, height * width, 3), not a number where unknown */
    float *mean, *scale; /* per dimension, before the cells were normalised */
    physad_camera *cameras;
} physad__matcher;

/* All is borrowed that was given. Const once open: any number of threads. */
typedef struct physad__locator {
    physad_context *ctx;
    const physad__gaussians *scene;
    float background[3];
    physad__lens lens; /* of the first training photo, at its size */
    int64_t side;      /* the longer one of training photos as the scene saw them, pixels */
    physad__matcher matcher;
    double normal, foreign; /* agreement of training photos with the scene, and from wrong places */
} physad__locator;

typedef struct physad__pose {
    physad_camera camera;
    double loss;       /* 0..1 */
    double agreement;  /* -1..1: mean correlation of small windows */
    double fit;        /* 0..1: agreement between that of wrong places and that of training photos */
    double confidence; /* fit times the hypothesis' share */
    int64_t view;      /* training view whose camera is nearest */
} physad__pose;

/* The network for guesses, for photos of a camera's proportions. `file`: holds the weights as "backbone.*"; may be
 * NULL. */
physad_status physad__matcher_network(physad_features **out, physad_context *ctx, const physad_camera *camera,
                                      const char *backbone, const char *weights, const physad_tensors *file);
/* Room for `count` photos, to be filled; `features` is borrowed. */
physad_status physad__matcher_reserve(physad__matcher *m, physad_context *ctx, physad_features *features,
                                      int64_t count);
physad_status physad__locator_open(physad__locator *l, physad_context *ctx, const physad__gaussians *scene,
                                   const float background[3], const physad__scene_views *views,
                                   physad_features *features, physad__call *call);
void physad__locator_close(physad__locator *l); /* zeroed is fine */
/* Hypotheses for a photo that physad__scene_view_fill() made, best first; NUMERIC where not even the best one has
 * `least_fit` (it is in `poses` all the same). */
physad_status physad__locator_find(const physad__locator *l, const physad__scene_view *photo, double least_fit,
                                   physad__pose poses[PHYSAD__POSES], int64_t *n);
/* The training view with the most likeness in matches, as a pose with the photo's lens. */
physad_status physad__locator_most_alike(const physad__locator *l, const physad__scene_view *photo, physad__pose *pose);

#endif
