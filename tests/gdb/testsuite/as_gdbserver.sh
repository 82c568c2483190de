#!/bin/sh
# gdbserver's command line for boxgdb: [--once] [--multi] [HOST]:PORT [PROGRAM [ARGUMENT...]]. The box sees this
# machine's files as they are now; its time is this machine's, so that a test that sleeps does.
set -f
multi=
while :; do
  case $1 in
    --once) ;;
    --multi) multi=--multi ;;
    --*) echo "as_gdbserver: $1 is not known"; exit 1 ;;
    *) break ;;
  esac
  shift
done
port=${1##*:}
shift
case $1 in
  /*|"") ;;
  *) if [ -e "$1" ]; then program=$PWD/$1; shift; set -- "$program" "$@"; fi ;;
esac
exec "$BOXGDB" --root / --directory "$PWD" --host-environment --terminal --real-clock $multi --listen "$port" -- "$@"
