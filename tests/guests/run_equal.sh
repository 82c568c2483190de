#!/bin/sh
# usage: run_equal.sh BOXRUN PROGRAM
# The program gives natively and in a box the same status and the same bytes.
set -u
boxrun=$1
program=$2
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
"$program" >"$directory/native" 2>&1 </dev/null
native=$?
[ -s "$directory/native" ] || { echo "prints nothing natively"; exit 1; }
"$boxrun" -- "$program" >"$directory/box" 2>&1 </dev/null
box=$?
[ "$native" = "$box" ] || { echo "natively status $native, in the box status $box"; tail -n 5 "$directory/box"; exit 1; }
cmp -s "$directory/native" "$directory/box" && exit 0
diff "$directory/native" "$directory/box" | head -n 20
exit 1
