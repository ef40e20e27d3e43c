/* SPDX-License-Identifier: Apache-2.0 */
/* From the values of a checkpoint to named tensors: dictionaries, lists and modules are walked, their keys joined by
 * dots. */
#include "io/io_pth.h"

#define MAX_DEPTH 100
/* Values may be shared, so that few unfold to very many. */
#define MAX_VISITS ((int64_t)1 << 20)
#define MAX_TEXT ((int64_t)1 << 27) /* bytes of names and metadata */

static physad_status walk(physad__pth *f, int32_t id, int depth);

/* --- the name --- */

static physad_status name_push(physad__pth *f, const char *part, int64_t length)
{
    const int64_t dot = f->name_length > 0;
    if (memchr(part, 0, (size_t)length) != NULL)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: a key below \"%.200s\" has a NUL in it", f->t->path, f->name);
    if (f->name_length + dot + length >= (int64_t)sizeof(f->name))
        return physad__error(PHYSAD_ERR_FORMAT, "%s: names below \"%.200s\" are longer than %zu bytes", f->t->path,
                             f->name, sizeof(f->name));
    if (dot)
        f->name[f->name_length++] = '.';
    memcpy(f->name + f->name_length, part, (size_t)length);
    f->name_length += length;
    f->name[f->name_length] = '\0';
    return PHYSAD_OK;
}

static void name_cut(physad__pth *f, int64_t length)
{
    f->name_length = length;
    f->name[length] = '\0';
}

static physad_status visit(physad__pth *f, int64_t text)
{
    f->text += text;
    if (++f->visits <= MAX_VISITS && f->text <= MAX_TEXT)
        return PHYSAD_OK;
    return physad__error(
        PHYSAD_ERR_FORMAT,
        "%s: \"%.200s\": its values are shared so often that they unfold to more than %lld, or to %lld bytes "
        "of text",
        f->t->path, f->name, (long long)MAX_VISITS, (long long)MAX_TEXT);
}

/* --- what values are --- */

typedef struct pairs {
    const int32_t *items;
    int64_t count;
} pairs;

/* The keys and values of a dict, an OrderedDict or a subclass. */
static bool as_dict(const physad__pickle *p, int32_t id, pairs *out)
{
    const physad__pickle_value *v = physad__pickle_at(p, id);
    *out = (pairs){ v->items, v->count };
    if (v->kind == PHYSAD__PICKLE_DICT)
        return true;
    if (v->kind != PHYSAD__PICKLE_OBJECT || (v->count > 0 && !v->pairs))
        return false;
    return v->count > 0 || physad__pickle_is_global(p, v->function, "collections", "OrderedDict") ||
           physad__pickle_is_global(p, v->function, "collections", "defaultdict");
}

/* The attributes of an object. */
static bool as_state(const physad__pickle *p, int32_t id, pairs *out)
{
    const physad__pickle_value *v = physad__pickle_at(p, id);
    if (v->kind != PHYSAD__PICKLE_OBJECT || v->state < 0)
        return false;
    const physad__pickle_value *s = physad__pickle_at(p, v->state);
    if (s->kind == PHYSAD__PICKLE_TUPLE && s->count == 2) /* (attributes, slots) */
        s = physad__pickle_at(p, s->items[0]);
    *out = (pairs){ s->items, s->count };
    return s->kind == PHYSAD__PICKLE_DICT;
}

static bool is_script(const physad__pickle *p, int32_t id)
{
    const physad__pickle_value *v = physad__pickle_at(p, id);
    if (v->kind != PHYSAD__PICKLE_OBJECT || physad__pickle_at(p, v->function)->kind != PHYSAD__PICKLE_GLOBAL)
        return false;
    const physad__pickle_value *module = physad__pickle_at(p, physad__pickle_at(p, v->function)->function);
    return module->length >= 9 && memcmp(module->text, "__torch__", 9) == 0;
}

/* The text of a key: text as it is, a number in decimal; false for others. */
static bool key_text(const physad__pickle *p, int32_t id, char *buffer, size_t size, const char **text, int64_t *length)
{
    const physad__pickle_value *v = physad__pickle_at(p, id);
    if (v->kind == PHYSAD__PICKLE_TEXT) {
        *text = (const char *)v->text;
        *length = v->length;
        return v->length > 0;
    }
    if (v->kind != PHYSAD__PICKLE_INT)
        return false;
    *text = buffer;
    *length = physad__snprintf(buffer, size, "%lld", (long long)v->integer);
    return true;
}

/* --- walking --- */

