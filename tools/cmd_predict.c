/* SPDX-License-Identifier: Apache-2.0 */
#include "predict.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- maps -------------------------------------------------------------------------------------------- */

static bool taken(const predict *p, const char *name)
{
    for (int64_t i = 0; i < p->map_count; i++)
        if (strcmp(p->map_names[i], name) == 0)
            return true;
    return false;
}

/* FOLDER/stem, with a number where several photos have one stem. Owned by the caller; kept as taken. */
static char *map_stem(predict *p, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path, *dot = strrchr(name, '.');
    const int length = dot != NULL && dot != name ? (int)(dot - name) : (int)strlen(name);
    const size_t size = strlen(p->maps) + (size_t)length + 32;
    char *stem = malloc(size);
    if (p->map_count == p->map_room) {
        const int64_t room = p->map_room * 2 + 64;
        char **names = realloc(p->map_names, (size_t)room * sizeof(*names));
        if (names == NULL) {
            free(stem);
            return NULL;
        }
        p->map_names = names;
        p->map_room = room;
    }
    if (stem == NULL)
        return NULL;
    snprintf(stem, size, "%s/%.*s", p->maps, length, name);
    for (int64_t n = 2; taken(p, stem); n++)
        snprintf(stem, size, "%s/%.*s_%lld", p->maps, length, name, (long long)n);
    p->map_names[p->map_count++] = stem;
    return stem;
}

/* Photo and map side by side, as STEM.png. Full colour at the threshold, or at the largest score without one. */
static physad_status write_picture(const predict *p, const physad_view *photo, const physad_view *map, const char *path)
{
    const int64_t height = map->shape[0], width = map->shape[1],
                  shape[3] = { height, 2 * width + PHYSAD_OVERLAY_GAP, 3 };
    const float *scores = map->data;
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < height * width; i++) {
        low = scores[i] < low ? (double)scores[i] : low;
        high = scores[i] > high ? (double)scores[i] : high;
    }
    physad_threshold threshold = PHYSAD_THRESHOLD_INIT;
    if (physad_detector_threshold(p->detector, &threshold) == PHYSAD_OK && threshold.value > low)
        high = threshold.value;
    if (!(high > low))
        high = low + 1;
    low += 0.4 * (high - low); /* what is usual stays without colour */
    unsigned char *pixels = malloc((size_t)(shape[0] * shape[1] * 3));
    if (pixels == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_view out = physad_view_array(pixels, PHYSAD_U8, 3, shape);
    physad_status status = physad_overlay_draw(photo, map, NULL, low, high, &out);
    if (status == PHYSAD_OK)
        status = physad_image_write(p->t->ctx, path, &out, NULL);
    free(pixels);
    return status;
}

int predict_write_map(predict *p, const physad_view *map, const physad_view *photo, const char *path, char **name)
{
    const char *stem = map_stem(p, path);
    char *file = stem != NULL ? malloc(strlen(stem) + 8) : NULL;
    if (file == NULL)
        return tool_error("%s: no memory for its map", path);
    sprintf(file, "%s.png", stem);
    physad_status status = write_picture(p, photo, map, file);
    if (status == PHYSAD_OK) {
        sprintf(file, "%s.tiff", stem);
        status = physad_image_write(p->t->ctx, file, map, NULL);
    }
    if (status == PHYSAD_OK) {
        *name = file;
        return TOOL_DONE;
    }
    free(file);
    return tool_failed(status);
}

static int write_map(predict *p, const physad_result *result, const physad_view *photo, const char *path, char **name)
{
    int64_t shape[2];
    if (physad_result_map_shape(result, &shape[0], &shape[1]) != PHYSAD_OK)
        return TOOL_DONE; /* the method makes none */
    float *scores = malloc((size_t)(shape[0] * shape[1]) * sizeof(*scores));
    if (scores == NULL)
        return tool_error("%s: no memory for its map", path);
    const physad_view map = physad_view_array(scores, PHYSAD_F32, 2, shape);
    const physad_status status = physad_result_map(result, &map);
    const int code = status == PHYSAD_OK                ? predict_write_map(p, &map, photo, path, name)
                     : status == PHYSAD_ERR_UNSUPPORTED ? TOOL_DONE
                                                        : tool_failed(status);
    free(scores);
    return code;
}

