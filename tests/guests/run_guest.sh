#!/bin/sh
# usage: run_guest.sh BOXRUN PROGRAM
# A guest test passes natively first (Linux is the oracle), then the same binary passes in a box. As in a box, its standard
# input and output are pipes natively, and every user may look into its directory. 77 says that all was right that this machine has
# (its file system may lack something that boxes have): only a native run may end so.
set -u
boxrun=$1
program=$2
input=0123456789ab
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
chmod 755 "$directory"
status=$({ printf %s "$input" | { (cd "$directory" && umask 022 && "$program"; echo $? >&3) | cat >&2; } } 3>&1)
[ "$status" = 0 ] || [ "$status" = 77 ] || { echo "fails natively: status $status"; exit 1; }
# A dynamic program brings its interpreter and libraries along.
set --
for library in $(ldd "$program" 2>/dev/null | grep -o '/[^ ]*'); do set -- "$@" --file "$library:$library"; done
printf %s "$input" | "$boxrun" "$@" --stdin - --cwd /tmp -- "$program" || { echo "fails in the box: status $?"; exit 1; }
