#!/usr/bin/env bash
# Records from real TCP servers through jobs on a real cluster, against a ledger of unique records.
#
#   socket.sh [--records N] [PART…]        (plain tls silence reliable; 120000)
#
#   plain     N records from three servers by lines, one server restarted in order; N/4 each by zero bytes and by lengths of 1, 2 and 4
#             bytes, with records over the limit between them: every record is counted once
#   tls       N/2 records over TLS with certificates of both sides; untrusted certificate, wrong name, no certificate of ours, missing
#             file, a plain server: each is said in the job's status, and what can mend is mended without a new submit
#   silence   a server that hangs, and (as root) a machine that is gone without a word: each is noticed, said, and called again
#   reliable  records that are stored and in no batch yet survive their runner; then N records run while a runner and an executor are
#             killed: what was stored is counted once, nothing twice
#
# Ends with
#   RESULT socket records= lost= duplicated= cases= in_flight=
# where in_flight is how many records of the killed part were sent and never stored, which nobody can help.
set -euo pipefail
# shellcheck disable=SC2034
NAME=socket
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

records=120000 parts=()
while (($# > 0)); do
  case $1 in
    --records) records=${2:?} && shift ;;
    plain | tls | silence | reliable) parts+=("$1") ;;
    *)
      sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
  shift
