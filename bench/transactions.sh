#!/usr/bin/env bash
# What a Kafka transaction a batch costs, by how it is made.
#
#   bench.sh transactions [--count N] [--runs R]          (150, 3)
#
# Transactions of ten rows, one after the other, to a real broker: with librdkafka's retry.backoff.ms of 100; with 1; and with two
# producers that take turns, of which one can begin while the broker still completes the other's. The sink has one producer a partition of its
# stage, and puts the batch's mark into each transaction, which is not measured here. Passes when taking turns takes at most three quarters of the
# time. Ends with
#   RESULT transactions default_ms= backoff_ms= turns_ms= cpu_ms=
set -euo pipefail
# shellcheck disable=SC2034
NAME=transactions
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/acceptance/lib.sh"
# shellcheck source=bench/lib.sh
source "$root/bench/lib.sh"

count=150 runs=3
take_options "count runs" "$@"
failed_result="default_ms=0"
need_programs bench/millrace_kafka_client
start_kafka
"$kafka" topic output 2 "${kafka_options[@]}" > /dev/null

way() {  # NAME [options]
  local seconds cpu
  read -r seconds cpu < <("$build_dir/bench/millrace_kafka_client" transact --topic output --brokers "$brokers" --count "$count" "${@:2}" \
    | sed -nE 's/^seconds=([0-9.]+) cpu_s=([0-9.]+)$/\1 \2/p')
  [[ -n ${cpu:-} ]] || give_up "the transactions of $1 did not go through"
  awk -v s="$seconds" -v n="$count" 'BEGIN {printf "%.2f\n", s / n * 1000}' >> "$work/ms-$1"
  awk -v s="$cpu" -v n="$count" 'BEGIN {printf "%.3f\n", s / n * 1000}' >> "$work/cpu-$1"
}
for ((run = 1; run <= runs; ++run)); do
  way default --set retry.backoff.ms=100
  way backoff --set retry.backoff.ms=1
  way turns --set retry.backoff.ms=1 --producers 2
done
printf '%-12s %16s %22s\n' way 'ms a transaction' 'CPU ms a transaction'
for name in default backoff turns; do printf '%-12s %16s %22s\n' "$name" "$(median < "$work/ms-$name")" "$(median < "$work/cpu-$name")"; done
ms() { median < "$work/ms-$1"; }
result "default_ms=$(ms default) backoff_ms=$(ms backoff) turns_ms=$(ms turns) cpu_ms=$(median < "$work/cpu-backoff")"
awk -v a="$(ms turns)" -v b="$(ms backoff)" 'BEGIN {exit !(a <= 0.75 * b)}'
