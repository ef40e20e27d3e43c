#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times libphysad and its peers side by side: in one run, in turns, on the same inputs, comparing the answers. Started by scripts/bench.

A row is a dictionary:
    name, goal (least ratio wanted), peers (names), unit ("ms" or "s"), rounds, and what its module wants.
The ratio is the peer's median time over ours, of the fastest peer where there are several. `also` lists results that the same run
gives beside its time: name, goal, unit, and `measure`, the name of a number in both answers.
"""
import argparse
import importlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import numpy as np

import document

HERE = pathlib.Path(__file__).resolve().parent
MODULES = ["knn", "coreset", "fit", "predict", "backbones", "metrics", "jpeg", "video", "evaluate"]
SCALE = {"ms": 1e3, "s": 1.0}


class Failed(Exception):
    pass


class Worker:
    """A side of a row, in its own process."""

    def __init__(self, python, module, side, row, work, env):
        self.side, self.row, self.work = side, row, str(work)
        self.log = open(work / f"{row['name'].replace(' ', '_').replace('/', '-')}.{side.replace(' ', '_')}.log", "w")
        self.process = subprocess.Popen([python, str(HERE / "worker.py"), module, side], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True, env=env, cwd=HERE)

    def do(self, what, **more):
        try:
            self.process.stdin.write(json.dumps({"do": what, "row": self.row, "work": self.work, **more}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        reply = json.loads(line) if line else {"error": f"ended with status {self.process.wait()}"}
        if "error" in reply:
            raise Failed(f"{self.side}: {reply['error']} (see {self.log.name})")
        return reply

    def answer(self):
        path = f"{self.log.name}.npz"
        reply = self.do("answer", path=path)
        with np.load(path, allow_pickle=False) as arrays:
            result = {k: arrays[k] for k in arrays.files}
        os.unlink(path)
        result["peak_mib"] = np.float64(reply["peak_mib"])
        return result

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()


class Bench:
    def __init__(self, args):
        self.args = args
        self.peers = os.path.abspath(args.peers) if args.peers else None  # links stay: they tell an environment's Python where it is
        self.work = pathlib.Path(args.work).resolve()
        self.work.mkdir(parents=True, exist_ok=True)
        self.env = dict(os.environ, THREADS=str(args.threads), PHYSAD_BENCH_BUILD=str(pathlib.Path(args.build).resolve()),
                        PYTHONPATH=str(pathlib.Path(args.build).resolve() / "bindings/python"), TQDM_DISABLE="1")
        self.env.update({k: str(args.threads) for k in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")})
        self.env.pop("OMP_WAIT_POLICY", None)  # as most people run things; it is the same for all

    def worker(self, module, side, row):
        env = dict(self.env, **row.get("env", {}))
        if side != "ours":
            env.pop("PYTHONPATH")
        return Worker(sys.executable if side == "ours" else self.peers, module, side, row, self.work, env)

    def prepare(self, module, row, sides):
        """In processes that end: what preparing takes is no part of a side's memory. A peer may make what ours reads."""
        for side in [s for s in sides if s != "ours"][:1] + ["ours"]:
            worker = self.worker(module, side, row)
            try:
                worker.do("prepare")
            finally:
                worker.close()

    def times(self, module, row):
        """Seconds and answers of each side, measured in turns."""
        sides = ["ours"] + (row["peers"] if self.peers else [])
        self.prepare(module, row, sides)
        workers, seconds = {}, {side: [] for side in sides}
        try:
            for side in sides:
                workers[side] = self.worker(module, side, row)
                workers[side].do("start")
                warm = workers[side].do("warm")
                if row["rounds"] == 0:  # so long that one run has to do
                    seconds[side].append(warm["seconds"])
            for _ in range(row["rounds"]):
                for side in sides:
                    time.sleep(0.03)  # the other side's threads stop spinning
                    seconds[side].append(workers[side].do("run")["seconds"])
            return seconds, {side: workers[side].answer() for side in sides}
        finally:
            for worker in workers.values():
                worker.close()

    def row(self, module, row):
        """Results of a row, and of what else its run tells."""
        try:
            seconds, answers = self.times(module, row)
        except Failed as e:
            return [dict(blank(row), note="FAILED: " + str(e))]
        times = {side: statistics.median(s) * SCALE[row["unit"]] for side, s in seconds.items()}
        notes = [str(a["note"]) for a in answers.values() if str(a.get("note", ""))]
        if len(times) > 2:
            notes.append(", ".join(f"{side} {times[side]:.4g}" for side in times if side != "ours"))
        results = [judge(row, times)]
        results += [judge(other, {side: float(a[other["measure"]]) for side, a in answers.items()}) for other in row.get("also", [])]
        if len(times) > 1:
            fastest = results[0]["peer_name"]
            equal, note = importlib.import_module("rows." + module).compare(row, answers["ours"], answers[fastest])
            notes += [note, unsteady(seconds["ours"], seconds[fastest])]
            for result in results:
                result["equal"] = bool(equal)
        results[0]["note"] = "; ".join(n for n in notes if n)
        return results


