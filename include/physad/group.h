/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Many photos of one thing: one verdict, and where in space it is odd.
 *
 * The score of a group is on the scale of a single photo's, and that of a group of one photo is the photo's. Methods on
 * photos with poses know where each pixel lies in space: what two photos find odd at one place is rarer than either
 * says, so that the logarithms of their shares of normal places add up, and what one photo finds odd and others that
 * see the place do not is less.
 */
#ifndef PHYSAD_GROUP_H
#define PHYSAD_GROUP_H

#include <physad/detect.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opaque; immutable. Holds its context, and nothing of the results it was made of. */
typedef struct physad_group physad_group;

/** A place in space that is odd. */
typedef struct physad_place {
    uint32_t struct_size; /**< set by the caller */
    int32_t photo;        /**< number of the result in which it is oddest */
    int32_t agreeing;     /**< photos in which it is odd, that one too */
    int32_t seen_by;      /**< photos that see it: within them and not hidden */
    double position[3];   /**< in the frame of the training photos' poses, by the scene's depth */
    double radius;        /**< of a disc as large as what is odd there, in the frame's unit */
    /** of the place by all photos, on the scale of photos' scores where these are surprises (splat-bank); else how many
     * times ten rarer it is within its photo than one pixel in twenty */
    double score;
    double y, x;          /**< in photo `photo`, pixels */
} physad_place;

#define PHYSAD_PLACE_INIT { sizeof(physad_place), 0, 0, 0, { 0, 0, 0 }, 0, 0, 0, 0 }

/** Fuses the results of photos of one thing.
 * @param[out] out      the group, NULL on failure; freed by physad_group_free()
 * @param[in]  results  of photos (not videos) by one detector; borrowed during the call
 * @param[in]  count    at least 1
 * @return PHYSAD_OK; PHYSAD_ERR_ARG (none, a NULL, results of several detectors or of videos); PHYSAD_ERR_NOMEM;
 * PHYSAD_ERR_STATE (fork) Any thread. The order of results changes nothing but their numbers. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_group_new(physad_group **out, const physad_result *const *results,
                                                           int64_t count);

/** Frees a group; NULL is fine. */
PHYSAD_API void physad_group_free(physad_group *group);

/** One photo's own score; of several that of the oddest place by all photos, for methods whose scores are surprises
 * (splat-bank), else the greatest. NaN for NULL. */
PHYSAD_API double physad_group_score(const physad_group *group);
/** 1 when the score is above the results' threshold, 0 when not, -1 when they had none. */
PHYSAD_API int32_t physad_group_is_anomalous(const physad_group *group);
/** How many places are told, oddest first: 0 to 8; 0 for NULL, for methods without poses, and where no photo's pose was
 * found. */
PHYSAD_API int64_t physad_group_place_count(const physad_group *group);
/** Place `index`.
 * @param[out] place  struct_size set by the caller
 * @return PHYSAD_OK, PHYSAD_ERR_ARG (no such place, NULL, a wrong struct_size) @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_group_place(const physad_group *group, int64_t index,
                                                             physad_place *place);

#ifdef __cplusplus
}
#endif

#endif
