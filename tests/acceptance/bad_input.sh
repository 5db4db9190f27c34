#!/usr/bin/env bash
# Bad input gets a clear error and costs nobody else anything. Every case gives the cluster something bad, checks the words and the
# exit status that come back, and then that the driver, both executors and a neighbour's job live on as if nothing had been; the
# neighbour's counts are compared with those of an independent program at the end.
#
#   bad_input.sh [GROUP...]        library upload tls start disk kafka; all of them if none is named
#
# The cases are in bad_input/GROUP.sh. Ends with RESULT bad_input cases= failed=
set -euo pipefail
# shellcheck disable=SC2034  # much is used by lib.sh and the groups
NAME=bad_input
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

groups=("$@")
((${#groups[@]} > 0)) || groups=(library upload tls start disk kafka)
failed_result="cases=0 failed=1"
need_programs bin/millrace examples/word_count.so examples/kafka_word_count.so tests/jobs/no_output.so tests/jobs/not_a_job.so \
  tests/tools/millrace_text_tool tests/tools/millrace_peer_tool

cases=0 failed=0 skipped=0
case_name='' case_problem=''

begin() {  # NAME
  case_name=$1 case_problem=''
  cases=$((cases + 1))
}
bad() {  # WHY
  case_problem=1
  say "  $case_name: $1"
}
end() {
  check_cluster
  if [[ -n $case_problem ]]; then
    failed=$((failed + 1))
    say "FAILED  $case_name"
  else
    say "ok      $case_name"
  fi
}
skip() {  # NAME WHY
  skipped=$((skipped + 1))
  say "SKIPPED $1: $2"
  if [[ ${MILLRACE_REQUIRE_SERVERS:-0} == 1 ]]; then failed=$((failed + 1)); fi
}

# Whether the last output says a word; notes it if not.
says() {  # WORD...
  local word
  for word in "$@"; do
    grep -qF -- "$word" "$work/said" || bad "it does not say '$word', but: $(head -c 600 "$work/said" | tr '\n' '|')"
  done
}
# Runs a command that must end with a status and say some words.
expect() {  # STATUS WORD... -- COMMAND...
  local wanted=$1 status=0 words=()
  shift
  while [[ $1 != -- ]]; do
    words+=("$1")
    shift
  done
  shift
  timeout 60 "$@" > "$work/said" 2>&1 < /dev/null || status=$?
  ((status == wanted)) || bad "it ended with $status, not with $wanted: $(head -c 400 "$work/said" | tr '\n' '|')"
  says "${words[@]}"
}

# ---- the neighbour: a bounded job that is always running, with known output ----

neighbour='' neighbours=0 neighbour_lines=10000
start_neighbour() {
  neighbours=$((neighbours + 1))
  neighbour=$(submit "$build_dir/examples/word_count.so" --name "neighbour-$neighbours" --arg rate=500 \
    --arg "count=$neighbour_lines" --arg "out=$work/neighbour-$neighbours")
  wait_until 20 has_records "$neighbour" 1 || give_up "the neighbour's job does not start: $(job_field "$neighbour" .notice)"
}
check_neighbour_output() {
  sum_counts "$work/neighbour-$neighbours" > "$work/actual"
  compare_counts "$work/expected" "$work/actual"
  ((lost + duplicated == 0)) || bad "the neighbour's job has lost $lost words and has $duplicated too many"
}
check_cluster() {
  [[ $(pids) == "$pids_at_start" ]] || bad "processes have changed: $(pids | tr '\n' ' ') instead of $(tr '\n' ' ' <<< "$pids_at_start")"
  [[ $(job_field "$neighbour" .runner_failures) == 0 ]] || bad "the neighbour's job has lost runners"
  case $(job_field "$neighbour" .state) in
    JOB_STATE_RUNNING) ;;
    JOB_STATE_FINISHED)
      check_neighbour_output
      start_neighbour
      ;;
    *) bad "the neighbour's job is $(job_field "$neighbour" .state): $(job_field "$neighbour" .error)" ;;
  esac
}
pids() {
  on_cluster pid driver || echo gone
  on_cluster pid executor 1 || echo gone
  on_cluster pid executor 2 || echo gone
}
live_jobs() { millrace list -o json | jq -r '[.jobs[].id] | sort | join(" ")'; }

# ---- all of it ----

# shellcheck disable=SC2034
{
  jobs_dir=$build_dir/tests/jobs
  good=$build_dir/examples/word_count.so
  peer=$build_dir/tests/tools/millrace_peer_tool
}
start_cluster
pids_at_start=$(pids)
"$build_dir/tests/tools/millrace_text_tool" counts "$neighbour_lines" 1 | sort > "$work/expected"
start_neighbour
for group in "${groups[@]}"; do
  [[ -f $root/tests/acceptance/bad_input/$group.sh ]] || give_up "there is no group '$group'"
  # shellcheck source=/dev/null
  source "$root/tests/acceptance/bad_input/$group.sh"
done

begin "the neighbour's job ends with the right counts"
wait_until 60 job_is "$neighbour" FINISHED || bad "it is $(job_field "$neighbour" .state)"
check_neighbour_output
if [[ -z $case_problem ]]; then say "ok      $case_name"; else failed=$((failed + 1)); fi
result "cases=$cases failed=$failed skipped=$skipped"
((failed == 0))
