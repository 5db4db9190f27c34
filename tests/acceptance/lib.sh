# Shared by the acceptance tests; sourced, not run. Gives a work directory that goes away, a clean end of every process that was
# started, and small helpers. A test sets NAME before it sources this, and ends with `result key=value …`, or with `give_up WHY`.
# shellcheck shell=bash disable=SC2034
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build_dir=${MILLRACE_BUILD_DIR:-$root/build/release}
cluster=$root/scripts/local_cluster.sh
kafka=$root/scripts/servers/kafka.sh
s3=$root/scripts/servers/s3.sh
rabbitmq=$root/scripts/servers/rabbitmq.sh
work=$(mktemp -d "${TMPDIR:-/tmp}/millrace-${NAME:?}.XXXXXX")
cluster_dir=$work/cluster
kafka_options=()
s3_options=()
rabbitmq_options=()
cluster_options=()  # of local_cluster.sh start
at_end=()  # commands, run last one first
export LC_ALL=C PATH=$build_dir/bin:$PATH

say() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*"; }

finish() {
  local status=$? i
  trap '' INT TERM
  for ((i = ${#at_end[@]} - 1; i >= 0; --i)); do eval "${at_end[i]}" > /dev/null 2>&1 || true; done
  if [[ -f $cluster_dir/cluster.env ]]; then "$cluster" stop --dir "$cluster_dir" || true; fi
  if ((${#kafka_options[@]} > 0)); then "$kafka" stop "${kafka_options[@]}" || true; fi
  if ((${#s3_options[@]} > 0)); then "$s3" stop "${s3_options[@]}" || true; fi
  if ((${#rabbitmq_options[@]} > 0)); then "$rabbitmq" stop "${rabbitmq_options[@]}" || true; fi
  if ((status != 0)) && [[ -n ${MILLRACE_KEEP:-} ]]; then
    echo "kept for a look: $work"
  else
    rm -rf --one-file-system "$work"
  fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

# The last line of a test. `give_up` prints it too, so that a reader finds one in any case.
result() { echo "RESULT $NAME $*"; }
give_up() {
  echo "$NAME: $*" >&2
  for log in "$cluster_dir"/driver*.log "$cluster_dir"/executor-*.log; do
    if [[ -f $log ]]; then
      echo "--- the end of ${log#"$work"/}" >&2
      tail -n 15 "$log" >&2
    fi
  done
  result "${failed_result:-failed=1}"
  exit 1
}

# Options of a test, "--NAME VALUE", or "--NAME" alone for those that are given as NAME!, which sets 1. The value goes into the variable of
# that name, with _ for -; anything else prints the comment at the head of the script.
take_options() {  # "NAME…" ARGUMENT…
  local known=" $1 " name
  shift
  while (($# > 0)); do
    name=${1#--}
    if [[ $1 == --* && $known == *" $name "* ]]; then
      printf -v "${name//-/_}" %s "${2:?$1 needs a value}"
      shift
    elif [[ $1 == --* && $known == *" $name! "* ]]; then
      printf -v "${name//-/_}" 1
    else
      sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$0" >&2
      exit 2
    fi
    shift
  done
}

need_programs() {
  local program
  for program in "$@"; do
    [[ -e $build_dir/$program ]] || give_up "there is no $build_dir/$program; build first: cmake --preset release && cmake --build --preset release"
  done
}

# A TCP port of the loopback that nobody listens on now. Servers of tests keep to ports below the ephemeral ones.
free_port() {  # [HOW MANY IN A ROW]
  local port i ok
  for _ in $(seq 200); do
    port=$((20000 + RANDOM % 12000))
    ok=1
    for ((i = 0; i < ${1:-1}; ++i)); do
      if (exec 3<> "/dev/tcp/127.0.0.1/$((port + i))") 2> /dev/null; then ok=0; fi
    done
    if ((ok)); then echo "$port" && return; fi
  done
  give_up "no free port"
}

start_cluster() {
  port=$(free_port 8)  # several drivers, and an etcd
  "$cluster" start --dir "$cluster_dir" --port "$port" --build-dir "$build_dir" "${cluster_options[@]}" || give_up "the cluster did not start"
  eval "$(on_cluster env | grep MILLRACE_)"
}
on_cluster() { "$cluster" "$@" --dir "$cluster_dir"; }


start_kafka() {
  local first
  first=$(free_port 3)
  kafka_options=(--port "$first" --data "$work/kafka")
  brokers=127.0.0.1:$first
  "$kafka" start "${kafka_options[@]}" || give_up "no Kafka broker; see the lines above"
}

# A real S3 server, in which executors of a cluster that is started from here on keep their checkpoints.
start_s3() {
  local first
  first=$(free_port)
  s3_options=(--port "$first" --data "$work/s3")
  "$s3" start "${s3_options[@]}" || give_up "no S3 server; see the lines above"
  export AWS_ACCESS_KEY_ID=millrace AWS_SECRET_ACCESS_KEY=millrace-secret-key
  cluster_options+=(--checkpoints s3://test/checkpoints --s3-endpoint "http://127.0.0.1:$first")
}

# A real RabbitMQ server, with TLS on the port after the plain one. Its password is in the file $work/rabbitmq/password.
start_rabbitmq() {
  rabbitmq_port=$(free_port 4)
  rabbitmq_options=(--port "$rabbitmq_port" --data "$work/rabbitmq" --tls)
  "$rabbitmq" start "${rabbitmq_options[@]}" || give_up "no RabbitMQ server; see the lines above"
}

# Submits and prints the job's id.
submit() {  # LIBRARY [options of millrace submit]
  millrace submit "$@" 2> "$work/submit.err" || give_up "submit $1: $(cat "$work/submit.err")"
}

# A field of a job's status, by a jq path.
job_field() {  # JOB PATH
  millrace status "$1" -o json --batches 1 2> /dev/null | jq -r "$2" 2> /dev/null
}

now_ms() { date +%s%3N; }

# Waits until a command succeeds; fails after so many seconds.
wait_until() {  # SECONDS COMMAND...
  local deadline=$(($(now_ms) + $1 * 1000))
  shift
  until "$@"; do
    (($(now_ms) < deadline)) || return 1
    sleep 0.1
  done
}

job_is() { [[ $(job_field "$1" .state) == "JOB_STATE_$2" ]]; }  # JOB STATE
has_records() { (($(job_field "$1" .records || echo 0) >= $2)) 2> /dev/null; }  # JOB AT-LEAST

# Adds up the lines "word<TAB>count" that a files sink wrote to a directory, and prints them sorted.
sum_counts() {  # DIRECTORY
  find "$1" -maxdepth 1 -name '*.txt' -print0 | xargs -0 -r cat \
    | awk -F'\t' '{n[$1] += $2} END {for (w in n) printf "%s\t%d\n", w, n[w]}' | sort
}

# Compares two sorted files of "word<TAB>count": sets lost and duplicated to how many words are too few and too many.
compare_counts() {  # EXPECTED ACTUAL
  read -r lost duplicated < <(join -t $'\t' -a 1 -a 2 -e 0 -o 1.2,2.2 "$1" "$2" \
    | awk -F'\t' '{d = $1 - $2; if (d > 0) l += d; else u -= d} END {printf "%d %d\n", l, u}')
}
