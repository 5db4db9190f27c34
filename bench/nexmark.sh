#!/usr/bin/env bash
# Queries of Nexmark over a backlog in Kafka: processor time per million events, beside peers.
#
#   bench.sh nexmark [--queries 1,2,5,7,8] [--peers spark,flink] [--records N] [--runs R] [--executors N] [--interval D]
#                                                          (1,2,5,7,8, no peers, 8000000, 3, 2, 1s)
#
# Persons, auctions and bids, 1 : 3 : 46, 10,000 a second of event time (tools/nexmark_events.h). 1: prices in another currency. 2: bids
# for some auctions. 5: the most bids for an auction in the last 10 s, each 2 s. 7: the highest bid of each 10 s. 8: who became a seller in
# the 10 s in which he registered. What the results add up to is compared with what awk makes of the same events
# (nexmark_oracle.awk), and so are the peers', which may lack the windows that were open when they were ended. Spark Streaming, which has no
# event time, takes part in 1 and 2.
# Millrace runs as a cluster with mutual TLS and writes to Kafka exactly once; else everything is as in the other drains. Passes when all
# results are right and no peer takes less processor time. Ends with
#   RESULT nexmark q1_cpu= q1_flink_ratio= q1_spark_ratio= q2_cpu= …
set -euo pipefail
# shellcheck disable=SC2034
NAME=nexmark
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/acceptance/lib.sh"
# shellcheck source=bench/lib.sh
source "$root/bench/lib.sh"

queries=1,2,5,7,8 peers_wanted='' one='' rest=()
while (($# > 0)); do
  case $1 in
    --queries) queries=${2:?} && shift ;;
    --peers) peers_wanted=${2:?} && shift ;;
    --one) one=${2:?} && shift ;;  # within this script: a single query
    *) rest+=("$1") ;;
  esac
  shift
done

if [[ -n $one ]]; then
  drain_data=nexmark drain_job=nexmark$one drain_records=8000000 drain_batch=1000000 drain_aim="spark=1 flink=1" drain_agrees=1
  drain_arguments=(--arg "query=$one")
  drain_wanted() { "$build_dir/bench/millrace_bench_gen" nexmark "$1" 2> /dev/null | awk -F, -v "query=$one" -f "$root/bench/nexmark_oracle.awk"; }
  drain ${peers_wanted:+--peers "$peers_wanted"} "${rest[@]}"
  exit
fi

figures='' passed=1
IFS=, read -ra all <<< "$queries"
for query in "${all[@]}"; do
  peers_here=$peers_wanted
  case $query in 1 | 2) ;; *) peers_here=$(tr ',' '\n' <<< "$peers_wanted" | grep -vx spark | paste -sd,) ;; esac
  echo "query $query"
  "$0" --one "$query" ${peers_here:+--peers "$peers_here"} "${rest[@]}" > "$work/one" || passed=0
  cat "$work/one"
  figures+=$(sed -nE '$s/^RESULT nexmark //p' "$work/one" | tr ' ' '\n' | sed -nE "s/^cpu_s_per_million=/q${query}_cpu=/p; s/^(flink|spark)_ratio=/q${query}_\1_ratio=/p" | sed 's/^/ /' | tr -d '\n')
done
result "${figures# }"
((passed))
