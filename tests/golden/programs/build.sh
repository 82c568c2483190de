#!/bin/sh
# Builds the golden programs anew into bin/. Only for a change of a program: goldens are about fixed bytes, and a new
# compiler makes other bytes, so the programs are kept as they were built.
set -eu
cd "$(dirname "$0")"
mkdir -p bin
for source in *.c; do
  musl-gcc -static -O2 -s -Wl,--build-id=none -o "bin/${source%.c}" "$source" -lm
done
