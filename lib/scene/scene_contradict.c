/* SPDX-License-Identifier: Apache-2.0 */
/* Poses that contradict what photos show. From right poses, two photos find the same place at the same depth; from a
 * wrong one they do so by chance, on one place of ten. */
#include "scene/scene_depths.h"
#include "scene/scene_photos.h"

#include <math.h>

#define SIDE 161         /* pixels, below: photos are halved to that; an error of a degree is a pixel or two */
#define LEAST_PHOTOS 5   /* of which two that contradict each other can be told from the others */
#define LEAST_LEFT 3     /* of them, to say what is usual */
#define LEAST_FOUND 100  /* depths of a photo, for a share of them to mean something */
#define MOST_APART 1.2   /* of neighbours: from farther apart right poses, too, show little in common */
#define LEAST_SHARE 0.4 /* of depths that neighbours find as well: below that, it is chance ... */
#define LEAST_PART 0.45  /* ... or the motif, if the others' shares are not much larger */
#define DOUBTED 0.35     /* median share, below which all poses are compared with the same poses mixed up */
#define BETTER 1.25      /* times the share of those: what poses that say anything reach */
#define POOR 0.25        /* median share, below which that is said */
#define NAMED 10         /* photos that are warned of by name */

typedef struct judge {
    physad__depths depths;
    double *shares, *room; /* per photo; -1: not known */
    bool *worst;
    physad__call *call;
} judge;

/* Radians between where two cameras look, however they are held, and the way between them, of the extent. */
static double apart(const physad__depths *d, const physad__eye *e, int64_t k)
{
    const physad_camera *a = &e->view.camera, *b = &d->eyes[e->near[k]].view.camera;
    const double along = a->rotation[6] * b->rotation[6] + a->rotation[7] * b->rotation[7] +
                         a->rotation[8] * b->rotation[8];
    return acos(fmin(fmax(along, -1), 1)) + physad__pose_distance(a, b) / d->extent;
}

/* Whether two photos see the same from near by. */
static bool has_company(const physad__depths *d, const physad__eye *e)
{
    int64_t n = 0;
    for (int64_t k = 0; k < e->n; k++)
        n += apart(d, e, k) < MOST_APART;
    return n >= 2;
}

/* How much of what the photo found others found too; -1 where that says nothing. */
static double share_of(const physad__depths *d, const physad__eye *e)
{
    int64_t found = 0, sure = 0;
    for (int64_t i = 0; i < physad__eye_plane(e); i++) {
        found += e->depth[i] > 0;
        sure += e->sure[i];
    }
    return found >= LEAST_FOUND && has_company(d, e) ? (double)sure / (double)found : -1;
}

/* Of the photos that take part; their median share, or -1. */
static double take_shares(judge *j)
{
    int64_t n = 0;
    for (int64_t i = 0; i < j->depths.count; i++) {
        j->shares[i] = share_of(&j->depths, &j->depths.eyes[i]);
        if (j->shares[i] >= 0 && !j->depths.eyes[i].out)
            j->room[n++] = j->shares[i];
    }
    physad__sort_doubles(j->room, n);
    return n >= LEAST_LEFT ? j->room[n / 2] : -1;
}

static bool is_wrong(double share, double median)
{
    return share >= 0 && share < LEAST_SHARE && share < LEAST_PART * median;
}

/* Takes a photo out; those beside which it stood find other neighbours. */
static physad_status leave_out(physad__depths *d, int64_t photo)
{
    d->eyes[photo].out = true;
    for (int64_t i = 0; i < d->count; i++) {
        bool beside = i == photo;
        for (int64_t k = 0; k < d->eyes[i].n; k++)
            beside = beside || d->eyes[i].near[k] == photo;
        if (beside)
            PHYSAD__TRY(physad__depths_renew(d, i));
    }
    return PHYSAD_OK;
}

/* Whether it is wrong, and none beside it more so: a wrong pose lowers its neighbours' shares as well. */
static bool is_worst(const judge *j, int64_t photo, double median)
{
    const physad__depths *d = &j->depths;
    if (d->eyes[photo].out || !is_wrong(j->shares[photo], median))
        return false;
    for (int64_t i = 0; i < d->count; i++) {
        bool beside = false;
        for (int64_t k = 0; k < PHYSAD__NEIGHBOURS; k++)
            beside = beside || (k < d->eyes[i].n && d->eyes[i].near[k] == photo) ||
                     (k < d->eyes[photo].n && d->eyes[photo].near[k] == i);
        if (beside && !d->eyes[i].out && j->shares[i] >= 0 &&
            (j->shares[i] < j->shares[photo] || (j->shares[i] <= j->shares[photo] && i < photo)))
            return false;
    }
    return true;
}

/* The worst of each neighbourhood go, until none is wrong or half are gone. At the end, those that are out are compared
 * with what is left, and come back where that agrees. */
