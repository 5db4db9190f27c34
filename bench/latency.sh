#!/usr/bin/env bash
# From event to result at a fixed rate: how old a line is when the word counts of its batch are out, beside Flink.
#
#   bench.sh latency [--peers flink] [--rate LINES] [--interval D] [--seconds S] [--warm S] [--executors N]     (no peers, 50000, 5ms, 30, 20, 2)
#
# Lines of ten words, with the microsecond of their sending in front, go through a real broker (linger 5 ms) at the given rate; Millrace
# counts their words per batch with a shuffle between the executors, over mutual TLS; when a batch's result is out every line of it is
# as old as now is later than its stamp. Flink updates a running count per word, and every update is as old as its line. First a time
# to warm up, then S seconds are measured. Passes when the median is at most 10 ms and the 99th percentile at most 30 ms, and with
# --peers when that is less than Flink's. Ends with
#   RESULT latency p50_ms= p99_ms= p999_ms= flink_p50_ms= flink_p99_ms= lines_per_s=
set -euo pipefail
# shellcheck disable=SC2034
NAME=latency
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/acceptance/lib.sh"
# shellcheck source=bench/lib.sh
source "$root/bench/lib.sh"

peers='' rate=50000 interval=5ms seconds=30 warm=20 executors=2
take_options "peers rate interval seconds warm executors" "$@"
failed_result="p50_ms=-1 p99_ms=-1"
need_programs bin/millrace bench/latency.so bench/millrace_bench_gen
[[ -z $peers || $peers == flink ]] || give_up "the only peer here is flink"
IFS=, read -ra peer_names <<< "$peers"
build_peers
start_kafka

send() {  # TOPIC SECONDS
  "$build_dir/bench/millrace_bench_gen" lines $((rate * $2)) --topic "$1" --brokers "$brokers" --rate "$rate" --stamp --linger 5 2>> "$work/gen.log"
}

# ---- Millrace ----

histogram() { cat "$work"/ages.* 2> /dev/null | awk '!/part/ {n[$1] += $2} END {for (us in n) print us, n[us]}' | sort -n; }
percentiles() {  # BEFORE AFTER: prints n p50 p99 p99.9, in milliseconds
  awk 'NR == FNR {before[$1] = $2; next} {n[++k] = $2 - before[$1]; us[k] = $1; total += n[k]}
    END {
      split("0.5 0.99 0.999", wanted, " ")
      printf "%d", total
      for (w = 1; w <= 3; ++w) {
        sum = 0
        for (i = 1; i <= k; ++i) {sum += n[i]; if (sum >= wanted[w] * total) break}
        printf " %.2f", us[i] / 1000
      }
      print ""
    }' "$1" "$2"
}

"$kafka" topic millrace 4 "${kafka_options[@]}" > /dev/null
cluster_options=(--executors "$executors" --slots $((2 / executors > 0 ? 2 / executors : 1)))
start_cluster > /dev/null
job=$(submit "$build_dir/bench/latency.so" --arg "brokers=$brokers" --arg in=millrace --arg "interval=$interval" --arg "histogram=$work/ages")
wait_until 30 job_is "$job" RUNNING || give_up "the job is not running: $(job_field "$job" .notice)"
sleep 1
send millrace $((warm + seconds + 3)) &
producer=$!
at_end+=("kill $producer")
sleep "$warm"
histogram > "$work/before"
late_before=$(job_field "$job" '"\(.batches_committed) \(.batches_late)"')
sleep "$seconds"
histogram > "$work/after"
late_after=$(job_field "$job" '"\(.batches_committed) \(.batches_late)"')
wait "$producer" || give_up "the lines could not be sent: $(tail -n 1 "$work/gen.log")"
read -r lines p50 p99 p999 < <(percentiles "$work/before" "$work/after")
read -r batches late < <(paste <(echo "$late_after") <(echo "$late_before") | awk '{print $1 - $3, $2 - $4}')
millrace stop "$job" --now > /dev/null 2>&1 || true
on_cluster stop
printf '%-10s %10s %10s %10s %10s\n' system lines 'p50 ms' 'p99 ms' 'p99.9 ms'
printf '%-10s %10s %10s %10s %10s   (%d batches, %d late)\n' millrace "$lines" "$p50" "$p99" "$p999" "$batches" "$late"
((lines >= rate * seconds * 9 / 10)) || give_up "only $lines lines came out in $seconds s"
figures="p50_ms=$p50 p99_ms=$p99 p999_ms=$p999"

# ---- Flink ----

flink_p99=1000000
if [[ -n $peers ]]; then
  "$kafka" topic flink 4 "${kafka_options[@]}" > /dev/null
  "$root/bench/peers/run.sh" run flink latency flink "brokers=$brokers" "csv=$work/flink.csv" buffer=5 from=latest \
    "seconds=$((warm + seconds + 12))" "warm=$((warm + 10))" > "$work/flink.log" 2> "$work/flink.err" &
  peer=$!
  sleep 8  # until its source reads
  send flink $((warm + seconds + 6)) || give_up "the lines could not be sent"
  wait "$peer" || true
  read -r updates flink_p50 flink_p99 flink_p999 < <(sed -nE 's/^latency n=([0-9]+) p50.0=([0-9.]+) .*p99.0=([0-9.]+) p99.9=([0-9.]+) .*/\1 \2 \3 \4/p' "$work/flink.log") \
    || give_up "flink measured nothing: $(tail -n 3 "$work/flink.err")"
  printf '%-10s %10s %10s %10s %10s\n' flink $((updates / 10)) "$flink_p50" "$flink_p99" "$flink_p999"
  figures+=" flink_p50_ms=$flink_p50 flink_p99_ms=$flink_p99"
fi
result "$figures lines_per_s=$((lines / seconds))"
awk -v m="$p50" -v n="$p99" -v f="$flink_p99" 'BEGIN {exit !(m <= 10 && n <= 30 && n < f)}'
