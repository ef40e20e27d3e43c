/* SPDX-License-Identifier: Apache-2.0 */
#include "splat/splat_internal.h"

#include <math.h>

#define CHUNK                                                                                                          \
    PHYSAD__SPLAT_PIECE /* Gaussians that are one piece of work; also the unit in which pose gradients are added up */

physad__splat_planes physad__splat_planes_at(float *memory, int64_t stride)
{
    const physad__splat_planes planes = {
        memory, memory + 3 * stride, memory + 6 * stride, memory + 10 * stride, memory + 11 * stride, stride
    };
    return planes;
}

physad__splat_camera physad__splat_camera_make(const double *rotation, const double *translation, double fx, double fy,
                                               double cx, double cy, int64_t width, int64_t height)
{
    physad__splat_camera c = { .fx = (float)fx, .fy = (float)fy, .cx = (float)cx, .cy = (float)cy,
                               .nearest = PHYSAD__SPLAT_NEAREST, .width = (int32_t)width, .height = (int32_t)height };
    for (int k = 0; k < 9; k++)
        c.rotation[k] = (float)rotation[k];
    for (int k = 0; k < 3; k++) {
        c.translation[k] = (float)translation[k];
        c.centre[k] = (float)-(rotation[k] * translation[0] + rotation[3 + k] * translation[1] +
                               rotation[6 + k] * translation[2]);
    }
    return c;
}

void physad__splat_camera_move(double rotation[9], double translation[3], const double tangent[6])
{
    const double *v = tangent, *w = tangent + 3, square = w[0] * w[0] + w[1] * w[1] + w[2] * w[2], angle = sqrt(square);
    const double s = angle > 1e-8 ? sin(angle) / angle : 1 - square / 6,
                 c = angle > 1e-4 ? (1 - cos(angle)) / square : 0.5 - square / 24;
    const double d = angle > 1e-3 ? (1 - s) / square : 1.0 / 6 - square / 120;
    const double cross[9] = { 0, -w[2], w[1], w[2], 0, -w[0], -w[1], w[0], 0 };
    double turn[9], shift[9], r[9], t[3];
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            const double twice = w[i] * w[j] - (i == j ? square : 0); /* of cross, multiplied with itself */
            turn[i * 3 + j] = (i == j) + s * cross[i * 3 + j] + c * twice;
            shift[i * 3 + j] = (i == j) + c * cross[i * 3 + j] + d * twice;
        }
    for (int i = 0; i < 3; i++) {
        t[i] = 0;
        for (int j = 0; j < 3; j++) {
            r[i * 3 + j] =
                turn[i * 3] * rotation[j] + turn[i * 3 + 1] * rotation[3 + j] + turn[i * 3 + 2] * rotation[6 + j];
            t[i] += turn[i * 3 + j] * translation[j] + shift[i * 3 + j] * v[j];
        }
    }
    memcpy(rotation, r, sizeof(r));
    memcpy(translation, t, sizeof(t));
}

physad_status physad__splat_new(physad__splat **out, physad_context *ctx)
{
    *out = NULL;
    physad__splat *s = physad__alloc_zero(&ctx->mem, sizeof(*s), "renderer");
    if (s == NULL)
        return PHYSAD_ERR_NOMEM;
    s->ctx = physad__context_retain(ctx);
    s->kernels = physad__splat_kernels_get(ctx->cpu_flags);
    *out = s;
    return PHYSAD_OK;
}

void physad__splat_free(physad__splat *s)
{
    if (s == NULL)
        return;
    void *const parts[] = { s->records, s->features, s->sums,  s->tiles, s->loss,   s->tallies,
                            s->keys,    s->rects,    s->lists, s->reach, s->starts, s->rows };
    for (int64_t i = 0; i < PHYSAD__COUNT(parts); i++)
        physad__free(parts[i]);
    physad_context *ctx = s->ctx;
    physad__free(s);
    physad_context_free(ctx);
}

const physad__splat_record *physad__splat_records(const physad__splat *s)
{
    return s->records;
}

