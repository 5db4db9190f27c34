#!/usr/bin/env bash
# What each connector takes, beside the neighbour's own tool: records a second, and processor time per million records of all processes of
# a cluster of two executors (mutual TLS, exactly once where the connector is), or of the tool, start included. Not of the server.
#
#   bench.sh connectors [--scale PERCENT] [CONNECTOR…]         --scale  how many records, in percent of those below (100)
#
#   kafka_in      3,000,000 lines of a topic        kcat; Kafka's own kafka-consumer-perf-test
#   kafka_out     2,000,000 lines into a topic      kcat; kafka-producer-perf-test
#   rabbitmq_in     200,000 messages of a queue     RabbitMQ's Java client, acknowledging 250 at a time
#   rabbitmq_out    200,000 messages, confirmed     the same, confirms awaited for 1,000 at a time
#   flume_in        300,000 events of an agent      a second agent (thrift source, memory channel, null sink)
#   cassandra_out   200,000 rows                    Cassandra's Java driver, 1,000 writes under way
#   files_in      3,000,000 lines of 30 files       none
#   files_out     3,000,000 lines                   none
#   socket_in     2,000,000 lines of a connection   none
#
# The tools read and drop, or send what they have in memory; Millrace writes what it receives from RabbitMQ and Flume to a log first, and
# carries every record through a batch that survives the loss of any process. Passes when every connector gave or took each record once.
# Ends with
#   RESULT connectors NAME_cpu= NAME_ratio= …        ratio: the processor time of the (first) tool by that of Millrace
set -euo pipefail
# shellcheck disable=SC2034
NAME=connectors
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/acceptance/lib.sh"
# shellcheck source=bench/lib.sh
source "$root/bench/lib.sh"

all=(kafka_in kafka_out rabbitmq_in rabbitmq_out flume_in cassandra_out files_in files_out socket_in)
scale=100 chosen=()
while (($# > 0)); do
  case $1 in
    --scale) scale=${2:?} && shift ;;
    -*)
      sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
    *)
      [[ " ${all[*]} " == *" $1 "* ]] || give_up "there is no connector $1 here: ${all[*]}"
      chosen+=("$1")
      ;;
  esac
  shift
