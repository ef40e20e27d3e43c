#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The kernels for 64-bit ARM, compiled by a cross compiler and checked under QEMU's user mode.
#
#   tests/checkasm/arm.sh BUILD      a configured build folder (for version.h); exit status 77 where compiler or QEMU are missing
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1
cc=aarch64-linux-gnu-gcc
for program in "$cc" qemu-aarch64; do
    command -v "$program" >/dev/null || { echo "skipped: no $program"; exit 77; }
done
out=$build/checkasm-arm
mkdir -p "$out"
flags=(-std=c17 -O2 -Wall -Wextra -Werror -Wno-unused-parameter -D_GNU_SOURCE -ffp-contract=off -Iinclude -Ilib -I"$build/include")
objects=()
for source in lib/cpu/cpu.c lib/kernels/*.c lib/kernels/arm/*.c lib/kernels/c/*.c tests/checkasm/*.c; do
    object=$out/$(basename "$source" .c).o
    own=()
    case $source in lib/kernels/c/*) own=(-fno-tree-vectorize -fno-tree-slp-vectorize) ;; esac
    "$cc" "${flags[@]}" "${own[@]}" -c "$source" -o "$object"
    objects+=("$object")
done
"$cc" -static "${objects[@]}" -lm -o "$out/checkasm"
qemu-aarch64 "$out/checkasm" | tee "$out/log.txt"
grep -q '^neon: done$' "$out/log.txt"
