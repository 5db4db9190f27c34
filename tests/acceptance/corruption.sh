#!/usr/bin/env bash
# Bytes that turn bad, under a running job: in its journal, in the blocks that runners keep on disk, and on the way between processes.
#
#   corruption.sh [--offsets N] [PART…]       (12 of each kind; journal blocks wire)
#
#   journal  the driver is killed (every other time all executors, too), and the end of its journal is cut, or one of its bytes flipped,
#            somewhere in the last three records. The next driver goes on exactly, or refuses the job with the name of the file, and
#            goes on exactly when the file is back
#   blocks   bytes all over the blocks on the disks are flipped, and a runner is killed, so that they are needed: they are made again
#   wire     an executor and its runners reach the driver through a relay that flips a byte now and then: TLS notices, streams are opened
#            again, and the job goes on
#
# The job counts how often each key was met, which follows from the record's number; it ends itself when its state is wrong. What it
# has put out is looked at in the end: each count of each key once, none left out. Ends with
#   RESULT corruption cases= wrong= crashes= refused= corrupt_blocks= damaged_bytes=
# where wrong counts lines too few or too many and jobs that failed, and crashes processes that a signal of their own ended.
set -euo pipefail
# shellcheck disable=SC2034
NAME=corruption
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

offsets=12 parts=()
while (($# > 0)); do
  case $1 in
    --offsets) offsets=${2:?} && shift ;;
    journal | blocks | wire) parts+=("$1") ;;
    *)
      sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
  shift
