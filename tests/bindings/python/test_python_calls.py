# SPDX-License-Identifier: Apache-2.0
"""The table of bad calls: each ends in an exception that is a physad.Error and the built-in one of its kind, or a plain TypeError or
ValueError of Python's own, with words that help."""
import numpy as np
import pytest

import physad

ZERO = np.zeros((8, 8, 3), np.uint8)
FLOAT = np.zeros((1, 32, 32, 3), np.float32)


def bank(n=4):
    return physad.Bank(2).add(np.arange(2 * n, dtype=np.float32).reshape(n, 2))


def scores():
    s = physad.Scores()
    s.extend([0.0, 1.0], [0, 1])
    return s


CASES = [
    # what, call, kinds, words
    ("no such file", lambda t: physad.Image.read(t / "none.png"), (physad.FileError, OSError), "none.png"),
    ("a folder as a photo", lambda t: physad.Image.read(t), (physad.Error,), ""),
    ("no photo", lambda t: physad.Image.read(__file__), (physad.FormatError, ValueError), ""),
    ("bytes that are no photo", lambda t: physad.Image.decode(b"abc"), (physad.FormatError,), ""),
    ("no bytes", lambda t: physad.Image.decode(b""), (physad.Error,), ""),
    ("text as bytes", lambda t: physad.Image.decode("abc"), (TypeError,), ""),
    ("NUL in a path", lambda t: physad.Image.read("a\0b"), (ValueError,), "null"),
    ("number as a path", lambda t: physad.Image.read(3), (TypeError,), "want text"),
    ("None as a path", lambda t: physad.Image.read(None), (physad.ArgumentError,), ""),
    ("channels", lambda t: physad.Image.read(t / "a.png", channels="rbg"), (ValueError,), "'rgb'"),
    ("page", lambda t: physad.Image.read(t / "a.png", page=2 ** 40), (ValueError,), "page"),
    ("float page", lambda t: physad.Image.read(t / "a.png", page=1.5), (TypeError,), "integer"),
    ("suffix", lambda t: physad.write_image(t / "a.xyz", ZERO), (physad.ArgumentError, ValueError), "xyz"),
    ("seven dimensions", lambda t: physad.write_image(t / "a.png", np.zeros((1,) * 7, np.uint8)), (physad.ShapeError,), "7"),
    ("float as png", lambda t: physad.write_image(t / "a.png", np.zeros((4, 4))), (physad.DtypeError, TypeError), ""),
    ("image of one number", lambda t: physad.Image(np.float32(3)), (ValueError,), "shape"),
    ("threads", lambda t: physad.Context(threads=-5), (physad.ArgumentError,), "threads"),
    ("many threads", lambda t: physad.Context(threads=2 ** 33), (ValueError,), "threads"),
    ("seed", lambda t: physad.Context(seed=-1), (ValueError,), "seed"),
    ("text as seed", lambda t: physad.Context(seed="x"), (TypeError,), "seed"),
    ("unknown option", lambda t: physad.Context(thread=1), (TypeError,), "thread"),
    ("no context", lambda t: physad.Transform(8, context=3), (TypeError,), "Context"),
    ("no such data set", lambda t: physad.Dataset(t / "none"), (physad.FileError, OSError), "none"),
    ("empty folder", lambda t: physad.Dataset(t), (physad.Error,), ""),
    ("layout", lambda t: physad.Dataset(t, format="mvtek"), (physad.ArgumentError,), "mvtec"),
    ("holdout", lambda t: physad.Dataset(t, holdout="x"), (TypeError,), ""),
    ("no files", lambda t: physad.Dataset.from_files([]), (physad.ArgumentError,), ""),
    ("one text as files", lambda t: physad.Dataset.from_files("abc"), (TypeError,), "one path"),
    ("files of numbers", lambda t: physad.Dataset.from_files([1, 2]), (TypeError,), ""),
    ("label", lambda t: physad.Dataset.from_arrays([ZERO], labels=[7]), (physad.ArgumentError,), "label"),
    ("photo of another type", lambda t: physad.Dataset.from_arrays([ZERO.astype(np.int32)]), (physad.DtypeError,), ""),
    ("photo of five channels", lambda t: physad.Dataset.from_arrays([np.zeros((4, 4, 5), np.uint8)]), (physad.ShapeError,), ""),
    ("mask of another type", lambda t: physad.Dataset.from_arrays([ZERO], labels=[1], masks=[np.zeros((8, 8))]), (physad.DtypeError,), ""),
    ("category", lambda t: physad.Dataset.from_arrays([ZERO]).select("x"), (physad.ArgumentError,), "x"),
    ("split", lambda t: physad.Dataset.from_arrays([ZERO]).select(split="tests"), (ValueError,), "train"),
    ("fraction", lambda t: physad.Dataset.from_arrays([ZERO] * 3).split(2.0), (physad.ArgumentError,), ""),
    ("one group to split", lambda t: physad.Dataset.from_arrays([ZERO]).split(0.5), (physad.StateError, RuntimeError), ""),
    ("size 0", lambda t: physad.Transform(-4), (physad.ArgumentError,), ""),
    ("filter", lambda t: physad.Transform(8, resize="lanczos"), (ValueError,), "bicubic"),
    ("mean of two", lambda t: physad.Transform(8, mean=[1, 2], std=[1, 1, 1]), (ValueError,), "mean"),
    ("mean of texts", lambda t: physad.Transform(8, mean=["a", "b", "c"], std=[1, 1, 1]), (TypeError,), ""),
    ("std of zero", lambda t: physad.Transform(8, mean=[0, 0, 0], std=[0, 0, 0]), (physad.ArgumentError,), "std"),
    ("region juts out", lambda t: physad.Transform(8, roi=(0, 0, 99, 99))(ZERO), (physad.ArgumentError,), ""),
    ("map of float64", lambda t: physad.Transform(8).map_back(np.zeros((2, 2)), (8, 8)), (physad.DtypeError,), "copy=True"),
    ("position of texts", lambda t: physad.Transform(8).to_model(ZERO, "a", 1), (ValueError,), ""),
    ("backbone", lambda t: physad.Features("resnet81"), (physad.ArgumentError,), "resnet"),
    ("layer", lambda t: physad.Features("resnet18", weights="random:1", layers="layer9"), (physad.ArgumentError,), "layer9"),
    ("weights", lambda t: physad.Features(weights=t / "w.pth"), (physad.FileError, OSError), "w.pth"),
    ("precision", lambda t: physad.Features(weights="random:1", precision="f16"), (ValueError,), "bf16"),
    ("photos of the wrong size", lambda t: physad.Features(weights="random:1", size=64)(FLOAT), (physad.ShapeError,), ""),
    ("photos of bytes", lambda t: physad.Features(weights="random:1", size=32)(FLOAT.astype(np.uint8)), (physad.DtypeError,), "float32"),
    ("NaN score", lambda t: physad.Scores().add(float("nan"), 1), (physad.NumericError, ArithmeticError), ""),
    ("label 2", lambda t: physad.Scores().add(1.0, 2), (physad.ArgumentError,), "label"),
    ("text as score", lambda t: physad.Scores().add("x", 1), (ValueError,), ""),
    ("lengths", lambda t: physad.Metrics.of([1.0], [0, 1]), (ValueError,), ""),
    ("matrix of scores", lambda t: physad.Metrics.of(np.zeros((2, 2)), [0, 1]), (ValueError,), ""),
    ("replicates", lambda t: scores().measure(replicates=-7), (physad.ArgumentError,), "replicates"),
    ("level", lambda t: scores().measure(level=3.0), (physad.ArgumentError,), "level"),
    ("merge with another kind", lambda t: scores().merge(physad.Pixels()), (TypeError,), "Scores"),
    ("merge with itself", lambda t: (lambda s: s.merge(s))(scores()), (ValueError,), "itself"),
    ("mask of another size", lambda t: physad.Pixels().add(np.zeros((4, 4), np.float32), np.zeros((4, 5), bool)), (physad.ShapeError,), ""),
    ("limits", lambda t: physad.Pixels().measure(limits=[2.0]), (physad.ArgumentError,), ""),
    ("many limits", lambda t: physad.Pixels().measure(limits=[0.1] * 5), (ValueError,), "at most 4"),
    ("metric", lambda t: scores().measure()["aucor"], (KeyError,), "aucor"),
    ("alpha", lambda t: physad.conformal([1.0] * 50, 2.0), (physad.ArgumentError,), "alpha"),
    ("few normals", lambda t: physad.conformal([1.0] * 5, 0.05), (physad.NumericError,), "19"),
    ("rows of another size", lambda t: bank().add(np.zeros((2, 3), np.float32)), (physad.ShapeError, ValueError), ""),
    ("rows of float64", lambda t: bank().add(np.zeros((2, 2))), (physad.DtypeError,), "copy=True"),
    ("rows with NaN", lambda t: bank().add(np.full((2, 2), np.nan, np.float32)), (physad.NumericError,), ""),
    ("dim 0", lambda t: physad.Bank(0), (physad.ArgumentError,), "dim"),
    ("k 0", lambda t: bank().search(np.zeros((1, 2), np.float32), 0), (physad.ArgumentError,), ""),
    ("k 2**40", lambda t: bank().search(np.zeros((0, 2), np.float32), 2 ** 40), (OverflowError,), ""),
    ("empty bank", lambda t: physad.Bank(2).search(np.zeros((1, 2), np.float32)), (physad.StateError,), ""),
    ("ratio", lambda t: bank().coreset(3.0), (physad.ArgumentError,), "ratio"),
    ("count", lambda t: bank().coreset(count=99), (physad.ArgumentError,), ""),
    ("projection", lambda t: bank().coreset(projection="dense"), (ValueError,), "sparse"),
    ("rows to select", lambda t: bank().select([9]), (physad.ArgumentError,), ""),
    ("method", lambda t: physad.Detector("patchcor"), (physad.ArgumentError, ValueError), "patchcore"),
    ("option", lambda t: physad.Detector("patchcore", coreset_ration=0.1), (physad.ArgumentError,), "coreset_ratio"),
    ("value of an option", lambda t: physad.Detector("patchcore", coreset_ratio=7), (physad.ArgumentError,), "coreset_ratio"),
    ("text for a number", lambda t: physad.Detector("patchcore", coreset_ratio="much"), (physad.ArgumentError,), "coreset_ratio"),
    ("not fitted", lambda t: physad.Detector().score(ZERO), (physad.StateError, RuntimeError), "fit"),
    ("save unfitted", lambda t: physad.Detector().save(t / "m"), (physad.StateError,), ""),
    ("load nothing", lambda t: physad.load(t / "m"), (physad.FileError, OSError), ""),
    ("load a script", lambda t: physad.load(__file__), (physad.FormatError,), ""),
    ("threshold of nothing", lambda t: physad.Detector().threshold, (physad.StateError,), ""),
    ("fit on nothing", lambda t: physad.Detector().fit([]), (physad.ArgumentError,), ""),
    ("fit on a number", lambda t: physad.Detector().fit(3), (TypeError,), ""),
    ("fit on one array of two dimensions", lambda t: physad.Detector().fit(np.zeros((4, 4))), (ValueError,), "N, H, W, C"),
    ("describe a method", lambda t: physad.method("padin"), (physad.ArgumentError,), "padim"),
    ("tensors of text", lambda t: physad.Tensors(__file__), (physad.Error,), ""),
    ("save texts", lambda t: physad.save_tensors(t / "x", {"a": np.array(["x"])}), (physad.DtypeError,), ""),
    ("object to draw", lambda t: physad.synth_rad(t / "s", categories="bowel"), (physad.ArgumentError,), "bowl"),
    ("knob", lambda t: physad.synth_rad(t / "s", train_view=3), (TypeError,), "train_views"),
    ("folder that is not empty", lambda t: physad.synth_rad(t), (physad.ArgumentError,), ""),
    ("weights name", lambda t: physad.find_weights("efficientnet-lite9", t), (physad.Error,), ""),
]


@pytest.mark.parametrize("what, call, kinds, words", CASES, ids=[case[0] for case in CASES])
def test_bad_call(what, call, kinds, words, tmp_path):
    (tmp_path / "something").write_text("not empty")
    physad.write_image(tmp_path / "a.png", ZERO) if what in ("page", "float page", "channels") else None
    with pytest.raises(Exception) as caught:
        call(tmp_path)
    error = caught.value
    for kind in kinds:
        assert isinstance(error, kind), (type(error), str(error))
    assert str(error).strip() and words.lower() in str(error).lower(), str(error)
    if isinstance(error, physad.Error):
        assert error.status.startswith("PHYSAD_ERR_")
    if what == "no such data set":
        assert not isinstance(error, MemoryError)


def test_there_are_enough():
    assert len(CASES) >= 60 and len({case[0] for case in CASES}) == len(CASES)