/* --- scores ------------------------------------------------------------------------------------------ */

int predict_skip(predict *p, const char *path, physad_status status, const char *reason)
{
    if (status == PHYSAD_ERR_CANCELLED)
        return tool_failed(status);
    if (status == PHYSAD_ERR_NOMEM || !p->skip)
        return tool_error("%s", reason);
    tool_progress_end();
    fprintf(stderr, "physad: left out: %s\n", reason);
    if (p->skipped != NULL)
        json_array_append_new(p->skipped, json_pack("{so ss}", "path", tool_json_text(path), "reason", reason));
    return TOOL_DONE;
}

int predict_report(predict *p, const char *path, const physad_result *result, const char *map,
                   const physad_regions *regions, json_t *video)
{
    char score[32];
    const int32_t anomalous = physad_result_is_anomalous(result);
    const char *verdict = physad_result_verdict(result);
    p->undecided |= anomalous < 0;
    if (p->lines) {
        tool_put_name(path);
        printf(" %s %s%s%s", tool_number(score, physad_result_score(result)),
               anomalous > 0    ? "anomalous"
               : anomalous == 0 ? "normal"
                                : "unknown",
               *verdict != '\0' ? "\t" : "", verdict);
        if (regions != NULL)
            predict_put_type(p, regions);
        printf("\n");
    }
    if (p->samples == NULL) {
        json_decref(video);
        return TOOL_DONE;
    }
    json_t *sample =
        json_pack("{so so so so}", "path", tool_json_text(path), "score", tool_json_real(physad_result_score(result)),
                  "anomalous", anomalous < 0 ? json_null() : json_boolean(anomalous), "map", tool_json_text(map));
    if (video != NULL)
        json_object_set_new(sample, "video", video);
    const int code = regions != NULL ? predict_add_types(p, sample, regions) : TOOL_DONE;
    if (code != TOOL_DONE) {
        json_decref(sample);
        return code;
    }
    return json_array_append_new(p->samples, sample) == 0 ? TOOL_DONE : tool_error("%s: no memory for its line", path);
}

static int report(predict *p, const char *path, const physad_view *photo, const physad_result *result)
{
    char *map = NULL;
    int code = p->maps != NULL ? write_map(p, result, photo, path, &map) : TOOL_DONE;
    physad_regions *regions = NULL;
    if (code == TOOL_DONE)
        code = predict_regions(p, result, photo, &regions);
    if (code == TOOL_DONE)
        code = predict_report(p, path, result, map, regions, NULL);
    physad_regions_free(regions);
    free(map);
    return code;
}

/* Scores the photos that wait. */
int predict_waiting(predict *p)
{
    physad_view views[MOST_AT_ONCE];
    physad_result *results[MOST_AT_ONCE] = { NULL };
    int code = TOOL_DONE;
    for (int64_t i = 0; i < p->waiting; i++)
        views[i] = physad_image_view(p->images[i]);
    const physad_status all = physad_detector_score_batch(p->detector, views, p->waiting, results);
    for (int64_t i = 0; i < p->waiting; i++) {
        physad_status status = all;
        if (all != PHYSAD_OK && all != PHYSAD_ERR_CANCELLED && code == TOOL_DONE) /* which one is it? */
            status = physad_detector_score(p->detector, &views[i], &results[i]);
        if (code == TOOL_DONE && status == PHYSAD_OK)
            code = report(p, p->paths[i], &views[i], results[i]);
        else if (code == TOOL_DONE)
            code = predict_skip(p, p->paths[i], status, physad_last_error());
        if (code == TOOL_DONE && status == PHYSAD_OK)
            code = predict_groups_add(p, p->waiting_input[i], results[i]);
        else
            physad_result_free(results[i]);
        physad_image_free(p->images[i]);
        free(p->paths[i]);
    }
    p->waiting = 0;
    return code;
}

