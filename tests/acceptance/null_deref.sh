#!/usr/bin/env bash
# A job whose lambda reads through a null pointer takes down no driver, no executor and no other job, and whoever submitted it is
# told which operator, which batch and which signal.
#
#   null_deref.sh [--seconds N]     how long the neighbour's job runs (15)
#
# Ends with RESULT null_deref crashes= told= neighbour_records= neighbour_mismatches=, where told is 1 when operator, batch and
# signal were named.
set -euo pipefail
# shellcheck disable=SC2034
NAME=null_deref
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

seconds=15
if [[ ${1:-} == --seconds ]]; then seconds=${2:?}; fi
rate=2000
failed_result="crashes=-1 told=0 neighbour_records=0 neighbour_mismatches=-1"
need_programs bin/millrace examples/word_count.so tests/jobs/null_deref.so tests/tools/millrace_text_tool

pids() { for what in driver 'executor 1' 'executor 2' "runner $neighbour 1" "runner $neighbour 2"; do
  # shellcheck disable=SC2086
  on_cluster pid $what || echo "gone: $what"
done; }

start_cluster
neighbour=$(submit "$build_dir/examples/word_count.so" --arg "rate=$rate" --arg "count=$((rate * seconds))" --arg "out=$work/counts")
wait_until 20 has_records "$neighbour" 1 || give_up "the neighbour's job does not start"
before=$(pids)

status=0
millrace submit "$build_dir/tests/jobs/null_deref.so" --wait > "$work/id" 2> "$work/words" || status=$?
cat "$work/words"
((status == 8)) || give_up "submit --wait ended with $status, not with 8 (the job failed)"
bad=$(cat "$work/id")
error=$(job_field "$bad" .error)
told=1
for word in 'Map at null_deref.cc:' SIGSEGV 'in batch '; do
  if grep -qF -- "$word" <<< "$error" && grep -qF -- "$word" "$work/words"; then continue; fi
  told=0
  say "not told: $word"
done
crashes=$(job_field "$bad" .runner_failures)

after=$(pids)
[[ $before == "$after" ]] || give_up "processes have changed: before $(tr '\n' ' ' <<< "$before"), after $(tr '\n' ' ' <<< "$after")"
wait_until $((seconds + 30)) job_is "$neighbour" FINISHED || give_up "the neighbour's job did not finish: $(job_field "$neighbour" .state)"
[[ $(job_field "$neighbour" .runner_failures) == 0 ]] || give_up "the neighbour's job has lost runners"
records=$(job_field "$neighbour" .records)
sum_counts "$work/counts" > "$work/actual"
"$build_dir/tests/tools/millrace_text_tool" counts $((rate * seconds)) 1 | sort > "$work/expected"
compare_counts "$work/expected" "$work/actual"
result "crashes=$crashes told=$told neighbour_records=$records neighbour_mismatches=$((lost + duplicated))"
((told == 1 && crashes > 0 && lost + duplicated == 0 && records == rate * seconds))
