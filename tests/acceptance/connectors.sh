#!/usr/bin/env bash
# One job that reads Kafka, RabbitMQ and a Flume agent together, joins what belongs together, and writes it to Kafka and to Cassandra. Every
# server is a real one, and each of them is restarted once on the way; a runner is killed too.
#
#   connectors.sh [--records N]      --records N  numbers that come from each of the three sources (60,000)
#
# Each number comes once from each source, and its three parts make one row. Ends with
#   RESULT connectors records= lost= duplicated= wrong=
# where records are those of all sources, lost are numbers that are missing in one of the outputs, duplicated are records that came twice in
# the topic or were counted twice on the way in, and wrong are rows of the topic or the table that are not what awk says.
set -euo pipefail
# shellcheck disable=SC2034
NAME=connectors
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

records=60000
take_options "records" "$@"
flume=$root/scripts/servers/flume.sh
cassandra=$root/scripts/servers/cassandra.sh
kafka_tool=$build_dir/tests/tools/millrace_kafka_tool
rabbitmq_tool=$build_dir/tests/tools/millrace_rabbitmq_tool
failed_result="records=$((3 * records)) lost=-1 duplicated=-1 wrong=-1"
need_programs bin/millrace tests/tools/millrace_kafka_tool tests/tools/millrace_rabbitmq_tool tests/jobs/order_ledger.so

cql() { timeout 120 "$cassandra" cql "${cassandra_options[@]}" "$@" || give_up "the statement failed: $*"; }
queue_tool() { "$rabbitmq_tool" "$@" --server "127.0.0.1:$rabbitmq_port"; }
trouble() { job_field "$job" '[.sources[].problem, .notice, .error] | map(select(. != null and . != "")) | join("; ")'; }

start_servers() {
  start_kafka
  "$kafka" topic orders 4 "${kafka_options[@]}" > /dev/null
  start_rabbitmq
  queue_tool declare payments
  cassandra_port=$(free_port 2)
  cassandra_options=(--port "$cassandra_port" --data "$work/cassandra" --heap 384m)
  "$cassandra" start "${cassandra_options[@]}" --auth || give_up "no Cassandra server; see the lines above"
  at_end+=("'$cassandra' kill --port $cassandra_port --data '$work/cassandra'")
  printf 'cassandra\n' > "$work/cassandra-password"
  cql "CREATE KEYSPACE mr WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};
       CREATE TABLE mr.complete (id bigint PRIMARY KEY, item text, queue text, carrier text, parts int)"
}
start_agent() {
  "$flume" start --data "$work/agent" --source spooldir --channel file --batch 200 --id-header id \
    --to "127.0.0.1:$events_port,127.0.0.1:$((events_port + 1))" > "$work/agent.start" 2>&1 || give_up "the agent: $(cat "$work/agent.start")"
}

# What comes in, in an order of its own from each source, so that parts wait for one another.
shipments() { awk -v n="$records" 'BEGIN {for (i = 0; i < n; ++i) {k = (i * 7919 + 13) % n; print k " carrier" k % 50}}'; }
orders() { awk -v n="$records" 'BEGIN {for (i = 0; i < n; ++i) print n - 1 - i " item" (n - 1 - i) % 97}'; }
expected() { awk -v n="$records" 'BEGIN {for (i = 0; i < n; ++i) print i "\titem" i % 97 "\tpayments\tcarrier" i % 50 "\t3"}'; }

send_all() {
  local file
  orders | "$kafka_tool" produce orders --brokers "$brokers" --rate $((records / 45)) 2> "$work/orders.err" &
  orders_pid=$!
  queue_tool publish payments --count "$records" --rate $((records / 45)) 2> "$work/payments.err" &
  payments_pid=$!
  at_end+=("kill $orders_pid" "kill $payments_pid")
  shipments | split -n r/12 -d - "$work/shipments-"
  for file in "$work"/shipments-*; do
    mv "$file" "$work/agent/spool/"
    sleep 4  # agents bring files bit by bit
  done
}

