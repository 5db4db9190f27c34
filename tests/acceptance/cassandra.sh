#!/usr/bin/env bash
# Running totals per word from a real Kafka broker into a real Cassandra with password authentication, against a one-line awk program over
# the same lines; in the middle a runner is killed, then the server, which comes back some seconds later. Then everything that can be wrong
# with the options, each as the status of a job; a server that hangs; TLS with client certificates; and a lookup join of 100,000 records
# with a table of 10,000 rows, with the same losses and refusals.
#
#   cassandra.sh [--records N] [PART…]
#
#   --records N  lines of ten words (200,000)       PART  totals, refused, frozen, lookup, tls: only these (all)
#
# Tables are filled and read with the driver of PyPI, not with the client under test. Ends with
#   RESULT cassandra rows= wrong= lookup_wrong= lookup_sent= cases=
# where rows are those of the table, wrong are words whose total is not what awk counts (missing and strange ones too), lookup_wrong are
# lines of the join that are not what awk joins (missing, strange and repeated ones too), lookup_sent are the requests that the join took,
# and cases are the refusals that were as they must be.
set -euo pipefail
# shellcheck disable=SC2034
NAME=cassandra
# shellcheck source=tests/acceptance/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

records=200000 parts=()
while (($# > 0)); do
  case $1 in
    --records) records=${2:?} && shift ;;
    totals | refused | frozen | lookup | tls) parts+=("$1") ;;
    *)
      sed -n '2,/^set -e/{s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
  shift
