#!/usr/bin/env bash
# The parts on a record's way, each alone: nanoseconds a record of words, hashes, tables, blocks, and a whole map task.
#
#   bench.sh micro [--repetitions N] [options of Google Benchmark]          (5)
#
# Medians of N repetitions. SplitLine and WordCountMapTask count lines of ten words; the others words or records. The number behind a name is
# how many keys there are. Ends with
#   RESULT micro NAME=NANOSECONDS …
set -euo pipefail
# shellcheck disable=SC2034
NAME=micro
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/acceptance/lib.sh"

repetitions=5
if [[ ${1:-} == --repetitions ]]; then repetitions=${2:?} && shift 2; fi
((repetitions >= 2)) || give_up "a median needs at least two repetitions"
need_programs bench/millrace_micro
"$build_dir/bench/millrace_micro" --benchmark_repetitions="$repetitions" --benchmark_report_aggregates_only=true --benchmark_out="$work/out.json" \
  --benchmark_out_format=json "$@" > "$work/table" || give_up "$(tail -n 3 "$work/table")"
figures=$(jq -r '.benchmarks[] | select(.aggregate_name == "median") | "\(.run_name | gsub("/"; "_"))=\(1e9 / .items_per_second * 10 | round / 10)"' "$work/out.json")
tr '=' ' ' <<< "$figures" | awk '{printf "%-28s %10.1f ns\n", $1, $2}'
[[ -n $figures ]] || give_up "there are no figures"
result "$(tr '\n' ' ' <<< "$figures" | sed 's/ $//')"
