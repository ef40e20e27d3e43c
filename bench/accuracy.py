#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How well defects are found on drawn objects, against what the set gives: training photos, errors of their poses, light, gloss.

    accuracy.py --build BUILD --work FOLDER [--category A[,B...]] [--method A[,B...]] [--only KNOB] [--doc FILE]

One knob of `physad synth rad` is turned at a time, the others stay where they are in the first row. Sets and results are kept in the
folder, so that a long run may be had in parts: the table holds all that are known. Nothing is chosen by them.
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


def measure(command, work, category, knobs, methods):
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
        subprocess.run([command, "eval", root / category, "--method", ",".join(missing), "--json", out], check=True,
                       stdout=subprocess.DEVNULL)
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


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", required=True)
    p.add_argument("--work", required=True)
    p.add_argument("--category", default="bowl,can")
    p.add_argument("--method", default="splat-bank,patchcore")
    p.add_argument("--only", choices=("usual", *KNOBS))
    p.add_argument("--doc")
    args = p.parse_args()
    sys.path.insert(0, str(HERE))
    import document

    work = pathlib.Path(args.work)
    work.mkdir(parents=True, exist_ok=True)
    command, methods, categories = pathlib.Path(args.build).resolve() / "tools/physad", args.method.split(","), args.category.split(",")
    for knob, knobs in points():
        if args.only in (None, knob):
            found = [measure(command, work, c, knobs, methods) for c in categories]
            print(table([(knob, knobs, found)], methods).splitlines()[-1], flush=True)
    text = table(known_rows(work, categories, methods), methods)
    if args.doc:
        document.put(args.doc, "accuracy", text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