done
((${#parts[@]} > 0)) || parts=(plain tls silence reliable)
failed_result="records=$records lost=-1 duplicated=-1 cases=-1 in_flight=-1"
need_programs bin/millrace tests/jobs/received_lines.so
server_program=$root/tests/acceptance/socket/server.py
lost_all=0 duplicated_all=0 counted=0 cases=0 in_flight=0
declare -A server_pid=()

# ---- servers and jobs ----

# Starts a server; its state is in $work/NAME.state.
serve() {  # NAME PORT N [options of server.py]
  local name=$1
  rm -f "$work/$name.out"
  python3 "$server_program" --name "$name" --port "$2" --records "$3" --state "$work/$name.state" "${@:4}" > "$work/$name.out" 2>&1 &
  server_pid[$name]=$!
  at_end+=("kill -KILL $!")
  wait_until 10 grep -q listening "$work/$name.out" || give_up "no server $name: $(cat "$work/$name.out")"
}
end_server() {  # NAME: in order
  kill -TERM "${server_pid[$1]}"
  wait "${server_pid[$1]}" || give_up "the server $1 failed: $(cat "$work/$1.out")"
}
sent() { cut -d ' ' -f 1 "$work/$1.state"; }  # NAME
was_called_twice() { (($(cut -d ' ' -f 2 "$work/$1.state") >= 2)); }  # NAME
has_sent() { (($(sent "$1") >= $2)); }       # NAME AT-LEAST

problem_of() { job_field "$1" '.sources[0].problem, .notice, .error' | tr '\n' ' '; }
says() { [[ $(problem_of "$1") == *"$2"* ]]; }
is_well() { [[ $(job_field "$1" '.sources[0].problem // ""') == "" ]]; }
receive() {  # NAME HOSTS [argument=value…]: a job that writes what it receives to $work/NAME
  local word arguments=()
  for word in "hosts=$2" "output=$work/$1" "${@:3}"; do arguments+=(--arg "$word"); done
  mkdir -p "$work/$1"
  submit "$build_dir/tests/jobs/received_lines.so" --name "$1" "${arguments[@]}"
}
stop_job() {  # JOB
  millrace stop --drain "$1" 2> /dev/null || give_up "the job could not be stopped: $(problem_of "$1")"
  wait_until 60 job_is "$1" STOPPED || give_up "the job did not stop: $(problem_of "$1")"
}
cancel() { millrace stop --now "$1" > /dev/null 2>&1 || true; }
goes_on() {  # WHAT JOB N
  wait_until 60 has_records "$2" "$3" || give_up "$1: only $(job_field "$2" .records) of $3 records: $(problem_of "$2")"
  cases=$((cases + 1))
}
case_says() {  # WHAT TEXT: the status of $job must come to say it
  wait_until 30 says "$job" "$2" || give_up "$1: the status says only '$(problem_of "$job")'"
  say "$1: $(problem_of "$job")"
  cases=$((cases + 1))
}

# ---- the ledger ----

written() { find "$work/$1" -maxdepth 1 -name '*.txt' -print0 | xargs -0 -r cat | sort; }  # NAME
expect_all() {  # SERVER N [SERVER N]…
  while (($# > 0)); do
    seq -f "$1-%.0f" 0 $(($2 - 1))
    shift 2
  done | sort
}
compare_ledger() {  # NAME: $work/expected with what job NAME wrote
  local lost duplicated foreign
  written "$1" > "$work/actual"
  lost=$(comm -23 "$work/expected" <(uniq "$work/actual") | wc -l)
  foreign=$(comm -13 "$work/expected" <(uniq "$work/actual") | wc -l)
  duplicated=$(($(wc -l < "$work/actual") - $(uniq "$work/actual" | wc -l)))
  ((foreign == 0)) || give_up "$1: $foreign records are there that nobody sent: $(comm -13 "$work/expected" <(uniq "$work/actual") | head -3)"
  lost_all=$((lost_all + lost)) duplicated_all=$((duplicated_all + duplicated)) counted=$((counted + $(wc -l < "$work/expected")))
  say "$1: lost=$lost duplicated=$duplicated of $(wc -l < "$work/expected")"
}

# ---- parts ----

part_plain() {
  local at job n=$((records / 3)) framing
  at=$(free_port 3)
  serve a "$at" "$n"
  serve b $((at + 1)) "$n" --rate $((n / 6))
  serve c $((at + 2)) "$n"
  job=$(receive plain "127.0.0.1:$at,127.0.0.1:$((at + 1)),127.0.0.1:$((at + 2))" interval=200ms)
  wait_until 60 has_sent b $((n / 3)) || give_up "the server b has sent only $(sent b): $(problem_of "$job")"
  end_server b
  case_says "a server that is away" "127.0.0.1:$((at + 1)): cannot connect: Connection refused"
  serve b $((at + 1)) "$n" --first "$(sent b)"
  goes_on "a server that came back" "$job" $((3 * n))
  wait_until 10 is_well "$job" || give_up "the status is not well again: $(problem_of "$job")"
  stop_job "$job"
  expect_all a "$n" b "$n" c "$n" > "$work/expected"
  compare_ledger plain

  n=$((records / 4))
  for framing in zero length1 length2 length4; do
    at=$(free_port)
    # A length of one byte cannot be over the limit.
    if [[ $framing == length1 ]]; then
      serve "$framing" "$at" "$n" --framing "$framing"
    else
      serve "$framing" "$at" "$n" --framing "$framing" --long-every 1000
    fi
    job=$(receive "$framing" "127.0.0.1:$at" interval=200ms "framing=$framing" max_record_bytes=100 drop=true)
    goes_on "$framing" "$job" "$n"
    if [[ $framing != length1 ]]; then
      case_says "records over the limit" "$(((n + 999) / 1000)) records were longer than 100 bytes and were dropped"
    fi
    stop_job "$job"
    expect_all "$framing" "$n" > "$work/expected"
    compare_ledger "$framing"
  done
}

make_certificate() {  # NAME SUBJECT-ALTERNATIVE-NAME: signs itself
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -addext "subjectAltName=$2" \
    -keyout "$work/$1.key" -out "$work/$1.pem" 2> /dev/null || give_up "openssl made no certificate"
}

part_tls() {
  local at job n=$((records / 2))
  make_certificate good IP:127.0.0.1
  make_certificate named DNS:gateway.example
  make_certificate ours DNS:ours
  at=$(free_port 3)
  serve mutual "$at" "$n" --tls "$work/good.pem" "$work/good.key" --client-ca "$work/ours.pem"
  local ours=("certificate_file=$work/ours.pem" "key_file=$work/ours.key")
  cp "$work/named.pem" "$work/trusted.pem"
  job=$(receive mutual "127.0.0.1:$at" interval=200ms tls=true "ca_file=$work/trusted.pem" "${ours[@]}")
  case_says "an untrusted certificate" "the server's certificate is not trusted for '127.0.0.1'"
  cp "$work/good.pem" "$work/trusted.pem"
  goes_on "a ca_file that was corrected" "$job" "$n"
  stop_job "$job"
  expect_all mutual "$n" > "$work/expected"
  compare_ledger mutual
  end_server mutual

  serve mutual "$at" 10 --tls "$work/good.pem" "$work/good.key" --client-ca "$work/ours.pem"
  job=$(receive anonymous "127.0.0.1:$at" tls=true "ca_file=$work/good.pem")
  case_says "no certificate of ours" "does the server ask for a certificate (certificate_file)?"
  cancel "$job"
  serve named $((at + 1)) 10 --tls "$work/named.pem" "$work/named.key"
  job=$(receive wrong-name "127.0.0.1:$((at + 1))" tls=true "ca_file=$work/named.pem")
  case_says "a wrong name" "check the options ca_file and server_name"
  cancel "$job"
  job=$(receive right-name "127.0.0.1:$((at + 1))" interval=200ms tls=true "ca_file=$work/named.pem" server_name=gateway.example)
  goes_on "server_name" "$job" 10
  cancel "$job"
  serve untold $((at + 2)) 10
  job=$(receive untold "127.0.0.1:$((at + 2))" interval=200ms tls=true "ca_file=$work/late.pem")
  case_says "a missing file" "option ca_file: cannot use $work/late.pem: No such file or directory"
  cp "$work/good.pem" "$work/late.pem"
  case_says "a plain server" "does the server speak TLS on this port"
  cancel "$job"
}

part_silence() {
  local at job n=$((records / 10))
  at=$(free_port)
  serve hung "$at" $((2 * n)) --hold "$n"
  job=$(receive hung "127.0.0.1:$at" interval=200ms idle_timeout=3s)
  wait_until 60 has_records "$job" "$n" || give_up "the records do not come: $(problem_of "$job")"
  kill -STOP "${server_pid[hung]}"
  case_says "a server that hangs" "nothing has come for 3000 ms"
  kill -USR1 "${server_pid[hung]}"
  kill -CONT "${server_pid[hung]}"
  goes_on "a server that hung" "$job" $((2 * n))
  stop_job "$job"
  expect_all hung $((2 * n)) > "$work/expected"
  compare_ledger hung
  if ((EUID == 0)) && ip link add "mr$$a" type veth peer name "mr$$b" 2> /dev/null; then
    at_end+=("ip link del mr$$a")
    half_open "mr$$a" "mr$$b"
  else
    say "skipped the machine that is gone without a word: it needs root, and network devices of its own"
  fi
}

# A server in a network namespace of its own, whose cable is pulled.
half_open() {  # DEVICE PEER-DEVICE
  local at job n=$((records / 10)) holder near=198.18.77.1 far=198.18.77.2
  at=$(free_port)
  unshare --net sleep 600 &
  holder=$!
  at_end+=("kill $holder")
  wait_until 5 in_another_network "$holder" || give_up "no network namespace"
  ip link set "$2" netns "$holder"
  ip address add "$near/30" dev "$1"
  ip link set "$1" up
  nsenter --net --target "$holder" sh -c "ip link set lo up && ip address add $far/30 dev $2 && ip link set $2 up"
  nsenter --net --target "$holder" python3 "$server_program" --host "$far" --name far --port "$at" --records $((2 * n)) \
    --hold "$n" --state "$work/far.state" > "$work/far.out" 2>&1 &
  server_pid[far]=$!
  at_end+=("kill -KILL $!")
  wait_until 10 grep -q listening "$work/far.out" || give_up "no server behind the cable: $(cat "$work/far.out")"
  job=$(receive far "$far:$at" interval=200ms keepalive=1s)
  wait_until 60 has_records "$job" "$n" || give_up "the records do not come: $(problem_of "$job")"
  nsenter --net --target "$holder" ip link set "$2" down
  case_says "a machine that is gone without a word" "socket $far:$at: "
  nsenter --net --target "$holder" ip link set "$2" up
  # To the server the old connection is whole: what it sent there now would be lost.
  wait_until 30 was_called_twice far || give_up "a machine that is back is not called again: $(problem_of "$job")"
  kill -USR1 "${server_pid[far]}"
  goes_on "a machine that was gone" "$job" $((2 * n))
  stop_job "$job"
  expect_all far $((2 * n)) > "$work/expected"
  compare_ledger far
}
in_another_network() { [[ $(readlink "/proc/$1/ns/net") != "$(readlink /proc/self/ns/net)" ]]; }  # PID

# Which records of these servers are in the receivers' log of a job: ids as they stand in its files.
stored_of() {  # JOB SERVER…
  local job=$1 pattern
  shift
  pattern=$(IFS='|' && echo "$*")
  find "$cluster_dir/checkpoints/received/$job" -type f -print0 2> /dev/null | xargs -0 -r cat 2> /dev/null \
    | grep -aoE "($pattern):[0-9]{7}" | sort -u || true
}
has_stored() { (($(stored_of "$1" "${@:3}" | wc -l) >= $2)); }  # JOB N SERVER…

part_reliable() {
  local at job n=$((records / 10)) output
  at=$(free_port 2)
  # Held back: all is stored, and in no batch yet, when both runners die.
  serve r "$at" "$n" --fixed
  serve s $((at + 1)) "$n" --fixed
  job=$(receive held "127.0.0.1:$at,127.0.0.1:$((at + 1))" interval=10s reliable=true)
  wait_until 60 has_stored "$job" $((2 * n)) r s || give_up "only $(stored_of "$job" r s | wc -l) of $((2 * n)) records are stored: $(problem_of "$job")"
  (($(job_field "$job" .records) < 2 * n)) || give_up "all was in batches before the runners died: use longer ones"
  on_cluster kill-runner "$job" 1
  on_cluster kill-runner "$job" 2
  say "both runners were killed with $(job_field "$job" .records) of $((2 * n)) stored records in batches"
  wait_until 90 has_records "$job" $((2 * n)) || say "only $(job_field "$job" .records) of $((2 * n)) records come: $(problem_of "$job")"
  stop_job "$job"
  { seq -f "r:%07.0f" 0 $((n - 1)) && seq -f "s:%07.0f" 0 $((n - 1)); } | sort > "$work/expected"
  compare_ledger held
  cases=$((cases + 1))

  # Under way: what was stored when a runner died is counted once.
  at=$(free_port 2)
  n=$((records / 2))
  serve u "$at" "$n" --fixed --rate $((n / 15))
  serve v $((at + 1)) "$n" --fixed --rate $((n / 15))
  job=$(receive under "127.0.0.1:$at,127.0.0.1:$((at + 1))" interval=500ms reliable=true)
  : > "$work/stored"
  local victim
  for victim in runner executor; do
    output=$(sent u)
    wait_until 60 has_sent u $((output + n / 6)) || give_up "nothing is sent before the $victim is killed: $(problem_of "$job")"
    if [[ $victim == runner ]]; then on_cluster kill-runner "$job" 1; else on_cluster kill-executor 2; fi
    # The log first: what is deleted from it is in the output by then.
    stored_of "$job" u v >> "$work/stored"
    written under >> "$work/stored"
    say "the $victim was killed with $(sent u) and $(sent v) of $n sent, $(sort -u "$work/stored" | wc -l) known to be stored"
    if [[ $victim == executor ]]; then on_cluster start-executor 2; fi
    cases=$((cases + 1))
  done
  wait_until 120 has_sent u "$n" || give_up "the server u has sent only $(sent u): $(problem_of "$job")"
  wait_until 120 has_sent v "$n" || give_up "the server v has sent only $(sent v): $(problem_of "$job")"
  wait_until 30 is_well "$job" || say "not well: $(problem_of "$job")"
  stop_job "$job"
  written under > "$work/actual"
  lost=$(comm -23 <(sort -u "$work/stored") <(uniq "$work/actual") | wc -l)
  duplicated=$(($(wc -l < "$work/actual") - $(uniq "$work/actual" | wc -l)))
  in_flight=$((2 * n - $(uniq "$work/actual" | wc -l)))
  lost_all=$((lost_all + lost)) duplicated_all=$((duplicated_all + duplicated)) counted=$((counted + $(uniq "$work/actual" | wc -l)))
  say "under: lost=$lost of what was stored, duplicated=$duplicated; $in_flight of $((2 * n)) were on their way when something died"
  ((in_flight < n)) || give_up "more than half of the records never came"
}

start_cluster
for part in "${parts[@]}"; do
  say "--- $part"
  "part_$part"
done
result "records=$counted lost=$lost_all duplicated=$duplicated_all cases=$cases in_flight=$in_flight"
((lost_all == 0 && duplicated_all == 0))
