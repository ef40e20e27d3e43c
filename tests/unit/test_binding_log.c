/* SPDX-License-Identifier: Apache-2.0 */
/* Where lines of the log wait for Python and Lua. */
#include "../../bindings/binding_log.h"
#include "test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(int from, int to)
{
    char text[32];
    for (int i = from; i < to; i++) {
        snprintf(text, sizeof(text), "line %d", i);
        binding_log(PHYSAD_LOG_INFO, text, NULL);
    }
}

static void assert_next(int32_t level, const char *text)
{
    binding_line *line = binding_log_take();
    assert_non_null(line);
    assert_int_equal(line->level, level);
    assert_string_equal(line->text, text);
    free(line);
}

static void test_order(void **state)
{
    assert_null(binding_log_take());
    say(0, 3);
    assert_next(PHYSAD_LOG_INFO, "line 0");
    say(3, 4);
    assert_next(PHYSAD_LOG_INFO, "line 1");
    assert_next(PHYSAD_LOG_INFO, "line 2");
    assert_next(PHYSAD_LOG_INFO, "line 3");
    assert_null(binding_log_take());
}

/* What was said last tells most of why a call ended as it did. */
static void test_too_many(void **state)
{
    say(0, BINDING_LINES_MOST + 500);
    assert_next(PHYSAD_LOG_WARNING, "500 lines before these were lost");
    for (int i = 500; i < BINDING_LINES_MOST + 500; i++) {
        char text[32];
        snprintf(text, sizeof(text), "line %d", i);
        assert_next(PHYSAD_LOG_INFO, text);
    }
    assert_null(binding_log_take());
    say(7, 8);
    assert_next(PHYSAD_LOG_INFO, "line 7");
}

static void *talk(void *stop)
{
    while (!atomic_load((atomic_int *)stop))
        say(0, 10);
    return NULL;
}

/* A child takes what waits, though a thread that it does not have was speaking as it was made. */
static void test_fork(void **state)
{
    atomic_int stop = 0;
    pthread_t thread;
    physad_context *ctx = NULL;
    assert_ok(binding_context_new(&ctx, NULL));
    assert_int_equal(pthread_create(&thread, NULL, talk, &stop), 0);
    for (int i = 0; i < 50; i++) {
        int status = -1;
        const pid_t child = fork();
        if (child == 0) {
            alarm(20); /* a lock that nobody opens ends the child */
            free(binding_log_take());
            _exit(0);
        }
        assert_true(child > 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    atomic_store(&stop, 1);
    pthread_join(thread, NULL);
    for (binding_line *line = binding_log_take(); line != NULL; line = binding_log_take())
        free(line);
    physad_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_order), cmocka_unit_test(test_too_many),
                                        cmocka_unit_test(test_fork) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
