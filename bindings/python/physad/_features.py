# SPDX-License-Identifier: Apache-2.0
"""Transforms and features: from photos to the vectors of a pretrained network."""
from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from . import _context
from ._arrays import Array, as_array, choice, output, real, size_of
from ._handle import Gated, Handle
from ._image import Image, photo as photo_of
from ._native import lib
from ._progress import Progress, Reporter

_RESIZE = ("bilinear", "bicubic", "box", "nearest")
_FIT = ("stretch", "letterbox", "cover")
_ARITHMETIC = ("float", "bytes", "bytes12")
_NORMALISE = ("imagenet", "half", "clip", "none", "custom")
_OUTSIDE = ("zero", "nan")
_POOL = ("avg3", "none", "unfold")
_UPSAMPLE = ("bilinear", "nearest")
_REDUCE = ("none", "subset", "projection")
_PADDING = ("default", "symmetric", "same", "static")
_PRECISION = {"f32": 0, "bf16": 8}


class Transform(Gated):
    """From the photo to the network's input and back.

    size: height and width after the resize (a number or a pair). crop: what is then cut out of the centre.
    roi: (y, x, height, width) in photo pixels. resize: "bilinear", "bicubic", "box", "nearest". fit: "stretch", "letterbox", "cover".
    normalise: "imagenet", "half" (to -1..1), "clip", "none", or "custom" with mean and std.
    outside: what maps hold where the network sees nothing, "zero" or "nan". arithmetic: "float" as torchvision, "bytes" as Pillow.

    ``transform(photo)`` gives float32 (h, w, 3). Raises ArgumentError, ShapeError, DtypeError.
    """

    def __init__(self, size: int | Sequence[int] = 256, *, crop: int | Sequence[int] | None = None, roi: Sequence[int] | None = None,
                 resize: str = "bilinear", fit: str = "stretch", arithmetic: str = "float", normalise: str = "imagenet",
                 mean: Sequence[float] | None = None, std: Sequence[float] | None = None, pad: Sequence[float] | None = None,
                 outside: str = "zero", ignore: Any = None, context: _context.Context | None = None) -> None:
        super().__init__()
        height, width = size_of(size)
        options: dict[str, Any] = {
            "resize": choice(resize, _RESIZE, "resize"), "fit": choice(fit, _FIT, "fit"),
            "arithmetic": choice(arithmetic, _ARITHMETIC, "arithmetic"), "outside": choice(outside, _OUTSIDE, "outside"),
            "normalise": 4 if mean is not None or std is not None else choice(normalise, _NORMALISE, "normalise"),
            "height": height, "width": width, "mean": mean, "std": std, "pad": pad}
        if crop is not None:
            options["crop_height"], options["crop_width"] = size_of(crop)
        if roi is not None:
            options["roi_y"], options["roi_x"], options["roi_height"], options["roi_width"] = (int(v) for v in roi)
        self._h = lib.transform_new(_context.handle(context), options)
        if ignore is not None:
            self.ignore(ignore)

    def ignore(self, mask: Any) -> None:
        """Parts of every photo that count for nothing: (H, W), bool or uint8, stretched to each photo; None takes it away."""
        with self._gate.alone as h:
            lib.transform_set_ignore(h, None if mask is None else as_array(mask, "mask"))

    @property
    def options(self) -> dict[str, Any]:
        """Every option with its default filled in, as the library has it."""
        options: dict[str, Any] = lib.transform_get(self._use())
        return options

    @property
    def shape(self) -> tuple[int, int]:
        """(h, w) of the network's input."""
        height, width = lib.transform_shape(self._use())
        return height, width

    def __call__(self, photo: Any, *, out: Any = None) -> Array:
        """float32 (h, w, 3) of a photo: a path, an Image, or an array (H, W) or (H, W, 1, 3 or 4), uint8, uint16 or float32 in 0..1."""
        pixels = photo_of(photo)
        with self._gate.shared as h:
            result = output(out, (*lib.transform_shape(h), 3), np.float32)
            lib.transform_apply(h, pixels, result)
        return result

    def to_model(self, photo: Any, y: float, x: float) -> tuple[float, float]:
        """From a position in a photo (its size, or the photo) to one in the network's input."""
        height, width = size_of(photo)
        with self._gate.shared as h:
            model_y, model_x = lib.transform_to_model(h, height, width, float(y), float(x))
        return model_y, model_x

    def to_photo(self, photo: Any, y: float, x: float) -> tuple[float, float]:
        """From a position in the network's input to one in a photo."""
        height, width = size_of(photo)
        with self._gate.shared as h:
            photo_y, photo_x = lib.transform_to_photo(h, height, width, float(y), float(x))
        return photo_y, photo_x

    def map_back(self, map: Any, photo: Any, *, out: Any = None) -> Array:
        """A score map, float32 (h, w) of any size, at a photo's size: float32 (H, W)."""
        scores = real(map, "map")
        result = output(out, size_of(photo), np.float32)
        with self._gate.shared as h:
            lib.transform_map_back(h, scores, result)
        return result

    def valid(self, photo: Any, *, out: Any = None) -> Array:
        """Which pixels of a photo count: bool (H, W)."""
        result = output(out, size_of(photo), np.bool_)
        with self._gate.shared as h:
            lib.transform_valid_photo(h, result)
        return result

    def __repr__(self) -> str:
        if self.closed:
            return "<physad.Transform closed>"
        options = self.options
        return f"<physad.Transform to {'x'.join(map(str, self.shape))} {_RESIZE[options['resize']]} {_FIT[options['fit']]}>"


