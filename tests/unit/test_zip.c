/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "io/io.h"

#include <zlib.h>

/* --- archives made byte by byte --- */

typedef struct member {
    const char *name;
    const char *data; /* as it lies in the archive */
    size_t packed, size;
    uint32_t crc;
    int method, flags;
    bool zip64, descriptor;
    size_t header; /* where it was put */
} member;

typedef struct archive {
    uint8_t bytes[8192];
    size_t size;
    member members[8];
    int count;
    size_t directory, end;
} archive;

static void put(archive *a, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        a->bytes[a->size++] = (uint8_t)(value >> (8 * i));
}

static void put_bytes(archive *a, const void *data, size_t n)
{
    memcpy(a->bytes + a->size, data, n);
    a->size += n;
}

static void add(archive *a, member m)
{
    m.header = a->size;
    const size_t name = strlen(m.name);
    const bool later = m.descriptor;
    put(a, 0x04034b50, 4);
    put(a, 45, 2);
    put(a, (uint64_t)m.flags | (m.descriptor ? 8 : 0), 2);
    put(a, (uint64_t)m.method, 2);
    put(a, 0, 4); /* time */
    put(a, later ? 0 : m.crc, 4);
    put(a, m.zip64 ? UINT32_MAX : later ? 0 : m.packed, 4);
    put(a, m.zip64 ? UINT32_MAX : later ? 0 : m.size, 4);
    put(a, name, 2);
    put(a, m.zip64 ? 20 : 0, 2);
    put_bytes(a, m.name, name);
    if (m.zip64) {
        put(a, 1, 2);
        put(a, 16, 2);
        put(a, later ? 0 : m.size, 8);
        put(a, later ? 0 : m.packed, 8);
    }
    put_bytes(a, m.data, m.packed);
    if (m.descriptor) {
        put(a, 0x08074b50, 4);
        put(a, m.crc, 4);
        put(a, m.packed, m.zip64 ? 8 : 4);
        put(a, m.size, m.zip64 ? 8 : 4);
    }
    a->members[a->count++] = m;
}

static void add_stored(archive *a, const char *name, const char *data)
{
    const size_t n = strlen(data);
    add(a, (member){ .name = name,
                     .data = data,
                     .packed = n,
                     .size = n,
                     .crc = (uint32_t)crc32(0, (const Bytef *)data, (uInt)n) });
}

/* The text deflated; `into` has room. */
static void add_deflated(archive *a, const char *name, const char *data, char *into, size_t room)
{
    z_stream z = { 0 };
    const size_t n = strlen(data);
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)data;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)into;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    add(a, (member){ .name = name, .data = into, .packed = z.total_out, .size = n, .method = 8,
                     .crc = (uint32_t)crc32(0, (const Bytef *)data, (uInt)n) });
    deflateEnd(&z);
}

