#!/usr/bin/env bash
# How long a job with much state is away when a runner dies, and when the driver dies.
#
#   bench.sh recovery [--runs N] [--keys K] [--executors E] [--rate R] [--checkpoint TIME] [--disk] [--kafka]
#                     [--runner-max MS] [--driver-max MS] [--only runner|driver]
#                     (10, 1000000, 3, 50000, 5s; 1000, 2000)
#
# Batches of 100 ms, K keys of state (in memory; --disk: in RocksDB), R records a second; each batch writes a few lines exactly once,
# to files, or with --kafka to a topic of a real broker. The job ends itself when a key has lost a record or has one twice. N times a
# runner gets SIGKILL, N times the driver, which is started again at once, as a supervisor would. Measured is the time from the signal
# to the commit of the first batch that fell due after it: every batch needs every partition, so that the lost ones are back then.
# Passes when the worst runner was back within --runner-max and the worst driver within --driver-max milliseconds. Ends with
#   RESULT recovery runner_ms= driver_ms=
# A table tells the parts: of a runner, until the driver knew (detect), until the last lost partition was restored (restore), until the
# batches since the checkpoint were computed again and the batch was committed (recompute); of the driver, until the new one listened
# (start), until the job ran (adopt), until the commit (batch).
set -euo pipefail
# shellcheck disable=SC2034
NAME=recovery
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/acceptance/lib.sh"

runs=10 keys=1000000 executors=3 rate=50000 checkpoint=5s disk=false with_kafka=0 runner_max=1000 driver_max=2000 only=''
while (($# > 0)); do
  case $1 in
    --runs) runs=${2:?} && shift ;;
    --keys) keys=${2:?} && shift ;;
    --executors) executors=${2:?} && shift ;;
    --rate) rate=${2:?} && shift ;;
    --checkpoint) checkpoint=${2:?} && shift ;;
    --disk) disk=true ;;
    --kafka) with_kafka=1 ;;
    --runner-max) runner_max=${2:?} && shift ;;
    --driver-max) driver_max=${2:?} && shift ;;
    --only) only=${2:?} && shift ;;
    *)
      sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
  shift
done
failed_result="runner_ms=-1 driver_ms=-1"
need_programs bin/millrace bench/recovery.so

# shellcheck disable=SC2034
cluster_options=(--executors "$executors" --memory 512MiB)
if ((with_kafka)); then
  start_kafka
  "$kafka" topic counts 2 "${kafka_options[@]}" > /dev/null
  output=(--arg "brokers=$brokers" --arg "topic=counts")
else
  mkdir -p "$work/output"
  output=(--arg "output=$work/output")
fi
start_cluster
job=$(submit "$build_dir/bench/recovery.so" --arg "keys=$keys" --arg "rate=$rate" --arg "checkpoint=$checkpoint" --arg "disk=$disk" \
  "${output[@]}")

all_runners() { (($(job_field "$job" '.runners | length' || echo 0) == executors)) 2> /dev/null; }
checkpoint_past() { (($(job_field "$job" .checkpoint_batch || echo 0) > $1)) 2> /dev/null; }
check_alive() {
  [[ $(job_field "$job" .state) != JOB_STATE_FAILED ]] || give_up "the job failed: $(job_field "$job" .error)"
}

# Milliseconds since 1970 of the commit of the first batch that was due at or after a time; nothing if there is none yet.
commit_after() {  # MILLISECONDS
  millrace status "$job" -o json --batches 200 2> /dev/null \
    | jq -r --argjson from "$1" '[.batches[] | select(.committed and (.batch_time_us | tonumber) >= $from * 1000)]
        | min_by(.batch | tonumber) | select(. != null)
        | ((.batch_time_us | tonumber) + (.total_delay_us | tonumber)) / 1000 | floor' 2> /dev/null
}
# The longest any batch took that fell due after a time, in milliseconds.
worst_delay() {  # MILLISECONDS
  millrace status "$job" -o json --batches 200 \
    | jq -r --argjson from "$1" '[.batches[] | select(.committed and (.batch_time_us | tonumber) >= $from * 1000 - 300000)
        | (.total_delay_us | tonumber) / 1000 | floor] | max // 0'
}
committed_at=''
has_committed_after() { committed_at=$(commit_after "$1") && [[ -n $committed_at ]]; }

