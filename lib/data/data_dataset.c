/* SPDX-License-Identifier: Apache-2.0 */
#include "data/data_dataset.h"
#include "data/data_transform.h"

#include <pthread.h>

/* --- the store --- */

enum { CHUNK = 1 << 16 };

typedef struct chunk {
    struct chunk *next;
    size_t used, size;
} chunk;

struct physad__store {
    physad_context *ctx;
    atomic_int references;
    pthread_mutex_t lock;
    chunk *chunks;
};

static physad__store *store_new(physad_context *ctx)
{
    physad__store *s = physad__alloc_zero(&ctx->mem, sizeof(*s), "data set");
    if (s == NULL)
        return NULL;
    s->ctx = physad__context_retain(ctx);
    atomic_init(&s->references, 1);
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

static physad__store *store_retain(physad__store *s)
{
    atomic_fetch_add(&s->references, 1);
    return s;
}

static void store_free(physad__store *s)
{
    if (s == NULL || atomic_fetch_sub(&s->references, 1) != 1)
        return;
    physad_context *ctx = s->ctx;
    for (chunk *c = s->chunks; c != NULL;) {
        chunk *next = c->next;
        physad__free(c);
        c = next;
    }
    pthread_mutex_destroy(&s->lock);
    physad__free(s);
    physad_context_free(ctx);
}

static void *alloc_locked(physad__store *s, size_t size)
{
    const size_t head = (sizeof(chunk) + 63) / 64 * 64;
    chunk *c = s->chunks;
    if (c == NULL || c->size - c->used < size) {
        const size_t fresh = head + (size > CHUNK / 4 ? size : CHUNK);
        c = physad__alloc(&s->ctx->mem, fresh, "data set");
        if (c == NULL)
            return NULL;
        *c = (chunk){ NULL, head, fresh };
        /* A chunk for one large block goes behind the one in use. */
        if (size > CHUNK / 4 && s->chunks != NULL) {
            c->next = s->chunks->next;
            s->chunks->next = c;
        } else {
            c->next = s->chunks;
            s->chunks = c;
        }
    }
    void *p = (char *)c + c->used;
    c->used += size;
    return p;
}

void *physad__store_alloc(physad__store *store, size_t size)
{
    if (size > (size_t)INT64_MAX / 4) {
        physad__error(PHYSAD_ERR_NOMEM, "data set: %zu bytes are more than any machine has", size);
        return NULL;
    }
    pthread_mutex_lock(&store->lock);
    void *p = alloc_locked(store, (size + 15) / 16 * 16);
    pthread_mutex_unlock(&store->lock);
    return p;
}

char *physad__store_text(physad__store *store, const char *text)
{
    const size_t size = strlen(text) + 1;
    char *copy = physad__store_alloc(store, size);
    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

char *physad__store_format(physad__store *store, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int length = physad__vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *out = physad__store_alloc(store, (size_t)(length < 0 ? 0 : length) + 1);
    if (out == NULL)
        return NULL;
    va_start(args, format);
    physad__vsnprintf(out, (size_t)(length < 0 ? 0 : length) + 1, format, args);
    va_end(args);
    return out;
}

/* Length of the UTF-8 character at `p`, 0 when there is none. */
static int utf8_length(const unsigned char *p)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const int n = p[0] < 0x80             ? 1
                  : (p[0] & 0xe0) == 0xc0 ? 2
                  : (p[0] & 0xf0) == 0xe0 ? 3
                  : (p[0] & 0xf8) == 0xf0 ? 4
                                          : 0;
    uint32_t code = n > 1 ? p[0] & (0x7fu >> n) : p[0];
    for (int i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3f);
    }
    return code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : n;
}

void physad__make_utf8(char *text)
{
    unsigned char *p = (unsigned char *)text;
    while (*p != '\0') {
        const int n = utf8_length(p);
        if (n == 0)
            *p = '?';
        p += n == 0 ? 1 : n;
    }
}

/* --- names --- */

bool physad__equal_nocase(const char *a, const char *b)
{
    return strlen(a) == strlen(b) && physad__has_suffix(a, b);
}

