#!/usr/bin/env bash
# The oracle against itself, two ways round: the words of its lines, counted here, are its counts.
set -euo pipefail
tool=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C
"$tool" lines 5000 7 | awk '{for (i = 1; i <= NF; ++i) n[$i]++} END {for (w in n) print w "\t" n[w]}' | sort > "$work/counted"
"$tool" counts 5000 7 | sort | diff - "$work/counted"
[[ $("$tool" lines 5000 7 | awk 'NF != 10' | wc -l) == 0 ]]
if "$tool" counts 5000 8 | sort | diff -q - "$work/counted" > /dev/null; then
  echo "another seed gave the same text" >&2
  exit 1
fi
