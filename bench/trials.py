#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trials of the methods on videos, with things and circumstances that `physad synth phys` does not draw.

    trials.py --physad COMMAND --work FOLDER [--half choosing|reporting|both] [--scenes A,B] [--knobs 'A;B'] [--methods A,B]
              [--photos FOLDER] [--threads N]

Eight things in use are drawn with numpy and Pillow: on four of them what motion-bank does may be chosen, the other four are for reporting
alone. Each has 12 normal recordings to learn from, and to test 6 normal ones, 2 of each of its three wrong motions, 2 played backwards
(where that can be seen), 2 whose last tenth is of another moment, and 2 of each of two faults that a single frame shows. A knob changes
circumstances: of the test alone, unless it says so. --photos takes a folder of real photos instead, over which a camera pans while a
cut-out of another photo passes.

A row gives a knob's video AUROC: the mean over the scenes, of wrong motions and of faults that stand still, with the 95 % interval by
resampling the normal and the odd videos of each scene, and in brackets the lowest scene. motion-energy, which learns nothing, stands beside.
"""
import argparse
import io
import json
import os
import pathlib
import struct
import subprocess
import sys
import zlib

import numpy as np
from PIL import Image, ImageDraw

WIDTH, HEIGHT, FINE, RATE = 192, 144, 3, 30
TRAIN, GOOD, EACH = 12, 6, 2
STILL = ("spot", "missing")

# --- drawing -------------------------------------------------------------------------------------------------------------------------


class Sheet:
    """A picture with coordinates in its own pixels, drawn finer and made small again."""

    def __init__(self, back):
        self.image = Image.fromarray(back).resize((WIDTH * FINE, HEIGHT * FINE), Image.BICUBIC)
        self.draw = ImageDraw.Draw(self.image)

    def line(self, points, colour, wide):
        self.draw.line([(x * FINE, y * FINE) for x, y in points], fill=colour, width=max(1, round(wide * FINE)), joint="curve")

    def area(self, points, colour):
        self.draw.polygon([(x * FINE, y * FINE) for x, y in points], fill=colour)

    def disc(self, x, y, r, colour):
        self.draw.ellipse([(x - r) * FINE, (y - r) * FINE, (x + r) * FINE, (y + r) * FINE], fill=colour)

    def array(self):
        return np.asarray(self.image.resize((WIDTH, HEIGHT), Image.BOX))


def ease(x):
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def turn(points, angle, x, y):
    c, s = np.cos(angle), np.sin(angle)
    return [(x + a * c - b * s, y + a * s + b * c) for a, b in points]


def background(seed):
    r = np.random.default_rng(seed)
    back = np.zeros((HEIGHT, WIDTH, 3))
    for side, size in ((8, 26), (48, 10)):
        part = Image.fromarray((r.random((side * 3 // 4, side, 3)) * 255).astype(np.uint8))
        back += (np.asarray(part.resize((WIDTH, HEIGHT), Image.BICUBIC)) / 255.0 - 0.5) * 2 * size
    return np.clip(back + 128, 0, 255).astype(np.uint8)


# --- things: what varies from take to take, and how they look at a time --------------------------------------------------------------


def wheel(s, t, r, kind):
    """Rolls along a table."""
    v, start, radius = r.uniform(72, 80), r.uniform(24, 32), 20
    phase, stop = r.uniform(0, 6.28), r.uniform(0.6, 1.0)
    way = v * min(t, stop) if kind == "stops" else v * t * (0.6 if kind == "slow" else 1)
    angle = phase + way / radius * (0.4 if kind == "slips" else 1)
    x, y = start + way, 96
    s.line([(0, y + radius + 2), (WIDTH, y + radius + 2)], (70, 60, 50), 3)
    s.disc(x, y, radius, (40, 40, 45))
    s.disc(x, y, radius - 4, (180, 185, 190))
    for k in range(6):
        if kind != "missing" or k > 1:
            a = angle + k * np.pi / 3
            s.line([(x, y), (x + (radius - 3) * np.cos(a), y + (radius - 3) * np.sin(a))], (70, 60, 120), 3)
    s.disc(x, y, 5, (150, 50, 50))
    if kind == "spot":
        s.disc(x + 10 * np.cos(angle + 0.5), y + 10 * np.sin(angle + 0.5), 4, (20, 20, 20))


def arm(s, t, r, kind):
    """Two joints that swing out and back."""
    low, high, wrist = r.uniform(-2.5, -2.4), r.uniform(-1.0, -0.9), r.uniform(1.3, 1.5)
    whole, wait, hold = r.uniform(0.75, 0.85), r.uniform(0.05, 0.15), r.uniform(0.1, 0.16)
    catch = r.uniform(0.3, 0.6) * whole
    t -= wait
    if kind == "stalls":
        t = t if t < catch else max(catch, t - 0.35)
    u = ease(t / whole) - ease((t - whole - hold) / whole)
    a = low + (high - low) * u * (0.72 if kind == "short" else 1)
    b = wrist - 0.9 * u * (0.15 if kind == "elbow" else 1)
    elbow = (92 + 42 * np.cos(a), 114 + 42 * np.sin(a))
    hand = (elbow[0] + 34 * np.cos(a + b), elbow[1] + 34 * np.sin(a + b))
    s.area([(72, 132), (112, 132), (104, 114), (80, 114)], (60, 70, 70))
    s.line([(92, 114), elbow], (200, 120, 40), 9)
    s.line([elbow, hand], (210, 140, 50), 7)
    s.disc(*elbow, 5, (30, 30, 30))
    if kind != "missing":
        s.disc(*hand, 5, (160, 30, 30))
    s.disc(92, 114, 7, (30, 30, 30))
    if kind == "spot":
        s.disc(92 * 0.4 + elbow[0] * 0.6, 114 * 0.4 + elbow[1] * 0.6, 3.5, (20, 20, 20))


def lamp(s, t, r, kind):
    """Hangs from a spring and settles."""
    size, rate, decay = r.uniform(24, 29), r.uniform(2.3, 2.45), r.uniform(0.5, 0.58)
    wait, y = r.uniform(0.05, 0.15), r.uniform(70, 73)
    t = max(0, t - wait)
    if kind == "droops":
        y += 14 * ease(t / 1.2)
    rate, decay = rate * (0.78 if kind == "soft" else 1), decay * (0.35 if kind == "dead" else 1)
    y += size * np.cos(2 * np.pi * rate * t) * np.exp(-t / decay)
    zigzag = [(96 + (8 if i % 2 else -8) * (0 < i < 9), 8 + (y - 22) * i / 9) for i in range(10)]
    s.line(zigzag, (90, 90, 90), 2)
    s.area([(86, y - 14), (106, y - 14), (124, y + 14), (68, y + 14)], (190, 160, 40))
    s.disc(96, y + 15, 8, (250, 235, 150))
    if kind == "missing":
        s.area([(68, y + 14), (80, y - 5), (90, y + 14)], (128, 128, 128))
    if kind == "spot":
        s.disc(104, y + 4, 4, (60, 40, 20))


def level(s, t, r, kind):
    """A glass that fills."""
    v, wait, stop, ripple = r.uniform(40, 44), r.uniform(0.08, 0.18), r.uniform(0.7, 1.0), r.uniform(1.2, 1.7)
    t = max(0, t - wait)
    h = min(v * t * (0.62 if kind == "slow" else 1), 62)
    if kind == "stops":
        h = min(v * min(t, stop), 62)
    if kind == "leaks" and t > stop:
        h -= 22 * (t - stop)
    xs = np.linspace(58, 134, 30)
    ys = 124 - h + ripple * np.sin(2 * np.pi * 2 * t + xs * 0.12) * min(1, h / 10)
    if h < 61.9 and t > 0 and not (kind == "stops" and t > stop):
        s.line([(96, 0), (96, 124 - h)], (60, 150, 200), 5)
    s.area([(58, 124)] + list(zip(xs, ys)) + [(134, 124)], (40, 120, 190))
    for a, b in (((56, 36), (56, 126)), ((136, 36), (136, 126)), ((56, 126), (136, 126))):
        s.line([a, b], (225, 225, 225), 3)
    if kind == "missing":
        s.area([(133, 40), (140, 34), (140, 66), (133, 58)], (128, 128, 128))
    if kind == "spot":
        s.line([(136, 76), (129, 92), (135, 108)], (60, 60, 60), 2)


def crank(s, t, r, kind):
    """A turning crank that moves a slide."""
    rate, phase, rod = r.uniform(1.1, 1.2), r.uniform(-0.2, 0.2), 58
    angle = phase + 2 * np.pi * rate * (0.7 if kind == "slow" else 1) * t
    if kind == "skips":
        angle += 0.9 * ease((t - 0.8) / 0.05)
    if kind == "uneven":
        angle += 0.45 * np.sin(3 * angle)
    x, y = 62 + 20 * np.cos(angle), 74 + 20 * np.sin(angle)
    end = x + np.sqrt(max(1, rod**2 - (y - 74) ** 2))
    s.area([(96, 84), (180, 84), (180, 90), (96, 90)], (70, 70, 80))
    s.disc(62, 74, 27, (90, 100, 110))
    if kind != "missing":
        s.disc(62 - 14 * np.cos(angle), 74 - 14 * np.sin(angle), 6, (150, 140, 60))
    s.line([(x, y), (end, 74)], (170, 70, 40), 5)
    s.area([(end - 9, 64), (end + 13, 64), (end + 13, 84), (end - 9, 84)], (190, 190, 180))
    s.disc(x, y, 4, (20, 20, 20))
    if kind == "spot":
        s.disc(end + 4, 70, 3.5, (170, 40, 40))


def lid(s, t, r, kind):
    """Is opened, and falls shut with a bounce."""
    up, wait, top = r.uniform(0.5, 0.58), r.uniform(0.05, 0.15), r.uniform(1.15, 1.25)
    t -= wait
    u = ease(t / up)
    fall = t - up - 0.25
    if kind == "ajar":
        top *= 0.6
    a = top * u
    if fall > 0 and kind != "stays":
        drop = 1 - (fall / (0.8 if kind == "creeps" else 0.32)) ** 2
        a = top * drop if drop > 0 else 0.16 * top * abs(np.sin((fall - 0.32) * 12)) * np.exp(-(fall - 0.32) / 0.18)
        a = max(a, 0)
    s.area([(52, 86), (140, 86), (132, 130), (60, 130)], (120, 80, 50))
    if kind != "missing":
        s.disc(96, 106, 7, (210, 190, 90))
    s.area(turn([(0, -5), (90, -5), (90, 3), (0, 3)], -a, 51, 84), (160, 110, 70))
    s.disc(51, 84, 4, (40, 40, 40))
    if kind == "spot":
        s.line(turn([(45, -4), (52, 2), (58, -4)], -a, 51, 84), (30, 20, 20), 2.5)


def plug(s, t, r, kind):
    """A block is pushed along and turns a flap at its end."""
    whole, wait, stuck = r.uniform(0.95, 1.05), r.uniform(0.05, 0.15), r.uniform(0.35, 0.6)
    u = ease((t - wait) / whole / (1.6 if kind == "slow" else 1))
    if kind == "sticks":
        u = min(u, stuck)
    flap = 0 if kind == "loose" else 1.3 * ease((u - 0.55) / 0.45)
    x = 26 + 84 * u
    s.area([(8, 106), (188, 106), (188, 112), (8, 112)], (70, 70, 60))
    s.line([(0, 94), (x - 12, 94)], (150, 150, 160), 4)
    s.area([(x - 14, 82), (x + 16, 82), (x + 16, 106), (x - 14, 106)], (60, 120, 90))
    if kind != "missing":
        s.area([(x - 6, 74), (x + 8, 74), (x + 8, 82), (x - 6, 82)], (210, 210, 90))
    s.area(turn([(-3, 0), (3, 0), (3, -46), (-3, -46)], flap, 132, 106), (180, 60, 60))
    s.disc(132, 106, 4, (30, 30, 30))
    if kind == "spot":
        s.disc(x + 9, 96, 3.5, (240, 240, 240))


def wiper(s, t, r, kind):
    """Sweeps over a pane twice."""
    period, wait, wide = r.uniform(0.86, 0.94), r.uniform(0.05, 0.12), r.uniform(1.05, 1.12)
    t = max(0, t - wait) / (1.5 if kind == "slow" else 1)
    turns = t / period
    a = wide * (0.7 if kind == "narrow" else 1) * np.cos(2 * np.pi * min(turns, 1.9))
    if kind == "judders":
        a = np.round(a / 0.3) * 0.3 * 0.6 + a * 0.4
    s.area([(16, 40), (60, 18), (132, 18), (176, 40), (164, 126), (28, 126)], (130, 160, 180))
    blade = [(96 + d * np.sin(a), 128 - d * np.cos(a)) for d in (0, 34, 100 if kind != "missing" else 76)]
    s.line(blade[:2], (40, 40, 40), 4)
    s.line(blade[1:], (25, 25, 25), 5)
    s.disc(96, 128, 6, (60, 60, 60))
    if kind == "spot":
        s.line([(130, 60), (142, 78), (136, 92), (146, 104)], (240, 250, 250), 2)


CHOOSING = {"wheel": (wheel, 1.7, ("slow", "slips", "stops")), "arm": (arm, 2.0, ("elbow", "stalls", "short")),
            "lamp": (lamp, 1.8, ("soft", "dead", "droops")), "level": (level, 1.8, ("slow", "stops", "leaks"))}
REPORTING = {"crank": (crank, 2.0, ("slow", "skips", "uneven")), "lid": (lid, 1.8, ("ajar", "stays", "creeps")),
             "plug": (plug, 1.5, ("slow", "sticks", "loose")), "wiper": (wiper, 2.1, ("slow", "narrow", "judders"))}
SYMMETRIC = ("arm", "wiper")
SCENES = {**CHOOSING, **REPORTING}


def take(scene, seed, kind, back):
    """T x H x W x 3 u8, without noise."""
    draw, seconds, _ = SCENES[scene]
    frames = []
    for i in range(round(seconds * RATE)):
        s = Sheet(back)
        draw(s, i / RATE, np.random.default_rng(seed), kind)
        frames.append(s.array())
    return np.stack(frames)


def takes_of(scene):
    """(folder, clip) of all: training and test."""
    kinds = SCENES[scene][2]
    back = background(sum(map(ord, scene)))
    out = [("train/good", take(scene, 1000 + i, None, back)) for i in range(TRAIN)]
    good = [take(scene, 2000 + i, None, back) for i in range(GOOD)]
    out += [("test/good", c) for c in good]
    for j, kind in enumerate(kinds + STILL):
        out += [(f"test/{kind}", take(scene, 3000 + 10 * j + i, kind, back)) for i in range(EACH)]
    for i in range(EACH):
        other = take(scene, 4000 + i, None, back)
        if scene not in SYMMETRIC:
            out.append(("test/backwards", other[::-1]))
        other = take(scene, 4100 + i, None, back)
        last, middle = len(other) // 10, len(other) // 3
        out.append(("test/late", np.concatenate([other[:-last], other[middle:middle + last]])))
    return out


# --- circumstances -------------------------------------------------------------------------------------------------------------------


def shift(frame, dx, dy):
    image = Image.fromarray(np.pad(frame, ((8, 8), (8, 8), (0, 0)), mode="reflect"))
    moved = image.transform(image.size, Image.AFFINE, (1, 0, dx, 0, 1, dy), Image.BICUBIC)
    return np.asarray(moved)[8:-8, 8:-8]


def shaken(clip, r, jitter, drift):
    way = r.uniform(0, 6.28)
    walk = np.zeros(2)
    out = []
    for i, frame in enumerate(clip):
        walk = 0.8 * walk + r.normal(0, jitter * 0.6, 2)
        slow = drift * i / len(clip) * np.array([np.cos(way), np.sin(way)])
        dx, dy = np.clip(walk + slow, -7, 7)
        out.append(shift(frame, dx, dy))
    return np.stack(out)


def cut(clip, r, count):
    count = min(count, len(clip))
    start = int(r.integers(0, len(clip) - count + 1))
    return clip[start:start + count]


def resized(clip, width, height):
    return np.stack([np.asarray(Image.fromarray(f).resize((width, height), Image.BICUBIC)) for f in clip])


def circumstances(clip, r, knob, training):
    """What a knob does to a clip: (clip, frames per second, noise, quality)."""
    rate, noise, quality = RATE, 2.5, 90
    light = r.uniform(0.92, 1.08)
    sway = np.zeros(len(clip))
    if knob == "short, in all":
        clip = cut(clip, r, 15)
    if training and knob != "shake, in all":
        return clip * light, rate, noise, quality
    if knob in ("shake", "shake, in all"):
        clip = shaken(clip, r, 1.5, 0)
    elif knob == "shake of 3 pixels":
        clip = shaken(clip, r, 3, 0)
    elif knob == "drift":
        clip = shaken(clip, r, 0, 6)
    elif knob == "15 frames a second":
        clip, rate = clip[::2], RATE / 2
    elif knob == "noise":
        noise = 8
    elif knob == "codec":
        quality = 25
    elif knob == "flicker":
        sway = 0.06 * np.sin(2 * np.pi * r.uniform(1.5, 4) * np.arange(len(clip)) / RATE + r.uniform(0, 6.28))
    elif knob == "size":
        clip = resized(clip, 320, 240)
    elif knob == "aspect":
        clip = resized(clip, 256, 144)
    elif knob == "pause before":
        clip = np.concatenate([np.repeat(clip[:1], RATE, 0), clip])
    elif knob == "60 % from anywhere":
        clip = cut(clip, r, round(0.6 * len(clip)))
    elif knob == "30 % from anywhere":
        clip = cut(clip, r, round(0.3 * len(clip)))
    elif knob == "8 to 40 frames":
        clip = cut(clip, r, int(r.integers(8, 41)))
    if len(sway) != len(clip):
        sway = np.zeros(len(clip))
    return clip * (light * (1 + sway))[:, None, None, None], rate, noise, quality


KNOBS = ("as in training", "3 training videos", "5 training videos", "15 frames a second", "noise", "codec", "flicker", "size", "aspect",
         "shake", "shake of 3 pixels", "shake, in all", "drift", "pause before", "60 % from anywhere", "30 % from anywhere",
         "8 to 40 frames", "short, in all")

# --- files ---------------------------------------------------------------------------------------------------------------------------


def write_video(path, clip, rate, quality):
    """Motion JPEG in AVI."""
    height, width = clip.shape[1:3]
    images = []
    for frame in clip:
        out = io.BytesIO()
        Image.fromarray(frame).save(out, "JPEG", quality=quality)
        images.append(out.getvalue() + b"\0" * (out.tell() % 2))

    def chunk(name, data):
        return name + struct.pack("<I", len(data)) + data

    head = struct.pack("<10I", round(1e6 / rate), 0, 0, 16, len(images), 0, 1, 0, width, height) + b"\0" * 16
    stream = b"vidsMJPG" + struct.pack("<IHHIIIIIIII4H", 0, 0, 0, 0, 1000, round(1000 * rate), 0, len(images), 0, 0xFFFFFFFF, 0,
                                        0, 0, width, height)
    form = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, b"MJPG", width * height * 3, 0, 0, 0, 0)
    lists = chunk(b"LIST", b"hdrl" + chunk(b"avih", head) + chunk(b"LIST", b"strl" + chunk(b"strh", stream) + chunk(b"strf", form)))
    movie, index, at = b"movi", b"", 4
    for data in images:
        index += b"00dc" + struct.pack("<III", 16, at, len(data))
        at += 8 + len(data)
        movie += chunk(b"00dc", data)
    body = b"AVI " + lists + chunk(b"LIST", movie) + chunk(b"idx1", index)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(chunk(b"RIFF", body))


def write_set(root, takes, knob):
    if (root / "done").exists():
        return
    training = 0
    for i, (folder, clip) in enumerate(takes):
        learns = folder.startswith("train")
        training += learns
        if learns and knob.endswith("training videos") and training > int(knob.split()[0]):
            continue
        r = np.random.default_rng([i, zlib.crc32(knob.encode())])
        frames, rate, noise, quality = circumstances(clip, r, knob, learns)
        frames = np.clip(frames + r.normal(0, noise, frames.shape), 0, 255).astype(np.uint8)
        write_video(root / folder / f"{i:03}.avi", frames, rate, quality)
    (root / "done").touch()


# --- real photos ---------------------------------------------------------------------------------------------------------------------


def pans_of(folder, seed):
    """A camera pans over a real photo while a piece of another passes: normal ones at one speed; faster, slower, back, or standing."""
    files = sorted(p for p in pathlib.Path(folder).rglob("*") if p.suffix.lower() in (".jpg", ".png"))
    r = np.random.default_rng(seed)
    picked = [Image.open(files[int(k)]).convert("RGB").resize((WIDTH * 2, HEIGHT * 2), Image.BICUBIC)
              for k in r.choice(len(files), 2, replace=False)]
    piece = np.asarray(picked[1])[80:140, 120:180].astype(np.float32)
    yy, xx = np.mgrid[-1:1:60j, -1:1:60j]
    soft = np.clip((1 - xx**2 - yy**2) * 8, 0, 1)[..., None]

    def one(kind, own):
        q = np.random.default_rng([seed, own])
        pan, zoom, lift = q.uniform(0.75, 0.85), q.uniform(-0.02, 0.02), q.uniform(-6, 6)
        speed = q.uniform(1.5, 1.7) * {"hurries": 2.0, "crawls": 0.5, "returns": 1, None: 1, "stops": 1}[kind]
        frames = []
        for t in range(56):
            side = 1 + zoom * t / 56
            box = (30 + pan * t, 30 + lift, 30 + pan * t + WIDTH * side, 30 + lift + HEIGHT * side)
            frame = np.asarray(picked[0].resize((WIDTH, HEIGHT), Image.BICUBIC, box=box)).astype(np.float32).copy()
            way = speed * t if kind != "stops" else speed * min(t, 24)
            if kind == "returns" and t > 24:
                way = speed * (48 - t)
            x, y = int(12 + way), int(50 + q.uniform(-0.3, 0.3))
            x = min(max(x, 0), WIDTH - 60)
            frame[y:y + 60, x:x + 60] += (piece - frame[y:y + 60, x:x + 60]) * soft
            frames.append(np.clip(frame, 0, 255).astype(np.uint8))
        return np.stack(frames)

    out = [("train/good", one(None, i)) for i in range(TRAIN)] + [("test/good", one(None, 100 + i)) for i in range(GOOD)]
    for j, kind in enumerate(("hurries", "crawls", "returns", "stops")):
        out += [(f"test/{kind}", one(kind, 200 + 10 * j + i)) for i in range(EACH)]
    return out


# --- trials --------------------------------------------------------------------------------------------------------------------------


def auroc(bad, good):
    return sum((b > g) + 0.5 * (b == g) for b in bad for g in good) / (len(bad) * len(good))


def interval(scenes, replicates, seed=0):
    """Of the mean AUROC over scenes, each a pair (odd, normal) of scores: the videos of each are resampled."""
    r = np.random.default_rng(seed)

    def drawn(scores):
        return np.asarray(scores, float)[r.integers(0, len(scores), (replicates, len(scores)))]
    means = np.zeros(replicates)
    for bad, good in scenes:
        b, g = drawn(bad)[:, :, None], drawn(good)[:, None, :]
        means += ((b > g) + 0.5 * (b == g)).mean((1, 2)) / len(scenes)
    return np.quantile(means, (0.025, 0.975))


def measure(arguments, root, method):
    """Scores of wrong motions, of faults that stand still and of normal takes, and kinds whose AUROC is below 0.8."""
    result = root / f"{method}.json"
    command = [arguments.physad, "eval", str(root), "--method", method, "--threads", str(arguments.threads), "--replicates", "0",
               "--json", str(result), "--set", "calibration=0"] + arguments.options
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, OMP_WAIT_POLICY="passive"))
    if done.returncode != 0:
        raise SystemExit(f"{root}: {done.stderr.strip()[-400:]}")
    kinds = {}
    for s in json.loads(result.read_text())["samples"]:
        kinds.setdefault(s["type"] if s["label"] else None, []).append(s["score"])
    good = kinds.pop(None)
    moving = [x for k, v in kinds.items() if k not in STILL for x in v]
    still = [x for k, v in kinds.items() if k in STILL for x in v]
    low = [f"{k} {auroc(v, good):.2f}" for k, v in kinds.items() if auroc(v, good) < 0.8]
    return moving, still, good, low


def cell(found, k, replicates):
    """The mean, its interval and the lowest of one kind of fault."""
    scenes = [(f[k], f[3]) for f in found if f[k]]
    values = [auroc(bad, good) for bad, good in scenes]
    if not values:
        return ""
    low, high = interval(scenes, replicates)
    return f"{np.mean(values):.3f} [{low:.3f}, {high:.3f}] ({min(values):.2f})"


def run(arguments, scenes, knobs):
    rows = {}
    work = pathlib.Path(arguments.work)
    for scene in scenes:
        takes = None
        for knob in knobs:
            root = work / scene / knob.replace(" ", "-").replace(",", "").replace("%", "percent")
            if not (root / "done").exists():
                takes = takes or (pans_of(arguments.photos, int(scene[4:])) if arguments.photos else takes_of(scene))
                write_set(root, takes, knob)
            for method in arguments.methods.split(","):
                moving, still, good, low = measure(arguments, root, method)
                rows.setdefault((knob, method), []).append((scene, moving, still, good))
                print(f"# {scene:6} {knob:20} {method:14} {auroc(moving, good):.3f} {f'{auroc(still, good):.3f}' if still else ''}  "
                      f"{', '.join(low)}", file=sys.stderr, flush=True)
    print("| knob | method | wrong motions | faults that stand still |\n| --- | --- | --- | --- |")
    for (knob, method), found in rows.items():
        print(f"| {knob} | {method} | {cell(found, 1, arguments.replicates)} | {cell(found, 2, arguments.replicates)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--physad", required=True, help="the command")
    parser.add_argument("--work", required=True, help="folder for the videos, some 100 MB")
    parser.add_argument("--half", choices=("choosing", "reporting", "both"), default="choosing")
    parser.add_argument("--scenes")
    parser.add_argument("--knobs", help="separated by ';'")
    parser.add_argument("--methods", default="motion-bank,motion-energy")
    parser.add_argument("--photos", help="folder of real photos, over which a camera pans")
    parser.add_argument("--replicates", type=int, default=2000, help="resampled sets of videos, for the intervals")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--set", dest="options", action="append", default=[], metavar="K=V")
    arguments = parser.parse_args()
    arguments.options = [x for o in arguments.options for x in ("--set", o)]
    halves = {"choosing": CHOOSING, "reporting": REPORTING, "both": SCENES}
    scenes = arguments.scenes.split(",") if arguments.scenes else list(halves[arguments.half])
    if arguments.photos:
        scenes = arguments.scenes.split(",") if arguments.scenes else [f"pans{i}" for i in range(4)]
    run(arguments, scenes, [k.strip() for k in arguments.knobs.split(";")] if arguments.knobs else KNOBS)


if __name__ == "__main__":
    main()
