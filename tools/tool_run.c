/* SPDX-License-Identifier: Apache-2.0 */
/* The context, Ctrl-C, messages, the progress line. */
#include "tool.h"

#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the handler may see: the one context of this process. */
static physad_context *volatile running;
static volatile sig_atomic_t interrupted;
static atomic_bool progress_shown;

static void on_signal(int number)
{
    if (interrupted) { /* the second one does not wait */
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    interrupted = 1;
    if (running != NULL)
        physad_context_cancel(running);
}

bool tool_interrupted(void)
{
    return interrupted != 0;
}

/* GCC's OpenMP reads this before main(). A short spin is as fast as its own, of milliseconds, and leaves the processors
 * to others: to the threads that read ahead, to begin with. Who has said something of it is left alone. */
void tool_settle(char **argv)
{
    char path[PATH_MAX];
    if (getenv("OMP_WAIT_POLICY") != NULL || getenv("GOMP_SPINCOUNT") != NULL ||
        setenv("GOMP_SPINCOUNT", "20000", 1) != 0)
        return;
    const ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (length <= 0)
        return;
    path[length] = '\0';
    execv(path, argv);
}

/* Any thread: one line, written at once. */
static void on_log(int32_t level, const char *text, void *user)
{
    char line[4096];
    tool_progress_end();
    snprintf(line, sizeof(line), "physad: %s%s", level <= PHYSAD_LOG_WARNING ? "warning: " : "", text);
    tool_tidy(line);
    fprintf(stderr, "%s\n", line);
}

int tool_start(tool *t)
{
    int64_t seed = 0, threads = 0, limit = 0;
    if (!tool_int(t, "seed", &seed, 0, INT64_MAX) || !tool_int(t, "threads", &threads, 1, 4096) ||
        !tool_int(t, "memory-limit", &limit, 1, INT64_MAX >> 20))
        return TOOL_USAGE;
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    o.seed = (uint64_t)seed;
    o.threads = (int32_t)threads;
    o.memory_limit = (uint64_t)limit << 20;
    o.log = on_log;
    o.log_level = tool_given(t, "verbose") ? PHYSAD_LOG_INFO : PHYSAD_LOG_WARNING;
    const physad_status status = physad_context_new(&t->ctx, &o);
    if (status != PHYSAD_OK)
        return tool_failed(status);
    running = t->ctx;
    struct sigaction action = { .sa_handler = on_signal };
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (interrupted)
        physad_context_cancel(t->ctx);
    return TOOL_DONE;
}

void tool_stop(tool *t)
{
    running = NULL;
    physad_context_free(t->ctx);
    t->ctx = NULL;
}

int tool_failed(physad_status status)
{
    tool_progress_end();
    if (status == PHYSAD_ERR_CANCELLED) {
        fprintf(stderr, "physad: interrupted\n");
        return TOOL_INTERRUPTED;
    }
    fprintf(stderr, "physad: %s\n", physad_last_error());
    return TOOL_FAILED;
}

/* Arguments are names of files, often, which a shell found and nobody read. */
__attribute__((format(printf, 1, 0))) static void put_tidy(const char *format, va_list args)
{
    char text[4096];
    vsnprintf(text, sizeof(text), format, args);
    tool_tidy(text);
    fputs(text, stderr);
}

int tool_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tool_progress_end();
    fputs("physad: ", stderr);
    put_tidy(format, args);
    va_end(args);
    fputc('\n', stderr);
    return TOOL_FAILED;
}

int tool_usage(const tool *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tool_progress_end();
    fprintf(stderr, "physad %s: ", t->command->name);
    put_tidy(format, args);
    va_end(args);
    fprintf(stderr, "\nSee: physad %s --help\n", t->command->name);
    return TOOL_USAGE;
}

/* --- progress ---------------------------------------------------------------------------------------- */

static int show_progress(const physad_progress *p, void *user)
{
    (void)user;
    char line[160];
    if (p->total > 0)
        snprintf(line, sizeof(line), "%s %lld/%lld, %.0f s", p->stage, (long long)p->done, (long long)p->total,
                 p->seconds);
    else
        snprintf(line, sizeof(line), "%s %lld, %.0f s", p->stage, (long long)p->done, p->seconds);
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
    progress_shown = true;
    return 0;
}

physad_call_options tool_progress(void)
{
    physad_call_options call = PHYSAD_CALL_OPTIONS_INIT;
    const char *term = getenv("TERM");
    if (isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0)
        call.progress = show_progress;
    return call;
}

void tool_progress_end(void)
{
    if (progress_shown)
        fputs("\r\033[K", stderr);
    progress_shown = false;
}
