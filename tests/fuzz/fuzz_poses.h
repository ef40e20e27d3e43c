/* SPDX-License-Identifier: Apache-2.0 */
/* What holds of any poses that a parser lets through. */
#ifndef PHYSAD__FUZZ_POSES_H
#define PHYSAD__FUZZ_POSES_H

#include "fuzz.h"

#include "io/io.h"

#include <math.h>

static inline void check_poses(const physad__poses *poses)
{
    check(poses->n_photos > 0);
    for (int64_t i = 0; i < poses->n_photos; i++) {
        const physad__posed *photo = &poses->photos[i];
        check(photo->name != NULL && photo->name[0] != 0);
        for (int k = 0; k < 3; k++) {
            const double *r = photo->rotation + 3 * k;
            check(isfinite(photo->translation[k]) && fabs(r[0] * r[0] + r[1] * r[1] + r[2] * r[2] - 1) < 0.02);
        }
    }
    for (int64_t i = 0; i < poses->n_photos; i++)
        check(poses->photos[i].first_seen >= 0 && poses->photos[i].n_seen >= 0 &&
              poses->photos[i].n_seen <= poses->n_seen - poses->photos[i].first_seen);
    for (int64_t i = 0; i < poses->n_seen; i++)
        check(poses->seen[i].point >= -1 && poses->seen[i].point < poses->n_points && isfinite(poses->seen[i].x) &&
              isfinite(poses->seen[i].y));
    for (int64_t i = 0; i < 3 * poses->n_points; i++)
        check(isfinite(poses->points[i]));
}

#endif
