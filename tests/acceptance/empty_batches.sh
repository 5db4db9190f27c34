#!/usr/bin/env bash
# A stream without output at 5 ms batches holds its schedule.
#
#   empty_batches.sh [--seconds N] [--interval-ms I] [--late-max SHARE]      (20, 5, 0.01)
#
# Passes when every batch time of those seconds got its batch (two percent may be open at the ends of the measurement), no more
# than four wait, the status tells batch time, delay and records of the last batches, and a smaller share than SHARE was late:
# committed later than one interval after they were due. On a machine that computes something else, a batch waits when its
# process does not get a processor, so run this alone. Ends with
#   RESULT empty_batches interval_ms= late_share=          late_share as a fraction of the batches
set -euo pipefail
# shellcheck disable=SC2034
NAME=empty_batches
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

seconds=20 interval=5 late_max=0.01
while (($# > 0)); do
  case $1 in
    --seconds) seconds=${2:?} && shift ;;
    --interval-ms) interval=${2:?} && shift ;;
    --late-max) late_max=${2:?} && shift ;;
    *)
      sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
  shift
done
failed_result="interval_ms=$interval late_share=1"
need_programs bin/millrace tests/jobs/empty_stream.so

start_cluster
job=$(submit "$build_dir/tests/jobs/empty_stream.so" --batch-interval "${interval}ms")
wait_until 20 has_records "$job" 2 || give_up "the job does not run: $(job_field "$job" .notice)"

# Batches, late ones and the newest batch's time are one answer of the driver, so its own clock measures.
snapshot() { job_field "$job" '"\(.batches_committed) \(.batches_late) \(.batches[0].batch) \(.batches[0].batch_time_us)"'; }
read -r committed_before late_before newest_before time_before < <(snapshot)
sleep "$seconds"
read -r committed late newest time_us < <(snapshot)
pending=$(job_field "$job" .batches_pending)

batches=$((committed - committed_before))
due=$(((time_us - time_before) / (interval * 1000)))
share=$(awk -v l=$((late - late_before)) -v b="$batches" 'BEGIN {printf "%.5f", (b > 0 ? l / b : 1)}')
say "$batches batches committed of $due that were due in $(((time_us - time_before) / 1000)) ms; $((late - late_before)) late; $pending pending"
millrace status "$job" --batches 5

problem=''
((due * interval >= seconds * 1000 * 95 / 100)) || problem="only $due batches were due in $seconds s: the schedule was not held"
((newest - newest_before == due)) || problem="batches $newest_before to $newest do not fit $due intervals"
(((batches - due) * 50 <= due && (due - batches) * 50 <= due)) || problem="$batches batches for $due intervals"
((pending <= 4)) || problem="$pending batches wait"
millrace status "$job" -o json --batches 20 | jq -e '.batches | length == 20 and all(.[];
  (.batch_time_us | tonumber) > 0 and has("records") and has("total_delay_us") and has("processing_us"))' > /dev/null \
  || problem="the status does not tell the last 20 batches"
[[ $(job_field "$job" .state) == JOB_STATE_RUNNING ]] || problem="the job is $(job_field "$job" '.state, .error' | tr '\n' ' ')"
awk -v s="$share" -v m="$late_max" 'BEGIN {exit !(s < m)}' || problem="a share of $share of the batches was late; less than $late_max is allowed"
if [[ -n $problem ]]; then say "FAILED: $problem"; fi
result "interval_ms=$interval late_share=$share batches=$batches"
[[ -z $problem ]]