int64_t physad__splat_pairs(const physad__splat *s)
{
    return s->n_pairs;
}

static physad_status check_input(const physad__splat_input *in)
{
    const physad__splat_camera *c = &in->camera;
    if (in->count < 0 || in->count > INT32_MAX / 64 || in->planes.stride < in->count ||
        in->planes.stride % PHYSAD__SPLAT_GROUP != 0)
        return physad__error(
            PHYSAD_ERR_ARG,
            "%lld Gaussians in planes of %lld numbers: want planes of a multiple of %d, at least as many",
            (long long)in->count, (long long)in->planes.stride, PHYSAD__SPLAT_GROUP);
    if (in->degree < 0 || in->degree > 3)
        return physad__error(PHYSAD_ERR_ARG, "harmonics of degree %d: want 0 to 3", in->degree);
    if (in->extra < 0 || in->extra + 4 > PHYSAD__SPLAT_MAX_CHANNELS || (in->extra > 0 && in->extra_values == NULL))
        return physad__error(PHYSAD_ERR_ARG, "%d further channels: want 0 to %d, with their values", in->extra,
                             PHYSAD__SPLAT_MAX_CHANNELS - 4);
    if (c->width < 1 || c->height < 1 || c->width > 32768 || c->height > 32768)
        return physad__error(PHYSAD_ERR_ARG, "a picture of %d x %d pixels: want 1 to 32768 each way", c->width,
                             c->height);
    if (!(c->fx > 0) || !(c->fy > 0) || !isfinite(c->fx) || !isfinite(c->fy) || !isfinite(c->cx) || !isfinite(c->cy))
        return physad__error(PHYSAD_ERR_ARG,
                             "a camera of focal lengths %g, %g and centre %g, %g: want positive, finite numbers",
                             (double)c->fx, (double)c->fy, (double)c->cx, (double)c->cy);
    for (int k = 0; k < 9; k++)
        if (!isfinite(c->rotation[k]) || !isfinite(c->translation[k % 3]))
            return physad__error(PHYSAD_ERR_ARG, "the camera's pose holds a number that is not finite");
    return PHYSAD_OK;
}

static physad_status project(physad__splat *s)
{
    physad__mem *mem = &s->ctx->mem;
    physad__splat_project *job = &s->job;
    const physad__splat_input *in = &s->input;
    const int64_t padded = physad__splat_stride(in->count), chunks = (padded + CHUNK - 1) / CHUNK;
    job->planes = in->planes;
    job->camera = in->camera;
    job->degree = in->degree;
    job->with_depth = in->with_depth;
    job->channels = 3 + in->with_depth + in->extra;
    PHYSAD__TRY(
        physad__grow(mem, &s->records, &s->records_size, padded + 1, sizeof(*s->records), "Gaussians on the picture"));
    PHYSAD__TRY(physad__grow(mem, &s->features, &s->features_size, padded * job->channels + 1, sizeof(float),
                             "colours of Gaussians"));
    job->records = s->records;
    job->features = s->features;
#pragma omp parallel for schedule(dynamic, 1) num_threads(s->ctx->threads)
    for (int64_t chunk = 0; chunk < chunks; chunk++)
        s->kernels->project(job, chunk * CHUNK, physad__min(chunk * CHUNK + CHUNK, padded));
    for (int64_t g = in->count; g < padded; g++) /* what lies behind the last */
        s->records[g].tiles_x = s->records[g].tiles_y = 0;
    for (int64_t g = 0; in->extra > 0 && g < in->count; g++)
        memcpy(s->features + g * job->channels + 3 + in->with_depth, in->extra_values + g * in->extra,
               (size_t)in->extra * sizeof(float));
    return PHYSAD_OK;
}

/* One tile's channel between its blocks and the picture's plane. */
typedef struct place {
    int64_t x, y, width, height; /* of the tile, cut at the picture's edge */
    int64_t row;                 /* of the picture */
} place;

static int64_t block_offset(int64_t x, int64_t y)
{
    return ((y >> 2) * 4 + (x >> 2)) * 16 + (y & 3) * 4 + (x & 3);
}

