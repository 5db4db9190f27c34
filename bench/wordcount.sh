#!/usr/bin/env bash
# WordCount over a backlog in Kafka: processor time per million lines of all processes of a system, and lines a second, beside peers.
#
#   bench.sh wordcount [--peers spark,flink,structured] [--lines N] [--runs R] [--executors N] [--interval D]
#                                                          (no peers, 12000000, 3, 2, 1s)
#
# Lines of ten words, Zipf over a vocabulary of 100,000, about 64 bytes, in 4 partitions of a real broker on the same machine. Millrace
# runs as a cluster: a driver, executors, a runner each, mutual TLS everywhere, results to Kafka exactly once. The peers run in one
# process each, without encryption, and keep their results to themselves. All run alternately R times; what they count must agree.
# Steady state (45 to 97 % of each run); broker and producer are not counted. Passes when all counts are right, and with peers when
# the medians' ratios are at least 4 (spark) and 7 (flink). Ends with
#   RESULT wordcount cpu_s_per_million= spark_ratio= flink_ratio= lines_per_s= …
set -euo pipefail
# shellcheck disable=SC2034
NAME=wordcount
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/acceptance/lib.sh"
# shellcheck source=bench/lib.sh
source "$root/bench/lib.sh"

peers='' lines=12000000 runs=3 executors=2 interval=1s
while (($# > 0)); do
  case $1 in
    --peers) peers=${2:?} && shift ;;
    --lines) lines=${2:?} && shift ;;
    --runs) runs=${2:?} && shift ;;
    --executors) executors=${2:?} && shift ;;
    --interval) interval=${2:?} && shift ;;
    *)
      sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
  shift
done
failed_result="cpu_s_per_million=0"
need_programs bin/millrace bench/wordcount.so bench/millrace_bench_gen tests/tools/millrace_kafka_tool
IFS=, read -ra peer_names <<< "$peers"
for peer in "${peer_names[@]}"; do
  "$root/bench/peers/run.sh" build "$peer" > "$work/build-$peer.log" 2>&1 || give_up "the peer $peer cannot be built: $(tail -n 3 "$work/build-$peer.log")"
done

start_kafka
"$kafka" topic lines 4 "${kafka_options[@]}" > /dev/null
"$build_dir/bench/millrace_bench_gen" lines "$lines" --topic lines --brokers "$brokers" || give_up "the lines could not be sent"
# shellcheck disable=SC2034
cluster_options=(--executors "$executors" --slots $((2 / executors > 0 ? 2 / executors : 1)) --memory 512MiB)

# Adds a run's figures to those of its system and prints them.
note() {  # SYSTEM CSV
  local rate cpu peak
  read -r rate cpu peak < <(steady "$2")
  echo "$rate" >> "$work/rate-$1"
  echo "$cpu" >> "$work/cpu-$1"
  echo "$peak" >> "$work/peak-$1"
  printf '%-12s %12s %18s %10s\n' "$1" "$rate" "$cpu" "$peak"
}

run_millrace() {  # RUN
  local job words
  "$kafka" topic "out-$1" 4 "${kafka_options[@]}" > /dev/null
  start_cluster > /dev/null
  job=$(submit "$build_dir/bench/wordcount.so" --arg "brokers=$brokers" --arg in=lines --arg "out=out-$1" --arg "interval=$interval")
  wait_until 30 job_is "$job" RUNNING || give_up "the job is not running: $(job_field "$job" .notice)"
  sample_job "$job" "$lines" "$work/millrace-$1.csv" || give_up "the lines are not worked off: $(job_field "$job" '.state, .notice, .error' | tr '\n' ' ')"
  millrace stop "$job" > /dev/null 2>&1 || true
  wait_until 60 job_is "$job" STOPPED || give_up "the job does not stop"
  on_cluster stop
  rm -rf --one-file-system "$cluster_dir"
  # Each record is "words<TAB>different words" of a reduce partition in a batch.
  words=$("$build_dir/tests/tools/millrace_kafka_tool" dump "out-$1" --brokers "$brokers" 2> /dev/null | awk '{n += $1} END {printf "%d", n}')
  ((words == lines * 10)) || give_up "run $1 counted $words words of $((lines * 10))"
  note millrace "$work/millrace-$1.csv"
}

run_peer() {  # PEER RUN
  local counted
  "$root/bench/peers/run.sh" run "$1" wordcount lines "brokers=$brokers" "csv=$work/$1-$2.csv" perBatch=1000000 "end=$lines" \
    > "$work/$1.log" 2> "$work/$1.err" || give_up "$1: $(tail -n 5 "$work/$1.err")"
  counted=$(sed -nE 's/^end records=([0-9]+) .*/\1/p' "$work/$1.log")
  ((counted >= lines - 1024)) || give_up "$1 counted $counted of $lines lines"
  note "$1" "$work/$1-$2.csv"
}

printf '%-12s %12s %18s %10s\n' system lines/s 'CPU s per million' 'peak MiB'
for ((run = 1; run <= runs; ++run)); do
  run_millrace "$run"
  for peer in "${peer_names[@]}"; do run_peer "$peer" "$run"; done
done

cpu=$(median < "$work/cpu-millrace")
figures="cpu_s_per_million=$cpu" passed=1
for peer in "${peer_names[@]}"; do
  its=$(ratio "$(median < "$work/cpu-$peer")" "$cpu")
  figures+=" ${peer}_ratio=$its"
  case $peer in spark) wanted=4 ;; flink) wanted=7 ;; *) wanted=0 ;; esac
  awk -v r="$its" -v w="$wanted" 'BEGIN {exit !(r >= w)}' || passed=0
done
echo
for system in millrace "${peer_names[@]}"; do
  printf '%-12s lines/s %s   CPU s per million %s   peak MiB %s   (min / median / max)\n' "$system" "$(spread < "$work/rate-$system")" \
    "$(spread < "$work/cpu-$system")" "$(spread < "$work/peak-$system")"
done
result "$figures lines_per_s=$(median < "$work/rate-millrace") peak_mib=$(median < "$work/peak-millrace")"
((passed))
