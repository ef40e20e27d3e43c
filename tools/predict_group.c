/* SPDX-License-Identifier: Apache-2.0 */
/* physad predict: photos of one thing get one verdict, told once the last of them is scored. */
#include "predict.h"

#include <physad/group.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct thing {
    const char *name;  /* the first input's */
    int64_t expected, count;
    const physad_result **results;
    const char **paths;
} thing;

struct predict_groups {
    thing *things;
    int64_t count;
    int64_t *of; /* per input: its thing, -1 for videos */
    json_t *told;
    bool lines;
};

static const char *const HOW[] = { "name", "folder", "all" };

/* --- who belongs together ---------------------------------------------------------------------------- */

char *predict_group_name(const predict *p, const char *path, const physad_sample *sample)
{
    const char *slash = strrchr(path, '/');
    char *name;
    if (p->group == 2)
        return strdup("all");
    if (p->group == 1)
        return slash != NULL ? strndup(path, (size_t)(slash - path)) : strdup(".");
    if (sample->category == NULL || *sample->category == '\0')
        return strdup(sample->group);
    name = malloc(strlen(sample->category) + strlen(sample->group) + 2);
    if (name != NULL)
        sprintf(name, "%s/%s", sample->category, sample->group);
    return name;
}

static const predict_input *compared; /* qsort() hands nothing over; one command, one thread */

static int by_name(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    const int order = strcmp(compared[x].group, compared[y].group);
    return order != 0 ? order : (x > y) - (x < y);
}

/* Room for the results of a thing. */
static bool make_room(thing *t)
{
    t->results = calloc((size_t)t->expected, sizeof(*t->results));
    t->paths = calloc((size_t)t->expected, sizeof(*t->paths));
    return t->results != NULL && t->paths != NULL;
}

static bool number_inputs(predict_groups *g, const predict *p)
{
    int64_t *order = malloc((size_t)(p->input_count + 1) * sizeof(*order)), n = 0;
    g->of = malloc((size_t)(p->input_count + 1) * sizeof(*g->of));
    g->things = calloc((size_t)(p->input_count + 1), sizeof(*g->things));
    if (order == NULL || g->of == NULL || g->things == NULL) {
        free(order);
        return false;
    }
    for (int64_t i = 0; i < p->input_count; i++) {
        g->of[i] = -1;
        if (p->inputs[i].kind == PHYSAD_KIND_IMAGE)
            order[n++] = i;
    }
    compared = p->inputs;
    qsort(order, (size_t)n, sizeof(*order), by_name);
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(p->inputs[order[i]].group, p->inputs[order[i - 1]].group) != 0)
            g->things[g->count++].name = p->inputs[order[i]].group;
        g->of[order[i]] = g->count - 1;
        g->things[g->count - 1].expected++;
    }
    free(order);
    bool done = true;
    for (int64_t i = 0; i < g->count; i++)
        done = done && make_room(&g->things[i]);
    return done;
}

int predict_groups_new(predict *p)
{
    p->groups = calloc(1, sizeof(*p->groups));
    if (p->groups == NULL || !number_inputs(p->groups, p))
        return tool_error("no memory for groups of photos");
    p->groups->told = p->samples != NULL ? json_array() : NULL;
    p->groups->lines = p->lines && tool_given(p->t, "group");
    return TOOL_DONE;
}

bool predict_groups_how(const tool *t, int *how)
{
    return tool_choice(t, "group", HOW, TOOL_COUNT(HOW), how);
}

/* --- what they came to ------------------------------------------------------------------------------- */

static json_t *place_json(const thing *t, const physad_place *place)
{
    return json_pack("{s[fff] sf so sI sI so sf sf}", "position", place->position[0], place->position[1],
                     place->position[2], "radius", place->radius, "score", tool_json_real(place->score), "agreeing",
                     (json_int_t)place->agreeing, "seen_by", (json_int_t)place->seen_by, "path",
                     tool_json_text(t->paths[place->photo]), "y", place->y, "x", place->x);
}

