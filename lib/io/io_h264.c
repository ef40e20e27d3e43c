/* SPDX-License-Identifier: Apache-2.0 */
/* ITU-T H.264: 7.3.2.1 and 7.3.2.2 (sets), 7.3.3 (slice headers), 7.4.3 (frame_num, and what gaps in it mean). */
#include "io/io_h264.h"

enum { SLICE = 1, SLICE_ANEW = 5, SET = 7, PICTURE_SET = 8 }; /* kinds of units */

/* --- bits ----------------------------------------------------------------------------------------------------------
 */

typedef struct bits {
    const uint8_t *bytes;
    int64_t size, at; /* in bits; behind the end zeros come */
    int64_t zeros;    /* bytes of zero before `at` */
} bits;

/* A byte 3 behind two zeros is none of the contents'. */
static uint32_t bit(bits *b)
{
    const int64_t i = b->at / 8;
    if (i >= b->size)
        return 0;
    if (b->at % 8 == 0) {
        if (b->zeros >= 2 && b->bytes[i] == 3) {
            b->at += 8;
            b->zeros = 0;
            return bit(b);
        }
        b->zeros = b->bytes[i] == 0 ? b->zeros + 1 : 0;
    }
    const uint32_t value = (uint32_t)(b->bytes[i] >> (7 - b->at % 8) & 1);
    b->at++;
    return value;
}

static uint32_t number(bits *b, int count)
{
    uint32_t value = 0;
    for (int i = 0; i < count; i++)
        value = value << 1 | bit(b);
    return value;
}

/* Exponential Golomb; what is longer than any number here comes as the largest. */
static uint32_t golomb(bits *b)
{
    int zeros = 0;
    while (zeros < 32 && bit(b) == 0)
        zeros++;
    return zeros < 32 ? (UINT32_C(1) << zeros) - 1 + number(b, zeros) : UINT32_MAX;
}

static int32_t golomb_signed(bits *b)
{
    const uint32_t value = golomb(b);
    return value % 2 == 1 ? (int32_t)(value / 2 + 1) : -(int32_t)(value / 2);
}

/* --- sets ----------------------------------------------------------------------------------------------------------
 */

static void skip_scaling(bits *b, int count)
{
    int32_t next = 8;
    for (int i = 0; i < count && next != 0; i++)
        next = (next + golomb_signed(b) % 256 + 256) % 256;
}

static bool is_high(uint32_t profile)
{
    static const uint8_t high[] = { 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135 };
    return memchr(high, (int)profile, sizeof(high)) != NULL;
}

/* The order in which pictures are shown. */
static void skip_order(bits *b)
{
    const uint32_t type = golomb(b);
    if (type == 0) {
        golomb(b);
    } else if (type == 1) {
        bit(b);
        golomb(b);
        golomb(b);
        const uint32_t count = golomb(b);
        for (uint32_t i = 0; i < count && i < 256; i++)
            golomb(b);
    }
}

static void take_set(physad__h264_order *o, bits *b)
{
    const uint32_t profile = number(b, 8);
    number(b, 16);
    const uint32_t id = golomb(b);
    bool planes = false;
    if (id >= PHYSAD__H264_SETS)
        return;
    if (is_high(profile)) {
        const uint32_t chroma = golomb(b);
        planes = chroma == 3 && bit(b) != 0;
        golomb(b);
        golomb(b);
        bit(b);
        const int lists = bit(b) == 0 ? 0 : chroma == 3 ? 12 : 8;
        for (int i = 0; i < lists; i++)
            if (bit(b) != 0)
                skip_scaling(b, i < 6 ? 16 : 64);
    }
    const uint32_t more = golomb(b);
    skip_order(b);
    golomb(b);
    const bool gaps = bit(b) != 0;
    o->set[id].bits = more <= 12 && b->at < 8 * b->size ? (uint8_t)(more + 4) : 0;
    o->set[id].planes = planes;
    o->set[id].gaps = gaps;
}

static void take_picture_set(physad__h264_order *o, bits *b)
{
    const uint32_t id = golomb(b), set = golomb(b);
    if (id < PHYSAD__H264_PICTURE_SETS && set < PHYSAD__H264_SETS)
        o->set_of[id] = (uint8_t)(set + 1);
}

/* --- pictures ------------------------------------------------------------------------------------------------------
 */

/* The numbers of pictures that others refer to go up by one, and one that none refers to has the next. A stream may
 * count anew from 0 by an order deep in a slice, which is not read: then nothing is told. */
static bool take_slice(physad__h264_order *o, bits *b, bool anew, bool referred)
{
    golomb(b);
    golomb(b);
    const uint32_t id = golomb(b);
    const int set = id < PHYSAD__H264_PICTURE_SETS ? o->set_of[id] - 1 : -1;
    if (set < 0 || o->set[set].bits == 0)
        return false;
    if (o->set[set].planes)
        number(b, 2);
    const uint32_t now = number(b, o->set[set].bits), next = (o->last + 1) & ((UINT32_C(1) << o->set[set].bits) - 1);
    const bool lost = o->begun && !anew && !o->set[set].gaps && now != o->last && now != next && now > 1;
    if (referred || anew) {
        o->begun = true;
        o->last = now;
    }
    return lost;
}

/* Where the next unit begins, behind its 00 00 01; -1: there is none. */
static int64_t next_unit(const uint8_t *bytes, int64_t size, int64_t from)
{
    for (int64_t i = from; i + 3 < size; i++)
        if (bytes[i] == 0 && bytes[i + 1] == 0 && bytes[i + 2] == 1)
            return i + 3;
    return -1;
}

bool physad__h264_lost(physad__h264_order *order, const uint8_t *bytes, int64_t size)
{
    for (int64_t at = next_unit(bytes, size, 0); at >= 0; at = next_unit(bytes, size, at)) {
        const int kind = bytes[at] & 31;
        bits b = { bytes + at + 1, size - at - 1, 0, 0 };
        if (kind == SET)
            take_set(order, &b);
        else if (kind == PICTURE_SET)
            take_picture_set(order, &b);
        else if (kind == SLICE || kind == SLICE_ANEW) /* the picture's others say the same */
            return take_slice(order, &b, kind == SLICE_ANEW, (bytes[at] >> 5 & 3) != 0);
    }
    return false;
}
