/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <sys/wait.h>
#include <unistd.h>

static void a_context_has_sane_defaults(void **state)
{
    physad_context *ctx = NULL;
    assert_ok(physad_context_new(&ctx, NULL));
    assert_true(physad_context_threads(ctx) >= 1);
    assert_int_equal(physad_context_seed(ctx), 0);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
    physad_context_free(NULL);
}

static void options_are_checked(void **state)
{
    physad_context *ctx = NULL;
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    o.threads = -1;
    assert_fails(PHYSAD_ERR_ARG, "threads is -1", physad_context_new(&ctx, &o));
    assert_null(ctx);
    o.threads = 0;
    o.struct_size = 4;
    assert_fails(PHYSAD_ERR_ARG, "struct_size is 4", physad_context_new(&ctx, &o));
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_context_new(NULL, NULL));
}

static void newer_options_are_refused_only_when_set(void **state)
{
    struct {
        physad_context_options known;
        uint64_t unknown;
    } newer = { PHYSAD_CONTEXT_OPTIONS_INIT, 0 };
    physad_context *ctx = NULL;
    newer.known.struct_size = sizeof(newer);
    assert_ok(physad_context_new(&ctx, &newer.known));
    physad_context_free(ctx);
    newer.unknown = 1;
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "knows only", physad_context_new(&ctx, &newer.known));
}

static void the_mask_takes_the_wider_sets_along(void **state)
{
    physad_context *ctx = NULL;
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    o.cpu_disable = PHYSAD_CPU_AVX2;
    assert_ok(physad_context_new(&ctx, &o));
    assert_int_equal(physad_context_cpu_flags(ctx) & (PHYSAD_CPU_AVX512 | PHYSAD_CPU_AVX512_BF16), 0);
    physad_context_free(ctx);
}

static int stop_at_three(const physad_progress *p, void *user)
{
    ++*(int *)user;
    return p->done >= 3;
}

static void calls_report_and_cancel(void **state)
{
    physad_context *ctx = NULL;
    physad__call call;
    int reports = 0;
    physad_call_options o = PHYSAD_CALL_OPTIONS_INIT;
    o.progress = stop_at_three;
    o.progress_user = &reports;
    assert_ok(physad_context_new(&ctx, NULL));
    assert_ok(physad__call_begin(&call, ctx, &o, "test"));
    physad__call_stage(&call, "counting", 3);
    assert_ok(physad__call_tick(&call, 1));
    assert_ok(physad__call_tick(&call, 2));
    assert_fails(PHYSAD_ERR_CANCELLED, "counting: cancelled by the progress callback at 3 of 3",
                 physad__call_tick(&call, 3));
    assert_int_equal(reports, 2); /* the second tick came within a tenth of a second */
    physad__call part = physad__call_part(&call, 2); /* its own counts and stages are not shown */
    physad__call_stage(&part, "searching", 1000);
    part.next = 0;
    assert_ok(physad__call_tick(&part, 1000));
    assert_int_equal(reports, 3);
    part = physad__call_part(&call, 3);
    assert_fails(PHYSAD_ERR_CANCELLED, "counting: cancelled by the progress callback at 3 of 3",
                 physad__call_tick(&part, 1));
    physad__call_end(&call);
    physad_context_cancel(ctx);
    assert_fails(PHYSAD_ERR_CANCELLED, "physad_context_cancel", physad__call_begin(&call, ctx, NULL, "test"));
    physad_context_resume(ctx);
    assert_ok(physad__call_begin(&call, ctx, NULL, "test"));
    physad__call_end(&call);
    physad_context_free(ctx);
}

static void a_child_process_is_told(void **state)
{
    physad_context *ctx = NULL;
    int how;
    assert_ok(physad_context_new(&ctx, NULL));
    const pid_t child = fork();
    if (child == 0)
        _exit(physad__context_check(ctx, "test") == PHYSAD_ERR_STATE ? 0 : 1);
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    physad_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_context_has_sane_defaults),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(newer_options_are_refused_only_when_set),
        cmocka_unit_test(the_mask_takes_the_wider_sets_along),
        cmocka_unit_test(calls_report_and_cancel),
        cmocka_unit_test(a_child_process_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
