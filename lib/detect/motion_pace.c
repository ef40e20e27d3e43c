/* SPDX-License-Identifier: Apache-2.0 */
/* How fast a thing moves is told by time, not by frames. Whatever the frame rate of a video, even one that varies, what
 * is looked at are planes at the rate of the videos that were learned from, at one size.
 *
 * A frame that lies within a sixteenth of a plane's distance from where one is due is that plane, and moves what is due
 * a little towards itself, so that clocks that differ by less than half a percent (30 and 29.97 per second), and times
 * that were rounded to milliseconds, change nothing. Else a plane is made of the frames on both sides, along the flow
 * between them. */
#include "detect/motion.h"

#include "physad_config.h"

#include <math.h>
#ifdef PHYSAD_HAVE_OPENMP
#include <omp.h>
#endif

static const double NEAR = 1.0 / 16, PULL = 1.0 / 12; /* of a plane's distance; of what is between due and come */
static const double LONGEST_GAP = 4;                  /* seconds; more between two frames count as so many, unless */
static const double FEW = 3;                          /* planes or usual frames are longer than that */
static const double TICK = 1e-7;                      /* seconds */
enum { MOST_BETWEEN = 240 };                          /* planes of one gap */

#ifdef PHYSAD_HAVE_OPENMP
#define ROWS_IN_PARALLEL _Pragma("omp parallel for schedule(static)")
#else
#define ROWS_IN_PARALLEL
#endif

/* --- a pace --------------------------------------------------------------------------------------------------------
 */

physad_status physad__motion_pace_open(physad__motion_pace *pace, physad_context *ctx, int64_t height, int64_t width,
                                       double rate, double usual)
{
    *pace = (physad__motion_pace){
        .ctx = ctx, .height = height, .width = width, .rate = rate, .usual = usual > 0 ? usual : rate
    };
    for (int i = 0; i < 2; i++) {
        pace->plane[i] = physad__alloc_array(&ctx->mem, height * width, sizeof(float), "a frame");
        if (pace->plane[i] == NULL) {
            physad__motion_pace_close(pace);
            return PHYSAD_ERR_NOMEM;
        }
    }
    return PHYSAD_OK;
}

void physad__motion_pace_close(physad__motion_pace *pace)
{
    physad__motion_front_close(&pace->front);
    physad__free(pace->room);
    physad__free(pace->plane[0]);
    physad__free(pace->plane[1]);
    physad__free(pace->between);
    *pace = (physad__motion_pace){ 0 };
}

/* --- size ----------------------------------------------------------------------------------------------------------
 */

static physad_status fit_source(physad__motion_pace *p, int64_t height, int64_t width)
{
    if (p->source_height == height && p->source_width == width)
        return PHYSAD_OK;
    if (p->source_height != 0)
        return physad__error(PHYSAD_ERR_SHAPE, "a frame of %lld x %lld pixels follows ones of %lld x %lld",
                             (long long)width, (long long)height, (long long)p->source_width,
                             (long long)p->source_height);
    p->room = physad__alloc_array(&p->ctx->mem, height * p->width, sizeof(float), "a frame");
    if (p->room == NULL)
        return PHYSAD_ERR_NOMEM;
    p->source_height = height;
    p->source_width = width;
    return PHYSAD_OK;
}

/* Where number `i` of `count` lies among `from` that are fewer: the one before, and how far behind it. */
static int64_t place_of(int64_t i, int64_t count, int64_t from, float *part)
{
    const double at = ((double)i + 0.5) * (double)from / (double)count - 0.5;
    const double kept = fmin(fmax(at, 0), (double)(from - 1));
    const int64_t low = physad__min((int64_t)kept, physad__max(0, from - 2));
    *part = (float)(kept - (double)low);
    return low;
}

/* A row of the source to the columns of a plane: means over the exact area, or between neighbours where it has fewer.
 */
static void resize_row(const uint8_t *in, int64_t width, float *out, int64_t columns)
{
    const double step = (double)width / (double)columns;
    for (int64_t x = 0; step < 1 && x < columns; x++) {
        float part;
        const int64_t i = place_of(x, columns, width, &part);
        out[x] = (float)in[i] + part * ((float)in[physad__min(i + 1, width - 1)] - (float)in[i]);
    }
    for (int64_t x = 0; step >= 1 && x < columns; x++) {
        const double from = (double)x * step, to = from + step;
        double sum = 0;
        for (int64_t i = (int64_t)from; i < width && (double)i < to; i++)
            sum += (fmin(to, (double)i + 1) - fmax(from, (double)i)) * in[i];
        out[x] = (float)(sum / step);
    }
}

