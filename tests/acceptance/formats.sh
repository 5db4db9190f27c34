#!/usr/bin/env bash
# JSON lines from a real Kafka broker, with one of twenty bad in one of 18 ways, through examples/json_sales.cc, against Python's json.
#
#   formats.sh [--records N]     N lines (100,000)
#
# Ends with
#   RESULT formats records= bad= wrong=
# where bad counts the records in the topic of bad ones, and wrong the totals, the bad records and the reasons that are not what they
# should be.
set -euo pipefail
# shellcheck disable=SC2034
NAME=formats
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

records=100000
take_options "records" "$@"

tool=$build_dir/tests/tools/millrace_kafka_tool
sales=$root/tests/acceptance/formats/sales.py
failed_result="records=$records bad=-1 wrong=-1"
need_programs bin/millrace tests/tools/millrace_kafka_tool examples/json_sales.so

say "making $records lines"
python3 "$sales" make "$records" 1 "$work/lines" "$work/expected"
start_kafka
for topic in sales totals bad-sales; do "$kafka" topic "$topic" 2 "${kafka_options[@]}" > /dev/null; done
start_cluster
job=$(submit "$build_dir/examples/json_sales.so" --arg "brokers=$brokers")
wait_until 30 job_is "$job" RUNNING || give_up "the job is not running after 30 s: $(job_field "$job" .notice)"
"$tool" produce sales --brokers "$brokers" < "$work/lines"
wait_until 120 has_records "$job" "$records" || give_up "only $(job_field "$job" .records) of $records records: $(job_field "$job" '.error, .notice')"
millrace stop "$job" 2> /dev/null || give_up "the job could not be stopped: $(job_field "$job" .error)"
wait_until 40 job_is "$job" STOPPED || give_up "the job did not stop"
failures=$(job_field "$job" '.runner_failures + .task_retries')
((failures == 0)) || give_up "bad lines cost $failures runners or attempts"
"$tool" dump totals --brokers "$brokers" > "$work/totals"
"$tool" dump bad-sales --brokers "$brokers" > "$work/bad"
checked=$(python3 "$sales" check "$work/expected" "$work/totals" "$work/bad")
result "records=$records $checked"
[[ $checked == *' wrong=0' ]]