bool physad__is_normal_type(const char *type)
{
    static const char *const names[] = { "good", "ok", "normal" };
    for (int64_t i = 0; i < PHYSAD__COUNT(names); i++)
        if (physad__equal_nocase(type, names[i]))
            return true;
    return strncmp(type, "good_", 5) == 0 || strncmp(type, "normal_", 7) == 0;
}

int32_t physad__media_kind(const char *name)
{
    static const char *const photos[] = { ".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff",
                                          ".ppm", ".pgm",  ".pbm", ".pnm", ".pfm" };
    static const char *const videos[] = { ".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg" };
    for (int64_t i = 0; i < PHYSAD__COUNT(photos); i++)
        if (physad__has_suffix(name, photos[i]))
            return PHYSAD_KIND_IMAGE;
    for (int64_t i = 0; i < PHYSAD__COUNT(videos); i++)
        if (physad__has_suffix(name, videos[i]))
            return PHYSAD_KIND_VIDEO;
    return PHYSAD__MEDIA_NONE;
}

/* --- data sets --- */

static physad_status dataset_new(physad_dataset **out, physad_context *ctx, physad__store *store)
{
    physad_dataset *ds = physad__alloc_zero(&ctx->mem, sizeof(*ds), "data set");
    if (ds == NULL)
        return PHYSAD_ERR_NOMEM;
    ds->ctx = physad__context_retain(ctx);
    ds->root = ds->name = "";
    ds->format = "list";
    ds->store = store != NULL ? store_retain(store) : store_new(ctx);
    if (ds->store == NULL) {
        physad_dataset_free(ds);
        return PHYSAD_ERR_NOMEM;
    }
    *out = ds;
    return PHYSAD_OK;
}

void physad_dataset_free(physad_dataset *dataset)
{
    if (dataset == NULL)
        return;
    physad_context *ctx = dataset->ctx;
    physad__free(dataset->records);
    physad__free(dataset->categories);
    physad__free(dataset->json);
    store_free(dataset->store);
    physad__free(dataset);
    physad_context_free(ctx);
}

