# SPDX-License-Identifier: Apache-2.0
"""Reads the public headers: every declared function with its comment. For the checks, the symbol lists and the man pages."""
import dataclasses
import pathlib
import re

COMMENT = re.compile(r"/\*.*?\*/", re.S)
TOKEN = re.compile(r"(?P<doc>/\*\*(?!<).*?\*/)|(?P<comment>/\*.*?\*/)|(?P<api>^PHYSAD_API\b[^;]*;)"
                   r"|(?P<define>^#define\b(?:[^\n\\]|\\\n?)*)|(?P<type>^typedef\b(?:[^;{]|\{[^}]*\})*;)", re.S | re.M)


@dataclasses.dataclass
class Item:
    kind: str      # "function", "define" or "type"
    name: str
    text: str      # the declaration, comments taken out of functions only
    comment: str   # without its frame; "" when there is none
    header: str
    line: int
    params: list = dataclasses.field(default_factory=list)  # (type, name) of a function

    @property
    def returns(self):
        return self.text.split(self.name, 1)[0].replace("PHYSAD_API", "").replace("PHYSAD_NODISCARD", "").strip()


@dataclasses.dataclass
class Header:
    name: str
    about: str
    items: list


def unframe(comment):
    """The text of a /** */ comment."""
    body = comment[3:-2]
    return "\n".join(re.sub(r"^\s*\* ?", "", line).rstrip() for line in body.splitlines()).strip()


def split_params(text):
    depth, start, parts = 0, 0, []
    for i, c in enumerate(text):
        depth += (c in "([") - (c in ")]")
        if c == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    parts.append(text[start:])
    out = []
    for part in (p.strip() for p in parts):
        if part in ("void", ""):
            continue
        m = re.search(r"\(\s*\*\s*(\w+)\s*\)", part) or re.search(r"(\w+)\s*(?:\[[^\]]*\]\s*)*$", part)
        out.append((part[:m.start(1)].strip(), m.group(1)))
    return out


def read_header(path):
    text = path.read_text(encoding="utf-8")
    about, items, doc, doc_end, last_end = "", [], "", -1, -1
    for m in TOKEN.finditer(text):
        line = text.count("\n", 0, m.start()) + 1
        if m["doc"]:
            body = unframe(m["doc"])
            if body.startswith("@file"):
                about = body[5:].strip()
            else:
                doc, doc_end = body, m.end()
            continue
        if m["comment"]:
            continue
        comment = doc if doc and text[doc_end:m.start()].strip() == "" else ""
        if not comment and m["api"] and items and items[-1].kind == "function" and text[last_end:m.start()] == "\n":
            comment = items[-1].comment  # declarations without a blank line between share what stands above the first
        doc, last_end = "", m.end()
        if m["api"]:
            flat = " ".join(COMMENT.sub(" ", m["api"]).split())
            f = re.search(r"\b(physad_\w+)\s*\((.*)\)\s*;$", flat)
            if f:
                items.append(Item("function", f[1], flat, comment, path.name, line, split_params(f[2])))
            else:
                items.append(Item("function", re.search(r"(\w+)\s*;$", flat)[1], flat, comment, path.name, line))
        elif m["define"]:
            name = re.match(r"#define\s+(\w+)", m["define"])[1]
            items.append(Item("define", name, m["define"], comment, path.name, line))
        else:
            name = re.search(r"(?:\(\*(\w+)\)|\b(\w+))\s*(?:\([^;{}]*\))?\s*;$", m["type"])
            items.append(Item("type", name[1] or name[2], m["type"], comment, path.name, line))
    return Header(path.name, about, items)


def read_all(root):
    """Every header of include/physad, by name."""
    return [read_header(p) for p in sorted((pathlib.Path(root) / "include/physad").glob("*.h"))]


def functions(root):
    return [i for h in read_all(root) for i in h.items if i.kind == "function"]
