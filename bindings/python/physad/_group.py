# SPDX-License-Identifier: Apache-2.0
"""Many photos of one thing: one verdict, and where in space it is odd."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterable, NamedTuple

from ._handle import Handle
from ._native import lib

if TYPE_CHECKING:
    from ._detector import Result


class Place(NamedTuple):
    """A place in space that is odd. photo: the number of the photo in which it is oddest; agreeing: photos in which it is odd; seen_by:
    photos that see it; position: (x, y, z) in the frame of the training photos' poses; radius: of a disc as large as what is odd there, in
    the frame's unit; score: by all photos; y, x: in that photo, pixels."""

    photo: int
    agreeing: int
    seen_by: int
    position: tuple[float, float, float]
    radius: float
    score: float
    y: float
    x: float


class Group(Handle):
    """One verdict of the results of photos of one thing, by one detector.

    >>> thing = physad.Group(det.scores(photos))                                                # doctest: +SKIP
    >>> thing.score, thing.is_anomalous, thing.places                                           # doctest: +SKIP

    results: a list of results, which stay as they are; or an iterator such as `Detector.scores()` gives, whose results are stripped as
    they come (`Result.strip()`), so that any number of photos fits into memory. Immutable.
    Raises ArgumentError where there are none, of several detectors, or of videos.
    """

    def __init__(self, results: Iterable[Result]) -> None:
        from . import _detector  # that module imports much of the package

        kept: list[Any] = []
        passing = not isinstance(results, (list, tuple))
        for result in results:
            if not isinstance(result, _detector.Result):
                raise TypeError(f"result {len(kept)} is {type(result).__name__}, want a physad.Result")
            if passing:
                result.strip()
            kept.append(result._use())
        self._h = lib.group_new(kept)
        self._count = len(kept)

    def __len__(self) -> int:
        """How many photos it was made of."""
        return self._count

    @property
    def score(self) -> float:
        """On the scale of a single photo's."""
        return float(lib.group_score(self._use()))

    @property
    def is_anomalous(self) -> bool | None:
        """Whether the score is above the results' threshold; None without one."""
        answer = lib.group_is_anomalous(self._use())
        return None if answer < 0 else bool(answer)

    @property
    def places(self) -> list[Place]:
        """Oddest first, at most 8; none by methods without poses, and where no photo's pose was found."""
        h = self._use()
        places = []
        for i in range(lib.group_place_count(h)):
            found = lib.group_place(h, i)
            found["position"] = tuple(found["position"])
            places.append(Place(**found))
        return places

    def __repr__(self) -> str:
        return "<physad.Group closed>" if self.closed else f"<physad.Group {len(self)} photos, score {self.score:g}>"
