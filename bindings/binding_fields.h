/* SPDX-License-Identifier: Apache-2.0 */
/* What the fields of the public structures are called and where they lie: one table for all languages, so that a dict
 * or a table of options is checked and filled by the same few lines everywhere. The kind of a field is told by its C
 * type. */
#ifndef PHYSAD__BINDING_FIELDS_H
#define PHYSAD__BINDING_FIELDS_H

#include <physad/physad.h>

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct binding_field {
    const char *name;
    size_t offset;
    size_t size;
    char kind; /* see BINDING_KIND; '?': not for bindings */
} binding_field;

typedef struct binding_struct {
    const char *name;
    const void *init; /* the _INIT macro's value; NULL: zeros */
    size_t size;
    const binding_field *fields; /* ended by a NULL name */
} binding_struct;

#define BINDING_KIND(x)                                                                                                \
    _Generic((x),                                                                                                      \
        int32_t: 'i',                                                                                                  \
        uint32_t: 'u',                                                                                                 \
        int64_t: 'I',                                                                                                  \
        uint64_t: 'U',                                                                                                 \
        float: 'f',                                                                                                    \
        double: 'd',                                                                                                   \
        float *: 'F',                                                                                                  \
        double *: 'D',                                                                                                 \
        const char *: 's',                                                                                             \
        const char *const *: 'S',                                                                                      \
        const int64_t *: 'L',                                                                                          \
        physad_view: 'w',                                                                                              \
        const physad_view *: 'v',                                                                                      \
        const physad_backbone_layer *: 'l',                                                                            \
        default: '?')

#define F(type, field)                                                                                                 \
    {                                                                                                                  \
        #field, offsetof(type, field), sizeof(((type *)0)->field), BINDING_KIND(((type *)0)->field)                    \
    }
#define BINDING_STRUCT(type, initial, ...)                                                                             \
    static const type binding_init_##type = initial;                                                                   \
    static const binding_field binding_fields_##type[] = { __VA_ARGS__, { NULL, 0, 0, 0 } };                           \
    static const binding_struct binding_##type = { #type, &binding_init_##type, sizeof(type), binding_fields_##type };

#define S physad_context_options
BINDING_STRUCT(physad_context_options, PHYSAD_CONTEXT_OPTIONS_INIT, F(S, threads), F(S, cpu_disable), F(S, seed),
               F(S, memory_limit))
#undef S
#define S physad_image_options
BINDING_STRUCT(physad_image_options, PHYSAD_IMAGE_OPTIONS_INIT, F(S, channels), F(S, dtype), F(S, apply_orientation),
               F(S, jpeg_scale), F(S, page), F(S, max_pixels), F(S, max_bytes))
#undef S
#define S physad_image_write_options
BINDING_STRUCT(physad_image_write_options, PHYSAD_IMAGE_WRITE_OPTIONS_INIT, F(S, jpeg_quality), F(S, png_compression))
#undef S
#define S physad_image_info
BINDING_STRUCT(physad_image_info, { 0 }, F(S, height), F(S, width), F(S, channels), F(S, dtype), F(S, bits),
               F(S, format), F(S, orientation), F(S, pages))
#undef S
#define S physad_dataset_options
BINDING_STRUCT(physad_dataset_options, PHYSAD_DATASET_OPTIONS_INIT, F(S, format), F(S, categories), F(S, list),
               F(S, holdout))
#undef S
#define S physad_item
BINDING_STRUCT(physad_item, PHYSAD_ITEM_INIT, F(S, flags), F(S, file), F(S, photo), F(S, mask_file), F(S, mask),
               F(S, name), F(S, category), F(S, type), F(S, group), F(S, view), F(S, split), F(S, label))
#undef S
#define S physad_sample
BINDING_STRUCT(physad_sample, { 0 }, F(S, path), F(S, file), F(S, category), F(S, type), F(S, group), F(S, view),
               F(S, pose_file), F(S, pose_name), F(S, instance), F(S, interaction), F(S, persistence), F(S, text_file),
               F(S, prior_file), F(S, frame_file), F(S, mask_files), F(S, mask_count), F(S, split), F(S, label),
               F(S, kind), F(S, truth))
#undef S
#define S physad_protocol_options
BINDING_STRUCT(physad_protocol_options, PHYSAD_PROTOCOL_OPTIONS_INIT, F(S, protocol), F(S, least), F(S, most),
               F(S, seed))
