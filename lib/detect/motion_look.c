/* SPDX-License-Identifier: Apache-2.0 */
/* How the thing looks while it is used: each of a take's frames beside the normal frames that are most like it,
 * whenever those were, so that a part that is missing shows though it moves.
 *
 * Frames are kept as means of 4 x 4 pixels in hundredths of the frame's own mean, which noise and light hardly change.
 * A cell differs by as much as it lies outside of what the five cells there show in the nearest normal frame: a thing
 * that stands by less than a cell elsewhere is no other thing. Of three nearest frames the one counts that leaves the
 * least; a frame is as odd as its four oddest cells, and a take as its middle frame. */
#include "detect/motion_fit.h"

#include <math.h>
#include <stdlib.h>

enum { SIDE = PHYSAD__LOOK_CELL, KEPT = PHYSAD__LOOK_KEPT, NEAR = 3, ODDEST = 4, MOST_FRAMES = 600, LEAST_KEPT = 8 };
static const float UNIT = 100, LEAST_MEAN = 1;
static const double LEAST_SPREAD = 0.15; /* of the logarithm: what another camera's noise and codec may do */

/* --- frames --------------------------------------------------------------------------------------------------------
 */

void physad__look_free(physad__look *look)
{
    physad__free(look->cells);
    *look = (physad__look){ 0 };
}

/* Cells of a plane, in hundredths of its mean. */
static void fill(const float *plane, int64_t width, int64_t rows, int64_t columns, uint8_t *out)
{
    double mean = 0;
    for (int64_t y = 0; y < rows * SIDE; y++)
        for (int64_t x = 0; x < columns * SIDE; x++)
            mean += (double)plane[y * width + x];
    mean /= (double)(rows * columns * SIDE * SIDE);
    const float unit = UNIT / fmaxf((float)mean, LEAST_MEAN) / (SIDE * SIDE);
    for (int64_t y = 0; y < rows; y++)
        for (int64_t x = 0; x < columns; x++) {
            float sum = 0;
            for (int64_t i = 0; i < SIDE; i++)
                for (int64_t k = 0; k < SIDE; k++)
                    sum += plane[(y * SIDE + i) * width + x * SIDE + k];
            out[y * columns + x] = (uint8_t)fminf(fmaxf(sum * unit + 0.5f, 0), 255);
        }
}

physad_status physad__look_push(physad__look *look, physad__mem *mem, const float *plane, int64_t height, int64_t width)
{
    const int64_t rows = height / SIDE, columns = width / SIDE, cells = rows * columns;
    if (look->cells == NULL) {
        *look = (physad__look){ .rows = rows, .columns = columns, .step = 1 };
        look->cells = physad__alloc_array(mem, KEPT * cells, sizeof(*look->cells), "frames");
        if (look->cells == NULL)
            return PHYSAD_ERR_NOMEM;
    }
    if (look->seen++ % look->step != 0)
        return PHYSAD_OK;
    if (look->count == KEPT) { /* every other one from now on, and of those that are kept */
        for (int64_t i = 0; i < KEPT / 2; i++)
            memmove(look->cells + i * cells, look->cells + 2 * i * cells, (size_t)cells);
        look->count = KEPT / 2;
        look->step *= 2;
    }
    if ((look->seen - 1) % look->step == 0)
        fill(plane, width, rows, columns, look->cells + look->count++ * cells);
    return PHYSAD_OK;
}

/* --- likeness ------------------------------------------------------------------------------------------------------
 */

static int64_t unlike(const uint8_t *a, const uint8_t *b, int64_t count)
{
    int64_t all = 0;
    for (int64_t from = 0; from < count; from += 1024) {
        const int64_t to = physad__min(from + 1024, count);
        int32_t sum = 0;
        for (int64_t i = from; i < to; i++)
            sum += (a[i] - b[i]) * (a[i] - b[i]);
        all += sum;
    }
    return all;
}

/* By how much a cell lies outside of what the five cells there show. */
static int outside(int value, const uint8_t *frame, int64_t rows, int64_t columns, int64_t y, int64_t x)
{
    const uint8_t *p = frame + y * columns + x;
    int low = *p, high = *p;
    const int64_t step[4] = { y > 0 ? -columns : 0, y + 1 < rows ? columns : 0, x > 0 ? -1 : 0,
                              x + 1 < columns ? 1 : 0 };
    for (int k = 0; k < 4; k++) {
        low = p[step[k]] < low ? p[step[k]] : low;
        high = p[step[k]] > high ? p[step[k]] : high;
    }
    return value < low ? low - value : value > high ? value - high : 0;
}

/* Mean of the greatest few differences that the nearest frames leave, in units of what all cells differ on the mean
 * from the nearest, for noise is everywhere. */
