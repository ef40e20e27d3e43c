/* SPDX-License-Identifier: Apache-2.0 */
/* A made-up set's knobs, folders and JSON. */
#include "synth/synth.h"
#include "synth/synth_knobs.h"
#include "synth/synth_phys.h"

#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

/* --- knobs ------------------------------------------------------------------------------------------ */

static const char *object_name(int64_t i)
{
    return physad__object_at(i)->name;
}

static const char *defect_name(int64_t i)
{
    return physad__defect_names[i];
}

physad_status physad__rad_knobs_read(physad__rad_knobs *knobs, const physad_context *ctx,
                                     const physad_synth_rad_options *options)
{
    physad_synth_rad_options *o = &knobs->o;
    memset(knobs, 0, sizeof(*knobs));
    PHYSAD__TRY(physad__options_read(o, sizeof(*o), sizeof(*o), options, "physad_synth_rad_options"));
    knobs->seed = ctx->seed;
    if ((o->flags & ~(PHYSAD_SYNTH_REPLACE | PHYSAD_SYNTH_SYMMETRIC)) != 0 || o->reserved != 0)
        return physad__error(PHYSAD_ERR_UNSUPPORTED,
                             "physad_synth_rad: flags 0x%x have bits that this version does not know", o->flags);
    if (o->background != PHYSAD_SYNTH_TABLE && o->background != PHYSAD_SYNTH_PLAIN)
        return physad__error(PHYSAD_ERR_ARG, "physad_synth_rad: background is %d, want PHYSAD_SYNTH_TABLE or _PLAIN",
                             o->background);
    PHYSAD__TRY(physad__knob_names("physad_synth_rad", knobs->category, physad__object_count(), object_name,
                                   o->categories, "category"));
    PHYSAD__TRY(
        physad__knob_names("physad_synth_rad", knobs->defect, PHYSAD__DEFECTS, defect_name, o->defects, "defect"));
    PHYSAD__TRY(physad__knob_int("physad_synth_rad", &o->train_views, "train_views", 68, 1, 1000));
    PHYSAD__TRY(physad__knob_int("physad_synth_rad", &o->test_views, "test_views", 68, 0, 1000));
    PHYSAD__TRY(physad__knob_int("physad_synth_rad", &o->instances, "instances", 4, 1, 24));
    PHYSAD__TRY(physad__knob_int("physad_synth_rad", &o->instance_views, "instance_views", 17, 1, 1000));
    PHYSAD__TRY(physad__knob_int("physad_synth_rad", &o->width, "width", 256, 32, 4096));
    PHYSAD__TRY(physad__knob_int("physad_synth_rad", &o->height, "height", o->width, 32, 4096));
    PHYSAD__TRY(physad__knob_real("physad_synth_rad", &o->pose_jitter, "pose_jitter", 3, 0, 30));
    PHYSAD__TRY(physad__knob_real("physad_synth_rad", &o->pose_noise, "pose_noise", 0, 0, 30));
    PHYSAD__TRY(physad__knob_real("physad_synth_rad", &o->light_change, "light_change", 0, 0, 1));
    PHYSAD__TRY(physad__knob_real("physad_synth_rad", &o->gloss, "gloss", 1, 0, 3));
    PHYSAD__TRY(physad__knob_real("physad_synth_rad", &o->defect_size, "defect_size", 1, 0.25, 3));
    PHYSAD__TRY(physad__knob_real("physad_synth_rad", &o->defect_strength, "defect_strength", 1, 0.1, 3));
    PHYSAD__TRY(physad__knob_real("physad_synth_rad", &o->noise, "noise", 0.01, 0, 0.5));
    return physad__knob_real("physad_synth_rad", &o->exposure, "exposure", 0.04, 0, 2);
}

json_t *physad__knobs_json(const physad__rad_knobs *knobs)
{
    const physad_synth_rad_options *o = &knobs->o;
    json_t *defects = json_array();
    for (int i = 0; i < PHYSAD__DEFECTS; i++)
        if (knobs->defect[i])
            json_array_append_new(defects, json_string(physad__defect_names[i]));
    return json_pack("{so si si si si si si ss sb sf sf sf sf sf sf sf sf}", "defects", defects, "train_views",
                     o->train_views, "test_views", o->test_views, "instances", o->instances, "instance_views",
                     o->instance_views, "width", o->width, "height", o->height, "background",
                     o->background == PHYSAD_SYNTH_TABLE ? "table" : "plain", "symmetric",
                     (o->flags & PHYSAD_SYNTH_SYMMETRIC) != 0, "pose_jitter", o->pose_jitter, "pose_noise",
                     o->pose_noise, "light_change", o->light_change, "gloss", o->gloss, "defect_size", o->defect_size,
                     "defect_strength", o->defect_strength, "noise", o->noise, "exposure", o->exposure);
}

/* --- folders ---------------------------------------------------------------------------------------- */

