#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Poses by COLMAP: what it is asked for, and what is said when it fails. A script stands in for it."""
import os
import tempfile
import unittest

from cli import Case, run

GOOD = """#!/bin/sh
echo "$@" >> "$(dirname "$0")/calls"
echo "$1 says much"
if [ "$2" = --help ]; then [ -z "$GPU_OPTION" ] || echo "  --$GPU_OPTION arg (=1)"; exit 0; fi
if [ -n "$GPU_OPTION" ]; then case "$*" in mapper*) ;; *"--$GPU_OPTION 0"*) ;; *) echo "no context" >&2; kill -ABRT $$;; esac; fi
if [ "$1" = "$FAIL_AT" ]; then echo "no such luck" >&2; exit 3; fi
while [ $# -gt 0 ]; do
    if [ "$1" = --output_path ] && [ -z "$FINDS_NOTHING" ]; then mkdir -p "$2/0"; echo x > "$2/0/cameras.bin"; fi
    shift
done
"""


VARIABLES = ("FAIL_AT", "FINDS_NOTHING", "GPU_OPTION")


class Poses(Case):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.data = os.path.join(self.folder.name, "data")
        os.makedirs(os.path.join(self.data, "train/good"))
        self.colmap = os.path.join(self.folder.name, "colmap")
        with open(self.colmap, "w") as f:
            f.write(GOOD)
        os.chmod(self.colmap, 0o755)
        for name in VARIABLES:
            os.environ.pop(name, None)

    def tearDown(self):
        for name in VARIABLES:
            os.environ.pop(name, None)
        self.folder.cleanup()

    def poses(self, *options):
        return run("scene", "poses", self.data, "--colmap", self.colmap, *options)

    def test_three_steps(self):
        self.assertEqual(self.ok(self.poses()).stdout, self.data + "/sparse/0\n")
        with open(os.path.join(self.folder.name, "calls")) as f:
            calls = f.read().splitlines()
        self.assertEqual([c.split()[0] for c in calls], ["feature_extractor", "exhaustive_matcher", "mapper"])
        self.assertIn("--image_path " + self.data + "/train/good", calls[0])
        self.assertIn("--ImageReader.camera_model OPENCV", calls[0])
        self.fails(self.poses(), 1, "is there already", "--replace")
        self.ok(self.poses("--replace", "--sequence", "--camera", "PINHOLE"))
        with open(os.path.join(self.folder.name, "calls")) as f:
            self.assertIn("sequential_matcher", f.read())

    def test_without_graphics_processor(self):
        for option in ("SiftExtraction.use_gpu", "FeatureExtraction.use_gpu"):
            os.environ["GPU_OPTION"] = option
            done = self.ok(self.poses("--replace"))
            self.assertEqual(done.stderr.count("without a graphics processor"), 2)
        os.environ["FAIL_AT"] = "feature_extractor"  # for another reason: the second try's is told
        self.fails(self.poses("--replace"), 1, "feature_extractor failed with status 3", "no such luck")

    def test_failures(self):
        os.environ["FAIL_AT"] = "exhaustive_matcher"
        self.fails(self.poses(), 1, "exhaustive_matcher failed with status 3", "no such luck")
        del os.environ["FAIL_AT"]
        os.environ["FINDS_NOTHING"] = "1"
        self.fails(self.poses(), 1, "found no poses")
        self.fails(run("scene", "poses", self.data, "--colmap", "/nowhere/colmap"), 1, "install COLMAP")
        self.fails(run("scene", "poses", "/nowhere/data"), 1, "is no folder")
        self.fails(self.poses("--camera", "FISHY"), 2, "camera")


if __name__ == "__main__":
    unittest.main()
