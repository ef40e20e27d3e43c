#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the manual's section 3 from the public headers: libphysad.3 and physad_<noun>.3 for each header.

Usage: make_man.py ROOT VERSION OUTDIR
       make_man.py --links ROOT         prints "NAME PAGE" for each function and type that is described on a page of another name
"""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import headers  # noqa: E402

INTRO = """\
.SH SYNOPSIS
.nf
.B #include <physad/physad.h>
.PP
cc program.c $(pkg\\-config \\-\\-cflags \\-\\-libs physad)
.fi
.SH DESCRIPTION
Tells whether a thing is defective by comparing it with how normal things look and behave: from one photo, from photos of all sides with
camera poses, or from a video.
A detector is made for a method, given options, fitted on a data set of normal things, saved, loaded, and then asked about new ones.
.SH CONVENTIONS
"""


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "")
    text = re.sub(r"(?<![\w*])\*(\w[\w ]*)\*(?![\w*])", r"\\fI\1\\fR", text)
    return "\n".join("\\&" + line if line.startswith(".") else line for line in text.splitlines())


def paragraphs(comment):
    """Doxygen words to man macros; items that start with a dash or a number are indented, rows of a table keep their lines."""
    out, names = [], {"return": "Returns", "since": "Since", "see": "See"}
    comment = re.sub(r"(\S) @since", r"\1\n@since", comment)
    for block in re.split(r"\n\s*\n", comment):
        out.append(".PP")
        table = False
        for line in block.splitlines():
            line = line.strip()
            if line.startswith("|") != table:
                table = not table
                out.append(".nf" if table else ".fi")
            m = re.match(r"@(\w+)(?:\[(\w+(?:,\w+)*)\])?\s*(.*)", line)
            item = re.match(r"(-|\d+\.) +(.*)", line)
            if item:
                out += [".IP \\(bu 2" if item[1] == "-" else f".IP {item[1]} 3", escape(item[2])]
            elif not m:
                out.append(escape(line))
            elif m[1] == "param":
                name, _, rest = m[3].partition(" ")
                out += [".TP", f".I {name}" + (f"\\fR ({m[2]})" if m[2] else ""), escape(rest.strip())]
            elif m[1] in names:
                out += [".PP", f"\\fB{names[m[1]]}:\\fR " + escape(m[3])]
            elif m[1] not in ("name", "{", "}"):
                out.append(escape(line))
        if table:
            out.append(".fi")
    return "\n".join(line for line in out if line != "")


def prototype(item):
    text = item.text.replace("PHYSAD_API ", "").replace("PHYSAD_NODISCARD ", "")
    return f".nf\n.B {escape(text)}\n.fi"


def head(title, version, short):
    return f'.TH {title.upper()} 3 "" "libphysad {version}" "libphysad"\n.ad l\n.SH NAME\n{title} \\- {escape(short)}\n'


def first_sentence(text):
    """The @file text's first line without its full stop."""
    return " ".join(re.split(r"(?<=[.;])\s|\n\s*\n", text.strip(), maxsplit=1)[0].split()).rstrip(".:;")


def page(header, version, others):
    noun = pathlib.Path(header.name).stem
    out = [head(f"physad_{noun}", version, first_sentence(header.about)), ".SH SYNOPSIS", f".B #include <physad/{header.name}>",
           ".SH DESCRIPTION", paragraphs(header.about)]
    types = [i for i in header.items if i.kind == "type"]
    constants = [i for i in header.items if i.kind == "define" and re.match(r"#define \w+ \S", i.text) and not i.name.endswith("_INIT")]
    functions = [i for i in header.items if i.kind == "function"]
    if functions:
        out.append(".SH FUNCTIONS")
        for i, item in enumerate(functions):
            out += [f".SS {item.name}", prototype(item)]
            if i + 1 == len(functions) or functions[i + 1].comment != item.comment:
                out.append(paragraphs(item.comment))
    if types:
        out.append(".SH TYPES")
        for item in types:
            out += [f".SS {item.name}", paragraphs(item.comment) if item.comment else "", ".PP", ".nf", escape(item.text), ".fi"]
    if constants:
        out += [".SH CONSTANTS", ".nf"] + [escape(i.text) for i in constants] + [".fi"]
    out += [".SH SEE ALSO"] + [f".BR {o} (3)" + ("," if k + 1 < len(others) else "") for k, o in enumerate(others)]
    return "\n".join(line for line in out if line) + "\n"


def links(root):
    """(name, page) of what is described on a page of another name: "man physad_detector_fit" shows physad_detect.3."""
    every = headers.read_all(root)
    pages = {f"physad_{pathlib.Path(h.name).stem}" for h in every}
    return sorted((item.name, f"physad_{pathlib.Path(h.name).stem}") for h in every for item in h.items
                  if item.kind in ("function", "type") and item.name not in pages)


def example(root):
    """The README's example, which a test compiles and runs."""
    return re.search(r"^```c\n(.*?)^```$", (root / "README.md").read_text(encoding="utf-8"), re.S | re.M)[1]


def main():
    if sys.argv[1] == "--links":
        print("\n".join(f"{name} {to}" for name, to in links(pathlib.Path(sys.argv[2]))))
        return
    root, version, outdir = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
    every = headers.read_all(root)
    titles = [f"physad_{pathlib.Path(h.name).stem}" for h in every if h.name != "physad.h"]
    for header in every:
        if header.name == "physad.h":
            continue
        title = f"physad_{pathlib.Path(header.name).stem}"
        (outdir / f"{title}.3").write_text(page(header, version, ["libphysad"] + [t for t in titles if t != title]), encoding="utf-8")
    base = next(h for h in every if h.name == "base.h")
    conventions = base.about.split("Conventions of all headers:", 1)[-1]
    text = head("libphysad", version, "anomaly detection by comparing with what is normal") + INTRO
    for entry in re.split(r"\n\s*- ", "\n" + conventions)[1:]:
        text += ".IP \\(bu 2\n" + escape(" ".join(entry.split())) + "\n"
    text += ".SH PAGES\n"
    for header in every:
        if header.name != "physad.h":
            text += f".TP\n.BR physad_{pathlib.Path(header.name).stem} (3)\n{escape(first_sentence(header.about))}\n"
    text += ".SH EXAMPLES\n.nf\n" + escape(example(root)) + "\n.fi\n"
    text += ".SH FILES\n.TP\n.I ${XDG_DATA_HOME:\\-~/.local/share}/physad/weights\nnetwork weights that were fetched\n"
    text += ".SH SEE ALSO\n.BR physad (1)\n"
    (outdir / "libphysad.3").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
