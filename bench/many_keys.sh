#!/usr/bin/env bash
# Ten million keys of state: updates a second, what a checkpoint holds up, and memory a key.
#
#   bench.sh many_keys [--keys K] [--rate R] [--seconds S] [--executors N] [--disk] [--updates-min U] [--stall-max MS]
#                                                                         (10000000, 600000, 40, 2, 500000, 5)
#
# Records come from the generator at R a second, one a key and round; batches of 100 ms, checkpoints every 10 s. When every key is
# there, S seconds are measured: how many updates were committed a second; and how much longer the first batch after a checkpoint took than the
# median of all, for the checkpoint that was worst and for the one in the middle. --disk keeps the state in RocksDB.
# Passes when at least U updates a second were committed and a checkpoint in the middle held up a batch by at most MS. Ends with
#   RESULT many_keys updates_per_s= stall_ms= worst_stall_ms= batch_ms= checkpoints= bytes_per_key= peak_mib=
set -euo pipefail
# shellcheck disable=SC2034
NAME=many_keys
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/acceptance/lib.sh"
# shellcheck source=bench/lib.sh
source "$root/bench/lib.sh"

keys=10000000 rate=600000 seconds=40 executors=2 disk=0 updates_min=500000 stall_max=5
take_options "keys rate seconds executors disk! updates-min stall-max" "$@"
failed_result="updates_per_s=0 stall_ms=-1"
need_programs bin/millrace bench/many_keys.so
cluster_options=(--executors "$executors" --slots 1 --memory 2GiB)
start_cluster > /dev/null
job=$(submit "$build_dir/bench/many_keys.so" --arg "keys=$keys" --arg "rate=$rate" --arg "disk=$disk" --arg "output=$work/out")
say "filling $keys keys"
wait_until 300 has_records "$job" "$keys" || give_up "only $(job_field "$job" .records) of $keys keys came: $(job_field "$job" '.state, .notice, .error' | tr '\n' ' ')"

pids=$(on_cluster pid driver)
for ((n = 1; n <= executors; ++n)); do pids+=" $(on_cluster pid executor "$n") $(on_cluster pid runner "$job" "$n")"; done
# One line a moment: the newest checkpoint's batch, and the last batches with what each took.
peak=0
before=$(job_field "$job" '"\(.records) \(.batches[0].batch_time_us)"')
for ((i = 0; i < seconds; ++i)); do
  sleep 1
  millrace status "$job" -o json --batches 40 > "$work/status.json"
  jq -r '.checkpoint_batch' "$work/status.json" >> "$work/checkpoints"
  jq -r '.batches[] | select(.committed) | "\(.batch) \(.processing_us)"' "$work/status.json" >> "$work/batches"
  # shellcheck disable=SC2086
  used=$(usage_of $pids)
  ((${used#*,} > peak)) && peak=${used#*,}
done
after=$(job_field "$job" '"\(.records) \(.batches[0].batch_time_us)"')
memory=$(job_field "$job" .state_memory_bytes)
millrace stop "$job" --now > /dev/null 2>&1 || true
[[ -n $before && -n $after ]] || give_up "the job tells no figures"

updates=$(awk '{printf "%.0f", ($3 - $1) / (($4 - $2) / 1e6)}' <<< "$before $after")
sort -n -u "$work/batches" > "$work/took"
median=$(awk '{print $2}' "$work/took" | median)
# The batch after a checkpoint's waits until what the checkpoint needs has been taken.
sort -n -u "$work/checkpoints" | awk -v m="$median" 'NR == FNR {took[$1] = $2; next}
  ($1 + 1) in took {d = took[$1 + 1] - m; printf "%.1f\n", (d > 0 ? d : 0) / 1000}' "$work/took" - | sort -g > "$work/stalls"
checkpoints=$(wc -l < "$work/stalls")
((checkpoints > 0)) || give_up "no checkpoint was complete within $seconds s: $(job_field "$job" .notice)"
stall=$(median < "$work/stalls")
result "updates_per_s=$updates stall_ms=$stall worst_stall_ms=$(tail -n 1 "$work/stalls") batch_ms=$((median / 1000)) checkpoints=$checkpoints" \
  "bytes_per_key=$((memory / keys)) peak_mib=$((peak / 1024))"
((updates >= updates_min)) && awk -v s="$stall" -v m="$stall_max" 'BEGIN {exit !(s <= m)}'
