/* SPDX-License-Identifier: Apache-2.0 */
/* Positions, score maps and validity between the photo and the model's input. */
#include "data/data_transform.h"

#include "physad_config.h"

#include <math.h>

/* --- positions --- */

static double span_to_model(const physad__span *s, double at)
{
    return (at - (double)s->start) * (double)s->full / (double)s->length - (double)s->offset;
}

static double span_to_photo(const physad__span *s, double at)
{
    return (at + (double)s->offset) * (double)s->length / (double)s->full + (double)s->start;
}

static physad_status begin(const physad_transform *t, int64_t height, int64_t width, physad__geometry *g,
                           const char *what)
{
    if (t == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: transform is NULL", what);
    PHYSAD__TRY(physad__context_check(t->ctx, what));
    return physad__transform_geometry(t, height, width, g);
}

physad_status physad_transform_to_model(const physad_transform *transform, int64_t photo_height, int64_t photo_width,
                                        double y, double x, double *model_y, double *model_x)
{
    physad__geometry g;
    PHYSAD__TRY(begin(transform, photo_height, photo_width, &g, "physad_transform_to_model"));
    if (model_y == NULL || model_x == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_transform_to_model: an output is NULL");
    *model_y = span_to_model(&g.y, y);
    *model_x = span_to_model(&g.x, x);
    return PHYSAD_OK;
}

physad_status physad_transform_to_photo(const physad_transform *transform, int64_t photo_height, int64_t photo_width,
                                        double y, double x, double *photo_y, double *photo_x)
{
    physad__geometry g;
    PHYSAD__TRY(begin(transform, photo_height, photo_width, &g, "physad_transform_to_photo"));
    if (photo_y == NULL || photo_x == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_transform_to_photo: an output is NULL");
    *photo_y = span_to_photo(&g.y, y);
    *photo_x = span_to_photo(&g.x, x);
    return PHYSAD_OK;
}

/* Photo pixels whose centres lie in the region of interest and in the model's input: [*from, *to). */
static void seen(const physad__span *s, int64_t *from, int64_t *to)
{
    int64_t low = s->start, high = s->start + s->length;
    while (low < high && span_to_model(s, (double)low + 0.5) < 0)
        low++;
    while (high > low && span_to_model(s, (double)high - 0.5) >= (double)s->model)
        high--;
    *from = low;
    *to = high;
}

/* --- ignore mask --- */

/* For each photo position the mask's, nearest: floor(position * mask / photo). NULL sets a message. */
static int32_t *mask_index(physad__mem *mem, int64_t photo, int64_t mask)
{
    int32_t *index = physad__alloc_array(mem, photo, sizeof(*index), "ignore mask");
    for (int64_t i = 0; index != NULL && i < photo; i++)
        index[i] = (int32_t)physad__min((int64_t)((double)i * (double)mask / (double)photo), mask - 1);
    return index;
}

/* --- maps --- */

/* Between which two cells of a grid over the model's input a photo position lies. */
typedef struct between {
    int32_t low, high;
    float share; /* of `high` */
} between;

static between *find_cells(physad__mem *mem, const physad__span *s, int64_t from, int64_t to, int64_t cells)
{
    between *b = physad__alloc_array(mem, to - from, sizeof(*b), "score map");
    /* One ratio, so that a stretched whole photo gives just (i + 0.5) * cells / photo - 0.5. */
    const double ratio = (double)s->full * (double)cells / ((double)s->length * (double)s->model);
    const double shift = (double)s->offset * (double)cells / (double)s->model;
    for (int64_t i = from; b != NULL && i < to; i++) {
        const double at = fmax(((double)(i - s->start) + 0.5) * ratio - shift - 0.5, 0);
        const int64_t low = physad__min((int64_t)at, cells - 1);
        b[i - from] = (between){ (int32_t)low, (int32_t)physad__min(low + 1, cells - 1), (float)(at - (double)low) };
    }
    return b;
}

typedef struct back {
    const physad_transform *t;
    const float *map;
    float *out;
    int64_t rows, columns; /* of the map */
    int64_t top, bottom, left, right;
    int64_t width;
    between *y, *x;
    float *line; /* a row of the map for each output row in work: see map_row */
    int32_t *ignore_y, *ignore_x;
    float outside;
} back;

static void map_row(const back *b, int64_t y, float *line)
{
    float *out = b->out + y * b->width;
    if (y < b->top || y >= b->bottom) {
        for (int64_t x = 0; x < b->width; x++)
            out[x] = b->outside;
        return;
    }
    const between v = b->y[y - b->top];
    const float *low = b->map + v.low * b->columns, *high = b->map + v.high * b->columns;
    for (int64_t i = 0; i < b->columns; i++)
        line[i] = low[i] + (high[i] - low[i]) * v.share;
    for (int64_t x = 0; x < b->left; x++)
        out[x] = b->outside;
    for (int64_t x = b->left; x < b->right; x++) {
        const between h = b->x[x - b->left];
        out[x] = line[h.low] + (line[h.high] - line[h.low]) * h.share;
    }
    for (int64_t x = b->right; x < b->width; x++)
        out[x] = b->outside;
    if (b->ignore_y == NULL)
        return;
    const unsigned char *mask = b->t->ignore + b->ignore_y[y] * b->t->ignore_width;
    for (int64_t x = b->left; x < b->right; x++)
        if (mask[b->ignore_x[x]])
            out[x] = b->outside;
}

enum { STRIPES = 16 };

static physad_status map_rows(back *b, physad__mem *mem, int64_t height, int32_t threads)
{
    /* Fixed stripes, a scratch row each: the same work whatever the team. */
    b->line = physad__alloc_array(mem, STRIPES * b->columns, sizeof(float), "score map");
    if (b->line == NULL)
        return PHYSAD_ERR_NOMEM;
#ifdef PHYSAD_HAVE_OPENMP
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(static)
#endif
    for (int64_t s = 0; s < STRIPES; s++)
        for (int64_t y = height * s / STRIPES; y < height * (s + 1) / STRIPES; y++)
            map_row(b, y, b->line + s * b->columns);
    return PHYSAD_OK;
}

static physad_status prepare_back(back *b, physad__mem *mem, const physad__geometry *g, int64_t height, int64_t width)
{
    b->y = find_cells(mem, &g->y, b->top, b->bottom, b->rows);
    b->x = find_cells(mem, &g->x, b->left, b->right, b->columns);
    if (b->y == NULL || b->x == NULL)
        return PHYSAD_ERR_NOMEM;
    if (b->t->ignore == NULL)
        return PHYSAD_OK;
    b->ignore_y = mask_index(mem, height, b->t->ignore_height);
    b->ignore_x = mask_index(mem, width, b->t->ignore_width);
    return b->ignore_y != NULL && b->ignore_x != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

physad_status physad_transform_map_back(const physad_transform *transform, const physad_view *map, physad_view *out)
{
    static const int64_t any[] = { -1, -1 };
    physad__geometry g;
    PHYSAD__TRY(physad__view_want(map, "map", PHYSAD_F32, 2, any));
    PHYSAD__TRY(physad__view_want(out, "out", PHYSAD_F32, 2, any));
    if (map->shape[0] < 1 || map->shape[1] < 1 || map->shape[0] > INT32_MAX || map->shape[1] > INT32_MAX)
        return physad__error(PHYSAD_ERR_SHAPE, "map has shape (%lld,%lld), want at least one cell",
                             (long long)map->shape[0], (long long)map->shape[1]);
    PHYSAD__TRY(begin(transform, out->shape[0], out->shape[1], &g, "physad_transform_map_back"));
    if (out->flags & PHYSAD_VIEW_READONLY)
        return physad__error(PHYSAD_ERR_ARG, "physad_transform_map_back: out is read-only");
    physad__mem *mem = &transform->ctx->mem;
    back b = { .t = transform,
               .map = map->data,
               .out = out->data,
               .rows = map->shape[0],
               .columns = map->shape[1],
               .width = out->shape[1],
               .outside = transform->o.outside == PHYSAD_OUTSIDE_NAN ? NAN : 0 };
    seen(&g.y, &b.top, &b.bottom);
    seen(&g.x, &b.left, &b.right);
    physad_status status = prepare_back(&b, mem, &g, out->shape[0], out->shape[1]);
    if (status == PHYSAD_OK)
        status = map_rows(&b, mem, out->shape[0], transform->ctx->threads);
    physad__free(b.y);
    physad__free(b.x);
    physad__free(b.line);
    physad__free(b.ignore_y);
    physad__free(b.ignore_x);
    return status;
}

/* --- what counts --- */

physad_status physad_transform_valid_photo(const physad_transform *transform, physad_view *out)
{
    static const int64_t any[] = { -1, -1 };
    physad__geometry g;
    int64_t top, bottom, left, right;
    if (out != NULL && out->dtype == PHYSAD_BOOL)
        PHYSAD__TRY(physad__view_want(out, "out", PHYSAD_BOOL, 2, any));
    else
        PHYSAD__TRY(physad__view_want(out, "out", PHYSAD_U8, 2, any));
    PHYSAD__TRY(begin(transform, out->shape[0], out->shape[1], &g, "physad_transform_valid_photo"));
    if (out->flags & PHYSAD_VIEW_READONLY)
        return physad__error(PHYSAD_ERR_ARG, "physad_transform_valid_photo: out is read-only");
    seen(&g.y, &top, &bottom);
    seen(&g.x, &left, &right);
    const int64_t height = out->shape[0], width = out->shape[1];
    unsigned char *data = out->data;
    memset(data, 0, (size_t)(height * width));
    for (int64_t y = top; y < bottom; y++) {
        memset(data + y * width + left, 1, (size_t)(right - left));
        if (transform->ignore == NULL)
            continue;
        const int64_t row = physad__min((int64_t)((double)y * (double)transform->ignore_height / (double)height),
                                        transform->ignore_height - 1);
        for (int64_t x = left; x < right; x++) {
            const int64_t column = physad__min((int64_t)((double)x * (double)transform->ignore_width / (double)width),
                                               transform->ignore_width - 1);
            data[y * width + x] = !transform->ignore[row * transform->ignore_width + column];
        }
    }
    return PHYSAD_OK;
}

/* A cell's extent in photo positions, and the part of it that shows photo. */
typedef struct cell {
    double low, high; /* shown: within the region of interest */
    double length;    /* of the whole cell */
} cell;

static cell cell_of(const physad__span *s, int64_t i, int64_t cells)
{
    const double low = span_to_photo(s, (double)(i * s->model) / (double)cells);
    const double high = span_to_photo(s, (double)((i + 1) * s->model) / (double)cells);
    /* Borders that meet up to rounding are the same border: an inner cell shows all of itself. */
    const double slack = 1e-9 * (high - low);
    cell c = { low, high, high - low };
    if (c.low < (double)s->start - slack)
        c.low = (double)s->start;
    if (c.high > (double)(s->start + s->length) + slack)
        c.high = (double)(s->start + s->length);
    if (c.high < c.low)
        c.high = c.low;
    return c;
}

/* Area of ignored photo within the cell, from rows of the photo that it touches. */
static double ignored_area(const physad_transform *t, const cell *y, const cell *x, int64_t height, int64_t width)
{
    double area = 0;
    for (int64_t i = (int64_t)y->low; i < height && (double)i < y->high; i++) {
        const double tall = fmin(y->high, (double)i + 1) - fmax(y->low, (double)i);
        const int64_t row =
            physad__min((int64_t)((double)i * (double)t->ignore_height / (double)height), t->ignore_height - 1);
        double wide = 0;
        for (int64_t j = (int64_t)x->low; j < width && (double)j < x->high; j++) {
            const int64_t column =
                physad__min((int64_t)((double)j * (double)t->ignore_width / (double)width), t->ignore_width - 1);
            if (t->ignore[row * t->ignore_width + column])
                wide += fmin(x->high, (double)j + 1) - fmax(x->low, (double)j);
        }
        area += tall * wide;
    }
    return area;
}

physad_status physad_transform_valid_grid(const physad_transform *transform, int64_t photo_height, int64_t photo_width,
                                          physad_view *out)
{
    static const int64_t any[] = { -1, -1 };
    physad__geometry g;
    PHYSAD__TRY(physad__view_want(out, "out", PHYSAD_F32, 2, any));
    PHYSAD__TRY(begin(transform, photo_height, photo_width, &g, "physad_transform_valid_grid"));
    if (out->flags & PHYSAD_VIEW_READONLY)
        return physad__error(PHYSAD_ERR_ARG, "physad_transform_valid_grid: out is read-only");
    const int64_t rows = out->shape[0], columns = out->shape[1];
    float *data = out->data;
    for (int64_t i = 0; i < rows; i++) {
        const cell y = cell_of(&g.y, i, rows);
        for (int64_t j = 0; j < columns; j++) {
            const cell x = cell_of(&g.x, j, columns);
            const double shown = (y.high - y.low) * (x.high - x.low);
            const double lost =
                transform->ignore != NULL && shown > 0 ? ignored_area(transform, &y, &x, photo_height, photo_width) : 0;
            const double share = (shown - lost) / (y.length * x.length);
            data[i * columns + j] = (float)fmin(fmax(share, 0), 1);
        }
    }
    return PHYSAD_OK;
}
