#!/usr/bin/env bash
# Kills, freezes, cuts off and starves a whole cluster of real processes while two exactly-once jobs run on it from a real Kafka and
# back, then compares what they wrote with the input, word by word.
#
#   scripts/chaos.sh [--minutes N] [--seed S] [--rate LINES] [--faults "NAME NAME…"]      (30, random, 2000, all)
#
# Three executors; batches of 100 ms; a word count, and running totals whose state is checkpointed every second. A fault every few
# seconds, chosen by the seed: SIGKILL to a runner, an executor, the driver, the broker, or everything at once; a frozen runner,
# executor or driver that comes back; a driver, a runner or the broker that nobody reaches; a full disk. Some faults overlap, after
# others the jobs must commit again within a minute. In the end every line must have been counted, exactly once.
# Names of faults: kill_runner kill_executor kill_driver kill_all kill_broker freeze_runner freeze_executor freeze_driver cut_driver
# cut_broker cut_runner fill_disk.
#
# Needs root: it runs in a network and a mount namespace of its own, so that nothing outside is touched. Passes when nothing is lost,
# nothing is there twice, and there were at least three faults a minute (100 in 30 minutes). Ends with
#   RESULT chaos faults= lost= duplicated= worst_recovery_ms= seed=
set -euo pipefail
self=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/chaos.sh

minutes=30 seed=$RANDOM rate=2000
faults="kill_runner kill_executor kill_driver kill_all kill_broker freeze_runner freeze_executor freeze_driver cut_driver cut_broker cut_runner fill_disk"
arguments=("$@")
while (($# > 0)); do
  case $1 in
    --minutes) minutes=${2:?} && shift ;;
    --seed) seed=${2:?} && shift ;;
    --rate) rate=${2:?} && shift ;;
    --faults) faults=${2:?} && shift ;;
    *)
      sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
  shift
done
if [[ -z ${MILLRACE_CHAOS_INSIDE:-} ]]; then
  if ((EUID != 0)); then
    echo "chaos.sh: needs root, for namespaces and a small file system of its own" >&2
    exit 2
  fi
  MILLRACE_CHAOS_INSIDE=1 exec unshare --net --mount --propagation private -- "$self" "${arguments[@]}"
fi
ip link set lo up

NAME=chaos
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "$self")/../tests/acceptance/lib.sh"
# shellcheck source=tests/chaos/faults.sh
source "$root/tests/chaos/faults.sh"
tool=$build_dir/tests/tools/millrace_kafka_tool
failed_result="faults=0 lost=-1 duplicated=-1 seed=$seed"
need_programs bin/millrace examples/kafka_word_count.so tests/jobs/chaos_totals.so tests/tools/millrace_kafka_tool

executors=3
recovery_s=60
# shellcheck disable=SC2034
cluster_options=(--executors "$executors" --memory 128MiB)
mkdir "$work/disk"
mount -t tmpfs -o size=512m chaos "$work/disk"
cluster_dir=$work/disk/cluster
at_end+=("umount -l $work/disk" "on_cluster stop")

# ---- the jobs and their input ----

start_kafka
for topic in lines counts totals; do "$kafka" topic "$topic" 4 "${kafka_options[@]}" > /dev/null; done
start_cluster
words_job=$(submit "$build_dir/examples/kafka_word_count.so" --arg "brokers=$brokers" --arg in=lines --arg out=counts)
totals_job=$(submit "$build_dir/tests/jobs/chaos_totals.so" --arg "brokers=$brokers" --arg in=lines --arg out=totals)
for job in "$words_job" "$totals_job"; do
  wait_until 60 job_is "$job" RUNNING || give_up "job $job is not running: $(job_field "$job" .notice)"
done
"$tool" lines 1000000000 "$seed" 2> /dev/null | "$tool" produce lines --brokers "$brokers" --rate "$rate" 2> "$work/producer.log" &
producer=$!
at_end+=("pkill -P $producer; kill $producer")

