#!/usr/bin/env bash
# Files of a checkpoint are damaged or lost while a job runs, and its runner is killed, so that it must read them.
#
#   damaged_checkpoint.sh [--keys N] [--rounds R] [--store folder|s3] [CASE…]       (200000, 4, folder; all cases)
#
# Cases: `newest` (a byte flipped in what the newest checkpoint has added), `short` (the same cut in half), `missing` (the same
# removed), `base` (a byte flipped in what several checkpoints stand on), `merged` (a base flipped, and no runner killed: it is found
# when the next base is made), `memory` (as newest, with state in memory), `two` (newest, with two executors, and the driver killed
# right after), `last` (all files flipped, and only two checkpoints kept). In all but the last the job goes on from an older checkpoint, and
# a tool that shares no code with Millrace finds every key once with the right count and sum. In `last` the job ends and names the
# file. Ends with
#   RESULT damaged_checkpoint cases= passed= passed_over=
set -euo pipefail
# shellcheck disable=SC2034
NAME=damaged_checkpoint
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

keys=200000 rounds=4 store=folder
cases=()
while (($# > 0)); do
  case $1 in
    --keys) keys=${2:?} && shift ;;
    --rounds) rounds=${2:?} && shift ;;
    --store) store=${2:?} && shift ;;
    newest | short | missing | base | merged | memory | two | last) cases+=("$1") ;;
    *)
      sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
  shift
done
((${#cases[@]} > 0)) || cases=(newest short missing base merged memory two last)
passed=0 passed_over=0
failed_result="cases=${#cases[@]} passed=0 passed_over=0"
need_programs bin/millrace tests/jobs/large_state.so tests/tools/millrace_large_state_tool

flip() {  # FILE
  local size at byte
  size=$(stat -c %s "$1")
  at=$((size / 2))
  byte=$(od -An -tu1 -j "$at" -N 1 "$1")
  # shellcheck disable=SC2059
  printf "\\x$(printf '%x' $((byte ^ 16)))" | dd of="$1" bs=1 seek="$at" conv=notrunc status=none
}
cut_in_half() { truncate -s $(($(stat -c %s "$1") / 2)) "$1"; }

files_of() {  # JOB PATTERN: the newest first
  find "$files/$1" -type f -name "$2" -printf '%T@ %p\n' 2> /dev/null | sort -rn | cut -d' ' -f2
}
# What the newest checkpoint has added; a delta, for another checkpoint must do without it.
newest_delta() {  # JOB
  local batch=0 found=''
  for _ in $(seq 200); do
    batch=$(job_field "$1" .checkpoint_batch)
    found=$(files_of "$1" "s*-b$batch-*.delta" | head -n 1)
    if [[ -n $found ]]; then echo "$found" && return; fi
    sleep 0.1
  done
  return 1
}
# A base on which the newest checkpoint stands.
newest_base() {  # JOB
  local batch file
  batch=$(job_field "$1" .checkpoint_batch)
  while read -r file; do
    [[ ${file##*/} =~ -b([0-9]+)- ]] && ((BASH_REMATCH[1] <= batch)) && echo "$file" && return
  done < <(files_of "$1" '*.base')
  return 1
}
has_checkpoints() { (($(files_of "$1" '*.delta' | wc -l) >= $2)); }

start_case_cluster() {  # CASE
  local executors=1 kept=10
  if [[ $1 == two ]]; then executors=2; fi
  if [[ $1 == last ]]; then kept=2; fi
  # shellcheck disable=SC2034
  cluster_options=(--executors "$executors" --memory 128MiB --driver-options "checkpoints_kept=$kept")
  cluster_dir=$work/$1
  files=$cluster_dir/checkpoints
  if [[ $store == s3 ]]; then
    if ((${#s3_options[@]} == 0)); then start_s3; fi
    cluster_options+=(--checkpoints "s3://test/$1" --s3-endpoint "http://127.0.0.1:${s3_options[1]}")
    files=$work/s3/objects/test/$1
  fi
  start_cluster
}

passes_over() { (($(job_field "$1" .checkpoints_passed_over || echo 0) > 0)); }

damage() {  # CASE JOB
  local file
  case $1 in
    base | merged) file=$(newest_base "$2") || give_up "$1: no base was found" ;;
    *) file=$(newest_delta "$2") || give_up "$1: no file of the newest checkpoint was found" ;;
  esac
  case $1 in
    last) for file in $(files_of "$2" '*-b*'); do flip "$file"; done ;;
    missing) rm "$file" ;;
    short) cut_in_half "$file" ;;
    *) flip "$file" ;;
  esac
  damaged=${file##*/}
  say "$1: $damaged, $(stat -c %s "$file" 2> /dev/null || echo 0) bytes, when $(job_field "$2" .records) records were through"
  if [[ $1 != merged ]]; then on_cluster kill-runner "$2" 1; fi
}

run_case() {  # CASE
  local job disk=true found error
  start_case_cluster "$1"
  if [[ $1 == memory ]]; then disk=false; fi
  mkdir -p "$work/$1-output"
  job=$(submit "$build_dir/tests/jobs/large_state.so" --arg "keys=$keys" --arg "rounds=$rounds" \
    --arg "output=$work/$1-output" --arg per_batch=20000 --arg checkpoint=1s --arg "disk=$disk")
  wait_until 60 has_checkpoints "$job" 3 || give_up "$1: no checkpoints: $(job_field "$job" .notice)"
  damage "$1" "$job"
  if [[ $1 == two ]]; then
    wait_until 30 passes_over "$job" || give_up "two: nothing was passed over: $(job_field "$job" '.state, .notice')"
    on_cluster kill-driver && on_cluster start-driver
  fi
  wait_until 200 has_ended "$job" || give_up "$1: the job did not end: $(job_field "$job" '.state, .notice' | tr '\n' ' ')"
  error=$(job_field "$job" .error)
  if [[ $1 == last ]]; then
    [[ $(job_field "$job" .state) == JOB_STATE_FAILED && $error == *"/$job/s1-"*" is damaged"* && $error == *checkpoints_kept* ]] \
      || give_up "last: the job ended otherwise: $error"
    say "last: $error"
  else
    job_is "$job" FINISHED || give_up "$1: the job failed: $error"
    if [[ $1 != two ]]; then
      passes_over "$job" || give_up "$1: the damage was not found"
      passed_over=$((passed_over + $(job_field "$job" .checkpoints_passed_over)))
    fi
    found=$("$build_dir/tests/tools/millrace_large_state_tool" "$keys" "$rounds" "$work/$1-output") || give_up "$1: $found"
    say "$1: $found"
  fi
  on_cluster stop
  passed=$((passed + 1))
  failed_result="cases=${#cases[@]} passed=$passed passed_over=$passed_over"
}

has_ended() { job_is "$1" FINISHED || job_is "$1" FAILED || job_is "$1" STOPPED; }

for one in "${cases[@]}"; do run_case "$one"; done
result "cases=${#cases[@]} passed=$passed passed_over=$passed_over"
((passed == ${#cases[@]}))
