/* SPDX-License-Identifier: Apache-2.0 */
/* Made-up videos of things in use: scenes whose motion follows a rule, flat shapes that draw them. Within the room
 * only. */
#ifndef PHYSAD__SYNTH_PHYS_H
#define PHYSAD__SYNTH_PHYS_H

#include "core/core.h"
#include "io/io.h"

#include <physad/synth.h>

/* --- drawing (synth_phys_draw.c): world coordinates, y up, the view about -1..1 --- */

typedef struct physad__flat_view {
    double x, y, scale, turn; /* world origin in pixels, pixels per unit, radians */
    double light[2];          /* towards the lamp */
    double power;
    int32_t width, height;
} physad__flat_view;

typedef struct physad__flat {
    const physad__flat_view *view;
    float *pixels;     /* height x width x 3, linear 0..1 */
    const float *back; /* the same, the empty scene */
    bool shadows;      /* what is drawn leaves its shadow only */
} physad__flat;

typedef struct physad__tone {
    float r, g, b;
} physad__tone;

/* The empty scene: a wall with a grain. */
void physad__flat_back(float *out, const physad__flat_view *view, physad__rng *rng);
void physad__flat_disc(physad__flat *f, double x, double y, double radius, physad__tone tone);
void physad__flat_ring(physad__flat *f, double x, double y, double radius, double thick, physad__tone tone);
void physad__flat_rod(physad__flat *f, double x0, double y0, double x1, double y1, double radius, physad__tone tone);
void physad__flat_block(physad__flat *f, double x, double y, double half_width, double half_height, double turn,
                        physad__tone tone);
void physad__flat_gear(physad__flat *f, double x, double y, double radius, int32_t teeth, double turn,
                       physad__tone tone);
/* To bytes, with the sensor's noise. */
void physad__flat_develop(uint8_t *rgb, const physad__flat *f, double noise, physad__rng *rng);

/* --- scenes (synth_phys_scenes.c) --- */

enum { PHYSAD__MOST_STATE = 6, PHYSAD__MOST_PHYS_DEFECTS = 4 };

/* One video's particulars. */
typedef struct physad__take {
    double speed, delay; /* factor on the usual pace; seconds before it begins */
    double start;        /* of the motion, about 1: amplitude, height, ... */
    double size;         /* of the thing, about 1 */
    int32_t defect;      /* of the scene's, -1: none */
    double severity;     /* about 1 */
    double when;         /* share of the video at which an intermittent defect comes */
    physad__tone main, second;
    int32_t frames;
    double rate; /* frames per second */
} physad__take;

typedef struct physad__phys_defect {
    const char *name;
    int32_t intermittent;
    const char *description; /* what is seen */
    const char *cause;
} physad__phys_defect;

typedef struct physad__phys_scene {
    const char *name, *object, *interaction, *rule;
    physad__phys_defect defects[PHYSAD__MOST_PHYS_DEFECTS];
    int32_t defect_count;
    /* The state at frame times. */
    void (*run)(const physad__take *take, double (*state)[PHYSAD__MOST_STATE]);
    void (*draw)(const physad__take *take, const double *state, physad__flat *f);
} physad__phys_scene;

extern const physad__phys_scene physad__phys_conveyor, physad__phys_dominoes, physad__phys_tank; /* synth_phys_many.c */
extern const physad__phys_scene
    *const physad__phys_scenes[]; /* a scene's place is part of its random numbers: new ones go last */
extern const int64_t physad__phys_scene_count;

/* --- the set on disk (synth_phys_folder.c) --- */

typedef struct physad__phys_knobs {
    physad_synth_phys_options o; /* every default filled in; negative "none"s are zeros */
    uint64_t seed;
    bool files; /* videos, not folders of frames */
    bool category[64];
} physad__phys_knobs;
physad_status physad__phys_knobs_read(physad__phys_knobs *knobs, const physad_context *ctx,
                                      const physad_synth_phys_options *options);
/* Removes what such a set consists of, by name, and the folders that are empty then. */
void physad__phys_clear(physad_context *ctx, const char *out_dir);
/* text_labels.json, physad.json of a category, synth.json. */
physad_status physad__phys_write_texts(physad_context *ctx, const char *folder, const physad__phys_scene *scene);
physad_status physad__phys_write_instances(physad_context *ctx, const char *folder, const json_t *instances);
physad_status physad__phys_write_summary(physad_context *ctx, const char *out_dir, const physad__phys_knobs *knobs,
                                         bool complete);

#endif
