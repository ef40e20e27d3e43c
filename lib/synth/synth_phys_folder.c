/* SPDX-License-Identifier: Apache-2.0 */
/* A set of made-up videos: its knobs, texts and folders. */
#include "synth/synth_phys.h"
#include "synth/synth_knobs.h"

#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

/* --- knobs ---------------------------------------------------------------------------------------------------------
 */

static const char *scene_name(int64_t i)
{
    return physad__phys_scenes[i]->name;
}

physad_status physad__phys_knobs_read(physad__phys_knobs *knobs, const physad_context *ctx,
                                      const physad_synth_phys_options *options)
{
    physad_synth_phys_options *o = &knobs->o;
    memset(knobs, 0, sizeof(*knobs));
    PHYSAD__TRY(physad__options_read(o, sizeof(*o), sizeof(*o), options, "physad_synth_phys_options"));
    knobs->seed = ctx->seed;
    if ((o->flags & ~(PHYSAD_SYNTH_REPLACE | PHYSAD_SYNTH_FRAMES)) != 0)
        return physad__error(PHYSAD_ERR_UNSUPPORTED,
                             "physad_synth_phys: flags 0x%x have bits that this version does not know", o->flags);
    PHYSAD__TRY(physad__knob_names("physad_synth_phys", knobs->category, physad__phys_scene_count, scene_name,
                                   o->categories, "category"));
    PHYSAD__TRY(physad__knob_int("physad_synth_phys", &o->train_videos, "train_videos", 24, 1, 1000));
    PHYSAD__TRY(physad__knob_int("physad_synth_phys", &o->test_videos, "test_videos", 12, 0, 1000));
    PHYSAD__TRY(physad__knob_int("physad_synth_phys", &o->defect_videos, "defect_videos", 6, 0, 1000));
    PHYSAD__TRY(physad__knob_int("physad_synth_phys", &o->frames, "frames", 72, 16, 1000));
    PHYSAD__TRY(physad__knob_int("physad_synth_phys", &o->width, "width", 160, 32, 2048));
    PHYSAD__TRY(physad__knob_int("physad_synth_phys", &o->height, "height", 128, 32, 2048));
    PHYSAD__TRY(physad__knob_real("physad_synth_phys", &o->frame_rate, "frame_rate", 30, 1, 240));
    PHYSAD__TRY(physad__knob_real("physad_synth_phys", &o->variation, "variation", 1, 0, 2));
    PHYSAD__TRY(physad__knob_real("physad_synth_phys", &o->severity, "severity", 1, 0.2, 1.5));
    PHYSAD__TRY(physad__knob_real("physad_synth_phys", &o->noise, "noise", 0.01, 0, 0.5));
    if (o->width % 2 != 0 || o->height % 2 != 0)
        return physad__error(PHYSAD_ERR_ARG, "physad_synth_phys: videos of %d x %d pixels; want even numbers", o->width,
                             o->height);
    knobs->files = (o->flags & PHYSAD_SYNTH_FRAMES) == 0 && physad__video_available();
    return PHYSAD_OK;
}

/* --- texts ---------------------------------------------------------------------------------------------------------
 */

static physad_status write_json(physad_context *ctx, const char *folder, const char *name, json_t *json)
{
    char *path = json != NULL ? physad__path_join(&ctx->mem, folder, name) : NULL;
    physad_status status = json == NULL ? physad__error(PHYSAD_ERR_NOMEM, "%s: no memory", name) : PHYSAD_ERR_NOMEM;
    if (path != NULL)
        status = physad__json_write(&ctx->mem, path, json);
    physad__free(path);
    json_decref(json);
    return status;
}

physad_status physad__phys_write_texts(physad_context *ctx, const char *folder, const physad__phys_scene *scene)
{
    json_t *texts =
        json_pack("{ss ss ss s[s] s{s[s] s[]}}", "category", scene->name, "object", scene->object, "interaction",
                  scene->interaction, "rules", scene->rule, "good", "description", scene->rule, "explanation");
    for (int32_t i = 0; texts != NULL && i < scene->defect_count; i++) {
        const physad__phys_defect *d = &scene->defects[i];
        json_object_set_new(texts, d->name,
                            json_pack("{s[s] s[s] ss}", "description", d->description, "explanation", d->cause,
                                      "persistence", d->intermittent != 0 ? "intermittent" : "persistent"));
    }
    return write_json(ctx, folder, "text_labels.json", texts);
}

