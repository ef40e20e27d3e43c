# SPDX-License-Identifier: Apache-2.0
"""PatchCore's fit on 60 photos at 256 x 256 (read, embed, 10 % coreset in a random projection), time and peak memory, against anomalib's
model. Same weights, projection and first pick."""
import pathlib
import time

import numpy as np

from rows import inputs

PHOTOS, PLACES, SHORT = 60, 32 * 32, 300
NETS = {"R18": ("resnet18", 384), "WR50": ("wide_resnet50_2", 1536)}


def rows(full):
    return [{"name": f"PatchCore fit {short}, 60 photos", "goal": 15.0, "unit": "s", "peers": ["anomalib"], "rounds": 0, "backbone": name,
             "dim": dim, "full": full,
             "also": [{"name": f"PatchCore fit {short}, peak memory", "goal": 3.0, "unit": "MiB", "measure": "peak_mib"}]}
            for short, (name, dim) in NETS.items()]


def prepare(row, side, work):
    if side == "ours":
        return
    from rows import greedy_peer

    inputs.backbone_weights(row["backbone"], work)
    matrix, first = greedy_peer.draws(PHOTOS * PLACES, row["dim"])
    np.savez(pathlib.Path(work) / f"fit.{row['dim']}.npz", matrix=matrix, first=first)


def start_ours(row, work, photos):
    import physad

    drawn = pathlib.Path(work) / f"fit.{row['dim']}.npz"
    draws = dict(np.load(drawn)) if drawn.exists() else {"matrix": "sparse", "first": 0}
    weights = inputs.given_weights(row["backbone"], work)

    def run():
        ctx = inputs.context()
        net = physad.Features(row["backbone"], weights=weights, layers="layer2,layer3", size=256, context=ctx)
        transform = physad.Transform(256, arithmetic="bytes", context=ctx)
        store = physad.Bank(net.shape[2], context=ctx)
        for i, path in enumerate(photos):
            rows_ = net(transform(path)[None]).reshape(-1, net.shape[2])
            store.add(rows_, np.full(len(rows_), i))
        picks = store.coreset(0.1, first=int(draws["first"]), projection=draws["matrix"])
        bank = store.select(picks.picks)
        sample = store.select(np.arange(0, len(store), 997)).rows  # for the comparison; `rows` of the whole would be a copy
        return {"picks": picks.picks, "sample": sample, "size": len(bank)}
    return run


def start_anomalib(row, work, photos):
    import torch
    from anomalib.models.image.patchcore import torch_model
    from rows.greedy_peer import Short

    from rows.patchcore_peer import load, make

    torch_model.KCenterGreedy = Short
    Short.most = None if row["full"] else SHORT

    def run():
        begun = time.perf_counter()
        model = make(row["backbone"], inputs.given_weights(row["backbone"], work))
        with torch.no_grad():
            model.train()
            for i in range(0, len(photos), 8):
                model(torch.stack([load(p) for p in photos[i:i + 8]]))
            sample = torch.vstack([e[j] for e, j in sampled(model.embedding_store)]).numpy()
            model.subsample_embedding(0.1)
        return {"picks": np.asarray(Short.picks), "sample": sample, "note": Short.note,
                "seconds": time.perf_counter() - begun + Short.missing}
    return run


def sampled(store):
    """Every 997th row of the parts taken together."""
    at = 0
    for part in store:
        first = -at % 997
        yield part, list(range(first, len(part), 997))
        at += len(part)


def start(row, side, work):
    photos = inputs.photos(work)[0][:PHOTOS]
    return start_ours(row, work, photos) if side == "ours" else start_anomalib(row, work, photos)


def compare(row, ours, peer):
    a, b = ours["sample"].astype(np.float64), peer["sample"].astype(np.float64)
    error = np.linalg.norm(a - b) / np.linalg.norm(b)
    n = min(len(ours["picks"]), len(peer["picks"]))
    common = len(np.intersect1d(ours["picks"][:n], peer["picks"][:n])) / n
    return error < 1e-4 and common > 0.95, f"features within {error:.1e}; {common * 100:.1f} % of {n} picks in common"
