/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the library's log wait here, for they come from any thread, until a call is back in its language. */
#ifndef PHYSAD__BINDING_LOG_H
#define PHYSAD__BINDING_LOG_H

#include <physad/context.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BINDING_LINES_MOST 1000 /* that wait; more are lost */

typedef struct binding_line {
    struct binding_line *next;
    int32_t level;
    char text[];
} binding_line;

static pthread_mutex_t binding_lines_lock = PTHREAD_MUTEX_INITIALIZER;
static binding_line *binding_lines, **binding_lines_end = &binding_lines;
static int binding_lines_count;

static void binding_log(int32_t level, const char *text, void *user)
{
    const size_t size = strlen(text) + 1;
    binding_line *line = malloc(sizeof(*line) + size);
    (void)user;
    if (line == NULL)
        return;
    line->next = NULL;
    line->level = level;
    memcpy(line->text, text, size);
    pthread_mutex_lock(&binding_lines_lock);
    const int fits = binding_lines_count < BINDING_LINES_MOST;
    if (fits) {
        *binding_lines_end = line;
        binding_lines_end = &line->next;
        binding_lines_count++;
    }
    pthread_mutex_unlock(&binding_lines_lock);
    if (!fits)
        free(line);
}

/* The oldest line, for the caller to free; NULL: there is none. */
static binding_line *binding_log_take(void)
{
    pthread_mutex_lock(&binding_lines_lock);
    binding_line *line = binding_lines;
    if (line != NULL) {
        binding_lines = line->next;
        binding_lines_end = binding_lines == NULL ? &binding_lines : binding_lines_end;
        binding_lines_count--;
    }
    pthread_mutex_unlock(&binding_lines_lock);
    return line;
}

/* A context whose lines wait here. */
static physad_status binding_context_new(physad_context **out, const physad_context_options *options)
{
    const physad_context_options usual = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context_options o = options != NULL ? *options : usual;
    o.log = binding_log;
    o.log_level = PHYSAD_LOG_INFO;
    return physad_context_new(out, &o);
}

#endif
