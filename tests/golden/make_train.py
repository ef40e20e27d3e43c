#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Values and gradients of every layer that trains, and losses of small runs, by PyTorch: train/layers.safetensors for
tests/unit/test_tape.c, train/runs.safetensors for tests/unit/test_train.c.

Usage: make_train.py DIRECTORY
Per case: x0, x1, ... inputs, p.<name> parameters, y the output, g what it is weighed with (the loss is their dot product; where
the output is one number, g is 1), d.<input or parameter> gradients, s.<name> statistics after the run. Arrays are channels last.
"""
import pathlib
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

out = {}


def last(x):
    """N C ... to N ... C."""
    return x.permute(0, *range(2, x.dim()), 1).contiguous() if x.dim() >= 4 else x.contiguous()


def first(x):
    return x.permute(0, x.dim() - 1, *range(1, x.dim() - 1)).contiguous() if x.dim() >= 4 else x


def case(name, f, *inputs, module=None, images=True):
    """`inputs` as the test sees them; `f` gets them channels first where `images`."""
    leaves = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    y = f(*[first(x) if images else x for x in leaves])
    y = last(y) if images else y
    g = torch.randn_like(y) if y.dim() else torch.ones(())
    before = {k: v.detach().clone() for k, v in module.named_parameters()} if module is not None else {}
    (y * g).sum().backward()
    for i, x in enumerate(leaves):
        out[f"{name}.x{i}"] = x.detach().float()
        if x.grad is not None:
            out[f"{name}.d.x{i}"] = x.grad
    out[f"{name}.y"] = y.detach().reshape(y.shape or (1,))
    out[f"{name}.g"] = g.reshape(g.shape or (1,))
    if module is not None:
        for k, v in module.named_parameters():
            out[f"{name}.p.{k}"] = before[k]
            out[f"{name}.d.{k}"] = v.grad
        for k, v in module.named_buffers():
            if v.is_floating_point():
                out[f"{name}.s.{k}"] = v


def layer(name, module, *inputs, **kw):
    with torch.no_grad():
        for k, p in module.named_parameters():
            if p.dim() == 1:
                p.add_(0.2 * torch.randn_like(p))
    case(name, module, *inputs, module=module, **kw)


class Attention(nn.Module):
    """Two heads of four on rows (B, T, 8), as the test builds it from products and a softmax."""

    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x):
        b, t, _ = x.shape
        q, k, v = self.qkv(x).reshape(b, t, 3, 2, 4).permute(2, 0, 3, 1, 4)
        return self.out(F.scaled_dot_product_attention(q, k, v).permute(0, 2, 1, 3).reshape(b, t, 8))


def convolutions():
    r = torch.randn
    layer("conv", nn.Conv2d(5, 8, 3, 1, 1), r(3, 7, 6, 5))
    layer("conv_stride", nn.Conv2d(4, 6, 3, 2, 1, bias=False), r(2, 9, 8, 4))
    layer("conv_one", nn.Conv2d(16, 3, 1), r(2, 4, 5, 16))
    layer("conv_five", nn.Conv2d(3, 4, 5, 1, 2), r(2, 6, 7, 3))
    layer("conv_valid", nn.Conv2d(3, 16, 4), r(10, 6, 6, 3))
    layer("conv3", nn.Conv3d(2, 5, 3, 1, 1), r(2, 4, 5, 6, 2))
    layer("conv3_stride", nn.Conv3d(1, 6, 3, (1, 2, 2), 1), r(2, 4, 6, 6, 1))
    layer("deconv", nn.ConvTranspose2d(6, 4, 3, 2, 1, 1), r(2, 4, 5, 6))
    layer("deconv_flat", nn.ConvTranspose2d(4, 5, 3, 1, 1), r(2, 4, 5, 4))
    layer("deconv3", nn.ConvTranspose3d(4, 3, 3, 2, 1, 1), r(2, 2, 3, 3, 4))
    layer("deconv3_stride", nn.ConvTranspose3d(3, 1, 3, (1, 2, 2), 1, (0, 1, 1)), r(2, 3, 3, 4, 3))


def pools():
    r = torch.randn
    case("max_pool", lambda x: F.max_pool2d(x, 2), r(2, 6, 8, 3))
    case("max_pool_overlap", lambda x: F.max_pool2d(x, 3, 2, 1), r(2, 7, 8, 3))
    case("max_pool3", lambda x: F.max_pool3d(x, 2), r(2, 4, 4, 6, 3))
    case("avg_pool", lambda x: F.avg_pool2d(x, 3, 2, 1), r(2, 7, 8, 3))
    case("avg_pool3", lambda x: F.avg_pool3d(x, 2), r(2, 4, 4, 6, 3))
    case("global_pool", lambda x: x.mean((2, 3)), r(2, 5, 4, 6))
    case("nearest", lambda x: F.interpolate(x, (7, 9)), r(2, 3, 4, 3))
    case("bilinear", lambda x: F.interpolate(x, (7, 9), mode="bilinear"), r(2, 3, 4, 3))
    case("bilinear_down", lambda x: F.interpolate(x, (3, 2), mode="bilinear"), r(2, 7, 5, 3))
    case("corners", lambda x: F.interpolate(x, (7, 9), mode="bilinear", align_corners=True), r(2, 3, 4, 3))


class BatchNorm(nn.Module):
    def __init__(self, channels, places, act):
        super().__init__()
        self.n, self.act = (nn.BatchNorm3d if places == 3 else nn.BatchNorm2d)(channels), act

    def forward(self, x):
        return self.act(self.n(x))


def norms():
    r = torch.randn
    layer("batch_norm", BatchNorm(5, 2, nn.Identity()), r(3, 4, 6, 5) * 2 + 1)
    layer("batch_norm_relu", BatchNorm(5, 2, nn.ReLU()), r(3, 4, 6, 5) * 2 + 1)
    layer("batch_norm_leaky", BatchNorm(4, 3, nn.LeakyReLU(0.2)), r(2, 2, 3, 4, 4) * 3 - 1)
    layer("layer_norm", nn.LayerNorm(12), r(7, 12), images=False)
    layer("group_norm", nn.GroupNorm(2, 6), r(3, 4, 5, 6))
    case("instance_norm", F.instance_norm, r(2, 4, 5, 3))


def points():
    r = torch.randn
    for name in ("relu", "sigmoid", "tanh", "silu", "gelu"):
        case(name, getattr(F, name) if name in ("relu", "silu", "gelu") else getattr(torch, name), r(6, 7), images=False)
    case("leaky", lambda x: F.leaky_relu(x, 0.2), r(6, 7), images=False)
    case("arithmetic", lambda a, b: (a + b) * (a - b) * 1.5 + a * a + (a + a) - 0.25, r(4, 5), r(4, 5), images=False)
    case("shrink", lambda x: F.relu(x - 0.1) * x / ((x - 0.1).abs() + 1e-12), torch.rand(5, 9), images=False)
    case("normalize", lambda x: F.normalize(x, dim=-1), r(5, 9), images=False)
    case("normalize_sum", lambda x: F.normalize(x, p=1, dim=-1), torch.rand(5, 9) + 0.01, images=False)
    case("softmax", lambda x: x.softmax(-1), r(5, 9) * 2, images=False)
    case("softmax_rows", lambda x: x.softmax(1), r(2, 9, 3) * 2, images=False)


def matrices():
    r = torch.randn
    layer("linear", nn.Linear(9, 4), r(2, 5, 9), images=False)
    layer("linear_long", nn.Linear(3, 2), r(3000, 3), images=False)
    case("product", lambda a, b: a @ b, r(2, 4, 5), r(2, 5, 3), images=False)
    case("product_turn_a", lambda a, b: a.mT @ b, r(2, 5, 4), r(2, 5, 3), images=False)
    case("product_turn_b", lambda a, b: a @ b.mT, r(2, 4, 5), r(2, 3, 5), images=False)
    case("product_turn_both", lambda a, b: a.mT @ b.mT, r(2, 5, 4), r(2, 3, 5), images=False)
    case("product_shared", lambda a, b: a @ b.mT, r(2, 4, 5), r(3, 5), images=False)
    layer("attention", Attention(), r(2, 6, 8), images=False)


def moves():
    r = torch.randn
    case("concat", lambda a, b: torch.cat([a, b], -1), r(3, 4, 2), r(3, 4, 5), images=False)
    case("slice", lambda x: x[:, 1:3], r(2, 4, 3), images=False)
    case("slice_channels", lambda x: x[..., 2:5], r(2, 4, 6), images=False)
    case("permute", lambda x: x.permute(2, 0, 3, 1), r(2, 3, 4, 5), images=False)
    case("reshape", lambda x: torch.tanh(x.reshape(4, 6)) + x.reshape(4, 6), r(2, 3, 4), images=False)
    case("gather", lambda a, i: a[i], r(4, 3), torch.tensor([2, 0, 2, 3, 2]), images=False)
    case("gather_tables", lambda a, i: torch.stack([a[k][i.reshape(2, 3)[k]] for k in range(2)]).reshape(6, 3), r(2, 4, 3),
         torch.tensor([2, 0, 2, 3, 2, 1]), images=False)
    case("detach", lambda x: x * x.detach(), r(3, 4), images=False)


def spread(x):
    d = 1 - (x.unsqueeze(1) - x.unsqueeze(2)).square().sum(-1)
    n = x.shape[1]
    return (d.clamp(min=0).triu(1).sum((1, 2)) * 2 / (n * (n - 1))).mean()


def losses():
    r = torch.randn
    case("mse", F.mse_loss, r(4, 5), r(4, 5), images=False)
    case("l1", F.l1_loss, r(4, 5), r(4, 5), images=False)
    case("bce", F.binary_cross_entropy_with_logits, r(4, 5), torch.rand(4, 5), images=False)
    case("cross_entropy", F.cross_entropy, r(4, 5), torch.tensor([0, 4, 2, 2]), images=False)
    case("cosine", lambda a, b: (1 - F.cosine_similarity(a, b, -1)).mean(), r(4, 5), r(4, 5), images=False)
    case("entropy", lambda p: -(p * (p + 1e-12).log()).sum(-1).mean(), torch.rand(4, 5), images=False)
    case("triplet", F.triplet_margin_loss, r(6, 5), r(6, 5), r(6, 5), images=False)
    case("spread", spread, F.normalize(r(2, 4, 3), dim=-1), images=False)
    case("mean", torch.mean, r(4, 5), images=False)


class Small(nn.Module):
    """A small encoder and decoder with a skip and a second head."""

    def __init__(self):
        super().__init__()
        self.c1, self.n1 = nn.Conv2d(2, 6, 3, 1, 1), nn.BatchNorm2d(6)
        self.c2, self.n2 = nn.Conv2d(6, 8, 3, 1, 1), nn.BatchNorm2d(8)
        self.up, self.c3, self.head = nn.ConvTranspose2d(8, 6, 3, 2, 1, 1), nn.Conv2d(12, 2, 3, 1, 1), nn.Linear(8, 3)

    def forward(self, x):
        a = F.relu(self.n1(self.c1(x)))
        b = F.leaky_relu(self.n2(self.c2(F.max_pool2d(a, 2))), 0.2)
        y = torch.tanh(self.c3(torch.cat([a, self.up(b)], 1)))
        return y, self.head(b.mean((2, 3)))


def runs():
    """Losses of 20 steps, in f32 and in mixed precision: mean((y - x / 2)^2) + 0.1 cross entropy; five steps are an epoch of the
    schedules."""
    kinds = {
        "adam": (lambda p: torch.optim.Adam(p, 3e-3, weight_decay=1e-3), None, 0),
        "adamw_cosine": (lambda p: torch.optim.AdamW(p, 5e-3, betas=(0.5, 0.999)), lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 4), 0),
        "sgd_steps": (lambda p: torch.optim.SGD(p, 0.1, 0.9, weight_decay=1e-3), lambda o: torch.optim.lr_scheduler.StepLR(o, 2, 0.3), 0),
        "sgd_clip": (lambda p: torch.optim.SGD(p, 0.1), None, 0.25),
    }
    made = {"x": torch.randn(20, 4, 8, 8, 2) * 0.7, "labels": torch.randint(0, 3, (20, 4)).float()}
    net = Small()
    start = {k: v.clone() for k, v in net.state_dict().items()}
    made.update({f"p.{k}": v for k, v in start.items() if v.is_floating_point() and "running" not in k})
    for name, (make, schedule, clip) in kinds.items():
        for mixed in (False, True):
            net.load_state_dict(start)
            optimizer = make(net.parameters())
            scheduler = schedule(optimizer) if schedule else None
            losses = []
            for step in range(20):
                x = first(made["x"][step])
                with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
                    y, logits = net(x)
                loss = F.mse_loss(y.float(), x / 2) + 0.1 * F.cross_entropy(logits.float(), made["labels"][step].long())
                optimizer.zero_grad()
                loss.backward()
                if clip:
                    nn.utils.clip_grad_norm_(net.parameters(), clip)
                optimizer.step()
                losses.append(loss.item())
                if scheduler and step % 5 == 4:
                    scheduler.step()
            made[f"{'mixed' if mixed else 'losses'}.{name}"] = torch.tensor(losses)
    return made


def main():
    torch.manual_seed(1)
    torch.set_num_threads(1)
    for part in (convolutions, pools, norms, points, matrices, moves, losses):
        part()
    folder = pathlib.Path(sys.argv[1]) / "train"
    folder.mkdir(exist_ok=True)
    save_file({k: v.detach().float().contiguous() for k, v in sorted(out.items())}, folder / "layers.safetensors")
    save_file({k: v.detach().float().contiguous() for k, v in sorted(runs().items())}, folder / "runs.safetensors")


main()
