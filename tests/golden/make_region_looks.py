#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The looks of a map's regions, anew with numpy and scipy; the linear model of the kinds of defect; the golden of the tests.

    physad synth rad RAD --train-views 2 --test-views 2 --instances 6 --instance-views 2 --seed 3
    make_region_looks.py RAD     writes lib/detect/detect_region_table.h and tests/golden/region_looks.json
    make_region_looks.py         writes the golden alone

The regions are the sets' masks, blurred as a network's cells blur them, above half their peak. Prints how many kinds are told on
objects that the model was not fitted on."""
import json
import pathlib
import sys

import numpy as np
from scipy import ndimage as nd

KINDS = {"missing": 0, "scratched": 1, "stained": 2, "squeezed": 3}
ROOT = pathlib.Path(__file__).resolve().parents[2]


def box_sum(a, radius):
    """Sum over a box of the window, of what lies in it."""
    return nd.uniform_filter(a.astype(float), 2 * radius + 1, mode="constant") * (2 * radius + 1) ** 2


def axes(region):
    y, x = np.nonzero(region)
    c = np.cov(np.stack([y, x]).astype(float), bias=True) + np.eye(2) / 12
    small, large = np.linalg.eigvalsh(c)
    return 4 * np.sqrt(large), 4 * np.sqrt(max(small, 0))


def look(rgb, region):
    """rgb: H x W x 3 of 0..1; region: H x W bool, the only one."""
    n = region.sum()
    radius = int(min(max(int(np.sqrt(n) / 2), 4), 64))
    ys, xs = np.nonzero(region)
    y0, x0 = max(ys.min() - radius, 0), max(xs.min() - radius, 0)
    y1, x1 = min(ys.max() + 1 + radius, region.shape[0]), min(xs.max() + 1 + radius, region.shape[1])
    grey = rgb.mean(2)
    padded = np.pad(grey, 1, mode="edge")
    gradient = np.hypot(padded[2:, 1:-1] - padded[:-2, 1:-1], padded[1:-1, 2:] - padded[1:-1, :-2])[y0:y1, x0:x1] / 2
    colour = np.stack([grey, rgb[..., 0] - rgb[..., 1], (rgb[..., 0] + rgb[..., 1]) / 2 - rgb[..., 2]], 2)[y0:y1, x0:x1]
    inside = region[y0:y1, x0:x1]
    ring = (box_sum(inside, radius) > 0.5) & (box_sum(inside, 1) < 0.5)
    if ring.sum() < 8:
        return None
    fine = np.abs(colour[..., 0] - box_sum(colour[..., 0], radius // 2) / box_sum(np.ones(inside.shape), radius // 2))
    mean, spread = colour[ring].mean(0), colour[ring].std(0)
    z = np.sqrt((((colour - mean) / np.maximum(spread, 0.03)) ** 2).mean(2))
    foreign = (z > 1.75) & inside
    pieces, count = nd.label(foreign, np.ones((3, 3)))
    elongation = places = 0
    if count:
        sizes = nd.sum(foreign, pieces, range(1, count + 1))
        length, width = axes(pieces == 1 + np.argmax(sizes))
        elongation, places = np.log(length / width), sizes.max()
    step = colour[inside].mean(0) - mean
    length, width = axes(inside)
    ratio = lambda a, b: np.log((a + 0.01) / (b + 0.01))
    sharp = np.sort(gradient[inside])[(n - 1) * 19 // 20]
    return [np.log(length / width), elongation, places / n, foreign.sum() / n, step[0], abs(step[0]), np.hypot(step[1], step[2]),
            ratio(gradient[inside].mean(), gradient[ring].mean()), ratio(fine[inside].mean(), fine[ring].mean()),
            ratio(colour[inside].std(0).mean(), spread.mean()), np.log(sharp + 0.01), np.log(z[inside].mean() + 0.01)]


# --- the golden: pictures by a formula that the test has too ---

def picture(index, side=48):
    y, x = np.mgrid[0:side, 0:side]
    rgb = np.stack([90 + (7 * x + 13 * y + 29 * c) % 31 for c in range(3)], 2)
    d = [(x - 24) ** 2 + (y - 22) ** 2, 64 * (y - 20) ** 2 + (x - 25) ** 2, (x - 20) ** 2 + 4 * (y - 27) ** 2 + 2 * (x - 20) * (y - 27)][index]
    changed = d < [40, 150, 60][index]
    rgb[changed] += np.array([[60, 60, 60], [-50, -40, -45], [40, -20, 10]][index])
    if index == 1:
        d = 8 * (y - 20) ** 2 + (x - 25) ** 2  # maps are wider than lines
    return rgb.astype(np.uint8), (1 / (1 + d.astype(np.float64) / [57.3, 190.7, 90.1][index])).astype(np.float32)


def golden():
    out = []
    for index in range(3):
        rgb, score = picture(index)
        out.append(look(rgb / 255, score > 0.5))
    (ROOT / "tests/golden/region_looks.json").write_text(json.dumps(out, indent=1) + "\n")


# --- the model ---

def examples(folder):
    from PIL import Image
    for name, kind in KINDS.items():
        for photo in sorted(folder.glob(f"*/test/{name}/*")):
            truth = photo.parents[2] / "ground_truth" / name / f"{photo.stem}_mask.png"
            rgb = np.asarray(Image.open(photo).convert("RGB")) / 255
            mask = np.asarray(Image.open(truth).convert("L")) > 0
            if mask.sum() < 12:
                continue
            for blur in (1, 4, 9):
                soft = nd.gaussian_filter(mask.astype(float), blur)
                found = look(rgb, soft > soft.max() / 2)
                if found is not None:
                    yield photo.parents[2].name, kind, found


def fit(folder):
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import confusion_matrix, roc_auc_score
    from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    groups, kinds, looks = zip(*examples(folder))
    kinds, looks = np.array(kinds), np.array(looks)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=1000))
    told = cross_val_predict(model, looks, kinds, groups=groups, cv=LeaveOneGroupOut(), method="predict_proba")
    print(f"{len(kinds)} regions; told on objects left out: {(told.argmax(1) == kinds).mean():.3f}")
    print("AUROC of each kind against the rest:", [round(roc_auc_score(kinds == k, told[:, k]), 3) for k in range(4)])
    print(confusion_matrix(kinds, told.argmax(1)))
    model.fit(looks, kinds)
    scale, line = model[0], model[1]
    row = lambda values: "{ " + ", ".join(f"{v:.4f}" for v in values) + " }"
    text = ("/* SPDX-License-Identifier: Apache-2.0 */\n/* The linear model of the kinds of defect; made by tests/golden/make_region_looks.py. */\n"
            "#ifndef PHYSAD__DETECT_REGION_TABLE_H\n#define PHYSAD__DETECT_REGION_TABLE_H\n\n"
            f"static const double LOOK_MEAN[PHYSAD__LOOKS] = {row(scale.mean_)};\n"
            f"static const double LOOK_SPREAD[PHYSAD__LOOKS] = {row(scale.scale_)};\n"
            f"static const double LOOK_BIAS[PHYSAD_DEFECTS] = {row(line.intercept_)};\n"
            "static const double LOOK_WEIGHT[PHYSAD_DEFECTS][PHYSAD__LOOKS] = {\n"
            + "".join(f"    {row(w)},\n" for w in line.coef_) + "};\n\n#endif\n")
    (ROOT / "lib/detect/detect_region_table.h").write_text(text)


if __name__ == "__main__":
    golden()
    if len(sys.argv) > 1:
        fit(pathlib.Path(sys.argv[1]))
