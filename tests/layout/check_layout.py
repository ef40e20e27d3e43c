#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rooms, budgets and names: who may include whom, how long files and functions may be, that file names are unique."""
import pathlib
import re
import sys

# Lowest first. A room may include the rooms of the rows before its own; those of one row never include each other.
ROWS = ["base", "cpu", "kernels", "core", "io", "data nn bank splat metrics synth", "train scene", "detect", "report"]
LEVEL = {room: level for level, row in enumerate(ROWS) for room in row.split()}
FILE_SOFT, FILE_HARD = 600, 1000
FUNCTION_P90, FUNCTION_HARD = 60, 120
COLUMNS = 120

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">]', re.M)
# In this style a function's body starts with a brace in column 0 and ends with one.
BODY = re.compile(r"^(?P<head>[A-Za-z_][^\n;{}#]*(?:\n[ \t]+[^\s;{}#][^\n;{}#]*)*)\n\{\n(?P<body>.*?)^\}$", re.S | re.M)


def code(root):
    for folder in ("include", "lib", "tools", "bindings", "examples", "tests", "bench"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".c", ".h", ".cpp", ".hpp") and path.is_file():
                yield path, path.relative_to(root)


def check_includes(rel, text, faults):
    """The rooms table."""
    if rel.parts[0] in ("tools", "examples", "bindings"):
        for name in INCLUDE.findall(text):
            first = name.split("/")[0]
            if first in LEVEL and "/" in name or name == "physad_config.h":
                faults.append(f"{rel}: includes {name}; {rel.parts[0]} uses the public headers alone")
        return
    if rel.parts[0] != "lib" or len(rel.parts) < 3:
        return
    room = rel.parts[1]
    if room not in LEVEL:
        faults.append(f"{rel}: {room} is no room of the table in tests/layout/check_layout.py and docs/design.md")
        return
    for name in INCLUDE.findall(text):
        other, _, file = name.partition("/")
        if other == "physad" or other not in LEVEL or not file or other == room:
            continue
        if LEVEL[other] >= LEVEL[room]:
            faults.append(f"{rel}: {room} may not include {name} ({other} is not below it)")
        elif file != other + ".h":
            faults.append(f"{rel}: of the room {other} only {other}/{other}.h may be included, not {name}")


def functions(text):
    for m in BODY.finditer(text):
        if "(" in m["head"] and not m["head"].startswith(("struct", "union", "enum", "typedef", "extern \"C\"")):
            name = re.search(r"(\w+)\s*\(", m["head"])
            yield name[1], m["head"].count("\n") + m["body"].count("\n") + 3


def main():
    root = pathlib.Path(sys.argv[1])
    faults, notes, lengths, seen = [], [], [], {}
    for path, rel in code(root):
        text = path.read_text(encoding="utf-8")
        lines = text.count("\n")
        if "SPDX-License-Identifier: Apache-2.0" not in text[:200]:
            faults.append(f"{rel}: the first line has no SPDX-License-Identifier: Apache-2.0")
        if "\r" in text or "\t" in text:
            faults.append(f"{rel}: has tabs or carriage returns")
        check_includes(rel, text, faults)
        if rel.parts[0] != "include" or rel.suffix != ".h":
            if rel.name in seen:
                faults.append(f"{rel}: the name is taken by {seen[rel.name]}; names are unique in the whole tree")
            seen[rel.name] = rel
        if "static const" in text and "table" in rel.stem:
            continue
        if lines > FILE_HARD:
            faults.append(f"{rel}: {lines} lines, at most {FILE_HARD}")
        elif lines > FILE_SOFT and rel.parts[0] != "tests":
            notes.append(f"{rel}: {lines} lines, better {FILE_SOFT}")
        wide = [at for at, line in enumerate(text.splitlines(), 1) if len(line) > COLUMNS]
        if wide:
            faults.append(f"{rel}:{wide[0]}: more than {COLUMNS} columns, as in {len(wide)} lines of it; clang-format --lines mends them")
        for name, length in functions(text):
            if rel.parts[0] == "lib":
                lengths.append(length)
            if length > FUNCTION_HARD and name != "main":
                faults.append(f"{rel}: {name} has {length} lines, at most {FUNCTION_HARD}")
    if not lengths:
        faults.append("no function was found in lib/: this check is broken")
    else:
        lengths.sort()
        p90 = lengths[int(0.9 * (len(lengths) - 1))]
        print(f"{len(seen)} files, {len(lengths)} functions in lib/: median {lengths[len(lengths) // 2]} lines, "
              f"p90 {p90}, longest {lengths[-1]}")
        if p90 > FUNCTION_P90:
            faults.append(f"p90 of the functions' lengths is {p90}, at most {FUNCTION_P90}")
    for text in notes:
        print("note: " + text)
    for text in faults:
        print("FAULT: " + text)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
