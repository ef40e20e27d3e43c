# SPDX-License-Identifier: Apache-2.0
"""A JPEG of 1920 x 1080 in memory to 256 x 256, one thread: (a) decoded whole, equal to Pillow's bytes; (b) decoded smaller, against
Pillow's draft mode, which makes the same choice."""
import io
import pathlib

import numpy as np

from rows import inputs


def rows(full):
    base = {"peers": ["Pillow"], "unit": "ms", "rounds": 9, "env": {"THREADS": "1", "OMP_NUM_THREADS": "1"}}
    return [{"name": "JPEG 1080p to 256 x 256, whole", "goal": 1.5, "scaled": False, **base},
            {"name": "JPEG 1080p to 256 x 256, scaled", "goal": 1.0, "scaled": True, **base}]


def prepare(row, side, work):
    """A real photo, enlarged where it is small, as a camera stores it: quality 90, half the colour resolution."""
    path = pathlib.Path(work) / "photo.jpg"
    if side == "ours" or path.exists():
        return
    from PIL import Image

    data = pathlib.Path(inputs.photos(work)[0][0]).parents[3]
    colour = sorted(p for p in data.rglob("fox/train/*/*.jpg")) or [pathlib.Path(inputs.photos(work)[0][0])]
    photo = Image.open(colour[0]).convert("RGB")
    if photo.height > photo.width:
        photo = photo.rotate(90, expand=True)
    grain = np.random.default_rng(0).normal(0, 3, (1080, 1920, 3))
    pixels = np.asarray(photo.resize((1920, 1080), Image.BICUBIC)) + grain
    Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8)).save(path, quality=90, subsampling=2)


def start(row, side, work):
    path = pathlib.Path(work) / "photo.jpg"
    if side == "ours":
        import physad

        ctx = inputs.context()
        if not path.exists():  # without the peers, who draw the photo
            physad.write_image(path, np.random.default_rng(0).integers(0, 256, (135, 240, 3), np.uint8).repeat(8, 0).repeat(8, 1))
        data, shrink = path.read_bytes(), physad.Transform(256, arithmetic="bytes", normalise="none", context=ctx)

        def run():
            image = physad.Image.decode(data, channels="rgb", scale=4 if row["scaled"] else 1, context=ctx)
            return {"pixels": shrink(image)}
        return run
    from PIL import Image

    data = path.read_bytes()

    def run():
        image = Image.open(io.BytesIO(data))
        if row["scaled"]:
            image.draft("RGB", (256, 256))
        return {"pixels": np.asarray(image.convert("RGB").resize((256, 256), Image.BILINEAR))}
    return run


def compare(row, ours, peer):
    mine, theirs = np.rint(ours["pixels"] * 255).astype(int), peer["pixels"].astype(int)
    off = np.abs(mine - theirs)
    return off.max() == 0, f"largest difference {off.max()} of 255"
