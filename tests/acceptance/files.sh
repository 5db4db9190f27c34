#!/usr/bin/env bash
# Files of a nested folder, plain, with gzip and with zstd, and objects of a real S3 server, read by one job and written to a folder and to a
# bucket, while files keep coming. On the way a runner is killed, an executor is killed, and the S3 server is killed and started again.
#
#   files.sh [--records N]      --records N  lines in all (200,000), half of them in files, half in objects
#
# Every line has a number of its own. Ends with
#   RESULT files records= lost= duplicated=
# where lost and duplicated are counted in both outputs together.
set -euo pipefail
# shellcheck disable=SC2034
NAME=files
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

records=200000
take_options "records" "$@"
pieces=40
each=$((records / pieces / 2))
records=$((each * pieces * 2))
failed_result="records=$records lost=-1 duplicated=-1"
need_programs bin/millrace tests/jobs/files_ledger.so
command -v zstd > /dev/null || give_up "there is no zstd; scripts/install_deps.sh --tests installs it"

s3_port=$(free_port)
s3_options=(--port "$s3_port" --data "$work/s3")
"$s3" start "${s3_options[@]}" || give_up "no S3 server; see the lines above"
printf 'aws_access_key_id = millrace\naws_secret_access_key = millrace-secret-key\n' > "$work/credentials"
chmod 600 "$work/credentials"
mkdir -p "$work/in" "$work/out" "$work/made"

# Lines of piece I, and a file of them: every third is packed with gzip, every third with zstd.
lines_of() { seq -f "line %.0f of many" $(($1 * each)) $((($1 + 1) * each - 1)); }
pack() {  # I NAME: prints the path of the packed file
  local file=$work/made/$2
  lines_of "$1" > "$file"
  case $(($1 % 3)) in
    1) gzip -f "$file" && file+=.gz ;;
    2) zstd -q -f --rm "$file" && file+=.zst ;;
  esac
  echo "$file"
}
give_file() {  # I: shows it half under a name that does not count, then renames it into place
  local file folder
  file=$(pack "$1" "part-$1.log")
  folder=$work/in/day-$(($1 % 4))/deeper
  mkdir -p "$folder"
  head -c 100 "$file" > "$folder/${file##*/}.part"
  mv "$file" "$folder/${file##*/}.part"
  mv "$folder/${file##*/}.part" "$folder/${file##*/}"
}
give_object() {  # I
  local file
  file=$(pack $((pieces + $1)) "object-$1")
  "$s3" curl "${s3_options[@]}" "/test/in/day-$(($1 % 4))/${file##*/}" -T "$file" > /dev/null 2>&1 || give_up "object $1 could not be put"
}
give() {  # FIRST LAST
  local i
  for ((i = $1; i <= $2; ++i)); do
    give_file "$i"
    give_object "$i"
  done
}
trouble() { job_field "$job" '[.sources[].problem, .notice, .error] | map(select(. != null and . != "")) | join("; ")'; }
await_records() { wait_until 90 has_records "$job" "$1" || give_up "only $(job_field "$job" .records) of $1 lines are committed: $(trouble)"; }

start_cluster
job=$(submit "$build_dir/tests/jobs/files_ledger.so" --arg "in=$work/in" --arg in_s3=s3://test/in --arg "out=$work/out" \
  --arg out_s3=s3://test/out --arg "endpoint=http://127.0.0.1:$s3_port" --arg "credentials=$work/credentials")
wait_until 30 job_is "$job" RUNNING || give_up "the job is not running: $(trouble)"
give 0 9
await_records $((each * 10))
on_cluster kill-runner "$job" 1
say "a runner was killed at $(job_field "$job" .records) of $records lines"
give 10 19
await_records $((each * 30))
on_cluster kill-executor 2
say "an executor was killed at $(job_field "$job" .records) lines"
give 20 24
"$s3" kill "${s3_options[@]}"
say "the S3 server was killed at $(job_field "$job" .records) lines"
for ((i = 25; i < 30; ++i)); do give_file "$i"; done
on_cluster start-executor 2
"$s3" start "${s3_options[@]}" || give_up "the S3 server does not start again"
for ((i = 25; i < 30; ++i)); do give_object "$i"; done
give 30 $((pieces - 1))
find "$work/in" -type f -exec touch {} +  # no new files
await_records "$records"
millrace stop --drain "$job" 2> /dev/null || give_up "the job could not be stopped: $(trouble)"
wait_until 60 job_is "$job" STOPPED || give_up "the job did not stop: $(trouble)"

for ((i = 0; i < 2 * pieces; ++i)); do lines_of "$i"; done | awk '{printf "%s\t1\n", $0}' | sort > "$work/expected"
find "$work/out" -maxdepth 1 -name '*.txt.zst' -print0 | xargs -0 -r zstd -q -d -c | sort > "$work/files"
find "$work/s3/objects/test/out" -maxdepth 1 -name '*.txt.gz' -print0 | xargs -0 -r gzip -d -c | sort > "$work/objects"
lost=0 duplicated=0
for output in files objects; do
  missing=$(comm -23 "$work/expected" <(uniq "$work/$output") | wc -l)
  surplus=$(($(wc -l < "$work/$output") - $(wc -l < "$work/expected") + missing))
  say "$output: $(wc -l < "$work/$output") lines, missing=$missing surplus=$surplus"
  lost=$((lost + missing)) duplicated=$((duplicated + surplus))
done
job_field "$job" '"runner_failures=\(.runner_failures) batches=\(.batches_committed)"'
result "records=$records lost=$lost duplicated=$duplicated"
((lost == 0 && duplicated == 0))
