/* SPDX-License-Identifier: Apache-2.0 */
/* The pose of a photo: guesses by features, the best of them refined through the renderer, and a verdict whether any
 * fits. */
#include "metrics/metrics.h"
#include "scene/scene_pose.h"

#include <math.h>
#include <stdlib.h>

#define MOST_VIEWS 8   /* training photos that guesses come from */
#define KEPT_FIRST 7   /* guesses that are refined at the coarse, the middle and the fine level */
#define KEPT_COARSE 4
#define KEPT_FINE 3
#define COST_SCALE 0.1 /* of the best's cost: as much worse a hypothesis is e times less likely */

/* --- what is normal --- */

/* The level whose longer side is nearest to 240 pixels from below: where agreement is measured. */
static int32_t middle_level(const physad__align_photo *photo)
{
    int32_t level = 0;
    while (level + 1 < photo->count &&
           physad__max(photo->levels[level].camera.width, photo->levels[level].camera.height) > 240)
        level++;
    return level;
}

/* The camera of those in the views that looks most another way, or stands farthest. */
static int64_t farthest(const physad__scene_views *views, int64_t from)
{
    const physad_camera *c = &views->views[from].camera;
    int64_t best = from;
    double most = -1;
    for (int64_t i = 0; i < views->count; i++) {
        const double apart = physad__pose_angle(c, &views->views[i].camera) +
                             physad__pose_distance(c, &views->views[i].camera) / views->extent;
        if (apart > most) {
            most = apart;
            best = i;
        }
    }
    return best;
}

/* Agreement of the training photos with the scene from their own places, and from wrong ones. */
static physad_status learn_agreement(physad__locator *l, physad__aligner *a, const physad__scene_views *views,
                                     physad__call *call)
{
    physad__mem *mem = &l->ctx->mem;
    double *own = physad__alloc_array(mem, 2 * views->count, sizeof(double), "agreement"), *other = own + views->count;
    physad_status status = own != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    physad__call_stage(call, "agreement", views->count);
    for (int64_t i = 0; status == PHYSAD_OK && i < views->count; i++) {
        physad__align_photo photo;
        status = physad__align_photo_make(&photo, mem, &views->views[i]);
        if (status != PHYSAD_OK)
            break;
        status = physad__align_agreement(a, &photo, middle_level(&photo), &views->views[i].camera, &own[i]);
        if (status == PHYSAD_OK)
            status = physad__align_agreement(a, &photo, middle_level(&photo), &views->views[farthest(views, i)].camera,
                                             &other[i]);
        physad__align_photo_free(&photo);
        if (status == PHYSAD_OK)
            status = physad__call_tick(call, i + 1);
    }
    if (status == PHYSAD_OK) {
        l->normal = physad__median(own, views->count);
        l->foreign = physad__median(other, views->count);
    }
    physad__free(own);
    return status;
}

/* --- the locator --- */

void physad__locator_close(physad__locator *l)
{
    physad__matcher_close(&l->matcher);
    *l = (physad__locator){ 0 };
}

physad_status physad__locator_open(physad__locator *l, physad_context *ctx, const physad__gaussians *scene,
                                   const float background[3], const physad__scene_views *views,
                                   physad_features *features, physad__call *call)
{
    physad__aligner a;
    int64_t width = 1, height = 1;
    *l = (physad__locator){ .ctx = ctx, .scene = scene, .lens = views->views[0].lens };
    memcpy(l->background, background, sizeof(l->background));
    for (int64_t i = 0; i < views->count; i++) {
        width = physad__max(width, views->views[i].camera.width);
        height = physad__max(height, views->views[i].camera.height);
    }
    l->side = physad__max(width, height);
    PHYSAD__TRY(physad__aligner_open(&a, ctx, scene, background, width, height));
    physad_status status = physad__matcher_reserve(&l->matcher, ctx, features, views->count);
    if (status == PHYSAD_OK)
        status = physad__matcher_learn(&l->matcher, &a, views, call);
    if (status == PHYSAD_OK)
        status = learn_agreement(l, &a, views, call);
    physad__aligner_close(&a);
    if (status != PHYSAD_OK)
        physad__locator_close(l);
    return status;
}

/* --- hypotheses --- */

static int compare_guess(const void *a, const void *b)
{
    const physad__guess *x = a, *y = b;
    return x->cost != y->cost ? (x->cost > y->cost) - (x->cost < y->cost) : (x->view > y->view) - (x->view < y->view);
}

