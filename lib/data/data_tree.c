/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts that are read off the tree of folders. */
#include "data/data_dataset.h"

/* One category while it is read. */
typedef struct branch {
    physad__scan *scan;
    const char *category;
    const char *folder; /* with the root */
    const char *prefix; /* of paths relative to the root: "" or "bottle/" */
    const char *truth;  /* folder of masks, relative to `folder`; NULL: none */
    const char *poses;  /* file or folder with camera poses, with the root; NULL: none */
    bool poses_by_name; /* they know the file's name only, else its path from `folder` on */
} branch;

/* --- looking around --- */

static physad_status list(const branch *b, physad__dir *dir, const char *part)
{
    char *path = physad__path_join(&b->scan->ds->ctx->mem, b->folder, part);
    if (path == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_status status = physad__dir_list(dir, &b->scan->ds->ctx->mem, path);
    physad__free(path);
    return status;
}

/* A folder in `dir` by its name, as it is written or else in any case; NULL when there is none. */
static const char *find_folder(const physad__dir *dir, const char *name)
{
    for (int64_t i = 0; i < dir->count; i++)
        if (dir->entries[i].is_dir && strcmp(dir->entries[i].name, name) == 0)
            return dir->entries[i].name;
    for (int64_t i = 0; i < dir->count; i++)
        if (dir->entries[i].is_dir && physad__equal_nocase(dir->entries[i].name, name))
            return dir->entries[i].name;
    return NULL;
}

static bool has_media(const physad__dir *dir)
{
    for (int64_t i = 0; i < dir->count; i++)
        if (!dir->entries[i].is_dir && physad__media_kind(dir->entries[i].name) != PHYSAD__MEDIA_NONE)
            return true;
    return false;
}

static physad_status folder_has_media(physad__mem *mem, const char *folder, const char *part, bool *has)
{
    physad__dir dir;
    char *path = physad__path_join(mem, folder, part);
    if (path == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_status status = physad__dir_list(&dir, mem, path);
    physad__free(path);
    *has = status == PHYSAD_OK && has_media(&dir);
    if (status == PHYSAD_OK)
        physad__dir_free(&dir);
    return status;
}

/* --- samples --- */

typedef struct leaf {
    const char *part; /* the folder, relative to the category's: "test/broken" */
    const char *type;
    int32_t split;
    int32_t label;
    const physad__mask_folder *masks;  /* of this type */
    const physad__mask_folder *beside; /* masks among the photos */
    const char *instance;              /* NULL: not told by a folder */
} leaf;

static physad_status push_sample(const branch *b, const leaf *l, const char *name, int32_t kind)
{
    physad_dataset *ds = b->scan->ds;
    physad__record r = {
        .sample = { .category = b->category,
                    .type = l->type,
                    .split = l->split,
                    .label = l->label,
                    .kind = kind,
                    .instance = l->instance }
    };
    physad_sample *s = &r.sample;
    s->path = physad__store_format(ds->store, "%s%s%s%s", b->prefix, l->part, *l->part != '\0' ? "/" : "", name);
    if (s->path == NULL)
        return PHYSAD_ERR_NOMEM;
    s->file = physad__store_format(ds->store, "%s/%s", ds->root, s->path);
    if (s->file == NULL)
        return PHYSAD_ERR_NOMEM;
    s->pose_file = kind == PHYSAD_KIND_IMAGE ? b->poses : NULL;
    if (s->pose_file != NULL)
        s->pose_name = b->poses_by_name ? physad__path_name(s->path) : s->path + strlen(b->prefix);
    if (l->label != 0 && kind == PHYSAD_KIND_IMAGE) {
        physad__mem *mem = &ds->ctx->mem;
        PHYSAD__TRY(physad__mask_find(l->masks, ds->store, mem, name, false, &s->mask_files, &s->mask_count));
        if (s->mask_count == 0)
            PHYSAD__TRY(physad__mask_find(l->beside, ds->store, mem, name, true, &s->mask_files, &s->mask_count));
    }
    s->truth = l->label == 0 ? PHYSAD_TRUTH_ZERO : s->mask_count > 0 ? PHYSAD_TRUTH_MASKS : PHYSAD_TRUTH_NONE;
    return physad__dataset_push(ds, &r);
}

/* Whether a file is the mask of a photo beside it: "a_mask.png" where there is "a.jpg". */
static bool is_mask_of_neighbour(const physad__dir *dir, const char *name)
{
    const char *suffix = physad__path_suffix(name);
    const size_t mark = 5, length = (size_t)(suffix - name);
    if (length <= mark || strncmp(suffix - mark, "_mask", mark) != 0)
        return false;
    for (int64_t i = 0; i < dir->count; i++) {
        const char *other = dir->entries[i].name;
        if (strncmp(other, name, length - mark) == 0 && physad__path_suffix(other) == other + length - mark &&
            physad__media_kind(other) == PHYSAD_KIND_IMAGE)
            return true;
    }
    return false;
}

/* A folder of photos is a video; one of videos holds those of an instance, which it names. */
static physad_status push_folder(const branch *b, const leaf *l, const char *name)
{
    physad__mem *mem = &b->scan->ds->ctx->mem;
    physad__dir dir;
    char *path = physad__format(mem, "%s/%s/%s", b->folder, l->part, name);
    if (path == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_status status = physad__dir_list(&dir, mem, path);
    physad__free(path);
    PHYSAD__TRY(status);
    bool photos = false;
    for (int64_t i = 0; i < dir.count && !photos; i++)
        photos = !dir.entries[i].is_dir && physad__media_kind(dir.entries[i].name) == PHYSAD_KIND_IMAGE;
    leaf of = *l;
    if (photos) {
        status = push_sample(b, l, name, PHYSAD_KIND_FRAMES);
    } else if (l->instance == NULL) {
        of.part = physad__store_format(b->scan->ds->store, "%s/%s", l->part, name);
        of.instance = physad__store_text(b->scan->ds->store, name);
        if (of.part == NULL || of.instance == NULL)
            status = PHYSAD_ERR_NOMEM;
        for (int64_t i = 0; status == PHYSAD_OK && i < dir.count; i++) {
            const physad__dir_entry *e = &dir.entries[i];
            if (e->is_dir)
                status = push_folder(b, &of, e->name);
            else if (physad__media_kind(e->name) == PHYSAD_KIND_VIDEO)
                status = push_sample(b, &of, e->name, PHYSAD_KIND_VIDEO);
        }
    }
    physad__dir_free(&dir);
    return status;
}

/* The folder of masks of the frames in a folder beside it: "Test001_gt" where there is "Test001". */
static bool is_truth_of_neighbour(const physad__dir *dir, const char *name)
{
    const size_t length = strlen(name);
    if (length <= 3 || strcmp(name + length - 3, "_gt") != 0)
        return false;
    for (int64_t i = 0; i < dir->count; i++)
        if (dir->entries[i].is_dir && strlen(dir->entries[i].name) == length - 3 &&
            strncmp(dir->entries[i].name, name, length - 3) == 0)
            return true;
    return false;
}

static physad_status push_entry(const branch *b, const leaf *l, const physad__dir *dir, const physad__dir_entry *e)
{
    if (e->is_dir)
        return is_truth_of_neighbour(dir, e->name) ? PHYSAD_OK : push_folder(b, l, e->name);
    const int32_t kind = physad__media_kind(e->name);
    return kind == PHYSAD__MEDIA_NONE || is_mask_of_neighbour(dir, e->name) ? PHYSAD_OK
                                                                            : push_sample(b, l, e->name, kind);
}

/* The folder of masks for a type: `ground_truth/<type>`, in any case, or `ground_truth` itself where masks lie in it.
 */
static physad_status masks_of_type(const branch *b, const char *type, int32_t label, physad__mask_folder *out)
{
    physad__mem *mem = &b->scan->ds->ctx->mem;
    physad__dir dir;
    *out = (physad__mask_folder){ NULL, { NULL, 0, 0 } };
    if (b->truth == NULL || label == 0)
        return PHYSAD_OK;
    PHYSAD__TRY(list(b, &dir, b->truth));
    const char *name = find_folder(&dir, type);
    const bool flat = name == NULL && has_media(&dir);
    const char *path = name != NULL ? physad__store_format(b->scan->ds->store, "%s/%s/%s", b->folder, b->truth, name)
                       : flat       ? physad__store_format(b->scan->ds->store, "%s/%s", b->folder, b->truth)
                                    : NULL;
    const physad_status status = (name != NULL || flat) && path == NULL ? PHYSAD_ERR_NOMEM : PHYSAD_OK;
    physad__dir_free(&dir);
    return status == PHYSAD_OK ? physad__mask_folder_open(out, mem, path) : status;
}

/* All samples of one folder. `frames`: folders in it are videos. */
static physad_status read_leaf(const branch *b, leaf *l, bool frames)
{
    physad__mem *mem = &b->scan->ds->ctx->mem;
    physad__mask_folder masks = { NULL, { NULL, 0, 0 } }, beside = { NULL, { NULL, 0, 0 } };
    physad__dir dir;
    PHYSAD__TRY(list(b, &dir, l->part));
    physad_status status = masks_of_type(b, l->type, l->label, &masks);
    const char *here = physad__store_format(b->scan->ds->store, "%s/%s", b->folder, l->part);
    if (status == PHYSAD_OK && here == NULL)
        status = PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK && l->label != 0)
        status = physad__mask_folder_open(&beside, mem, here);
    l->masks = &masks;
    l->beside = &beside;
    for (int64_t i = 0; status == PHYSAD_OK && i < dir.count; i++)
        if (frames || !dir.entries[i].is_dir)
            status = push_entry(b, l, &dir, &dir.entries[i]);
    physad__mask_folder_free(&masks);
    physad__mask_folder_free(&beside);
    physad__dir_free(&dir);
    return status;
}

static int32_t label_of(const char *type)
{
    return physad__is_normal_type(type) ? 0 : 1;
}

static physad_status read_type(const branch *b, const char *folder, const char *type, int32_t split)
{
    leaf l = { .type = physad__store_text(b->scan->ds->store, type), .split = split, .label = label_of(type) };
    l.part = physad__store_format(b->scan->ds->store, "%s%s%s", folder, *folder != '\0' ? "/" : "", type);
    if (l.type == NULL || l.part == NULL)
        return PHYSAD_ERR_NOMEM;
    return read_leaf(b, &l, true);
}

/* `train`, `test` or `validation`: a folder per type; photos that lie in it directly are normal in training, else
 * unknown. */
static physad_status read_split(const branch *b, const char *folder, int32_t split)
{
    physad__dir dir;
    PHYSAD__TRY(list(b, &dir, folder));
    physad_status status = PHYSAD_OK;
    if (has_media(&dir)) {
        const bool known = split != PHYSAD_SPLIT_TEST;
        leaf l = { .part = folder, .type = known ? "good" : "unknown", .split = split, .label = known ? 0 : -1 };
        status = read_leaf(b, &l, false);
    }
    for (int64_t i = 0; status == PHYSAD_OK && i < dir.count; i++)
        if (dir.entries[i].is_dir)
            status = read_type(b, folder, dir.entries[i].name, split);
    physad__dir_free(&dir);
    return status;
}

/* --- one category or many --- */

typedef physad_status (*test_fn)(physad__mem *mem, const char *folder, const physad__dir *dir, bool *is);
typedef physad_status (*read_fn)(branch *b, const physad__dir *dir);

static physad_status test_child(physad__scan *scan, const char *name, test_fn test, bool *is)
{
    physad__mem *mem = &scan->ds->ctx->mem;
    physad__dir dir;
    char *path = physad__path_join(mem, scan->root, name);
    if (path == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_status status = physad__dir_list(&dir, mem, path);
    if (status == PHYSAD_OK) {
        status = test(mem, path, &dir, is);
        physad__dir_free(&dir);
    }
    physad__free(path);
    return status;
}

static physad_status probe_tree(physad__scan *scan, test_fn self, test_fn child, bool *found)
{
    PHYSAD__TRY(self(&scan->ds->ctx->mem, scan->root, &scan->top, found));
    for (int64_t i = 0; !*found && i < scan->top.count; i++)
        if (scan->top.entries[i].is_dir)
            PHYSAD__TRY(test_child(scan, scan->top.entries[i].name, child, found));
    return PHYSAD_OK;
}

static physad_status read_category(physad__scan *scan, const char *category, const char *folder, const char *prefix,
                                   const physad__dir *dir, read_fn read)
{
    physad_dataset *ds = scan->ds;
    const int64_t first = ds->count;
    branch b = {
        .scan = scan, .category = physad__store_text(ds->store, category), .folder = folder, .prefix = prefix
    };
    if (b.category == NULL)
        return PHYSAD_ERR_NOMEM;
    PHYSAD__TRY(read(&b, dir));
    bool trains = ds->count == first;
    for (int64_t i = first; i < ds->count && !trains; i++)
        trains = ds->records[i]->sample.split == PHYSAD_SPLIT_TRAIN;
    if (!trains || ds->count == first)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: there is no photo or video to train with in %s", folder,
                             scan->ds->count == first ? "it" : "its training folder");
    return physad__scan_finish(scan, first, folder, prefix);
}

static physad_status read_child(physad__scan *scan, const char *name, test_fn test, read_fn read)
{
    physad__mem *mem = &scan->ds->ctx->mem;
    physad__dir dir;
    bool is = false;
    const char *folder = physad__store_format(scan->ds->store, "%s/%s", scan->root, name);
    const char *prefix = physad__store_format(scan->ds->store, "%s/", name);
    if (folder == NULL || prefix == NULL)
        return PHYSAD_ERR_NOMEM;
    PHYSAD__TRY(physad__dir_list(&dir, mem, folder));
    physad_status status = test(mem, folder, &dir, &is);
    if (status == PHYSAD_OK && is && physad__scan_wants(scan, name))
        status = read_category(scan, name, folder, prefix, &dir, read);
    physad__dir_free(&dir);
    return status;
}

static physad_status read_tree(physad__scan *scan, test_fn self, test_fn child, read_fn read)
{
    bool is = false;
    PHYSAD__TRY(self(&scan->ds->ctx->mem, scan->root, &scan->top, &is));
    if (is)
        return physad__scan_wants(scan, scan->ds->name)
                   ? read_category(scan, scan->ds->name, scan->root, "", &scan->top, read)
                   : PHYSAD_OK;
    for (int64_t i = 0; i < scan->top.count; i++)
        if (scan->top.entries[i].is_dir)
            PHYSAD__TRY(read_child(scan, scan->top.entries[i].name, child, read));
    return PHYSAD_OK;
}

/* --- MVTec and its relatives --- */

static const char *train_folder(const physad__dir *dir)
{
    const char *train = find_folder(dir, "train");
    return train != NULL || find_folder(dir, "test") == NULL ? train
                                                             : find_folder(dir, "images"); /* MIP's real scenes */
}

static physad_status is_mvtec(physad__mem *mem, const char *folder, const physad__dir *dir, bool *is)
{
    *is = train_folder(dir) != NULL;
    return PHYSAD_OK;
}

static const char *find_any(const physad__dir *dir, const char *const *names)
{
    const char *found = NULL;
    for (; found == NULL && *names != NULL; names++)
        found = find_folder(dir, *names);
    return found;
}

static const char *const truth_names[] = { "ground_truth", "masks", "mask", NULL };
static const char *const validation_names[] = { "validation", "val", "valid", NULL };

/* Entire recordings with labels of their frames. */
static physad_status read_whole(const branch *b, const char *folder)
{
    physad_dataset *ds = b->scan->ds;
    const int64_t first = ds->count;
    leaf l = { .part = folder, .type = "whole", .split = PHYSAD_SPLIT_WHOLE, .label = -1 };
    PHYSAD__TRY(read_leaf(b, &l, true));
    return physad__find_frame_labels(ds, first, b->folder, folder, b->category);
}

static physad_status read_mvtec(branch *b, const physad__dir *dir)
{
    const char *entire = find_folder(dir, "whole");
    const char *train = train_folder(dir), *test = find_folder(dir, "test"),
               *validation = find_any(dir, validation_names);
    b->truth = find_any(dir, truth_names);
    PHYSAD__TRY(physad__find_poses(b->scan->ds->store, b->folder, dir, &b->poses, &b->poses_by_name));
    PHYSAD__TRY(read_split(b, train, PHYSAD_SPLIT_TRAIN));
    if (validation != NULL)
        PHYSAD__TRY(read_split(b, validation, PHYSAD_SPLIT_VALIDATION));
    if (entire != NULL)
        PHYSAD__TRY(read_whole(b, entire));
    return test != NULL ? read_split(b, test, PHYSAD_SPLIT_TEST) : PHYSAD_OK;
}

static physad_status probe_mvtec(physad__scan *scan, bool *found)
{
    return probe_tree(scan, is_mvtec, is_mvtec, found);
}

static physad_status scan_mvtec(physad__scan *scan)
{
    return read_tree(scan, is_mvtec, is_mvtec, read_mvtec);
}

const physad__layout physad__layout_mvtec = { "mvtec", "train/good in it or in its folders", probe_mvtec, scan_mvtec };

/* --- MVTec 3D-AD --- */

static physad_status is_mvtec3d(physad__mem *mem, const char *folder, const physad__dir *dir, bool *is)
{
    *is = false;
    if (find_folder(dir, "train") == NULL)
        return PHYSAD_OK;
    char *path = physad__format(mem, "%s/train/good/rgb", folder);
    if (path == NULL)
        return PHYSAD_ERR_NOMEM;
    *is = physad__path_is_dir(path);
    physad__free(path);
    return PHYSAD_OK;
}

static physad_status read_3d_type(branch *b, const char *split_name, const char *type, int32_t split)
{
    physad__store *store = b->scan->ds->store;
    const char *part = physad__store_format(store, "%s/%s/rgb", split_name, type);
    leaf l = { .part = part, .type = physad__store_text(store, type), .split = split, .label = label_of(type) };
    const char *truth = physad__store_format(store, "%s/%s/gt", split_name, type);
    const char *full = physad__store_format(store, "%s/%s", b->folder, part != NULL ? part : "");
    const char *masks = physad__store_format(store, "%s/%s", b->folder, truth != NULL ? truth : "");
    if (part == NULL || l.type == NULL || truth == NULL || full == NULL || masks == NULL)
        return PHYSAD_ERR_NOMEM;
    b->truth = physad__path_is_dir(masks) ? truth : NULL;
    return physad__path_is_dir(full) ? read_leaf(b, &l, false) : PHYSAD_OK;
}

static physad_status read_mvtec3d(branch *b, const physad__dir *dir)
{
    static const struct {
        const char *name;
        int32_t split;
    } splits[] = { { "train", PHYSAD_SPLIT_TRAIN },
                   { "validation", PHYSAD_SPLIT_VALIDATION },
                   { "test", PHYSAD_SPLIT_TEST } };
    for (int64_t i = 0; i < PHYSAD__COUNT(splits); i++) {
        physad__dir types;
        if (find_folder(dir, splits[i].name) == NULL)
            continue;
        PHYSAD__TRY(list(b, &types, splits[i].name));
        physad_status status = PHYSAD_OK;
        for (int64_t k = 0; status == PHYSAD_OK && k < types.count; k++)
            if (types.entries[k].is_dir)
                status = read_3d_type(b, splits[i].name, types.entries[k].name, splits[i].split);
        physad__dir_free(&types);
        PHYSAD__TRY(status);
    }
    return PHYSAD_OK;
}

static physad_status probe_mvtec3d(physad__scan *scan, bool *found)
{
    return probe_tree(scan, is_mvtec3d, is_mvtec3d, found);
}

static physad_status scan_mvtec3d(physad__scan *scan)
{
    return read_tree(scan, is_mvtec3d, is_mvtec3d, read_mvtec3d);
}

const physad__layout physad__layout_mvtec3d = { "mvtec3d", "train/good/rgb", probe_mvtec3d, scan_mvtec3d };

/* --- videos as folders of frames --- */

static physad_status is_frames(physad__mem *mem, const char *folder, const physad__dir *dir, bool *is)
{
    *is = false;
    if (find_folder(dir, "training") == NULL)
        return PHYSAD_OK;
    char *path = physad__format(mem, "%s/training/frames", folder);
    if (path == NULL)
        return PHYSAD_ERR_NOMEM;
    *is = physad__path_is_dir(path);
    physad__free(path);
    return PHYSAD_OK;
}

/* Normal videos to train on; test videos of which the labels of frames alone are known. */
static physad_status read_both(branch *b, const char *train_part, const char *test_part, int64_t *first)
{
    leaf train = { .part = train_part, .type = "good", .split = PHYSAD_SPLIT_TRAIN, .label = 0 };
    leaf test = { .part = test_part, .type = "unknown", .split = PHYSAD_SPLIT_TEST, .label = -1 };
    PHYSAD__TRY(read_leaf(b, &train, true));
    char *path = physad__path_join(&b->scan->ds->ctx->mem, b->folder, test.part);
    if (path == NULL)
        return PHYSAD_ERR_NOMEM;
    const bool has = physad__path_is_dir(path);
    physad__free(path);
    *first = b->scan->ds->count;
    return has ? read_leaf(b, &test, true) : PHYSAD_OK;
}

static physad_status read_frames(branch *b, const physad__dir *dir)
{
    int64_t first;
    PHYSAD__TRY(read_both(b, "training/frames", "testing/frames", &first));
    return physad__find_frame_labels(b->scan->ds, first, b->folder, "testing", b->category);
}

static physad_status probe_frames(physad__scan *scan, bool *found)
{
    return probe_tree(scan, is_frames, is_frames, found);
}

static physad_status scan_frames(physad__scan *scan)
{
    return read_tree(scan, is_frames, is_frames, read_frames);
}

/* --- UCSD's sets as they are published: Train/Train001/001.tif, Test/Test001/001.tif, Test/Test001_gt/001.bmp --- */

static physad_status is_ucsd(physad__mem *mem, const char *folder, const physad__dir *dir, bool *is)
{
    physad__dir train;
    const char *name = find_folder(dir, "Train");
    *is = false;
    if (name == NULL || find_folder(dir, "Test") == NULL)
        return PHYSAD_OK;
    char *path = physad__path_join(mem, folder, name);
    if (path == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_status status = physad__dir_list(&train, mem, path);
    physad__free(path);
    PHYSAD__TRY(status);
    for (int64_t i = 0; i < train.count; i++)
        *is = *is || (train.entries[i].is_dir && strncmp(train.entries[i].name, "Train", 5) == 0);
    physad__dir_free(&train);
    return PHYSAD_OK;
}

static physad_status read_ucsd(branch *b, const physad__dir *dir)
{
    int64_t first;
    PHYSAD__TRY(read_both(b, find_folder(dir, "Train"), find_folder(dir, "Test"), &first));
    return physad__find_frame_masks(b->scan->ds, first);
}

static physad_status probe_ucsd(physad__scan *scan, bool *found)
{
    return probe_tree(scan, is_ucsd, is_ucsd, found);
}

static physad_status scan_ucsd(physad__scan *scan)
{
    return read_tree(scan, is_ucsd, is_ucsd, read_ucsd);
}

const physad__layout physad__layout_ucsd = { "ucsd", "Train/Train<n> beside Test", probe_ucsd, scan_ucsd };
const physad__layout physad__layout_frames = { "frames", "training/frames/<video>", probe_frames, scan_frames };

/* --- folders --- */

/* `<normal type>/...`, with photos in it. */
static physad_status is_sorted(physad__mem *mem, const char *folder, const physad__dir *dir, bool *is)
{
    *is = false;
    for (int64_t i = 0; i < dir->count && !*is; i++)
        if (dir->entries[i].is_dir && physad__is_normal_type(dir->entries[i].name))
            PHYSAD__TRY(folder_has_media(mem, folder, dir->entries[i].name, is));
    return PHYSAD_OK;
}

static physad_status is_folder(physad__mem *mem, const char *folder, const physad__dir *dir, bool *is)
{
    *is = has_media(dir);
    return *is ? PHYSAD_OK : is_sorted(mem, folder, dir, is);
}

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (physad__equal_nocase(name, *names))
            return true;
    return false;
}

static physad_status read_folder(branch *b, const physad__dir *dir)
{
    const char *test = find_folder(dir, "test");
    b->truth = find_any(dir, truth_names);
    PHYSAD__TRY(physad__find_poses(b->scan->ds->store, b->folder, dir, &b->poses, &b->poses_by_name));
    if (has_media(dir)) {
        leaf l = { .part = "", .type = "good", .split = PHYSAD_SPLIT_TRAIN, .label = 0 };
        PHYSAD__TRY(read_leaf(b, &l, false));
        return test != NULL ? read_split(b, test, PHYSAD_SPLIT_TEST) : PHYSAD_OK;
    }
    for (int64_t i = 0; i < dir->count; i++) {
        const physad__dir_entry *e = &dir->entries[i];
        if (e->is_dir && !is_one_of(e->name, truth_names))
            PHYSAD__TRY(read_type(b, "", e->name, label_of(e->name) == 0 ? PHYSAD_SPLIT_TRAIN : PHYSAD_SPLIT_TEST));
    }
    return PHYSAD_OK;
}

static physad_status probe_folder(physad__scan *scan, bool *found)
{
    return probe_tree(scan, is_folder, is_sorted, found);
}

static physad_status scan_folder(physad__scan *scan)
{
    return read_tree(scan, is_folder, is_sorted, read_folder);
}

const physad__layout physad__layout_folder = { "folder", "photos or videos, or good/ beside folders of defects",
                                               probe_folder, scan_folder };
