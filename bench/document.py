# SPDX-License-Identifier: Apache-2.0
"""Figures in a document: what stands between <!-- NAME --> and <!-- /NAME --> is replaced."""
import datetime
import os
import pathlib
import re


def machine():
    """Kind of processor and how many, as the system tells."""
    info = pathlib.Path("/proc/cpuinfo").read_text()
    name = re.search(r"^model name\s*: (.*)$", info, re.M)
    flags = re.search(r"^flags\s*: (.*)$", info, re.M)
    wide = " with " + ", ".join(f for f in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16") if flags and f in flags.group(1).split())
    return f"{name.group(1) if name else os.uname().machine}{wide if flags else ''}, {len(os.sched_getaffinity(0))} cores"


def put(path, name, text):
    file = pathlib.Path(path)
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    old = file.read_text()
    if start not in old or end not in old:
        raise SystemExit(f"{path} has no place for {name}: want {start} and {end}")
    before, after = old.split(start)[0], old.split(end)[1]
    file.write_text(f"{before}{start}\n{datetime.date.today()}, {machine()}.\n\n{text}\n{end}{after}")