/* Best first; of two that came to one pose the better one stays. */
static int64_t keep_distinct(physad__guess *guesses, int64_t n, int64_t most, double extent)
{
    int64_t kept = 0;
    qsort(guesses, (size_t)n, sizeof(*guesses), compare_guess);
    for (int64_t i = 0; i < n && kept < most; i++) {
        bool known = false;
        for (int64_t k = 0; k < kept && !known; k++)
            known = physad__pose_angle(&guesses[k].pose, &guesses[i].pose) < 0.02 &&
                    physad__pose_distance(&guesses[k].pose, &guesses[i].pose) < 0.02 * extent;
        if (!known)
            guesses[kept++] = guesses[i];
    }
    return kept;
}

static physad_status refine(physad__aligner *a, const physad__align_photo *photo, int32_t level, int32_t steps,
                            bool exact, physad__guess *guesses, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        PHYSAD__TRY(physad__cancelled(a->ctx));
        PHYSAD__TRY(physad__align(a, photo, level, steps, exact, &guesses[i].pose, &guesses[i].cost));
    }
    return PHYSAD_OK;
}

static double mean_distance(const physad__matcher *m)
{
    double centre[3] = { 0 }, sum = 0;
    int64_t n = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < m->count; i++) {
            double p[3], square = 0;
            physad__camera_centre(&m->cameras[i], p);
            for (int k = 0; k < 3; k++) {
                centre[k] += pass == 0 ? p[k] / (double)m->count : 0;
                square += (p[k] - centre[k]) * (p[k] - centre[k]);
            }
            sum += pass == 1 ? sqrt(square) : 0;
            n += pass;
        }
    return sum / (double)n;
}

/* Those that are much worse than the best one go. */
static void drop_worse(const physad__guess *guesses, int64_t *n, double factor)
{
    while (*n > 1 && guesses[*n - 1].cost > factor * guesses[0].cost)
        (*n)--;
}

static physad_status search(const physad__locator *l, physad__aligner *a, const physad__align_photo *photo,
                            physad__guess *guesses, int64_t *n)
{
    const double extent = mean_distance(&l->matcher);
    const int32_t last = photo->count - 1, middle = photo->count > 2 ? 1 : 0;
    PHYSAD__TRY(refine(a, photo, last, 0, false, guesses, *n));
    *n = keep_distinct(guesses, *n, KEPT_FIRST, extent);
    PHYSAD__TRY(refine(a, photo, last, 25, false, guesses, *n));
    *n = keep_distinct(guesses, *n, KEPT_COARSE, extent);
    drop_worse(guesses, n, 1.6);
    for (int32_t level = last - 1; level >= middle; level--)
        PHYSAD__TRY(refine(a, photo, level, 20, false, guesses, *n));
    *n = keep_distinct(guesses, *n, KEPT_FINE, extent);
    drop_worse(guesses, n, 1 + 5 * COST_SCALE); /* e to the fifth times less likely */
    if (middle > 0)
        PHYSAD__TRY(refine(a, photo, 0, 3, false, guesses, *n));
    PHYSAD__TRY(refine(a, photo, 0, 8, true, guesses, *n));
    *n = keep_distinct(guesses, *n, KEPT_FINE, extent);
    drop_worse(guesses, n, 1 + 5 * COST_SCALE);
    return PHYSAD_OK;
}

/* The training photo whose camera is nearest. */
static int64_t nearest(const physad__matcher *m, const physad_camera *pose)
{
    const double extent = mean_distance(m);
    int64_t best = 0;
    double least = INFINITY;
    for (int64_t i = 0; i < m->count; i++) {
        const double apart =
            physad__pose_angle(pose, &m->cameras[i]) + physad__pose_distance(pose, &m->cameras[i]) / extent;
        if (apart < least) {
            least = apart;
            best = i;
        }
    }
    return best;
}

/* Which hypotheses are the likely ones, and how well they fit at all: the most confident first. */
static physad_status judge(const physad__locator *l, physad__aligner *a, const physad__align_photo *photo,
                           const physad__guess *guesses, int64_t n, physad__pose *poses)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += exp(-(guesses[i].cost / guesses[0].cost - 1) / COST_SCALE);
    for (int64_t i = 0; i < n; i++) {
        double agreement;
        PHYSAD__TRY(physad__align_agreement(a, photo, middle_level(photo), &guesses[i].pose, &agreement));
        const double fit = (agreement - l->foreign) / fmax(l->normal - l->foreign, 0.05);
        poses[i] = (physad__pose){ .camera = guesses[i].pose,
                                   .loss = guesses[i].cost,
                                   .agreement = agreement,
                                   .view = nearest(&l->matcher, &guesses[i].pose) };
        poses[i].fit = fmin(fmax(fit, 0), 1);
        poses[i].confidence = poses[i].fit * exp(-(guesses[i].cost / guesses[0].cost - 1) / COST_SCALE) / sum;
        for (int64_t at = i; at > 0 && poses[at].confidence > poses[at - 1].confidence; at--) {
            const physad__pose later = poses[at - 1];
            poses[at - 1] = poses[at];
            poses[at] = later;
        }
    }
    return PHYSAD_OK;
}

