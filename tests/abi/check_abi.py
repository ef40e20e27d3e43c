#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the library's binary interface against tests/abi/physad.abi.

abidiff's exit status has bit 3 (8) for what is removed and bit 2 (4) for every other change, also for a parameter or a field that
becomes another type. So its report is read: an addition is a new function, or a field at the end of a structure; all else breaks
programs that were built before and fails. Additions want a new baseline (scripts/abi-baseline) and a line in CHANGELOG.md; while
that file calls the ABI "not yet frozen" they are told only. Skipped without abigail.

Usage: check_abi.py ROOT LIBRARY [ABIDIFF]
"""
import pathlib
import re
import subprocess
import sys

BREAKS = re.compile(r"parameter \d+ of type .* (?:was (?:added|removed)|changed)|return type changed|offset changed|type of '.*' changed"
                    r"|data member (?:deletion|change)|type name changed|no longer|^\s*\[D\]", re.M)
GROWS = re.compile(r"type size changed from (\d+) to \d+ \(in bits\)\s*\n\s*\d+ data member insertions?:\s*\n((?:\s*'.*', at offset \d+[^\n]*\n)+)")


def breaks(report):
    """What in abidiff's report is no mere addition."""
    found = [m.group(0).strip() for m in BREAKS.finditer(report)]
    for m in GROWS.finditer(report):
        for name, offset in re.findall(r"'(.*)', at offset (\d+)", m[2]):
            if int(offset) < int(m[1]):
                found.append(f"'{name}' is put within the structure, at bit {offset} of {m[1]}")
    known = len(re.findall(r"type size changed", report))
    if known != len(GROWS.findall(report)) and not found:
        found.append("a type changes its size in a way this check does not know")
    return found


def main():
    root, library = pathlib.Path(sys.argv[1]), sys.argv[2]
    if len(sys.argv) < 4 or not sys.argv[3]:
        print("no abidiff")
        return 77
    frozen = "not yet frozen" not in (root / "CHANGELOG.md").read_text()
    headers = str(root / "include")
    if "<function-decl" not in (root / "tests/abi/physad.abi").read_text():
        print("FAULT: tests/abi/physad.abi was made from a library without debug information: it knows names, and no parameters")
        return 1
    done = subprocess.run([sys.argv[3], "--exported-interfaces-only", "--headers-dir1", headers, "--headers-dir2", headers,
                           str(root / "tests/abi/physad.abi"), library], capture_output=True, text=True)
    print(done.stdout[-8000:] + done.stderr[-2000:])
    if done.returncode & 3 or done.returncode & ~15:
        print("FAULT: abidiff could not be run")
        return 1
    broken = breaks(done.stdout)
    if done.returncode & 8 and not broken:
        broken.append("something is gone")
    if broken:
        for text in dict.fromkeys(broken):
            print("FAULT: " + text)
        print("An incompatible change: undo it; or raise abi_version in meson.build where the ABI was frozen, refresh the baseline by "
              "scripts/abi-baseline, and say so in CHANGELOG.md.")
        return 1
    if done.returncode & 4:
        print(f"{'FAULT' if frozen else 'note'}: the interface has grown: run scripts/abi-baseline and add a line to CHANGELOG.md (ABI)")
        return 1 if frozen else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
