#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The public interface hangs together: headers, their comments, the linker's map, the list of versions, the library's exports.

Usage: check_api.py ROOT ARCHIVE LIBRARY NM READELF [--strict]
Without --strict the order of the lists, comments that leave a parameter out, and calls that are declared before they are written
are told only: scripts/symbols puts the lists right.
"""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(sys.argv[1]) / "scripts"))
import headers  # noqa: E402
import symbol_lists  # noqa: E402

STATUS = re.compile(r"PHYSAD_OK|PHYSAD_ERR_\w+|\b[aA]s\s+(?:\w+\s+)?physad_\w+|\bThe same\b|\bas above\b|\bas there\b")
# Said once in base.h for all calls: the constructor's `out`, the handle or context that comes first, and usual last arguments.
USUAL = {"out", "ctx", "context", "call", "options", "index"}


def check_comment(f, comments, since, faults, notes):
    where = f"include/physad/{f.header}:{f.line}: {f.name}"
    if not f.comment:
        faults.append(f"{where}: has no /** comment */ right above it")
        return
    told = re.search(r"@since\s+(\d+\.\d+)", f.comment)
    known = since.get(f.name)
    if known and (told[1] if told else "0.1") != known:
        faults.append(f"{where}: @since says {told[1] if told else 'nothing (0.1)'}, docs/symbols-in-versions says {known}")
    if f.returns != "physad_status":
        return
    if not STATUS.search(f.comment):
        faults.append(f"{where}: @return names no status")
    text = f.comment + "".join(comments.get(name, "") for name in re.findall(r"\b[aA]s\s+(physad_\w+)", f.comment))
    words = set(re.findall(r"\w+", text))
    for place, (kind, name) in enumerate(f.params):
        handle = place == 0 and re.search(r"\bphysad_\w+ \*$", kind)
        if name not in words and name not in USUAL and not handle:
            notes.append(f"{where}: the comment does not speak of `{name}`")


def check_header(path, faults):
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
    where = f"include/physad/{path.name}"
    for name in re.findall(r'#include\s+[<"]([^>"]+)[>"]', text):
        if name not in ("stddef.h", "stdint.h") and not name.startswith("physad/"):
            faults.append(f"{where}: includes <{name}>; only <stddef.h>, <stdint.h> and our own are for public headers")
    if re.search(r"\benum\b", text):
        faults.append(f"{where}: has an enum; its size is the compiler's choice: use int32_t and #define")
    if re.search(r"\b(inline|static)\b", text):
        faults.append(f"{where}: has code; headers declare")
    for m in re.finditer(r"^[A-Za-z][^#;{}\n]*\bphysad_\w+\s*\([^;{}]*\)\s*;", text, re.M):
        if not m[0].startswith(("PHYSAD_API", "typedef")):
            faults.append(f"{where}: {m[0].split('(')[0].split()[-1]} is declared without PHYSAD_API")
    for m in re.finditer(r"typedef struct (physad_\w*options) \{(.*?)\}", text, re.S):
        if not re.match(r"\s*uint32_t struct_size;", m[2]):
            faults.append(f"{where}: {m[1]} must start with uint32_t struct_size")
        if m[1].upper() + "_INIT" not in text:
            faults.append(f"{where}: {m[1]} has no {m[1].upper()}_INIT")


def check_elf(library, readelf, faults):
    dynamic = subprocess.run([readelf, "-W", "-d", "-l", library], check=True, capture_output=True, text=True).stdout
    name = re.search(r"SONAME.*\[(.*)\]", dynamic)
    if not name or not re.fullmatch(r"libphysad\.so\.\d+", name[1]):
        faults.append(f"SONAME is {name and name[1]}, want libphysad.so.N")
    if "BIND_NOW" not in dynamic or "GNU_RELRO" not in dynamic:
        faults.append("the library is not linked with -z now and -z relro")
    if "TEXTREL" in dynamic:
        faults.append("the library has text relocations")
    stack = re.search(r"GNU_STACK.*", dynamic)
    if not stack or "RWE" in stack[0]:
        faults.append("the library asks for an executable stack")
    if re.search(r"R(UN)?PATH", dynamic):
        print("note: the library as built has a run path (Meson takes it out when installing)")


def main():
    root, archive, library, nm, readelf = pathlib.Path(sys.argv[1]), *sys.argv[2:6]
    faults, notes = [], []
    since = symbol_lists.read_versions(root)
    functions = headers.functions(root)
    declared = [f.name for f in functions]
    for name in sorted({n for n in declared if declared.count(n) > 1}):
        faults.append(f"{name} is declared twice")
    comments = {f.name: f.comment for f in functions}
    for f in functions:
        if not re.fullmatch(r"physad_[a-z0-9]+(_[a-z0-9]+)*", f.name):
            faults.append(f"{f.header}:{f.line}: {f.name} is no physad_<noun>_<verb>")
        check_comment(f, comments, since, faults, notes)
    for path in sorted((root / "include/physad").glob("*.h")):
        check_header(path, faults)
    umbrella = (root / "include/physad/physad.h").read_text()
    installed = (root / "include/physad/meson.build").read_text()
    for header in headers.read_all(root):
        if header.name != "physad.h" and f"<physad/{header.name}>" not in umbrella:
            faults.append(f"physad.h does not include {header.name}")
        if f"'{header.name}'" not in installed:
            faults.append(f"include/physad/meson.build does not install {header.name}")

    listed, form = symbol_lists.read_map(root)
    notes += form
    defined = symbol_lists.defined(archive, nm)
    exported = symbol_lists.exported(library, nm)
    for name in sorted(set(listed) - set(declared)):
        faults.append(f"{name} is in physad.map, and no header declares it")
    for name in sorted(defined - set(declared)):
        faults.append(f"{name} is defined without a declaration in a public header: make it static or physad__")
    for name in sorted((defined & set(declared)) - set(listed)):
        faults.append(f"{name} is declared and defined, and not in physad.map: run scripts/symbols")
    for name in sorted(set(listed) - defined):
        faults.append(f"{name} is in physad.map, and nothing defines it")
    for name in sorted(set(exported) ^ (set(listed) & defined)):
        faults.append(f"{name} is {'exported, and' if name in exported else 'not exported, though'} {'not ' if name not in listed else ''}in physad.map")
    for name in sorted(set(listed) & set(exported)):
        if listed[name] != exported[name]:
            faults.append(f"{name} is exported with version {exported[name]}, physad.map says {listed[name]}")
    if listed != since:
        wrong = sorted(set(listed.items()) ^ set(since.items()))
        notes.append(f"docs/symbols-in-versions differs from physad.map in {', '.join(n for n, _ in wrong[:5])}: run scripts/symbols")
    for name in sorted(set(declared) - defined):
        notes.append(f"{name} is declared, and nothing defines it yet")
    check_elf(library, readelf, faults)
    if not functions or not exported:
        faults.append("nothing was looked at: this check is broken")
    if "--strict" in sys.argv:
        faults += notes
    else:
        for text in notes:
            print("note: " + text)
    for text in faults:
        print("FAULT: " + text)
    print(f"{len(functions)} functions declared, {len(defined)} defined, {len(exported)} exported")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
