# SPDX-License-Identifier: Apache-2.0
"""Evaluation: methods on a data set, with the figures that papers print."""
from __future__ import annotations

import html
import json
import math
import os
import tempfile
from typing import Any, Iterator, Mapping, Sequence

from . import _context
from ._dataset import Dataset
from ._errors import ArgumentError, StateError
from ._detector import _text
from ._handle import Handle
from ._metrics import Metric, Metrics, Scores
from ._native import lib
from ._progress import ERRORS, Progress, Reporter

_SIZES = {"photo": 0, "input": 1}
_COLUMNS = ("image_auroc", "image_ap", "image_f1_max", "pixel_auroc", "pixel_ap", "aupro", "video_auroc", "video_ap", "video_f1_max",
            "frame_auroc")


class Results(Handle):
    """What was measured, one row per method and category: ``len()``, iteration over dicts, `data`, `json`, `csv`, `to_frame()`."""

    def __init__(self, capsule: Any) -> None:
        self._h = capsule
        self._data: Any = None

    @property
    def json(self) -> str:
        """All of it as JSON; numbers read back to the bit."""
        return str(lib.evaluation_json(self._use()))

    @property
    def csv(self) -> str:
        """A line per method and category, after a header line."""
        return str(lib.evaluation_csv(self._use()))

    @property
    def data(self) -> Any:
        """The JSON as Python objects: the object of the only row, or {"results": [...], "mean": {...}}."""
        self._use()
        if self._data is None:
            self._data = json.loads(self.json)
        return self._data

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A dict per method and category."""
        data = self.data
        rows: list[dict[str, Any]] = data["results"] if "results" in data else [data]
        return rows

    @property
    def mean(self) -> dict[str, Any] | None:
        """Unweighted means over the categories; None for a single row."""
        mean: dict[str, Any] | None = self.data.get("mean")
        return mean

    @property
    def breakdowns(self) -> list[dict[str, Any]]:
        """Figures by attribute of the data set (its attributes.json or attributes.csv) and by the size of defects: dicts with method,
        attribute, value, n_normal, n_anomalous, the figures, intervals, reasons. Of several categories the means over those that have
        the value, and how many these are (categories)."""
        data = self.data
        if "results" not in data:
            return [{"method": data["method"], **entry} for entry in data["breakdowns"]]
        by_method = data["breakdowns"]
        if isinstance(by_method, list):
            by_method = {data["results"][0]["method"]: by_method}
        return [{"method": name, **entry} for name, entries in by_method.items() for entry in entries]

    def __len__(self) -> int:
        return int(lib.evaluation_count(self._use()))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.rows[index]

    def metrics(self, index: int = 0, pixels: bool = False) -> Metrics | None:
        """All that was measured on whole samples, or on pixels, of one row: with types and curves. None where there is nothing."""
        capsule = lib.evaluation_metrics(self._use(), int(index), int(pixels))
        return None if capsule is None else Metrics._of(capsule)

    def to_frame(self) -> Any:
        """A pandas DataFrame, a row per method and category. Raises ImportError without pandas."""
        import pandas
        plain = [{k: v for k, v in row.items() if not isinstance(v, (dict, list))} for row in self.rows]
        return pandas.DataFrame(plain)

    def to_html(self, path: str | os.PathLike[str] | None = None, *, title: str | None = None) -> str | None:
        """One page that needs nothing else: metrics with intervals, curves, histograms, the gallery, what is needed to repeat it.

        path: of the page where it ends in .html; else a folder, which gets report.html, results.json and results.csv. None: the page is
        the answer. Pictures are those that `gallery` of `evaluate()` kept.
        Raises FileError; StateError for results that were pickled, which have no curves and no pictures.
        """
        h = self._use()
        options = {"title": title}
        if path is not None and not os.fspath(path).lower().endswith((".html", ".htm")):
            lib.evaluation_html(h, path, options)
            return None
        place = "" if path is None else os.path.dirname(os.fspath(path))
        with tempfile.TemporaryDirectory(dir=place or (None if path is None else "."), prefix=".physad-") as folder:
            lib.evaluation_html(h, folder, options)
            page = os.path.join(folder, "report.html")
            if path is not None:
                os.replace(page, path)
                return None
            with open(page, encoding="utf-8") as file:
                return file.read()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the JSON, or with a name that ends in .csv the CSV."""
        name = os.fspath(path)
        text = self.csv if name.endswith(".csv") else self.json
        partial = f"{name}.partial{os.getpid()}"
        with open(partial, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.replace(partial, name)

    def compare(self, first: str, second: str, *, category: str | None = None, replicates: int | None = None, seed: int = 0,
                level: float = 0.95, progress: Progress = None) -> Metric:
        """AUROC of the method `first` minus that of `second` on the same samples, with a paired bootstrap interval over groups.

        category: which; may be left out where there is one: scores of different models do not compare.
        Raises ArgumentError where one was not measured, or not on the samples of the other.
        """
        rows = {(row["method"], row["category"]): row for row in self.rows}
        categories = sorted({row["category"] for row in self.rows})
        if category is None and len(categories) > 1:
            raise ArgumentError(f"there are {len(categories)} categories, whose scores do not compare: want one of {', '.join(categories)}")
        parts = []
        for name in (first, second):
            row = rows.get((name, categories[0] if category is None else category))
            if row is None:
                raise ArgumentError(f"there are no results of {name!r} on {category!r}; there are "
                                    + ", ".join(f"{method!r} on {on!r}" for method, on in rows))
            scores = Scores()
            for sample in row["samples"]:
                scores.add(sample["score"], sample["label"], type=sample["type"], group=sample["group"])
            parts.append(scores)
        return parts[0].compare(parts[1], replicates=replicates, seed=seed, level=level, progress=progress)

    def __repr__(self) -> str:
        if self.closed:
            return "<physad.Results closed>"
        columns = self._columns()
        lines = [f"{row['method']} {row['category'] or row['dataset']}: "
                 + " ".join(f"{name}={_shown(row.get(name))}" for name in columns) for row in self.rows]
        return "\n".join(lines)

    def _columns(self) -> list[str]:
        """Those figures that any row has: photos and videos have not the same."""
        return [name for name in _COLUMNS if any(_shown(row.get(name)) != "-" for row in self.rows)]

    def _repr_html_(self) -> str:
        columns = self._columns()
        head = "".join(f"<th>{name}</th>" for name in ("method", "category", *columns))
        body = "".join("<tr>" + "".join(f"<td>{html.escape(str(row.get(k) or ''))}</td>" for k in ("method", "category"))
                       + "".join(f"<td>{_shown(row.get(name))}</td>" for name in columns) + "</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def __reduce__(self) -> Any:
        return _results_again, (self.json, self.csv)


class _Kept(Results):
    """Results that were pickled: the figures, without the curves."""

    def __init__(self, text: str, table: str) -> None:
        super().__init__(object())
        self._text = text
        self._table = table

    @property
    def json(self) -> str:
        self._use()
        return self._text

    @property
    def csv(self) -> str:
        self._use()
        return self._table

    def __len__(self) -> int:
        return len(self.rows)

    def to_html(self, path: str | os.PathLike[str] | None = None, *, title: str | None = None) -> str | None:
        raise StateError("these results were pickled, which keeps their figures and neither curves nor pictures; write the page before")

    def metrics(self, index: int = 0, pixels: bool = False) -> Metrics | None:
        return None


def _results_again(text: str, table: str) -> Results:
    return _Kept(text, table)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value.get("value")
    return "-" if value is None or (isinstance(value, float) and math.isnan(value)) else f"{value:.4f}"


def evaluate(data: Any, methods: str | Sequence[str], *, categories: str | Sequence[str] | None = None, metrics_size: str = "photo",
             on_error: str = "stop", replicates: int | None = None, overlays: str | os.PathLike[str] | None = None,
             gallery: int = 12, gallery_side: int = 0, batch: int = 0, types: bool = False,
             examples: str | os.PathLike[str] | None = None, settings: Mapping[str, Any] | None = None, progress: Progress = None,
             context: _context.Context | None = None, **options: Any) -> Results:
    """Fits, scores and measures every method on every category.

    data: a Dataset or its folder. methods: names. options: of the methods; settings: the same as a dict, whose keys may be
    "method.option" for one method only. metrics_size: compare pixels at the "photo"'s size or the model's "input"'s (the papers' way).
    on_error: "stop" or "skip" a sample that cannot be read. replicates: of the bootstrap (None: 1000, 0: none).
    overlays: a folder for a picture per sample. gallery: so many samples of each type, method and category keep their pictures for
    `Results.to_html()`, half of them with the highest scores (about 20 KiB each); 0: none. gallery_side: the longer side of these, 32 to
    1024 pixels (0: 192). batch: samples computed together; no figure depends on it. types: tell each photo's
    kind of defect as `type_scores`, by `examples` where they are given: a folder with a folder of photos for each type. Seed and threads are the context's.
    Raises ArgumentError, FileError, FormatError, CancelledError, NumericError, UnsupportedError.
    """
    if metrics_size not in _SIZES:
        raise ValueError(f"metrics_size is {metrics_size!r}, want 'photo' or 'input'")
    reporter = Reporter(progress, batch, on_error)
    dataset = data if isinstance(data, Dataset) else Dataset(data, context=context)
    names = [methods] if isinstance(methods, str) else list(methods)
    chosen = {**(settings or {}), **options}
    arguments = {
        "metrics_size": _SIZES[metrics_size], "on_error": ERRORS[on_error], "replicates": -1 if replicates == 0 else replicates,
        "categories": categories if categories is None or isinstance(categories, str) else ",".join(categories),
        "settings": [f"{key}={_text(value)}" for key, value in chosen.items() if value is not None], "overlays": overlays,
        "gallery": gallery, "gallery_side": gallery_side, "types": int(types or examples is not None), "examples": examples}
    with reporter as call, dataset._gate.shared as h:
        return Results(lib.evaluate(_context.handle(context), h, names, arguments, call))
