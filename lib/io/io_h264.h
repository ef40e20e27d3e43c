/* SPDX-License-Identifier: Apache-2.0 */
/* Bare H.264 streams have neither times nor counts: what was lost on the way shows in their pictures' numbers alone,
 * over which decoders pass. */
#ifndef PHYSAD__IO_H264_H
#define PHYSAD__IO_H264_H

#include "base/base.h"

enum { PHYSAD__H264_SETS = 32, PHYSAD__H264_PICTURE_SETS = 256 };

/* What a stream has said so far; zeroed at its beginning. */
typedef struct physad__h264_order {
    struct {
        uint8_t bits; /* of frame_num; 0: the set is not known */
        bool planes;  /* each colour is a picture of its own */
        bool gaps;    /* numbers may be left out on purpose */
    } set[PHYSAD__H264_SETS];
    uint8_t set_of[PHYSAD__H264_PICTURE_SETS]; /* 1 + the set that a picture's set goes by; 0: not known */
    bool begun;                                /* a picture that others refer to has come */
    uint32_t last;                             /* its number */
} physad__h264_order;

/* Takes the next picture, in the form of a byte stream (annex B); whether one that others refer to is missing before
 * it. Bytes that are no such stream, and streams that start anew, are no loss. */
bool physad__h264_lost(physad__h264_order *order, const uint8_t *bytes, int64_t size);

#endif
