#!/usr/bin/env bash
# From `millrace submit` to the commit of the first batch, process start of the client and upload included.
#
#   bench.sh submit [--runs R] [--executors N] [--max MS]          (10, 2, 1000)
#
# The word count of generated lines, batches of 100 ms, on a cluster that runs already: the library is uploaded once, so the
# first run has the upload of its 1 to 2 MB, and the others find it there, as a second start does. Each ends when the job tells of a
# committed batch with records. Passes when the worst took at most MS. Ends with
#   RESULT submit first_ms= median_ms= worst_ms=
set -euo pipefail
# shellcheck disable=SC2034
NAME=submit
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/acceptance/lib.sh"
# shellcheck source=bench/lib.sh
source "$root/bench/lib.sh"

runs=10 executors=2 max=1000
take_options "runs executors max" "$@"
failed_result="worst_ms=-1"
need_programs bin/millrace examples/word_count.so
cluster_options=(--executors "$executors")
start_cluster > /dev/null

for ((run = 1; run <= runs; ++run)); do
  begun=$(now_ms)
  job=$(submit "$build_dir/examples/word_count.so" --batch-interval 100ms)
  until has_records "$job" 1; do
    (($(now_ms) < begun + 20000)) || give_up "no batch is committed: $(job_field "$job" '.state, .notice, .error' | tr '\n' ' ')"
  done
  took=$(($(now_ms) - begun))
  printf 'run %2d   %5d ms\n' "$run" "$took"
  echo "$took" >> "$work/took"
  millrace stop "$job" --now > /dev/null 2>&1 || true
  wait_until 30 job_is "$job" STOPPED || give_up "the job does not stop"
done
worst=$(sort -n "$work/took" | tail -n 1)
result "first_ms=$(head -n 1 "$work/took") median_ms=$(median < "$work/took") worst_ms=$worst"
((worst <= max))
