/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report_html.h"

#include <math.h>
#include <stdlib.h>

/* A sample as one method scored it. */
typedef struct entry {
    const physad__report *report;
    const physad__report_sample *sample;
    int64_t method, index;
    int64_t count; /* of the card that begins here: methods that scored it; 0 for the rest of a card */
} entry;

static int by_path(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    const int order = physad__natural_compare(x->sample->path, y->sample->path);
    if (order != 0)
        return order;
    if (x->method != y->method)
        return x->method < y->method ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Cards by the first method's score, the most anomalous first. Entries point at those of a card. */
static int by_score(const void *a, const void *b)
{
    const entry *x = *(entry *const *)a, *y = *(entry *const *)b;
    if (x->sample->score != y->sample->score)
        return x->sample->score > y->sample->score ? -1 : 1;
    return x < y ? -1 : x > y;
}

static const char *verdict(const entry *e)
{
    if (isnan(e->report->threshold))
        return "none";
    const bool alarm = e->sample->score > e->report->threshold;
    if (e->sample->label != 0)
        return alarm ? "found" : "missed";
    return alarm ? "alarm" : "passed";
}

static const char *verdict_text(const char *v)
{
    return strcmp(v, "found") == 0    ? "found"
           : strcmp(v, "missed") == 0 ? "missed"
           : strcmp(v, "alarm") == 0  ? "false alarm"
           : strcmp(v, "passed") == 0 ? "passed"
                                      : "no threshold";
}

static void put_image(physad__text *out, const physad__thumb *thumb, const char *name)
{
    physad__html_format(out,
                        "<img loading=\"lazy\" width=\"%lld\" height=\"%lld\" alt=\"%s\" "
                        "src=\"data:image/jpeg;base64,",
                        (long long)thumb->width, (long long)thumb->height, name);
    physad__html_base64(out, thumb->bytes, thumb->size);
    physad__html_raw(out, "\">");
}

static void put_figure(physad__text *out, const physad__thumb *thumb, const char *caption, const char *more)
{
    if (thumb->bytes == NULL)
        return;
    physad__html_raw(out, "<figure>");
    put_image(out, thumb, caption);
    physad__html_format(out, "<figcaption>%s", caption);
    if (more != NULL) {
        physad__html_raw(out, " ");
        physad__html_text(out, more);
    }
    physad__html_raw(out, "</figcaption></figure>\n");
}

/* The normal moment most like the oddest one, or why there is none. */
static void put_normal_moment(physad__text *out, const physad__take *take, const physad__thumb *picture)
{
    char place[64];
    physad__snprintf(place, sizeof(place), "nearest normal moment, frame %lld of", (long long)take->near_frame);
    if (picture->bytes != NULL) {
        put_figure(out, picture, place, take->near_path);
        return;
    }
    physad__html_raw(out, "<p class=\"soft\">");
    if (take->near_path != NULL) {
        physad__html_format(out, "%s ", place);
        physad__html_text(out, take->near_path);
        physad__html_raw(out, ": the video cannot be shown");
    } else {
        physad__html_raw(out, "no nearest normal moment: nothing moves around this frame, and only what moves is "
                              "compared with normal moments");
    }
    physad__html_raw(out, "</p>\n");
}

/* Of a video: its oddest frame beside the normal moment most like it, how its score went, what is odd in words. */
static void put_take(physad__text *out, const physad__take *take, const physad__thumbs *t)
{
    physad__html_raw(out, "<div class=\"row\">\n");
    if (t != NULL) {
        char place[64];
        physad__snprintf(place, sizeof(place), "frame with the highest score, %lld", (long long)take->worst);
        put_figure(out, &t->image[PHYSAD__THUMB_PHOTO], place, NULL);
        put_figure(out, &t->image[PHYSAD__THUMB_MAP], "score map", NULL);
        if (take->verdict != NULL)
            put_normal_moment(out, take, &t->image[PHYSAD__THUMB_NEAREST]);
    }
    physad__html_raw(out, "<div>");
    physad__html_time_line(out, take);
    if (take->verdict != NULL) {
        physad__html_raw(out, "<p>");
        physad__html_text(out, *take->verdict != '\0' ? take->verdict : "nothing is odd");
        physad__html_raw(out, "</p>");
    }
    physad__html_raw(out, "</div></div>");
}

/* Of methods on photos with poses: what the scene shows from the photo's place. */
static void put_scene(physad__text *out, const physad__thumbs *t)
{
    if (t == NULL || t->image[PHYSAD__THUMB_RENDER].bytes == NULL)
        return;
    physad__html_raw(out, "<div class=\"pair\">\n");
    put_figure(out, &t->image[PHYSAD__THUMB_RENDER], "the scene from there", NULL);
    put_figure(out, &t->image[PHYSAD__THUMB_RESIDUAL], "what differs from it", NULL);
    physad__html_raw(out, "</div>");
}

/* What one method says: its map where there is one, score and verdict, and below the patch that decided beside its
 * neighbour. */
static void put_method(physad__text *out, const entry *e)
{
    const char *v = verdict(e);
    const physad__thumbs *t = e->sample->thumbs;
    const char *class = strcmp(v, "none") == 0                                ? "soft"
                        : strcmp(v, "missed") == 0 || strcmp(v, "alarm") == 0 ? "wrong"
                                                                              : "right";
    const bool video = e->sample->take != NULL;
    physad__html_raw(out, video ? "<div class=\"take\">" : "<div class=\"method\">");
    if (!video && t != NULL && t->image[PHYSAD__THUMB_MAP].bytes != NULL)
        put_image(out, &t->image[PHYSAD__THUMB_MAP], "score map");
    physad__html_raw(out, "<p><b>");
    physad__html_text(out, e->report->method);
    physad__html_raw(out, "</b> ");
    physad__html_number(out, e->sample->score);
    physad__html_format(out, " <span class=\"%s\">%s</span></p>", class, verdict_text(v));
    if (video)
        put_take(out, e->sample->take, t);
    else if (t != NULL &&
             (t->image[PHYSAD__THUMB_PATCH].bytes != NULL || t->image[PHYSAD__THUMB_NEAREST].bytes != NULL)) {
        physad__html_raw(out, "<div class=\"pair\">\n");
        put_figure(out, &t->image[PHYSAD__THUMB_PATCH], "highest-scored patch", NULL);
        put_figure(out, &t->image[PHYSAD__THUMB_NEAREST], "nearest normal:", t->nearest_path);
        physad__html_raw(out, "</div>");
    }
    put_scene(out, t);
    physad__html_raw(out, "</div>\n");
}

static void put_attributes(physad__text *out, const entry *e)
{
    physad__html_raw(out, "<article data-category=\"");
    physad__html_text(out, e->report->category);
    physad__html_format(out, "\" data-label=\"%d\" data-type=\"", e->sample->label);
    physad__html_text(out, e->sample->type);
    physad__html_raw(out, "\" data-path=\"");
    physad__html_text(out, e->sample->path);
    physad__html_raw(out, "\"");
    for (int64_t i = 0; i < e->count; i++) {
        const int method = (int)e[i].method;
        physad__html_format(out, " data-v%d=\"%s\" data-s%d=\"%.17g\"", method, verdict(&e[i]), method,
                            e[i].sample->score);
    }
    physad__html_raw(out, ">");
}

static void put_card(physad__text *out, const entry *e)
{
    const physad__thumbs *t = NULL;
    for (int64_t i = 0; i < e->count && t == NULL; i++)
        t = e[i].sample->thumbs;
    put_attributes(out, e);
    physad__html_raw(out, "<h3>");
    physad__html_text(out, e->sample->path);
    physad__html_format(out, " <span class=\"%s\">", e->sample->label != 0 ? "tag odd-tag" : "tag");
    physad__html_raw(out, e->sample->label != 0 ? "anomalous: " : "normal: ");
    physad__html_text(out, e->sample->type);
    physad__html_raw(out, "</span></h3>\n<div class=\"row\">\n");
    if (t != NULL && e->sample->take == NULL) { /* of videos each method has its own oddest frame */
        put_figure(out, &t->image[PHYSAD__THUMB_PHOTO], "photo", NULL);
        put_figure(out, &t->image[PHYSAD__THUMB_TRUTH], "ground truth, outlined", NULL);
    }
    for (int64_t i = 0; i < e->count; i++)
        put_method(out, &e[i]);
    physad__html_raw(out, "</div></article>\n");
}

/* Entries of one path that follow each other by method are one card; a path that a method has twice begins another. */
static int64_t find_cards(entry *entries, int64_t count, entry **cards)
{
    int64_t n = 0;
    for (int64_t i = 0; i < count; i++) {
        const bool same = i > 0 && strcmp(entries[i].sample->path, entries[i - 1].sample->path) == 0 &&
                          entries[i].method > entries[i - 1].method;
        if (!same)
            cards[n++] = &entries[i];
        cards[n - 1]->count++;
    }
    return n;
}

static physad_status put_category(physad__text *out, const physad_evaluation *e, int64_t category)
{
    const int64_t categories = e->count / e->methods;
    int64_t total = 0, n = 0;
    for (int64_t m = 0; m < e->methods; m++)
        total += e->reports[m * categories + category].sample_count;
    entry *entries = physad__alloc_array(&e->ctx->mem, total, sizeof(*entries), "page of a report");
    entry **cards = physad__alloc_array(&e->ctx->mem, total, sizeof(*cards), "page of a report");
    if (entries != NULL && cards != NULL) {
        for (int64_t m = 0; m < e->methods; m++) {
            const physad__report *r = &e->reports[m * categories + category];
            for (int64_t i = 0; i < r->sample_count; i++)
                entries[n++] = (entry){ r, &r->samples[i], m, i, 0 };
        }
        qsort(entries, (size_t)n, sizeof(*entries), by_path);
        const int64_t count = find_cards(entries, n, cards);
        qsort(cards, (size_t)count, sizeof(*cards), by_score);
        for (int64_t i = 0; i < count; i++)
            put_card(out, cards[i]);
    }
    const physad_status status = entries != NULL && cards != NULL ? out->status : PHYSAD_ERR_NOMEM;
    physad__free(entries);
    physad__free(cards);
    return status;
}

/* --- filters --- */

static void put_select(physad__text *out, const char *label, const char *name)
{
    physad__html_format(out, "<label>%s<select name=\"%s\">", label, name);
}

static void put_choice(physad__text *out, const char *prefix, const char *value, const char *shown)
{
    physad__html_format(out, "<option value=\"%s", prefix);
    physad__html_text(out, value);
    physad__html_raw(out, "\">");
    physad__html_text(out, *shown != '\0' ? shown : "(none)");
    physad__html_raw(out, "</option>");
}

static int by_text(const void *a, const void *b)
{
    return physad__natural_compare(*(const char *const *)a, *(const char *const *)b);
}

static physad_status put_types(physad__text *out, const physad_evaluation *e)
{
    const char **types = NULL;
    int64_t count = 0, capacity = 0;
    physad_status status = PHYSAD_OK;
    for (int64_t r = 0; r < e->count && status == PHYSAD_OK; r++)
        for (int64_t i = 0; i < e->reports[r].sample_count && status == PHYSAD_OK; i++) {
            const char *type = e->reports[r].samples[i].type;
            int64_t k = 0;
            while (k < count && strcmp(types[k], type) != 0)
                k++;
            if (k == count)
                status = physad__grow(&e->ctx->mem, &types, &capacity, count + 1, sizeof(*types), "types of a report");
            if (k == count && status == PHYSAD_OK)
                types[count++] = type;
        }
    if (count > 0)
        qsort(types, (size_t)count, sizeof(*types), by_text);
    put_select(out, "Type", "type");
    put_choice(out, "", "", "all");
    for (int64_t i = 0; i < count; i++)
        put_choice(out, "=", types[i], types[i]);
    physad__html_raw(out, "</select></label>\n");
    physad__free(types);
    return status;
}

static physad_status put_filters(physad__text *out, const physad_evaluation *e)
{
    char number[24];
    const int64_t categories = e->count / e->methods;
    physad__html_raw(out, "<form id=\"filters\" hidden aria-label=\"Filters of the gallery\">\n");
    put_select(out, "Category", "category");
    put_choice(out, "", "", "all");
    for (int64_t i = 0; i < categories; i++)
        put_choice(out, "=", e->reports[i].category, e->reports[i].category);
    physad__html_raw(out, "</select></label>\n");
    put_select(out, "Label", "label");
    physad__html_raw(out,
                     "<option value=\"\">all</option><option value=\"0\">normal</option><option value=\"1\">anomalous"
                     "</option></select></label>\n");
    PHYSAD__TRY(put_types(out, e));
    put_select(out, "By method", "method");
    for (int64_t i = 0; i < e->methods; i++) {
        physad__snprintf(number, sizeof(number), "%lld", (long long)i);
        put_choice(out, "", number, e->reports[i * categories].method);
    }
    physad__html_raw(out, "</select></label>\n");
    put_select(out, "Verdict", "verdict");
    physad__html_raw(out,
                     "<option value=\"\">all</option><option value=\"missed\">missed</option><option value=\"alarm\">"
                     "false alarm</option><option value=\"found\">found</option><option value=\"passed\">passed"
                     "</option></select></label>\n");
    put_select(out, "Order", "order");
    physad__html_raw(out, "<option value=\"high\">highest first</option><option value=\"low\">lowest first</option>"
                          "</select></label>\n<label>Path contains<input type=\"search\" name=\"path\"></label>\n"
                          "<output id=\"shown\" aria-live=\"polite\"></output></form>\n");
    return out->status;
}

physad_status physad__html_cards(physad__text *out, const physad_evaluation *e)
{
    PHYSAD__TRY(put_filters(out, e));
    physad__html_raw(out, "<div class=\"cards\" id=\"cards\">\n");
    for (int64_t i = 0; i < e->count / e->methods; i++)
        PHYSAD__TRY(put_category(out, e, i));
    physad__html_raw(out, "</div>\n");
    return out->status;
}
