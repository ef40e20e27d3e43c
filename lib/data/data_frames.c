/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of videos as photos, so that methods on photos can be fitted on videos. */
#include "data/data_dataset.h"

#include <physad/video.h>

static physad_status count_frames(const physad_dataset *ds, const physad_sample *s, int64_t *count)
{
    physad_video *video;
    physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
    o.ahead = -1;
    o.channels = 1;
    PHYSAD__TRY(physad_video_open(&video, ds->ctx, s->file, &o));
    const physad_status status = physad_video_frame_count(video, count);
    physad_video_free(video);
    return status;
}

static physad_status push_frames(physad_dataset *out, const physad__record *video, int64_t wanted)
{
    int64_t total = 0;
    PHYSAD__TRY(count_frames(out, &video->sample, &total));
    const int64_t n = physad__min(wanted, total);
    for (int64_t i = 0; i < n; i++) {
        physad__record r = *video;
        r.of_video = true;
        r.frame = (2 * i + 1) * total / (2 * n);
        r.sample.kind = PHYSAD_KIND_IMAGE;
        r.sample.truth = video->sample.label == 0 ? PHYSAD_TRUTH_ZERO : PHYSAD_TRUTH_NONE;
        r.sample.frame_file = NULL;
        r.sample.path = physad__store_format(out->store, "%s#%lld", video->sample.path, (long long)r.frame);
        if (r.sample.path == NULL)
            return PHYSAD_ERR_NOMEM;
        PHYSAD__TRY(physad__dataset_push(out, &r));
    }
    return PHYSAD_OK;
}

static physad_status push_all(physad_dataset *out, const physad_dataset *from, int64_t count)
{
    for (int64_t i = 0; i < from->count; i++) {
        physad__record *r = from->records[i];
        PHYSAD__TRY(physad__cancelled(out->ctx));
        PHYSAD__TRY(r->sample.kind == PHYSAD_KIND_IMAGE ? physad__dataset_share(out, r) : push_frames(out, r, count));
    }
    return PHYSAD_OK;
}

physad_status physad_dataset_frames(physad_dataset **out, const physad_dataset *dataset, int64_t count)
{
    physad_dataset *ds = NULL;
    if (out == NULL || dataset == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_dataset_frames: %s is NULL", out == NULL ? "out" : "dataset");
    *out = NULL;
    PHYSAD__TRY(physad__context_check(dataset->ctx, "physad_dataset_frames"));
    if (count < 1 || count > 100000)
        return physad__error(PHYSAD_ERR_ARG, "physad_dataset_frames: count is %lld, want 1 to 100000",
                             (long long)count);
    PHYSAD__TRY(physad__dataset_derive(&ds, dataset));
    const physad_status status = push_all(ds, dataset, count);
    if (status == PHYSAD_OK)
        *out = ds;
    else
        physad_dataset_free(ds);
    return status;
}
