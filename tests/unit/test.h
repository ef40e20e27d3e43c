/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka with what it needs before it, and our own checks. */
#ifndef PHYSAD__TEST_H
#define PHYSAD__TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"
#include "core/core.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The whole of a test program can be run in another locale and with fewer instruction sets:
 *   PHYSAD_TEST_LOCALE=de_DE.UTF-8         set before main()
 *   PHYSAD_TEST_CPU_DISABLE=all | avx512   taken from every context that the program makes with options of its own size
 */
__attribute__((constructor)) static void test_locale(void)
{
    const char *name = getenv("PHYSAD_TEST_LOCALE");
    if (name == NULL)
        return;
    if (setlocale(LC_ALL, name) == NULL || localeconv()->decimal_point[0] != ',') {
        fprintf(stderr, "PHYSAD_TEST_LOCALE: no locale %s with a decimal comma\n", name);
        exit(99);
    }
    setlocale(LC_MESSAGES, "C"); /* the system's words for its errors are not ours to check */
}

static inline physad_status test_context_new(physad_context **out, const physad_context_options *options)
{
    const char *disable = getenv("PHYSAD_TEST_CPU_DISABLE");
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    if (disable == NULL || (options != NULL && options->struct_size != sizeof(o)))
        return physad_context_new(out, options);
    if (options != NULL)
        o = *options;
    if (strcmp(disable, "all") == 0)
        o.cpu_disable = UINT32_MAX;
    else if (strcmp(disable, "avx512") == 0)
        o.cpu_disable |= PHYSAD_CPU_AVX512 | PHYSAD_CPU_AVX512_BF16 | PHYSAD_CPU_AVX512_VNNI;
    else
        fail_msg("PHYSAD_TEST_CPU_DISABLE is %s, want all or avx512", disable);
    return physad_context_new(out, &o);
}
#define physad_context_new test_context_new

#define assert_ok(call)                                                                             \
    do {                                                                                            \
        const physad_status status_ = (call);                                                       \
        if (status_ != PHYSAD_OK)                                                                   \
            fail_msg("%s: %s: %s", #call, physad_status_name(status_), physad_last_error());        \
    } while (0)

/* The call fails with `want`, and its message holds `text`. */
#define assert_fails(want, text, call)                                                              \
    do {                                                                                            \
        const physad_status status_ = (call);                                                       \
        if (status_ != (want))                                                                      \
            fail_msg("%s: got %s, want %s: %s", #call, physad_status_name(status_),                 \
                     physad_status_name(want), physad_last_error());                                \
        if (strstr(physad_last_error(), (text)) == NULL)                                            \
            fail_msg("%s: message \"%s\" lacks \"%s\"", #call, physad_last_error(), (text));        \
    } while (0)

#define assert_near(got, want, tolerance)                                                           \
    do {                                                                                            \
        const double got_ = (got), want_ = (want);                                                  \
        if (!(fabs(got_ - want_) <= (tolerance)))                                                   \
            fail_msg("%s is %.17g, want %.17g within %g", #got, got_, want_, (double)(tolerance));  \
    } while (0)

/* $PHYSAD_TEST_DATA/name, or the test is skipped. `out` has PATH_MAX bytes. */
#define test_data(out, name)                                                                        \
    do {                                                                                            \
        const char *root_ = getenv("PHYSAD_TEST_DATA");                                             \
        if (root_ == NULL) {                                                                        \
            print_message("PHYSAD_TEST_DATA is not set\n");                                         \
            skip();                                                                                 \
        }                                                                                           \
        snprintf((out), 4096, "%s/%s", root_, (name));                                              \
    } while (0)

#endif