/* --- photos of a camera that was held another way --- */

/* The photo turned by quarters against the clock in a picture of its size: what juts out is cut off, what is left over
 * is missing. A camera's x and y become y and -x with each quarter. */
static physad_status turn(physad__scene_view *out, physad__mem *mem, const physad__scene_view *in, int quarters)
{
    const physad_camera *c = &in->camera;
    const int64_t w = c->width, h = c->height, plane = w * h, s = quarters == 2 ? 0 : (w - h) / 2;
    *out = (physad__scene_view){ .camera = *c, .lens = in->lens };
    out->pixels = physad__alloc_zero(mem, (size_t)(3 * plane) * sizeof(float), "a turned photo");
    out->missing = physad__alloc(mem, (size_t)plane, "a turned photo");
    if (out->pixels == NULL || out->missing == NULL)
        return PHYSAD_ERR_NOMEM;
    out->camera.fx = quarters == 2 ? c->fx : c->fy;
    out->camera.fy = quarters == 2 ? c->fy : c->fx;
    out->camera.cx = quarters == 1 ? c->cy + (double)s : quarters == 2 ? (double)w - c->cx : (double)(h + s) - c->cy;
    out->camera.cy = quarters == 1 ? (double)(w - s) - c->cx : quarters == 2 ? (double)h - c->cy : c->cx - (double)s;
    for (int64_t i = 0; i < plane; i++) {
        const int64_t x = i % w, y = i / w;
        const int64_t from_x = quarters == 1 ? w - 1 - s - y : quarters == 2 ? w - 1 - x : y + s;
        const int64_t from_y = quarters == 1 ? x - s : quarters == 2 ? h - 1 - y : h - 1 + s - x;
        const bool inside = from_x >= 0 && from_x < w && from_y >= 0 && from_y < h;
        const int64_t from = from_y * w + from_x;
        out->missing[i] = !inside || (in->missing != NULL && in->missing[from]);
        for (int ch = 0; ch < 3 && inside; ch++)
            out->pixels[ch * plane + i] = in->pixels[ch * plane + from];
    }
    return PHYSAD_OK;
}

/* A pose of the turned photo as one of the photo. */
static void turn_back(physad_camera *pose, const physad_camera *lens, int quarters)
{
    physad_camera back = *lens;
    memcpy(back.rotation, pose->rotation, sizeof(back.rotation));
    memcpy(back.translation, pose->translation, sizeof(back.translation));
    for (int q = 0; q < quarters; q++) {
        const double t = back.translation[0];
        back.translation[0] = -back.translation[1];
        back.translation[1] = t;
        for (int k = 0; k < 3; k++) {
            const double r = back.rotation[k];
            back.rotation[k] = -back.rotation[3 + k];
            back.rotation[3 + k] = r;
        }
    }
    *pose = back;
}

/* --- photos from much nearer or farther than others --- */

/* The photo in a picture of its size, everything `zoom` times as large, about the middle. */
static physad_status scale(physad__scene_view *out, physad__mem *mem, const physad__scene_view *in, double zoom)
{
    const physad_camera *c = &in->camera;
    const int64_t w = c->width, h = c->height, plane = w * h, fine = (int64_t)ceil(1 / zoom) * 2;
    *out = (physad__scene_view){ .camera = *c, .lens = in->lens };
    out->pixels = physad__alloc_zero(mem, (size_t)(3 * plane) * sizeof(float), "a scaled photo");
    out->missing = physad__alloc(mem, (size_t)plane, "a scaled photo");
    if (out->pixels == NULL || out->missing == NULL)
        return PHYSAD_ERR_NOMEM;
    out->camera.fx *= zoom;
    out->camera.fy *= zoom;
    out->camera.cx = (c->cx - (double)w / 2) * zoom + (double)w / 2;
    out->camera.cy = (c->cy - (double)h / 2) * zoom + (double)h / 2;
    for (int64_t i = 0; i < plane; i++) {
        float sum[3] = { 0 }, n = 0;
        for (int64_t k = 0; k < fine * fine; k++) { /* parts of a pixel */
            const double x = (double)(i % w) + ((double)(k % fine) + 0.5) / (double)fine - (double)w / 2,
                         y = (double)(i / w) + ((double)(k / fine) + 0.5) / (double)fine - (double)h / 2;
            const int64_t u = (int64_t)floor(x / zoom + (double)w / 2), v = (int64_t)floor(y / zoom + (double)h / 2);
            if (u < 0 || v < 0 || u >= w || v >= h || (in->missing != NULL && in->missing[v * w + u]))
                continue;
            n++;
            for (int ch = 0; ch < 3; ch++)
                sum[ch] += in->pixels[ch * plane + v * w + u];
        }
        out->missing[i] = 2 * n < (float)(fine * fine);
        for (int ch = 0; ch < 3 && n > 0; ch++)
            out->pixels[ch * plane + i] = sum[ch] / n;
    }
    return PHYSAD_OK;
}

