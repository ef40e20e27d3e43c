#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the type stub of the private module from what SWIG wrote: make_stub.py physad_wrap.c > _physad.pyi

Every call has its name and its number of arguments, so a type checker finds a call of the package that the library does not have.
What goes in and comes out is said by the typemaps of physad.i, and is Any here.
"""
import re
import sys


def main():
    text = open(sys.argv[1], encoding="utf-8").read()
    table = text[text.index("static PyMethodDef SwigMethods[]"):]
    table = table[:table.index("};")]
    counts = {name: int(least) for name, least, most in
              re.findall(r'SWIG_Python_UnpackTuple\(args, "(\w+)", (\d+), (\d+), swig_obj\)', text) if least == most}
    print("# SPDX-License-Identifier: Apache-2.0\n# Written by make_stub.py.\nfrom typing import Any\n")
    calls = re.findall(r'\{ "(\w+)", _wrap_\w+, METH_(\w+),', table)
    if len(calls) < 50:
        sys.exit(f"{sys.argv[1]}: only {len(calls)} calls; does SWIG write its table differently now?")
    for name, kind in calls:
        count = {"NOARGS": 0, "O": 1}.get(kind, counts.get(name, -1))
        if count < 0:
            sys.exit(f"{sys.argv[1]}: how many arguments has {name}?")
        arguments = "".join(f"arg{i + 1}: Any, " for i in range(count))
        print(f"def {name}({arguments + '/' if count else ''}) -> Any: ...")
    print()
    for name in re.findall(r'SWIG_Python_SetConstant\(d, "(\w+)"', text):
        print(f"{name}: Any")


main()
