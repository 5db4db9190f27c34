# Shared by the benchmarks that stand beside peers; sourced after tests/acceptance/lib.sh, not run. A drain is a backlog in Kafka that is
# worked off; every system's is sampled in the same way, as lines "nanoseconds,records,processor ticks,resident KiB" of all its
# processes, and reduced to its steady state. Millrace maps what is in no batch yet, so within a part of a run it may have done work for
# records that are not counted there: its processor time is therefore that of the whole run, from the start of its runners on.
# shellcheck shell=bash disable=SC2154,SC2034

# The steady state: between the first sample with 45 % of the records and the first with 97 %. Prints
#   records a second, processor seconds per million records, peak MiB
steady() {  # CSV [whole]
  awk -F, -v whole="${2:-}" 'NF == 4 {t[++n] = $1; r[n] = $2; c[n] = $3; if ($4 > peak) peak = $4}
    END {
      for (i = 1; i <= n; ++i) {
        if (!a && r[i] > 0 && r[i] >= 0.45 * r[n]) a = i
        if (!b && r[i] >= 0.97 * r[n]) b = i
      }
      if (!a || !b || r[b] == r[a]) {a = 1; b = n}
      records = r[b] - r[a]; seconds = (t[b] - t[a]) / 1e9; cpu = (c[b] - c[a]) / 100 / records
      if (whole) cpu = c[n] / 100 / r[n]
      printf "%.0f %.3f %.0f\n", records / seconds, cpu * 1e6, peak / 1024
    }' "$1"
}

# Processor ticks, and resident KiB, of processes that may have ended.
usage_of() {  # PID…
  local pid stat ticks=0 kib=0
  for pid in "$@"; do
    stat=$(cat "/proc/$pid/stat" 2> /dev/null) || continue
    stat=${stat##*) }
    # shellcheck disable=SC2086
    set -- $stat
    ticks=$((ticks + ${12} + ${13}))
    kib=$((kib + ${22} * 4))
  done
  echo "$ticks,$kib"
}

# Samples a job of the test's cluster until it has this many records.
sample_job() {  # JOB RECORDS CSV
  local pids n records=0 deadline=$(($(now_ms) + 300000))
  pids=$(on_cluster pid driver)
  for ((n = 1; n <= executors; ++n)); do pids+=" $(on_cluster pid executor "$n") $(on_cluster pid runner "$1" "$n")"; done
  while ((records < $2 && $(now_ms) < deadline)); do
    records=$(job_field "$1" .records || echo 0)
    # shellcheck disable=SC2086
    echo "$(date +%s%N),${records:-0},$(usage_of $pids)" >> "$3"
    sleep 0.1
  done
  ((records >= $2))
}

median() { sort -g | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
best() { sort -g | head -n 1; }
spread() { sort -g | awk '{v[NR] = $1} END {printf "%s / %s / %s", v[1], v[int((NR + 1) / 2)], v[NR]}'; }  # min, median, max
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f", (b > 0 ? a / b : 0)}'; }

# ---- a drain beside peers ----
#
# A script sets NAME, usage, and
#   drain_data       kind of data of millrace_bench_gen
#   drain_job        the peers' name of the job
#   drain_records    how many records
#   drain_batch      records a batch of the peers that have batches
#   drain_wanted     sum over the first column of what Millrace writes; 0: not checked here
#   drain_aim        ratios that must be reached: "spark=4 flink=7"
# and may set
#   drain_library    Millrace's job, when it is not named like the script; drain_arguments: options of submit for it
#   drain_total      a function: how many records there are in all topics, when it is not RECORDS
#   drain_topics     what the peers read, when it is not input
#   drain_more       a function that makes and fills more topics than `input`
#   drain_agrees     1: a peer's sum ("out=") must be the wanted one, less what is open when it ends, at most a seventh
# and calls drain "$@". Options: --peers A,B --records N --runs R --executors N --interval D.
drain_arguments=()
drain_total() { echo "$1"; }

drain() {
  peers='' runs=3 executors=2 interval=1s records=$drain_records
  while (($# > 0)); do
    case $1 in
      --peers) peers=${2:?} && shift ;;
      --records | --lines) records=${2:?} && shift ;;
      --runs) runs=${2:?} && shift ;;
      --executors) executors=${2:?} && shift ;;
      --interval) interval=${2:?} && shift ;;
      *)
        sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$root/bench/$NAME.sh" >&2
        exit 2
        ;;
    esac
    shift
  done
  failed_result="cpu_s_per_million=0"
  need_programs bin/millrace "bench/${drain_library:=$NAME}.so" bench/millrace_bench_gen tests/tools/millrace_kafka_tool
  IFS=, read -ra peer_names <<< "$peers"
  build_peers
  start_kafka
  "$kafka" topic input 4 "${kafka_options[@]}" > /dev/null
  "$build_dir/bench/millrace_bench_gen" "$drain_data" "$records" --topic input --brokers "$brokers" || give_up "the data could not be sent"
  if declare -F drain_more > /dev/null; then drain_more "$records"; fi
  wanted=$(drain_wanted "$records")
  total=$(drain_total "$records")
  printf '%-12s %12s %18s %10s\n' system records/s 'CPU s per million' 'peak MiB'
  local run peer
  for ((run = 1; run <= runs; ++run)); do
    drain_millrace "$run"
    for peer in "${peer_names[@]}"; do drain_peer "$peer" "$run"; done
  done
  conclude
}

