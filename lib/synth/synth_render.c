/* SPDX-License-Identifier: Apache-2.0 */
/* Draws a scene: rays are marched through the signed distance in tiles that share the way up to the first possible hit;
 * pixels on edges get four more rays. Every pixel is a function of the scene alone, so threads change nothing. Hart,
 * "Sphere tracing", 1996. */
#include "synth/synth.h"

#define TILE 8
static const float STEP = 0.9f; /* eggs round their distance up a little */
static const float HIT = 6e-4f;
static const float THIRDS[3][2] = { { 0.15f, 0.38f },
                                    { 0.62f, 0.15f },
                                    { 0.74f, 0.85f } }; /* beside the pixel's middle */
static const float SUB_PIXEL[4][2] = { { 0.375f, 0.125f }, { 0.875f, 0.375f }, { 0.625f, 0.875f }, { 0.125f, 0.625f } };

/* --- the scene as one distance -------------------------------------------------------------------------- */

float physad__scene_distance(const physad__scene *scene, physad__v3 p)
{
    const physad__defect *defect = scene->defect;
    if (defect == NULL || (defect->type != PHYSAD__SQUEEZED && defect->type != PHYSAD__MISSING))
        return physad__solid_distance(scene->solid, p);
    if (defect->type == PHYSAD__MISSING)
        return physad__maxf(physad__solid_distance(scene->solid, p), -physad__defect_cut(defect, p));
    return physad__solid_distance(scene->solid, physad__defect_undo(defect, p));
}

/* A step that is surely free. Where a dent bends space the distance is too steep; around it, a pushed wall may be
 * nearer than the sound one, but not nearer than the dent's ball, nor by more than the push. */
static float free_step(const physad__scene *scene, physad__v3 p)
{
    const physad__defect *defect = scene->defect;
    const float d = physad__scene_distance(scene, p);
    if (defect == NULL || defect->type != PHYSAD__SQUEEZED || d < HIT)
        return d;
    const float away = physad__v3_length(physad__v3_sub(p, defect->centre)) - defect->reach;
    if (away > 0)
        return physad__minf(d, physad__maxf(away, d - defect->size[2]) + 0.004f);
    return physad__maxf(0.55f * d, HIT);
}

physad__v3 physad__scene_normal(const physad__scene *scene, physad__v3 p)
{
    const float e = 1.5e-3f;
    static const physad__v3 k[4] = { { 1, -1, -1 }, { -1, -1, 1 }, { -1, 1, -1 }, { 1, 1, 1 } };
    physad__v3 n = { 0, 0, 0 };
    for (int i = 0; i < 4; i++)
        n = physad__v3_along(n, k[i], physad__scene_distance(scene, physad__v3_along(p, k[i], e)));
    return physad__v3_unit(n);
}

/* The stretch of a ray inside a ball; false when it misses. */
static bool ball_span(physad__v3 from, physad__v3 d, physad__v3 centre, float radius, float *near, float *far)
{
    const physad__v3 oc = physad__v3_sub(from, centre);
    const float b = physad__v3_dot(oc, d), gap = b * b - physad__v3_dot(oc, oc) + radius * radius;
    if (gap <= 0)
        return false;
    const float half = sqrtf(gap);
    *near = -b - half;
    *far = -b + half;
    return *far > 0;
}

float physad__scene_march(const physad__scene *scene, physad__v3 from, physad__v3 direction, float start, float most)
{
    float near, far;
    if (!ball_span(from, direction, scene->solid->centre, scene->solid->radius + 0.02f, &near, &far))
        return -1;
    float t = physad__maxf(start, near);
    far = physad__minf(far, most);
    for (int i = 0; i < 160 && t < far; i++) {
        const float d = free_step(scene, physad__v3_along(from, direction, t));
        if (d < HIT)
            return t;
        t += STEP * d;
    }
    return -1;
}

bool physad__scene_sees(const physad__scene *scene, physad__v3 eye, physad__v3 p, physad__v3 n)
{
    const physad__v3 way = physad__v3_sub(eye, p), d = physad__v3_unit(way);
    if (physad__v3_dot(d, n) < 0.15f)
        return false;
    return physad__scene_march(scene, physad__v3_along(p, n, 0.02f), d, 0, physad__v3_length(way)) < 0;
}

