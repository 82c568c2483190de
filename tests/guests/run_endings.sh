#!/bin/sh
# usage: run_endings.sh BOXRUN PROGRAM
# Each way in which the program can end: Linux and a box give the same status and the same output.
set -u
boxrun=$1
program=$2
failures=0
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory" || exit 1
ulimit -c 0
modes=$("$program") || exit 1
for mode in $modes; do
  { sh -c '"$@"; status=$?; exit $status' sh "$program" "$mode" >native; native=$?; } 2>/dev/null
  "$boxrun" --cwd /tmp -- "$program" "$mode" >box 2>errors
  box=$?
  if [ "$native" != "$box" ] || ! cmp -s native box; then
    echo "$mode: natively status $native, output '$(cat native)'; in the box status $box, output '$(cat box)'"
    cat errors
    failures=1
  fi
done
exit $failures
