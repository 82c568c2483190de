#!/usr/bin/env bash
# The first thing to see: Debian's busybox, which nobody here compiled, in a box. Called by `./dev demo`.
# usage: demo.sh BIN    (the directory of glovebox, gloveboxd and glovebox-worker)
set -euo pipefail

bin=$(readlink -f "${1:?usage: demo.sh BIN}")
cd "$(dirname "$(readlink -f "$0")")/../.."

# A daemon of the demo's own, in directories of its own, gone at the end.
home=$PWD/build/demo
rm -rf "$home"
mkdir -p "$home"
mkdir -m 700 "$home/run" "$home/state"
export XDG_RUNTIME_DIR=$home/run XDG_STATE_HOME=$home/state PATH=$bin:$PATH
unset GLOVEBOX_SERVER

stop_daemon() {
  local process
  for process in /proc/[0-9]*; do
    # Ours is the one that serves the demo's socket.
    if tr '\0' ' ' 2>/dev/null <"$process/cmdline" | grep -qF -- "--socket $home/run/"; then
      kill "${process#/proc/}"
    fi
  done
}
trap stop_daemon EXIT

say() { printf '\n'; printf '# %s\n' "$@"; }
show() {
  local status=0
  printf '$ %s\n' "$*"
  "$@" </dev/null || status=$?
  if [ "$status" != "${expected:-0}" ]; then
    echo "demo: status $status, expected ${expected:-0}" >&2
    exit 1
  fi
}

cat >"$home/squares.sh" <<'SCRIPT'
sum_of_squares() {
  n=1 sum=0
  while [ $n -le $1 ]; do
    sum=$((sum + n * n))
    echo "1 to $n squared: $sum"
    n=$((n + 1))
  done
}
echo "hello from process $$ of a sealed box"
sum_of_squares 5
exit $((sum % 7))
SCRIPT
cd "$home"

say "A little shell script, run by this machine's /bin/busybox, which was not made for Glovebox: every one of" \
    "its instructions is interpreted, every system call is answered by Glovebox itself. No daemon runs yet," \
    "so the first command starts a private one. The guest's exit status comes back: 55 % 7 = 6."
expected=6 show glovebox run --file squares.sh:/squares.sh -- /bin/busybox sh /squares.sh

say "The same job again, watched: its system calls and its output stream by in the order in which they happened." \
    "In brackets: how many instructions the guest had retired. At the end what came of it. Run this as often as" \
    "you like, on any machine: instructions, virtual time and trace hash do not change."
expected=6 show glovebox run --trace syscalls --summary --file squares.sh:/squares.sh -- /bin/busybox sh /squares.sh

say "Standard input goes in, and limits are exact: this guest may retire one million instructions and not one more."
printf '$ echo busy work | glovebox run --limit insns=1M -- /bin/busybox sh -c '
printf "'read what; echo \"\$what\"; while :; do :; done'\n"
status=0
echo busy work |
  glovebox run --limit insns=1M -- /bin/busybox sh -c 'read what; echo "$what"; while :; do :; done' || status=$?
[ "$status" = 124 ] || { echo "demo: status $status, expected 124" >&2; exit 1; }

say "Every job is kept until it is deleted."
show glovebox job ls

say "That was it; the demo's daemon ends now. Next: \`glovebox run --help\`, and README.md."
