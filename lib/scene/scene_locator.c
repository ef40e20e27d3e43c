/* SPDX-License-Identifier: Apache-2.0 */
/* The public face of finding poses. */
#include "scene/scene_pose.h"

#include <physad/locate.h>

struct physad_locator {
    physad_context *ctx;
    physad_features *features;
    physad__locator found;
    int32_t max_side;
    double least_fit;
};

void physad_locator_free(physad_locator *locator)
{
    if (locator == NULL)
        return;
    physad_context *ctx = locator->ctx;
    physad__locator_close(&locator->found);
    physad_features_free(locator->features);
    physad__free(locator);
    physad_context_free(ctx);
}

static physad_status read_options(physad_locator_options *o, const physad_locator_options *in)
{
    *o = (physad_locator_options)PHYSAD_LOCATOR_OPTIONS_INIT;
    PHYSAD__TRY(physad__options_read(o, sizeof(*o), sizeof(*o), in, "physad_locator_options"));
    o->max_side = o->max_side != 0 ? o->max_side : 480;
    o->least_fit = o->least_fit != 0 ? o->least_fit : PHYSAD__LEAST_FIT;
    if (o->max_side < 32 || o->max_side > 32768)
        return physad__error(PHYSAD_ERR_ARG, "physad_locator_options: max_side is %d, want 32 to 32768", o->max_side);
    if (!(o->least_fit <= 1))
        return physad__error(PHYSAD_ERR_ARG, "physad_locator_options: least_fit is %g, want at most 1", o->least_fit);
    for (int k = 0; k < 3; k++)
        if (!(o->background[k] >= 0 && o->background[k] <= 1))
            return physad__error(PHYSAD_ERR_ARG, "physad_locator_options: background is %g, want 0 to 1",
                                 (double)o->background[k]);
    return PHYSAD_OK;
}

static physad_status open_locator(physad_locator *l, const physad_scene *scene, const char *data,
                                  const physad_locator_options *o, physad__call *call)
{
    physad__scene_views views;
    const physad__scene_choice all = { .trusted = true }; /* a wrong one only adds a wrong guess */
    PHYSAD__TRY(physad__scene_views_open(&views, l->ctx, data, o->max_side, 0, &all, call));
    physad_status status =
        physad__matcher_network(&l->features, l->ctx, &views.views[0].camera, o->backbone, o->weights, NULL);
    if (status == PHYSAD_OK)
        status = physad__locator_open(&l->found, l->ctx, physad__scene_gaussians(scene), o->background, &views,
                                      l->features, call);
    physad__scene_views_free(&views);
    return status;
}

physad_status physad_locator_new(physad_locator **out, const physad_scene *scene, const char *data,
                                 const physad_locator_options *options, const physad_call_options *call_options)
{
    physad_locator_options o;
    physad__call call;
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_locator_new: out is NULL");
    *out = NULL;
    if (scene == NULL || data == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_locator_new: %s is NULL", scene == NULL ? "scene" : "data");
    physad_context *ctx = physad__scene_context(scene);
    PHYSAD__TRY(read_options(&o, options));
    PHYSAD__TRY(physad__call_begin(&call, ctx, call_options, "physad_locator_new"));
    physad_locator *l = physad__alloc_zero(&ctx->mem, sizeof(*l), "locator");
    physad_status status = l != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK) {
        l->ctx = physad__context_retain(ctx);
        l->max_side = o.max_side;
        l->least_fit = o.least_fit;
        status = open_locator(l, scene, data, &o, &call);
    }
    physad__call_end(&call);
    if (status != PHYSAD_OK) {
        physad_locator_free(l);
        return status;
    }
    *out = l;
    return PHYSAD_OK;
}

static physad_status find(const physad_locator *l, const physad_view *photo, physad_pose *out, int64_t capacity,
                          int64_t *count)
{
    physad__scene_view view = { 0 };
    physad__pose poses[PHYSAD__POSES];
    int64_t n = 0;
    physad_status status = physad__scene_view_fill(&view, l->ctx, &l->found.lens, photo, l->max_side, "the photo");
    if (status == PHYSAD_OK)
        status = physad__locator_find(&l->found, &view, l->least_fit, poses, &n);
    physad__scene_view_clear(&view);
    if (status != PHYSAD_OK && n > 0)
        n = 1;
    *count = physad__min(n, capacity);
    for (int64_t i = 0; i < *count; i++)
        out[i] =
            (physad_pose){ poses[i].camera, poses[i].loss, poses[i].agreement, poses[i].confidence, poses[i].view };
    return status;
}

physad_status physad_locator_find(const physad_locator *locator, const physad_view *photo, physad_pose *poses,
                                  int64_t capacity, int64_t *count)
{
    physad__call call;
    if (locator == NULL || poses == NULL || count == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_locator_find: %s is NULL",
                             locator == NULL ? "locator" : poses == NULL ? "poses" : "count");
    *count = 0;
    if (capacity < 1)
        return physad__error(PHYSAD_ERR_ARG, "physad_locator_find: capacity is %lld, want 1 at least",
                             (long long)capacity);
    PHYSAD__TRY(physad__view_check(photo, "physad_locator_find: photo"));
    PHYSAD__TRY(physad__call_begin(&call, locator->ctx, NULL, "physad_locator_find"));
    const physad_status status = find(locator, photo, poses, capacity, count);
    physad__call_end(&call);
    return status;
}
