/* SPDX-License-Identifier: Apache-2.0 */
/* BMP of Windows (headers of 40 to 124 bytes) and OS/2 (12, 64): 1, 4, 8, 16, 24 and 32 bits, bit fields, RLE8, RLE4.
 * Source: Microsoft, "Bitmap Storage" and MS-WMF 2.2.2; behaviour where they are silent as Pillow's. */
#include "io/io_codec.h"

enum { RAW = 0, RLE8 = 1, RLE4 = 2, BITFIELDS = 3, ALPHA_BITFIELDS = 6 };

#define FILE_HEADER 14

typedef struct bmp {
    const physad__encoded *in;
    int64_t height, width;
    size_t header;  /* bytes of the information header */
    size_t pixels;  /* where they begin */
    uint32_t compression;
    int32_t bits;
    bool top_down;
    bool gray; /* every colour of the palette is one */
    uint32_t mask[4]; /* red, green, blue, alpha */
    uint32_t colors;
    unsigned char palette[256][3]; /* red first; black beyond `colors` */
} bmp;

static uint32_t number(const bmp *b, size_t at, int bytes)
{
    uint32_t v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (uint32_t)b->in->data[at + (size_t)i] << 8 * i;
    return v;
}

/* Bytes [at, at + count) are there. */
static physad_status need(const bmp *b, size_t at, size_t count, const char *what)
{
    if (at <= b->in->size && count <= b->in->size - at)
        return PHYSAD_OK;
    return physad__decode_error(b->in, PHYSAD_ERR_FORMAT, b->in->size, "BMP: the file ends within the %s", what);
}

static physad_status read_info(bmp *b)
{
    PHYSAD__TRY(need(b, 0, FILE_HEADER + 4, "header"));
    b->pixels = number(b, 10, 4);
    b->header = number(b, FILE_HEADER, 4);
    const size_t h = b->header;
    if (h != 12 && h != 40 && h != 52 && h != 56 && h != 64 && h != 108 && h != 124)
        return physad__decode_error(b->in, PHYSAD_ERR_UNSUPPORTED, FILE_HEADER, "BMP: a header of %zu bytes", h);
    PHYSAD__TRY(need(b, FILE_HEADER, h, "header"));
    if (h == 12) {
        b->width = number(b, 18, 2);
        b->height = number(b, 20, 2);
        b->bits = (int32_t)number(b, 24, 2);
        return PHYSAD_OK;
    }
    b->width = (int32_t)number(b, 18, 4);
    b->height = (int32_t)number(b, 22, 4);
    b->top_down = b->height < 0;
    if (b->top_down)
        b->height = -b->height;
    b->bits = (int32_t)number(b, 28, 2);
    b->compression = number(b, 30, 4);
    b->colors = number(b, 46, 4);
    return PHYSAD_OK;
}

static physad_status check_compression(const bmp *b)
{
    const int32_t bits = b->bits;
    const bool depth = bits == 1 || bits == 4 || bits == 8 || bits == 16 || bits == 24 || bits == 32;
    if (!depth)
        return physad__decode_error(b->in, PHYSAD_ERR_UNSUPPORTED, 28, "BMP: %d bits per pixel", bits);
    const bool fields = b->compression == BITFIELDS || b->compression == ALPHA_BITFIELDS;
    /* In the OS/2 header, 3 is Huffman coding of one bit and 4 is RLE24. */
    const bool known = b->compression == RAW || (b->compression == RLE8 && bits == 8) ||
                       (b->compression == RLE4 && bits == 4) ||
                       (fields && b->header != 64 && (bits == 16 || bits == 32));
    if (!known)
        return physad__decode_error(b->in, PHYSAD_ERR_UNSUPPORTED, 30, "BMP: compression %u with %d bits per pixel",
                                    b->compression, bits);
    if (b->top_down && (b->compression == RLE8 || b->compression == RLE4))
        return physad__decode_error(b->in, PHYSAD_ERR_FORMAT, 22, "BMP: run lengths with the top row first");
    return PHYSAD_OK;
}

static bool is_run_of_ones(uint32_t mask)
{
    const uint32_t low = mask & -mask;
    return mask == 0 || ((mask + low) & mask) == 0;
}

