/* SPDX-License-Identifier: Apache-2.0 */
/* The page of an evaluation. It holds no durations and no date, so that equal results make equal pages. */
#include "report/report_html.h"

#include <physad/version.h>

#include <math.h>

/* --- tables --- */

static void put_metric(physad__text *out, const physad_metric *m, bool best)
{
    physad__html_raw(out, best ? "<td class=\"best\">" : "<td>");
    if (isnan(m->value)) {
        physad__html_raw(out, "\xe2\x80\x93<small>");
        physad__html_text(out, m->reason != NULL ? m->reason : "undefined");
        physad__html_raw(out, "</small>");
    } else {
        physad__html_format(out, "%.4f", m->value);
        if (!isnan(m->lower))
            physad__html_format(out, "<small>%.3f&#8201;&#8211;&#8201;%.3f</small>", m->lower, m->upper);
    }
    physad__html_raw(out, "</td>");
}

static bool is_shown(const physad_evaluation *e, const physad__figure *f)
{
    for (int64_t i = 0; i < e->count; i++)
        if (physad__figure_fits(f, &e->reports[i]))
            return true;
    return false;
}

/* Over the categories that define the figure. */
static physad_metric mean_of(const physad__figure *f, const physad__report *reports, int64_t count)
{
    physad__sum sum = { 0, 0 };
    int64_t defined = 0;
    physad_metric mean = physad__metric_none("undefined everywhere");
    for (int64_t i = 0; i < count; i++) {
        const double value =
            physad__figure_fits(f, &reports[i]) ? physad__figure_of(f, &reports[i]).value : (double)NAN;
        defined += !isnan(value);
        physad__sum_add(&sum, isnan(value) ? 0 : value);
    }
    if (defined > 0)
        mean.value = physad__sum_value(&sum) / (double)defined;
    return mean;
}

/* A figure of one report, or the mean of `mean_of_n` of them. */
static physad_metric shown(const physad__figure *f, const physad__report *r, int64_t mean_of_n)
{
    if (mean_of_n > 0)
        return mean_of(f, r, mean_of_n);
    return physad__figure_fits(f, r) ? physad__figure_of(f, r) : physad__metric_none("not of this kind of data");
}

/* Whether no other method has more in this row's category; with one method nothing is best. */
static bool is_best(const physad_evaluation *e, const physad__figure *f, int64_t row, int64_t mean_of_n)
{
    const int64_t categories = e->count / e->methods;
    const double value = shown(f, &e->reports[row], mean_of_n).value;
    bool best = e->methods > 1 && !isnan(value);
    for (int64_t i = row % categories; best && i < e->count; i += categories) {
        const double other = shown(f, &e->reports[i], mean_of_n).value;
        best = !(other > value);
    }
    return best;
}

static void put_summary_row(physad__text *out, const physad_evaluation *e, int64_t row, int64_t mean_of_n)
{
    const physad__report *r = &e->reports[row];
    physad__html_raw(out, mean_of_n > 0 ? "<tr class=\"mean\"><td>" : "<tr><td>");
    physad__html_text(out, r->method);
    physad__html_raw(out, "</td><td class=\"left\">");
    if (mean_of_n > 0)
        physad__html_format(out, "mean of %lld", (long long)mean_of_n);
    else
        physad__html_text(out, r->category);
    physad__html_raw(out, "</td>");
    for (int64_t i = 0; i < physad__figure_count; i++) {
        const physad__figure *f = &physad__figures[i];
        if (!is_shown(e, f))
            continue;
        const physad_metric m = shown(f, r, mean_of_n);
        put_metric(out, &m, is_best(e, f, row, mean_of_n));
    }
    physad__html_raw(out, "</tr>\n");
}

/* --- by attribute --- */

static bool is_main(const physad__figure *f)
{
    return strcmp(f->metric, "auroc") == 0 || strcmp(f->metric, "aupro@0.3") == 0;
}

