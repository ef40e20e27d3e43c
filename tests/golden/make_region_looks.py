#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The looks of a map's regions, anew with numpy and scipy; the linear model of the kinds of defect; the golden of the tests.

    physad synth rad RAD --train-views 2 --test-views 2 --instances 6 --instance-views 2 --seed 3
    make_region_looks.py RAD            writes lib/detect/detect_region_table.h and the goldens
    physad synth rad RAD2 --train-views 2 --test-views 68 --instances 4 --instance-views 2 --size 192 --seed 3 --noise 0 --exposure 0
    make_region_looks.py --beside RAD2  writes lib/detect/detect_region_beside_table.h and the goldens
    make_region_looks.py                writes the goldens alone: tests/golden/region_looks.json, region_beside.json

The regions are the sets' masks, blurred as a network's cells blur them, above half their peak. Beside a reference, which is the same
view of the whole object, made as far off as a picture of a scene is (other light, softer, moved by a pixel, with noise), they are also
parts of these, as maps peak somewhere and fall. Prints how many kinds are told on objects that the model was not fitted on."""
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


# --- beside a reference ---

def opponents(rgb):
    return np.stack([rgb.mean(2), rgb[..., 0] - rgb[..., 1], (rgb[..., 0] + rgb[..., 1]) / 2 - rgb[..., 2]])


def in_light_of(planes, photo):
    """Gain and offset of each, by reweighted least squares."""
    out = np.empty_like(planes)
    for c in range(3):
        gain, offset, p, q = 1.0, 0.0, planes[c], photo[c]
        for wide in (0.16, 0.01, 0.01):
            w = (wide / (wide + (gain * p + offset - q) ** 2)) ** 2
            n, x, y = w.sum(), (w * p).sum(), (w * q).sum()
            spread, both, prior = (w * p * p).sum() - x * x / n, (w * p * q).sum() - x * y / n, 1e-3 * n
            gain = min(max((both + prior) / (spread + prior), 0.6), 1.7)
            offset = (y - gain * x) / n
        out[c] = gain * p + offset
    return out


def box_mean(a, radius):
    return box_sum(a, radius) / box_sum(np.ones(a.shape), radius)


def beside(rgb, should, region):
    """As look(), of what differs from `should`, which has the photo's size."""
    photo = opponents(rgb)
    should = in_light_of(opponents(should), photo)
    n, (height, width) = region.sum(), region.shape
    radius = int(min(max(int(np.sqrt(n) / 2), 4), 64))
    ys, xs = np.nonzero(region)
    y0, x0 = max(ys.min() - radius, 0), max(xs.min() - radius, 0)
    y1, x1 = min(ys.max() + 1 + radius, height), min(xs.max() + 1 + radius, width)
    inside = region[y0:y1, x0:x1]
    ring = (box_sum(inside, radius) > 0.5) & (box_sum(inside, 1) < 0.5)
    if ring.sum() < 8:
        return None
    q, r = photo[:, y0:y1, x0:x1], should[:, y0:y1, x0:x1]
    d = q - r
    mean, spread = d[:, ring].mean(1)[:, None, None], d[:, ring].std(1)[:, None, None]
    z = np.sqrt((((d - mean) / np.maximum(spread, 0.03)) ** 2).mean(0))
    foreign = (z > 1.75) & inside
    pieces, count = nd.label(foreign, np.ones((3, 3)))
    places = nd.sum(foreign, pieces, range(1, count + 1)).max() if count else 0
    # what colour leaves
    before, after = ((d - mean)[:, inside] ** 2).sum(), 0
    for c in range(3):
        u, v = r[c][inside] - r[c][inside].mean(), q[c][inside] - q[c][inside].mean()
        gain = ((u * v).sum() + 1e-3 * n) / ((u * u).sum() + 1e-3 * n)
        after += ((v - gain * u) ** 2).sum()
    # what shifts leave
    shift, block = min(max(radius // 2, 2), 6), min(max(radius // 4, 1), 4)
    yy, xx = np.mgrid[y0:y1, x0:x1]
    plain = box_mean(((q - r) ** 2).sum(0), block)
    best, moved = plain.copy(), np.zeros(plain.shape)
    for dy in range(-shift, shift + 1):
        for dx in range(-shift, shift + 1):
            there = should[:, np.clip(yy + dy, 0, height - 1), np.clip(xx + dx, 0, width - 1)]
            cost = box_mean(((q - there) ** 2).sum(0), block) + 2e-5 * (dy * dy + dx * dx)
            moved = np.where(cost < best, np.hypot(dy, dx), moved)
            best = np.minimum(cost, best)
    left = lambda part: np.log((best[part].mean() + 1e-3) / (plain[part].mean() + 1e-3))
    # structure
    ratio = lambda a, b: np.log((a + 0.01) / (b + 0.01))
    slope = lambda l: np.hypot(l[2:, 1:-1] - l[:-2, 1:-1], l[1:-1, 2:] - l[1:-1, :-2])[y0:y1, x0:x1][inside].mean() / 2
    fq, fr = ((a - box_mean(a, radius // 2))[inside] for a in (q[0], r[0]))
    length, wide = axes(inside)
    return [np.log(length / wide), places / n, foreign.sum() / n, abs(d[0][inside].mean() - mean[0, 0, 0]),
            ratio(*(slope(np.pad(a[0], 1, mode="edge")) for a in (photo, should))), ratio(np.abs(fq).mean(), np.abs(fr).mean()),
            np.log(z[inside].mean() + 0.01), (fq * fr).sum() / np.sqrt(((fq**2).sum() + 1e-4 * n) * ((fr**2).sum() + 1e-4 * n)),
            left(inside) - left(ring), np.log((after / n + 1e-3) / (before / n + 1e-3)), (moved[inside].mean() - moved[ring].mean()) / shift]


def smooth_noise(rng, shape, sigma, strength):
    noise = nd.gaussian_filter(rng.normal(size=shape), sigma)
    return noise / noise.std() * strength


def as_a_scene(rgb, rng):
    """A photo as far off as a picture of a scene is."""
    shape, off = rgb.shape[:2], rng.uniform(0, 1)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    y, x = (a + smooth_noise(rng, shape, 12, off / 2) + rng.normal() * off / 2 for a in (y, x))
    soft = nd.gaussian_filter(rgb, (*[rng.uniform(0.2, 1)] * 2, 0))
    out = np.stack([nd.map_coordinates(soft[..., c], [y, x], order=1, mode="nearest") for c in range(3)], 2)
    out += smooth_noise(rng, shape, 1.5, rng.uniform(0, 0.02))[..., None]
    return np.clip(out * np.exp(rng.normal() * 0.05), 0, 1)


def parts(mask, rng):
    y, x = np.mgrid[0 : mask.shape[0], 0 : mask.shape[1]]
    for blur in (1, 2.5, 5):
        soft = nd.gaussian_filter(mask.astype(float), blur)
        yield soft > soft.max() / 2
        ys, xs = np.nonzero(mask)
        k, wide = rng.integers(len(ys)), max(np.sqrt(mask.sum()) * rng.uniform(0.5, 1.2), 3)
        fall = soft * np.exp(-((y - ys[k]) ** 2 + (x - xs[k]) ** 2) / (2 * wide * wide))
        yield fall > fall.max() / 2


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
    out = []
    for index in range(3):
        rgb, score = picture(index)
        y, x = np.mgrid[0:48, 0:48]
        should = np.stack([80 + (7 * x + 13 * y + 29 * c + 3) % 31 for c in range(3)], 2)
        out.append(beside(rgb / 255, should / 255, score > 0.5))
    (ROOT / "tests/golden/region_beside.json").write_text(json.dumps(out, indent=1) + "\n")


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


def examples_beside(folder):
    from PIL import Image
    for name, kind in KINDS.items():
        for photo in sorted(folder.glob(f"*/test/{name}/*")):
            root = photo.parents[2]
            truth, whole = root / "ground_truth" / name / f"{photo.stem}_mask.png", root / "test/good" / f"{photo.stem.split('_')[1]}.png"
            mask = np.asarray(Image.open(truth).convert("L")) > 0
            if mask.sum() < 12:
                continue
            rng = np.random.default_rng(list(str(photo.relative_to(folder)).encode()))
            rgb, should = (np.asarray(Image.open(p).convert("RGB")) / 255 for p in (photo, whole))
            rgb = np.clip(rgb * np.exp(rng.normal() * 0.03) + rng.normal(size=rgb.shape) * 0.01, 0, 1)
            should = as_a_scene(should, rng)
            for region in parts(mask, rng):
                found = beside(rgb, should, region)
                if found is not None:
                    yield root.name, kind, found


def fit(found, file, name, count):
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score, confusion_matrix, roc_auc_score
    from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    groups, kinds, looks = zip(*found)
    kinds, looks = np.array(kinds), np.array(looks)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=1000))
    told = cross_val_predict(model, looks, kinds, groups=groups, cv=LeaveOneGroupOut(), method="predict_proba")
    print(f"{len(kinds)} regions; told on objects left out: {(told.argmax(1) == kinds).mean():.3f}, mean of the kinds "
          f"{balanced_accuracy_score(kinds, told.argmax(1)):.3f}")
    print("AUROC of each kind against the rest:", [round(roc_auc_score(kinds == k, told[:, k]), 3) for k in range(4)])
    print(confusion_matrix(kinds, told.argmax(1)))
    model.fit(looks, kinds)
    scale, line = model[0], model[1]
    row = lambda values: "{ " + ", ".join(f"{v:.4f}" for v in values) + " }"
    guard = f"PHYSAD__{pathlib.Path(file).stem.upper()}_H"
    text = ("/* SPDX-License-Identifier: Apache-2.0 */\n/* The linear model of the kinds of defect; made by tests/golden/make_region_looks.py. */\n"
            f"#ifndef {guard}\n#define {guard}\n\n"
            f"static const double {name}_MEAN[{count}] = {row(scale.mean_)};\n"
            f"static const double {name}_SPREAD[{count}] = {row(scale.scale_)};\n"
            f"static const double {name}_BIAS[PHYSAD_DEFECTS] = {row(line.intercept_)};\n"
            f"static const double {name}_WEIGHT[PHYSAD_DEFECTS][{count}] = {{\n"
            + "".join(f"    {row(w)},\n" for w in line.coef_) + "};\n\n#endif\n")
    (ROOT / "lib/detect" / file).write_text(text)


if __name__ == "__main__":
    golden()
    if sys.argv[1:2] == ["--beside"]:
        fit(examples_beside(pathlib.Path(sys.argv[2])), "detect_region_beside_table.h", "BESIDE", "PHYSAD__BESIDES")
    elif len(sys.argv) > 1:
        fit(examples(pathlib.Path(sys.argv[1])), "detect_region_table.h", "LOOK", "PHYSAD__LOOKS")
