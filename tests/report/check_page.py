#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Parses the page of an evaluation with hostile names: well formed, whole, and without any script or address but its own."""
import base64
import csv
import hashlib
import html.parser
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

VOID = {"meta", "link", "img", "input", "br"}
SVG_EMPTY = {"path", "rect"}  # written as <path ... />
ALLOWED = VOID | SVG_EMPTY | set(
    "html head title style body a header h1 h2 h3 p nav main div table thead tbody tr th td small section figure figcaption svg "
    "text form label select option output article span b details summary dl dt dd ul li script".split())


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.texts, self.faults = [], [], {}, []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if len(dict(attrs)) != len(attrs):
            self.faults.append(f"{tag} has an attribute twice")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in SVG_EMPTY:
            self.faults.append(f"<{tag}/>")

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()} closes nothing")

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        place = pathlib.Path(cls.folder.name)
        subprocess.run([WRITER, place], check=True)
        cls.files = {p.name: p.read_bytes() for p in place.iterdir()}
        cls.source = cls.files["report.html"].decode()  # UTF-8 throughout
        cls.results = json.loads(cls.files["results.json"])["results"]
        cls.page = Page()
        cls.page.feed(cls.source)
        cls.page.close()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_well_formed(self):
        self.assertEqual(self.page.faults, [])
        self.assertEqual(self.page.open, [])
        self.assertEqual({tag for tag, _ in self.page.elements} - ALLOWED, set())
        ids = [attrs["id"] for _, attrs in self.page.elements if "id" in attrs]
        self.assertEqual(len(ids), len(set(ids)))
        for link in self.page.all("a"):
            self.assertIn(link["href"][1:], ids)

    def test_self_contained(self):
        for tag, attrs in self.page.elements:
            for name, value in attrs.items():
                self.assertFalse(name.startswith("on"), (tag, name))
                self.assertNotEqual(name, "style")
                if name in ("src", "href"):
                    self.assertTrue(value.startswith(("#", "data:")), value[:60])
        for image in self.page.all("img"):
            data = base64.b64decode(image["src"].removeprefix("data:image/jpeg;base64,"), validate=True)
            self.assertEqual((data[:2], data[-2:]), (b"\xff\xd8", b"\xff\xd9"))
            self.assertTrue(image["alt"])

    def test_policy_is_of_its_own_script_and_style(self):
        policy = next(m["content"] for m in self.page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
        self.assertTrue(policy.startswith("default-src 'none'"))
        for tag in ("script", "style"):
            self.assertEqual(len(self.page.all(tag)), 1)
            text = "".join(self.page.texts[tag])
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            self.assertIn(f"{tag}-src 'sha256-{digest}'", policy)
            self.assertNotIn("alert", text)

    def test_every_sample_and_figure(self):
        cards = {(a["data-category"], a["data-path"]): a for a in self.page.all("article")}
        methods = sorted({r["method"] for r in self.results}, key=[r["method"] for r in self.results].index)
        self.assertEqual(len(methods), 2)
        seen = 0
        for result in self.results:
            number = methods.index(result["method"])
            for sample in result["samples"]:
                card = cards[result["category"], sample["path"]]
                self.assertEqual(float(card[f"data-s{number}"]), sample["score"])
                self.assertEqual((int(card["data-label"]), card["data-type"]), (sample["label"], sample["type"]))
                alarm = sample["score"] > result["threshold"]["value"]
                self.assertEqual(card[f"data-v{number}"], [["passed", "alarm"], ["missed", "found"]][sample["label"]][alarm])
                seen += 1
            self.assertIn("%.4f" % result["image_auroc"], self.source)
        self.assertEqual(seen, len(methods) * len(cards))
        scores = [float(a["data-s0"]) for a in self.page.all("article")]
        for part in (scores[: len(scores) // 2], scores[len(scores) // 2 :]):  # by category
            self.assertEqual(part, sorted(part, reverse=True))
        categories = {a["data-category"] for a in self.page.all("article")}
        self.assertIn("<script>alert(1)</script>", categories)
        offered = [a["value"] for a in self.page.all("option")]
        for name in categories | {a["data-type"] for a in self.page.all("article")}:
            self.assertIn("=" + name, offered)
        rows = list(csv.DictReader(self.files["results.csv"].decode().splitlines()))
        self.assertEqual([r["category"] for r in rows], [r["category"] for r in self.results])

    def test_digests(self):
        """As the page says: of paths, types, groups and labels, and of these with the scores."""
        found = {text for text in self.page.texts["dd"] if re.fullmatch(r"[0-9a-f]{64}", text)}
        want = set()
        for result in self.results:
            for scores in (False, True):
                text = b""
                for s in result["samples"]:
                    # One name holds the byte 0xff, which JSON cannot give back.
                    text += b"".join(s[k].encode().replace(b"\xef\xbf\xbd", b"\xff") + b"\0" for k in ("path", "type", "group"))
                    text += b"%d %.17g\n" % (s["label"], s["score"]) if scores else b"%d\n" % s["label"]
                want.add(hashlib.sha256(text).hexdigest())
        self.assertEqual(found, want)


WRITER = sys.argv.pop(1)
unittest.main()