static physad_status take_scalar(physad__pth *f, const physad__pickle_value *v)
{
    char text[40];
    PHYSAD__TRY(visit(f, f->name_length + (v->kind == PHYSAD__PICKLE_TEXT ? v->length : 0)));
    if (f->name_length == 0 || !physad__utf8_valid(f->name, f->name_length))
        return PHYSAD_OK;
    if (v->kind == PHYSAD__PICKLE_TEXT) {
        if (memchr(v->text, 0, (size_t)v->length) != NULL || !physad__utf8_valid((const char *)v->text, v->length))
            return PHYSAD_OK;
        return physad__tensors_metadata_push(f->t, f->name, f->name_length, (const char *)v->text, v->length);
    }
    if (v->kind == PHYSAD__PICKLE_INT)
        physad__snprintf(text, sizeof(text), "%lld", (long long)v->integer);
    else
        physad__snprintf(text, sizeof(text), "%.17g", v->number);
    return physad__tensors_metadata_push(f->t, f->name, f->name_length, text, (int64_t)strlen(text));
}

static bool is_scalar(const physad__pickle_value *v)
{
    return v->kind == PHYSAD__PICKLE_TEXT || v->kind == PHYSAD__PICKLE_INT || v->kind == PHYSAD__PICKLE_FLOAT;
}

/* The items of a set: an opcode's in newer protocols, set([...]) in protocol 2. */
static const physad__pickle_value *as_set(const physad__pickle *p, int32_t id)
{
    const physad__pickle_value *v = physad__pickle_at(p, id);
    if (v->kind == PHYSAD__PICKLE_SET)
        return v;
    if (v->kind != PHYSAD__PICKLE_OBJECT || (!physad__pickle_is_global(p, v->function, "__builtin__", "set") &&
                                             !physad__pickle_is_global(p, v->function, "builtins", "set")))
        return NULL;
    const physad__pickle_value *args = physad__pickle_at(p, v->arguments);
    if (args->kind != PHYSAD__PICKLE_TUPLE || args->count != 1)
        return NULL;
    v = physad__pickle_at(p, args->items[0]);
    return v->kind == PHYSAD__PICKLE_LIST ? v : NULL;
}

static bool in_set(physad__pth *f, const physad__pickle_value *set, int32_t key)
{
    const physad__pickle *p = &f->p;
    const physad__pickle_value *k = physad__pickle_at(p, key);
    f->visits += set->count;
    for (int64_t i = 0; i < set->count; i++) {
        const physad__pickle_value *v = physad__pickle_at(p, set->items[i]);
        if (v->kind == PHYSAD__PICKLE_TEXT && k->kind == PHYSAD__PICKLE_TEXT && v->length == k->length &&
            memcmp(v->text, k->text, (size_t)k->length) == 0)
            return true;
    }
    return false;
}

/* `left_out`: a set of keys, or NULL. */
static physad_status walk_pairs(physad__pth *f, pairs d, const physad__pickle_value *left_out, int depth)
{
    char buffer[32];
    const char *text;
    int64_t length;
    const int64_t base = f->name_length;
    for (int64_t i = 0; i + 1 < d.count; i += 2) {
        if (!key_text(&f->p, d.items[i], buffer, sizeof(buffer), &text, &length))
            continue;
        if (left_out != NULL && in_set(f, left_out, d.items[i]))
            continue;
        PHYSAD__TRY(name_push(f, text, length));
        const physad__pickle_value *v = physad__pickle_at(&f->p, d.items[i + 1]);
        PHYSAD__TRY(is_scalar(v) ? take_scalar(f, v) : walk(f, d.items[i + 1], depth + 1));
        name_cut(f, base);
    }
    return PHYSAD_OK;
}

static physad_status walk_list(physad__pth *f, const physad__pickle_value *list, int depth)
{
    const int64_t base = f->name_length;
    for (int64_t i = 0; i < list->count; i++) {
        char buffer[32];
        const int length = physad__snprintf(buffer, sizeof(buffer), "%lld", (long long)i);
        PHYSAD__TRY(name_push(f, buffer, length));
        PHYSAD__TRY(walk(f, list->items[i], depth + 1));
        name_cut(f, base);
    }
    return PHYSAD_OK;
}

/* A pickled torch.nn.Module: what its state_dict() would hold. */
static physad_status walk_module(physad__pth *f, pairs state, int depth)
{
    static const char *const parts[] = { "_parameters", "_buffers", "_modules" };
    const int32_t hidden = physad__pickle_get(&f->p, state.items, state.count, "_non_persistent_buffers_set");
    const physad__pickle_value *left_out = hidden >= 0 ? as_set(&f->p, hidden) : NULL;
    for (int i = 0; i < 3; i++) {
        pairs d;
        const int32_t part = physad__pickle_get(&f->p, state.items, state.count, parts[i]);
        if (part >= 0 && as_dict(&f->p, part, &d))
            PHYSAD__TRY(walk_pairs(f, d, i == 1 ? left_out : NULL, depth));
    }
    return PHYSAD_OK;
}

