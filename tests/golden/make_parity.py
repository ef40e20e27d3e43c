#!/usr/bin/env python3
"""Writes parity.json: what anomalib's PatchCore and PaDiM make of the same features, and of the same photos, for test_parity.c.

Features, photos and weights are drawn by formulas that the test computes as well; only picks, scores and maps are stored. Scores and
maps come from anomalib in double precision; `f32_error` says how far its usual f32 is from that, relative to the greatest value.
Needs torch, timm, anomalib 2.
"""
import importlib.metadata
import json
import math
import pathlib

import numpy as np
import torch
from anomalib.models.components import KCenterGreedy, MultiVariateGaussian
from anomalib.models.image.padim.anomaly_map import AnomalyMapGenerator as PadimMap
from anomalib.models.image.padim.torch_model import PadimModel
from anomalib.models.image.patchcore.torch_model import PatchcoreModel

from make_backbones import elements, normal

SEED = 20
SIDE = 64


def numbers(key, count):
    """Multiples of 1/32 from -4 on: exact in f32, and their sums in double."""
    return ((elements(key, count) >> np.uint64(56)).astype(np.float64) - 128) / 32


def rows(key, n, dim):
    return torch.from_numpy(numbers(key, n * dim).reshape(n, dim))


def photo(key):
    """Squares of 4 x 4 pixels."""
    small = (elements(key, 16 * 16 * 3) >> np.uint64(56)).astype(np.uint8).reshape(16, 16, 3)
    return np.repeat(np.repeat(small, 4, axis=0), 4, axis=1)


def with_hole(pixels):
    pixels = pixels.copy()
    pixels[24:40, 24:40] = 10
    return pixels


def model_input(pixels):
    mean, std = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64), torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64)
    return ((torch.from_numpy(pixels).double() / 255 - mean) / std).permute(2, 0, 1)[None]


def random_weights(extractor):
    """The library's weights "random:20"."""
    state = extractor.state_dict()
    for name, value in state.items():
        ours = name.removeprefix("feature_extractor.")
        shape = tuple(value.shape)
        if value.ndim > 1:
            state[name] = torch.from_numpy(normal(ours, shape, math.sqrt(2.0 / math.prod(shape[1:])), SEED))
        elif value.ndim == 1:
            state[name] = torch.ones(shape) if ours.endswith((".running_var", ".weight")) else torch.zeros(shape)
    extractor.load_state_dict(state)


def in_both(make):
    """make() in double, and how far off it is in single."""
    results = []
    for dtype in (torch.float64, torch.float32):
        torch.set_default_dtype(dtype)
        results.append([(s.double(), m.double()) for s, m in make(dtype)])
    torch.set_default_dtype(torch.float32)
    out = []
    for (score, anomaly_map), (rough_score, rough_map) in zip(*results):
        off = max(float((rough_score - score).abs() / score.abs()), float((rough_map - anomaly_map).abs().max() / anomaly_map.abs().max()))
        out.append({"score": float(score), "map": [float(f"{v:.9g}") for v in anomaly_map.reshape(SIDE, SIDE)[::4, ::4].reshape(-1)],
                    "f32_error": float(f"{off:.2g}")})
    return out


def coreset(case, n, dim, ratio):
    torch.manual_seed(case)
    sampler = KCenterGreedy(embedding=rows(case, n, dim).float(), sampling_ratio=ratio)
    picks = sampler.select_coreset_idxs()
    matrix = sampler.model.sparse_random_matrix
    scale = float(matrix.abs().max())
    signs = "".join("0+-"[int(v)] for v in torch.sign(matrix).reshape(-1))
    return {"case": case, "rows": n, "dim": dim, "scale": scale, "components": matrix.shape[0], "signs": signs, "picks": picks}


def patchcore_of_features(case, bank_rows, dim):
    def make(dtype):
        model = PatchcoreModel(backbone="resnet18", layers=["layer2"], pre_trained=False, num_neighbors=9).eval().to(dtype)
        model.memory_bank = rows(case, bank_rows, dim).to(dtype)
        for query in (1, 2):
            cells = rows(1000 * case + query, 64, dim).to(dtype) * (1 if query == 1 else 0.5)
            scores, locations = model.nearest_neighbors(cells, 1)
            score = model.compute_anomaly_score(scores.reshape(1, -1), locations.reshape(1, -1), cells)
            yield score, model.anomaly_map_generator(scores.reshape(1, 1, 8, 8), (SIDE, SIDE))
    return {"case": case, "rows": bank_rows, "dim": dim, "results": in_both(make)}


def padim_of_features(case, photos, dim):
    def make(dtype):
        def cells(key):
            return rows(key, 64, dim).to(dtype).reshape(8, 8, dim).permute(2, 0, 1)[None]
        gaussian = MultiVariateGaussian().to(dtype)
        gaussian.fit(torch.cat([cells(1000 * case + 10 + i) for i in range(photos)]))
        maps = PadimMap().to(dtype)
        for query in (1, 2):
            m = maps(embedding=cells(1000 * case + query), mean=gaussian.mean, inv_covariance=gaussian.inv_covariance, image_size=(SIDE, SIDE))
            yield torch.amax(m), m
    return {"case": case, "photos": photos, "dim": dim, "results": in_both(make)}


def of_photos(make_model, finish, photos):
    def make(dtype):
        model = make_model()
        random_weights(model.feature_extractor)
        model = model.to(dtype).train()
        model.feature_extractor.eval()
        for i in range(photos):
            model(model_input(photo(500 + i)).to(dtype))
        finish(model)
        model.eval()
        for pixels in (photo(600), with_hole(photo(500))):
            out = model(model_input(pixels).to(dtype))
            yield out.pred_score.reshape(()), out.anomaly_map
    return {"photos": photos, "results": in_both(make)}


def all_of_them(model):
    model.memory_bank = torch.vstack(model.embedding_store)


def main():
    torch.use_deterministic_algorithms(True)
    patchcore = of_photos(lambda: PatchcoreModel(backbone="resnet18", layers=["layer2", "layer3"], pre_trained=False, num_neighbors=9),
                          all_of_them, 5)
    padim = of_photos(lambda: PadimModel(backbone="resnet18", layers=["layer1", "layer2"], pre_trained=False, n_features=192),
                      lambda model: model.fit(), 8)
    result = {
        "versions": {name: importlib.metadata.version(name) for name in ("anomalib", "torch", "timm", "numpy")},
        "coresets": [coreset(31, 600, 24, 0.1), coreset(32, 2000, 64, 0.1)],
        "patchcore": [patchcore_of_features(41, 60, 24), patchcore_of_features(42, 8, 100)],
        "padim": [padim_of_features(51, 40, 24), padim_of_features(52, 12, 30)],
        "patchcore_photos": patchcore,
        "padim_photos": padim,
    }
    path = pathlib.Path(__file__).with_name("parity.json")
    path.write_text(json.dumps(result, separators=(",", ":")).replace('{"case"', '\n{"case"').replace('{"score"', '\n{"score"') + "\n")


if __name__ == "__main__":
    main()