#undef S
#define S physad_transform_options
BINDING_STRUCT(physad_transform_options, PHYSAD_TRANSFORM_OPTIONS_INIT, F(S, resize), F(S, fit), F(S, arithmetic),
               F(S, normalise), F(S, outside), F(S, height), F(S, width), F(S, crop_height), F(S, crop_width),
               F(S, roi_y), F(S, roi_x), F(S, roi_height), F(S, roi_width), F(S, mean), F(S, std), F(S, pad))
#undef S
#define S physad_backbone_info
BINDING_STRUCT(physad_backbone_info, PHYSAD_BACKBONE_INFO_INIT, F(S, layer_count), F(S, name), F(S, layers),
               F(S, default_layers), F(S, weights), F(S, weights_licence), F(S, source), F(S, resize), F(S, params),
               F(S, input_size), F(S, mean), F(S, std))
#undef S
#define S physad_features_options
BINDING_STRUCT(physad_features_options, PHYSAD_FEATURES_OPTIONS_INIT, F(S, precision), F(S, backbone), F(S, weights),
               F(S, layers), F(S, height), F(S, width), F(S, pool), F(S, upsample), F(S, reduce), F(S, padding),
               F(S, reduce_dim), F(S, reduce_seed), F(S, channels), F(S, unfold_dim))
#undef S
#define S physad_metric
BINDING_STRUCT(physad_metric, PHYSAD_METRIC_INIT, F(S, value), F(S, lower), F(S, upper), F(S, threshold), F(S, reason),
               F(S, interval_reason))
#undef S
#define S physad_measure_options
BINDING_STRUCT(physad_measure_options, PHYSAD_MEASURE_OPTIONS_INIT, F(S, replicates), F(S, seed), F(S, level),
               F(S, threshold), F(S, use_threshold), F(S, curve_points), F(S, limits))
#undef S
#define S physad_conformal
BINDING_STRUCT(physad_conformal, PHYSAD_CONFORMAL_INIT, F(S, alpha), F(S, threshold), F(S, count), F(S, rank),
               F(S, rate_mean), F(S, rate_lower), F(S, rate_upper))
#undef S
#define S physad_tensors_options
BINDING_STRUCT(physad_tensors_options, PHYSAD_TENSORS_OPTIONS_INIT, F(S, verify), F(S, root))
#undef S
#define S physad_weights_info
BINDING_STRUCT(physad_weights_info, PHYSAD_WEIGHTS_INFO_INIT, F(S, name), F(S, file), F(S, backbone), F(S, trained),
               F(S, licence), F(S, origin), F(S, package), F(S, package_version), F(S, sha256), F(S, sha256_converted),
               F(S, parameters))
#undef S
#define S physad_weights_convert_options
BINDING_STRUCT(physad_weights_convert_options, PHYSAD_WEIGHTS_CONVERT_OPTIONS_INIT, F(S, f32), F(S, name), F(S, root))
#undef S
#define S physad_synth_rad_options
BINDING_STRUCT(physad_synth_rad_options, PHYSAD_SYNTH_RAD_OPTIONS_INIT, F(S, flags), F(S, categories), F(S, defects),
               F(S, train_views), F(S, test_views), F(S, instances), F(S, instance_views), F(S, width), F(S, height),
               F(S, background), F(S, pose_jitter), F(S, pose_noise), F(S, light_change), F(S, gloss),
               F(S, defect_size), F(S, defect_strength), F(S, noise), F(S, exposure))
#undef S
#define S physad_synth_phys_options
BINDING_STRUCT(physad_synth_phys_options, PHYSAD_SYNTH_PHYS_OPTIONS_INIT, F(S, flags), F(S, categories),
               F(S, train_videos), F(S, test_videos), F(S, defect_videos), F(S, frames), F(S, width), F(S, height),
               F(S, frame_rate), F(S, variation), F(S, severity), F(S, noise))
#undef S
#define S physad_video_options
BINDING_STRUCT(physad_video_options, PHYSAD_VIDEO_OPTIONS_INIT, F(S, channels), F(S, dtype), F(S, threads), F(S, ahead),
               F(S, on_error), F(S, height), F(S, width), F(S, max_frames), F(S, max_pixels), F(S, max_bytes),
               F(S, max_seconds), F(S, frame_rate))
#undef S
#define S physad_video_info
BINDING_STRUCT(physad_video_info, PHYSAD_VIDEO_INFO_INIT, F(S, channels), F(S, dtype), F(S, bits), F(S, height),
               F(S, width), F(S, stored_height), F(S, stored_width), F(S, frames_said), F(S, frame_rate),
               F(S, rotation), F(S, mirrored), F(S, shortened), F(S, codec), F(S, container))
