/* SPDX-License-Identifier: Apache-2.0 */
/* Small pictures that are made while scoring, so that neither photos nor maps need be kept. */
#include "report/report_run.h"

#include <math.h>

enum { SIDE = 192, PATCH_SIDE = 96, QUALITY = 80 };

void physad__thumbs_free(physad__thumbs *thumbs)
{
    if (thumbs == NULL)
        return;
    for (int i = 0; i < PHYSAD__THUMBS; i++)
        physad__free(thumbs->image[i].bytes);
    physad__free(thumbs->nearest_path);
    physad__free(thumbs);
}

/* --- which samples: of each type the highest and the lowest scores --- */

static bool is_alike(const physad__report_sample *a, const physad__report_sample *b)
{
    return a->label == b->label && strcmp(a->type, b->type) == 0;
}

/* The sample that has to go when the last one comes, -1 when there is room. With `room` kept and one more, it is the
 * one in the middle: what is among the extremes of all is among the extremes of any part, so none is lost. */
static int64_t find_displaced(const physad__report *r, int32_t room)
{
    const int64_t last = r->sample_count - 1, lowest = room / 2;
    int64_t kept = 0;
    for (int64_t i = 0; i < last; i++)
        kept += r->samples[i].thumbs != NULL && is_alike(&r->samples[i], &r->samples[last]);
    if (kept < room)
        return -1;
    for (int64_t i = 0; i <= last; i++) {
        const physad__report_sample *s = &r->samples[i];
        int64_t below = 0;
        if (!is_alike(s, &r->samples[last]) || (s->thumbs == NULL && i != last))
            continue;
        for (int64_t k = 0; k <= last; k++) {
            const physad__report_sample *o = &r->samples[k];
            if ((o->thumbs != NULL || k == last) && is_alike(o, s))
                below += o->score < s->score || (o->score == s->score && k < i);
        }
        if (below == lowest)
            return i;
    }
    return last;
}

bool physad__gallery_wants(const physad__report *report, int32_t room)
{
    return room > 0 && find_displaced(report, room) != report->sample_count - 1;
}

/* --- pictures --- */

/* A part of a picture. */
typedef struct window {
    int64_t y, x, height, width;
} window;

/* Where output pixel `i` of `n` begins in `size` pixels; ends where the next begins, one pixel at least. */
static int64_t edge(int64_t i, int64_t n, int64_t size)
{
    return i * size / n;
}

static int64_t end_of(int64_t i, int64_t n, int64_t size)
{
    return physad__max(edge(i + 1, n, size), edge(i, n, size) + 1);
}

static void mean_pixel(uint8_t out[3], const physad_view *photo, const window *box)
{
    int64_t sum[3] = { 0, 0, 0 };
    for (int64_t y = box->y; y < box->y + box->height; y++)
        for (int64_t x = box->x; x < box->x + box->width; x++) {
            uint8_t rgb[3];
            physad__overlay_pixel(photo, y, x, rgb);
            for (int c = 0; c < 3; c++)
                sum[c] += rgb[c];
        }
    const int64_t n = box->height * box->width;
    for (int c = 0; c < 3; c++)
        out[c] = (uint8_t)((sum[c] + n / 2) / n);
}

/* The window at another size: means of what falls together. */
static void resize(uint8_t *out, int64_t height, int64_t width, const physad_view *photo, const window *w)
{
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            const int64_t y0 = edge(y, height, w->height), x0 = edge(x, width, w->width);
            const window box = { w->y + y0, w->x + x0, end_of(y, height, w->height) - y0,
                                 end_of(x, width, w->width) - x0 };
            mean_pixel(out + (y * width + x) * 3, photo, &box);
        }
}

/* The greatest number of each box that is one: no small defect gets lost. */
static void resize_map(float *out, int64_t height, int64_t width, const physad_view *map)
{
    const float *in = map->data;
    const int64_t columns = map->shape[1];
    for (int64_t i = 0; i < height * width; i++) {
        const int64_t y0 = edge(i / width, height, map->shape[0]), y1 = end_of(i / width, height, map->shape[0]);
        const int64_t x0 = edge(i % width, width, columns), x1 = end_of(i % width, width, columns);
        out[i] = NAN;
        for (int64_t k = 0; k < (y1 - y0) * (x1 - x0); k++) {
            const float v = in[(y0 + k / (x1 - x0)) * columns + x0 + k % (x1 - x0)];
            if (isnan(out[i]) || v > out[i])
                out[i] = v;
        }
    }
}

