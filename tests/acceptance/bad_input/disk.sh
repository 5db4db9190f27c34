# A full data directory: a driver whose disk is a few megabytes of memory. Needs root, for the mount. Sourced by bad_input.sh.
# shellcheck shell=bash disable=SC2154

full_dir=$work/full
full_on() { "$cluster" "$@" --dir "$full_dir"; }
on_full() { millrace --driver "127.0.0.1:$full_port" --tls-dir "$full_dir/pki" "$@"; }
full_field() { on_full status "$1" -o json --batches 1 2> /dev/null | jq -r "$2" 2> /dev/null; }
notice_says() { full_field "$1" .notice | grep -qF -- "$2"; }
notice_is_gone() { [[ $(full_field "$1" .notice) == '' ]]; }
full_job_is() { [[ $(full_field "$1" .state) == "JOB_STATE_$2" ]]; }

disk_case() {
  local job lines=10000
  mkdir -p "$full_dir/driver"
  mount -t tmpfs -o size=4m millrace-test "$full_dir/driver" || return 1
  at_end+=("umount '$full_dir/driver'" "'$cluster' stop --dir '$full_dir'")
  full_port=$(free_port)
  full_on start --port "$full_port" --executors 1 --build-dir "$build_dir" || give_up "the second cluster did not start"
  job=$(on_full submit "$good" --batch-interval 20ms --arg rate=500 --arg "count=$lines" --arg "out=$work/full-counts" 2> /dev/null) \
    || give_up "the second cluster takes no job"

  begin "a data directory that is full, for the job that runs"
  wait_until 20 full_job_is "$job" RUNNING || bad "the job does not run"
  dd if=/dev/zero of="$full_dir/driver/filler" bs=64k status=none 2> /dev/null || true
  dd if=/dev/zero of="$full_dir/driver/filler-2" bs=512 status=none 2> /dev/null || true
  wait_until 15 notice_says "$job" 'No space left' || bad "the status does not tell: notice '$(full_field "$job" .notice)'"
  end

  begin "a data directory that is full, for a new job"
  cp "$good" "$work/another.so"
  printf 'x' >> "$work/another.so"  # other bytes, so that it is uploaded
  expect 1 'No space left' -- millrace --driver "127.0.0.1:$full_port" --tls-dir "$full_dir/pki" submit "$work/another.so" --name another
  end

  begin "a data directory that has room again: the job goes on and has lost nothing"
  rm -f "$full_dir/driver/filler" "$full_dir/driver/filler-2"
  wait_until 10 notice_is_gone "$job" || bad "the notice stays: '$(full_field "$job" .notice)'"
  wait_until 60 full_job_is "$job" FINISHED || bad "the job is $(full_field "$job" .state): $(full_field "$job" .error)"
  sum_counts "$work/full-counts" > "$work/actual"
  "$build_dir/tests/tools/millrace_text_tool" counts "$lines" 1 | sort > "$work/expected-full"
  compare_counts "$work/expected-full" "$work/actual"
  ((lost + duplicated == 0)) || bad "$lost words lost, $duplicated too many"
  end

  full_on stop
  umount "$full_dir/driver"
}

if ((EUID != 0)); then
  say "SKIPPED a data directory that is full: it needs root, to mount a small file system"
  skipped=$((skipped + 1))
else
  disk_case || skip "a data directory that is full" "no tmpfs can be mounted here"
fi
