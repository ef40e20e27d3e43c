# SPDX-License-Identifier: Apache-2.0
"""The renderer of 3D Gaussians by itself: pictures, and gradients by all that they are made of."""
from __future__ import annotations

from typing import Any, NamedTuple, Sequence

import numpy as np

from . import _context
from ._arrays import Array, real
from ._handle import Gated
from ._native import lib
from ._scene import Camera, Scene


class GaussianArrays(NamedTuple):
    """What a set of N Gaussians holds, float32: centres `xyz` (N, 3), `log_scale` (N, 3), `quaternion` (N, 4: w x y z), `opacity` (N:
    logits), `harmonics` (N, K, 3)."""

    xyz: Array
    log_scale: Array
    quaternion: Array
    opacity: Array
    harmonics: Array


class Gaussians(Gated):
    """A set of 3D Gaussians from arrays, shaped as `GaussianArrays` says, or of a scene: `Gaussians.of(scene)`.

    The colour towards a direction is 0.5 plus the spherical harmonics, K = 1, 4, 9 or 16 per colour; scales are natural logarithms.
    Lists are taken; arrays are float32, unless `copy`. Raises ShapeError, DtypeError, NumericError (a number is not finite).
    """

    def __init__(self, xyz: Any, log_scale: Any, quaternion: Any, opacity: Any, harmonics: Any, *, copy: bool = False,
                 context: _context.Context | None = None) -> None:
        super().__init__()
        arrays = _named(xyz, log_scale, quaternion, opacity, harmonics, copy)
        self._h = lib.gaussians_new(_context.handle(context), *arrays)

    @classmethod
    def of(cls, scene: Scene) -> Gaussians:
        """A copy of a scene's."""
        if not isinstance(scene, Scene):
            raise TypeError(f"scene is {type(scene).__name__}, want a physad.Scene")
        made = cls.__new__(cls)
        Gated.__init__(made)
        made._h = lib.gaussians_of_scene(scene._use())
        return made

    def to_scene(self) -> Scene:
        """A scene without cameras, to be saved as PLY, shown as a page, turned."""
        with self._gate.shared as h:
            return Scene.__new__(Scene)._take(lib.scene_new(h))

    def __len__(self) -> int:
        with self._gate.shared as h:
            return int(lib.gaussians_count(h))

    def __bool__(self) -> bool:
        return True

    def arrays(self) -> GaussianArrays:
        """Copies of the numbers."""
        with self._gate.shared as h:
            found = _room(lib.gaussians_count(h), lib.gaussians_harmonics(h))
            lib.gaussians_get(h, *found)
        return found

    def set(self, xyz: Any = None, log_scale: Any = None, quaternion: Any = None, opacity: Any = None, harmonics: Any = None, *,
            copy: bool = False) -> None:
        """Other numbers for what is given; all or nothing. Pictures made before have no gradients any more."""
        arrays = _named(xyz, log_scale, quaternion, opacity, harmonics, copy)
        with self._gate.alone as h:
            lib.gaussians_set(h, *arrays)

    def __repr__(self) -> str:
        return "<physad.Gaussians closed>" if self.closed else f"<physad.Gaussians {len(self)}>"


class Picture(NamedTuple):
    """What `Splat.forward()` saw, float32: `colour` (H, W, 3); `depth` (H, W), the sum of weight times distance (divided by `opacity`: the
    mean distance), None if not asked for; `opacity` (H, W); `channels` (H, W, C), None without values."""

    colour: Array
    depth: Array | None
    opacity: Array
    channels: Array | None


class Gradients(NamedTuple):
    """Of a loss by a set's numbers, by the further values (None without), and by a motion of the camera (6: translation, rotation) as
    `Camera.moved()` takes it."""

    xyz: Array
    log_scale: Array
    quaternion: Array
    opacity: Array
    harmonics: Array
    values: Array | None
    pose: Array


