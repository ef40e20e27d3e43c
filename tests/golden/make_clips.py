#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Forward pass, loss, gradients and scores of the methods that train on clips, restated in PyTorch: train/clips.safetensors for
tests/unit/test_clips.c.

Usage: make_clips.py DIRECTORY
Parameters and inputs are waves that the test makes as well (wave() below), so that the file holds results alone: per method `loss`,
`made` (every 37th number of the network's output), `terms` (parts of each clip's score), `memory` after an update, and for every
parameter `d.<name>`: the gradient's 2-norm and its product with a wave. Names of parameters and the order of numbers (channels last)
are the library's. Networks are small: frames of 32 x 32, four channels in the first layer, batches of two.
"""
import math
import pathlib
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

SIZE, WIDTH, BATCH, ITEMS = 32, 4, 2, 10


def wave(count, phase):
    i = torch.arange(count, dtype=torch.float64)
    return torch.sin(0.7 * i + phase) * torch.cos(0.013 * i * (1 + phase / 50))


def phase(name):
    return sum(name.encode()) % 97 / 7


class Net:
    """Parameters by name, made when first asked for."""

    def __init__(self, norm):
        self.p, self.norm = {}, norm

    def get(self, name, shape):
        if name not in self.p:
            v = wave(math.prod(shape), phase(name)).reshape(shape)
            if len(shape) > 1:
                v = v * 2 / math.sqrt(math.prod(shape[1:]))
            elif name.endswith("norm.weight"):
                v = 1 + 0.2 * v
            else:
                v = 0.1 * v
            self.p[name] = v.float().requires_grad_()
        return self.p[name]

    def bn(self, x, name, act):
        c = x.shape[1]
        w, b = self.get(f"{name}.norm.weight", (c,)), self.get(f"{name}.norm.bias", (c,))
        return act(F.batch_norm(x, torch.zeros(c), torch.ones(c), w, b, training=True))

    def conv(self, x, name, c, act=F.relu, norm=None, stride=1):
        n = x.dim() - 2
        w = self.get(f"{name}.weight", (c, x.shape[1]) + (3,) * n)
        x = (F.conv3d if n == 3 else F.conv2d)(x, w, self.get(f"{name}.bias", (c,)), stride, 1)
        return self.bn(x, name, act) if (self.norm if norm is None else norm) else act(x)

    def deconv(self, x, name, c, act=F.relu, norm=None, stride=2):
        n = x.dim() - 2
        extra = tuple(s - 1 for s in stride) if isinstance(stride, tuple) else stride - 1
        w = self.get(f"{name}.weight", (x.shape[1], c) + (3,) * n)
        x = (F.conv_transpose3d if n == 3 else F.conv_transpose2d)(x, w, self.get(f"{name}.bias", (c,)), stride, 1, extra)
        return self.bn(x, name, act) if (self.norm if norm is None else norm) else act(x)

    def block(self, x, name, c):
        return self.conv(self.conv(x, f"{name}.0", c), f"{name}.1", c)

    def encode(self, x):
        skips = []
        for i in range(3):
            skips.append(self.block(x, f"encoder.{i + 1}", WIDTH << i))
            x = F.max_pool2d(skips[i], 2)
        return self.conv(self.conv(x, "encoder.4.0", 8 * WIDTH), "encoder.4.1", 8 * WIDTH, lambda v: v, False), skips


def frames(count, channels, phase):
    """Pixels between -1 and 1, N H W (frames channels), as N C H W."""
    x = wave(BATCH * SIZE * SIZE * count * channels, phase).float()
    return x.reshape(BATCH, SIZE, SIZE, count * channels).permute(0, 3, 1, 2)


def last(x):
    return x.permute(0, *range(2, x.dim()), 1).contiguous()


def psnr_term(made, want):
    return 10 * torch.log10(((made - want) / 2).square().flatten(1).mean(1))


def mnad(out, name, predicts):
    net, weight = Net(True), 0.1 if predicts else 0.01
    target = frames(1, 3, 3.0)
    x = frames(4, 3, 1.0) if predicts else target
    q, skips = net.encode(x)
    memory = F.normalize(wave(ITEMS * 8 * WIDTH, phase("memory.items")).float().reshape(ITEMS, -1), dim=1)
    q = F.normalize(q, dim=1).permute(0, 2, 3, 1)
    grid, q = q.shape, q.reshape(-1, 8 * WIDTH)
    scores = q @ memory.T
    read = scores.softmax(1).detach() @ memory
    top = scores.topk(2, 1)[1]
    near, far = memory[top[:, 0]], memory[top[:, 1]]
    x = torch.cat([q, read], 1).reshape(*grid[:3], -1).permute(0, 3, 1, 2)
    x = net.block(x, "decoder.4", 8 * WIDTH)
    for i in (2, 1, 0):
        x = net.deconv(x, f"decoder.up{i + 2}", (WIDTH if predicts else 2 * WIDTH) << i)
        x = torch.cat([skips[i], x], 1) if predicts else x
        x = net.block(x, f"decoder.{i + 1}", WIDTH << i)
    made = net.conv(x, "decoder.out", 3, torch.tanh, False)
    loss = F.mse_loss(made, target) + weight * (F.mse_loss(q, near) + F.triplet_margin_loss(q, near, far))
    finish(out, name, net, loss, made)
    out[f"{name}.terms"] = torch.stack([psnr_term(made, target), (q - near).square().reshape(BATCH, -1).mean(1)], 1)
    with torch.no_grad():
        p_query, moved = scores.softmax(0), memory.clone()
        for i in range(ITEMS):
            mine = top[:, 0] == i
            moved[i] += (p_query[mine, i] / p_query[:, i].max()) @ q[mine]
        out[f"{name}.memory"] = F.normalize(moved, dim=1)


def spread(p):
    d = (1 - (p.unsqueeze(1) - p.unsqueeze(2)).square().sum(-1)).clamp(min=0)
    n = p.shape[1]
    return (d.triu(1).sum((1, 2)) * 2 / (n * (n - 1))).mean()


def mpn(out):
    net, target = Net(False), frames(1, 3, 3.0)
    x, skips = net.encode(frames(4, 3, 1.0))
    x = net.block(x, "decoder.4", 8 * WIDTH)
    for i in (2, 1, 0):
        x = torch.cat([skips[i], net.deconv(x, f"decoder.up{i + 2}", WIDTH << i)], 1)
        x = net.block(x, f"decoder.{i + 1}", WIDTH << i) if i else x
    x = F.normalize(x, dim=1).permute(0, 2, 3, 1).flatten(1, 2)
    w = F.linear(x, net.get("dpu.attention.weight", (ITEMS, 2 * WIDTH))).softmax(1)
    p = F.normalize(w.mT @ x, dim=-1)
    scores = x @ p.mT
    y = F.normalize(scores.softmax(-1) @ p, dim=-1) + x
    near = torch.gather(p, 1, scores.argmax(-1, keepdim=True).expand_as(x))
    body = net.block(y.reshape(BATCH, SIZE, SIZE, -1).permute(0, 3, 1, 2), "head", WIDTH)
    made = net.conv(body, "head.out", 3, torch.tanh)
    loss = F.mse_loss(made, target) + F.mse_loss(x, near) + 1e-4 * spread(p)
    finish(out, "mpn", net, loss, made)
    feature = 10 * torch.log10((x - near).square().flatten(1).mean(1))
    out["mpn.terms"] = torch.stack([psnr_term(made, target), feature], 1)


def mpn_head(get, x, target):
    """Loss from features x (N, pixels, C) by parameters get(name, shape)."""
    w = F.linear(x, get("dpu.attention.weight", (ITEMS, 2 * WIDTH))).softmax(1)
    p = F.normalize(w.mT @ x, dim=-1)
    scores = x @ p.mT
    y = (F.normalize(scores.softmax(-1) @ p, dim=-1) + x).reshape(-1, SIZE, SIZE, 2 * WIDTH).permute(0, 3, 1, 2)
    near = torch.gather(p, 1, scores.argmax(-1, keepdim=True).expand_as(x))
    for name, c, act in (("head.0", WIDTH, F.relu), ("head.1", WIDTH, F.relu), ("head.out", 3, torch.tanh)):
        y = act(F.conv2d(y, get(f"{name}.weight", (c, y.shape[1], 3, 3)), get(f"{name}.bias", (c,)), 1, 1))
    return F.mse_loss(y, target) + F.mse_loss(x, near) + 1e-4 * spread(p)


def mpn_task(out):
    """The loss of a task's second half after one step on its first, by theta and by the step sizes, second order."""
    net, alpha = Net(False), 0.05
    x = F.normalize(wave(4 * SIZE * SIZE * 2 * WIDTH, 4.0).float().reshape(4, SIZE * SIZE, -1), dim=-1)
    target = wave(4 * SIZE * SIZE * 3, 3.0).float().reshape(4, SIZE, SIZE, 3).permute(0, 3, 1, 2)
    inner = mpn_head(net.get, x[:2], target[:2])
    names = list(net.p)
    steps = {k: torch.full_like(net.p[k], alpha).requires_grad_() for k in names}
    g = torch.autograd.grad(inner, [net.p[k] for k in names], create_graph=True)
    moved = {k: net.p[k] - steps[k] * d for k, d in zip(names, g)}
    loss = mpn_head(lambda k, shape: moved[k], x[2:], target[2:])
    loss.backward()
    out["task.loss"] = loss.reshape(1)
    for k in names:
        out[f"task.d.{k}"], out[f"task.step.{k}"] = net.p[k].grad, steps[k].grad


