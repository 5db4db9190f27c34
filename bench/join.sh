#!/usr/bin/env bash
# Two Kafka topics joined by event time: each bid with its auction, within 10 s of its beginning. Processor time per million records.
#
#   bench.sh join [--peers flink] [--records N] [--runs R] [--executors N] [--interval D]          (no peers, 8000000, 3, 2, 1s)
#
# N bids in one topic, and the auctions they are for in another (tools/nexmark_events.h), joined by auction. How many pairs there are is
# compared with what awk counts. Both topics' records count. Else everything is as in the other drains. Passes when
# every pair was found once and Flink takes no less processor time. Ends with
#   RESULT join cpu_s_per_million= flink_ratio= … records_per_s= peak_mib=
set -euo pipefail
# shellcheck disable=SC2034
NAME="join"
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/acceptance/lib.sh"
# shellcheck source=bench/lib.sh
source "$root/bench/lib.sh"

drain_data=bids drain_job=join drain_records=8000000 drain_batch=1000000 drain_aim="flink=1" drain_library=nexmark drain_agrees=1
drain_topics=input,auctions
drain_arguments=(--arg query=join --arg auctions=auctions)
auctions_of() {  # BIDS; of 50 events 46 are bids, and 3 auctions
  local epochs=$((($1 + 45) / 46))
  echo $((epochs * 3))
}
drain_total() { echo $(($1 + $(auctions_of "$1"))); }
drain_more() {  # BIDS
  "$kafka" topic auctions 4 "${kafka_options[@]}" > /dev/null
  "$build_dir/bench/millrace_bench_gen" auctions "$(auctions_of "$1")" --topic auctions --brokers "$brokers" || give_up "the auctions could not be sent"
}
drain_wanted() {  # BIDS
  {
    "$build_dir/bench/millrace_bench_gen" auctions "$(auctions_of "$1")"
    "$build_dir/bench/millrace_bench_gen" bids "$1"
  } 2> /dev/null | awk -F, -v query=join -f "$root/bench/nexmark_oracle.awk"
}
drain "$@"
