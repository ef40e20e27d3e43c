/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report.h"

#include <math.h>

/* OKLab (Ottosson 2020) to linear sRGB. */
static void oklab_to_linear(double lightness, double a, double b, double rgb[3])
{
    const double l = pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
    const double m = pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
    const double s = pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
    rgb[0] = 4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s;
    rgb[1] = -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s;
    rgb[2] = -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s;
}

static uint8_t to_byte(double linear)
{
    const double c = fmin(fmax(linear, 0), 1);
    return (uint8_t)lround(255 * (c <= 0.0031308 ? 12.92 * c : 1.055 * pow(c, 1 / 2.4) - 0.055));
}

void physad_overlay_color(double t, uint8_t rgb[3])
{
    /* A straight rise in lightness and a straight turn in hue, at a chroma that sRGB can show all the way. */
    static const double PI = 3.14159265358979323846;
    const double x = t > 0 ? fmin(t, 1) : 0;
    const double hue = (295 - 190 * x) * PI / 180, chroma = 0.095;
    double linear[3];
    oklab_to_linear(0.28 + 0.65 * x, chroma * cos(hue), chroma * sin(hue), linear);
    for (int c = 0; c < 3; c++)
        rgb[c] = to_byte(linear[c]);
}

static double value_at(const physad_view *v, int64_t y, int64_t x, int64_t c)
{
    const char *p = (const char *)v->data + y * v->stride[0] + x * v->stride[1] + (v->ndim == 3 ? c * v->stride[2] : 0);
    uint16_t word;
    float real;
    switch (v->dtype) {
    case PHYSAD_U8:
    case PHYSAD_BOOL: return (unsigned char)*p;
    case PHYSAD_U16: memcpy(&word, p, sizeof(word)); return word / 257.0;
    default: memcpy(&real, p, sizeof(real)); return 255.0 * (double)real;
    }
}

static uint8_t clamp_byte(double v)
{
    return v > 0 ? (uint8_t)lround(fmin(v, 255)) : 0;
}

void physad__overlay_pixel(const physad_view *photo, int64_t y, int64_t x, uint8_t rgb[3])
{
    const bool grey = photo->ndim == 2 || photo->shape[2] == 1;
    for (int64_t c = 0; c < 3; c++)
        rgb[c] = clamp_byte(value_at(photo, y, x, grey ? 0 : c));
}

static bool is_defect(const physad_view *mask, int64_t y, int64_t x)
{
    return y >= 0 && x >= 0 && y < mask->shape[0] && x < mask->shape[1] && value_at(mask, y, x, 0) != 0;
}

/* 2: a defect's border, 1: the pixel just outside of it, 0: neither. */
static int outline(const physad_view *mask, int64_t y, int64_t x)
{
    const bool inside = is_defect(mask, y, x);
    for (int64_t dy = -1; dy <= 1; dy++)
        for (int64_t dx = -1; dx <= 1; dx++)
            if (is_defect(mask, y + dy, x + dx) != inside)
                return inside ? 2 : 1;
    return 0;
}

enum { COLORS = 1024 };

/* The photo's pixel under the colour of its score. */
static void cover(uint8_t rgb[3], float score, double low, double high, uint8_t (*colors)[3])
{
    static const double MOST = 0.8; /* some photo always shines through */
    if (isnan(score)) {
        const double luma = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
        rgb[0] = rgb[1] = rgb[2] = clamp_byte(0.5 * luma);
        return;
    }
    const double t = fmin(fmax(((double)score - low) / (high - low), 0), 1);
    const uint8_t *color = colors[lround(t * (COLORS - 1))];
    for (int c = 0; c < 3; c++)
        rgb[c] = clamp_byte(rgb[c] + MOST * t * (color[c] - rgb[c]));
}

static physad_status check_plane(const physad_view *view, const char *name, const physad_view *photo)
{
    char got[160];
    if (view->ndim != 2 || view->shape[0] != photo->shape[0] || view->shape[1] != photo->shape[1])
        return physad__error(PHYSAD_ERR_SHAPE, "physad_overlay_draw: %s has shape %s, want the photo's (%lld,%lld)",
                             name, physad__shape_text(got, sizeof(got), view->ndim, view->shape),
                             (long long)photo->shape[0], (long long)photo->shape[1]);
    return PHYSAD_OK;
}

