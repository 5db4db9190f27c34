#!/usr/bin/env bash
# Files of checkpoints that nobody needs go away, and none that somebody needs.
#
#   checkpoint_garbage.sh [--store folder|s3]
#
# A job with state runs, loses its runner, and is stopped; a second job goes on from it (`submit --from`) while the first is being
# forgotten, and loses its runner while its state still stands on files of the first. Strange files are put beside the job's:
# one that looks like an orphan of an early checkpoint must go, one with a name of another form must stay. Passes when every key of
# the second job's output is right, of an ended job only the last checkpoint's files are left, and nothing of jobs that are forgotten.
# Ends with
#   RESULT checkpoint_garbage wrong= left=
set -euo pipefail
# shellcheck disable=SC2034
NAME=checkpoint_garbage
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

store=folder
take_options "store" "$@"
failed_result="wrong=-1 left=-1"
need_programs bin/millrace tests/jobs/large_state.so tests/tools/millrace_large_state_tool

keys=200000 rounds=4
files=$cluster_dir/checkpoints
# shellcheck disable=SC2034
cluster_options=(--executors 1 --memory 128MiB --driver-options "checkpoint_sweep=1s ended_jobs=1 checkpoints_kept=3")
if [[ $store == s3 ]]; then
  start_s3
  files=$work/s3/objects/test/checkpoints
fi
start_cluster
output=$work/output
mkdir -p "$output" "$work/second-output" "$work/other-output" "$work/last-output"

start() {  # NAME KEYS OUTPUT [options]
  local name=$1 how_many=$2 where=$3
  shift 3
  submit "$build_dir/tests/jobs/large_state.so" --name "$name" --arg "keys=$how_many" --arg "rounds=$rounds" --arg "output=$where" \
    --arg per_batch=20000 --arg checkpoint=1s "$@"
}
state_files() { find "$files/$1" -type f \( -name '*.base' -o -name '*.delta' \) 2> /dev/null || true; }  # JOB
count() { state_files "$@" | wc -l; }
has_checkpoint() { (($(job_field "$1" .checkpoint_batch || echo 0) >= $2)); }
is_gone() { [[ ! -e $1 ]]; }
is_forgotten() { ! millrace status "$1" > /dev/null 2>&1; }
has_nothing() { (($(count "$1") == 0)); }
# A partition's chain has one base; of older checkpoints there would be others.
has_one_checkpoint() { (($(state_files "$1" | grep -c '\.base$') == 4)); }

first=$(start first "$keys" "$output")
wait_until 60 has_checkpoint "$first" 6 || give_up "no checkpoint: $(job_field "$first" .notice)"
orphan=$files/$first/s1-p0-b1-00000000deadbeef-1.delta strange=$files/$first/notes.delta
cp "$(state_files "$first" | head -n 1)" "$orphan"
cp "$orphan" "$strange"
wait_until 20 is_gone "$orphan" || give_up "an orphan stays"
say "an orphan was deleted, $(count "$first") files are there"
on_cluster kill-runner "$first" 1
wait_until 30 has_checkpoint "$first" 12 || give_up "no checkpoint after the runner's death: $(job_field "$first" .notice)"
millrace stop "$first" > /dev/null
wait_until 30 job_is "$first" STOPPED || give_up "it does not stop: $(job_field "$first" '.state, .notice')"
wait_until 20 has_one_checkpoint "$first" || give_up "more than the last checkpoint is left: $(state_files "$first")"
say "stopped, $(count "$first") files are left"
[[ -e $strange ]] || give_up "a file with a name of another form was deleted"
rm "$strange"

second=$(start second "$keys" "$work/second-output" --from "$first")
other=$(start other 1000 "$work/other-output")
wait_until 60 job_is "$other" FINISHED || give_up "the small job does not end: $(job_field "$other" '.state, .notice')"
wait_until 10 is_forgotten "$first" || give_up "the first job is still remembered"
(($(count "$first") > 0)) || give_up "files of the first job are gone, which the second stands on"
on_cluster kill-runner "$second" 1
say "the first job is forgotten, $(count "$first") of its files are needed; the second's runner was killed"
wait_until 120 job_is "$second" FINISHED || give_up "the second job: $(job_field "$second" '.state, .error, .notice')"
# Batches are numbered on, so the files of both make one output.
cp -n "$work/second-output"/* "$output"
found=$("$build_dir/tests/tools/millrace_large_state_tool" "$keys" "$rounds" "$output") || give_up "$found"
say "$found"
wait_until 20 is_forgotten "$second" || give_up "the second job, submitted before the small one, is still remembered"

last=$(start last 1000 "$work/last-output")
wait_until 60 job_is "$last" FINISHED || give_up "the last job does not end: $(job_field "$last" '.state, .notice')"
for job in "$first" "$second" "$other"; do  # all but the last one that ended
  wait_until 30 has_nothing "$job" || give_up "left of a forgotten job: $(state_files "$job")"
done
left=0
for job in "$first" "$second" "$other"; do left=$((left + $(count "$job"))); done
result "wrong=${found##*wrong=} left=$left"
[[ $found == *wrong=0 ]] && ((left == 0))
