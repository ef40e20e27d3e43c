/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of splat-bank. Within its files only. */
#ifndef PHYSAD__SPLAT_BANK_H
#define PHYSAD__SPLAT_BANK_H

#include "detect/detect_posed.h"

/* How a photo's cells are explained by what is normal there. */
enum {
    PHYSAD__BY_WARP,   /* training photos brought to the photo's place by the scene's depth */
    PHYSAD__BY_RAY,    /* cells of the training photos where the scene's points fall */
    PHYSAD__BY_RENDER, /* the scene's picture */
    PHYSAD__BY_COLOUR, /* pixels of training photos brought to the photo's place */
    PHYSAD__BY_PLAIN,  /* any cell of any training photo */
    PHYSAD__WAYS
};

#define PHYSAD__TINTS 3 /* mean colours, behind the network's numbers of a cell */

/* Mean, spread and tail of a way's distances on normal photos. */
typedef struct physad__usual {
    double mean, variance;
    double tail[2]; /* z that one cell in a hundred exceeds, and how much farther one in a thousand is */
} physad__usual;

typedef struct physad__splat_bank {
    const physad__posed_model *model;
    int64_t cells, dim;  /* of a photo; dim: the network's and the tints */
    bool ways[PHYSAD__WAYS];
    int64_t neighbours;  /* training photos that explain, at most */
    float *whiten;       /* (dim, dim), lower triangle: from differences to what is to be compared */
    float *bank;         /* (views, cells, dim), whitened */
    float **depths;      /* of the training photos */
    float *maps;         /* (WAYS, views, cells): distances of the training photos without themselves; not a number: unknown */
    physad__usual usual[PHYSAD__WAYS];
} physad__splat_bank;

/* What explains one photo from one place. */
typedef struct physad__explained {
    physad__posed_look look;
    float *distance[PHYSAD__WAYS]; /* per cell; not a number where that way says nothing */
    float *points;                 /* (cells, 3), not a number where nothing is */
    float *covered;                /* per cell, 0..1: how well training photos see it */
    float *nearest;                /* (cells, dim): the warped cell that was nearest, before whitening; only for learning */
    float *memory;
} physad__explained;

/* --- splat_bank_explain.c --- */

physad_status physad__splat_bank_depths(physad__splat_bank *b);
/* Cells with tints, not whitened. */
physad_status physad__splat_bank_cells(const physad__splat_bank *b, const float *pixels, float *cells);
void physad__splat_bank_whiten(const physad__splat_bank *b, const float *in, float *out, int64_t n);
/* `raw`: the photo's cells, not whitened; `view`: training photo that must not explain, or -1; `plain`: by any cell as well. */
physad_status physad__splat_bank_explain(const physad__splat_bank *b, physad__explained *out, const physad__scene_view *photo, const float *raw,
                                         const physad_camera *camera, int64_t view, const physad__gaussians *scene, bool plain);
/* The world's points under cells' centres, from a depth of 0 where nothing is. */
void physad__splat_bank_points(const physad__splat_bank *b, const physad_camera *camera, const float *depth, float *points);
void physad__explained_free(physad__explained *e); /* zeroed is fine */
/* The training photos nearest to a camera, but for `view`; returns how many. */
int64_t physad__splat_bank_nearest(const physad__splat_bank *b, const physad_camera *camera, int64_t view, int64_t most, int64_t *out);

/* --- splat_bank_usual.c --- */

/* Whitening from how training photos differ from their neighbours' explanation, then their maps and what is usual. */
physad_status physad__splat_bank_learn(physad__splat_bank *b, const physad_detector *det, physad__call *call);
/* Distances to numbers of deviations: from what is usual at the place and from the side (`local`), or anywhere. */
void physad__splat_bank_judge(const physad__splat_bank *b, const physad__explained *e, const physad_camera *camera, int64_t view, int way,
                              bool local, float *z);
/* z to -log10 of the share of normal cells that exceed it. */
float physad__splat_bank_surprise(const physad__usual *u, float z);

#endif
