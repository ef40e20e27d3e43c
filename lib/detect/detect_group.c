/* SPDX-License-Identifier: Apache-2.0 */
/* One verdict of many photos. A place that several photos find odd is rarer than any of them says, for shares of normal
 * places multiply and their logarithms add up; a place that only one of those that see it finds odd is less. */
#include "detect/detect_sight.h"

#include <physad/group.h>

#include <math.h>
#include <stdlib.h>

#define MOST_PLACES 8
#define MOST_SUMMED 64  /* other photos of a place, those that say most */
#define ONE_IN_TEN                                                                                                     \
    0.2 /* decades that a normal place reaches in one of ten photos, above what the photo's map rises to anyhow */
#define AGREES 1.0      /* decades */

struct physad_group {
    physad_context *ctx;
    double score;
    int32_t anomalous;
    int64_t count;
    physad_place places[MOST_PLACES];
};

/* Keeps the greatest, in falling order, so that the sum does not hang on the order of photos; returns how many. */
static int64_t insert(double *sorted, int64_t n, double value)
{
    int64_t at = n < MOST_SUMMED ? n : MOST_SUMMED - 1;
    if (n == MOST_SUMMED && value <= sorted[at])
        return n;
    for (; at > 0 && sorted[at - 1] < value; at--)
        sorted[at] = sorted[at - 1];
    sorted[at] = value;
    return n < MOST_SUMMED ? n + 1 : n;
}

/* What all photos say of a spot of photo `own`: its own decades, and of each other photo that sees the place those
 * beyond what one normal place in ten reaches. Where it is nothing special to them it loses as much at most: a spike of
 * one photo alone is less than it seems. */
static physad_place look_at(const physad_result *const *results, int64_t count, int64_t own, const physad__spot *spot,
                            bool first)
{
    const physad_result *r = results[own];
    physad_place p = {
        .struct_size = sizeof(p), .photo = (int32_t)own, .agreeing = 1, .seen_by = 1, .radius = spot->radius
    };
    double others[MOST_SUMMED];
    int64_t n = 0;
    memcpy(p.position, spot->place, sizeof(p.position));
    physad__sight_pixel(r->sight, spot->cell, &p.y, &p.x);
    for (int64_t i = 0; i < count; i++) {
        const double level =
            i != own && results[i]->sight != NULL ? physad__sight_level(results[i]->sight, spot->place) : (double)NAN;
        if (isnan(level))
            continue;
        p.seen_by++;
        p.agreeing += level >= AGREES;
        n = insert(others, n, fmax(level - ONE_IN_TEN, -ONE_IN_TEN));
    }
    p.score = first && r->sight->surprises ? r->score : spot->level;
    for (int64_t i = 0; i < n; i++)
        p.score += others[i];
    return p;
}

/* Oddest first; then by place, so that the order of photos does not matter. */
static int compare(const void *a, const void *b)
{
    const physad_place *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    for (int k = 0; k < 3; k++)
        if (x->position[k] != y->position[k])
            return x->position[k] < y->position[k] ? -1 : 1;
    return 0;
}

static bool is_known(const physad_group *g, const physad_place *p)
{
    for (int64_t i = 0; i < g->count; i++) {
        const physad_place *q = &g->places[i];
        double square = 0;
        for (int k = 0; k < 3; k++)
            square += (p->position[k] - q->position[k]) * (p->position[k] - q->position[k]);
        if (sqrt(square) <= p->radius + q->radius)
            return true;
    }
    return false;
}

