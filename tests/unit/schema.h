/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Schema (draft 2020-12) as far as our schemas use it: $ref within the file, anyOf, type, enum, required,
 * properties, additionalProperties, minProperties, items, minItems, maxItems, minimum, maximum. An unknown keyword is a
 * failure. */
#ifndef PHYSAD__SCHEMA_H
#define PHYSAD__SCHEMA_H

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool schema_valid(const json_t *root, const json_t *schema, const json_t *value, char *why, size_t size);

static inline bool schema_type_is(const char *type, const json_t *v)
{
    return (strcmp(type, "object") == 0 && json_is_object(v)) || (strcmp(type, "array") == 0 && json_is_array(v)) ||
           (strcmp(type, "string") == 0 && json_is_string(v)) || (strcmp(type, "boolean") == 0 && json_is_boolean(v)) ||
           (strcmp(type, "null") == 0 && json_is_null(v)) || (strcmp(type, "integer") == 0 && json_is_integer(v)) ||
           (strcmp(type, "number") == 0 && json_is_number(v));
}

static inline bool schema_types(const json_t *type, const json_t *v)
{
    bool fits = json_is_string(type) && schema_type_is(json_string_value(type), v);
    for (size_t i = 0; i < json_array_size(type); i++)
        fits = fits || schema_type_is(json_string_value(json_array_get(type, i)), v);
    return fits;
}

static inline const json_t *schema_deref(const json_t *root, const char *ref)
{
    char part[128];
    const json_t *at = root;
    for (const char *p = ref + 1; *p == '/'; p += 1 + strlen(part)) {
        snprintf(part, sizeof(part), "%.*s", (int)strcspn(p + 1, "/"), p + 1);
        at = json_object_get(at, part);
    }
    return at;
}

static inline bool schema_members(const json_t *root, const json_t *schema, const json_t *value, char *why, size_t size)
{
    const json_t *known = json_object_get(schema, "properties"),
                 *other = json_object_get(schema, "additionalProperties");
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        const json_t *rule = json_object_get(known, key);
        rule = rule != NULL ? rule : other;
        if (rule != NULL && !schema_valid(root, rule, member, why, size)) {
            char inner[400];
            snprintf(inner, sizeof(inner), "%s", why);
            snprintf(why, size, "%s: %s", key, inner);
            return false;
        }
    }
    return true;
}

static inline bool schema_keyword(const json_t *root, const json_t *schema, const char *key, const json_t *rule,
                                  const json_t *v, char *why, size_t size)
{
    if (key[0] == '$' && strcmp(key, "$ref") != 0)
        return true;
    if (strcmp(key, "title") == 0 || strcmp(key, "description") == 0)
        return true;
    if (strcmp(key, "$ref") == 0)
        return schema_valid(root, schema_deref(root, json_string_value(rule)), v, why, size);
    if (strcmp(key, "type") == 0)
        return schema_types(rule, v);
    if (strcmp(key, "properties") == 0 || strcmp(key, "additionalProperties") == 0)
        return !json_is_object(v) || schema_members(root, schema, v, why, size);
    if (strcmp(key, "minimum") == 0)
        return !json_is_number(v) || json_number_value(v) >= json_number_value(rule);
    if (strcmp(key, "maximum") == 0)
        return !json_is_number(v) || json_number_value(v) <= json_number_value(rule);
    if (strcmp(key, "minItems") == 0)
        return !json_is_array(v) || (json_int_t)json_array_size(v) >= json_integer_value(rule);
    if (strcmp(key, "maxItems") == 0)
        return !json_is_array(v) || (json_int_t)json_array_size(v) <= json_integer_value(rule);
    if (strcmp(key, "minProperties") == 0)
        return !json_is_object(v) || (json_int_t)json_object_size(v) >= json_integer_value(rule);
    bool all = true, any = false;
    const bool known = strcmp(key, "required") == 0 || strcmp(key, "items") == 0 || strcmp(key, "enum") == 0 ||
                       strcmp(key, "anyOf") == 0;
    for (size_t i = 0; i < json_array_size(rule) && strcmp(key, "required") == 0; i++)
        all = all && (!json_is_object(v) || json_object_get(v, json_string_value(json_array_get(rule, i))) != NULL);
    for (size_t i = 0; i < json_array_size(v) && strcmp(key, "items") == 0 && all; i++)
        all = schema_valid(root, rule, json_array_get(v, i), why, size);
    for (size_t i = 0; i < json_array_size(rule) && strcmp(key, "enum") == 0; i++)
        any = any || json_equal(json_array_get(rule, i), v);
    for (size_t i = 0; i < json_array_size(rule) && strcmp(key, "anyOf") == 0; i++)
        any = any || schema_valid(root, json_array_get(rule, i), v, why, size);
    return known && all && (any || strcmp(key, "required") == 0 || strcmp(key, "items") == 0);
}

/* `why` names the place and the keyword that failed. */
static bool schema_valid(const json_t *root, const json_t *schema, const json_t *value, char *why, size_t size)
{
    const char *key;
    json_t *rule;
    if (schema == NULL || json_is_boolean(schema)) {
        snprintf(why, size, "not allowed here");
        return json_is_true(schema);
    }
    json_object_foreach((json_t *)(uintptr_t)schema, key, rule)
    {
        why[0] = '\0';
        if (!schema_keyword(root, schema, key, rule, value, why, size)) {
            if (why[0] == '\0')
                snprintf(why, size, "violates \"%s\"", key);
            return false;
        }
    }
    return true;
}

#endif
