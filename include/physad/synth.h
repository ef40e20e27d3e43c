/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Made-up data sets, drawn without any download: photos with known poses, defects and exact masks; videos of things in
 * use.
 */
#ifndef PHYSAD_SYNTH_H
#define PHYSAD_SYNTH_H

#include <physad/base.h>
#include <physad/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @name What the objects stand on. */
/** @{ */
#define PHYSAD_SYNTH_TABLE 0 /**< a table with a grain, and the object's shadow on it */
#define PHYSAD_SYNTH_PLAIN 1 /**< one even grey without shadows, as cut out */
/** @} */

/** @name Flags of the options. */
/** @{ */
/** Writes into a folder that holds an earlier set (it has a synth.json) after removing that set's files; nothing else
 * in the folder is touched. Without it a folder that is not empty is refused. */
#define PHYSAD_SYNTH_REPLACE (1u << 0)
/** Leaves off the prints, logos and marks that tell an object's sides apart. */
#define PHYSAD_SYNTH_SYMMETRIC (1u << 1)
/** physad_synth_phys(): folders of frames, not files. */
#define PHYSAD_SYNTH_FRAMES (1u << 2)
/** @} */

/** Knobs of physad_synth_rad(). Zero is the default of each; where nothing at all is a sensible choice, any negative
 * number asks for it. */
typedef struct physad_synth_rad_options {
    uint32_t struct_size;
    uint32_t flags;           /**< PHYSAD_SYNTH_REPLACE, _SYMMETRIC */
    const char *categories;   /**< names with commas between; NULL: all of physad_synth_rad_category() */
    const char *defects;      /**< of "scratched,missing,stained,squeezed"; NULL: all; "" none */
    int32_t train_views;      /**< 0: 68; at most 1000 */
    int32_t test_views;       /**< photos in test/good; 0: 68; negative: none; at most 1000 */
    int32_t instances;        /**< defects of each type; 0: 4; at most 24 */
    /** photos of each defect, at most: only views that see it are drawn; 0: 17; at most 1000 */
    int32_t instance_views;
    int32_t width;            /**< pixels, 32 to 4096; 0: 256 */
    int32_t height;           /**< 0: as `width` */
    int32_t background;       /**< PHYSAD_SYNTH_TABLE or PHYSAD_SYNTH_PLAIN */
    int32_t reserved;         /**< zero */
    double pose_jitter;  /**< how far a test camera strays from its nominal place, degrees, standard deviation; 0: 3 */
    double pose_noise;   /**< error of the poses written for training views, degrees (and as much in hundredths of the
                              distance), standard deviation; 0 or negative: none */
    double light_change; /**< of the test photos against the training photos: 1 turns the lamp by up to 90 degrees and
                              changes its power by up to half; 0: none */
    double gloss;             /**< factor on all highlights and mirroring; 0: 1; negative: none; at most 3 */
    double defect_size;       /**< factor on the extent of defects; 0: 1; 0.25 to 3 */
    double defect_strength;   /**< factor on depth and tint of defects; 0: 1; 0.1 to 3 */
    double noise; /**< of the sensor, standard deviation at white, of 0..1; 0: 0.01; negative: none; at most 0.5 */
    double exposure;          /**< of each photo, in stops, standard deviation; 0: 0.04; negative: none; at most 2 */
} physad_synth_rad_options;