static void resize_mask(uint8_t *out, int64_t height, int64_t width, const physad_view *mask)
{
    const uint8_t *in = mask->data;
    const int64_t columns = mask->shape[1];
    for (int64_t i = 0; i < height * width; i++) {
        const int64_t y0 = edge(i / width, height, mask->shape[0]), y1 = end_of(i / width, height, mask->shape[0]);
        const int64_t x0 = edge(i % width, width, columns), x1 = end_of(i % width, width, columns);
        out[i] = 0;
        for (int64_t k = 0; k < (y1 - y0) * (x1 - x0); k++)
            out[i] |= in[(y0 + k / (x1 - x0)) * columns + x0 + k % (x1 - x0)] != 0;
    }
}

/* H x `width` x 3 bytes whose rows are `pitch` pixels apart. */
static physad_status encode(physad__thumb *thumb, physad_context *ctx, uint8_t *pixels, int64_t height, int64_t width,
                            int64_t pitch)
{
    physad_image_write_options o = PHYSAD_IMAGE_WRITE_OPTIONS_INIT;
    const int64_t shape[3] = { height, width, 3 };
    physad_view view = physad_view_array(pixels, PHYSAD_U8, 3, shape);
    view.stride[0] = pitch * 3;
    o.jpeg_quality = QUALITY;
    thumb->height = height;
    thumb->width = width;
    return physad__image_encode(&thumb->bytes, &thumb->size, ctx, PHYSAD_IMAGE_JPEG, "picture of a report", &view, &o);
}

/* Working memory for pictures of one size. */
typedef struct canvas {
    int64_t height, width;
    uint8_t *photo, *mask, *pair; /* pair: as physad_overlay_draw() gives it */
    float *map;
} canvas;

static void canvas_free(canvas *c)
{
    physad__free(c->photo);
    physad__free(c->mask);
    physad__free(c->pair);
    physad__free(c->map);
}

