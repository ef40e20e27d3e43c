/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a backbone's parameters from a set of tensors, whatever they are called there. */
#include "nn/nn_state.h"

enum { NAME_MOST = 512 };

static bool file_name(const physad__nn_state *s, const char *ours, char *theirs)
{
    const int n = physad__snprintf(theirs, NAME_MOST, "%s", s->prefix);
    if (n < 0 || n >= NAME_MOST)
        return false;
    if (s->names->translate != NULL)
        return s->names->translate(s->backbone, ours, theirs + n, (size_t)(NAME_MOST - n));
    return physad__snprintf(theirs + n, (size_t)(NAME_MOST - n), "%s", ours) < NAME_MOST - n;
}

static physad_status state_get(void *user, const char *name, int32_t ndim, const int64_t *shape, float *buffer,
                               const float **data)
{
    const physad__nn_state *s = user;
    char theirs[NAME_MOST], got[160], want[160];
    physad_view view;
    if (!file_name(s, name, theirs) || !physad_tensors_has(s->tensors, theirs))
        return physad__error(PHYSAD_ERR_FORMAT, "%s: parameter \"%s\" of %s is missing", s->origin, theirs,
                             s->backbone->info.name);
    PHYSAD__TRY(physad_tensors_find(s->tensors, theirs, &view));
    if (view.ndim != ndim || memcmp(view.shape, shape, (size_t)ndim * sizeof(*shape)) != 0)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: parameter \"%s\" has shape %s, %s wants %s", s->origin, theirs,
                             physad__shape_text(got, sizeof(got), view.ndim, view.shape), s->backbone->info.name,
                             physad__shape_text(want, sizeof(want), ndim, shape));
    if (view.dtype == PHYSAD_F32 && physad__view_is_contiguous(&view)) {
        *data = view.data;
        return PHYSAD_OK;
    }
    const physad_view out = physad_view_array(buffer, PHYSAD_F32, ndim, shape);
    const physad_status status = physad_tensors_copy(s->tensors, theirs, &out);
    *data = buffer;
    return status == PHYSAD_OK ? PHYSAD_OK : physad__error_prefix(status, "%s: parameter \"%s\"", s->origin, theirs);
}

physad__nn_source physad__nn_state_source(physad__nn_state *state)
{
    return (physad__nn_source){ state_get, state };
}

static physad_status visit_part(const physad__nn_node *n, const char *part, int32_t ndim, const int64_t *shape,
                                physad__nn_visit visit, void *user)
{
    char name[NAME_MOST];
    physad__snprintf(name, sizeof(name), "%s.%s", n->param, part);
    return visit(user, name, ndim, shape);
}

physad_status physad__nn_visit_node(const physad__nn_graph *g, int64_t node, physad__nn_visit visit, void *user)
{
    static const char *const norm[] = { "weight", "bias", "running_mean", "running_var" };
    const physad__nn_node *n = &g->nodes[node];
    if (n->op == PHYSAD__NN_CONV || n->op == PHYSAD__NN_LINEAR) {
        const int64_t in = g->nodes[n->input[0]].channels / n->groups,
                      shape[4] = { n->channels, in, n->kernel, n->kernel };
        PHYSAD__TRY(visit_part(n, "weight", n->op == PHYSAD__NN_LINEAR ? 2 : 4, shape, visit, user));
        if (n->bias)
            PHYSAD__TRY(visit_part(n, "bias", 1, &n->channels, visit, user));
    }
    for (int i = 0; n->op == PHYSAD__NN_BATCH_NORM && i < 4; i++)
        PHYSAD__TRY(visit_part(n, norm[i], 1, &n->channels, visit, user));
    return PHYSAD_OK;
}

/* --- leftovers --- */

typedef struct search {
    const physad__nn_state *state;
    const char *wanted; /* NULL: count those that are there */
    int64_t there;
    bool found;
} search;

static physad_status look(void *user, const char *name, int32_t ndim, const int64_t *shape)
{
    search *s = user;
    char theirs[NAME_MOST];
    if (!file_name(s->state, name, theirs))
        return PHYSAD_OK;
    if (s->wanted == NULL)
        s->there += physad_tensors_has(s->state->tensors, theirs);
    else
        s->found = s->found || strcmp(theirs, s->wanted) == 0;
    return PHYSAD_OK;
}

static physad_status look_through(const physad__nn_graph *g, search *s)
{
    for (int64_t i = 0; i < g->count; i++)
        PHYSAD__TRY(physad__nn_visit_node(g, i, look, s));
    return PHYSAD_OK;
}

/* Training's counters are no parameters. */
static bool is_counter(const char *name)
{
    return physad__has_suffix(name, ".num_batches_tracked");
}

static physad_status check_leftovers(const physad__nn_state *state, const physad__nn_graph *g)
{
    const int64_t count = physad_tensors_count(state->tensors);
    search all = { .state = state };
    int64_t counters = 0;
    PHYSAD__TRY(look_through(g, &all));
    for (int64_t i = 0; i < count; i++)
        counters += is_counter(physad_tensors_name(state->tensors, i));
    if (all.there + counters == count)
        return PHYSAD_OK;
    for (int64_t i = 0; i < count; i++) {
        search one = { .state = state, .wanted = physad_tensors_name(state->tensors, i) };
        if (is_counter(one.wanted))
            continue;
        PHYSAD__TRY(look_through(g, &one));
        if (!one.found)
            return physad__error(PHYSAD_ERR_FORMAT,
                                 "%s: parameter \"%s\" is none of %s's; is it another network's file?", state->origin,
                                 one.wanted, state->backbone->info.name);
    }
    return PHYSAD_OK;
}

physad_status physad__nn_state_init(physad__nn_state *state, const physad_tensors *tensors, const physad__backbone *b,
                                    const physad__nn_graph *g, const char *prefix, const char *origin, bool strict)
{
    *state = (physad__nn_state){ .tensors = tensors, .backbone = b, .prefix = prefix, .origin = origin };
    for (int64_t i = 0; i < b->name_count && state->names == NULL; i++) {
        char probe[NAME_MOST];
        physad__snprintf(probe, sizeof(probe), "%s%s", prefix, b->names[i].probe);
        if (physad_tensors_has(tensors, probe))
            state->names = &b->names[i];
    }
    if (state->names == NULL) {
        const char *first = physad_tensors_name(tensors, 0);
        return physad__error(PHYSAD_ERR_FORMAT, "%s: parameter \"%s%s\" of %s is missing; the file's first is \"%s\"",
                             origin, prefix, b->names[0].probe, b->info.name, first != NULL ? first : "(none)");
    }
    return strict ? check_leftovers(state, g) : PHYSAD_OK;
}
