#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A training step of MNAD's prediction network (256 x 256, batch 4) here and in PyTorch, one after the other in one run, in f32 and in
mixed bf16 (PyTorch's by autocast).

Usage: train_step.py BENCH_TRAIN [--steps 4] [--threads 2] [--size 256] [--batch 4] [--precision f32|bf16|both]
Each side is a process of its own: forward, loss, backward, update of the memory, Adam; the first step of each is left out. PyTorch runs
with its usual layout and with channels last. Prints medians of steps, and peaks of the processes: PyTorch's also less what it takes
before the network is made. Needs torch.
"""
import argparse
import re
import statistics
import subprocess
import sys


def torch_side(steps, threads, size, batch, last, mixed):
    import resource
    import time

    import torch
    import torch.nn.functional as F
    from torch import nn

    def pair(i, o, end=True):
        layers = [nn.Conv2d(i, o, 3, 1, 1), nn.BatchNorm2d(o), nn.ReLU(inplace=True), nn.Conv2d(o, o, 3, 1, 1)]
        return nn.Sequential(*layers, *([nn.BatchNorm2d(o), nn.ReLU(inplace=True)] if end else []))

    def up(i, o):
        return nn.Sequential(nn.ConvTranspose2d(i, o, 3, 2, 1, 1), nn.BatchNorm2d(o), nn.ReLU(inplace=True))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.down = nn.ModuleList([pair(12, 64), pair(64, 128), pair(128, 256), pair(256, 512, False)])
            self.ups = nn.ModuleList([up(128, 64), up(256, 128), up(512, 256)])
            self.pairs = nn.ModuleList([pair(128, 64), pair(256, 128), pair(512, 256), pair(1024, 512)])
            self.out = nn.Conv2d(64, 3, 3, 1, 1)

        def forward(self, x, memory):
            skips = []
            for layer in self.down[:3]:
                skips.append(layer(x))
                x = F.max_pool2d(skips[-1], 2)
            q = F.normalize(self.down[3](x), dim=1).permute(0, 2, 3, 1)
            grid, q = q.shape, q.reshape(-1, q.shape[-1])
            scores = q @ memory.T
            top = scores.topk(2, 1)[1]
            near, far = memory[top[:, 0]], memory[top[:, 1]]
            x = torch.cat([q, scores.softmax(1).detach() @ memory], 1).reshape(*grid[:3], -1).permute(0, 3, 1, 2)
            extra = 0.1 * (F.mse_loss(q, near) + F.triplet_margin_loss(q, near, far))
            with torch.no_grad():
                moved = memory.clone()
                for i in range(len(memory)):
                    mine = top[:, 0] == i
                    moved[i] += torch.exp(scores[mine, i] - scores[:, i].max()) @ q[mine]
            x = self.pairs[3](x)
            for i in (2, 1, 0):
                x = self.pairs[i](torch.cat([skips[i], self.ups[i](x)], 1))
            return torch.tanh(self.out(x)), extra, F.normalize(moved, dim=1)

    torch.manual_seed(1)
    torch.set_num_threads(threads)
    print("before", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    net, memory = Net(), F.normalize(torch.rand(10, 512), dim=1)
    x, y = torch.rand(batch, 12, size, size) * 2 - 1, torch.rand(batch, 3, size, size) * 2 - 1
    if last:
        net, x, y = (v.to(memory_format=torch.channels_last) for v in (net, x, y))
    adam = torch.optim.Adam(net.parameters(), 2e-4)
    for _ in range(steps):
        start = time.monotonic()
        adam.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            made, extra, memory = net(x, memory)
            loss = F.mse_loss(made.float(), y) + extra
        loss.backward()
        adam.step()
        print(f"step {time.monotonic() - start:.4f} loss {loss.item():.5f}", flush=True)
    print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def measure(name, command):
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    steps = [float(v) for v in re.findall(r"^step ([\d.]+)", text, re.M)][1:]
    peak = int(re.search(r"^peak (\d+)", text, re.M)[1])
    before = re.search(r"^before (\d+)", text, re.M)
    own = peak - int(before[1]) if before else peak
    print(f"{name:28} step {statistics.median(steps):6.3f} s ({min(steps):.3f} to {max(steps):.3f})  peak {peak} MiB, {own} its own")
    return statistics.median(steps), own


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("bench", nargs="?")
    p.add_argument("--torch", choices=["usual", "last"], help=argparse.SUPPRESS)
    p.add_argument("--precision", choices=["f32", "bf16", "both"], default="both")
    for name, value in (("steps", 4), ("threads", 2), ("size", 256), ("batch", 4)):
        p.add_argument(f"--{name}", type=int, default=value)
    a = p.parse_args()
    sizes = [a.steps, a.threads, a.size, a.batch]
    if a.torch:
        torch_side(*sizes, a.torch == "last", a.precision == "bf16")
        return
    same = [f"--{n}={v}" for n, v in zip(("steps", "threads", "size", "batch"), sizes)]
    for precision in ("f32", "bf16") if a.precision == "both" else (a.precision,):
        ours, memory = measure(f"physad {precision}", [a.bench, *map(str, sizes), precision])
        for kind, name in (("usual", "PyTorch"), ("last", "PyTorch, channels last")):
            command = [sys.executable, __file__, f"--torch={kind}", f"--precision={precision}", *same]
            theirs, theirs_memory = measure(f"{name} {precision}", command)
            print(f"{'':28} PyTorch's time over ours {theirs / ours:.2f}, its own memory over ours {theirs_memory / memory:.2f}")


main()
