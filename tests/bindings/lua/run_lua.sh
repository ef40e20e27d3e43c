#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run_lua.sh LUA SCRIPT [ARGUMENT...]: runs it in an empty folder, which is its first argument. PHYSAD_LUA_PRELOAD: a library to load
# before all, such as a sanitizer's.
lua=$1 script=$2
shift 2
folder=$(mktemp -d) || exit 1
(cd "$folder" && LD_PRELOAD=${PHYSAD_LUA_PRELOAD-} "$lua" "$script" "$folder" "$@")
status=$?
rm -rf "$folder"
exit $status