committed() { (($(job_field "$job" .records || echo 0) >= $1)) 2> /dev/null; }
# Waits until so many parts of a hundred are committed.
await_share() {  # PERCENT WHAT
  wait_until 120 committed $((3 * records * $1 / 100)) \
    || give_up "only $(job_field "$job" .records) of $((3 * records)) records are committed, before $2: $(trouble)"
  say "$2, with $(job_field "$job" .records) of $((3 * records)) records committed"
}

((records % 7919 != 0)) || give_up "choose another number of records"
start_servers
start_cluster
events_port=$(free_port 2)
mkdir -p "$work/agent/spool"
job=$(submit "$build_dir/tests/jobs/order_ledger.so" --arg "brokers=$brokers" --arg "rabbitmq=127.0.0.1:$rabbitmq_port" \
  --arg "password_file=$work/rabbitmq/password" --arg "port=$events_port" --arg "contact_points=127.0.0.1:$cassandra_port" \
  --arg "cassandra_password_file=$work/cassandra-password")
wait_until 30 job_is "$job" RUNNING || give_up "the job is not running: $(trouble)"
at_end+=("$flume kill --data $work/agent")
start_agent
send_all &
sender=$!
at_end+=("kill $sender")

await_share 10 "the broker is killed"
"$kafka" kill "${kafka_options[@]}"
"$kafka" start "${kafka_options[@]}" || give_up "the broker does not start again"
await_share 25 "RabbitMQ is restarted"
"$rabbitmq" stop "${rabbitmq_options[@]}"
"$rabbitmq" start "${rabbitmq_options[@]}" || give_up "RabbitMQ does not start again"
await_share 40 "the agent is killed"
"$flume" kill --data "$work/agent"
start_agent
await_share 55 "Cassandra is killed"
"$cassandra" kill "${cassandra_options[@]}"
"$cassandra" start "${cassandra_options[@]}" --auth || give_up "Cassandra does not start again"
await_share 70 "a runner is killed"
on_cluster kill-runner "$job" 1
wait "$sender" || give_up "what is to be sent could not be: $(cat "$work"/*.err)"
await_share 100 "everything is in"
millrace stop --drain "$job" 2> /dev/null || give_up "the job could not be stopped: $(trouble)"
wait_until 60 job_is "$job" STOPPED || give_up "the job did not stop: $(trouble)"

expected | sort > "$work/expected"
"$kafka_tool" dump complete --brokers "$brokers" 2> /dev/null | sort > "$work/topic"
cql 'SELECT id, item, queue, carrier, parts FROM mr.complete' \
  | jq -r '[.id, .item, .queue, .carrier, .parts] | @tsv' | sort > "$work/table"
# Numbers that are missing in a file; rows of it that are not what they must be; records that make a number come again.
missing() { comm -23 <(cut -f 1 "$work/expected" | sort -u) <(cut -f 1 "$1" | sort -u) | wc -l; }
strange() { comm -13 "$work/expected" <(sort -u "$1") | wc -l; }
repeated=$(($(wc -l < "$work/topic") - $(cut -f 1 "$work/topic" | sort -u | wc -l)))
surplus=$(awk -F'\t' '$5 > 3 {n += $5 - 3} END {print n + 0}' "$work/table")
lost=$(($(missing "$work/topic") + $(missing "$work/table")))
wrong=$(($(strange "$work/topic") + $(strange "$work/table")))
say "topic: $(wc -l < "$work/topic") rows; table: $(wc -l < "$work/table") rows"
job_field "$job" '"runner_failures=\(.runner_failures) batches=\(.batches_committed)"'
result "records=$((3 * records)) lost=$lost duplicated=$((repeated + surplus)) wrong=$wrong"
((lost == 0 && repeated + surplus == 0 && wrong == 0))
