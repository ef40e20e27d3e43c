# SPDX-License-Identifier: Apache-2.0
"""One side of one row, in a process of its own: so that no two thread pools meet, and memory is counted for each.

    python worker.py MODULE SIDE        (started by bench.py; reads commands as JSON lines, answers with JSON lines)

SIDE is "ours" or a peer's name. A row's module has

    rows(full)                 the rows: dictionaries, see bench.py
    prepare(row, side, work)   optional: makes files in the folder `work`, for both sides
    start(row, side, work)     loads what is needed and returns what is timed: a function without arguments, which returns a
                               dictionary of arrays, the answer; "seconds" in it stands for the time taken instead of the clock's
"""
import gc
import importlib
import json
import os
import pathlib
import sys
import time

import numpy as np

SHORTEST = 0.02  # seconds of one timing: shorter work is repeated


def peak_mib():
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


class Side:
    def __init__(self, module, name):
        self.module, self.name = importlib.import_module("rows." + module), name
        self.run, self.times, self.answer = None, 1, {}

    def timed(self):
        start = time.perf_counter()
        for _ in range(self.times):
            self.answer = self.run()
        took = (time.perf_counter() - start) / self.times
        return float(self.answer.get("seconds", took))

    def do(self, command):
        row, work = command.get("row"), command.get("work")
        if command["do"] == "prepare":
            if hasattr(self.module, "prepare"):
                self.module.prepare(row, self.name, work)
            return {}
        if command["do"] == "start":
            self.run = self.module.start(row, self.name, work)
            return {}
        if command["do"] == "warm":  # once, and see how often it has to run to be measurable
            took = self.timed()
            if "seconds" not in self.answer and took < SHORTEST:
                self.times = max(1, int(SHORTEST / max(took, 1e-7)))
            return {"seconds": took}
        if command["do"] == "run":
            gc.collect()
            return {"seconds": self.timed(), "peak_mib": peak_mib()}
        np.savez(command["path"], **{k: v for k, v in self.answer.items() if k != "seconds"})
        return {"peak_mib": peak_mib()}


def main():
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries that print must not be taken for answers
    side = Side(sys.argv[1], sys.argv[2])
    for line in sys.stdin:
        try:
            reply = side.do(json.loads(line))
        except Exception as e:  # the driver says which row and side it was
            import traceback
            traceback.print_exc()
            reply = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(reply), file=out, flush=True)


if __name__ == "__main__":
    main()