/* One method's figures of a value: in one category, or (mean_of_n > 0) over as many. */
static void put_break_cells(physad__text *out, const physad__report *r, int64_t mean_of_n,
                            const physad__report_break *b)
{
    for (int64_t i = 0; i < physad__figure_count; i++) {
        const physad__figure *f = &physad__figures[i];
        if (!is_main(f) || !physad__break_figure_fits(f, r))
            continue;
        const physad__report_break *own = mean_of_n > 0 ? b : physad__break_find(r, b->attribute, b->value);
        const physad_metric m = mean_of_n > 0 ? physad__break_mean(f, r, mean_of_n, b)
                                : own != NULL ? physad__break_figure(f, r, own)
                                              : physad__metric_none("not scored");
        put_metric(out, &m, false);
    }
}

static void put_break_rows(physad__text *out, const physad__report *reports, int64_t methods, int64_t stride,
                           int64_t mean_of_n)
{
    const int64_t spread = mean_of_n > 0 ? mean_of_n : 1;
    for (int64_t at = 0; at < spread; at++)
        for (int64_t i = 0; i < reports[at].break_count; i++) {
            const physad__report_break *b = &reports[at].breaks[i];
            int64_t count[2] = { 0, 0 };
            if (!physad__break_is_first(reports, at, i))
                continue;
            for (int64_t k = at; k < spread; k++) {
                const physad__report_break *own = physad__break_find(&reports[k], b->attribute, b->value);
                count[0] += own != NULL ? own->count[0] : 0;
                count[1] += own != NULL ? own->count[1] : 0;
            }
            physad__html_raw(out, "<tr><td>");
            physad__html_text(out, b->attribute);
            physad__html_raw(out, "</td><td class=\"left\">");
            physad__html_text(out, b->value);
            physad__html_format(out, "</td><td>%lld</td><td>%lld</td>", (long long)count[0], (long long)count[1]);
            for (int64_t k = 0; k < methods; k++)
                put_break_cells(out, &reports[k * stride], mean_of_n, b);
            physad__html_raw(out, "</tr>\n");
        }
}

/* A row per value, of one category or over all. */
static void put_breaks(physad__text *out, const physad__report *reports, int64_t methods, int64_t stride,
                       int64_t mean_of_n)
{
    int64_t n = 0;
    for (int64_t i = 0; i < (mean_of_n > 0 ? mean_of_n : 1); i++)
        n += reports[i].break_count;
    if (n == 0)
        return;
    physad__html_raw(out, "<h3>By attribute</h3>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" "
                          "aria-label=\"Figures by attribute\"><table><thead><tr><th scope=\"col\">attribute</th>"
                          "<th scope=\"col\" class=\"left\">value</th><th scope=\"col\">normal</th>"
                          "<th scope=\"col\">anomalous</th>");
    for (int64_t k = 0; k < methods; k++)
        for (int64_t i = 0; i < physad__figure_count; i++)
            if (is_main(&physad__figures[i]) && physad__break_figure_fits(&physad__figures[i], reports)) {
                physad__html_raw(out, "<th scope=\"col\">");
                physad__html_text(out, reports[k * stride].method);
                physad__html_format(out, "<br>%s</th>", physad__figures[i].title);
            }
    physad__html_raw(out, "</tr></thead><tbody>\n");
    put_break_rows(out, reports, methods, stride, mean_of_n);
    physad__html_raw(out, "</tbody></table></div>\n<p class=\"soft\">Defects that cover less than 0.5 % of the photo "
                          "are small, those from 2 % on large; normal photos stand against each size.");
    physad__html_raw(out, mean_of_n > 0 ? " Means over the categories that have the value.</p>\n" : "</p>\n");
}

