# SPDX-License-Identifier: Apache-2.0
"""The whole evaluation of a data set with PatchCore on EfficientNet-lite0 at 320 x 320, from the start of the process to the JSON,
against the same steps with anomalib's model, scikit-learn and anomalib's AUPRO. Ours also makes intervals by bootstrap.

Every pick of the peer's coreset costs the same, so its first ones are timed and counted up (all would take hours); it then goes on with
the bank that ours has picked. Of the test photos it scores every fourth, unless --full."""
import json
import os
import pathlib
import subprocess
import sys

import numpy as np

from rows import inputs

OPTIONS = ["--method", "patchcore", "--set", "preset=anomalib", "--set", "projection=none", "--set", "calibration=0", "--set", "neighbors=9"]


def rows(full):
    return [{"name": "whole eval, PatchCore lite0 320 px", "goal": 10.0, "peers": ["anomalib"], "unit": "s", "rounds": 0,
             "every": 1 if full else 4}]


def root(work):
    return str(pathlib.Path(inputs.photos(work)[0][0]).parents[2])


def command():
    return str(pathlib.Path(os.environ["PHYSAD_BENCH_BUILD"]) / "tools/physad")


def prepare(row, side, work):
    if side == "ours":
        subprocess.run([command(), "fit", root(work), *OPTIONS, "-o", str(pathlib.Path(work) / "evaluate.physad")], check=True)


def start(row, side, work):
    out = pathlib.Path(work) / f"evaluate.{side}.json"
    if side == "ours":
        line = [command(), "eval", root(work), *OPTIONS, "--metrics-size", "input", "--threads", str(inputs.THREADS), "--json", str(out)]
    else:
        line = [sys.executable, str(pathlib.Path(__file__).with_name("evaluate_peer.py")), root(work), str(out),
                str(pathlib.Path(work) / "evaluate.physad"), str(row["every"])]

    def run():
        subprocess.run(line, check=True)
        found = json.loads(out.read_text())
        samples = sorted(found["samples"], key=lambda s: s["path"])
        answer = {"paths": np.array([s["path"] for s in samples]), "scores": np.array([s["score"] for s in samples]),
                  "labels": np.array([s["label"] for s in samples]), "pixel_auroc": np.float64(found["pixel_auroc"])}
        if "seconds_whole" in found:
            answer.update(seconds=found["seconds_whole"], note=found["note"])
        return answer
    return run


def auroc(labels, scores):
    normal, odd = scores[labels == 0], scores[labels == 1]
    return np.mean((odd[:, None] > normal) + 0.5 * (odd[:, None] == normal))


def compare(row, ours, peer):
    mine = np.isin(ours["paths"], peer["paths"])
    if mine.sum() != len(peer["paths"]):
        return False, "the photos differ"
    a, b = ours["scores"][mine], peer["scores"]
    off = float(np.abs(a / b - 1).max())
    areas = auroc(ours["labels"][mine], a), auroc(peer["labels"], b)
    note = f"scores of {len(b)} photos within {off * 100:.2g} %, image AUROC {areas[0]:.4f} and {areas[1]:.4f}"
    return off < 0.01 and abs(areas[0] - areas[1]) <= 0.002, note
