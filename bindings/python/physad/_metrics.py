# SPDX-License-Identifier: Apache-2.0
"""Metrics: accumulators that are fed, merged and measured; thresholds with a guarantee."""
from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Iterator, NamedTuple, Sequence

import numpy as np

from . import _context
from ._arrays import Array, as_array, from_view, integers, real
from ._handle import Gated, Handle
from ._native import lib
from ._progress import Progress, Reporter


class Metric(NamedTuple):
    """A value with its bootstrap interval. NaN where undefined, with the reason; `threshold` where one belongs to it."""

    value: float
    lower: float = math.nan
    upper: float = math.nan
    threshold: float = math.nan
    reason: str | None = None
    interval_reason: str | None = None

    def __float__(self) -> float:
        return self.value


class Conformal(NamedTuple):
    """A threshold that holds a false-alarm rate; see `conformal()`."""

    alpha: float
    threshold: float
    count: int  # type: ignore[assignment]  # shadows tuple.count(), which nobody calls here
    rank: int
    rate_mean: float
    rate_lower: float
    rate_upper: float


def _options(replicates: int | None, seed: int, level: float, threshold: float | None, limits: Sequence[float] | None,
             points: int) -> dict[str, Any]:
    return {"replicates": -1 if replicates == 0 else replicates, "seed": seed, "level": level, "threshold": threshold,
            "use_threshold": int(threshold is not None), "limits": limits, "curve_points": points}


class Metrics(Handle, Mapping[str, Metric]):
    """What was measured: a mapping from names ("auroc", "ap", "f1_max", "aupro@0.3", ...) to `Metric`."""

    @classmethod
    def _of(cls, capsule: Any) -> Metrics:
        metrics = cls()
        metrics._h = capsule
        return metrics

    @classmethod
    def of(cls, scores: Any, labels: Any, *, groups: Any = None, types: Sequence[str] | None = None, **options: Any) -> Metrics:
        """Measures whole samples at once; options as `Scores.measure()`."""
        accumulator = Scores(context=options.pop("context", None))
        accumulator.extend(scores, labels, groups=groups, types=types)
        return accumulator.measure(**options)

    @classmethod
    def of_maps(cls, maps: Sequence[Any], masks: Sequence[Any], *, groups: Sequence[str] | None = None, **options: Any) -> Metrics:
        """Measures score maps against masks at once; options as `Pixels.measure()`."""
        accumulator = Pixels(context=options.pop("context", None))
        for i, (scores, mask) in enumerate(zip(maps, masks)):
            accumulator.add(scores, mask, group=None if groups is None else groups[i])
        return accumulator.measure(**options)

    def __getitem__(self, name: str) -> Metric:
        h = self._use()
        if name not in list(self):
            raise KeyError(name)
        return Metric(**lib.metrics_get(h, name))

    def __iter__(self) -> Iterator[str]:
        h = self._use()
        return iter([lib.metrics_name(h, i) for i in range(lib.metrics_count(h))])

    def __len__(self) -> int:
        return int(lib.metrics_count(self._use()))

    @property
    def positives(self) -> int:
        """Anomalous samples, or pixels."""
        return int(lib.metrics_positives(self._use()))

    @property
    def negatives(self) -> int:
        """Normal samples, or pixels."""
        return int(lib.metrics_negatives(self._use()))

    @property
    def groups(self) -> int:
        """Groups."""
        return int(lib.metrics_groups(self._use()))

    @property
    def regions(self) -> int:
        """Defect regions; 0 for samples."""
        return int(lib.metrics_regions(self._use()))

    @property
    def types(self) -> dict[str, tuple[Metric, Metric]]:
        """AUROC of each type of defect: against the normal samples, and against the other defects."""
        h = self._use()
        found = {}
        for i in range(lib.metrics_type_count(h)):
            good, rest = lib.metrics_type(h, i)
            found[lib.metrics_type_name(h, i)] = (Metric(**good), Metric(**rest))
        return found

    @property
    def curve(self) -> Array:
        """float64 (rows, 5): threshold, false-positive rate, recall, precision, PRO; read-only."""
        h = self._use()
        return from_view(h, lib.metrics_curve(h))

    def __repr__(self) -> str:
        if self.closed:
            return "<physad.Metrics closed>"
        return "<physad.Metrics " + " ".join(f"{name}={metric.value:.4f}" for name, metric in self.items()) + ">"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{name}</td><td>{m.value:.4f}</td><td>{m.lower:.4f} to {m.upper:.4f}</td></tr>"
                       for name, m in self.items())
        return f"<table><thead><tr><th>metric</th><th>value</th><th>95 % interval</th></tr></thead><tbody>{rows}</tbody></table>"

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__


