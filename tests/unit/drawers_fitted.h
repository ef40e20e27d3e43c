/* SPDX-License-Identifier: Apache-2.0 */
/* motion-bank fitted to the drawers as episodes and as a stream, and takes scored. */
#ifndef PHYSAD__TEST_DRAWERS_FITTED_H
#define PHYSAD__TEST_DRAWERS_FITTED_H

#include "drawers_help.h"

#include "physad_config.h"

#ifdef PHYSAD_HAVE_OPENMP
#include <omp.h>
#endif

static physad_detector *fitted, *streamed; /* to episodes, to a stream */

static inline const physad_sample *sample_of(const char *type)
{
    for (int64_t i = 0; i < physad_dataset_count(drawers); i++) {
        const physad_sample *s = physad_dataset_sample(drawers, i);
        if (s->split == PHYSAD_SPLIT_TEST && strcmp(s->type, type) == 0)
            return s;
    }
    fail_msg("no %s", type);
    return NULL;
}

static inline physad_result *score(const physad_detector *det, const char *file)
{
    physad_video *v;
    physad_result *r;
    assert_ok(physad_video_open(&v, shared, file, NULL));
    assert_ok(physad_detector_score_video(det, v, 0, &r));
    physad_video_free(v);
    return r;
}

static inline void same_result(const physad_result *a, const physad_result *b)
{
    assert_true(physad_result_score(a) == physad_result_score(b));
    assert_int_equal(physad_result_frame_count(a), physad_result_frame_count(b));
    assert_memory_equal(physad_result_frame_scores(a), physad_result_frame_scores(b),
                        (size_t)physad_result_frame_count(a) * sizeof(double));
    assert_string_equal(physad_result_verdict(a), physad_result_verdict(b));
}

static inline int make(void **state)
{
#ifdef PHYSAD_HAVE_OPENMP
    omp_set_num_threads(1); /* of parts of the library that are called by themselves; contexts have their own */
#endif
    if (!make_drawers(1))
        return -1;
    fitted = fit(shared, "auto");
    streamed = fit(shared, "stream");
    return 0;
}

static inline int drop(void **state)
{
    physad_detector_free(fitted);
    physad_detector_free(streamed);
    return drop_drawers();
}

#endif
