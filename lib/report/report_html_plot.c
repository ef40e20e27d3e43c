/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report_html.h"

#include <math.h>

/* Plots are drawn in a box of 240 x 240 whose corner lies at (50, 12). */
enum { LEFT = 50, TOP = 12, SPAN = 240, WIDTH = 306, HEIGHT = 290, STYLES = 6 };
enum { COLUMN_FPR = 1, COLUMN_TPR = 2, COLUMN_PRECISION = 3 };

static void put_axes(physad__text *out, const char *title, const char *across, const char *up)
{
    physad__html_format(out,
                        "<figure><figcaption>%s</figcaption><svg viewBox=\"0 0 %d %d\" role=\"img\" "
                        "aria-label=\"%s: %s by %s\">",
                        title, WIDTH, HEIGHT, title, up, across);
    for (int i = 0; i <= 4; i++) {
        const int x = LEFT + SPAN * i / 4, y = TOP + SPAN - SPAN * i / 4;
        physad__html_format(out, "<path class=\"axis\" d=\"M%d %dV%dM%d %dH%d\"/>", x, TOP, TOP + SPAN, LEFT, y,
                            LEFT + SPAN);
        physad__html_format(out,
                            "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%.4g</text>"
                            "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.4g</text>",
                            x, TOP + SPAN + 15, i / 4.0, LEFT - 5, y + 4, i / 4.0);
    }
    physad__html_format(out,
                        "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>"
                        "<text transform=\"translate(12 %d) rotate(-90)\" text-anchor=\"middle\">%s</text>",
                        LEFT + SPAN / 2, HEIGHT - 6, across, TOP + SPAN / 2, up);
}

typedef struct curve_kind {
    const char *title, *across, *up;
    int32_t pixels, column_x, column_y;
    bool steps; /* up first, then across: as average precision sums */
} curve_kind;

static const curve_kind kinds[] = {
    { "ROC of samples", "false-positive rate", "true-positive rate", 0, COLUMN_FPR, COLUMN_TPR, false },
    { "Precision and recall of samples", "recall", "precision", 0, COLUMN_TPR, COLUMN_PRECISION, true },
    { "ROC of pixels", "false-positive rate", "true-positive rate", 1, COLUMN_FPR, COLUMN_TPR, false },
    { "Precision and recall of pixels", "recall", "precision", 1, COLUMN_TPR, COLUMN_PRECISION, true },
};

static double curve_at(const physad_view *v, int64_t row, int32_t column)
{
    double value;
    memcpy(&value, (const char *)v->data + row * v->stride[0] + column * v->stride[1], sizeof(value));
    return value;
}

/* Points nearer than a third of a unit are left out, but the last one. */
static void put_curve(physad__text *out, const physad_view *v, const curve_kind *kind, int64_t style)
{
    double last_x = 0, last_y = 0;
    bool open = false;
    for (int64_t i = 0; i < v->shape[0]; i++) {
        const double fx = curve_at(v, i, kind->column_x), fy = curve_at(v, i, kind->column_y);
        const double x = LEFT + SPAN * fx, y = TOP + SPAN * (1 - fy);
        if (!isfinite(fx) || !isfinite(fy))
            continue;
        if (!open)
            physad__html_format(out, "<path class=\"curve m%d\" d=\"M%.1f %.1f", (int)(style % STYLES), x, y);
        else if (i + 1 < v->shape[0] && fabs(x - last_x) < 0.34 && fabs(y - last_y) < 0.34)
            continue;
        else if (kind->steps)
            physad__html_format(out, "V%.1fH%.1f", y, x);
        else
            physad__html_format(out, "L%.1f %.1f", x, y);
        open = true;
        last_x = x;
        last_y = y;
    }
    if (open)
        physad__html_raw(out, "\"/>");
}

static const physad_metrics *metrics_of(const physad__report *r, int32_t pixels)
{
    return pixels ? r->pixels : r->images;
}