static int add_photo(predict *p, int64_t input, predict_reader *reader)
{
    const char *path = p->inputs[input].path;
    char reason[1024];
    physad_image *image;
    const physad_status status = predict_reader_take(reader, &image, reason);
    if (status != PHYSAD_OK) {
        const int code = predict_waiting(p); /* in the order given */
        return code == TOOL_DONE ? predict_skip(p, path, status, reason) : code;
    }
    p->images[p->waiting] = image;
    p->waiting_input[p->waiting] = input;
    p->paths[p->waiting] = strdup(path);
    if (p->paths[p->waiting] == NULL) {
        physad_image_free(image);
        return tool_error("no memory");
    }
    p->waiting++;
    return p->waiting == p->batch ? predict_waiting(p) : TOOL_DONE;
}

static int score_inputs(predict *p)
{
    physad_image_options o = PHYSAD_IMAGE_OPTIONS_INIT;
    const char *scale =
        physad_detector_get(p->detector, "jpeg_scale"); /* as the model learned; NULL: it has no such option */
    o.jpeg_scale = scale != NULL ? atoi(scale) : 1;
    predict_reader *reader = predict_reader_new(p->t->ctx, &o, p->inputs, p->input_count, p->batch);
    if (reader == NULL)
        return tool_error("no memory");
    int code = TOOL_DONE;
    for (int64_t i = 0; i < p->input_count && code == TOOL_DONE; i++) {
        const predict_input *in = &p->inputs[i];
        if (tool_interrupted())
            code = tool_failed(PHYSAD_ERR_CANCELLED);
        else
            code = in->kind == PHYSAD_KIND_IMAGE ? add_photo(p, i, reader) : predict_video(p, in->path);
    }
    predict_reader_free(reader);
    return code == TOOL_DONE ? predict_waiting(p) : code;
}

/* --- inputs ------------------------------------------------------------------------------------------ */

/* `sample`: of a photo; NULL: a video. */
static int add_sample(predict *p, const char *path, const physad_sample *sample)
{
    if (p->input_count == p->input_room) {
        const int64_t room = p->input_room * 2 + 64;
        predict_input *inputs = realloc(p->inputs, (size_t)room * sizeof(*inputs));
        if (inputs == NULL)
            return tool_error("no memory");
        p->inputs = inputs;
        p->input_room = room;
    }
    char *copy = strdup(path), *group = sample != NULL ? predict_group_name(p, path, sample) : NULL;
    if (copy == NULL || (sample != NULL && group == NULL)) {
        free(copy);
        free(group);
        return tool_error("no memory");
    }
    p->inputs[p->input_count++] =
        (predict_input){ copy, group, sample != NULL ? PHYSAD_KIND_IMAGE : PHYSAD_KIND_VIDEO };
    return TOOL_DONE;
}

/* What has a suffix that is not known is what the method is for. */
static int add_file(predict *p, const char *path)
{
    physad_dataset *one = NULL;
    const physad_sample unknown = { .category = "", .group = path };
    const physad_sample *sample = p->wants_videos ? NULL : &unknown;
    if (physad_dataset_from_files(&one, p->t->ctx, &path, 1, PHYSAD_SPLIT_TEST, -1) == PHYSAD_OK) {
        sample = physad_dataset_sample(one, 0);
        sample = sample->kind == PHYSAD_KIND_IMAGE ? sample : NULL;
    }
    const int code = add_sample(p, path, sample);
    physad_dataset_free(one);
    return code;
}