static void put_summary(physad__text *out, const physad_evaluation *e)
{
    const int64_t categories = e->count / e->methods;
    physad__html_raw(out, "<h2 id=\"summary\">Summary</h2>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" "
                          "aria-label=\"Metrics\"><table><thead><tr><th scope=\"col\">method</th><th scope=\"col\" "
                          "class=\"left\">category</th>");
    bool pro = false;
    for (int64_t i = 0; i < physad__figure_count; i++) {
        if (!is_shown(e, &physad__figures[i]))
            continue;
        pro = pro || strncmp(physad__figures[i].title, "AUPRO", 5) == 0;
        physad__html_format(out, "<th scope=\"col\">%s</th>", physad__figures[i].title);
    }
    physad__html_raw(out, "</tr></thead><tbody>\n");
    for (int64_t m = 0; m < e->methods; m++) {
        for (int64_t c = 0; c < categories; c++)
            put_summary_row(out, e, m * categories + c, 0);
        if (categories > 1)
            put_summary_row(out, e, m * categories, categories);
    }
    physad__html_raw(out,
                     "</tbody></table></div>\n<p class=\"soft\">Small: 95 % intervals by bootstrap over groups, where "
                     "there are any. F1-max and accuracy are an oracle&#39;s figures: their threshold is chosen on "
                     "these very labels.");
    physad__html_raw(out, pro ? " AUPRO: up to a false-positive rate of 0.3, or of 0.05." : "");
    physad__html_raw(out, e->methods > 1 ? " Bold: the highest of the methods.</p>\n" : "</p>\n");
    if (categories > 1)
        put_breaks(out, e->reports, e->methods, categories, categories);
}

/* Methods may have left out different photos. */
static const physad__report_group *find_thing(const physad__report *r, const char *name)
{
    for (int64_t i = 0; i < r->group_count; i++)
        if (strcmp(r->samples[r->groups[i].photos[0]].group, name) == 0)
            return &r->groups[i];
    return NULL;
}

/* Whether a method says where in space things are odd: those with poses do. */
static bool has_places(const physad__report *r)
{
    bool any = false;
    for (int64_t i = 0; i < r->group_count && !any; i++)
        any = r->groups[i].place_count > 0;
    return any;
}

static void put_thing(physad__text *out, const physad__report *reports, int64_t count, int64_t stride, int64_t index)
{
    const physad__report_group *g = &reports[0].groups[index];
    const physad__report_sample *s = &reports[0].samples[g->photos[g->first_odd]];
    physad__html_raw(out, "<tr><td>");
    physad__html_text(out, s->group);
    physad__html_raw(out, "</td><td class=\"left\">");
    physad__html_text(out, s->type);
    physad__html_format(out, "</td><td>%lld</td>", (long long)g->photo_count);
    for (int64_t k = 0; k < count; k++) {
        const physad__report *r = &reports[k * stride];
        const physad__report_group *same = find_thing(r, s->group);
        physad__html_raw(out, "<td>");
        if (same != NULL)
            physad__html_number(out, same->score);
        physad__html_raw(out, "</td>");
        if (!has_places(r))
            continue;
        physad__html_raw(out, "<td class=\"left\">");
        if (same != NULL && same->place_count > 0) {
            const physad_place *p = &same->places[0];
            physad__html_format(out, "%.3g, %.3g, %.3g (%.2g), %d of %d photos", p->position[0], p->position[1],
                                p->position[2], p->radius, p->agreeing, p->seen_by);
        }
        physad__html_raw(out, "</td>");
    }
    physad__html_raw(out, "</tr>\n");
}

/* One verdict per thing: a row each, its score by every method, and where it is oddest. Things of a single photo have
 * it at their card. */
static void put_things(physad__text *out, const physad__report *reports, int64_t count, int64_t stride)
{
    const physad__report *first = &reports[0];
    int64_t n = 0;
    bool in_space = false;
    for (int64_t i = 0; i < first->group_count; i++)
        n += first->groups[i].photo_count > 1;
    if (n == 0)
        return;
    physad__html_raw(
        out,
        "<h3>Things of several photos</h3>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" "
        "aria-label=\"Things\"><table><thead><tr><th scope=\"col\">thing</th><th scope=\"col\" class=\"left\">type</th>"
        "<th scope=\"col\">photos</th>");
    for (int64_t k = 0; k < count; k++) {
        physad__html_raw(out, "<th scope=\"col\">");
        physad__html_text(out, reports[k * stride].method);
        const bool places = has_places(&reports[k * stride]);
        physad__html_raw(out, places ? "</th><th scope=\"col\" class=\"left\">oddest at</th>" : "</th>");
        in_space = in_space || places;
    }
    physad__html_raw(out, "</tr></thead><tbody>\n");
    for (int64_t i = 0; i < first->group_count; i++)
        if (first->groups[i].photo_count > 1)
            put_thing(out, reports, count, stride, i);
    physad__html_raw(out, "</tbody></table></div>\n");
    if (in_space)
        physad__html_raw(out,
                         "<p class=\"soft\">Places are x, y, z in the frame of the training photos&#39; poses, with "
                         "the radius of what is odd, and in how many of the photos that see the place it is "
                         "odd.</p>\n");
}

