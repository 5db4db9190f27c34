#!/usr/bin/env bash
# Connectors in a job's own code on a real cluster of two executors: the example job reads CSV files, with a source that can be read
# again, and a spool folder, with a receiver that cannot, and writes what it reads into an SQLite database. While it does, each runner is
# killed in turn. Then each kind of connector is made to fail, and the job's status must say which one and why, and go on when it can. A
# receiver with a preferred executor leaves it when that is killed, and comes back to it.
#
#   custom_connectors.sh [--records N]      --records N  readings of each kind (100,000)
#
# Every reading has an id of its own. Ends with
#   RESULT custom_connectors records= lost= duplicated= cases=
set -euo pipefail
# shellcheck disable=SC2034
NAME=custom_connectors
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

records=100000
take_options "records" "$@"
failed_result="records=$((2 * records)) lost=-1 duplicated=-1 cases=-1"
need_programs bin/millrace examples/custom_connectors.so
cases=0

# Ten files of each kind; a file is given a name that is seen when it is complete.
give() {  # FOLDER NAME PREFIX NUMBER
  awk -v p="$3" -v f="$4" -v n="$((records / 10))" 'BEGIN {for (i = 0; i < n; i++) printf "%s-%d-%d,sensor%d,%d\n", p, f, i, i % 7, i}' \
    > "$work/.$2"
  mv "$work/.$2" "$1/$2"
}
give_both() {  # FIRST LAST
  local i
  for ((i = $1; i <= $2; ++i)); do
    give "$work/csv" "c$i.csv" csv "$i"
    give "$work/spool" "s$i" spool "$i"
  done
}
query() { python3 -c 'import sqlite3, sys
for row in sqlite3.connect(sys.argv[1], timeout=20).execute(sys.argv[2]): print(*row)' "$work/${db:-readings}.db" "$1" 2> /dev/null; }
written() { query 'SELECT count(*) FROM readings' || true; }
has_written() { (($(written) + 0 >= $1)) 2> /dev/null; }
problem_of() { job_field "$1" '.sources[].problem, .notice, .error' | tr '\n' ' '; }
says() { [[ $(problem_of "$1") == *"$2"* ]]; }

start_cluster
mkdir -p "$work/csv" "$work/spool"
give_both 1 4
# Few readings in a batch, so that the job is busy when its runners are killed.
job=$(submit "$build_dir/examples/custom_connectors.so" --arg "csv=$work/csv" --arg "spool=$work/spool" \
  --arg "database=$work/readings.db" --arg "batch=$((records / 200))")
wait_until 30 job_is "$job" RUNNING || give_up "the job is not running: $(problem_of "$job")"

for victim in 1 2; do
  before=$(written)
  wait_until 60 has_written $((before + records / 20)) || give_up "readings do not come: $(problem_of "$job")"
  kill -KILL "$(on_cluster pid runner "$job" "$victim")"
  say "the runner on executor-$victim was killed with $(written) of $((2 * records)) readings written"
  begun=$(now_ms)
  give_both $((2 + 3 * victim)) $((4 + 3 * victim))
  wait_until 60 has_written $(($(written) + records / 20)) || give_up "readings do not come after runner $victim was killed: $(problem_of "$job")"
  say "readings are written again $(($(now_ms) - begun)) ms later"
  cases=$((cases + 1))
done

# A folder that is away is tried again, for the source and for the receiver.
mv "$work/csv" "$work/csv-away"
wait_until 30 says "$job" "'files' (custom)" || give_up "the status does not name the source whose folder is away: $(problem_of "$job")"
say "the source's folder is away: $(problem_of "$job")"
mv "$work/csv-away" "$work/csv"
cases=$((cases + 1))
echo "this is no reading" > "$work/spool/bad"
wait_until 30 says "$job" "bad line 1" || give_up "the status does not name the bad line: $(problem_of "$job")"
say "a bad line in the spool: $(problem_of "$job")"
cases=$((cases + 1))

wait_until 180 has_written $((2 * records)) || say "only $(written) of $((2 * records)) readings are written after 180 s: $(problem_of "$job")"
millrace stop --drain "$job" 2> /dev/null || give_up "the job could not be stopped: $(problem_of "$job")"
wait_until 60 job_is "$job" STOPPED || give_up "the job did not stop: $(problem_of "$job")"

# A bounded source ends the job by itself; a line that is no reading fails it, and is quoted.
mkdir -p "$work/csv2" "$work/spool2"
echo "x,y,not-a-number" > "$work/csv2/wrong.csv"
wrong=$(submit "$build_dir/examples/custom_connectors.so" --name wrong --arg "csv=$work/csv2" --arg "spool=$work/spool2" \
  --arg "database=$work/other.db")
wait_until 60 job_is "$wrong" FAILED || give_up "a job with a wrong line did not fail: $(job_field "$wrong" .state) $(problem_of "$wrong")"
says "$wrong" "x,y,not-a-number" || give_up "the error does not quote the line: $(problem_of "$wrong")"
say "a wrong line: $(problem_of "$wrong")"
cases=$((cases + 1))

# A receiver runs on the executor that its job names for it, on another one while that is down, and there again when it is back. Whose
# runner has it shows in what the kernel says: it alone watches the spool folder.
receives_on() {  # N
  local pid
  pid=$(on_cluster pid runner "$preferring" "$1" 2> /dev/null) && find "/proc/$pid/fd" -lname 'anon_inode:inotify' 2> /dev/null | grep -q .
}
receives_on_alone() { receives_on "$1" && ! receives_on "$2"; }  # N OTHER
mkdir -p "$work/csv3" "$work/spool3"
preferring=$(submit "$build_dir/examples/custom_connectors.so" --name preferring --arg "csv=$work/csv3" --arg "spool=$work/spool3" \
  --arg "database=$work/preferring.db" --arg spool_node=executor-2)
preferring_written() { (($(db=preferring query 'SELECT count(*) FROM readings' || echo 0) >= $1)) 2> /dev/null; }
move_and_give() {  # WHAT N OTHER FILE: the receiver comes to executor N, and takes a file
  wait_until 60 receives_on_alone "$2" "$3" || give_up "$1: the receiver is not on executor-$2: $(problem_of "$preferring")"
  give "$work/spool3" "s$4" preferring "$4"
  wait_until 60 preferring_written $(($4 * records / 10)) || give_up "$1: the readings do not come: $(problem_of "$preferring")"
  say "$1: the receiver is on executor-$2"
  cases=$((cases + 1))
}
move_and_give "preferred" 2 1 1
on_cluster kill-executor 2
move_and_give "the preferred executor is down" 1 2 2
on_cluster start-executor 2
move_and_give "the preferred executor is back" 2 1 3
millrace stop --drain "$preferring" 2> /dev/null || give_up "the job could not be stopped: $(problem_of "$preferring")"
for i in 1 2 3; do seq -f "preferring-$i-%.0f" 0 $((records / 10 - 1)); done | sort > "$work/preferring"
db=preferring query 'SELECT id FROM readings' | sort | cmp - "$work/preferring" || give_up "the readings of the receiver that moved are not there once each"

query 'SELECT id FROM readings' | sort > "$work/actual"
for kind in csv spool; do
  for i in $(seq 10); do seq -f "$kind-$i-%.0f" 0 $((records / 10 - 1)); done
done | sort > "$work/expected"
lost=$(comm -23 "$work/expected" <(uniq "$work/actual") | wc -l)
duplicated=$(($(wc -l < "$work/actual") - $(uniq "$work/actual" | wc -l)))
foreign=$(comm -13 "$work/expected" <(uniq "$work/actual") | wc -l)
job_field "$job" '"runner_failures=\(.runner_failures) batches=\(.batches_committed)"'
((foreign == 0)) || give_up "$foreign readings are in the database that nobody sent"
result "records=$((2 * records)) lost=$lost duplicated=$duplicated cases=$cases"
((lost == 0 && duplicated == 0))
