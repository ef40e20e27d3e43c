/* SPDX-License-Identifier: Apache-2.0 */
/* scene: depths that photos show by their poses alone. For this room only. */
#ifndef PHYSAD__SCENE_DEPTHS_H
#define PHYSAD__SCENE_DEPTHS_H

#include "scene/scene.h"

#define PHYSAD__NEIGHBOURS 6

/* A photo as it is swept. */
typedef struct physad__eye {
    physad__scene_view view; /* halved; borrowed pixels where `whole` */
    bool whole;
    bool out;                            /* no neighbour of any other */
    bool stale;                          /* what follows is to be found anew */
    float *grey, *mean, *spread, *depth; /* per pixel; depth 0: not known */
    uint8_t *sure;                       /* other photos agree */
    double first, last;                  /* of its planes, one over their depths, nearest first */
    int64_t planes, n;                   /* n: neighbours */
    int64_t near[PHYSAD__NEIGHBOURS];
} physad__eye;

typedef struct physad__depths {
    physad_context *ctx;
    double extent;      /* of the cameras */
    const float *known; /* (n_known, 3): points that came with the poses; NULL: none */
    int64_t n_known;
    physad__eye *eyes; /* this and what follows belongs to it */
    int64_t count;
    struct physad__eye_order *order;
    float *reached; /* room for depths of the known points */
} physad__depths;

/* Photos that are not held out, halved until they are smaller than `side`, or their shorter side than 32 pixels; the
 * first four fields are given. Whatever the outcome, physad__depths_close() follows. */
physad_status physad__depths_open(physad__depths *d, const physad__scene_views *v, int64_t side);
void physad__depths_close(physad__depths *d);
/* Sweeps those that are stale, and says of all what is sure. */
physad_status physad__depths_find(physad__depths *d, physad__call *call);
/* Another pose, or other neighbours: what they are, and on which planes they see the same, is told anew. */
physad_status physad__depths_renew(physad__depths *d, int64_t i);

int64_t physad__eye_plane(const physad__eye *e); /* pixels */
/* Where the camera `to` sees what `from` sees at a pixel and a depth; false outside its picture. */
bool physad__camera_carry(const physad_camera *from, const physad_camera *to, double u, double v, double z,
                          double out[3]);

#endif
