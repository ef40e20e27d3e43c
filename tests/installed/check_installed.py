#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Installs into a folder of its own and uses what lies there as a stranger would: the .pc file, the headers, the examples, the code
in the documents, the command.

Usage: check_installed.py ROOT BUILD CC CXX
Examples that call what this library does not export yet are told and left out; with --strict that fails.

Code in README.md and docs/*.md: a block fenced ```c is compiled and run. A block that is no whole program names, in an HTML
comment on the line above, the file of tests/installed/ that makes one of it: <!-- program: readme_line.c -->. There the line
/* SNIPPET */ stands for the block; its #include lines go to the top.
"""
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(sys.argv[1]) / "scripts"))
import symbol_lists  # noqa: E402

ROOT, BUILD = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
CC, CXX = shlex.split(sys.argv[3]), shlex.split(sys.argv[4])
WARN = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-O1"]
FENCE = re.compile(r"(?:<!-- program: (?P<frame>[\w.]+) -->\n)?^```c\n(?P<code>.*?)^```$", re.S | re.M)


class Failure(Exception):
    pass


def run(command, env=None, cwd=None):
    done = subprocess.run(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


def check_tree(prefix):
    have = {p.relative_to(prefix).as_posix() for p in prefix.rglob("*") if p.is_file() or p.is_symlink()}
    want = {f"include/physad/{p.name}" for p in (ROOT / "include/physad").glob("*.h")} | {"include/physad/version.h"}
    want |= {"share/man/man3/libphysad.3"} | ({"share/man/man1/physad.1"} if "bin/physad" in have else set())
    want |= {"share/man/man3/physad_detector_fit.3", "share/man/man3/physad_view.3"}  # links to the pages that tell of them
    want |= {f"share/man/man3/physad_{p.stem}.3" for p in (ROOT / "include/physad").glob("*.h") if p.stem != "physad"}
    for name in sorted(want - have):
        raise Failure(f"{name} is not installed")
    for name in sorted(have):
        if name.startswith("include/") and name not in want:
            raise Failure(f"{name} is installed and is no public header")
        if name.endswith(".a") and "physad_internal" in name:
            raise Failure(f"{name} is installed")
    return have


def check_pc(pc_file, pkg_config, env):
    text = pc_file.read_text()
    version = run(pkg_config + ["--modversion", "physad"], env).strip()
    project = re.search(r"version: '([\d.]+)'", (ROOT / "meson.build").read_text())[1]
    if version != project:
        raise Failure(f"physad.pc says version {version}, meson.build {project}")
    for key in ("Name:", "Description:", "Version:", "Libs:", "Cflags:"):
        if key not in text:
            raise Failure(f"physad.pc has no {key}")
    libs = run(pkg_config + ["--libs-only-l", "physad"], env).split()
    if libs != ["-lphysad"]:
        raise Failure(f"pkg-config --libs physad asks for {libs}; a user of the shared library links it alone")
    if str(BUILD) in text or str(ROOT) in text:
        raise Failure(f"physad.pc holds a path of the build:\n{text}")
    run(pkg_config + ["--static", "--libs", "physad"], env)


def calls(text):
    return set(re.findall(r"\b(physad_\w+)\s*\(", text))


def programs(exported):
    """(name, source text, suffix, missing calls) of all examples and documents."""
    for path in sorted((ROOT / "examples").glob("*.c")) + sorted((ROOT / "examples").glob("*.cpp")):
        text = path.read_text()
        yield path.name, text, path.suffix, calls(text) - exported
    for path in [ROOT / "README.md"] + sorted((ROOT / "docs").glob("*.md")):
        text = path.read_text() if path.exists() else ""
        for number, m in enumerate(FENCE.finditer(text), 1):
            code = m["code"]
            if m["frame"]:
                frame = (ROOT / "tests/installed" / m["frame"]).read_text()
                if "/* SNIPPET */" not in frame:
                    raise Failure(f"{m['frame']} has no line /* SNIPPET */")
                includes = "\n".join(re.findall(r"^#include[^\n]*", code, re.M))
                body = re.sub(r"^#include[^\n]*\n?", "", code, flags=re.M)
                code = includes + "\n" + frame.replace("/* SNIPPET */", body)
            yield f"{path.name}, block {number}", code, ".c", calls(code) - exported


def main():
    faults, done, left = [], 0, 0
    with tempfile.TemporaryDirectory(prefix="physad-installed-") as tmp:
        stage = pathlib.Path(tmp)
        env = {k: v for k, v in os.environ.items() if k not in ("LD_LIBRARY_PATH", "PKG_CONFIG_PATH", "MESON_BUILD_ROOT")}
        run(["meson", "install", "-C", str(BUILD), "--no-rebuild", "--quiet", "--destdir", tmp], env)
        pc_file = next(stage.rglob("physad.pc"))
        prefix = next(stage.rglob("physad.h")).parents[2]
        libdir = pc_file.parents[1]
        installed = check_tree(prefix)
        env["PKG_CONFIG_PATH"] = str(pc_file.parent)
        pkg_config = ["pkg-config", f"--define-variable=prefix={prefix}"]
        check_pc(pc_file, pkg_config, env)
        flags = run(pkg_config + ["--cflags", "--libs", "physad"], env).split()
        env["LD_LIBRARY_PATH"] = str(libdir)
        library = next(libdir.glob("libphysad.so.*.*"))
        exported = set(symbol_lists.exported(library, "nm"))
        for name, text, suffix, missing in programs(exported):
            if missing:
                left += 1
                print(f"note: {name} is left out: {', '.join(sorted(missing))} not exported yet")
                continue
            try:
                source = stage / f"program{suffix}"
                source.write_text(text)
                cpp = suffix == ".cpp"
                run((CXX + ["-std=c++17"] if cpp else CC + ["-std=c17"]) + WARN + [str(source), "-o", str(stage / "program")] + flags + (["-lm"] if "<math.h>" in text else []), env)
                work = stage / "work"
                work.mkdir(exist_ok=True)
                run([str(stage / "program")], env, work)
                done += 1
            except Failure as fault:
                if "fetch them once by" in str(fault) and "--strict" not in sys.argv:
                    left += 1
                    print(f"note: {name} is left out: it needs weights that are not there")
                    continue
                faults.append(f"{name}: {fault}")
        if "bin/physad" in installed:
            run([str(prefix / "bin/physad"), "info"], env)
            done += 1
    for text in faults:
        print("FAULT: " + text)
    print(f"{done} programs ran, {left} left out")
    return 1 if faults or done == 0 or (left and "--strict" in sys.argv) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        print(f"FAULT: {failure}")
        sys.exit(1)
