/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of splat-bank. Within its files only. */
#ifndef PHYSAD__SPLAT_BANK_H
#define PHYSAD__SPLAT_BANK_H

#include "detect/detect_posed.h"

/* How a photo's cells are explained by what is normal there: by the network's cells, then by pixels at the photo's own
 * size. */
enum {
    PHYSAD__BY_WARP,   /* training photos brought to the photo's place by the scene's depth */
    PHYSAD__BY_RAY,    /* cells of the training photos where the scene's points fall */
    PHYSAD__BY_RENDER, /* the scene's picture */
    PHYSAD__BY_TINT,   /* pixels of training photos brought to the photo's place: the mean of what differs */
    PHYSAD__BY_TEXTURE, /* the same: its spread */
    PHYSAD__BY_PLAIN,  /* any cell of any training photo, by the locator's network */
    PHYSAD__WAYS
};

#define PHYSAD__COARSE_WAYS PHYSAD__BY_TINT /* those by the network's cells */
#define PHYSAD__FINE_WAYS (PHYSAD__BY_PLAIN - PHYSAD__COARSE_WAYS)
#define PHYSAD__TINTS 3 /* mean colours, behind the network's numbers of a cell */

#define PHYSAD__TRAITS 6 /* of a fine cell: what its pixels' differences are expected from */

typedef struct physad__splat_grid {
    int64_t height, width;
} physad__splat_grid;

/* Mean, spread and tail of a way's distances on normal photos. */
typedef struct physad__splat_usual {
    double mean, variance;
    double tail[2]; /* z that one cell in a hundred exceeds, and how much farther one in a thousand is */
} physad__splat_usual;

/* What a photo's score and map are made of, each by itself: what its pose explains, and the plain bank. */
enum { PHYSAD__PART_POSED, PHYSAD__PART_PLAIN, PHYSAD__PARTS };

typedef struct physad__splat_part {
    double weight;       /* 0..1, one in sum */
    double mean, spread; /* of its scores on normal photos that nothing was fitted to */
} physad__splat_part;

typedef struct physad__splat_bank {
    const physad__posed_model *model;
    int64_t cells, dim;  /* of a photo; dim: the network's and the tints */
    physad__splat_grid coarse, fine; /* the network's cells; cells of 4 x 4 pixels of the photo's own size */
    physad__splat_grid plain;        /* cells of the locator's network; none where nothing is compared with them */
    int64_t plain_dim;
    bool ways[PHYSAD__WAYS];
    bool align;          /* pixels, before they are compared */
    int64_t neighbours;  /* training photos that explain, at most */
    float *whiten;       /* (dim, dim), lower triangle: from differences to what is to be compared */
    float *bank;         /* (views, cells, dim), whitened */
    float *plain_bank;   /* (views, plain cells, plain_dim) */
    float **depths;      /* of the training photos, as the scene saw them */
    float **fine_depths; /* at their own size */
    float *maps, *fine_maps; /* (ways, views, cells): distances of the training photos without themselves; not a number:
                                unknown */
    float *plain_maps;   /* (views, plain cells): the same; only while it learns */
    double trends[PHYSAD__FINE_WAYS][PHYSAD__TRAITS]; /* of logarithms of distances, by traits */
    physad__splat_usual usual[PHYSAD__WAYS];
    physad__splat_part parts[PHYSAD__PARTS];
} physad__splat_bank;

/* What explains one photo from one place. */
typedef struct physad__explained {
    physad__posed_look look;
    float *distance[PHYSAD__WAYS]; /* per cell of the way's grid; not a number where that way says nothing */
    float *points, *fine_points;   /* (cells, 3), not a number where nothing is */
    float *covered;                /* per coarse cell, 0..1: how well training photos see it */
    float *traits;                 /* (fine cells, TRAITS) */
    float *nearest; /* (cells, dim): the warped cell that was nearest, before whitening; only for learning */
    float *memory;
} physad__explained;

static inline int64_t physad__splat_grid_cells(const physad__splat_grid *g)
{
    return g->height * g->width;
}

static inline const physad__splat_grid *physad__splat_bank_grid(const physad__splat_bank *b, int way)
{
    return way < PHYSAD__COARSE_WAYS ? &b->coarse : way < PHYSAD__BY_PLAIN ? &b->fine : &b->plain;
}

/* --- splat_bank.c --- */

/* What it consists of, and of which sizes. */
physad_status physad__splat_bank_new(physad__splat_bank **out, const physad_detector *det,
                                     const physad__posed_model *model);
