#!/usr/bin/env bash
# From a bare Debian 12 to a running job: installs what is missing, builds, makes certificates, starts one driver and two executors
# on the loopback, submits the word count on the built-in generator, and shows what happens. As root or with sudo; asks nothing.
#
#   scripts/quickstart.sh                 leaves the cluster running
#   scripts/quickstart.sh --seconds N     the job sends N seconds of lines; its counts are compared with those of an independent
#                                         program, everything is stopped, and the exit status is 0 only if they agree
#   scripts/quickstart.sh stop            stops what the first form has left running
# Options: --rate R  lines a second (1000)   --port P  of the driver (17077)   --dir D  data and logs (build/quickstart)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

seconds=0 rate=1000 port=17077 dir=$root/build/quickstart stop=0
seed=1
while (($# > 0)); do
  case $1 in
    --seconds | --rate | --port)
      if [[ ! ${2:-} =~ ^[1-9][0-9]{0,8}$ ]]; then
        echo "quickstart.sh: $1 needs a number" >&2
        exit 2
      fi
      declare "${1#--}=$2"
      shift
      ;;
    --dir)
      dir=${2:?--dir needs a directory}
      shift
      ;;
    stop) stop=1 ;;
    -h | --help)
      sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$0"
      exit 0
      ;;
    *)
      echo "quickstart.sh: '$1' is not understood (--help)" >&2
      exit 2
      ;;
  esac
  shift
done

cluster() { scripts/local_cluster.sh "$@" --dir "$dir"; }
if ((stop)); then
  cluster stop
  echo "stopped; data and logs are in $dir"
  exit 0
fi

step() { printf '\n== %s\n' "$*"; }

fail() {
  echo "quickstart.sh: $1" >&2
  echo "Logs: $dir/driver.log, $dir/executor-1.log, $dir/executor-2.log" >&2
  if ((seconds > 0)); then echo "RESULT quickstart records=0 words=0 mismatches=-1"; fi
  exit 1
}

step "packages"
scripts/install_deps.sh
echo "all there"

step "build (preset release)"
build=$root/build/release
started=$SECONDS
cmake --preset release > build.log.$$ 2>&1 || { cat "build.log.$$"; rm -f "build.log.$$"; exit 1; }
rm -f "build.log.$$"
cmake --build --preset release --target millrace-driver millrace-executor millrace-runner millrace millrace-local \
  word_count kafka_word_count socket_word_count files_word_count union_and_group for_each_batch millrace_text_tool
echo "built in $((SECONDS - started)) s"

step "certificates, one driver, two executors"
cluster stop
rm -rf --one-file-system "${dir:?}"
if ((seconds > 0)); then trap 'cluster stop' EXIT; fi
cluster start --executors 2 --port "$port" --build-dir "$build"
eval "$(cluster env)"

step "word count on made-up text, $rate lines a second"
arguments=(--arg "rate=$rate" --arg "seed=$seed" --arg "out=$dir/counts")
if ((seconds > 0)); then arguments+=(--arg "count=$((rate * seconds))"); fi
job=$(millrace submit "$build/examples/word_count.so" "${arguments[@]}") || fail "the job was not accepted"

# The counts as they come. Following never stops a job, so a timeout here is no failure.
step "live counts of job $job"
follow_status=0
timeout "$((seconds > 0 ? seconds + 60 : 5))" millrace follow "$job" || follow_status=$?
((follow_status == 0 || follow_status == 124)) || fail "following the job ended with $follow_status"

step "the cluster"
millrace executors
millrace list --all
millrace status "$job" --batches 5

if ((seconds == 0)); then
  cat <<NEXT

The job goes on. To look further:
  $(cluster env | sed -z 's/\n/\n  /g')
  millrace follow $job            the counts of each batch
  millrace status $job --watch    batch times, delays, records
  millrace logs $job -f           what the job's runners say
  millrace stop $job              end the job
  ls $dir/counts            the counts as files
  tail -f $dir/driver.log
To stop everything:
  scripts/quickstart.sh stop
NEXT
  exit 0
fi

step "the counts against an independent program"
state=$(millrace status "$job" -o json | jq -r .state)
records=$(millrace status "$job" -o json | jq -r .records)
[[ $state == JOB_STATE_FINISHED ]] || fail "the job is $state after $((seconds + 60)) s and $records records, not finished"
export LC_ALL=C
find "$dir/counts" -maxdepth 1 -name '*.txt' -print0 | xargs -0 -r cat \
  | awk -F'\t' '{n[$1] += $2} END {for (w in n) printf "%s\t%d\n", w, n[w]}' | sort > "$dir/counted"
"$build/tests/tools/millrace_text_tool" counts "$((rate * seconds))" "$seed" | sort > "$dir/expected"
mismatches=$(diff "$dir/expected" "$dir/counted" | grep -c '^[<>]' || true)
words=$(awk -F'\t' '{n += $2} END {printf "%d", n}' "$dir/counted")
echo "$(wc -l < "$dir/counted") different words in $(find "$dir/counts" -maxdepth 1 -name '*.txt' | wc -l) files"
echo "RESULT quickstart records=$records words=$words mismatches=$mismatches"
[[ $mismatches == 0 && $records == "$((rate * seconds))" ]]
