#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes metrics.json: rank metrics by scikit-learn, AUPRO by a plain sweep over thresholds and by anomalib, beta quantiles by scipy.

Needs scikit-learn, scipy, anomalib, torch.
usage: make_metrics.py > metrics.json
"""
import json
import sys

import numpy as np
import scipy
import scipy.ndimage
import scipy.stats
import sklearn
import torch
from anomalib.metrics.aupro import _AUPRO
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

rng = np.random.default_rng(20240607)
LIMITS = [0.05, 0.3, 1.0]


def f1_max(labels, scores):
    precision, recall, thresholds = precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    best = f1[:-1].max()
    return float(best), float(thresholds[np.flatnonzero(f1[:-1] >= best * (1 - 1e-12))[0]])


def ranked(scores, labels):
    threshold = float(np.median(scores))
    f1, at = f1_max(labels, scores)
    return {"auroc": float(roc_auc_score(labels, scores)), "ap": float(average_precision_score(labels, scores)), "f1_max": f1,
            "f1_threshold": at, "threshold": threshold, "accuracy": float(np.mean((scores > threshold) == labels))}


def score_case(name, scores, labels):
    scores, labels = np.asarray(scores, float), np.asarray(labels, int)
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    return {"name": name, "scores": scores.tolist(), "labels": labels.tolist(), **ranked(scores, labels),
            "fpr": fpr.tolist(), "tpr": tpr.tolist()}


def score_cases():
    yield score_case("smooth", rng.standard_normal(200) + np.repeat([0, 1], 100), np.repeat([0, 1], 100))
    labels = rng.integers(0, 2, 300)
    yield score_case("many ties", np.round(rng.standard_normal(300) + labels, 1), labels)
    yield score_case("all ties", np.full(20, 3.5), [0] * 13 + [1] * 7)
    yield score_case("perfect", np.arange(10), [0] * 6 + [1] * 4)
    yield score_case("worst", -np.arange(10), [0] * 6 + [1] * 4)
    yield score_case("two", [1, 0], [1, 0])
    yield score_case("rare", rng.standard_normal(500) + 2 * (np.arange(500) == 77), np.arange(500) == 77)


def aupro(maps, regions, limit):
    """The mean of the regions' parts found against the false-positive rate, at every distinct score, integrated up to the limit."""
    background = np.concatenate([m[r == 0] for m, r in zip(maps, regions)])
    found = [m[r == k] for m, r in zip(maps, regions) for k in range(1, r.max() + 1)]
    points = [(0.0, 0.0)]
    for t in np.unique(np.concatenate([m.ravel() for m in maps]))[::-1]:
        points.append((float(np.mean(background >= t)), float(np.mean([np.mean(f >= t) for f in found]))))
    area = 0.0
    for (x0, y0), (x1, y1) in zip(points, points[1:]):
        if x1 > limit:
            if x0 < limit:
                area += (limit - x0) * (y0 + y0 + (y1 - y0) * (limit - x0) / (x1 - x0)) / 2
            break
        area += (x1 - x0) * (y0 + y1) / 2
    return area / limit


def pixel_case(name, count, height, width, digits):
    maps, masks = [], []
    for i in range(count):
        mask = np.zeros((height, width), bool)
        for _ in range(i % 4):
            y, x = rng.integers(0, height - 2), rng.integers(0, width - 2)
            mask[y:y + rng.integers(1, 5), x:x + rng.integers(1, 6)] = True
            mask[min(y + 5, height - 1), min(x + 6, width - 1)] = True
        m = (rng.standard_normal(mask.shape) + mask).astype(np.float32)
        maps.append(np.round(m, digits).astype(np.float32))
        masks.append(mask)
    regions = [scipy.ndimage.label(m, np.ones((3, 3)))[0] for m in masks]
    scores, labels = np.concatenate([m.ravel() for m in maps]).astype(float), np.concatenate([m.ravel() for m in masks]).astype(int)
    peer = []
    for limit in LIMITS:
        a = _AUPRO(fpr_limit=limit)
        a.update(torch.from_numpy(np.stack(maps)), torch.from_numpy(np.stack(masks).astype(int)))
        peer.append(float(a.compute()))
    return {"name": name, "height": height, "width": width, "maps": [m.astype(float).ravel().tolist() for m in maps],
            "masks": [m.astype(int).ravel().tolist() for m in masks], "regions": int(sum(r.max() for r in regions)),
            **ranked(scores, labels), "limits": LIMITS, "aupro": [aupro(maps, regions, limit) for limit in LIMITS],
            "anomalib_aupro": peer}


def beta_cases():
    for a, b in [(1, 19), (5, 95), (1, 1), (2, 3), (0.5, 0.5), (50, 951), (1, 2000), (300, 300)]:
        for p in [1e-6, 0.025, 0.5, 0.975, 0.999]:
            yield {"a": a, "b": b, "p": p, "quantile": float(scipy.stats.beta.ppf(p, a, b))}
        for x in [0.001, 0.05, 0.3, 0.7, 0.99]:
            yield {"a": a, "b": b, "x": x, "cdf": float(scipy.stats.beta.cdf(x, a, b))}


json.dump({
    "made_by": "make_metrics.py", "scikit-learn": sklearn.__version__, "scipy": scipy.__version__, "numpy": np.__version__,
    "scores": list(score_cases()),
    "pixels": [pixel_case("fine", 6, 17, 23, 7), pixel_case("ties", 8, 12, 31, 1)],
    "beta": list(beta_cases()),
}, sys.stdout, separators=(",", ":"))