/* OrderedDict([[key, value], ...]), as Python 2 wrote it. */
static physad_status walk_python2_dict(physad__pth *f, const physad__pickle_value *object, int depth)
{
    const physad__pickle *p = &f->p;
    const physad__pickle_value *args = physad__pickle_at(p, object->arguments);
    if (args->kind != PHYSAD__PICKLE_TUPLE || args->count != 1 ||
        physad__pickle_at(p, args->items[0])->kind != PHYSAD__PICKLE_LIST)
        return PHYSAD_OK;
    const physad__pickle_value *list = physad__pickle_at(p, args->items[0]);
    for (int64_t i = 0; i < list->count; i++) {
        const physad__pickle_value *pair = physad__pickle_at(p, list->items[i]);
        if ((pair->kind == PHYSAD__PICKLE_LIST || pair->kind == PHYSAD__PICKLE_TUPLE) && pair->count == 2)
            PHYSAD__TRY(walk_pairs(f, (pairs){ pair->items, 2 }, NULL, depth));
    }
    return PHYSAD_OK;
}

static physad_status walk_object(physad__pth *f, int32_t id, int depth)
{
    pairs d;
    bool is_tensor;
    const physad__pickle_value *v = physad__pickle_at(&f->p, id);
    PHYSAD__TRY(physad__pth_tensor(f, id, &is_tensor));
    if (is_tensor)
        return PHYSAD_OK;
    if (as_dict(&f->p, id, &d)) {
        PHYSAD__TRY(walk_python2_dict(f, v, depth));
        return walk_pairs(f, d, NULL, depth);
    }
    if (!as_state(&f->p, id, &d))
        return PHYSAD_OK;
    if (physad__pickle_get(&f->p, d.items, d.count, "_parameters") >= 0 ||
        physad__pickle_get(&f->p, d.items, d.count, "_modules") >= 0)
        return walk_module(f, d, depth);
    return is_script(&f->p, id) ? walk_pairs(f, d, NULL, depth) : PHYSAD_OK;
}

static physad_status walk(physad__pth *f, int32_t id, int depth)
{
    const physad__pickle_value *v = physad__pickle_at(&f->p, id);
    if (depth > MAX_DEPTH)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: \"%.200s\": nested more than %d deep, or holds itself", f->t->path,
                             f->name, MAX_DEPTH);
    PHYSAD__TRY(visit(f, f->name_length));
    switch (v->kind) {
    case PHYSAD__PICKLE_DICT:
        return walk_pairs(f, (pairs){ v->items, v->count }, NULL, depth);
    case PHYSAD__PICKLE_LIST:
    case PHYSAD__PICKLE_TUPLE:
        return walk_list(f, v, depth);
    case PHYSAD__PICKLE_OBJECT:
        return walk_object(f, id, depth);
    default:
        return PHYSAD_OK;
    }
}

/* --- where to begin --- */

/* Descends by keys joined with dots; a key may have dots itself, the longest match counts. -1: nothing is there. */
static int32_t descend(const physad__pickle *p, int32_t id, const char *root)
{
    while (*root != '\0') {
        pairs d;
        int32_t next = -1;
        int64_t longest = 0;
        if (!as_dict(p, id, &d) && !as_state(p, id, &d))
            return -1;
        for (int64_t i = 0; i + 1 < d.count; i += 2) {
            const physad__pickle_value *k = physad__pickle_at(p, d.items[i]);
            if (k->kind != PHYSAD__PICKLE_TEXT || k->length <= longest ||
                strnlen(root, (size_t)k->length) < (size_t)k->length || memcmp(root, k->text, (size_t)k->length) != 0 ||
                (root[k->length] != '.' && root[k->length] != '\0'))
                continue;
            next = d.items[i + 1];
            longest = k->length;
        }
        if (next < 0)
            return -1;
        id = next;
        root += longest;
        root += *root == '.';
    }
    return id;
}

/* A training checkpoint: the numbers and texts beside "state_dict" are its metadata. */
static physad_status take_top_scalars(physad__pth *f, pairs d)
{
    for (int64_t i = 0; i + 1 < d.count; i += 2) {
        char buffer[32];
        const char *text;
        int64_t length;
        const physad__pickle_value *v = physad__pickle_at(&f->p, d.items[i + 1]);
        if (!is_scalar(v) || !key_text(&f->p, d.items[i], buffer, sizeof(buffer), &text, &length))
            continue;
        PHYSAD__TRY(name_push(f, text, length));
        PHYSAD__TRY(take_scalar(f, v));
        name_cut(f, 0);
    }
    return PHYSAD_OK;
}

physad_status physad__pth_walk(physad__pth *f)
{
    pairs d, inner;
    int32_t start = f->top;
    name_cut(f, 0);
    if (f->root != NULL) {
        start = descend(&f->p, f->top, f->root);
        if (start < 0)
            return physad__error(PHYSAD_ERR_ARG, "%s: the checkpoint has no dictionary \"%.200s\"", f->t->path,
                                 f->root);
    } else if (as_dict(&f->p, f->top, &d)) {
        const int32_t state = physad__pickle_get(&f->p, d.items, d.count, "state_dict");
        if (state >= 0 && as_dict(&f->p, state, &inner)) {
            PHYSAD__TRY(take_top_scalars(f, d));
            start = state;
        }
    }
    return walk(f, start, 0);
}