void physad__html_curves(physad__text *out, const physad__report *reports, int64_t count, int64_t stride)
{
    if (count > 1) {
        physad__html_raw(out, "<p>");
        for (int64_t k = 0; k < count; k++) {
            physad__html_format(
                out,
                "<svg class=\"key\" viewBox=\"0 0 40 8\" aria-hidden=\"true\"><path class=\"curve m%d\" "
                "d=\"M0 4H40\"/></svg> ",
                (int)(k % STYLES));
            physad__html_text(out, reports[k * stride].method);
            physad__html_raw(out, " &#160; ");
        }
        physad__html_raw(out, "</p>\n");
    }
    physad__html_raw(out, "<div class=\"plots\">\n");
    for (int64_t i = 0; i < PHYSAD__COUNT(kinds); i++) {
        bool any = false;
        for (int64_t k = 0; k < count; k++)
            any = any || metrics_of(&reports[k * stride], kinds[i].pixels) != NULL;
        if (!any)
            continue;
        put_axes(out, kinds[i].title, kinds[i].across, kinds[i].up);
        if (!kinds[i].steps) /* what guessing gives */
            physad__html_format(out, "<path class=\"chance\" d=\"M%d %dL%d %d\"/>", LEFT, TOP + SPAN, LEFT + SPAN, TOP);
        for (int64_t k = 0; k < count; k++) {
            physad_view curve;
            const physad_metrics *m = metrics_of(&reports[k * stride], kinds[i].pixels);
            if (m != NULL && physad_metrics_curve(m, &curve) == PHYSAD_OK)
                put_curve(out, &curve, &kinds[i], k);
        }
        physad__html_raw(out, "</svg></figure>\n");
    }
    physad__html_raw(out, "</div>\n");
}

/* --- histogram: normal samples above the axis, anomalous ones below --- */

enum { BINS = 32, H_WIDTH = 400, H_LEFT = 8, H_SPAN = 384, H_AXIS = 100, H_TALL = 84, H_HEIGHT = 218 };

typedef struct bins {
    double low, high; /* finite; low < high */
    int64_t count[2][BINS], most;
} bins;

static int64_t bin_of(const bins *b, double score)
{
    const double t = (score - b->low) / (b->high - b->low) * BINS;
    return t >= 0 ? (int64_t)fmin(t, BINS - 1) : 0; /* infinite scores lie at the ends */
}

static bool fill(bins *b, const physad__report *r)
{
    *b = (bins){ .low = INFINITY, .high = -INFINITY };
    for (int64_t i = 0; i < r->sample_count; i++)
        if (isfinite(r->samples[i].score)) {
            b->low = fmin(b->low, r->samples[i].score);
            b->high = fmax(b->high, r->samples[i].score);
        }
    if (isfinite(r->threshold)) {
        b->low = fmin(b->low, r->threshold);
        b->high = fmax(b->high, r->threshold);
    }
    if (!isfinite(b->low) || !isfinite(b->high - b->low))
        return false;
    if (!(b->low < b->high))
        b->high = b->low + fmax(fabs(b->low), 1) * 1e-6;
    for (int64_t i = 0; i < r->sample_count; i++) {
        int64_t *slot = &b->count[r->samples[i].label != 0][bin_of(b, r->samples[i].score)];
        b->most = physad__max(b->most, ++*slot);
    }
    return b->most > 0;
}

static void put_bars(physad__text *out, const bins *b)
{
    for (int i = 0; i < BINS; i++)
        for (int label = 0; label < 2; label++) {
            const double tall = (double)b->count[label][i] / (double)b->most * H_TALL;
            const double x = H_LEFT + (double)H_SPAN * i / BINS;
            if (b->count[label][i] == 0)
                continue;
            physad__html_format(out,
                                "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>%lld "
                                "%s, score %.5g to %.5g</title></rect>",
                                label ? "odd" : "normal", x + 0.5, label ? H_AXIS + 1 : H_AXIS - 1 - tall,
                                (double)H_SPAN / BINS - 1, tall, (long long)b->count[label][i],
                                label ? "anomalous" : "normal", b->low + (b->high - b->low) * i / BINS,
                                b->low + (b->high - b->low) * (i + 1) / BINS);
        }
}

void physad__html_histogram(physad__text *out, const physad__report *report)
{
    bins b;
    if (!fill(&b, report)) {
        physad__html_raw(out, "<p class=\"soft\">No scores to draw.</p>\n");
        return;
    }
    physad__html_format(out,
                        "<figure class=\"histogram\"><figcaption>Above the axis: normal samples; below: anomalous "
                        "ones.</figcaption><svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Histogram of "
                        "scores\">",
                        H_WIDTH, H_HEIGHT);
    put_bars(out, &b);
    physad__html_format(out, "<path class=\"axis\" d=\"M%d %dH%d\"/>", H_LEFT, H_AXIS, H_LEFT + H_SPAN);
    physad__html_format(out,
                        "<text x=\"%d\" y=\"%d\">%.5g</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.5g</text>",
                        H_LEFT, H_HEIGHT - 6, b.low, H_LEFT + H_SPAN, H_HEIGHT - 6, b.high);
    physad__html_format(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">score</text>", H_WIDTH / 2, H_HEIGHT - 6);
    if (isfinite(report->threshold)) {
        const double x = H_LEFT + H_SPAN * (report->threshold - b.low) / (b.high - b.low);
        physad__html_format(out, "<path class=\"limit\" d=\"M%.1f 4V%d\"/>", x, 2 * H_AXIS - 4);
        physad__html_format(out, "<text x=\"%.1f\" y=\"12\" text-anchor=\"%s\">threshold</text>",
                            x + (x > H_WIDTH / 2 ? -5 : 5), x > H_WIDTH / 2 ? "end" : "start");
    }
    physad__html_raw(out, "</svg></figure>\n");
}