done
((${#parts[@]} > 0)) || parts=(totals refused frozen lookup tls)

server=$root/scripts/servers/cassandra.sh
tool=$build_dir/tests/tools/millrace_kafka_tool
library=$build_dir/tests/jobs/cassandra_totals.so
lookup_library=$build_dir/tests/jobs/cassandra_lookup.so
rows=0 wrong=-1 cases=0 bad_cases=0 lookup_wrong=-1 lookup_sent=0
failed_result="rows=0 wrong=-1 lookup_wrong=-1 cases=0"
need_programs bin/millrace tests/tools/millrace_kafka_tool tests/jobs/cassandra_totals.so tests/jobs/cassandra_lookup.so

start_cassandra() {  # [--tls MODE]
  cassandra_port=$(free_port 2)
  cassandra_options=(--port "$cassandra_port" --data "$work/cassandra$cassandra_port" --heap 384m "$@")
  "$server" start "${cassandra_options[@]}" --auth || give_up "no Cassandra server; see the lines above"
  at_end+=("'$server' kill --port $cassandra_port --data '$work/cassandra$cassandra_port'")
  cql "CREATE KEYSPACE mr WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};
       CREATE TABLE mr.totals (word text PRIMARY KEY, total bigint);
       CREATE TABLE mr.counts (word text PRIMARY KEY, total counter);
       CREATE TABLE mr.days (word text, day text, total bigint, PRIMARY KEY (word, day));
       CREATE ROLE reader WITH PASSWORD = 'reader' AND LOGIN = true;
       GRANT SELECT ON KEYSPACE mr TO reader"
}
cql() { timeout 120 "$server" cql "${cassandra_options[@]}" "$@" || give_up "the statement failed: $*"; }

submit_totals() { submit_job "$library" "$@"; }  # NAME [ARG=VALUE…]; later ones win
submit_lookup() { submit_job "$lookup_library" "$1" in=orders "out=$work/joined-$1" "${@:2}"; }
submit_job() {  # LIBRARY NAME [ARG=VALUE…]
  local args=() arg
  local -A given=([brokers]=$brokers [in]=lines [contact_points]=127.0.0.1:$cassandra_port [username]=cassandra
    [password_file]=$work/password)
  for arg in "${@:3}"; do given[${arg%%=*}]=${arg#*=}; done
  for arg in "${!given[@]}"; do args+=(--arg "$arg=${given[$arg]}"); done
  submit "$1" --name "$2" --batch-interval 100ms "${args[@]}"
}

# Words whose total in the table is not the expected one.
compare_totals() {
  cql 'SELECT word, total FROM mr.totals' | jq -r '[.word, .total] | @tsv' | sort > "$work/actual"
  rows=$(wc -l < "$work/actual")
  wrong=$(comm -3 "$work/expected" "$work/actual" | cut -f1-2 | awk -F'\t' '{print $1 == "" ? $2 : $1}' | sort -u | wc -l)
}

send_slices() {
  local slice
  tail -n +$((records / 2 + 1)) "$work/lines" | split -n r/12 -d - "$work/slice-"
  for slice in "$work"/slice-*; do "$tool" produce lines --brokers "$brokers" < "$slice" 2> /dev/null; done
}

run_totals() {
  local job sender before
  job=$(submit_totals totals)
  wait_until 30 job_is "$job" RUNNING || give_up "the job is not running after 30 s: $(job_field "$job" '.notice, .error')"
  head -n $((records / 2)) "$work/lines" | "$tool" produce lines --brokers "$brokers" 2> /dev/null
  committed "$job" $((records / 4)) 180
  say "SIGKILL to a runner, with $(job_field "$job" .records) of $records records committed"
  on_cluster kill-runner "$job" 1
  committed "$job" $((records / 2)) 120
  say "SIGKILL to the server, with $(job_field "$job" .records) committed"
  "$server" kill "${cassandra_options[@]}"
  before=$(job_field "$job" .records)
  send_slices &
  sender=$!
  at_end+=("kill $sender")
  wait_until 60 job_says "$job" "cannot connect" || give_up "the status does not say that the server is away: $(job_field "$job" '.notice, .error')"
  say "the status says: $(job_field "$job" .notice | head -c 300)"
  "$server" start "${cassandra_options[@]}" --auth || give_up "the server did not come back"
  wait "$sender" || give_up "the lines could not be sent"
  committed "$job" "$records" 180
  ((before < records)) || give_up "the server was killed too late: use more --records"
  millrace stop "$job" 2> /dev/null || give_up "the job could not be stopped: $(job_field "$job" .error)"
  wait_until 40 job_is "$job" STOPPED || give_up "the job did not stop"
  say "marks: $(cql 'SELECT part, epoch, version, last_batch FROM mr.millrace_marks' | tr '\n' ' ')"
  compare_totals
  say "rows=$rows wrong=$wrong of $(wc -l < "$work/expected") words"
}
# Waits until so many records are committed, or the job has ended.
committed() {  # JOB RECORDS SECONDS
  wait_until "$3" reached "$1" "$2" && has_records "$1" "$2" && return
  give_up "$(job_field "$1" .records) of $2 records were committed within $3 s: $(job_field "$1" '.state, .notice, .error' | tr '\n' ' ')"
}
reached() { has_records "$1" "$2" || job_is "$1" FAILED; }
job_says() { job_field "$1" '.. | strings' | grep -q -- "$2"; }  # JOB TEXT, anywhere in its status

submit_case=submit_totals  # what refused and waits submit

# A job with these arguments must fail, and say this.
refused() {  # NAME TEXT [ARG…]
  local job
  job=$("$submit_case" "$1" "${@:3}")
  if wait_until 60 job_is "$job" FAILED && job_says "$job" "$2"; then
    cases=$((cases + 1))
    say "refused $1: $(job_field "$job" .error | head -c 250)"
    return
  fi
  bad_cases=$((bad_cases + 1))
  say "NOT refused as it must be, $1: wanted '$2', got $(job_field "$job" '.state, .notice, .error' | tr '\n' ' ')"
  millrace stop "$job" 2> /dev/null || true
}

# A job with these arguments must wait, and say why.
waits() {  # NAME TEXT [ARG…]
  local job
  job=$("$submit_case" "$1" "${@:3}")
  if wait_until 60 job_says "$job" "$2" && job_is "$job" RUNNING; then
    cases=$((cases + 1))
    say "waits $1: $(job_field "$job" .notice | head -c 250)"
  else
    bad_cases=$((bad_cases + 1))
    say "does NOT wait as it must, $1: wanted '$2', got $(job_field "$job" '.state, .notice, .error' | tr '\n' ' ')"
  fi
  millrace stop --now "$job" 2> /dev/null || true
}

run_refused() {
  printf 'not the password\n' > "$work/wrong-password"
  printf 'reader\n' > "$work/reader-password"
  refused wrong-password 'the server refuses user name or password' "password_file=$work/wrong-password"
  refused no-password 'set the options username and password_file' username= password_file=
  refused no-password-file "cannot read a line from $work/none" "password_file=$work/none"
  refused no-keyspace "there is no keyspace 'm'" keyspace=m
  refused no-table "there is no table 'total' in keyspace 'mr', did you mean 'totals'" table=total
  refused no-column "has no column 'totale', did you mean 'total'" columns=word,totale
  refused no-key "column 'day' is part of the primary key and not in the option columns" table=days
  refused wrong-type "column 'total' is of type bigint, and the job writes values of kind text" columns=total,word
  refused counter "is a counter table" table=counts
  refused may-not-write "the user may not do this" username=reader "password_file=$work/reader-password"
  waits no-server 'cannot connect: Connection refused' "contact_points=127.0.0.1:1"
  waits no-cassandra 'is it a Cassandra server' "contact_points=$brokers"
}

# A server that hangs: connections stay open and nothing comes.
run_frozen() {
  local job pid
  pid=$(cat "$work/cassandra$cassandra_port/cassandra.pid")
  cql 'TRUNCATE mr.totals'
  job=$(submit_totals frozen)
  wait_until 30 job_is "$job" RUNNING || give_up "the job is not running after 30 s: $(job_field "$job" '.notice, .error')"
  kill -STOP "$pid"
  at_end+=("kill -CONT $pid")
  wait_until 60 job_says "$job" 'no answer' || give_up "the status does not say that the server hangs: $(job_field "$job" '.notice, .error')"
  say "the status says: $(job_field "$job" .notice | head -c 250)"
  kill -CONT "$pid"
  committed "$job" "$records" 120
  millrace stop "$job" 2> /dev/null || give_up "the job could not be stopped: $(job_field "$job" .error)"
  wait_until 40 job_is "$job" STOPPED || give_up "the job did not stop"
  compare_totals
  say "after a server that hung: rows=$rows wrong=$wrong"
}

# The lines that the join must give, with the rows as another driver reads them: "number customer name tier discount".
expect_joined() {
  cql 'SELECT id, name, tier, discount FROM mr.customers' \
    | jq -r '[.id, .name, .tier, if .discount == null then "-" else .discount * 100 | floor end] | @tsv' > "$work/customers"
  awk -F'\t' 'NR == FNR {row[$1] = $2 " " $3 " " $4; next} {split($0, f, " "); print $0 " " (f[2] in row ? row[f[2]] : "none")}' \
    "$work/customers" "$work/orders" | sort > "$work/expected-joined"
}
# Lines of a job that are not those, or not once.
compare_joined() {  # NAME
  find "$work/joined-$1" -maxdepth 1 -name '*.txt' -print0 | xargs -0 -r cat | sort > "$work/actual-joined"
  comm -3 "$work/expected-joined" "$work/actual-joined" | wc -l
}
count_of() { job_field "$1" "[.counts[]? | select(.name == \"$2\") | .value | tonumber] | add // 0"; }  # JOB COUNTER
send_orders() {  # SLICE…
  local slice
  for slice in "$@"; do "$tool" produce orders --brokers "$brokers" < "$work/orders-$slice" 2> /dev/null; done
}

run_lookup() {
  local job sender orders=100000 customers=10000
  cql 'CREATE TABLE IF NOT EXISTS mr.customers (id bigint PRIMARY KEY, name text, tier tinyint, level tinyint, discount float, tags set<text>)'
  # Every eighth has no discount. A sixth of the orders is of customers that the table does not have.
  awk -v n=$customers 'BEGIN {for (i = 0; i < n; ++i) printf "[%d, \"name%d\", %d, %s]\n", i, i * 7, i % 11 - 5, i % 8 ? "0.25" : "null"}' > "$work/rows"
  timeout 120 "$server" load "${cassandra_options[@]}" 'INSERT INTO mr.customers (id, name, tier, discount) VALUES (?, ?, ?, ?)' "$work/rows" \
    || give_up "the table could not be filled"
  awk -v n=$orders -v c=$customers 'BEGIN {srand(7); for (i = 0; i < n; ++i) print i, int(rand() * c * 1.2)}' > "$work/orders"
  split -n r/10 -d "$work/orders" "$work/orders-"
  expect_joined
  "$kafka" topic orders 4 "${kafka_options[@]}" > /dev/null
  # Rows are good for a second: after that the table is asked again, so also while the server is away.
  job=$(submit_lookup lookup cache_ttl=1s)
  wait_until 30 job_is "$job" RUNNING || give_up "the job is not running after 30 s: $(job_field "$job" '.notice, .error')"
  send_orders {00..04} &
  sender=$!
  at_end+=("kill $sender")
  committed "$job" $((orders / 10)) 120
  say "SIGKILL to a runner, with $(job_field "$job" .records) of $orders records joined"
  on_cluster kill-runner "$job" 1
  wait "$sender" || give_up "the orders could not be sent"
  committed "$job" $((orders / 2)) 120
  say "SIGKILL to the server, with $(job_field "$job" .records) joined"
  "$server" kill "${cassandra_options[@]}"
  send_orders {05..09} &
  sender=$!
  at_end+=("kill $sender")
  wait_until 60 job_says "$job" "cannot connect" || give_up "the status does not say that the server is away: $(job_field "$job" '.notice, .error')"
  say "the status says: $(job_field "$job" .notice | head -c 300)"
  (($(job_field "$job" .records) < orders)) || give_up "the server was killed too late"
  "$server" start "${cassandra_options[@]}" --auth || give_up "the server did not come back"
  wait "$sender" || give_up "the orders could not be sent"
  committed "$job" "$orders" 180
  millrace stop "$job" 2> /dev/null || give_up "the job could not be stopped: $(job_field "$job" .error)"
  wait_until 40 job_is "$job" STOPPED || give_up "the job did not stop"
  lookup_wrong=$(compare_joined lookup)
  lookup_sent=$(count_of "$job" lookups_sent)
  say "lookup_wrong=$lookup_wrong of $(wc -l < "$work/expected-joined") lines, $(count_of "$job" lookups) keys, $lookup_sent requests"
  refuse_lookups
  cached_lookups $orders
}

# With a cache that keeps all rows, no runner asks for a key twice; without one, each chunk asks anew.
cached_lookups() {  # ORDERS
  local job name sent
  local -A asked=()
  for name in cached uncached; do
    job=$(submit_lookup $name cache_ttl=1h "cache_rows=$([[ $name == cached ]] && echo 100000 || echo 0)")
    committed "$job" "$1" 120
    millrace stop "$job" 2> /dev/null || give_up "the job could not be stopped: $(job_field "$job" .error)"
    wait_until 40 job_is "$job" STOPPED || give_up "the job did not stop"
    sent=$(compare_joined $name)
    lookup_wrong=$((lookup_wrong + sent))
    asked[$name]=$(count_of "$job" lookups_sent)
    say "$name: lookup_wrong=$sent, $(count_of "$job" lookups) keys, ${asked[$name]} requests"
  done
  if ((asked[cached] > 0 && asked[cached] * 3 < asked[uncached] * 2)); then return; fi
  bad_cases=$((bad_cases + 1))
  say "the cache has NOT saved requests"
}

refuse_lookups() {
  submit_case=submit_lookup
  printf 'not the password\n' > "$work/wrong-password"
  refused lookup-wrong-password 'the server refuses user name or password' "password_file=$work/wrong-password"
  refused lookup-no-keyspace "there is no keyspace 'm'" keyspace=m
  refused lookup-no-table "there is no table 'customer' in keyspace 'mr', did you mean 'customers'" table=customer
  refused lookup-no-column "has no column 'nam', did you mean 'name'" columns=nam,tier,discount
  refused lookup-wrong-type "column 'tier' is of type tinyint, and the job reads values of kind text from it" columns=tier,id,discount
  refused lookup-set-column "of type set<text>, which a lookup does not read" columns=tags,tier,discount
  refused lookup-no-key "column 'id' is part of the primary key and not in the option key_columns" key=name
  refused lookup-null "column 'level' is null; make the field a std::optional" columns=name,level,discount
  waits lookup-no-server 'cannot connect: Connection refused' "contact_points=127.0.0.1:1"
  submit_case=submit_totals
  local_lookup
}

# The same in one process, without a cluster: it ends by itself when the table is not what the job expects.
local_lookup() {
  local args=(--arg "brokers=$brokers" --arg in=orders --arg "out=$work/joined-local" --arg "contact_points=127.0.0.1:$cassandra_port"
    --arg username=cassandra --arg "password_file=$work/password" --batch-interval 100ms)
  if ! timeout 60 millrace local "$lookup_library" "${args[@]}" --arg columns=nam,tier,discount > "$work/local" 2>&1 \
    && grep -q "has no column 'nam'" "$work/local"; then
    cases=$((cases + 1))
  else
    bad_cases=$((bad_cases + 1))
    say "millrace local does NOT end as it must: $(tail -n 3 "$work/local")"
  fi
}

run_tls() {
  start_cassandra --tls mutual
  local data=$work/cassandra$cassandra_port job
  local tls=(tls=true "tls_ca_file=$data/ca.pem" "tls_cert_file=$data/client.crt" "tls_key_file=$data/client.key")
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=another" -keyout "$work/other.key" -out "$work/other.pem" 2> /dev/null
  refused untrusted "certificate is not trusted for '127.0.0.1'" "${tls[@]}" "tls_ca_file=$work/other.pem"
  refused no-ca-file "option tls_ca_file: cannot use $work/none" "${tls[@]}" "tls_ca_file=$work/none"
  waits no-client-certificate 'does the server ask for a certificate' tls=true "tls_ca_file=$data/ca.pem"
  waits no-tls 'does the server want TLS' tls=false
  job=$(submit_totals tls "${tls[@]}")
  committed "$job" "$records" 120
  millrace stop "$job" 2> /dev/null || give_up "the job could not be stopped: $(job_field "$job" .error)"
  wait_until 40 job_is "$job" STOPPED || give_up "the job did not stop"
  compare_totals
  say "over mutual TLS: rows=$rows wrong=$wrong"
}

say "making $records lines"
"$tool" lines "$records" 1 > "$work/lines"
awk '{for (i = 1; i <= NF; ++i) n[$i]++} END {for (w in n) printf "%s\t%d\n", w, n[w]}' "$work/lines" | sort > "$work/expected"
printf 'cassandra\n' > "$work/password"
start_kafka
"$kafka" topic lines 4 "${kafka_options[@]}" > /dev/null
start_cluster
start_cassandra
all_wrong=0
for part in "${parts[@]}"; do
  if [[ $part != totals && ! -e $work/sent ]]; then
    [[ " ${parts[*]} " == *" totals "* ]] || "$tool" produce lines --brokers "$brokers" < "$work/lines" 2> /dev/null
    touch "$work/sent"
  fi
  wrong=0
  "run_$part"
  all_wrong=$((all_wrong + wrong))
done
[[ " ${parts[*]} " == *" lookup "* ]] || lookup_wrong=0
result "rows=$rows wrong=$all_wrong lookup_wrong=$lookup_wrong lookup_sent=$lookup_sent cases=$cases bad_cases=$bad_cases records=$records"
((all_wrong == 0 && lookup_wrong == 0 && bad_cases == 0))