static place tile_place(const physad__splat *s, int64_t tile)
{
    const physad__splat_camera *c = &s->input.camera;
    place p = { .x = tile % s->tiles_x * PHYSAD__SPLAT_TILE,
                .y = tile / s->tiles_x * PHYSAD__SPLAT_TILE,
                .row = c->width };
    p.width = physad__min(PHYSAD__SPLAT_TILE, c->width - p.x);
    p.height = physad__min(PHYSAD__SPLAT_TILE, c->height - p.y);
    return p;
}

static void scatter(float *picture, const float *tile, place p)
{
    for (int64_t y = 0; y < p.height; y++) {
        float *row = picture + (p.y + y) * p.row + p.x;
        for (int64_t x = 0; x < p.width; x += 4)
            memcpy(row + x, tile + block_offset(x, y), (size_t)physad__min(4, p.width - x) * sizeof(float));
    }
}

static void gather(float *tile, const float *picture, place p)
{
    for (int64_t y = 0; y < p.height; y++) {
        const float *row = picture + (p.y + y) * p.row + p.x;
        for (int64_t x = 0; x < p.width; x += 4)
            memcpy(tile + block_offset(x, y), row + x, (size_t)physad__min(4, p.width - x) * sizeof(float));
    }
}

static void begin_transmittance(float *t, place p)
{
    for (int64_t i = 0; i < PHYSAD__SPLAT_PIXELS; i++)
        t[i] = -1;
    for (int64_t y = 0; y < p.height; y++)
        for (int64_t x = 0; x < p.width; x++)
            t[block_offset(x, y)] = 1;
}

static float *tile_memory(const physad__splat *s, int64_t tile)
{
    return s->tiles + tile * (s->job.channels + 1) * PHYSAD__SPLAT_PIXELS;
}

static physad__splat_tile tile_job(const physad__splat *s, int64_t tile)
{
    float *memory = tile_memory(s, tile);
    const physad__splat_tile t = {
        .records = s->records, .features = s->features, .channels = s->job.channels, .middle = s->input.middle,
        .x = (int32_t)(tile % s->tiles_x * PHYSAD__SPLAT_TILE), .y = (int32_t)(tile / s->tiles_x * PHYSAD__SPLAT_TILE),
        .list = s->lists + s->starts[tile], .n = s->starts[tile + 1] - s->starts[tile],
        .reach = s->reach + s->starts[tile],
        .transmittance = memory, .out = memory + PHYSAD__SPLAT_PIXELS,
    };
    return t;
}

/* From the sum over the middle half of the light to its mean. */
static void middle_depth(float *depth, const physad__splat_tile *t)
{
    const float *sum = t->out + 3 * PHYSAD__SPLAT_PIXELS;
    for (int i = 0; i < PHYSAD__SPLAT_PIXELS; i++) {
        const float taken = 1 - PHYSAD__SPLAT_MIDDLE - fmaxf(fabsf(t->transmittance[i]), PHYSAD__SPLAT_MIDDLE);
        depth[i] = taken > 1e-3f ? sum[i] / taken : 0;
    }
}

static void render_tile(const physad__splat *s, const physad__splat_images *images, int64_t tile)
{
    const physad__splat_tile t = tile_job(s, tile);
    const place p = tile_place(s, tile);
    const int64_t plane = (int64_t)s->input.camera.width * s->input.camera.height;
    float over[PHYSAD__SPLAT_PIXELS];
    begin_transmittance(t.transmittance, p);
    memset(t.out, 0, (size_t)s->job.channels * PHYSAD__SPLAT_PIXELS * sizeof(float));
    s->kernels->tile(&t);
    for (int ch = 0; ch < 3 && images->colour != NULL; ch++) {
        const float background = s->input.background[ch], *out = t.out + ch * PHYSAD__SPLAT_PIXELS;
        for (int i = 0; i < PHYSAD__SPLAT_PIXELS; i++)
            over[i] = out[i] + fabsf(t.transmittance[i]) * background;
        scatter(images->colour + ch * plane, over, p);
    }
    if (images->depth != NULL && s->input.middle) {
        middle_depth(over, &t);
        scatter(images->depth, over, p);
    } else if (images->depth != NULL) {
        scatter(images->depth, t.out + 3 * PHYSAD__SPLAT_PIXELS, p);
    }
    for (int i = 0; i < PHYSAD__SPLAT_PIXELS; i++)
        over[i] = 1 - fabsf(t.transmittance[i]);
    if (images->opacity != NULL)
        scatter(images->opacity, over, p);
    for (int ch = 0; ch < s->input.extra && images->extra != NULL; ch++)
        scatter(images->extra + ch * plane, t.out + (3 + s->input.with_depth + ch) * PHYSAD__SPLAT_PIXELS, p);
}

