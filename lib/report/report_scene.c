/* SPDX-License-Identifier: Apache-2.0 */
/* A scene as one page that draws it: each Gaussian in 32 bytes (place as three floats; scales, opacity, rotation,
 * colour and the first three harmonics as bytes), as base64 in the page. */
#include "report/report_html.h"
#include "report/report_scene.h"

#include <math.h>

#define BYTES 32
#define FAINT (1.0f / 255)  /* opacity: never drawn */
#define COLOUR_LEAST -0.5f  /* of the base colour's byte */
#define COLOUR_RANGE 2.0f
#define C0 0.28209479177387814f

/* What bytes stand for. */
typedef struct ranges {
    float least_scale, scale_range; /* logarithms */
    float harmonic;                 /* the largest */
} ranges;

static uint8_t byte_of(float value, float least, float range)
{
    const float t = range > 0 ? (value - least) / range : 0;
    return (uint8_t)(fminf(fmaxf(t, 0), 1) * 255 + 0.5f);
}

static float opacity(const physad__gaussians *g, int64_t i)
{
    return 1 / (1 + expf(-g->planes[10 * g->stride + i]));
}

static ranges measure(const physad__gaussians *g)
{
    ranges r = { INFINITY, -INFINITY, 0 };
    const int64_t harmonics = g->degree > 0 ? 9 : 0;
    for (int64_t i = 0; i < g->count; i++) {
        if (opacity(g, i) < FAINT)
            continue;
        for (int64_t k = 3; k < 6; k++) {
            r.least_scale = fminf(r.least_scale, g->planes[k * g->stride + i]);
            r.scale_range = fmaxf(r.scale_range, g->planes[k * g->stride + i]);
        }
        for (int64_t k = 0; k < harmonics; k++)
            r.harmonic = fmaxf(r.harmonic, fabsf(g->planes[(14 + k) * g->stride + i]));
    }
    r.least_scale = fmaxf(r.least_scale, -20);
    r.scale_range = fminf(r.scale_range, 20) - r.least_scale;
    r.harmonic = fminf(r.harmonic, 1);
    if (!(r.scale_range >= 0))
        r.least_scale = r.scale_range = 0;
    return r;
}

static void pack(uint8_t out[BYTES], const physad__gaussians *g, int64_t i, ranges r)
{
    const float *p = g->planes + i;
    const int64_t stride = g->stride;
    float length = 0;
    for (int k = 0; k < 3; k++) {
        uint32_t bits;
        memcpy(&bits, p + k * stride, sizeof(bits));
        for (int b = 0; b < 4; b++)
            out[4 * k + b] = (uint8_t)(bits >> (8 * b));
        out[12 + k] = byte_of(p[(3 + k) * stride], r.least_scale, r.scale_range);
        out[20 + k] = byte_of(0.5f + C0 * p[(11 + k) * stride], COLOUR_LEAST, COLOUR_RANGE);
    }
    out[15] = byte_of(opacity(g, i), 0, 1);
    for (int k = 0; k < 4; k++)
        length += p[(6 + k) * stride] * p[(6 + k) * stride];
    for (int k = 0; k < 4; k++) {
        const float q = p[(6 + k) * stride] / fmaxf(sqrtf(length), 1e-20f);
        out[16 + k] = (uint8_t)(int)(128 + roundf(127 * fminf(fmaxf(q, -1), 1)));
    }
    for (int k = 0; k < 9; k++) {
        const float h = g->degree > 0 && r.harmonic > 0 ? p[(14 + k) * stride] / r.harmonic : 0;
        out[23 + k] = (uint8_t)(int)(128 + roundf(127 * fminf(fmaxf(h, -1), 1)));
    }
}

/* --- the page --- */

static void put_numbers(physad__text *out, const char *name, const double *values, int count)
{
    physad__html_format(out, " data-%s=\"", name);
    for (int k = 0; k < count; k++)
        physad__html_format(out, k == 0 ? "%.9g" : ",%.9g", values[k]);
    physad__html_raw(out, "\"");
}

static int64_t put_gaussians(physad__text *out, const physad__gaussians *g, ranges r)
{
    enum { AT_ONCE = 96 }; /* a multiple of three: no padding between */
    uint8_t bytes[AT_ONCE * BYTES];
    int64_t filled = 0, n = 0;
    for (int64_t i = 0; i < g->count; i++) {
        if (opacity(g, i) < FAINT)
            continue;
        pack(bytes + filled * BYTES, g, i, r);
        n++;
        if (++filled == AT_ONCE) {
            physad__html_base64(out, bytes, sizeof(bytes));
            filled = 0;
        }
    }
    physad__html_base64(out, bytes, (size_t)filled * BYTES);
    return n;
}