static physad_status find_places(physad_group *g, const physad_result *const *results, int64_t count)
{
    int64_t n = 0;
    physad_place *all = physad__alloc_array(&g->ctx->mem, count * PHYSAD__SIGHT_SPOTS, sizeof(*all), "places");
    if (all == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < count; i++) {
        physad__spot spots[PHYSAD__SIGHT_SPOTS];
        const int64_t found = results[i]->sight != NULL ? physad__sight_spots(results[i]->sight, spots) : 0;
        for (int64_t k = 0; k < found; k++)
            all[n++] = look_at(results, count, i, &spots[k], k == 0);
    }
    if (n > 0)
        qsort(all, (size_t)n, sizeof(*all), compare);
    for (int64_t i = 0; i < n && g->count < MOST_PLACES; i++)
        if (!is_known(g, &all[i]))
            g->places[g->count++] = all[i];
    physad__free(all);
    return PHYSAD_OK;
}

/* That of the oddest place, where scores are surprises; photos that know no places count by themselves. */
static void find_score(physad_group *g, const physad_result *const *results, int64_t count)
{
    g->score = -INFINITY;
    for (int64_t i = 0; i < count; i++)
        if (count == 1 || g->count == 0 || results[i]->sight == NULL || !results[i]->sight->surprises)
            g->score = fmax(g->score, results[i]->score);
    if (count > 1 && g->count > 0 && g->places[0].score > g->score && results[g->places[0].photo]->sight->surprises)
        g->score = g->places[0].score;
}

static physad_status check(const physad_result *const *results, int64_t count)
{
    if (results == NULL || count < 1)
        return physad__error(PHYSAD_ERR_ARG, "physad_group_new: %s",
                             results == NULL ? "results is NULL" : "want at least one result");
    for (int64_t i = 0; i < count; i++) {
        if (results[i] == NULL)
            return physad__error(PHYSAD_ERR_ARG, "physad_group_new: results[%lld] is NULL", (long long)i);
        if (results[i]->origin != results[0]->origin)
            return physad__error(
                PHYSAD_ERR_ARG, "physad_group_new: results[%lld] is of another detector than results[0]", (long long)i);
        if (results[i]->frame_count > 0)
            return physad__error(PHYSAD_ERR_ARG, "physad_group_new: results[%lld] is of a video; want photos",
                                 (long long)i);
    }
    return physad__context_check(results[0]->origin->ctx, "physad_group_new");
}

physad_status physad_group_new(physad_group **out, const physad_result *const *results, int64_t count)
{
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_group_new: out is NULL");
    *out = NULL;
    PHYSAD__TRY(check(results, count));
    physad_context *ctx = results[0]->origin->ctx;
    physad_group *g = physad__alloc_zero(&ctx->mem, sizeof(*g), "group");
    if (g == NULL)
        return PHYSAD_ERR_NOMEM;
    g->ctx = ctx;
    const physad_status status = find_places(g, results, count);
    if (status != PHYSAD_OK) {
        physad__free(g);
        return status;
    }
    find_score(g, results, count);
    g->anomalous = isnan(results[0]->threshold) ? -1 : g->score > results[0]->threshold;
    g->ctx = physad__context_retain(ctx);
    *out = g;
    return PHYSAD_OK;
}

void physad_group_free(physad_group *group)
{
    if (group == NULL)
        return;
    physad_context *ctx = group->ctx;
    physad__free(group);
    physad_context_free(ctx);
}

double physad_group_score(const physad_group *group)
{
    return group != NULL ? group->score : NAN;
}

int32_t physad_group_is_anomalous(const physad_group *group)
{
    return group != NULL ? group->anomalous : -1;
}

int64_t physad_group_place_count(const physad_group *group)
{
    return group != NULL ? group->count : 0;
}

physad_status physad_group_place(const physad_group *group, int64_t index, physad_place *place)
{
    if (group == NULL || place == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_group_place: %s is NULL", group == NULL ? "group" : "place");
    if (place->struct_size != sizeof(*place))
        return physad__error(PHYSAD_ERR_ARG, "physad_place: struct_size is wrong; use PHYSAD_PLACE_INIT");
    if (index < 0 || index >= group->count)
        return physad__error(PHYSAD_ERR_ARG, "physad_group_place: index is %lld of %lld", (long long)index,
                             (long long)group->count);
    *place = group->places[index];
    return PHYSAD_OK;
}