def memae_clips(phase):
    return wave(BATCH * 16 * SIZE * SIZE, phase).float().reshape(BATCH, 1, 16, SIZE, SIZE)


def memae_pass(net, x):
    items, width = 50, (6, 8, 16, 16)
    leaky = lambda v: F.leaky_relu(v, 0.2)  # noqa: E731
    z = net.conv(x, "encoder.1", width[0], leaky, stride=(1, 2, 2))
    for i in (1, 2, 3):
        z = net.conv(z, f"encoder.{i + 1}", width[i], leaky, stride=2)
    grid, rows = last(z).shape, last(z).reshape(-1, width[3])
    memory = net.get("memory", (items, width[3]))
    w = (rows @ memory.T).softmax(1)
    d = w - 0.02
    w = F.normalize(F.relu(d) * w / (d.abs() + 1e-12), p=1, dim=1)
    y = (w @ memory).reshape(grid).permute(0, 4, 1, 2, 3)
    for i, c in ((1, width[3]), (2, width[1]), (3, width[0])):
        y = net.deconv(y, f"decoder.{i}", c, leaky)
    made = net.deconv(y, "decoder.4", 1, lambda v: v, False, (1, 2, 2))
    return made, F.mse_loss(made, x) + 0.0002 * -(w * (w + 1e-12).log()).sum(1).mean()