static json_t *thing_json(const thing *t, const physad_group *group)
{
    const int32_t anomalous = physad_group_is_anomalous(group);
    json_t *photos = json_array(), *places = json_array();
    for (int64_t i = 0; i < t->count; i++)
        json_array_append_new(photos, tool_json_text(t->paths[i]));
    for (int64_t i = 0; i < physad_group_place_count(group); i++) {
        physad_place place = PHYSAD_PLACE_INIT;
        if (physad_group_place(group, i, &place) == PHYSAD_OK)
            json_array_append_new(places, place_json(t, &place));
    }
    return json_pack("{so so so so so}", "group", tool_json_text(t->name), "score",
                     tool_json_real(physad_group_score(group)), "anomalous",
                     anomalous < 0 ? json_null() : json_boolean(anomalous), "photos", photos, "places", places);
}

static void put_line(const thing *t, const physad_group *group)
{
    char score[32];
    const int32_t anomalous = physad_group_is_anomalous(group);
    physad_place place = PHYSAD_PLACE_INIT;
    tool_put_name(t->name);
    printf(" %s %s\t%lld photo%s", tool_number(score, physad_group_score(group)),
           anomalous > 0    ? "anomalous"
           : anomalous == 0 ? "normal"
                            : "unknown",
           (long long)t->count, t->count == 1 ? "" : "s");
    if (physad_group_place_count(group) > 0 && physad_group_place(group, 0, &place) == PHYSAD_OK) {
        char xyz[3][32];
        for (int k = 0; k < 3; k++)
            tool_number(xyz[k], place.position[k]);
        printf("; oddest at %s %s %s, in %d of %d photos that see it", xyz[0], xyz[1], xyz[2], place.agreeing,
               place.seen_by);
    }
    printf("\n");
}

static int tell(predict_groups *g, thing *t)
{
    physad_group *group = NULL;
    const physad_status status = physad_group_new(&group, t->results, t->count);
    if (status != PHYSAD_OK)
        return tool_failed(status);
    if (g->lines)
        put_line(t, group);
    const bool kept = g->told == NULL || json_array_append_new(g->told, thing_json(t, group)) == 0;
    physad_group_free(group);
    for (int64_t i = 0; i < t->count; i++)
        physad_result_free((physad_result *)(uintptr_t)t->results[i]);
    t->count = t->expected = 0;
    return kept ? TOOL_DONE : tool_error("%s: no memory for its verdict", t->name);
}

int predict_groups_add(predict *p, int64_t input, physad_result *result)
{
    if (p->groups == NULL) {
        physad_result_free(result);
        return TOOL_DONE;
    }
    thing *t = &p->groups->things[p->groups->of[input]];
    physad_result *slim = NULL; /* of many photos the maps would fill the memory */
    const physad_status status = physad_result_strip(&slim, result);
    physad_result_free(result);
    if (status != PHYSAD_OK)
        return tool_failed(status);
    t->results[t->count] = slim;
    t->paths[t->count++] = p->inputs[input].path;
    return t->count == t->expected ? tell(p->groups, t) : TOOL_DONE;
}

/* Some photos of a thing may have been left out. */
int predict_groups_end(predict *p, json_t **told)
{
    int code = TOOL_DONE;
    *told = NULL;
    for (int64_t i = 0; p->groups != NULL && i < p->groups->count && code == TOOL_DONE; i++)
        if (p->groups->things[i].count > 0)
            code = tell(p->groups, &p->groups->things[i]);
    if (p->groups != NULL)
        *told = p->groups->told;
    return code;
}

void predict_groups_free(predict_groups *g)
{
    if (g == NULL)
        return;
    for (int64_t i = 0; i < g->count; i++) {
        for (int64_t k = 0; k < g->things[i].count; k++)
            physad_result_free((physad_result *)(uintptr_t)g->things[i].results[k]);
        free(g->things[i].results);
        free(g->things[i].paths);
    }
    json_decref(g->told);
    free(g->things);
    free(g->of);
    free(g);
}
