# SPDX-License-Identifier: Apache-2.0
"""anomalib's greedy coreset, drawn with fixed seeds, cut short on request. In a peer's process only."""
import time

import numpy as np
import torch
from anomalib.models.components.sampling.k_center_greedy import KCenterGreedy


def seed():
    torch.manual_seed(0)
    np.random.seed(0)


def draws(n, d):
    """What it draws after seed(): the projection's matrix and the first pick."""
    seed()
    greedy = KCenterGreedy(torch.empty((n, d)), 0.1)
    greedy.model.fit(greedy.embedding)
    return greedy.model.sparse_random_matrix.numpy(), int(torch.randint(high=n, size=(1,)))


class Short(KCenterGreedy):
    """Makes `most` picks at most, and estimates what all of them would take: each does the same work."""
    most = None

    def select_coreset_idxs(self):
        wanted = self.coreset_size
        self.coreset_size = min(wanted, self.most or wanted)
        marks = []
        reset = self.reset_distances
        self.reset_distances = lambda: (marks.append(time.perf_counter()), reset())
        seed()
        picks = super().select_coreset_idxs()
        Short.missing = (time.perf_counter() - marks[-1]) * (wanted - len(picks)) / (len(picks) - 1)
        Short.note = "" if wanted == len(picks) else f"peer timed on its first {len(picks)} of {wanted} picks"
        Short.picks = picks
        return picks
