# SPDX-License-Identifier: Apache-2.0
import math
import pickle

import numpy as np
import pytest

import physad


def auroc(scores, labels):
    """By counting pairs."""
    positive, negative = scores[labels == 1], scores[labels == 0]
    return sum((p > n) + 0.5 * (p == n) for p in positive for n in negative) / (len(positive) * len(negative))


def test_scores(rng):
    scores = rng.integers(0, 20, 200) / 4
    labels = rng.integers(0, 2, 200)
    types = np.where(labels == 1, np.where(rng.integers(0, 2, 200) == 1, "dent", "scratch"), "good")
    metrics = physad.Metrics.of(scores, labels, types=list(types), groups=[f"g{i // 4}" for i in range(200)])
    assert metrics["auroc"].value == pytest.approx(auroc(scores, labels), abs=1e-12)
    assert metrics["auroc"].lower <= metrics["auroc"].value <= metrics["auroc"].upper
    assert set(metrics.types) == {"dent", "scratch"}
    dent = (types == "dent") | (labels == 0)
    assert metrics.types["dent"][0].value == pytest.approx(auroc(scores[dent], labels[dent]), abs=1e-12)
    assert metrics.positives == labels.sum() and metrics.negatives == 200 - labels.sum() and metrics.groups == 50
    assert dict(metrics) and "auroc" in metrics and "nothing" not in metrics
    curve = metrics.curve
    assert curve.shape[1] == 5 and math.isinf(curve[0, 0]) and not curve.flags.writeable
    metrics.close()
    assert curve[-1, 2] == 1.0


def test_parts_merge_to_the_whole(rng):
    scores, labels = rng.standard_normal(300), rng.integers(0, 2, 300)
    whole = physad.Metrics.of(scores, labels, groups=np.arange(300) // 3)
    parts = physad.Scores()
    for i in (2, 0, 1):
        part = physad.Scores()
        part.extend(scores[i * 100:(i + 1) * 100], labels[i * 100:(i + 1) * 100], groups=(np.arange(300) // 3)[i * 100:(i + 1) * 100])
        parts.merge(part)
    measured = parts.measure()
    # The third group of a hundred begins inside a group of three: the same number is the same group.
    assert measured["auroc"][:3] == whole["auroc"][:3]


def test_undefined_is_nan_with_a_reason():
    metrics = physad.Metrics.of([1.0, 2.0], [0, 0])
    assert math.isnan(metrics["auroc"].value) and metrics["auroc"].reason


def test_pixels(rng):
    maps = [rng.random((20, 30), dtype=np.float32) for _ in range(3)]
    masks = [np.zeros((20, 30), bool) for _ in range(3)]
    masks[1][3:8, 4:9] = True
    maps[1][3:8, 4:9] += 0.5
    metrics = physad.Metrics.of_maps(maps, masks, limits=[0.3])
    flat, truth = np.concatenate([m.ravel() for m in maps]), np.concatenate([m.ravel() for m in masks]).astype(int)
    assert metrics["auroc"].value == pytest.approx(auroc(flat, truth), abs=1e-12)
    assert metrics.regions == 1 and "aupro@0.3" in metrics and "aupro@0.05" not in metrics
    with pytest.raises(physad.DtypeError):
        physad.Pixels().add(maps[0].astype(np.float64))
    with pytest.raises(physad.NumericError, match="NaN|nan"):
        physad.Pixels().add(np.full((2, 2), np.nan, np.float32))
    with pytest.raises(ArithmeticError):
        physad.Pixels().add(np.full((2, 2), np.nan, np.float32))


def test_type_scores():
    scores = physad.Scores()
    scores.add(1.0, 1, type="a", type_scores={"a": 0.9, "b": 0.1})
    scores.add(1.0, 1, type="b", type_scores={"a": 0.2, "b": 0.8})
    scores.add(0.0, 0, type_scores={"a": 0.0, "b": 0.0})
    assert scores.measure().types["a"][1].value == 1.0
    with pytest.raises(TypeError):
        scores.add(1.0, 1, type_scores={"a": "x"})
    with pytest.raises(TypeError):
        scores.add(1.0, 1, type_scores=[1])
    assert len(scores) == 3


def test_compare(rng):
    labels, groups = rng.integers(0, 2, 80), [f"g{i}" for i in range(80)]
    first, second = physad.Scores(), physad.Scores()
    first.extend(labels + rng.random(80), labels, groups=groups)
    second.extend(rng.random(80), labels, groups=groups)
    difference = first.compare(second)
    assert difference.lower <= difference.value <= difference.upper and difference.value > 0


def test_conformal(rng):
    scores = rng.random(99)
    found = physad.conformal(scores, 0.05)
    assert found.threshold == np.sort(scores)[math.ceil(100 * 0.95) - 1] and found.count == 99
    assert physad.conformal_needed(0.05) == 19
    with pytest.raises(physad.NumericError, match="19"):
        physad.conformal(scores[:5], 0.05)
    assert physad.conformal_p_value(scores, 2.0) == 1 / 100


def test_lists_and_wrong_lengths():
    with pytest.raises(ValueError):
        physad.Metrics.of([1, 2, 3], [0, 1])
    with pytest.raises(ValueError):
        physad.Metrics.of([1, 2, 3], [0, 1, 1], types=["a"])
    with pytest.raises(TypeError):
        physad.Metrics.of([1, 2], [0.5, 1])
    with pytest.raises(ValueError):
        physad.Metrics.of([1, 2], [0, 2])


def test_accumulators_pickle(rng):
    scores, pixels = physad.Scores(), physad.Pixels()
    scores.extend([0.25, 0.5, 0.75], [0, 1, 1], types=["good", "a", "b"], groups=["x", "y", "z"])
    mask = np.zeros((9, 9), bool)
    mask[2:4, 2:4] = True
    pixels.add(rng.random((9, 9), dtype=np.float32), mask, group="p")
    for thing in (scores, pixels):
        again = pickle.loads(pickle.dumps(thing))
        assert len(again) == len(thing)
        assert again.measure()["auroc"].value == thing.measure()["auroc"].value
    assert set(pickle.loads(pickle.dumps(scores)).measure().types) == {"a", "b"}
