/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the library's log wait here, for they come from any thread, until a call is back in its language. */
#ifndef PHYSAD__BINDING_LOG_H
#define PHYSAD__BINDING_LOG_H

#include <physad/context.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BINDING_LINES_MOST 1000 /* that wait; of more the oldest are lost, which is said */

typedef struct binding_line {
    struct binding_line *next;
    int32_t level;
    char text[];
} binding_line;

static pthread_mutex_t binding_lines_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t binding_lines_once = PTHREAD_ONCE_INIT;
static binding_line *binding_lines, **binding_lines_end = &binding_lines;
static int binding_lines_count;
static long long binding_lines_lost;

/* A line that no list has yet; NULL without memory. */
static binding_line *binding_line_new(int32_t level, const char *text)
{
    const size_t size = strlen(text) + 1;
    binding_line *line = malloc(sizeof(*line) + size);
    if (line == NULL)
        return NULL;
    line->next = NULL;
    line->level = level;
    memcpy(line->text, text, size);
    return line;
}

/* The first of the list; NULL: there is none. The lock is held. */
static binding_line *binding_line_unlink(void)
{
    binding_line *line = binding_lines;
    if (line != NULL) {
        binding_lines = line->next;
        binding_lines_end = binding_lines == NULL ? &binding_lines : binding_lines_end;
        binding_lines_count--;
    }
    return line;
}

static void binding_log(int32_t level, const char *text, void *user)
{
    binding_line *line = binding_line_new(level, text), *oldest = NULL;
    (void)user;
    pthread_mutex_lock(&binding_lines_lock);
    if (line != NULL && binding_lines_count >= BINDING_LINES_MOST)
        oldest = binding_line_unlink();
    if (line != NULL) {
        *binding_lines_end = line;
        binding_lines_end = &line->next;
        binding_lines_count++;
    }
    binding_lines_lost += line == NULL || oldest != NULL;
    pthread_mutex_unlock(&binding_lines_lock);
    free(oldest);
}

/* The oldest line, for the caller to free; NULL: there is none. */
static binding_line *binding_log_take(void)
{
    char text[64];
    pthread_mutex_lock(&binding_lines_lock);
    const long long lost = binding_lines_lost;
    binding_lines_lost = 0;
    binding_line *line = lost == 0 ? binding_line_unlink() : NULL;
    pthread_mutex_unlock(&binding_lines_lock);
    if (lost == 0)
        return line;
    snprintf(text, sizeof(text), "%lld lines before these were lost", lost);
    return binding_line_new(PHYSAD_LOG_WARNING, text);
}

static void binding_log_lock(void)
{
    pthread_mutex_lock(&binding_lines_lock);
}

static void binding_log_unlock(void)
{
    pthread_mutex_unlock(&binding_lines_lock);
}

/* A child of fork() begins with the lock free, whatever other threads were saying. */
static void binding_log_begin(void)
{
    pthread_atfork(binding_log_lock, binding_log_unlock, binding_log_unlock);
}

/* A context whose lines wait here. */
static physad_status binding_context_new(physad_context **out, const physad_context_options *options)
{
    const physad_context_options usual = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context_options o = options != NULL ? *options : usual;
    pthread_once(&binding_lines_once, binding_log_begin);
    o.log = binding_log;
    o.log_level = PHYSAD_LOG_INFO;
    return physad_context_new(out, &o);
}

#endif
