#!/usr/bin/env bash
# WordCount over a backlog in Kafka: processor time per million lines of all processes of a system, beside peers.
#
#   bench.sh wordcount [--peers spark,flink,structured] [--lines N] [--runs R] [--executors N] [--interval D]
#                                                          (no peers, 12000000, 3, 2, 1s)
#
# Lines of ten words, Zipf over a vocabulary of 100,000, about 64 bytes.
# Millrace runs as a cluster: a driver, executors, a runner each, mutual TLS everywhere, results to Kafka exactly once. The peers run in
# one process each, without encryption, and keep their results to themselves. All run alternately R times over the same 4 partitions of
# a real broker on the same machine. Steady state (45 to 97 % of each run; of Millrace the processor time of the whole run); broker and producer are not counted.
# Passes when every word is counted once, and the medians' ratios are at least 4 (spark) and 7 (flink). Ends with
#   RESULT wordcount cpu_s_per_million= spark_ratio= flink_ratio= … lines_per_s= peak_mib=
set -euo pipefail
# shellcheck disable=SC2034
NAME=wordcount
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/acceptance/lib.sh"
# shellcheck source=bench/lib.sh
source "$root/bench/lib.sh"

drain_data=lines drain_job=wordcount drain_records=12000000 drain_batch=1000000 drain_aim="spark=4 flink=7" drain_rate_name=lines_per_s
drain_wanted() { echo $(($1 * 10)); }
drain "$@"
