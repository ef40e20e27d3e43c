# SPDX-License-Identifier: Apache-2.0
"""Memory bank: rows of features, exact nearest neighbours, the greedy coreset."""
from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np

from . import _context
from ._arrays import Array, from_view, integers, output, real
from ._handle import Gated
from ._native import lib
from ._progress import Progress, Reporter

_SQUARED, _APPROX = 1, 2
_FIRST, _SEED = 1, 2


class Coreset(NamedTuple):
    """int64 rows in the order of picking, and float64 distances of each to the picks before it."""

    picks: Array
    radii: Array


class Bank(Gated):
    """Rows of `dim` float32 each, with the sample and the place that they came from.

    Searches may run in any number of threads; a call that changes the bank waits for them.
    """

    def __init__(self, dim: int, *, spill_bytes: int = 0, spill_dir: str | os.PathLike[str] | None = None,
                 context: _context.Context | None = None) -> None:
        super().__init__()
        self._context = context
        self._h = lib.bank_new(_context.handle(context), int(dim), {"spill_bytes": spill_bytes, "spill_dir": spill_dir})

    @classmethod
    def _of(cls, capsule: Any, context: _context.Context | None) -> Bank:
        bank = cls.__new__(cls)
        Gated.__init__(bank)
        bank._h = capsule
        bank._context = context
        return bank

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, context: _context.Context | None = None) -> Bank:
        """Opens a saved bank; its rows stay in the file, mapped, until it is changed."""
        return cls._of(lib.bank_load(_context.handle(context), path), context)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a safetensors file, complete or not at all."""
        with self._gate.shared as h:
            lib.bank_save(h, path)

    def add(self, rows: Any, samples: Any = None, positions: Any = None, *, copy: bool = False) -> Bank:
        """Adds float32 (n, dim) behind the rows there.

        samples: the source of each row, integers (n), or one for all. positions: the place of each row on its grid, integers (n).
        Raises ShapeError, DtypeError, NumericError (not finite; names the row).
        """
        data = real(rows, "rows", copy=copy)
        if samples is not None:
            samples = integers(samples, "samples")
            if samples.ndim == 0:
                samples = np.full(len(data), samples)
        with self._gate.alone as h:
            lib.bank_add(h, data, samples, None if positions is None else integers(positions, "positions", np.int32))
        return self

    def merge(self, other: Bank) -> Bank:
        """Appends all rows of another bank."""
        if other is self:
            with self._gate.alone as h:
                lib.bank_merge(h, h)
        elif not isinstance(other, Bank):
            raise TypeError(f"other is {type(other).__name__}, want Bank")
        elif id(self) < id(other):  # in one order everywhere: no two merges can wait for each other
            with self._gate.alone as h, other._gate.shared as theirs:
                lib.bank_merge(h, theirs)
        else:
            with other._gate.shared as theirs, self._gate.alone as h:
                lib.bank_merge(h, theirs)
        return self

    def remove(self, sample: int) -> int:
        """Removes the rows of one sample; says how many those were."""
        with self._gate.alone as h:
            return int(lib.bank_remove(h, int(sample)))

    def clear(self) -> None:
        """Removes all rows."""
        with self._gate.alone as h:
            lib.bank_clear(h)

    def select(self, rows: Any) -> Bank:
        """A new bank of some rows, in that order."""
        with self._gate.shared as h:
            return Bank._of(lib.bank_select(h, integers(rows, "rows")), self._context)

    def __len__(self) -> int:
        with self._gate.shared as h:
            return int(lib.bank_count(h))

    @property
    def dim(self) -> int:
        """Elements of a row."""
        return int(lib.bank_dim(self._use()))

    @property
    def rows(self) -> Array:
        """A copy of all rows, float32 (n, dim)."""
        with self._gate.shared as h:
            return np.array(from_view(h, lib.bank_rows(h)))

    @property
    def samples(self) -> Array:
        """Source of each row, int64 (n); -1 where not known."""
        with self._gate.shared as h:
            return np.array([lib.bank_sample(h, i) for i in range(lib.bank_count(h))], np.int64)

    @property
    def positions(self) -> Array:
        """Place of each row on its sample's grid, int32 (n); -1 where not known."""
        with self._gate.shared as h:
            return np.array([lib.bank_position(h, i) for i in range(lib.bank_count(h))], np.int32)

    def search(self, queries: Any, k: int = 1, *, squared: bool = False, approx: bool = False, copy: bool = False,
               distances: Any = None, indices: Any = None, progress: Progress = None) -> tuple[Array, Array]:
        """The k nearest rows of each query, nearest first: (distances (n, k), indices int64 (n, k)).

        queries: float32 (n, dim), finite. distances, indices: arrays to fill; distances may be float32 or float64.
        Exact: as if all distances had been summed in double; the lower row comes first at equal distance. approx: ask the index of
        `build_approx()`. Raises StateError (empty bank), NumericError, ShapeError, DtypeError, CancelledError.
        """
        data = real(queries, "queries", copy=copy)
        count = data.shape[0] if data.ndim else 0
        found = output(distances, (count, max(int(k), 0)), np.float32, "distances")
        which = output(indices, (count, max(int(k), 0)), np.int64, "indices")
        flags = {"flags": _SQUARED * squared | _APPROX * approx}
        with Reporter(progress) as call, self._gate.shared as h:
            lib.bank_search(h, data, int(k), found, which, flags, call)
        return found, which

    def prepare(self, progress: Progress = None) -> None:
        """Builds now what the first search would."""
        with Reporter(progress) as call, self._gate.shared as h:
            lib.bank_prepare(h, call)

    def build_approx(self, factory: str) -> None:
        """Builds an approximate index by FAISS's factory string, such as "HNSW32"."""
        with self._gate.alone as h:
            lib.bank_build_approx(h, factory)

    def coreset(self, ratio: float = 0.0, count: int = 0, *, first: int | None = None, seed: int | None = None, projection: Any = None,
                eps: float = 0.0, progress: Progress = None) -> Coreset:
        """The exact greedy k-center coreset: after the first row, always the one farthest from its nearest pick.

        ratio or count: how many (default ratio 0.1). first: the first pick; else drawn by `seed`, else by the context's.
        projection: None, "sparse", or a float32 (m, dim) matrix.
        """
        options: dict[str, Any] = {"ratio": float(ratio), "count": int(count), "eps": float(eps), "flags": 0}
        if first is not None:
            options.update(first=int(first), flags=options["flags"] | _FIRST)
        if seed is not None:
            options.update(seed=int(seed), flags=options["flags"] | _SEED)
        if isinstance(projection, str) or projection is None:
            if projection not in (None, "none", "sparse"):
                raise ValueError(f"projection is {projection!r}, want None, 'sparse' or a matrix")
            options["projection"] = 1 if projection == "sparse" else 0
        else:
            options.update(projection=2, matrix=np.ascontiguousarray(real(projection, "projection")))
        with Reporter(progress) as call, self._gate.shared as h:
            size = lib.bank_coreset_count(h, options)
            picks, radii = np.empty(size, np.int64), np.empty(size, np.float64)
            lib.bank_coreset(h, picks, radii, options, call)
        return Coreset(picks, radii)

    def __repr__(self) -> str:
        return "<physad.Bank closed>" if self.closed else f"<physad.Bank {len(self)} x {self.dim}>"

    def __reduce__(self) -> Any:
        return _bank_again, (self.dim, self.rows, self.samples, self.positions, self._context)


def _bank_again(dim: int, rows: Array, samples: Array, positions: Array, context: _context.Context | None) -> Bank:
    return Bank(dim, context=context).add(rows, samples, positions)
