#!/usr/bin/env bash
# Three drivers that elect one through a real etcd, while word count runs from Kafka to Kafka: the leader is killed, frozen, ended and
# cut off from etcd, again and again, and a client follows the job all the time.
#
#   standby.sh [--rounds N] [--rate LINES] [--strikes "NAME NAME…"]      (12, 5000, "kill freeze end split submit etcd")
#
#   kill     SIGKILL to the leader
#   freeze   SIGSTOP to the leader; when another leads, SIGCONT: it must notice and end by itself, with exit status 4 for its supervisor
#   end      SIGTERM to the leader, as for an upgrade
#   split    a driver that was elected elsewhere begins a term on the same data: the storage alone must end the leader, and then
#            the intruder, when the next one has been elected
#   submit   SIGKILL to the leader while a client submits: it gets its job, once
#   etcd     etcd is killed and comes back four seconds later: the leader steps down, and nobody leads without it
#
# For each strike (of etcd: from when it is back) it measures the longest time without a new committed batch, as a client with the list
# of drivers sees it. Passes when the output
# is exact, the follower followed to the end, and the drivers that had to step down did. Ends with
#   RESULT standby failovers= lost= duplicated= worst_ms=
set -euo pipefail
# shellcheck disable=SC2034
NAME=standby
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

rounds=12 rate=5000
strikes="kill freeze end split submit etcd"
take_options "rounds rate strikes" "$@"

tool=$build_dir/tests/tools/millrace_kafka_tool
failed_result="failovers=0 lost=-1 duplicated=-1"
need_programs bin/millrace tests/tools/millrace_kafka_tool examples/kafka_word_count.so tests/jobs/empty_stream.so
cluster_options=(--drivers 3)
recovery_s=30
etcd() { "$root/scripts/servers/etcd.sh" "$1" --port $((port + 3)) --data "$cluster_dir/etcd"; }

# ---- the strikes; each leaves a driver that must be started again in $fallen, if there is one ----

stepped_down() {  # I LINES-OF-ITS-LOG-BEFORE
  tail -n "+$(($2 + 1))" "$cluster_dir/driver-$1.log" | grep -q 'the term is over, this driver steps down'
}
lines_of() { wc -l < "$cluster_dir/driver-$1.log"; }
is_down() { ! on_cluster pid driver "$1" > /dev/null; }
another_leads() {  # THAN
  local now
  now=$(on_cluster leader) && [[ $now != "$1" ]]
}

follower_breaks() { grep -c '^connection lost' "$work/follow.err" || true; }
follower_noticed() { (($(follower_breaks) > $1)); }  # BREAKS-BEFORE

strike_kill() { on_cluster kill-driver "$leader"; }

strike_freeze() {
  local pid before breaks
  pid=$(on_cluster pid driver "$leader")
  before=$(lines_of "$leader")
  breaks=$(follower_breaks)
  kill -STOP "$pid"
  at_end+=("kill -CONT $pid")
  wait_until "$recovery_s" another_leads "$leader" || give_up "nobody leads $recovery_s s after the leader was frozen"
  wait_until 10 follower_noticed "$breaks" || give_up "the follower still listens to a driver that is frozen"
  # Between the new leader's beginning and the old one's waking there is time to commit, or not: both must go well.
  sleep "0.$((RANDOM % 10))"
  kill -CONT "$pid"
  wait_until 5 is_down "$leader" || give_up "driver $leader slept through its lease and goes on"
  stepped_down "$leader" "$before" || give_up "driver $leader ended, but does not say that its term is over"
}

strike_end() {
  local pid
  pid=$(on_cluster pid driver "$leader")
  kill -TERM "$pid"
  wait_until 10 is_down "$leader" || give_up "driver $leader does not end"
}

strike_etcd() {
  local before
  before=$(lines_of "$leader")
  etcd kill
  wait_until 5 is_down "$leader" || give_up "driver $leader leads on without etcd"
  stepped_down "$leader" "$before" || give_up "driver $leader ended, but does not say that its term is over"
  sleep 2
  if on_cluster leader > /dev/null; then give_up "somebody leads without etcd"; fi
  etcd start
  begun=$(now_ms)
}

strike_split() {
  local before intruder
  before=$(lines_of "$leader")
  "$build_dir/bin/millrace-driver" --config "$cluster_dir/driver-1.yaml" --set "driver.listen=127.0.0.1:$((port + 5))" \
    --set driver.etcd.prefix=/elsewhere > "$work/intruder.log" 2>&1 < /dev/null &
  intruder=$!
  at_end+=("kill -KILL $intruder")
  wait_until 10 is_down "$leader" || give_up "driver $leader leads on beside another: $(cat "$work/intruder.log")"
  stepped_down "$leader" "$before" || give_up "driver $leader ended, but does not say that its term is over"
  grep -q "127.0.0.1:$((port + 5)) has begun term" "$cluster_dir/driver-$leader.log" || give_up "it was not the storage that ended driver $leader"
  wait_until "$recovery_s" on_cluster leader > /dev/null || give_up "nobody leads after the intruder"
  status=0
  wait "$intruder" || status=$?
  ((status == 4)) || give_up "the intruder ended with $status: $(cat "$work/intruder.log")"
}

