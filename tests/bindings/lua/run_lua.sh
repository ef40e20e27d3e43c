#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run_lua.sh LUA SCRIPT: runs it with an empty folder as its argument.
folder=$(mktemp -d) || exit 1
"$1" "$2" "$folder"
status=$?
rm -rf "$folder"
exit $status
