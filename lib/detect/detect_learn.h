/* SPDX-License-Identifier: Apache-2.0 */
/* Learning which differences count, from normal photos and made-up defects painted over them. Within lib/detect only.
 */
#ifndef PHYSAD__DETECT_LEARN_H
#define PHYSAD__DETECT_LEARN_H

#include "detect/detect.h"

/* --- made-up defects (detect_paint.c) --- */

/* Paints `defects` kinds of them over a model's input. `other`: an input of another thing, of which a piece may be
 * taken; may be `input`. `cover`: the share of each cell that was painted. Seed and stream decide all. The front end
 * knows mean and deviation of its inputs: its texture has been opened. */
physad_status physad__paint(const physad__frontend *front, const float *input, const float *other, uint64_t seed,
                            uint64_t stream, int64_t defects, float *out, float *cover);

/* Painted versions of the normals that are not aside: some cells of each, less their photo's mean, go into `out` as
 * rows whose sample is the photo and whose position is 1 where it was painted and 0 elsewhere. */
physad_status physad__lesson_read(const physad_detector *det, const physad__frontend *front,
                                  const physad_dataset *normals, const uint8_t *aside, physad_bank *out,
                                  physad__call *call);

/* --- what was learned (detect_learn.c) --- */

/* A few small networks, each taught without some of the groups, that tell painted cells from normal ones by how they
 * differ from their photo's mean. */
typedef struct physad__learned physad__learned;

/* `store`: the cells of the normals, all those of a sample one after the other; `lesson`: of painted ones. *out is NULL
 * where there are fewer than two groups, or nothing could be painted. */
physad_status physad__learned_fit(physad__learned **out, const physad_detector *det, const physad__frontend *front,
                                  const physad_bank *store, const physad_bank *lesson, physad__call *call);
void physad__learned_free(physad__learned *l);
/* How much each cell looks painted, as deviations from what normal cells at its place show that the networks were not
 * taught. */
physad_status physad__learned_judge(const physad__learned *l, const physad__cells *cells, float *out);
physad_status physad__learned_declare(const physad__learned *l, physad__tensors_writer *w);
physad_status physad__learned_write(const physad__learned *l, physad__tensors_writer *w);
/* NULL where the file has none. */
physad_status physad__learned_read(physad__learned **out, physad_context *ctx, const physad__frontend *front,
                                   const physad_tensors *file);

/* --- moments by place (detect_places.c) --- */

/* Mean and spread of a number by cell, over some photos. */
typedef struct physad__moments {
    double *sum, *squares, *count; /* per cell */
} physad__moments;
physad_status physad__moments_new(physad__moments *m, physad__mem *mem, int64_t cells);
void physad__moments_free(physad__moments *m);
void physad__moments_add(physad__moments *m, int64_t cell, double value);
/* Each cell's from itself and its neighbours, drawn towards those of the whole photo. false: all values are equal. */
bool physad__moments_settle(const physad__moments *m, int64_t height, int64_t width, float *mean, float *inverse);

#endif
