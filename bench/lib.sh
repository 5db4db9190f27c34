# Shared by the benchmarks that stand beside peers; sourced after tests/acceptance/lib.sh, not run. A drain is a backlog in Kafka that is
# worked off; every system's is sampled in the same way, as lines "nanoseconds,records,processor ticks,resident KiB" of all its
# processes, and reduced to its steady state.
# shellcheck shell=bash disable=SC2154

# The steady state: between the first sample with 45 % of the records and the first with 97 %. Prints
#   records a second, processor seconds per million records, peak MiB
steady() {  # CSV
  awk -F, 'NF == 4 {t[++n] = $1; r[n] = $2; c[n] = $3; if ($4 > peak) peak = $4}
    END {
      for (i = 1; i <= n; ++i) {
        if (!a && r[i] > 0 && r[i] >= 0.45 * r[n]) a = i
        if (!b && r[i] >= 0.97 * r[n]) b = i
      }
      if (!a || !b || r[b] == r[a]) {a = 1; b = n}
      records = r[b] - r[a]; seconds = (t[b] - t[a]) / 1e9; cpu = (c[b] - c[a]) / 100
      printf "%.0f %.3f %.0f\n", records / seconds, cpu / records * 1e6, peak / 1024
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
