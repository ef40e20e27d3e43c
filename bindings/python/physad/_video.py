# SPDX-License-Identifier: Apache-2.0
"""Videos: a file, or a folder of frames, read frame by frame."""
from __future__ import annotations

import os
from typing import Any, Iterator, NamedTuple

import numpy as np

from . import _context
from ._arrays import Array, from_view
from ._handle import Gated
from ._native import lib

_ERRORS = {"stop": 0, "shorten": 1}
_CHANNELS = {"rgb": 3, "gray": 1}


class Frame(NamedTuple):
    """A frame of a video: its number from 0, when it is shown in seconds, and its pixels (H, W, C)."""

    number: int
    seconds: float
    pixels: Array


class Video(Gated):
    """A video: iteration gives `Frame`s, from the first one on.

    channels: "rgb" or "gray". deep: uint16 with all bits of deeper videos. height, width: of the frames delivered; one alone keeps the
    aspect. on_error: "stop" raises where the video is damaged, "shorten" ends there. frame_rate: of a folder of frames.
    threads, ahead: of decoding; frames do not depend on them.
    Raises FileError, FormatError (damaged; names the place), UnsupportedError (built without FFmpeg).
    """

    def __init__(self, path: str | os.PathLike[str], *, channels: str = "rgb", deep: bool = False, height: int = 0, width: int = 0,
                 on_error: str = "stop", frame_rate: float = 0.0, threads: int = 0, ahead: int = 0, max_frames: int = 0,
                 context: _context.Context | None = None) -> None:
        super().__init__()
        if channels not in _CHANNELS:
            raise ValueError(f"channels is {channels!r}, want 'rgb' or 'gray'")
        if on_error not in _ERRORS:
            raise ValueError(f"on_error is {on_error!r}, want 'stop' or 'shorten'")
        options = {"channels": _CHANNELS[channels], "dtype": 3 if deep else 1, "height": height, "width": width,
                   "on_error": _ERRORS[on_error], "frame_rate": frame_rate, "threads": threads, "ahead": ahead,
                   "max_frames": max_frames}
        self._h = lib.video_open(_context.handle(context), path, options)
        self.path = os.fspath(path)

    @property
    def info(self) -> dict[str, Any]:
        """What the container claims and how frames are delivered: height, width, frame_rate, codec, rotation, ..."""
        with self._gate.alone as h:
            info: dict[str, Any] = lib.video_describe(h)
        return info

    def read(self) -> Frame | None:
        """The next frame, or None behind the last one. Its pixels are a copy, for the library's own go with the next call."""
        with self._gate.alone as h:
            frame = lib.video_read(h)
            if frame["pixels"][0] == 0:
                return None
            return Frame(frame["index"], frame["seconds"], np.array(from_view(h, frame["pixels"])))

    def seek(self, number: int) -> None:
        """The frame that the next `read()` gives."""
        with self._gate.alone as h:
            lib.video_seek(h, int(number))

    def __len__(self) -> int:
        with self._gate.alone as h:
            return int(lib.video_frame_count(h))

    def __getitem__(self, number: int) -> Frame:
        count = len(self)
        at = number + count if number < 0 else number
        if not 0 <= at < count:
            raise IndexError(f"frame {number} of {count}")
        self.seek(at)
        frame = self.read()
        if frame is None:
            raise IndexError(f"frame {number} of {count}")
        return frame

    def __iter__(self) -> Iterator[Frame]:
        self.seek(0)
        while (frame := self.read()) is not None:
            yield frame

    def __repr__(self) -> str:
        return "<physad.Video closed>" if self.closed else f"<physad.Video {self.path!r}>"
