# SPDX-License-Identifier: Apache-2.0
"""Arrays in and out: what is taken, what is refused, and that nothing is copied."""
import array
import sys

import numpy as np
import pytest

import physad


def test_image_round_trip(photo, tmp_path):
    for dtype, name in ((np.uint8, "a.png"), (np.uint16, "b.png"), (np.float32, "c.tif")):
        pixels = photo.astype(dtype) / np.float32(255) if dtype == np.float32 else photo.astype(dtype)
        pixels = pixels.astype(dtype)
        physad.write_image(tmp_path / name, pixels)
        image = physad.Image.read(tmp_path / name)
        assert image.dtype == dtype and image.shape == (40, 56, 3)
        assert np.array_equal(image.array, pixels)
        again = physad.Image.decode((tmp_path / name).read_bytes(), name="x")
        assert np.array_equal(again.array, pixels)


def test_image_view_is_of_the_library(photo, tmp_path):
    physad.write_image(tmp_path / "a.png", photo)
    context = physad.Context()
    image = physad.Image.read(tmp_path / "a.png", context=context)
    array_ = image.array
    assert not array_.flags.writeable and array_.base is not None
    image.close()
    assert np.array_equal(array_, photo)  # the array keeps what it shows
    used = context.memory_used
    del array_, image
    assert context.memory_used < used


def test_image_of_a_path(photo, tmp_path):
    physad.write_image(tmp_path / "a.png", photo)
    for path in (tmp_path / "a.png", str(tmp_path / "a.png")):
        image = physad.Image(path)
        assert np.array_equal(image.array, photo) and image.path == str(path) and image.info["format"] == "png"
    with pytest.raises(physad.FileError, match="none.png"):
        physad.Image(tmp_path / "none.png")


def test_image_png_of_repr(photo):
    assert np.array_equal(physad.Image.decode(physad.Image(photo)._repr_png_()).array, photo)
    gray = photo[:, :, 0]
    assert np.array_equal(physad.Image.decode(physad.Image(gray)._repr_png_()).array[:, :, 0], gray)


def test_strides_and_orders(photo):
    transform = physad.Transform(32)
    want = transform(photo)
    assert np.array_equal(transform(np.asfortranarray(photo)), want)
    doubled = np.repeat(np.repeat(photo, 2, 0), 2, 1)
    assert np.array_equal(transform(doubled[::2, ::2]), want)
    assert np.array_equal(transform(photo[::-1][::-1]), want)
    mirrored = transform(photo[:, ::-1])
    assert np.array_equal(mirrored, transform(np.ascontiguousarray(photo[:, ::-1])))


def test_nothing_is_copied():
    """What the library allocates does not grow with the photo, and what Python allocates does not either."""
    import tracemalloc
    peaks = []
    for size in (64, 2048):
        context = physad.Context(threads=1)
        transform = physad.Transform(16, resize="nearest", context=context)
        big = np.zeros((size, size, 3), np.uint8)
        out = np.empty((16, 16, 3), np.float32)
        transform(big, out=out)
        tracemalloc.start()
        assert transform(big, out=out) is out
        peaks.append((context.memory_peak, tracemalloc.get_traced_memory()[1]))
        tracemalloc.stop()
    for small, large in zip(*peaks):
        assert large - small < 512 * 1024, peaks  # rows of weights grow with a side, pixels (12 MiB) with its square


def test_features_take_float32_as_it_is(rng):
    peaks = []
    for count in (1, 33):
        context = physad.Context(threads=1)
        features = physad.Features(weights="random:3", size=64, context=context)
        images = rng.standard_normal((count, 64, 64, 3), dtype=np.float32)
        out = np.empty((count, *features.shape), np.float32)
        features(images[:1], out=out[:1])
        before = context.memory_peak
        features(images, out=out)
        peaks.append(context.memory_peak - before)
    assert peaks[1] < 32 * 64 * 64 * 3 * 4, peaks


@pytest.mark.parametrize("dtype", ["float64", "int8", "int32", "uint64", "complex64", ">u2", "M8[s]", "U3"])
def test_wrong_dtype(photo, dtype):
    if dtype == "U3":
        pixels = np.full(photo.shape, "abc")
    elif dtype == "M8[s]":
        pixels = photo.astype(np.int64).astype(dtype)
    else:
        pixels = photo.astype(dtype)
    with pytest.raises((TypeError, ValueError)) as caught:
        physad.Transform(32)(pixels)
    assert str(caught.value)


def test_buffers_of_the_standard_library():
    transform = physad.Transform(8, resize="nearest", normalise="none")
    flat = array.array("B", range(0, 192))
    view = memoryview(flat).cast("B", (8, 8, 3))
    assert np.allclose(transform(view)[0, 0], np.array([0, 1, 2]) / 255)
    with pytest.raises(TypeError, match="Image.decode"):
        transform(b"\xff\xd8")


def test_dlpack_and_tensors(photo):
    torch = pytest.importorskip("torch")
    transform = physad.Transform(32)
    assert np.array_equal(transform(torch.from_numpy(photo)), transform(photo))
    tensor = torch.rand(32, 32, 3, requires_grad=True)
    assert transform(tensor).shape == (32, 32, 3)
    with pytest.raises(TypeError):
        transform(torch.zeros(8, 8, 3, dtype=torch.bfloat16))


def test_pil(photo):
    pil = pytest.importorskip("PIL.Image")
    transform = physad.Transform(32)
    assert np.array_equal(transform(pil.fromarray(photo)), transform(photo))
    assert transform(pil.fromarray(photo).convert("P")).shape == (32, 32, 3)


def test_output_must_be_writable(photo):
    transform = physad.Transform(32)
    out = np.empty((32, 32, 3), np.float32)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        transform(photo, out=out)
    with pytest.raises(physad.ShapeError):
        transform(photo, out=np.empty((32, 31, 3), np.float32))
    with pytest.raises(physad.DtypeError):
        transform(photo, out=np.empty((32, 32, 3), np.float64))


def test_buffers_are_given_back(photo):
    flat = bytearray(32 * 32 * 3)
    pixels = np.frombuffer(flat, np.uint8).reshape(32, 32, 3)
    for _ in range(3):
        physad.Transform(16)(pixels)
        with pytest.raises(physad.ShapeError):
            physad.Transform(16)(pixels.reshape(-1))
    references = sys.getrefcount(pixels)
    for _ in range(100):
        physad.Transform(16)(pixels)
    assert sys.getrefcount(pixels) == references
    del pixels
    flat.append(1)  # a BufferError if anything still held it


def test_tensors(tmp_path, rng):
    arrays = {"a": rng.standard_normal((3, 4), dtype=np.float32), "b": np.arange(5), "c": np.zeros((0, 2), np.float32),
              "d": np.array([True, False])}
    physad.save_tensors(tmp_path / "x.safetensors", arrays, {"key": "Wert äöü"})
    with physad.Tensors(tmp_path / "x.safetensors") as tensors:
        assert set(tensors) == set(arrays) and tensors.metadata["key"] == "Wert äöü"
        kept = tensors["a"]
        for name, want in arrays.items():
            assert tensors[name].dtype == want.dtype and np.array_equal(tensors[name], want)
        with pytest.raises(KeyError):
            tensors["none"]
        with pytest.raises(ValueError):
            kept[0, 0] = 1
    assert np.array_equal(kept, arrays["a"])  # the mapping stays while an array shows it
    with pytest.raises(ValueError, match="closed"):
        len(tensors)
