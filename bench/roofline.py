#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What share of the machine's peak each kernel reaches: `checkasm --bench` against bench_peak, both on one core.

    roofline.py --build BUILD [--doc FILE]      --doc: puts the table between the marks <!-- roofline --> of a document
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys

import document

# What limits a kernel, and how many of those operations an element of its bench takes.
LIMITS = {
    "exact_distances": ("add64", 2 * 152, "f64 additions: a difference and a sum per element"),
    "exact_pairs": ("add64", 2 * 152, "f64 additions"),
    "distances": ("fma32", 152, "f32 multiply-adds"),
    "tile_distances": ("fma32", 152, "f32 multiply-adds"),
    "code_dots": ("dot8", 192, "byte products"),
    "code_scan": ("dot8", 56, "byte products"),
    "narrow_u8": ("madd16", 2 * 3 * 15, "16-bit products, two per tap"),
    "sum_rows_u8": ("madd16", 2 * 15, "16-bit products, two per tap"),
    "blend_rows_u8": ("fma32", 15, "f32 multiplications"),
    "splat_loss": ("fma32", 11 * 7 + 5 * 11 + 30, "f32 operations: five blurs of 11 each way, and the derivatives"),
    "splat_loss_back": ("fma32", 2 * 3 * 11 + 5, "f32 multiply-adds: three blurs of 11 each way"),
    "splat_adam": ("fma32", 9, "f32 operations; a root and a division besides"),
}  # splatting's other kernels do as much as the picture asks for: they have times, no share


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", required=True)
    p.add_argument("--doc")
    args = p.parse_args()
    build = pathlib.Path(args.build)
    subprocess.run(["ninja", "-C", build, "bench/bench_peak", "tests/checkasm/checkasm"], check=True, stdout=subprocess.DEVNULL)
    peaks = subprocess.run([build / "bench/bench_peak"], capture_output=True, text=True)
    if peaks.returncode != 0:
        print(peaks.stderr, end="")
        return 0 if peaks.returncode == 77 else 1
    peak = json.loads(peaks.stdout)
    bench = subprocess.run([build / "tests/checkasm/checkasm", "--bench", "--seed", "1"], check=True, capture_output=True, text=True).stdout
    rows = re.findall(r"^(\S+)\s+(\w+), (.*?): (?:a|an) (\w+)\s+([\d.]+) ns$", bench, re.M)
    widest = {kernel: table for table, kernel, *_ in rows}  # the last one of each
    lines = [f"Peaks of one core, per nanosecond: {peak['fma32']:.0f} f32 multiply-adds, {peak['add64']:.0f} f64 additions, {peak['dot8']:.0f} "
             f"byte products, {peak['madd16']:.0f} 16-bit products; reads of {peak['l1']:.0f} bytes from the first cache, {peak['memory']:.1f} "
             "from memory.", "", "| kernel | table | ns | of | share of peak | limit |", "| --- | --- | --- | --- | --- | --- |"]
    for table, kernel, what, unit, ns in rows:
        if table == widest[kernel] and kernel in LIMITS:
            limit, count, why = LIMITS[kernel]
            article = "an" if unit[0] in "aeio" else "a"
            lines.append(f"| {kernel} | {table} | {float(ns):.2f} | {article} {unit} ({what}) | {count / float(ns) / peak[limit] * 100:.0f} % | {why} |")
    text = "\n".join(lines)
    print(text)
    if args.doc:
        document.put(args.doc, "roofline", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
