#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An inspection program on a line: a model is loaded once, frames come from a camera's buffer, odd parts are put aside.

    python3 line.py [MODEL]

Without a model it learns from frames of its own, so that it can be tried.
"""
import sys

import numpy as np

import physad

HEIGHT, WIDTH, FRAMES = 256, 256, 8


def grab(buffer, number):
    """Stands for the camera's driver: fills the buffer with the next frame. Every fourth part has a dark hole."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    buffer[:] = (120 + (x * 7 + y * 3 + number) % 16)[:, :, None]
    if number % 4 == 3:
        buffer[(y - 128) ** 2 + (x - 128) ** 2 < 400] = 10


def make_model():
    """A model of such parts without holes, for want of a real one. With real weights leave the option `weights` out."""
    normal = np.empty((24, HEIGHT, WIDTH, 3), np.uint8)
    for number, frame in enumerate(normal):
        grab(frame, number + number // 3)  # all but every fourth
    return physad.Detector("patchcore", weights="random:1", input=128, alpha=0.25).fit(normal)


def main():
    detector = physad.load(sys.argv[1]) if len(sys.argv) > 1 else make_model()
    print(f"threshold {detector.threshold.value:.4f}")  # raises where there is none: every part would pass
    frame = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    odd = 0
    for number in range(FRAMES):
        grab(frame, number)
        with detector.score(frame) as result:  # the frame is used where it lies
            odd += result.is_anomalous is True
            print(f"frame {number}: {result.score:.4f} {'reject' if result.is_anomalous else 'pass'}")
    print(f"{odd} of {FRAMES} rejected")


if __name__ == "__main__":
    main()
