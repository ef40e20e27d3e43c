/* SPDX-License-Identifier: Apache-2.0 */
/* Regions of maps: what their parts share. */
#ifndef PHYSAD__DETECT_REGION_H
#define PHYSAD__DETECT_REGION_H

#include "detect/detect.h"

#include <physad/region.h>

enum { PHYSAD__LOOKS = 12, PHYSAD__BESIDES = 11 };

/* What is measured of a region's looks (detect_region_look.c); the order of detect_region_table.h. */
typedef struct physad__look {
    double value[PHYSAD__LOOKS];
    double beside[PHYSAD__BESIDES]; /* beside a reference (detect_region_beside.c) */
    bool known;                     /* there is something around it to compare with */
    bool has_reference;             /* `beside` is known as well */
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
    float *map;       /* NaN where nothing counts */
    float *colour;    /* (3, height, width): lightness, red less green, yellow less blue; 0..1 and -1..1 */
    float *reference; /* as colour, in the photo's light: what should be seen; NULL: not known */
    int32_t *region;  /* number of the region from 1, or 0 */
} physad__scenery;

/* A region and what lies around it: rows top .. bottom - 1 of the photo, all planes without gaps. */
typedef struct physad__region_window {
    const physad__scenery *s;
    int64_t top, left, height, width, radius;
    uint8_t *part;   /* PHYSAD__INSIDE, PHYSAD__RING or 0 */
    float *gradient; /* of the lightness */
    float *fine;     /* departure of the lightness from its mean around */
    double *sums;    /* (height + 1, width + 1): integral image */
    double *sorted;  /* height * width */
    uint8_t *foreign;
    int32_t *piece;
} physad__region_window;

enum { PHYSAD__INSIDE = 1, PHYSAD__RING = 2 };

/* Looks of the region with this number, within its box (rows top to bottom - 1). */
physad_status physad__region_look(physad__look *out, physad__mem *mem, const physad__scenery *s, int32_t number,
                                  const int64_t box[4]);
/* The integral image of a plane of the window's size. */
void physad__region_integrate(physad__region_window *w, const float *plane);
/* The sum of a box of the window, from the integral image, and how many places it has there. */
double physad__region_box(const physad__region_window *w, int64_t y, int64_t x, int64_t radius, int64_t *places);
/* The largest connected part of what is foreign: its elongation and its size; 0 and 0 without one. */
physad_status physad__region_piece(physad__region_window *w, physad__mem *mem, double *elongation, double *places);
/* The looks beside the reference; what is foreign becomes what is so beside it. */
physad_status physad__region_beside(double out[PHYSAD__BESIDES], physad__region_window *w, physad__mem *mem,
                                    double elongation);
/* Finds the regions; `reference` (any height, any width, 3) u8 shows what the photo should show, or is NULL. */
physad_status physad__regions_beside(physad_regions **out, physad_context *ctx, const physad_view *map,
                                     const physad_view *photo, const physad_view *reference, double level);
/* Length, width and angle of the ellipse with the moments of the places where region[] is `number`, in a box. */
void physad__region_axes(const int32_t *region, int64_t row, int32_t number, const int64_t box[4], double out[3]);
/* Likelihoods of the kinds. */
void physad__region_kinds(const physad__look *look, double out[PHYSAD_DEFECTS]);
/* Distance of two looks in units of what is usual, squared, per measure. */
double physad__look_distance(const physad__look *a, const physad__look *b);

#endif