class Scores(Gated):
    """Scores of whole samples, to be measured. Accumulators of parts can be merged in any order."""

    def __init__(self, *, context: _context.Context | None = None) -> None:
        super().__init__()
        self._h = lib.scores_new(_context.handle(context))

    def add(self, score: float, label: int, *, type: str | None = None, group: str | None = None,
            type_scores: dict[str, float] | None = None) -> None:
        """Adds one sample: higher scores are more anomalous; label 0 normal, 1 anomalous. Raises NumericError for NaN."""
        with self._gate.alone as h:
            if type_scores is None:
                lib.scores_add(h, float(score), int(label), type, group)
            else:
                lib.scores_add_typed(h, float(score), int(label), type, group, type_scores)

    def extend(self, scores: Any, labels: Any, *, groups: Any = None, types: Sequence[str] | None = None) -> None:
        """Adds many samples: arrays or lists of the same length. groups: integers or texts."""
        values = np.asarray(scores) if isinstance(scores, (list, tuple)) else as_array(scores, "scores")
        if values.dtype not in (np.float32, np.float64):
            values = values.astype(np.float64)
        numbers = integers(labels, "labels")
        words = groups is not None and np.asarray(groups).dtype.kind not in "iu"
        if types is None and not words:
            with self._gate.alone as h:
                lib.scores_add_array(h, values, numbers, None if groups is None else integers(groups, "groups"))
            return
        if values.shape != numbers.shape or any(len(x) != len(values) for x in (types, groups) if x is not None):
            raise ValueError("scores, labels, types and groups differ in length")
        for i, value in enumerate(values.tolist()):
            self.add(value, int(numbers[i]), type=None if types is None else types[i], group=None if groups is None else str(groups[i]))

    def merge(self, other: Scores) -> None:
        """Adds all of another accumulator."""
        _merge(lib.scores_merge, self, other)

    def __len__(self) -> int:
        with self._gate.shared as h:
            return int(lib.scores_count(h))

    def measure(self, *, replicates: int | None = None, seed: int = 0, level: float = 0.95, threshold: float | None = None,
                progress: Progress = None) -> Metrics:
        """Measures AUROC, AP, F1-max, accuracy, type-wise AUROCs and the curve.

        replicates: of the bootstrap (None: 1000, 0: no intervals). threshold: accuracy of "score > threshold"; None: at the F1-max
        threshold, an oracle's.
        """
        options = _options(replicates, seed, level, threshold, None, 0)
        with Reporter(progress) as call, self._gate.shared as h:
            return Metrics._of(lib.scores_measure(h, options, call))

    def compare(self, other: Scores, *, replicates: int | None = None, seed: int = 0, level: float = 0.95,
                progress: Progress = None) -> Metric:
        """AUROC of this minus that of another method on the same samples, with a paired bootstrap interval."""
        options = _options(replicates, seed, level, None, None, 0)
        with Reporter(progress) as call, self._gate.shared as h, other._gate.shared as theirs:
            return Metric(**lib.scores_compare(h, theirs, options, call))

    def __reduce__(self) -> Any:
        with self._gate.shared as h:
            return _accumulator_again, (Scores, *_arrays_of(lib.scores_to_tensors, h))

    def __repr__(self) -> str:
        return "<physad.Scores closed>" if self.closed else f"<physad.Scores of {len(self)} samples>"


