/* SPDX-License-Identifier: Apache-2.0 */
/* Regions of maps: what their parts share. */
#ifndef PHYSAD__DETECT_REGION_H
#define PHYSAD__DETECT_REGION_H

#include "detect/detect.h"

#include <physad/region.h>

enum { PHYSAD__LOOKS = 12 };

/* What is measured of a region's looks (detect_region_look.c); the order of detect_region_table.h. */
typedef struct physad__look {
    double value[PHYSAD__LOOKS];
    bool known; /* there is something around it to compare with */
} physad__look;

struct physad_regions {
    physad_context *ctx;
    double level;
    int64_t count;
    physad_region *region;
    physad__look *look;
};

/* A photo and its map at the size at which they are looked at. */
typedef struct physad__scenery {
    int64_t height, width, step; /* one pixel here is step x step of the photo, less where that ends */
    int64_t photo_height, photo_width;
    float *map;                  /* NaN where nothing counts */
    float *colour;               /* (3, height, width): lightness, red less green, yellow less blue; 0..1 and -1..1 */
    int32_t *region;             /* number of the region from 1, or 0 */
} physad__scenery;

/* Looks of the region with this number, within its box (rows top to bottom - 1). */
physad_status physad__region_look(physad__look *out, physad__mem *mem, const physad__scenery *s, int32_t number,
                                  const int64_t box[4]);
/* Length, width and angle of the ellipse with the moments of the places where region[] is `number`, in a box. */
void physad__region_axes(const int32_t *region, int64_t row, int32_t number, const int64_t box[4], double out[3]);
/* Likelihoods of the kinds. */
void physad__region_kinds(const physad__look *look, double out[PHYSAD_DEFECTS]);
/* Distance of two looks in units of what is usual, squared, per measure. */
double physad__look_distance(const physad__look *a, const physad__look *b);

#endif
