#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each public header compiles alone and twice, as C11, C17 and C++17, with every warning fatal and no implicit padding.

Usage: check_headers.py ROOT BUILD CC CXX     (compilers as one string each, options with blanks between)
"""
import pathlib
import shlex
import subprocess
import sys
import tempfile

WARN = ["-pedantic-errors", "-Wall", "-Wextra", "-Wconversion", "-Wundef", "-Wshadow", "-Werror", "-fsyntax-only"]
C = ["-Wstrict-prototypes", "-Wmissing-prototypes", "-Wc++-compat"]
CPP = ["-Wold-style-cast", "-Wzero-as-null-pointer-constant"]
# What a user may write with them: macros are looked at only where they are used.
BODY = """
#ifdef __cplusplus
#define ZERO {}
#else
#define ZERO { 0 }
#endif
int use(void);
int use(void)
{
    return 0;
}
"""


def compile_one(command, source, suffix):
    with tempfile.NamedTemporaryFile("w", suffix=suffix) as f:
        f.write(source)
        f.flush()
        return subprocess.run(command + [f.name], capture_output=True, text=True)


def macros(header):
    """A variable for every _INIT macro of the header."""
    import re
    names = re.findall(r"^#define (PHYSAD_\w+)_INIT\b", header.read_text(), re.M)
    return "".join(f"extern {n.lower()} v{i};\n{n.lower()} v{i} = {n}_INIT;\n" for i, n in enumerate(names))


def main():
    root, build = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    cc, cxx = shlex.split(sys.argv[3]), shlex.split(sys.argv[4])
    inc = ["-I", str(root / "include"), "-I", str(build / "include")]
    headers = sorted((root / "include/physad").glob("*.h")) + [build / "include/physad/version.h"]
    bad = runs = 0
    for header in headers:
        twice = f"#include <physad/{header.name}>\n" * 2 + BODY
        modes = [(cc + ["-std=c11", "-Wpadded"] + C, twice + macros(header), ".c"), (cc + ["-std=c17"] + C, twice + macros(header), ".c")]
        if cxx:
            modes.append((cxx + ["-std=c++17"] + CPP, twice, ".cpp"))
        for command, source, suffix in modes:
            runs += 1
            done = compile_one(command + WARN + inc, source, suffix)
            if done.returncode != 0:
                bad += 1
                print(f"FAULT: {header.name} with {' '.join(command)}:\n{done.stderr}")
    print(f"{len(headers)} headers, {runs} compilations, {bad} failed")
    return 1 if bad or runs == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