#define PHYSAD_SYNTH_RAD_OPTIONS_INIT \
    { sizeof(physad_synth_rad_options), 0, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/** Name of the i-th object, such as "bowl"; NULL outside 0..count-1. Any thread. @since 0.1 */
PHYSAD_API const char *physad_synth_rad_category(int64_t index);

/** Draws a set for pose-agnostic anomaly detection: objects seen from all sides by a camera on a hemisphere, with four
 * defects (scratched, missing, stained, squeezed) that lie on the object itself, so that every view shows the same one.
 *
 * Layout, for each category:
 * `train/good/NNN.png`, `test/good/qNN.png`, `test/<defect>/iNN_qNN.png` (iNN: the instance, one damaged object; qNN:
 * the camera), `ground_truth/<defect>/iNN_qNN_mask.png` (0 or 255), `transforms.json` (training poses) and
 * `transforms_test.json` (test poses; for measuring only): pinhole, OpenGL camera-to-world, fl_x fl_y cx cy w h. At the
 * top `synth.json`: the seed, every knob, and each instance's place, size and strength.
 *
 * A pixel belongs to a mask when the defect is seen there, with the object damaged or sound (half of the pixel or
 * more), and the two noise-free photos differ there by more than 3 of 255 in some channel, small holes of that
 * difference closed. A view whose mask would be smaller than 1/2500 of the photo is not drawn; shadows that a defect
 * throws elsewhere are not marked.
 *
 * @param[in] context  its seed decides everything that is drawn by chance: equal seed and options, equal bytes, for any
 *                     number of threads
 * @param[in] out_dir  made when missing, with the folders above it; must be empty unless PHYSAD_SYNTH_REPLACE
 * @param[in] options  copied; NULL for defaults
 * @param[in] call     progress (the category's name; photos done and in all, a guess) and cancel; may be NULL
 * @return PHYSAD_OK; PHYSAD_ERR_ARG (options; `out_dir` is not empty); PHYSAD_ERR_IO; PHYSAD_ERR_NOMEM;
 * PHYSAD_ERR_CANCELLED; PHYSAD_ERR_STATE (fork). After a failure the files that were written are removed. Any thread,
 * one call per folder. Cost: about 0.1 s per photo of 256 x 256 and core.
 * @since 0.1
 * @see Zhou et al., "RAD: A Dataset and Benchmark for Real-Life Anomaly Detection with Robotic Observations", 2024 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_synth_rad(physad_context *context, const char *out_dir,
                                                           const physad_synth_rad_options *options,
                                                           const physad_call_options *call);

/** Knobs of physad_synth_phys(). Zero is the default of each; where nothing at all is a sensible choice, any negative
 * number asks for it. */
typedef struct physad_synth_phys_options {
    uint32_t struct_size;
    uint32_t flags;         /**< PHYSAD_SYNTH_REPLACE, PHYSAD_SYNTH_FRAMES */
    const char *categories; /**< names with commas between; NULL: all of physad_synth_phys_category() */
    int32_t train_videos;   /**< 0: 24; at most 1000 */
    int32_t test_videos;    /**< in test/good; 0: 12; negative: none; at most 1000 */
    int32_t defect_videos;  /**< of each defect; 0: 6; negative: none; at most 1000 */
    int32_t frames;         /**< of each video; 0: 72; 16 to 1000 */
    int32_t width;          /**< pixels, even, 32 to 2048; 0: 160 */
    int32_t height;         /**< 0: 128 */
    double frame_rate;      /**< 0: 30 */
    double variation; /**< of pace, start, pose, camera and light among normal and defective videos alike: a factor; 0:
                         1; negative: none; at most 2 */
    double severity;        /**< of the defects: a factor; 0: 1; 0.2 to 1.5 */
    double noise;           /**< of the sensor, standard deviation, of 0..1; 0: 0.01; negative: none; at most 0.5 */
} physad_synth_phys_options;

#define PHYSAD_SYNTH_PHYS_OPTIONS_INIT { sizeof(physad_synth_phys_options), 0, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/** Name of the i-th scene, such as "pendulum"; NULL outside 0..count-1. Any thread. @since 0.1 */
PHYSAD_API const char *physad_synth_phys_category(int64_t index);

/** Draws videos of things in use whose motion follows a known rule, and of things that break it: too slow, stopped
 * early, stalled for a moment, wobbling, trembling, in a wrong state at the end, without response. Things, light,
 * camera, pace and start vary among normal and defective videos alike, and single frames look right: only motion tells.
 *
 * Layout, for each category: `train/good/NNN.mp4`, `test/good/NNN.mp4`, `test/<defect>/NNN.mp4` (folders `NNN` of PNG
 * frames in place of files where FFmpeg is missing or PHYSAD_SYNTH_FRAMES asks for it); `text_labels.json`: object,
 * interaction, rules, and for "good" and each defect `description`, `explanation` (lists of texts) and `persistence`
 * ("persistent" or "intermittent"); `physad.json`: each video's `instance` (one of two things that look different). At
 * the top `synth.json`: the seed and every knob.
 *
 * @param[in] context  its seed decides everything that is drawn by chance: equal seed and options, equal frames, for
 * any number of threads (equal files with one build of FFmpeg)
 * @param[in] out_dir  made when missing, with the folders above it; must be empty unless PHYSAD_SYNTH_REPLACE
 * @param[in] options  copied; NULL for defaults
 * @param[in] call     progress (the category's name; videos done and in all) and cancel; may be NULL
 * @return PHYSAD_OK; PHYSAD_ERR_ARG (options; `out_dir` is not empty); PHYSAD_ERR_IO; PHYSAD_ERR_NOMEM;
 * PHYSAD_ERR_CANCELLED; PHYSAD_ERR_STATE (fork). After a failure the files that were written are removed. Any thread,
 * one call per folder.
 * @since 0.1
 * @see Li et al., "Towards Visual Discrimination and Reasoning of Real-World Physical Dynamics: Physics-Grounded
 * Anomaly Detection", CVPR 2025 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_synth_phys(physad_context *context, const char *out_dir,
                                                            const physad_synth_phys_options *options,
                                                            const physad_call_options *call);

#ifdef __cplusplus
}
#endif

#endif
