#!/usr/bin/env bash
# State much larger than the memory budget works: RocksDB holds it, every key is right, and the runner stays small.
#
#   large_state.sh [--keys N] [--rounds R] [--budget SIZE] [--peak-max MIB] [--per-batch N] [--checkpoint TIME] [--kill]
#                  [--store folder|s3]                              (10000000, 1, 256MiB, 512, 200000, 10s, folder)
#
# One executor with that budget. The job touches every key R times and reads it once; with --kill the runner gets SIGKILL half
# way, after a first checkpoint, and its successor restores the state from the last checkpoint; with --store s3
# checkpoints are in a real S3 server, which is away for some seconds when the state is to be restored. Passes when a tool that shares no code with Millrace finds
# every key once with the right count and sum, and no runner was ever larger than --peak-max (VmHWM: the budget, and the program,
# its threads and the records on their way, which are no part of it). Ends with
#   RESULT large_state keys= wrong= peak_mib=
set -euo pipefail
# shellcheck disable=SC2034
NAME=large_state
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

keys=10000000 rounds=1 budget=256MiB peak_max=512 per_batch=200000 checkpoint=10s with_kill=0 store=folder
while (($# > 0)); do
  case $1 in
    --keys) keys=${2:?} && shift ;;
    --rounds) rounds=${2:?} && shift ;;
    --budget) budget=${2:?} && shift ;;
    --peak-max) peak_max=${2:?} && shift ;;
    --per-batch) per_batch=${2:?} && shift ;;
    --checkpoint) checkpoint=${2:?} && shift ;;
    --store) store=${2:?} && shift ;;
    --kill) with_kill=1 ;;
    *)
      sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
  shift
done
failed_result="keys=0 wrong=-1 peak_mib=0"
need_programs bin/millrace tests/jobs/large_state.so tests/tools/millrace_large_state_tool

# shellcheck disable=SC2034
cluster_options=(--executors 1 --memory "$budget")
if [[ $store == s3 ]]; then start_s3; fi
start_cluster
output=$work/output
mkdir -p "$output"
begun=$(now_ms)
job=$(submit "$build_dir/tests/jobs/large_state.so" --arg "keys=$keys" --arg "rounds=$rounds" --arg "output=$output" \
  --arg "per_batch=$per_batch" --arg "checkpoint=$checkpoint")

peak_kib=0
watch_peak() {
  local pid kib
  pid=$(on_cluster pid runner "$job" 1 2> /dev/null) || return 0
  kib=$(awk '/^VmHWM/ {print $2}' "/proc/$pid/status" 2> /dev/null) || return 0
  if ((${kib:-0} > peak_kib)); then peak_kib=$kib; fi
}
killed=0
# The job waits for its store, and says so.
complains() { [[ $(job_field "$job" .notice) == *"check the endpoint"* ]]; }
wait_for_complaint() {
  wait_until 60 complains || give_up "the job does not say that its store is away: $(millrace status "$job" -o json --batches 1)"
  say "the store is away, and the job says: $(job_field "$job" .notice | head -c 200)"
  "$s3" start "${s3_options[@]}"
}
ended() {
  watch_peak
  local state records
  state=$(job_field "$job" .state)
  [[ $state == JOB_STATE_FINISHED || $state == JOB_STATE_FAILED ]] && return 0
  if ((with_kill && !killed)); then
    records=$(job_field "$job" .records || echo 0)
    if ((${records:-0} > keys * rounds * 6 / 10)) && (($(job_field "$job" .checkpoint_batch || echo 0) > 0)); then
      if [[ $store == s3 ]]; then "$s3" kill "${s3_options[@]}"; fi
      on_cluster kill-runner "$job" 1 && killed=1
      if [[ $store == s3 ]]; then wait_for_complaint; fi
      say "killed the runner after $records records, checkpoint of batch $(job_field "$job" .checkpoint_batch)"
    fi
  fi
  return 1
}
wait_until 1500 ended || give_up "the job did not end: $(job_field "$job" '.state, .notice' | tr '\n' ' ')"
[[ $(job_field "$job" .state) == JOB_STATE_FINISHED ]] || give_up "the job failed: $(job_field "$job" .error)"
millrace status "$job" --batches 3
say "$((keys * (rounds + 1))) records in $((($(now_ms) - begun) / 1000)) s, with starting and ending"
if ((with_kill && !killed)); then give_up "the job was over before the runner was killed"; fi

found=$("$build_dir/tests/tools/millrace_large_state_tool" "$keys" "$rounds" "$output") && right=1 || right=0
peak=$((peak_kib / 1024))
result "$found peak_mib=$peak"
((right && peak > 0 && peak <= peak_max))
