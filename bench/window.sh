#!/usr/bin/env bash
# A window of 10 s that slides every second, over a live stream: counts of 100,000 keys, processor time per million records, beside peers.
#
#   bench.sh window [--peers spark,flink] [--rate R] [--seconds S] [--warm S] [--runs R] [--executors N]          (no peers, 50000, 20, 20, 3, 2)
#
# Records "kNNNNNN,AMOUNT" come at R a second through a real broker. Windows go by the clock, since Spark Streaming has no other; batches are a
# second. Spark adds what comes in and takes off what leaves (reduceByKeyAndWindow with an inverse), Flink has sliding windows of processing
# time, Millrace ReduceByKeyAndWindow, which needs no inverse; every system gives all keys of the window every second and
# adds up their counts. Processor time of all processes of a system over S seconds, after S to warm up. Systems run alternately.
# Passes when a window of each has R x 10 records, less 3 %, and no peer takes less processor time. Ends with
#   RESULT window cpu_s_per_million= spark_ratio= flink_ratio= peak_mib=
set -euo pipefail
# shellcheck disable=SC2034
NAME=window
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/acceptance/lib.sh"
# shellcheck source=bench/lib.sh
source "$root/bench/lib.sh"

peers='' rate=50000 seconds=20 warm=20 runs=3 executors=2
take_options "peers rate seconds warm runs executors" "$@"
failed_result="cpu_s_per_million=0"
need_programs bin/millrace bench/window.so bench/millrace_bench_gen
IFS=, read -ra peer_names <<< "$peers"
build_peers
start_kafka
printf '%-12s %18s %10s %16s\n' system 'CPU s per million' 'peak MiB' 'records a window'

send() {  # TOPIC SECONDS
  "$build_dir/bench/millrace_bench_gen" keyed $((rate * $2)) --topic "$1" --brokers "$brokers" --rate "$rate" 2>> "$work/gen.log"
}
# From two samples "ticks,KiB" taken $seconds apart.
report() {  # SYSTEM BEFORE AFTER RECORDS-A-WINDOW
  local cpu
  cpu=$(awk -v t=$((${3%,*} - ${2%,*})) -v r=$((rate * seconds)) 'BEGIN {printf "%.3f", t / 100 / r * 1e6}')
  printf '%-12s %18s %10s %16s\n' "$1" "$cpu" $((${3#*,} / 1024)) "$4"
  awk -v w="$4" -v r=$((rate * 10)) 'BEGIN {exit !(w >= 0.97 * r && w <= 1.03 * r)}' || give_up "a window of $1 has $4 records, and should have $((rate * 10))"
  echo "$cpu" >> "$work/cpu-$1"
  echo $((${3#*,} / 1024)) >> "$work/peak-$1"
}

run_millrace() {  # RUN
  local job pids n before
  "$kafka" topic "m$1" 4 "${kafka_options[@]}" > /dev/null
  "$kafka" topic "out$1" 2 "${kafka_options[@]}" > /dev/null
  cluster_options=(--executors "$executors" --slots 1)
  start_cluster > /dev/null
  job=$(submit "$build_dir/bench/window.so" --arg "brokers=$brokers" --arg "in=m$1" --arg "out=out$1")
  wait_until 30 job_is "$job" RUNNING || give_up "the job is not running: $(job_field "$job" .notice)"
  send "m$1" $((warm + seconds + 3)) &
  sleep "$warm"
  pids=$(on_cluster pid driver)
  for ((n = 1; n <= executors; ++n)); do pids+=" $(on_cluster pid executor "$n") $(on_cluster pid runner "$job" "$n")"; done
  # shellcheck disable=SC2086
  before=$(usage_of $pids)
  sleep "$seconds"
  # shellcheck disable=SC2086
  report millrace "$before" "$(usage_of $pids)" "$(window_records "out$1")"
  wait $! || give_up "the records could not be sent: $(tail -n 1 "$work/gen.log")"
  millrace stop "$job" --now > /dev/null 2>&1 || true
  on_cluster stop
  rm -rf --one-file-system "$cluster_dir"
}
# The median of what windows had; each partition of a window is a record "TIME<TAB>count".
window_records() {  # TOPIC
  "$build_dir/tests/tools/millrace_kafka_tool" dump "$1" --brokers "$brokers" 2> /dev/null | awk '{n[$1] += $2} END {for (t in n) print n[t]}' \
    | sort -n | tail -n "$seconds" | median
}

run_peer() {  # PEER RUN
  local peer before after pid
  "$kafka" topic "$1$2" 4 "${kafka_options[@]}" > /dev/null
  "$root/bench/peers/run.sh" run "$1" window "$1$2" "brokers=$brokers" "csv=$work/$1.csv" from=latest "seconds=$((warm + seconds + 12))" > "$work/$1.log" 2> "$work/$1.err" &
  peer=$!
  at_end+=("kill $peer")
  sleep 8  # until its source reads
  send "$1$2" $((warm + seconds + 3)) &
  sleep "$warm"
  before=$(tail -n 1 "$work/$1.csv" | cut -d, -f3,4)
  sleep "$seconds"
  after=$(tail -n 1 "$work/$1.csv" | cut -d, -f3,4)
  wait $! || give_up "the records could not be sent: $(tail -n 1 "$work/gen.log")"
  wait "$peer" || true
  report "$1" "$before" "$after" "$(sed -nE 's/^window ([0-9]+)$/\1/p' "$work/$1.log" | sort -n | tail -n "$seconds" | median)"
}

for ((run = 1; run <= runs; ++run)); do
  run_millrace "$run"
  for peer in "${peer_names[@]}"; do run_peer "$peer" "$run"; done
done
cpu=$(median < "$work/cpu-millrace")
figures="cpu_s_per_million=$cpu" passed=1
for peer in "${peer_names[@]}"; do
  its=$(ratio "$(median < "$work/cpu-$peer")" "$cpu")
  figures+=" ${peer}_ratio=$its"
  awk -v r="$its" 'BEGIN {exit !(r >= 1)}' || passed=0
done
result "$figures peak_mib=$(median < "$work/peak-millrace")"
((passed))
