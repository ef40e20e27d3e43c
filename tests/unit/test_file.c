/* SPDX-License-Identifier: Apache-2.0 */
#include "failing.h"
#include "test.h"

#include "io/io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int make_folder(void **state)
{
    snprintf(folder, sizeof(folder), "/tmp/physad-file-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

static const char *in_folder(const char *name)
{
    static char path[4][256];
    static int next;
    char *p = path[next++ & 3];
    snprintf(p, 256, "%s/%s", folder, name);
    return p;
}

static physad__mem fresh_mem(void)
{
    physad__mem mem;
    physad__mem_init(&mem, NULL, 0);
    return mem;
}

static int64_t names_in(const char *path)
{
    physad__mem mem = fresh_mem();
    physad__dir dir;
    assert_ok(physad__dir_list(&dir, &mem, path));
    int64_t n = dir.count;
    physad__dir_free(&dir);
    /* temporary files begin with a dot and are not listed: look for them by force */
    char command[256];
    snprintf(command, sizeof(command), "test -z \"$(ls -A '%s' | grep tmp$)\"", path);
    assert_int_equal(system(command), 0);
    assert_int_equal(mem.used, 0);
    return n;
}

static void what_is_written_is_read(void **state)
{
    physad__mem mem = fresh_mem();
    unsigned char *data, *big = malloc(300000);
    size_t size;
    physad__file_map map;
    for (int i = 0; i < 300000; i++)
        big[i] = (unsigned char)(i * 7 + i / 251);
    const size_t sizes[] = { 0, 1, 65535, 65536, 65537, 300000 };
    for (int i = 0; i < 6; i++) {
        assert_ok(physad__file_write_atomic(&mem, in_folder("a"), big, sizes[i]));
        assert_ok(physad__file_read(&data, &size, &mem, in_folder("a"), 0));
        assert_int_equal(size, sizes[i]);
        assert_memory_equal(data, big, size);
        assert_int_equal(data[size], 0);
        physad__free(data);
        assert_ok(physad__file_map_open(&map, in_folder("a"), 300000));
        assert_int_equal(map.size, sizes[i]);
        assert_non_null(map.data);
        assert_memory_equal(map.data, big, map.size);
        physad__file_map_close(&map);
    }
    physad__file_writer w;
    assert_ok(physad__file_writer_open(&w, &mem, in_folder("a")));
    for (size_t i = 0; i < 300000; i += 30000) { /* also pieces larger than the buffer, after a filled one */
        assert_ok(physad__file_writer_put(&w, big + i, 29999));
        assert_ok(physad__file_writer_put(&w, big + i + 29999, 1));
    }
    assert_int_equal(w.written, 300000);
    assert_ok(physad__file_writer_commit(&w));
    physad__file_writer_abort(&w);
    assert_ok(physad__file_read(&data, &size, &mem, in_folder("a"), 300000));
    assert_memory_equal(data, big, size);
    physad__free(data);
    free(big);
    assert_int_equal(names_in(folder), 1);
    assert_int_equal(mem.used, 0);
}

static void limits_and_failures_are_told(void **state)
{
    physad__mem mem = fresh_mem();
    unsigned char *data;
    size_t size;
    physad__file_map map;
    assert_ok(physad__file_write_atomic(&mem, in_folder("ten"), "0123456789", 10));
    assert_ok(physad__file_read(&data, &size, &mem, in_folder("ten"), 10));
    physad__free(data);
    assert_ok(physad__file_read(&data, &size, &mem, in_folder("ten"), UINT64_MAX));
    assert_int_equal(size, 10);
    physad__free(data);
    assert_fails(PHYSAD_ERR_FORMAT, "the limit is 9", physad__file_read(&data, &size, &mem, in_folder("ten"), 9));
    assert_fails(PHYSAD_ERR_FORMAT, "the limit is 9", physad__file_map_open(&map, in_folder("ten"), 9));
    assert_null(map.data);
    assert_fails(PHYSAD_ERR_IO, "No such file", physad__file_read(&data, &size, &mem, in_folder("none"), 0));
    assert_fails(PHYSAD_ERR_IO, "none: cannot open", physad__file_map_open(&map, in_folder("none"), 0));
    assert_fails(PHYSAD_ERR_IO, "is a folder", physad__file_read(&data, &size, &mem, folder, 0));
    assert_fails(PHYSAD_ERR_IO, "is a folder", physad__file_map_open(&map, folder, 0));
    assert_fails(PHYSAD_ERR_IO, "not a regular file", physad__file_map_open(&map, "/dev/null", 0));
    assert_fails(PHYSAD_ERR_FORMAT, "the limit is 1000000",
                 physad__file_read(&data, &size, &mem, "/dev/zero", 1000000));
    assert_ok(physad__file_read(&data, &size, &mem, "/dev/null", 0));
    assert_int_equal(size, 0);
    physad__free(data);
    assert_fails(PHYSAD_ERR_IO, "is a folder", physad__file_write_atomic(&mem, folder, "x", 1));
    assert_fails(PHYSAD_ERR_IO, "no/such", physad__file_write_atomic(&mem, in_folder("no/such"), "x", 1));
    assert_int_equal(mem.used, 0);
    physad__file_map_close(&map);
}

static void a_failed_write_leaves_the_old_file(void **state)
{
    physad__mem mem = fresh_mem();
    physad__file_writer w;
    unsigned char *data;
    size_t size;
    assert_ok(physad__file_write_atomic(&mem, in_folder("keep"), "old", 3));
    assert_int_equal(chmod(in_folder("keep"), 0640), 0);
    assert_ok(physad__file_writer_open(&w, &mem, in_folder("keep")));
    assert_ok(physad__file_writer_put(&w, "half", 4));
    physad__file_writer_abort(&w);
    assert_fails(PHYSAD_ERR_STATE, "not open", physad__file_writer_put(&w, "x", 1));
    assert_fails(PHYSAD_ERR_STATE, "not open", physad__file_writer_commit(&w));
    /* The descriptor is taken away: writing fails, stays failed, and commit cleans up. */
    assert_ok(physad__file_writer_open(&w, &mem, in_folder("keep")));
    const int fd = w.fd;
    assert_true(dup2(open("/dev/full", O_WRONLY | O_CLOEXEC), fd) == fd);
    assert_ok(physad__file_writer_put(&w, "new", 3));
    assert_fails(PHYSAD_ERR_IO, "No space left", physad__file_writer_commit(&w));
    assert_ok(physad__file_read(&data, &size, &mem, in_folder("keep"), 0));
    assert_string_equal((char *)data, "old");
    physad__free(data);
    names_in(folder);
    /* Through a link, keeping the permissions. */
    assert_int_equal(symlink("keep", in_folder("link")), 0);
    assert_ok(physad__file_write_atomic(&mem, in_folder("link"), "new", 3));
    struct stat info;
    assert_int_equal(lstat(in_folder("link"), &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(stat(in_folder("keep"), &info), 0);
    assert_int_equal(info.st_mode & 07777, 0640);
    assert_int_equal(info.st_size, 3);
    assert_ok(physad__file_write_atomic(&mem, "/dev/null", "x", 1));
    assert_fails(PHYSAD_ERR_IO, "No space left", physad__file_write_atomic(&mem, "/dev/full", "x", 1));
    assert_int_equal(mem.used, 0);
}

static void paths_are_taken_apart(void **state)
{
    physad__mem mem = fresh_mem();
    const struct {
        const char *path, *name, *suffix, *stem, *parent;
    } cases[] = {
        { "a/b.tar.gz", "b.tar.gz", ".gz", "b.tar", "a" }, { "b", "b", "", "b", "." },
        { "/b.png", "b.png", ".png", "b", "/" },           { ".hidden", ".hidden", "", ".hidden", "." },
        { "a.d/b", "b", "", "b", "a.d" },                  { "a//b/", "", "", "", "a" },
        { "", "", "", "", "." },                           { "/", "", "", "", "/" },
    };
    for (int i = 0; i < PHYSAD__COUNT(cases); i++) {
        char *stem = physad__path_stem(&mem, cases[i].path), *parent = physad__path_parent(&mem, cases[i].path);
        assert_string_equal(physad__path_name(cases[i].path), cases[i].name);
        assert_string_equal(physad__path_suffix(cases[i].path), cases[i].suffix);
        assert_string_equal(stem, cases[i].stem);
        assert_string_equal(parent, cases[i].parent);
        physad__free(stem);
        physad__free(parent);
    }
    const char *joins[][3] = {
        { "a", "b", "a/b" }, { "a/", "b", "a/b" }, { "a", "/b", "/b" }, { "", "b", "b" }, { "a", "", "a" }
    };
    for (int i = 0; i < PHYSAD__COUNT(joins); i++) {
        char *joined = physad__path_join(&mem, joins[i][0], joins[i][1]);
        assert_string_equal(joined, joins[i][2]);
        physad__free(joined);
    }
    assert_int_equal(mem.used, 0);
}

static void folders_are_made_and_listed_in_order(void **state)
{
    physad__mem mem = fresh_mem();
    physad__dir dir;
    assert_ok(physad__dir_make(&mem, in_folder("x/y//z/")));
    assert_ok(physad__dir_make(&mem, in_folder("x/y")));
    assert_true(physad__path_is_dir(in_folder("x/y/z")));
    assert_false(physad__path_is_file(in_folder("x/y/z")));
    const char *names[] = { "x/10.png", "x/9.png", "x/.hidden", "x/1.png" };
    for (int i = 0; i < 4; i++)
        assert_ok(physad__file_write_atomic(&mem, in_folder(names[i]), "", 0));
    assert_int_equal(symlink("y", in_folder("x/to-y")), 0);
    assert_int_equal(symlink("nowhere", in_folder("x/dead")), 0);
    assert_true(physad__path_is_file(in_folder("x/9.png")));
    assert_true(physad__path_exists(in_folder("x/9.png")));
    assert_false(physad__path_exists(in_folder("x/none")));
    assert_ok(physad__dir_list(&dir, &mem, in_folder("x")));
    const char *want[] = { "1.png", "9.png", "10.png", "dead", "to-y", "y" };
    assert_int_equal(dir.count, 6);
    for (int i = 0; i < 6; i++) {
        assert_string_equal(dir.entries[i].name, want[i]);
        assert_int_equal(dir.entries[i].is_dir, i >= 4);
    }
    physad__dir_free(&dir);
    assert_fails(PHYSAD_ERR_IO, "9.png: cannot list: Not a directory",
                 physad__dir_list(&dir, &mem, in_folder("x/9.png")));
    assert_fails(PHYSAD_ERR_IO, "cannot make the folder", physad__dir_make(&mem, in_folder("x/9.png/below")));
    assert_fails(PHYSAD_ERR_IO, "cannot make the folder", physad__dir_make(&mem, ""));
    assert_int_equal(mem.used, 0);
}

static void hashes_are_those_of_the_standard(void **state)
{
    physad__mem mem = fresh_mem();
    char hex[65];
    assert_ok(physad__sha256(hex, "", 0));
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_ok(physad__sha256(hex, "abc", 3)); /* FIPS 180-2, B.1 */
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    char *million = malloc(1000000); /* B.3 */
    memset(million, 'a', 1000000);
    assert_ok(physad__file_write_atomic(&mem, in_folder("million"), million, 1000000));
    free(million);
    assert_ok(physad__sha256_file(hex, in_folder("million")));
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_fails(PHYSAD_ERR_IO, "none: cannot open", physad__sha256_file(hex, in_folder("none")));
    assert_fails(PHYSAD_ERR_IO, "cannot read: Is a directory", physad__sha256_file(hex, folder));
}

static void json_tells_where_it_is_wrong(void **state)
{
    physad__mem mem = fresh_mem();
    json_t *value;
    assert_ok(physad__json_parse(&value, "{\"a\": [1, 2.5]}", 15, "x"));
    assert_ok(physad__json_write(&mem, in_folder("v.json"), value));
    json_t *back;
    assert_ok(physad__json_read(&back, &mem, in_folder("v.json"), 1000));
    assert_true(json_equal(value, back));
    json_decref(back);
    json_decref(value);
    assert_fails(PHYSAD_ERR_FORMAT, "x.json: line 2, column 2", physad__json_parse(&value, "{\n 1}", 5, "x.json"));
    assert_null(value);
    assert_fails(PHYSAD_ERR_FORMAT, "duplicate", physad__json_parse(&value, "{\"a\":1,\"a\":2}", 13, "x"));
    assert_fails(PHYSAD_ERR_FORMAT, "end of file", physad__json_parse(&value, "{} {}", 5, "x"));
    char deep[5000];
    memset(deep, '[', sizeof(deep));
    assert_fails(PHYSAD_ERR_FORMAT, "depth", physad__json_parse(&value, deep, sizeof(deep), "x"));
    assert_fails(PHYSAD_ERR_FORMAT, "the limit is 3", physad__json_read(&value, &mem, in_folder("v.json"), 3));
    assert_fails(PHYSAD_ERR_IO, "no/such", physad__json_write(&mem, in_folder("no/such"), json_null()));
    json_t *endless = json_object();
    json_object_set(endless, "self", json_null());
    json_t *inner = json_object();
    json_object_set_new(endless, "self", inner);
    json_object_set(inner, "self", endless);
    assert_fails(PHYSAD_ERR_ARG, "no valid JSON", physad__json_write(&mem, in_folder("endless.json"), endless));
    assert_false(physad__path_exists(in_folder("endless.json")));
    json_object_del(inner, "self");
    json_decref(endless);
    names_in(folder);
    assert_int_equal(mem.used, 0);
}

static void running_out_of_memory_is_survived(void **state)
{
    physad__mem mem;
    physad__mem_init(&mem, &failing_allocator, 0);
    int failures = 0;
    for (int n = 0;; n++) {
        physad__dir dir;
        unsigned char *data = NULL;
        size_t size;
        allocations_left = n;
        physad_status status = physad__dir_make(&mem, in_folder("m/n"));
        if (status == PHYSAD_OK)
            status = physad__file_write_atomic(&mem, in_folder("m/f"), "text", 4);
        if (status == PHYSAD_OK)
            status = physad__file_read(&data, &size, &mem, in_folder("m/f"), 0);
        physad__free(data);
        if (status == PHYSAD_OK)
            status = physad__dir_list(&dir, &mem, in_folder("m"));
        if (status == PHYSAD_OK)
            physad__dir_free(&dir);
        assert_int_equal(mem.used, 0);
        if (status == PHYSAD_OK)
            break;
        assert_int_equal(status, PHYSAD_ERR_NOMEM);
        failures++;
    }
    assert_true(failures >= 7);
    names_in(in_folder("m"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(limits_and_failures_are_told),
        cmocka_unit_test(a_failed_write_leaves_the_old_file),
        cmocka_unit_test(paths_are_taken_apart),
        cmocka_unit_test(folders_are_made_and_listed_in_order),
        cmocka_unit_test(hashes_are_those_of_the_standard),
        cmocka_unit_test(json_tells_where_it_is_wrong),
        cmocka_unit_test(running_out_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
