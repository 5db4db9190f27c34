#!/usr/bin/env bash
# A running count of 100,000 keys over a backlog in Kafka: processor time per million records, beside peers.
#
#   bench.sh running_count [--peers spark,flink,structured] [--records N] [--runs R] [--executors N] [--interval D]
#                                                          (no peers, 20000000, 3, 2, 1s)
#
# Records "kNNNNNN,AMOUNT" of 12 bytes, keys uniform; the counts are state, checkpointed every 10 s.
# Millrace runs as a cluster: a driver, executors, a runner each, mutual TLS everywhere, results to Kafka exactly once. The peers run in
# one process each, without encryption, and keep their results to themselves. All run alternately R times over the same 4 partitions of
# a real broker on the same machine. Steady state (45 to 97 % of each run; of Millrace the processor time of the whole run); broker and producer are not counted.
# Passes when every record is counted once, and the medians' ratios are at least 3.5 (spark) and 2 (flink). Ends with
#   RESULT running_count cpu_s_per_million= spark_ratio= flink_ratio= … records_per_s= peak_mib=
set -euo pipefail
# shellcheck disable=SC2034
NAME=running_count
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/acceptance/lib.sh"
# shellcheck source=bench/lib.sh
source "$root/bench/lib.sh"

drain_data=keyed drain_job=running drain_records=20000000 drain_batch=2000000 drain_aim="spark=3.5 flink=2"
drain_wanted() { echo "$1"; }
drain "$@"
