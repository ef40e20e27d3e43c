#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How cost grows: search and coreset with the rows of a bank, learning with the photos. Ours alone.

    growth.py --build BUILD --work FOLDER [--rows N[,N...]] [--photos N[,N...]] [--prepare] [--doc FILE]

Rows are features of real photos (or drawn ones, without PHYSAD_TEST_DATA), and beyond those there are, the same with noise of a
hundredth of their spread. They are kept in the folder as banks, which are mapped; --prepare makes these alone. Results of single sizes
are kept there too, so that a long run may be had in parts: the table holds all that are known. Sizes that would not fit into the memory
that is free are left out, and said to be.
"""
import argparse
import json
import os
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
SIDE, PLACES, PICKS = 320, 1600, 2000
PHOTO_SIDE, PHOTO_PLACES, KEPT = 160, 400, 10000
ROWS, PHOTOS = (10**4, 10**5, 10**6, 10**7), (10, 100, 1000, 10000)


def free_bytes():
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def timed(call):
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def bank_file(work, n):
    """A bank of n rows, made once."""
    import numpy as np
    import physad

    from rows import inputs

    path = work / f"growth-{n}.bank"
    if path.exists():
        return path
    stored = np.load(work / "growth.npy")[PLACES:]
    noise = np.random.default_rng(0)
    spread = np.float32(stored.std() / 100)
    bank = physad.Bank(stored.shape[1], context=inputs.context())
    for first in range(0, n, len(stored)):
        part = stored[:n - first]
        bank.add(part if first == 0 else part + spread * noise.standard_normal(part.shape, dtype=np.float32))
    bank.save(path)
    bank.close()
    return path


def grow_rows(work, n):
    import numpy as np
    import physad

    from rows import inputs

    real = np.load(work / "growth.npy", mmap_mode="r")
    wanted = n * (real.shape[1] * 4 + 400)
    if wanted > free_bytes():
        return f"| {n:,} | left out: about {wanted / 2**30:.0f} GiB | | | |"
    path, queries = bank_file(work, n), np.ascontiguousarray(real[:PLACES])
    with open(path, "rb") as file:  # from the disk into memory
        while file.read(1 << 24):
            pass
    ctx = inputs.context()
    bank = physad.Bank.load(path, context=ctx)
    _, built = timed(bank.prepare)
    searched = min(timed(lambda: bank.search(queries, 1))[1] for _ in range(3))
    _, picked = timed(lambda: bank.coreset(count=PICKS, first=0))
    bank.close()
    return f"| {n:,} | {built:.2f} | {searched * 1e3:.1f} | {picked:.2f} | {ctx.memory_peak / 2**20:.0f} |"


def grow_photos(work, n):
    import physad

    from rows import inputs

    train = inputs.photos(work)[0]
    wanted = n * PHOTO_PLACES * (152 * 4 * 1.5 + 400)
    if wanted > free_bytes():
        return f"| {n:,} | left out: about {wanted / 2**30:.0f} GiB | | | |"
    ctx = inputs.context()
    paths = [train[i % len(train)] for i in range(n)]
    ratio = min(1.0, KEPT / (n * PHOTO_PLACES))
    detector = physad.Detector("patchcore", calibration=0, input=PHOTO_SIDE, coreset_ratio=f"{ratio:.9f}", context=ctx)
    _, took = timed(lambda: detector.fit(paths))
    photo = physad.Image.read(train[0]).array
    scored = min(timed(lambda: detector.score(photo).score)[1] for _ in range(5))
    detector.close()
    return f"| {n:,} | {took:.2f} | {took / n * 1e3:.1f} | {scored * 1e3:.1f} | {ctx.memory_peak / 2**20:.0f} |"


def numbers(text):
    return [int(float(n)) for n in text.split(",") if n]


def table(known):
    rows = lambda kind: [known[key] for key in sorted((k for k in known if k.startswith(kind)), key=lambda k: int(k.split()[1]))]
    return "\n".join([
        f"| rows | index, s | search of {PLACES:,}, ms | coreset of {PICKS:,} picks, s | peak memory beside the rows, MiB |",
        "| --- | --- | --- | --- | --- |", *rows("rows"), "",
        "| photos | learning, s | a photo, ms | scoring one, ms | peak memory, MiB |", "| --- | --- | --- | --- | --- |", *rows("photos"), "",
        f"Rows of 152 numbers, mapped from a file. Learning at {PHOTO_SIDE} x {PHOTO_SIDE} keeps {KEPT:,} of the photos' {PHOTO_PLACES} "
        "rows each, or all; photos repeat beyond those there are."])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", required=True)
    p.add_argument("--work", required=True)
    p.add_argument("--rows", type=numbers, help="of the bank (default 1e4,1e5,1e6,1e7)")
    p.add_argument("--photos", type=numbers, help="learned (default 10,100,1000,10000)")
    p.add_argument("--prepare", action="store_true")
    p.add_argument("--doc")
    args = p.parse_args()
    os.environ["PHYSAD_BENCH_BUILD"] = str(pathlib.Path(args.build).resolve())
    sys.path[:0] = [str(HERE), str(pathlib.Path(args.build).resolve() / "bindings/python")]
    import document
    from rows import inputs

    work = pathlib.Path(args.work)
    work.mkdir(parents=True, exist_ok=True)
    some = args.rows is not None or args.photos is not None
    rows, photos = args.rows or ([] if some else ROWS), args.photos or ([] if some else PHOTOS)
    if rows:
        train, test = inputs.photos(args.work)
        inputs.write(work / "growth.npy", lambda: inputs.features(test[:1] + train + test[1:], args.work, size=SIDE))
    if args.prepare:
        for n in rows:
            bank_file(work, n)
        return 0
    results = work / "growth.json"
    known = json.loads(results.read_text()) if some and results.exists() else {}
    for kind, sizes, measure in (("rows", rows, grow_rows), ("photos", photos, grow_photos)):
        for n in sizes:
            known[f"{kind} {n}"] = measure(work, n)
            print(known[f"{kind} {n}"], flush=True)
            results.write_text(json.dumps(known, indent=1) + "\n")
    if args.doc:
        document.put(args.doc, "growth", table(known))
    return 0


if __name__ == "__main__":
    sys.exit(main())