/* All of a data set, or, for methods on videos, the frames of one in a folder. */
static int add_data(predict *p, const char *path, const physad_dataset *data)
{
    int code = TOOL_DONE;
    if (p->wants_videos && physad_dataset_sample(data, 0)->kind == PHYSAD_KIND_IMAGE)
        code = add_sample(p, path, NULL);
    else
        for (int64_t i = 0; i < physad_dataset_count(data) && code == TOOL_DONE; i++) {
            const physad_sample *s = physad_dataset_sample(data, i);
            code = add_sample(p, s->file, s->kind == PHYSAD_KIND_IMAGE ? s : NULL);
        }
    return code;
}

/* What one of many folders holds; nothing where it is no folder, or one of other things. */
static int add_child(predict *p, const char *folder, const char *name)
{
    struct stat info;
    physad_dataset *data = NULL;
    int code = TOOL_DONE;
    char *path = NULL;
    if (name[0] == '.')
        return TOOL_DONE;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return tool_error("no memory");
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        const physad_status status = physad_dataset_open(&data, p->t->ctx, path, NULL);
        if (status == PHYSAD_OK)
            code = add_data(p, path, data);
        else if (status != PHYSAD_ERR_FORMAT)
            code = tool_failed(status);
    }
    physad_dataset_free(data);
    free(path);
    return code;
}