physad_status physad__splat_forward(physad__splat *s, const physad__splat_input *input,
                                    const physad__splat_images *images)
{
    s->ready = false;
    PHYSAD__TRY(check_input(input));
    if ((images->depth != NULL || input->middle) && !input->with_depth)
        return physad__error(PHYSAD_ERR_ARG, "an image of depth is wanted without with_depth");
    s->input = *input;
    s->tiles_x = (input->camera.width + PHYSAD__SPLAT_TILE - 1) / PHYSAD__SPLAT_TILE;
    s->tiles_y = (input->camera.height + PHYSAD__SPLAT_TILE - 1) / PHYSAD__SPLAT_TILE;
    PHYSAD__TRY(project(s));
    PHYSAD__TRY(physad__splat_bin(s));
    const int64_t tiles = s->tiles_x * s->tiles_y;
    PHYSAD__TRY(physad__grow(&s->ctx->mem, &s->tiles, &s->tiles_size,
                             tiles * (s->job.channels + 1) * PHYSAD__SPLAT_PIXELS, sizeof(float), "pixels of tiles"));
#pragma omp parallel for schedule(dynamic, 1) num_threads(s->ctx->threads)
    for (int64_t tile = 0; tile < tiles; tile++)
        render_tile(s, images, tile);
    s->ready = true;
    return PHYSAD_OK;
}

/* --- back --- */

static void render_tile_back(const physad__splat *s, const physad__splat_images *grads, int64_t tile)
{
    enum { PIXELS = PHYSAD__SPLAT_PIXELS };
    physad__splat_tile t = tile_job(s, tile);
    const place p = tile_place(s, tile);
    const int64_t plane = (int64_t)s->input.camera.width * s->input.camera.height;
    const float *background = s->input.background;
    float memory[(PHYSAD__SPLAT_MAX_CHANNELS + 3) * PIXELS];
    float *const base = memory, *const rest = memory + PIXELS, *const left = memory + 2 * PIXELS,
                 *const by = memory + 3 * PIXELS;
    memset(memory, 0, (size_t)(3 + t.channels) * PIXELS * sizeof(float));
    if (grads->opacity != NULL)
        gather(base, grads->opacity, p);
    for (int ch = 0; ch < 3 && grads->colour != NULL; ch++)
        gather(by + ch * PIXELS, grads->colour + ch * plane, p);
    if (grads->depth != NULL)
        gather(by + 3 * PIXELS, grads->depth, p);
    for (int ch = 0; ch < s->input.extra && grads->extra != NULL; ch++)
        gather(by + (3 + s->input.with_depth + ch) * PIXELS, grads->extra + ch * plane, p);
    for (int i = 0; i < PIXELS; i++) {
        const float through = fabsf(t.transmittance[i]);
        rest[i] = base[i] * (1 - through) + through * (by[i] * background[0] + by[PIXELS + i] * background[1] +
                                                       by[2 * PIXELS + i] * background[2]);
    }
    for (int ch = 0; ch < t.channels; ch++)
        for (int i = 0; i < PIXELS; i++)
            rest[i] += by[ch * PIXELS + i] * t.out[ch * PIXELS + i];
    begin_transmittance(left, p);
    t.transmittance = left;
    t.out = NULL;
    t.grads = by;
    t.base = base;
    t.rest = rest;
    t.sums = s->sums;
    s->kernels->tile_back(&t);
}

