/* SPDX-License-Identifier: Apache-2.0 */
/* A small set of drawn drawers, and motion-bank fitted to it. */
#ifndef PHYSAD__TEST_DRAWERS_HELP_H
#define PHYSAD__TEST_DRAWERS_HELP_H

#include "scratch.h"

#include <physad/dataset.h>
#include <physad/detect.h>
#include <physad/synth.h>

static char root[256];
static physad_context *shared;
static physad_dataset *drawers;

static inline const char *full(const char *path)
{
    static char out[4][1024];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(out[turn], sizeof(out[0]), "%s/%s", root, path);
    return out[turn];
}

/* A set of drawers in frames; false where there is none. */
static inline bool make_drawers(int32_t test_videos)
{
    physad_context_options c = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_synth_phys_options o = PHYSAD_SYNTH_PHYS_OPTIONS_INIT;
    scratch_make(root, sizeof(root));
    c.seed = 5;
    c.threads = 1;
    o.flags = PHYSAD_SYNTH_FRAMES;
    o.categories = "drawer";
    o.train_videos = 8;
    o.test_videos = test_videos;
    o.defect_videos = 1;
    o.frames = 32;
    o.width = o.height = 64;
    o.frame_rate = 14;
    return physad_context_new(&shared, &c) == PHYSAD_OK &&
           physad_synth_phys(shared, full("set"), &o, NULL) == PHYSAD_OK &&
           physad_dataset_open(&drawers, shared, full("set"), NULL) == PHYSAD_OK;
}

/* -1 where something is left. */
static inline int drop_drawers(void)
{
    physad_dataset_free(drawers);
    const bool leaks = physad_context_memory_used(shared) != 0;
    physad_context_free(shared);
    scratch_remove(root);
    return leaks ? -1 : 0;
}

static inline physad_detector *fit(physad_context *ctx, const char *mode)
{
    physad_detector *det;
    assert_ok(physad_detector_new(&det, ctx, "motion-bank"));
    assert_ok(physad_detector_set(det, "mode", mode));
    assert_ok(physad_detector_set(det, "bank_rows", "500"));
    assert_ok(physad_detector_set(det, "calibration", "0"));
    assert_ok(physad_detector_set(det, "fps", "25"));
    assert_ok(physad_detector_fit(det, drawers, NULL));
    return det;
}

#endif
