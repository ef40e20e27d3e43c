/* SPDX-License-Identifier: Apache-2.0 */
/* Photos of one thing get one verdict: what their results saw is kept until all are scored. */
#include "data/data.h"
#include "report/report_run.h"

#include <math.h>

/* The result's score and what it saw, without its map. */
physad_status physad__run_keep(physad__run_state *run, int64_t index, physad_result *result)
{
    PHYSAD__TRY(physad__grow(&run->ctx->mem, &run->kept, &run->kept_capacity, run->kept_count + 1, sizeof(*run->kept),
                             "results"));
    physad__kept *k = &run->kept[run->kept_count];
    PHYSAD__TRY(physad_result_strip(&k->result, result));
    k->index = index;
    k->sample = run->report->sample_count - 1;
    run->kept_count++;
    return PHYSAD_OK;
}

void physad__run_kept_free(physad__run_state *run)
{
    for (int64_t i = 0; i < run->kept_count; i++)
        physad_result_free(run->kept[i].result);
    physad__free(run->kept);
    run->kept = NULL;
    run->kept_count = 0;
}

/* --- groups --- */

static physad_status add_places(physad__report_group *slot, physad__mem *mem, const physad_group *group)
{
    const int64_t n = physad_group_place_count(group);
    slot->places = physad__alloc_array(mem, n + 1, sizeof(*slot->places), "places");
    if (slot->places == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++) {
        slot->places[i].struct_size = sizeof(*slot->places);
        PHYSAD__TRY(physad_group_place(group, i, &slot->places[i]));
    }
    slot->place_count = n;
    return PHYSAD_OK;
}

/* `members`: of run->kept. */
static physad_status add_group(physad__run_state *run, const int64_t *members, int64_t n, const physad_result **room)
{
    physad__report *r = run->report;
    physad__mem *mem = &run->ctx->mem;
    physad_group *group = NULL;
    for (int64_t i = 0; i < n; i++)
        room[i] = run->kept[members[i]].result;
    PHYSAD__TRY(physad__grow(mem, &r->groups, &r->group_capacity, r->group_count + 1, sizeof(*r->groups), "groups"));
    physad__report_group *slot = &r->groups[r->group_count++];
    *slot = (physad__report_group){ 0 };
    PHYSAD__TRY(physad_group_new(&group, room, n));
    slot->score = physad_group_score(group);
    slot->anomalous = physad_group_is_anomalous(group);
    slot->photos = physad__alloc_array(mem, n, sizeof(*slot->photos), "groups");
    physad_status status = slot->photos != NULL ? add_places(slot, mem, group) : PHYSAD_ERR_NOMEM;
    physad_group_free(group);
    for (int64_t i = 0; status == PHYSAD_OK && i < n; i++) {
        const physad__report_sample *s = &r->samples[run->kept[members[i]].sample];
        slot->photos[slot->photo_count++] = run->kept[members[i]].sample;
        if (s->label == 1 && slot->label == 0) { /* one odd photo of a thing, an odd thing */
            slot->label = 1;
            slot->first_odd = slot->photo_count - 1;
        }
    }
    return status;
}

/* The scored samples, group by group in the order in which these come. */
static physad_status add_groups(physad__run_state *run, const int64_t *number, int64_t groups)
{
    physad__mem *mem = &run->ctx->mem;
    int64_t *first = physad__alloc_zero(mem, (size_t)(groups + 2) * sizeof(*first), "groups");
    int64_t *members = physad__alloc_array(mem, run->kept_count + 1, sizeof(*members), "groups");
    const physad_result **room = physad__alloc_array(mem, run->kept_count + 1, sizeof(*room), "groups");
    physad_status status = first != NULL && members != NULL && room != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; status == PHYSAD_OK && i < run->kept_count; i++)
        first[number[run->kept[i].index] + 2]++;
    for (int64_t i = 2; status == PHYSAD_OK && i < groups + 2; i++)
        first[i] += first[i - 1];
    for (int64_t i = 0; status == PHYSAD_OK && i < run->kept_count; i++)
        members[first[number[run->kept[i].index] + 1]++] = i;
    for (int64_t i = 0; status == PHYSAD_OK && i < groups; i++)
        if (first[i + 1] > first[i])
            status = add_group(run, members + first[i], first[i + 1] - first[i], room);
    physad__free(first);
    physad__free(members);
    physad__free(room);
    return status;
}

static physad_status measure(physad__run_state *run, const physad_measure_options *options)
{
    physad__report *r = run->report;
    physad_scores *scores = NULL;
    PHYSAD__TRY(physad_scores_new(&scores, run->ctx));
    physad_status status = PHYSAD_OK;
    for (int64_t i = 0; status == PHYSAD_OK && i < r->group_count; i++) {
        const physad__report_group *g = &r->groups[i];
        const physad__report_sample *s = &r->samples[g->photos[g->first_odd]];
        status = physad_scores_add(scores, g->score, g->label, s->type, s->group);
    }
    if (status == PHYSAD_OK)
        status = physad_scores_measure(&r->things, scores, options, run->call_options);
    physad_scores_free(scores);
    return status;
}

physad_status physad__run_groups(physad__run_state *run, const physad_measure_options *options)
{
    int64_t groups = 0;
    bool several = false;
    int64_t *number =
        physad__alloc_array(&run->ctx->mem, physad_dataset_count(run->test) + 1, sizeof(*number), "groups");
    physad_status status = number != NULL ? physad__dataset_groups(run->test, number, &groups) : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = add_groups(run, number, groups);
    physad__free(number);
    for (int64_t i = 0; i < run->report->group_count; i++)
        several = several || run->report->groups[i].photo_count > 1;
    return status == PHYSAD_OK && several ? measure(run, options) : status;
}
