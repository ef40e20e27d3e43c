# SPDX-License-Identifier: Apache-2.0
"""From what users have (NumPy, PyTorch, PIL, anything with a buffer or DLPack) to arrays, without copying."""
from __future__ import annotations

import os
from typing import Any, Sequence

import numpy as np
import numpy.typing as npt

from ._errors import DtypeError

Array = npt.NDArray[Any]

DTYPES = {"u8": "u1", "i8": "i1", "u16": "u2", "i16": "i2", "i32": "i4", "i64": "i8", "f16": "f2", "f32": "f4", "f64": "f8",
          "bool": "?", "u32": "u4", "u64": "u8", "bf16": "u2"}


class _Owned:
    """Memory of the library's for NumPy: the array that is made of it keeps its owner."""

    def __init__(self, owner: object, view: tuple[int, str, tuple[int, ...], tuple[int, ...], int]) -> None:
        address, dtype, shape, strides, _ = view
        self.owner = owner
        self.__array_interface__ = {
            "version": 3, "data": (address, True), "shape": shape, "strides": strides, "typestr": np.dtype(DTYPES[dtype]).str}


def from_view(owner: object, view: tuple[int, str, tuple[int, ...], tuple[int, ...], int]) -> Array:
    """A read-only array on memory that `owner` keeps. bf16 comes as u16, for NumPy has no such type."""
    address, dtype, shape, _, _ = view
    if address == 0 or 0 in shape:
        empty = np.empty(shape, np.dtype(DTYPES[dtype]) if dtype in DTYPES else np.uint8)
        empty.flags.writeable = False
        return empty
    return np.asarray(_Owned(owner, view))


def is_path(value: object) -> bool:
    return isinstance(value, (str, os.PathLike))


def as_array(value: Any, what: str = "array") -> Array:
    """An array on the same memory, whatever the value is made by."""
    if isinstance(value, np.ndarray):
        return value
    module = type(value).__module__.partition(".")[0]
    if module == "PIL":
        # Palettes and odd modes have no meaning as numbers.
        return np.asarray(value if value.mode in ("L", "RGB", "RGBA", "I;16", "F") else value.convert("RGB"))
    if hasattr(value, "__dlpack__"):
        if hasattr(value, "detach"):
            value = value.detach()
        try:
            return np.from_dlpack(value)
        except (BufferError, RuntimeError, TypeError) as error:
            raise DtypeError(f"{what} is a {type(value).__name__} that NumPy cannot look at ({error}); "
                             "bring it to the CPU and to float32 or uint8 first") from None
    if isinstance(value, (bytes, bytearray)):
        raise DtypeError(f"{what} is {type(value).__name__}, want an array; an encoded file is read by physad.Image.decode()")
    if hasattr(value, "__array_interface__") or hasattr(value, "__array__"):
        return np.asarray(value)
    try:
        return np.asarray(memoryview(value))
    except TypeError:
        raise TypeError(f"{what} is {type(value).__name__}, want an array, a tensor or an image") from None


def real(value: Any, what: str, *, copy: bool = False, dtype: Any = np.float32) -> Array:
    """An array of `dtype`. Lists are taken; an array of another type is refused unless `copy`."""
    if isinstance(value, (list, tuple)):
        return np.asarray(value, dtype)
    array = as_array(value, what)
    if array.dtype == dtype:
        return array
    if copy:
        return array.astype(dtype)
    raise DtypeError(f"{what} is {array.dtype}, want {np.dtype(dtype)}; copy=True converts it")


def integers(value: Any, what: str, dtype: Any = np.int64) -> Array:
    """Small arrays of indices and numbers; converted where nothing is lost."""
    array = np.asarray(value)
    if array.size and array.dtype.kind not in "iub":
        raise TypeError(f"{what} is {array.dtype}, want integers")
    result: Array = array.astype(dtype)
    if array.size and not np.array_equal(result, array):
        raise ValueError(f"{what} does not fit into {np.dtype(dtype)}")
    return result


def output(out: Any, shape: Sequence[int], dtype: Any, what: str = "out") -> Array:
    """The caller's array, or a new one."""
    if out is None:
        return np.empty(tuple(shape), dtype)
    array = as_array(out, what)
    if not array.flags.writeable:
        raise ValueError(f"{what} is read-only")
    return array


def size_of(value: Any) -> tuple[int, int]:
    """(height, width) from a number, a pair or something with a shape."""
    if isinstance(value, (int, np.integer)):
        return int(value), int(value)
    shape = getattr(value, "shape", value)
    return int(shape[0]), int(shape[1])


def choice(value: Any, names: Sequence[str], what: str) -> int:
    """The number of a name."""
    if value not in names:
        import difflib
        near = difflib.get_close_matches(str(value), names, 1, 0)
        raise ValueError(f"{what} is {value!r}, want one of {', '.join(names)}"
                         + (f"; did you mean {near[0]!r}?" if near else ""))
    return list(names).index(value)
