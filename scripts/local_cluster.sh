#!/usr/bin/env bash
# A whole cluster on this machine: certificates, one driver or several, some executors, all on the loopback, each a process of its own.
# Used by scripts/quickstart.sh, by the acceptance tests, and by hand.
set -euo pipefail

usage() {
  cat <<'USAGE'
usage: local_cluster.sh start [options]           make what is missing, start all, wait until every executor is connected
       local_cluster.sh stop [options]            stop all of it (TERM, after 10 s KILL)
       local_cluster.sh status [options]          which processes live; exit 0 if all do
       local_cluster.sh env [options]             print the exports that `millrace` needs
       local_cluster.sh start-driver [I] | kill-driver [I]     [options]
       local_cluster.sh launch-driver [I]         [options]    as start-driver, but does not wait until it answers
       local_cluster.sh start-executor N | kill-executor N     [options]
       local_cluster.sh kill-runner JOB-ID N      [options]    SIGKILL to that job's runner on executor N
       local_cluster.sh pid driver [I] | executor N | runner JOB-ID N [options]
       local_cluster.sh leader [options]          print the number of the driver that leads; exit 1 if none does

  --dir D         where certificates, data, logs and pidfiles live  (default: build/local-cluster in the source tree)
  --executors N   how many                                          (default: 2)
  --drivers N     how many; several elect one of them through etcd  (default: 1)
  --etcd URLS     that etcd, "http://HOST:PORT,…"                   (default: one of its own, which needs etcd installed)
  --port P        of the driver; of several the first, and the next ones follow; then two for etcd (default: 17077)
  --build-dir B   where bin/ is                                     (default: build/release in the source tree)
  --slots S       tasks at once on each executor                    (default: 2)
  --memory M      budget of each runner, for blocks and state       (default: 256MiB)
  --checkpoints P a folder or s3://bucket/prefix                    (default: D/checkpoints)
  --driver-options "KEY=VALUE …"   further settings of the driver: "checkpoints_kept=2"
  --s3-endpoint U of the S3 store, whose credentials are in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)

What `start` was told is kept in D/cluster.env, so that later commands need --dir alone. kill-* sends SIGKILL, as a crash would.
USAGE
}