class Pixels(Gated):
    """Scores of pixels, to be measured; exact, also when they do not fit into memory."""

    def __init__(self, *, context: _context.Context | None = None) -> None:
        super().__init__()
        self._h = lib.pixels_new(_context.handle(context))

    def add(self, map: Any, mask: Any = None, *, valid: Any = None, group: str | None = None, saturation_area: float = 0.0) -> None:
        """Adds one photo: map float32 (H, W); mask bool or uint8 (H, W), not zero where anomalous, None all normal; valid likewise,
        zero where nothing counts. Raises ShapeError, DtypeError, NumericError (NaN, with its place)."""
        scores = as_array(map, "map")
        truth = None if mask is None else as_array(mask, "mask")
        counted = None if valid is None else as_array(valid, "valid")
        with self._gate.alone as h:
            lib.pixels_add(h, scores, truth, counted, group, float(saturation_area))

    def merge(self, other: Pixels) -> None:
        """Adds all of another accumulator."""
        _merge(lib.pixels_merge, self, other)

    def __len__(self) -> int:
        with self._gate.shared as h:
            return int(lib.pixels_count(h))

    def measure(self, *, replicates: int | None = None, seed: int = 0, level: float = 0.95, limits: Sequence[float] | None = None,
                points: int = 0, progress: Progress = None) -> Metrics:
        """Measures AUROC, AP, F1-max, AUPRO up to each false-positive rate of `limits` (default 0.3 and 0.05)."""
        options = _options(replicates, seed, level, None, limits, points)
        with Reporter(progress) as call, self._gate.shared as h:
            return Metrics._of(lib.pixels_measure(h, options, call))

    def __reduce__(self) -> Any:
        with self._gate.shared as h:
            return _accumulator_again, (Pixels, *_arrays_of(lib.pixels_to_tensors, h))

    def __repr__(self) -> str:
        return "<physad.Pixels closed>" if self.closed else f"<physad.Pixels of {len(self)} pixels>"


def _arrays_of(call: Any, handle: Any) -> tuple[dict[str, Array], dict[str, str]]:
    """An accumulator as arrays and texts."""
    tensors = lib.tensors_new(_context.handle(None))
    call(handle, tensors)
    names = [lib.tensors_name(tensors, i) for i in range(lib.tensors_count(tensors))]
    keys = [lib.tensors_metadata_key(tensors, i) for i in range(lib.tensors_metadata_count(tensors))]
    return ({name: np.array(from_view(tensors, lib.tensors_find(tensors, name))) for name in names},
            {key: lib.tensors_metadata(tensors, key) for key in keys})


def _accumulator_again(kind: Any, arrays: dict[str, Array], texts: dict[str, str]) -> Any:
    context = _context.handle(None)
    tensors = lib.tensors_new(context)
    for name, array in arrays.items():
        lib.tensors_add(tensors, name, array)
    for key, text in texts.items():
        lib.tensors_set_metadata(tensors, key, text)
    again = kind.__new__(kind)
    Gated.__init__(again)
    again._h = (lib.scores_from_tensors if kind is Scores else lib.pixels_from_tensors)(context, tensors)
    return again


def _merge(call: Any, mine: Any, other: Any) -> None:
    if type(other) is not type(mine):
        raise TypeError(f"other is {type(other).__name__}, want {type(mine).__name__}")
    if other is mine:
        raise ValueError("an accumulator cannot be merged with itself")
    # In one order everywhere, so that a.merge(b) beside b.merge(a) cannot wait for each other.
    if id(mine) < id(other):
        with mine._gate.alone as h, other._gate.shared as theirs:
            call(h, theirs)
    else:
        with other._gate.shared as theirs, mine._gate.alone as h:
            call(h, theirs)


def conformal(scores: Any, alpha: float = 0.05, *, groups: Any = None, context: _context.Context | None = None) -> Conformal:
    """A threshold from scores of normal samples that nothing was fitted on: a new normal group exceeds it with probability <= alpha.

    Raises NumericError when so few groups cannot hold `alpha`; the message says how many would do.
    """
    values = real(scores, "scores", copy=True, dtype=np.float64)
    which = None if groups is None else integers(groups, "groups")
    return Conformal(**lib.conformal_fit(_context.handle(context), values, which, float(alpha)))


def conformal_p_value(scores: Any, score: float, *, groups: Any = None, context: _context.Context | None = None) -> float:
    """(1 + number of calibration groups with a score at least as great) / (n + 1)."""
    values = real(scores, "scores", copy=True, dtype=np.float64)
    which = None if groups is None else integers(groups, "groups")
    return float(lib.conformal_p_value(_context.handle(context), values, which, float(score)))


def conformal_needed(alpha: float) -> int:
    """Least number of calibration groups for `alpha`."""
    return int(lib.conformal_needed(float(alpha)))
