#!/usr/bin/env bash
# The Yahoo Streaming Benchmark over a backlog in Kafka: processor time per million events, beside peers.
#
#   bench.sh ysb [--peers spark,flink] [--records N] [--runs R] [--executors N] [--interval D]       (no peers, 8000000, 3, 2, 1s)
#
# JSON events of 240 bytes: views are kept, their ads joined to campaigns, and counted by campaign and window of ten seconds.
# Millrace runs as a cluster: a driver, executors, a runner each, mutual TLS everywhere, results to Kafka exactly once. The peers run in
# one process each, without encryption, and keep their results to themselves. All run alternately R times over the same 4 partitions of
# a real broker on the same machine. Steady state (45 to 97 % of each run; of Millrace the processor time of the whole run); broker and producer are not counted.
# Passes when the views add up, and the medians' ratios are at least 2.2 (both). Ends with
#   RESULT ysb cpu_s_per_million= spark_ratio= flink_ratio= … records_per_s= peak_mib=
set -euo pipefail
# shellcheck disable=SC2034
NAME=ysb
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/acceptance/lib.sh"
# shellcheck source=bench/lib.sh
source "$root/bench/lib.sh"

drain_data=ysb drain_job=ysb drain_records=8000000 drain_batch=500000 drain_aim="spark=2.2 flink=2.2"
drain_wanted() { "$build_dir/bench/millrace_bench_gen" ysb "$1" 2> /dev/null | grep -c '"event_type":"view"'; }
drain "$@"
