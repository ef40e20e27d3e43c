/* SPDX-License-Identifier: Apache-2.0 */
/* What stands behind an opcode, and the two escaped spellings of text in protocol 0. */
#include "io/io_pickle.h"

typedef physad__pickle_operand operand;


physad_status physad__pickle_need(const physad__pickle *p, uint64_t count)
{
    if (count > (uint64_t)(p->size - p->at))
        return physad__pickle_error(p, "an operand of %llu bytes goes beyond the end of the data",
                                    (unsigned long long)count);
    return PHYSAD_OK;
}

static physad_status read_number(physad__pickle *p, int bytes, uint64_t *value)
{
    PHYSAD__TRY(physad__pickle_need(p, (uint64_t)bytes));
    *value = 0;
    for (int i = 0; i < bytes; i++)
        *value |= (uint64_t)p->data[p->at++] << (8 * i);
    return PHYSAD_OK;
}

static physad_status read_bytes(physad__pickle *p, int prefix, bool is_signed, operand *o)
{
    uint64_t n;
    PHYSAD__TRY(read_number(p, prefix, &n));
    if (is_signed && n > INT32_MAX)
        return physad__pickle_error(p, "a negative length");
    PHYSAD__TRY(physad__pickle_need(p, n));
    o->text = p->data + p->at;
    o->length = (int64_t)n;
    p->at += (int64_t)n;
    return PHYSAD_OK;
}

static physad_status read_line(physad__pickle *p, const uint8_t **text, int64_t *length)
{
    const uint8_t *start = p->data + p->at;
    const uint8_t *end = p->at < p->size ? memchr(start, '\n', (size_t)(p->size - p->at)) : NULL;
    if (end == NULL)
        return physad__pickle_error(p, "a line without its end");
    *text = start;
    *length = end - start;
    p->at += end - start + 1;
    return PHYSAD_OK;
}

physad_status physad__pickle_operand_read(physad__pickle *p, physad__pickle_form f, operand *o)
{
    static const int width[] = {
        [PHYSAD__PICKLE_FORM_U1] = 1, [PHYSAD__PICKLE_FORM_U2] = 2, [PHYSAD__PICKLE_FORM_S4] = 4,
        [PHYSAD__PICKLE_FORM_U4] = 4, [PHYSAD__PICKLE_FORM_U8] = 8, [PHYSAD__PICKLE_FORM_F8] = 8
    };
    uint64_t bits;
    switch (f) {
    case PHYSAD__PICKLE_FORM_NONE:
        return PHYSAD_OK;
    case PHYSAD__PICKLE_FORM_LINE:
        return read_line(p, &o->text, &o->length);
    case PHYSAD__PICKLE_FORM_LINES:
        PHYSAD__TRY(read_line(p, &o->text, &o->length));
        return read_line(p, &o->text2, &o->length2);
    case PHYSAD__PICKLE_FORM_BYTES1:
        return read_bytes(p, 1, false, o);
    case PHYSAD__PICKLE_FORM_BYTES4:
        return read_bytes(p, 4, false, o);
    case PHYSAD__PICKLE_FORM_SBYTES4:
        return read_bytes(p, 4, true, o);
    case PHYSAD__PICKLE_FORM_BYTES8:
        return read_bytes(p, 8, false, o);
    default:
        break;
    }
    PHYSAD__TRY(read_number(p, width[f], &bits));
    if (f == PHYSAD__PICKLE_FORM_F8) {
        bits = __builtin_bswap64(bits);
        memcpy(&o->number, &bits, sizeof(bits));
    } else if (f == PHYSAD__PICKLE_FORM_S4) {
        o->integer = (int32_t)(uint32_t)bits;
    } else if (bits > INT64_MAX) {
        return physad__pickle_error(p, "an operand of %llu", (unsigned long long)bits);
    } else {
        o->integer = (int64_t)bits;
    }
    return PHYSAD_OK;
}

/* --- text with escapes --- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool hex_number(const uint8_t *text, int64_t left, int digits, uint32_t *value)
{
    *value = 0;
    if (left < digits)
        return false;
    for (int i = 0; i < digits; i++) {
        const int d = hex_digit(text[i]);
        if (d < 0)
            return false;
        *value = *value << 4 | (uint32_t)d;
    }
    return true;
}

static uint8_t *put_utf8(uint8_t *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (uint8_t)c;
    } else if (c < 0x800) {
        *out++ = (uint8_t)(0xc0 | c >> 6);
        *out++ = (uint8_t)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *out++ = (uint8_t)(0xe0 | c >> 12);
        *out++ = (uint8_t)(0x80 | (c >> 6 & 63));
        *out++ = (uint8_t)(0x80 | (c & 63));
    } else {
        *out++ = (uint8_t)(0xf0 | (c >> 18 & 7));
        *out++ = (uint8_t)(0x80 | (c >> 12 & 63));
        *out++ = (uint8_t)(0x80 | (c >> 6 & 63));
        *out++ = (uint8_t)(0x80 | (c & 63));
    }
    return out;
}

physad_status physad__pickle_unquote(physad__pickle *p, const uint8_t *in, int64_t n, const uint8_t **text,
                                     int64_t *length)
{
    static const char from[] = "ntr\\'\"abfv", to[] = "\n\t\r\\'\"\a\b\f\v";
    if (n < 2 || (in[0] != '\'' && in[0] != '"') || in[n - 1] != in[0])
        return physad__pickle_error(p, "a text without quotes");
    uint8_t *out = physad__pickle_block(p, n), *end = out;
    if (out == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 1; i < n - 1; i++) {
        uint32_t c = in[i];
        const char *known;
        if (c == '\\' && i + 1 < n - 1) {
            const uint8_t next = in[++i];
            if (next == 'x' && hex_number(in + i + 1, n - 2 - i, 2, &c))
                i += 2;
            else if (next != 0 && (known = strchr(from, next)) != NULL)
                c = (uint8_t)to[known - from];
            else
                return physad__pickle_error(p, "a text with the unknown escape \\%c",
                                            next >= ' ' && next < 127 ? next : '?');
        }
        *end++ = (uint8_t)c;
    }
    *text = out;
    *length = end - out;
    return PHYSAD_OK;
}

physad_status physad__pickle_unescape(physad__pickle *p, const uint8_t *in, int64_t n, const uint8_t **text,
                                      int64_t *length)
{
    uint8_t *out = physad__pickle_block(p, n * 2 + 1), *end = out; /* a Latin-1 byte becomes two at most */
    if (out == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++) {
        uint32_t c = in[i];
        if (c == '\\' && i + 1 < n && (in[i + 1] == 'u' || in[i + 1] == 'U')) {
            const int digits = in[i + 1] == 'u' ? 4 : 8;
            if (!hex_number(in + i + 2, n - i - 2, digits, &c) || c > 0x10ffff)
                return physad__pickle_error(p, "a text with a damaged \\u escape");
            i += 1 + digits;
        }
        end = put_utf8(end, c);
    }
    *text = out;
    *length = end - out;
    return PHYSAD_OK;
}