static void finish(archive *a, bool zip64, const char *comment)
{
    a->directory = a->size;
    for (int i = 0; i < a->count; i++) {
        const member *m = &a->members[i];
        put(a, 0x02014b50, 4);
        put(a, 45, 2);
        put(a, 45, 2);
        put(a, (uint64_t)m->flags | (m->descriptor ? 8 : 0), 2);
        put(a, (uint64_t)m->method, 2);
        put(a, 0, 4);
        put(a, m->crc, 4);
        put(a, m->zip64 ? UINT32_MAX : m->packed, 4);
        put(a, m->zip64 ? UINT32_MAX : m->size, 4);
        put(a, strlen(m->name), 2);
        put(a, m->zip64 ? 28 : 0, 2);
        put(a, 0, 2);
        put(a, 0, 2);
        put(a, 0, 2);
        put(a, 0, 4);
        put(a, m->zip64 ? UINT32_MAX : m->header, 4);
        put_bytes(a, m->name, strlen(m->name));
        if (m->zip64) {
            put(a, 1, 2);
            put(a, 24, 2);
            put(a, m->size, 8);
            put(a, m->packed, 8);
            put(a, m->header, 8);
        }
    }
    const size_t size = a->size - a->directory, end64 = a->size;
    if (zip64) {
        put(a, 0x06064b50, 4);
        put(a, 44, 8);
        put(a, 45, 2);
        put(a, 45, 2);
        put(a, 0, 4);
        put(a, 0, 4);
        put(a, (uint64_t)a->count, 8);
        put(a, (uint64_t)a->count, 8);
        put(a, size, 8);
        put(a, a->directory, 8);
        put(a, 0x07064b50, 4);
        put(a, 0, 4);
        put(a, end64, 8);
        put(a, 1, 4);
    }
    a->end = a->size;
    put(a, 0x06054b50, 4);
    put(a, 0, 2);
    put(a, 0, 2);
    put(a, zip64 ? UINT16_MAX : (uint64_t)a->count, 2);
    put(a, zip64 ? UINT16_MAX : (uint64_t)a->count, 2);
    put(a, zip64 ? UINT32_MAX : size, 4);
    put(a, zip64 ? UINT32_MAX : a->directory, 4);
    put(a, strlen(comment), 2);
    put_bytes(a, comment, strlen(comment));
}

/* --- tests --- */

static physad__mem mem;

static int setup(void **state)
{
    physad__mem_init(&mem, NULL, 0);
    return 0;
}

static int teardown(void **state)
{
    return mem.used != 0;
}

static void assert_member(const physad__zip *zip, const char *name, const char *want)
{
    const uint8_t *data;
    void *owned;
    const physad__zip_entry *e = physad__zip_find(zip, name, (int64_t)strlen(name));
    assert_non_null(e);
    assert_ok(physad__zip_entry_read(zip, e, true, 0, &data, &owned));
    assert_int_equal(e->size, strlen(want));
    assert_memory_equal(data, want, strlen(want));
    assert_true((owned == NULL) == (e->method == 0));
    physad__free(owned);
}

static void every_kind_of_member_is_read(void **state)
{
    static const char text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa end";
    static const char *const comments[] = { "", "a comment with PK\005\006 in it" };
    char packed[256], nothing[16];
    for (int k = 0; k < 4; k++) {
        archive a = { .size = 0 };
        physad__zip zip;
        add_stored(&a, "stored", "hello");
        add_deflated(&a, "dir/deflated", text, packed, sizeof(packed));
        add_deflated(&a, "nothing", "", nothing, sizeof(nothing));
        add_stored(&a, "empty", "");
        const uint32_t crc = (uint32_t)crc32(0, (const Bytef *)"wide", 4);
        add(&a, (member){ .name = "wide", .data = "wide", .packed = 4, .size = 4, .crc = crc, .zip64 = true });
        add(&a, (member){ .name = "later", .data = "wide", .packed = 4, .size = 4, .crc = crc, .descriptor = true });
        add(&a, (member){ .name = "wide-later",
                          .data = "wide",
                          .packed = 4,
                          .size = 4,
                          .crc = crc,
                          .zip64 = true,
                          .descriptor = true });
        finish(&a, k & 1, comments[k >> 1]);
        assert_ok(physad__zip_open(&zip, &mem, a.bytes, (int64_t)a.size, "x"));
        assert_int_equal(zip.count, 7);
        assert_member(&zip, "stored", "hello");
        assert_member(&zip, "dir/deflated", text);
        assert_member(&zip, "nothing", "");
        assert_member(&zip, "empty", "");
        assert_member(&zip, "wide", "wide");
        assert_member(&zip, "later", "wide");
        assert_member(&zip, "wide-later", "wide");
        assert_null(physad__zip_find(&zip, "store", 5));
        physad__zip_close(&zip);
    }
}

