#!/usr/bin/env bash
# What a batch costs under a long window, as a multiple of what it costs under a short one.
#
#   bench.sh sliding_window [--keys N] [--long BATCHES] [--short BATCHES] [--runs R] [--batches N] [--ratio-max X]
#                           (100000, 600, 10, 3, 100, 3)
#
# A window of 600 batches that slides every batch is a window of ten minutes that slides every second; the batches come every
# 100 ms so that it fills in a minute. Every key has one record a batch. The two windows run alternately on one cluster of real
# processes; the cost of a batch is the processor time, user and system, that the runners took for N batches once the window was
# full. Passes when the medians' ratio is at most X. Ends with
#   RESULT sliding_window ratio=
set -euo pipefail
# shellcheck disable=SC2034
NAME=sliding_window
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/acceptance/lib.sh"

keys=100000 long=600 short=10 runs=3 batches=100 ratio_max=3
take_options "keys long short runs batches ratio-max" "$@"
failed_result="ratio=0"
need_programs bin/millrace bench/sliding_window.so

# shellcheck disable=SC2034
cluster_options=(--executors 1 --memory 2048MiB)
start_cluster
committed() { job_field "$1" .batches_committed; }
has_committed() { (($(committed "$1" || echo 0) >= $2)) 2> /dev/null; }  # JOB BATCHES
cpu_ms() {  # PID
  local stat
  stat=$(cat "/proc/$1/stat")
  stat=${stat##*) }
  awk -v hz="$(getconf CLK_TCK)" '{print int(($12 + $13) * 1000 / hz)}' <<< "$stat"
}

# Sets cost (microseconds of processor time a batch) and peak (MiB).
measure() {  # WINDOW
  local job pid before_batches before_cpu after_batches after_cpu
  job=$(submit "$build_dir/bench/sliding_window.so" --name "window-$1" --arg "keys=$keys" --arg "window=$1")
  wait_until 900 has_committed "$job" $(($1 + 20)) || give_up "the window of $1 batches does not fill: $(job_field "$job" .notice)"
  pid=$(on_cluster pid runner "$job" 1)
  before_batches=$(committed "$job") before_cpu=$(cpu_ms "$pid")
  wait_until 300 has_committed "$job" $((before_batches + batches)) || give_up "no batches: $(job_field "$job" .notice)"
  after_batches=$(committed "$job") after_cpu=$(cpu_ms "$pid")
  peak=$(awk '/^VmHWM/ {print int($2 / 1024)}' "/proc/$pid/status")
  cost=$(((after_cpu - before_cpu) * 1000 / (after_batches - before_batches)))
  millrace stop "$job" > /dev/null 2>&1 || true
  wait_until 60 job_is "$job" STOPPED || give_up "the job does not stop"
}

median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

printf '%8s %18s %10s\n' window 'us CPU a batch' 'peak MiB'
for _ in $(seq "$runs"); do
  for window in "$short" "$long"; do
    measure "$window"
    printf '%8s %18s %10s\n' "$window" "$cost" "$peak"
    echo "$cost" >> "$work/cost-$window"
  done
done
short_cost=$(median < "$work/cost-$short") long_cost=$(median < "$work/cost-$long")
ratio=$(awk -v l="$long_cost" -v s="$short_cost" 'BEGIN {printf "%.2f", (s > 0 ? l / s : 999)}')
result "ratio=$ratio short_us=$short_cost long_us=$long_cost"
awk -v r="$ratio" -v m="$ratio_max" 'BEGIN {exit !(r > 0 && r <= m)}'
