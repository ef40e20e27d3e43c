#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the instructions of each kernel under callgrind and compares them with instructions.json: a rise above 5 % fails.

    check_instructions.py CHECKASM COMPILER [--update]

COMPILER says by what and how the kernels were compiled, such as "gcc 12 -O2"; counts are kept for each. Callgrind knows no AVX-512: the C
and AVX2 tables are counted. Exit status 77, skipped: no Valgrind, or no counts for this compiler."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

FILE = pathlib.Path(__file__).with_name("instructions.json")
MOST = 1.05


def count(checkasm):
    with tempfile.TemporaryDirectory() as folder:
        out = folder + "/out"
        subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out, checkasm, "--once", "--seed", "1"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        table = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", out], check=True, capture_output=True,
                               text=True).stdout
    found = {}
    for line in table.splitlines():
        match = re.match(r"\s*([\d,]+)\s.*\bphysad__(?!splat_kernels)(\w+_(?:c|avx2))\b", line)
        if match and match.group(2) not in found:
            found[match.group(2)] = int(match.group(1).replace(",", ""))
    return found


def main():
    checkasm, compiler = sys.argv[1:3]
    if shutil.which("valgrind") is None or shutil.which("callgrind_annotate") is None:
        print("no Valgrind")
        return 77
    kept = json.loads(FILE.read_text()) if FILE.exists() else {}
    if "--update" in sys.argv:
        kept[compiler] = dict(sorted(count(checkasm).items()))
        FILE.write_text(json.dumps(kept, indent=1) + "\n")
        return 0
    if compiler not in kept:
        print(f"no counts for {compiler}; add them with --update")
        return 77
    found, failed = count(checkasm), False
    for name, want in kept[compiler].items():
        ratio = found.get(name, 0) / want
        verdict = "GONE" if name not in found else "RISEN" if ratio > MOST else "fallen: update the file" if ratio < 2 - MOST else ""
        failed = failed or verdict in ("GONE", "RISEN")
        print(f"{name:<28} {found.get(name, 0):>10} of {want:>10}  {(ratio - 1) * 100:+6.1f} %  {verdict}")
    for name in found.keys() - kept[compiler].keys():
        print(f"{name:<28} {found[name]:>10}  NOT KEPT: add it with --update")
        failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