/* Where the colours end: the pixels begin there when the header does not say. */
static physad_status read_masks(bmp *b, size_t *end)
{
    const bool fields = b->compression == BITFIELDS || b->compression == ALPHA_BITFIELDS;
    const bool within = b->header >= 52 && b->header != 64; /* newer headers hold the masks, older ones precede them */
    if (b->bits == 16)
        memcpy(b->mask, (const uint32_t[4]){ 0x7C00, 0x03E0, 0x001F, 0 }, sizeof(b->mask));
    else
        memcpy(b->mask, (const uint32_t[4]){ 0xFF0000, 0xFF00, 0xFF, 0 }, sizeof(b->mask));
    if (!fields)
        return PHYSAD_OK;
    const int count = b->compression == ALPHA_BITFIELDS || (within && b->header >= 56) ? 4 : 3;
    PHYSAD__TRY(need(b, 54, (size_t)count * 4, "bit masks"));
    uint32_t mask[4] = { 0 }, together = 0;
    for (int i = 0; i < count; i++) {
        mask[i] = number(b, 54 + 4 * (size_t)i, 4);
        if (!is_run_of_ones(mask[i]) || (mask[i] & together) != 0 || (b->bits == 16 && mask[i] > 0xFFFF))
            return physad__decode_error(b->in, PHYSAD_ERR_FORMAT, 54 + 4 * (size_t)i, "BMP: the bit mask %08x",
                                        mask[i]);
        together |= mask[i];
    }
    if (!within)
        *end += (size_t)count * 4;
    if (together != 0)
        memcpy(b->mask, mask, sizeof(mask));
    return PHYSAD_OK;
}

static physad_status read_palette(bmp *b, size_t *end)
{
    const size_t entry = b->header == 12 ? 3 : 4;
    const uint32_t most = 1u << b->bits;
    if (b->colors == 0)
        b->colors = most;
    if (b->colors > 65536)
        return physad__decode_error(b->in, PHYSAD_ERR_FORMAT, 46, "BMP: a palette of %u colours", b->colors);
    /* Some writers leave out colours that no pixel uses. */
    size_t room = b->colors;
    if (b->pixels > *end)
        room = (size_t)physad__min((int64_t)room, (int64_t)((b->pixels - *end) / entry));
    const size_t count = (size_t)physad__min((int64_t)room, most);
    PHYSAD__TRY(need(b, *end, count * entry, "palette"));
    b->gray = true;
    for (size_t i = 0; i < count; i++) {
        const unsigned char *p = b->in->data + *end + i * entry; /* blue first */
        for (int c = 0; c < 3; c++)
            b->palette[i][c] = p[2 - c];
        b->gray = b->gray && p[0] == p[1] && p[1] == p[2];
    }
    *end += room * entry;
    return PHYSAD_OK;
}

static physad_status read_header(bmp *b, physad__pixels *out)
{
    PHYSAD__TRY(read_info(b));
    PHYSAD__TRY(check_compression(b));
    PHYSAD__TRY(physad__decode_size(out, b->in, 18, b->height, b->width));
    size_t end = FILE_HEADER + b->header;
    PHYSAD__TRY(read_masks(b, &end));
    if (b->bits <= 8)
        PHYSAD__TRY(read_palette(b, &end));
    if (b->pixels == 0)
        b->pixels = end;
    if (b->pixels < FILE_HEADER + b->header)
        return physad__decode_error(b->in, PHYSAD_ERR_FORMAT, 10,
                                    "BMP: the pixels begin within the header, at byte %zu", b->pixels);
    const bool alpha = b->bits > 8 && b->mask[3] != 0;
    physad__decode_kind(out, b->bits <= 8 && b->gray ? 1 : alpha ? 4 : 3, PHYSAD_U8, 8);
    out->info.format = PHYSAD_IMAGE_BMP;
    out->info.orientation = 1;
    out->info.pages = 1;
    return PHYSAD_OK;
}

/* --- pixels --- */

static unsigned char *row_of(const physad__pixels *out, int64_t row, bool top_down)
{
    const int64_t y = top_down ? row : out->height - 1 - row;
    return out->data + (size_t)y * (size_t)out->width * (size_t)out->info.channels;
}

static void put_index(const bmp *b, unsigned char *to, int32_t channels, int index)
{
    memcpy(to, b->palette[index], (size_t)channels); /* grey: the first of three equal ones */
}

static void unpack_indices(const bmp *b, unsigned char *to, const unsigned char *from, int32_t channels)
{
    const int per_byte = 8 / b->bits, most = (1 << b->bits) - 1;
    for (int64_t x = 0; x < b->width; x++, to += channels) {
        const int shift = 8 - b->bits * (int)(x % per_byte + 1);
        put_index(b, to, channels, from[x / per_byte] >> shift & most);
    }
}

