#!/bin/sh
# usage: run_guest.sh BOXRUN PROGRAM
# A guest test passes natively first (Linux is the oracle), then the same binary passes in a box.
set -u
boxrun=$1
program=$2
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
(cd "$directory" && umask 022 && "$program" </dev/null) || { echo "fails natively: status $?"; exit 1; }
"$boxrun" --cwd /tmp -- "$program" || { echo "fails in the box: status $?"; exit 1; }
