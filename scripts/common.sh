# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# What the scripts share; sourced, with the project's root as the working directory.

# A heading, so that a long log can be read.
section() {
    printf '\n== %s\n' "$*"
}

note() {
    printf '   %s\n' "$*"
}

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# quietly LOG COMMAND...: the output goes to LOG; when the command fails its end is shown.
quietly() {
    local log=$1
    shift
    mkdir -p "$(dirname "$log")"
    "$@" >"$log" 2>&1 && return 0
    local status=$?
    tail -n 40 "$log" | sed 's/^/   | /'
    note "failed ($status): $*"
    note "all of its output: $log"
    return "$status"
}

# configure DIR [MESON OPTIONS]: sets a build folder up, or leaves it when it is as wanted. A folder that was made with other
# options, by another compiler, or for another place of the sources, is made anew.
configure() {
    local dir=$1
    shift
    local want
    want="$PWD|${CC:-cc}|${CXX:-c++}|$(meson --version)|$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null)|$(cksum <meson_options.txt)|$*"
    if [ -f "$dir/build.ninja" ] && [ "$(cat "$dir/.configured" 2>/dev/null)" = "$want" ]; then
        return 0
    fi
    rm -rf "$dir"
    quietly "$dir.log/setup.txt" meson setup "$dir" "$@" || return 1
    printf '%s' "$want" >"$dir/.configured"
}

# build DIR [TARGETS]
build() {
    local dir=$1
    shift
    quietly "$dir.log/build.txt" ninja -C "$dir" "$@"
}

# Compilers through ccache where there is one.
use_compiler() {
    local c=$1 cxx=$2
    if command -v ccache >/dev/null 2>&1; then
        c="ccache $c" cxx="ccache $cxx"
    fi
    export CC=$c CXX=$cxx
}

# The command, as built in DIR; empty while the sources have none.
physad_command() {
    if [ -x "$1/tools/physad" ]; then
        printf '%s' "$1/tools/physad"
    fi
}

# fetch_weights DIR: brings the default backbone's weights where they are missing. Needs the command in DIR.
fetch_weights() {
    local physad
    physad=$(physad_command "$1")
    if [ -z "$physad" ]; then
        note "no physad command in $1: default weights are not fetched"
        return 0
    fi
    if "$physad" weights verify efficientnet-lite0 >/dev/null 2>&1; then
        note "default weights are there"
        return 0
    fi
    quietly "$1.log/weights.txt" "$physad" weights fetch efficientnet-lite0 && note "default weights fetched"
}

# One folder per purpose, used again by whichever script comes next.
demo_build=build-demo
demo_options=(--buildtype=release -Db_ndebug=if-release -Dtests=disabled)
test_build=build-test
test_options=(--buildtype=debugoptimized -Dtests=enabled -Dvideo=enabled -Dapprox=enabled)