/* A folder that is no data set but has folders of photos, frames or videos in it, in the order of their names. */
static int add_folders(predict *p, const char *folder, const char *reason)
{
    struct dirent **entries = NULL;
    const int64_t before = p->input_count;
    const int count = scandir(folder, &entries, NULL, alphasort);
    int code = TOOL_DONE;
    for (int i = 0; i < count; i++) {
        if (code == TOOL_DONE)
            code = add_child(p, folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return code == TOOL_DONE && p->input_count == before ? tool_error("%s", reason) : code;
}

/* A photo, a video, or a folder: all that is in it. */
static int add_input(predict *p, const char *path)
{
    struct stat info;
    char reason[1024];
    physad_dataset *data = NULL;
    physad_dataset_options o = PHYSAD_DATASET_OPTIONS_INIT;
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        return add_file(p, path);
    o.format = tool_text(p->t, "format", NULL);
    const physad_status status = physad_dataset_open(&data, p->t->ctx, path, &o);
    if (status == PHYSAD_ERR_FORMAT && o.format == NULL) {
        snprintf(reason, sizeof(reason), "%s", physad_last_error());
        return add_folders(p, path, reason);
    }
    const int code = status == PHYSAD_OK ? add_data(p, path, data) : tool_failed(status);
    physad_dataset_free(data);
    return code;
}

/* --- the command ------------------------------------------------------------------------------------- */

static int prepare(predict *p, const char *model)
{
    static const char *const pools[] = { "top", "max", "mean" }; /* in the order of PHYSAD_POOL_* */
    tool *t = p->t;
    double threshold = 0;
    physad_method_info method = PHYSAD_METHOD_INFO_INIT;
    p->batch = 8;
    if (!tool_int(t, "batch", &p->batch, 1, MOST_AT_ONCE) || !tool_real(t, "threshold", &threshold, -1e300, 1e300) ||
        !tool_real(t, "fps", &p->fps, 1e-3, 1000) || !tool_int(t, "max-frames", &p->max_frames, 1, INT64_C(1) << 40) ||
        !tool_choice(t, "pool", pools, TOOL_COUNT(pools), &p->pool) || !tool_skips(t, &p->skip) ||
        !predict_groups_how(t, &p->group))
        return TOOL_USAGE;
    p->shorten = tool_given(t, "shorten");
    p->maps = tool_text(t, "maps", NULL);
    if (p->maps != NULL && ((mkdir(p->maps, 0777) != 0 && errno != EEXIST) || access(p->maps, W_OK | X_OK) != 0))
        return tool_error("%s: %s", p->maps, strerror(errno));
    physad_load_options o = PHYSAD_LOAD_OPTIONS_INIT;
    o.precision = tool_text(t, "precision", NULL);
    o.weights = tool_text(t, "weights", NULL);
    physad_status status = physad_detector_load_with(&p->detector, t->ctx, model, &o);
    if (status == PHYSAD_OK && tool_given(t, "threshold"))
        status = physad_detector_set_threshold(p->detector, threshold);
    if (status == PHYSAD_OK)
        status = physad_method_describe(physad_detector_method(p->detector), &method);
    p->wants_videos = method.input == PHYSAD_INPUT_VIDEO;
    p->in_space = method.input == PHYSAD_INPUT_VIEWS;
    if (status == PHYSAD_OK && p->wants_videos && tool_given(t, "group"))
        return tool_usage(t, "--group is for methods on photos, %s is one on videos",
                          physad_detector_method(p->detector));
    return status == PHYSAD_OK ? TOOL_DONE : tool_failed(status);
}

static int write_summary(predict *p, const char *json, const char *model, json_t *groups)
{
    char sha256[65];
    physad_threshold threshold = PHYSAD_THRESHOLD_INIT;
    if (!tool_sha256(sha256, model))
        return tool_error("%s: it cannot be read any more", model);
    const bool have = physad_detector_threshold(p->detector, &threshold) == PHYSAD_OK && isfinite(threshold.value);
    json_t *all =
        json_pack("{ss so sO sO}", "model_sha256", sha256, "threshold", have ? json_real(threshold.value) : json_null(),
                  "samples", p->samples, "skipped", p->skipped);
    if (groups != NULL)
        json_object_set(all, "groups", groups);
    return tool_write_json(json, all);
}

/* Why lines say "unknown", and what helps. */
static void put_reason(const predict *p)
{
    physad_threshold threshold = PHYSAD_THRESHOLD_INIT;
    const bool has = physad_detector_threshold(p->detector, &threshold) == PHYSAD_OK;
    tool_progress_end();
    fprintf(stderr, "physad: unknown: %s; --threshold T sets one\n",
            has ? "the model's threshold is one for photos, and promises nothing on videos" : physad_last_error());
}

int cmd_predict(tool *t)
{
    const char *json = tool_text(t, "json", NULL), *model = t->operands[0];
    predict *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return tool_error("no memory");
    p->t = t;
    p->lines = json == NULL || strcmp(json, "-") != 0;
    p->samples = json != NULL ? json_array() : NULL;
    p->skipped = json != NULL ? json_array() : NULL;
    json_t *groups = NULL;
    int code = prepare(p, model);
    if (code == TOOL_DONE)
        code = predict_types_begin(p);
    for (int i = 1; i < t->operand_count && code == TOOL_DONE; i++)
        code = add_input(p, t->operands[i]);
    if (code == TOOL_DONE && (p->in_space || tool_given(t, "group")))
        code = predict_groups_new(p);
    if (code == TOOL_DONE)
        code = score_inputs(p);
    if (code == TOOL_DONE && p->lines && p->undecided)
        put_reason(p);
    if (code == TOOL_DONE)
        code = predict_groups_end(p, &groups);
    if (code == TOOL_DONE && json != NULL)
        code = write_summary(p, json, model, groups);
    for (int64_t i = 0; i < p->waiting; i++) {
        physad_image_free(p->images[i]);
        free(p->paths[i]);
    }
    predict_groups_free(p->groups);
    for (int64_t i = 0; i < p->input_count; i++) {
        free(p->inputs[i].path);
        free(p->inputs[i].group);
    }
    free(p->inputs);
    for (int64_t i = 0; i < p->map_count; i++)
        free(p->map_names[i]);
    free(p->map_names);
    json_decref(p->samples);
    json_decref(p->skipped);
    physad_types_free(p->types);
    physad_detector_free(p->detector);
    free(p);
    return code;
}
