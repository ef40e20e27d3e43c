# SPDX-License-Identifier: Apache-2.0
"""Detectors: fit a method on normal things, score new ones, see where and why."""
from __future__ import annotations

import base64
import html
import json
import math
import os
import tempfile
from typing import Any, Iterable, Iterator, NamedTuple, overload

import numpy as np

from . import _context
from ._arrays import Array, as_array, choice, is_path, output
from ._dataset import Dataset, dataset_of
from ._errors import Error, StateError, UnsupportedError
from ._handle import Gated, Handle
from ._image import Image, bytes_of, photo as photo_of, png
from ._native import lib
from ._progress import Progress, Reporter
from ._region import Regions
from ._stream import Stream, make_stream
from ._video import Video

_INPUT = {1: "image", 2: "views", 3: "video"}
_SUPERVISION = {1: "unsupervised", 2: "weak", 3: "zero-shot", 4: "api"}
_TYPE = {1: int, 2: float, 3: bool, 4: str, 5: str}
_POOL = ("top", "max", "mean")
_BATCH = 8


class Option(NamedTuple):
    """An option of a method, as the library's table has it."""

    name: str
    type: type
    default: Any
    least: float | None
    most: float | None
    choices: tuple[str, ...] | None
    help: str
    source: str | None


class Method(NamedTuple):
    """A method."""

    name: str
    title: str
    source: str | None
    input: str
    supervision: str
    options: dict[str, Option]


def methods() -> list[str]:
    """Names of all methods."""
    return [lib.method_name(i) for i in range(lib.method_count())]


def _value(kind: type, text: str | None) -> Any:
    if text is None or kind is str:
        return text
    if kind is bool:
        return text == "true"
    try:
        return kind(text)
    except ValueError:
        return text


def method(name: str) -> Method:
    """Describes a method and its options. Raises ArgumentError, which names the nearest."""
    info = lib.method_describe(name)
    options = {}
    for i in range(info["option_count"]):
        o = lib.method_option(name, i)
        kind = _TYPE[o["type"]]
        number = o["type"] in (1, 2)
        options[o["name"]] = Option(o["name"], kind, _value(kind, o["default_value"]), o["least"] if number else None,
                                    o["most"] if number else None, tuple(o["choices"].split("|")) if o["choices"] else None,
                                    o["help"], o["source"])
    return Method(info["name"], info["title"], info["source"], _INPUT.get(info["input"], "?"),
                  _SUPERVISION.get(info["supervision"], "?"), options)


