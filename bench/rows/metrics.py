# SPDX-License-Identifier: Apache-2.0
"""AUROC, AP and AUPRO up to a false-positive rate of 0.3 of 83 maps of 256 x 256: 5.4 million pixels."""
import pathlib

import numpy as np

from rows import inputs


def rows(full):
    return [{"name": "AUROC + AP + AUPRO, 5.4 M pixels", "goal": 20.0, "peers": ["scikit-learn + anomalib"], "unit": "s", "rounds": 3}]


def prepare(row, side, work):
    if side != "ours":
        return
    rng = np.random.default_rng(0)
    masks = np.zeros((83, 256, 256), bool)
    for i in range(60):
        for _ in range(3):
            y, x = rng.integers(0, 200, 2)
            masks[i, y:y + rng.integers(5, 50), x:x + rng.integers(5, 50)] = True
    inputs.write(pathlib.Path(work) / "metrics.masks.npy", lambda: masks)
    inputs.write(pathlib.Path(work) / "metrics.maps.npy", lambda: rng.standard_normal(masks.shape).astype(np.float32) + masks)


def start(row, side, work):
    maps, masks = (np.load(pathlib.Path(work) / f"metrics.{what}.npy") for what in ("maps", "masks"))
    if side == "ours":
        import physad

        def run():
            pixels = physad.Pixels(context=inputs.context())
            for i in range(len(maps)):
                pixels.add(maps[i], masks[i])
            found = pixels.measure(replicates=0)
            return {name: np.float64(found[key].value) for name, key in (("auroc", "auroc"), ("ap", "ap"), ("aupro", "aupro@0.3"))}
        return run
    import torch
    from anomalib.metrics.aupro import _AUPRO
    from sklearn.metrics import average_precision_score, roc_auc_score

    torch.set_num_threads(inputs.THREADS)

    def run():
        pro = _AUPRO()
        pro.update(torch.from_numpy(maps), torch.from_numpy(masks.astype(int)))
        return {"auroc": np.float64(roc_auc_score(masks.ravel(), maps.ravel())),
                "ap": np.float64(average_precision_score(masks.ravel(), maps.ravel())), "aupro": np.float64(pro.compute())}
    return run


def compare(row, ours, peer):
    off = {k: abs(float(ours[k]) - float(peer[k])) for k in ("auroc", "ap", "aupro")}
    return off["auroc"] < 1e-9 and off["ap"] < 1e-9 and off["aupro"] < 1e-4, ", ".join(f"{k} off by {v:.0e}" for k, v in off.items())
