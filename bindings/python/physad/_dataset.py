# SPDX-License-Identifier: Apache-2.0
"""Data sets: which photos there are, which are normal, which belong together."""
from __future__ import annotations

import dataclasses
import json
import os
from typing import Any, Iterable, Iterator, Sequence, overload

import numpy as np

from . import _context
from ._arrays import Array, as_array, choice, integers, is_path, output
from ._handle import Gated
from ._image import Image
from ._native import lib
from ._progress import Progress, Reporter

SPLITS = {"train": 1, "validation": 2, "test": 4, "whole": 8}
_SPLIT_NAMES = {number: name for name, number in SPLITS.items()}
_KINDS = {1: "image", 2: "video", 3: "frames"}
_PROTOCOLS = ("unsupervised", "weak-per-type", "weak-in-all", "understanding")
_COPY = 1


def splits(value: str | Iterable[str] | None) -> int:
    """The bits of the names of splits; None: any."""
    if value is None:
        return 0
    names = value.split(",") if isinstance(value, str) else list(value)
    bits = 0
    for name in names:
        if name not in SPLITS:
            raise ValueError(f"split is {name!r}, want train, validation, test or whole")
        bits |= SPLITS[name]
    return bits


@dataclasses.dataclass(frozen=True)
class Sample:
    """One sample of a data set. `label` is 0 normal, 1 defective, None not known; `truth` tells whether `mask()` knows the pixels."""

    dataset: Dataset = dataclasses.field(repr=False, compare=False)
    index: int
    path: str
    file: str | None
    category: str
    type: str
    group: str
    view: str | None
    split: str
    label: int | None
    kind: str
    truth: bool
    masks: tuple[str, ...]
    pose_file: str | None
    pose_name: str | None
    instance: str | None
    interaction: str | None
    persistence: str | None
    text_file: str | None
    prior_file: str | None
    frame_file: str | None

    def image(self) -> Image:
        """Reads the photo."""
        return self.dataset.read(self.index)

    def mask(self, size: Any = None) -> Array:
        """Reads the truth; see `Dataset.mask()`."""
        return self.dataset.mask(self.index, size)


