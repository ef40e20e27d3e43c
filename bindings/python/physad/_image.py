# SPDX-License-Identifier: Apache-2.0
"""Photos: read, decode, write."""
from __future__ import annotations

import os
import struct
import zlib
from typing import Any

import numpy as np

from . import _context
from ._arrays import Array, as_array, from_view, is_path
from ._handle import Handle
from ._native import lib

PathLike = "str | os.PathLike[str]"
_CHANNELS = {None: 0, "gray": 1, "rgb": 3}
_FORMATS = {0: None, 1: "jpeg", 2: "png", 3: "tiff", 4: "bmp", 5: "pnm"}


def _options(channels: str | None, dtype: str | None, orient: bool, scale: int, page: int) -> dict[str, Any]:
    if channels not in _CHANNELS:
        raise ValueError(f"channels is {channels!r}, want None (as stored), 'gray' or 'rgb'")
    if dtype not in (None, "u8"):
        raise ValueError(f"dtype is {dtype!r}, want None (as stored) or 'u8'")
    return {"channels": _CHANNELS[channels], "dtype": 1 if dtype else 0, "apply_orientation": int(orient), "jpeg_scale": scale,
            "page": page}


class Image(Handle):
    """A photo: H x W x C, red first, uint8, uint16 or float32; immutable.

    ``Image("photo.jpg")`` reads a file, as `Image.read()` without options; ``Image(array)`` wraps an array without copying. The bytes
    of a file are for `Image.decode()`.
    """

    def __init__(self, source: Any, *, path: str | None = None) -> None:
        self.path = path
        self.info: dict[str, Any] = {}
        if is_path(source):
            read = Image.read(source)
            self._h, self.info = read.array, read.info
            self.path = path if path is not None else read.path
            return
        pixels = as_array(source, "image")
        if pixels.ndim not in (2, 3):
            raise ValueError(f"image has shape {pixels.shape}, want (H, W) or (H, W, C)")
        self._h = pixels

    @classmethod
    def _of(cls, capsule: Any, path: str | None = None) -> Image:
        image = cls(from_view(capsule, lib.image_view(capsule)), path=path)
        image.info = lib.image_describe(capsule)
        image.info["format"] = _FORMATS.get(image.info["format"])
        return image

    @classmethod
    def read(cls, path: str | os.PathLike[str], *, channels: str | None = None, dtype: str | None = None, orient: bool = False,
             scale: int = 1, page: int = 0, context: _context.Context | None = None) -> Image:
        """Reads a JPEG, PNG, TIFF, BMP or PNM file.

        channels: None as stored, "gray" or "rgb". dtype: None as stored, "u8" the upper 8 bits. orient: turn as the EXIF
        orientation asks. scale: 1, 2, 4, 8, decode a JPEG smaller. page: of a TIFF.
        Raises FileError, FormatError (damaged; names file, byte and reason), UnsupportedError, ArgumentError, OutOfMemoryError.
        """
        options = _options(channels, dtype, orient, scale, page)
        return cls._of(lib.image_read(_context.handle(context), path, options), os.fspath(path))

    @classmethod
    def decode(cls, data: Any, *, name: str = "image", channels: str | None = None, dtype: str | None = None, orient: bool = False,
               scale: int = 1, page: int = 0, context: _context.Context | None = None) -> Image:
        """Decodes the bytes of a file; otherwise as `read()`."""
        options = _options(channels, dtype, orient, scale, page)
        return cls._of(lib.image_read_memory(_context.handle(context), data, name, options))

    @property
    def array(self) -> Array:
        """The pixels, not copied. Stays valid after `close()`."""
        pixels: Array = self._use()
        return pixels

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W, C)."""
        return self.array.shape

    @property
    def dtype(self) -> Any:
        """NumPy's element type."""
        return self.array.dtype

    def save(self, path: str | os.PathLike[str], *, quality: int = 95, compression: int = 6,
             context: _context.Context | None = None) -> None:
        """Writes a file whose suffix says the format (.png, .jpg, .tif, .pgm, .ppm, .pfm); complete or not at all."""
        write_image(path, self.array, quality=quality, compression=compression, context=context)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        array = self.array if dtype is None else self.array.astype(dtype, copy=False)
        return array.copy() if copy else array

    def __len__(self) -> int:
        return int(self.array.shape[0])

    def __repr__(self) -> str:
        if self.closed:
            return "<physad.Image closed>"
        return f"<physad.Image {'x'.join(map(str, self.shape))} {self.dtype}{' ' + repr(self.path) if self.path else ''}>"

    def __reduce__(self) -> Any:
        return _image_again, (np.array(self.array), self.path, self.info)

    def _repr_png_(self) -> bytes:
        return png(self.array)


def _image_again(array: Array, path: str | None, info: dict[str, Any]) -> Image:
    image = Image(array, path=path)
    image.info = info
    return image


def write_image(path: str | os.PathLike[str], array: Any, *, quality: int = 95, compression: int = 6,
                context: _context.Context | None = None) -> None:
    """Writes pixels, (H, W) or (H, W, C), to a file whose suffix says the format; complete or not at all.

    quality: of a JPEG, 1 to 100. compression: of a PNG, 1 fast to 9 small.
    Raises ArgumentError (suffix), ShapeError, DtypeError, FileError.
    """
    options = {"jpeg_quality": quality, "png_compression": compression}
    lib.image_write(_context.handle(context), path, as_array(array, "image"), options)


def photo(value: Any, *, copy: bool = False, scale: int = 1, context: _context.Context | None = None) -> Array:
    """The pixels of what may be a path, an Image or an array. scale: of a path's JPEG."""
    if is_path(value):
        return Image.read(value, scale=scale, context=context).array
    array = as_array(value.array if isinstance(value, Image) else value, "photo")
    if copy and array.dtype not in (np.uint8, np.uint16, np.float32):
        array = array.astype(np.float32)
    return array


def bytes_of(array: Array) -> Array:
    """Pixels as uint8 RGB or grey, for showing."""
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim == 3 and array.shape[2] in (2, 4):
        array = array[:, :, :array.shape[2] - 1] if array.shape[2] == 4 else array[:, :, 0]
    if array.dtype == np.uint16:
        array = array >> 8
    elif array.dtype == np.bool_:
        array = array * np.uint8(255)
    elif array.dtype.kind == "f":
        array = np.nan_to_num(np.clip(array, 0, 1)) * 255 + 0.5
    return np.ascontiguousarray(array, dtype=np.uint8)


def png(array: Array) -> bytes:
    """A PNG file of some pixels."""
    pixels = bytes_of(array)
    height, width = pixels.shape[:2]
    rows = np.empty((height, 1 + pixels.size // max(height, 1)), np.uint8)
    rows[:, 0] = 0
    rows[:, 1:] = pixels.reshape(height, -1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2 if pixels.ndim == 3 else 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows.tobytes(), 6)) + chunk(b"IEND", b"")
