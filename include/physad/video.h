/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Videos: frames in order, at a wanted size, decoded ahead; and folders of frames read the same way.
 *
 * Files go through FFmpeg, any container and codec that it knows. FFmpeg is loaded when the first video is opened, not
 * when libphysad is (loading it costs tens of milliseconds), and must be of the major version that libphysad was built
 * with; in a build without it files are PHYSAD_ERR_UNSUPPORTED, folders still work. A file is read by itself: playlists
 * and files that name others are refused, so nothing is fetched from a network or from beside it.
 *
 * Frames come out H x W x C, red first, in display order, turned as the file's display matrix says, colours by the
 * stream's own matrix and range (BT.601 where it names none, as FFmpeg's own tools do), full range, resized by
 * averaging in the same pass; grey is the stream's own luma. Numbers count decoded frames from 0; each has its own
 * time, so variable frame rates are no special case.
 *
 * Nothing is printed: FFmpeg's messages are turned off on each object of ours; the program's own level and callback of
 * av_log() are never touched. Its inner parsers cannot be reached: where a container makes them needless (H.264, HEVC,
 * AV1, VP8 and VP9 in mp4, mov, mkv and webm) they are left out, elsewhere they take their silence from our options.
 * What remains are a few kinds of lines that FFmpeg prints in nobody's name: of sizes ("Picture size ... is invalid"),
 * time bases and units within damaged streams that cannot be.
 *
 * Thread safety: one thread at a time per video; different videos are independent.
 */
#ifndef PHYSAD_VIDEO_H
#define PHYSAD_VIDEO_H

#include <physad/base.h>
#include <physad/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An open video. Opaque; holds its context, and where it reads ahead a thread. */
typedef struct physad_video physad_video;

/** @name What becomes of a damaged, cut off or endless video. */
/** @{ */
/** The frames before the damage are delivered, then the call that comes to it fails (PHYSAD_ERR_FORMAT). */
#define PHYSAD_VIDEO_STOP 0
/** The frames before the damage are the video; physad_video_info.shortened says so. */
#define PHYSAD_VIDEO_SHORTEN 1
/** @} */

typedef struct physad_video_options {
    uint32_t struct_size;
    int32_t channels;    /**< 3 RGB, 1 grey; 0: 3 */
    int32_t dtype;       /**< PHYSAD_U8 or PHYSAD_U16 (all bits of deeper videos, spread over 0..65535); 0: PHYSAD_U8 */
    int32_t threads;     /**< decoder's threads; 0: the context's, at most 16. The frames do not depend on it */
    int32_t ahead; /**< frames decoded ahead on a thread of their own; 0: 8; negative: none. Fewer (at least 2) where
                        they would take more than 256 MiB */
    int32_t on_error;    /**< PHYSAD_VIDEO_STOP or _SHORTEN */
    int64_t height; /**< of the frames delivered; 0: as the video, or by its aspect where only the width is given */
    int64_t width;       /**< see `height` */
    int64_t max_frames;  /**< a longer video counts as endless; 0: 2^20 */
    uint64_t max_pixels; /**< H x W beyond this is refused; 0: 2^26 */
    uint64_t max_bytes;  /**< larger files are refused, longer pipes damaged; 0: 2^40 */
    double max_seconds;  /**< to wait for data of one frame, as from a pipe, before it counts as cut off; 0: 30 */
    double frame_rate;   /**< of a folder of frames, and of streams that tell no times; 0: 25 */
} physad_video_options;

