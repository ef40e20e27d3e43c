# SPDX-License-Identifier: Apache-2.0
"""Greedy k-center coreset, 10 % of 61,440 rows, against anomalib's (in its random projection) and against a lean one in torch: one
matrix-vector product and one minimum per pick. Both peers do the same work for every pick, so short runs time their first picks and
count up; all picks are made with --full."""
import pathlib
import time

import numpy as np

from rows import inputs

ROWS = 61440
SHORT = 300  # picks
WIDTHS = {  # features of 60 photos, 32 x 32 places each
    176: {"backbone": "efficientnet-lite0", "layers": "b2,b4,b10", "size": 128},
    384: {"backbone": "resnet18", "layers": "layer2,layer3", "weights": "random:0", "size": 256},
    1536: {"backbone": "wide_resnet50_2", "layers": "layer2,layer3", "weights": "random:0", "size": 256},
}


def rows(full):
    return [{"name": f"coreset 61,440 x {d} {'projected' if peer == 'anomalib' else 'plain'}", "goal": goal, "peers": [peer], "unit": "s",
             "rounds": 0, "dim": d, "full": full}
            for d in WIDTHS for peer, goal in (("anomalib", 50.0), ("lean torch", 10.0))]


def prepare(row, side, work):
    folder = pathlib.Path(work)
    if side == "ours":
        train = inputs.photos(work)[0]
        inputs.write(folder / f"coreset.{row['dim']}.npy", lambda: inputs.features(train[:60], work, **WIDTHS[row["dim"]]))
    elif side == "anomalib":
        from rows import greedy_peer

        matrix, first = greedy_peer.draws(ROWS, row["dim"])
        np.savez(folder / f"coreset.{row['dim']}.draws.npz", matrix=matrix, first=first)


def lean(x, first, count):
    """Picks, by |x|^2 + |c|^2 - 2 x c."""
    import torch

    norms = x.square().sum(1)
    least, picks = torch.full((len(x),), torch.inf), [first]
    for _ in range(count - 1):
        c = picks[-1]
        torch.minimum(least, torch.addmv(norms, x, x[c], alpha=-2).add_(norms[c]), out=least)
        least[c] = -1
        picks.append(int(least.argmax()))
    return picks


def start(row, side, work):
    path = pathlib.Path(work) / f"coreset.{row['dim']}.npy"
    x = np.load(path)
    draws = {"matrix": None, "first": 0}
    if row["peers"] == ["anomalib"]:
        drawn = path.with_suffix(".draws.npz")
        draws = dict(np.load(drawn)) if drawn.exists() else {"matrix": "sparse", "first": 0}
    if side == "ours":
        import physad

        def run():
            bank = physad.Bank(x.shape[1], context=inputs.context()).add(x)
            begun = time.perf_counter()
            picks = bank.coreset(0.1, first=int(draws["first"]), projection=draws["matrix"])
            return {"picks": picks.picks, "radii": picks.radii, "seconds": time.perf_counter() - begun}
        return run
    import torch

    torch.set_num_threads(inputs.THREADS)
    points, most = torch.from_numpy(x), None if row["full"] else SHORT

    def anomalib():
        from rows.greedy_peer import Short

        Short.most = most
        begun = time.perf_counter()
        picks = Short(points, 0.1).select_coreset_idxs()
        return picks, time.perf_counter() - begun + Short.missing

    def lean_torch():
        begun = time.perf_counter()
        picks = lean(points, 0, min(ROWS // 10, most or ROWS))
        return picks, (time.perf_counter() - begun) * (ROWS // 10) / len(picks)

    def run():
        picks, seconds = (anomalib if side == "anomalib" else lean_torch)()
        return {"picks": np.asarray(picks), "seconds": seconds,
                "note": "" if len(picks) == ROWS // 10 else f"peer timed on its first {len(picks)} of {ROWS // 10} picks"}
    return run


def compare(row, ours, peer):
    """The picks must be the same as far as the peer's rounding to f32 goes: where they part, both rows must be equally far."""
    mine, theirs = ours["picks"], peer["picks"]
    n = min(len(mine), len(theirs))
    parted = np.flatnonzero(mine[:n] != theirs[:n])
    if len(parted) == 0:
        return True, f"all {n} picks equal"
    # From there on the sets may differ by order, and by rows that are as far: the share in common says how much.
    common = len(np.intersect1d(mine[:n], theirs[:n])) / n
    return common > 0.98, f"picks part at {parted[0]} of {n} (f32 rounding in the peer), {common * 100:.1f} % in common"
