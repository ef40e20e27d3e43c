#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""physad synth rad: the same bytes for any thread count, its layout and masks, Ctrl-C, locales."""
import json
import os
import subprocess
import time
import unittest

from cli import PHYSAD, TINY, Case, comma_locale, files_of, interrupt_when, read_png, run


class Synth(Case):
    def test_same_bytes(self):
        self.ok(run("synth", "rad", self.place / "one", *TINY, "--threads", "1", "--seed", "3"))
        self.ok(run("synth", "rad", self.place / "two", *TINY, "--threads", "2", "--seed=3"))
        one, two = files_of(self.place / "one"), files_of(self.place / "two")
        self.assertEqual(sorted(one), sorted(two))
        for name in one:
            self.assertTrue(one[name] == two[name], name)
        self.ok(run("synth", "rad", self.place / "two", *TINY, "--seed", "4", "--replace"))
        other = files_of(self.place / "two")
        self.assertNotEqual(one["can/train/good/000.png"], other["can/train/good/000.png"])
        # an object is drawn alike whatever else is drawn with it
        self.ok(run("synth", "rad", self.place / "more", *TINY[2:], "--category", "bowl,can", "--defects", "stained", "--seed", "3"))
        more = files_of(self.place / "more")
        same = [name for name in more if name.startswith("can/") and name.endswith(".png") and "/i" not in name]
        self.assertEqual(len(same), 5)
        for name in same:
            self.assertTrue(more[name] == one[name], name)

    def test_log(self):
        out = self.place / "set"
        self.ok(run("synth", "rad", out, "--category", "can", "--train-views", "16", "--test-views", "2", "--instances", "1", "--instance-views", "2",
                    "--size", "64"))
        fit = ("scene", "fit", out / "can", "-o", out / "can.ply", "--steps", "2", "--random-points", "500", "--hold-out", "4", "--measure-every", "1")
        self.assertEqual(self.ok(run(*fit)).stderr, "")
        self.assertIn("physad: step 1, ", self.ok(run(*fit, "--verbose")).stderr)
        (out / "can/train/good/001.png").unlink()
        self.assertEqual(self.ok(run(*fit)).stderr.count("physad: warning: "), 1)
        self.assertIn("the photo train/good/001.png has a pose and is not there", self.ok(run(*fit)).stderr)

    def test_layout(self):
        out = self.place / "set"
        done = self.ok(run("synth", "rad", out, *TINY))
        self.assertEqual(done.stdout + done.stderr, "")
        files = files_of(out)
        facts = json.loads(files["synth.json"])
        self.assertTrue(facts["complete"])
        self.assertEqual(facts["options"]["train_views"], 3)
        instances = facts["categories"][0]["instances"]
        self.assertEqual([i["type"] for i in instances], ["scratched", "missing", "stained", "squeezed"])
        photos, masks = 0, 0
        for instance in instances:
            self.assertEqual(len(instance["views"]), 2)
            for view in instance["views"]:
                stem = f"{instance['type']}/{instance['instance']}_{view}"
                photo = read_png(files[f"can/test/{stem}.png"])
                mask = read_png(files[f"can/ground_truth/{stem}_mask.png"])
                self.assertEqual(photo[:3], (64, 48, 3))
                self.assertEqual(mask[:3], (64, 48, 1))
                self.assertEqual(set(mask[3]), {0, 255})
                photos, masks = photos + 1, masks + 1
        self.assertEqual(sum("/ground_truth/" in f for f in files), masks)
        self.assertEqual(sum("/test/" in f for f in files), photos + 2)
        poses = json.loads(files["can/transforms.json"])
        self.assertEqual([f["file_path"] for f in poses["frames"]], [f"train/good/00{i}.png" for i in range(3)])
        tests = json.loads(files["can/transforms_test.json"])
        self.assertEqual({"can/" + f["file_path"] for f in tests["frames"]}, {f for f in files if "/test/" in f})
        stats = json.loads(self.ok(run("data", "stats", out)).stdout)
        self.assertEqual(stats["samples"], 3 + 2 + 8)

    def test_zero_means_none(self):
        out = self.place / "set"
        self.ok(run("synth", "rad", out, "--category", "box", "--train-views", "1", "--test-views", "0", "--defects", "", "--size", "48",
                    "--noise", "0", "--exposure", "0", "--gloss", "0"))
        facts = json.loads((out / "synth.json").read_text())["options"]
        self.assertEqual((facts["test_views"], facts["noise"], facts["exposure"], facts["gloss"]), (0, 0, 0, 0))
        self.assertEqual([f for f in files_of(out) if f.endswith(".png")], ["box/train/good/000.png"])

    def test_interrupt(self):
        out = self.place / "new" / "set"
        big = ["synth", "rad", out, "--train-views", "1000"]
        status, seconds, err = interrupt_when(big, lambda: (out / "binderclip1/train/good/001.png").exists())
        self.assertEqual(status, 130, err)
        self.assertLess(seconds, 20)
        self.assertIn("interrupted", err)
        self.assertFalse(out.exists(), list(files_of(out)))

    def test_progress_is_for_terminals(self):
        done = self.ok(run("synth", "rad", self.place / "set", *TINY))
        self.assertNotIn("\r", done.stderr)
        try:
            leader, follower = os.openpty()
        except OSError as error: # a container without /dev/pts
            self.skipTest(f"no pseudo-terminals: {error}")
        child = subprocess.Popen([PHYSAD, "synth", "rad", str(self.place / "set"), "--replace", *TINY], stdout=follower, stderr=follower,
                                 env=dict(os.environ, TERM="xterm"))
        os.close(follower)
        text, start = b"", time.monotonic()
        while time.monotonic() - start < 60:
            try:
                piece = os.read(leader, 4096)
            except OSError:
                break
            if not piece:
                break
            text += piece
        os.close(leader)
        self.assertEqual(child.wait(60), 0)
        self.assertIn(b"\rcan ", text)
        self.assertTrue(text.endswith(b"\r\x1b[K"), text[-40:])

    def test_comma_locale(self):
        comma = comma_locale(self.place)
        if comma is None:
            self.skipTest("no locale with a decimal comma is installed")
        plain = ["synth", "rad", self.place / "plain", *TINY, "--defect-size", "0.9"]
        self.ok(run(*plain, env={"LC_ALL": "C"}))
        plain[2] = self.place / "comma"
        self.ok(run(*plain, env=comma))
        self.assertTrue(files_of(self.place / "plain") == files_of(self.place / "comma"))


if __name__ == "__main__":
    unittest.main()