static void an_empty_archive_is_one(void **state)
{
    archive a = { .size = 0 };
    physad__zip zip;
    finish(&a, false, "");
    assert_ok(physad__zip_open(&zip, &mem, a.bytes, (int64_t)a.size, "x"));
    assert_int_equal(zip.count, 0);
    physad__zip_close(&zip);
}

/* Two members, "one" and "two"; central entries of 49 bytes each. */
static archive pair(void)
{
    archive a = { .size = 0 };
    add_stored(&a, "one", "first data");
    add_stored(&a, "two", "second data");
    finish(&a, false, "");
    return a;
}

static void assert_refused(const archive *a, const char *message)
{
    physad__zip zip;
    assert_fails(PHYSAD_ERR_FORMAT, message, physad__zip_open(&zip, &mem, a->bytes, (int64_t)a->size, "x"));
}

static void lying_archives_are_refused(void **state)
{
    archive a = pair();
    for (size_t n = 0; n < a.size; n++) {
        archive cut = a;
        cut.size = n;
        assert_refused(&cut, "missing; the file");
    }
    archive b = a;
    memcpy(b.bytes + b.directory + 49 + 42, "\0\0\0\0", 4); /* "two" at the place of "one" */
    assert_refused(&b, "contradicts the directory");
    b = a;
    memcpy(b.bytes + b.directory + 49 + 46, "one", 3);
    memcpy(b.bytes + b.directory + 49 + 42, "\0\0\0\0", 4);
    memcpy(b.bytes + b.directory + 49, b.bytes + b.directory, 46); /* the same member twice */
    assert_refused(&b, "overlaps");
    b = a;
    memcpy(b.bytes + b.directory + 49 + 46, "one", 3);
    memcpy(b.bytes + b.members[1].header + 30, "one", 3);
    assert_refused(&b, "two of this name");
    b = a;
    b.bytes[b.directory + 20] = b.bytes[b.directory + 24] = 200; /* longer than the file */
    b.bytes[18] = b.bytes[22] = 200;
    assert_refused(&b, "goes beyond the file");
    b = a;
    b.bytes[b.directory + 20] = b.bytes[b.directory + 24] = 20; /* into the next one */
    b.bytes[18] = b.bytes[22] = 20;
    assert_refused(&b, "overlaps");
    b = a;
    b.bytes[b.directory + 24] = 11;
    b.bytes[22] = 11;
    assert_refused(&b, "its two sizes differ");
    b = a;
    b.bytes[22] = 11;
    assert_refused(&b, "contradicts the directory");
    b = a;
    b.bytes[b.directory + 42] = 200;
    assert_refused(&b, "no such member at its place");
    b = a;
    memset(b.bytes + b.directory + 42, 0xfe, 4);
    assert_refused(&b, "larger than the file");
    b = a;
    memset(b.bytes + b.directory + 42, 0xff, 4);
    assert_refused(&b, "zip64 sizes are missing");
    b = a;
    b.bytes[b.directory] = 'X';
    assert_refused(&b, "directory entry is damaged");
    b = a;
    b.bytes[b.directory + 30] = 200;
    assert_refused(&b, "goes beyond the directory");
    b = a;
    b.bytes[b.directory + 46] = 0;
    b.bytes[30] = 0;
    assert_refused(&b, "has a NUL");
    b = a;
    b.bytes[b.end + 8] = b.bytes[b.end + 10] = 3;
    assert_refused(&b, "too small for the members");
    b = a;
    b.bytes[b.end + 8] = b.bytes[b.end + 10] = 1;
    assert_refused(&b, "more members than it tells");
    b = a;
    b.bytes[b.end + 10] = 1;
    assert_refused(&b, "several disks");
    b = a;
    b.bytes[b.end + 16]++;
    assert_refused(&b, "not where it should be");
    b = a;
    memset(b.bytes + b.end + 16, 0xff, 4);
    assert_refused(&b, "zip64 directory, which is not there");
    b = (archive){ .size = 0 };
    put_bytes(&b, "#!", 2);
    add_stored(&b, "one", "first data");
    finish(&b, false, "");
    assert_refused(&b, "before the first member");
    b = (archive){ .size = 0 };
    add_stored(&b, "one", "first data");
    finish(&b, true, "");
    b.bytes[b.end - 20 + 8] = 0xff;
    assert_refused(&b, "zip64 directory's end");
    b = (archive){ .size = 0 };
    add_stored(&b, "one", "first data");
    finish(&b, true, "");
    b.bytes[b.end - 20 - 56 + 48] = 0xff;
    assert_refused(&b, "not where it should be");
}