/* (count, extra) from the pairs' sums. */
static void extra_back(const physad__splat *s, float *extra)
{
    const int size = PHYSAD__SPLAT_MOMENTS + s->job.channels, n = s->input.extra;
#pragma omp parallel for schedule(static) num_threads(s->ctx->threads)
    for (int64_t g = 0; g < s->input.count; g++) {
        const physad__splat_record *r = s->records + g;
        const float *sums = s->sums + (int64_t)r->first * size + PHYSAD__SPLAT_MOMENTS + 3 + s->input.with_depth;
        memset(extra + g * n, 0, (size_t)n * sizeof(float));
        for (int64_t pair = 0; pair < (int64_t)r->tiles_x * r->tiles_y; pair++, sums += size)
            for (int k = 0; k < n; k++)
                extra[g * n + k] += sums[k];
    }
}

/* One chunk: its gradients go to the planes, or to memory of its own and from there to who takes them. */
static void chunk_back(physad__splat *s, const physad__splat_back *back, int64_t chunk)
{
    enum { PLANES = 11 + 3 * 16 };
    const int64_t begin = chunk * CHUNK, end = physad__min(begin + CHUNK, physad__splat_stride(s->input.count));
    float memory[(PLANES + 1) * CHUNK];
    physad__splat_project_back job = { .sums = s->sums, .grads = back->planes, .screen = back->screen };
    if (back->take != NULL) {
        job.first = begin;
        job.grads = physad__splat_planes_at(memory, CHUNK);
        job.screen = memory + PLANES * CHUNK;
    }
    s->kernels->project_back(&s->job, &job, begin, end);
    memcpy(s->rows + chunk * 6, job.pose, sizeof(job.pose));
    if (back->take != NULL)
        back->take(back->user, begin, end, memory, job.screen);
}

static physad_status project_back(physad__splat *s, physad__splat_back *back)
{
    const int64_t padded = physad__splat_stride(s->input.count), chunks = (padded + CHUNK - 1) / CHUNK;
    PHYSAD__TRY(
        physad__grow(&s->ctx->mem, &s->rows, &s->rows_size, chunks * 6 + 1, sizeof(double), "gradients of the pose"));
#pragma omp parallel for schedule(dynamic, 1) num_threads(s->ctx->threads)
    for (int64_t chunk = 0; chunk < chunks; chunk++)
        chunk_back(s, back, chunk);
    for (int64_t chunk = 0; chunk < chunks; chunk++)
        for (int k = 0; k < 6; k++)
            back->pose[k] += s->rows[chunk * 6 + k];
    return PHYSAD_OK;
}

physad_status physad__splat_backward(physad__splat *s, const physad__splat_images *grads, physad__splat_back *back)
{
    if (!s->ready)
        return physad__error(PHYSAD_ERR_STATE, "gradients are wanted before a picture was rendered");
    if (grads->depth != NULL && (!s->input.with_depth || s->input.middle))
        return physad__error(PHYSAD_ERR_ARG, "gradients of depth are given, but the picture was rendered without %s",
                             s->input.middle ? "its sum" : "with_depth");
    const int64_t tiles = s->tiles_x * s->tiles_y, size = PHYSAD__SPLAT_MOMENTS + s->job.channels;
    PHYSAD__TRY(physad__grow(&s->ctx->mem, &s->sums, &s->sums_size, s->n_pairs * size + 1, sizeof(float),
                             "gradients of tiles"));
#pragma omp parallel for schedule(dynamic, 1) num_threads(s->ctx->threads)
    for (int64_t tile = 0; tile < tiles; tile++)
        render_tile_back(s, grads, tile);
    memset(back->pose, 0, sizeof(back->pose));
    if (back->extra != NULL)
        extra_back(s, back->extra);
    if (back->planes.xyz != NULL || back->take != NULL)
        PHYSAD__TRY(project_back(s, back));
    return PHYSAD_OK;
}
