#!/usr/bin/env bash
# A real RabbitMQ server before and behind jobs on a real cluster, against a ledger of unique messages.
#
#   rabbitmq.sh [--records N] [PART…]        (source sink status; 120000)
#
#   source   N messages with ids are published with confirms while a job counts them into files; meanwhile a runner is killed, an
#            executor is killed, and the server is restarted: every message is counted once
#   sink     a job publishes N/2 messages; meanwhile a runner is killed and the server is restarted: every message is in the queue, and
#            one that is there twice has the same message_id, by which a second job leaves it out
#   status   wrong password, untrusted certificate, missing queue and virtual host, a message over the limit, a server that hangs, one
#            that is away, a queue that is deleted, an unroutable message, a missing exchange: each is said in the job's status, and
#            what can mend is mended without a new submit
#
# Ends with
#   RESULT rabbitmq records= lost= duplicated= repeated= cases=
# where repeated is how many messages the sink had published more than once.
set -euo pipefail
# shellcheck disable=SC2034
NAME=rabbitmq
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

records=120000 parts=()
while (($# > 0)); do
  case $1 in
    --records) records=${2:?} && shift ;;
    source | sink | status) parts+=("$1") ;;
    *)
      sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
  shift
done
((${#parts[@]} > 0)) || parts=(source sink status)
failed_result="records=$records lost=-1 duplicated=-1 repeated=-1 cases=-1"
tool=$build_dir/tests/tools/millrace_rabbitmq_tool
need_programs bin/millrace tests/tools/millrace_rabbitmq_tool examples/rabbitmq_count.so tests/jobs/rabbitmq_out.so
lost_all=0 duplicated_all=0 repeated=0 cases=0

queue_tool() { "$tool" "$@" --server "127.0.0.1:$rabbitmq_port"; }
# Queues that are seconds old are forgotten by a server that is killed; a restart in order keeps them.
restart_server() {
  "$rabbitmq" stop "${rabbitmq_options[@]}"
  "$rabbitmq" start "${rabbitmq_options[@]}" || give_up "the server does not start again"
}
problem_of() { job_field "$1" '.sources[0].problem, .notice, .error' | tr '\n' ' '; }
says() { [[ $(problem_of "$1") == *"$2"* ]]; }

# A job that counts the messages of a queue into $work/NAME. Arguments given later win.
count_job() {  # NAME QUEUE [argument=value…]
  local name=$1 word arguments=()
  local -A values=([hosts]=127.0.0.1:$rabbitmq_port [username]=millrace [password_file]=$work/rabbitmq/password
    [queues]=$2 [out]=$work/$1)
  shift 2
  for word in "$@"; do values[${word%%=*}]=${word#*=}; done
  for word in "${!values[@]}"; do arguments+=(--arg "$word=${values[$word]}"); done
  mkdir -p "$work/$name"
  submit "$build_dir/examples/rabbitmq_count.so" --name "$name" "${arguments[@]}"
}
stop_job() {  # JOB
  millrace stop --drain "$1" 2> /dev/null || give_up "the job could not be stopped: $(problem_of "$1")"
  wait_until 60 job_is "$1" STOPPED || give_up "the job did not stop: $(problem_of "$1")"
}
# Waits until N messages are committed, and then until the queue is empty and nothing more comes.
await_counted() {  # JOB NAME N
  local all
  wait_until 120 has_records "$1" "$3" \
    || say "only $(job_field "$1" .records) of $3 messages are committed after 120 s: $(problem_of "$1")"
  all=$(job_field "$1" .records)
  say "$2: $all messages committed"
}
# Sets lost and duplicated for the messages m0 … m(N-1) that job NAME counted.
compare_ledger() {  # NAME N
  seq 0 $(($2 - 1)) | awk '{printf "m%d\t1\n", $1}' | sort > "$work/expected"
  sum_counts "$work/$1" > "$work/actual"
  compare_counts "$work/expected" "$work/actual"
  lost_all=$((lost_all + lost)) duplicated_all=$((duplicated_all + duplicated))
  say "$1: lost=$lost duplicated=$duplicated of $2"
}

part_source() {
  local job publisher
  queue_tool declare in
  job=$(count_job ledger in)
  wait_until 30 job_is "$job" RUNNING || give_up "the job is not running after 30 s: $(problem_of "$job")"
  queue_tool publish in --count "$records" --rate $((records / 24)) 2> "$work/publisher" &
  publisher=$!
  at_end+=("kill $publisher")
  wait_until 60 has_records "$job" $((records / 6)) || give_up "nothing comes: $(problem_of "$job")"
  on_cluster kill-runner "$job" 1
  say "a runner was killed at $(job_field "$job" .records) messages"
  wait_until 60 has_records "$job" $((records / 3)) || give_up "too little after the runner's end: $(problem_of "$job")"
  on_cluster kill-executor 2
  say "an executor was killed at $(job_field "$job" .records) messages"
  wait_until 60 has_records "$job" $((records / 2)) || give_up "too little after the executor's end: $(problem_of "$job")"
  on_cluster start-executor 2
  restart_server
  say "the server was restarted at $(job_field "$job" .records) messages"
  wait "$publisher" || give_up "the messages could not be published: $(cat "$work/publisher")"
  say "published: $(cat "$work/publisher")"
  await_counted "$job" ledger "$records"
  stop_job "$job"
  compare_ledger ledger "$records"
  [[ $(queue_tool ready in) == 0 ]] || give_up "messages are left in the queue"
}

part_sink() {
  local job counter='' count=$((records / 2))
  queue_tool exchange outs fanout
  for queue in out copy; do
    queue_tool declare "$queue"
    queue_tool bind "$queue" outs ""
  done
  counter=$(count_job again out)
  job=$(submit "$build_dir/tests/jobs/rabbitmq_out.so" --arg "hosts=127.0.0.1:$rabbitmq_port" --arg username=millrace \
    --arg "password_file=$work/rabbitmq/password" --arg exchange=outs --arg "count=$count" --arg "rate=$((count / 12))")
  wait_until 60 has_records "$job" $((count / 4)) || give_up "nothing is published: $(problem_of "$job")"
  on_cluster kill-runner "$job" 1
  say "a runner was killed at $(job_field "$job" .records) messages"
  wait_until 60 has_records "$job" $((count / 2)) || give_up "too little after the runner's end: $(problem_of "$job")"
  restart_server
  say "the server was restarted at $(job_field "$job" .records) messages"
  wait_until 120 job_is "$job" FINISHED || give_up "the job is not done: $(problem_of "$job")"
  queue_tool dump copy > "$work/copy"
  repeated=$(($(wc -l < "$work/copy") - $(sort -u "$work/copy" | wc -l)))
  lost=$((count - $(cut -f 2 "$work/copy" | sort -u | wc -l)))
  # The same id with another text, or the same text with another id.
  duplicated=$(($(sort -u "$work/copy" | wc -l) - count + lost))
  lost_all=$((lost_all + lost)) duplicated_all=$((duplicated_all + duplicated))
  say "the sink: lost=$lost, repeated with the same id=$repeated, with another id=$duplicated of $count"
  await_counted "$counter" again "$count"
  stop_job "$counter"
  compare_ledger again "$count"
}

case_says() {  # WHAT TEXT COMMAND…: runs a job; its status must come to say the text. Leaves the job in $job.
  local what=$1 text=$2
  shift 2
  job=$("$@")
  wait_until 30 says "$job" "$text" || give_up "$what: the status says only '$(problem_of "$job")'"
  say "$what: $(problem_of "$job")"
  cases=$((cases + 1))
}
goes_on() {  # WHAT JOB N
  wait_until 60 has_records "$2" "$3" || give_up "$1: the job does not go on: $(problem_of "$2")"
  cases=$((cases + 1))
}
cancel() { millrace stop --now "$1" > /dev/null 2>&1 || millrace stop "$1" > /dev/null 2>&1 || true; }

part_status() {
  local job
  queue_tool exchange dead fanout
  queue_tool declare dead-letters
  queue_tool bind dead-letters dead ""
  queue_tool declare cases --dead-letter dead
  echo nonsense > "$work/wrong"

  case_says "wrong password" "wrong user or password" count_job password cases "password_file=$work/wrong"
  cp "$work/rabbitmq/password" "$work/wrong"
  queue_tool publish cases --count 10 2> /dev/null
  goes_on "a password that was corrected" "$job" 10
  cancel "$job"
  case_says "untrusted certificate" "not to be trusted" count_job tls cases tls=true "hosts=127.0.0.1:$((rabbitmq_port + 1))"
  cancel "$job"
  case_says "missing virtual host" "no virtual host 'nowhere'" count_job vhost cases virtual_host=nowhere
  cancel "$job"
  case_says "missing queue" "no queue 'later'" count_job queue later
  queue_tool declare later
  queue_tool publish later --count 5 2> /dev/null
  goes_on "a queue that was made" "$job" 5
  queue_tool delete later
  wait_until 30 says "$job" "queue 'later'" || give_up "a deleted queue is not said: $(problem_of "$job")"
  cases=$((cases + 1))
  cancel "$job"

  job=$(count_job tls-good cases tls=true "ca_file=$work/rabbitmq/ca.pem" "hosts=127.0.0.1:$((rabbitmq_port + 1))")
  queue_tool publish cases --count 20 2> /dev/null
  goes_on "TLS" "$job" 20
  cancel "$job"

  job=$(count_job large cases max_message_bytes=1000)
  queue_tool publish cases --count 1 --from 7 --bytes 5000 2> /dev/null
  queue_tool publish cases --count 3 2> /dev/null
  wait_until 30 says "$job" "larger than max_message_bytes" || give_up "a large message is not said: $(problem_of "$job")"
  goes_on "behind a message over the limit" "$job" 3
  [[ $(queue_tool ready dead-letters) == 1 ]] || give_up "the large message is not in the dead letter queue"

  "$rabbitmq" pause "${rabbitmq_options[@]}"
  wait_until 30 says "$job" "no heartbeat came" || give_up "a server that hangs is not said: $(problem_of "$job")"
  "$rabbitmq" resume "${rabbitmq_options[@]}"
  queue_tool publish cases --count 3 --from 100 2> /dev/null
  goes_on "a server that hung" "$job" 6
  "$rabbitmq" stop "${rabbitmq_options[@]}"
  wait_until 30 says "$job" "Connection refused" || give_up "a server that is away is not said: $(problem_of "$job")"
  "$rabbitmq" start "${rabbitmq_options[@]}"
  queue_tool publish cases --count 3 --from 200 2> /dev/null
  goes_on "a server that was away" "$job" 9
  cancel "$job"
  sink_cases
}

sink_cases() {
  local job out=(submit "$build_dir/tests/jobs/rabbitmq_out.so" --arg "hosts=127.0.0.1:$rabbitmq_port" --arg username=millrace --arg count=1000)
  queue_tool exchange nobody direct
  case_says "an unroutable message" "no queue takes messages" "${out[@]}" --arg "password_file=$work/rabbitmq/password" --arg exchange=nobody
  wait_until 30 job_is "$job" FAILED || give_up "an unroutable message does not end the job: $(problem_of "$job")"
  case_says "a missing exchange" "exchange 'gone'" "${out[@]}" --arg "password_file=$work/rabbitmq/password" --arg exchange=gone
  wait_until 30 job_is "$job" FAILED || give_up "a missing exchange does not end the job: $(problem_of "$job")"
}

start_rabbitmq
start_cluster
for part in "${parts[@]}"; do
  say "--- $part"
  "part_$part"
done
result "records=$records lost=$lost_all duplicated=$duplicated_all repeated=$repeated cases=$cases"
((lost_all == 0 && duplicated_all == 0))