static void unpack_fields(const bmp *b, unsigned char *to, const unsigned char *from, int32_t channels)
{
    int shift[4] = { 0 };
    uint32_t most[4] = { 0 };
    for (int c = 0; c < channels; c++) {
        shift[c] = b->mask[c] != 0 ? __builtin_ctz(b->mask[c]) : 0;
        most[c] = b->mask[c] >> shift[c];
    }
    const int bytes = b->bits / 8;
    for (int64_t x = 0; x < b->width; x++, from += bytes, to += channels) {
        uint32_t v = (uint32_t)from[0] | (uint32_t)from[1] << 8;
        if (bytes == 4)
            v |= (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
        for (int c = 0; c < channels; c++) {
            const uint64_t field = (v & b->mask[c]) >> shift[c];
            to[c] = most[c] != 0 ? (unsigned char)(field * 255 / most[c]) : 0;
        }
    }
}

static void unpack_rgb(const bmp *b, unsigned char *to, const unsigned char *from)
{
    for (int64_t x = 0; x < b->width; x++, from += 3, to += 3) {
        to[0] = from[2];
        to[1] = from[1];
        to[2] = from[0];
    }
}

static physad_status read_raw(const bmp *b, physad__pixels *out)
{
    const size_t row_bytes = ((size_t)b->width * (size_t)b->bits + 31) / 32 * 4;
    const size_t last_bytes = ((size_t)b->width * (size_t)b->bits + 7) / 8; /* the last row's padding may be missing */
    PHYSAD__TRY(need(b, b->pixels, row_bytes * (size_t)(b->height - 1) + last_bytes, "pixels"));
    PHYSAD__TRY(physad__decode_alloc(out, b->in));
    for (int64_t row = 0; row < b->height; row++) {
        const unsigned char *from = b->in->data + b->pixels + (size_t)row * row_bytes;
        unsigned char *to = row_of(out, row, b->top_down);
        if (b->bits <= 8)
            unpack_indices(b, to, from, out->info.channels);
        else if (b->bits == 24)
            unpack_rgb(b, to, from);
        else
            unpack_fields(b, to, from, out->info.channels);
    }
    return PHYSAD_OK;
}

/* --- run lengths --- */

typedef struct runs {
    const bmp *b;
    physad__pixels *out;
    size_t at;
    int64_t x, row;
} runs;

/* What leaves the row is dropped. */
static void put_run_pixel(runs *r, int index)
{
    if (r->x < r->b->width && r->row < r->b->height) {
        unsigned char *to = row_of(r->out, r->row, false) + r->x * r->out->info.channels;
        put_index(r->b, to, r->out->info.channels, index);
    }
    r->x++;
}

static physad_status read_escape(runs *r, int code, bool *done)
{
    const bmp *b = r->b;
    const unsigned char *data = b->in->data;
    if (code == 0) { /* end of row */
        r->x = 0;
        r->row++;
        return PHYSAD_OK;
    }
    if (code == 1) {
        *done = true;
        return PHYSAD_OK;
    }
    if (code == 2) { /* a step right and up */
        PHYSAD__TRY(need(b, r->at, 2, "run lengths"));
        r->x += data[r->at];
        r->row += data[r->at + 1];
        r->at += 2;
        return PHYSAD_OK;
    }
    const size_t bytes = b->bits == 8 ? (size_t)code : ((size_t)code + 1) / 2;
    PHYSAD__TRY(need(b, r->at, bytes, "run lengths"));
    for (int i = 0; i < code; i++) {
        const int v = data[r->at + (size_t)(b->bits == 8 ? i : i / 2)];
        put_run_pixel(r, b->bits == 8 ? v : i % 2 == 0 ? v >> 4 : v & 15);
    }
    r->at += bytes + (bytes & 1); /* to an even number of bytes */
    return PHYSAD_OK;
}

static physad_status read_runs(const bmp *b, physad__pixels *out)
{
    runs r = { b, out, b->pixels, 0, 0 };
    bool done = false;
    PHYSAD__TRY(need(b, b->pixels, 2, "run lengths"));
    PHYSAD__TRY(physad__decode_alloc(out, b->in));
    for (int64_t i = 0; i < b->height * b->width; i++) /* what no run reaches has colour 0 */
        put_index(b, out->data + i * out->info.channels, out->info.channels, 0);
    /* A full photo needs no end mark. */
    while (!done && r.row < b->height && !(r.row == b->height - 1 && r.x >= b->width)) {
        PHYSAD__TRY(need(b, r.at, 2, "run lengths"));
        const int count = b->in->data[r.at], value = b->in->data[r.at + 1];
        r.at += 2;
        if (count == 0)
            PHYSAD__TRY(read_escape(&r, value, &done));
        for (int i = 0; i < count; i++)
            put_run_pixel(&r, b->bits == 8 ? value : i % 2 == 0 ? value >> 4 : value & 15);
    }
    return PHYSAD_OK;
}

physad_status physad__bmp_decode(physad__pixels *out, const physad__encoded *in)
{
    bmp b = { .in = in };
    PHYSAD__TRY(read_header(&b, out));
    if (in->header_only)
        return PHYSAD_OK;
    return b.compression == RLE8 || b.compression == RLE4 ? read_runs(&b, out) : read_raw(&b, out);
}
