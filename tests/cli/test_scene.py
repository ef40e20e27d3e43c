#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scenes by the command: a fit that is killed goes on to the same bits; what is wrong with photos, poses and scenes is told."""
import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from cli import PHYSAD, TINY, Case, run

QUICK = ["--random-points", "200", "--max-side", "48", "--threads", "1"]


def quaternion(r):
    """w x y z of a rotation matrix; its trace is above -1 here."""
    w = math.sqrt(max(1e-12, 1 + r[0][0] + r[1][1] + r[2][2])) / 2
    return w, (r[2][1] - r[1][2]) / (4 * w), (r[0][2] - r[2][0]) / (4 * w), (r[1][0] - r[0][1]) / (4 * w)


class Scene(Case):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        made = run("synth", "rad", cls.folder.name, *TINY)
        assert made.returncode == 0, made.stderr
        cls.source = pathlib.Path(cls.folder.name, "can")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.own = tempfile.TemporaryDirectory()
        self.data = pathlib.Path(self.own.name, "data")
        shutil.copytree(self.source / "train", self.data / "train")
        self.poses = json.loads((self.source / "transforms.json").read_text())
        self.output = os.path.join(self.own.name, "scene.ply")

    def tearDown(self):
        self.own.cleanup()

    def fit(self, *options, poses=True):
        if poses:
            (self.data / "transforms.json").write_text(json.dumps(self.poses))
        return run("scene", "fit", self.data, "-o", self.output, *QUICK, *(options or ("--steps", "3")))

    def colmap(self, points):
        """A COLMAP model with these cameras and points as text, in place of transforms.json."""
        model = self.data / "sparse/0"
        model.mkdir(parents=True)
        p = self.poses
        (model / "cameras.txt").write_text(f"1 PINHOLE {p['w']} {p['h']} {p['fl_x']} {p['fl_y']} {p['cx']} {p['cy']}\n")
        lines = []
        for i, frame in enumerate(p["frames"], 1):
            m = frame["transform_matrix"]
            axes = [[m[k][0] for k in range(3)], [-m[k][1] for k in range(3)], [-m[k][2] for k in range(3)]]
            shift = [-sum(axis[k] * m[k][3] for k in range(3)) for axis in axes]
            lines += [" ".join(map(str, (i, *quaternion(axes), *shift, 1, pathlib.Path(frame["file_path"]).name))), ""]
        (model / "images.txt").write_text("\n".join(lines) + "\n")
        (model / "points3D.txt").write_text("".join(f"{i} {x} {y} {z} 128 128 128 0.5 1 1 2 1\n" for i, (x, y, z) in enumerate(points, 1)))
        return model

    def test_killed(self):
        options = ["--steps", "400"]
        self.ok(self.fit(*options))
        whole = pathlib.Path(self.output).read_bytes()
        os.remove(self.output)
        place = os.path.join(self.own.name, "fit.safetensors")
        options += ["--checkpoint", place, "--checkpoint-every", "20"]
        child = subprocess.Popen([PHYSAD, "scene", "fit", self.data, "-o", self.output, *QUICK, *options], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        start = time.monotonic()
        while not os.path.exists(place) and child.poll() is None and time.monotonic() - start < 60:
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        self.assertEqual(child.wait(), -signal.SIGKILL, "it ended before it could be killed")
        self.assertTrue(os.path.exists(place))
        self.assertFalse(os.path.exists(self.output))
        self.fails(self.fit(*options[:-4], "--resume"), 1, "resume without checkpoint")
        self.fails(self.fit("--steps", "399", *options[2:], "--resume"), 1, place, "other photos, options or seed")
        self.ok(self.fit(*options, "--resume"))
        self.assertEqual(pathlib.Path(self.output).read_bytes(), whole)
        self.assertFalse(os.path.exists(place))
        self.fails(self.fit(*options[:-1], "0"), 2, "--checkpoint-every")

    def test_output(self):
        self.output = os.path.join(self.own.name, "scene.xyz")
        self.fails(self.fit(), 2, "scene.xyz", ".ply or .safetensors")
        self.output = os.path.join(self.own.name, "none", "scene.ply")
        self.fails(self.fit(), 1, "none", "No such file")

    def test_no_folder(self):
        self.fails(run("scene", "fit", self.data / "none", "-o", self.output), 1, "none: there is no such folder")
        self.fails(run("scene", "fit", __file__, "-o", self.output), 1, "no folder")

    def test_render_photo(self):
        self.output = os.path.join(self.own.name, "scene.safetensors")
        picture = os.path.join(self.own.name, "a.png")
        self.ok(self.fit("--steps", "3", "--renders", os.path.join(self.own.name, "all")))
        self.ok(run("scene", "render", self.output, "-o", picture, "--photo", "train/good/001.png"))
        self.assertEqual(pathlib.Path(picture).read_bytes(), pathlib.Path(self.own.name, "all", "0001.png").read_bytes())
        self.fails(run("scene", "render", self.output, "-o", picture, "--photo", "x.png"), 1, "x.png", "train/good/000.png")
        self.fails(run("scene", "render", self.output, "-o", picture, "--photo", "x.png", "--width", "9"), 2, "--photo", "--width")
        self.fails(run("predict", self.output, picture), 1, 'no model, but what this library calls "scene"')
        self.output = os.path.join(self.own.name, "scene.ply")
        self.ok(self.fit())
        self.fails(run("scene", "render", self.output, "-o", picture, "--photo", "x.png"), 1, "no photos' cameras", ".safetensors")

    def test_cut_poses(self):
        self.ok(self.fit())
        text = (self.data / "transforms.json").read_text()
        for size in (0, 1, len(text) // 2, len(text) - 2):
            (self.data / "transforms.json").write_text(text[:size])
            self.fails(self.fit(poses=False), 1, "transforms.json")

    def test_cut_model(self):
        points = [(0.1 * i, 0, 0.1) for i in range(5)]
        model = self.colmap(points)
        self.assertEqual(json.loads(self.ok(self.fit(poses=False)).stdout)["photos"], len(self.poses["frames"]))
        for name in ("cameras.txt", "images.txt", "points3D.txt"):
            text = (model / name).read_text()
            (model / name).write_text(text.rstrip()[:-12].rsplit(" ", 1)[0] if name != "cameras.txt" else text[:12])
            self.fails(self.fit(poses=False), 1, name)
            (model / name).write_text(text)

    def test_cut_scene(self):
        self.ok(self.fit())
        whole, place = pathlib.Path(self.output).read_bytes(), os.path.join(self.own.name, "cut.ply")
        for size in (0, 3, 100, len(whole) // 2, len(whole) - 1):
            pathlib.Path(place).write_bytes(whole[:size])
            self.fails(run("scene", "render", place, "-o", place + ".png"), 1, "cut.ply")
        done = run("scene", "turntable", self.output, "-o", place + ".xyz", "--frames", "2")
        if "FFmpeg" not in done.stderr:  # which says nothing itself
            self.fails(done, 1, "no container of videos has this suffix")
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_poses_of_no_use(self):
        frames = self.poses["frames"]
        for n, said in ((1, "1 photos with poses, and all from one place"), (2, "from one place")):
            self.poses["frames"] = [dict(frames[i], transform_matrix=frames[0]["transform_matrix"]) for i in range(n)]
            self.fails(self.fit(), 1, said, "two places")
        self.poses["frames"] = frames
        for value, said in (("NaN", "transforms.json"), ("1e999", "transforms.json")):
            self.fit()
            text = (self.data / "transforms.json").read_text().replace(str(frames[0]["transform_matrix"][0][3]), value)
            self.assertIn(value, text)
            (self.data / "transforms.json").write_text(text)
            self.fails(self.fit(poses=False), 1, said)
        mirrored = [[-v if k == 0 else v for k, v in enumerate(row)] for row in frames[0]["transform_matrix"]]
        self.poses["frames"] = [dict(f, transform_matrix=mirrored) if i == 0 else f for i, f in enumerate(frames)]
        self.fails(self.fit(), 1, "mirrors the world", "left-handed")
        # axes of a computer's vision, not of its graphics: they look away from the thing
        self.poses["frames"] = [dict(f, transform_matrix=[[r[0], -r[1], -r[2], r[3]] for r in f["transform_matrix"]]) for f in frames]
        self.fails(self.fit(), 1, "no place in common", "axes", "OpenGL")

    def test_no_overlap(self):
        frame = self.poses["frames"][1]
        frame["transform_matrix"] = [[r[0], -r[1], -r[2], r[3]] for r in frame["transform_matrix"]]
        self.colmap([(0.1 * i, 0, 0.1) for i in range(5)])
        self.fails(self.fit(poses=False), 1, pathlib.Path(frame["file_path"]).name + " shows none of the 5 points", "remove it")
        shutil.rmtree(self.data / "sparse")
        self.colmap([(1e4, 1e4, 1e4)])
        self.fails(self.fit(poses=False), 1, "like all photos", "one world")


if __name__ == "__main__":
    unittest.main()
