#!/usr/bin/env python3
"""Writes backbones.json: layer outputs of torchvision's, timm's and efficientnet_pytorch's backbones, for test_features.c.

Weights and images are drawn by a formula that the test computes as well, so only sampled outputs are stored. With --lite0 FILE
(the published EfficientNet-lite0 checkpoint) the outputs with its real weights are added.
Needs torch, torchvision, timm, efficientnet_pytorch (0.7.1), anomalib.
"""
import argparse
import copy
import json
import math
import pathlib

import efficientnet_pytorch
import numpy as np
import timm
import torch
import torchvision
from torch.nn import functional as F

M64 = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
SEED = 20
SAMPLES = 64


def mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M64
    return z ^ (z >> 31)


def key_of(seed, name):
    """First output of xoshiro256**, seeded through splitmix64 by the seed and the name's FNV-1a hash."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & M64
    x = seed ^ mix((h + GOLDEN) & M64)
    state = []
    for _ in range(4):
        x = (x + GOLDEN) & M64
        state.append(mix(x))
    r = (state[1] * 5) & M64
    r = ((r << 7) | (r >> 57)) & M64
    return (r * 9) & M64


def elements(key, count):
    with np.errstate(over="ignore"):
        z = np.uint64(key) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(GOLDEN)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def normal(name, shape, deviation=1.0, seed=SEED):
    count = math.prod(shape)
    e = elements(key_of(seed, name), count + count % 2) >> np.uint64(11)
    u = (e[0::2] + np.uint64(1)).astype(np.float64) * 2.0**-53
    v = e[1::2].astype(np.float64) * 2.0**-53
    r = deviation * np.sqrt(-2 * np.log(u))
    pair = np.stack([r * np.cos(2 * math.pi * v), r * np.sin(2 * math.pi * v)], axis=1)
    return pair.reshape(-1)[:count].reshape(shape).astype(np.float32)


def parameter(name, shape):
    if len(shape) > 1:
        fan_in = math.prod(shape[1:])
        return normal(name, shape, math.sqrt((2.0 if len(shape) == 4 else 1.0) / fan_in))
    z = normal(name, shape).astype(np.float64)
    if name.endswith(".running_var"):
        return (0.5 + z * z).astype(np.float32)
    return ((1.0 if name.endswith(".weight") else 0.0) + 0.1 * z).astype(np.float32)


def load(model, ours):
    """Fills the model; `ours` gives the library's name of a parameter."""
    state = model.state_dict()
    for name, value in state.items():
        if not name.endswith("num_batches_tracked"):
            state[name] = torch.from_numpy(parameter(ours(name), tuple(value.shape)))
    model.load_state_dict(state)
    return model.eval()


