#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`physad eval DATA --method patchcore --json -` beside the same steps in plain PyTorch, each from the start of its process to its JSON.

    python eval_torch.py DATA --physad BUILD/tools/physad --weights efficientnet-lite0.safetensors [--threads 2] [--picks 500] [--every 4]

The peer reads with Pillow, resizes to 320 x 320, takes EfficientNet-lite0's layers at an eighth and a sixteenth, picks a tenth of the
patches greedily by one matrix-vector product per pick, scores by cdist and blurs; scikit-learn measures. It makes neither intervals nor
AUPRO nor the calibration by place. Picks cost the same each: the first --picks are timed and counted up, and the bank is filled with any
other rows. Of the test photos every --every th is scored, and the time counted up. With --picks 0 --every 1 nothing is left out (half an
hour for 450,000 patches); only then the two's metrics are of the same photos.
Needs torch, timm, scikit-learn, safetensors, Pillow.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

SIDE, RATIO = 320, 0.1


def ours_to_timm(state):
    """timm's network with the weights under the names of their first publication."""
    import timm

    net = timm.create_model("efficientnet_lite0", pretrained=False, bn_eps=1e-3)
    count, names = [1, 2, 2, 3, 3, 4, 1], {}
    starts = [sum(count[:i]) for i in range(len(count))]
    outer = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1", "classifier": "_fc"}
    for name in net.state_dict():
        head, _, part = name.rpartition(".")
        if head in outer:
            names[name] = f"{outer[head]}.{part}"
            continue
        _, stage, index, inner = head.split(".", 3)
        first = {"bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
        rest = {"conv_pw": "_expand_conv", "bn1": "_bn0", "bn2": "_bn1", "conv_pwl": "_project_conv", "bn3": "_bn2"}
        inner = "_depthwise_conv" if inner == "conv_dw" else (first if stage == "0" else rest)[inner]
        names[name] = f"_blocks.{starts[int(stage)] + int(index)}.{inner}.{part}"
    have = net.state_dict()
    net.load_state_dict({n: state[names[n]] if names[n] in state else have[n] for n in have})
    return net.eval()


def peer(args):
    import numpy as np
    import torch
    from PIL import Image
    from safetensors.torch import load_file
    from sklearn.metrics import average_precision_score, roc_auc_score
    from torch.nn import functional as F

    torch.set_num_threads(args.threads)
    root = pathlib.Path(args.data)
    net = ours_to_timm(load_file(args.weights))
    photos = {split: sorted(p for p in (root / split).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png")) for split in ("train", "test")}

    def read(path):
        rgb = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None].float() / 255
        return (F.interpolate(rgb, (SIDE, SIDE), mode="bilinear", antialias=True) - 0.5) / 0.5, rgb.shape[2:]

    def cells(x):
        taps, x = [], net.bn1(net.conv_stem(x))
        for stage, block in enumerate(net.blocks[:5]):
            x = block(x)
            if stage in (2, 4):
                taps.append(F.avg_pool2d(x, 3, 1, 1))
        taps[1] = F.interpolate(taps[1], taps[0].shape[2:], mode="bilinear")
        return torch.cat(taps, 1).permute(0, 2, 3, 1).reshape(-1, 152)

    kernel = torch.exp(-0.5 * (torch.arange(-16.0, 17.0) / 4) ** 2)
    kernel /= kernel.sum()

    def blur(grid):
        x = F.pad(F.interpolate(grid[None, None], (SIDE, SIDE), mode="bilinear"), (16, 16, 16, 16), mode="reflect")
        return F.conv2d(F.conv2d(x, kernel[None, None, :, None]), kernel[None, None, None])

    with torch.no_grad():
        rows = torch.cat([cells(torch.cat([read(p)[0] for p in photos["train"][i:i + 8]])) for i in range(0, len(photos["train"]), 8)])
        wanted = int(len(rows) * RATIO)
        made = wanted if args.picks == 0 else min(args.picks, wanted)
        norms, least, picks = rows.square().sum(1), torch.full((len(rows),), torch.inf), [0]
        began = time.perf_counter()
        while len(picks) < made:
            c = picks[-1]
            torch.minimum(least, torch.addmv(norms, rows, rows[c], alpha=-2).add_(norms[c]), out=least)
            least[c] = -1
            picks.append(int(least.argmax()))
        missing = (time.perf_counter() - began) / made * (wanted - made)
        rest = torch.ones(len(rows), dtype=bool)
        rest[picks] = False
        bank = torch.cat([rows[picks], rows[rest][:wanted - made]])
        scores, labels, maps, masks = [], [], [], []
        began = time.perf_counter()
        some = photos["test"][::args.every]
        for path in some:
            x, size = read(path)
            m = blur(torch.cdist(cells(x), bank).amin(1).reshape(40, 40))
            scores.append(float(m.max()))
            labels.append(int(path.parent.name != "good"))
            maps.append(F.interpolate(m, size, mode="bilinear")[0, 0].numpy().ravel())
            mask = root / "ground_truth" / path.parent.name / f"{path.stem}_mask.png"
            masks.append(np.asarray(Image.open(mask).convert("L")).ravel() > 127 if mask.exists() else np.zeros(maps[-1].size, bool))
    missing += (time.perf_counter() - began) * (len(photos["test"]) / len(some) - 1)
    maps, masks = np.concatenate(maps), np.concatenate(masks)
    found = {"image_auroc": roc_auc_score(labels, scores), "image_ap": average_precision_score(labels, scores),
             "pixel_auroc": roc_auc_score(masks, maps), "pixel_ap": average_precision_score(masks, maps),
             "counted_up": missing, "picks": [made, wanted], "photos": [len(some), len(photos["test"])]}
    print(json.dumps(found))


def timed(line, env):
    began = time.perf_counter()
    out = subprocess.run(line, check=True, stdout=subprocess.PIPE, env=env).stdout
    return time.perf_counter() - began, json.loads(out)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data")
    p.add_argument("--physad", help="the command")
    p.add_argument("--weights", required=True)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--picks", type=int, default=500)
    p.add_argument("--every", type=int, default=4)
    p.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.peer:
        peer(args)
        return
    env = dict(os.environ, OMP_NUM_THREADS=str(args.threads))
    ours, result = timed([args.physad, "eval", args.data, "--method", "patchcore", "--threads", str(args.threads), "--json", "-"], env)
    theirs, other = timed([sys.executable, __file__, "--peer", *sys.argv[1:]], env)
    print(f"physad {ours:.1f} s: fit {result['seconds']['fit']:.1f}, score {result['seconds']['score']:.1f}, "
          f"metrics {result['seconds']['metrics']:.1f}; image AUROC {result['image_auroc']:.4f}, pixel {result['pixel_auroc']:.4f}")
    print(f"torch {theirs + other['counted_up']:.1f} s: {theirs:.1f} measured with {other['picks'][0]} of {other['picks'][1]} picks and "
          f"{other['photos'][0]} of {other['photos'][1]} photos, "
          f"{other['counted_up']:.1f} counted up; image AUROC {other['image_auroc']:.4f}, pixel {other['pixel_auroc']:.4f}")
    print(f"ratio {(theirs + other['counted_up']) / ours:.1f} (without what was counted up: {theirs / ours:.1f})")


if __name__ == "__main__":
    main()
