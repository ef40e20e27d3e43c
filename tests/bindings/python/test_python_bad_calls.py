# SPDX-License-Identifier: Apache-2.0
"""The table of bad calls, tests/golden/bad_calls.jsonl, as the C tests read it: each ends in the exception of its status, with exactly
the message that C gives. Handles are those of tests/unit/bad_calls.h."""
import json
import os
import pathlib

import numpy as np
import pytest

import physad
from physad import _errors
from physad._native import lib

SOURCE = pathlib.Path(os.environ.get("PHYSAD_SOURCE", pathlib.Path(__file__).resolve().parents[3]))
LINES = [json.loads(line) for line in (SOURCE / "tests/golden/bad_calls.jsonl").read_text().splitlines()]
PLANS = json.loads((SOURCE / "tests/bindings/bad_calls.json").read_text())
DTYPES = {"u8": np.uint8, "bool": np.bool_, "i32": np.int32, "i64": np.int64, "f32": np.float32, "f64": np.float64}
STATUSES = {kind.status: kind for kind in _errors._CLASSES[1:]}


def detector(context):
    made = lib.detector_new(context, "patchcore")
    lib.detector_set(made, "weights", "random:1")
    lib.detector_set(made, "input", "64")
    return made


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    context = lib.context_new(None)
    w = {"context": context, "dataset": lib.dataset_new(context), "empty_dataset": lib.dataset_new(context),
         "transform": lib.transform_new(context, {"height": 32, "width": 32}),
         "features": lib.features_new(context, {"weights": "random:1", "height": 64, "width": 64}),
         "bank": lib.bank_new(context, 2, None), "empty_bank": lib.bank_new(context, 2, None), "detector": detector(context),
         "fitted": detector(context), "scores": lib.scores_new(context), "pixels": lib.pixels_new(context),
         "tensors": lib.tensors_new(context)}
    rng = np.random.default_rng(7)
    photos = rng.integers(0, 256, (6, 64, 64, 3), dtype=np.uint8)
    for i, photo in enumerate(photos):
        lib.dataset_add(w["dataset"], {"photo": photo, "name": f"n{i}.png", "flags": 1})
    lib.bank_add(w["bank"], np.arange(8, dtype=np.float32).reshape(4, 2), None, None)
    lib.detector_fit(w["fitted"], w["dataset"], None)
    w["result"] = lib.detector_score(w["fitted"], photos[0])
    for label in (0, 1):
        lib.scores_add(w["scores"], label, label, None, None)
    w["metrics"] = lib.scores_measure(w["scores"], None, None)
    folder = tmp_path_factory.mktemp("bad")
    (folder / "empty").mkdir()
    (folder / "text.txt").write_text("no photo, no model\n")
    for name in ("images", "tensors"):
        (folder / name).symlink_to(SOURCE / "tests/golden" / name)
    w["folder"] = folder
    return w


def value(given):
    """What JSON says as Python has it."""
    if isinstance(given, dict) and "dtype" in given:
        array = np.zeros(given["shape"], DTYPES[given["dtype"]])
        if "data" in given:
            array.reshape(-1)[:] = [float(x) if isinstance(x, str) else x for x in given["data"]]
        return array
    if isinstance(given, dict):
        return {key: value(part) for key, part in given.items()}
    return given


def make(world, line):
    name = line["call"].removeprefix("physad_")
    args = [value(given) for given in line["args"]]
    if name == "detector_fit":  # one of its own, with options that only a fit can judge
        on = detector(world["context"])
        for key, text in args[1].items():
            lib.detector_set(on, key, text)
        return lib.detector_fit(on, world[args[0]], None)
    if name == "dataset_subset":
        args[0] = args[0].tolist()
    elif name == "image_read_memory":
        args[0] = args[0].encode()
    elif name == "detector_set_threshold":
        args[0] = float(args[0])
    elif name == "scores_add":
        args[0] = float(args[0])
    plan = PLANS.get(name, ["on", *range(len(args))])
    given = [args[step] if isinstance(step, int) else step and world[line["on"] if step == "on" else step] for step in plan]
    return getattr(lib, name)(*given)


@pytest.mark.parametrize("line", LINES, ids=[line["id"] for line in LINES])
def test_bad_call_ends_as_in_c(world, line, monkeypatch):
    monkeypatch.chdir(world["folder"])
    with pytest.raises(physad.Error) as caught:
        make(world, line)
    assert type(caught.value) is STATUSES[line["status"]] and str(caught.value) == line["message"]


def test_the_table_is_whole():
    assert len(LINES) >= 60 and not set(PLANS) - {line["call"].removeprefix("physad_") for line in LINES} - {"what"}