build_peers() {
  local peer
  for peer in "${peer_names[@]}"; do
    "$root/bench/peers/run.sh" build "$peer" > "$work/build-$peer.log" 2>&1 || give_up "the peer $peer cannot be built: $(tail -n 3 "$work/build-$peer.log")"
  done
}

# Adds a run's figures to those of its system and prints them.
note() {  # SYSTEM CSV
  local rate cpu peak whole=''
  if [[ $1 == millrace ]]; then whole=1; fi
  read -r rate cpu peak < <(steady "$2" "$whole")
  echo "$rate" >> "$work/rate-$1"
  echo "$cpu" >> "$work/cpu-$1"
  echo "$peak" >> "$work/peak-$1"
  printf '%-12s %12s %18s %10s\n' "$1" "$rate" "$cpu" "$peak"
}

drain_millrace() {  # RUN
  local job sum settled
  "$kafka" topic "out-$1" 4 "${kafka_options[@]}" > /dev/null
  cluster_options=(--executors "$executors" --slots $((2 / executors > 0 ? 2 / executors : 1)) --memory 512MiB)
  start_cluster > /dev/null
  job=$(submit "$build_dir/bench/$drain_library.so" --arg "brokers=$brokers" --arg in=input --arg "out=out-$1" --arg "interval=$interval" \
    "${drain_arguments[@]}")
  wait_until 30 job_is "$job" RUNNING || give_up "the job is not running: $(job_field "$job" .notice)"
  sample_job "$job" "$total" "$work/millrace-$1.csv" || give_up "the backlog is not worked off: $(job_field "$job" '.state, .notice, .error' | tr '\n' ' ')"
  settled=$(($(job_field "$job" .batches_committed) + 3))  # windows close when later batches say how far time is
  wait_until 60 has_batches "$job" "$settled" || give_up "no more batches are committed"
  millrace stop "$job" > /dev/null 2>&1 || true
  wait_until 60 job_is "$job" STOPPED || give_up "the job does not stop"
  on_cluster stop
  rm -rf --one-file-system "$cluster_dir"
  # Each record is "sum<TAB>keys" of a reduce partition in a batch.
  sum=$("$build_dir/tests/tools/millrace_kafka_tool" dump "out-$1" --brokers "$brokers" 2> /dev/null | awk '{n += $1} END {printf "%.0f", n}')
  ((sum == wanted)) || give_up "run $1 gave $sum, and should have given $wanted"
  note millrace "$work/millrace-$1.csv"
}

has_batches() { (($(job_field "$1" .batches_committed || echo 0) >= $2)) 2> /dev/null; }  # JOB AT-LEAST

drain_peer() {  # PEER RUN
  local counted out end=$total
  if [[ $1 == flink ]]; then end=$((total - 2048)); fi  # it counts in steps of 256, on each of its threads
  "$root/bench/peers/run.sh" run "$1" "$drain_job" "${drain_topics:-input}" "brokers=$brokers" "csv=$work/$1-$2.csv" "perBatch=$drain_batch" "end=$end" \
    > "$work/$1.log" 2> "$work/$1.err" || give_up "$1: $(tail -n 5 "$work/$1.err")"
  counted=$(sed -nE 's/^end records=([0-9]+) .*/\1/p' "$work/$1.log")
  ((counted >= end)) || give_up "$1 counted ${counted:-no} of $end records"
  if ((${drain_agrees:-0})); then
    out=$(sed -nE 's/^end .* out=([0-9]+) .*/\1/p' "$work/$1.log")
    awk -v o="${out:-0}" -v w="$wanted" 'BEGIN {exit !(o <= w && o >= 0.857 * w)}' || give_up "$1 gave ${out:-nothing}, and should have given $wanted"
  fi
  note "$1" "$work/$1-$2.csv"
}

# The table, the ratios to the medians, and whether the aims are reached.
conclude() {
  local cpu figures peer system its passed=1 aim
  cpu=$(median < "$work/cpu-millrace")
  figures="cpu_s_per_million=$cpu"
  for peer in "${peer_names[@]}"; do
    its=$(ratio "$(median < "$work/cpu-$peer")" "$cpu")
    figures+=" ${peer}_ratio=$its ${peer}_rate_ratio=$(ratio "$(median < "$work/rate-millrace")" "$(median < "$work/rate-$peer")")"
    figures+=" ${peer}_memory_ratio=$(ratio "$(median < "$work/peak-$peer")" "$(median < "$work/peak-millrace")")"
    aim=$(tr ' ' '\n' <<< "$drain_aim" | sed -n "s/^$peer=//p")
    awk -v r="$its" -v w="${aim:-0}" 'BEGIN {exit !(r >= w)}' || passed=0
  done
  echo
  for system in millrace "${peer_names[@]}"; do
    printf '%-12s records/s %s   CPU s per million %s   peak MiB %s   (min / median / max)\n' "$system" "$(spread < "$work/rate-$system")" \
      "$(spread < "$work/cpu-$system")" "$(spread < "$work/peak-$system")"
  done
  result "$figures ${drain_rate_name:-records_per_s}=$(median < "$work/rate-millrace") peak_mib=$(median < "$work/peak-millrace")"
  ((passed))
}
