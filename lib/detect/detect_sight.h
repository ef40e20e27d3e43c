/* SPDX-License-Identifier: Apache-2.0 */
/* What a photo with a pose saw odd, and where in space: small enough to be kept until the other photos of its thing
 * have come. Within lib/detect only. */
#ifndef PHYSAD__DETECT_SIGHT_H
#define PHYSAD__DETECT_SIGHT_H

#include "detect/detect_posed.h"

enum { PHYSAD__SIGHT_CELL = 4, PHYSAD__SIGHT_SPOTS = 5 };

struct physad__sight {
    atomic_int others;     /* who hold it beside the first */
    physad_camera camera;  /* of the undistorted photo, at the map's size */
    physad__lens lens;     /* of the photo as it was taken, at its size */
    int64_t height, width; /* cells of SIGHT_CELL x SIGHT_CELL pixels of the map */
    float *rise; /* per cell: decades of rarity above what the photo's whole map rises to; not a number: nothing counts
                    there */
    float *depth;          /* at cells' centres; 0: nothing there */
    bool surprises;        /* the method's maps and scores are -log10 of shares of normal places */
};

/* An odd place in a photo's map. */
typedef struct physad__spot {
    int64_t cell;
    double level;    /* decades: mean of the greatest cells around */
    double place[3];
    double radius;
} physad__spot;

/* `map` (height, width) of the undistorted photo from this camera. */
physad_status physad__sight_make(physad__sight **out, const physad__posed_model *model, const physad__scene_view *photo,
                                 const physad_camera *camera, const float *map);
/* The oddest spots whose depth is known, apart from each other, oddest first; returns how many. */
int64_t physad__sight_spots(const physad__sight *sight, physad__spot spots[PHYSAD__SIGHT_SPOTS]);
/* How odd the photo finds the place, in decades; not a number where it does not see it. */
double physad__sight_level(const physad__sight *sight, const double place[3]);
/* Where the cell's centre lies in the photo as it was taken, pixels. */
void physad__sight_pixel(const physad__sight *sight, int64_t cell, double *y, double *x);

#endif
