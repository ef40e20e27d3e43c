#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How well defects are found on drawn objects, against what the set gives: training photos, errors of their poses, light, gloss.

    accuracy.py --build BUILD --work FOLDER [--category A[,B...]] [--method A[,B...]] [--only KNOB] [--threads N] [--doc FILE]
    accuracy.py --build BUILD --work FOLDER --photos DATA [--part gain|without|cameras|kinds]... [--threads N] [--doc FILE]

One knob of `physad synth rad` is turned at a time, the others stay where they are in the first row. Sets and results are kept in the
folder, so that a long run may be had in parts: the table holds all that are known. Nothing is chosen by them.

With --photos a set of real photos with poses is measured instead, as one fit of splat-bank scores it: its gain on patchcore on the same
photos, resampled by view (gain); what each part adds that counts only when a photo is scored (without); what is left where cameras come
from transforms.json or from the COLMAP model alone (cameras); and how many kinds of defect are told (kinds).
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
USUAL = {"train-views": 32, "pose-noise": 0, "light-change": 0, "gloss": 1}
KNOBS = {"train-views": (8, 16, 64), "pose-noise": (0.5, 2), "light-change": (0.5, 1), "gloss": (0, 3)}
TITLES = {"train-views": "training photos", "pose-noise": "error of the poses, degrees", "light-change": "other light", "gloss": "gloss"}
SHAPE = ["--test-views", "16", "--instances", "2", "--instance-views", "4", "--size", "192"]


def points():
    """The usual set, then each with one knob turned."""
    yield "usual", dict(USUAL)
    for knob, values in KNOBS.items():
        for value in values:
            yield knob, USUAL | {knob: value}


def key_of(category, knobs):
    return "-".join([category, *(f"{k}{v:g}" for k, v in knobs.items())])


def measure(command, work, category, knobs, methods, threads):
    """Draws the set where it is not there yet, and scores it."""
    key = key_of(category, knobs)
    root, result = work / key, work / f"{key}.json"
    known = {}
    if result.exists():
        known = {r["method"]: r for r in json.loads(result.read_text())}
    missing = [m for m in methods if m not in known]
    if missing:
        if not (root / category).exists():
            knob_options = [text for k, v in knobs.items() for text in (f"--{k}", f"{v:g}")]
            subprocess.run([command, "synth", "rad", root, "--category", category, *SHAPE, *knob_options, "--replace"], check=True,
                           stdout=subprocess.DEVNULL)
        out = work / f"{key}.eval.json"
        subprocess.run([command, "eval", root / category, "--method", ",".join(missing), "--json", out, "--threads", str(threads)],
                       check=True, stdout=subprocess.DEVNULL)
        known |= {r["method"]: r for r in json.loads(out.read_text())["results"]}
        result.write_text(json.dumps([{k: r[k] for k in ("method", "image_auroc", "pixel_ap", "aupro", "n_train", "n_test")}
                                      for r in known.values()], indent=1) + "\n")
        out.unlink()
    return known


def known_rows(work, categories, methods):
    for knob, knobs in points():
        files = [work / f"{key_of(c, knobs)}.json" for c in categories]
        found = [{r["method"]: r for r in json.loads(f.read_text())} for f in files if f.exists()]
        if len(found) == len(categories) and all(m in r for r in found for m in methods):
            yield knob, knobs, found


def cell(results):
    """Image AUROC / AUPRO, means over the categories; the lowest AUROC where there are several."""
    auroc = [r["image_auroc"] for r in results]
    text = f"{statistics.mean(auroc):.3f} / {statistics.mean(r['aupro'] for r in results):.3f}"
    return text if len(auroc) == 1 else f"{text} ({min(auroc):.3f})"


def table(rows, methods):
    lines = ["| | " + " | ".join(methods) + " |", "| --- |" + " --- |" * len(methods)]
    for knob, knobs, found in rows:
        name = "as usual" if knob == "usual" else f"{TITLES[knob]} {knobs[knob]:g}"
        lines.append(f"| {name} | " + " | ".join(cell([r[m] for r in found]) for m in methods) + " |")
    return "\n".join(lines)


# --- real photos ---

WITHOUT = {"tint": "false", "texture": "false", "own": "0", "weigh_cover": "false", "hypotheses": "1", "plain": "never"}
CAMERAS = {"transforms.json": "sparse", "sparse": "transforms.json"}  # what is there: what is not
KINDS = {"missing": "hole", "scratched": "line", "stained": "tint", "squeezed": "deformation"}
REPLICATES = 500


