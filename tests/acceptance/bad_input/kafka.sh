# A topic that does not exist, and a broker that is away. Sourced by bad_input.sh.
# shellcheck shell=bash disable=SC2154

problem_of() { job_field "$1" '.sources[0].problem, .notice' | tr '\n' ' '; }
has_problem() { [[ $(problem_of "$1") == *"$2"* ]]; }
has_no_problem() { [[ -z $(problem_of "$1" | tr -d ' ') ]]; }

kafka_cases() {
  local job lines=5000 tool=$build_dir/tests/tools/millrace_kafka_tool
  "$tool" lines "$lines" 3 > "$work/lines"
  "$kafka" topic lines 4 "${kafka_options[@]}" > /dev/null
  "$kafka" topic counts 2 "${kafka_options[@]}" > /dev/null

  begin "a topic that does not exist"
  expect 8 'nowhere' 'does not exist' "$brokers" -- millrace submit "$build_dir/examples/kafka_word_count.so" --name no-topic --wait \
    --arg "brokers=$brokers" --arg in=nowhere --arg out=counts
  end

  begin "a broker that cannot be reached: retried, and shown in the status"
  "$kafka" stop "${kafka_options[@]}"
  job=$(submit "$build_dir/examples/kafka_word_count.so" --name patient --arg "brokers=$brokers" --arg in=lines --arg out=counts)
  wait_until 20 has_problem "$job" "$brokers" || bad "after 20 s the status says only '$(problem_of "$job")'"
  say "  it says: $(problem_of "$job")"
  sleep 5  # longer than a single try: it must still be trying
  [[ $(job_field "$job" .state) == JOB_STATE_STARTING ]] || bad "the job is $(job_field "$job" .state): $(job_field "$job" .error)"
  end

  begin "a broker that has come: the job goes on by itself"
  "$kafka" start "${kafka_options[@]}"
  "$tool" produce lines --brokers "$brokers" < "$work/lines" 2> /dev/null
  wait_until 40 has_records "$job" "$lines" || bad "$(job_field "$job" .records) of $lines records: $(problem_of "$job")"
  end

  begin "a broker that goes away while a job runs, and comes back"
  "$kafka" kill "${kafka_options[@]}"
  wait_until 30 has_problem "$job" "$brokers" || bad "after 30 s the status says only '$(problem_of "$job")'"
  "$kafka" start "${kafka_options[@]}"
  "$tool" produce lines --brokers "$brokers" < "$work/lines" 2> /dev/null
  wait_until 60 has_records "$job" $((2 * lines)) || bad "$(job_field "$job" .records) of $((2 * lines)) records: $(problem_of "$job")"
  millrace stop "$job" 2> /dev/null
  wait_until 40 job_is "$job" STOPPED || bad "it does not stop"
  "$tool" sum counts --brokers "$brokers" > "$work/actual" 2> /dev/null
  awk '{for (i = 1; i <= NF; ++i) n[$i] += 2} END {for (w in n) printf "%s\t%d\n", w, n[w]}' "$work/lines" | sort > "$work/expected-kafka"
  compare_counts "$work/expected-kafka" "$work/actual"
  ((lost + duplicated == 0)) || bad "$lost words lost, $duplicated too many"
  end
}

kafka_begun=0
if "$kafka" install; then
  start_kafka
  kafka_begun=1
  kafka_cases
fi
((kafka_begun)) || skip "the cases with a Kafka broker" "no Kafka can be installed here (Maven)"
