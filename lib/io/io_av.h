/* SPDX-License-Identifier: Apache-2.0 */
/* FFmpeg's functions, looked up when the first video is opened: linked the usual way its hundred and more libraries
 * would cost every program that links libphysad about 30 ms at its start. Within the room only. */
#ifndef PHYSAD__IO_AV_H
#define PHYSAD__IO_AV_H

#include "core/core.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#define PHYSAD__AV_UTIL(X)                                                                                             \
    X(avutil_version)                                                                                                  \
    X(av_malloc) X(av_free) X(av_freep) X(av_strerror) X(av_dict_set) X(av_dict_set_int) X(av_dict_get)                \
        X(av_dict_parse_string) X(av_dict_free) X(av_frame_alloc) X(av_frame_free) X(av_frame_unref)                   \
            X(av_frame_get_buffer) X(av_frame_make_writable) X(av_pix_fmt_desc_get) X(av_opt_set_int)                  \
                X(av_opt_set_from_string)
#define PHYSAD__AV_CODEC(X)                                                                                            \
    X(avcodec_version)                                                                                                 \
    X(avcodec_find_decoder) X(avcodec_find_encoder_by_name) X(avcodec_alloc_context3) X(avcodec_free_context)          \
        X(avcodec_parameters_to_context) X(avcodec_parameters_from_context) X(avcodec_open2) X(avcodec_send_packet)    \
            X(avcodec_receive_frame) X(avcodec_send_frame) X(avcodec_receive_packet) X(avcodec_flush_buffers)          \
                X(avcodec_get_name) X(av_packet_alloc) X(av_packet_free) X(av_packet_unref) X(av_packet_rescale_ts)
#define PHYSAD__AV_FORMAT(X)                                                                                           \
    X(avformat_version)                                                                                                \
    X(avformat_alloc_context) X(avformat_open_input) X(avformat_close_input) X(avformat_find_stream_info)              \
        X(av_probe_input_buffer2) X(av_find_best_stream) X(av_read_frame) X(av_seek_frame) X(avio_alloc_context)       \
            X(avio_context_free) X(avio_open_dyn_buf) X(avio_close_dyn_buf) X(avformat_alloc_output_context2)          \
                X(avformat_new_stream) X(avformat_write_header) X(av_interleaved_write_frame) X(av_write_trailer)      \
                    X(avformat_free_context) X(av_guess_format) X(av_stream_get_side_data) X(av_stream_new_side_data)
#define PHYSAD__AV_SCALE(X)                                                                                            \
    X(swscale_version)                                                                                                 \
    X(sws_alloc_context) X(sws_init_context) X(sws_freeContext) X(sws_scale) X(sws_setColorspaceDetails)               \
        X(sws_getCoefficients)

#define PHYSAD__AV_MEMBER(function) __typeof__(function) *function;
typedef struct physad__av {
    void *libraries[4];
    PHYSAD__AV_UTIL(PHYSAD__AV_MEMBER)
    PHYSAD__AV_CODEC(PHYSAD__AV_MEMBER)
    PHYSAD__AV_FORMAT(PHYSAD__AV_MEMBER)
    PHYSAD__AV_SCALE(PHYSAD__AV_MEMBER)
} physad__av;

/* Once loaded the libraries stay in the process; the table is the caller's. UNSUPPORTED names what is missing. */
physad_status physad__av_load(physad__av *av);
void physad__av_unload(physad__av *av); /* zeroed is fine */
/* Says "name: what: FFmpeg's reason"; NOMEM, IO and FORMAT by the reason. */
physad_status physad__av_error(const physad__av *av, int code, const char *name, const char *what);

/* Turns an object's messages off: `class` becomes a copy of the object's AVClass that finds a number to add to every
 * level in the object itself, at `offset`, where the caller has put PHYSAD__AV_SILENT: above every level when added to
 * one, and the sum still within the byte that FFmpeg compares. Must live as long as the object. */
#define PHYSAD__AV_SILENT 128
void physad__av_silence(AVClass *class, const AVClass **object_class, int offset);

#endif