physad_status physad__synth_prepare(physad_context *ctx, const char *out_dir, bool replace, bool *made)
{
    *made = !physad__path_exists(out_dir);
    if (*made)
        return physad__dir_make(&ctx->mem, out_dir);
    physad__dir dir = { 0 };
    PHYSAD__TRY(physad__dir_list(&dir, &ctx->mem, out_dir));
    bool earlier = false;
    for (int64_t i = 0; i < dir.count; i++)
        earlier = earlier || strcmp(dir.entries[i].name, "synth.json") == 0;
    const int64_t count = dir.count;
    physad__dir_free(&dir);
    if (count == 0)
        return PHYSAD_OK;
    if (!replace)
        return physad__error(PHYSAD_ERR_ARG, "%s: the folder is not empty; give a new one%s", out_dir,
                             earlier ? ", or ask for the set in it to be replaced" : "");
    if (!earlier)
        return physad__error(PHYSAD_ERR_ARG,
                             "%s: the folder is not empty and holds no set to replace (no synth.json); give a new one",
                             out_dir);
    physad__phys_clear(ctx, out_dir); /* an earlier set may be of either kind */
    physad__synth_clear(ctx, out_dir);
    return PHYSAD_OK;
}

/* Whether a name is one that a set gives: 012.png, q07.png, i03_q07.png, i03_q07_mask.png. */
static bool is_ours(const char *name)
{
    const char *p = name;
    if (*p == 'i') {
        for (p++; isdigit((unsigned char)*p); p++) {}
        if (*p++ != '_' || *p != 'q')
            return false;
    }
    if (*p == 'q')
        p++;
    if (!isdigit((unsigned char)*p))
        return false;
    while (isdigit((unsigned char)*p))
        p++;
    return strcmp(p, ".png") == 0 || strcmp(p, "_mask.png") == 0;
}

static void remove_below(physad_context *ctx, const char *folder, const char *name, bool is_dir)
{
    char *path = physad__path_join(&ctx->mem, folder, name);
    if (path != NULL && is_dir)
        (void)rmdir(path); /* stays when it holds something else */
    else if (path != NULL)
        (void)unlink(path);
    physad__free(path);
}

static void clear_photos(physad_context *ctx, const char *category, const char *below)
{
    char *folder = physad__path_join(&ctx->mem, category, below);
    physad__dir dir = { 0 };
    if (folder != NULL && physad__path_is_dir(folder) && physad__dir_list(&dir, &ctx->mem, folder) == PHYSAD_OK) {
        for (int64_t i = 0; i < dir.count; i++)
            if (is_ours(dir.entries[i].name))
                remove_below(ctx, folder, dir.entries[i].name, false);
        physad__dir_free(&dir);
        (void)rmdir(folder);
    }
    physad__free(folder);
}

void physad__synth_clear(physad_context *ctx, const char *out_dir)
{
    for (int64_t i = 0; i < physad__object_count(); i++) {
        char *category = physad__path_join(&ctx->mem, out_dir, physad__object_at(i)->name);
        if (category != NULL && physad__path_is_dir(category)) {
            clear_photos(ctx, category, "train/good");
            clear_photos(ctx, category, "test/good");
            for (int k = 0; k < PHYSAD__DEFECTS; k++) {
                char below[64];
                physad__snprintf(below, sizeof(below), "test/%s", physad__defect_names[k]);
                clear_photos(ctx, category, below);
                physad__snprintf(below, sizeof(below), "ground_truth/%s", physad__defect_names[k]);
                clear_photos(ctx, category, below);
            }
            remove_below(ctx, category, "transforms.json", false);
            remove_below(ctx, category, "transforms_test.json", false);
            remove_below(ctx, category, "train", true);
            remove_below(ctx, category, "test", true);
            remove_below(ctx, category, "ground_truth", true);
            (void)rmdir(category);
        }
        physad__free(category);
    }
    remove_below(ctx, out_dir, "attributes.json", false);
    remove_below(ctx, out_dir, "synth.json", false);
}

/* --- poses ------------------------------------------------------------------------------------------ */

json_t *physad__poses_new(const physad__camera *c)
{
    return json_pack("{sf sf sf sf sf sf si si ss s[]}", "camera_angle_x", 2 * atan(c->width / 2.0 / c->focal),
                     "camera_angle_y", 2 * atan(c->height / 2.0 / c->focal), "fl_x", c->focal, "fl_y", c->focal, "cx",
                     c->cx, "cy", c->cy, "w", c->width, "h", c->height, "camera_model", "PINHOLE", "frames");
}

bool physad__poses_add(json_t *poses, const char *file_path, double pose[4][4])
{
    json_t *matrix = json_array();
    for (int i = 0; i < 4; i++)
        if (json_array_append_new(matrix, json_pack("[f f f f]", pose[i][0], pose[i][1], pose[i][2], pose[i][3])) !=
            0) {
            json_decref(matrix);
            return false;
        }
    json_t *frame = json_pack("{ss so}", "file_path", file_path, "transform_matrix", matrix);
    return json_array_append_new(json_object_get(poses, "frames"), frame) == 0;
}
