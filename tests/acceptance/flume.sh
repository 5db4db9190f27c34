#!/usr/bin/env bash
# Events from two real Flume agents, with file channels, through a cluster of two executors into files. While they come, each runner is
# killed in turn, so that the receiver moves, and one agent is killed and started again.
#
#   flume.sh [--records N]      --records N  events of each agent (150,000)
#
# Every event has an id of its own, as its first word and as its header. Ends with
#   RESULT flume records= lost= duplicated= cases=
set -euo pipefail
# shellcheck disable=SC2034
NAME=flume
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

records=150000
take_options "records" "$@"
flume=$root/scripts/servers/flume.sh
failed_result="records=$records lost=-1 duplicated=-1"
need_programs bin/millrace tests/jobs/flume_ledger.so
cases=0

# Agents read files that are renamed into their spool directory: ten for each, of which half come later.
start_agent() {  # NAME
  "$flume" start --data "$work/$1" --source spooldir --channel file --batch 200 --id-header uuid \
    --to "127.0.0.1:$events_port,127.0.0.1:$((events_port + 1))" > "$work/$1.start" 2>&1 || give_up "agent $1: $(cat "$work/$1.start")"
}
give_files() {  # NAME FIRST-FILE LAST-FILE
  local i
  for ((i = $2; i <= $3; ++i)); do
    seq -f "$1-$i-%.0f some text that is no id" $((records / 10)) > "$work/$1-$i"
    mv "$work/$1-$i" "$work/$1/spool/$1-$i"
  done
}
written() { find "$work/out" -maxdepth 1 -name '*.txt' -print0 2> /dev/null | xargs -0 -r cat | wc -l; }
has_written() { (($(written) >= $1)); }

start_cluster
events_port=$(free_port 2)
mkdir -p "$work/out" "$work/a/spool" "$work/b/spool"
job=$(submit "$build_dir/tests/jobs/flume_ledger.so" --arg "out=$work/out" --arg "port=$events_port" --arg ports=2 --arg id_header=uuid)
wait_until 30 job_is "$job" RUNNING || give_up "the job is not running: $(job_field "$job" '.error, .notice')"
at_end+=("$flume kill --data $work/a" "$flume kill --data $work/b")
start_agent a
start_agent b
give_files a 1 5
give_files b 1 5

for victim in 1 2; do
  before=$(written)
  wait_until 60 has_written $((before + 1000)) || give_up "events do not come: $(job_field "$job" '.notice, .error')"
  kill -KILL "$(on_cluster pid runner "$job" "$victim")"
  say "the runner on executor-$victim was killed with $(written) of $((2 * records)) events written"
  begun=$(now_ms)
  wait_until 60 has_written $(($(written) + 1000)) || give_up "events do not come after runner $victim was killed: $(job_field "$job" '.notice, .error')"
  say "events are written again $(($(now_ms) - begun)) ms later"
  cases=$((cases + 1))
  give_files a $((5 + victim)) $((5 + victim))
done

"$flume" kill --data "$work/a"
say "agent a was killed with $(written) events written"
give_files a 8 10
give_files b 6 10
start_agent a
cases=$((cases + 1))

wait_until 180 has_written $((2 * records)) || say "only $(written) of $((2 * records)) events are written after 180 s: $(job_field "$job" '.notice, .error')"
millrace stop --drain "$job" 2> /dev/null || give_up "the job could not be stopped: $(job_field "$job" .error)"
cat "$work"/out/*.txt | awk '{print $1}' | sort > "$work/actual"
for agent in a b; do
  for i in $(seq 10); do seq -f "$agent-$i-%.0f" $((records / 10)); done
done | sort > "$work/expected"
lost=$(comm -23 "$work/expected" <(uniq "$work/actual") | wc -l)
duplicated=$(($(wc -l < "$work/actual") - $(uniq "$work/actual" | wc -l)))
foreign=$(comm -13 "$work/expected" <(uniq "$work/actual") | wc -l)
job_field "$job" '"runner_failures=\(.runner_failures) batches=\(.batches_committed)"'
result "records=$((2 * records)) lost=$lost duplicated=$duplicated foreign=$foreign cases=$cases"
((lost == 0 && duplicated == 0 && foreign == 0))
