#!/usr/bin/env bash
# Word count from a real Kafka broker to Kafka, against a one-line awk program over the same lines.
#
#   kafka_wordcount.sh [--records N] [--runs R] [--kill runner|executor] [--restart]
#
#   --records N  lines of ten words (2,000,000)      --runs R  so many times (3; each with topics and a cluster of its own)
#   --kill WHAT  SIGKILL to a runner, or to an executor, when half of the records are committed
#   --restart    SIGKILL to the driver then, and a new one on its data
#
# Four partitions, two executors, batches of 100 ms; the lines are sent while the job runs. Ends with
#   RESULT kafka_wordcount records= lost= duplicated=
# where lost and duplicated are words that the sums in the output topic have too few or too many, over all runs.
set -euo pipefail
# shellcheck disable=SC2034
NAME=kafka_wordcount
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

records=2000000 runs=3 kill='' restart=0
while (($# > 0)); do
  case $1 in
    --records) records=${2:?} && shift ;;
    --runs) runs=${2:?} && shift ;;
    --kill)
      kill=${2:?} && shift
      [[ $kill == runner || $kill == executor ]] || { echo "--kill runner or --kill executor" >&2; exit 2; }
      ;;
    --restart) restart=1 ;;
    *)
      sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
  shift
done

tool=$build_dir/tests/tools/millrace_kafka_tool
failed_result="records=$records lost=-1 duplicated=-1"
need_programs bin/millrace tests/tools/millrace_kafka_tool examples/kafka_word_count.so

# Longest time in which nothing may be committed after something was killed.
recovery_s=20
lost_all=0 duplicated_all=0

strikes() { [[ -n $kill ]] || ((restart)); }

strike() {  # JOB PID-OF-ITS-RUNNER-ON-EXECUTOR-1
  case $kill in
    runner) kill -KILL "$2" ;;
    executor) on_cluster kill-executor 1 ;;
  esac
  if ((restart)); then
    on_cluster kill-driver
    on_cluster start-driver
  fi
}

# Strikes as soon as the first of the second half of the records are committed, while the rest is on its way, and measures how long
# nothing new is committed then.
strike_half_way() {  # JOB RUNNER-PID
  local before begun
  wait_until 120 has_records "$1" $((records / 2 + 1)) || give_up "half of the records were not committed within 120 s"
  before=$(job_field "$1" .records)
  begun=$(now_ms)
  strike "$1" "$2"
  touch "$work/struck"
  say "strike: kill=${kill:-none} restart=$restart; $before of $records records were committed"
  ((before < records)) || give_up "that was too late: use more --records"
  wait_until "$recovery_s" has_records "$1" $((before + (records - before) / 4)) \
    || give_up "too little was committed within $recovery_s s after the strike: $(job_field "$1" '.records, .state, .error, .notice' | tr '\n' ' ')"
  say "records are committed again $(($(now_ms) - begun)) ms after the strike"
}

# Half of the lines, and when they are sent the rest, slice by slice. The last slices wait for the strike, if there is one, so that it
# never comes after the last record, however slow the machine is to see the first half.
send() {  # TOPIC
  local slice
  head -n $((records / 2)) "$work/lines" | "$tool" produce "$1" --brokers "$brokers"
  tail -n +$((records / 2 + 1)) "$work/lines" | split -n r/12 -d - "$work/slice-"
  for slice in "$work"/slice-*; do
    if [[ $slice == */slice-06 ]] && strikes; then wait_until 180 test -e "$work/struck" || return 1; fi
    "$tool" produce "$1" --brokers "$brokers" < "$slice" 2> /dev/null
  done
}

run_once() {  # NUMBER
  local job begun producer
  "$kafka" topic "lines-$1" 4 "${kafka_options[@]}" > /dev/null
  "$kafka" topic "counts-$1" 4 "${kafka_options[@]}" > /dev/null
  rm -f "$work/struck"
  start_cluster
  job=$(submit "$build_dir/examples/kafka_word_count.so" --batch-interval 100ms \
    --arg "brokers=$brokers" --arg "in=lines-$1" --arg "out=counts-$1")
  wait_until 30 job_is "$job" RUNNING || give_up "the job is not running after 30 s: $(job_field "$job" .notice)"
  begun=$(now_ms)
  send "lines-$1" &
  producer=$!
  at_end+=("kill $producer")
  if strikes; then strike_half_way "$job" "$(on_cluster pid runner "$job" 1)"; fi
  wait "$producer" || give_up "the lines could not be sent"
  wait_until 180 has_records "$job" "$records" \
    || say "only $(job_field "$job" .records) of $records records are committed after 180 s"
  say "run $1: $(job_field "$job" .records) records committed, $(($(now_ms) - begun)) ms after the first was sent"
  millrace stop "$job" 2> /dev/null || give_up "the job could not be stopped: $(job_field "$job" .error)"
  wait_until 40 job_is "$job" STOPPED || give_up "the job did not stop"
  job_field "$job" '"run: runner_failures=\(.runner_failures) task_retries=\(.task_retries) batches=\(.batches_committed) late=\(.batches_late)"'
  "$tool" sum "counts-$1" --brokers "$brokers" > "$work/actual" || give_up "the counts could not be read"
  compare_counts "$work/expected" "$work/actual"
  say "run $1: lost=$lost duplicated=$duplicated of $((records * 10)) words"
  lost_all=$((lost_all + lost))
  duplicated_all=$((duplicated_all + duplicated))
  on_cluster stop
  rm -rf --one-file-system "$cluster_dir"
}

say "making $records lines"
"$tool" lines "$records" 1 > "$work/lines"
awk '{for (i = 1; i <= NF; ++i) n[$i]++} END {for (w in n) printf "%s\t%d\n", w, n[w]}' "$work/lines" | sort > "$work/expected"
start_kafka
for ((run = 1; run <= runs; ++run)); do run_once "$run"; done
result "records=$records lost=$lost_all duplicated=$duplicated_all runs=$runs kill=${kill:-none} restart=$restart"
((lost_all == 0 && duplicated_all == 0))
