#!/bin/sh
# usage: compile_time.sh COMPILER INCLUDE_DIR SOURCE
# A job must compile in seconds of processor time, optimised. The limit is generous: it is for mistakes, not for slow
# machines.
set -eu
compiler=$1 include=$2 source=$3
limit=15
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$compiler" -std=c++20 -O2 -fPIC -fvisibility=hidden -I "$include" -c "$source" -o "$out/job.o"
# The user time of all children so far: "0m4.210s 0m0.300s" on the second line.
times > "$out/times"
seconds=$(sed -n '2s/m.*//p' "$out/times" | awk '{print $1 * 60}')
seconds=$((seconds + $(sed -n '2s/^[0-9]*m\([0-9]*\)\..*/\1/p' "$out/times")))
echo "compiled $(basename "$source") in about $seconds s of processor time"
if [ "$seconds" -ge "$limit" ]; then
  echo "that is $limit s or more: which header has become expensive? (g++ -ftime-report)" >&2
  exit 1
fi