/* A row per type, two columns per method. Types are those of the first method that has any. */
static void put_types(physad__text *out, const physad__report *reports, int64_t count, int64_t stride)
{
    const physad_metrics *first = NULL;
    for (int64_t k = 0; k < count && first == NULL; k++)
        if (physad_metrics_type_count(reports[k * stride].images) > 0)
            first = reports[k * stride].images;
    if (first == NULL)
        return;
    physad__html_raw(out, "<h3>By type of defect: AUROC</h3>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" "
                          "aria-label=\"AUROC by type\"><table><thead><tr><th scope=\"col\">type</th>");
    for (int64_t k = 0; k < count; k++)
        for (int rest = 0; rest < 2; rest++) {
            physad__html_raw(out, "<th scope=\"col\">");
            physad__html_text(out, reports[k * stride].method);
            physad__html_raw(out, rest ? "<br>against other types</th>" : "<br>against normal</th>");
        }
    physad__html_raw(out, "</tr></thead><tbody>\n");
    for (int64_t i = 0; i < physad_metrics_type_count(first); i++) {
        const char *type = physad_metrics_type_name(first, i);
        physad__html_raw(out, "<tr><td>");
        physad__html_text(out, type);
        physad__html_raw(out, "</td>");
        for (int64_t k = 0; k < count; k++) {
            const physad_metrics *m = reports[k * stride].images;
            physad_metric good = physad__metric_none("not scored"), rest = good;
            for (int64_t t = 0; t < physad_metrics_type_count(m); t++)
                if (strcmp(physad_metrics_type_name(m, t), type) == 0 &&
                    physad_metrics_type(m, t, &good, &rest) != PHYSAD_OK)
                    good = rest = physad__metric_none("not measured");
            put_metric(out, &good, false);
            put_metric(out, &rest, false);
        }
        physad__html_raw(out, "</tr>\n");
    }
    physad__html_raw(out, "</tbody></table></div>\n");
}

/* --- the threshold and what it promises --- */

static void put_threshold(physad__text *out, const physad__report *r)
{
    int64_t count[2] = { 0, 0 }, alarms[2] = { 0, 0 };
    physad__html_raw(out, "<p>");
    if (isnan(r->threshold)) {
        const char *reason = r->threshold_reason != NULL ? r->threshold_reason : "none was set";
        const char *said = strstr(reason, "no threshold: "); /* said here already */
        physad__html_raw(out, "No threshold: ");
        physad__html_text(out, said != NULL ? said + strlen("no threshold: ") : reason);
        physad__html_raw(out, ".</p>\n");
        return;
    }
    for (int64_t i = 0; i < r->sample_count; i++) {
        const int32_t label = r->samples[i].label != 0;
        count[label]++;
        alarms[label] += r->samples[i].score > r->threshold;
    }
    physad__html_format(out, "Threshold %.6g, chosen on normal samples only. ", r->threshold);
    if (r->threshold_groups > 0)
        physad__html_format(out,
                            "It promises that a new normal group raises a false alarm with a probability of at most "
                            "%.4g, on average over calibration sets; with these %lld calibration groups the rate lies "
                            "between %.4g and %.4g with 95 %% confidence. This holds for samples like those it was "
                            "calibrated on. ",
                            r->alpha, (long long)r->threshold_groups, r->rate_low, r->rate_high);
    else
        physad__html_raw(out, "It was given, and promises nothing. ");
    physad__html_format(out,
                        "On this test set: %lld of %lld normal samples above it, %lld of %lld anomalous ones.</p>\n",
                        (long long)alarms[0], (long long)count[0], (long long)alarms[1], (long long)count[1]);
}