static physad_status canvas_make(canvas *c, physad__mem *mem, const physad_view *photo, int32_t side)
{
    const int64_t longer = physad__max(photo->shape[0], photo->shape[1]);
    *c = (canvas){ .height = photo->shape[0], .width = photo->shape[1] };
    if (longer > side) {
        c->height = physad__max((photo->shape[0] * side + longer / 2) / longer, 1);
        c->width = physad__max((photo->shape[1] * side + longer / 2) / longer, 1);
    }
    const int64_t n = c->height * c->width;
    c->photo = physad__alloc_array(mem, n, 3, "picture of a report");
    c->mask = physad__alloc_array(mem, n, 1, "picture of a report");
    c->pair = physad__alloc_array(mem, c->height * (2 * c->width + PHYSAD_OVERLAY_GAP), 3, "picture of a report");
    c->map = physad__alloc_array(mem, n, sizeof(*c->map), "picture of a report");
    return c->photo != NULL && c->mask != NULL && c->pair != NULL && c->map != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

static physad_status draw(physad__thumbs *t, canvas *c, physad_context *ctx, const physad_view *photo,
                          const physad_view *map, const physad_view *mask, double threshold)
{
    const int64_t shape[3] = { c->height, c->width, 3 };
    const int64_t pair_shape[3] = { c->height, 2 * c->width + PHYSAD_OVERLAY_GAP, 3 };
    const window all = { 0, 0, photo->shape[0], photo->shape[1] };
    double low = 0, high = 1;
    resize(c->photo, c->height, c->width, photo, &all);
    PHYSAD__TRY(encode(&t->image[PHYSAD__THUMB_PHOTO], ctx, c->photo, c->height, c->width, c->width));
    if (map == NULL && mask == NULL)
        return PHYSAD_OK;
    for (int64_t i = 0; i < c->height * c->width; i++)
        c->map[i] = 0;
    if (map != NULL) {
        PHYSAD__TRY(physad__run_range(map->data, map->shape[0] * map->shape[1], &ctx->mem, threshold, &low, &high));
        resize_map(c->map, c->height, c->width, map);
    }
    if (mask != NULL)
        resize_mask(c->mask, c->height, c->width, mask);
    const physad_view small = physad_view_array(c->photo, PHYSAD_U8, 3, shape),
                      out = physad_view_array(c->pair, PHYSAD_U8, 3, pair_shape);
    const physad_view small_map = physad_view_array(c->map, PHYSAD_F32, 2, shape),
                      small_mask = physad_view_array(c->mask, PHYSAD_U8, 2, shape);
    PHYSAD__TRY(physad_overlay_draw(&small, &small_map, mask != NULL ? &small_mask : NULL, low, high, &out));
    if (mask != NULL)
        PHYSAD__TRY(encode(&t->image[PHYSAD__THUMB_TRUTH], ctx, c->pair, c->height, c->width, pair_shape[1]));
    if (map == NULL)
        return PHYSAD_OK;
    return encode(&t->image[PHYSAD__THUMB_MAP], ctx, c->pair + 3 * (c->width + PHYSAD_OVERLAY_GAP), c->height, c->width,
                  pair_shape[1]);
}

/* --- the patch with the highest score, and the normal one that is nearest --- */

static physad_status draw_patch(physad__thumb *thumb, physad_context *ctx, const physad_view *photo, double y, double x)
{
    uint8_t pixels[PATCH_SIDE * PATCH_SIDE * 3];
    const int64_t height = photo->shape[0], width = photo->shape[1];
    const int64_t side = physad__min(physad__max(physad__min(height, width) / 4, 16), physad__min(height, width));
    const double top = fmin(fmax(floor(y) - (double)(side / 2), 0), (double)(height - side));
    const double left = fmin(fmax(floor(x) - (double)(side / 2), 0), (double)(width - side));
    const window w = { (int64_t)top, (int64_t)left, side, side };
    resize(pixels, PATCH_SIDE, PATCH_SIDE, photo, &w);
    return encode(thumb, ctx, pixels, PATCH_SIDE, PATCH_SIDE, PATCH_SIDE);
}

static int64_t find_peak(const physad_view *map)
{
    const float *in = map->data;
    int64_t peak = -1;
    for (int64_t i = 0; i < map->shape[0] * map->shape[1]; i++)
        if (!isnan(in[i]) && (peak < 0 || in[i] > in[peak]))
            peak = i;
    return peak;
}

static int64_t find_photo(const physad_dataset *train, const char *path)
{
    for (int64_t i = 0; i < physad_dataset_count(train); i++)
        if (strcmp(physad_dataset_sample(train, i)->path, path) == 0)
            return i;
    return -1;
}

/* What cannot be shown is left out: a method without patches, a training photo that has gone. */
static physad_status draw_nearest(physad__thumbs *t, const physad__run_state *run, const physad_scored *s,
                                  const physad_view *photo, const physad_view *map)
{
    physad_nearest nearest = PHYSAD_NEAREST_INIT;
    physad_image *image = NULL;
    const int64_t peak = find_peak(map);
    if (peak < 0)
        return PHYSAD_OK;
    const int64_t y = peak / map->shape[1], x = peak % map->shape[1];
    PHYSAD__TRY(draw_patch(&t->image[PHYSAD__THUMB_PATCH], run->ctx, photo, (double)y, (double)x));
    physad_status status = physad_result_nearest(s->result, y, x, &nearest);
    if (status != PHYSAD_OK)
        return status == PHYSAD_ERR_NOMEM ? status : PHYSAD_OK;
    t->nearest_distance = nearest.distance;
    t->nearest_path = physad__strdup(&run->ctx->mem, nearest.path != NULL ? nearest.path : "");
    if (t->nearest_path == NULL)
        return PHYSAD_ERR_NOMEM;
    const int64_t index = find_photo(run->train, t->nearest_path);
    if (index < 0)
        return PHYSAD_OK;
    status = physad_dataset_read_scaled(run->train, index, physad__jpeg_scale(run->detector), &image);
    if (status != PHYSAD_OK)
        return status == PHYSAD_ERR_NOMEM ? status : PHYSAD_OK;
    const physad_view view = physad_image_view(image);
    status = draw_patch(&t->image[PHYSAD__THUMB_NEAREST], run->ctx, &view, nearest.y, nearest.x);
    physad_image_free(image);
    return status;
}

/* --- what a scene shows from there, and what differs --- */

#define MOST_DIFFERENT 0.25 /* of 0..1, mean of the colours: full colour */

/* Brings `render` to the photo's brightness and contrast, colour by colour, by least squares; then the colour of how
 * far they differ. */
static void colour_difference(uint8_t *out, const uint8_t *render, const uint8_t *photo, int64_t n)
{
    double gain[3], offset[3];
    for (int c = 0; c < 3; c++) {
        double x = 0, y = 0, xx = 0, xy = 0;
        for (int64_t i = 0; i < n; i++) {
            const double a = render[3 * i + c], b = photo[3 * i + c];
            x += a;
            y += b;
            xx += a * a;
            xy += a * b;
        }
        const double spread = xx - x * x / (double)n;
        gain[c] = spread > 1e-6 * xx ? (xy - x * y / (double)n) / spread : 1;
        offset[c] = (y - gain[c] * x) / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        double d = 0;
        for (int c = 0; c < 3; c++)
            d += fabs(gain[c] * render[3 * i + c] + offset[c] - photo[3 * i + c]) / (3 * 255);
        physad_overlay_color(d / MOST_DIFFERENT, out + 3 * i);
    }
}

/* `c` holds the photo; its pair is room. */
static physad_status draw_scene(physad__thumbs *t, canvas *c, const physad__run_state *run, const physad_scored *s)
{
    uint8_t *pixels = NULL;
    int64_t shape[3] = { 0, 0, 3 };
    PHYSAD__TRY(physad__result_render(run->detector, s->result, &pixels, &shape[0], &shape[1]));
    if (pixels == NULL)
        return PHYSAD_OK;
    const physad_view view = physad_view_array(pixels, PHYSAD_U8, 3, shape);
    const window all = { 0, 0, shape[0], shape[1] };
    uint8_t *difference = c->pair + 3 * c->height * c->width;
    resize(c->pair, c->height, c->width, &view, &all);
    colour_difference(difference, c->pair, c->photo, c->height * c->width);
    physad__free(pixels);
    PHYSAD__TRY(encode(&t->image[PHYSAD__THUMB_RENDER], run->ctx, c->pair, c->height, c->width, c->width));
    return encode(&t->image[PHYSAD__THUMB_RESIDUAL], run->ctx, difference, c->height, c->width, c->width);
}

static int32_t side_of(const physad__run_state *run)
{
    return run->options->gallery_side > 0 ? run->options->gallery_side : SIDE;
}

physad_status physad__gallery_picture(physad__thumb *thumb, const physad__run_state *run, const physad_view *photo)
{
    canvas c;
    const window all = { 0, 0, photo->shape[0], photo->shape[1] };
    physad_status status = canvas_make(&c, &run->ctx->mem, photo, side_of(run));
    if (status == PHYSAD_OK) {
        resize(c.photo, c.height, c.width, photo, &all);
        status = encode(thumb, run->ctx, c.photo, c.height, c.width, c.width);
    }
    canvas_free(&c);
    return status;
}

physad_status physad__gallery_add(physad__run_state *run, const physad_scored *s, const physad_view *photo,
                                  const physad_view *map, const physad_view *mask)
{
    physad__report *r = run->report;
    const int64_t displaced = find_displaced(r, run->options->gallery);
    canvas c = { 0 };
    physad__thumbs *t = physad__alloc_zero(&run->ctx->mem, sizeof(*t), "pictures of a report");
    physad_status status = t != NULL ? canvas_make(&c, &run->ctx->mem, photo, side_of(run)) : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = draw(t, &c, run->ctx, photo, map, mask, physad_result_threshold(s->result));
    if (status == PHYSAD_OK && !r->video)
        status = draw_scene(t, &c, run, s);
    if (status == PHYSAD_OK && map != NULL && !r->video)
        status = draw_nearest(t, run, s, photo, map);
    canvas_free(&c);
    if (status != PHYSAD_OK) {
        physad__thumbs_free(t);
        return status;
    }
    if (displaced >= 0) {
        physad__thumbs_free(r->samples[displaced].thumbs);
        r->samples[displaced].thumbs = NULL;
    }
    r->samples[r->sample_count - 1].thumbs = t;
    return PHYSAD_OK;
}
