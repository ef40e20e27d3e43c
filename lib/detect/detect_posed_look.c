/* SPDX-License-Identifier: Apache-2.0 */
/* What methods of the posed family are made of: pictures from a pose, cells of pixels, colours brought to each other,
 * top means. */
#include "detect/detect_posed.h"

#include <math.h>
#include <stdlib.h>

void physad__posed_look_free(physad__posed_look *look)
{
    physad__free(look->colour);
    *look = (physad__posed_look){ 0 };
}

physad_status physad__posed_look_make(physad__posed_look *out, const physad__posed_model *m,
                                      const physad__gaussians *scene, const physad_camera *camera)
{
    const int64_t plane = camera->width * camera->height;
    physad__splat *splat;
    physad__splat_input in = { .planes = physad__splat_planes_at(scene->planes, scene->stride),
                               .count = scene->count,
                               .degree = scene->degree,
                               .with_depth = true,
                               .middle = true,
                               .camera = physad__scene_camera(camera, scene->nearest) };
    *out = (physad__posed_look){ .camera = *camera };
    out->colour = physad__alloc_array(&m->ctx->mem, 5 * plane, sizeof(float), "picture");
    if (out->colour == NULL)
        return PHYSAD_ERR_NOMEM;
    out->depth = out->colour + 3 * plane;
    out->opacity = out->colour + 4 * plane;
    memcpy(in.background, m->background, sizeof(in.background));
    const physad__splat_images images = { out->colour, out->depth, out->opacity, NULL };
    physad_status status = physad__splat_new(&splat, m->ctx);
    if (status == PHYSAD_OK) {
        status = physad__splat_forward(splat, &in, &images);
        physad__splat_free(splat);
    }
    if (status != PHYSAD_OK)
        physad__posed_look_free(out);
    return status;
}

/* The network's input: interleaved, normalised. */
static physad_status make_input(float **out, const physad__posed_model *m, const float *pixels)
{
    physad_backbone_info info = PHYSAD_BACKBONE_INFO_INIT;
    const int64_t plane = m->height * m->width;
    PHYSAD__TRY(physad_backbone_describe(physad_features_backbone(m->network), &info));
    *out = physad__alloc_array(&m->ctx->mem, 3 * plane, sizeof(float), "photo");
    if (*out == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < plane; i++)
        for (int ch = 0; ch < 3; ch++)
            (*out)[3 * i + ch] = (fminf(fmaxf(pixels[ch * plane + i], 0), 1) - info.mean[ch]) / info.std[ch];
    return PHYSAD_OK;
}

physad_status physad__posed_cells(const physad__posed_model *m, const float *pixels, float *cells)
{
    const int64_t in[4] = { 1, m->height, m->width, 3 }, out[4] = { 1, m->grid_height, m->grid_width, m->dim };
    float *input;
    PHYSAD__TRY(make_input(&input, m, pixels));
    const physad_view image = physad_view_array(input, PHYSAD_F32, 4, in),
                      target = physad_view_array(cells, PHYSAD_F32, 4, out);
    const physad_status status = physad_features_compute(m->network, &image, &target, NULL);
    physad__free(input);
    return status;
}

/* Mean of each 2 x 2, in place. */
static void halve(float *plane, int64_t height, int64_t width)
{
    for (int64_t y = 0; y < height / 2; y++)
        for (int64_t x = 0; x < width / 2; x++) {
            const float *p = plane + 2 * y * width + 2 * x;
            plane[y * (width / 2) + x] = ((p[0] + p[1]) + (p[width] + p[width + 1])) / 4;
        }
}

/* Normalised and brought to `size`, interleaved; what is missing has the mean colour. `room`: of the photo's plane and
 * one of `size`. */
static void bring_to_size(float *out, const int64_t size[2], const physad__scene_view *photo,
                          const physad_backbone_info *info, float *room)
{
    const int64_t plane = photo->camera.width * photo->camera.height, n = size[0] * size[1];
    float *one = room + plane;
    for (int ch = 0; ch < 3; ch++) {
        int64_t h = photo->camera.height, w = photo->camera.width;
        for (int64_t i = 0; i < plane; i++)
            room[i] = photo->missing != NULL && photo->missing[i]
                          ? 0
                          : (photo->pixels[ch * plane + i] - info->mean[ch]) / info->std[ch];
        for (; h >= 2 * size[0] && w >= 2 * size[1]; h /= 2, w /= 2)
            halve(room, h, w);
        physad__map_upsample(room, h, w, one, size[0], size[1], PHYSAD__UPSAMPLE_BILINEAR);
        for (int64_t i = 0; i < n; i++)
            out[3 * i + ch] = one[i];
    }
}