def timm_to_ours(repeats, first):
    """timm's names of an EfficientNet to efficientnet_pytorch's, by counting blocks."""
    starts = np.concatenate([[0], np.cumsum(repeats)])

    def rename(name):
        head, _, part = name.rpartition(".")
        outer = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1", "classifier": "_fc"}
        if head in outer:
            return outer[head] + "." + part
        _, stage, index, rest = head.split(".", 3)
        block = starts[int(stage)] + int(index)
        inner = {"conv_dw": "_depthwise_conv", "se.conv_reduce": "_se_reduce", "se.conv_expand": "_se_expand"}
        if int(stage) == 0:
            inner |= {"bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
        else:
            inner |= {"conv_pw": "_expand_conv", "bn1": "_bn0", "bn2": "_bn1", "conv_pwl": "_project_conv", "bn3": "_bn2"}
        return f"_blocks.{block}.{inner[rest]}.{part}"

    return rename


def image(height, width):
    return torch.from_numpy(normal(f"image {height} {width}", (height, width, 3))).permute(2, 0, 1)[None]


def summary(name, x):
    x = x[0].permute(1, 2, 0).contiguous().numpy() if x.ndim == 4 else x[0].numpy().reshape(1, 1, -1)
    flat = x.reshape(-1)
    index = (elements(key_of(SEED, "samples " + name), SAMPLES) % np.uint64(flat.size)).astype(np.int64)
    return {"name": name, "shape": list(x.shape), "sum": float(flat.astype(np.float64).sum()),
            "abs": float(np.abs(flat.astype(np.float64)).sum()),
            "index": index.tolist(), "value": [float(f"{v:.9g}") for v in flat[index]]}


def run_resnet(model, x):
    out = {"stem": model.relu(model.bn1(model.conv1(x)))}
    y = model.maxpool(out["stem"])
    for i in range(1, 5):
        y = out[f"layer{i}"] = getattr(model, f"layer{i}")(y)
    out["pool"] = model.avgpool(y)
    out["logits"] = model.fc(torch.flatten(out["pool"], 1))
    return out


def run_timm(model, x):
    y = model.bn1(model.conv_stem(x))
    out, index = {"stem": y}, 0
    for stage in model.blocks:
        for block in stage:
            y = out[f"b{index}"] = block(y)
            index += 1
    y = out["head"] = model.bn2(model.conv_head(y))
    out["pool"] = model.global_pool(y)
    out["logits"] = model.classifier(out["pool"])
    return out


def run_lukemelas(model, x):
    y = model._swish(model._bn0(model._conv_stem(x)))
    out = {"stem": y}
    for i, block in enumerate(model._blocks):
        y = out[f"b{i}"] = block(y)
    y = out["head"] = model._swish(model._bn1(model._conv_head(y)))
    out["pool"] = model._avg_pooling(y)
    out["logits"] = model._fc(out["pool"].flatten(1))
    return out


def case(backbone, padding, model, run, size, layers, weights="formula"):
    """The layers' outputs, and how far off they are when torch computes in bf16 (relative distance): what bf16 may cost."""
    with torch.no_grad():
        out = run(model, image(*size))
        rough = run(copy.deepcopy(model).bfloat16(), image(*size).bfloat16())
    off = {n: float((rough[n].float() - out[n]).norm() / out[n].norm()) for n in layers}
    return {"backbone": backbone, "padding": padding, "weights": weights, "height": size[0], "width": size[1],
            "layers": [summary(name, out[name]) | {"bf16": float(f"{off[name]:.3g}")} for name in layers]}


LITE0 = [1, 2, 2, 3, 3, 4, 1]
B4 = [2, 4, 4, 6, 6, 8, 2]
RESNET_LAYERS = ["stem", "layer1", "layer2", "layer3", "layer4", "pool", "logits"]


def backbones(lite0):
    for name, size in (("resnet18", (128, 160)), ("resnet34", (97, 64)), ("resnet50", (64, 96)), ("wide_resnet50_2", (96, 65))):
        layers = RESNET_LAYERS if name == "resnet18" else RESNET_LAYERS[:4]  # the test draws only the weights it needs
        yield case(name, 0, load(getattr(torchvision.models, name)(weights=None), lambda n: n), run_resnet, size, layers)
    lite = ["stem", "b0", "b2", "b4", "b10", "b15", "logits"]
    ours = timm_to_ours(LITE0, "conv")
    symmetric = load(timm.create_model("efficientnet_lite0", bn_eps=1e-3), ours)
    same = load(timm.create_model("tf_efficientnet_lite0"), ours)
    yield case("efficientnet-lite0", 1, symmetric, run_timm, (160, 128), lite)
    yield case("efficientnet-lite0", 1, symmetric, run_timm, (97, 131), lite)
    yield case("efficientnet-lite0", 2, same, run_timm, (160, 128), lite)
    yield case("efficientnet-lite0", 2, same, run_timm, (97, 131), lite)
    four = ["stem", "b1", "b5", "b9", "b21", "b31", "logits"]
    dynamic = load(timm.create_model("tf_efficientnet_b4"), timm_to_ours(B4, "conv"))
    static = load(efficientnet_pytorch.EfficientNet.from_name("efficientnet-b4"), lambda n: n)
    yield case("efficientnet-b4", 2, dynamic, run_timm, (96, 128), four)
    yield case("efficientnet-b4", 3, static, run_lukemelas, (96, 128), four[:5])
    if lite0:
        state = torch.load(lite0, map_location="cpu", weights_only=True)
        for padding, model in ((1, "efficientnet_lite0"), (2, "tf_efficientnet_lite0")):
            model = timm.create_model(model, bn_eps=1e-3)
            model.load_state_dict({n: state[ours(n)].contiguous() for n in model.state_dict()})
            yield case("efficientnet-lite0", padding, model.eval(), run_timm, (224, 224), lite, "published")


# --- joining of layers --------------------------------------------------------------------------------------------------------

SHAPES = [(8, 7, 5), (4, 4, 12), (3, 2, 7)]


def maps():
    return [torch.from_numpy(normal(f"map {i}", s)).permute(2, 0, 1)[None] for i, s in enumerate(SHAPES)]


def anomalib_embedding(layers):
    """What anomalib's PatchCore makes of its backbone's layers."""
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel
    pooler = torch.nn.AvgPool2d(3, 1, 1)
    features = {str(i): pooler(x) for i, x in enumerate(layers)}
    return PatchcoreModel.generate_embedding(type("M", (), {"layers": list(features)})(), features)


def original_embedding(layers, dim):
    """The steps of PatchCore's first code: unfold, bring the patches to the first grid, average down twice."""
    grids, patches = [], []
    for x in layers:
        b, c, h, w = x.shape
        p = F.unfold(x, 3, padding=1).reshape(b, c, 3, 3, h * w).permute(0, 4, 1, 2, 3)
        grids.append((h, w))
        patches.append(p)
    h, w = grids[0]
    joined = []
    for (gh, gw), p in zip(grids, patches):
        flat = p.reshape(1, gh, gw, -1).permute(0, 3, 1, 2)
        if (gh, gw) != (h, w):
            flat = F.interpolate(flat, (h, w), mode="bilinear", align_corners=False)
        flat = flat.permute(0, 2, 3, 1).reshape(h * w, 1, -1)
        joined.append(F.adaptive_avg_pool1d(flat, dim).squeeze(1))
    stacked = torch.stack(joined, 1).reshape(h * w, 1, -1)
    return F.adaptive_avg_pool1d(stacked, dim).reshape(1, h, w, dim).permute(0, 3, 1, 2)


def joins():
    x = maps()
    size = x[0].shape[-2:]
    plain = [x[0]] + [F.interpolate(y, size, mode="bilinear", align_corners=False) for y in x[1:]]
    nearest = [x[0]] + [F.interpolate(y, size, mode="nearest") for y in x[1:]]
    yield {"pool": 0, "upsample": 0, "unfold_dim": 0, **summary("join anomalib", anomalib_embedding(x))}
    yield {"pool": 1, "upsample": 0, "unfold_dim": 0, **summary("join bilinear", torch.cat(plain, 1))}
    yield {"pool": 1, "upsample": 1, "unfold_dim": 0, **summary("join nearest", torch.cat(nearest, 1))}
    for dim in (16, 50, 80):  # fewer than, and more than, the 9 C values of a layer
        yield {"pool": 2, "upsample": 0, "unfold_dim": dim, **summary(f"join unfold {dim}", original_embedding(x, dim))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lite0", help="the published EfficientNet-lite0 checkpoint (.pth)")
    args = parser.parse_args()
    torch.manual_seed(0)
    result = {
        "seed": SEED,
        "versions": {m.__name__: m.__version__ for m in (torch, torchvision, timm, efficientnet_pytorch, np)},
        "backbones": list(backbones(args.lite0)),
        "join_shapes": SHAPES,
        "joins": list(joins()),
    }
    path = pathlib.Path(__file__).with_name("backbones.json")
    path.write_text(json.dumps(result, separators=(",", ":")).replace('{"backbone"', '\n{"backbone"').replace('{"name"', '\n{"name"') + "\n")


if __name__ == "__main__":
    main()