static void read_fails(const archive *a, const char *name, bool verify, int64_t limit, physad_status want,
                       const char *message)
{
    physad__zip zip;
    const uint8_t *data;
    void *owned;
    assert_ok(physad__zip_open(&zip, &mem, a->bytes, (int64_t)a->size, "x"));
    const physad__zip_entry *e = physad__zip_find(&zip, name, (int64_t)strlen(name));
    assert_non_null(e);
    assert_fails(want, message, physad__zip_entry_read(&zip, e, verify, limit, &data, &owned));
    assert_null(owned);
    physad__zip_close(&zip);
}

static void damaged_data_are_refused(void **state)
{
    char packed[4096], *zeros = calloc(1, 4001);
    archive a = pair();
    read_fails(&a, "one", false, 9, PHYSAD_ERR_FORMAT, "larger than any such");
    a.bytes[a.members[0].header + 33] ^= 1;
    read_fails(&a, "one", true, 0, PHYSAD_ERR_FORMAT, "checksum is wrong");
    a = (archive){ .size = 0 };
    add(&a, (member){ .name = "secret", .data = "x", .packed = 1, .size = 1, .flags = 1 });
    add(&a, (member){ .name = "lzma", .data = "x", .packed = 1, .size = 1, .method = 14 });
    finish(&a, false, "");
    read_fails(&a, "secret", false, 0, PHYSAD_ERR_UNSUPPORTED, "encrypted");
    read_fails(&a, "lzma", false, 0, PHYSAD_ERR_UNSUPPORTED, "method 14");

    memset(zeros, 'a', 4000);
    static const struct {
        int64_t size; /* told; the truth is 4000 */
        int cut;      /* bytes left out at the end */
        const char *message;
    } cases[] = {
        { 3999, 0, "damaged or not of the size" },
        { 4001, 0, "damaged or not of the size" },
        { 0, 0, "damaged or not of the size" },
        { 4000, 1, "damaged or not of the size" },
        { 1 << 30, 0, "cannot have" },
        { 4000, -1, "damaged or not of the size" },
    };
    for (int64_t i = 0; i < PHYSAD__COUNT(cases); i++) {
        a = (archive){ .size = 0 };
        add_deflated(&a, "bomb", zeros, packed, sizeof(packed));
        member m = a.members[0];
        m.size = (size_t)cases[i].size;
        m.packed -= (size_t)(int64_t)cases[i].cut;
        a = (archive){ .size = 0 };
        add(&a, m);
        finish(&a, false, "");
        read_fails(&a, "bomb", false, 0, PHYSAD_ERR_FORMAT, cases[i].message);
    }
    mem.limit = 2048;
    a = (archive){ .size = 0 };
    add_deflated(&a, "bomb", zeros, packed, sizeof(packed));
    finish(&a, false, "");
    read_fails(&a, "bomb", false, 0, PHYSAD_ERR_NOMEM, "memory limit");
    mem.limit = 8192; /* room for the data, none for zlib */
    read_fails(&a, "bomb", false, 0, PHYSAD_ERR_NOMEM, "no memory to inflate");
    free(zeros);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_kind_of_member_is_read),
        TEST(an_empty_archive_is_one),
        TEST(lying_archives_are_refused),
        TEST(damaged_data_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