/* --- camera --------------------------------------------------------------------------------------------- */

void physad__camera_look(physad__camera *camera, physad__v3 target, double azimuth, double elevation, double distance,
                         double roll)
{
    const double degree = (double)PHYSAD__PI / 180, a = azimuth * degree, e = elevation * degree, r = roll * degree;
    const double back[3] = { cos(a) * cos(e), sin(a) * cos(e), sin(e) };
    const double right0[3] = { -sin(a), cos(a), 0 }, up0[3] = { -cos(a) * sin(e), -sin(a) * sin(e), cos(e) };
    const double at[3] = { (double)target.x, (double)target.y, (double)target.z };
    for (int i = 0; i < 3; i++) {
        camera->pose[i][0] = cos(r) * right0[i] + sin(r) * up0[i];
        camera->pose[i][1] = cos(r) * up0[i] - sin(r) * right0[i];
        camera->pose[i][2] = back[i];
        camera->pose[i][3] = at[i] + distance * back[i];
    }
    const double last[4] = { 0, 0, 0, 1 };
    memcpy(camera->pose[3], last, sizeof(last));
}

static physad__v3 camera_eye(const physad__camera *c)
{
    return (physad__v3){ (float)c->pose[0][3], (float)c->pose[1][3], (float)c->pose[2][3] };
}

/* Through the place (x, y) of the photo, in pixels, the first pixel's middle at (0.5, 0.5). */
static physad__v3 camera_ray(const physad__camera *c, float x, float y)
{
    const double u = ((double)x - c->cx) / c->focal, v = -((double)y - c->cy) / c->focal;
    physad__v3 d;
    d.x = (float)(c->pose[0][0] * u + c->pose[0][1] * v - c->pose[0][2]);
    d.y = (float)(c->pose[1][0] * u + c->pose[1][1] * v - c->pose[1][2]);
    d.z = (float)(c->pose[2][0] * u + c->pose[2][1] * v - c->pose[2][2]);
    return physad__v3_unit(d);
}

/* --- one ray -------------------------------------------------------------------------------------------- */

typedef struct hit {
    physad__v3 color, normal;
    float t;
    int32_t id;   /* 0 backdrop, 1 table, 2 broken face, 3 ... parts */
    bool covered; /* the scene's or `about` defect is seen */
} hit;

static void shade_object(const physad__scene *scene, const physad__defect *about, physad__v3 p, physad__v3 direction,
                         hit *h)
{
    const physad__solid *solid = scene->solid;
    const physad__defect *defect = scene->defect;
    const physad__v3 n = physad__scene_normal(scene, p);
    const physad__v3 sound = defect != NULL ? physad__defect_undo(defect, p) : p;
    const bool broken = defect != NULL && -physad__defect_cut(defect, p) > physad__solid_distance(solid, p) + 1e-4f;
    physad__surface s;
    h->normal = n;
    if (broken) {
        const float grain = physad__noise_sum(physad__v3_scale(p, 22), 3);
        s = (physad__surface){ physad__v3_scale(physad__v3_from(solid->object->core), 0.7f + 0.6f * grain), n, 0.85f,
                               0 };
        h->id = 2;
    } else {
        const int32_t which = physad__solid_part(solid, sound);
        const physad__part *part = &solid->parts[which];
        physad__surface_at(&s, &solid->object->materials[part->shape->material], physad__part_local(part, sound),
                           physad__part_turn(part, n), scene->symmetric);
        s.normal = physad__part_turn_back(part, s.normal);
        if (defect != NULL)
            physad__defect_paint(defect, p, n, &s);
        h->id = 3 + part->shape->material;
    }
    h->covered = about != NULL && physad__defect_covers(about, sound, n, broken);
    h->color = physad__light_surface(scene, p, n, direction, &s);
}

