/* SPDX-License-Identifier: Apache-2.0 */
/* A transform as JSON, as model files hold it. Every option is written, so that a later default changes no old model.
 */
#include "data/data_transform.h"

static const char *const resize_names[] = { "bilinear", "bicubic", "box", "nearest" };
static const char *const fit_names[] = { "stretch", "letterbox", "cover" };
static const char *const arithmetic_names[] = { "float", "bytes", "bytes_12" };
static const char *const normalise_names[] = { "imagenet", "half", "clip", "none", "custom" };
static const char *const outside_names[] = { "zero", "nan" };

static const struct choice {
    const char *key;
    const char *const *names;
    int64_t count;
    size_t field;
} choices[] = {
    { "resize", resize_names, PHYSAD__COUNT(resize_names), offsetof(physad_transform_options, resize) },
    { "fit", fit_names, PHYSAD__COUNT(fit_names), offsetof(physad_transform_options, fit) },
    { "arithmetic", arithmetic_names, PHYSAD__COUNT(arithmetic_names), offsetof(physad_transform_options, arithmetic) },
    { "normalise", normalise_names, PHYSAD__COUNT(normalise_names), offsetof(physad_transform_options, normalise) },
    { "outside", outside_names, PHYSAD__COUNT(outside_names), offsetof(physad_transform_options, outside) },
};

static const struct extent {
    const char *key;
    size_t field;
} extents[] = {
    { "height", offsetof(physad_transform_options, height) },
    { "width", offsetof(physad_transform_options, width) },
    { "crop_height", offsetof(physad_transform_options, crop_height) },
    { "crop_width", offsetof(physad_transform_options, crop_width) },
    { "roi_y", offsetof(physad_transform_options, roi_y) },
    { "roi_x", offsetof(physad_transform_options, roi_x) },
    { "roi_height", offsetof(physad_transform_options, roi_height) },
    { "roi_width", offsetof(physad_transform_options, roi_width) },
};

static const struct colour {
    const char *key;
    size_t field;
} colours[] = {
    { "mean", offsetof(physad_transform_options, mean) },
    { "std", offsetof(physad_transform_options, std) },
    { "pad", offsetof(physad_transform_options, pad) },
};

static void *field_of(physad_transform_options *o, size_t offset)
{
    return (char *)o + offset;
}

json_t *physad__transform_to_json(const physad_transform *transform)
{
    physad_transform_options o = transform->o;
    json_t *json = json_object();
    int failed = json == NULL;
    for (int64_t i = 0; i < PHYSAD__COUNT(choices); i++) {
        const int32_t *value = field_of(&o, choices[i].field);
        failed |= json_object_set_new(json, choices[i].key, json_string(choices[i].names[*value]));
    }
    for (int64_t i = 0; i < PHYSAD__COUNT(extents); i++) {
        const int64_t *value = field_of(&o, extents[i].field);
        failed |= json_object_set_new(json, extents[i].key, json_integer(*value));
    }
    for (int64_t i = 0; i < PHYSAD__COUNT(colours); i++) {
        const float *value = field_of(&o, colours[i].field);
        json_t *three = json_array();
        for (int c = 0; c < 3; c++)
            failed |= json_array_append_new(three, json_real(value[c]));
        failed |= json_object_set_new(json, colours[i].key, three);
    }
    if (failed) {
        json_decref(json);
        physad__error(PHYSAD_ERR_NOMEM, "transform: no memory for its JSON");
        return NULL;
    }
    return json;
}

static physad_status read_choice(const struct choice *c, const json_t *value, physad_transform_options *o)
{
    const char *text = json_string_value(value);
    for (int32_t i = 0; text != NULL && i < c->count; i++) {
        if (strcmp(text, c->names[i]) == 0) {
            *(int32_t *)field_of(o, c->field) = i;
            return PHYSAD_OK;
        }
    }
    return physad__error(PHYSAD_ERR_FORMAT, "transform: \"%s\" is %s%s%s, want \"%s\" to \"%s\"", c->key,
                         text != NULL ? "\"" : "no ", text != NULL ? text : "text", text != NULL ? "\"" : "",
                         c->names[0], c->names[c->count - 1]);
}

static physad_status read_colour(const struct colour *c, const json_t *value, physad_transform_options *o)
{
    float *out = field_of(o, c->field);
    if (json_array_size(value) != 3)
        return physad__error(PHYSAD_ERR_FORMAT, "transform: \"%s\" is no list of three numbers", c->key);
    for (size_t i = 0; i < 3; i++) {
        const json_t *number = json_array_get(value, i);
        if (!json_is_number(number))
            return physad__error(PHYSAD_ERR_FORMAT, "transform: \"%s\" is no list of three numbers", c->key);
        out[i] = (float)json_number_value(number);
    }
    return PHYSAD_OK;
}

static physad_status read_key(const char *key, const json_t *value, physad_transform_options *o)
{
    for (int64_t i = 0; i < PHYSAD__COUNT(choices); i++)
        if (strcmp(key, choices[i].key) == 0)
            return read_choice(&choices[i], value, o);
    for (int64_t i = 0; i < PHYSAD__COUNT(colours); i++)
        if (strcmp(key, colours[i].key) == 0)
            return read_colour(&colours[i], value, o);
    for (int64_t i = 0; i < PHYSAD__COUNT(extents); i++) {
        if (strcmp(key, extents[i].key) != 0)
            continue;
        if (!json_is_integer(value))
            return physad__error(PHYSAD_ERR_FORMAT, "transform: \"%s\" is no whole number", key);
        *(int64_t *)field_of(o, extents[i].field) = json_integer_value(value);
        return PHYSAD_OK;
    }
    return physad__error(PHYSAD_ERR_FORMAT,
                         "transform: unknown key \"%s\"; the file is from a newer version, or damaged", key);
}

physad_status physad__transform_from_json(physad_transform **out, physad_context *ctx, const json_t *json)
{
    physad_transform_options o = PHYSAD_TRANSFORM_OPTIONS_INIT;
    const char *key;
    json_t *value;
    *out = NULL;
    if (!json_is_object(json))
        return physad__error(PHYSAD_ERR_FORMAT, "transform: no JSON object");
    json_object_foreach((json_t *)(uintptr_t)json, key, value) PHYSAD__TRY(read_key(key, value, &o));
    const physad_status status = physad_transform_new(out, ctx, &o);
    return status == PHYSAD_ERR_ARG ? physad__error_prefix(PHYSAD_ERR_FORMAT, "transform") : status;
}