static physad_status check(const physad_view *photo, const physad_view *map, const physad_view *mask, double low,
                           double high, const physad_view *out)
{
    char got[160];
    PHYSAD__TRY(physad__view_check(photo, "physad_overlay_draw: photo"));
    if (photo->dtype != PHYSAD_U8 && photo->dtype != PHYSAD_U16 && photo->dtype != PHYSAD_F32)
        return physad__error(PHYSAD_ERR_DTYPE, "physad_overlay_draw: photo has dtype %s, want u8, u16 or f32",
                             physad_dtype_name(photo->dtype));
    if (photo->ndim != 2 &&
        (photo->ndim != 3 || (photo->shape[2] != 1 && photo->shape[2] != 3 && photo->shape[2] != 4)))
        return physad__error(PHYSAD_ERR_SHAPE, "physad_overlay_draw: photo has shape %s, want (H,W) or (H,W,1|3|4)",
                             physad__shape_text(got, sizeof(got), photo->ndim, photo->shape));
    PHYSAD__TRY(physad__view_check(map, "physad_overlay_draw: map"));
    if (map->dtype != PHYSAD_F32)
        return physad__error(PHYSAD_ERR_DTYPE, "physad_overlay_draw: map has dtype %s, want f32",
                             physad_dtype_name(map->dtype));
    PHYSAD__TRY(check_plane(map, "map", photo));
    if (mask != NULL) {
        PHYSAD__TRY(physad__view_check(mask, "physad_overlay_draw: mask"));
        if (mask->dtype != PHYSAD_U8 && mask->dtype != PHYSAD_BOOL)
            return physad__error(PHYSAD_ERR_DTYPE, "physad_overlay_draw: mask has dtype %s, want u8 or bool",
                                 physad_dtype_name(mask->dtype));
        PHYSAD__TRY(check_plane(mask, "mask", photo));
    }
    if (!(low < high) || isinf(low) || isinf(high))
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_overlay_draw: the range is %g to %g, want finite numbers that rise", low, high);
    const int64_t want[3] = { photo->shape[0], 2 * photo->shape[1] + PHYSAD_OVERLAY_GAP, 3 };
    return physad__view_want(out, "physad_overlay_draw: out", PHYSAD_U8, 3, want);
}

physad_status physad_overlay_draw(const physad_view *photo, const physad_view *map, const physad_view *mask, double low,
                                  double high, const physad_view *out)
{
    static const uint8_t border[3][3] = { { 0, 0, 0 },
                                          { 0, 0, 0 },
                                          { 255, 255, 255 } }; /* white in black: seen on any ground */
    PHYSAD__TRY(check(photo, map, mask, low, high, out));
    uint8_t colors[COLORS][3];
    for (int i = 0; i < COLORS; i++)
        physad_overlay_color(i / (double)(COLORS - 1), colors[i]);
    const int64_t width = photo->shape[1], row = out->shape[1] * 3;
    for (int64_t y = 0; y < photo->shape[0]; y++) {
        uint8_t *left = (uint8_t *)out->data + y * row, *right = left + 3 * (width + PHYSAD_OVERLAY_GAP);
        memset(left + 3 * width, 255, 3 * PHYSAD_OVERLAY_GAP);
        for (int64_t x = 0; x < width; x++, left += 3, right += 3) {
            float score;
            memcpy(&score, (const char *)map->data + y * map->stride[0] + x * map->stride[1], sizeof(score));
            const int line = mask != NULL ? outline(mask, y, x) : 0;
            physad__overlay_pixel(photo, y, x, left);
            memcpy(right, left, 3);
            cover(right, score, low, high, colors);
            if (line > 0) {
                memcpy(left, border[line], 3);
                memcpy(right, border[line], 3);
            }
        }
    }
    return PHYSAD_OK;
}
