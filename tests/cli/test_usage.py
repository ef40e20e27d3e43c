#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Help, wrong arguments, exit statuses, full disks, readers that go away."""
import json
import re
import resource
import subprocess
import unittest

from cli import PHYSAD, TINY, Case, files_of, run


def commands():
    text = run("--help").stdout
    names = re.findall(r"^  ((?:[a-z]+ )?[a-z]+)  +\S", text.split("commands:")[1].split("\n\n")[0], re.M)
    assert len(names) >= 7, text
    return names


class Usage(Case):
    def test_help_of_everything(self):
        for name in commands():
            done = self.ok(run(*name.split(), "--help"))
            self.assertIn("usage: physad " + name, done.stdout)
            self.assertIn("--help", done.stdout)
            self.assertEqual(done.stderr, "")
            self.assertLessEqual(max(map(len, done.stdout.splitlines())), 130, name)

    def test_version(self):
        self.assertRegex(self.ok(run("--version")).stdout, r"^physad \d+\.\d+\.\d+\n$")

    def test_nothing_given(self):
        self.fails(run(), 2, "usage: physad COMMAND")

    def test_unknown_commands(self):
        self.fails(run("sinth"), 2, 'no command "sinth"', 'did you mean "synth"?')
        self.fails(run("synth", "rat"), 2, 'did you mean "synth rad"?')
        self.fails(run("synth"), 2, "physad synth rad OUT")
        self.fails(run("qqqqqqqq"), 2, "no command")

    def test_unknown_options_everywhere(self):
        for name in commands():
            self.fails(run(*name.split(), "--qqqqqqqq"), 2, "unknown option --qqqqqqqq", "--help")
            self.fails(run(*name.split(), "-Q"), 2, "unknown option -Q")

    def test_too_many_operands(self):
        self.fails(run("info", "x", "y"), 2, 'unexpected argument "y"')
        self.fails(run("data", "stats"), 2, "DATA is missing")
        self.fails(run("data", "stats", "a", "b"), 2, 'unexpected argument "b"')
        self.fails(run("data", "stats", "--", "--a", "b"), 2, 'unexpected argument "b"')

    def test_values(self):
        out = self.place / "x"
        self.fails(run("synth", "rad", "--sed", "3", out), 2, "did you mean --seed?")
        self.fails(run("synth", "rad", out, "--seed"), 2, "--seed needs a value (N)")
        self.fails(run("synth", "rad", out, "--seed", "1", "--seed", "2"), 2, "--seed is given twice")
        self.fails(run("synth", "rad", out, "--seed=x"), 2, '--seed is "x", want a whole number')
        self.fails(run("synth", "rad", out, "--seed=-1"), 2, '"-1"')
        self.fails(run("synth", "rad", out, "--threads=0"), 2, "from 1 to 4096")
        self.fails(run("synth", "rad", out, "--replace=yes"), 2, "takes no value")
        self.fails(run("synth", "rad", out, "--noise=0.7"), 2, "a number from 0 to 0.5")
        self.fails(run("synth", "rad", out, "--noise=nan"), 2, "nan")
        self.fails(run("synth", "rad", out, "--size=9"), 2, "--size")
        self.fails(run("synth", "rad", out, "--category=bowll"), 2, "did you mean bowl?")
        self.fails(run("synth", "rad", out, "--background=tabel"), 2, "did you mean table?")
        self.assertFalse(out.exists())

    def test_failures(self):
        self.fails(run("data", "stats", self.place / "none"), 1, "none")
        self.fails(run("synth", "rad", "/dev/null/x", *TINY), 1, "/dev/null")
        (self.place / "file").write_text("x")
        self.fails(run("synth", "rad", self.place, *TINY), 1, "not empty")

    def test_info(self):
        text = self.ok(run("info")).stdout
        self.assertIn("licences in effect", text)
        facts = json.loads(self.ok(run("info", "--json", "-")).stdout)
        self.assertGreaterEqual(facts["threads"], 1)
        parts = {p["name"]: p["licence"] for p in facts["parts"]}
        self.assertEqual(parts["libphysad"], "Apache-2.0")
        for name, licence in parts.items():
            self.assertIn(name, text)
            self.assertTrue(licence)
        self.ok(run("info", "--json", self.place / "info.json"))
        self.assertEqual(json.loads((self.place / "info.json").read_text()), facts)
        self.assertEqual([p.name for p in self.place.iterdir()], ["info.json"])

    def test_backbones(self):
        facts = json.loads(self.ok(run("backbones", "--json", "-")).stdout)
        self.assertEqual(facts[0]["name"], "efficientnet-lite0")
        self.assertEqual(len(self.ok(run("backbones")).stdout.splitlines()), len(facts))

    def test_weights_list(self):
        names = [w["name"] for w in json.loads(self.ok(run("weights", "list", "--json", "-")).stdout)]
        self.assertIn("efficientnet-lite0", names)
        self.assertEqual(len(self.ok(run("weights", "list")).stdout.splitlines()), len(names))
        self.fails(run("weights", "fetch", "efficientnet-lite1"), 2, "did you mean")
        self.fails(run("weights", "verify", "efficientnet-lite0", "--weights", self.place / "none"), 1, "none")
        self.fails(run("weights", "convert", self.place / "none.pth"), 2, "-o FILE is missing")
        self.fails(run("weights", "convert", self.place / "none.pth", "-o", self.place / "x.safetensors"), 1, "none.pth")
        self.assertEqual(list(self.place.iterdir()), [])

    def test_full_disk(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([PHYSAD, "info"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.count("No space left"), 1, done.stderr)
        self.fails(run("info", "--json", "/dev/full"), 1, "/dev/full")
        self.fails(run("info", "--json", self.place / "none" / "x.json"), 1, "x.json")

    def test_limited_files(self):
        # a limit on the size of files is an error as a full disk is one, not the end of the process
        done = subprocess.run([PHYSAD, "synth", "rad", self.place / "rad", "--category", "can", "--train-views", "2", "--test-views",
                               "1", "--instances", "1", "--instance-views", "1", "--threads", "1"], capture_output=True, text=True, check=False,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)))
        self.fails(done, 1, "File too large")
        self.assertEqual([f for f in files_of(self.place) if f.endswith(".tmp")], [])

    def test_outputs_are_checked_first(self):
        # before the input is looked at, which is not even there
        for name in ("eval", "fit", "scene fit"):
            option = "--json" if name == "eval" else "-o"
            self.fails(run(*name.split(), "no-data", "--method=patchcore" if name != "scene fit" else "--steps=1", option,
                           self.place / "none" / "x"), 1, "x: cannot write in", "No such file")
            self.fails(run(*name.split(), "no-data", "--method=patchcore" if name != "scene fit" else "--steps=1", option, self.place),
                       1, "it is a folder")
        self.fails(run("predict", "no-model", "x.png", "--json", self.place / "none" / "x"), 1, "cannot write in")

    def test_reader_goes_away(self):
        child = subprocess.Popen([PHYSAD, "info"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        child.stdout.close()
        err = child.stderr.read()
        child.stderr.close()
        self.assertEqual(child.wait(30), 0, err)
        self.assertEqual(err, "")


if __name__ == "__main__":
    unittest.main()
