/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/detect.h"

#include <math.h>

double physad_result_score(const physad_result *result)
{
    return result != NULL ? result->score : NAN;
}

int32_t physad_result_is_anomalous(const physad_result *result)
{
    return result != NULL ? result->anomalous : -1;
}

double physad_result_threshold(const physad_result *result)
{
    return result != NULL ? result->threshold : NAN;
}

double physad_result_p_value(const physad_result *result)
{
    return result != NULL ? result->p_value : NAN;
}

static physad_status check_map(const physad_result *result, const char *what)
{
    if (result == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: the result is NULL", what);
    PHYSAD__TRY(physad__context_check(result->origin->ctx, what));
    if (result->map == NULL)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "%s: this method makes no map", what);
    return PHYSAD_OK;
}

physad_status physad_result_map_shape(const physad_result *result, int64_t *height, int64_t *width)
{
    if (result == NULL || height == NULL || width == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_result_map_shape: an argument is NULL");
    *height = result->photo_height;
    *width = result->photo_width;
    return PHYSAD_OK;
}

physad_status physad_result_input_map_shape(const physad_result *result, int64_t *height, int64_t *width)
{
    if (result == NULL || height == NULL || width == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_result_input_map_shape: an argument is NULL");
    *height = result->map_height;
    *width = result->map_width;
    return PHYSAD_OK;
}

physad_status physad_result_map(const physad_result *result, const physad_view *out)
{
    PHYSAD__TRY(check_map(result, "physad_result_map"));
    const int64_t want[2] = { result->photo_height, result->photo_width };
    const int64_t have[2] = { result->map_height, result->map_width };
    PHYSAD__TRY(physad__view_want(out, "out", PHYSAD_F32, 2, want));
    const physad_view map = physad_view_array(result->map, PHYSAD_F32, 2, have);
    physad_view target = *out;
    return physad_transform_map_back(result->origin->transform, &map, &target);
}

physad_status physad_result_input_map(const physad_result *result, const physad_view *out)
{
    PHYSAD__TRY(check_map(result, "physad_result_input_map"));
    const int64_t want[2] = { result->map_height, result->map_width };
    PHYSAD__TRY(physad__view_want(out, "out", PHYSAD_F32, 2, want));
    memcpy(out->data, result->map, (size_t)(want[0] * want[1]) * sizeof(float));
    return PHYSAD_OK;
}

physad_status physad_result_frame_map(const physad_result *result, int64_t frame, const physad_view *out)
{
    if (result == NULL || out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_result_frame_map: %s is NULL", result == NULL ? "result" : "out");
    PHYSAD__TRY(physad__context_check(result->origin->ctx, "physad_result_frame_map"));
    if (result->frame_maps == NULL)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "physad_result_frame_map: this result keeps no maps of frames");
    if (frame < 0 || frame >= result->frame_count)
        return physad__error(PHYSAD_ERR_ARG, "physad_result_frame_map: frame is %lld of %lld", (long long)frame,
                             (long long)result->frame_count);
    const int64_t want[2] = { result->map_height, result->map_width }, pixels = want[0] * want[1];
    PHYSAD__TRY(physad__view_want(out, "out", PHYSAD_F32, 2, want));
    memcpy(out->data, result->frame_maps + frame * pixels, (size_t)pixels * sizeof(float));
    return PHYSAD_OK;
}

physad_status physad_result_nearest(const physad_result *result, int64_t y, int64_t x, physad_nearest *out)
{
    if (result == NULL || out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_result_nearest: %s is NULL", result == NULL ? "result" : "out");
    if (out->struct_size != sizeof(*out))
        return physad__error(PHYSAD_ERR_ARG, "physad_nearest: struct_size is wrong; use PHYSAD_NEAREST_INIT");
    if (result->nearest_sample == NULL)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "physad_result_nearest: this method keeps no normal patches");
    if (y < 0 || x < 0 || y >= result->photo_height || x >= result->photo_width)
        return physad__error(PHYSAD_ERR_ARG, "physad_result_nearest: (%lld,%lld) lies outside the photo of %lld x %lld",
                             (long long)y, (long long)x, (long long)result->photo_height,
                             (long long)result->photo_width);
    const physad_transform *t = result->origin->transform;
    int64_t input_h, input_w;
    double my, mx;
    PHYSAD__TRY(physad_transform_shape(t, &input_h, &input_w));
    PHYSAD__TRY(physad_transform_to_model(t, result->photo_height, result->photo_width, (double)y + 0.5,
                                          (double)x + 0.5, &my, &mx));
    const int64_t gy = (int64_t)floor(my / (double)input_h * (double)result->grid_height);
    const int64_t gx = (int64_t)floor(mx / (double)input_w * (double)result->grid_width);
    const int64_t cell = gy * result->grid_width + gx;
    if (gy < 0 || gx < 0 || gy >= result->grid_height || gx >= result->grid_width || result->nearest_sample[cell] < 0)
        return physad__error(PHYSAD_ERR_ARG, "physad_result_nearest: (%lld,%lld) lies outside the region of interest",
                             (long long)y, (long long)x);
    const int64_t sample = result->nearest_sample[cell], position = result->nearest_position[cell];
    *out = (physad_nearest){ .struct_size = sizeof(*out),
                             .distance = (double)result->nearest_distance[cell],
                             .sample = sample };
    const int64_t *size = result->origin->sizes[sample];
    PHYSAD__TRY(physad_transform_to_photo(
        t, size[0], size[1],
        ((double)(position / result->grid_width) + 0.5) / (double)result->grid_height * (double)input_h,
        ((double)(position % result->grid_width) + 0.5) / (double)result->grid_width * (double)input_w, &out->y,
        &out->x));
    out->path = result->origin->paths[sample];
    return PHYSAD_OK;
}

/* What is told of a video. */
static physad_status copy_frames(physad_result *to, const physad_result *from)
{
    physad__mem *mem = &from->origin->ctx->mem;
    if (from->frame_count > 0) {
        to->frame_scores = physad__alloc_array(mem, from->frame_count, sizeof(*to->frame_scores), "scores of frames");
        if (to->frame_scores == NULL)
            return PHYSAD_ERR_NOMEM;
        memcpy(to->frame_scores, from->frame_scores, (size_t)from->frame_count * sizeof(*to->frame_scores));
        to->frame_count = to->frame_capacity = from->frame_count;
    }
    if (from->verdict != NULL) {
        to->verdict = physad__strdup(mem, from->verdict);
        if (to->verdict == NULL)
            return PHYSAD_ERR_NOMEM;
    }
    return PHYSAD_OK;
}

physad_status physad_result_strip(physad_result **out, const physad_result *result)
{
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_result_strip: out is NULL");
    *out = NULL;
    if (result == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_result_strip: result is NULL");
    PHYSAD__TRY(physad__context_check(result->origin->ctx, "physad_result_strip"));
    physad_result *r = physad__alloc_zero(&result->origin->ctx->mem, sizeof(*r), "result");
    if (r == NULL)
        return PHYSAD_ERR_NOMEM;
    *r = *result;
    r->origin = physad__origin_retain(result->origin);
    r->sight = physad__sight_retain(result->sight);
    r->map = r->frame_maps = r->nearest_distance = NULL;
    r->nearest_sample = NULL;
    r->nearest_position = NULL;
    r->reference = NULL;
    r->map_height = r->map_width = r->grid_height = r->grid_width = 0;
    r->frame_scores = NULL;
    r->frame_count = r->frame_capacity = 0;
    r->verdict = NULL;
    const physad_status status = copy_frames(r, result);
    if (status != PHYSAD_OK) {
        physad_result_free(r);
        return status;
    }
    *out = r;
    return PHYSAD_OK;
}

void physad_result_free(physad_result *result)
{
    if (result == NULL)
        return;
    physad__free(result->map);
    physad__free(result->frame_maps);
    physad__free(result->reference);
    physad__free(result->nearest_sample);
    physad__free(result->nearest_position);
    physad__free(result->nearest_distance);
    physad__free(result->frame_scores);
    physad__free(result->verdict);
    physad__sight_free(result->sight);
    physad__origin *origin = result->origin;
    physad__free(result);
    physad__origin_release(origin);
}
