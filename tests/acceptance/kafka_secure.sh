#!/usr/bin/env bash
# Word counts over TLS with a password, from a real broker to it. A wrong password is told with its remedy; a job without an end has a
# consumer group follow it to lag 0; a job with one ends by itself at what was there when it began; and the password is in no file, log
# or status of the cluster.
#
#   kafka_secure.sh [--records N] [--kill]
#
#   --records N  lines of ten words (300,000)      --kill  SIGKILL to a runner while the job reads
#
# Ends with
#   RESULT kafka_secure records= lost= duplicated= leaks= cases=
# where lost and duplicated are words, and leaks counts files and answers that hold the password.
set -euo pipefail
# shellcheck disable=SC2034
NAME=kafka_secure
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

records=300000 kill=0
take_options "records kill!" "$@"
tool=$build_dir/tests/tools/millrace_kafka_tool
failed_result="records=$records lost=-1 duplicated=-1"
need_programs bin/millrace tests/tools/millrace_kafka_tool examples/kafka_word_count.so
cases=0

first=$(free_port 4)
kafka_options=(--port "$first" --data "$work/kafka" --secure)
brokers=127.0.0.1:$first
"$kafka" start "${kafka_options[@]}" || give_up "no Kafka broker; see the lines above"
secure=127.0.0.1:$((first + 2))
password=millrace-secret
printf '%s\n' "$password" > "$work/password"
chmod 600 "$work/password"

say "making $records lines"
"$tool" lines "$records" 1 > "$work/lines"
awk '{for (i = 1; i <= NF; ++i) n[$i]++} END {for (w in n) printf "%s\t%d\n", w, n[w]}' "$work/lines" | sort > "$work/expected"
"$kafka" topic lines 4 "${kafka_options[@]}" > /dev/null
"$kafka" topic counts 4 "${kafka_options[@]}" > /dev/null
"$kafka" topic bounded 4 "${kafka_options[@]}" > /dev/null
"$tool" produce lines --brokers "$brokers" < "$work/lines" 2> /dev/null
start_cluster
common=(--batch-interval 100ms --arg "brokers=$secure" --arg in=lines --arg "ca=$work/kafka/ca.pem" --arg user=millrace)

# A wrong password: the job waits and says so.
printf 'not-the-password\n' > "$work/wrong"
job=$(submit "$build_dir/examples/kafka_word_count.so" "${common[@]}" --arg "password_file=$work/wrong")
names_the_cause() { millrace status "$job" -o json | grep -q 'check the options sasl, username and password_file'; }
wait_until 60 names_the_cause || give_up "a wrong password is not told: $(job_field "$job" '.')"
millrace stop "$job" 2> /dev/null || true
say "a wrong password is told with its remedy"
cases=$((cases + 1))

# A password file that is not there: waiting would not help.
job=$(submit "$build_dir/examples/kafka_word_count.so" "${common[@]}" --arg "password_file=$work/none")
wait_until 60 job_is "$job" FAILED || give_up "a job without its password file is $(job_field "$job" '.state, .notice')"
job_field "$job" .error | grep -qF "option password_file cannot be read on this machine: cannot open $work/none" \
  || give_up "a missing password file is not named: $(job_field "$job" .error)"
say "a missing password file ends the job with its name"
cases=$((cases + 1))

lag() {
  "$kafka" run org.apache.kafka.tools.consumer.group.ConsumerGroupCommand --bootstrap-server "$brokers" --describe --group lag-watch \
    2> "$work/group.err" | tee "$work/group" | awk '$1 == "lag-watch" {n += $6; ++parts} END {print (parts == 4) ? n : -1}'
}
lag_is() { [[ $(lag) == "$1" ]]; }

# An open end, and a group that follows.
job=$(submit "$build_dir/examples/kafka_word_count.so" "${common[@]}" --arg "password_file=$work/password" --arg out=counts --arg group=lag-watch)
wait_until 120 has_records "$job" "$records" || give_up "only $(job_field "$job" .records) records: $(job_field "$job" '.error, .notice')"
wait_until 30 lag_is 0 || give_up "the group's lag is not 0: $(cat "$work/group" "$work/group.err")"
millrace stop "$job" 2> /dev/null || give_up "the job could not be stopped"
say "the group stands at the end as Kafka's own tool shows it"
cases=$((cases + 1))

# An end: what is there when the job begins. Batches have a bound, so that the job lasts long enough to lose a runner.
job=$(submit "$build_dir/examples/kafka_word_count.so" "${common[@]}" --arg "password_file=$work/password" --arg out=bounded --arg end=latest \
  --arg "max_records_per_batch=$((records / 120))")
wait_until 60 has_records "$job" 1 || give_up "nothing is committed: $(job_field "$job" '.error, .notice')"
if ((kill)); then
  kill -KILL "$(on_cluster pid runner "$job" 1)" || give_up "there is no runner to kill any more: use more --records"
  say "a runner was killed with $(job_field "$job" .records) of $records records committed"
  cases=$((cases + 1))
fi
head -n 1000 "$work/lines" | "$tool" produce lines --brokers "$brokers" 2> /dev/null
wait_until 120 job_is "$job" FINISHED || give_up "the job does not end: $(job_field "$job" '.state, .error, .notice' | tr '\n' ' ')"
read_records=$(job_field "$job" .records)
most=$(millrace status "$job" -o json --batches 1000 | jq '[.batches[].records | tonumber] | max')
((most <= 4 * (records / 120))) || give_up "a batch has $most records of four partitions, and each was to have at most $((records / 120))"
say "the job ended by itself with $read_records records"
cases=$((cases + 1))
"$tool" sum bounded --brokers "$brokers" > "$work/actual" || give_up "the counts could not be read"
compare_counts "$work/expected" "$work/actual"

{ millrace status "$job" -o json; millrace status "$job"; } > "$work/status" 2>&1
leaks=$({ grep -rlaF "$password" "$cluster_dir" "$work/status" || true; } | wc -l)
((leaks == 0)) || say "the password is in: $(grep -rlaF "$password" "$cluster_dir" "$work/status" | tr '\n' ' ')"
cases=$((cases + 1))
result "records=$read_records lost=$lost duplicated=$duplicated leaks=$leaks cases=$cases kill=$kill"
((lost == 0 && duplicated == 0 && leaks == 0 && read_records == records))
