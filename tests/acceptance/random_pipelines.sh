#!/usr/bin/env bash
# Random pipelines of 1 to 8 operations give what a naive model says, in process and on a cluster of real processes.
#
#   random_pipelines.sh [--in-process N] [--jobs J] [--per-job P] [--first SEED] [--no-kill]      (3000, 10, 40, 1)
#
# N programs run on the testing kit with random inputs, backends and losses. Then J jobs of P programs each run on a cluster of
# two executors; the batches are those that the cluster cut, which the job writes down beside its results; in every second job a
# runner gets SIGKILL on the way, and every third keeps its state in RocksDB. A program that fails is printed with the command
# that runs it again. Ends with
#   RESULT random_pipelines programs= mismatches=
set -euo pipefail
# shellcheck disable=SC2034
NAME=random_pipelines
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

in_process=3000 jobs=10 per_job=40 first=1 with_kill=1
while (($# > 0)); do
  case $1 in
    --in-process) in_process=${2:?} && shift ;;
    --jobs) jobs=${2:?} && shift ;;
    --per-job) per_job=${2:?} && shift ;;
    --first) first=${2:?} && shift ;;
    --no-kill) with_kill=0 ;;
    *)
      sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
  shift
done
failed_result="programs=0 mismatches=-1"
tool=$build_dir/tests/random_pipelines/millrace_random_pipelines
need_programs bin/millrace tests/random_pipelines/millrace_random_pipelines tests/random_pipelines/random_pipeline.so

programs=0 mismatches=0
count() {  # "programs=N mismatches=M"
  local n m
  read -r n m <<< "$(sed -E 's/programs=([0-9]+) mismatches=([0-9]+)/\1 \2/' <<< "$1")"
  programs=$((programs + n)) mismatches=$((mismatches + m))
}

if ((in_process > 0)); then
  "$tool" in-process --programs "$in_process" --first "$first" > "$work/in-process" || cat "$work/in-process"
  count "$(tail -n 1 "$work/in-process")"
  say "in process: $(tail -n 1 "$work/in-process")"
fi

ended() { job_is "$1" FINISHED || job_is "$1" FAILED; }
kills=0
if ((jobs > 0)); then start_cluster; fi
for ((j = 0; j < jobs; ++j)); do
  mapfile -t lines < <("$tool" generate --programs "$per_job" --first $((first + 1000000 + j * per_job)))
  joined=$(IFS=';' && echo "${lines[*]}")
  out=$work/job-$j
  mkdir -p "$out"
  disk=false
  if ((j % 3 == 2)); then disk=true; fi
  job=$(submit "$build_dir/tests/random_pipelines/random_pipeline.so" --name "pipelines-$j" --arg "programs=$joined" \
    --arg "output=$out" --arg "seed=$j" --arg "disk=$disk")
  if ((with_kill && j % 2 == 1)); then
    wait_until 60 has_records "$job" 200 || give_up "job $j does not run: $(job_field "$job" '.state, .error, .notice' | tr '\n' ' ')"
    on_cluster kill-runner "$job" $((1 + j / 2 % 2)) && kills=$((kills + 1))
  fi
  wait_until 300 ended "$job" || give_up "job $j does not end: $(job_field "$job" '.state, .notice' | tr '\n' ' ')"
  job_is "$job" FINISHED || give_up "job $j failed: $(job_field "$job" .error); programs: $joined"
  checks=()
  for line in "${lines[@]}"; do checks+=(--program "$line"); done
  "$tool" check "${checks[@]}" --input "$out" > "$work/check" || cat "$work/check"
  count "$(tail -n 1 "$work/check")"
  say "job $j (state on disk: $disk): $(tail -n 1 "$work/check"), $(job_field "$job" .batches_committed) batches, checkpoint of batch $(job_field "$job" .checkpoint_batch), $(job_field "$job" .runner_failures) runners lost"
  rm -rf --one-file-system "$out"
done
result "programs=$programs mismatches=$mismatches killed_runners=$kills"
((mismatches == 0 && programs > 0))
