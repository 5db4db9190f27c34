#!/usr/bin/env bash
# Installs what tests need, builds, and runs every test: unit, simulation, connectors with a real Kafka broker and a real Cassandra,
# checkpoints in a real S3 store, the acceptance tests in their short form, and the quickstart. As root or with sudo; asks nothing. Prints
# at its end
#   N passed, N failed, N skipped
# and ends with 0 only if nothing failed. What needs a server that cannot be had here (no Maven, no network) is skipped by name;
# with MILLRACE_REQUIRE_SERVERS=1 that is a failure.
#
#   scripts/test.sh [--preset release] [--unit]     --unit: without the acceptance tests and the quickstart
# Logs of all tests: build/test-logs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

preset=release unit_only=0
while (($# > 0)); do
  case $1 in
    --preset)
      preset=${2:?--preset needs a name}
      shift
      ;;
    --unit) unit_only=1 ;;
    *)
      sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
  shift
done

build=$root/build/$preset
logs=$root/build/test-logs
rm -rf --one-file-system "$logs"
mkdir -p "$logs/gtest"
passed=0 failed=0 skipped=0
failures=()

step() { printf '\n== %s  (%d s)\n' "$*" "$SECONDS"; }
note_failure() {
  failed=$((failed + 1))
  failures+=("$1")
}
# A test that cannot run here.
skip() {  # NAME WHY
  echo "SKIPPED $1: $2"
  if [[ ${MILLRACE_REQUIRE_SERVERS:-0} == 1 ]]; then
    note_failure "$1 (skipped, and MILLRACE_REQUIRE_SERVERS=1: $2)"
  else
    skipped=$((skipped + 1))
  fi
}

stop_cassandra() {
  if [[ -z ${cassandra_data:-} ]]; then return 0; fi  # in a trap a bare return hands on the status of before
  scripts/servers/cassandra.sh kill --port "$cassandra_port" --data "$cassandra_data" || true
  rm -rf --one-file-system "$cassandra_data"
  cassandra_data=''
}
finish() {
  local failure
  if [[ -n ${broker_data:-} ]]; then scripts/servers/kafka.sh stop --port "$broker_port" --data "$broker_data" || true; fi
  stop_cassandra
  for failure in "${failures[@]}"; do echo "FAILED $failure"; done
  echo "$passed passed, $failed failed, $skipped skipped"
}

step "packages"
scripts/install_deps.sh --tests

step "build (preset $preset)"
cmake --preset "$preset"
cmake --build --preset "$preset"

# ---- ctest: what GoogleTest counts is counted case by case ----

have_kafka=0 kafka_why='Kafka could not be installed (Maven); see build/test-logs/kafka.log'
if scripts/servers/kafka.sh install > "$logs/kafka.log" 2>&1; then
  broker_port=$((20000 + RANDOM % 10000))
  broker_data=$(mktemp -d "${TMPDIR:-/tmp}/millrace-test-kafka.XXXXXX")
  if scripts/servers/kafka.sh start --port "$broker_port" --data "$broker_data" --secure >> "$logs/kafka.log" 2>&1; then
    have_kafka=1
    export MILLRACE_TEST_BROKERS=127.0.0.1:$broker_port MILLRACE_TEST_KAFKA_DATA=$broker_data
  else
    kafka_why='the Kafka broker did not start; see build/test-logs/kafka.log'
  fi
fi
trap finish EXIT

have_cassandra=0 cassandra_why='Cassandra could not be installed (Maven) or did not start; see build/test-logs/cassandra-server.log'
cassandra_port=$((20000 + RANDOM % 10000))
cassandra_data=$(mktemp -d "${TMPDIR:-/tmp}/millrace-test-cassandra.XXXXXX")
if timeout 900 scripts/servers/cassandra.sh start --auth --heap 384m --port "$cassandra_port" --data "$cassandra_data" > "$logs/cassandra-server.log" 2>&1; then
  have_cassandra=1
  export MILLRACE_TEST_CASSANDRA=127.0.0.1:$cassandra_port
fi
# Tests start S3 servers of their own, if there is one to start.
have_s3=0 s3_why='the S3 server could not be built (Go); see build/test-logs/s3.log'
if timeout 900 scripts/servers/s3.sh install > "$logs/s3.log" 2>&1; then have_s3=1; fi

