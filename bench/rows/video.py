# SPDX-License-Identifier: Apache-2.0
"""A clip of 1080p60 H.264 decoded and made 256 rows high, against `ffmpeg -i CLIP -vf scale=W:256 -f null -` at equal threads, which is
FFmpeg's usual scaler and the stream's own pixel format; ours delivers RGB. Wants a program `ffmpeg` (or the one that FFMPEG names)."""
import os
import pathlib
import re
import shutil
import subprocess

import numpy as np

from rows import inputs

FFMPEG = os.environ.get("FFMPEG") or shutil.which("ffmpeg") or "ffmpeg"


def rows(full):
    return [{"name": f"H.264 1080p60 to 256 rows, {n} thread{'s' if n > 1 else ''}", "goal": 0.9, "peers": ["ffmpeg"], "unit": "ms",
             "rounds": 5, "threads": n, "env": {"THREADS": str(n), "OMP_NUM_THREADS": str(n)}} for n in (1, 2)]


def prepare(row, side, work):
    """Four seconds of FFmpeg's test picture with grain: fine detail, motion, about 12 Mbit/s."""
    path = pathlib.Path(work) / "clip.mp4"
    if side == "ours" or path.exists():
        return
    subprocess.run([FFMPEG, "-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=60,noise=alls=6:allf=t", "-t", "4",
                    "-c:v", "libx264", "-preset", "veryfast", "-b:v", "12M", "-pix_fmt", "yuv420p", str(path)], check=True)


def start(row, side, work):
    path = pathlib.Path(work) / "clip.mp4"
    if side == "ours":
        import physad

        ctx = inputs.context()
        if not path.exists():  # without the peer, who draws it
            physad.synth_phys(pathlib.Path(work) / "phys", categories="fan", train_videos=1, test_videos=-1, defect_videos=-1, width=1920,
                              height=1080, context=ctx)
            path = next(pathlib.Path(work).rglob("*.mp4"))

        def run():
            count = 0
            with physad.Video(path, height=256, threads=row["threads"], context=ctx) as video:
                while video.read() is not None:
                    count += 1
            return {"frames": np.int64(count)}
        return run

    def run():
        done = subprocess.run([FFMPEG, "-nostdin", "-v", "error", "-nostats", "-progress", "pipe:1", "-threads", str(row["threads"]),
                               "-i", str(path), "-vf", "scale=455:256", "-f", "null", "-"], check=True, capture_output=True, text=True)
        return {"frames": np.int64(re.findall(r"^frame=(\d+)$", done.stdout, re.M)[-1])}
    return run


def compare(row, ours, peer):
    return int(ours["frames"]) == int(peer["frames"]), f"{int(ours['frames'])} and {int(peer['frames'])} frames"
