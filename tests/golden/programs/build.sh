#!/bin/sh
# Builds the golden programs anew into bin/. Only for a change of a program: goldens are about fixed bytes, and a new
# compiler makes other bytes, so the programs are kept as they were built.
set -eu
cd "$(dirname "$0")"
mkdir -p bin
for source in *.c; do
  musl-gcc -static -O2 -s -Wl,--build-id=none -o "bin/${source%.c}" "$source" -lm
done
# For i386: musl-dev:i386, which ./dev setup unpacks, with its places put into its specs.
musl=${XDG_CACHE_HOME:-$HOME/.cache}/glovebox/packages/musl-dev_i386
specs=$(mktemp)
trap 'rm -f "$specs"' EXIT
sed "s#/usr/\(lib\|include\)/i386-linux-musl#$musl/usr/\1/i386-linux-musl#g" \
  "$musl/usr/lib/i386-linux-musl/musl-gcc.specs" >"$specs"
for name in floats signals; do
  gcc -m32 -msse2 -mfpmath=387 -specs="$specs" -static -O2 -s -Wl,-melf_i386 -Wl,--build-id=none -o "bin/$name-i386" "$name.c" -lm
done