static void put_category(physad__text *out, const physad_evaluation *e, int64_t category)
{
    const int64_t categories = e->count / e->methods;
    const physad__report *first = &e->reports[category];
    physad__html_format(out, "<section aria-labelledby=\"c%lld\"><h2 id=\"c%lld\">", (long long)category,
                        (long long)category);
    physad__html_text(out, *first->category != '\0' ? first->category : "All samples");
    physad__html_format(out, "</h2>\n<p>%lld normal training samples, %lld test samples.</p>\n",
                        (long long)first->n_train, (long long)first->n_test);
    put_types(out, first, e->methods, categories);
    put_breaks(out, first, e->methods, categories, 0);
    put_things(out, first, e->methods, categories);
    physad__html_raw(out, "<h3>Curves</h3>\n");
    physad__html_curves(out, first, e->methods, categories);
    physad__html_raw(out, "<div class=\"scores\">\n");
    for (int64_t m = 0; m < e->methods; m++) {
        physad__html_raw(out, "<div><h3>Scores of ");
        physad__html_text(out, first[m * categories].method);
        physad__html_raw(out, "</h3>\n");
        physad__html_histogram(out, &first[m * categories]);
        put_threshold(out, &first[m * categories]);
        physad__html_raw(out, "</div>\n");
    }
    physad__html_raw(out, "</div></section>\n");
}

/* --- to repeat it --- */

/* A digest of the test samples (path, label, type, group), and with their scores to the bit. */
static physad_status digest(char out[65], physad__mem *mem, const physad__report *r, bool scores)
{
    physad__text text = { .mem = mem };
    char number[64];
    (void)physad__text_put(&text, "", 0);
    for (int64_t i = 0; i < r->sample_count; i++) {
        const physad__report_sample *s = &r->samples[i];
        const char *const parts[3] = { s->path, s->type, s->group };
        for (int k = 0; k < 3; k++)
            (void)physad__text_put(&text, parts[k], strlen(parts[k]) + 1);
        const int n = scores ? physad__snprintf(number, sizeof(number), "%d %.17g\n", s->label, s->score)
                             : physad__snprintf(number, sizeof(number), "%d\n", s->label);
        (void)physad__text_put(&text, number, (size_t)n);
    }
    physad_status status = text.status;
    if (status == PHYSAD_OK)
        status = physad__sha256(out, text.data, (size_t)text.size);
    physad__free(text.data);
    return status;
}

static void put_hash(physad__text *out, const char *name, const char *hash)
{
    physad__html_format(out, "<dt>%s</dt><dd class=\"hash\">%s</dd>\n", name, hash);
}

static physad_status put_run(physad__text *out, physad__mem *mem, const physad__report *r)
{
    char samples[65], scores[65];
    PHYSAD__TRY(digest(samples, mem, r, false));
    PHYSAD__TRY(digest(scores, mem, r, true));
    physad__html_raw(out, "<details><summary>");
    physad__html_text(out, r->method);
    if (*r->category != '\0') {
        physad__html_raw(out, ", ");
        physad__html_text(out, r->category);
    }
    physad__html_raw(out, "</summary><dl>\n");
    physad__html_format(out, "<dt>seed</dt><dd>%llu</dd><dt>pixels compared at</dt><dd>%s</dd>\n",
                        (unsigned long long)r->seed,
                        r->metrics_size == PHYSAD_METRICS_INPUT ? "the model&#39;s size" : "the photo&#39;s size");
    put_hash(out, "test samples (SHA-256 of paths, types, groups and labels)", samples);
    put_hash(out, "test scores (SHA-256 of the same with the scores)", scores);
    if (r->weights_sha256[0] != '\0')
        put_hash(out, "weights (SHA-256 of the file)", r->weights_sha256);
    physad__html_raw(out, "</dl><table><tbody>\n");
    for (int64_t i = 0; i < r->option_count; i++) {
        physad__html_raw(out, "<tr><td>");
        physad__html_text(out, r->options[i].name);
        physad__html_raw(out, "</td><td class=\"left hash\">");
        physad__html_text(out, r->options[i].value);
        physad__html_raw(out, "</td></tr>\n");
    }
    physad__html_raw(out, "</tbody></table></details>\n");
    return out->status;
}

