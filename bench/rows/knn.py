# SPDX-License-Identifier: Apache-2.0
"""Exact nearest neighbour of the 1,600 patches of a photo, against FAISS's exhaustive index."""
import pathlib
import time

import numpy as np

from rows import inputs

KINDS = {  # options of the features, largest bank of the short run
    "lite0": {"size": 320, "backbone": "efficientnet-lite0", "layers": None},
    "WR50 random": {"size": 320, "backbone": "wide_resnet50_2", "weights": "random:0", "layers": "layer2,layer3"},
}


def rows(full):
    sizes = [("lite0", n) for n in (100, 1000, 10000, 100000, 1000000)]
    sizes += [("WR50 random", n) for n in (100, 1000, 10000, 100000)]
    sizes += [("Gaussian 176", 10000), ("Gaussian 1536", 10000)]
    return [{"name": f"1-NN {kind} {n:.0e} rows".replace("e+0", "e"), "goal": 8.0 if (kind, n) == ("lite0", 100000) else 0.97,
             "peers": ["faiss Flat"], "unit": "ms", "rounds": 3 if n >= 100000 else 7, "kind": kind, "n": n} for kind, n in sizes]


def gaussian(n, row, seed):
    return np.random.default_rng(seed).standard_normal((n, int(row["kind"].split()[1])), dtype=np.float32)


def bank_features(row, work):
    """Of whole photos, one after the other; where they do not suffice, of their mirror images too."""
    train, test = inputs.photos(work)
    options = {k: v for k, v in KINDS[row["kind"]].items() if v is not None}
    query = test[0]
    paths = [(p, m) for m in (False, True) for p in train + [t for t in test if t != query]]
    per_photo = 1600
    wanted = paths[:-(-row["n"] // per_photo)]
    parts = [inputs.features([p for p, mirror in wanted if mirror == m], work, mirrored=m, **options)
             for m in (False, True) if any(mirror == m for _, mirror in wanted)]
    return np.concatenate(parts)[:row["n"]]


def prepare(row, side, work):
    if side != "ours":
        return
    folder, name = pathlib.Path(work), row["kind"].replace(" ", "_")
    if row["kind"] in KINDS:
        options = {k: v for k, v in KINDS[row["kind"]].items() if v is not None}
        inputs.write(folder / f"{name}.queries.npy", lambda: inputs.features(inputs.photos(work)[1][:1], work, **options))
        inputs.write(folder / f"{name}.{row['n']}.npy", lambda: bank_features(row, work))
    else:
        inputs.write(folder / f"{name}.queries.npy", lambda: gaussian(1600, row, 1))
        inputs.write(folder / f"{name}.{row['n']}.npy", lambda: gaussian(row["n"], row, 2))


def start(row, side, work):
    name = row["kind"].replace(" ", "_")
    queries, bank = (np.load(pathlib.Path(work) / f"{name}.{part}.npy") for part in ("queries", row["n"]))
    begun = time.perf_counter()
    if side == "ours":
        import physad

        index = physad.Bank(bank.shape[1], context=inputs.context()).add(bank)
        index.prepare()
        search = lambda: index.search(queries, 1)
    else:
        import faiss

        faiss.omp_set_num_threads(inputs.THREADS)
        index = faiss.IndexFlatL2(bank.shape[1])
        index.add(bank)
        search = lambda: index.search(queries, 1)
    built = time.perf_counter() - begun

    def run():
        distances, places = search()
        return {"indices": places[:, 0], "built": built, "work": work, "bank": str(pathlib.Path(work) / f"{name}.{row['n']}.npy"),
                "queries": str(pathlib.Path(work) / f"{name}.queries.npy")}
    return run


def compare(row, ours, peer):
    """Where the rows differ, ours must be the nearer one or as near with a lower number: FAISS rounds to f32 on its way."""
    bank, queries = np.load(str(ours["bank"]), mmap_mode="r"), np.load(str(ours["queries"]))
    differ = np.flatnonzero(ours["indices"] != peer["indices"])
    true = lambda places: ((queries[differ].astype(np.float64) - bank[places].astype(np.float64)) ** 2).sum(1)
    mine, theirs = true(ours["indices"][differ]), true(peer["indices"][differ])
    worse = (mine > theirs) | ((mine == theirs) & (ours["indices"][differ] > peer["indices"][differ]))
    # Nothing but rounding may explain a difference: FAISS adds squared lengths in f32.
    scale = (queries[differ].astype(np.float64) ** 2).sum(1) if len(differ) else np.zeros(0)
    far = theirs - mine > 1e-5 * scale
    note = f"index {float(ours['built']) * 1e3:.0f} ms, peer {float(peer['built']) * 1e3:.0f} ms"
    if len(differ):
        note += f"; {len(differ)} of {len(queries)} rows differ, all nearer or tied here"
    return not worse.any() and not far.any(), note