class Splat(Gated):
    """A renderer, which keeps its last picture for `backward()`.

    >>> splat = physad.Splat()                                                                  # doctest: +SKIP
    >>> seen = splat.forward(gaussians, camera)                                                 # doctest: +SKIP
    >>> pose = splat.backward(colour=2 * (seen.colour - photo)).pose                            # doctest: +SKIP
    >>> camera = camera.moved(-1e-6 * pose)                                                     # doctest: +SKIP

    The same bits whatever the number of threads.
    """

    def __init__(self, *, context: _context.Context | None = None) -> None:
        super().__init__()
        self._h = lib.splat_new(_context.handle(context))
        self._shape: tuple[int, int, int] | None = None  # of the last picture: Gaussians, coefficients, values

    def forward(self, gaussians: Gaussians, camera: Camera, *, values: Any = None, background: Sequence[float] = (0, 0, 0),
                harmonics: int = 0, depth: bool = True, copy: bool = False) -> Picture:
        """Renders a set from a camera.

        values: float32 (N, C), C at most 28, further numbers of each Gaussian, composited as colours are, over 0. background: colour
        behind everything. harmonics: how many per colour are looked at (0: all). depth: whether to render it.
        Raises ArgumentError, ShapeError, DtypeError, NumericError, OutOfMemoryError.
        """
        if not isinstance(gaussians, Gaussians):
            raise TypeError(f"gaussians is {type(gaussians).__name__}, want physad.Gaussians")
        if not isinstance(camera, Camera):
            raise TypeError(f"camera is {type(camera).__name__}, want a physad.Camera")
        values = None if values is None else real(values, "values", copy=copy)
        raw, options = camera._raw(), {"background": background, "harmonics": harmonics}
        height, width = max(int(camera.height), 0), max(int(camera.width), 0)
        if max(height, width) > 32768:
            height, width = 1, 1  # the library says what is wrong with the camera, before any memory is asked for
        channels = None
        if values is not None:
            channels = np.empty((height, width, values.shape[1] if values.ndim == 2 and values.shape[1] <= 28 else 0), np.float32)
        found = Picture(np.empty((height, width, 3), np.float32), np.empty((height, width), np.float32) if depth else None,
                        np.empty((height, width), np.float32), channels)
        with self._gate.alone as h, gaussians._gate.shared as of:
            lib.splat_forward(h, of, raw, options, values, *found)
            self._shape = (lib.gaussians_count(of), lib.gaussians_harmonics(of), 0 if channels is None else channels.shape[2])
        return found

    def backward(self, colour: Any = None, depth: Any = None, opacity: Any = None, channels: Any = None, *,
                 copy: bool = False) -> Gradients:
        """From the gradients of a loss by the last picture, of its shapes (None: zeros), to those by what it was made of.

        Raises StateError (no picture, Gaussians that were changed since), ShapeError, DtypeError, NumericError.
        """
        names = ("colour", "depth", "opacity", "channels")
        by = [None if g is None else real(g, name, copy=copy) for g, name in zip((colour, depth, opacity, channels), names)]
        with self._gate.alone as h:
            lib.splat_backward(h, *by)
            assert self._shape is not None
            count, coefficients, size = self._shape
            found = _room(count, coefficients)
            lib.splat_gradient(h, *found)
            values = np.empty((count, size), np.float32) if size else None
            if values is not None:
                lib.splat_gradient_values(h, values)
            return Gradients(*found, values, np.array(lib.splat_gradient_pose(h)))

    def __repr__(self) -> str:
        return "<physad.Splat closed>" if self.closed else "<physad.Splat>"


def _named(xyz: Any, log_scale: Any, quaternion: Any, opacity: Any, harmonics: Any, copy: bool) -> list[Array | None]:
    given = (xyz, log_scale, quaternion, opacity, harmonics)
    return [None if a is None else real(a, name, copy=copy) for a, name in zip(given, GaussianArrays._fields)]


def _room(count: int, coefficients: int) -> GaussianArrays:
    shapes = ((count, 3), (count, 3), (count, 4), (count,), (count, coefficients, 3))
    return GaussianArrays(*(np.empty(shape, np.float32) for shape in shapes))