static void resize_column(const physad__motion_pace *p, int64_t y, float *o)
{
    const int64_t height = p->source_height, w = p->width;
    const double step = (double)height / (double)p->height, from = (double)y * step, to = from + step;
    if (step < 1) {
        float part;
        const int64_t i = place_of(y, p->height, height, &part);
        const float *a = p->room + i * w, *b = p->room + physad__min(i + 1, height - 1) * w;
        for (int64_t x = 0; x < w; x++)
            o[x] = a[x] + part * (b[x] - a[x]);
        return;
    }
    memset(o, 0, (size_t)w * sizeof(*o));
    for (int64_t i = (int64_t)from; i < height && (double)i < to; i++) {
        const float part = (float)((fmin(to, (double)i + 1) - fmax(from, (double)i)) / step);
        for (int64_t x = 0; x < w; x++)
            o[x] += part * p->room[i * w + x];
    }
}

static void resize(const physad__motion_pace *p, const uint8_t *grey, int64_t stride, float *out)
{
    ROWS_IN_PARALLEL
    for (int64_t y = 0; y < p->source_height; y++)
        resize_row(grey + y * stride, p->source_width, p->room + y * p->width, p->width);
    ROWS_IN_PARALLEL
    for (int64_t y = 0; y < p->height; y++)
        resize_column(p, y, out + y * p->width);
}

/* --- time ----------------------------------------------------------------------------------------------------------
 */

/* Seconds from the first frame on, in steps of 100 ns, so that a time is the same however it was computed. */
static double when(physad__motion_pace *p, double said)
{
    if (p->frames == 0) {
        p->first = isfinite(said) ? said : 0;
        return 0;
    }
    const double longest = p->seconds + fmin(fmax(LONGEST_GAP, FEW / fmin(p->rate, p->usual)), MOST_BETWEEN / p->rate);
    double now = isfinite(said) ? said - p->first : (double)++p->untimed / p->usual;
    if (!(now > p->seconds + TICK)) { /* its clock was set back, or stands */
        now = p->seconds + 1 / p->usual;
        p->first = isfinite(said) ? said - now : p->first;
    }
    if (now > longest) {
        now = longest;
        p->first = isfinite(said) ? said - now : p->first;
    }
    return floor(now / TICK + 0.5) * TICK;
}

physad_status physad__motion_pace_push(physad__motion_pace *pace, const physad_view *grey, double seconds)
{
    PHYSAD__TRY(fit_source(pace, grey->shape[0], grey->shape[1]));
    pace->now = 1 - pace->now;
    resize(pace, grey->data, grey->stride[0], pace->plane[pace->now]);
    pace->before = pace->seconds;
    pace->seconds = when(pace, seconds);
    pace->frames++;
    pace->found = pace->given = false;
    return PHYSAD_OK;
}

static physad_status find_between(physad__motion_pace *p)
{
    if (!p->opened) {
        PHYSAD__TRY(physad__motion_front_open(&p->front, p->ctx, p->height, p->width));
        p->opened = true;
    }
    if (p->between == NULL)
        p->between = physad__alloc_array(&p->ctx->mem, p->height * p->width, sizeof(float), "a frame");
    if (p->between == NULL)
        return PHYSAD_ERR_NOMEM;
    if (!p->found)
        physad__motion_front_between(&p->front, p->plane[1 - p->now], p->plane[p->now]);
    p->found = true;
    return PHYSAD_OK;
}

physad_status physad__motion_pace_next(physad__motion_pace *pace, bool end, const float **plane)
{
    const double step = 1 / pace->rate, late = pace->seconds - pace->due;
    const bool pair = end && pace->frames > 1 && pace->planes == 1 && !pace->given;
    *plane = NULL;
    if (pace->frames == 0 || pace->given || (late < -NEAR * step && !pair))
        return PHYSAD_OK;
    if (fabs(late) <= NEAR * step || pair || pace->frames == 1) {
        *plane = pace->plane[pace->now];
        pace->due += step + PULL * late;
        pace->given = true;
    } else {
        PHYSAD__TRY(find_between(pace));
        const double part = (pace->due - pace->before) / (pace->seconds - pace->before);
        physad__motion_front_blend(&pace->front, pace->plane[1 - pace->now], pace->plane[pace->now],
                                   (float)fmin(fmax(part, 0), 1), pace->between);
        *plane = pace->between;
        pace->made++;
        pace->due += step;
    }
    pace->planes++;
    return PHYSAD_OK;
}