def memae(out):
    net, x = Net(True), memae_clips(2.0)
    made, loss = memae_pass(net, x)
    finish(out, "memae", net, loss, made)
    out["memae.terms"] = torch.stack([(made - x).abs().flatten(1).mean(1), torch.zeros(BATCH)], 1)


def memae_run(out):
    """Losses of twenty steps of Adam, each on other clips."""
    net, losses = Net(True), []
    memae_pass(net, memae_clips(2.0))  # makes the parameters
    adam = torch.optim.Adam(net.p.values(), 1e-3)
    for step in range(20):
        loss = memae_pass(net, memae_clips(2 + 0.1 * step))[1]
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.detach())
    out["memae.run"] = torch.stack(losses)


def finish(out, name, net, loss, made):
    loss.backward()
    out[f"{name}.loss"] = loss.reshape(1)
    out[f"{name}.made"] = last(made).flatten()[::37]
    for k, v in net.p.items():
        g = v.grad.flatten().double()
        out[f"{name}.d.{k}"] = torch.stack([g.norm(), (g * wave(g.numel(), 0.5)).sum()])


def main():
    out = {}
    torch.set_num_threads(1)
    mnad(out, "mnad-pred", True)
    mnad(out, "mnad-recon", False)
    memae(out)
    memae_run(out)
    mpn(out)
    mpn_task(out)
    folder = pathlib.Path(sys.argv[1]) / "train"
    folder.mkdir(exist_ok=True)
    save_file({k: v.detach().float().contiguous() for k, v in sorted(out.items())}, folder / "clips.safetensors")


main()