fail() {
  echo "local_cluster.sh: $1" >&2
  exit "${2:-1}"
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
dir=$root/build/local-cluster
declare -A given=()
words=()
while (($# > 0)); do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --dir | --executors | --drivers | --etcd | --port | --build-dir | --slots | --memory | --checkpoints | --s3-endpoint | --driver-options)
      (($# > 1)) || fail "$1 needs a value" 2
      if [[ $1 == --dir ]]; then dir=$2; else given[$1]=$2; fi
      shift
      ;;
    -*) fail "unknown option $1 (--help lists them)" 2 ;;
    *) words+=("$1") ;;
  esac
  shift
done
command=${words[0]:-}

executors=2 drivers=1 etcd='' port=17077 build_dir=$root/build/release slots=2 memory=256MiB \
  checkpoints=$dir/checkpoints s3_endpoint='' driver_options=''
if [[ -f $dir/cluster.env ]]; then
  # shellcheck source=/dev/null
  source "$dir/cluster.env"
fi
executors=${given[--executors]:-$executors}
drivers=${given[--drivers]:-$drivers}
etcd=${given[--etcd]:-$etcd}
port=${given[--port]:-$port}
build_dir=${given[--build-dir]:-$build_dir}
slots=${given[--slots]:-$slots}
memory=${given[--memory]:-$memory}
checkpoints=${given[--checkpoints]:-$checkpoints}
s3_endpoint=${given[--s3-endpoint]:-$s3_endpoint}
driver_options=${given[--driver-options]:-$driver_options}
[[ $memory =~ ^[1-9][0-9]*[KMG]iB$ ]] || fail "'$memory' is not a size like 256MiB" 2
for number in "$executors" "$drivers" "$port" "$slots"; do
  [[ $number =~ ^[1-9][0-9]{0,4}$ ]] || fail "'$number' is not a number from 1 to 99999" 2
done

# ---- drivers ----

# A driver alone is called "driver", several are driver-1, driver-2 …
driver_name() {  # [I]
  local i=${1:-1}
  if [[ ! $i =~ ^[1-9][0-9]*$ ]] || ((i > drivers)); then fail "drivers are numbered 1 to $drivers" 2; fi
  if ((drivers == 1)); then echo driver; else echo "driver-$i"; fi
}

driver_names() {
  local i
  for ((i = 1; i <= drivers; ++i)); do driver_name "$i"; done
}

driver_address() { echo "127.0.0.1:$((port + $1 - 1))"; }  # I

driver_addresses() {
  local i list=''
  for ((i = 1; i <= drivers; ++i)); do list+=",$(driver_address "$i")"; done
  echo "${list#,}"
}

own_etcd() { "$root/scripts/servers/etcd.sh" "$1" --port $((port + drivers)) --data "$dir/etcd"; }  # COMMAND

# ---- processes ----

# Prints the pid of a daemon of this cluster if it lives. The command line is compared, for pids come again.
pid_of() {  # NAME
  local pid
  pid=$(cat "$dir/$1.pid" 2> /dev/null) || return 1
  [[ -n $pid ]] && grep -qszxF -- "$dir/$1.yaml" "/proc/$pid/cmdline" && echo "$pid"
}

parent_of() {  # PID
  local stat
  stat=$(cat "/proc/$1/stat" 2> /dev/null) || return 1
  stat=${stat##*) }  # the name may hold anything
  cut -d' ' -f2 <<< "$stat"
}

runner_pid() {  # JOB EXECUTOR
  local executor pid
  executor=$(pid_of "executor-$2") || return 1
  while IFS=/ read -r _ _ pid _; do
    [[ $(parent_of "$pid") == "$executor" ]] && echo "$pid" && return 0
  done < <(grep -lszxF -- "$1" /proc/[0-9]*/cmdline || true)
  return 1
}

# Waits until a command succeeds, at most so many tenths of a second.
wait_for() {  # TENTHS COMMAND...
  local left=$1
  shift
  until "$@"; do
    ((left-- > 0)) || return 1
    sleep 0.1
  done
}

# Whoever has inherited a daemon may take its time to bury it: a zombie is gone.
is_gone() { ! kill -0 "$1" 2> /dev/null || grep -q '^State:.Z' "/proc/$1/status" 2> /dev/null; }

launch() {  # NAME PROGRAM
  if pid_of "$1" > /dev/null; then return; fi
  [[ -x $build_dir/bin/$2 ]] || fail "there is no $build_dir/bin/$2; build it, or say --build-dir"
  setsid "$build_dir/bin/$2" --config "$dir/$1.yaml" >> "$dir/$1.log" 2>&1 < /dev/null 8>&- 9>&- &
  echo $! > "$dir/$1.pid"
  disown
}

kill_hard() {  # NAME
  local pid
  pid=$(pid_of "$1") || fail "$1 is not running"
  kill -KILL "$pid"
  wait_for 50 is_gone "$pid" || fail "$1 ($pid) is still there after SIGKILL"
}

# Ends daemons, all at once, and waits for them.
stop_these() {  # NAME...
  local name pid
  for name in "$@"; do
    if pid=$(pid_of "$name"); then kill -TERM "$pid" 2> /dev/null || true; fi
  done
  for name in "$@"; do
    if pid=$(pid_of "$name") && ! wait_for 100 is_gone "$pid"; then
      echo "local_cluster.sh: $name ($pid) did not end within 10 s of SIGTERM; killed" >&2
      kill -KILL "$pid" 2> /dev/null || true
    fi
    rm -f "$dir/$name.pid"
  done
}

# ---- configuration ----

write_driver_config() {  # I
  cat > "$dir/$(driver_name "$1").yaml" <<YAML
driver:
  listen: $(driver_address "$1")
  data_dir: $dir/driver
$(for option in $driver_options; do echo "  ${option%%=*}: ${option#*=}"; done)
$(if ((drivers > 1)); then printf '  etcd:\n    endpoints: "%s"' "${etcd:-http://127.0.0.1:$((port + drivers))}"; fi)
tls:
  ca: $dir/pki/ca.crt
  cert: $dir/pki/driver.crt
  key: $dir/pki/driver.key
  issuer_cert: $dir/pki/runner-issuer.crt
  issuer_key: $dir/pki/runner-issuer.key
YAML
}

write_configs() {
  local n
  for ((n = 1; n <= drivers; ++n)); do write_driver_config "$n"; done
  for ((n = 1; n <= executors; ++n)); do
    cat > "$dir/executor-$n.yaml" <<YAML
executor:
  driver: "$(driver_addresses)"
  host: 127.0.0.1
  data_dir: $dir/executor-$n
  checkpoint_dir: $checkpoints
  drain: 6s
  slots: $slots
  memory: $memory
  s3:
    endpoint: "$s3_endpoint"
tls:
  ca: $dir/pki/ca.crt
  cert: $dir/pki/executor-$n.crt
  key: $dir/pki/executor-$n.key
YAML
  done
  printf 'executors=%q drivers=%q etcd=%q port=%q build_dir=%q slots=%q memory=%q checkpoints=%q s3_endpoint=%q driver_options=%q\n' \
    "$executors" "$drivers" "$etcd" "$port" "$build_dir" "$slots" "$memory" \
    "$checkpoints" "$s3_endpoint" "$driver_options" > "$dir/cluster.env"
}

# ---- readiness ----

millrace_at() { "$build_dir/bin/millrace" --tls-dir "$dir/pki" --timeout "$2" --driver "$1" "${@:3}"; }  # ADDRESSES TIMEOUT ARGS...
millrace() { millrace_at "$(driver_addresses)" 2s "$@"; }

connected() {
  millrace executors -o json 2> /dev/null | grep -c '"connected": *true' || true
}

all_connected() {
  local name
  for name in $(driver_names) $(executor_names); do
    # By the pid alone: a child that has not reached its exec yet has not its command line either, and has not ended.
    is_gone "$(cat "$dir/$name.pid")" || continue
    tail -n 5 "$dir/$name.log" >&2
    fail "$name ended; its log is $dir/$name.log"
  done
  (($(connected) >= executors))
}

executor_connected() {  # NAME
  millrace executors -o json 2> /dev/null | tr -d ' \n' | grep -qE "\"id\":\"$1\"[^}]*\"connected\":true"
}

# Leads, or says that it does not.
driver_answers() {  # I
  local words
  words=$(millrace_at "$(driver_address "$1")" 500ms executors 2>&1) || [[ $words == *"not the leader"* ]]
}

print_leader() {
  local i
  for ((i = 1; i <= drivers; ++i)); do
    if pid_of "$(driver_name "$i")" > /dev/null && millrace_at "$(driver_address "$i")" 300ms executors > /dev/null 2>&1; then
      echo "$i"
      return 0
    fi
  done
  return 1
}

executor_names() {
  local n
  for ((n = 1; n <= executors; ++n)); do echo "executor-$n"; done
}

# ---- commands ----

start() {
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  "$root/scripts/dev_certs.sh" "$dir/pki" --executors "$executors" > "$dir/certs.log"
  write_configs
  local name
  if ((drivers > 1)) && [[ -z $etcd ]]; then own_etcd start || fail "there is no etcd: see above, or say --etcd"; fi
  for name in $(driver_names); do launch "$name" millrace-driver; done
  for name in $(executor_names); do launch "$name" millrace-executor; done
  wait_for 300 all_connected || fail "after 30 s only $(connected) of $executors executors are connected; see $dir/*.log"
  echo "cluster ready: driver $(driver_addresses), $executors executors, in $dir"
}

stop() {
  local names
  mapfile -t names < <(executor_names)
  stop_these "${names[@]}"
  mapfile -t names < <(driver_names)
  stop_these "${names[@]}"
  if [[ -d $dir/etcd ]]; then own_etcd stop; fi
}

status() {
  local name pid all=0
  for name in $(driver_names) $(executor_names); do
    if pid=$(pid_of "$name"); then
      printf '%-12s pid %-8s log %s\n' "$name" "$pid" "$dir/$name.log"
    else
      printf '%-12s not running   log %s\n' "$name" "$dir/$name.log"
      all=1
    fi
  done
  return "$all"
}

print_env() {
  printf 'export MILLRACE_DRIVER=%q\n' "$(driver_addresses)"
  printf 'export MILLRACE_TLS_DIR=%q\n' "$dir/pki"
  printf 'export PATH=%q:"%s"\n' "$build_dir/bin" "\$PATH"
}

executor_name() {  # N
  if [[ ! ${1:-} =~ ^[1-9][0-9]*$ ]] || (($1 > executors)); then fail "executors are numbered 1 to $executors" 2; fi
  echo "executor-$1"
}

print_pid() {
  case ${words[1]:-} in
    driver) pid_of "$(driver_name "${words[2]:-}")" ;;
    executor) pid_of "$(executor_name "${words[2]:-}")" ;;
    runner) runner_pid "${words[2]:?JOB-ID}" "${words[3]:?N}" ;;
    *) fail "pid driver [I], pid executor N, or pid runner JOB-ID N" 2 ;;
  esac
}