void physad__html_scale(physad__text *out)
{
    physad__html_raw(
        out, "<svg class=\"scale\" viewBox=\"0 0 256 30\" role=\"img\" aria-label=\"Colours of score maps, from "
             "the photo's median score to the threshold\">");
    for (int i = 0; i < 64; i++) {
        uint8_t rgb[3];
        physad_overlay_color(i / 63.0, rgb);
        physad__html_format(out, "<rect x=\"%d\" width=\"%d\" height=\"12\" fill=\"#%02x%02x%02x\"/>", 4 * i,
                            i < 63 ? 8 : 4, rgb[0], rgb[1], rgb[2]); /* under the next one: no seams */
    }
    physad__html_raw(out,
                     "<text y=\"26\">the map&#39;s median</text><text x=\"256\" y=\"26\" text-anchor=\"end\">threshold "
                     "and above</text></svg>\n");
}

/* --- time line: the score of each frame, the highest marked --- */

enum { T_WIDTH = 260, T_HEIGHT = 78, T_LEFT = 4, T_TOP = 6, T_SPAN = 252, T_TALL = 52, T_MOST = 252 };

static double line_x(const physad__take *t, int64_t frame)
{
    return T_LEFT + (t->frames > 1 ? T_SPAN * (double)frame / (double)(t->frames - 1) : T_SPAN / 2.0);
}

static double line_y(double score, double low, double high)
{
    return T_TOP + T_TALL * (1 - (score - low) / (high - low));
}

/* Of a long video the highest of neighbouring frames, so that no peak is lost. */
static void put_line(physad__text *out, const physad__take *t, double low, double high)
{
    const int64_t points = physad__min(t->frames, T_MOST);
    bool open = false;
    for (int64_t p = 0; p < points; p++) {
        int64_t top = p * t->frames / points;
        for (int64_t i = top; i < (p + 1) * t->frames / points; i++)
            if (!(t->scores[i] <= t->scores[top]))
                top = i;
        if (!isfinite(t->scores[top]))
            continue;
        physad__html_format(out, "%s%.1f %.1f", open ? "L" : "<path class=\"curve m0\" d=\"M", line_x(t, top),
                            line_y(t->scores[top], low, high));
        open = true;
    }
    if (open)
        physad__html_raw(out, "\"/>");
}

void physad__html_time_line(physad__text *out, const physad__take *t)
{
    double low = INFINITY, high = -INFINITY;
    char at[48], end[48];
    for (int64_t i = 0; i < t->frames; i++)
        if (isfinite(t->scores[i])) {
            low = fmin(low, t->scores[i]);
            high = fmax(high, t->scores[i]);
        }
    if (!(low <= high))
        return;
    if (!(low < high))
        high = low + 1;
    if (t->rate > 0) {
        physad__snprintf(at, sizeof(at), "%.2f s", (double)t->worst / t->rate);
        physad__snprintf(end, sizeof(end), "%.2f s", (double)t->frames / t->rate);
    } else {
        physad__snprintf(at, sizeof(at), "frame %lld", (long long)t->worst);
        physad__snprintf(end, sizeof(end), "%lld frames", (long long)t->frames);
    }
    physad__html_format(
        out,
        "<svg class=\"line\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"score over time, highest at "
        "%s of %s\"><path class=\"axis\" d=\"M%d %dH%d\"/>",
        T_WIDTH, T_HEIGHT, at, end, T_LEFT, T_TOP + T_TALL, T_LEFT + T_SPAN);
    put_line(out, t, low, high);
    const double x = line_x(t, t->worst);
    physad__html_format(
        out, "<path class=\"limit\" d=\"M%.1f %dV%d\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s</text>", x,
        T_TOP, T_TOP + T_TALL, x, T_HEIGHT - 6,
        x < T_WIDTH / 4.0       ? "start"
        : x > T_WIDTH * 3 / 4.0 ? "end"
                                : "middle",
        at);
    physad__html_raw(out, "</svg>");
}
