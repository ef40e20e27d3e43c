#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How cost grows: search and coreset with the rows of a bank, learning with the photos. Ours alone.

    growth.py --build BUILD --work FOLDER [--most ROWS] [--doc FILE]

Rows are features of real photos (or drawn ones, without PHYSAD_TEST_DATA), and beyond those there are, the same with noise of a
hundredth of their spread. Sizes that would not fit into the memory that is free are left out, and said to be.
"""
import argparse
import os
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
SIDE, PLACES, PICKS = 320, 1600, 2000


def free_bytes():
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def timed(call):
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def grow_rows(work, most, out):
    import numpy as np
    import physad

    from rows import inputs

    real = np.load(work / "growth.npy")
    queries, stored = real[:PLACES], real[PLACES:]
    noise = np.random.default_rng(0)
    spread = stored.std() / 100
    out += ["| rows | index, s | search of 1,600, ms | " + f"coreset of {PICKS} picks, s | peak memory, MiB |", "| --- | --- | --- | --- | --- |"]
    n = 10000
    while n <= most:
        wanted = n * stored.shape[1] * 4 * 2.6
        if wanted > free_bytes():
            out.append(f"| {n:,} | left out: about {wanted / 2**30:.0f} GiB | | | |")
            break
        ctx = inputs.context()
        bank = physad.Bank(stored.shape[1], context=ctx)
        for first in range(0, n, len(stored)):
            part = stored[:n - first]
            bank.add(part if first == 0 else part + noise.normal(0, spread, part.shape).astype(np.float32))
        _, built = timed(bank.prepare)
        searched = min(timed(lambda: bank.search(queries, 1))[1] for _ in range(3))
        _, picked = timed(lambda: bank.coreset(count=PICKS, first=0))
        out.append(f"| {n:,} | {built:.2f} | {searched * 1e3:.1f} | {picked:.2f} | {ctx.memory_peak / 2**20:.0f} |")
        print(out[-1], flush=True)
        bank.close()
        n *= 10


def grow_photos(most, out):
    import physad

    from rows import inputs

    train = inputs.photos("")[0] if os.environ.get("PHYSAD_TEST_DATA") else inputs.photos(WORK)[0]
    out += ["", "| photos | learning, s | a photo, ms | scoring one, ms | peak memory, MiB |", "| --- | --- | --- | --- | --- |"]
    for n in (10, 100, 1000, 10000):
        if n > most:
            break
        wanted = n * PLACES * 152 * 4 * 2.6
        if wanted > free_bytes():
            out.append(f"| {n:,} | left out: about {wanted / 2**30:.0f} GiB | | | |")
            break
        ctx = inputs.context()
        paths = [train[i % len(train)] for i in range(n)]
        ratio = min(1.0, max(1e-6, 10000 / (n * PLACES)))
        detector = physad.Detector("patchcore", calibration=0, coreset_ratio=f"{ratio:.6f}", context=ctx)
        _, took = timed(lambda: detector.fit(paths))
        photo = physad.Image.read(train[0]).array
        scored = min(timed(lambda: detector.score(photo).score)[1] for _ in range(5))
        out.append(f"| {n:,} | {took:.2f} | {took / n * 1e3:.1f} | {scored * 1e3:.1f} | {ctx.memory_peak / 2**20:.0f} |")
        print(out[-1], flush=True)
        detector.close()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", required=True)
    p.add_argument("--work", required=True)
    p.add_argument("--most", type=int, default=10**7, help="rows, at most")
    p.add_argument("--most-photos", type=int, default=10000)
    p.add_argument("--doc")
    args = p.parse_args()
    global WORK
    WORK = args.work
    os.environ["PHYSAD_BENCH_BUILD"] = str(pathlib.Path(args.build).resolve())
    sys.path[:0] = [str(HERE), str(pathlib.Path(args.build).resolve() / "bindings/python")]
    import document
    from rows import inputs

    work = pathlib.Path(args.work)
    work.mkdir(parents=True, exist_ok=True)
    train, test = inputs.photos(args.work)
    inputs.write(work / "growth.npy", lambda: inputs.features(test[:1] + train + test[1:], args.work, size=SIDE))
    out = []
    grow_rows(work, args.most, out)
    grow_photos(args.most_photos, out)
    text = "\n".join(out)
    print(text)
    if args.doc:
        document.put(args.doc, "growth", text + f"\n\nCoresets of {PICKS} picks; learning keeps 10,000 rows of the photos' {PLACES} each, "
                     "photos repeating beyond those there are.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
