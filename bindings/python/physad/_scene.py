# SPDX-License-Identifier: Apache-2.0
"""Scenes of 3D Gaussians: fitted to photos with known poses, rendered from any side."""
from __future__ import annotations

import dataclasses
import math
import os
import tempfile
from typing import Any, NamedTuple, Sequence

import numpy as np

from . import _context
from ._arrays import Array, output, size_of
from ._dataset import Dataset
from ._handle import Handle
from ._image import photo as photo_of, png
from ._native import lib
from ._progress import Progress, Reporter

_DENSIFY = ("split", "mcmc")  # in the order of PHYSAD_SCENE_DENSIFY_*


def _frozen(value: Any, shape: tuple[int, ...], what: str) -> Array:
    array = np.array(value, np.float64)
    if array.size != math.prod(shape):
        raise ValueError(f"{what} has shape {array.shape}, want {shape}")
    array = array.reshape(shape)
    array.flags.writeable = False
    return array


@dataclasses.dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera and where it stands: p_camera = rotation @ p_world + translation, with x right, y down, z ahead.

    rotation: (3, 3), orthonormal, determinant 1. translation: (3,), in the world's units. fx, fy: focal lengths, pixels. cx, cy: principal
    point, pixels; (0.5, 0.5) is the centre of the first pixel. width, height: pixels. name: of its photo, where there is one.
    """

    rotation: Array
    translation: Array
    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    name: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "rotation", _frozen(self.rotation, (3, 3), "rotation"))
        object.__setattr__(self, "translation", _frozen(self.translation, (3,), "translation"))

    @classmethod
    def look(cls, position: Sequence[float], target: Sequence[float] = (0, 0, 0), *, up: Sequence[float] = (0, 0, 1),
             size: int | Sequence[int] = 256, field_of_view: float = 40.0) -> Camera:
        """A camera at `position` that looks at `target`.

        up: what is up in the picture. size: of the picture, a number or (height, width). field_of_view: across its width, degrees.
        Raises ValueError where there is no such direction.
        """
        if not 0 < field_of_view < 180:
            raise ValueError(f"field_of_view is {field_of_view!r}, want degrees between 0 and 180")
        eye = _frozen(position, (3,), "position")
        ahead = _frozen(target, (3,), "target") - eye
        right = np.cross(ahead, _frozen(up, (3,), "up"))
        if not np.linalg.norm(right) > 1e-12 * np.linalg.norm(ahead):
            raise ValueError("the camera has no direction: position and target are one place, or up points along the line of sight")
        ahead, right = ahead / np.linalg.norm(ahead), right / np.linalg.norm(right)
        rotation = np.stack([right, np.cross(ahead, right), ahead])
        height, width = size_of(size)
        focal = width / 2 / math.tan(math.radians(field_of_view) / 2)
        return cls(rotation, -rotation @ eye, focal, focal, width / 2, height / 2, width, height)

    @property
    def position(self) -> Array:
        """Where it stands in the world, float64 (3,)."""
        place: Array = -self.rotation.T @ self.translation
        return place

    def resized(self, size: int | Sequence[int]) -> Camera:
        """The same camera with a picture of another size (a number or (height, width))."""
        height, width = size_of(size)
        across, down = width / self.width, height / self.height
        return dataclasses.replace(self, fx=self.fx * across, cx=self.cx * across, fy=self.fy * down, cy=self.cy * down, width=width,
                                   height=height)

    def moved(self, tangent: Sequence[float] | Array) -> Camera:
        """The same camera elsewhere: its space is moved by exp(tangent), six numbers, translation and then rotation (radians)."""
        numbers = [float(t) for t in tangent]
        if len(numbers) != 6:
            raise ValueError(f"tangent has {len(numbers)} numbers, want 6: translation, then rotation")
        moved = lib.camera_move(self._raw(), numbers)
        return dataclasses.replace(self, rotation=moved["rotation"], translation=moved["translation"])

    def _raw(self) -> dict[str, Any]:
        return {"rotation": self.rotation.ravel().tolist(), "translation": self.translation.tolist(), "fx": float(self.fx),
                "fy": float(self.fy), "cx": float(self.cx), "cy": float(self.cy), "width": self.width, "height": self.height}


class Rendering(NamedTuple):
    """A scene seen by a camera: `colour` (H, W, 3), `depth` float32 (H, W), the distance along the camera's axis of what takes the
    middle half of the light, 0 where less than a quarter of it is taken, and `opacity` float32 (H, W), 0..1."""

    colour: Array
    depth: Array
    opacity: Array

    def _repr_png_(self) -> bytes:
        return png(self.colour)


class Quality(NamedTuple):
    """How well held-out photos are met (psnr in decibels, ssim, l1, loss; 0 where none was held out), and what the fit took."""

    photos: int
    held_out: int
    psnr: float
    ssim: float
    l1: float
    loss: float
    steps: int
    seconds: float
    gaussians: int


class Scene(Handle):
    """3D Gaussians: `Scene.fit()` to photos with poses, or `Scene(path)` of a PLY file as other splatting programs write it, or of
    safetensors as `save()` does.

    ``len(scene)`` Gaussians; immutable, so any number of threads may render it.
    Raises FileError, FormatError (names byte and reason), OutOfMemoryError.
    """

    def __init__(self, path: str | os.PathLike[str], *, context: _context.Context | None = None) -> None:
        self._take(lib.scene_load(_context.handle(context), path))

    def _take(self, capsule: Any) -> Scene:
        self._h = capsule
        self._cameras: list[Camera] | None = None
        self._quality: Quality | None = None
        return self

    @classmethod
    def fit(cls, data: str | os.PathLike[str] | Dataset, *, steps: int = 0, harmonics: int = 0, hold_out: int = 0, max_side: int = 0,
            max_gaussians: int = 0, random_points: int = 0, swept_points: int = 0, densify_from: int = 0, densify_until: int = 0, densify_every: int = 0,
            densify_gradient: float = 0.0, background: Sequence[float] = (0, 0, 0), densify: str = "split", exposure: bool = False,
            trust_poses: bool = False, coarse: int = 0, masks: str | os.PathLike[str] | None = None, checkpoint: str | os.PathLike[str] | None = None,
            checkpoint_every: int = 0, resume: bool = False, measure_every: int = 0, progress: Progress = None,
            context: _context.Context | None = None) -> Scene:
        """Fits a scene to a folder with transforms.json or a COLMAP model.

        steps: photos shown, one each step (0: 7000). harmonics: coefficients per colour, 1, 4, 9 or 16 (0: 16). hold_out: every n-th photo
        is left out and measured (0: none). max_side: photos are shrunk to this longest side (0: as they are). max_gaussians: budget (0:
        300000). random_points: Gaussians to begin with where the poses bring none (0: 100000); swept_points: those
        beside the poses' own, where photos agree (0: 20000; -1: none). densify_*: when more are made.
        background: colour behind everything, 0..1, also behind photos with alpha. The context's seed decides the order of photos.
        densify: "split" (clone, split, prune) or "mcmc" (move, and add up to the budget). exposure: each photo's change of colour is
        learnt along. trust_poses: photos whose poses contradict what those beside them show are kept. coarse: begin with photos halved so often (0 to 3). masks: a folder of PHOTO.png; what is 0 there is not looked at.
        checkpoint: a file that tells where the fit stands, written every `checkpoint_every` steps (0: 1000) and when it is cancelled,
        removed at its end; resume: go on from it, to the same bits. measure_every: steps between entries of `history` (0: none).
        Raises FileError (no poses, no photos), FormatError, UnsupportedError (a lens model), NumericError, CancelledError.
        """
        folder = data.root if isinstance(data, Dataset) else data
        if densify not in _DENSIFY:
            raise ValueError(f"densify is {densify!r}, want one of {', '.join(_DENSIFY)}")
        options = {"steps": steps, "harmonics": harmonics, "hold_out": hold_out, "max_side": max_side, "max_gaussians": max_gaussians,
                   "random_points": random_points, "swept_points": swept_points, "densify_from": densify_from, "densify_until": densify_until,
                   "densify_every": densify_every, "densify_gradient": densify_gradient, "background": background,
                   "densify": _DENSIFY.index(densify), "exposure": int(exposure), "trust_poses": int(trust_poses), "coarse": coarse, "masks": masks,
                   "checkpoint": checkpoint, "checkpoint_every": checkpoint_every, "resume": int(resume),
                   "measure_every": measure_every}
        with Reporter(progress) as call:
            return cls.__new__(cls)._take(lib.scene_fit(_context.handle(context), folder, options, call))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes safetensors, cameras included, where the path ends so; else a binary PLY file that other viewers open, without
        them. Complete or not at all."""
        lib.scene_save(self._use(), path)

    def to_html(self, path: str | os.PathLike[str], *, title: str | None = None, background: Sequence[float] = (0, 0, 0)) -> None:
        """Writes one page that needs nothing else, in which the scene can be turned by mouse, touch or keys (WebGL 2)."""
        lib.scene_html(self._use(), path, {"title": title, "background": background})

    def turntable(self, path: str | os.PathLike[str], *, frames: int = 0, rate: int = 0, width: int = 0, height: int = 0,
                  background: Sequence[float] = (0, 0, 0), progress: Progress = None) -> None:
        """Writes a video once around the scene by FFmpeg: `frames` (0: 120) at `rate` per second (0: 30), of an even size (0: 640 x
        480). Raises UnsupportedError where there is no FFmpeg, CancelledError."""
        options = {"frames": frames, "rate": rate, "width": width, "height": height, "background": background}
        with Reporter(progress) as call:
            lib.scene_turntable(self._use(), path, options, call)

    def __len__(self) -> int:
        return int(lib.scene_gaussians(self._use()))

    def __bool__(self) -> bool:
        return True

    @property
    def cameras(self) -> list[Camera]:
        """Those it was fitted with, held-out ones too, undistorted; none for a scene that was read."""
        h = self._use()
        if self._cameras is None:
            self._cameras = [Camera(**lib.scene_camera(h, i), name=lib.scene_camera_name(h, i)) for i in range(lib.scene_cameras(h))]
        return list(self._cameras)

    @property
    def quality(self) -> Quality:
        """What `fit()` measured; zeros for a scene that was read."""
        h = self._use()
        if self._quality is None:
            self._quality = Quality(**lib.scene_describe(h))
        return self._quality

    @property
    def history(self) -> list[Quality]:
        """What was measured on the way, as `fit(measure_every=)` asked for."""
        h = self._use()
        return [Quality(**lib.scene_history_describe(h, i)) for i in range(lib.scene_history_count(h))]

    def render(self, camera: Camera | int, *, background: Sequence[float] | None = None, dtype: Any = np.float32,
               out: Any = None) -> Rendering:
        """What a camera sees.

        camera: a Camera, or the number of one of `cameras`. background: three numbers, 0..1; None: black. dtype: of the colour, float32
        (0..1, may exceed 1) or uint8. out: (H, W, 3) of either, filled with the colour.
        Raises ArgumentError, ShapeError, DtypeError, OutOfMemoryError.
        """
        h = self._use()
        if not isinstance(camera, Camera):
            camera = self.cameras[camera]
        raw = camera._raw()
        shape = (max(int(camera.height), 0), max(int(camera.width), 0))
        if max(shape) > 32768:
            shape = (1, 1)  # the library says what is wrong with the camera, before any memory is asked for
        colour = output(out, (*shape, 3), dtype)
        depth, opacity = np.empty(shape, np.float32), np.empty(shape, np.float32)
        lib.scene_render(h, raw, background, colour, depth, opacity)
        return Rendering(colour, depth, opacity)

    def __repr__(self) -> str:
        if self.closed:
            return "<physad.Scene closed>"
        return f"<physad.Scene {len(self)} Gaussians, {len(self.cameras)} cameras>"

    def __reduce__(self) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "scene.ply")
            self.save(path)
            with open(path, "rb") as file:
                return _scene_again, (file.read(), self.cameras, self.quality)