def _text(value: Any) -> str:
    """A value as the option table reads it, whatever the locale."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    if isinstance(value, (list, tuple)):
        return ",".join(_text(v) for v in value)
    return str(os.fspath(value) if is_path(value) else value)


class Threshold(NamedTuple):
    """What a decision threshold promises: `alpha` false alarms on average, between `low` and `high` (95 %) with this calibration
    set of `groups` groups. `given`: set by hand, no promise."""

    value: float
    alpha: float
    low: float
    high: float
    groups: int
    given: bool

    def __float__(self) -> float:
        return self.value


class Worst(NamedTuple):
    """The oddest moment of a video. frame: with the highest score; y, x: centre of the oddest patch in pixels, NaN when nothing moves
    there; distance: to the nearest normal patch; sample: index of that one's training video, -1: none; near_frame: its frame there;
    path: relative to its data set, or None."""
    frame: int
    y: float
    x: float
    distance: float
    sample: int
    near_frame: int
    path: str | None


class Nearest(NamedTuple):
    """The normal patch that looks most like the one at a pixel: its distance, and its centre in a training photo."""

    distance: float
    y: float
    x: float
    sample: int
    path: str
    file: str | None


class Result(Handle):
    """What came of one photo: `score`, `is_anomalous`, `threshold`, `p_value`, `map`, `nearest()`; of a video: `score`, `frames`.

    It keeps what was scored (the path, or the array itself) for showing.
    """

    def __init__(self, capsule: Any, source: Any = None, root: str | None = None, scale: int = 1) -> None:
        self._h = capsule
        self._source = source
        self._root = root
        self._scale = scale  # of JPEG files
        self._map: Array | None = None

    @property
    def score(self) -> float:
        """Higher is more anomalous; the unit is the method's own."""
        return float(lib.result_score(self._use()))

    def __float__(self) -> float:
        return self.score

    @property
    def is_anomalous(self) -> bool | None:
        """Whether the score is above the threshold; None without one."""
        answer = lib.result_is_anomalous(self._use())
        return None if answer < 0 else bool(answer)

    @property
    def threshold(self) -> float:
        """The detector's threshold at the time of scoring, or NaN."""
        return float(lib.result_threshold(self._use()))

    @property
    def p_value(self) -> float:
        """Among the calibration scores: (1 + number at least as great) / (n + 1), or NaN."""
        return float(lib.result_p_value(self._use()))

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the photo and the map."""
        height, width = lib.result_map_shape(self._use())
        return height, width

    @property
    def map(self) -> Array:
        """Score map at the photo's size, float32 (H, W); NaN outside the region of interest. Raises UnsupportedError."""
        self._use()
        if self._map is None:
            self._map = self.map_into(None)
        return self._map

    def map_into(self, out: Any) -> Array:
        """Fills the caller's float32 (H, W) with the map."""
        result = output(out, self.shape, np.float32)
        lib.result_map(self._use(), result)
        return result

    @property
    def input_map(self) -> Array:
        """The map at the size that the model worked at, float32 (h, w)."""
        h = self._use()
        result = np.empty(lib.result_input_map_shape(h), np.float32)
        lib.result_input_map(h, result)
        return result

    def nearest(self, y: int, x: int) -> Nearest:
        """Why: the normal patch nearest to the one at pixel (y, x). Raises ArgumentError (outside), UnsupportedError."""
        found = lib.result_nearest(self._use(), int(y), int(x))
        file = None
        if self._root is not None and found["path"] is not None:
            file = os.path.join(self._root, found["path"])
            file = file if os.path.exists(file) else None
        return Nearest(found["distance"], found["y"], found["x"], found["sample"], found["path"], file)

    def strip(self) -> None:
        """Gives the memory of the photo, of the maps and of what explains them back; the score, the verdict and what a `Group` needs
        stay. Then `map` and `nearest()` raise UnsupportedError."""
        self._h = lib.result_strip(self._use())  # calls that run on the old one end before it goes
        self._map = self._source = None

    def regions(self, level: float | None = None, photo: Any = None) -> Regions:
        """Where the map is above a level, and what kind of defect each place looks like.

        level: in the map's unit; None: half way from its median to its peak, whether the photo is anomalous or not. photo: what was
        scored, where this result does not keep it. Raises UnsupportedError (no map), StateError (no photo), ShapeError (another's).
        """
        source = self._source if photo is None else photo
        if source is None:
            raise StateError("the photo is not known any more: give it as photo=")
        pixels = photo_of(source, scale=self._scale)
        return Regions(lib.regions_find(self._use(), pixels, math.nan if level is None else float(level)))

    @property
    def frames(self) -> Array | None:
        """One score per frame of a video, float64 (n), whose unit may differ from the score's; None for photos."""
        scores = lib.result_frame_scores(self._use())
        return None if scores is None else np.array(scores, np.float64)

    def frame_map(self, number: int) -> Array:
        """Score map of a frame of a video at the size that the model worked at, float32 (h, w); negative numbers count from the end.
        Methods that train on clips keep them, unless their option `maps` says no; of others UnsupportedError."""
        h = self._use()
        count = lib.result_frame_count(h)
        at = number + count if number < 0 else number
        if not 0 <= at < count:
            raise IndexError(f"frame {number} of {count}")
        result = np.empty(lib.result_input_map_shape(h), np.float32)
        lib.result_frame_map(h, at, result)
        return result

    @property
    def verdict(self) -> str:
        """What is odd about a video, in words, the worst first; empty when nothing is, or the method has no words."""
        return str(lib.result_verdict(self._use()))

    @property
    def worst(self) -> Worst:
        """The oddest moment of a video, and the normal one most like it. Raises UnsupportedError (the method does not keep it)."""
        found = lib.result_worst(self._use())
        return Worst(found["frame"], found["y"], found["x"], found["distance"], found["sample"], found["near_frame"], found["path"])

    def overlay(self, mask: Any = None) -> Array:
        """The photo, and beside it the photo under its score map, uint8 (H, 2 W + gap, 3); with the outline of a mask."""
        if lib.result_frame_count(self._use()):
            raise UnsupportedError("a video has no overlay: its frames' scores are in `frames`")
        if self._source is None:
            raise StateError("the photo is not known any more")
        pixels = photo_of(self._source, scale=self._scale)
        scores = self.map
        finite = scores[np.isfinite(scores)]
        low = float(np.median(finite)) if finite.size else 0.0
        top = self.threshold if math.isfinite(self.threshold) else float(finite.max()) if finite.size else 1.0
        height, width = scores.shape
        drawn = np.empty((height, 2 * width + 8, 3), np.uint8)
        lib.overlay_draw(pixels, scores, None if mask is None else as_array(mask, "mask"), low, top if top > low else low + 1.0, drawn)
        return drawn

    def __repr__(self) -> str:
        if self.closed:
            return "<physad.Result closed>"
        verdict = {None: "", True: " anomalous", False: " normal"}[self.is_anomalous]
        return f"<physad.Result score={self.score:.6g} threshold={self.threshold:.6g}{verdict}>"

    def _repr_png_(self) -> bytes | None:
        try:
            return png(self.overlay())
        except (Error, OSError, ValueError):
            return None

    def _patch(self) -> tuple[str, Array] | None:
        """The nearest normal patch of the worst pixel, cut out of its photo."""
        scores = self.map
        y, x = np.unravel_index(int(np.nanargmax(scores)), scores.shape)
        near = self.nearest(int(y), int(x))
        if near.file is None:
            return None
        normal = bytes_of(photo_of(near.file, scale=self._scale))
        half = max(8, min(normal.shape[:2]) // 8)
        top, left = max(0, int(near.y) - half), max(0, int(near.x) - half)
        return near.path, normal[top:top + 2 * half, left:left + 2 * half]

    def _repr_html_(self) -> str:
        def picture(pixels: Array, text: str) -> str:
            data = base64.b64encode(png(pixels)).decode()
            return (f'<figure style="display:inline-block;margin:4px"><img alt="{html.escape(text)}" style="max-height:240px" '
                    f'src="data:image/png;base64,{data}"><figcaption>{html.escape(text)}</figcaption></figure>')

        parts = [f"<p><code>{html.escape(repr(self))}</code></p>"]
        try:
            parts.append(picture(self.overlay(), "photo and score map"))
            patch = self._patch()
            if patch is not None:
                parts.append(picture(patch[1], f"nearest normal patch to the highest score: {patch[0]}"))
        except (Error, OSError, ValueError):
            pass
        return "".join(parts)


def _is_batch(value: Any) -> bool:
    return isinstance(value, (list, tuple, Dataset)) or hasattr(value, "__next__") or len(getattr(value, "shape", ())) == 4


class Detector(Gated):
    """A method with its options and, once fitted or loaded, its model.

    method: a name of `physad.methods()`. options: those of the method, ``physad.method(name).options``; one that it does not know is
    an ArgumentError that names the nearest.

    >>> det = physad.Detector("patchcore", coreset_ratio=0.1).fit(physad.Dataset("tiles/"))   # doctest: +SKIP
    >>> det.score("photo.jpg").is_anomalous                                                    # doctest: +SKIP

    `score()` gives "higher is more anomalous". As scikit-learn's outlier detectors do: `score_samples` = -score,
    `decision_function` = threshold - score, `predict` +1 normal and -1 anomalous, `get_params`, `set_params`, `clone`, `Pipeline`.

    Scoring may run in any number of threads on one detector; calls that change it wait for them.
    """

    _estimator_type = "outlier_detector"

    def __init__(self, method: str = "patchcore", *, context: _context.Context | None = None, **options: Any) -> None:
        super().__init__()
        self._params: dict[str, Any] = {"method": method, **options}
        self._context = context
        self._root: str | None = None
        self._path: str | None = None
        self._h = self._fresh()

    def _fresh(self) -> Any:
        params = dict(self._params)
        capsule = lib.detector_new(_context.handle(self._context), params.pop("method"))
        for name, value in params.items():
            if value is not None:
                lib.detector_set(capsule, name, _text(value))
        return capsule

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, weights: str | os.PathLike[str] | None = None, precision: str | None = None,
             context: _context.Context | None = None) -> Detector:
        """Reads a model file; see `physad.load()`."""
        capsule = lib.detector_load_with(_context.handle(context), path, {"weights": weights, "precision": precision})
        detector = cls.__new__(cls)
        Gated.__init__(detector)
        detector._context, detector._root, detector._path, detector._h = context, None, os.fspath(path), capsule
        name = lib.detector_method(capsule)
        detector._params = {"method": name}
        for option in method(name).options.values():
            text = lib.detector_get(capsule, option.name)
            value = _value(option.type, text)
            if value != option.default:
                detector._params[option.name] = value
        return detector

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model as one file, data only (safetensors), complete or not at all. Raises StateError (not fitted), FileError."""
        with self._gate.shared as h:
            lib.detector_save(h, path)

    # --- what it is ---

    @property
    def method(self) -> str:
        """The method's name."""
        return str(lib.detector_method(self._use()))

    @property
    def options(self) -> dict[str, Any]:
        """The present value of every option."""
        with self._gate.shared as h:
            table = method(lib.detector_method(h)).options
            return {name: _value(option.type, lib.detector_get(h, name)) for name, option in table.items()}

    @property
    def is_fitted(self) -> bool:
        """Whether it can score."""
        return bool(lib.detector_is_fitted(self._use()))

    def __sklearn_is_fitted__(self) -> bool:
        return self.is_fitted

    @property
    def threshold(self) -> Threshold:
        """The decision threshold and what it promises. Raises StateError when there is none; the message says what would help."""
        with self._gate.shared as h:
            found = lib.detector_threshold(h)
        return Threshold(found["value"], found["alpha"], found["low"], found["high"], found["groups"], bool(found["given"]))

    @threshold.setter
    def threshold(self, value: float) -> None:
        with self._gate.alone as h:
            lib.detector_set_threshold(h, float(value))

    @property
    def training(self) -> list[str]:
        """Paths of the training samples that the model knows."""
        with self._gate.shared as h:
            return [lib.detector_training_path(h, i) for i in range(lib.detector_training_count(h))]

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """Training samples that the last `fit()` or `add()` left out, with the reason."""
        with self._gate.shared as h:
            pairs = (lib.detector_skipped(h, i) for i in range(lib.detector_skipped_count(h)))
            return [(path, reason) for path, reason in pairs]

    # --- fitting ---

    def fit(self, X: Any, y: Any = None, *, progress: Progress = None, copy: bool = False, batch: int = 0,
            on_error: str = "stop") -> Detector:
        """Fits on normal things: a Dataset or a folder (its training split), a list of paths or photos, an array (N, H, W, C).

        y is there for scikit-learn and not used. progress: True, or a callable (stage, done, total, seconds). batch: samples read and
        computed together (0: as many as suit); the model does not depend on it. on_error: "stop", or "skip" samples that cannot be used;
        `skipped` lists them. Fits anew what was fitted before. Raises ArgumentError, FileError, FormatError, CancelledError; the detector is then as it was.
        """
        dataset = dataset_of(X, copy=copy, context=self._context)
        self._use()
        with self._gate.alone as old:
            h = self._fresh() if lib.detector_is_fitted(old) else old
            with Reporter(progress, batch, on_error) as call, dataset._gate.shared as data:
                lib.detector_fit(h, data, call)
            if self._h is not None:  # closed meanwhile
                self._h = h
            self._root = dataset.root or None
        return self

    def add(self, X: Any, *, progress: Progress = None, copy: bool = False) -> Detector:
        """Adds normal samples as if it had been fitted with them from the start. Raises UnsupportedError, which says what would do."""
        dataset = dataset_of(X, copy=copy, context=self._context)
        with self._gate.alone as h, Reporter(progress) as call, dataset._gate.shared as data:
            lib.detector_add(h, data, call)
        return self

    def remove(self, path: str, *, progress: Progress = None) -> Detector:
        """Removes a training sample, as `training` names it, as if it had never been there."""
        with self._gate.alone as h, Reporter(progress) as call:
            lib.detector_remove(h, path, call)
        return self

    # --- scoring ---

    @overload
    def score(self, X: Any, *, copy: bool = ..., pool: str = ...) -> Any: ...

    @overload
    def score(self, X: Any, y: Any, *, copy: bool = ..., pool: str = ...) -> Any: ...

    def score(self, X: Any, y: Any = None, *, copy: bool = False, pool: str = "top") -> Any:
        """The `Result` of one photo or `Video`; of a list, an array (N, H, W, C) or a Dataset a list of results.

        X: a path, an Image, an array (H, W) or (H, W, 1, 3 or 4), uint8, uint16 or float32 in 0..1; not copied. Another element type
        is a DtypeError unless `copy`. A path is that of a video where the method is one on videos. y is there for scikit-learn and
        not used. pool: how a method on photos makes a video's score of its frames', "top" (mean of the greatest sixteenth), "max", "mean".
        Raises StateError (not fitted), ShapeError, DtypeError, NumericError (NaN), FileError, FormatError.
        """
        if _is_batch(X):
            return list(self.scores(X, copy=copy))
        if isinstance(X, Video):
            return self._score_video(X, pool)
        if is_path(X) and self._takes_videos:
            with Video(X, context=self._context) as video:
                return self._score_video(video, pool)
        scale = self._jpeg_scale
        pixels = photo_of(X, copy=copy, scale=scale, context=self._context)
        with self._gate.shared as h:
            capsule = lib.detector_score(h, pixels)
        return Result(capsule, X if is_path(X) else pixels, self._root, scale)

    def scores(self, X: Any, *, copy: bool = False) -> Iterator[Result]:
        """Results one after the other; photos are read as they are wanted."""
        scale = self._jpeg_scale
        if isinstance(X, Dataset):
            items: Iterable[Any] = (X.read(s.index, scale=scale) if s.kind == "image" else Video(s.file or "", context=self._context) for s in X)
        elif is_path(X) or not _is_batch(X):
            items = (X,)
        else:
            items = X if isinstance(X, (list, tuple)) or hasattr(X, "__next__") else as_array(X, "X")
        chunk: list[tuple[Any, Array]] = []
        for item in items:
            if isinstance(item, Video) or (is_path(item) and self._takes_videos):
                yield from self._score(chunk)  # in the order of X
                chunk = []
                yield self.score(item)
                continue
            pixels = photo_of(item, copy=copy, scale=scale, context=self._context)
            again = isinstance(item, Image) and item.path and (scale == 1 or isinstance(X, Dataset))  # the file gives these pixels
            source = item if is_path(item) else item.path if again else pixels
            chunk.append((source, pixels))
            if len(chunk) == _BATCH:
                yield from self._score(chunk)
                chunk = []
        yield from self._score(chunk)

    @property
    def _jpeg_scale(self) -> int:
        """At which part of their size JPEG files are decoded."""
        return int(lib.detector_get(self._use(), "jpeg_scale") or 1)

    @property
    def _takes_videos(self) -> bool:
        return method(self.method).input == "video"

    def _score_video(self, video: Video, pool: str) -> Result:
        number = choice(pool, _POOL, "pool")
        with self._gate.shared as h, video._gate.alone as v:
            return Result(lib.detector_score_video(h, v, number), None, self._root)

    def _score(self, chunk: list[tuple[Any, Array]]) -> Iterator[Result]:
        if not chunk:
            return
        with self._gate.shared as h:
            capsules = lib.detector_score_batch(h, [pixels for _, pixels in chunk])
        for capsule, (source, _) in zip(capsules, chunk):
            yield Result(capsule, source, self._root, self._jpeg_scale)

    def stream(self, *, frame_rate: float = 0.0, pool: str = "top") -> Stream:
        """Frames scored as they come. frame_rate: of the frames, 0: as the training videos had. pool: as with `score()`.

        Raises StateError (not fitted), UnsupportedError (the method needs whole videos)."""
        return make_stream(self, choice(pool, _POOL, "pool"), frame_rate)

    @property
    def rules(self) -> list[dict[str, Any]]:
        """What the model holds for normal, as rules: rule, unit, used, low, high, below and above (in words). May be kept as JSON,
        edited, and given to this detector or that of another thing of the kind by `set_rules()` or the option `rules` (a file).
        Raises StateError (not fitted), UnsupportedError (the method has no rules)."""
        with self._gate.alone as h:
            rules: list[dict[str, Any]] = json.loads(lib.detector_rules(h))["rules"]
        return rules

    def set_rules(self, rules: list[dict[str, Any]]) -> None:
        """Sets low, high and used of the rules that are named; the others stay. The threshold stays that of the rules it was made with.
        Raises FormatError (names the rule; nothing is changed)."""
        with self._gate.alone as h:
            lib.detector_set_rules(h, json.dumps(rules))

    # --- scikit-learn's way ---

    def _numbers(self, X: Any, copy: bool = False) -> Array:
        return np.array([result.score for result in self.scores(X, copy=copy)], np.float64)

    def score_samples(self, X: Any) -> Array:
        """-score, float64 (n): lower is more anomalous."""
        return -self._numbers(X)

    def decision_function(self, X: Any) -> Array:
        """threshold - score, float64 (n): negative is anomalous."""
        return self.threshold.value - self._numbers(X)

    def predict(self, X: Any) -> Array:
        """int64 (n): +1 normal, -1 anomalous."""
        return np.where(self._numbers(X) > self.threshold.value, -1, 1)

    def fit_predict(self, X: Any, y: Any = None) -> Array:
        """Fits, then predicts the same."""
        return self.fit(X, y).predict(X)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The method and the options that were given."""
        return dict(self._params)

    def set_params(self, **params: Any) -> Detector:
        """Sets the method or options; the detector is then to be fitted again."""
        old = self._params
        with self._gate.alone:
            self._params = {**old, **params}
            try:
                self._h = self._fresh()
            except BaseException:
                self._params = old
                raise
        return self

    def __sklearn_clone__(self) -> Detector:
        return Detector(context=self._context, **self._params)

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags
        return Tags(estimator_type="outlier_detector", target_tags=TargetTags(required=False),
                    input_tags=InputTags(two_d_array=False, three_d_array=True, string=True))

    # --- showing, keeping ---

    def __repr__(self) -> str:
        if self.closed:
            return "<physad.Detector closed>"
        given = "".join(f", {k}={v!r}" for k, v in self._params.items() if k != "method")
        return f"physad.Detector({self._params['method']!r}{given})" + (" (fitted)" if self.is_fitted else "")

    def _repr_html_(self) -> str:
        if self.closed:
            return html.escape(repr(self))
        rows = "".join(f"<tr><td>{html.escape(k)}</td><td>{html.escape(str(v))}</td></tr>" for k, v in self.options.items())
        try:
            limit = f"<p>threshold {self.threshold.value:.6g}, false alarms {self.threshold.alpha:.3g}</p>"
        except Error:
            limit = ""
        return f"<p><code>{html.escape(repr(self))}</code></p>{limit}<table><tbody>{rows}</tbody></table>"

    def __reduce__(self) -> Any:
        if not self.is_fitted:
            return _detector_again, (self._params, self._context, None, None)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.physad")
            self.save(path)
            with open(path, "rb") as file:
                return _detector_again, (self._params, self._context, file.read(), self._root)


def _detector_again(params: dict[str, Any], context: _context.Context | None, model: bytes | None, root: str | None) -> Detector:
    if model is None:
        return Detector(context=context, **params)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.physad")
        with open(path, "wb") as file:
            file.write(model)
        detector = Detector.load(path, context=context)
    detector._params, detector._root, detector._path = params, root, None
    return detector


def load(path: str | os.PathLike[str], *, weights: str | os.PathLike[str] | None = None, precision: str | None = None,
         context: _context.Context | None = None) -> Detector:
    """Reads a model file. Nothing in it is run.

    weights: the network's file, for models that only name it and do not find it. precision: "f32" or "bf16" instead of the fit's; scores
    are then near the fit's, and the threshold loses its promise.
    Raises FileError, FormatError, UnsupportedError (a newer format), ArgumentError.
    """
    return Detector.load(path, weights=weights, precision=precision, context=context)
