#!/usr/bin/env bash
# How the cost of a batch grows with tasks, runners and keys, by tens: curves, and whether any bends upwards.
#
#   bench.sh scale [--seconds S] [--executors-max N]          (6, 16)
#
# tasks      empty batches of 10, 100, 1,000 and 10,000 reduce tasks on two executors: microseconds of the driver and of the runners a task
# runners    batches of 240 tasks on 1, 2, 4, 8, 16 executors of one slot: microseconds of the driver a runner
# keys       10,000 to 10 million keys, 200,000 updates a second in batches of 100 ms: microseconds of the runners an update, bytes a key
# A growth is what a unit costs at the last point over what it costs at the point before: 1 is linear, 10 (of runners: 2) would be quadratic.
# Passes when none is above 2. That an update costs more when keys no longer fit into the processor's caches is seen in the middle of
# the last curve. Two cores run all of it, so what runners cost is told, and what a batch takes is not. Ends with
#   RESULT scale tasks_growth= runners_growth= keys_growth= bytes_per_key=
set -euo pipefail
# shellcheck disable=SC2034
NAME=scale
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/acceptance/lib.sh"
# shellcheck source=bench/lib.sh
source "$root/bench/lib.sh"

seconds=6 executors_max=16
take_options "seconds executors-max" "$@"
failed_result="tasks_growth=-1"
need_programs bin/millrace bench/many_tasks.so bench/many_keys.so

# Microseconds of processor time of processes that live, exactly.
used_us() {  # PID…
  local pid
  for pid in "$@"; do cat "/proc/$pid"/task/*/schedstat 2> /dev/null; done | awk '{n += $1} END {printf "%.0f", n / 1000}'
}

runners_of() {  # JOB EXECUTORS
  local n
  for ((n = 1; n <= $2; ++n)); do on_cluster pid runner "$1" "$n"; done
}

# Runs a job on the present cluster; sets batches, records, driver_us and runners_us of the measured time.
measure() {  # EXECUTORS WARM-RECORDS LIBRARY [options of submit]
  local job before after driver runners
  job=$(submit "$build_dir/bench/$3" "${@:4}")
  wait_until 120 has_records "$job" "$2" || give_up "$3 does not run: $(job_field "$job" '.state, .notice, .error' | tr '\n' ' ')"
  sleep 2
  driver=$(on_cluster pid driver)
  mapfile -t runners < <(runners_of "$job" "$1")
  before=$(job_field "$job" '"\(.batches_committed) \(.records)"')
  driver_us=$(used_us "$driver") runners_us=$(used_us "${runners[@]}")
  sleep "$seconds"
  driver_us=$(($(used_us "$driver") - driver_us)) runners_us=$(($(used_us "${runners[@]}") - runners_us))
  after=$(job_field "$job" '"\(.batches_committed) \(.records)"')
  read -r batches records < <(awk '{print $3 - $1, $4 - $2}' <<< "$before $after")
  bytes=$(job_field "$job" .state_memory_bytes)
  millrace stop "$job" --now > /dev/null 2>&1 || true
  wait_until 60 job_is "$job" STOPPED || give_up "$3 does not stop"
  ((batches > 0)) || give_up "no batch was committed within $seconds s"
}

per() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.3f", (b > 0 ? a / b : 0)}'; }
growth() { awk '{before = last; last = $1} END {printf "%.2f", (before > 0 ? last / before : -1)}' "$1"; }
new_cluster() {  # EXECUTORS MEMORY
  if [[ -f $cluster_dir/cluster.env ]]; then on_cluster stop && rm -rf --one-file-system "$cluster_dir"; fi
  cluster_options=(--executors "$1" --slots 1 --memory "$2")
  start_cluster > /dev/null
}

new_cluster 2 256MiB
printf '%-28s %14s %18s %18s\n' curve batches 'driver us each' 'runners us each'
for tasks in 10 100 1000 10000; do
  measure 2 1 many_tasks.so --batch-interval "$((tasks < 1000 ? 100 : tasks / 5))ms" --arg "partitions=$tasks"
  printf '%-28s %14s %18s %18s\n' "$tasks tasks" "$batches" "$(per $driver_us $((batches * tasks)))" "$(per $runners_us $((batches * tasks)))"
  per $((driver_us + runners_us)) $((batches * tasks)) >> "$work/tasks" && echo >> "$work/tasks"
done
for ((n = 1; n <= executors_max; n *= 2)); do
  new_cluster "$n" 64MiB
  measure "$n" 1 many_tasks.so --batch-interval 200ms --arg partitions=240
  printf '%-28s %14s %18s %18s\n' "$n runners" "$batches" "$(per $driver_us $((batches * n)))" "$(per $runners_us $((batches * n)))"
  per $driver_us $((batches * n)) >> "$work/runners" && echo >> "$work/runners"
done
new_cluster 2 2GiB
for keys in 10000 100000 1000000 10000000; do
  measure 2 "$keys" many_keys.so --arg "keys=$keys" --arg rate=$((keys > 2000000 ? 600000 : 200000)) --arg "output=$work/out-$keys"
  printf '%-28s %14s %18s %18s   %d bytes a key\n' "$keys keys, an update" "$batches" "$(per $driver_us "$records")" "$(per $runners_us "$records")" $((bytes / keys))
  per $runners_us "$records" >> "$work/keys" && echo >> "$work/keys"
done
growths=("$(growth "$work/tasks")" "$(growth "$work/runners")" "$(growth "$work/keys")")
result "tasks_growth=${growths[0]} runners_growth=${growths[1]} keys_growth=${growths[2]} bytes_per_key=$((bytes / 10000000))"
for one in "${growths[@]}"; do awk -v g="$one" 'BEGIN {exit !(g > 0 && g <= 2)}'; done