static physad_status check(const physad_dataset *ds, const char *what)
{
    if (ds == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: dataset is NULL", what);
    return physad__context_check(ds->ctx, what);
}

static physad_status note_category(physad_dataset *ds, const char *category)
{
    for (int64_t i = ds->category_count - 1; i >= 0; i--)
        if (strcmp(ds->categories[i], category) == 0)
            return PHYSAD_OK;
    PHYSAD__TRY(physad__grow(&ds->ctx->mem, &ds->categories, &ds->category_capacity, ds->category_count + 1,
                             sizeof(*ds->categories), "data set"));
    ds->categories[ds->category_count++] = category;
    return PHYSAD_OK;
}

physad_status physad__dataset_recount(physad_dataset *ds)
{
    ds->category_count = 0;
    for (int64_t i = 0; i < ds->count; i++)
        PHYSAD__TRY(note_category(ds, ds->records[i]->sample.category));
    return PHYSAD_OK;
}

physad_status physad__dataset_share(physad_dataset *ds, physad__record *record)
{
    PHYSAD__TRY(
        physad__grow(&ds->ctx->mem, &ds->records, &ds->capacity, ds->count + 1, sizeof(*ds->records), "data set"));
    PHYSAD__TRY(note_category(ds, record->sample.category));
    ds->records[ds->count++] = record;
    return PHYSAD_OK;
}

physad_status physad__dataset_push(physad_dataset *ds, const physad__record *record)
{
    physad__record *copy = physad__store_alloc(ds->store, sizeof(*copy));
    if (copy == NULL)
        return PHYSAD_ERR_NOMEM;
    *copy = *record;
    return physad__dataset_share(ds, copy);
}

physad_status physad_dataset_new(physad_dataset **out, physad_context *ctx)
{
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_dataset_new: out is NULL");
    *out = NULL;
    PHYSAD__TRY(physad__context_check(ctx, "physad_dataset_new"));
    return dataset_new(out, ctx, NULL);
}

/* --- adding --- */

static physad_status check_split(int32_t split, int32_t label)
{
    if (split != PHYSAD_SPLIT_TRAIN && split != PHYSAD_SPLIT_VALIDATION && split != PHYSAD_SPLIT_TEST)
        return physad__error(PHYSAD_ERR_ARG, "split is %d, want PHYSAD_SPLIT_TRAIN, _VALIDATION or _TEST", split);
    if (label < -1 || label > 1)
        return physad__error(PHYSAD_ERR_ARG, "label is %d, want 0 (normal), 1 (defective) or -1 (not known)", label);
    return PHYSAD_OK;
}

static physad_status check_views(const physad_item *item)
{
    char text[160];
    const physad_view *p = item->photo, *m = item->mask;
    if (p != NULL)
        PHYSAD__TRY(physad__transform_check_photo(p, "photo"));
    if (m == NULL)
        return PHYSAD_OK;
    PHYSAD__TRY(physad__view_check(m, "mask"));
    if (m->dtype != PHYSAD_U8 && m->dtype != PHYSAD_BOOL)
        return physad__error(PHYSAD_ERR_DTYPE, "mask has dtype %s, want u8 or bool", physad_dtype_name(m->dtype));
    if (m->ndim != 2 || m->shape[0] < 1 || m->shape[1] < 1)
        return physad__error(PHYSAD_ERR_SHAPE, "mask has shape %s, want H x W, neither of them 0",
                             physad__shape_text(text, sizeof(text), m->ndim, m->shape));
    return PHYSAD_OK;
}

static physad_status check_item(const physad_item *item, int32_t *kind)
{
    if ((item->file == NULL) == (item->photo == NULL))
        return physad__error(PHYSAD_ERR_ARG, "physad_item: give either file or photo");
    if (item->mask_file != NULL && item->mask != NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_item: give mask_file or mask, not both");
    if (item->flags & ~PHYSAD_ITEM_COPY)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "physad_item: flags is %u, want PHYSAD_ITEM_COPY or 0",
                             item->flags);
    *kind = PHYSAD_KIND_IMAGE;
    if (item->file != NULL) {
        *kind = physad__path_is_dir(item->file) ? PHYSAD_KIND_FRAMES : physad__media_kind(item->file);
        if (*kind == PHYSAD__MEDIA_NONE)
            return physad__error(PHYSAD_ERR_ARG, "\"%s\" is neither a photo nor a video by its suffix", item->file);
    }
    return check_views(item);
}

/* A packed copy in the store, or the view itself. */
static physad_status keep_view(physad_dataset *ds, physad_view *out, const physad_view *in, bool copy)
{
    if (in == NULL)
        return PHYSAD_OK;
    *out = *in;
    out->flags |= PHYSAD_VIEW_READONLY;
    if (!copy)
        return PHYSAD_OK;
    const int64_t channels = in->ndim == 3 ? in->shape[2] : 1, size = (int64_t)physad_dtype_size(in->dtype);
    unsigned char *to = physad__store_alloc(ds->store, (size_t)(physad__view_count(in) * size));
    if (to == NULL)
        return PHYSAD_ERR_NOMEM;
    *out = physad_view_array(to, in->dtype, in->ndim, in->shape);
    out->flags = PHYSAD_VIEW_READONLY;
    for (int64_t y = 0; y < in->shape[0]; y++) {
        for (int64_t x = 0; x < in->shape[1]; x++) {
            const char *p = (const char *)in->data + y * in->stride[0] + x * in->stride[1];
            for (int64_t c = 0; c < channels; c++, to += size)
                memcpy(to, p + (in->ndim == 3 ? c * in->stride[2] : 0), (size_t)size);
        }
    }
    return PHYSAD_OK;
}

static physad_status keep_text(physad_dataset *ds, const char **out, const char *text, const char *otherwise)
{
    if (text == NULL)
        text = otherwise;
    if (text == NULL)
        return PHYSAD_OK;
    *out = physad__store_text(ds->store, text);
    return *out != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

static physad_status keep_mask_file(physad_dataset *ds, physad_sample *s, const char *file)
{
    const char **list = physad__store_alloc(ds->store, sizeof(*list));
    if (list == NULL)
        return PHYSAD_ERR_NOMEM;
    PHYSAD__TRY(keep_text(ds, &list[0], file, NULL));
    s->mask_files = list;
    s->mask_count = 1;
    return PHYSAD_OK;
}

static physad_status add(physad_dataset *ds, const physad_item *item)
{
    char number[32];
    physad__record r = { .sample = { .split = item->split != 0 ? item->split : PHYSAD_SPLIT_TRAIN,
                                     .label = item->label } };
    physad_sample *s = &r.sample;
    PHYSAD__TRY(check_split(s->split, s->label));
    PHYSAD__TRY(check_item(item, &s->kind));
    physad__snprintf(number, sizeof(number), "#%lld", (long long)ds->count);
    PHYSAD__TRY(keep_text(ds, &s->path, item->file != NULL ? item->file : item->name, number));
    PHYSAD__TRY(keep_text(ds, &s->file, item->file, NULL));
    PHYSAD__TRY(keep_text(ds, &s->category, item->category, ""));
    PHYSAD__TRY(keep_text(ds, &s->type, item->type, s->label == 0 ? "good" : s->label > 0 ? "defect" : "unknown"));
    PHYSAD__TRY(keep_text(ds, &s->group, item->group, NULL));
    PHYSAD__TRY(keep_text(ds, &s->view, item->view, NULL));
    PHYSAD__TRY(keep_view(ds, &r.photo, item->photo, item->flags & PHYSAD_ITEM_COPY));
    PHYSAD__TRY(keep_view(ds, &r.mask, item->mask, item->flags & PHYSAD_ITEM_COPY));
    if (item->mask_file != NULL)
        PHYSAD__TRY(keep_mask_file(ds, s, item->mask_file));
    s->truth = item->mask != NULL || s->mask_count > 0 ? PHYSAD_TRUTH_MASKS
               : s->label == 0                         ? PHYSAD_TRUTH_ZERO
                                                       : PHYSAD_TRUTH_NONE;
    PHYSAD__TRY(physad__dataset_push(ds, &r));
    const physad_status status = physad__group_samples(ds, ds->count - 1);
    if (status != PHYSAD_OK)
        ds->count--;
    return status;
}

physad_status physad_dataset_add(physad_dataset *dataset, const physad_item *item)
{
    physad_item i = PHYSAD_ITEM_INIT;
    PHYSAD__TRY(check(dataset, "physad_dataset_add"));
    if (item == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_dataset_add: item is NULL");
    PHYSAD__TRY(physad__options_read(&i, sizeof(i), sizeof(i), item, "physad_item"));
    return add(dataset, &i);
}

physad_status physad_dataset_from_files(physad_dataset **out, physad_context *ctx, const char *const *paths,
                                        int64_t count, int32_t split, int32_t label)
{
    PHYSAD__TRY(physad_dataset_new(out, ctx));
    physad_status status = check_split(split, label);
    if (status == PHYSAD_OK && (paths == NULL || count < 1))
        status = physad__error(PHYSAD_ERR_ARG, "physad_dataset_from_files: no paths, want at least one");
    for (int64_t i = 0; status == PHYSAD_OK && i < count; i++) {
        physad_item item = PHYSAD_ITEM_INIT;
        item.file = paths[i];
        item.split = split;
        item.label = label;
        status = paths[i] != NULL
                     ? add(*out, &item)
                     : physad__error(PHYSAD_ERR_ARG, "physad_dataset_from_files: paths[%lld] is NULL", (long long)i);
    }
    /* Exposures that follow one another are known only when all are there. */
    for (int64_t i = 0; status == PHYSAD_OK && i < count; i++)
        (*out)->records[i]->sample.group = NULL;
    if (status == PHYSAD_OK)
        status = physad__group_samples(*out, 0);
    if (status != PHYSAD_OK) {
        physad_dataset_free(*out);
        *out = NULL;
    }
    return status;
}

/* --- parts --- */

physad_status physad__dataset_derive(physad_dataset **out, const physad_dataset *from)
{
    PHYSAD__TRY(dataset_new(out, from->ctx, from->store));
    (*out)->root = from->root;
    (*out)->name = from->name;
    (*out)->format = from->format;
    return PHYSAD_OK;
}

static physad_status give(physad_dataset **out, physad_dataset *ds, physad_status status)
{
    if (status == PHYSAD_OK)
        *out = ds;
    else
        physad_dataset_free(ds);
    return status;
}

physad_status physad_dataset_select(physad_dataset **out, const physad_dataset *dataset, const char *category,
                                    int32_t splits)
{
    physad_dataset *ds = NULL;
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_dataset_select: out is NULL");
    *out = NULL;
    PHYSAD__TRY(check(dataset, "physad_dataset_select"));
    if (splits < 0 || splits > (PHYSAD_SPLIT_ANY | PHYSAD_SPLIT_WHOLE))
        return physad__error(PHYSAD_ERR_ARG, "physad_dataset_select: splits is %d, want PHYSAD_SPLIT_* or-ed", splits);
    bool known = category == NULL;
    for (int64_t i = 0; !known && i < dataset->category_count; i++)
        known = strcmp(category, dataset->categories[i]) == 0;
    if (!known) {
        const char *near = physad__nearest_name(category, dataset->categories, dataset->category_count);
        return physad__error(PHYSAD_ERR_ARG, "there is no category \"%s\"%s%s%s", category,
                             near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
                             near != NULL ? "\"?" : "");
    }
    PHYSAD__TRY(physad__dataset_derive(&ds, dataset));
    physad_status status = PHYSAD_OK;
    for (int64_t i = 0; status == PHYSAD_OK && i < dataset->count; i++) {
        const physad_sample *s = &dataset->records[i]->sample;
        if ((category == NULL || strcmp(category, s->category) == 0) &&
            (s->split & (splits == 0 ? PHYSAD_SPLIT_ANY : splits)) != 0)
            status = physad__dataset_share(ds, dataset->records[i]);
    }
    return give(out, ds, status);
}

physad_status physad_dataset_subset(physad_dataset **out, const physad_dataset *dataset, const int64_t *indices,
                                    int64_t count)
{
    physad_dataset *ds = NULL;
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_dataset_subset: out is NULL");
    *out = NULL;
    PHYSAD__TRY(check(dataset, "physad_dataset_subset"));
    if (count < 0 || (count > 0 && indices == NULL))
        return physad__error(PHYSAD_ERR_ARG, "physad_dataset_subset: indices is NULL, or count (%lld) negative",
                             (long long)count);
    for (int64_t i = 0; i < count; i++)
        if (indices[i] < 0 || indices[i] >= dataset->count)
            return physad__error(PHYSAD_ERR_ARG,
                                 "physad_dataset_subset: indices[%lld] is %lld, but there are %lld samples",
                                 (long long)i, (long long)indices[i], (long long)dataset->count);
    PHYSAD__TRY(physad__dataset_derive(&ds, dataset));
    physad_status status = PHYSAD_OK;
    for (int64_t i = 0; status == PHYSAD_OK && i < count; i++)
        status = physad__dataset_share(ds, dataset->records[indices[i]]);
    return give(out, ds, status);
}

/* --- looking --- */

int64_t physad_dataset_count(const physad_dataset *dataset)
{
    return dataset != NULL ? dataset->count : 0;
}

const physad_sample *physad_dataset_sample(const physad_dataset *dataset, int64_t index)
{
    return dataset != NULL && index >= 0 && index < dataset->count ? &dataset->records[index]->sample : NULL;
}

int64_t physad_dataset_category_count(const physad_dataset *dataset)
{
    return dataset != NULL ? dataset->category_count : 0;
}

const char *physad_dataset_category(const physad_dataset *dataset, int64_t index)
{
    return dataset != NULL && index >= 0 && index < dataset->category_count ? dataset->categories[index] : NULL;
}

const char *physad_dataset_root(const physad_dataset *dataset)
{
    return dataset != NULL ? dataset->root : "";
}

const char *physad_dataset_name(const physad_dataset *dataset)
{
    return dataset != NULL ? dataset->name : "";
}

const char *physad_dataset_format(const physad_dataset *dataset)
{
    return dataset != NULL ? dataset->format : "";
}