static void put_canvas(physad__text *out, const physad__outlook *l, ranges r, float nearest,
                       const physad_scene_html_options *o)
{
    const physad_camera *c = &l->camera;
    const double lens[6] = { c->fx, c->fy, c->cx, c->cy, (double)c->width, (double)c->height };
    const double range[3] = { (double)r.least_scale, (double)r.scale_range, (double)r.harmonic };
    const double from = (double)(nearest > 0 ? nearest : PHYSAD__SPLAT_NEAREST);
    const double background[3] = { (double)o->background[0], (double)o->background[1], (double)o->background[2] };
    physad__html_raw(
        out,
        "<canvas id=\"view\" tabindex=\"0\" role=\"img\" aria-label=\"The scene; arrow keys turn it, plus and minus "
        "come nearer and go away, 0 goes back\"");
    put_numbers(out, "rotation", c->rotation, 9);
    put_numbers(out, "translation", c->translation, 3);
    put_numbers(out, "lens", lens, 6);
    put_numbers(out, "centre", l->centre, 3);
    put_numbers(out, "up", l->up, 3);
    put_numbers(out, "range", range, 3);
    put_numbers(out, "nearest", &from, 1);
    put_numbers(out, "background", background, 3);
    physad__html_raw(out, "></canvas>\n");
}

static physad_status put_page(physad__text *out, const physad_scene *scene, const physad__outlook *l,
                              const physad_scene_html_options *o)
{
    const physad__gaussians *g = physad__scene_gaussians(scene);
    const ranges r = measure(g);
    const char *title = o->title != NULL ? o->title : "Scene";
    PHYSAD__TRY(physad__html_begin(out, title, physad__html_scene_style, physad__html_scene_script));
    put_canvas(out, l, r, g->nearest, o);
    physad__html_raw(out, "<p id=\"note\" role=\"status\"><b>");
    physad__html_text(out, title);
    physad__html_raw(
        out, "</b> <span id=\"count\"></span><br>Drag to turn, with two fingers or the right button to move, wheel or "
             "pinch to "
             "come nearer; arrow keys, + and &#8722;; 0 goes back.</p>\n<script id=\"gaussians\" type=\"text/plain\">");
    put_gaussians(out, g, r);
    physad__html_raw(out, "</script>\n<script>");
    for (int k = 0; physad__html_scene_script[k] != NULL; k++)
        physad__html_raw(out, physad__html_scene_script[k]);
    physad__html_raw(out, "</script>\n</body>\n</html>\n");
    return out->status;
}

static physad_status check(const physad_scene *scene, const char *path, const physad_scene_html_options *o)
{
    if (path == NULL || *path == '\0')
        return physad__error(PHYSAD_ERR_ARG, "physad_scene_html: want the name of a file");
    if (physad_scene_gaussians(scene) > PHYSAD_SCENE_HTML_MOST)
        return physad__error(PHYSAD_ERR_ARG, "physad_scene_html: the scene has %lld Gaussians, a page can hold %d",
                             (long long)physad_scene_gaussians(scene), PHYSAD_SCENE_HTML_MOST);
    for (int k = 0; k < 3; k++)
        if (!(o->background[k] >= 0 && o->background[k] <= 1))
            return physad__error(PHYSAD_ERR_ARG, "physad_scene_html_options: background is %g, want 0 to 1",
                                 (double)o->background[k]);
    return PHYSAD_OK;
}

physad_status physad_scene_html(const physad_scene *scene, const char *path, const physad_scene_html_options *options)
{
    physad_scene_html_options o = PHYSAD_SCENE_HTML_OPTIONS_INIT;
    physad__outlook l = { .centre = { 0 } };
    if (scene == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_scene_html: scene is NULL");
    physad_context *ctx = physad__scene_context(scene);
    PHYSAD__TRY(physad__context_check(ctx, "physad_scene_html"));
    PHYSAD__TRY(physad__options_read(&o, sizeof(o), sizeof(o), options, "physad_scene_html_options"));
    PHYSAD__TRY(check(scene, path, &o));
    PHYSAD__TRY(physad__scene_outlook(&l, scene, o.camera, o.centre));
    physad__text page = { .mem = &ctx->mem };
    physad_status status = put_page(&page, scene, &l, &o);
    if (status == PHYSAD_OK)
        status = physad__file_write_atomic(&ctx->mem, path, page.data, (size_t)page.size);
    physad__free(page.data);
    return status;
}