class Dataset(Gated):
    """The photos (or videos) below a folder in one of the usual layouts, or a list of files, or arrays.

    path: a category's folder, or a root of many.
    format: "auto", "visa", "realiad", "mvtec3d", "frames", "mvtec" or "folder".
    categories: names (a list, or text with commas); None: all.
    list: name of the table or folder of lists of "visa" and "realiad".
    holdout: share of the normal training samples that is moved to the test split where that has no normal ones.

    ``len(ds)``, ``ds[i]`` (a `Sample`), ``ds[2:5]`` and ``ds[[4, 0]]`` (data sets), iteration over samples.
    Raises FileError (no such folder), FormatError (no known layout), ArgumentError.
    Reading may go on in any number of threads.
    """

    def __init__(self, path: str | os.PathLike[str], *, format: str | None = None, categories: str | Sequence[str] | None = None,
                 list: str | None = None, holdout: float = 0.0, context: _context.Context | None = None) -> None:
        names = categories if categories is None or isinstance(categories, str) else ",".join(categories)
        options = {"format": format, "categories": names, "list": list, "holdout": holdout}
        self._take(lib.dataset_open(_context.handle(context), path, options), (_open_again, (os.fspath(path), options, context)))

    def _take(self, capsule: Any, again: Any) -> Dataset:
        Gated.__init__(self)
        self._h = capsule
        self._again = again
        return self

    @classmethod
    def _of(cls, capsule: Any, again: Any) -> Dataset:
        return cls.__new__(cls)._take(capsule, again)

    @classmethod
    def from_files(cls, paths: Iterable[str | os.PathLike[str]], *, split: str = "train", label: int | None = 0,
                   context: _context.Context | None = None) -> Dataset:
        """The files, in their order, all of one split and label."""
        if is_path(paths):
            raise TypeError("paths is one path, want several; physad.Dataset(path) opens a folder")
        names = [os.fspath(path) for path in paths]
        number = -1 if label is None else label
        capsule = lib.dataset_from_files(_context.handle(context), names, splits(split), number)
        return cls._of(capsule, (_files_again, (names, split, label, context)))

    @classmethod
    def from_arrays(cls, photos: Iterable[Any], *, labels: Sequence[int | None] | None = None, masks: Sequence[Any] | None = None,
                    types: Sequence[str | None] | None = None, groups: Sequence[str | None] | None = None,
                    names: Sequence[str | None] | None = None, split: str = "train", category: str | None = None,
                    context: _context.Context | None = None) -> Dataset:
        """Photos in memory (copied): arrays, tensors, images, or paths between them.

        labels: 0 normal, 1 defective, None not known, for each; default all 0. masks: (H, W), bool or uint8, or None, for each.
        Raises ShapeError, DtypeError, ArgumentError.
        """
        dataset = cls._of(lib.dataset_new(_context.handle(context)), None)
        for i, value in enumerate(photos):
            dataset.add(value, label=0 if labels is None else labels[i], mask=None if masks is None else masks[i],
                        type=None if types is None else types[i], group=None if groups is None else groups[i],
                        name=None if names is None else names[i], split=split, category=category)
        return dataset

    def add(self, photo: Any, *, label: int | None = 0, mask: Any = None, type: str | None = None, group: str | None = None,
            view: str | None = None, name: str | None = None, split: str = "train", category: str | None = None) -> None:
        """Adds a sample at the end: a path, or pixels that are copied."""
        item: dict[str, Any] = {"flags": _COPY, "label": -1 if label is None else int(label), "type": type, "group": group, "view": view,
                                "name": name, "split": splits(split), "category": category}
        if is_path(photo):
            item["file"] = photo
        else:
            item["photo"] = as_array(photo.array if isinstance(photo, Image) else photo, "photo")
        if is_path(mask):
            item["mask_file"] = mask
        elif mask is not None:
            item["mask"] = as_array(mask, "mask")
        with self._gate.alone as h:
            lib.dataset_add(h, item)
        self._again = None

    # --- what there is ---

    def __len__(self) -> int:
        with self._gate.shared as h:
            return int(lib.dataset_count(h))

    @property
    def root(self) -> str:
        """The folder that was opened; "" for others."""
        return str(lib.dataset_root(self._use()))

    @property
    def name(self) -> str:
        """Its last name."""
        return str(lib.dataset_name(self._use()))

    @property
    def format(self) -> str:
        """The layout that was found; "list" for data sets made otherwise."""
        return str(lib.dataset_format(self._use()))

    @property
    def categories(self) -> list[str]:
        """Names of the categories that have samples here."""
        with self._gate.shared as h:
            return [lib.dataset_category(h, i) for i in range(lib.dataset_category_count(h))]

    def sample(self, index: int) -> Sample:
        """The sample at an index from 0; negative ones count from the end. Raises IndexError."""
        with self._gate.shared as h:
            count = lib.dataset_count(h)
            at = index + count if index < 0 else index
            if not 0 <= at < count:
                raise IndexError(f"sample {index} of {count}")
            raw = lib.dataset_sample(h, at)
        return Sample(dataset=self, index=at, path=raw["path"], file=raw["file"], category=raw["category"], type=raw["type"],
                      group=raw["group"], view=raw["view"], split=_SPLIT_NAMES.get(raw["split"], "?"),
                      label=None if raw["label"] < 0 else raw["label"], kind=_KINDS.get(raw["kind"], "?"), truth=raw["truth"] != 0,
                      masks=tuple(raw["mask_files"]), pose_file=raw["pose_file"], pose_name=raw["pose_name"],
                      instance=raw["instance"], interaction=raw["interaction"], persistence=raw["persistence"],
                      text_file=raw["text_file"], prior_file=raw["prior_file"], frame_file=raw["frame_file"])

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice | Sequence[int]) -> Dataset: ...

    def __getitem__(self, index: Any) -> Sample | Dataset:
        if isinstance(index, slice):
            return self.subset(range(*index.indices(len(self))))
        if isinstance(index, (int, np.integer)):
            return self.sample(int(index))
        chosen = np.asarray(index)
        return self.subset(np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen)

    def __iter__(self) -> Iterator[Sample]:
        for index in range(len(self)):
            yield self.sample(index)

    @property
    def labels(self) -> Array:
        """int64 (n): 0 normal, 1 defective, -1 not known."""
        return np.array([-1 if s.label is None else s.label for s in self], np.int64)

    # --- parts ---

    def select(self, category: str | None = None, split: str | Iterable[str] | None = None) -> Dataset:
        """The samples of a category and of some splits; None: all. May be empty."""
        with self._gate.shared as h:
            return Dataset._of(lib.dataset_select(h, category, splits(split)), (_select_again, (self, category, split)))

    @property
    def train(self) -> Dataset:
        """The training split."""
        return self.select(split="train")

    @property
    def validation(self) -> Dataset:
        """The validation split."""
        return self.select(split="validation")

    @property
    def test(self) -> Dataset:
        """The test split."""
        return self.select(split="test")

    def subset(self, indices: Iterable[int]) -> Dataset:
        """The samples at some indices, in that order."""
        chosen = [int(i) for i in integers(list(indices), "indices")]
        count = len(self)
        with self._gate.shared as h:
            return Dataset._of(lib.dataset_subset(h, [i + count if i < 0 else i for i in chosen]), (_subset_again, (self, chosen)))

    def split(self, fraction: float, seed: int = 0) -> tuple[Dataset, Dataset]:
        """Two parts at random, whole groups on one side; the second one has about `fraction` of the samples.

        Raises StateError with fewer than two groups.
        """
        with self._gate.shared as h:
            first, second = lib.dataset_split(h, float(fraction), seed)
        return (Dataset._of(first, (_split_again, (self, fraction, seed, 0))),
                Dataset._of(second, (_split_again, (self, fraction, seed, 1))))

    def frames(self, count: int) -> Dataset:
        """Of each video `count` frames, evenly spaced, as photos called ``video#frame``; photos stay as they are."""
        with self._gate.shared as h:
            return Dataset._of(lib.dataset_frames(h, int(count)), (_frames_again, (self, count)))

    def protocol(self, name: str = "unsupervised", *, least: int = 0, most: int = 0, seed: int = 0) -> Dataset:
        """A video set as a protocol wants it: "unsupervised" as the folders say; "weak-per-type" and "weak-in-all" move `least` to `most`
        (0: 2 to 4) defective test videos to the training split, for each type or for each category; "understanding" keeps as many normal
        ones of each instance. Raises StateError (nothing to draw from).
        """
        options = {"protocol": choice(name, _PROTOCOLS, "name"), "least": least, "most": most, "seed": seed}
        with self._gate.shared as h:
            return Dataset._of(lib.dataset_protocol(h, options), (_protocol_again, (self, name, least, most, seed)))

    # --- reading ---

    def read(self, index: int, *, scale: int = 1) -> Image:
        """Reads a photo. scale: 1, 2, 4, 8, decode a JPEG file smaller. Raises FileError, FormatError, UnsupportedError (a video), IndexError."""
        sample = self.sample(index)
        with self._gate.shared as h:
            capsule = lib.dataset_read_scaled(h, sample.index, scale)
        return Image._of(capsule, sample.file)

    def mask(self, index: int, size: Any = None, *, out: Any = None) -> Array:
        """The truth, bool (H, W): the union of the sample's masks, all False for a normal sample.

        size: (H, W), an image or an array; None: the photo's. Raises StateError where the pixels are not known.
        """
        sample = self.sample(index)
        if out is not None:
            shape: Any = np.shape(out)
        else:
            shape = self.read(index).shape[:2] if size is None else tuple(getattr(size, "shape", size))[:2]
        mask = output(out, shape, np.bool_)
        with self._gate.shared as h:
            lib.dataset_read_mask(h, sample.index, mask)
        return mask

    def images(self) -> Iterator[Image]:
        """All photos, one after the other."""
        for index in range(len(self)):
            yield self.read(index)

    def stats(self, progress: Progress = None) -> dict[str, Any]:
        """Counts by category, split, type and view, photo sizes, the defects' share of the photo."""
        with Reporter(progress) as call, self._gate.alone as h:
            answer: dict[str, Any] = json.loads(lib.dataset_stats(h, call))
        return answer

    # --- showing ---

    def __repr__(self) -> str:
        if self.closed:
            return "<physad.Dataset closed>"
        names = self.categories
        shown = ", ".join(names[:3]) + (f", ... ({len(names)})" if len(names) > 3 else "")
        where = f" {self.root!r}" if self.root else ""
        return f"<physad.Dataset{where} {self.format}: {len(self)} samples{'; ' + shown if any(names) else ''}>"

    def _repr_html_(self) -> str:
        import html
        rows: dict[tuple[str, str, str], int] = {}
        for sample in self:
            key = (sample.category, sample.split, sample.type)
            rows[key] = rows.get(key, 0) + 1
        cells = "".join(f"<tr><td>{html.escape(c)}</td><td>{s}</td><td>{html.escape(t)}</td><td>{n}</td></tr>"
                        for (c, s, t), n in rows.items())
        return (f"<p><code>{html.escape(repr(self))}</code></p><table><thead><tr><th>category</th><th>split</th><th>type</th>"
                f"<th>samples</th></tr></thead><tbody>{cells}</tbody></table>")

    def __reduce__(self) -> Any:
        self._use()
        if self._again is not None:
            return self._again
        items = []
        for sample in self:
            memory = sample.file is None
            items.append((np.array(self.read(sample.index).array) if memory else sample.file, {
                "label": sample.label, "type": sample.type, "group": sample.group, "view": sample.view,
                "name": sample.path if memory else None, "split": sample.split, "category": sample.category,
                "mask": None if not sample.truth or sample.label == 0 else self.mask(sample.index) if memory
                else sample.masks[0] if sample.masks else None}))
        return _items_again, (items,)