class Pose(NamedTuple):
    """One hypothesis of where a photo was taken from. `loss` 0..1; `agreement` -1..1 of photo and picture; `confidence` 0..1, its fit times
    its share among the hypotheses; `view`: the number of the training photo from whose pose it was found."""

    camera: Camera
    loss: float
    agreement: float
    confidence: float
    view: int


class Locator(Handle):
    """Finds where photos of a scene were taken from.

    scene: fitted to the photos, or read. data: the folder of photos with poses that it was fitted to. max_side: photos are shrunk to this
    longest side (0: 480). backbone, weights: of the network that looks for alike photos. least_fit: photos that fit worse are refused
    (0: 0.35; negative: none). background: as the scene was fitted with.
    Immutable, so any number of threads may use it. Raises as `Scene.fit()` and `Features()`.
    """

    def __init__(self, scene: Scene, data: str | os.PathLike[str] | Dataset, *, max_side: int = 0, backbone: str | None = None,
                 weights: Any = None, least_fit: float = 0.0, background: Sequence[float] = (0, 0, 0),
                 progress: Progress = None) -> None:
        if not isinstance(scene, Scene):
            raise TypeError(f"scene is {type(scene).__name__}, want a physad.Scene")
        options = {"max_side": max_side, "backbone": backbone, "weights": weights, "least_fit": least_fit, "background": background}
        owner = scene._use()
        with Reporter(progress) as call:
            made = lib.locator_new(owner, data.root if isinstance(data, Dataset) else data, options, call)
        lib.keep(made, owner)  # the locator looks at the scene, closed or not
        self._h = made

    def find(self, photo: Any) -> list[Pose]:
        """One to three hypotheses, the most confident first; several where the thing looks alike from several sides.

        photo: a path, an Image, or an array. Raises NumericError where the photo does not show the scene; FormatError where its proportions
        are not the lens'; ShapeError, DtypeError.
        """
        pixels = photo_of(photo)
        return [Pose(Camera(**found.pop("camera")), **found) for found in lib.locator_find(self._use(), pixels)]

    def __repr__(self) -> str:
        return "<physad.Locator closed>" if self.closed else "<physad.Locator>"


def _scene_again(ply: bytes, cameras: list[Camera], quality: Quality) -> Scene:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "scene.ply")
        with open(path, "wb") as file:
            file.write(ply)
        scene = Scene(path)
    scene._cameras, scene._quality = cameras, quality
    return scene