static physad_status put_setup(physad__text *out, const physad_evaluation *e)
{
    physad__html_raw(out,
                     "<h2 id=\"setup\">To repeat it</h2>\n<p>physad " PHYSAD_VERSION_STRING
                     ". Equal digests mean equal test samples, and equal scores to the bit; they depend neither on "
                     "the number of threads nor on the order of work. All figures, curves&#39; source scores and "
                     "durations are in results.json and results.csv.</p>\n");
    for (int64_t i = 0; i < e->count; i++)
        PHYSAD__TRY(put_run(out, &e->ctx->mem, &e->reports[i]));
    bool any = false;
    for (int64_t i = 0; i < e->count; i++)
        for (int64_t k = 0; k < e->reports[i].skipped_count; k++) {
            physad__html_raw(out, any ? "<li>" : "<h3>Left out</h3>\n<ul><li>");
            physad__html_text(out, e->reports[i].method);
            physad__html_raw(out, ": ");
            physad__html_text(out, e->reports[i].skipped[k].path);
            physad__html_raw(out, ": ");
            physad__html_text(out, e->reports[i].skipped[k].reason);
            physad__html_raw(out, "</li>\n");
            any = true;
        }
    if (any)
        physad__html_raw(out, "</ul>\n");
    return out->status;
}

/* --- the whole --- */