# Tests of the Flume receiver start agents of their own, and skip themselves when there is none.
have_flume=0 flume_why='Flume could not be installed (Maven); see build/test-logs/flume.log'
if scripts/servers/flume.sh install > "$logs/flume.log" 2>&1; then have_flume=1; fi

have_etcd=0 etcd_why='etcd could not be installed (packages etcd-server, etcd-client); see build/test-logs/etcd.log'
if scripts/servers/etcd.sh install > "$logs/etcd.log" 2>&1; then have_etcd=1; fi

# The RabbitMQ tests start a server of their own too.
have_rabbitmq=0 rabbitmq_why='RabbitMQ could not be installed (package rabbitmq-server); see build/test-logs/rabbitmq.log'
if scripts/servers/rabbitmq.sh install > "$logs/rabbitmq.log" 2>&1; then have_rabbitmq=1; fi

# Adds one ctest entry to the sums: by its cases if GoogleTest wrote them down, else as one test.
count_ctest() {  # NAME STATUS(run|fail|notrun|disabled)
  local xml=$logs/gtest/$1.xml cases=0 bad=0 left=0
  if [[ -f $xml ]]; then
    cases=$(grep -c '<testcase ' "$xml" || true)
    left=$(grep -c 'result="skipped"' "$xml" || true)
    bad=$(awk '/<testcase /{open=1; counted=0} /<failure /{if (open && !counted) {n++; counted=1}} END {print n + 0}' "$xml")
  fi
  if ((cases == 0)); then
    case $2 in
      run) passed=$((passed + 1)) ;;
      fail) note_failure "$1" ;;
      *) skip "$1" "ctest did not run it" ;;
    esac
    return
  fi
  if [[ $2 == fail ]] && ((bad == 0)); then bad=1; fi  # it crashed, or took too long
  if ((bad > 0)); then
    failed=$((failed + bad))
    failures+=("$1 ($bad cases; build/test-logs/ctest.log)")
  fi
  passed=$((passed + cases - bad - left))
  if ((left > 0)); then
    while IFS= read -r name; do skip "$1 $name" "it skipped itself"; done \
      < <(grep 'result="skipped"' "$xml" | sed -E 's/.*<testcase name="([^"]*)".*classname="([^"]*)".*/\2.\1/')
  fi
}

step "ctest"
GTEST_OUTPUT="xml:$logs/gtest/" ctest --preset "$preset" -j "$(nproc)" --output-junit "$logs/ctest.xml" > "$logs/ctest.log" 2>&1 || true
tail -n 12 "$logs/ctest.log"
while read -r name status; do count_ctest "$name" "$status"; done \
  < <(sed -nE 's/.*<testcase name="([^"]*)".* status="([^"]*)".*/\1 \2/p' "$logs/ctest.xml")
if ((have_kafka == 0)) && [[ ${MILLRACE_REQUIRE_SERVERS:-0} == 1 ]]; then note_failure "Kafka: $kafka_why"; fi
if ((have_kafka)); then
  scripts/servers/kafka.sh stop --port "$broker_port" --data "$broker_data"
  rm -rf --one-file-system "$broker_data"
  broker_data=''
fi
if ((have_cassandra == 0)) && [[ ${MILLRACE_REQUIRE_SERVERS:-0} == 1 ]]; then note_failure "Cassandra: $cassandra_why"; fi
stop_cassandra
unset MILLRACE_TEST_BROKERS MILLRACE_TEST_CASSANDRA MILLRACE_TEST_KAFKA_DATA
((unit_only)) && { ((failed == 0)); exit; }

# ---- acceptance tests ----

