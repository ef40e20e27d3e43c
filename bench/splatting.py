#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fits of scenes: how well held-out photos are met against time, and how a step's cost grows with Gaussians and pixels. Ours alone.

    splatting.py --build BUILD --work FOLDER [--part first|curve|short|gaussians|pixels]... [--doc FILE]

Photos are those of the fox of PHYSAD_TEST_DATA, every 8th left out, else drawn ones. Results are kept in the folder, so that a long run
may be had in parts: the table holds all that are known.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
STEPS, EVERY = 3000, 250                        # the curve, at 480 pixels
BUDGETS = (20000, 40000, 80000, 160000)         # Gaussians, at 480 pixels
SIDES, BUDGET = (120, 240, 480, 960), 40000     # longest side, pixels
GROW = {"steps": 350, "densify_from": 20, "densify_until": 290, "densify_every": 20, "densify_gradient": 1e-6, "measure_every": 50}


def photos(work):
    data = os.environ.get("PHYSAD_TEST_DATA")
    if data:
        return pathlib.Path(data) / "fox"
    root = pathlib.Path(work) / "drawn-scene"
    if not root.exists():
        command = pathlib.Path(os.environ["PHYSAD_BENCH_BUILD"]) / "tools/physad"
        subprocess.run([command, "synth", "rad", root, "--category", "can", "--train-views", "33", "--test-views", "2", "--size", "540x960"],
                       check=True, stdout=subprocess.DEVNULL)
    return root / "can"


def fitted(work, side, **options):
    """Its history and its peak of memory."""
    import physad
    from rows import inputs

    ctx = inputs.context()
    scene = physad.Scene.fit(photos(work), max_side=side, hold_out=8, context=ctx, **options)
    pixels = scene.cameras[0].width * scene.cameras[0].height
    return scene.history, ctx.memory_peak / 2**20, pixels


def curve(work, side, steps, every):
    history, peak, pixels = fitted(work, side, steps=steps, measure_every=every)
    return {"pixels": pixels, "peak": peak,
            "points": [[q.steps, q.seconds, q.gaussians, q.psnr, q.ssim, q.loss] for q in history]}


def first(work):
    """Mean of the first 300 steps, from the points of the poses alone and with those of a sweep."""
    runs = {"alone": {"swept_points": -1}, "swept": {}}
    last = {name: fitted(work, 240, steps=300, measure_every=300, **o)[0][-1] for name, o in runs.items()}
    return {name: [q.seconds / q.steps, q.gaussians] for name, q in last.items()}


def grown(work, side, budget):
    """Of the last 50 steps, when there are as many Gaussians as may be."""
    history, peak, pixels = fitted(work, side, max_gaussians=budget, **GROW)
    before, last = history[-2:]
    return {"pixels": pixels, "peak": peak, "gaussians": last.gaussians,
            "step": (last.seconds - before.seconds) / (last.steps - before.steps)}


def curve_rows(known):
    lines = [f"| {n:,} | {seconds:.1f} | {count:,} | {psnr:.2f} | {ssim:.4f} | {loss:.5f} |"
             for n, seconds, count, psnr, ssim, loss in known["points"]]
    return ["| steps | seconds | Gaussians | PSNR | SSIM | loss |", "| --- | --- | --- | --- | --- | --- |", *lines]


def grown_rows(results):
    lines = [f"| {r['pixels']:,} | {r['gaussians']:,} | {r['step'] * 1e3:.1f} | {r['peak']:.0f} |" for r in results]
    return ["| pixels | Gaussians | a step, ms | peak memory, MiB |", "| --- | --- | --- | --- |", *lines]


def table(known):
    parts = []
    if "first" in known:
        (alone, few), (swept, many) = known["first"]["alone"], known["first"]["swept"]
        parts += [f"Mean of the first 300 steps at 32,400 pixels: {alone * 1e3:.1f} ms from the points of the poses ({few:,} Gaussians at their "
                  f"end), {swept * 1e3:.1f} ms with swept points ({many:,}).", ""]
    for key, title in (("short", "pixels a photo, 2,000 steps"), ("curve", f"pixels a photo, {STEPS:,} steps")):
        if key in known:
            parts += [f"{known[key]['pixels']:,} {title}, peak memory {known[key]['peak']:.0f} MiB:", "", *curve_rows(known[key]), ""]
    rows = [known[f"gaussians {n}"] for n in BUDGETS if f"gaussians {n}" in known]
    rows += [known[f"pixels {n}"] for n in SIDES if f"pixels {n}" in known]
    if rows:
        once = {(r["pixels"], r["gaussians"]): r for r in rows}
        parts += grown_rows([once[key] for key in sorted(once)])
    return "\n".join(parts).rstrip()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", required=True)
    p.add_argument("--work", required=True)
    p.add_argument("--part", action="append", choices=("first", "short", "curve", "gaussians", "pixels"), help="default: all")
    p.add_argument("--doc")
    args = p.parse_args()
    os.environ["PHYSAD_BENCH_BUILD"] = str(pathlib.Path(args.build).resolve())
    sys.path[:0] = [str(HERE), str(pathlib.Path(args.build).resolve() / "bindings/python")]
    import document

    work = pathlib.Path(args.work)
    work.mkdir(parents=True, exist_ok=True)
    parts = args.part or ["first", "short", "curve", "gaussians", "pixels"]
    results = work / "splatting.json"
    known = json.loads(results.read_text()) if args.part and results.exists() else {}
    jobs = {"first": lambda: first(work), "short": lambda: curve(work, 240, 2000, 100), "curve": lambda: curve(work, 480, STEPS, EVERY)}
    jobs |= {f"gaussians {n}": lambda n=n: grown(work, 480, n) for n in BUDGETS}
    jobs |= {f"pixels {n}": lambda n=n: grown(work, n, BUDGET) for n in SIDES}
    for key, job in jobs.items():
        if key.split()[0] in parts:
            known[key] = job()
            print(key, known[key].get("step") or known[key].get("points", [known[key]])[-1], flush=True)
            results.write_text(json.dumps(known, indent=1) + "\n")
    print(table(known))
    if args.doc:
        document.put(args.doc, "splatting", table(known))
    return 0


if __name__ == "__main__":
    sys.exit(main())
