#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No private words: what is in the tree must make sense to a stranger. Absolute paths of somebody's machine, mail addresses and
addresses of hosts that are not in the list fail."""
import pathlib
import re
import subprocess
import sys

PATHS = re.compile(r"(?<![\w.\-/}$)<\"'*>:])/(?:work|root|home|opt|mnt|srv|Users|workspace|builds)/[\w.\-]+")
QUOTED = re.compile(r"[\"'=:(\s]/(?:work|root|home|opt|mnt|srv|Users|workspace|builds)/[\w.\-]+")
MAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b")
URL = re.compile(r"\bhttps?://([\w.-]+)")
HOSTS = {"arxiv.org", "cmocka.org", "doi.org", "faiss.ai", "github.com", "keepachangelog.com", "mesonbuild.com", "openaccess.thecvf.com",
         "packages.debian.org", "pypi.org", "semver.org", "spdx.org", "www.apache.org", "www.w3.org", "json-schema.org", "localhost",
         "127.0.0.1", "example.com", "example.org", "huggingface.co"}
SKIP = {"LICENSE"}
BINARY = {".npy", ".npz", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".pth", ".safetensors", ".abi", ".ppm", ".pgm", ".physad"}


def tracked(root):
    try:
        out = subprocess.run(["git", "-C", root, "ls-files", "-z"], check=True, capture_output=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None  # a release archive: nothing is tracked here
    return [name for name in out.decode().split("\0") if name]


def main():
    root = pathlib.Path(sys.argv[1])
    names = tracked(root)
    if names is None:
        print("no git checkout")
        return 77
    faults = []
    for name in names:
        path = root / name
        if name in SKIP or path.suffix in BINARY or name.startswith("tests/fuzz/corpus/") or not path.is_file():
            continue
        text = path.read_bytes().decode("utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            hits = [m.group(0).strip() for p in (PATHS, QUOTED) for m in p.finditer(line)]
            hits += MAIL.findall(line) + [h for h in URL.findall(line) if h not in HOSTS]
            faults += [f"{name}:{number}: {hit}" for hit in dict.fromkeys(hits)]
    for text in faults:
        print("FAULT: " + text)
    print(f"{len(names)} files")
    return 1 if faults or not names else 0


if __name__ == "__main__":
    sys.exit(main())