#define PHYSAD_VIDEO_OPTIONS_INIT                                                                                      \
    {                                                                                                                  \
        sizeof(physad_video_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0                                               \
    }

/** What is known of a video. */
typedef struct physad_video_info {
    uint32_t struct_size;  /**< set by the caller */
    int32_t channels;      /**< of the frames delivered */
    int32_t dtype;         /**< of the frames delivered */
    int32_t bits;          /**< of a sample as stored: 8, 10, 12, ... */
    int64_t height, width; /**< of the frames delivered */
    int64_t stored_height, stored_width; /**< before turning and resizing */
    int64_t frames_said;   /**< as the container claims; 0 where it does not, and it may be wrong */
    double frame_rate;     /**< average per second as the container claims, or as the options say */
    int32_t rotation;      /**< degrees clockwise that the frames were turned by: 0, 90, 180, 270 */
    int32_t mirrored;      /**< 1: they were mirrored left to right before the turn */
    int32_t shortened;     /**< 1: damage or a limit ended the video early; known once its end was read or counted */
    int32_t reserved;      /**< zero */
    const char *codec;     /**< such as "h264", "folder" for frames; static text */
    const char *container; /**< such as "mov,mp4,m4a,3gp,3g2,mj2"; static text */
} physad_video_info;

#define PHYSAD_VIDEO_INFO_INIT                                                                                         \
    {                                                                                                                  \
        sizeof(physad_video_info), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL                                   \
    }

/** One frame. */
typedef struct physad_frame {
    uint32_t struct_size; /**< set by the caller */
    int32_t key;          /**< 1: decodes without others */
    int64_t index;        /**< from 0 */
    double seconds;       /**< when it is shown, from the first frame on */
    physad_view pixels;   /**< H x W x C, read-only, row-major; owned by the video until its next call. `data` is NULL
                             behind   the last frame */
} physad_frame;

#define PHYSAD_FRAME_INIT                                                                                              \
    {                                                                                                                  \
        sizeof(physad_frame), 0, 0, 0, { NULL, { 0 }, { 0 }, 0, 0, 0, 0 }                                              \
    }

/** Opens a video file, a pipe or a folder of frames (photos, in natural order of their names) and decodes its first
 * frame.
 * @param[out] out      the video, NULL on failure; freed by physad_video_free()
 * @param[in]  context  retained by the video
 * @param[in]  path     borrowed
 * @param[in]  options  copied; NULL for defaults
 * @return PHYSAD_OK; PHYSAD_ERR_ARG; PHYSAD_ERR_IO; PHYSAD_ERR_FORMAT (no video, no frame that decodes, over a limit);
 *         PHYSAD_ERR_UNSUPPORTED (built without FFmpeg, or FFmpeg of another version or without the codec);
 *         PHYSAD_ERR_NOMEM; PHYSAD_ERR_CANCELLED; PHYSAD_ERR_STATE (fork)
 * Memory of FFmpeg itself does not count in the context's.
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_video_open(physad_video **out, physad_context *context,
                                                            const char *path, const physad_video_options *options);

/** Opens a video file that lies in memory.
 * @param[in] bytes  borrowed until the video is freed, `size` of them
 * @param[in] name   said in messages; NULL: "video"
 * Otherwise as physad_video_open(). @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_video_open_memory(physad_video **out, physad_context *context,
                                                                   const void *bytes, size_t size, const char *name,
                                                                   const physad_video_options *options);

/** Frees a video and joins its thread; NULL is fine. */
PHYSAD_API void physad_video_free(physad_video *video);

/** Describes a video.
 * @return PHYSAD_OK, PHYSAD_ERR_ARG @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_video_describe(const physad_video *video, physad_video_info *out);

/** The next frame.
 * @param[out] frame  its `pixels.data` is NULL behind the last one, and again on every further call
 * @return PHYSAD_OK; PHYSAD_ERR_ARG; PHYSAD_ERR_FORMAT (damage; every further call says the same until a seek);
 *         PHYSAD_ERR_IO; PHYSAD_ERR_NOMEM; PHYSAD_ERR_CANCELLED; PHYSAD_ERR_STATE (fork) @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_video_read(physad_video *video, physad_frame *frame);

/** Makes physad_video_read() go on with frame `index`, to the bit what reading up to it gives. The first seek backward
 * reads through the file once, without decoding, to learn where the frames lie. An index behind the end puts it there.
 * @return PHYSAD_OK; PHYSAD_ERR_ARG (negative); PHYSAD_ERR_UNSUPPORTED (a pipe); otherwise as physad_video_read()
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_video_seek(physad_video *video, int64_t index);

/** The exact number of frames: what reading to the end gives. Known at no cost once that was done; else the video is
 * decoded once beside this one, without resizing.
 * @param[out] count  frames, 0 or more
 * @return PHYSAD_OK; PHYSAD_ERR_UNSUPPORTED (a pipe that is not read to its end yet); otherwise as physad_video_read()
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_video_frame_count(physad_video *video, int64_t *count);

#ifdef __cplusplus
}
#endif

#endif
