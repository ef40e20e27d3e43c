/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * What a score map shows: its regions, their place, shape and strength, and what kind of defect each looks like.
 *
 * The kind is told by a small linear model that was fitted on objects drawn by physad_synth_rad(), never on photos.
 * Where the method knows a photo's pose (splat-bank, render-compare, piad, splatpose), the region is laid beside what
 * the scene shows from there: a colour that is off, pixels that moved, structure that is gone or new. Elsewhere shape,
 * colour and texture against a ring around it have to do. It is a hint: on regions of drawn objects 0.72 are told
 * rightly with a pose and 0.50 without, on photos of one scene 0.65 and 0.53, and on coarse maps of textured surfaces
 * without poses it was no better than chance (docs/design.md). Where a few labelled photos are at hand, physad_types
 * tells their types apart instead, by the nearest example in the measures against the ring.
 */
#ifndef PHYSAD_REGION_H
#define PHYSAD_REGION_H

#include <physad/base.h>
#include <physad/context.h>
#include <physad/detect.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @name Kinds of defect */
/** @{ */
#define PHYSAD_DEFECT_HOLE 0        /**< something is missing: another surface shows */
#define PHYSAD_DEFECT_LINE 1        /**< a scratch, a crack, a thread */
#define PHYSAD_DEFECT_TINT 2        /**< a stain: the colour is wrong, the surface goes on */
#define PHYSAD_DEFECT_DEFORMATION 3 /**< a dent, a bulge: the surface goes on, but elsewhere */
#define PHYSAD_DEFECTS 4
/** @} */

/** The name of a kind: "hole", "line", "tint", "deformation"; NULL outside 0 .. PHYSAD_DEFECTS-1. Static. @since 0.1 */
PHYSAD_API const char *physad_defect_name(int32_t kind);
/** The kind that the name of a defect type speaks of, in English as data sets use it ("scratched", "Stains",
 * "missing_hole"), or -1.
 * @param[in] type  a name; NULL gives -1 @since 0.1 */
PHYSAD_API int32_t physad_defect_of_type(const char *type);

/** The regions of one map, the highest peak first. Opaque; immutable, any number of threads may read it. */
typedef struct physad_regions physad_regions;

/** A connected part of a map above a level; all lengths in pixels of the photo, (0,0) its upper left corner. */
typedef struct physad_region {
    uint32_t struct_size;            /**< set by the caller */
    int32_t kind;                    /**< PHYSAD_DEFECT_*: the likeliest */
    double top, left, bottom, right; /**< box, half open */
    double area;                     /**< square pixels */
    double peak, peak_y, peak_x;     /**< highest score and its place */
    double length, width,
        angle; /**< axes of the ellipse with the same moments; of the length, in radians from x to y, -pi/2 .. pi/2 */
    double hole, line, tint,
        deformation; /**< likelihoods of the kinds, sum 1; all 0.25 where nothing lies around to compare with */
} physad_region;
#define PHYSAD_REGION_INIT { sizeof(physad_region), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/** Finds the regions of a result's map.
 * @param[out] out     the regions, NULL on failure; freed by physad_regions_free()
 * @param[in]  result  of a photo; borrowed during the call
 * @param[in]  photo   the photo that was scored, borrowed: as in physad_detector_score(), of the size of the result's
 * map
 * @param[in]  level   a place belongs to a region when its score is above it, in the map's unit; NaN: half way from the
 * map's median to its peak, whether the photo is anomalous or not (ask physad_result_is_anomalous() for that)
 * @return PHYSAD_OK (also without any region), PHYSAD_ERR_ARG, PHYSAD_ERR_SHAPE (another size), PHYSAD_ERR_DTYPE,
 *         PHYSAD_ERR_UNSUPPORTED (the method makes no map), PHYSAD_ERR_NOMEM, PHYSAD_ERR_STATE
 * Photos longer than 512 pixels are looked at in whole fractions of their size. Any thread. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_regions_find(physad_regions **out, const physad_result *result,
                                                              const physad_view *photo, double level);
/** Finds the regions of a map from anywhere; otherwise as physad_regions_find().
 * @param[in] map  borrowed: H x W f32, NaN where nothing counts; of the photo's size
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_regions_of_map(physad_regions **out, physad_context *context,
                                                                const physad_view *map, const physad_view *photo,
                                                                double level);
/** Frees regions; NULL is fine. */
PHYSAD_API void physad_regions_free(physad_regions *regions);
/** How many there are, at most 256; 0 for NULL. */
PHYSAD_API int64_t physad_regions_count(const physad_regions *regions);
/** The level that was used; NaN for NULL. */
PHYSAD_API double physad_regions_level(const physad_regions *regions);
/** Describes region `index`, 0 .. count-1, the highest peak first.
 * @return PHYSAD_OK, PHYSAD_ERR_ARG @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_regions_get(const physad_regions *regions, int64_t index,
                                                             physad_region *out);

/* --- types of defect, from examples ----------------------------------------------------------- */

/** Types of defect and the examples they are known by; without any, the four kinds. Opaque; adding needs it for itself,
 * telling does not. */
typedef struct physad_types physad_types;

/** Makes types without examples.
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_NOMEM, PHYSAD_ERR_STATE @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_types_new(physad_types **out, physad_context *context);
/** Frees types; NULL is fine. */
PHYSAD_API void physad_types_free(physad_types *types);
/** Adds an example: the first of `regions`, of a photo that shows a defect of this type. From the first one on the
 * types are those of the examples.
 * @return PHYSAD_OK, PHYSAD_ERR_ARG (no type, or no region), PHYSAD_ERR_NOMEM, PHYSAD_ERR_STATE @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_types_add(physad_types *types, const char *type,
                                                           const physad_regions *regions);
/** Adds every photo of the folders in `folder`, each named after the type that its photos show, scored by `detector`.
 * @return PHYSAD_OK; PHYSAD_ERR_ARG (no folders in it, or a photo whose map shows no region); as physad_dataset_open()
 * for its folders, physad_detector_score() for its photos and physad_regions_find(); what was added before a failure
 * stays @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_types_add_folder(physad_types *types, const physad_detector *detector,
                                                                  const char *folder);
/** How many types there are. 0 for NULL. */
PHYSAD_API int64_t physad_types_count(const physad_types *types);
/** Name of type `index`, in the order of their first examples; NULL outside. Owned by the types. */
PHYSAD_API const char *physad_types_name(const physad_types *types, int64_t index);
/** How much the first of `regions` looks like type `index`: 0..1, over all types 1; equal for all where there is no
 * region. NaN for NULL and an index outside 0 .. count-1. Any thread. @since 0.1 */
PHYSAD_API double physad_types_likeness(const physad_types *types, const physad_regions *regions, int64_t index);

#ifdef __cplusplus
}
#endif

#endif