physad_status physad__posed_wide_cells(const physad__posed_model *m, const physad__scene_view *photo, float *cells)
{
    physad_backbone_info info = PHYSAD_BACKBONE_INFO_INIT;
    const int64_t plane = photo->camera.width * photo->camera.height;
    int64_t size[2], grid[3];
    PHYSAD__TRY(physad_backbone_describe(physad_features_backbone(m->finder), &info));
    physad_features_input_size(m->finder, size);
    physad_features_shape(m->finder, grid);
    const int64_t n = size[0] * size[1], in[4] = { 1, size[0], size[1], 3 }, out[4] = { 1, grid[0], grid[1], grid[2] };
    float *room = physad__alloc_array(&m->ctx->mem, plane + 4 * n, sizeof(float), "photo");
    if (room == NULL)
        return PHYSAD_ERR_NOMEM;
    bring_to_size(room + plane + n, size, photo, &info, room);
    const physad_view image = physad_view_array(room + plane + n, PHYSAD_F32, 4, in),
                      target = physad_view_array(cells, PHYSAD_F32, 4, out);
    const physad_status status = physad_features_compute(m->finder, &image, &target, NULL);
    physad__free(room);
    return status;
}

physad_status physad__posed_stack_make(physad__posed_stack *out, const physad__posed_model *m, const float *pixels)
{
    const int64_t in[4] = { 1, m->height, m->width, 3 };
    physad_view outs[PHYSAD__POSED_LAYERS];
    int64_t total = 0, at = 0;
    float *input;
    *out = (physad__posed_stack){ .count = physad_features_layer_count(m->network) };
    if (out->count > PHYSAD__POSED_LAYERS)
        return physad__error(PHYSAD_ERR_ARG, "option layers names %lld layers, want at most %d", (long long)out->count,
                             PHYSAD__POSED_LAYERS);
    for (int64_t i = 0; i < out->count; i++) {
        PHYSAD__TRY(physad_features_layer_shape(m->network, i, out->shape[i]));
        total += out->shape[i][0] * out->shape[i][1] * out->shape[i][2];
    }
    out->memory = physad__alloc_array(&m->ctx->mem, total, sizeof(float), "features");
    if (out->memory == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < out->count; i++) {
        const int64_t shape[4] = { 1, out->shape[i][0], out->shape[i][1], out->shape[i][2] };
        out->of[i] = out->memory + at;
        outs[i] = physad_view_array(out->of[i], PHYSAD_F32, 4, shape);
        at += shape[1] * shape[2] * shape[3];
    }
    PHYSAD__TRY(make_input(&input, m, pixels));
    const physad_view image = physad_view_array(input, PHYSAD_F32, 4, in);
    const physad_status status = physad_features_compute_layers(m->network, &image, outs, NULL);
    physad__free(input);
    return status;
}

void physad__posed_stack_free(physad__posed_stack *stack)
{
    physad__free(stack->memory);
    memset(stack, 0, sizeof(*stack));
}

/* --- colours --- */

typedef struct line {
    double gain, offset;
} line;

/* Reweighted least squares (Geman and McClure, 0.1), drawn towards gain 1. */
static line fit_line(const float *from, const float *to, const float *weight, int64_t n)
{
    line l = { 1, 0 };
    for (int pass = 0; pass < 3; pass++) {
        const double wide = pass == 0 ? 0.16 : 0.01;
        double count = 0, x = 0, y = 0, xx = 0, xy = 0;
        for (int64_t i = 0; i < n; i++) {
            const double p = (double)from[i], q = (double)to[i], r = l.gain * p + l.offset - q,
                         d = wide / (wide + r * r);
            const double w = (double)weight[i] * d * d;
            count += w;
            x += w * p;
            y += w * q;
            xx += w * p * p;
            xy += w * p * q;
        }
        if (!(count > 1))
            return (line){ 1, 0 };
        const double spread = xx - x * x / count, both = xy - x * y / count, prior = 1e-3 * count;
        l.gain = fmin(fmax((both + prior) / (spread + prior), 0.6), 1.7);
        l.offset = (y - l.gain * x) / count;
    }
    return l;
}

void physad__posed_match_colours(float *pixels, const float *photo, const float *weight, int64_t plane)
{
    for (int ch = 0; ch < 3; ch++) {
        float *p = pixels + ch * plane;
        const line l = fit_line(p, photo + ch * plane, weight, plane);
        for (int64_t i = 0; i < plane; i++)
            p[i] = (float)(l.gain * (double)p[i] + l.offset);
    }
}

/* --- pooling --- */

typedef struct weighed {
    float value, weight;
} weighed;

static int descending(const void *a, const void *b)
{
    const weighed *x = a, *y = b;
    return x->value != y->value ? (x->value < y->value ? 1 : -1) : (x->weight < y->weight) - (x->weight > y->weight);
}

physad_status physad__posed_top(double *out, physad__mem *mem, const float *map, const float *weight, int64_t n,
                                double share)
{
    weighed *all = physad__alloc_array(mem, n, sizeof(*all), "pooling");
    double sum = 0, taken = 0, total = 0;
    int64_t kept = 0;
    if (all == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++) {
        const float w = weight != NULL ? weight[i] : 1;
        if (!(w > 0) || isnan(map[i]))
            continue;
        all[kept++] = (weighed){ map[i], w };
        total += (double)w;
    }
    qsort(all, (size_t)kept, sizeof(*all), descending);
    const double wanted = fmax(total * share, kept > 0 ? (double)all[0].weight : 0);
    for (int64_t i = 0; i < kept && taken < wanted; i++) {
        const double w = fmin((double)all[i].weight, wanted - taken);
        sum += w * (double)all[i].value;
        taken += w;
    }
    physad__free(all);
    *out = taken > 0 ? sum / taken : 0;
    return PHYSAD_OK;
}
