#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the library must not call: memory outside the context, output, ends of the program, anything the locale bends.

Looks at the sources (for the place) and at the object code (for what macros hide).
Usage: check_calls.py ROOT ARCHIVE NM
"""
import pathlib
import re
import subprocess
import sys

MEMORY = "malloc calloc realloc reallocarray free aligned_alloc posix_memalign memalign valloc strdup strndup asprintf vasprintf getline alloca"
OUTPUT = "printf vprintf puts putchar perror psignal"
ENDS = "exit _exit _Exit quick_exit abort assert raise kill"
LOCALE = ("strtod strtof strtold atof atoi atol atoll strtol strtoll strtoul strtoull sscanf fscanf scanf vsscanf sprintf vsprintf snprintf "
          "vsnprintf fprintf vfprintf setlocale newlocale uselocale localeconv strcasecmp strncasecmp tolower toupper isalpha isalnum isspace isupper islower strftime "
          "strerror")
UNSAFE = ("gets strcpy strcat strncpy strncat strtok rand srand random srandom drand48 signal sigaction setenv putenv unsetenv system "
          "popen fork tmpnam mktemp getpwuid localtime gmtime omp_set_num_threads")
FORBIDDEN = set(" ".join([MEMORY, OUTPUT, ENDS, LOCALE, UNSAFE]).split())
HIDDEN = {"__assert_fail", "stdout", "stderr", "abort", "exit", "malloc", "calloc", "realloc", "printf", "puts", "__printf_chk",
          "sprintf", "__sprintf_chk", "setlocale"}

# file: calls it may make, and why.
ALLOWED = {
    "lib/base/base_alloc.c": {"malloc", "realloc", "free", "aligned_alloc", "posix_memalign"},  # the default allocator
    "lib/base/base_text.c": {"vsnprintf", "snprintf", "strtoll", "newlocale", "uselocale"},  # the locale-free layer itself
    "lib/core/core_call.c": {"omp_set_num_threads"},  # sets a call's threads and puts the caller's back
    "lib/nn/nn_weights_manifest.c": {"printf"},  # a program of the build, no part of the library
}

STRIP = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
CALL = re.compile(r"(?<![\w.>])(" + "|".join(sorted(FORBIDDEN)) + r")\s*\(")
MEMBER = re.compile(r"(?:\.|->)\s*$")
DECLARED = re.compile(r"\(\*\s*$")


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def main():
    root, archive, nm = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    faults, files = [], 0
    for path in sorted((root / "lib").rglob("*")):
        if path.suffix not in (".c", ".h", ".cpp"):
            continue
        files += 1
        rel = path.relative_to(root).as_posix()
        text = STRIP.sub(blank, path.read_text(encoding="utf-8"))
        for m in CALL.finditer(text):
            before = text[max(0, m.start() - 8):m.start()]
            if MEMBER.search(before) or DECLARED.search(before) or m[1] in ALLOWED.get(rel, ()):
                continue
            faults.append(f"{rel}:{text.count(chr(10), 0, m.start()) + 1}: calls {m[1]}")
    listing = subprocess.run([nm, "-A", "-u", archive], check=True, capture_output=True, text=True).stdout
    objects = set()
    for line in listing.splitlines():
        m = re.match(r"(.*):\s+[Uw]\s+(\S+)$", line)
        if not m:
            continue
        where = re.search(r"([\w.+-]+)\.o$", m[1]) or re.search(r"([\w.+-]+)$", m[1])
        objects.add(m[1])
        source = where[1].replace("meson-generated_", "")
        allowed = set().union(*(calls for name, calls in ALLOWED.items() if source.endswith(pathlib.Path(name).name)))
        if m[2].split("@")[0] in HIDDEN - allowed:
            faults.append(f"{source}: the object code refers to {m[2]}")
    if files == 0 or not objects:
        faults.append("nothing was looked at: this check is broken")
    for text in faults:
        print("FAULT: " + text)
    if faults:
        print("use physad__alloc*, physad__error, physad__snprintf, physad__parse_*; an exception needs a row in ALLOWED with its reason")
    print(f"{files} sources, {len(objects)} objects")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