# The leader dies somewhere on the way: before the upload, in it, while the job is planned, or before the answer.
strike_submit() {
  local name=extra-$failovers id submitter
  millrace submit "$build_dir/tests/jobs/empty_stream.so" --name "$name" --batch-interval 500ms --timeout "${recovery_s}s" \
    > "$work/submitted" 2> "$work/submit.err" &
  submitter=$!
  sleep "0.$(printf %03d $((RANDOM % 150)))"
  on_cluster kill-driver "$leader"
  wait "$submitter" || give_up "the submission did not survive its driver: $(cat "$work/submit.err")"
  id=$(cat "$work/submitted")
  [[ $(millrace list --all -o json | jq -r ".jobs[] | select(.name == \"$name\") | .id") == "$id" ]] \
    || give_up "job $name is not there, or not once: $(millrace list --all)"
  say "submitted as $id$(grep -c '^again' "$work/submit.err" | sed 's/^0$//; s/^[1-9].*/, at the second try/')"
  millrace stop "$id" > /dev/null 2>&1 || give_up "job $name could not be stopped"
}

batches() { job_field "$job" .batches_committed; }
committed_past() { (($(batches || echo 0) > $1)) 2> /dev/null; }  # BATCH

# Notes when the number of committed batches was seen to grow.
watch_commits() {
  local seen last=0
  while :; do
    if seen=$(batches) && [[ $seen =~ ^[0-9]+$ ]] && ((seen > last)); then
      last=$seen
      now_ms >> "$work/commits"
    fi
    sleep 0.05
  done
}
noted_since() { (($(tail -n 1 "$work/commits") > $1)) 2> /dev/null; }  # MS
longest_gap() {  # SINCE-MS
  awk -v at="$1" '$1 > at {if ($1 - at > longest) longest = $1 - at; at = $1} END {print longest + 0}' "$work/commits"
}

round() {  # STRIKE
  local before begun took
  leader=$(on_cluster leader) || give_up "nobody leads"
  before=$(batches)
  [[ $before =~ ^[0-9]+$ ]] || give_up "the job has no status: $before"
  begun=$(now_ms)
  "strike_$1"
  wait_until "$recovery_s" committed_past $((before + 5)) \
    || give_up "nothing is committed $recovery_s s after $1: $(job_field "$job" '.state, .error, .notice' | tr '\n' ' ')"
  wait_until 20 noted_since "$(now_ms)" || give_up "a client gets no status any more"
  took=$(longest_gap "$begun")
  say "$1 of driver $leader: driver $(on_cluster leader) leads; nothing was committed for $took ms"
  if ((took > worst)); then worst=$took; fi
  failovers=$((failovers + 1))
  kill -0 "$follower" 2> /dev/null || give_up "the follower ended: $(cat "$work/follow.err")"
  is_down "$leader" || give_up "driver $leader is still there"
  on_cluster start-driver "$leader"
}

# ---- the test ----

start_kafka
for topic in lines counts; do "$kafka" topic "$topic" 4 "${kafka_options[@]}" > /dev/null; done
start_cluster
job=$(submit "$build_dir/examples/kafka_word_count.so" --batch-interval 100ms \
  --arg "brokers=$brokers" --arg in=lines --arg out=counts)
wait_until 30 job_is "$job" RUNNING || give_up "the job is not running after 30 s: $(job_field "$job" .notice)"
millrace follow "$job" > "$work/follow.out" 2> "$work/follow.err" &
follower=$!
at_end+=("kill $follower")
"$tool" lines 1000000000 1 2> /dev/null | "$tool" produce lines --brokers "$brokers" --rate "$rate" 2> "$work/producer.log" &
producer=$!
at_end+=("kill $producer")
wait_until 30 has_records "$job" "$rate" || give_up "nothing is committed"

watch_commits 2> /dev/null &
at_end+=("kill $!")
read -ra chosen <<< "$strikes"
failovers=0 worst=0 leader=0
for ((r = 0; r < rounds; ++r)); do round "${chosen[r % ${#chosen[@]}]}"; done

kill "$producer" 2> /dev/null || true
wait "$producer" 2> /dev/null || true
"$tool" words lines --brokers "$brokers" > "$work/expected" 2> "$work/words.log" || give_up "the input could not be read: $(cat "$work/words.log")"
records=$(awk '/ records$/ {print $1}' "$work/words.log")
wait_until 120 has_records "$job" "$records" \
  || give_up "only $(job_field "$job" .records) of $records records are committed: $(job_field "$job" '.state, .error, .notice' | tr '\n' ' ')"
millrace stop "$job" > /dev/null 2>&1 || give_up "the job could not be stopped: $(job_field "$job" .error)"
wait_until 40 job_is "$job" STOPPED || give_up "the job did not stop"
wait "$follower" || give_up "the follower did not end well: $(cat "$work/follow.err")"
"$tool" sum counts --brokers "$brokers" > "$work/actual" || give_up "the counts could not be read"
compare_counts "$work/expected" "$work/actual"
job_field "$job" '"runner_failures=\(.runner_failures) task_retries=\(.task_retries) batches=\(.batches_committed) late=\(.batches_late)"'
result "failovers=$failovers lost=$lost duplicated=$duplicated worst_ms=$worst records=$records"
((lost == 0 && duplicated == 0 && records > 0))
