/* SPDX-License-Identifier: Apache-2.0 */
#include "core/core.h"

#include "cpu/cpu.h"
#include "physad_config.h"

#include <physad/version.h>

#include <unistd.h>

const char *physad_version(void)
{
    return PHYSAD_VERSION_STRING;
}

physad_status physad_context_new(physad_context **out, const physad_context_options *options)
{
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_context_new: out is NULL");
    *out = NULL;
    PHYSAD__TRY(physad__options_read(&o, sizeof(o), sizeof(o), options, "physad_context_options"));
    if (o.threads < 0 || o.threads > 1024)
        return physad__error(PHYSAD_ERR_ARG, "physad_context_options: threads is %d, want 0 (all) to 1024", o.threads);
    if (o.log_level < 0 || o.log_level > PHYSAD_LOG_DEBUG)
        return physad__error(PHYSAD_ERR_ARG, "physad_context_options: log_level is %d, want 0 to %d", o.log_level,
                             PHYSAD_LOG_DEBUG);
    if (o.allocator != NULL && (o.allocator->alloc == NULL || o.allocator->free == NULL))
        return physad__error(PHYSAD_ERR_ARG, "physad_context_options: allocator needs both alloc and free");
    /* The context itself comes from the caller's allocator too, outside the accounting that it holds. */
    physad__mem mem;
    physad__mem_init(&mem, o.allocator, o.memory_limit);
    physad_context *ctx = mem.allocator.alloc(sizeof(*ctx), mem.allocator.user);
    if (ctx == NULL)
        return physad__error(PHYSAD_ERR_NOMEM, "physad_context_new: no memory for %zu bytes", sizeof(*ctx));
    memset(ctx, 0, sizeof(*ctx));
    physad__mem_init(&ctx->mem, o.allocator, o.memory_limit);
    atomic_init(&ctx->references, 1);
    atomic_init(&ctx->cancelled, 0);
    ctx->pid = getpid();
    ctx->threads = o.threads > 0 ? o.threads : physad__cpu_count();
    ctx->cpu_flags = physad__cpu_detect() & ~o.cpu_disable;
    if (!(ctx->cpu_flags & PHYSAD_CPU_AVX2)) /* the wider sets are built on it */
        ctx->cpu_flags &= ~(PHYSAD_CPU_AVX512 | PHYSAD_CPU_AVX512_BF16 | PHYSAD_CPU_AVX512_VNNI);
    if (!(ctx->cpu_flags & PHYSAD_CPU_AVX512))
        ctx->cpu_flags &= ~(PHYSAD_CPU_AVX512_BF16 | PHYSAD_CPU_AVX512_VNNI);
    ctx->seed = o.seed;
    ctx->log = o.log;
    ctx->log_user = o.log_user;
    ctx->log_level = o.log_level > 0 ? o.log_level : PHYSAD_LOG_WARNING;
    *out = ctx;
    return PHYSAD_OK;
}

physad_context *physad__context_retain(physad_context *ctx)
{
    atomic_fetch_add(&ctx->references, 1);
    return ctx;
}

void physad_context_free(physad_context *context)
{
    if (context == NULL || atomic_fetch_sub(&context->references, 1) != 1)
        return;
    const physad_allocator a = context->mem.allocator;
    a.free(context, sizeof(*context), a.user);
}

physad_status physad__context_check(const physad_context *ctx, const char *what)
{
    if (ctx == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: the context is NULL", what);
    if (ctx->pid != getpid())
        return physad__error(PHYSAD_ERR_STATE,
                             "%s: the handle was made before fork() in process %lld; make a new one in this process",
                             what, (long long)ctx->pid);
    return PHYSAD_OK;
}

void physad_context_cancel(physad_context *context)
{
    if (context != NULL)
        atomic_store(&context->cancelled, 1);
}

void physad_context_resume(physad_context *context)
{
    if (context != NULL)
        atomic_store(&context->cancelled, 0);
}

physad_status physad__cancelled(const physad_context *ctx)
{
    if (atomic_load_explicit(&ctx->cancelled, memory_order_relaxed))
        return physad__error(PHYSAD_ERR_CANCELLED,
                             "cancelled by physad_context_cancel(); physad_context_resume() takes it back");
    return PHYSAD_OK;
}

int32_t physad_context_threads(const physad_context *context)
{
    return context != NULL ? context->threads : 0;
}

uint32_t physad_context_cpu_flags(const physad_context *context)
{
    return context != NULL ? context->cpu_flags : 0;
}

uint64_t physad_context_seed(const physad_context *context)
{
    return context != NULL ? context->seed : 0;
}

uint64_t physad_context_memory_used(const physad_context *context)
{
    return context != NULL ? atomic_load(&context->mem.used) : 0;
}

uint64_t physad_context_memory_peak(const physad_context *context)
{
    return context != NULL ? atomic_load(&context->mem.peak) : 0;
}

void physad__log(const physad_context *ctx, int32_t level, const char *format, ...)
{
    char text[1024];
    va_list args;
    if (ctx->log == NULL || level > ctx->log_level)
        return;
    va_start(args, format);
    physad__vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    physad__text_tidy(text);
    ctx->log(level, text, ctx->log_user);
}
