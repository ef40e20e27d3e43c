#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What Python adds to Detector.score on an array in memory, over the same call of the same library through its C interface.

    PYTHONPATH=build/bindings/python python3 bench/python_overhead.py build/lib/libphysad.so [ROUNDS]

The two take turns, so that what else the machine does falls on both; the median difference of neighbours is what Python adds.
"""
import ctypes
import statistics
import sys
import tempfile
import time

import numpy as np

import physad


class View(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("shape", ctypes.c_int64 * 6), ("stride", ctypes.c_int64 * 6), ("dtype", ctypes.c_int32),
                ("ndim", ctypes.c_int32), ("flags", ctypes.c_uint32), ("reserved", ctypes.c_uint32)]


def main():
    lib, rounds = ctypes.CDLL(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200
    rng = np.random.default_rng(1)
    photos = rng.integers(0, 256, (24, 256, 256, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/m.physad"
        physad.Detector("patchcore", weights="random:1", alpha=0.25).fit(photos).save(path)
        detector = physad.load(path)
        context, handle = ctypes.c_void_p(), ctypes.c_void_p()
        assert lib.physad_context_new(ctypes.byref(context), None) == 0
        assert lib.physad_detector_load(ctypes.byref(handle), context, path.encode()) == 0
    photo = photos[0]
    view = View(photo.ctypes.data, (ctypes.c_int64 * 6)(*photo.shape), (ctypes.c_int64 * 6)(*photo.strides), 1, 3, 1, 0)
    lib.physad_result_score.restype = ctypes.c_double
    lib.physad_result_score.argtypes = lib.physad_result_free.argtypes = [ctypes.c_void_p]

    def in_c():
        result = ctypes.c_void_p()
        assert lib.physad_detector_score(handle, ctypes.byref(view), ctypes.byref(result)) == 0
        score = lib.physad_result_score(result)
        lib.physad_result_free(result)
        return score

    def in_python():
        with detector.score(photo) as result:
            return result.score

    assert in_c() == in_python(), "the scores differ"
    took = {in_c: [], in_python: []}
    for i in range(rounds + 5):
        for call in ((in_c, in_python) if i % 2 else (in_python, in_c)):
            start = time.perf_counter()
            call()
            if i >= 5:
                took[call].append(time.perf_counter() - start)
    c, python = statistics.median(took[in_c]), statistics.median(took[in_python])
    # Of the difference of calls that followed each other, an interval of 95 % by the bootstrap.
    differences = np.array(took[in_python]) - np.array(took[in_c])
    medians = np.median(rng.choice(differences, (2000, rounds)), axis=1)
    low, high = np.quantile(medians, (0.025, 0.975))
    # What the wrapper itself costs, apart from the noise of the machine: the same call on a detector that answers at once.
    empty = physad.Detector("patchcore", weights="random:1")
    start = time.perf_counter()
    for _ in range(2000):
        try:
            empty.score(photo)
        except physad.StateError:
            pass
    wrapper = (time.perf_counter() - start) / 2000
    print(f"C {c * 1e3:.3f} ms, Python {python * 1e3:.3f} ms; Python adds {100 * np.median(differences) / c:+.2f} % "
          f"(95 %: {100 * low / c:+.2f} to {100 * high / c:+.2f}); a call that is refused at once takes {wrapper * 1e6:.1f} us, {100 * wrapper / c:.3f} %")


if __name__ == "__main__":
    main()