class Features(Handle):
    """A network with its weights, cut after the deepest layer that is wanted.

    backbone: a name of `physad.backbones()`; None: efficientnet-lite0. weights: a file, a name in the store, "random:SEED"; None: the
    backbone's own. layers: names, fine to coarse (a list, or text with commas). size: of the photos, a number or a pair.
    precision: "f32" or "bf16". pool: "avg3", "none", "unfold". upsample: "bilinear", "nearest".
    reduce: "none", "subset", "projection" with reduce_dim and reduce_seed; channels: the subset itself.

    ``features(images)`` gives float32 (N, h, w, D). Raises FileError (no such weights), FormatError, ArgumentError, UnsupportedError.
    Any number of threads may call it.
    """

    def __init__(self, backbone: str | None = None, *, weights: Any = None, layers: str | Sequence[str] | None = None,
                 size: int | Sequence[int] | None = None, precision: str = "f32", pool: str = "avg3", upsample: str = "bilinear",
                 reduce: str = "none", reduce_dim: int = 0, reduce_seed: int = 0, channels: Sequence[int] | None = None,
                 padding: str = "default", unfold_dim: int = 0, context: _context.Context | None = None) -> None:
        if precision not in _PRECISION:
            raise ValueError(f"precision is {precision!r}, want 'f32' or 'bf16'")
        height, width = (0, 0) if size is None else size_of(size)
        chosen = None if channels is None else [int(c) for c in channels]
        options = {
            "backbone": backbone, "weights": weights, "height": height, "width": width, "precision": _PRECISION[precision],
            "layers": layers if layers is None or isinstance(layers, str) else ",".join(layers),
            "pool": choice(pool, _POOL, "pool"), "upsample": choice(upsample, _UPSAMPLE, "upsample"),
            "reduce": 1 if chosen is not None else choice(reduce, _REDUCE, "reduce"),
            "reduce_dim": reduce_dim if chosen is None else len(chosen), "reduce_seed": reduce_seed, "channels": chosen,
            "padding": choice(padding, _PADDING, "padding"), "unfold_dim": unfold_dim}
        self._h = lib.features_new(_context.handle(context), options)

    @property
    def backbone(self) -> str:
        """Name of the network."""
        return str(lib.features_backbone(self._use()))

    @property
    def weights(self) -> str:
        """Where its weights came from."""
        return str(lib.features_weights(self._use()))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(h, w, D) of one photo's features."""
        height, width, dim = lib.features_shape(self._use())
        return height, width, dim

    @property
    def input_size(self) -> tuple[int, int]:
        """(H, W) of the photos."""
        height, width = lib.features_input_size(self._use())
        return height, width

    @property
    def layers(self) -> dict[str, tuple[int, int, int]]:
        """Layers taken, with the shape (h, w, C) of one photo's output."""
        h = self._use()
        return {lib.features_layer_name(h, i): lib.features_layer_shape(h, i) for i in range(lib.features_layer_count(h))}

    @property
    def transform(self) -> Transform:
        """The transform that gives this network what it was trained on."""
        info = lib.backbone_describe(self.backbone)
        return Transform(self.input_size, resize=info["resize"], mean=info["mean"], std=info["std"])

    def _batch(self, images: Any, copy: bool) -> Array:
        if isinstance(images, (list, tuple)):
            transform = self.transform
            return np.stack([transform(image) for image in images]) if images else np.empty((0, *self.input_size, 3), np.float32)
        if isinstance(images, Image) or not hasattr(images, "shape"):
            return self.transform(images)[None]
        array = real(images, "images", copy=copy)
        return array[None] if array.ndim == 3 else array

    def __call__(self, images: Any, *, out: Any = None, copy: bool = False, progress: Progress = None) -> Array:
        """Features, float32 (N, h, w, D).

        images: float32 (N, H, W, 3), row-major, normalised, used as they are; or photos (a path, an Image, a list of them or of
        arrays), which go through `transform` first.
        """
        batch = self._batch(images, copy)
        h = self._use()
        result = output(out, (len(batch), *lib.features_shape(h)), np.float32)
        with Reporter(progress) as call:
            lib.features_compute(h, np.ascontiguousarray(batch) if copy else batch, result, call)
        return result

    def layer_outputs(self, images: Any, *, copy: bool = False, progress: Progress = None) -> dict[str, Array]:
        """The layers' outputs as they are, float32 (N, h, w, C) each."""
        batch = self._batch(images, copy)
        outs = {name: np.empty((len(batch), *shape), np.float32) for name, shape in self.layers.items()}
        with Reporter(progress) as call:
            lib.features_compute_layers(self._use(), batch, list(outs.values()), call)
        return outs

    def __repr__(self) -> str:
        if self.closed:
            return "<physad.Features closed>"
        return f"<physad.Features {self.backbone} {','.join(self.layers)} {self.input_size} -> {self.shape}>"


def backbones() -> list[str]:
    """Names of the networks; the first is the default."""
    return [lib.backbone_name(i) for i in range(lib.backbone_count())]


def backbone(name: str | None = None) -> dict[str, Any]:
    """What a network is: layers as (name, channels, stride), default layers, weights and their licence, size, mean and std."""
    info: dict[str, Any] = lib.backbone_describe(name)
    del info["layer_count"]
    return info