/* Room for all that is learnt or read. */
physad_status physad__splat_bank_reserve(physad__splat_bank *b);
void physad__splat_bank_free(void *bank);
/* What each part says of a photo. */
typedef struct physad__splat_said {
    double score[PHYSAD__PARTS];
    double own[PHYSAD__PARTS]; /* of the map, what its score leaves out as usual for the whole photo */
    bool has[PHYSAD__PARTS]; /* the posed one not where no pose fits */
    float *map[PHYSAD__PARTS]; /* (height, width) each, given by the caller */
} physad__splat_said;
/* `all`: also of parts without weight. */
physad_status physad__splat_bank_ask(const physad_detector *det, const physad__splat_bank *b,
                                     const physad__posed_query *query, bool all, physad__splat_said *out);

/* --- splat_bank_trial.c --- */

/* Weighs the parts by how well each tells photos that were painted over from clean ones, all of them photos that a
 * second, shorter fit never saw. */
physad_status physad__splat_bank_weigh(physad__splat_bank *b, const physad_detector *det, physad__call *call);

/* --- splat_bank_explain.c --- */

physad_status physad__splat_bank_depths(physad__splat_bank *b);
/* Cells with tints, not whitened. */
physad_status physad__splat_bank_cells(const physad__splat_bank *b, const float *pixels, float *cells);
void physad__splat_bank_whiten(const physad__splat_bank *b, const float *in, float *out, int64_t n);
/* A photo and where it was taken from. */
typedef struct physad__asked {
    const physad__scene_view *photo, *fine; /* fine: at its own size; only for ways by pixels */
    const float *raw;                       /* its cells, not whitened */
    const physad_camera *camera;
    int64_t view; /* training photo that must not explain, or -1 */
    const physad__gaussians *scene;
} physad__asked;
physad_status physad__splat_bank_explain(const physad__splat_bank *b, physad__explained *out,
                                         const physad__asked *asked);
/* Distances of a photo's cells to the nearest of all training photos but `view`, (plain cells). */
physad_status physad__splat_bank_plain(const physad__splat_bank *b, const physad__scene_view *photo, int64_t view,
                                       float *distance);
/* The world's points under cells' centres, from a depth of 0 where nothing is. */
void physad__splat_bank_points(const physad__splat_bank *b, const physad__splat_grid *grid, const physad_camera *camera,
                               const float *depth, float *points);
void physad__explained_free(physad__explained *e); /* zeroed is fine */
/* The training photos nearest to a camera, but for `view`; returns how many. */
int64_t physad__splat_bank_nearest(const physad__splat_bank *b, const physad_camera *camera, int64_t view, int64_t most,
                                   int64_t *out);

/* --- splat_bank_pixels.c, splat_bank_align.c --- */

/* Logarithms of the least differences per fine cell, and what they are expected from. `pose`: only its rotation and
 * translation count. */
physad_status physad__splat_bank_pixels(const physad__splat_bank *b, const physad__scene_view *photo,
                                        const physad_camera *pose, int64_t view, float *tint, float *texture,
                                        float *traits);
/* Where pixels of `other` lie that show what `photo` shows: at x + u, y + v. All (height, width); `weight` 0..1. */
physad_status physad__splat_bank_align(physad__mem *mem, const float *photo, const float *other, const float *weight,
                                       int64_t height, int64_t width, float *u, float *v);
/* Means over windows, in place; `room` of the plane's size. Borders repeat. */
void physad__splat_bank_box(float *plane, float *room, int64_t height, int64_t width, int64_t radius);
/* Between pixels, whose centres are whole numbers; clamped. */
float physad__splat_bank_at(const float *plane, int64_t height, int64_t width, float x, float y);

/* --- splat_bank_usual.c --- */

/* Whether a training photo has maps: it is of the first one's size. */
bool physad__splat_bank_usable(const physad__splat_bank *b, int64_t view);
/* Whitening from how training photos differ from their neighbours' explanation, then their maps and what is usual. */
physad_status physad__splat_bank_learn(physad__splat_bank *b, const physad_detector *det, physad__call *call);
/* Distances to numbers of deviations: from what is usual at the place and from the side (`local`), or anywhere. */
void physad__splat_bank_judge(const physad__splat_bank *b, const physad__explained *e, const physad_camera *camera,
                              int64_t view, int way, bool local, float *z);
/* z to -log10 of the share of normal cells that exceed it. */
float physad__splat_bank_surprise(const physad__splat_usual *u, float z);

#endif