/* `start`: nothing of the object is nearer; negative: it is not met at all. */
static hit cast(const physad__scene *scene, const physad__defect *about, physad__v3 eye, physad__v3 direction,
                float start)
{
    hit h = { .normal = { 0, 0, 1 }, .t = 100 };
    const bool table = scene->background == PHYSAD_SYNTH_TABLE && direction.z < -1e-4f;
    const float floor_at = table ? -eye.z / direction.z : 1e6f;
    const float t = start < 0 ? -1 : physad__scene_march(scene, eye, direction, start, floor_at);
    if (t >= 0) {
        h.t = t;
        shade_object(scene, about, physad__v3_along(eye, direction, t), direction, &h);
    } else if (table) {
        h.t = floor_at;
        h.id = 1;
        h.color = physad__light_table(scene, physad__v3_along(eye, direction, floor_at), direction, floor_at);
    } else {
        h.color = physad__light_backdrop(scene, direction);
    }
    return h;
}

/* How far all rays of a tile may go together; negative: past the object. */
static float tile_start(const physad__scene *scene, const physad__camera *camera, physad__v3 eye, int32_t x0,
                        int32_t y0)
{
    const physad__v3 d = camera_ray(camera, (float)x0 + TILE / 2.0f, (float)y0 + TILE / 2.0f);
    const float spread = (0.7072f * TILE + 0.8f) / (float)camera->focal;
    const float reach = scene->solid->radius + 0.02f;
    const physad__v3 to = physad__v3_sub(scene->solid->centre, eye);
    const float middle = physad__v3_dot(to, d),
                aside = sqrtf(physad__maxf(physad__v3_dot(to, to) - middle * middle, 0));
    const float last = middle + reach;
    if (aside > reach + spread * last)
        return -1;
    float t = physad__maxf(middle - reach * 1.05f - spread * last, 0);
    for (int i = 0; i < 60 && t < last; i++) {
        const float slack = free_step(scene, physad__v3_along(eye, d, t)) - spread * t;
        if (slack < 0.005f)
            return physad__maxf(t - 0.01f, 0);
        t += 0.9f * slack;
    }
    return t < last ? t : -1;
}

/* --- the photo ------------------------------------------------------------------------------------------ */

typedef struct key {
    physad__v3 normal;
    float t, tone;
    int32_t id;
} key;

typedef struct drawing {
    const physad__scene *scene;
    const physad__camera *camera;
    physad__v3 eye;
    int32_t width, height, across; /* tiles in a row */
    float *start;                  /* of each tile */
    key *keys;
    uint8_t *marked;
    physad__v3 *color;
    uint8_t *covered, *changed; /* with a mask */
} drawing;

static void draw_tile(drawing *w, int32_t tile)
{
    const int32_t x0 = tile % w->across * TILE, y0 = tile / w->across * TILE;
    w->start[tile] = tile_start(w->scene, w->camera, w->eye, x0, y0);
    if (w->covered != NULL) { /* for the sound object too, which may begin earlier */
        physad__scene sound = *w->scene;
        sound.defect = NULL;
        const float start = tile_start(&sound, w->camera, w->eye, x0, y0);
        w->start[tile] = w->start[tile] < 0 ? start : start < 0 ? w->start[tile] : physad__minf(start, w->start[tile]);
    }
    for (int32_t y = y0; y < y0 + TILE && y < w->height; y++) {
        for (int32_t x = x0; x < x0 + TILE && x < w->width; x++) {
            const hit h =
                cast(w->scene, NULL, w->eye, camera_ray(w->camera, (float)x + 0.5f, (float)y + 0.5f), w->start[tile]);
            const int64_t at = (int64_t)y * w->width + x;
            w->color[at] = h.color;
            w->keys[at] = (key){ h.normal, h.t, sqrtf(0.25f * h.color.x + 0.6f * h.color.y + 0.15f * h.color.z), h.id };
        }
    }
}

static bool differ(const key *a, const key *b)
{
    return a->id != b->id || fabsf(a->t - b->t) > 0.03f * a->t || physad__v3_dot(a->normal, b->normal) < 0.9f ||
           fabsf(a->tone - b->tone) > (a->id == 1 ? 0.12f : 0.045f); /* the table's grain may be coarse */
}

static void mark_row(drawing *w, int32_t y)
{
    for (int32_t x = 0; x < w->width; x++) {
        const key *k = &w->keys[(int64_t)y * w->width + x];
        w->marked[(int64_t)y * w->width + x] = (x > 0 && differ(k, k - 1)) || (x + 1 < w->width && differ(k, k + 1)) ||
                                               (y > 0 && differ(k, k - w->width)) ||
                                               (y + 1 < w->height && differ(k, k + w->width));
    }
}

