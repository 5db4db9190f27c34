# The faults of scripts/chaos.sh; sourced, not run. Each function makes one fault, lets it last, heals it, and returns: it runs in the
# background, so that faults may overlap. What it does to a process it does under that process's lock, so that nobody restarts what
# another has just killed. Uses the variables and helpers of chaos.sh and of tests/acceptance/lib.sh.
# shellcheck shell=bash disable=SC2154

between() { echo $(($1 + RANDOM % ($2 - $1 + 1))); }              # LOW HIGH
some_seconds() { printf '%d.%03d\n' "$(between "$1" "$2")" "$(between 0 999)"; }
any_executor() { between 1 "$executors"; }
any_job() { if ((RANDOM % 2)); then echo "$words_job"; else echo "$totals_job"; fi; }
tell() { say "fault $fault_number: $*"; }
locked() {  # NAME COMMAND...
  local lock=$work/lock-$1
  shift
  (flock 9 && "$@" 9>&-) 9> "$lock"
}

# Starts a daemon as a service manager does: again, when it ended at its start. A driver that finds its disk full does.
supervised() {  # start-driver | start-executor N
  local tries
  for ((tries = 0; tries < 5; ++tries)); do
    if on_cluster "$@"; then return; fi
  done
  return 1
}

# ---- killed ----

kill_runner() {
  local job n
  job=$(any_job) n=$(any_executor)
  tell "SIGKILL to the runner of $job on executor-$n"
  on_cluster kill-runner "$job" "$n"
}

restart_executor() {
  on_cluster kill-executor "$1" || true  # it may have ended by itself
  sleep "$2"
  supervised start-executor "$1"
}
kill_executor() {
  local n
  n=$(any_executor)
  tell "SIGKILL to executor-$n and so to its runners"
  locked "executor-$n" restart_executor "$n" "$(some_seconds 0 3)"
}

restart_driver() {
  on_cluster kill-driver || true
  sleep "$1"
  supervised start-driver
}
kill_driver() {
  tell "SIGKILL to the driver"
  locked driver restart_driver "$(some_seconds 0 3)"
}

restart_all() {
  local n
  on_cluster kill-driver || true
  for ((n = 1; n <= executors; ++n)); do on_cluster kill-executor "$n" || true; done
  supervised start-driver
  for ((n = 1; n <= executors; ++n)); do supervised start-executor "$n" || true; done
}
kill_all() {
  tell "SIGKILL to everything at once"
  locked driver locked executor-1 locked executor-2 locked executor-3 restart_all
}

restart_broker() {
  "$kafka" kill "${kafka_options[@]}" && sleep "$1" && "$kafka" start "${kafka_options[@]}"
}
kill_broker() {
  tell "SIGKILL to the broker"
  locked broker restart_broker "$(some_seconds 0 2)"
}

# ---- frozen, and back as if nothing had been ----

freeze() {  # SECONDS PID
  kill -STOP "$2" || return
  sleep "$1"
  kill -CONT "$2"
}
freeze_runner() {
  local job n pid seconds
  job=$(any_job) n=$(any_executor) seconds=$(some_seconds 1 9)
  pid=$(on_cluster pid runner "$job" "$n") || return 0
  tell "the runner of $job on executor-$n is frozen for $seconds s"
  freeze "$seconds" "$pid"
}
freeze_executor() {
  local n pid seconds
  n=$(any_executor) seconds=$(some_seconds 1 9)
  pid=$(on_cluster pid executor "$n") || return 0
  tell "executor-$n is frozen for $seconds s"
  freeze "$seconds" "$pid"
}
freeze_driver() {
  local pid seconds
  seconds=$(some_seconds 1 9)
  pid=$(on_cluster pid driver) || return 0
  tell "the driver is frozen for $seconds s"
  freeze "$seconds" "$pid"
}

# ---- cut off: what goes to or comes from a port is dropped, in this test's own network namespace ----

cut() {  # PORT SECONDS
  local table=cut_$fault_number
  nft -f - << NFT
table inet $table {
  chain in { type filter hook input priority 0; tcp dport $1 drop; tcp sport $1 drop; }
}
NFT
  sleep "$2"
  nft delete table inet "$table"
}
cut_driver() {
  local seconds
  seconds=$(some_seconds 1 9)
  tell "nobody reaches the driver for $seconds s"
  cut "$port" "$seconds"
}
cut_broker() {
  local seconds
  seconds=$(some_seconds 1 6)
  tell "nobody reaches the broker for $seconds s"
  cut "${brokers##*:}" "$seconds"
}
cut_runner() {
  local job n pid its_port seconds
  job=$(any_job) n=$(any_executor) seconds=$(some_seconds 1 9)
  pid=$(on_cluster pid runner "$job" "$n") || return 0
  its_port=$(ss -Hltnp | sed -nE "s/.*127\.0\.0\.1\]?:([0-9]+) .*pid=$pid,.*/\1/p" | head -n 1)
  [[ -n $its_port ]] || return 0
  tell "no peer reaches the runner of $job on executor-$n for $seconds s"
  cut "$its_port" "$seconds"
}

# ---- full ----

fill_disk() {
  local seconds
  seconds=$(some_seconds 1 5)
  tell "the disk of driver, executors and checkpoints is full for $seconds s"
  locked disk fill "$seconds"
}
fill() {
  dd if=/dev/zero of="$work/disk/filler" bs=1M status=none 2> /dev/null || true
  sleep "$1"
  rm -f "$work/disk/filler"
}