# Lines "milliseconds since 1970 TAB text" of what begins with a timestamp of our logs.
with_times() {
  sed -nE 's/^.*([0-9]{4}-[0-9-]+T[0-9:.]+Z) (info|warn|error) (.*)$/\1\t\3/p' \
    | while IFS=$'\t' read -r time text; do printf '%s\t%s\n' "$(date -d "$time" +%s%3N)" "$text"; done
}
# The time of the first, or last, line with a text that is not older than a time.
first_line() { awk -F'\t' -v from="$1" -v text="$2" '!t && $1 >= from && index($2, text) == 1 {t = $1} END {if (t) print t}'; }
last_line() {  # FROM TEXT UNTIL
  awk -F'\t' -v from="$1" -v text="$2" -v until="$3" '$1 >= from && $1 <= until && index($2, text) == 1 {t = $1} END {if (t) print t}'
}

# A fresh checkpoint would flatter: the moment of the kill moves through the interval.
settle() {  # RUN
  wait_until 60 all_runners || give_up "not all runners came back: $(job_field "$job" .notice)"
  checkpoint_past_now=$(job_field "$job" .batches_committed)
  wait_until 60 checkpoint_past "$checkpoint_past_now" || give_up "no checkpoint after batch $checkpoint_past_now"
  sleep "$(awk -v run="$1" -v runs="$runs" -v s="${checkpoint%s}" 'BEGIN {printf "%.2f", s * run / runs}')"
}

kill_runner() {  # RUN
  local n=$(($1 % executors + 1)) pid begun lost restored
  pid=$(on_cluster pid runner "$job" "$n")
  begun=$(now_ms)
  kill -KILL "$pid"
  wait_until 30 has_committed_after "$begun" || give_up "no batch was committed in 30 s after a runner died"
  sleep 1
  lost=$(tail -n 200 "$cluster_dir/driver.log" | with_times | first_line "$begun" "runner lost")
  restored=$(millrace logs "$job" -n 2000 | with_times | last_line "$begun" "state restored" "$committed_at")
  lost=${lost:-$begun} restored=${restored:-$lost}
  printf '%6s %6s %8s %9s %10s %8s %12s\n' runner "$1" $((lost - begun)) $((restored - lost)) $((committed_at - restored)) \
    $((committed_at - begun)) "$(worst_delay "$begun")"
  echo $((committed_at - begun)) >> "$work/runner"
}

kill_driver() {  # RUN
  local pid begun ready running
  pid=$(on_cluster pid driver)
  begun=$(now_ms)
  kill -KILL "$pid"
  while grep -q . "/proc/$pid/cmdline" 2> /dev/null; do sleep 0.002; done  # a zombie has none, and holds nothing any more
  on_cluster launch-driver
  wait_until 30 has_committed_after "$begun" || give_up "no batch was committed in 30 s after the driver died"
  ready=$(tail -n 200 "$cluster_dir/driver.log" | with_times | first_line "$begun" "driver ready")
  running=$(tail -n 200 "$cluster_dir/driver.log" | with_times | first_line "$begun" "job state job=$job name=recovery state=JOB_STATE_RUNNING")
  ready=${ready:-$begun} running=${running:-$ready}
  printf '%6s %6s %8s %9s %10s %8s %12s\n' driver "$1" $((ready - begun)) $((running - ready)) $((committed_at - running)) \
    $((committed_at - begun)) "$(worst_delay "$begun")"
  echo $((committed_at - begun)) >> "$work/driver"
}

has_keys() { (($(job_field "$job" .records || echo 0) >= keys + rate)) 2> /dev/null; }
wait_until 600 has_keys || give_up "the keys do not come in: $(job_field "$job" .notice)"
touch "$work/runner" "$work/driver"
if [[ $only != driver ]]; then
  printf '%6s %6s %8s %9s %10s %8s %12s   (ms)\n' killed run detect restore recompute all 'worst batch'
  for run in $(seq 1 "$runs"); do
    settle "$run"
    kill_runner "$run"
    check_alive
  done
fi
if [[ $only != runner ]]; then
  printf '%6s %6s %8s %9s %10s %8s %12s   (ms)\n' killed run start adopt batch all 'worst batch'
  for run in $(seq 1 "$runs"); do
    settle "$run"
    kill_driver "$run"
    check_alive
  done
fi
millrace status "$job" --batches 0
worst() { sort -n "$1" | tail -n 1 | grep . || echo 0; }
runner_ms=$(worst "$work/runner") driver_ms=$(worst "$work/driver")
result "runner_ms=$runner_ms driver_ms=$driver_ms"
((runner_ms <= runner_max && driver_ms <= driver_max))
