/* SPDX-License-Identifier: Apache-2.0 */
/* What the interfaces to all languages share: which headers, under which names, and which typemap goes with which argument.
 * A language file defines the typemaps PHYSAD_* as macros, then includes this one.
 *
 *   PHYSAD_HANDLE(T)             an opaque type: taken, and given by `T **` when a call makes one
 *   PHYSAD_OPTIONS(T)            a structure that goes in by `const T *`: a dict or a table
 *   PHYSAD_ANSWER(T, NAME)       a structure that comes out by `T *NAME`: a dict or a table
 *   PHYSAD_VALUE(T)              a structure that is returned by value
 */
#define PHYSAD_API
#define PHYSAD_NODISCARD

/* physad_bank_add becomes bank_add; structures come and go as dicts and tables, so no class is wrapped. */
%rename("%(strip:[physad_])s") "";
%rename("$ignore", %$isclass) "";
%ignore physad_context_new; /* binding_context_new has its name: the log comes along */
%ignore physad_tensors_open_memory; /* borrows memory for the life of the handle: the package reads files */
%ignore physad_video_open_memory;
%ignore physad_view_array;
%ignore physad_view_rgb8;
%ignore physad_view_gray8;
%ignore physad_overlay_color;
%ignore physad_detector_set_int; /* the text form does for all types */
%ignore physad_detector_set_real;
#ifndef PHYSAD_WITH_APPROX
%ignore physad_bank_build_approx;
#endif
#ifndef PHYSAD_WITH_EVALUATE
%rename("$ignore", regextarget=1, fullname=1, %$isfunction) "^physad_evaluat";
#endif
%rename("$ignore", regexmatch$name="_INIT$") "";

PHYSAD_HANDLE(context)
PHYSAD_HANDLE(image)
PHYSAD_HANDLE(dataset)
PHYSAD_HANDLE(transform)
PHYSAD_HANDLE(features)
PHYSAD_HANDLE(scores)
PHYSAD_HANDLE(pixels)
PHYSAD_HANDLE(metrics)
PHYSAD_HANDLE(tensors)
PHYSAD_HANDLE(video)
PHYSAD_HANDLE(gaussians)
PHYSAD_HANDLE(splat)
PHYSAD_HANDLE(scene)
PHYSAD_HANDLE(locator)
#ifdef PHYSAD_WITH_BANK
PHYSAD_HANDLE(bank)
#endif
#ifdef PHYSAD_WITH_DETECT
PHYSAD_HANDLE(detector)
PHYSAD_HANDLE(result)
PHYSAD_HANDLE(stream)
PHYSAD_HANDLE(regions)
PHYSAD_HANDLE(group)
PHYSAD_HANDLE(types)
#endif
#ifdef PHYSAD_WITH_EVALUATE
PHYSAD_HANDLE(evaluation)
#endif

PHYSAD_OPTIONS(physad_context_options)
PHYSAD_OPTIONS(physad_image_options)
PHYSAD_OPTIONS(physad_image_write_options)
PHYSAD_OPTIONS(physad_dataset_options)
PHYSAD_OPTIONS(physad_item)
PHYSAD_OPTIONS(physad_protocol_options)
PHYSAD_OPTIONS(physad_transform_options)
PHYSAD_OPTIONS(physad_features_options)
PHYSAD_OPTIONS(physad_measure_options)
PHYSAD_OPTIONS(physad_tensors_options)
PHYSAD_OPTIONS(physad_weights_convert_options)
PHYSAD_OPTIONS(physad_synth_rad_options)
PHYSAD_OPTIONS(physad_synth_phys_options)
PHYSAD_OPTIONS(physad_evaluate_options)
PHYSAD_OPTIONS(physad_load_options)
PHYSAD_OPTIONS(physad_html_options)
PHYSAD_OPTIONS(physad_video_options)
PHYSAD_OPTIONS(physad_camera)
PHYSAD_OPTIONS(physad_splat_options)
PHYSAD_OPTIONS(physad_scene_options)
PHYSAD_OPTIONS(physad_scene_html_options)
PHYSAD_OPTIONS(physad_scene_turntable_options)
PHYSAD_OPTIONS(physad_locator_options)

PHYSAD_ANSWER(physad_image_info, info)
PHYSAD_ANSWER(physad_video_info, out)
PHYSAD_ANSWER(physad_frame, frame)
PHYSAD_ANSWER(physad_transform_options, options)
PHYSAD_ANSWER(physad_backbone_info, info)
PHYSAD_ANSWER(physad_weights_info, info)
PHYSAD_ANSWER(physad_metric, metric)
PHYSAD_ANSWER(physad_metric, vs_good)
PHYSAD_ANSWER(physad_metric, vs_rest)
PHYSAD_ANSWER(physad_metric, difference)
PHYSAD_ANSWER(physad_conformal, conformal)
PHYSAD_ANSWER(physad_evaluated, sample)
PHYSAD_ANSWER(physad_camera, camera)
PHYSAD_ANSWER(physad_camera, moved)
PHYSAD_VALUE(physad_image_info)
PHYSAD_VALUE(physad_scene_quality)

#ifdef PHYSAD_WITH_BANK
PHYSAD_OPTIONS(physad_bank_options)
PHYSAD_OPTIONS(physad_search_options)
PHYSAD_OPTIONS(physad_coreset_options)
#endif
#ifdef PHYSAD_WITH_DETECT
PHYSAD_ANSWER(physad_method_info, out)
PHYSAD_ANSWER(physad_option_info, out)
PHYSAD_ANSWER(physad_threshold, out)
PHYSAD_ANSWER(physad_nearest, out)
PHYSAD_ANSWER(physad_worst, out)
PHYSAD_ANSWER(physad_region, out)
PHYSAD_ANSWER(physad_place, place)
PHYSAD_OPTIONS(physad_stream_options)
#endif

%include <physad/base.h>
%include <physad/context.h>
%rename(context_new) binding_context_new;
physad_status binding_context_new(physad_context **out, const physad_context_options *options);
%include <physad/image.h>
%include <physad/dataset.h>
PHYSAD_VIEW_WRITTEN(physad_view *out)
%include <physad/transform.h>
%include <physad/features.h>
%include <physad/metrics.h>
%include <physad/tensors.h>
%include <physad/weights.h>
%include <physad/synth.h>
%include <physad/video.h>
%include <physad/camera.h>
%include <physad/splat.h>
%include <physad/scene.h>
%include <physad/locate.h>
#ifdef PHYSAD_WITH_DETECT
%include <physad/detect.h>
%include <physad/region.h>
%include <physad/group.h>
#endif
%include <physad/evaluate.h>
#ifdef PHYSAD_WITH_BANK
PHYSAD_VIEW_CHANGING(physad_view *out)
%include <physad/bank.h>
#endif