#undef S
#define S physad_frame
BINDING_STRUCT(physad_frame, PHYSAD_FRAME_INIT, F(S, key), F(S, index), F(S, seconds), F(S, pixels))
#undef S
#define S physad_evaluate_options
BINDING_STRUCT(physad_evaluate_options, PHYSAD_EVALUATE_OPTIONS_INIT, F(S, metrics_size), F(S, on_error),
               F(S, replicates), F(S, categories), F(S, settings), F(S, overlays), F(S, gallery), F(S, gallery_side),
               F(S, pool), F(S, types), F(S, examples))
#undef S
#define S physad_load_options
BINDING_STRUCT(physad_load_options, PHYSAD_LOAD_OPTIONS_INIT, F(S, weights), F(S, precision))
#undef S
#define S physad_html_options
BINDING_STRUCT(physad_html_options, PHYSAD_HTML_OPTIONS_INIT, F(S, title))
#undef S
#define S physad_camera
BINDING_STRUCT(physad_camera, { { 0 } }, F(S, rotation), F(S, translation), F(S, fx), F(S, fy), F(S, cx), F(S, cy),
               F(S, width), F(S, height))
#undef S
#define S physad_locator_options
BINDING_STRUCT(physad_locator_options, PHYSAD_LOCATOR_OPTIONS_INIT, F(S, max_side), F(S, backbone), F(S, weights),
               F(S, least_fit), F(S, background))
#undef S
#define S physad_pose
BINDING_STRUCT(physad_pose, { .loss = 0 }, F(S, camera), F(S, loss), F(S, agreement), F(S, confidence), F(S, view))
#undef S
#define S physad_scene_options
BINDING_STRUCT(physad_scene_options, PHYSAD_SCENE_OPTIONS_INIT, F(S, steps), F(S, harmonics), F(S, hold_out),
               F(S, max_side), F(S, max_gaussians), F(S, random_points), F(S, measure_every), F(S, densify_from),
               F(S, densify_until), F(S, densify_every), F(S, densify_gradient), F(S, background), F(S, densify),
               F(S, exposure), F(S, coarse), F(S, checkpoint_every), F(S, swept_points), F(S, trust_poses),
               F(S, resume), F(S, checkpoint), F(S, masks))
#undef S
#define S physad_splat_options
BINDING_STRUCT(physad_splat_options, PHYSAD_SPLAT_OPTIONS_INIT, F(S, harmonics), F(S, background), F(S, nearest))
#undef S
#define S physad_scene_html_options
BINDING_STRUCT(physad_scene_html_options, PHYSAD_SCENE_HTML_OPTIONS_INIT, F(S, background), F(S, title))
#undef S
#define S physad_scene_turntable_options
BINDING_STRUCT(physad_scene_turntable_options, PHYSAD_SCENE_TURNTABLE_OPTIONS_INIT, F(S, frames), F(S, rate),
               F(S, width), F(S, height), F(S, background))
#undef S
#define S physad_scene_quality
BINDING_STRUCT(physad_scene_quality, { 0 }, F(S, photos), F(S, held_out), F(S, psnr), F(S, ssim), F(S, l1), F(S, loss),
               F(S, steps), F(S, seconds), F(S, gaussians))
#undef S
#define S physad_evaluated
BINDING_STRUCT(physad_evaluated, PHYSAD_EVALUATED_INIT, F(S, label), F(S, score), F(S, path), F(S, type), F(S, group),
               F(S, view))
#undef S
#ifdef PHYSAD_BANK_H
#define S physad_bank_options
BINDING_STRUCT(physad_bank_options, PHYSAD_BANK_OPTIONS_INIT, F(S, spill_bytes), F(S, spill_dir))
#undef S
#define S physad_search_options
BINDING_STRUCT(physad_search_options, PHYSAD_SEARCH_OPTIONS_INIT, F(S, flags))
#undef S
#define S physad_coreset_options
BINDING_STRUCT(physad_coreset_options, PHYSAD_CORESET_OPTIONS_INIT, F(S, flags), F(S, count), F(S, ratio), F(S, first),
               F(S, seed), F(S, projection), F(S, eps), F(S, matrix))
#undef S
#endif
#ifdef PHYSAD_DETECT_H
#define S physad_method_info
BINDING_STRUCT(physad_method_info, PHYSAD_METHOD_INFO_INIT, F(S, input), F(S, supervision), F(S, option_count),
               F(S, name), F(S, title), F(S, source))
#undef S
#define S physad_option_info
BINDING_STRUCT(physad_option_info, PHYSAD_OPTION_INFO_INIT, F(S, type), F(S, least), F(S, most), F(S, name),
               F(S, default_value), F(S, choices), F(S, help), F(S, source))
