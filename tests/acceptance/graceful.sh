#!/usr/bin/env bash
# Ends in order: what has been received is processed, nothing is lost and nothing comes twice, and everybody is told how far it is.
#
#   graceful.sh [PART…] [--lines N]        (drain executor driver savepoint deadline; 200000)
#
#   drain      a receiver holds N lines that no batch has taken yet: stop --drain ends the job when every line is in a file, once
#   executor   SIGTERM to each of three executors in turn, one of them with a receiver that holds lines: its partitions are elsewhere and
#              it ends by itself, in time; no runner is lost, no task runs again, and batches go on
#   driver     SIGTERM to the driver, and a new one: the runners are the same processes, and the job goes on
#   savepoint  a savepoint's batch is printed; after stop --now another job goes on from a savepoint, with state and positions that fit
#   deadline   a drain that cannot end ends at its deadline, says what is unfinished, and another job goes on from there
#
# The jobs with state end themselves when a key has lost a record or has one twice (bench/jobs/recovery.cc). Ends with
#   RESULT graceful parts= lost= duplicated= leave_ms= worst_batch_ms=
# where leave_ms is the longest that an executor took to leave, and worst_batch_ms the longest that a batch took meanwhile.
set -euo pipefail
# shellcheck disable=SC2034
NAME=graceful
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

lines=200000 parts=()
while (($# > 0)); do
  case $1 in
    --lines) lines=${2:?} && shift ;;
    drain | executor | driver | savepoint | deadline) parts+=("$1") ;;
    *)
      sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
  shift