def _open_again(path: str, options: dict[str, Any], context: _context.Context | None) -> Dataset:
    return Dataset(path, context=context, **options)


def _files_again(paths: list[str], split: str, label: int | None, context: _context.Context | None) -> Dataset:
    return Dataset.from_files(paths, split=split, label=label, context=context)


def _select_again(dataset: Dataset, category: str | None, split: str | Iterable[str] | None) -> Dataset:
    return dataset.select(category, split)


def _subset_again(dataset: Dataset, indices: list[int]) -> Dataset:
    return dataset.subset(indices)


def _frames_again(dataset: Dataset, count: int) -> Dataset:
    return dataset.frames(count)


def _protocol_again(dataset: Dataset, name: str, least: int, most: int, seed: int) -> Dataset:
    return dataset.protocol(name, least=least, most=most, seed=seed)


def _split_again(dataset: Dataset, fraction: float, seed: int, side: int) -> Dataset:
    return dataset.split(fraction, seed)[side]


def _items_again(items: list[tuple[Any, dict[str, Any]]]) -> Dataset:
    dataset = Dataset.from_arrays([])
    for photo, values in items:
        dataset.add(photo, **values)
    return dataset


def dataset_of(value: Any, *, copy: bool = False, context: _context.Context | None = None) -> Dataset:
    """A data set of what `fit` may get: a Dataset, a folder, a list of paths or arrays, an array (N, H, W, C)."""
    if isinstance(value, Dataset):
        return value
    if is_path(value):
        if os.path.isdir(value):
            return Dataset(value, context=context)
        return Dataset.from_files([value], context=context)
    photos = list(value) if isinstance(value, (list, tuple)) or hasattr(value, "__next__") else None
    if photos is None:
        batch = as_array(value, "X")
        if batch.ndim != 4:
            raise ValueError(f"X has shape {batch.shape}, want (N, H, W, C), a list of photos, or a Dataset")
        photos = list(batch)
    if photos and all(is_path(p) for p in photos):
        return Dataset.from_files(photos, context=context)
    if copy:
        photos = [p if is_path(p) else _converted(p) for p in photos]
    return Dataset.from_arrays(photos, context=context)


def _converted(value: Any) -> Array:
    array = as_array(value.array if isinstance(value, Image) else value, "photo")
    return array if array.dtype in (np.uint8, np.uint16, np.float32) else array.astype(np.float32)
