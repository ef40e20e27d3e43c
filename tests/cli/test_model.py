#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""methods, fit, predict, eval: mechanics, with a small network of random weights, so that nothing has to be fetched."""
import json
import math
import os
import pathlib
import re
import resource
import shutil
import subprocess
import threading
import unittest

from cli import PHYSAD, Case, files_of, interrupt_when, run

NET = ["--weights", "random:1", "--set", "input=64", "--set", "alpha=0.4"]
DRAW = ["--train-views", "12", "--test-views", "4", "--instances", "1", "--instance-views", "2", "--size", "64"]


class Methods(Case):
    def test_list(self):
        names = [line.split()[0] for line in self.ok(run("methods")).stdout.splitlines()]
        self.assertIn("patchcore", names)
        facts = json.loads(self.ok(run("methods", "--json", "-")).stdout)
        self.assertEqual([m["name"] for m in facts], names)
        for method in facts:
            text = self.ok(run("methods", method["name"])).stdout
            for option in method["options"]:
                self.assertIn(f"  {option['name']} = ", text)
                self.assertTrue(option["help"])
        self.fails(run("methods", "patchcor"), 2, "did you mean", "patchcore")



class Model(Case):
    """One drawn set and one model for all tests here."""

    @classmethod
    def setUpClass(cls):
        import tempfile
        cls.keep = tempfile.TemporaryDirectory(prefix="physad-cli-")
        cls.addClassCleanup(cls.keep.cleanup)
        root = pathlib.Path(cls.keep.name)
        cls.data, cls.model = root / "set", root / "can.physad"
        for args in (["synth", "rad", cls.data, "--category", "can,box", *DRAW],
                     ["fit", cls.data, "--category", "can", "--method", "patchcore", "-o", cls.model, *NET]):
            done = run(*args)
            if done.returncode != 0:
                raise AssertionError(f"{args}: {done.stderr}")
        cls.photos = sorted((cls.data / "can" / "test").rglob("*.png"))

    def test_types(self):
        bad = next(p for p in self.photos if p.parent.name == "scratched")
        told = ["predict", self.model, bad, "--threshold", "-1e9"]
        line = self.ok(run(*told, "--types")).stdout
        self.assertRegex(line, r" anomalous\t(hole|line|tint|deformation) \(\d+ %\) at \d+,\d+")
        sample = json.loads(self.ok(run(*told, "--types", "--json", "-")).stdout)["samples"][0]
        left, top, right, bottom = sample["regions"][0]["box"]
        x, y = sample["regions"][0]["at"]
        self.assertTrue(left <= x < right and top <= y < bottom)
        self.assertAlmostEqual(sum(sample["type_scores"].values()), 1)
        self.assertEqual(sample["type_scores"], sample["regions"][0]["kinds"])
        normal = json.loads(self.ok(run("predict", self.model, bad, "--threshold", "1e9", "--types", "--json", "-")).stdout)["samples"][0]
        self.assertNotIn("regions", normal)
        examples = self.place / "examples"
        for name, kind in (("scar", "scratched"), ("dent", "squeezed")):
            (examples / name).mkdir(parents=True)
            shutil.copy(next(p for p in self.photos if p.parent.name == kind), examples / name)
        self.assertIn("\tscar (", self.ok(run(*told, "--examples", examples)).stdout)
        self.fails(run(*told, "--examples", self.place / "none"), 1, "none")
        (self.place / "empty").mkdir()
        self.fails(run(*told, "--examples", self.place / "empty"), 1, "want a folder for each type")

    def test_info(self):
        text = self.ok(run("info", self.model)).stdout
        self.assertRegex(text, r"method    patchcore: .*\nfitted to \d+ samples, .*png the first\nthreshold \S+, for a false-alarm rate of 0.4 ")
        self.assertIn("options   other than by default:", text)
        for said in (" alpha=0.4", " input=64", " weights=random:1"):
            self.assertIn(said, text)
        self.assertNotIn("coreset_ratio", text)
        facts = json.loads(self.ok(run("info", self.model, "--json", "-")).stdout)
        self.assertEqual((facts["method"], facts["options"]["input"], facts["options"]["coreset_ratio"]), ("patchcore", "64", "0.1"))
        self.assertEqual(facts["threshold"]["alpha"], 0.4)
        self.assertFalse(facts["threshold"]["given"])
        self.assertIn(f" {len(facts['training'])} samples", text)
        self.fails(run("info", self.place / "none"), 1, "none", "No such file")
        self.fails(run("info", self.photos[0]), 1, self.photos[0].name)

    def test_groups(self):
        told = self.place / "told.json"
        by_name = self.ok(run("predict", self.model, *self.photos, "--group", "name", "--json", told))
        facts = json.loads(told.read_text())
        self.assertEqual(len(by_name.stdout.splitlines()), len(self.photos) + len(facts["groups"]))
        scores = {s["path"]: s["score"] for s in facts["samples"]}
        several = [g for g in facts["groups"] if len(g["photos"]) == 2]
        self.assertEqual(len(several), 4) # one instance of four types, two views each
        for group in facts["groups"]:
            self.assertEqual(group["score"], max(scores[p] for p in group["photos"]))
            self.assertEqual(group["places"], [])
            self.assertRegex(by_name.stdout, rf"(?m)^{group['group']} \S+ \w+\t{len(group['photos'])} photo")
        whole = self.ok(run("predict", self.model, *self.photos, "--group", "all"))
        self.assertEqual(whole.stdout.splitlines()[-1].split()[0], "all")
        folders = json.loads(self.ok(run("predict", self.model, *self.photos, "--group", "folder", "--json", "-")).stdout)
        self.assertEqual({g["group"] for g in folders["groups"]}, {str(p.parent) for p in self.photos})
        plain = json.loads(self.ok(run("predict", self.model, *self.photos, "--json", "-")).stdout)
        self.assertNotIn("groups", plain)
        self.assertEqual(plain["samples"], folders["samples"])
        self.fails(run("predict", self.model, *self.photos, "--group", "names"), 2, "--group")

    def test_usage(self):
        out = self.place / "m"
        fit = ["fit", self.data, "-o", out]
        self.fails(run("fit", self.data, "--method", "patchcore"), 2, "-o MODEL is missing")
        self.fails(run(*fit), 2, "--method is missing")
        self.fails(run(*fit, "--method", "patchcor"), 2, "did you mean", "patchcore")
        self.fails(run(*fit, "--method", "patchcore,padim", "--category", "can"), 2, "a model is of one")
        self.fails(run(*fit, "--method", "patchcore", *NET), 2, "2 categories (box, can)")
        self.fails(run(*fit, "--method", "patchcore", "--set", "x"), 2, "want KEY=VALUE")
        self.fails(run(*fit, "--method", "patchcore", "--set", "coreset_ratioo=1"), 2, "coreset_ratio")
        self.fails(run(*fit, "--method", "patchcore", "--set", "coreset_ratio=0,1"), 2, "0,1")
        self.fails(run(*fit, "--method", "patchcore", "--set", "padim.dim=3"), 2, "does not run")
        self.fails(run(*fit, "--method", "patchcore", "--precision", "f64"), 2, "f64")
        self.fails(run(*fit, "--method", "patchcore", "--category", "bowl"), 1, "bowl")
        self.fails(run("fit", self.data, "-o", self.place / "no" / "m", "--method", "patchcore", "--category", "can", *NET), 1, "No such file")
        self.fails(run("fit", self.data, "-o", self.place, "--method", "patchcore", "--category", "can", *NET), 1, "it is a folder")
        self.fails(run(*fit, "--method", "patchcore", "--category", "can", "--set", "input_size=64"), 2, "it has preset, coreset_ratio, ")
        self.fails(run("predict"), 2, "MODEL INPUT... is missing")
        self.fails(run("predict", self.model), 2, ": INPUT... is missing")
        self.fails(run("predict", self.place / "none", "x.png"), 1, "none")
        self.fails(run("predict", self.data / "synth.json", "x.png"), 1, "synth.json")
        self.assertEqual(files_of(self.place), {})

    def test_same_model(self):
        again = self.place / "again.physad"
        self.ok(run("fit", self.data, "--category", "can", "--method", "patchcore", "-o", again, *NET, "--threads", "1", "--batch", "3"))
        self.assertTrue(again.read_bytes() == self.model.read_bytes())

    def test_same_scores(self):
        lines = self.ok(run("predict", self.model, *self.photos, "--threads", "1", "--batch", "1")).stdout.splitlines()
        self.assertEqual(len(lines), len(self.photos))
        for line, path in zip(lines, self.photos):
            name, score, label = line.rsplit(" ", 2)
            self.assertEqual(name, str(path))
            self.assertTrue(math.isfinite(float(score)))
            self.assertIn(label, ("normal", "anomalous"))
        for more in (["--batch", "5"], ["--threads", "2", "--batch", "256"]):
            self.assertEqual(self.ok(run("predict", self.model, *self.photos, *more)).stdout.splitlines(), lines)
        backward = self.ok(run("predict", self.model, *self.photos[::-1])).stdout.splitlines()
        self.assertEqual(backward[::-1], lines)

    def test_json_and_maps(self):
        maps = self.place / "maps"
        done = self.ok(run("predict", self.model, *self.photos, "--json", "-", "--maps", maps))
        facts = json.loads(done.stdout)
        import hashlib
        self.assertEqual(facts["model_sha256"], hashlib.sha256(self.model.read_bytes()).hexdigest())
        self.assertEqual(facts["skipped"], [])
        self.assertEqual([s["path"] for s in facts["samples"]], [str(p) for p in self.photos])
        for sample in facts["samples"]:
            self.assertEqual(sample["anomalous"], sample["score"] > facts["threshold"])
            self.assertIn(pathlib.Path(sample["map"]).read_bytes()[:4], (b"II*\0", b"MM\0*"))
        self.assertEqual(len(list(maps.glob("*.png"))), len(self.photos))
        high = json.loads(self.ok(run("predict", self.model, self.photos[0], "--json", "-", "--threshold", "1e9")).stdout)
        self.assertEqual((high["threshold"], high["samples"][0]["anomalous"]), (1e9, False))
        self.assertIsNone(high["samples"][0]["map"])

    def test_unknown(self):
        bare = self.place / "bare.physad"
        self.ok(run("fit", self.data, "--category", "can", "--method", "patchcore", "-o", bare, *NET, "--set", "calibration=0"))
        done = self.ok(run("predict", bare, *self.photos[:2]))
        self.assertTrue(all(line.endswith(" unknown") for line in done.stdout.splitlines()))
        self.assertEqual(done.stderr.count("unknown: patchcore: no threshold: the detector was fitted with calibration=0"), 1)
        self.assertIn("--threshold T", done.stderr)
        self.assertNotIn("unknown", self.ok(run("predict", bare, self.photos[0], "--threshold", "1")).stderr)

    def test_bad_photos(self):
        bad = self.place / "bad.png"
        bad.write_bytes(self.photos[0].read_bytes()[:900])
        done = run("predict", self.model, self.photos[0], bad, self.photos[1])
        self.assertEqual(done.returncode, 1)
        self.assertIn("bad.png", done.stderr)
        done = self.ok(run("predict", self.model, self.photos[0], bad, self.photos[1], "--on-error", "skip", "--json", "-"))
        facts = json.loads(done.stdout)
        self.assertEqual([s["path"] for s in facts["samples"]], [str(self.photos[0]), str(self.photos[1])])
        self.assertEqual([s["path"] for s in facts["skipped"]], [str(bad)])
        pipe = self.place / "pipe.png"  # nobody writes it: it is not read before its turn
        os.mkfifo(pipe)
        done = run("predict", self.model, self.photos[0], bad, pipe, timeout=60)
        self.assertEqual((done.returncode, "bad.png" in done.stderr), (1, True))
        writer = threading.Thread(target=pipe.write_bytes, args=(self.photos[1].read_bytes(),))
        writer.start()
        through = self.ok(run("predict", self.model, self.photos[0], pipe, self.photos[2], timeout=60)).stdout.splitlines()
        writer.join()
        whole = self.ok(run("predict", self.model, *self.photos[:3])).stdout.splitlines()
        self.assertEqual([line.split()[1:] for line in through], [line.split()[1:] for line in whole])
        folder = self.ok(run("predict", self.model, self.data / "can" / "test" / "good"))
        self.assertEqual(len(folder.stdout.splitlines()), 4)
        for day in ("monday", "tuesday a"):  # folders of photos in a folder that is no data set
            (self.place / "week" / day).mkdir(parents=True)
            (self.place / "week" / day / "p.png").write_bytes(self.photos[0].read_bytes())
        week = self.ok(run("predict", self.model, self.place / "week")).stdout.splitlines()
        self.assertEqual([line.rsplit(" ", 2)[0] for line in week],
                         [f"{self.place}/week/monday/p.png", f"{self.place}/week/tuesday a/p.png"])

    def test_strange_names(self):
        latin = f"{self.place}/caf\udce9.png"
        for name in (latin, f"{self.place}/a\x1b[2J.png"):
            with open(name, "wb") as f:
                f.write(self.photos[0].read_bytes())
        facts = json.loads(self.ok(run("predict", self.model, latin, self.photos[1], "--json", "-")).stdout)
        self.assertEqual([s["path"] for s in facts["samples"]], [f"{self.place}/caf\ufffd.png", str(self.photos[1])])
        bad = self.place / "b\x1b]0;owned\x07.png"
        bad.write_bytes(b"no photo")
        for more in ([], ["--on-error", "skip", "--json", os.devnull]):
            done = run("predict", self.model, bad, self.photos[1], *more)
            self.assertIn("b?]0;owned?.png", done.stderr)
            self.assertNotIn("\x1b", done.stderr)
        self.assertNotIn("\x1b", run("predict", bad, bad).stderr)

    def evaluate(self, *more, data=None):
        done = run("eval", data or self.data, "--method", "patchcore", *NET, "--json", "-", "--replicates", "50", *more)
        return json.loads(self.ok(done).stdout)

    def test_eval(self):
        one = self.evaluate("--category", "can")
        self.assertEqual((one["category"], one["method"], one["n_train"], one["n_test"]), ("can", "patchcore", 12, len(self.photos)))
        self.assertEqual(sorted(s["path"] for s in one["samples"]), sorted(p.relative_to(self.data).as_posix() for p in self.photos))
        lines = self.ok(run("predict", self.model, *self.photos)).stdout.splitlines()
        scores = {str(self.data / s["path"]): s["score"] for s in one["samples"]}
        for line in lines:
            name, score = line.rsplit(" ", 2)[:2]
            self.assertEqual(float(score), scores[name])

        def still(result):
            return {k: v for k, v in result.items() if k not in ("seconds", "score_ms_median", "peak_rss_mib", "threads", "options")}
        again = self.evaluate("--category", "can", "--threads", "1", "--batch", "7")
        self.assertEqual(still(again), still(one))

        typed = self.evaluate("--category", "can", "--types")
        for plain, told in zip(one["samples"], typed["samples"], strict=True):
            scores = told.pop("type_scores")
            self.assertEqual(told, plain)
            self.assertAlmostEqual(sum(scores.values()), 1)
        self.assertEqual({t: v["vs_good"] for t, v in typed["per_type"].items()}, {t: v["vs_good"] for t, v in one["per_type"].items()})
        self.assertNotEqual([v["vs_rest"] for v in typed["per_type"].values()], [v["vs_rest"] for v in one["per_type"].values()])

        several = self.evaluate()
        self.assertEqual([r["category"] for r in several["results"]], ["box", "can"])
        self.assertEqual(still(several["results"][1]), still(one))
        self.assertIn("image_auroc", several["mean"])

    def test_eval_report(self):
        report, out = self.place / "report", self.place / "results.json"
        done = self.ok(run("eval", self.data, "--category", "can", "--method", "patchcore,padim", "--weights", "random:1", "--set", "input=64",
                           "--set", "alpha=0.4", "--set", "patchcore.coreset_ratio=0.2", "--replicates", "0", "--json", out, "--report", report))
        self.assertIn("image AUROC", done.stdout)
        self.assertEqual([r["method"] for r in json.loads(out.read_text())["results"]], ["patchcore", "padim"])
        files = files_of(report)
        self.assertEqual(files["results.json"], out.read_bytes())
        self.assertEqual(sorted(files), ["report.html", "results.csv", "results.json"])
        page = files["report.html"].decode()
        self.assertEqual(page.count("<article "), len(self.photos))
        self.assertIn("Things of several photos", page)
        self.assertNotIn("oddest at", page)  # no column without places
        self.assertGreater(page.count('alt="score map"'), 0)
        plain = self.place / "plain"
        self.ok(run("eval", self.data, "--category", "can", "--method", "patchcore", *NET, "--replicates", "0", "--gallery", "0",
                    "--report", plain))
        self.assertNotIn("<img", files_of(plain)["report.html"].decode())

    def test_eval_usage(self):
        self.fails(run("eval", self.data), 2, "--method is missing")
        self.fails(run("eval", self.data, "--method", "patchcore", "--metrics-size", "small"), 2, "one of photo, input")
        self.fails(run("eval", self.data, "--method", "patchcore", "--on-error", "go"), 2, "one of stop, skip")
        self.fails(run("eval", self.place / "none", "--method", "patchcore"), 1, "none")
        self.fails(run("eval", self.data, "--method", "patchcore", "--category", "cann"), 1, "can")

    def test_waiting_threads(self):
        """Without a word of it in the environment the command starts itself anew; nothing else changes."""
        import os
        kept = os.environ.pop("OMP_WAIT_POLICY", None)
        try:
            anew = self.ok(run("predict", self.model, *self.photos)).stdout
            self.assertEqual(run("predict", self.place / "none", "x").returncode, 1)
        finally:
            if kept is not None:
                os.environ["OMP_WAIT_POLICY"] = kept
        self.assertEqual(anew, self.ok(run("predict", self.model, *self.photos, env={"OMP_WAIT_POLICY": "passive"})).stdout)

    def test_eval_bad_photo(self):
        import shutil
        data = self.place / "set"
        shutil.copytree(self.data / "can", data / "can")
        bad = sorted((data / "can" / "test" / "good").glob("*.png"))[0]
        bad.write_bytes(bad.read_bytes()[:900])
        self.fails(run("eval", data, "--method", "patchcore", *NET, "--json", "-"), 1, bad.name)
        facts = self.evaluate("--on-error", "skip", data=data)
        self.assertEqual(len(facts["skipped"]), 1)
        self.assertEqual(facts["n_test"], len(self.photos) - 1)
        normal = sorted((data / "can" / "train" / "good").glob("*.png"))[0]
        normal.write_bytes(b"")
        self.fails(run("fit", data, "--method", "patchcore", *NET, "-o", self.place / "m.physad"), 1, normal.name)
        done = self.ok(run("fit", data, "--method", "patchcore", *NET, "-o", self.place / "m.physad", "--on-error", "skip", "--batch", "3"))
        self.assertRegex(done.stderr, f"left out: .*{normal.name}")
        done = self.ok(run("eval", data, "--method", "patchcore,padim", *NET, "--on-error", "skip", "--replicates", "0"))
        for name in (normal.name, bad.name):  # once, though both methods left it out
            self.assertEqual(len(re.findall(f"left out: .*{name}", done.stderr)), 1, done.stderr)
        skipped = self.evaluate("--on-error", "skip", data=data)["skipped"]
        self.assertEqual([s["path"].rsplit("/", 1)[-1] for s in skipped], [normal.name, bad.name])

    def test_interrupt_leaves_no_model(self):
        big = self.place / "big"
        self.ok(run("synth", "rad", big, "--category", "can", "--train-views", "200", "--test-views", "0", "--defects", "", "--size", "64"))
        out = self.place / "m.physad"
        import time
        start = time.monotonic()
        fit = ["fit", big, "--method", "patchcore", "-o", out, "--weights", "random:1", "--set", "input=320", "--set", "coreset_ratio=0.5"]
        status, seconds, err = interrupt_when(fit, lambda: time.monotonic() > start + 1.0)
        self.assertEqual(status, 130, err)
        self.assertLess(seconds, 30)
        self.assertEqual([p.name for p in self.place.iterdir()], ["big"])



