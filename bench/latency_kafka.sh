#!/usr/bin/env bash
# From event to committed result in Kafka, exactly once: what a reader of committed records sees, beside Flink's exactly-once.
#
#   bench.sh latency_kafka [--peers flink] [--rate LINES] [--interval D] [--checkpoint MS] [--seconds S] [--warm S]
#                                                                                  (no peers, 20000, 25ms, 100, 30, 15)
#
# Lines of ten words, with the microsecond of their sending in front, go through a real broker (linger 5 ms); their words, and their stamps as
# one more word, are counted with a shuffle, and the results go to a second topic in transactions. A reader with read_committed takes a
# stamp's age when it sees it. Millrace commits each batch and writes all counts; Flink commits with its checkpoints (--checkpoint)
# and writes the stamps' updates alone. Its state is in memory and its checkpoints are files, as in its defaults.
# Passes when results came, and with --peers when Millrace's median and 99th percentile are below Flink's. Ends with
#   RESULT latency_kafka p50_ms= p99_ms= flink_p50_ms= flink_p99_ms=
set -euo pipefail
# shellcheck disable=SC2034
NAME=latency_kafka
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/acceptance/lib.sh"
# shellcheck source=bench/lib.sh
source "$root/bench/lib.sh"

peers='' rate=20000 interval=25ms checkpoint=100 seconds=30 warm=15
take_options "peers rate interval checkpoint seconds warm" "$@"
failed_result="p50_ms=-1 p99_ms=-1"
need_programs bin/millrace bench/latency.so bench/millrace_bench_gen bench/millrace_age_probe
[[ -z $peers || $peers == flink ]] || give_up "the only peer here is flink"
IFS=, read -ra peer_names <<< "$peers"
build_peers
start_kafka

send() {  # TOPIC
  "$build_dir/bench/millrace_bench_gen" lines $((rate * (warm + seconds + 3))) --topic "$1" --brokers "$brokers" --rate "$rate" --stamp --linger 5 2>> "$work/gen.log"
}
# Sends, and measures beside it what comes out: sets n, p50, p99, p999.
measure() {  # SYSTEM
  local producer
  send "$1" &
  producer=$!
  at_end+=("kill $producer")
  "$build_dir/bench/millrace_age_probe" --topic "$1-out" --brokers "$brokers" --warm "$warm" --seconds "$seconds" > "$work/ages" || give_up "no result of $1 came"
  wait "$producer" || give_up "the lines could not be sent: $(tail -n 1 "$work/gen.log")"
  read -r n p50 p99 p999 < <(sed -nE 's/^ages n=([0-9]+) p50_ms=([0-9.]+) p99_ms=([0-9.]+) p999_ms=([0-9.]+)$/\1 \2 \3 \4/p' "$work/ages")
  printf '%-10s %10s %10s %10s %10s\n' "$1" "$n" "$p50" "$p99" "$p999"
  ((n >= rate * seconds * 9 / 10)) || give_up "only $n lines of $1 came out in $seconds s"
}

for system in millrace ${peers:+flink}; do
  "$kafka" topic "$system" 4 "${kafka_options[@]}" > /dev/null
  "$kafka" topic "$system-out" 4 "${kafka_options[@]}" > /dev/null
done
printf '%-10s %10s %10s %10s %10s\n' system lines 'p50 ms' 'p99 ms' 'p99.9 ms'
cluster_options=(--executors 2 --slots 1)
start_cluster > /dev/null
job=$(submit "$build_dir/bench/latency.so" --arg "brokers=$brokers" --arg in=millrace --arg out=millrace-out --arg "interval=$interval")
wait_until 30 job_is "$job" RUNNING || give_up "the job is not running: $(job_field "$job" .notice)"
sleep 1
measure millrace
millrace stop "$job" --now > /dev/null 2>&1 || true
on_cluster stop
figures="p50_ms=$p50 p99_ms=$p99"
passed=1
if [[ -n $peers ]]; then
  ours=("$p50" "$p99")
  "$root/bench/peers/run.sh" run flink latency flink "brokers=$brokers" "csv=$work/flink.csv" buffer=5 from=latest "ckpt=$checkpoint" out=flink-out \
    "seconds=$((warm + seconds + 14))" "warm=$warm" > "$work/flink.log" 2> "$work/flink.err" &
  peer=$!
  at_end+=("kill $peer")
  sleep 8  # until its source reads
  measure flink
  wait "$peer" || true
  figures+=" flink_p50_ms=$p50 flink_p99_ms=$p99"
  awk -v a="${ours[0]}" -v b="$p50" -v c="${ours[1]}" -v d="$p99" 'BEGIN {exit !(a < b && c < d)}' || passed=0
fi
result "$figures"
((passed))
