#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the library's binary interface against tests/abi/physad.abi.

abidiff's exit status: bit 3 (8) is an incompatible change and means a new SONAME; bit 2 (4) an addition, which wants a new
baseline (scripts/abi-baseline) and a line in CHANGELOG.md. Skipped without abigail, without debug information, and while
there is no baseline.

Usage: check_abi.py ROOT LIBRARY [ABIDIFF]
"""
import pathlib
import subprocess
import sys


def main():
    root, library = pathlib.Path(sys.argv[1]), sys.argv[2]
    baseline = root / "tests/abi/physad.abi"
    if len(sys.argv) < 4 or not sys.argv[3]:
        print("no abidiff")
        return 77
    if not baseline.exists():
        print("no baseline yet")
        return 77
    headers = str(root / "include")
    done = subprocess.run([sys.argv[3], "--headers-dir1", headers, "--headers-dir2", headers, str(baseline), library],
                          capture_output=True, text=True)
    print(done.stdout[-8000:] + done.stderr[-2000:])
    if done.returncode & 3:
        print("FAULT: abidiff could not be run")
    elif done.returncode & 8:
        print("FAULT: an incompatible change: undo it, or raise abi_version in meson.build, refresh the baseline, and say so in CHANGELOG.md")
    elif done.returncode & 4:
        print("FAULT: the interface has grown: run scripts/abi-baseline and add a line to CHANGELOG.md (ABI)")
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