def view_of(path):
    return pathlib.Path(path).stem.split("_")[-1]


def fitted(args, key, data):
    model = pathlib.Path(args.work) / f"{key}.safetensors"
    if not model.exists():
        part = model.with_name(f"part-{model.name}")
        command = pathlib.Path(args.build).resolve() / "tools/physad"
        subprocess.run([command, "fit", data, "--method", "splat-bank", "-o", part, "--set", "calibration=0", "--threads", str(args.threads)],
                       check=True, stdout=subprocess.DEVNULL)
        part.rename(model)
    return model


def altered(model, out, option, value):
    """The model with another option, which must not have counted in its fit."""
    with open(model, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header, data = json.loads(file.read(size)), file.read()
    config = json.loads(header["__metadata__"]["physad"])
    config["options"][option] = value
    header["__metadata__"]["physad"] = json.dumps(config, sort_keys=True, separators=(",", ":"))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 64)
    out.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return out


def mask_of(path, data, shape):
    """At the map's size, whatever the photo's: half of a place or more."""
    import numpy as np
    from PIL import Image

    if path.parts[1] == "good":
        return np.zeros(shape, np.uint8)
    truth = Image.open(data / "ground_truth" / path.parts[1] / f"{path.stem}_mask.png").convert("L")
    return (np.asarray(truth.resize(shape[::-1], Image.BOX)) > 127).astype(np.uint8)


def scored(args, key, make_model, data):
    """Scores and kinds of all test photos, and AUPRO with an interval by view, as a list and a dictionary."""
    import physad

    result = pathlib.Path(args.work) / f"{key}.json"
    if not result.exists():
        detector = physad.Detector.load(make_model(), context=physad.Context(threads=args.threads))
        types, samples, maps = physad.Types(), [], []
        for photo in sorted(data.glob("test/*/*")):
            path = photo.relative_to(data)
            told = detector.score(photo)
            regions = told.regions()
            kinds = types.tell(regions) if len(regions) else None
            samples.append({"path": str(path), "type": path.parts[1], "score": told.score, "kinds": kinds})
            maps.append((view_of(path), told.input_map, mask_of(path, data, told.input_map.shape)))
        value, low, high = aupro(maps)
        result.write_text(json.dumps({"samples": samples, "aupro": value, "aupro_low": low, "aupro_high": high}, indent=1) + "\n")
    return json.loads(result.read_text())


def aupro(maps):
    import numpy as np
    import physad

    def measured(views):
        pixels = physad.Pixels()
        for view in views:
            for _, scores, mask in by_view[view]:
                pixels.add(scores, mask)
        return float(pixels.measure(replicates=0)["aupro@0.3"])

    rng, by_view = np.random.default_rng(0), {}
    for item in maps:
        by_view.setdefault(item[0], []).append(item)
    views = sorted(by_view)
    drawn = [measured(rng.choice(views, len(views))) for _ in range(REPLICATES)]
    return measured(views), *(float(np.quantile(drawn, q)) for q in (0.025, 0.975))


def scores_of(samples):
    import physad

    scores = physad.Scores()
    for s in samples:
        scores.add(s["score"], int(s["type"] != "good"), type=s["type"], group=view_of(s["path"]))
    return scores


def interval(metric):
    return f"{metric.value:.3f} [{metric.lower:.3f}, {metric.upper:.3f}]"


def measured_row(title, found):
    auroc = interval(scores_of(found["samples"]).measure()["auroc"])
    return f"| {title} | {auroc} | {found['aupro']:.3f} [{found['aupro_low']:.3f}, {found['aupro_high']:.3f}] |"


def gain(args, data, whole):
    plain = pathlib.Path(args.work) / "patchcore.json"
    if not plain.exists():
        command = pathlib.Path(args.build).resolve() / "tools/physad"
        subprocess.run([command, "eval", data, "--method", "patchcore", "--json", plain, "--threads", str(args.threads)], check=True,
                       stdout=subprocess.DEVNULL)
    known = {s["path"]: s for s in json.loads(plain.read_text())["samples"]}
    ours, theirs = scores_of(whole["samples"]), scores_of([s | {"score": known[s["path"]]["score"]} for s in whole["samples"]])
    return [f"Gain in image AUROC on `patchcore` ({interval(theirs.measure()['auroc'])}), photos resampled by view: "
            f"{interval(ours.compare(theirs, replicates=10000))}."]