done
((${#parts[@]} > 0)) || parts=(journal blocks wire)
failed_result="cases=0 wrong=-1 crashes=-1"
tool=$build_dir/tests/tools/millrace_damage_tool
need_programs bin/millrace bench/recovery.so tests/tools/millrace_damage_tool
executors=3
# shellcheck disable=SC2034
cluster_options=(--executors "$executors" --memory 1MiB)
start_cluster
cases=0 wrong=0 refused=0 corrupt_blocks=0 damaged_bytes=0

# ---- the job ----

keys=30000
count_keys() {  # NAME [RATE [CHECKPOINT]]; sets job and output
  output=$work/$1
  mkdir -p "$output"
  job=$(submit "$build_dir/bench/recovery.so" --name "$1" --arg "keys=$keys" --arg "rate=${2:-30000}" --arg "checkpoint=${3:-3s}" \
    --arg "output=$output")
  wait_until 30 has_records "$job" $((2 * keys)) || give_up "the job does not begin: $(job_field "$job" .notice)"
}
committed_since() {  # MILLISECONDS
  [[ -n $(millrace status "$job" -o json --batches 50 2> /dev/null | jq -r --argjson from "$1" \
    '.batches[] | select(.committed and (.batch_time_us | tonumber) > $from * 1000) | .batch') ]]
}
# Batches that fall due from now on are committed. A job that has failed is wrong.
goes_on() {  # SECONDS
  local from deadline
  from=$(now_ms) deadline=$(($(now_ms) + $1 * 1000))
  until committed_since "$from"; do
    if job_is "$job" FAILED; then
      say "the job failed: $(job_field "$job" .error)"
      wrong=$((wrong + 1))
      return 1
    fi
    (($(now_ms) < deadline)) || give_up "no batch is committed: $(job_field "$job" '.state, .notice' | tr '\n' ' ')"
    sleep 0.1
  done
}
# Stops the job; adds to wrong the lines that are too few or too many.
end_job() {
  local bad
  millrace stop "$job" --drain 2> /dev/null || give_up "the job does not stop: $(job_field "$job" '.state, .error, .notice' | tr '\n' ' ')"
  bad=$(find "$output" -maxdepth 1 -name '*.tsv' -print0 | xargs -0 cat | awk -F'\t' '
    {++seen[$1 FS $2]; if ($2 > most[$1]) most[$1] = $2}
    END {
      for (line in seen) if (seen[line] != 1) ++bad
      for (key in most) for (i = 1; i <= most[key]; ++i) if (!((key FS i) in seen)) ++bad
      print bad + 0
    }')
  say "$(job_field "$job" .records) records, $bad lines too few or too many"
  wrong=$((wrong + bad))
}

# ---- the journal ----

executor_names() { seq 1 "$executors"; }
kill_all_executors() {
  local n
  for n in $(executor_names); do on_cluster kill-executor "$n"; done
}
start_all_executors() {
  local n
  for n in $(executor_names); do on_cluster start-executor "$n"; done
}

# Kills, damages, starts again. The journal that was there is kept for the case that the driver refuses what it finds.
journal_case() {  # cut|flip NUMBER
  local dir=$cluster_dir/driver/jobs/$job from size at all=0
  if (($2 % 2)); then all=1; fi
  on_cluster kill-driver
  if ((all)); then kill_all_executors; fi
  rm -rf "$work/kept" && cp -a "$dir" "$work/kept"
  size=$(stat -c %s "$dir/journal")
  from=$("$tool" records "$dir/journal" | tail -n 3 | head -n 1 | cut -d' ' -f1)
  # Spread over the last three records, the very first and the very last byte among them.
  at=$((from + (size - 1 - from) * ($2 - 1) / (offsets > 1 ? offsets - 1 : 1)))
  if [[ $1 == cut ]]; then truncate -s "$at" "$dir/journal"; else "$tool" flip "$dir/journal" "$at"; fi
  on_cluster start-driver
  if ((all)); then start_all_executors; fi
  cases=$((cases + 1))
  if job_is "$job" FAILED; then
    [[ $(job_field "$job" .error) == *"$dir/journal"* ]] || give_up "the file is not named: $(job_field "$job" .error)"
    [[ $("$tool" records "$dir/journal" | wc -l) -le $("$tool" records "$work/kept/journal" | wc -l) ]] || give_up "it was written to"
    refused=$((refused + 1))
    say "$1 at byte $((at - from)) of the last three records, all=$all: refused"
    on_cluster kill-driver
    rm -rf "$dir" && cp -a "$work/kept" "$dir"
    on_cluster start-driver
  else
    say "$1 at byte $((at - from)) of the last three records, all=$all: goes on"
  fi
  goes_on 40
}

part_journal() {
  local kind number
  count_keys journal
  for kind in cut flip; do
    for number in $(seq 1 "$offsets"); do journal_case "$kind" "$number" || return 0; done
  done
  end_job
}

# ---- blocks ----

tables() { find "$cluster_dir"/executor-*/runners/"$job" -name '*.sst' 2> /dev/null; }
has_tables() { [[ -n $(tables) ]]; }
found_damage() { (($(job_field "$job" .corrupt_blocks || echo 0) > 0)) 2> /dev/null; }

part_blocks() {
  local n table
  count_keys blocks 200000 8s
  for n in $(executor_names); do
    wait_until 20 has_tables || give_up "no block goes to disk"
    # The blocks since the last checkpoint: of whatever was written, some turns bad at once, while it is in use.
    for table in $(tables); do "$tool" flip "$table" 100 997 2> /dev/null || true; done
    on_cluster kill-runner "$job" "$n"
    cases=$((cases + 1))
    goes_on 40 || return 0
    wait_until 3 found_damage || true
    say "after runner $n: $(job_field "$job" .corrupt_blocks) damaged blocks found by the runners that live"
    corrupt_blocks=$((corrupt_blocks + $(job_field "$job" .corrupt_blocks)))
    sleep 1
  done
  ((corrupt_blocks > 0)) || give_up "no damaged block was ever read"
  end_job
}

# ---- the wire ----

part_wire() {
  local relay pid
  relay=$(free_port)
  "$tool" relay "$relay" "$port" 15000 > "$work/relay" &
  pid=$!
  at_end+=("kill $pid")
  wait_until 5 grep -q listening "$work/relay" || give_up "no relay"
  on_cluster kill-executor 3
  sed -i -E "s/^( *driver: ).*/\1\"127.0.0.1:$relay\"/" "$cluster_dir/executor-3.yaml"
  on_cluster start-executor 3
  count_keys wire
  sleep 15
  damaged_bytes=$(tail -n 1 "$work/relay" | cut -d' ' -f2)
  cases=$((cases + damaged_bytes))
  goes_on 40 || return 0
  say "$damaged_bytes bytes were damaged on the way"
  ((damaged_bytes >= 5)) || give_up "too little went through the relay"
  kill "$pid"
  end_job
}

for part in "${parts[@]}"; do
  say "$part"
  "part_$part"
done
crashes=$(cat "$cluster_dir"/executor-*.log | grep -cE 'runner ended .*(SIGSEGV|SIGABRT|SIGBUS|SIGILL|SIGFPE)' || true)
result "cases=$cases wrong=$wrong crashes=$crashes refused=$refused corrupt_blocks=$corrupt_blocks damaged_bytes=$damaged_bytes"
((wrong == 0 && crashes == 0))
