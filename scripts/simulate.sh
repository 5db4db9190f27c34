#!/usr/bin/env bash
# Lives of whole simulated clusters, from seeds: the real job master and runner cores, and between them a world that breaks. Then
# the same with rules of that world broken on purpose, each of which must be found.
#
#   scripts/simulate.sh [--seeds N] [--first S] [--rate-min R]          (20000, 1, 200)
#
# A seed with a violation is printed with the command that lives it again. Passes when no life has a violation, every broken rule is
# found, and R lives a second were lived on each core. Ends with
#   RESULT simulate seeds= violations= seeds_per_second= mutations= caught=
# Uses build/release, or MILLRACE_BUILD_DIR.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
simulate=${MILLRACE_BUILD_DIR:-$root/build/release}/tests/simulation/millrace_simulate

seeds=20000 first=1 rate_min=200
while (($# > 0)); do
  case $1 in
    --seeds) seeds=${2:?} && shift ;;
    --first) first=${2:?} && shift ;;
    --rate-min) rate_min=${2:?} && shift ;;
    *)
      sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
  shift
done
[[ -x $simulate ]] || {
  echo "simulate.sh: there is no $simulate: cmake --preset release && cmake --build --preset release" >&2
  exit 2
}
work=$(mktemp -d "${TMPDIR:-/tmp}/millrace-simulate.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT

# One process a core, each with its part of the seeds.
cores=$(nproc) pids=()
for ((i = 0; i < cores; ++i)); do
  from=$((first + seeds * i / cores)) to=$((first + seeds * (i + 1) / cores))
  ((to > from)) || continue
  "$simulate" --seeds $((to - from)) --first "$from" > "$work/lives-$i" 2>&1 &
  pids+=($!)
done
crashed=0
for pid in "${pids[@]}"; do
  wait "$pid" || (($? == 1)) || crashed=1
done
cat "$work"/lives-* | grep '^seed ' || true
violations=$(cat "$work"/lives-* | sed -nE 's/^RESULT .* violations=([0-9]+).*/\1/p' | awk '{n += $1} END {print n + 0}')
rate=$(cat "$work"/lives-* | sed -nE 's/.*, ([0-9]+) seeds a second$/\1/p' | sort -n | head -n 1)
echo "what the lives saw:"
cat "$work"/lives-* | awk '/^ +[0-9]+  /{n = $1; $1 = ""; seen[$0] += n} END {for (what in seen) printf "%12d %s\n", seen[what], what}' | sort -k2

# Rules that are broken on purpose: some of a few hundred lives must notice.
mutations=0 caught=0
for mutation in $("$simulate" --help 2>&1 | sed -n 's/^mutations: //p'); do
  mutations=$((mutations + 1))
  for hundred in 1 101 301 701; do
    if ! "$simulate" --seeds 400 --first "$hundred" --mutate "$mutation" > "$work/mutation" 2>&1; then
      caught=$((caught + 1))
      echo "found $mutation: $(grep -m 1 '^seed' "$work/mutation")"
      continue 2
    fi
  done
  echo "NOT found: $mutation"
done

echo "RESULT simulate seeds=$seeds violations=$violations seeds_per_second=${rate:-0} mutations=$mutations caught=$caught"
((crashed == 0 && violations == 0 && caught == mutations && mutations >= 8 && ${rate:-0} >= rate_min))
