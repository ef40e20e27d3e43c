# SPDX-License-Identifier: Apache-2.0
"""PatchCore's answer for one photo of 256 x 256 in memory, WideResNet-50-2, bank of 10 % of 60 photos: ours from bytes to score and map,
anomalib's from the normalised tensor. The bank is ours, so that both search the same."""
import pathlib

import numpy as np

from rows import inputs

BACKBONE, PHOTOS = "wide_resnet50_2", 60


def rows(full):
    return [{"name": f"PatchCore predict WR50 {p}", "goal": goal, "peers": ["anomalib"], "unit": "ms", "rounds": 9, "precision": p}
            for p, goal in (("f32", 2.0), ("bf16", 3.5))]


def model_path(work, precision):
    return pathlib.Path(work) / f"predict.{precision}.physad"


def prepare(row, side, work):
    if side != "ours":
        inputs.backbone_weights(BACKBONE, work)
        return
    import physad

    photos = inputs.photos(work)[0][:PHOTOS]
    for precision in ("f32", row["precision"]):
        path = model_path(work, precision)
        if not path.exists():
            detector = physad.Detector("patchcore", preset="anomalib", backbone=BACKBONE, weights=inputs.given_weights(BACKBONE, work),
                                       layers="layer2,layer3", input="256", precision=precision, calibration=0, context=inputs.context())
            detector.fit(photos).save(path)


def test_photo(work):
    import physad

    ctx = inputs.context()
    small = physad.Transform(256, arithmetic="bytes", normalise="none", context=ctx)(inputs.photos(work)[1][0])
    return np.rint(small * 255).astype(np.uint8)


def agreement(row, work, detector):
    """How far bf16 lies from f32 on photos of both kinds."""
    import physad

    normal, odd = inputs.photos(work)[0][PHOTOS:PHOTOS + 12], [p for p in inputs.photos(work)[1] if "good" not in p][::9][:12]
    exact = physad.load(model_path(work, "f32"), context=inputs.context())
    labels = np.repeat([0, 1], [len(normal), len(odd)])
    scores = np.array([[d.score(p).score for p in normal + odd] for d in (exact, detector)])
    area = [np.mean(s[labels == 1][:, None] > s[labels == 0]) for s in scores]
    off = np.max(np.abs(scores[1] / scores[0] - 1))
    return np.float64(abs(area[1] - area[0])), np.float64(off)


def start(row, side, work):
    if side == "ours":
        import physad

        detector = physad.load(model_path(work, row["precision"]), context=inputs.context())
        photo = test_photo(work)
        np.save(pathlib.Path(work) / "predict.photo.npy", photo)
        extra = {}
        if row["precision"] != "f32":
            extra["auroc_off"], extra["score_off"] = agreement(row, work, detector)

        def run():
            result = detector.score(photo)
            return {"score": np.float64(result.score), "map": result.map, **extra}
        return run
    import torch
    from safetensors import safe_open

    from rows.patchcore_peer import make, normalise

    model = make(BACKBONE, inputs.given_weights(BACKBONE, work)).eval()
    with safe_open(model_path(work, row["precision"]), "pt") as file:
        name = [k for k in file.keys() if k.endswith("bank.rows")][0]
        model.memory_bank = file.get_tensor(name)
    x = normalise(np.load(pathlib.Path(work) / "predict.photo.npy"))[None]

    def run():
        with torch.no_grad():
            result = model(x)
        return {"score": np.float64(result.pred_score), "map": result.anomaly_map[0, 0].numpy()}
    return run


def compare(row, ours, peer):
    score = abs(float(ours["score"]) / float(peer["score"]) - 1)
    field = float(np.abs(ours["map"] - peer["map"]).max() / np.abs(peer["map"]).max())
    note = f"score off by {score * 100:.2g} %, map by {field * 100:.2g} %"
    if row["precision"] == "f32":
        return score < 1e-3 and field < 1e-3, note
    note += f"; against f32 on 24 photos: AUROC {float(ours['auroc_off']):.4f}, scores up to {float(ours['score_off']) * 100:.2f} %"
    return float(ours["auroc_off"]) <= 0.002 and float(ours["score_off"]) <= 0.02, note
