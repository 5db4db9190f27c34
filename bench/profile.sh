#!/usr/bin/env bash
# Where a runner's time goes while it works off a backlog: a flame graph, as an SVG.
#
#   bench.sh profile [--job wordcount|running_count|ysb] [--records N] [--out FILE.svg]          (wordcount, 16000000, profile.svg)
#
# The job runs as in its benchmark; `perf` (Debian: linux-perf) samples one runner 1,000 times a second, with call stacks from debug
# information, for six seconds in the middle. Ends with
#   RESULT profile samples= librdkafka_share= allocation_share= job_share=
# the shares of samples with a function of librdkafka, of the allocator, or of the job's library on the stack.
set -euo pipefail
# shellcheck disable=SC2034
NAME=profile
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/acceptance/lib.sh"
# shellcheck source=bench/lib.sh
source "$root/bench/lib.sh"

job_name=wordcount records=16000000 out=profile.svg
while (($# > 0)); do
  case $1 in
    --job) job_name=${2:?} && shift ;;
    --records) records=${2:?} && shift ;;
    --out) out=${2:?} && shift ;;
    *)
      sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
  shift
done
failed_result="samples=0"
case $job_name in wordcount) kind=lines ;; running_count) kind=keyed ;; ysb) kind=ysb ;; *) give_up "there is no job '$job_name'" ;; esac
need_programs bin/millrace "bench/$job_name.so" bench/millrace_bench_gen
command -v perf > /dev/null || give_up "there is no perf here: apt-get install linux-perf"
start_kafka
"$kafka" topic input 4 "${kafka_options[@]}" > /dev/null
"$kafka" topic output 4 "${kafka_options[@]}" > /dev/null
"$build_dir/bench/millrace_bench_gen" "$kind" "$records" --topic input --brokers "$brokers" || give_up "the data could not be sent"
cluster_options=(--executors 2 --slots 1 --memory 512MiB)
start_cluster > /dev/null
job=$(submit "$build_dir/bench/$job_name.so" --arg "brokers=$brokers" --arg in=input --arg out=output)
wait_until 30 has_records "$job" 1 || give_up "the job does not run: $(job_field "$job" '.notice, .error')"
perf record -q -F 999 -g --call-graph dwarf,16384 -p "$(on_cluster pid runner "$job" 1)" -o "$work/perf.data" -- sleep 6 2> "$work/perf.err" \
  || give_up "perf: $(tail -n 2 "$work/perf.err")"
perf script -i "$work/perf.data" 2> /dev/null > "$work/stacks"
"$root/bench/tools/flame_graph.py" "One runner, $job_name over a backlog in Kafka" < "$work/stacks" > "$out"
say "written to $out"
result "$(awk -v job="$job_name.so" 'BEGIN {RS = ""}
  {++n; if (/librdkafka/) ++kafka; if (/mi_|malloc|libmimalloc/) ++alloc; if (/\/artifacts\/|job-lib|\.so\.job|'"$job_name"'/) ++code}
  END {printf "samples=%d librdkafka_share=%.2f allocation_share=%.2f job_share=%.2f", n, kafka / n, alloc / n, code / n}' "$work/stacks")"