static physad_status part(judge *j, double *median, int64_t *out)
{
    physad__depths *d = &j->depths;
    bool more = true;
    for (*out = 0; more;) {
        PHYSAD__TRY(physad__depths_find(d, j->call));
        *median = take_shares(j);
        more = false;
        for (int64_t i = 0; i < d->count; i++)
            j->worst[i] = is_worst(j, i, *median);
        for (int64_t i = 0; i < d->count && 2 * (*out + 1) <= d->count; i++)
            if (j->worst[i]) {
                PHYSAD__TRY(leave_out(d, i));
                ++*out;
                more = true;
            }
    }
    for (int64_t i = 0; i < d->count; i++)
        if (d->eyes[i].out)
            PHYSAD__TRY(physad__depths_renew(d, i));
    PHYSAD__TRY(physad__depths_find(d, j->call));
    take_shares(j);
    *out = 0;
    for (int64_t i = 0; i < d->count; i++) {
        d->eyes[i].out = d->eyes[i].out && is_wrong(j->shares[i], *median);
        *out += d->eyes[i].out;
    }
    return PHYSAD_OK;
}

/* The median share when each photo has the pose of another. */
static physad_status mix_up(judge *j, double *median)
{
    physad__depths *d = &j->depths;
    physad__rng rng;
    physad__rng_seed(&rng, 0, 0xc027);
    for (int64_t i = d->count - 1; i > 0; i--) { /* a cycle through all of them (Sattolo): nobody keeps its own */
        const int64_t k = physad__rng_below(&rng, i);
        const physad_camera a = d->eyes[i].view.camera, b = d->eyes[k].view.camera;
        memcpy(d->eyes[i].view.camera.rotation, b.rotation, sizeof(b.rotation));
        memcpy(d->eyes[i].view.camera.translation, b.translation, sizeof(b.translation));
        memcpy(d->eyes[k].view.camera.rotation, a.rotation, sizeof(a.rotation));
        memcpy(d->eyes[k].view.camera.translation, a.translation, sizeof(a.translation));
    }
    for (int64_t i = 0; i < d->count; i++)
        d->eyes[i].out = false;
    for (int64_t i = 0; i < d->count; i++)
        PHYSAD__TRY(physad__depths_renew(d, i));
    PHYSAD__TRY(physad__depths_find(d, j->call));
    *median = take_shares(j);
    return PHYSAD_OK;
}

/* Takes the views that are out away; those that are held out were not looked at. */
static void drop(physad__scene_views *v, const judge *j, double median, const char *data)
{
    int64_t kept = 0, dropped = 0, eye = 0;
    for (int64_t i = 0; i < v->count; i++) {
        const int64_t own = v->views[i].held_out ? -1 : eye++;
        if (own < 0 || !j->depths.eyes[own].out) {
            v->views[kept++] = v->views[i];
            continue;
        }
        if (++dropped <= NAMED)
            physad__log(j->depths.ctx, PHYSAD_LOG_WARNING,
                        "%s: the pose of %s contradicts those of the photos beside it, which see %.0f %% of what it "
                        "shows at its depth (half of the photos: %.0f %% and more); the photo is left out",
                        data, v->views[i].name, 100 * j->shares[own], 100 * median);
        physad__scene_view_clear(&v->views[i]);
    }
    if (dropped > NAMED)
        physad__log(j->depths.ctx, PHYSAD_LOG_WARNING, "%s: so do the poses of %lld more photos", data,
                    (long long)(dropped - NAMED));
    v->count = kept;
}

static physad_status judge_all(judge *j, physad__scene_views *v, const char *data)
{
    double median, mixed;
    int64_t out;
    PHYSAD__TRY(physad__depths_open(&j->depths, v, SIDE));
    PHYSAD__TRY(part(j, &median, &out));
    if (median < 0)
        return PHYSAD_OK;
    physad__log(j->depths.ctx, PHYSAD_LOG_INFO,
                "%s: photos find %.0f %% of their depths where those beside them find them", data, 100 * median);
    if (median >= DOUBTED) {
        drop(v, j, median, data);
        return PHYSAD_OK;
    }
    PHYSAD__TRY(mix_up(j, &mixed));
    if (median >= BETTER * mixed) {
        if (median >= POOR)
            return PHYSAD_OK;
        physad__log(j->depths.ctx, PHYSAD_LOG_WARNING,
                    "%s: photos find only %.0f %% of their depths where those beside them find them (%.0f %% were each "
                    "to have another's pose): are the poses exact, and does the thing have more than gloss to show?",
                    data, 100 * median, 100 * mixed);
        return PHYSAD_OK;
    }
    return physad__error(PHYSAD_ERR_NUMERIC,
                         "%s: the poses contradict what the photos show: they agree on %.0f %% of their depths, and on "
                         "%.0f %% with the poses mixed up; want photos and poses of one world, in one order",
                         data, 100 * median, 100 * mixed);
}

physad_status physad__scene_contradictions(physad__scene_views *v, physad_context *ctx, const char *data,
                                           physad__call *call)
{
    judge j = { .depths = { .ctx = ctx, .extent = v->extent }, .call = call };
    if (v->count < LEAST_PHOTOS)
        return PHYSAD_OK;
    j.shares = physad__alloc_array(&ctx->mem, 2 * v->count, sizeof(*j.shares), "photos that are judged");
    j.worst = physad__alloc_array(&ctx->mem, v->count, sizeof(*j.worst), "photos that are judged");
    j.room = j.shares != NULL ? j.shares + v->count : NULL;
    const physad_status status = j.shares != NULL && j.worst != NULL ? judge_all(&j, v, data) : PHYSAD_ERR_NOMEM;
    physad__depths_close(&j.depths);
    physad__free(j.shares);
    physad__free(j.worst);
    return status;
}