done
((${#parts[@]} > 0)) || parts=(drain executor driver savepoint deadline)
failed_result="parts=0 lost=-1 duplicated=-1 leave_ms=-1 worst_batch_ms=-1"
need_programs bin/millrace bench/recovery.so tests/jobs/received_lines.so tests/tools/millrace_line_server tests/tools/millrace_text_tool
cluster_options=(--executors 3)
start_cluster
lost=0 duplicated=0 leave_ms=0 worst_batch_ms=0

# ---- lines through a receiver ----

# Starts a sender and a job that receives from it; the lines are on this machine when it returns. Sets job and output.
receive() {  # NAME INTERVAL
  local at
  at=$(free_port)
  output=$work/$1
  mkdir -p "$output"
  "$build_dir/tests/tools/millrace_text_tool" lines "$lines" 7 > "$work/lines"
  "$build_dir/tests/tools/millrace_line_server" "$at" < "$work/lines" > "$work/$1.server" &
  at_end+=("kill $!")
  wait_until 5 grep -q listening "$work/$1.server" || give_up "no server of lines"
  job=$(submit "$build_dir/tests/jobs/received_lines.so" --name "$1" --arg "port=$at" --arg "output=$output" --arg "interval=$2")
  wait_until 60 grep -q sent "$work/$1.server" || give_up "the lines are not received: $(job_field "$job" .notice)"
}

# Adds to lost and duplicated how many lines are too few and too many in the files.
count_lines() {
  local l d
  read -r l d < <(diff <(sort "$work/lines") <(find "$output" -maxdepth 1 -name '*.txt' -print0 | xargs -0 -r cat | sort) \
    | awk '/^</ {l++} /^>/ {d++} END {print l + 0, d + 0}')
  say "$lines lines received, $l lost, $d duplicated"
  lost=$((lost + l)) duplicated=$((duplicated + d))
}

part_drain() {
  local before
  receive drained 4s
  before=$(job_field "$job" .records)
  millrace stop "$job" --drain 2> "$work/drain.err" || give_up "stop --drain: $(cat "$work/drain.err")"
  sed 's/^/    /' "$work/drain.err"
  ((before < lines)) || give_up "all was processed before the drain: use longer batches"
  grep -q 'receivers give what they hold' "$work/drain.err" || give_up "stop --drain shows no progress"
  job_is "$job" STOPPED || give_up "the job is $(job_field "$job" .state)"
  count_lines
}

# ---- state that checks itself ----

# Starts a job with state; sets job.
count_keys() {  # NAME [options of submit]
  job=$(submit "$build_dir/bench/recovery.so" --name "$1" --arg keys=100000 --arg rate=50000 --arg checkpoint=2s \
    --arg "output=$(mktemp -d "$work/$1.XXXXXX")" "${@:2}")
  wait_until 30 job_is "$job" RUNNING || give_up "the job is not running: $(job_field "$job" .notice)"
}
committed_since() {  # JOB MILLISECONDS
  [[ -n $(millrace status "$1" -o json --batches 50 | jq -r --argjson from "$2" \
    '.batches[] | select(.committed and (.batch_time_us | tonumber) > $from * 1000) | .batch') ]]
}
goes_on() {  # JOB: batches are committed that fall due from now on, and it is well
  wait_until 20 committed_since "$1" "$(now_ms)" || give_up "$1 does not go on: $(job_field "$1" '.state, .error, .notice' | tr '\n' ' ')"
  job_is "$1" RUNNING || give_up "the job is $(job_field "$1" '.state, .error' | tr '\n' ' ')"
}
worst_since() {  # JOB MILLISECONDS
  millrace status "$1" -o json --batches 200 | jq -r --argjson from "$2" '[.batches[]
    | select(.committed and (.batch_time_us | tonumber) >= $from * 1000 - 200000) | (.total_delay_us | tonumber) / 1000 | floor] | max // 0'
}
is_down() { ! on_cluster pid executor "$1" > /dev/null; }
driver_is_down() { ! on_cluster pid driver > /dev/null; }

part_executor() {
  local n begun took worst counting
  count_keys leaving
  counting=$job
  wait_until 30 has_records "$counting" 150000 || give_up "the keys do not come in"
  for n in 1 2 3; do
    receive "received-$n" 2s
    begun=$(now_ms)
    kill -TERM "$(on_cluster pid executor "$n")"
    wait_until 25 is_down "$n" || give_up "executor $n did not leave: $(tail -n 3 "$cluster_dir/executor-$n.log")"
    took=$(($(now_ms) - begun))
    goes_on "$counting"
    worst=$(worst_since "$counting" "$begun")
    say "executor $n left in $took ms; the worst batch took $worst ms"
    ((took <= leave_ms)) || leave_ms=$took
    ((worst <= worst_batch_ms)) || worst_batch_ms=$worst
    grep -q ' left executor=' "$cluster_dir/executor-$n.log" || give_up "executor $n left before its work was elsewhere"
    millrace stop "$job" --drain 2> "$work/stop.err" || give_up "$(cat "$work/stop.err")"
    count_lines
    on_cluster start-executor "$n"
    goes_on "$counting"
  done
  [[ $(job_field "$counting" '[.runner_failures, .task_retries] | join(" ")') == "0 0" ]] \
    || give_up "runners lost, tasks run again: $(job_field "$counting" '[.runner_failures, .task_retries] | join(" ")')"
  millrace stop "$counting" --drain 2> /dev/null || give_up "the job does not stop"
}

part_driver() {
  local n before=() after=()
  count_keys restarted
  wait_until 30 has_records "$job" 150000 || give_up "the keys do not come in"
  for n in 1 2 3; do before+=("$(on_cluster pid runner "$job" "$n")"); done
  kill -TERM "$(on_cluster pid driver)"
  wait_until 10 driver_is_down || give_up "the driver does not end"
  on_cluster start-driver
  goes_on "$job"
  for n in 1 2 3; do after+=("$(on_cluster pid runner "$job" "$n")"); done
  [[ ${before[*]} == "${after[*]}" ]] || give_up "the runners were ${before[*]} and are ${after[*]}"
  say "the runners outlived the driver"
  millrace stop "$job" --drain 2> /dev/null || give_up "the job does not stop"
}

part_savepoint() {
  local batch committed old
  count_keys saved
  wait_until 30 has_records "$job" 150000 || give_up "the keys do not come in"
  committed=$(job_field "$job" .batches_committed)
  batch=$(millrace savepoint "$job" 2> /dev/null) || give_up "no savepoint"
  ((batch > committed)) || give_up "the savepoint is of batch $batch, and $committed was committed before"
  say "savepoint of batch $batch, asked for after batch $committed"
  sleep 0.5
  millrace stop "$job" --now 2> /dev/null
  wait_until 10 job_is "$job" STOPPED || give_up "the job does not stop"
  old=$job
  count_keys saved --from "$old"
  goes_on "$job"
  # Every key has been counted in the old job: the new one would notice the first that it does not find.
  wait_until 30 has_records "$job" 150000 || give_up "the job does not go on: $(job_field "$job" '.error, .notice' | tr '\n' ' ')"
  job_is "$job" RUNNING || give_up "the job that went on failed: $(job_field "$job" .error)"
  millrace stop "$job" --drain 2> /dev/null || give_up "the job does not stop"
  count_keys drained-and-on --from "$job" && goes_on "$job"
  millrace stop "$job" --drain 2> /dev/null || give_up "the job does not stop"
}

part_deadline() {
  local n pids=() begun took status=0 old
  count_keys late
  wait_until 30 has_records "$job" 150000 || give_up "the keys do not come in"
  for n in 1 2 3; do pids+=("$(on_cluster pid runner "$job" "$n")"); done
  kill -STOP "${pids[@]}"
  at_end+=("kill -CONT ${pids[*]}")
  sleep 0.3  # a batch is cut by now, or waits for its ranges
  begun=$(now_ms)
  millrace stop "$job" --drain --deadline 2s 2> "$work/late.err" || status=$?
  took=$(($(now_ms) - begun))
  kill -CONT "${pids[@]}" 2> /dev/null || true
  sed 's/^/    /' "$work/late.err"
  ((status == 1)) || give_up "stop --drain ended with $status"
  ((took >= 1500 && took < 6000)) || give_up "the deadline of 2 s took $took ms"
  grep -q 'stopped before' "$work/late.err" || give_up "it is not said what is unfinished"
  old=$job
  count_keys late --from "$old"
  goes_on "$job"
  wait_until 30 has_records "$job" 150000 || give_up "the job does not go on: $(job_field "$job" '.error, .notice' | tr '\n' ' ')"
  millrace stop "$job" --drain 2> /dev/null || give_up "the job does not stop"
}

for part in "${parts[@]}"; do
  say "$part"
  "part_$part"
done
result "parts=${#parts[@]} lost=$lost duplicated=$duplicated leave_ms=$leave_ms worst_batch_ms=$worst_batch_ms"
((lost == 0 && duplicated == 0))
