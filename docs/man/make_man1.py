#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes physad.1 from what the command says of itself, so that the page names the commands and options that there are.

Usage: make_man1.py PHYSAD VERSION OUT
"""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from make_man import escape  # noqa: E402

HEAD = """\
.TH PHYSAD 1 "" "libphysad {version}" "libphysad"
.ad l
.SH NAME
physad \\- tell whether things are defective by comparing them with normal ones
.SH SYNOPSIS
.nf
{synopsis}
.fi
.SH DESCRIPTION
.B physad
learns from photos of normal things and scores others: the higher the score, the less normal. A data set is a folder whose layout is
recognised, one with
.I train/good
for instance. Results do not depend on the number of threads nor on the batch. Long work shows a progress line on a terminal and none in
a pipe.
.SH COMMANDS
"""
TAIL = """\
.SH EXAMPLES
Learn from photos of normal tiles in
.IR tiles/train/good ,
then score new ones and draw where they are odd:
.PP
.nf
.RS
physad fit tiles/ \\-\\-method patchcore \\-o tiles.physad
physad predict tiles.physad new/ \\-\\-maps maps/
.RE
.fi
.PP
Compare two methods on a set with known defects, as a page to look at:
.PP
.nf
.RS
physad eval tiles/ \\-\\-method patchcore,padim \\-\\-report report/
.RE
.fi
.PP
One verdict of many photos of one thing, with the places in space that are odd, by a scene of photos with camera poses:
.PP
.nf
.RS
physad fit part/ \\-\\-method splat\\-bank \\-o part.physad
physad predict part.physad new/ \\-\\-group all
.RE
.fi
.PP
Videos, each with what is odd in words:
.PP
.nf
.RS
physad fit fan/ \\-\\-method motion\\-bank \\-o fan.physad
physad predict fan.physad take.mp4
.RE
.fi
.PP
A verdict wants a threshold, and a threshold normal photos that the model has not seen: by default a fifth of them, and at least 19
groups, so 95. With fewer the label is
.BR unknown ;
.B fit
says so. A larger
.B \\-\\-set alpha=
(the share of false alarms) or
.B \\-\\-set calibration=
needs fewer, and
.B predict \\-\\-threshold
sets one by hand.
.SH EXIT STATUS
.TP
.B 0
Done, also when things are anomalous.
.TP
.B 1
Failed; the message is on standard error.
.TP
.B 2
Wrong usage.
.TP
.B 130
Interrupted; no partial file is left.
.SH ENVIRONMENT
.TP
.B PHYSAD_WEIGHTS
A file or folder of weights, searched before the others.
.TP
.B XDG_DATA_HOME
Fetched weights are in
.I physad/weights
there
.RI ( ~/.local/share
by default).
.SH SEE ALSO
.BR libphysad (3)
"""


def ask(physad, *words):
    return subprocess.run([physad, *words, "--help"], check=True, capture_output=True, text=True).stdout


def section(physad, name):
    text = ask(physad, *name.split())
    usage, rest = text.split("\n", 1)
    about, _, options = rest.partition("\noptions:\n")
    out = [f".SS physad {escape(name)}", ".nf", ".B " + escape(usage.removeprefix("usage: ")), ".fi"]
    for paragraph in re.split(r"\n\s*\n", about.strip()):
        out += [".PP", escape(" ".join(paragraph.split()))]
    for line in options.splitlines():
        option = re.match(r"\s{2,6}((?:-\w, )?--\S+(?: \S+)?)\s{1,}(\S.*)$", line)
        if not option:
            raise SystemExit(f"make_man1.py: physad {name} --help has a line of an unknown form: {line!r}")
        if "--help" not in option[1]:
            out += [".TP", ".B " + escape(option[1]), escape(option[2])]
    return usage.removeprefix("usage: "), "\n".join(out) + "\n"


def main():
    physad, version, out = sys.argv[1:4]
    names = re.findall(r"^  ([a-z]+(?: [a-z]+)?)\s{2,}\S", ask(physad).split("commands:\n", 1)[1], re.M)
    if not names:
        raise SystemExit("make_man1.py: physad --help names no command")
    sections = [section(physad, name) for name in names]
    text = HEAD.format(version=version, synopsis="\n".join(".B " + escape(usage) for usage, _ in sections))
    text += "".join(body for _, body in sections) + TAIL
    pathlib.Path(out).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
