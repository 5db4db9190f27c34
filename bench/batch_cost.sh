#!/usr/bin/env bash
# What a batch costs the driver: processor time per empty batch and per batch of 1,000 tasks; and whether short batches hold their schedule.
#
#   bench.sh batch_cost [--seconds S] [--empty-max US] [--tasks-max US] [--late-max SHARE]             (15, 200, 5000, 0.01)
#
# A driver and two executors. An idle stream in batches of 5 ms, of 2 ms, then batches of 1,000 tasks every 200 ms; user and system time of
# the driver's process over the batches of S seconds, the status queries of this script included. A batch is late when it is
# committed more than an interval after it was due. Passes when an empty batch costs at most 200 us, a batch of 1,000 tasks at most
# 5 ms, and less than 1 % of the batches of 2 ms are late. Ends with
#   RESULT batch_cost empty_us= tasks_1000_us= late_share_2ms=
set -euo pipefail
# shellcheck disable=SC2034
NAME=batch_cost
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/acceptance/lib.sh"
# shellcheck source=bench/lib.sh
source "$root/bench/lib.sh"

seconds=15 empty_max=200 tasks_max=5000 late_max=0.01
take_options "seconds empty-max tasks-max late-max" "$@"
failed_result="empty_us=0"
need_programs bin/millrace tests/jobs/empty_stream.so bench/many_tasks.so
executors=2
cluster_options=(--executors 2 --slots 1)
start_cluster

# Sets cost (us of the driver's processor time a batch), late (share).
measure() {  # LIBRARY INTERVAL [options of submit]
  local job pid before_batches before_late before_ticks batches ticks late_now
  job=$(submit "$build_dir/$1" --batch-interval "$2" "${@:3}")
  wait_until 30 has_records "$job" 2 || give_up "$1 does not run: $(job_field "$job" .notice)"
  sleep 2
  pid=$(on_cluster pid driver)
  read -r before_batches before_late < <(job_field "$job" '"\(.batches_committed) \(.batches_late)"')
  before_ticks=$(usage_of "$pid")
  sleep "$seconds"
  ticks=$(usage_of "$pid")
  read -r batches late_now < <(job_field "$job" '"\(.batches_committed) \(.batches_late)"')
  cost=$(awk -v t=$((${ticks%,*} - ${before_ticks%,*})) -v b=$((batches - before_batches)) 'BEGIN {printf "%.0f", (b > 0 ? t * 10000 / b : 999999)}')
  late=$(awk -v l=$((late_now - before_late)) -v b=$((batches - before_batches)) 'BEGIN {printf "%.5f", (b > 0 ? l / b : 1)}')
  millrace stop "$job" --now > /dev/null 2>&1 || true
  wait_until 30 job_is "$job" STOPPED || give_up "$1 does not stop"
  printf '%-24s %8s %10s %22s %12s\n' "$1" "$2" $((batches - before_batches)) "$cost" "$late"
}

printf '%-24s %8s %10s %22s %12s\n' job interval batches 'driver us a batch' 'late share'
measure tests/jobs/empty_stream.so 5ms
empty=$cost
measure tests/jobs/empty_stream.so 2ms
late_2ms=$late
measure bench/many_tasks.so 200ms --arg partitions=1000
tasks=$cost
result "empty_us=$empty tasks_1000_us=$tasks late_share_2ms=$late_2ms"
((empty <= empty_max && tasks <= tasks_max)) && awk -v l="$late_2ms" -v m="$late_max" 'BEGIN {exit !(l <= m)}'
