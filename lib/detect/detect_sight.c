/* SPDX-License-Identifier: Apache-2.0 */
/* A photo's map, brought to cells and to decades of rarity, with the depth of the scene behind it. */
#include "detect/detect_sight.h"

#include <math.h>
#include <stdlib.h>

#define WINDOW 3       /* cells to each side of a spot */
#define COUNTED 8 /* cells of the window that count, the greatest: as large as what a photo's score is the mean of */
#define APART 4        /* cells between spots, each way */
#define SAME_DEPTH 0.05
#define COMMON 0.95    /* this share of the map is what it rises to anyhow */
#define RARE 0.995     /* ten times rarer */
#define MOST_GROWN 4096

/* --- making --- */

/* The map's level that one pixel in twenty exceeds, and how much farther one in two hundred lies. */
static physad_status learn_scale(double *level, double *decade, physad__mem *mem, const float *map,
                                 const uint8_t *missing, int64_t n)
{
    int64_t kept = 0;
    float *sorted = physad__alloc_array(mem, n, sizeof(float), "sight");
    if (sorted == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++)
        if (!(missing != NULL && missing[i]) && isfinite(map[i]))
            sorted[kept++] = map[i];
    *level = *decade = 0;
    if (kept > 0) {
        physad__sort_floats(sorted, kept);
        *level = (double)sorted[(int64_t)(COMMON * (double)(kept - 1))];
        *decade = (double)sorted[(int64_t)(RARE * (double)(kept - 1))] - *level;
    }
    physad__free(sorted);
    return PHYSAD_OK;
}

static void fill_cells(physad__sight *s, const physad__posed_look *look, const float *map, const uint8_t *missing,
                       double level, double decade)
{
    const int64_t w = look->camera.width;
    for (int64_t i = 0; i < s->height * s->width; i++) {
        const int64_t top = i / s->width * PHYSAD__SIGHT_CELL, left = i % s->width * PHYSAD__SIGHT_CELL;
        const int64_t centre = (top + PHYSAD__SIGHT_CELL / 2) * w + left + PHYSAD__SIGHT_CELL / 2;
        double sum = 0;
        int64_t n = 0;
        for (int64_t k = 0; k < PHYSAD__SIGHT_CELL * PHYSAD__SIGHT_CELL; k++) {
            const int64_t at = (top + k / PHYSAD__SIGHT_CELL) * w + left + k % PHYSAD__SIGHT_CELL;
            if ((missing != NULL && missing[at]) || !isfinite(map[at]))
                continue;
            sum += (double)map[at];
            n++;
        }
        s->rise[i] = n > 0 ? (float)((sum / (double)n - level) / decade) : NAN;
        s->depth[i] = look->opacity[centre] > 0.5f ? look->depth[centre] : 0;
    }
}

physad_status physad__sight_make(physad__sight **out, const physad__posed_model *m, const physad__scene_view *photo,
                                 const physad_camera *camera, const float *map)
{
    physad__mem *mem = &m->ctx->mem;
    physad__posed_look look = { 0 };
    double level, decade;
    const int64_t height = camera->height / PHYSAD__SIGHT_CELL, width = camera->width / PHYSAD__SIGHT_CELL;
    *out = NULL;
    PHYSAD__TRY(learn_scale(&level, &decade, mem, map, photo->missing, camera->height * camera->width));
    physad__sight *s = physad__alloc_zero(mem, sizeof(*s), "sight");
    if (s == NULL)
        return PHYSAD_ERR_NOMEM;
    *s = (physad__sight){
        .camera = *camera, .lens = photo->lens, .height = height, .width = width, .surprises = m->method->surprises
    };
    s->rise = physad__alloc_array(mem, height * width, sizeof(float), "sight");
    s->depth = physad__alloc_array(mem, height * width, sizeof(float), "sight");
    physad_status status =
        s->rise != NULL && s->depth != NULL ? physad__posed_look_make(&look, m, &m->scene, camera) : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK) {
        fill_cells(s, &look, map, photo->missing, level, s->surprises || !(decade > 0) ? 1 : decade);
        *out = s;
    } else {
        physad__sight_free(s);
    }
    physad__posed_look_free(&look);
    return status;
}

physad__sight *physad__sight_retain(physad__sight *s)
{
    if (s != NULL)
        s->others++;
    return s;
}

void physad__sight_free(physad__sight *s)
{
    if (s == NULL || s->others-- > 0)
        return;
    physad__free(s->rise);
    physad__free(s->depth);
    physad__free(s);
}

/* --- looking --- */

