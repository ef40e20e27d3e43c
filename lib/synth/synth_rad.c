/* SPDX-License-Identifier: Apache-2.0 */
/* The set in RAD's manner: which cameras, which defects where, which photos. */
#include "synth/synth.h"

#include <stdio.h>

static const int32_t RAD_VIEWS = 68;
static const double HALF_FIELD = 20;                     /* degrees, of the photo's shorter side */
static const double LOWEST = 12, HIGHEST = 78;           /* degrees above the table */
static const double LAMP_AZIMUTH = 40, LAMP_HEIGHT = 52; /* degrees */

/* Independent uses of the seed; the lower bits of a stream number rows, views and instances. */
enum { USE_TRAIN = 1, USE_TEST, USE_DEFECT, USE_VIEWS, USE_CAMERA, USE_GRAIN };

typedef struct rad {
    physad_context *ctx;
    physad__call *call;
    const physad__rad_knobs *knobs;
    int64_t object;
    physad__solid solid;
    char *folder; /* the category's */
    physad__camera *pool; /* of test cameras */
    int32_t pool_count;
    physad__camera lens;
    double distance;
    physad__v3 *color;
    uint8_t *rgb, *mask;
    json_t *train, *test, *instances;
    int64_t done, next_instance;
} rad;

static uint64_t stream_of(const rad *r, uint64_t use, int64_t i, int64_t j)
{
    return (uint64_t)r->object << 58 | use << 54 | (uint64_t)i << 32 | (uint64_t)j << 13;
}

static physad_status no_json(void)
{
    return physad__error(PHYSAD_ERR_NOMEM, "physad_synth_rad: no memory for its JSON");
}

/* --- cameras ---------------------------------------------------------------------------------------- */

/* Place `i` of `n`, spread evenly over a belt of the ball by the golden angle. */
static void belt_place(int32_t i, int32_t n, double shift, double *azimuth, double *elevation)
{
    const double degree = (double)PHYSAD__PI / 180, low = sin(LOWEST * degree), high = sin(HIGHEST * degree);
    *elevation = asin(low + (high - low) * (i + 0.5) / n) / degree;
    *azimuth = fmod((i + shift) * 137.50776405003785, 360);
}

static void place_test_cameras(rad *r)
{
    const double stray = r->knobs->o.pose_jitter;
    for (int32_t i = 0; i < r->pool_count; i++) {
        physad__rng rng;
        physad__rng_seed(&rng, r->knobs->seed, stream_of(r, USE_CAMERA, i, 0));
        double azimuth, elevation;
        belt_place(i, r->pool_count, 0.37, &azimuth, &elevation);
        azimuth += stray * physad__rng_normal(&rng);
        elevation += stray * physad__rng_normal(&rng);
        elevation = elevation < 4 ? 4 : elevation > 88 ? 88 : elevation;
        const double roll = 0.4 * stray * physad__rng_normal(&rng),
                     near = 1 + 0.006 * stray * physad__rng_uniform(&rng);
        r->pool[i] = r->lens;
        physad__camera_look(&r->pool[i], r->solid.centre, azimuth, elevation, r->distance * near, roll);
    }
}

/* The pose that is written for a training view: turned and shifted a little where the knob asks for it. */
static void noisy_pose(const rad *r, double out[4][4], const physad__camera *camera, physad__rng *rng)
{
    memcpy(out, camera->pose, sizeof(camera->pose));
    const double noise = r->knobs->o.pose_noise;
    if (noise <= 0)
        return;
    double w[3];
    for (int k = 0; k < 3; k++)
        w[k] = noise * (double)PHYSAD__PI / 180 * physad__rng_normal(rng);
    const double angle = sqrt(w[0] * w[0] + w[1] * w[1] + w[2] * w[2]), s = sin(angle), c = cos(angle);
    const double u[3] = { w[0] / angle, w[1] / angle, w[2] / angle };
    for (int column = 0; column < 3; column++) { /* Rodrigues */
        double v[3], dot = 0;
        for (int k = 0; k < 3; k++) {
            v[k] = camera->pose[k][column];
            dot += u[k] * v[k];
        }
        for (int k = 0; k < 3; k++)
            out[k][column] = v[k] * c + (u[(k + 1) % 3] * v[(k + 2) % 3] - u[(k + 2) % 3] * v[(k + 1) % 3]) * s +
                             u[k] * dot * (1 - c);
    }
    for (int k = 0; k < 3; k++)
        out[k][3] += 0.01 * noise * r->distance * physad__rng_normal(rng);
}

