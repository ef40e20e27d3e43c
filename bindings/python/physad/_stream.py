# SPDX-License-Identifier: Apache-2.0
"""Frames scored as they come."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ._arrays import as_array
from ._handle import Gated
from ._native import lib
from ._video import Frame

if TYPE_CHECKING:
    from ._detector import Detector, Result


class FrameScore(NamedTuple):
    """Of a stream: the number of a frame in its take, from 0, and its score."""

    frame: int
    score: float


class Stream(Gated):
    """Scores frames as they come, from a camera or anything that is no file; made by `Detector.stream()`.

    >>> stream = det.stream(frame_rate=25)                                                      # doctest: +SKIP
    >>> for pixels in camera:                                                                   # doctest: +SKIP
    ...     for frame, score in stream.push(pixels):                                            # doctest: +SKIP
    ...         print(frame, score)                                                             # doctest: +SKIP
    >>> stream.end().verdict                                                                    # doctest: +SKIP

    The detector must stay open; to change its samples or rules changes what comes.
    """

    def __init__(self, detector: Detector, capsule: Any) -> None:
        super().__init__()
        self._detector = detector
        self._h = capsule

    @property
    def latency(self) -> int:
        """Most frames that a score lags behind."""
        return int(lib.stream_latency(self._use()))

    def push(self, frame: Any, seconds: float | None = None) -> list[FrameScore]:
        """Takes the next frame; the scores that have become ready, each frame once and in order.

        frame: a `Frame`, or uint8 (H, W) or (H, W, 1, 3 or 4), all of one size. Methods on videos want grey: frames of
        ``Video(path, channels="gray")`` give the bits of the file.
        seconds: when it is shown, for frames that do not come evenly, as `Frame.seconds` of a video of variable frame rate; None: evenly,
        at the stream's frame rate. Raises ShapeError, DtypeError; after a failure only `end()`.
        """
        pixels = as_array(frame.pixels if isinstance(frame, Frame) else frame, "frame")
        ready = []
        with self._gate.alone as h, self._detector._gate.shared:
            if seconds is None:
                lib.stream_push(h, pixels)
            else:
                lib.stream_push_at(h, pixels, float(seconds))
            while (found := lib.stream_next(h))[0]:
                ready.append(FrameScore(found[1], found[2]))
        return ready

    def end(self) -> Result:
        """Ends a take: the result that a file of these frames has; its `frames` are the scores that `push()` has not given yet. The next
        frame begins another take. Raises ShapeError where fewer frames came than the method needs."""
        from ._detector import Result
        with self._gate.alone as h, self._detector._gate.shared:
            return Result(lib.stream_end(h), None, self._detector._root)

    def __repr__(self) -> str:
        return "<physad.Stream closed>" if self.closed else f"<physad.Stream of {self._detector!r}>"


def make_stream(detector: Detector, pool: int, frame_rate: float) -> Stream:
    with detector._gate.shared as owner:
        capsule = lib.stream_new(owner, {"pool": pool, "frame_rate": frame_rate})
    lib.keep(capsule, owner)  # the stream looks at the detector, closed or not
    return Stream(detector, capsule)