acceptance() {  # NAME SECONDS COMMAND...
  local name=$1 limit=$2 begun=$SECONDS log=$logs/${1// /_}.log
  shift 2
  step "$name"
  if MILLRACE_BUILD_DIR=$build timeout --kill-after=30 "$limit" "$@" > "$log" 2>&1 < /dev/null; then
    passed=$((passed + 1))
  else
    tail -n 40 "$log"
    note_failure "$name (build/test-logs/${log##*/})"
  fi
  grep '^RESULT' "$log" | tail -n 1 || true
  echo "$((SECONDS - begun)) s"
}
with_kafka() {  # NAME SECONDS COMMAND...
  if ((have_kafka)); then acceptance "$@"; else skip "$1" "$kafka_why"; fi
}

with_s3() {  # NAME SECONDS COMMAND...
  if ((have_s3)); then acceptance "$@"; else skip "$1" "$s3_why"; fi
}

tests=tests/acceptance
acceptance "null_deref" 120 "$tests/null_deref.sh" --seconds 8
# Whether every process got its processor in time is the machine's doing; run alone, the script allows 1 %.
acceptance "empty_batches" 120 "$tests/empty_batches.sh" --late-max 0.2
if ((have_kafka)); then
  acceptance "bad_input" 600 "$tests/bad_input.sh"
else
  acceptance "bad_input" 600 "$tests/bad_input.sh" library upload tls start disk
  skip "bad_input kafka" "$kafka_why"
fi
acceptance "random_pipelines" 300 "$tests/random_pipelines.sh" --in-process 3000 --jobs 4 --per-job 40
acceptance "large_state" 300 "$tests/large_state.sh" --keys 1000000 --per-batch 50000 --checkpoint 1s --kill
acceptance "damaged_checkpoint" 300 "$tests/damaged_checkpoint.sh"
with_s3 "damaged_checkpoint --store s3" 120 "$tests/damaged_checkpoint.sh" --store s3 newest base
with_s3 "large_state --store s3" 300 "$tests/large_state.sh" --keys 300000 --per-batch 20000 --checkpoint 1s --kill --store s3
acceptance "checkpoint_garbage" 300 "$tests/checkpoint_garbage.sh"
with_s3 "files" 300 "$tests/files.sh" --records 80000
if ((have_rabbitmq)); then acceptance "rabbitmq" 400 "$tests/rabbitmq.sh" --records 60000; else skip "rabbitmq" "$rabbitmq_why"; fi
if ((have_flume)); then acceptance "flume" 300 "$tests/flume.sh" --records 50000; else skip "flume" "$flume_why"; fi
acceptance "socket" 300 "$tests/socket.sh" --records 48000
acceptance "custom_connectors" 300 "$tests/custom_connectors.sh" --records 40000
acceptance "corruption" 300 "$tests/corruption.sh" --offsets 6
acceptance "graceful" 300 "$tests/graceful.sh" --lines 50000
acceptance "simulate" 300 scripts/simulate.sh --seeds 20000 --rate-min 100
if ((EUID == 0)) && unshare --net --mount true 2> /dev/null; then
  with_kafka "chaos" 600 scripts/chaos.sh --minutes 3 --seed 5
else
  skip "chaos" "it needs root, and namespaces of its own"
fi
# What is shown here is that it works; the bounds are for a machine that does nothing else.
acceptance "bench recovery" 300 scripts/bench.sh recovery --runs 2 --keys 200000 --runner-max 10000 --driver-max 15000
with_kafka "kafka_wordcount" 240 "$tests/kafka_wordcount.sh" --records 500000 --runs 1
with_kafka "kafka_wordcount --kill runner" 240 "$tests/kafka_wordcount.sh" --records 1000000 --runs 1 --kill runner
with_kafka "kafka_wordcount --kill executor" 240 "$tests/kafka_wordcount.sh" --records 1000000 --runs 1 --kill executor
with_kafka "kafka_wordcount --restart" 240 "$tests/kafka_wordcount.sh" --records 1000000 --runs 1 --restart
with_kafka "formats" 240 "$tests/formats.sh"
with_kafka "kafka_secure --kill" 240 "$tests/kafka_secure.sh" --kill
# Event time over splits that begin one after the other, and over two topics: the results are compared with awk's.
with_kafka "bench nexmark" 300 scripts/bench.sh nexmark --queries 1,5,8 --records 400000 --runs 1
with_kafka "bench join" 240 scripts/bench.sh join --records 400000 --runs 1
if ((have_cassandra && have_rabbitmq && have_flume)); then
  with_kafka "connectors" 400 "$tests/connectors.sh" --records 40000
else
  skip "connectors" "it needs Cassandra, RabbitMQ and Flume; see above"
fi
if ((have_cassandra)); then
  with_kafka "cassandra" 600 "$tests/cassandra.sh" --records 100000
else
  skip "cassandra" "$cassandra_why"
fi
if ((have_etcd)); then
  with_kafka "standby" 400 "$tests/standby.sh" --rounds 6
else
  skip "standby" "$etcd_why"
fi
if [[ $preset == release ]]; then
  acceptance "quickstart" 900 scripts/quickstart.sh --seconds 5 --port $((20000 + RANDOM % 10000)) --dir "$root/build/quickstart-test"
fi

((failed == 0))