class Videos(Case):
    """Videos and folders of frames, by methods for videos and by methods on photos."""

    @classmethod
    def setUpClass(cls):
        import tempfile
        cls.keep = tempfile.TemporaryDirectory(prefix="physad-cli-")
        cls.addClassCleanup(cls.keep.cleanup)
        root = pathlib.Path(cls.keep.name)
        cls.data, cls.model = root / "set", root / "swing.physad"
        for args in (["synth", "phys", cls.data, "--category", "pendulum", "--train-videos", "9", "--test-videos", "1", "--defect-videos", "1",
                      "--frames", "24", "--folders"],
                     ["fit", cls.data, "--method", "motion-bank", "--set", "calibration=0", "-o", cls.model]):
            done = run(*args)
            if done.returncode != 0:
                raise AssertionError(f"{args}: {done.stderr}")
        cls.test = cls.data / "pendulum" / "test"

    def test_predict(self):
        slow, good = self.test / "slow" / "000", self.test / "good" / "000"
        facts = json.loads(self.ok(run("predict", self.model, slow, self.data, "--json", "-")).stdout)
        found = {s["path"]: s for s in facts["samples"]}
        self.assertEqual(len(facts["samples"]), 15)  # a folder of photos is one video, and the set has fourteen
        self.assertEqual([s["path"] for s in facts["samples"]][0], str(slow))
        self.assertGreater(found[str(slow)]["score"], found[str(good)]["score"])
        for sample in facts["samples"]:
            video = sample["video"]
            self.assertEqual((sample["map"], len(video["frame_scores"]), video["frame_rate"]), (None, 24, 25))
            self.assertEqual(video["frame_scores"][video["worst"]["frame"]], max(video["frame_scores"]))
            self.assertTrue(video["worst"]["nearest"]["path"].startswith("pendulum/train/good/"))
        self.assertNotEqual(found[str(slow)]["video"]["verdict"], "")
        line, verdict = self.ok(run("predict", self.model, slow)).stdout.rstrip("\n").split("\t")
        self.assertEqual((line.rsplit(" ", 2)[0], verdict), (str(slow), found[str(slow)]["video"]["verdict"]))
        bad = self.place / "bad.mp4"
        bad.write_bytes(b"no video")
        self.fails(run("predict", self.model, bad, good), 1, "bad.mp4")
        facts = json.loads(self.ok(run("predict", self.model, bad, good, "--on-error", "skip", "--json", "-")).stdout)
        self.assertEqual(([s["path"] for s in facts["samples"]], [s["path"] for s in facts["skipped"]]), ([str(good)], [str(bad)]))
        # Folders of frames in a folder, beside others.
        bare = self.place / "bare"
        (bare / "notes").mkdir(parents=True)
        (bare / "notes" / "a.txt").write_text("a")
        for name, video in (("b", good), ("a", slow)):
            shutil.copytree(video, bare / name)
        lines = self.ok(run("predict", self.model, bare)).stdout.splitlines()
        self.assertEqual([line.split()[0] for line in lines], [str(bare / "a"), str(bare / "b")])
        self.fails(run("predict", self.model, bare / "notes"), 1, "no known layout")
        # One frame: what is wrong, and with which.
        for photo in sorted((bare / "b").iterdir())[1:]:
            photo.unlink()
        self.fails(run("predict", self.model, bare / "b"), 1, f"{bare / 'b'}: a video of 1 frame has no motion")
        # A photo amid the frames that is none.
        sorted((bare / "a").iterdir())[9].write_bytes(b"no photo")
        self.fails(run("predict", self.model, bare / "a"), 1, str(bare / "a"))
        short = self.ok(run("predict", self.model, bare / "a", good, "--shorten", "--json", "-"))
        self.assertIn(f"{bare / 'a'}: damaged or cut off: scored by the 9 frames", short.stderr)
        videos = [s["video"] for s in json.loads(short.stdout)["samples"]]
        self.assertEqual([(v.get("shortened"), len(v["frame_scores"])) for v in videos], [(True, 9), (None, 24)])

    def test_pipes(self):
        good = self.test / "good" / "000"
        if not self.ok(run("info")).stdout.count("FFmpeg"):
            self.skipTest("no FFmpeg")
        pipe = self.place / "pipe"
        os.mkfifo(pipe)

        def through(times, *more):
            frames = b"".join(p.read_bytes() for p in sorted(good.iterdir()))

            def write():
                try:
                    pipe.write_bytes(frames * times)
                except BrokenPipeError:
                    pass
            writer = threading.Thread(target=write)
            writer.start()
            done = run("predict", self.model, pipe, *more, timeout=60)
            writer.join()
            return done
        plain = float(self.ok(run("predict", self.model, good)).stdout.split()[1])
        line = self.ok(through(1)).stdout.split()
        self.assertEqual(line[0], str(pipe))
        self.assertAlmostEqual(float(line[1]), plain, delta=0.1)  # grey of RGB is rounded elsewhere
        # One that never ends, to its reader.
        self.fails(through(400, "--max-frames", "24"), 1, "more than max_frames (24)")
        done = self.ok(through(400, "--max-frames", "24", "--shorten", "--json", "-"))
        self.assertIn("scored by its first 24 frames", done.stderr)
        sample = json.loads(done.stdout)["samples"][0]
        self.assertEqual((len(sample["video"]["frame_scores"]), sample["video"]["shortened"]), (24, True))
        self.assertAlmostEqual(sample["score"], plain, delta=0.1)
        self.fails(run("predict", self.model, good, "--max-frames", "0"), 2, "max-frames")

    def test_rules(self):
        rules = self.place / "rules.json"
        self.ok(run("rules", self.model, "--json", rules))
        facts = json.loads(rules.read_text())
        self.assertEqual(json.loads(self.ok(run("rules", self.model)).stdout), facts)
        speed = next(r for r in facts["rules"] if r["rule"] == "speed")
        self.assertEqual((facts["method"], speed["unit"]), ("motion-bank", "px/frame"))
        self.assertTrue(0 < speed["low"] < speed["high"])
        # Edited, for another model file: what was normal is too slow now.
        good = self.test / "good" / "000"
        edited = self.place / "edited.json"
        edited.write_text(json.dumps([{"rule": "speed", "low": speed["high"] * 3, "high": speed["high"] * 4}]))
        self.ok(run("rules", self.model, "--use", edited, "-o", self.place / "strict.physad"))
        self.assertIn("too slow", self.ok(run("predict", self.place / "strict.physad", good)).stdout)
        self.assertNotIn("too slow", self.ok(run("predict", self.model, good)).stdout)
        self.ok(run("rules", self.place / "strict.physad", "--use", rules, "-o", self.place / "back.physad"))
        back, plain = (float(self.ok(run("predict", m, good)).stdout.split()[1]) for m in (self.place / "back.physad", self.model))
        self.assertAlmostEqual(back, plain, delta=1e-3)
        self.fails(run("rules", self.model, "--use", edited), 2, "-o MODEL")
        self.fails(run("rules", self.model, "-o", self.place / "x"), 2, "--json OUT is for the rules")  # no copy of the model
        self.assertFalse((self.place / "x").exists())
        kept = edited.read_bytes()
        self.fails(run("rules", self.model, "--use", edited, "-o", edited), 2, "-o is the file of rules")
        self.assertEqual(edited.read_bytes(), kept)
        edited.write_text('{"rules": [{"rule": "speed", "used": false}]}')
        done = self.ok(run("rules", self.model, "--use", edited, "-o", self.place / "lax.physad", "--json", "-"))
        self.assertEqual(next(r for r in json.loads(done.stdout)["rules"] if r["rule"] == "speed"), dict(speed, used=False))
        self.fails(run("rules", self.model, "--use", self.place / "none.json", "-o", self.place / "x"), 1, "none.json")
        edited.write_text('[{"rule": "sped", "low": 1, "high": 2}]')
        self.fails(run("rules", self.model, "--use", edited, "-o", self.place / "x"), 1, 'edited.json: entry 1 of the rules: there is no rule "sped"; did you mean "speed"')
        edited.write_text('[{"rule": "speed", "low": 1,')
        self.fails(run("rules", self.model, "--use", edited, "-o", self.place / "x"), 1, "edited.json: ")
        edited.write_bytes(rules.read_bytes() + b"\0, and more")
        self.fails(run("rules", self.model, "--use", edited, "-o", self.place / "x"), 1, f"byte {rules.stat().st_size} is zero")

    def test_frame_rates(self):
        good = self.test / "good" / "000"
        def score(*args):
            return float(self.ok(run("predict", self.model, good, *args)).stdout.split()[1])
        self.assertEqual(score(), score("--fps", "25"))  # as the training folders, which do not say theirs
        self.assertGreater(score("--fps", "75"), score() + 1)  # three times as fast
        self.fails(run("predict", self.model, good, "--fps", "0"), 2, "fps")

    def test_what_cannot_be_written_takes_no_figures_along(self):
        out, report = self.place / "results.json", self.place / "report"
        done = subprocess.run([PHYSAD, "eval", self.data, "--method", "motion-energy", "--json", out, "--report", report, "--replicates", "0"],
                              capture_output=True, text=True, check=False,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500)))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "results.json: .*File too large\n(.*\n)*.*report.html: .*File too large")
        self.assertIn("video AUROC", done.stdout)
        self.assertEqual([f for f in files_of(self.place) if not f.startswith("set")], [])

    def test_protocols(self):
        def split(*more):
            return json.loads(self.ok(run("data", "split", self.data, *more)).stdout)["samples"]

        plain = split()
        self.assertEqual({s["label"] for s in plain if s["split"] == "train"}, {0})
        self.assertEqual({s["instance"] for s in plain}, {"red", "blue"})
        self.assertEqual({s["persistence"] for s in plain if s["label"]}, {"persistent", "intermittent"})
        self.assertTrue(all(s["texts"].endswith("text_labels.json") and s["kind"] == "frames" for s in plain))
        weak = split("--protocol", "weak-in-all", "--drawn", "2")
        moved = [s["path"] for s in weak if s["split"] == "train" and s["label"]]
        self.assertEqual((len(moved), len(weak)), (2, len(plain)))
        self.assertEqual(moved, [s["path"] for s in split("--protocol", "weak-in-all", "--drawn", "2") if s["split"] == "train" and s["label"]])
        few = split("--protocol", "understanding", "--drawn", "1-1", "--seed", "3")
        self.assertEqual(len([s for s in few if s["split"] == "train"]), 2)
        facts = json.loads(self.ok(run("eval", self.data, "--method", "motion-energy", "--protocol", "weak-in-all", "--drawn", "2", "--json", "-",
                                       "--replicates", "0")).stdout)
        self.assertEqual(sorted(moved + [s["path"] for s in facts["samples"]]), sorted(s["path"] for s in plain if s["split"] == "test"))
        self.fails(run("data", "split", self.data, "--protocol", "weak"), 2, "weak")
        self.fails(run("data", "split", self.data, "--drawn", "2"), 2, "--drawn goes with")
        for bad in ("0", "3-2", "2-", "x", "-1"):
            self.fails(run("data", "split", self.data, "--protocol", "weak-in-all", f"--drawn={bad}"), 2, "want N or N-M")

    def test_maps_of_frames(self):
        model, maps = self.place / "m.physad", self.place / "maps"
        small = [a for o in ("size=32", "width=4", "epochs=1", "epoch_clips=4", "batch=2", "calibration=0") for a in ("--set", o)]
        self.ok(run("fit", self.data, "--method", "mnad-recon", *small, "-o", model))
        facts = json.loads(self.ok(run("predict", model, self.test / "good" / "000", "--json", "-", "--maps", maps)).stdout)
        sample = facts["samples"][0]
        self.assertEqual(sample["video"]["verdict"], None)
        self.assertEqual(sample["video"]["worst"]["nearest"], None)
        self.assertIn(pathlib.Path(sample["map"]).read_bytes()[:4], (b"II*\0", b"MM\0*"))
        self.assertEqual([p.name for p in maps.glob("*.png")], ["000.png"])

    def test_by_photos(self):
        model = self.place / "m.physad"
        self.ok(run("fit", self.data, "--method", "patchcore", *NET, "--set", "video_frames=2", "-o", model))
        video = self.test.parent / "train"
        scores = {}
        for pool in ("max", "mean"):
            done = self.ok(run("predict", model, self.data, "--pool", pool, "--json", "-"))
            scores[pool] = [s["score"] for s in json.loads(done.stdout)["samples"]]
            self.assertEqual(len(scores[pool]), 14)
        self.assertTrue(all(a >= b for a, b in zip(scores["max"], scores["mean"])))
        self.assertEqual(len(self.ok(run("predict", model, self.test / "good" / "000")).stdout.splitlines()), 24)  # each a photo
        self.fails(run("predict", model, video, "--pool", "median"), 2, "median")


if __name__ == "__main__":
    unittest.main()