static double leftover(const uint8_t *frame, const uint8_t *const *near, int64_t count, int64_t rows, int64_t columns)
{
    int kept[ODDEST] = { 0 };
    int64_t whole = 0;
    for (int64_t i = 0; i < rows * columns; i++)
        whole += abs(frame[i] - near[0][i]);
    for (int64_t y = 0; y < rows; y++)
        for (int64_t x = 0; x < columns; x++) {
            int least = 255;
            for (int64_t k = 0; k < count; k++) {
                const int d = outside(frame[y * columns + x], near[k], rows, columns, y, x);
                least = d < least ? d : least;
            }
            int at = 0; /* kept ascending */
            for (; at < ODDEST && kept[at] < least; at++)
                if (at > 0)
                    kept[at - 1] = kept[at];
            if (at > 0)
                kept[at - 1] = least;
        }
    double sum = 0;
    for (int k = 0; k < ODDEST; k++)
        sum += kept[k];
    return sum / ODDEST / ((double)whole / (double)(rows * columns) + 1);
}

/* Frames first .. last - 1 of the normal ones stay out. */
static double odd_of(const physad__looks *m, const uint8_t *frame, int64_t first, int64_t last)
{
    const int64_t cells = m->rows * m->columns;
    const uint8_t *near[NEAR];
    int64_t least[NEAR], count = 0;
    for (int64_t i = 0; i < m->count; i++) {
        if (i >= first && i < last)
            continue;
        const int64_t d = unlike(frame, m->cells + i * cells, cells);
        int64_t at = physad__min(count, NEAR);
        for (; at > 0 && least[at - 1] > d; at--)
            if (at < NEAR) {
                least[at] = least[at - 1];
                near[at] = near[at - 1];
            }
        if (at < NEAR) {
            least[at] = d;
            near[at] = m->cells + i * cells;
            count = physad__min(count + 1, NEAR);
        }
    }
    return leftover(frame, near, count, m->rows, m->columns);
}

static double middle_of(const physad__looks *m, const uint8_t *cells, int64_t count, int64_t first, int64_t last)
{
    double odd[KEPT];
    for (int64_t i = 0; i < count; i++)
        odd[i] = odd_of(m, cells + i * m->rows * m->columns, first, last);
    physad__sort_doubles(odd, count);
    return (odd[(count - 1) / 2] + odd[count / 2]) / 2;
}

double physad__look_z(const physad__looks *m, const physad__look *look)
{
    if (m->takes < 2 || look->count == 0)
        return 0;
    return physad__usual_z(&m->usual, middle_of(m, look->cells, look->count, 0, 0));
}

/* --- learning ------------------------------------------------------------------------------------------------------
 */

void physad__looks_free(physad__looks *m)
{
    physad__free(m->cells);
    *m = (physad__looks){ 0 };
}

/* A take's frames, evenly. */
physad_status physad__looks_add(physad__motion_gathered *f, const physad__look *look)
{
    physad__looks *m = &f->m->looks;
    const int64_t takes = physad__min(f->count, PHYSAD__PART_TAKES), cells = look->rows * look->columns;
    const int64_t most = physad__max(LEAST_KEPT, MOST_FRAMES / takes), kept = physad__min(look->count, most);
    if (m->takes == takes || kept == 0)
        return PHYSAD_OK;
    if (m->cells == NULL) {
        m->cells = physad__alloc_array(f->mem, takes * physad__min(most, KEPT) * cells, sizeof(*m->cells), "frames");
        if (m->cells == NULL)
            return PHYSAD_ERR_NOMEM;
        m->rows = look->rows;
        m->columns = look->columns;
    }
    for (int64_t i = 0; i < kept; i++)
        memcpy(m->cells + (m->count + i) * cells, look->cells + i * look->count / kept * cells, (size_t)cells);
    f->look_at[m->takes++] = m->count;
    m->count += kept;
    f->look_at[m->takes] = m->count;
    return PHYSAD_OK;
}

/* Each take's frames beside those of all others. */
void physad__learn_looks(physad__motion_gathered *f)
{
    physad__looks *m = &f->m->looks;
    double values[PHYSAD__PART_TAKES];
    const int64_t cells = m->rows * m->columns;
    for (int64_t n = 0; n < m->takes && m->takes > 1; n++)
        values[n] = middle_of(m, m->cells + f->look_at[n] * cells, f->look_at[n + 1] - f->look_at[n], f->look_at[n],
                              f->look_at[n + 1]);
    if (m->takes < 2)
        return;
    physad__usual_learn(&m->usual, values, m->takes);
    m->usual.spread = fmax(m->usual.spread, LEAST_SPREAD);
}
