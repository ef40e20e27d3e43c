# SPDX-License-Identifier: Apache-2.0
"""One exception per status of the library; each is also the built-in one that a Python programmer would catch."""
from __future__ import annotations


class Error(Exception):
    """Base of everything that the library raises. `status` is the name of its status, such as ``"PHYSAD_ERR_SHAPE"``."""

    status = "PHYSAD_ERR_INTERNAL"


class ArgumentError(Error, ValueError):
    """An argument or option is wrong."""

    status = "PHYSAD_ERR_ARG"


class ShapeError(Error, ValueError):
    """An array has the wrong shape."""

    status = "PHYSAD_ERR_SHAPE"


class DtypeError(Error, TypeError):
    """An array has the wrong element type; ``copy=True`` converts where a call has it."""

    status = "PHYSAD_ERR_DTYPE"


class OutOfMemoryError(Error, MemoryError):
    """No memory, or the context's memory limit is reached."""

    status = "PHYSAD_ERR_NOMEM"


class FileError(Error, OSError):
    """The system could not read or write."""

    status = "PHYSAD_ERR_IO"


class FormatError(Error, ValueError):
    """A file's content is not what it must be."""

    status = "PHYSAD_ERR_FORMAT"


class UnsupportedError(Error, NotImplementedError):
    """Right, but not possible here, in this build or this version."""

    status = "PHYSAD_ERR_UNSUPPORTED"


class CancelledError(Error):
    """Cancelled by the progress callback or by `Context.cancel()`."""

    status = "PHYSAD_ERR_CANCELLED"


class StateError(Error, RuntimeError):
    """The object is not in the state that the call needs: not fitted, made before fork(), in use."""

    status = "PHYSAD_ERR_STATE"


class NumericError(Error, ArithmeticError):
    """The numbers allow no answer: singular, not finite, empty."""

    status = "PHYSAD_ERR_NUMERIC"


class InternalError(Error, RuntimeError):
    """A fault of the library's own; please report it."""

    status = "PHYSAD_ERR_INTERNAL"


_CLASSES: tuple[type[Error], ...] = (
    Error, ArgumentError, ShapeError, DtypeError, OutOfMemoryError, FileError, FormatError, UnsupportedError, CancelledError,
    StateError, NumericError, InternalError)


def make(status: int, text: str) -> Error:
    """The exception of a status (called by the private module)."""
    kind = _CLASSES[-status] if 0 < -status < len(_CLASSES) else InternalError
    error: Error = kind(text)
    return error