def blank(row):
    return {"name": row["name"], "ours": None, "peer": None, "peer_name": "", "unit": row["unit"], "ratio": None, "goal": row["goal"],
            "equal": None, "note": ""}


def judge(row, numbers):
    result = dict(blank(row), ours=round(numbers["ours"], 4))
    if len(numbers) > 1:
        best = min((side for side in numbers if side != "ours"), key=numbers.get)
        result.update(peer=round(numbers[best], 4), peer_name=best, ratio=round(numbers[best] / numbers["ours"], 3))
    return result


def unsteady(ours, peer):
    spread = max(max(s) / min(s) - 1 for s in (ours, peer))
    return f"unsteady (slowest run {spread * 100:.0f} % over the fastest), ratio of the fastest runs {min(peer) / min(ours):.2f}" if spread > 0.25 else ""


def show(result):
    number = lambda v, f: "-" if v is None else format(v, f)
    state = "" if result["ratio"] is None else "yes" if result["equal"] else "NO"
    met = "" if result["ratio"] is None else "" if result["ratio"] >= result["goal"] and result["equal"] else "  MISSED"
    print(f"{result['name']:<44} {number(result['ours'], '10.3f'):>10} {number(result['peer'], '10.3f'):>10} {result['unit']:<3} "
          f"{number(result['ratio'], '7.2f'):>7} {result['goal']:>6} {state:>5}{met}  {result['peer_name']}"
          f"{': ' if result['note'] else ''}{result['note']}", flush=True)


def markdown(results):
    number = lambda v: "" if v is None else f"{v:.4g}"
    lines = ["| work | ours | peer | | ratio | goal | equal | against, notes |", "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for r in results:
        lines.append(f"| {r['name']} | {number(r['ours'])} | {number(r['peer'])} | {r['unit']} | {number(r['ratio'])} | {r['goal']} | "
                     f"{'' if r['equal'] is None else 'yes' if r['equal'] else 'no'} | {r['peer_name']}{': ' if r['note'] else ''}{r['note']} |")
    return "\n".join(lines)


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", action="append", default=[], help="rows whose name contains this text; may be repeated")
    p.add_argument("--list", action="store_true", help="the names of the rows")
    p.add_argument("--full", action="store_true", help="larger sizes as well, and peers run to their end where they are else cut short")
    p.add_argument("--rounds", type=int, help="runs of each side, instead of each row's own number")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--json", default="bench.json", help="where the results go (default bench.json)")
    p.add_argument("--build", required=True, help="build folder with the Python module and the command")
    p.add_argument("--peers", help="a Python that has the peers (bench/peers.txt); without: ours alone")
    p.add_argument("--doc", help="also put the table between the marks <!-- rows --> of this document")
    p.add_argument("--work", required=True, help="folder for inputs")
    return p.parse_args()


def main():
    sys.path.insert(0, str(HERE))
    args = parse()
    chosen = [(m, row) for m in MODULES for row in importlib.import_module("rows." + m).rows(args.full)
              if not args.only or any(text in row["name"] for text in args.only)]
    if args.list:
        print("\n".join(row["name"] for _, row in chosen))
        return 0
    if not chosen:
        print("no row has such a name; --list shows them", file=sys.stderr)
        return 2
    bench, results, start = Bench(args), [], time.monotonic()
    print(f"{'work':<44} {'ours':>10} {'peer':>10} {'':<3} {'ratio':>7} {'goal':>6} {'equal':>5}")
    for module, row in chosen:
        if args.rounds is not None and row["rounds"] > 0:
            row["rounds"] = args.rounds
        for result in bench.row(module, row):
            results.append(result)
            show(result)
        pathlib.Path(args.json).write_text(json.dumps(results, indent=1) + "\n")
    if args.doc:
        document.put(args.doc, "rows", markdown(results))
    print(f"{time.monotonic() - start:.0f} s; {args.json}")
    return 1 if any(r["note"].startswith("FAILED") or r["equal"] is False for r in results) else 0


if __name__ == "__main__":
    sys.exit(main())