/* 'sha256-...' as a content security policy wants it. */
static physad_status put_source(physad__text *out, const char *content)
{
    char hex[65];
    unsigned char bytes[32];
    PHYSAD__TRY(physad__sha256(hex, content, strlen(content)));
    for (int i = 0; i < 32; i++) {
        const int high = hex[2 * i] <= '9' ? hex[2 * i] - '0' : hex[2 * i] - 'a' + 10;
        const int low = hex[2 * i + 1] <= '9' ? hex[2 * i + 1] - '0' : hex[2 * i + 1] - 'a' + 10;
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    physad__html_raw(out, " 'sha256-");
    physad__html_base64(out, bytes, sizeof(bytes));
    physad__html_raw(out, "'");
    return out->status;
}

static physad_status put_parts_source(physad__text *out, const char *const *parts)
{
    physad__text whole = { .mem = out->mem };
    for (int64_t k = 0; parts[k] != NULL; k++)
        physad__html_raw(&whole, parts[k]);
    const physad_status status = whole.status == PHYSAD_OK ? put_source(out, whole.data) : whole.status;
    physad__free(whole.data);
    return status;
}

physad_status physad__html_begin(physad__text *out, const char *title, const char *const *style,
                                 const char *const *script)
{
    physad__html_raw(out,
                     "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta "
                     "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src");
    PHYSAD__TRY(put_parts_source(out, style));
    physad__html_raw(out, "; script-src");
    PHYSAD__TRY(put_parts_source(out, script));
    physad__html_raw(out,
                     "; base-uri 'none'; form-action 'none'\">\n<meta name=\"viewport\" "
                     "content=\"width=device-width,initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light "
                     "dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<link rel=\"icon\" "
                     "href=\"data:,\">\n<title>");
    physad__html_text(out, title);
    physad__html_raw(out, "</title>\n<style>");
    for (int64_t k = 0; style[k] != NULL; k++)
        physad__html_raw(out, style[k]);
    physad__html_raw(out, "</style>\n</head>\n<body>\n");
    return out->status;
}

static physad_status put_head(physad__text *out, const char *title)
{
    const char *const script[] = { physad__html_script, NULL };
    physad__text sheet = { .mem = out->mem };
    physad__html_style(&sheet);
    const char *const style[] = { sheet.data, NULL };
    const physad_status status =
        sheet.status == PHYSAD_OK ? physad__html_begin(out, title, style, script) : sheet.status;
    physad__free(sheet.data);
    PHYSAD__TRY(status);
    physad__html_raw(out, "<a class=\"skip\" href=\"#gallery\">To the gallery</a>\n<header><h1>");
    physad__html_text(out, title);
    physad__html_raw(out, "</h1>\n");
    return out->status;
}

/* What was compared on what, in a line. */
static void put_facts(physad__text *out, const physad_evaluation *e)
{
    const int64_t categories = e->count / e->methods;
    int64_t samples = 0;
    for (int64_t i = 0; i < categories; i++)
        samples += e->reports[i].n_test;
    physad__html_raw(out, "<p class=\"soft\">");
    for (int64_t m = 0; m < e->methods; m++) {
        physad__html_raw(out, m == 0 ? "" : ", ");
        physad__html_text(out, e->reports[m * categories].method);
    }
    physad__html_raw(out, " on ");
    physad__html_text(out, *e->reports[0].dataset != '\0' ? e->reports[0].dataset : "samples in memory");
    physad__html_format(out, ": %lld test samples in %lld %s</p>\n", (long long)samples, (long long)categories,
                        categories == 1 ? "category" : "categories");
}

static physad_status put_page(physad__text *out, const physad_evaluation *e, const char *title)
{
    const int64_t categories = e->count / e->methods;
    PHYSAD__TRY(put_head(out, title));
    put_facts(out, e);
    physad__html_raw(out, "<nav aria-label=\"Parts\"><a href=\"#summary\">Summary</a>");
    for (int64_t i = 0; i < categories; i++) {
        physad__html_format(out, " <a href=\"#c%lld\">", (long long)i);
        physad__html_text(out, *e->reports[i].category != '\0' ? e->reports[i].category : "All samples");
        physad__html_raw(out, "</a>");
    }
    physad__html_raw(out,
                     " <a href=\"#gallery\">Gallery</a> <a href=\"#setup\">To repeat it</a></nav></header>\n<main>\n");
    put_summary(out, e);
    for (int64_t i = 0; i < categories; i++)
        put_category(out, e, i);
    physad__html_raw(out,
                     "<h2 id=\"gallery\" tabindex=\"-1\">Gallery</h2>\n<p>Every test sample, the highest scores "
                     "first. Pictures are kept of the highest and lowest scores of each type. The colour of a score "
                     "map begins at the map&#39;s median score and is full at the threshold, or at the map&#39;s "
                     "highest score where there is none. Below it the patch with the highest score, and beside that "
                     "the patch of the normal training samples that is nearest to it, or what the fitted scene shows "
                     "from the photo&#39;s place and how the photo differs. Of a video by each method the frame with "
                     "the highest score, beside it the moment of a normal training video that is most like "
                     "it, the scores of all frames over time, and what is odd in words, as far as the method tells "
                     "them.</p>\n");
    physad__html_scale(out);
    PHYSAD__TRY(physad__html_cards(out, e));
    PHYSAD__TRY(put_setup(out, e));
    physad__html_raw(out, "</main>\n<script>");
    physad__html_raw(out, physad__html_script);
    physad__html_raw(out, "</script>\n</body>\n</html>\n");
    return out->status;
}

static physad_status write_in(physad__mem *mem, const char *folder, const char *name, const char *text, int64_t size)
{
    char *path = physad__path_join(mem, folder, name);
    const physad_status status =
        path != NULL ? physad__file_write_atomic(mem, path, text, (size_t)size) : PHYSAD_ERR_NOMEM;
    physad__free(path);
    return status;
}

physad_status physad_evaluation_html(const physad_evaluation *evaluation, const char *folder,
                                     const physad_html_options *options)
{
    physad_html_options o = PHYSAD_HTML_OPTIONS_INIT;
    if (evaluation == NULL || folder == NULL || *folder == '\0')
        return physad__error(PHYSAD_ERR_ARG, "physad_evaluation_html: %s",
                             evaluation == NULL ? "evaluation is NULL" : "want the name of a folder");
    PHYSAD__TRY(physad__context_check(evaluation->ctx, "physad_evaluation_html"));
    PHYSAD__TRY(physad__options_read(&o, sizeof(o), sizeof(o), options, "physad_html_options"));
    physad__mem *mem = &evaluation->ctx->mem;
    physad__text page = { .mem = mem };
    physad_status status = put_page(&page, evaluation, o.title != NULL ? o.title : "Evaluation");
    if (status == PHYSAD_OK)
        status = physad__dir_make(mem, folder);
    if (status == PHYSAD_OK)
        status = write_in(mem, folder, "report.html", page.data, page.size);
    if (status == PHYSAD_OK)
        status = write_in(mem, folder, "results.json", evaluation->json, (int64_t)strlen(evaluation->json));
    if (status == PHYSAD_OK)
        status = write_in(mem, folder, "results.csv", evaluation->csv, (int64_t)strlen(evaluation->csv));
    physad__free(page.data);
    return status;
}
