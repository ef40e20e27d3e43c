/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over ranked samples gives all rank metrics; with weights it serves the bootstrap, so that nothing is sorted
 * twice. */
#include "metrics/metrics.h"

#include <math.h>

static int compare_scores(int32_t a, int32_t b, const void *user)
{
    const double *score = user;
    return score[a] < score[b] ? -1 : score[a] > score[b];
}

void physad__ranked_free(physad__ranked *ranked)
{
    physad__free(ranked->group);
    physad__free(ranked->label);
    physad__free(ranked->start);
    physad__free(ranked->value);
    *ranked = (physad__ranked){ 0 };
}

physad_status physad__ranked_new(physad__ranked *out, physad__mem *mem, int64_t n, const double *score,
                                 const uint8_t *label, const int32_t *group, int64_t groups)
{
    int32_t *order = physad__alloc_array(mem, 2 * n, sizeof(*order), "ranks");
    physad__ranked r = { .count = n, .groups = groups };
    r.group = physad__alloc_array(mem, n, sizeof(*r.group), "ranks");
    r.label = physad__alloc_array(mem, n, sizeof(*r.label), "ranks");
    r.start = physad__alloc_array(mem, n + 1, sizeof(*r.start), "ranks");
    r.value = physad__alloc_array(mem, n, sizeof(*r.value), "ranks");
    if (order == NULL || r.group == NULL || r.label == NULL || r.start == NULL || r.value == NULL) {
        physad__free(order);
        physad__ranked_free(&r);
        return PHYSAD_ERR_NOMEM;
    }
    for (int64_t i = 0; i < n; i++)
        order[i] = (int32_t)i;
    physad__sort_ids(order, order + n, n, compare_scores, score);
    for (int64_t i = 0; i < n; i++) {
        const int32_t at = order[i];
        if (i == 0 || score[at] != r.value[r.ties - 1]) {
            r.start[r.ties] = i;
            r.value[r.ties++] = score[at];
        }
        r.group[i] = group[at];
        r.label[i] = label[at];
        r.positives += label[at];
    }
    r.start[r.ties] = n;
    r.negatives = n - r.positives;
    physad__free(order);
    *out = r;
    return PHYSAD_OK;
}

/* Weighted numbers of a tie's samples by class. */
static void tie_counts(const physad__ranked *r, int64_t tie, const uint32_t *weight, int64_t count[2])
{
    count[0] = count[1] = 0;
    for (int64_t i = r->start[tie]; i < r->start[tie + 1]; i++)
        count[r->label[i]] += weight != NULL ? weight[r->group[i]] : 1;
}

const char *physad__missing_class(int64_t positives, int64_t negatives)
{
    if (positives == 0 && negatives == 0)
        return "nothing was added";
    if (positives == 0)
        return "nothing anomalous was added";
    return negatives == 0 ? "nothing normal was added" : NULL;
}

double physad__ranked_auroc(const physad__ranked *ranked, const uint32_t *weight)
{
    physad__u128 won = 0; /* pairs, counted twice */
    int64_t total[2] = { 0, 0 }, count[2];
    for (int64_t t = 0; t < ranked->ties; t++) {
        tie_counts(ranked, t, weight, count);
        won += (physad__u128)count[1] * (uint64_t)(2 * total[0] + count[0]);
        total[0] += count[0];
        total[1] += count[1];
    }
    if (total[0] == 0 || total[1] == 0)
        return NAN;
    return (double)won / (2 * (double)total[0] * (double)total[1]);
}

void physad__ranked_sweep(const physad__ranked *ranked, const uint32_t *weight, int64_t cut, physad__sweep *out)
{
    int64_t total[2] = { 0, 0 }, above[2] = { 0, 0 }, best[2] = { 0, 0 }, count[2], right = 0;
    physad__u128 won = 0;
    physad__sum ap = { 0, 0 };
    *out = (physad__sweep){ NAN, NAN, NAN, NAN, -1 };
    for (int64_t t = 0; t < ranked->ties; t++) {
        tie_counts(ranked, t, weight, count);
        total[0] += count[0];
        total[1] += count[1];
        right += t >= cut ? count[1] : count[0];
    }
    if (total[0] + total[1] > 0)
        out->accuracy = (double)right / (double)(total[0] + total[1]);
    if (total[0] == 0 || total[1] == 0)
        return;
    for (int64_t t = ranked->ties - 1; t >= 0; t--) {
        tie_counts(ranked, t, weight, count);
        above[0] += count[0];
        above[1] += count[1];
        if (count[1] == 0) /* more false alarms, nothing more found: neither AP nor F1 can gain */
            continue;
        won += (physad__u128)count[1] * (uint64_t)(2 * (total[0] - above[0]) + count[0]);
        physad__sum_add(&ap, (double)count[1] * ((double)above[1] / (double)(above[0] + above[1])));
        /* F1 = 2 above[1] / (above[0] + above[1] + total[1]), compared as fractions; ties go to the lower threshold. */
        if ((physad__u128)above[1] * (uint64_t)(best[0] + best[1] + total[1]) >=
            (physad__u128)best[1] * (uint64_t)(above[0] + above[1] + total[1])) {
            best[0] = above[0];
            best[1] = above[1];
            out->f1_tie = t;
        }
    }
    out->auroc = (double)won / (2 * (double)total[0] * (double)total[1]);
    out->ap = physad__sum_value(&ap) / (double)total[1];
    out->f1_max = 2 * (double)best[1] / (double)(best[0] + best[1] + total[1]);
}
