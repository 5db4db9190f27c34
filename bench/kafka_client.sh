#!/usr/bin/env bash
# librdkafka at its limit: what each step brings when records are consumed and nothing is done with them.
#
#   bench.sh kafka_client [--records N] [--runs R]          (10000000, 3)
#
# Records of 64 bytes in four partitions. Each step is the one before with something more; the runs of the steps alternate. The steps: one message a
# call with glibc's allocator; mimalloc instead; batches from one queue; a queue for each partition; 32,000 records prefetched instead of
# librdkafka's 100,000; and, the other way, what the check of checksums costs (check.crcs), which the source has switched on.
# Passes when what the source does costs no more than the first step. Ends with
#   RESULT kafka_client message=  mimalloc= batch= partitions= prefetch= source=          (processor seconds a million records)
set -euo pipefail
# shellcheck disable=SC2034
NAME=kafka_client
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/acceptance/lib.sh"
# shellcheck source=bench/lib.sh
source "$root/bench/lib.sh"

records=10000000 runs=3
take_options "records runs" "$@"
failed_result="message=0"
need_programs bench/millrace_kafka_client bench/millrace_bench_gen
mimalloc=$(ldconfig -p | sed -nE 's/.*libmimalloc\.so[.0-9]* .*=> (.*)/\1/p' | head -n 1)
[[ -n $mimalloc ]] || give_up "there is no libmimalloc here: apt-get install libmimalloc-dev"
start_kafka
"$kafka" topic input 4 "${kafka_options[@]}" > /dev/null
"$build_dir/bench/millrace_bench_gen" lines "$records" --topic input --brokers "$brokers" || give_up "the data could not be sent"

step() {  # NAME PRELOAD [options]
  local seconds cpu
  read -r seconds cpu < <(LD_PRELOAD=$2 "$build_dir/bench/millrace_kafka_client" consume --topic input --brokers "$brokers" --records "$records" "${@:3}" \
    | sed -nE 's/^seconds=([0-9.]+) cpu_s=([0-9.]+)$/\1 \2/p')
  [[ -n ${cpu:-} ]] || give_up "the step $1 did not get its records"
  awk -v c="$cpu" -v n="$records" 'BEGIN {printf "%.3f\n", c / n * 1e6}' >> "$work/cpu-$1"
  awk -v s="$seconds" -v n="$records" 'BEGIN {printf "%.0f\n", n / s}' >> "$work/rate-$1"
}
prefetch=(--set queued.min.messages=32000 --set queued.max.messages.kbytes=16384)
for ((run = 1; run <= runs; ++run)); do
  step message '' --api message
  step mimalloc "$mimalloc" --api message
  step batch "$mimalloc" --api batch
  step partitions "$mimalloc" --api partitions
  step prefetch "$mimalloc" --api partitions "${prefetch[@]}"
  step source "$mimalloc" --api partitions "${prefetch[@]}" --set check.crcs=true
done
figures=''
printf '%-12s %18s %14s\n' step 'CPU s per million' records/s
for name in message mimalloc batch partitions prefetch source; do
  printf '%-12s %18s %14s\n' "$name" "$(median < "$work/cpu-$name")" "$(median < "$work/rate-$name")"
  figures+=" $name=$(median < "$work/cpu-$name")"
done
result "${figures# }"
awk -v a="$(median < "$work/cpu-source")" -v b="$(median < "$work/cpu-message")" 'BEGIN {exit !(a <= b)}'