/* Mean of the greatest cells of the window; what counts nowhere is as common as can be. */
static double level_at(const physad__sight *s, int64_t y, int64_t x)
{
    double greatest[COUNTED], sum = 0;
    int64_t n = 0;
    for (int64_t r = physad__max(y - WINDOW, 0); r <= physad__min(y + WINDOW, s->height - 1); r++)
        for (int64_t c = physad__max(x - WINDOW, 0); c <= physad__min(x + WINDOW, s->width - 1); c++) {
            const double v = (double)s->rise[r * s->width + c];
            int64_t at = n < COUNTED ? n : COUNTED - 1;
            if (isnan(v) || (n == COUNTED && v <= greatest[at]))
                continue;
            n += n < COUNTED;
            for (; at > 0 && greatest[at - 1] < v; at--)
                greatest[at] = greatest[at - 1];
            greatest[at] = v;
        }
    for (int64_t k = 0; k < n; k++)
        sum += greatest[k];
    return n > 0 ? sum / (double)n : 0;
}

static void place_of(const physad__sight *s, int64_t cell, double out[3])
{
    const physad_camera *c = &s->camera;
    const double u = ((double)(cell % s->width) + 0.5) * PHYSAD__SIGHT_CELL,
                 v = ((double)(cell / s->width) + 0.5) * PHYSAD__SIGHT_CELL;
    physad__camera_unproject(c, u, v, (double)s->depth[cell], out);
}

double physad__sight_level(const physad__sight *s, const double p[3])
{
    const physad_camera *c = &s->camera;
    double q[3];
    if (!physad__camera_project(c, p, q))
        return NAN;
    const double u = q[0] / PHYSAD__SIGHT_CELL, v = q[1] / PHYSAD__SIGHT_CELL;
    if (!(u < (double)s->width && v < (double)s->height))
        return NAN;
    const int64_t cell = (int64_t)v * s->width + (int64_t)u;
    const double depth = (double)s->depth[cell];
    return depth > 0 && fabs(q[2] - depth) <= SAME_DEPTH * depth ? level_at(s, (int64_t)v, (int64_t)u) : NAN;
}

/* Cells around that are connected and rise at least half as much, as a disc in space. */
static double radius_of(const physad__sight *s, int64_t cell)
{
    int64_t grown[MOST_GROWN] = { cell }, n = 1;
    const float least = s->rise[cell] / 2;
    for (int64_t i = 0; i < n; i++) {
        const int64_t y = grown[i] / s->width, x = grown[i] % s->width;
        const int64_t around[4] = { y > 0 ? grown[i] - s->width : -1, y + 1 < s->height ? grown[i] + s->width : -1,
                                    x > 0 ? grown[i] - 1 : -1, x + 1 < s->width ? grown[i] + 1 : -1 };
        for (int k = 0; k < 4 && n < MOST_GROWN; k++) {
            bool known = around[k] < 0 || !(s->rise[around[k]] >= least);
            for (int64_t j = 0; j < n && !known; j++)
                known = grown[j] == around[k];
            if (!known)
                grown[n++] = around[k];
        }
    }
    const double pixels = sqrt((double)n / M_PI) * PHYSAD__SIGHT_CELL;
    return pixels * (double)s->depth[cell] * 2 / (s->camera.fx + s->camera.fy);
}

int64_t physad__sight_spots(const physad__sight *s, physad__spot spots[PHYSAD__SIGHT_SPOTS])
{
    int64_t n = 0;
    while (n < PHYSAD__SIGHT_SPOTS) {
        int64_t best = -1;
        for (int64_t i = 0; i < s->height * s->width; i++) {
            bool free_one = s->depth[i] > 0 && s->rise[i] > 0 && (best < 0 || s->rise[i] > s->rise[best]);
            for (int64_t k = 0; k < n && free_one; k++)
                free_one = llabs(i / s->width - spots[k].cell / s->width) > APART ||
                           llabs(i % s->width - spots[k].cell % s->width) > APART;
            best = free_one ? i : best;
        }
        if (best < 0)
            break;
        spots[n] = (physad__spot){ .cell = best,
                                   .level = level_at(s, best / s->width, best % s->width),
                                   .radius = radius_of(s, best) };
        place_of(s, best, spots[n++].place);
    }
    return n;
}

void physad__sight_pixel(const physad__sight *s, int64_t cell, double *y, double *x)
{
    const physad_camera *c = &s->camera;
    const double u = ((double)(cell % s->width) + 0.5) * PHYSAD__SIGHT_CELL,
                 v = ((double)(cell / s->width) + 0.5) * PHYSAD__SIGHT_CELL;
    physad__lens_project(&s->lens, (u - c->cx) / c->fx, (v - c->cy) / c->fy, x, y);
}
