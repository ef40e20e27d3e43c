# SPDX-License-Identifier: Apache-2.0
"""What the tests of the command share: running it, temporary folders, a PNG reader of a few lines."""
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

PHYSAD = os.environ.get("PHYSAD_COMMAND") or sys.exit("PHYSAD_COMMAND names the command under test")
DATA = os.environ.get("PHYSAD_TEST_DATA")
TINY = ["--category", "can", "--train-views", "3", "--test-views", "2", "--instances", "1", "--instance-views", "2", "--size", "64x48"]


def run(*args, timeout=120, env=None, **more):
    """The finished process with text in stdout and stderr."""
    full = dict(os.environ, **(env or {}))
    return subprocess.run([PHYSAD, *map(str, args)], capture_output=True, text=True, timeout=timeout, env=full, check=False,
                          stdin=subprocess.DEVNULL, **more)


def files_of(folder):
    """Relative path -> bytes of all files below a folder."""
    root = pathlib.Path(folder)
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def interrupt_when(args, ready, second=False, timeout=60):
    """Starts the command, waits until ready() holds, sends SIGINT; (exit status, seconds it then took, stderr)."""
    child = subprocess.Popen([PHYSAD, *map(str, args)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    start = time.monotonic()
    while not ready():
        if child.poll() is not None or time.monotonic() - start > timeout:
            child.kill()
            raise AssertionError("it ended before it could be interrupted: " + child.communicate()[1])
        time.sleep(0.01)
    sent = time.monotonic()
    child.send_signal(signal.SIGINT)
    if second:
        child.send_signal(signal.SIGINT)
    err = child.communicate(timeout=timeout)[1]
    return child.returncode, time.monotonic() - sent, err


def read_png(data):
    """Width, height, channels and raw bytes of an 8-bit PNG that is grey or RGB."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed, head = 8, b"", None
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            head = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            packed += body
        at += 12 + size
    width, height, depth, color = head[:4]
    channels = {0: 1, 2: 3}[color]
    assert depth == 8 and head[6] == 0
    raw, step, out = zlib.decompress(packed), width * channels, bytearray()
    above = bytearray(step)
    for y in range(height):
        kind = raw[y * (step + 1)]
        line = bytearray(raw[y * (step + 1) + 1:(y + 1) * (step + 1)])
        for x in range(step):
            a = line[x - channels] if x >= channels else 0
            b, c = above[x], above[x - channels] if x >= channels else 0
            if kind == 1:
                line[x] = (line[x] + a) & 255
            elif kind == 2:
                line[x] = (line[x] + b) & 255
            elif kind == 3:
                line[x] = (line[x] + (a + b) // 2) & 255
            elif kind == 4:
                p = a + b - c
                near = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
                line[x] = (line[x] + near) & 255
        out += line
        above = line
    return width, height, channels, bytes(out)


def comma_locale(folder):
    """Environment with a locale that has a comma as decimal mark: an installed one, or one made in `folder`; None: neither."""
    listed = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout.split()
    for name in listed:
        if re.match(r"(de|fr|nl|it|es|pt|pl|ru)_", name):
            return {"LC_ALL": name}
    try:
        made = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", str(folder / "de_DE.UTF-8")], capture_output=True, check=False)
    except OSError:
        return None
    return {"LC_ALL": "de_DE.UTF-8", "LOCPATH": str(folder)} if made.returncode == 0 else None


class Case(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="physad-cli-")
        self.addCleanup(place.cleanup)
        self.place = pathlib.Path(place.name)

    def ok(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def fails(self, done, status, *texts):
        self.assertEqual(done.returncode, status, f"{done.args}: {done.stdout}{done.stderr}")
        self.assertEqual(done.stdout, "")
        for text in texts:
            self.assertIn(text, done.stderr)
        return done