done
((${#chosen[@]} > 0)) || chosen=("${all[@]}")
failed_result="kafka_in_cpu=0"
executors=2 figures=''
flume=$root/scripts/servers/flume.sh
cassandra=$root/scripts/servers/cassandra.sh
kafka_tool=$build_dir/tests/tools/millrace_kafka_tool
rabbitmq_tool=$build_dir/tests/tools/millrace_rabbitmq_tool
need_programs bin/millrace bench/connector.so bench/millrace_bench_gen tests/tools/millrace_kafka_tool tests/tools/millrace_rabbitmq_tool

# ---- measuring ----

show() {  # SYSTEM RECORDS-A-SECOND CPU-S-PER-MILLION
  printf '%-14s %-22s %12s %18s\n' "$connector" "$1" "$2" "$3"
}
note_tool() {  # SYSTEM SECONDS USER SYSTEM
  read -r rate cpu < <(awk -v n="$count" -v r="$2" -v c="$(awk -v a="$3" -v b="$4" 'BEGIN {print a + b}')" \
    'BEGIN {printf "%.0f %.3f\n", n / r, c / n * 1e6}')
  show "$1" "$rate" "$cpu"
  if [[ -z $tool_cpu ]]; then tool_cpu=$cpu; fi
}
# Runs the neighbour's tool to its end.
tool() {  # SYSTEM COMMAND…
  local system=$1 real user kernel
  shift
  TIMEFORMAT='%R %U %S'
  { time "$@" > "$work/tool.out" 2> "$work/tool.err"; } 2> "$work/tool.time" || give_up "$system failed: $(tail -n 3 "$work/tool.err")"
  read -r real user kernel < "$work/tool.time"
  note_tool "$system" "$real" "$user" "$kernel"
}
fresh_cluster() {
  cluster_options=(--executors "$executors" --slots 1 --memory 512MiB)
  start_cluster > /dev/null
}
# Begins a job on the cluster; sets $job.
measure_job() {  # ARGUMENT=VALUE…
  local arguments=() argument
  for argument in "$@"; do arguments+=(--arg "$argument"); done
  job=$(submit "$build_dir/bench/connector.so" --name "$connector" "${arguments[@]}")
}
await_job() {  # waits for the records, and writes the figures down
  sample_job "$job" "$count" "$work/$connector.csv" || give_up "$connector: only $(job_field "$job" .records) of $count records: $(job_field "$job" '[.sources[].problem, .notice, .error] | join(" ")')"
  read -r rate cpu _ < <(steady "$work/$connector.csv" whole)
  show millrace "$rate" "$cpu"
}
end_job() {
  millrace stop --drain "$job" > /dev/null 2>&1 || millrace stop "$job" > /dev/null 2>&1 || true
  wait_until 60 job_ended || give_up "$connector: the job does not end: $(job_field "$job" '.state, .notice, .error')"
  on_cluster stop
  rm -rf --one-file-system "$cluster_dir"
}
job_ended() { job_is "$job" STOPPED || job_is "$job" FINISHED; }
must_be() {  # WHAT GOT
  (($2 == count)) || give_up "$connector: $1 $2, and should be $count"
}
counted() { find "$work/counts-$connector" -name '*.txt' -print0 | xargs -0 -r cat | awk '{n += $1} END {print n + 0}'; }
source_done() {
  end_job
  must_be "records counted:" "$(counted)"
}

# ---- the connectors ----

lines_file() {  # N
  [[ -e $work/lines-$1 ]] || "$kafka_tool" lines "$1" 1 > "$work/lines-$1"
}
bench_kafka_in() {
  "$kafka" topic in 4 "${kafka_options[@]}" > /dev/null
  "$build_dir/bench/millrace_bench_gen" lines "$count" --topic in --brokers "$brokers" 2> /dev/null || give_up "the lines could not be sent"
  measure_job from=kafka "address=$brokers" name=in "out=$work/counts-kafka_in"
  await_job
  source_done
  tool kcat kcat -b "$brokers" -C -t in -o beginning -e -q -c "$count"
  tool consumer-perf-test "$kafka" run org.apache.kafka.tools.ConsumerPerformance --bootstrap-server "$brokers" --topic in \
    --messages "$count" --group perf --timeout 60000
}
bench_kafka_out() {
  measure_job to=kafka "address=$brokers" name=out "count=$count"
  await_job
  end_job
  must_be "records in the topic:" "$("$kafka_tool" dump out --brokers "$brokers" 2> /dev/null | wc -l)"
  lines_file "$count"
  "$kafka" topic out-kcat 4 "${kafka_options[@]}" > /dev/null
  "$kafka" topic out-perf 4 "${kafka_options[@]}" > /dev/null
  tool kcat kcat -b "$brokers" -P -t out-kcat -X enable.idempotence=true -l "$work/lines-$count"
  tool producer-perf-test "$kafka" run org.apache.kafka.tools.ProducerPerformance --topic out-perf --num-records "$count" --throughput -1 \
    --record-size 68 --producer-props "bootstrap.servers=$brokers" enable.idempotence=true
}
rabbitmq_once() {
  [[ -n ${rabbitmq_port:-} ]] || start_rabbitmq
  "$rabbitmq_tool" declare "$1" --server "127.0.0.1:$rabbitmq_port" || give_up "the queue $1 cannot be made"
}
rabbitmq_arguments() { printf '%s\n' "address=127.0.0.1:$rabbitmq_port" username=millrace "password_file=$work/rabbitmq/password"; }
java_client() { "$root/bench/peers/run.sh" neighbours "$1" 127.0.0.1 "$rabbitmq_port" millrace "$(cat "$work/rabbitmq/password")" "$2" "$count"; }
bench_rabbitmq_in() {
  rabbitmq_once in
  "$rabbitmq_tool" publish in --count "$count" --bytes 68 --server "127.0.0.1:$rabbitmq_port" 2> /dev/null || give_up "the messages could not be sent"
  mapfile -t more < <(rabbitmq_arguments)
  measure_job from=rabbitmq name=in "out=$work/counts-rabbitmq_in" "${more[@]}"
  await_job
  source_done
  "$rabbitmq_tool" publish in --count "$count" --bytes 68 --server "127.0.0.1:$rabbitmq_port" 2> /dev/null || give_up "the messages could not be sent"
  tool 'Java client' java_client amqp-read in
}
bench_rabbitmq_out() {
  rabbitmq_once out
  rabbitmq_once out-java
  mapfile -t more < <(rabbitmq_arguments)
  measure_job to=rabbitmq name=out "count=$count" "${more[@]}"
  await_job
  end_job
  must_be "messages in the queue:" "$("$rabbitmq_tool" ready out --server "127.0.0.1:$rabbitmq_port")"
  tool 'Java client' java_client amqp-write out-java
}
# An agent that makes events with its own generator and sends them to a port.
send_events() {  # PORT
  FLUME_TOTAL=$count "$flume" start --data "$work/agent-$1" --source seq --channel memory --batch 1000 --to "127.0.0.1:$1" \
    > "$work/agent.start" 2>&1 || give_up "the agent: $(cat "$work/agent.start")"
  at_end+=("'$flume' kill --data '$work/agent-$1'")
}
events_arrived() { grep -q "successful processed $count events" "$work/agent-sink/agent.log"; }
bench_flume_in() {
  local port begun pid ticks
  port=$(free_port)
  measure_job from=flume "address=127.0.0.1:$port" "out=$work/counts-flume_in"
  wait_until 30 job_is "$job" RUNNING || give_up "the job is not running: $(job_field "$job" .notice)"
  send_events "$port"
  await_job
  "$flume" kill --data "$work/agent-$port"
  source_done
  port=$(free_port)
  FLUME_SINK=null "$flume" start --data "$work/agent-sink" --source thrift --port "$port" --channel memory --batch 1000 > "$work/agent.start" 2>&1 \
    || give_up "the agent: $(cat "$work/agent.start")"
  at_end+=("'$flume' kill --data '$work/agent-sink'")
  pid=$(cat "$work/agent-sink/flume.pid")
  send_events "$port"
  begun=$(now_ms)
  wait_until 120 events_arrived || give_up "the second agent did not get all events"
  ticks=$(usage_of "$pid")
  note_tool 'Flume agent' "$(awk -v ms="$(($(now_ms) - begun))" 'BEGIN {print ms / 1000}')" "$(awk -v t="${ticks%,*}" 'BEGIN {print t / 100}')" 0
  "$flume" kill --data "$work/agent-$port"
  "$flume" kill --data "$work/agent-sink"
}
cql() { timeout 120 "$cassandra" cql "${cassandra_options[@]}" "$@" || give_up "the statement failed: $*"; }
bench_cassandra_out() {
  cassandra_port=$(free_port 2)
  cassandra_options=(--port "$cassandra_port" --data "$work/cassandra" --heap 512m)
  "$cassandra" start "${cassandra_options[@]}" --auth || give_up "no Cassandra server; see the lines above"
  at_end+=("'$cassandra' kill --port $cassandra_port --data '$work/cassandra'")
  printf 'cassandra\n' > "$work/cassandra-password"
  cql "CREATE KEYSPACE mr WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};
       CREATE TABLE mr.lines (id bigint PRIMARY KEY, line text)"
  measure_job to=cassandra "address=127.0.0.1:$cassandra_port" name=mr username=cassandra "password_file=$work/cassandra-password" "count=$count"
  await_job
  end_job
  must_be "rows in the table:" "$(cql 'SELECT id FROM mr.lines' | wc -l)"
  tool 'Java driver' "$root/bench/peers/run.sh" neighbours cql-write 127.0.0.1 "$cassandra_port" cassandra cassandra mr "$count"
}
bench_files_in() {
  lines_file "$count"
  mkdir -p "$work/files"
  split -n l/30 "$work/lines-$count" "$work/files/part-"
  measure_job from=files "name=$work/files" "out=$work/counts-files_in"
  await_job
  source_done
}
bench_files_out() {
  mkdir -p "$work/written"
  measure_job to=files "name=$work/written" "count=$count"
  await_job
  end_job
  must_be "lines in the files:" "$(find "$work/written" -maxdepth 1 -name '*.txt' -print0 | xargs -0 cat | wc -l)"
}
bench_socket_in() {
  local port
  lines_file "$count"
  port=$(free_port)
  "$build_dir/tests/tools/millrace_line_server" "$port" < "$work/lines-$count" > "$work/line-server.out" 2>&1 &
  at_end+=("kill $!")
  measure_job from=socket "address=127.0.0.1:$port" "out=$work/counts-socket_in"
  await_job
  source_done
}

for connector in "${chosen[@]}"; do
  case $connector in
    kafka_*) [[ -n ${brokers:-} ]] || start_kafka ;;
  esac
done
if [[ " ${chosen[*]} " == *rabbitmq* || " ${chosen[*]} " == *cassandra* ]]; then
  "$root/bench/peers/run.sh" build neighbours > "$work/build.log" 2>&1 || give_up "the Java clients cannot be built: $(tail -n 3 "$work/build.log")"
fi
printf '%-14s %-22s %12s %18s\n' connector system records/s 'CPU s per million'
for connector in "${chosen[@]}"; do
  case $connector in
    kafka_in | files_in | files_out) count=3000000 ;;
    kafka_out | socket_in) count=2000000 ;;
    flume_in) count=300000 ;;
    *) count=200000 ;;
  esac
  count=$((count * scale / 100))
  tool_cpu=''
  mkdir -p "$work/counts-$connector"
  fresh_cluster
  "bench_$connector"
  ours=$(sed -n '$p' "$work/$connector.csv" | awk -F, '{print $3 / 100 / $2 * 1e6}')
  figures+=" ${connector}_cpu=$(awk -v c="$ours" 'BEGIN {printf "%.3f", c}')"
  if [[ -n $tool_cpu ]]; then figures+=" ${connector}_ratio=$(ratio "$tool_cpu" "$ours")"; fi
done
result "${figures# }"
