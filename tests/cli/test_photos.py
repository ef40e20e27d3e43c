#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real photos with poses: what a method on drawn things cannot tell, that scenes which render well also find what is missing."""
import pathlib
import unittest

from cli import DATA, Case, run

QUICK = ["--set", "steps=1000", "--set", "plain=never", "--set", "calibration=0", "--threads", "2"]


@unittest.skipIf(DATA is None, "PHYSAD_TEST_DATA is not set")
class Photos(Case):
    def test_missing(self):
        """Poses alone find what is missing (AUROC .95), in a quarter of the usual steps."""
        fox, model = pathlib.Path(DATA) / "fox", self.place / "fox.physad"
        if not fox.exists():
            self.skipTest("no fox in PHYSAD_TEST_DATA")
        self.ok(run("fit", fox, "--method", "splat-bank", "-o", model, *QUICK, timeout=900))
        scores = []
        for part in ("good", "missing"):
            told = self.ok(run("predict", model, fox / "test" / part, "--threads", "2", timeout=900)).stdout
            scores.append([float(line.split()[1]) for line in told.splitlines()])
            self.assertEqual(len(scores[-1]), len(list((fox / "test" / part).iterdir())))
        good, missing = scores
        found = sum((m > g) + (m == g) / 2 for m in missing for g in good) / len(missing) / len(good)
        print(f"image AUROC of what is missing: {found:.3f}")
        self.assertGreater(found, 0.85)


if __name__ == "__main__":
    unittest.main(verbosity=2)