physad_status physad__phys_write_instances(physad_context *ctx, const char *folder, const json_t *instances)
{
    return write_json(ctx, folder, "physad.json", json_pack("{sO}", "instances", instances));
}

physad_status physad__phys_write_summary(physad_context *ctx, const char *out_dir, const physad__phys_knobs *k,
                                         bool complete)
{
    char digits[24];
    json_t *categories = json_array();
    physad__snprintf(digits, sizeof(digits), "%llu", (unsigned long long)k->seed);
    for (int64_t i = 0; i < physad__phys_scene_count; i++)
        if (k->category[i])
            json_array_append_new(categories, json_string(physad__phys_scenes[i]->name));
    json_t *options =
        json_pack("{si si si si si si sf sf sf sf ss}", "train_videos", k->o.train_videos, "test_videos",
                  k->o.test_videos, "defect_videos", k->o.defect_videos, "frames", k->o.frames, "width", k->o.width,
                  "height", k->o.height, "frame_rate", k->o.frame_rate, "variation", k->o.variation, "severity",
                  k->o.severity, "noise", k->o.noise, "videos", k->files ? "mp4" : "frames");
    return write_json(ctx, out_dir, "synth.json",
                      json_pack("{ss ss so so sb so}", "made_by", "physad synth phys", "version", physad_version(),
                                "seed", k->seed <= INT64_MAX ? json_integer((json_int_t)k->seed) : json_string(digits),
                                "options", options, "complete", complete, "categories", categories));
}

/* --- clearing ------------------------------------------------------------------------------------------------------
 */

/* NNN and what follows: ".mp4", ".png" or nothing. */
static bool is_number(const char *name, const char *suffix)
{
    const char *p = name;
    while (isdigit((unsigned char)*p))
        p++;
    return p != name && strcmp(p, suffix) == 0;
}

static void remove_name(physad_context *ctx, const char *folder, const char *name)
{
    char *path = physad__path_join(&ctx->mem, folder, name);
    if (path != NULL)
        (void)remove(path); /* a folder stays when it holds something else */
    physad__free(path);
}

/* Removes files NNN<suffix>, or what is in the folders NNN and these; then the folder itself. */
static void clear_numbers(physad_context *ctx, const char *folder, bool frames)
{
    physad__dir dir = { 0 };
    if (!physad__path_is_dir(folder) || physad__dir_list(&dir, &ctx->mem, folder) != PHYSAD_OK)
        return;
    for (int64_t i = 0; i < dir.count; i++) {
        const char *name = dir.entries[i].name;
        if (!dir.entries[i].is_dir && (is_number(name, ".mp4") || (frames && is_number(name, ".png"))))
            remove_name(ctx, folder, name);
        char *below =
            dir.entries[i].is_dir && !frames && is_number(name, "") ? physad__path_join(&ctx->mem, folder, name) : NULL;
        if (below != NULL)
            clear_numbers(ctx, below, true);
        physad__free(below);
    }
    physad__dir_free(&dir);
    (void)rmdir(folder);
}

static void clear_part(physad_context *ctx, const char *category, const char *part, const char *type)
{
    char *folder = physad__format(&ctx->mem, "%s/%s/%s", category, part, type);
    if (folder != NULL)
        clear_numbers(ctx, folder, false);
    physad__free(folder);
}

void physad__phys_clear(physad_context *ctx, const char *out_dir)
{
    for (int64_t i = 0; i < physad__phys_scene_count; i++) {
        const physad__phys_scene *scene = physad__phys_scenes[i];
        char *category = physad__path_join(&ctx->mem, out_dir, scene->name);
        if (category != NULL && physad__path_is_dir(category)) {
            clear_part(ctx, category, "train", "good");
            clear_part(ctx, category, "test", "good");
            for (int32_t k = 0; k < scene->defect_count; k++)
                clear_part(ctx, category, "test", scene->defects[k].name);
            remove_name(ctx, category, "text_labels.json");
            remove_name(ctx, category, "physad.json");
            remove_name(ctx, category, "train");
            remove_name(ctx, category, "test");
            remove_name(ctx, out_dir, scene->name);
        }
        physad__free(category);
    }
    remove_name(ctx, out_dir, "synth.json");
}