stuck() {  # JOB WHAT
  millrace status "$1" --batches 6 || true
  millrace logs "$1" --lines 30 || true
  give_up "job $1 $2: $(job_field "$1" '.state, .error, .notice' | tr '\n' ' ')"
}
batches() { job_field "$1" .batches_committed; }
committed_past() { (($(batches "$1" || echo 0) > $2)) 2> /dev/null; }  # JOB BATCH
await_faults() {  # a bare `wait` would wait for the producer, too
  ((${#running[@]} == 0)) || wait "${running[@]}" || true
  running=()
}
# Both jobs commit further batches.
await_recovery() {
  local job before
  for job in "$words_job" "$totals_job"; do
    before=$(batches "$job" || true)  # nothing, while there is no driver
    wait_until "$recovery_s" committed_past "$job" $((${before:-0} + 3)) \
      || stuck "$job" "commits nothing for $recovery_s s after fault $fault_number"
  done
}

# ---- the faults ----

RANDOM=$seed
read -ra all_faults <<< "$faults"
fault_number=0 worst=0 running=()
until_ms=$(($(now_ms) + minutes * 60000))
say "$minutes minutes of faults, seed $seed"
while (($(now_ms) < until_ms)); do
  sleep "$(some_seconds 0 2)"
  fault_number=$((fault_number + 1))
  fault=${all_faults[RANDOM % ${#all_faults[@]}]}
  chosen=$RANDOM  # the fault's own choices follow from the seed as well
  (
    # shellcheck disable=SC2030,SC2031
    RANDOM=$chosen
    "$fault" > "$work/fault-$fault_number.log" 2>&1 || true
    grep -h 'fault ' "$work/fault-$fault_number.log" || say "fault $fault_number: $fault found nothing to do"
  ) &
  running+=($!)
  # shellcheck disable=SC2031
  if ((RANDOM % 4 == 0)); then continue; fi  # the next one comes while this one lasts
  await_faults
  healed=$(now_ms)
  await_recovery
  took=$(($(now_ms) - healed))
  if ((took > worst)); then worst=$took; fi
done
await_faults

# ---- the end: everything that was sent is processed, and compared ----

kill "$producer" 2> /dev/null || true
pkill -P $$ -f 'millrace_kafka_tool produce' || true
sleep 1
"$tool" words lines --brokers "$brokers" > "$work/words" 2> "$work/words.log" || give_up "the input could not be read: $(cat "$work/words.log")"
records=$(awk '/ records$/ {print $1}' "$work/words.log")
say "$fault_number faults; $records lines were sent"
for job in "$words_job" "$totals_job"; do
  wait_until 120 has_records "$job" "$records" \
    || stuck "$job" "committed $(job_field "$job" .records) of $records records, two minutes after the last fault"
  millrace stop "$job" > /dev/null 2>&1 || true
  wait_until 40 job_is "$job" STOPPED || give_up "job $job does not stop"
done
"$tool" sum counts --brokers "$brokers" > "$work/counts" || give_up "the counts could not be read"
"$tool" words lines --brokers "$brokers" --prefix 4 > "$work/prefixes" || give_up "the input could not be read"
"$tool" totals totals --brokers "$brokers" > "$work/totals" 2> "$work/totals.log" || give_up "the totals could not be read"
compare_counts "$work/words" "$work/counts"
say "word count: lost=$lost duplicated=$duplicated"
lost_all=$lost duplicated_all=$duplicated
compare_counts "$work/prefixes" "$work/totals"
repeated=$(sed -n 's/^repeated=//p' "$work/totals.log")
say "running totals: lost=$lost duplicated=$duplicated, $repeated totals came twice or went back"
lost_all=$((lost_all + lost))
duplicated_all=$((duplicated_all + duplicated + repeated))
for job in "$words_job" "$totals_job"; do
  job_field "$job" '"\(.name): runner_failures=\(.runner_failures) task_retries=\(.task_retries) batches=\(.batches_committed)"'
done
result "faults=$fault_number lost=$lost_all duplicated=$duplicated_all worst_recovery_ms=$worst seed=$seed"
((lost_all == 0 && duplicated_all == 0 && records > 0 && fault_number * 10 >= minutes * 33))