def balanced(samples):
    """The mean over types of the share whose kind is told."""
    right = {}
    for s in samples:
        right.setdefault(s["type"], []).append(s["kinds"] is not None and max(s["kinds"], key=s["kinds"].get) == KINDS[s["type"]])
    return statistics.mean(statistics.mean(r) for r in right.values()), right


def kinds(samples):
    import numpy as np

    odd = [s for s in samples if s["type"] in KINDS]
    views, rng, drawn = sorted({view_of(s["path"]) for s in odd}), np.random.default_rng(0), []
    by_view = {v: [s for s in odd if view_of(s["path"]) == v] for v in views}
    for _ in range(10 * REPLICATES):
        drawn.append(balanced([s for v in rng.choice(views, len(views)) for s in by_view[v]])[0])
    value, right = balanced(odd)
    told = ", ".join(f"{t} {sum(r)} of {len(r)}" for t, r in sorted(right.items()))
    return [f"Kinds told, mean of the types (0.25 is chance): {value:.3f} [{np.quantile(drawn, 0.025):.3f}, "
            f"{np.quantile(drawn, 0.975):.3f}]; {told}."]


def without(args, data, model, whole):
    yield measured_row("nothing", whole)
    for option, value in WITHOUT.items():
        part = pathlib.Path(args.work) / "part-altered.safetensors"
        found = scored(args, f"without-{option}", lambda: altered(model(), part, option, value), data)
        part.unlink(missing_ok=True)
        yield measured_row(f"`{option}` ({value})", found)


def cameras(args, data, whole):
    yield measured_row("both", whole)
    for there, gone in CAMERAS.items():
        root = pathlib.Path(args.work) / f"only-{there}"
        root.mkdir(exist_ok=True)
        for entry in data.iterdir():
            if entry.name != gone and not (root / entry.name).is_symlink():
                (root / entry.name).symlink_to(entry.resolve())
        yield measured_row(f"`{there}` alone", scored(args, root.name, lambda: fitted(args, root.name, root), root))


def real(args):
    sys.path.insert(0, str(pathlib.Path(args.build).resolve() / "bindings/python"))
    data, parts = pathlib.Path(args.photos), args.part or ["gain", "kinds", "cameras", "without"]
    model = lambda: fitted(args, "whole", data)
    whole, lines = scored(args, "whole", model, data), []
    for part in parts:
        if part in ("gain", "kinds"):
            lines += [*(gain(args, data, whole) if part == "gain" else kinds(whole["samples"])), ""]
            continue
        rows = cameras(args, data, whole) if part == "cameras" else without(args, data, model, whole)
        title = "cameras by" if part == "cameras" else "left out"
        lines += [f"| {title} | image AUROC | AUPRO |", "| --- | --- | --- |"]
        for row in rows:
            print(row, flush=True)
            lines.append(row)
        lines.append("")
    return "\n".join(lines).rstrip()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", required=True)
    p.add_argument("--work", required=True)
    p.add_argument("--category", default="bowl,can")
    p.add_argument("--method", default="splat-bank,patchcore")
    p.add_argument("--only", choices=("usual", *KNOBS))
    p.add_argument("--photos", help="a set of photos with poses")
    p.add_argument("--part", action="append", choices=("gain", "without", "cameras", "kinds"), help="with --photos; default: all")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--doc")
    args = p.parse_args()
    sys.path.insert(0, str(HERE))
    import document

    work = pathlib.Path(args.work)
    work.mkdir(parents=True, exist_ok=True)
    if args.photos:
        text = real(args)
        if args.doc:
            document.put(args.doc, "photos", text)
        print(text)
        return 0
    command, methods, categories = pathlib.Path(args.build).resolve() / "tools/physad", args.method.split(","), args.category.split(",")
    for knob, knobs in points():
        if args.only in (None, knob):
            found = [measure(command, work, c, knobs, methods, args.threads) for c in categories]
            print(table([(knob, knobs, found)], methods).splitlines()[-1], flush=True)
    text = table(known_rows(work, categories, methods), methods)
    if args.doc:
        document.put(args.doc, "accuracy", text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