/* --- one photo -------------------------------------------------------------------------------------- */

static physad_status write_image(const rad *r, const uint8_t *pixels, int32_t channels, const char *name)
{
    const int64_t shape[3] = { r->lens.height, r->lens.width, channels };
    const physad_view view = physad_view_array((void *)(uintptr_t)pixels, PHYSAD_U8, 3, shape);
    char *path = physad__path_join(&r->ctx->mem, r->folder, name);
    if (path == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_image_write_options o = PHYSAD_IMAGE_WRITE_OPTIONS_INIT;
    o.png_compression = 4;
    const physad_status status = physad_image_write(r->ctx, path, &view, &o);
    physad__free(path);
    return status;
}

static physad__scene scene_of(const rad *r)
{
    physad__scene scene = { .solid = &r->solid,
                            .background = r->knobs->o.background,
                            .gloss = (float)r->knobs->o.gloss };
    scene.symmetric = (r->knobs->o.flags & PHYSAD_SYNTH_SYMMETRIC) != 0;
    physad__light_make(&scene.light, LAMP_AZIMUTH, LAMP_HEIGHT, 1);
    return scene;
}

/* Lamp and exposure of one photo; `change` is the knob for test photos. Draws the same numbers whatever the knobs are.
 */
static float set_light(const rad *r, physad__scene *scene, physad__rng *rng, double change)
{
    const double unrest = r->knobs->o.exposure;
    const double turn = physad__rng_normal(rng), lift = physad__rng_normal(rng), power = physad__rng_normal(rng);
    const double far_turn = 2 * physad__rng_uniform(rng) - 1, far_lift = 2 * physad__rng_uniform(rng) - 1;
    const double far_power = 2 * physad__rng_uniform(rng) - 1, stops = physad__rng_normal(rng);
    physad__light_make(&scene->light, LAMP_AZIMUTH + 50 * unrest * turn + 90 * change * far_turn,
                       LAMP_HEIGHT + 25 * unrest * lift + 18 * change * far_lift,
                       (1 + fmax(0.5 * unrest * power, -0.5)) * (1 + 0.5 * change * far_power));
    return (float)exp2(unrest * stops);
}

/* Draws, develops and writes a photo (and nothing when `mask` turns out too small: *drawn is false). */
static physad_status take_photo(rad *r, physad__scene *scene, const physad__camera *camera, uint64_t use, int64_t i,
                                int64_t j, const char *name, const char *mask_name, bool *drawn)
{
    physad__rng rng;
    physad__rng_seed(&rng, r->knobs->seed, stream_of(r, use, i, j));
    const float exposure = set_light(r, scene, &rng, use == USE_TRAIN ? 0 : r->knobs->o.light_change);
    PHYSAD__TRY(physad__cancelled(r->ctx));
    PHYSAD__TRY(physad__render(r->ctx, scene, camera, r->color, mask_name != NULL ? r->mask : NULL));
    *drawn = true;
    if (mask_name != NULL) {
        const int64_t pixels = (int64_t)camera->width * camera->height;
        int64_t marked = 0;
        for (int64_t k = 0; k < pixels; k++)
            marked += r->mask[k] != 0;
        *drawn = marked * 2500 >= pixels;
        if (!*drawn)
            return PHYSAD_OK;
        PHYSAD__TRY(write_image(r, r->mask, 1, mask_name));
    }
    physad__develop(r->rgb, r->color, camera->width, camera->height, exposure, (float)r->knobs->o.noise, r->knobs->seed,
                    stream_of(r, USE_GRAIN, (int64_t)use << 16 | i, j));
    return write_image(r, r->rgb, 3, name);
}

/* --- the parts of a category -------------------------------------------------------------------------- */

static physad_status draw_training(rad *r)
{
    physad__scene scene = scene_of(r);
    for (int32_t i = 0; i < r->knobs->o.train_views; i++) {
        char name[64];
        bool drawn;
        double azimuth, elevation, pose[4][4];
        physad__camera camera = r->lens;
        belt_place(i, r->knobs->o.train_views, 0, &azimuth, &elevation);
        physad__camera_look(&camera, r->solid.centre, azimuth, elevation, r->distance, 0);
        physad__snprintf(name, sizeof(name), "train/good/%03d.png", i);
        PHYSAD__TRY(take_photo(r, &scene, &camera, USE_TRAIN, i, 0, name, NULL, &drawn));
        physad__rng rng;
        physad__rng_seed(&rng, r->knobs->seed, stream_of(r, USE_CAMERA, i, 1));
        noisy_pose(r, pose, &camera, &rng);
        if (!physad__poses_add(r->train, name, pose))
            return no_json();
        PHYSAD__TRY(physad__call_tick(r->call, ++r->done));
    }
    return PHYSAD_OK;
}

static physad_status draw_good(rad *r)
{
    physad__scene scene = scene_of(r);
    const int32_t n = r->knobs->o.test_views;
    for (int32_t i = 0; i < n; i++) {
        const int32_t q = (int32_t)((int64_t)i * r->pool_count / n);
        char name[64];
        bool drawn;
        physad__snprintf(name, sizeof(name), "test/good/q%02d.png", q);
        PHYSAD__TRY(take_photo(r, &scene, &r->pool[q], USE_TEST, q, 0, name, NULL, &drawn));
        if (!physad__poses_add(r->test, name, r->pool[q].pose))
            return no_json();
        PHYSAD__TRY(physad__call_tick(r->call, ++r->done));
    }
    return PHYSAD_OK;
}

static physad__v3 random_direction(physad__rng *rng)
{
    const float z = (float)(2 * physad__rng_uniform(rng) - 1), a = 2 * PHYSAD__PI * (float)physad__rng_uniform(rng);
    const float s = sqrtf(1 - z * z);
    return (physad__v3){ s * cosf(a), s * sinf(a), z };
}

static int32_t find_viewers(const rad *r, const physad__scene *scene, const physad__defect *d, int64_t *views)
{
    int32_t count = 0;
    for (int32_t q = 0; q < r->pool_count; q++) {
        const physad__v3 eye = { (float)r->pool[q].pose[0][3], (float)r->pool[q].pose[1][3],
                                 (float)r->pool[q].pose[2][3] };
        if (physad__scene_sees(scene, eye, d->centre, d->normal))
            views[count++] = q;
    }
    return count;
}

/* A place on the surface, by a ray from outside, that enough of the test cameras see; the best of the tries otherwise.
 */
static int32_t place_defect(const rad *r, physad__defect *best, int32_t type, float grade, physad__rng *rng,
                            int64_t *views)
{
    const physad__scene sound = scene_of(r);
    const int32_t enough = (int32_t)physad__min(r->knobs->o.instance_views, r->pool_count / 4);
    int32_t most = 0;
    for (int tries = 0; tries < 400 && (most < enough || most == 0); tries++) {
        const physad__v3 way = random_direction(rng), aside = random_direction(rng);
        const float off = r->solid.radius * 0.9f * cbrtf((float)physad__rng_uniform(rng));
        const physad__v3 target = physad__v3_along(r->solid.centre, aside, off);
        if (way.z < -0.2f)
            continue;
        const physad__v3 from = physad__v3_along(target, way, 3 * r->solid.radius);
        const float t = physad__scene_march(&sound, from, physad__v3_scale(way, -1), 0, 6 * r->solid.radius);
        const physad__v3 at = physad__v3_along(from, way, -t);
        if (t < 0 || at.z < 0.03f * r->solid.radius)
            continue;
        physad__defect d;
        physad__defect_make(&d, &r->solid, type, at, (float)r->knobs->o.defect_size, (float)r->knobs->o.defect_strength,
                            grade, rng);
        const int32_t count = d.normal.z < -0.5f ? 0 : find_viewers(r, &sound, &d, views);
        if (count > most) {
            most = count;
            *best = d;
        }
    }
    return most > 0 ? find_viewers(r, &sound, best, views) : 0;
}

static physad_status note_instance(rad *r, const char *name, const physad__defect *d, float grade, json_t *seen)
{
    const physad__v3 c = d->centre, n = d->normal;
    json_t *note =
        json_pack("{ss ss s[fff] s[fff] s[fff] sf sf sO}", "instance", name, "type", physad__defect_names[d->type],
                  "centre", (double)c.x, (double)c.y, (double)c.z, "normal", (double)n.x, (double)n.y, (double)n.z,
                  "half_size", (double)d->size[0], (double)d->size[1], (double)d->size[2], "strength",
                  (double)d->strength, "grade", (double)grade, "views", seen);
    return json_array_append_new(r->instances, note) == 0 ? PHYSAD_OK : no_json();
}

static physad_status draw_views(rad *r, const physad__defect *d, const char *instance, int64_t number, int64_t *views,
                                int32_t count, json_t *seen)
{
    physad__scene scene = scene_of(r);
    scene.defect = d;
    int32_t drawn_count = 0;
    for (int32_t i = 0; i < count && drawn_count < r->knobs->o.instance_views; i++) {
        const int64_t q = views[i];
        const char *type = physad__defect_names[d->type];
        char name[96], mask_name[96], view[24];
        bool drawn;
        physad__snprintf(name, sizeof(name), "test/%s/%s_q%02d.png", type, instance, (int)q);
        physad__snprintf(mask_name, sizeof(mask_name), "ground_truth/%s/%s_q%02d_mask.png", type, instance, (int)q);
        physad__snprintf(view, sizeof(view), "q%02d", (int)q);
        PHYSAD__TRY(take_photo(r, &scene, &r->pool[q], USE_TEST, 1024 + number, q, name, mask_name, &drawn));
        if (!drawn)
            continue;
        drawn_count++;
        if (!physad__poses_add(r->test, name, r->pool[q].pose) || json_array_append_new(seen, json_string(view)) != 0)
            return no_json();
        PHYSAD__TRY(physad__call_tick(r->call, r->done + drawn_count));
    }
    return PHYSAD_OK;
}

/* The k-th damaged object of a type: from faint to plain over the instances. */
static physad_status draw_instance(rad *r, int32_t type, int32_t k, int64_t *views)
{
    const int64_t number = ++r->next_instance;
    char name[16];
    physad__snprintf(name, sizeof(name), "i%02d", (int)number);
    json_t *seen = NULL;
    physad_status status = PHYSAD_OK;
    for (int64_t tries = 0; tries < 6 && status == PHYSAD_OK && json_array_size(seen) == 0; tries++) {
        physad__rng rng;
        physad__rng_seed(&rng, r->knobs->seed, stream_of(r, USE_DEFECT, type * 64 + k, tries));
        const float grade =
            physad__clampf(((float)k + (float)physad__rng_uniform(&rng)) / (float)r->knobs->o.instances, 0, 1);
        physad__defect d;
        const int32_t count = place_defect(r, &d, type, grade, &rng, views);
        if (count == 0)
            continue;
        physad__rng_seed(&rng, r->knobs->seed, stream_of(r, USE_VIEWS, type * 64 + k, tries));
        physad__rng_shuffle(&rng, views, count);
        json_decref(seen);
        seen = json_array();
        status = seen == NULL ? no_json() : draw_views(r, &d, name, number, views, count, seen);
        if (status == PHYSAD_OK && json_array_size(seen) > 0)
            status = note_instance(r, name, &d, grade, seen);
    }
    json_decref(seen);
    r->done += r->knobs->o.instance_views;
    return status == PHYSAD_OK ? physad__call_tick(r->call, r->done) : status;
}

static physad_status draw_defects(rad *r)
{
    int64_t *views = physad__alloc_array(&r->ctx->mem, r->pool_count, sizeof(*views), "views of a defect");
    physad_status status = views != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    for (int32_t type = 0; type < PHYSAD__DEFECTS && status == PHYSAD_OK; type++)
        for (int32_t k = 0; k < r->knobs->o.instances && r->knobs->defect[type] && status == PHYSAD_OK; k++)
            status = draw_instance(r, type, k, views);
    physad__free(views);
    return status;
}

/* --- a category ----------------------------------------------------------------------------------------- */

static physad_status make_folders(const rad *r)
{
    char names[2 + 2 * PHYSAD__DEFECTS][64] = { "train/good", "test/good" };
    int count = r->knobs->o.test_views > 0 ? 2 : 1;
    for (int k = 0; k < PHYSAD__DEFECTS; k++) {
        if (!r->knobs->defect[k])
            continue;
        physad__snprintf(names[count++], 64, "test/%s", physad__defect_names[k]);
        physad__snprintf(names[count++], 64, "ground_truth/%s", physad__defect_names[k]);
    }
    for (int i = 0; i < count; i++) {
        char *path = physad__path_join(&r->ctx->mem, r->folder, names[i]);
        const physad_status status = path != NULL ? physad__dir_make(&r->ctx->mem, path) : PHYSAD_ERR_NOMEM;
        physad__free(path);
        PHYSAD__TRY(status);
    }
    return PHYSAD_OK;
}

static physad_status write_poses(const rad *r, const char *name, const json_t *poses)
{
    char *path = physad__path_join(&r->ctx->mem, r->folder, name);
    const physad_status status = path != NULL ? physad__json_write(&r->ctx->mem, path, poses) : PHYSAD_ERR_NOMEM;
    physad__free(path);
    return status;
}

static physad_status draw_category(rad *r)
{
    physad__solid_make(&r->solid, physad__object_at(r->object));
    const double shorter = (double)physad__min(r->lens.width, r->lens.height),
                 half = HALF_FIELD * (double)PHYSAD__PI / 180;
    r->lens.focal = shorter / 2 / tan(half);
    r->lens.cx = r->lens.width / 2.0;
    r->lens.cy = r->lens.height / 2.0;
    r->distance = 1.05 * (double)r->solid.radius / sin(half);
    r->next_instance = 0;
    r->train = physad__poses_new(&r->lens);
    r->test = physad__poses_new(&r->lens);
    if (r->train == NULL || r->test == NULL)
        return no_json();
    place_test_cameras(r);
    PHYSAD__TRY(make_folders(r));
    PHYSAD__TRY(draw_training(r));
    PHYSAD__TRY(draw_good(r));
    PHYSAD__TRY(draw_defects(r));
    PHYSAD__TRY(write_poses(r, "transforms.json", r->train));
    return write_poses(r, "transforms_test.json", r->test);
}

static physad_status reserve(rad *r)
{
    const int64_t pixels = (int64_t)r->lens.width * r->lens.height;
    physad__mem *mem = &r->ctx->mem;
    r->pool = physad__alloc_array(mem, r->pool_count, sizeof(*r->pool), "test cameras");
    r->color = physad__alloc_array(mem, pixels, sizeof(*r->color), "a drawing");
    r->rgb = physad__alloc_array(mem, pixels, 3, "a photo");
    r->mask = physad__alloc_array(mem, pixels, 1, "a mask");
    return r->pool != NULL && r->color != NULL && r->rgb != NULL && r->mask != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

static physad_status write_summary(const rad *r, const char *out_dir, const json_t *categories, bool complete)
{
    const uint64_t seed = r->knobs->seed;
    char digits[24];
    physad__snprintf(digits, sizeof(digits), "%llu", (unsigned long long)seed);
    json_t *summary =
        json_pack("{ss ss so so sb sO}", "made_by", "physad synth rad", "version", physad_version(), "seed",
                  seed <= INT64_MAX ? json_integer((json_int_t)seed) : json_string(digits), "options",
                  physad__knobs_json(r->knobs), "complete", complete, "categories", categories);
    char *path = summary != NULL ? physad__path_join(&r->ctx->mem, out_dir, "synth.json") : NULL;
    physad_status status = summary == NULL ? no_json() : PHYSAD_ERR_NOMEM;
    if (path != NULL)
        status = physad__json_write(&r->ctx->mem, path, summary);
    physad__free(path);
    json_decref(summary);
    return status;
}

/* What the surface is like where most of it is, and whether sides can be told apart, for figures by attribute. */
static json_t *attributes_of(const rad *r, const physad__object *object)
{
    const physad__material *m = &object->materials[0];
    const bool glossy = r->knobs->o.gloss > 0 && m->rough < 0.35f;
    return json_pack("{ss ss}", "material", glossy ? "glossy" : "matte", "symmetry",
                     (r->knobs->o.flags & PHYSAD_SYNTH_SYMMETRIC) != 0 ? "symmetric" : "asymmetric");
}

static physad_status write_attributes(const rad *r, const char *out_dir)
{
    json_t *categories = json_object(), *root = json_pack("{so}", "categories", categories);
    bool made = root != NULL;
    for (int64_t i = 0; i < physad__object_count() && made; i++)
        if (r->knobs->category[i])
            made = json_object_set_new(categories, physad__object_at(i)->name,
                                       attributes_of(r, physad__object_at(i))) == 0;
    char *path = made ? physad__path_join(&r->ctx->mem, out_dir, "attributes.json") : NULL;
    physad_status status = !made ? no_json() : PHYSAD_ERR_NOMEM;
    if (path != NULL)
        status = physad__json_write(&r->ctx->mem, path, root);
    physad__free(path);
    json_decref(root);
    return status;
}

static physad_status draw_all(rad *r, const char *out_dir, json_t *categories)
{
    const physad__rad_knobs *k = r->knobs;
    int64_t chosen = 0, types = 0;
    for (int64_t i = 0; i < physad__object_count(); i++)
        chosen += k->category[i];
    for (int i = 0; i < PHYSAD__DEFECTS; i++)
        types += k->defect[i];
    const int64_t each = k->o.train_views + k->o.test_views + types * k->o.instances * k->o.instance_views;
    PHYSAD__TRY(reserve(r));
    PHYSAD__TRY(write_summary(r, out_dir, categories, false));
    for (r->object = 0; r->object < physad__object_count(); r->object++) {
        if (!k->category[r->object])
            continue;
        const char *name = physad__object_at(r->object)->name;
        physad__call_stage(r->call, name, chosen * each);
        r->instances = json_array();
        r->folder = physad__path_join(&r->ctx->mem, out_dir, name);
        physad_status status = r->instances == NULL ? no_json()
                               : r->folder == NULL  ? PHYSAD_ERR_NOMEM
                                                    : draw_category(r);
        if (status == PHYSAD_OK &&
            json_array_append_new(categories, json_pack("{ss sO}", "category", name, "instances", r->instances)) != 0)
            status = no_json();
        json_decref(r->train);
        json_decref(r->test);
        json_decref(r->instances);
        r->train = r->test = r->instances = NULL;
        physad__free(r->folder);
        r->folder = NULL;
        PHYSAD__TRY(status);
    }
    PHYSAD__TRY(write_attributes(r, out_dir));
    return write_summary(r, out_dir, categories, true);
}

const char *physad_synth_rad_category(int64_t index)
{
    const physad__object *object = physad__object_at(index);
    return object != NULL ? object->name : NULL;
}

physad_status physad_synth_rad(physad_context *ctx, const char *out_dir, const physad_synth_rad_options *options,
                               const physad_call_options *call_options)
{
    physad__call call;
    physad__rad_knobs knobs;
    PHYSAD__TRY(physad__context_check(ctx, "physad_synth_rad"));
    if (out_dir == NULL || *out_dir == '\0')
        return physad__error(PHYSAD_ERR_ARG, "physad_synth_rad: out_dir is %s, want a folder's path",
                             out_dir == NULL ? "NULL" : "empty");
    PHYSAD__TRY(physad__rad_knobs_read(&knobs, ctx, options));
    PHYSAD__TRY(physad__call_begin(&call, ctx, call_options, "physad_synth_rad"));
    bool made = false;
    physad_status status = physad__synth_prepare(ctx, out_dir, (knobs.o.flags & PHYSAD_SYNTH_REPLACE) != 0, &made);
    if (status == PHYSAD_OK) {
        rad r = { .ctx = ctx, .call = &call, .knobs = &knobs };
        r.lens = (physad__camera){ .width = knobs.o.width, .height = knobs.o.height };
        r.pool_count = (int32_t)physad__max(RAD_VIEWS, knobs.o.test_views);
        json_t *categories = json_array();
        status = categories != NULL ? draw_all(&r, out_dir, categories) : no_json();
        json_decref(categories);
        physad__free(r.pool);
        physad__free(r.color);
        physad__free(r.rgb);
        physad__free(r.mask);
        if (status != PHYSAD_OK) {
            physad__fault fault = { 0 };
            physad__fault_take(&fault, status);
            physad__synth_clear(ctx, out_dir);
            if (made)
                (void)remove(out_dir);
            status = physad__fault_publish(&fault);
        }
    }
    physad__call_end(&call);
    return status;
}
