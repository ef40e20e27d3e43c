# SPDX-License-Identifier: Apache-2.0
"""The exported symbols: the linker's map, docs/symbols-in-versions, and what the object code holds."""
import pathlib
import re
import subprocess

HEAD = """# Every exported function and the version that brought it. Written by scripts/symbols; a test holds it against the library.
"""


def read_map(root):
    """{symbol: version} of the linker's map, in its order, and the faults in its form."""
    text = (pathlib.Path(root) / "pkgconfig/physad.map").read_text()
    table, faults = {}, []
    nodes = re.findall(r"^PHYSAD_(\d+\.\d+) \{\n(.*?)^\}([^;]*);", text, re.S | re.M)
    for version, body, _ in nodes:
        names = re.findall(r"^\s+(physad_\w+);$", body, re.M)
        if names != sorted(names):
            faults.append(f"physad.map: node {version} is not sorted; run scripts/symbols")
        for name in names:
            if name in table:
                faults.append(f"physad.map: {name} stands there twice")
            table[name] = version
        rest = re.sub(r"^\s+(?:physad_\w+;|global:|local:|\*;)$", "", body, flags=re.M).strip()
        if rest:
            faults.append(f"physad.map: {rest!r} is no symbol")
    if not nodes or "*;" not in nodes[0][1]:
        faults.append("physad.map: the first node must end with local: *;")
    return table, faults


def read_versions(root):
    path = pathlib.Path(root) / "docs/symbols-in-versions"
    if not path.exists():
        return {}
    return dict(line.split() for line in path.read_text().splitlines() if line and not line.startswith("#"))


def write(root, table):
    """Both lists from {symbol: version}."""
    root = pathlib.Path(root)
    versions = sorted(set(table.values()), key=lambda v: tuple(map(int, v.split("."))))
    nodes, before = [], None
    for version in versions:
        names = sorted(n for n in table if table[n] == version)
        body = f"PHYSAD_{version} {{\n  global:\n" + "".join(f"    {n};\n" for n in names)
        if before is None:
            body += "  local:\n    *;\n"
        nodes.append(body + "}" + (f" PHYSAD_{before}" if before else "") + ";\n")
        before = version
    (root / "pkgconfig/physad.map").write_text("\n".join(nodes))
    lines = [f"{name:<48}{table[name]}\n" for name in sorted(table)]
    (root / "docs/symbols-in-versions").write_text(HEAD + "".join(lines))


def defined(archive, nm):
    """Public functions that the archive's objects define."""
    out = subprocess.run([nm, "-g", "--defined-only", str(archive)], check=True, capture_output=True, text=True).stdout
    names = re.findall(r"^[0-9a-f]+ [TWi] (\w+)$", out, re.M)
    return {n for n in names if n.startswith("physad_") and not n.startswith("physad__")}


def exported(library, nm):
    """{symbol: version} that the shared library exports; version nodes themselves left out."""
    out = subprocess.run([nm, "-D", "--defined-only", str(library)], check=True, capture_output=True, text=True).stdout
    table = {}
    for kind, name in re.findall(r"^[0-9a-f]+ (\w) (\S+)$", out, re.M):
        symbol, _, version = name.replace("@@", "@").partition("@")
        if kind == "A" and symbol.startswith("PHYSAD_"):
            continue
        table[symbol] = version.replace("PHYSAD_", "")
    return table
