#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/npy/: small .npy files by NumPy, and npy.txt: `file dtype shape sha256` of the little-endian,
row-major elements ("-" for no file: it must be refused)."""
import hashlib
import pathlib

import numpy as np

OUT = pathlib.Path(__file__).resolve().parent / "npy"
NAMES = {"b": "bool", "u": "u", "i": "i", "f": "f"}
lines = []
rng = np.random.default_rng(7)


def name_of(dtype):
    return "bool" if dtype.kind == "b" else f"{dtype.kind}{8 * dtype.itemsize}"


def put(name, a, version=None, shape=None):
    with open(OUT / name, "wb") as f:
        np.lib.format.write_array(f, a, version=version)
    data = np.ascontiguousarray(a).astype(a.dtype.newbyteorder("<")).tobytes()
    shape = a.shape if a.ndim else (1,)
    lines.append(f"{name} {name_of(a.dtype)} ({','.join(map(str, shape))}) {hashlib.sha256(data).hexdigest()}")


def raw(name, header, data=b"", version=1):
    length = len(header).to_bytes(2 if version == 1 else 4, "little")
    (OUT / name).write_bytes(b"\x93NUMPY" + bytes([version, 0]) + length + header + data)


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    for code in ("?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"):
        a = rng.integers(-100, 100, (3, 5)).astype(code)
        tag = "b1" if code == "?" else code
        put(f"{tag}.npy", a)
        put(f"{tag}-big.npy", a.astype(np.dtype(code).newbyteorder(">")))
        put(f"{tag}-fortran.npy", np.asfortranarray(a))
    a = rng.normal(0, 1, (2, 3, 4, 5)).astype("f4")
    put("four.npy", a)
    put("four-fortran-big.npy", np.asfortranarray(a.astype(">f4")))
    put("version2.npy", a, version=(2, 0))
    put("version3.npy", a, version=(3, 0))
    put("six.npy", np.arange(64, dtype="i4").reshape((2,) * 6))
    put("scalar.npy", np.array(3.5))
    put("empty.npy", np.zeros((0, 4), "f4"))
    put("one.npy", np.arange(5, dtype="u2"))
    raw("python2.npy", b'{"shape": (2L, 2L), "fortran_order": False, "descr": "<u2"}\n', bytes(range(8)))
    lines.append(f"python2.npy u16 (2,2) {hashlib.sha256(bytes(range(8))).hexdigest()}")
    raw("unaligned.npy", b"{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }\n  ", bytes(16))
    lines.append(f"unaligned.npy f64 (2) {hashlib.sha256(bytes(16)).hexdigest()}")
    np.save(OUT / "bad-objects.npy", np.array([{}, []], dtype=object))
    np.save(OUT / "bad-records.npy", np.zeros(2, dtype=[("a", "f4"), ("b", "i2")]))
    np.save(OUT / "bad-complex.npy", np.zeros(2, "c8"))
    np.save(OUT / "bad-text.npy", np.array(["a", "bc"]))
    np.save(OUT / "bad-seven.npy", np.zeros((1,) * 7, "u1"))
    raw("bad-huge.npy", b"{'descr': '<f8', 'fortran_order': True, 'shape': (0, 1099511627776, 1099511627776), }\n")
    raw("bad-overflow.npy", b"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,), }\n")
    raw("bad-key.npy", b"{'descr': '|u1', 'fortran_order': False, 'shape': (1,), 'more': 1}\n", b"x")
    raw("bad-twice.npy", b"{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (1,)}\n", b"x")
    raw("bad-lacking.npy", b"{'descr': '|u1', 'shape': (1,)}\n", b"x")
    raw("bad-call.npy", b"{'descr': '|u1', 'fortran_order': print(1), 'shape': (1,)}\n", b"x")
    raw("bad-negative.npy", b"{'descr': '|u1', 'fortran_order': False, 'shape': (-1,)}\n", b"x")
    raw("bad-behind.npy", b"{'descr': '|u1', 'fortran_order': False, 'shape': (1,)} 5\n", b"x")
    raw("bad-short.npy", b"{'descr': '|u1', 'fortran_order': False, 'shape': (3,)}\n", b"xy")
    raw("bad-long.npy", b"{'descr': '|u1', 'fortran_order': False, 'shape': (3,)}\n", b"wxyz")
    raw("bad-version.npy", b"{}", version=4)
    (OUT / "bad-header-length.npy").write_bytes(b"\x93NUMPY\x02\0\xff\xff\xff\x7f{}")
    lines += [f"{p.name} - - -" for p in sorted(OUT.glob("bad-*.npy"))]
    (OUT / "npy.txt").write_text("\n".join(lines) + "\n")