static physad__v3 encode(physad__v3 c);

/* Pixels where the defect may be seen are drawn with and without it from the same rays. */
static void compare_pixel(drawing *w, int32_t x, int32_t y, float start)
{
    const physad__defect *defect = w->scene->defect;
    physad__scene sound = *w->scene;
    sound.defect = NULL;
    physad__v3 sum[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
    int32_t covered = 0;
    for (int i = 0; i < 4; i++) {
        const physad__v3 ray = camera_ray(w->camera, (float)x + SUB_PIXEL[i][0], (float)y + SUB_PIXEL[i][1]);
        const hit with = cast(w->scene, defect, w->eye, ray, start);
        const hit without = cast(&sound, defect, w->eye, ray, start);
        sum[0] = physad__v3_add(sum[0], with.color);
        sum[1] = physad__v3_add(sum[1], without.color);
        covered += with.covered || without.covered;
    }
    const int64_t at = (int64_t)y * w->width + x;
    w->color[at] = physad__v3_scale(sum[0], 0.25f);
    const physad__v3 a = encode(w->color[at]), b = encode(physad__v3_scale(sum[1], 0.25f));
    const float most = physad__maxf(fabsf(a.x - b.x), physad__maxf(fabsf(a.y - b.y), fabsf(a.z - b.z)));
    w->covered[at] = covered >= 2;
    w->changed[at] = most > 3.0f / 255;
}

/* Whether a pixel may show the defect or the place where it ought to be. */
static bool may_show(const drawing *w, int64_t at, physad__v3 ray)
{
    const physad__defect *d = w->scene->defect;
    float near, far;
    if (!ball_span(w->eye, ray, d->centre, d->reach + 0.02f, &near, &far))
        return false;
    if (w->marked[at] || d->type == PHYSAD__MISSING || d->type == PHYSAD__SQUEEZED)
        return true;
    return w->keys[at].t > near - 0.02f &&
           w->keys[at].t < far + 0.02f; /* paint moves nothing: what is hit must lie in the ball */
}

static void refine_row(drawing *w, int32_t y)
{
    for (int32_t x = 0; x < w->width; x++) {
        const int64_t at = (int64_t)y * w->width + x;
        const bool compare =
            w->covered != NULL && may_show(w, at, camera_ray(w->camera, (float)x + 0.5f, (float)y + 0.5f));
        if (!w->marked[at] && !compare)
            continue;
        const float start = w->start[(int64_t)(y / TILE) * w->across + x / TILE];
        if (compare) {
            compare_pixel(w, x, y, start);
            continue;
        }
        physad__v3 sum = w->color[at];
        for (int i = 0; i < 3; i++) {
            const physad__v3 ray = camera_ray(w->camera, (float)x + THIRDS[i][0], (float)y + THIRDS[i][1]);
            sum = physad__v3_add(sum, cast(w->scene, NULL, w->eye, ray, start).color);
        }
        w->color[at] = physad__v3_scale(sum, 0.25f);
    }
}

/* The largest (or smallest) of 2 r + 1 bytes along a line of `n`, `step` apart; outside counts as 0. */
static void spread_line(uint8_t *out, const uint8_t *in, int32_t n, int64_t step, int32_t r, bool largest)
{
    for (int32_t i = 0; i < n; i++) {
        uint8_t v = largest ? 0 : 1;
        for (int32_t k = i - r; k <= i + r; k++) {
            const uint8_t u = k < 0 || k >= n ? 0 : in[k * step];
            v = largest ? (uint8_t)(v | u) : (uint8_t)(v & u);
        }
        out[i * step] = v;
    }
}

/* Morphological closing with a square, then the covered part of it. */
static void make_mask(drawing *w, uint8_t *mask)
{
    const int32_t r = (int32_t)physad__max(1, (physad__min(w->width, w->height) + 32) / 64);
    for (int pass = 0; pass < 2; pass++) {
        for (int32_t y = 0; y < w->height; y++)
            spread_line(w->marked + (int64_t)y * w->width, w->changed + (int64_t)y * w->width, w->width, 1, r,
                        pass == 0);
        for (int32_t x = 0; x < w->width; x++)
            spread_line(w->changed + x, w->marked + x, w->height, w->width, r, pass == 0);
    }
    for (int64_t i = 0; i < (int64_t)w->width * w->height; i++)
        mask[i] = w->covered[i] && w->changed[i] ? 255 : 0;
}

static void draw(drawing *w, uint8_t *mask)
{
    const int32_t tiles = w->across * ((w->height + TILE - 1) / TILE);
#pragma omp parallel for schedule(dynamic, 4)
    for (int32_t i = 0; i < tiles; i++)
        draw_tile(w, i);
#pragma omp parallel for schedule(static)
    for (int32_t y = 0; y < w->height; y++)
        mark_row(w, y);
#pragma omp parallel for schedule(dynamic, 2)
    for (int32_t y = 0; y < w->height; y++)
        refine_row(w, y);
    if (mask != NULL)
        make_mask(w, mask);
}

physad_status physad__render(physad_context *ctx, const physad__scene *scene, const physad__camera *camera,
                             physad__v3 *color, uint8_t *mask)
{
    drawing w = { .scene = scene,
                  .camera = camera,
                  .eye = camera_eye(camera),
                  .width = camera->width,
                  .height = camera->height,
                  .across = (camera->width + TILE - 1) / TILE,
                  .color = color };
    const int64_t pixels = (int64_t)w.width * w.height, tiles = (int64_t)w.across * ((w.height + TILE - 1) / TILE);
    w.start = physad__alloc_array(&ctx->mem, tiles, sizeof(*w.start), "tiles of a drawing");
    w.keys = physad__alloc_array(&ctx->mem, pixels, sizeof(*w.keys), "edges of a drawing");
    w.marked = physad__alloc_zero(&ctx->mem, (size_t)pixels, "edges of a drawing");
    bool ready = w.start != NULL && w.keys != NULL && w.marked != NULL;
    if (ready && mask != NULL) {
        w.covered = physad__alloc_zero(&ctx->mem, (size_t)pixels, "mask of a drawing");
        w.changed = physad__alloc_zero(&ctx->mem, (size_t)pixels, "mask of a drawing");
        ready = w.covered != NULL && w.changed != NULL;
    }
    if (ready)
        draw(&w, mask);
    physad__free(w.start);
    physad__free(w.keys);
    physad__free(w.marked);
    physad__free(w.covered);
    physad__free(w.changed);
    return ready ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

/* --- from light to bytes ---------------------------------------------------------------------------------- */

/* Bright light runs into white softly; then the sRGB curve. */
static float encode_one(float x)
{
    x = physad__maxf(x, 0);
    if (x > 0.7f)
        x = 1 - 0.3f * expf((0.7f - x) / 0.3f);
    return x <= 0.0031308f ? 12.92f * x : 1.055f * powf(x, 1 / 2.4f) - 0.055f;
}

static physad__v3 encode(physad__v3 c)
{
    return (physad__v3){ encode_one(c.x), encode_one(c.y), encode_one(c.z) };
}

void physad__develop(uint8_t *rgb, const physad__v3 *color, int32_t width, int32_t height, float exposure, float noise,
                     uint64_t seed, uint64_t stream)
{
#pragma omp parallel for schedule(static)
    for (int32_t y = 0; y < height; y++) {
        physad__rng rng; /* one for each row, so that rows may be made in any order */
        physad__rng_seed(&rng, seed, stream + (uint64_t)y);
        for (int32_t x = 0; x < width; x++) {
            const int64_t at = (int64_t)y * width + x;
            const physad__v3 e = encode(physad__v3_scale(color[at], exposure));
            const float v[3] = { e.x, e.y, e.z };
            for (int k = 0; k < 3; k++) {
                const float grain = noise > 0 ? noise * (0.4f + 0.6f * v[k]) * (float)physad__rng_normal(&rng) : 0;
                rgb[3 * at + k] = (uint8_t)(physad__clampf(v[k] + grain, 0, 1) * 255 + 0.5f);
            }
        }
    }
}