#undef S
#define S physad_threshold
BINDING_STRUCT(physad_threshold, PHYSAD_THRESHOLD_INIT, F(S, given), F(S, value), F(S, alpha), F(S, low), F(S, high),
               F(S, groups))
#undef S
#define S physad_nearest
BINDING_STRUCT(physad_nearest, PHYSAD_NEAREST_INIT, F(S, distance), F(S, y), F(S, x), F(S, sample), F(S, path))
#undef S
#define S physad_worst
BINDING_STRUCT(physad_worst, PHYSAD_WORST_INIT, F(S, frame), F(S, y), F(S, x), F(S, distance), F(S, sample),
               F(S, near_frame), F(S, path))
#undef S
#define S physad_region
BINDING_STRUCT(physad_region, PHYSAD_REGION_INIT, F(S, kind), F(S, top), F(S, left), F(S, bottom), F(S, right),
               F(S, area), F(S, peak), F(S, peak_y), F(S, peak_x), F(S, length), F(S, width), F(S, angle), F(S, hole),
               F(S, line), F(S, tint), F(S, deformation))
#undef S
#define S physad_place
BINDING_STRUCT(physad_place, PHYSAD_PLACE_INIT, F(S, photo), F(S, agreeing), F(S, seen_by), F(S, position),
               F(S, radius), F(S, score), F(S, y), F(S, x))
#undef S
#define S physad_stream_options
BINDING_STRUCT(physad_stream_options, PHYSAD_STREAM_OPTIONS_INIT, F(S, pool), F(S, frame_rate))
#undef S
#endif
#undef F

static const binding_struct *const binding_structs[] = {
    &binding_physad_context_options,
    &binding_physad_image_options,
    &binding_physad_image_write_options,
    &binding_physad_image_info,
    &binding_physad_dataset_options,
    &binding_physad_protocol_options,
    &binding_physad_item,
    &binding_physad_sample,
    &binding_physad_transform_options,
    &binding_physad_backbone_info,
    &binding_physad_features_options,
    &binding_physad_metric,
    &binding_physad_measure_options,
    &binding_physad_conformal,
    &binding_physad_tensors_options,
    &binding_physad_weights_info,
    &binding_physad_weights_convert_options,
    &binding_physad_synth_rad_options,
    &binding_physad_synth_phys_options,
    &binding_physad_evaluate_options,
    &binding_physad_evaluated,
    &binding_physad_load_options,
    &binding_physad_html_options,
    &binding_physad_video_options,
    &binding_physad_video_info,
    &binding_physad_frame,
    &binding_physad_camera,
    &binding_physad_splat_options,
    &binding_physad_scene_options,
    &binding_physad_scene_html_options,
    &binding_physad_scene_turntable_options,
    &binding_physad_scene_quality,
    &binding_physad_locator_options,
    &binding_physad_pose,
#ifdef PHYSAD_BANK_H
    &binding_physad_bank_options,
    &binding_physad_search_options,
    &binding_physad_coreset_options,
#endif
#ifdef PHYSAD_DETECT_H
    &binding_physad_method_info,
    &binding_physad_option_info,
    &binding_physad_threshold,
    &binding_physad_nearest,
    &binding_physad_worst,
    &binding_physad_region,
    &binding_physad_place,
    &binding_physad_stream_options,
#endif
};
#define BINDING_STRUCTS (sizeof(binding_structs) / sizeof(binding_structs[0]))

static const binding_field *binding_find(const binding_struct *s, const char *name)
{
    for (const binding_field *f = s->fields; f->name != NULL; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

static size_t binding_distance(const char *a, const char *b)
{
    size_t row[65];
    const size_t n = strlen(b) < 64 ? strlen(b) : 64;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 1; j <= n; j++) {
            const size_t change = diagonal + (a[i] != b[j - 1]);
            diagonal = row[j];
            const size_t side = (row[j - 1] < row[j] ? row[j - 1] : row[j]) + 1;
            row[j] = change < side ? change : side;
        }
    }
    return row[n];
}

/* The name that looks most like the one that was given; one that is a part of it ("rate" of frame_rate) does. */
static const char *binding_nearest(const binding_struct *s, const char *name)
{
    const char *best = s->fields[0].name;
    size_t least = SIZE_MAX;
    for (const binding_field *f = s->fields; f->name != NULL; f++) {
        const int part = strlen(name) >= 3 && strstr(f->name, name) != NULL;
        const size_t distance = part ? 1 : binding_distance(name, f->name);
        if (distance < least) {
            least = distance;
            best = f->name;
        }
    }
    return best;
}

#endif
