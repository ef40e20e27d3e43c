#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds a converted file against its original, by other people's readers: `check_converted.py ORIGINAL.pth CONVERTED.safetensors`.

CONVERTED comes from `physad weights convert` or `physad weights fetch`. Needs torch and safetensors; run by hand.
"""

import sys

import safetensors
import torch


def main():
    original, converted = sys.argv[1:3]
    want = torch.load(original, weights_only=True, map_location="cpu")
    want = want.get("state_dict", want)
    faults = []
    with safetensors.safe_open(converted, framework="pt") as f:
        metadata = f.metadata() or {}
        if set(f.keys()) != set(want):
            faults.append(f"other names: {sorted(set(f.keys()) ^ set(want))[:5]}")
        for name in set(f.keys()) & set(want):
            got = f.get_tensor(name)
            same = got.dtype == want[name].dtype and got.shape == want[name].shape
            if not same or got.numpy().tobytes() != want[name].contiguous().numpy().tobytes():
                faults.append(f"{name}: other elements, dtype or shape")
    for line in faults:
        print("FAULT:", line)
    print(f"{len(want)} arrays, {sum(v.numel() for v in want.values())} elements, metadata {metadata}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
