#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes resize.json: what Pillow and torchvision make of photos that both sides compute from their index.

Bytes are kept as SHA-256 of the result, floats at 48 places. Needs Pillow >= 13, torch and torchvision.
usage: make_resize.py > resize.json
"""
import hashlib
import json

import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torchvision.transforms import v2

CASES = [  # height, width, channels, to height, to width
    (1080, 1920, 3, 256, 256), (960, 540, 3, 256, 256), (100, 77, 3, 256, 224), (37, 53, 3, 11, 90),
    (256, 256, 1, 256, 256), (601, 256, 1, 37, 256), (5, 1, 3, 3, 7), (64, 200, 1, 33, 20), (1, 1, 3, 4, 4),
]
FILTERS = [("bilinear", Image.BILINEAR), ("bicubic", Image.BICUBIC), ("box", Image.BOX), ("nearest", Image.NEAREST)]


def photo(height, width, channels):
    i = np.arange(height * width * channels, dtype=np.uint32)
    x = i * np.uint32(2654435761) + np.uint32(12345)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(2246822519)
    return (x >> np.uint32(24)).astype(np.uint8).reshape(height, width, channels)


def to_image(a):
    return Image.fromarray(a[:, :, 0] if a.shape[2] == 1 else a)


def digest(image):
    return hashlib.sha256(np.ascontiguousarray(np.asarray(image)).tobytes()).hexdigest()


def floats(a, height, width, name):
    x = torch.from_numpy(a).permute(2, 0, 1).float() / 255
    mode = v2.InterpolationMode.BILINEAR if name == "bilinear" else v2.InterpolationMode.BICUBIC
    y = v2.Resize((height, width), interpolation=mode, antialias=True)(x).permute(1, 2, 0).numpy().ravel()
    at = np.linspace(0, y.size - 1, 48).astype(int)
    return [[int(i), float(y[i])] for i in at]


def cases():
    for height, width, channels, to_height, to_width in CASES:
        a = photo(height, width, channels)
        for name, code in FILTERS:
            whole = to_image(a).resize((to_width, to_height), code)
            # Before Pillow 13 columns always came first: the same as two resizes, each of one direction.
            columns = to_image(a).resize((to_width, height), code).resize((to_width, to_height), code)
            case = {"from": [height, width, channels], "to": [to_height, to_width], "filter": name,
                    "bytes": digest(whole), "bytes_12": digest(columns)}
            if name in ("bilinear", "bicubic"):
                case["float"] = floats(a, to_height, to_width, name)
            yield case


print(json.dumps({"pillow": PIL.__version__, "torch": torch.__version__, "torchvision": torchvision.__version__,
                  "cases": list(cases())}, indent=None, separators=(",", ":")).replace('{"from"', '\n{"from"'))
