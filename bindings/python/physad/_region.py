# SPDX-License-Identifier: Apache-2.0
"""Regions of score maps, and the types of defect that they look like."""
from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _context
from ._handle import Gated, Handle
from ._native import lib

if TYPE_CHECKING:
    from ._detector import Detector

_KINDS = tuple(lib.defect_name(i) for i in range(4))


class Region(NamedTuple):
    """A connected part of a score map above a level, in pixels of the photo. kind: the likeliest of `kinds`, "hole", "line", "tint" or
    "deformation"; top, left, bottom, right: its box, half open; area: square pixels; peak, peak_y, peak_x: the highest score and its
    place; length, width, angle: axes of the ellipse with the same moments, radians from x to y; kinds: likelihoods, sum 1."""

    kind: str
    top: float
    left: float
    bottom: float
    right: float
    area: float
    peak: float
    peak_y: float
    peak_x: float
    length: float
    width: float
    angle: float
    kinds: dict[str, float]


class Regions(Handle, Sequence[Region]):
    """The regions of one map, the highest peak first; made by `Result.regions()`. Immutable."""

    def __init__(self, capsule: Any) -> None:
        self._h = capsule

    def __len__(self) -> int:
        return int(lib.regions_count(self._use()))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(f"region {index} of {len(self)}")
        found = lib.regions_get(self._use(), at)
        kinds = {name: found.pop(name) for name in _KINDS}
        return Region(kind=_KINDS[found.pop("kind")], kinds=kinds, **found)

    @property
    def level(self) -> float:
        """Places above it belong to a region."""
        return float(lib.regions_level(self._use()))

    def __repr__(self) -> str:
        return "<physad.Regions closed>" if self.closed else f"<physad.Regions: {len(self)} above {self.level:g}>"


class Types(Gated):
    """Types of defect, by the nearest labelled example; without any, the four kinds.

    >>> types = physad.Types()                                                                  # doctest: +SKIP
    >>> types.add("crack", det.score("cracked.jpg").regions())                                  # doctest: +SKIP
    >>> types.tell(det.score("photo.jpg").regions())                                            # doctest: +SKIP
    """

    def __init__(self, *, context: _context.Context | None = None) -> None:
        super().__init__()
        self._h = lib.types_new(_context.handle(context))

    def add(self, type: str, regions: Regions) -> None:
        """Adds an example: the first of these regions. Raises ArgumentError where there is none."""
        with self._gate.alone as h:
            lib.types_add(h, type, regions._use())

    def add_folder(self, detector: Detector, folder: str | os.PathLike[str]) -> None:
        """Adds every photo of the folders in `folder`, each named after its type. Raises ArgumentError, FileError, FormatError."""
        with self._gate.alone as h, detector._gate.shared as owner:
            lib.types_add_folder(h, owner, folder)

    @property
    def names(self) -> list[str]:
        """The types, in the order of their first examples."""
        with self._gate.shared as h:
            return [lib.types_name(h, i) for i in range(lib.types_count(h))]

    def tell(self, regions: Regions) -> dict[str, float]:
        """How much the first region looks like each type; sum 1."""
        with self._gate.shared as h:
            of = regions._use()
            return {lib.types_name(h, i): lib.types_likeness(h, of, i) for i in range(lib.types_count(h))}

    def __repr__(self) -> str:
        return "<physad.Types closed>" if self.closed else f"<physad.Types: {', '.join(self.names)}>"
