/* SPDX-License-Identifier: Apache-2.0 */
/* One-file models: a safetensors container whose metadata entry "physad" is one JSON text. See docs/model-format.md. */
#include "detect/detect.h"

#include "detect/detect_feature.h"
#include "nn/nn.h"

#include <physad/weights.h>

#include <math.h>

static const int FORMAT_MAJOR = 1, FORMAT_MINOR = 0;

/* --- writing --- */

static json_t *real_or_null(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *texts(char *const *items, int64_t n)
{
    json_t *list = json_array();
    for (int64_t i = 0; list != NULL && i < n; i++)
        if (json_array_append_new(list, json_string(items[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *options_json(const physad_detector *det)
{
    json_t *o = json_object();
    for (int64_t i = 0; o != NULL && i < physad__method_options(det->method); i++)
        if (json_object_set_new(o, physad__method_option_at(det->method, i)->name, json_string(det->values[i])) != 0) {
            json_decref(o);
            return NULL;
        }
    return o;
}

/* Object members are taken over; a NULL among them makes the whole NULL. */
static json_t *describe(const physad_detector *det)
{
    char seed[32];
    const physad_threshold *t = &det->threshold;
    physad__snprintf(seed, sizeof(seed), "%llu",
                     (unsigned long long)det->seed); /* JSON numbers hold 53 bits only, in many readers */
    return json_pack("{s:[ii], s:s, s:s, s:s, s:o, s:o, s:o, s:{s:o, s:o, s:o, s:o, s:I, s:b, s:s}}", "format_version",
                     FORMAT_MAJOR, FORMAT_MINOR, "library", physad_version(), "method", det->method->name, "seed", seed,
                     "options", options_json(det), "paths", texts(det->origin->paths, det->origin->count), "groups",
                     texts(det->origin->groups, det->origin->count), "threshold", "value", real_or_null(t->value),
                     "alpha", real_or_null(t->alpha), "low", real_or_null(t->low), "high", real_or_null(t->high),
                     "groups", (json_int_t)t->groups, "given", t->given, "none", det->no_threshold);
}

static physad_status set_config(physad__mem *mem, physad__tensors_writer *w, const json_t *config)
{
    const size_t size = json_dumpb(config, NULL, 0, JSON_SORT_KEYS | JSON_COMPACT);
    char *text = physad__alloc(mem, size + 1, "the model's description");
    if (text == NULL)
        return PHYSAD_ERR_NOMEM;
    text[json_dumpb(config, text, size, JSON_SORT_KEYS | JSON_COMPACT)] = '\0';
    const physad_status status = physad__tensors_writer_set_metadata(w, "physad", text);
    physad__free(text);
    return status;
}

static physad_status declare_common(const physad_detector *det, physad__tensors_writer *w)
{
    const int64_t sizes[2] = { det->origin->count, 2 };
    PHYSAD__TRY(physad__tensors_writer_declare(w, "training.sizes", PHYSAD_I64, 2, sizes));
    if (det->calibration_count > 0)
        PHYSAD__TRY(physad__tensors_writer_declare(w, "calibration.scores", PHYSAD_F64, 1, &det->calibration_count));
    return PHYSAD_OK;
}

static physad_status write_common(const physad_detector *det, physad__tensors_writer *w)
{
    const int64_t shape[2] = { det->origin->count, 2 };
    const physad_view sizes = physad_view_array(det->origin->sizes, PHYSAD_I64, 2, shape);
    const physad_view scores = physad_view_array(det->calibration, PHYSAD_F64, 1, &det->calibration_count);
    PHYSAD__TRY(physad__tensors_writer_append(w, "training.sizes", &sizes));
    if (det->calibration_count > 0)
        PHYSAD__TRY(physad__tensors_writer_append(w, "calibration.scores", &scores));
    return PHYSAD_OK;
}

static physad_status write_model(const physad_detector *det, physad__tensors_writer *w, json_t *config)
{
    PHYSAD__TRY(declare_common(det, w));
    PHYSAD__TRY(det->method->declare(det, w, config));
    PHYSAD__TRY(set_config(&det->ctx->mem, w, config));
    PHYSAD__TRY(write_common(det, w));
    PHYSAD__TRY(det->method->write(det, w));
    return physad__tensors_writer_finish(w);
}

physad_status physad_detector_save(const physad_detector *detector, const char *path)
{
    physad__tensors_writer *w = NULL;
    if (detector == NULL || path == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_detector_save: the %s is NULL",
                             detector == NULL ? "detector" : "path");
    PHYSAD__TRY(physad__context_check(detector->ctx, "physad_detector_save"));
    if (detector->model == NULL)
        return physad__error(
            PHYSAD_ERR_STATE,
            "physad_detector_save: the detector is not fitted; call physad_detector_fit() or load a model");
    json_t *config = describe(detector);
    if (config == NULL)
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_detector_save: a path or group among the training samples is not UTF-8, or there "
                             "is no memory");
    physad_status status = physad__tensors_writer_new(&w, detector->ctx, path);
    if (status == PHYSAD_OK)
        status = write_model(detector, w, config);
    physad__tensors_writer_free(w);
    json_decref(config);
    return status;
}

/* --- the feature family's part --- */

/* The names under which the arrays of a set stand in another. */
physad_status physad__weights_put(const physad_tensors *weights, physad__tensors_writer *w, bool append)
{
    for (int64_t i = 0; i < physad_tensors_count(weights); i++) {
        const char *name = physad_tensors_name(weights, i);
        physad_view v;
        if (strncmp(name, "backbone.", 9) != 0)
            continue;
        PHYSAD__TRY(physad_tensors_view(weights, i, &v));
        PHYSAD__TRY(append ? physad__tensors_writer_append(w, name, &v)
                           : physad__tensors_writer_declare(w, name, v.dtype, v.ndim, v.shape));
    }
    return PHYSAD_OK;
}

/* Where the weights of a model come from. They go into it where their licence is known; others are named by their hash,
 * and random ones by their seed. */
static physad_status describe_weights(const physad_detector *det, bool *embed, json_t **out)
{
    const char *given = physad__option_text(det, "weights");
    physad_backbone_info backbone = PHYSAD_BACKBONE_INFO_INIT;
    char path[4096], sha[65] = "";
    PHYSAD__TRY(physad_backbone_describe(physad__option_text(det, "backbone"), &backbone));
    const bool random = strncmp(given, "random", 6) == 0 && (given[6] == '\0' || given[6] == ':');
    const char *name = *given != '\0' ? given : backbone.weights;
    *embed = *given == '\0' && backbone.weights_licence != NULL && *backbone.weights_licence != '\0';
    if (!random) {
        PHYSAD__TRY(physad__weights_file(det->ctx, name, backbone.name, path, sizeof(path)));
        PHYSAD__TRY(physad__sha256_file(sha, path));
    }
    *out = json_pack("{s:s, s:s, s:s, s:b}", "name", name != NULL ? name : "", "sha256", sha, "licence",
                     backbone.weights_licence != NULL && *given == '\0' ? backbone.weights_licence : "", "embedded",
                     (int)*embed);
    return *out != NULL ? PHYSAD_OK : physad__error(PHYSAD_ERR_NOMEM, "no memory for the model's description");
}

physad_status physad__feature_declare(const physad_detector *det, physad__tensors_writer *w, json_t *config)
{
    physad__feature_model *m = det->model;
    const int64_t one = 1;
    json_t *weights = m->origin_of_weights, *transform = physad__transform_to_json(m->front.transform);
    const physad_view ignore = physad__transform_ignore(m->front.transform);
    if (transform == NULL)
        return PHYSAD_ERR_NOMEM;
    if (json_object_set_new(config, "transform", transform) != 0 || json_object_set(config, "weights", weights) != 0)
        return physad__error(PHYSAD_ERR_NOMEM, "no memory for the model's description");
    if (ignore.data != NULL)
        PHYSAD__TRY(physad__tensors_writer_declare(w, "transform.ignore", ignore.dtype, ignore.ndim, ignore.shape));
    if (m->front.texture != 0)
        PHYSAD__TRY(physad__tensors_writer_declare(w, "texture.factor", PHYSAD_F32, 1, &one));
    if (m->kept != NULL)
        PHYSAD__TRY(physad__bank_declare(m->kept, w, "features."));
    if (m->weights != NULL)
        PHYSAD__TRY(physad__weights_put(m->weights, w, false));
    return m->method->declare(det, m->state, w, config);
}

physad_status physad__feature_write(const physad_detector *det, physad__tensors_writer *w)
{
    const physad__feature_model *m = det->model;
    const physad_view ignore = physad__transform_ignore(m->front.transform);
    if (ignore.data != NULL)
        PHYSAD__TRY(physad__tensors_writer_append(w, "transform.ignore", &ignore));
    if (m->front.texture != 0) {
        const int64_t one = 1;
        float factor = m->front.texture;
        const physad_view v = physad_view_array(&factor, PHYSAD_F32, 1, &one);
        PHYSAD__TRY(physad__tensors_writer_append(w, "texture.factor", &v));
    }
    if (m->kept != NULL)
        PHYSAD__TRY(physad__bank_write(m->kept, w, "features."));
    if (m->weights != NULL)
        PHYSAD__TRY(physad__weights_put(m->weights, w, true));
    return m->method->write(det, m->state, w);
}

physad_status physad__weights_take(const physad_detector *det, const physad_features *features, physad_tensors **out,
                                   json_t **origin)
{
    bool embed;
    PHYSAD__TRY(describe_weights(det, &embed, origin));
    if (!embed)
        return PHYSAD_OK;
    PHYSAD__TRY(physad_tensors_new(out, det->ctx));
    return physad__features_export(features, *out, "backbone.");
}

physad_status physad__feature_take_weights(const physad_detector *det, physad__feature_model *m)
{
    return physad__weights_take(det, m->front.features, &m->weights, &m->origin_of_weights);
}

/* --- reading --- */

static physad_status read_options(physad_detector *det, const json_t *options)
{
    const char *key;
    json_t *value;
    if (!json_is_object(options))
        return physad__error(PHYSAD_ERR_FORMAT, "\"options\" is missing or no object");
    json_object_foreach((json_t *)(uintptr_t)options, key, value)
    {
        if (!json_is_string(value))
            return physad__error(PHYSAD_ERR_FORMAT, "option \"%s\" is no text", key);
        if (physad__option_set(det, key, json_string_value(value), false) != PHYSAD_OK) {
            /* A minor version may add options, which then say how the model was made: an older library cannot follow.
             */
            return physad__error_prefix(PHYSAD_ERR_FORMAT, "option \"%s\" of the model", key);
        }
    }
    return PHYSAD_OK;
}

static physad_status read_samples(physad_detector *det, const physad_tensors *file, const json_t *config)
{
    const json_t *paths = json_object_get(config, "paths"), *groups = json_object_get(config, "groups");
    const int64_t n = (int64_t)json_array_size(paths);
    if (!json_is_array(paths) || !json_is_array(groups) || (int64_t)json_array_size(groups) != n || n < 1)
        return physad__error(PHYSAD_ERR_FORMAT, "\"paths\" and \"groups\" are not two lists of one length, at least 1");
    PHYSAD__TRY(physad__origin_make(&det->origin, det->ctx, n));
    for (int64_t i = 0; i < n; i++) {
        const char *path = json_string_value(json_array_get(paths, (size_t)i));
        const char *group = json_string_value(json_array_get(groups, (size_t)i));
        if (path == NULL || group == NULL)
            return physad__error(PHYSAD_ERR_FORMAT, "entry %lld of \"paths\" or \"groups\" is no text", (long long)i);
        PHYSAD__TRY(physad__origin_name(det->origin, i, path, group));
    }
    const int64_t shape[2] = { n, 2 };
    physad_view from, to = physad_view_array(det->origin->sizes, PHYSAD_I64, 2, shape);
    PHYSAD__TRY(physad__tensors_need(file, "training.sizes", PHYSAD_I64, 2, shape, &from));
    PHYSAD__TRY(physad__view_copy(&to, &from));
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < 2; k++)
            if (det->origin->sizes[i][k] < 0 || det->origin->sizes[i][k] > 1 << 30)
                return physad__error(PHYSAD_ERR_FORMAT, "training.sizes row %lld holds %lld", (long long)i,
                                     (long long)det->origin->sizes[i][k]);
    return PHYSAD_OK;
}

static double number_or_nan(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static physad_status read_threshold(physad_detector *det, const physad_tensors *file, const json_t *config)
{
    const json_t *t = json_object_get(config, "threshold");
    const char *none = json_string_value(json_object_get(t, "none"));
    if (!json_is_object(t))
        return physad__error(PHYSAD_ERR_FORMAT, "\"threshold\" is missing or no object");
    det->threshold = (physad_threshold){ sizeof(physad_threshold),
                                         json_is_true(json_object_get(t, "given")),
                                         number_or_nan(t, "value"),
                                         number_or_nan(t, "alpha"),
                                         number_or_nan(t, "low"),
                                         number_or_nan(t, "high"),
                                         json_integer_value(json_object_get(t, "groups")) };
    physad__snprintf(det->no_threshold, sizeof(det->no_threshold), "%s",
                     none != NULL && *none != '\0' ? none : "the model has no threshold");
    if (!physad_tensors_has(file, "calibration.scores"))
        return PHYSAD_OK;
    const int64_t any[1] = { -1 };
    physad_view from;
    PHYSAD__TRY(physad__tensors_need(file, "calibration.scores", PHYSAD_F64, 1, any, &from));
    det->calibration = physad__alloc_array(&det->ctx->mem, from.shape[0], sizeof(double), "calibration");
    if (det->calibration == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_view to = physad_view_array(det->calibration, PHYSAD_F64, 1, from.shape);
    PHYSAD__TRY(physad__view_copy(&to, &from));
    det->calibration_count = from.shape[0];
    return PHYSAD_OK;
}

static physad_status read_transform(physad_detector *det, const physad_tensors *file, const json_t *config)
{
    const int64_t any[2] = { -1, -1 };
    physad_view ignore;
    PHYSAD__TRY(physad__transform_from_json(&det->origin->transform, det->ctx, json_object_get(config, "transform")));
    if (!physad_tensors_has(file, "transform.ignore"))
        return PHYSAD_OK;
    PHYSAD__TRY(physad__tensors_need(file, "transform.ignore", 0, 2, any, &ignore));
    return physad_transform_set_ignore(det->origin->transform, &ignore);
}

/* Weights that the model does not carry must be those it was made with. */
physad_status physad__weights_check(const physad_detector *det, const json_t *weights)
{
    const char *given = physad__option_text(det, "weights"),
               *want = json_string_value(json_object_get(weights, "sha256"));
    const char *name = json_string_value(json_object_get(weights, "name"));
    char path[4096], sha[65];
    if (want == NULL || *want == '\0' || name == NULL)
        return det->weights == NULL
                   ? PHYSAD_OK
                   : physad__error(PHYSAD_ERR_ARG, "weights are given, but the model was made with random ones");
    if (det->weights != NULL)
        given = det->weights;
    PHYSAD__TRY(physad__weights_file(det->ctx, *given != '\0' ? given : name, name, path, sizeof(path)));
    PHYSAD__TRY(physad__sha256_file(sha, path));
    if (strcmp(sha, want) != 0)
        return physad__error(PHYSAD_ERR_FORMAT, "the model was made with backbone weights of SHA-256 %s, but %s has %s",
                             want, path, sha);
    return PHYSAD_OK;
}

/* Models without it are of photos where it says nothing, or older than it. */
static physad_status read_texture(physad__frontend *front, const physad_detector *det, const physad_tensors *file)
{
    const int64_t one = 1;
    float factor;
    physad_view from, to = physad_view_array(&factor, PHYSAD_F32, 1, &one);
    if (!det->method->features->texture || !physad_tensors_has(file, "texture.factor"))
        return PHYSAD_OK;
    PHYSAD__TRY(physad__tensors_need(file, "texture.factor", PHYSAD_F32, 1, &one, &from));
    PHYSAD__TRY(physad__view_copy(&to, &from));
    if (!(factor > 0) || !isfinite(factor))
        return physad__error(PHYSAD_ERR_FORMAT, "texture.factor is %g, want a positive number", (double)factor);
    return physad__texture_open(front, factor);
}

physad_status physad__feature_read(physad_detector *det, physad_tensors *file, const json_t *config, void **model)
{
    physad__feature_model *m;
    const json_t *weights = json_object_get(config, "weights");
    const bool embedded = json_is_true(json_object_get(weights, "embedded"));
    PHYSAD__TRY(read_transform(det, file, config));
    if (!json_is_object(weights))
        return physad__error(PHYSAD_ERR_FORMAT, "\"weights\" is missing or no object");
    if (embedded && det->weights != NULL)
        return physad__error(PHYSAD_ERR_ARG, "weights are given, but the model carries its own");
    if (!embedded)
        PHYSAD__TRY(physad__weights_check(det, weights));
    PHYSAD__TRY(physad__feature_model_new(&m, det));
    m->origin_of_weights = json_incref((json_t *)(uintptr_t)weights);
    physad_status status = physad__frontend_open(&m->front, det, det->origin->transform, embedded ? file : NULL, NULL);
    if (status == PHYSAD_OK)
        status = read_texture(&m->front, det, file);
    if (status == PHYSAD_OK && physad_tensors_has(file, "features.rows"))
        status = physad__bank_read(&m->kept, det->ctx, file, false, "features.");
    if (status == PHYSAD_OK && m->kept != NULL)
        status = physad__cells_check(m->kept, &m->front, det->origin->count);
    if (status == PHYSAD_OK)
        status = m->method->read(det, &m->front, file, config, &m->state);
    if (status != PHYSAD_OK) {
        physad__feature_free(m);
        return status;
    }
    m->file = file;
    if (embedded)
        m->weights = file;
    *model = m;
    return PHYSAD_OK;
}

static physad_status read_version(const json_t *config)
{
    const json_t *v = json_object_get(config, "format_version");
    const json_t *major = json_array_get(v, 0), *minor = json_array_get(v, 1);
    if (!json_is_integer(major) || !json_is_integer(minor))
        return physad__error(PHYSAD_ERR_FORMAT, "\"format_version\" is missing or not two whole numbers");
    if (json_integer_value(major) != FORMAT_MAJOR)
        return physad__error(
            PHYSAD_ERR_UNSUPPORTED, "the model has format version %lld.%lld, this library (%s) reads %d.x",
            (long long)json_integer_value(major), (long long)json_integer_value(minor), physad_version(), FORMAT_MAJOR);
    return PHYSAD_OK;
}

static bool parse_seed(const char *text, uint64_t *seed)
{
    *seed = 0;
    for (const char *p = text; *p != '\0'; p++)
        if (*p < '0' || *p > '9' || __builtin_mul_overflow(*seed, 10u, seed) ||
            __builtin_add_overflow(*seed, (uint64_t)(*p - '0'), seed))
            return false;
    return *text != '\0';
}

/* Another precision than the fit's: what was promised of the scores' order does not hold for it. */
static physad_status take_precision(physad_detector *det, const char *precision)
{
    if (precision == NULL || physad__option_is(det, "precision", precision))
        return PHYSAD_OK;
    PHYSAD__TRY(physad__option_set(det, "precision", precision, true));
    det->threshold.given = !isnan(det->threshold.value);
    det->threshold.alpha = det->threshold.low = det->threshold.high = NAN;
    det->threshold.groups = 0;
    physad__free(det->calibration);
    det->calibration = NULL;
    det->calibration_count = 0;
    return PHYSAD_OK;
}

static physad_status read_model(physad_detector **out, physad_context *ctx, physad_tensors *file, const json_t *config,
                                const physad_load_options *o)
{
    const char *method = json_string_value(json_object_get(config, "method"));
    const char *seed = json_string_value(json_object_get(config, "seed"));
    PHYSAD__TRY(read_version(config));
    if (method == NULL || seed == NULL)
        return physad__error(PHYSAD_ERR_FORMAT, "\"method\" or \"seed\" is missing or no text");
    const physad_status made = physad_detector_new(out, ctx, method);
    if (made != PHYSAD_OK)
        return made == PHYSAD_ERR_ARG ? PHYSAD_ERR_FORMAT : made; /* an unknown method is the file's fault */
    physad_detector *det = *out;
    if (!parse_seed(seed, &det->seed))
        return physad__error(PHYSAD_ERR_FORMAT, "\"seed\" is \"%s\", want a whole number below 2^64", seed);
    PHYSAD__TRY(read_options(det, json_object_get(config, "options")));
    PHYSAD__TRY(read_samples(det, file, config));
    PHYSAD__TRY(read_threshold(det, file, config));
    PHYSAD__TRY(take_precision(det, o->precision));
    if (o->weights != NULL && det->method->features == NULL)
        return physad__error(PHYSAD_ERR_ARG, "weights are given, but %s has no network", method);
    det->weights = o->weights;
    const physad_status status = det->method->read(det, file, config, &det->model);
    det->weights = NULL;
    return status;
}

physad_status physad_detector_load_with(physad_detector **out, physad_context *context, const char *path,
                                        const physad_load_options *options)
{
    physad_load_options o = PHYSAD_LOAD_OPTIONS_INIT;
    physad_tensors *file = NULL;
    json_error_t where;
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_detector_load: out is NULL");
    *out = NULL;
    PHYSAD__TRY(physad__context_check(context, "physad_detector_load"));
    if (path == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_detector_load: path is NULL");
    PHYSAD__TRY(physad__options_read(&o, sizeof(o), sizeof(o), options, "physad_load_options"));
    PHYSAD__TRY(physad_tensors_open(&file, context, path, NULL));
    /* Only in a safetensors file does each array lie as its shape says, and has as many bytes. */
    const bool container = strcmp(physad_tensors_format(file), "safetensors") == 0;
    const char *text = container ? physad_tensors_metadata(file, "physad") : NULL;
    physad_status status = text != NULL ? physad__json_room(&context->mem, text, strlen(text), path) : PHYSAD_OK;
    json_t *config = text != NULL && status == PHYSAD_OK ? json_loads(text, JSON_REJECT_DUPLICATES, &where) : NULL;
    if (status != PHYSAD_OK)
        physad_tensors_free(file);
    PHYSAD__TRY(status);
    if (text == NULL)
        status = physad__error(PHYSAD_ERR_FORMAT, "%s: no model of this library: a %s file%s", path,
                               physad_tensors_format(file),
                               container ? " without the metadata entry \"physad\"" : ", want safetensors");
    else if (config == NULL && text[0] != '{')
        status = physad__error(PHYSAD_ERR_FORMAT, "%s: no model, but what this library calls \"%.40s\"", path, text);
    else if (config == NULL)
        status = physad__error(PHYSAD_ERR_FORMAT, "%s: metadata entry \"physad\", character %d: %s", path,
                               where.position, where.text);
    else if ((status = read_model(out, context, file, config, &o)) != PHYSAD_OK)
        physad__error_prefix(status, "%s", path);
    json_decref(config);
    if (status != PHYSAD_OK) {
        physad_detector_free(*out);
        *out = NULL;
        physad_tensors_free(file);
    }
    return status;
}

physad_status physad_detector_load(physad_detector **out, physad_context *context, const char *path)
{
    return physad_detector_load_with(out, context, path, NULL);
}
