# SPDX-License-Identifier: Apache-2.0
"""Inputs that several rows share: photos, weights, features. Made once per work folder."""
import os
import pathlib
import subprocess

import numpy as np

THREADS = int(os.environ.get("THREADS", "2"))
SUFFIXES = {".jpg", ".jpeg", ".png"}


def photos(work):
    """Normal photos and others: of the test data where there is some, else drawn."""
    data = os.environ.get("PHYSAD_TEST_DATA")
    root = pathlib.Path(data) / "magnetic-tile" if data else pathlib.Path(work) / "drawn"
    if not data and not root.exists():
        command = pathlib.Path(os.environ["PHYSAD_BENCH_BUILD"]) / "tools/physad"
        subprocess.run([command, "synth", "rad", root, "--category", "bowl,can,rubberduck", "--train-views", "68", "--test-views", "24"],
                       check=True, stdout=subprocess.DEVNULL)
    found = lambda folder: sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES and p.parent.parent.name == folder)
    return [str(p) for p in found("train")], [str(p) for p in found("test")]


def write(path, make):
    """A .npy file, whole or not at all."""
    if not path.exists():
        part = path.with_name("part-" + path.name)
        np.save(part, make())
        part.rename(path)


def backbone_weights(name, work):
    """Weights of a torchvision-like network, drawn by its own initialisation with a fixed seed. In a peer's process only."""
    import timm
    import torch

    path = pathlib.Path(work) / f"{name}.pth"
    if not path.exists():
        torch.manual_seed(0)
        torch.save(timm.create_model(name, pretrained=False).state_dict(), path)
    return str(path)


def given_weights(name, work):
    path = pathlib.Path(work) / f"{name}.pth"
    return str(path) if path.exists() else "random:0"


def context():
    import physad

    return physad.Context(threads=THREADS)


def features(paths, work, *, mirrored=False, size, **options):
    """Joined features of photos, (N, D)."""
    import physad

    ctx = context()
    net = physad.Features(size=size, context=ctx, **options)
    transform, out = net.transform, []
    for path in paths:
        pixels = transform(path)
        out.append(net(pixels[None, :, ::-1].copy() if mirrored else pixels[None]).reshape(-1, net.shape[2]))
    return np.concatenate(out)
