#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Finds by gradients from where a picture was taken: a set of Gaussians is rendered, the camera is moved away, and every step renders again,
measures the squared difference, and moves the camera against its gradient.

    python3 find_pose.py [SCENE]

SCENE is a .ply of any 3D Gaussian splatting program, seen from its side; without it a random set is made.
"""
import sys

import numpy as np

import physad

STEPS = 150


def random_set(rng, count=200):
    numbers = {"xyz": rng.uniform(-1, 1, (count, 3)), "log_scale": rng.normal(-2, 0.2, (count, 3)), "quaternion": rng.normal(size=(count, 4)),
               "opacity": np.full(count, 2.0), "harmonics": rng.normal(size=(count, 1, 3))}
    return physad.Gaussians(**numbers, copy=True)


def search(splat, gaussians, camera, photo):
    mean, square = np.zeros(6), np.zeros(6)
    for step in range(1, STEPS + 1):  # Adam
        difference = splat.forward(gaussians, camera, depth=False).colour - photo
        pose = splat.backward(colour=2 * difference).pose
        mean, square = 0.8 * mean + 0.2 * pose, 0.95 * square + 0.05 * pose ** 2
        way = mean / (1 - 0.8 ** step) / (np.sqrt(square / (1 - 0.95 ** step)) + 1e-12)
        camera = camera.moved(-0.01 * (1 - step / (STEPS + 1)) * way)
        if step % 30 == 0:
            print(f"step {step:3}: mean squared difference {np.mean(difference ** 2):.2e}")
    return camera


def main():
    gaussians = physad.Gaussians.of(physad.Scene(sys.argv[1])) if len(sys.argv) > 1 else random_set(np.random.default_rng(1))
    xyz = gaussians.arrays().xyz
    middle, size = np.median(xyz, 0), np.percentile(np.abs(xyz - np.median(xyz, 0)), 90)
    truth = physad.Camera.look(middle + 4 * size * np.array([1, 0.3, 0.4]), middle, size=(48, 64))
    splat = physad.Splat()
    photo = splat.forward(gaussians, truth).colour
    found = search(splat, gaussians, truth.moved([0.08 * size, -0.06 * size, 0.1 * size, 0.03, -0.03, 0.05]), photo)
    off = np.linalg.norm(found.position - truth.position) / (4 * size)
    print(f"found within {100 * off:.2f} % of the distance")
    return 0 if off < 0.01 else 1


if __name__ == "__main__":
    sys.exit(main())