if [[ -d $dir ]]; then dir=$(cd "$dir" && pwd); fi
case $command in
  start) start ;;
  stop) stop ;;
  status) status ;;
  env) print_env ;;
  start-driver)
    name=$(driver_name "${words[1]:-}")
    launch "$name" millrace-driver
    wait_for 100 driver_answers "${words[1]:-1}" || fail "$name does not answer; see $dir/$name.log"
    ;;
  kill-driver) kill_hard "$(driver_name "${words[1]:-}")" ;;
  leader) print_leader ;;
  launch-driver) launch "$(driver_name "${words[1]:-}")" millrace-driver ;;
  start-executor)
    name=$(executor_name "${words[1]:-}")
    launch "$name" millrace-executor
    wait_for 100 executor_connected "$name" || fail "$name is not connected after 10 s; see $dir/$name.log"
    ;;
  kill-executor) kill_hard "$(executor_name "${words[1]:-}")" ;;
  kill-runner)
    pid=$(runner_pid "${words[1]:?JOB-ID}" "${words[2]:?N}") || fail "executor ${words[2]} has no runner of ${words[1]}"
    kill -KILL "$pid"
    ;;
  pid) print_pid ;;
  '')
    usage >&2
    exit 2
    ;;
  *) fail "unknown command '$command' (--help lists them)" 2 ;;
esac
