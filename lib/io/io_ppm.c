/* SPDX-License-Identifier: Apache-2.0 */
/* PBM, PGM, PPM (plain and raw) and PFM. Source: the Netpbm manual pages pbm(5), pgm(5), ppm(5), and Debevec's PFM. */
#include "io/io_codec.h"

#include <math.h>

typedef struct pnm {
    const physad__encoded *in;
    size_t at;
    int kind; /* 1..6 as in P1..P6; 'f', 'F' */
    int64_t height, width, most;
    int32_t channels;
    bool big; /* PFM: byte order */
} pnm;

static bool is_space(int c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static physad_status broken(const pnm *p, const char *what)
{
    const bool end = p->at >= p->in->size;
    return physad__decode_error(p->in, PHYSAD_ERR_FORMAT, p->at, "PNM: %s%s", end ? "the file ends within " : "bad ",
                                what);
}

/* White space and comments, which run from # to the end of the line. */
static void skip_space(pnm *p)
{
    bool comment = false;
    for (; p->at < p->in->size; p->at++) {
        const int c = p->in->data[p->at];
        if (comment)
            comment = c != '\n' && c != '\r';
        else if (c == '#')
            comment = true;
        else if (!is_space(c))
            return;
    }
}

static physad_status read_number(pnm *p, int64_t *value, int64_t most, const char *what)
{
    skip_space(p);
    const size_t begin = p->at;
    int64_t v = 0;
    while (p->at < p->in->size && p->in->data[p->at] >= '0' && p->in->data[p->at] <= '9' && v <= most)
        v = v * 10 + (p->in->data[p->at++] - '0');
    if (p->at == begin)
        return broken(p, what);
    if (v > most)
        return physad__decode_error(p->in, PHYSAD_ERR_FORMAT, begin, "PNM: the %s is more than %lld", what,
                                    (long long)most);
    *value = v;
    return PHYSAD_OK;
}

/* The scale of a PFM: its sign is the byte order, its size is not used. */
static physad_status read_scale(pnm *p)
{
    char text[64];
    size_t n = 0;
    double scale;
    skip_space(p);
    while (p->at < p->in->size && !is_space(p->in->data[p->at]) && n < sizeof(text) - 1)
        text[n++] = (char)p->in->data[p->at++];
    text[n] = '\0';
    if (!physad__parse_double(text, &scale) || !isfinite(scale) || scale == 0)
        return broken(p, "scale");
    p->big = scale > 0;
    return PHYSAD_OK;
}

static physad_status read_header(pnm *p, physad__pixels *out)
{
    const bool real = p->in->data[1] == 'f' || p->in->data[1] == 'F';
    p->kind = real ? p->in->data[1] : p->in->data[1] - '0';
    p->at = 2;
    p->most = 1;
    p->channels = p->kind == 3 || p->kind == 6 || p->kind == 'F' ? 3 : 1;
    PHYSAD__TRY(read_number(p, &p->width, INT32_MAX, "width"));
    PHYSAD__TRY(read_number(p, &p->height, INT32_MAX, "height"));
    PHYSAD__TRY(physad__decode_size(out, p->in, 2, p->height, p->width));
    if (real)
        PHYSAD__TRY(read_scale(p));
    else if (p->kind != 1 && p->kind != 4)
        PHYSAD__TRY(read_number(p, &p->most, 65535, "largest value"));
    if (p->most < 1)
        return physad__decode_error(p->in, PHYSAD_ERR_FORMAT, p->at, "PNM: the largest value is 0");
    if (p->at >= p->in->size || !is_space(p->in->data[p->at]))
        return broken(p, "header: want white space behind it");
    p->at++;
    if (real)
        physad__decode_kind(out, p->channels, PHYSAD_F32, 32);
    else
        physad__decode_kind(out, p->channels, p->most > 255 ? PHYSAD_U16 : PHYSAD_U8, p->most > 255 ? 16 : 8);
    out->info.format = PHYSAD_IMAGE_PNM;
    out->info.orientation = 1;
    out->info.pages = 1;
    return PHYSAD_OK;
}

static void put_sample(const pnm *p, unsigned char *to, int64_t i, int64_t value)
{
    const int64_t full = p->most > 255 ? 65535 : 255;
    if (p->most != full) /* ties to even, as Python's round() */
        value = physad__min(full, (int64_t)rint((double)value / (double)p->most * (double)full));
    if (full == 255) {
        to[i] = (unsigned char)value;
    } else {
        const uint16_t word = (uint16_t)value;
        memcpy(to + 2 * i, &word, 2);
    }
}

static physad_status read_plain(pnm *p, physad__pixels *out)
{
    const int64_t count = p->height * p->width * p->channels;
    if ((uint64_t)count > p->in->size - p->at) /* a digit each at least */
        return physad__decode_error(p->in, PHYSAD_ERR_FORMAT, p->in->size, "PNM: the file ends within the pixels");
    PHYSAD__TRY(physad__decode_alloc(out, p->in));
    for (int64_t i = 0; i < count; i++) {
        int64_t value;
        if (p->kind == 1) { /* single digits, which nothing need part */
            skip_space(p);
            if (p->at >= p->in->size || (p->in->data[p->at] != '0' && p->in->data[p->at] != '1'))
                return broken(p, "pixels: want 0 or 1");
            out->data[i] = p->in->data[p->at++] == '1' ? 0 : 255;
            continue;
        }
        PHYSAD__TRY(read_number(p, &value, p->most, "value of a pixel"));
        if (p->at < p->in->size && !is_space(p->in->data[p->at]) && p->in->data[p->at] != '#')
            return broken(p, "value of a pixel");
        put_sample(p, out->data, i, value);
    }
    return PHYSAD_OK;
}

static void unpack_bits(const pnm *p, unsigned char *to, const unsigned char *from)
{
    for (int64_t x = 0; x < p->width; x++)
        to[x] = from[x / 8] >> (7 - x % 8) & 1 ? 0 : 255;
}

static void unpack_samples(const pnm *p, unsigned char *to, const unsigned char *from)
{
    const int64_t n = p->width * p->channels;
    if (p->most == 255)
        memcpy(to, from, (size_t)n);
    else
        for (int64_t i = 0; i < n; i++)
            put_sample(p, to, i, p->most > 255 ? from[2 * i] << 8 | from[2 * i + 1] : from[i]);
}

static void unpack_floats(const pnm *p, unsigned char *to, const unsigned char *from)
{
    for (int64_t i = 0; i < 4 * p->width * p->channels; i += 4) {
        uint32_t v = 0;
        for (int k = 0; k < 4; k++)
            v |= (uint32_t)from[i + k] << 8 * (p->big ? 3 - k : k);
        memcpy(to + i, &v, 4);
    }
}

static physad_status read_raw(pnm *p, physad__pixels *out)
{
    const bool real = p->kind == 'f' || p->kind == 'F';
    const int64_t samples = p->width * p->channels;
    const int64_t row_bytes = p->kind == 4    ? (p->width + 7) / 8
                              : real          ? 4 * samples
                              : p->most > 255 ? 2 * samples
                                              : samples;
    if ((uint64_t)(row_bytes * p->height) > p->in->size - p->at)
        return physad__decode_error(p->in, PHYSAD_ERR_FORMAT, p->in->size,
                                    "PNM: the file ends within the pixels, %lld bytes from byte %zu on",
                                    (long long)(row_bytes * p->height), p->at);
    PHYSAD__TRY(physad__decode_alloc(out, p->in));
    const size_t out_bytes = (size_t)samples * physad_dtype_size(out->info.dtype);
    for (int64_t y = 0; y < p->height; y++) {
        const unsigned char *from = p->in->data + p->at + (size_t)(y * row_bytes);
        unsigned char *to =
            out->data + (size_t)(real ? p->height - 1 - y : y) * out_bytes; /* PFM: the bottom row first */
        if (p->kind == 4)
            unpack_bits(p, to, from);
        else if (real)
            unpack_floats(p, to, from);
        else
            unpack_samples(p, to, from);
    }
    return PHYSAD_OK;
}

physad_status physad__pnm_decode(physad__pixels *out, const physad__encoded *in)
{
    pnm p = { .in = in };
    PHYSAD__TRY(read_header(&p, out));
    if (in->header_only)
        return PHYSAD_OK;
    return p.kind >= 1 && p.kind <= 3 ? read_plain(&p, out) : read_raw(&p, out);
}

/* --- encoding --- */

physad_status physad__pnm_encode(physad__bytes *out, const physad__source *s)
{
    char header[96];
    const bool real = s->dtype == PHYSAD_F32, little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    const char *magic = real ? (s->channels == 1 ? "Pf" : "PF") : s->channels == 1 ? "P5" : "P6";
    const char *last = real ? (little ? "-1.0" : "1.0") : s->dtype == PHYSAD_U16 ? "65535" : "255";
    const int n = physad__snprintf(header, sizeof(header), "%s\n%lld %lld\n%s\n", magic, (long long)s->width,
                                   (long long)s->height, last);
    PHYSAD__TRY(physad__bytes_put(out, header, (size_t)n));
    const size_t row_bytes = (size_t)s->width * (size_t)s->channels * physad_dtype_size(s->dtype);
    for (int64_t y = 0; y < s->height; y++) {
        const unsigned char *row = physad__source_row(s, real ? s->height - 1 - y : y);
        const int64_t begin = out->size;
        PHYSAD__TRY(physad__bytes_put(out, row, row_bytes));
        if (s->dtype == PHYSAD_U16 && little) {
            for (int64_t i = begin; i < out->size; i += 2) { /* big-endian by definition */
                const unsigned char low = out->data[i];
                out->data[i] = out->data[i + 1];
                out->data[i + 1] = low;
            }
        }
    }
    return PHYSAD_OK;
}