/* --- guesses --- */

/* How the photo is matched: as it is; its three other quarters, for the network knows things by their upright look;
 * smaller and larger, for it knows them by their size as well. */
enum { AS_IT_IS, TURNED, SCALED, MANNERS };

static physad_status change(physad__scene_view *out, physad__mem *mem, const physad__scene_view *view, int manner,
                            int index)
{
    static const double zooms[2] = { 0.6, 1.6 };
    return manner == SCALED ? scale(out, mem, view, zooms[index]) : turn(out, mem, view, index + 1);
}

static physad_status guess(const physad__locator *l, const physad__scene_view *view, int manner,
                           physad__guess *guesses, int64_t *n)
{
    *n = 0;
    if (manner == AS_IT_IS)
        return physad__matcher_guess(&l->matcher, view, MOST_VIEWS, guesses, n);
    for (int index = 0; index < (manner == SCALED ? 2 : 3); index++) {
        physad__scene_view other;
        int64_t more = 0;
        physad_status status = change(&other, &l->ctx->mem, view, manner, index);
        if (status == PHYSAD_OK)
            status = physad__matcher_guess(&l->matcher, &other, MOST_VIEWS, guesses + *n, &more);
        physad__scene_view_clear(&other);
        PHYSAD__TRY(status);
        for (int64_t i = 0; i < more; i++)
            turn_back(&guesses[*n + i].pose, &view->camera, manner == TURNED ? index + 1 : 0);
        *n += more;
    }
    return PHYSAD_OK;
}

static physad_status find(const physad__locator *l, physad__aligner *a, const physad__align_photo *photo,
                          const physad__scene_view *view, int manner, physad__pose poses[PHYSAD__POSES], int64_t *n)
{
    physad__guess guesses[3 * (2 * MOST_VIEWS + PHYSAD__JOINT_GUESSES)];
    PHYSAD__TRY(guess(l, view, manner, guesses, n));
    PHYSAD__TRY(search(l, a, photo, guesses, n));
    return judge(l, a, photo, guesses, *n, poses);
}

physad_status physad__locator_find(const physad__locator *l, const physad__scene_view *view, double least_fit,
                                   physad__pose poses[PHYSAD__POSES], int64_t *n)
{
    physad__pose other[PHYSAD__POSES];
    physad__align_photo photo;
    physad__aligner a;
    int64_t count = 0;
    *n = 0;
    PHYSAD__TRY(physad__align_photo_make(&photo, &l->ctx->mem, view));
    physad_status status =
        physad__aligner_open(&a, l->ctx, l->scene, l->background, view->camera.width, view->camera.height);
    if (status == PHYSAD_OK)
        status = find(l, &a, &photo, view, AS_IT_IS, poses, &count);
    for (int manner = TURNED; status == PHYSAD_OK && manner < MANNERS && poses[0].fit < PHYSAD__LEAST_FIT; manner++) {
        int64_t others = 0;
        status = find(l, &a, &photo, view, manner, other, &others);
        if (status == PHYSAD_OK && other[0].fit > poses[0].fit) {
            memcpy(poses, other, sizeof(other));
            count = others;
        }
    }
    if (status == PHYSAD_OK)
        *n = count;
    if (status == PHYSAD_OK && !(poses[0].fit >= least_fit))
        status = physad__error(
            PHYSAD_ERR_NUMERIC,
            "the photo does not show the scene: from the best pose found they agree by %.2f, where training "
            "photos agree by %.2f and wrong poses by %.2f (fit %.2f, want %.2f)",
            poses[0].agreement, l->normal, l->foreign, poses[0].fit, least_fit);
    physad__aligner_close(&a);
    physad__align_photo_free(&photo);
    return status;
}

physad_status physad__locator_most_alike(const physad__locator *l, const physad__scene_view *view, physad__pose *pose)
{
    physad__guess guesses[2 + PHYSAD__JOINT_GUESSES];
    int64_t n;
    PHYSAD__TRY(physad__matcher_guess(&l->matcher, view, 1, guesses, &n));
    *pose = (physad__pose){ .camera = guesses[0].pose, .view = guesses[0].view, .fit = 1, .confidence = 1, .loss = 1 };
    return PHYSAD_OK;
}
